#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [--kernel NAME]: boots a kernel with CONFIG_KUNIT (kasan, by default),
# loads both modules and tests/abstractions, and reads what their KUnit suites
# say with the kernel's own kunit.py. Prints a line of KTAP a test, one for what
# clippy says of the suites, which only such a kernel has compiled, and one for
# what the kernel says of all of it together; then kunit.py's summary. What it
# reads is left in build/kunit.log.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

kernel=kasan
results=$top/build/kunit.log

# All at once, so that lockdep compares their lock classes: the suites of wq_echo and
# those of the abstractions spawn closures. But the one that moves the clock comes last,
# where CPUs can be taken away, on the one that is left, and with those quiet who would take
# it for a stall.
# shellcheck disable=SC2016 # for the guest's shell
guest_line='echo "kunit begins" >/dev/kmsg
insmod /lib/modules/wq_echo.ko &&
insmod /lib/modules/workqueue_demo.ko &&
insmod /abstractions_kunit.ko &&
rmmod abstractions_kunit && dmesg | grep -q "who dropped the last owner ends" &&
rmmod workqueue_demo wq_echo || exit
[ -e /sys/devices/system/cpu/cpu1/online ] || exit 0
for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
	[ ! -e "$cpu" ] || echo 0 >"$cpu"
done
echo 0 >/proc/sys/kernel/hung_task_timeout_secs
echo 0 >/sys/module/workqueue/parameters/watchdog_thresh
echo 1 >/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress
echo 0 >/sys/module/rcupdate/parameters/rcu_task_stall_timeout
insmod /moved_clock_kunit.ko &&
rmmod moved_clock_kunit'

# KUnit, which is off in other boots. Above what the test of cpu_intensive() spins.
guest_args='kunit.enable=1 workqueue.cpu_intensive_thresh_us=10000000'

parse_options() {
	if [[ ${1:-} == --kernel && -n ${2:-} ]]; then
		kernel=$2
		shift 2
	fi
	(($# == 0)) || die "usage: kunit.sh [--kernel NAME]"
}

lint() {
	local out=$top/build/check/kunit
	module_build "$top" "$out-modules" CLIPPY=1 W=e &&
		module_build "$top/tests/abstractions" "$out-abstractions" CLIPPY=1 W=e
}

# User-mode Linux gives up none of its CPUs, and preempts no worker that spins.
expected_suites() {
	local but=none
	[[ $kind != um ]] || but='abstractions_(moved_clock|cpu_intensive)'
	grep -rhoE '^#\[kunit_tests\([a-z_]+\)\]' wq_echo workqueue_demo tests/abstractions |
		sed -E 's/.*\((.*)\).*/\1/' | grep -vxE "$but" | sort
}

boot() {
	rm -f "$top/build/kernel.log"
	"$top/scripts/qemu-run.sh" --kernel "$kernel" --no-load --module "$top/tests/abstractions" \
		--append "$guest_args" --timeout 600 -- "$guest_line" </dev/null
}

# merge SUITES: a KTAP document for each module, from the log on stdin, becomes
# one of SUITES suites, without time stamps
merge() {
	tr -d '\r' | sed -E 's/^\[ *[0-9]+\.[0-9]+\] ?//' | awk -v suites="$1" '
		/^kunit begins$/ { begun = 1; print "KTAP version 1\n1.." suites; next }
		!begun || /^KTAP version 1$/ || /^1\.\.[0-9]+$/ { next }
		/^(not )?ok [0-9]+ / { sub(/ok [0-9]+/, "ok " ++suite) }
		{ print }'
}

# points SUITE...: for each test in build/kunit.log, and for what is not there,
# a line like "ok SUITE.TEST"
points() {
	awk -v expected="$*" '
		function end_of_suite() {
			if (suite && ran < planned)
				print "not ok " suite " # " ran " of " planned " tests ran"
			suite = ""
		}
		/^    # Subtest: / {
			end_of_suite()
			suite = $3
			seen[suite] = 1
			ran = planned = 0
		}
		/^    1\.\.[0-9]+$/ { planned = substr($1, 4) + 0 }
		/^    (not )?ok [0-9]+ / {
			ran++
			sub(/^ +/, "")
			sub(/ok [0-9]+ /, "ok " suite ".")
			print
			next
		}
		/^(not )?ok / { end_of_suite() }
		END {
			end_of_suite()
			count = split(expected, names, " ")
			for (i = 1; i <= count; i++)
				if (!(names[i] in seen))
					print "not ok " names[i] " # it did not run"
		}' "$results"
}

# print_ktap LINE...: numbers them
print_ktap() {
	printf 'KTAP version 1\n1..%d\n' $#
	printf '%s\n' "$@" | awk '{ sub(/ok /, "ok " NR " "); print }'
}

main() {
	local suites lines=() status=0 kunit_py
	parse_options "$@"
	cd "$top"
	cache_init
	run_dir_init
	root_find
	[[ -z ${KDIR:-} ]] || die "KDIR: this takes a kernel by its name"
	kernel_is_known "$kernel" || die "--kernel $kernel: there are $(known_kernels)"
	prepare_kernel "$kernel"
	join_kernel
	kunit_py=$linux/src/tools/testing/kunit/kunit.py
	mapfile -t suites < <(expected_suites)
	boot || status=1
	if ! grep -q 'kunit begins' "$top/build/kernel.log"; then
		say "the guest did not get as far as the tests: booting again"
		status=0
		boot || status=1
	fi
	merge "${#suites[@]}" <"$top/build/kernel.log" >"$results"
	mapfile -t lines < <(points "${suites[@]}")
	if ((status)); then
		lines+=("not ok the_kernel_reports_nothing # see build/kernel.log")
	else
		lines+=("ok the_kernel_reports_nothing")
	fi
	if lint >"$run_dir/lint.log" 2>&1; then
		lines+=("ok clippy")
	else
		cat "$run_dir/lint.log"
		lines+=("not ok clippy # of the suites")
	fi
	print_ktap "${lines[@]}"
	in_root python3 -B "$kunit_py" parse --failed "$results" || status=1
	[[ $'\n'$(printf '%s\n' "${lines[@]}") != *$'\n'"not ok"* ]] || status=1
	return "$status"
}

main "$@"
