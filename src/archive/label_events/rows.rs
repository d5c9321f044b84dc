//! Label actions of tables that have a row for an action and no audit record: Sentinel's Purview connector, Defender XDR's data security events, the
//! activity explorer, and Sentinel's table of Copilot.

use std::borrow::Cow;

use super::event::Event;
use crate::archive::fields::{Fields, file_name, first, truth};
use crate::catalog::{EXTRA, TIME, audit, copilot, explorer, labels, places};
use crate::text::address;

/// Where a row has what it says of a mail.
const MAIL_INFO: &str = "EmailInfo";

/// What set the label, of rows that say it by what they are or by the mode of an application.
fn set_by(record_type: i32, mode: Option<&str>) -> Option<&'static str> {
    match record_type {
        labels::FIRST_OF_MAIL => labels::mode(mode?),
        number => labels::BY_SERVICE.contains(&number).then_some("Auto"),
    }
}

/// A row of Sentinel's table of the same records. Of the two of a mail it has one that another source may lack.
pub(super) fn purview<'b>(fields: &Fields<'b>, row: usize) -> Option<Event<'b>> {
    /// Type of signs of life.
    const ALIVE: i32 = 97;
    let text = |name: &str| fields.text(name, row);
    let said = |name: &str| text(name).filter(|t| !t.is_empty());
    let below = |name: &str, key: &str| fields.below(name, key, row);
    let record_type = fields.int("RecordType", row);
    let operation = text("Operation");
    let passed_over = matches!(record_type, Some(labels::SECOND_OF_MAIL | ALIVE));
    if passed_over || operation == Some(labels::HEARTBEAT) {
        return None;
    }
    let truth_of = |one: (&str, &str), other: (&str, &str)| {
        let found = below(one.0, one.1).or_else(|| below(other.0, other.1));
        truth(found.as_deref())
    };
    let owners = [
        below("ProtectionEventData", "ProtectionOwner"),
        below("CurrentProtectionType", "owner"),
        below("PreviousProtectionType", "owner"),
        text("SensitivityLabelOwnerEmail").map(Cow::Borrowed),
    ];
    let path = text("ObjectId");
    // Records of the labelling client say both below `Common`.
    let common = |key: &str| below("Common", key).filter(|t| !t.is_empty());
    Some(Event {
        time: fields.time(TIME, row),
        kind: labels::what_happened(record_type, operation, text("ResultStatus")),
        event_type: text("LabelEventType")
            .and_then(labels::event_type)
            .map(Cow::Borrowed),
        operation: operation.map(Cow::Borrowed),
        user: text("UserId").map(Cow::Borrowed),
        user_type: text("UserType").and_then(audit::user_type),
        file: said("ItemName")
            .map(Cow::Borrowed)
            .or_else(|| below(MAIL_INFO, "Subject").filter(|t| !t.is_empty()))
            .or(path.map(|path| Cow::Borrowed(file_name(path)))),
        path: path.map(Cow::Borrowed),
        old_label: text("OldSensitivityLabelId").and_then(labels::id),
        new_label: text("SensitivityLabelId").and_then(labels::id),
        new_name: said("LabelName").map(Cow::Borrowed),
        justification: said("JustificationText").map(Cow::Borrowed),
        action_source: said("ActionSource")
            .map(labels::action_source)
            .or_else(|| set_by(record_type?, said("ApplicationMode")))
            .map(Cow::Borrowed),
        protected: truth_of(
            ("ProtectionEventData", "IsProtected"),
            ("CurrentProtectionType", "documentEncrypted"),
        ),
        protected_before: truth_of(
            ("ProtectionEventData", "IsProtectedBefore"),
            ("PreviousProtectionType", "documentEncrypted"),
        ),
        owner: owners.into_iter().flatten().find(|owner| !owner.is_empty()),
        application: common("ApplicationName")
            .or_else(|| said("Application").map(Cow::Borrowed))
            .or_else(|| common("ProcessName")),
        device: common("DeviceName").or_else(|| said("DeviceName").map(Cow::Borrowed)),
        site: below("SharePointMetaData", "SiteCollectionUrl")
            .and_then(|site| places::site(&site))
            .or_else(|| places::site_of(path?))
            .map(Cow::Owned),
        address: text("ClientIP").and_then(address::clean).map(Cow::Owned),
        workload: text("Workload").map(Cow::Borrowed),
        record_type,
        source: "MicrosoftPurviewInformationProtection",
        id: text("Id").map(Cow::Borrowed),
        key: text("Id").and_then(audit::event_key),
        rank: "3".into(),
        ..Event::default()
    })
}

