#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# rust-headers.sh [NAME...]: tests what scripts/rust-headers.sh makes, in a user's Debian 13 with
# its own headers and compilers. Tests DKMS there, and the messages if something does not fit.
# Prints KTAP.
#
# shellcheck disable=SC2016 # what the machine's shell is given is expanded there

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/metadata.sh
. "$top/scripts/lib/metadata.sh"
# shellcheck source=scripts/lib/in-tree.sh
. "$top/scripts/lib/in-tree.sh"
# shellcheck source=tests/points.sh
. "$top/tests/points.sh"

# The order matters: each continues from the one before.
points=(
	debians_headers_alone_are_told_what_they_lack
	lintian_finds_nothing
	no_file_belongs_to_another_package
	install_makes_it_and_has_apt_install_it
	another_architecture_is_refused_before_anything_is_made
	make_builds_our_modules
	make_builds_a_foreign_module
	they_load_into_that_kernel
	dkms_builds_installs_and_removes_both
	another_rustc_is_named
	another_rustc_is_named_by_dkms
	a_lack_of_bindgen_is_named_by_dkms
	a_new_kernel_without_it_is_named_by_dkms
	headers_of_another_version_are_named
	another_flavour_stands_beside_it
	apt_removes_it_without_a_trace
)

work=$top/build/rust-headers

# What a user needs to build modules. Adds lintian, but nothing of this project.
machine_packages=(make gcc rustc bindgen kmod mount dkms debian-archive-keyring lintian)

machine_make() { # DIR RELEASE
	local mirror packages
	mirror=$(debian_mirror)
	packages=$(IFS=,; echo "${machine_packages[*]},linux-headers-$2")
	# shellcheck disable=SC2016 # expanded by the shell inside
	"${namespaces[@]}" sh -ec 'mount --bind "$0" /mnt; exec "$@"' "$1" \
		mmdebstrap --mode=root --variant=apt --include="$packages" \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' "$linux_suite" /mnt \
		"deb ${mirror:-$(root_mirror)} $linux_suite main" "$(backports_source)"
	touch "$1/etc/resolv.conf" "$1/etc/hosts"
}

root_mirror() {
	sed -nE "s/^deb (\[.*\] )?([^ ]+) $suite main.*/\2/p" "$root/etc/apt/sources.list"
}

machine_prepare() {
	local entry
	release=$(<"$linux/release")
	entry=machine-$(key "$release" "${machine_packages[*]}" "$(declare -f machine_make)")
	step "making a Debian to try it in" machine cached "$entry" machine_make "$release"
	machine=$work/machine
	# Work on a copy: the next run must not see the changes.
	"${namespaces[@]}" cp -a "$(realpath "$cache/$entry")" "$machine"
	before=$work/before
	machine_files >"$before"
}

# in_machine CMD...: runs CMD as root of the machine
in_machine() {
	local root=$machine
	in_root "$@"
}

# in_machine_sh SCRIPT [ARG...]: runs SCRIPT there, with the ARGs from $1 on
in_machine_sh() { in_machine sh -ec "$1" sh "${@:2}"; }

# Prints what is in the machine, except what apt, dpkg and DKMS keep for themselves. Each of the
# folders to begin with is a mount of its own.
machine_files() {
	in_machine find /etc /usr /var \( -path /var/cache -o -path /var/log -o -path /var/lib/apt \
		-o -path /var/lib/dpkg/status-old -o -path '/var/lib/dkms/mok.*' \) -prune -o \
		-type d -print -o -printf '%p %s %l\n' | sort
}

# The user's own sources: this tree without build output, and an unrelated module.
ours=/usr/local/src/workqueue-rs foreign=/usr/local/src/foreign

modules_of_users() {
	mkdir -p "$machine$ours"
	in_tree_files | tar -C "$top" -c --null -T - |
		"${namespaces[@]}" tar -C "$machine$ours" -x --no-same-owner
	"${namespaces[@]}" cp -r "$top/tests/foreign" "$machine$foreign"
}

# says_one_line PATTERN CMD...: fails unless CMD fails and prints one line with PATTERN. * stands
# for anything.
says_one_line() {
	local pattern=$1 said status=0
	said=$("${@:2}" 2>&1) || status=$?
	((status)) || fail "it did not fail: $said"
	[[ $said != *$'\n'* ]] || fail "more than one line: $said"
	# shellcheck disable=SC2053 # a pattern
	[[ $said == *$pattern* ]] || fail "expected: $pattern"$'\n'"found: $said"
}

make_in_machine() { # DIR
	in_machine make -C "/lib/modules/$release/build" M="$1"
}

rust_headers() { in_machine "$ours/scripts/rust-headers.sh" "$@"; }

