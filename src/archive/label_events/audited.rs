//! Label actions of audit records, whichever table they are in.

use std::borrow::Cow;

use arrow::array::{Array, AsArray};
use chrono::{DateTime, SecondsFormat};

use super::event::Event;
use crate::archive::fields::{Fields, Text, file_name, first, lower, truth};
use crate::catalog::{FINGERPRINT, INGEST_ID, RECORD, TIME, audit, copilot, labels, places};
use crate::text::address;
use crate::text::json::{Place, Raw, find};

/// Where a record has what it says of a mail.
const MAIL_INFO: &str = "EmailInfo";
/// Where a record that is about a document in a site has the site's label.
const SITE_LABEL: &str = "SiteSensitivityLabelId";

/// What sources of audit records have under names of their own.
struct Head<'b> {
    record_type: Option<i32>,
    user_type: Option<i32>,
    operation: Option<&'b str>,
    user: Option<&'b str>,
    path: Option<&'b str>,
    source_file: Option<&'b str>,
    address: Text<'b>,
    id: Option<&'b str>,
    /// The record itself.
    record: Option<&'b str>,
    rank: String,
}

/// What an audit record about a label says: an event, or one for each document with a label that Copilot read.
fn told<'b>(fields: &Fields<'b>, row: usize, head: Head<'b>, out: &mut Vec<Event<'b>>) {
    match head.operation {
        Some(labels::HEARTBEAT) => {}
        Some(labels::COPILOT) => read_by_copilot(fields, row, &head, out),
        _ => out.push(recorded(fields, row, head)),
    }
}

/// The documents with labels that Copilot read. All are of one record, and so of one key.
fn read_by_copilot<'b>(fields: &Fields<'b>, row: usize, head: &Head<'b>, out: &mut Vec<Event<'b>>) {
    let Some(record) = head.record else {
        return;
    };
    for read in copilot::reads(record) {
        let path = copilot::path(&read);
        out.push(Event {
            time: fields.time(TIME, row),
            kind: labels::READ_BY_COPILOT,
            operation: head.operation.map(Cow::Borrowed),
            user: head.user.map(Cow::Borrowed),
            user_type: head.user_type,
            file: copilot::name(&read).map(Cow::Owned),
            site: path.as_deref().and_then(places::site_of).map(Cow::Owned),
            path: path.map(Cow::Owned),
            new_label: copilot::label(&read).map(Cow::Owned),
            application: copilot::host(record).map(Cow::Owned),
            address: head.address.clone(),
            workload: fields.recorded("Workload", row).map(Cow::Borrowed),
            record_type: head.record_type,
            source: "UnifiedAuditLog",
            id: head.id.map(Cow::Borrowed),
            key: head.id.and_then(audit::event_key),
            rank: head.rank.clone(),
            ..Event::default()
        });
    }
}

fn recorded<'b>(fields: &Fields<'b>, row: usize, head: Head<'b>) -> Event<'b> {
    let text = |name: &str| fields.recorded(name, row);
    let said = |names: &[&str]| first(names.iter().map(|name| text(name)));
    let either = |one: &str, other: &str| text(one).or_else(|| text(other));
    let label = |names: &[&str]| names.iter().find_map(|name| labels::id(text(name)?));
    let changed = text("ModifiedProperties");
    let new_label = label(&[
        "SensitivityLabelEventData_SensitivityLabelId",
        "SensitivityLabelId",
        "DestinationLabel",
        "LabelId",
    ]);
    let new_label = new_label.or_else(|| labels::new_of(changed?).map(Cow::Owned));
    let old_label = label(&[
        "SensitivityLabelEventData_OldSensitivityLabelId",
        "OldSensitivityLabelId",
        "SourceLabel",
    ]);
    let event_type = either("SensitivityLabelEventData_LabelEventType", "LabelEventType");
    let named = first([
        text("ItemName"),
        head.source_file,
        text("DestinationFileName"),
    ]);
    let site = said(&["SiteUrl", "Site_Url"]).and_then(places::site);
    Event {
        time: fields.time(TIME, row),
        kind: labels::what_happened(head.record_type, head.operation, text("ResultStatus")),
        event_type: event_type.and_then(labels::event_type).map(Cow::Borrowed),
        operation: head.operation.map(Cow::Borrowed),
        user: head.user.map(Cow::Borrowed),
        user_type: head.user_type,
        file: group_of(&head, either("Target", "AADTarget"))
            .or_else(|| file_of(named, &head))
            .or_else(|| said(&["TeamName"]).map(Cow::Borrowed)),
        path: head.path.map(Cow::Borrowed),
        previous_file: text("PreviousFileName").map(Cow::Borrowed),
        old_label: old_label.or_else(|| labels::old_of(changed?).map(Cow::Owned)),
        new_label: new_label.or_else(|| rule_of(&head).map(lowered)),
        new_name: said(&["LabelName"]).map(Cow::Borrowed),
        justification: said(&[
            "SensitivityLabelEventData_JustificationText",
            "SensitivityLabelJustificationText",
        ])
        .map(Cow::Borrowed),
        action_source: said(&["SensitivityLabelEventData_ActionSource"])
            .map(labels::action_source)
            .or_else(|| set_by(&head))
            .map(Cow::Borrowed),
        protected: truth(either(
            "ProtectionEventData_IsProtected",
            "CurrentProtectionType_documentEncrypted",
        )),
        protected_before: truth(either(
            "ProtectionEventData_IsProtectedBefore",
            "PreviousProtectionType_documentEncrypted",
        )),
        owner: said(&[
            "ProtectionEventData_ProtectionOwner",
            "CurrentProtectionType_owner",
            "PreviousProtectionType_owner",
            "SensitivityLabelOwnerEmail",
        ])
        .map(Cow::Borrowed),
        application: application_of(fields, row).map(Cow::Borrowed),
        device: said(&["Common_DeviceName", "DeviceName"]).map(Cow::Borrowed),
        site: site.or_else(|| places::site_of(head.path?)).map(Cow::Owned),
        site_label: site_label_of(&head),
        address: head.address,
        workload: text("Workload").map(Cow::Borrowed),
        record_type: head.record_type,
        source: "UnifiedAuditLog",
        id: head.id.map(Cow::Borrowed),
        key: head.id.and_then(audit::event_key),
        rank: head.rank,
        ..Event::default()
    }
}

