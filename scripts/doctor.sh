#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Says what this machine and a kernel can do. See usage() below.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
# shellcheck source=scripts/lib/metadata.sh
. "$top/scripts/lib/metadata.sh"
# shellcheck source=/dev/null # it is brought in for KVM alone
. "$top/scripts/lib/machine-qemu.sh"
# shellcheck source=scripts/lib/loading.sh
. "$top/scripts/lib/loading.sh"

usage() {
	cat <<'EOF'
Usage: scripts/doctor.sh [--json] [RELEASE]

Says whether this machine can run scripts/qemu-run.sh, and whether it can build both modules for
a kernel and load them. The kernel is RELEASE, by default the running one. Each line is good, bad
with what mends it, or not needed. It changes nothing and needs no network.

The exit status is 0 if one of the two is possible, 1 if neither is.

  --json      the same as one object:
                release   of that kernel
                running   whether it is the running one
                kernel    debian: whether it is one of Debian's with Rust; config: the file
                          with its configuration; rust: CONFIG_RUST; built_by: its rustc;
                          folder: its build folder. Whatever is unknown is null
                checks    a list of {name, group, state, found, mend}: group is "qemu" or
                          "kernel", state "good", "bad" or "not needed", mend null if not bad
                works     qemu: scripts/qemu-run.sh; make: `make`; headers: `make -C` with
                          that kernel's headers, and DKMS; load: whether it loads what was
                          built, null if it is not running
EOF
}

json=0 release=''
# The lines of the report, in parallel arrays; state_of is by name.
states=() names=() groups=() founds=() mends=()
declare -A state_of=()

main() {
	# A release says which kernel.
	unset KDIR
	parse_options "$@"
	running=$(uname -r)
	release=${release:-$running}
	own_cache=$cache
	# Entries in the shared cache need not be made.
	! shares_cache || [[ -n $(shared_cache_trouble) ]] || cache=$shared_cache
	root_find
	kernel_find debian
	examine_machine
	kdir=/lib/modules/$release/build
	find_kernel
	examine_kernel
	conclude
	if ((json)); then print_json; else print_screen; fi
	[[ $works_qemu == true || ($works_make == true && $works_load != false) ]]
}

parse_options() {
	while (($#)); do
		case $1 in
		--json) json=1 ;;
		--help | -h) usage; exit ;;
		-*) usage_error "$1: no such option" ;;
		*)
			[[ -z $release ]] || usage_error "$1: one RELEASE at a time"
			[[ $1 != */* ]] || usage_error "$1: RELEASE is like 7.3.4+deb13-amd64"
			! is_debian_release "$1" || [[ $(release_arch "$1") == "$host_arch" ]] ||
				usage_error "$1 is for $(release_arch "$1"), and this machine is" \
					"$host_arch: 'make KREL=$1' builds for it"
			release=$1
			;;
		esac
		shift
	done
}

usage_error() {
	printf '%s: %s\nTry scripts/doctor.sh --help\n' "${0##*/}" "$*" >&2
	exit 2
}

line() { # STATE NAME FOUND [MEND]
	states+=("$1") names+=("$2") groups+=("$group") founds+=("$3") mends+=("${4:-}")
	state_of[$2]=$1
}

# judge NAME FOUND TROUBLE: adds a good line with FOUND, or a bad one if there is TROUBLE (see
# log.sh)
judge() {
	if [[ -z $3 ]]; then
		line good "$1" "$2"
	elif [[ $3 == *". "* ]]; then
		line bad "$1" "${3%%. *}" "${3#*. }"
	else
		line bad "$1" "${3%%: *}" "${3#*: }"
	fi
}

# those_bad NAME...: prints the bad ones, separated by commas
those_bad() {
	local name bad=''
	for name; do
		[[ ${state_of[$name]:-} != bad ]] || bad+=", $name"
	done
	echo "${bad#, }"
}

# What scripts/qemu-run.sh needs of the machine.

