//! Real exports beside the project give the counts that their index states.

use crate::{ask, ingest, number, shared};

fn check(file: &str, want: [u64; 4]) {
    let Some(path) = shared(&format!("data/{file}")) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let summary = ingest(&archive, std::slice::from_ref(&path));
    let e = &summary.entries[0];
    assert_eq!(
        [e.records, e.events(), e.duplicates, e.quarantined],
        want,
        "{file}: {}",
        e.note
    );
    let again = ingest(&archive, &[path]);
    assert_eq!(again.known.len(), 1, "{file} was read before");
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
fn other_real_files() {
    check(
        "real/search-ual-exportcsv-2021.csv.zst",
        [9608, 5373, 4235, 0],
    );
    check("real/search-ual-formatted.csv", [4, 4, 0, 0]);
    check("real/management-api-3.jsonl", [4, 4, 0, 0]);
    check("real/auditlogs-query-api.json", [4, 4, 0, 0]);
    check("real/signinlogs-portal.csv", [56, 56, 0, 0]);
    check("real/officeactivity-query-api.json", [1, 1, 0, 0]);
    check("labels/aip-ome-records.ndjson", [7, 7, 0, 0]);
    check(
        "labels/InformationProtectionLogs_CL-portal.csv",
        [2, 2, 0, 0],
    );
    check("labels/rms-usage-w3c.log", [3, 3, 0, 0]);
    check("labels/rms-tracking.json", [1, 1, 0, 0]);
    check("labels/aip-mass-downgrade-simulator.csv", [61, 61, 0, 0]);
    check("real/advanced-hunting-union.json", [9, 9, 0, 0]);
    check(
        "containers/ual_excel_resaved_truncated_32767.csv",
        [1, 0, 0, 1],
    );
    check("pitfalls/records.ndjson", [15, 13, 0, 2]);
    check("containers/ah_portal_cloudappevents_iso.csv", [5, 5, 0, 0]);
    check(
        "containers/ah_portal_cloudappevents_uslocale.csv",
        [5, 5, 0, 0],
    );
    check("containers/ual_mgmt_api_blob.json", [20, 20, 0, 0]);
    check("containers/ual_mgmt_api_blob.json.gz", [20, 20, 0, 0]);
    check("containers/ual_mgmt_api_blob.json.zst", [20, 20, 0, 0]);
    check("containers/ual_graph_records_page.json", [20, 20, 0, 0]);
    check("containers/ah_api_legacy.json", [5, 5, 0, 0]);
    check("containers/ah_graph_runhuntingquery.json", [5, 5, 0, 0]);
    check("containers/eventhub_message.json", [5, 5, 0, 0]);
    check("containers/la_query_api.json", [25, 25, 0, 0]);
    check("containers/adx_v1_query_response.json", [25, 25, 0, 0]);
    check("containers/ual_purview_legacy_4col.csv", [20, 20, 0, 0]);
    check(
        "containers/ual_auditdata_ndjson_utf8bom.json",
        [20, 20, 0, 0],
    );
    check(
        "containers/insights-logs-advancedhunting-cloudappevents/tenantId=11111111-1111-1111-1111-111111111111/y=2024/m=10/d=01/h=08/m=00/PT1H.json",
        [6, 5, 1, 0],
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
