# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is waited for is expanded each time
# shellcheck disable=SC2034 # and so some variables look unused
#
# For the tests of the lab's steps in the guest, as /etc/guest/lab.sh. A module's output proves
# little: anyone can print a known line. So each run draws random words, and kernel tracing tells
# which run of which item printed them.

# shellcheck source=scripts/guest/lib.sh
. /etc/guest/lib.sh

device=/dev/lab
tracing=/sys/kernel/tracing

# User-mode Linux is fast, and a module that does nothing makes every wait time out.
! grep -q 'User Mode Linux' /proc/cpuinfo || patience=5

# hint_of CASE: prints the hint for a failed case. A step's test defines it.
hint_of() { :; }

# run_lab CASE...: runs the step's test, each case with the module freshly loaded
run_lab() {
	first_is_needed=1
	run_cases lab "$@"
}

case_hint() { { hint_of "$1"; shared_hint_of "$1"; } | sed 's/^/# hint: /'; }

draw() {
	read -r drawn </proc/sys/kernel/random/uuid
	drawn=${drawn%%-*}
}

# word: sets $word to a random word
word() {
	draw
	word=w$drawn
}

# number LOW HIGH: sets $number to a random number
number() {
	draw
	number=$(($1 + 0x$drawn % ($2 - $1 + 1)))
}

# text LENGTH: prints LENGTH random bytes
text() {
	text=
	while [ "${#text}" -lt "$1" ]; do
		draw
		text=$text$drawn
	done
	printf "%.$1s" "$text"
}

# send TEXT: sends a line in one write
send() {
	[ -c $device ] || fail "there is no $device"
	echo "$1" >"$device"
}

# draw_words COUNT: sets $words to COUNT random words
draw_words() {
	words=''
	for _ in $(seq "$1"); do
		word
		words="$words${words:+ }$word"
	done
}

# Sends all $words, one by one.
send_each() { for each in $words; do send "$each"; done; }

# send_words COUNT: sends COUNT random words, and sets $words
send_words() {
	draw_words "$1"
	send_each
}

# printed: prints the messages in the log, in one line
printed() { module_log | sed -n 's/.*lab: "\(w[0-9a-f]*\)"$/\1/p' | xargs; }

# sorted: copies words to one line, sorted
sorted() { tr ' ' '\n' | sort | xargs; }

# all_printed: waits until all $words are printed
all_printed() {
	eventually '[ "$(printed | wc -w)" -ge "$(echo "$words" | wc -w)" ]'
}

# try LINE: for a demo. Shows LINE as if typed, runs it, and shows what the module then logs.
try() {
	log_of 'lab: '
	printf '# %s\n' "$1"
	eval "$1" 2>&1 || true
	usleep 300000
	logs 0 .
}

# load PARAMETER...: reloads the module with these
load() {
	rmmod lab
	insmod /lab.ko "$@"
}

# loading_is_refused PARAMETER: fails if the module, not loaded, accepts PARAMETER
loading_is_refused() {
	refused 'Invalid argument' "insmod /lab.ko $1"
	[ ! -e /sys/module/lab ] || fail "it is loaded all the same: $1"
}

# trace_on: starts recording for `events`
trace_on() {
	[ -d $tracing/events ] || mount -t tracefs trace $tracing
	echo 0 >$tracing/tracing_on
	echo 1024 >$tracing/buffer_size_kb
	echo mono >$tracing/trace_clock
	echo >$tracing/trace
	for what in workqueue printk lock/contention_begin; do
		echo 1 >"$tracing/events/$what/enable"
	done
	echo 1 >$tracing/tracing_on
}

# mark TEXT: adds TEXT to the events
mark() { echo "$1" >$tracing/trace_marker; }

