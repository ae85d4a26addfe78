# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Builds what each run needs: the modules, the user's own modules, wqtest.

# The command that runs the compilers. Empty if this machine's own built the kernel.
run=(in_root)

# module_out ENTRY DIR: prints where the module in DIR is built for a kernel's cache entry
module_out() { echo "$top/build/modules/$1-$(key "$2")"; }

# Only one run at a time builds in a tree.
build_lock() {
	mkdir -p "$top/build"
	exec {build_locked}>"$top/build/lock"
	flock -n "$build_locked" || {
		say "another run is building in this tree: waiting for it"
		flock "$build_locked"
	}
}
build_unlock() { exec {build_locked}>&-; }

# module_build DIR OUT [ARG...]: builds the module in DIR against $kdir, into OUT
module_build() {
	local compiler
	compiler=$(kdir_compiler "$kdir")
	mkdir -p "$2"
	"${run[@]}" make -C "$kdir" "$compiler" -j"$(nproc)" M="$1" MO="$2" "${@:3}"
}

# module_build_shown DIR OUT: builds the user's module in DIR and shows the compiler's messages
module_build_shown() {
	local job
	job=module-$(key "$1")
	step "building $1" "$job" module_build "$(realpath "$1")" "$2"
	without_progress <"$run_dir/$job.log" | outside >&2
}

# A profile of user/Cargo.toml.
wqtest_profile=${WQTEST_PROFILE:-release}

# wqtest_cargo COMMAND [ARG...]: runs cargo for wqtest on $arch. Naming the target keeps its flags
# from build scripts, which run here, and puts its name into the path.
wqtest_cargo() {
	local target linker
	target=$(rust_target "$arch")
	linker=CARGO_TARGET_${target//-/_}_LINKER
	cd "$top/user"
	in_root env CARGO_TARGET_DIR="$top/build/user" CARGO_BUILD_TARGET="$target" \
		"${linker^^}=$(triplet "$arch")-gcc-14" cargo "$@"
}

wqtest_build() { wqtest_cargo build --profile "$wqtest_profile" --locked; }

wqtest_path() { echo "$top/build/user/$(rust_target "$arch")/$wqtest_profile/wqtest"; }
