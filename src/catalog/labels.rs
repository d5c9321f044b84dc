//! How sources spell what happened to sensitivity labels and to the documents that carry them.
//!
//! One table for ingest, which derives `LabelEvents` with it, and for the views. An operation that is not there is never taken for one: what
//! happened is then [`OTHER`]. Names and ranks of a tenant's own labels are in its watchlist `Labels`; only those of the labels that
//! Microsoft makes by itself are known here.
//!
//! Sources: Microsoft's lists of audit log activities ("Sensitivity label activities") and of the record types and operations of Sentinel's
//! Purview connector, `auditLogRecordType` of Microsoft Graph, and for `DataSecurityEvents` published hunting queries.

use std::borrow::Cow;
use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::text::json::{Place, Raw, find};

/// What happened, where the source does not say, or says nothing that is known.
pub const OTHER: &str = "Other";
/// What happened to the protection alone.
pub const PROTECTION: &str = "ProtectionChanged";
/// An action that its source says did not succeed: nothing happened to the label.
pub const FAILED: &str = "AttemptFailed";
/// The operation of a record of an interaction with Copilot.
pub const COPILOT: &str = "CopilotInteraction";
/// What happened to a document with a label that Copilot read for an answer.
pub const READ_BY_COPILOT: &str = "ReadByCopilot";
/// Types of audit records that are about labels, whatever their operation. From 206 on those of Teams, of Planner's rosters
/// and plans, and of Viva Amplify.
pub const RECORD_TYPES: [i32; 15] = [
    43, 71, 72, 75, 82, 83, 84, 93, 94, 95, 96, 206, 231, 381, 418,
];
/// Signs of life of the clients, which are among the records of labels.
pub const HEARTBEAT: &str = "HeartBeat";
/// The operation of records about labels of mails.
pub const MAIL: &str = "MipLabel";
/// Type of the second record of a labelled mail, that of the rule which labelled it.
pub const SECOND_OF_MAIL: i32 = 13;
/// Type of records about protection.
const PROTECTED: i32 = 95;
/// Types of the records of the service that labels by itself.
pub const BY_SERVICE: [i32; 4] = [71, 72, 75, 82];
/// Type of the record of a labelled mail that says how it was labelled.
pub const FIRST_OF_MAIL: i32 = 43;
/// Type of the directory's records, which name what they are about in `Target`.
pub const OF_DIRECTORY: i32 = 8;

/// Whether a record of this operation is about a label whatever its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Yes,
    No,
}

/// Operation, what happened, and whether the operation says so by itself.
const OPERATIONS: [(&str, &str, Alone); 30] = [
    ("SensitivityLabelApplied", "applied", Alone::Yes),
    ("FileSensitivityLabelApplied", "applied", Alone::Yes),
    ("SiteSensitivityLabelApplied", "applied", Alone::Yes),
    (MAIL, "applied", Alone::No),
    ("SensitivityLabelUpdated", "changed", Alone::Yes),
    ("SensitivityLabelChanged", "changed", Alone::Yes),
    ("FileSensitivityLabelChanged", "changed", Alone::Yes),
    ("SiteSensitivityLabelChanged", "changed", Alone::Yes),
    ("SensitivityLabelRemoved", "removed", Alone::Yes),
    ("FileSensitivityLabelRemoved", "removed", Alone::Yes),
    ("SiteSensitivityLabelRemoved", "removed", Alone::Yes),
    ("SensitivityLabeledFileOpened", "FileOpened", Alone::Yes),
    ("SensitivityLabelFileRead", "FileOpened", Alone::Yes),
    ("Access", "FileOpened", Alone::No),
    ("SensitivityLabeledFileRenamed", "FileRenamed", Alone::Yes),
    ("SensitivityLabeledFileModified", "FileModified", Alone::Yes),
    ("SensitivityLabeledFileDeleted", "FileDeleted", Alone::Yes),
    ("FileDeleted", "FileDeleted", Alone::No),
    ("Discover", "FileDiscovered", Alone::No),
    (
        "DocumentSensitivityMismatchDetected",
        "LabelMismatch",
        Alone::Yes,
    ),
    ("SensitivityLabelPolicyMatched", "PolicyMatched", Alone::Yes),
    ("AutoSensitivityLabelRuleMatch", "PolicyMatched", Alone::Yes),
    // A recommendation labels nothing.
    ("SensitivityLabelRecommended", OTHER, Alone::Yes),
    ("FileSensitivityLabelAppliedFailed", FAILED, Alone::Yes),
    ("FileSensitivityLabelChangedFailed", FAILED, Alone::Yes),
    ("FileSensitivityLabelRemovedFailed", FAILED, Alone::Yes),
    // Labels of containers: Planner's rosters, and groups as the directory writes them.
    ("RosterSensitivityLabelUpdated", "changed", Alone::Yes),
    ("Assign label to group.", "applied", Alone::Yes),
    ("Remove label from group.", "removed", Alone::Yes),
    // One record for all that was read; those without a label are left out.
    (COPILOT, READ_BY_COPILOT, Alone::Yes),
];

