#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes a table, a file of figures and charts from the output of `wqtest bench`.

Reads RESULTS/KERNEL.BOOT.jsonl, a line of JSON for each figure. Prints the table.
bench.sh calls this.

usage: bench-report.py RESULTS JSON CHART GROWTH
"""

import html
import json
import math
import pathlib
import sys

KERNELS = ["plain", "debian", "kasan", "rt", "uml"]
LESS, MORE = "at most", "at least"


class Line:
    """A line of the table: a figure and its goal.

    `goal` is an absolute figure for Rust, on the plain kernel or by kernel in a dict.
    `ratio` is a goal for Rust divided by C. `c` has the fields in which C's figure
    differs from Rust's.

    >>> line = Line("", "x", way="boxed", c={"way": "krealloc"})
    >>> figures = [("rust", "boxed"), ("c", "krealloc"), ("c", "boxed"), ("rust", "krealloc")]
    >>> [line.matches({"row": "x", "of": of, "way": way}) for of, way in figures]
    [True, True, False, False]
    """

    def __init__(self, title, row, goal=None, ratio=None, sense=LESS, c=(), **fields):
        self.title, self.row, self.sense, self.fields = title, row, sense, fields
        self.goal, self.ratio, self.c = goal, ratio, dict(c)

    def matches(self, figure):
        wanted = {**self.fields, **(self.c if figure["of"] == "c" else {})}
        return figure["row"] == self.row and all(
            figure.get(name) == value for name, value in wanted.items())


def echo_lines():
    goals = {(15, 1, True): 800, (15, 8, True): 800, (15, 1, False): 3800,
             (255, 1, True): 1000}
    for quiet in (True, False):
        how = "quiet" if quiet else "printing"
        for size in (1, 15, 255):
            for writers in (1, 8):
                who = "1 writer" if writers == 1 else f"{writers} writers"
                yield Line(f"end to end, {size} B, {who}, {how}", "end_to_end",
                           goals.get((size, writers, quiet)), bytes=size,
                           writers=writers, quiet=quiet)
    for size in (1, 15, 255):
        yield Line(f"write() in a burst, {size} B", "write_burst", 640 if size == 15 else None,
                   bytes=size, quiet=True)
    for size in (1, 15, 255):
        yield Line(f"write() of a lone message, {size} B", "write_lone", bytes=size, quiet=True)


def way_lines(what, row):
    for way in ("arc", "handle", "boxed", "closure", "delayed"):
        yield Line(f"{what}: {way}", row, ratio=1.05, way=way)
        if way in ("boxed", "closure"):
            yield Line(f"{what}: {way}, C by krealloc()", row, ratio=1.05, way=way,
                       c={"way": "krealloc"})


LINES = [
    *echo_lines(),
    *[line
      for cpus, who in ((1, "1 CPU"), (2, "2 CPUs"))
      for line in (
          Line(f"end to end, burst of 1,000 x 15 B, {who}", "burst",
               900 if cpus == 1 else None, cpus=cpus),
          Line(f"last write of it until all are counted, {who}, median", "tail_median",
               50000, cpus=cpus),
          Line(f"last write of it until all are counted, {who}, worst", "tail_worst",
               cpus=cpus))],
    *[Line(f"write() to handler start, idle, {name}", f"latency_idle_{key}",
           ratio=1.0 if key == "median" else None)
      for key, name in (("median", "median"), ("p99", "99 %"), ("worst", "worst"))],
    *[Line(f"write() to its line in the log, flood, {name}", f"latency_flood_{key}")
      for key, name in (("median", "median"), ("p99", "99 %"), ("worst", "worst"))],
    *[Line(f"ticks in 5 s, every {ms} ms", "ticks_in_5_s", goal=5000 // ms - 1, sense=MORE,
           period_ms=ms)
      for ms in (10, 11, 100)],
    *[Line(f"delayed 1, write() to handler start, {key}", f"delayed_1_ms_{key}",
           ratio=ratio)
      for key, ratio in (("least", 1.01), ("median", None), ("worst", 1.01))],
    Line("slab for each pending 15 B message", "slab_per_pending", 16),
    Line("all memory for each pending 15 B message", "memory_per_pending"),
    *way_lines("queue, run, free", "queue_run_free"),
    Line("queue, run, free: periodic", "queue_run_free", ratio=1.05, way="periodic"),
    *way_lines("queue to start", "queue_to_start"),
    *[Line(f"4 CPUs, 4 writers, {bound} bound", "throughput", ratio=ratio, sense=MORE,
           bound=bound)
      for bound, ratio in (("default", 1.6), ("distant", 1.5))],
    *[Line(f"{module}.ko, text and data", "size", ratio=1.5, module=module)
      for module in ("echo", "demo")],
    *[Line(f"{what} {module}.ko", what, module=module)
      for module in ("echo", "demo") for what in ("load", "unload")],
    Line("boot to shell", "boot_to_shell", {"plain": 1, "debian": 3}),
    Line("set-up from nothing, to the end of the demo", "setup_cold", {"debian": 150}),
    Line("warm run, to the end of the demo", "setup_warm", {"debian": 8}),
]


def figures_in(folder):
    """Returns all figures, each with its kernel."""
    figures = []
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        for line in path.read_text().splitlines():
            figures.append({"kernel": path.name.split(".")[0], **json.loads(line)})
    return figures


def find(figures, line, kernel, of):
    for figure in figures:
        if figure["kernel"] == kernel and figure["of"] in of and line.matches(figure):
            return figure
    return None


def short(value):
    """
    >>> [short(value) for value in (4333.04, 100.06, 99.46, 2.349, 0.5, 34033175.0)]
    ['4,333', '100', '99.5', '2.35', '0.50', '34,033,175']
    """
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def reached(value, goal, sense):
    """
    >>> [reached(1.0, 1.0, LESS), reached(1.004, 1.0, LESS), reached(1.4, 1.5, MORE)]
    [True, False, False]
    """
    return value <= goal if sense == LESS else value >= goal


def verdict(line, kernel, rust, ratio):
    """Returns the goal and whether it is reached, or nothing without a goal.

    >>> verdict(Line("", "x", goal=64), "plain", 15.7, 0.03)
    'at most 64: yes'
    >>> verdict(Line("", "x", goal=64), "debian", 15.7, 0.03)
    ''
    >>> verdict(Line("", "x", ratio=1.5, sense=MORE), "debian", 10, 1.2)
    'ratio at least 1.50: no'
    >>> verdict(Line("", "x"), "plain", 10, 1.2)
    ''
    """
    goals = line.goal if isinstance(line.goal, dict) else {"plain": line.goal}
    goal = goals.get(kernel)
    if goal is not None:
        said, is_reached = f"{line.sense} {goal:,}", reached(rust, goal, line.sense)
    elif line.ratio is not None and ratio is not None:
        is_reached = reached(ratio, line.ratio, line.sense)
        said = f"ratio {line.sense} {line.ratio:.2f}"
    else:
        return ""
    return f"{said}: {'yes' if is_reached else 'no'}"


def table(figures, kernel):
    """Yields lines of cells, without what was not measured."""
    for line in LINES:
        rust, c = (find(figures, line, kernel, of) for of in (("rust", "all"), ("c",)))
        if rust is None:
            continue
        ratio = rust["value"] / c["value"] if c else None
        yield [line.title, rust["unit"], short(rust["value"]),
               short(c["value"]) if c else "", f"{ratio:.2f}" if c else "",
               verdict(line, kernel, rust["value"], ratio)]


def floor_table(figures, kernel):
    for row, title in (("end_to_end", "write() in a loop"), ("write_burst", "write() in a burst")):
        for of in ("null", "kmsg"):
            line = [find(figures, Line("", row, bytes=size), kernel, (of,))
                    for size in (1, 15, 255)]
            if all(line):
                yield [f"/dev/{of}, {title}", *[short(figure["value"]) for figure in line]]


def print_table(header, lines):
    """Prints Markdown: a column of words, then columns that are mostly numbers."""
    lines = list(lines)
    if not lines:
        return
    widths = [max(len(cells[i]) for cells in [header, *lines]) for i in range(len(header))]
    rule = ["-" * widths[0], *["-" * (width - 1) + ":" for width in widths[1:]]]
    for cells in [header, rule, *lines]:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        print("| " + " | ".join([first, *rest]) + " |")
    print()


def bars(figures):
    """Yields the cost of Rust where C's is 1, for the chart. Less is better.

    >>> plain = {"kernel": "plain", "row": "throughput", "bound": "default",
    ...          "unit": "messages/s"}
    >>> list(bars([{**plain, "of": "rust", "value": 30}, {**plain, "of": "c", "value": 60}]))
    [('4 CPUs, 4 writers, default bound (inverse)', {'plain': 2.0})]
    """
    for line in LINES:
        ratios = {}
        for kernel in KERNELS:
            rust, c = (find(figures, line, kernel, (of,)) for of in ("rust", "c"))
            if rust and c:
                ratio = rust["value"] / c["value"]
                ratios[kernel] = 1 / ratio if line.sense == MORE else ratio
        if ratios:
            yield line.title + (" (inverse)" if line.sense == MORE else ""), ratios


COLOURS = {"plain": "#3b6ea5", "debian": "#a53b5e", "kasan": "#5ea53b", "rt": "#a5883b",
           "uml": "#6b3ba5"}


def chart(figures):
    """Draws a bar for each figure and kernel, cut off at 3, and a line at C's 1."""
    label, unit, height, top, most = 330, 150, 13, 40, 3.0
    out, y = [], top
    for title, ratios in bars(figures):
        middle = y + height * len(ratios) / 2 + 4
        out.append(f'<text x="{label - 8}" y="{middle}" text-anchor="end">'
                   f'{html.escape(title)}</text>')
        for kernel, ratio in ratios.items():
            width = min(ratio, most) * unit
            out.append(f'<rect x="{label}" y="{y}" width="{width:.0f}" height="{height - 2}" '
                       f'fill="{COLOURS[kernel]}"/>')
            out.append(f'<text x="{label + width + 4:.0f}" y="{y + height - 3}">{ratio:.2f}</text>')
            y += height
        y += 6
    kernels = [kernel for kernel in KERNELS if any(f["kernel"] == kernel for f in figures)]
    keys = [f'<text x="{label + i * 80}" y="20" fill="{COLOURS[kernel]}">{kernel}</text>'
            for i, kernel in enumerate(kernels)]
    one = label + unit
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{label + unit * 3 + 60}" '
        f'height="{y + 10}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{label - 8}" y="20" text-anchor="end">Rust where C is 1, less is better:</text>',
        *keys, *out,
        f'<line x1="{one}" y1="{top - 8}" x2="{one}" y2="{y}" stroke="black"/>',
        "</svg>", ""])


