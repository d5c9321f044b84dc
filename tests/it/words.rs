//! What is said: local times wherever they go, what became of the user's word on a table, and notes in plain English that are true.

use std::path::Path;

use crate::ask;
use crate::command_line::run;

const LOCAL: &str = "datetime_utc_to_local(datetime(2026-05-20T19:40:05.5Z), 'Europe/Berlin')";
const SHOWN: &str = "2026-05-20T21:40:05.500";

/// Status, answer and messages of a run.
fn told(arguments: &[&str]) -> (Option<i32>, String, String) {
    let out = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// The rows of a query that reads no archive, over one row `r` with an instant `t` and a local time `x`; and what is said beside it.
fn asked(query: &str, more: &[&str]) -> (String, String) {
    let query = format!(
        "let r = datatable(t:datetime, k:string)[datetime(2026-05-20T19:40:05.5Z), 'a'] | extend x = {LOCAL}; {query}"
    );
    let (code, answer, said) = told(&[&["kql", &query, "-f", "csv"][..], more].concat());
    assert_eq!(code, Some(0), "{query}: {said}");
    let rows: Vec<&str> = answer.lines().skip(1).collect();
    (rows.join("\n"), said)
}

#[test]
fn a_local_time_is_one_behind_every_operator() {
    let range = format!("range y from {LOCAL} to {LOCAL} step 1h");
    for (query, rest) in [
        ("r | join kind=leftouter (r) on k | project x", ""),
        ("r | join kind=leftouter (r) on k | project x1", ""),
        ("r | join kind=fullouter (r) on k | project x1", ""),
        ("r | join (r) on k | project x", ""),
        ("r | join kind=leftsemi (r) on k | project x", ""),
        ("r | join kind=rightsemi (r) on k | project x", ""),
        ("r | project k | lookup (r) on k | project x", ""),
        ("r | summarize p = percentile(x, 50)", ""),
        ("r | summarize p = percentile(x, 50) by k | project p", ""),
        (
            "r | extend i = 1 | serialize | scan declare (q:datetime) with (step s: true => q = x;) | project q",
            "",
        ),
        (
            "r | union (r) | serialize i = row_number() | scan declare (q:datetime, w:datetime) with (step s: true => q = x, w = s.q;) | where i == 2 | project w",
            "",
        ),
        ("r | project y = toscalar(r | summarize max(x))", ""),
        (
            "let m = toscalar(r | summarize max(x)); r | where x == m | project y = m",
            "",
        ),
        ("r | serialize | extend p = prev(x, 1, x) | project p", ""),
        (
            "r | union (r) | serialize i = row_number(), n = next(x) | where i == 1 | project n",
            "",
        ),
        (
            "r | make-series n = count() on t step 1d by y = x | project y",
            "",
        ),
        (
            "union (print k = 'b'), (r) | where k == 'a' | project x",
            "",
        ),
        ("r | top-nested 1 of k by m = max(x) | project m", ""),
        ("r | top-nested 1 of y = x by count() | project y", ""),
        (
            "r | partition by k (serialize | extend y = row_number()) | project x, y",
            ",1",
        ),
        ("r | partition by k (summarize m = max(x)) | project m", ""),
        (
            "r | mv-apply e = dynamic([1, 2]) to typeof(long) on (summarize m = max(e)) | project x, m",
            ",2",
        ),
        ("let f = (d:datetime) { d + 0h }; r | project y = f(x)", ""),
        (range.as_str(), ""),
    ] {
        let (answer, _) = asked(query, &[]);
        assert_eq!(answer, format!("{SHOWN}{rest}"), "{query}");
    }
    // What was UTC still is.
    for query in [
        "r | join kind=leftouter (r) on k | project t1",
        "r | summarize p = percentile(t, 50)",
        "r | serialize | extend p = prev(t, 1, t) | project p",
        "r | project y = toscalar(r | summarize max(t))",
        "let f = (d:datetime, e:datetime) { e }; r | project y = f(x, t)",
    ] {
        let (answer, _) = asked(query, &[]);
        assert_eq!(answer, "2026-05-20T19:40:05.500Z", "{query}");
    }
}

#[test]
fn a_zone_moves_no_local_time_behind_a_join() {
    let query = "r | join kind=leftouter (r) on k | project t, x, x1";
    let (answer, _) = asked(query, &["--tz", "Europe/Berlin"]);
    let instant = "2026-05-20T21:40:05.500+02:00";
    assert_eq!(answer, format!("{instant},{SHOWN},{SHOWN}"));
}

#[test]
fn a_union_of_local_times_and_utc_makes_no_false_instant() {
    let query = "r | union (r | project k, x = t) | project x | order by x asc";
    let (answer, said) = asked(query, &[]);
    assert_eq!(answer, format!("2026-05-20T19:40:05.500\n{SHOWN}"));
    let note = "column `x` has local times of one table and UTC of another";
    assert!(said.contains(note), "{said}");
    let (_, said) = asked("r | union (r) | project x", &[]);
    assert!(!said.contains("has local times"), "{said}");
}

/// A folder with an archive to be.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    /// Reads one file into an archive of its own; what was said of it.
    fn of(name: &str, content: &str, more: &[&str]) -> (Case, String) {
        let case = Case {
            folder: tempfile::tempdir().expect("a folder"),
        };
        std::fs::write(case.folder.path().join(name), content).expect("a file");
        let (code, said) = case.ingest(name, more);
        // Rows without a time are told in the code.
        assert!(matches!(code, Some(0 | 10)), "{said}");
        (case, said)
    }

    fn ingest(&self, name: &str, more: &[&str]) -> (Option<i32>, String) {
        let file = self.folder.path().join(name);
        let (file, archive) = (file.to_string_lossy(), self.archive());
        let (code, answer, said) = told(&[&["ingest", &file, "-a", &archive][..], more].concat());
        (code, answer + &said)
    }

    fn archive(&self) -> String {
        let path = self.folder.path().join("archive");
        path.to_string_lossy().into_owned()
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        ask(Path::new(&self.archive()), sql)
    }
}

