//! Other spellings of the columns of Entra's tables: as Microsoft Graph, its PowerShell and the portal's CSV name them.
//!
//! One table, `spellings.txt`, for whatever reads such rows. Knows names only; what becomes of the values is said where they are read.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Origin, Table, catalog};

/// The spellings of tables that are alike.
#[derive(Debug)]
pub struct Spellings {
    /// `sign-in`, `audit`, `risk`, `risky`, `provisioning`.
    pub kind: &'static str,
    tables: Vec<&'static str>,
    names: HashMap<String, Spelling>,
    words: HashMap<(&'static str, String), &'static str>,
}

/// Where the values under a name go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// The column, or of several the one that a table has.
    pub columns: Vec<&'static str>,
    /// Steps below the column, joined by `.`; `#` is a number of the name. Empty: the column itself.
    pub path: &'static str,
}

struct All {
    kinds: Vec<Spellings>,
    languages: Vec<(&'static str, Vec<String>)>,
}

static ALL: LazyLock<All> = LazyLock::new(|| All::read(include_str!("spellings.txt")));

/// The spellings of a table, where it has any.
pub fn of(table: &str) -> Option<&'static Spellings> {
    ALL.kinds.iter().find(|kind| kind.tables.contains(&table))
}

/// All kinds.
pub fn kinds() -> &'static [Spellings] {
    &ALL.kinds
}

/// The language that these names of columns show, where it is one whose names are not all known.
pub fn language(names: &[String]) -> Option<&'static str> {
    /// One name may be the same in several languages.
    const ENOUGH: usize = 2;
    let names: Vec<String> = names.iter().map(|n| fold(n)).collect();
    let shown = |words: &Vec<String>| words.iter().filter(|w| names.contains(w)).count();
    ALL.languages
        .iter()
        .map(|(language, words)| (shown(words), *language))
        .filter(|(count, _)| *count >= ENOUGH)
        .max_by_key(|(count, _)| *count)
        .map(|(_, language)| language)
}

/// A name by its letters and digits alone, in lower case.
pub fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric() || *c == '#')
        .flat_map(char::to_lowercase)
        .collect()
}

impl Spellings {
    /// Where values under this name go, and the numbers that the name has.
    pub fn find(&self, name: &str) -> Option<(&Spelling, Vec<usize>)> {
        let folded = fold(name);
        if let Some(found) = self.names.get(&folded) {
            return Some((found, Vec::new()));
        }
        let mut pattern = String::new();
        let mut numbers = Vec::new();
        let mut rest = folded.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let digits = &rest[at..];
            let end = digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len());
            numbers.push(digits[..end].parse().ok()?);
            pattern.push_str(&rest[..at]);
            pattern.push('#');
            rest = &digits[end..];
        }
        pattern.push_str(rest);
        let found = self.names.get(&pattern).filter(|_| !numbers.is_empty())?;
        Some((found, numbers))
    }

    /// The value of a column that is written in other words.
    pub fn word(&self, column: &'static str, text: &str) -> Option<&'static str> {
        self.words.get(&(column, fold(text))).copied()
    }

    /// Whether values of a column come in other words.
    pub fn has_words(&self, column: &str) -> bool {
        self.words.keys().any(|(name, _)| *name == column)
    }

    /// Adds the columns of the tables themselves.
    fn add_own(&mut self) {
        for table in self.tables.iter().filter_map(|name| catalog().get(name)) {
            for column in table.columns.iter().filter(|c| is_own(table, c.name)) {
                self.names
                    .entry(fold(column.name))
                    .or_insert_with(|| Spelling {
                        columns: vec![column.name],
                        path: "",
                    });
            }
        }
    }
}

/// Whether a column is the event's, and neither the workspace's nor a time that every table has.
fn is_own(table: &Table, name: &str) -> bool {
    const EVERYWHERE: [&str; 5] = [super::TIME, "Timestamp", "Type", "TenantId", "SourceSystem"];
    !name.starts_with('_')
        && !EVERYWHERE.contains(&name)
        && table
            .position(name)
            .is_some_and(|i| table.columns[i].origin == Origin::Export)
}

