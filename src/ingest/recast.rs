//! Events as other interfaces of the same services spell them: which columns of a table their keys are.
//!
//! Graph's incidents and alerts, Azure's activity log, mailbox audit logs, lists of audit records without the records. Knows names of keys
//! and columns, nothing of files. Entra's spellings are in the catalog.

use std::borrow::Cow;

use super::audit;
use super::json::{self, Raw};
use super::rows::Slot;
use super::wrappers::fold;
use crate::text::json as plain;

mod known;
mod spelling;

use known::RECASTS;
pub use spelling::{AUDIT, Recast};

/// What is noted of audit records that came without their AuditData.
pub const LACKING: &str = "records came without AuditData: what the list showed of them is all there is, export them again with it";

/// Whether what a file was taken for says that the audit records themselves are not there.
pub fn lacks_record(why: &str) -> bool {
    why.ends_with("without AuditData")
}

/// The spelling that an object with these keys has, each with its value where that is a short text.
pub fn of<'k>(keys: impl Iterator<Item = (&'k str, &'k str)>) -> Option<&'static Recast> {
    let keys: Vec<(String, &str)> = keys.map(|(key, value)| (fold(key), value)).collect();
    let has = |name: &str| keys.iter().any(|(k, _)| k == name);
    let says = |what: &str| {
        let mut keys = keys.iter();
        keys.any(|(k, value)| k == "type" && value.eq_ignore_ascii_case(what))
    };
    RECASTS.iter().find(|r| {
        r.keys.iter().all(|k| has(k))
            && !r.without.iter().any(|k| has(k))
            && (r.says.is_empty() || says(r.says))
    })
}

/// The values of one record.
#[derive(Debug, Default)]
pub struct Values<'a> {
    /// Columns of the table.
    pub columns: Vec<(&'static str, Slot<'a>)>,
    /// What has no column, under its own name.
    pub others: Vec<(Cow<'a, str>, Raw<'a>)>,
}

impl Recast {
    /// Whether the audit record itself is not there.
    pub fn lacks_record(&self) -> bool {
        lacks_record(self.name)
    }

    /// Whether an object is in this spelling.
    pub fn is_of(&self, text: &str) -> bool {
        let mut keys = Vec::new();
        let read = json::entries(text, |key, raw| {
            let value = match raw {
                Raw::Text { inner, .. } => inner,
                _ => "",
            };
            keys.push((key, value));
        });
        let keys = keys.iter().map(|(key, value)| (&**key, *value));
        read.is_ok() && of(keys).is_some_and(|own| std::ptr::eq(own, self))
    }

    /// Takes a record apart.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn values<'a>(&self, text: &'a str) -> Result<Values<'a>, json::Fault> {
        let mut members: Vec<(Cow<'a, str>, String, Raw<'a>)> = Vec::new();
        json::entries(text, |key, raw| {
            let folded = fold(&key);
            members.push((key, folded, raw));
        })?;
        let mut values = Values::default();
        let mut taken = vec![false; members.len()];
        for &(column, place) in self.columns {
            if values.columns.iter().any(|(c, _)| *c == column) {
                continue;
            }
            let (mark, path) = marked(place);
            if mark == Mark::Always {
                values.columns.push((column, Slot::Text(path.into())));
                continue;
            }
            let (head, rest) = match path.split_once('.') {
                Some((head, rest)) => (head, rest),
                None => (path, ""),
            };
            let (head, each) = match head.strip_suffix("[]") {
                Some(head) => (head, true),
                None => (head, false),
            };
            let Some(at) = members.iter().rposition(|m| m.1 == head) else {
                continue;
            };
            let slot = match (each, rest) {
                (true, rest) => of_each(members[at].2, rest),
                (_, "") => Slot::from(members[at].2),
                (_, rest) => within(members[at].2, rest).map_or(Slot::Empty, Slot::from),
            };
            let slot = mark.of(slot);
            if slot.text().is_empty() {
                continue;
            }
            taken[at] |= rest.is_empty();
            values.columns.push((column, slot));
        }
        let others = members.into_iter().zip(taken);
        values.others = others
            .filter(|((_, _, raw), taken)| !taken && !matches!(raw, Raw::Null))
            .map(|((key, _, raw), _)| (key, raw))
            .collect();
        Ok(values)
    }

    /// Names of a CSV as those of the audit record.
    pub fn audit_names(&self, header: &[String]) -> Vec<String> {
        let mut names = header.to_vec();
        let folded: Vec<String> = header.iter().map(|name| fold(name)).collect();
        let mut renamed = vec![false; header.len()];
        let mut filled: Vec<&str> = Vec::new();
        // The closest of several names for one column has it; the others keep their own.
        for &(column, path) in self.columns {
            if filled.contains(&column) {
                continue;
            }
            let at = folded.iter().position(|name| name == path);
            if let Some(at) = at.filter(|at| !renamed[*at]) {
                renamed[at] = true;
                names[at] = column.to_string();
                filled.push(column);
            }
        }
        // Two columns of one name would be one key twice: what was not renamed keeps its own in other letters.
        for (i, own) in header.iter().enumerate().skip(1) {
            if names[..i].contains(&names[i]) {
                names[i].clone_from(own);
            }
        }
        names
    }

    /// The column that a CSV fills under this name.
    pub fn column(&self, name: &str) -> Option<&'static str> {
        let folded = fold(name);
        let own = self.columns.iter().find(|(_, path)| *path == folded);
        own.map(|(column, _)| *column)
    }
}