const T: &str = "2026-06-01T08:00:00Z";

#[test]
fn columns_that_the_user_names_count_and_not_those_of_the_header() {
    let csv = format!("Zeit,Was,Wer\n{T},FileDeleted,ada@contoso.com\n");
    let named = "OfficeActivity(TimeGenerated,Operation,UserId)";
    let (case, said) = Case::of("list.csv", &csv, &["--as", named]);
    let sql = "SELECT \"TimeGenerated\", \"Operation\", \"UserId\" FROM OfficeActivity";
    assert_eq!(
        case.ask(sql),
        [format!("{T}|FileDeleted|ada@contoso.com")],
        "{said}"
    );
    // A name of the user's own, and a list that does not fit.
    for table in ["OfficeActivity", "Paint_CL"] {
        let list = format!("{table}(TimeGenerated,Operation)");
        let (_, said) = Case::of("list.csv", &csv, &["--as", &list]);
        let note =
            format!("--as {table} is not taken: the file has more or fewer columns than it names");
        assert_eq!(said.matches(&note).count(), 1, "{said}");
    }
}

#[test]
fn names_that_hold_no_rows_are_refused_and_near_ones_asked_about() {
    let csv = format!("Received,SenderAddress,Subject\n{T},ada@contoso.com,Plan\n");
    let (case, said) = Case::of("trace.csv", &csv, &["--as", "OfficeActivty"]);
    assert!(said.contains("did you mean `OfficeActivity`?"), "{said}");
    let (_, said) = Case::of("trace.csv", &csv, &["--as", "MessageTrace_CL"]);
    assert!(!said.contains("did you mean"), "{said}");
    for (word, why) in [
        ("LabelEvents", "is a view"),
        ("InformationProtectionEvents", "is a view"),
        ("labelevents(a,b,c)", "is a view"),
        ("Paint_CL(a,b,A)", "two columns are called `A`"),
        ("Paint_CL()", "a column without a name"),
    ] {
        let (code, said) = case.ingest("trace.csv", &["--as", word]);
        assert_eq!(code, Some(2), "{word}: {said}");
        assert!(said.contains(why), "{word}: {said}");
    }
}

#[test]
fn a_word_that_is_not_taken_is_said_once_and_with_the_true_reason() {
    let audit = r#""{""CreationTime"":""2026-06-01T08:00:00"",""Id"":""a1b2c3d4-0000-4000-8000-000000000001"",""Operation"":""FileAccessed"",""RecordType"":6,""UserType"":0,""Workload"":""SharePoint"",""UserId"":""ada@contoso.com""}""#;
    let audit = format!(
        "CreationDate,UserIds,Operations,AuditData\n{T},ada@contoso.com,FileAccessed,{audit}\n"
    );
    let custom = format!(
        "{{\"TimeGenerated\":\"{T}\",\"Type\":\"Zed_CL\",\"Colour\":\"red\",\"Shape\":\"round\"}}\n"
    );
    let trace = format!("Received,SenderAddress,Subject,Status\n{T},ada@contoso.com,Plan,Sent\n");
    let own = Some("its rows say what they are");
    for (name, content, word, why) in [
        ("audit.csv", &audit, "SigninLogs", own),
        ("audit.csv", &audit, "UnifiedAuditLog", None),
        ("zed.jsonl", &custom, "SigninLogs", own),
        ("zed.jsonl", &custom, "Zed_CL", None),
        (
            "trace.csv",
            &trace,
            "EmailEvents",
            Some("too few of its columns are there"),
        ),
        ("trace.csv", &trace, "Trace_CL", None),
    ] {
        let (_, said) = Case::of(name, content, &["--as", word]);
        match why {
            Some(why) => {
                let note = format!("--as {word} is not taken: {why}");
                assert_eq!(said.matches(&note).count(), 1, "{name} {word}: {said}");
            }
            None => assert!(!said.contains("not taken"), "{name} {word}: {said}"),
        }
    }
}

