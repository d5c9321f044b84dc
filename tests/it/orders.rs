//! The same events from three sources: audit exports, Defender's CloudAppEvents, and what Sentinel's connectors keep. Whatever the order of the
//! sources and however they are cut into files and runs, each view has the same rows, and each event is in one window.
//!
//! Six plans stand for all orders and splits: each order of the sources once, and each split (all together, a source a run, a file a run, files
//! of several sources a run) at least once, with and without `archive compact` and `archive rebuild` between the runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::durable::{Chance, done, quick_folder, text};

const VIEWS: [&str; 7] = [
    "CloudAppEvents",
    "OfficeActivity",
    "UnifiedAuditLog",
    "MicrosoftPurviewInformationProtection",
    "LabelEvents",
    "SigninLogs",
    "AuditLogs",
];

/// Operation, type and workload of records.
const KINDS: [(&str, i64, &str); 12] = [
    ("SensitivityLabelApplied", 83, "PublicEndpoint"),
    ("SensitivityLabelUpdated", 83, "PublicEndpoint"),
    ("SensitivityLabelRemoved", 83, "PublicEndpoint"),
    ("FileSensitivityLabelApplied", 6, "SharePoint"),
    ("FileSensitivityLabelChanged", 6, "OneDrive"),
    ("FileSensitivityLabelRemoved", 6, "SharePoint"),
    ("AutoSensitivityLabelRuleMatch", 82, "SharePoint"),
    ("FileAccessed", 6, "SharePoint"),
    ("FileDownloaded", 6, "OneDrive"),
    ("MailItemsAccessed", 50, "Exchange"),
    ("New-InboxRule", 1, "Exchange"),
    ("UserLoggedIn", SIGN_IN, "AzureActiveDirectory"),
];

const SIGN_IN: i64 = 15;
/// What signs in; the CSV escapes its slashes, and nobody else does.
const AGENT: &str = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36";

/// The sources that have an event: U audit exports, A CloudAppEvents, S Sentinel.
const HELD: [&str; 7] = ["UAS", "UA", "US", "AS", "U", "A", "S"];

/// Seconds by which a source has an event later than its record says.
const DELAYS: [i64; 6] = [0, 1, 37, -2, 3600, 2 * 86_400];

const USERS: [&str; 3] = ["alice@contoso.com", "Bob@Contoso.com", "carol@contoso.com"];

/// Events of several rows in CloudAppEvents that only their content tells apart: they have no ReportId, or a blank one.
const ALIKE: [(i64, Option<&str>); 2] = [(63, None), (65, Some(" "))];
/// The last event.
const LAST: i64 = 65;

