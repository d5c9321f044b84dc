//! The labels that an archive knows: those of its list, and those that its events name.

use std::collections::BTreeMap;

use serde::Serialize;

use super::list::List;
use crate::catalog::labels;
use crate::engine::{Session, output};
use crate::fault::{Error, Result};

/// Stands behind names in `LabelEvents` that nobody said.
const ASSUMED: &str = " (assumed)";

/// Where the name of a label is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NamedBy {
    /// The archive's list.
    List,
    /// Records that name it.
    Record,
    /// Microsoft, which makes labels of this id in a new tenant; this one may have renamed it.
    Assumed,
    /// Nobody.
    Nobody,
}

impl NamedBy {
    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            NamedBy::List => "list",
            NamedBy::Record => "record",
            NamedBy::Assumed => "assumed",
            NamedBy::Nobody => "",
        }
    }
}

/// A label and how often events name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Its id; empty where records have its name only.
    pub id: String,
    /// Its name, behind that of the label above it.
    pub name: Option<String>,
    /// Where the name is from.
    pub named_by: NamedBy,
    /// Its rank in the list: the higher, the more sensitive.
    pub rank: Option<i64>,
    /// Events that name it, as the label before or after.
    pub events: u64,
    /// Times that it was put on something, also in the place of another one.
    pub put_on: u64,
    /// Times that it was taken off, also for another one.
    pub taken_off: u64,
    /// Time of the first event that names it, UTC.
    pub first: Option<String>,
    /// Time of the last one.
    pub last: Option<String>,
}

/// Counts by id, and by name where there is no id.
const SQL: &str = r#"
SELECT "Id", coalesce(min(CASE WHEN "Name" NOT LIKE '% (assumed)' THEN "Name" END), min("Name")),
  sum("Events"), sum("On"), sum("Off"), min("At"), max("At")
FROM (
  SELECT coalesce(e."NewLabelId", '') AS "Id", e."NewLabelName" AS "Name", 1 AS "Events",
    CASE WHEN e."Action" IN ('LabelApplied', 'LabelUpgraded', 'LabelDowngraded', 'LabelChanged') THEN 1 ELSE 0 END AS "On",
    0 AS "Off", e."TimeGenerated" AS "At"
  FROM "LabelEvents" AS e WHERE coalesce(e."NewLabelId", e."NewLabelName") IS NOT NULL
  UNION ALL
  SELECT coalesce(e."OldLabelId", '') AS "Id", e."OldLabelName" AS "Name",
    CASE WHEN e."OldLabelId" = e."NewLabelId" THEN 0 ELSE 1 END AS "Events", 0 AS "On",
    CASE WHEN e."Action" IN ('LabelRemoved', 'LabelUpgraded', 'LabelDowngraded', 'LabelChanged') THEN 1 ELSE 0 END AS "Off",
    e."TimeGenerated" AS "At"
  FROM "LabelEvents" AS e WHERE coalesce(e."OldLabelId", e."OldLabelName") IS NOT NULL
) GROUP BY "Id", CASE WHEN "Id" = '' THEN "Name" END"#;

/// The labels that events name and those of the list, in the order of their ranks.
///
/// # Errors
/// When the archive cannot be asked.
pub fn seen(session: &Session, list: &List) -> Result<Vec<Seen>> {
    let (_, batches) = session.collect(SQL)?;
    let mut found: BTreeMap<(String, String), Seen> = BTreeMap::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |column: usize| output::cell(batch.column(column), row);
            let some = |text: String| Some(text).filter(|text| !text.is_empty());
            let number = |column: usize| -> Result<u64> {
                let text = cell(column)?;
                let wrong =
                    |e: std::num::ParseIntError| Error::Query(format!("`{text}` is no count: {e}"));
                text.parse().map_err(wrong)
            };
            let (id, said) = (cell(0)?, cell(1)?);
            let (name, named_by) = named(&id, some(said), list);
            let key = match id.as_str() {
                "" => name.clone().unwrap_or_default(),
                _ => String::new(),
            };
            let seen = Seen {
                rank: list.get(&id).and_then(|label| label.rank),
                name,
                named_by,
                events: number(2)?,
                put_on: number(3)?,
                taken_off: number(4)?,
                first: some(cell(5)?),
                last: some(cell(6)?),
                id: id.clone(),
            };
            found.insert((id, key), seen);
        }
    }
    for label in list.labels() {
        let key = (label.id.clone(), String::new());
        found.entry(key).or_insert_with(|| Seen {
            id: label.id.clone(),
            name: Some(list.full_name(label)),
            named_by: NamedBy::List,
            rank: label.rank,
            events: 0,
            put_on: 0,
            taken_off: 0,
            first: None,
            last: None,
        });
    }
    let mut all: Vec<Seen> = found.into_values().collect();
    all.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(all)
}

/// Labels with a rank first, those without a name last.
fn order(seen: &Seen) -> (bool, bool, Option<i64>, Option<&str>, &str) {
    (
        seen.name.is_none(),
        seen.rank.is_none(),
        seen.rank,
        seen.name.as_deref(),
        seen.id.as_str(),
    )
}

/// The name of a label, and where it is from.
fn named(id: &str, said: Option<String>, list: &List) -> (Option<String>, NamedBy) {
    if let Some(label) = list.get(id) {
        return (Some(list.full_name(label)), NamedBy::List);
    }
    match (said, labels::default_name(id)) {
        (Some(said), default) => match said.strip_suffix(ASSUMED) {
            Some(name) if default == Some(name) => (Some(name.into()), NamedBy::Assumed),
            _ => (Some(said), NamedBy::Record),
        },
        (None, Some(name)) => (Some(name.into()), NamedBy::Assumed),
        (None, None) => (None, NamedBy::Nobody),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_list_s_else_a_record_s_else_assumed() {
        let default = "defa4170-0d19-0005-0005-bc88714345d2";
        let list = List::parse(b"Id,Name,Rank\nAA,Top,9\n").expect("a list");
        let of = |id: &str, said: Option<&str>| named(id, said.map(str::to_string), &list);
        let some = |name: &str| Some(name.to_string());
        assert_eq!(of("aa", Some("Other")), (some("Top"), NamedBy::List));
        assert_eq!(of("bb", Some("Low")), (some("Low"), NamedBy::Record));
        assert_eq!(of("bb", None), (None, NamedBy::Nobody));
        let assumed = (some("Confidential"), NamedBy::Assumed);
        assert_eq!(of(default, Some("Confidential (assumed)")), assumed);
        assert_eq!(of(default, None), assumed);
        assert_eq!(
            of(default, Some("Secret")),
            (some("Secret"), NamedBy::Record)
        );
    }
}
