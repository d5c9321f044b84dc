//! What `--log-format json` writes to stderr: nothing but objects, a line each, and one that says how the command ended.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::examples::prepared;

fn coldtrail(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

/// The lines of stderr; each of them has what every line has.
fn lines(line: &[&str], out: &Output) -> Vec<Value> {
    let told = String::from_utf8(out.stderr.clone()).expect("text");
    let parsed = told.lines().map(|text| {
        let value: Value =
            serde_json::from_str(text).unwrap_or_else(|e| panic!("{line:?}: {e}: {text}"));
        for key in ["time", "level", "command", "message"] {
            assert!(value[key].is_string(), "{line:?}: no {key}: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{line:?}: {text}");
        value
    });
    parsed.collect()
}

/// The one line that says how the command ended; it is the last.
fn outcome(line: &[&str], out: &Output) -> Value {
    let told = lines(line, out);
    let outcomes = told.iter().filter(|one| one["level"] == "outcome");
    assert_eq!(outcomes.count(), 1, "{line:?}: {told:?}");
    let last = told.last().expect("a line").clone();
    assert_eq!(last["level"], "outcome", "{line:?}: {told:?}");
    let code = out.status.code().expect("an exit code");
    assert_eq!(last["exit"], code, "{line:?}");
    assert!(last["seconds"].is_number(), "{line:?}: {last}");
    last
}

/// A command that takes long where there is much, how it is called in its lines, and what it counts; those that change nothing.
const READING: [(&[&str], &str, &[&str]); 13] = [
    (
        &["verify", "-a", "archive"],
        "verify",
        &["checked", "problems"],
    ),
    (
        &["cost", "-a", "archive", "-r", "my-rules"],
        "cost",
        &["records"],
    ),
    (
        &["hunt", "-a", "archive", "-r", "my-rules"],
        "hunt",
        &["rules", "findings"],
    ),
    (
        &["hunt", "-a", "archive", "-r", "my-rules", "--replay"],
        "hunt",
        &["rules", "alerts", "incidents"],
    ),
    (
        &[
            "indicators",
            "-a",
            "archive",
            "--from-denials",
            "--documentation",
            "--at",
            "2026-06-01",
        ],
        "indicators",
        &["indicators"],
    ),
    (
        &[
            "notify",
            "access-denied",
            "-a",
            "archive",
            "--domain",
            "contoso.com",
            "--dry-run",
        ],
        "notify access-denied",
        &["mails"],
    ),
    (
        &["report", "-a", "archive", "-r", "my-rules", "-f", "csv"],
        "report",
        &["findings"],
    ),
    (&["timeline", "-a", "archive"], "timeline", &["events"]),
    (
        &["labels", "list", "-a", "archive"],
        "labels list",
        &["labels"],
    ),
    (
        &["sql", "-a", "archive", "SELECT count(*) FROM LabelEvents"],
        "sql",
        &["rows"],
    ),
    (
        &["kql", "-a", "archive", "LabelEvents | count"],
        "kql",
        &["rows"],
    ),
    (
        &["rules", "test", "my-rules"],
        "rules test",
        &["rules", "tests"],
    ),
    (&["rules", "check", "my-rules"], "rules check", &["rules"]),
];

#[test]
fn every_line_of_a_long_command_is_an_object_and_the_last_says_how_it_ended() {
    let folder = prepared();
    for (line, command, counts) in READING {
        let plain = coldtrail(folder.path(), line);
        assert_eq!(plain.status.code(), Some(0), "{line:?}");
        let asked = [line, &["--log-format", "json"]].concat();
        let out = coldtrail(folder.path(), &asked);
        assert_eq!(out.stdout, plain.stdout, "{line:?}");
        let last = outcome(line, &out);
        assert_eq!(last["command"], command, "{line:?}");
        assert_ne!(last["status"], "failed", "{line:?}");
        for count in counts {
            assert!(last[count].is_u64(), "{line:?}: no {count}: {last}");
        }
        // --quiet leaves that line, and what is wrong.
        let quiet = [&asked[..], &["--quiet"]].concat();
        let out = coldtrail(folder.path(), &quiet);
        outcome(line, &out);
        for one in lines(line, &out) {
            let level = one["level"].as_str().expect("a level");
            assert!(!["info", "progress"].contains(&level), "{line:?}: {one}");
        }
    }
}

/// The same of those that write.
const WRITING: [(&[&str], &str, &[&str]); 5] = [
    (
        &["ingest", "exports", "-a", "archive", "--again"],
        "ingest",
        &["records", "events", "duplicates", "quarantined"],
    ),
    (
        &["analyze", "exports", "-o", "out", "-r", "my-rules"],
        "analyze",
        &["records", "rules", "findings"],
    ),
    (
        &["archive", "compact", "-a", "archive"],
        "archive compact",
        &["files_merged", "files_deleted"],
    ),
    (
        &["archive", "rebuild", "-a", "archive"],
        "archive rebuild",
        &["rows"],
    ),
    (
        &["archive", "repair", "-a", "archive"],
        "archive repair",
        &["repairs"],
    ),
];

#[test]
fn what_writes_an_archive_says_what_it_wrote() {
    let folder = prepared();
    for (line, command, counts) in WRITING {
        let asked = [&["--log-format=json"][..], line].concat();
        let out = coldtrail(folder.path(), &asked);
        let last = outcome(line, &out);
        assert_eq!(last["command"], command, "{line:?}");
        assert_ne!(last["status"], "failed", "{line:?}: {last}");
        for count in counts {
            assert!(last[count].is_u64(), "{line:?}: no {count}: {last}");
        }
    }
}

#[test]
fn a_mistake_is_an_object_too() {
    let folder = prepared();
    // With what is said next in a line of its own, where it is not in the message.
    let mistakes: [(&[&str], &str, bool); 6] = [
        (&["sql", "-a", "nowhere", "SELECT 1"], "sql", true),
        (
            &["kql", "-a", "archive", "LabelEvents | wher true"],
            "kql",
            false,
        ),
        (&["ingest", "nothing-here", "-a", "archive"], "ingest", true),
        (&["hunt", "-a", "archive", "-m", "dire"], "hunt", false),
        (&["archive", "compact"], "archive compact", false),
        (&["frobnicate"], "coldtrail", false),
    ];
    for (line, command, has_hint) in mistakes {
        let asked = [line, &["--log-format", "json"]].concat();
        let out = coldtrail(folder.path(), &asked);
        assert!(out.stdout.is_empty(), "{line:?}");
        let last = outcome(line, &out);
        assert_eq!(last["command"], command, "{line:?}");
        assert_eq!(last["status"], "failed", "{line:?}");
        let told = lines(line, &out);
        let of = |level: &str| told.iter().filter(|one| one["level"] == level).count();
        assert_eq!(of("error"), 1, "{line:?}: {told:?}");
        assert_eq!(of("hint") > 0, has_hint, "{line:?}: {told:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_line_is_written_in_one_piece_so_that_runs_may_share_a_file() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;
    let folder = prepared();
    // What is written at once is read at once.
    let (ours, theirs) = UnixDatagram::pair().expect("a pair");
    let status = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["sql", "-a", "nowhere", "SELECT 1", "--log-format", "json"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(OwnedFd::from(theirs)))
        .status()
        .expect("it runs");
    assert_eq!(status.code(), Some(3));
    ours.set_nonblocking(true).expect("it can be set");
    let mut bytes = [0; 4096];
    let mut pieces = 0;
    while let Ok(length) = ours.recv(&mut bytes)
        && length > 0
    {
        let piece = String::from_utf8_lossy(&bytes[..length]);
        assert!(piece.starts_with('{') && piece.ends_with("}\n"), "{piece}");
        pieces += 1;
    }
    assert_eq!(pieces, 3);
}

#[test]
fn people_are_told_as_before() {
    let folder = prepared();
    let line = ["sql", "-a", "archive", "SELECT * FROM LabelEvent"];
    let plain = coldtrail(folder.path(), &line);
    let asked = [&line[..], &["--log-format", "text"]].concat();
    let text = coldtrail(folder.path(), &asked);
    assert_eq!(text.stderr, plain.stderr);
    assert_eq!(
        String::from_utf8_lossy(&plain.stderr),
        "error: no table `LabelEvent`\nhint: did you mean `LabelEvents`?\n"
    );
}