#[test]
fn one_is_no_plural_and_a_table_of_the_catalog_is_known() {
    let record = |time: &str| {
        format!(
            "{{\"TimeGenerated\":\"{time}\",\"Type\":\"SigninLogs\",\"Id\":\"1\",\"UserPrincipalName\":\"ada@contoso.com\",\"ResultType\":\"0\"}}\n"
        )
    };
    let (case, said) = Case::of("one.jsonl", &record("never"), &["--dry-run"]);
    assert!(said.contains("its first record: without a time"), "{said}");
    let (_, said) = case.ingest("one.jsonl", &[]);
    assert!(said.contains("1 event has no time"), "{said}");
    let device = format!(
        "{{\"TimeGenerated\":\"{T}\",\"Type\":\"DeviceEvents\",\"DeviceName\":\"ws-1\",\"ActionType\":\"x\"}}\n"
    );
    let custom = device.replace("DeviceEvents", "Paint_CL").repeat(2);
    let (_, said) = Case::of("mixed.jsonl", &(record(T) + &device + &custom), &[]);
    for note in [
        "table `DeviceEvents` is not stored: 1 of its rows is kept in OtherRecords",
        "table `Paint_CL` is not known: 2 of its rows are kept in OtherRecords",
    ] {
        assert!(said.contains(note), "{said}");
    }
    // The time that it has is not denied.
    let csv = format!("Name,Type,CreationTime,Members\nSales,Group,{T},3\n");
    let (case, said) = Case::of("part.csv", &csv, &[]);
    assert!(!said.contains("no time of the event"), "{said}");
    assert_eq!(case.ask("SELECT \"TimeGenerated\" FROM OtherRecords"), [T]);
}

#[test]
fn a_column_called_table_names_the_table_of_its_rows() {
    let csv = format!(
        "Table,TimeGenerated [UTC],Id,UserPrincipalName,IPAddress,ResultType\n\
         AADNonInteractiveUserSignInLogs,{T},a,ada@contoso.com,192.0.2.1,0\n\
         SigninLogs,{T},b,bob@contoso.com,192.0.2.2,0\n\
         Paint_CL,{T},,cy@contoso.com,,\n"
    );
    let object = |table: &str, id: &str| {
        format!(
            r#"{{"Table":"{table}","TimeGenerated":"{T}","Id":"{id}","UserPrincipalName":"{id}@contoso.com","ResultType":"0"}}"#
        )
    };
    let lines = [
        object("AADNonInteractiveUserSignInLogs", "a"),
        object("SigninLogs", "b"),
        object("Paint_CL", "c"),
    ];
    for (name, content) in [("union.csv", csv), ("union.jsonl", lines.join("\n"))] {
        let (case, said) = Case::of(name, &content, &[]);
        for table in ["AADNonInteractiveUserSignInLogs", "SigninLogs", "Paint_CL"] {
            let count = case.ask(&format!("SELECT count(*) FROM \"{table}\""));
            assert_eq!(count, ["1"], "{name}, {table}: {said}");
        }
    }
    // Counts by table are no rows of the tables.
    for (name, content) in [
        (
            "counts.csv",
            format!("Table,TimeGenerated,count_\nSigninLogs,{T},5\nAuditLogs,{T},7\n"),
        ),
        (
            "counts.jsonl",
            format!("{{\"Table\":\"SigninLogs\",\"TimeGenerated\":\"{T}\",\"count_\":5}}\n"),
        ),
    ] {
        let (case, said) = Case::of(name, &content, &[]);
        let count = case.ask("SELECT count(*) FROM SigninLogs");
        assert_eq!(count, ["0"], "{name}: {said}");
    }
}

#[test]
fn a_hunt_outside_the_time_of_all_events_says_why_it_finds_nothing() {
    let csv = format!(
        "TimeGenerated,Id,UserPrincipalName,AppDisplayName,IPAddress,ResultType\n{T},a,ada@contoso.com,x,192.0.2.1,0\n"
    );
    let (case, _) = Case::of("signins.csv", &csv, &[]);
    let archive = case.archive();
    let note =
        format!("the events of this archive lie between {T} and {T}, outside the time asked for");
    let hunt = |more: &[&str]| {
        let arguments = [&["hunt", "-a", &archive, "--ignore-missing"][..], more].concat();
        let (code, answer, said) = told(&arguments);
        assert_eq!(code, Some(0), "{said}");
        assert!(answer.contains("0 findings"), "{answer}");
        said
    };
    for window in [
        &["--from", "2030-01-01"][..],
        &["--since", "24h", "--at", "2030-01-01"],
        &["--to", "2026-05-01"],
    ] {
        let said = hunt(window);
        assert_eq!(said.matches(&note).count(), 1, "{window:?}: {said}");
        // It is said before the rules run.
        let ran = said.find(" rules: ").expect("how many ran");
        assert!(said.find(&note) < Some(ran), "{window:?}: {said}");
    }
    for window in [Vec::new(), vec!["--from", "2026-06-01"]] {
        assert!(!hunt(&window).contains("outside the time"), "{window:?}");
    }
}
