# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
#
# Shared by the peers' scripts in the guest. Each sources this first and ends with `finish`. $SEED
# seeds random numbers.

PATH=/usr/sbin:/usr/bin:/bin
device=/dev/wq_echo
table=/proc/workqueue_demo
counters=/sys/kernel/debug/wq_echo
fault_free=1
: "${SEED:?is set by run.sh}"
mkdir -p /tmp
cd /tmp || exit

note() { printf '# %s\n' "$*"; }

# notes: prints stdin as notes
notes() { sed 's/^/# /'; }

# point NAME [COMPLAINT]: prints a result. The first line of COMPLAINT follows the name.
point() {
	if [ -z "${2:-}" ]; then
		echo "ok $1"
	else
		echo "$2" | tail -n +2 | notes
		echo "not ok $1 # $(echo "$2" | head -n 1)"
		fault_free=0
	fi
}

skip() { echo "ok $1 # SKIP $2"; } # NAME REASON

# row KIND COLUMN: prints a number of the table
row() {
	awk -v kind="$1" -v column="$2" '
		$1 == "kind" { for (i = 1; i <= NF; i++) if ($i == column) at = i }
		$1 == kind { print $at }' "$table"
}

counter() { cat "$counters/$1"; } # NAME

# Succeeds if the table on stdin is complete and each row balances.
balances() {
	awk 'NF == 8 && $2 ~ /^[0-9]+$/ { rows++; if ($2 != $4 + $5 + $6 + $7) exit 1 }
		/^commands: / { whole = 1 }
		END { exit !(rows == 5 && whole) }'
}

# Succeeds if nothing is outstanding in the table on stdin.
is_idle() { awk 'NF == 8 && $2 ~ /^[0-9]+$/ && $6 + $7 { exit 1 }'; }

# wait_for SECONDS CMD...: waits until CMD succeeds
wait_for() {
	local tries=$(($1 * 20))
	shift
	until "$@"; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		usleep 50000
	done
}

all_is_printed() { [ "$(counter pending)" -eq 0 ]; }

# Stops and cancels periodic and delayed work, and flushes the rest. Complains if a module's
# counters do not balance.
settle() {
	printf 'stop\ncancel\nflush\n' >"$table" || echo "$table takes no commands any more"
	cat "$table" >settled
	balances <settled || echo "$table does not balance"
	is_idle <settled || echo "something is outstanding in $table after a flush"
	wait_for 30 all_is_printed || echo "messages stay pending"
	[ "$(counter accepted)" -eq "$(counter printed)" ] ||
		echo "accepted $(counter accepted) messages, printed $(counter printed)"
}

# Queues work of every kind until end_load. Starts only one process.
begin_load() {
	echo 'start 10' >"$table"
	[ -p never ] || mkfifo never
	while :; do
		printf 'immediate\ncustom 4\ndata 7\ndelayed 50\n' >"$table"
		printf 'a message\n' >"$device"
		# shellcheck disable=SC3045 # busybox has it
		read -r -t 1 _ <>never
	done &
	load=$!
}

end_load() {
	kill "$load"
	wait "$load"
	echo stop >"$table"
}

# works FILTER: runs a case of wqtest, and complains if it does not pass
works() {
	wqtest test "$1" >case 2>&1 && grep -q '^# 1 passed, 0 failed, 0 skipped' case ||
		grep -m 1 -E '^not ok|# SKIP|wqtest' case || echo "wqtest test $1 fails"
}

# leaks: prints what kmemleak finds. It reports a leak only after five seconds, and two scans must
# agree on it.
leaks() {
	local kmemleak=/sys/kernel/debug/kmemleak
	echo stack=off >$kmemleak
	sleep 6
	echo scan >$kmemleak
	echo scan >$kmemleak
	cat $kmemleak
}

remove_both() {
	rmmod workqueue_demo 2>&1
	rmmod wq_echo 2>&1
}

# Prints the results that every peer ends with.
finish() {
	point both_modules_work_on "$(settle
		works echo_prints_the_documented_line
		works demo_shows_the_documented_lines)"
	local complaint
	complaint=$(remove_both)
	if [ -n "$complaint" ] || [ -e /sys/kernel/debug/kmemleak ]; then
		[ -n "$complaint" ] || complaint=$(leaks)
		point nothing_has_leaked "$complaint"
	else
		skip nothing_has_leaked "no kmemleak in this kernel; both modules have been removed"
	fi
	exit $((!fault_free))
}
