#!/usr/bin/env python3
"""Runs the tests beside it, tells of each one as it ends, and writes a report in JUnit's form.

Usage: run_tests.py [--output FILE]
Exits with 0 when all tests passed, with 1 otherwise.
"""

import argparse
import sys
import time
import unittest
import xml.etree.ElementTree as xml
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).parent


class Reporter(unittest.TestResult):
    """Prints a line for each test, at once, and remembers it for the report."""

    def __init__(self):
        super().__init__()
        self.cases = []
        self._started = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._started = time.perf_counter()

    def _note(self, test, outcome, text=""):
        seconds = time.perf_counter() - self._started
        self.cases.append((test, outcome, text, seconds))
        print(f"{outcome:<8} {test.id()}  ({seconds * 1000:.1f} ms)", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._note(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "failed", self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "error", self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            outcome, noted = ("failed", self.failures) if issubclass(err[0], test.failureException) else ("error", self.errors)
            self._note(subtest, outcome, noted[-1][1])


def report(cases, seconds):
    """The report, as XML."""

    def count(outcome):
        return str(sum(1 for case in cases if case[1] == outcome))

    suite = xml.Element(
        "testsuite",
        name="ledger",
        tests=str(len(cases)),
        failures=count("failed"),
        errors=count("error"),
        skipped=count("skipped"),
        time=f"{seconds:.3f}",
        timestamp=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    tags = {"failed": "failure", "error": "error", "skipped": "skipped"}
    for test, outcome, text, took in cases:
        # A subtest's parameters follow its name, and may hold dots too.
        path, space, parameters = test.id().partition(" ")
        classname, _, name = path.rpartition(".")
        case = xml.SubElement(suite, "testcase", classname=classname, name=name + space + parameters, time=f"{took:.4f}")
        if outcome in tags:
            xml.SubElement(case, tags[outcome], message=text.strip().splitlines()[-1]).text = text
    tree = xml.ElementTree(suite)
    xml.indent(tree)
    return tree


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="report.xml", help="where the report goes")
    output = parser.parse_args().output

    suite = unittest.defaultTestLoader.discover(str(HERE))
    reporter = Reporter()
    started = time.perf_counter()
    suite.run(reporter)
    seconds = time.perf_counter() - started

    for _, outcome, text, _ in reporter.cases:
        if outcome in ("failed", "error"):
            print(text, file=sys.stderr)
    report(reporter.cases, seconds).write(output, encoding="utf-8", xml_declaration=True)
    print(f"{reporter.testsRun} tests in {seconds:.3f} s; the report is in {output}")
    return 0 if reporter.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
