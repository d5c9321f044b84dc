//! `cost`: what records weigh, counted by hand, what they cost at a price list, and which operations no rule looks at.

use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::{project, shared};

const AUDIT: &str = r#"{"Id":"11111111-2222-3333-4444-555555555555","CreationTime":"2026-05-06T08:00:00","Operation":"MailItemsAccessed","RecordType":50,"Workload":"Exchange","UserId":"bob@contoso.com"}"#;
const APPS: &str = r#"{"TenantId":"11111111-2222-3333-4444-555555555555","TimeGenerated":"2026-05-05T08:00:00Z","Timestamp":"2026-05-05T08:00:00Z","ActionType":"FileDeleted","ReportId":"r1","RawEventData":{"Operation":"FileDeleted"},"IsExternalUser":false,"ApplicationId":20892,"Type":"CloudAppEvents","_BilledSize":200}"#;
const OFFICE: &str = r#"{"TenantId":"11111111-2222-3333-4444-555555555555","TimeGenerated":"2026-05-04T09:00:00Z","Operation":"FileAccessed","OfficeWorkload":"SharePoint","UserId":"bob@contoso.com","OfficeId":"o1","Type":"OfficeActivity","_ResourceId":"/x","_IsBillable":"False"}"#;
const SIGN_IN: &str = r#"{"TenantId":"11111111-2222-3333-4444-555555555555","TimeGenerated":"2026-05-04T08:00:00Z","OperationName":"Sign-in activity","ResultType":"0","DurationMs":120,"IsInteractive":true,"CreatedDateTime":"2026-05-04T08:00:00Z","UserPrincipalName":"bob@contoso.com","DeviceDetail":{"deviceId":"d"},"Id":"s1","Unknown":"äb","Type":"SigninLogs","_IsBillable":"True"}"#;
const OWN: &str =
    r#"{"TimeGenerated":"2026-05-07T08:00:00Z","Type":"Foo_CL","OperationName":"Sync","n_d":1.5}"#;

/// The id of the workspace, and a time: both are in every record.
const EVERY: usize = 36 + 28;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An archive of these records, a file each.
fn archive(folder: &Path, records: &[&str]) -> String {
    let exports = folder.join("exports");
    std::fs::create_dir(&exports).expect("a folder");
    for (number, record) in records.iter().enumerate() {
        let file = exports.join(format!("{number}.jsonl"));
        std::fs::write(file, record).expect("a file");
    }
    let archive = folder.join("archive").to_string_lossy().into_owned();
    let out = run(&["ingest", &exports.to_string_lossy(), "-a", &archive]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    archive
}

fn file(folder: &Path, name: &str, content: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, content).expect("a file");
    file.to_string_lossy().into_owned()
}

/// Two rules: one in SQL over OfficeActivity, one in KQL over CloudAppEvents.
fn rules(folder: &Path) -> [String; 2] {
    [
        file(
            folder,
            "reads.sql",
            "/*\nid: office-reads\nname: Reads of files\nseverity: Low\n*/\nSELECT * FROM OfficeActivity WHERE Operation = 'FileAccessed'\n",
        ),
        file(
            folder,
            "deletions.kql",
            "// id: deletions\n// name: Deletions\n// severity: Low\nlet names = dynamic([\"filedeleted\"]);\nCloudAppEvents\n| where ActionType in~ (names) and isnotempty(ReportId)\n",
        ),
    ]
}

fn cost(archive: &str, more: &[&str]) -> String {
    let mut arguments = vec!["cost", "-a", archive];
    arguments.extend(more);
    let out = run(&arguments);
    let answer = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{answer}{}", text(&out.stderr));
    answer
}

fn answered(archive: &str, more: &[&str]) -> Value {
    let mut all = more.to_vec();
    all.extend(["-f", "json"]);
    serde_json::from_str(&cost(archive, &all)).expect("JSON")
}

