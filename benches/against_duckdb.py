#!/usr/bin/env python3
"""Ingest by coldtrail and by DuckDB of the same files, in turn: wall time, CPU time, peak memory.

    python3 benches/against_duckdb.py [--size MB] [--runs N]

Both read the file, extract the same columns, keep one event an id and write zstd Parquet by day, on all cores. Each run is a process of
its own; medians are shown. Coldtrail also hashes the file, fingerprints each event, cleans addresses, names record types, sorts by time and
keeps what the export had beyond the known columns; DuckDB is spared that.

DuckDB may take whatever memory it wants, and writes RawEventData anew (`\\/` becomes `/`) where coldtrail keeps it as it came.

Needs Linux, cargo, PyPI's `duckdb`, and about two and a half times `--size` of temporary disk.
"""

import argparse
import glob
import importlib.metadata
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Name, file that the bench writes, how many times faster coldtrail has to be.
FAMILIES = {
    "audit": ("audit log CSV", "audit.csv", 3),
    "cloud": ("CloudAppEvents lines", "cloudappevents.jsonl", 1.5),
}

# How many times the CPU time records in no order of time may take.
DISORDER = 1.3

TYPES = {
    "string": "VARCHAR",
    "guid": "VARCHAR",
    "dynamic": "JSON",
    "bool": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "datetime": "TIMESTAMP",
}

CSV_COLUMNS = [
    "RecordId",
    "CreationDate",
    "RecordType",
    "Operation",
    "UserId",
    "AuditData",
    "AssociatedAdminUnits",
    "AssociatedAdminUnitsNames",
]


