# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which abstraction needs which, by the table in docs/design.md and by the sources. scripts/check.sh
# compares the two. scripts/new-module.sh uses the table.

# abstractions_rows: prints the table, a line for each row: "FILE...|NEEDED...|1". The 1 says that
# each NEEDED brings what it needs itself.
abstractions_rows() {
	awk -F'|' '
		function names(cell, found) {
			found = ""
			while (match(cell, /`[^`]+`/)) {
				found = found " " substr(cell, RSTART + 1, RLENGTH - 2)
				cell = substr(cell, RSTART + RLENGTH)
			}
			return substr(found, 2)
		}
		/^\| file \| C \| needs \| offers \|$/ { in_table = 1; next }
		in_table && !/^\|/ { exit }
		in_table && /`/ {
			print names($2) "|" names($4) "|" ($4 ~ /and what that needs/)
		}' "$top/docs/design.md"
}

# abstractions_needed FILE...: prints the files and all they need by the table, one a line. Fails if
# the table lacks one.
abstractions_needed() {
	abstractions_rows | awk -F'|' -v wanted="$*" \
		-v missing="not in the table of docs/design.md" '
		{
			split($1, names, " ")
			for (i in names)
				row[names[i]] = NR
			files[NR] = $1
			needs[NR] = $2
			deep[NR] = $3
		}
		function take(list, deeply, names, count, i, j) {
			count = split(list, names, " ")
			for (i = 1; i <= count; i++) {
				j = row[names[i]]
				if (!j) {
					print names[i] ": " missing >"/dev/stderr"
					exit 1
				}
				if (j in taken && !(deeply && taken[j] == 1))
					continue
				taken[j] = deeply ? 2 : 1
				if (deeply)
					take(needs[j], deep[j])
			}
		}
		END {
			take(wanted, 1)
			for (j in taken)
				print files[j]
		}' | tr ' ' '\n' | sort
}

# abstractions_used FILE: prints the modules beside it that its code names after `super::` or
# `crate::abstractions::`, one a line
abstractions_used() {
	sed -E 's|//.*||' "$top/abstractions/$1" | tr -s ' \t\n' ' ' | awk '
		# The names that a group of paths, with its outer brace taken off, begins with.
		function group(text, at, depth, name, letter) {
			depth = 0
			name = ""
			for (at = 1; at <= length(text); at++) {
				letter = substr(text, at, 1)
				if (letter == "{")
					depth++
				else if (letter == "}" && --depth < 0)
					break
				if (!depth && letter ~ /[a-z_0-9]/)
					name = name letter
				else if (!depth && letter == ":" && name) {
					print name
					name = "-"
				} else if (letter == "," && !depth) {
					print name
					name = ""
				}
			}
			print name
		}
		{
			while (match($0, /(super|crate::abstractions)::[a-z_0-9{]/)) {
				text = substr($0, RSTART)
				sub(/^(super|crate::abstractions)::/, "", text)
				$0 = substr($0, RSTART + RLENGTH - 1)
				if (text ~ /^\{/)
					group(substr(text, 2))
				else if (match(text, /^[a-z_0-9]+/))
					print substr(text, 1, RLENGTH)
			}
		}' | sort -u | while IFS= read -r name; do
		[[ ! -e $top/abstractions/$name.rs ]] || echo "$name.rs"
	done
}

# abstractions_reached FILE: prints all it uses, directly or indirectly, by the sources
abstractions_reached() {
	local -A reached=()
	local todo=("$1") file
	while ((${#todo[@]})); do
		file=${todo[0]}
		todo=("${todo[@]:1}")
		[[ -z ${reached[$file]:-} ]] || continue
		reached[$file]=1
		mapfile -t -O "${#todo[@]}" todo < <(abstractions_used "$file")
	done
	printf '%s\n' "${!reached[@]}" | sort
}

# abstractions_check: fails unless the table lists each file with exactly what it uses
abstractions_check() {
	local status=0 file by_table by_source
	diff <(cd "$top/abstractions" && printf '%s\n' *) \
		<(abstractions_rows | cut -d '|' -f 1 | tr ' ' '\n' | sort) || {
		echo "these are the files of abstractions/ (<) and of docs/design.md (>)"
		status=1
	}
	for file in "$top"/abstractions/*.rs; do
		file=${file##*/}
		by_table=$(abstractions_needed "$file" | grep '\.rs$') || return
		by_source=$(abstractions_reached "$file")
		[[ $by_table != "$by_source" ]] || continue
		echo "$file: docs/design.md says that it takes $(xargs <<<"$by_table")"
		echo "$file: the sources say $(xargs <<<"$by_source")"
		status=1
	done
	return "$status"
}
