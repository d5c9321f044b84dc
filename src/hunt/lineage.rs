//! Evidence: which record of which file a finding rests on, and what its event is.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use super::finding::Finding;
use crate::archive::ledger::Ledger;
use crate::catalog::{INGEST_ID, RECORD, TIME, catalog};
use crate::engine::{Session, fitted, output, parallel};
use crate::fault::Result;

/// Evidence of a finding that is looked up for its time and identity.
pub const LOOKED_UP: usize = 20;
/// Records of an ingest that a query names one by one; of more, it asks for all between the first and the last.
const NAMED: usize = 1000;
/// Ingests of which each has a condition of its own.
const APART: usize = 32;

/// Fills in the file of each piece of evidence, and time and identity of the first ones of each finding.
pub(super) fn look_up(session: &Session, findings: &mut [Finding], ledger: &Ledger) -> Result<()> {
    let entries: HashMap<i64, _> = ledger.entries.iter().map(|e| (e.id, e)).collect();
    let mut wanted: BTreeMap<&str, BTreeMap<i64, Vec<i64>>> = BTreeMap::new();
    let mut meant: HashSet<(i64, i64)> = HashSet::new();
    for evidence in findings
        .iter()
        .flat_map(|f| f.evidence.iter().take(LOOKED_UP))
    {
        let Some(entry) = entries.get(&evidence.ingest) else {
            continue;
        };
        if !meant.insert((evidence.ingest, evidence.record)) {
            continue;
        }
        for table in entry.tables.keys() {
            let ingests = wanted.entry(table).or_default();
            ingests
                .entry(evidence.ingest)
                .or_default()
                .push(evidence.record);
        }
    }
    let (mut names, mut queries) = (Vec::new(), Vec::new());
    for (name, mut records) in wanted {
        let Some(table) = catalog().get(name) else {
            continue;
        };
        let id = table.identity.map_or("NULL".to_string(), |i| {
            format!("\"{}\"", table.columns[i].name)
        });
        let sql = format!(
            "SELECT \"{INGEST_ID}\", \"{RECORD}\", \"{TIME}\", {id} AS \"Id\" FROM stored.\"{name}\" WHERE {}",
            condition(&mut records)
        );
        names.push(name);
        queries.push(sql);
    }
    let frames = parallel::each(&queries, session.threads(), |sql| -> Result<_> {
        Ok(fitted(session.plan(sql)?)?)
    });
    let frames = frames.into_iter().collect::<Result<Vec<_>>>()?;
    // By record: the number of the table, the time and the identity.
    let mut found: HashMap<(i64, i64), (usize, String, String)> = HashMap::new();
    session.stream_all(frames, |number, batch| {
        let (ingests, records) = (numbers(batch.column(0))?, numbers(batch.column(1))?);
        for row in 0..batch.num_rows() {
            let key = (ingests.value(row), records.value(row));
            // Both are never null in a stored table. Of a record in several tables the last one counts, whichever is read first.
            let is_last = |other: &(usize, String, String)| other.0 <= number;
            if meant.contains(&key) && found.get(&key).is_none_or(is_last) {
                let cell = |c: usize| output::cell(batch.column(c), row);
                found.insert(key, (number, cell(2)?, cell(3)?));
            }
        }
        Ok(())
    })?;
    for finding in findings {
        for evidence in &mut finding.evidence {
            if let Some(entry) = entries.get(&evidence.ingest) {
                evidence.file.clone_from(&entry.file);
            }
        }
        // Not those behind, though another finding may rest on them: what a finding says does not depend on what else was found.
        for evidence in finding.evidence.iter_mut().take(LOOKED_UP) {
            if let Some((table, time, id)) = found.get(&(evidence.ingest, evidence.record)) {
                evidence.table = names[*table].to_string();
                evidence.time.clone_from(time);
                evidence.event_id.clone_from(id);
            }
        }
    }
    Ok(())
}

/// Numbers as they are compared.
fn numbers(array: &ArrayRef) -> Result<Int64Array> {
    let numbers = cast(array, &DataType::Int64)?;
    Ok(numbers.as_primitive::<Int64Type>().clone())
}

/// The condition that a row is one of these records, by ingest, or lies among them. Of many ingests a condition each would be a query that nests
/// too deep and takes longer to plan than to run.
fn condition(records: &mut BTreeMap<i64, Vec<i64>>) -> String {
    if records.len() <= APART {
        let conditions: Vec<String> = records
            .iter_mut()
            .map(|(ingest, list)| format!("(\"{INGEST_ID}\" = {ingest} AND {})", among(list)))
            .collect();
        return conditions.join(" OR ");
    }
    let mut all: Vec<i64> = records.values().flatten().copied().collect();
    let ingests: Vec<i64> = records.keys().copied().collect();
    let ingests = match ingests.as_slice() {
        [first, .., last] if ingests.len() > NAMED => format!("BETWEEN {first} AND {last}"),
        some => {
            let list: Vec<String> = some.iter().map(i64::to_string).collect();
            format!("IN ({})", list.join(", "))
        }
    };
    format!("\"{INGEST_ID}\" {ingests} AND {}", among(&mut all))
}

/// The condition that a record is one of these, or lies among them.
fn among(records: &mut [i64]) -> String {
    records.sort_unstable();
    let records: &[i64] = records;
    match records {
        [first, .., last] if records.len() > NAMED => {
            format!("\"{RECORD}\" BETWEEN {first} AND {last}")
        }
        _ => {
            let list: Vec<String> = records.iter().map(i64::to_string).collect();
            format!("\"{RECORD}\" IN ({})", list.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_few_ingests_are_named_and_those_of_many_lie_between() {
        let of = |ingests: i64, records: i64| {
            let list: Vec<i64> = (1..=records).rev().collect();
            let mut all = (1..=ingests).map(|i| (i, list.clone())).collect();
            condition(&mut all)
        };
        assert_eq!(of(1, 2), r#"("_IngestId" = 1 AND "_Record" IN (1, 2))"#);
        let many = of(1, 1001);
        assert!(many.ends_with(r#""_Record" BETWEEN 1 AND 1001)"#), "{many}");
        let apart = of(33, 1);
        assert!(apart.starts_with(r#""_IngestId" IN (1, 2, "#), "{apart}");
        assert!(apart.len() < 1000, "{apart}");
        let more = of(2000, 1);
        let want = r#""_IngestId" BETWEEN 1 AND 2000 AND "_Record" BETWEEN 1 AND 1"#;
        assert_eq!(more, want);
    }
}
