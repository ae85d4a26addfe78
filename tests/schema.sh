# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Compares the output of programs with docs/schemas/. Tests source scripts/lib/all.sh first.
# Debian's validator is downloaded on first use.
#
# shellcheck disable=SC2154 # set there

schema_validator_make() { debian_unpack "$1" python3-fastjsonschema; } # DIR

# conforms NAME: fails unless stdin is JSON, one object a line or an array of objects, and each
# conforms to docs/schemas/NAME.json
conforms() {
	local entry=schema-validator-$root_key
	cached "$entry" schema_validator_make
	in_root env PYTHONPATH="$cache/$entry/usr/lib/python3/dist-packages" \
		python3 -B "$top/tests/schema.py" "$top/docs/schemas/$1.json"
}