/// What happened where somebody was not let to a document.
pub const DENIED: &str = "AccessDenied";

/// Ends of operations that are not in the table, and what happened. Retention labels are other labels.
const ENDINGS: [(&str, &str); 7] = [
    (DENIED, DENIED),
    ("Access Denied", DENIED),
    ("Failed", FAILED),
    ("SensitivityLabelRemoved", "removed"),
    ("SensitivityLabelApplied", "applied"),
    ("SensitivityLabelUpdated", "changed"),
    ("SensitivityLabelChanged", "changed"),
];

/// Results, in lower case and without blanks, of what did not succeed. Any other says nothing, as does one that is not there.
const FAILURES: [&str; 8] = [
    "failed",
    "failure",
    "fail",
    "false",
    "accessdenied",
    "denied",
    "unauthorized",
    "forbidden",
];

/// Activity of Azure Information Protection's analytics, what happened, and the type of the event.
static ACTIVITIES: [Activity; 11] = [
    ("accessdenied", DENIED, None),
    ("access", "FileOpened", None),
    ("discover", "FileDiscovered", None),
    ("newlabel", "applied", None),
    ("upgradelabel", "changed", Some(UPGRADED)),
    ("downgradelabel", "changed", Some(DOWNGRADED)),
    ("removelabel", "removed", Some(REMOVED)),
    ("fileremoved", "FileDeleted", None),
    ("newcustomprotection", PROTECTION, None),
    ("changecustomprotection", PROTECTION, None),
    ("removecustomprotection", PROTECTION, None),
];

/// Requests of the Rights Management service that are attempts to open a document. `AcquirePreLicense` is the mail server's.
const REQUESTS: [&str; 3] = [
    "AcquireLicense",
    "FECreateEndUserLicenseV1",
    "BECreateEndUserLicenseV1",
];

/// Activities in Defender XDR's `DataSecurityEvents` (`Label removed`, `Label downgraded on a file`), what happened, and the type of the event.
static SECURED: [Activity; 6] = [
    ("labelapplied", "applied", None),
    ("labelchanged", "changed", None),
    ("labelupdated", "changed", None),
    ("labelupgraded", "changed", Some(UPGRADED)),
    ("labeldowngraded", "changed", Some(DOWNGRADED)),
    ("labelremoved", "removed", Some(REMOVED)),
];

/// How an activity there goes on that says to what it happened.
const ON_WHAT: [&str; 3] = ["on", "from", "to"];

/// The id of no label.
const NO_LABEL: &str = "00000000-0000-0000-0000-000000000000";
/// Changed properties of a record among which its labels are looked for.
const PROPERTIES: i64 = 16;

/// Names of the types of label events, by number from 1.
const EVENT_TYPES: [&str; 4] = [UPGRADED, DOWNGRADED, REMOVED, "LabelChangedSameOrder"];
const UPGRADED: &str = "LabelUpgraded";
const DOWNGRADED: &str = "LabelDowngraded";
const REMOVED: &str = "LabelRemoved";

