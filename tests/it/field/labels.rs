//! Labels: lists as they are exported, downgrades that hide, and rules over them.

use super::{Case, record, text};

const PUBLIC: &str = "22222222-0000-4000-8000-000000000001";
const GENERAL: &str = "22222222-0000-4000-8000-000000000002";
const SECRET: &str = "22222222-0000-4000-8000-000000000003";

/// A downgrade, an upgrade and a removal.
fn changes() -> String {
    [
        (1, "FileSensitivityLabelChanged", SECRET, Some(PUBLIC)),
        (2, "FileSensitivityLabelChanged", PUBLIC, Some(SECRET)),
        (3, "FileSensitivityLabelRemoved", GENERAL, None),
    ]
    .map(|(n, operation, old, new)| {
        let new = new.map_or(String::new(), |id| {
            format!(r#","SensitivityLabelId":"{id}""#)
        });
        let more = format!(r#","SourceFileName":"f{n}.docx","OldSensitivityLabelId":"{old}"{new}"#);
        record(n, &format!("2026-06-08T08:0{n}:00"), operation, &more) + "\n"
    })
    .concat()
}

const EVENTS: &str = "SELECT \"FileName\", \"Action\", \"OldLabelName\", \"NewLabelName\" FROM LabelEvents ORDER BY 1";

#[test]
fn a_downgrade_in_an_answer_of_power_bi_is_a_label_event() {
    let page = format!(
        r#"{{"activityEventEntities":[{{"CreationTime":"2026-05-05T10:00:00","Id":"b1","Operation":"ViewReport","RecordType":20,"Workload":"PowerBI","UserId":"ada@contoso.com","ItemName":"Sales"}},{{"CreationTime":"2026-05-05T10:05:00","Id":"b2","Operation":"SensitivityLabelChanged","RecordType":20,"Workload":"PowerBI","UserId":"ada@contoso.com","ItemName":"Sales","ArtifactKind":"Report","LabelEventType":"LabelDowngraded","SensitivityLabelId":"{PUBLIC}","OldSensitivityLabelId":"{SECRET}"}}],"continuationUri":"https://api.powerbi.com/x","lastResultSet":false}}"#
    );
    let case = Case::of(&[("PowerBIActivity.json", &page)]);
    case.says(0, "records      2");
    assert_eq!(
        case.audit(),
        [
            "b1|2026-05-05T10:00:00Z|ViewReport",
            "b2|2026-05-05T10:05:00Z|SensitivityLabelChanged",
        ]
    );
    assert_eq!(
        case.ask(
            "SELECT \"Action\", \"FileName\", \"OldLabelId\", \"NewLabelId\" FROM LabelEvents"
        ),
        [format!("LabelDowngraded|Sales|{SECRET}|{PUBLIC}")]
    );
    let (_, found) = case.command(&["hunt", "--ignore-missing"]);
    assert!(found.contains("label-downgraded"), "{found}");
}

#[test]
fn labels_straight_from_powershell_name_events_and_stop_no_question() {
    let list = format!(
        "\"DisplayName\",\"ImmutableId\",\"Priority\",\"ParentId\",\"ContentType\"\n\
         \"Public\",\"{PUBLIC}\",\"0\",\"\",\"File, Email\"\n\
         \"General\",\"{GENERAL}\",\"1\",\"\",\"File, Email\"\n\
         \"Secret\",\"{SECRET}\",\"2\",\"\",\"File, Email\"\n"
    );
    let case = Case::of(&[
        ("labels.jsonl", &changes()),
        ("watchlists/Labels.csv", &list),
    ]);
    case.says(0, "DisplayName is Name, ImmutableId is Id");
    assert_eq!(
        case.ask(EVENTS),
        [
            "f1.docx|LabelDowngraded|Secret|Public",
            "f2.docx|LabelUpgraded|Public|Secret",
            "f3.docx|LabelRemoved|General|",
        ]
    );
    for question in [
        &["tables"][..],
        &["sql", "SELECT count(*) FROM UnifiedAuditLog"],
        &["kql", "UnifiedAuditLog | count"],
        &["kql", "_GetWatchlist('Labels') | count"],
        &["hunt", "--ignore-missing"],
        &["gaps"],
        &["verify"],
    ] {
        let (code, said) = case.command(question);
        assert_eq!(code, Some(0), "{question:?}: {said}");
    }
}

#[test]
fn a_label_that_stands_twice_in_the_list_doubles_no_row() {
    let list = format!(
        "Id,Name,Rank,Parent\n{PUBLIC},Public,0,\n{GENERAL},,1,\n{SECRET},Secret,2,\n{SECRET},,2,\n"
    );
    let case = Case::of(&[
        ("labels.jsonl", &changes()),
        ("watchlists/Labels.csv", &list),
    ]);
    assert_eq!(case.code, Some(0), "{}", case.said);
    assert_eq!(
        case.ask(EVENTS),
        [
            "f1.docx|LabelDowngraded|Secret|Public",
            "f2.docx|LabelUpgraded|Public|Secret",
            "f3.docx|LabelRemoved||",
        ]
    );
    let (_, found) = case.command(&["hunt", "--ignore-missing", "-f", "csv"]);
    let lowered = found.matches(",label-downgraded,").count();
    assert_eq!(lowered, 1, "{found}");
}

#[test]
fn a_query_over_an_empty_table_of_labels_names_the_one_with_the_events() {
    let case = Case::of(&[("labels.jsonl", &changes())]);
    let (code, said) = case.command(&[
        "kql",
        "MicrosoftPurviewInformationProtection \
         | where isnotempty(OldSensitivityLabelId) and OldSensitivityLabelId != SensitivityLabelId \
         | project TimeGenerated, UserId, ItemName, ObjectId, OldSensitivityLabelId",
    ]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(
            "`LabelEvents` has events of the kind of `MicrosoftPurviewInformationProtection`"
        ),
        "{said}"
    );
}

#[test]
fn a_rule_of_sentinel_is_asked_and_a_hunt_says_that_it_cannot_run_it() {
    let rule = r#"id: 7b907bf7-77d4-41d0-a208-5643ff75bf9a
name: Inbox rule that hides
severity: Medium
queryFrequency: 1d
queryPeriod: 14d
triggerOperator: gt
triggerThreshold: 0
query: |
  OfficeActivity
  | where Operation =~ "New-InboxRule" and Parameters has "RSS Feeds"
  | extend Events = todynamic(Parameters)
  | parse Events with * "SubjectOrBodyContainsWords" Words '}' *
  | where Words has_any (dynamic(["invoice", "payment"]))
  | extend Address = case(ClientIP has ".", tostring(split(ClientIP, ":")[0]), ClientIP)
  | extend Rule = tostring(split(OfficeObjectId, '\\')[-1])
  | summarize count(), First = min(TimeGenerated) by Operation, UserId, Address, Rule
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserId
version: 2.0.5
kind: Scheduled
"#;
    let event = r#"{"CreationTime":"2026-06-11T08:00:00","Id":"b1","Operation":"New-InboxRule","RecordType":1,"Workload":"Exchange","ClientIP":"203.0.113.7:53108","UserId":"eve@contoso.com","ResultStatus":"True","ObjectId":"eve\\..","Parameters":[{"Name":"Name","Value":".."},{"Name":"SubjectOrBodyContainsWords","Value":"invoice;payment"},{"Name":"MoveToFolder","Value":"RSS Feeds"}]}"#;
    let case = Case::of(&[("exchange.jsonl", event)]);
    let file = case.folder.path().join("rule.yaml");
    std::fs::write(&file, rule).expect("a file");
    let file = text(&file);
    let (code, said) = case.command(&["kql", "-f", "csv", "-F", &file]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with(
            "Operation,UserId,Address,Rule,count_,First\n\
             New-InboxRule,eve@contoso.com,203.0.113.7,..,1,2026-06-11T08:00:00Z\n"
        ),
        "{said}"
    );
    assert!(said.contains("looks back 14d"), "{said}");
    let (code, said) = case.command(&["hunt", "-r", &file]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("1 finding (1 medium) from 1 rule\n"),
        "{said}"
    );
    assert!(said.contains("eve@contoso.com"), "{said}");
}
