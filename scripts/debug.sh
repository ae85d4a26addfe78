#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs Debian's debuggers on a guest, from a root of their own, and builds kernels for them. See
# usage() below and docs/debugging.md.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/tools.sh
. "$top/scripts/lib/tools.sh"

usage() {
	cat <<'END'
Usage: scripts/debug.sh kdir [KERNEL]
       scripts/debug.sh gdb [ARG...]
       scripts/debug.sh drgn SCRIPT [ARG...]
       scripts/debug.sh guest-tools

kdir         makes KERNEL (uml by default, or plain, kasan, rt, uml-kasan) with debugging
             information for the workqueue code, modules, the scheduler, the log, and each
             module that is built for it. Prints its folder, for
             KDIR="$(scripts/debug.sh kdir)" scripts/qemu-run.sh
gdb          attaches gdb to a running uml of that kind, with the kernel's own commands
             (lx-...) and the modules' symbols; gdb gets ARGs
drgn         attaches drgn to it. It finds a SCRIPT of the kernel's tools/workqueue/ by name
guest-tools  prints a folder with bpftrace and perf, for
             qemu-run.sh --add "$(scripts/debug.sh guest-tools)/.:/"

The first use takes the programs from Debian: 790 MB on disk. It installs nothing on this machine.
END
}

# These objects get debugging information: all types of workqueue.c, and what the kernel's gdb
# commands and drgn's helpers read. Compiling the whole kernel with it would take as long as a new
# kernel. core.o has its own flags in kernel/sched/.
debug_flags='-g -fno-eliminate-unused-debug-types'
debug_objects=(CFLAGS_{workqueue,cpu,smp,percpu,hrtimer,xarray}.o="$debug_flags"
	CFLAGS_{main,printk,init_task,manage,namespace,slub,sysfs}.o="$debug_flags"
	CFLAGS_core.o="$debug_flags -fno-omit-frame-pointer")

# The guest gets these programs. drgn and gdb run on this machine.
readonly guest_programs=(/usr/bin/bpftrace /usr/bin/perf)

main() {
	local command=${1:-}
	case $command in
	--help | -h) usage; exit ;;
	kdir | gdb | drgn | guest-tools) ;;
	*) usage >&2; exit 2 ;;
	esac
	[[ $host_arch == amd64 && $arch == amd64 ]] ||
		die "the debuggers were tried on x86-64 and for x86-64 alone"
	cd "$top"
	cache_init
	run_dir_init
	root_find
	shift
	"debug_${command/-/_}" "$@"
}

debug_kdir() { # [KERNEL]
	unset KDIR
	prepare_kernel "${1:-uml}"
	join_kernel
	[[ $kind != debian ]] || die "${1:-}: Debian has built it. Its debugging information is" \
		"the package linux-image-$(kdir_release "$kdir")-dbg, 8 GB when it is unpacked"
	kdir_find "${1:-uml}"
	[[ $(cat "$debug_kdir/made-from" 2>/dev/null) == "$debug_key" ]] || {
		build_lock
		step "linking ${1:-uml} with debugging information" kdir kdir_make
		build_unlock
	}
	echo "$debug_kdir"
}

kdir_find() { # KERNEL
	debug_kdir=$top/build/debug/$1
	debug_key=$(key "$kernel_entry" "${debug_objects[@]}" "$(declare -f kdir_make)")
}

# Copies the kernel's build folder and compiles a few files anew. Its commands name the original's
# path, so in the root the copy is mounted over the original.
kdir_make() {
	local original goal=vmlinux options=() source=$linux/src
	original=$(realpath "$kdir")
	rm -rf "$debug_kdir"
	mkdir -p "$(dirname "$debug_kdir")"
	cp -a --reflink=auto "$original" "$debug_kdir"
	[[ $kind != um ]] || { goal=linux options=("${um_options[@]}"); }
	(
		laid_over=("$debug_kdir" "$original")
		in_root make -C "$source" O="$original" -j"$(nproc)" LLVM=1 KCFLAGS=-w \
			RUSTC="$(dirname "$original")/rustc" "${options[@]}" \
			"${debug_objects[@]}" "$goal"
	)
	# It stands elsewhere, and what is built for it shall have that information too.
	ln -sfn "$(realpath "$source")" "$debug_kdir/source"
	sed "1i export KRUSTFLAGS += -Cdebuginfo=2
		1i export KCFLAGS += -g
		s|^include .*|include \$(KBUILD_OUTPUT)/source/Makefile|" \
		"$original/Makefile" >"$debug_kdir/Makefile"
	echo "$debug_key" >"$debug_kdir/made-from"
}

