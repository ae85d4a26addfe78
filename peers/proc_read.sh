#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# PEER proc_read     the kernel tree's selftests/proc/read.c: reads all of /proc
# PROVES all_of_proc_is_read_while_items_run_and_tick
# PROVES every_pass_reads_a_table_that_balances
#
# read.c does not show what it reads. proc_read_seen.c is linked with it and prints the buffer after
# reading the one file.
#
# read.c aborts if a process ends while it reads that process's folder: it takes the ENOENT of
# readdir() for a fault. So nothing starts processes beside it, and if a worker of the kernel's ends
# the pass is repeated.
#
# shellcheck shell=busybox
# shellcheck source=peers/guest.sh
. /peers/guest.sh

passes=4

# Runs two readers at a time. What they read of the table goes to table.N.
read_all() {
	local pass=0
	while [ $((pass += 2)) -le $passes ]; do
		one_pass $pass &
		one_pass $((pass - 1))
		wait
	done
}

one_pass() { # N
	local attempt=0 status
	while [ $((attempt += 1)) -le 5 ]; do
		status=0
		proc-read >"table.$1" 2>"said.$1" || status=$?
		[ $status -ne 0 ] || return
		grep -q 'xreaddir: Assertion' "said.$1" || break
	done
	echo "pass $1, attempt $attempt ended with status $status: $(cat "said.$1")"
}

check_tables() {
	local pass=0
	while [ $((pass += 1)) -le $passes ]; do
		balances <table.$pass || echo "pass $pass has not read one"
	done
}

begin_load
complaint=$(read_all 2>&1)
ran=$(row custom executed) ticks=$(row periodic executed)
end_load
note "$passes passes over /proc, meanwhile $ran custom items ran, and $ticks ticks;" \
	"in the last one's buffer:"
notes <table.$passes
[ "$ran" -gt 0 ] && [ "$ticks" -gt 0 ] || complaint="nothing ran beside it"
point all_of_proc_is_read_while_items_run_and_tick "$complaint"
point every_pass_reads_a_table_that_balances "$(check_tables)"
finish
