#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 3 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

hint_of() {
	case $1 in
	each_message_is_an_item) cat <<'END' ;;
Each write makes a Message with a work item of its own, and each `run` prints one.
END
	esac
}

each_message_is_an_item() {
	number 3 8
	trace_on
	send_words "$number"
	all_printed
	events
	same "$(count_of ' queue ')" "$number"
	same "$(count_of ' start ')" "$number"
	same "$(runs_that_print 'lab: "w')" "$number"
}

run_lab a_message_is_printed a_worker_prints_it the_queue_is_the_modules_own \
	a_write_does_not_wait_for_the_printing each_message_is_an_item \
	messages_are_printed_in_the_order_of_the_writes no_text_forges_a_line_of_the_log \
	a_message_that_is_too_long_is_refused
