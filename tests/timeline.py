#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""timeline.py FILE.svg CLAIM...: checks claims about the output of `wqtest timeline`.

FILE.json and FILE.pftrace are beside FILE.svg. Prints a line for the first false claim, and fails.
"""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
# The lines that scripts/guest/tour.sh writes to the demo's node.
TYPED = [
    "immediate", "custom 5", "data 42", "delayed", "start 100", "stop", "delayed 60000", "cancel",
]


class Recording:
    def __init__(self, picture):
        self.picture = ElementTree.parse(picture).getroot()
        self.data = json.loads(picture.with_suffix(".json").read_text())
        self.trace = picture.with_suffix(".pftrace").read_bytes()

    def runs(self, label):
        kinds = self.data["kinds"]
        return [run for run in self.data["runs"] if kinds[run["kind"]]["label"] == label]


def want(holds, words):
    if not holds:
        sys.exit(words)


def at_once(runs):
    """Returns how many of them ran at once, at most."""
    edges = [(run["start_us"], 1) for run in runs] + [(run["end_us"], -1) for run in runs]
    most = now = 0
    for _, step in sorted(edges):
        now += step
        most = max(most, now)
    return most


def four_run_and_the_fifth_waits(recording):
    runs = recording.runs("custom::Item")
    want(len(runs) == 5, f"{len(runs)} runs of custom")
    want(at_once(runs) == 4, f"{at_once(runs)} at once")
    fifth = max(runs, key=lambda run: run["start_us"])
    first = min(run["end_us"] for run in runs)
    want(fifth["start_us"] >= first, "the fifth did not wait for the end of another")
    want(fifth["queued_us"] < first, "the fifth was not queued meanwhile")
    want({run["queue"] for run in runs} == {"workqueue_demo"}, "of other queues")


def two_seconds_of_a_timer_are_seen(recording):
    (run,) = recording.runs("delayed::DelayedOnce")
    armed = run["queued_us"] - run["armed_us"]
    # C counts the delay from the last tick.
    want(armed > 1_900_000, f"armed for {armed} us")


def each_period_has_its_timer(recording):
    runs = recording.runs("periodic::CountedTick")
    want(len(runs) >= 5, f"{len(runs)} runs of periodic")
    want(all(run["armed_us"] is not None for run in runs), "one without a timer")


def what_is_cancelled_is_seen(recording):
    kinds = recording.data["kinds"]
    cancelled = [
        kinds[idle["kind"]]["label"]
        for idle in recording.data["idle"]
        if idle["cancelled_us"] is not None
    ]
    want("delayed::DelayedOnce" in cancelled, f"cancelled: {cancelled}")


def workers_carry_the_messages(recording):
    runs = recording.runs("echo::Echo")
    want(1 <= len(runs) <= 12, f"{len(runs)} runs for 12 messages")
    workers = recording.data["workers"]
    names = {workers[run["worker"]]["name"] for run in runs}
    want(all(name.startswith("kworker/") for name in names), f"run by {names}")


def what_was_typed_is_marked(recording):
    marks = [mark for mark in recording.data["marks"] if mark["kind"] == "write"]
    demo = [mark["text"] for mark in marks if mark["file"] == "workqueue_demo"]
    want(demo == TYPED, f"typed: {demo}")
    echo = [mark["text"] for mark in marks if mark["file"] == "wq_echo"]
    want(echo == [f"message {n}" for n in range(1, 13)], f"typed: {echo}")


def it_says_why_nothing_typed_is_marked(recording):
    notes = recording.data["notes"]
    want(any("probes" in note for note in notes), f"notes: {notes}")


def each_bar_has_its_numbers(recording):
    titles = [title.text for title in recording.picture.iter(f"{SVG}title")]
    ran = [title for title in titles if "\nran " in title]
    # Bars for the run, its wait and its timer.
    bars = sum(
        1 + (run["queued_us"] is not None) + (run["armed_us"] is not None)
        for run in recording.data["runs"]
    )
    want(len(ran) == bars, f"{len(ran)} titles for {bars} bars")


def perfetto_has_each_run(recording):
    # The trace names each run, apart from its queueing.
    for kind, function in enumerate(recording.data["kinds"]):
        runs = [run for run in recording.data["runs"] if run["kind"] == kind]
        label = function["label"].encode()
        found = recording.trace.count(bytes([23 << 3 & 0x7F | 2 | 0x80, 1, len(label)]) + label)
        want(found == len(runs), f"{found} times {label} for {len(runs)} runs")


def a_foreign_queue_is_shown(recording):
    queues = {run["queue"] for run in recording.data["runs"]}
    want(queues == {"events"}, f"queues: {queues}")
    modules = {function["module"] for function in recording.data["kinds"]}
    want(None in modules, f"functions of {modules} only")


def names_outlive_their_module(recording):
    labels = [function["label"] for function in recording.data["kinds"]]
    want(labels == ["echo::Echo"], f"kinds: {labels}")
    texts = [mark["text"] for mark in recording.data["marks"] if mark["kind"] == "module"]
    want(texts == ["insmod wq_echo", "rmmod wq_echo"], f"modules: {texts}")


def main():
    recording = Recording(Path(sys.argv[1]))
    for claim in sys.argv[2:]:
        globals()[claim](recording)


main()
