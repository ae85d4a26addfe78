# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Whether what a program prints is what docs/schemas/ says, for tests that have brought in
# scripts/lib/all.sh. The validator is Debian's, and is taken when it is first asked for.
#
# shellcheck disable=SC2154 # set there

schema_validator_make() { debian_unpack "$1" python3-fastjsonschema; } # DIR

# conforms NAME: fails unless stdin is JSON, an object a line or an array of them, and each is
# what docs/schemas/NAME.json says
conforms() {
	local entry=schema-validator-$root_key
	cached "$entry" schema_validator_make
	in_root env PYTHONPATH="$cache/$entry/usr/lib/python3/dist-packages" \
		python3 -B "$top/tests/schema.py" "$top/docs/schemas/$1.json"
}
