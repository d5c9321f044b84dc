//! One person is one: whatever a source calls somebody, groups by person are whole.

use std::path::Path;

use crate::command_line::run;
use crate::{ingest, project};

/// The rows of an answer as CSV has them.
fn kql(archive: &str, query: &str) -> Vec<String> {
    let out = run(&["kql", "-a", archive, "-f", "csv", query]);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{query}: {told}");
    let text = String::from_utf8_lossy(&out.stdout);
    let rows = text.lines().skip(1).map(|l| l.trim_end().to_string());
    rows.collect()
}

/// An archive of these files.
fn archive(folder: &Path, files: &[(&str, String)]) -> String {
    let path = folder.join("archive");
    let mut inputs = Vec::new();
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::write(&file, text).expect("a file");
        inputs.push(file);
    }
    ingest(&path, &inputs);
    path.to_string_lossy().into_owned()
}

/// A label that a user took away; what is known of the user.
fn audit(n: u32, user: &str) -> String {
    format!(
        r#"{{"Id":"{n:08x}-0000-4000-8000-00000000000a","CreationTime":"2026-05-02T09:00:00","RecordType":6,"Operation":"FileSensitivityLabelRemoved","Workload":"SharePoint","ObjectId":"https://contoso.sharepoint.com/a/Plan.docx",{user}}}
"#
    )
}

fn signin(n: u32, upn: &str, id: &str, name: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-05-{n:02}T08:00:00Z","Type":"SigninLogs","Id":"s{n}","UserPrincipalName":"{upn}","UserId":"{id}","UserDisplayName":"{name}"}}
"#
    )
}

const ANN: &str = "11111111-1111-4111-8111-111111111111";
const BOB: &str = "22222222-2222-4222-8222-222222222222";
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
const NAMES: &str =
    "CloudAppEvents | summarize n = count() by AccountDisplayName | sort by AccountDisplayName asc";

#[test]
fn a_person_of_the_sample_is_one_row_of_cloud_app_events_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let archive = path.to_string_lossy();
    let frank = "CloudAppEvents | summarize n = count() by AccountDisplayName | where AccountDisplayName contains 'frank'";
    assert_eq!(kql(&archive, frank), ["Frank Fletcher,70"]);
    // His files in SharePoint too, whose records know no id.
    let ids = "CloudAppEvents | where AccountDisplayName == 'Frank Fletcher' | summarize count() by AccountObjectId, AccountId";
    let frank = "d61e0f42-eb3e-4c80-9cec-1a460917f6cc";
    assert_eq!(kql(&archive, ids), [format!("{frank},{frank},70")]);
    let labels = "LabelEvents | where UserId contains 'frank' | summarize n = count() by UserId | project UserId";
    assert_eq!(kql(&archive, labels), ["frank.fletcher@contoso.com"]);
}

