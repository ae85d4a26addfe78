#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes a file of JUnit XML from KTAP files, a test suite of each.

usage: junit.py XML KTAP...

The parser of the kernel's kunit.py reads the KTAP. Its folder is in PYTHONPATH. We write the XML
ourselves, because the parser's `--junit` omits reasons, durations and tests that did not run, and
writes characters that XML forbids. NAME.status may hold the exit status of the run that printed
NAME.ktap. A run that failed without a failed test is an error, and so are planned tests that did
not run.
"""

import io
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

import kunit_parser
from kunit_parser import TestStatus
from kunit_printer import Printer

# XML 1.0 allows no other control characters, and no single surrogates.
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
RESULT = re.compile(r"\s*(?:not )?ok [0-9]+\b(?: ?-? ?[^#]*? # (.*))?")
SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?) s")
SKIPPED = re.compile(r"1\.\.0 # SKIP ?(.*)")
ERROR = re.compile(r"\[ERROR\] Test: (?:main|): (.*)")
KINDS = ("failure", "error", "skipped")


def in_xml(text):
    r"""Escapes the characters that XML forbids.

    >>> in_xml("a\x1b[31m\tb\ufffe\x00中")
    'a\\x1b[31m\tb\\ufffe\\x00中'
    """
    return NOT_IN_XML.sub(lambda found: ascii(found[0])[1:-1], text)


def remark(line):
    """Returns what follows the name in a result line.

    >>> remark("not ok 3 a # left is right # twice")
    'left is right # twice'
    >>> remark("    ok 4 - a_b # 0.31 s"), remark("ok 5 a"), remark("ok 6")
    ('0.31 s', '', '')
    """
    return RESULT.match(line)[1] or ""


def keep_remarks():
    """Makes the parser keep all remarks. By itself it keeps only reasons for skipping."""
    parse = kunit_parser.parse_test_result

    def parse_and_keep(lines, test, number, printer):
        line = lines.peek()
        parsed = parse(lines, test, number, printer)
        if parsed:
            test.remark = remark(line)
        return parsed

    kunit_parser.parse_test_result = parse_and_keep


def cases(test, above=()):
    """Yields the tests below one, each with the names of its parents.

    A parent that reports a failure, though no test below it does, is a test too.
    """
    for below in test.subtests:
        path = (*above, below.name)
        inner = list(cases(below, path))
        yield from inner
        if not inner or (not below.ok_status() and all(case.ok_status() for _, case in inner)):
            yield above, below


def said(test):
    """Returns the lines that a test has printed, without diagnostic marks."""
    return [re.sub(r"^\s*# ?", "", line) for line in test.log]


def seconds(test, lines):
    """Returns the duration that a test reports, on its result line or a separate one."""
    for text in (test.remark, *(line.removeprefix(f"{test.name} took ") for line in lines)):
        if found := SECONDS.fullmatch(text):
            return found[1]
    return None


def add_case(suite, above, test):
    test.remark = getattr(test, "remark", "")
    lines = said(test)
    case = ET.SubElement(suite, "testcase", classname=".".join((suite.get("name"), *above)),
                         name=test.name)
    if took := seconds(test, lines):
        case.set("time", took)
    reason = "" if SECONDS.fullmatch(test.remark) else test.remark
    if test.status == TestStatus.SKIPPED:
        ET.SubElement(case, "skipped", message=test.skip_reason)
    elif test.status == TestStatus.FAILURE:
        lines += [reason] if reason else []
        # Shell tests print last what was wrong.
        message = lines[-1] if lines else "no reason given"
        ET.SubElement(case, "failure", message=message).text = "\n".join(lines)
        return
    elif test.status != TestStatus.SUCCESS:
        ET.SubElement(case, "error", message="it has come to no result").text = "\n".join(lines)
        return
    if lines:
        ET.SubElement(case, "system-out").text = "\n".join(lines)


def add_error(suite, message, text=""):
    """Adds an error of the whole run."""
    case = ET.SubElement(suite, "testcase", classname=suite.get("name"), name="the run")
    ET.SubElement(case, "error", message=message).text = text or message


def read(path):
    text = path.read_bytes().decode(errors="backslashreplace").replace("\r", "")
    return in_xml(text).split("\n")


def suite_of(path):
    suite = ET.Element("testsuite", name=path.name.removesuffix(".ktap"))
    lines = read(path)
    skipped = next(filter(None, map(SKIPPED.fullmatch, lines)), None)
    if skipped:
        case = ET.SubElement(suite, "testcase", classname=suite.get("name"), name="the run")
        ET.SubElement(case, "skipped", message=skipped[1])
    else:
        add_tests(suite, lines)
    status = path.with_suffix(".status")
    if status.exists() and (code := status.read_text().strip()) != "0":
        if suite.find(".//failure") is None and suite.find(".//error") is None:
            add_error(suite, f"it ended with status {code}, though no test failed")
    return suite


def add_tests(suite, lines):
    said_of_it = io.StringIO()
    run = kunit_parser.parse_run_tests(lines, Printer(output=said_of_it))
    if run.status == TestStatus.FAILURE_TO_PARSE_TESTS:
        add_error(suite, "no KTAP was printed", "\n".join(lines))
        return
    missing, rest = 0, []
    for above, test in cases(run):
        if test.name:
            add_case(suite, above, test)
        else:
            # A planned test that did not run, with any output after the last result.
            missing += 1
            rest += said(test)
    if missing:
        add_error(suite, f"{missing} of the tests that were planned did not run",
                  "\n".join(rest).strip())
    results = sum(1 for line in lines if re.match(r"(not )?ok [0-9]", line))
    if run.expected_count is not None and results > run.expected_count:
        add_error(suite, f"{results} results where {run.expected_count} were planned")
    for error in ERROR.findall(said_of_it.getvalue()):
        if error != "missing expected subtest!":
            add_error(suite, error)


def count(element):
    """Adds the counts and the duration of a suite, or of all."""
    element.set("tests", str(len(list(element.iter("testcase")))))
    for kind, name in zip(KINDS, ("failures", "errors", "skipped")):
        element.set(name, str(len(list(element.iter(kind)))))
    times = [float(case.get("time")) for case in element.iter("testcase") if case.get("time")]
    if times:
        element.set("time", f"{sum(times):.3f}")


def main():
    xml, *paths = map(pathlib.Path, sys.argv[1:])
    keep_remarks()
    root = ET.Element("testsuites")
    for path in paths:
        root.append(suite_of(path))
    for element in (*root, root):
        count(element)
    ET.indent(root)
    ET.ElementTree(root).write(xml, encoding="utf-8", xml_declaration=True)


if __name__ == "__main__":
    main()
