#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh: what `make run` types in, with what the kernel logs of it.
#
# shellcheck shell=busybox
# shellcheck disable=SC2016 # what is typed in is expanded when it runs

# shellcheck source=/dev/null # the tree's scripts/guest/lab.sh
. /etc/guest/lab.sh

try 'insmod /lab.ko max_len=20'
try 'echo "hello from $(uname -s)" > /dev/lab'
try 'echo one > /dev/lab; echo two > /dev/lab'
try 'printf '\''a"b\033[31m'\'' > /dev/lab'
try 'echo "more than twenty bytes" > /dev/lab'
try 'rmmod lab'
