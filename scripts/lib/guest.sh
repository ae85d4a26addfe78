# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Boots $image, on the machine of its kind (machine-qemu.sh, machine-um.sh), and says
# how it went.
#
# The guest has four serial ports, one for each thing that must not be mixed:
# ttyS0 (of arm64, ttyAMA0) the kernel's log, ttyS1 COMMAND's stdout (the terminal with --shell),
# ttyS2 its stderr, ttyS3 what guest/init and the script tell each other, a word
# and what belongs to it a line:
#
#   guest   script
#   more    SIZE, and so many bytes of the standard input; 0 at its end
#   shell   ROWS COLUMNS, and again whenever the terminal changes
#   file N SIZE
#           a file of --get, packed: so many bytes follow
#   status N, load NAME
#           the verdict (see guest/init). No verdict is a failure.
#
# The variables are those that the options of qemu-run.sh set.

# What goes wrong in the kernel shall end the run, at once. What only looks wrong,
# because a busy machine lets the guest's timers run unevenly, shall not. And where it lets a reader
# of the log wait, the log holds what 64 processes provoke meanwhile.
guest_boot_args() {
	local args=(loglevel=8 panic=-1 panic_on_warn=1 oops=panic softlockup_panic=1
		hung_task_panic=1 workqueue.watchdog_thresh=10 workqueue.panic_on_stall=1
		kfence.sample_interval=50 log_buf_len=1M)
	local own=$configs/$kernel.cmdline
	[[ ! -e $own ]] || args+=("$(sed 's/#.*//' "$own" | xargs)")
	printf '%s' "${args[*]} $append"
}

# guest_run: boots; sets $status
guest_run() {
	local machine machine_name machine_piece=64K machine_status=0 control
	"machine_$(machine_of_kind)"
	# A time-out for what should end by itself. Not as the first process of a namespace, which
	# timeout(1) of coreutils 9.10 takes for one whose parent has gone.
	((timeout == 0)) ||
		machine=(sh -c '"$@"; exit $?' sh
			timeout --foreground --kill-after=5 "$timeout" "${machine[@]}")
	: >"$run_dir/kernel.log"
	: >"$run_dir/verdict"
	mkfifo "$run_dir/control.in" "$run_dir/control.out"
	exec {control}<>"$run_dir/control.in"
	guest_job listen guest_listen
	((!gdb)) || guest_job debugger guest_debugger
	if [[ $guest_mode == shell ]]; then
		guest_terminal || machine_status=$?
	else
		guest_job guest guest_command
		wait "${job_pid[guest]#-}" || machine_status=$?
		unset "job_pid[guest]"
	fi
	guest_hang_up
	guest_verdict "$machine_status"
	mv "$run_dir/kernel.log" "$kernel_log"
}

# guest_job NAME CMD...: runs CMD beside the script, in a process group that ends with
# it: a shell that waits for a command in the foreground would not hear that it is to end.
guest_job() {
	local name=$1
	shift
	set -m
	"$@" &
	set +m
	# shellcheck disable=SC2004 # the names of jobs are no numbers
	job_pid[$name]=-$!
}

# stdout and stderr each through a pipe of their own, as 3 and 4, for they may be of a kind
# that QEMU cannot open.
guest_command() {
	local stdout
	exec {stdout}>&1
	{
		{
			in_root "${machine[@]}" 3>&1 4>&5 \
				</dev/null >"$run_dir/machine.log" 2>&1 | guest_deliver "$stdout"
		} 5>&1 | guest_deliver 2
	}
}

# guest_deliver FD: where nobody takes the output any more, the run ends
guest_deliver() {
	local status=0
	cat >&"$1" || status=$?
	((status == 0)) || {
		echo "$status" >"$run_dir/reader-is-gone"
		kill 0
	}
}

# The terminal is the machine's until it ends. It runs in the background, or a trap would
# wait for its end.
guest_terminal() {
	local pid status=0 settings
	settings=$(stty -g)
	in_root "${machine[@]}" 2>"$run_dir/machine.log" <&0 3>&1 4>/dev/null &
	pid=$!
	trap guest_resize WINCH
	# A signal ends a wait.
	while kill -0 "$pid" 2>/dev/null; do
		wait "$pid" || true
	done
	wait "$pid" || status=$?
	trap - WINCH
	# One that was killed has not done it.
	stty "$settings"
	return "$status"
}

