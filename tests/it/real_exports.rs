//! Real exports beside the project give the counts that their index states.

use std::path::Path;

use coldtrail::archive::Archive;
use coldtrail::catalog;
use coldtrail::convert::Options;
use coldtrail::ingest::format::{Hints, Rows};

use crate::{ask, ingest, ingest_with, number, shared};

/// Every file: records, events, duplicates, quarantined, and the table of its events.
const INDEX: &[(&str, [u64; 4], &str)] = &[
    (
        "containers/adx_export_1_noheader.csv.gz",
        [25, 25, 0, 0],
        "OfficeActivity",
    ),
    (
        "containers/adx_v1_query_response.json",
        [25, 25, 0, 0],
        "OfficeActivity",
    ),
    (
        "containers/ah_api_legacy.json",
        [5, 5, 0, 0],
        "CloudAppEvents",
    ),
    (
        "containers/ah_graph_runhuntingquery.json",
        [5, 5, 0, 0],
        "CloudAppEvents",
    ),
    (
        "containers/ah_portal_cloudappevents_iso.csv",
        [5, 5, 0, 0],
        "CloudAppEvents",
    ),
    (
        "containers/ah_portal_cloudappevents_uslocale.csv",
        [5, 5, 0, 0],
        "CloudAppEvents",
    ),
    (
        "containers/am-OfficeActivity",
        [25, 25, 0, 0],
        "OfficeActivity",
    ),
    (
        "containers/eventhub_message.json",
        [5, 5, 0, 0],
        "CloudAppEvents",
    ),
    (
        "containers/insights-logs-advancedhunting-cloudappevents",
        [6, 5, 1, 0],
        "CloudAppEvents",
    ),
    (
        "containers/la_portal_search_job_SRCH.csv",
        [25, 25, 0, 0],
        "OfficeActivity",
    ),
    (
        "containers/la_query_api.json",
        [25, 25, 0, 0],
        "OfficeActivity",
    ),
    (
        "containers/ual_auditdata_ndjson_utf8bom.json",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_excel_resaved_truncated_32767.csv",
        [1, 0, 0, 1],
        "",
    ),
    (
        "containers/ual_export_mixed.zip",
        [60, 20, 40, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_extractor_combined_invalid_array.json",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_extractor_concat_arrays_utf16le.json",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_extractor_graph_13col_multiline.csv",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_extractor_single_object_ps51_date.json",
        [1, 1, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_format_list_utf16le.txt",
        [4, 4, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_graph_records_page.json",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_mgmt_api_blob.json",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_mgmt_api_blob.json.gz",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_mgmt_api_blob.json.zst",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_purview_legacy_4col.csv",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_search_exov3_10col_utf8bom_enGB.csv",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_search_ps51_ascii_lossy.csv",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_search_ps51_typeline_utf16le.csv",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "containers/ual_search_useculture_deDE_semicolon.csv",
        [20, 20, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "labels/InformationProtectionLogs_CL-portal.csv",
        [2, 2, 0, 0],
        "InformationProtectionLogs_CL",
    ),
    (
        "labels/aip-mass-downgrade-simulator.csv",
        [61, 61, 0, 0],
        "InformationProtectionLogs_CL",
    ),
    (
        "labels/aip-ome-records.ndjson",
        [7, 7, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "labels/rms-tracking.json",
        [1, 1, 0, 0],
        "AipServiceTrackingLog",
    ),
    (
        "labels/rms-usage-w3c.log",
        [3, 3, 0, 0],
        "AipServiceUserLog",
    ),
    ("pitfalls/records.ndjson", [15, 13, 0, 2], "UnifiedAuditLog"),
    (
        "real/advanced-hunting-union.json",
        [9, 9, 0, 0],
        "OtherRecords",
    ),
    ("real/auditlogs-portal.csv", [5, 5, 0, 0], "OtherRecords"),
    ("real/auditlogs-query-api.json", [4, 4, 0, 0], "AuditLogs"),
    (
        "real/management-api-3.jsonl",
        [4, 4, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "real/officeactivity-query-api.json",
        [1, 1, 0, 0],
        "OfficeActivity",
    ),
    (
        "real/purview-portal-2023.csv",
        [219, 219, 0, 0],
        "UnifiedAuditLog",
    ),
    (
        "real/search-ual-exportcsv-2021.csv.zst",
        [9608, 5373, 4235, 0],
        "UnifiedAuditLog",
    ),
    (
        "real/search-ual-formatted.csv",
        [4, 4, 0, 0],
        "UnifiedAuditLog",
    ),
    ("real/signinlogs-portal.csv", [56, 56, 0, 0], "SigninLogs"),
    (
        "real/ual-splunk-reexport-2021.csv.zst",
        [9611, 5373, 4235, 3],
        "UnifiedAuditLog",
    ),
];

/// What the user says about the one file that has no header.
fn options() -> Options {
    let rows = Rows {
        table: catalog::table("OfficeActivity"),
        columns: Vec::new(),
        called: None,
    };
    Options {
        hints: Hints {
            rows: Some(rows),
            ..Hints::default()
        },
        ..crate::options()
    }
}

#[test]
fn every_file_alone_gives_the_counts_of_the_index() {
    for (file, want, table) in INDEX {
        let Some(path) = shared(&format!("data/{file}")) else {
            return;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("archive");
        let summary = ingest_with(&archive, std::slice::from_ref(&path), &options());
        assert_eq!(
            [
                summary.sum(|e| e.records),
                summary.sum(|e| e.events()),
                summary.sum(|e| e.duplicates),
                summary.sum(|e| e.quarantined)
            ],
            *want,
            "{file}"
        );
        assert_eq!(summary.sum(|e| e.revisions), 0, "{file}");
        let tables: Vec<&str> = summary.tables().into_keys().collect();
        assert_eq!(tables.join(","), *table, "{file}");
        let again = ingest_with(&archive, &[path], &options());
        assert_eq!(again.entries.len(), 0, "{file} was read before");
    }
    if let Some(path) = shared("data/containers/adx_export_1_noheader.csv.gz") {
        let folder = tempfile::tempdir().expect("a folder");
        let summary = ingest(&folder.path().join("archive"), &[path]);
        assert_eq!(summary.entries[0].status.name(), "unreadable");
        assert!(
            summary.entries[0].note.contains("--as OfficeActivity"),
            "{}",
            summary.entries[0].note
        );
    }
}

/// All that an archive holds, with names of files instead of numbers of ingests.
fn content(archive: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let open = Archive::open(archive).expect("an archive");
    let snapshot = open.snapshot().expect("a snapshot");
    for (table, _) in snapshot.tables() {
        let table = table.name;
        if table == "Ingests" {
            continue;
        }
        let columns: Vec<String> = catalog::table(table)
            .columns
            .iter()
            .filter(|c| c.name != "_IngestId")
            .map(|c| format!("t.\"{}\"", c.name))
            .collect();
        let rows = ask(
            archive,
            &format!(
                "SELECT i.File, {} FROM stored.\"{table}\" t JOIN Ingests i ON i._IngestId = t._IngestId",
                columns.join(", ")
            ),
        );
        let mut rows: Vec<String> = rows.into_iter().map(|r| format!("{table}: {r}")).collect();
        rows.sort();
        out.extend(rows);
    }
    out
}

#[test]
fn one_run_and_file_by_file_give_equal_archives() {
    let Some(data) = shared("data") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let together = folder.path().join("together");
    let summary = ingest_with(&together, std::slice::from_ref(&data), &options());
    // Events that are in several files are there once; letters that a copy lost make a revision.
    assert_eq!(
        summary.tables().into_iter().collect::<Vec<_>>(),
        [
            ("AipServiceTrackingLog", 1),
            ("AipServiceUserLog", 3),
            ("AuditLogs", 4),
            ("CloudAppEvents", 5),
            ("InformationProtectionLogs_CL", 63),
            ("OfficeActivity", 26),
            ("OtherRecords", 14),
            ("SigninLogs", 56),
            // 5,373 of 2021, 219 of 2023, and 28 in other files.
            ("UnifiedAuditLog", 5620),
        ]
    );
    assert_eq!(
        ask(
            &together,
            "SELECT DISTINCT regexp_replace(i.File, '^.*/', '') FROM Revisions JOIN Ingests i USING (\"_IngestId\")"
        ),
        ["ual_search_ps51_ascii_lossy.csv"]
    );
    assert_eq!(
        summary.sum(|e| e.records),
        summary.sum(|e| e.events() + e.duplicates + e.revisions + e.quarantined)
    );
    let apart = folder.path().join("apart");
    for (file, ..) in INDEX {
        ingest_with(&apart, &[data.join(file)], &options());
    }
    let (a, b) = (content(&together), content(&apart));
    assert!(a.len() > 5792, "{} rows", a.len());
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a, b);
    }
}

#[test]
fn splunk_re_export() {
    let Some(path) = shared("data/real/ual-splunk-reexport-2021.csv.zst") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let summary = ingest(&archive, std::slice::from_ref(&path));
    let e = &summary.entries[0];
    assert_eq!(
        [e.records, e.events(), e.duplicates, e.quarantined],
        [9611, 5373, 4235, 3]
    );
    assert_eq!(
        number(&archive, "SELECT count(*) FROM UnifiedAuditLog"),
        5373
    );
    assert_eq!(
        number(&archive, "SELECT count(*) FROM CloudAppEvents"),
        5373
    );
    let office = number(
        &archive,
        "SELECT count(*) FROM UnifiedAuditLog WHERE Workload IN ('Exchange', 'SharePoint', 'OneDrive', 'MicrosoftTeams')",
    );
    assert_eq!(
        number(&archive, "SELECT count(*) FROM OfficeActivity"),
        office
    );
    assert!(office > 0);
    let reasons = ask(
        &archive,
        "SELECT Reason, count(*) FROM Quarantine GROUP BY 1",
    );
    assert_eq!(reasons, ["AuditData is empty|3"]);
    // Paths from columns and from the record agree.
    let differ = number(
        &archive,
        "SELECT count(*) FROM UnifiedAuditLog WHERE (Operation IS DISTINCT FROM (AuditData->>'Operation')) \
         OR (UserId IS DISTINCT FROM (AuditData->>'UserId')) OR (Parameters IS DISTINCT FROM (AuditData->>'Parameters'))",
    );
    assert_eq!(differ, 0);
    // The same file changes nothing; the same records in another export are duplicates.
    assert_eq!(ingest(&archive, &[path]).known.len(), 1);
    if let Some(other) = shared("data/real/search-ual-exportcsv-2021.csv.zst") {
        let e = &ingest(&archive, &[other]).entries[0];
        assert_eq!(
            [e.records, e.events(), e.duplicates, e.revisions],
            [9608, 0, 9608, 0]
        );
    }
    assert_eq!(
        number(&archive, "SELECT count(*) FROM UnifiedAuditLog"),
        5373
    );
}

#[test]
fn portal_export_counts_each_labelled_mail_once() {
    let Some(path) = shared("data/real/purview-portal-2023.csv") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let e = &ingest(&archive, &[path]).entries[0];
    assert_eq!([e.records, e.events()], [219, 219]);
    assert_eq!(
        number(
            &archive,
            "SELECT count(*) FROM UnifiedAuditLog WHERE Operation = 'MipLabel'"
        ),
        6
    );
    assert_eq!(
        number(
            &archive,
            "SELECT count(*) FROM LabelEvents WHERE Operation = 'MipLabel'"
        ),
        3
    );
}

#[test]
fn hunting_rows_in_three_shapes_are_the_same_events() {
    let Some(folder) = shared("data/containers") else {
        return;
    };
    let target = tempfile::tempdir().expect("a folder");
    let archive = target.path().join("archive");
    let summary = ingest(
        &archive,
        &[
            folder.join("ah_portal_cloudappevents_iso.csv"),
            folder.join("ah_portal_cloudappevents_uslocale.csv"),
            folder.join("insights-logs-advancedhunting-cloudappevents"),
        ],
    );
    assert_eq!(summary.sum(|e| e.events()), 5);
    assert_eq!(summary.sum(|e| e.revisions), 0);
    assert_eq!(summary.sum(|e| e.duplicates), 11);
}
