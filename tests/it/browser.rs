//! The report in a browser: what a person does with it works by mouse and by keys, and nothing of a log becomes more than text.
//!
//! The scripts in `browser/` drive Debian's chromium by Python's playwright. Where one of both is not there, that is said and nothing is tested.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use coldtrail::text::safe::{is_unsafe, seen};

use crate::command_line::run;
use crate::project;

/// Where a browser may be; the variable names another.
const BROWSERS: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

/// What every hostile text of the test says, beside what it is.
const HOSTILE: &str = "<script>window.pwned=1</script><img src=x onerror=window.pwned=2>\"' onmouseover='window.pwned=3'></script><!--\
    {{7*7}}{% raw %}${window.pwned=4}=cmd|' /C calc'!A0 javascript:window.pwned=5 &lt;b&gt;\u{202e}gpj.exe\u{2066}\u{200b}\u{1b}[31m\u{e0041}";

/// A browser, where there is also a Python that drives it.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let found = named
        .into_iter()
        .chain(BROWSERS.map(PathBuf::from))
        .find(|path| path.exists());
    let drives = Command::new("python3")
        .args(["-c", "import playwright"])
        .output();
    let drives = drives.is_ok_and(|out| out.status.success());
    match (found, drives) {
        (Some(found), true) => Some(found),
        (None, _) => {
            println!("skipped: no chromium (apt-get install chromium)");
            None
        }
        (_, false) => {
            println!("skipped: no Python with the package `playwright` (pip install playwright)");
            None
        }
    }
}

