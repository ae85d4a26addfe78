#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# PEER failcmd       the kernel tree's fault-injection/failcmd.sh: lets allocations fail
# PROVES failing_slabs_leave_clean_errors_and_whole_modules
# PROVES failing_pages_leave_clean_errors_and_whole_modules
#
# Runs each command again and again. Allocations fail beyond a budget of bytes (or pages). The
# budget grows fourfold until nothing fails. If the kernel can tell who allocates, only allocations
# of the system call count.
#
# A command either succeeds with its effect, or reports ENOMEM without one. A command that the
# kernel could not even start has no effect.
#
# shellcheck shell=busybox
# shellcheck source=peers/guest.sh
. /peers/guest.sh

debugfs=/sys/kernel/debug
largest_budget=$((4 << 20))

# Writes to the file ranges the address ranges of the functions that faults are confined to, one
# kernel function for each kind of command.
find_ranges() {
	sort /proc/kallsyms | awk '
		name && $1 != start { print name, "0x" start, "0x" $1; name = "" }
		$3 ~ /^(vfs_(read|write)|do_one_initcall|__x64_sys_(openat|delete_module))$/ {
			name = $3; start = $1
		}' >ranges
}

can_aim() { [ -e "$debugfs/$FAILCMD_TYPE/require-start" ]; }

# aim FUNCTION: prints options that confine faults to what FUNCTION calls
aim() {
	can_aim || return 0
	sed -nE "s/^$1 (.*) (.*)/--stacktrace-depth=32 --require-start=\1 --require-end=\2/p" ranges
}

# Prints how many allocations fail in one attempt. A slab that gets no large page asks for a small
# one, so all pages fail, unless starting the command would count.
severity() {
	if [ "$FAILCMD_TYPE" = failslab ]; then
		echo --times=1
	elif can_aim; then
		echo --times=1000 --min-order=0
	else
		echo --times=1 --min-order=0
	fi
}

is_loaded() { [ -e "/sys/module/$1" ]; }

# Prints what was ever accepted, to show whether a command had an effect.
state() {
	[ ! -e $device ] || echo "messages $(counter accepted)"
	[ ! -e $table ] || awk 'NF == 8 { print $1, $2 }' $table
}

# whole_or_gone MODULE NODE: complains if a module is half there
whole_or_gone() {
	if is_loaded "$1"; then
		[ -e "$2" ] || echo "$1 is loaded without $2"
	else
		[ ! -e "$2" ] || echo "$2 is there without $1"
	fi
}

whole() {
	whole_or_gone wq_echo $device
	whole_or_gone workqueue_demo $table
	[ ! -e $table ] || balances <$table || echo "$table does not balance"
}

# once BUDGET COMMAND OPTION...: runs COMMAND while allocations fail. Sets $status.
once() {
	local budget=$1 command=$2
	shift 2
	status=0
	failcmd.sh -p 100 --space="$budget" --verbose=1 --ignore-gfp-wait=N "$@" \
		-- "$command" >said 2>&1 || status=$?
}

# check COMMAND CHANGES BUDGET: complains if the last attempt left a wrong state. A command that
# CHANGES something must have done so exactly if it exited with 0.
check() {
	local where="$1, budget $3"
	whole | sed "s|^|$where: |"
	if [ $status -eq 0 ]; then
		[ "$2" = no ] || ! cmp -s before after || echo "$where: success without effect"
	else
		cmp -s before after || echo "$where: status $status, and yet an effect"
		# From 126 on the shell could not start it, or it was killed while starting.
		[ $status -ge 126 ] || grep -qiE 'cannot allocate memory|out of memory' said ||
			echo "$where: status $status, says $(head -n 1 said)"
	fi
}

# sweep CHANGES FUNCTION UNDO COMMAND: runs COMMAND with growing budgets. FUNCTION of the kernel
# carries it out. Runs UNDO after each attempt.
sweep() {
	local changes=$1 function=$2 undo=$3 command=$4 options
	local budget=1 attempts=0 faults=0 errors=0 n
	options=$(aim "$function")
	! can_aim || [ -n "$options" ] || echo "no $function in /proc/kallsyms"
	options="$options $(severity)"
	while :; do
		state >before
		dmesg -c >/dev/null
		# shellcheck disable=SC2086 # the options are words
		once $budget "$command" $options
		n=$(dmesg | grep -c 'FAULT_INJECTION: forcing a failure')
		state >after
		check "$command" "$changes" $budget
		sh -c "$undo" >undone 2>&1
		attempts=$((attempts + 1))
		[ "$n" -eq 0 ] || faults=$((faults + 1)) total=$((total + 1))
		[ $status -eq 0 ] || errors=$((errors + 1))
		if [ "$n" -eq 0 ] || [ $budget -ge $largest_budget ]; then
			break
		fi
		budget=$((budget * 4))
	done
	[ "$n" -eq 0 ] || echo "$command: something still fails beyond $budget bytes"
	can_aim || function='anything at all'
	note "$FAILCMD_TYPE below $function, $command: $attempts attempts," \
		"$faults with allocations that failed, $errors ended with an error" >&3
}

# sweep_all: does to the modules all that users do. Loading comes last, because it leaves the
# modules as the other commands expect them.
sweep_all() {
	local total=0
	echo N >"$debugfs/$FAILCMD_TYPE/cache-filter" 2>/dev/null
	echo 0 >"$debugfs/$FAILCMD_TYPE/verbose_ratelimit_interval_ms"
	sweep yes vfs_write '' "echo a message >$device"
	sweep yes __x64_sys_openat '' "echo a message >$device"
	# busybox's cat copies by sendfile(2), and its head reports every error as EIO.
	sweep no __x64_sys_openat '' "dd if=$table bs=4096 count=1"
	sweep no vfs_read '' "dd if=$table bs=4096 count=1"
	sweep yes vfs_write 'wqtest send flush' "echo immediate >$table"
	sweep yes vfs_write 'wqtest send cancel' "echo delayed 60000 >$table"
	sweep yes vfs_write 'wqtest send flush' "echo custom 300 >$table"
	sweep yes vfs_write 'wqtest send flush' "echo data 7 >$table"
	sweep yes vfs_write 'wqtest send stop' "echo start 60000 >$table"
	sweep no vfs_write '' "echo flush >$table"
	sweep_module wq_echo
	sweep_module workqueue_demo
	[ $total -gt 0 ] || echo "nothing has failed at all"
}

sweep_module() { # NAME
	local file=/lib/modules/$1.ko
	sweep yes __x64_sys_delete_module "[ -e /sys/module/$1 ] || insmod $file" "rmmod $1"
	rmmod "$1"
	sweep yes do_one_initcall "[ ! -e /sys/module/$1 ] || rmmod $1" "insmod $file"
	insmod "$file"
}

try() { # TYPE NAME
	if [ ! -d "$debugfs/$1" ]; then
		skip "$2" "no $1 in this kernel"
		return
	fi
	export FAILCMD_TYPE=$1
	point "$2" "$(sweep_all)"
}

exec 3>&1
[ ! -d $debugfs/failslab ] || find_ranges
try failslab failing_slabs_leave_clean_errors_and_whole_modules
try fail_page_alloc failing_pages_leave_clean_errors_and_whole_modules
finish
