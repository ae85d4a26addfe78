#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes a folder with a new module to build on. See usage() below.

set -euo pipefail
export LC_ALL=C

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/module-folder.sh
. "$top/scripts/lib/module-folder.sh"

usage() {
	cat <<END
Usage: scripts/new-module.sh NAME [DIR] [--with OPTION,...]

Makes DIR (by default NAME beside this tree) with a module NAME to start from: a misc device,
where each write becomes a work item on the module's own queue; the abstractions it uses; what
\`make run\` shows and \`make test\` tests.

  --with OPTION,...   adds
                        delayed   a delayed work item, armed by a write
                        periodic  a periodic work item
                        procfs    a file in /proc that shows counts
                        poll      poll(2) on the device
                        params    a module parameter
  --help

It builds nothing and needs nothing. \`make -C DIR run\` makes what is missing; without make, use
scripts/module.sh run DIR.
END
}

known_options=(delayed periodic procfs poll params)
templates=$top/scripts/new-module
name='' dir='' with=''

# C truncates longer workqueue names.
longest=31

keywords=(abstract as async await become box break const continue crate "do" dyn else enum extern
	false final fn for gen if impl in let loop macro match mod move mut override priv pub ref
	return self static struct super trait true try type typeof union unsafe unsized use virtual
	where while yield)

# Names taken by crates that a module links with, and by the modules here.
crates=(alloc bindings build_error compiler_builtins core ffi kernel macros pin_init
	pin_init_internal proc_macro proc_macro2 quote std syn test uapi zerocopy zerocopy_derive
	wq_echo workqueue_demo abstractions)

# Names taken in /dev or /proc, where the module puts its own node.
nodes=(autofs buddyinfo bus cgroups cmdline config console consoles cpu cpuinfo crypto
	devices diskstats dma dri driver fb fd filesystems full fs fuse hpet iomem ioports
	interrupts input irq kallsyms kcore keys kmsg kpagecount kpageflags loadavg locks log
	mapper mem meminfo misc modules mounts mtrr net null nvram pagetypeinfo partitions
	port ppp ptmx pts random rfkill rtc schedstat scsi self shm slabinfo snapshot
	softirqs stat stderr stdin stdout swaps sys sysvipc thread_self timer_list tty uhid
	uinput urandom uptime vcs vcsa vcsu version vga_arbiter vmallocinfo vmstat watchdog
	zero zoneinfo)

main() {
	parse_options "$@"
	check_name
	folder_check "$dir"
	folder_make "$dir" fill
	say "made $dir. Next: $(folder_next "$dir")"
}

parse_options() {
	while (($#)); do
		case $1 in
		--help | -h) usage; exit ;;
		--with=*) add_options "${1#*=}" ;;
		--with)
			(($# >= 2)) || usage_error "--with needs options: ${known_options[*]}"
			add_options "$2"
			shift
			;;
		-*) usage_error "$1: no such option" ;;
		*)
			if [[ -z $name ]]; then
				name=$1
			elif [[ -z $dir ]]; then
				dir=$1
			else
				usage_error "$1: too many words"
			fi
			;;
		esac
		shift
	done
	[[ -n $name ]] || usage_error "the module needs a NAME"
	dir=$(realpath -ms "${dir:-$top/../$name}")
}

add_options() { # OPTION,...
	local option options
	IFS=, read -ra options <<<"$1"
	((${#options[@]})) || usage_error "--with needs options: ${known_options[*]}"
	for option in "${options[@]}"; do
		is_one_of "$option" "${known_options[@]}" ||
			usage_error "--with $option: there are ${known_options[*]}"
		with+=" $option"
	done
}

say() { printf '==> %s\n' "$*" >&2; }

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

usage_error() {
	printf '%s: %s (see scripts/new-module.sh --help)\n' "${0##*/}" "$*" >&2
	exit 2
}

check_name() {
	[[ $name =~ ^[a-z][a-z0-9_]*$ ]] ||
		usage_error "$name: a module's name here is a letter, and then letters, digits" \
			"and _, all in lower case"
	((${#name} <= longest)) ||
		usage_error "$name: of a workqueue's name C keeps $longest characters"
	! is_one_of "$name" "${keywords[@]}" || usage_error "$name: that is a word of Rust's"
	! is_one_of "$name" "${crates[@]}" ||
		usage_error "$name: a crate of that name is there already"
	[[ ! -e $top/abstractions/$name.rs ]] ||
		usage_error "$name: an abstraction of that name is there already"
	! is_one_of "$name" "${nodes[@]}" ||
		usage_error "$name: in /dev or /proc there is a file of that name already"
}

fill() { # DIR
	local file
	for file in Kbuild demo.sh test.sh README.md; do
		filled "$templates/$file" >"$1/$file"
	done
	chmod +x "$1"/*.sh
	filled "$templates/module.rs.in" >"$1/$name.rs"
	folder_common "$1"
	abstractions_named "$1/$name.rs" | folder_abstractions "$1"
}

main "$@"
