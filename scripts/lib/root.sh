# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The toolchain root: a Debian 13 in a directory of the cache. Its compilers are
# those that built the distribution's kernel; any others would give the Rust
# symbols other names. Everything is compiled, checked and emulated in there, so
# that nothing depends on what else this machine has, a Debian 13 included.

suite=trixie
packages_file=$top/scripts/packages.txt

# Commands run in the root as its user 0, in namespaces of their own: no mount
# leaks, and when the script dies, all of them die.
namespaces=(setpriv --pdeathsig KILL
	unshare --mount --propagation private --pid --fork --kill-child)
((EUID == 0)) || namespaces+=(--map-auto --map-root-user)

# Paths that mean the same inside as outside.
shared_paths=("$top")

# in_root CMD...: runs CMD in the root, in the current directory if it is shared
in_root() {
	local passed=() name wanted
	wanted='^(term|(https?|all|no)_proxy|cargo_(http|net|source|regist).*)$'
	while IFS= read -r name; do
		passed+=("$name=${!name}")
	done < <(compgen -e | grep -Ei "$wanted" || true)
	"${namespaces[@]}" bash "$top/scripts/lib/enter-root.sh" "$root" "$PWD" \
		"${#shared_paths[@]}" "${shared_paths[@]}" "${passed[@]}" \
		CARGO_HOME="$cache/cargo" -- "$@"
}

# Only user 0 of the namespace may remove files of the root's other users.
remove() {
	local path
	for path; do
		[[ ! -e $path ]] || "${namespaces[@]}" rm -rf -- "$path"
	done
}

root_packages() { sed 's/#.*//' "$packages_file" | xargs | tr ' ' ','; }

# Sets $root and $root_key, which all that is compiled depends on.
root_find() {
	root_key=$(key "$suite" "$(root_packages)" "$(declare -f root_make)")
	root=$cache/root-$root_key
	shared_paths+=("$cache")
}

# What is left out is half of the files: documentation, clang as a library, and of
# Rust's source what is not its library. The essential packages have documentation
# all the same: mmdebstrap would filter them one by one, which takes longer than
# writing it. And the cache need not survive a power cut.
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
	"${namespaces[@]}" mmdebstrap --mode=root --variant=essential \
		--include="$(root_packages)" \
		--dpkgopt=force-unsafe-io \
		--extract-hook="echo '$left_out' >\"\$1/etc/dpkg/dpkg.cfg.d/left-out\"" \
		"$suite" "$1" ${mirror:+"$mirror"}
	# What enter-root.sh binds files over.
	touch "$1/etc/resolv.conf" "$1/etc/hosts"
}

root_need() {
	[[ -e $root ]] || host_prepare
	cached "root-$root_key" root_make
	cargo_home_prepare
}

# The registries and proxies of the user's own cargo configuration, and nothing
# else of it: a linker or a compiler wrapper named there is not in the root.
cargo_home_prepare() {
	local own=${CARGO_HOME:-${HOME:-}/.cargo}/config.toml
	mkdir -p "$cache/cargo"
	if [[ -r $own ]]; then
		awk '/^[ \t]*\[/ { keep = /\[(source|registr(y|ies)|http|net)[].]/ } keep' "$own"
	fi >"$cache/cargo/config.toml.$$"
	mv "$cache/cargo/config.toml.$$" "$cache/cargo/config.toml"
}
