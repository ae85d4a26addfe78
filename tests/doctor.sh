#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# doctor.sh [NAME...]: runs scripts/doctor.sh on machines that have everything, and on machines that
# lack something: each line in each state. Needs root, to make the machines in mount namespaces.
# Prints KTAP.

# shellcheck disable=SC2016 # the shells of stubs expand what is theirs
set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/metadata.sh
. "$top/scripts/lib/metadata.sh"
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"

points=(
	all_is_good
	it_changes_nothing
	it_ends_in_a_second
	screens_fit
	colours_are_for_terminals
	json_is_what_help_says
	bad_options_are_refused
	machine_is_bad
	machine_says_whether_it_is_a_container
	mmdebstrap_is_bad
	mmdebstrap_is_not_needed
	keyring_is_missed
	namespaces_are_good_for_a_user
	namespaces_are_bad_without_subordinate_ids
	namespaces_are_bad_without_uidmap
	namespaces_are_bad_in_a_container
	disk_is_bad
	disk_is_bad_where_nothing_can_be_run
	disk_is_bad_where_nothing_can_be_written
	disk_is_not_needed
	disk_is_not_needed_where_anothers_cache_is_used
	disk_is_bad_where_anothers_cache_is_none
	kvm_is_bad_without_its_module
	kvm_is_bad_for_a_user
	kvm_is_not_needed
	release_is_bad
	release_is_bad_on_debian
	release_is_bad_on_wsl
	config_rust_is_read_from_each_place
	config_rust_is_bad
	config_rust_is_unknown
	what_another_kernel_needs_is_not_needed
	headers_are_bad
	headers_are_bad_of_another_version
	headers_of_others_are_bad
	metadata_is_bad
	metadata_of_others_is_bad
	make_needs_no_metadata_on_debian
	rustc_is_bad
	rustc_is_bad_in_path
	rustc_of_others_is_bad
	rustc_is_not_needed
	bindgen_is_bad
	bindgen_is_bad_when_old
	compiler_is_bad
	compiler_is_not_needed
	loading_is_bad_without_modules
	loading_is_bad_when_turned_off
	loading_is_bad_in_a_container
	loading_is_not_needed
	signatures_are_good_with_secure_boot
	signatures_are_bad_by_lockdown
	signatures_are_bad_by_sig_enforce
	signatures_are_bad_without_a_key
	signatures_are_bad_without_secure_boot
	signatures_are_good_with_dkms
	signatures_are_unknown
	signatures_of_a_kernel_that_does_not_run
	dkms_is_bad
	dkms_is_not_needed
	nothing_works
)

