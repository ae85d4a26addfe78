# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What a kernel build folder (KDIR) says of itself, and whether Rust modules can
# be built against it.

# kdir_config KDIR NAME: prints the value of CONFIG_NAME without quotes
kdir_config() {
	sed -n "s/^CONFIG_$2=\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" "$1/include/config/auto.conf"
}

kdir_release() { cat "$1/include/config/kernel.release"; }

# kdir_of_debian KDIR: prints the release of which KDIR is what Debian packs of a kernel's
# build folder, or will be when its headers are installed. It lacks the Rust metadata.
kdir_of_debian() {
	local kdir release
	kdir=$(realpath -m "${1:-/}")
	release=$(kdir_release "$kdir" 2>/dev/null) ||
		release=$(sed -nE 's!^.*(/lib/modules/|/linux-headers-)([^/]+)(/build)?$!\2!p' \
			<<<"$kdir")
	is_debian_release "$release" && [[ ! -e $kdir/rust/libkernel.rmeta ]] || return
	echo "$release"
}

# kdir_compiler KDIR: the compiler that built it, as an argument of make
kdir_compiler() {
	if [[ -n $(kdir_config "$1" CC_IS_CLANG) ]]; then
		echo LLVM=1
	else
		echo "CC=$(kdir_config "$1" CC_VERSION_TEXT | cut -d ' ' -f 1)"
	fi
}

# release_check RELEASE WAY_OUT
release_check() {
	[[ $(printf '%s\n' 7.3 "$1" | sort -V | head -n 1) == 7.3 ]] ||
		die "Linux $1 is older than 7.3: before it, a Rust module with a device can be" \
			"removed while a file is open. $2"
}

# kdir_check KDIR RUSTC WAY_OUT: dies with one line where KDIR cannot take Rust
# modules. RUSTC is what `rustc --version` says of the compiler in hand.
kdir_check() {
	local kdir=$1 rustc=$2 way_out=$3 release built_by
	[[ -d $kdir ]] || die "$kdir: no such kernel build folder. $way_out"
	[[ -e $kdir/include/config/auto.conf && -e $kdir/include/config/kernel.release ]] ||
		die "$kdir: not configured and prepared (no include/config/auto.conf). $way_out"
	release=$(kdir_release "$kdir")
	release_check "$release" "$way_out"
	[[ -n $(kdir_config "$kdir" RUST) ]] ||
		die "$kdir: Linux $release is built without CONFIG_RUST. $way_out"
	[[ -e $kdir/rust/libkernel.rmeta ]] ||
		die "$kdir: no rust/libkernel.rmeta, the metadata that Rust modules are built" \
			"against. $way_out"
	built_by=$(kdir_config "$kdir" RUSTC_VERSION_TEXT)
	[[ $built_by == "$rustc" ]] ||
		die "$kdir: built by \"$built_by\", but the compiler in hand is" \
			"\"${rustc:-none}\", and Rust modules need the very same. $way_out"
}
