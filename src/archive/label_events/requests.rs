//! Requests for protected documents, of Azure Information Protection's analytics and of the logs of the Rights Management service.

use std::borrow::Cow;

use arrow::compute::kernels::cast_utils::string_to_datetime;
use chrono::Utc;

use super::event::Event;
use crate::archive::fields::{Fields, Text, file_name, first, lower};
use crate::catalog::{EXTRA, TIME, audit, labels, places};
use crate::text::address;

/// Services of Microsoft that ask for themselves.
const SERVICE: &str = "microsoftrmsonline@";
/// Devices that ask without a user.
const NOBODY: &str = "Aadrm_S-1-7-0";

/// Columns that exports of the analytics have for what a user wrote, where they have one.
const JUSTIFICATIONS: [&str; 2] = ["UserJustification_s", "Justification_s"];

/// What is the same request in every log. They have no id in common; each is true to the second.
fn request(
    content: Option<&str>,
    user: Option<&str>,
    denied: Option<bool>,
    time: Option<i64>,
) -> Option<String> {
    let content = content.and_then(audit::event_key)?;
    let user = lower(user?.trim_matches(' '));
    let second = time?.div_euclid(1_000_000);
    Some(format!("{content} {user} {} {second}", denied?))
}

/// Azure Information Protection analytics.
pub(super) fn protection<'b>(fields: &Fields<'b>, row: usize) -> Event<'b> {
    let text = |name: &str| fields.text(name, row);
    let own = |name: &str| text(name).map(Cow::Borrowed);
    let activity = text("Activity_s");
    let said = activity.and_then(labels::activity).unwrap_or(labels::OTHER);
    // A denial stays one, whatever its result.
    let changes = matches!(said, "applied" | "changed" | "removed" | labels::PROTECTION);
    let result = fields.below(EXTRA, "ResultStatus_s", row);
    let failed = result.as_deref().and_then(labels::failure);
    let kind = failed.filter(|_| changes).unwrap_or(said);
    let denied = match kind {
        "AccessDenied" => Some(true),
        "FileOpened" => Some(false),
        _ => None,
    };
    let time = fields.time(TIME, row);
    Event {
        time,
        kind,
        event_type: activity.and_then(labels::activity_type).map(Cow::Borrowed),
        operation: own("Operation_s").or_else(|| own("Activity_s")),
        user: own("UserId_s"),
        file: text("ObjectId_s").map(|path| Cow::Borrowed(file_name(path))),
        path: own("ObjectId_s"),
        old_label: text("LabelIdBeforeAction_g").and_then(labels::id),
        old_name: first([text("LabelNameBefore_s")]).map(Cow::Borrowed),
        new_label: text("LabelId_g").and_then(labels::id),
        new_name: first([text("LabelName_s")]).map(Cow::Borrowed),
        justification: JUSTIFICATIONS
            .iter()
            .find_map(|name| fields.below(EXTRA, name, row).filter(|t| !t.is_empty())),
        action_source: first([text("ActionSource_s")])
            .map(|source| Cow::Borrowed(labels::action_source(source))),
        protected: fields.bool("Protected_b", row),
        protected_before: fields.bool("ProtectedBeforeAction_b", row),
        owner: own("ProtectionOwner_s"),
        application: first([text("ApplicationName_s"), text("ProcessName_s")]).map(Cow::Borrowed),
        device: own("MachineName_s"),
        site: text("ObjectId_s").and_then(places::site_of).map(Cow::Owned),
        address: text("IPv4_s").and_then(address::clean).map(Cow::Owned),
        workload: own("Workload_s"),
        source: "InformationProtectionLogs_CL",
        id: own("LogId_g"),
        key: request(text("ContentId_g"), text("UserId_s"), denied, time),
        rank: "0".into(),
        ..Event::default()
    }
}

/// A request of a licence; whether it was denied may not be said.
struct Request<'b> {
    time: Option<i64>,
    denied: Option<bool>,
    operation: &'b str,
    user: Option<&'b str>,
    content: Option<&'b str>,
    file: Option<&'b str>,
    owner: Option<&'b str>,
    address: Text<'b>,
    id: Option<&'b str>,
    source: &'static str,
    rank: &'static str,
}

