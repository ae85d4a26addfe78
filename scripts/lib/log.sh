# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What a person sees of a run: one line a step, how far a long one has come,
# the end of its log if it fails. All of it goes to stderr; stdout belongs to
# COMMAND and to --print-kdir.

say() { printf '==> %s\n' "$*" >&2; }

die() { # WORD...
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
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
declare -A job_pid=() job_start=()

# spawn NAME CMD...
spawn() {
	local name=$1
	shift
	job_start[$name]=$SECONDS
	(
		trap 'echo $SECONDS >"$run_dir/$name.end"' EXIT
		trap 'echo "failed: $BASH_COMMAND" >&2' ERR
		set -eE
		"$@"
	) >"$run_dir/$name.log" 2>&1 </dev/null &
	job_pid[$name]=$!
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
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	((status == 0)) || job_failed "$title" "$log" "$status"
	took=$(($(<"$run_dir/$name.end") - job_start[$name]))
	((took < 2)) || say "$title: $took s"
}

# progress TITLE LOG ELAPSED: what, how far (the log's last line), since when.
# On a terminal every second, elsewhere every 15.
progress() {
	local title=$1 log=$2 elapsed=$3 every=15 last columns room
	[[ ! -t 2 ]] || every=1
	((elapsed % every == 0 && elapsed > 0 && shown_at != SECONDS)) || return 0
	shown_at=$SECONDS
	last=$(tail -n 1 "$log" | tr -dc '[:print:]')
	if [[ -t 2 ]]; then
		columns=$(tput cols 2>/dev/null || echo 80)
		room=$((columns - ${#title} - 14))
		((room > 0)) || room=0
		printf '\r\033[K==> %s: %d s  %.*s' "$title" "$elapsed" "$room" "$last" >&2
	else
		printf '    %s: %d s  %.100s\n' "$title" "$elapsed" "$last" >&2
	fi
}
shown_at=

job_failed() { # TITLE LOG STATUS
	{
		printf '%s: failed (status %d). The end of %s:\n' "$1" "$3" "$2"
		tail -n 25 "$2" | sed 's/^/    /'
	} >&2
	keep_run_dir=1
	exit 1
}

# Jobs still running when the script ends have nobody left to wait for them.
stop_jobs() {
	local pid
	for pid in "${job_pid[@]}"; do
		kill -- "$pid" 2>/dev/null || true
	done
}
