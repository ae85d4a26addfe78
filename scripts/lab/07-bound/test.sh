#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: what step 7 of the lab asks for, a case each.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2154 # word, words, number: what lab.sh draws

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

hint_of() {
	case $1 in
	one_message_too_many_is_refused) cat <<'END' ;;
max_pending messages are accepted while none is printed; one more is EAGAIN, and is not
printed. Mind the edge: == or >=, before it is counted or behind that.
END
	what_is_being_printed_is_pending_still) cat <<'END' ;;
More messages were accepted and not printed than max_pending. Those in the batch are on no
list, but they are pending: count them until they are printed. The length of the list does not
tell.
END
	there_is_room_again_when_all_is_printed) cat <<'END' ;;
Each message that has been printed makes room for one, and for one only.
END
	several_writers_together_get_no_more) cat <<'END' ;;
To look at the count and to raise it is one step, under one lock.
END
	a_bound_of_none_is_refused) cat <<'END' ;;
max_pending=0 would let no message in: EINVAL in init.
END
	esac
}

one_message_too_many_is_refused() {
	number 3 9
	load "max_pending=$number"
	hold_workers
	send_words "$number"
	refused 'Resource temporarily unavailable' 'send refused'
	refused 'Resource temporarily unavailable' 'send refused'
	release_workers
	all_printed
	same "$(printed)" "$words"
	! module_log | grep refused || fail 'what was refused has been printed'
	# There is room again.
	eventually 'send again 2>/dev/null'
	logs 1 'lab: "again"'
}

what_is_being_printed_is_pending_still() {
	number 6 12
	load "max_pending=$number"
	trace_on
	hold_workers
	send_words "$number"
	release_workers
	eventually '[ -n "$(printed)" ]'
	for _ in $(seq 60); do
		! send more 2>/dev/null || mark accepted
	done
	events
	most=$(awk -v pending="$number" '
		/ mark accepted$/ && ++pending > most { most = pending }
		$3 == "print" { pending-- }
		END { print most + 0 }' /tmp/events)
	[ "$most" -le "$number" ] || fail "$most were pending, not $number at most"
}

there_is_room_again_when_all_is_printed() {
	number 3 6
	load "max_pending=$number"
	for _ in 1 2 3; do
		hold_workers
		eventually 'send first 2>/dev/null'
		for _ in $(seq 2 "$number"); do eventually 'send next 2>/dev/null'; done
		refused 'Resource temporarily unavailable' 'send refused'
		release_workers
		logs "$number" 'lab: "(first|next)"$'
	done
}

several_writers_together_get_no_more() {
	load max_pending=10
	hold_workers
	for writer in 1 2 3 4; do
		for _ in 1 2 3 4 5 6; do
			! send "w$writer" 2>/dev/null || echo taken
		done >"/tmp/taken$writer" &
		writers="${writers:-} $!"
	done
	# shellcheck disable=SC2086 # words
	wait $writers
	release_workers
	same "$(cat /tmp/taken[1-4] | wc -l)" 10
}

a_bound_of_none_is_refused() {
	rmmod lab
	loading_is_refused max_pending=0
	insmod /lab.ko max_pending=1
	send one
	logs 1 'lab: "one"$'
}

run_lab a_message_is_printed one_message_too_many_is_refused \
	what_is_being_printed_is_pending_still there_is_room_again_when_all_is_printed \
	several_writers_together_get_no_more a_bound_of_none_is_refused a_worker_prints_it \
	what_is_accepted_is_printed_before_the_module_goes \
	the_last_line_says_how_many_were_printed
