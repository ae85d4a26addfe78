#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lab.sh [KERNEL]: tests the lab: skeletons, solutions, wrong answers and cheats (tests/lab/),
# folders that do not build, hang or panic, and what scripts/lab.sh says of all these. Prints KTAP.
# Leaves the output in build/lab-test/ and build/lab/grade/.
#
# Environment: FULL, not empty: grades all wrong answers, not one for each step, and checks the last
# solution.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"
# shellcheck source=tests/schema.sh
. "$top/tests/schema.sh"

export KERNEL=${1:-uml-kasan}
out=$top/build/lab-test
mapfile -t steps < <(cd "$top/scripts/lab" && ls -d [0-9]*)

points=(
	misuse_is_refused_in_one_line
	no_folder_is_overwritten
	steps_have_several_names
	each_skeleton_begins_where_the_solution_before_it_ends
	each_mark_of_a_task_is_in_a_skeleton_alone
	all_are_formatted
	each_page_is_there_and_names_its_zoo
	grade_takes_all_of_them
	a_row_comes_for_each_folder_in_order
	each_skeleton_is_built_and_fails
	each_solution_passes
	each_wrong_answer_fails_by_its_case
	what_does_not_build_has_a_row
	unsafe_code_has_a_row
	what_hangs_has_a_row
	a_report_counts_more_than_the_time
	what_panics_has_a_row
	what_is_no_folder_of_the_lab_has_a_row
	a_folder_brings_what_it_likes_but_no_makefile
	csv_is_quoted
	an_interrupted_grade_leaves_no_guest
	a_folder_of_another_step_is_none
	json_is_what_its_schema_says
	check_gives_hints
	a_folder_is_one_that_make_knows
)

lab() { "$top/scripts/lab.sh" "$@"; }

start() { lab start "$@" 2>>start.log; } # STEP DIR

# refused PATTERN ARG...: fails unless lab refuses ARGs with a message that matches
refused() {
	local said status=0
	said=$(lab "${@:2}" 2>&1) || status=$?
	((status == 2)) || fail "${*:2}: status $status"
	[[ $said != *$'\n'* && $said =~ $1 ]] || fail "${*:2}: $said"
}

misuse_is_refused_in_one_line() {
	refused 'there are list, start, check, show, grade and prepare'
	refused 'frob: there are list' frob
	refused 'list takes nothing' list all
	refused 'start takes a STEP and a DIR' start 1
	refused 'start takes a STEP and a DIR' start 1 a b
	refused 'no such step; there are 01-hello .* 10-periodic ' start 11 made
	refused 'no such step' show 0
	refused 'no such step' show 1x
	refused 'show takes a STEP' show
	refused 'check takes one DIR' check a b
	refused 'no such folder' check nowhere
	mkdir empty
	refused 'no file STEP' check empty
	echo 12-none >empty/STEP
	refused 'its file STEP names no step' check empty
	echo 03-message >empty/STEP
	refused 'it has no lab.rs' check empty
	refused 'grade takes the folders' grade
	refused 'grade takes the folders' grade --jobs 2
	refused '--jobs needs a number' grade --jobs two empty
	refused '--timeout needs a number' grade --timeout
	refused '--fast: no such option' grade --fast empty
	touch empty/lab.rs
	KERNEL=none refused 'KERNEL=none: there are ' check empty
	KDIR=/tmp refused 'name a kernel in KERNEL' check empty
	[[ ! -e made ]]
}

no_folder_is_overwritten() {
	mkdir full
	touch full/file
	refused 'not empty' start 1 full
	refused 'not a folder' start 1 full/file
	refused 'no such folder' start 1 nowhere/mine
	refused 'in this tree' start 1 "$top/mine"
	[[ $(ls full) == file && ! -e nowhere && ! -e $top/mine ]]
	lab start 1 mine
	refused 'not empty' start 2 mine
	[[ $(<mine/STEP) == 01-hello ]]
}