def grown(figures, kernel):
    """Returns how cost grows, for each series of a kernel and language: pairs of x and ns."""
    lines = {}
    for figure in figures:
        if figure["row"] == "growth" and figure["kernel"] == kernel:
            line = lines.setdefault((figure["series"], figure["of"]), [])
            line.append((figure["x"], figure["value"]))
    return {key: sorted(line) for key, line in lines.items()}


def growth_table(figures, kernel):
    """Yields both ends of each line and its slope: 0 if the cost is constant, 1 if it is
    proportional to x.

    >>> growth = [{"kernel": "uml", "row": "growth", "of": "c", "series": "cores", "x": x,
    ...            "value": value} for x, value in ((4, 400), (1, 100))]
    >>> list(growth_table(growth, "uml"))
    [['cores', 'C', '1', '100', '4', '400', '1.00']]
    """
    for (series, of), line in grown(figures, kernel).items():
        (first, before), (last, after) = line[0], line[-1]
        steep = math.log(after / before) / math.log(last / first) if last > first else 0
        yield [series, of.capitalize(), f"{first:,}", short(before), f"{last:,}", short(after),
               f"{steep:.2f}"]


GROWTH_COLOURS = ["#3b6ea5", "#a53b5e", "#3b8f5e", "#a5883b", "#6b3ba5", "#c2611f", "#2f8f9d",
                  "#777777", "#8f3b9d"]


