# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The architectures by their Debian names, amd64 and arm64, and the names others give them.
# machine-qemu.sh has the differences between machines.
#
#   $host_arch  of this machine and the compilers
#   $arch       of the kernel and the guest. --arch, ARCH or the kernel's release sets it;
#               with KDIR, only its configuration does

readonly arches=(amd64 arm64)

# arch_of WORD: translates a name from uname, the kernel or Rust to Debian's. Prints any other word
# unchanged and leaves refusing it to others: ARCH may be meant for the make of a user's kernel.
arch_of() {
	case $1 in
	x86_64 | x86) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) echo "$1" ;;
	esac
}

host_arch=$(arch_of "$(uname -m)")
arch=$host_arch
[[ -n ${KDIR:-} ]] || arch=$(arch_of "${ARCH:-$host_arch}")

is_cross() { [[ $arch != "$host_arch" ]]; }

# arch_refusal: says why this machine cannot build for $arch
arch_refusal() {
	if [[ " ${arches[*]} " != *" $host_arch "* ]]; then
		echo "this machine is $host_arch: it takes one that is x86_64 or aarch64"
	elif [[ " ${arches[*]} " != *" $arch "* ]]; then
		echo "architecture $arch: there are ${arches[*]}"
	elif is_cross && [[ ! -e $(cross_packages_file) ]]; then
		echo "architecture $arch: this machine is $host_arch, and builds for no other"
	fi
}

# kernel_arch ARCH: prints the name of its folder in the kernel source
kernel_arch() {
	case $1 in
	arm64) echo arm64 ;;
	*) echo x86 ;;
	esac
}

# triplet ARCH: prints the prefix of its compilers' names
triplet() {
	case $1 in
	arm64) echo aarch64-linux-gnu ;;
	*) echo x86_64-linux-gnu ;;
	esac
}

# rust_target ARCH: prints the target of its programs
rust_target() {
	local name
	name=$(triplet "$1")
	echo "${name/-/-unknown-}"
}

# program_loader ARCH: prints the dynamic loader of its programs
program_loader() {
	case $1 in
	arm64) echo ld-linux-aarch64.so.1 ;;
	*) echo ld-linux-x86-64.so.2 ;;
	esac
}

# kernel_image ARCH: prints the path of the bootable image in a build folder
kernel_image() {
	case $1 in
	arm64) echo arch/arm64/boot/Image ;;
	*) echo arch/x86/boot/bzImage ;;
	esac
}
