//! A label event as a line for people. Texts of the log stand between backticks and are shortened; whoever shows the line escapes it.

use super::event::{Happened, Named};

/// In the place of what a record does not say.
const UNNAMED: &str = "(not named)";
/// Characters of a value that a line shows.
const SHOWN: usize = 300;

impl Happened {
    /// What happened, by whom, how and where; its time stands beside it.
    pub fn line(&self) -> String {
        line(self)
    }
}

fn line(event: &Happened) -> String {
    let who = match event.user.as_str() {
        "" => "Somebody".to_string(),
        user => short(user),
    };
    let mut out = format!("{who} {}", deed(event));
    if let Some(how) = how(&event.how) {
        out.push_str(&format!(" {how}"));
    }
    for (word, place) in [
        ("in", &event.application),
        ("on", &event.device),
        ("from", &event.address),
    ] {
        if !place.is_empty() {
            out.push_str(&format!(" {word} {}", short(place)));
        }
    }
    if !event.justification.is_empty() {
        out.push_str(&format!("; reason given: {}", quoted(&event.justification)));
    }
    out
}

fn deed(event: &Happened) -> String {
    let file = match (event.file.as_str(), event.path.as_str()) {
        ("", "") => "something".to_string(),
        ("", path) => quoted(path),
        (file, _) => quoted(file),
    };
    let (old, new) = (label(&event.old_label), label(&event.new_label));
    let labelled = match event.new_label.called() {
        Some(_) => format!(" (labelled {new})"),
        None => String::new(),
    };
    match event.action.as_str() {
        "LabelApplied" => format!("put the label {new} on {file}"),
        "LabelUpgraded" => format!("raised the label of {file} from {old} to {new}"),
        "LabelDowngraded" => format!("lowered the label of {file} from {old} to {new}"),
        "LabelChanged" => format!("changed the label of {file} from {old} to {new}"),
        "LabelRemoved" => format!("removed the label {old} from {file}"),
        "FileOpened" => format!("opened {file}{labelled}"),
        "FileModified" => format!("changed {file}{labelled}"),
        "FileDeleted" => format!("deleted {file}{labelled}"),
        "FileDiscovered" => format!("came across {file}{labelled}"),
        "FileRenamed" => match event.previous_file.as_str() {
            "" => format!("renamed a file to {file}{labelled}"),
            before => format!("renamed {} to {file}{labelled}", quoted(before)),
        },
        "ReadByCopilot" => format!("let Copilot read {file}{labelled}"),
        "AccessDenied" => match event.owner.as_str() {
            "" => format!("was denied access to {file}"),
            owner => format!("was denied access to {file} of {}", short(owner)),
        },
        "ProtectionChanged" => format!("changed the protection of {file}{labelled}"),
        "LabelMismatch" => format!("has {file}{labelled} in a site with another label"),
        "PolicyMatched" => format!("met a labelling policy with {file}{labelled}"),
        "AttemptFailed" => format!("failed at {} with {file}", quoted(&event.operation)),
        _ => format!("did {} with {file}{labelled}", quoted(&event.operation)),
    }
}

fn how(source: &str) -> Option<&'static str> {
    Some(match source {
        "Manual" => "by hand",
        "Auto" => "automatically",
        "Default" => "by default",
        "Recommended" => "as recommended",
        _ => return None,
    })
}

fn label(label: &Named) -> String {
    label.called().map_or_else(|| UNNAMED.to_string(), quoted)
}

fn quoted(text: &str) -> String {
    format!("`{}`", short(text))
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_who_did_what_how_and_where() {
        let named = |name: &str| Named {
            id: "aa".into(),
            name: name.into(),
        };
        let event = Happened {
            action: "LabelDowngraded".into(),
            user: "ada@contoso.com".into(),
            file: "Plan.docx".into(),
            old_label: named("Secret"),
            new_label: named(""),
            how: "Manual".into(),
            application: "Word".into(),
            device: "PC-1".into(),
            address: "192.0.2.1".into(),
            justification: "x".repeat(SHOWN + 1),
            ..Happened::default()
        };
        let reason = "x".repeat(SHOWN);
        assert_eq!(
            line(&event),
            format!(
                "ada@contoso.com lowered the label of `Plan.docx` from `Secret` to `aa` by hand in Word on PC-1 from 192.0.2.1; \
                 reason given: `{reason}…`"
            )
        );
        let bare = Happened {
            action: "LabelApplied".into(),
            ..Happened::default()
        };
        assert_eq!(
            line(&bare),
            "Somebody put the label (not named) on something"
        );
        let odd = Happened {
            operation: "SensitivityLabelPolicyChanged".into(),
            ..Happened::default()
        };
        assert_eq!(
            line(&odd),
            "Somebody did `SensitivityLabelPolicyChanged` with something"
        );
    }
}
