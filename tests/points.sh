# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# How tests in shell run their cases.

# shellcheck source=scripts/lib/ktap.sh disable=SC2154 # $top is set where this is brought in
. "$top/scripts/lib/ktap.sh"

# What a case is run with, if anything: a command that takes its name. Whether it runs it then,
# so that one can say how long it took.
point_run=() points_timed=1

# run_points DIR FUNCTION...: runs them in DIR, which it empties, and prints KTAP; fails if
# any failed
run_points() {
	local dir=$1 point number=0 failed=0
	shift
	rm -rf "$dir"
	mkdir -p "$dir"
	cd "$dir"
	ktap_begin $#
	for point; do
		point_report "$point"
	done
	return "$failed"
}

# In a shell of its own, where whatever fails ends it.
point_report() { # POINT
	local pid status=0 begun=${EPOCHREALTIME//[.,]/} took=''
	(
		set -e
		"${point_run[@]}" "$1"
	) >"$1.log" 2>&1 &
	pid=$!
	wait "$pid" || status=$?
	((!points_timed)) || took=$((${EPOCHREALTIME//[.,]/} - begun))
	((status == 0)) || failed=1
	ktap_result $((++number)) "$1" "$status" "$took" <"$1.log"
}

# fail WORD...: what was wrong
fail() {
	echo "$*"
	exit 1
}
