//! Which operations the rules of a pack look at: those that meet the conditions on operations with which a rule reads a table or view.
//!
//! The operations of a view are a handful of rows. Each rule's own conditions on them are asked over these rows, so that it does not matter how
//! they are written. In KQL these are the conditions of the `where`s that a pipeline begins with, in SQL those of a `SELECT` that names the view. What
//! is not understood counts as reading everything: an operation is said to have no reader only where every rule says so.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, RecordBatch};

use super::size::{only_operation, operation_of};
use crate::catalog::catalog;
use crate::engine::kql::Options;
use crate::engine::{Session, output};
use crate::fault::{Error, Result};
use crate::rules::{Conversions, Language, Rule};
use read::{Operations, quoted};

mod kql;
mod read;
mod sql;

/// Rows of operations that are told apart in a view; of one with more only the names of operations are looked at.
const MOST: usize = 2000;
/// What conditions on operations name beside the operation itself.
const BESIDE: [&str; 9] = [
    "Action",
    "LabelEventType",
    "RecordType",
    "RecordTypeName",
    "Workload",
    "OfficeWorkload",
    "Application",
    "Category",
    "LoggedByService",
];

/// What rules read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readers {
    /// Ids of rules, by the operation that they look at, in whatever table or view.
    of_operations: BTreeMap<String, BTreeSet<String>>,
    /// Ids of rules, by the table without operations that they look at.
    of_tables: BTreeMap<String, BTreeSet<String>>,
    /// Tables and views that rules name, by the id of the rule.
    pub tables: BTreeMap<String, BTreeSet<String>>,
    /// Rules that look at every operation of a table or view, whatever it is: they say nothing of operations, or it is not understood.
    pub of_all: BTreeSet<String>,
    /// Rules whose query cannot be read, and why.
    pub unread: BTreeMap<String, String>,
    /// How many rules were looked at.
    pub rules: usize,
}

impl Readers {
    /// The ids of the rules that look at an operation of a table; nothing where none does.
    pub fn of(&self, table: &str, operation: &str) -> Option<&BTreeSet<String>> {
        let has_operations = || {
            let known = catalog().get(table);
            known.is_some_and(|known| operation_of(|name| known.position(name).is_some()).is_some())
        };
        match operation.is_empty() && !has_operations() {
            true => self.of_tables.get(table),
            false => self.of_operations.get(operation),
        }
    }

    /// How many these are.
    pub fn count(&self, table: &str, operation: &str) -> usize {
        self.of(table, operation).map_or(0, BTreeSet::len)
    }
}

/// Looks at the rules that are switched on, over what a session sees.
///
/// # Errors
/// When the operations of a table cannot be read. A rule that cannot is counted.
pub fn readers(session: &Session, rules: &[Rule], how: &Options) -> Result<Readers> {
    let sigma = Conversions::of_rules(rules);
    let mut readers = Readers::default();
    let mut known: HashMap<String, Option<Operations>> = HashMap::new();
    for rule in rules.iter().filter(|rule| rule.enabled) {
        readers.rules += 1;
        let reads = match rule.query.language {
            Language::Sql => sql::reads(&rule.query.text),
            Language::Kql => kql::reads(session, &rule.query.text, how),
            Language::Sigma => match sigma.query(&rule.place) {
                Ok(conversion) => kql::reads(session, &conversion.text, how),
                Err(refusal) => Err(refusal.to_string()),
            },
        };
        let reads = match reads {
            Ok(reads) => reads,
            Err(why) => {
                readers.unread.insert(rule.id.clone(), why);
                continue;
            }
        };
        for read in &reads {
            let tables = readers.tables.entry(rule.id.clone()).or_default();
            tables.insert(read.view.clone());
            if let Entry::Vacant(place) = known.entry(read.view.clone()) {
                place.insert(operations(session, &read.view)?);
            }
            let Some(Some(operations)) = known.get(&read.view) else {
                let ids = match only_operation(&read.view) {
                    "" => readers.of_tables.entry(read.view.clone()),
                    operation => readers.of_operations.entry(operation.to_string()),
                };
                ids.or_default().insert(rule.id.clone());
                continue;
            };
            if operations.rows.is_empty() {
                continue;
            }
            let met = match rule.query.language {
                Language::Sql => sql::met(session, read, operations),
                Language::Kql | Language::Sigma => kql::met(session, read, operations, how),
            };
            if met.is_none() {
                readers.of_all.insert(rule.id.clone());
            }
            for (number, row) in operations.rows.iter().enumerate() {
                if met.as_ref().is_none_or(|met| met.contains(&number)) {
                    let name = row.first().cloned().flatten().unwrap_or_default();
                    let ids = readers.of_operations.entry(name).or_default();
                    ids.insert(rule.id.clone());
                }
            }
        }
    }
    Ok(readers)
}

/// The operations of a table or view; nothing where it is not there, or has no column for them.
fn operations(session: &Session, view: &str) -> Result<Option<Operations>> {
    // Columns that are kept beside those of the product come to a query that names them.
    let all = match session.plan(&format!("SELECT * FROM {}", quoted(view))) {
        Ok(frame) => frame,
        Err(Error::NoTable { .. }) => return Ok(None),
        Err(e) => return Err(e),
    };
    let has = |name: &str| all.schema().fields().iter().any(|f| f.name() == name);
    let Some(first) = operation_of(has) else {
        return Ok(None);
    };
    let beside = BESIDE.into_iter().filter(|name| has(name));
    let columns: Vec<&str> = std::iter::once(first).chain(beside).collect();
    let found = distinct(session, view, &columns)?;
    match found.rows.len() > MOST {
        true => Ok(Some(distinct(session, view, &columns[..1])?)),
        false => Ok(Some(found)),
    }
}

fn distinct(session: &Session, view: &str, columns: &[&str]) -> Result<Operations> {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let names = names.join(", ");
    let sql = format!(
        "SELECT DISTINCT {names} FROM {} ORDER BY {names}",
        quoted(view)
    );
    let (schema, batches) = session.collect(&sql)?;
    let fields = schema.fields().iter();
    let columns = fields.map(|field| (field.name().clone(), !field.data_type().is_integer()));
    let mut found = Operations {
        columns: columns.collect(),
        rows: Vec::new(),
    };
    for batch in &batches {
        for row in 0..batch.num_rows() {
            found.rows.push(cells(batch, row)?);
        }
    }
    Ok(found)
}

fn cells(batch: &RecordBatch, row: usize) -> Result<Vec<Option<String>>> {
    let cells = batch.columns().iter().map(|column| {
        let cell = column.is_valid(row).then(|| output::cell(column, row));
        cell.transpose()
    });
    cells.collect()
}
