# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Builds this tree as a part of the kernel's. Everything happens in scratch copies in
# build/in-tree/: of the kernel source, with this tree in samples/rust/workqueue/, and of the build
# folders of cached kernels.
#
# A build folder contains its own path and its source's. At other paths everything would be rebuilt,
# which takes minutes. So in the root each copy is mounted over its original.

in_tree=$top/build/in-tree
in_tree_place=samples/rust/workqueue

# in_tree_source: makes or updates $in_tree/linux. Adds a line each to the Kconfig and the Makefile
# of samples/rust.
in_tree_source() {
	local linux_src samples=$in_tree/linux/samples/rust
	linux_src=$(realpath "$linux")/src
	in_tree_copy "$linux_src" "$in_tree/linux"
	in_tree_line "$linux_src/samples/rust/Kconfig" "$samples/Kconfig" \
		"/^endif # SAMPLES_RUST/i source \"$in_tree_place/Kconfig\"\n"
	in_tree_line "$linux_src/samples/rust/Makefile" "$samples/Makefile" \
		"\$a\\\\nobj-y += workqueue/"
	mkdir -p "$in_tree/linux/$in_tree_place"
	# Keeping the files' times avoids rebuilding unchanged ones.
	in_tree_files | tar -C "$top" -c --null -T - |
		tar -C "$in_tree/linux/$in_tree_place" -x
	in_tree_remove_what_went
}

# Prints all files that are no build output.
in_tree_files() {
	(cd "$top" && find . \( -path ./build -o -path ./.git -o -path ./user/target \
		-o -name __pycache__ \) -prune -o -type f ! -name '*.ko' ! -name '*.o' \
		! -name '.*.cmd' ! -name rust-project.json -print0)
}

in_tree_remove_what_went() {
	local file
	(cd "$in_tree/linux/$in_tree_place" && find . -type f -print0) |
		while IFS= read -r -d '' file; do
			[[ -e $top/$file ]] || rm "$in_tree/linux/$in_tree_place/$file"
		done
}

# in_tree_line FROM TO SCRIPT: writes FROM, edited by sed, to TO. An unchanged TO keeps its time.
in_tree_line() {
	sed -e "$3" "$1" >"$2.new"
	if cmp -s "$2.new" "$2"; then rm "$2.new"; else mv "$2.new" "$2"; fi
}

# in_tree_copy FROM TO: makes TO a copy of FROM, unless it is one
in_tree_copy() {
	[[ $(cat "$2.from" 2>/dev/null) != "$1" || ! -d $2 ]] || return 0
	rm -rf "$2" "$2.from" "$2.asked"
	mkdir -p "$(dirname "$2")"
	cp -a --reflink=auto "$1" "$2"
	printf '%s\n' "$1" >"$2.from"
}

# in_tree_folder NAME: makes $in_tree/NAME, a copy of $kdir, if missing
in_tree_folder() { in_tree_copy "$(realpath "$kdir")" "$in_tree/$1"; }

# in_tree_run FOLDER CMD...: runs CMD in the source, with $in_tree/FOLDER mounted on $kdir
in_tree_run() (
	local linux_src laid_over
	linux_src=$(realpath "$linux")/src
	laid_over=("$in_tree/linux" "$linux_src" "$in_tree/$1" "$(realpath "$kdir")")
	cd "$linux_src"
	in_root "${@:2}"
)

# Sets $in_tree_options to the arguments of make that built $kdir. Others would rebuild it.
in_tree_find_options() {
	local entry
	entry=$(dirname "$(realpath "$kdir")")
	in_tree_options=(LLVM=1 RUSTC="$entry/rustc" KCFLAGS=-w)
	case $kind in
	um)
		# The Makefile of $kdir has the other flags that modules need.
		in_tree_options+=("${um_options[@]}" RUSTFLAGS_MODULE="$(
			sed -n 's/^export KRUSTFLAGS += //p' "$kdir/Makefile")")
		;;
	debian)
		kernel_debian_options
		in_tree_options=("${debian_options[@]}" RUSTC="$plain_macros")
		;;
	esac
}

# in_tree_make FOLDER ARG...: runs make with $in_tree/FOLDER as its build folder
in_tree_make() {
	in_tree_run "$1" make O="$(realpath "$kdir")" -j"$(nproc)" "${in_tree_options[@]}" "${@:2}"
}

# in_tree_configure FOLDER <LINES: sets the options in LINES, and dies if one is dropped
in_tree_configure() {
	local folder=$1 asked=$in_tree/$1.asked
	cat >"$asked.new"
	! cmp -s "$asked.new" "$asked" || return 0
	in_tree_run "$folder" scripts/kconfig/merge_config.sh -m -O "$(realpath "$kdir")" \
		"$(realpath "$kdir")/.config" "$asked.new"
	in_tree_make "$folder" olddefconfig
	config_check "$asked.new" "$in_tree/$folder/.config"
	mv "$asked.new" "$asked"
}

# in_tree_built_in: makes $in_tree/built-in, with both modules and all suites built in, as
# .kunitconfig asks. Also writes the file by which kunit.py accepts this configuration; it would
# discard one it has not made.
in_tree_built_in() {
	in_tree_source
	in_tree_folder built-in
	in_tree_configure built-in <"$top/.kunitconfig"
	cat "$in_tree/linux/tools/testing/kunit/configs/arch_uml.config" "$top/.kunitconfig" \
		>"$in_tree/built-in/last_used_kunitconfig"
}