/// So many seconds after the beginning of May.
fn time(seconds: i64) -> String {
    format!(
        "2026-05-{:02}T{:02}:{:02}:{:02}",
        1 + seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn at(n: i64) -> i64 {
    7000 * n + n % 5
}

fn id(n: i64) -> String {
    format!("{n:08x}-00ab-4cde-8f00-{:012x}", n * 7919)
}

fn of<T: Copy>(list: &[T], n: i64) -> T {
    list[n as usize % list.len()]
}

fn is_label(n: i64) -> bool {
    of(&KINDS, n).0.contains("ensitivityLabel")
}

/// The record of an event.
fn record(n: i64) -> Value {
    let (operation, record_type, workload) = of(&KINDS, n);
    let mut record = json!({
        "Id": id(n),
        "RecordType": record_type,
        "CreationTime": time(at(n)),
        "Operation": operation,
        "UserType": 0,
        "UserKey": format!("1003{:04}@contoso.com", n % 3),
        "Workload": workload,
        "UserId": of(&USERS, n),
        "ClientIP": format!("192.0.2.{n}"),
    });
    if workload != "Exchange" {
        let file = format!("Plan{}.docx", n % 9);
        record["ObjectId"] = json!(format!("https://contoso.sharepoint.com/a/{file}"));
        record["SourceFileName"] = json!(file);
    }
    if is_label(n) {
        record["SensitivityLabelEventData"] = json!({
            "SensitivityLabelId": id(900 + n % 3),
            "OldSensitivityLabelId": id(900 + (n + 1) % 3),
            "LabelEventType": 1 + n % 4,
            "JustificationText": format!("reason {}", n % 2),
        });
    }
    if record_type == SIGN_IN {
        record["ExtendedProperties"] = json!([{ "Name": "UserAgent", "Value": AGENT }]);
    }
    record
}

/// Its row in CloudAppEvents. Some have the name of the record nowhere but in ReportId, some nowhere but in the record.
fn app(n: i64, mut record: Value, number: u8) -> Value {
    let mut row = json!({
        "TimeGenerated": format!("{}.123Z", time(at(n) + of(&DELAYS, n))),
        "Type": "CloudAppEvents",
        "ActionType": record["Operation"],
        "Application": "Microsoft 365",
        "AccountObjectId": id(800 + n % 3),
        "AccountDisplayName": of(&["Alice Able", "Bob Baker", "Carol Cole"], n),
        "IPAddress": record["ClientIP"],
        "CountryCode": of(&["DE", "US", "FR"], n),
        "ReportId": match n % 9 {
            0 => format!("{n:032x}"),
            _ => format!("{number}_11161_{}", id(n)),
        },
    });
    if n % 2 == 1 {
        record["CreationTime"] = json!(format!("{}Z", time(at(n))));
    }
    if n % 3 == 0 {
        record["Id"] = json!(id(n).to_uppercase());
    }
    if n % 11 == 5 {
        row["ObjectName"] = record["SourceFileName"].clone();
    } else {
        row["RawEventData"] = record;
    }
    row
}

/// Its row in OfficeActivity, or in the table of Sentinel's connector for Purview.
fn sentinel(n: i64, record: &Value) -> Value {
    let id = match n % 2 {
        0 => id(n),
        _ => format!("{{{}}}", id(n).to_uppercase()),
    };
    let mut row = json!({
        "TimeGenerated": format!("{}Z", time(at(n) + of(&DELAYS, n + 2))),
        "Operation": record["Operation"],
        "UserType": "Regular",
        "UserKey": record["UserKey"],
        "UserId": record["UserId"],
        "ClientIP": record["ClientIP"],
    });
    let mut set = |name: &str, value: &Value| {
        if !value.is_null() {
            row[name] = value.clone();
        }
    };
    if let Some(name) = office_type(n) {
        set("Type", &json!("OfficeActivity"));
        set("OfficeId", &json!(id));
        set("RecordType", &json!(name));
        set("OfficeWorkload", &record["Workload"]);
        set("OfficeObjectId", &record["ObjectId"]);
        set("SourceFileName", &record["SourceFileName"]);
        set("Start_Time", &json!(format!("{}Z", time(at(n) + 90_000))));
    } else {
        let label = &record["SensitivityLabelEventData"];
        set("Type", &json!("MicrosoftPurviewInformationProtection"));
        set("Id", &json!(id));
        set("RecordType", &record["RecordType"]);
        set("Workload", &record["Workload"]);
        set("ObjectId", &record["ObjectId"]);
        set("LabelEventType", &json!("LabelUpgraded"));
        set("SensitivityLabelId", &label["SensitivityLabelId"]);
        set("OldSensitivityLabelId", &label["OldSensitivityLabelId"]);
        set("JustificationText", &label["JustificationText"]);
    }
    row
}

/// What OfficeActivity calls the type of a record that it has.
fn office_type(n: i64) -> Option<&'static str> {
    match of(&KINDS, n).1 {
        1 => Some("ExchangeAdmin"),
        6 => Some("SharePointFileOperation"),
        50 => Some("50"),
        _ => None,
    }
}

/// Exports of the sources, and how many rows each view must have of them.
struct Exports {
    audit: [PathBuf; 3],
    apps: [PathBuf; 2],
    sentinel: [PathBuf; 2],
    counts: [usize; VIEWS.len()],
}

/// Which events a source names: those of CloudAppEvents, and those of which it has the record.
#[derive(Default)]
struct Events {
    audit: BTreeSet<i64>,
    apps: BTreeSet<i64>,
    recorded: BTreeSet<i64>,
    office: BTreeSet<i64>,
    purview: BTreeSet<i64>,
}

impl Exports {
    fn write(folder: &Path) -> Exports {
        let (mut audit, mut apps, mut sentinels) = (Vec::new(), Vec::new(), Vec::new());
        let mut events = Events::default();
        for n in 1..=56 {
            let held = of(&HELD, n);
            if held.contains('U') {
                audit.push((n, record(n)));
                events.audit.insert(n);
            }
            if held.contains('A') {
                let row = app(n, record(n), 1);
                events.apps.insert(n);
                if row["RawEventData"].is_object() {
                    events.recorded.insert(n);
                }
                apps.push(row);
            }
            // Its connectors take sign-ins from elsewhere.
            if held.contains('S') && of(&KINDS, n).1 != SIGN_IN {
                sentinels.push(sentinel(n, &record(n)));
                match office_type(n) {
                    Some(_) => events.office.insert(n),
                    None => events.purview.insert(n),
                };
            }
        }
        // A second row of a record.
        apps.push(app(8, record(8), 2));
        for (n, report) in ALIKE {
            for k in 0..3 {
                let mut changed = record(n);
                changed["ClientIP"] = json!(format!("198.51.100.{k}"));
                let mut row = app(n, changed, 1);
                row["ReportId"] = json!(report);
                apps.push(row);
            }
            events.apps.insert(n);
            events.recorded.insert(n);
        }
        for n in 1..=8 {
            sentinels.push(json!({
                "TimeGenerated": format!("{}Z", time(50_000 * n)), "Type": "SigninLogs", "Id": id(700 + n),
                "UserPrincipalName": of(&USERS, n), "UserId": id(800 + n % 3), "ResultType": "0",
            }));
            sentinels.push(json!({
                "TimeGenerated": format!("{}Z", time(50_000 * n + 9)), "Type": "AuditLogs", "Id": id(750 + n),
                "OperationName": "Add member to role",
            }));
        }
        let counts = events.counts(apps.len());
        let audit = audit_exports(folder, &audit);
        let halves = |name: &str, rows: &[Value]| {
            [0, 1].map(|half| {
                let own = rows.iter().skip(half).step_by(2);
                // Some rows of the first file are in the second one again.
                let again = rows.iter().step_by(2).take(2 * half);
                let lines = own.chain(again).map(|row| format!("{row}\n"));
                let lines: String = lines.collect();
                write(folder, &format!("{name}{half}.jsonl"), &lines)
            })
        };
        Exports {
            audit,
            apps: halves("apps", &apps),
            sentinel: halves("sentinel", &sentinels),
            counts,
        }
    }
}

impl Events {
    /// Rows of the views; CloudAppEvents has so many of its own.
    fn counts(&self, apps: usize) -> [usize; VIEWS.len()] {
        let in_audit = |n: &i64| self.audit.contains(n) || self.office.contains(n);
        let all: Vec<i64> = (1..=LAST)
            .filter(|n| in_audit(n) || self.recorded.contains(n))
            .collect();
        let beside = all.iter();
        let beside = beside.filter(|n| in_audit(n) && !self.apps.contains(*n));
        let is_office = |n: &i64| {
            let (_, record_type, workload) = of(&KINDS, *n);
            let has = ["Exchange", "SharePoint", "OneDrive"].contains(&workload);
            has && record_type != 82 && record_type != 83
        };
        let is_labelled = |n: &i64| {
            let mut sources = [&self.audit, &self.apps, &self.office, &self.purview].into_iter();
            is_label(*n) && sources.any(|events| events.contains(n))
        };
        [
            apps + beside.count(),
            all.iter().filter(|n| is_office(n)).count(),
            all.len(),
            self.purview.len(),
            (1..=LAST).filter(is_labelled).count(),
            8,
            8,
        ]
    }
}

/// Audit records as the portal's CSV, a blob of the Management API and lines of records: a third of them is in two, and times are spelled in several
/// ways.
fn audit_exports(folder: &Path, records: &[(i64, Value)]) -> [PathBuf; 3] {
    let mut csv = String::from(
        "RecordId,CreationDate,RecordType,Operation,UserId,AuditData,AssociatedAdminUnits,AssociatedAdminUnitsNames\r\n",
    );
    let (mut blob, mut lines) = (Vec::new(), String::new());
    for (k, (n, record)) in records.iter().enumerate() {
        let mut spelled = record.clone();
        let end = of(&["", "Z", ".000", ".0000000Z"], *n);
        spelled["CreationTime"] = json!(format!("{}{end}", time(at(*n))));
        if k % 3 != 1 {
            let (operation, record_type, _) = of(&KINDS, *n);
            let data = record.to_string().replace('/', "\\/").replace('"', "\"\"");
            csv.push_str(&format!(
                "{},{}Z,{record_type},{operation},{},\"{data}\",,\r\n",
                id(*n),
                time(at(*n)),
                of(&USERS, *n)
            ));
        }
        match k % 3 {
            1 => blob.push(spelled),
            2 => lines.push_str(&format!("{spelled}\n")),
            _ => {}
        }
    }
    [
        write(folder, "audit.csv", &csv),
        write(folder, "audit.json", &Value::from(blob).to_string()),
        write(folder, "audit.jsonl", &lines),
    ]
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).expect("a file");
    path
}

