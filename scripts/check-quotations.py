#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks that what documents quote and name is still in the tree.

A quotation is a fenced block right after a line `<!-- from PATH -->`. It has to
stand in that file word for word, as whole lines.

The names in a paragraph behind `**In the kernel:**`, or another of the KINDS, are
those of tests: there has to be such a function, or such a file.

usage: check-quotations.py DOCUMENT...
"""

import pathlib
import re
import sys

KINDS = {
    "Refused by the compiler": ["tests/compile-fail/{}.rs"],
    "In the kernel": ["tests/abstractions/*.rs"],
    "Through the modules": ["user/src/cases/*.rs"],
    "Under fire": ["user/src/fire/*.rs"],
    "In the zoo": ["zoo/{}.rs", "zoo/{}.c"],
}
NAMED = re.compile(r"\*\*(%s):\*\*(.*?)(?=\*\*|\n\n|\Z)" % "|".join(KINDS), re.S)
NAME = re.compile(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`")
QUOTATION = re.compile(r"<!-- from (\S+) -->\n```\w*\n(.*?)^```$", re.M | re.S)


def is_test(name, patterns):
    for pattern in patterns:
        for path in pathlib.Path().glob(pattern.format(name)):
            if "{}" in pattern or f"fn {name}(" in path.read_text(encoding="utf-8"):
                return True
    return False


def wrong_names(document):
    text = document.read_text(encoding="utf-8")
    for paragraph in NAMED.finditer(text):
        kind, names = paragraph.groups()
        for name in NAME.findall(names):
            if not is_test(name, KINDS[kind]):
                yield text, paragraph, f"{kind}: there is no {name}"


def wrong_quotations(document):
    text = document.read_text(encoding="utf-8")
    for quotation in QUOTATION.finditer(text):
        path, quoted = quotation.groups()
        source = pathlib.Path(path)
        if not source.is_file():
            yield text, quotation, f"there is no {path}"
        elif "\n" + quoted not in "\n" + source.read_text(encoding="utf-8"):
            yield text, quotation, f"this is not in {path} any more"


def main(names):
    if not names:
        sys.exit(__doc__)
    wrong = 0
    for name in names:
        document = pathlib.Path(name)
        for text, found, why in [*wrong_quotations(document), *wrong_names(document)]:
            line = text.count("\n", 0, found.start()) + 1
            print(f"{name}:{line}: {why}", file=sys.stderr)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
