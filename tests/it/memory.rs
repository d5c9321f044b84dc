//! The memory of queries over five million events: with a limit of 256 MiB each stays near it, and is answered or says what to do.

use std::fmt::Write as _;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command_line::run;
use crate::{ingest, peaks, project};

const EVENTS: u64 = 5_000_000;
const DAYS: u64 = 10;
const USERS: u64 = 5000;

/// The limit and what the program itself takes.
const MOST_KIB: u64 = 400 << 10;
/// With room for a machine that does other things too.
const LONGEST: Duration = Duration::from_secs(120);
/// The same for a hunt, which asks many questions.
const LONGEST_HUNT: Duration = Duration::from_secs(400);

const ACTIONS: [(&str, &str); 10] = [
    ("FileAccessed", "SharePoint"),
    ("FileAccessed", "SharePoint"),
    ("FileAccessed", "SharePoint"),
    ("FileDownloaded", "SharePoint"),
    ("MailItemsAccessed", "Exchange"),
    ("MailItemsAccessed", "Exchange"),
    ("UserLoggedIn", "AzureActiveDirectory"),
    ("UserLoggedIn", "AzureActiveDirectory"),
    ("UserLoginFailed", "AzureActiveDirectory"),
    ("Set-Mailbox", "Exchange"),
];

/// Events in the order of time, as lines of JSON.
fn write_events(out: impl Write) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let mut seed = 88_172_645_463_325_252_u64;
    for n in 0..EVENTS {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let (action, workload) = ACTIONS[usize::try_from(seed % 10).expect("less than ten")];
        let user = (seed >> 8) % USERS;
        let address = format!("203.0.{}.{}", user % 200, (seed >> 24) % 50);
        let second = n * DAYS * 86_400 / EVENTS;
        let time = format!(
            "2026-06-{:02}T{:02}:{:02}:{:02}",
            1 + second / 86_400,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60
        );
        writeln!(
            out,
            r#"{{"Type":"CloudAppEvents","TimeGenerated":"{time}.{:03}Z","ActionType":"{action}","AccountObjectId":"3686d7bd-932d-44a8-81e8-{user:012x}","IPAddress":"{address}","RawEventData":{{"Id":"{:08x}-0000-4000-a000-{n:012x}","CreationTime":"{time}","Operation":"{action}","UserId":"user{user}@contoso.com","Workload":"{workload}","ClientIP":"{address}","ObjectId":"https://contoso.sharepoint.com/sites/team{}/Report {}.docx","Parameters":[{{"Name":"Identity","Value":"{user}"}}]}}}}"#,
            n % 1000,
            seed & 0xffff_ffff,
            user % 300,
            (seed >> 20) % 200_000,
        )?;
    }
    out.flush()
}

/// The archive of the events, which go in by a pipe: as a file they are two gigabytes.
fn ingest_events(archive: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["-q", "ingest", "-", "-a"])
        .arg(archive)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let pipe = child.stdin.take().expect("it is piped");
    write_events(pipe).expect("the ingest reads");
    let status = child.wait().expect("the ingest ends");
    assert_eq!(status.code(), Some(0));
}

/// How a command ended.
struct Ran {
    code: Option<i32>,
    said: String,
    peak_kib: u64,
    took: Duration,
}