# events: writes the recorded events to /tmp/events, one a line: its time in seconds, the task, and
#
#   queue NAME          an item of the module was queued on this queue
#   start RUN           a worker starts run number RUN of an item of the module
#   end RUN             the run ends
#   print RUN TEXT      the module logs TEXT in that run, or - outside any run
#   contention          the task finds a lock taken
#   mark TEXT           see above
#
# The module must still be loaded, or the kernel cannot name its functions.
events() {
	echo 0 >$tracing/tracing_on
	awk '
		function event(what) { print time, task, what }
		match($0, /-[0-9]+ +\[[0-9]+\] [^ ]+ +[0-9]+\.[0-9]+: /) {
			split(substr($0, RSTART + 1, RLENGTH - 3), head, /[][ ]+/)
			task = head[1]
			time = head[4]
			what = substr($0, RSTART + RLENGTH)
		}
		what ~ /^workqueue_queue_work: .*\[lab\]/ {
			sub(/.* workqueue=/, "", what)
			sub(/ .*/, "", what)
			event("queue " what)
		}
		what ~ /^workqueue_execute_start: .*\[lab\]/ {
			run[task] = ++runs
			event("start " run[task])
		}
		what ~ /^workqueue_execute_end: .*\[lab\]/ {
			event("end " run[task])
			delete run[task]
		}
		what ~ /^console: lab: / {
			event("print " (task in run ? run[task] : "-") substr(what, 9))
		}
		what ~ /^contention_begin: / { event("contention") }
		what ~ /^tracing_mark_write: / { event("mark" substr(what, 20)) }
		{ what = "" }' $tracing/trace >/tmp/events
}

# count_of PATTERN: prints how many events match
count_of() { grep -cE "$1" /tmp/events || true; }

# runs_that_print PATTERN: prints how many runs log a match
runs_that_print() {
	awk -v text="$1" '$3 == "print" && $0 ~ text { print $4 }' /tmp/events | sort -u | wc -l
}

# most_at_once: prints how many items of the module ran at once, at most
most_at_once() {
	awk '
		$3 == "start" && ++now > most { most = now }
		$3 == "end" { now-- }
		END { print most + 0 }' /tmp/events
}

# by_workers PATTERN: fails unless only runs of the module's items have logged matches
by_workers() {
	events
	[ "$(count_of " print .*$1")" -gt 0 ] || fail "not in the trace: $1"
	! grep -E " print - .*$1" /tmp/events ||
		fail "this was not printed by a worker that runs an item of the module's"
}

# on_queue NAME: fails unless the module has queued its items on this queue only
on_queue() {
	[ "$(count_of ' queue ')" -gt 0 ] || fail 'the module has put no item on a queue'
	! grep ' queue ' /tmp/events | grep -vE " queue $1\$" ||
		fail "an item of the module's came to another queue than $1"
}

# returns_while_workers_are_held COMMAND: fails if COMMAND waits for a worker
returns_while_workers_are_held() {
	rm -f /tmp/returned
	hold_workers
	(
		eval "$1"
		echo >/tmp/returned
	) &
	eventually '[ -e /tmp/returned ]'
}

# within_three TRY: succeeds if TRY does, once in three times. A machine that stalls can spoil one
# try. A wrong answer spoils all.
within_three() {
	for _ in 1 2 3; do
		if "$1"; then
			return
		fi
	done
	return 1
}

# Cases with several steps.

shared_hint_of() {
	case $1 in
	a_message_is_printed) cat <<'END' ;;
print() has to log the text as lab: "text", once for each write, without the line end behind
it. A write that returns less than it was given is called again with the rest.
END
	no_text_forges_a_line_of_the_log) cat <<'END' ;;
Users write quotes, line ends and escape sequences. Print a BStr with {:?}, which escapes them.
END
	a_message_that_is_too_long_is_refused) cat <<'END' ;;
max_len bytes are taken, one more is EINVAL, and nothing of it is printed. The line end counts,
too.
END
	a_worker_prints_it) cat <<'END' ;;
print() belongs into the `run` of the work item, and nowhere else. The kernel's tracing says
who logs a line: it has to be a worker that runs an item of this module.
END
	the_queue_is_the_modules_own) cat <<'END' ;;
Queue it on the OwnedQueue named "lab": on one of the system's nobody could wait for what is
yours.
END
	a_write_does_not_wait_for_the_printing) cat <<'END' ;;
write() returns when the message is queued. Here no worker could run, and it did not return.
What waits for one? A flush, a second print(), a lock that the handler holds?
END
	messages_are_printed_in_the_order_of_the_writes) cat <<'END' ;;
An unbound queue runs items side by side; OwnedQueue::ordered() runs one at a time, in order.
On a list, push_back() and pop_front() keep it.
END
	one_run_prints_all_that_is_pending) cat <<'END' ;;
