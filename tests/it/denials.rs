//! Who was denied a protected document: `InformationProtectionLogs_CL` has the denials of every source, each once.

use std::path::Path;

use coldtrail::archive::Archive;
use coldtrail::engine::{Options, Session, Source};

use crate::command_line::run;
use crate::{ingest, project};

/// What Microsoft's access-denied sample of 2020 asked, for a time that ends at `at`: a denial carries no name, so the names of documents
/// are looked up by the id of their content.
fn published(at: &str, back: &str) -> String {
    format!(
        r"let at = datetime({at});
        let named = InformationProtectionLogs_CL
          | where TimeGenerated > at - 90d
          | distinct ContentId_g, ObjectId_s;
        InformationProtectionLogs_CL
        | where TimeGenerated > at - {back} and TimeGenerated <= at
        | where Activity_s == 'AccessDenied'
        | join kind=inner named on ContentId_g
        | extend FileName = extract(@'([^\\/]*)$', 1, ObjectId_s1)
        | summarize Attempts = count() by ContentId_g, FileName, LabelName_s, UserId_s, ProtectionOwner_s, TimeGenerated,
            ProtectionTime_t, IPv4_s, Activity_s, Operation_s
        | sort by TimeGenerated asc, FileName asc
        | project Time = format_datetime(TimeGenerated, 'yyyy-MM-dd'), UserId_s, FileName, Attempts"
    )
}

/// The rows of an answer as CSV has them.
fn answer(language: &str, archive: &str, query: &str, further: &[&str]) -> Vec<String> {
    let mut arguments = vec![language, "-a", archive, "-f", "csv", query];
    arguments.extend(further);
    let out = run(&arguments);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{query}: {told}");
    let text = String::from_utf8_lossy(&out.stdout);
    let rows = text.lines().skip(1).map(|l| l.trim_end().to_string());
    rows.collect()
}

fn kql(archive: &str, query: &str) -> Vec<String> {
    answer("kql", archive, query, &[])
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

/// A usage log of the Rights Management service: second of the minute, user, result, content and file of each request.
fn usage(rows: &[(u32, &str, &str, &str, &str)]) -> String {
    let mut log = "#Software: RMS\n#Version: 1.1\n#Fields: date\ttime\trow-id\trequest-type\tuser-id\tresult\tcorrelation-id\tcontent-id\t\
                   owner-email\tissuer\ttemplate-id\tfile-name\tdate-published\tc-info\tc-ip\tadmin-action\tacting-as-user\n"
        .to_string();
    for (n, (second, user, result, content, file)) in rows.iter().enumerate() {
        log += &format!(
            "2026-05-01\t09:00:{second:02}\t00000000-0000-4000-8000-0000000000{n:02}\tAcquireLicense\t'{user}'\t'{result}'\tc{second}\t\
             {{{content}}}\t'Alice@contoso.com'\t'alice@contoso.com'\t\t'{file}'\t2026-04-01T08:00:00\t\
             'MSIPC;version=2.2;AppName=WINWORD.EXE;OSName=Windows'\t192.0.2.9\tFalse\t''\n"
        );
    }
    log
}

/// A tracking log: second of the minute, user, content and whether it was opened.
fn tracking(rows: &[(u32, &str, &str, bool)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|(second, user, content, opened)| {
            format!(
                r#"{{"ContentId":"{content}","Issuer":"alice@contoso.com","RequestTime":"2026-05-01T09:00:{second:02}Z","RequesterType":"User","RequesterEmail":"{user}","RequesterDisplayName":"Eve","RequesterLocation":{{"IP":"203.0.113.9","Country":""}},"Rights":"","Successful":{opened},"IsHiddenInfo":false}}"#
            )
        })
        .collect();
    format!("[{}]", rows.join(","))
}

/// A row of the table itself.
fn own(second: u32, user: &str, activity: &str, content: &str, file: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-05-01T09:00:{second:02}Z","Type":"InformationProtectionLogs_CL","LogId_g":"own{second}","Activity_s":"{activity}","UserId_s":"{user}","ContentId_g":"{content}","ObjectId_s":"{file}","IPv4_s":"192.0.2.9"}}
"#
    )
}

