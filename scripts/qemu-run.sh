#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boots Linux 7.3 in QEMU with both modules loaded and runs a command there. First makes whatever is
# missing: compilers, the kernel's Rust metadata, modules, wqtest. See usage() below.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/initramfs.sh
. "$top/scripts/lib/initramfs.sh"
# shellcheck source=scripts/lib/kernel-log.sh
. "$top/scripts/lib/kernel-log.sh"
# shellcheck source=scripts/lib/machine-qemu.sh
. "$top/scripts/lib/machine-qemu.sh"
# shellcheck source=scripts/lib/machine-um.sh
. "$top/scripts/lib/machine-um.sh"
# shellcheck source=scripts/lib/guest.sh
. "$top/scripts/lib/guest.sh"

usage() {
	cat <<'EOF'
Usage: scripts/qemu-run.sh [OPTIONS] [-- COMMAND [ARG...]]

Boots a kernel in QEMU (or as a program), loads wq_echo and workqueue_demo and runs COMMAND
in the guest; without COMMAND, a demonstration of both. COMMAND alone is a line for the guest's
shell. With ARGs it is a program, and its arguments reach it unchanged.
COMMAND's output and exit status are the script's. The status is 124 if the time ran out, and not
0 if the kernel reported a fault. COMMAND reads what is piped into the script, at some 70 KB/s
(</dev/null keeps it for others). The run ends when nobody reads its output any more. The kernel's
log is in build/kernel.log. The guest has busybox, wqtest, dmesg of util-linux, and the modules in
/lib/modules.

  --shell             an interactive shell instead (Ctrl-D ends it; Ctrl-A X kills it in
                      QEMU)
  --no-console        with --shell, keep the kernel's lines off the terminal
  --arch ARCH         amd64 (or x86_64), arm64 (or aarch64): build everything for this processor
                      and boot a kernel for it; by default this machine's. On x86-64 the first
                      run for arm64 takes 3 minutes more, for compilers and a kernel's source
  --kernel NAME       debian (the default): Debian 13's own, from its backports;
                      debian-rt, debian-cloud: Debian's for PREEMPT_RT, for clouds;
                      plain: a small one, built here; kasan, rt: built here to find
                      mistakes (see scripts/configs/);
                      uml, uml-kasan: User-mode Linux, kernels that are programs. They need
                      no emulator and are many times as fast. uml-kasan finds mistakes too.
                      For arm64: debian, debian-rt, debian-cloud, and debian-16k, with
                      pages of 16 KB
  --no-load           do not load the modules
  --no-modules        do not build them either: for a kernel that has them built in, or to
                      load only the modules of --module
  --insmod-args 'MODULE NAME=VALUE...'
                      module parameters; may be repeated
  --add HOSTPATH[:GUESTPATH]
                      put a file or directory into the guest, by default into
                      its /; may be repeated. Both may contain colons: the longest
                      HOSTPATH that exists counts
  --get GUESTPATH[:HOSTPATH]
                      fetch a file from the guest after COMMAND, by default into the
                      current directory; may be repeated
  --timeline FILE.svg draw what the work items of both modules do. Also writes FILE.pftrace, for
                      Perfetto's viewer, and FILE.json
  --queue NAME        with --timeline: draw this queue or module instead; may be repeated
  --module DIR        build the out-of-tree module in DIR too and put it into
                      the guest's /, and where modprobe finds it; may be repeated
  --cpus N            default 2
  --memory SIZE       default 512M
  --append ARGS       more arguments for the kernel
  --timeout S         stop the guest after S seconds; 0: never. Default 600, with
                      --shell and --gdb 0
  --icount            count instructions instead of time: 1 ns each, one CPU
  --gdb               wait for a debugger on port 1234; with uml, say how to attach one
                      while it runs
  --print-kdir        make what is missing, print the kernel's KDIR, and end
  --no-install        install nothing on this machine; say what is missing
  --help

Environment:
  ARCH                as --arch
  KDIR                a kernel build folder of your own, instead of --kernel
  KERNEL_LOG          where to leave the kernel's log, instead of build/kernel.log
  XDG_CACHE_HOME      where to keep workqueue-rs/: compilers and kernels, 5 GB.
                      Remove it to get a newer kernel from the distribution.
  SUITE               the suite of Debian to take the compilers from, for kernels that are
                      built here; by default the one whose compilers built Debian's
  WQ_CACHE_SHARED     where another account keeps workqueue-rs/: used, and only read
EOF
}