/// What set a label, by number.
const ACTION_SOURCES: [&str; 5] = ["None", "Default", "Auto", "Manual", "Recommended"];
/// How the labelling client's analytics call the third of these.
const AUTOMATIC: &str = "Automatic";
/// What set the label of a mail, by the mode of its application.
const MODES: [(&str, &str); 2] = [("Privileged", "Manual"), ("Standard", "Auto")];
/// What Office for the web calls itself to SharePoint, whose records name no application.
const WEB_CLIENT: &str = "MSWAC";

/// Labels that Microsoft makes in a new tenant, by the fourth group of their ids. A tenant may have renamed them.
const DEFAULTS: [&str; 12] = [
    "Personal",
    "Public",
    "General",
    "General\\Anyone (unrestricted)",
    "General\\All Employees (unrestricted)",
    "Confidential",
    "Confidential\\Anyone (unrestricted)",
    "Confidential\\All Employees",
    "Confidential\\Trusted People",
    "Highly Confidential",
    "Highly Confidential\\All Employees",
    "Highly Confidential\\Specified People",
];

static BY_NAME: LazyLock<HashMap<&str, (&str, Alone)>> = LazyLock::new(|| {
    let rows = OPERATIONS.iter();
    rows.map(|(name, what, alone)| (*name, (*what, *alone)))
        .collect()
});

/// Operations that are about labels whatever the type of the record.
pub fn operations() -> impl Iterator<Item = &'static str> {
    let alone = OPERATIONS.iter().filter(|row| row.2 == Alone::Yes);
    alone.map(|row| row.0)
}

/// What an operation of a record about labels says that happened; nothing where it is not known.
pub fn operation(name: &str) -> Option<&'static str> {
    let known = BY_NAME.get(name).map(|row| row.0);
    known.or_else(|| {
        let found = ENDINGS.iter().find(|row| name.ends_with(row.0));
        found.map(|row| row.1)
    })
}

/// Whether an audit record is about a label.
pub fn is_label(record_type: Option<i32>, operation: Option<&str>) -> bool {
    let by_type = record_type.is_some_and(|number| RECORD_TYPES.contains(&number));
    by_type
        || operation.is_some_and(|name| match BY_NAME.get(name) {
            Some((_, Alone::Yes)) => true,
            Some(_) => record_type == Some(SECOND_OF_MAIL) && name == MAIL,
            None => false,
        })
}

/// What happened where a record's result says that it did not succeed; nothing where it says anything else.
pub fn failure(result: &str) -> Option<&'static str> {
    let result = bare(result.trim());
    FAILURES.contains(&result.as_str()).then_some(FAILED)
}

/// What happened, by an audit record about a label: its type, its operation and its result.
pub fn what_happened(
    record_type: Option<i32>,
    name: Option<&str>,
    result: Option<&str>,
) -> &'static str {
    let name = name.filter(|name| !name.trim_matches(' ').is_empty());
    let said = result.and_then(failure).or_else(|| operation(name?));
    match said {
        Some(what) => what,
        None if name.is_some() && record_type == Some(PROTECTED) => PROTECTION,
        None => OTHER,
    }
}

/// What an activity of Azure Information Protection's analytics says that happened. Its spelling varies: blanks and case do not count.
pub fn activity(name: &str) -> Option<&'static str> {
    Some(row_of(name)?.1)
}

/// The type of the event that an activity of Azure Information Protection's analytics says.
pub fn activity_type(name: &str) -> Option<&'static str> {
    row_of(name)?.2
}

/// The request of the Rights Management service, where it is an attempt to open a document.
pub fn request(name: &str) -> Option<&'static str> {
    REQUESTS.into_iter().find(|request| *request == name)
}

/// What an activity of `DataSecurityEvents` says that happened to a label; nothing for all that is about no label.
pub fn secured(name: &str) -> Option<&'static str> {
    let said = activity_of(name).map(|row| row.1);
    said.or_else(|| {
        // An interaction with Copilot is about labels where its record lists what was read, and this table has none.
        let known = BY_NAME.get(name).filter(|_| name != COPILOT);
        let known = known.filter(|row| row.1 == Alone::Yes || name == MAIL);
        known.map(|row| row.0)
    })
}

