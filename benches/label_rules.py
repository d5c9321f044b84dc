#!/usr/bin/env python3
"""The sixteen label rules of version 0.1 beside one count of label events, in turn: wall and CPU time.

    python3 benches/label_rules.py [--coldtrail PROGRAM] [--runs N] [--events N]

Over `sample-data`, a hunt of them may take five times as long as `SELECT count(*) FROM "LabelEvents"`, over a million events without labels three
times. There is no watchlist beside these: with one, `critical-file-touched` looks for its files among all events, and is measured by itself. All the
rules of `builtin:mip` are measured, too. Each run is a process of its own; the least of the runs is told, and the ratios of these. It ends with an
error when a ratio of wall times is beyond its bound.

Needs Linux, and the program of `cargo build --release`.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

RULES = [
    "access-denied-to-protected-document",
    "critical-file-touched",
    "document-sensitivity-mismatch",
    "downgrade-justification-missing-or-one-word",
    "label-activity-peak",
    "label-downgraded",
    "label-policy-changed",
    "label-removed",
    "label-removed-by-app",
    "label-removed-then-shared-or-downloaded",
    "labelled-file-renamed",
    "many-access-denials",
    "mass-label-removal-or-downgrade",
    "protected-file-opened-by-guest-or-new-country",
    "risky-signin-then-label-removal",
    "super-user-decryption",
]

OPERATIONS = ["FileAccessed", "FileModified", "FileDownloaded", "FileUploaded", "FileSyncDownloadedFull"]


def unlabelled(path, events):
    """Audit records of a month in which nobody touches a label."""
    chance = random.Random(7)
    begin = datetime(2026, 5, 1)
    step = timedelta(days=30) / events
    with open(path, "w", encoding="utf-8") as out:
        for number in range(events):
            user = f"user{chance.randrange(500)}@contoso.com"
            document = f"https://contoso.sharepoint.com/sites/s{chance.randrange(40)}/Shared Documents/f{chance.randrange(20000)}.docx"
            record = {
                "CreationTime": (begin + number * step).strftime("%Y-%m-%dT%H:%M:%S"),
                "Id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                "Operation": chance.choice(OPERATIONS),
                "OrganizationId": "5d26137c-a741-42e6-93a9-aed857efb7f0",
                "RecordType": 6,
                "UserKey": user,
                "UserType": 0,
                "Version": 1,
                "Workload": "SharePoint",
                "ClientIP": f"192.0.2.{chance.randrange(256)}",
                "ObjectId": document,
                "UserId": user,
                "ItemType": "File",
                "SourceFileName": document.rsplit("/", 1)[1],
            }
            out.write(json.dumps(record) + "\n")


def taken(command):
    """Seconds of the clock and of the CPU."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(what, coldtrail, archive, runs, bound):
    """Measures one archive, and tells whether it is within the bound, where there is one."""
    hunt = [coldtrail, "hunt", "-q", "-a", str(archive), "--ignore-missing", "-f", "json", "-o", os.devnull, "-C"]
    commands = {
        "count": [coldtrail, "sql", "-q", "-a", str(archive), 'SELECT count(*) FROM "LabelEvents"'],
        "sixteen rules": [*hunt, *(argument for rule in RULES for argument in ("-r", rule))],
        "builtin:mip": [*hunt, "-r", "builtin:mip"],
    }
    times = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(taken(command))
    least = {name: [min(column) for column in zip(*own)] for name, own in times.items()}
    print(what)
    for name, (wall, cpu) in least.items():
        ratios = [wall / least["count"][0], cpu / least["count"][1]]
        print(f"  {name:14} {wall:.3f} s, {ratios[0]:.2f} times the count; CPU {cpu:.3f} s, {ratios[1]:.2f} times")
    return bound is None or least["sixteen rules"][0] <= bound * least["count"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coldtrail", default=str(ROOT / "target/release/coldtrail"), help="the program")
    parser.add_argument("--runs", type=int, default=15, help="runs of each (15)")
    parser.add_argument("--events", type=int, default=1_000_000, help="events without labels (a million)")
    arguments = parser.parse_args()
    if not Path(arguments.coldtrail).is_file():
        sys.exit(f"error: no program `{arguments.coldtrail}`; `cargo build --release` makes it, --coldtrail names another")
    coldtrail = str(Path(arguments.coldtrail).resolve())
    with tempfile.TemporaryDirectory(prefix="coldtrail-label-rules-") as folder:
        folder = Path(folder)
        sample, month, export = folder / "sample", folder / "month", folder / "month.jsonl"
        taken([coldtrail, "ingest", "-q", "sample-data", "-a", str(sample)])
        unlabelled(export, arguments.events)
        taken([coldtrail, "ingest", "-q", str(export), "-a", str(month)])
        export.unlink()
        without = f"{arguments.events:,} events without labels"
        within = [
            compare("sample-data", coldtrail, sample, arguments.runs, 5),
            compare(without, coldtrail, month, arguments.runs, 3),
        ]
        taken([coldtrail, "ingest", "-q", "sample-data/watchlists", "-a", str(month)])
        compare(f"{without}, and the watchlists of sample-data", coldtrail, month, arguments.runs, None)
    if not all(within):
        sys.exit("a hunt of the sixteen rules takes longer than it may")


if __name__ == "__main__":
    main()