impl All {
    fn read(text: &'static str) -> All {
        let mut all = All {
            kinds: Vec::new(),
            languages: Vec::new(),
        };
        for line in text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            if let Some(rest) = line.strip_prefix("kind ") {
                let mut words = rest.split(' ');
                all.kinds.push(Spellings {
                    kind: words.next().unwrap_or_default(),
                    tables: words.collect(),
                    names: HashMap::new(),
                    words: HashMap::new(),
                });
                continue;
            }
            let (what, names) = line
                .split_once(" = ")
                .unwrap_or_else(|| panic!("catalog: spelling `{line}` has no ` = `"));
            let folded = names.split(" | ").map(fold);
            if let Some(language) = what.strip_prefix("language ") {
                all.languages.push((language, folded.collect()));
                continue;
            }
            let kind = all
                .kinds
                .last_mut()
                .unwrap_or_else(|| panic!("catalog: spelling `{line}` is of no kind"));
            if let Some((column, value)) = what
                .strip_prefix("words ")
                .and_then(|rest| rest.split_once(' '))
            {
                for word in folded.chain([fold(value)]) {
                    kind.words.insert((column, word), value);
                }
                continue;
            }
            let (columns, path) = what.split_once('.').unwrap_or((what, ""));
            let spelling = Spelling {
                columns: columns.split('/').collect(),
                path,
            };
            // `status.errorCode` and `DeviceDetail_Browser`, as tools name what they took apart.
            let whole = (!path.is_empty()).then(|| fold(what));
            for name in folded.chain(whole) {
                kind.names.insert(name, spelling.clone());
            }
        }
        for kind in &mut all.kinds {
            kind.add_own();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::table;

    #[test]
    fn every_spelling_leads_to_a_column_that_the_service_has() {
        for kind in kinds() {
            for (name, spelling) in &kind.names {
                for column in &spelling.columns {
                    let mut tables = kind.tables.iter();
                    assert!(
                        tables.any(|t| table(t).export_position(column).is_some()),
                        "{name}: none of {:?} has {column}",
                        kind.tables
                    );
                }
            }
            for (column, _) in kind.words.keys() {
                assert!(
                    kind.names.values().any(|s| s.columns.contains(column)),
                    "{column}"
                );
            }
        }
    }

    #[test]
    fn no_name_of_one_kind_has_two_meanings() {
        let mut kind = "";
        let mut seen: HashMap<(&str, String), &str> = HashMap::new();
        for line in include_str!("spellings.txt").lines() {
            if let Some(rest) = line.strip_prefix("kind ") {
                kind = rest;
            }
            let Some((what, names)) = line.split_once(" = ").filter(|(what, _)| {
                !what.starts_with("words ")
                    && !what.starts_with("language ")
                    && !what.starts_with('#')
            }) else {
                continue;
            };
            for name in names.split(" | ") {
                let before = seen.insert((kind, fold(name)), what);
                assert_eq!(before, None, "{name} of {kind}");
            }
        }
        assert!(seen.len() > 100);
    }

    #[test]
    fn names_are_told_by_letters_and_digits() {
        let sign_in = of("SigninLogs").expect("it has spellings");
        let column = |name: &str| {
            sign_in
                .find(name)
                .map(|(s, _)| (s.columns[0], s.path))
                .unwrap_or_default()
        };
        for (name, want) in [
            ("Autonomous system  number", ("AutonomousSystemNumber", "")),
            ("Application ID ", ("AppId", "")),
            ("user_principal_name", ("UserPrincipalName", "")),
            ("Nom d’utilisateur", ("UserPrincipalName", "")),
            ("Code d’erreur de connexion", ("Status", "errorCode")),
            ("status.errorCode", ("Status", "errorCode")),
            ("Nonsense", ("", "")),
        ] {
            assert_eq!(column(name), want, "{name}");
        }
        let audit = of("AuditLogs").expect("it has spellings");
        let (found, numbers) = audit
            .find("Target2ModifiedProperty13NewValue")
            .expect("a name with numbers");
        assert_eq!(found.path, "#.modifiedProperties.#.newValue");
        assert_eq!(numbers, [2, 13]);
        assert!(audit.find("Target99999999999999999999Type").is_none());
        assert_eq!(
            sign_in.word("ConditionalAccessStatus", "Not Applied"),
            Some("notApplied")
        );
        assert_eq!(of("CloudAppEvents").map(|k| k.kind), None);
        let german = ["Datum (UTC)", "Anforderungs-ID", "Benutzername"].map(String::from);
        assert_eq!(language(&german), Some("German"));
        assert_eq!(language(&german[..2]), None);
    }
}
