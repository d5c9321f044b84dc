//! Views over several sources: what ingests know or a session has read once is not worked out again by each query, and the answers are those that the
//! rows say, whatever can be seen of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::durable::{done, ingest, quick_folder, text};

const FIELDS: &str =
    r#""Operation":"FileAccessed","RecordType":6,"Workload":"SharePoint","UserId":"a@contoso.com""#;

fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:011}a")
}

fn audit(n: usize, time: &str) -> String {
    format!(
        r#"{{"Id":"{}","CreationTime":"2026-05-01T{time}:00",{FIELDS}}}"#,
        id(n)
    )
}

fn office(n: usize, time: &str) -> String {
    format!(
        r#"{{"OfficeId":"{}","TimeGenerated":"2026-05-01T{time}:00Z","Type":"OfficeActivity","RecordType":"SharePointFileOperation","OfficeWorkload":"SharePoint","Operation":"FileAccessed","UserId":"a@contoso.com"}}"#,
        id(n)
    )
}

/// A row of CloudAppEvents of a record; the number before it in `ReportId` tells its rows apart.
fn app(first: usize, n: usize, time: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-05-01T{time}:00Z","Type":"CloudAppEvents","ActionType":"FileAccessed","ReportId":"{first}_20892_{}","RawEventData":{{"Id":"{}",{FIELDS}}}}}"#,
        id(n),
        id(n)
    )
}

/// The same without the record, which `ReportId` names.
fn bare(first: usize, n: usize, time: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-05-01T{time}:00Z","Type":"CloudAppEvents","ActionType":"FileAccessed","ReportId":"{first}_20892_{}"}}"#,
        id(n)
    )
}

fn add(archive: &Path, folder: &Path, name: &str, lines: &[String]) {
    let path = folder.join(name);
    fs::write(&path, lines.join("\n") + "\n").expect("a file");
    ingest(archive, &path);
}

/// The times of a view's rows, and their sources.
fn rows(archive: &Path, view: &str, more: &[&str]) -> Vec<String> {
    let path = text(archive);
    let query = format!(
        "SELECT to_char(\"TimeGenerated\", '%H:%M') AS \"At\", \"_Source\" FROM \"{view}\" ORDER BY 1, 2"
    );
    let mut arguments = vec!["sql", "-a", &path, "-f", "csv", &query];
    arguments.extend(more);
    done(&arguments)
        .lines()
        .skip(1)
        .map(str::to_string)
        .collect()
}

fn plan(archive: &Path, query: &str, more: &[&str]) -> String {
    let path = text(archive);
    let mut arguments = vec!["kql", "-a", &path, "--explain", query];
    arguments.extend(more);
    done(&arguments)
}

/// An archive with these sources, each of another ingest.
fn archive(folder: &Path, sources: &[&[String]]) -> PathBuf {
    let archive = folder.join("archive");
    for (n, lines) in sources.iter().enumerate() {
        add(&archive, folder, &format!("{n}.jsonl"), lines);
    }
    archive
}

#[test]
fn views_of_audit_records_join_no_tables() {
    let audits: Vec<String> = (1..9).map(|n| audit(n, "08:00")).collect();
    let offices: Vec<String> = (5..12).map(|n| office(n, "08:00")).collect();
    let apps: Vec<String> = (7..20).map(|n| app(1, n, "08:00")).collect();
    let all: [&[&[String]]; 5] = [
        &[&audits],
        &[&apps],
        &[&audits, &apps],
        &[&offices, &apps],
        &[&audits, &offices, &apps],
    ];
    for (n, sources) in all.into_iter().enumerate() {
        let folder = quick_folder();
        let archive = archive(folder.path(), sources);
        let ranges: [&[&str]; 2] = [&[], &["--at", "2026-05-01T07:00"]];
        for more in ranges {
            for view in ["UnifiedAuditLog", "OfficeActivity"] {
                let plan = plan(&archive, &format!("{view} | take 1"), more);
                assert!(!plan.contains("Join:"), "{n} {view} {more:?}: {plan}");
                assert!(!plan.contains("Aggregate"), "{n} {view} {more:?}: {plan}");
            }
            // People are joined there.
            let plan = plan(&archive, "CloudAppEvents | take 1", more);
            assert!(!plan.contains("Anti"), "{n} {more:?}: {plan}");
        }
    }
}