#[test]
fn records_weigh_what_is_counted_by_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path(), &[AUDIT, APPS, OFFICE, SIGN_IN, OWN]);
    let [reads, deletions] = rules(folder.path());
    let lines = cost(&archive, &["-r", &reads, "-r", &deletions, "-f", "csv"]);
    let line = |start: &str, bytes: usize, beside: usize, rest: &str| {
        format!("{start},1,{bytes},{},{rest}", bytes + beside)
    };
    // The time stands there under two names.
    let raw = r#"{"Operation":"FileDeleted"}"#.len();
    let apps = EVERY + 28 + "FileDeleted".len() + "r1".len() + raw + "false".len() + 5;
    let office = EVERY + "FileAccessed".len() + "SharePoint".len() + "bob@contoso.com".len() + 2;
    let sign_in = EVERY
        + "Sign-in activity".len()
        + "0".len()
        + "120".len()
        + "true".len()
        + 28
        + "bob@contoso.com".len()
        + r#"{"deviceId":"d"}"#.len()
        + "s1".len()
        + "äb".len();
    assert_eq!((apps, office, sign_in), (142, 103, 152));
    let expected = [
        "table,operation,day,records,bytes,auxiliary_bytes,billed_records,billed_bytes,free_records,rules".to_string(),
        line("CloudAppEvents,FileDeleted,2026-05-05", apps, 14, "1,200,0,1"),
        line("Foo_CL,Sync,2026-05-07", EVERY + "Sync".len() + "1.5".len(), 6, "0,0,0,0"),
        line("OfficeActivity,FileAccessed,2026-05-04", office, 14 + "/x".len(), "0,0,1,1"),
        line("SigninLogs,Sign-in activity,2026-05-04", sign_in, 10, "0,0,0,0"),
        line("UnifiedAuditLog,MailItemsAccessed,2026-05-06", EVERY + AUDIT.len(), 15, "0,0,0,0"),
    ];
    assert_eq!(lines.lines().collect::<Vec<&str>>(), expected);
    let shown = cost(&archive, &["-r", &reads, "-r", &deletions, "--days"]);
    for part in [
        "5 records weigh",
        "in 4 days, 2026-05-04 to 2026-05-07",
        "_BilledSize stands in 1 record: estimates are off by 29.0 % of it on average, all together by -29.0 %",
        "no rule of 2 looks at 3 of 5 operations",
        "no tables of Sentinel, weighed as custom ones: UnifiedAuditLog\n",
        "2026-05-06",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let day = ["--from", "2026-05-05", "--to", "2026-05-06", "-f", "csv"];
    let lines = cost(&archive, &day);
    assert_eq!(lines.lines().count(), 2, "{lines}");
}

#[test]
fn an_audit_record_weighs_the_same_whatever_search_gave_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let export = format!(
        "RecordType,CreationDate,UserIds,Operations,AuditData,ResultIndex,ResultCount,Identity,IsValid,ObjectState\n\
         ExchangeItemAggregated,2026-05-06T08:00:00Z,bob@contoso.com,MailItemsAccessed,\"{}\",1,1,11111111-2222-3333-4444-555555555555,True,Unchanged\n",
        AUDIT.replace('"', "\"\"")
    );
    let export = file(folder.path(), "ual.csv", &export);
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    let out = run(&["ingest", &export, "-a", &archive]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let answer = answered(&archive, &[]);
    assert_eq!(answer["bytes"], json!(EVERY + AUDIT.len()));
    assert_eq!(answer["auxiliary_bytes"], json!(EVERY + AUDIT.len() + 15));
}