examine_machine() {
	group=qemu
	judge machine "$(uname -m)$(machine_whose)" "$(host_machine_trouble)"
	examine_packages
	examine_namespaces
	examine_disk
	examine_kvm
}

machine_whose() {
	local PRETTY_NAME=''
	# shellcheck source=/dev/null
	[[ ! -r /etc/os-release ]] || . /etc/os-release
	echo "${PRETTY_NAME:+, $PRETTY_NAME}$(! is_container || echo ", a container")"
}

is_container() {
	# Some virtual machine images are made from Docker's and keep its mark.
	[[ -e /run/.containerenv || -e /run/systemd/container ||
		(-e /.dockerenv && $(findmnt -no FSTYPE /) == overlay) ]]
}

examine_packages() {
	local missing=()
	# examine_namespaces reports on uidmap.
	mapfile -t missing < <(host_missing | grep -vx uidmap)
	if ((${#missing[@]})); then
		judge mmdebstrap '' "$(host_package_trouble "${missing[@]}")"
	elif [[ -e $root ]]; then
		line 'not needed' mmdebstrap "the toolchain root is made already"
	else
		line good mmdebstrap "with Debian's keyring"
	fi
}

examine_namespaces() {
	local trouble
	trouble=$(host_mount_trouble)
	if [[ -z $trouble ]] && ((EUID == 0)); then
		line 'not needed' namespaces "root may mount without those of users"
	else
		judge namespaces "$(id -un) may make them" "$trouble"
	fi
}

examine_disk() {
	local gb left trouble
	gb=$(set_up_gb)
	local cache=$own_cache
	left=$(free_mb "$(nearest "$cache")")
	trouble=$(shared_cache_trouble)
	[[ -n $trouble ]] || trouble=$(cache_owner_trouble)
	[[ -n $trouble ]] || trouble=$(directory_trouble "$cache" "$cache_advice")
	[[ -n $trouble ]] || trouble=$(host_space_trouble "$gb")
	if [[ -z $trouble && $gb == 0 ]]; then
		line 'not needed' disk "compilers and kernel are made already"
	else
		judge disk "$((left / 1000)) GB left, of which it takes $gb" "$trouble"
	fi
}

examine_kvm() {
	if kvm_processor; then
		judge KVM "/dev/kvm opens" "$(kvm_trouble)"
	else
		line 'not needed' KVM \
			"this processor has none: QEMU emulates; --kernel uml is faster"
	fi
}

# What building and loading modules for the kernel needs.

find_kernel() {
	is_debian=false
	! is_debian_release "$release" || is_debian=true
	config=$(release_config "$release")
	built_by=$(release_config_value "$release" RUSTC_VERSION_TEXT)
	rust=''
	if [[ -n $config ]]; then
		rust=false
		[[ -z $(release_config_value "$release" RUST) ]] || rust=true
	elif [[ $is_debian == true ]]; then
		rust=true
	fi
}

examine_kernel() {
	local name
	group=kernel
	judge release "$release$(kernel_whose)" "$(with_mend "$(release_trouble "$release")" \
		"$(newer_kernel)")"
	examine_config_rust
	if [[ -n $(those_bad release CONFIG_RUST) ]]; then
		for name in headers metadata rustc bindgen compiler; do
			line 'not needed' "$name" "no such module is built for this kernel"
		done
	else
		examine_headers
		examine_rustc
		examine_bindgen
		examine_compiler
	fi
	examine_loading
	examine_signatures
	examine_dkms
}

# with_mend TROUBLE MEND: appends MEND to TROUBLE
with_mend() { [[ -z $1 ]] || echo "$1. $2"; }

kernel_whose() {
	local whose=''
	[[ $is_debian == false ]] || whose=", one of Debian's"
	[[ ! $release =~ [Mm]icrosoft|WSL ]] || whose=", WSL's"
	[[ $release == "$running" ]] || whose+=", not the one that runs"
	echo "$whose"
}

newer_kernel() {
	if is_debian_suite; then
		echo "As root: apt-get install -t $linux_suite-backports linux-image-$arch;" \
			"then start it"
	else
		echo "Start a 7.3 with CONFIG_RUST; or take scripts/qemu-run.sh, which brings one"
	fi
}

examine_config_rust() {
	case $rust in
	true) line good CONFIG_RUST "y, says ${config:-its name: Debian builds all such with it}" ;;
	false)
		line bad CONFIG_RUST "Linux $release is built without, says $config" \
			"$(newer_kernel)"
		;;
	*)
		line bad CONFIG_RUST "unknown: there is no $kdir, no /boot/config-$release" \
			"$(install_headers)"
		;;
	esac
}

