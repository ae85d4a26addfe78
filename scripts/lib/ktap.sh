# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# How results are printed, as KTAP version 1, and how they are kept: the KTAP of each run, and
# JUnit XML of all. docs/machines.md says what is where.

ktap_begin() { printf 'KTAP version 1\n1..%d\n' "$1"; } # COUNT

# ktap_result NUMBER NAME STATUS [MICROSECONDS]: prints what became of a test, and how long it
# took; of one that failed what is on stdin, which is what it has said
ktap_result() {
	local took=''
	[[ -z ${4:-} ]] || took=" # $(ktap_seconds "$4") s"
	if (($3 == 0)); then
		echo "ok $1 - $2$took"
	else
		awk '{ print "# " $0 }'
		echo "not ok $1 - $2$took"
	fi
}

ktap_seconds() { printf '%d.%03d' $(($1 / 1000000)) $(($1 / 1000 % 1000)); } # MICROSECONDS

# results_begin DIR: has the runs that follow recorded in DIR, which it empties. One who is
# called by a script that records leaves it all to that one.
results_begin() {
	results=${WQ_RESULTS:-}
	results_whose=callers
	[[ -z $results ]] || return 0
	results=$1
	results_whose=ours
	rm -rf "$results"
	mkdir -p "$results"
	export WQ_RESULTS=$results
}

# recorded NAME CMD...: runs CMD, which prints KTAP, and returns its status. Both are left
# in $results.
recorded() {
	local name=$1 status=0
	shift
	"$@" | tee "$results/$name.ktap" || status=$?
	results_status "$name" "$status"
	return "$status"
}

results_status() { echo "$2" >"$results/$1.status"; } # NAME STATUS

# recorded_cargo NAME CMD...: the same of `cargo test`, which prints none
recorded_cargo() {
	local name=$1 status=0
	shift
	"$@" | tee "$results/$name.log" || status=$?
	ktap_of_cargo <"$results/$name.log" >"$results/$name.ktap"
	results_status "$name" "$status"
	return "$status"
}

# ktap_of_cargo: copies what `cargo test` prints, as KTAP. What a test that failed has said
# comes behind all results.
ktap_of_cargo() {
	tr -d '\r' | awk '
		match($0, / \.\.\. (ok|FAILED|ignored.*)$/) && /^test / {
			names[++count] = substr($0, 6, RSTART - 6)
			verdict[count] = substr($0, RSTART + 5)
			next
		}
		/^---- .* stdout ----$/ {
			current = $0
			sub(/^---- /, "", current)
			sub(/ stdout ----$/, "", current)
			next
		}
		/^failures:$/ { current = "" }
		current != "" { said[current] = said[current] "# " $0 "\n" }
		END {
			printf "KTAP version 1\n1..%d\n", count
			for (i = 1; i <= count; i++) {
				name = names[i]
				skip = ""
				if (verdict[i] ~ /^ignored/) skip = " # SKIP " verdict[i]
				if (verdict[i] == "FAILED") printf "%snot ", said[name]
				print "ok " i " " name skip
			}
		}'
}

# results_end: makes $results/junit.xml of all that was recorded
results_end() {
	[[ $results_whose == ours ]] || return 0
	[[ -v linux ]] || linux_find '' ''
	in_root env PYTHONPATH="$linux/src/tools/testing/kunit" \
		python3 -B "$top/scripts/junit.py" "$results/junit.xml" "$results"/*.ktap
	say "the results as JUnit XML: ${results#"$top/"}/junit.xml"
}