fn watched(arguments: &[&str], longest: Duration) -> Ran {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["-q", "--threads", "2", "--memory-limit", "256MiB"])
        .args(arguments)
        .current_dir(project(""))
        .env("NO_COLOR", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut peak = 0;
    let code = loop {
        peak = peak.max(peaks::kib(child.id()));
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            break status.code();
        }
        if started.elapsed() > longest {
            child.kill().expect("the child can be ended");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(peak > 0 || !cfg!(target_os = "linux"), "nobody looked");
    let mut said = Vec::new();
    let mut pipe = child.stderr.take().expect("it is piped");
    pipe.read_to_end(&mut said).expect("what it said");
    Ran {
        code,
        said: String::from_utf8_lossy(&said).into_owned(),
        peak_kib: peak,
        took: started.elapsed(),
    }
}

/// What is read of an event by most queries.
const NARROW: &str =
    "CloudAppEvents | project TimeGenerated, ActionType, AccountObjectId, IPAddress";

/// What goes through the rows one by one, keeps little, or goes to the disk.
const ANSWERED: [&str; 16] = [
    "CloudAppEvents | sort by AccountObjectId asc | summarize sum(strlen(tostring(RawEventData)))",
    "CloudAppEvents | top 10 by AccountObjectId asc",
    "# | sort by TimeGenerated asc | extend n = row_number() | summarize max(n)",
    "# | sort by AccountObjectId asc, TimeGenerated asc | extend p = prev(TimeGenerated) | where p > TimeGenerated | count",
    "CloudAppEvents | top-hitters 5 of AccountObjectId",
    "# | partition by ActionType (top 3 by TimeGenerated) | count",
    "CloudAppEvents | mv-expand p = RawEventData.Parameters | summarize dcount(tostring(p.Value))",
    "# | join kind=inner (# | where ActionType == 'UserLoginFailed' | distinct AccountObjectId, IPAddress) on AccountObjectId, IPAddress | count",
    "# | join kind=leftanti (# | where ActionType == 'Set-Mailbox') on AccountObjectId, TimeGenerated | count",
    "# | union (#), (#) | summarize count(), dcount(IPAddress)",
    "CloudAppEvents | distinct TimeGenerated, AccountObjectId | count",
    "CloudAppEvents | summarize make_set(IPAddress), make_set(ActionType), dcount(TimeGenerated) by AccountObjectId | count",
    "CloudAppEvents | summarize arg_max(TimeGenerated, *) by AccountObjectId | count",
    "CloudAppEvents | summarize count() by tostring(RawEventData.Id) | count",
    "CloudAppEvents | summarize n = count() by AccountObjectId, bin(TimeGenerated, 1h) | summarize percentiles(n, 50, 95) by AccountObjectId | count",
    "CloudAppEvents | where AccountObjectId in ((# | where ActionType == 'UserLoginFailed' | project AccountObjectId)) | count",
];

/// What needs all rows at once may be too much.
const ANSWERED_OR_REFUSED: [&str; 33] = [
    "# | serialize | extend p = prev(IPAddress) | where p == IPAddress | count",
    "# | sort by TimeGenerated asc | extend n = row_cumsum(1, AccountObjectId != prev(AccountObjectId)) | summarize max(n)",
    "# | scan declare (n:long=0) with (step a: true => n = a.n + 1;) | summarize max(n)",
    "CloudAppEvents | make-series n = count() on TimeGenerated step 1m by AccountObjectId | count",
    "CloudAppEvents | top-nested 3 of ActionType by count(), top-nested 2 of AccountObjectId by count()",
    "# | reduce by IPAddress | count",
    "# | partition hint.strategy=native by AccountObjectId (scan with (step a: ActionType == 'UserLoginFailed';)) | count",
    "CloudAppEvents | mv-apply p = RawEventData.Parameters on (summarize n = count()) | summarize sum(n)",
    "CloudAppEvents | join kind=inner (CloudAppEvents) on AccountObjectId, TimeGenerated | summarize sum(strlen(tostring(RawEventData1)))",
    "CloudAppEvents | join kind=leftouter (CloudAppEvents) on AccountObjectId, TimeGenerated | count",
    "# | join kind=fullouter (# | where ActionType == 'UserLoginFailed') on AccountObjectId, TimeGenerated | count",
    "CloudAppEvents | join kind=rightsemi (#) on TimeGenerated | count",
    "# | lookup (CloudAppEvents | summarize n = count() by AccountObjectId) on AccountObjectId | summarize sum(n)",
    "CloudAppEvents | summarize l = make_list(TimeGenerated) by AccountObjectId | summarize sum(array_length(l))",
    "CloudAppEvents | summarize make_set(tostring(RawEventData)) | count",
    "CloudAppEvents | summarize count() by tostring(RawEventData) | count",
    "let m = materialize(#); m | count | union (m | summarize dcount(IPAddress))",
    "let m = # | where strlen(IPAddress) > 3; m | join kind=inner (m | summarize n = count() by AccountObjectId) on AccountObjectId | count",
    "let n = toscalar(CloudAppEvents | summarize dcount(TimeGenerated)); CloudAppEvents | where strlen(ActionType) > n | count",
    "CloudAppEvents | where tostring(RawEventData.Id) in ((CloudAppEvents | project tostring(RawEventData.Id))) | count",
    "CloudAppEvents | project TimeGenerated, RawEventData | evaluate bag_unpack(RawEventData) | count",
    "# | evaluate pivot(ActionType) | count",
    "# | project ActionType, AccountObjectId | evaluate basket() | count",
    "# | evaluate narrow() | count",
    "# | evaluate activity_counts_metrics(AccountObjectId, TimeGenerated, datetime(2026-06-01), datetime(2026-06-11), 1d)",
    "# | evaluate activity_metrics(AccountObjectId, TimeGenerated, datetime(2026-06-01), datetime(2026-06-11), 1d)",
    "# | evaluate activity_engagement(AccountObjectId, TimeGenerated, datetime(2026-06-01), datetime(2026-06-11), 1d, 7d)",
    "# | evaluate active_users_count(AccountObjectId, TimeGenerated, datetime(2026-06-01), datetime(2026-06-11), 1d, 7d, 1d, 2)",
    "# | evaluate new_activity_metrics(AccountObjectId, TimeGenerated, datetime(2026-06-01), datetime(2026-06-11), 1d)",
    "# | evaluate session_count(AccountObjectId, TimeGenerated, datetime(2026-06-01), datetime(2026-06-11), 1h, 3)",
    "# | evaluate sequence_detect(TimeGenerated, 1h, 1h, f=(ActionType == 'UserLoginFailed'), g=(ActionType == 'UserLoggedIn'), AccountObjectId) | count",
    "# | extend n = strlen(IPAddress) | evaluate rolling_percentile(n, 50, TimeGenerated, 1h, 24) | count",
    "let nets = datatable(net:string)['203.0.1.0/24']; # | evaluate ipv4_lookup(nets, IPAddress, net) | count",
];

/// The same in SQL.
const SQL: [&str; 3] = [
    r#"SELECT count(*) FROM (SELECT lag("IPAddress") OVER (PARTITION BY "AccountObjectId" ORDER BY "TimeGenerated") AS p FROM CloudAppEvents) WHERE p IS NULL"#,
    r#"SELECT count(*), sum(length(b."RawEventData")) FROM CloudAppEvents a JOIN CloudAppEvents b ON a."TimeGenerated" = b."TimeGenerated" AND a."AccountObjectId" = b."AccountObjectId""#,
    r#"SELECT array_length(array_agg("RawEventData")) FROM CloudAppEvents"#,
];

/// What is wrong with how a query ended.
fn fault(ran: &Ran, refusable: bool) -> Option<&'static str> {
    let told = ran.said.starts_with("error: out of memory: ")
        && ran.said.contains("limit of 256 MiB")
        && ran.said.contains("--memory-limit SIZE");
    match ran.code {
        _ if ran.took > LONGEST => Some("takes too long"),
        _ if ran.peak_kib > MOST_KIB => Some("takes too much memory"),
        Some(0) => None,
        Some(3) if refusable && told => None,
        Some(3) if told => Some("is refused"),
        _ => Some("fails"),
    }
}