There is one work item: the Backlog. While it is pending, queueing it again does nothing, and
its run prints all that is on the list. Here there were as many runs as messages, or nearly.
END
	nothing_is_lost_between_several_writers) cat <<'END' ;;
Push first, queue behind that. The other way round the run may look before the message is
there, and nobody looks again.
END
	the_lock_is_not_held_while_printing) cat <<'END' ;;
Who wrote while messages were being printed found the lock taken. Take all that is pending to a
list of your own, under the lock, and print that without it. A guard that is made in the head
of a `while let`, a `for` or an `if let` is held to the end of the body.
END
	what_is_accepted_is_printed_before_the_module_goes) cat <<'END' ;;
rmmod waits until all has been printed. Drop the device first, then the queue, which runs what
is pending. To cancel an item, or to empty the list, would lose messages.
END
	the_last_line_says_how_many_were_printed) cat <<'END' ;;
"removed, N printed" is the last line. `drop` of the module's state runs BEFORE its fields are
dropped: so say it in the `drop` of the last field, when the queue is gone.
END
	delayed_runs_when_its_time_has_come) cat <<'END' ;;
A timer puts the item on its queue, when its time has come: neither the writer sleeps
meanwhile, nor a worker. enqueue_delayed() takes a Delta, of which MS are
Delta::from_millis(ms.into()).
END
	what_is_armed_keeps_its_time) cat <<'END' ;;
enqueue_delayed() returns false where the item is armed already: that is EBUSY.
END
	as_many_run_at_once_as_max_active_says) cat <<'END' ;;
max_active(...) of the queue is the module's parameter. An ordered queue runs one at a time, an
unbound one without max_active() far more. Each item is to sleep for 50 ms, so that there is
something to see.
END
	esac
}

# Sends messages while twenty others are being printed, which takes a while. A few of ten writers
# may meet the handler while it takes the pending messages. None waits for the printing.
writers_find_no_lock_taken() {
	trace_on
	hold_workers
	send_words 20
	last=$word
	release_workers
	eventually '[ -n "$(printed)" ]'
	mark begin
	send_words 10
	mark end
	eventually 'printed | grep -q "$word"'
	dmesg -c >/dev/null
	events
	awk -v last="$last" '
		/ mark begin$/ { task = $2; writing = 1 }
		/ mark end$/ { writing = 0; overtook = !printed }
		writing && $2 == task && $3 == "contention" { contended++ }
		$3 == "print" && index($0, last) { printed = 1 }
		END { exit !(overtook && contended < 4) }' /tmp/events
}

