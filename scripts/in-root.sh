#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# in-root.sh CMD...: runs CMD in the toolchain root, which it makes if missing. The tree and the
# cache have the same paths in the root. If a path has a blank or the like in it, CMD gets the
# root's name for it.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

cache_init
run_dir_init
root_find
root_prepare
in_root "$@"
