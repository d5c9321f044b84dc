#!/usr/bin/env python3
"""What one new record costs: into an empty archive, and into one that holds events already.

    benches/growth.py ARCHIVE [BINARY]

The archive is copied and stays as it is. Its first ingest is told apart: an archive of an older version gets what it lacks then.
Needs Linux: the peak of memory is read from /proc.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 7


def record(number):
    """An event that no archive has; each is of another day than the one before."""
    event = f"{number:08x}-feed-4000-8000-000000000000"
    return {
        "TimeGenerated": f"2026-06-{1 + number % 30:02}T09:00:00Z",
        "Type": "CloudAppEvents",
        "ActionType": "FileAccessed",
        "Application": "Microsoft SharePoint Online",
        "ReportId": f"growth_{event}",
        "RawEventData": {"Id": event, "Operation": "FileAccessed", "Workload": "SharePoint"},
    }


def measured(arguments):
    """Seconds, and the peak of memory in MiB."""
    started = time.monotonic()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0
    while process.poll() is None:
        try:
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]))
        except OSError:
            pass
        time.sleep(0.001)
    seconds = time.monotonic() - started
    if process.returncode != 0:
        sys.exit(process.stderr.read().decode())
    return seconds, peak / 1024


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = sys.argv[2] if len(sys.argv) > 2 else "target/release/coldtrail"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        full, empty = folder / "full", folder / "empty"
        shutil.copytree(sys.argv[1], full)
        costs = {full: [], empty: []}
        for number in range(RUNS + 1):
            export = folder / f"{number}.jsonl"
            export.write_text(json.dumps(record(number)) + "\n")
            for archive, own in costs.items():
                own.append(measured([binary, "ingest", "-q", str(export), "-a", str(archive)]))
        for name, own in [("empty", costs[empty]), ("full", costs[full])]:
            first, later = own[0], own[1:]
            seconds = statistics.median(cost[0] for cost in later)
            peak = max(cost[1] for cost in later)
            print(f"{name:6} first {first[0]:.3f} s, {first[1]:.0f} MiB; then {seconds:.3f} s, {peak:.0f} MiB")
        ratio = statistics.median(c[0] for c in costs[full][1:]) / statistics.median(c[0] for c in costs[empty][1:])
        print(f"one record into the full archive takes {ratio:.1f} times as long")


if __name__ == "__main__":
    main()
