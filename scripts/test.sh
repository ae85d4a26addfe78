#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [--host | FILTER]: all tests, and fails if any failed:
#
#   - with no FILTER, the scripts' own, on this machine (tests/host.sh, tests/doctor.sh);
#   - wqtest's own, on this machine;
#   - unless --host, `wqtest test [FILTER]` in the distribution's kernel, which tests
#     the modules;
#   - without FILTER, what scripts/qemu-run.sh promises of the guest, and `make
#     rust-analyzer` of an editor.
#
# With SUITE, wqtest's own and those of the modules, in kernels that are built by the compilers of
# that suite.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

test_wqtest() {
	cd "$top/user"
	in_root env CARGO_TARGET_DIR="$top/build/user" cargo test --locked
}

test_modules() { # KERNEL [FILTER]
	scripts/qemu-run.sh --kernel "$1" --timeout 1800 -- wqtest test "${@:2}" </dev/null
}

# What other compilers make, on kernels that they have built. The scripts are the same.
test_suite() { # [FILTER]
	local kernel status=0
	for kernel in plain uml; do
		say "the modules, in $kernel, built by the compilers of $suite"
		(test_modules "$kernel" "$@") || status=1
	done
	say "wqtest's own tests"
	(test_wqtest) || status=1
	return $status
}

main() {
	local status=0
	cd "$top"
	cache_init
	run_dir_init
	root_find
	[[ $suite == "$linux_suite" ]] || {
		test_suite "$@"
		return
	}
	prepare_kernel debian
	join_kernel
	if [[ ${1:---host} == --host ]]; then
		say "the scripts, as they run on users' machines"
		tests/host.sh || status=1
		say "the doctor, on machines that have all and that lack something"
		tests/doctor.sh || status=1
	fi
	say "wqtest's own tests"
	(test_wqtest) || status=1
	if [[ ${1:-} != --host ]]; then
		say "the modules, in the distribution's kernel"
		(test_modules debian "$@") || status=1
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
