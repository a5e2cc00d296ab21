"""A virtual machine with the sensor in it: Debian's cloud kernel, a root of busybox and the built programs (read-only), and a data disk (disk.py). Started, reset, killed,
saved and restored through QMP; what it says comes over two serial lines: ttyS0 is the console, ttyS1 takes shell commands."""
import gzip
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ["virtio_pci", "virtio_blk", "virtio_net"]
PROGRAMS = ["creance-sensor", "creance-sensor-updater", "creance-sensor-admit", "creance-sensor-worker", "creance-sensor-worker-demo", "creance-sensor-collect-setup"]
MEMORY_MIB = 384
DATA_MIB = 64


class Unavailable(Exception):
    """What this machine lacks for a virtual machine; the test is skipped."""


class Trouble(Exception):
    """The machine did not do what it must."""


def run(command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, **more)
    if done.returncode != 0:
        raise Trouble(f"`{' '.join(str(part) for part in command)}` ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()[-800:]}")
    return done.stdout


class Image:
    """Kernel, first root and root, made once from Debian's packages and the built programs; `folder` keeps them between runs."""

    def __init__(self, folder, programs, say):
        self.folder, self.programs, self.say = pathlib.Path(folder), pathlib.Path(programs), say
        self.folder.mkdir(parents=True, exist_ok=True)
        for tool in ("qemu-system-x86_64", "mkfs.ext4"):
            if shutil.which(tool) is None:
                raise Unavailable(f"`{tool}` is missing; install it: scripts/install-packages vm")
        self.busybox = self._fetched("busybox", "busybox-static", "bin/busybox")
        self.fatrace = self._fetched("fatrace", "fatrace", "usr/sbin/fatrace")
        self.kernel = self._fetched("kernel", "linux-image-cloud-amd64", "boot/vmlinuz-*")
        self.initrd = self._initrd()
        self.root = self._root()

    def _fetched(self, name, package, file):
        """`file` out of a Debian package, or out of the first one that it depends on; unpacked here and never installed, so that the host's /boot stays as it is."""
        place = self.folder / name
        found = list(place.glob(file))
        if found:
            return found[0]
        begun = time.monotonic()
        if "*" in file:  # a package that only names the present kernel's
            depends = re.search(rf"Depends: ({package.split('-cloud')[0]}-\S+)", subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True).stdout)
            if depends is None:
                raise Unavailable(f"apt knows no {package} (apt-get update)")
            package = depends[1]
        self.say(f"fetching {package}")
        downloads, unpacked = self.folder / "downloads", self.folder / f"{name}.new"
        for folder in (downloads, unpacked):
            shutil.rmtree(folder, ignore_errors=True)
        downloads.mkdir()
        done = subprocess.run(["apt-get", "download", "-q", package], cwd=downloads, capture_output=True, text=True)
        packages = list(downloads.glob(f"{package}_*.deb"))
        if done.returncode != 0 or not packages:
            raise Unavailable(f"{package} cannot be fetched: {done.stderr.strip()[-300:]}")
        run(["dpkg-deb", "-x", packages[0], unpacked])
        shutil.rmtree(downloads)
        unpacked.rename(place)
        self.say(f"{package}: fetched and unpacked in {time.monotonic() - begun:.1f} s")
        return next(place.glob(file))

    def _initrd(self):
        """The modules that a disk and a network card need, in the order in which they depend on one another, and what goes on to the root."""
        modules = {path.stem.replace("-", "_"): path for path in (self.folder / "kernel").rglob("*.ko")}
        order = []

        def add(name):
            depends = re.search(rb"\0depends=([^\0]*)\0", b"\0" + modules[name].read_bytes())
            for other in (depends[1].decode().split(",") if depends and depends[1] else []):
                add(other.replace("-", "_"))
            if name not in order:
                order.append(name)

        for name in MODULES:
            if name in modules:
                add(name)
        tree = self.folder / "initrd.d"
        shutil.rmtree(tree, ignore_errors=True)
        for part in ("bin", "modules", "proc", "sys", "dev", "root"):
            (tree / part).mkdir(parents=True)
        shutil.copy(self.busybox, tree / "bin/busybox")
        for name in order:
            shutil.copy(modules[name], tree / "modules" / f"{name}.ko")
        (tree / "init").write_text("#!/bin/busybox sh\n/bin/busybox mount -t devtmpfs dev /dev\n/bin/busybox mount -t proc proc /proc\n"
                                   "case $(/bin/busybox cat /proc/cmdline) in *probe*) echo ':: probe'; exec /bin/busybox reboot -f ;; esac\n/bin/busybox umount /proc\n" + "".join(f"/bin/busybox insmod /modules/{name}.ko\n" for name in order) +
                                   "/bin/busybox mount -t ext4 -o ro /dev/vda /root\nexec /bin/busybox switch_root /root /bin/busybox sh /init\n")
        (tree / "init").chmod(0o755)
        archive = run([self.busybox, "cpio", "-o", "-H", "newc"], input="".join(f"{path.relative_to(tree)}\n" for path in sorted(tree.rglob("*"))).encode(), cwd=tree)
        out = self.folder / "initrd.gz"
        out.write_bytes(gzip.compress(archive, 1, mtime=0))
        return out

    def _root(self):
        """The programs as they were built, the libraries that they name, busybox, and init."""
        tree = self.folder / "root.d"
        shutil.rmtree(tree, ignore_errors=True)
        for part in ("bin", "sensor", "proc", "sys", "dev", "run", "tmp", "data", "etc/ssl/certs", "usr/lib", "usr/share", "var"):
            (tree / part).mkdir(parents=True)
        shutil.copy(self.busybox, tree / "bin/busybox")
        for name in subprocess.run([self.busybox, "--list"], capture_output=True, text=True).stdout.split():
            if name != "busybox":
                (tree / "bin" / name).symlink_to("busybox")
        shutil.copy(self.fatrace, tree / "bin/fatrace")
        for script in ("init", "trap"):
            shutil.copy(HERE / script, tree / script)
        for name, text in {"passwd": "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", "group": "root:x:0:\nnogroup:x:65534:\n", "hosts": "127.0.0.1 localhost\n",
                           "resolv.conf": "nameserver 10.0.2.3\n", "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n", "hostname": "vm\n"}.items():
            (tree / "etc" / name).write_text(text)
        libraries = set()
        for name in PROGRAMS:
            source = self.programs / name
            if not source.exists():
                raise Trouble(f"`{source}` is missing; build it: scripts/build-programs")
            run(["objcopy", "--strip-debug", source, tree / "sensor" / name])
            libraries |= set(re.findall(r"(/\S+) \(0x", run(["ldd", source]).decode()))
        for library in libraries:
            place = tree / library.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)
        out = self.folder / "root.ext4"
        mebibytes = 16 + sum(path.stat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink()) * 5 // 4 // 2**20
        out.unlink(missing_ok=True)
        run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", tree, out, f"{mebibytes}M"])
        return out

    def empty_data(self):
        """A data disk: an empty ext4, as Debian makes it."""
        out = self.folder / "data.ext4"
        out.unlink(missing_ok=True)
        run(["mkfs.ext4", "-q", "-F", out, f"{DATA_MIB}M"])
        image = out.read_bytes()
        out.unlink()
        return image


