#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [NAME...]: checks the sources without running them. Each check prints `ok` or `not ok`,
# and its output only if it failed.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/check.sh
. "$top/scripts/lib/check.sh"
# shellcheck source=scripts/lib/abstractions.sh
. "$top/scripts/lib/abstractions.sh"
# shellcheck source=scripts/lib/doc.sh
. "$top/scripts/lib/doc.sh"

kernel_sources() { find_files '*.rs' | grep -v '^\./user/'; }

# Leaves out files with long quotations: of the compiler in tests/compile-fail, of a log in
# kernel-log.sh.
style_sources() {
	find_files "${sources[@]}" | grep -vE '^\./(user/|tests/(compile-fail/|kernel-log\.sh))'
}

# The files of lib/ are checked through the scripts that source it.
shell_sources() {
	find_files '*.sh' init profile sudo run | grep -v '/lib/[^/]*\.sh'
	printf '%s\n' scripts/lib/{enter-root,pack-guest}.sh
}

# Built into the kernel, the code differs: parameters have other names, and there is no struct
# module.
check_built_in_compiles() {
	module_build "$top" "$top/build/check/built-in" W=e CONFIG_WQ_ECHO=y \
		CONFIG_WORKQUEUE_DEMO=y wq_echo.o workqueue_demo.o
	in_root grep -q wq_echo.parm=quiet: "$top/build/check/built-in/wq_echo.o"
}

# `make bench` needs these modules to compile when the abstractions change.
check_bench_compiles() {
	module_build "$top/bench/c" "$top/build/check/bench-c" W=e
	module_build "$top/bench/rust" "$top/build/check/bench-rust" CLIPPY=1 W=e
}

check_doctests() {
	in_root env PYTHONPATH="$linux/src/tools/testing/kunit" \
		python3 -B -m doctest scripts/bench-report.py scripts/junit.py
}

check_kernel_log() { tests/kernel-log.sh; }

# Applies to the modules only: a test may be about unsafe code.
check_unsafe_only_in_abstractions() {
	kernel_sources | grep -E '^\./([^/]*\.rs$|(wq_echo|workqueue_demo)/)' | without_unsafe
}

check_abstractions_table() { abstractions_check; }

check_quotations() { in_root python3 scripts/check-quotations.py docs/*.md docs/lab/*.md; }

check_commands() { in_root python3 scripts/check-commands.py README.md docs/*.md docs/lab/*.md; }

# The build of the modules generates it.
bindings_generated=build/check/clippy/abstractions/bindings_generated.rs
need_bindings() { [[ -e $bindings_generated ]] || check_clippy; }

check_misuse_is_refused() {
	need_bindings
	# shellcheck disable=SC2046 # words
	in_root env ABSTRACTIONS_BINDINGS="$top/$bindings_generated" scripts/compile-fail.py \
		build/check/compile-fail -C "$kdir" $(kdir_compiler "$kdir")
}

check_examples_compile() {
	local crate=$top/build/check/examples
	need_bindings
	in_root scripts/doc-examples.py "$crate" "$bindings_generated"
	module_build "$crate" "$crate/out" W=e
}

check_doc() { doc_make; }

check_cargo_fmt() { wqtest_cargo fmt --check -- --color never; }

check_cargo_clippy() { wqtest_cargo clippy --locked --all-targets -- -D warnings; }

checks=(rustfmt warnings clippy built_in_compiles examples_compile bench_compiles
	misuse_is_refused checkpatch doctests kernel_log unsafe_only_in_abstractions
	abstractions_table quotations commands doc licences shellcheck cargo_fmt cargo_clippy)

main() {
	local name
	for name; do
		[[ " ${checks[*]} " == *" $name "* ]] || die "$name: there are ${checks[*]}"
	done
	(($# == 0)) || checks=("$@")
	check_begin "$top" "$top/build/check"
	prepare_kernel "$(default_kernel)"
	join_kernel
	# cargo and the checks before it mostly use one processor each.
	[[ " ${checks[*]} " != *" cargo_clippy "* ]] || spawn cargo_clippy check_cargo_clippy
	run_checks "${checks[@]}"
}

main "$@"
