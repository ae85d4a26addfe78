# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packs the guest's file system: busybox, wqtest, the modules, the user's files, and guest/init,
# which reads its orders from /etc/guest.

# --add may not replace these: init runs them or mounts on them.
guest_own=(/init /demo.sh /bin/busybox /bin/wqtest /etc/guest /dev /proc /sys)

# The directories of the guest before --add.
guest_directories=(/ /bin /etc /lib /lib/modules /root /run /tmp /usr /usr/bin /usr/lib)

# initramfs_make: packs $run_dir/initramfs
initramfs_make() {
	local guest=$run_dir/guest guest_kills='' guest_modules=()
	[[ $kind == um ]] || guest_kills=', Ctrl-A X kills it'
	mkdir -p "$guest/etc/guest" "$guest"/{dev,proc,sys}
	mkdir -p "${guest_directories[@]/#/$guest}"
	install -m 755 "$top/scripts/guest/init" "$guest/init"
	install -m 755 "$top/scripts/guest/demo.sh" "$guest/demo.sh"
	install -m 644 "$top/scripts/guest/lib.sh" "$guest/etc/guest/lib.sh"
	install -m 644 "$top/scripts/guest/lab.sh" "$guest/etc/guest/lab.sh"
	install -m 755 "$top/scripts/guest/sudo" "$guest/usr/bin/sudo"
	install -m 644 "$top/scripts/guest/profile" "$guest/etc/profile"
	install -m 755 "$(guest_tools)/usr/bin/busybox" "$guest/bin/busybox"
	install -m 755 "$(wqtest_path)" "$guest/bin/wqtest"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$guest/etc/passwd"
	echo 'root:x:0:' >"$guest/etc/group"
	initramfs_add_dmesg "$guest"
	initramfs_add_modules "$guest"
	initramfs_add_files "$guest"
	printf '%s\n' "$guest_mode" >"$guest/etc/guest/mode"
	printf '%s\n' "$guest_command" >"$guest/etc/guest/command"
	printf '%s\n' "$guest_input" >"$guest/etc/guest/input"
	printf '%s\n' "${module_args[@]}" >"$guest/etc/guest/modules"
	: >"$guest/etc/guest/get"
	((${#get_from[@]} == 0)) || printf '%s\n' "${get_from[@]}" >"$guest/etc/guest/get"
	printf '%s\n' "$guest_terminal" "console=$console" "kills='$guest_kills'" \
		>"$guest/etc/guest/terminal"
	initramfs_pack "$guest"
}

# Does what takes the root's tools, all at once: entering the root takes longer than each of them.
initramfs_pack() { # GUEST
	local triplet release libraries
	triplet=$(triplet "$arch")
	release=$(kdir_release "$kdir")
	libraries=$(guest_tools)/usr/lib/$triplet
	(cd "$1" && in_root sh "$top/scripts/lib/pack-guest.sh" "$release" "$triplet" \
		"${dmesg_folder#/}/dmesg" "$libraries" "${guest_modules[@]}")
}

# Adds the root's dmesg, because busybox's cannot follow the log. Its libraries have a folder of
# their own, where a program of --add cannot replace them.
dmesg_folder=/usr/lib/dmesg
initramfs_add_dmesg() { # GUEST
	mkdir -p "$1$dmesg_folder" "$1/usr/lib/locale"
	cp -r "$root/usr/lib/locale/C.utf8" "$1/usr/lib/locale"
	cp "$(guest_tools)/usr/bin/dmesg" "$1$dmesg_folder"
	cat >"$1/usr/bin/dmesg" <<END
#!/bin/busybox sh
LC_ALL=C.UTF-8 exec $dmesg_folder/$(program_loader "$arch") --library-path $dmesg_folder \\
	$dmesg_folder/dmesg "\$@"
END
	chmod 755 "$1/usr/bin/dmesg"
}

# Puts all modules where modprobe looks. Links ours as /lib/modules/NAME.ko and those of --module as
# /NAME.ko. Sets guest_modules to them.
initramfs_add_modules() { # GUEST
	local dir release modules
	release=$(kdir_release "$kdir")
	modules=lib/modules/$release
	mkdir -p "$1/$modules"/{updates,extra}
	((!build)) || cp "$modules_out"/{wq_echo,workqueue_demo}.ko "$1/$modules/updates"
	for dir in "${extra_modules[@]}"; do
		find "$(extra_module_out "$dir")" -name '*.ko' -exec cp -t "$1/$modules/extra" {} +
	done
	mapfile -t guest_modules < <(cd "$1" && find "$modules" -name '*.ko')
	(cd "$1/lib/modules" && find "$release/updates" -name '*.ko' -exec ln -st . {} +)
	(cd "$1" && find "$modules/extra" -name '*.ko' -exec ln -st . {} +)
}

# guest_path FROM [TO]: prints where --add puts FROM in the guest. As with cp, a directory TO gets
# FROM in it.
guest_path() {
	local to=/${2:-}
	[[ ${2:-} != */ && " ${guest_directories[*]} " != *" $(realpath -ms "$to") "* ]] ||
		to+=/$(basename "$1")
	realpath -ms "$to"
}

# guest_path_check FROM PATH: prints the guest's own file that FROM at PATH would replace
guest_path_check() {
	local own
	for own in "${guest_own[@]}"; do
		if [[ $2/ == "$own"/* ]] ||
			[[ $own == "${2%/}"/* && (! -d $1 || -e $1/${own#"${2%/}"/}) ]]; then
			echo "$own"
			return
		fi
	done
}

# added_from SPEC: sets $from to the HOSTPATH of HOSTPATH[:GUESTPATH]: the longest prefix that
# exists, because both paths may contain colons
added_from() {
	from=$1
	while [[ ! -e $from && $from == *:* ]]; do
		from=${from%:*}
	done
	[[ -e $from ]]
}

# added_to HOSTPATH[:GUESTPATH]: prints GUESTPATH, given HOSTPATH in $from
added_to() { [[ $1 == "$from" ]] || echo "${1#"$from:"}"; }

# Adds each --add HOSTPATH[:GUESTPATH], with the libraries of a dynamic program.
initramfs_add_files() { # GUEST
	local spec from to
	for spec in "${extra_files[@]}"; do
		added_from "$spec"
		to=$1$(guest_path "$from" "$(added_to "$spec")")
		mkdir -p "${to%/*}"
		cp -rLT "$from" "$to"
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