# Prints how this distribution installs kernel headers.
install_headers() {
	local tool
	local -A package=([apt-get]="install linux-headers-$release" [pacman]="-S linux-headers"
		[dnf]="install kernel-devel-$release" [zypper]="install kernel-default-devel")
	for tool in apt-get dnf pacman zypper; do
		! command -v "$tool" >/dev/null || {
			echo "As root: $tool ${package[$tool]}"
			return
		}
	done
	echo "Install its headers with this system's package manager"
}

examine_headers() {
	local trouble
	if [[ $is_debian == true ]]; then
		trouble=$(headers_trouble "$release" "$kdir")
		[[ -n $trouble ]] || trouble=$(running_trouble "$release" "$kdir")
		judge headers "$kdir" "$trouble"
		judge metadata "rust/libkernel.rmeta in there" "$(rmeta_trouble "$release" "$kdir")"
		return
	fi
	judge headers "$kdir" "$(with_mend "$(kdir_folder_trouble "$kdir")" "$(install_headers)")"
	judge metadata "rust/libkernel.rmeta in there" "$(with_mend \
		"$(kdir_metadata_trouble "$kdir")" "$(install_metadata)")"
}

install_metadata() {
	local ID=''
	# shellcheck source=/dev/null
	[[ ! -r /etc/os-release ]] || . /etc/os-release
	if [[ $ID == ubuntu ]]; then
		echo "As root: apt-get install linux-lib-rust-$release"
	else
		echo "Only who built this kernel can pack it; or build one, and: make KDIR=..."
	fi
}

examine_rustc() {
	local trouble=''
	if [[ ! -e $kdir/include/config/auto.conf ]]; then
		line 'not needed' rustc "the headers say which one: install them first"
		return
	elif [[ $is_debian == true ]]; then
		trouble=$(rustc_trouble "$release" "$kdir")
	else
		trouble=$(kdir_rustc_trouble "$kdir" "$(rustc_here)")
		trouble=$(with_mend "$trouble" "$(install_rustc)")
	fi
	if [[ -z $trouble ]]; then
		line good rustc "$built_by"
	else
		line bad rustc "$(rustc_found)" "${trouble#*. }"
	fi
}

rustc_here() { rustc --version 2>/dev/null || true; }

