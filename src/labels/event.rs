//! A label event as `LabelEvents` has it, for people and programs.

use serde::Serialize;

/// A label as an event names it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its id; empty where the record has its name only.
    pub id: String,
    /// Its name; empty where nobody knows it.
    pub name: String,
}

impl Named {
    /// What it is called: its name, else its id; nothing where there is no label.
    pub(super) fn called(&self) -> Option<&str> {
        let mut said = [&self.name, &self.id].into_iter();
        said.find(|text| !text.is_empty()).map(String::as_str)
    }
}

/// A label event. Texts are empty where its record does not say them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// When, as ISO 8601 in UTC.
    pub time: String,
    /// What happened, as `LabelEvents` names it.
    pub action: String,
    /// Who did it.
    pub user: String,
    /// The document, mail, site or group.
    pub file: String,
    /// Where it is.
    pub path: String,
    /// Its name before it was renamed.
    pub previous_file: String,
    /// The label before.
    pub old_label: Named,
    /// The label after, or that it has.
    pub new_label: Named,
    /// What the user wrote for it.
    pub justification: String,
    /// What set the label: Manual, Auto, Default, Recommended.
    pub how: String,
    /// In which application.
    pub application: String,
    /// On which device.
    pub device: String,
    /// In which site.
    pub site: String,
    /// Owner of the protection.
    pub owner: String,
    /// From which address.
    pub address: String,
    /// The operation as its source names it.
    pub operation: String,
    /// The table that it comes from.
    pub table: String,
    /// Id of the record in its source.
    pub event_id: String,
    /// Number of the ingest and of the record in its file.
    pub record: String,
}
