# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The architectures, by the names that Debian gives them: amd64 and arm64. What others call
# them and theirs stands here; what differs in a machine, in machine-qemu.sh.
#
#   $host_arch  of this machine, and of the compilers
#   $arch       of the kernel and the guest; said by --arch or ARCH, by the kernel's release,
#               or, where there is KDIR, by its configuration alone

readonly arches=(amd64 arm64)

# arch_of WORD: what uname, the kernel or Rust calls it becomes Debian's word. Any other stays
# as it is, and is refused where it matters: ARCH may be for the make of a kernel of one's own.
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

# arch_refusal: says why nothing can be built for $arch here
arch_refusal() {
	if [[ " ${arches[*]} " != *" $host_arch "* ]]; then
		echo "this machine is $host_arch: it takes one that is x86_64 or aarch64"
	elif [[ " ${arches[*]} " != *" $arch "* ]]; then
		echo "architecture $arch: there are ${arches[*]}"
	elif is_cross && [[ ! -e $(cross_packages_file) ]]; then
		echo "architecture $arch: this machine is $host_arch, and builds for no other"
	fi
}

# kernel_arch ARCH: the name of its folder in the kernel's source
kernel_arch() {
	case $1 in
	arm64) echo arm64 ;;
	*) echo x86 ;;
	esac
}

# triplet ARCH: how the names of its compilers begin
triplet() {
	case $1 in
	arm64) echo aarch64-linux-gnu ;;
	*) echo x86_64-linux-gnu ;;
	esac
}

# rust_target ARCH: of programs
rust_target() {
	local name
	name=$(triplet "$1")
	echo "${name/-/-unknown-}"
}

# program_loader ARCH: what begins a program that has shared libraries
program_loader() {
	case $1 in
	arm64) echo ld-linux-aarch64.so.1 ;;
	*) echo ld-linux-x86-64.so.2 ;;
	esac
}

# kernel_image ARCH: where in a build folder make leaves what can be booted
kernel_image() {
	case $1 in
	arm64) echo arch/arm64/boot/Image ;;
	*) echo arch/x86/boot/bzImage ;;
	esac
}
