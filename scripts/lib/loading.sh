# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Finds out whether a kernel loads modules, and whether they must be signed.

# loading_trouble: says why the running kernel loads no modules
loading_trouble() {
	if [[ ! -e /proc/modules ]]; then
		echo "this kernel loads no modules (CONFIG_MODULES is not set)." \
			"Take another kernel; that of scripts/qemu-run.sh does"
	elif [[ $(cat /proc/sys/kernel/modules_disabled 2>/dev/null) == 1 ]]; then
		echo "kernel.modules_disabled is 1. Restart this machine: until then no module is" \
			"loaded"
	elif ! root_loads_modules; then
		echo "root has no CAP_SYS_MODULE here, as in a container. Load them on its host"
	fi
}

# Succeeds if root here is the machine's root: it may have CAP_SYS_MODULE, bit 16 of the bounding
# set, and its namespace maps every user to itself.
root_loads_modules() {
	local bounding inside outside count
	bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
	read -r inside outside count </proc/self/uid_map
	(((16#$bounding >> 16) & 1)) && [[ "$inside $outside $count" == "0 0 4294967295" ]]
}

# secure_boot: prints on, off, none (no EFI) or unknown
secure_boot() {
	local file byte=''
	[[ -d /sys/firmware/efi ]] || { echo none; return; }
	for file in /sys/firmware/efi/efivars/SecureBoot-*; do
		# Four bytes of attributes come first.
		byte=$(od -An -tu1 -j4 -N1 "$file" 2>/dev/null | tr -dc 0-9) || true
	done
	case $byte in
	1) echo on ;;
	0) echo off ;;
	*) echo unknown ;;
	esac
}

# lockdown: prints none, integrity, confidentiality or unknown
lockdown() {
	local file=/sys/kernel/security/lockdown
	if [[ -r $file ]]; then
		sed -n 's/.*\[\(.*\)\].*/\1/p' "$file"
	elif [[ -e /sys/kernel/security/lsm ]]; then
		# securityfs is there without a lockdown file, so this kernel has no lockdown.
		echo none
	else
		echo unknown
	fi
}

# sig_enforce RELEASE: prints Y, N or unknown
sig_enforce() {
	local file=/sys/module/module/parameters/sig_enforce
	if [[ $1 == "$(uname -r)" && -r $file ]]; then
		cat "$file"
	elif [[ $(release_config_value "$1" MODULE_SIG_FORCE) == y ]]; then
		echo Y
	elif [[ -n $(release_config "$1") ]]; then
		echo N
	else
		echo unknown
	fi
}

# signatures_find RELEASE: sets $boot to the state of Secure Boot, $enforced to what makes that
# kernel refuse unsigned modules, $seen to the errors a user sees, $hidden to what cannot be read
# here. If that kernel is not the running one, guesses its lockdown from the state of Secure Boot.
signatures_find() {
	local lock=unknown enforce
	enforced='' seen='' hidden=''
	boot=$(secure_boot)
	enforce=$(sig_enforce "$1")
	if [[ $1 == "$(uname -r)" ]]; then
		lock=$(lockdown)
	elif [[ $boot == on ]]; then
		lock=integrity
	elif [[ $boot != unknown ]]; then
		lock=none
	fi
	if [[ $enforce == Y ]]; then
		enforced=module.sig_enforce
		seen="insmod: \"Key was rejected by service\", log: \"Loading of unsigned module is"
		seen+=" rejected\""
	elif [[ $lock != none && $lock != unknown ]]; then
		enforced=lockdown
		seen="insmod: \"Operation not permitted\", log: \"unsigned module loading is"
		seen+=" restricted\""
	fi
	[[ $enforce != unknown ]] || hidden+=", module.sig_enforce"
	[[ $lock != unknown ]] || hidden+=", lockdown"
	[[ $boot != unknown ]] || hidden+=", Secure Boot"
	hidden=${hidden#, }
	[[ -z $enforced || $boot != on ]] || enforced+=", Secure Boot"
}

# Prints the path of DKMS's signing key, in Debian's place or Ubuntu's.
dkms_key() {
	local file
	for file in /var/lib/dkms/mok.pub /var/lib/shim-signed/mok/MOK.der; do
		[[ ! -e $file ]] || { echo "$file"; return; }
	done
}

key_is_enrolled() { # FILE
	[[ $(mokutil --test-key "$1" 2>/dev/null || true) == *"is already enrolled"* ]]
}

# signatures_trouble: says what keeps DKMS's modules from loading. Call signatures_find first.
signatures_trouble() {
	local key
	if [[ -n $enforced ]]; then
		key=$(dkms_key)
		if [[ $boot != on ]]; then
			echo "enforced ($enforced): $seen. Start it without lockdown= and" \
				"module.sig_enforce on its command line. Or scripts/qemu-run.sh"
		elif [[ -z $key ]]; then
			echo "enforced ($enforced): $seen. As root: dkms generate_mok;" \
				"mokutil --import /var/lib/dkms/mok.pub; reboot." \
				"Or scripts/qemu-run.sh"
		elif ! key_is_enrolled "$key"; then
			echo "enforced ($enforced): $seen. As root: mokutil --import $key;" \
				"reboot. Or scripts/qemu-run.sh"
		fi
	elif [[ $hidden == *lockdown* && ($boot == on || $boot == unknown) ]]; then
		echo "cannot be read here: $hidden. As root:" \
			"mount -t securityfs none /sys/kernel/security"
	fi
}
