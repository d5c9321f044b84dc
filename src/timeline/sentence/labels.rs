//! Sensitivity labels, and documents that are protected.

use super::words::{DETAILS, UNNAMED, operation, or, quoted, thing};
use crate::timeline::field::{Event, Field};
use crate::timeline::named::Names;

/// What it did.
pub(super) fn deed(event: &Event<'_>, known: &Names) -> Option<String> {
    // The activity explorer writes the same words apart.
    let operation = operation(event).replace(' ', "");
    let is_protection = event.get(Field::Table) == "InformationProtectionLogs_CL";
    let file = or(thing(event), "something");
    let owner = match event.get(Field::Owner) {
        "" => String::new(),
        owner => format!(" of {}", quoted(owner)),
    };
    let line = match operation.as_str() {
        "accessdenied" if is_protection => {
            return Some(format!("was denied access to {file}{owner}"));
        }
        "access" if is_protection => return Some(format!("opened {file}{owner}")),
        "access" | "sensitivitylabeledfileopened" | "sensitivitylabelfileread" => {
            return Some(format!("opened {file}{}", labelled(event, known)));
        }
        "discover" => return Some(format!("came across {file}{}", labelled(event, known))),
        "heartbeat" => return Some("ran a labelling client".into()),
        "autosensitivitylabelrulematch" => {
            return Some(format!("found {file} to match a rule for automatic labels"));
        }
        "dlprulematch" => return Some(format!("matched a rule against data loss with {file}")),
        "documentsensitivitymismatchdetected" => {
            return Some(format!(
                "has {file} at a site with a lower label than that of the file"
            ));
        }
        "sensitivitylabeledfilerenamed" => {
            let before = or(event.get(Field::Destination), "a file");
            return Some(format!(
                "renamed {before} to {file}{}",
                labelled(event, known)
            ));
        }
        "miplabel" => return Some(format!("sent the mail {file}{}", labelled(event, known))),
        "sensitivitylabelapplied"
        | "filesensitivitylabelapplied"
        | "sitesensitivitylabelapplied"
        | "labelapplied"
        | "newlabel" => match event.get(Field::OldLabel) {
            "" => format!(
                "put the label {} on {file}",
                label(known, event.get(Field::NewLabel))
            ),
            _ => changed(event, known, &file),
        },
        "sensitivitylabelupdated"
        | "sensitivitylabelchanged"
        | "filesensitivitylabelchanged"
        | "sitesensitivitylabelchanged"
        | "labelchanged"
        | "labelupgraded"
        | "labeldowngraded"
        | "upgradelabel"
        | "downgradelabel"
        | "changelabel" => changed(event, known, &file),
        "sensitivitylabelremoved"
        | "filesensitivitylabelremoved"
        | "sitesensitivitylabelremoved"
        | "labelremoved"
        | "removelabel" => {
            format!(
                "removed the label {} from {file}",
                label(known, event.get(Field::OldLabel))
            )
        }
        _ => return None,
    };
    Some(match event.get(Field::Justification) {
        "" => line,
        why => format!("{line}{DETAILS}reason given {}", quoted(why)),
    })
}

fn label(known: &Names, id: &str) -> String {
    or(known.name(id), UNNAMED)
}

fn labelled(event: &Event<'_>, known: &Names) -> String {
    match event.get(Field::NewLabel) {
        "" => String::new(),
        id => format!(" (labelled {})", quoted(known.name(id))),
    }
}

/// A change. What the record says of its direction counts, else the ranks of the two, else the name of the operation.
fn changed(event: &Event<'_>, known: &Names, file: &str) -> String {
    let (old, new) = (event.get(Field::OldLabel), event.get(Field::NewLabel));
    let said = event.get(Field::LabelChange);
    let operation = operation(event);
    let verb = match (said, known.rank(old), known.rank(new)) {
        ("1" | "LabelUpgraded", ..) => "raised",
        ("2" | "LabelDowngraded", ..) => "lowered",
        ("4" | "LabelChangedSameOrder", ..) => "changed",
        (_, Some(old), Some(new)) if new > old => "raised",
        (_, Some(old), Some(new)) if new < old => "lowered",
        _ if operation.contains("upgrade") => "raised",
        _ if operation.contains("downgrade") => "lowered",
        _ => "changed",
    };
    format!(
        "{verb} the label of {file} from {} to {}",
        label(known, old),
        label(known, new)
    )
}
