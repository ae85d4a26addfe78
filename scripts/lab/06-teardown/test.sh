#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 6 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

hint_of() {
	case $1 in
	it_is_removed_and_loaded_again_and_again) cat <<'END' ;;
Whatever was written just before: nothing is lost, and the count is right.
END
	esac
}

it_is_removed_and_loaded_again_and_again() {
	for _ in 1 2 3 4 5; do
		number 1 6
		send_words "$number"
		rmmod lab
		same "$(printed)" "$words"
		same "$(module_log | tail -n 1 | sed 's/.*lab: //')" "removed, $number printed"
		dmesg -c >/dev/null
		insmod /lab.ko
	done
}

run_lab a_message_is_printed a_worker_prints_it \
	what_is_accepted_is_printed_before_the_module_goes \
	the_last_line_says_how_many_were_printed it_is_removed_and_loaded_again_and_again \
	the_lock_is_not_held_while_printing nothing_is_lost_between_several_writers
