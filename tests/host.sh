#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# host.sh [NAME...]: runs the scripts as on users' machines: other PATHs, odd names, no rights, no
# room, no network; and with guests that end badly. Needs root, to take these away in namespaces.
# Prints KTAP.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=/dev/null # it is brought in for added_from alone
. "$top/scripts/lib/initramfs.sh"

cases=(
	in_root_needs_no_sbin_in_path
	an_ordinary_user_enters_the_root
	an_ordinary_user_without_subordinate_ids_is_told
	anothers_cache_is_used_and_left_as_it_is
	a_cache_that_is_no_cache_is_named
	root_that_may_not_mount_is_told
	a_tree_that_is_read_only_is_named
	a_tree_that_is_noexec_is_named
	a_cache_that_is_noexec_is_named
	a_small_disk_is_refused_beforehand
	a_full_disk_is_named
	what_could_not_be_made_leaves_nothing_behind
	no_network_is_named
	a_test_without_a_network_leaves_nothing_behind
	what_would_go_on_after_an_error_is_not_made
	what_a_script_does_not_know_is_refused
	what_there_is_not_for_an_architecture_is_refused
	a_machine_of_another_architecture_is_understood
	a_build_folder_says_its_architecture
	documents_name_the_size_that_is_checked
	odd_paths_are_passed_by_their_names_in_the_root
	colons_in_added_paths_are_told_apart
	errors_are_shown_from_the_first_on
	a_module_that_fails_shows_what_the_compiler_wrote
	warnings_of_a_users_module_are_shown
	a_command_that_fails_in_silence_is_named
	a_killed_script_ends_all_its_jobs
	a_job_that_is_ended_begins_nothing_new
	a_killed_script_ends_what_it_runs_itself
	a_script_that_is_killed_twice_leaves_nothing_stopped
	modules_build_in_odd_paths_with_a_moved_cache
	debians_headers_do_what_no_kdir_does
	modules_install_needs_no_sbin_in_path
	a_guest_that_survives_its_panic_has_not_run_out_of_time
	a_guest_whose_panic_leaves_a_process_behind_ends
	a_machine_that_is_killed_has_not_run_out_of_time
	a_guest_that_runs_out_of_time_says_what_its_kernel_reported
)

# Our own settings must not reach the tests.
unset MAKEFLAGS MAKELEVEL MFLAGS WQ_CACHE_SHARED SUITE ARCH

# What `su - user` sets on Debian.
users_path=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games

fail() {
	printf '%s\n' "$@"
	exit 1
}

# alone FUNCTION ARG...: runs FUNCTION in its own mount and network namespaces
alone() {
	local functions
	functions=$(declare -f)
	unshare --mount --propagation private bash -euc "$functions"$'\n''"$@"' bash "$@"
}

# Removes the progress lines that a busy machine adds.
without_how_far() { sed -E '/^(    .*: [0-9]+ s  |==> .*: [0-9]+ s$)/d'; }

# says_one_line PATTERN CMD...: fails unless CMD fails and prints one line that matches
says_one_line() {
	local pattern=$1 said status=0
	shift
	said=$("$@" 2>&1 </dev/null) || status=$?
	((status)) || fail "it did not fail:" "$said"
	said=$(without_how_far <<<"$said")
	[[ $said != *$'\n'* ]] || fail "more than one line:" "$said"
	[[ $said =~ $pattern ]] || fail "expected: $pattern" "found: $said"
}

# tree_copy DIR: copies this tree without build output
tree_copy() {
	mkdir -p "$1"
	tar -c -C "$top" --exclude=./build --exclude=./.git --exclude=./user/target . |
		tar -x -C "$1" --no-same-owner
}

in_root_needs_no_sbin_in_path() {
	env -i HOME="$HOME" XDG_CACHE_HOME="${cache%/*}" PATH=$users_path scripts/in-root.sh true
}

