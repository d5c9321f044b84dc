//! `timeline`: events of all tables in the order of time, each once, for people and for the tools that they use.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::{ingest, project};

/// Three audit records, of which the first is a sign-in that Entra's log has too.
const AUDIT: &str = r#"{"CreationTime":"2026-05-01T08:00:00","Id":"00000000-0000-4000-8000-000000000001","RecordType":15,"Operation":"UserLoggedIn","UserId":"Ann@contoso.com","Workload":"AzureActiveDirectory","ClientIP":"192.0.2.1","IntraSystemId":"00000000-0000-4000-8000-0000000000a1","ErrorNumber":"0"}
{"CreationTime":"2026-05-01T08:05:00","Id":"00000000-0000-4000-8000-000000000002","RecordType":6,"Operation":"FileDownloaded","UserId":"ann@contoso.com","Workload":"SharePoint","ClientIP":"192.0.2.1","ObjectId":"https://contoso.sharepoint.com/sites/a/<b>|plan_1.docx","SourceFileName":"<b>|plan_1.docx","ApplicationId":"00000000-0000-4000-8000-0000000000AA"}
{"CreationTime":"2026-05-01T08:06:00","Id":"00000000-0000-4000-8000-000000000003","RecordType":1,"Operation":"New-InboxRule","UserId":"bob@contoso.com","Workload":"Exchange","ClientIP":"192.0.2.2:443","ObjectId":"bob\\x","ResultStatus":"True","Parameters":[{"Name":"Name","Value":"x"},{"Name":"DeleteMessage","Value":"True"}]}
"#;
const SIGN_INS: &str = r#"{"TimeGenerated":"2026-05-01T08:00:00.1234567Z","Type":"SigninLogs","Id":"00000000-0000-4000-8000-0000000000a1","OperationName":"Sign-in activity","Category":"SignInLogs","ResultType":"0","UserPrincipalName":"ann@contoso.com","AppDisplayName":"Office","AppId":"00000000-0000-4000-8000-0000000000aa","IPAddress":"192.0.2.1","Location":"DE","CreatedDateTime":"2026-05-01T08:00:00.1234567Z"}
"#;

/// Records that name people and a session elsewhere than where most do.
const NAMED: &str = r#"{"CreationTime":"2026-05-01T08:01:00","Id":"00000000-0000-4000-8000-000000000011","RecordType":25,"Operation":"MemberAdded","UserId":"ann@contoso.com","Workload":"MicrosoftTeams","TeamName":"T","Members":[{"UPN":"carl@contoso.com"}]}
{"CreationTime":"2026-05-01T08:02:00","Id":"00000000-0000-4000-8000-000000000012","RecordType":2,"Operation":"SendAs","UserId":"ann@contoso.com","Workload":"Exchange","MailboxOwnerUPN":"dora@contoso.com","SendAsUserSmtp":"carl@contoso.com","Item":{"Subject":"Hi"}}
{"CreationTime":"2026-05-01T08:03:00","Id":"00000000-0000-4000-8000-000000000013","RecordType":40,"Operation":"AlertEntityGenerated","UserId":"SecurityComplianceAlerts","Workload":"SecurityComplianceCenter","ObjectId":"carl@contoso.com","Name":"Forwarding","Severity":"Low"}
{"CreationTime":"2026-05-01T08:04:00","Id":"00000000-0000-4000-8000-000000000014","RecordType":25,"Operation":"MemberAdded","UserId":"ann@contoso.com","Workload":"MicrosoftTeams","TeamName":"T","Members":[{"UPN":"dora@contoso.com"}]}
{"CreationTime":"2026-05-01T08:05:00","Id":"00000000-0000-4000-8000-000000000015","RecordType":15,"Operation":"UserLoggedIn","UserId":"ann@contoso.com","Workload":"AzureActiveDirectory","DeviceProperties":[{"Name":"OS","Value":"Windows"},{"Name":"SessionId","Value":"s-1"}]}
{"CreationTime":"2026-05-01T08:06:00","Id":"00000000-0000-4000-8000-000000000016","RecordType":50,"Operation":"MailItemsAccessed","UserId":"ann@contoso.com","Workload":"Exchange","MailboxOwnerUPN":"dora@contoso.com","SessionId":"s-1","OperationCount":1}
{"CreationTime":"2026-05-01T08:07:00","Id":"00000000-0000-4000-8000-000000000017","RecordType":8,"Operation":"Add app role assignment grant to user.","UserId":"ann@contoso.com","Workload":"AzureActiveDirectory","Target":[{"ID":"Mail Tool","Type":1}],"ModifiedProperties":[{"Name":"User.UPN","NewValue":"\"carl@contoso.com\"","OldValue":""}]}
"#;

