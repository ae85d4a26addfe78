#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# `make timeline` draws this: each way to queue work, once.
#
# shellcheck shell=busybox

demo=/proc/workqueue_demo

# shellcheck source=scripts/guest/lib.sh
. /etc/guest/lib.sh

# ran KIND COUNT: waits until COUNT items of KIND have run
ran() {
	eventually "[ \"\$(awk '\$1 == \"$1\" { print \$5 }' $demo)\" -ge $2 ]"
}

# A burst: one worker also takes the messages that arrive while it works.
wqtest echo 'message 1' 'message 2' 'message 3' 'message 4' 'message 5' 'message 6' 'message 7' \
	'message 8' 'message 9' 'message 10' 'message 11' 'message 12' >/dev/null
echo immediate >$demo
ran immediate 1
# max_active items run at once. The fifth waits.
echo custom 5 >$demo
ran custom 5
echo data 42 >$demo
ran data 1
# The default delay is two seconds.
echo delayed >$demo
ran delayed 1
echo start 100 >$demo
ran periodic 5
echo stop >$demo
echo delayed 60000 >$demo
usleep 100000
echo cancel >$demo
