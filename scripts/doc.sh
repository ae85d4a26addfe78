#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# doc.sh: writes rustdoc of the abstractions and both modules to build/doc/. Prints the path of the
# index page.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/doc.sh
. "$top/scripts/lib/doc.sh"

(($# == 0)) || die "it takes nothing"
cd "$top"
cache_init
run_dir_init
root_find
prepare_kernel "$(default_kernel)"
join_kernel
build_lock
step "documenting" doc doc_make
build_unlock
echo "$doc/index.html"
