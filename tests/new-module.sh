#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# new-module.sh [KERNEL]: tests modules made by scripts/new-module.sh: without options, with each
# one, with all. Prints KTAP. Leaves the output in build/new-module/.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/abstractions.sh
. "$top/scripts/lib/abstractions.sh"
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"

kernel=${1:-uml-kasan}
out=$top/build/new-module
options=(delayed periodic procfs poll params)
all=$(IFS=,; echo "${options[*]}")

points=(
	what_makes_no_sense_is_refused_in_one_line
	what_could_not_be_made_leaves_nothing_behind
	an_empty_folder_is_filled
	every_combination_is_formatted
	what_is_copied_is_what_is_used
	without_options_it_passes_its_tests
	with_delayed_it_passes_its_tests
	with_periodic_it_passes_its_tests
	with_procfs_it_passes_its_tests
	with_poll_it_passes_its_tests
	with_params_it_passes_its_tests
	with_all_of_them_it_passes_its_tests
	run_shows_all_of_them
	without_options_it_passes_the_checks
	with_all_of_them_it_passes_the_checks
	the_checks_find_what_is_wrong
	a_handler_that_prints_nothing_fails_its_tests
	an_editor_is_told_where_the_bindings_are
	the_kernels_own_make_builds_it
	a_tree_that_is_elsewhere_is_named_in_one_line
	a_tree_may_have_a_blank_in_its_path
)

new_module() { "$top/scripts/new-module.sh" "$@"; }

# in_folder DIR TARGET: makes TARGET there, for $kernel
in_folder() { KERNEL=$kernel make --no-print-directory -C "$@" </dev/null; }

# refused PATTERN ARG...: fails unless new-module.sh refuses ARGs with a message that matches
refused() {
	local said status=0
	said=$(new_module "${@:2}" 2>&1) || status=$?
	((status == 2)) || fail "${*:2}: status $status"
	[[ $said != *$'\n'* && $said =~ $1 ]] || fail "${*:2}: $said"
}

what_makes_no_sense_is_refused_in_one_line() {
	local name
	for name in Upper 9th a-b a/b 'a b' é _a; do
		refused 'a letter, and then' "$name" made
	done
	refused 'keeps 31 characters' a_name_of_thirty_two_characters_ made
	refused 'a word of Rust' match made
	for name in kernel core abstractions wq_echo workqueue_demo; do
		refused 'a crate of that name' "$name" made
	done
	refused 'an abstraction of that name' periodic made
	refused 'a file of that name' meminfo made
	refused 'needs a NAME'
	refused 'too many words' mine made more
	refused 'no such option' mine made --fast
	refused 'with frob: there are delayed periodic procfs poll params ' \
		mine made --with poll,frob
	refused 'with needs options: delayed' mine made --with
	refused 'in this tree' mine "$top/mine"
	mkdir full
	touch full/file
	refused 'not empty' mine full
	refused 'not a folder' mine full/file
	refused 'no such folder' mine nowhere/mine
	[[ ! -e made && $(ls full) == file ]]
}

# tree_copy DIR: copies the parts of this tree that make a module
tree_copy() {
	mkdir -p "$1/docs"
	cp -r "$top/scripts" "$top/abstractions" "$1"
	cp "$top/docs/design.md" "$1/docs"
}

# Removes a template.
what_could_not_be_made_leaves_nothing_behind() {
	local status=0
	mkdir parent
	tree_copy broken
	rm broken/scripts/new-module/test.sh
	broken/scripts/new-module.sh mine "$PWD/parent/mine" || status=$?
	((status != 0))
	[[ -z $(ls -A parent) ]]
}

an_empty_folder_is_filled() {
	mkdir empty
	new_module mine empty
	[[ -e empty/mine.rs && -e empty/.gitignore && ! -e empty/.git ]]
	[[ $(stat -c %a empty) == "$(mkdir like && stat -c %a like)" ]]
}