# The timer queues the item, after the write has returned. The item starts when it is due or later.
a_timer_queues_it() {
	number 300 600
	before=$(module_log | grep -c 'delayed: run' || true)
	trace_on
	mark begin
	send "delayed $number"
	mark returned
	eventually '[ "$(module_log | grep -c "delayed: run")" -gt "$before" ]'
	by_workers 'lab: delayed'
	on_queue events
	why=$(awk -v ms="$number" '
		/ mark begin$/ { begin = $1 }
		/ mark returned$/ { returned = 1 }
		$3 == "queue" && !returned { print "it was queued before the write returned"; exit }
		$3 == "start" && ($1 - begin) * 1000 < ms {
			printf "it started after %d ms, not after %d\n", ($1 - begin) * 1000, ms
			exit
		}' /tmp/events)
	[ -z "$why" ]
}

a_message_is_printed() {
	for _ in 1 2 3; do
		word
		send "$word"
		logs 1 "lab: \"$word\"\$"
	done
	same "$(module_log | grep -c 'lab: "')" 3
}

no_text_forges_a_line_of_the_log() {
	word
	# One write: printf starts a new one after each line end.
	printf 'a"b\n\033[31m%s' "$word" >/tmp/text
	cat /tmp/text >"$device"
	logs 1 "lab: \"a\\\\\"b\\\\n\\\\x1b\\[31m$word\"\$"
}

a_message_that_is_too_long_is_refused() {
	number 20 100
	load "max_len=$number"
	text "$number" >/tmp/text
	cat /tmp/text >"$device"
	logs 1 "lab: \"$(cat /tmp/text)\"\$"
	text $((number + 1)) >/tmp/text
	refused 'Invalid argument' 'dd if=/tmp/text bs=200 of=/dev/lab'
	word
	send "$word"
	logs 1 "lab: \"$word\"\$"
	! module_log | grep -q "$(head -c 20 /tmp/text)" || fail 'a part of it has been printed'
}

a_worker_prints_it() {
	trace_on
	send_words 3
	all_printed
	by_workers 'lab: "w'
}

the_queue_is_the_modules_own() {
	trace_on
	send_words 3
	all_printed
	events
	on_queue lab
}

a_write_does_not_wait_for_the_printing() {
	word
	returns_while_workers_are_held 'send "$word"'
	same "$(printed)" ''
	release_workers
	logs 1 "lab: \"$word\"\$"
}

# The workers are held: otherwise each message may be printed before the next one comes. The writer
# gets a second. A wrong answer may let it wait for them.
messages_are_printed_in_the_order_of_the_writes() {
	trace_on
	hold_workers
	draw_words 12
	rm -f /tmp/returned
	{
		send_each
		echo >/tmp/returned
	} &
	writer=$!
	for _ in $(seq 100); do
		[ ! -e /tmp/returned ] || break
		usleep 10000
	done
	release_workers
	wait "$writer"
	all_printed
	same "$(printed)" "$words"
	events
	same "$(most_at_once)" 1
}

one_run_prints_all_that_is_pending() {
	trace_on
	hold_workers
	number 6 12
	send_words "$number"
	release_workers
	all_printed
	events
	same "$(printed)" "$words"
	[ "$(runs_that_print 'lab: "w')" -le 2 ] ||
		fail "$(runs_that_print 'lab: "w') runs for $number messages that waited together"
	[ "$(count_of ' queue ')" -le 2 ] || fail "queued $(count_of ' queue ') times"
}

nothing_is_lost_between_several_writers() {
	send_words 0
	for writer in 1 2 3 4; do
		for _ in 1 2 3 4 5 6 7 8; do
			word
			words="$words $word"
			echo "$word"
		done >"/tmp/writer$writer"
	done
	for writer in 1 2 3 4; do
		while read -r line; do send "$line"; done <"/tmp/writer$writer" &
	done
	wait
	all_printed
	same "$(printed | sorted)" "$(echo "$words" | sorted)"
	for writer in 1 2 3 4; do
		same "$(printed | tr ' ' '\n' | grep -Fxf "/tmp/writer$writer" | xargs)" \
			"$(xargs <"/tmp/writer$writer")"
	done
}

the_lock_is_not_held_while_printing() {
	# Retries in case the machine stalled. A held lock fails all tries.
	within_three writers_find_no_lock_taken ||
		fail 'writers waited for the lock while messages were being printed'
}

what_is_accepted_is_printed_before_the_module_goes() {
	hold_workers
	number 3 9
	send_words "$number"
	rmmod lab &
	removal=$!
	eventually '[ ! -e $device ]'
	same "$(printed)" ''
	release_workers
	wait "$removal"
	same "$(printed)" "$words"
}

the_last_line_says_how_many_were_printed() {
	hold_workers
	number 3 9
	send_words "$number"
	rmmod lab &
	removal=$!
	eventually '[ ! -e $device ]'
	release_workers
	wait "$removal"
	same "$(module_log | tail -n 1 | sed 's/.*lab: //')" "removed, $number printed"
	same "$(module_log | grep -c removed)" 1
	insmod /lab.ko
	rmmod lab
	same "$(module_log | tail -n 1 | sed 's/.*lab: //')" 'removed, 0 printed'
}

delayed_runs_when_its_time_has_come() {
	# Retries in case the machine stalled.
	within_three a_timer_queues_it || fail "$why"
}

what_is_armed_keeps_its_time() {
	number 30000 60000
	send "delayed $number"
	refused 'Device or resource busy' 'send "delayed 1"'
	send cancel
	send 'delayed 1'
	logs 1 'delayed: run 1$'
}

as_many_run_at_once_as_max_active_says() {
	for active in 3 1 4; do
		load "max_active=$active"
		trace_on
		send 'custom 12'
		logs 12 'lab: custom: [0-9]+ of 12$'
		events
		same "$(most_at_once)" "$active"
	done
}
