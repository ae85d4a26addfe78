#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# pictures.sh: redraws docs/pictures/*.svg. Debian's kernel in QEMU provides the timelines. Debian's
# graphviz, in a root of its own, draws the diagrams from docs/pictures/*.dot.

set -euo pipefail

top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=scripts/lib/all.sh
. "$top/scripts/lib/all.sh"
pictures=$top/docs/pictures

main() {
	(($# == 0)) || die "it takes nothing"
	cache_init
	run_dir_init
	root_find
	timelines
	diagrams
}

# Draws all timelines in one boot. Each has a title and the commands that it records.
# shellcheck disable=SC2016 # expanded by the guest's shell
timelines() {
	local names=() gets=() script=$run_dir/pictures.sh name
	echo 'set -e' >"$script"
	timeline tour "scripts/guest/tour.sh" 'sh /tour.sh'
	timeline immediate "echo immediate, five times" \
		'for i in 1 2 3 4 5; do echo immediate >/proc/workqueue_demo; done'
	timeline delayed "echo delayed 200; echo delayed 60000; echo cancel" \
		'cd /proc
		echo delayed 200 >workqueue_demo; usleep 300000
		echo delayed 60000 >workqueue_demo; usleep 100000; echo cancel >workqueue_demo'
	timeline custom "echo custom 6" 'echo custom 6 >/proc/workqueue_demo'
	timeline ordered "echo custom 3 ordered" 'echo custom 3 ordered >/proc/workqueue_demo'
	timeline data "echo data N, three times" \
		'for n in 1 2 3; do echo data $n >/proc/workqueue_demo; done'
	timeline periodic "echo start 100; echo stop" \
		'cd /proc
		echo start 100 >workqueue_demo; usleep 550000; echo stop >workqueue_demo'
	timeline echo "twelve messages, by wqtest echo" 'wqtest echo "message 1" "message 2" \
		"message 3" "message 4" "message 5" "message 6" "message 7" "message 8" \
		"message 9" "message 10" "message 11" "message 12"'
	for name in "${names[@]}"; do
		gets+=(--get "/run/$name.svg:$pictures/$name.svg")
	done
	"$top/scripts/qemu-run.sh" --add "$script:/pictures.sh" "${gets[@]}" \
		--add "$top/scripts/guest/tour.sh:/tour.sh" -- 'sh /pictures.sh' </dev/null
}

timeline() { # NAME TITLE COMMAND
	names+=("$1")
	printf 'wqtest timeline --svg /run/%s.svg --title %q -- sh -c %q\n' "$@" >>"$script"
}

diagrams() {
	local name entry
	entry=graphviz-$(key "$linux_suite" "$(declare -f graphviz_make)")
	step "getting graphviz" graphviz cached "$entry" graphviz_make
	for name in "$pictures"/*.dot; do
		dot "$cache/$entry" <"$name" | legible >"${name%.dot}.svg"
	done
}

graphviz_make() { # DIR
	local mirror
	mirror=$(debian_mirror)
	# shellcheck disable=SC2016 # expanded by the shell inside
	"${namespaces[@]}" sh -ec 'mount --bind "$0" /mnt; exec "$@"' "$1" \
		mmdebstrap --mode=root --variant=apt --include=graphviz,fonts-dejavu-core \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' "$linux_suite" /mnt \
		"deb ${mirror:-$(root_mirror)} $linux_suite main"
}

dot() { # ROOT
	"${namespaces[@]}" chroot "$1" dot -Tsvg -Gbgcolor=transparent -Gfontname=sans-serif \
		-Gfontsize=12 -Gcolor='#888888' -Gfontcolor='#010203' -Ncolor='#010203' \
		-Nfontname=sans-serif -Nfontsize=12 -Nfontcolor='#010203' -Nshape=box \
		-Nstyle=rounded -Ecolor='#010203' -Efontname=sans-serif -Efontsize=11 \
		-Efontcolor='#010203'
}

# Draws text and lines in currentColor, which stands out from a light or dark background. graphviz
# does not know that colour.
legible() {
	sed -E 's/#010203/currentColor/g; 0,/^<g /s//<style>svg { color: #1f2328 }\
@media (prefers-color-scheme: dark) { svg { color: #e6edf3 } }<\/style>\n&/'
}

main "$@"
