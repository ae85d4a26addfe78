# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts need of this machine: mmdebstrap, disk space, and the right to mount. Without
# root they mount in a user namespace.

# host_prepare GB: installs what is missing or says why it cannot. The run needs GB of disk.
host_prepare() {
	local missing
	die_of host_machine_trouble
	((EUID)) || host_check_mount
	die_of host_space_trouble "$1"
	mapfile -t missing < <(host_missing)
	((${#missing[@]} == 0)) || host_install "${missing[@]}"
	host_check_mount
}

host_machine_trouble() { arch_refusal; }

# Prints the missing packages, one a line.
host_missing() {
	[[ -e $base_root ]] || command -v mmdebstrap >/dev/null || echo mmdebstrap
	[[ (-e $root && -e ${linux:-$root}) || -e $keyring ]] || echo debian-archive-keyring
	((EUID == 0)) || command -v newuidmap >/dev/null || echo uidmap
}

host_space_trouble() { # GB
	local left
	left=$(free_mb "$(nearest "$cache")")
	((left >= $1 * 1000)) ||
		echo "$cache has $left MB left, and compilers and kernels take $1 GB: make room," \
			"or have XDG_CACHE_HOME on another disk"
}

free_mb() { df -BMB --output=avail "$1" | tr -dc 0-9; } # DIR

host_package_trouble() { # PACKAGE...
	if command -v apt-get >/dev/null; then
		echo "missing packages. As root: apt-get install $*"
	else
		echo "missing: $*. Install them with this system's package manager."
	fi
}

# Succeeds if host_install can work here.
host_installs() {
	command -v apt-get >/dev/null && { ((EUID == 0)) || command -v sudo >/dev/null; }
}

host_install() { # PACKAGE...
	local admin=() install=(apt-get install -y --no-install-recommends "$@")
	((EUID == 0)) || admin=(sudo)
	command -v apt-get >/dev/null || die_of host_package_trouble "$@"
	((!no_install)) ||
		die "missing: $*. Without --no-install this would run, as root: ${install[*]}"
	((EUID == 0)) || command -v sudo >/dev/null ||
		die "missing: $*. Run as root: ${install[*]}"
	say "installing on this machine: $*"
	{ "${admin[@]}" apt-get -q update && DEBIAN_FRONTEND=noninteractive \
		"${admin[@]}" "${install[@]}"; } </dev/null >"$run_dir/install.log" 2>&1 ||
		job_failed "installing $*" "$run_dir/install.log"
}

host_check_mount() { die_of host_mount_trouble; }

# Says why this machine refuses the namespaces and mounts of in_root (root.sh).
host_mount_trouble() {
	local error user
	error=$("${namespaces[@]}" mount -t tmpfs none "$top" 2>&1) && return
	user=$(id -un)
	if ((EUID == 0)); then
		echo "root may not mount here (${error##*: }): in a container, start it with" \
			"--privileged; or run this outside, where an ordinary user will do"
	elif ! command -v newuidmap >/dev/null; then
		host_package_trouble uidmap
	elif ! grep -qs "^$user:" /etc/subuid || ! grep -qs "^$user:" /etc/subgid; then
		echo "no subordinate ids for $user. As root: usermod --add-subuids 100000-165535" \
			"--add-subgids 100000-165535 $user; or run this as root"
	else
		echo "this machine does not let $user make a user namespace (${error##*: })." \
			"It takes util-linux 2.38 and a kernel that allows it" \
			"(sysctl kernel.unprivileged_userns_clone," \
			"kernel.apparmor_restrict_unprivileged_userns); or run this as root"
	fi
}

# host_refusal LOG: says why User-mode Linux does not boot here, if LOG shows a known reason
host_refusal() {
	if grep -q 'SECCOMP userspace requested but not functional' "$1"; then
		echo "User-mode Linux cannot run here: seccomp(2) is refused, as in some" \
			"containers. Take an emulated kernel: debian, kasan, rt"
	elif grep -q 'panic - not syncing: Segfault with no mm' "$1"; then
		echo "User-mode Linux does not come up with so many CPUs where KASAN looks on." \
			"Take fewer, or --kernel uml"
	fi
}