# Prints both version numbers, or the full texts if the numbers are equal.
rustc_found() {
	local here wanted=${built_by#rustc }
	here=$(rustc_here)
	here=${here#rustc }
	if [[ ${here%% *} != "${wanted%% *}" ]]; then
		here=${here%% *} wanted=${wanted%% *}
	fi
	[[ -z $here ]] || here+=" in $(dirname "$(command -v rustc)")"
	echo "${here:-none}, and the kernel was built by $wanted"
}

install_rustc() {
	if [[ $(/usr/bin/rustc --version 2>/dev/null) == "$built_by" ]]; then
		echo "export PATH=/usr/bin:\$PATH"
	else
		echo "Install it from where the kernel comes from"
	fi
}

examine_bindgen() { judge bindgen "$(bindgen --version 2>/dev/null)" "$(bindgen_trouble)"; }

# Looks for the compiler that built the kernel, by its name.
examine_compiler() {
	local compiler
	if [[ ! -e $kdir/include/config/auto.conf ]]; then
		line 'not needed' compiler "of C: the headers say which one"
		return
	fi
	compiler=$(kdir_compiler "$kdir")
	[[ $compiler != LLVM=1 ]] || compiler=clang
	compiler=${compiler#CC=}
	if command -v "$compiler" >/dev/null; then
		line good compiler "$compiler"
	elif [[ $compiler =~ (gcc-[0-9]+|clang)$ ]] && command -v apt-get >/dev/null; then
		line bad compiler "no $compiler" "As root: apt-get install ${BASH_REMATCH[1]}"
	else
		line bad compiler "no $compiler" "Install it with this system's package manager"
	fi
}

examine_loading() {
	if [[ $release == "$running" ]]; then
		judge loading "as root: insmod ./wq_echo.ko" "$(loading_trouble)"
	else
		line 'not needed' loading "$release does not run"
	fi
}

examine_signatures() {
	local found trouble boot enforced seen hidden
	signatures_find "$release"
	trouble=$(signatures_trouble)
	found="not enforced"
	if [[ -n $enforced ]]; then
		found="enforced ($enforced), and DKMS signs with $(dkms_key), which is enrolled"
	elif [[ -n $hidden ]]; then
		found+=", as far as one sees; unknown: $hidden"
	elif [[ $boot == on ]]; then
		found+=", though Secure Boot is on"
	fi
	judge signatures "$found" "$trouble"
	signed_only=false
	[[ -z $enforced ]] || signed_only=true
}

examine_dkms() {
	local module status
	if ! command -v dkms >/dev/null; then
		line 'not needed' DKMS "not installed; it builds modules anew for each kernel"
		return
	fi
	module=$(sed -n 's/^PACKAGE_NAME="\(.*\)"/\1/p' "$top/dkms.conf")/$(
		sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$top/dkms.conf")
	status=$(dkms status "$module" 2>/dev/null) || status=''
	if [[ -z $status ]]; then
		line 'not needed' DKMS "has not got $module; as root: dkms add ."
	elif [[ $'\n'$status =~ $'\n'"$module, $release, "[^$'\n']*": installed" ]]; then
		line good DKMS "$module is installed for $release"
	else
		line bad DKMS "$module is not installed for $release" \
			"As root: dkms install $module -k $release"
	fi
}

# What works, concluded from the lines.

headers_names=(headers metadata rustc bindgen compiler)

conclude() {
	works_qemu=true works_make=false works_headers=true works_load=true
	qemu_bad=$(those_bad machine namespaces disk)
	# qemu-run.sh installs what is missing if it can.
	host_installs || qemu_bad=$(those_bad machine mmdebstrap namespaces disk)
	[[ -z $qemu_bad ]] || works_qemu=false
	kernel_bad=$(those_bad release CONFIG_RUST)
	headers_bad=$(those_bad "${headers_names[@]}")
	[[ -z $kernel_bad$headers_bad ]] || works_headers=false
	load_bad=$(those_bad loading signatures)
	[[ -z $load_bad ]] || works_load=false
	[[ $release == "$running" ]] || works_load=null
	make_bad=$headers_bad
	if [[ -n $kernel_bad ]]; then
		return
	elif kdir_of_debian "$kdir" >/dev/null; then
		# The root's compilers build the modules then.
		works_make=$works_qemu
		make_bad+=", $qemu_bad"
	else
		works_make=$works_headers
	fi
}

say_qemu() {
	local how=''
	if [[ $works_qemu == false ]]; then
		echo "scripts/qemu-run.sh does not work here: $qemu_bad"
		return
	fi
	[[ ${state_of[mmdebstrap]} != bad ]] || how+=", and installs what is missing"
	[[ -e $root ]] || how+="; the first run takes a connection to a Debian mirror"
	echo "scripts/qemu-run.sh works here$how"
}

say_make() {
	local said="make builds both modules"
	if [[ -n $kernel_bad ]]; then
		echo "no modules are built for $release: $kernel_bad"
		return
	elif [[ $works_make == false && $works_headers == false ]]; then
		echo "make does not build the modules for $release: $make_bad"
		return
	elif [[ $works_headers == false ]]; then
		said+=" in the toolchain root; make -C and DKMS do not: $headers_bad"
	fi
	case $works_load in
	null) said+="; $release has to be started to load them" ;;
	false) said+="; the kernel does not load them: $load_bad" ;;
	true) [[ $signed_only == false ]] || said+="; the kernel loads what DKMS has signed" ;;
	esac
	echo "$said"
}

# The report as text.

print_screen() {
	local width=100 index rows
	[[ ! -t 1 ]] || width=$(tput cols 2>/dev/null || echo 80)
	((width >= 80)) || width=80
	((width <= 100)) || width=100
	declare -A color=([good]='' [bad]='' ['not needed']='')
	local plain=''
	if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
		color=([good]=$'\e[32m' [bad]=$'\e[1;31m' ['not needed']=$'\e[2m')
		plain=$'\e[m'
	fi
	group=''
	for index in "${!names[@]}"; do
		print_head "${groups[index]}"
		print_line "${states[index]}" "${names[index]}" "${founds[index]}" "${mends[index]}"
	done
	wrap '=> ' "$(say_qemu)"
	echo "$rows"
	wrap '=> ' "$(say_make)"
	echo "$rows"
}

print_head() { # GROUP
	[[ $1 != "$group" ]] || return 0
	group=$1
	if [[ $group == qemu ]]; then
		echo "To watch and test both modules in QEMU: scripts/qemu-run.sh"
	else
		echo "To build both modules for Linux $release, and load them: make"
	fi
}

print_line() { # STATE NAME FOUND MEND
	local begin text=$3
	printf -v begin '%-11s%-12s' "$1" "$2"
	# A mend that is a sentence follows a full stop.
	case $4 in
	'') ;;
	[A-Z]*) text+=". $4" ;;
	*) text+=": $4" ;;
	esac
	wrap "$begin" "$text"
	echo "${color[$1]}${rows::10}$plain${rows:10}"
}

