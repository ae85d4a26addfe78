# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Makes folders with a user's module from templates. The caller sets $top, $name (the module's) and
# $with (the wanted parts of the templates, each after a blank), and defines usage_error.

# shellcheck source=scripts/lib/abstractions.sh
. "$top/scripts/lib/abstractions.sh"

templates=$top/scripts/new-module

# The folder being made, until it is complete.
folder_made=''

is_one_of() { # WORD WORD...
	local word
	for word in "${@:2}"; do
		[[ $1 != "$word" ]] || return 0
	done
	return 1
}

# folder_check DIR: ends with a usage error if this tree cannot make such a folder there
folder_check() {
	local dir=$1
	[[ ! $dir =~ [[:cntrl:]] ]] || usage_error "DIR has a control character in it"
	[[ $dir/ != "$top"/* || $dir/ == "$top"/build/* ]] ||
		usage_error "$dir: that is in this tree, which would take it for a part of its own"
	if [[ -e $dir || -L $dir ]]; then
		[[ -d $dir && ! -L $dir ]] || usage_error "$dir: not a folder"
		[[ -z $(ls -A "$dir" 2>&1) ]] || usage_error "$dir: not empty"
	fi
	[[ -d ${dir%/*}/ ]] || usage_error "${dir%/*}: no such folder"
	folder_check_tree
}

# The folder's Makefile passes this tree's path to make and the shell.
folder_check_tree() {
	local ascii=${top//[$'\x80'-$'\xff']/}
	[[ ! $ascii =~ [^A-Za-z0-9/._+@:,\ ~-] ]] ||
		usage_error "$top: make does not take one of the signs in this path: rename it"
}

# folder_make DIR FUNCTION: makes DIR. FUNCTION fills the folder that it is given.
folder_make() {
	trap '[[ -z $folder_made ]] || rm -rf "$folder_made"' EXIT
	folder_made=$(mktemp -d "${1%/*}/.new-module.XXXXXX" 2>/dev/null) ||
		die "cannot write to ${1%/*}"
	"$2" "$folder_made"
	chmod "$(printf %o $((0777 & ~0$(umask))))" "$folder_made"
	# Replaces nothing or an empty folder, in one step.
	mv -T "$folder_made" "$1"
	folder_made=''
}

# folder_next DIR: prints the command to try next
folder_next() {
	if command -v make >/dev/null; then
		printf 'make -C %q run' "$1"
	else
		printf '%q run %q' "$top/scripts/module.sh" "$1"
	fi
}

# folder_common DIR: writes the files that every folder has
folder_common() {
	local text
	filled "$templates/gitignore" >"$1/.gitignore"
	text=$(filled "$templates/Makefile")
	printf '%s\n' "${text//@TREE@/"${top// /\\ }"}" >"$1/Makefile"
	text=$(<"$1/README.md")
	printf '%s\n' "${text//@TREE@/"$top"}" >"$1/README.md"
}

# filled FILE: prints the template with the module's name and the wanted parts. Comments mark a
# part: `with poll|params:` begins text for either option, `without poll:` the text in its place,
# `end` ends it.
filled() {
	awk -v wanted="$with" -v name="$name" '
		function one_is_wanted(list, options, count, i) {
			count = split(list, options, "|")
			for (i = 1; i <= count; i++)
				if (index(wanted " ", " " options[i] " "))
					return 1
			return 0
		}
		function camel(text, words, count, i, all) {
			count = split(text, words, "_")
			for (i = 1; i <= count; i++)
				all = all toupper(substr(words[i], 1, 1)) substr(words[i], 2)
			return all
		}
		BEGIN {
			depth = 0
			shown[0] = 1
			type = camel(name) "Module"
		}
		match($0, /^[ \t]*(\/\/|#|<!--) with(out)? [a-z|]+:( -->)?$/) {
			is = one_is_wanted($3 == "" ? "" : substr($3, 1, index($3, ":") - 1))
			shown[depth + 1] = shown[depth] && ($2 == "with" ? is : !is)
			depth++
			next
		}
		/^[ \t]*(\/\/|#|<!--) end( -->)?$/ { depth--; next }
		shown[depth] {
			gsub(/MyModule/, type)
			gsub(/my_module/, name)
			print
		}' "$1"
}

# abstractions_named SOURCE...: prints the abstractions that the sources name, one a line
abstractions_named() {
	sed -nE 's/.*abstractions::([a-z_]+)::.*/\1.rs/p' "$@" | sort -u
}

# folder_abstractions DIR: copies to DIR the abstractions named on stdin, one a line, and all they
# need
folder_abstractions() {
	local used files file
	mapfile -t used
	mapfile -t files < <(abstractions_needed "${used[@]}")
	mkdir "$1/abstractions"
	for file in "${files[@]}"; do
		cp -p "$top/abstractions/$file" "$1/abstractions"
	done
	{
		cat "$templates/abstractions.rs.in"
		printf '%s\n' "${files[@]}" | sed -n 's/^\(.*\)\.rs$/pub(crate) mod \1;/p'
	} >"$1/abstractions/mod.rs"
}
