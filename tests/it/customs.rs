//! Tables of a workspace's own, whose rows are kept in `OtherRecords`: their names, their columns, and what stands for all tables.

use std::fmt::Write;
use std::path::PathBuf;

use crate::command_line::run;

/// An archive, and the folder with its exports.
struct Case {
    folder: tempfile::TempDir,
    /// What reading them said.
    said: String,
}

impl Case {
    fn of(files: &[(&str, &str)], more: &[&str]) -> Case {
        let mut case = Case {
            folder: tempfile::tempdir().expect("a folder"),
            said: String::new(),
        };
        let exports = case.folder.path().join("exports");
        std::fs::create_dir(&exports).expect("a folder");
        for (name, content) in files {
            std::fs::write(exports.join(name), content).expect("a file");
        }
        case.ingest(&exports.to_string_lossy(), more);
        case
    }

    fn archive(&self) -> String {
        let archive: PathBuf = self.folder.path().join("archive");
        archive.to_string_lossy().into_owned()
    }

    fn ingest(&mut self, path: &str, more: &[&str]) {
        let archive = self.archive();
        let mut arguments = vec!["ingest", path, "-a", &archive];
        arguments.extend(more);
        let out = run(&arguments);
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(matches!(out.status.code(), Some(0 | 10)), "{said}");
        self.said.push_str(&said);
    }

