#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# in-tree.sh: builds this tree as samples/rust/workqueue/ of the kernel's, the place its files are
# meant for. Builds it into User-mode Linux, and as modules of it. Looks for warnings, and tries
# configurations that lack something. Prints KTAP. Leaves the builds' output in
# build/in-tree/tests/.
#
# Environment: FULL, not empty: looks for warnings with all options too, built in, as modules, and
# as modules for x86-64. Otherwise only in the minimal configuration, built in.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/in-tree.sh
. "$top/scripts/lib/in-tree.sh"
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"

kernels=(uml-kasan)
[[ -z ${FULL:-} ]] || kernels+=(debian)
options=(WQ_ECHO WORKQUEUE_DEMO WORKQUEUE_ABSTRACTIONS_KUNIT_TEST)
failslab=(CONFIG_DEBUG_KERNEL=y CONFIG_FAULT_INJECTION=y CONFIG_FAILSLAB=y)

points=(
	rustfmtcheck_finds_nothing_to_change
	built_in_it_is_built
	built_in_the_nodes_are_there_after_the_boot
	built_in_the_cases_that_load_no_module_pass
	as_modules_it_is_built
	as_modules_modprobe_finds_what_was_installed
	kconfig_refuses_what_the_kernel_lacks
	with_as_little_as_they_want_nothing_warns
)
[[ -z ${FULL:-} ]] || points+=(
	with_all_built_in_nothing_warns
	with_all_as_modules_nothing_warns
	as_modules_for_x86_64_nothing_warns
)
points+=(the_cached_kernels_stay_as_they_are)

# use KERNEL: selects the kernel that the functions of in-tree.sh use
use() {
	kernel=$1
	kernel_find "$1"
	in_tree_find_options
}

# It may find something in the kernel itself, but must not fail otherwise.
rustfmtcheck_finds_nothing_to_change() {
	in_tree_run built-in make rustfmtcheck >rustfmt.log 2>&1 || grep -q '^Diff in' rustfmt.log
	! grep -F "$in_tree_place" rustfmt.log
}

built_in_it_is_built() { in_tree_make built-in linux; }

# guest FOLDER ARG...: boots without the suites, which would run at each boot
guest() {
	KDIR=$in_tree/$1 "$top/scripts/qemu-run.sh" --no-modules --timeout 300 \
		--append "$(sed 's/#.*//' "$configs/$kernel.cmdline" | xargs)" "${@:2}" </dev/null
}

built_in_the_nodes_are_there_after_the_boot() {
	guest built-in -- '[ ! -s /proc/modules ] && cat /proc/workqueue_demo >/dev/null &&
		echo "as a part of it" >/dev/wq_echo && echo flush >/proc/workqueue_demo &&
		until dmesg | grep "wq_echo: \"as a part of it\" (len=15)"; do usleep 10000; done'
}

built_in_the_cases_that_load_no_module_pass() {
	guest built-in -- wqtest test >built-in.ktap
	# Most cases must pass. User-mode Linux has no freezer.
	(($(grep -c '^ok ' built-in.ktap) - $(grep -c '# SKIP' built-in.ktap) > 100))
	! grep '# SKIP' built-in.ktap | grep -Ev 'is built into the kernel|no freezer to be tested'
}

# configure FOLDER VALUE: makes all options of this tree m (module) or y (built in)
configure() {
	local ours
	ours=$(IFS='|'; echo "${options[*]}")
	in_tree_folder "$1"
	{
		grep -vE "$ours" "$top/.kunitconfig"
		printf "CONFIG_%s=$2\n" "${options[@]}"
	} | in_tree_configure "$1"
}

as_modules_it_is_built() {
	configure modules m
	in_tree_make modules linux modules
}

as_modules_modprobe_finds_what_was_installed() {
	local installed=$in_tree/installed
	rm -rf "$installed"
	in_tree_make modules modules_install INSTALL_MOD_PATH="$installed" INSTALL_MOD_STRIP=1
	grep -q "/$in_tree_place/wq_echo.ko:" "$installed"/lib/modules/*/modules.dep
	# Remove a link to the build folder.
	rm -f "$installed"/lib/modules/*/build
	guest modules --add "$installed/lib/modules/.:/lib/modules" -- '
		modprobe -a wq_echo workqueue_demo && lsmod && modinfo -F filename wq_echo &&
		echo "as a module" >/dev/wq_echo && echo flush >/proc/workqueue_demo &&
		modprobe -r wq_echo workqueue_demo &&
		dmesg | grep "wq_echo: \"as a module\" (len=11)"' \
		>modprobe.out
	cat modprobe.out
	grep -q "^/lib/modules/.*/kernel/$in_tree_place/wq_echo.ko$" modprobe.out
}

