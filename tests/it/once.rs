//! One event counts once: in every view, on one side of every edge of a time range, whatever the sources and the order of their ingests.

use std::path::Path;

use crate::command_line::run;

const VIEWS: [&str; 4] = [
    "UnifiedAuditLog",
    "CloudAppEvents",
    "OfficeActivity",
    "LabelEvents",
];

/// Whole, and the two halves of the time line.
const RANGES: [&[&str]; 3] = [
    &[],
    &["--to", "2026-05-01T10:00"],
    &["--from", "2026-05-01T10:00"],
];

/// A row of an answer.
type Row = Vec<String>;

fn done(arguments: &[&str]) -> String {
    let out = run(arguments);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The rows of an answer, cells as they are in the CSV.
fn ask(language: &str, archive: &str, query: &str, range: &[&str]) -> Vec<Row> {
    let mut arguments = vec![language, "-a", archive, "-f", "csv", query];
    arguments.extend(range);
    done(&arguments)
        .lines()
        .skip(1)
        .map(|line| line.trim_end().split(',').map(str::to_string).collect())
        .collect()
}

fn sql(archive: &str, query: &str) -> Vec<String> {
    let rows = ask("sql", archive, query, &[]);
    rows.into_iter().map(|row| row.join("|")).collect()
}

/// Rows of each table, in one query.
fn counts<const N: usize>(
    language: &str,
    archive: &str,
    tables: [&str; N],
    range: &[&str],
) -> [u64; N] {
    let parts = tables.iter().enumerate().map(|(n, table)| match language {
        "sql" => format!("SELECT {n} AS n, count(*) AS c FROM {table}"),
        _ => format!("({table} | summarize c = count() | extend n = {n})"),
    });
    let parts: Vec<String> = parts.collect();
    let query = match language {
        "sql" => format!("{} ORDER BY n", parts.join(" UNION ALL ")),
        _ => format!("union {} | sort by n asc | project n, c", parts.join(", ")),
    };
    let rows = ask(language, archive, &query, range);
    let counts: Vec<u64> = rows
        .iter()
        .map(|row| row[1].parse().expect("a number"))
        .collect();
    counts.try_into().expect("a row for each table")
}

/// Archives of the same files: in one run and one after the other, forwards and backwards. Each name says the kind of the file.
struct Archives {
    _folder: tempfile::TempDir,
    paths: Vec<String>,
}

impl Archives {
    fn of(files: &[(&str, String)]) -> Archives {
        let folder = tempfile::tempdir().expect("a folder");
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut inputs = Vec::new();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("a file");
            inputs.push(text(&path));
        }
        let mut paths = Vec::new();
        for order in ["forwards", "backwards"] {
            let together = text(&folder.path().join(format!("{order}-together")));
            let mut arguments = vec!["ingest", "-a", together.as_str()];
            arguments.extend(inputs.iter().map(String::as_str));
            done(&arguments);
            let apart = text(&folder.path().join(format!("{order}-apart")));
            for input in &inputs {
                done(&["ingest", "-a", &apart, input]);
            }
            paths.extend([together, apart]);
            if inputs.len() == 1 {
                break;
            }
            inputs.reverse();
        }
        Archives {
            _folder: folder,
            paths,
        }
    }
}

fn id(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-00000000000a")
}

/// A label that was taken away, at this time of day, in the row of each table. `id` as it stands in the export.
fn audit(id: &str, time: &str) -> String {
    format!(
        r#"{{"Id":"{id}","CreationTime":"2026-05-01T{time}","RecordType":6,"Operation":"FileSensitivityLabelRemoved","Workload":"SharePoint","UserId":"alice@contoso.com","UserType":0,"ObjectId":"https://contoso.sharepoint.com/a/Plan.docx"}}
"#
    )
}

