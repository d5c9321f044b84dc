//! Every source and spelling of a label event lands in `LabelEvents` with what it says: action, how, names and ranks of labels, reason, application,
//! device, site, owner and address.

use std::path::{Path, PathBuf};

use crate::command_line::run;
use crate::label_events::agrees;
use crate::{ask, ingest};

const PUBLIC: &str = "aa000000-0000-4000-8000-000000000001";
const INTERNAL: &str = "bb000000-0000-4000-8000-000000000002";
const SECRET: &str = "cc000000-0000-4000-8000-000000000003";
const SITE: &str = "https://contoso.sharepoint.com/sites/legal";

/// What is asked of each event.
const ASKED: &str = "SELECT \"EventId\", \"Action\", \"ActionSource\", \"FileName\", \"SiteUrl\", \"OldLabelName\", \"OldLabelRank\", \
    \"NewLabelName\", \"NewLabelRank\", \"Justification\", \"Application\", \"DeviceName\", \"Owner\", \"IPAddress\", \"SourceTable\" \
    FROM LabelEvents ORDER BY \"EventId\", \"FileName\"";

/// A source, what its record says beside its id, time and user, and what becomes of it: columns as asked, the id left out.
type Spelling = (&'static str, &'static str, &'static [&'static str]);

const ON_PC: &str = r#""Workload":"PublicEndpoint","ObjectId":"C:\\Users\\ada\\Plan.docx","ClientIP":"192.0.2.1","Application":"Word","DeviceName":"PC-1""#;
const IN_SITE: &str = r#""RecordType":6,"Workload":"SharePoint","ObjectId":"$U/Docs/Plan.docx","SiteUrl":"$U/","SourceFileName":"Plan.docx","ClientIP":"192.0.2.1""#;

