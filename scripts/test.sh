#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [--host | FILTER]: all tests, and fails if any failed:
#
#   - with no FILTER, the scripts' own, on this machine (tests/host.sh);
#   - wqtest's own, on this machine;
#   - unless --host, `wqtest test [FILTER]` in the distribution's kernel, which tests
#     the modules;
#   - without FILTER, what scripts/qemu-run.sh promises of the guest, and `make
#     rust-analyzer` of an editor.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

test_wqtest() {
	cd "$top/user"
	in_root env CARGO_TARGET_DIR="$top/build/user" cargo test --locked
}

test_modules() { # [FILTER]
	scripts/qemu-run.sh --timeout 1800 -- wqtest test "$@" </dev/null
}

main() {
	local status=0
	cd "$top"
	cache_init
	run_dir_init
	root_find
	prepare_kernel debian
	join_kernel
	if [[ ${1:---host} == --host ]]; then
		say "the scripts, as they run on users' machines"
		tests/host.sh || status=1
	fi
	say "wqtest's own tests"
	(test_wqtest) || status=1
	if [[ ${1:-} != --host ]]; then
		say "the modules, in the distribution's kernel"
		(test_modules "$@") || status=1
	fi
	if (($# == 0)); then
		say "the guest"
		tests/guest.sh || status=1
		say "the editor"
		tests/rust-analyzer.sh || status=1
	fi
	return $status
}

main "$@"
