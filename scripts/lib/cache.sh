# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The cache keeps what takes long to make.
#
# An entry is a symbolic link to a directory under made/. The directory is filled in its final
# place, because kernel build folders contain their own path. The link comes last, in one step, so
# an entry is complete or absent. The maker and its processes hold a lock meanwhile. So a killed run
# leaves nothing that looks complete, and two runs at once make an entry once. What a failed job
# made is removed: it may be what fills the disk.

cache=${XDG_CACHE_HOME:-${HOME:?is not set, nor is XDG_CACHE_HOME}/.cache}/workqueue-rs
cache=$(realpath -m "$cache")

# Another account's cache, read only. Its entries are used. Missing entries go to this account's
# cache.
shared_cache=${WQ_CACHE_SHARED:+$(realpath -m "$WQ_CACHE_SHARED")/workqueue-rs}

cache_advice="set XDG_CACHE_HOME to a directory where you may write and run programs"

# The size with all kernels, in GB. README and qemu-run.sh --help state it too.
readonly cache_size=5

cache_init() {
	die_of cache_owner_trouble
	die_of shared_cache_trouble
	directory_need "$cache" "$cache_advice"
	mkdir -p "$cache/made" "$cache/locks"
	! shares_cache || cache_take_shared
}

cache_owner_trouble() {
	[[ ! -e $cache || -O $cache ]] ||
		echo "$cache belongs to another user: set XDG_CACHE_HOME to a directory of your" \
			"own, and WQ_CACHE_SHARED to that one, to use what it holds"
}

# nearest PATH: prints PATH, or its nearest existing parent
nearest() {
	local path=$1
	while [[ ! -e $path ]]; do
		path=$(dirname "$path")
	done
	echo "$path"
}

shares_cache() { [[ -n $shared_cache && $shared_cache != "$cache" ]]; }

shared_cache_trouble() {
	if ! shares_cache; then
		return
	elif [[ ! -r $shared_cache/made ]]; then
		echo "WQ_CACHE_SHARED=$WQ_CACHE_SHARED has no workqueue-rs/ that may be read:" \
			"give what its owner has in XDG_CACHE_HOME"
	# The root follows links into that path.
	elif is_odd "$shared_cache"; then
		echo "WQ_CACHE_SHARED=$WQ_CACHE_SHARED is no path that make takes for one name:" \
			"its owner may move it"
	fi
}

# Links each entry twice. What is made from an entry may use the target of its link, and build
# folders refer to other entries by paths under made/.
cache_take_shared() {
	local entry made name
	for entry in "$shared_cache"/*; do
		name=${entry##*/}
		[[ -L $entry && ! -e $cache/$name ]] || continue
		made=$(readlink "$entry")
		ln -sfn "$shared_cache/$made" "$cache/$made"
		ln -sfn "$made" "$cache/$name"
	done
}

# is_cached PATH: succeeds for a path in a cache, before or after following links
is_cached() { [[ $1 == "$cache"/* || (-n $shared_cache && $1 == "$shared_cache"/*) ]]; }

# directory_need DIR ADVICE: makes DIR, or dies with ADVICE if it is unusable
directory_need() {
	local probe
	probe=$(mkdir -p "$1" 2>&1 && mktemp "$1/probe.XXXXXX" 2>&1) ||
		die "$(cannot_write "$1" "${probe##*: }"): $2"
	(
		trap 'rm "$probe"' EXIT
		printf '#!/bin/sh\n' 2>/dev/null >"$probe" ||
			die "cannot write to $1: its disk is full"
		chmod +x "$probe"
		"$probe" 2>/dev/null || die "$(cannot_run "$1"): $2"
	) || exit
}

cannot_write() { echo "cannot write to $1 ($2)"; } # DIR WHY
cannot_run() { echo "no program can be run in $1 (mounted noexec?)"; } # DIR

# directory_trouble DIR ADVICE: says why directory_need would die, as far as this shows without
# writing
directory_trouble() {
	local dir
	dir=$(nearest "$1")
	if [[ ! -w $dir ]]; then
		echo "$(cannot_write "$1" "$dir is not for this user, or read-only"): $2"
	elif [[ ,$(findmnt -nro OPTIONS -T "$dir" 2>/dev/null), == *,noexec,* ]]; then
		echo "$(cannot_run "$1"): $2"
	fi
}

unfinished=()

# Prints something where bash ignores `set -e`: in a function whose status is tested. Call it in an
# assignment, which is no test.
errors_ignored() {
	trap - ERR
	(
		set -e
		false
		echo yes
	)
	true
}

# cached NAME FUNC ARG...: makes entry NAME with `FUNC DIR ARG...` if missing
cached() {
	local name=$1 make=$2 lock dir ignored
	shift 2
	[[ -e $cache/$name ]] && return
	# A maker that went on after an error would leave a broken entry.
	ignored=$(errors_ignored)
	[[ -z $ignored ]] || die "$name: it is to be made where bash ignores errors"
	exec {lock}>"$cache/locks/$name"
	flock -n "$lock" || {
		echo "another run is making $name: waiting for it" >&2
		flock "$lock"
	}
	if [[ ! -e $cache/$name ]]; then
		remove "$cache/made/$name".??????	# left by a run that was killed
		dir=$(mktemp -d "$cache/made/$name.XXXXXX")
		unfinished+=("$dir")
		chmod 755 "$dir"
		"$make" "$dir" "$@"
		ln -sfn "made/${dir##*/}" "$cache/$name"
		unset 'unfinished[-1]'
	fi
	exec {lock}>&-
}

# key TEXT...: prints a short hash that names an entry by what it is made from
key() { printf '%s\n' "$@" | sha256sum | cut -c -10; }
