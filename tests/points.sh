# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Runs the cases of tests in shell.

# shellcheck source=scripts/lib/ktap.sh disable=SC2154 # $top is set where this is brought in
. "$top/scripts/lib/ktap.sh"

# A command that runs a case, given its name; empty for none. points_timed is 0 if it does not run
# the case now, so its duration means nothing.
point_run=() points_timed=1

# run_points DIR FUNCTION...: empties DIR and runs the functions there. Prints KTAP. Fails if one
# failed.
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

# Runs it in its own shell, which the first error ends.
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

# fail WORD...: prints what was wrong and ends the case
fail() {
	echo "$*"
	exit 1
}
