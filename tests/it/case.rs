//! The case: denials of all sources with what the archive knows of their documents, and label changes by manager.

use std::path::{Path, PathBuf};

use chrono::DateTime;
use coldtrail::archive::Archive;
use coldtrail::case::{Case, Denial, LOWERED, Owner, by_manager};
use coldtrail::engine::{Options, Session, Source};
use coldtrail::hunt::Window;

use crate::command_line::run;
use crate::{ingest, project};

const PLAN: &str = "0c0c0c0c-0000-4000-8000-00000000000a";
const TENDER: &str = "0c0c0c0c-0000-4000-8000-00000000000b";
const SECRET: &str = "0c0c0c0c-0000-4000-8000-00000000000c";
const FINANCE: &str = "b8aae0b3-b317-4145-b5e4-9f6091ed46d3";
const HIGHLY: &str = "7ef293e1-e854-42fa-b47d-597b6cad843f";

/// 2026-05-01T09:00:00Z
const NINE: i64 = 1_777_626_000_000_000;

fn shown(time: i64) -> String {
    let time = DateTime::from_timestamp_micros(time).expect("a time");
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// What somebody asks the case of an archive.
fn asked<T>(archive: &Path, ask: impl Fn(&Case<'_>) -> T) -> T {
    let archive = Archive::open(archive).expect("the archive");
    let session = Session::open(Source::Archive(&archive), &Options::default()).expect("a session");
    let ledger = archive.ledger().expect("the ledger");
    ask(&Case::of(&session, &ledger))
}

fn denials(archive: &Path, window: Window) -> Vec<Denial> {
    asked(archive, |case| case.denials(window).expect("denials"))
}

/// Seconds of nine o'clock, from and to.
fn seconds(from: i64, to: i64) -> Window {
    Window {
        from: Some(NINE + from * 1_000_000),
        to: Some(NINE + to * 1_000_000),
    }
}

/// What an owner could be told.
fn told(denial: &Denial) -> String {
    let refusal = &denial.refusal;
    let owner = match &refusal.owner {
        Owner::Person(address) => address.clone(),
        Owner::Service(account) => format!("service {account}"),
        Owner::Unknown(said) => format!("unknown {said:?}"),
    };
    let label = refusal.label.as_ref().map_or("-", |label| label.called());
    let since = refusal.protected_since.map_or("-".into(), shown);
    format!(
        "{} {} {} | {} | {label} | {owner} | {since}",
        &shown(refusal.time)[17..],
        refusal.user,
        refusal.result,
        refusal.document(),
    )
}

/// What the sample of 2020 asks every two minutes, for a month that ends in June: a denial names its document by an id only.
const SAMPLE: &str = r"let upto = datetime(2026-06-01);
let documents = InformationProtectionLogs_CL
    | where TimeGenerated between (upto - 90d .. upto) and isnotempty(ObjectId_s)
    | distinct ContentId_g, ObjectId_s;
InformationProtectionLogs_CL
| where TimeGenerated between (upto - 31d .. upto) and Activity_s == 'AccessDenied'
| project-away ObjectId_s
| join kind=inner documents on ContentId_g
| extend FileName = tostring(split(replace_string(ObjectId_s, '\\', '/'), '/')[-1])
| summarize AccessCount = count() by ContentId_g, FileName, LabelName_s, UserId_s, ProtectionOwner_s, TimeGenerated,
    ProtectionTime_t, IPv4_s, Activity_s, Operation_s
| project Line = strcat_delim(' ', format_datetime(TimeGenerated, 'yyyy-MM-dd HH:mm:ss'), UserId_s, FileName, ProtectionOwner_s,
    format_datetime(ProtectionTime_t, 'yyyy-MM-dd HH:mm:ss'), IPv4_s, ContentId_g, AccessCount)
| sort by Line asc";

#[test]
fn the_denials_of_the_story_are_those_that_the_query_of_the_sample_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let out = run(&["kql", "-a", &path.to_string_lossy(), "-f", "csv", SAMPLE]);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{told}");
    let answer = String::from_utf8_lossy(&out.stdout);
    let found: Vec<&str> = answer.lines().skip(1).map(str::trim_end).collect();

    let denials = denials(&path, Window::default());
    let of_case = denials.iter().map(|denial| {
        let refusal = &denial.refusal;
        format!(
            "{} {} {} {} {} {} {} 1",
            shown(refusal.time),
            refusal.user,
            refusal.document(),
            refusal.owner.person().unwrap_or("-"),
            refusal.protected_since.map_or("-".into(), shown),
            denial.trace.address.as_deref().unwrap_or("-"),
            refusal.content.as_deref().unwrap_or("-"),
        )
    });
    let of_case: Vec<String> = of_case.collect();
    assert_eq!(of_case, found);
    assert_eq!(of_case.len(), 17);
    for denial in &denials {
        let lineage = &denial.lineage;
        assert!(
            lineage.record > 0 && !lineage.file.is_empty(),
            "{lineage:?}"
        );
    }
    // Of one day.
    let day = Window {
        from: Some(1_779_148_800_000_000),
        to: Some(1_779_235_200_000_000),
    };
    assert_eq!(self::denials(&path, day).len(), 14);
}

/// A usage log of the Rights Management service: second, result, content, file and owner of each request.
fn usage(rows: &[(u32, &str, &str, &str)]) -> String {
    let mut log = "#Software: RMS\n#Version: 1.1\n#Fields: date\ttime\trow-id\trequest-type\tuser-id\tresult\tcorrelation-id\tcontent-id\t\
                   owner-email\tissuer\ttemplate-id\tfile-name\tdate-published\tc-info\tc-ip\tadmin-action\tacting-as-user\n"
        .to_string();
    for (n, (second, result, content, file)) in rows.iter().enumerate() {
        log += &format!(
            "2026-05-01\t09:00:{second:02}\t00000000-0000-4000-8000-0000000000{n:02}\tAcquireLicense\t'eve@fabrikam.com'\t'{result}'\t\
             c{second}\t{{{content}}}\t'Alice@contoso.com'\t'alice@contoso.com'\t\t'{file}'\t2026-04-01T08:00:00\t\
             'MSIPC;version=2.2;AppName=WINWORD.EXE;OSName=Windows'\t192.0.2.9\tFalse\t''\n"
        );
    }
    log
}

/// A tracking log: second and content of each request that was denied.
fn tracking(rows: &[(u32, &str)]) -> String {
    let rows = rows.iter().map(|(second, content)| {
        format!(
            r#"{{"ContentId":"{}","Issuer":"alice@contoso.com","RequestTime":"2026-05-01T09:00:{second:02}Z","RequesterType":"User","RequesterEmail":"eve@fabrikam.com","RequesterDisplayName":"Eve Example","RequesterLocation":{{"IP":"203.0.113.9","Country":"Atlantis","City":"Port"}},"Rights":"","Successful":false,"IsHiddenInfo":false}}"#,
            content.to_uppercase()
        )
    });
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}

/// An audit record about a label: its number, time, user, type and operation, the document, and what else it says.
fn record(
    number: u32,
    time: &str,
    who: (&str, u32, &str),
    document: (&str, &str),
    more: &str,
) -> String {
    let ((user, record_type, operation), (content, path)) = (who, document);
    format!(
        r#"{{"Id":"0a0a0a0a-0000-4000-8000-0000000000{number:02}","CreationTime":"{time}","RecordType":{record_type},"Operation":"{operation}","Workload":"PublicEndpoint","UserId":"{user}","UserType":0,"ObjectId":"{path}","IrmContentId":"{{{content}}}"{more}}}"#
    )
}

/// A change of a label.
fn labelled(
    number: u32,
    time: &str,
    user: &str,
    document: (&str, &str),
    labels: (&str, &str),
) -> String {
    let (old, new) = labels;
    let (operation, kind) = match old {
        "" => ("SensitivityLabelApplied", 0),
        FINANCE => ("SensitivityLabelUpdated", 1),
        _ => ("SensitivityLabelUpdated", 2),
    };
    let more = format!(
        r#","SensitivityLabelEventData":{{"OldSensitivityLabelId":"{old}","SensitivityLabelId":"{new}","LabelEventType":{kind}}},"ClientIP":"192.0.2.10""#
    );
    record(number, time, (user, 83, operation), document, &more)
}

const LABELS: &str = "Id,Name,Rank\nb8aae0b3-b317-4145-b5e4-9f6091ed46d3,Finance,4\n7ef293e1-e854-42fa-b47d-597b6cad843f,Highly,5\n";

/// An archive of every source of denials: one person asks for three documents.
fn requested(folder: &Path) -> PathBuf {
    let tender = (TENDER, "https://contoso.sharepoint.com/sites/a/Tender.docx");
    let plan = (PLAN, "C:/Work/Plan.docx");
    let failed = r#","ResultStatus":"Failed","ClientIP":"203.0.113.9""#;
    let audit = [
        labelled(
            1,
            "2026-04-30T08:00:00",
            "alice@contoso.com",
            tender,
            ("", FINANCE),
        ),
        labelled(
            2,
            "2026-05-01T10:00:00",
            "alice@contoso.com",
            tender,
            (FINANCE, HIGHLY),
        ),
        // The log of the service has this request.
        record(
            3,
            "2026-05-01T09:00:03",
            ("Eve@fabrikam.com", 94, "Access"),
            tender,
            failed,
        ),
        record(
            4,
            "2026-05-01T09:00:30",
            ("Eve@fabrikam.com", 84, "SensitivityLabeledFileOpened"),
            plan,
            failed,
        ),
    ];
    let app = record(
        5,
        "2026-05-01T09:00:40",
        ("eve@fabrikam.com", 94, "Access"),
        plan,
        failed,
    );
    let app = format!(
        r#"{{"Timestamp":"2026-05-01T09:00:40Z","ActionType":"Access","Application":"Microsoft Azure","ReportId":"1_20892_0a0a0a0a-0000-4000-8000-000000000005","CountryCode":"AQ","City":"Base","IPAddress":"203.0.113.9","ActivityObjects":[],"RawEventData":{app}}}"#
    );
    let own = format!(
        r#"{{"TimeGenerated":"2026-05-01T09:00:20Z","Type":"InformationProtectionLogs_CL","LogId_g":"own1","Activity_s":"Access Denied","UserId_s":"Eve@fabrikam.com","ContentId_g":"{PLAN}","ObjectId_s":"","IPv4_s":"192.0.2.9","MachineName_s":"WS-EVE","ProtectionOwner_s":"scanner@contoso.com"}}"#
    );
    let collected = format!(
        r#"{{"TimeGenerated":"2026-05-09T00:00:00Z","Type":"RMSData_CL","content_id_g":"{PLAN}","date_s":"2026-05-01","time_s":"09:00:11","request_type_s":"AcquireLicense","user_id_s":"'eve@fabrikam.com'","result_s":"'AccessDenied'","c_ip_s":"192.0.2.4"}}
{{"TimeGenerated":"2026-05-09T00:00:00Z","Type":"RMSDataDetails_CL","ContentId_g":"{PLAN}","RequestTime_t":"2026-05-01T09:00:12Z","RequesterEmail_s":"eve@fabrikam.com","Successful_b":false}}"#
    );
    let requests = [
        (1, "AccessDenied", PLAN, "Plan.docx"),
        (2, "RightExpired", PLAN, ""),
        (3, "AccessDenied", TENDER, ""),
    ];
    let watchlists = folder.join("watchlists");
    std::fs::create_dir(&watchlists).expect("a folder");
    let mut inputs = vec![watchlists.clone()];
    std::fs::write(watchlists.join("Labels.csv"), LABELS).expect("a file");
    let services = "Account,Comment\nScanner@contoso.com,labels files\n";
    std::fs::write(watchlists.join("ServiceAccounts.csv"), services).expect("a file");
    for (name, text) in [
        ("audit.json", audit.join("\n")),
        ("app.json", app),
        ("own.json", own),
        ("collected.json", collected),
        ("usage.log", usage(&requests)),
        ("tracking.json", tracking(&[(1, PLAN), (5, SECRET)])),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, text + "\n").expect("a file");
        inputs.push(file);
    }
    let path = folder.join("archive");
    ingest(&path, &inputs);
    path
}