#[test]
fn audit_records_carry_the_latest_name_that_the_archive_knows() {
    let folder = tempfile::tempdir().expect("a folder");
    let signins = [
        signin(1, "Ann@contoso.com", ANN, "Ann Old"),
        signin(3, "ann@contoso.com", ANN, "Ann New"),
        // Says no name, and the address that she has now.
        signin(4, "ann@contoso.com", ANN, "ann@contoso.com"),
        signin(5, "ann.new@contoso.com", ANN, ""),
        // An id that stands for nobody makes no person of two.
        signin(6, "xena@contoso.com", NOBODY, "Xena"),
        signin(7, "yuri@contoso.com", NOBODY, "Yuri"),
    ];
    let app = format!(
        r#"{{"TimeGenerated":"2026-05-04T08:00:00Z","Type":"CloudAppEvents","ReportId":"c1","ActionType":"FileAccessed","AccountObjectId":"{BOB}","AccountDisplayName":"Bob Baker"}}
"#
    );
    let records = [
        audit(
            1,
            r#""UserId":"ANN@contoso.com","UserKey":"10030000A1","UserType":0"#,
        ),
        audit(
            2,
            r#""UserId":"ann.new@contoso.com","UserKey":"","UserType":0"#,
        ),
        // His address and his id stand together in one record only.
        audit(
            3,
            &format!(r#""UserId":"Bob@contoso.com","UserKey":"{BOB}","UserType":0"#),
        ),
        audit(
            4,
            r#""UserId":"bob@contoso.com","UserKey":"i:0h.f|membership|1@contoso.com","UserType":0"#,
        ),
        audit(
            5,
            r#""UserId":"Xena@contoso.com","UserKey":"10030000A2","UserType":0"#,
        ),
        audit(
            6,
            r#""UserId":"yuri@contoso.com","UserKey":"10030000A3","UserType":0"#,
        ),
        audit(
            7,
            r#""UserId":"Zoe@contoso.com","UserKey":"10030000A4","UserType":0"#,
        ),
        audit(
            8,
            r#""UserId":"zoe@contoso.com","UserKey":"10030000A4","UserType":0"#,
        ),
    ];
    let archive = archive(
        folder.path(),
        &[
            ("signins.json", signins.concat()),
            ("apps.json", app),
            ("audit.json", records.concat()),
        ],
    );
    assert_eq!(
        kql(&archive, NAMES),
        [
            "Ann New,2",
            "Bob Baker,3",
            "Xena,1",
            "Yuri,1",
            "zoe@contoso.com,2",
        ]
    );
    let ids = "CloudAppEvents | where isnotempty(AccountObjectId) \
               | summarize n = count() by AccountObjectId | sort by AccountObjectId asc";
    assert_eq!(kql(&archive, ids), [format!("{ANN},2"), format!("{BOB},3")]);
    // The name does not depend on the range.
    let cut = run(&[
        "kql",
        "-a",
        &archive,
        "-f",
        "csv",
        NAMES,
        "--from",
        "2026-05-02",
        "--to",
        "2026-05-03",
    ]);
    let cut = String::from_utf8_lossy(&cut.stdout);
    assert!(
        cut.contains("Ann New,2") && cut.contains("Bob Baker,2"),
        "{cut}"
    );
}

#[test]
fn the_case_of_an_address_splits_no_person_where_nothing_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = [
        audit(1, r#""UserId":"Carol.Cooper@contoso.com","UserType":0"#),
        audit(2, r#""UserId":"carol.cooper@CONTOSO.com","UserType":0"#),
        audit(3, r#""UserId":"SHAREPOINT\\system","UserType":4"#),
        // A claim is no address.
        audit(
            4,
            r#""UserId":"i:0#.f|membership|Dora@contoso.com","UserType":0"#,
        ),
    ];
    let archive = archive(folder.path(), &[("audit.json", records.concat())]);
    let people = [
        r"SHAREPOINT\system,1",
        "carol.cooper@contoso.com,2",
        "i:0#.f|membership|Dora@contoso.com,1",
    ];
    assert_eq!(kql(&archive, NAMES), people);
    let labels = "LabelEvents | summarize n = count() by UserId | sort by UserId asc";
    assert_eq!(kql(&archive, labels), people);
    // The tables of records are evidence: they say what the records say.
    for table in ["UnifiedAuditLog", "OfficeActivity"] {
        let users = format!("{table} | distinct UserId | count");
        assert_eq!(kql(&archive, &users), ["4"], "{table}");
    }
}

#[test]
fn a_name_that_was_not_known_yet_is_not_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(
        folder.path(),
        &[
            ("a.jsonl", audit(1, r#""UserId":"ann@contoso.com""#)),
            ("s.jsonl", signin(20, "ann@contoso.com", ANN, "Ann Married")),
        ],
    );
    let named = |at: &str| {
        let query = "CloudAppEvents | project AccountDisplayName";
        let out = run(&["kql", "-a", &archive, "-f", "csv", "--at", at, query]);
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    assert_eq!(named("2026-05-06"), "AccountDisplayName\nann@contoso.com\n");
    assert_eq!(named("2026-05-21"), "AccountDisplayName\nAnn Married\n");
}
