#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""schema.py SCHEMA: fails unless the objects on stdin conform to a JSON Schema, and says why.

stdin holds one object, an object a line, or an array of objects. A schema that accepts anything
proves nothing. So this also changes each object, one place at a time, and the schema must refuse
the result.
"""

import copy
import json
import pathlib
import sys

import fastjsonschema


def objects(text):
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        values = [json.loads(line) for line in text.splitlines() if line.strip()]
    return values if isinstance(values, list) else [values]


def places(value):
    """Yields each container in a value, with each of its keys or indices."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def changed(value, schema):
    """Yields changed copies: a member missing, one added, one of another type."""
    for name in schema["required"]:
        yield f"without {name}", {key: value[key] for key in value if key != name}
    yield "with one more", {**value, "no such member": {}}
    for number, (_, key) in enumerate(places(value)):
        other = copy.deepcopy(value)
        container, key = list(places(other))[number]
        container[key] = "?" if isinstance(container[key], (dict, list)) else {"?": "?"}
        yield f"{key}: {container[key]}", other


def main():
    schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
    validate = fastjsonschema.compile(schema)
    found = objects(sys.stdin.read())
    if not found:
        sys.exit("there is no object")
    for value in found:
        try:
            validate(value)
        except fastjsonschema.JsonSchemaException as error:
            sys.exit(f"{error}\n{json.dumps(value, indent=1)}")
        for how, other in changed(value, schema):
            try:
                validate(other)
            except fastjsonschema.JsonSchemaException:
                continue
            sys.exit(f"{sys.argv[1]} takes it too {how}:\n{json.dumps(other, indent=1)}")


main()
