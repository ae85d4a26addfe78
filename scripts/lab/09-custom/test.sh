#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 9 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

hint_of() {
	case $1 in
	each_item_runs_once) cat <<'END' ;;
`custom N` queues N items, each of which logs "custom: K of N" once. A closure with `move`
takes K and N along.
END
	they_run_on_the_modules_own_queue) cat <<'END' ;;
Each item is one of the OwnedQueue named "lab", and its worker logs the line.
END
	an_item_carries_its_number) cat <<'END' ;;
`data VALUE` queues an item that has the value in it, and logs "data: VALUE" from its run.
END
	a_write_does_not_wait_for_items) cat <<'END' ;;
The write returns when the items are queued.
END
	a_count_that_makes_no_sense_is_refused) cat <<'END' ;;
1 to 64 items; max_active is refused by build() where it is 0.
END
	what_is_queued_runs_before_the_module_goes) cat <<'END' ;;
An OwnedQueue runs what is pending when it is dropped. It belongs into what the state owns.
END
	esac
}

each_item_runs_once() {
	number 3 9
	send "custom $number"
	logs "$number" "lab: custom: [0-9]+ of $number\$"
	same "$(module_log | sed -n 's/.*custom: \([0-9]*\) of.*/\1/p' | sort -n | xargs)" \
		"$(seq "$number" | xargs)"
}

they_run_on_the_modules_own_queue() {
	number 3 9
	trace_on
	send "custom $number"
	logs "$number" "lab: custom: [0-9]+ of $number\$"
	by_workers 'lab: custom'
	on_queue lab
	same "$(count_of ' queue ')" "$number"
	same "$(runs_that_print 'lab: custom')" "$number"
}

an_item_carries_its_number() {
	for _ in 1 2 3; do
		number 1 4000000000
		trace_on
		send "data $number"
		logs 1 "lab: data: $number\$"
		by_workers "lab: data: $number"
		on_queue lab
	done
}

a_write_does_not_wait_for_items() {
	number 2 9
	returns_while_workers_are_held 'send "custom $number" && send "data $number"'
	! module_log | grep -E 'custom|data' || fail 'it was printed before a worker could run'
	release_workers
	logs $((number + 1)) "lab: (custom: [0-9]+ of|data:) $number\$"
}

a_count_that_makes_no_sense_is_refused() {
	for command in 'custom 0' 'custom 65' custom data 'data -1'; do
		refused 'Invalid argument' "send '$command'"
	done
	! module_log | grep custom: || fail 'it was done all the same'
	rmmod lab
	loading_is_refused max_active=0
}

what_is_queued_runs_before_the_module_goes() {
	number 10 20
	send "custom $number"
	rmmod lab
	same "$(module_log | grep -c "custom: [0-9]* of $number\$")" "$number"
}

run_lab each_item_runs_once they_run_on_the_modules_own_queue \
	as_many_run_at_once_as_max_active_says an_item_carries_its_number \
	a_write_does_not_wait_for_items a_count_that_makes_no_sense_is_refused \
	what_is_queued_runs_before_the_module_goes delayed_runs_when_its_time_has_come
