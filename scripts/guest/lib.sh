# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
#
# For scripts that show or test modules in the guest, as /etc/guest/lib.sh.

own_log=. shown=0

# log_of PATTERN: from here on only matching lines of the log count
log_of() { own_log=$1; }

fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# type_in LINE: shows LINE as if typed, and runs it
type_in() {
	printf '# %s\n' "$1"
	eval "$1" || fail "failed: $1"
}

# No match must not end scripts that run under `set -e`.
module_log() { dmesg | grep -E "$own_log" || true; }

# Enough seconds for anything that must happen, even on an emulated machine.
patience=10

# now: sets $now to the seconds since boot. Starts no process.
now() {
	read -r now _ </proc/uptime
	now=${now%.*}
}

# eventually COMMAND: waits until COMMAND succeeds. Fails if it does not within $patience seconds.
eventually() {
	now
	deadline=$((now + patience))
	until eval "$1"; do
		now
		[ "$now" -lt "$deadline" ] || fail "never: $1"
		usleep 10000
	done >/dev/null
}

# has_come COUNT PATTERN: succeeds if the log has at least COUNT matching lines since the last call
# of logs
has_come() {
	module_log >/tmp/log
	[ "$(tail -n +$((shown + 1)) /tmp/log | grep -cE "$2")" -ge "$1" ]
}

# logs COUNT PATTERN: waits until the log has at least COUNT matching lines since the last call, and
# shows the new lines
logs() {
	now
	deadline=$((now + patience))
	until has_come "$1" "$2"; do
		now
		[ "$now" -lt "$deadline" ] || {
			tail -n +$((shown + 1)) /tmp/log
			fail "not in the log: $1 x $2"
		}
		usleep 10000
	done
	tail -n +$((shown + 1)) /tmp/log | sed 's/^/    /'
	shown=$(wc -l </tmp/log)
}

# same IS WANTED: fails if they differ
same() { [ "$1" = "$2" ] || fail "\"$1\", not \"$2\""; }

# refused ERROR COMMAND: fails unless COMMAND fails with ERROR
refused() {
	! eval "$2" 2>/tmp/error || fail "not refused: $2"
	cat /tmp/error
	grep -qF "$1" /tmp/error || fail "not refused with \"$1\": $2"
}

# hold_workers: stops the workers of unbound queues until release_workers. They may use only CPU 1,
# which a real-time process keeps busy. Skips the case if there is no CPU 1.
hold_workers() {
	[ -e /sys/devices/system/cpu/cpu1 ] || skip "it takes two CPUs"
	cat /sys/devices/virtual/workqueue/cpumask >/tmp/cpumask
	echo 2 >/sys/devices/virtual/workqueue/cpumask
	# Otherwise other tasks get a share of each second.
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	for server in /sys/kernel/debug/sched/fair_server/cpu*/runtime; do
		[ ! -e "$server" ] || echo 0 >"$server"
	done
	# shellcheck disable=SC2016 # for the inner shell, whose parent this one is
	taskset -p 1 "$(exec sh -c 'echo $PPID')" >/dev/null
	# An earlier one may have left its output.
	: >/tmp/spinning
	wqtest child-spin 1 '' >>/tmp/spinning &
	echo $! >/tmp/spinner
	eventually 'grep -q spinning /tmp/spinning'
}

release_workers() {
	[ -e /tmp/spinner ] || return 0
	kill "$(cat /tmp/spinner)"
	rm /tmp/spinner
	cat /tmp/cpumask >/sys/devices/virtual/workqueue/cpumask
}

# skip WHY: ends a case that cannot be tried here
skip() {
	echo "$*"
	exit 4
}

# case_hint CASE: prints more about a failed case. Callers may define it.
case_hint() { :; }

# If set, a failure of the first case skips the others.
first_is_needed=''

# run_cases MODULE CASE...: runs each CASE with the module loaded and an empty log, in its own
# shell, which the first error ends. Then removes the module. Prints KTAP. Fails if a case failed.
run_cases() {
	log_of "$1: "
	module=$1
	number=0
	failures=0
	skipped=0
	first_passed=''
	shift
	printf 'KTAP version 1\n1..%d\n' $#
	for name; do
		number=$((number + 1))
		if [ "$number" -gt 1 ] && [ -n "$first_is_needed" ] && [ -z "$first_passed" ]; then
			skipped=$((skipped + 1))
			echo "ok $number $name # SKIP the first one has to pass"
			continue
		fi
		dmesg -c >/dev/null
		(
			set -e
			insmod "/$module.ko"
			"$name"
			[ ! -e "/sys/module/$module" ] || rmmod "$module"
		) >/tmp/said 2>&1 </dev/null &
		status=0
		wait $! || status=$?
		case_report
	done
	printf '# %d passed, %d failed, %d skipped\n' $((number - failures - skipped)) "$failures" \
		"$skipped"
	[ "$failures" -eq 0 ]
}

# Reports a case, and removes what a case that ended early has left.
case_report() {
	case $status in
	0)
		[ "$number" -gt 1 ] || first_passed=1
		echo "ok $number $name"
		return
		;;
	4)
		skipped=$((skipped + 1))
		echo "ok $number $name # SKIP $(tail -n 1 /tmp/said)"
		;;
	*)
		failures=$((failures + 1))
		sed 's/^/# /' /tmp/said
		case_hint "$name"
		echo "not ok $number $name"
		;;
	esac
	release_workers
	[ ! -e "/sys/module/$module" ] || rmmod "$module"
}