/// How the files are cut into runs.
#[derive(Debug, Clone, Copy)]
enum Split {
    Together,
    /// A source a run.
    Sources,
    /// A file a run.
    Files,
    /// Files of several sources a run; the halves of a source are apart, and change places with the order.
    Mixed,
}

/// The order of the sources, the split, and the command after each run.
type Plan = ([usize; 3], Split, Option<&'static str>);

const PLANS: [Plan; 6] = [
    ([0, 1, 2], Split::Together, None),
    ([0, 2, 1], Split::Files, None),
    ([1, 0, 2], Split::Sources, Some("compact")),
    ([1, 2, 0], Split::Files, Some("rebuild")),
    ([2, 0, 1], Split::Mixed, None),
    ([2, 1, 0], Split::Mixed, Some("compact")),
];

/// Ingests the exports as a plan says.
fn archive(exports: &Exports, (order, split, between): Plan, path: &Path) {
    let sources: [&[PathBuf]; 3] = [&exports.audit, &exports.apps, &exports.sentinel];
    let ordered = order.iter().map(|source| sources[*source]);
    let runs: Vec<Vec<&PathBuf>> = match split {
        Split::Together => vec![ordered.flatten().collect()],
        Split::Sources => ordered.map(|files| files.iter().collect()).collect(),
        Split::Files => ordered.flatten().map(|file| vec![file]).collect(),
        Split::Mixed => {
            let groups = [
                vec![&exports.apps[0], &exports.audit[1]],
                vec![&exports.sentinel[1], &exports.audit[0]],
                vec![&exports.sentinel[0], &exports.apps[1], &exports.audit[2]],
            ];
            order.iter().map(|group| groups[*group].clone()).collect()
        }
    };
    let path = text(path);
    for files in runs {
        let files: Vec<String> = files.iter().map(|file| text(file)).collect();
        let mut arguments = vec!["ingest", "-a", &path];
        arguments.extend(files.iter().map(String::as_str));
        done(&arguments);
        if let Some(command) = between {
            done(&["archive", command, "-a", &path]);
        }
    }
}

/// The rows of an answer, in an order of their own.
fn ask(language: &str, archive: &Path, query: &str, range: &[&str]) -> Vec<String> {
    let archive = text(archive);
    let mut arguments = vec![language, "-a", &archive, "-f", "jsonl", query];
    arguments.extend(range);
    let out = run(&arguments);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {said}");
    let answer = String::from_utf8(out.stdout).expect("text");
    let mut rows: Vec<String> = answer.lines().map(plain).collect();
    rows.sort();
    rows
}

/// A row without what may differ: a record is kept as it came first, and the same time may be spelled in another way there.
fn plain(row: &str) -> String {
    let mut row: Value = serde_json::from_str(row).expect("a row");
    for column in ["AuditData", "RawEventData"] {
        let record = row.get_mut(column).and_then(|r| r.get_mut("CreationTime"));
        if let Some(created) = record {
            let spelled = created.as_str().expect("a time");
            *created = json!(spelled[.."2026-05-01T00:00:00".len()]);
        }
    }
    row.to_string()
}

/// A row that the others do not have; both are in order.
fn missing<'r>(rows: &'r [String], others: &[String]) -> Option<&'r String> {
    rows.iter().find(|row| others.binary_search(row).is_err())
}