#[test]
fn a_denial_has_what_any_record_of_its_content_says_and_counts_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = requested(folder.path());
    let all = denials(&path, Window::default());
    let lines: Vec<String> = all.iter().map(told).collect();
    let since = "2026-04-01 08:00:00";
    let alice = "alice@contoso.com";
    assert_eq!(
        lines,
        [
            format!("01 eve@fabrikam.com AccessDenied | Plan.docx | - | {alice} | {since}"),
            format!("02 eve@fabrikam.com RightExpired | Plan.docx | - | {alice} | {since}"),
            format!("03 eve@fabrikam.com AccessDenied | Tender.docx | Finance | {alice} | {since}"),
            format!("05 eve@fabrikam.com AccessDenied | {SECRET} | - | {alice} | -"),
            format!("11 eve@fabrikam.com AccessDenied | Plan.docx | - | {alice} | {since}"),
            format!("12 eve@fabrikam.com AccessDenied | Plan.docx | - | {alice} | {since}"),
            format!(
                "20 eve@fabrikam.com AccessDenied | Plan.docx | - | service scanner@contoso.com | {since}"
            ),
            format!(
                "30 eve@fabrikam.com Failed | Plan.docx | - | service scanner@contoso.com | {since}"
            ),
            format!(
                "40 eve@fabrikam.com Failed | Plan.docx | - | service scanner@contoso.com | {since}"
            ),
        ]
    );
    let first = &all[0];
    assert_eq!(first.refusal.user_name.as_deref(), Some("Eve Example"));
    let trace = &first.trace;
    let said = [
        &trace.address,
        &trace.country,
        &trace.city,
        &trace.platform,
        &trace.application,
        &trace.session,
    ];
    assert_eq!(
        said.map(|text| text.as_deref().unwrap_or("-")),
        [
            "192.0.2.9",
            "Atlantis",
            "Port",
            "Windows",
            "WINWORD.EXE",
            "c1"
        ]
    );
    assert_eq!(first.lineage.table, "AipServiceUserLog");
    assert_eq!(all[6].trace.device.as_deref(), Some("WS-EVE"));
    let last = &all[8];
    assert_eq!(last.lineage.table, "CloudAppEvents");
    assert_eq!(last.trace.country.as_deref(), Some("AQ"));
    assert!(
        last.lineage.file.ends_with("app.json"),
        "{}",
        last.lineage.file
    );

    // What a window leaves out is known all the same.
    let three = denials(&path, seconds(3, 5));
    assert_eq!(three, all[2..3]);
    assert_eq!(denials(&path, seconds(5, 6)), all[3..4]);
    assert_eq!(denials(&path, seconds(11, 13)), all[4..6]);
    assert!(denials(&path, seconds(50, 60)).is_empty());
}

