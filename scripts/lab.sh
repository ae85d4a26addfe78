#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The lab: exercises that teach workqueues step by step. Makes the folder of a step, and checks a
# solution. See usage() below.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/check.sh
. "$top/scripts/lib/check.sh"
# shellcheck source=scripts/lib/kernel-log.sh
. "$top/scripts/lib/kernel-log.sh"
# shellcheck source=scripts/lib/module-folder.sh
. "$top/scripts/lib/module-folder.sh"

usage() {
	cat <<'END'
Usage: scripts/lab.sh list
       scripts/lab.sh start STEP DIR
       scripts/lab.sh check [DIR]
       scripts/lab.sh show STEP
       scripts/lab.sh grade [--step STEP] [--json] [--jobs N] [--timeout S] DIR...
       scripts/lab.sh prepare

  list      the steps; docs/lab/ has a page for each
  start     makes DIR, with a module that lacks what STEP teaches. STEP is a number or a name
  check     builds the module in DIR (by default the current folder), boots, runs the step's
            cases and prints KTAP, with a hint for each case that failed. 0: all passed
  show      prints a solution of STEP
  grade     checks each DIR, several at a time, and prints CSV, one row for each DIR in their
            order: what failed, or why nothing could be tried. A module that does not build,
            hangs or panics costs only its own row. 0: all rows are there.
            --step STEP   reject folders of another step
            --json        print JSON instead (docs/schemas/lab.json)
            --jobs N      check N at a time, by default one for each processor
            --timeout S   stop a guest after S seconds: by default 120, for an emulated
                          machine 400
  prepare   builds the kernel uml, once, in some minutes. check and grade use it from then on:
            it is a program and needs no emulator. Without it they use Debian's

check and grade build lab.rs, and other .rs files beside it, with the abstractions of this tree.
They refuse unsafe code.

Environment:
  KERNEL    another kernel, one that scripts/qemu-run.sh knows: uml-kasan, kasan
END
}

steps=$top/scripts/lab
# $name is the module's; $with lists the wanted parts of the templates (lib/module-folder.sh).
name=lab with=''
step='' dir='' kernel='' timeout='' jobs='' wanted_step=''
# Output of check and grade.
out=$top/build/lab
# The compiler may be given source that it never finishes, so stop it after so many seconds.
build_timeout=180

main() {
	local command=${1:-}
	shift || true
	case $command in
	list | start | check | show | grade | prepare) "lab_$command" "$@" ;;
	--help | -h) usage ;;
	'') usage_error "there are list, start, check, show, grade and prepare" ;;
	*) usage_error "$command: there are list, start, check, show, grade and prepare" ;;
	esac
}

usage_error() {
	printf '%s: %s (see scripts/lab.sh --help)\n' "${0##*/}" "$*" >&2
	exit 2
}

