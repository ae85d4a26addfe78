#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [--kernel NAME]: runs the KUnit suites of both modules and the abstractions.
#
#   uml-kasan (the default)  built into User-mode Linux by the kernel's own kunit.py, from a
#                            scratch copy of the kernel's source with this tree in it
#   kasan, rt                as modules, in an emulated machine. There the modules can be
#                            removed, and lockdep watches. On kasan one more module moves the
#                            clock.
#
# Prints kunit.py's output, then KTAP: a line for each test and one for the kernel's reports. On
# kasan clippy of the suites has a line too; only a kernel with KUnit compiles them. The output is
# kept in build/kunit-NAME.log.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/in-tree.sh
. "$top/scripts/lib/in-tree.sh"
# shellcheck source=scripts/lib/kernel-log.sh
. "$top/scripts/lib/kernel-log.sh"

kernel=uml-kasan
kunit_py=tools/testing/kunit/kunit.py
lines=()

# Loads all at once, so that lockdep compares their lock classes: the suites of wq_echo and of the
# abstractions spawn closures.
# shellcheck disable=SC2016 # for the guest's shell
guest_line='echo "kunit begins" >/dev/kmsg
insmod /lib/modules/wq_echo.ko &&
insmod /lib/modules/workqueue_demo.ko &&
insmod /abstractions_kunit.ko &&
rmmod abstractions_kunit && dmesg | grep -q "who dropped the last owner ends" &&
rmmod workqueue_demo wq_echo'

# The module that moves the clock comes last, on the only CPU left online, with the stall detectors
# off. On rt it would wait for ever for an RCU grace period in progress: there they are short.
# shellcheck disable=SC2016 # for the guest's shell
clock_line=' || exit
for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
	[ ! -e "$cpu" ] || echo 0 >"$cpu"
done
echo 0 >/proc/sys/kernel/hung_task_timeout_secs
echo 0 >/sys/module/workqueue/parameters/watchdog_thresh
echo 1 >/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress
echo 0 >/sys/module/rcupdate/parameters/rcu_task_stall_timeout
insmod /moved_clock_kunit.ko &&
rmmod moved_clock_kunit'

# KUnit is off in other boots. The glob matches our suites only. The kernel's own would run at boot,
# and one of them warns on PREEMPT_RT in 7.3: it expects interrupts to be off under a SpinLockIrq.
guest_args='kunit.enable=1 kunit.filter_glob=[aw]*'

