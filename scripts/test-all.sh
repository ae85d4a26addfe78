#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything there is to test, on every kernel that it is tested on. See usage()
# below.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

usage() {
	cat <<'EOF'
Usage: scripts/test-all.sh [KERNEL...]

On this machine wqtest's own tests; on each KERNEL (debian, kasan and rt by
default, built here where they are missing) in a boot of its own

    wqtest test     the modules, feature by feature
    wqtest fire     removed, interrupted, starved and thrown at, again and again
    KUnit           the suites within the modules, on kasan and uml-kasan
    the guest       what scripts/qemu-run.sh promises of it, on uml

Prints what they print (KTAP) and fails if any failed, or was skipped on a kernel
that is built here and has what all of them need. What they print and the kernel's
log of each boot are in build/test-all/.

Environment:
  CYCLES            removals in each state, 50 by default
  STEPS             at how many of the steps of loading a module there is a fault;
                    by default at each
  INPUTS            byte strings thrown at each node; by default 1,000,000 on
                    debian, 50,000 on the others
  SEED              draws what is random from this, to repeat a run
  TESTED            not empty: leaves out what `make test` tests
EOF
}

logs=$top/build/test-all
failed=0
export WQTEST_PROFILE=fire

main() {
	local kernel kernels=(debian kasan rt) built=()
	case ${1:-} in
	-h | --help) usage; return ;;
	esac
	(($# == 0)) || kernels=("$@")
	for kernel in "${kernels[@]}"; do
		kernel_is_known "$kernel" || die "$kernel: there are $(known_kernels)"
	done
	cd "$top"
	rm -rf "$logs"
	mkdir -p "$logs"
	build_kernels "${kernels[@]}"
	[[ -n ${TESTED:-} ]] || run host scripts/test.sh --host
	for kernel in "${built[@]}"; do
		test_kernel "$kernel"
	done
	return $failed
}

# Before all tests, so that none runs beside a compiler. Sets built.
build_kernels() { # KERNEL...
	local kernel
	for kernel; do
		if scripts/qemu-run.sh --kernel "$kernel" --print-kdir >/dev/null; then
			built+=("$kernel")
		else
			say "$kernel: not built, and so not tested"
			failed=1
		fi
	done
}

test_kernel() { # KERNEL
	local fire=(wqtest fire --cycles "${CYCLES:-50}" --steps "${STEPS:-1000000}")
	fire+=(--inputs "${INPUTS:-$(inputs "$1")}" ${SEED:+--seed "$SEED"})
	[[ $1 == debian && -n ${TESTED:-} ]] || guest "$1" test 3000 wqtest test
	guest "$1" fire 7200 "${fire[@]}"
	[[ $1 != *kasan ]] || run "$1.kunit" scripts/kunit.sh --kernel "$1"
	[[ $1 != uml ]] || run "$1.guest" tests/guest.sh "$1"
}

inputs() { # KERNEL
	if [[ $1 == debian ]]; then echo 1000000; else echo 50000; fi
}

# guest KERNEL NAME TIMEOUT COMMAND...
guest() {
	run "$1.$2" complete "$logs/$1.$2" "$1" "$3" "${@:4}"
}

# complete LOGS KERNEL TIMEOUT COMMAND...: boots, and wants no test skipped for the
# lack of an option that the kernel's configuration asks for
complete() {
	boot "$1.log" "${@:2}" | tee "$1.ktap" || return
	[[ $2 == debian ]] || none_skipped "$1.ktap" "$2"
}

# User-mode Linux gives up none of its CPUs.
none_skipped() { # KTAP KERNEL
	local skipped but=none
	[[ $2 != uml* ]] || but='no second processor that can be turned off'
	skipped=$(grep -E '^(not )?ok .*# SKIP' "$1" | grep -v "$but") || return 0
	say "these must not be skipped:" "$skipped"
	return 1
}

# boot LOG KERNEL TIMEOUT COMMAND...: once more where the kernel did not come up, as
# an emulated one with KASAN does not once in some dozen times
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
	local status=0
	rm -f build/kernel.log "$1"
	scripts/qemu-run.sh --kernel "$2" --timeout "$3" -- "${@:4}" </dev/null || status=$?
	[[ ! -e build/kernel.log ]] || cp build/kernel.log "$1"
	return "$status"
}

# run NAME COMMAND...: what fails does not keep the rest from running
run() {
	local start=$SECONDS status=0
	say "$1"
	"${@:2}" || status=$?
	((status == 0)) || failed=1
	say "$1: status $status after $((SECONDS - start)) s"
}

main "$@"