steps_have_several_names() {
	local word
	for word in 3 03 message 03-message; do
		lab show "$word" | cmp - <(lab show 3)
		lab start "$word" "named-$word"
		[[ $(<"named-$word/STEP") == 03-message ]]
	done
	diff <(lab list | cut -d ' ' -f 1) <(printf '%s\n' "${steps[@]}")
}

# without_tasks: copies a skeleton without the comments that set tasks
without_tasks() { sed -E '/^ *\/\/( TASK:|       )/d'; }

skeleton() { # STEP DIR
	[[ -e $2 ]] || start "$1" "$2"
	cat "$2/lab.rs"
}

# Step 2 adds a device. Step 8 begins another module.
each_skeleton_begins_where_the_solution_before_it_ends() {
	local number step before=''
	for number in "${!steps[@]}"; do
		step=${steps[number]}
		[[ $step =~ ^0[128]- ]] ||
			diff <(lab show "$before") \
				<(skeleton "$step" "$step.skeleton" | without_tasks)
		before=$step
	done
}

each_mark_of_a_task_is_in_a_skeleton_alone() {
	local step
	for step in "${steps[@]}"; do
		skeleton "$step" "$step.skeleton" | grep -q '// TASK: '
		! lab show "$step" | grep TASK || fail "$step: the solution has a task"
		! { skeleton "$step" "$step.skeleton"; lab show "$step"; } |
			grep -E '^ *// (with .*:|end)$' || fail "$step: a mark is left"
	done
}

all_are_formatted() {
	local step
	for step in "${steps[@]}"; do
		mkdir "formatted-$step"
		lab show "$step" >"formatted-$step/solution.rs"
		skeleton "$step" "$step.skeleton" >"formatted-$step/skeleton.rs"
	done
	# rustfmt also reads the modules that a file names, which are not here.
	sed -i '/^#\[path/d; /^mod abstractions;/d' formatted-*/*.rs
	in_root rustfmt --check --config-path "$linux/src/.rustfmt.toml" formatted-*/*.rs
}

each_page_is_there_and_names_its_zoo() {
	local step page
	for step in "${steps[@]}"; do
		page=$top/docs/lab/$step.md
		grep -q '^## Read a report' "$page"
		grep -q 'zoo.md#' "$page"
		grep -q '<details>' "$page"
		grep -qF "($step.md)" "$top/docs/lab/README.md"
	done
}

# answers STEP: prints the names of its wrong answers and the case that each fails. Prints only the
# first unless FULL is set.
answers() {
	"$top/tests/lab/answer.py" "$top/tests/lab/$1.txt" |
		if [[ -n ${FULL:-} ]]; then cat; else sed 1q; fi
}

# solved STEP DIR: makes a folder with the solution
solved() {
	start "$1" "$2"
	lab show "$1" >"$2/lab.rs"
}

# broken NAME STEP SED...: makes a folder with the solution, edited by SED
broken() {
	local dir=$1 before
	solved "$2" "$dir"
	before=$(<"$dir/lab.rs")
	sed -i "${@:3}" "$dir/lab.rs"
	[[ $(<"$dir/lab.rs") != "$before" ]] || fail "$dir: nothing was edited"
}

