//! Mailboxes: rules, forwarding, permissions, and what was done with mails.

use super::words::{
    DETAILS, Pairs, UNNAMED, fill, filling, listed, operation, or, quoted, short, thing,
};
use crate::timeline::field::{Event, Field};

/// What rules do, by the parameter that says it.
const ACTIONS: [(&str, &str); 9] = [
    ("ForwardTo", "forwards to"),
    ("ForwardAsAttachmentTo", "forwards as attachment to"),
    ("RedirectTo", "redirects to"),
    ("RedirectMessageTo", "redirects to"),
    ("BlindCopyTo", "copies secretly to"),
    ("CopyTo", "copies to"),
    ("MoveToFolder", "moves to"),
    ("CopyToFolder", "copies into"),
    ("ApplyCategory", "gives the category"),
];
/// Those that are set or not.
const SWITCHES: [(&str, &str); 5] = [
    ("DeleteMessage", "deletes the message"),
    ("SoftDeleteMessage", "deletes the message"),
    ("MarkAsRead", "marks it as read"),
    ("StopProcessingRules", "stops other rules"),
    ("Quarantine", "puts it into quarantine"),
];
/// When they do it.
const CONDITIONS: [(&str, &str); 8] = [
    ("SubjectContainsWords", "the subject contains"),
    ("BodyContainsWords", "the body contains"),
    ("SubjectOrBodyContainsWords", "subject or body contain"),
    ("FromAddressContainsWords", "the sender's address contains"),
    ("From", "the sender is"),
    ("SentTo", "it is sent to"),
    ("HeaderContainsWords", "a header contains"),
    (
        "RecipientAddressContainsWords",
        "the recipient's address contains",
    ),
];
/// Where a mailbox forwards to.
const FORWARDING: [&str; 2] = ["ForwardingSmtpAddress", "ForwardingAddress"];
/// Operations with mails.
const MAILS: [(&str, &str); 11] = [
    ("send", "sent the mail {thing}"),
    ("sendas", "sent the mail {thing} as {target}"),
    (
        "sendonbehalf",
        "sent the mail {thing} on behalf of {target}",
    ),
    ("movetodeleteditems", "moved {mails} to {to}"),
    ("softdelete", "deleted {mails}"),
    ("harddelete", "deleted {mails} for good"),
    ("move", "moved {mails} to {to}"),
    ("copy", "copied {mails} to {to}"),
    ("create", "created the item {thing}"),
    ("update", "changed the item {thing}"),
    ("mailboxlogin", "logged on to the mailbox"),
];

/// What it did.
pub(super) fn deed(event: &Event<'_>) -> Option<String> {
    let operation = operation(event);
    let parameters = || Pairs::of(event.get(Field::Parameters), "Name", "Value");
    let rule = |verb: &str, what: &str| Some(ruled(event, &parameters(), verb, what));
    match operation.as_str() {
        "new-inboxrule" => return rule("created", "inbox rule"),
        "set-inboxrule" => return rule("changed", "inbox rule"),
        "enable-inboxrule" => return rule("switched on", "inbox rule"),
        "disable-inboxrule" => return rule("switched off", "inbox rule"),
        "remove-inboxrule" => return rule("removed", "inbox rule"),
        "new-transportrule" => return rule("created", "mail flow rule"),
        "set-transportrule" => return rule("changed", "mail flow rule"),
        "remove-transportrule" => return rule("removed", "mail flow rule"),
        "updateinboxrules" => return Some(updated_rules(event)),
        "set-mailbox" => return Some(set_mailbox(event, &parameters())),
        "add-mailboxpermission" => return Some(permitted(event, &parameters(), "gave")),
        "remove-mailboxpermission" => return Some(permitted(event, &parameters(), "took from")),
        "add-recipientpermission" => return Some(permitted(event, &parameters(), "gave")),
        "add-mailboxfolderpermission" => return Some(permitted(event, &parameters(), "gave")),
        "mailitemsaccessed" => return Some(accessed(event)),
        _ => {}
    }
    let template = listed(&MAILS, &operation)?;
    // Files and groups have operations of these names too.
    if event.get(Field::Owner).is_empty()
        && event.get(Field::Target).is_empty()
        && operation.len() < 8
    {
        return None;
    }
    let mails = match (event.get(Field::Count), thing(event)) {
        ("" | "0" | "1", "") => "a mail".into(),
        ("" | "0" | "1", subject) => format!("the mail {}", quoted(subject)),
        (count, "") => format!("{} mails", short(count)),
        (count, subject) => format!("{} mails, {} among them,", short(count), quoted(subject)),
    };
    let line = fill(template, |place| match place {
        "mails" => mails.clone(),
        place => filling(place, event),
    });
    Some(format!("{line}{}", mailbox(event)))
}

/// In whose mailbox, where it is not one's own.
fn mailbox(event: &Event<'_>) -> String {
    let owner = event.get(Field::Owner);
    match owner.is_empty() || owner.eq_ignore_ascii_case(event.get(Field::User)) {
        true => String::new(),
        false => format!(" in the mailbox of {}", quoted(owner)),
    }
}

