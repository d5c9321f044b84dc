//! How long rules take to parse and plan, and how much faster a path is from its column than from JSON.
//!
//! `cargo bench --bench kql` makes an archive of 200 MB of CloudAppEvents; `-- --size 1000` of 1 GB. Each time is the median of
//! several runs, in one process. `plan` is all from text to DataFusion's logical plan, `optimized` with DataFusion's optimizer behind
//! it, `first` the first time in a session, with views, physical plan and SQL.

mod generate;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use coldtrail::archive::Archive;
use coldtrail::engine::kql::Options;
use coldtrail::engine::output::{Format, Writer};
use coldtrail::engine::{self, Session, Source};
use coldtrail::function::value::UNIX_EPOCH_TICKS;
use coldtrail::ingest::input;
use coldtrail::kql::parse;
use coldtrail::{convert, progress};

/// 2026-06-02T00:00:00Z, after the events.
const NOW: i64 = 1_780_358_400_000_000;
/// Times that a rule is planned.
const PLANS: usize = 41;
/// Times that a query is run.
const RUNS: usize = 7;

/// Rules of the sizes and shapes that are typical: one table and a filter; labels with their names; a join over two tables with lets
/// and a watchlist's stand-in; arrays taken apart; a series.
const RULES: [(&str, &str); 6] = [
    (
        "filter and count",
        "CloudAppEvents | where TimeGenerated > ago(1d) | where ActionType == 'FileDownloaded' | summarize count() by AccountId, bin(TimeGenerated, 1h) | where count_ > 100",
    ),
    (
        "labels removed in bulk",
        "let names = datatable(Id:string, Name:string)['a', 'Public', 'b', 'Secret'];
         CloudAppEvents | where TimeGenerated between (ago(14d) .. now())
         | where ActionType in ('SensitivityLabelRemoved', 'SensitivityLabelUpdated')
         | extend Old = tostring(RawEventData.SensitivityLabelEventData.OldSensitivityLabelId), Kind = toint(RawEventData.SensitivityLabelEventData.LabelEventType)
         | where Kind in (2, 3) | lookup kind=leftouter names on $left.Old == $right.Id
         | summarize Files = dcount(tostring(RawEventData.ObjectId)), Labels = make_set(Name, 20), First = min(TimeGenerated), Last = max(TimeGenerated) by AccountObjectId, AccountDisplayName
         | where Files >= 10 | extend Level = case(Files > 100, 'High', Files > 50, 'Medium', 'Low')",
    ),
    (
        "risky sign-in, then label",
        "let risky = SigninLogs | where TimeGenerated > ago(1d) and RiskLevelDuringSignIn in ('high', 'medium') | where ResultType == '0'
             | project SignIn = TimeGenerated, UserPrincipalName, Address = IPAddress, Country = tostring(parse_json(LocationDetails).countryOrRegion);
         CloudAppEvents | where TimeGenerated > ago(1d) and ActionType has 'SensitivityLabel'
         | extend User = tolower(tostring(RawEventData.UserId)) | join kind=inner risky on $left.User == $right.UserPrincipalName
         | where TimeGenerated between (SignIn .. 4h) | summarize arg_max(TimeGenerated, *), Actions = make_set(ActionType) by User",
    ),
    (
        "cmdlet arguments",
        "OfficeActivity | where TimeGenerated >= ago(7d) | where Operation in~ ('New-InboxRule', 'Set-InboxRule')
         | mv-apply p = todynamic(Parameters) on (where p.Name in~ ('ForwardTo', 'RedirectTo', 'DeleteMessage') | summarize Arguments = make_bag(bag_pack(tostring(p.Name), p.Value)))
         | extend To = tostring(Arguments.ForwardTo), Hidden = Arguments has 'true'
         | where isnotempty(To) or Hidden | project TimeGenerated, UserId, ClientIP, Operation, To, Arguments",
    ),
    (
        "role changes",
        "AuditLogs | where TimeGenerated > ago(1d) and OperationName =~ 'Add member to role' and Result == 'success'
         | mv-expand TargetResources | extend Changes = TargetResources.modifiedProperties, Target = tostring(TargetResources.userPrincipalName)
         | mv-expand Changes | where tostring(Changes.displayName) == 'Role.DisplayName'
         | extend Role = trim(@'\"', tostring(Changes.newValue)), By = tostring(InitiatedBy.user.userPrincipalName)
         | where Role contains 'Admin' | summarize Roles = make_set(Role), count() by By, Target, bin(TimeGenerated, 10m)",
    ),
    (
        "series and first seen",
        "let known = CloudAppEvents | where TimeGenerated between (ago(14d) .. ago(1d)) | summarize by AccountId, IPAddress;
         CloudAppEvents | where TimeGenerated > ago(1d) | join kind=leftanti known on AccountId, IPAddress
         | make-series n = count() default = 0 on TimeGenerated from ago(1d) to now() step 1h by AccountId
         | extend (flag, score, base) = series_decompose_anomalies(n, 2.5) | mv-expand TimeGenerated to typeof(datetime), n to typeof(long), flag to typeof(long)
         | where flag > 0",
    ),
];

