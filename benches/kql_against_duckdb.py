#!/usr/bin/env python3
"""Twelve questions in KQL, and the same in DuckDB's SQL over the same Parquet files, in turn: wall time, CPU time, peak memory, answers.

    python3 benches/kql_against_duckdb.py [--events N] [--runs N] [--archive DIR] [--coldtrail PROGRAM]

Generates CloudAppEvents, ingests them once and asks each question in processes of their own with two threads each; medians are shown, or
with `--fastest` the fastest run (for a machine that does other things too). `--archive DIR` keeps the archive there, or takes the one that
is there. Answers must be the same: floats within 1e-9, `dcount` within the error that Kusto states.

The first ratio is of whole processes; in the second, what a process takes that asks nothing is taken off both (Python and `import duckdb`
here, `coldtrail kql "print 1"` there). Ends with 1 where in either the geometric mean is above 1 or one is above 2, or answers differ.

DuckDB is asked in the fastest way that was found: it reads the columns that coldtrail keeps of the audit record where there are such.
Slower on a million events: a regular expression without ILIKE before it (twice), arg_max of a whole row (five times a semi-join by file and
row number, a join by time half as slow again), lists with repeats made distinct later, times with a zone.

Needs Linux, PyPI's `duckdb`, a release build of coldtrail, and about 300 MB of temporary disk for a million events.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or Path(__file__).resolve().parents[1] / "target")

THREADS = 2

# What must hold of wall times, coldtrail's by DuckDB's.
MEAN, WORST = 1.0, 2.0

# Runs of what asks nothing, at least: it is taken off all others.
LEAST_STARTS = 7

# Kusto's stated error of dcount with the accuracy that it has by itself.
DCOUNT_ERROR = 0.008

FLOAT_ERROR = 1e-9

# One day that all questions have for now().
NOW = "2026-07-01"

# `{us}` in DuckDB's SQL: the files say UTC, and of a time with a zone DuckDB asks a calendar for each row (a fifth to a third slower).
MICROSECONDS = "epoch_us(TimeGenerated)"

# Name, KQL, SQL, columns of SQL's dcount, columns that are sets.
QUESTIONS = {
    "counts": (
        "counts by type and day",
        "CloudAppEvents | summarize n = count() by ActionType, Day = bin(TimeGenerated, 1d)",
        """SELECT ActionType, CAST(d AS TIMESTAMP) AS Day, n
        FROM (SELECT ActionType, CAST(TimeGenerated AS DATE) AS d, count(*) AS n FROM {events} GROUP BY ALL)""",
        [],
        [],
    ),
    "path": (
        "promoted paths, dcount, top",
        """CloudAppEvents
        | summarize Events = count(), Objects = dcount(tostring(RawEventData.ObjectId))
            by User = tostring(RawEventData.UserId), Workload = tostring(RawEventData.Workload)
        | top 20 by Events""",
        """SELECT RawEventData_UserId AS User, RawEventData_Workload AS Workload, count(*) AS Events,
            count(DISTINCT coalesce(RawEventData_ObjectId, '')) AS Objects
        FROM {events} GROUP BY ALL ORDER BY Events DESC LIMIT 20""",
        ["Objects"],
        [],
    ),
    "in": (
        "in, time range",
        """CloudAppEvents
        | where TimeGenerated between (datetime(2026-06-10) .. datetime(2026-06-17))
        | where ActionType in ('FileDownloaded', 'New-InboxRule', 'Set-Mailbox')
        | summarize n = count(), First = min(TimeGenerated), Last = max(TimeGenerated) by AccountObjectId""",
        """SELECT AccountObjectId, count(*) AS n, min(TimeGenerated) AS First, max(TimeGenerated) AS Last FROM {events}
        WHERE TimeGenerated BETWEEN '2026-06-10' AND '2026-06-17' AND ActionType IN ('FileDownloaded', 'New-InboxRule', 'Set-Mailbox')
        GROUP BY AccountObjectId""",
        [],
        [],
    ),
    "has": (
        "has in the raw record",
        "CloudAppEvents | where RawEventData has 'payroll' | summarize n = count() by ActionType, AccountObjectId",
        r"""SELECT ActionType, AccountObjectId, count(*) AS n FROM {events}
        WHERE RawEventData ILIKE '%payroll%' AND regexp_matches(RawEventData, '(?i)(^|[^\pL\pN])payroll([^\pL\pN]|$)')
        GROUP BY ALL""",
        [],
        [],
    ),
    "arg_max": (
        "arg_max of three columns",
        "CloudAppEvents | summarize arg_max(TimeGenerated, ActionType, IPAddress, UserAgent) by AccountObjectId",
        """SELECT AccountObjectId, max(TimeGenerated) AS TimeGenerated,
            unnest(arg_max({{'ActionType': ActionType, 'IPAddress': IPAddress, 'UserAgent': UserAgent}}, TimeGenerated))
        FROM {events} GROUP BY AccountObjectId""",
        [],
        [],
    ),
    "arg_max_all": (
        "arg_max(…, *)",
        "CloudAppEvents | where ActionType in ('UserLoggedIn', 'UserLoginFailed') | summarize arg_max(TimeGenerated, *) by AccountObjectId",
        """SELECT e.*, TimeGenerated AS "Timestamp" FROM {numbered} e SEMI JOIN (
            SELECT unnest(arg_max({{'file': filename, 'row': file_row_number}}, TimeGenerated)) FROM {numbered}
            WHERE ActionType IN ('UserLoggedIn', 'UserLoginFailed') GROUP BY AccountObjectId
        ) l ON e.filename = l.file AND e.file_row_number = l.row""",
        [],
        [],
    ),
    "make_set": (
        "two make_set",
        "CloudAppEvents | summarize Actions = make_set(ActionType), Addresses = make_set(IPAddress) by AccountObjectId",
        """SELECT AccountObjectId, list(DISTINCT ActionType) AS Actions, list(DISTINCT IPAddress) AS Addresses
        FROM {events} GROUP BY AccountObjectId""",
        [],
        ["Actions", "Addresses"],
    ),
    "join": (
        "join within ten minutes",
        """let failed = CloudAppEvents | where ActionType == 'UserLoginFailed' | project AccountObjectId, Failed = TimeGenerated, From = IPAddress;
        let good = CloudAppEvents | where ActionType == 'UserLoggedIn' | project AccountObjectId, Good = TimeGenerated, Then = IPAddress;
        failed
        | join kind=inner good on AccountObjectId
        | where Good between (Failed .. Failed + 10m)
        | summarize n = count(), Moved = countif(From != Then), First = min(Failed) by AccountObjectId""",
        """SELECT f.AccountObjectId, count(*) AS n, count(*) FILTER (f.IPAddress <> g.IPAddress) AS Moved, min(f.TimeGenerated) AS First
        FROM (SELECT *, {us} AS us FROM {events} WHERE ActionType = 'UserLoginFailed') f
        JOIN (SELECT *, {us} AS us FROM {events} WHERE ActionType = 'UserLoggedIn') g
        ON f.AccountObjectId = g.AccountObjectId AND g.us BETWEEN f.us AND f.us + 600000000
        GROUP BY f.AccountObjectId""",
        [],
        [],
    ),
    "mv_expand": (
        "mv-expand of parameters",
        """CloudAppEvents
        | where ActionType in ('New-InboxRule', 'Set-InboxRule', 'Set-Mailbox', 'Add-MailboxPermission')
        | mv-expand Parameter = RawEventData.Parameters
        | extend Name = tostring(Parameter.Name), Value = tostring(Parameter.Value)
        | where Name !in ('Identity', 'Force')
        | summarize n = count(), Longest = max(strlen(Value)) by ActionType, Name""",
        """SELECT ActionType, p.Name AS Name, count(*) AS n, max(length(p.Value)) AS Longest
        FROM (
            SELECT ActionType, unnest(from_json(RawEventData_Parameters, '[{{"Name": "VARCHAR", "Value": "VARCHAR"}}]')) AS p
            FROM {events} WHERE ActionType IN ('New-InboxRule', 'Set-InboxRule', 'Set-Mailbox', 'Add-MailboxPermission')
        )
        WHERE p.Name NOT IN ('Identity', 'Force') GROUP BY ALL""",
        [],
        [],
    ),
    "extract": (
        "extract",
        r"""CloudAppEvents
        | extend Site = extract(@'/sites/([^/]+)/', 1, tostring(RawEventData.ObjectId))
        | where isnotempty(Site)
        | summarize n = count() by Site""",
        r"""SELECT regexp_extract(RawEventData_ObjectId, '/sites/([^/]+)/', 1) AS Site, count(*) AS n
        FROM {events} GROUP BY ALL HAVING Site <> ''""",
        [],
        [],
    ),
    "percentiles": (
        "percentiles of hourly counts",
        """CloudAppEvents
        | summarize n = count() by AccountObjectId, Hour = bin(TimeGenerated, 1h)
        | summarize percentiles(n, 50, 95, 99) by AccountObjectId""",
        """SELECT AccountObjectId, p[1] AS percentile_n_50, p[2] AS percentile_n_95, p[3] AS percentile_n_99
        FROM (
            SELECT AccountObjectId, quantile_disc(n, [0.5, 0.95, 0.99]) AS p
            FROM (SELECT AccountObjectId, CAST({us} // 3600000000 AS INTEGER) AS h, count(*) AS n FROM {events} GROUP BY ALL)
            GROUP BY AccountObjectId
        )""",
        [],
        [],
    ),
    "prev": (
        "prev after sort",
        """CloudAppEvents
        | sort by AccountObjectId asc, TimeGenerated asc
        | extend Same = prev(AccountObjectId) == AccountObjectId, Gap = TimeGenerated - prev(TimeGenerated), Before = prev(IPAddress)
        | where Same and Gap < 1m and Before != IPAddress
        | summarize n = count(), Last = max(TimeGenerated) by AccountObjectId""",
        """SELECT AccountObjectId, count(*) AS n, max(t) AS Last
        FROM (
            SELECT AccountObjectId, IPAddress, TimeGenerated AS t, {us} AS us, lag({us}) OVER w AS before, lag(IPAddress) OVER w AS address
            FROM {events} WINDOW w AS (PARTITION BY AccountObjectId ORDER BY TimeGenerated)
        )
        WHERE us - before < 60000000 AND address <> IPAddress GROUP BY AccountObjectId""",
        [],
        [],
    ),
}

DAYS = 30
USERS = 3000
ORGANIZATION = "c8085975-d882-42d2-9193-d82d752a5de9"
AGENTS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36 Edg/{v}.0.{v * 7}.{w}"
    for v in range(110, 140)
    for w in range(4)
]
RULES = ["Invoices", ".", "Newsletters", "RSS"]


def generate(events):
    """Writes lines of CloudAppEvents to standard output: seeded, a month, no two at one time."""
    import random

    seed = random.Random(13)
    bits, part = seed.getrandbits, seed.random

    def guid():
        h = f"{bits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-8{h[17:20]}-{h[20:]}"

    users = [(f"user{n:04}@contoso.com", guid()) for n in range(USERS)]
    homes = [[f"203.0.{bits(4)}.{bits(7)}" for _ in range(5)] for _ in range(USERS)]
    step = DAYS * 86_400_000 // events
    waiting = []
    out = sys.stdout
    for n in range(events):
        ms = n * step + int(part() * step)
        s = ms // 1000
        time_of = f"2026-06-{1 + s // 86_400:02}T{s // 3600 % 24:02}:{s // 60 % 60:02}:{s % 60:02}"
        kind = part()
        # Few do much and many do little.
        who = int(part() ** 2 * USERS)
        if 0.62 <= kind < 0.77 and waiting and part() < 0.4:
            # Many who fail try again soon.
            who = waiting.pop(0)
        user, account = users[who]
        address = homes[who][int(part() * 5)] if part() < 0.9 else f"198.51.{bits(3)}.{bits(8)}"
        agent = AGENTS[int(part() * 120)]
        application = "Microsoft SharePoint Online"
        if kind < 0.42:
            action = "FileAccessed" if kind < 0.3 else "FileDownloaded"
            word = int(part() * 100)
            name = ("payroll" if word == 0 else "payrolls" if word == 1 else "Report") + f" {bits(17)}.docx"
            site = f"https://contoso.sharepoint.com/sites/team{int(part() ** 2 * 400)}/"
            record_type = 6
            rest = (
                f'"Workload":"SharePoint","EventSource":"SharePoint","ItemType":"File","ListId":"{guid()}","ListItemUniqueId":"{guid()}",'
                f'"Site":"{guid()}","UserAgent":"{agent}","WebId":"{guid()}","SiteUrl":"{site}","SourceFileExtension":"docx",'
                f'"SourceFileName":"{name}","SourceRelativeUrl":"Shared Documents/Folder {bits(9)}","ObjectId":"{site}Shared Documents/{name}"'
            )
        elif kind < 0.62:
            action, record_type, application = "MailItemsAccessed", 50, "Microsoft Exchange Online"
            rest = (
                f'"Workload":"Exchange","ClientInfoString":"Client=REST;Client=RESTSystem;;","ExternalAccess":false,"InternalLogonType":0,'
                f'"LogonType":0,"LogonUserSid":"S-1-5-21-{bits(31)}","MailboxGuid":"{guid()}","MailboxOwnerUPN":"{user}",'
                f'"OperationProperties":[{{"Name":"MailAccessType","Value":"Bind"}},{{"Name":"IsThrottled","Value":"False"}}],'
                f'"OrganizationName":"contoso.onmicrosoft.com","Folders":[{{"FolderItems":[{{"InternetMessageId":"<{bits(30)}@contoso.com>",'
                f'"SizeInBytes":{bits(20)}}}],"Id":"LgAAAA{guid()}","Path":"\\\\Inbox"}}],"OperationCount":1'
            )
        elif kind < 0.82:
            good = kind < 0.77
            if not good:
                waiting.append(who)
            action, record_type, application = "UserLoggedIn" if good else "UserLoginFailed", 15, "Office 365"
            rest = (
                f'"Workload":"AzureActiveDirectory","ActorIpAddress":"{address}","AzureActiveDirectoryEventType":1,'
                f'"ExtendedProperties":[{{"Name":"ResultStatusDetail","Value":"Success"}},{{"Name":"UserAgent","Value":"{agent}"}},'
                f'{{"Name":"RequestType","Value":"OAuth2:Authorize"}}],"ModifiedProperties":[],"Actor":[{{"ID":"{account}","Type":0}},'
                f'{{"ID":"{user}","Type":5}}],"ActorContextId":"{ORGANIZATION}","InterSystemsId":"{guid()}","IntraSystemId":"{guid()}",'
                f'"Target":[{{"ID":"{guid()}","Type":0}}],"TargetContextId":"{ORGANIZATION}","ApplicationId":"{guid()}",'
                f'"DeviceProperties":[{{"Name":"OS","Value":"Windows"}},{{"Name":"BrowserType","Value":"Edge"}}],'
                f'"ErrorNumber":"{0 if good else 50126}"'
            )
        elif kind < 0.9:
            action, record_type, application = "SensitivityLabelUpdated", 83, "Microsoft 365"
            rest = (
                f'"Workload":"PublicEndpoint","Application":"Word","DeviceName":"PC-{who:04}","Platform":1,'
                f'"ObjectId":"C:\\\\Users\\\\u\\\\Documents\\\\Plan {bits(17)}.docx","SensitivityLabelEventData":{{"SensitivityLabelId":"{guid()}",'
                f'"OldSensitivityLabelId":"{guid()}","LabelEventType":{1 + bits(2)},"ActionSource":3,"JustificationText":"No longer confidential"}},'
                f'"CurrentProtectionType":{{"protectionType":1,"owner":"{user}","documentEncrypted":true}}'
            )
        else:
            action = ("New-InboxRule", "Set-InboxRule", "Set-Mailbox", "Add-MailboxPermission")[int((kind - 0.9) * 40)]
            record_type, application = 1, "Microsoft Exchange Online"
            if action.endswith("Rule"):
                parameters = (
                    f'{{"Name":"Name","Value":"{RULES[bits(2)]}"}},'
                    f'{{"Name":"From","Value":"user{bits(11):04}@contoso.com;partner{bits(8)}@fabrikam.com"}},'
                    f'{{"Name":"MoveToFolder","Value":"RSS Feeds"}},{{"Name":"MarkAsRead","Value":"True"}},'
                    f'{{"Name":"StopProcessingRules","Value":"{bool(bits(1))}"}}'
                )
            elif action == "Set-Mailbox":
                parameters = (
                    f'{{"Name":"ForwardingSmtpAddress","Value":"smtp:box{bits(12)}@fabrikam.com"}},'
                    f'{{"Name":"DeliverToMailboxAndForward","Value":"{bool(bits(1))}"}}'
                )
            else:
                parameters = f'{{"Name":"User","Value":"user{bits(11):04}"}},{{"Name":"AccessRights","Value":"FullAccess"}}'
            rest = (
                f'"Workload":"Exchange","ExternalAccess":false,"AppId":"","ObjectId":"contoso.onmicrosoft.com/{user}/{bits(30)}",'
                f'"OrganizationName":"contoso.onmicrosoft.com","OriginatingServer":"DB{bits(8)} (15.20.4200.000)","SessionId":"{guid()}",'
                f'"Parameters":[{{"Name":"Identity","Value":"{user}"}},{{"Name":"Force","Value":"True"}},{parameters}]'
            )
        event = guid()
        out.write(
            f'{{"time":"{time_of}.{ms % 1000:03}Z","tenantId":"{ORGANIZATION}","operationName":"Publish",'
            f'"category":"AdvancedHunting-CloudAppEvents","properties":{{"ActionType":"{action}","ApplicationId":20892,'
            f'"AccountDisplayName":"User {who}","AccountObjectId":"{account}","AccountId":"{account}","DeviceType":"Desktop",'
            f'"OSPlatform":"Windows 10","IPAddress":"{address}","IsAnonymousProxy":false,"CountryCode":"DE","City":"berlin","ISP":"contoso",'
            f'"UserAgent":"{agent}","IsAdminOperation":false,"ActivityObjects":[{{"Type":"Account","Role":"Actor","Name":"User {who}",'
            f'"Id":"{account}","ApplicationId":11161,"ApplicationInstance":0}}],"AdditionalFields":{{}},"ActivityType":"Basic",'
            f'"ObjectName":null,"AppInstanceId":0,"AccountType":"Regular","IsExternalUser":false,"IsImpersonated":false,"IPTags":[],'
            f'"UserAgentTags":[],"RawEventData":{{"CreationTime":"{time_of}","Id":"{event}","Operation":"{action}",'
            f'"OrganizationId":"{ORGANIZATION}","RecordType":{record_type},"ResultStatus":"Succeeded","UserKey":"{account}","UserType":0,'
            f'"Version":1,"ClientIP":"{address}","UserId":"{user}",{rest}}},"ReportId":"{n}_20892_{event}",'
            f'"Timestamp":"{time_of}.{ms % 1000:03}Z","Application":"{application}"}}}}\n'
        )


def itself(*arguments):
    return [sys.executable, os.path.abspath(__file__), *map(str, arguments)]


def text(value):
    return "'" + str(value).replace("'", "''") + "'"


def ask_duckdb(question, archive, out):
    """One question to DuckDB, whose answer becomes lines of JSON."""
    import duckdb

    db = duckdb.connect()
    db.execute(f"SET threads = {THREADS}")
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET preserve_insertion_order = false")
    if question == "nothing":
        db.execute(f"COPY (SELECT 1 AS one) TO {text(out)} (FORMAT json)")
        return
    files = text(os.path.join(archive, "CloudAppEvents", "**", "*.parquet"))
    sql = QUESTIONS[question][2].format(
        events=f"read_parquet({files})",
        numbered=f"read_parquet({files}, filename = true, file_row_number = true)",
        us=MICROSECONDS,
    )
    db.execute(f"COPY ({sql}) TO {text(out)} (FORMAT json)")


def alike(ours, theirs, column, estimated, sets):
    """Whether two values of a column are the same."""
    if isinstance(ours, (dict, list)) and isinstance(theirs, str):
        theirs = json.loads(theirs)
    if column in sets:
        return sorted(ours) == sorted(theirs)
    # Kusto's strings have no null, and an empty dynamic is one.
    if ours in (None, "") and theirs in (None, ""):
        return True
    number = (int, float)
    if isinstance(ours, number) and isinstance(theirs, number) and not isinstance(ours, bool):
        error = DCOUNT_ERROR * abs(theirs) if column in estimated else FLOAT_ERROR * max(1, abs(theirs))
        return ours == theirs if isinstance(ours, int) and column not in estimated else abs(ours - theirs) <= error
    return ours == theirs or moment(ours) == moment(theirs)


def moment(value):
    """A time in one spelling, anything else as it is."""
    if isinstance(value, str) and len(value) >= 19 and value[4] == value[7] == "-" and value[10] in " T":
        value = value[:10] + "T" + value[11:].removesuffix("Z").removesuffix("+00")
        return value.rstrip("0").rstrip(".") if "." in value else value
    return value


def compare(question, ours, theirs):
    """What differs between two answers, as a text, or nothing."""
    _, _, _, estimated, sets = QUESTIONS[question]

    def rows(path):
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    ours, theirs = rows(ours), rows(theirs)
    if len(ours) != len(theirs):
        return f"{len(ours)} rows and {len(theirs)}"
    if not ours:
        return "no rows: nothing is compared"
    # arg_max(…, *) has columns of the product, the files have more and other ones; what only one side has must be empty in it.
    shared = [c for c in ours[0] if c in theirs[0]]
    for row in ours:
        for column, value in row.items():
            if column not in shared and value not in (None, ""):
                return f"column {column} is missing in DuckDB's answer, here it has {value!r}"
    if question != "arg_max_all" and set(theirs[0]) != set(shared):
        return f"columns {list(ours[0])} and {list(theirs[0])}"
    keys = [c for c in shared if c not in estimated and c not in sets and not isinstance(ours[0][c], (dict, list, float))]

    def key(row):
        return [str(moment(row[c])) for c in keys if row[c] is not None]

    for a, b in zip(sorted(ours, key=key), sorted(theirs, key=key)):
        for column in shared:
            if not alike(a.get(column), b.get(column), column, estimated, sets):
                return f"{column}: {str(a.get(column))[:200]!r} and {str(b.get(column))[:200]!r} of {str(a)[:300]}"
    return None


def run(command):
    """Wall seconds, CPU seconds and peak MiB of a process."""
    started = time.perf_counter()
    # Not `wait`: only this tells what one child took.
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"error: status {child.returncode} from: {' '.join(command)}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def middle(runs, fastest):
    """The median of each measure, or that of the fastest run; of memory always the median."""
    columns = [sorted(column) for column in zip(*runs)]
    at = len(runs) // 2
    return columns[0][0 if fastest else at], columns[1][0 if fastest else at], columns[2][at]


def ingest(coldtrail, archive, events):
    lines = subprocess.Popen(itself("--generate", events), stdout=subprocess.PIPE)
    subprocess.run([coldtrail, "-q", "ingest", "-a", archive, "-"], stdin=lines.stdout, stdout=subprocess.DEVNULL, check=True)
    if lines.wait() != 0:
        sys.exit("error: the events could not be generated")


def geometric(values):
    product = 1.0
    for value in values:
        product *= value
    return product ** (1 / len(values))


def measure(arguments, archive, folder):
    """The table; whether all that must hold does."""
    coldtrail, fastest = arguments.coldtrail, arguments.fastest
    ours_out, theirs_out = os.path.join(folder, "ours.ndjson"), os.path.join(folder, "theirs.ndjson")

    def ours(query):
        return [coldtrail, "-q", "--threads", str(THREADS), "kql", "-a", archive, "--at", NOW, "-C", "-o", ours_out, query]

    def both(question, query, runs):
        """Runs in turn; says what differs between the answers of the first."""
        differs, left, right = None, [], []
        for n in range(runs):
            left.append(run(ours(query)))
            right.append(run(itself("--ask", question, archive, theirs_out)))
            if n == 0 and question != "nothing":
                # Not here: a child's peak memory starts at its parent's.
                found = subprocess.run(itself("--compare", question, ours_out, theirs_out), stdout=subprocess.PIPE, text=True, check=True)
                differs = found.stdout.strip()
        return middle(left, fastest), middle(right, fastest), differs

    start = both("nothing", "print 1", max(arguments.runs, LEAST_STARTS))
    print(f"start, asking nothing: coldtrail {start[0][0]:.3f} s wall, {start[0][1]:.3f} s CPU, {start[0][2]:.0f} MiB; "
          f"DuckDB {start[1][0]:.3f} s, {start[1][1]:.3f} s, {start[1][2]:.0f} MiB\n")
    print(f"{'':<30} {'wall s':>15} {'CPU s':>15} {'peak MiB':>13} {'ratio of wall':>15} {'without start':>15} {'of CPU':>8}")
    whole, inner, cpus, wrong = {}, {}, {}, []
    for question in arguments.only or QUESTIONS:
        name, query = QUESTIONS[question][:2]
        (wall, cpu, peak), (their_wall, their_cpu, their_peak), differs = both(question, query, arguments.runs)
        whole[name] = wall / their_wall
        inner[name] = max(wall - start[0][0], 1e-3) / max(their_wall - start[1][0], 1e-3)
        cpus[name] = cpu / their_cpu
        print(
            f"{name:<30} {wall:>7.2f} {their_wall:>7.2f} {cpu:>7.2f} {their_cpu:>7.2f} {peak:>6.0f} {their_peak:>6.0f} "
            f"{whole[name]:>15.2f} {inner[name]:>15.2f} {cpus[name]:>8.2f}{'  ANSWERS DIFFER' if differs else ''}",
            flush=True,
        )
        if differs:
            wrong.append(f"{name}: {differs}")
    good = not wrong
    for label, ratios in (("wall", whole), ("without start", inner), ("CPU", cpus)):
        mean, worst = geometric(ratios.values()), max(ratios, key=ratios.get)
        print(f"{label}: geometric mean {mean:.2f}, worst {ratios[worst]:.2f} ({worst})")
        if label != "CPU" and (mean > MEAN or ratios[worst] > WORST):
            good = False
    for line in wrong:
        print(f"answers differ: {line}")
    print(f"bar: mean at most {MEAN:g}, none above {WORST:g}, answers equal: {'met' if good else 'missed'}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="events to generate (1,000,000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side (3)")
    parser.add_argument("--archive", help="keep the archive in this folder, or take the one that is there")
    parser.add_argument("--coldtrail", default=str(TARGET / "release/coldtrail"), help="the program (that of the target folder)")
    parser.add_argument("--fastest", action="store_true", help="show the fastest run, not the median")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, metavar="QUESTION", help=f"some of: {', '.join(QUESTIONS)}")
    parser.add_argument("--generate", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--compare", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.generate:
        return generate(arguments.generate)
    if arguments.ask:
        return ask_duckdb(*arguments.ask)
    if arguments.compare:
        return print(compare(*arguments.compare) or "")
    if importlib.util.find_spec("duckdb") is None:
        print("skipped: no module `duckdb`; install it with: python3 -m pip install duckdb")
        return None
    if sys.platform != "linux":
        print("skipped: CPU time and peak memory of both sides are read the same way on Linux only")
        return None

    if not os.access(arguments.coldtrail, os.X_OK):
        sys.exit(f"error: no program `{arguments.coldtrail}`; `cargo build --release` makes it, --coldtrail names another")
    with tempfile.TemporaryDirectory(prefix="coldtrail-kql-against-duckdb-") as folder:
        archive = arguments.archive or os.path.join(folder, "archive")
        if not os.path.isdir(os.path.join(archive, "CloudAppEvents")):
            ingest(arguments.coldtrail, archive, arguments.events)
        print(
            f"DuckDB {importlib.metadata.version('duckdb')}; {'fastest' if arguments.fastest else 'median'} of {arguments.runs} runs in turn, "
            f"{THREADS} threads each; of two numbers the first is coldtrail's"
        )
        return 0 if measure(arguments, archive, folder) else 1


if __name__ == "__main__":
    sys.exit(main())