# configured TARGET LINE...: makes TARGET configure $in_tree/new from these lines
configured() {
	rm -rf "${in_tree:?}/new"
	mkdir "$in_tree/new"
	printf '%s\n' CONFIG_SAMPLES=y CONFIG_SAMPLES_RUST=y "${@:2}" >"$in_tree/new.lines"
	in_tree_make new KCONFIG_ALLCONFIG="$in_tree/new.lines" "$1" >>kconfig.log 2>&1
}
has() { grep -qx "CONFIG_$1" "$in_tree/new/.config" || fail "no CONFIG_$1"; }
has_not() { ! grep "^CONFIG_$1=" "$in_tree/new/.config" || fail "CONFIG_$1"; }

kconfig_refuses_what_the_kernel_lacks() {
	local all=("${options[@]/#/CONFIG_}") rust=(CONFIG_RUST=y CONFIG_EXPERT=y)
	all=("${all[@]/%/=y}")
	configured allnoconfig "${all[@]}"
	has_not WQ_ECHO
	has_not WORKQUEUE_DEMO
	configured allnoconfig "${rust[@]}" "${all[@]}"
	has WQ_ECHO=y
	has_not PROC_FS
	has_not WORKQUEUE_DEMO
	has_not WORKQUEUE_ABSTRACTIONS_KUNIT_TEST
	rust+=(CONFIG_PROC_FS=y CONFIG_MODULES=y)
	configured allnoconfig "${rust[@]}" CONFIG_KUNIT=m "${failslab[@]}" "${all[@]}"
	has WORKQUEUE_DEMO=y
	has_not WORKQUEUE_ABSTRACTIONS_KUNIT_TEST
	configured allnoconfig "${rust[@]}" CONFIG_KUNIT=y "${all[@]}"
	has_not WORKQUEUE_ABSTRACTIONS_KUNIT_TEST
	configured allnoconfig "${rust[@]}" CONFIG_KUNIT=y CONFIG_KUNIT_ALL_TESTS=y \
		"${failslab[@]}"
	has WORKQUEUE_ABSTRACTIONS_KUNIT_TEST=y
	has_not WQ_ECHO
}

# nothing_warns FOLDER: fails if W=1 or clippy warn of our files in $in_tree/FOLDER
nothing_warns() {
	local log=$1.log
	# Only compiled files give warnings, so compile ours anew.
	mkdir -p "$in_tree/$1/$in_tree_place"
	find "$in_tree/$1/$in_tree_place" -name '*.o' -delete
	in_tree_make "$1" W=1 CLIPPY=1 KCFLAGS= "$in_tree_place/" >"$log" 2>&1 || {
		tail -n 40 "$log"
		return 1
	}
	grep -q "CLIPPY .*$in_tree_place/wq_echo.o" "$log"
	grep -q "CLIPPY .*$in_tree_place/workqueue_demo.o" "$log"
	# The kernel's own files may have warnings.
	! grep -E -B 2 -A 8 "^ +--> .*$in_tree_place" "$log"
}

# Has no SYSFS, DEBUG_FS, PRINTK, MODULES, SMP or HIGH_RES_TIMERS. The modules do without, or
# Kconfig refuses it above.
with_as_little_as_they_want_nothing_warns() {
	configured allnoconfig CONFIG_64BIT=y CONFIG_EXPERT=y CONFIG_RUST=y CONFIG_PROC_FS=y \
		CONFIG_WQ_ECHO=y CONFIG_WORKQUEUE_DEMO=y
	has_not SYSFS
	has_not PRINTK
	in_tree_make new W=1 CLIPPY=1 KCFLAGS= prepare >minimal.log 2>&1
	nothing_warns new
}

as_modules_for_x86_64_nothing_warns() {
	use debian
	configure warnings-x86_64 m
	nothing_warns warnings-x86_64
	use uml-kasan
}

with_all_built_in_nothing_warns() {
	configure warnings y
	nothing_warns warnings
}

with_all_as_modules_nothing_warns() {
	configure warnings m
	nothing_warns warnings
}

# The tests above must not change the kernels' source and build folders.
the_cached_kernels_stay_as_they_are() {
	local name changed
	for name in "${kernels[@]}"; do
		use "$name"
		changed=$(find "$(realpath "$linux")" "$(realpath "$cache/$kernel_entry")" \
			-newer "$in_tree/begun" -print)
		[[ -z $changed ]] || fail "$changed"
	done
}

main() {
	local name
	cd "$top"
	cache_init
	run_dir_init
	root_find
	for name in "${kernels[@]}"; do
		prepare_kernel "$name"
		join_kernel
	done
	use uml-kasan
	mkdir -p "$in_tree"
	touch "$in_tree/begun"
	step "putting the tree into the kernel's" in-tree in_tree_built_in
	run_points "$in_tree/tests" "${points[@]}"
}

main "$@"
