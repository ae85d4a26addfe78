#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes wrong answers of the solutions of the lab's steps.

A file of this folder is about one step. It has answers, each of which begins with a line

    # NAME fails CASE

and goes on with edits of the solution: what stands there, and what the answer has instead.

    <<<<
    what stands there, once, as whole lines
    ====
    instead
    >>>>

usage: answer.py FILE             prints NAME and CASE of each answer
       answer.py FILE NAME        makes that answer of the solution on stdin
"""

import pathlib
import re
import sys

ANSWER = re.compile(r"^# (\w+) fails (\w+)\n(.*?)(?=^# \w+ fails |\Z)", re.M | re.S)
EDIT = re.compile(r"^<<<<\n(.*?)^====\n(.*?)^>>>>$", re.M | re.S)


def edited(text, edits, name):
    for old, new in EDIT.findall(edits):
        if ("\n" + text).count("\n" + old) != 1:
            sys.exit(f"{name}: this is not in the solution, once:\n{old}")
        text = ("\n" + text).replace("\n" + old, "\n" + new)[1:]
    return text


def main(arguments):
    if len(arguments) not in (1, 2):
        sys.exit(__doc__)
    answers = {name: (case, edits) for name, case, edits in
               ANSWER.findall(pathlib.Path(arguments[0]).read_text(encoding="utf-8"))}
    if len(arguments) == 1:
        for name, (case, _) in answers.items():
            print(name, case)
    else:
        name = arguments[1]
        sys.stdout.write(edited(sys.stdin.read(), answers[name][1], name))


if __name__ == "__main__":
    main(sys.argv[1:])
