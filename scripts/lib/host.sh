# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts ask of the machine they run on: mmdebstrap, and without root
# the right to make user namespaces.

# host_prepare: installs what is missing, or says why it cannot
host_prepare() {
	local missing=()
	[[ $(uname -m) == x86_64 ]] || die "this machine is $(uname -m): only x86_64 is supported"
	command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	[[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || missing+=(debian-archive-keyring)
	((EUID == 0)) || command -v newuidmap >/dev/null || missing+=(uidmap)
	((${#missing[@]} == 0)) || host_install "${missing[@]}"
	((EUID == 0)) || host_check_user_namespaces
}

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
	if ! { "${admin[@]}" apt-get -q update && DEBIAN_FRONTEND=noninteractive \
		"${admin[@]}" "${install[@]}"; } </dev/null >"$run_dir/install.log" 2>&1; then
		tail -n 25 "$run_dir/install.log" >&2
		die "could not install: $*"
	fi
}

host_check_user_namespaces() {
	local user error
	user=$(id -un)
	if ! grep -q "^$user:" /etc/subuid || ! grep -q "^$user:" /etc/subgid; then
		die "no subordinate ids for $user. As root: usermod --add-subuids 100000-165535" \
			"--add-subgids 100000-165535 $user; or run this as root"
	fi
	error=$("${namespaces[@]}" true 2>&1) ||
		die "this machine does not let $user make a user namespace ($error)." \
			"It takes util-linux 2.38 and a kernel that allows it" \
			"(sysctl kernel.unprivileged_userns_clone," \
			"kernel.apparmor_restrict_unprivileged_userns); or run this as root"
}
