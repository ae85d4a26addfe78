# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Debian's kernel packages. Finds a 7.3 in the backports suite and unpacks its source, configuration
# and image, all of one version. Uses this machine's apt with a private configuration.
#
# A release ends in its flavour, and that in its architecture: 7.3.4+deb13-rt-amd64 is PREEMPT_RT
# for amd64.

kernel_series=7.3
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The flavour of the kernel in use, set by kernel_find.
flavour=$arch

# The flavours that Debian builds with Rust.
readonly flavours=(amd64 cloud-amd64 rt-amd64 arm64 arm64-16k cloud-arm64 rt-arm64)

is_flavour() { [[ " ${flavours[*]} " == *" $1 "* ]]; } # WORD

is_debian_release() { [[ $1 == [0-9]*+deb13-* ]] && is_flavour "${1#*+deb13-}"; } # RELEASE

# release_flavour RELEASE: prints the flavour of a Debian release
release_flavour() { echo "${1#*+deb13-}"; }

# flavour_arch FLAVOUR: prints Debian's name of its architecture
flavour_arch() { if [[ $1 == *arm64* ]]; then echo arm64; else echo amd64; fi; }

release_arch() { flavour_arch "$(release_flavour "$1")"; } # RELEASE

# source_arch: prints the kernel's name of $flavour's architecture
source_arch() { kernel_arch "$(flavour_arch "$flavour")"; }

is_debian_suite() { # whether this machine is a Debian of that suite
	local ID='' VERSION_CODENAME=''
	# shellcheck source=/dev/null
	[[ ! -r /etc/os-release ]] || . /etc/os-release
	[[ $ID == debian && $VERSION_CODENAME == "$linux_suite" ]]
}

# Prints this machine's Debian mirror. Prints nothing if this is no Debian or apt has no lists yet;
# mmdebstrap then uses its default. Only root_make_suite sets $mirror_line.
debian_mirror() {
	[[ -z ${mirror_line:-} ]] || { echo "$mirror_line"; return; }
	local ID='' VERSION_CODENAME=''
	# shellcheck source=/dev/null
	[[ ! -r /etc/os-release ]] || . /etc/os-release
	[[ $ID == debian ]] || return 0
	# shellcheck disable=SC2016 # apt's own format
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
		"Codename: $VERSION_CODENAME" 'Component: main' | head -n 1
}

# suite_source [SUITE]: prints its line for sources.list. If mmdebstrap chose the root's mirror, the
# root's own list names it. apt rejects an outdated snapshot of a mirror, unless this machine's apt
# is configured to accept it.
suite_source() {
	local wanted=${1:-$suite} mirror options=signed-by=$keyring valid=''
	mirror=$(debian_mirror)
	eval "$(apt-config shell valid Acquire::Check-Valid-Until 2>/dev/null || true)"
	[[ $valid != false ]] || options+=' check-valid-until=no'
	if [[ -n $mirror ]]; then
		echo "deb [$options] $mirror $wanted main"
	else
		cached "${base_root##*/}" root_make >&2
		sed -n "/ $suite main/ { s// $wanted main/p; q }" \
			"$base_root/etc/apt/sources.list"
	fi
}

backports_source() { suite_source "$linux_suite-backports"; }

# apt_private DIR TOOL ARG...: runs an apt tool that knows only DIR/sources.list, for $package_arch,
# by default this machine's
apt_private() {
	local dir=$1 tool=$2
	shift 2
	"$tool" -q -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$dir" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir" \
		-o APT::Architecture="${package_arch:-$host_arch}" -o APT::Sandbox::User= \
		-o Acquire::Languages=none -o APT::Update::Error-Mode=any "$@"
}

# debian_unpack DIR PACKAGE[=VERSION]: unpacks a package of the suite into DIR, without its
# dependencies
debian_unpack() {
	local apt=$1/apt
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	: >"$apt/status"
	suite_source >"$apt/sources.list"
	apt_private "$apt" apt-get update
	(cd "$apt" && apt_private "$apt" apt-get download "$2")
	dpkg-deb -x "$apt/${2%%=*}"_*.deb "$1"
	rm -r "$apt"
}