#[test]
fn rules_over_a_table_without_operations_are_counted_for_it_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let alert = r#"{"TenantId":"11111111-2222-3333-4444-555555555555","TimeGenerated":"2026-05-04T08:00:00Z","DisplayName":"Odd","SystemAlertId":"a1","Type":"SecurityAlert"}"#;
    let nameless = SIGN_IN.replace(r#""OperationName":"Sign-in activity","#, "");
    let archive = archive(folder.path(), &[alert, &nameless, OWN]);
    let pack = folder.path().join("pack");
    std::fs::create_dir(&pack).expect("a folder");
    for (id, query) in [
        ("alerts", "SELECT * FROM SecurityAlert"),
        ("logons", "SELECT * FROM SigninLogs"),
        (
            "syncs",
            "WITH own AS (SELECT * FROM \"Foo_CL\") SELECT * FROM own WHERE \"n_d\" > 1",
        ),
    ] {
        let text = format!("/*\nid: {id}\nname: {id}\nseverity: Low\n*/\n{query}\n");
        file(&pack, &format!("{id}.sql"), &text);
    }
    let answer = answered(&archive, &["-r", &pack.to_string_lossy()]);
    let of = |table: &str| {
        let mut all = answer["operations"].as_array().expect("a list").iter();
        let found = all.find(|operation| operation["table"] == table);
        found.expect("it is weighed")["rules"].clone()
    };
    assert_eq!(of("SecurityAlert"), json!(["alerts"]));
    assert_eq!(of("SigninLogs"), json!(["logons"]));
    // A table of one's own is read, too.
    assert_eq!(of("Foo_CL"), json!(["syncs"]));
}

#[test]
fn requests_are_named_as_label_events_name_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    let sample = project("sample-data/formats/rms-tracking.json");
    let out = run(&["ingest", &sample.to_string_lossy(), "-a", &archive]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let opened = file(
        folder.path(),
        "opened.sql",
        "/*\nid: opened\nname: Opened\nseverity: Low\n*/\nSELECT * FROM \"LabelEvents\" WHERE \"Operation\" = 'Track'\n",
    );
    let answer = answered(&archive, &["-r", &opened]);
    // 344 and 345 by hand: the id of the workspace, a time, and the ten columns of the export.
    assert_eq!(answer["tables"][0]["bytes"], 689);
    let operation = &answer["operations"][0];
    assert_eq!(operation["operation"], "Track");
    assert_eq!(operation["rules"], json!(["opened"]));
}

#[test]
fn what_is_no_size_of_a_record_is_estimated() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = |number: usize, size: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-05-07T08:00:00Z","Type":"Foo_CL","OperationName":"Sync","n_d":{number},"_BilledSize":{size}}}"#
        )
    };
    let sizes = ["1e300", "\"NaN\"", "-5", "0", "\"none\"", "null", "80"];
    let records = sizes.iter().enumerate();
    let records: Vec<String> = records.map(|(n, size)| record(n, size)).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let archive = archive(folder.path(), &records);
    let answer = answered(&archive, &[]);
    let estimated = EVERY + "Sync".len() + 1;
    assert_eq!(answer["bytes"], json!(6 * estimated + 80));
    assert_eq!(answer["billed"]["records"], json!(1));
    let shown = cost(&archive, &[]);
    assert!(!shown.contains("NaN"), "{shown}");
}

#[test]
fn rows_of_application_insights_weigh_what_was_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = r#"{"time":"2026-05-06T08:00:00.1234567Z","resourceId":"/SUBSCRIPTIONS/11111111-2222-3333-4444-555555555555/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.INSIGHTS/COMPONENTS/SHOP","ResourceGUID":"11111111-2222-3333-4444-666666666666","Type":"AppEvents","AppRoleName":"shop","ClientCity":"Musterstadt","ClientCountryOrRegion":"Germany","ClientIP":"192.0.2.7","ClientType":"PC","IKey":"11111111-2222-3333-4444-555555555555","_BilledSize":422,"OperationName":"POST cart/add","SDKVersion":"dotnet:2.21.0-429","Properties":{"items":"3","currency":"EUR"},"Name":"CartFilled","ItemCount":1}"#;
    let archive = archive(folder.path(), &[row]);
    let billed = &answered(&archive, &[])["billed"];
    assert_eq!(billed["estimated_bytes"], json!(425), "{billed}");
}

