#!/usr/bin/env python3
"""A hunt of all built-in rules by workers of one thread each, and on one machine: wall time, CPU time, and whether the findings are the same.

    python3 benches/cluster.py [--events N] [--runs N] [--workers N …] [--archive DIR] [--rules RULES] [--coldtrail PROGRAM]

Generates CloudAppEvents and ingests them once, as kql_against_duckdb.py does; `--archive DIR` keeps the archive there, or takes the one that is
there, such as `cargo bench --bench pack -- --archive DIR` leaves. Each run of each manner is one hunt into a file; manners take turns, medians are
shown. Workers run on this machine and are started before: their start is in no figure, that of the coordinator is in all. `alone` is
`--threads 1` without workers, and what the others are compared with; with workers the coordinator has one thread, too.

A machine with fewer cores than workers and coordinator shows what a cluster costs, and not what it gives: the table says how many it has. Ends
with 1 where findings differ.

Needs Linux, a release build of coldtrail, and about 300 MB of temporary disk for a million events.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The neighbour is read as it is, and nothing is left beside it.
sys.dont_write_bytecode = True
from kql_against_duckdb import TARGET, ingest  # noqa: E402

# CPU time of a process is counted in these.
TICKS = os.sysconf("SC_CLK_TCK")


class Worker:
    """A worker of one thread on a free port of this machine."""

    def __init__(self, coldtrail, archive, secret):
        line = [coldtrail, "worker", "-a", archive, "--listen", "127.0.0.1:0", "--secret-file", secret, "--threads", "1", "-q"]
        self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            self.process.kill()
            sys.exit(f"error: the worker does not listen: {first!r}")
        self.address = first.removeprefix("listening on ").strip()

    def cpu(self):
        """CPU seconds that it has taken so far."""
        # The second field is in brackets and may hold blanks.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def end(self):
        self.process.terminate()
        self.process.wait()


def hunt(line, workers):
    """Wall seconds, CPU seconds of the coordinator, those of all workers, and what the hunt said."""
    before = [worker.cpu() for worker in workers]
    started = time.monotonic()
    process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"error: {' '.join(line)} ended with {process.returncode}:\n{said}")
    theirs = sum(worker.cpu() - cpu for worker, cpu in zip(workers, before))
    return wall, usage.ru_utime + usage.ru_stime, theirs, said


def slowest(said):
    """The line of a hunt that names the rules that took longest, if it does: the first of them bounds what workers can give."""
    lines = (line for line in said.splitlines() if line.startswith("slowest: "))
    return next(lines, "")


def measure(arguments, archive, folder):
    """Prints the table; whether all findings are the same."""
    coldtrail = arguments.coldtrail
    secret = os.path.join(folder, "secret")
    subprocess.run([coldtrail, "-q", "worker", "--new-secret", secret], check=True)
    workers = [Worker(coldtrail, archive, secret) for _ in range(max(arguments.workers))]
    try:
        return compare(arguments, archive, folder, secret, workers)
    finally:
        for worker in workers:
            worker.end()


def compare(arguments, archive, folder, secret, workers):
    manners = {"alone, 1 thread": (["--threads", "1"], []), "alone, all cores": ([], [])}
    for count in arguments.workers:
        crew = workers[:count]
        at = ",".join(worker.address for worker in crew)
        name = f"{count} worker" + ("s" if count > 1 else "")
        manners[name] = (["--threads", "1", "--cluster", at, "--secret-file", secret], crew)
    took = {name: [] for name in manners}
    found, good, told = None, True, None
    for _ in range(arguments.runs):
        for name, (more, crew) in manners.items():
            out = os.path.join(folder, "findings.json")
            rules = [word for one in arguments.rules for word in ("-r", one)]
            line = [arguments.coldtrail, "hunt", "-a", archive, *rules, "--ignore-missing", "-f", "json", "-C", "-o", out, *more]
            wall, ours, theirs, said = hunt(line, crew)
            took[name].append((wall, ours, theirs))
            findings = Path(out).read_bytes()
            found, told = found or findings, told or slowest(said)
            if findings != found:
                good = False
                print(f"findings differ: {name}")
    print("| hunt | wall s | of alone | CPU s of the coordinator | CPU s of workers | CPU, of alone |")
    print("|---|---:|---:|---:|---:|---:|")
    middle = {name: [statistics.median(column) for column in zip(*runs)] for name, runs in took.items()}
    base_wall, base_cpu, _ = middle["alone, 1 thread"]
    for name, (wall, ours, theirs) in middle.items():
        print(f"| {name} | {wall:.2f} | {wall / base_wall:.2f} | {ours:.2f} | {theirs:.2f} | {(ours + theirs) / base_cpu:.2f} |")
    print(f"\n{told}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="events to generate (1,000,000)")
    parser.add_argument("--runs", type=int, default=3, help="hunts of each manner (3)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="how many workers (1 2 3)")
    parser.add_argument("--archive", help="keep the archive in this folder, or take the one that is there")
    parser.add_argument("--rules", nargs="+", default=["builtin"], help="rules (builtin)")
    parser.add_argument("--coldtrail", default=str(TARGET / "release/coldtrail"), help="the program (that of the target folder)")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        print("skipped: CPU time of workers is read from /proc, which only Linux has")
        return None
    if not os.access(arguments.coldtrail, os.X_OK):
        sys.exit(f"error: no program `{arguments.coldtrail}`; `cargo build --release` makes it, --coldtrail names another")
    with tempfile.TemporaryDirectory(prefix="coldtrail-cluster-") as folder:
        archive = arguments.archive or os.path.join(folder, "archive")
        if not os.path.isdir(os.path.join(archive, "Ingests")):
            ingest(arguments.coldtrail, archive, arguments.events)
            compact = [arguments.coldtrail, "-q", "archive", "compact", "-a", archive]
            subprocess.run(compact, stdout=subprocess.DEVNULL, check=True)
        print(f"{len(os.sched_getaffinity(0))} cores; medians of {arguments.runs} hunts of each manner, in turn\n")
        return 0 if measure(arguments, archive, folder) else 1


if __name__ == "__main__":
    sys.exit(main())
