# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The machine for User-mode Linux, which is a program. Its CPUs are its threads, and each guest
# process is a process of this machine.

# Sets $machine, the command line that runs the kernel.
machine_um() {
	local output='fd:8,fd:3' args=(seccomp=on noreboot mem="$memory" ncpus="$cpus"
		initrd="$run_dir/initramfs" uml_dir=/tmp/uml con=null ssl=null console=tty0)
	machine_name="User-mode Linux"
	# The driver never reads a line again whose buffer was once full.
	machine_piece=2K
	[[ $guest_mode != shell ]] || output='fd:0,fd:1'
	# shellcheck disable=SC2054 # the commas are part of the words
	machine=(sh -c "$(declare -f machine_um_run); machine_um_run \"\$@\"" sh "$run_dir"
		"$image" "${args[@]}" con0=null,fd:7
		"ssl1=$output" ssl2=fd:9,fd:4 ssl3=fd:5,fd:6 "$(guest_boot_args)")
}

# machine_um_run DIR KERNEL ARG...: runs in the root's shell. The kernel polls its files, so all are
# pipes. Its memory is a file in TMPDIR, which must allow execution. With several CPUs it may
# survive a panic, so it is killed then. Or it ends, but leaves a process that another CPU was
# starting. That process holds the log open, so the kernel's group is killed.
machine_um_run() {
	dir=$1
	shift
	mkfifo "$dir/log"
	cat <"$dir/log" >>"$dir/kernel.log" 3>&- 4>&- &
	log=$!
	# A shell gives what it runs in the background no input, but by another number.
	exec 9<&0
	TMPDIR=/tmp "$@" <&9 5<"$dir/control.in" 6>"$dir/control.out" 7>"$dir/log" \
		8<>"$dir/never" 9<>"$dir/never" &
	kernel=$!
	{
		tail -n +1 -F "$dir/kernel.log" | grep -q "Kernel panic - not syncing"
		sleep 3
		kill -KILL "$kernel"
	} </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait "$kernel"
	status=$?
	# Not -KILL: dash takes no -- behind it.
	kill -s KILL -- "-$kernel" 2>/dev/null || :
	wait "$log"
	return "$status"
}

# Prints how to debug it: attach gdb to the running program.
machine_um_debugger() {
	local pid
	until pid=$(pgrep -of "^$(literal "$image") seccomp=on "); do
		pause 0.1
	done
	echo "gdb '$(realpath "$image")' -p $pid" \
		"-ex 'handle SIGSEGV SIGUSR1 SIGALRM SIGIO SIG34 nostop noprint pass'"
}