/// The type of the event that an activity of `DataSecurityEvents` says.
pub fn secured_type(name: &str) -> Option<&'static str> {
    activity_of(name)?.2
}

/// Spelling, what happened, and the type of the event.
type Activity = (&'static str, &'static str, Option<&'static str>);

fn row_of(name: &str) -> Option<&'static Activity> {
    let bare = bare(name);
    ACTIVITIES.iter().find(|row| row.0 == bare)
}

fn activity_of(name: &str) -> Option<&'static Activity> {
    let bare = bare(name);
    // Retention labels are other labels; a sequence (`…, then …`) is made of activities that have rows of their own.
    let is_other = |part: &str| bare.contains(part);
    if ["retention", ",then", "fail"].into_iter().any(is_other) {
        return None;
    }
    SECURED.iter().find(|row| {
        let rest = bare.split_once(row.0).map(|(_, rest)| rest);
        rest.is_some_and(|rest| {
            rest.is_empty() || ON_WHAT.iter().any(|word| rest.starts_with(word))
        })
    })
}

fn bare(name: &str) -> String {
    name.replace(' ', "").to_lowercase()
}

/// The name of a type of a label event, which records have as a number or by its name in any case; one that is not known as it is.
pub fn event_type(text: &str) -> Option<&str> {
    let mut known = EVENT_TYPES.into_iter().zip(1_u32..);
    let found =
        known.find(|(name, number)| name.eq_ignore_ascii_case(text) || number.to_string() == text);
    let name = found.map_or(text, |(name, _)| name);
    (!name.is_empty()).then_some(name)
}

/// What set a label, by its name where a record has its number or another spelling.
pub fn action_source(text: &str) -> &str {
    let number = text.parse::<usize>().ok();
    let found = number.filter(|n| n.to_string() == text);
    let numbered = found.and_then(|n| ACTION_SOURCES.get(n).copied());
    let mut spelled = ACTION_SOURCES.into_iter();
    let spelled = spelled.find(|name| name.eq_ignore_ascii_case(text));
    let other = text.eq_ignore_ascii_case(AUTOMATIC);
    let other = other.then_some(ACTION_SOURCES[2]);
    numbered.or(spelled).or(other).unwrap_or(text)
}

/// What set the label of a mail, by the mode of the application that its record says.
pub fn mode(text: &str) -> Option<&'static str> {
    let found = MODES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, source)| *source)
}

/// The application that a record of SharePoint tells by its client only.
pub fn web_application(agent: &str) -> Option<&'static str> {
    agent.contains(WEB_CLIENT).then_some("Office for the web")
}

/// The id of a label as a record has it, in lower case and without braces; nothing where there is none, or a list of several.
pub fn id(text: &str) -> Option<Cow<'_, str>> {
    let mut bare = text.trim();
    if let Some(list) = within(bare, '[', ']') {
        if list.contains(',') {
            return None;
        }
        bare = list.trim_matches('"').trim();
    }
    bare = within(bare, '{', '}').unwrap_or(bare);
    if bare.is_empty() || bare == NO_LABEL {
        return None;
    }
    let is_lower = |b: u8| b.is_ascii() && !b.is_ascii_uppercase();
    Some(match bare.bytes().all(is_lower) {
        true => Cow::Borrowed(bare),
        false => Cow::Owned(bare.to_lowercase()),
    })
}

fn within(text: &str, open: char, close: char) -> Option<&str> {
    let inner = text.strip_prefix(open)?.strip_suffix(close)?;
    Some(inner.trim())
}

/// The label that a list of changed properties says is the new one, which is where records about sites and groups have it.
pub fn new_of(properties: &str) -> Option<String> {
    changed(properties, "NewValue")
}

/// The label that a list of changed properties says was there before.
pub fn old_of(properties: &str) -> Option<String> {
    changed(properties, "OldValue")
}

