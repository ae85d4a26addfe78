#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boots each specimen of the zoo on the kernel that detects its mistake, and expects the report.
# Then boots each kernel once more with all specimens fixed, and expects silence. See usage() below.

set -euo pipefail

zoo=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
top=${zoo%/*}
logs=$top/build/zoo
# shellcheck source=scripts/lib/kernel-log.sh
. "$top/scripts/lib/kernel-log.sh"

usage() {
	cat <<'EOF'
Usage: zoo/run.sh [--kernel KERNEL] [NAME...]

Prints KTAP: for each specimen (or those NAMEd) and each kernel that it names
(or KERNEL alone)

    ok 1 KERNEL.NAME            the expected report came
    ok 2 KERNEL.NAME.fixed      with fixed=1 nothing was reported
    ok 3 KERNEL.end             nothing leaked, and all could be unloaded

and, of a specimen that was NAMEd, before that what the kernel reported. All that
the kernel and the command said is in build/zoo/. Lines of the comment at the
top of a specimen say what to do with it:

    RUN LINE            for the guest's shell. $FIXED is empty, or fixed=1; the
                        modules are in /; `leaks` lists what kmemleak finds, and
                        `hung_after S` has tasks reported that are stuck for S s
    EXPECT KERNEL: RE   extended regular expression, for the log or the output;
                        all of a kernel's have to match
    APPEND ARGS         more arguments for the kernel
EOF
}

# Seconds for one boot. Most take 15. Those that look for leaks take 40.
readonly broken_timeout=180 fixed_timeout=600

number=0 failed=0 only_kernel='' shows=0 names=()

main() {
	local kernel points
	parse_options "$@"
	points=$(count_points)
	((points)) || usage_error "on ${only_kernel:-no kernel} nothing of this is to be seen"
	mkdir -p "$logs"
	printf 'KTAP version 1\n1..%d\n' "$points"
	for kernel in debian kasan rt; do
		run_kernel "$kernel"
	done
	exit $((failed > 0))
}

parse_options() {
	local file
	while (($#)); do
		case $1 in
		--kernel)
			(($# >= 2)) || usage_error "--kernel needs a name"
			only_kernel=$2
			shift
			;;
		--help | -h) usage; exit ;;
		-*) usage_error "$1: no such option" ;;
		*)
			file=$(specimen "$1")
			[[ -e $file ]] || usage_error "$1: no such specimen"
			names+=("$1") shows=1
			;;
		esac
		shift
	done
	((${#names[@]})) || mapfile -t names < <(
		grep -lE '^(//!| \*) EXPECT ' "$zoo"/*.{c,rs} | sed -E 's|.*/||; s/\.[a-z]+$//')
}

usage_error() {
	printf '%s: %s\nTry zoo/run.sh --help\n' "${0##*/}" "$1" >&2
	exit 2
}

specimen() { # NAME
	if [[ -e $zoo/$1.c ]]; then echo "$zoo/$1.c"; else echo "$zoo/$1.rs"; fi
}

# field NAME FIELD: prints what follows FIELD in the comment at the top of a specimen
field() { sed -nE "s/^(\/\/!| \*) $2 //p" "$(specimen "$1")"; }

expected() { field "$1" "EXPECT $2:"; } # NAME KERNEL

# specimens KERNEL: prints those with something to show on it
specimens() {
	local name
	[[ -z $only_kernel || $only_kernel == "$1" ]] || return 0
	for name in "${names[@]}"; do
		[[ -z $(expected "$name" "$1") ]] || echo "$name"
	done
}

