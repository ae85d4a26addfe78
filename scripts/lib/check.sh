# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Checks of this tree for scripts/check.sh, and of a user's module for scripts/module.sh. Each check
# is a function that prints why it fails.

# checkpatch checks that suit patches to C drivers, not this tree:
ignored_types=(
	FILE_PATH_CHANGES	# MAINTAINERS is the kernel's
	LINUX_VERSION_CODE
	CONFIG_DESCRIPTION	# a help text may be short
)

sources=('*.rs' '*.h' '*.sh' Kbuild Kconfig Makefile '*.mk' init profile sudo run)
licence='-Identifier: GPL-2.0'

# check_begin DIR OUT: prepares to check DIR, with builds in OUT
check_begin() {
	checked=$1 check_out=$2
	cd "$checked"
	cache_init
	run_dir_init
	root_find
	share "$checked"
}

# run_checks NAME...: prints a line of KTAP for each check, after its output if it failed. Waits for
# checks that were spawned before.
run_checks() {
	local check number=0 failed=0
	ktap_begin $#
	for check; do
		[[ -n ${job_pid[$check]:-} ]] || spawn "$check" "check_$check"
		test_result $((++number)) "$check" || failed=1
	done
	return "$failed"
}

# find_files PATTERN...: prints matching sources, no build output
find_files() {
	local names=() pattern
	for pattern; do
		names+=(-o -name "$pattern")
	done
	find . \( -path ./build -o -path ./.git -o -path ./user/target \) -prune -o \
		-type f \( "${names[@]:1}" \) ! -name bindings_generated.rs -print | sort
}

# The files that each check reads. Callers may redefine these.
kernel_sources() { find_files '*.rs'; }
style_sources() { find_files "${sources[@]}"; }
shell_sources() { find_files '*.sh'; }

# rustfmt prints colours if TERM supports them, terminal or not.
check_rustfmt() {
	mapfile -t files < <(kernel_sources)
	in_root rustfmt --check --color never --config-path "$linux/src/.rustfmt.toml" "${files[@]}"
}

# This check and check_clippy build in folders of their own: modules compiled by clippy must not be
# loaded. objtool's warnings do not fail make and appear only when it compiles, so compile anew.
check_warnings() {
	rm -rf "$check_out/warnings"
	module_build "$checked" "$check_out/warnings" W=e 2>&1 | tee "$run_dir/build.out"
	! grep -q 'warning: objtool:' "$run_dir/build.out"
}

check_clippy() { module_build "$checked" "$check_out/clippy" CLIPPY=1 W=e; }

check_checkpatch() {
	local types
	types=$(IFS=,; echo "${ignored_types[*]}")
	mapfile -t files < <(style_sources)
	in_root "$linux/src/scripts/checkpatch.pl" --no-tree --strict --quiet --no-summary \
		--ignore "$types" -f "${files[@]}"
}

check_shellcheck() {
	mapfile -t files < <(shell_sources)
	# It reads sourced files again for each file.
	in_root xargs -0 -n 4 -P "$(nproc)" shellcheck -x -a < <(printf '%s\0' "${files[@]}")
}

# without_unsafe: fails if a file named on stdin has unsafe code, assembly, or a block comment that
# could hide them. Line comments may mention them.
without_unsafe() {
	local found
	found=$(tr '\n' '\0' |
		xargs -0 sed -s -n '\|^\s*//|!{
			/\bunsafe\b\|kernel::bindings\|\bbindings::\|\basm!\|_asm!\|\/\*/F
			//p
		}') || found+="some of it could not be read"
	[[ -z $found ]] || { echo "$found"; return 1; }
}

check_licences() {
	local file status=0
	while IFS= read -r file; do
		head -n 3 "$file" | grep -qe "$licence" && continue
		echo "$file: no SPDX line"
		status=1
	done < <(find_files "${sources[@]}" '*.config' '*.cmdline' '*.toml' '*.txt' '*.in')
	return "$status"
}
