//! Columns that hold words of a closed list (Microsoft's references of the tables of Azure Monitor and Defender XDR, autumn 2026).

const SEVERITIES: &[&str] = &["High", "Medium", "Low", "Informational"];

/// Table, column, and the words.
const ENUMERATIONS: [(&str, &str, &[&str]); 5] = [
    ("AlertInfo", "Severity", SEVERITIES),
    ("SecurityAlert", "AlertSeverity", SEVERITIES),
    ("SecurityIncident", "Severity", SEVERITIES),
    ("SecurityIncident", "Status", &["New", "Active", "Closed"]),
    (
        "SecurityIncident",
        "Classification",
        &[
            "BenignPositive",
            "FalsePositive",
            "TruePositive",
            "Undetermined",
        ],
    ),
];

/// The words that a column can hold, where they are a closed list. It may be empty, too.
pub fn words_of(table: &str, column: &str) -> Option<&'static [&'static str]> {
    let row = ENUMERATIONS
        .iter()
        .find(|row| row.0 == table && row.1 == column);
    row.map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::table;

    #[test]
    fn every_enumeration_is_a_column_of_the_catalog() {
        for (name, column, words) in ENUMERATIONS {
            assert!(table(name).position(column).is_some(), "{name}.{column}");
            assert_eq!(words_of(name, column), Some(words));
        }
        assert_eq!(words_of("SecurityAlert", "AlertName"), None);
    }
}
