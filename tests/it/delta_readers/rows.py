"""Reads each table of an archive with another program and compares every value with what coldtrail said of it.

rows.py READER ARCHIVE ANSWERS, where ANSWERS has one file TABLE.ndjson for each table. Prints each table and its rows; what differs
goes to stderr, and the status is 1. With a READER alone the status is 0 where it is installed.
"""

import datetime
import importlib
import json
import os
import sys
from collections import Counter


def delta_rs(path):
    from deltalake import DeltaTable, QueryBuilder

    answer = QueryBuilder().register("t", DeltaTable(path)).execute("SELECT * FROM t").read_all()
    return answer.schema.names, list(zip(*(column.to_pylist() for column in answer.columns)))


def duckdb_extension():
    """The extension as its package brings it: nothing is fetched."""
    import duckdb
    import duckdb_extension_delta

    folder = os.path.join(os.path.dirname(duckdb_extension_delta.__file__), "extensions", f"v{duckdb.__version__}")
    return os.path.join(folder, "delta.duckdb_extension")


def duckdb(path):
    import duckdb

    database = duckdb.connect()
    database.load_extension(duckdb_extension())
    database.execute("SET TimeZone = 'UTC'")
    answer = database.execute("SELECT * FROM delta_scan(?)", [path])
    return [column[0] for column in answer.description], answer.fetchall()


def clickhouse(path, kernel=1):
    import chdb

    settings = (
        f"SETTINGS allow_experimental_delta_kernel_rs = {kernel}, session_timezone = 'UTC', "
        "output_format_json_quote_64bit_integers = 0, date_time_output_format = 'iso'"
    )
    # It reads nothing outside the folder that it runs in, and its own reader takes no other path than one from there.
    os.chdir(os.path.dirname(path))
    place = path.replace("\\", "\\\\").replace("'", "\\'") if kernel else os.path.basename(path)
    table = f"FROM deltaLakeLocal('{place}')"
    told = json.loads(chdb.query(f"SELECT * {table} LIMIT 0 {settings}", "JSONCompact").data())
    names = [column["name"] for column in told["meta"]]
    shown = [f"hex(`{name}`)" if name == "_Fingerprint" else f"`{name}`" for name in names]
    lines = chdb.query(f"SELECT {', '.join(shown)} {table} {settings}", "JSONCompactEachRow").data()
    rows = [json.loads(line) for line in lines.split("\n") if line]
    for n, column in enumerate(told["meta"]):
        for row in rows:
            if row[n] is not None and "DateTime64" in column["type"]:
                row[n] = datetime.datetime.fromisoformat(row[n].replace("Z", "+00:00"))
            elif row[n] is not None and column["name"] == "_Fingerprint":
                row[n] = bytes.fromhex(row[n])
    return names, rows


def clickhouse_own(path):
    """ClickHouse's own reader of logs, which shares no code with the one that coldtrail writes with. It gives no values of folders."""
    names, rows = clickhouse(path, kernel=0)
    kept = [n for n, name in enumerate(names) if name != "date"]
    return [names[n] for n in kept], [[row[n] for n in kept] for row in rows]


SPARK = []


def sail(path):
    if not SPARK:
        from pysail.spark import SparkConnectServer
        from pyspark.sql import SparkSession

        server = SparkConnectServer()
        server.start()
        address = "sc://%s:%d" % server.listening_address
        session = SparkSession.builder.remote(address).getOrCreate()
        session.conf.set("spark.sql.session.timeZone", "UTC")
        SPARK.extend([session, server])
    answer = SPARK[0].read.format("delta").load(path)
    table = answer.toArrow()
    return table.schema.names, list(zip(*(column.to_pylist() for column in table.columns)))


READERS = {"deltalake": delta_rs, "duckdb": duckdb, "clickhouse": clickhouse, "clickhouse-own": clickhouse_own, "sail": sail}
MODULES = {
    "deltalake": ["deltalake"],
    "duckdb": ["duckdb", "duckdb_extension_delta", "pytz"],
    "clickhouse": ["chdb"],
    "clickhouse-own": ["chdb"],
    "sail": ["pysail.spark", "pyspark.sql.connect.session"],
}


def is_installed(reader):
    try:
        for module in MODULES[reader]:
            importlib.import_module(module)
    except ImportError:
        return False
    return reader != "duckdb" or os.path.exists(duckdb_extension())


def plain(value):
    """A value as JSON can hold it. Times are in UTC, to the microsecond."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        return value.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return value


def moment(text):
    """A time as coldtrail writes it, which leaves out zeros at the end."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.ljust(6, '0')}Z"


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def in_one_form(names, theirs, ours):
    """Both as rows of the same values: coldtrail shows times without zeros at the end, and JSON as JSON."""
    for n, name in enumerate(names):
        is_time = any(isinstance(row[n], datetime.datetime) for row in theirs)
        is_json = any(not isinstance(row[name], (str, type(None))) for row in ours)
        for row in theirs:
            row[n] = plain(row[n])
            if is_json and isinstance(row[n], str):
                row[n] = parsed(row[n])
        for row in ours if is_time else []:
            row[name] = row[name] and moment(row[name])
    line = lambda row: json.dumps(row, sort_keys=True)
    return Counter(map(line, theirs)), Counter(line([row[name] for name in names]) for row in ours)


def differences(names, theirs, ours):
    """What is in one and not in the other, shortened."""
    out = []
    for row, other in zip(sorted((theirs - ours).elements()), sorted((ours - theirs).elements())):
        for name, a, b in zip(names, json.loads(row), json.loads(other)):
            if a != b:
                out.append(f"{name}: {str(a)[:200]!r} is not {str(b)[:200]!r}")
    return out[:10] or [f"rows: {sum(theirs.values())} are not {sum(ours.values())}"]


def strayed(names, rows):
    """Days of folders that are not those of the rows in them, with the times of these rows."""
    if "date" not in names:
        return []
    day, time = names.index("date"), names.index("TimeGenerated")
    pairs = [(plain(row[day]), plain(row[time])) for row in rows]
    return [(day, time) for day, time in pairs if day != (time and time[:10])][:10]


def main(reader, archive, answers):
    differ = False
    archive, answers = os.path.abspath(archive), os.path.abspath(answers)
    for file in sorted(os.listdir(answers)):
        table = file.removesuffix(".ndjson")
        with open(os.path.join(answers, file), encoding="utf-8") as lines:
            ours = [json.loads(line) for line in lines]
        names, theirs = READERS[reader](os.path.join(archive, table))
        print(table, len(theirs))
        # The folder that a row lies in, which is no column of coldtrail's, is that of its day.
        for day, time in strayed(names, theirs):
            differ = True
            print(f"{table}: {day} is not the day of {time}", file=sys.stderr)
        kept = [n for n, name in enumerate(names) if name != "date"]
        names = [names[n] for n in kept]
        theirs = [[row[n] for n in kept] for row in theirs]
        if ours and names != list(ours[0]):
            differ = True
            print(f"{table}: columns: {sorted(set(names) ^ set(ours[0]))}", file=sys.stderr)
            continue
        theirs, ours = in_one_form(names, theirs, ours)
        if theirs != ours:
            differ = True
            for line in differences(names, theirs, ours):
                print(f"{table}: {line}", file=sys.stderr)
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(0 if is_installed(sys.argv[1]) else 1)
    main(*sys.argv[1:])
