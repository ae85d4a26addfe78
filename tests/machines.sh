#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# machines.sh [NAME...]: tests what programs read (docs/machines.md): JUnit XML, JSON, completions,
# manual pages. Also tests that escape sequences and complaints go only where they are wanted.
# Prints KTAP.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"
# shellcheck source=tests/schema.sh
. "$top/tests/schema.sh"

points=(
	each_result_of_ktap_is_a_test_case
	a_run_that_breaks_off_is_an_error
	a_run_that_fails_without_a_test_is_an_error
	what_printed_no_ktap_is_an_error
	a_run_that_was_left_out_is_skipped
	what_xml_does_not_know_is_escaped
	what_cargo_prints_becomes_ktap
	runs_are_recorded_with_their_status
	a_failed_test_says_why_in_its_diagnostic_lines
	schemas_name_what_they_are_of
	doctor_prints_what_its_schema_says
	stats_prints_what_its_schema_says
	bench_prints_what_its_schema_says
	the_guests_tests_become_junit
	what_is_no_terminal_gets_no_escape_sequence
	no_color_keeps_escape_sequences_from_terminals
	what_rustfmt_finds_is_not_coloured
	bash_completes_what_users_type
	completions_are_what_their_shells_read
	man_has_a_page_for_each_command
	scripts_end_quietly_where_nobody_reads
)

# python CMD...: runs the root's python
python() {
	in_root env PYTHONPATH="$linux/src/tools/testing/kunit" python3 -B "$@"
}

# junit NAME <KTAP: makes NAME.xml
junit() {
	cat >"$1.ktap"
	python "$top/scripts/junit.py" "$PWD/$1.xml" "$PWD/$1.ktap"
}

# cases NAME: prints NAME.xml: a line for each test case with name and time, then lines for its
# verdict and details. Checks the counts in the file.
cases() {
	python -c 'import sys
import xml.etree.ElementTree as ET
root = ET.parse(sys.argv[1]).getroot()
assert root.tag == "testsuites"
counts = {"testcase": "tests", "failure": "failures", "error": "errors", "skipped": "skipped"}
for element in [root, *root]:
    for kind, name in counts.items():
        found = len(list(element.iter(kind)))
        assert int(element.get(name)) == found, (element.attrib, kind, found)
for case in root.iter("testcase"):
    print(case.get("classname") + "." + case.get("name"), case.get("time") or "-")
    for part in case:
        print("  " + part.tag + ":", part.get("message"))
        for line in part.text.split("\n") if part.text else []:
            print("  | " + line)
' "$PWD/$1.xml"
}

# are NAME: fails unless the cases of NAME match stdin
are() {
	cat >"$1.expected"
	cases "$1" | diff "$1.expected" - || fail "these are not the cases"
}

# has NAME CASE KIND MESSAGE: fails unless NAME.xml has that
has() {
	cases "$1" | grep -A 1 "^$2 " | grep -q "^  $3: $4" || fail "no $3 of $2:" "$(cases "$1")"
}

each_result_of_ktap_is_a_test_case() {
	junit all <<-'END'
		booting
		KTAP version 1
		1..7
		ok 1 passed # 0.031 s
		# failed: left <is> "right" & more
		[    9.123456] wq_echo: "x" (len=1)
		# failed took 3.200 s
		not ok 2 failed # expected 1, got 2
		ok 3 skipped # SKIP no device # there
		not ok 4 hung # TIMEOUT 60 seconds
		# note: one
		ok 5 - told
		# it says
		# why
		not ok 6 - in_shell # 1.500 s
		    KTAP version 1
		    # Subtest: suite
		    1..2
		    ok 1 first
		    # second: ASSERTION FAILED at x.rs:3
		    not ok 2 second
		not ok 7 suite
		# 3 passed
	END
	are all <<-'END'
		all.passed 0.031
		all.failed 3.200
		  failure: expected 1, got 2
		  | failed: left <is> "right" & more
		  | [    9.123456] wq_echo: "x" (len=1)
		  | failed took 3.200 s
		  | expected 1, got 2
		all.skipped -
		  skipped: no device # there
		all.hung -
		  failure: TIMEOUT 60 seconds
		  | TIMEOUT 60 seconds
		all.told -
		  system-out: None
		  | note: one
		all.in_shell 1.500
		  failure: why
		  | it says
		  | why
		all.suite.first -
		all.suite.second -
		  failure: second: ASSERTION FAILED at x.rs:3
		  | second: ASSERTION FAILED at x.rs:3
	END
}

