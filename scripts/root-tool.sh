#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# root-tool.sh CACHE ROOT TOOL [ARG...]: runs TOOL in ROOT, for an editor. The sysroot of `make
# rust-analyzer` calls this with the CACHE and ROOT it was made with, because an editor may lack the
# environment variables that say where they are.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

cache=$1 root=$2
[[ -e $root ]] || die "$root is gone: run 'make rust-analyzer' again"
# No make runs here, and the editor knows only the real paths.
is_odd() { false; }
share "$top"
share "$cache"
# The cache's links may lead into a shared cache.
made=$(dirname "$(realpath "$root")")
share "${made%/made}"

# rust-analyzer passes these in the environment, which in_root clears.
variables=()
for name in RUSTC_BOOTSTRAP RUST_ANALYZER_INTERNALS_DO_NOT_USE; do
	[[ ! -v $name ]] || variables+=("$name=${!name}")
done

# No exec here. in_root kills its command when the calling thread ends, and rust-analyzer's thread
# may end long before the tool.
in_root env "${variables[@]}" "${@:3}"
