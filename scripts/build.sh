#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh modules|install: builds or installs the modules for a real machine's kernel, not for the
# guest of qemu-run.sh.
# build.sh rust-analyzer [DIR]: describes this tree, or the modules in DIR, to an editor.
# build.sh module DIR: builds the user's own modules in DIR, into DIR.
# build.sh man|completions: writes wqtest's manual pages, or its shell completions.
#
# Environment: KDIR is the kernel build folder. Without KDIR, KREL is the release to build for; the
# default is the running kernel's. `module` reads KDIR, or KERNEL, a kernel that qemu-run.sh knows;
# the default is debian.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

guest_hint="Without such a kernel there is 'make demo', which brings one along."

main() {
	case ${1:-} in
	modules) build_modules ;;
	install) install_modules ;;
	module) build_module "$(realpath "${2:?the folder of a module}")" ;;
	rust-analyzer) build_rust_project "$(realpath "${2:-$top}")" ;;
	man | completions) build_pages "$1" ;;
	*)
		die "usage: build.sh modules|install|rust-analyzer [DIR] or build.sh module DIR" \
			"or build.sh man|completions"
		;;
	esac
}

# Sets $kdir and $run (see lib/build.sh).
find_kernel() {
	local release=${KREL:-$(uname -r)} folder
	folder=$(realpath -m "${KDIR:-/lib/modules/$release/build}")
	[[ -n ${KDIR:-} ]] || release_check "$release" "$guest_hint"
	if release=$(kdir_of_debian "$folder"); then
		release_check "$release" "$guest_hint"
		unset KDIR
		use_debian "$release"
	else
		use_folder "$folder"
	fi
}

use_folder() { # KDIR
	kdir=$1
	if is_cached "$kdir"; then
		arch=$(kdir_arch "$kdir")
		cache_init
		root_find
		host_check_mount
		kdir_check "$kdir" "$(in_root rustc --version)" \
			"Make it anew with: scripts/qemu-run.sh --print-kdir"
	else
		run=()
		directory_need "$top/build" "$tree_advice"
		make_takes "$top"
		kdir_check "$kdir" "$(rustc --version 2>/dev/null || true)" "$guest_hint"
	fi
}

