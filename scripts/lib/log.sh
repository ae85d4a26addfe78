# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What a person sees of a run: one line a step, how far a long one has come,
# the error if it fails. All of it goes to stderr; stdout belongs to
# COMMAND and to --print-kdir.

# literal TEXT: as a regular expression that is this text and no other
# shellcheck disable=SC2001 # what & means to bash depends on its version
literal() { sed 's/[][\\.*^$+?(){}|]/\\&/g' <<<"$1"; }

say() { printf '==> %s\n' "$*" >&2; }

die() { # WORD...
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# What a function finds wrong it prints as one line: what it is, a full stop, what mends it. (Where
# both are one sentence, a colon.) A function that finds nothing prints nothing.

# die_of FUNCTION ARG...: dies of what it finds wrong
die_of() {
	local trouble
	trouble=$("$@")
	[[ -z $trouble ]] || die "$trouble"
}

# Waits without a process that would outlive the wait: nothing is ever written
# to the pipe that run_dir_init (all.sh) opens.
pause() { read -rt "$1" -u "$never" || true; }

# step TITLE NAME CMD...: runs CMD with its output in the log NAME
step() {
	local title=$1 name=$2
	shift 2
	spawn "$name" "$@"
	join "$name" "$title"
}

# A job runs beside the script. In a subshell of its own, because `set -e` does
# not hold in a function that is called where its status is looked at.
declare -A job_pid=() job_start=() job_begun=()

# spawn NAME CMD...
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

# Who is killed has no time to tidy up.
job_ends() { # STATUS
	echo "${EPOCHREALTIME//[.,]/}" >"$job_path.ended"
	echo $SECONDS >"$job_path.end"
	(($1 > 128)) || remove "${unfinished[@]}"
}

# join NAME TITLE: waits for a job, shows its progress, fails if it failed
join() {
	local name=$1 title=$2 pid=${job_pid[$1]} log=$run_dir/$1.log status=0 took
	while kill -0 "$pid" 2>/dev/null; do
		pause 0.1
		progress "$title" "$log" $((SECONDS - job_start[$name]))
	done
	wait "$pid" || status=$?
	unset "job_pid[$name]"
	! may_rewrite || printf '\r\033[K' >&2
	((status == 0)) || job_failed "$title" "$log" "$run_dir/$name.command"
	took=$(($(<"$run_dir/$name.end") - job_start[$name]))
	((took < 2)) || say "$title: $took s"
}

# test_result NUMBER NAME: waits for a job that is a test, prints and returns its result
test_result() {
	local status=0 took=''
	wait "${job_pid[$2]}" || status=$?
	unset "job_pid[$2]"
	# One that was killed has not said when.
	[[ ! -e $run_dir/$2.ended ]] ||
		took=$(($(<"$run_dir/$2.ended") - job_begun[$2]))
	ktap_result "$1" "$2" "$status" "$took" <"$run_dir/$2.log"
	return "$status"
}

# Whether stderr is a terminal on which a line may be written over.
may_rewrite() { [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; }

# without_colours CMD...: for a program that does not ask whether NO_COLOR is set
without_colours() {
	if [[ -n ${NO_COLOR:-} ]]; then
		"$@" | cat
	else
		"$@"
	fi
}

# progress TITLE LOG ELAPSED: what, how far (the log's last line), since when.
# On a terminal every second, elsewhere, or where nothing may be coloured, every 15.
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

# job_failed TITLE LOG [COMMAND]: ends the script. COMMAND is a file that says what
# failed, for a log that does not.
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

# known_cause LOG: prints what helps, where the log tells of what the machine lacks
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

# What apt, mmdebstrap and cargo say then.
unreachable='(Temporary failure resolving|Could not (resolve|connect)|Couldn.t (resolve|connect)'
unreachable+='|Network is unreachable|Connection timed out|Connection refused)'

# How an error begins: of a compiler, of apt, of make without one of a compiler's, of ours.
error_begins='(^|[^[:alnum:]])(error|Error|ERROR|E|fatal)(\[E[0-9]+\])?: |: \*\*\* '
error_begins+='|undefined reference|^Traceback |^thread .* panicked|^[a-z-]+\.sh: '

# errors: copies a log from the first error on, or the end of one without; not what
# make and Kbuild say beside it
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

# without_progress: copies the log of a build, without the lines that say what is being
# built, and those in which make tells of what somebody else has said
without_progress() {
	grep -vE -e '^  [A-Z][A-Z_ ]*( \[M\])? +[^ ]+$' \
		-e '^make(\[[0-9]+\])?: ((Entering|Leaving) directory|Target .* not remade)' \
		-e '^make.*: \*\*\* (\[.*\] Error [0-9]+|Waiting for unfinished jobs)' || true
}

# Jobs still running when the script ends have nobody left to wait for them.
stop_jobs() {
	local pid
	for pid in "${job_pid[@]}"; do
		# A process group ends as one.
		[[ $pid == -* ]] || stop_children "$pid"
		kill -- "$pid" 2>/dev/null || true
	done
}

# stop_children PID: what a job has begun does not end with it.
stop_children() {
	local child
	for child in $(pgrep -P "$1" || true); do
		stop_children "$child"
		kill "$child" 2>/dev/null || true
	done
}
