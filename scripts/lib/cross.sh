# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The root that builds for another architecture than this machine's. It is the toolchain root
# and some packages more. Its files are links to that root's, so it takes little room, and who
# does not ask for it takes nothing of it from the network.
#
# What is to run in the guest is unpacked in a folder of its own, the root's /arm64: it is not
# for this machine's processor, and in part has the names of what is.

cross_packages_file() { echo "$top/scripts/packages-cross-$arch.txt"; }

# cross_packages [:ARCH]: those of this machine's architecture, or those of ARCH
cross_packages() {
	sed -E 's/[[:space:]]*(#.*)?$//; /^$/d' "$(cross_packages_file)" |
		sed -nE "s/^([^:]+)${1:-}\$/\1/p"
}

# cross_root_find: sets $root and $root_key, of which root_find has set those of this machine
cross_root_find() {
	local refusal
	refusal=$(arch_refusal)
	[[ -z $refusal ]] || die "$refusal"
	root_key=$(key "$root_key" "$(cross_packages; cross_packages ":$arch")" \
		"$(declare -f cross_root_make cross_unpack)")
	root=$cache/root-$arch-$root_key
}

cross_root_need() {
	[[ -e $root || $(realpath "$base_root") == "$cache"/* ]] ||
		die "compilers for $arch are links into the root, which is in $shared_cache:" \
			"its owner has to make them, once (--arch $arch)"
	cached "${root##*/}" cross_root_make
}

# In the base root only logs are written to; all else is replaced, and what it was stays.
cross_root_make() { # DIR
	local apt=$1/apt root=$1 rustc both=(-o "APT::Architectures=$host_arch,$arch") packages
	# shellcheck disable=SC2016 # expanded by the shell inside
	"${namespaces[@]}" sh -ec 'cp -al "$0/." "$1"; rm -rf "$1"/var/log/*' \
		"$(realpath "$base_root")" "$1"
	mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/foreign"
	suite_source >"$apt/sources.list"
	cp "$1/var/lib/dpkg/status" "$apt/status"
	apt_private "$apt" apt-get "${both[@]}" update
	mapfile -t packages < <(cross_packages)
	apt_private "$apt" apt-get "${both[@]}" install -y --no-install-recommends \
		--download-only "${packages[@]}"
	# shellcheck disable=SC2016 # expanded by the shell inside
	in_root sh -ec 'DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io -i "$0"/*.deb' \
		"$apt/archives"
	rustc=$(sed -n '/^Package: rustc$/,/^$/s/^Version: //p' "$1/var/lib/dpkg/status")
	mapfile -t packages < <(cross_packages ":$arch")
	packages=("${packages[@]/%/:$arch}")
	(cd "$apt/foreign" && apt_private "$apt" apt-get "${both[@]}" download \
		"${packages[@]/%libstd-rust-dev:$arch/libstd-rust-dev:$arch=$rustc}") ||
		die "$suite does not have all that goes with the rustc of $base_root, $rustc:" \
			"remove that root, which is made anew then"
	cross_unpack "$apt/foreign" "$1"
	"${namespaces[@]}" rm -r "$apt"
}

# cross_unpack DEBS ROOT: Rust's library belongs to the compiler, the rest to the guest
cross_unpack() {
	local deb into
	for deb in "$1"/*.deb; do
		into=$2/$arch
		[[ $deb != */libstd-rust-dev_* ]] || into=$2
		# shellcheck disable=SC2016 # expanded by the shell inside
		"${namespaces[@]}" sh -ec 'mkdir -p "$1"
			dpkg-deb --fsys-tarfile "$0" | tar -x -C "$1" --exclude=./usr/share' \
			"$deb" "$into"
	done
}

# guest_tools: the folder in which the guest's programs and their libraries lie
guest_tools() { if is_cross; then echo "$root/$arch"; else echo "$root"; fi; }
