#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# enter-root.sh ROOT DIR COUNT PATH NAME... NAME=VALUE... -- CMD...
#
# The part of in_root (root.sh) that runs in the new namespaces. Turns ROOT into a root for CMD,
# binds each of the COUNT PATHs to its NAME in it, and runs CMD in DIR with only these variables.

set -euo pipefail

root=$1 dir=$2 count=$3
shift 3

# Makes a / for CMD alone: ROOT's contents, with room for mount points. Writes nothing to ROOT,
# which may belong to another account.
view=$root/mnt
mount -t tmpfs -o mode=755 view "$view"
# What stays empty here is empty in ROOT, or needed by nobody.
folders=() links=() bound=()
for path in "$root"/*; do
	name=${path##*/}
	if [[ -L $path ]]; then
		links+=("$path")
	else
		folders+=("$view/$name")
		case $name in
		boot | dev | home | media | mnt | opt | proc | root | run | srv | sys | tmp) ;;
		*) bound+=("$name") ;;
		esac
	fi
done
mkdir "${folders[@]}"
((${#links[@]} == 0)) || cp -P "${links[@]}" "$view"
for name in "${bound[@]}"; do
	mount --rbind "$root/$name" "$view/$name"
done

mount --rbind /dev "$view/dev"
# A container may refuse a new /proc. The outer one is nearly as good.
mount -t proc none "$view/proc" 2>/dev/null || mount --rbind /proc "$view/proc"
mount -t tmpfs -o mode=1777 tmp "$view/tmp"

for ((; count > 0; count--)); do
	mkdir -p "$view$2"
	mount --rbind "$1" "$view$2"
	shift 2
done

# CMD uses this machine's network settings, including a proxy's certificates.
for file in /etc/resolv.conf /etc/hosts; do
	[[ ! -e $file ]] || mount --bind "$(realpath "$file")" "$view$file"
done
bundle=/etc/ssl/certs/ca-certificates.crt
for file in "${CARGO_HTTP_CAINFO:-}" "${SSL_CERT_FILE:-}" "${CURL_CA_BUNDLE:-}" \
	"$bundle" /etc/pki/tls/certs/ca-bundle.crt; do
	if [[ -n $file && -r $file ]]; then
		mount --bind "$(realpath "$file")" "$view$bundle"
		break
	fi
done

variables=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8)
while [[ $1 != -- ]]; do
	variables+=("$1")
	shift
done
shift
variables+=(CARGO_HTTP_CAINFO="$bundle")

# shellcheck disable=SC2016 # expanded by the shell inside
exec chroot "$view" /usr/bin/env -i "${variables[@]}" \
	/bin/sh -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$dir" "$@"
