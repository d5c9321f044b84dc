//! A report in every format says the same, twice the same bytes, and nothing of a log runs in a spreadsheet; label changes for the tenant and for managers.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::command_line::run;
use crate::project;
use crate::report_figures::{printed, sample};

const AT: &str = "2026-06-01T00:00:00Z";

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The rows of a sheet, cells joined by `|`.
fn sheet(book: &Path, name: &str) -> String {
    let mut zip = zip::ZipArchive::new(fs::File::open(book).expect("a workbook")).expect("a zip");
    let mut member = |name: &str| {
        let mut text = String::new();
        let mut file = zip.by_name(name).expect("a member");
        file.read_to_string(&mut text).expect("text");
        text
    };
    let sheets = member("xl/workbook.xml");
    let at = sheets
        .split("<sheet ")
        .skip(1)
        .position(|sheet| sheet.contains(&format!("name=\"{name}\"")));
    let at = at.unwrap_or_else(|| panic!("no sheet {name} in {sheets}"));
    member(&format!("xl/worksheets/sheet{}.xml", at + 1))
}

/// Holds that of a folder with results nothing is read but an export that is laid beside them.
fn is_no_evidence(folder: &Path) {
    let export = project("sample-data/ual-search/UnifiedAuditLog.csv");
    fs::copy(export, folder.join("export.csv")).expect("an export");
    let other = tempfile::tempdir().expect("a folder");
    let archive = text(&other.path().join("archive"));
    printed(&["ingest", &text(folder), "-a", &archive]);
    let sql = "SELECT \"File\" FROM \"Ingests\"";
    let files = printed(&["sql", "-a", &archive, sql, "-f", "csv"]);
    assert_eq!(files.lines().count(), 2, "{files}");
}

#[test]
fn every_format_has_the_findings_and_the_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = sample(folder.path());
    let at = |name: &str| folder.path().join(name);
    let report = |file: &str, further: &[&str]| {
        let path = text(&at(file));
        let arguments = [
            &[
                "report",
                "-a",
                &archive,
                "-r",
                "builtin:mip",
                "--at",
                AT,
                "-o",
                &path,
            ][..],
            further,
        ]
        .concat();
        printed(&arguments);
    };
    // The names of the files say the formats.
    for file in ["a.html", "a.md", "a.json", "a.csv", "a.xlsx"] {
        report(file, &[]);
    }
    report("b.json", &[]);
    report("b.xlsx", &[]);
    for (one, two) in [("a.json", "b.json"), ("a.xlsx", "b.xlsx")] {
        assert_eq!(
            fs::read(at(one)).expect("a file"),
            fs::read(at(two)).expect("a file"),
            "{one}"
        );
    }
    // A file that is there is not replaced without being told.
    let again = run(&[
        "report",
        "-a",
        &archive,
        "-r",
        "builtin:mip",
        "-o",
        &text(&at("a.md")),
    ]);
    assert_eq!(again.status.code(), Some(3));

    let html = read(&at("a.html"));
    assert!(html.contains("frank.fletcher@contoso.com"));
    let data: Value = serde_json::from_str(&read(&at("a.json"))).expect("JSON");
    assert!(
        data["generator"]
            .as_str()
            .is_some_and(|made| made.starts_with("coldtrail "))
    );
    let markdown = read(&at("a.md"));
    for told in [
        "## Summary",
        "## Findings (80)",
        "## Labels by user",
        "frank.fletcher",
    ] {
        assert!(markdown.contains(told), "{told}: {markdown}");
    }
    let hunt = printed(&[
        "hunt",
        "-a",
        &archive,
        "-r",
        "builtin:mip",
        "--at",
        AT,
        "-f",
        "csv",
    ]);
    assert_eq!(read(&at("a.csv")), hunt);

    report("figures", &["-f", "csv"]);
    assert_eq!(read(&at("figures/findings.csv")), hunt);
    let users = read(&at("figures/labels-by-user.csv"));
    assert!(
        users.starts_with("user,label_events,LabelApplied,FileOpened,LabelDowngraded,"),
        "{users}"
    );
    assert!(
        users.contains("\nfrank.fletcher@contoso.com,62,21,1,40,"),
        "{users}"
    );
    let flows = read(&at("figures/label-flows.csv"));
    assert!(
        flows.contains("\nHighly Confidential,5,General,1,LabelDowngraded,15,2\n"),
        "{flows}"
    );

    for changes in ["c.html", "c.csv", "c.xlsx"] {
        report(changes, &["--label-changes"]);
    }
    report(
        "managers",
        &["--label-changes", "--by-manager", "-f", "csv"],
    );
    is_no_evidence(folder.path());

    let users = sheet(&at("a.xlsx"), "Labels by user");
    assert!(
        users.contains("<v>62</v>") && users.contains("frank.fletcher@contoso.com"),
        "{users}"
    );
    let findings = sheet(&at("a.xlsx"), "Findings");
    assert!(findings.contains("ref=\"A1:L81\""), "{}", &findings[..2000]);
}

