#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs tools by others against both modules, each in a guest of its own. See usage() below.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
logs=$top/build/peers
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/kernel-log.sh
. "$top/scripts/lib/kernel-log.sh"
# shellcheck source=scripts/lib/tools.sh
. "$top/scripts/lib/tools.sh"

usage() {
	cat <<'END'
Usage: peers/run.sh [--kernel NAME] [--seed N] [PEER...]

Prints KTAP: for each PEER (all without one) a line for each sentence that its
script names in a line PROVES, and

    KERNEL.PEER.both_modules_work_on       a case of wqtest for each passes,
                                           all counters balance
    KERNEL.PEER.nothing_has_leaked         both can be removed, and kmemleak,
                                           where the kernel has it, finds nothing
    KERNEL.PEER.the_kernel_reports_nothing

Before a line stands what the tool itself has said. All of that, and the kernel's
log, is in build/peers/.

  --kernel NAME   as for scripts/qemu-run.sh; default kasan
  --seed N        what stress-ng and trinity draw their numbers from
END
	printf '\nPEERs:\n'
	sed -n 's/^# PEER /    /p' "$top"/peers/*.sh
}

# Seconds for one boot. On emulated kasan failcmd needs most of them.
readonly boot_timeout=2400

readonly common=(both_modules_work_on nothing_has_leaked the_kernel_reports_nothing)

kernel=kasan seed=$RANDOM number=0 failed=0 peers=()

main() {
	local peer points=0 proves
	parse_options "$@"
	cache_init
	run_dir_init
	root_find
	prepare_kernel "$kernel"
	join_kernel
	prepare_tools
	mkdir -p "$logs"
	for peer in "${peers[@]}"; do
		mapfile -t proves < <(proves "$peer")
		((points += ${#proves[@]}))
	done
	printf 'KTAP version 1\n1..%d\n# --kernel %s --seed %d\n' "$points" "$kernel" "$seed"
	for peer in "${peers[@]}"; do
		run_peer "$peer"
	done
	return $((failed > 0))
}

parse_options() {
	while (($#)); do
		case $1 in
		--kernel | --seed)
			(($# >= 2)) || usage_error "$1 needs a value"
			[[ $1 == --kernel ]] && kernel=$2 || seed=$2
			shift
			;;
		--help | -h) usage; exit ;;
		-*) usage_error "$1: no such option" ;;
		*)
			grep -qs '^# PEER ' "$top/peers/$1.sh" || usage_error "$1: no such peer"
			peers+=("$1")
			;;
		esac
		shift
	done
	kernel_is_known "$kernel" || usage_error "--kernel $kernel: there are $(known_kernels)"
	[[ $seed =~ ^[0-9]+$ ]] || usage_error "--seed $seed: not a number"
	((${#peers[@]})) || mapfile -t peers < <(
		grep -l '^# PEER ' "$top"/peers/*.sh | sed 's|.*/||; s/\.sh$//')
}

usage_error() {
	printf '%s: %s\nTry peers/run.sh --help\n' "${0##*/}" "$1" >&2
	exit 2
}

proves() { # PEER
	sed -n 's/^# PROVES //p' "$top/peers/$1.sh"
	printf '%s\n' "${common[@]}"
}

# Programs from packages, and their paths in the guest.
readonly programs=(/bin/bash /usr/bin/{getopt,setpriv,stress-ng,trinity} /usr/sbin/{ins,rm}mod)

# Fills DIR/tree with the programs. Does not keep the Debian they came from.
tools_make() { # DIR
	local root=$1/root
	mkdir "$root"
	packages_file=$top/peers/packages.txt root_make "$root"
	tools_tree "$root" "$1/tree" "${programs[@]}"
	remove "$root"
}

# Sets $tree to files that overlay the guest's: tools from packages, tools from the kernel source,
# and the scripts that run them.
prepare_tools() {
	local packages tools
	packages=$(packages_file=$top/peers/packages.txt root_packages)
	tools=tools-$(key "$suite" "$packages" "${programs[*]}" \
		"$(declare -f root_make tools_make tools_tree libraries)")
	if [[ ! -e $cache/$tools ]]; then
		host_prepare 1
		step "taking the tools from Debian" tools cached "$tools" tools_make
	fi
	# KDIR may be the user's kernel, but the tools come from Debian's source.
	linux_find '' ''
	[[ -e $linux ]] || step "taking Debian's kernel packages" linux linux_need
	tree=$run_dir/tree
	mkdir "$tree"
	cp -r "$cache/$tools/tree/." "$tree"
	step "building proc/read.c" proc-read build_proc_read
	install -m 755 "$linux/src/tools/testing/fault-injection/failcmd.sh" "$tree/usr/bin"
	mkdir "$tree/peers"
	cp "$top"/peers/*.sh "$tree/peers"
}

build_proc_read() {
	in_root gcc-14 -O2 -Wall -static -Wl,--wrap=openat,--wrap=read \
		-o "$tree/usr/bin/proc-read" "$top/peers/proc_read_seen.c" \
		"$linux/src/tools/testing/selftests/proc/read.c"
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

run_peer() { # PEER
	local log=$logs/$kernel.$1 status=0
	rm -f "$top/build/kernel.log"
	"$top/scripts/qemu-run.sh" --kernel "$kernel" --memory 1G --timeout "$boot_timeout" \
		--add "$tree/.:/" -- "SEED=$seed sh /peers/$1.sh" \
		</dev/null >"$log.out" 2>"$log.err" || status=$?
	tr -d '\r' <"$top/build/kernel.log" >"$log.log" 2>/dev/null || : >"$log.log"
	print_points "$1" "$log"
	point "$kernel.$1.the_kernel_reports_nothing" "$(complaint_about "$1" "$log" "$status")"
}

# print_points PEER LOG: prints the guest's results, and a failure for each missing one
print_points() {
	local line name
	while IFS= read -r line; do
		case $line in
		'#'*) echo "$line" ;;
		'ok '*) echo "ok $((++number)) $kernel.$1.${line#ok }" ;;
		'not ok '*)
			echo "not ok $((++number)) $kernel.$1.${line#not ok }"
			failed=1
			;;
		esac
	done <"$2.out"
	while IFS= read -r name; do
		grep -qE "^(not )?ok $name( #|$)" "$2.out" ||
			point "$kernel.$1.$name" "the guest ended before: see ${2#"$top/"}.err"
	done < <(proves "$1" | grep -vx the_kernel_reports_nothing)
}

# complaint_about PEER LOG STATUS: prints what is wrong with the whole boot
complaint_about() {
	kernel_reports <"$2.log" | head -n 1
	if (($3)) && ! grep -q '^not ok ' "$2.out"; then
		echo "the boot ended with status $3: see ${2#"$top/"}.err"
	fi
}

main "$@"
