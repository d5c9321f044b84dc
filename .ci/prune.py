"""Removes from a target folder the builds of dependencies that no artifact named on standard input (cargo's JSON messages) belongs to, and
builds of our own crate that nobody has touched for three days: each checkout has its own."""

import json
import os
import re
import shutil
import sys
import time

OWN = {"coldtrail", "libcoldtrail", "it", "ingest", "kql"}
OLD = time.time() - 3 * 24 * 3600

target = sys.argv[1]
used = set()
for line in sys.stdin:
    message = json.loads(line)
    paths = message.get("filenames", []) + [message.get("executable"), message.get("out_dir")]
    for path in filter(None, paths):
        used.update(re.findall(r"-([0-9a-f]{16})(?=[./\\]|$)", path))
if not used:
    sys.exit("cargo named no artifact; nothing is removed")

freed = removed = 0
for folder in ["deps", "build", ".fingerprint", "incremental"]:
    folder = os.path.join(target, folder)
    for entry in os.scandir(folder) if os.path.isdir(folder) else []:
        name = re.match(r"(.*)-([0-9a-z]{13,16})(\.|$)", entry.name)
        if name is None:
            continue
        own = name.group(1) in OWN or folder.endswith("incremental")
        if entry.stat().st_mtime > OLD if own else name.group(2) in used:
            continue
        inside = [entry.path] if entry.is_file() else [
            os.path.join(root, file) for root, _, files in os.walk(entry.path) for file in files
        ]
        freed += sum(os.lstat(path).st_size for path in inside)
        removed += 1
        os.remove(entry.path) if entry.is_file() else shutil.rmtree(entry.path)
print(f"{removed} builds that nothing uses any more removed, {freed / 1e6:.0f} MB")