const PLAN: &str = "0c0c0c0c-0000-4000-8000-00000000000a";
const TENDER: &str = "0c0c0c0c-0000-4000-8000-00000000000b";
const SECRET: &str = "0c0c0c0c-0000-4000-8000-00000000000c";

#[test]
fn the_query_of_the_access_denied_sample_finds_every_denial() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let archive = path.to_string_lossy();

    let month = kql(&archive, &published("2026-06-01", "30d"));
    assert_eq!(month.len(), 17, "{month:#?}");
    assert_eq!(
        month[..3],
        [
            "2026-05-08,peggy.passer@fabrikam.com,Patent Draft.docx,1",
            "2026-05-18,oscar.outsider@example.org,Joint Venture Draft.docx,1",
            "2026-05-18,oscar.outsider@example.org,Joint Venture Draft.docx,1",
        ]
    );

    let day = kql(&archive, &published("2026-05-20", "24h"));
    assert_eq!(day.len(), 14, "{day:#?}");
    for row in &day {
        assert!(
            row.starts_with("2026-05-19,trudy.tryer@fabrikam.com,Tender 0") && row.ends_with(",1"),
            "{row}"
        );
    }
    let range = ["--from", "2026-05-19", "--to", "2026-05-20"];
    let denials = "InformationProtectionLogs_CL | where Activity_s == 'AccessDenied' | count";
    assert_eq!(answer("kql", &archive, denials, &range), ["14"]);
    // The function over the table has them too.
    let denials = "InformationProtectionEvents | where Activity == 'AccessDenied' | summarize count(), dcount(Time), countif(isempty(ItemName))";
    assert_eq!(kql(&archive, denials), ["17,17,0"]);
}

#[test]
fn a_denial_that_several_logs_have_counts_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(
        folder.path(),
        &[
            // In all three; its id and user are spelled in other ways.
            (
                "own.json",
                own(
                    1,
                    "Eve@fabrikam.com",
                    "AccessDenied",
                    PLAN,
                    r"C:\\Work\\Plan.docx",
                ),
            ),
            (
                "usage.log",
                usage(&[
                    (1, "eve@fabrikam.com", "AccessDenied", PLAN, "Plan.docx"),
                    // Opened in the very second of a denial.
                    (1, "eve@fabrikam.com", "Success", PLAN, "Plan.docx"),
                    (2, "eve@fabrikam.com", "RightExpired", PLAN, "Plan.docx"),
                ]),
            ),
            (
                "tracking.json",
                tracking(&[
                    (1, "eve@fabrikam.com", &PLAN.to_uppercase(), false),
                    (2, "EVE@fabrikam.com", PLAN, false),
                    (3, "eve@fabrikam.com", PLAN, false),
                ]),
            ),
        ],
    );
    assert_eq!(
        kql(
            &archive,
            "InformationProtectionLogs_CL | summarize n = count() by Activity_s | sort by Activity_s asc"
        ),
        ["Access,1", "AccessDenied,3"]
    );
    // The row of the table itself counts, as it was exported.
    assert_eq!(
        kql(
            &archive,
            "InformationProtectionLogs_CL | where LogId_g == 'own1' | project UserId_s, ObjectId_s"
        ),
        [r"Eve@fabrikam.com,C:\Work\Plan.docx"]
    );
    assert_eq!(
        kql(
            &archive,
            "LabelEvents | summarize n = count() by Action | sort by Action asc"
        ),
        ["AccessDenied,3", "FileOpened,1"]
    );
    // One document has one name in the rows of the logs, so that no denial is found twice.
    assert_eq!(
        kql(&archive, &published("2026-05-02", "24h")),
        [
            "2026-05-01,Eve@fabrikam.com,Plan.docx,1",
            "2026-05-01,eve@fabrikam.com,Plan.docx,1",
            "2026-05-01,eve@fabrikam.com,Plan.docx,1",
        ]
    );
}

