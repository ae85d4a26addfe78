# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Prints results as KTAP version 1, and keeps them: KTAP for each run, JUnit XML for all.
# docs/machines.md describes the files.

ktap_begin() { printf 'KTAP version 1\n1..%d\n' "$1"; } # COUNT

# ktap_result NUMBER NAME STATUS [MICROSECONDS]: prints a test's result and duration. If it failed,
# prints its output from stdin first.
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

# results_begin DIR: empties DIR, and records the following runs in it. Does nothing if the calling
# script records already.
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

# recorded NAME CMD...: runs CMD, which prints KTAP, and returns its status. Keeps both in $results.
recorded() {
	local name=$1 status=0
	shift
	"$@" | tee "$results/$name.ktap" || status=$?
	results_status "$name" "$status"
	return "$status"
}

results_status() { echo "$2" >"$results/$1.status"; } # NAME STATUS

# recorded_cargo NAME CMD...: does the same for `cargo test`, which prints no KTAP
recorded_cargo() {
	local name=$1 status=0
	shift
	"$@" | tee "$results/$name.log" || status=$?
	ktap_of_cargo <"$results/$name.log" >"$results/$name.ktap"
	results_status "$name" "$status"
	return "$status"
}

# ktap_of_cargo: converts the output of `cargo test` to KTAP. cargo prints the output of failed
# tests after all results.
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

# results_end: makes $results/junit.xml from all recorded runs
results_end() {
	[[ $results_whose == ours ]] || return 0
	[[ -v linux ]] || linux_find '' ''
	in_root env PYTHONPATH="$linux/src/tools/testing/kunit" \
		python3 -B "$top/scripts/junit.py" "$results/junit.xml" "$results"/*.ktap
	say "the results as JUnit XML: ${results#"$top/"}/junit.xml"
}