/// The application that a record names, else its process, else what its client is known for.
fn application_of<'b>(fields: &Fields<'b>, row: usize) -> Option<&'b str> {
    let names = [
        "Common_ApplicationName",
        "Application",
        "ApplicationDisplayName",
        "Common_ProcessName",
    ];
    let text = |name: &str| fields.recorded(name, row);
    let named = first(names.iter().map(|name| text(name)));
    named.or_else(|| labels::web_application(text("UserAgent")?))
}

/// What set the label, of records that say it by what they are or by the mode of an application.
fn set_by(head: &Head<'_>) -> Option<&'static str> {
    match head.record_type? {
        labels::FIRST_OF_MAIL => {
            let mode = head
                .record
                .filter(|record| record.contains("ApplicationMode"))?;
            labels::mode(&string(mode, &[Place::Member("ApplicationMode".into())])?)
        }
        number => labels::BY_SERVICE.contains(&number).then_some("Auto"),
    }
}

/// The group that a directory record is about.
fn group_of<'b>(head: &Head<'b>, target: Option<&'b str>) -> Text<'b> {
    let target = target.filter(|_| head.record_type == Some(labels::OF_DIRECTORY));
    target.and_then(places::group_of).map(Cow::Owned)
}

/// The label of the site of which a record says that it is another than the document's.
fn site_label_of<'b>(head: &Head<'b>) -> Text<'b> {
    let record = head.record.filter(|record| record.contains(SITE_LABEL))?;
    let label = string(record, &[Place::Member(SITE_LABEL.into())])?;
    labels::id(&label).map(|id| Cow::Owned(id.into_owned()))
}

/// The label that a rule gave to a mail, in the second record of the mail.
fn rule_of<'b>(head: &Head<'b>) -> Text<'b> {
    if head.record_type != Some(labels::SECOND_OF_MAIL) {
        return None;
    }
    let member = |name: &str| Place::Member(name.into());
    let path = [
        member("PolicyDetails"),
        Place::Element(0),
        member("Rules"),
        Place::Element(0),
        member("RuleId"),
    ];
    string(head.record?, &path)
}

/// The name that a record has for the document or mail, else the last part of its path.
fn file_of<'b>(named: Option<&'b str>, head: &Head<'b>) -> Text<'b> {
    let named = named.map(Cow::Borrowed).or_else(|| subject_of(head));
    named.or_else(|| head.path.map(|path| Cow::Borrowed(file_name(path))))
}

/// The subject of a mail that was labelled where it was written.
fn subject_of<'b>(head: &Head<'b>) -> Text<'b> {
    let record = head.record.filter(|record| record.contains(MAIL_INFO))?;
    let path = [
        Place::Member(MAIL_INFO.into()),
        Place::Member("Subject".into()),
    ];
    string(record, &path).filter(|subject| !subject.is_empty())
}

fn string<'b>(record: &'b str, path: &[Place]) -> Text<'b> {
    match Raw::of(find(record, path)?) {
        text @ Raw::Text { .. } => text.text(),
        _ => None,
    }
}

fn lowered(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => lower(text),
        Cow::Owned(text) => Cow::Owned(text.to_lowercase()),
    }
}

