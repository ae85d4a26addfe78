# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
#
# For scripts that show or test modules in the guest, where this is /etc/guest/lib.sh.

own_log=. shown=0

# log_of PATTERN: from here on only such lines of the log count
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

# None is no error, where errors end the script.
module_log() { dmesg | grep -E "$own_log" || true; }

# For what has to happen so many seconds are enough, on an emulated machine too.
patience=10

# now: the seconds since the boot, in $now. No process is begun for that.
now() {
	read -r now _ </proc/uptime
	now=${now%.*}
}

# eventually COMMAND: waits until it succeeds, fails where it does not
eventually() {
	now
	deadline=$((now + patience))
	until eval "$1"; do
		now
		[ "$now" -lt "$deadline" ] || fail "never: $1"
		usleep 10000
	done >/dev/null
}

# has_come COUNT PATTERN: whether at least COUNT lines that match have come into the log since
# the last call of logs
has_come() {
	module_log >/tmp/log
	[ "$(tail -n +$((shown + 1)) /tmp/log | grep -cE "$2")" -ge "$1" ]
}

# logs COUNT PATTERN: waits until at least COUNT lines that match have come into
# the log since the last call, and shows what has come
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

# same IS WANTED
same() { [ "$1" = "$2" ] || fail "\"$1\", not \"$2\""; }

# refused ERROR COMMAND: it fails, and says why
refused() {
	! eval "$2" 2>/tmp/error || fail "not refused: $2"
	cat /tmp/error
	grep -qF "$1" /tmp/error || fail "not refused with \"$1\": $2"
}

# hold_workers: until release_workers, no worker of an unbound queue runs: they may use CPU 1
# alone, and a process of real-time priority keeps that busy. Skips the case where there is no
# such CPU.
hold_workers() {
	[ -e /sys/devices/system/cpu/cpu1 ] || skip "it takes two CPUs"
	cat /sys/devices/virtual/workqueue/cpumask >/tmp/cpumask
	echo 2 >/sys/devices/virtual/workqueue/cpumask
	# Others would be let in for a part of each second.
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	for server in /sys/kernel/debug/sched/fair_server/cpu*/runtime; do
		[ ! -e "$server" ] || echo 0 >"$server"
	done
	# shellcheck disable=SC2016 # for the inner shell, whose parent this one is
	taskset -p 1 "$(exec sh -c 'echo $PPID')" >/dev/null
	# Not what an earlier one has said.
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

# What case_report says below a case that failed; for those who have more to say.
case_hint() { :; }

# Where this is set the others stand on the first case, and are skipped if it fails.
first_is_needed=''

# run_cases MODULE CASE...: runs each of these functions, with the module loaded and an empty log,
# in a shell of its own, where whatever fails ends it; then removes the module. Prints KTAP, fails
# if any failed.
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

# What a case that did not come to its end has left is removed.
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