debians_headers_alone_are_told_what_they_lack() {
	says_one_line "lack the Rust metadata. As root: scripts/rust-headers.sh --install 7" \
		rust_headers --check "$release"
	! make_in_machine "$foreign" || fail "it needs no metadata at all"
}

lintian_finds_nothing() {
	local said
	said=$(in_machine lintian --allow-root --fail-on error,warning "$deb" 2>&1) || fail "$said"
}

no_file_belongs_to_another_package() {
	local path
	in_machine dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -nE 's|^\.(.*[^/])$|\1|p' >files
	grep -q /libkernel.rmeta files
	echo "/usr/lib/linux-kbuild-${release%-*}/scripts/target.json" >>files
	while read -r path; do
		! in_machine dpkg -S "$path" || fail "$path is another's"
	done <files
}

# With the compilers and the kernel that are in the cache already.
install_makes_it_and_has_apt_install_it() {
	in_machine env XDG_CACHE_HOME="$(dirname "$cache")" \
		"$ours/scripts/rust-headers.sh" --install "$release"
	in_machine test -s "$ours/build/${deb##*/}"
	in_machine dpkg -s "$(metadata_package "$release")" | grep '^Status: .* installed$'
	rust_headers --check "$release"
}

another_architecture_is_refused_before_anything_is_made() {
	says_one_line "make it on a machine that is *64" \
		rust_headers --deb "$(other_release "$release")"
}

other_release() { # RELEASE
	if [[ $arch == amd64 ]]; then echo "${1/%amd64/arm64}"; else echo "${1/%arm64/amd64}"; fi
}

make_builds_our_modules() {
	make_in_machine "$ours"
	in_machine modinfo "$ours"/{wq_echo,workqueue_demo}.ko | tee modinfo
	[[ $(grep -c "^vermagic: *$release " modinfo) == 2 ]]
}

make_builds_a_foreign_module() {
	in_machine make -C "$foreign" KDIR="/lib/modules/$release/build"
}

they_load_into_that_kernel() {
	local name options=()
	for name in "$ours"/{wq_echo,workqueue_demo}.ko "$foreign/foreign.ko"; do
		cp "$machine$name" .
		in_root strip -g "$PWD/${name##*/}"
		options+=(--add "$PWD/${name##*/}")
	done
	"$top/scripts/qemu-run.sh" --kernel "$(flavour_kernel "$flavour")" --no-modules \
		--timeout 120 "${options[@]}" -- 'set -e
		for name in wq_echo workqueue_demo foreign; do insmod /$name.ko; done
		wqtest echo "built with plain make"
		rmmod foreign; rmmod workqueue_demo; rmmod wq_echo
		dmesg | grep -F "foreign: [1, 4, 9, 16], 30 in all"
		dmesg | grep -F "wq_echo: \"built with plain make\""'
}

dkms() { in_machine dkms "$@" -k "$release"; }

dkms_builds_installs_and_removes_both() {
	local module=workqueue-rs/0.1.0 installed=/lib/modules/$release/updates/dkms
	in_machine dkms add "$ours"
	dkms build "$module"
	dkms install "$module"
	[[ $(in_machine dkms status) == "$module, $release, "*": installed" ]]
	in_machine modinfo "$installed"/{wq_echo,workqueue_demo}.ko | tee modinfo
	[[ $(grep -c "^vermagic: *$release " modinfo) == 2 ]]
	in_machine dkms remove "$module" --all
	! in_machine test -e "$installed/wq_echo.ko" || fail "it is installed still"
	in_machine rm -r "/usr/src/${module/\//-}"
}

# with_rustc TEXT CMD...: runs CMD with a rustc that prints TEXT first in PATH
with_rustc() {
	local status=0
	in_machine_sh 'printf "#!/bin/sh\necho %s\n" "$1" >/usr/local/bin/rustc
		chmod 755 /usr/local/bin/rustc' "'$1'"
	("${@:2}") || status=$?
	in_machine rm /usr/local/bin/rustc
	return $status
}

# The user has installed another rustc.
another_rustc_is_named() {
	with_rustc 'rustc 1.96.0' says_one_line \
		'was built by "rustc 1.85.1 *rustc is "rustc 1.96.0"*PATH=/usr/bin:' \
		in_machine env PATH=/usr/local/bin:/usr/bin:/bin \
		"$ours/scripts/rust-headers.sh" --check "$release"
}

