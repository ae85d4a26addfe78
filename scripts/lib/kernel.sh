# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The kernels. Each is a cache entry with kdir/, a KDIR for `make M=`, and image, which QEMU boots.
# On amd64 the image is vmlinux, booted by its PVH entry point: under emulation, decompressing a
# bzImage takes longer than booting it. On arm64 it is Debian's image.
#
#   debian      Debian's binary. Only the Rust metadata is rebuilt here, because Debian's
#               headers lack it. debian-rt and others are its other flavours.
#   NAME        (plain, kasan, rt, uml, uml-kasan) built here from the same source, with only
#               the options of configs/base.config and configs/NAME.config. uml-kasan also has
#               those of uml. configs/NAME.cmdline holds the boot arguments.
#   $KDIR       a build folder of the user's
#
# A kernel's kind is debian, own, or um (User-mode Linux, a program). This file makes the kernels,
# machine-*.sh boot them.

configs=$top/scripts/configs
plain_macros=$top/scripts/lib/rustc-plain-macros.sh

# Prints the names of the kernels for $arch. base.config is a part of the others.
known_kernels() {
	local file name names=()
	for name in "${flavours[@]}"; do
		[[ $(flavour_arch "$name") != "$arch" ]] || names+=("$(flavour_kernel "$name")")
	done
	for file in "$configs"/*.config; do
		[[ $file == */base.config || $arch != amd64 ]] ||
			names+=("$(basename "$file" .config)")
	done
	echo "${names[*]}"
}

# Debian's kernel needs the compilers that built it.
default_kernel() { if [[ $suite == "$linux_suite" ]]; then echo debian; else echo plain; fi; }

# kernel_refusal NAME: says why there is no such kernel
kernel_refusal() {
	local refusal
	refusal=$(arch_refusal)
	if [[ -n $refusal ]]; then
		echo "$refusal"
	elif [[ $arch != amd64 && -e $configs/$1.config ]]; then
		echo "--kernel $1: it is built for amd64 alone;" \
			"for $arch there are $(known_kernels)"
	elif ! kernel_is_known "$1"; then
		echo "--kernel $1: there are $(known_kernels)"
	fi
}

# kernel_flavour NAME: prints the flavour of a Debian kernel
kernel_flavour() {
	case $1 in
	debian-[0-9]*) echo "$arch-${1#debian-}" ;;
	debian-*) echo "${1#debian-}-$arch" ;;
	*) echo "$arch" ;;
	esac
}

# flavour_kernel FLAVOUR: prints its name here. debian-16k is arm64-16k, debian-rt may be rt-amd64.
flavour_kernel() {
	local rest=-$1-
	rest=${rest/-$(flavour_arch "$1")-/-}
	echo "debian${rest%-}"
}

# kernel_kind NAME: prints the kind of the kernel NAME, or of $KDIR
kernel_kind() {
	if [[ -n ${KDIR:-} ]]; then
		if [[ -e $KDIR/linux ]]; then echo um; else echo own; fi
		return
	fi
	case $1 in
	debian*) echo debian ;;
	uml*) echo um ;;
	*) echo own ;;
	esac
}

# machine_of_kind: prints which machine boots $kernel
machine_of_kind() { if [[ $kind == um ]]; then echo um; else echo qemu; fi; }

kernel_is_known() { [[ " $(known_kernels) " == *" $1 "* ]]; } # NAME

# kernel_find NAME [RELEASE [VERSION]]: sets $linux, $kind, $kernel_entry, $kdir and $image, made or
# not. RELEASE and VERSION are Debian's, see linux_find.
kernel_find() {
	local name=$1 made_from=''
	kind=$(kernel_kind "$name")
	if [[ -n ${KDIR:-} ]]; then
		kernel_entry=$(key "$KDIR")
		kernel_find_own "$KDIR"
		return
	fi
	flavour=$(kernel_flavour "$name")
	if is_debian_release "${2:-}"; then
		flavour=$(release_flavour "$2")
		arch=$(flavour_arch "$flavour")
		name=$(flavour_kernel "$flavour")
	fi
	root_find
	linux_find "${2:-}" "${3:-}"
	[[ $kind == debian ]] || made_from=$(kernel_fragment "$name"; declare -f kernel_make)$'\n'
	[[ $kind != um ]] || made_from+=${um_options[*]}
	[[ $kind != debian ]] || made_from+=$(declare -f kernel_debian_options kernel_unpack_image \
		kernel_say_arch)
	made_from+=$(declare -f "kernel_make_$kind")
	made_from+=$(declare -f kernel_forget_path; cat "$plain_macros")
	made_from+=$root_key$(readlink "$linux" || true)
	kernel_entry=kernel-$name-$(key "$made_from")
	kdir=$cache/$kernel_entry/kdir
	image=$cache/$kernel_entry/image
}

kernel_find_own() { # KDIR
	kdir=$1
	arch=$(kdir_arch "$kdir")
	root_find
	image=$kdir/$(kernel_image "$arch")
	[[ $kind != um ]] || image=$kdir/linux
}

