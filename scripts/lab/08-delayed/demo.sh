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
try 'echo immediate > /dev/lab'
try 'echo "delayed 100" > /dev/lab'
try 'echo "delayed 60000" > /dev/lab'
try 'echo "delayed 1" > /dev/lab'
try 'echo cancel > /dev/lab'
try 'rmmod lab'