def growth_chart(figures):
    """Draws the lines of all kernels, on logarithmic scales. Level is good. Rust is solid."""
    lines = {key: line for kernel in KERNELS for key, line in grown(figures, kernel).items()}
    if not lines:
        return None
    left, top, width, height, key_width = 90, 20, 480, 360, 240
    points = [point for line in lines.values() for point in line]
    decades_x = math.ceil(math.log10(max(x for x, _ in points)))
    lowest = math.floor(math.log10(min(y for _, y in points)))
    decades_y = math.ceil(math.log10(max(y for _, y in points))) - lowest

    def at(x, y):
        return (left + width * math.log10(x) / decades_x,
                top + height * (1 - (math.log10(y) - lowest) / decades_y))

    out = []
    for decade in range(decades_x + 1):
        x, _ = at(10 ** decade, 10 ** lowest)
        out.append(f'<line x1="{x:.0f}" y1="{top}" x2="{x:.0f}" y2="{top + height}" '
                   f'stroke="#ddd"/><text x="{x:.0f}" y="{top + height + 16}" '
                   f'text-anchor="middle">{10 ** decade:,}</text>')
    for decade in range(decades_y + 1):
        _, y = at(1, 10 ** (lowest + decade))
        out.append(f'<line x1="{left}" y1="{y:.0f}" x2="{left + width}" y2="{y:.0f}" '
                   f'stroke="#ddd"/><text x="{left - 6}" y="{y + 4:.0f}" '
                   f'text-anchor="end">{10 ** (lowest + decade):,} ns</text>')
    names = list(dict.fromkeys(series for series, _ in lines))
    for (series, of), line in lines.items():
        colour = GROWTH_COLOURS[names.index(series) % len(GROWTH_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in line))
        dashes = "" if of == "rust" else ' stroke-dasharray="5 4"'
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
                   f'{dashes}><title>{html.escape(series)}, {of}</title></polyline>')
    for number, series in enumerate(names):
        y = top + 12 + number * 18
        out.append(f'<text x="{left + width + 16}" y="{y}" '
                   f'fill="{GROWTH_COLOURS[number % len(GROWTH_COLOURS)]}">'
                   f'{html.escape(series)}</text>')
    y = top + 24 + len(names) * 18
    out.append(f'<text x="{left + width + 16}" y="{y}">solid: Rust, dashed: C</text>')
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + key_width}" '
        f'height="{top + height + 30}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>', *out, "</svg>", ""])


def main():
    folder, json_path, chart_path, growth_path = sys.argv[1:]
    figures = figures_in(folder)
    pathlib.Path(json_path).write_text(json.dumps(figures, indent=1) + "\n")
    pathlib.Path(chart_path).write_text(chart(figures))
    if growth := growth_chart(figures):
        pathlib.Path(growth_path).write_text(growth)
    for kernel in KERNELS:
        if any(figure["kernel"] == kernel for figure in figures):
            print(f"The {kernel} kernel:\n")
        print_table(["figure", "unit", "Rust", "C", "ratio", "goal"], table(figures, kernel))
        print_table(["instructions", "1 B", "15 B", "255 B"], floor_table(figures, kernel))
        print_table(["grows with", "of", "from", "ns", "to", "ns", "steepness"],
                    growth_table(figures, kernel))


if __name__ == "__main__":
    main()