fn ruled(event: &Event<'_>, parameters: &Pairs, verb: &str, what: &str) -> String {
    let name = ["Name", "Identity"]
        .into_iter()
        .map(|key| parameters.get(key))
        .find(|name| !name.is_empty());
    let mut line = format!(
        "{verb} the {what} {}",
        or(name.unwrap_or_else(|| event.get(Field::Object)), UNNAMED)
    );
    let mailbox = parameters.get("Mailbox");
    if !mailbox.is_empty() {
        line.push_str(&format!(" of {}", quoted(mailbox)));
    }
    let said = |list: &[(&str, &str)]| -> Vec<String> {
        let set = list.iter().filter(|(key, _)| parameters.is_set(key));
        set.map(|(key, words)| format!("{words} {}", quoted(parameters.get(key))))
            .collect()
    };
    let mut parts = Vec::new();
    let conditions = said(&CONDITIONS);
    if !conditions.is_empty() {
        parts.push(format!("where {}", conditions.join(" and ")));
    }
    parts.extend(said(&ACTIONS));
    let switches = SWITCHES.iter().filter(|(key, _)| parameters.is_set(key));
    parts.extend(switches.map(|(_, words)| (*words).to_string()));
    if !parts.is_empty() {
        line.push(DETAILS);
        line.push_str(&parts.join(", "));
    }
    line
}

/// What Outlook does with rules. It writes conditions and actions in words of its own.
fn updated_rules(event: &Event<'_>) -> String {
    let facts = Pairs::of(event.get(Field::Facts), "Name", "Value");
    let verb = match facts.get("RuleOperation") {
        "AddMailboxRule" => "created",
        "DeleteMailboxRule" | "RemoveMailboxRule" => "removed",
        _ => "changed",
    };
    let line = match facts.get("RuleName") {
        "" => format!("{verb} inbox rules{}", mailbox(event)),
        name => format!("{verb} the inbox rule {}{}", quoted(name), mailbox(event)),
    };
    let mut parts = Vec::new();
    let condition = facts.get("RuleCondition");
    if !condition.is_empty() {
        parts.push(format!("where {}", quoted(condition)));
    }
    let actions = facts.get("RuleActions");
    if !actions.is_empty() {
        parts.push(format!("actions {}", quoted(actions)));
    }
    match parts.is_empty() {
        true => line,
        false => format!("{line}{DETAILS}{}", parts.join(", ")),
    }
}

fn set_mailbox(event: &Event<'_>, parameters: &Pairs) -> String {
    let whose = or(
        match parameters.get("Identity") {
            "" => event.get(Field::Object),
            identity => identity,
        },
        UNNAMED,
    );
    let to = FORWARDING
        .into_iter()
        .map(|key| parameters.get(key))
        .find(|to| !to.is_empty());
    if let Some(to) = to {
        // Where the command leaves it open the mailbox keeps to what was set before.
        let copy = match parameters.get("DeliverToMailboxAndForward") {
            "" => "",
            set if set.eq_ignore_ascii_case("false") => ", keeping no copy",
            _ => ", keeping a copy",
        };
        return format!("set the mailbox {whose} to forward to {}{copy}", quoted(to));
    }
    if parameters.names().any(|name| FORWARDING.contains(&name)) {
        return format!("set the mailbox {whose} to forward to nobody");
    }
    let names: Vec<&str> = parameters
        .names()
        .filter(|name| *name != "Identity")
        .collect();
    match names.is_empty() {
        true => format!("changed settings of the mailbox {whose}"),
        false => format!(
            "changed settings of the mailbox {whose}{DETAILS}{}",
            quoted(&names.join(", "))
        ),
    }
}

fn permitted(event: &Event<'_>, parameters: &Pairs, verb: &str) -> String {
    let who = ["User", "Trustee"]
        .into_iter()
        .map(|key| parameters.get(key))
        .find(|who| !who.is_empty());
    let whose = match parameters.get("Identity") {
        "" => event.get(Field::Object),
        identity => identity,
    };
    format!(
        "{verb} {} the rights {} on the mailbox {}",
        or(who.unwrap_or_default(), "somebody"),
        or(parameters.get("AccessRights"), UNNAMED),
        or(whose, UNNAMED)
    )
}

fn accessed(event: &Event<'_>) -> String {
    let facts = Pairs::of(event.get(Field::Facts), "Name", "Value");
    let how = match facts.get("MailAccessType") {
        "Sync" => "synchronised mail",
        _ => "read mail",
    };
    let times = match event.get(Field::Count) {
        "" => String::new(),
        "1" => " (1 access)".into(),
        count => format!(" ({} accesses)", short(count)),
    };
    // Then Exchange logs no more of them for a day.
    let throttled = match facts.is_set("IsThrottled") {
        true => ", throttled: there may be more",
        false => "",
    };
    format!("{how}{times}{}{throttled}", mailbox(event))
}
