//! Which columns of a table say who, where, with what. One list for all tables: a name means the same in each, and the first that says something
//! counts.

use super::field::Field;
use crate::catalog::{Kusto, Table};

/// Columns that a field is taken from, the better first.
const NAMES: &[(Field, &[&str])] = &[
    (
        Field::Action,
        &[
            "Operation",
            "ActionType",
            "ActivityDisplayName",
            "OperationName",
            "Activity",
            "Activity_s",
            "Operation_s",
            "ActivityType",
            "RequestType",
            "request_type_s",
            "RequestMethod",
            "RiskEventType",
            "DeliveryAction",
            "LogonType",
            "AnomalyTemplateName",
            "RiskState",
        ],
    ),
    (
        Field::User,
        &[
            "UserPrincipalName",
            "AccountUpn",
            "UserId",
            "UserId_s",
            "ActorUserId",
            "User",
            "AccountUPN",
            "SenderFromAddress",
            "SenderEmailAddress",
            "RequesterEmail",
            "user_id_s",
            "AccountObjectId",
            "AccountId",
            "UserKey",
            "ServicePrincipalName",
            "ServicePrincipalId",
            "AccountName",
            "ActorPrincipalName",
            "CompromisedEntity",
        ],
    ),
    (
        Field::UserName,
        &[
            "UserDisplayName",
            "AccountDisplayName",
            "ActorName",
            "SenderDisplayName",
            "ServicePrincipalDisplayName",
            "Identity",
        ],
    ),
    (
        Field::Address,
        &[
            "IPAddress",
            "ClientIP",
            "ClientIPAddress",
            "ActorIpAddress",
            "IpAddress",
            "IPv4_s",
            "SrcIpAddr",
            "SourceIpAddress",
            "SourceIPAddress",
            "SenderIPv4",
            "SenderIPv6",
            "c_ip_s",
            "RemoteIP",
        ],
    ),
    (
        Field::Application,
        &[
            "ApplicationDisplayName",
            "AppDisplayName",
            "Application",
            "Common_ApplicationName",
            "ApplicationName_s",
            "AppName",
            "AppHost",
            "ApplicationNames",
            "ClientAppId",
            "AppAccessContext_ClientAppId",
            "OAuthAppId",
            "AppId",
            "ApplicationId",
            "ProcessName_s",
            "ProcessName",
            "ResourceDisplayName",
        ],
    ),
    (
        Field::Session,
        &["AppAccessContext_AADSessionId", "SessionId"],
    ),
    (
        Field::Object,
        &[
            "ObjectId",
            "OfficeObjectId",
            "ObjectId_s",
            "FilePath",
            "RequestUri",
            "Url",
            "ResourceDisplayName",
            "DestinationDeviceName",
            "AssetPath",
            "SiteUrl",
            "ContentId",
            "content_id_g",
        ],
    ),
    (
        Field::Name,
        &[
            "SourceFileName",
            "ItemName",
            "ObjectName",
            "FileName",
            "EmailSubject",
            "Subject",
            "DisplayName",
            "AlertName",
            "Title",
            "AssetName",
        ],
    ),
    (
        Field::Result,
        &[
            "ResultStatus",
            "Result",
            "ResultType",
            "ErrorCode",
            "ResponseStatusCode",
            "DeliveryAction",
            "result_s",
            "Status",
            "ActionResult",
            "RiskState",
        ],
    ),
    (
        Field::Reason,
        &[
            "LogonError",
            "ResultReason",
            "ResultDescription",
            "FailureReason",
            "RiskDetail",
            "ThreatTypes",
            "Description",
        ],
    ),
    (
        Field::Device,
        &[
            "DeviceName",
            "Common_DeviceName",
            "MachineName_s",
            "Computer",
            "SourceDevice",
        ],
    ),
    (
        Field::Place,
        &["CountryCode", "Country", "Location", "Location_s"],
    ),
    (
        Field::Target,
        &[
            "TargetUserOrGroupName",
            "UserSharedWith",
            "RecipientEmailAddress",
            "TargetAccountUpn",
            "Receivers",
            "RecipientDetails",
        ],
    ),
    (
        Field::Owner,
        &[
            "MailboxOwnerUPN",
            "ProtectionOwner_s",
            "ProtectionEventData_ProtectionOwner",
            "OwnerEmail",
            "owner_email_s",
        ],
    ),
    (Field::Count, &["OperationCount"]),
    (
        Field::Scope,
        &[
            "SharingLinkScope",
            "AlertSeverity",
            "Severity",
            "RiskLevel",
            "RiskLevelAggregated",
            "DeliveryLocation",
        ],
    ),
    (
        Field::OldLabel,
        &[
            "SensitivityLabelEventData_OldSensitivityLabelId",
            "OldSensitivityLabelId",
            "SourceLabel",
            "LabelIdBeforeAction_g",
            "OldSensitivityLabel",
            "PreviousSensitivityLabelId",
        ],
    ),
    (
        Field::NewLabel,
        &[
            "SensitivityLabelEventData_SensitivityLabelId",
            "SensitivityLabelId",
            "DestinationLabel",
            "LabelName",
            "LabelId",
            "LabelId_g",
            "SensitivityLabel",
        ],
    ),
    (
        Field::LabelChange,
        &[
            "SensitivityLabelEventData_LabelEventType",
            "LabelEventType",
            "SensitivityChange_s",
        ],
    ),
    (
        Field::Justification,
        &[
            "SensitivityLabelEventData_JustificationText",
            "SensitivityLabelJustificationText",
            "Justification",
        ],
    ),
    (
        Field::Destination,
        &["DestinationFileName", "TargetFilePath", "PreviousFileName"],
    ),
    (Field::Parameters, &["Parameters"]),
    (Field::Changes, &["ModifiedProperties"]),
    (Field::Facts, &["OperationProperties", "ExtendedProperties"]),
    (Field::Team, &["TeamName", "TeamsTeamName"]),
    (Field::Channel, &["ChannelName", "TeamsChannelName"]),
    (
        Field::EventId,
        &[
            "Id",
            "ReportId",
            "OfficeId",
            "RequestId",
            "RecordId",
            "SystemAlertId",
            "IncidentName",
            "AlertId",
            "LogId_g",
            "RowId",
            "NetworkMessageId",
            "BehaviorId",
            "ActivityId",
            "RecordIdentity",
        ],
    ),
];