# Makes a cache with a root that can be entered and has only busybox.
cache_of_user() { # DIR
	local made=$1/workqueue-rs/made/root-small
	mkdir -p "$made"/{bin,dev,etc/ssl/certs,mnt,proc,root,tmp,usr/bin} "$1/workqueue-rs/locks"
	cp "$root/usr/bin/busybox" "$made/bin"
	ln -s busybox "$made/bin/sh"
	ln -s /bin/busybox "$made/usr/bin/env"
	ln -s made/root-small "$1/workqueue-rs/root-$root_key"
	touch "$made/etc/"{resolv.conf,hosts,ssl/certs/ca-certificates.crt}
}

# as_user SUBIDS CMD...: runs CMD as a user that exists only here
as_user() {
	local file
	for file in passwd group subuid subgid; do
		touch "/etc/$file"
		cp "/etc/$file" "$work/$file"
	done
	echo "wqtester:x:54321:54321::$work/home:/bin/sh" >>"$work/passwd"
	echo "wqtester:x:54321:" >>"$work/group"
	[[ -z $1 ]] || tee -a "$work/subuid" <<<"wqtester:$1" >>"$work/subgid"
	for file in passwd group subuid subgid; do
		mount --bind "$work/$file" "/etc/$file"
	done
	shift
	chown -R 54321:54321 "$work/tree" "$work/home"
	cd "$work/tree"
	setpriv --reuid 54321 --regid 54321 --clear-groups \
		env -i HOME="$work/home" PATH="$users_path" "$@"
}

user_prepare() {
	command -v newuidmap >/dev/null || host_install uidmap
	tree_copy "$work/tree"
	cache_of_user "$work/home/.cache"
}

an_ordinary_user_enters_the_root() {
	local said
	user_prepare
	said=$(alone as_user 900000:65536 scripts/in-root.sh \
		busybox sh -c 'busybox chown 1:1 /tmp && busybox id -u')
	[[ $said == 0 ]] || fail "the user is not root in there: $said"
}

an_ordinary_user_without_subordinate_ids_is_told() {
	user_prepare
	says_one_line 'no subordinate ids for wqtester. As root: usermod' \
		alone as_user '' scripts/in-root.sh true
}

# A student uses a teacher's cache: finds everything, and builds only the student's own.
anothers_cache_is_used_and_left_as_it_is() {
	local found=$work/found
	tree_copy "$work/tree"
	mkdir -p "$work/home" "$work/opt"
	# shellcheck disable=SC2016 # expanded by the shell inside
	alone with_shared_cache as_user 900000:65536 WQ_CACHE_SHARED="$work/opt" bash -ec '
		kdir=$(scripts/qemu-run.sh --print-kdir)
		echo "$kdir"
		make KDIR="$kdir"
		make rust-analyzer
		# An editor does not know of the variable, and its tools read what is in the cache.
		unset WQ_CACHE_SHARED
		build/rust-analyzer/bin/rustfmt --check wq_echo/device.rs \
			--config-path "$kdir/source/.rustfmt.toml"' >"$found" 2>&1 ||
		fail "$(<"$found")"
	[[ $(<"$found") == "$work/home/.cache/workqueue-rs/$kernel_entry/kdir"$'\n'* ]] ||
		fail "it made something anew, or names another KDIR:" "$(<"$found")"
	[[ -e $work/tree/wq_echo.ko ]] || fail "$(<"$found")"
	[[ $(du -sm "$work/home/.cache" | cut -f 1) -lt 50 ]] || fail "$(du -h "$work/home")"
}

# Offers this cache read-only, as another account's.
with_shared_cache() {
	mkdir "$work/opt/workqueue-rs"
	mount --bind "$cache" "$work/opt/workqueue-rs"
	mount -o remount,bind,ro "$work/opt/workqueue-rs"
	"$@"
}

a_cache_that_is_no_cache_is_named() {
	says_one_line "WQ_CACHE_SHARED=$work has no workqueue-rs/ that may be read: give what" \
		env WQ_CACHE_SHARED="$work" XDG_CACHE_HOME="$work/own" scripts/in-root.sh true
}

root_that_may_not_mount_is_told() {
	says_one_line 'root may not mount here .*--privileged' \
		setpriv --inh-caps=-sys_admin --bounding-set=-sys_admin scripts/in-root.sh true
}