    /// The exit code, the answer as CSV without blanks round it, and what was said beside it.
    fn asked(&self, with: &str, query: &str) -> (Option<i32>, String, String) {
        let out = run(&[with, "-a", &self.archive(), "-f", "csv", query]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    }

    /// The lines of an answer.
    fn kql(&self, query: &str) -> Vec<String> {
        let (code, answer, said) = self.asked("kql", query);
        assert_eq!(code, Some(0), "{query}: {said}");
        answer.lines().map(str::to_string).collect()
    }

    fn tables(&self) -> String {
        let out = run(&["tables", "-a", &self.archive()]);
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

const T: &str = "2026-05-01T10:00:00Z";

#[test]
fn columns_are_those_of_all_rows() {
    let mut rows = String::new();
    for i in 0..20_000 {
        let (n, more) = match i {
            0..=15_000 => (i.to_string(), ""),
            _ => (format!("{i}.5"), r#","Late_s":"x""#),
        };
        let (kind, until) = match i {
            19_999 => (r#""seven""#, "9999-12-31T23:59:59Z"),
            _ => ("7", "2026-05-02T00:00:00.1234567Z"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            rows,
            r#"{{"TimeGenerated":"{T}","Type":"Late_CL","n":{n},"kind":{kind},"until":"{until}"{more}}}"#
        );
    }
    let case = Case::of(&[("late.jsonl", &rows)], &[]);
    for (condition, count) in [
        ("n > 15000", "4999"),
        ("n == 15001.5", "1"),
        ("isnull(n)", "0"),
        ("Late_s == 'x'", "4999"),
        ("kind == 'seven'", "1"),
        ("kind == '7'", "19999"),
        ("until > datetime(3000-01-01)", "1"),
        ("isnull(until)", "0"),
    ] {
        let answer = case.kql(&format!("Late_CL | where {condition} | count"));
        assert_eq!(answer, ["Count", count], "{condition}");
    }
    let header = &case.kql("Late_CL | take 1")[0];
    assert_eq!(header, "TimeGenerated,Type,n,kind,until,Late_s");
}

#[test]
fn what_stands_beside_the_columns_is_json() {
    let row = format!(r#"{{"TimeGenerated":"{T}","Type":"Foo_CL","x":1,"bag":{{"a":[2]}}}}"#);
    let case = Case::of(&[("foo.jsonl", &row)], &[]);
    for table in ["Foo_CL", "OtherRecords"] {
        let query = format!(
            "{table} | project x = tostring(ExtraColumns.x), a = toint(ExtraColumns.bag.a[0])"
        );
        assert_eq!(case.kql(&query), ["x,a", "1,2"], "{table}");
    }
}

#[test]
fn a_row_is_of_the_table_that_its_type_says() {
    let foo = format!(
        r#"{{"TimeGenerated":"{T}","Type":"Foo_CL","category":"Audit","x":1}}
{{"TimeGenerated":"{T}","Type":"Foo_CL","category":"Login","x":2}}
{{"TimeGenerated":"{T}","Type":"Foo_CL","category":"AdvancedHunting-AADSpnSignInEventsBeta","x":3}}"#
    );
    let streamed = format!(
        r#"{{"time":"{T}","Type":"Hub_CL","category":"Hub","properties":{{"a":1}}}}
{{"time":"{T}","category":"Spoke","properties":{{"a":1}}}}"#
    );
    let case = Case::of(&[("foo.jsonl", &foo), ("hub.jsonl", &streamed)], &[]);
    let tables = case.tables();
    for (name, is_there) in [
        ("Foo_CL", true),
        ("Hub_CL", true),
        ("Spoke", true),
        ("Audit", false),
        ("Login", false),
        ("Hub", false),
        ("AADSpnSignInEventsBeta", false),
    ] {
        let mut lines = tables.lines().map(str::trim_start);
        let found = lines.any(|line| line.split(' ').next() == Some(name));
        assert_eq!(found, is_there, "{name}: {tables}");
    }
    assert_eq!(case.kql("Foo_CL | summarize sum(x)")[1], "6");
    assert_eq!(
        case.kql("AADSpnSignInEventsBeta | count"),
        ["Count", "0"],
        "a category is no table where the row says its own"
    );
    let (code, _, said) = case.asked("kql", "Audit");
    assert!(code != Some(0) && said.contains("Audit"), "{said}");
    // What is said of the file names the same.
    assert!(
        case.said.contains("table `Hub_CL` is not known"),
        "{}",
        case.said
    );
    assert!(
        case.said.contains("table `Spoke` is not known"),
        "{}",
        case.said
    );
}

#[test]
fn each_row_of_all_tables_says_its_table() {
    let mut case = Case::of(&[], &[]);
    case.ingest("sample-data", &[]);
    assert_eq!(
        case.kql("union withsource=T * | where Type != T | summarize count() by T, Type"),
        ["T,Type,count_"],
    );
    assert_eq!(
        case.kql(
            "union withsource=T * | where T in ('Ingests', 'Revisions', 'Quarantine') | count"
        ),
        ["Count", "0"]
    );
    for table in [
        "UnifiedAuditLog",
        "LabelEvents",
        "ActivityExplorer",
        "AipServiceUserLog",
        "InformationProtectionEvents",
        "CloudAppEvents",
    ] {
        let rows = &case.kql(&format!("{table} | count"))[1];
        assert_eq!(
            case.kql(&format!("{table} | summarize count() by Type")),
            ["Type,count_".to_string(), format!("{table},{rows}")]
        );
    }
    // It comes when it is asked for: these are no tables of Log Analytics.
    for table in ["UnifiedAuditLog", "LabelEvents"] {
        for query in [
            "",
            "| where Operation != 'File Type'",
            "| where RecordType != 0 // Type",
        ] {
            let header = case.kql(&format!("{table} {query}")).swap_remove(0);
            assert!(
                !header.split(',').any(|c| c == "Type"),
                "{table} {query}: {header}"
            );
        }
    }
    // A name that the query gives is no other column's.
    let renamed = case.kql("UnifiedAuditLog | project-rename Type = Operation | distinct Type");
    assert!(
        !renamed.contains(&"UnifiedAuditLog".to_string()),
        "{renamed:?}"
    );
}

#[test]
fn an_archive_of_custom_tables_has_types() {
    let rows = format!(
        r#"{{"TimeGenerated":"{T}","Type":"Foo_CL","x":"needle"}}
{{"TimeGenerated":"{T}","Type":"Bar_CL","x":"hay"}}
{{"TimeGenerated":"{T}","x":"hay"}}"#
    );
    let case = Case::of(&[("rows.jsonl", &rows)], &[]);
    assert_eq!(
        case.kql("union * | summarize count() by Type | sort by Type asc"),
        ["Type,count_", "Bar_CL,1", "Foo_CL,1", "OtherRecords,1"]
    );
    assert_eq!(
        case.kql("search 'needle' | project Type, ['$table']"),
        ["Type,$table", "Foo_CL,OtherRecords"]
    );
    assert_eq!(case.kql("search * | count"), ["Count", "3"]);
    assert_eq!(
        case.kql("OtherRecords | where Type == 'Bar_CL' | count"),
        ["Count", "1"]
    );
}

#[test]
fn an_archive_without_events_has_none() {
    let case = Case::of(&[("junk.txt", "nothing at all")], &[]);
    assert_eq!(case.kql("union * | count"), ["Count", "0"]);
    assert_eq!(case.kql("search 'nothing' | count"), ["Count", "0"]);
}

#[test]
fn names_that_a_header_has_twice_are_numbered() {
    let rows = "TimeGenerated,Name,Name,X,Name_2\n2026-05-01T10:00:00Z,a,b,1,c\n";
    let case = Case::of(&[("dup.csv", rows)], &["--as", "Dup_CL"]);
    assert_eq!(
        case.kql("Dup_CL"),
        [
            "TimeGenerated,Type,Name,Name_3,X,Name_2",
            "2026-05-01T10:00:00Z,Dup_CL,a,b,1,c"
        ]
    );
    // A time that stands there twice is kept, too.
    let rows = "TimeGenerated,TimeGenerated,X,Y\n2026-05-01T09:00:00Z,2026-05-01T10:00:00Z,1,2\n";
    let case = Case::of(&[("twice.csv", rows)], &["--as", "Twice_CL"]);
    assert_eq!(
        case.kql("Twice_CL | project TimeGenerated, tostring(ExtraColumns.TimeGenerated)")[1],
        "2026-05-01T10:00:00Z,2026-05-01T09:00:00Z"
    );
}