/// Audit records.
const AUDIT: &[Spelling] = &[
    // Office on devices.
    (
        "audit",
        r#"$PC,"RecordType":83,"Operation":"SensitivityLabelApplied","SensitivityLabelEventData":{"SensitivityLabelId":"$S","ActionSource":3}"#,
        &["LabelApplied|Manual|Plan.docx||||Secret|2||Word|PC-1||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$PC,"RecordType":83,"Operation":"SensitivityLabelUpdated","CurrentProtectionType":{"owner":"owner@contoso.com","documentEncrypted":false},"SensitivityLabelEventData":{"SensitivityLabelId":"$P","OldSensitivityLabelId":"$S","LabelEventType":2,"ActionSource":3,"JustificationText":"no longer secret"}"#,
        &[
            "LabelDowngraded|Manual|Plan.docx||Secret|2|Public|0|no longer secret|Word|PC-1|owner@contoso.com|192.0.2.1|UnifiedAuditLog",
        ],
    ),
    (
        "audit",
        r#"$PC,"RecordType":83,"Operation":"SensitivityLabelRemoved","SensitivityLabelEventData":{"OldSensitivityLabelId":"$S","LabelEventType":3,"ActionSource":4}"#,
        &["LabelRemoved|Recommended|Plan.docx||Secret|2||||Word|PC-1||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$PC,"RecordType":83,"Operation":"SensitivityLabelPolicyMatched","SensitivityLabelEventData":{"SensitivityLabelId":"$I","ActionSource":1}"#,
        &["PolicyMatched|Default|Plan.docx||||Internal|1||Word|PC-1||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$PC,"RecordType":84,"Operation":"SensitivityLabeledFileOpened","LabelId":"$I""#,
        &["FileOpened||Plan.docx||||Internal|1||Word|PC-1||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$PC,"RecordType":84,"Operation":"SensitivityLabeledFileRenamed","LabelId":"$I","PreviousFileName":"Old.docx""#,
        &["FileRenamed||Plan.docx||||Internal|1||Word|PC-1||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$PC,"RecordType":84,"Operation":"SensitivityLabelFileRead","LabelId":"$I""#,
        &["FileOpened||Plan.docx||||Internal|1||Word|PC-1||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$PC,"RecordType":84,"Operation":"SensitivityLabelPolicyChanged""#,
        &["Other||Plan.docx|||||||Word|PC-1||192.0.2.1|UnifiedAuditLog"],
    ),
    // The labelling client and its scanner.
    (
        "audit",
        r#""RecordType":94,"Operation":"SensitivityLabelUpdated","Workload":"Aip","ObjectId":"\\\\srv\\share\\Plan.docx","Common":{"ApplicationName":"Labeler","DeviceName":"PC-1","ProcessName":"WINWORD"},"ProtectionEventData":{"ProtectionOwner":"owner@contoso.com","IsProtected":true},"SensitivityLabelEventData":{"SensitivityLabelId":"$S","OldSensitivityLabelId":"$P","LabelEventType":1,"ActionSource":2}"#,
        &[
            "LabelUpgraded|Auto|Plan.docx||Public|0|Secret|2||Labeler|PC-1|owner@contoso.com||UnifiedAuditLog",
        ],
    ),
    (
        "audit",
        r#""RecordType":95,"Operation":"Protect","Workload":"Aip","ObjectId":"C:\\Plan.docx","Common":{"ProcessName":"MSIP.App"}"#,
        &["ProtectionChanged||Plan.docx|||||||MSIP.App||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":93,"Operation":"Discover","Workload":"Aip","ObjectId":"C:\\Plan.docx","SensitivityLabelEventData":{"SensitivityLabelId":"$I"}"#,
        &["FileDiscovered||Plan.docx||||Internal|1||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":96,"Operation":"FileDeleted","Workload":"Aip","ObjectId":"C:\\Plan.docx","SensitivityLabelEventData":{}"#,
        &["FileDeleted||Plan.docx|||||||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":97,"Operation":"HeartBeat","Workload":"Aip""#,
        &[],
    ),
    // SharePoint, OneDrive, Office for the web.
    (
        "audit",
        r#"$IN,"Operation":"FileSensitivityLabelApplied","DestinationLabel":"$S","UserAgent":"MSWAC""#,
        &["LabelApplied||Plan.docx|$U|||Secret|2||Office for the web|||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$IN,"Operation":"FileSensitivityLabelChanged","SourceLabel":"$S","DestinationLabel":"$I","SensitivityLabelJustificationText":"agreed","SensitivityLabelOwnerEmail":"owner@contoso.com""#,
        &[
            "LabelDowngraded||Plan.docx|$U|Secret|2|Internal|1|agreed|||owner@contoso.com|192.0.2.1|UnifiedAuditLog",
        ],
    ),
    (
        "audit",
        r#"$IN,"Operation":"FileSensitivityLabelRemoved","SensitivityLabelEventData":{"OldSensitivityLabelId":"$S"},"ApplicationDisplayName":"App""#,
        &["LabelRemoved||Plan.docx|$U|Secret|2||||App|||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$IN,"Operation":"FileSensitivityLabelChangedFailed","SourceLabel":"$S""#,
        &["AttemptFailed||Plan.docx|$U|Secret|2|||||||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "audit",
        r#"$IN,"Operation":"DocumentSensitivityMismatchDetected","SensitivityLabelId":"$S","SiteSensitivityLabelId":"$P""#,
        &["LabelMismatch||Plan.docx|$U|||Secret|2|||||192.0.2.1|UnifiedAuditLog"],
    ),
    // Sites and groups.
    (
        "audit",
        r#""RecordType":4,"Operation":"SiteSensitivityLabelChanged","Workload":"SharePoint","ObjectId":"$U","ModifiedProperties":[{"Name":"SensitivityLabelId","NewValue":"$I","OldValue":"$S"}]"#,
        &["LabelDowngraded||legal|$U|Secret|2|Internal|1||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":4,"Operation":"SensitivityLabelApplied","Workload":"SharePoint","ObjectId":"$U","ModifiedProperties":[{"Name":"SensitivityLabelId","NewValue":"$I","OldValue":""}]"#,
        &["LabelApplied||legal|$U|||Internal|1||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":8,"Operation":"Assign label to group.","Workload":"AzureActiveDirectory","ObjectId":"Not Available","ModifiedProperties":[{"Name":"DisplayName","NewValue":"[\r\n  \"Sales\"\r\n]","OldValue":"[]"},{"Name":"x"},{"Name":"LabelId","NewValue":"[\r\n  \"$S\"\r\n]","OldValue":"[]"}],"Target":[{"ID":"Group_1","Type":2},{"ID":"1","Type":2},{"ID":"Group","Type":2},{"ID":"Sales","Type":1}]"#,
        &["LabelApplied||Sales||||Secret|2||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":8,"Operation":"Remove label from group.","Workload":"AzureActiveDirectory","ModifiedProperties":[{"Name":"LabelId","NewValue":"[]","OldValue":"[\r\n  \"$S\"\r\n]"}],"Target":[{"ID":"Sales","Type":1}]"#,
        &["LabelRemoved||Sales||Secret|2||||||||UnifiedAuditLog"],
    ),
    // Mails: two records each, of which the first counts.
    (
        "audit",
        r#""RecordType":43,"Operation":"MipLabel","Workload":"Exchange","ObjectId":"<m1@contoso.com>","ItemName":"Offer","LabelId":"$S","LabelName":"Another name","LabelAction":"Encryption","ApplicationMode":"Privileged""#,
        &["LabelApplied|Manual|Offer||||Secret|2||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":13,"Operation":"MipLabel","Workload":"Exchange","ObjectId":"<m1@contoso.com>","PolicyDetails":[{"Rules":[{"RuleId":"$S"}]}]"#,
        &[],
    ),
    (
        "audit",
        r#""RecordType":13,"Operation":"MipLabel","Workload":"Exchange","ObjectId":"<m2@contoso.com>","PolicyDetails":[{"Rules":[{"RuleId":"$P"}]}]"#,
        &["LabelApplied||<m2@contoso.com>||||Public|0||||||UnifiedAuditLog"],
    ),
    // The service that labels by itself.
    (
        "audit",
        r#""RecordType":71,"Operation":"AutoSensitivityLabelRuleMatch","Workload":"SharePoint","ObjectId":"$U/Docs/Plan.docx","SensitivityLabelId":"$I""#,
        &["PolicyMatched|Auto|Plan.docx|$U|||Internal|1||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":75,"Operation":"MipLabel","Workload":"Exchange","ItemName":"Offer","SensitivityLabelId":"$I""#,
        &["LabelApplied|Auto|Offer||||Internal|1||||||UnifiedAuditLog"],
    ),
    // Power BI, Teams, Planner, Viva.
    (
        "audit",
        r#""RecordType":20,"Operation":"SensitivityLabelChanged","Workload":"PowerBI","ItemName":"Sales report","SensitivityLabelEventData":{"SensitivityLabelId":"$S","OldSensitivityLabelId":"$I","ActionSource":2,"LabelEventType":1}"#,
        &["LabelUpgraded|Auto|Sales report||Internal|1|Secret|2||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":206,"Operation":"SensitivityLabelApplied","Workload":"MicrosoftTeams","ItemName":"Board meeting","SensitivityLabelId":"$S""#,
        &["LabelApplied||Board meeting||||Secret|2||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":206,"Operation":"SensitivityLabelUpdated","Workload":"MicrosoftTeams","TeamName":"Sales","SensitivityLabelId":"$S","OldSensitivityLabelId":"$I""#,
        &["LabelUpgraded||Sales||Internal|1|Secret|2||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":231,"Operation":"RosterSensitivityLabelUpdated","Workload":"Planner","ItemName":"Roster","SensitivityLabelId":"$I""#,
        &["LabelChanged||Roster||||Internal|1||||||UnifiedAuditLog"],
    ),
    (
        "audit",
        r#""RecordType":381,"Operation":"VivaLabel","Workload":"Viva","ItemName":"News","SensitivityLabelId":"$I""#,
        &["Other||News||||Internal|1||||||UnifiedAuditLog"],
    ),
    // What Copilot read: an event for each document with a label.
    (
        "audit",
        r#""RecordType":261,"Operation":"CopilotInteraction","Workload":"Copilot","ClientIP":"192.0.2.1","CopilotEventData":{"AppHost":"Word","AccessedResources":[{"Name":"Plan.docx","SiteUrl":"$U/Docs/Plan.docx","SensitivityLabelId":"$S"},{"Name":"Menu.docx"},{"Name":"List.xlsx","SensitivityLabelId":"$P"}]}"#,
        &[
            "ReadByCopilot||List.xlsx||||Public|0||Word|||192.0.2.1|UnifiedAuditLog",
            "ReadByCopilot||Plan.docx|$U|||Secret|2||Word|||192.0.2.1|UnifiedAuditLog",
        ],
    ),
];

/// Other tables.
const TABLES: &[Spelling] = &[
    (
        "app",
        r#""ActionType":"FileSensitivityLabelChanged","Application":"Microsoft SharePoint Online","RawEventData":{"Id":"$ID","RecordType":6,"Operation":"FileSensitivityLabelChanged","Workload":"SharePoint","UserId":"ada@contoso.com","ObjectId":"$U/Docs/Plan.docx","SiteUrl":"$U/","SourceFileName":"Plan.docx","SensitivityLabelEventData":{"SensitivityLabelId":"$P","OldSensitivityLabelId":"$S"}}"#,
        &["LabelDowngraded||Plan.docx|$U|Secret|2|Public|0|||||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "app",
        r#""ActionType":"SensitivityLabelRemoved","AccountId":"ada@contoso.com","ObjectName":"Plan.docx""#,
        &["LabelRemoved||Plan.docx||||||||||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "office",
        r#""Operation":"FileSensitivityLabelRemoved","RecordType":"SharePointFileOperation","OfficeWorkload":"SharePoint","OfficeObjectId":"$U/Docs/Plan.docx","SourceFileName":"Plan.docx","Site_Url":"$U/","ClientIP":"192.0.2.1""#,
        &["LabelRemoved||Plan.docx|$U|||||||||192.0.2.1|UnifiedAuditLog"],
    ),
    (
        "purview",
        r#""RecordType":83,"Operation":"SensitivityLabelUpdated","LabelEventType":"LabelDowngraded","ActionSource":"Manual","JustificationText":"agreed","Application":"Excel","DeviceName":"PC-1","ObjectId":"C:\\a\\Sheet.xlsx","SensitivityLabelId":"$I","OldSensitivityLabelId":"$S","SensitivityLabelOwnerEmail":"owner@contoso.com","ClientIP":"192.0.2.1""#,
        &[
            "LabelDowngraded|Manual|Sheet.xlsx||Secret|2|Internal|1|agreed|Excel|PC-1|owner@contoso.com|192.0.2.1|MicrosoftPurviewInformationProtection",
        ],
    ),
    (
        "purview",
        r#""RecordType":43,"Operation":"MipLabel","ItemName":"Offer","ApplicationMode":"Standard","SensitivityLabelId":"$P""#,
        &["LabelApplied|Auto|Offer||||Public|0||||||MicrosoftPurviewInformationProtection"],
    ),
    (
        "secured",
        r#""ActionType":"Label downgraded on a file","ObjectId":"$U/Docs/Plan.docx","SiteUrl":"$U","SensitivityLabelId":"$I","PreviousSensitivityLabelId":"$S","SharepointSiteSensitivityLabelIds":"$P","ApplicationNames":"Word","DeviceName":"PC-1","IPAddress":"192.0.2.1""#,
        &[
            "LabelDowngraded||Plan.docx|$U|Secret|2|Internal|1||Word|PC-1||192.0.2.1|DataSecurityEvents",
        ],
    ),
    (
        "analytics",
        r#""Activity_s":"DowngradeLabel","ActionSource_s":"Automatic","UserJustification_s":"agreed","LabelId_g":"$P","LabelIdBeforeAction_g":"$S","ProcessName_s":"WINWORD","MachineName_s":"PC-1","ProtectionOwner_s":"owner@contoso.com","IPv4_s":"192.0.2.1","ObjectId_s":"C:\\a\\Plan.docx""#,
        &[
            "LabelDowngraded|Auto|Plan.docx||Secret|2|Public|0|agreed|WINWORD|PC-1|owner@contoso.com|192.0.2.1|InformationProtectionLogs_CL",
        ],
    ),
    (
        "explorer",
        r#""Activity":"LabelChanged","FilePath":"$U/Docs/Plan.docx","Application":"Word","DeviceName":"PC-1","ClientIP":"192.0.2.1","SensitivityLabel":"$S","OldSensitivityLabel":"$P","LabelEventType":"LabelUpgraded","HowApplied":"Recommended","Justification":"as asked""#,
        &[
            "LabelUpgraded|Recommended|Plan.docx|$U|Public|0|Secret|2|as asked|Word|PC-1||192.0.2.1|ActivityExplorer",
        ],
    ),
    (
        "explorer",
        r#""Activity":"FileRead","FilePath":"C:\\a\\Plan.docx","SensitivityLabel":"$I""#,
        &["FileOpened||Plan.docx||||Internal|1||||||ActivityExplorer"],
    ),
    // Of a file without a label it says nothing of labels.
    (
        "explorer",
        r#""Activity":"FileRead","FilePath":"C:\\a\\Plan.docx","SensitivityLabel":"""#,
        &[],
    ),
    (
        "explorer",
        r#""Activity":"LabelRecommended","FilePath":"C:\\a\\Plan.docx""#,
        &["Other||Plan.docx|||||||||||ActivityExplorer"],
    ),
    // As the portal shows labels.
    (
        "explorer",
        r#""Activity":"LabelApplied","FilePath":"C:\\a\\Plan.docx","SensitivityLabel":"Top secret","HowApplied":"Auto""#,
        &["LabelApplied|Auto|Plan.docx||||Top secret|||||||ActivityExplorer"],
    ),
    (
        "copilot",
        r#""RecordType":"CopilotInteraction","AppHost":"Teams","SrcIpAddr":"192.0.2.1","LLMEventData":{"AccessedResources":[{"Name":"Plan.docx","SensitivityLabelId":"$S"}]}"#,
        &["ReadByCopilot||Plan.docx||||Secret|2||Teams|||192.0.2.1|CopilotActivity"],
    ),
];

fn id(n: usize) -> String {
    format!("{n:08}-0000-4000-8000-00000000000a")
}

fn filled(text: &str, n: usize) -> String {
    text.replace("$PC", ON_PC)
        .replace("$IN", IN_SITE)
        .replace("$ID", &id(n))
        .replace("$P", PUBLIC)
        .replace("$I", INTERNAL)
        .replace("$S", SECRET)
        .replace("$U", SITE)
}

/// A record as its source has it.
fn record(source: &str, n: usize, rest: &str) -> String {
    let (id, rest) = (id(n), filled(rest, n));
    let table = |name: &str, own: &str| {
        format!(r#"{{"TimeGenerated":"2026-05-01T10:00:00Z","Type":"{name}",{own},{rest}}}"#)
    };
    let user = "ada@contoso.com";
    match source {
        "audit" => format!(
            r#"{{"Id":"{id}","CreationTime":"2026-05-01T10:00:00","UserId":"{user}","UserType":0,{rest}}}"#
        ),
        "app" => table(
            "CloudAppEvents",
            &format!(r#""ReportId":"1_20892_{id}","IPAddress":"192.0.2.1""#),
        ),
        "office" => table(
            "OfficeActivity",
            &format!(r#""OfficeId":"{id}","UserId":"{user}","UserType":"Regular""#),
        ),
        "purview" => table(
            "MicrosoftPurviewInformationProtection",
            &format!(r#""Id":"{id}","UserId":"{user}""#),
        ),
        "secured" => table(
            "DataSecurityEvents",
            &format!(r#""ActivityId":"{id}","AccountUpn":"{user}""#),
        ),
        "analytics" => table(
            "InformationProtectionLogs_CL",
            &format!(r#""LogId_g":"{id}","UserId_s":"{user}""#),
        ),
        "copilot" => table(
            "CopilotActivity",
            &format!(r#""RecordId":"{id}","ActorName":"{user}""#),
        ),
        _ => format!(
            r#"{{"Happened":"2026-05-01T10:00:00Z","RecordIdentity":"{id}","User":"{user}","UserType":"Regular","Workload":"Endpoint",{rest}}}"#
        ),
    }
}

/// An archive of all of these, a file for each source, with names and ranks of the labels; and what is to be in it.
fn archive(folder: &Path) -> (PathBuf, Vec<String>) {
    let archive = folder.join("archive");
    let mut wanted = Vec::new();
    let mut files: Vec<(&str, Vec<String>)> = Vec::new();
    for (n, &(source, rest, rows)) in (1..).zip(AUDIT.iter().chain(TABLES)) {
        let line = record(source, n, rest);
        match files.iter_mut().find(|(own, _)| *own == source) {
            Some((_, lines)) => lines.push(line),
            None => files.push((source, vec![line])),
        }
        wanted.extend(
            rows.iter()
                .map(|row| format!("{}|{}", id(n), filled(row, n))),
        );
    }
    let mut inputs = Vec::new();
    for (source, lines) in files {
        let file = folder.join(format!("{source}.json"));
        // The activity explorer is exported as one array.
        let text = match source {
            "explorer" => format!("[{}]", lines.join(",")),
            _ => lines.join("\n") + "\n",
        };
        std::fs::write(&file, text).expect("a file");
        inputs.push(file);
    }
    ingest(&archive, &inputs);
    let list = folder.join("labels.csv");
    let rows =
        format!("Id,Name,Rank\n{PUBLIC},Public,0\n{INTERNAL},Internal,1\n{SECRET},Secret,2\n");
    std::fs::write(&list, rows).expect("a list");
    let (place, list) = (archive.to_string_lossy(), list.to_string_lossy());
    let out = run(&["labels", "import", "-a", &place, &list]);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{told}");
    (archive, wanted)
}

#[test]
fn every_spelling_of_a_label_event_says_what_its_source_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, wanted) = archive(folder.path());
    let found = ask(&archive, ASKED);
    for (row, want) in found.iter().zip(&wanted) {
        assert_eq!(row, want);
    }
    assert_eq!(found.len(), wanted.len());
    assert_eq!(
        ask(&archive, "SELECT DISTINCT \"UserId\" FROM LabelEvents"),
        ["ada@contoso.com"]
    );
    assert_eq!(
        ask(
            &archive,
            "SELECT \"SiteLabelId\", count(*) FROM LabelEvents WHERE \"SiteLabelId\" IS NOT NULL GROUP BY 1"
        ),
        [format!("{PUBLIC}|2")]
    );
    let place = archive.to_string_lossy();
    assert_eq!(run(&["verify", "-a", &place]).status.code(), Some(0));
    // The view says the same of events that nothing was derived from.
    assert_eq!(agrees(&archive, "spellings").len(), wanted.len());
}

#[test]
fn an_event_of_the_audit_log_counts_before_what_the_activity_explorer_and_sentinel_say_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let of = |source: &str, wanted: &str| -> String {
        let all = AUDIT.iter().chain(TABLES);
        let mut own = all.filter(|(own, rest, _)| *own == source && rest.contains(wanted));
        let (_, rest, _) = own.next().expect("a spelling");
        record(source, 1, rest)
    };
    let read = |source: &str| of(source, "AccessedResources").replace("00000001-", "00000002-");
    let files = [
        (
            "audit",
            [of("audit", "no longer secret"), read("audit")].join("\n") + "\n",
        ),
        ("explorer", format!("[{}]", of("explorer", "as asked"))),
        ("copilot", read("copilot") + "\n"),
    ];
    let archive = folder.path().join("archive");
    for (name, text) in files {
        let file = folder.path().join(format!("{name}.json"));
        std::fs::write(&file, text).expect("a file");
        ingest(&archive, &[file]);
    }
    assert_eq!(
        ask(
            &archive,
            "SELECT \"Action\", \"FileName\", \"SourceTable\" FROM LabelEvents ORDER BY 1, 2"
        ),
        [
            "LabelDowngraded|Plan.docx|UnifiedAuditLog",
            "ReadByCopilot|List.xlsx|UnifiedAuditLog",
            "ReadByCopilot|Plan.docx|UnifiedAuditLog",
        ]
    );
    agrees(&archive, "copies");
}
