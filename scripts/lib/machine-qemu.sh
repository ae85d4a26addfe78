# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The machine for real kernels: QEMU, with KVM where it works. machine_qemu_ARCH has all differences
# between architectures.

# /dev/kvm opens on some machines whose processor cannot run guests.
kvm_works() {
	# Opening a missing file for writing would create it.
	! is_cross && kvm_processor && [[ -c /dev/kvm ]] && { : <>/dev/kvm; } 2>/dev/null
}

# Only x86 has processor flags for this; elsewhere /dev/kvm must do.
kvm_processor() {
	if [[ $host_arch == amd64 ]]; then
		grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo
	else
		[[ -e /dev/kvm ]]
	fi
}

# Says why KVM does not work, if the user can change that.
kvm_trouble() {
	local module=kvm_intel
	! kvm_works && kvm_processor || return 0
	! grep -qE '^flags.* svm( |$)' /proc/cpuinfo || module=kvm_amd
	if [[ -e /dev/kvm && ! -w /dev/kvm ]]; then
		echo "/dev/kvm is not for this user. As root: usermod -aG kvm $(id -un);" \
			"then log in anew"
	else
		echo "no /dev/kvm opens, though the processor can. As root: modprobe $module"
	fi
}

# Sets $emulator, $cpu and $args for a PC. The guest has its four serial ports.
machine_qemu_amd64() {
	emulator=(qemu-system-x86_64
		-serial "chardev:log" -serial "chardev:out"
		-serial "chardev:err" -serial "chardev:control")
	args=(console=ttyS0 no_timer_check tsc=reliable)
	# Turn off fast string instructions. Real ones move many bytes at a time, but each byte
	# would count as an instruction here.
	((!icount)) || cpu=max,-erms,-fsrm,-fsrs,-fzrm
}

# The board's serial port works from the first line on, so it has the log. The others are on a card
# with four. Its names begin with ttyS0, which stays unused.
machine_qemu_arm64() {
	emulator=(qemu-system-aarch64 -M virt -serial "chardev:log"
		-device "pci-serial-4x,chardev2=out,chardev3=err,chardev4=control")
	args=(console=ttyAMA0 earlycon)
	# Turn off fast string instructions, as above.
	((!icount)) || args+=(arm64.nomops)
}

# Sets $machine, the command line of the emulator.
machine_qemu() {
	machine_name=QEMU
	local emulator=() args=() cpu=max accel=(-accel "tcg,thread=multi")
	local outputs=(-add-fd "fd=3,set=1" -chardev "file,id=out,path=/dev/fdset/1,append=on"
		-add-fd "fd=4,set=2" -chardev "file,id=err,path=/dev/fdset/2,append=on")
	if ((icount)); then
		accel=(-accel tcg -icount "shift=0,sleep=off")
		cpus=1
	elif kvm_works; then
		accel=(-accel kvm) cpu=host
	fi
	"machine_qemu_$arch"
	((!gdb)) || args+=(nokaslr)
	[[ $guest_mode != shell ]] ||
		outputs=(-chardev "stdio,id=out,mux=on,signal=off" -mon "chardev=out"
			-chardev "null,id=err")
	# The serial ports come last, after the chardevs they use.
	machine=("${emulator[0]}" -nodefaults -no-user-config -display none -no-reboot
		"${accel[@]}" -cpu "$cpu" -smp "$cpus" -m "$memory"
		-kernel "$image" -initrd "$run_dir/initramfs"
		-append "${args[*]} $(guest_boot_args)"
		-chardev "file,id=log,path=$run_dir/kernel.log" "${outputs[@]}"
		-chardev "pipe,id=control,path=$run_dir/control" "${emulator[@]:1}")
	((!gdb)) || machine+=(-gdb tcp:127.0.0.1:1234 -S)
}

# An ordinary gdb knows only this machine's processor.
machine_qemu_debugger() {
	local debugger=gdb
	! is_cross || debugger='gdb-multiarch'
	echo "$debugger -ex 'target remote :1234' '$kdir/vmlinux'"
}
