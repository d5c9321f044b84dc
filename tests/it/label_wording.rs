//! Label actions as Microsoft's logs word them: what failed or is about something else is no action, and a label is one id or none.

use std::path::Path;

use crate::command_line::run;
use crate::label_events::agrees;

/// An event of the first of May; `rest` is what it says beyond who, when and where.
fn line(kind: &str, n: u32, rest: &str) -> String {
    let id = format!("{n:08x}-0000-4000-8000-00000000000a");
    let path = "https://contoso.sharepoint.com/a/Plan.docx";
    match kind {
        "audit" => format!(
            r#"{{"Id":"{id}","CreationTime":"2026-05-01T10:00:00","Workload":"SharePoint","UserId":"ada@contoso.com","UserType":0,"ObjectId":"{path}",{rest}}}"#
        ),
        "purview" => format!(
            r#"{{"TimeGenerated":"2026-05-01T10:00:00Z","Type":"MicrosoftPurviewInformationProtection","Id":"{id}","UserId":"ada@contoso.com","ObjectId":"{path}",{rest}}}"#
        ),
        "analytics" => format!(
            r#"{{"TimeGenerated":"2026-05-01T10:00:00Z","Type":"InformationProtectionLogs_CL","LogId_g":"{id}","UserId_s":"ada@contoso.com","ObjectId_s":"{path}",{rest}}}"#
        ),
        _ => format!(
            r#"{{"TimeGenerated":"2026-05-01T10:00:00Z","Type":"DataSecurityEvents","ActivityId":"{id}","AccountUpn":"ada@contoso.com","ObjectId":"{path}",{rest}}}"#
        ),
    }
}

fn done(arguments: &[&str]) -> String {
    let out = run(arguments);
    let told = [out.stdout.clone(), out.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {told}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Ingests events of one kind, each numbered from 1, and answers with these columns of their label actions.
fn said(folder: &Path, kind: &str, events: &[&str], columns: &str) -> String {
    let file = folder.join(format!("{kind}.json"));
    let lines: Vec<String> = events
        .iter()
        .zip(1..)
        .map(|(rest, n)| line(kind, n, rest) + "\n")
        .collect();
    std::fs::write(&file, lines.concat()).expect("a file");
    let archive = folder.join("archive");
    let text = archive.to_string_lossy();
    done(&["ingest", "-a", &text, &file.to_string_lossy()]);
    let query = format!("SELECT {columns} FROM LabelEvents ORDER BY \"EventId\"");
    let told = done(&["sql", "-a", &text, "-f", "csv", &query]);
    done(&["verify", "-a", &text]);
    // The view says the same of events that nothing was derived from.
    agrees(&archive, kind);
    told
}

#[test]
fn an_attempt_that_failed_is_no_action() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = [
        r#""RecordType":6,"Operation":"FileSensitivityLabelRemovedFailed""#,
        r#""RecordType":83,"Operation":"SensitivityLabelRemoved","ResultStatus":"Failed""#,
        r#""RecordType":83,"Operation":"SensitivityLabelRemoved","ResultStatus":"Succeeded""#,
        r#""RecordType":83,"Operation":"SensitivityLabelRemoved""#,
        r#""RecordType":83,"Operation":"RetentionLabelRemoved","EmailInfo":{"Subject":"Offer"}"#,
    ];
    let columns = "\"Action\", \"Operation\", \"FileName\"";
    let told = said(folder.path(), "audit", &events, columns);
    assert_eq!(
        told,
        "Action,Operation,FileName\n\
         AttemptFailed,FileSensitivityLabelRemovedFailed,Plan.docx\n\
         AttemptFailed,SensitivityLabelRemoved,Plan.docx\n\
         LabelRemoved,SensitivityLabelRemoved,Plan.docx\n\
         LabelRemoved,SensitivityLabelRemoved,Plan.docx\n\
         Other,RetentionLabelRemoved,Offer\n"
    );
}

#[test]
fn a_label_is_one_id_wherever_the_record_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = [
        r#""RecordType":8,"Operation":"Assign label to group.","ModifiedProperties":[{"Name":"DisplayName","NewValue":"[\r\n  \"Sales\"\r\n]","OldValue":"[]"},{"Name":"LabelId","NewValue":"[\r\n  \"bb000000-0000-4000-8000-00000000000b\"\r\n]","OldValue":"[]"}]"#,
        r#""RecordType":4,"Operation":"SiteSensitivityLabelChanged","ModifiedProperties":[{"Name":"SensitivityLabelId","NewValue":"BB000000-0000-4000-8000-00000000000B","OldValue":"aa000000-0000-4000-8000-00000000000a"}]"#,
        r#""RecordType":206,"Operation":"SensitivityLabelUpdated","SensitivityLabelId":["bb000000-0000-4000-8000-00000000000b"],"OldSensitivityLabelId":"{AA000000-0000-4000-8000-00000000000A}""#,
        // Two labels are no label that a list could name, and the id of nothing is none; an answer that is blank is none either.
        r#""RecordType":83,"Operation":"SensitivityLabelApplied","OldSensitivityLabelId":"00000000-0000-0000-0000-000000000000","SensitivityLabelId":["aa","bb"],"ProtectionEventData":{"IsProtected":""}"#,
        r#""RecordType":43,"Operation":"MipLabel","LabelId":"defa4170-0d19-0005-0005-bc88714345d2","LabelName":"""#,
    ];
    let columns = "\"Action\", \"OldLabelId\", \"NewLabelId\", \"NewLabelName\", \"Protected\"";
    let told = said(folder.path(), "audit", &events, columns);
    assert_eq!(
        told,
        "Action,OldLabelId,NewLabelId,NewLabelName,Protected\n\
         LabelApplied,,bb000000-0000-4000-8000-00000000000b,,\n\
         LabelChanged,aa000000-0000-4000-8000-00000000000a,bb000000-0000-4000-8000-00000000000b,,\n\
         LabelChanged,aa000000-0000-4000-8000-00000000000a,bb000000-0000-4000-8000-00000000000b,,\n\
         LabelApplied,,,,\n\
         LabelApplied,,defa4170-0d19-0005-0005-bc88714345d2,Confidential (assumed),\n"
    );
    // A tenant that renamed what Microsoft made is believed.
    let lists = folder.path().join("archive/watchlists");
    std::fs::create_dir_all(&lists).expect("a folder");
    let list = "Id,Name,Rank\nDEFA4170-0d19-0005-0005-bc88714345d2,Secret,5\n";
    std::fs::write(lists.join("Labels.csv"), list).expect("a watchlist");
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    let query = "SELECT \"NewLabelName\" FROM LabelEvents WHERE \"RecordType\" = 43";
    let told = done(&["sql", "-a", &archive, "-f", "csv", query]);
    assert_eq!(told, "NewLabelName\nSecret\n");
}