impl<'a> Values<'a> {
    /// The value of a column.
    pub fn column(&self, name: &str) -> Option<&Slot<'a>> {
        let found = self.columns.iter().find(|(column, _)| *column == name);
        found.map(|(_, value)| value)
    }

    /// The values as the text of an audit record.
    pub fn audit_record(&self) -> String {
        let mut out = String::from("{");
        let key = |name: &str, out: &mut String| {
            if out.len() > 1 {
                out.push(',');
            }
            plain::quote(name, out);
            out.push(':');
        };
        for (column, slot) in &self.columns {
            key(column, &mut out);
            match slot {
                Slot::Json(json) => out.push_str(json),
                other => plain::quote(other.text(), &mut out),
            }
        }
        let is_column = |name: &str| self.columns.iter().any(|(c, _)| *c == name);
        for (name, raw) in self.others.iter().filter(|(name, _)| !is_column(name)) {
            key(name, &mut out);
            match raw {
                Raw::Text { inner, .. } => {
                    out.push('"');
                    out.push_str(inner);
                    out.push('"');
                }
                Raw::Null => out.push_str("null"),
                Raw::Other(json) => out.push_str(json),
            }
        }
        out.push('}');
        out
    }
}

/// What is done with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    AsItIs,
    Always,
    Capital,
    Milliseconds,
    Under(&'static str),
}

fn marked(place: &'static str) -> (Mark, &'static str) {
    if let Some(text) = place.strip_prefix('=') {
        return (Mark::Always, text);
    }
    if let Some(path) = place.strip_prefix('^') {
        return (Mark::Capital, path);
    }
    if let Some(path) = place.strip_prefix('#') {
        return (Mark::Milliseconds, path);
    }
    if let Some((key, path)) = place.strip_prefix('{').and_then(|p| p.split_once(':')) {
        return (Mark::Under(key), path);
    }
    (Mark::AsItIs, place)
}

impl Mark {
    fn of(self, slot: Slot<'_>) -> Slot<'_> {
        if slot.text().is_empty() {
            return Slot::Empty;
        }
        match self {
            Mark::AsItIs | Mark::Always => slot,
            Mark::Capital => {
                let text = slot.text();
                let mut letters = text.chars();
                match letters.next() {
                    Some(c) => {
                        let text: String = c.to_uppercase().chain(letters).collect();
                        Slot::Text(text.into())
                    }
                    None => Slot::Empty,
                }
            }
            Mark::Milliseconds => match slot.text().parse::<i64>() {
                Ok(ms) => audit::micros(ms.saturating_mul(1000)),
                Err(_) => slot,
            },
            Mark::Under(key) => {
                let mut out = String::from("{");
                plain::quote(key, &mut out);
                out.push(':');
                plain::quote(slot.text(), &mut out);
                out.push('}');
                Slot::Text(out.into())
            }
        }
    }
}

/// What a path leads to in an object.
fn within<'a>(value: Raw<'a>, path: &str) -> Option<Raw<'a>> {
    let Raw::Other(object) = value else {
        return None;
    };
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    let mut found = None;
    json::entries(object, |key, raw| {
        if fold(&key) == head {
            found = Some(raw);
        }
    })
    .ok()?;
    match rest {
        "" => found,
        rest => within(found?, rest),
    }
}

