#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# rustc-plain-macros.sh ARG...: rustc that optimises no procedural macros.
#
# -O is what Kbuild gives the libraries that the kernel's macros are made of, syn
# above all. To optimise them takes 20 seconds, and what they do to the modules
# here, milliseconds.

for arg; do
	shift
	[ "$arg" != -O ] || arg=-Copt-level=0
	set -- "$@" "$arg"
done
exec rustc "$@"