fn changed(properties: &str, value: &str) -> Option<String> {
    let text = |n: i64, name: &str| {
        let path = [Place::Element(n), Place::Member(name.into())];
        Raw::of(find(properties, &path)?).text()
    };
    let label = |n: i64| {
        let said = text(n, value)?;
        let label = id(&said).filter(|label| is_guid(label))?;
        Some(label.into_owned())
    };
    let is_named = |n: &i64| {
        let name = text(*n, "Name");
        name.is_some_and(|name| name.to_lowercase().contains("label"))
    };
    let named = (0..PROPERTIES).filter(is_named).find_map(label);
    // What is the only one needs no name.
    named.or_else(|| match find(properties, &[Place::Element(1)]) {
        Some(_) => None,
        None => label(0),
    })
}

/// The id of a label where a source may have its name instead.
pub fn guid(text: &str) -> Option<Cow<'_, str>> {
    id(text).filter(|id| is_guid(id))
}

/// The name of a label there.
pub fn name_instead(text: &str) -> Option<&str> {
    let name = text.trim();
    (id(text).is_some() && guid(text).is_none()).then_some(name)
}

fn is_guid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// The name of a label that Microsoft makes in a new tenant.
pub fn default_name(id: &str) -> Option<&'static str> {
    let id = id.trim().to_ascii_lowercase();
    let group = id
        .strip_prefix("defa4170-0d19-0005-")?
        .strip_suffix("-bc88714345d2")?;
    let whole = group.len() == 4 && group.bytes().all(|b| b.is_ascii_hexdigit());
    let at = usize::from_str_radix(group, 16).ok().filter(|_| whole)?;
    DEFAULTS.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_assumed() {
        let happened = |number, name| what_happened(number, name, None);
        assert_eq!(happened(Some(83), None), OTHER);
        assert_eq!(happened(Some(95), None), OTHER);
        assert_eq!(happened(Some(95), Some(" ")), OTHER);
        assert_eq!(happened(Some(95), Some("Protect")), PROTECTION);
        assert_eq!(happened(Some(83), Some("Protect")), OTHER);
        assert_eq!(happened(Some(71), Some("Access")), "FileOpened");
        for denied in ["AccessDenied", "Access Denied", "FileAccessDenied"] {
            assert_eq!(happened(Some(95), Some(denied)), DENIED, "{denied}");
        }
        assert_eq!(
            happened(None, Some("ContainerSensitivityLabelRemoved")),
            "removed"
        );
        assert_eq!(happened(Some(83), Some("RetentionLabelRemoved")), OTHER);
        assert_eq!(activity(""), None);
        assert_eq!(event_type(""), None);
        assert_eq!(event_type("labelupgraded "), Some("labelupgraded "));
        for other in [
            "File copied to USB",
            // Any deletion of a file is written so.
            "FileDeleted",
            "Retention label removed",
            "Label removal failed",
            "Label on file downgraded or removed, then file accessed by Copilot",
            "Label removed from a file, then file downloaded",
        ] {
            assert_eq!(secured(other), None, "{other}");
            assert_eq!(secured_type(other), None, "{other}");
        }
    }

    #[test]
    fn what_failed_did_not_happen() {
        let removed = Some("SensitivityLabelRemoved");
        for result in [
            "Failed",
            "failed ",
            "Failure",
            "False",
            "Access Denied",
            "Unauthorized",
        ] {
            assert_eq!(
                what_happened(Some(83), removed, Some(result)),
                FAILED,
                "{result}"
            );
        }
        for result in ["", "Succeeded", "True", "PartiallySucceeded", "0"] {
            assert_eq!(
                what_happened(Some(83), removed, Some(result)),
                "removed",
                "{result}"
            );
        }
        let failed = Some("FileSensitivityLabelRemovedFailed");
        assert!(is_label(Some(6), failed));
        assert_eq!(what_happened(Some(6), failed, None), FAILED);
        assert_eq!(what_happened(Some(95), Some("ProtectFailed"), None), FAILED);
    }

    #[test]
    fn labels_are_one_id_or_none() {
        let guid = "8f1f7f4e-0001-4c3b-9d3e-aa00bb11cc22";
        for text in [
            guid.to_string(),
            guid.to_uppercase(),
            format!(" {{{guid}}} "),
            format!("[\"{guid}\"]"),
            format!("[\r\n  \"{guid}\"\r\n]"),
        ] {
            assert_eq!(id(&text).as_deref(), Some(guid), "{text}");
        }
        for none in ["", " ", "[]", "{}", NO_LABEL, "[\"a\",\"b\"]", "[", "{"] {
            let expected = match none {
                "[" | "{" => Some(none),
                _ => None,
            };
            assert_eq!(id(none).as_deref(), expected, "{none}");
        }
        assert_eq!(
            id("Confidential, Legal").as_deref(),
            Some("confidential, legal")
        );
        let list = format!(
            r#"[{{"Name":"DisplayName","NewValue":"{guid}"}},{{"Name":"LabelId","NewValue":"[\r\n  \"{guid}\"\r\n]","OldValue":"[]"}}]"#
        );
        assert_eq!(new_of(&list).as_deref(), Some(guid));
        assert_eq!(old_of(&list), None);
        let only = format!(r#"[{{"Name":"","NewValue":"{guid}","OldValue":""}}]"#);
        assert_eq!(new_of(&only).as_deref(), Some(guid));
        assert_eq!(old_of(&only), None);
        let unnamed = format!(r#"[{{"Name":"Id","NewValue":"{guid}"}},{{"Name":"b"}}]"#);
        assert_eq!(new_of(&unnamed), None);
        for broken in [
            "",
            "[",
            "{}",
            "null",
            r#"[{"Name":"Label","NewValue":"Secret"}]"#,
        ] {
            assert_eq!(new_of(broken), None, "{broken}");
        }
    }

    #[test]
    fn records_about_labels_are_told_by_type_or_operation() {
        assert!(is_label(Some(83), None));
        assert!(is_label(None, Some("FileSensitivityLabelRemoved")));
        assert!(is_label(Some(206), None));
        assert!(is_label(None, Some("SensitivityLabelPolicyMatched")));
        assert!(is_label(Some(13), Some(MAIL)));
        assert!(!is_label(Some(6), Some(MAIL)));
        assert!(!is_label(Some(6), Some("FileDeleted")));
        assert!(!is_label(None, None));
    }

    #[test]
    fn spellings_vary() {
        assert_eq!(activity("Access Denied"), Some("AccessDenied"));
        assert_eq!(activity_type("DowngradeLabel"), Some("LabelDowngraded"));
        assert_eq!(secured("Label removed"), Some("removed"));
        assert_eq!(secured("Label removed from a file"), Some("removed"));
        let downgraded = Some("LabelDowngraded");
        assert_eq!(secured_type("Label downgraded on a file"), downgraded);
        assert_eq!(secured("SensitivityLabelApplied"), Some("applied"));
        assert_eq!(secured_type("Sensitivity label downgraded"), downgraded);
        assert_eq!(event_type("2"), downgraded);
        assert_eq!(event_type("labelDOWNGRADED"), downgraded);
        assert_eq!(event_type("02"), Some("02"));
        assert_eq!(event_type("5"), Some("5"));
        assert_eq!(event_type("4"), Some("LabelChangedSameOrder"));
        assert_eq!(action_source("3"), "Manual");
        assert_eq!(action_source("03"), "03");
        assert_eq!(action_source("Manual"), "Manual");
        assert_eq!(action_source("automatic"), "Auto");
        assert_eq!(action_source("recommended"), "Recommended");
        assert_eq!(action_source("Mandatory"), "Mandatory");
        assert_eq!(mode("standard"), Some("Auto"));
        assert_eq!(mode(""), None);
        assert_eq!(name_instead(" Public "), Some("Public"));
        assert_eq!(name_instead(NO_LABEL), None);
        let id = |group: &str| format!("DEFA4170-0d19-0005-{group}-bc88714345d2");
        assert_eq!(
            default_name(&id("000B")),
            Some("Highly Confidential\\Specified People")
        );
        for unknown in ["000c", "00", "+005"] {
            assert_eq!(default_name(&id(unknown)), None, "{unknown}");
        }
    }
}
