//! How the activity explorer of Microsoft Purview spells what happened to labels and to the items that carry them.
//!
//! Source: the activities that `Export-ActivityExplorerData` names as filters
//! (<https://learn.microsoft.com/powershell/module/exchangepowershell/export-activityexplorerdata>).

use super::labels::{self, OTHER, PROTECTION, READ_BY_COPILOT};

/// Activities beside those about labels, and what happened.
static ACTIVITIES: [(&str, &str); 5] = [
    // A recommendation labels nothing.
    ("labelrecommended", OTHER),
    ("labelrecommendedanddismissed", OTHER),
    ("newprotection", PROTECTION),
    ("changeprotection", PROTECTION),
    ("removeprotection", PROTECTION),
];

/// Those that are of any file, and say something of labels where the file has one.
static OF_FILES: [(&str, &str); 6] = [
    ("fileread", "FileOpened"),
    ("filerenamed", "FileRenamed"),
    ("filemodified", "FileModified"),
    ("filedeleted", "FileDeleted"),
    ("filediscovered", "FileDiscovered"),
    ("copilotinteraction", READ_BY_COPILOT),
];

/// What an activity says that happened to a label or to protection.
pub fn activity(name: &str) -> Option<&'static str> {
    labels::secured(name).or_else(|| named(&ACTIVITIES, name))
}

/// What it says that happened to an item that has a label.
pub fn of_labelled(name: &str) -> Option<&'static str> {
    named(&OF_FILES, name)
}

fn named(rows: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let bare = name.replace(' ', "").to_lowercase();
    let found = rows.iter().find(|row| row.0 == bare);
    found.map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_any_file_counts_for_items_with_a_label_only() {
        assert_eq!(activity("Label applied"), Some("applied"));
        assert_eq!(activity("ChangeProtection"), Some(PROTECTION));
        assert_eq!(activity("LabelRecommendedAndDismissed"), Some(OTHER));
        assert_eq!(activity("FileRead"), None);
        assert_eq!(of_labelled("File read"), Some("FileOpened"));
        assert_eq!(of_labelled("LabelApplied"), None);
        assert_eq!(activity("CopilotInteraction"), None);
        assert_eq!(of_labelled("CopilotInteraction"), Some(READ_BY_COPILOT));
        assert_eq!(of_labelled("DLPRuleMatch"), None);
    }
}