# wrap BEGINNING TEXT: sets $rows to both, $width columns wide. Later rows are indented to where
# TEXT begins.
wrap() {
	local word words row=$1
	rows=''
	read -ra words <<<"$2"
	for word in "${words[@]}"; do
		if ((${#row} + ${#word} > width && ${#row} > ${#1})); then
			rows+=${row% }$'\n'
			printf -v row '%*s' "${#1}" ''
		fi
		row+="$word "
	done
	rows+=${row% }
}

# The report as JSON.

print_json() {
	local index comma=''
	printf '{"release": %s, "running": %s,\n' "$(json_string "$release")" \
		"$(if [[ $release == "$running" ]]; then echo true; else echo false; fi)"
	printf ' "kernel": {"debian": %s, "config": %s, "rust": %s, ' "$is_debian" \
		"$(json_string "$config")" "${rust:-null}"
	printf '"built_by": %s, "folder": %s},\n' "$(json_string "$built_by")" \
		"$(json_string "$(if [[ -e $kdir ]]; then echo "$kdir"; fi)")"
	printf ' "checks": ['
	for index in "${!names[@]}"; do
		printf '%s\n  {"name": "%s", "group": "%s", "state": "%s", ' "$comma" \
			"${names[index]}" "${groups[index]}" "${states[index]}"
		printf '"found": %s, "mend": %s}' "$(json_string "${founds[index]}")" \
			"$(json_string "${mends[index]}")"
		comma=,
	done
	printf '],\n "works": {"qemu": %s, "make": %s, "headers": %s, "load": %s}}\n' \
		"$works_qemu" "$works_make" "$works_headers" "$works_load"
}

# json_string TEXT: prints it as JSON, null if empty
json_string() {
	local text=${1//[$'\x01'-$'\x1f']/ }
	[[ -n $text ]] || { echo null; return; }
	text=${text//\\/\\\\}
	printf '"%s"\n' "${text//\"/\\\"}"
}

main "$@"
