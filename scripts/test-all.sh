#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs all tests. Uses fast kernels where possible and emulated ones where needed. See usage()
# below.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

usage() {
	cat <<'EOF'
Usage: scripts/test-all.sh [KERNEL...]

Tests the scripts and wqtest on this machine. On each KERNEL (by default debian, uml-kasan, kasan
and rt, built here if they are missing):

    wqtest test     the modules, feature by feature
    wqtest fire     removes, interrupts, starves and floods them, again and again: in full on
                    User-mode Linux, which is fast; in short on emulated machines
    KUnit           the suites as modules, on kasan and rt
    the guest       what scripts/qemu-run.sh promises, on User-mode Linux
    the timeline    what it draws of work items, on debian

Without KERNEL, once each: this tree inside the kernel's, with its KUnit suites; what
scripts/rust-headers.sh makes, with DKMS; what scripts/new-module.sh makes; the lab.

The tests of User-mode Linux, and those inside the kernel's tree, run beside those of emulated
kernels. What else is tested once follows, in whichever of the two lanes is free.
Prints KTAP. Fails if a test failed, or if one was skipped on a kernel that is built here with all
that the tests need. The output of each run, also as JUnit XML, and the kernel's log of each boot
are in build/test-all/.

Environment:
  ARCH              arm64: on debian alone, for this architecture
  FULL              not empty: all of wqtest fire on each KERNEL, `make test` for arm64, the
                    session of docs/debugging.md, all of the lab's wrong answers, all lints
                    in the kernel's tree
  CYCLES            removals in each state; 50 by default, 2 in short
  STEPS             how many steps are made to fail: of loading a module, and of the first
                    use of a queue; ten times as many of a module's init. By default each
                    step, in short 2
  INPUTS            byte strings written to each node; 1,000,000 by default, 50,000 on kasan
                    and rt; in short 2,000
  ACTIONS           random actions of each process of a crowd; 40 by default, in short 10
  SEED              seed of all that is random, to repeat a run
  TESTED            not empty: leaves out what `make test` tests
EOF
}

logs=$top/build/test-all
failed=0
export WQTEST_PROFILE=${WQTEST_PROFILE:-fire}

in_tree=1 tested_once=(lab new-module rust-headers)

