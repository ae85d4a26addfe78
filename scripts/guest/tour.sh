#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# What `make timeline` draws: each way to queue work once, so that one sees what it is like.
#
# shellcheck shell=busybox

demo=/proc/workqueue_demo
device=/dev/wq_echo

# ran KIND COUNT: waits until so many items of KIND have run
ran() {
	until [ "$(awk -v kind="$1" '$1 == kind { print $5 }' $demo)" -ge "$2" ]; do
		usleep 5000
	done
}

# A burst, of which one worker takes what comes meanwhile.
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
	echo "message $number" >$device
done
echo immediate >$demo
ran immediate 1
# As many at once as max_active says. The fifth waits.
echo custom 5 >$demo
ran custom 5
echo data 42 >$demo
ran data 1
# Two seconds, by default.
echo delayed >$demo
ran delayed 1
echo start 100 >$demo
ran periodic 5
echo stop >$demo
echo delayed 60000 >$demo
usleep 100000
echo cancel >$demo
