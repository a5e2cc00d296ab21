#!/usr/bin/env python3
"""What the sensor costs its host, measured with the real processes and eBPF: processor time, memory, latency, losses. Needs root; see docs/benchmarks.md.

  sensor_bench.py --bin DIR [--rules FOLDER ...] [--only cost,latency,loss,swap,memory] [--rounds N] [--seconds S] [--loads exec,connect,mknod] [--json FILE]
  sensor_bench.py --bin DIR --smoke      one second of everything at a low rate; fails if it does not run, count exactly or loses something; 77 where eBPF is refused

Processor time: rounds alternate between the load alone, with the sensor, and with a floor (a BPF program that only says that there was an event). Ratio = (load + watcher) / load alone;
what the kernel programs take is in the load's own time. Latency: from before the system call until the detection comes to the reader of detections (the updater's end of the socket); beside it,
in the same moments, a bare wake-up: what it takes this machine to let an ordinary process run that waits in epoll. An event needs two of these.
A marked process start is measured from the execve of a process that runs already: making one and waiting for its first turn is not the sensor's.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RATES = {"exec": 1_000, "connect": 20_000, "mknod": 20_000}
MARKS_PER_SECOND = 200
SKIPPED = 77


class Failure(Exception):
    """What went wrong, and where to look."""


def cpu_of(pid):
    """Processor seconds of a process, of its threads and of its children that have ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def children_of(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def program_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode().rpartition("/")[2]
    except OSError:
        return "?"


def until(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failure(f"waited {seconds} s in vain for {what}")


class Bench:
    def __init__(self, options):
        self.options = options
        self.bin = pathlib.Path(options.bin).resolve()
        self.tool = str(self.bin / "creance_sensor_bench")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="creance-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
        self.state = self.work / "state"
        self.result = {"load_average": os.getloadavg()[0]}
        self.first = 0

    def close(self):
        shutil.rmtree(self.work, ignore_errors=True)

    # --- what is measured

    def prepare(self, rules=None):
        done = subprocess.run([self.tool, "set", str(self.state), *(self.options.rules if rules is None else rules)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(done.stderr)
        made = json.loads(done.stdout)
        self.sets = made["sets"]
        if rules is None:
            self.result["rules"], self.result["channels"] = made["rules"], made["channels"]

    @contextlib.contextmanager
    def sensor(self, *more):
        """A sensor that watches this host and runs the first set, from its first report until the block ends."""
        for name in ("report", "arrivals", "offer"):
            (self.state / "pretend" / name).unlink(missing_ok=True)
        log = open(self.work / "log", "ab")
        process = subprocess.Popen([str(self.bin / "creance-sensor"), "run", "--state", str(self.state), "--live", "--updater", self.tool, "--admit", str(self.bin / "creance_sensor_pretend"), "--probation-ms", "500", *more],
                                   stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            until("the sensor to run", lambda: process.poll() is not None or self.report().get("running") == self.sets[0])
            if process.poll() is not None or "eBPF" not in (self.work / "log").read_text():
                raise Failure("the sensor does not watch this host by eBPF:\n" + (self.work / "log").read_text()[-2000:])
            yield process.pid
        finally:
            process.terminate()
            process.wait()
            log.close()

    def report(self):
        try:
            words = (self.state / "pretend/report").read_text().split()
        except OSError:
            return {}
        return {"state": words[0], "running": words[1], "events": int(words[2]), "matches": int(words[3]), "lost": int(words[4]), "lost_detections": int(words[5])} if len(words) == 6 else {}

    def settled(self):
        """The report once its matches do not grow any more: the worker tells twice a second, the supervisor five times."""
        last, since = None, time.monotonic()
        while last is None or time.monotonic() - since < 1.5:
            now = self.report()
            if last is None or now.get("matches") != last.get("matches"):
                since = time.monotonic()
            last = now
            time.sleep(0.05)
        return last

    def processes(self, supervisor):
        return {program_of(pid): pid for pid in [supervisor, *children_of(supervisor)]}

    def cost_of(self, supervisor):
        """The sensor's own: not the stand-ins that read detections and answer for admit here."""
        own = {name: pid for name, pid in self.processes(supervisor).items() if name in ("creance-sensor", "creance-sensor-worker")}
        return {name: cpu_of(pid) for name, pid in own.items()}

    def load(self, kind, rate, seconds, marks=0, exact=False, start=False):
        command = [self.tool, "load", kind, "--rate", str(rate), "--seconds", str(seconds), "--program", str(self.bin / "creance_sensor_nothing"), "--folder", str(self.work), "--first", str(self.first)]
        if marks:
            command += ["--marked-each", str(max(1, rate // marks))]
        if exact:
            command.append("--exact")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return process if start else self.loaded(process)

    def loaded(self, process):
        text = process.communicate()[0]
        if process.returncode != 0:
            raise Failure("the load generator failed: " + text)
        done = json.loads(text)
        done["first"] = self.first
        self.first += done["marks"]
        return done

    def arrivals(self):
        try:
            lines = (self.state / "pretend/arrivals").read_text().splitlines()
        except OSError:
            return []
        return [tuple(int(word) for word in line.split()) for line in lines if line.count(" ") == 2]

    def marked(self, done):
        """Latencies in seconds of a load's marks, once all are there or nothing more comes. And how many are missing or came twice."""
        mine = lambda: [a for a in self.arrivals() if done["first"] <= a[0] < done["first"] + done["marks"]]
        last = (-1, time.monotonic())
        while True:
            came = mine()
            if len({a[0] for a in came}) == done["marks"] or time.monotonic() - last[1] > 2:
                break
            if len(came) != last[0]:
                last = (len(came), time.monotonic())
            time.sleep(0.05)
        return sorted((a[2] - a[1]) / 1e9 for a in came), done["marks"] - len({a[0] for a in came}), len(came) - len({a[0] for a in came})

    # --- figures

    def cost(self):
        """Alternating rounds; the sensor starts for each, and is idle before the load begins."""
        for kind in self.options.loads:
            rate, seconds = RATES[kind], self.options.seconds
            rounds = []
            for _ in range(self.options.rounds):
                alone = self.load(kind, rate, seconds)
                with self.floor() as floor:
                    before = cpu_of(floor.pid)
                    under_floor = self.load(kind, rate, seconds)
                    floor_cpu = cpu_of(floor.pid) - before
                with self.sensor() as supervisor:
                    before = self.cost_of(supervisor)
                    with_sensor = self.load(kind, rate, seconds)
                    after = self.cost_of(supervisor)
                    own = {name: after[name] - before[name] for name in before}
                rounds.append({"alone": alone["cpu"] / seconds, "floor": (under_floor["cpu"] + floor_cpu) / seconds, "load": with_sensor["cpu"] / seconds, "worker": own["creance-sensor-worker"] / seconds,
                               "supervisor": own["creance-sensor"] / seconds, "ratio": (with_sensor["cpu"] + sum(own.values())) / alone["cpu"], "ratio_floor": (under_floor["cpu"] + floor_cpu) / alone["cpu"],
                               "late": max(alone["late"], with_sensor["late"])})
            with self.sensor(), self.bpf() as programs:
                done = self.load(kind, rate, seconds)
            ours = {name: p for name, p in programs.items() if name.startswith(("on_exec", "enter_", "exit_", "leave"))}
            result = {key: spread([r[key] for r in rounds]) for key in rounds[0]}
            result["bpf_us_per_event"] = sum(p["ns"] for p in ours.values()) / 1e3 / done["done"]
            result["bpf_missed"] = sum(p["missed"] for p in ours.values())
            result["bpf"] = {name: f"{p['runs']} × {p['ns'] / p['runs']:.0f} ns" for name, p in ours.items()}
            self.show("cost", kind, result)

    @contextlib.contextmanager
    def floor(self):
        process = subprocess.Popen([self.tool, "floor"], stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            raise Failure("the floor does not run")
        yield process
        process.terminate()
        process.communicate()

    @contextlib.contextmanager
    def bpf(self):
        """BPF run time of the block, for all loaded programs; itself some 40 ns a run, and so not part of the rounds that are compared."""
        programs = {}
        process = subprocess.Popen([self.tool, "bpf"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            raise Failure("no BPF statistics")
        yield programs
        programs.update(json.loads(process.communicate()[0]))

    def latency(self):
        for kind in self.options.loads:
            all_of, wakes = [], []
            with self.sensor():
                for _ in range(self.options.rounds):
                    bare = subprocess.Popen([self.tool, "wake", str(self.options.seconds), str(MARKS_PER_SECOND)], stdout=subprocess.PIPE, text=True)
                    done = self.load(kind, RATES[kind], self.options.seconds, marks=MARKS_PER_SECOND)
                    wakes.append(json.loads(bare.communicate()[0]))
                    latencies, missing, twice = self.marked(done)
                    if missing or twice:
                        raise Failure(f"{kind}: of {done['marks']} marked events {missing} are missing and {twice} came twice; {self.report()}")
                    all_of += latencies
            all_of.sort()
            at = lambda share: all_of[min(len(all_of) - 1, int(len(all_of) * share))] * 1e3
            wake = {share: statistics.median(w[share] for w in wakes) for share in ("p50", "p99", "p999")}
            self.show("latency_ms", kind, {"events": len(all_of), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": all_of[-1] * 1e3, "wake_p50": wake["p50"], "wake_p99": wake["p99"], "wake_p999": wake["p999"], "p99_of_wakes": at(0.99) / wake["p99"]})
        self.latency_of_single_events()

    def latency_of_single_events(self):
        with self.sensor():
            done = self.load("mknod", 20, self.options.seconds, marks=20)
            latencies, _, _ = self.marked(done)
            self.show("latency_ms", "mknod, 20 a second", {"events": len(latencies), "p50": statistics.median(latencies) * 1e3, "max": latencies[-1] * 1e3})

    def loss(self):
        """Exactly: each event of the load matches one of 256 rules of its own, so that the growth of the matches is the number of events that were evaluated.
        Without other rules, since those may match what else happens on this host."""
        self.prepare([])
        for kind in self.options.loads:
            for times in self.options.times:
                with self.sensor():
                    before = self.settled()
                    done = self.load(kind, RATES[kind] * times, self.options.seconds, exact=True)
                    after = self.settled()
                    self.show("loss", f"{kind}, {times} × {RATES[kind]:,} a second", {"events": done["done"], "rate": done["done"] / done["elapsed"], "evaluated": after["matches"] - before["matches"], "lost": after["lost"] - before["lost"]})
                    if times == 1 and after["matches"] - before["matches"] != done["done"]:
                        raise Failure(f"{kind}: {done['done']} events were made and {after['matches'] - before['matches']} evaluated")
        self.prepare()
        self.loss_when_a_worker_dies()

    def loss_when_a_worker_dies(self):
        for kind in self.options.loads:
            with self.sensor() as supervisor:
                process = self.load(kind, RATES[kind], self.options.seconds + 2, marks=MARKS_PER_SECOND, start=True)
                time.sleep(1)
                os.kill(self.processes(supervisor)["creance-sensor-worker"], 9)
                done = self.loaded(process)
                latencies, missing, twice = self.marked(done)
                self.show("loss", f"{kind}, worker killed", {"events": done["done"], "marks": done["marks"], "missing": missing, "twice": twice, "lost": self.report()["lost"], "longest_ms": latencies[-1] * 1e3})

    def swap(self):
        for kind in self.options.loads:
            with self.sensor():
                process = self.load(kind, RATES[kind], self.options.seconds + 3, marks=MARKS_PER_SECOND, start=True)
                time.sleep(0.5)
                (self.state / "pretend/offer.new").write_text(self.sets[1] + " go\n")
                os.rename(self.state / "pretend/offer.new", self.state / "pretend/offer")
                done = self.loaded(process)
                until("the new set to run", lambda: self.report().get("running") == self.sets[1])
                latencies, missing, twice = self.marked(done)
                self.show("swap", kind, {"events": done["done"], "marks": done["marks"], "missing": missing, "twice": twice, "lost": self.report()["lost"], "p99_ms": latencies[int(len(latencies) * 0.99)] * 1e3, "longest_ms": latencies[-1] * 1e3})
            self.prepare()  # the first set is the good one again

    def memory(self):
        """With the real updater, enrolled at a real server, and the worker under load. admit is there for a moment at a time."""
        keys = self.work / "keys"
        keys.mkdir()
        run = lambda *command: subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for person in ("a", "b"):
            run(str(self.bin / "creance"), "keys", "create", "--out", str(keys / person), "--no-passphrase")
        data, port = self.work / "server", self.work / "port"
        run(str(self.bin / "creance-server"), "init", "--data", str(data), "--content-threshold", "2", "--content-key", str(keys / "a.pub"), "--content-key", str(keys / "b.pub"))
        server = subprocess.Popen([str(self.bin / "creance-server"), "run", "--data", str(data), "--listen", "127.0.0.1:0", "--port-file", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = "http://127.0.0.1:" + until("the server", lambda: port.exists() and port.read_text().strip())
            token = run(str(self.bin / "creance"), "sensor", "token", "--tenant", "bench", "--count", "1", "--server", url, "--token-file", str(data / "operator.token")).split()[0]
            before, self.state = self.state, self.work / "enrolled"
            self.state.mkdir()
            run(str(self.bin / "creance-sensor"), "enrol", "--state", str(self.state), "--server", url, "--token", token, "--hostname", "bench")
            identity = (self.state / "identity.json").read_bytes()
            self.prepare()
            (self.state / "identity.json").write_bytes(identity)
            log = open(self.work / "log", "ab")
            sensor = subprocess.Popen([str(self.bin / "creance-sensor"), "run", "--state", str(self.state), "--live"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            try:
                until("the worker", lambda: {"creance-sensor-worker", "creance-sensor-updater"} <= set(self.processes(sensor.pid)))
                time.sleep(2)
                for kind in self.options.loads:
                    self.load(kind, RATES[kind], 1, marks=MARKS_PER_SECOND)
                time.sleep(2)
                told = memory_of(self.processes(sensor.pid))
                for name, values in told.items():
                    self.show("memory_kib", name, values)
                self.show("memory_kib", "together", {key: sum(values[key] for values in told.values()) for key in ("Rss", "Pss", "Private_Dirty")})
            finally:
                sensor.terminate()
                sensor.wait()
                self.state = before
        finally:
            server.terminate()
            server.wait()

    def smoke(self):
        self.options.seconds, self.options.rounds, self.options.times = 0.3, 1, [1]
        for kind in RATES:
            RATES[kind] = 200
        try:
            with self.floor():
                pass
        except Failure:
            print("skipped: BPF is refused to this process")
            return SKIPPED
        with self.sensor() as supervisor:
            for kind in self.options.loads:
                before = self.settled()
                done = self.load(kind, RATES[kind], self.options.seconds, exact=True)
                evaluated = self.settled()["matches"] - before["matches"]
                if evaluated != done["done"]:
                    raise Failure(f"{kind}: {done['done']} events were made and {evaluated} evaluated; {self.report()}")
                marked = self.load(kind, RATES[kind], self.options.seconds, marks=50)
                _, missing, twice = self.marked(marked)
                if missing or twice or self.report()["lost"]:
                    raise Failure(f"{kind}: of {marked['marks']} marked events {missing} are missing, {twice} came twice; {self.report()}")
            if not {"creance-sensor", "creance-sensor-worker"} <= set(memory_of(self.processes(supervisor))):
                raise Failure("the sensor's processes are not found")
        print("runs, counts exactly, loses nothing")
        return 0

    def show(self, table, row, values):
        self.result.setdefault(table, {})[row] = values
        print(f"{table:<11} {row:<34} " + "  ".join(f"{key} {text_of(value)}" for key, value in values.items()), flush=True)


def memory_of(processes):
    out = {}
    for name, pid in processes.items():
        try:
            fields = dict(line.split(":") for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        except OSError:
            continue
        out[name] = {key: int(fields[key].split()[0]) for key in ("Rss", "Pss", "Private_Dirty")}
    return out


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def text_of(value):
    if isinstance(value, dict) and "median" in value:
        return f"{value['median']:.3f} ({value['min']:.3f}–{value['max']:.3f})"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rules", nargs="*", default=[])
    parser.add_argument("--only", default="cost,latency,loss,swap,memory")
    parser.add_argument("--loads", default="exec,connect,mknod")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--times", default="1,2,5")
    parser.add_argument("--json")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    options.loads = options.loads.split(",")
    options.times = [int(word) for word in options.times.split(",")]
    bench = Bench(options)
    try:
        bench.prepare()
        if options.smoke:
            return bench.smoke()
        for figure in options.only.split(","):
            getattr(bench, figure)()
        bench.result["load_average_after"] = os.getloadavg()[0]
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(bench.result, indent=1) + "\n")
        return 0
    except Failure as failure:
        print(f"sensor_bench: {failure}\n" + (bench.work / "log").read_text()[-1500:] if (bench.work / "log").exists() else f"sensor_bench: {failure}", file=sys.stderr)
        return 1
    finally:
        bench.close()


if __name__ == "__main__":
    sys.exit(main())