/// An archive of denials as audit records word them, one of which a log of the service has, too.
fn audited(folder: &Path) -> PathBuf {
    let (eve, guest) = (
        "eve@fabrikam.com",
        "Eve_fabrikam.com#EXT#@contoso.onmicrosoft.com",
    );
    let plan = (PLAN, "C:/Work/Plan.docx");
    let tender = (TENDER, "C:/Work/Tender.docx");
    let said = |result: &str| {
        format!(
            r#","ResultStatus":"{result}","ProtectionEventData":{{"ProtectionOwner":"Alice@contoso.com","IsProtected":true}}"#
        )
    };
    let at = |second: u32| format!("2026-05-01T09:00:{second:02}");
    let opened = "SensitivityLabeledFileOpened";
    let audit = [
        record(1, &at(1), (eve, 95, "AccessDenied"), plan, &said("Success")),
        record(2, &at(2), (eve, 93, "Access"), plan, &said("AccessDenied")),
        record(3, &at(3), (eve, 84, opened), plan, &said("Unauthorized")),
        // The log of the service has this one, two seconds earlier.
        record(4, &at(6), (guest, 94, "Access"), tender, &said("Failed")),
        record(5, &at(6), (eve, 93, "Access"), plan, &said("Succeeded")),
        // Only the audit log has this one, and names the guest by the account in the tenant.
        record(8, &at(8), (guest, 94, "Access"), plan, &said("Failed")),
        // A mail has no path.
        record(
            6,
            "2026-04-30T08:00:00",
            ("alice@contoso.com", 83, "SensitivityLabelApplied"),
            (SECRET, ""),
            r#","EmailInfo":{"Subject":"Board minutes"}"#,
        ),
        // Somebody could not prove at the portal for encrypted mails who he is.
        record(
            7,
            &at(7),
            (eve, 154, "MessageAccess"),
            plan,
            &said("Failure"),
        ),
    ];
    let requests = [
        (4, "AccessDenied", TENDER, ""),
        (5, "AccessDenied", SECRET, ""),
    ];
    // Of one account nobody says which; the other is Microsoft's service.
    let own = [(9, ""), (10, "MicrosoftRMSOnline@0c0c.rms.eu.aadrm.com")].map(|(second, user)| {
        format!(
            r#"{{"TimeGenerated":"{}Z","Type":"InformationProtectionLogs_CL","LogId_g":"own{second}","Activity_s":"AccessDenied","UserId_s":"{user}","ContentId_g":"{PLAN}","ObjectId_s":"","ProtectionOwner_s":"alice@contoso.com"}}"#,
            at(second)
        )
    });
    let files = [
        ("audit.json", audit.join("\n")),
        ("usage.log", usage(&requests)),
        ("own.json", own.join("\n")),
    ];
    let mut inputs = Vec::new();
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::write(&file, text + "\n").expect("a file");
        inputs.push(file);
    }
    let path = folder.join("archive");
    ingest(&path, &inputs);
    path
}

