#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 2 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

hint_of() {
	case $1 in
	the_module_stays_while_the_device_is_open) cat <<'END' ;;
Keep the device in the state. It holds the module as long as somebody has it open.
END
	it_says_what_it_was_loaded_with) cat <<'END' ;;
What step 1 asked for still holds: "loaded, max_len=..." in init, "removed, max_len=..." in
drop.
END
	esac
}

the_module_stays_while_the_device_is_open() {
	exec 7>"$device"
	refused 'Resource temporarily unavailable' 'rmmod lab'
	exec 7>&-
	rmmod lab
	[ ! -e "$device" ] || fail 'the device is there without the module'
}

it_says_what_it_was_loaded_with() {
	number 2 127
	load "max_len=$number"
	logs 1 "lab: loaded, max_len=$number\$"
	rmmod lab
	logs 1 "lab: removed, max_len=$number\$"
	loading_is_refused max_len=129
}

run_lab a_message_is_printed no_text_forges_a_line_of_the_log \
	a_message_that_is_too_long_is_refused the_module_stays_while_the_device_is_open \
	it_says_what_it_was_loaded_with
