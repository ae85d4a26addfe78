# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The toolchain root: a Debian 13 in the cache. Its compilers are those that built Debian's kernel.
# Others would give the Rust symbols other names. (SUITE chooses another suite, for kernels built
# here.) All compiling, checking and emulating happens in the root, so it does not depend on this
# machine's software, even on a Debian 13.

suite=${SUITE:-$linux_suite}
packages_file=$top/scripts/packages.txt

# Commands run as user 0 of the root in their own namespaces: no mount leaks, and all die with the
# script.
namespaces=(setpriv --pdeathsig KILL
	unshare --mount --propagation private --pid --fork --kill-child)
((EUID == 0)) || namespaces+=(--map-auto --map-root-user)

# share PATH: makes PATH visible in the root, under the same name. A path with a blank, a colon or
# the like gets another name, because make would split it.
shared_paths=() odd_paths=()
share() {
	local path longer=() inside
	inside "$1"
	for path in "${shared_paths[@]}"; do
		[[ $1/ != "$path"/* ]] || is_odd "${inside[0]}" || return 0
	done
	shared_paths+=("$1")
	is_odd "$1" || return 0
	# Longest first: a path may be the beginning of another.
	for path in "${odd_paths[@]}"; do
		((${#path} < ${#1})) || longer+=("$path")
	done
	odd_paths=("${longer[@]}" "$1" "${odd_paths[@]:${#longer[@]}}")
}
is_odd() { [[ $1 =~ [^A-Za-z0-9/._+@-] ]]; } # PATH
name_of_odd() { echo "/mnt/$(key "$1")"; } # PATH

# inside ARG...: sets $inside to the ARGs, with shared paths by their names in the root
inside() {
	local path
	inside=("$@")
	for path in "${odd_paths[@]}"; do
		inside=("${inside[@]//"$path"/"$(name_of_odd "$path")"}")
	done
}

# outside: copies stdin, with shared paths by their names on this machine
outside() {
	local path name edits=()
	for path in "${odd_paths[@]}"; do
		name=$(name_of_odd "$path")
		# shellcheck disable=SC2001 # what & means to bash depends on its version
		edits+=(-e "s|$name|$(sed 's/[\\&|]/\\&/g' <<<"$path")|g")
	done
	if ((${#edits[@]})); then sed -u "${edits[@]}"; else cat; fi
}

# Pairs of paths. In the root the first is mounted over the second, a shared path.
laid_over=()

# in_root CMD...: runs CMD in the root, in the current directory if it is shared
in_root() {
	local passed=() name wanted inside path pair shared=()
	wanted='^(term|no_color|(https?|all|no)_proxy|cargo_(http|net|source|regist).*)$'
	while IFS= read -r name; do
		passed+=("$name=${!name}")
	done < <(compgen -e | grep -Ei "$wanted" || true)
	for path in "${shared_paths[@]}"; do
		inside "$path"
		shared+=("$path" "${inside[0]}")
	done
	inside "${laid_over[@]}"
	for ((pair = 0; pair < ${#laid_over[@]}; pair += 2)); do
		shared+=("${laid_over[pair]}" "${inside[pair + 1]}")
	done
	inside "$PWD" CARGO_HOME="$cache/cargo" "$@"
	"${namespaces[@]}" bash "$top/scripts/lib/enter-root.sh" "$root" "${inside[0]}" \
		"$((${#shared[@]} / 2))" "${shared[@]}" \
		"${passed[@]}" "${inside[1]}" -- "${inside[@]:2}"
}

# Only user 0 of the namespace may remove files of the root's other users.
remove() {
	local path
	for path; do
		[[ ! -e $path ]] || "${namespaces[@]}" rm -rf -- "$path"
	done
}

# A line that ends in [amd64] or the like is for that architecture only.
root_packages() {
	sed -E "s/#.*//; /\[$host_arch\]/ s/\[.*//; /\[/ d" "$packages_file" | xargs | tr ' ' ','
}

# Sets $root and $root_key for $arch, and $base_root for this machine. Everything compiled depends
# on them.
root_find() {
	root_key=$(key "$suite" "$(root_packages)" "$(declare -f root_make)")
	root=$cache/root-$root_key
	base_root=$root
	! is_cross || cross_root_find
	share "$top"
	share "$cache"
	[[ ! -d $shared_cache ]] || share "$shared_cache"
}

# Leaves out half of the files: documentation, clang's static libraries, and Rust's source except
# its library. Keeps the documentation of essential packages, because filtering them takes
# mmdebstrap longer than writing them. Does not sync: the cache need not survive a power cut.
root_make() { # DIR
	local mirror left_out
	mirror=$(debian_mirror)
	echo "taking $suite from ${mirror:-the default mirror}"
	left_out=$(
		printf 'path-exclude=%s\n' '/usr/share/doc/*' '/usr/share/info/*' \
			'/usr/share/locale/*' '/usr/share/man/*' '/usr/lib/llvm-*/lib/*.a' \
			'/usr/src/rustc-*/*'
		echo 'path-include=/usr/src/rustc-*/library/*'
	)
	# apt would take a blank in DIR for the end of its keyring's name.
	# shellcheck disable=SC2016 # expanded by the shell inside
	"${namespaces[@]}" sh -ec 'mount --bind "$0" /mnt; exec "$@"' "$1" \
		mmdebstrap --mode=root --variant=essential \
		--include="$(root_packages)" \
		--dpkgopt=force-unsafe-io \
		--extract-hook="echo '$left_out' >\"\$1/etc/dpkg/dpkg.cfg.d/left-out\"" \
		"$suite" /mnt ${mirror:+"$mirror"}
	# What enter-root.sh binds files over.
	touch "$1/etc/resolv.conf" "$1/etc/hosts"
}

# Makes a root of another suite. mmdebstrap accepts a line of sources.list as a mirror, so
# debian_mirror prints one.
root_make_suite() { # DIR
	local mirror_line=''
	[[ -z $(debian_mirror) ]] || mirror_line=$(suite_source)
	root_make "$1"
}

root_need() {
	if [[ $suite == "$linux_suite" ]]; then
		cached "${base_root##*/}" root_make
	else
		cached "${base_root##*/}" root_make_suite
	fi
	! is_cross || cross_root_need
	cargo_home_prepare
}

# Makes the root, ready to enter, for scripts that need no kernel.
root_prepare() {
	if [[ -e $root ]]; then
		host_check_mount
	else
		host_prepare "$cache_size"
		step "making the toolchain root" root root_need
	fi
}

# Copies only registries and proxies from the user's cargo configuration. The root lacks other
# things it may name, such as a linker.
cargo_home_prepare() {
	local own=${CARGO_HOME:-${HOME:-}/.cargo}/config.toml
	mkdir -p "$cache/cargo"
	[[ -e $cache/cargo/registry || ! -d $shared_cache/cargo/registry ]] ||
		cp -r "$shared_cache/cargo/registry" "$cache/cargo"
	if [[ -r $own ]]; then
		awk '/^[ \t]*\[/ { keep = /\[(source|registr(y|ies)|http|net)[].]/ } keep' "$own"
	fi >"$cache/cargo/config.toml.$$"
	mv "$cache/cargo/config.toml.$$" "$cache/cargo/config.toml"
}