#[test]
fn formats_that_are_not_there_are_refused() {
    for (arguments, told) in [
        (
            &["report", "-a", "none", "-o", "a.html", "-f", "json"][..],
            "which one?",
        ),
        (
            &["report", "-a", "none", "-o", "report"],
            "the name says no format",
        ),
        (&["report", "-a", "none", "-f", "mail"], "--label-changes"),
        (
            &["report", "-a", "none", "--label-changes", "-f", "json"],
            "one of html, csv, xlsx, mail",
        ),
        (
            &["report", "-a", "none", "--label-changes", "--by-manager"],
            "a folder",
        ),
        (&["report", "-a", "none", "--by-manager"], "--label-changes"),
    ] {
        let out = run(arguments);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(told), "{told}: {said}");
    }
}

#[test]
fn label_changes_of_a_day_are_told_to_the_tenant_and_to_managers() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = sample(folder.path());
    let managers = "UserPrincipalName,Manager\n\
                    frank.fletcher@contoso.com,alice.archer@contoso.com\n\
                    ivan.ironside@contoso.com,bob.baker@contoso.com\n";
    fs::write(
        Path::new(&archive).join("watchlists/Managers.csv"),
        managers,
    )
    .expect("a list");
    let changes = |further: &[&str]| {
        let arguments = [&["report", "-a", &archive, "--label-changes"][..], further].concat();
        printed(&arguments)
    };
    for (further, wanted) in [
        (
            ["--user", "frank"],
            "hint: did you mean `frank.fletcher@contoso.com`?",
        ),
        (["--from", "2030-01-01"], ", outside the time asked for"),
    ] {
        let arguments = ["report", "-a", &archive, "--label-changes", "-f", "csv"];
        let out = run(&[&arguments[..], &further[..]].concat());
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains(wanted), "{said}");
    }
    let day = ["--at", "2026-05-21T00:00:00Z", "--since", "24h"];
    let csv = changes(&day);
    assert_eq!(csv.lines().count(), 41, "{csv}");
    assert!(
        csv.starts_with("time,action,user,file,label_before,label_after,justification,manager,"),
        "{csv}"
    );
    assert!(
        csv.contains("\n2026-05-20T19:40:05Z,LabelDowngraded,frank.fletcher@contoso.com,"),
        "{csv}"
    );
    assert!(csv.contains("WS-FLETCHER"));

    let out = folder.path().join("managers");
    changes(&["--at", AT, "--by-manager", "-f", "html", "-o", &text(&out)]);
    let of_alice = read(&out.join("label-changes-alice.archer@contoso.com.html"));
    assert!(of_alice.contains("frank.fletcher@contoso.com") && !of_alice.contains("ivan.ironside"));
    assert!(
        !of_alice.contains("WS-FLETCHER") && !of_alice.contains("192.0.2."),
        "{of_alice}"
    );
    assert!(
        out.join("label-changes-bob.baker@contoso.com.html")
            .exists()
    );
    let others = read(&out.join("label-changes-without-manager.html"));
    assert!(others.contains("app@sharepoint"), "{others}");

    let outbox = folder.path().join("outbox");
    let told = changes(&[
        "--at",
        AT,
        "-f",
        "mail",
        "--domain",
        "contoso.com",
        "--outbox",
        &text(&outbox),
        "--mail-to",
        "security@contoso.com",
    ]);
    assert!(told.contains("48 changes"), "{told}");
    let mails = fs::read_dir(&outbox).expect("an outbox");
    assert_eq!(mails.count(), 1);
}

