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
	local trouble
	if is_debian_release "$1"; then
		trouble=$(metadata_trouble "$1")
		[[ -z $trouble ]] || die "$trouble"
	fi
	kdir_check "/lib/modules/$1/build" "$(rustc --version 2>/dev/null || true)" \
		"See README.md, Limits."
}

main "$@"
