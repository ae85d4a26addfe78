#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# What qemu-run.sh plays without a COMMAND: a tour of both modules, as if typed, with the kernel's
# log. Exits 0 only if all of it happened.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is typed in is expanded when it runs

# shellcheck source=scripts/guest/lib.sh
. /etc/guest/lib.sh

log_of 'wq_echo: |workqueue_demo: '
table=/proc/workqueue_demo

# answers LINE ANSWER: types LINE in, and fails unless it prints only ANSWER
answers() {
	type_in "$1" | tee /tmp/said
	[ "$(tail -n +2 /tmp/said)" = "$2" ] || fail "no \"$2\" from: $1"
}

# row KIND COLUMN: prints a number of the table
row() {
	awk -v kind="$1" -v column="$2" '
		$1 == "kind" { for (i = 1; i <= NF; i++) if ($i == column) at = i }
		$1 == kind { print $at }' $table
}

# has KIND COLUMN NUMBER: fails unless the table has NUMBER there
has() {
	[ "$(row "$1" "$2")" -eq "$3" ] || fail "$table: $1 $2 is $(row "$1" "$2"), not $3"
}

# peak QUEUE NUMBER: fails unless NUMBER of its items ran at once
peak() {
	grep -qE "^queue: $1 flags=.* peak_running=$2\$" $table ||
		fail "$table: peak_running of $1 is not $2"
}

# Fails unless every row of the table balances.
balances() {
	awk 'NF == 8 && $2 ~ /^[0-9]+$/ { rows++; if ($2 != $4 + $5 + $6 + $7) exit 1 }
		END { exit rows != 5 }' $table || fail "$table does not balance"
}

echoes() {
	type_in 'insmod /lib/modules/wq_echo.ko'
	logs 0 .
	type_in 'ls -l /dev/wq_echo'
	answers 'wqtest echo "william wq test"' 'wrote 15 bytes: "william wq test"'
	logs 1 'wq_echo: "william wq test" \(len=15\)$'
	type_in 'echo "中文, \"quotes\", $(printf "\033[31m")red" > /dev/wq_echo'
	logs 1 'wq_echo: "中文, \\"quotes\\", \\x1b\[31mred" \(len=26\)$'
	type_in 'for i in 1 2 3 4 5; do echo "message $i" > /dev/wq_echo; done'
	logs 5 'wq_echo: "message [1-5]" \(len=9\)$'
	type_in 'head -c 300 /dev/zero | tr "\0" x > /dev/wq_echo'
	logs 2 'wq_echo: "x+" \(len=(255|45)\)$'
	type_in 'cd /sys/kernel/debug/wq_echo; grep . *; cd'
	[ "$(cat /sys/kernel/debug/wq_echo/printed)" -eq 9 ] || fail 'wq_echo/printed is not 9'
}

patterns() {
	local ticks
	type_in 'insmod /lib/modules/workqueue_demo.ko'
	logs 0 .
	type_in 'echo immediate > /proc/workqueue_demo'
	logs 1 'immediate work ran on '
	type_in 'echo delayed 200 > /proc/workqueue_demo'
	# C counts the delay from the last tick, which may be late on an emulated machine.
	logs 1 'delayed work ran on .* after (1[6-9][0-9]|[2-9][0-9][0-9]|[0-9]{4,}) ms'
	type_in 'echo custom 8 > /proc/workqueue_demo'
	logs 8 'custom work ran on '
	type_in 'echo custom 3 ordered > /proc/workqueue_demo'
	logs 3 'custom work ran on .* of workqueue_demo_ordered '
	type_in 'echo data 42 > /proc/workqueue_demo'
	logs 2 'Data: 42$|data work ran on '
	type_in 'echo start 100 > /proc/workqueue_demo'
	logs 3 'periodic work ran on '
	type_in 'echo stop > /proc/workqueue_demo'
	ticks=$(row periodic executed)
	logs 0 .
	type_in 'echo delayed 60000 > /proc/workqueue_demo'
	type_in 'echo cancel > /proc/workqueue_demo'
	type_in 'echo flush > /proc/workqueue_demo'
	type_in 'cat /proc/workqueue_demo'
	balances
	has immediate executed 1
	has delayed executed 1
	has delayed cancelled 1
	has custom executed 11
	has data executed 1
	has periodic executed "$ticks"	# none since stop
	peak workqueue_demo 4
	peak workqueue_demo_ordered 1
	printf '# echo data nonsense > /proc/workqueue_demo\n'
	! echo data nonsense 2>/tmp/error >$table || fail 'nonsense was accepted'
	cat /tmp/error
	logs 1 'nonsense'
	type_in 'echo reset > /proc/workqueue_demo'
	has custom executed 0
	has periodic executed 0
}

removal() {
	type_in 'echo delayed 60000 > /proc/workqueue_demo'
	type_in 'rmmod workqueue_demo'
	type_in 'rmmod wq_echo'
	! ls $table /dev/wq_echo 2>/dev/null || fail 'a node is left behind'
	! lsmod | grep -E '^(wq_echo|workqueue_demo) ' || fail 'a module is left behind'
	echo 'Both modules are gone again, the delayed item with them.'
}

echoes
patterns
removal
