//! The binary as its user meets it: status, answers and messages together.

use std::path::Path;
use std::process::{Command, Output};

use crate::project;

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(arguments)
        .current_dir(project(""))
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs")
}

fn told(arguments: &[&str]) -> String {
    let out = run(arguments);
    format!(
        "status: {}\n--- stdout\n{}--- stderr\n{}",
        out.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

/// Times and rates differ from run to run, and folders from machine to machine.
fn settled(text: &str, folder: &Path) -> String {
    let text = text
        .replace(&*folder.to_string_lossy(), "[FOLDER]")
        .replace('\\', "/");
    text.lines()
        .map(|l| match l.starts_with("took") {
            true => "took         [TIME]",
            false => l,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn analyze_leaves_archive_findings_and_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let text = told(&[
        "analyze",
        "sample-data",
        "-r",
        "builtin:mip",
        "-o",
        &out.to_string_lossy(),
    ]);
    insta::assert_snapshot!("analyze", settled(&text, folder.path()));
    for file in [
        "archive/Ingests/_delta_log",
        "findings.json",
        "findings.csv",
        "report.html",
    ] {
        assert!(out.join(file).exists(), "{file}");
    }
    // Nothing is overwritten unless asked; asked, the second run finds the same.
    let text = told(&[
        "analyze",
        "sample-data",
        "-r",
        "builtin:mip",
        "-o",
        &out.to_string_lossy(),
    ]);
    insta::assert_snapshot!("analyze_again", settled(&text, folder.path()));
    let first = std::fs::read(out.join("findings.json")).expect("findings");
    let again = run(&[
        "analyze",
        "sample-data",
        "-r",
        "builtin:mip",
        "-o",
        &out.to_string_lossy(),
        "-C",
    ]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(
        std::fs::read(out.join("findings.json")).expect("findings"),
        first
    );
    // Who names the folder of the results is told where the archive is.
    let out = out.to_string_lossy();
    for arguments in [
        vec!["tables", "-a", &*out],
        vec!["ingest", "sample-data/ual-portal", "-a", &*out],
    ] {
        let text = settled(&told(&arguments), folder.path());
        let hint = "hint: its archive is `[FOLDER]/out/archive`";
        assert!(text.contains(hint), "{text}");
    }
}

#[test]
fn quiet_is_about_stderr_and_leaves_the_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy();
    let out = run(&["ingest", "sample-data/ual-portal", "-a", &archive, "-q"]);
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    let answer = String::from_utf8_lossy(&out.stdout);
    assert!(answer.starts_with("files "), "{answer}");
}

#[test]
fn mistakes_are_answered_with_what_where_and_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy();
    let read = run(&["ingest", "sample-data/ual-portal", "-a", &archive]);
    assert_eq!(read.status.code(), Some(0));
    let broken = folder.path().join("rules");
    std::fs::create_dir(&broken).expect("a folder");
    std::fs::write(
        broken.join("bad-column.sql"),
        "/*\nid: bad-column\nname: Bad\nseverity: Low\n*/\nSELECT UserIdd FROM LabelEvents",
    )
    .expect("a rule");
    std::fs::write(broken.join("kql.yaml"), "id: x\nquery: T\n").expect("a rule");
    std::fs::write(broken.join("none.sql"), "SELECT 1").expect("a rule");
    let broken = broken.to_string_lossy();
    let mut all = String::new();
    for arguments in [
        vec!["sql", "-a", &archive, "SELECT * FROM LabelEvent"],
        vec!["sql", "-a", &archive, "SELECT UserIdd FROM LabelEvents"],
        vec!["sql", "-a", &archive, "SELECT * FROM"],
        vec!["sql", "-a", &archive, "DROP TABLE Ingests"],
        vec!["sql", "-a", "nowhere", "SELECT 1"],
        vec!["sql", "-a", "src", "SELECT 1"],
        vec!["ingest", "nothing-here", "-a", &archive],
        vec![
            "ingest",
            "sample-data/broken/binary-garbage.bin",
            "-a",
            &archive,
        ],
        vec!["hunt", "-a", &archive, "-r", &broken],
        vec!["hunt", "-a", &archive, "-m", "dire"],
        vec!["hunt", "-a", &archive, "-r", "no-such-rules"],
    ] {
        all.push_str(&format!(
            "$ coldtrail {}\n{}\n\n",
            arguments.join(" "),
            told(&arguments)
        ));
    }
    insta::assert_snapshot!("mistakes", settled(&all, folder.path()));
}

#[test]
fn answers_come_in_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy();
    let read = run(&["ingest", "sample-data", "-a", &archive]);
    assert_eq!(read.status.code(), Some(0));
    let query = "SELECT TimeGenerated, UserId, OldLabelRank, Protected, array_agg(Action) OVER (PARTITION BY EventId) AS Actions \
                 FROM LabelEvents WHERE Action = 'LabelRemoved' ORDER BY TimeGenerated LIMIT 2";
    let mut all = String::new();
    for format in ["table", "csv", "json", "ndjson", "markdown", "kusto"] {
        all.push_str(&format!(
            "# {format}\n{}\n",
            told(&["sql", "-a", &archive, "-f", format, query])
        ));
    }
    insta::assert_snapshot!("formats", settled(&all, folder.path()));
    let file = folder.path().join("answer.parquet");
    let file = file.to_string_lossy();
    let made = run(&["sql", "-a", &archive, "-f", "parquet", "-o", &file, query]);
    assert_eq!(
        made.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let again = told(&[
        "sql",
        "-a",
        &archive,
        "--table",
        &format!("Back={file}"),
        "-f",
        "csv",
        "SELECT count(*) AS n FROM Back",
    ]);
    assert!(again.contains("n\n2\n"), "{again}");
    let csv = project("sample-data/watchlists/Labels.csv");
    let labels = told(&[
        "sql",
        "-a",
        &archive,
        "--table",
        &format!("L={}", csv.display()),
        "-f",
        "csv",
        "SELECT count(*) AS n FROM L",
    ]);
    assert!(labels.contains("n\n6\n"), "{labels}");
}

#[test]
fn exit_codes_say_what_happened() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy();
    let code = |arguments: &[&str]| run(arguments).status.code();
    assert_eq!(code(&["ingest", "sample-data", "-a", &archive]), Some(0));
    assert_eq!(
        code(&["ingest", "sample-data/broken", "-a", &archive]),
        Some(10)
    );
    assert_eq!(code(&["hunt", "-a", &archive, "-m", "high"]), Some(0));
    assert_eq!(
        code(&["hunt", "-a", &archive, "-m", "high", "--fail-on", "high"]),
        Some(1)
    );
    assert_eq!(
        code(&[
            "hunt",
            "-a",
            &archive,
            "--from",
            "2030-01-01",
            "--fail-on",
            "low"
        ]),
        Some(0)
    );
    assert_eq!(code(&["sql", "-a", &archive, "SELEC 1"]), Some(2));
    assert_eq!(code(&["sql", "-a", "nowhere", "SELECT 1"]), Some(3));
    assert_eq!(code(&["frobnicate"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["rules", "list"]), Some(0));
}

#[test]
fn standard_input_is_an_input() {
    use std::io::Write;
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["ingest", "-", "-a", &archive.to_string_lossy()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let bytes =
        std::fs::read(project("sample-data/management-api/blob-exchange.json.gz")).expect("a file");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(&bytes)
        .expect("the pipe takes it");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(
        crate::number(&archive, "SELECT count(*) FROM UnifiedAuditLog"),
        34
    );
}

#[test]
fn rules_that_cannot_do_their_work_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("sub/../archive");
    std::fs::create_dir(folder.path().join("sub")).expect("a folder");
    let archive = archive.to_string_lossy();
    assert_eq!(
        run(&["ingest", "sample-data/ual-portal", "-a", &archive])
            .status
            .code(),
        Some(0)
    );
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    let rules_name = rules.to_string_lossy();
    // A folder without rules is a mistake, not a clean result.
    assert_eq!(
        run(&["hunt", "-a", &archive, "-r", &rules_name])
            .status
            .code(),
        Some(2)
    );
    let header = "name: N\nseverity: Low\nentityMappings: [{entityType: Account, fieldMappings: [{identifier: FullName, columnName: Nobody}]}]\n";
    std::fs::write(
        rules.join("a.sql"),
        format!("/*\nid: a\n{header}*/\nSELECT 1 AS x"),
    )
    .expect("a rule");
    let silent = "/*\nid: silent\nname: N\nseverity: Low\ntriggerOperator: eq\ntriggerThreshold: 0\n*/\nSELECT * FROM LabelEvents WHERE false";
    std::fs::write(rules.join("silent.sql"), silent).expect("a rule");
    let text = told(&["hunt", "-a", &archive, "-r", &rules_name]);
    insta::assert_snapshot!("rules_that_cannot", settled(&text, folder.path()));
}

#[test]
fn what_is_not_there_is_named_as_it_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let table = archive.join("SigninLogs").to_string_lossy().into_owned();
    let archive = archive.to_string_lossy();
    let read = run(&["ingest", "sample-data/signin", "-a", &archive]);
    assert_eq!(read.status.code(), Some(0));
    let missing = folder.path().join("new");
    let file = |name: &str| missing.join(name).to_string_lossy().into_owned();
    let (csv, toml) = (file("x.csv"), file("night.toml"));
    let its_archive = format!("hint: its archive is `{archive}`");
    let unmade = format!("cannot create `{csv}`: ");
    for (arguments, wanted) in [
        (
            &["sql", "-a", &archive, "SELECT 1", "-o", &csv][..],
            [unmade.as_str(), "its folder has to be there"],
        ),
        (
            &["labels", "export", "-a", &archive, "-o", &csv][..],
            [unmade.as_str(), "its folder has to be there"],
        ),
        (
            &["shell", "-a", "nowhere"][..],
            ["`nowhere` is not an archive: no such folder", "hint: "],
        ),
        (
            &["run", "-c", &toml][..],
            ["no configuration is there", "`coldtrail run --init FILE`"],
        ),
        (
            &["sql", "-a", &table, "SELECT 1"][..],
            ["it has no table `Ingests`", its_archive.as_str()],
        ),
    ] {
        let out = run(arguments);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{arguments:?}: {said}");
        for wanted in wanted {
            assert!(said.contains(wanted), "{arguments:?}: {said}");
        }
    }
}