#[test]
fn a_denial_of_the_audit_log_is_one_however_its_record_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = audited(folder.path());
    let all = denials(&path, Window::default());
    let lines: Vec<String> = all.iter().map(told).collect();
    let eve = "eve@fabrikam.com";
    let alice = "alice@contoso.com";
    let since = "2026-04-01 08:00:00";
    assert_eq!(
        lines,
        [
            format!("01 {eve} AccessDenied | Plan.docx | - | {alice} | -"),
            format!("02 {eve} AccessDenied | Plan.docx | - | {alice} | -"),
            format!("03 {eve} Unauthorized | Plan.docx | - | {alice} | -"),
            format!("04 {eve} AccessDenied | Tender.docx | - | {alice} | {since}"),
            format!("05 {eve} AccessDenied | Board minutes | - | {alice} | {since}"),
            format!("08 {eve} Failed | Plan.docx | - | {alice} | -"),
            format!("09  AccessDenied | Plan.docx | - | {alice} | -"),
        ]
    );
    assert_eq!(all[6].refusal.account(), "(unnamed account)");
    let kql = |query: &str| {
        let out = run(&["kql", "-a", &path.to_string_lossy(), "-f", "csv", query]);
        let answer = String::from_utf8_lossy(&out.stdout);
        let rows = answer.lines().skip(1).map(|row| row.trim_end().to_string());
        rows.collect::<Vec<_>>()
    };
    assert_eq!(
        kql("LabelEvents | summarize n = count() by Action | sort by Action asc"),
        [
            "AccessDenied,5",
            "AttemptFailed,4",
            "FileOpened,1",
            "LabelApplied,1"
        ]
    );
    assert_eq!(
        kql(
            "InformationProtectionLogs_CL | where isnotempty(ObjectId_s) | sort by TimeGenerated asc | project ObjectId_s"
        ),
        ["C:/Work/Tender.docx", "Board minutes"]
    );
}

