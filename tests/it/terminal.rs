//! What a terminal shows, and what a file or a pipe gets: tables that fit, cuts that are said, formats by extension, and why there are no
//! rows.

use std::path::Path;
use std::process::Output;

use crate::command_line::run;
use crate::{ingest, project};

fn told(out: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The archive of the sample data, for commands that only read.
fn sample() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data")]);
    let archive = text(&archive);
    (folder, archive)
}

/// What a terminal of that many columns shows, and what is said on stderr; nothing where there is no `script` to make one. Ends by itself.
#[cfg(target_os = "linux")]
fn shown(columns: usize, arguments: &[&str]) -> Option<(String, String)> {
    shown_in(&project(""), columns, arguments)
}

/// The same of a command that is run in a folder.
#[cfg(target_os = "linux")]
pub(crate) fn shown_in(
    place: &Path,
    columns: usize,
    arguments: &[&str],
) -> Option<(String, String)> {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().expect("a folder");
    let quoted: Vec<String> = std::iter::once(env!("CARGO_BIN_EXE_coldtrail"))
        .chain(arguments.iter().copied())
        .map(|argument| format!("'{}'", argument.replace('\'', r"'\''")))
        .collect();
    let said = folder.path().join("said");
    let lines = format!(
        "stty cols {columns} rows 24\nexec timeout 60 {} 2>'{}'\n",
        quoted.join(" "),
        said.display()
    );
    let file = folder.path().join("run.sh");
    std::fs::write(&file, lines).expect("a file");
    let out = Command::new("script")
        .args(["-qec", &format!("sh '{}'", file.display()), "/dev/null"])
        .current_dir(place)
        .env("NO_COLOR", "1")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .output();
    let out = match out {
        Ok(out) => out,
        Err(e) => {
            println!("skipped: no terminal can be made: {e}");
            return None;
        }
    };
    let shown = String::from_utf8_lossy(&out.stdout).replace('\r', "");
    let said = std::fs::read_to_string(&said).expect("what was said");
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {shown}{said}");
    Some((shown, said))
}

#[cfg(target_os = "linux")]
fn widest(text: &str) -> usize {
    text.lines().map(|l| l.chars().count()).max().unwrap_or(0)
}

