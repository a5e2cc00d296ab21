#!/usr/bin/env python3
"""Who may include whom. Reads every #include of src/ and fails on one that the table below does not allow; also keeps time, randomness
and files behind the seams. Usage: layers.py REPOSITORY | layers.py --self-test"""
import pathlib
import re
import sys
import tempfile

# part -> parts it may include (itself always). The longest matching prefix of a file's folder is its part.
ALLOWED = {
    "base": [],
    "schema": ["base"],
    "sigma": ["schema", "base"],
    "channel": ["schema", "base"],
    "compiler": ["sigma", "channel", "schema", "base"],
    "interpreter": ["channel", "schema", "base"],
    "reference": ["sigma", "schema", "base"],
    "events": ["schema", "base"],
    "scan": ["sigma", "compiler", "channel", "interpreter", "events", "schema", "base"],
    "validator": ["sigma", "compiler", "channel", "interpreter", "reference", "events", "schema", "base"],
    "trust": ["base"],
    "trust/core": ["base"],
    "plan": ["base"],
    "gates": ["plan", "base"],
    "sensor/supervise": ["base"],
    "sensor/worker": ["sensor/collect", "interpreter", "channel", "events", "schema", "base"],
    "sensor/collect": ["interpreter", "channel", "events", "schema", "base"],
    "sensor/admit": ["trust", "plan", "channel", "base"],
    "sensor/update": ["sensor/admit", "trust", "plan", "channel", "base"],
    "server": ["trust", "plan", "gates", "channel", "schema", "base"],
    "sim": None, "lab": None, "cli": None,  # any library
}
NEVER_INCLUDED = {"cli", "sim", "lab", "tests", "fuzz", "bench"}
# Outside facts come in through seams: these only in base/os, in adapters and in main files.
SEAMED = re.compile(r"\b(system_clock::now|steady_clock::now|std::random_device|sleep_for|sleep_until|getenv)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def part_of(path):
    pieces = path.split("/")[:-1]
    for n in range(len(pieces), 0, -1):
        name = "/".join(pieces[:n])
        if name in ALLOWED:
            return name
    return pieces[0] if pieces else ""


def allowed(source, target):
    if target == source or target.split("/")[0] == source or source.startswith(target + "/"):
        return True
    permitted = ALLOWED[source]
    if permitted is None:
        return target.split("/")[0] not in (NEVER_INCLUDED - {source})
    return any(target == p or target.startswith(p + "/") for p in permitted)


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def problems(root):
    src = pathlib.Path(root) / "src"
    found = []
    for file in sorted(src.rglob("*")):
        if file.suffix not in (".hpp", ".cpp", ".h", ".c"):
            continue
        relative = file.relative_to(src).as_posix()
        source = part_of(relative)
        if source not in ALLOWED:
            found.append(f"src/{relative}: folder `{source}` is not in the table of tests/architecture/layers.py")
            continue
        text = file.read_text(errors="replace")
        for match in INCLUDE.finditer(text):
            include = match.group(1)
            if include.startswith("generated/"):
                include = "schema/" + include
            if not (src / include).exists() and not include.startswith("schema/generated/"):
                continue
            target = part_of(include)
            line = text.count("\n", 0, match.start()) + 1
            if not allowed(source, target):
                found.append(f"src/{relative}:{line}: `{source}` may not include `{match.group(1)}` (part `{target}`)")
        seam_free = relative.startswith(("base/os/", "base/adapters/")) or file.stem == "main" or file.stem.endswith("_main") or source in ("cli", "lab")
        if not seam_free:
            for match in SEAMED.finditer(without_comments(text)):
                found.append(f"src/{relative}: `{match.group(0)}` belongs into base/os or a main file; take the value or the seam from outside")
    return found


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {
            "src/base/a.hpp": "",
            "src/compiler/c.hpp": "",
            "src/interpreter/bad.cpp": '#include "compiler/c.hpp"\n',
            "src/interpreter/good.cpp": '#include "base/a.hpp"\n',
            "src/gates/clock.cpp": "auto t = std::chrono::system_clock::now();\n",
        }.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        found = problems(root)
        assert len(found) == 2, found
        assert "src/interpreter/bad.cpp:1" in found[1] or "src/interpreter/bad.cpp:1" in found[0], found
    print("layers.py finds what it must")


if sys.argv[1] == "--self-test":
    self_test()
else:
    listed = problems(sys.argv[1])
    for problem in listed:
        print(problem)
    print(f"{len(listed)} forbidden includes or calls")
    sys.exit(1 if listed else 0)
