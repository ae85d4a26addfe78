#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the commands in docs/debugging.md and compares their output. Prints KTAP.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"
page=$top/docs/debugging.md
out=$top/build/debugging

points=(
	what_is_asked_in_the_guest_is_answered
	what_is_asked_of_the_guest_is_answered
)

# perf uses deprecated parts of the kernel, and such a report fails the run.
what_is_asked_in_the_guest_is_answered() {
	local tools
	tools=$("$top/scripts/debug.sh" guest-tools)
	"$top/scripts/qemu-run.sh" --memory 2G --timeout 240 --add "$tools/.:/" \
		-- "$("$top/tests/page.py" commands "$page" debian)" \
		</dev/null >debian.out 2>debian.err || true
	"$top/tests/page.py" compare "$page" debian <debian.out
}

what_is_asked_of_the_guest_is_answered() {
	local kdir guest status=0
	kdir=$("$top/scripts/debug.sh" kdir)
	mkfifo begins
	KDIR=$kdir "$top/scripts/qemu-run.sh" --timeout 200 -- '
		echo begins
		while :; do
			echo "custom 6" >/proc/workqueue_demo
			echo hello >/dev/wq_echo
			usleep 200000
		done' </dev/null >begins 2>guest.err &
	guest=$!
	exec 3<begins
	read -r _ <&3
	(cd "$top" && timeout 120 bash <("$top/tests/page.py" commands "$page" uml)) >uml.out ||
		status=$?
	# Closing the reader ends the run.
	exec 3<&-
	kill "$guest" 2>/dev/null || true
	wait "$guest" || true
	((status == 0 || status == 1))
	"$top/tests/page.py" compare "$page" uml <uml.out
}

run_points "$out" "${points[@]}"