/// What a path leads to in each element of a list, as a list.
fn of_each<'a>(value: Raw<'a>, path: &str) -> Slot<'a> {
    let Raw::Other(list) = value else {
        return Slot::Empty;
    };
    let mut out = String::from("[");
    let walked = json::elements(list, |_, raw| {
        if let Some(text) = within(raw, path).and_then(Raw::text) {
            if out.len() > 1 {
                out.push(',');
            }
            plain::quote(&text, &mut out);
        }
    });
    if walked.is_err() || out.len() == 1 {
        return Slot::Empty;
    }
    out.push(']');
    Slot::Text(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::catalog;

    #[test]
    fn every_column_is_one_of_its_table() {
        for recast in &RECASTS {
            let table = catalog()
                .get(recast.table)
                .or_else(|| catalog().foreign(recast.table));
            let table = table.unwrap_or_else(|| panic!("no table {}", recast.table));
            for (column, place) in recast.columns {
                if recast.table != AUDIT {
                    assert!(
                        table.position(column).is_some(),
                        "{}: {column}",
                        recast.name
                    );
                }
                let (_, path) = marked(place);
                let whole = path
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || ".[]".contains(c));
                assert!(place.starts_with('=') || whole, "{}: {place}", recast.name);
            }
        }
    }

    #[test]
    fn keys_tell_the_spelling_and_values_go_to_columns() {
        let text = r#"{"Id":"da1","AlertWebUrl":"u","CreatedDateTime":"2026-05-18T10:00:00Z","ServiceSource":"x",
            "Severity":"high","Title":"t","Extra":{"a":1},"ResolvedDateTime":null}"#;
        let mut keys = Vec::new();
        json::entries(text, |key, _| keys.push(key.into_owned())).expect("an object");
        let recast = of(keys.iter().map(|k| (k.as_str(), ""))).expect("an alert");
        assert_eq!(recast.table, "SecurityAlert");
        let values = recast.values(text).expect("an object");
        let column = |name: &str| {
            let found = values.columns.iter().find(|(c, _)| *c == name);
            found.map(|(_, slot)| slot.text().to_string())
        };
        assert_eq!(column("AlertSeverity").as_deref(), Some("High"));
        assert_eq!(column("DisplayName").as_deref(), Some("t"));
        assert_eq!(column("AlertName").as_deref(), Some("t"));
        assert_eq!(column("VendorName").as_deref(), Some("Microsoft"));
        let others: Vec<&str> = values.others.iter().map(|(n, _)| n.as_ref()).collect();
        assert_eq!(others, ["Extra"]);
        let audit = ["Id", "CreationTime", "Operation"].map(|key| (key, ""));
        assert!(of(audit.into_iter()).is_none());
        let arm = |kind: &'static str| {
            let keys = [("id", ""), ("name", ""), ("type", kind), ("properties", "")];
            of(keys.into_iter()).map(|recast| recast.table)
        };
        let incidents = "Microsoft.SecurityInsights/Incidents";
        assert_eq!(arm(incidents), Some("SecurityIncident"));
        assert_eq!(arm("Microsoft.Compute/disks"), None);
        let header = [
            "MailboxOwnerUPN",
            "LogonUserDisplayName",
            "LastAccessed",
            "Operation",
            "MailboxGuid",
        ];
        let header = header.map(String::from);
        let mailbox = of(header.iter().map(|k| (k.as_str(), ""))).expect("a mailbox audit log");
        assert_eq!(
            mailbox.audit_names(&header),
            [
                "MailboxOwnerUPN",
                "UserId",
                "CreationTime",
                "Operation",
                "MailboxGuid"
            ]
        );
    }

    #[test]
    fn paths_and_marks_lead_to_values() {
        let list = Raw::of(r#"[{"id":"a"},{"id":"b"},{}]"#);
        assert_eq!(of_each(list, "id").text(), r#"["a","b"]"#);
        assert_eq!(
            Mark::Milliseconds.of(Slot::Json("1779609661000")).text(),
            "2026-05-24T08:01:01.000000Z"
        );
        assert_eq!(
            Mark::Under("assignedTo").of(Slot::Text("a".into())).text(),
            r#"{"assignedTo":"a"}"#
        );
        let place = Raw::of(r#"{"GeoPlace":{"City":"Bern"}}"#);
        assert_eq!(within(place, "geoplace.city"), Some(Raw::of("\"Bern\"")));
    }
}
