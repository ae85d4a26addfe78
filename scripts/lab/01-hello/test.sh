#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 1 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

hint_of() {
	case $1 in
	it_says_what_it_was_loaded_with) cat <<'END' ;;
pr_info!("loaded, max_len={max_len}\n") in init, with the value of the parameter. The log is
what dmesg shows; a line without "\n" at its end may come late.
END
	it_says_so_when_it_is_removed) cat <<'END' ;;
When the module is removed its state is dropped: "removed, max_len=..." belongs into `drop` of
`impl Drop for Lab`. It is to be the same number: so keep it in the state.
END
	a_value_that_makes_no_sense_is_refused) cat <<'END' ;;
Less than 1 and more than 128 are refused: `return Err(EINVAL)` in init, before anything is
said. 1 and 128 are not.
END
	esac
}

it_says_what_it_was_loaded_with() {
	for _ in 1 2; do
		number 2 127
		load "max_len=$number"
		logs 1 "lab: loaded, max_len=$number\$"
	done
}

it_says_so_when_it_is_removed() {
	number 2 127
	load "max_len=$number"
	! module_log | grep "removed, max_len=$number\$" || fail 'it says so while it is loaded'
	rmmod lab
	logs 1 "lab: removed, max_len=$number\$"
}

a_value_that_makes_no_sense_is_refused() {
	load max_len=1
	logs 1 'lab: loaded, max_len=1$'
	load max_len=128
	logs 1 'lab: loaded, max_len=128$'
	rmmod lab
	number 1000 4000000000
	for value in 0 129 "$number"; do
		loading_is_refused "max_len=$value"
		! module_log | grep -E "(loaded|removed), max_len=$value\$" ||
			fail 'what is refused is not loaded, nor removed'
	done
}

run_lab it_says_what_it_was_loaded_with it_says_so_when_it_is_removed \
	a_value_that_makes_no_sense_is_refused