# mounted OPTION CMD...: runs CMD with this tree mounted with OPTION
mounted() {
	mount --bind "$PWD" "$PWD"
	mount -o "remount,bind,$1" "$PWD"
	cd "$PWD"
	shift
	"$@"
}

a_tree_that_is_read_only_is_named() {
	says_one_line "cannot write to .*/build \(Read-only file system\): clone this tree" \
		alone mounted ro scripts/qemu-run.sh --print-kdir
	says_one_line "cannot write to .*/build \(Read-only file system\): clone this tree" \
		alone mounted ro env KREL="$(<"$linux/release")" scripts/build.sh modules
}

a_tree_that_is_noexec_is_named() {
	local said
	says_one_line "no program can be run in .*/build \(mounted noexec\?\): clone this tree" \
		alone mounted noexec bash scripts/qemu-run.sh --print-kdir
	# make adds a line.
	said=$(alone mounted noexec make demo 2>&1) && fail "it did not fail: $said"
	[[ $said == *"no program can be run in "* ]] || fail "$said"
}

# with_tmpfs OPTIONS CMD...: runs CMD with an empty cache on its own file system
with_tmpfs() {
	mount -t tmpfs -o "$1" tmpfs "$work"
	shift
	XDG_CACHE_HOME=$work "$@"
}

a_cache_that_is_noexec_is_named() {
	says_one_line "no program can be run in .*/workqueue-rs .*: set XDG_CACHE_HOME" \
		alone with_tmpfs size=9g,noexec scripts/qemu-run.sh --print-kdir
}

a_small_disk_is_refused_beforehand() {
	says_one_line "[0-9]+ MB left, and compilers and kernels take $cache_size GB: make room" \
		alone with_tmpfs size=100m scripts/qemu-run.sh --print-kdir
}

# Writing to /dev/full fails as on a full disk.
a_full_disk_is_named() {
	# shellcheck disable=SC2317 # called by step
	fill() { head -c 1M /dev/zero | tee /dev/full >/dev/null; }
	says_one_line "filling it: the disk is full: [0-9]+ MB are left for $cache" \
		step "filling it" full fill
	echo "E: You don't have enough free space in /mnt/var/cache/apt/archives/." >"$work/log"
	[[ $(known_cause "$work/log") == "the disk is full: "* ]] || fail "apt is not understood"
}

what_could_not_be_made_leaves_nothing_behind() {
	# shellcheck disable=SC2317 # called by cached
	half() {
		mkdir "$1/half"
		die "no more of it"
	}
	cache=$work
	mkdir "$work"/{made,locks}
	(step "making half" half cached thing half) 2>/dev/null &
	if wait $!; then fail "it did not fail"; fi
	[[ -z $(ls "$work/made") && ! -e $work/thing ]] || fail "it left:" "$(ls "$work"/*)"
}

no_network_is_named() {
	says_one_line ": no connection to where it comes from: " \
		alone with_tmpfs size=9g unshare --net scripts/qemu-run.sh --print-kdir
	echo 'warning: spurious network error: [6] Could not resolve hostname (x)' >"$work/log"
	[[ $(known_cause "$work/log") == "no connection "*": Could not resolve hostname (x)."* ]] ||
		fail "cargo is not understood"
}

# `make test` may be the first command on a machine.
a_test_without_a_network_leaves_nothing_behind() {
	! env WQ_RESULTS="$work" XDG_CACHE_HOME="$work" unshare --net bash scripts/test.sh --host \
		</dev/null || fail "it did not fail"
	[[ -z $(find "$work/workqueue-rs/made" -mindepth 1) ]] ||
		fail "it left: $(ls "$work"/workqueue-rs/*)"
}

what_would_go_on_after_an_error_is_not_made() {
	# shellcheck disable=SC2317 # called by cached
	half() { false; }
	cache=$work
	mkdir "$work"/{made,locks}
	refuses() {
		(cached thing half) 2>"$work/said" || return 0
	}
	refuses
	grep -q 'thing: it is to be made where bash ignores errors' "$work/said"
	[[ ! -e $work/thing ]]
}