# Uses the shortest and longest names.
every_combination_is_formatted() {
	local subset option with
	for ((subset = 0; subset < 1 << ${#options[@]}; subset++)); do
		with=
		for ((option = 0; option < ${#options[@]}; option++)); do
			((!(subset >> option & 1))) || with+=,${options[option]}
		done
		new_module m "short$subset" ${with:+"--with=${with#,}"}
		new_module a_name_of_thirty_one_characters "long$subset" ${with:+--with "${with#,}"}
	done
	in_root rustfmt --check --config-path "$linux/src/.rustfmt.toml" short*/*.rs long*/*.rs
	! grep -rE 'my_module|MyModule|@[A-Z]+@|^[ \t]*(//|#|<!--) (with(out)? .*:|end)( -->)?$' \
		short* long*
}

# Lists them by the sources. bindings.rs needs the files that generate it.
copied_as_used() { # DIR NAME
	local file
	grep -o 'abstractions::[a-z_]*' "$1/$2.rs" | sed 's/.*:://' | sort -u |
		while IFS= read -r file; do
			abstractions_reached "$file.rs"
		done | sort -u | sed 's/^bindings.rs$/&\nbindings.mk\nbindings_helper.h/' | sort
}

what_is_copied_is_what_is_used() {
	local dir
	for dir in short*; do
		diff <(ls "$dir/abstractions") <({ copied_as_used "$dir" m; echo mod.rs; } | sort)
	done
	[[ ! -e short0/abstractions/periodic.rs && -e short31/abstractions/periodic.rs ]]
}

# passes DIR [OPTION,...]: makes a module, builds it, and runs its tests
passes() {
	new_module mine "$1" ${2:+--with "$2"}
	in_folder "$1"
	[[ -e $1/mine.ko ]]
	in_folder "$1" test | tee "$1.ktap"
	grep -q '^ok 1 a_message_is_printed$' "$1.ktap"
	! grep -E '^not ok|# SKIP' "$1.ktap"
}

without_options_it_passes_its_tests() { passes none; }
with_delayed_it_passes_its_tests() { passes one-delayed delayed; }
with_periodic_it_passes_its_tests() { passes one-periodic periodic; }
with_procfs_it_passes_its_tests() { passes one-procfs procfs; }
with_poll_it_passes_its_tests() { passes one-poll poll; }
with_params_it_passes_its_tests() { passes one-params params; }

# Neither make nor a shell takes this path unquoted.
with_all_of_them_it_passes_its_tests() { passes 'with: all of them' "$all"; }

run_shows_all_of_them() {
	in_folder 'with: all of them' run >run.out
	cat run.out
	grep -q 'mine: "hello"$' run.out
	grep -q 'mine: "message 3"$' run.out
	grep -q 'mine: summary: 4 printed$' run.out
	grep -q 'mine: tick: 4 printed$' run.out
	grep -qx 'printed 4' run.out
	grep -qx '/dev/mine: writable' run.out
	grep -qx 16 run.out
}

# Building for Debian's kernel gives more warnings than for User-mode Linux.
passes_the_checks() { KERNEL=debian make --no-print-directory -C "$1" check; } # DIR

without_options_it_passes_the_checks() { passes_the_checks none; }
with_all_of_them_it_passes_the_checks() { passes_the_checks 'with: all of them'; }

the_checks_find_what_is_wrong() {
	cp -r none wrong
	sed -i 's/^const MAX_LEN:.*/const MAX_LEN: usize  = 128; const UNUSED: u8 = 1;/' \
		wrong/mine.rs
	sed -i 1d wrong/Kbuild
	! passes_the_checks wrong >check.out || fail "nothing was found"
	cat check.out
	grep -q '^not ok .* - rustfmt ' check.out
	grep -q '^not ok .* - warnings ' check.out
	grep -q '^not ok .* - clippy ' check.out
	grep -q '^not ok .* - licences ' check.out
	grep -q '^ok .* - shellcheck ' check.out
}

# One case only, because each waits ten seconds for its message.
a_handler_that_prints_nothing_fails_its_tests() {
	cp -r none silent
	sed -i 's/^    pr_info!.*/    let _ = text;/' silent/mine.rs
	sed -i 's/^run_cases mine .*/run_cases mine a_message_is_printed/' silent/test.sh
	! in_folder silent test >silent.ktap || fail "it passed"
	cat silent.ktap
	grep -qx 'not ok 1 a_message_is_printed' silent.ktap
}

an_editor_is_told_where_the_bindings_are() {
	in_folder none rust-analyzer
	python3 - none/rust-project.json <<'END'
import json, os, sys

crates = json.load(open(sys.argv[1]))["crates"]
(mine,) = [crate for crate in crates if crate["is_workspace_member"]]
assert mine["root_module"].endswith("/none/mine.rs"), mine
assert os.path.exists(mine["env"]["ABSTRACTIONS_BINDINGS"]), mine
END
}

# Uses the Kbuild alone.
the_kernels_own_make_builds_it() {
	local alone=$out/alone
	cp -r none "$alone"
	rm "$alone"/{Makefile,mine.ko}
	in_root make -C "$kdir" "$(kdir_compiler "$kdir")" M="$alone" modules
	[[ -e $alone/mine.ko ]]
}

a_tree_that_is_elsewhere_is_named_in_one_line() {
	local said
	cp -r none moved
	sed -i 's|^WORKQUEUE_RS := .*|WORKQUEUE_RS := /gone/with\\ a\\ blank|' moved/Makefile
	! said=$(make -C moved --no-print-directory 2>&1) || fail "it was found"
	[[ $said != *$'\n'* && $said == *"/gone/with\\ a\\ blank is gone: write where "* ]] ||
		fail "$said"
	make -C moved --no-print-directory WORKQUEUE_RS="${top// /\\ }" help >help.out
	grep -q 'make run' help.out
}

a_tree_may_have_a_blank_in_its_path() {
	tree_copy 'a tree: here'
	'a tree: here/scripts/new-module.sh' mine "$PWD/from a tree"
	make -C 'from a tree' --no-print-directory help >help.out
	grep -q 'make run' help.out
	! make -C 'from a tree' --no-print-directory KERNEL=none >none.out 2>&1 || fail "it built"
	grep -q '^module.sh: KERNEL=none: there are debian ' none.out
}

main() {
	unset MAKEFLAGS MAKELEVEL KDIR
	cache_init
	run_dir_init
	root_find
	prepare_kernel debian
	join_kernel
	prepare_kernel "$kernel"
	join_kernel
	run_points "$out" "${points[@]}"
}

main "$@"
