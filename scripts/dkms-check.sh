#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dkms-check.sh RELEASE: what DKMS runs before it builds the modules. Fails with one line
# where there is something that they cannot be built without.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
export HOME=${HOME:-/root}
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/metadata.sh
. "$top/scripts/lib/metadata.sh"

main() {
	local said
	said=$(check "$1" 2>&1) && return
	echo "$said"
	# One that cannot be opened leaves it to the log.
	echo "$said" | timeout 2 tee -a "$(stderr_of_caller)" >/dev/null 2>&1 || true
	exit 1
}

check() { # RELEASE
	local trouble
	if is_debian_release "$1"; then
		trouble=$(metadata_trouble "$1")
		[[ -z $trouble ]] || die "$trouble"
	fi
	die_of bindgen_trouble
	kdir_check "/lib/modules/$1/build" "$(rustc --version 2>/dev/null || true)" \
		"See README.md, Limits."
}

# DKMS puts what this writes into a log. Who called DKMS shall see it: that is the standard error
# of the first ancestor that has another one.
stderr_of_caller() {
	local pid=$PPID
	while ((pid > 1)) && [[ /proc/$pid/fd/2 -ef /dev/stderr ]]; do
		pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
	done
	echo "/proc/$pid/fd/2"
}

main "$@"