# refused PATTERN CMD...: fails unless CMD fails at once and its first line matches
refused() {
	local pattern=$1 said
	shift
	said=$(timeout 10 "$@" 2>&1 </dev/null) && fail "it did not fail: $*"
	[[ ${said%%$'\n'*} =~ $pattern ]] || fail "$*:" "expected: $pattern" "found: $said"
}

what_a_script_does_not_know_is_refused() {
	refused 'nonsense: there are rustfmt ' scripts/check.sh rustfmt nonsense
	refused 'it takes nothing$' scripts/doc.sh nonsense
	refused 'it takes nothing$' scripts/pictures.sh --help
}

what_there_is_not_for_an_architecture_is_refused() {
	local boot=scripts/qemu-run.sh
	local others='it is built for amd64 alone; for arm64 there are debian'
	refused '--arch needs a value' $boot --arch
	refused 'architecture mips: there are amd64 arm64$' $boot --arch mips
	refused 'architecture mips: there are amd64 arm64$' env ARCH=mips $boot
	refused 'architecture mips: there are amd64 arm64$' env ARCH=mips scripts/in-root.sh true
	refused "--kernel kasan: $others" $boot --arch arm64 --kernel kasan
	refused "--kernel uml: $others" env ARCH=aarch64 $boot --kernel uml
	refused "--kernel uml-kasan: $others" make --no-print-directory soak ARCH=arm64
	refused "--kernel uml-kasan: $others" make --no-print-directory kunit ARCH=arm64
	refused "--kernel plain: $others" make --no-print-directory bench ARCH=arm64
	refused 'for x86-64 alone' env ARCH=arm64 scripts/debug.sh kdir
	on_machine x86_64 refused '--kernel debian-16k: there are debian ' $boot --arch amd64 \
		--kernel debian-16k
	refused '--arch arm64: not while KDIR names a kernel' env KDIR=/ $boot --arch arm64
	on_machine x86_64 refused '--cpus 0: not a number' $boot --arch x86_64 --cpus 0
	refused '--cpus 0: not a number' $boot --arch aarch64 --kernel debian-16k --cpus 0
}

# on_machine MACHINE CMD...: runs CMD with a uname that says MACHINE
on_machine() {
	mkdir -p "$all_work/$1"
	cat >"$all_work/$1/uname" <<-EOF
		#!/bin/sh
		[ "\$1" = -m ] && echo $1 || exec $(command -v uname) "\$@"
	EOF
	chmod 755 "$all_work/$1/uname"
	PATH=$all_work/$1:$PATH "${@:2}"
}

