# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the user sees of a run: a line for each step, the progress of long steps, and errors. All
# goes to stderr. stdout belongs to COMMAND, --print-kdir and KTAP.

# literal TEXT: prints a regular expression that matches exactly TEXT
# shellcheck disable=SC2001 # what & means to bash depends on its version
literal() { sed 's/[][\\.*^$+?(){}|]/\\&/g' <<<"$1"; }

say() { printf '==> %s\n' "$*" >&2; }

die() { # WORD...
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# A *_trouble function prints nothing if all is well. Otherwise it prints one line: the problem, a
# full stop, the remedy. A colon replaces the full stop if both form one sentence.

# die_of FUNCTION ARG...: dies of the problem that FUNCTION prints, if any
die_of() {
	local trouble
	trouble=$("$@")
	[[ -z $trouble ]] || die "$trouble"
}

# Waits without a child process, which would outlive the script: nothing is ever written to the pipe
# that run_dir_init (all.sh) opens.
pause() { read -rt "$1" -u "$never" || true; }

# step TITLE NAME CMD...: runs CMD with its output in the log NAME
step() {
	local title=$1 name=$2
	shift 2
	spawn "$name" "$@"
	join "$name" "$title"
}

# A job runs in the background. It has its own subshell, because bash ignores `set -e` in a function
# whose status is tested. So no function that starts jobs may be called like that either.
declare -A job_pid=() job_start=() job_begun=()

# spawn NAME CMD...: starts a job
spawn() {
	local job=$1 job_path=$run_dir/$1
	shift
	job_start[$job]=$SECONDS
	job_begun[$job]=${EPOCHREALTIME//[.,]/}
	(
		trap 'job_ends $?' EXIT
		trap '[[ -e $job_path.command ]] || echo "$BASH_COMMAND" >"$job_path.command"' ERR
		set -eE
		"$@"
	) >"$job_path.log" 2>&1 </dev/null &
	job_pid[$job]=$!
}

# A killed job has no time to tidy up.
job_ends() { # STATUS
	echo "${EPOCHREALTIME//[.,]/}" >"$job_path.ended"
	echo $SECONDS >"$job_path.end"
	(($1 > 128)) || remove "${unfinished[@]}"
}

# join NAME TITLE: waits for a job and shows its progress. Ends the script if it failed.
join() {
	local name=$1 title=$2 pid=${job_pid[$1]} log=$run_dir/$1.log status=0 took
	job_wait "$name" "$title"
	wait "$pid" || status=$?
	unset "job_pid[$name]"
	((status == 0)) || job_failed "$title" "$log" "$run_dir/$name.command"
	took=$(($(<"$run_dir/$name.end") - job_start[$name]))
	((took < 2)) || say "$title: $took s"
}

# join_shown NAME TITLE: waits for a job, prints its output, and returns its status
join_shown() {
	local status=0 pid=${job_pid[$1]}
	job_wait "$1" "$2"
	wait "$pid" || status=$?
	unset "job_pid[$1]"
	cat "$run_dir/$1.log"
	return "$status"
}

# job_wait NAME TITLE: shows a job's progress until it ends
job_wait() {
	while kill -0 "${job_pid[$1]}" 2>/dev/null; do
		pause 0.03
		progress "$2" "$run_dir/$1.log" $((SECONDS - job_start[$1]))
	done
	! may_rewrite || printf '\r\033[K' >&2
}

# lower_priority N: makes the calling shell, and what it starts from now on, nicer by N
lower_priority() { renice -n $(($(nice) + $1)) "$BASHPID" >/dev/null; }

# test_result NUMBER NAME: waits for a test's job, prints and returns its result
test_result() {
	local status=0 took=''
	wait "${job_pid[$2]}" || status=$?
	unset "job_pid[$2]"
	# A killed job has not recorded its end.
	[[ ! -e $run_dir/$2.ended ]] ||
		took=$(($(<"$run_dir/$2.ended") - job_begun[$2]))
	ktap_result "$1" "$2" "$status" "$took" <"$run_dir/$2.log"
	return "$status"
}

# Succeeds if stderr is a terminal on which a line can be rewritten.
may_rewrite() { [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; }

# without_colours CMD...: runs a program that ignores NO_COLOR, in a pipe if it is set
without_colours() {
	if [[ -n ${NO_COLOR:-} ]]; then
		"$@" | cat
	else
		"$@"
	fi
}

# progress TITLE LOG ELAPSED: prints the title, the seconds elapsed and the log's last line. Every
# second on a terminal, every 15 elsewhere or without colours.
progress() {
	local title=$1 log=$2 elapsed=$3 every=15 last columns room
	! may_rewrite || every=1
	((elapsed % every == 0 && elapsed > 0 && shown_at != SECONDS)) || return 0
	shown_at=$SECONDS
	last=$(tail -n 1 "$log" | outside | tr -dc '[:print:]')
	if may_rewrite; then
		columns=$(tput cols 2>/dev/null || echo 80)
		room=$((columns - ${#title} - 14))
		((room > 0)) || room=0
		printf '\r\033[K==> %s: %d s  %.*s' "$title" "$elapsed" "$room" "$last" >&2
	else
		printf '    %s: %d s  %.100s\n' "$title" "$elapsed" "$last" >&2
	fi
}
shown_at=

# job_failed TITLE LOG [COMMAND]: prints the error and ends the script. COMMAND is a file with the
# failed command, for a log that shows no error.
job_failed() {
	local cause said
	keep_run_dir=1
	cause=$(known_cause "$2")
	[[ -z $cause ]] || die "$1: $cause (its log: $2)"
	said=$(errors <"$2" | outside)
	[[ -n $said || ! -e ${3:-} ]] || said="failed: $(<"$3")"
	printf '%s: %s: failed. Its log is %s:\n%s\n' "${0##*/}" "$1" "$2" "$said" >&2
	exit 1
}

# known_cause LOG: explains errors that come from the machine: a full disk, no network
known_cause() {
	local line
	if grep -qE 'No space left on device|enough free space|quota exceeded' "$1"; then
		echo "the disk is full: $(free_mb "$cache") MB are left for $cache," \
			"$(free_mb "$top") MB for $top"
	elif line=$(grep -m 1 -oE "$unreachable.*" "$1"); then
		echo "no connection to where it comes from: $line. It takes the network, or" \
			"a proxy that http_proxy names"
	fi
}

# The messages of apt, mmdebstrap and cargo without a network.
unreachable='(Temporary failure resolving|Could not (resolve|connect)|Couldn.t (resolve|connect)'
unreachable+='|Network is unreachable|Connection timed out|Connection refused)'

# The beginning of an error of a compiler, apt, make alone, or our scripts.
error_begins='(^|[^[:alnum:]])(error|Error|ERROR|E|fatal)(\[E[0-9]+\])?: |: \*\*\* '
error_begins+='|undefined reference|^Traceback |^thread .* panicked|^[a-z-]+\.sh: '

# errors: copies a log from the first error on, or its end if there is none, without make's progress
# and its reports of errors that are there already
errors() {
	without_progress | ERROR=$error_begins awk '
		!found && $0 ~ ENVIRON["ERROR"] { found = NR; printf "%s", context }
		found && NR < found + 200 { print }
		{ line[NR % 25] = $0 }
		/^(In file included from | +from )|: (In function|At top level)/ {
			context = context $0 "\n"
			next
		}
		{ context = "" }
		END {
			if (found && NR >= found + 200) print "[...]"
			for (i = NR + 1; !found && i <= NR + 25; i++)
				if (i % 25 in line) print line[i % 25]
		}'
}

# without_progress: copies a build log without progress lines and without make's reports of errors
# already printed
without_progress() {
	grep -vE -e '^  [A-Z][A-Z_ ]*( \[M\])? +[^ ]+$' \
		-e '^make(\[[0-9]+\])?: ((Entering|Leaving) directory|Target .* not remade)' \
		-e '^make.*: \*\*\* (\[.*\] Error [0-9]+|Waiting for unfinished jobs)' || true
}

# When the script ends, nothing waits for its jobs any more, nor for the command that a signal has
# interrupted. Another signal would leave them stopped. And if this one came into pause(), that
# read's time limit still runs: when it has passed, the next read would make bash leave the trap.
# pause() replaces the limit. So an EXIT trap reads nothing before it calls this.
stop_jobs() {
	local pid
	trap '' HUP INT TERM
	pause 0.01
	for pid in "${job_pid[@]}"; do
		# A process group ends together.
		[[ $pid != -* ]] || kill -- "$pid" 2>/dev/null || true
	done
	for pid in $(pgrep -P $$ || true); do
		stop_family "$pid"
	done
}

# stop_family PID: ends a process and its descendants, which would outlive it. Stops each before it
# looks for its children: a shell whose child has ended would begin its next command.
stop_family() {
	local child
	kill -STOP "$1" 2>/dev/null || return 0
	for child in $(pgrep -P "$1" || true); do
		stop_family "$child"
	done
	kill "$1" 2>/dev/null || true
	kill -CONT "$1" 2>/dev/null || true
}
