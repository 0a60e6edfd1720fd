"""Sums the results of test runs and prints `N passed, N failed`; exits 1 on a failure:
tally.py --also-failed N TESTLOG.json...

A Boost.Test program counts by its cases, a script that prints such a line by that, any other test as one.
"""
import json
import re
import sys

BOOST = re.compile(r"^\s+(\d+) test cases? out of \d+ (passed|failed)", re.MULTILINE)
LINE = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)


def count(test):
    """(passed, failed) of one Meson test."""
    if test["result"] == "SKIP":
        return 0, 0
    ok = test["result"] == "OK"
    output = test.get("stdout", "") + test.get("stderr", "")
    failed = 0
    if found := BOOST.findall(output):
        passed = sum(int(n) for n, what in found if what == "passed")
        failed = sum(int(n) for n, what in found if what != "passed")
    elif found := LINE.findall(output):
        passed, failed = (int(n) for n in found[-1])
    else:
        passed = int(ok)
    return passed, (failed if ok else max(failed, 1))


total_passed = skipped = 0
total_failed = int(sys.argv[2])  # of what was run beside Meson
for log in sys.argv[3:]:
    with open(log, encoding="utf-8") as file:
        for test in map(json.loads, file):
            passed, failed = count(test)
            total_passed += passed
            total_failed += failed
            skipped += test["result"] == "SKIP"
            if failed:
                print(f"failed: {test['name']} ({test['result']})")
if total_passed + total_failed == 0:
    print("no test was run")
    total_failed = 1
if skipped:
    print(f"{skipped} skipped")
print(f"{total_passed} passed, {total_failed} failed")
sys.exit(total_failed != 0)
