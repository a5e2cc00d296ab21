#!/usr/bin/env python3
"""Runs the lines of how-to pages that begin with `    $ `, one page as one shell script in an empty folder. Usage: how_to_test.py BIN_DIR"""
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

BIN = pathlib.Path(sys.argv[1]).resolve()
PAGES = pathlib.Path(__file__).resolve().parents[2] / "docs/how-to"


def main():
    pages = [(page, [line[6:] for line in page.read_text().splitlines() if line.startswith("    $ ")]) for page in sorted(PAGES.glob("*.md"))]
    pages = [(page, lines) for page, lines in pages if lines]
    assert len(pages) >= 2, "no page has lines to run"
    failed = 0
    for page, lines in pages:
        # `! command` must fail; bash does not count that as an error by itself.
        steps = [f"if {line[2:]}; then echo 'this should have failed' >&2; exit 9; fi" if line.startswith("! ") else line for line in lines]
        script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "\n".join(f"echo {shlex.quote('$ ' + line)} >&2\n{step}" for line, step in zip(lines, steps))
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=240, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
        print(f"{page.name}: {len(lines)} lines, exit code {done.returncode}")
        if done.returncode != 0:
            failed += 1
            print(done.stdout[-2000:], done.stderr[-4000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
