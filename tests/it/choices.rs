//! What the user says about an ingest: what files are, which of them are read, and what a fault does.

use std::path::Path;

use crate::command_line::run;
use crate::{ask, project};

fn ingest(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec!["ingest"];
    all.extend(arguments);
    let out = run(&all);
    (
        out.status.code(),
        String::from_utf8_lossy(&out.stdout).into_owned(),
        String::from_utf8_lossy(&out.stderr).into_owned(),
    )
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn a_dry_run_says_what_every_file_is_and_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = text(&folder.path().join("archive"));
    let formats = text(&project("sample-data/formats"));
    let (code, said, _) = ingest(&[&formats, "-a", &archive, "--dry-run"]);
    assert_eq!(code, Some(0));
    assert!(!folder.path().join("archive").exists());
    let said = said.replace(&formats, "formats");
    insta::assert_snapshot!(said);
    let broken = text(&project("sample-data/broken/adx-no-header.csv"));
    let (code, said, _) = ingest(&[&broken, "-a", &archive, "--dry-run"]);
    assert_eq!(code, Some(10));
    assert!(said.contains("not read"), "{said}");
}

#[test]
fn strict_adds_all_or_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let good = text(&project("sample-data/ual-portal"));
    let bad = text(&project("sample-data/broken/ndjson-bad-line.jsonl"));
    let (code, _, said) = ingest(&[&good, &bad, "-a", &path, "--strict"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("ndjson-bad-line.jsonl`: record 3, byte"),
        "{said}"
    );
    assert!(said.contains("nothing was added"), "{said}");
    assert!(!archive.join("Ingests").exists());
    let (code, ..) = ingest(&[&good, "-a", &path, "--strict"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        ask(&archive, "SELECT count(*) FROM UnifiedAuditLog"),
        ["156"]
    );
}

#[test]
fn files_that_were_read_are_passed_over_or_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let file = folder.path().join("a.jsonl");
    let record = |n: u32| {
        format!(r#"{{"Id":"i{n}","CreationTime":"2026-05-01T00:00:00","Operation":"X"}}"#) + "\n"
    };
    std::fs::write(&file, record(1)).expect("a file");
    let file = text(&file);
    assert_eq!(ingest(&[&file, "-a", &path]).0, Some(0));
    let (_, said, _) = ingest(&[&file, "-a", &path, "--since-last"]);
    assert!(said.contains("1 file read before"), "{said}");
    let (_, said, _) = ingest(&[&file, "-a", &path, "--again"]);
    assert!(said.contains("duplicates   1"), "{said}");
    // What grew is read, whatever the option.
    std::fs::write(&file, record(1) + &record(2)).expect("a file");
    let (_, said, _) = ingest(&[&file, "-a", &path, "--since-last"]);
    assert!(said.contains("events       1"), "{said}");
    assert_eq!(ask(&archive, "SELECT count(*) FROM UnifiedAuditLog"), ["2"]);
    assert_eq!(
        ingest(&[&file, "-a", &path, "--since-last", "--again"]).0,
        Some(2)
    );
}

#[test]
fn what_a_file_does_not_tell_can_be_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let broken = |name: &str| text(&project("sample-data/broken").join(name));
    for (name, options, sql, rows) in [
        (
            "adx-no-header.csv",
            &["--as", "OfficeActivity"][..],
            "SELECT count(*), count(TimeGenerated), count(OfficeId) FROM OfficeActivity",
            "3|3|3",
        ),
        (
            "local-time.csv",
            &["--tz", "Europe/Berlin"],
            "SELECT count(*), count(TimeGenerated) FROM SigninLogs",
            "2|2",
        ),
        (
            "date-ambiguous.csv",
            &["--date-order", "dmy"],
            "SELECT count(*), count(TimeGenerated) FROM CloudAppEvents",
            "3|3",
        ),
    ] {
        let archive = path(name);
        let (target, file) = (text(&archive), broken(name));
        let mut arguments = vec![file.as_str(), "-a", target.as_str()];
        arguments.extend(options);
        let (code, said, _) = ingest(&arguments);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert_eq!(ask(&archive, sql), [rows], "{name}");
    }
    // An hour of summer time and one of winter time in Berlin.
    let file = path("zones.csv");
    std::fs::write(
        &file,
        "TimeGenerated [Local Time],Type,Id,UserPrincipalName\n\
         2026-07-01T12:00:00,SigninLogs,a,a@contoso.com\n2026-01-01T12:00:00,SigninLogs,b,b@contoso.com\n",
    )
    .expect("a file");
    let archive = path("zones");
    let (code, ..) = ingest(&[&text(&file), "-a", &text(&archive), "--tz", "Europe/Berlin"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        ask(&archive, "SELECT TimeGenerated FROM SigninLogs ORDER BY Id"),
        ["2026-07-01T10:00:00Z", "2026-01-01T11:00:00Z"]
    );
    // A list of columns says what no table does.
    let file = path("plain.csv");
    std::fs::write(&file, "2026-07-01T12:00:00Z,,x\n2026-07-01T12:00:01Z,,y\n").expect("a file");
    let archive = path("plain");
    let (code, ..) = ingest(&[
        &text(&file),
        "-a",
        &text(&archive),
        "--as",
        "OtherRecords(TimeGenerated, Nothing, Letter)",
    ]);
    assert_eq!(code, Some(0));
    assert_eq!(
        ask(
            &archive,
            "SELECT ExtraColumns->>'Letter' FROM OtherRecords ORDER BY TimeGenerated"
        ),
        ["x", "y"]
    );
}
