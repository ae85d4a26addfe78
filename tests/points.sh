# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# How tests in shell run their cases.

# What a case is run with, if anything: a command that takes its name.
point_run=()

# run_points DIR FUNCTION...: runs them in DIR, which it empties, and prints KTAP; fails if
# any failed
run_points() {
	local dir=$1 point number=0 failed=0
	shift
	rm -rf "$dir"
	mkdir -p "$dir"
	cd "$dir"
	printf 'KTAP version 1\n1..%d\n' $#
	for point; do
		point_report "$point"
	done
	return "$failed"
}

# In a shell of its own, where whatever fails ends it.
point_report() { # POINT
	local pid
	(
		set -e
		"${point_run[@]}" "$1"
	) >"$1.log" 2>&1 &
	pid=$!
	((++number))
	if wait "$pid"; then
		echo "ok $number - $1"
		return
	fi
	awk '{ print "# " $0 }' "$1.log"
	echo "not ok $number - $1"
	failed=1
}

# fail WORD...: what was wrong
fail() {
	echo "$*"
	exit 1
}
