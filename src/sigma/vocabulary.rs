//! What rules call the columns of the tables, and what they call the words in them: data.
//!
//! The names are those of SigmaHQ's rules, of the exports through Event Hubs, of Microsoft Graph and of Elastic's common schema, in lower case and
//! without what `field` takes off their front. What is named like its column is not here.

use super::logsource::Route;

/// Names that rules have for one thing, and where it is.
#[derive(Debug)]
pub(super) struct Known {
    /// With blanks between them.
    names: &'static str,
    /// Any of these.
    pub(super) places: &'static [Spelled],
    /// A word of rules, and what logs write for it.
    pub(super) words: Words,
}

/// Words of rules, and what logs write for each.
pub(super) type Words = &'static [(&'static str, &'static [&'static str])];

/// Where a value is: a place that is not yet held against the columns of its table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spelled {
    /// A column, or an expression that gives text.
    Is(&'static str),
    Anywhere(&'static str),
    Event(&'static str),
    Fragment(&'static str),
    Property(&'static str, &'static str),
    Item(&'static str, &'static str),
}

use Spelled::{Anywhere, Event, Fragment, Is, Item, Property};

impl Known {
    pub(super) fn is(&self, name: &str) -> bool {
        self.names.split(' ').any(|n| n == name)
    }
}

const fn known(names: &'static str, places: &'static [Spelled], words: Words) -> Known {
    Known {
        names,
        places,
        words,
    }
}

/// What is known of the rows of a route.
pub(super) fn of(route: Route) -> &'static [Known] {
    match route.table {
        "AuditLogs" if route.is_privileged_roles() => ROLES,
        "AuditLogs" => AUDIT_LOGS,
        "SigninLogs" => SIGNINS,
        "AzureActivity" => ACTIVITY,
        "AADUserRiskEvents" => RISKS,
        _ => RECORDS,
    }
}

/// All of it, for a test.
#[cfg(test)]
pub(super) const ROUTED: [(&str, &[Known]); 6] = [
    ("UnifiedAuditLog", RECORDS),
    ("AuditLogs", AUDIT_LOGS),
    ("AuditLogs", ROLES),
    ("SigninLogs", SIGNINS),
    ("AzureActivity", ACTIVITY),
    ("AADUserRiskEvents", RISKS),
];

/// Columns that are lists: a path into one is a property of its items.
pub(super) const LISTS: [&str; 7] = [
    "AdditionalDetails",
    "AppliedConditionalAccessPolicies",
    "AuthenticationDetails",
    "AuthenticationProcessingDetails",
    "ConditionalAccessPolicies",
    "NetworkLocationDetails",
    "TargetResources",
];

/// Columns of text that hold a list: a rule means one of its items.
pub(super) const LISTED: [&str; 2] = ["RiskEventTypes", "RiskEventTypes_V2"];

/// Where a table has what Microsoft Graph has below a name: table, name, columns.
pub(super) const ROOTS: [(&str, &str, &[&str]); 3] = [
    ("SigninLogs", "location", &["LocationDetails"]),
    ("SigninLogs", "conditionalAccessPolicies", POLICIES),
    ("SigninLogs", "appliedConditionalAccessPolicies", POLICIES),
];
/// Exports fill the one or the other.
const POLICIES: &[&str] = &[
    "ConditionalAccessPolicies",
    "AppliedConditionalAccessPolicies",
];

/// First words of names of Elastic's common schema. No record has them, which spell their names with a capital letter.
pub(super) const ELASTIC: [&str; 16] = [
    "agent",
    "client",
    "cloud",
    "destination",
    "event",
    "file",
    "host",
    "network",
    "organization",
    "process",
    "related",
    "rule",
    "source",
    "url",
    "user",
    "user_agent",
];

/// Properties that are not spelled as rules spell them, a small letter in front aside.
pub(super) const PROPERTIES: [&str; 10] = [
    "trustType",
    "deviceId",
    "isCompliant",
    "isManaged",
    "displayName",
    "operatingSystem",
    "userPrincipalName",
    "ipAddress",
    "errorCode",
    "countryOrRegion",
];

/// How services write that something went well or did not.
const OUTCOMES: Words = &[
    ("success", &["Succeeded", "True", "PartiallySucceeded"]),
    ("succeeded", &["Success", "True", "PartiallySucceeded"]),
    ("sucess", &["Success", "Succeeded", "True"]),
    ("failure", &["Failed", "False"]),
    ("failed", &["Failure", "False"]),
];

/// What an alert is called in the audit log, which logs alerts as operations of their own.
const ALERT: Spelled = Is("iff(Operation startswith \"Alert\", tostring(AuditData.Name), \"\")");

const RECORDS: &[Known] = &[
    known(
        "eventsource event.provider provider service",
        &[Is("Workload")],
        &[],
    ),
    known(
        "eventname event.action action actiontype",
        &[Is("Operation"), ALERT],
        &[],
    ),
    known(
        "status resultstatus event.outcome outcome",
        &[Is("ResultStatus")],
        OUTCOMES,
    ),
    known(
        "payload message event.original raw auditdata rawdata raweventdata",
        &[Event("tostring(AuditData)")],
        &[],
    ),
    known(
        "clientip client_ip sourceip sourceipaddress ipaddress source.ip client.ip source.address client.address",
        &[Is("ClientIP"), Is("IPAddress")],
        &[],
    ),
    known(
        "clientipaddress",
        &[Is("ClientIPAddress"), Is("IPAddress")],
        &[],
    ),
    known(
        "actoripaddress",
        &[Is("ActorIpAddress"), Is("IPAddress")],
        &[],
    ),
    known(
        "user username userprincipalname upn user.id user.name user.email",
        &[Is("UserId")],
        &[],
    ),
    // Entra keeps it among the further facts of a sign-in.
    known(
        "useragent user_agent user_agent.original",
        &[Is("UserAgent"), Item("tostring(AuditData)", "UserAgent")],
        &[],
    ),
    known(
        "recordtype auditlogrecordtype event.code",
        &[Is("RecordType"), Is("RecordTypeName")],
        &[],
    ),
    known(
        "eventtime creationtime createddatetime @timestamp",
        &[Is("TimeGenerated")],
        &[],
    ),
    known("file.name", &[Is("SourceFileName")], &[]),
    known("file.extension", &[Is("SourceFileExtension")], &[]),
    known("file.directory", &[Is("SourceRelativeUrl")], &[]),
    known("url.original url.full", &[Is("ObjectId")], &[]),
    known("organization.id", &[Is("OrganizationId")], &[]),
    known("event.id", &[Is("Id")], &[]),
    // Of these there is one table.
    known(
        "event.dataset event.module",
        &[Is("iff(isempty(Operation), \"\", \"o365.audit\")")],
        &[("o365", &["o365.audit"])],
    ),
];

const AUDIT_LOGS: &[Known] = &[
    known(
        "operationname activitydisplayname activitytype activity operation event.action",
        &[Is("OperationName"), Is("ActivityDisplayName")],
        OPERATIONS,
    ),
    // In exports, the text of the event; rules have an activity there, or what was changed as it stands in the record.
    known(
        "message",
        &[
            Is("OperationName"),
            Is("ActivityDisplayName"),
            Fragment("tostring(TargetResources)"),
        ],
        OPERATIONS,
    ),
    known(
        "status result event.outcome",
        &[Is("Result"), Is("ResultReason"), Is("ResultDescription")],
        OUTCOMES,
    ),
    known("operationtype", &[Is("AADOperationType")], &[]),
    known("service", &[Is("LoggedByService")], &[]),
    known(
        "useragent user_agent user_agent.original",
        &[Item("tostring(AdditionalDetails)", "User-Agent")],
        &[],
    ),
    known(
        "user.full_name",
        &[Is("tostring(InitiatedBy.user.displayName)")],
        &[],
    ),
    known(
        "failure_status_reason resultreason statusreason",
        &[Is("ResultReason"), Is("ResultDescription")],
        &[],
    ),
    known(
        "initiatedby initiatedby.user initiatiedby initiatied.by initiated.by user user.name username userprincipalname user.id",
        &[
            Is("tostring(InitiatedBy.user.userPrincipalName)"),
            Is("tostring(InitiatedBy.app.displayName)"),
        ],
        &[],
    ),
    known(
        "ipaddress calleripaddress source.ip client.ip",
        &[Is("tostring(InitiatedBy.user.ipAddress)")],
        &[],
    ),
    known(
        "target targetresources targetresources.modifiedproperties modifiedproperties",
        &[Anywhere("tostring(TargetResources)")],
        &[],
    ),
    known(
        "targetresources.type",
        &[Property("tostring(TargetResources)", "type")],
        &[("Service Principal", &["ServicePrincipal"])],
    ),
    known(
        "consentcontext.isadminconsent isadminconsent",
        &[Item(
            "tostring(TargetResources)",
            "ConsentContext.IsAdminConsent",
        )],
        &[],
    ),
    known(
        "additionaldetails additionaldetails.additionalinfo additionalinfo",
        &[Anywhere("tostring(AdditionalDetails)")],
        &[],
    ),
];

/// Activities as Entra logs them today, for names that rules have from its guides and from older logs.
const OPERATIONS: Words = &[
    // Entra logs it with a blank at its end.
    (
        "Update application – Certificates and secrets management",
        &["Update application – Certificates and secrets management "],
    ),
    (
        "Update Service principal/Update Application",
        &["Update service principal", "Update application"],
    ),
    (
        "Admin registered security info",
        &["Admin registered security info for user"],
    ),
    ("Disable PIM Alert", &["Disable PIM alert in PIM"]),
    ("Add member from group", &["Add member to group"]),
    (
        "Request Approved/Denied",
        &[
            "Add member to role request approved (PIM activation)",
            "Add member to role request denied (PIM activation)",
        ],
    ),
    (
        "Add eligible member (permanent)",
        &["Add eligible member to role in PIM completed (permanent)"],
    ),
    (
        "Add eligible member (eligible)",
        &["Add eligible member to role in PIM completed (timebound)"],
    ),
    (
        "Remove eligible member (permanent)",
        &["Remove eligible member from role in PIM completed (permanent)"],
    ),
    (
        "Remove eligible member (eligible)",
        &["Remove eligible member from role in PIM completed (timebound)"],
    ),
    (
        "Disable Strong Authentication",
        &["Disable Strong Authentication."],
    ),
];

/// Alerts on privileged roles: rules have the name of Microsoft Graph, the log the one that people see.
const ROLES: &[Known] = &[
    known(
        "riskeventtype alerttype",
        &[
            Is("OperationName"),
            Anywhere("tostring(TargetResources)"),
            Anywhere("tostring(AdditionalDetails)"),
        ],
        &[
            (
                "tooManyGlobalAdminsAssignedToTenantAlertIncident",
                &["There are too many global administrators"],
            ),
            (
                "rolesAssignedOutsidePrivilegedIdentityManagementAlertConfiguration",
                &["Roles are being assigned outside of Privileged Identity Management"],
            ),
            (
                "sequentialActivationRenewalsAlertIncident",
                &["Roles are being activated too frequently"],
            ),
            (
                "redundantAssignmentAlertIncident",
                &["Administrators aren't using their privileged roles"],
            ),
            (
                "noMfaOnRoleActivationAlertIncident",
                &["Roles don't require multi-factor authentication for activation"],
            ),
            (
                "staleSignInAlertIncident",
                &["Potential stale accounts in a privileged role"],
            ),
            (
                "invalidLicenseAlertIncident",
                &["The organization doesn't have Microsoft Entra"],
            ),
        ],
    ),
    known("status result", &[Is("Result")], OUTCOMES),
];

/// Whether a sign-in went well.
const SIGNED_IN: Spelled = Is("iff(ResultType == \"0\", \"Success\", \"Failure\")");

const SIGNINS: &[Known] = &[
    known(
        "activitydetails",
        &[Is("Category"), Is("OperationName")],
        &[("Sign-ins", &["SignInLogs", "Sign-in activity"])],
    ),
    known(
        "clientapp clientappused",
        &[Is("ClientAppUsed")],
        &[
            ("Other client", &["Other clients"]),
            ("IMAP", &["IMAP4"]),
            ("POP3", &["POP"]),
            ("MAPI", &["MAPI Over HTTP"]),
            ("SMTP", &["Authenticated SMTP"]),
        ],
    ),
    known(
        "username user upn user.name user.email",
        &[Is("UserPrincipalName")],
        &[],
    ),
    known("user.id", &[Is("UserId")], &[]),
    known(
        "calleripaddress clientip ipaddress source.ip client.ip",
        &[Is("IPAddress")],
        &[],
    ),
    known("user_agent.original user_agent", &[Is("UserAgent")], &[]),
    known(
        "user_agent.os.name",
        &[Is("tostring(DeviceDetail.operatingSystem)")],
        &[],
    ),
    known(
        "user_agent.name",
        &[Is("tostring(DeviceDetail.browser)")],
        &[],
    ),
    known("user.full_name", &[Is("UserDisplayName")], &[]),
    known("event.action", &[Is("OperationName")], &[]),
    known(
        "errorcode event.code",
        &[Is("ResultType"), Is("tostring(Status.errorCode)")],
        &[],
    ),
    known(
        "country source.geo.country_iso_code",
        &[
            Is("Location"),
            Is("tostring(LocationDetails.countryOrRegion)"),
        ],
        &[],
    ),
    known(
        "city source.geo.city_name",
        &[Is("tostring(LocationDetails.city)")],
        &[],
    ),
    known("source.as.number", &[Is("AutonomousSystemNumber")], &[]),
    known(
        "conditionalaccesspolicies appliedconditionalaccesspolicies",
        &[
            Is("ConditionalAccessPolicies"),
            Is("AppliedConditionalAccessPolicies"),
        ],
        &[],
    ),
    known(
        "status result event.outcome",
        &[
            SIGNED_IN,
            Is("ResultDescription"),
            Is("tostring(Status.failureReason)"),
            Is("tostring(Status.additionalDetails)"),
        ],
        &[],
    ),
    known(
        "resultdescription",
        &[Is("ResultDescription"), SIGNED_IN],
        &[
            (
                "Blocked by Conditional Access",
                &[
                    "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
                ],
            ),
            (
                "DeviceAuthenticationFailed",
                &[
                    "Device Authentication failed for this user.",
                    "Device authentication failed for this user.",
                ],
            ),
            (
                "Device authentication is required",
                &["Device authentication is required."],
            ),
            (
                "ExternalSecurityChallenge - External security challenge was not satisfied",
                &[
                    "External security challenge was not satisfied.",
                    "External security challenge not satisfied. User will be redirected to another page or authentication provider to satisfy additional authentication challenges.",
                ],
            ),
        ],
    ),
    known(
        "message",
        &[
            Is("AuthenticationProtocol"),
            Is("OperationName"),
            Is("ResultDescription"),
        ],
        &[("Device Code", &["deviceCode"])],
    ),
];

const ACTIVITY: &[Known] = &[
    known(
        "operationname operation event.action",
        &[Is("OperationNameValue"), Is("OperationName")],
        &[],
    ),
    known(
        "message",
        &[
            Is("OperationName"),
            Is("OperationNameValue"),
            Fragment("Properties"),
        ],
        &[],
    ),
    known(
        "status activitystatus resulttype event.outcome",
        &[Is("ActivityStatusValue"), Is("ActivityStatus")],
        OUTCOMES,
    ),
    known("category", &[Is("CategoryValue"), Is("Category")], &[]),
    known(
        "ipaddress clientip source.ip client.ip",
        &[Is("CallerIpAddress")],
        &[],
    ),
    known(
        "username user user.name user.id user.email upn",
        &[Is("Caller")],
        &[],
    ),
    known(
        "substatus activitysubstatus",
        &[Is("ActivitySubstatusValue"), Is("ActivitySubstatus")],
        &[],
    ),
    known("azure.resource.name", &[Is("Resource")], &[]),
    known("azure.resource.group", &[Is("ResourceGroup")], &[]),
    known("azure.subscription_id", &[Is("SubscriptionId")], &[]),
    known("resourceid", &[Is("ResourceId"), Is("_ResourceId")], &[]),
];

const RISKS: &[Known] = &[
    known("risktype", &[Is("RiskEventType")], &[]),
    known(
        "username user upn user.name",
        &[Is("UserPrincipalName")],
        &[],
    ),
    known("user.id", &[Is("UserId")], &[]),
    known("source.ip client.ip clientip", &[Is("IpAddress")], &[]),
];