#[test]
fn a_label_change_goes_to_the_manager_of_who_made_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let watchlists = folder.path().join("watchlists");
    std::fs::create_dir(&watchlists).expect("a folder");
    std::fs::write(watchlists.join("Labels.csv"), LABELS).expect("a file");
    let managers = "User Principal Name,Department,Manager\nAlice@contoso.com,Sales,Mona@contoso.com\nbob@contoso.com,Sales,mona@contoso.com\n";
    std::fs::write(watchlists.join("Managers.csv"), managers).expect("a file");
    let document = (TENDER, "https://contoso.sharepoint.com/sites/a/Tender.docx");
    let changes = [
        labelled(
            1,
            "2026-05-01T08:00:00",
            "alice@contoso.com",
            document,
            ("", FINANCE),
        ),
        labelled(
            2,
            "2026-05-01T09:00:00",
            "Alice@contoso.com",
            document,
            (HIGHLY, FINANCE),
        ),
        labelled(
            3,
            "2026-05-01T09:00:01",
            "bob@contoso.com",
            document,
            (HIGHLY, FINANCE),
        ),
        labelled(
            4,
            "2026-05-01T09:00:02",
            "carol@contoso.com",
            document,
            (HIGHLY, FINANCE),
        ),
    ];
    let file = folder.path().join("audit.json");
    std::fs::write(&file, changes.join("\n") + "\n").expect("a file");
    let path = folder.path().join("archive");
    ingest(&path, &[watchlists, file]);

    let lowered = asked(&path, |case| {
        let found = case.label_changes(Window::default(), &LOWERED);
        found.expect("label changes")
    });
    let by_manager = by_manager(&lowered);
    let lines = by_manager.iter().flat_map(|(manager, changes)| {
        changes.iter().map(move |one| {
            let change = &one.change;
            let called = |label: &Option<coldtrail::case::Label>| {
                label
                    .as_ref()
                    .map_or("-", |label| label.called())
                    .to_string()
            };
            format!(
                "{} {} {} {} {} > {}",
                manager.unwrap_or("-"),
                change.user,
                change.action,
                change.file.as_deref().unwrap_or("-"),
                called(&change.old),
                called(&change.new),
            )
        })
    });
    let lines: Vec<String> = lines.collect();
    assert_eq!(
        lines,
        [
            "- carol@contoso.com LabelDowngraded Tender.docx Highly > Finance",
            "mona@contoso.com alice@contoso.com LabelDowngraded Tender.docx Highly > Finance",
            "mona@contoso.com bob@contoso.com LabelDowngraded Tender.docx Highly > Finance",
        ]
    );
    assert_eq!(lowered[0].trace.address.as_deref(), Some("192.0.2.10"));
}
