# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Reads a kernel build folder (KDIR), and says whether Rust modules can be built against it.

# kdir_config KDIR NAME: prints the value of CONFIG_NAME without quotes
kdir_config() { config_value "$2" <"$1/include/config/auto.conf"; }

# config_value NAME: prints the value from the configuration on stdin
config_value() { sed -n "s/^CONFIG_$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p"; }

# release_config RELEASE: prints the path of that kernel's configuration, the first one found
release_config() {
	local file
	for file in "/lib/modules/$1/build/include/config/auto.conf" "/boot/config-$1" \
		"/lib/modules/$1/config" /proc/config.gz; do
		[[ -r $file && ($file != /proc/* || $1 == "$(uname -r)") ]] || continue
		echo "$file"
		return
	done
}

# release_config_value RELEASE NAME: prints the value of CONFIG_NAME
release_config_value() {
	local file
	file=$(release_config "$1")
	case $file in
	*.gz) gzip -dc "$file" ;;
	?*) cat "$file" ;;
	esac | config_value "$2"
}

# kdir_arch KDIR: prints its architecture, or this machine's if it has no configuration yet
kdir_arch() {
	if [[ ! -e $1/include/config/auto.conf ]]; then
		echo "$host_arch"
	elif [[ -n $(kdir_config "$1" ARM64) ]]; then
		echo arm64
	else
		echo amd64
	fi
}

kdir_release() { cat "$1/include/config/kernel.release"; }

# kdir_of_debian KDIR: prints its release if KDIR is, or will be, installed by Debian's headers
# package, and lacks the Rust metadata. Fails otherwise.
kdir_of_debian() {
	local kdir release
	kdir=$(realpath -m "${1:-/}")
	release=$(kdir_release "$kdir" 2>/dev/null) ||
		release=$(sed -nE 's!^.*(/lib/modules/|/linux-headers-)([^/]+)(/build)?$!\2!p' \
			<<<"$kdir")
	is_debian_release "$release" && [[ ! -e $kdir/rust/libkernel.rmeta ]] || return
	echo "$release"
}

# kdir_compiler KDIR: prints the compiler that built it, as an argument of make
kdir_compiler() {
	if [[ -n $(kdir_config "$1" CC_IS_CLANG) ]]; then
		echo LLVM=1
	else
		echo "CC=$(kdir_config "$1" CC_VERSION_TEXT | cut -d ' ' -f 1)"
	fi
}

# Linux 7.3 needs this version (its scripts/min-tool-version.sh).
bindgen_needed=0.71.1

# abstractions/bindings.mk needs bindgen.
bindgen_trouble() {
	local found mend="Install it with this system's package manager"
	! command -v apt-get >/dev/null || mend="As root: apt-get install bindgen"
	found=$(bindgen --version 2>/dev/null) || found=''
	if [[ -z $found ]]; then
		echo "no bindgen. $mend"
	elif [[ $(printf '%s\n' "$bindgen_needed" "${found#bindgen }" | sort -V | head -n 1) != \
		"$bindgen_needed" ]]; then
		echo "$found is older than $bindgen_needed. $mend"
	fi
}

# release_check RELEASE WAY_OUT: dies with WAY_OUT if RELEASE is too old
release_check() {
	local trouble
	trouble=$(release_trouble "$1")
	[[ -z $trouble ]] || die "$trouble. $2"
}

release_trouble() { # RELEASE
	[[ $(printf '%s\n' 7.3 "$1" | sort -V | head -n 1) == 7.3 ]] ||
		echo "Linux $1 is older than 7.3: before it, a Rust module with a device can be" \
			"removed while a file is open"
}

# kdir_check KDIR RUSTC WAY_OUT: dies with one line if KDIR cannot build Rust modules. RUSTC is the
# output of `rustc --version`.
kdir_check() {
	local check trouble
	for check in folder release rust metadata rustc; do
		trouble=$("kdir_${check}_trouble" "$1" "$2")
		[[ -z $trouble ]] || die "$trouble. $3"
	done
}

kdir_folder_trouble() { # KDIR
	if [[ ! -d $1 ]]; then
		echo "$1: no such kernel build folder"
	elif [[ ! -e $1/include/config/auto.conf || ! -e $1/include/config/kernel.release ]]; then
		echo "$1: not configured and prepared (no include/config/auto.conf)"
	fi
}

kdir_release_trouble() { release_trouble "$(kdir_release "$1")"; } # KDIR

kdir_rust_trouble() { # KDIR
	[[ -n $(kdir_config "$1" RUST) ]] ||
		echo "$1: Linux $(kdir_release "$1") is built without CONFIG_RUST"
}

kdir_metadata_trouble() { # KDIR
	[[ -e $1/rust/libkernel.rmeta ]] ||
		echo "$1: no rust/libkernel.rmeta, the metadata that Rust modules are built against"
}

kdir_rustc_trouble() { # KDIR RUSTC
	local built_by
	built_by=$(kdir_config "$1" RUSTC_VERSION_TEXT)
	[[ $built_by == "$2" ]] ||
		echo "$1: built by \"$built_by\", but the compiler in hand is" \
			"\"${2:-none}\", and Rust modules need the very same"
}
