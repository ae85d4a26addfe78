#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh [FILTER]: wqtest's own tests on this machine, then the modules' tests,
# `wqtest test [FILTER]`, in the distribution's kernel. Fails if any failed.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
cd "$top/user"
status=0
"$top/scripts/in-root.sh" env CARGO_TARGET_DIR="$top/build/user" cargo test --locked || status=1
"$top/scripts/qemu-run.sh" --timeout 1800 -- wqtest test "$@" || status=1
exit $status
