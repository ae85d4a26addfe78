#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks that misuse of the abstractions does not compile.

Each file of tests/compile-fail compiles as it is. With `--cfg misuse` it gets
the errors that its comments name, and no others:

    queue.drain(); //~ E0599 no method named `drain`

`//~^` means the line above, `//~?` that the error is in another file. Prints KTAP.

usage: compile-fail.py OBJECT_DIR MAKE_ARG...
"""

import os
import pathlib
import re
import subprocess
import sys

CASES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "compile-fail"
EXPECTED = re.compile(r"//~(\^*|\?) (E\d+) (.*)$")
ERROR = re.compile(r"^error(?:\[(E\d+)\])?: (.*)\n( +--> .*\n(?:.*\n)*?)(?=error|$|make)", re.M)


def build(objects, make, goal, misuse):
    """Returns make's status and the compiler's output."""
    objects.mkdir(parents=True, exist_ok=True)
    command = ["make", *make, f"M={CASES}", f"MO={objects}", "-k", goal]
    flags = "--cfg misuse" if misuse else ""
    done = subprocess.run(command, env={**os.environ, "KRUSTFLAGS": flags}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def expected_errors(case):
    for number, line in enumerate(case.read_text(encoding="utf-8").splitlines(), 1):
        if found := EXPECTED.search(line):
            where, code, text = found.groups()
            yield 0 if where == "?" else number - len(where), code, text


def actual_errors(case, output):
    # The first line of the case in the error's places: it may be in a macro used there.
    # An error in another file, or unrelated to the case, is at line 0.
    place = re.compile(rf"(?:-->|:::) .*/{re.escape(case.name)}:(\d+):")
    for code, text, where in ERROR.findall(output):
        found = place.search(where)
        yield int(found[1]) if found else 0, code, text


def complaints(case, output):
    expected, actual = list(expected_errors(case)), list(actual_errors(case, output))
    if not expected:
        yield f"{case.name} names no error"
    for line, code, text in expected:
        if not any(a[:2] == (line, code) and text in a[2] for a in actual):
            yield f"{case.name}:{line}: expected {code} {text}"
    for line, code, text in actual:
        if not any(e[:2] == (line, code) for e in expected):
            yield f"{case.name}:{line}: not expected: {code} {text}"


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    objects, make = pathlib.Path(arguments[0]).resolve(), arguments[1:]
    cases = sorted(CASES.glob("*.rs"))
    print(f"KTAP version 1\n1..{len(cases)}")
    failed = 0
    for number, case in enumerate(cases, 1):
        goal = f"{case.stem}.o"
        status, output = build(objects / "good", make, goal, misuse=False)
        found = [] if status == 0 else ["does not compile without the misuse"]
        if not found:
            output = build(objects / "misuse", make, goal, misuse=True)[1]
            found = list(complaints(case, output))
        print(f"{'not ok' if found else 'ok'} {number} {case.stem}")
        for line in [*found, *output.splitlines()] if found else []:
            print(f"# {line}")
        failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
