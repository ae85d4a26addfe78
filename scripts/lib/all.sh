# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sources what every script needs. The caller has set $top. This only defines functions, names paths
# and sets defaults for options.

set -euo pipefail

# An ordinary user's PATH lacks administration tools such as chroot and depmod.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# We search the messages of apt and others for English words.
export LC_ALL=C

tree_advice="clone this tree to where you may write and run programs"
no_install=0
# Debian's kernel, and the source of ours, come from this suite's backports.
readonly linux_suite=trixie
run_dir=$top/build/run-$$

# shellcheck source=scripts/lib/log.sh
. "$top/scripts/lib/log.sh"
# shellcheck source=scripts/lib/ktap.sh
. "$top/scripts/lib/ktap.sh"
# shellcheck source=scripts/lib/arch.sh
. "$top/scripts/lib/arch.sh"
# shellcheck source=scripts/lib/cache.sh
. "$top/scripts/lib/cache.sh"
# shellcheck source=scripts/lib/root.sh
. "$top/scripts/lib/root.sh"
# shellcheck source=scripts/lib/cross.sh
. "$top/scripts/lib/cross.sh"
# shellcheck source=scripts/lib/host.sh
. "$top/scripts/lib/host.sh"
# shellcheck source=scripts/lib/debian.sh
. "$top/scripts/lib/debian.sh"
# shellcheck source=scripts/lib/kdir.sh
. "$top/scripts/lib/kdir.sh"
# shellcheck source=scripts/lib/kernel.sh
. "$top/scripts/lib/kernel.sh"
# shellcheck source=scripts/lib/build.sh
. "$top/scripts/lib/build.sh"

# Each run has its own directory. It survives the run if the user needs a log in it.
keep_run_dir=0
run_dir_remove() {
	stop_jobs
	((keep_run_dir)) || rm -rf "$run_dir"
}

run_dir_init() {
	local old
	directory_need "$top/build" "$tree_advice"
	for old in "$top"/build/run-*; do
		[[ ! -d $old ]] || kill -0 "${old##*-}" 2>/dev/null || rm -rf "$old"
	done
	mkdir -p "$run_dir"
	mkfifo "$run_dir/never"
	exec {never}<>"$run_dir/never"
	trap run_dir_remove EXIT
}