struct Case {
    folder: tempfile::TempDir,
    archive: String,
}

impl Case {
    fn new() -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let files: Vec<PathBuf> = [("audit.jsonl", AUDIT), ("signins.jsonl", SIGN_INS)]
            .into_iter()
            .map(|(name, content)| {
                let path = folder.path().join(name);
                std::fs::write(&path, content).expect("a file");
                path
            })
            .collect();
        let archive = folder.path().join("archive");
        ingest(&archive, &files);
        Case {
            archive: archive.to_string_lossy().into_owned(),
            folder,
        }
    }

    /// The standard output and what was said.
    fn written(&self, further: &[&str]) -> (String, String) {
        timeline(&self.archive, further)
    }

    /// The messages of a timeline.
    fn messages(&self, further: &[&str]) -> Vec<String> {
        let (out, _) = self.written(&[&["-f", "jsonl"][..], further].concat());
        values(&out).iter().map(|v| text(v, "message")).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn timeline(archive: &str, further: &[&str]) -> (String, String) {
    let out = run(&[&["timeline", "-a", archive][..], further].concat());
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{further:?}: {said}");
    (String::from_utf8(out.stdout).expect("text"), said)
}

fn values(lines: &str) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    lines.lines().map(read).collect()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_string()
}

const SIGNED_IN: &str = "ann@contoso.com signed in to `Office` from 192.0.2.1 (DE)";
const DOWNLOADED: &str =
    "ann@contoso.com downloaded `<b>|plan_1.docx` with `Office` from 192.0.2.1";
const RULE: &str = "bob@contoso.com created the inbox rule `x` from 192.0.2.2: deletes the message";

#[test]
fn each_event_is_there_once_in_the_order_of_time() {
    let case = Case::new();
    assert_eq!(case.messages(&[]), [SIGNED_IN, DOWNLOADED, RULE]);
    let (csv, said) = case.written(&[]);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(
        lines[0].starts_with("datetime,timestamp_desc,message,user,"),
        "{csv}"
    );
    assert!(
        lines[1].starts_with(&format!(
            "2026-05-01T08:00:00.123456Z,Sign-in Time,{SIGNED_IN},ann@contoso.com,192.0.2.1,DE,Office,"
        )),
        "{csv}"
    );
    assert!(lines[1].ends_with("signins.jsonl"), "{csv}");
    assert!(lines[3].ends_with("audit.jsonl"), "{csv}");
    assert_eq!(said.trim(), "3 events");
}

#[test]
fn events_are_chosen_by_whom_and_what_they_are_about() {
    let case = Case::new();
    for (options, messages) in [
        (
            &["--user", "ANN@contoso.com"][..],
            &[SIGNED_IN, DOWNLOADED][..],
        ),
        (
            &["--user", "*@contoso.com", "--address", "192.0.2.2"],
            &[RULE],
        ),
        (
            &["--user", "ann@contoso.com", "--user", "bob@contoso.com"],
            &[SIGNED_IN, DOWNLOADED, RULE],
        ),
        (&["--file", "<b>|plan_1.docx"], &[DOWNLOADED]),
        (&["--file", "*/sites/a/*"], &[DOWNLOADED]),
        (&["--file", "planX1.docx"], &[]),
        // The record of the download has the application's id alone.
        (&["--application", "office"], &[SIGNED_IN, DOWNLOADED]),
        (&["--session", "none"], &[]),
        (&["--from", "2026-05-01T08:05"], &[DOWNLOADED, RULE]),
        (&["--to", "2026-05-01T08:05"], &[SIGNED_IN]),
        // The audit record is not left out where its copy is not asked for.
        (
            &[
                "--address",
                "192.0.2.1",
                "--to",
                "2026-05-01T08:00:00.000001Z",
            ],
            &["Ann@contoso.com signed in from 192.0.2.1"],
        ),
    ] {
        assert_eq!(case.messages(options), messages, "{options:?}");
    }
    let out = run(&["timeline", "-a", &case.archive, "--user", ""]);
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_person_and_a_session_are_found_wherever_a_record_names_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, NAMED).expect("a file");
    let archive = folder.path().join("archive");
    ingest(&archive, &[path]);
    let chosen = |option: &str, value: &str| -> Vec<String> {
        let options = ["-f", "jsonl", option, value];
        let (out, _) = timeline(&archive.to_string_lossy(), &options);
        values(&out).iter().map(|v| text(v, "message")).collect()
    };
    assert_eq!(
        chosen("--user", "CARL@contoso.com"),
        [
            "ann@contoso.com added `carl@contoso.com` to the team `T`",
            "ann@contoso.com sent the mail `Hi` as `carl@contoso.com` in the mailbox of `dora@contoso.com`",
            "Alert `Forwarding` (Low), about `carl@contoso.com`",
            "ann@contoso.com gave `carl@contoso.com` access to the application `Mail Tool`",
        ]
    );
    assert_eq!(
        chosen("--session", "S-1"),
        [
            "ann@contoso.com signed in",
            "ann@contoso.com read mail (1 access) in the mailbox of `dora@contoso.com`",
        ]
    );
}