main() {
	local kernel kernels=(debian uml-kasan kasan rt) fast=() emulated=()
	case ${1:-} in
	-h | --help) usage; return ;;
	esac
	if (($#)); then
		kernels=("$@") in_tree=0 tested_once=()
	elif [[ $arch != amd64 ]]; then
		# The other kernels are built for amd64 only.
		kernels=(debian) in_tree=0 tested_once=()
	fi
	[[ $suite == "$linux_suite" ]] ||
		die "SUITE=$suite: what there is for it is 'make test' and 'make check'"
	for kernel in "${kernels[@]}"; do
		kernel_check_known "$kernel"
		if is_program "$kernel"; then
			fast+=("$kernel")
		else
			emulated+=("$kernel")
		fi
	done
	cd "$top"
	cache_init
	run_dir_init
	root_find
	results_begin "$logs"
	[[ -n ${TESTED:-} ]] || is_cross || run host scripts/test.sh --host
	spawn builds build_kernels
	spawn beside test_beside
	test_kernels "${emulated[@]}"
	(
		lower_priority 10
		test_once
		exit $failed
	) || failed=1
	join_shown beside "the tests beside those of emulated kernels" || failed=1
	join_shown builds "building kernels" || failed=1
	[[ -z ${FULL:-} ]] || ((!in_tree)) || test_rest
	results_end || failed=1
	return $failed
}

# Succeeds for User-mode Linux, which emulates nothing.
is_program() { [[ $(kernel_kind "$1") == um ]]; } # KERNEL

# Jobs beside the emulated kernels' tests keep their output until join_shown prints it.
build_kernels() {
	local kernel
	# Runs at lower priority than the emulated kernels' tests.
	lower_priority 5
	for kernel in "${kernels[@]}"; do
		run "$kernel.build" kdir "$kernel"
		: >"$logs/$kernel.was-built"
	done
	return $failed
}

kdir() { scripts/qemu-run.sh --kernel "$1" --print-kdir >/dev/null; } # KERNEL

# Emulated kernels take more than twice as long if they share the processors. So what runs beside
# them has a lower priority.
test_beside() {
	lower_priority 5
	test_kernels "${fast[@]}"
	# Compile nothing before the kernels are built: the emulated kernels' tests wait for them.
	await builds.end
	lower_priority 5
	((!in_tree)) || {
		run in-tree recorded in-tree tests/in-tree.sh
		# kunit.sh uses what in-tree.sh has built.
		run kunit recorded kunit scripts/kunit.sh
	}
	test_once
	return $failed
}

await() { # EVENT
	until [[ -e $run_dir/$1 ]]; do
		pause 0.5
	done
}

# Runs each test of tested_once that the other lane has not begun.
test_once() {
	local name begun
	for name in "${tested_once[@]}"; do
		begun=$run_dir/begun.$name
		if mkdir "$begun" 2>/dev/null; then
			run "$name" recorded "$name" "tests/$name.sh"
		elif [[ ! -d $begun ]]; then
			say "$name: cannot make $begun"
			failed=1
		fi
	done
}

test_rest() {
	run arm64 env ARCH=arm64 scripts/test.sh
	run debugging tests/debugging.sh
}

# A kernel that failed to build is not tested. Its build has reported the failure.
test_kernels() { # KERNEL...
	local kernel
	for kernel; do
		until [[ -e $logs/$kernel.was-built ]] ||
			! kill -0 "${job_pid[builds]}" 2>/dev/null; do
			pause 0.5
		done
		if kernel_is_there "$kernel"; then
			test_kernel "$kernel"
		else
			# An empty result counts as an error.
			: >"$logs/$kernel.build.ktap"
		fi
	done
}

kernel_is_there() { # KERNEL
	kernel_find "$1"
	[[ -e $cache/$kernel_entry ]]
}

test_kernel() { # KERNEL
	local fire=(wqtest fire --cycles "$(amount "$1" "${CYCLES:-}" 50 2)")
	fire+=(--steps "$(amount "$1" "${STEPS:-}" 1000000 2)")
	fire+=(--inputs "$(amount "$1" "${INPUTS:-}" "$(inputs "$1")" 2000)")
	fire+=(--actions "$(amount "$1" "${ACTIONS:-}" 40 10)")
	fire+=(${SEED:+--seed "$SEED"})
	[[ $1 == debian && -n ${TESTED:-} ]] || guest "$1" test 3000 wqtest test
	guest "$1" fire 7200 "${fire[@]}"
	[[ $1 != @(kasan|rt) ]] ||
		run "$1.kunit" recorded "$1.kunit" scripts/kunit.sh --kernel "$1"
	! is_program "$1" || run "$1.guest" recorded "$1.guest" tests/guest.sh "$1"
	# Only this kernel's trace shows writes.
	[[ $1 != debian ]] || run "$1.timeline" recorded "$1.timeline" tests/timeline.sh "$1"
}

# A million would take hours on an emulated debug kernel.
inputs() { # KERNEL
	if [[ $1 == debian ]] || is_program "$1"; then
		echo 1000000
	else
		echo 50000
	fi
}

# amount KERNEL ASKED_FOR ALL SHORT: prints ASKED_FOR or ALL for a full run, else SHORT
amount() {
	if [[ -z ${FULL:-} ]] && ! is_program "$1"; then
		echo "$4"
	else
		echo "${2:-$3}"
	fi
}

# guest KERNEL NAME TIMEOUT COMMAND...: runs COMMAND in the guest and records the result
guest() {
	run "$1.$2" complete "$1.$2" "$1" "$3" "${@:4}"
}

# complete NAME KERNEL TIMEOUT COMMAND...: boots. Fails if a test was skipped for lack of an option
# that the kernel's configuration should have.
complete() {
	local status=0
	recorded "$1" boot "$logs/$1.log" "${@:2}" || return
	[[ $2 == debian ]] || none_skipped "$logs/$1.ktap" "$2" || status=$?
	results_status "$1" "$status"
	return "$status"
}

# User-mode Linux cannot turn CPUs off, and has no freezer with several CPUs.
none_skipped() { # KTAP KERNEL
	local skipped but=none
	! is_program "$2" ||
		but='no second processor that can be turned off|no freezer to be tested'
	skipped=$(grep -E '^(not )?ok .*# SKIP' "$1" | grep -Ev "$but") || return 0
	say "these must not be skipped:" "$skipped"
	return 1
}

# boot LOG KERNEL TIMEOUT COMMAND...: boots, a second time if the kernel did not come up. An
# emulated KASAN kernel sometimes does not (about one boot in twelve).
boot() {
	local log=$1 status=0
	boot_once "$@" || status=$?
	if ((status)) && [[ -e $log ]] && ! grep -q 'Run /init as init process' "$log"; then
		say "the kernel did not get as far as the tests: booting again"
		status=0
		boot_once "$@" || status=$?
	fi
	return "$status"
}

boot_once() { # LOG KERNEL TIMEOUT COMMAND...
	rm -f "$1"
	KERNEL_LOG=$1 scripts/qemu-run.sh --kernel "$2" --timeout "$3" -- "${@:4}" </dev/null
}

# run NAME COMMAND...: runs COMMAND and notes its status; a failure does not end the script
run() {
	local start=$SECONDS status=0
	say "$1"
	"${@:2}" || status=$?
	((status == 0)) || failed=1
	say "$1: status $status after $((SECONDS - start)) s"
}

main "$@"
