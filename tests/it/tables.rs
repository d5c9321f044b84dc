//! Which table rows are of: ties, names of tables, custom tables, and what the user says.

use std::path::Path;

use crate::command_line::run;
use crate::{ask, shared};

/// Status, answer and messages of a run.
fn told(arguments: &[&str]) -> (Option<i32>, String) {
    let out = run(arguments);
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (out.status.code(), text)
}

/// A folder with an archive to be.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Case {
        Case {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_string_lossy().into_owned()
    }

    fn archive(&self) -> String {
        let path = self.folder.path().join("archive");
        path.to_string_lossy().into_owned()
    }

    fn ingest(&self, inputs: &[&str], options: &[&str]) -> (Option<i32>, String) {
        let archive = self.archive();
        let mut arguments = vec!["ingest"];
        arguments.extend(inputs);
        arguments.extend(["-a", archive.as_str()]);
        arguments.extend(options);
        told(&arguments)
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        ask(Path::new(&self.archive()), sql)
    }

    fn kql(&self, query: &str) -> (Option<i32>, String) {
        told(&["kql", "-a", &self.archive(), "-f", "csv", query])
    }
}

const CUSTOM: &str = r#"{"TimeGenerated":"2026-05-14T10:00:00Z","Type":"M365AuditGeneral_CL","Operation":"DLPRuleMatch","Workload":"Endpoint","RecordType":63,"UserId":"ada@contoso.com","Id":"a1","CreationTime":"2026-05-14T09:58:00Z","PolicyMatchInfo":{"PolicyName":"Cards"},"DeviceName":"ws-1","TargetFilePath":"E:\\plan.docx"}
{"TimeGenerated":"2026-05-15T10:00:00Z","Type":"M365AuditGeneral_CL","Operation":"DLPRuleUndo","Workload":"Endpoint","RecordType":63,"UserId":"bob@contoso.com","Id":"a2","CreationTime":"2026-05-15T09:58:00Z","PolicyMatchInfo":{"PolicyName":"Mail"},"DeviceName":"ws-2","TargetFilePath":"E:\\b.docx"}
"#;