a_run_that_breaks_off_is_an_error() {
	junit crash <<-'END'
		KTAP version 1
		1..4
		ok 1 a
		ok 2 b
		[    3.100000] BUG: KASAN: slab-use-after-free
		[    3.200000] Kernel panic - not syncing: kernel: panic_on_warn set
	END
	are crash <<-'END'
		crash.a -
		crash.b -
		crash.the run -
		  error: 2 of the tests that were planned did not run
		  | [    3.100000] BUG: KASAN: slab-use-after-free
		  | [    3.200000] Kernel panic - not syncing: kernel: panic_on_warn set
	END
	# Excess results are reported. Without a plan, any number is right.
	junit beyond <<<$'KTAP version 1\n1..1\nok 1 a\nok 2 b'
	has beyond 'beyond.the run' error '2 results where 1 were planned'
	junit no_plan <<<$'KTAP version 1\nok 1 a\nok 2 b'
	are no_plan <<<$'no_plan.a -\nno_plan.b -'
	# A suite reports a failure, though none of its tests does.
	junit inner <<<$'KTAP version 1\n1..1\n    # Subtest: s\n    1..2\n    ok 1 a\nnot ok 1 s'
	has inner 'inner.the run' error '1 of the tests'
	junit outer <<<$'KTAP version 1\n1..1\n    # Subtest: s\n    1..1\n    ok 1 a\nnot ok 1 s'
	has outer 'outer.s' failure 'no reason given'
}

a_run_that_fails_without_a_test_is_an_error() {
	echo 124 >bad.status
	junit bad <<<$'KTAP version 1\n1..1\nok 1 a'
	are bad <<-'END'
		bad.a -
		bad.the run -
		  error: it ended with status 124, though no test failed
		  | it ended with status 124, though no test failed
	END
	# The failure is reported once.
	echo 1 >failed.status
	junit failed <<<$'KTAP version 1\n1..1\nnot ok 1 a # no'
	are failed <<<$'failed.a -\n  failure: no\n  | no'
	echo 0 >good.status
	junit good <<<$'KTAP version 1\n1..1\nok 1 a'
	are good <<<'good.a -'
}

what_printed_no_ktap_is_an_error() {
	junit nothing </dev/null
	has nothing 'nothing.the run' error 'no KTAP was printed'
	junit words <<<"qemu-run.sh: the guest ended without a word"
	has words 'words.the run' error 'no KTAP was printed'
	cases words | grep '^  | qemu-run.sh: the guest ended without a word' >/dev/null
}

a_run_that_was_left_out_is_skipped() {
	junit out <<<$'KTAP version 1\n1..0 # SKIP they take root'
	are out <<<$'out.the run -\n  skipped: they take root'
}

