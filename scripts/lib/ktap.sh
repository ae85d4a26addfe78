# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# How results are printed, as KTAP version 1.

ktap_begin() { printf 'KTAP version 1\n1..%d\n' "$1"; } # COUNT

# ktap_result NUMBER NAME STATUS [MICROSECONDS]: prints what became of a test, and how long it
# took; of one that failed what is on stdin, which is what it has said
ktap_result() {
	local took=''
	[[ -z ${4:-} ]] || took=" # $(ktap_seconds "$4") s"
	if (($3 == 0)); then
		echo "ok $1 - $2$took"
	else
		awk '{ print "# " $0 }'
		echo "not ok $1 - $2$took"
	fi
}

ktap_seconds() { printf '%d.%03d' $(($1 / 1000000)) $(($1 / 1000 % 1000)); } # MICROSECONDS
