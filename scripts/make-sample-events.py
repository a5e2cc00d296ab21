#!/usr/bin/env python3
"""Makes share/demo/windows-sysmon.jsonl: a small, invented stretch of a Windows workstation's Sysmon log, for the quickstart and for tests.
Most of it is ordinary work; a few events are what a command-and-control tool leaves behind. The same every time.
Usage: make-sample-events.py > share/demo/windows-sysmon.jsonl"""
import json
import random
import sys

rng = random.Random(20240719)
HOST = "WS-0042.example.test"
USERS = ["EXAMPLE\\ana", "EXAMPLE\\ben", "NT AUTHORITY\\SYSTEM"]
record = 1000
clock_ms = 0


def guid():
    return "{" + "-".join("".join(rng.choice("0123456789abcdef") for _ in range(n)) for n in (8, 4, 4, 4, 12)) + "}"


def stamp():
    global clock_ms
    clock_ms += rng.randrange(20, 900)
    s = clock_ms // 1000
    return f"2026-11-20 08:{s // 60 % 60:02d}:{s % 60:02d}.{clock_ms % 1000:03d}"


def event(number, **fields):
    global record
    record += 1
    when = stamp()
    print(json.dumps({
        "Provider_Name": "Microsoft-Windows-Sysmon", "EventID": number, "Version": 5, "Level": 4, "Task": number, "Opcode": 0, "Keywords": "0x8000000000000000",
        "TimeCreated_SystemTime": when.replace(" ", "T") + "0000Z", "EventRecordID": record, "Execution_ProcessID": 2480, "Execution_ThreadID": 3120,
        "Channel": "Microsoft-Windows-Sysmon/Operational", "Computer": HOST, "Security_UserID": "S-1-5-18", "RuleName": "-", "UtcTime": when, **fields},
        separators=(",", ":"), ensure_ascii=False))


def process(image, command, parent="C:\\Windows\\explorer.exe", parent_command="C:\\Windows\\Explorer.EXE", user=None, original=None):
    event(1, ProcessGuid=guid(), ProcessId=str(rng.randrange(1000, 20000)), Image=image, FileVersion="10.0.19041.1", Description="-", Product="-", Company="-",
          OriginalFileName=original or image.rsplit("\\", 1)[-1], CommandLine=command, CurrentDirectory="C:\\Users\\ana\\", User=user or rng.choice(USERS),
          LogonGuid=guid(), LogonId=hex(rng.randrange(1 << 20)), TerminalSessionId="1", IntegrityLevel="Medium", Hashes="SHA256=" + "".join(rng.choice("0123456789ABCDEF") for _ in range(64)),
          ParentProcessGuid=guid(), ParentProcessId=str(rng.randrange(1000, 20000)), ParentImage=parent, ParentCommandLine=parent_command, ParentUser=user or "EXAMPLE\\ana")


def pipe(name, image, kind="CreatePipe"):
    event(17 if kind == "CreatePipe" else 18, EventType=kind, ProcessGuid=guid(), ProcessId=str(rng.randrange(1000, 20000)), PipeName=name, Image=image, User=rng.choice(USERS))


def file(image, target):
    event(11, ProcessGuid=guid(), ProcessId=str(rng.randrange(1000, 20000)), Image=image, TargetFilename=target, CreationUtcTime="2026-11-20 08:00:00.000", User="EXAMPLE\\ana")


def connection(image, address, port):
    event(3, ProcessGuid=guid(), ProcessId=str(rng.randrange(1000, 20000)), Image=image, User="EXAMPLE\\ana", Protocol="tcp", Initiated="true", SourceIsIpv6="false", SourceIp="192.0.2.17",
          SourceHostname=HOST, SourcePort=str(rng.randrange(49152, 65535)), SourcePortName="-", DestinationIsIpv6="false", DestinationIp=address, DestinationHostname="-",
          DestinationPort=str(port), DestinationPortName="https")


ORDINARY = [
    lambda: process("C:\\Program Files\\Editor\\editor.exe", f'"C:\\Program Files\\Editor\\editor.exe" "C:\\Users\\ana\\Documents\\note{rng.randrange(99)}.txt"'),
    lambda: process("C:\\Windows\\System32\\svchost.exe", f"C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s Schedule{rng.randrange(9)}", "C:\\Windows\\System32\\services.exe", "C:\\Windows\\system32\\services.exe", "NT AUTHORITY\\SYSTEM"),
    lambda: process("C:\\Windows\\System32\\cmd.exe", f"cmd.exe /c dir C:\\Build\\{rng.randrange(999)}"),
    lambda: process("C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe", f"powershell.exe -File C:\\Scripts\\inventory.ps1 -Page {rng.randrange(50)}", original="PowerShell.EXE"),
    lambda: pipe(f"\\chrome.{rng.randrange(9999)}.{rng.randrange(99)}", "C:\\Program Files\\Browser\\browser.exe"),
    lambda: pipe("\\wkssvc", "System", "ConnectPipe"),
    lambda: pipe(f"\\PSHost.{rng.randrange(10**9)}.DefaultAppDomain.powershell", "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"),
    lambda: file("C:\\Windows\\explorer.exe", f"C:\\Users\\ana\\Downloads\\report{rng.randrange(99)}.pdf"),
    lambda: connection("C:\\Program Files\\Browser\\browser.exe", f"198.51.100.{rng.randrange(1, 250)}", 443),
]
STRIKING = {
    60: lambda: process("C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe", "powershell.exe -NoP -W Hidden -Enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAKQA=", "C:\\Windows\\System32\\cmd.exe", "cmd.exe", original="PowerShell.EXE"),
    110: lambda: pipe("\\msagent_5c", "C:\\Users\\ana\\AppData\\Local\\Temp\\update.exe"),
    111: lambda: pipe("\\postex_ssh_9f31", "C:\\Windows\\System32\\rundll32.exe"),
    160: lambda: process("C:\\Windows\\System32\\rundll32.exe", "rundll32.exe C:\\Windows\\System32\\comsvcs.dll, MiniDump 640 C:\\Temp\\l.dmp full", "C:\\Windows\\System32\\cmd.exe", "cmd.exe"),
    200: lambda: process("C:\\Windows\\System32\\vssadmin.exe", "vssadmin.exe delete shadows /all /quiet", "C:\\Windows\\System32\\cmd.exe", "cmd.exe"),
}

for i in range(240):
    STRIKING.get(i, rng.choice(ORDINARY))()
sys.stdout.flush()
