#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [--host | FILTER]: runs all tests, and fails if any fails:
#
#   - without FILTER: the scripts' own tests, on this machine (tests/host.sh, tests/doctor.sh,
#     tests/machines.sh);
#   - wqtest's own tests, on this machine;
#   - without --host: `wqtest test [FILTER]` in Debian's kernel, which tests the modules;
#   - without FILTER or --host: the guest (scripts/qemu-run.sh) and `make rust-analyzer`.
#
# With SUITE, tests wqtest and the modules only, on kernels built by the compilers of that suite.
#
# With ARCH=arm64 on x86-64, boots Debian's arm64 kernel and runs wqtest's own tests there too.
# Skips the tests of the scripts and the editor, which are about this machine.
#
# Leaves results in build/test/: KTAP for each, JUnit XML for all.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

test_wqtest() {
	if is_cross; then
		test_wqtest_in_guest
	else
		wqtest_cargo test --locked
	fi
}

# cargo names the program in a line like "Executable ... (DIR/wqtest-0a1b2c)".
test_wqtest_in_guest() {
	local program
	wqtest_cargo test --locked --no-run 2>&1 | tee "$run_dir/no-run.log"
	program=$(sed -nE 's/^ *Executable .* \((.*)\)$/\1/p' "$run_dir/no-run.log" | outside)
	[[ -n $program ]] || die "cargo test built no program"
	scripts/qemu-run.sh --no-load --add "$program:/wqtest-tests" --timeout 300 \
		-- '/wqtest-tests' </dev/null
}

test_modules() { # KERNEL [FILTER]
	scripts/qemu-run.sh --kernel "$1" --timeout 1800 -- wqtest test "${@:2}" </dev/null
}

# Tests what this suite's compilers build. The scripts are the same for every suite.
test_suite() { # [FILTER]
	local kernel status=0
	[[ ${1:-} == --host ]] || for kernel in plain uml; do
		say "the modules, in $kernel, built by the compilers of $suite"
		recorded "$kernel.test" test_modules "$kernel" "$@" || status=1
	done
	say "wqtest's own tests"
	recorded_cargo wqtest test_wqtest || status=1
	return $status
}

# Prints a prefix that keeps the results of another architecture apart in `make test-all`.
of_arch() { ! is_cross || echo "$arch."; }

test_all() { # [--host | FILTER]
	local status=0
	prepare_kernel debian
	join_kernel
	if [[ ${1:---host} == --host ]] && ! is_cross; then
		say "the scripts, as they run on users' machines"
		recorded host tests/host.sh || status=1
		say "the doctor, on machines that have all and that lack something"
		recorded doctor tests/doctor.sh || status=1
		say "what programs read of all this"
		recorded machines tests/machines.sh || status=1
	fi
	say "wqtest's own tests"
	recorded_cargo "$(of_arch)wqtest" test_wqtest || status=1
	if [[ ${1:-} != --host ]]; then
		say "the modules, in the distribution's kernel"
		recorded "$(of_arch)debian.test" test_modules debian "$@" || status=1
	fi
	if (($# == 0)); then
		say "the guest"
		recorded "$(of_arch)debian.guest" tests/guest.sh || status=1
		is_cross || {
			say "the editor"
			recorded rust-analyzer tests/rust-analyzer.sh || status=1
		}
	fi
	return $status
}

main() {
	local status=0
	cd "$top"
	cache_init
	run_dir_init
	root_find
	results_begin "$top/build/test"
	if [[ $suite == "$linux_suite" ]]; then
		test_all "$@" || status=1
	else
		test_suite "$@" || status=1
	fi
	results_end || status=1
	return $status
}

main "$@"
