#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [NAME...]: what can be said of the sources without running them. Each
# check prints `ok` or `not ok`, and what it has to say only in the latter case.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

# Not asked of checkpatch, which knows patches to C drivers best:
ignored_types=(
	FILE_PATH_CHANGES	# MAINTAINERS is the kernel's
	LINUX_VERSION_CODE
	CONFIG_DESCRIPTION	# a help text may be short
)

sources=('*.rs' '*.h' '*.sh' Kbuild Kconfig Makefile init profile sudo run)
licence='-Identifier: GPL-2.0'

# find_files PATTERN...: files of this tree, not what was built of them
find_files() {
	local names=() pattern
	for pattern; do
		names+=(-o -name "$pattern")
	done
	find . \( -path ./build -o -path ./.git -o -path ./user/target \) -prune -o \
		-type f \( "${names[@]:1}" \) -print | sort
}

kernel_sources() { find_files '*.rs' | grep -v '^\./user/'; }

check_rustfmt() {
	mapfile -t files < <(kernel_sources)
	in_root rustfmt --check --config-path "$linux/src/.rustfmt.toml" "${files[@]}"
}

# In folders of their own: what clippy has compiled is not to be loaded.
# objtool's are no errors, and only what is compiled gets any.
check_warnings() {
	local out=$top/build/check/warnings
	rm -rf "$out"
	module_build "$top" "$out" W=e 2>&1 | tee "$run_dir/build.out"
	! grep -q 'warning: objtool:' "$run_dir/build.out"
}

check_clippy() { module_build "$top" "$top/build/check/clippy" CLIPPY=1 W=e; }

# As a part of the kernel: another name for each parameter, no struct module.
check_built_in_compiles() {
	module_build "$top" "$top/build/check/built-in" W=e CONFIG_WQ_ECHO=y \
		CONFIG_WORKQUEUE_DEMO=y wq_echo.o workqueue_demo.o
	in_root grep -q wq_echo.parm=quiet: "$top/build/check/built-in/wq_echo.o"
}

# The other half of `make bench`: what it measures changes with the abstractions.
check_bench_compiles() {
	module_build "$top/bench/c" "$top/build/check/bench-c" W=e
	module_build "$top/bench/rust" "$top/build/check/bench-rust" CLIPPY=1 W=e
}

check_doctests() { in_root python3 -B -m doctest scripts/bench-report.py; }

check_kernel_log() { tests/kernel-log.sh; }

check_checkpatch() {
	local types
	types=$(IFS=,; echo "${ignored_types[*]}")
	# tests/compile-fail quotes the compiler at the ends of its lines, kernel-log.sh a log.
	mapfile -t files < <(find_files "${sources[@]}" |
		grep -vE '^\./(user/|tests/(compile-fail/|kernel-log\.sh))')
	in_root "$linux/src/scripts/checkpatch.pl" --no-tree --strict --quiet --no-summary \
		--ignore "$types" -f "${files[@]}"
}

check_shellcheck() {
	# What is in lib/ is checked where it is brought in.
	mapfile -t files < <(find_files '*.sh' init profile sudo run | grep -v '/lib/[^/]*\.sh')
	in_root shellcheck -x -a "${files[@]}" scripts/lib/enter-root.sh
}

# Of the modules, that is: a test may be about what is unsafe.
check_unsafe_only_in_abstractions() {
	local found
	# Line comments aside: they may speak of it.
	found=$(kernel_sources | grep -E '^\./([^/]*\.rs$|(wq_echo|workqueue_demo)/)' |
		xargs sed -s -n '\|^\s*//|!{/\bunsafe\b\|kernel::bindings\|\bbindings::/F;//p}')
	[[ -z $found ]] || { echo "$found"; return 1; }
}

check_licences() {
	local file status=0
	while IFS= read -r file; do
		head -n 3 "$file" | grep -qe "$licence" && continue
		echo "$file: no SPDX line"
		status=1
	done < <(find_files "${sources[@]}" '*.config' '*.cmdline' '*.toml' '*.txt')
	return $status
}

check_quotations() { in_root python3 scripts/check-quotations.py docs/*.md; }

# Made along with the modules.
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

in_user() { (cd user && in_root env CARGO_TARGET_DIR="$top/build/user" "$@"); }

check_cargo_fmt() { in_user cargo fmt --check; }

check_cargo_clippy() { in_user cargo clippy --locked --all-targets -- -D warnings; }

checks=(rustfmt warnings clippy built_in_compiles examples_compile bench_compiles
	misuse_is_refused checkpatch doctests kernel_log unsafe_only_in_abstractions quotations
	licences shellcheck cargo_fmt cargo_clippy)

main() {
	local check number=0 failed=0
	(($# == 0)) || checks=("$@")
	cd "$top"
	cache_init
	run_dir_init
	root_find
	prepare_kernel debian
	join_kernel
	printf '1..%d\n' "${#checks[@]}"
	for check in "${checks[@]}"; do
		spawn "$check" "check_$check"
		test_result $((++number)) "$check" || failed=1
	done
	return $failed
}

main "$@"