what_xml_does_not_know_is_escaped() {
	printf 'KTAP version 1\n1..1\n# \033[31m\001\377 \xef\xbf\xbe %s\r\nnot ok 1 a # \b<&">\n' \
		'中文' | junit odd
	are odd <<-'END'
		odd.a -
		  failure: \x08<&">
		  | \x1b[31m\x01\xff \ufffe 中文
		  | \x08<&">
	END
}

what_cargo_prints_becomes_ktap() {
	ktap_of_cargo <<-'END' >cargo.ktap
		   Compiling wqtest v0.1.0

		running 4 tests
		test cli::tests::takes_texts ... ok
		test model::tests::splits - should panic ... ok
		test raw::tests::asks ... ignored, no io_uring, or 5.1
		test runner::tests::fails ... FAILED

		failures:

		---- runner::tests::fails stdout ----

		thread 'runner::tests::fails' panicked at src/runner.rs:3:5:
		oh no

		failures:
		    runner::tests::fails

		test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out
	END
	sed 's/ $//' cargo.ktap | diff - <(
		cat <<-'END'
			KTAP version 1
			1..4
			ok 1 cli::tests::takes_texts
			ok 2 model::tests::splits - should panic
			ok 3 raw::tests::asks # SKIP ignored, no io_uring, or 5.1
			#
			# thread 'runner::tests::fails' panicked at src/runner.rs:3:5:
			# oh no
			#
			not ok 4 runner::tests::fails
		END
	) || fail "this is not its KTAP"
	# What does not compile has no tests.
	echo 101 >broken.status
	ktap_of_cargo <<<'error: could not compile' | junit broken
	has broken 'broken.the run' error ''
}

recording() {
	unset WQ_RESULTS
	results_begin "$PWD/results"
	recorded good printf 'KTAP version 1\n1..1\nok 1 a # 0.100 s\n' || return
	recorded bad sh -c 'echo "KTAP version 1"; exit 3' && return
	recorded_cargo cargo printf 'test a ... ok\n' || return
	# A script called by a recording script leaves the recording to it.
	(
		results_begin "$PWD/own"
		recorded inner printf 'KTAP version 1\n1..1\nok 1 b\n'
		results_end
	) || return
	[[ ! -e own ]] || return
	results_end
}

runs_are_recorded_with_their_status() {
	recording >shown 2>said || fail "$(cat shown said)"
	[[ $(cat results/{good,bad,cargo,inner}.status | xargs) == '0 3 0 0' ]] ||
		fail "$(head results/*.status)"
	grep -qx 'ok 1 a # 0.100 s' shown
	cp results/junit.xml .
	[[ $(cases junit | grep '^[a-z]' | xargs) == \
		'bad.the run - cargo.a - good.a 0.100 inner.b -' ]] || fail "$(cases junit)"
	has junit 'bad.the run' error ''
}

a_failed_test_says_why_in_its_diagnostic_lines() {
	mkdir inner
	cat >inner.sh <<-'END'
		set -euo pipefail
		top=$1
		. "$top/tests/points.sh"
		fine() { :; }
		wrong() { echo "ok 7 nothing"; fail "it is wrong"; }
		run_points "$PWD/inner" fine wrong
	END
	! bash inner.sh "$top" >points.out || fail "it passed"
	junit points <points.out
	sed -E -i 's/time="[0-9]+\.[0-9]{3}"/time="known"/' points.xml
	are points <<-'END'
		points.fine known
		points.wrong known
		  failure: it is wrong
		  | ok 7 nothing
		  | it is wrong
	END
}

# Each schema must be linked from the page.
schemas_name_what_they_are_of() {
	local schema
	for schema in "$top"/docs/schemas/*.json; do
		python -m json.tool "$schema" >/dev/null
		grep -qF "(schemas/${schema##*/})" "$top/docs/machines.md" ||
			fail "docs/machines.md does not name ${schema##*/}"
	done
}

doctor_prints_what_its_schema_says() {
	# The verdict on this machine does not matter.
	"$top/scripts/doctor.sh" --json >doctor.json || true
	conforms doctor <doctor.json
	"$top/scripts/doctor.sh" --json 7.2.0 >other.json || true
	conforms doctor <other.json
	make -C "$top" --no-print-directory doctor JSON=1 >made.json || true
	conforms doctor <made.json
}

# shellcheck disable=SC2016 # expanded by the guest's shell
# Runs what needs no special boot, all in one. Each part begins with its name.
in_guest() {
	[[ ! -e guest.out ]] || return 0
	"$top/scripts/qemu-run.sh" --kernel debian --timeout 300 \
		--append 'printk.devkmsg=on' -- '
		printf "custom 2 percpu\nstart 1000\ndata 1\n" >/proc/workqueue_demo
		echo "== stats"; wqtest stats --json
		rmmod workqueue_demo
		echo "== stats_of_one"; wqtest stats --json
		echo "== bench"; wqtest bench boot floor --rounds 2 --messages 100
		modprobe workqueue_demo
		echo "== ktap"; wqtest test wqtest_echo
		echo "== terminal"; test -t 1 && echo "a terminal"
		wqtest watch & watch=$!
		until grep -q "^wchar: [1-9]" /proc/$watch/io; do usleep 10000; done
		kill -INT $watch; wait $watch
		ls -l /; dmesg | tail -n 3; wqtest --help
	' </dev/null >guest.out
}

part() { awk -v part="== $1" '/^== / { here = $0 == part; next } here' guest.out; } # NAME