guest_mode=demo guest_command='sh /demo.sh' guest_input=none guest_terminal='' console=1
arch_asked=0 kernel='' build=1 load=1 cpus=2 memory=512M append='' timeout='' icount=0 gdb=0
print_kdir=0
extra_files=() extra_modules=() insmod_args=() module_args=()
gets=() get_from=() get_to=() timeline='' timeline_queues=()
kernel_log=$(realpath -m "${KERNEL_LOG:-$top/build/kernel.log}")

main() {
	parse_options "$@"
	# The guest alone may read the input, so move it away from stdin.
	[[ $guest_input == none && $guest_mode != shell ]] || exec {input}<&0
	[[ $guest_mode == shell ]] || exec </dev/null
	cache_init
	run_dir_init
	root_find
	if ((print_kdir)); then
		prepare_kernel "$kernel"
		join_kernel
		echo "$kdir"
		return
	fi
	prepare
	boot
}

parse_options() {
	local given
	while (($#)); do
		given=$1
		case $given in
		--arch | --kernel | --insmod-args | --add | --get | --timeline | --queue | \
			--module | --cpus | --memory | --append | --timeout)
			(($# >= 2)) || usage_error "$given needs a value"
			shift
			;;
		esac
		case $given in
		--shell) shell_mode ;;
		--no-console) console=0 ;;
		--arch) arch=$(arch_of "$1") arch_asked=1 ;;
		--kernel) kernel=$1 ;;
		--no-load) load=0 ;;
		--no-modules) build=0 load=0 ;;
		--insmod-args) insmod_args+=("$1") ;;
		--add) extra_files+=("$1") ;;
		--get) gets+=("$1") ;;
		--timeline) timeline=$1 ;;
		--queue) timeline_queues+=("$1") ;;
		--module) extra_modules+=("$1") ;;
		--cpus) cpus=$1 ;;
		--memory) memory=$1 ;;
		--append) append=$1 ;;
		--timeout) timeout=$1 ;;
		--icount) icount=1 ;;
		--gdb) gdb=1 ;;
		--print-kdir) print_kdir=1 ;;
		--no-install) no_install=1 ;;
		--help | -h) usage; exit ;;
		--) shift; break ;;
		*) usage_error "$given: no such option (COMMAND follows --)" ;;
		esac
		shift
	done
	parse_command "$@"
	check_options
}

# The guest cannot ask the terminal its type.
shell_mode() {
	[[ -t 0 ]] || usage_error "--shell needs a terminal"
	guest_mode=shell
	guest_terminal="export TERM=$(quoted "${TERM:-dumb}") NO_COLOR=$(quoted "${NO_COLOR:-}")"
}