release=7.3.4+deb13-amd64
version=7.3.4-1~bpo13+1
built_by='rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)'
# The release as a pattern.
named=${release//+/\\+}
kdir=/lib/modules/$release/build
enforce=/sys/module/module/parameters/sig_enforce
lockdown=/sys/kernel/security/lockdown
boot=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
key=/var/lib/dkms/mok.pub

# Files that belong to this world only.
world=/run/world

# in_world FUNCTION: runs FUNCTION in its own namespace, which replaces directories of the machine
in_world() {
	XDG_CACHE_HOME=$world/cache HOME=$world/home PATH=/usr/bin:/usr/sbin \
		unshare --mount --propagation private bash "$top/tests/doctor.sh" --in-world "$1"
}

# The world where all is good.

# veil DIR: covers DIR with links to its contents, which tests may remove
veil() {
	local behind=$world/behind$1 veil=$world/veil$1
	mkdir -p "$behind" "$veil"
	mount --rbind "$1" "$behind"
	mount -t tmpfs -o mode=755 veil "$veil"
	links_to "$behind" "$veil"
	# In one step: without DIR no program runs.
	mount --bind "$veil" "$1"
}

links_to() { # DIR IN
	# No processes: they come and go.
	local names=("$1"/[!0-9]*)
	[[ ! -e ${names[0]} && ! -L ${names[0]} ]] || ln -s -t "$2" "${names[@]}"
}

# put FILE [TEXT]: writes FILE. Replaces links to its directories by directories.
put() {
	local dir='' part parts behind
	IFS=/ read -ra parts <<<"${1%/*}"
	for part in "${parts[@]:1}"; do
		dir+=/$part
		if [[ -L $dir && $(readlink "$dir") == "$world"/* ]]; then
			behind=$(readlink "$dir")
			rm "$dir"
			mkdir "$dir"
			links_to "$behind" "$dir"
		fi
		[[ -d $dir ]] || mkdir "$dir"
	done
	# The file may be bound elsewhere, so keep its inode.
	[[ ! -L $1 ]] || rm "$1"
	printf '%s' "${2:+$2$'\n'}" >"$1"
}

# stub NAME SCRIPT: makes a program
stub() {
	put "/usr/bin/$1" "#!/bin/sh"$'\n'"$2"
	chmod 755 "/usr/bin/$1"
}

lack() { rm -f "${@/#//usr/bin/}"; } # PROGRAM...

make_world() {
	local dir
	for dir in /boot /run /sys /usr/sbin /usr/share /var/lib; do
		mount -t tmpfs -o mode=755 veil "$dir"
	done
	mkdir -p "$XDG_CACHE_HOME" "$HOME"
	mount -t tmpfs -o size=9g cache "$XDG_CACHE_HOME"
	for dir in /usr/bin "$(realpath /lib)" /dev /proc; do
		veil "$dir"
	done
	rm -f /lib/modules
	lack rustc bindgen dkms mokutil sudo dnf pacman zypper apt-get
	put "$world/os-release" 'ID=debian
VERSION_CODENAME=trixie
PRETTY_NAME="Debian GNU/Linux 13"'
	mount --bind "$world/os-release" /etc/os-release
	make_machine
	make_kernel
}

make_machine() {
	stub apt-get 'exit 1'
	stub mmdebstrap 'exit 1'
	put "$keyring"
	put /proc/cpuinfo $'processor\t: 0\nflags\t\t: fpu vmx sse2'
	kvm_is 600
	uname_says "$release" "#1 SMP PREEMPT_DYNAMIC Debian $version (2026-11-20)"
}

# Makes a /dev/kvm that opens.
kvm_is() { # MODE
	rm -f /dev/kvm
	mknod -m "$1" /dev/kvm c 1 3
}

uname_says() { # RELEASE VERSION
	stub uname "case \$1 in -r) echo '$1' ;; -v) echo '$2' ;; -m) echo x86_64 ;; esac"
}

make_kernel() {
	rm -f /proc/config.gz
	put /proc/modules
	put /proc/sys/kernel/modules_disabled 0
	put /sys/kernel/security/lsm capability,lockdown
	put "$lockdown" '[none] integrity confidentiality'
	put "$enforce" N
	secure_boot_is 0
	put_headers "$kdir"
	put "$kdir/rust/libkernel.rmeta"
	stub rustc "echo '$built_by'"
	stub bindgen "echo 'bindgen 0.71.1'"
	stub x86_64-linux-gnu-gcc-14 'exit 1'
	stub dkms "cat $world/dkms-status"
	stub dpkg-query 'for package; do :; done; cat '"$world"'/version/$package'
	put "$world/version/linux-headers-$release" "installed $version"
	put "$world/version/$(metadata_package "$release")" "installed $version$metadata_revision"
	put "$world/dkms-status" "workqueue-rs/0.1.0, $release, x86_64: installed"
}

put_headers() { # KDIR
	put "$1/include/config/kernel.release" "$release"
	put "$1/include/config/auto.conf" "CONFIG_RUST=y
CONFIG_MODULE_SIG=y
CONFIG_RUSTC_VERSION_TEXT=\"$built_by\"
CONFIG_CC_VERSION_TEXT=\"x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0\""
}

secure_boot_is() { # BYTE
	put "$boot"
	printf '\x06\0\0\0%b' "\\x0$1" >"$boot"
}

# Turns the kernel into one that is not Debian's, with everything installed.
foreign() {
	mv "/lib/modules/$release" /lib/modules/7.3.9-arch1
	release=7.3.9-arch1 named=7.3.9-arch1 kdir=/lib/modules/7.3.9-arch1/build
	put_headers "$kdir"
	uname_says "$release" '#1 SMP'
	put "$world/dkms-status" "workqueue-rs/0.1.0, $release, x86_64: installed"
}

# What doctor prints.

# Which tree's doctor runs, and the command that runs it as another user.
tree=$top as=()

# doctor [ARG...]: sets $said to its output, each entry in one row, and $status
doctor() {
	status=0
	raw=$("${as[@]}" "$tree/scripts/doctor.sh" "$@" 2>&1 </dev/null) || status=$?
	said=$(sed -z 's/\n \{23\}/ /g; s/\n   \([^ ]\)/ \1/g' <<<"$raw")
}

# found STATE NAME PATTERN: fails unless there is such a line
found() {
	local line
	line=$(grep -E "^$1 +$2 " <<<"$said") || fail "no line \"$1 $2\" in:" "$raw"
	[[ $line =~ $3 ]] || fail "expected: $3"$'\n'"found: $line"
}

# bad NAME PATTERN MEND [ALSO...]: fails unless this line, and ALSO, are the only bad ones
bad() {
	doctor
	found bad "$1" "$2.*$3"
	all_good_but "$1" "${@:4}"
}

all_good_but() { # NAME...
	local names
	names=$(sed -n 's/^bad \+\([A-Za-z_]*\) .*/\1/p' <<<"$said" | sort | xargs)
	[[ $names == "$(printf '%s\n' "$@" | sort | xargs)" ]] || fail "bad are $names in:" "$raw"
}

good() { # NAME PATTERN
	doctor
	found good "$@"
}

not_needed() { # NAME PATTERN
	doctor
	found 'not needed' "$@"
}

# works PATTERN PATTERN: checks the conclusions about scripts/qemu-run.sh and make
works() {
	local ends
	mapfile -t ends < <(grep '^=> ' <<<"$said")
	[[ ${#ends[@]} == 2 && ${ends[0]} =~ $1 && ${ends[1]} =~ $2 ]] ||
		fail "expected: $1"$'\n'"and: $2"$'\n'"found: $raw"
}
qemu_works='^=> scripts/qemu-run.sh works here'
make_works='^=> make builds both modules'

all_is_good() {
	local name
	doctor
	all_good_but
	for name in machine mmdebstrap disk KVM release CONFIG_RUST headers metadata rustc bindgen \
		compiler loading signatures DKMS; do
		found good "$name" ''
	done
	found 'not needed' namespaces 'root may mount'
	works "$qemu_works; the first run takes a connection" "$make_works\$"
	((status == 0))
}

# Copies the tree. Other users may be unable to read this one, and in one that is read-only nothing
# could change.
copy_tree() { # DIR
	mkdir "$1"
	cp -r "$top"/{scripts,dkms.conf} "$1"
	chmod -R go+rX "$1"
	tree=$1
}

world_state() {
	find "$tree" "$HOME" "$XDG_CACHE_HOME" /var/lib /lib/modules /dev /sys \
		-printf '%p %s %T@\n' | sort
}

# It does not use the network either.
it_changes_nothing() {
	local before
	copy_tree "$world/tree"
	rm /dev/kvm
	before=$(world_state)
	doctor
	diff - <(world_state) <<<"$before"
	[[ $raw == "$(unshare --net "$tree/scripts/doctor.sh")" ]] ||
		fail "without a network it differs"
}

# Processor time, because others may keep the machine busy.
it_ends_in_a_second() {
	local TIMEFORMAT='%U %S'
	{ time doctor; } 2>"$world/took"
	awk '{ exit $1 + $2 >= 1 }' "$world/took" || fail "it took $(<"$world/took") s"
}

# screen_fits ROWS: fails if the output is too long or too wide
screen_fits() {
	awk -v rows="$1" 'length > 100 { long = 1 } END { exit long || NR > rows }' \
		<<<"$raw" || fail "it does not fit:" "$raw"
}

screens_fit() {
	doctor
	screen_fits 19
	everything_is_missing
	doctor
	screen_fits 24
	# A command cut short would not work.
	[[ $said == *'usermod --add-subuids'* || $said == *'apt-get install mmdebstrap'* ]]
}

# Removes all that can be missing together.
everything_is_missing() {
	lack mmdebstrap dkms rustc bindgen x86_64-linux-gnu-gcc-14
	rm "$keyring" "$kdir/rust/libkernel.rmeta" /dev/kvm
	put "$lockdown" 'none [integrity] confidentiality'
	secure_boot_is 1
	mount -t tmpfs -o size=1g cache "$XDG_CACHE_HOME"
}

# on_terminal STEP VARIABLE...: runs doctor on a terminal, with these variables
on_terminal() {
	local steps=$1
	"$top/scripts/in-root.sh" env "${@:2}" python3 "$top/tests/terminal.py" 24x90 \
		bash "$top/scripts/doctor.sh" 7.2.0 <<<"$steps"
}

colours_are_for_terminals() {
	local bad='expect \x1b\[1;31mbad +\x1b\[m +release'
	on_terminal "$bad" TERM=xterm
	on_terminal $'expect => no modules\nsilent \\x1b\\[[0-9]' TERM=xterm NO_COLOR=1
	on_terminal $'expect => no modules\nsilent \\x1b\\[[0-9]' TERM=dumb
	# It uses the terminal's width.
	on_terminal $'expect => no modules\nsilent [^\\r\\n]{91}' TERM=dumb
	[[ $("$top/scripts/doctor.sh") != *$'\e'* ]] || fail "it colours what is no terminal"
}

json_write() {
	doctor --json
	echo "$raw" >good.json
	everything_is_missing
	doctor --json
	echo "$raw" >bad.json
	rm "$kdir/include/config/auto.conf"
	doctor --json $'7.3.9-other"\\\x01'
	echo "$raw" >other.json
	# The text report says the same.
	doctor
	sed -nE 's/^(good|bad|not needed) +([A-Za-z_]+) .*/\1 \2/p' <<<"$said" >screen
	doctor --json
	echo "$raw" >same.json
}

json_is_what_help_says() {
	local name
	in_world json_write
	for name in good bad other same; do
		json_check "$name" <"$name.json" || fail "$name:" "$(<"$name.json")"
	done
	"$top/scripts/in-root.sh" python3 -c 'import json, sys
for check in json.load(sys.stdin)["checks"]: print(check["state"], check["name"])' \
		<same.json | diff screen -
}

# json_check good|bad|other|same: checks the JSON on stdin
json_check() {
	"$top/scripts/in-root.sh" python3 -c 'import json, sys
def keys(object, **types):
    assert list(object) == list(types), list(object)
    for key, type in types.items():
        assert isinstance(object[key], type), (key, object[key])
text, none = str, type(None)
report = json.load(sys.stdin)
keys(report, release=text, running=bool, kernel=dict, checks=list, works=dict)
keys(report["kernel"], debian=bool, config=(text, none), rust=(bool, none),
     built_by=(text, none), folder=(text, none))
keys(report["works"], qemu=bool, make=bool, headers=bool, load=(bool, none))
for check in report["checks"]:
    keys(check, name=text, group=text, state=text, found=text, mend=(text, none))
    assert check["group"] in ("qemu", "kernel"), check
    assert check["state"] in ("good", "bad", "not needed"), check
    assert (check["state"] == "bad") == (check["mend"] is not None), check
assert [check["name"] for check in report["checks"]] == """machine mmdebstrap namespaces disk
    KVM release CONFIG_RUST headers metadata rustc bindgen compiler loading signatures
    DKMS""".split()
works = list(report["works"].values())
if sys.argv[1] == "good":
    assert works == [True] * 4, works
    assert report["kernel"] == {"debian": True, "config": sys.argv[2] + "/include/config/auto.conf",
        "rust": True, "built_by": sys.argv[3], "folder": sys.argv[2]}, report["kernel"]
elif sys.argv[1] == "bad":
    assert works == [False] * 4, works
elif sys.argv[1] == "other":
    assert report["release"] == "7.3.9-other\"\\ " and works[3] is None, report
    assert report["running"] is False
    assert list(report["kernel"].values()) == [False, None, None, None, None]
' "$1" "$kdir" "$built_by"
}

bad_options_are_refused() {
	doctor --nonsense
	[[ $status == 2 && $raw == *"no such option"* ]] || fail "$raw"
	doctor 7.3.4 7.3.5
	[[ $status == 2 && $raw == *"one RELEASE"* ]] || fail "$raw"
	doctor ../x
	[[ $status == 2 && $raw == *"RELEASE is like"* ]] || fail "$raw"
	doctor --help
	[[ $status == 0 && $raw == Usage:* ]] || fail "$raw"
}

# Lines about the machine.

machine_is_bad() {
	sed -i s/x86_64/riscv64/ /usr/bin/uname
	bad machine 'this machine is riscv64' 'x86_64'
	works 'does not work here: machine' "$make_works"
}

machine_says_whether_it_is_a_container() {
	doctor
	[[ $said != *container* || -e /.dockerenv ]] || fail "it takes this for one:" "$raw"
	put /run/.containerenv
	good machine 'Debian GNU/Linux 13, a container'
	rm /run/.containerenv
	put /run/systemd/container lxc
	good machine 'a container'
}

mmdebstrap_is_bad() {
	lack mmdebstrap
	bad mmdebstrap 'missing packages\.' 'As root: apt-get install mmdebstrap'
	works "$qemu_works, and installs what is missing" "$make_works"
	lack apt-get
	bad mmdebstrap 'missing: mmdebstrap\.' "this system's package manager"
	works 'does not work here: mmdebstrap' "$make_works"
}

# Adds a finished toolchain root to the cache.
put_root() {
	root_find
	put "$root/here"
}

put_entry() {
	kernel_find debian
	put "$cache/$kernel_entry/here"
}

mmdebstrap_is_not_needed() {
	put_root
	lack mmdebstrap
	not_needed mmdebstrap 'made already'
	works "$qemu_works\$" "$make_works"
}

keyring_is_missed() {
	rm "$keyring"
	bad mmdebstrap 'missing packages\.' 'apt-get install debian-archive-keyring'
}

# as_user SUBIDS: from now on doctor runs as a user that exists only here, in a readable tree.
# Making namespaces needs the machine's /proc, so $also_bad lists what may be bad because of that
# /proc.
as_user() {
	local file
	for file in passwd group subuid subgid; do
		[[ ! -e /etc/$file ]] || cp "/etc/$file" "$world/$file"
		[[ -e /etc/$file ]] || continue
		case $file in
		passwd) echo "wqtester:x:54321:54321::$HOME:/bin/sh" >>"$world/$file" ;;
		group) echo "wqtester:x:54321:" >>"$world/$file" ;;
		*) [[ -z $1 ]] || echo "wqtester:$1" >>"$world/$file" ;;
		esac
		mount --bind "$world/$file" "/etc/$file"
	done
	umount /proc
	put "$world/cpuinfo" $'flags\t\t: fpu vmx'
	mount --bind "$world/cpuinfo" /proc/cpuinfo
	also_bad=()
	[[ -e /proc/modules ]] || also_bad=(loading)
	kvm_is 666
	copy_tree /usr/share/tree
	chown 54321:54321 "$XDG_CACHE_HOME" "$HOME"
	as=(setpriv --reuid 54321 --regid 54321 --clear-groups)
}

namespaces_are_good_for_a_user() {
	as_user 900000:65536
	doctor
	all_good_but "${also_bad[@]}"
	found good namespaces 'wqtester may make them'
	works "$qemu_works" "$make_works"
}

namespaces_are_bad_without_subordinate_ids() {
	as_user ''
	bad namespaces 'no subordinate ids for wqtester\.' \
		'As root: usermod --add-subuids [0-9]*-[0-9]* --add-subgids [0-9-]* wqtester' \
		"${also_bad[@]}"
	works 'does not work here: namespaces' "$make_works"
}

namespaces_are_bad_without_uidmap() {
	as_user 900000:65536
	lack newuidmap newgidmap
	bad namespaces 'missing packages\.' 'As root: apt-get install uidmap' "${also_bad[@]}"
}

# Makes root lack a capability.
without() { as=(setpriv --inh-caps="-$1" --bounding-set="-$1"); } # CAPABILITY

namespaces_are_bad_in_a_container() {
	without sys_admin
	bad namespaces 'root may not mount here' 'in a container, start it with --privileged'
}

disk_is_bad() {
	mount -t tmpfs -o size=2g cache "$XDG_CACHE_HOME"
	bad disk "workqueue-rs has 21[0-9]* MB left, and .* kernels take $cache_size GB" \
		'make room, or have XDG_CACHE_HOME on another disk'
	works 'does not work here: disk' "$make_works"
	put_root
	good disk '2 GB left, of which it takes 1$'
}

disk_is_bad_where_nothing_can_be_run() {
	mount -o remount,noexec "$XDG_CACHE_HOME"
	bad disk 'no program can be run in .*workqueue-rs \(mounted noexec\?\)' 'set XDG_CACHE_HOME'
}

disk_is_bad_where_nothing_can_be_written() {
	mount -o remount,ro "$XDG_CACHE_HOME"
	bad disk 'cannot write to .*workqueue-rs ' 'set XDG_CACHE_HOME'
	mount -o remount,rw "$XDG_CACHE_HOME"
	mkdir "$XDG_CACHE_HOME/workqueue-rs"
	chown 54321 "$XDG_CACHE_HOME/workqueue-rs"
	bad disk 'belongs to another user' 'set XDG_CACHE_HOME to a directory of your own'
}

disk_is_not_needed() {
	put_root
	put_entry
	mount -t tmpfs -o size=100m small "$world/home"
	not_needed disk 'made already'
	# KDIR does not change that.
	KDIR=/nowhere not_needed disk 'made already'
}

disk_is_not_needed_where_anothers_cache_is_used() {
	put_root
	put_entry
	mkdir "$world/teacher"
	mv "$XDG_CACHE_HOME/workqueue-rs" "$world/teacher"
	mkdir -p "$world/teacher/workqueue-rs/made"
	lack mmdebstrap
	export WQ_CACHE_SHARED=$world/teacher
	not_needed disk 'made already'
	not_needed mmdebstrap 'made already'
	works "$qemu_works\$" "$make_works"
	# What the shared cache lacks must still be made.
	rm -r "$world/teacher/workqueue-rs/kernel-"*
	good disk 'GB left, of which it takes 1$'
}

disk_is_bad_where_anothers_cache_is_none() {
	export WQ_CACHE_SHARED=$world/nobody
	bad disk 'nobody has no workqueue-rs/ that may be read' 'give what its owner has'
}

kvm_is_bad_without_its_module() {
	rm /dev/kvm
	bad KVM 'no /dev/kvm' 'As root: modprobe kvm_intel'
	works "$qemu_works" "$make_works"
	put /proc/cpuinfo $'flags\t\t: fpu svm'
	bad KVM 'no /dev/kvm' 'As root: modprobe kvm_amd'
}

kvm_is_bad_for_a_user() {
	as_user 900000:65536
	kvm_is 600
	bad KVM 'not for this user' 'As root: usermod -aG kvm wqtester' "${also_bad[@]}"
}

kvm_is_not_needed() {
	put /proc/cpuinfo $'flags\t\t: fpu sse2'
	not_needed KVM 'QEMU emulates'
}

# Lines about the kernel.

release_is_bad() {
	put "$world/os-release" ID=arch
	uname_says 7.2.9-arch1 '#1 SMP'
	put /boot/config-7.2.9-arch1 CONFIG_RUST=y
	put "$world/dkms-status"
	bad release 'Linux 7.2.9-arch1 is older than 7.3' 'scripts/qemu-run.sh, which brings one'
	works "$qemu_works" '^=> no modules are built for 7.2.9-arch1: release'
	((status == 0)) || fail "there is a way, and the status is $status"
}

release_is_bad_on_debian() {
	uname_says 6.12.48+deb13-amd64 '#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)'
	put /boot/config-6.12.48+deb13-amd64 '# CONFIG_RUST is not set'
	put "$world/dkms-status"
	bad release 'Linux 6.12.48\+deb13-amd64 is older than 7.3' \
		'As root: apt-get install -t trixie-backports linux-image-amd64; then start' \
		CONFIG_RUST
}

release_is_bad_on_wsl() {
	uname_says 6.6.87.2-microsoft-standard-WSL2 '#1 SMP'
	put "$world/dkms-status"
	doctor
	found bad release 'is older than 7.3'
	works "$qemu_works" '^=> no modules are built for 6.6.87.2-microsoft'
	uname_says 7.3.1-microsoft-standard-WSL2 '#1 SMP'
	good release "WSL's"
}

# Tests the places in the order in which doctor reads them.
config_rust_is_read_from_each_place() {
	local place
	foreign
	put "$world/config.gz"
	gzip -c "$kdir/include/config/auto.conf" >"$world/config.gz"
	for place in "$kdir/include/config/auto.conf" "/boot/config-$release" \
		"/lib/modules/$release/config" /proc/config.gz; do
		put "$place"
		if [[ $place == *.gz ]]; then
			cp "$world/config.gz" "$place"
		else
			gzip -dc "$world/config.gz" >"$place"
		fi
	done
	for place in "$kdir/include/config/auto.conf" "/boot/config-$release" \
		"/lib/modules/$release/config" /proc/config.gz; do
		good CONFIG_RUST "y, says $place"
		rm "$place"
	done
	cp "$world/config.gz" /proc/config.gz
	doctor 7.3.8-arch1
	found bad CONFIG_RUST unknown
}

config_rust_is_bad() {
	put "$world/os-release" ID=arch
	foreign
	sed -i /CONFIG_RUST=/d "$kdir/include/config/auto.conf"
	bad CONFIG_RUST "Linux $named is built without, says $kdir/" 'scripts/qemu-run.sh'
	works "$qemu_works" "^=> no modules are built for $named: CONFIG_RUST"
}

config_rust_is_unknown() {
	foreign
	rm -r "$kdir"
	doctor
	found bad CONFIG_RUST "unknown: there is no $kdir, no /boot.*linux-headers-$named"
	put "$world/dkms-status"
	# The name of a Debian kernel says enough.
	doctor 7.3.4+deb13-amd64
	found good CONFIG_RUST 'y, says its name'
}

what_another_kernel_needs_is_not_needed() {
	local name
	uname_says 7.2.9-arch1 '#1 SMP'
	doctor
	for name in headers metadata rustc bindgen compiler; do
		found 'not needed' "$name" 'no such module'
	done
}

headers_are_bad() {
	rm -r "$kdir"
	bad headers "no headers of $named\." "As root: apt-get install linux-headers-$named" \
		metadata
	works "$qemu_works" \
		"$make_works in the toolchain root; make -C and DKMS do not: headers, metadata"
}

headers_are_bad_of_another_version() {
	uname_says "$release" "#1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1~bpo13+0 (2026-11-20)"
	bad headers 'runs as 7.3.4-1~bpo13\+0, and its headers are 7.3.4-1~bpo13\+1' \
		"As root: apt-get install linux-image-$named, and start it"
}

headers_of_others_are_bad() {
	local tool
	foreign
	cp "$kdir/include/config/auto.conf" "/boot/config-$release"
	rm -r "$kdir"
	bad headers "$kdir: no such kernel build folder" \
		"As root: apt-get install linux-headers-$named" metadata
	works "$qemu_works" "^=> make does not build the modules for $named: headers, metadata"
	lack apt-get
	doctor
	found bad headers "Install its headers with this system's package manager"
	for tool in 'zypper install kernel-default-devel' "dnf install kernel-devel-$release" \
		'pacman -S linux-headers'; do
		stub "${tool%% *}" 'exit 1'
		doctor
		found bad headers "As root: $tool"
		lack "${tool%% *}"
	done
	put "$kdir/here"
	doctor
	found bad headers "$kdir: not configured and prepared"
}

metadata_is_bad() {
	put "$world/version/$(metadata_package "$release")" "installed 7.3.3-1$metadata_revision"
	bad metadata "the headers of $named are ${version//+/\\+}, .* metadata is for 7.3.3-1\." \
		"As root: scripts/rust-headers.sh --install $named"
	works "$qemu_works" "^=> make does not build the modules for $named: metadata"
}

metadata_of_others_is_bad() {
	foreign
	rm "$kdir/rust/libkernel.rmeta"
	bad metadata "$kdir: no rust/libkernel.rmeta" 'make KDIR='
	works "$qemu_works" "^=> make does not build the modules for $named: metadata"
	put "$world/os-release" ID=ubuntu
	bad metadata "no rust/libkernel.rmeta" "As root: apt-get install linux-lib-rust-$named"
}

make_needs_no_metadata_on_debian() {
	rm "$kdir/rust/libkernel.rmeta"
	bad metadata 'lack the Rust metadata\.' "As root: scripts/rust-headers.sh --install $named"
	works "$qemu_works" "$make_works in the toolchain root; make -C and DKMS do not: metadata"
	# Without the root, make does not work either.
	lack mmdebstrap apt-get
	doctor
	works 'does not work here: mmdebstrap' \
		"^=> make does not build the modules for $named: metadata, mmdebstrap"
	((status == 1)) || fail "nothing works, and the status is $status"
}

rustc_is_bad() {
	lack rustc
	bad rustc 'none, and the kernel was built by 1.85.1' 'As root: apt-get install rustc'
	works "$qemu_works" "^=> make does not build the modules for $named: rustc"
	# The same version, built by others.
	stub rustc 'echo "rustc 1.85.1 (4eb161250 2025-03-15)"'
	bad rustc '1.85.1 \(4eb161250 2025-03-15\) in /usr/bin, and .* by 1.85.1 .* tarball\)' \
		'apt-get install rustc'
}

# before_others NAME TEXT: puts a program that prints TEXT before /usr/bin in PATH
before_others() {
	put "$world/bin/$1" "#!/bin/sh"$'\n'"echo '$2'"
	chmod 755 "$world/bin/$1"
	PATH=$world/bin:$PATH
}

rustc_is_bad_in_path() {
	before_others rustc 'rustc 1.95.0'
	bad rustc "1.95.0 in $world/bin, and the kernel was built by 1.85.1" \
		"export PATH=/usr/bin:\\\$PATH"
}

rustc_of_others_is_bad() {
	foreign
	before_others rustc 'rustc 1.95.0'
	bad rustc "1.95.0 in $world/bin, and the kernel was built by 1.85.1" \
		"export PATH=/usr/bin:\\\$PATH"
	lack rustc
	bad rustc '1.95.0 in ' 'Install it from where the kernel comes from'
	works "$qemu_works" "^=> make does not build the modules for $named: rustc"
}

rustc_is_not_needed() {
	rm -r "$kdir"
	not_needed rustc 'install them first'
}

bindgen_is_bad() {
	lack bindgen
	bad bindgen 'no bindgen' 'As root: apt-get install bindgen'
	works "$qemu_works" "^=> make does not build the modules for $named: bindgen"
	lack apt-get
	bad bindgen 'no bindgen' "this system's package manager"
}

bindgen_is_bad_when_old() {
	stub bindgen 'echo "bindgen 0.60.1"'
	bad bindgen 'bindgen 0.60.1 is older than 0.71.1' 'apt-get install bindgen'
	stub bindgen 'echo "bindgen 0.72.0"'
	good bindgen 'bindgen 0.72.0'
}

compiler_is_bad() {
	lack x86_64-linux-gnu-gcc-14
	bad compiler 'no x86_64-linux-gnu-gcc-14' 'As root: apt-get install gcc-14'
	works "$qemu_works" "^=> make does not build the modules for $named: compiler"
	lack apt-get
	bad compiler 'no x86_64-linux-gnu-gcc-14' "this system's package manager"
	echo CONFIG_CC_IS_CLANG=y >>"$kdir/include/config/auto.conf"
	lack clang
	bad compiler 'no clang' "this system's package manager"
	stub clang 'exit 1'
	good compiler clang
}

compiler_is_not_needed() {
	rm -r "$kdir"
	not_needed compiler 'the headers say'
}

loading_is_bad_without_modules() {
	rm /proc/modules
	bad loading 'loads no modules' 'scripts/qemu-run.sh'
	works "$qemu_works" "$make_works; the kernel does not load them: loading"
}

loading_is_bad_when_turned_off() {
	put /proc/sys/kernel/modules_disabled 1
	bad loading 'kernel.modules_disabled is 1' 'Restart this machine'
}

loading_is_bad_in_a_container() {
	without sys_module
	bad loading 'root has no CAP_SYS_MODULE here' 'Load them on its host'
	# The root of a user namespace is not the machine's root either.
	as=(unshare --user --map-root-user)
	doctor
	found bad loading 'root has no CAP_SYS_MODULE'
}

loading_is_not_needed() {
	doctor 7.3.5+deb13-amd64
	found 'not needed' loading '7.3.5\+deb13-amd64 does not run'
	found good release 'not the one that runs'
	works "$qemu_works" \
		"$make_works in the toolchain root; .*; 7.3.5\+deb13-amd64 has to be started"
	((status == 0))
}

signatures_are_good_with_secure_boot() {
	secure_boot_is 1
	good signatures 'not enforced, though Secure Boot is on'
	rm -r /sys/firmware
	good signatures 'not enforced$'
}

signatures_are_bad_by_lockdown() {
	secure_boot_is 1
	put "$lockdown" 'none [integrity] confidentiality'
	put "$key"
	stub mokutil 'echo "$2 is not enrolled"'
	bad signatures 'enforced \(lockdown, Secure Boot\): insmod: "Operation not permitted"' \
		"As root: mokutil --import $key; reboot"
	works "$qemu_works" "$make_works; the kernel does not load them: signatures"
	put "$lockdown" 'none integrity [confidentiality]'
	bad signatures 'enforced \(lockdown, Secure Boot\)' \
		'log: "unsigned module loading is restricted".*mokutil'
}

signatures_are_bad_by_sig_enforce() {
	secure_boot_is 1
	put "$enforce" Y
	put /var/lib/shim-signed/mok/MOK.der
	bad signatures 'enforced \(module.sig_enforce, Secure Boot\): insmod: "Key was rejected' \
		'log: "Loading of unsigned module is rejected".*mokutil --import .*/MOK.der;'
}

signatures_are_bad_without_a_key() {
	secure_boot_is 1
	put "$enforce" Y
	bad signatures 'Key was rejected' 'dkms generate_mok; mokutil --import .*/mok.pub;'
}

signatures_are_bad_without_secure_boot() {
	put "$enforce" Y
	bad signatures 'enforced \(module.sig_enforce\)' \
		'Start it without lockdown= and module.sig_enforce'
	put "$enforce" N
	put "$lockdown" 'none [integrity] confidentiality'
	bad signatures 'enforced \(lockdown\)' 'Start it without lockdown='
}

signatures_are_good_with_dkms() {
	secure_boot_is 1
	put "$lockdown" 'none [integrity] confidentiality'
	put "$key"
	stub mokutil '[ "$1" = --test-key ] && echo "$2 is already enrolled"; exit 1'
	good signatures "enforced \(lockdown, Secure Boot\), and DKMS signs with $key"
	all_good_but
	works "$qemu_works" "$make_works; the kernel loads what DKMS has signed"
}

signatures_are_unknown() {
	rm -r /sys/kernel
	good signatures 'not enforced, as far as one sees; unknown: lockdown$'
	secure_boot_is 1
	bad signatures 'cannot be read here: lockdown' \
		'As root: mount -t securityfs none /sys/kernel/security'
	: >"$boot"
	bad signatures 'cannot be read here: lockdown, Secure Boot' 'mount -t securityfs'
	# A kernel without lockdown.
	put /sys/kernel/security/lsm capability
	good signatures 'unknown: Secure Boot$'
	secure_boot_is 0
	good signatures 'not enforced$'
}

signatures_of_a_kernel_that_does_not_run() {
	local other=7.3.5-arch1
	put "$enforce" Y
	put "$lockdown" 'none [integrity] confidentiality'
	doctor "$other"
	found good signatures 'not enforced, as far as one sees; unknown: module.sig_enforce$'
	put "/boot/config-$other" CONFIG_MODULE_SIG_FORCE=y
	doctor "$other"
	found bad signatures 'enforced \(module.sig_enforce\)'
	put "/boot/config-$other" CONFIG_RUST=y
	doctor "$other"
	found good signatures 'not enforced$'
	secure_boot_is 1
	doctor "$other"
	found bad signatures 'enforced \(lockdown, Secure Boot\)'
}

dkms_is_bad() {
	put "$world/dkms-status" "workqueue-rs/0.1.0: added"
	bad DKMS "workqueue-rs/0.1.0 is not installed for $named" \
		"As root: dkms install workqueue-rs/0.1.0 -k $named"
	works "$qemu_works" "$make_works\$"
	put "$world/dkms-status" "workqueue-rs/0.1.0, 7.3.3+deb13-amd64, x86_64: installed
workqueue-rs/0.1.0, $release, x86_64: built"
	bad DKMS 'is not installed' 'dkms install'
	put "$world/dkms-status" "workqueue-rs/0.1.0, 7.3.3+deb13-amd64, x86_64: installed
workqueue-rs/0.1.0, $release, x86_64: installed"
	good DKMS "is installed for $named"
}

dkms_is_not_needed() {
	put "$world/dkms-status"
	not_needed DKMS 'as root: dkms add \.'
	lack dkms
	not_needed DKMS 'not installed'
}

nothing_works() {
	doctor
	((status == 0))
	everything_is_missing
	doctor
	works 'does not work here: disk' '^=> make does not build'
	((status == 1)) || fail "the status is $status"
}

# alone POINT: runs a point and keeps its output and status
alone() {
	local status=0
	case $1 in
	json_* | colours_*) bash "$top/tests/doctor.sh" --here "$1" ;;
	*) in_world "$1" ;;
	esac >"$1.said" 2>&1 </dev/null || status=$?
	echo "$status" >"$1.status"
}

outcomes=

ended() { # POINT
	cat "$outcomes/$1.said"
	return "$(<"$outcomes/$1.status")"
}

main() {
	case ${1:-} in
	--alone) alone "$2" ;;
	--here) "$2" ;;
	--in-world)
		make_world
		"$2"
		;;
	*)
		(($# == 0)) || points=("$@")
		run
		;;
	esac
}

# Each point has its own world, so they run in parallel.
run() {
	if ((EUID)); then
		printf 'KTAP version 1\n1..0 # SKIP they take root\n'
		return
	fi
	run_dir_init
	command -v newuidmap >/dev/null || host_install uidmap
	outcomes=$run_dir
	(cd "$outcomes" && printf '%s\n' "${points[@]}" |
		xargs -P "$(nproc)" -n 1 bash "$top/tests/doctor.sh" --alone)
	point_run=(ended) points_timed=0
	run_points "$top/build/doctor" "${points[@]}"
}

main "$@"