fn office(id: &str, time: &str, user: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-05-01T{time}Z","Type":"OfficeActivity","Operation":"FileSensitivityLabelRemoved","RecordType":"SharePointFileOperation","OfficeWorkload":"SharePoint",{id}"UserId":"{user}","UserType":"Regular"}}
"#
    )
}

fn app(report: &str, id: &str, time: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-05-01T{time}Z","Type":"CloudAppEvents","ActionType":"FileSensitivityLabelRemoved","Application":"Microsoft SharePoint Online","ReportId":"{report}","RawEventData":{{"Id":"{id}","RecordType":6,"Operation":"FileSensitivityLabelRemoved","Workload":"SharePoint","UserId":"alice@contoso.com"}}}}
"#
    )
}

fn purview(id: &str, time: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-05-01T{time}Z","Type":"MicrosoftPurviewInformationProtection","Id":"{id}","RecordType":83,"Operation":"SensitivityLabelRemoved","UserId":"alice@contoso.com"}}
"#
    )
}

#[test]
fn a_row_without_an_id_does_not_come_back_through_another_view() {
    let rows = [
        office("", "09:00:00", "alice@contoso.com"),
        office(r#""OfficeId":"","#, "09:00:01", "bob@contoso.com"),
        office(r#""OfficeId":"  ","#, "09:00:02", "carol@contoso.com"),
    ];
    // Another event without an id, which is none of these.
    let other = audit("", "09:00:03");
    let archives = Archives::of(&[("office.json", rows.concat()), ("audit.json", other)]);
    for archive in &archives.paths {
        for language in ["sql", "kql"] {
            assert_eq!(
                counts(language, archive, VIEWS, &[]),
                [4, 4, 4, 4],
                "{archive} {language}"
            );
        }
    }
}

#[test]
fn two_rows_of_one_audit_record_count_once() {
    let rows = |times: [&str; 2]| {
        (
            (
                "one.json",
                app(&format!("1_20892_{}", id(1)), &id(1), times[0]),
            ),
            (
                "two.json",
                app(&format!("2_20892_{}", id(1)), &id(1), times[1]),
            ),
        )
    };
    let (one, two) = rows(["09:00:07", "09:00:05"]);
    let archives = Archives::of(&[one.clone(), two.clone()]);
    for archive in &archives.paths {
        assert_eq!(
            counts("sql", archive, VIEWS, &[]),
            [1, 2, 1, 1],
            "{archive}"
        );
        // The first by name, whichever was ingested first.
        for view in ["UnifiedAuditLog", "OfficeActivity", "LabelEvents"] {
            assert_eq!(
                sql(archive, &format!("SELECT TimeGenerated FROM {view}")),
                ["2026-05-01T09:00:07Z"],
                "{archive} {view}"
            );
        }
    }
    let archives = Archives::of(&[one, two, ("audit.json", audit(&id(1), "09:00:00"))]);
    for archive in &archives.paths {
        assert_eq!(
            counts("sql", archive, VIEWS, &[]),
            [1, 2, 1, 1],
            "{archive}"
        );
    }
}

#[test]
fn the_spelling_of_an_id_makes_no_other_event() {
    let archives = Archives::of(&[
        (
            "audit.json",
            audit(&format!("{{{}}}", id(0xab).to_uppercase()), "09:00:00"),
        ),
        (
            "office.json",
            office(
                &format!(r#""OfficeId":" {} ","#, id(0xab)),
                "09:00:00",
                "alice@contoso.com",
            ),
        ),
        ("apps.json", app("r1", &id(0xab), "09:00:00")),
        (
            "purview.json",
            purview(&id(0xab).to_uppercase(), "09:00:00"),
        ),
    ]);
    for archive in &archives.paths {
        assert_eq!(
            counts("sql", archive, VIEWS, &[]),
            [1, 1, 1, 1],
            "{archive}"
        );
    }
}

#[test]
fn an_event_is_on_one_side_of_every_edge() {
    let archives = Archives::of(&[
        ("audit.json", audit(&id(1), "09:59:59")),
        ("apps.json", app("r1", &id(1), "10:00:00.2")),
        (
            "office.json",
            office(
                &format!(r#""OfficeId":"{}","#, id(1)),
                "10:00:01",
                "alice@contoso.com",
            ),
        ),
        ("purview.json", purview(&id(1), "10:00:02")),
    ]);
    for archive in &archives.paths {
        for language in ["sql", "kql"] {
            let [whole, before, after] =
                RANGES.map(|range| counts(language, archive, VIEWS, range));
            assert_eq!(whole, [1; 4], "{archive} {language}");
            for (view, (before, after)) in VIEWS.iter().zip(before.iter().zip(&after)) {
                assert_eq!(before + after, 1, "{archive} {language} {view}");
            }
        }
        // A stored table has its own rows at their own times.
        let stored = ["stored.UnifiedAuditLog", "stored.CloudAppEvents"];
        assert_eq!(
            RANGES.map(|range| counts("sql", archive, stored, range)),
            [[1, 1], [1, 0], [0, 1]],
            "{archive}"
        );
    }
}

#[test]
fn a_range_cuts_views_of_one_source_too() {
    let row = |n: u32, time: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-05-01T{time}Z","Type":"InformationProtectionLogs_CL","LogId_g":"{}","Activity_s":"AccessDenied","UserId_s":"eve@fabrikam.com","ObjectId_s":"Plan.docx"}}
"#,
            id(n)
        )
    };
    let rows = row(1, "09:00:00") + &row(2, "10:00:00") + &row(3, "11:00:00");
    let archives = Archives::of(&[("protection.json", rows)]);
    for archive in &archives.paths {
        let views = [
            "InformationProtectionLogs_CL",
            "InformationProtectionEvents",
            "LabelEvents",
        ];
        assert_eq!(
            RANGES.map(|range| counts("sql", archive, views, range)),
            [[3; 3], [1; 3], [2; 3]]
        );
    }
}

#[test]
fn label_actions_of_rows_without_a_whole_record_are_label_events() {
    let bare = |report: u32, raw: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-05-01T09:00:0{report}Z","Type":"CloudAppEvents","ActionType":"FileSensitivityLabelRemoved","Application":"Microsoft SharePoint Online","AccountId":"bob@contoso.com","ObjectName":"Plan.docx","ReportId":"{report}_20892_{}"{raw}}}
"#,
            id(report)
        )
    };
    let rows = [
        bare(1, ""),
        bare(
            2,
            r#","RawEventData":{"Operation":"FileSensitivityLabelRemoved","UserId":"alice@contoso.com"}"#,
        ),
        bare(
            3,
            &format!(
                r#","RawEventData":{{"Id":"{}","UserId":"alice@contoso.com"}}"#,
                id(3)
            ),
        ),
        // Another row of the first event.
        bare(1, "").replace("1_20892_", "7_20892_"),
    ];
    let files = [("apps.json", rows.concat())];
    let archives = Archives::of(&files);
    for archive in &archives.paths {
        assert_eq!(
            sql(
                archive,
                "SELECT EventId, Action, UserId, FileName FROM LabelEvents ORDER BY 1"
            ),
            [
                format!("{}|LabelRemoved|bob@contoso.com|Plan.docx", id(1)),
                format!("{}|LabelRemoved|alice@contoso.com|Plan.docx", id(2)),
                format!("{}|LabelRemoved|alice@contoso.com|Plan.docx", id(3)),
            ],
            "{archive}"
        );
    }
    // With its record in an audit export it is the same event still.
    let [apps] = files;
    let archives = Archives::of(&[apps, ("audit.json", audit(&id(1), "09:00:00"))]);
    for archive in &archives.paths {
        assert_eq!(
            counts("sql", archive, ["LabelEvents"], &[]),
            [3],
            "{archive}"
        );
    }
}