make_folders() {
	local step name rest
	for step in "${steps[@]}"; do
		skeleton "$step" "$step.skeleton" >/dev/null
		solved "$step" "$step.solution"
		while read -r name rest; do
			start "$step" "$step.$name"
			lab show "$step" | "$top/tests/lab/answer.py" "$top/tests/lab/$step.txt" \
				"$name" >"$step.$name/lab.rs"
		done < <(answers "$step")
	done
	broken does-not-build 3 's/print(&this.text);/print(\&this.texts);/'
	broken is-unsafe 3 's/print(&this.text);/unsafe { print(\&this.text) };/'
	broken hangs 2 's/^    fsleep(PRINT_TIME);/    loop { fsleep(PRINT_TIME) }/'
	broken reports 2 's/^    fsleep(PRINT_TIME);/    pr_info!("BUG: it hangs\\n");\n&/'
	sed -i 's/^    fsleep(PRINT_TIME);/    loop { fsleep(PRINT_TIME) }/' reports/lab.rs
	broken panics 3 's/^        print(&this.text);/        print(\&this.text[7777..]);/'
	mkdir empty-folder
	solved 1 named
	mv named $'a name, with "quotes"\nand a line end'
	# Has a module of its own, another abstraction, and a makefile that must not run.
	solved 3 brings
	sed -i -e 's/^fn print(/mod words;\n\n&/; s/^    pr_info!.*/    words::say(text);/' \
		-e '/^use kernel::str::BStr;/d' brings/lab.rs
	cat >brings/words.rs <<'END'
//! What a message looks like.

use kernel::prelude::*;
use kernel::str::BStr;

/// Prints it.
pub(crate) fn say(text: &[u8]) {
    let _ = crate::abstractions::worker::Name::current();
    pr_info!("{:?}\n", BStr::from_bytes(text.trim_ascii_end()));
}
END
	cp "$top/abstractions/worker.rs" brings/abstractions
	# shellcheck disable=SC2016 # for make
	echo '$(shell touch '"$out"'/was-run)' >>brings/Kbuild
	echo 'garbage' >brings/abstractions/owned_queue.rs
}

graded=()

# Grades all at once. The tests below check the rows.
grade_takes_all_of_them() {
	make_folders
	mapfile -t graded < <(printf '%s\n' [01]*.*/ does-not-build is-unsafe panics \
		empty-folder brings nowhere | sed 's|/$||')
	printf '%s\n' "${graded[@]}" >graded
	lab grade --timeout 180 -- "${graded[@]}" a\ name* >rows.csv
	[[ ! -e was-run ]] || fail "a student's makefile was run"
}

# row DIR FIELD: prints a field of its row
row() {
	python3 - "$1" "$2" <<'END'
import csv, sys

with open("rows.csv", newline="") as rows:
    (row,) = [row for row in csv.DictReader(rows) if row["dir"] == sys.argv[1]]
print(row[sys.argv[2]])
END
}

# status_is DIR STATUS: fails if its row has another status
status_is() {
	[[ $(row "$1" status) == "$2" ]] ||
		fail "$1: $(row "$1" status): $(row "$1" reason), and not $2"
}

a_row_comes_for_each_folder_in_order() {
	python3 - <<'END'
import csv

with open("rows.csv", newline="") as rows:
    got = [row["dir"] for row in csv.DictReader(rows)]
wanted = open("graded").read().splitlines()
assert got[:-1] == wanted, (got, wanted)
assert got[-1].startswith("a name"), got[-1]
END
}

each_skeleton_is_built_and_fails() {
	local step
	for step in "${steps[@]}"; do
		status_is "$step.skeleton" failed
	done
}

each_solution_passes() {
	local step
	for step in "${steps[@]}"; do
		status_is "$step.solution" passed
	done
}

each_wrong_answer_fails_by_its_case() {
	local step name case
	for step in "${steps[@]}"; do
		while read -r name case; do
			status_is "$step.$name" failed
			[[ " $(row "$step.$name" reason) " == *" $case "* ]] ||
				fail "$step.$name: not by $case, but $(row "$step.$name" reason)"
		done < <(answers "$step")
	done
}

what_does_not_build_has_a_row() {
	status_is does-not-build 'does not build'
	[[ $(row does-not-build reason) == *'no field '*texts* ]]
}

unsafe_code_has_a_row() {
	status_is is-unsafe unsafe
	[[ $(row is-unsafe reason) == *lab.rs* ]]
}