#[test]
fn tools_of_others_get_what_they_want() {
    let case = Case::new();
    let (out, _) = case.written(&["-f", "timesketch"]);
    let lines = values(&out);
    assert_eq!(lines.len(), 3);
    for line in &lines {
        for key in ["message", "datetime", "timestamp_desc"] {
            assert!(!text(line, key).is_empty(), "{line}");
        }
    }
    assert_eq!(
        lines[0]["datetime"],
        json!("2026-05-01T08:00:00.123456+00:00")
    );
    assert_eq!(lines[0]["timestamp"], json!(1_777_622_400_123_456_i64));

    let (out, _) = case.written(&["-f", "bodyfile"]);
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split('|').collect()).collect();
    assert!(lines.iter().all(|line| line.len() == 11), "{out}");
    assert_eq!(lines[0][1], format!("[.123456] {SIGNED_IN} (SigninLogs)"));
    // `mactime` passes over lines that have no digit there.
    assert_eq!(lines[0][4..=5], ["0", "0"]);
    assert_eq!(lines[0][8], "1777622400");
    assert!(lines[1][1].contains("<b>%7Cplan_1.docx"), "{out}");

    let (out, _) = case.written(&["-f", "html", "--tz", "Europe/Berlin"]);
    assert!(
        out.contains("&lt;b&gt;|plan_1.docx") && !out.contains("<b>|"),
        "{out}"
    );
    assert!(out.contains("<td>10:00:00.123456+02:00</td>"), "{out}");
    let refused = run(&[
        "timeline",
        "-a",
        &case.archive,
        "-f",
        "bodyfile",
        "--tz",
        "Europe/Berlin",
    ]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn files_are_whole_and_the_same_each_time_and_replaced_only_when_asked() {
    let case = Case::new();
    let other = case.path("other");
    for name in ["a.xlsx", "a.html", "a.csv", "a.jsonl", "a.body"] {
        let path = case.path(name);
        let path = path.to_string_lossy();
        let read = || std::fs::read(&*path).expect("a file");
        case.written(&["-o", &path]);
        let first = read();
        assert!(!first.is_empty(), "{name}");
        let again = run(&["timeline", "-a", &case.archive, "-o", &path]);
        assert_eq!(again.status.code(), Some(3), "{name}");
        case.written(&["-o", &path, "-C"]);
        assert!(first == read(), "{name} differs");
        // What was written is no evidence: an ingest leaves it out.
        let out = run(&["ingest", &path, "-a", &other.to_string_lossy()]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains("a result of coldtrail"), "{name}: {said}");
    }
}

#[test]
fn an_archive_that_does_not_fit_into_the_memory_has_the_same_timeline() {
    /// More than one span has where there is this little memory.
    const EVENTS: u64 = 9000;
    const LITTLE: &str = "64MiB";
    let folder = tempfile::tempdir().expect("a folder");
    let lines: Vec<String> = (0..EVENTS)
        .map(|n| {
            // Not in the order of time, over three days; some at one time.
            let second = (n * 7919) % EVENTS / 2 * 57;
            let (day, second) = (second / 86_400 + 1, second % 86_400);
            let time = format!("2026-05-{day:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
            json!({"CreationTime": time, "Id": format!("00000000-0000-4000-8000-{n:012}"), "RecordType": 6, "Operation": "FileAccessed",
                "UserId": "ann@contoso.com", "Workload": "SharePoint", "SourceFileName": format!("{n}.docx")})
            .to_string()
        })
        .collect();
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, lines.join("\n")).expect("a file");
    let archive = folder.path().join("archive");
    ingest(&archive, &[path]);
    let archive = archive.to_string_lossy();
    let (whole, _) = timeline(&archive, &[]);
    let (little, said) = timeline(&archive, &["--memory-limit", LITTLE]);
    assert_eq!(said.trim(), "9,000 events");
    assert!(whole == little, "the two differ");
    let times: Vec<&str> = little
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn findings_have_the_timeline_of_what_they_rest_on() {
    let case = Case::new();
    let found = json!({"findings": [
        {"number": 1, "rule": "rules-in-mailboxes", "evidence": [{"ingest": 1, "record": 3, "file": "audit.jsonl"}]},
        {"number": 2, "rule": "unknown", "evidence": []},
        {"number": 3, "rule": "sign-ins", "evidence": [{"ingest": 1, "record": 1, "file": "audit.jsonl"}]},
    ]});
    let path = case.path("findings.json");
    std::fs::write(&path, found.to_string()).expect("a file");
    let path = path.to_string_lossy();
    // The record that the rule has seen, and not its copy in another log.
    let seen = "Ann@contoso.com signed in from 192.0.2.1";
    assert_eq!(case.messages(&["--findings", &path]), [seen, RULE]);
    assert_eq!(
        case.messages(&["--findings", &path, "--finding", "1"]),
        [RULE]
    );
    assert_eq!(
        case.messages(&["--findings", &path, "--finding", "sign-ins"]),
        [seen]
    );
    let (_, said) = case.written(&["--findings", &path]);
    assert!(said.contains("1 of 3 findings"), "{said}");
    // In another archive other records have these numbers.
    let other = found.to_string().replace("audit.jsonl", "other.jsonl");
    let foreign = case.path("other.json");
    std::fs::write(&foreign, other).expect("a file");
    let foreign = foreign.to_string_lossy();
    let refused = run(&["timeline", "-a", &case.archive, "--findings", &foreign]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("findings of another archive"), "{said}");
    let lost = run(&[
        "timeline",
        "-a",
        &case.archive,
        "--findings",
        &path,
        "--finding",
        "9",
    ]);
    assert_eq!(lost.status.code(), Some(3));
}

#[test]
fn the_sample_tells_its_story() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data")]);
    let archive = archive.to_string_lossy();
    let (out, said) = timeline(
        &archive,
        &[
            "-f",
            "jsonl",
            "--user",
            "ivan.ironside@contoso.com",
            "--from",
            "2026-05-14T22:00",
            "--to",
            "2026-05-15T07:00",
        ],
    );
    let messages: Vec<String> = values(&out).iter().map(|v| text(v, "message")).collect();
    assert_eq!(
        messages[..2],
        [
            "ivan.ironside@contoso.com signed in to `Office 365 SharePoint Online` from 203.0.113.66 (CA)",
            "Ivan.Ironside@contoso.com removed the label `Confidential` from `Carrier Contracts.docx` with `Word` from 203.0.113.66: reason given \
             `The label was set by mistake on this file`",
        ],
        "{out}"
    );
    assert!(
        messages.contains(
            &"judy.joiner@contoso.com reset the password of `ivan.ironside@contoso.com`"
                .to_string()
        ),
        "{out}"
    );
    assert_eq!(said.trim(), "8 events", "{out}");
    // Nothing is there twice, whichever sources have it.
    let (out, _) = timeline(&archive, &["-f", "jsonl"]);
    let mut seen = std::collections::HashSet::new();
    for line in values(&out) {
        let id = text(&line, "event_id");
        assert!(id.is_empty() || seen.insert(id), "{line}");
    }
    // What findings rest on is found in each table: here all of it.
    let place = |line: &Value, key: &str| text(line, key).parse::<i64>().expect("a number");
    let evidence: Vec<Value> = values(&out)
        .iter()
        .map(|line| json!({"ingest": place(line, "ingest"), "record": place(line, "record")}))
        .collect();
    let found = json!({"findings": [{"number": 1, "rule": "all", "evidence": evidence}]});
    let path = folder.path().join("findings.json");
    std::fs::write(&path, found.to_string()).expect("a file");
    let path = path.to_string_lossy();
    let (same, _) = timeline(&archive, &["-f", "jsonl", "--findings", &path]);
    assert!(same == out, "{same}");
}

#[test]
fn where_there_are_no_events_the_reason_is_said() {
    let case = Case::new();
    let said = |further: &[&str]| {
        let (_, said) = case.written(further);
        assert!(said.starts_with("0 events\n"), "{further:?}: {said}");
        said
    };
    let near = said(&["--user", "ann"]);
    assert!(
        near.contains("hint: did you mean --user 'ann*'? That finds "),
        "{near}"
    );
    let nobody = said(&["--user", "nobody@contoso.com"]);
    assert!(nobody.contains("no event is about what"), "{nobody}");
    assert!(nobody.contains("hint: names are written whole"), "{nobody}");
    let late = said(&["--from", "2030-01-01", "--user", "ann*"]);
    assert!(late.contains(", outside the time asked for\n"), "{late}");
}
