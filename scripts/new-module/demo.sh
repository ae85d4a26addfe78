#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh: `make run` plays this in the guest: my_module at work, as if typed, with the
# kernel's log. Exits 0 only if all of it happened.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is typed in is expanded when it runs

# shellcheck source=/dev/null # the tree's scripts/guest/lib.sh
. /etc/guest/lib.sh

log_of 'my_module: '

type_in 'insmod /my_module.ko'
logs 0 .
type_in 'echo hello > /dev/my_module'
logs 1 'my_module: "hello"'
type_in 'for i in 1 2 3; do echo "message $i" > /dev/my_module; done'
logs 3 'my_module: "message [1-3]"'
# with delayed:
echo '(half a second after the first message)'
logs 1 'my_module: summary: 4 printed'
# end
# with periodic:
echo '(each second)'
logs 1 'my_module: tick: 4 printed'
# end
# with procfs:
type_in 'cat /proc/my_module'
# end
# with poll:
type_in 'wqtest poll /dev/my_module'
# end
# with params:
type_in 'cat /sys/module/my_module/parameters/max_pending'
# end
type_in 'rmmod my_module'