#[test]
fn five_million_events_stay_within_the_memory_or_say_what_to_do() {
    if !cfg!(target_os = "linux") {
        println!("skipped: how much memory a process had is read of /proc");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest_events(&archive);
    let archive = archive.to_string_lossy();
    let answered = ANSWERED.map(|query| ("kql", query, false));
    let either = ANSWERED_OR_REFUSED.map(|query| ("kql", query, true));
    let sql = SQL.map(|query| ("sql", query, true));
    let mut faults = String::new();
    for (language, query, refusable) in answered.into_iter().chain(either).chain(sql) {
        let query = query.replace('#', NARROW);
        let ran = watched(&[language, "-a", &archive, "-f", "csv", &query], LONGEST);
        let line = format!(
            "{:?} {:4} MiB {:5.1} s {query}: {}",
            ran.code,
            ran.peak_kib >> 10,
            ran.took.as_secs_f64(),
            ran.said.lines().next().unwrap_or_default()
        );
        println!("{line}");
        if let Some(fault) = fault(&ran, refusable) {
            writeln!(faults, "{fault}: {line}").expect("a text takes all");
        }
    }
    let hunt = watched(&["hunt", "-a", &archive, "-r", "builtin:mip"], LONGEST_HUNT);
    let whole = matches!(hunt.code, Some(0 | 20)) && hunt.took <= LONGEST_HUNT;
    if !whole || hunt.peak_kib > MOST_KIB {
        let (code, mib) = (hunt.code, hunt.peak_kib >> 10);
        writeln!(faults, "hunt: {code:?} {mib} MiB: {}", hunt.said).expect("a text takes all");
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn functions_that_make_much_of_little_ask_for_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/cloudappevents")]);
    let archive = archive.to_string_lossy();
    let sql = |query: &str| {
        let limit = [
            "--memory-limit",
            "256MiB",
            "sql",
            "-a",
            &archive,
            "-f",
            "csv",
        ];
        let out = run(&[&limit[..], &[query]].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    for (query, name) in [
        ("length(repeat(repeat('x', 100000), 10000))", "repeat"),
        ("length(rpad('x', 2000000000))", "rpad"),
        ("length(lpad('x', 2000000000, 'ab'))", "lpad"),
        ("array_length(range(1, 1000000000))", "range"),
        (
            "array_length(generate_series(1, 1000000000))",
            "generate_series",
        ),
        ("array_length(array_repeat(1, 1000000000))", "array_repeat"),
        (
            "array_length(array_resize([1], 1000000000))",
            "array_resize",
        ),
        (
            "array_length(array_repeat(range(0, 100000), 10000))",
            "array_repeat",
        ),
        (
            "length(replace(repeat('a', 100000), 'a', repeat('b', 20000)))",
            "replace",
        ),
        (
            "length(regexp_replace(repeat('a', 20000), 'a', repeat('b', 50000), 'g'))",
            "regexp_replace",
        ),
        (
            "array_length(generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2010-06-01', INTERVAL '1 second'))",
            "generate_series",
        ),
    ] {
        let (code, _, said) = sql(&format!("SELECT {query} AS n"));
        assert_eq!(code, Some(3), "{query}: {said}");
        let start = format!("error: out of memory: `{name}` needs ");
        assert!(said.starts_with(&start), "{query}: {said}");
        assert!(said.contains("--memory-limit SIZE"), "{query}: {said}");
    }
    for (query, answer) in [
        ("length(repeat('ab', 1000))", "2000"),
        ("length(repeat(\"ActionType\", 0))", "0"),
        ("rpad('x', 3, '.') || lpad('y', 3)", "x..  y"),
        ("array_length(range(10))", "10"),
        ("array_length(range(10, 0, -2))", "5"),
        ("array_length(generate_series(1, 1000000))", "1000000"),
        ("array_length(list_repeat('a', 5))", "5"),
        ("array_length(array_resize([1, 2], 4))", "4"),
    ] {
        let (code, found, said) = sql(&format!("SELECT {query} AS n FROM CloudAppEvents LIMIT 1"));
        assert_eq!(code, Some(0), "{query}: {said}");
        assert_eq!(found, format!("n\n{answer}\n"), "{query}");
    }
}

#[test]
fn a_file_that_holds_more_than_the_memory_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/cloudappevents")]);
    let mut rows = String::from("n,words\n");
    for n in 0..300_000 {
        writeln!(rows, "{n},w{n:0>60}").expect("a text takes all");
    }
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, rows).expect("a file");
    let table = format!("T={}", file.display());
    let asked = |limit: &str| {
        let archive = archive.to_string_lossy();
        let place = ["--memory-limit", limit, "sql", "-a", &archive];
        let asked = [
            "--table",
            &table,
            "-f",
            "csv",
            "SELECT count(*) AS n FROM T",
        ];
        let out = run(&[&place[..], &asked[..]].concat());
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let found = String::from_utf8_lossy(&out.stdout).into_owned();
        (out.status.code(), found, said)
    };
    let (code, _, said) = asked("16MiB");
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.starts_with("error: out of memory: `T` needs "),
        "{said}"
    );
    assert!(said.contains("--memory-limit SIZE"), "{said}");
    let (code, found, said) = asked("64MiB");
    assert_eq!((code, &*found), (Some(0), "n\n300000\n"), "{said}");
}

#[test]
fn a_long_list_of_terms_takes_little_longer_than_a_short_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("query.kql");
    let took = |terms: usize| {
        let list: Vec<String> = (0..terms)
            .map(|n| format!("'user{n}@contoso.com'"))
            .collect();
        let query = format!(
            "range x from 1 to 200000 step 1 | extend s = strcat('User', x, '@contoso.com') | where s has_any ({}) | count",
            list.join(", ")
        );
        std::fs::write(&file, query).expect("a query");
        let started = Instant::now();
        let out = run(&["kql", "-f", "csv", "-F", &file.to_string_lossy()]);
        let found = format!("Count\n{}\n", terms - 1);
        assert_eq!(String::from_utf8_lossy(&out.stdout), found);
        started.elapsed()
    };
    // Looking for each of them in each row takes some 400 times as long.
    let (few, many) = (took(20), took(10_000));
    assert!(many < 20 * few, "{few:?} {many:?}");
}
