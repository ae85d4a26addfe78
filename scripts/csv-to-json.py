#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""csv-to-json.py [NUMBER...]: prints CSV from stdin as a JSON array of objects.

The first line names the members. Those named NUMBER are numbers.
"""

import csv
import json
import sys

rows = list(csv.DictReader(sys.stdin))
for row in rows:
    row.update({name: int(row[name]) for name in sys.argv[1:]})
json.dump(rows, sys.stdout, indent=1, ensure_ascii=False)
print()
