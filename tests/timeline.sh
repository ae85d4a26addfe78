#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# timeline.sh [KERNEL]: tests what `wqtest timeline` and scripts/qemu-run.sh --timeline record and
# draw. Prints KTAP. Leaves the pictures in build/timeline/.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"
# shellcheck source=tests/schema.sh
. "$top/tests/schema.sh"
kernel=${1:-debian}

points=(
	the_tour_is_drawn
	the_status_is_that_of_the_command
	a_queue_of_the_kernels_own_is_drawn
	names_outlive_their_module
	it_waits_for_what_the_command_has_queued
	ctrl_c_ends_the_command_and_not_the_recording
	what_makes_no_sense_is_refused
)

timeline() { # FILE.svg ARG...
	"$top/scripts/qemu-run.sh" --kernel "$kernel" --timeout 120 --timeline "$@" </dev/null
}

# holds FILE.svg CLAIM...: see timeline.py
holds() { "$top/scripts/in-root.sh" python3 "$top/tests/timeline.py" "$(realpath "$1")" "${@:2}"; }

the_tour_is_drawn() {
	local typed=what_was_typed_is_marked
	# User-mode Linux has no probes.
	[[ $kernel != uml* ]] || typed=it_says_why_nothing_typed_is_marked
	timeline tour.svg --add "$top/scripts/guest/tour.sh:/tour.sh" -- 'sh /tour.sh'
	holds tour.svg four_run_and_the_fifth_waits two_seconds_of_a_timer_are_seen \
		each_period_has_its_timer what_is_cancelled_is_seen workers_carry_the_messages \
		$typed each_bar_has_its_numbers perfetto_has_each_run
	conforms timeline <tour.json
}

the_status_is_that_of_the_command() {
	local status=0
	timeline failed.svg -- 'echo immediate >/proc/workqueue_demo; exit 7' || status=$?
	((status == 7)) || fail "status $status"
	holds failed.svg each_bar_has_its_numbers perfetto_has_each_run
}

# A work item frees what loading a module leaves behind.
a_queue_of_the_kernels_own_is_drawn() {
	timeline foreign.svg --queue events --no-load -- 'modprobe wq_echo; sleep 1'
	holds foreign.svg a_foreign_queue_is_shown each_bar_has_its_numbers perfetto_has_each_run
}

names_outlive_their_module() {
	timeline gone.svg --no-load -- \
		'modprobe wq_echo; echo 1 >/dev/wq_echo; modprobe -r wq_echo'
	holds gone.svg names_outlive_their_module each_bar_has_its_numbers perfetto_has_each_run
}

it_waits_for_what_the_command_has_queued() {
	timeline last.svg -- 'echo custom 5 >/proc/workqueue_demo'
	holds last.svg four_run_and_the_fifth_waits
}

# Signals the whole process group, as a terminal does. A shell replaces itself by its last command,
# and setsid would then fork, so setsid is not the last.
ctrl_c_ends_the_command_and_not_the_recording() {
	local status=0
	"$top/scripts/qemu-run.sh" --kernel "$kernel" --timeout 60 --get /run/t.svg:stopped.svg -- '
		setsid wqtest timeline --svg /run/t.svg -- sh -c "
			echo custom >/proc/workqueue_demo
			kill -INT 0
			sleep 50"
		exit $?' </dev/null || status=$?
	((status == 130)) || fail "status $status"
	grep -q 'custom::Item, 1 run' stopped.svg
}

refused() { # WORDS OPTION...
	local status=0
	"$top/scripts/qemu-run.sh" "${@:2}" -- true </dev/null >refused.log 2>&1 || status=$?
	((status == 2)) || fail "status $status: $*"
	grep -qF -- "$1" refused.log || fail "not said: $1: $(cat refused.log)"
}

what_makes_no_sense_is_refused() {
	refused 'its name ends in .svg' --timeline x.png
	refused 'only with --timeline' --queue events
	refused 'is not a place for a file' --timeline missing/x.svg
	refused 'not the path of a file' --get /tmp/
	refused 'not the path of a file' --get x
	refused 'is taken by another' --get /a:x --get /b:x
}

cache_init
run_dir_init
root_find
run_points "$top/build/timeline" "${points[@]}"