#[test]
fn label_events_of_one_audit_log_are_not_grouped_by_what_they_are() {
    let label = |n: usize| audit(n, "08:00").replace("FileAccessed", "FileSensitivityLabelApplied");
    let audits: Vec<String> = (1..9).map(label).collect();
    let apps: Vec<String> = (7..20).map(|n| app(1, n, "08:00")).collect();
    let folder = quick_folder();
    let archive = archive(folder.path(), &[&audits]);
    let query = "LabelEvents | take 1";
    assert!(!plan(&archive, query, &[]).contains("Aggregate"));
    assert_eq!(rows(&archive, "LabelEvents", &[]).len(), 8);
    add(&archive, folder.path(), "apps.jsonl", &apps);
    assert!(plan(&archive, query, &[]).contains("Aggregate"));
    assert_eq!(rows(&archive, "LabelEvents", &[]).len(), 8);
}

#[test]
fn of_two_rows_of_a_record_the_first_that_can_be_seen_counts() {
    let folder = quick_folder();
    let apps = [
        app(1, 1, "10:05"),
        app(2, 1, "10:00"),
        // The second alone has the record.
        bare(1, 2, "10:10"),
        app(2, 2, "10:20"),
        app(1, 3, "10:30"),
    ];
    let archive = archive(folder.path(), &[&apps]);
    for view in ["UnifiedAuditLog", "OfficeActivity"] {
        let all = rows(&archive, view, &[]);
        assert_eq!(all, ["10:05,1:1", "10:20,1:4", "10:30,1:5"], "{view}");
        let early = rows(&archive, view, &["--at", "2026-05-01T10:03"]);
        assert_eq!(early, ["10:00,1:2"], "{view}");
    }
    assert_eq!(rows(&archive, "CloudAppEvents", &[]).len(), 5);
}

#[test]
fn a_copy_that_cannot_be_seen_hides_no_other() {
    let folder = quick_folder();
    let audits = [audit(1, "08:00"), audit(2, "10:00"), audit(3, "08:10")];
    let offices = [office(2, "08:30"), office(4, "08:40")];
    let apps = [app(1, 1, "10:00"), bare(1, 4, "10:00"), app(1, 3, "08:20")];
    let archive = archive(folder.path(), &[&audits, &offices, &apps]);
    let early = ["--at", "2026-05-01T09:00"];
    let views: [(&str, [&str; 4], [&str; 4]); 3] = [
        (
            "UnifiedAuditLog",
            ["08:00,1:1", "08:10,1:3", "08:40,2:2", "10:00,1:2"],
            ["08:00,1:1", "08:10,1:3", "08:30,2:1", "08:40,2:2"],
        ),
        (
            "OfficeActivity",
            ["08:00,1:1", "08:10,1:3", "08:30,2:1", "08:40,2:2"],
            ["08:00,1:1", "08:10,1:3", "08:30,2:1", "08:40,2:2"],
        ),
        (
            "CloudAppEvents",
            ["08:20,3:3", "10:00,1:2", "10:00,3:1", "10:00,3:2"],
            ["08:00,1:1", "08:20,3:3", "08:30,2:1", "08:40,2:2"],
        ),
    ];
    for (view, all, seen) in views {
        assert_eq!(rows(&archive, view, &[]), all, "{view}");
        assert_eq!(rows(&archive, view, &early), seen, "{view}");
        // What lies beyond all events changes nothing.
        let late = rows(&archive, view, &["--at", "2026-05-02"]);
        assert_eq!(late, all, "{view}");
    }
}
