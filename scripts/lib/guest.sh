# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Boots $image in QEMU and says how it went.
#
# The guest has four serial ports, one for each thing that must not be mixed:
# ttyS0 the kernel's log, ttyS1 COMMAND's stdout (the terminal with --shell),
# ttyS2 its stderr, ttyS3 the verdict. No verdict is a failure.
#
# The variables are those that the options of qemu-run.sh set.

# /dev/kvm opens on some machines whose processor cannot run guests.
kvm_works() {
	grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo && { : <>/dev/kvm; } 2>/dev/null
}

# Sets $qemu, the emulator's command line.
guest_qemu() {
	local accel=(-accel "tcg,thread=multi" -cpu max)
	local outputs=(-add-fd "fd=3,set=1" -chardev "file,id=out,path=/dev/fdset/1,append=on"
		-add-fd "fd=4,set=2" -chardev "file,id=err,path=/dev/fdset/2,append=on")
	! kvm_works || accel=(-accel kvm -cpu host)
	if ((icount)); then
		# Without the fast string instructions: real ones move many bytes at a
		# time, while each byte would count as an instruction here.
		accel=(-accel tcg -cpu "max,-erms,-fsrm,-fsrs,-fzrm" -icount "shift=0,sleep=off")
		cpus=1
	fi
	[[ $guest_mode != shell ]] ||
		outputs=(-chardev "stdio,id=out,mux=on,signal=off" -mon "chardev=out"
			-chardev "null,id=err")
	qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
		"${accel[@]}" -smp "$cpus" -m "$memory"
		-kernel "$image" -initrd "$run_dir/initramfs" -append "$(guest_boot_args)"
		-chardev "file,id=log,path=$run_dir/kernel.log" "${outputs[@]}"
		-chardev "file,id=verdict,path=$run_dir/verdict"
		-serial "chardev:log" -serial "chardev:out"
		-serial "chardev:err" -serial "chardev:verdict")
	((!gdb)) || qemu+=(-gdb tcp:127.0.0.1:1234 -S)
	# A time-out for what should end by itself.
	((timeout == 0)) || qemu=(timeout --foreground --kill-after=5 "$timeout" "${qemu[@]}")
}

# What goes wrong in the kernel shall end the run, at once. What only looks wrong,
# for a busy machine emulates the guest's timers unevenly, shall not.
guest_boot_args() {
	local args=(console=ttyS0 loglevel=8 panic=-1 panic_on_warn=1 oops=panic softlockup_panic=1
		hung_task_panic=1 workqueue.watchdog_thresh=10 workqueue.panic_on_stall=1
		kfence.sample_interval=50 no_timer_check tsc=reliable)
	local own=$configs/$kernel.cmdline
	[[ ! -e $own ]] || args+=("$(sed 's/#.*//' "$own" | xargs)")
	((!gdb)) || args+=(nokaslr)
	printf '%s' "${args[*]} $append"
}

# guest_run: boots; sets $status
guest_run() {
	local qemu qemu_status=0
	guest_qemu
	: >"$run_dir/kernel.log"
	: >"$run_dir/verdict"
	if [[ $guest_mode == shell ]]; then
		in_root "${qemu[@]}" 2>"$run_dir/qemu.log" || qemu_status=$?
	else
		# stdout and stderr each through a pipe of their own, for they may
		# be of a kind that QEMU cannot open. All of it in a process group
		# that ends with the script: a shell that waits for a command in the
		# foreground would not hear that it is to end.
		exec {stdout}>&1
		set -m
		{
			{
				in_root "${qemu[@]}" 3>&1 4>&5 \
					</dev/null >"$run_dir/qemu.log" 2>&1 | cat >&"$stdout"
			} 5>&1 | cat >&2
		} &
		set +m
		job_pid[guest]=-$!
		wait $! || qemu_status=$?
		unset "job_pid[guest]"
		exec {stdout}>&-
	fi
	guest_verdict "$qemu_status"
	mv "$run_dir/kernel.log" "$top/build/kernel.log"
}

# guest_verdict QEMU_STATUS: sets $status from what the guest and its log say
guest_verdict() {
	local said reports
	said=$(tr -dc '0-9a-z_ ' <"$run_dir/verdict")
	reports=$(kernel_reports <"$run_dir/kernel.log")
	if (($1 == 124 || $1 == 137)); then
		trouble "no end after $timeout s: QEMU was stopped (--timeout)"
		status=124
		return
	fi
	status=1
	if [[ -n $reports ]]; then
		trouble "the kernel reported:" "$reports"
	elif (($1)); then
		trouble "QEMU failed (status $1):" "$(tail -n 5 "$run_dir/qemu.log")"
	elif [[ $said == "load "* ]]; then
		trouble "a module did not load: ${said#load }"
	elif [[ ! $said =~ ^status\ [0-9]+$ ]]; then
		trouble "the guest ended without a word on how COMMAND did"
	else
		status=${said#status }
	fi
}

# trouble REASON [DETAILS]: says what went wrong, with the end of the kernel's log
trouble() {
	{
		printf '%s: %s\n' "${0##*/}" "$1"
		[[ -z ${2:-} ]] || printf '%s\n' "$2" | sed 's/^/    /'
		printf 'The end of the kernel log (all of it: build/kernel.log):\n'
		tail -n 40 "$run_dir/kernel.log" | tr -d '\r' | sed 's/^/    /'
	} >&2
}