#[test]
#[cfg(target_os = "linux")]
fn a_wide_answer_fits_a_terminal_and_says_what_is_left_out() {
    let (_folder, archive) = sample();
    let query = "SELECT * FROM CloudAppEvents LIMIT 2";
    let Some((seen, said)) = shown(120, &["sql", "-a", &archive, query]) else {
        return;
    };
    assert!(widest(&seen) <= 120, "{seen}");
    assert_eq!(seen.lines().count(), 3, "{seen}");
    assert!(seen.contains('…'), "{seen}");
    assert!(said.contains("columns shown"), "{said}");
    assert!(said.contains("-f csv"), "{said}");
    assert!(said.ends_with("2 rows\n"), "{said}");
    // Also with --quiet: a cut is no chatter.
    let quiet = shown(120, &["-q", "sql", "-a", &archive, query]).expect("a terminal");
    assert!(quiet.1.contains("columns shown"), "{}", quiet.1);
    assert!(!quiet.1.contains("2 rows"), "{}", quiet.1);
    // Where hardly a column fits, each record is a block.
    let (narrow, _) = shown(40, &["sql", "-a", &archive, query]).expect("a terminal");
    assert!(widest(&narrow) <= 40, "{narrow}");
    assert!(narrow.contains("row 2\n"), "{narrow}");
    // KQL goes the same way, and rows beyond the first thousand are counted.
    let many = ["kql", "range x from 1 to 3000 step 1"];
    let (rows, said) = shown(80, &many).expect("a terminal");
    assert_eq!(rows.lines().count(), 1001);
    assert!(said.contains("1,000 of 3,000 rows shown"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_long_value_costs_a_terminal_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = "x".repeat(50_000);
    let record = format!(
        r#"{{"Id":"e1","CreationTime":"2026-05-20T08:00:00","RecordType":83,"Operation":"SensitivityLabelRemoved","Workload":"SharePoint","UserId":"{long}@contoso.com","ObjectId":"https://contoso.sharepoint.com/{long}.docx","SensitivityLabelEventData":{{"LabelEventType":3,"OldSensitivityLabelId":"aaaaaaaa-0000-4000-8000-00000000000a"}}}}"#
    );
    let file = folder.path().join("long.json");
    std::fs::write(&file, record).expect("a file");
    let archive = folder.path().join("archive");
    ingest(&archive, &[file]);
    let archive = text(&archive);
    for arguments in [
        &["sql", "-a", &archive, "SELECT * FROM UnifiedAuditLog"][..],
        &["sql", "-a", &archive, "SELECT UserId FROM UnifiedAuditLog"],
        &[
            "kql",
            "-a",
            &archive,
            "LabelEvents | project UserId, FileName, Action",
        ],
        &[
            "hunt",
            "-a",
            &archive,
            "-r",
            "queries/mip/label-removed.sql",
        ],
    ] {
        // `shown` lets a command take a minute.
        let Some((shown, _)) = shown(100, arguments) else {
            return;
        };
        assert!(widest(&shown) <= 100, "{arguments:?}: {}", widest(&shown));
        assert!(shown.len() < 50_000, "{arguments:?}: {}", shown.len());
        assert!(shown.contains('…'), "{arguments:?}: {shown}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn tables_of_messages_fit_eighty_columns_and_break_no_word() {
    let (_folder, archive) = sample();
    for arguments in [
        &["tables", "-a", &archive][..],
        &["tables", "-a", &archive, "--days"],
        &["tables", "--columns", "LabelEvents"],
        &["gaps", "-a", &archive],
        &["verify", "-a", &archive],
    ] {
        let Some((shown, _)) = shown(80, arguments) else {
            return;
        };
        for line in shown.lines().filter(|l| !l.starts_with("digest of ")) {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
        let whole = String::from_utf8_lossy(&run(arguments).stdout).into_owned();
        let words: std::collections::BTreeSet<&str> = shown.split_whitespace().collect();
        for word in whole.split_whitespace() {
            assert!(words.contains(word), "{arguments:?}: {word}: {shown}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_listed_rule_is_a_line_of_a_terminal() {
    let rules = run(&["rules", "list"]);
    let whole = String::from_utf8_lossy(&rules.stdout).into_owned();
    let ids: Vec<&str> = whole
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(ids.len() > 100, "{whole}");
    for width in [40, 80, 200] {
        let Some((shown, _)) = shown(width, &["rules", "list"]) else {
            return;
        };
        let lines: Vec<&str> = shown.lines().collect();
        // A header before the rules, and a word on what is cut after them.
        assert_eq!(lines.len(), ids.len() + 2, "{width}: {shown}");
        for (line, id) in lines[1..].iter().zip(&ids) {
            assert!(line.chars().count() <= width, "{width}: {line}");
            assert!(width < 80 || line.trim_start().starts_with(id), "{line}");
        }
        assert!(shown.contains('…') && shown.contains("-f json"), "{shown}");
    }
}

#[test]
fn a_pipe_and_a_file_get_every_row_and_every_cell() {
    let folder = tempfile::tempdir().expect("a folder");
    let query = "range x from 1 to 3000 step 1 | extend y = strrep('y', 300)";
    let (code, piped, said) = told(&run(&["kql", query]));
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(piped.lines().count(), 3001);
    assert_eq!(piped.matches(&"y".repeat(300)).count(), 3000);
    let file = folder.path().join("answer.txt");
    let (code, out, said) = told(&run(&["kql", query, "-o", &text(&file)]));
    assert_eq!((code, out.as_str(), said.as_str()), (Some(0), "", ""));
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), piped);
}

#[test]
fn the_extension_of_the_file_says_the_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let query = "print a = 1, b = 'x'";
    let write = |name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        let file = text(&path);
        let arguments = [&["kql", query, "-o", &file][..], more].concat();
        let (code, _, said) = told(&run(&arguments));
        (code, said, std::fs::read(path).unwrap_or_default())
    };
    for (name, begin) in [
        ("a.csv", "a,b\n1,x\n"),
        ("a.json", "[\n{\"a\":1,"),
        ("a.ndjson", "{\"a\":1,"),
        ("a.JSONL", "{\"a\":1,"),
        ("a.md", "| a | b |\n"),
        ("a.parquet", "PAR1"),
        ("a.txt", " a  b\n 1  x\n"),
        ("answer", " a  b\n 1  x\n"),
    ] {
        let (code, said, bytes) = write(name, &[]);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(bytes.starts_with(begin.as_bytes()), "{name}: {bytes:?}");
    }
    // What is asked in words goes before, where the name does not say the contrary.
    assert!(write("b.txt", &["-f", "csv"]).2.starts_with(b"a,b\n"));
    assert!(
        write("b.json", &["-f", "kusto"])
            .2
            .starts_with(b"{\"tables\"")
    );
    for (name, more, why) in [
        ("c.csv", &["-f", "table"][..], "a table of text"),
        ("c.csv", &["-f", "json"][..], "is the name of CSV"),
        ("c.csv.gz", &[][..], "not compressed"),
        ("c.xlsx", &[][..], ".parquet"),
    ] {
        let (code, said, bytes) = write(name, more);
        assert_eq!(code, Some(2), "{name}: {said}");
        assert!(said.contains(why), "{name}: {said}");
        assert!(bytes.is_empty(), "{name}");
    }
    // A file that is there stays, and nothing is left beside it.
    assert_eq!(write("a.csv", &[]).0, Some(3));
    assert!(!folder.path().join("a.csv.part").exists());
}

#[test]
fn no_rows_come_with_a_reason() {
    let (_folder, archive) = sample();
    let sql = |query: &str, more: &[&str]| {
        let (code, out, said) = told(&run(&[
            &["sql", "-a", &archive, "-f", "csv", query][..],
            more,
        ]
        .concat()));
        assert_eq!(code, Some(0), "{query}: {said}");
        (out, said)
    };
    let kql = |query: &str, more: &[&str]| {
        let (code, out, said) = told(&run(&[
            &["kql", "-a", &archive, "-f", "json", query][..],
            more,
        ]
        .concat()));
        assert_eq!(code, Some(0), "{query}: {said}");
        (out, said)
    };
    let none = "this archive holds no `SecurityAlert`";
    for said in [
        sql("SELECT AlertName FROM SecurityAlert", &[]).1,
        sql(
            "SELECT l.* FROM LabelEvents l JOIN SecurityAlert s ON s.AlertName = l.Action",
            &[],
        )
        .1,
        sql(
            "SELECT Action FROM LabelEvents WHERE Action IN (SELECT AlertName FROM SecurityAlert)",
            &[],
        )
        .1,
        kql("SecurityAlert | take 5", &[]).1,
    ] {
        assert!(
            said.starts_with("0 rows; ") && said.contains(none),
            "{said}"
        );
    }
    // A sum over no table is said to be one.
    let (out, said) = kql("SecurityAlert | count", &[]);
    assert!(
        out.contains("\"Count\":0") && said.contains(none),
        "{out}{said}"
    );
    assert_eq!(sql("SELECT 0 AS n", &[]).1, "");
    assert_eq!(kql("SecurityAlert | take 5", &["-q"]).1, "");
    let beside = kql("AADSignInEventsBeta | take 5", &[]).1;
    assert!(
        beside.contains("`SigninLogs` has events of the kind of"),
        "{beside}"
    );
    // A time at which there is nothing.
    let after = sql("SELECT Id FROM SigninLogs", &["--from", "2030-01-01"]).1;
    assert!(
        after.contains("`SigninLogs` lie between 2026-05-04T"),
        "{after}"
    );
    assert!(after.contains("outside the time asked for"), "{after}");
    let recent = "CloudAppEvents | where TimeGenerated > ago(30d) | project ActionType";
    let (_, late) = kql(recent, &["--at", "2026-11-28"]);
    assert!(
        late.contains("the last event of `CloudAppEvents` is of 2026-05-29T"),
        "{late}"
    );
    assert!(late.contains("now() is 2026-11-28T00:00:00Z"), "{late}");
    assert!(late.ends_with("try --at 2026-05-30\n"), "{late}");
    let (found, said) = kql(recent, &["--at", "2026-05-30"]);
    assert!(found.contains("ActionType") && said.is_empty(), "{said}");
    // Nothing is wrong with the table or the time.
    assert_eq!(
        sql("SELECT Id FROM SigninLogs WHERE Id = 'none'", &[]).1,
        "0 rows\n"
    );
}

#[test]
fn what_can_be_asked_is_listed() {
    let (_folder, archive) = sample();
    let (code, labels, said) = told(&run(&["tables", "--columns", "LabelEvents"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(labels.contains("Justification"), "{labels}");
    for (name, column) in [
        ("InformationProtectionEvents", "ItemPath"),
        ("watchlists.labels", "Rank"),
        ("SecurityAlert", "AlertName"),
    ] {
        let (code, out, said) = told(&run(&["tables", "-a", &archive, "--columns", name]));
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(out.contains(column), "{name}: {out}");
    }
    let (code, _, said) = told(&run(&["tables", "--columns", "watchlists.Labels"]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("needs an archive: -a DIR"), "{said}");
    let (code, _, said) = told(&run(&["tables", "--columns", "LabelEvent"]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("did you mean `LabelEvents`"), "{said}");
    let (_, tables, _) = told(&run(&["tables", "-a", &archive]));
    for name in ["InformationProtectionEvents", "watchlists.Labels"] {
        assert!(tables.contains(name), "{name}: {tables}");
    }
    let list = ["sql", "-a", &archive, "-f", "csv", "show tables;"];
    let (code, list, said) = told(&run(&list));
    assert_eq!(code, Some(0), "{said}");
    for row in [
        "LabelEvents,view\n",
        "SigninLogs,table\n",
        "OfficeActivity,view\n",
        "watchlists.Labels,watchlist\n",
    ] {
        assert!(list.contains(row), "{row}: {list}");
    }
    assert!(
        !list.contains("SecurityAlert") && !list.contains("stored"),
        "{list}"
    );
    // A list that is not all says so.
    let (_, _, said) = told(&run(&["sql", "-a", &archive, "SELECT 1 FROM Nope"]));
    assert!(
        said.trim_end().ends_with("…; `coldtrail tables` shows all"),
        "{said}"
    );
}

#[test]
fn verify_says_why_something_is_not_checked() {
    let (_folder, archive) = sample();
    let (code, out, _) = told(&run(&["verify", "-a", &archive]));
    assert_eq!(code, Some(0), "{out}");
    assert!(
        out.contains("cannot be worked out again from columns"),
        "{out}"
    );
    let (_, json, _) = told(&run(&["verify", "-a", &archive, "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let checks = json["checks"].as_array().expect("a list");
    for check in checks {
        let unchecked = check["not_checked"].as_u64() > Some(0);
        assert_eq!(
            check["not_checked_because"].is_string(),
            unchecked,
            "{check}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_device_is_written_to_and_stays() {
    use std::os::unix::fs::FileTypeExt;
    let (code, _, said) = told(&run(&["kql", "print 1", "-o", "/dev/null"]));
    assert_eq!(code, Some(0), "{said}");
    let device = Path::new("/dev/null");
    let kind = device.metadata().expect("it is there").file_type();
    assert!(kind.is_char_device());
    assert!(!Path::new("/dev/null.part").exists());
}