/// The service says neither paths nor labels.
fn requested(r: Request<'_>) -> Event<'_> {
    Event {
        time: r.time,
        kind: match r.denied {
            Some(true) => "AccessDenied",
            Some(false) => "FileOpened",
            None => labels::OTHER,
        },
        operation: Some(Cow::Borrowed(r.operation)),
        user: r.user.map(Cow::Borrowed),
        file: r.file.map(Cow::Borrowed),
        owner: r.owner.map(Cow::Borrowed),
        address: r.address,
        workload: Some(Cow::Borrowed("RightsManagement")),
        source: r.source,
        id: r.id.map(Cow::Borrowed),
        key: request(r.content, r.user, r.denied, r.time),
        rank: r.rank.into(),
        ..Event::default()
    }
}

/// Whether a request was denied: every result but Success is a denial, and one that is not there is neither.
fn denied(result: Option<&str>) -> Option<bool> {
    let result = result?;
    match result {
        "Success" => Some(false),
        _ => (!result.trim_matches(' ').is_empty()).then_some(true),
    }
}

fn is_asked_by_user(user: &str) -> bool {
    !user.is_empty() && !user.starts_with(SERVICE) && !user.starts_with(NOBODY)
}

/// Usage log of the Rights Management service.
pub(super) fn usage<'b>(fields: &Fields<'b>, row: usize) -> Option<Event<'b>> {
    let text = |name: &str| fields.text(name, row);
    let operation = labels::request(text("RequestType")?)?;
    let user = text("UserId").filter(|user| is_asked_by_user(user))?;
    Some(requested(Request {
        time: fields.time(TIME, row),
        denied: denied(text("Result")),
        operation,
        user: Some(user),
        content: text("ContentId"),
        file: text("FileName"),
        owner: text("OwnerEmail").or_else(|| text("Issuer")),
        address: text("IPAddress").map(Cow::Borrowed),
        id: text("RowId"),
        source: "AipServiceUserLog",
        rank: "1",
    }))
}

/// The same log as the MPARR collector stores it: texts may keep their quotes, and `TimeGenerated` is when it was collected.
pub(super) fn collected_usage<'b>(fields: &Fields<'b>, row: usize) -> Option<Event<'b>> {
    let text = |name: &str| Some(fields.text(name, row)?.trim_matches(['\'', ' ']));
    let operation = labels::request(text("request_type_s")?)?;
    let user = text("user_id_s").filter(|user| is_asked_by_user(user))?;
    let stamp = text("date_s").zip(text("time_s"));
    let stamp = stamp.and_then(|(date, time)| {
        let time = string_to_datetime(&Utc, &format!("{date}T{time}")).ok()?;
        Some(time.timestamp_nanos_opt()?.div_euclid(1000))
    });
    let result = text("result_s");
    Some(requested(Request {
        time: stamp.or_else(|| fields.time(TIME, row)),
        denied: denied(result),
        operation,
        user: Some(user),
        content: fields.text("content_id_g", row),
        file: None,
        owner: first([text("owner_email_s")]).or_else(|| text("issuer_s")),
        address: fields
            .text("c_ip_s", row)
            .and_then(address::clean)
            .map(Cow::Owned),
        id: None,
        source: "RMSData_CL",
        rank: "2",
    }))
}

/// Tracking log of one document: it names the document by its id only. Whether it was opened may not be said.
pub(super) fn tracking<'b>(fields: &Fields<'b>, row: usize) -> Option<Event<'b>> {
    let text = |name: &str| fields.text(name, row);
    let user = text("RequesterEmail");
    if user.is_some_and(|user| user.starts_with(SERVICE)) {
        return None;
    }
    Some(requested(Request {
        time: fields.time(TIME, row),
        denied: fields.bool("Successful", row).map(|opened| !opened),
        operation: "Track",
        user,
        content: text("ContentId"),
        file: text("ContentId"),
        owner: text("Issuer"),
        address: text("IPAddress").map(Cow::Borrowed),
        id: None,
        source: "AipServiceTrackingLog",
        rank: "3",
    }))
}

/// The same log as the MPARR collector stores it.
pub(super) fn collected_tracking<'b>(fields: &Fields<'b>, row: usize) -> Option<Event<'b>> {
    let text = |name: &str| fields.text(name, row);
    let user = text("RequesterEmail_s");
    if user.is_some_and(|user| user.starts_with(SERVICE)) {
        return None;
    }
    Some(requested(Request {
        time: fields
            .time("RequestTime_t", row)
            .or_else(|| fields.time(TIME, row)),
        denied: fields.bool("Successful_b", row).map(|opened| !opened),
        operation: "Track",
        user,
        content: text("ContentId_g"),
        file: text("ContentId_g"),
        owner: text("Issuer_s"),
        address: text("RequesterLocation_IP_s")
            .and_then(address::clean)
            .map(Cow::Owned),
        id: None,
        source: "RMSDataDetails_CL",
        rank: "4",
    }))
}