#[test]
fn data_security_events_are_read_as_they_are_worded() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = [
        // Of a label that was removed both columns have the id.
        r#""ActionType":"Label removed from a file","SensitivityLabelId":"AA000000-0000-4000-8000-00000000000A","PreviousSensitivityLabelId":"aa000000-0000-4000-8000-00000000000a""#,
        r#""ActionType":"Label downgraded on a file","SensitivityLabelId":"bb000000-0000-4000-8000-00000000000b","PreviousSensitivityLabelId":"aa000000-0000-4000-8000-00000000000a""#,
        // Neither of a label nor of an action of its own.
        r#""ActionType":"File deleted","Operation":"FileDeleted""#,
        r#""ActionType":"Retention label removed""#,
        r#""ActionType":"Label on file downgraded or removed, then file accessed by Copilot""#,
    ];
    let columns = "\"Action\", \"OldLabelId\", \"NewLabelId\"";
    let told = said(folder.path(), "secured", &events, columns);
    assert_eq!(
        told,
        "Action,OldLabelId,NewLabelId\n\
         LabelRemoved,aa000000-0000-4000-8000-00000000000a,\n\
         LabelDowngraded,aa000000-0000-4000-8000-00000000000a,bb000000-0000-4000-8000-00000000000b\n"
    );
}

#[test]
fn rows_of_the_purview_table_say_their_result_and_what_set_the_label() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = [
        r#""RecordType":83,"Operation":"SensitivityLabelRemoved","ResultStatus":"Failed","ActionSource":"3","SensitivityLabelId":"00000000-0000-0000-0000-000000000000""#,
        r#""RecordType":83,"Operation":"SensitivityLabelUpdated","LabelEventType":"LabelDowngraded","ActionSource":"Auto","Common":{"ApplicationName":"","DeviceName":"PC-1"},"Application":"Word","EmailInfo":{"Subject":"Offer"}"#,
    ];
    let columns = "\"Action\", \"NewLabelId\", \"ActionSource\", \"Application\", \"DeviceName\", \"FileName\"";
    let told = said(folder.path(), "purview", &events, columns);
    assert_eq!(
        told,
        "Action,NewLabelId,ActionSource,Application,DeviceName,FileName\n\
         AttemptFailed,,Manual,,,Plan.docx\n\
         LabelDowngraded,,Auto,Word,PC-1,Offer\n"
    );
}

#[test]
fn rows_of_the_label_analytics_say_their_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = [
        r#""Activity_s":"RemoveLabel","ResultStatus_s":"Failed""#,
        r#""Activity_s":"RemoveLabel","ResultStatus_s":"Succeeded","LabelIdBeforeAction_g":"AA000000-0000-4000-8000-00000000000A""#,
        r#""Activity_s":"AccessDenied","ResultStatus_s":"Failed""#,
    ];
    let columns = "\"Action\", \"OldLabelId\"";
    let told = said(folder.path(), "analytics", &events, columns);
    assert_eq!(
        told,
        "Action,OldLabelId\n\
         AttemptFailed,\n\
         LabelRemoved,aa000000-0000-4000-8000-00000000000a\n\
         AccessDenied,\n"
    );
}
