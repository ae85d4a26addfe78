# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What scripts/check.sh says of this tree, and scripts/module.sh of a module of somebody's
# own. Each check is a function that fails, and prints why.

# Not asked of checkpatch, which knows patches to C drivers best:
ignored_types=(
	FILE_PATH_CHANGES	# MAINTAINERS is the kernel's
	LINUX_VERSION_CODE
	CONFIG_DESCRIPTION	# a help text may be short
)

sources=('*.rs' '*.h' '*.sh' Kbuild Kconfig Makefile '*.mk' init profile sudo run)
licence='-Identifier: GPL-2.0'

# check_begin DIR OUT: makes ready for what is in DIR to be checked, and to be built for that
# in OUT
check_begin() {
	checked=$1 check_out=$2
	cd "$checked"
	cache_init
	run_dir_init
	root_find
	share "$checked"
}

# run_checks NAME...: prints a line of KTAP for each, and what it has to say only where it
# failed. One that has been spawned already is waited for.
run_checks() {
	local check number=0 failed=0
	ktap_begin $#
	for check; do
		[[ -n ${job_pid[$check]:-} ]] || spawn "$check" "check_$check"
		test_result $((++number)) "$check" || failed=1
	done
	return "$failed"
}

# find_files PATTERN...: files of what is checked, not what was built of them
find_files() {
	local names=() pattern
	for pattern; do
		names+=(-o -name "$pattern")
	done
	find . \( -path ./build -o -path ./.git -o -path ./user/target \) -prune -o \
		-type f \( "${names[@]:1}" \) ! -name bindings_generated.rs -print | sort
}

# What of them each check is about, for one who does not say otherwise.
kernel_sources() { find_files '*.rs'; }
style_sources() { find_files "${sources[@]}"; }
shell_sources() { find_files '*.sh'; }

# rustfmt colours what it finds wherever TERM says that a terminal could show it.
check_rustfmt() {
	mapfile -t files < <(kernel_sources)
	in_root rustfmt --check --color never --config-path "$linux/src/.rustfmt.toml" "${files[@]}"
}

# In folders of their own: what clippy has compiled is not to be loaded.
# objtool's are no errors, and only what is compiled gets any.
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
	# It reads again, for each file, all that the file brings in.
	in_root xargs -0 -n 4 -P "$(nproc)" shellcheck -x -a < <(printf '%s\0' "${files[@]}")
}

# without_unsafe: of the files that stdin names none may have any, nor assembly, nor a comment that
# could hide it. Line comments aside: they may speak of it.
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
