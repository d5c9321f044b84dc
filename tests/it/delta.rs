//! The archive's tables open in an independent Delta reader with the same counts.

use std::process::Command;

use crate::{ingest, number, project};

const SCRIPT: &str = r#"
import sys
try:
    from deltalake import DeltaTable, QueryBuilder
except ImportError:
    print("MISSING")
    sys.exit(0)
for path in sys.argv[1:]:
    answer = QueryBuilder().register("t", DeltaTable(path)).execute("SELECT count(*) AS n FROM t").read_all()
    print(answer.column(0)[0].as_py())
"#;

#[test]
fn an_independent_delta_reader_sees_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let tables = [
        "UnifiedAuditLog",
        "CloudAppEvents",
        "SigninLogs",
        "AipServiceUserLog",
        "InformationProtectionLogs_CL",
        "Ingests",
        "Revisions",
    ];
    let python = ["python3", "python"]
        .into_iter()
        .find(|p| Command::new(p).arg("--version").output().is_ok());
    let Some(python) = python else {
        println!("skipped: Python is not there");
        return;
    };
    let out = Command::new(python)
        .arg("-c")
        .arg(SCRIPT)
        .args(tables.map(|t| path.join(t)))
        .output()
        .expect("Python runs");
    let text = String::from_utf8_lossy(&out.stdout);
    if text.trim() == "MISSING" {
        println!("skipped: the Python package `deltalake` is not there (pip install deltalake)");
        return;
    }
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let theirs: Vec<u64> = text.lines().map(|l| l.parse().expect("a count")).collect();
    let ours: Vec<u64> = tables
        .iter()
        .map(|t| number(&path, &format!("SELECT count(*) FROM stored.\"{t}\"")))
        .collect();
    assert_eq!(theirs, ours);
    assert_eq!(ours[..6], [327, 83, 57, 25, 8, 36]);
}