/// All rows of all views in one KQL query.
fn union() -> String {
    format!("union withsource=View {}", VIEWS.join(", "))
}

/// What an archive says of all events, view by view in SQL and then all in KQL.
fn everything(archive: &Path) -> Vec<(&'static str, Vec<String>)> {
    let sql = |view: &'static str| {
        let query = format!("SELECT * FROM \"{view}\"");
        (view, ask("sql", archive, &query, &[]))
    };
    let mut all: Vec<_> = VIEWS.into_iter().map(sql).collect();
    all.push(("all in KQL", ask("kql", archive, &union(), &[])));
    all
}

#[test]
fn the_order_of_sources_and_runs_changes_no_answer() {
    let folder = quick_folder();
    let exports = Exports::write(folder.path());
    let of_plan = |n: usize| {
        let path = folder.path().join(format!("archive{n}"));
        archive(&exports, PLANS[n], &path);
        let said = everything(&path);
        let revised = ask("sql", &path, "SELECT * FROM \"Revisions\"", &[]);
        assert_eq!(revised, [""; 0], "{:?}: equal contents", PLANS[n]);
        if n == 4 {
            // What is known of identities and the derived rows only spare work.
            for made in ["_keys", "LabelEvents"] {
                fs::remove_dir_all(path.join(made)).expect("it was there");
            }
            assert!(everything(&path) == said, "worked out of the events");
        }
        said
    };
    let first = of_plan(0);
    for ((view, rows), count) in first.iter().zip(exports.counts) {
        assert_eq!(rows.len(), count, "{view}");
    }
    let query = "SELECT DISTINCT UserAgent FROM CloudAppEvents WHERE UserAgent IS NOT NULL";
    let agents = ask("sql", &folder.path().join("archive0"), query, &[]);
    assert_eq!(agents, [json!({ "UserAgent": AGENT }).to_string()]);
    let in_all = exports.counts.iter().sum::<usize>();
    assert_eq!(first.last().expect("the union").1.len(), in_all);
    thread::scope(|threads| {
        for numbers in [vec![3, 4], vec![1, 2, 5]] {
            let (first, of_plan) = (&first, &of_plan);
            threads.spawn(move || {
                for n in numbers {
                    for ((view, wanted), (_, got)) in first.iter().zip(of_plan(n)) {
                        let differ = (missing(wanted, &got), missing(&got, wanted));
                        assert_eq!(differ, (None, None), "{view}: {:?}", PLANS[n]);
                        assert!(got == *wanted, "{view}: {:?}, equal rows", PLANS[n]);
                    }
                }
            });
        }
    });
}

