//! The archive's tables open in an independent Delta reader with the same counts.

use std::process::Command;

use crate::{ingest, number, project};

const SCRIPT: &str = r#"
import sys
from deltalake import DeltaTable, QueryBuilder
for path in sys.argv[1:]:
    answer = QueryBuilder().register("t", DeltaTable(path)).execute("SELECT count(*) AS n FROM t").read_all()
    print(answer.column(0)[0].as_py())
"#;

/// A Python that has the package `deltalake`. Where there is none, that is said.
pub(crate) fn python() -> Option<&'static str> {
    let found = ["python3", "python"].into_iter().find(|python| {
        let out = Command::new(python)
            .args(["-c", "import deltalake"])
            .output();
        out.is_ok_and(|o| o.status.success())
    });
    if found.is_none() {
        println!("skipped: no Python with the package `deltalake` (pip install deltalake)");
    }
    found
}

#[test]
fn an_independent_delta_reader_sees_the_same_rows() {
    let Some(python) = python() else { return };
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
    let out = Command::new(python)
        .arg("-c")
        .arg(SCRIPT)
        .args(tables.map(|t| path.join(t)))
        .output()
        .expect("Python runs");
    let text = String::from_utf8_lossy(&out.stdout);
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
    // The ledger has the watchlists, too.
    assert_eq!(ours[..6], [327, 83, 57, 25, 8, 36 + 3]);
}
