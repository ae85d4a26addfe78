#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh: what `make run` types in, with what the kernel logs of it.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is typed in is expanded when it runs

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

try 'insmod /lab.ko'
try 'time sh -c "for i in 1 2 3 4 5 6 7 8; do echo message \$i > /dev/lab; done"'
try 'rmmod lab'
