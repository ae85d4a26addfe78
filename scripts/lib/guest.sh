# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Boots $image on its kind of machine (machine-qemu.sh, machine-um.sh) and reports how it went.
#
# The guest has four serial ports, to keep these apart: ttyS0 (ttyAMA0 on arm64) has the kernel's
# log, ttyS1 COMMAND's stdout (with --shell the terminal), ttyS2 its stderr. On ttyS3 guest/init and
# this script exchange lines of a word and its arguments:
#
#   guest   script
#   more    SIZE and as many bytes of the standard input; 0 at its end
#   shell   ROWS COLUMNS, again whenever the terminal changes
#   file N SIZE
#           a packed file of --get: SIZE bytes follow
#   status N, load NAME
#           the verdict (see guest/init). No verdict is a failure.
#
# The options of qemu-run.sh set the variables.

# A kernel error ends the run at once. Reports that a busy machine can provoke, by running the
# guest's timers unevenly, must not. The log buffer holds what 64 processes cause while a reader of
# the log waits.
guest_boot_args() {
	local args=(loglevel=8 panic=-1 panic_on_warn=1 oops=panic softlockup_panic=1
		hung_task_panic=1 workqueue.watchdog_thresh=10 workqueue.panic_on_stall=1
		kfence.sample_interval=50 log_buf_len=1M)
	local own=$configs/$kernel.cmdline
	[[ ! -e $own ]] || args+=("$(sed 's/#.*//' "$own" | xargs)")
	printf '%s' "${args[*]} $append"
}

# guest_run: boots and sets $status
guest_run() {
	local machine machine_name machine_piece=64K machine_status=0 control begun=$SECONDS
	"machine_$(machine_of_kind)"
	# The timeout is for boots that should end by themselves. timeout(1) of coreutils 9.10 must
	# not be process 1 of a namespace: it would conclude that its parent has gone.
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
	guest_verdict "$machine_status" $((SECONDS - begun))
	mv "$run_dir/kernel.log" "$kernel_log"
}

# guest_job NAME CMD...: runs CMD in the background, in a process group that ends with the script. A
# shell that waits for a foreground command would not notice signals.
guest_job() {
	local name=$1
	shift
	set -m
	"$@" &
	set +m
	# shellcheck disable=SC2004 # the names of jobs are no numbers
	job_pid[$name]=-$!
}

# stdout and stderr go through pipes, as 3 and 4, because QEMU cannot open every kind of file.
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

# guest_deliver FD: copies stdin to FD. Ends the run if nobody reads FD any more.
guest_deliver() {
	local status=0
	cat >&"$1" || status=$?
	((status == 0)) || {
		echo "$status" >"$run_dir/reader-is-gone"
		kill 0
	}
}

# The machine owns the terminal until it ends. It runs in the background, because a trap would wait
# for a foreground process.
guest_terminal() {
	local pid status=0 settings
	settings=$(stty -g)
	in_root "${machine[@]}" 2>"$run_dir/machine.log" <&0 3>&1 4>/dev/null &
	pid=$!
	trap guest_resize WINCH
	# A signal interrupts `wait`.
	while kill -0 "$pid" 2>/dev/null; do
		wait "$pid" || true
	done
	wait "$pid" || status=$?
	trap - WINCH
	# A killed machine has not restored the settings.
	stty "$settings"
	return "$status"
}

# Sends the terminal's size. Does nothing before the guest has asked: it would lose a part of it.
guest_resize() { [[ ! -e $run_dir/shell ]] || stty size <&"$input" >&"$control"; }

guest_debugger() { say "to debug it: $("machine_$(machine_of_kind)_debugger")"; }

# Answers init's requests on ttyS3 until the machine has gone.
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

# Sends what is available of the standard input, at most a piece.
guest_feed() {
	local piece=$run_dir/piece
	dd bs="$machine_piece" count=1 status=none <&"$input" >"$piece" 2>/dev/null || : >"$piece"
	{
		stat -c %s "$piece"
		cat "$piece"
	} >&"$control"
}

# guest_receive "N SIZE": reads SIZE bytes, the file of get_from[N]. Replaces the destination only
# if the file is complete.
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

# Prints each --get that has not arrived, one a line.
guest_missing() {
	local number
	for number in "${!get_from[@]}"; do
		[[ -e $run_dir/received.$number ]] || printf '%s\n' "${get_from[number]}"
	done
}

# From now on shows kernel messages on the terminal, as a console does. Prints whole lines, so that
# the shell's output does not split them.
guest_begin_shell() {
	: >"$run_dir/shell"
	guest_resize
	((!console)) || tail -n 0 -f "$run_dir/kernel.log" | sed -u ''
}

# Ends guest_listen, which stops at the end of its input, and the processes it has started.
guest_hang_up() {
	local pid=${job_pid[listen]#-} ended
	# Opens the pipe in case the machine never did.
	exec {ended}<>"$run_dir/control.out"
	exec {ended}>&- {control}>&-
	wait "$pid" || true
	kill -- "-$pid" 2>/dev/null || true
	unset "job_pid[listen]"
}

# guest_verdict MACHINE_STATUS SECONDS: sets $status from the guest's verdict, the log, and how long
# the machine ran
guest_verdict() {
	local said reports refusal missing
	said=$(tr -dc '0-9a-z_ ' <"$run_dir/verdict")
	reports=$(kernel_reports <"$run_dir/kernel.log")
	# 137 is also that of a machine which was killed for another reason, such as its panic.
	if (($1 == 124 || ($1 == 137 && timeout && $2 >= timeout))); then
		trouble "no end after $timeout s: $machine_name was stopped (--timeout)" "$reports"
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

# trouble REASON [DETAILS]: prints them and the end of the kernel's log
trouble() {
	{
		printf '%s: %s\n' "${0##*/}" "$1"
		[[ -z ${2:-} ]] || printf '%s\n' "$2" | sed 's/^/    /'
		printf 'The end of the kernel log (all of it: %s):\n' "${kernel_log#"$top/"}"
		tail -n 40 "$run_dir/kernel.log" | tr -d '\r' | sed 's/^/    /'
	} >&2
}
