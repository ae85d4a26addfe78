#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# PEER tracepoints   the kernel's own workqueue:* events, counted beside the modules
# PROVES no_event_was_lost
# PROVES every_item_is_activated_started_and_ended_as_often_as_queued
# PROVES echo_runs_as_often_as_it_says_and_no_more_than_there_are_messages
# PROVES custom_and_data_items_are_queued_and_run_once_each
# PROVES immediate_and_delayed_items_run_as_often_as_the_table_says
# PROVES ticks_run_as_often_as_the_table_says
#
# An event names the queue, or the function and its module. The function's name tells apart the
# items on the system's queue: Rust's mangling includes the type's name.
#
# shellcheck shell=busybox
# shellcheck source=peers/guest.sh
. /peers/guest.sh

tracing=/sys/kernel/tracing
mount -t tracefs trace $tracing 2>/dev/null
if [ ! -d $tracing/events/workqueue ]; then
	sed -n 's/^# PROVES //p' "$0" | while read -r name; do
		skip "$name" "no workqueue events in this kernel"
	done
	finish
fi

# The load, fixed so that the expected counts are known.
writers=4 messages=500 customs=200 datas=100 immediates=12 delays=10 flushes=6

write_messages() { # WRITER
	local n
	for n in $(seq $messages); do
		echo "writer $1 message $n" >$device
	done
}

run_load() {
	local n
	echo 'start 10' >$table
	for n in $(seq $writers); do
		write_messages "$n" &
	done
	echo "custom $customs" >$table
	for n in $(seq $datas); do
		echo "data $n" >$table
	done
	for n in $(seq $immediates); do
		echo immediate >$table
		usleep 60000
	done
	for n in $(seq $delays); do
		echo 'delayed 20' >$table
		usleep 100000
	done
	for n in $(seq $flushes); do
		echo flush >$table
	done
	wait
	echo stop >$table
	echo flush >$table
	wait_for 60 all_is_printed
}

# events NAME TEXT: prints how many events of that name contain TEXT
events() {
	awk -v name=" workqueue_$1: " -v text="$2" '
		index($0, name) && index($0, text) { n++ }
		END { print n + 0 }' trace
}

# per_cpu FIELD: prints a count of the trace buffers, summed over all CPUs
per_cpu() {
	cat $tracing/per_cpu/cpu*/stats |
		awk -F ': ' -v name="$1" '$1 == name { n += $2 } END { print n + 0 }'
}

# same WHAT EXPECTED NUMBER: notes both, and complains if they differ
same() {
	note "$1: $2 and $3" >&3
	[ "$2" -eq "$3" ] || echo "$1: $2 and $3"
}

exec 3>&1
echo 0 >$tracing/tracing_on
echo 16384 >$tracing/buffer_size_kb
echo >$tracing/trace
echo reset >$table
batches=$(counter batches) accepted=$(counter accepted)
echo 1 >$tracing/events/workqueue/enable
echo 1 >$tracing/tracing_on
run_load >load.out 2>&1
echo 0 >$tracing/tracing_on
cat $tracing/trace >trace
batches=$(($(counter batches) - batches)) accepted=$(($(counter accepted) - accepted))
cp $table table
notes <table
note "messages accepted: $accepted, batches: $batches"

point no_event_was_lost "$(
	same 'events overwritten, dropped' 0 $(($(per_cpu overrun) + $(per_cpu 'dropped events')))
	same 'events in the buffers, in the trace' \
		"$(per_cpu entries)" "$(grep -c ' workqueue_' trace)")"

# items NAME MODULE: prints how many events of that name the module has, ticks excluded, because the
# last tick may be cancelled after it was queued
items() {
	local all ticks=0
	all=$(events "$1" "[$2]")
	[ "$2" = wq_echo ] || ticks=$(events "$1" 8periodic)
	echo $((all - ticks))
}

point every_item_is_activated_started_and_ended_as_often_as_queued "$(
	for module in wq_echo workqueue_demo; do
		queued=$(items queue_work $module)
		same "$module, queued and activated" "$queued" "$(items activate_work $module)"
		same "$module, queued and started" "$queued" "$(items execute_start $module)"
		same "$module, queued and ended" "$queued" "$(items execute_end $module)"
	done)"

point echo_runs_as_often_as_it_says_and_no_more_than_there_are_messages "$(
	same 'wq_echo, messages written and accepted' $((writers * messages)) "$accepted"
	started=$(events execute_start '[wq_echo]')
	same 'wq_echo, queued on its queue and started' \
		"$(events queue_work 'workqueue=wq_echo ')" "$started"
	same 'wq_echo, started and batches' "$started" "$batches"
	[ "$started" -gt 0 ] || echo "it has not run"
	[ "$batches" -le "$accepted" ] || echo "$batches runs for $accepted messages")"

point custom_and_data_items_are_queued_and_run_once_each "$(
	same 'custom, asked for and queued' $customs "$(row custom queued)"
	same 'data, asked for and queued' $datas "$(row data queued)"
	both=$(($(row custom executed) + $(row data executed)))
	same 'custom and data, executed and queued on workqueue_demo' $both \
		"$(events queue_work 'workqueue=workqueue_demo ')"
	same 'custom, executed and started' \
		"$(row custom executed)" "$(events execute_start 6custom)"
	same 'data, executed and started' "$(row data executed)" "$(events execute_start 4data)")"

point immediate_and_delayed_items_run_as_often_as_the_table_says "$(
	same 'immediate, asked for and queued or coalesced' $immediates \
		$(($(row immediate queued) + $(row immediate coalesced)))
	same 'immediate, in the table and queued' \
		"$(row immediate queued)" "$(events queue_work 9immediate)"
	same 'immediate, executed and started' \
		"$(row immediate executed)" "$(events execute_start 9immediate)"
	same 'delayed, asked for and queued or coalesced' $delays \
		$(($(row delayed queued) + $(row delayed coalesced)))
	same 'delayed, in the table and queued' \
		"$(row delayed queued)" "$(events queue_work 7delayed)"
	same 'delayed, executed and started' \
		"$(row delayed executed)" "$(events execute_start 7delayed)")"

point ticks_run_as_often_as_the_table_says "$(
	same 'periodic, executed and started' \
		"$(row periodic executed)" "$(events execute_start 8periodic)"
	left=$(($(events queue_work 8periodic) - $(events execute_start 8periodic)))
	note "periodic, queued and not started: $left" >&3
	[ $left -eq 0 ] || [ $left -eq 1 ] || echo "$left ticks were queued and have not started"
	[ "$(row periodic executed)" -gt 10 ] || echo "hardly a tick")"

echo 0 >$tracing/events/workqueue/enable
finish