/// Runs a script of `browser/`; what it says shows with `--nocapture`.
fn drive(browser: &Path, script: &str, arguments: &[&str]) {
    let out = Command::new("python3")
        .arg(project("tests/it/browser").join(script))
        .args(arguments)
        .env("CHROMIUM", browser)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&out.stdout);
    println!("{said}");
    assert!(
        out.status.success(),
        "{script}: {said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// The report of inputs, in a folder.
fn report(folder: &Path, input: &Path, rules: &[&Path]) -> String {
    let out = folder.join("out");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut arguments: Vec<String> = ["analyze", "--ignore-missing", "-o"]
        .map(String::from)
        .into();
    arguments.extend([text(&out), text(input)]);
    for path in rules {
        arguments.extend(["-r".to_string(), text(path)]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = run(&arguments);
    assert_eq!(
        told.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    text(&out.join("report.html"))
}

/// A rule in SQL that finds each row so many times.
fn rule(folder: &Path, name: &str, text: &str, times: usize) -> PathBuf {
    let path = folder.join("rules");
    std::fs::create_dir_all(&path).expect("a folder");
    let quoted = |text: &str| json!(text).to_string();
    let rule = format!(
        "/*\nid: {name}\nname: {0}\ndescription: {0}\nseverity: High\ntactics: [Collection]\nfalsePositives: [{0}]\nentityMappings:\n  - \
         entityType: Account\n    fieldMappings:\n      - {{identifier: FullName, columnName: UserId}}\n  - entityType: File\n    fieldMappings:\n      - \
         {{identifier: Name, columnName: ObjectId}}\n*/\n\
         SELECT u.TimeGenerated, u.UserId, u.ObjectId, u.Operation, n.value AS Number, u._Source FROM UnifiedAuditLog AS u \
         CROSS JOIN (SELECT unnest(range(0, {times})) AS value) AS n",
        quoted(text)
    );
    std::fs::write(path.join(format!("{name}.sql")), rule).expect("a rule");
    path
}

/// An audit record of a label that was taken away.
fn removed(n: usize, text: &str, justification: &str) -> Value {
    json!({
        "Id": format!("8d04ba41-81c8-465b-b59f-{n:012}"), "CreationTime": format!("2026-05-{:02}T20:00:00", 1 + n % 28),
        "RecordType": 83, "Operation": "SensitivityLabelRemoved", "Workload": "PublicEndpoint", "UserType": 0,
        "UserId": format!("{text}{n}@contoso.com"), "ClientIP": "203.0.113.66",
        "ObjectId": format!("https://contoso.sharepoint.com/sites/a/{text}/{n}.docx"),
        "SensitivityLabelEventData": {
            "OldSensitivityLabelId": format!("{text}{}", n % 3), "LabelEventType": 3, "ActionSource": 3, "JustificationText": justification,
        },
        "Application": format!("Word{text}"), "DeviceName": format!("WS{text}"), "Platform": 1, "ContentType": 1, "TargetLocation": 4,
    })
}

/// Every character that nobody sees, but for the inner ones of the areas for private use.
fn all_unseen() -> Vec<char> {
    let is_private = |c: char| matches!(c, '\u{e001}'..='\u{f8fe}' | '\u{f0001}'..='\u{10fffe}');
    ('\0'..=char::MAX)
        .filter(|c| is_unsafe(*c) && !is_private(*c))
        .collect()
}

fn write(path: &Path, records: &[Value]) {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    std::fs::write(path, lines).expect("an export");
}

#[test]
fn the_report_of_the_story_is_filtered_sorted_read_and_printed() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let report = report(
        folder.path(),
        &project("sample-data"),
        &[Path::new("builtin:mip")],
    );
    drive(&browser, "story.py", &[&report]);
}

#[test]
fn nothing_of_a_hostile_log_is_more_than_text() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut records = vec![removed(0, HOSTILE, &format!("{HOSTILE}/").repeat(600))];
    let unseen = all_unseen();
    assert!(unseen.len() > 4000);
    for (n, some) in (1..).zip(unseen.chunks(300)) {
        let some: String = some.iter().collect();
        records.push(removed(n, HOSTILE, &some));
    }
    assert!(records[0].to_string().len() > 100_000);
    let export = folder.path().join("audit.jsonl");
    write(&export, &records);
    let rules = rule(
        folder.path(),
        "hostile",
        &HOSTILE.replace(['\u{1b}', '\u{e0041}'], ""),
        1,
    );
    let builtin = Path::new("builtin");
    let report = report(folder.path(), &export, &[builtin, &rules]);
    drive(&browser, "hostile.py", &[&report]);
}

#[test]
fn fifty_thousand_findings_open_in_two_seconds() {
    const FINDINGS: usize = 50_000;
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let export = folder.path().join("audit.jsonl");
    write(&export, &[removed(1, "Plan", "no longer needed")]);
    let rules = rule(folder.path(), "many", "Many", FINDINGS);
    let report = report(folder.path(), &export, &[&rules]);
    drive(&browser, "many.py", &[&report, &FINDINGS.to_string()]);
}

#[test]
fn the_page_and_the_library_see_the_same_characters() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut ranges: Vec<[u32; 2]> = Vec::new();
    for c in ('\0'..=char::MAX).filter(|c| is_unsafe(*c)).map(u32::from) {
        match ranges.last_mut() {
            Some(last) if last[1] + 1 == c => last[1] = c,
            _ => ranges.push([c, c]),
        }
    }
    let unseen: String = all_unseen().into_iter().collect();
    let texts = [
        "plain".to_string(),
        "a\u{1}\u{200d}b\r\nc\r\r\n\t\u{2028}\u{2029}".to_string(),
        "\u{e4}\u{6f22}\u{1f600}\u{202e}e\u{301}".to_string(),
        unseen,
    ];
    let texts: Vec<[String; 2]> = texts.map(|text| [text.clone(), seen(&text)]).into();
    let list = folder.path().join("unseen.json");
    let text = json!({"ranges": ranges, "texts": texts}).to_string();
    std::fs::write(&list, text).expect("a file");
    let script = project("src/report/page/text.js");
    drive(
        &browser,
        "unseen.py",
        &[&script.to_string_lossy(), &list.to_string_lossy()],
    );
}