/// Queries that read paths of the audit record.
const PATHS: [(&str, &str); 3] = [
    (
        "filter on a path",
        "TABLE | where tostring(RawEventData.Operation) == 'SensitivityLabelUpdated' | count",
    ),
    (
        "group by a path",
        "TABLE | summarize n = count() by Label = tostring(RawEventData.SensitivityLabelEventData.LabelEventType) | summarize sum(n)",
    ),
    (
        "three paths",
        "TABLE | where RawEventData.UserId has 'user0042' and isnotempty(tostring(RawEventData.ClientIP)) | summarize dcount(tostring(RawEventData.Operation))",
    ),
];

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let size = generate::size();
    let folder = std::env::temp_dir().join(format!("coldtrail-bench-kql-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let archive = archive(&folder, size);
    plans(&archive);
    paths(&archive);
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

fn archive(folder: &Path, size: u64) -> Archive {
    let file = folder.join("cloudappevents.jsonl");
    let mut out = BufWriter::new(File::create(&file).expect("the input can be made"));
    generate::cloud_app_lines(&mut out, size * 1_000_000, 86_400);
    out.flush().expect("the input can be written");
    let archive = Archive::create(&folder.join("archive")).expect("an archive");
    let found = input::find(&[file.to_string_lossy().into_owned()]).expect("the input");
    let options = convert::Options {
        now: NOW,
        ..convert::Options::default()
    };
    let progress: Arc<dyn progress::Progress> = Arc::new(progress::Silent);
    convert::ingest(&archive, &found, &options, &progress).expect("ingest");
    std::fs::remove_file(&file).expect("the input can be removed");
    archive
}

fn options() -> Options {
    Options {
        now: UNIX_EPOCH_TICKS + NOW * 10,
        ..Options::default()
    }
}

fn plans(archive: &Archive) {
    let session =
        Session::open(Source::Archive(archive), &engine::Options::default()).expect("a session");
    println!(
        "{:<28} {:>10} {:>10} {:>12} {:>10}",
        "rule", "parse ms", "plan ms", "optimized ms", "first ms"
    );
    for (name, rule) in RULES {
        let ms = |started: Instant| started.elapsed().as_secs_f64() * 1e3;
        let started = Instant::now();
        session
            .kql_explain(rule, &options())
            .expect("the rule can be planned");
        let first = ms(started);
        let parsed = (0..PLANS).map(|_| {
            let started = Instant::now();
            let (_, faults) = parse(rule);
            assert!(faults.is_empty(), "{name}: {faults:?}");
            ms(started)
        });
        let parsed = median(parsed.collect());
        let plan = || {
            session
                .kql_plan(rule, &options())
                .expect("the rule can be planned")
        };
        let planned = (0..PLANS).map(|_| {
            let started = Instant::now();
            plan();
            ms(started)
        });
        let planned = median(planned.collect());
        let optimized = (0..PLANS).map(|_| {
            let started = Instant::now();
            plan()
                .into_optimized_plan()
                .expect("the plan can be optimized");
            ms(started)
        });
        let optimized = median(optimized.collect());
        println!("{name:<28} {parsed:>10.3} {planned:>10.2} {optimized:>12.2} {first:>10.1}");
    }
}

fn paths(archive: &Archive) {
    let session =
        Session::open(Source::Archive(archive), &engine::Options::default()).expect("a session");
    // The same rows in a table that has the record as JSON and nothing else of it.
    let parquet = archive.root().with_file_name("raw.parquet");
    let frame = session
        .plan("SELECT \"TimeGenerated\", \"RawEventData\" FROM \"CloudAppEvents\"")
        .expect("a plan");
    let schema = Arc::clone(frame.schema().inner());
    let file = File::create(&parquet).expect("a file");
    let mut writer = Writer::new(Format::Parquet, schema, file, false).expect("a writer");
    session
        .stream(frame, |batch| writer.write(batch))
        .expect("the rows can be written");
    writer.finish().expect("the file can be ended");
    let files = engine::Options {
        files: vec![("Raw".into(), parquet)],
        ..engine::Options::default()
    };
    let json = Session::open(Source::Archive(archive), &files).expect("a session");
    println!(
        "\n{:<28} {:>10} {:>10} {:>8}",
        "query", "column ms", "JSON ms", "ratio"
    );
    for (name, query) in PATHS {
        let time = |session: &Session, query: &str| {
            let mut answers = Vec::new();
            let times = (0..RUNS).map(|_| {
                let started = Instant::now();
                answers.push(session.kql(query, &options()).expect("an answer").rows);
                started.elapsed().as_secs_f64() * 1e3
            });
            (median(times.collect()), answers.swap_remove(0))
        };
        let (column, expected) = time(&session, &query.replace("TABLE", "CloudAppEvents"));
        let from_json = query.replace(
            "TABLE",
            "Raw | extend RawEventData = parse_json(RawEventData)",
        );
        let (text, answer) = time(&json, &from_json);
        assert_eq!(answer, expected, "{name}: both ways must agree");
        println!(
            "{name:<28} {column:>10.1} {text:>10.1} {:>8.1}",
            text / column
        );
    }
}