a_machine_of_another_architecture_is_understood() {
	local boot=scripts/qemu-run.sh said
	on_machine riscv64 refused 'this machine is riscv64: it takes one that is' $boot
	says_one_line 'this machine is riscv64: it takes one that is x86_64 or aarch64$' \
		on_machine riscv64 alone with_tmpfs size=9g scripts/in-root.sh true
	on_machine aarch64 refused \
		'architecture amd64: this machine is arm64, and builds for no other' \
		$boot --arch amd64
	on_machine aarch64 refused \
		'--kernel kasan: it is built for amd64 alone; for arm64 there are debian' \
		$boot --kernel kasan
	# Prints the command that would run, and what the guest would contain.
	# shellcheck disable=SC2016 # expanded by the shell inside
	said=$(on_machine aarch64 bash -c 'top=$0
		. scripts/lib/all.sh
		. scripts/lib/machine-qemu.sh
		. scripts/lib/guest.sh
		root_find
		kernel_find debian
		kernel_debian_options
		gdb=0 icount=0 guest_mode=demo cpus=2 memory=512M kernel=debian append=
		machine_qemu
		echo "$(root_packages) $flavour $root ${debian_options[*]}" \
			"$(wqtest_path) ${machine[*]}" "$(guest_tools)" |
			tr "\n" " "' "$top")
	[[ $said != *x86* && $said != *amd64* ]] || fail "$said"
	[[ $said == *,qemu-system-arm,*" arm64 $cache/root-"*" CC=aarch64-linux-gnu-gcc-14 "* ]] ||
		fail "$said"
	[[ $said == *"/aarch64-unknown-linux-gnu/"*" qemu-system-aarch64 "* ]] || fail "$said"
}

a_build_folder_says_its_architecture() {
	local folder=$work/folder
	mkdir -p "$folder/include/config"
	echo CONFIG_ARM64=y >"$folder/include/config/auto.conf"
	[[ $(kdir_arch "$folder") == arm64 ]] || fail arm64
	echo CONFIG_X86_64=y >"$folder/include/config/auto.conf"
	[[ $(kdir_arch "$folder") == amd64 ]] || fail amd64
	[[ $(kdir_arch "$work/none" 2>&1) == "$host_arch" ]] || fail 'none'
}

documents_name_the_size_that_is_checked() {
	local said
	for said in "$(<README.md)" "$(scripts/qemu-run.sh --help)" "$(scripts/bench.sh --help)"; do
		[[ $(grep -oE '[0-9.]+ GB' <<<"$said" | sort -u) == "$cache_size GB" ]] ||
			fail "not $cache_size GB:" "$(grep -E '[0-9.]+ GB' <<<"$said")"
	done
}

odd_paths_are_passed_by_their_names_in_the_root() {
	local odd=$work/"a b:c, 'd' #e" text
	mkdir -p "$odd/deeper" "$odd er" "$odd est"
	echo shallow >"$odd/file"
	echo deep >"$odd/deeper/file"
	echo other >"$odd er/file"
	echo third >"$odd est/file"
	share "$odd er"
	share "$odd"
	share "$odd est"
	# shellcheck disable=SC2016 # expanded by the shell inside
	text=$(in_root sh -c 'echo "$*"; cat "${1#path=}" "$2" "$3" "$4"' sh \
		"path=$odd/file" "$odd/deeper/file" "$odd er/file" "$odd est/file")
	[[ ${text%%$'\n'*} =~ ^path=[a-z0-9/]*( [a-z0-9/]*){3}$ ]] ||
		fail "a name that make does not take: $text"
	[[ ${text#*$'\n'} == $'shallow\ndeep\nother\nthird' ]] || fail "$text"
	text=$(outside <<<"$text")
	[[ $text == "path=$odd/file $odd/deeper/file $odd er/file $odd est/file"$'\n'* ]] ||
		fail "$text"
}

colons_in_added_paths_are_told_apart() {
	local spec wanted from
	cd "$work"
	touch plain co:lon co
	for spec in plain=plain plain:/there=plain co:lon=co:lon co:lon:/the:re=co:lon co:=co; do
		wanted=${spec#*=}
		added_from "${spec%%=*}"
		[[ $from == "$wanted" ]] || fail "${spec%%=*}: found $from"
	done
	! added_from none:plain || fail "there is no such file: none:plain"
}

# shows NAME EXPECTED: checks what is shown of the log on stdin
shows() {
	local found
	found=$(errors)
	[[ $found == "$2" ]] || fail "$1:" "expected:" "$2" "found:" "$found"
}

errors_are_shown_from_the_first_on() {
	local rustc gcc many
	rustc=$'error[E0425]: cannot find function `f`\n --> a.rs:4:10\n  |\n4 | fn g() { f() }'
	gcc=$'In file included from /m/a.c:2:\n/m/a.h: In function \u2018g\u2019:\n'
	gcc+=$'/m/a.h:1:29: error: no\n    1 | int x;'
	shows rustc "$rustc"$'\n\nerror: aborting' <<-END
		make[1]: Entering directory '/m'
		  RUSTC [M] a.o
		warning: unused
		$rustc
		make[3]: *** [/k/scripts/Makefile.build:366: a.o] Error 1
		make[3]: *** Waiting for unfinished jobs....
		  CC [M]  b.o

		error: aborting
		make[2]: *** [/k/Makefile:2253: .] Error 2
		make[1]: Target 'all' not remade because of errors.
		make[1]: Leaving directory '/m'
	END
	shows gcc "$gcc" <<-END
		  CC [M]  a.o
		$gcc
		make[3]: *** [/k/scripts/Makefile.build:295: a.o] Error 1
	END
	shows make "make[3]: *** No rule to make target 'b.o', needed by 'a.o'.  Stop." <<-END
		  CC [M]  error.o
		make[3]: *** No rule to make target 'b.o', needed by 'a.o'.  Stop.
		make[2]: *** [/k/Makefile:2253: .] Error 2
	END
	shows modpost 'ERROR: modpost: "f" [a.ko] undefined!' <<-END
		  MODPOST Module.symvers
		ERROR: modpost: "f" [a.ko] undefined!
		make[2]: *** [/k/scripts/Makefile.modpost:147: Module.symvers] Error 1
	END
	shows apt 'E: Unable to locate package a' <<-END
		Reading package lists...
		E: Unable to locate package a
	END
	many=$(seq 300)
	shows 'no error' "$(seq 276 300)" <<<"$many"
	shows 'a long one' $'error: x\n'"$(seq 199)"$'\n[...]' <<<"error: x"$'\n'"$many"
}

# own_module FILE...: makes a user's module in an odd place, with stdin as own.c
own_module() {
	own="$work/my own: module"
	mkdir -p "$own"
	echo 'obj-m += own.o' >"$own/Kbuild"
	cat >"$own/own.c"
	share "$own"
}

a_module_that_fails_shows_what_the_compiler_wrote() {
	local said
	own_module <<-END
		#include <linux/module.h>
		static int f(void) { return nothing; }
		$(seq -f 'int g%.0f(void) { return f() }' 30)
		MODULE_LICENSE("GPL");
	END
	said=$(module_build_shown "$own" "$work/out" 2>&1) && fail "it did not fail"
	said=$(without_how_far <<<"$said")
	[[ $said == *$'\n'"$own/own.c: In function"*$'\n'"$own/own.c:2:29: error: "* ]] ||
		fail "$said"
	[[ $(sed -n 2p <<<"$said") == "$own/own.c: In function"* ]] || fail "$said"
	[[ ! $said =~ $'\n'(make|failed|  CC) ]] || fail "$said"
}

warnings_of_a_users_module_are_shown() {
	local said
	own_module <<-END
		#include <linux/module.h>
		#warning look at this
		MODULE_DESCRIPTION("test");
		MODULE_LICENSE("GPL");
	END
	said=$(module_build_shown "$own" "$work/out" 2>&1)
	said=$(without_how_far <<<"$said")
	[[ $said == "$own/own.c:2:2: warning: "* && $(wc -l <<<"$said") == 3 ]] || fail "$said"
}

a_command_that_fails_in_silence_is_named() {
	local said
	# shellcheck disable=SC2317 # called by step
	silent() { grep -q nothing /dev/null; }
	# Runs in a background shell, because bash ignores `set -e` where a status is tested.
	(step looking look silent) 2>"$work/said" &
	if wait $!; then fail "it did not fail"; fi
	said=$(<"$work/said")
	[[ $said == *"looking: failed. "*$'\nfailed: grep -q nothing /dev/null' ]] || fail "$said"
}

# deep N CMD...: runs CMD, N processes deep
deep() {
	if (($1)); then
		(deep $(($1 - 1)) "${@:2}"; true)
	else
		"${@:2}"
	fi
}

# Its processes take longer to end than the script that waits for it sleeps at a time.
deep_job() { deep 100 begin_and_stay; }

begin_and_stay() {
	: >"$work/has-begun"
	sleep 1000
}

# When this shell's child has gone and the deep ones are being ended, it has time for another.
job_with_more_to_do() {
	local first
	sleep 1000 &
	first=$!
	deep 100 begin_and_stay &
	wait "$first" || true
	sleep 1001
}

# killed_is_gone CMD...: fails unless a script that is killed while CMD runs ends, with all of its
# processes. All of them hold a lock.
killed_is_gone() {
	local pid lock status=0 left=none
	exec {lock}>"$work/lock"
	flock "$lock"
	cat >"$work/script.sh" <<-'END'
		set -euo pipefail
		. "$top/scripts/lib/all.sh"
		run_dir_init
		"$@"
	END
	(
		export top
		export -f deep begin_and_stay deep_job job_with_more_to_do
		exec setsid bash "$work/script.sh" "$@"
	) &
	pid=$!
	exec {lock}>&-
	until [[ -e $work/has-begun ]]; do
		kill -0 "$pid"
		sleep 0.1
	done
	kill "$pid"
	((!killed_twice)) || {
		sleep 0.3
		kill "$pid"
	}
	exec {lock}>"$work/lock"
	flock -w 60 "$lock" || left=$(ps -o stat=,args= --sid "$pid" | sort | uniq -c)
	kill -KILL -- "-$pid" 2>/dev/null || true
	wait "$pid" || status=$?
	[[ $left == none ]] || fail "this is left:" "$left"
	((status == 143)) || fail "it ended with status $status"
}
killed_twice=0

a_killed_script_ends_all_its_jobs() { killed_is_gone step waiting job deep_job; }

a_job_that_is_ended_begins_nothing_new() { killed_is_gone step waiting job job_with_more_to_do; }

a_killed_script_ends_what_it_runs_itself() { killed_is_gone deep_job; }

a_script_that_is_killed_twice_leaves_nothing_stopped() {
	killed_twice=1 killed_is_gone step waiting job deep_job
}

# with_moved_cache CMD...: runs CMD with a tree and a cache whose names make would split. Binds what
# takes long to copy.
with_moved_cache() {
	local moved=$work/"moved, cache" entry made
	mkdir -p "$moved"/workqueue-rs/{made,locks}
	for entry in "$root" "$linux" "$cache/$kernel_entry"; do
		made=$(readlink "$entry")
		ln -sfn "$made" "$moved/workqueue-rs/${entry##*/}"
		[[ $entry != "$cache/$kernel_entry" || -e $moved/workqueue-rs/$made ]] ||
			cp -a "$cache/$made" "$moved/workqueue-rs/$made"
		[[ $entry == "$cache/$kernel_entry" ]] || {
			mkdir -p "$moved/workqueue-rs/$made"
			mount --bind "$cache/$made" "$moved/workqueue-rs/$made"
		}
	done
	cd "$work/a tree: b"
	XDG_CACHE_HOME=$moved "$@"
}

moved_prepare() {
	[[ -d "$work/a tree: b" ]] || tree_copy "$work/a tree: b"
	rm -f "$work/a tree: b"/*.ko
}

built() { # FILE
	local vermagic
	vermagic=$(sed -nz 's/^vermagic=//p' "$work/a tree: b/$1" | tr -d '\0')
	[[ $vermagic == "$(<"$linux/release") "* ]]
}

modules_build_in_odd_paths_with_a_moved_cache() {
	local said kdir
	moved_prepare
	kdir="$work/moved, cache/workqueue-rs/$kernel_entry/kdir"
	said=$(alone with_moved_cache scripts/qemu-run.sh --print-kdir 2>&1)
	[[ $said == "$kdir" ]] || fail "it made something anew, or names another KDIR: $said"
	alone with_moved_cache make KDIR="$kdir"
	built wq_echo.ko
	built workqueue_demo.ko
}

# Debian's headers have the configuration, but no rust/*.rmeta.
debian_headers() { # RELEASE
	local headers=$work/usr/src/linux-headers-$1
	mkdir -p "$headers/include/config" "$work/lib/modules/$1"
	echo "$1" >"$headers/include/config/kernel.release"
	echo CONFIG_RUST=y >"$headers/include/config/auto.conf"
	ln -sfn "$headers" "$work/lib/modules/$1/build"
}

debians_headers_do_what_no_kdir_does() {
	local release said
	moved_prepare
	release=$(<"$linux/release")
	debian_headers "$release"
	alone with_moved_cache make KDIR="$work/lib/modules/$release/build"
	built wq_echo.ko
	# Works in a guest too, and before the headers are installed.
	rm -r "${work:?}/usr"
	said=$(alone with_moved_cache env KDIR="$work/lib/modules/$release/build" \
		scripts/qemu-run.sh --print-kdir)
	[[ $said == "$work/moved, cache/workqueue-rs/$kernel_entry/kdir" ]] || fail "$said"
	[[ $(make -s help) == *KREL=* ]] || fail "make help does not name KREL"
}

modules_install_needs_no_sbin_in_path() {
	local dir="$work/in stalled"
	[[ -e "$work/a tree: b/wq_echo.ko" ]] || modules_build_in_odd_paths_with_a_moved_cache
	command -v depmod >/dev/null || host_install kmod
	alone with_moved_cache env PATH="$users_path" make modules_install INSTALL_MOD_PATH="$dir"
	grep -q wq_echo "$dir"/lib/modules/*/modules.dep
}

# stub_boots TIMEOUT COMMANDS: boots a stub of User-mode Linux that runs COMMANDS in a shell. Writes
# what is said of it to $work/said, and sets $status.
stub_boots() {
	# shellcheck disable=SC2034 # for lib/guest.sh
	local timeout=$1 kernel=stub kind=um image=$work/stub cpus=1 memory=1M append='' gdb=0
	# shellcheck disable=SC2034 # for lib/guest.sh
	local guest_mode=command get_from=() kernel_log=$work/kernel.log run_dir=$work/run
	local -A job_pid=()
	mkdir "$run_dir"
	printf '#!/bin/sh\n%s\n' "$2" >"$image"
	chmod 755 "$image"
	share "$work"
	# shellcheck source=/dev/null # they are brought in for guest_run alone
	. "$top/scripts/lib/kernel-log.sh"
	# shellcheck source=/dev/null
	. "$top/scripts/lib/machine-um.sh"
	# shellcheck source=/dev/null
	. "$top/scripts/lib/guest.sh"
	guest_run 2>"$work/said"
}

# stub_is STATUS LINE...: fails unless the stub's run ended with STATUS and said each LINE
stub_is() {
	local line
	((status == $1)) || fail "status $status, and not $1:" "$(<"$work/said")"
	for line in "${@:2}"; do
		grep -qF -- "$line" "$work/said" || fail "no word of $line:" "$(<"$work/said")"
	done
}

stub_panics='echo "Kernel panic - not syncing: a stub" >&7'

a_guest_that_survives_its_panic_has_not_run_out_of_time() {
	local status
	stub_boots 60 "$stub_panics; exec sleep 90"
	stub_is 1 'the kernel reported:' '    Kernel panic - not syncing: a stub'
}

# If it panics while another CPU starts a process, that one stays, and its output remains open.
a_guest_whose_panic_leaves_a_process_behind_ends() {
	local status
	stub_boots 10 "exec setsid sh -c '$stub_panics; sleep 90 & kill -ABRT \$\$'"
	stub_is 1 'the kernel reported:' '    Kernel panic - not syncing: a stub'
}

a_machine_that_is_killed_has_not_run_out_of_time() {
	local status
	# shellcheck disable=SC2016 # for the stub's shell
	stub_boots 60 'kill -KILL $$'
	stub_is 1 'User-mode Linux failed (status 137):'
}

a_guest_that_runs_out_of_time_says_what_its_kernel_reported() {
	local status
	stub_boots 2 '{ echo "BUG: a stub"; seq 100; } >&7; exec sleep 90'
	stub_is 124 'no end after 2 s: User-mode Linux was stopped (--timeout)' '    BUG: a stub'
}

main() {
	local name number=0 failed=0
	(($# == 0)) || cases=("$@")
	cd "$top"
	if ((EUID)); then
		printf 'KTAP version 1\n1..0 # SKIP they take root\n'
		return
	fi
	cache_init
	run_dir_init
	root_find
	prepare_kernel debian
	join_kernel
	export work users_path cache root linux kernel_entry
	all_work=$(mktemp -d)
	chmod 755 "$all_work"
	trap 'stop_jobs; rm -rf "$all_work" || true; run_dir_remove' EXIT
	ktap_begin "${#cases[@]}"
	for name in "${cases[@]}"; do
		work=$all_work/$name
		[[ $name != *debians_headers* && $name != modules_* ]] || work=$all_work/modules
		mkdir -p "$work"
		spawn "$name" "$name"
		test_result $((++number)) "$name" || failed=1
	done
	return $failed
}

main "$@"