parse_command() { # [COMMAND [ARG...]]
	(($#)) || return 0
	[[ $guest_mode != shell ]] || usage_error "--shell takes no COMMAND"
	guest_mode=command guest_command=$1
	! has_input || guest_input=piped
	(($# == 1)) || guest_command=$(quoted "$@")
}

# Succeeds if the standard input is for COMMAND. A terminal is not: only --shell shares it.
has_input() { [[ -e /dev/stdin && ! -t 0 && ! /dev/stdin -ef /dev/null ]]; }

# quoted WORD...: prints the words quoted, for any shell to read
quoted() {
	local word
	for word; do
		printf "'%s' " "${word//\'/\'\\\'\'}"
	done
}

check_options() {
	local spec dir from refusal
	((console)) || [[ $guest_mode == shell ]] || usage_error "--no-console: only with --shell"
	[[ -z $kernel || -z ${KDIR:-} ]] ||
		usage_error "--kernel $kernel: not while KDIR names another ($KDIR)"
	((!arch_asked)) || [[ -z ${KDIR:-} ]] ||
		usage_error "--arch $arch: not while KDIR names a kernel ($KDIR)"
	kernel=${kernel:-$(default_kernel)}
	refusal=$(kernel_refusal "$kernel")
	[[ -z $refusal ]] || usage_error "$refusal"
	[[ $icount == 0 || $(kernel_kind "$kernel") != um ]] ||
		usage_error "--icount: not for User-mode Linux, whose processor is this machine's"
	[[ $cpus =~ ^[1-9][0-9]*$ ]] || usage_error "--cpus $cpus: not a number"
	[[ $memory =~ ^[1-9][0-9]*[MG]?$ ]] || usage_error "--memory $memory: not a size like 512M"
	[[ $timeout =~ ^[0-9]*$ ]] || usage_error "--timeout $timeout: not a number of seconds"
	if [[ -z $timeout ]]; then
		timeout=600
		! [[ $guest_mode == shell || $gdb == 1 ]] || timeout=0
	fi
	for spec in "${extra_files[@]}"; do
		added_from "$spec" || usage_error "--add $spec: no such file"
		check_added "$from" "$(added_to "$spec")"
	done
	for dir in "${extra_modules[@]}"; do
		[[ -e $dir/Kbuild || -e $dir/Makefile ]] ||
			usage_error "--module $dir: no Kbuild or Makefile there"
		share "$(realpath "$dir")"
	done
	check_insmod_args
	check_gets
	check_timeline
}

# Sets get_from to the GUESTPATH of each --get, and get_to to its destination.
check_gets() {
	local spec
	for spec in "${gets[@]}"; do
		if [[ $spec == *:* ]]; then
			get "${spec%%:*}" "${spec#*:}"
		else
			get "$spec" "$(basename -- "$spec")"
		fi
	done
}

get() { # GUESTPATH HOSTPATH
	local dir each
	[[ $1 == /* && $1 != */ ]] || usage_error "--get $1: not the path of a file"
	dir=$(dirname -- "$2")
	[[ -d $dir && ! -d $2 ]] || usage_error "--get $1: $2 is not a place for a file"
	[[ -w $2 || (! -e $2 && -w $dir) ]] || usage_error "--get $1: $2 may not be written"
	for each in "${get_to[@]}"; do
		[[ $each != "$(realpath -- "$2")" ]] ||
			usage_error "--get $1: $2 is taken by another"
	done
	get_from+=("$1") get_to+=("$(realpath -- "$2")")
}

# Prepends `wqtest timeline` to COMMAND, and fetches its output.
check_timeline() {
	local base queue title=$guest_command options=()
	if [[ -z $timeline ]]; then
		((${#timeline_queues[@]} == 0)) || usage_error "--queue: only with --timeline"
		return
	fi
	[[ $guest_mode != shell ]] || usage_error "--timeline: not with --shell"
	[[ $timeline == *.svg ]] || usage_error "--timeline $timeline: its name ends in .svg"
	base=${timeline%.svg}
	[[ $guest_mode != demo ]] || title="The demo of scripts/qemu-run.sh"
	get /run/timeline.svg "$timeline"
	get /run/timeline.pftrace "$base.pftrace"
	get /run/timeline.json "$base.json"
	for queue in "${timeline_queues[@]}"; do
		options+=(--queue "$queue")
	done
	options+=(--svg /run/timeline.svg --perfetto /run/timeline.pftrace
		--json /run/timeline.json --title "$title")
	guest_command=$(quoted wqtest timeline "${options[@]}" -- sh -c "$guest_command")
}

check_added() { # HOSTPATH GUESTPATH
	local path own
	path=$(guest_path "$1" "$2")
	own=$(guest_path_check "$1" "$path")
	[[ -z $own ]] || usage_error "--add $1: as $path it would replace $own," \
		"which the guest needs"
}

# Sets module_args: lines for the guest's init.
check_insmod_args() {
	local module spec line
	for spec in "${insmod_args[@]}"; do
		[[ $spec =~ ^(wq_echo|workqueue_demo)\  ]] ||
			usage_error "--insmod-args '$spec': it begins with the module's name"
	done
	if [[ $guest_mode == demo ]]; then
		((load && ${#insmod_args[@]} == 0)) ||
			usage_error "--no-load and --insmod-args: the demo loads the modules itself"
		return
	fi
	((load)) || return 0
	for module in wq_echo workqueue_demo; do
		line=$module
		for spec in "${insmod_args[@]}"; do
			[[ $spec != "$module "* ]] || line+=" ${spec#* }"
		done
		module_args+=("$line")
	done
}

usage_error() {
	printf '%s: %s\nTry scripts/qemu-run.sh --help\n' "${0##*/}" "$*" >&2
	exit 2
}

prepare() {
	local dir
	prepare_kernel "$kernel"
	build_lock
	spawn wqtest wqtest_build
	join_kernel
	modules_out=$top/build/modules/$kernel_entry
	((!build)) || spawn modules module_build "$top" "$modules_out"
	for dir in "${extra_modules[@]}"; do
		module_build_shown "$dir" "$(extra_module_out "$dir")"
	done
	((!build)) || join modules "building the modules"
	join wqtest "building wqtest"
	step "packing the guest" initramfs initramfs_make
	build_unlock
}

extra_module_out() { module_out "$kernel_entry" "$(realpath "$1")"; }

boot() {
	local status ready=$SECONDS
	local -A what=([command]=COMMAND [demo]="the demo" [shell]="the shell")
	guest_run
	say "ready in $ready s, ${what[$guest_mode]} took $((SECONDS - ready)) s with the boot," \
		"status $status"
	return "$status"
}

main "$@"
