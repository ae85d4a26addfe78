#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes a folder with a module of somebody's own to go on from. See usage() below.

set -euo pipefail
export LC_ALL=C

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/abstractions.sh
. "$top/scripts/lib/abstractions.sh"

usage() {
	cat <<END
Usage: scripts/new-module.sh NAME [DIR] [--with OPTION,...]

Makes DIR (by default NAME beside this tree) and in it a module NAME to go on from: a misc
device, each write to which is a work item on a queue of the module's own; the abstractions
that it uses; what \`make run\` shows of it and \`make test\` tests.

  --with OPTION,...   adds
                        delayed   a delayed work item, which a write arms
                        periodic  a tick, again and again
                        procfs    a file in /proc, which shows counts
                        poll      poll(2) on the device
                        params    a module parameter
  --help

Nothing is built, and nothing needed for that: \`make -C DIR run\` makes what is missing, or
scripts/module.sh run DIR where there is no make.
END
}

known_options=(delayed periodic procfs poll params)
templates=$top/scripts/new-module
name='' dir='' with='' made=''

# The longest name of a workqueue; of a longer one C keeps as much.
longest=31

keywords=(abstract as async await become box break const continue crate "do" dyn else enum extern
	false final fn for gen if impl in let loop macro match mod move mut override priv pub ref
	return self static struct super trait true try type typeof union unsafe unsized use virtual
	where while yield)

# The crates that a module is built with, and the modules here.
crates=(alloc bindings build_error compiler_builtins core ffi kernel macros pin_init
	pin_init_internal proc_macro proc_macro2 quote std syn test uapi zerocopy zerocopy_derive
	wq_echo workqueue_demo abstractions)

# What is in /dev or /proc, where the module's own is to be.
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
	check_dir
	check_tree
	trap '[[ -z $made ]] || rm -rf "$made"' EXIT
	made=$(mktemp -d "${dir%/*}/.new-module.XXXXXX" 2>/dev/null) ||
		die "cannot write to ${dir%/*}"
	fill "$made"
	chmod "$(printf %o $((0777 & ~0$(umask))))" "$made"
	# Onto nothing or an empty folder, in one step.
	mv -T "$made" "$dir"
	made=''
	say "made $dir. Next: $(next)"
}

next() {
	if command -v make >/dev/null; then
		printf 'make -C %q run' "$dir"
	else
		printf '%q run %q' "$top/scripts/module.sh" "$dir"
	fi
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

is_one_of() { # WORD WORD...
	local word
	for word in "${@:2}"; do
		[[ $1 != "$word" ]] || return 0
	done
	return 1
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

check_dir() {
	[[ ! $dir =~ [[:cntrl:]] ]] || usage_error "DIR has a control character in it"
	[[ $dir/ != "$top"/* || $dir/ == "$top"/build/* ]] ||
		usage_error "$dir: that is in this tree, which would take it for a part of its own"
	if [[ -e $dir || -L $dir ]]; then
		[[ -d $dir && ! -L $dir ]] || usage_error "$dir: not a folder"
		[[ -z $(ls -A "$dir" 2>&1) ]] || usage_error "$dir: not empty"
	fi
	[[ -d ${dir%/*}/ ]] || usage_error "${dir%/*}: no such folder"
}

# The folder's Makefile names the tree: to make, and to the shell.
check_tree() {
	local ascii=${top//[$'\x80'-$'\xff']/}
	[[ ! $ascii =~ [^A-Za-z0-9/._+@:,\ ~-] ]] ||
		usage_error "$top: make does not take one of the signs in this path: rename it"
}

fill() { # DIR
	local file text
	mkdir "$1/abstractions"
	for file in Kbuild demo.sh test.sh README.md; do
		filled "$file" >"$1/$file"
	done
	chmod +x "$1"/*.sh
	filled module.rs.in >"$1/$name.rs"
	filled gitignore >"$1/.gitignore"
	text=$(filled Makefile)
	printf '%s\n' "${text//@TREE@/"${top// /\\ }"}" >"$1/Makefile"
	text=$(filled README.md)
	printf '%s\n' "${text//@TREE@/"$top"}" >"$1/README.md"
	add_abstractions "$1"
}

# filled TEMPLATE: with the module's name, and of the parts that are marked those that are wanted.
# A mark is a comment: `with poll|params:` begins what one of these options brings, `without
# poll:` what is there instead, `end` ends it.
filled() {
	awk -v wanted="$with" -v name="$name" '
		function one_is_wanted(list, options, count, i) {
			count = split(list, options, "|")
			for (i = 1; i <= count; i++)
				if (index(wanted " ", " " options[i] " "))
					return 1
			return 0
		}
		function camel(text, words, count, i, all) {
			count = split(text, words, "_")
			for (i = 1; i <= count; i++)
				all = all toupper(substr(words[i], 1, 1)) substr(words[i], 2)
			return all
		}
		BEGIN {
			depth = 0
			shown[0] = 1
			type = camel(name) "Module"
		}
		match($0, /^[ \t]*(\/\/|#|<!--) with(out)? [a-z|]+:( -->)?$/) {
			is = one_is_wanted($3 == "" ? "" : substr($3, 1, index($3, ":") - 1))
			shown[depth + 1] = shown[depth] && ($2 == "with" ? is : !is)
			depth++
			next
		}
		/^[ \t]*(\/\/|#|<!--) end( -->)?$/ { depth--; next }
		shown[depth] {
			gsub(/MyModule/, type)
			gsub(/my_module/, name)
			print
		}' "$templates/$1"
}

# The abstractions that the module names, with what they need.
add_abstractions() { # DIR
	local used files file
	mapfile -t used < <(
		sed -nE 's/.*abstractions::([a-z_]+)::.*/\1.rs/p' "$1/$name.rs" | sort -u)
	mapfile -t files < <(abstractions_needed "${used[@]}")
	for file in "${files[@]}"; do
		cp "$top/abstractions/$file" "$1/abstractions"
	done
	{
		cat "$templates/abstractions.rs.in"
		printf '%s\n' "${files[@]}" | sed -n 's/^\(.*\)\.rs$/pub(crate) mod \1;/p'
	} >"$1/abstractions/mod.rs"
}

main "$@"
