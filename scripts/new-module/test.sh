#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: tests what my_module promises, a case each. `make test` runs it in the guest.
# Each case starts with the module loaded and an empty log. `logs` and `eventually` wait
# until something happens, for ten seconds at most.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time

# shellcheck source=/dev/null # the tree's scripts/guest/lib.sh
. /etc/guest/lib.sh

# text LENGTH: prints LENGTH letters
text() { printf "%$1s" '' | tr ' ' x; }

# messages COUNT: writes COUNT messages
messages() {
	for count in $(seq "$1"); do
		echo "message $count" >/dev/my_module
	done
}

a_message_is_printed() {
	echo hello >/dev/my_module
	logs 1 'my_module: "hello"$'
}

messages_are_printed_in_the_order_of_the_writes() {
	messages 8
	logs 8 '"message [1-8]"$'
	same "$(module_log | sed -n 's/.*"message \([1-8]\)"$/\1/p' | xargs)" '1 2 3 4 5 6 7 8'
}

no_text_forges_a_line_of_the_log() {
	# One write: printf starts a new one after each line end.
	printf 'a"b\n\033[31mc' >/tmp/text
	cat /tmp/text >/dev/my_module
	logs 1 'my_module: "a\\"b\\n\\x1b\[31mc"$'
}

a_message_that_is_too_long_is_refused() {
	text 128 >/dev/my_module
	refused 'Invalid argument' 'text 129 | dd bs=129 of=/dev/my_module'
	logs 1 'my_module: "x{128}"$'
	same "$(module_log | grep -c '"x')" 1
}

one_message_too_many_is_refused() {
	hold_workers
	messages 16
	refused 'Resource temporarily unavailable' 'echo "message 17" >/dev/my_module'
	release_workers
	logs 16 '"message [0-9]+"$'
	messages 1
	logs 1 '"message 1"$'
	! module_log | grep 'message 17' || fail 'what was refused has been printed'
}

what_is_pending_is_printed_before_the_module_goes() {
	hold_workers
	messages 3
	same "$(module_log | grep -c message)" 0
	rmmod my_module &
	removal=$!
	# The device has gone, so nobody writes any more. The pending messages are waited for.
	eventually '[ ! -e /dev/my_module ]'
	release_workers
	wait "$removal"
	same "$(module_log | grep -c message)" 3
}

the_module_stays_while_the_device_is_open() {
	exec 7>/dev/my_module
	refused 'Resource temporarily unavailable' 'rmmod my_module'
	exec 7>&-
	rmmod my_module
}

cases='
	a_message_is_printed
	messages_are_printed_in_the_order_of_the_writes
	no_text_forges_a_line_of_the_log
	a_message_that_is_too_long_is_refused
	one_message_too_many_is_refused
	what_is_pending_is_printed_before_the_module_goes
	the_module_stays_while_the_device_is_open
'

# with delayed:
messages_that_come_together_get_one_summary() {
	printf 'one\n' >/dev/my_module
	printf 'two\n' >/dev/my_module
	logs 1 'my_module: summary: 2 printed$'
	# The next summary has a delay of its own.
	echo three >/dev/my_module
	logs 1 'my_module: summary: 3 printed$'
	same "$(module_log | grep -c 'summary: 2 printed')" 1
}

a_summary_that_is_due_later_goes_with_the_module() {
	echo one >/dev/my_module
	rmmod my_module
	# On a slow machine it may have come already.
	before=$(module_log | grep -c summary || true)
	insmod /my_module.ko
	echo two >/dev/my_module
	# The first summary would have been due by then.
	eventually '[ "$(module_log | grep -c summary)" -gt "$before" ]'
	same "$(module_log | grep -c summary)" $((before + 1))
}

cases="$cases
	messages_that_come_together_get_one_summary
	a_summary_that_is_due_later_goes_with_the_module
"

# end
# with periodic:
it_ticks() {
	logs 2 'my_module: tick: 0 printed$'
	echo hello >/dev/my_module
	logs 1 'my_module: tick: 1 printed$'
}

cases="$cases
	it_ticks
"

# end
# with procfs:
the_file_in_proc_shows_the_counts() {
	hold_workers
	messages 2
	same "$(xargs </proc/my_module)" 'printed 0 pending 2'
	release_workers
	eventually '[ "$(xargs </proc/my_module)" = "printed 2 pending 0" ]'
	refused 'Operation not permitted' 'echo 1 >/proc/my_module'
}

the_file_in_proc_goes_with_the_module() {
	exec 7</proc/my_module
	rmmod my_module
	[ ! -e /proc/my_module ] || fail 'it is there yet'
	! cat <&7 || fail 'it can be read yet'
}

cases="$cases
	the_file_in_proc_shows_the_counts
	the_file_in_proc_goes_with_the_module
"

# end
# with poll:
poll_says_when_a_write_would_be_refused() {
	wqtest poll /dev/my_module
	hold_workers
	messages 16
	refused 'not writable' 'wqtest poll /dev/my_module'
	wqtest poll /dev/my_module 10000 &
	waiter=$!
	release_workers
	wait "$waiter"
}

cases="$cases
	poll_says_when_a_write_would_be_refused
"

# end
# with params:
a_parameter_says_how_many_may_be_pending() {
	rmmod my_module
	insmod /my_module.ko max_pending=2
	same "$(cat /sys/module/my_module/parameters/max_pending)" 2
	hold_workers
	messages 2
	refused 'Resource temporarily unavailable' 'echo three >/dev/my_module'
	release_workers
	logs 2 '"message [12]"$'
}

a_parameter_that_makes_no_sense_is_refused() {
	rmmod my_module
	refused 'Invalid argument' 'insmod /my_module.ko max_pending=0'
	logs 1 'max_pending=0 would let no message in'
}

cases="$cases
	a_parameter_says_how_many_may_be_pending
	a_parameter_that_makes_no_sense_is_refused
"

# end
# shellcheck disable=SC2086 # words
run_cases my_module $cases