count_points() {
	local kernel here points=0
	for kernel in debian kasan rt; do
		mapfile -t here < <(specimens "$kernel")
		((!${#here[@]})) || ((points += 2 * ${#here[@]} + 1))
	done
	echo "$points"
}

run_kernel() { # KERNEL
	local name here
	mapfile -t here < <(specimens "$1")
	((${#here[@]})) || return 0
	for name in "${here[@]}"; do
		run_broken "$1" "$name"
	done
	run_fixed "$1" "${here[@]}"
}

# point NAME [COMPLAINT]: prints a result
point() {
	((++number))
	if [[ -z ${2:-} ]]; then
		echo "ok $number $1"
	else
		echo "not ok $number $1 # ${2%%$'\n'*}"
		failed=1
	fi
}

# Prints functions for RUN lines. kmemleak reports a leak only after five seconds, and two scans
# must agree on it.
guest_functions() {
	cat <<'EOF'
leaks() {
	local kmemleak=/sys/kernel/debug/kmemleak
	[ -e "$kmemleak" ] || return 0
	echo stack=off >"$kmemleak"
	sleep 6
	echo scan >"$kmemleak"
	echo scan >"$kmemleak"
	cat "$kmemleak"
}
hung_after() { echo "$1" >/proc/sys/kernel/hung_task_timeout_secs; }
begins() { echo "zoo: $1 begins"; echo "zoo: $1 begins" >/dev/kmsg; }
EOF
}

# boot LOG KERNEL TIMEOUT APPEND LINE: writes all output to LOG. Returns the status of qemu-run.sh.
boot() {
	local log=$1 status=0
	rm -f "$top/build/kernel.log"
	"$top/scripts/qemu-run.sh" --kernel "$2" --no-load --module "$zoo" --timeout "$3" \
		--append "$4" -- "$(guest_functions)
$5" </dev/null >"$log.out" 2>"$log.err" || status=$?
	tr -d '\r' <"$top/build/kernel.log" >"$log" 2>/dev/null || : >"$log"
	tr -d '\r' <"$log.out" >>"$log"
	# Adds the guest's stderr, for `time`, without the script's own progress and the end of the
	# log that it quotes.
	sed -E '/^qemu-run.sh: /,$d; /^==> /d; /^    .*: [0-9]+ s  /d' "$log.err" |
		tr -d '\r' >>"$log"
	return "$status"
}

run_broken() { # KERNEL NAME
	local log=$logs/$1.$2.log missing line
	line="FIXED=; begins $2; $(field "$2" RUN)"
	boot "$log" "$1" "$broken_timeout" "$(field "$2" APPEND)" "$line" || true
	if ! grep -q "zoo: $2 begins" "$log"; then
		echo "# $1.$2: the guest did not get as far as the specimen: booting again"
		boot "$log" "$1" "$broken_timeout" "$(field "$2" APPEND)" "$line" || true
	fi
	missing=$(expected "$2" "$1" | while IFS= read -r line; do
		grep -qE -- "$line" "$log" || printf 'no "%s"; ' "$line"
	done)
	if [[ -n $missing ]]; then
		missing+="but: $(kernel_reports <"$log" | head -n 1)"
		tail -n 5 "$log.err" | sed 's/^/# /'
	fi
	((!shows)) || zoo_part "$2" <"$log" | sed 's/^/# /'
	point "$1.$2" "$missing"
}

# run_fixed KERNEL NAME...: runs all in one boot. Marks each in the log and unloads it before the
# next, so that the part between two marks is about one specimen.
run_fixed() {
	local kernel=$1 log=$logs/$1.fixed.log name append='' line='FIXED=fixed=1' status=0
	shift
	for name; do
		# This boot is meant to panic on a warning.
		append+=" $(field "$name" APPEND | sed 's/panic_on_warn=0//')"
		# The leak scan comes at the end. It is too slow to repeat on a busy machine.
		line+="
begins $name
( leaks() { :; }; hung_after() { :; }; $(field "$name" RUN) )
wait
[ ! -e /sys/module/$name ] || rmmod $name"
	done
	line+="
begins end
leaks
begins nothing
! grep . /proc/modules"
	boot "$log" "$kernel" "$fixed_timeout" \
		"$(tr ' ' '\n' <<<"$append" | sort -u | xargs)" "$line" || status=$?
	for name; do
		point "$kernel.$name.fixed" "$(complaint_about "$kernel" "$name" "$log" 0)"
	done
	point "$kernel.end" "$(complaint_about "$kernel" end "$log" "$status")"
}

# complaint_about KERNEL NAME LOG STATUS: prints what is wrong with NAME's part of LOG
complaint_about() {
	local part re
	part=$(zoo_part "$2" <"$3")
	if [[ -z $part ]]; then
		echo "not run: see ${3#"$top/"}"
		return
	fi
	kernel_reports <<<"$part" | head -n 1
	if [[ $2 == end ]]; then
		grep -m 1 'unreferenced object' <<<"$part" ||
			{ (($4 == 0)) || echo "the boot ended with status $4"; }
		return
	fi
	expected "$2" "$1" | while IFS= read -r re; do
		! grep -qE -- "$re" <<<"$part" || echo "\"$re\" all the same"
	done | head -n 1
}

main "$@"