what_hangs_has_a_row() {
	lab grade --timeout 20 hangs reports >hangs.csv
	grep '^hangs,02-device,timed out,.*,stopped after 20 s in a_message_is_printed$' hangs.csv
}

a_report_counts_more_than_the_time() {
	grep '^reports,02-device,kernel report,.*,"\?lab: BUG: it hangs in a_message' hangs.csv
}

what_panics_has_a_row() {
	status_is panics 'kernel report'
	[[ $(row panics reason) == *' in a_message_is_printed' ]]
}

what_is_no_folder_of_the_lab_has_a_row() {
	status_is nowhere 'no lab'
	[[ $(row nowhere reason) == 'no such folder' ]]
	status_is empty-folder 'no lab'
}

a_folder_brings_what_it_likes_but_no_makefile() {
	status_is brings passed
	[[ ! -e was-run ]]
}

csv_is_quoted() {
	python3 - <<'END'
import csv

with open("rows.csv", newline="") as rows:
    last = list(csv.DictReader(rows))[-1]
assert last["dir"] == 'a name, with "quotes"\nand a line end', last
assert last["status"] == "passed", last
END
}

# Every process of a grade holds its lock.
an_interrupted_grade_leaves_no_guest() {
	local pid lock status=0
	# Remove what the grade before left.
	rm -rf "$top/build/lab/grade"
	# Not through lab(): killing the function's shell would leave its child.
	"$top/scripts/lab.sh" grade --timeout 100 hangs >interrupted.csv 2>&1 &
	pid=$!
	until [[ -s $top/build/lab/grade/1/ktap ]]; do
		kill -0 "$pid"
		sleep 0.2
	done
	kill "$pid"
	exec {lock}>"$top/build/lab.lock"
	flock -w 40 "$lock"
	wait "$pid" || status=$?
	((status == 143))
}

a_folder_of_another_step_is_none() {
	lab grade --step 3 01-hello.solution >another.csv
	grep '^01-hello.solution,.*no lab,.*,it is of step 01-hello$' another.csv
}

json_is_what_its_schema_says() {
	lab grade --json nowhere 'one, "two"' >rows.json
	conforms lab <rows.json
	grep -qF '"dir": "one, \"two\""' rows.json
}

check_gives_hints() {
	local status=0
	lab check 01-hello.skeleton >check.out 2>&1 || status=$?
	cat check.out
	((status == 1))
	grep -q '^not ok 1 it_says_what_it_was_loaded_with$' check.out
	grep -q '^# hint: pr_info!("loaded' check.out
	grep -q '^ok 2 .* # SKIP the first one has to pass$' check.out
	(cd 01-hello.solution && lab check) >check.out 2>&1 || fail "$(<check.out)"
	grep -q '==> step 01-hello: all 3 passed .* scripts/lab.sh start 2 DIR$' check.out
	status=0
	lab check does-not-build >check.out 2>&1 || status=$?
	cat check.out
	((status == 1))
	grep -q "^error\[E0609\]: no field \`texts\`" check.out
	grep -q -- "--> $PWD/does-not-build/lab.rs:" check.out
}

a_folder_is_one_that_make_knows() {
	make --no-print-directory -C 03-message.solution test </dev/null >make.out
	grep -q '^ok 1 a_message_is_printed$' make.out
	make --no-print-directory -C 07-bound.solution run </dev/null >run.out
	cat run.out
	grep -q 'lab: "again"$' run.out
	grep -q 'lab: removed, [0-9]* printed$' run.out
	KERNEL=debian make --no-print-directory -C 07-bound.solution check
	[[ -n ${FULL:-} ]] || return 0
	KERNEL=debian make --no-print-directory -C 10-periodic.solution check
}

main() {
	unset MAKEFLAGS MAKELEVEL KDIR
	cache_init
	run_dir_init
	root_find
	prepare_kernel "$KERNEL"
	join_kernel
	prepare_kernel debian
	join_kernel
	run_points "$out" "${points[@]}"
}

main "$@"
