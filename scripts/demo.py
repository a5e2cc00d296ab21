#!/usr/bin/env python3
"""The main job, for real, on one machine: a server, 24 sensors, a release ring by ring, a detection of something that happens here, and a second
content version that the statistics halt. Called by ./quickstart; --test runs the same as a test and fails if anything is not as it must be.

  demo.py --bin DIR [--keep] [--test] [--data DIR] [--port N]      demo.py --clean [--data DIR]
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INTERNAL, CANARY, GENERAL = 2, 20, 2
FIFO = "/tmp/.bp_quickstart"
# A harmless shell whose command line looks like what a starter rule looks for: for hosts where only started programs can be seen.
PROGRAM = ["/bin/sh", "-c", "sleep 1 # creance quickstart: echo | base64 -d | sh"]

TTY = sys.stdout.isatty()
COLOR = TTY and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def style(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if COLOR else text


def head(text):
    print("\n" + style("1", "▌ " + text), flush=True)


def say(text):
    print("  " + text, flush=True)


class Failure(Exception):
    """What went wrong, and where to look."""


class Demo:
    def __init__(self, options):
        self.options = options
        self.data = pathlib.Path(options.data).resolve()
        self.bin = pathlib.Path(options.bin).resolve() if options.bin else None
        self.processes = []
        self.results = []
        self.url = ""

    # --- running programs

    def creance(self, *arguments, check=True, remote=False):
        command = [str(self.bin / "creance"), *arguments]
        if remote:
            command += ["--server", self.url, "--token-file", str(self.data / "server" / "operator.token")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if check and done.returncode != 0:
            raise Failure(f"`creance {' '.join(arguments)}` ended with {done.returncode}:\n{done.stderr.strip()}\n{done.stdout.strip()}")
        return done

    def ask(self, *arguments):
        lines = self.creance(*arguments, "--json", remote=True, check=False)
        if lines.returncode > 1:
            raise Failure(f"`creance {' '.join(arguments)}`: {lines.stderr.strip()}")
        return [json.loads(line) for line in lines.stdout.splitlines()]

    def start(self, name, command):
        log = open(self.data / "logs" / f"{name}.log", "ab")
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd=ROOT)
        self.processes.append((name, process))
        self.note_process(name, process)
        return process

    def note_process(self, name, process):
        """For stop_all, also in a later run."""
        with open(self.data / "pids", "a") as pids:
            pids.write(f"{process.pid} {started_at(process.pid)} {name}\n")

    def wait(self, what, condition, seconds=60):
        """Polls `condition` until it gives something; the deadline is there to end a run that hangs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for name, process in self.processes:
                if process.poll() not in (None, 0):
                    raise Failure(f"{name} ended with {process.returncode}; see {self.data}/logs/{name}.log\n" + tail(self.data / "logs" / f"{name}.log"))
            value = condition()
            if value:
                return value
            time.sleep(0.1)
        raise Failure(f"waited {seconds} s in vain for {what}; logs are in {self.data}/logs")

    # --- the acts

    def ceremony(self):
        head("Keys (a demonstration ceremony: all on one machine, without passphrases; a real one keeps them apart, on hardware)")
        (self.data / "keys").mkdir()
        for person in ("author", "reviewer"):
            self.creance("keys", "create", "--out", str(self.data / "keys" / f"{person}.key"), "--no-passphrase")
        server = str(self.bin / "creance-server")
        done = subprocess.run([server, "init", "--data", str(self.data / "server"), "--content-threshold", "2",
                               "--content-key", str(self.data / "keys/author.key.pub"), "--content-key", str(self.data / "keys/reviewer.key.pub")], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"`creance-server init` ended with {done.returncode}:\n{done.stderr}")
        say("content: two persons (author, reviewer) must sign; root and targets offline; rollout, policy, snapshot, timestamp online in creance-signer")

    def serve(self, *more):
        head("Server on loopback, SQLite in a folder of its own")
        port_file = self.data / "port"
        self.start("server", [str(self.bin / "creance-server"), "run", "--data", str(self.data / "server"), "--listen", f"127.0.0.1:{self.options.port}", "--port-file", str(port_file), *more])
        port = self.wait("the server's port", lambda: port_file.exists() and port_file.read_text().strip())
        self.url = f"http://127.0.0.1:{port}"
        self.wait("the server", lambda: self.creance("sensor", "list", check=False, remote=True).returncode == 0)
        say(f"{self.url} is up (data: {self.data}/server)")

    def sensors(self):
        head(f"{INTERNAL + CANARY + GENERAL} sensors: {INTERNAL} internal (one watches this very host), {CANARY} canary, {GENERAL} general")
        rings = [("internal", INTERNAL), ("canary", CANARY), ("general", GENERAL)]
        events = str(ROOT / "share/demo/windows-sysmon.jsonl")
        for ring, count in rings:
            tokens = self.creance("sensor", "token", "--tenant", "demo", "--tag", ring, "--count", str(count), remote=True).stdout.split()
            for i, token in enumerate(tokens):
                name = f"{ring}-{i + 1:02d}"
                state = self.data / "sensors" / name
                state.mkdir(parents=True)
                sensor = str(self.bin / "creance-sensor")
                done = subprocess.run([sensor, "enrol", "--state", str(state), "--server", self.url, "--token", token, "--hostname", name], capture_output=True, text=True)
                if done.returncode != 0:
                    raise Failure(f"enrolling {name} ended with {done.returncode}:\n{done.stderr}")
                if name == "general-01":  # its owner wants to see what was checked: it takes a release only with evidence, and must follow like all others
                    (state / "local.json").write_text('{"_type": "local", "require_evidence": true}')
                source = (["--live"] if name == "internal-01" else []) + ["--events", events, "--loop", "--rate", "20"]
                worker = ["--worker", str(self.bin / "creance-sensor-worker-demo")] if ring == "canary" else []
                self.start(name, [sensor, "run", "--state", str(state), "--probation-ms", str(self.options.probation_ms), *source, *worker])
        self.wait("the first reports", lambda: len([s for s in self.ask("sensor", "list") if s.get("last_report")]) == INTERNAL + CANARY + GENERAL, 90)
        say("all have enrolled (one-time tokens, ids drawn by the server, keys of their own) and report")
        log = (self.data / "logs" / "internal-01.log").read_text(errors="replace")
        for line in [line for line in log.splitlines() if "collect: " in line][:3]:
            say(style("2", "internal-01: " + line.split("collect: ", 1)[1][:220]))
        if self.collector() != "ebpf":
            say(style("33", "internal-01 cannot use eBPF here; it " + ("sees started programs alone" if self.collector() == "process connector" else "sees nothing of this host and replays instead")))

    def collector(self):
        """How internal-01 watches: what it says itself."""
        done = subprocess.run([str(self.bin / "creance-sensor"), "status", "--state", str(self.data / "sensors/internal-01"), "--json"], capture_output=True, text=True)
        return json.loads(done.stdout)["collector"] if done.returncode == 0 else "none"

    def check_rehearsals(self):
        """Hosts with too few events of their own have rehearsed over the release's own cases."""
        log = (self.data / "logs" / "internal-01.log").read_text(errors="replace")
        rehearsed = [line for line in log.splitlines() if "rehearsed over" in line and ", 0 of the release's cases" not in line]
        if not rehearsed:
            raise Failure("internal-01 did not rehearse over the release's own cases\n" + tail(self.data / "logs" / "internal-01.log"))

    def check_sandboxes(self):
        """Every worker and updater lives under a system-call filter, without privileges; and as root a user of its own."""
        done = subprocess.run([str(self.bin / "creance-sensor"), "status", "--state", str(self.data / "sensors/internal-01"), "--json"], capture_output=True, text=True, check=True)
        apart = json.loads(done.stdout)["users"].startswith("separate users")
        seen, users = 0, {}
        for name, process in self.processes:
            if name == "server":
                continue
            for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                try:
                    status = pathlib.Path(f"/proc/{child}/status").read_text()
                except OSError:
                    continue  # an admit that has ended
                fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
                program = os.path.basename(pathlib.Path(f"/proc/{child}/cmdline").read_text().split("\0")[0])
                if program not in ("creance-sensor-updater", "creance-sensor-worker", "creance-sensor-worker-demo"):
                    continue
                seen += 1
                users.setdefault(program.removesuffix("-demo"), set()).add(fields["Uid"].split()[0])
                if (fields["Seccomp"], fields["NoNewPrivs"], int(fields["CapEff"], 16)) != ("2", "1", 0):
                    raise Failure(f"{program} of {name} is not confined: Seccomp {fields['Seccomp']}, NoNewPrivs {fields['NoNewPrivs']}, CapEff {fields['CapEff']}")
                if apart and (int(fields["CapBnd"], 16), fields["Groups"].split()) != (0, []):
                    raise Failure(f"{program} of {name} could gain rights: CapBnd {fields['CapBnd']}, Groups {fields['Groups']}")
        if seen < 2 * (INTERNAL + CANARY + GENERAL) - 2:
            raise Failure(f"only {seen} workers and updaters were found")
        if apart and (users["creance-sensor-worker"] & users["creance-sensor-updater"] or "0" in set().union(*users.values())):
            raise Failure(f"workers and updaters are not users of their own: {users}")

    def pack_and_push(self, release, rules, notes):
        dist = self.data / "dist"
        sources = [part for rule in rules for part in ("--rules", str(rule))]
        self.creance("check", *sources)
        self.creance("test", *sources)
        packed = self.creance("pack", *sources, "--release", release, "--notes", notes, "--out", str(dist))
        say(packed.stderr.strip().splitlines()[-1].split("; next:")[0])
        for person in ("author", "reviewer"):
            done = self.creance("sign", str(dist / release), *sources, "--key", str(self.data / "keys" / f"{person}.key"), remote=True)
            say(f"{person}: {done.stdout.strip()}")
        self.creance("push", str(dist / release), remote=True)

    def follow(self, rollout, release, until, seconds=300):
        """Shows each stage until the rollout ends: redrawn in place on a terminal, elsewhere a line for each change."""
        shown, drawn = [], 0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.ask("rollout", "status", rollout)[0]
            lines = [f"{release} {s['ring']:<8} {bar(s)} exposed {s['exposed']:>2}  held {s['held']:>2}  confirmed {s['confirmed']:>2}  unknown {s['unknown']:>2}  crashed {s['crashed']:>2}  E {number(s.get('e')):>6} of {number(s.get('e_halt'))}"
                     for s in status["stages"] if s["exposed"] or s["held"]]
            if lines != shown:
                if TTY:
                    print((f"\x1b[{drawn}A\x1b[J" if drawn else "") + "".join(f"  {line}\n" for line in lines), end="", flush=True)
                    drawn = len(lines)
                else:
                    for line in lines:
                        if line not in shown:
                            say(line)
                shown = lines
            if status["state"] in until:
                return status
            if status["state"] in ("halted", "complete", "withdrawn"):
                raise Failure(f"the rollout of {release} ended as {status['state']}: {json.dumps(status.get('log', [])[-3:])}")
            time.sleep(0.25)
        raise Failure(f"the rollout of {release} did not end within {seconds} s: {json.dumps(status)[:2000]}")

    def first_release(self):
        head("Release starter-1, ring by ring; each stage is promoted on what the sensors report")
        self.pack_and_push("starter-1", [ROOT / "rules"], "Starter content")
        begun = time.monotonic()
        soak = self.options.soak
        answer = self.ask("release", "starter-1", "--stage", f"internal:100:{soak}", "--stage", f"canary:50:{soak}", "--stage", f"general:50:{soak}")[0]
        status = self.follow(answer["rollout"], "starter-1", ("complete",))
        for entry in status.get("log", []):
            say(style("2", f"{entry.get('decision')}: {entry.get('reason')}"))
        self.wait("every sensor on starter-1", lambda: all(s["running_release"] == "starter-1" and s["state"] == "steady" for s in self.ask("sensor", "list")), 90)
        self.results.append(("starter-1", status, time.monotonic() - begun))

    def detect(self):
        head("Detections: something that really happens on this host, and the replayed Windows events")
        collector = self.collector()

        def described(found):
            return f"{found['rule_title']} ({found['level']}) on {found['host']}: " + ", ".join(f"{k}={found['inputs'].get(k)}" for k in found["matched"])

        def fifo():
            if os.path.exists(FIFO):
                os.unlink(FIFO)
            os.mkfifo(FIFO)
            return self.seen(FIFO)

        def program():
            subprocess.run(PROGRAM)
            return self.seen(PROGRAM[2])

        if collector == "ebpf":
            try:
                say(style("32", "live: ") + described(self.wait("the detection of the FIFO", fifo, 30)[0]))
            finally:
                if os.path.exists(FIFO) and stat.S_ISFIFO(os.lstat(FIFO).st_mode):
                    os.unlink(FIFO)
        elif collector == "process connector":
            say(style("32", "live: ") + described(self.wait("the detection of the started program", program, 60)[0]))
            held = json.loads(subprocess.run([str(self.bin / "creance-sensor"), "status", "--state", str(self.data / "sensors/internal-01"), "--json"], capture_output=True, text=True, check=True).stdout)["held_count"]
            say(style("33", f"not watched without eBPF: FIFOs and sockets; {held} rules are held on internal-01, `creance-sensor why` lists them"))
        else:
            say(style("33", "live: nothing; this host lets itself be watched neither through eBPF nor through the process connector (logs/internal-01.log says why)"))
        replayed = self.wait("detections in the replayed events", lambda: [d for d in self.ask("detections", "--limit", "500") if d["type"].startswith("windows.")], 60)
        for title in sorted({f"{d['rule_title']} ({d['level']})" for d in replayed})[:6]:
            say(style("32", "replayed: ") + title)

    def seen(self, text):
        return [d for d in self.ask("detections", "--limit", "200") if text in json.dumps(d.get("inputs", {}))]

    def second_release(self):
        head("Release starter-2, which kills the workers that take it")
        say("Its workers die at a named fault point that only the demonstration build of the worker has; the canaries run that build. Rehearsal does not reach the fault point.")
        say("It is kept from `internal` and the tripwires are off, so that the statistics must act: 20 canaries, 10 are told go and 10 hold.")
        self.pack_and_push("starter-2", [ROOT / "rules", ROOT / "share/demo/second-version"], "Goes wrong, for the demonstration")
        begun = time.monotonic()
        soak = self.options.soak
        answer = self.ask("release", "starter-2", "--no-tripwire", "--stage", f"canary:50:{soak * 4}", "--stage", f"general:100:{soak}")[0]
        status = self.follow(answer["rollout"], "starter-2", ("halted",))
        took = time.monotonic() - begun
        for entry in status.get("log", [])[-2:]:
            say(f"{style('31', str(entry.get('decision')))}: {entry.get('reason')}")
        self.wait("the exposed sensors back on starter-1", lambda: all(s["running_release"] == "starter-1" and s["state"] == "steady" for s in self.ask("sensor", "list")), 90)
        status = self.ask("rollout", "status", answer["rollout"])[0]
        say(style("32", "halted by itself; every exposed sensor is back on starter-1 without help; general never got starter-2"))
        self.results.append(("starter-2", status, took))
        self.verify_second(status)

    def verify_second(self, status):
        stages = {s["ring"]: s for s in status["stages"]}
        canary = stages["canary"]
        problems = []
        if (canary["exposed"], canary["held"]) != (10, 10):
            problems.append(f"exposed {canary['exposed']} and held {canary['held']}, not 10 and 10")
        if "general" in stages and stages["general"]["exposed"]:
            problems.append("a general host was exposed")
        if not canary.get("e", 0) >= canary.get("e_halt", 1e9):
            problems.append(f"E is {canary.get('e')}, not above {canary.get('e_halt')}")
        if problems:
            raise Failure("the halt was not as it must be: " + "; ".join(problems))

    def table(self):
        head("What happened")
        rows = [("RELEASE", "STAGE", "EXPOSED", "HELD", "CRASHED", "RETURNED", "E", "STATE", "TIME")]
        for release, status, seconds in self.results:
            for s in status["stages"]:
                rows.append((release, s["ring"], s["exposed"], s["held"], s["crashed"], s["returned"], number(s.get("e")), status["state"], f"{'halt' if status['state'] == 'halted' else 'done'} after {seconds:.1f} s"))
        widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
        for i, row in enumerate(rows):
            line = "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths))
            say(style("1", line) if i == 0 else line)
        sizes = {"internal": INTERNAL, "canary": CANARY, "general": GENERAL}
        if any(s["exposed"] + s["held"] > sizes.get(s["ring"], 0) for _, status, _ in self.results for s in status["stages"]):
            say(style("2", "Once a rollout is complete, those who were held take it too; they count with its last stage."))
        head("Look further")
        creance = os.path.relpath(self.bin / "creance", ROOT)
        say(f"export CREANCE_SERVER={self.url} CREANCE_TOKEN_FILE={self.data}/server/operator.token" + ("" if self.options.keep else "      # after ./quickstart --keep"))
        for command in ("sensor list", "rollout status", "detections", "sensor list --ring canary --json"):
            say(f"{creance} {command}")
        say(f"{os.path.relpath(self.bin / 'creance-sensor', ROOT)} status --state {self.data}/sensors/canary-01")
        if self.options.keep:
            say("Server and sensors keep running; stop them and remove every trace with ./quickstart --clean")

    def run(self):
        stop_all(self.data)
        shutil.rmtree(self.data, ignore_errors=True)
        (self.data / "logs").mkdir(parents=True)
        ok = False
        try:
            self.ceremony()
            self.serve()
            self.sensors()
            self.first_release()
            if self.options.test:
                self.check_sandboxes()
                self.check_rehearsals()
            self.detect()
            self.second_release()
            self.table()
            ok = True
        finally:
            if not (ok and self.options.keep):
                stop_all(self.data)