/// A row of Defender XDR's data security events, where its activity is about a label. One row may be of files with several labels, which are no
/// label that a list could name.
pub(super) fn secured<'b>(fields: &Fields<'b>, row: usize) -> Option<Event<'b>> {
    let text = |name: &str| fields.text(name, row);
    let said = |name: &str| text(name).filter(|t| !t.is_empty());
    let mut spelled = ["Operation", "ActionType"].into_iter().filter_map(said);
    let operation = spelled.find(|name| labels::secured(name).is_some())?;
    let one = |name: &str| labels::id(said(name).filter(|ids| !ids.contains(','))?);
    let path = first([text("ObjectId"), text("TargetFilePath")]);
    let kind = labels::secured(operation).unwrap_or(labels::OTHER);
    let old_label = one("PreviousSensitivityLabelId");
    // Of a label that was removed both columns may have the id.
    let new_label = one("SensitivityLabelId");
    let new_label = new_label.filter(|new| kind != "removed" || old_label.as_ref() != Some(new));
    Some(Event {
        time: fields.time(TIME, row),
        kind,
        event_type: labels::secured_type(operation).map(Cow::Borrowed),
        operation: Some(Cow::Borrowed(operation)),
        user: said("AccountUpn").map(Cow::Borrowed),
        file: said("ObjectName")
            .or(path.map(file_name))
            .map(Cow::Borrowed),
        path: path.map(Cow::Borrowed),
        old_label,
        new_label,
        application: said("ApplicationNames").map(Cow::Borrowed),
        device: said("DeviceName").map(Cow::Borrowed),
        site: said("SiteUrl")
            .and_then(places::site)
            .or_else(|| places::site_of(path?))
            .map(Cow::Owned),
        site_label: one("SharepointSiteSensitivityLabelIds"),
        address: text("IPAddress").and_then(address::clean).map(Cow::Owned),
        workload: text("Workload").map(Cow::Borrowed),
        source: "DataSecurityEvents",
        id: text("ActivityId").map(Cow::Borrowed),
        key: text("ActivityId").and_then(audit::event_key),
        rank: "4".into(),
        ..Event::default()
    })
}

/// A row of the activity explorer. Its labels are ids, and names where somebody exported what the portal shows.
pub(super) fn explored<'b>(fields: &Fields<'b>, row: usize) -> Option<Event<'b>> {
    let text = |name: &str| fields.text(name, row);
    let said = |name: &str| text(name).filter(|t| !t.is_empty());
    let beside = |name: &str| fields.below(EXTRA, name, row).filter(|t| !t.is_empty());
    let activity = said("Activity")?;
    let labelled = text("SensitivityLabel").and_then(labels::id).is_some();
    let of_file = || explorer::of_labelled(activity).filter(|_| labelled);
    let kind = explorer::activity(activity).or_else(of_file)?;
    let path = first([text("FilePath"), text("TargetFilePath")]);
    let named = first([text("ItemName"), text("Subject")]);
    Some(Event {
        time: fields.time(TIME, row),
        kind,
        event_type: text("LabelEventType")
            .and_then(labels::event_type)
            .map(Cow::Borrowed),
        operation: Some(Cow::Borrowed(activity)),
        user: said("User").map(Cow::Borrowed),
        user_type: text("UserType").and_then(audit::user_type),
        file: named.or(path.map(file_name)).map(Cow::Borrowed),
        path: path.map(Cow::Borrowed),
        previous_file: beside("PreviousFileName"),
        old_label: text("OldSensitivityLabel").and_then(labels::guid),
        old_name: text("OldSensitivityLabel")
            .and_then(labels::name_instead)
            .map(Cow::Borrowed),
        new_label: text("SensitivityLabel").and_then(labels::guid),
        new_name: text("SensitivityLabel")
            .and_then(labels::name_instead)
            .map(Cow::Borrowed),
        justification: said("Justification").map(Cow::Borrowed),
        action_source: said("HowApplied").map(|how| Cow::Borrowed(labels::action_source(how))),
        protected: fields.bool("IsProtected", row),
        protected_before: fields.bool("IsProtectedBefore", row),
        owner: beside("ProtectionOwner"),
        application: first([text("Application"), text("ProcessName")]).map(Cow::Borrowed),
        device: said("DeviceName").map(Cow::Borrowed),
        site: path.and_then(places::site_of).map(Cow::Owned),
        address: text("ClientIP").and_then(address::clean).map(Cow::Owned),
        workload: text("Workload").map(Cow::Borrowed),
        source: "ActivityExplorer",
        id: text("RecordIdentity").map(Cow::Borrowed),
        key: text("RecordIdentity").and_then(audit::event_key),
        rank: "5".into(),
        ..Event::default()
    })
}

/// A row of Sentinel's table of interactions with Copilot: an event for each document with a label that it read.
pub(super) fn copilot<'b>(fields: &Fields<'b>, row: usize, out: &mut Vec<Event<'b>>) {
    let text = |name: &str| fields.text(name, row);
    let Some(event) = text("LLMEventData") else {
        return;
    };
    for read in copilot::reads(event) {
        let path = copilot::path(&read);
        out.push(Event {
            time: fields.time(TIME, row),
            kind: labels::READ_BY_COPILOT,
            operation: Some(Cow::Borrowed(labels::COPILOT)),
            user: first([text("ActorName"), text("ActorUserId")]).map(Cow::Borrowed),
            user_type: text("ActorUserType").and_then(audit::user_type),
            file: copilot::name(&read).map(Cow::Owned),
            site: path.as_deref().and_then(places::site_of).map(Cow::Owned),
            path: path.map(Cow::Owned),
            new_label: copilot::label(&read).map(Cow::Owned),
            application: first([text("AppHost")]).map(Cow::Borrowed),
            address: text("SrcIpAddr").and_then(address::clean).map(Cow::Owned),
            workload: text("Workload").map(Cow::Borrowed),
            record_type: text("RecordType").and_then(audit::record_type),
            source: "CopilotActivity",
            id: text("RecordId").map(Cow::Borrowed),
            key: text("RecordId").and_then(audit::event_key),
            rank: "6".into(),
            ..Event::default()
        });
    }
}
