//! Evidence: which record of which file a finding rests on, and what its event is.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::finding::Finding;
use crate::archive::ledger::Ledger;
use crate::catalog::{INGEST_ID, RECORD, TIME, catalog};
use crate::engine::{Session, output};
use crate::fault::Result;

/// Evidence of a finding that is looked up for its time and identity.
pub const LOOKED_UP: usize = 20;
/// Records of an ingest that a query names one by one; of more, it asks for all between the first and the last.
const NAMED: usize = 1000;

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
    let mut found: HashMap<(i64, i64), (String, String, String)> = HashMap::new();
    for (name, mut records) in wanted {
        let Some(table) = catalog().get(name) else {
            continue;
        };
        let id = table.identity.map_or("NULL".to_string(), |i| {
            format!("\"{}\"", table.columns[i].name)
        });
        let conditions: Vec<String> = records
            .iter_mut()
            .map(|(ingest, list)| format!("(\"{INGEST_ID}\" = {ingest} AND {})", among(list)))
            .collect();
        let sql = format!(
            "SELECT \"{INGEST_ID}\", \"{RECORD}\", \"{TIME}\", {id} AS \"Id\" FROM stored.\"{name}\" WHERE {}",
            conditions.join(" OR ")
        );
        session.stream(session.plan(&sql)?, |batch| {
            for row in 0..batch.num_rows() {
                let cell = |c: usize| output::cell(batch.column(c), row);
                // Both are numbers and never null in a stored table.
                if let (Ok(ingest), Ok(record)) = (cell(0)?.parse::<i64>(), cell(1)?.parse::<i64>())
                    && meant.contains(&(ingest, record))
                {
                    found.insert((ingest, record), (name.to_string(), cell(2)?, cell(3)?));
                }
            }
            Ok(())
        })?;
    }
    for finding in findings {
        for evidence in &mut finding.evidence {
            if let Some(entry) = entries.get(&evidence.ingest) {
                evidence.file.clone_from(&entry.file);
            }
        }
        // Not those behind, though another finding may rest on them: what a finding says does not depend on what else was found.
        for evidence in finding.evidence.iter_mut().take(LOOKED_UP) {
            if let Some((table, time, id)) = found.get(&(evidence.ingest, evidence.record)) {
                evidence.table.clone_from(table);
                evidence.time.clone_from(time);
                evidence.event_id.clone_from(id);
            }
        }
    }
    Ok(())
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
