#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# root-tool.sh CACHE ROOT TOOL [ARG...]: runs TOOL in ROOT, for an editor. What is in a
# sysroot that `make rust-analyzer` has made calls this with the CACHE and ROOT of that
# time: an editor need not have the variables that these were found by.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

cache=$1 root=$2
[[ -e $root ]] || die "$root is gone: run 'make rust-analyzer' again"
# No make is asked, and the editor knows nothing of other names.
is_odd() { false; }
share "$top"
share "$cache"
# Where the cache's links lead, if it is another's that is shared.
made=$(dirname "$(realpath "$root")")
share "${made%/made}"

# What rust-analyzer tells the tools by the environment, of which the root sees none.
variables=()
for name in RUSTC_BOOTSTRAP RUST_ANALYZER_INTERNALS_DO_NOT_USE; do
	[[ ! -v $name ]] || variables+=("$name=${!name}")
done

# Not in place of this shell, whose end the tool does not outlive: in_root asks for that,
# and who begins a tool may be a thread that ends much earlier.
in_root env "${variables[@]}" "${@:3}"
