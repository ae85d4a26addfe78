#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 10 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2034 # and so some variables look unused
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

hint_of() {
	case $1 in
	it_ticks) cat <<'END' ;;
`start MS` starts to tick: "tick: run 1" after MS milliseconds, then "tick: run 2", and so on.
END
	each_tick_is_a_run_of_its_own) cat <<'END' ;;
Each tick is a run of the item, on a system queue. A handler that loops and sleeps keeps a
worker for ever, and flushing its queue would wait for it.
END
	ticks_come_a_period_apart) cat <<'END' ;;
The period is that of the command, in milliseconds, and the first tick comes after the first
one.
END
	when_stop_returns_none_runs_any_more) cat <<'END' ;;
The item ran once more behind the write of stop. A flag that the tick looks at is too late;
stop() takes the item back, waits for a tick that runs, and refuses to arm it again.
END
	another_period_begins_anew) cat <<'END' ;;
start() at another period starts anew, at once; stop() twice does no harm.
END
	it_goes_while_it_ticks) cat <<'END' ;;
The handle stops the ticks when it is dropped. Keep it in what the state owns.
END
	esac
}

# No tick comes before it is due. Late ticks do not delay the fifth.
five_ticks_take_five_periods() {
	number 80 160
	before=$(module_log | grep -c tick: || true)
	trace_on
	mark begin
	send "start $number"
	eventually '[ "$(module_log | grep -c tick:)" -ge $((before + 5)) ]'
	send stop
	events
	why=$(awk -v ms="$number" '
		/ mark begin$/ { begin = $1 }
		$3 != "start" { next }
		{ passed = ($1 - begin) * 1000 }
		++ticks == 1 && passed < ms {
			printf "the first came after %d ms, not after %d\n", passed, ms
			exit
		}
		ticks == 5 && (passed < ms * 5 || passed > ms * 5.75) {
			printf "the fifth came after %d ms, not after %d\n", passed, ms * 5
			exit
		}' /tmp/events)
	[ -z "$why" ]
}

it_ticks() {
	send 'start 20'
	logs 3 'lab: tick: run [1-3]$'
	send stop
}

each_tick_is_a_run_of_its_own() {
	trace_on
	send 'start 20'
	logs 5 'lab: tick: run [1-5]$'
	send stop
	by_workers 'lab: tick'
	on_queue events
	same "$(runs_that_print 'lab: tick')" "$(count_of ' print ')"
}

ticks_come_a_period_apart() {
	within_three five_ticks_take_five_periods || fail "$why"
}

when_stop_returns_none_runs_any_more() {
	for _ in 1 2 3; do
		send 'start 10'
		logs 2 'lab: tick: run [0-9]+$'
		trace_on
		send stop
		mark stopped
		# Other ticks would have come by then.
		send 'delayed 200'
		logs 1 'lab: delayed: run [0-9]+$'
		events
		same "$(awk '/ mark stopped$/ { stopped = 1 }
			stopped && $3 == "start"' /tmp/events | wc -l)" 1
	done
}

another_period_begins_anew() {
	send 'start 60000'
	send 'start 20'
	logs 2 'lab: tick: run [12]$'
	send stop
	send stop
	send 'start 20'
	logs 1 'lab: tick: run [0-9]+$'
	refused 'Invalid argument' 'send "start 0"'
}

it_goes_while_it_ticks() {
	for _ in 1 2 3; do
		send 'start 10'
		logs 2 'lab: tick: run [0-9]+$'
		rmmod lab
		insmod /lab.ko
	done
}

run_lab it_ticks each_tick_is_a_run_of_its_own ticks_come_a_period_apart \
	when_stop_returns_none_runs_any_more another_period_begins_anew it_goes_while_it_ticks \
	as_many_run_at_once_as_max_active_says what_is_armed_keeps_its_time