pub(super) fn audited<'b>(fields: &Fields<'b>, row: usize, out: &mut Vec<Event<'b>>) {
    let text = |name: &str| fields.text(name, row);
    let head = Head {
        record_type: fields.int("RecordType", row),
        user_type: fields.int("UserType", row),
        operation: text("Operation"),
        user: text("UserId"),
        path: text("ObjectId"),
        source_file: text("SourceFileName"),
        address: text("IPAddress").map(Cow::Borrowed),
        id: text("Id"),
        record: text("AuditData"),
        rank: "0".into(),
    };
    told(fields, row, head, out);
}

/// A row of OfficeActivity has the fields of its record, not the record itself.
pub(super) fn office<'b>(fields: &Fields<'b>, row: usize, out: &mut Vec<Event<'b>>) {
    let text = |name: &str| fields.text(name, row);
    let record_type = text("RecordType").and_then(audit::record_type);
    if !labels::is_label(record_type, text("Operation")) {
        return;
    }
    let addresses = ["ClientIP", "Client_IPAddress", "ActorIpAddress"];
    let mut addresses = addresses
        .iter()
        .filter_map(|name| address::clean(text(name)?));
    let head = Head {
        record_type,
        user_type: text("UserType").and_then(audit::user_type),
        operation: text("Operation"),
        user: text("UserId"),
        path: text("OfficeObjectId"),
        source_file: text("SourceFileName"),
        address: addresses.next().map(Cow::Owned),
        id: text("OfficeId"),
        record: None,
        rank: "1".into(),
    };
    told(fields, row, head, out);
}

/// A row of CloudAppEvents, which may have a record or speak for itself.
pub(super) fn app<'b>(fields: &Fields<'b>, row: usize, out: &mut Vec<Event<'b>>) {
    let text = |name: &str| fields.text(name, row);
    let has_record = text("RawEventData_Id").is_some() && text("RawEventData_Operation").is_some();
    let said = |recorded: &str, instead: &[&str]| {
        let mut instead = instead.iter().filter(|_| !has_record);
        let recorded = text(recorded);
        recorded.or_else(|| instead.find_map(|name| text(name)))
    };
    let address = text("RawEventData_ClientIP").and_then(address::clean);
    let report = text("ReportId").map(str::trim);
    let rank = match report.filter(|report| !report.is_empty()) {
        Some(report) => report.to_string(),
        None => place_of(fields, row),
    };
    let head = Head {
        record_type: fields.int("RawEventData_RecordType", row),
        user_type: fields.int("RawEventData_UserType", row),
        operation: said("RawEventData_Operation", &["ActionType"]),
        user: said("RawEventData_UserId", &["AccountId", "AccountDisplayName"]),
        path: said("RawEventData_ObjectId", &["ObjectId"]),
        source_file: said("RawEventData_SourceFileName", &["ObjectName"]),
        address: address
            .or_else(|| address::clean(text("IPAddress")?))
            .map(Cow::Owned),
        id: app_id(text("RawEventData_Id"), text("ReportId")),
        record: text("RawEventData"),
        rank: format!("2{}{rank}", if has_record { '0' } else { '1' }),
    };
    let before = out.len();
    told(fields, row, head, out);
    for event in &mut out[before..] {
        event.country = text("CountryCode").map(Cow::Borrowed);
    }
}

/// Id of the audit record of a CloudAppEvents row: its own, else the end of `ReportId` (`<n>_<application>_<Id>`).
pub fn app_id<'b>(id: Option<&'b str>, report: Option<&'b str>) -> Option<&'b str> {
    if let Some(id) = id.filter(|id| !id.trim_matches(' ').is_empty()) {
        return Some(id);
    }
    let mut parts = report?.splitn(3, '_');
    let mut number = || {
        let part = parts.next()?;
        (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())).then_some(())
    };
    number()?;
    number()?;
    parts
        .next()
        .filter(|id| id.chars().count() == 36 && !id.contains('\n'))
}

/// By which rows of one event are told apart that have no ReportId: their time, and their content. Where they came from depends on the order of the
/// ingests and is asked last, of rows that say the same.
fn place_of(fields: &Fields<'_>, row: usize) -> String {
    let time = fields.time(TIME, row);
    let time = time.and_then(DateTime::from_timestamp_micros);
    let time = time.map(|t| t.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let prints = fields.column(FINGERPRINT);
    let prints = prints.and_then(|c| c.as_binary_opt::<i32>());
    let print = prints.filter(|p| p.is_valid(row));
    let print = print.map(|p| hex::encode(p.value(row)));
    let number = |name| fields.long(name, row).unwrap_or_default();
    format!(
        "{} {} {}:{}",
        time.unwrap_or_default(),
        print.unwrap_or_default(),
        number(INGEST_ID),
        number(RECORD)
    )
}