# linux_unpack DIR RELEASE VERSION: fills DIR with src/, config, Module.symvers, vmlinux, vmlinuz,
# release and version. RELEASE is like 7.3.4+deb13-amd64, VERSION like 7.3.4-1~bpo13+1. If empty,
# takes the newest of $flavour.
linux_unpack() {
	local dir=$1 release=$2 version=$3 newest has apt=$1/apt packages package_arch
	package_arch=$(flavour_arch "$flavour")
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	: >"$apt/status"
	backports_source >"$apt/sources.list"
	apt_private "$apt" apt-get update
	newest=$(apt_private "$apt" apt-cache pkgnames "linux-binary-$kernel_series" |
		sed -nE "s/^linux-binary-([0-9.]+\+deb13-$flavour)\$/\1/p" | sort -V | tail -n 1)
	[[ -n $newest ]] ||
		die "no $kernel_series kernel $flavour in $linux_suite-backports any more:" \
			"give a kernel of your own in KDIR"
	release=${release:-$newest}
	# apt-cache fails for a missing package. The message below says more.
	has=$({ apt_private "$apt" apt-cache show "linux-binary-$release" || true; } |
		sed -n 's/^Version: //p' | sort -V | tail -n 1)
	version=${version:-$has}
	[[ -n $has && $version == "$has" ]] ||
		die "the packages of kernel $release${version:+ ($version)} are not in" \
			"$linux_suite-backports, which has $newest${has:+ ($has)}:" \
			"upgrade this machine's kernel to it"
	packages=("linux-binary-$release=$version" "linux-headers-$release=$version")
	linux_share_source "$dir" "$version" ||
		packages+=("linux-source-$kernel_series=$version")
	(cd "$apt" && apt_private "$apt" apt-get download "${packages[@]}")
	linux_unpack_debs "$dir" "$release"
	[[ -e $dir/src ]] || linux_unpack_source "$dir"
	rm -r "$apt"
	echo "$release" >"$dir/release"
	echo "$version" >"$dir/version"
}

# linux_share_source DIR VERSION: links the source of another cached flavour of this architecture
linux_share_source() {
	local other
	for other in "$cache/linux-$kernel_series"*; do
		if [[ ! -L $other/src && -e $other/src/arch/$(source_arch)/kernel/setup.c &&
			$(<"$other/version") == "$2" ]]; then
			ln -s "../$(basename "$(realpath "$other")")/src" "$1/src"
			return
		fi
	done
	return 1
}

linux_unpack_debs() { # DIR RELEASE
	local dir=$1 headers=./usr/src/linux-headers-$2
	dpkg-deb --fsys-tarfile "$dir"/apt/linux-binary-*.deb |
		tar -xO --wildcards './usr/lib/modules/*/vmlinuz' >"$dir/vmlinuz"
	dpkg-deb --fsys-tarfile "$dir"/apt/linux-headers-*.deb |
		tar -x -C "$dir" --strip-components=4 \
			"$headers/.config" "$headers/Module.symvers" "$headers/vmlinux"
	mv "$dir/.config" "$dir/config"
}

# Leaves out 1.0 of 1.8 GB: sources of drivers that no kernel here has, and of other architectures.
# Keeps this machine's architecture, because tools read its headers, and all that Kbuild reads.
linux_unpack_source() { # DIR
	local dir=$1 target host
	target=$(source_arch)
	host=$(kernel_arch "$host_arch")
	mkdir "$dir/src"
	dpkg-deb --fsys-tarfile "$dir"/apt/linux-source-*.deb |
		tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | unxz_stream |
		tar -x -C "$dir/src" --strip-components=1 --anchored \
			--exclude='linux-source-*/arch/'"[!Ku${target::1}${host::1}]"'*/*.[chS]' \
			--exclude='linux-source-*/arch/*/*.dts*' \
			--exclude='linux-source-*/drivers/accel/*.[ch]' \
			--exclude='linux-source-*/drivers/gpu/*.[ch]' \
			--exclude='linux-source-*/drivers/infiniband/*.[ch]' \
			--exclude='linux-source-*/drivers/media/*.[ch]' \
			--exclude='linux-source-*/drivers/net/*.[ch]' \
			--exclude='linux-source-*/sound/*.[ch]'
}

# mmdebstrap depends on Python, but not on xz.
unxz_stream() {
	if command -v xz >/dev/null; then
		xz -dcT0
	else
		python3 -c 'import lzma, shutil, sys
shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer, 1 << 20)'
	fi
}

# linux_find RELEASE VERSION: sets $linux to where the unpacked packages are or will be. An empty
# argument matches any cached version of $flavour.
linux_find() {
	linux_entry=linux-$kernel_series
	[[ $flavour == amd64 ]] || linux_entry+=-$flavour
	linux_is "$linux_entry" release "$1" && linux_is "$linux_entry" version "$2" ||
		linux_entry=linux-$1${2:+_$2}
	linux=$cache/$linux_entry
}

linux_is() { # ENTRY FILE WANTED
	[[ -z $3 || $(cat "$cache/$1/$2" 2>/dev/null) == "$3" ]]
}

linux_need() { # RELEASE VERSION
	cached "$linux_entry" linux_unpack "${1:-}" "${2:-}"
}
