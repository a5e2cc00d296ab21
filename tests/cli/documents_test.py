#!/usr/bin/env python3
"""Documentation is tried: what the pages and --help tell people to type is taken from there and run. Usage: documents_test.py BIN_DIR [TestClass]"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "share/demo/windows-sysmon.jsonl"


def indented(text):
    """The indented blocks of a page, in order."""
    blocks, block = [], []
    for line in text.splitlines() + ["end"]:
        if line.startswith("    ") or (not line.strip() and block):
            block.append(line[4:])
        elif block:
            blocks.append("\n".join(block).rstrip() + "\n")
            block = []
    return blocks


def examples(command):
    """What `creance COMMAND --help` gives as examples."""
    text = subprocess.run([BIN / "creance", command, "--help"], capture_output=True, text=True, check=True).stdout
    return [line.strip() for line in text.split("Examples:\n")[1].splitlines() if line.strip()]


class Case(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def shell(self, line, codes=(0,), cwd=None):
        leaks = {"ASAN_OPTIONS": "detect_leaks=0"} if "pkcs11:" in line else {}  # SoftHSM leaks at its end
        done = subprocess.run(["bash", "-c", "set -o pipefail; " + line], cwd=cwd or self.dir, capture_output=True, text=True, env={**self.env, **leaks}, timeout=120)
        self.assertIn(done.returncode, codes, f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
        return done


class Pages(Case):
    def test_the_rule_and_the_cases_of_the_guide_are_what_its_three_commands_say(self):
        page = (ROOT / "docs/how-to/write-rules.md").read_text()
        blocks = indented(page)
        commands = [line.split("#")[0].strip() for line in blocks[0].splitlines() if line.startswith("creance ")]
        self.assertEqual(len(commands), 3)
        files = re.findall(r"^`(rules/[^`]+)`[^\n]*:$", page, re.M)
        rule = next(b for b in blocks if b.startswith("title:"))
        cases = next(b for b in blocks if b.startswith("rule:"))
        self.assertEqual(files, ["rules/windows/pipe_created/example.yml", "rules/windows/pipe_created/example.cases.yml"])
        for name, text in zip(files, (rule, cases)):
            (self.dir / name).parent.mkdir(parents=True, exist_ok=True)
            (self.dir / name).write_text(text)
        (self.dir / "events.jsonl").write_text('{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"PipeName":"\\\\example_7"}\n')
        self.shell(commands[0])
        self.shell(commands[1])
        self.assertIn("Named Pipe of an Example Tool", self.shell(commands[2], codes=(1,)).stdout)

    def test_what_the_guide_lets_people_try_on_their_host_runs(self):
        page = (ROOT / "docs/how-to/write-rules.md").read_text().split(". The starter rules\n")[1]
        for line in indented(page)[0].splitlines():
            self.shell(line)

    def test_the_number_of_starter_rules_is_the_one_that_the_guide_says(self):
        said = int(re.search(r"`rules/` holds (\d+) rules", (ROOT / "docs/how-to/write-rules.md").read_text()).group(1))
        self.assertEqual(said, len([p for p in (ROOT / "rules").rglob("*.yml") if not p.name.endswith(".cases.yml")]))

    def test_programs_and_scripts_that_pages_name_are_there(self):
        missing = []
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
            for path in re.findall(r"(?:^    |`)((?:scripts|share|rules|types|tests|src|docs)/[A-Za-z0-9_./-]+[A-Za-z0-9_])", page.read_text(), re.M):
                if not any((base / path).exists() for base in (ROOT, page.parent)) and not path.startswith(("rules/windows/pipe_created/example", "rules/a.")) and "..." not in path:
                    missing.append(f"{page.relative_to(ROOT)}: {path}")
        self.assertEqual(missing, [])

    def test_options_of_the_programs_are_those_that_pages_name(self):
        helps = {"creance-sensor": subprocess.run([BIN / "creance-sensor", "--help"], capture_output=True, text=True).stdout}
        server = [subprocess.run([BIN / "creance-server", *command, "--help"], capture_output=True, text=True).stdout for command in ([], ["init"], ["run"])]
        helps["creance-server"] = "\n".join(server)
        unknown = []
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
            for program, rest in re.findall(r"^    (?:\S*/)?(creance-sensor|creance-server) (.*)$", page.read_text(), re.M):
                unknown += [f"{page.relative_to(ROOT)}: {program} {option}" for option in re.findall(r"--[a-z][a-z-]+", rest) if option not in helps[program]]
        self.assertEqual(unknown, [])


class Walkthrough(Case):
    """A new user's way from an empty folder to a halted rollout, by the examples of --help alone, each also with --json."""

    def setUp(self):
        super().setUp()
        self.shell(examples("init")[0])
        self.dir = self.dir / "my-content"

    def data(self, line, codes=(0,)):
        """With --json: standard output holds one JSON value a line, and nothing else."""
        command, _, rest = line.partition(" | ")
        done = self.shell(f"{command} --json" if "--json" not in command else command, codes)
        return [json.loads(text) for text in done.stdout.splitlines()]

    def every(self, command, codes=(0,), skip=()):
        for line in examples(command):
            if any(word in line for word in skip) or not shutil.which(line.split()[0], path=self.env["PATH"]):
                continue  # such as journalctl, where there is no journal
            if " | jq" in line and not shutil.which("jq"):
                line = line.split(" | jq")[0]
            self.shell(line, codes)
            if not line.startswith("zstdcat"):
                self.data(line, codes)

    def serve(self):
        self.shell("creance-server init --data ../server --content-key ana.key.pub --content-key ben.key.pub")
        log = open(self.dir.parent / "server.log", "w")
        server = subprocess.Popen([BIN / "creance-server", "run", "--data", "../server", "--listen", "127.0.0.1:0", "--port-file", "../port"], cwd=self.dir, stdout=log, stderr=log)
        self.addCleanup(log.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        port_file = self.dir.parent / "port"
        done = self.shell(f"timeout 60 bash -c 'until [ -s {port_file} ]; do kill -0 {server.pid} || exit 9; sleep 0.1; done'; cat {port_file}")
        self.env.update(CREANCE_SERVER=f"http://127.0.0.1:{done.stdout.strip()}", CREANCE_TOKEN_FILE=str(self.dir.parent / "server/operator.token"))
        return server

    def ceremony(self, lines):
        """A new content key, as far as the signature that is brought back; and a key in a token, where there is one."""
        self.shell("cp ../server/root.json ../server/signer/targets.json . && cp ../server/offline-keys/targets.pem targets.key && cp ana.key.pub old.key.pub && echo unused > targets.pass")
        self.shell("creance keys create --out new.key --no-passphrase")
        for line in lines:
            if "pkcs11:" not in line:
                self.shell(line)
            elif shutil.which("softhsm2-util") and pathlib.Path("/usr/lib/softhsm/libsofthsm2.so").exists():
                (self.dir / "tokens").mkdir()
                (self.dir / "softhsm2.conf").write_text(f"directories.tokendir = {self.dir / 'tokens'}\n")
                (self.dir / "pin").write_text("1234\n")
                self.env["SOFTHSM2_CONF"] = str(self.dir / "softhsm2.conf")
                self.shell("softhsm2-util --init-token --free --label content --pin 1234 --so-pin 5678")
                self.shell(line)

    def test_every_example_runs(self):
        (self.dir / "new.yml").write_text("title: x\n")
        self.every("check", skip=["new.yml"])
        self.data(examples("check")[1], codes=(1,))
        for command in ("test", "pack", "types"):
            self.every(command)
        shutil.copy(SAMPLE, self.dir / "sysmon.jsonl")
        self.shell("zstd -q sysmon.jsonl -o old.zst")
        self.every("scan", codes=(0, 1), skip=["Security.evtx"])  # no such log here; EVTX has tests of its own
        (self.dir / "ana.pass").write_text("correct horse\n")
        for line in examples("keys")[:2]:
            self.shell(line)
        self.data(examples("keys")[1])
        self.data("creance keys create --out ben.key --no-passphrase")
        server = self.serve()
        self.ceremony(examples("keys")[2:])
        self.data(examples("sign")[0])
        self.data(examples("sign")[1])
        self.data(examples("push")[0])
        self.every("sensor")
        self.every("policy")
        self.data(examples("release")[0])
        watching = subprocess.Popen(["bash", "-c", "exec " + examples("rollout")[1]], cwd=self.dir, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("starter-1", watching.stdout.readline() + watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)
        self.shell(examples("rollout")[0])
        self.assertEqual(self.data(examples("rollout")[0])[0]["release"], "starter-1")
        self.data("creance rollout pause --reason 'to look'")
        self.assertEqual(self.data("creance rollout status")[0]["state"], "paused")
        self.data("creance rollout resume --reason 'looked'")
        self.shell("creance rollout approve --reason 'nobody asks'", codes=(0, 3))
        self.shell(examples("rollout")[2])
        self.assertEqual(self.data("creance rollout status", codes=(1,))[0]["state"], "halted")  # a finding
        self.every("detections")
        self.data("creance detections")
        self.shell("creance detections | cat")
        server.terminate()
        self.assertEqual(server.wait(timeout=30), 0)
        self.shell("creance rollout status", codes=(2,))


if __name__ == "__main__":
    names = sys.argv[2:]
    module = sys.modules["__main__"]
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(getattr(module, name)) for name in (names or ["Pages", "Walkthrough"]))
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)