#[test]
fn a_denied_document_has_the_name_that_any_source_knows_else_its_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let label = format!(
        r#"{{"Id":"0a0a0a0a-0000-4000-8000-00000000000a","CreationTime":"2026-04-30T08:00:00","RecordType":83,"Operation":"SensitivityLabelUpdated","Workload":"PublicEndpoint","UserId":"alice@contoso.com","UserType":0,"ObjectId":"https://contoso.sharepoint.com/sites/a/Tender.docx","IrmContentId":"{{{TENDER}}}"}}"#
    );
    let archive = archive(
        folder.path(),
        &[
            ("audit.json", label),
            (
                "usage.log",
                usage(&[
                    (1, "eve@fabrikam.com", "AccessDenied", PLAN, ""),
                    (2, "alice@contoso.com", "Success", PLAN, "Plan.docx"),
                    (3, "eve@fabrikam.com", "AccessDenied", TENDER, ""),
                ]),
            ),
            (
                "tracking.json",
                tracking(&[(4, "eve@fabrikam.com", &SECRET.to_uppercase(), false)]),
            ),
        ],
    );
    assert_eq!(
        kql(&archive, &published("2026-05-02", "24h")),
        [
            "2026-05-01,eve@fabrikam.com,Plan.docx,1".to_string(),
            "2026-05-01,eve@fabrikam.com,Tender.docx,1".to_string(),
            format!("2026-05-01,eve@fabrikam.com,{SECRET},1"),
        ]
    );
    assert_eq!(
        kql(
            &archive,
            "InformationProtectionLogs_CL | where ObjectId_s == 'Plan.docx' | sort by TimeGenerated asc | take 1 \
             | project ContentId_g, ProtectionOwner_s, Published = format_datetime(ProtectionTime_t, 'yyyy-MM-dd HH:mm'), \
                 IPv4_s, ProcessName_s, Operation_s, Protected = iff(Protected_b, 'yes', 'no'), Type"
        ),
        [format!(
            "{PLAN},alice@contoso.com,2026-04-01 08:00,192.0.2.9,WINWORD.EXE,AcquireLicense,yes,InformationProtectionLogs_CL"
        )]
    );
}

#[test]
fn logs_that_a_collector_stored_have_denials_for_the_time_of_the_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = format!(
        r#"{{"TimeGenerated":"2026-05-09T00:00:00Z","Type":"RMSData_CL","content_id_g":"{PLAN}","date_s":"2026-05-01","time_s":"09:00:01","request_type_s":"AcquireLicense","user_id_s":"'eve@fabrikam.com'","result_s":"'AccessDenied'","owner_email_s":"'alice@contoso.com'","c_ip_s":"192.0.2.4"}}
{{"TimeGenerated":"2026-05-09T00:00:00Z","Type":"RMSDataDetails_CL","ContentId_g":"{PLAN}","RequestTime_t":"2026-05-01T09:00:01Z","RequesterEmail_s":"eve@fabrikam.com","Successful_b":false}}
{{"TimeGenerated":"2026-05-09T00:00:00Z","Type":"RMSDataDetails_CL","ContentId_g":"{PLAN}","RequestTime_t":"2026-05-01T09:00:02Z","RequesterEmail_s":"eve@fabrikam.com","Successful_b":false}}
"#
    );
    let archive = archive(folder.path(), &[("collected.json", rows)]);
    assert_eq!(kql(&archive, &published("2026-05-02", "24h")).len(), 2);
    let labels = "SELECT count(*) FROM LabelEvents WHERE Action = 'AccessDenied'";
    let range = ["--from", "2026-05-01", "--to", "2026-05-02"];
    assert_eq!(answer("sql", &archive, labels, &range), ["2"]);
}

#[test]
fn the_table_of_denials_is_among_those_with_rows_whatever_its_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = usage(&[(1, "eve@fabrikam.com", "AccessDenied", PLAN, "Plan.docx")]);
    let path = archive(folder.path(), &[("usage.log", log)]);
    let archive = Archive::open(Path::new(&path)).expect("the archive");
    let session = Session::open(Source::Archive(&archive), &Options::default()).expect("a session");
    let names = session.names();
    let place = |name: &str| names.iter().position(|n| n == name).expect("a name");
    for name in [
        "InformationProtectionLogs_CL",
        "InformationProtectionEvents",
    ] {
        // The first of the tables without rows.
        assert!(
            place(name) < place("AADManagedIdentitySignInLogs"),
            "{name}"
        );
    }
}