#[test]
fn changes_without_a_time_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let header = "ProtectionOwner,ContentId,ProtectionTime,UserId,Workload,ProcessName,ApplicationName,Operation,Activity,LogId,IPv4,ObjectId,LabelName";
    let row = |id: &str| {
        format!(
            "eve@contoso.com,14a354df-b377-4be8-8c4c-a3e30c02ff75,\"4/19/2026, 6:38:00.000 AM\",eve@contoso.com,AIP,powerpnt,PowerPoint,\
             AcquireLicense,DowngradeLabel,{id},192.0.2.7,C:\\Users\\Plan.pdf,Internal"
        )
    };
    let rows = [
        "89c16c19-e1df-4e60-960f-a49b5f944661",
        "e6ea07aa-2e16-417b-ac05-34012cb87ff1",
    ]
    .map(row);
    let file = folder.path().join("downgrades.csv");
    fs::write(&file, format!("{header}\n{}\n", rows.join("\n"))).expect("a file");
    let archive = folder.path().join("archive");
    crate::ingest(&archive, &[file]);
    let archive = text(&archive);
    let page = folder.path().join("changes.html");
    let out = run(&[
        "report",
        "-a",
        &archive,
        "--label-changes",
        "-o",
        &text(&page),
    ]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("2 changes without a time left out"), "{said}");
    let page = read(&page);
    assert!(page.contains("2 changes without a time"), "{page}");
    let rule = "queries/mip/label-downgraded.sql";
    let report = printed(&["report", "-a", &archive, "-r", rule, "-f", "json"]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let caveats = report["summary"]["caveats"].to_string();
    for told in [
        "2 events without a time",
        "2 labels lowered or removed at no known time",
    ] {
        assert!(caveats.contains(told), "{told}: {caveats}");
    }
}

#[test]
fn a_file_of_which_nothing_was_read_does_not_break_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = text(&folder.path().join("archive"));
    let garbage = text(&project("sample-data/broken/binary-garbage.bin"));
    let logs = text(&project("sample-data/informationprotection"));
    let out = run(&["ingest", &logs, &garbage, "-a", &archive]);
    assert_eq!(out.status.code(), Some(10));
    let rule = "queries/mip/label-downgraded.sql";
    let report = printed(&["report", "-a", &archive, "-r", rule, "-f", "json"]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let sum = &report["health"]["sum"];
    assert_eq!(sum["broken"], 1, "{sum}");
    assert_eq!(sum["unreadable"], 1, "{sum}");
    let caveats = report["summary"]["caveats"].to_string();
    let told = "1 file of which nothing could be read.";
    assert!(caveats.contains(told), "{caveats}");
    assert!(!caveats.contains("not read to the end"), "{caveats}");
}

#[test]
fn what_a_list_leaves_out_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = serde_json::json!({
        "Id": "8d04ba41-81c8-465b-b59f-d6925184bc41", "CreationTime": "2026-05-12T20:00:00", "RecordType": 6,
        "Operation": "FileDownloaded", "Workload": "SharePoint", "UserId": "alice@contoso.com", "UserType": 0,
        "ObjectId": "https://contoso.sharepoint.com/Plan.docx",
    });
    let export = folder.path().join("audit.jsonl");
    fs::write(&export, format!("{record}\n")).expect("an export");
    let rule = folder.path().join("many.sql");
    let query = "/*\nid: many\nname: Many\nseverity: Low\nentityMappings:\n  - entityType: Account\n    fieldMappings:\n      \
                 - {identifier: FullName, columnName: UserId}\n*/\n\
                 SELECT u.TimeGenerated, u.UserId, n.value AS Number, u._Source FROM UnifiedAuditLog AS u \
                 CROSS JOIN (SELECT unnest(range(0, 50100)) AS value) AS n";
    fs::write(&rule, query).expect("a rule");
    let archive = text(&folder.path().join("archive"));
    printed(&["ingest", &text(&export), "-a", &archive]);
    let report = printed(&[
        "report",
        "-a",
        &archive,
        "-r",
        &text(&rule),
        "-f",
        "json",
        "--at",
        AT,
    ]);
    // A page with all of this must open in a browser.
    assert!(report.len() < 60_000_000, "{} bytes", report.len());
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let findings = &report["findings"];
    assert_eq!(findings["total"], 50_100);
    assert_eq!(findings["left_out"], serde_json::json!([0, 0, 100, 0]));
    let list = findings["list"].as_array().expect("a list");
    assert_eq!(list.len(), 50_000);
    let in_full = list
        .iter()
        .filter(|finding| finding["sheet"].is_object())
        .count();
    assert_eq!(findings["in_full"], in_full);
    assert!((1000..50_000).contains(&in_full), "{in_full}");
    assert!(
        findings["rest"]
            .as_str()
            .is_some_and(|rest| rest.starts_with("coldtrail hunt -a "))
    );
    assert_eq!(report["summary"]["by_severity"][2]["count"], 50_100);
    let alice = &report["people"]["list"][0];
    assert_eq!(alice["user"], "alice@contoso.com");
    assert_eq!(alice["by_severity"], serde_json::json!([0, 0, 50_100, 0]));
    let events = report["timeline"]["events"].as_array().expect("events");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["findings"], serde_json::json!([1, 2, 3, 4, 5]));
}
