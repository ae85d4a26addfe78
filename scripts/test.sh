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
# Without FILTER or --host, `wqtest test` and the guest come first. All else runs beside them, at
# lower priority, and is printed last.
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

failed=0

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
	KERNEL_LOG=$results/$(of_arch)$1.test.log \
		scripts/qemu-run.sh --kernel "$1" --timeout 1800 -- wqtest test "${@:2}" </dev/null
}

# Prints a prefix that keeps the results of another architecture apart in `make test-all`.
of_arch() { ! is_cross || echo "$arch."; }

# Tests what this suite's compilers build. The scripts are the same for every suite.
test_suite() { # [FILTER]
	local kernel
	[[ ${1:-} == --host ]] || for kernel in plain uml; do
		say "the modules, in $kernel, built by the compilers of $suite"
		recorded "$kernel.test" test_modules "$kernel" "$@" || failed=1
	done
	test_own
}

test_all() { # [--host | FILTER]
	prepare_kernel debian
	join_kernel
	case ${1:-} in
	--host)
		test_scripts
		test_own
		;;
	'')
		is_cross || spawn here test_here
		test_distribution
		say "the guest"
		recorded "$(of_arch)debian.guest" tests/guest.sh || failed=1
		# For another architecture these are tests in a guest, too.
		! is_cross || test_own
		is_cross || join_shown here "the tests on this machine" || failed=1
		;;
	*)
		test_own
		test_distribution "$@"
		;;
	esac
}

# Runs beside the tests in guests.
test_here() {
	lower_priority 5
	test_scripts
	test_own
	say "the editor"
	recorded rust-analyzer tests/rust-analyzer.sh || failed=1
	return $failed
}

test_scripts() {
	! is_cross || return 0
	say "the scripts, as they run on users' machines"
	recorded host tests/host.sh || failed=1
	say "the doctor, on machines that have all and that lack something"
	recorded doctor tests/doctor.sh || failed=1
	say "what programs read of all this"
	recorded machines tests/machines.sh || failed=1
}

test_own() {
	say "wqtest's own tests"
	recorded_cargo "$(of_arch)wqtest" test_wqtest || failed=1
}

test_distribution() { # [FILTER]
	say "the modules, in the distribution's kernel"
	recorded "$(of_arch)debian.test" test_modules debian "$@" || failed=1
}

main() {
	cd "$top"
	cache_init
	run_dir_init
	root_find
	results_begin "$top/build/test"
	if [[ $suite == "$linux_suite" ]]; then
		test_all "$@"
	else
		test_suite "$@"
	fi
	results_end || failed=1
	return $failed
}

main "$@"