/// Edges of windows: some where events are, some anywhere. Without their `Z`, texts are in the order of time.
fn edges(times: &[String]) -> Vec<String> {
    let mut chance = Chance(14);
    let mut edges = BTreeSet::new();
    for _ in 0..4 {
        let time = &times[chance.below(times.len())];
        edges.insert(time.trim_end_matches('Z').to_string());
    }
    for _ in 0..3 {
        let second = chance.below(6 * 86_400) as i64;
        edges.insert(format!("{}.{:03}", time(second), chance.below(1000)));
    }
    edges.into_iter().collect()
}

#[test]
fn windows_at_any_edges_have_each_event_once() {
    let folder = quick_folder();
    let exports = Exports::write(folder.path());
    let parts = VIEWS.map(|view| {
        format!("SELECT '{view}' AS \"View\", \"TimeGenerated\", \"_Source\" FROM \"{view}\"")
    });
    let sql = parts.join(" UNION ALL ");
    let kql = format!("{} | project View, TimeGenerated, _Source", union());
    for plan in [PLANS[0], ([2, 1, 0], Split::Files, None)] {
        let path = folder.path().join(format!("{:?}", plan.1));
        archive(&exports, plan, &path);
        let whole = ask("sql", &path, &sql, &[]);
        assert_eq!(whole.len(), exports.counts.iter().sum::<usize>());
        let times: Vec<String> = whole.iter().map(|row| time_of(row)).collect();
        let edges = edges(&times);
        let mut windows = vec![vec!["--to", edges[0].as_str()]];
        for pair in edges.windows(2) {
            windows.push(vec!["--from", pair[0].as_str(), "--to", pair[1].as_str()]);
        }
        windows.push(vec!["--from", edges.last().expect("several").as_str()]);
        for (language, query) in [("sql", &sql), ("kql", &kql)] {
            let asked = windows.iter();
            let asked = asked.flat_map(|window| ask(language, &path, query, window));
            let mut all: Vec<String> = asked.collect();
            all.sort();
            let differ = (missing(&whole, &all), missing(&all, &whole));
            assert_eq!(differ, (None, None), "{plan:?} {language} {edges:?}");
            assert!(
                all == whole,
                "{plan:?} {language} {edges:?}, in two windows"
            );
        }
    }
}

