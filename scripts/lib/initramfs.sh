# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The guest's file system: busybox, wqtest, the modules, what the user adds, and
# guest/init, which reads from /etc/guest what to do.

# initramfs_make: packs $run_dir/initramfs
initramfs_make() {
	local guest=$run_dir/guest
	mkdir -p "$guest"/{bin,dev,etc/guest,lib/modules,proc,root,run,sys,tmp}
	install -m 755 "$top/scripts/guest/init" "$guest/init"
	install -m 755 "$top/scripts/guest/demo.sh" "$guest/demo.sh"
	install -m 755 "$root/usr/bin/busybox" "$guest/bin/busybox"
	install -m 755 "$(wqtest_path)" "$guest/bin/wqtest"
	cp "$modules_out"/{wq_echo,workqueue_demo}.ko "$guest/lib/modules"
	initramfs_add_modules "$guest"
	initramfs_add_files "$guest"
	printf '%s\n' "$guest_mode" >"$guest/etc/guest/mode"
	printf '%s\n' "$guest_command" >"$guest/etc/guest/command"
	printf '%s\n' "${module_args[@]}" >"$guest/etc/guest/modules"
	printf '%s\n' "$guest_terminal" >"$guest/etc/guest/terminal"
	# Debugging information is most of a module, and nobody reads it in there.
	# shellcheck disable=SC2016 # expanded by the shell inside
	(cd "$guest" && in_root sh -ec '
		find . -name "*.ko" -exec strip -g {} +
		find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet >../initramfs')
}

# The .ko files of --module land in the guest's /.
initramfs_add_modules() { # GUEST
	local dir
	for dir in "${extra_modules[@]}"; do
		find "$(extra_module_out "$dir")" -name '*.ko' -exec cp -t "$1" {} +
	done
}

# added_from SPEC: sets $from to the HOSTPATH of HOSTPATH[:GUESTPATH]: the longest part of
# it that there is, for both may have colons in them
added_from() {
	from=$1
	while [[ ! -e $from && $from == *:* ]]; do
		from=${from%:*}
	done
	[[ -e $from ]]
}

# --add HOSTPATH[:GUESTPATH]; a dynamic program brings its libraries.
initramfs_add_files() { # GUEST
	local spec from to
	for spec in "${extra_files[@]}"; do
		added_from "$spec"
		to=/${from##*/}
		[[ $spec == "$from" ]] || to=${spec#"$from:"}
		mkdir -p "$1/$(dirname "$to")"
		cp -rL "$from" "$1/$to"
		[[ ! -f $from || ! -x $from ]] || initramfs_add_libraries "$1" "$from"
	done
}

initramfs_add_libraries() { # GUEST PROGRAM
	local library
	{ ldd "$2" 2>/dev/null || true; } | sed -nE 's|^[^/]*(/[^ ]+).*|\1|p' |
		while IFS= read -r library; do
			mkdir -p "$1$(dirname "$library")"
			cp -L "$library" "$1$library"
		done
}