make_takes() { # PATH
	[[ ! $1 =~ [[:space:]:%#\$\'\"] ]] ||
		die "$1: make does not take the sign '${BASH_REMATCH[0]}' in this" \
			"path: rename it. (With Debian's kernel it will do.)"
}

# Uses Debian's kernel, whose headers lack the Rust metadata.
use_debian() { # RELEASE
	local version=''
	# The version is known only of the running kernel.
	[[ $1 != "$(uname -r)" ]] || version=$(uname -v | sed -n 's/.* Debian \([^ ]*\) .*/\1/p')
	cache_init
	root_find
	run_dir_init
	prepare_kernel debian "$1" "$version"
	join_kernel
}

build() { # TARGET [DIR]
	local dir=${2:-$top}
	out=$top/build/modules/$(key "$kdir")
	[[ $dir == "$top" ]] || out=$(module_out "$(key "$kdir")" "$dir")
	if ((${#odd_paths[@]})); then
		module_build "$dir" "$out" "$1" 2>&1 | outside
	else
		module_build "$dir" "$out" "$1"
	fi
}

build_modules() {
	find_kernel
	build modules
	cp "$out"/*.ko "$top"
	say "built wq_echo.ko and workqueue_demo.ko for Linux $(kdir_release "$kdir")"
}

build_module() { # DIR
	local built
	share "$1"
	if [[ -n ${KDIR:-} ]]; then
		find_kernel
		((${#run[@]})) || make_takes "$1"
		out=$(module_out "$(key "$kdir")" "$1")
	else
		cache_init
		run_dir_init
		root_find
		prepare_kernel "${KERNEL:-debian}"
		join_kernel
		# qemu-run.sh looks for it here.
		out=$(module_out "$kernel_entry" "$1")
	fi
	[[ -n ${never:-} ]] || run_dir_init
	build_lock
	module_build_shown "$1" "$out"
	build_unlock
	mapfile -t built < <(sed 's/\.o$/.ko/' "$out/modules.order")
	cp "${built[@]/#/$out/}" "$1"
	say "built ${built[*]} for Linux $(kdir_release "$kdir")"
}

install_modules() {
	local release dir module
	[[ -e $top/wq_echo.ko && -e $top/workqueue_demo.ko ]] ||
		die "nothing to install: run 'make' first"
	release=$(sed -nz 's/^vermagic=\([^ ]*\) .*/\1/p' "$top/wq_echo.ko" | tr -d '\0')
	dir=${INSTALL_MOD_PATH:-}/lib/modules/$release/updates
	mkdir -p "$dir" || die "cannot write to $dir: run this as root"
	for module in wq_echo workqueue_demo; do
		install -m 644 "$top/$module.ko" "$dir"
	done
	command -v depmod >/dev/null ||
		die "installed into $dir, but there is no depmod to tell modprobe: install kmod"
	depmod ${INSTALL_MOD_PATH:+-b "$INSTALL_MOD_PATH"} "$release"
	say "installed into $dir: now 'modprobe wq_echo'"
}

# An editor can use any kernel.
build_rust_project() { # DIR
	local dir=$1 sysroot='' from='' project
	[[ -e $dir/Kbuild || -e $dir/Makefile ]] || die "$dir: no Kbuild or Makefile there"
	share "$dir"
	if [[ -n ${KDIR:-} ]]; then
		find_kernel
	else
		announce_set_up
		use_debian ''
	fi
	# The editor reads generated files too, so build them. It shows the mistakes in the user's
	# own module itself.
	if [[ $dir == "$top" ]]; then
		build modules
	elif [[ -e $dir/abstractions/bindings.mk ]]; then
		build modules "$dir" >/dev/null 2>&1 || true
	fi
	build rust-analyzer "$dir"
	if ((${#run[@]})); then
		from=$(realpath "$root")
		sysroot=$top/build/rust-analyzer
		make_sysroot "$sysroot"
	fi
	project=$dir/rust-project.json
	"${run[@]}" python3 "$top/scripts/rust-project.py" "$from" "$sysroot" "$dir" "$out" \
		ABSTRACTIONS_BINDINGS="$out/abstractions/bindings_generated.rs" \
		<"$out/rust-project.json" | outside >"$project.$$"
	mv "$project.$$" "$project"
	say "wrote $project"
}

announce_set_up() {
	cache_init
	root_find
	kernel_find debian
	[[ -e $root && -e $cache/$kernel_entry ]] ||
		say "the whole set-up comes first, compilers and kernel:" \
			"$cache_size GB, a few minutes"
}

# make_sysroot DIR: makes a sysroot whose tools run in the root. The compiler there answers the
# editor, and expands the macros, which it built.
make_sysroot() {
	local tool in_it
	rm -rf "$1"
	mkdir -p "$1"/{bin,libexec,lib/rustlib/src}
	for tool in bin/{cargo,rustc,rustfmt} libexec/rust-analyzer-proc-macro-srv; do
		printf -v in_it '%q ' "$top/scripts/root-tool.sh" "$cache" "$root" "/usr/$tool"
		printf '#!/bin/bash\nexec bash %s"$@"\n' "$in_it" >"$1/$tool"
		chmod 755 "$1/$tool"
	done
	ln -sfn "$(realpath "$root")/usr/lib/rustlib/src/rust" "$1/lib/rustlib/src/rust"
}

# build_pages man|completions: writes them to build/, under the names that man and shells look for
build_pages() {
	local dir=$top/build/$1 wqtest name
	# This machine runs the program.
	arch=$host_arch
	cache_init
	run_dir_init
	root_find
	root_prepare
	build_lock
	step "building wqtest" wqtest wqtest_build
	build_unlock
	wqtest=$(wqtest_path)
	rm -rf "$dir"
	if [[ $1 == completions ]]; then
		mkdir -p "$dir"
		"$wqtest" completions bash >"$dir/wqtest"
		"$wqtest" completions fish >"$dir/wqtest.fish"
		"$wqtest" completions zsh >"$dir/_wqtest"
	else
		mkdir -p "$dir/man1"
		"$wqtest" man >"$dir/man1/wqtest.1"
		sed -nE 's/^wqtest\\-(.*)\(1\)$/\1/p' "$dir/man1/wqtest.1" |
			while IFS= read -r name; do
				"$wqtest" man "$name" >"$dir/man1/wqtest-$name.1"
			done
	fi
	say "made ${dir#"$top/"}"
}

main "$@"
