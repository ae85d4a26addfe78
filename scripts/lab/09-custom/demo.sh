#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh: what `make run` types in, with what the kernel logs of it.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is typed in is expanded when it runs

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

try 'insmod /lab.ko max_active=2'
try 'echo "custom 4" > /dev/lab'
try 'echo "data 42" > /dev/lab'
try 'rmmod lab'
