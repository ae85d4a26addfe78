#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# soak.sh [MINUTES [KERNEL [CPUS]]]: repeats the cases of `wqtest fire` in random order, each round
# with a new seed. Defaults: 60 MINUTES, KERNEL uml-kasan, 2 CPUS.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
minutes=${1:-60} kernel=${2:-uml-kasan} cpus=${3:-2}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || {
	echo "soak.sh: MINUTES=$minutes: not a number of minutes" >&2
	exit 2
}

export WQTEST_PROFILE=fire
# The timeout leaves time to finish the running case and to look for leaks.
exec "$top/scripts/qemu-run.sh" --kernel "$kernel" --cpus "$cpus" \
	--timeout $((60 * minutes + 1200)) -- \
	wqtest fire --minutes "$minutes" ${SEED:+--seed "$SEED"} </dev/null
