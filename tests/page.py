#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Holds a document to what its commands do.

A block of commands and of what they print is fenced as `console`. A line before it
says which session it belongs to: `<!-- run in SESSION -->`. All blocks of a session
are run one behind the other, in one shell.

    page.py commands PAGE SESSION           prints the session as a shell script
    page.py compare PAGE SESSION <OUTPUT    fails if a line that the page shows was
                                            not printed by its command

Prompts are `# ` and `$ `; a line that begins with `> ` goes on with a command. A line
`[...]` stands for any number of lines. Numbers, addresses and blanks need not be the
same, nor need the length of a bar.
"""

import pathlib
import re
import sys

BLOCK = re.compile(r"^<!-- run in (\S+) -->\n+```console\n(.*?)^```$", re.M | re.S)
MARK = "@@ command"


def commands(page, session):
    """Returns each command with the output that the page shows."""
    found = []
    for block in BLOCK.finditer(pathlib.Path(page).read_text(encoding="utf-8")):
        if block[1] != session:
            continue
        for line in block[2].splitlines():
            if line[:2] in ("# ", "$ "):
                found.append((line[2:], []))
            elif line.startswith("> "):
                found[-1] = (f"{found[-1][0]}\n{line[2:]}", found[-1][1])
            elif line != "[...]":
                found[-1][1].append(line)
    if not found:
        sys.exit(f"{page}: no session {session}")
    return found


def alike(line):
    """Returns a line without what differs between runs."""
    line = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b", "N", line)
    line = re.sub(r"\d+", "N", line)
    line = re.sub(r"@+ *", "@", line)
    return re.sub(r"\s+", " ", line).strip()


def print_script(page, session):
    print("exec 2>&1")
    for number, (command, _) in enumerate(commands(page, session)):
        print(f"echo; echo '{MARK} {number}'")
        print(command)


def missing(page, session, output):
    printed = re.split(rf"^{MARK} \d+$", output.replace("\r", ""), flags=re.M)[1:]
    for number, (command, lines) in enumerate(commands(page, session)):
        if number >= len(printed):
            yield f"not run: {command}"
            continue
        rest = [alike(line) for line in printed[number].splitlines()]
        for line in lines:
            if alike(line) not in rest:
                yield f"{command}\n    does not print, or not there: {line}"
                break
            rest = rest[rest.index(alike(line)) + 1:]


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("commands", "compare"):
        sys.exit(__doc__)
    if arguments[0] == "commands":
        print_script(*arguments[1:])
        return 0
    output = sys.stdin.read()
    found = list(missing(*arguments[1:], output))
    for line in found:
        print(line)
    if found:
        print("What was printed:", output, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