/// Columns in which somebody is named whom a question is about, beside those of [`WHO`]. What is done to a user has the name as its object.
const PEOPLE: &[&str] = &[
    "UserKey",
    "Owner",
    "ObjectId",
    "OfficeObjectId",
    "RecipientObjectId",
    "SenderObjectId",
    "SenderMailFromAddress",
    "AlternateSignInName",
    "Sender",
    "AccountSid",
];
/// Fields in which a line names people.
const WHO: &[Field] = &[Field::User, Field::UserName, Field::Target, Field::Owner];
/// JSON in which somebody is named.
const LISTS_OF_PEOPLE: &[&str] = &[
    "Target",
    "Actor",
    "TargetResources",
    "InitiatedBy",
    "Entities",
    "To",
    "Cc",
    "RecipientDetails",
    "Receivers",
    "Parameters",
    "ModifiedProperties",
];
/// Columns in which a file is named, beside those of [`Field::Object`] and [`Field::Name`].
const FILES: &[&str] = &[
    "DestinationFileName",
    "PreviousFileName",
    "TargetFilePath",
    "ListItemUniqueId",
];
/// Columns in which an application is named, beside those of [`Field::Application`].
const APPLICATIONS: &[&str] = &[
    "OAuthApplicationId",
    "ServicePrincipalId",
    "ServicePrincipalName",
    "ResourceIdentity",
    "ResourceId",
];
/// JSON in which an application, a file or an address is named.
const LISTS_OF_THINGS: &[&str] = &["TargetResources", "Target", "InitiatedBy", "Entities"];

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person or an account.
    User,
    /// A session.
    Session,
    /// A file.
    File,
    /// An address.
    Address,
    /// An application.
    Application,
}

/// The columns of a field that a table has, as expressions that give texts.
pub(super) fn columns(table: &Table, field: Field) -> Vec<String> {
    let names = NAMES.iter().find(|(of, _)| *of == field);
    let names = names.map_or(&[][..], |(_, names)| *names);
    names.iter().filter_map(|name| text(table, name)).collect()
}

/// The columns of a table in which something of this kind is named, and the JSON in which it is.
pub(super) fn named(table: &Table, kind: Kind) -> (Vec<String>, Vec<String>) {
    let (fields, beside, lists): (&[Field], &[&str], &[&str]) = match kind {
        Kind::User => (WHO, PEOPLE, LISTS_OF_PEOPLE),
        Kind::Session => (&[Field::Session], &[], &[]),
        Kind::File => (&[Field::Object, Field::Name], FILES, &[]),
        Kind::Address => (&[Field::Address], &[], &["Entities"]),
        Kind::Application => (&[Field::Application], APPLICATIONS, LISTS_OF_THINGS),
    };
    let mut plain: Vec<String> = fields.iter().flat_map(|f| columns(table, *f)).collect();
    for column in beside.iter().filter_map(|name| text(table, name)) {
        if !plain.contains(&column) {
            plain.push(column);
        }
    }
    let lists = lists.iter().filter_map(|name| text(table, name)).collect();
    (plain, lists)
}

/// A column as text, where the table has it under exactly this name.
fn text(table: &Table, name: &str) -> Option<String> {
    let column = table.columns.iter().find(|c| c.name == name)?;
    Some(match column.kusto {
        Kusto::String | Kusto::Dynamic | Kusto::Guid => format!("e.\"{name}\""),
        _ => format!("CAST(e.\"{name}\" AS VARCHAR)"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::table;

    #[test]
    fn tables_say_who_by_their_own_columns() {
        let first = |name: &str, field| columns(table(name), field).into_iter().next();
        assert_eq!(
            first("SigninLogs", Field::User),
            Some("e.\"UserPrincipalName\"".into())
        );
        assert_eq!(
            first("UnifiedAuditLog", Field::User),
            Some("e.\"UserId\"".into())
        );
        assert_eq!(
            first("EntraIdSignInEvents", Field::Result),
            Some("CAST(e.\"ErrorCode\" AS VARCHAR)".into())
        );
        assert_eq!(first("SigninLogs", Field::Team), None);
        let (plain, lists) = named(table("AuditLogs"), Kind::User);
        assert_eq!(plain, ["e.\"Identity\""]);
        assert_eq!(lists, ["e.\"TargetResources\"", "e.\"InitiatedBy\""]);
    }
}