#[test]
fn custom_tables_are_asked_by_their_own_name() {
    let case = Case::new();
    let file = case.file("general_cl.jsonl", CUSTOM);
    let (code, said) = case.ingest(&[&file], &["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("taken for  OtherRecords"), "{said}");
    assert!(said.contains("M365AuditGeneral_CL"), "{said}");
    let (code, said) = case.ingest(&[&file], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2  OtherRecords"), "{said}");
    let (code, said) = case.kql(
        "M365AuditGeneral_CL | where CreationTime > datetime(2026-05-15) and RecordType == 63 \
         | project Type, UserId, Policy = tostring(PolicyMatchInfo.PolicyName), TimeGenerated",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("M365AuditGeneral_CL,bob@contoso.com,Mail,2026-05-15T10:00:00"),
        "{said}"
    );
    let (code, said) = case.kql("M365AuditGeneral_CL | take 1 | project Type");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        case.ask("SELECT \"DeviceName\" FROM \"M365AuditGeneral_CL\" ORDER BY TimeGenerated"),
        ["ws-1", "ws-2"]
    );
    // A name that no row has is none.
    let (code, said) = case.kql("M365AuditGenerall_CL | take 1");
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn a_dry_run_tells_what_the_ingest_does_with_rows_of_several_tables() {
    let case = Case::new();
    let sign_in = r#"{"TimeGenerated":"2026-05-14T10:00:00Z","Type":"SigninLogs","Id":"s1","UserPrincipalName":"ada@contoso.com","ResultType":"0"}"#;
    let file = case.file("mixed.jsonl", &format!("{CUSTOM}{sign_in}\n"));
    let (code, said) = case.ingest(&[&file], &["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    let first = "of its first 3 records 2 of OtherRecords, 1 of SigninLogs";
    assert!(said.contains(first), "{said}");
    let (code, said) = case.ingest(&[&file], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(case.ask("SELECT count(*) FROM SigninLogs"), ["1"]);
    assert_eq!(case.ask("SELECT count(*) FROM OtherRecords"), ["2"]);
}

const SIGN_INS: &str = "TimeGenerated [UTC],CreatedDateTime [UTC],Id,UserPrincipalName,AppDisplayName,IPAddress,ResultType,ConditionalAccessStatus,AlternateSignInName
2026-06-18T08:00:00Z,2026-06-18T08:00:00Z,5e5e5e5e-0000-4000-8000-000000001201,ada@contoso.com,Exchange,192.0.2.44,50126,success,ada
";

#[test]
fn rows_that_fit_two_tables_are_said_and_the_files_name_decides_last() {
    let case = Case::new();
    let file = case.file("export.csv", SIGN_INS);
    for options in [&["--dry-run"][..], &[]] {
        let (code, said) = case.ingest(&[&file], options);
        assert_eq!(code, Some(0), "{said}");
        for tie in ["AADNonInteractiveUserSignInLogs", "taken for SigninLogs"] {
            assert!(said.contains(tie), "{said}");
        }
    }
    assert_eq!(case.ask("SELECT \"Type\" FROM SigninLogs"), ["SigninLogs"]);
    let case = Case::new();
    let file = case.file("AADNonInteractiveUserSignInLogs_2026-06.csv", SIGN_INS);
    let (code, said) = case.ingest(&[&file], &[]);
    assert_eq!(code, Some(0), "{said}");
    let name = "AADNonInteractiveUserSignInLogs by the file's name";
    assert!(said.contains(name), "{said}");
    assert_eq!(
        case.ask("SELECT \"Type\" FROM AADNonInteractiveUserSignInLogs"),
        ["AADNonInteractiveUserSignInLogs"]
    );
}

#[test]
fn every_row_says_its_table() {
    let case = Case::new();
    let signins = case.file("interactive.csv", SIGN_INS);
    let streamed = case.file(
        "cloudapp.jsonl",
        r#"{"time":"2026-06-18T09:01:00Z","tenantId":"t","operationName":"Publish","category":"AdvancedHunting-CloudAppEvents","properties":{"Timestamp":"2026-06-18T09:00:00Z","ActionType":"FileDownloaded","ReportId":"r1","IPAddress":"192.0.2.44","RawEventData":{"Operation":"FileDownloaded","Id":"a1"}}}"#,
    );
    let (code, said) = case.ingest(&[&signins, &streamed], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        case.ask("SELECT \"Type\" FROM stored.\"CloudAppEvents\""),
        ["CloudAppEvents"]
    );
    let (code, said) = case.kql(
        "union isfuzzy=true SigninLogs, AADNonInteractiveUserSignInLogs, CloudAppEvents \
         | summarize n = count() by Type | order by Type asc",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("CloudAppEvents,1"), "{said}");
    assert!(said.contains("SigninLogs,1"), "{said}");
}

#[test]
fn the_user_names_the_table_of_rows_with_a_header() {
    const TRACE: &str = "Received,SenderAddress,RecipientAddress,Subject,Status
2026-05-17T08:00:00Z,ada@contoso.com,bob@contoso.com,Plan,Delivered
";
    let case = Case::new();
    let file = case.file("trace.csv", TRACE);
    let (code, said) = case.ingest(&[&file], &["--as", "MessageTrace_CL"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("--as MessageTrace_CL"), "{said}");
    assert_eq!(
        case.ask("SELECT \"Type\", \"SenderAddress\" FROM \"MessageTrace_CL\""),
        ["MessageTrace_CL|ada@contoso.com"]
    );
    // A published table whose rows are kept beside others.
    let case = Case::new();
    let power = case.file(
        "activity.csv",
        "TimeGenerated,Activity,ActorName,Colour\n2026-05-17T08:00:00Z,ViewReport,ada@contoso.com,red\n",
    );
    let (code, said) = case.ingest(&[&power], &["--as", "PowerBIActivity"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) =
        case.kql("PowerBIActivity | project Type, Activity, ActorName, TimeGenerated");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("PowerBIActivity,ViewReport,ada@contoso.com,2026-05-17"),
        "{said}"
    );
    // Of two tables that fit the user's one is taken.
    let case = Case::new();
    let file = case.file("export.csv", SIGN_INS);
    let table = "AADNonInteractiveUserSignInLogs";
    let (code, said) = case.ingest(&[&file], &["--as", table]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(case.ask(&format!("SELECT count(*) FROM {table}")), ["1"]);
    // What it cannot be is said.
    let case = Case::new();
    let file = case.file("export.csv", SIGN_INS);
    let (code, said) = case.ingest(&[&file], &["--as", "EmailEvents"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("--as EmailEvents is not taken"), "{said}");
    let (code, said) = case.ingest(&[&file], &["--as", "no table"]);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn objects_are_named_by_the_user_too() {
    let case = Case::new();
    let file = case.file(
        "lines.jsonl",
        "{\"timestamp\":\"2026-05-17T08:00:00Z\",\"colour\":\"red\"}\n{\"timestamp\":\"2026-05-17T09:00:00Z\",\"colour\":\"blue\"}\n",
    );
    let (code, said) = case.ingest(&[&file], &["--as", "Colours_CL"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        case.ask("SELECT \"Type\", colour FROM \"Colours_CL\" ORDER BY colour"),
        ["Colours_CL|blue", "Colours_CL|red"]
    );
}

#[test]
fn every_published_table_that_rules_name_can_be_asked() {
    let case = Case::new();
    let file = case.file("general_cl.jsonl", CUSTOM);
    assert_eq!(case.ingest(&[&file], &[]).0, Some(0));
    for query in [
        "PowerBIActivity | where Activity == 'ExportReport' | project TimeGenerated, ActorName",
        "PowerPlatformAdminActivity | take 1",
        "DataverseActivity | take 1",
        "IntuneAuditLogs | where OperationName has 'wipe'",
        "NetworkAccessTraffic | summarize sum(SentBytes) by UserPrincipalName",
        "MessageUrlInfo | where Timestamp > ago(30d) | project Url",
        "MessagePostDeliveryEvents | take 1",
        "IdentityAccountInfo | take 1",
        "ExposureGraphNodes | where NodeLabel == 'user' | extend e = NodeProperties.rawData",
        "HuntingBookmark | take 1",
        "OktaSystemLogs | take 1",
        "PurviewScanStatusLogs | take 1",
    ] {
        let (code, said) = case.kql(query);
        assert_eq!(code, Some(0), "{query}: {said}");
    }
}

#[test]
fn public_cases_of_tables_are_right() {
    let Some(cases) = shared("cases") else {
        return;
    };
    let case = Case::new();
    let input = |name: &str| cases.join(name).to_string_lossy().into_owned();
    let (code, said) = case.ingest(&[&input("25-custom-table/general_cl.jsonl")], &[]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = case.kql("M365AuditGeneral_CL | take 1 | project UserId");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ada@contoso.com"), "{said}");
    let case = Case::new();
    let (code, said) = case.ingest(
        &[
            &input("69-type-column/signins-interactive.csv"),
            &input("69-type-column/cloudapp.jsonl"),
        ],
        &[],
    );
    assert_eq!(code, Some(0), "{said}");
    let query = input("69-type-column/q.kql");
    let (code, said) = told(&["kql", "-a", &case.archive(), "-f", "csv", "-F", &query]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("CloudAppEvents,1"), "{said}");
    assert!(said.contains("SigninLogs,1"), "{said}");
    assert!(!said.contains(",0"), "{said}");
}
