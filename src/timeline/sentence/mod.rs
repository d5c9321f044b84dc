//! A line for an event: who did what, to what, from where. Operations that people meet have words of their own, all others a general line.
//!
//! Texts of the log stand between backticks and are not made harmless here: each medium does that.

use super::field::{Event, Field};
use super::named::Names;

use words::{DETAILS, quoted, who};

mod directory;
mod documents;
mod labels;
mod mail;
mod others;
mod sign_in;
mod words;

/// The line of an event.
pub(super) fn sentence(event: &Event<'_>, known: &Names) -> String {
    let application = known.application(event.get(Field::Application));
    let event = &event.with(Field::Application, application);
    if let Some(whole) = others::whole(event) {
        return whole;
    }
    let said = sign_in::deed(event)
        .or_else(|| labels::deed(event, known))
        .or_else(|| mail::deed(event))
        .or_else(|| directory::deed(event))
        .or_else(|| documents::deed(event))
        .unwrap_or_else(|| others::deed(event));
    let (said, details) = said.split_once(DETAILS).unwrap_or((said.as_str(), ""));
    let mut line = format!("{} {said}", who(event));
    if !application.is_empty() && !line.contains(&quoted(application)) {
        line.push_str(&format!(" with {}", quoted(application)));
    }
    let (address, place) = (event.get(Field::Address), event.get(Field::Place));
    if !address.is_empty() {
        line.push_str(&format!(" from {}", words::short(address)));
        // A JSON of a place is no word.
        if !place.is_empty() && !place.starts_with('{') {
            line.push_str(&format!(" ({})", words::short(place)));
        }
    }
    if !details.is_empty() {
        line.push_str(": ");
        line.push_str(details);
    }
    if let Some(failed) = failed(event) {
        line.push_str(&failed);
    }
    line
}

/// That an action did not succeed, or not wholly. Lines of sign-ins and of denials say it themselves.
fn failed(event: &Event<'_>) -> Option<String> {
    let result = event.get(Field::Result);
    if result.eq_ignore_ascii_case("PartiallySucceeded") {
        return Some("; it succeeded in part".into());
    }
    let is = ["failed", "failure", "false", "fail", "error", "timeout"]
        .iter()
        .any(|word| result.eq_ignore_ascii_case(word));
    if !is || sign_in::is(event) {
        return None;
    }
    Some(match event.get(Field::Reason) {
        "" => "; it failed".into(),
        reason => format!("; it failed: {}", quoted(reason)),
    })
}

#[cfg(test)]
mod tests;
