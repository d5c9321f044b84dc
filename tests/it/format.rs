//! Archives that an older version wrote are read, verified, compacted and added to; those of a newer one are refused.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command_line::run;
use crate::{ask, project};

/// Unpacks the archive that version 0.1.0 wrote from two exports and a watchlist.
pub(crate) fn old(folder: &Path) -> PathBuf {
    let packed = fs::File::open(project("tests/it/data/archive-0.1.0.zip")).expect("the sample");
    let mut zip = zip::ZipArchive::new(packed).expect("a zip archive");
    for i in 0..zip.len() {
        let mut member = zip.by_index(i).expect("a member");
        let name = member.name().expect("a name").into_owned();
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let mut file = fs::File::create(path).expect("a file");
        std::io::copy(&mut member, &mut file).expect("its bytes");
    }
    folder.join("archive")
}

fn told(arguments: &[&str]) -> (Option<i32>, String) {
    let out = run(arguments);
    let both = [out.stdout, out.stderr].concat();
    (
        out.status.code(),
        String::from_utf8_lossy(&both).into_owned(),
    )
}

#[test]
fn an_archive_of_version_0_1_0_is_read_and_added_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = old(folder.path());
    let path = archive.to_string_lossy().into_owned();
    let counts = "SELECT (SELECT count(*) FROM stored.\"UnifiedAuditLog\") AS a, \
        (SELECT count(*) FROM stored.\"SigninLogs\") AS b, (SELECT count(*) FROM Quarantine) AS c, \
        (SELECT count(*) FROM watchlists.\"SuperUsers\") AS d, (SELECT count(*) FROM Ingests) AS e";
    assert_eq!(ask(&archive, counts), ["2|1|1|1|2"]);
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("digest of the content: none"), "{said}");

    let more = folder.path().join("more.jsonl");
    let line = r#"{"Id":"00000000-0000-4000-8000-000000000001","CreationTime":"2026-05-04T09:12:00","RecordType":6,"Workload":"SharePoint","Operation":"FileAccessed","UserId":"alice@contoso.com","ObjectId":"https://contoso.sharepoint.com/plan.docx","ClientIP":"192.0.2.7"}"#;
    let new = line.replace("000000000001", "000000000009");
    fs::write(&more, format!("{line}\n{new}\n")).expect("a file");
    let (code, said) = told(&["ingest", &more.to_string_lossy(), "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    let duplicates = "SELECT sum(Duplicates) FROM Ingests";
    assert_eq!(
        ask(&archive, duplicates),
        ["1"],
        "the first record was there"
    );
    assert_eq!(ask(&archive, counts), ["3|1|1|1|3"]);
    let (code, said) = told(&["archive", "compact", "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(ask(&archive, counts), ["3|1|1|1|3"]);
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("digest of the content: none"), "{said}");
}

#[test]
fn an_archive_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = archive.to_string_lossy().into_owned();
    let export = project("sample-data/signin");
    let (code, said) = told(&["ingest", &export.to_string_lossy(), "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    let log = archive.join("Ingests/_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&log).expect("the log");
    let newer = text.replace(r#""coldtrail.format":"2""#, r#""coldtrail.format":"3""#);
    assert_ne!(text, newer);
    fs::write(&log, newer).expect("the log");
    for command in [
        &["tables", "-a", &path][..],
        &["sql", "-a", &path, "SELECT 1"],
    ] {
        let (code, said) = told(command);
        assert_eq!(code, Some(3), "{said}");
        assert!(
            said.contains("a newer version of coldtrail wrote it"),
            "{said}"
        );
    }
}

#[test]
fn side_tables_are_asked_by_time_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = archive.to_string_lossy().into_owned();
    let line = |note: &str| {
        format!(
            r#"{{"Id":"00000000-0000-4000-8000-000000000001","CreationTime":"2026-05-04T09:12:00","Operation":"X","Note":"{note}"}}"#
        )
    };
    let export = folder.path().join("two.jsonl");
    fs::write(&export, format!("{}\n{}\n", line("one"), line("two"))).expect("a file");
    let (code, said) = told(&["ingest", &export.to_string_lossy(), "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    let query = "SELECT count(*) AS n FROM Revisions WHERE TimeGenerated >= TIMESTAMP '2026-05-04T00:00:00Z'";
    let (code, said) = told(&["sql", "-a", &path, "-f", "csv", query]);
    assert_eq!((code, said.as_str()), (Some(0), "n\n1\n"));
}
