# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The machine for kernels that need one: QEMU, with KVM where that works.

# /dev/kvm opens on some machines whose processor cannot run guests.
kvm_works() {
	# To open what is not there for writing would make it.
	kvm_processor && [[ -c /dev/kvm ]] && { : <>/dev/kvm; } 2>/dev/null
}

kvm_processor() { grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; }

# Why it does not, where something can be done about it.
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

# Sets $machine, the emulator's command line.
machine_qemu() {
	machine_name=QEMU
	local accel=(-accel "tcg,thread=multi" -cpu max)
	local outputs=(-add-fd "fd=3,set=1" -chardev "file,id=out,path=/dev/fdset/1,append=on"
		-add-fd "fd=4,set=2" -chardev "file,id=err,path=/dev/fdset/2,append=on")
	local args=(console=ttyS0 no_timer_check tsc=reliable)
	! kvm_works || accel=(-accel kvm -cpu host)
	((!gdb)) || args+=(nokaslr)
	if ((icount)); then
		# Without the fast string instructions: real ones move many bytes at a
		# time, while each byte would count as an instruction here.
		accel=(-accel tcg -cpu "max,-erms,-fsrm,-fsrs,-fzrm" -icount "shift=0,sleep=off")
		cpus=1
	fi
	[[ $guest_mode != shell ]] ||
		outputs=(-chardev "stdio,id=out,mux=on,signal=off" -mon "chardev=out"
			-chardev "null,id=err")
	machine=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
		"${accel[@]}" -smp "$cpus" -m "$memory"
		-kernel "$image" -initrd "$run_dir/initramfs"
		-append "${args[*]} $(guest_boot_args)"
		-chardev "file,id=log,path=$run_dir/kernel.log" "${outputs[@]}"
		-chardev "pipe,id=control,path=$run_dir/control"
		-serial "chardev:log" -serial "chardev:out"
		-serial "chardev:err" -serial "chardev:control")
	((!gdb)) || machine+=(-gdb tcp:127.0.0.1:1234 -S)
}

machine_qemu_debugger() { echo "gdb -ex 'target remote :1234' '$kdir/vmlinux'"; }
