#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# module.sh build|run|shell|test|check|rust-analyzer|clean [DIR]: runs a target of module.mk for the
# user's own module in DIR. The default is the current directory.
#
# Environment: KERNEL names a kernel of scripts/qemu-run.sh; the default is debian. Or KDIR names
# the build folder of another kernel.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/check.sh
. "$top/scripts/lib/check.sh"

dir=$(realpath "${2:-.}")
kernel=${KERNEL:-$(default_kernel)}

main() {
	local refusal
	[[ -e $dir/Kbuild ]] || die "$dir: no Kbuild there"
	[[ -z ${KERNEL:-} || -z ${KDIR:-} ]] ||
		die "KERNEL=$KERNEL and KDIR=$KDIR: give one of them"
	refusal=$(kernel_refusal "$kernel")
	[[ -z $refusal ]] || die "${refusal/--kernel /KERNEL=}"
	case ${1:-} in
	build) exec bash "$top/scripts/build.sh" module "$dir" ;;
	run) guest demo.sh --cpus 1 ;;
	test) guest test.sh ;;
	shell) boot --shell ;;
	check) check ;;
	rust-analyzer) exec bash "$top/scripts/build.sh" rust-analyzer "$dir" ;;
	clean) clean ;;
	*) die "usage: module.sh build|run|shell|test|check|rust-analyzer|clean [DIR]" ;;
	esac
}

# guest SCRIPT OPTION...: runs SCRIPT from $dir in the guest
guest() {
	[[ -e $dir/$1 ]] || die "$dir/$1: no such file"
	boot "${@:2}" --add "$dir/$1:/module/$1" --timeout 300 -- "sh /module/$1" </dev/null
}

# CPU mitigations, self-tests of ciphers and a second CPU take half of an emulated boot. `run` does
# without all three, the other targets without the first two.
boot() { # OPTION...
	local quick=(--append "mitigations=off cryptomgr.notests")
	[[ $(kernel_kind "$kernel") != um ]] || quick=()
	exec bash "$top/scripts/qemu-run.sh" ${KERNEL:+--kernel "$KERNEL"} --no-modules \
		--module "$dir" "${quick[@]}" "$@"
}

module_checks=(rustfmt warnings clippy checkpatch unsafe_only_in_abstractions licences shellcheck)

check() {
	unset KDIR
	check_begin "$dir" "$top/build/check/module-$(key "$dir")"
	prepare_kernel "$kernel"
	join_kernel
	# These two take as long as all others together, mostly on one processor each.
	spawn clippy check_clippy
	spawn warnings check_warnings
	run_checks "${module_checks[@]}"
}

check_unsafe_only_in_abstractions() {
	kernel_sources | grep -v '^\./abstractions/' | without_unsafe
}

clean() {
	rm -rf "$top"/build/modules/*-"$(key "$dir")" "$top/build/check/module-$(key "$dir")"
	rm -f "$dir"/*.ko "$dir/rust-project.json"
}

main "$@"
