#!/usr/bin/env python3
"""Packs a folder with checksums of its files, and prints the sizes of program and archive.

    .ci/archive.py FOLDER OUT

`.zip` where the folder's name says Windows, else `.tar.gz`; the same files and SOURCE_DATE_EPOCH give the same bytes.
"""

import gzip
import hashlib
import os
import pathlib
import sys
import tarfile
import time
import zipfile

folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
# The earliest time that a zip archive can say.
epoch = max(int(os.environ["SOURCE_DATE_EPOCH"]), 315532800)


def files():
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.as_posix())


def is_program(path):
    return path.parent == folder and path.stem == "coldtrail"


def name(path):
    return path.relative_to(folder.parent).as_posix()


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


sums = [f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files()]
(folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8", newline="\n")

if "windows" in folder.name:
    archive = out / f"{folder.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in files():
            member = zipfile.ZipInfo(name(path), time.gmtime(epoch)[:6])
            member.external_attr = (0o755 if is_program(path) else 0o644) << 16
            packed.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
else:
    archive = out / f"{folder.name}.tar.gz"
    with open(archive, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=epoch) as zipped, tarfile.open(fileobj=zipped, mode="w") as packed:
        for path in files():
            member = tarfile.TarInfo(name(path))
            member.size, member.mtime = path.stat().st_size, epoch
            member.mode = 0o755 if is_program(path) else 0o644
            with open(path, "rb") as content:
                packed.addfile(member, content)

(out / f"{archive.name}.sha256").write_text(f"{digest(archive)}  {archive.name}\n", encoding="utf-8", newline="\n")
for path in [path for path in files() if is_program(path)] + [archive]:
    print(f"{path.stat().st_size / 1e6:8.1f} MB  {path.name}")