fn time_of(row: &str) -> String {
    let row: Value = serde_json::from_str(row).expect("a row");
    let time = row["TimeGenerated"].as_str();
    time.expect("a time").to_string()
}

#[test]
fn of_two_contents_of_one_event_the_first_counts_and_the_other_is_kept() {
    let folder = quick_folder();
    let mut other = record(3);
    other["ClientIP"] = json!("198.51.100.9");
    other["CreationTime"] = json!(time(at(3) + 3 * 86_400));
    let one = write(folder.path(), "one.jsonl", &format!("{}\n", record(3)));
    let two = write(folder.path(), "two.jsonl", &format!("{other}\n"));
    let apps = app(3, record(3), 1).to_string();
    let apps = write(folder.path(), "apps.jsonl", &apps);
    let addresses = ["192.0.2.3", "198.51.100.9"];
    for (n, order) in [[&one, &apps, &two], [&two, &apps, &one]]
        .into_iter()
        .enumerate()
    {
        let path = folder.path().join(format!("archive{n}"));
        for file in order {
            done(&["ingest", "-a", &text(&path), &text(file)]);
        }
        let [first, second] = [addresses[n], addresses[1 - n]];
        for view in ["UnifiedAuditLog", "LabelEvents"] {
            let query = format!("SELECT \"IPAddress\" FROM \"{view}\"");
            let counted = ask("sql", &path, &query, &[]);
            let wanted = json!({ "IPAddress": first }).to_string();
            assert_eq!(counted, [wanted], "{view}");
            let middle = time(at(3) + 86_400);
            let halves = [["--to", &middle], ["--from", &middle]];
            let halves = halves.map(|half| ask("sql", &path, &query, &half).len());
            assert_eq!(halves.iter().sum::<usize>(), 1, "{view}: {halves:?}");
        }
        let kept = ask("sql", &path, "SELECT \"Content\" FROM \"Revisions\"", &[]);
        assert_eq!(kept.len(), 1);
        assert!(kept[0].contains(second), "{kept:?}");
    }
}
