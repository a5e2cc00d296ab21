#!/usr/bin/env python3
"""Prints "passed failed skipped" of a CTest JUnit file, and names what failed or was skipped on standard error."""
import sys
import xml.etree.ElementTree as tree

passed = failed = skipped = 0
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    status = case.get("status")
    if status == "fail":
        failed += 1
        print(f"  failed: {case.get('name')}", file=sys.stderr)
    elif status in ("notrun", "disabled") or case.find("skipped") is not None:
        skipped += 1
        print(f"  skipped: {case.get('name')}", file=sys.stderr)
    else:
        passed += 1
print(passed, failed, skipped)
