//! The records that findings rest on, from the JSON that `hunt` and `analyze` write.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use serde::Deserialize;

use crate::archive::ledger::Ledger;
use crate::engine::Session;
use crate::fault::Result;

/// Name of the list of records in a session.
pub(super) const RECORDS: &str = "coldtrail_timeline_records";

/// Records that findings rest on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Ingest and number of each.
    places: BTreeSet<(i64, i64)>,
    /// What was read by each ingest, as far as the findings say it.
    files: BTreeMap<i64, String>,
    /// How many findings were taken.
    pub findings: usize,
    /// How many of them do not know what they rest on.
    pub unknown: usize,
}

#[derive(Deserialize)]
struct Document {
    findings: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    number: usize,
    rule: String,
    #[serde(default)]
    evidence: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    ingest: i64,
    record: i64,
    #[serde(default)]
    file: String,
}

/// The records of the findings that are named by their numbers or their rules; of all where none is named.
///
/// # Errors
/// Says why where the text has no findings, or none of that name.
pub fn records_of(json: &str, named: &[String]) -> Result<Records, String> {
    let document: Document = serde_json::from_str(json)
        .map_err(|e| format!("not the findings of `coldtrail hunt -f json`: {e}"))?;
    let is = |found: &Found, name: &str| {
        found.number.to_string() == name || found.rule.eq_ignore_ascii_case(name)
    };
    if let Some(lost) = named
        .iter()
        .find(|name| !document.findings.iter().any(|f| is(f, name)))
    {
        let all = document.findings.len();
        return Err(format!(
            "no finding has the number or the rule `{lost}`; there are {all}"
        ));
    }
    let mut records = Records::default();
    for found in &document.findings {
        if !named.is_empty() && !named.iter().any(|name| is(found, name)) {
            continue;
        }
        records.findings += 1;
        records.unknown += usize::from(found.evidence.is_empty());
        for place in &found.evidence {
            records.places.insert((place.ingest, place.record));
            if !place.file.is_empty() {
                records.files.insert(place.ingest, place.file.clone());
            }
        }
    }
    Ok(records)
}

impl Records {
    /// Those of these places: ingest and number.
    pub fn of(places: impl IntoIterator<Item = (i64, i64)>) -> Records {
        Records {
            places: places.into_iter().collect(),
            ..Records::default()
        }
    }

    /// A file that findings rest on and that the archive has not read, or as another ingest: they are those of another archive, in which other records
    /// have these numbers.
    pub fn foreign(&self, ledger: &Ledger) -> Option<&str> {
        // An archive may be asked from elsewhere than where it was filled.
        let base = |path: &str| path.rsplit(['/', '\\']).next().map(str::to_string);
        let known: HashMap<i64, Option<String>> =
            ledger.exports().map(|e| (e.id, base(&e.file))).collect();
        let mut files = self.files.iter();
        let foreign = files.find(|(ingest, file)| known.get(*ingest) != Some(&base(file.as_str())));
        foreign.map(|(_, file)| file.as_str())
    }

    /// Makes them known to a session.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub fn add_to(&self, session: &mut Session) -> Result<()> {
        let places = self
            .places
            .iter()
            .map(|(ingest, record)| Some(format!("{ingest}:{record}")));
        let column: ArrayRef = Arc::new(places.collect::<StringArray>());
        session.add_watchlist(RECORDS, RecordBatch::try_from_iter([("Source", column)])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_taken_by_number_or_rule() {
        let json = r#"{"findings": [
            {"number": 1, "rule": "a", "evidence": [{"ingest": 1, "record": 5, "file": "x"}, {"ingest": 1, "record": 2, "file": "x"}]},
            {"number": 2, "rule": "b", "evidence": []},
            {"number": 3, "rule": "A", "evidence": [{"ingest": 2, "record": 1, "file": "y"}]}
        ]}"#;
        let of = |named: &[&str]| {
            let named: Vec<String> = named.iter().map(ToString::to_string).collect();
            records_of(json, &named)
        };
        let all = of(&[]).expect("findings");
        assert_eq!((all.findings, all.unknown, all.places.len()), (3, 1, 3));
        let first = of(&["1"]).expect("a finding");
        assert_eq!(
            first.places.into_iter().collect::<Vec<_>>(),
            [(1, 2), (1, 5)]
        );
        assert_eq!(of(&["a"]).expect("findings").findings, 2);
        assert!(of(&["9"]).is_err_and(|why| why.contains("`9`")));
        assert!(records_of("[]", &[]).is_err());
    }
}