def audit_paths():
    """Paths of the audit record that coldtrail keeps as columns."""
    lines = (ROOT / "src/catalog/audit.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("  ")[0] for line in lines if line and not line.startswith("#")]


def cloud_columns():
    """Name and DuckDB type of the columns of CloudAppEvents."""
    columns, table = [], None
    for line in (ROOT / "src/catalog/tables.txt").read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word == "table":
            table = rest
        elif word == "columns" and table == "CloudAppEvents":
            for column in rest.split():
                name, _, kusto = column.partition(":")
                columns.append((name, TYPES[kusto or "string"]))
    assert columns, "no CloudAppEvents in tables.txt"
    return columns


def text(value):
    return "'" + str(value).replace("'", "''") + "'"


def ident(name):
    return '"' + name + '"'


def field(path):
    return "s." + ".".join(ident(key) for key in path.split("."))


def struct_of(paths):
    """The structure that json_transform fills; objects and arrays at a path come out as JSON text."""
    tree = {}
    for path in paths:
        *parents, leaf = path.split(".")
        node = tree
        for key in parents:
            node = node.setdefault(key, {})
            assert isinstance(node, dict), f"{path}: a path above it is a column too"
        assert leaf not in node, f"{path}: a path below it is a column too"
        node[leaf] = "VARCHAR"
    return text(json.dumps(tree))


def audit_sql(file):
    """How the audit CSV is read, and what is written of a staged record."""
    paths = audit_paths()
    types = "{" + ", ".join(f"{text(c)}: 'VARCHAR'" for c in CSV_COLUMNS) + "}"
    stage = f"""
        SELECT AuditData, k[1] AS id, CAST(CAST(k[2] AS TIMESTAMP) AS DATE) AS day
        FROM (
            SELECT AuditData, json_extract_string(AuditData, ['$.Id', '$.CreationTime']) AS k
            FROM read_csv({text(file)}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"',
                new_line = '\\r\\n', columns = {types}, max_line_size = 16777216)
        )"""
    columns = [
        "CAST(s.CreationTime AS TIMESTAMP) AS TimeGenerated",
        "s.Id AS Id",
        "TRY_CAST(s.RecordType AS INTEGER) AS RecordType",
        "TRY_CAST(s.UserType AS INTEGER) AS UserType",
        "AuditData",
    ] + [f"{field(p)} AS {ident(p.replace('.', '_'))}" for p in paths]
    return stage, columns, "AuditData", struct_of(["CreationTime", "Id", "RecordType", "UserType", *paths])


def cloud_sql(file):
    """The same for the lines of CloudAppEvents."""
    paths = ["Id", *audit_paths()]
    # The tenant is named beside `properties`; the files of coldtrail have one column for both names of the time.
    inside = [(n, t) for n, t in cloud_columns() if n not in ("TenantId", "TimeGenerated")]
    struct = "STRUCT(" + ", ".join(f"{ident(n)} {t}" for n, t in inside) + ")"
    stage = f"""
        SELECT tenantId, properties, properties.ReportId AS id, CAST(properties."Timestamp" AS DATE) AS day
        FROM read_json({text(file)}, format = 'newline_delimited', maximum_object_size = 16777216,
            columns = {{'tenantId': 'VARCHAR', 'properties': {text(struct)}}})"""
    columns = ["tenantId AS TenantId", 'properties."Timestamp" AS TimeGenerated']
    for name, ty in inside:
        if name != "Timestamp":
            value = f"properties.{ident(name)}"
            columns.append((f"CAST({value} AS VARCHAR)" if ty == "JSON" else value) + f" AS {ident(name)}")
    columns += [f"{field(p)} AS {ident('RawEventData_' + p.replace('.', '_'))}" for p in paths]
    columns += [f"TRY_CAST(s.{n} AS INTEGER) AS {ident('RawEventData_' + n)}" for n in ("RecordType", "UserType")]
    return stage, columns, "properties.RawEventData", struct_of(["RecordType", "UserType", *paths])


SQL = {"audit": audit_sql, "cloud": cloud_sql}


def ingest(family, file, out):
    """One run of DuckDB; prints what the bench prints for coldtrail, and the number of days."""
    import resource

    import duckdb

    def cpu():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    # What Python takes to load is not counted.
    started, cpu_before = time.perf_counter(), cpu()
    db = duckdb.connect()
    db.execute("SET preserve_insertion_order = false")
    db.execute(f"SET temp_directory = {text(os.path.join(out, 'spill'))}")
    stage, columns, record, struct = SQL[family](file)

    # The fastest of the ways tried on 1,000 MB. Slower: PARTITION_BY (1.5 to 3.9 times the CPU, about twice the memory and more; worst where
    # all events are of one day), DISTINCT ON, GROUP BY or a window instead of the DELETE, extracting before repeats are gone, lines read
    # as text, json_extract_string with a list of all paths (a tenth more) or with one path at a time (four times).
    db.execute(f"CREATE TABLE events AS {stage}")
    db.execute(
        """
        DELETE FROM events WHERE rowid IN (
            SELECT e.rowid FROM events e
            JOIN (SELECT id, min(rowid) AS first FROM events GROUP BY id HAVING count(*) > 1) d
            ON e.id = d.id AND e.rowid <> d.first)"""
    )
    days = [str(day) for (day,) in db.execute("SELECT DISTINCT day FROM events").fetchall()]

    def write(day):
        folder = os.path.join(out, f"day={day}")
        os.makedirs(folder)
        # Groups of this size keep all cores busy where there is a single day.
        db.cursor().execute(
            f"""
            COPY (
                SELECT {', '.join(columns)}
                FROM (SELECT *, json_transform({record}, {struct}) AS s FROM events WHERE day = {text(day)})
            ) TO {text(os.path.join(folder, 'part.parquet'))}
            (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480)"""
        )

    # One COPY leaves cores idle where days are small.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, days))
    seconds, cpu_seconds = time.perf_counter() - started, cpu() - cpu_before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    parts = glob.glob(os.path.join(out, "day=*", "*.parquet"))
    size = sum(os.path.getsize(p) for p in parts) / 1e6
    rows = db.execute(f"SELECT count(*) FROM read_parquet({[*parts]})").fetchone()[0]
    print(seconds, rows, cpu_seconds, peak, size, len(days))


def count(family, file):
    """Prints records, different ids and DuckDB's threads."""
    import duckdb

    db = duckdb.connect()
    stage = SQL[family](file)[0]
    records, ids = db.execute(f"SELECT count(*), count(DISTINCT id) FROM ({stage})").fetchone()
    print(records, ids, db.execute("SELECT current_setting('threads')").fetchone()[0])


def numbers(command, **environment):
    """Runs a process and returns the numbers that it prints."""
    # The write-back of what came before is not this run's work.
    os.sync()
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    return [float(n) for n in done.stdout.split()]


def itself(*arguments):
    return [sys.executable, os.path.abspath(__file__), *arguments]


def compare(bench, folder, family, runs):
    name, file, bar = FAMILIES[family]
    path = os.path.join(folder, file)
    mb = os.path.getsize(path) / 1e6
    records, ids, threads = map(int, numbers(itself("--count", family, path)))
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(numbers([bench], COLDTRAIL_BENCH_FILE=path))
        out = os.path.join(folder, "duckdb")
        os.makedirs(out)
        theirs.append(numbers(itself("--ingest", family, path, out)))
        shutil.rmtree(out)
        if ours[-1][1] != records or theirs[-1][1] != ids:
            sys.exit(
                f"error: {name}: coldtrail read {ours[-1][1]:.0f} records and DuckDB wrote {theirs[-1][1]:.0f} events "
                f"of {records} records, {ids} events"
            )
    days = int(theirs[-1][5])
    print(f"\n{name}: {mb:,.0f} MB, {records:,} records, {ids:,} events, days: {days}; DuckDB's threads: {threads}")
    print(f"{'':<12} {'wall s':>8} {'CPU s':>8} {'MB/s':>8} {'peak MiB':>9} {'archive MB':>11}")
    middle = []
    for engine, measured in (("coldtrail", ours), ("DuckDB", theirs)):
        wall, _, cpu, peak, size = [statistics.median(column) for column in zip(*measured)][:5]
        middle.append((wall, cpu, peak))
        print(f"{engine:<12} {wall:>8.2f} {cpu:>8.2f} {mb / wall:>8.0f} {peak:>9.0f} {size:>11.0f}")
    wall, cpu, peak = (b / a for a, b in zip(*middle))
    verdict = "met" if min(wall, cpu) >= bar else "missed"
    print(f"coldtrail is {wall:.2f} times as fast in wall time, {cpu:.2f} in CPU time, with 1/{peak:.1f} of the memory")
    print(f"bar: {bar} times in both: {verdict}", flush=True)


def disorder(bench, folder, runs):
    """What coldtrail takes for records in no order of time, against the same in order."""
    cpu = {"audit.csv": [], "unsorted.csv": []}
    for _ in range(runs):
        for file, own in cpu.items():
            own.append(numbers([bench], COLDTRAIL_BENCH_FILE=os.path.join(folder, file))[2])
    ordered, unordered = (statistics.median(own) for own in cpu.values())
    ratio = unordered / ordered
    print(f"\naudit log CSV in no order: {unordered:.2f} CPU s, in order {ordered:.2f}: {ratio:.2f} times as much")
    print(f"bar: {DISORDER} times: {'met' if ratio <= DISORDER else 'missed'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1000, help="megabytes of each input (1000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side (3)")
    parser.add_argument("--ingest", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--count", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ingest:
        return ingest(*arguments.ingest)
    if arguments.count:
        return count(*arguments.count)
    # Not imported here: a child's peak memory starts at its parent's.
    if importlib.util.find_spec("duckdb") is None:
        print("skipped: no module `duckdb`; install it with: python3 -m pip install duckdb")
        return None
    if sys.platform != "linux":
        print("skipped: CPU time and peak memory of both sides are read the same way on Linux only")
        return None
    with tempfile.TemporaryDirectory(prefix="coldtrail-against-duckdb-") as folder:
        written = subprocess.run(
            ["cargo", "bench", "--bench", "ingest", "--", "--write", folder, "--size", str(arguments.size)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        bench = written.stdout.splitlines()[-1].strip()
        print(f"DuckDB {importlib.metadata.version('duckdb')}; runs of each: {arguments.runs}, in turn; medians")
        for family in FAMILIES:
            compare(bench, folder, family, arguments.runs)
        disorder(bench, folder, arguments.runs)
    return None


if __name__ == "__main__":
    sys.exit(main())