kernel_make_debian() { # DIR
	local out=$1/kdir release
	release=$(<"$linux/release")
	mkdir "$out"
	cp "$linux/config" "$out/.config"
	kernel_debian_options
	in_root make -C "$linux/src" O="$out" -j"$(nproc)" "${debian_options[@]}" \
		KERNELRELEASE="$release" RUSTC="$plain_macros" \
		olddefconfig prepare modules_prepare
	cp "$linux/Module.symvers" "$linux/vmlinux" "$out"
	kernel_unpack_image "$linux/vmlinuz" >"$1/image"
	kernel_check_symbols "$out"
	kernel_forget_path "$out"
	! is_cross || kernel_say_arch "$out"
}

# Sets $debian_options, make's arguments for Debian's kernel and modules for it: compilers that run
# on this machine and compile for $arch.
kernel_debian_options() {
	debian_options=("CC=$(triplet "$arch")-gcc-14" "HOSTCC=$(triplet "$host_arch")-gcc-14")
	! is_cross || debian_options+=("ARCH=$(source_arch)" "CROSS_COMPILE=$(triplet "$arch")-")
}

kernel_unpack_image() { # VMLINUZ
	case $arch in
	amd64) in_root "$linux/src/scripts/extract-vmlinux" "$1" ;;
	*) cat "$1" ;;
	esac
}

# Puts the architecture into the Makefile, so that `make M=` needs no arguments.
kernel_say_arch() { # KDIR
	cat - "$1/Makefile" >"$1/Makefile.new" <<-EOF
		export ARCH := $(source_arch)
		export CROSS_COMPILE := $(triplet "$arch")-
	EOF
	mv "$1/Makefile.new" "$1/Makefile"
}

# Makes the build folder refer to its source by a relative path, because a cache may move or appear
# at several paths.
kernel_forget_path() { # KDIR
	local source
	source=../../$(basename "$(realpath "$linux")")/src
	ln -sfn "$source" "$1/source"
	cat >"$1/Makefile" <<-EOF
		export KBUILD_OUTPUT := \$(realpath \$(dir \$(lastword \$(MAKEFILE_LIST))))
		include \$(KBUILD_OUTPUT)/$source/Makefile
	EOF
}

# The same compiler gives the same symbols. With another compiler no module built here would load,
# so say it now. A few symbols may differ, of generic code in only one of the builds.
kernel_check_symbols() { # KDIR
	local missing
	[[ -n $(kernel_rust_symbols "$1") ]] || die "$1: no Rust symbols, so it is not whole"
	missing=$(kernel_missing_symbols "$1" | wc -l)
	((missing <= 10)) ||
		die "$missing Rust symbols are not those of the distribution's kernel: its" \
			"compiler is not the root's any more. Remove $cache and try again"
}

# kernel_missing_symbols KDIR: prints the Rust symbols that Debian's kernel lacks
kernel_missing_symbols() {
	comm -23 <(kernel_rust_symbols "$1") <(cut -f 2 "$1/Module.symvers" | sort -u)
}

kernel_rust_symbols() { # KDIR
	sed -nE 's/^EXPORT_SYMBOL_RUST_GPL\(([^)]*)\);.*/\1/p' "$1"/rust/exports_*_generated.h |
		sort -u
}

# kernel_fragment NAME: prints the options to set on top of allnoconfig. If several files set an
# option, the last one counts.
kernel_fragment() {
	local files=("$configs/base.config" "$configs/$1.config")
	[[ $1 != *-* ]] || files=("${files[0]}" "$configs/${1%-*}.config" "${files[1]}")
	awk 'match($0, /CONFIG_[A-Z0-9_]+(=| is not set$)/) {
			name = substr($0, RSTART, RLENGTH)
			sub(/[= ].*/, "", name)
			if (!(name in line))
				names[++count] = name
			line[name] = $0
		}
		END { for (i = 1; i <= count; i++) print line[names[i]] }' \
		"${files[@]}" | without_inline_helpers
}

# Inlining C into Rust needs clang and rustc with the same LLVM. Other suites may not have them.
without_inline_helpers() {
	if [[ $suite == "$linux_suite" ]]; then cat; else sed /RUST_INLINE_HELPERS=/d; fi
}

kernel_make_own() { kernel_make "$@" vmlinux; } # DIR NAME

# Additional arguments of make for User-mode Linux.
#
# Its code that returns from a signal must have nothing on the stack. In 7.3 a frame pointer there
# kills each process. ARCH=um has a large code model, for which clang puts static data into sections
# for large data. The linker script does not know them, so kmemleak would search only a hundredth of
# the data.
# shellcheck disable=SC2016 # expanded by make
um_options=(ARCH=um KCFLAGS='-w -mlarge-data-threshold=2147483647'
	CFLAGS_stub.o='$(CFLAGS_NO_HARDENING) -fomit-frame-pointer')