def accelerator(image, folder, say):
    """KVM where it really runs an ordinary kernel (a /dev/kvm that opens does not say so: some kinds of KVM run kernels alone that were made for them); else the emulator, which is slower.
    Deadlines are longer by the second value."""
    why = "/dev/kvm does not open"
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        why = "KVM is there, but does not run an ordinary kernel"
        with open(folder / "probe.log", "wb") as log:
            probe = subprocess.Popen(["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", *machine_of("kvm"), "-m", "256", "-kernel", image.kernel, "-initrd", image.initrd,
                                      "-append", "console=ttyS0 quiet panic=-1 probe", "-serial", "stdio", "-no-reboot"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                probe.wait(15)
            except subprocess.TimeoutExpired:
                probe.kill()
                probe.wait()
        if b":: probe" in (folder / "probe.log").read_bytes():
            return "kvm", 1
    say(f"{why}: the machine is emulated, and slower")
    return "tcg", 6


def machine_of(accel):
    # Without arch-capabilities: some hosts refuse to set that register, and nothing here needs it.
    return ["-machine", "q35", "-accel", "tcg,tb-size=128" if accel == "tcg" else accel, "-cpu", "host,-arch-capabilities" if accel == "kvm" else "max", "-smp", "2" if accel == "kvm" else "1"]


class Line:
    """One serial line of the machine: keeps every line that came, with the time at which it came."""

    def __init__(self, path, log):
        self.lines, self.changed, self.log = [], threading.Condition(), open(log, "ab")
        self.socket = connect(path)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while True:
            try:
                part = self.socket.recv(65536)
            except OSError:
                part = b""
            with self.changed:
                if not part:
                    self.changed.notify_all()
                    return
                self.log.write(part)
                self.log.flush()
                rest += part
                *whole, rest = rest.split(b"\n")
                for line in whole:
                    self.lines.append((time.monotonic(), line.decode(errors="replace").rstrip("\r")))
                self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.lines)

    def wait(self, pattern, since=0, seconds=60, what="", alive=lambda: True):
        """The first line from `since` on that has `pattern`: (match, index after it)."""
        deadline, at = time.monotonic() + seconds, since
        expression = re.compile(pattern)
        with self.changed:
            while True:
                while at < len(self.lines):
                    found = expression.search(self.lines[at][1])
                    at += 1
                    if found:
                        return found, at
                left = deadline - time.monotonic()
                if left <= 0 or not alive():
                    raise Trouble(f"{what or 'the line `' + pattern + '`'} did not come within {seconds:.0f} s; the console ends with:\n" + "\n".join("    " + line for _, line in self.lines[-25:]))
                self.changed.wait(min(left, 1.0))

    def since(self, index):
        with self.changed:
            return [line for _, line in self.lines[index:]]


def connect(path, seconds=10):
    deadline = time.monotonic() + seconds
    while True:
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.connect(str(path))
            return peer
        except OSError:
            peer.close()
            if time.monotonic() > deadline:
                raise Trouble(f"`{path}` does not answer")
            time.sleep(0.01)


class Machine:
    """One QEMU process. `disk`: the data disk. `restore`: a saved state of the memory to go on from."""

    def __init__(self, image, disk, folder, accel, restore=None):
        self.folder, self.disk, self.accel, self.patience = pathlib.Path(folder), disk, accel[0], accel[1]
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("qmp", "console", "commands"):
            (self.folder / name).unlink(missing_ok=True)
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", *machine_of(self.accel), "-m", str(MEMORY_MIB),
                   "-kernel", image.kernel, "-initrd", image.initrd, "-append", "console=ttyS0 quiet loglevel=4 panic=1 oops=panic sysrq_always_enabled cgroup_no_v1=all mitigations=off 8250.nr_uarts=2",
                   "-drive", f"if=virtio,format=raw,readonly=on,file={image.root}", "-drive", f"if=virtio,format=raw,cache=writeback,file.driver=nbd,file.server.type=unix,file.server.path={disk.path}",
                   "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
                   *[part for name in ("console", "commands") for part in ("-chardev", f"socket,id={name},path={self.folder / name},server=on,wait=off", "-serial", f"chardev:{name}")],
                   "-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off"]
        if restore:
            command += ["-incoming", f"exec:cat {restore}"]
        self.begun = time.monotonic()
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.folder / "qemu.log", "ab"), start_new_session=True)
        self.console = Line(self.folder / "console", self.folder / "console.log")
        self.commands = Line(self.folder / "commands", self.folder / "commands.log")
        self.qmp_file = connect(self.folder / "qmp").makefile("rwb", buffering=0)
        self.events = []
        json.loads(self.qmp_file.readline())
        self.qmp("qmp_capabilities")
        self.asked = 0
        if restore:
            while self.qmp("query-status")["status"] == "inmigrate":
                time.sleep(0.02)
            self.qmp("cont")  # it was saved standing still

    def qmp(self, command, **arguments):
        self.qmp_file.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            line = self.qmp_file.readline()
            if not line:
                raise Trouble(f"QEMU has gone; see {self.folder}/qemu.log")
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Trouble(f"QMP {command}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def alive(self):
        return self.process.poll() is None

    def wait(self, pattern, since=0, seconds=60, what=""):
        return self.console.wait(pattern, since, seconds * self.patience, what, self.alive)

    def shell(self, command, seconds=30, check=True):
        """Runs a command in the machine; its output."""
        self.asked += 1
        end, since = f"=={os.getpid()}.{self.asked}==", self.commands.mark()
        self.commands.socket.sendall(f"{command} ; echo {end} $?\n".encode())
        found, after = self.commands.wait(re.escape(end) + r" (\d+)$", since, seconds * self.patience, f"the answer of `{command[:80]}`", self.alive)
        output = "\n".join(self.commands.since(since)[:after - since - 1])
        if check and found[1] != "0":
            raise Trouble(f"in the machine `{command}` ended with {found[1]}: {output[-800:]}")
        return output

    def reset(self):
        self.qmp("system_reset")

    def save(self, path):
        """Memory and devices into a file, and what the data disk holds at that moment; the machine then goes on."""
        self.qmp("stop")
        self.qmp("migrate", uri=f"exec:cat > {path}")
        while (state := self.qmp("query-migrate").get("status")) not in ("completed", "failed"):
            time.sleep(0.02)
        if state == "failed":
            raise Trouble("the machine's state cannot be saved")
        image = self.disk.contents()
        self.qmp("cont")
        return image

    def kill(self):
        """As a power cut: without a word to anyone in it."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.alive():
            self.kill()
        self.disk.close()