def bar(stage):
    """Of the exposed hosts: confirmed, known to have failed, still unknown."""
    whole = max(stage["exposed"], 1)
    good = round(8 * stage["confirmed"] / whole)
    bad = min(8 - good, round(8 * stage["crashed"] / whole))
    return style("32", "█" * good) + style("31", "▒" * bad) + "░" * (8 - good - bad)


def number(value):
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def tail(path, lines=8):
    try:
        return "\n".join("    " + line for line in path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def started_at(pid):
    """Start time of a process: with it a number in `pids` names one process and no later one."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return "0"


def stop_all(data):
    pids = data / "pids"
    if not pids.exists():
        return
    alive = []
    for line in pids.read_text().splitlines():
        number_text, since, _ = line.split(" ", 2)
        pid = int(number_text)
        if started_at(pid) == since:
            alive.append(pid)
    for sig, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        for pid in alive:
            try:
                os.kill(pid, sig) if sig == signal.SIGTERM else os.killpg(pid, sig)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + patience
        while alive and time.monotonic() < deadline:
            for pid in list(alive):
                try:
                    if os.waitpid(pid, os.WNOHANG)[0]:
                        alive.remove(pid)
                except ChildProcessError:
                    if not os.path.exists(f"/proc/{pid}"):
                        alive.remove(pid)
            time.sleep(0.05)
        if not alive:
            break
    pids.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin")
    parser.add_argument("--data", default=str(ROOT / ".quickstart"))
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--soak", type=float, default=5)
    parser.add_argument("--probation-ms", type=int, default=3000)
    options = parser.parse_args()
    data = pathlib.Path(options.data).resolve()
    if options.clean:
        stop_all(data)
        shutil.rmtree(data, ignore_errors=True)
        return 0
    if not options.bin:
        parser.error("--bin is needed")
    begun = time.monotonic()
    try:
        Demo(options).run()
    except Failure as failure:
        print(style("31", f"\nquickstart: {failure}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nquickstart: interrupted; everything is stopped", file=sys.stderr)
        return 130
    if options.test:
        shutil.rmtree(data, ignore_errors=True)
    print(f"\n  done in {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