stats_prints_what_its_schema_says() {
	in_guest
	part stats | conforms stats
	part stats | grep workqueue_demo_percpu >/dev/null
	part stats_of_one | conforms stats
	part stats_of_one | grep '"workqueue_demo": null' >/dev/null
}

bench_prints_what_its_schema_says() {
	in_guest
	part bench >debian.icount.jsonl
	conforms bench <debian.icount.jsonl
	in_root python3 "$top/scripts/bench-report.py" "$PWD" "$PWD/bench.json" "$PWD/bench.svg" \
		"$PWD/growth.svg" >table
	conforms bench <bench.json
	[[ $(grep -c '"kernel": "debian"' bench.json) == "$(wc -l <debian.icount.jsonl)" ]]
}

the_guests_tests_become_junit() {
	in_guest
	part ktap | junit guest
	cases guest | grep -qE '^guest\.wqtest_echo_says_what_it_wrote [0-9]+\.[0-9]{3}$'
	! cases guest | grep -E ' -$|^  (failure|error|skipped):' ||
		fail "without a time, or without success"
}

# The guest has a terminal, but its output goes to a file.
what_is_no_terminal_gets_no_escape_sequence() {
	in_guest
	part terminal | grep -x 'a terminal' >/dev/null
	part terminal | grep 'wqtest watch: anew each second' >/dev/null
	part terminal | grep 'Usage: wqtest' >/dev/null
	! grep -n $'\e' guest.out || fail "it has escape sequences"
}

# on_terminal STEPS CMD...: plays STEPS to CMD on a terminal
on_terminal() {
	local steps=$1
	shift
	PATIENCE=60 TRANSCRIPT=transcript timeout 100 python3 "$top/tests/terminal.py" 24x90 "$@" \
		<<<"$steps" || fail "$(cat -v transcript)"
}

# coloured_but_with_no_color SIGN CMD...: fails unless CMD uses colours on a terminal, and none with
# NO_COLOR
coloured_but_with_no_color() {
	local sign=$1
	shift
	on_terminal "expect $sign"$'\nend 0' env -u NO_COLOR TERM=xterm "$@"
	on_terminal $'end 0\nsilent \\x1b' env NO_COLOR=1 TERM=xterm "$@"
}

no_color_keeps_escape_sequences_from_terminals() {
	cat >step.sh <<-'END'
		set -euo pipefail
		top=$1
		. "$top/scripts/lib/all.sh"
		run_dir=$2
		SECONDS=1
		echo "how far it is" >"$run_dir/log"
		exec {never}<>"$run_dir/never"
		step "doing it" it true
		progress "doing it" "$run_dir/log" 15
	END
	mkdir run
	mkfifo run/never
	coloured_but_with_no_color '\x1b\[K' bash step.sh "$top" "$PWD/run"
	on_terminal $'end 0\nsilent \\x1b' env -u NO_COLOR TERM=dumb bash step.sh "$top" "$PWD/run"
	on_terminal $'expect how far it is\nend 0' env NO_COLOR=1 bash step.sh "$top" "$PWD/run"
	# cargo in the root.
	coloured_but_with_no_color '\x1b\[' "$top/scripts/in-root.sh" cargo --help
	# kunit.py.
	printf 'KTAP version 1\n1..1\nok 1 a\n' >one.ktap
	cat >kunit.sh <<-'END'
		set -euo pipefail
		top=$1
		. "$top/scripts/lib/all.sh"
		root_find
		kernel_find debian
		kunit_py=$linux/src/tools/testing/kunit/kunit.py
		without_colours in_root python3 -B "$kunit_py" parse "$2"
	END
	coloured_but_with_no_color '\x1b\[' bash kunit.sh "$top" "$PWD/one.ktap"
}

# rustfmt would colour its output if TERM allowed it.
what_rustfmt_finds_is_not_coloured() {
	# shellcheck source=scripts/lib/check.sh
	. "$top/scripts/lib/check.sh"
	mkdir wrong
	echo 'fn  wrong() {}' >wrong/wrong.rs
	cd wrong
	! TERM=xterm check_rustfmt >../found 2>&1 || fail "it has found nothing"
	grep -q 'wrong() {}' ../found || fail "$(<../found)"
	! grep $'\e' ../found || fail "it has escape sequences"
}

