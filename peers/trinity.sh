#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# PEER trinity       system calls with arguments that are almost right, at one node
# PROVES trinity_finds_no_fault_in_wq_echo
# PROVES trinity_finds_no_fault_in_workqueue_demo
#
# It runs as nobody, as it demands, so both nodes are open to all. Other kinds of file descriptors
# are disabled, so that each call is about the node.
#
# shellcheck shell=busybox
# shellcheck source=peers/guest.sh
. /peers/guest.sh

calls=3000 children=4 nobody=65534
system_calls='read readv pread64 preadv write writev pwrite64 pwritev lseek newfstat mmap
	ioctl fcntl dup ppoll epoll_ctl splice sendfile copy_file_range ftruncate fallocate'
other_descriptors=sockets,pipes,perf,epoll,eventfd,timerfd,testfile,memfd,drm
other_descriptors=$other_descriptors,inotify,userfaultfd,fanotify,bpf

# aim NODE: runs trinity on NODE
aim() {
	local options='' name
	for name in $system_calls; do
		options="$options -c $name"
	done
	# shellcheck disable=SC2086 # the options are words
	/usr/bin/setpriv --reuid $nobody --regid $nobody --clear-groups \
		trinity -q -l off --stats -a 64 -C $children -s "$SEED" -N $calls -V "$1" \
		--disable-fds=$other_descriptors $options >said 2>&1 ||
		echo "trinity ended with status $?: $(tail -n 1 said)"
	grep -q "Added 1 filenames from $1" said || echo "trinity has not taken $1"
	ran=$(sed -nE 's/.* Ran ([0-9]+) syscalls.*/\1/p' said)
	[ "${ran:-0}" -ge $calls ] || echo "trinity has run ${ran:-no} calls of $calls"
	grep -E 'BUG!|tainted flag' said
}

# Prints a line for each system call: calls, failures, errors.
summary() {
	sed -nE 's/^\[main\] (Using user passed.*|Ran .*)/\1/p' said
	awk '/\(attempted:/ { if (line) print line; line = $0; sub(/\(attempted:/, "", line) }
		/^    / { sub(/^ +/, ""); line = line ", " $0 }
		END { print line }' said |
		sed -E 's/\. (success|failures):/, \1 /g; s/\.,/:/; s/\.$//'
}

succeeded() { # SYSTEM_CALL
	sed -nE "s/^$1: .*success:([0-9]+).*/\\1/p" said
}

mkdir nobody
chown $nobody nobody
cd nobody || exit
chmod 666 $device $table
# Keep the many messages off the slow serial line.
dmesg -n 5

begin_load
complaint=$(aim $device)
end_load
summary | notes
wait_for 60 all_is_printed
note "wq_echo has accepted $(counter accepted) messages in $(counter batches) batches"
[ "$(succeeded write)" -gt 0 ] || complaint="$complaint no write has come through"
point trinity_finds_no_fault_in_wq_echo "$complaint"

begin_load
complaint=$(aim $table)
end_load
summary | notes
[ "$(succeeded read)" -gt 0 ] || complaint="$complaint no read has come through"
point trinity_finds_no_fault_in_workqueue_demo "$complaint"

cd ..
chmod 600 $device
chmod 644 $table
finish
