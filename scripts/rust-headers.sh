#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Packs what Debian's kernel headers lack for Rust modules. See usage() below.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/metadata.sh
. "$top/scripts/lib/metadata.sh"

usage() {
	cat <<'EOF'
Usage: scripts/rust-headers.sh --deb | --install | --check [RELEASE]

Debian builds its kernels with Rust, and packs no Rust metadata with their headers. This makes
it, and checks that each Rust symbol in it is one of that kernel's. With it

    make -C /lib/modules/RELEASE/build M=$PWD

builds any module in Rust, with Debian's own compilers, and so does DKMS.

  --deb       make the package linux-headers-RELEASE-rust; its path is the last line of the
              output
  --install   make it and have apt install it on this machine, a Debian 13 that takes its
              kernel from backports; as root. apt-get remove linux-headers-RELEASE-rust
              takes it away again
  --check     make nothing; say whether this machine can build modules in Rust for RELEASE,
              or what is wrong and the command that mends it

RELEASE is like 7.3.4+deb13-amd64. By default it is that of the running kernel or, where that
is none of Debian's, the newest that Debian has.

Environment:
  DEBFULLNAME, DEBEMAIL
              who answers for the package, as with Debian's other tools
  XDG_CACHE_HOME
              where workqueue-rs/ is kept: compilers and kernels
EOF
}

mode='' release=''
# RELEASE alone selects the kernel.
unset KDIR
arch=$host_arch

main() {
	parse_options "$@"
	case $mode in
	deb)
		make_deb
		echo "$deb"
		;;
	install) install_deb ;;
	check) check ;;
	esac
}

parse_options() {
	while (($#)); do
		case $1 in
		--deb | --install | --check)
			[[ -z $mode ]] || usage_error "$1: not with --$mode"
			mode=${1#--}
			;;
		--help | -h) usage; exit ;;
		-*) usage_error "$1: no such option" ;;
		*)
			[[ -z $release ]] || usage_error "$1: one RELEASE at a time"
			release=$1
			;;
		esac
		shift
	done
	[[ -n $mode ]] || usage_error "--deb, --install or --check?"
	check_release
}

usage_error() {
	printf '%s: %s\nTry scripts/rust-headers.sh --help\n' "${0##*/}" "$*" >&2
	exit 2
}

check_release() {
	if [[ -z $release ]]; then
		release=$(uname -r)
		# --check is about this machine, even if its kernel is not Debian's.
		is_debian_release "$release" || [[ $mode == check ]] || release=''
	fi
	[[ -n $release ]] || return 0
	is_debian_release "$release" ||
		die "$release is none of Debian's kernels with Rust, such as 7.3.4+deb13-amd64." \
			"They end in: ${flavours[*]}"
	[[ $(release_arch "$release") == "$host_arch" ]] ||
		die "the macros in the package run where modules are compiled: for $release" \
			"make it on a machine that is $(release_arch "$release")"
	release_check "$release" \
		"Newer ones: apt-get install -t $linux_suite-backports linux-image-$arch"
}

# Builds the package. Sets $deb, its path.
make_deb() {
	local missing count
	cache_init
	root_find
	run_dir_init
	prepare_kernel debian "$release"
	join_kernel
	release=$(<"$linux/release")
	mapfile -t missing < <(kernel_missing_symbols "$kdir")
	count=$(kernel_rust_symbols "$kdir" | wc -l)
	say "$((count - ${#missing[@]})) of $count Rust symbols are those of $release" \
		"$(<"$linux/version")${missing[*]:+, and these are not: ${missing[*]}}"
	step "packing $(metadata_package "$release")" deb metadata_deb "$top/build"
	deb=$(metadata_deb_path "$top/build")
}

install_deb() {
	((EUID == 0)) || die "--install installs a package: run it as root"
	is_debian_suite ||
		die "this machine is no Debian $linux_suite, so it does not run such a kernel." \
			"--deb makes the package for one that does"
	make_deb
	DEBIAN_FRONTEND=noninteractive apt-get install -y "$deb" </dev/null >&2 ||
		die "apt did not install it. It needs $linux_suite-backports in its sources, and" \
			"'apt-get update' before"
	check
}

check() {
	local trouble
	trouble=$(metadata_trouble "$release")
	[[ -z $trouble ]] || die "$trouble"
	say "make -C /lib/modules/$release/build M=\$PWD builds modules in Rust"
}

main "$@"
