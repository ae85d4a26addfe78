# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Debian programs for the guest, which is no Debian.

# tools_tree ROOT TREE PROGRAM...: copies programs of ROOT and their libraries to the same paths in
# TREE
tools_tree() {
	local root=$1 tree=$2 file
	for file in "${@:3}"; do
		echo "$file"
		libraries "$root" "$file"
	done | sort -u | while IFS= read -r file; do
		install -D -m 755 "$root$file" "$tree$file"
	done
}

libraries() { # ROOT PROGRAM
	local loader=/lib64/ld-linux-x86-64.so.2
	echo "$loader"
	"${namespaces[@]}" chroot "$1" "$loader" --list "$2" |
		sed -nE 's|^.*=> (/[^ ]+) \(0x.*|\1|p'
}
