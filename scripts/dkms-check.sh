#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dkms-check.sh RELEASE: DKMS runs this before it builds the modules. It fails with one line if
# something they need is missing.

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
	# If the caller's stderr cannot be opened, the log has to do.
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

# DKMS sends our output to a log. Its caller should see it too: find the first ancestor whose stderr
# differs from ours.
stderr_of_caller() {
	local pid=$PPID
	while ((pid > 1)) && [[ /proc/$pid/fd/2 -ef /dev/stderr ]]; do
		pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
	done
	echo "/proc/$pid/fd/2"
}

main "$@"