debug_guest_tools() {
	tools_need
	echo "$cache/$tools/guest"
}

tools_need() {
	local packages
	packages=$(packages_file=$top/scripts/debug/packages.txt root_packages)
	tools=debug-$(key "$suite" "$packages" "${guest_programs[*]}" \
		"$(declare -f root_make tools_make tools_tree libraries)")
	[[ ! -e $cache/$tools ]] || return 0
	host_prepare 1
	step "taking the debuggers from Debian" tools cached "$tools" tools_make
}

tools_make() { # DIR
	mkdir "$1/root"
	packages_file=$top/scripts/debug/packages.txt root_make "$1/root"
	# What enter-root.sh binds this machine's over.
	# shellcheck disable=SC2016 # expanded by the shell inside
	"${namespaces[@]}" sh -ec 'mkdir -p "${1%/*}"; touch "$1"' sh \
		"$1/root/etc/ssl/certs/ca-certificates.crt"
	tools_tree "$1/root" "$1/guest" "${guest_programs[@]}"
}

# Sets $pid, the running guest's, and $image.
find_guest() {
	kernel_find uml
	kdir_find uml
	image=$debug_kdir/linux
	pid=$(pgrep -of "^$(literal "$image") seccomp=on ") ||
		die "no guest runs. Start one with:" \
		"KDIR=\"\$(scripts/debug.sh kdir)\" scripts/qemu-run.sh --shell"
}

# in_tools CMD...: like in_root, but sees this machine's processes, to attach to one
in_tools() {
	tools_need
	root=$(realpath "$cache/$tools/root")
	namespaces=(setpriv --pdeathsig KILL unshare --mount --propagation private)
	((EUID == 0)) || namespaces+=(--map-auto --map-root-user)
	in_root "$@"
}

# Collects the kernel's gdb commands and the macro values they need.
gdb_commands() {
	local out=$top/build/debug/gdb file
	kdir=$debug_kdir
	rm -rf "$out"
	mkdir -p "$out/scripts/gdb/linux"
	module_build "$top/scripts/debug" "$out/objects"
	for file in "$linux"/src/scripts/gdb/linux/*.py; do
		ln -s "$file" "$out/scripts/gdb/linux"
	done
	ln -s "$linux/src/scripts/gdb/vmlinux-gdb.py" "$out"
	cp "$out/objects/constants.py" "$out/scripts/gdb/linux"
}

# The CPUs and processes of User-mode Linux use these signals among themselves.
debug_gdb() { # [ARG...]
	find_guest
	build_lock
	step "making the kernel's commands for gdb" gdb gdb_commands
	build_unlock
	in_tools gdb -q -iex 'set auto-load safe-path /' -iex 'set debuginfod enabled off' \
		-iex 'set pagination off' -iex 'set confirm off' \
		-iex 'set filename-display basename' "$debug_kdir/vmlinux" \
		-ex 'handle SIGSEGV SIGUSR1 SIGALRM SIGIO SIG34 nostop noprint pass' \
		-ex "attach $pid" -ex "source $top/build/debug/gdb/vmlinux-gdb.py" \
		-ex "source $top/scripts/debug/module_symbols.py" \
		-ex "module-symbols $top/build/modules/$(key "$debug_kdir")" "$@"
}

debug_drgn() { # SCRIPT [ARG...]
	local script
	find_guest
	script=$linux/src/tools/workqueue/${1:-}
	[[ ! -f $script ]] || set -- "$script" "${@:2}"
	in_tools drgn -q -p "$pid" "$@"
}

main "$@"
