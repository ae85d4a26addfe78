# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What is built for each run: the modules, modules of the user's own, wqtest.

# What runs the compilers. Nothing, where this machine's own built the kernel.
run=(in_root)

# module_out ENTRY DIR: where the out-of-tree module in DIR is built for the kernel of an entry
module_out() { echo "$top/build/modules/$1-$(key "$2")"; }

# Of several runs one at a time builds in a tree.
build_lock() {
	mkdir -p "$top/build"
	exec {build_locked}>"$top/build/lock"
	flock -n "$build_locked" || {
		say "another run is building in this tree: waiting for it"
		flock "$build_locked"
	}
}
build_unlock() { exec {build_locked}>&-; }

# module_build DIR OUT [ARG...]: builds the out-of-tree module in DIR against $kdir
module_build() {
	local compiler
	compiler=$(kdir_compiler "$kdir")
	mkdir -p "$2"
	"${run[@]}" make -C "$kdir" "$compiler" -j"$(nproc)" M="$1" MO="$2" "${@:3}"
}

# module_build_shown DIR OUT: builds the user's own module in DIR; the user sees what the
# compiler says of it
module_build_shown() {
	local job
	job=module-$(key "$1")
	step "building $1" "$job" module_build "$(realpath "$1")" "$2"
	without_progress <"$run_dir/$job.log" | outside >&2
}

# Which of the profiles in user/Cargo.toml.
wqtest_profile=${WQTEST_PROFILE:-release}

# wqtest_cargo COMMAND [ARG...]: cargo, for wqtest on $arch. With a target that is named, cargo
# keeps the flags for it from what runs here, and puts its name into the path.
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
