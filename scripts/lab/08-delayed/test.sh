#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 8 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

hint_of() {
	case $1 in
	immediate_runs) cat <<'END' ;;
`immediate` queues the one item, whose handler counts its runs: "immediate: run 1", and so on.
END
	immediate_runs_on_the_systems_queue) cat <<'END' ;;
The line has to be logged by a worker that runs the item, and the item be queued on
system_percpu(), which C calls "events".
END
	cancel_takes_it_back) cat <<'END' ;;
cancel_sync() says whether it took the item back.
END
	what_is_armed_does_not_hold_the_module) cat <<'END' ;;
The handle takes its item back when it is dropped. Keep it in what the state owns; nothing that
sleeps for the delay would go with it.
END
	what_is_no_command_is_refused) cat <<'END' ;;
EINVAL for all that the match does not name, a command without its number too.
END
	esac
}

immediate_runs() {
	number 2 6
	for run in $(seq "$number"); do
		send immediate
		logs 1 "lab: immediate: run $run\$"
	done
	same "$(module_log | grep -c immediate)" "$number"
}

immediate_runs_on_the_systems_queue() {
	trace_on
	send immediate
	logs 1 'immediate: run 1$'
	by_workers 'lab: immediate'
	on_queue events
}

cancel_takes_it_back() {
	send cancel
	logs 1 'cancel: nothing to take back$'
	for _ in 1 2; do
		number 30000 60000
		send "delayed $number"
		send cancel
		logs 1 'cancel: taken back$'
	done
	send cancel
	logs 1 'cancel: nothing to take back$'
	! module_log | grep 'delayed: run' || fail 'it has run'
}

what_is_armed_does_not_hold_the_module() {
	send 'delayed 60000'
	rmmod lab &
	eventually '[ ! -e /sys/module/lab ]'
}

what_is_no_command_is_refused() {
	word
	for command in "$word" delayed 'immediate 3' 'delayed x' ''; do
		refused 'Invalid argument' "send '$command'"
	done
}

run_lab immediate_runs immediate_runs_on_the_systems_queue \
	delayed_runs_when_its_time_has_come what_is_armed_keeps_its_time cancel_takes_it_back \
	what_is_armed_does_not_hold_the_module what_is_no_command_is_refused
