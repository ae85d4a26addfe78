# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts ask of the machine they run on: mmdebstrap, room, and the right to
# mount: without root, in a user namespace.

# host_prepare GB: installs what is missing, or says why it cannot; GB will be needed
host_prepare() {
	local missing=()
	[[ $(uname -m) == x86_64 ]] || die "this machine is $(uname -m): only x86_64 is supported"
	((EUID)) || host_check_mount
	host_check_space "$1"
	[[ -e $root ]] || command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	[[ (-e $root && -e ${linux:-$root}) || -e $keyring ]] || missing+=(debian-archive-keyring)
	((EUID == 0)) || command -v newuidmap >/dev/null || missing+=(uidmap)
	((${#missing[@]} == 0)) || host_install "${missing[@]}"
	host_check_mount
}

host_check_space() { # GB
	local left
	left=$(free_mb "$cache")
	((left >= $1 * 1000)) ||
		die "$cache has $left MB left, and compilers and kernels take $1 GB: make room," \
			"or set XDG_CACHE_HOME to a directory on another disk"
}

free_mb() { df -BMB --output=avail "$1" | tr -dc 0-9; } # DIR

host_install() { # PACKAGE...
	local admin=() install=(apt-get install -y --no-install-recommends "$@")
	((EUID == 0)) || admin=(sudo)
	command -v apt-get >/dev/null ||
		die "missing: $*. Install them with this system's package manager."
	((!no_install)) ||
		die "missing: $*. Without --no-install this would run, as root: ${install[*]}"
	((EUID == 0)) || command -v sudo >/dev/null ||
		die "missing: $*. Run as root: ${install[*]}"
	say "installing on this machine: $*"
	{ "${admin[@]}" apt-get -q update && DEBIAN_FRONTEND=noninteractive \
		"${admin[@]}" "${install[@]}"; } </dev/null >"$run_dir/install.log" 2>&1 ||
		job_failed "installing $*" "$run_dir/install.log"
}

# Whether what in_root (root.sh) begins with is allowed.
host_check_mount() {
	local error user
	error=$("${namespaces[@]}" mount -t tmpfs none "$cache" 2>&1) && return
	user=$(id -un)
	((EUID)) ||
		die "root may not mount here (${error##*: }): in a container, start it with" \
			"--privileged; or run this outside, where an ordinary user will do"
	command -v newuidmap >/dev/null || die "missing: uidmap. As root: apt-get install uidmap"
	if ! grep -q "^$user:" /etc/subuid || ! grep -q "^$user:" /etc/subgid; then
		die "no subordinate ids for $user. As root: usermod --add-subuids 100000-165535" \
			"--add-subgids 100000-165535 $user; or run this as root"
	fi
	die "this machine does not let $user make a user namespace (${error##*: })." \
		"It takes util-linux 2.38 and a kernel that allows it" \
		"(sysctl kernel.unprivileged_userns_clone," \
		"kernel.apparmor_restrict_unprivileged_userns); or run this as root"
}

# host_refusal LOG: why User-mode Linux does not come up here, if that is what it has said
host_refusal() {
	if grep -q 'SECCOMP userspace requested but not functional' "$1"; then
		echo "User-mode Linux cannot run here: seccomp(2) is refused, as in some" \
			"containers. Take an emulated kernel: debian, kasan, rt"
	elif grep -q 'panic - not syncing: Segfault with no mm' "$1"; then
		echo "User-mode Linux does not come up with so many CPUs where KASAN looks on." \
			"Take fewer, or --kernel uml"
	fi
}