#[test]
fn a_price_list_gives_a_bill_per_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path(), &[AUDIT, APPS, OFFICE, SIGN_IN, OWN]);
    let [reads, deletions] = rules(folder.path());
    // A byte costs one.
    let prices = file(
        folder.path(),
        "prices.yaml",
        "currency: EUR\nanalytics: {per_gb: 1000000000}\nauxiliary: {per_gb: 1000000000, keep: {days: 60, free_days: 30, per_gb_month: 1000000000}}\ntables: {CloudAppEvents: auxiliary}\n",
    );
    let options: [&str; 6] = ["-r", &reads, "-r", &deletions, "--prices", &prices];
    let answer = answered(&archive, &options);
    let audit = (EVERY + AUDIT.len()) as f64;
    let plans = &answer["plans"];
    assert_eq!(plans[0]["plan"], "analytics");
    // What the export says counts before the estimate, and office activity is free.
    assert_eq!(plans[0]["ingestion"], json!(200.0 + 71.0 + 152.0 + audit));
    let auxiliary = 214.0 + 77.0 + 119.0 + 162.0 + audit + 15.0;
    assert_eq!(plans[1]["plan"], "auxiliary");
    assert_eq!(plans[1]["ingestion"], json!(auxiliary));
    assert_eq!(plans[1]["keeping"], json!(auxiliary));
    assert_eq!(plans[1]["total"], json!(2.0 * auxiliary));
    let planned = &answer["as_planned"];
    assert_eq!(planned[0]["total"], json!(71.0 + 152.0 + audit));
    assert_eq!(planned[1]["total"], json!(2.0 * 214.0));
    assert_eq!(
        answer["rules"]["do_not_run"],
        json!([{"rule": "deletions", "table": "CloudAppEvents", "plan": "auxiliary"}])
    );
    let misspelled = file(
        folder.path(),
        "misspelled.yaml",
        "analytics: {per_gb: 1000}\ntables: {CloudAppevents: auxiliary}\n",
    );
    let out = run(&["cost", "-a", &archive, "--prices", &misspelled]);
    let said = text(&out.stderr);
    assert!(said.contains("`CloudAppevents` on a plan"), "{said}");
    // Bytes at this price cost less than a coin and more than nothing.
    assert!(text(&out.stdout).contains("<0.01"));
    let shown = cost(&archive, &options);
    for part in [
        "total (EUR)",
        "analytics, as you go",
        "rule `deletions` reads `CloudAppEvents`, which is on the auxiliary plan: no analytics rule runs there",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
}

#[test]
fn the_example_is_a_price_list_and_what_is_none_is_refused() {
    let out = run(&["cost", "--example-prices"]);
    assert_eq!(out.status.code(), Some(0));
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path(), &[APPS]);
    let example = file(folder.path(), "prices.yaml", &text(&out.stdout));
    let shown = cost(&archive, &["--prices", &example]);
    let none = "the price list has no price for a GB of any plan";
    assert!(shown.contains(none), "{shown}");
    let wrong = file(folder.path(), "wrong.yaml", "basic: {per_bg: 1}\n");
    let out = run(&["cost", "-a", &archive, "--prices", &wrong]);
    let said = text(&out.stderr);
    assert_ne!(out.status.code(), Some(0), "{said}");
    assert!(
        said.contains("per_bg") && said.contains("wrong.yaml"),
        "{said}"
    );
}

#[test]
fn sample_data_is_weighed_the_same_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    let sample = project("sample-data/signin").to_string_lossy().into_owned();
    let out = run(&["ingest", &sample, "-a", &archive]);
    assert!(
        matches!(out.status.code(), Some(0 | 10)),
        "{}",
        text(&out.stderr)
    );
    let first = cost(&archive, &["-f", "json"]);
    assert_eq!(first, cost(&archive, &["-f", "json"]));
    let answer: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(answer["tables"][0]["table"], "SigninLogs");
    assert_eq!(answer["billed"]["mean_error"], Value::Null);
}

#[test]
fn exports_that_say_what_was_billed_are_estimated_well() {
    // Log Analytics rows with `_BilledSize`, where there are any.
    let Some(exports) = shared("data/billed") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    let out = run(&["ingest", &exports.to_string_lossy(), "-a", &archive]);
    assert!(
        matches!(out.status.code(), Some(0 | 10)),
        "{}",
        text(&out.stderr)
    );
    let billed = &answered(&archive, &[])["billed"];
    assert!(billed["records"].as_u64() > Some(0), "{billed}");
    let error = billed["mean_error"].as_f64().expect("a mean error");
    assert!(error <= 0.1, "{billed}");
}
