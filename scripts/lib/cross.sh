# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The root that builds for another architecture: the toolchain root with more packages. Its files
# are links to that root's, so it takes little room. It is made, and downloaded, only on demand.
#
# The guest's programs are unpacked into the root's /arm64. They are not for this machine's
# processor, and some share names with programs that are.

cross_packages_file() { echo "$top/scripts/packages-cross-$arch.txt"; }

# cross_packages [:ARCH]: prints the packages for this machine, or for ARCH
cross_packages() {
	sed -E 's/[[:space:]]*(#.*)?$//; /^$/d' "$(cross_packages_file)" |
		sed -nE "s/^([^:]+)${1:-}\$/\1/p"
}

# cross_root_find: sets $root and $root_key for $arch, from this machine's
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

# Makes the root from links to the base root. Only logs would be written in place. Everything else
# is replaced, so the base root's files stay.
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

# cross_unpack DEBS ROOT: unpacks Rust's library for the compiler, the rest for the guest
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

# guest_tools: prints the folder with the guest's programs and libraries
guest_tools() { if is_cross; then echo "$root/$arch"; else echo "$root"; fi; }