lab_list() {
	(($# == 0)) || usage_error "list takes nothing"
	local step minutes about
	while IFS='|' read -r step minutes about; do
		printf '%-12s %3s min  %s\n' "$step" "$minutes" "$about"
	done < <(step_table)
}

# Prints a line for each step: name, duration, subject.
step_table() { grep -v '^#' "$steps/steps.txt"; }

number_of() { echo "$((10#${1%%-*}))"; } # STEP

all_steps() { step_table | cut -d '|' -f 1; }

# find_step WORD: sets $step. 3, 03, message and 03-message name the same step.
find_step() {
	local each
	while IFS= read -r each; do
		step=$each
		! is_one_of "$1" "$each" "${each%%-*}" "${each#*-}" "$(number_of "$each")" ||
			return 0
	done < <(all_steps)
	usage_error "$1: no such step; there are $(all_steps | xargs)"
}

lab_start() {
	(($# == 2)) || usage_error "start takes a STEP and a DIR"
	find_step "$1"
	dir=$(realpath -ms "$2")
	folder_check "$dir"
	with=' skeleton'
	folder_make "$dir" fill
	say "made $dir. What to do: docs/lab/$step.md." \
		"Then: scripts/lab.sh check $(printf %q "$dir")"
}

fill() { # DIR
	local text
	mapfile -t text <"$steps/README.md"
	printf '%s\n' "${text[@]//@STEP@/"$step"}" | sed "s|@LAB@|$(sed_word "$(lab_word)")|" \
		>"$1/README.md"
	filled "$steps/$step/lab.rs.in" >"$1/lab.rs"
	install -m 755 "$steps/$step/demo.sh" "$steps/$step/test.sh" "$1"
	printf '%s\n' "$step" >"$1/STEP"
	folder_common "$1"
	# The solution's abstractions are copied too, ready when a student needs them.
	fill_beside "$1" "$steps/$step/lab.rs.in"
}

# Prints this script's path, quoted for a shell.
lab_word() { printf %q "$top/scripts/lab.sh"; }

# shellcheck disable=SC2001 # what & means to bash depends on its version
sed_word() { sed 's/[\\&|]/\\&/g' <<<"$1"; } # WORD

# fill_beside DIR SOURCE...: adds to DIR what these sources are built with
fill_beside() {
	mapfile -t named < <(abstractions_named "${@:2}")
	fill_kbuild "$@"
}

fill_kbuild() { # DIR
	((${#named[@]} == 0)) || printf '%s\n' "${named[@]}" | folder_abstractions "$1"
	filled "$templates/Kbuild" | if [[ -e $1/abstractions/bindings.mk ]]; then
		cat
	else
		sed '/^$/,$ { /^$/N; /bindings/,$d }'
	fi >"$1/Kbuild"
}

lab_show() {
	(($# == 1)) || usage_error "show takes a STEP"
	find_step "$1"
	with=' solution'
	filled "$steps/$step/lab.rs.in"
}

lab_prepare() {
	(($# == 0)) || usage_error "prepare takes nothing"
	cache_init
	run_dir_init
	root_find
	prepare_kernel uml
	join_kernel
	# `make run` needs this kernel. Others share it.
	prepare_kernel debian
	join_kernel
	build_lock
	step "building wqtest" wqtest wqtest_build
	build_unlock
	say "check and grade take uml from now on"
}

# Sets $kernel, and builds it.
prepare_lab() {
	local refusal
	cache_init
	run_dir_init
	root_find
	kernel=${KERNEL:-}
	if [[ -z $kernel ]]; then
		kernel=$(default_kernel)
		! uml_is_there || kernel=uml
	fi
	refusal=$(kernel_refusal "$kernel")
	[[ -z $refusal ]] || usage_error "${refusal/--kernel /KERNEL=}"
	prepare_kernel "$kernel"
	join_kernel
	[[ -n $timeout ]] || timeout=$(if [[ $kind == um ]]; then echo 120; else echo 400; fi)
	build_lock
	step "building wqtest" wqtest wqtest_build
	build_unlock
}

uml_is_there() {
	[[ -z $(kernel_refusal uml) ]] || return
	kernel_find uml
	[[ -e $cache/$kernel_entry ]]
}

# folder_trouble DIR: says why DIR is no folder of the lab
folder_trouble() {
	if [[ ! -e $1 ]]; then
		echo "no such folder"
	elif [[ ! -d $1 || ! -r $1 ]]; then
		echo "not a folder that can be read"
	elif [[ ! -f $1/STEP ]]; then
		echo "no folder of the lab: it has no file STEP"
	elif ! all_steps | grep -qxF "$(head -c 100 "$1/STEP" | tr -d '\0')"; then
		echo "its file STEP names no step"
	elif [[ -n $wanted_step && $(<"$1/STEP") != "$wanted_step" ]]; then
		echo "it is of step $(<"$1/STEP")"
	elif [[ ! -f $1/lab.rs || -L $1/lab.rs ]]; then
		echo "it has no lab.rs"
	fi
}

lab_check() {
	local trouble work status
	(($# <= 1)) || usage_error "check takes one DIR"
	[[ -z ${KDIR:-} ]] || usage_error "KDIR: name a kernel in KERNEL"
	dir=$(realpath -m "${1:-.}")
	trouble=$(folder_trouble "$dir")
	[[ -z $trouble ]] || usage_error "$dir: $trouble"
	prepare_lab
	work=$out/$(key "$dir")
	examine "$dir" "$work" "$work"
	read_result "$work"
	case ${result[status]} in
	passed)
		say "step $step: all ${result[passed]} passed" \
			"after ${result[seconds]} s.$(next_step)"
		;;
	failed) say "step $step: ${result[failed]} failed: the hints above, docs/lab/$step.md" ;;
	*)
		show_trouble "$work"
		say "step $step: ${result[status]}: ${result[reason]}"
		;;
	esac
	[[ ${result[status]} == passed ]]
}

next_step() {
	local next
	next=$(all_steps | grep -xFA1 "$step" | sed -n 2p)
	[[ -z $next ]] || printf ' The next one: scripts/lab.sh start %s DIR' "$(number_of "$next")"
}

# Shows what the compiler or the kernel reported.
show_trouble() { # WORK
	case ${result[status]} in
	'does not build') errors <"$1/build.log" | shown_as "$1" ;;
	unsafe)
		cat "$1/unsafe.log"
		echo "Unsafe code, and C's bindings, are for abstractions/ alone."
		;;
	*) cat "$1/guest.log" ;;
	esac >&2
}

# shown_as WORK: copies stdin, replacing the copy's path by the folder's own
shown_as() { outside | sed "s|$(sed_word "$1/module")|$(sed_word "$dir")|g"; }

# examine DIR WORK PLACE: builds DIR in PLACE and runs its cases, which print KTAP. Writes
# WORK/result for read_result. Keeps bindgen's output from an earlier build in PLACE.
examine() {
	local start=$SECONDS status=passed reason='' work=$2 place=$3 guest_status=0
	step=$(<"$1/STEP")
	rm -rf "$place/module" "$work"/{ktap,*.log,result}
	mkdir -p "$work" "$place/module" "$place/$kernel_entry"
	find "$place/$kernel_entry" -mindepth 1 -maxdepth 1 ! -name abstractions -exec rm -rf {} +
	: >"$work/ktap"
	copy_sources "$1" "$place/module"
	if ! (cd "$place/module" && own_sources | without_unsafe) >"$work/unsafe.log"; then
		status=unsafe reason=$(in_one_line <"$work/unsafe.log")
	elif ! build_copy "$place" >"$work/build.log" 2>&1 </dev/null; then
		status='does not build' reason=$(build_reason "$work/build.log")
	else
		boot_copy "$place" "$work" | tee "$work/ktap" || guest_status=$?
		judge "$work" "$guest_status"
	fi
	write_result "$work" "$status" "$reason" $((SECONDS - start))
}

# Takes the student's own sources, and everything else from this tree. Only their work is tested,
# and no makefile of theirs runs.
copy_sources() { # DIR TO
	local file sources
	with=' solution'
	(cd "$1" && find . \( -path ./abstractions -o -name '.?*' -type d \) -prune -o \
		-type f -name '*.rs' -exec cp --parents -t "$2" {} +)
	# Students may copy abstractions there by hand.
	mapfile -t sources < <(cd "$2" && find . -name '*.rs' -printf "$2/%P\n")
	mapfile -t named < <(
		abstractions_named "${sources[@]}" "$steps/$step/lab.rs.in"
		for file in "$1"/abstractions/*.rs; do
			[[ $file == */mod.rs || ! -e $top/abstractions/${file##*/} ]] ||
				echo "${file##*/}"
		done)
	mapfile -t named < <(printf '%s\n' "${named[@]}" | known_abstractions | sort -u)
	fill_kbuild "$2"
}

own_sources() { find . -path ./abstractions -prune -o -name '*.rs' -print; }

# The compiler will report an unknown one.
known_abstractions() {
	local file
	while IFS= read -r file; do
		[[ -z $file || ! -e $top/abstractions/$file ]] || echo "$file"
	done
}

build_copy() { # PLACE
	# Not as the first process of a namespace: see guest_run in lib/guest.sh.
	# shellcheck disable=SC2016 # expanded by the shell inside
	local run=(in_root sh -c '"$@"; exit $?' sh timeout --kill-after=5 "$build_timeout")
	module_build "$1/module" "$1/$kernel_entry" &&
		in_root "$(triplet "$arch")-strip" -g "$1/$kernel_entry/lab.ko"
}

build_reason() { # LOG
	local line
	line=$(grep -m 1 -E '^error' "$1" | in_one_line) || line="see $1"
	printf '%s' "$line"
}

in_one_line() { tr -s '[:space:]' ' ' | cut -c -300 | sed 's/ $//'; }

boot_copy() { # PLACE WORK
	local quick=(--append "mitigations=off cryptomgr.notests")
	[[ $kind != um ]] || quick=()
	KERNEL_LOG=$2/kernel.log "$top/scripts/qemu-run.sh" --kernel "$kernel" --no-modules \
		--add "$1/$kernel_entry/lab.ko:/lab.ko" --add "$steps/$step/test.sh:/lab/test.sh" \
		"${quick[@]}" --timeout "$timeout" -- 'sh /lab/test.sh' </dev/null 2>"$2/guest.log"
}

# judge WORK STATUS: sets $status and $reason from the guest's output and its exit status
judge() {
	local ended=$2 report=''
	[[ ! -e $1/kernel.log ]] ||
		report=$(kernel_reports <"$1/kernel.log" |
			sed -n '1s/^\[[^]]*\] *//; 1p' | in_one_line)
	if [[ -n $report ]]; then
		status='kernel report' reason="$report in $(running_case "$1")"
	elif ((ended == 124)); then
		status='timed out' reason="stopped after $timeout s in $(running_case "$1")"
	elif grep -q '^not ok ' "$1/ktap"; then
		status=failed reason=$(sed -n 's/^not ok [0-9]* //p' "$1/ktap" | xargs)
	elif ((ended)) || ! grep -q '^ok ' "$1/ktap"; then
		status=error reason="the guest ended with status $ended"
	elif grep -q '^ok .*# SKIP' "$1/ktap"; then
		status=failed
		reason="skipped: $(sed -n 's/^ok [0-9]* \(.*\) # SKIP.*/\1/p' "$1/ktap" | xargs)"
	fi
}

# running_case WORK: prints the case that was running: the first without a result
running_case() {
	local cases number
	cases=$(sed -n '/^run_lab/,$p' "$steps/$step/test.sh" | tr -d '\134' | xargs)
	number=$(grep -cE '^(not )?ok ' "$1/ktap") || true
	read -ra cases <<<"${cases#run_lab }"
	echo "${cases[number]:-the end}"
}

# Writes words, each ended by a zero byte, because they may contain line ends.
write_result() { # WORK STATUS REASON SECONDS
	local passed failed skipped
	passed=$(grep -cE '^ok [0-9]+ [a-z_0-9]+$' "$1/ktap") || true
	failed=$(grep -cE '^not ok ' "$1/ktap") || true
	skipped=$(grep -cE '^ok .* # SKIP' "$1/ktap") || true
	printf '%s\0' "$step" "$2" "$passed" "$failed" "$skipped" "$4" "$3" >"$1/result"
}

declare -A result=()

read_result() { # WORK
	local words
	mapfile -d '' -t words <"$1/result"
	result=([step]=${words[0]} [status]=${words[1]} [passed]=${words[2]} [failed]=${words[3]}
		[skipped]=${words[4]} [seconds]=${words[5]} [reason]=${words[6]})
	step=${result[step]}
}

lab_grade() {
	parse_grade "$@"
	set -- "${dirs[@]}"
	prepare_lab
	exec {grade_locked}>"$top/build/lab.lock"
	flock -n "$grade_locked" || die "another grade runs in this tree"
	rm -rf "$out/grade"
	mkdir -p "$out/grade"
	[[ $kind == um ]] ||
		say "$kernel is emulated; 'scripts/lab.sh prepare' builds uml, which is not"
	if ((json)); then
		grade_rows "$@" >"$run_dir/rows"
		in_root python3 -B "$top/scripts/csv-to-json.py" passed failed skipped seconds \
			<"$run_dir/rows"
	else
		grade_rows "$@"
	fi
	say "what each has said is in build/lab/grade/"
}

grade_rows() { # DIR...
	local begun=0 joined=0 place place_of=()
	echo 'dir,step,status,passed,failed,skipped,seconds,reason'
	while ((joined < $#)); do
		while ((begun < $# && $(grade_running) < jobs)); do
			((++begun))
			find_place
			place_of[begun]=$place
			spawn "grade-$begun" grade_one "${!begun}" "$out/grade/$begun" \
				"$out/place-$place"
		done
		# Rows come in the order of the folders.
		if grade_runs $((joined + 1)); then
			pause 0.2
		else
			((++joined))
			grade_join "$joined" "${!joined}"
		fi
	done
}

parse_grade() {
	dirs=() jobs=$(nproc) json=0 wanted_step=''
	while (($#)); do
		case $1 in
		--json) json=1 ;;
		--step)
			(($# >= 2)) || usage_error "--step needs a STEP"
			find_step "$2"
			wanted_step=$step
			shift
			;;
		--jobs | --timeout)
			[[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || usage_error "$1 needs a number"
			printf -v "${1#--}" %s "$2"
			shift
			;;
		--) dirs+=("${@:2}"); break ;;
		-*) usage_error "$1: no such option" ;;
		*) dirs+=("$1") ;;
		esac
		shift
	done
	((${#dirs[@]})) || usage_error "grade takes the folders: grade DIR..."
	[[ -z ${KDIR:-} ]] || usage_error "KDIR: name a kernel in KERNEL"
}

# Runs as a job.
grade_one() { # DIR WORK PLACE
	local trouble
	step='' dir=$(realpath -m -- "$1")
	mkdir -p "$2"
	trouble=$(folder_trouble "$dir")
	if [[ -n $trouble ]]; then
		: >"$2/ktap"
		write_result "$2" 'no lab' "$trouble" 0
	else
		examine "$dir" "$2" "$3"
	fi
}

grade_join() { # NUMBER DIR
	local work=$out/grade/$1
	wait "${job_pid[grade-$1]}" || true
	unset "job_pid[grade-$1]"
	if [[ ! -e $work/result ]]; then
		mkdir -p "$work"
		: >"$work/ktap"
		step='' write_result "$work" error \
			"$(tail -n 1 "$run_dir/grade-$1.log" | in_one_line)" 0
	fi
	read_result "$work"
	csv_row "$2" "${result[step]}" "${result[status]}" "${result[passed]}" "${result[failed]}" \
		"${result[skipped]}" "${result[seconds]}" "${result[reason]}"
}

grade_runs() { kill -0 "${job_pid[grade-$1]}" 2>/dev/null; } # NUMBER

# Sets $place to the number of a place that no running job uses.
find_place() {
	local each
	for ((place = 1; place <= jobs; place++)); do
		for ((each = joined + 1; each < begun; each++)); do
			((place_of[each] != place)) || ! grade_runs "$each" || continue 2
		done
		return
	done
}

# Prints how many jobs run. It reads the variables of grade_rows.
grade_running() {
	local each count=0
	for ((each = joined + 1; each <= begun; each++)); do
		! grade_runs "$each" || ((++count))
	done
	echo "$count"
}

# csv_row FIELD...: prints a row as RFC 4180 defines it
csv_row() {
	local field row=''
	for field; do
		[[ ! $field =~ [,\"$'\r\n'] ]] || field="\"${field//\"/\"\"}\""
		row+=,$field
	done
	printf '%s\n' "${row#,}"
}

main "$@"
