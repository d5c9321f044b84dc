//! Files, folders, sites and sharing; teams and channels.

use serde_json::Value;

use super::words::{UNNAMED, filled, listed, operation, or};
use crate::timeline::field::{Event, Field};

/// Operations on files and sites.
const FILES: [(&str, &str); 46] = [
    ("fileaccessed", "opened {thing}"),
    ("fileaccessedextended", "kept {thing} open"),
    ("filepreviewed", "previewed {thing}"),
    ("filedownloaded", "downloaded {thing}"),
    ("filemodified", "changed {thing}"),
    ("filemodifiedextended", "went on changing {thing}"),
    ("fileuploaded", "uploaded {thing}"),
    ("filedeleted", "deleted {thing}"),
    ("filerecycled", "moved {thing} to the recycle bin"),
    ("filerestored", "restored {thing} from the recycle bin"),
    (
        "filedeletedfirststagerecyclebin",
        "deleted {thing} from the recycle bin",
    ),
    (
        "filedeletedsecondstagerecyclebin",
        "deleted {thing} from the recycle bin for good",
    ),
    ("fileversionsalldeleted", "deleted all versions of {thing}"),
    ("filemoved", "moved {thing} to {to}"),
    ("filecopied", "copied {thing} to {to}"),
    ("filerenamed", "renamed {thing} to {to}"),
    ("filecheckedin", "checked {thing} in"),
    ("filecheckedout", "checked {thing} out"),
    ("filecheckoutdiscarded", "discarded a checkout of {thing}"),
    ("filesyncdownloadedfull", "synchronised {thing} to a device"),
    (
        "filesyncdownloadedpartial",
        "synchronised a part of {thing} to a device",
    ),
    (
        "filesyncuploadedfull",
        "uploaded {thing} from a synchronised folder",
    ),
    (
        "filesyncuploadedpartial",
        "uploaded changes of {thing} from a synchronised folder",
    ),
    ("filemalwaredetected", "had malware found in {thing}"),
    ("foldercreated", "created the folder {thing}"),
    ("foldermodified", "changed the folder {thing}"),
    ("folderrenamed", "renamed the folder {thing} to {to}"),
    ("foldermoved", "moved the folder {thing} to {to}"),
    ("foldercopied", "copied the folder {thing} to {to}"),
    (
        "folderrecycled",
        "moved the folder {thing} to the recycle bin",
    ),
    ("folderdeleted", "deleted the folder {thing}"),
    ("pageviewed", "viewed the page {thing}"),
    ("listviewed", "viewed the list {thing}"),
    ("searchqueryperformed", "searched {thing}"),
    ("sitecollectioncreated", "created the site {thing}"),
    (
        "sitecollectionadminadded",
        "made {target} an administrator of the site {thing}",
    ),
    (
        "sitecollectionadminremoved",
        "took the administration of the site {thing} from {target}",
    ),
    ("groupadded", "added a group to the site {thing}"),
    (
        "permissionleveladded",
        "added a permission level to the site {thing}",
    ),
    (
        "sharinginheritancebroken",
        "gave {thing} permissions of its own",
    ),
    (
        "sharinginheritancereset",
        "gave {thing} the permissions of what it lies in",
    ),
    ("listcreated", "created the list {thing}"),
    ("listupdated", "changed the list {thing}"),
    ("listitemcreated", "created the list item {thing}"),
    ("listitemupdated", "changed the list item {thing}"),
    ("listitemviewed", "viewed the list item {thing}"),
];
/// Sharing.
const SHARING: [(&str, &str); 20] = [
    ("sharingset", "shared {thing} with {target}"),
    (
        "sharingrevoked",
        "ended the sharing of {thing} with {target}",
    ),
    ("sharinginvitationcreated", "invited {target} to {thing}"),
    (
        "sharinginvitationaccepted",
        "accepted an invitation to {thing}",
    ),
    (
        "sharinginvitationrevoked",
        "took back the invitation of {target} to {thing}",
    ),
    (
        "anonymouslinkcreated",
        "made a link to {thing} that anyone can use",
    ),
    (
        "anonymouslinkupdated",
        "changed a link to {thing} that anyone can use",
    ),
    (
        "anonymouslinkremoved",
        "removed a link to {thing} that anyone could use",
    ),
    (
        "anonymouslinkused",
        "opened {thing} by a link that anyone can use",
    ),
    (
        "companylinkcreated",
        "made a link to {thing} for the organisation",
    ),
    (
        "companylinkremoved",
        "removed a link to {thing} for the organisation",
    ),
    (
        "companylinkused",
        "opened {thing} by a link for the organisation",
    ),
    (
        "securelinkcreated",
        "made a link to {thing} for some people",
    ),
    (
        "securelinkupdated",
        "changed a link to {thing} for some people",
    ),
    (
        "securelinkdeleted",
        "removed a link to {thing} for some people",
    ),
    ("securelinkused", "opened {thing} by a link for some people"),
    ("addedtosecurelink", "added {target} to a link to {thing}"),
    (
        "removedfromsecurelink",
        "removed {target} from a link to {thing}",
    ),
    (
        "addedtogroup",
        "added {target} to a group of the site {thing}",
    ),
    ("accessrequestcreated", "asked for access to {thing}"),
];

/// What it did.
pub(super) fn deed(event: &Event<'_>) -> Option<String> {
    let operation = operation(event);
    let template = listed(&FILES, &operation).or_else(|| listed(&SHARING, &operation));
    template
        .map(|template| filled(template, event))
        .or_else(|| team(event, &operation))
}

fn team(event: &Event<'_>, operation: &str) -> Option<String> {
    let team = || or(event.first(&[Field::Team, Field::Name]), UNNAMED);
    Some(match operation {
        "memberadded" => format!("added {} to the team {}", members(event), team()),
        "memberremoved" => format!("removed {} from the team {}", members(event), team()),
        "memberrolechanged" => format!(
            "changed the role of {} in the team {}",
            members(event),
            team()
        ),
        "teamcreated" => format!("created the team {}", team()),
        "teamdeleted" => format!("deleted the team {}", team()),
        "channeladded" => format!(
            "added the channel {} to the team {}",
            or(event.get(Field::Channel), UNNAMED),
            team()
        ),
        "channeldeleted" => format!(
            "deleted the channel {} of the team {}",
            or(event.get(Field::Channel), UNNAMED),
            team()
        ),
        "chatcreated" => format!("began a chat of {}", members(event)),
        "teamssessionstarted" => "signed in to Teams".into(),
        "messagesent" | "messagecreatedhaslink" => match event.get(Field::Team) {
            "" => "sent a message in a chat".into(),
            _ => format!("sent a message in the team {}", team()),
        },
        _ => return None,
    })
}

/// Members that a line names.
const NAMED: usize = 5;

/// The people of a list of members.
fn members(event: &Event<'_>) -> String {
    let Ok(Value::Array(list)) = serde_json::from_str(event.get(Field::Target)) else {
        return or(event.get(Field::Target), "somebody");
    };
    let name = |member: &Value| {
        let names = ["UPN", "DisplayName"]
            .map(|key| member.get(key).and_then(Value::as_str).unwrap_or_default());
        names
            .into_iter()
            .find(|name| !name.is_empty())
            .map(|name| or(name, "somebody"))
    };
    let names: Vec<String> = list.iter().filter_map(name).collect();
    match names.len() {
        0 => "somebody".into(),
        count if count > NAMED => {
            format!("{} and {} others", names[..NAMED].join(", "), count - NAMED)
        }
        _ => names.join(", "),
    }
}
