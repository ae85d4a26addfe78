#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# PEER stress_ng     stress-ng --dev: opens, maps, polls, seeks, ioctls the device
# PROVES stress_ng_finds_no_fault_in_the_device_while_it_is_written_to
# PROVES stress_ng_writes_nothing
#
# It accepts only device files, so it cannot test /proc/workqueue_demo. Its --procfs cannot be
# limited to one file.
#
# shellcheck shell=busybox
# shellcheck source=peers/guest.sh
. /peers/guest.sh

seconds=20

stress() {
	stress-ng --dev 4 --dev-file $device --timeout $seconds --metrics --seed "$SEED" \
		>said 2>&1 || echo "stress-ng ended with status $?"
	grep -q '1 of 1 devices opened and exercised' said || echo "the device was not opened"
	awk '/metrc: .* dev / { ops = $5 } END { exit !(ops > 0) }' said || echo "no operations"
	grep -E '(fail|error): ' said
}

begin_load
complaint=$(stress)
end_load
sed -E 's/^stress-ng: [a-z]+: +\[[0-9]+\] /stress-ng: /' said | notes
point stress_ng_finds_no_fault_in_the_device_while_it_is_written_to "$complaint"

wait_for 30 all_is_printed
accepted=$(counter accepted)
complaint=$(stress)
note "again, alone: accepted $((accepted)) before, $(counter accepted) after"
[ "$(counter accepted)" -eq "$accepted" ] ||
	complaint="$complaint $(($(counter accepted) - accepted)) messages were accepted"
point stress_ng_writes_nothing "$complaint"
finish
