#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 4 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

run_lab a_message_is_printed a_worker_prints_it one_run_prints_all_that_is_pending \
	the_queue_is_the_modules_own messages_are_printed_in_the_order_of_the_writes \
	nothing_is_lost_between_several_writers no_text_forges_a_line_of_the_log \
	a_message_that_is_too_long_is_refused
