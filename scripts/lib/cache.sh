# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The cache: what is dear to make, made once.
#
# An entry is a symbolic link to a directory under made/. The directory is
# filled where it will stay (kernel build folders know their own path), and the
# link is made last, in one step: an entry is there whole or not at all. While
# it is being made its lock is held, also by the processes that fill it; so a
# run that was killed leaves nothing that a later one could take for good, and
# two runs at once make it once. What a job could not make is removed: it may be what
# fills the disk.

cache=${XDG_CACHE_HOME:-${HOME:?is not set, nor is XDG_CACHE_HOME}/.cache}/workqueue-rs
cache=$(realpath -m "$cache")

# A cache that another account has made, and which is only read. What it holds is not made
# again; what it lacks is made in this account's own.
shared_cache=${WQ_CACHE_SHARED:+$(realpath -m "$WQ_CACHE_SHARED")/workqueue-rs}

cache_advice="set XDG_CACHE_HOME to a directory where you may write and run programs"

# What it takes with all kernels in it, in GB. README and qemu-run.sh --help say so too.
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

# nearest PATH: prints it, or the nearest directory above it that exists
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
	# Links that lead there are followed in the root too.
	elif is_odd "$shared_cache"; then
		echo "WQ_CACHE_SHARED=$WQ_CACHE_SHARED is no path that make takes for one name:" \
			"its owner may move it"
	fi
}

# Each entry by two links: what is made from an entry may go by what its own link says, and
# build folders name others of them by paths that begin at made/.
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

# is_cached PATH: with its links followed or not
is_cached() { [[ $1 == "$cache"/* || (-n $shared_cache && $1 == "$shared_cache"/*) ]]; }

# directory_need DIR ADVICE: makes DIR; dies where it cannot be used
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

# directory_trouble DIR ADVICE: what directory_need would die of, as far as one sees without
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

# cached NAME FUNC ARG...: makes entry NAME with `FUNC DIR ARG...` if it is missing
cached() {
	local name=$1 make=$2 lock dir
	shift 2
	[[ -e $cache/$name ]] && return
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

# key TEXT...: a short name for what an entry is made from
key() { printf '%s\n' "$@" | sha256sum | cut -c -10; }