# Before it asks, the guest would lose a part.
guest_resize() { [[ ! -e $run_dir/shell ]] || stty size <&"$input" >&"$control"; }

guest_debugger() { say "to debug it: $("machine_$(machine_of_kind)_debugger")"; }

# Answers what init says on ttyS3, until the machine is gone.
guest_listen() {
	local word rest
	while read -r word rest; do
		case $word in
		more) guest_feed & ;;
		shell) guest_begin_shell & ;;
		file) guest_receive "$rest" ;;
		*) printf '%s %s\n' "$word" "$rest" >"$run_dir/verdict" ;;
		esac
	done <"$run_dir/control.out"
}

# A piece of the standard input, as large as there is one now.
guest_feed() {
	local piece=$run_dir/piece
	dd bs="$machine_piece" count=1 status=none <&"$input" >"$piece" 2>/dev/null || : >"$piece"
	{
		stat -c %s "$piece"
		cat "$piece"
	} >&"$control"
}

# guest_receive "N SIZE": the bytes that follow are the file of get_from[N]. It replaces what
# there was only if all of it has come.
guest_receive() {
	local number size
	[[ $1 =~ ^([0-9]+)\ ([0-9]+|-)$ ]] || return 0
	number=${BASH_REMATCH[1]} size=${BASH_REMATCH[2]}
	if [[ $size != - ]] && head -c "$size" | gzip -d >"$run_dir/received" 2>/dev/null; then
		if cat "$run_dir/received" >"${get_to[number]}"; then
			: >"$run_dir/received.$number"
		fi
	fi
}

# What of --get has not come, a line each.
guest_missing() {
	local number
	for number in "${!get_from[@]}"; do
		[[ -e $run_dir/received.$number ]] || printf '%s\n' "${get_from[number]}"
	done
}

# The kernel's lines come to the terminal, from now on, as they do on a console. Each comes
# whole, though it is written in pieces: what the shell says is not to stand within one.
guest_begin_shell() {
	: >"$run_dir/shell"
	guest_resize
	((!console)) || tail -n 0 -f "$run_dir/kernel.log" | sed -u ''
}

# Lets guest_listen come to its end, which is that of what it reads, and ends what it
# has begun.
guest_hang_up() {
	local pid=${job_pid[listen]#-} ended
	# For the case that the machine never opened it.
	exec {ended}<>"$run_dir/control.out"
	exec {ended}>&- {control}>&-
	wait "$pid" || true
	kill -- "-$pid" 2>/dev/null || true
	unset "job_pid[listen]"
}

# guest_verdict MACHINE_STATUS: sets $status from what the guest and its log say
guest_verdict() {
	local said reports refusal missing
	said=$(tr -dc '0-9a-z_ ' <"$run_dir/verdict")
	reports=$(kernel_reports <"$run_dir/kernel.log")
	if (($1 == 124 || $1 == 137)); then
		trouble "no end after $timeout s: $machine_name was stopped (--timeout)"
		status=124
		return
	fi
	status=1
	refusal=$(host_refusal "$run_dir/machine.log")
	if [[ -n $refusal ]]; then
		printf '%s: %s\n' "${0##*/}" "$refusal" >&2
	elif [[ -n $reports ]]; then
		trouble "the kernel reported:" "$reports"
	elif [[ -e $run_dir/reader-is-gone ]]; then
		status=$(<"$run_dir/reader-is-gone")
	elif (($1)); then
		trouble "$machine_name failed (status $1):" "$(tail -n 5 "$run_dir/machine.log")"
	elif [[ $said == "load "* ]]; then
		trouble "a module did not load: ${said#load }"
	elif [[ ! $said =~ ^status\ [0-9]+$ ]]; then
		trouble "the guest ended without a word on how COMMAND did"
	else
		status=${said#status }
		missing=$(guest_missing | xargs)
		[[ -z $missing ]] || {
			printf '%s: --get: did not come: %s\n' "${0##*/}" "$missing" >&2
			((status != 0)) || status=1
		}
	fi
}

# trouble REASON [DETAILS]: says what went wrong, with the end of the kernel's log
trouble() {
	{
		printf '%s: %s\n' "${0##*/}" "$1"
		[[ -z ${2:-} ]] || printf '%s\n' "$2" | sed 's/^/    /'
		printf 'The end of the kernel log (all of it: %s):\n' "${kernel_log#"$top/"}"
		tail -n 40 "$run_dir/kernel.log" | tr -d '\r' | sed 's/^/    /'
	} >&2
}