#[test]
fn a_labelled_mail_counts_once_when_its_two_records_are_in_two_sources() {
    let second = audit(&id(1), "09:00:00")
        .replace(r#""RecordType":6"#, r#""RecordType":13"#)
        .replace("FileSensitivityLabelRemoved", "MipLabel");
    let first = format!(
        r#"{{"TimeGenerated":"2026-05-01T09:00:00Z","Type":"MicrosoftPurviewInformationProtection","Id":"{}","RecordType":43,"Operation":"MipLabel","UserId":"alice@contoso.com","ObjectId":"https://contoso.sharepoint.com/a/Plan.docx"}}
"#,
        id(2)
    );
    let archives = Archives::of(&[("audit.json", second), ("purview.json", first)]);
    for archive in &archives.paths {
        assert_eq!(
            sql(archive, "SELECT RecordType FROM LabelEvents"),
            ["43"],
            "{archive}"
        );
    }
}

#[test]
fn label_records_without_an_operation_are_label_events_and_signs_of_life_are_not() {
    let record = audit(&id(1), "09:00:00").replace(r#""RecordType":6"#, r#""RecordType":83"#);
    let named = r#""Operation":"FileSensitivityLabelRemoved","#;
    let bare = audit(&id(2), "09:00:01")
        .replace(r#""RecordType":6"#, r#""RecordType":83"#)
        .replace(named, "");
    let alive = audit(&id(3), "09:00:02")
        .replace(r#""RecordType":6"#, r#""RecordType":94"#)
        .replace("FileSensitivityLabelRemoved", "HeartBeat");
    let archives = Archives::of(&[("audit.json", [record, bare, alive].concat())]);
    for archive in &archives.paths {
        assert_eq!(
            sql(
                archive,
                "SELECT EventId, Action FROM LabelEvents ORDER BY 1"
            ),
            [
                format!("{}|LabelRemoved", id(1)),
                format!("{}|Other", id(2))
            ]
        );
    }
}

#[test]
fn a_result_that_is_not_there_is_no_denial() {
    let head = "#Software: RMS\n#Version: 1.1\n\
                #Fields: date\ttime\trow-id\trequest-type\tuser-id\tresult\tcorrelation-id\n";
    let lines: String = [
        ("r1", "'Success'"),
        ("r2", "'AccessDenied'"),
        ("r3", "''"),
        ("r4", "-"),
        ("r5", "'RightExpired'"),
    ]
    .iter()
    .map(|(row, result)| {
        format!("2026-05-01\t00:00:01\t{row}\tAcquireLicense\t'eve@fabrikam.com'\t{result}\tc1\n")
    })
    .collect();
    let track = |content: &str, result: &str| {
        format!(
            r#"{{"ContentId":"{content}","Issuer":"alice@contoso.com","RequestTime":"2026-05-01T00:00:00Z","RequesterType":"User","RequesterEmail":"eve@fabrikam.com","RequesterDisplayName":"Eve","RequesterLocation":{{"IP":"203.0.113.9","Country":""}},"Rights":"",{result}"IsHiddenInfo":false}}"#
        )
    };
    let tracking = [
        track("t1", r#""Successful":true,"#),
        track("t2", r#""Successful":false,"#),
        track("t3", ""),
    ];
    let archives = Archives::of(&[
        ("usage.log", format!("{head}{lines}")),
        ("tracking.json", format!("[{}]", tracking.join(","))),
    ]);
    for archive in &archives.paths {
        assert_eq!(
            sql(
                archive,
                "SELECT coalesce(EventId, FileName), Action FROM LabelEvents ORDER BY 1"
            ),
            [
                "r1|FileOpened",
                "r2|AccessDenied",
                "r3|Other",
                "r4|Other",
                "r5|AccessDenied",
                "t1|FileOpened",
                "t2|AccessDenied",
                "t3|Other"
            ],
            "{archive}"
        );
    }
}