# dkms_fails PATTERN RELEASE: fails unless DKMS fails to build and shows PATTERN
dkms_fails() {
	local said status=0
	in_machine dkms add "$ours" >/dev/null
	said=$(in_machine env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
		dkms build workqueue-rs/0.1.0 -k "$2" 2>&1) || status=$?
	in_machine dkms remove workqueue-rs/0.1.0 --all >/dev/null
	in_machine rm -r /usr/src/workqueue-rs-0.1.0
	((status)) || fail "it did not fail: $said"
	[[ $(grep -c "$1" <<<"$said") == 1 ]] || fail "expected: $1"$'\n'"found: $said"
}

another_rustc_is_named_by_dkms() {
	with_rustc 'rustc 1.96.0' dkms_fails 'rustc is "rustc 1.96.0"' "$release"
}

a_lack_of_bindgen_is_named_by_dkms() {
	in_machine mv /usr/bin/bindgen /usr/local/bindgen
	dkms_fails 'no bindgen. As root: apt-get install bindgen' "$release"
	in_machine mv /usr/local/bindgen /usr/bin/bindgen
}

# The kernel was upgraded, and nobody has made its metadata yet.
a_new_kernel_without_it_is_named_by_dkms() {
	local new=7.3.99+deb13-$flavour
	in_machine_sh 'cp -r /usr/src/linux-headers-$1 /usr/src/linux-headers-$2
		rm -r /usr/src/linux-headers-$2/rust
		mkdir /lib/modules/$2
		ln -s /usr/src/linux-headers-$2 /lib/modules/$2/build' "$release" "$new"
	dkms_fails "$new lack the Rust metadata.*rust-headers.sh --install $new" "$new"
	in_machine rm -r "/usr/src/linux-headers-$new" "/lib/modules/$new"
}

# repacked FROM TO SCRIPT: repacks a package, edited by SCRIPT
repacked() {
	in_machine_sh 'rm -rf /usr/local/repack
		dpkg-deb -R "$1" /usr/local/repack
		cd /usr/local/repack
		sh -ec "$3"; dpkg-deb -Znone -b . "$2" >/dev/null; rm -r /usr/local/repack' "$@"
}

headers_of_another_version_are_named() {
	local version status=0
	version=$(<"$linux/version")
	repacked "$deb" /usr/local/later.deb "sed -i 's/^Depends:.*/Depends: make/
		s/^Version: .*/Version: 7.3.99-1$metadata_revision/' DEBIAN/control"
	in_machine dpkg -i /usr/local/later.deb
	says_one_line "headers of $release are $version, * for 7.3.99-1. As root: scripts/rust-h" \
		rust_headers --check "$release"
	# apt refuses a package that does not fit.
	repacked "$deb" /usr/local/other.deb "sed -i 's/^Version: .*/Version: 7.3.99-2/
		s/$version/7.3.99-2/' DEBIAN/control"
	! in_machine apt-get install -y /usr/local/other.deb || fail "apt has taken it"
	in_machine apt-get install -y --allow-downgrades "$deb"
	in_machine rm /usr/local/later.deb /usr/local/other.deb
	rust_headers --check "$release"
}

# Both packages offer target.json. It stays as long as one of them does.
another_flavour_stands_beside_it() {
	local other=${release%-*}-other-$arch
	repacked "$deb" /usr/local/other.deb "
		mv usr/src/linux-headers-$release usr/src/linux-headers-$other
		mv usr/share/doc/linux-headers-$release-rust usr/share/doc/linux-headers-$other-rust
		cd DEBIAN
		sed -i 's/$release/$other/g; s/^Depends:.*/Depends: make/' control postinst prerm"
	in_machine dpkg -i /usr/local/other.deb
	in_machine dpkg -r "$(metadata_package "$release")"
	in_machine test -s "/usr/lib/linux-kbuild-${release%-*}/scripts/target.json"
	in_machine apt-get install -y "$deb"
	in_machine dpkg -P "$(metadata_package "$other")"
	in_machine rm /usr/local/other.deb
	make_builds_a_foreign_module
}

apt_removes_it_without_a_trace() {
	in_machine apt-get purge -y "$(metadata_package "$release")"
	in_machine rm -r "$ours" "$foreign"
	machine_files >after
	diff "$before" after
}

main() {
	cache_init
	run_dir_init
	root_find
	prepare_kernel debian
	join_kernel
	"${namespaces[@]}" rm -rf "$work"
	mkdir -p "$work"
	trap 'stop_jobs; "${namespaces[@]}" rm -rf "$work/machine" || true; run_dir_remove' EXIT
	machine_prepare
	modules_of_users
	deb=$(DEBEMAIL=builder@workqueue-rs.invalid \
		"$top/scripts/rust-headers.sh" --deb "$release" | tail -n 1)
	(($# == 0)) || points=("$@")
	run_points "$work/points" "${points[@]}"
}

main "$@"
