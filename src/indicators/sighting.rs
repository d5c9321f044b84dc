//! Something that was found or denied, whoever says it.

use super::observable::Observable;
use crate::rules::Severity;

/// Something that was found or denied, and what it names.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// In a few words.
    pub what: String,
    /// How often.
    pub times: u64,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is, up to 100, where that can be told.
    pub confidence: Option<u8>,
    /// The first event, in microseconds since 1970, UTC.
    pub first: Option<i64>,
    /// The last event.
    pub last: Option<i64>,
    /// ATT&CK tactics, as Sentinel spells them.
    pub tactics: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// All that is known of it: names and values.
    pub properties: Vec<(String, String)>,
    /// What it names.
    pub observables: Vec<Observable>,
}
