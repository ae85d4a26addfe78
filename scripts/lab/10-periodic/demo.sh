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
try 'echo "start 100" > /dev/lab; sleep 0.5; echo stop > /dev/lab'
try 'echo immediate > /dev/lab'
try 'rmmod lab'
