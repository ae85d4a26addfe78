#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [--host | FILTER]: all tests, and fails if any failed:
#
#   - with no FILTER, the scripts' own, on this machine (tests/host.sh, tests/doctor.sh,
#     tests/machines.sh);
#   - wqtest's own, on this machine;
#   - unless --host, `wqtest test [FILTER]` in the distribution's kernel, which tests
#     the modules;
#   - without FILTER, what scripts/qemu-run.sh promises of the guest, and `make
#     rust-analyzer` of an editor.
#
# With SUITE, wqtest's own and those of the modules, in kernels that are built by the compilers of
# that suite.
#
# With ARCH=arm64 on an x86-64 machine the kernel is Debian's for arm64, and wqtest's own
# tests run in there, too. The scripts' and the editor's are of this machine: left out.
#
# Leaves the results of each in build/test/, as KTAP, and all of them as JUnit XML.

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

# Where cargo has left the program is said in a line like "Executable ... (DIR/wqtest-0a1b2c)".
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

# What other compilers make, on kernels that they have built. The scripts are the same.
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

# What the results of the others are called, too, where `make test-all` has both.
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
