#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# pack-guest.sh RELEASE TRIPLET PROGRAM LIBRARIES MODULE...
#
# The part of initramfs_make (initramfs.sh) that runs in the root, in the folder with the guest's
# files. Adds the libraries that PROGRAM needs beside it, from the folder LIBRARIES. Strips each
# MODULE, makes depmod's files, and packs all into ../initramfs.

set -eu

release=$1 triplet=$2 program=$3 libraries=$4
shift 4

# Debugging information is most of a module, and nothing in the guest reads it.
[ $# -eq 0 ] || "$triplet-strip" -g "$@"
depmod -b . "$release"

# It cannot use ldd, because the program may be for another processor.
beside=${program%/*}
set -- "${program##*/}"
while [ $# -gt 0 ]; do
	for library in $(readelf -d "$beside/$1" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p'); do
		[ ! -e "$beside/$library" ] || continue
		cp -L "$libraries/$library" "$beside"
		set -- "$@" "$library"
	done
	shift
done

find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet >../initramfs