# wqtest for this machine.
wqtest() { "$(wqtest_path)" "$@"; }

wqtest_prepare() {
	build_lock
	(wqtest_build)
	build_unlock
}

# completed WORD...: prints bash's completions of the last WORD
completed() {
	local COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_wqtest wqtest "${*: -1}" "${*: -2:1}"
	printf '%s\n' "${COMPREPLY[@]}" | sort | xargs
}

bash_completes_what_users_type() {
	wqtest_prepare
	wqtest completions bash >wqtest.bash
	# shellcheck source=/dev/null # made above
	. ./wqtest.bash
	[[ $(complete -p wqtest) == *' -F _wqtest '* ]]
	[[ $(completed wqtest st) == stats ]] || fail "st: $(completed wqtest st)"
	[[ $(completed wqtest stats --j) == --json ]] || fail "--j: $(completed wqtest stats --j)"
	[[ $(completed wqtest fire --) == '--actions --cycles --help --inputs --list '* ]] ||
		fail "--: $(completed wqtest fire --)"
	[[ $(completed wqtest bench gr) == growth ]] || fail "gr: $(completed wqtest bench gr)"
	[[ $(completed wqtest completions '') == *'bash fish zsh' ]] ||
		fail "completions: $(completed wqtest completions '')"
	[[ $(completed wqtest '') == *' bench '*' watch' ]] || fail "$(completed wqtest '')"
	[[ $(completed wqtest '') != *child* ]] || fail "$(completed wqtest '')"
}

# Tests the shells that are installed.
completions_are_what_their_shells_read() {
	local shell
	wqtest_prepare
	make -C "$top" --no-print-directory completions
	for shell in bash:wqtest fish:wqtest.fish zsh:_wqtest; do
		wqtest completions "${shell%:*}" | cmp - "$top/build/completions/${shell#*:}"
		! command -v "${shell%:*}" >/dev/null ||
			"${shell%:*}" -n "$top/build/completions/${shell#*:}"
	done
	! wqtest completions sh 2>refused || fail "there are completions for sh"
	grep -q 'bash, fish, zsh' refused
}

man_has_a_page_for_each_command() {
	local name names
	wqtest_prepare
	make -C "$top" --no-print-directory man
	names=$(wqtest --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')
	for name in $names; do
		[[ $name != help ]] || continue
		[[ -s $top/build/man/man1/wqtest-$name.1 ]] || fail "wqtest $name has no page"
	done
	[[ $(find "$top/build/man" -name '*.1' | wc -l) == "$(wc -w <<<"$names")" ]] ||
		fail "$(ls "$top/build/man/man1")"
	! command -v groff >/dev/null || {
		groff -man -Tutf8 -ww -z "$top/build/man"/man1/*.1 >groff.out 2>&1
		[[ ! -s groff.out ]] || fail "$(<groff.out)"
	}
	! command -v man >/dev/null || {
		MANWIDTH=90 man -l "$top/build/man/man1/wqtest-stats.1" >stats.txt
		grep -q -e '--json' stats.txt
		grep -q 'wqtest-stats - Shows the counters of both modules' stats.txt
	}
}

# unread CMD...: runs CMD with a stdout that nobody reads, as before `| true`, and prints its status
unread() {
	python3 -c 'import os, subprocess, sys
read, write = os.pipe()
os.close(read)
print(subprocess.run(sys.argv[1:], stdout=write).returncode)' "$@"
}

scripts_end_quietly_where_nobody_reads() {
	local status script
	wqtest_prepare
	for script in scripts/{doctor,qemu-run,new-module}.sh; do
		status=$(unread bash "$top/$script" --help 2>said)
		[[ ! -s said ]] || fail "$script: $status: $(<said)"
	done
	status=$(unread bash "$top/scripts/doctor.sh" 2>said)
	[[ ! -s said && $status == -13 ]] || fail "doctor.sh: $status: $(<said)"
	status=$(unread "$(wqtest_path)" man 2>said)
	[[ ! -s said && $status == 0 ]] || fail "wqtest man: $status: $(<said)"
}

main() {
	cd "$top"
	cache_init
	run_dir_init
	root_find
	prepare_kernel debian
	join_kernel
	(($# == 0)) || points=("$@")
	run_points "$top/build/machines" "${points[@]}"
}

main "$@"
