#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Measures the modules and their C twins. Writes a table, charts and a file of figures. See usage()
# below.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"

usage() {
	cat <<'EOF'
Usage: scripts/bench.sh [OPTIONS]

Boots a kernel three times: once with --icount on one CPU, where a nanosecond is an
instruction, once on two CPUs and once on four; and a kernel that is a program three
times, on as many of this machine's processors. In each `wqtest bench` measures both
modules and their twins in bench/c. Prints a table; the figures are in
build/bench.json, the charts are build/bench.svg and build/growth.svg.
docs/performance.md says how to read them.

  --kernel NAME     of this kernel alone; may be repeated. Default: plain and debian
  --only GROUP      these figures alone; may be repeated: boot, echo, floor,
                    growth, latency, timers, ways, loading (one CPU), burst (one, and
                    two), memory, scaling (four), cores (uml)
  --rounds N        take each figure N times, the median counts. Default 3
  --messages N      write N messages in a round. Default 100000
  --setup           also time a warm rebuild and a set-up from nothing, in a
                    cache of its own: many minutes, 5 GB
  --help
EOF
}

kernels=() groups=() rounds=3 messages=100000 setup=0
readonly known_groups=(boot burst echo floor growth latency timers ways loading memory
	scaling cores)
# Enough for one boot on a busy machine, in seconds.
readonly timeout=1800

results=$top/build/bench

main() {
	local kernel
	parse_options "$@"
	cd "$top"
	rm -rf "$results"
	mkdir -p "$results"
	for kernel in "${kernels[@]}"; do
		measure_instructions "$kernel"
		measure_time "$kernel"
		! wanted loading || measure_sizes "$kernel"
	done
	! wanted cores || measure_cores
	((!setup)) || measure_setup
	report
}

parse_options() {
	local name refusal
	while (($#)); do
		case $1 in
		--kernel | --only | --rounds | --messages)
			(($# >= 2)) || usage_error "$1 needs a value"
			;;&
		--kernel) kernels+=("$2"); shift ;;
		--only) groups+=("$2"); shift ;;
		--rounds) rounds=$2; shift ;;
		--messages) messages=$2; shift ;;
		--setup) setup=1 ;;
		--help | -h) usage; exit ;;
		*) usage_error "$1: no such option" ;;
		esac
		shift
	done
	((${#kernels[@]})) || kernels=(plain debian)
	((${#groups[@]})) || groups=("${known_groups[@]}")
	for name in "${kernels[@]}"; do
		refusal=$(kernel_refusal "$name")
		[[ -z $refusal ]] || usage_error "$refusal"
	done
	for name in "${groups[@]}"; do
		[[ " ${known_groups[*]} " == *" $name "* ]] ||
			usage_error "--only $name: there are ${known_groups[*]}"
	done
	[[ $rounds =~ ^[1-9][0-9]*$ ]] || usage_error "--rounds $rounds: not a number"
	[[ $messages =~ ^[1-9][0-9]*$ ]] || usage_error "--messages $messages: not a number"
}

usage_error() {
	printf '%s: %s\nTry scripts/bench.sh --help\n' "${0##*/}" "$1" >&2
	exit 2
}

wanted() { [[ " ${groups[*]} " == *" $1 "* ]]; } # GROUP

# of_these GROUP...: prints the wanted ones
of_these() {
	local group
	for group; do
		! wanted "$group" || echo "$group"
	done
}

measure_instructions() { # KERNEL
	mapfile -t here < <(of_these boot burst echo floor growth latency timers ways loading)
	((${#here[@]} == 0)) || measure_in_guest "$1" icount --icount
}

measure_time() { # KERNEL
	mapfile -t here < <(of_these burst)
	((${#here[@]} == 0)) || measure_in_guest "$1" two --cpus 2
	mapfile -t here < <(of_these memory scaling)
	((${#here[@]} == 0)) || measure_in_guest "$1" smp --cpus 4 --memory 1G
}

# User-mode Linux runs on real CPUs. 4 may be more than this machine has.
measure_cores() {
	local cpus
	here=(burst cores)
	for cpus in 1 2 4; do
		measure_in_guest uml "$cpus" --cpus "$cpus"
	done
}

# measure_in_guest KERNEL BOOT OPTION...: measures the groups in $here. The log must hold every line
# printed; /dev/kmsg would otherwise limit their rate.
measure_in_guest() {
	say "measuring on $1: ${here[*]}"
	scripts/qemu-run.sh --kernel "$1" "${@:3}" --no-load --timeout "$timeout" \
		--module bench/c --module bench/rust \
		--append 'printk.devkmsg=on log_buf_len=16M' -- \
		"mount -t tracefs none /sys/kernel/tracing 2>/dev/null
		wqtest bench --rounds $rounds --messages $messages ${here[*]}" </dev/null \
		>"$results/$1.$2.jsonl"
}

# Sums the loaded sections of the modules that the boots above have built.
measure_sizes() { # KERNEL
	local what of name file text data built
	cache_init
	root_find
	kernel_find "$1"
	built=$top/build/modules/$kernel_entry
	while read -r what of name; do
		file=$(find "$built" "$built"-* -name "$name.ko" -print -quit)
		[[ -n $file ]] || die "$name.ko has not been built for $1"
		read -r text data _ < <(in_root size "$file" | tail -n 1)
		printf '{"row":"size","of":"%s","module":"%s","unit":"bytes","value":%d}\n' \
			"$of" "$what" $((text + data))
	done >"$results/$1.size.jsonl" <<-EOF
		echo rust wq_echo
		echo c c_echo
		demo rust workqueue_demo
		demo c c_demo
	EOF
}

# timed ROW CMD...: records how long CMD takes
timed() {
	local row=$1 start=${EPOCHREALTIME//[.,]/} ms
	shift
	"$@" >/dev/null
	ms=$(((${EPOCHREALTIME//[.,]/} - start) / 1000))
	printf '{"row":"%s","of":"all","unit":"s","value":%d.%03d}\n' \
		"$row" $((ms / 1000)) $((ms % 1000)) >>"$results/debian.setup.jsonl"
}

# The warm run runs twice: the first run builds the tree, the second is timed. The subshell cleans
# up however it ends.
measure_setup() (
	empty=$(mktemp -d)
	trap 'remove "$empty"; git worktree prune' EXIT
	say "measuring a warm run"
	scripts/qemu-run.sh >/dev/null
	timed setup_warm scripts/qemu-run.sh
	say "measuring a set-up from nothing"
	git worktree add --quiet --detach "$empty/tree"
	timed setup_cold env XDG_CACHE_HOME="$empty/cache" "$empty/tree/scripts/qemu-run.sh"
)

report() {
	cache_init
	root_find
	in_root python3 scripts/bench-report.py "$results" build/bench.json build/bench.svg \
		build/growth.svg
}

main "$@"
