//! The directory: users, groups, roles, applications and what they may.

use serde_json::Value;

use super::words::{DETAILS, Pairs, UNNAMED, fill, operation, or, quoted};
use crate::timeline::field::{Event, Field};

/// Operations, and lines with `{target}`, and `{role}` for what is named in the changes.
const OPERATIONS: [(&str, &str); 47] = [
    ("add user", "created the user {target}"),
    ("delete user", "deleted the user {target}"),
    ("hard delete user", "deleted the user {target} for good"),
    ("restore user", "restored the user {target}"),
    ("invite external user", "invited the guest {target}"),
    ("disable account", "disabled the account {target}"),
    ("enable account", "enabled the account {target}"),
    ("reset user password", "reset the password of {target}"),
    (
        "reset password (by admin)",
        "reset the password of {target}",
    ),
    ("reset password (self-service)", "reset the own password"),
    ("change user password", "changed the password of {target}"),
    ("change password (self-service)", "changed the own password"),
    (
        "set force change user password",
        "made {target} choose a new password",
    ),
    (
        "update stsrefreshtokenvalidfrom timestamp",
        "ended the sessions of {target}",
    ),
    (
        "user registered security info",
        "registered a way to sign in for {target}",
    ),
    (
        "user registered all required security info",
        "registered all ways to sign in for {target}",
    ),
    (
        "user deleted security info",
        "deleted a way to sign in of {target}",
    ),
    ("add member to group", "added {target} to the group {role}"),
    (
        "remove member from group",
        "removed {target} from the group {role}",
    ),
    (
        "add owner to group",
        "made {target} an owner of the group {role}",
    ),
    ("add group", "created the group {target}"),
    ("delete group", "deleted the group {target}"),
    ("add member to role", "added {target} to the role {role}"),
    (
        "add eligible member to role",
        "made {target} eligible for the role {role}",
    ),
    (
        "remove member from role",
        "removed {target} from the role {role}",
    ),
    ("add application", "registered the application {target}"),
    ("delete application", "deleted the application {target}"),
    (
        "add owner to application",
        "made {target} an owner of the application {role}",
    ),
    (
        "add service principal",
        "added the service principal {target}",
    ),
    (
        "remove service principal",
        "removed the service principal {target}",
    ),
    (
        "add service principal credentials",
        "added credentials to the service principal {target}",
    ),
    (
        "add owner to service principal",
        "made {target} an owner of the service principal {role}",
    ),
    (
        "add conditional access policy",
        "created the conditional access policy {target}",
    ),
    (
        "update conditional access policy",
        "changed the conditional access policy {target}",
    ),
    (
        "delete conditional access policy",
        "deleted the conditional access policy {target}",
    ),
    (
        "set domain authentication",
        "changed how the domain {target} signs in",
    ),
    (
        "set federation settings on domain",
        "changed the federation of the domain {target}",
    ),
    ("register device", "registered the device {target}"),
    ("add device", "added the device {target}"),
    ("update device", "changed the device {target}"),
    ("delete device", "deleted the device {target}"),
    (
        "enable strong authentication",
        "switched strong authentication on for {target}",
    ),
    (
        "disable strong authentication",
        "switched strong authentication off for {target}",
    ),
    (
        "remove delegated permission grant",
        "took back delegated permissions on {target}",
    ),
    (
        "add member to role requested (pim activation)",
        "asked to activate the role {target}",
    ),
    (
        "add member to role completed (pim activation)",
        "activated the role {target}",
    ),
    (
        "remove member from role (pim activation expired)",
        "ended the activation of the role {target}",
    ),
];

/// On what, and what changed.
struct Change {
    target: String,
    changes: Pairs,
}