# Modules for it need its architecture, and may use only the relocations that its loader knows.
kernel_make_um() { # DIR NAME
	kernel_make "$@" linux "${um_options[@]}"
	cat - "$1/kdir/Makefile" >"$1/Makefile" <<-'EOF'
		export ARCH := um
		export KRUSTFLAGS += -Crelocation-model=static -Ccode-model=large
	EOF
	mv "$1/Makefile" "$1/kdir/Makefile"
}

# kernel_make DIR NAME IMAGE [ARG...]: builds the kernel NAME with these arguments of make
kernel_make() {
	local out=$1/kdir fragment=$1/fragment
	mkdir "$out"
	kernel_fragment "$2" >"$fragment"
	# Every command of the build folder has its path in it, and were that the tree's,
	# another tree could not go on from here (in-tree.sh).
	install -m 755 "$plain_macros" "$1/rustc"
	# -w: nobody here reads the warnings, and to look for them takes a fourteenth of
	# the compiler's time.
	local make=(in_root make -C "$linux/src" O="$out" -j"$(nproc)" LLVM=1
		RUSTC="$1/rustc" KCFLAGS=-w "${@:4}")
	"${make[@]}" KCONFIG_ALLCONFIG="$fragment" allnoconfig
	config_check "$fragment" "$out/.config"
	"${make[@]}" "$3" modules
	kernel_forget_path "$out"
	ln -s "kdir/$3" "$1/image"
}

# allnoconfig silently drops options whose dependencies are not set.
config_check() { # FRAGMENT CONFIG
	local line name lost=0
	while IFS= read -r line; do
		case $line in
		CONFIG_*) grep -qxF "$line" "$2" || { echo "lost: $line"; lost=1; } ;;
		'# CONFIG_'*' is not set')
			name=${line#\# } name=${name% is not set}
			! grep -q "^$name=" "$2" || { echo "lost: $line"; lost=1; }
			;;
		esac
	done <"$1"
	((!lost)) || die "$1: the options above did not survive allnoconfig"
}

kernel_need() { # NAME
	cached "$kernel_entry" "kernel_make_$(kernel_kind "$1")" "$1"
}

# Checks the user's KDIR: it must match the root's compiler and have an image.
kernel_check_own() {
	local source in_root=scripts/in-root.sh
	kdir=$(realpath "$KDIR") || die "KDIR=$KDIR: no such directory"
	kernel_find_own "$kdir"
	! is_cross || in_root="ARCH=$arch $in_root"
	share "$kdir"
	source=$(readlink -f "$kdir/source" || true)
	[[ ! -d $source ]] || share "$source"
	kdir_check "$kdir" "$(in_root rustc --version)" \
		"Build it with: $in_root make -C SOURCE O=$kdir LLVM=1"
	[[ -e $image ]] ||
		die "$image: no such file. Build it with:" \
			"$in_root make -C $kdir ${image##*/}"
}

# Tells the user if this version is untested.
kernel_notice() {
	local version
	version=$(cat "$linux/version")
	grep -qxF "$version" "$top/scripts/tested-kernels.txt" ||
		say "notice: nobody has tried linux $version yet (scripts/tested-kernels.txt)"
}

# set_up_gb [OWN]: prints how many GB the kernel of kernel_find still needs. OWN is set if the
# kernel is the user's.
set_up_gb() {
	if [[ ! -e $base_root ]]; then
		echo "$cache_size"
	elif [[ ! -e $root ]]; then
		echo 2
	elif [[ -z ${1:-} && ! -e $cache/$kernel_entry ]]; then
		echo 1
	else
		echo 0
	fi
}

kernel_check_known() { # NAME
	local refusal
	refusal=$(kernel_refusal "$1")
	[[ -z $refusal ]] || die "$refusal"
}

# prepare_kernel NAME [RELEASE [VERSION]]: makes the root and the kernel, in parallel where
# possible. join_kernel waits for the kernel.
prepare_kernel() {
	local name=$1 own_kernel release gb
	if release=$(kdir_of_debian "${KDIR:-}"); then
		unset KDIR
		set -- debian "$release"
	fi
	own_kernel=${KDIR:+1}
	kernel_find "$@"
	[[ -n $own_kernel ]] || kernel_check_known "$name"
	[[ $kind != debian || $suite == "$linux_suite" ]] ||
		die "Debian's kernel takes modules of the compilers of $linux_suite alone. With" \
			"SUITE=$suite there are those that are built here: plain, uml"
	gb=$(set_up_gb "$own_kernel")
	if ((gb)); then
		host_prepare "$gb"
	else
		host_check_mount
	fi
	[[ -n $own_kernel || -e $linux ]] || spawn linux linux_need "${@:2}"
	[[ -e $root ]] || step "making the toolchain root" root root_need
	if [[ -n $own_kernel ]]; then
		kernel_check_own
		return
	fi
	if [[ -n ${job_pid[linux]:-} ]]; then
		join linux "taking Debian's kernel packages"
		kernel_find "$@"
	fi
	kernel_notice
	[[ -e $cache/$kernel_entry ]] || spawn make-kernel kernel_need "$name"
}

join_kernel() {
	[[ -z ${job_pid[make-kernel]:-} ]] ||
		join make-kernel "making the kernel ready for Rust modules"
}
