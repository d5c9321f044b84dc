#!/usr/bin/env python3
"""Prints name, version, licence, origin and licence texts of every crate that the program for a target is made of.

    .ci/licences.py TARGET

Ends with 1 where a crate says no licence.
"""

import json
import pathlib
import subprocess
import sys

NAMES = ("licen", "copying", "notice", "unlicense", "copyright")


def linked(metadata):
    """Ids of the crates that the root reaches through normal dependencies."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    found, left = set(), [root]
    while left:
        for dep in nodes[left.pop()]["deps"]:
            is_normal = any(kind["kind"] is None for kind in dep["dep_kinds"])
            if is_normal and dep["pkg"] not in found:
                found.add(dep["pkg"])
                left.append(dep["pkg"])
    return found - {root}


def texts(package):
    """The licence files of a crate, by name."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = {path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(NAMES)}
    if package["license_file"]:
        files.add((folder / package["license_file"]).resolve())
    return sorted(files)


def main():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", sys.argv[1]]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    ids = linked(metadata)
    packages = [package for package in metadata["packages"] if package["id"] in ids]
    packages.sort(key=lambda package: (package["name"], package["version"]))
    without = [f"{p['name']} {p['version']}" for p in packages if not (p["license"] or p["license_file"])]
    if without:
        sys.exit(f"error: no licence is said by: {', '.join(without)}")
    seen = {}
    for package in packages:
        title = f"{package['name']} {package['version']}"
        print("=" * 80)
        print(title)
        print(f"licence: {package['license'] or package['license_file']}")
        if package["authors"]:
            print(f"authors: {', '.join(package['authors'])}")
        if package["repository"]:
            print(f"from: {package['repository']}")
        for path in texts(package):
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            print(f"\n--- {path.name}")
            # Equal texts stand once: hundreds of crates have the same Apache licence.
            print(f"as of {seen[text]}, above" if text in seen else text)
            seen.setdefault(text, f"{title}, {path.name}")
        print()


main()