/// What it did.
pub(super) fn deed(event: &Event<'_>) -> Option<String> {
    let operation = operation(event);
    let found = OPERATIONS.iter().find(|(own, _)| *own == operation);
    if let Some(&(_, template)) = found {
        let change = change(event);
        let role = [
            "Role.DisplayName",
            "Group.DisplayName",
            "Application.DisplayName",
            "ServicePrincipal.DisplayName",
        ]
        .into_iter()
        .map(|name| change.changes.get(name))
        .find(|name| !name.is_empty());
        return Some(fill(template, |place| match place {
            "role" => or(role.unwrap_or_default(), UNNAMED),
            _ => named(&change),
        }));
    }
    match operation.as_str() {
        "consent to application" => Some(consented(&change(event))),
        "add delegated permission grant" | "add oauth2permissiongrant" => {
            Some(granted(&change(event)))
        }
        "add app role assignment grant to user" => {
            let change = change(event);
            let who = or(change.changes.get("User.UPN"), "somebody");
            Some(format!(
                "gave {who} access to the application {}",
                named(&change)
            ))
        }
        "add app role assignment to service principal" => Some(assigned(&change(event))),
        "update user" => Some(updated(&change(event), "user")),
        "update group" => Some(updated(&change(event), "group")),
        "update application" => Some(updated(&change(event), "application")),
        "update service principal" => Some(updated(&change(event), "service principal")),
        // Its dash is one or the other, by year.
        other if other.contains("certificates and secrets management") => Some(format!(
            "changed secrets or certificates of the application {}",
            named(&change(event))
        )),
        _ => None,
    }
}

fn named(change: &Change) -> String {
    or(&change.target, UNNAMED)
}

fn consented(change: &Change) -> String {
    let whole = match change
        .changes
        .get("ConsentContext.IsAdminConsent")
        .to_ascii_lowercase()
        .as_str()
    {
        "true" => " for the whole organisation",
        _ => "",
    };
    let scope = match scope(change.changes.get("ConsentAction.Permissions")) {
        "" => String::new(),
        scope => format!("{DETAILS}{}", quoted(scope)),
    };
    format!(
        "consented to the application {}{whole}{scope}",
        named(change)
    )
}

/// The permissions in `[] => [[Id: …, Scope: Mail.Read offline_access, …]]`; the last that are named, which are those after the change.
fn scope(text: &str) -> &str {
    let Some((_, behind)) = text.rsplit_once("Scope: ") else {
        return "";
    };
    behind.split([',', ']']).next().unwrap_or_default().trim()
}

fn granted(change: &Change) -> String {
    let changes = &change.changes;
    let scope = changes.get("DelegatedPermissionGrant.Scope");
    format!(
        "granted the permissions {} to an application, on {}",
        or(scope.trim(), UNNAMED),
        named(change)
    )
}

fn assigned(change: &Change) -> String {
    let changes = &change.changes;
    let to = ["ServicePrincipal.DisplayName", "ServicePrincipal.ObjectID"]
        .into_iter()
        .map(|name| changes.get(name))
        .find(|name| !name.is_empty());
    format!(
        "gave the application {} the permission {} on {}",
        or(to.unwrap_or_default(), UNNAMED),
        or(changes.get("AppRole.Value"), UNNAMED),
        named(change)
    )
}

fn updated(change: &Change, what: &str) -> String {
    match change.changes.get("Included Updated Properties") {
        "" => format!("changed the {what} {}", named(change)),
        which => format!("changed {} of the {what} {}", quoted(which), named(change)),
    }
}

/// From the audit log, whose targets are `[{ID, Type}]`, or from AuditLogs, whose targets have names and their changes.
fn change(event: &Event<'_>) -> Change {
    let list = match serde_json::from_str(event.get(Field::Target)) {
        Ok(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let text = |entry: &Value, key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
            .to_string()
    };
    if list.iter().any(|entry| entry.get("ID").is_some()) {
        /// Kinds of ids: a user principal name, a display name.
        const READABLE: [i64; 2] = [5, 1];
        let of_kind = |kind: i64| {
            list.iter()
                .find(|entry| entry.get("Type").and_then(Value::as_i64) == Some(kind))
        };
        let readable = READABLE
            .into_iter()
            .find_map(of_kind)
            .map(|entry| text(entry, "ID"));
        return Change {
            target: readable.unwrap_or_else(|| event.get(Field::Object).to_string()),
            changes: Pairs::of(event.get(Field::Changes), "Name", "NewValue"),
        };
    }
    let name = |entry: &Value| {
        let names = ["userPrincipalName", "displayName", "id"].map(|key| text(entry, key));
        names.into_iter().find(|name| !name.is_empty())
    };
    let mut changes = Vec::new();
    for entry in &list {
        if let Some(Value::Array(own)) = entry.get("modifiedProperties") {
            changes.extend(own.iter().cloned());
        }
    }
    let changes = match changes.is_empty() {
        true => Pairs::of(event.get(Field::Changes), "Name", "NewValue"),
        false => Pairs::of_values(&changes, "displayName", "newValue"),
    };
    let target = list.iter().find_map(name);
    Change {
        target: target.unwrap_or_else(|| event.get(Field::Object).to_string()),
        changes,
    }
}
