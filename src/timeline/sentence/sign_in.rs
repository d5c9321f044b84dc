//! Sign-ins of people and applications.

use super::words::{or, quoted, short};
use crate::timeline::field::{Event, Field};

/// Whether an event is a sign-in.
pub(super) fn is(event: &Event<'_>) -> bool {
    let table = event.get(Field::Table);
    table.contains("SignInEvents")
        || table.to_ascii_lowercase().contains("signinlogs")
        || is_audited(event)
}

fn is_audited(event: &Event<'_>) -> bool {
    matches!(event.get(Field::Action), "UserLoggedIn" | "UserLoginFailed")
}

/// What it did.
pub(super) fn deed(event: &Event<'_>) -> Option<String> {
    if event.get(Field::Table) == "IdentityLogonEvents" {
        return Some(logon(event));
    }
    if !is(event) {
        return None;
    }
    let to = match event.get(Field::Application) {
        "" => String::new(),
        application => format!(" to {}", quoted(application)),
    };
    let result = event.get(Field::Result);
    let failed = match event.get(Field::Action) {
        "UserLoginFailed" => true,
        "UserLoggedIn" => false,
        _ => !matches!(result, "" | "0" | "Success"),
    };
    if !failed {
        return Some(format!("signed in{to}"));
    }
    let why = match (result, event.get(Field::Reason)) {
        ("", "") => String::new(),
        (result, "" | "none") => format!(" ({})", short(result)),
        ("", reason) => format!(" ({})", quoted(reason)),
        (result, reason) => format!(" ({}, {})", short(result), quoted(reason)),
    };
    Some(format!("failed to sign in{to}{why}"))
}

/// A logon that Defender for Identity saw.
fn logon(event: &Event<'_>) -> String {
    let device = or(event.first(&[Field::Object, Field::Device]), "a device");
    match event.get(Field::Action) {
        "LogonFailed" => match event.get(Field::Reason) {
            "" => format!("failed to log on to {device}"),
            reason => format!("failed to log on to {device} ({})", quoted(reason)),
        },
        _ => format!("logged on to {device}"),
    }
}
