#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks that the code which documents quote is still in the tree.

A quotation is a fenced block right after a line `<!-- from PATH -->`. It has to
stand in that file word for word, as whole lines.

usage: check-quotations.py DOCUMENT...
"""

import pathlib
import re
import sys

QUOTATION = re.compile(r"<!-- from (\S+) -->\n```\w*\n(.*?)^```$", re.M | re.S)


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
        for text, quotation, why in wrong_quotations(pathlib.Path(name)):
            line = text.count("\n", 0, quotation.start()) + 1
            print(f"{name}:{line}: {why}", file=sys.stderr)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
