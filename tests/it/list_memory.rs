//! Watchlists are a part of the memory of queries: one that is too large is said, and what does not name it is answered.

use std::path::Path;

use crate::command_line::run;
use crate::{ingest, project};

/// The least that can be said.
const LIMIT: &str = "16MiB";

/// A list of some bytes, in rows of 40.
fn list(archive: &Path, name: &str, bytes: usize) {
    let mut text = String::with_capacity(bytes + 80);
    text.push_str("Name\n");
    for n in 0..bytes / 40 {
        text.push_str(&format!("{n:0>27}@contoso.com\n"));
    }
    let folder = archive.join("watchlists");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), text).expect("a file");
}

/// Status, answers and messages of a command on an archive.
fn told(archive: &Path, limit: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let archive = archive.to_string_lossy();
    let own = ["--memory-limit", limit, "--threads", "1"];
    let out = run(&[&own[..], arguments, &["-a", &archive]].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn a_watchlist_beyond_the_memory_is_said_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/ual-portal")]);
    // Its name is no operator's.
    list(&archive, "JoinedUsers.csv", 12_000_000);
    list(&archive, "Small.csv", 4000);
    let count = "SELECT count(*) AS n FROM watchlists.JoinedUsers";
    let asked = [
        ["sql", "-f", "csv", count],
        ["kql", "-f", "csv", "_GetWatchlist('JoinedUsers') | count"],
        [
            "kql",
            "-f",
            "csv",
            "UnifiedAuditLog | where UserId in ((_GetWatchlist('joinedusers') | project Name)) | count",
        ],
    ];
    for question in asked {
        let (code, _, said) = told(&archive, LIMIT, &question);
        assert_eq!(code, Some(3), "{question:?}: {said}");
        let start = "error: out of memory: the watchlist `JoinedUsers` needs ";
        assert!(said.starts_with(start), "{question:?}: {said}");
        let limit = "more than the memory limit of 16 MiB leaves";
        assert!(said.contains(limit), "{question:?}: {said}");
        assert!(said.contains("--memory-limit SIZE"), "{question:?}: {said}");
    }
    let (code, answer, said) = told(&archive, "128MiB", &["sql", "-f", "csv", count]);
    assert_eq!((code, answer.as_str()), (Some(0), "n\n300000\n"), "{said}");
    // What does not name it pays nothing for it.
    let small = "SELECT count(*) AS n FROM watchlists.Small";
    let (code, answer, said) = told(&archive, LIMIT, &["sql", "-f", "csv", small]);
    assert_eq!((code, answer.as_str()), (Some(0), "n\n100\n"), "{said}");
}

#[test]
fn lists_that_have_room_alone_are_counted_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/ual-portal")]);
    let names = ["One", "Two", "Three"];
    let count = |name: &str| format!("SELECT count(*) AS n FROM watchlists.{name}");
    for name in names {
        list(&archive, &format!("{name}.csv"), 4_000_000);
        let (code, answer, said) = told(&archive, LIMIT, &["sql", "-f", "csv", &count(name)]);
        assert_eq!((code, answer.as_str()), (Some(0), "n\n100000\n"), "{said}");
    }
    let all = names.map(count).join(" UNION ALL ");
    let (code, _, said) = told(&archive, LIMIT, &["sql", "-f", "csv", &all]);
    assert_eq!(code, Some(3), "{said}");
    let start = "error: out of memory: the watchlist `";
    assert!(said.starts_with(start), "{said}");
}

#[test]
fn tables_lists_what_has_room_and_says_what_has_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/ual-portal")]);
    list(&archive, "Large.csv", 12_000_000);
    list(&archive, "Small.csv", 4000);
    let (code, answer, said) = told(&archive, LIMIT, &["tables"]);
    assert_eq!(code, Some(10), "{said}");
    assert!(answer.contains("watchlists.Small"), "{answer}");
    let warning = "`watchlists.Large` cannot be asked: out of memory: the watchlist `Large` needs";
    assert!(said.contains(warning), "{said}");
}