parse_options() {
	if [[ ${1:-} == --kernel && -n ${2:-} ]]; then
		kernel=$2
		shift 2
	fi
	(($# == 0)) || die "usage: kunit.sh [--kernel NAME]"
	[[ -z ${KDIR:-} ]] || die "KDIR: this takes a kernel by its name"
	kernel_check_known "$kernel"
	kunit_log=$top/build/kunit-$kernel.log
}

moves_clock() { [[ $kernel == kasan ]]; }

expected_suites() {
	local but=none
	moves_clock || but=abstractions_moved_clock
	grep -rhoE '^#\[kunit_tests\([a-z_]+\)\]' wq_echo workqueue_demo tests/abstractions |
		sed -E 's/.*\((.*)\).*/\1/' | grep -vxE "$but" | sort
}

# The suites run at boot, then the kernel halts.
run_built_in() {
	local log=$in_tree/built-in/test.log refusal option
	local options=(--kernel_args=seccomp=on --kernel_args=ncpus=2)
	in_tree_find_options
	step "putting the tree into the kernel's" in-tree in_tree_built_in
	for option in "${in_tree_options[@]}"; do
		options+=(--make_options "$option")
	done
	rm -f "$log"
	without_colours in_tree_run built-in "$kunit_py" run --failed \
		--kunitconfig="$in_tree_place" --build_dir="$(realpath "$kdir")" \
		--jobs="$(nproc)" --timeout=300 "${options[@]}" || status=1
	without_time <"$log" >"$kunit_log" || die "the suites did not run"
	refusal=$(host_refusal "$log")
	[[ -z $refusal ]] || die "$refusal"
	kernel_is_silent "$(kernel_reports <"$log")"
}

run_as_modules() {
	local log=$top/build/kunit-$kernel.kernel.log
	boot || status=1
	[[ -e $log ]] || die "the suites did not run"
	if ! grep -q 'kunit begins' "$log"; then
		say "the guest did not get as far as the tests: booting again"
		status=0
		boot || status=1
	fi
	without_time <"$log" | merge "$(expected_suites | wc -l)" >"$kunit_log"
	without_colours in_root python3 -B "$linux/src/$kunit_py" parse --failed "$kunit_log" ||
		status=1
	kernel_is_silent "$( ((!status)) || echo "see ${log#"$top/"}")"
	[[ $kernel != kasan ]] || lint
}

boot() {
	local line=$guest_line
	! moves_clock || line+=$clock_line
	rm -f "$log"
	KERNEL_LOG=$log "$top/scripts/qemu-run.sh" --kernel "$kernel" --no-load \
		--module "$top/tests/abstractions" --append "$guest_args" --timeout 600 \
		-- "$line" </dev/null
}

kernel_is_silent() { # WHAT_IT_SAYS
	lines+=("ok the_kernel_reports_nothing")
	[[ -z $1 ]] || lines[-1]="not ok the_kernel_reports_nothing # ${1//$'\n'/; }"
}

lint() {
	local out=$top/build/check/kunit
	lines+=("ok clippy")
	{
		module_build "$top" "$out-modules" CLIPPY=1 W=e &&
			module_build "$top/tests/abstractions" "$out-abstractions" CLIPPY=1 W=e
	} >"$run_dir/lint.log" 2>&1 && return
	cat "$run_dir/lint.log"
	lines[-1]="not ok clippy # of the suites"
}

without_time() { tr -d '\r' | sed -E 's/^\[ *[0-9]+\.[0-9]+\] ?//'; }

# merge SUITES: turns the log on stdin, with a KTAP document for each module, into one document of
# SUITES suites
merge() {
	awk -v suites="$1" '
		/^kunit begins$/ { begun = 1; print "KTAP version 1\n1.." suites; next }
		!begun || /^KTAP version 1$/ || /^1\.\.[0-9]+$/ { next }
		/^(not )?ok [0-9]+ / { sub(/ok [0-9]+/, "ok " ++suite) }
		{ print }'
}

# points SUITE...: prints a line like "ok SUITE.TEST" for each test in $kunit_log, and `not ok` for
# each missing one. A failed test's output comes before its line.
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
			said = ""
			next
		}
		/^    1\.\.[0-9]+$/ { planned = substr($1, 4) + 0 }
		/^    (not )?ok [0-9]+ / {
			ran++
			sub(/^ +/, "")
			sub(/ok [0-9]+ /, "ok " suite ".")
			if (/^not /) printf "%s", said
			print
			said = ""
			next
		}
		/^    / {
			sub(/^ +(# ?)?/, "")
			said = said "# " $0 "\n"
		}
		/^(not )?ok / { end_of_suite() }
		END {
			end_of_suite()
			count = split(expected, names, " ")
			for (i = 1; i <= count; i++)
				if (!(names[i] in seen))
					print "not ok " names[i] " # it did not run"
		}' "$kunit_log"
}

# print_ktap LINE...: prints them, with the results numbered
print_ktap() {
	ktap_begin "$(printf '%s\n' "$@" | grep -c '^\(not \)\?ok ')"
	printf '%s\n' "$@" | awk '/^(not )?ok / { sub(/ok /, "ok " ++number " ") } { print }'
}

main() {
	local suites status=0
	parse_options "$@"
	cd "$top"
	cache_init
	run_dir_init
	root_find
	prepare_kernel "$kernel"
	join_kernel
	[[ $(kdir_config "$kdir" KUNIT) == y ]] ||
		die "--kernel $kernel: it is built without CONFIG_KUNIT"
	if [[ $kind == um ]]; then run_built_in; else run_as_modules; fi
	mapfile -t suites < <(expected_suites)
	mapfile -t -O "${#lines[@]}" lines < <(points "${suites[@]}")
	print_ktap "${lines[@]}"
	[[ $'\n'$(printf '%s\n' "${lines[@]}") != *$'\n'"not ok"* ]] || status=1
	return "$status"
}

main "$@"
