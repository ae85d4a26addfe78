#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# enter-root.sh ROOT DIR COUNT PATH NAME... NAME=VALUE... -- CMD...
#
# The part of in_root (root.sh) that runs within the new namespaces: mounts what
# CMD needs into ROOT, binds each of the COUNT paths to its name in there, and runs
# CMD there in DIR with these variables and no others.

set -euo pipefail

root=$1 dir=$2 count=$3
shift 3

mount --rbind /dev "$root/dev"
# A container may refuse a fresh /proc; the outer one serves almost as well.
mount -t proc none "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"

for ((; count > 0; count--)); do
	mkdir -p "$root$2"
	mount --rbind "$1" "$root$2"
	shift 2
done

# The network as this machine sees it, certificates of a proxy of its own included.
for file in /etc/resolv.conf /etc/hosts; do
	[[ ! -e $file ]] || mount --bind "$(realpath "$file")" "$root$file"
done
bundle=/etc/ssl/certs/ca-certificates.crt
for file in "${CARGO_HTTP_CAINFO:-}" "${SSL_CERT_FILE:-}" "${CURL_CA_BUNDLE:-}" \
	"$bundle" /etc/pki/tls/certs/ca-bundle.crt; do
	if [[ -n $file && -r $file ]]; then
		mount --bind "$(realpath "$file")" "$root$bundle"
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
exec chroot "$root" /usr/bin/env -i "${variables[@]}" \
	/bin/sh -c 'cd "$0" 2>/dev/null || cd /; exec "$@"' "$dir" "$@"
