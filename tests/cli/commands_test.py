#!/usr/bin/env python3
"""Commands from outside. Usage: commands_test.py BIN_DIR [TestClass]"""
import http.server
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

BIN = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "share/demo/windows-sysmon.jsonl"

GOOD = """title: A Pipe
id: 11111111-2222-4333-8444-555555555555
status: test
description: d
author: a
date: 2026-01-01
tags: [attack.t1055]
references: [https://example.org/pipe]
logsource: {product: windows, category: pipe_created}
detection:
  selection:
    PipeName|startswith: '\\msagent_'
  condition: selection
level: high
"""


def run(*arguments, stdin=None, env=None, timeout=120):
    return subprocess.run([str(BIN / "creance"), *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout, env={**os.environ, **(env or {})})


class Case(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def write(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def assert_clean(self, done):
        """No crash, no stack trace, no type name of ours, whatever the input was."""
        self.assertIn(done.returncode, (0, 1, 2, 3), done.stderr[-2000:])
        for word in (b"terminate called", b"std::", b"AddressSanitizer", b"runtime error", b"CHECK("):
            self.assertNotIn(word, done.stderr)


class Contracts(Case):
    def test_check_prints_one_diagnostic_a_line(self):
        rule = self.write("bad.yml", GOOD.replace("condition: selection", "condition: selektion"))
        done = run("check", "--rules", rule)
        self.assertEqual(done.returncode, 1, done.stderr)
        errors = [line for line in done.stdout.decode().splitlines() if ": error " in line]
        self.assertRegex(errors[0], rf"^{rule}:\d+:\d+: error [A-Z]\d{{3}}: .*selektion.*\(.*`selection`.*\)$")

    def test_check_json_has_the_promised_members(self):
        rule = self.write("bad.yml", GOOD.replace("PipeName", "PipName"))
        done = run("check", "--rules", rule, "--json")
        self.assertEqual(done.returncode, 1)
        objects = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(set(objects[0]), {"file", "line", "column", "severity", "code", "message", "help"})
        self.assertTrue(any("PipeName" in o["help"] + o["message"] for o in objects), objects)

    def test_a_good_rule_is_zero_and_silent_on_standard_output(self):
        done = run("check", "--rules", self.write("good.yml", GOOD))
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stdout + done.stderr)

    def test_the_starter_content_is_clean(self):
        done = run("check", "--rules", ROOT / "rules", "--strict")
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        done = run("test", "--rules", ROOT / "rules")
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr).decode())

    def test_usage_errors_are_three(self):
        for arguments in ([], ["check"], ["no-such-command"], ["scan", "--rules", "x"], ["check", "--rules", "x", "--no-such-option"]):
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (3, b""), (arguments, done.stdout, done.stderr))

    def test_help_has_examples(self):
        for command in ("check", "test", "scan", "pack", "sign", "push", "release", "rollout", "sensor", "policy", "keys", "init"):
            done = run(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertIn(b"Examples", done.stdout, command)

    def test_the_reference_page_is_what_the_program_says(self):
        made = subprocess.run([str(ROOT / "scripts/make-cli-reference"), str(BIN)], capture_output=True, text=True, check=True).stdout
        self.assertEqual(made, (ROOT / "docs/reference/cli.md").read_text(), "run scripts/make-cli-reference BIN_DIR > docs/reference/cli.md")

    def test_the_commands_of_the_readme_work(self):
        text = (ROOT / "README.md").read_text().split("## One rule, by hand")[1].split("##")[0]
        commands = [line.split("#")[0].strip() for line in text.splitlines() if line.startswith("    ") and "creance" in line]
        self.assertGreaterEqual(len(commands), 4)
        script = "set -e\n" + "\n".join(commands).replace("build/release/bin/creance", "creance").replace("sysmon.jsonl.zst", str(SAMPLE))
        done = subprocess.run(["bash", "-c", script], cwd=self.dir, capture_output=True, text=True, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_links_between_documents_lead_somewhere(self):
        broken = []
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
            for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
                if not (page.parent / target).exists():
                    broken.append(f"{page.relative_to(ROOT)}: {target}")
        self.assertEqual(broken, [])

    def test_a_progress_bar_and_colour_on_a_terminal_and_none_in_a_pipe(self):
        events = self.write("e.jsonl", SAMPLE.read_bytes() * 60)
        arguments = [str(BIN / "creance"), "scan", "--rules", str(ROOT / "rules"), "--events", str(events)]

        def on_terminal(env):
            ours, theirs = pty.openpty()
            process = subprocess.Popen(arguments, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm", **env})
            os.close(theirs)
            seen = b""
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                if not part:
                    break
                seen += part
            os.close(ours)
            process.wait()
            return seen

        plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.assertIn(b"scanning", on_terminal({}))
        if plain == dict(os.environ):
            self.assertRegex(on_terminal({}), rb"\x1b\[[0-9;]*m")
        self.assertNotRegex(on_terminal({"NO_COLOR": "1"}), rb"\x1b\[[0-9;]*m")
        piped = subprocess.run(arguments, capture_output=True)
        self.assertNotIn(b"scanning", piped.stdout + piped.stderr)
        self.assertNotIn(b"\x1b", piped.stdout + piped.stderr)

    def test_no_colour_in_a_pipe_unless_asked_for(self):
        rule = self.write("bad.yml", "title: x\n")
        self.assertNotIn(b"\x1b", run("check", "--rules", rule).stdout)
        self.assertIn(b"\x1b", run("--color", "always", "check", "--rules", rule).stdout)


class BadInput(Case):
    def findings(self, content, name="r.yml"):
        done = run("check", "--rules", self.write(name, content))
        self.assert_clean(done)
        self.assertEqual(done.returncode, 1, (done.stdout[:500], done.stderr[:500]))
        self.assertIn(b"r.yml:", done.stdout)
        return done.stdout.decode()

    def test_missing_file_is_two(self):
        done = run("check", "--rules", self.dir / "none.yml")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"none.yml", done.stderr)

    def test_malformed_yaml(self):
        self.findings("title: [1, 2\n")
        self.findings("\ttitle: x\n")
        self.findings("")
        self.findings("just text\n")
        self.findings("- a\n- b\n")

    def test_duplicate_keys(self):
        self.assertIn("twice", self.findings(GOOD + "level: low\n"))

    def test_unknown_key_is_told_with_the_nearest_name(self):
        done = run("check", "--rules", self.write("r.yml", GOOD.replace("level:", "lvel:")), "--json")
        self.assert_clean(done)
        self.assertIn(b"level", done.stdout)

    def test_twenty_megabytes(self):
        self.findings(GOOD + "# " + "x" * 20_000_000)

    def test_nesting(self):
        for text in ("[" * 10_000, "{" * 10_000, "- " * 10_000, "\n".join(" " * i + "a:" for i in range(2_000)), GOOD.replace("condition: selection", "condition: " + "(" * 100_000 + "selection" + ")" * 100_000),
                     GOOD.replace("condition: selection", "condition: " + "not " * 50_000 + "selection")):
            self.findings(text)

    def test_invalid_utf8(self):
        self.assertIn("UTF-8", self.findings(GOOD.encode().replace(b"A Pipe", b"A \xff Pipe")))

    def test_alias_bomb(self):
        text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9))
        self.findings(text)

    def test_nul_and_controls_do_not_reach_the_terminal(self):
        done = run("check", "--rules", self.write("r.yml", GOOD.replace("level: high", 'level: "h\\e[31mx"')))
        self.assert_clean(done)
        self.assertNotIn(b"\x1b", done.stdout + done.stderr)

    def test_server_not_there(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        done = run("rollout", "status", "--server", f"http://127.0.0.1:{port}")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(str(port).encode(), done.stderr)
        self.assertEqual(run("rollout", "status", "--server", "nonsense://x").returncode, 2)

    def test_full_output_is_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([str(BIN / "creance"), "types"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"standard output", done.stderr)


class Scan(Case):
    def scan(self, *arguments, **more):
        done = run("scan", *arguments, **more)
        self.assert_clean(done)
        return done

    def event(self, **fields):
        return json.dumps({"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 17, **fields})

    def setUp(self):
        super().setUp()
        self.rule = self.write("rule.yml", GOOD)

    def test_matches_as_promised(self):
        events = self.write("e.jsonl", "\n".join([self.event(PipeName="\\MSAGENT_1", extra=1), self.event(PipeName="\\other"), self.event(PipeName="\\msagent_é")]))
        done = self.scan("--rules", self.rule, "--events", events, "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        matches = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([m["line"] for m in matches], [1, 3])
        self.assertEqual(list(matches[0]), ["rule_id", "rule_title", "level", "file", "line", "author", "tags", "references", "event"])
        self.assertEqual((matches[0]["author"], matches[0]["tags"], matches[0]["references"]), ("a", ["attack.t1055"], ["https://example.org/pipe"]))
        self.assertEqual((matches[0]["rule_id"], matches[0]["rule_title"], matches[0]["level"], matches[0]["file"]), ("11111111-2222-4333-8444-555555555555", "A Pipe", "high", str(events)))
        self.assertEqual(matches[0]["event"]["extra"], 1)

    def test_standard_input_and_zstd_give_the_same(self):
        text = (self.event(PipeName="\\msagent_1") + "\n").encode()
        plain = self.scan("--rules", self.rule, "--events", "-", "--json", stdin=text)
        packed = self.write("e.jsonl.zst", subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True).stdout)
        compressed = self.scan("--rules", self.rule, "--events", packed, "--json")
        self.assertEqual(json.loads(plain.stdout)["event"], json.loads(compressed.stdout)["event"])

    def test_security_4688_is_process_creation(self):
        rule = self.write("p.yml", GOOD.replace("pipe_created", "process_creation").replace("PipeName|startswith: '\\msagent_'", "Image|endswith: '\\x.exe'\n    ParentImage|endswith: '\\y.exe'"))
        events = self.write("e.jsonl", json.dumps({"Channel": "Security", "EventID": 4688, "NewProcessName": "C:\\X.exe", "ParentProcessName": "C:\\Y.exe"}))
        self.assertEqual(len(self.scan("--rules", rule, "--events", events, "--json").stdout.splitlines()), 1)

    def test_malformed_lines_are_counted_and_never_stop_the_scan(self):
        good = self.event(PipeName="\\msagent_1")
        lines = ["{", "[1]", "", good[:-5], '{"a":"\\ud800"}', '{"a":' * 5000, "null", "\x00", good]
        events = self.write("e.jsonl", "\n".join(lines).encode() + b"\n{\"a\":\"\xff\"}\n" + good.encode() + b"\n")
        done = self.scan("--rules", self.rule, "--events", events, "--json")
        self.assertEqual([json.loads(line)["line"] for line in done.stdout.splitlines()], [9, 11])
        self.assertIn(f"{events}:1:".encode(), done.stderr)
        self.assertIn(f"{events}:10:".encode(), done.stderr)

    def test_what_a_correlation_forgot_is_no_clean_result(self):
        correlation = self.write("rules/c.yml", GOOD.replace("high", "low") + """---
title: C
id: 11111111-2222-4333-8444-666666666666
correlation:
  type: event_count
  rules: [11111111-2222-4333-8444-555555555555]
  group-by: [Image]
  timespan: 1h
  condition: {gte: 3}
level: high
""")
        events = self.write("many.jsonl", "\n".join(self.event(PipeName="\\msagent_1", Image=str(i), UtcTime="2026-01-01 00:00:00.000") for i in range(250_000)))
        done = self.scan("--rules", correlation, "--events", events)
        self.assertEqual(done.returncode, 2, done.stderr[-500:])
        self.assertRegex(done.stderr, rb"memory was full, [1-9]\d* groups left")
        self.assertEqual(self.scan("--rules", correlation, "--events", events, "--allow-skipped").returncode, 0)

    def test_what_is_skipped_is_no_clean_result(self):
        good, plain = self.event(PipeName="\\msagent_1"), self.event(PipeName="other")
        deep = plain[:-1] + ',"x":' + "[" * 100 + "]" * 100 + "}"
        long = self.event(PipeName=" " * 70_000 + "x")
        for name, skipped in (("malformed", plain[:-2]), ("deep", deep), ("long", long)):
            events = self.write(name + ".jsonl", plain + "\n" + skipped + "\n")
            done = self.scan("--rules", self.rule, "--events", events)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(b"the result is not complete", done.stderr)
            self.assertEqual(self.scan("--rules", self.rule, "--events", events, "--allow-skipped").returncode, 0)
            with_match = self.write(name + ".jsonl", good + "\n" + skipped + "\n")
            self.assertEqual(self.scan("--rules", self.rule, "--events", with_match).returncode, 2)
            self.assertEqual(self.scan("--rules", self.rule, "--events", with_match, "--allow-skipped").returncode, 1)
        events = self.write("e.jsonl", plain + "\n" + plain[:-1] + " trailing}\n")
        self.assertIn(f"{events}:2:{len(plain) + 1}: malformed event skipped: `,` or `}}` was expected".encode(), self.scan("--rules", self.rule, "--events", events).stderr)
        bytes_only = self.scan("--rules", self.rule, "--events", self.write("b.jsonl", good.encode().replace(b"_1", b"_\xff\x01")), "--json")
        self.assertEqual(bytes_only.returncode, 1, bytes_only.stderr)
        self.assertIn("\ufffd\x01", json.loads(bytes_only.stdout)["event"]["PipeName"])

    def test_events_that_no_rule_looks_at_are_told(self):
        events = self.write("e.jsonl", json.dumps({"Channel": "Setup", "EventID": 1}) + "\n" + json.dumps({"a": 1}) + "\n")
        done = self.scan("--rules", self.rule, "--events", events)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"no rule looks at any of its 2 events", done.stderr)
        self.assertIn(b"(2 that no rule looks at, 1 of them of no Template Type; 0 malformed)", done.stderr)

    def test_a_line_of_fifty_megabytes(self):
        good = self.event(PipeName="\\msagent_1").encode()
        events = self.write("e.jsonl", b'{"a":"' + b"x" * 50_000_000 + b'"}\n' + good + b"\n")
        done = self.scan("--rules", self.rule, "--events", events, "--json")
        self.assertEqual([json.loads(line)["line"] for line in done.stdout.splitlines()], [2])
        self.assertIn(f"{events}:1:".encode(), done.stderr)

    def test_truncated_zstd_gives_what_was_read_and_says_so(self):
        text = "".join(self.event(PipeName=f"\\msagent_{i}", n=os.urandom(40).hex()) + "\n" for i in range(20_000)).encode()
        packed = subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True).stdout
        done = self.scan("--rules", self.rule, "--events", self.write("cut.jsonl.zst", packed[: len(packed) // 2]), "--json")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"cut.jsonl.zst", done.stderr)
        self.assertGreater(len(done.stdout.splitlines()), 100)

    def test_missing_events_are_two_and_the_rest_is_scanned(self):
        events = self.write("e.jsonl", self.event(PipeName="\\msagent_1"))
        done = self.scan("--rules", self.rule, "--events", self.dir / "none.jsonl", events, "--json")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (2, 1))

    def test_refused_rules_are_named_and_strict_makes_them_an_error(self):
        self.write("rules/good.yml", GOOD)
        self.write("rules/bad.yml", GOOD.replace("1111", "2222").replace("PipeName", "NoSuchField"))
        events = self.write("e.jsonl", self.event(PipeName="\\msagent_1"))
        done = self.scan("--rules", self.dir / "rules", "--events", events, "--json")
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertIn(b"bad.yml", done.stderr)
        self.assertIn(b"NoSuchField", done.stderr)
        strict = self.scan("--rules", self.dir / "rules", "--events", events, "--strict")
        self.assertEqual((strict.returncode, strict.stdout), (1, b""))

    def test_filters_placeholders_and_the_pipeline_of_a_folder(self):
        self.write("rules/pipe.yml", GOOD.replace("startswith: '\\msagent_'", "startswith|expand: '\\%tools%_'"))
        events = self.write("events.jsonl", "".join(json.dumps({"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 17, "PipeName": pipe, "Computer": computer}) + "\n"
                                                    for pipe, computer in (("\\msagent_1", "a"), ("\\msagent_1", "LAB"), ("\\other_1", "a"), ("\\none_1", "a"))))
        refused = run("scan", "--rules", self.dir / "rules", "--events", events, "--json")
        self.assertEqual(refused.returncode, 3)
        self.assertIn(b"S049", refused.stderr)
        self.assertIn(b"`tools`", refused.stderr)
        values = self.write("values.yml", "tools: [msagent, other]\n")
        lines = lambda done: [json.loads(line)["line"] for line in done.stdout.splitlines()]
        self.assertEqual(lines(run("scan", "--rules", self.dir / "rules", "--placeholders", values, "--events", events, "--json")), [1, 2, 3])
        self.write("rules/filter.yml", "title: Laboratory\nid: 11111111-2222-4333-8444-666666666666\nlogsource: {product: windows}\n"
                                       "filter:\n  rules: any\n  lab: {Computer: lab}\n  condition: not lab\n")
        self.write("rules/pipeline.yml", "include: [more/values.yml]\n")
        self.write("rules/more/values.yml", "placeholders: {tools: other}\n")
        done = run("scan", "--rules", self.dir / "rules", "--events", events, "--json")
        self.assertEqual(lines(done), [3], done.stderr)
        self.assertEqual(run("check", "--rules", self.dir / "rules").returncode, 0)  # what the pipeline includes is no rule
        for name, text in (("rules/pipeline.yml", "placeholder: {tools: other}\n"), ("rules/filter.yml", "title: F\nlogsource: {product: windows}\nfilter:\n  rules: any\n  lab: {Computer: lab}\n  condition: not lap\n")):
            self.write(name, text)
            broken = run("scan", "--rules", self.dir / "rules", "--placeholders", values, "--events", events, "--json")
            self.assertEqual((broken.returncode, broken.stdout), (3, b""), broken.stderr)  # not "clean": what was asked for was not done
            self.write("rules/pipeline.yml", "mappings: []\n")
        self.assertEqual(run("check", "--rules", self.write("empty/readme.txt", "x").parent).returncode, 3)
        missing = run("check", "--rules", self.dir / "rules", "--pipeline", self.dir / "gone.yml")
        self.assertEqual(missing.returncode, 2)

    def test_a_file_that_is_no_yaml_is_a_rule_that_does_not_run(self):
        self.write("rules/good.yml", GOOD)
        self.write("rules/broken.yml", "title: [\n")
        events = self.write("events.jsonl", self.event(PipeName="\\msagent_1") + "\n")
        done = self.scan("--rules", self.dir / "rules", "--events", events, "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"1 of 2 rules do not run", done.stderr)
        self.assertIn(b"2 rules in 2 files: 1 usable", run("check", "--rules", self.dir / "rules").stderr)
        self.write("rules/filter.yml", "title: F\nfilter:\n  rules: [\n")  # no YAML, but it would be a filter
        done = self.scan("--rules", self.dir / "rules", "--events", events, "--json")
        self.assertEqual((done.returncode, done.stdout), (3, b""), done.stderr)

    def test_rules_of_a_refused_correlation_do_not_report_in_its_stead(self):
        correlation = "title: Many\nid: 11111111-2222-4333-8444-777777777777\ncorrelation: {type: event_count, rules: [a_pipe], group-by: [Image], timespan: TIME, condition: {gte: 3}}\n"
        self.write("rules/pipe.yml", GOOD + "name: a_pipe\n")
        self.write("rules/other.yml", GOOD.replace("11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-888888888888").replace("msagent", "other"))
        self.write("rules/many.yml", correlation.replace("TIME", "5m"))
        events = self.write("events.jsonl", self.event(PipeName="\\msagent_1", Image="x") + "\n" + self.event(PipeName="\\other_1") + "\n")
        lines = lambda done: [json.loads(line)["line"] for line in done.stdout.splitlines()]
        self.assertEqual(lines(self.scan("--rules", self.dir / "rules", "--events", events, "--json")), [2])
        for bad in (correlation.replace("TIME", "soon"), correlation.replace("TIME", "5m").replace("Image", "NoSuchField")):
            self.write("rules/many.yml", bad)
            done = self.scan("--rules", self.dir / "rules", "--events", events, "--json")
            self.assertEqual(lines(done), [2], done.stderr)
            self.assertIn(b"C047: `A Pipe` is held", done.stderr)
            self.assertIn(b"2 of 3 rules do not run", done.stderr)

    def test_a_filter_that_cannot_be_put_into_its_rule_stops_everything(self):
        self.write("rules/pipe.yml", GOOD + "name: a_pipe\n")
        self.write("rules/twin.yml", GOOD.replace("11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-888888888888") + "name: a_pipe\n")
        self.write("rules/filter.yml", "title: F\nlogsource: {product: windows}\nfilter:\n  rules: [a_pipe]\n  lab: {Computer: lab}\n  condition: not lab\n")
        events = self.write("events.jsonl", self.event(PipeName="\\msagent_1") + "\n")
        done = self.scan("--rules", self.dir / "rules", "--events", events, "--json")
        self.assertEqual((done.returncode, done.stdout), (3, b""), done.stderr)
        self.assertIn(b"S147", done.stderr)
        for command in (["check"], ["test"], ["pack", "--release", "r-1", "--out", self.dir / "dist"]):
            refused = run(command[0], "--rules", self.dir / "rules", *command[1:])
            self.assertEqual(refused.returncode, 1, (command, refused.stderr))
        self.assertFalse((self.dir / "dist").exists())

    def test_a_cases_file_without_cases_is_an_error(self):
        self.write("rules/pipe.yml", GOOD)
        pack = ("pack", "--release", "r-1", "--out", self.dir / "dist", "--rules", self.dir / "rules")
        without = run("test", "--rules", self.dir / "rules")
        self.assertEqual(without.returncode, 0)
        self.assertIn(b"J005", without.stdout)  # no file: a warning
        for nothing in ("", "# later\n", "rule: 11111111-2222-4333-8444-555555555555\ncases: []\n"):
            self.write("rules/pipe.cases.yml", nothing)
            for command in (("test", "--rules", self.dir / "rules"), pack):
                done = run(*command)
                self.assertEqual(done.returncode, 1, (command, nothing))
                self.assertIn(b"pipe.cases.yml:1:", done.stdout)
                self.assertIn(b"error J015", done.stdout)
        self.assertFalse((self.dir / "dist").exists())
        (self.dir / "rules/pipe.cases.yml").rename(self.dir / "rules/pip.cases.yml")
        done = run("test", "--rules", self.dir / "rules")
        self.assertIn(b"J016", done.stdout)

    def test_table_counts_by_rule_and_level(self):
        done = self.scan("--rules", ROOT / "rules", "--events", SAMPLE)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout.decode(), r"LEVEL +MATCHES +RULE")
        self.assertNotIn(b"\x1b", done.stdout)

    def test_logs_as_a_sample_change_no_match(self):
        logs = self.write("logs.jsonl", "".join(self.event(PipeName=f"\\p{i}") + "\n" for i in range(50)))
        plain = self.scan("--rules", ROOT / "rules", "--events", SAMPLE, "--json")
        counted = self.scan("--rules", ROOT / "rules", "--events", SAMPLE, "--logs", logs, "--json")
        self.assertEqual((plain.returncode, plain.stdout), (counted.returncode, counted.stdout))
        self.assertEqual(plain.returncode, 1)
        missing = self.scan("--rules", self.rule, "--events", SAMPLE, "--logs", self.dir / "none.jsonl")
        self.assertEqual(missing.returncode, 2)
        self.assertIn(b"--logs: ", missing.stderr)
        self.assertIn(b"none.jsonl", missing.stderr)
        useless = self.scan("--rules", self.rule, "--events", SAMPLE, "--logs", self.write("useless.jsonl", "{}\n"))
        self.assertEqual(useless.returncode, 3)
        self.assertIn(b"no event of a Template Type", useless.stderr)

    def test_packed_lists_folders_and_standard_input(self):
        import gzip
        good = self.event(PipeName="\\msagent_1")
        self.write("logs/a/list.json", "[\n" + good + ",\n" + good + "\n]\n")
        self.write("logs/b.jsonl.gz", gzip.compress(good.encode() + b"\n") + gzip.compress(good.encode()))
        self.write("logs/notes.txt", "not one of them")
        done = self.scan("--rules", self.rule, "--events", self.dir / "logs", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual([(pathlib.Path(m["file"]).name, m["line"]) for m in map(json.loads, done.stdout.splitlines())], [("list.json", 2), ("list.json", 3), ("b.jsonl.gz", 1), ("b.jsonl.gz", 2)])
        self.assertIn(b"notes.txt: skipped", done.stderr)
        empty = self.dir / "empty"
        empty.mkdir()
        self.assertEqual(self.scan("--rules", self.rule, "--events", empty).returncode, 2)
        self.assertEqual(len(self.scan("--rules", self.rule, "--events", "-", "--json", stdin=gzip.compress(good.encode())).stdout.splitlines()), 1)

    def test_links_are_followed_once_and_what_cannot_be_read_is_named(self):
        good = self.event(PipeName="\\msagent_1")
        self.write("logs/a.jsonl", good)
        self.write("elsewhere/b.jsonl", good)
        (self.dir / "logs/linked").symlink_to(self.dir / "elsewhere")
        (self.dir / "logs/z.jsonl").symlink_to(self.dir / "logs/a.jsonl")
        (self.dir / "elsewhere/loop").symlink_to(self.dir / "logs")
        done = self.scan("--rules", self.rule, "--events", self.dir / "logs", self.dir / "elsewhere/b.jsonl", "--json")
        self.assertEqual([pathlib.Path(json.loads(line)["file"]).name for line in done.stdout.splitlines()], ["a.jsonl", "b.jsonl"])
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"logs/z.jsonl: the same file as", done.stderr)
        self.assertIn(b"elsewhere/b.jsonl: the same as", done.stderr)
        for name, problem in (("gone.jsonl", "a link whose target cannot be read"), ("folder", "a link whose target cannot be read"), ("pipe.jsonl", "no regular file")):
            path = self.dir / "logs" / name
            os.mkfifo(path) if name.startswith("pipe") else path.symlink_to(self.dir / "nowhere")
            done = self.scan("--rules", self.rule, "--events", self.dir / "logs", "--json")
            self.assertEqual((done.returncode, len(done.stdout.splitlines())), (2, 2), done.stderr)
            self.assertIn(f"{path}` is {problem}".encode(), done.stderr)
            path.unlink()
        (self.dir / "logs/notes").symlink_to(self.write("notes.txt", "x"))
        self.assertEqual(self.scan("--rules", self.rule, "--events", self.dir / "logs").returncode, 1)

    def test_truncated_gzip_and_files_that_are_not_what_their_name_says(self):
        import gzip
        packed = gzip.compress("".join(self.event(PipeName=f"\\msagent_{i}", n=os.urandom(40).hex()) + "\n" for i in range(5_000)).encode())
        good = self.write("z.jsonl", self.event(PipeName="\\msagent_1"))
        done = self.scan("--rules", self.rule, "--events", self.write("cut.jsonl.gz", packed[: len(packed) // 2]), self.write("x.jsonl.gz", "{}"), good, "--json")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"the gzip data is cut off", done.stderr)
        self.assertIn(b"named .gz", done.stderr)
        self.assertEqual(json.loads(done.stdout.splitlines()[-1])["file"], str(good))

    def test_the_format_can_be_given(self):
        events = self.write("e.log", "type=EXECVE msg=audit(1.0:1): a0=\"x\"\nnonsense\n")
        self.assertIn(b"not an audit record", self.scan("--rules", self.rule, "--events", events).stderr)
        self.assertIn(b"malformed", self.scan("--rules", self.rule, "--events", events, "--format", "json").stderr)
        self.assertEqual(self.scan("--rules", self.rule, "--events", events, "--format", "xml").returncode, 3)
        self.assertIn(b"does not begin as an EVTX", self.scan("--rules", self.rule, "--events", self.write("x.bin", "x" * 200), "--format", "evtx").stderr)

    def test_threads_give_the_same_output(self):
        files = [self.write(f"e{i}.jsonl", "".join(self.event(PipeName=f"\\msagent_{j}") + "\n" for j in range(200))) for i in range(5)]
        one = self.scan("--rules", self.rule, "--events", *files, "--json", "--threads", "1")
        many = self.scan("--rules", self.rule, "--events", *files, "--json", "--threads", "4")
        self.assertEqual(one.stdout, many.stdout)


class Pack(Case):
    def test_pack_is_reproducible_whatever_the_order(self):
        a = run("pack", "--rules", ROOT / "rules", "--release", "r1", "--out", self.dir / "a")
        b = run("pack", "--rules", *sorted((p for p in (ROOT / "rules").rglob("*.yml") if not p.name.endswith(".cases.yml")), reverse=True), "--release", "r1", "--out", self.dir / "b")
        self.assertEqual((a.returncode, b.returncode), (0, 0), a.stderr + b.stderr)
        files = sorted(p.name for p in (self.dir / "a/r1").iterdir())
        self.assertIn("pack.json", files)
        self.assertIn("windows.pipe_created.cases.jsonl", files)
        events = [json.loads(line) for line in (self.dir / "a/r1/windows.pipe_created.cases.jsonl").read_text().splitlines()]
        self.assertGreaterEqual(len(events), 4)
        self.assertEqual({(e["Channel"], e["EventID"] in (17, 18)) for e in events}, {("Microsoft-Windows-Sysmon/Operational", True)})  # those of this Type, no others
        self.assertTrue(any("PipeName" in e for e in events) and any("PipeName" not in e for e in events))  # matching ones, and one with a field missing
        for name in files:
            self.assertEqual((self.dir / "a/r1" / name).read_bytes(), (self.dir / "b/r1" / name).read_bytes(), name)

    def test_correlations_are_packed_and_scanned(self):
        for order in ("a", "b"):
            packed = run("pack", "--rules", ROOT / "rules", "--release", "r1", "--out", self.dir / order)
            self.assertEqual(packed.returncode, 0, packed.stderr)
        name = "correlations.channel"
        self.assertEqual((self.dir / "a/r1" / name).read_bytes(), (self.dir / "b/r1" / name).read_bytes())
        entries = [e for e in json.loads((self.dir / "a/r1/pack.json").read_bytes())["channels"] if e["type"] == "correlations"]
        self.assertEqual(len(entries), 1)
        self.assertGreaterEqual(entries[0]["instances"], 2)
        events = "".join(json.dumps({"_type": "linux.process_creation", "UtcTime": f"2026-11-23 10:00:0{i}", "User": "bob", "Image": f"/usr/bin/{x}"}) + "\n" for i, x in enumerate(("id", "who", "w", "last")))
        scanned = run("scan", "--rules", ROOT / "rules", "--events", "-", "--json", stdin=events.encode())
        lines = [json.loads(line) for line in scanned.stdout.splitlines()]
        self.assertEqual([(l["rule_title"], l["line"], l["events"], l["group"]) for l in lines], [("Many Discovery Commands of One User", 4, 4, {"User": "bob"})])

    def test_a_failing_case_packs_nothing(self):
        self.write("rules/r.yml", GOOD)
        self.write("rules/r.cases.yml", "rule: 11111111-2222-4333-8444-555555555555\ncases:\n  - {name: wrong, match: true, event: {Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, PipeName: 'x'}}\n")
        done = run("pack", "--rules", self.dir / "rules", "--release", "r1", "--out", self.dir / "out")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"wrong", done.stderr)
        self.assertFalse((self.dir / "out").exists())

    def test_another_content_under_the_same_name_is_refused(self):
        self.write("rules/r.yml", GOOD)
        arguments = ("pack", "--rules", self.dir / "rules", "--release", "r1", "--out", self.dir / "out")
        self.assertEqual(run(*arguments).returncode, 0)
        self.assertEqual(run(*arguments).returncode, 0)
        self.write("rules/r.yml", GOOD.replace("msagent_", "other_"))
        self.assertEqual(run(*arguments).returncode, 3)
        self.assertEqual(run("pack", "--rules", self.dir / "rules", "--release", "../x", "--out", self.dir / "out").returncode, 3)

    def test_full_disk_leaves_nothing_behind(self):
        mount = self.dir / "small"
        mount.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", mount], capture_output=True).returncode != 0:
            self.skipTest("mounting a small file system is not permitted here")
        self.addCleanup(lambda: subprocess.run(["umount", mount], check=True))
        done = run("pack", "--rules", ROOT / "rules", "--release", "r1", "--out", mount / "out")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(b"No space left", done.stderr)
        self.assertEqual([p for p in (mount / "out").rglob("*")] if (mount / "out").exists() else [], [])


    def test_a_full_disk_leaves_nothing_of_init_keys_and_the_servers_ceremony(self):
        mount = self.dir / "small"
        mount.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=30", "none", mount], capture_output=True).returncode != 0:
            self.skipTest("mounting a small file system is not permitted here")
        self.addCleanup(lambda: subprocess.run(["umount", mount], check=True))
        (mount / "fill").write_bytes(b"x" * 4096)
        self.assertEqual(run("keys", "create", "--out", self.dir / "k", "--no-passphrase").returncode, 0)
        for program, *arguments in (("creance", "init", mount / "repo"), ("creance", "keys", "create", "--out", mount / "k", "--no-passphrase"),
                                    ("creance-server", "init", "--data", mount / "server", "--content-key", self.dir / "k.pub")):
            done = subprocess.run([BIN / program, *arguments], capture_output=True)
            self.assertEqual(done.returncode, 2, (program, arguments, done.stderr))
            self.assertIn(b"No space left", done.stderr)
            self.assertEqual([str(p) for p in mount.rglob("*") if p.is_file() and p.name != "fill"], [])
        self.assertFalse((mount / "repo").exists())


class Completion(Case):
    """Each program's script, loaded by the shell that it is for, and asked what it would offer."""

    PROGRAMS = [name for name in ("creance", "creance-server", "creance-sensor") if (BIN / name).exists()]
    SUBCOMMANDS = {"creance": {"check", "test", "scan", "pack", "sign", "push", "release", "rollout", "sensor", "policy", "keys", "init", "types", "detections", "completion", "man"},
                   "creance-server": {"init", "run", "completion"},
                   "creance-sensor": {"enrol", "run", "status", "why", "doctor", "pause", "resume", "return", "retry", "completion", "man"}}
    # What is typed, and what must be among what is offered for the last word.
    OFFERED = [("creance po", {"policy"}), ("creance policy ", {"list", "show", "check", "set"}), ("creance policy check --lo", {"--local"}), ("creance policy set --dr", {"--dry-run"}), ("creance --qu", {"--quiet"}),
               ("creance policy show --ser", {"--server"}), ("creance scan --ev", {"--events"}), ("creance keys cr", {"create"}), ("creance completion f", {"fish"}), ("creance rollout halt --rea", {"--reason"}), ("creance --color auto rol", {"rollout"}),
               ("creance-server r", {"run"}), ("creance-server run --lis", {"--listen"}), ("creance-sensor pau", {"pause"}), ("creance-sensor pause --rea", {"--reason"}), ("creance-sensor completion z", {"zsh"})]

    def script(self, program, shell):
        done = subprocess.run([BIN / program, "completion", shell], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def check(self, shell, offers):
        """`offers(program, lines)`: for each line what is offered, as a list of sets."""
        for program in self.PROGRAMS:
            lines = [(line, wanted) for line, wanted in [(program + " ", self.SUBCOMMANDS[program]), *self.OFFERED] if line.split()[0] == program]
            for (line, wanted), found in zip(lines, offers(program, [line for line, _ in lines]), strict=True):
                self.assertLessEqual(wanted, found, f"{shell}: `{line}` offers {sorted(found)[:40]}")

    def test_bash_completion_loads_and_offers(self):
        def offers(program, lines):
            probe = "set -eu\n" + self.script(program, "bash") + "set +e\n"
            for line in lines:
                words = line.split(" ")
                probe += f"COMP_WORDS=({' '.join(word or chr(39) * 2 for word in words)}); COMP_CWORD={len(words) - 1}; _{program.replace('-', '_')}; echo ${{COMPREPLY[@]}}\n"
            done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return [set(found.split()) for found in done.stdout.splitlines()]

        self.check("bash", offers)

    @unittest.skipUnless(shutil.which("fish"), "no fish here")
    def test_fish_completion_loads_and_offers(self):
        env = {**os.environ, "HOME": str(self.dir), "XDG_CONFIG_HOME": str(self.dir), "XDG_DATA_HOME": str(self.dir), "TERM": "dumb"}

        def offers(program, lines):
            script = self.write(program + ".fish", self.script(program, "fish"))
            found = []
            for line in lines:
                done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], capture_output=True, text=True, timeout=60, env=env)
                self.assertEqual((done.returncode, done.stderr), (0, ""), line)
                found.append({offer.split("\t")[0] for offer in done.stdout.splitlines()})
            return found

        self.check("fish", offers)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh_completion_loads_and_offers(self):
        """By the completion system itself, on a terminal: what it would offer is asked of `compadd`. Sourced, and put into $fpath."""
        for placed in (False, True):
            with self.subTest(placed=placed):
                self.check("zsh", lambda program, lines, placed=placed: self.zsh_offers(program, lines, placed))

    def zsh_offers(self, program, lines, placed):
        folder = self.dir / f"{program}-{placed}"
        folder.mkdir()
        (folder / f"_{program.replace('-', '_')}").write_text(self.script(program, "zsh"))
        load = "" if placed else f"source {folder}/_{program.replace('-', '_')}\n"
        said, errors = folder / "said", folder / "errors"
        setup = self.write(f"{program}-{placed}.zsh", f"""fpath=({folder} $fpath)
autoload -U compinit; compinit -u -d {folder}/dump
{load}compadd() {{
  local -a found
  builtin compadd -O found "$@"
  print -rl -- $found >> {said}
  builtin compadd "$@"
}}
ask() {{
  BUFFER=${{(f)"$(<{folder}/line)"}}; CURSOR=$#BUFFER
  zle complete-word 2>> {errors}
  print -r -- . >> {said}
  zle kill-buffer; zle redisplay
}}
zle -C complete-word complete-word _main_complete
zle -N ask
bindkey '^X^A' ask
PS1='ready> '
""")
        ours, theirs = pty.openpty()
        process = subprocess.Popen(["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, cwd=folder, env={**os.environ, "HOME": str(self.dir), "TERM": "dumb", "PATH": f"{BIN}:{os.environ['PATH']}"})
        os.close(theirs)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(os.close, ours)

        def until(holds, what):
            seen = b""
            while not holds(seen):
                ready, _, _ = select.select([ours], [], [], 60)
                self.assertTrue(ready, f"zsh: {what}: {seen[-2000:]}")
                seen += os.read(ours, 65536)
            return seen

        os.write(ours, f"source {setup}\n".encode())
        until(lambda seen: b"ready> " in seen, "loading")
        found = []
        for line in lines:
            (folder / "line").write_text(line)
            said.write_text("")
            os.write(ours, b"\x18\x01")
            until(lambda seen: said.read_text().endswith(".\n"), line)
            found.append(set(said.read_text().splitlines()))
        self.assertEqual(errors.read_text() if errors.exists() else "", "")
        return found

    def test_another_shell_is_refused(self):
        for program in self.PROGRAMS:
            self.assertEqual(subprocess.run([BIN / program, "completion", "tcsh"], capture_output=True, timeout=60).returncode, 3, program)

    def test_man_page_is_roff(self):
        self.assertTrue(run("man").stdout.startswith(b".TH CREANCE 1"))


class Policies(Case):
    ACME = """tenant: acme
groups:
  - name: servers
    tags: [server]
    ring: late
    delay: 2d
default: {ring: general}
"""

    def test_errors_have_their_place(self):
        for text, place, what in ((self.ACME.replace("late", "soon"), "5:11", "groups[0].ring: must be one of"), (self.ACME.replace("delay", "dealy"), "6:5", "`dealy` is not known here"),
                                  (self.ACME.replace("2d", "2"), "6:12", "`delay` must be a number with"), (self.ACME + "version: x\n", "8:10", "`version` must be a number"), ("a: [\n", None, "")):
            file = self.write("acme.yml", text)
            done = run("policy", "check", file)
            self.assert_clean(done)
            self.assertEqual((done.returncode, done.stderr), (1, b""), text)
            self.assertRegex(done.stdout.decode(), rf"^{file}:{place or '[0-9]+:[0-9]+'}: error: {re.escape(what)}")
            said = json.loads(run("policy", "check", "--json", file).stdout)
            self.assertEqual(set(said), {"file", "line", "column", "severity", "message"})
            self.assertEqual(said["file"], str(file))
        self.assertEqual(run("policy", "check", self.write("good.yml", self.ACME), self.dir / "none.yml").returncode, 2)
        self.assertEqual(run("policy", "check", "-", stdin=self.ACME.encode()).returncode, 0)
        owners = self.write("policy.yml", "paused: true\ndeny: [xyz]\n")
        self.assertIn(b"2:8: error: deny[0]: must be 64 hexadecimal digits", run("policy", "check", "--local", owners).stdout)
        self.assertEqual(run("policy", "check", "--local", self.write("policy.yml", "delay: 2d\n")).returncode, 0)

    def serve(self):
        run("keys", "create", "--out", self.dir / "k", "--no-passphrase")
        data, port = self.dir / "server", self.dir / "port"
        subprocess.run([BIN / "creance-server", "init", "--data", data, "--content-key", self.dir / "k.pub"], check=True, capture_output=True, timeout=60)
        server = subprocess.Popen([BIN / "creance-server", "run", "--data", data, "--listen", "127.0.0.1:0", "--port-file", port], stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        subprocess.run(["timeout", "60", "bash", "-c", f"until [ -s {port} ]; do kill -0 {server.pid} || exit 9; sleep 0.1; done"], check=True)
        self.env = {"CREANCE_SERVER": f"http://127.0.0.1:{port.read_text().strip()}", "CREANCE_TOKEN_FILE": str(data / "operator.token")}

    def policy(self, *arguments, code=0, **more):
        done = run("policy", *arguments, env=self.env, **more)
        self.assert_clean(done)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def proxy(self, alter):
        """Passes everything on to the server, its answers' fields altered. What it saw of PUT is in self.puts."""
        server, case = self.env["CREANCE_SERVER"], self
        self.puts = []

        class Proxy(http.server.BaseHTTPRequestHandler):
            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.command == "PUT":
                    case.puts.append({name.lower(): value for name, value in self.headers.items()})
                request = urllib.request.Request(server + self.path, body or None, {n: v for n, v in self.headers.items() if n.lower() not in ("host", "expect")}, method=self.command)
                try:
                    answer = urllib.request.urlopen(request, timeout=60)
                except urllib.error.HTTPError as error:
                    answer = error
                with answer:
                    content, fields = answer.read(), alter({name.lower(): value for name, value in answer.headers.items() if name.lower() not in ("connection", "transfer-encoding", "content-length")})
                    self.send_response(answer.status)
                for field in fields.items():
                    self.send_header(*field)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = pass_on

            def log_message(self, *_):
                pass

        between = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        threading.Thread(target=between.serve_forever, daemon=True).start()
        self.addCleanup(between.server_close)
        self.addCleanup(between.shutdown)
        self.env["CREANCE_SERVER"] = f"http://127.0.0.1:{between.server_port}"

    @unittest.skipUnless((BIN / "creance-server").exists(), "no server here")
    def test_a_proxy_may_change_etags(self):
        def altered(tag, own):
            return lambda fields: {name: tag(value) if name == "etag" else value for name, value in fields.items() if own or name != "creance-tag"}
        self.serve()
        direct = dict(self.env)
        self.policy("set", self.write("acme.yml", self.ACME))
        for days, (tag, own) in enumerate(((lambda tag: "W/" + tag, True), (lambda tag: tag[:-1] + '-gzip"', True), (lambda tag: "W/" + tag, False)), 3):
            self.env = dict(direct)
            self.proxy(altered(tag, own))
            self.policy("set", self.write("acme.yml", self.ACME.replace("2d", f"{days}d")))
            self.assertRegex(self.puts[-1]["if-match"], r'^"[0-9]+-[0-9a-f]{16}"$')
        self.env = dict(direct)
        self.proxy(altered(lambda tag: tag[:-1] + '-gzip"', False))  # and of an older server
        self.assertIn(b"version 4 of its policy now", self.policy("set", self.write("acme.yml", self.ACME), code=2).stderr)
        self.policy("set", "--force", self.write("acme.yml", self.ACME))
        self.assertFalse({"if-match", "if-none-match"} & set(self.puts[-1]))

    @unittest.skipUnless((BIN / "creance-server").exists(), "no server here")
    def test_what_is_set_is_shown_and_replaced_only_as_seen(self):
        self.serve()
        self.assertEqual(self.policy("list").stdout.split(), [b"TENANT", b"VERSION", b"GROUPS"])
        self.assertIn(b"no policy yet", self.policy("show", "acme", code=2).stderr)
        self.policy("show", "NO NAME", code=3)
        acme = self.write("acme.yml", self.ACME)
        self.assertIn(b"+ groups.servers.ring: late", self.policy("set", "--dry-run", acme, code=1).stdout)
        self.assertEqual(self.policy("list", "--json").stdout, b"")
        self.policy("set", acme)
        self.assertEqual(json.loads(self.policy("list", "--json").stdout)["tenant"], "acme")
        self.assertIn(b"nothing was sent", self.policy("set", acme).stderr)
        shown = self.policy("show", "acme").stdout
        self.assertIn(b"version: 1\n", shown)
        self.assertIn(b"delay: 2d\n", shown)
        document = json.loads(self.policy("show", "acme", "--json").stdout)
        self.assertEqual((document["tenant"], document["groups"][0]["delay_s"]), ("acme", 172800))
        self.policy("set", "-", stdin=json.dumps(document).encode())
        mine, theirs = self.write("mine.yml", shown.replace(b"2d", b"3d")), self.write("theirs.yml", shown.replace(b"ring: late", b"ring: early"))
        changed = self.policy("set", theirs)
        self.assertEqual(changed.stdout, b"- groups.servers.ring: late\n+ groups.servers.ring: early\n")
        refused = self.policy("set", mine, code=2)
        self.assertIn(b"made from version 1", refused.stderr)
        self.assertEqual(refused.stdout, b"")
        self.assertIn(b"ring: early", self.policy("show", "acme").stdout)
        lines = [json.loads(line) for line in self.policy("set", "--force", "--json", mine).stdout.splitlines()]
        self.assertIn({"change": "+", "what": "groups.servers.delay", "value": "259200s"}, lines)
        self.assertEqual(lines[-1], {"tenant": "acme", "version": 3})
        self.assertIn(b"nothing was sent", self.policy("set", self.write("bad.yml", self.ACME.replace("late", "soon")), code=1).stderr)
        self.env["CREANCE_TOKEN_FILE"] = ""
        self.assertIn(b"token", self.policy("show", "acme", code=3).stderr)


class Repository(Case):
    def test_a_new_content_repository_checks_tests_and_packs(self):
        done = run("init", self.dir / "repo")
        self.assertEqual(done.returncode, 0, done.stderr)
        rules = self.dir / "repo/rules"
        for arguments in (("check", "--rules", rules), ("test", "--rules", rules), ("pack", "--rules", rules, "--release", "first", "--out", self.dir / "dist")):
            done = run(*arguments)
            self.assertEqual(done.returncode, 0, (arguments, done.stdout, done.stderr))
        self.assertEqual(run("init", self.dir / "repo").returncode, 3)

    def test_keys_are_made_once_and_private(self):
        key = self.dir / "me.key"
        self.assertEqual(run("keys", "create", "--out", key).returncode, 3)
        self.write("pass", "correct horse\n")
        self.assertEqual(run("keys", "create", "--out", key, "--passphrase-file", self.dir / "pass").returncode, 0)
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        self.assertEqual(run("keys", "create", "--out", key, "--passphrase-file", self.dir / "pass").returncode, 3)
        public = run("keys", "show", self.dir / "me.key.pub", "--json")
        private = run("keys", "show", key, "--passphrase-file", self.dir / "pass", "--json")
        self.assertEqual(json.loads(public.stdout)["keyid"], json.loads(private.stdout)["keyid"], private.stderr)
        self.assertEqual(json.loads(run("keys", "show", key, "--json").stdout)["keyid"], json.loads(public.stdout)["keyid"])  # the public half is readable without the passphrase
        self.assertIn(b"argon2id", key.read_bytes())
        self.assertNotEqual(run("sign", self.dir, "--rules", self.dir, "--key", key).returncode, 0)

    def second_person_refuses(self, rules):
        """What one signer alone could put into a release or its metadata beside what the sources make."""
        run("keys", "create", "--out", self.dir / "k2", "--no-passphrase")
        self.assertEqual(run("pack", "--rules", rules, "--release", "two", "--notes", "what people read", "--out", self.dir / "dist").returncode, 0)
        folder = self.dir / "dist/two"
        first = run("sign", folder, "--rules", rules, "--key", self.dir / "k", "--first")
        self.assertEqual(first.returncode, 0, first.stderr)
        document, content = (json.loads((folder / name).read_text()) for name in ("release.json", "content.json"))

        def refused(word, release=None, metadata=None):
            (folder / "release.json").write_text(json.dumps(release or document, sort_keys=True, separators=(",", ":")))
            (folder / "content.json").write_text(json.dumps({**content, "signed": {**content["signed"], **(metadata or {})}}))
            done = run("sign", folder, "--rules", rules, "--key", self.dir / "k2", "--first")
            self.assertNotEqual(done.returncode, 0, done.stderr)
            self.assertIn(b"nothing was signed", done.stderr)
            self.assertIn(word, done.stderr)

        refused(b"does not describe this pack", {**document, "category": "slow"})
        refused(b"does not describe this pack", {**document, "notes": "something else"})
        refused(b"not known here", {**document, "extra": 1})
        refused(b"which is not now", {**document, "created": "2098-01-01T00:00:00Z"})
        refused(b"more than 400 days", {**document, "floor": {**document["floor"], "approved_until": "2099-01-01T00:00:00Z"}})
        refused(b"more than 400 days", metadata={"expires": "2099-01-01T00:00:00Z"})
        refused(b"does not follow", metadata={"extra": 1})
        (folder / "release.json").write_text(json.dumps(document, sort_keys=True, separators=(",", ":")))
        (folder / "content.json").write_text(json.dumps(content))
        done = run("sign", folder, "--rules", rules, "--key", self.dir / "k2", "--first")
        self.assertEqual(done.returncode, 0, done.stderr)
        for shown in (b"category rapid", b"what people read", b"expires " + content["signed"]["expires"].encode(), document["floor"]["approved_until"].encode()):
            self.assertIn(shown, done.stderr)

    def test_deny_shows_and_bounds_what_the_second_person_signs(self):
        for name in ("a", "b"):
            run("keys", "create", "--out", self.dir / name, "--no-passphrase")
        folder = self.dir / "deny-1"
        digest = "ab" * 32
        first = run("release", "deny", digest, "--reason", "crashes", "--out", folder, "--key", self.dir / "a", "--first")
        self.assertEqual(first.returncode, 0, first.stderr)
        content = json.loads((folder / "content.json").read_text())
        (folder / "content.json").write_text(json.dumps({**content, "signed": {**content["signed"], "expires": "2099-01-01T00:00:00Z"}}))
        refused = run("release", "deny", "--out", folder, "--key", self.dir / "b", "--first")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(b"more than 400 days", refused.stderr)
        (folder / "content.json").write_text(json.dumps(content))
        other = run("release", "retry", "--out", folder, "--key", self.dir / "b", "--first")
        self.assertNotEqual(other.returncode, 0)
        self.assertIn(b"also denies", other.stderr)
        done = run("release", "deny", "--out", folder, "--key", self.dir / "b", "--first")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"+ denied  " + digest.encode(), done.stderr)
        self.assertIn(content["signed"]["expires"].encode(), done.stderr)

    def test_sign_refuses_what_its_sources_do_not_make(self):
        run("init", self.dir / "repo")
        rules = self.dir / "repo/rules"
        run("keys", "create", "--out", self.dir / "k", "--no-passphrase")
        self.assertEqual(run("pack", "--rules", rules, "--release", "first", "--out", self.dir / "dist").returncode, 0)
        folder = self.dir / "dist/first"
        signed = run("sign", folder, "--rules", rules, "--key", self.dir / "k", "--first")
        self.assertEqual(signed.returncode, 0, signed.stderr)
        logged = folder.parent / "logged"
        logs = self.write("logs.jsonl", "".join(json.dumps({"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "Image": "C:\\x.exe", "CommandLine": f"x {i}"}) + "\n" for i in range(9)))
        self.assertEqual(run("pack", "--rules", rules, "--logs", logs, "--release", "logged", "--out", self.dir / "dist").returncode, 0)
        self.assertEqual(len(json.loads((logged / "pack.json").read_text())["logs"]), 1)
        refused = run("sign", logged, "--rules", rules, "--key", self.dir / "k", "--first")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(b"--logs", refused.stderr)
        others = self.write("others.jsonl", logs.read_text() + logs.read_text())
        unequal = run("sign", logged, "--rules", rules, "--logs", others, "--key", self.dir / "k", "--first")
        self.assertNotEqual(unequal.returncode, 0)
        self.assertIn(b"pack.json", unequal.stderr)
        self.assertEqual(run("sign", logged, "--rules", rules, "--logs", logs, "--key", self.dir / "k", "--first").returncode, 0)
        self.assertEqual(run("pack", "--rules", rules, "--logs", self.write("none.jsonl", "{}\n"), "--release", "none", "--out", self.dir / "dist").returncode, 3)
        self.assertEqual(run("sign", logged, "--rules", rules, "--logs", logs, "--key", self.dir / "k", "--first", "--approve-days", "401").returncode, 3)
        self.second_person_refuses(rules)
        channel = next(folder.glob("*.channel"))
        data = bytearray(channel.read_bytes())
        data[-1] ^= 1
        channel.write_bytes(data)
        done = run("sign", folder, "--rules", rules, "--key", self.dir / "k", "--first")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(b"nothing was signed", done.stderr)


if __name__ == "__main__":
    names = sys.argv[2:]
    loader = unittest.defaultTestLoader
    module = sys.modules["__main__"]
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(getattr(module, name)) for name in (names or ["Contracts", "BadInput", "Scan", "Pack", "Completion", "Policies", "Repository"]))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() else 1)
