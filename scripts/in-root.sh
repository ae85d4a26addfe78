#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# in-root.sh CMD...: runs CMD in the toolchain root, which is made if it is
# missing. This tree and the cache are at the same paths in there; where one has a
# blank or the like in it, CMD gets the path that the root has instead.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

cache_init
run_dir_init
root_find
root_prepare
in_root "$@"
