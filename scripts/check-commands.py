#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""check-commands.py FILE...: lists the commands in these pages that no test runs.

A comment on its own line says what runs the commands in the following blocks:

    <!-- run by PATH: WORDS -->    PATH does, and contains WORDS, such as a test's name
    <!-- run in SESSION -->        tests/page.py plays the block and compares the output
    <!-- not run: REASON -->       nothing does

It holds for all blocks until the next such comment.
"""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
COMMAND = re.compile(
    r"(\$ |# (?!\d|kind |queue:)[a-z./]+ |(\w+=\S+ |export )*"
    r"(make |\w+=\S+$|scripts/|zoo/run\.sh|peers/run\.sh|tests/|\./tools/))"
)
RUN_BY = re.compile(r"<!-- run by (\S+): (.+) -->")
RUN_IN = re.compile(r"<!-- run in (\S+) -->")
# The test that plays each session of a page.
SESSIONS = {
    ("README.md", "tour"): "tests/guest.sh",
    ("docs/debugging.md", "debian"): "tests/debugging.sh",
    ("docs/debugging.md", "uml"): "tests/debugging.sh",
}
NOT_RUN = re.compile(r"<!-- not run: .+ -->")


def blocks(lines):
    """Yields each block of code, with the number of its first line and its comment."""
    mark, fence, block, begin = None, None, [], 0
    for number, line in enumerate([*lines, ""], 1):
        if fence is not None:
            if line.startswith("```"):
                yield begin, mark, fence, block
                fence, block = None, []
            else:
                block.append(line)
            continue
        if line.startswith("    ") or (block and not line and fence is None):
            if not block:
                begin = number
            block.append(line[4:])
            continue
        if block:
            yield begin, mark, "", block
            block = []
        if line.startswith("```"):
            fence, begin = line[3:].strip(), number + 1
        elif line.startswith("<!-- run ") or line.startswith("<!-- not run"):
            mark = line
    if block:
        yield begin, mark, "", block


def has_command(kind, block):
    if kind not in ("", "sh", "console"):
        return False
    return any(COMMAND.match(line) for line in block)


def trouble(page, mark):
    if mark is None:
        return "nothing says who runs it"
    if NOT_RUN.fullmatch(mark):
        return None
    session = RUN_IN.fullmatch(mark)
    if session:
        return None if (page, session[1]) in SESSIONS else f"nobody plays {session[1]}"
    by = RUN_BY.fullmatch(mark)
    if not by:
        return f"not understood: {mark}"
    path, words = TOP / by[1], by[2]
    if not path.is_file():
        return f"no such file: {by[1]}"
    return None if words in path.read_text() else f"{by[1]} has no {words}"


def main():
    bad = 0
    for name in sys.argv[1:]:
        for number, mark, kind, block in blocks(pathlib.Path(name).read_text().splitlines()):
            reason = has_command(kind, block) and trouble(name, mark)
            if reason:
                print(f"{name}:{number}: {reason}: {next(l for l in block if COMMAND.match(l))}")
                bad += 1
    return bad > 0


sys.exit(main())
