//! `LabelEvents` says the type of a label event as its source does, under one name, and rules ask it there.

use std::path::Path;

use serde_json::Value;

use crate::command_line::run;
use crate::label_events::agrees;

fn ended(arguments: &[&str], code: i32) -> String {
    let out = run(arguments);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{arguments:?}: {told}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn done(arguments: &[&str]) -> String {
    ended(arguments, 0)
}

/// An audit record of a changed label; `rest` is what it says of the type.
fn audit(n: u32, user: &str, rest: &str) -> String {
    format!(
        r#"{{"Id":"{n:08x}-0000-4000-8000-00000000000a","CreationTime":"2026-05-01T10:00:00","RecordType":83,"Operation":"SensitivityLabelUpdated","Workload":"PublicEndpoint","UserId":"{user}","UserType":0,"ObjectId":"C:\\Plan.docx","OldSensitivityLabelId":"aa000000-0000-4000-8000-00000000000a","SensitivityLabelId":"bb000000-0000-4000-8000-00000000000b"{rest}}}"#
    )
}

fn purview(n: u32, said: &str) -> String {
    format!(
        r#"{{"TimeGenerated":"2026-05-01T10:00:00Z","Type":"MicrosoftPurviewInformationProtection","Id":"{n:08x}-0000-4000-8000-00000000000b","RecordType":83,"Operation":"SensitivityLabelUpdated","UserId":"ada@contoso.com","ObjectId":"C:\\Plan.docx","OldSensitivityLabelId":"aa000000-0000-4000-8000-00000000000a","SensitivityLabelId":"bb000000-0000-4000-8000-00000000000b","LabelEventType":"{said}"}}"#
    )
}

/// An archive of these files.
fn archive(folder: &Path, files: &[(&str, Vec<String>)]) -> String {
    let archive = folder.join("archive").to_string_lossy().into_owned();
    for (name, lines) in files {
        let file = folder.join(name);
        std::fs::write(&file, lines.join("\n") + "\n").expect("a file");
        done(&["ingest", "-a", &archive, &file.to_string_lossy()]);
    }
    archive
}

#[test]
fn the_type_of_a_label_event_has_one_name_in_all_sources() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = |said: &str| format!(r#","SensitivityLabelEventData":{{"LabelEventType":{said}}}"#);
    let outer = |said: &str| format!(r#","LabelEventType":"{said}""#);
    let audited = [
        inner("1"),
        inner("\"labeldowngraded\""),
        outer("3"),
        outer("LabelChangedSameOrder"),
        outer("Reordered"),
        inner("9"),
        String::new(),
    ];
    let audited = (1..).zip(audited);
    let audited = audited.map(|(n, rest)| audit(n, "ada@contoso.com", &rest));
    let analytics = r#"{"TimeGenerated":"2026-05-01T10:00:00Z","Type":"InformationProtectionLogs_CL","LogId_g":"00000001-0000-4000-8000-00000000000c","UserId_s":"ada@contoso.com","ObjectId_s":"C:\\Plan.docx","Activity_s":"UpgradeLabel"}"#;
    let secured = r#"{"TimeGenerated":"2026-05-01T10:00:00Z","Type":"DataSecurityEvents","ActivityId":"00000001-0000-4000-8000-00000000000d","AccountUpn":"ada@contoso.com","ObjectId":"C:\\Plan.docx","ActionType":"Label removed"}"#;
    let files = [
        ("audit.json", audited.collect()),
        ("purview.json", vec![purview(1, "4"), purview(2, "")]),
        ("analytics.json", vec![analytics.to_string()]),
        ("secured.json", vec![secured.to_string()]),
    ];
    let archive = archive(folder.path(), &files);
    let query = "SELECT LabelEventType, Action FROM LabelEvents \
                 ORDER BY right(EventId, 1), EventId";
    assert_eq!(
        done(&["sql", "-a", &archive, "-f", "csv", query]),
        "LabelEventType,Action\n\
         LabelUpgraded,LabelUpgraded\n\
         LabelDowngraded,LabelDowngraded\n\
         LabelRemoved,LabelRemoved\n\
         LabelChangedSameOrder,LabelChanged\n\
         Reordered,LabelChanged\n\
         9,LabelChanged\n\
         ,LabelChanged\n\
         LabelChangedSameOrder,LabelChanged\n\
         ,LabelChanged\n\
         LabelUpgraded,LabelUpgraded\n\
         LabelRemoved,LabelRemoved\n"
    );
    // The view says the same of events that nothing was derived from.
    assert_eq!(agrees(Path::new(&archive), "types").len(), 11);
    done(&["verify", "-a", &archive]);
    let columns = done(&["tables", "--columns", "LabelEvents"]);
    assert!(columns.contains("LabelEventType"), "{columns}");
}

#[test]
fn a_change_in_the_same_rank_is_judged_wherever_it_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let same = r#","SensitivityLabelEventData":{"LabelEventType":"4"}"#;
    let files = [
        (
            "audit.json",
            vec![
                audit(1, "ada@contoso.com", same),
                audit(2, "ada@contoso.com", r#","LabelEventType":"5""#),
                audit(3, "app@sharepoint", ""),
                audit(
                    4,
                    "app@sharepoint",
                    r#","LabelEventType":"labelchangedsameorder""#,
                ),
            ],
        ),
        (
            "purview.json",
            vec![purview(1, "LabelChangedSameOrder"), purview(2, "")],
        ),
    ];
    let archive = archive(folder.path(), &files);
    // A rule lacks its watchlist.
    let out = ended(&["hunt", "-a", &archive, "-f", "json"], 20);
    let hunt: Value = serde_json::from_str(&out).expect("JSON");
    let rules = hunt["rules"].as_array().expect("rules");
    let unjudged = |id: &str| {
        let rule = rules.iter().find(|rule| rule["id"] == id);
        rule.expect("a built-in rule")["unjudged"]["count"].as_u64()
    };
    for id in [
        "label-downgraded",
        "label-removed-then-shared-or-downloaded",
        "mass-label-removal-or-downgrade",
        "downgrade-justification-missing-or-one-word",
    ] {
        assert_eq!(unjudged(id), Some(2), "{id}");
    }
    assert_eq!(unjudged("label-removed-by-app"), Some(1));
    assert_eq!(unjudged("risky-signin-then-label-removal"), Some(3));
}

/// The columns of derived rows, as the newest commit that tells them has them.
fn columns(log: &Path) -> Vec<String> {
    let mut newest = Vec::new();
    for version in 0.. {
        let Ok(commit) = std::fs::read_to_string(log.join(format!("{version:020}.json"))) else {
            return newest;
        };
        let actions = commit.lines().map(|line| {
            let action: Value = serde_json::from_str(line).expect("JSON");
            action["metaData"]["schemaString"]
                .as_str()
                .map(str::to_string)
        });
        for schema in actions.flatten() {
            let schema: Value = serde_json::from_str(&schema).expect("JSON");
            let fields = schema["fields"].as_array().expect("columns");
            let names = fields.iter().filter_map(|f| f["name"].as_str());
            newest = names.map(str::to_string).collect();
        }
    }
    newest
}

#[test]
fn a_column_that_derived_rows_have_no_more_goes_with_the_older_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [("audit.json", vec![audit(1, "ada@contoso.com", "")])];
    let archive = archive(folder.path(), &files);
    let log = Path::new(&archive).join("LabelEvents/_delta_log");
    let first = log.join("00000000000000000000.json");
    let commit = std::fs::read_to_string(&first).expect("a commit");
    let column = |name: &str, of: &str| format!(r#"\"name\":\"{name}\",\"type\":\"{of}\""#);
    let (now, before) = (
        column("LabelEventType", "string"),
        column("EventType", "integer"),
    );
    assert!(commit.contains(&now), "{commit}");
    std::fs::write(&first, commit.replace(&now, &before)).expect("a commit");
    let has = |name: &str| columns(&log).iter().any(|column| column == name);
    assert!(has("EventType") && !has("LabelEventType"));
    // It is no damage.
    done(&["verify", "-a", &archive]);
    done(&["archive", "rebuild", "-a", &archive]);
    assert!(!has("EventType") && has("LabelEventType"));
    done(&["verify", "-a", &archive]);
}
