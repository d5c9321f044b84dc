//! Tables that the catalog does not have: custom ones of a workspace (`…_CL`) and those of other products. Their rows are in `OtherRecords`;
//! here they are asked by their own name.
//!
//! Which names there are is read once a session, from the rows; the columns of a table are the keys of its rows, with a type that all
//! values under them have. What stands beside these is in `ExtraColumns`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::PoisonError;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::compute::kernels::cast_utils::string_to_datetime;
use arrow::datatypes::{DataType, Int64Type};
use chrono::Utc;
use datafusion::common::TableReference;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::task::JoinSet;

use super::names::{self, SOURCE};
use super::select::sql_type;
use crate::catalog::{EXTRA, INGEST_ID, Kusto, RECORD, TIME, TYPE, catalog};
use crate::engine::session::Session;
use crate::fault::{Error, Result};
use crate::ingest::format::{OTHER, is_table_name};
use crate::ingest::json::{self, Raw};

/// Audit records.
const AUDIT: &str = "UnifiedAuditLog";

/// Names that are found; more are no tables but something that each record has otherwise.
const MAX_NAMES: usize = 10_000;
/// Columns of one table; Log Analytics allows 500.
const MAX_COLUMNS: usize = 500;
/// Keys that are remembered while rows are read: hostile input may have endless different ones.
const MAX_KEYS: usize = 20 * MAX_COLUMNS;
/// Longest key that is a column.
const LONGEST: usize = 128;

/// Whether rows of a table of this name are kept among those of no known table.
pub(in crate::engine) async fn exists(session: &Session, name: &str) -> Result<bool> {
    if !is_table_name(name) {
        return Ok(false);
    }
    Ok(all(session).await?.contains(name) || in_audit(session, name).await?)
}

/// Whether rows of a custom table are among the audit records.
async fn in_audit(session: &Session, name: &str) -> Result<bool> {
    Ok(name.ends_with("_CL") && made_again(session).await?.contains(name))
}

/// The names of custom tables of whose rows audit records were made again.
pub(in crate::engine) async fn made_again(session: &Session) -> Result<&BTreeSet<String>> {
    // Read once, however many plan a query at the same time.
    let reading = async || {
        let mut names = BTreeSet::new();
        if session.has(AUDIT) {
            let sql = format!(
                "SELECT DISTINCT \"{EXTRA}\"->>'Type' AS \"Name\" FROM stored.\"{AUDIT}\" \
                 WHERE \"{EXTRA}\" LIKE '%_CL\"%' LIMIT {MAX_NAMES}"
            );
            let found = texts(session, &sql).await?.into_iter();
            names.extend(found.filter(|name| is_table_name(name) && !names::exists(name)));
        }
        Ok(names)
    };
    session.customs.made_again.get_or_try_init(reading).await
}

/// Where the rows of a table stand.
async fn rows(session: &Session, name: &str) -> Result<String> {
    let of = |table: &str| {
        format!(
            "SELECT \"{TIME}\", \"{EXTRA}\", \"{INGEST_ID}\", \"{RECORD}\" FROM stored.\"{table}\""
        )
    };
    Ok(match in_audit(session, name).await? {
        true => format!("({} UNION ALL {}) AS r", of(OTHER), of(AUDIT)),
        false => format!("stored.\"{OTHER}\""),
    })
}

/// The names of all tables whose rows are kept there: those that nobody knows, and those that are known and not stored.
pub(in crate::engine) async fn all(session: &Session) -> Result<&BTreeSet<String>> {
    let reading = async || {
        let mut names = BTreeSet::new();
        if session.has(OTHER) {
            let sql = format!(
                "SELECT DISTINCT {} AS \"Name\" FROM stored.\"{OTHER}\" LIMIT {MAX_NAMES}",
                said()
            );
            for found in texts(session, &sql).await? {
                let is_foreign = catalog().foreign(&found).is_some();
                if is_table_name(&found) && (is_foreign || !names::exists(&found)) {
                    names.insert(found);
                }
            }
        }
        Ok(names)
    };
    session.customs.names.get_or_try_init(reading).await
}

/// Registers the rows of such a table as a view.
///
/// # Errors
/// When its rows cannot be read.
pub(super) async fn make(session: &Session, name: &str) -> Result<()> {
    let reference = || TableReference::bare(name);
    if !session.whole.table_exist(reference())? {
        let columns = columns(session, name).await?;
        let mut list = format!("\"{TIME}\", '{name}' AS \"{TYPE}\"");
        for column in &columns {
            let path = column.key.replace('\'', "''");
            let shown = column.key.replace('"', "\"\"");
            list.push_str(&format!(
                ", TRY_CAST(\"{EXTRA}\"->>'{path}' AS {}) AS \"{shown}\"",
                column.sql
            ));
        }
        let rows = rows(session, name).await?;
        let sql = format!(
            "SELECT {list}, \"{EXTRA}\", \"{INGEST_ID}\", \"{RECORD}\", \
             CAST(\"{INGEST_ID}\" AS VARCHAR) || ':' || CAST(\"{RECORD}\" AS VARCHAR) AS \"{SOURCE}\" \
             FROM {rows} WHERE {}",
            condition(name)
        );
        let view = session.whole.sql(&sql).await?.into_view();
        session.whole.register_table(reference(), view)?;
        let json = columns
            .into_iter()
            .filter(|column| column.kusto == Kusto::Dynamic)
            .map(|column| column.key)
            .chain([EXTRA.to_string()])
            .collect();
        let dynamic = session.customs.dynamic.lock();
        let mut dynamic = dynamic.unwrap_or_else(PoisonError::into_inner);
        dynamic.insert(name.to_string(), json);
    }
    session.publish(name, Some(TIME)).await
}

/// The name of a row's table as the row says it: its `Type`, and where it has none, the category under which it was streamed.
pub(super) fn said() -> String {
    format!(
        "coalesce(nullif(\"{EXTRA}\"->>'{TYPE}', ''), \
         regexp_replace(\"{EXTRA}\"->>'category', '^AdvancedHunting-', ''))"
    )
}

/// Which rows are of a table; its name has letters, digits and `_` only.
fn condition(name: &str) -> String {
    format!("{} = '{name}'", said())
}

/// The keys of a table's rows in the order in which they were met first, with a type that all values under them have.
async fn columns(session: &Session, name: &str) -> Result<Vec<Column>> {
    let mut keys = noted(session, name, &Keys::default()).await?;
    if keys.cut {
        // Of some that are left, values were seen before they were forgotten.
        let closed = keys.closed();
        keys = noted(session, name, &closed).await?;
    }
    Ok(keys.columns())
}

/// Reads all rows of a table for their keys, as many at a time as the session has threads.
async fn noted(session: &Session, name: &str, begin: &Keys) -> Result<Keys> {
    let rows = rows(session, name).await?;
    let sql = format!(
        "SELECT \"{EXTRA}\", \"{INGEST_ID}\", \"{RECORD}\" FROM {rows} WHERE {}",
        condition(name)
    );
    let frame = session.whole.sql(&sql).await?;
    let mut tasks = JoinSet::new();
    for stream in frame.execute_stream_partitioned().await? {
        tasks.spawn(noted_of(stream, begin.clone()));
    }
    let mut all = begin.clone();
    while let Some(done) = tasks.join_next().await {
        let keys = done.map_err(|e| Error::Query(format!("the engine broke off: {e}")))?;
        all.merge(keys?);
    }
    Ok(all)
}

/// The keys of some of a table's rows, beside those that are known.
async fn noted_of(mut rows: SendableRecordBatchStream, mut keys: Keys) -> Result<Keys> {
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let texts = cast(batch.column(0), &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let ingests = cast(batch.column(1), &DataType::Int64)?;
        let ingests = ingests.as_primitive::<Int64Type>();
        let records = cast(batch.column(2), &DataType::Int64)?;
        let records = records.as_primitive::<Int64Type>();
        for row in (0..batch.num_rows()).filter(|row| texts.is_valid(*row)) {
            let mut at = (ingests.value(row), records.value(row), 0);
            // What ingest wrote is an object.
            let _ = json::entries(texts.value(row), |key, value| {
                keys.note(&key, at, value);
                at.2 += 1;
            });
        }
    }
    Ok(keys)
}

/// The values of a query with one column of text.
async fn texts(session: &Session, sql: &str) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for batch in session.whole.sql(sql).await?.collect().await? {
        let column = cast(batch.column(0), &DataType::Utf8)?;
        let column = column.as_string::<i32>();
        out.extend(column.iter().flatten().map(str::to_string));
    }
    Ok(out)
}

/// Where a key stands: ingest, record and place in it.
type Place = (i64, i64, usize);

/// The keys of rows, in whatever order these are read.
#[derive(Debug, Clone, Default)]
struct Keys {
    met: HashMap<String, Met>,
    /// Some were forgotten.
    cut: bool,
    /// No others are taken.
    closed: bool,
}

/// What is known of a key.
#[derive(Debug, Clone)]
struct Met {
    first: Place,
    kinds: BTreeSet<Kind>,
}

/// A column of such a table.
#[derive(Debug)]
struct Column {
    key: String,
    kusto: Kusto,
    /// Its type in SQL.
    sql: &'static str,
}

/// What a value of JSON is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bool,
    Whole,
    Number,
    Time,
    /// A time before 1678 or after 2261, which has no nanoseconds.
    FarTime,
    Text,
    /// A text that is a number.
    Digits,
    /// A text that is `true` or `false`.
    Word,
    Nested,
}

impl Keys {
    fn note(&mut self, key: &str, at: Place, value: Raw<'_>) {
        if let Some(met) = self.met.get_mut(key) {
            met.first = met.first.min(at);
            met.kinds.extend(kind_of(value));
            return;
        }
        if self.closed || !is_column(key) {
            return;
        }
        if self.met.len() >= MAX_KEYS {
            self.cut_back();
        }
        let kinds = kind_of(value).into_iter().collect();
        self.met.insert(key.to_string(), Met { first: at, kinds });
    }

    /// Takes in what was found in other rows.
    fn merge(&mut self, other: Keys) {
        self.cut |= other.cut;
        for (key, met) in other.met {
            match self.met.entry(key) {
                Entry::Occupied(mut own) => {
                    let own = own.get_mut();
                    own.first = own.first.min(met.first);
                    own.kinds.extend(met.kinds);
                }
                Entry::Vacant(none) => {
                    none.insert(met);
                }
            }
        }
    }

    /// The keys in the order in which they were met, as many as a table has columns.
    fn ordered(&mut self) -> Vec<(String, Met)> {
        let mut all: Vec<(String, Met)> = std::mem::take(&mut self.met).into_iter().collect();
        all.sort_unstable_by(|(a, x), (b, y)| (x.first, a).cmp(&(y.first, b)));
        all.truncate(MAX_COLUMNS);
        all
    }

    /// Forgets all keys but those that were met first. One that is forgotten is no column unless it is met again, before others.
    fn cut_back(&mut self) {
        self.met = self.ordered().into_iter().collect();
        self.cut = true;
    }

    /// The columns of the table, whose values are still to be read.
    fn closed(mut self) -> Keys {
        let mut met: HashMap<String, Met> = self.ordered().into_iter().collect();
        for met in met.values_mut() {
            met.kinds.clear();
        }
        Keys {
            met,
            cut: false,
            closed: true,
        }
    }

    fn columns(mut self) -> Vec<Column> {
        let column = |(key, met): (String, Met)| {
            let kinds: Vec<Kind> = met.kinds.into_iter().collect();
            let kusto = kusto(&key, &kinds);
            let sql = match kusto {
                Kusto::DateTime if kinds.contains(&Kind::FarTime) => "TIMESTAMP(6) WITH TIME ZONE",
                kusto => sql_type(kusto),
            };
            Column { key, kusto, sql }
        };
        self.ordered().into_iter().map(column).collect()
    }
}

/// Whether a key can be a column beside those that every such table has.
fn is_column(key: &str) -> bool {
    const OWN: [&str; 5] = [TYPE, TIME, EXTRA, INGEST_ID, RECORD];
    let odd = key.len() > LONGEST || key.is_empty() || key.chars().any(char::is_control);
    !odd && key != SOURCE && !OWN.iter().any(|own| own.eq_ignore_ascii_case(key))
}

/// The type of a column with values of these kinds. Log Analytics has numbers under names that end in `_d` as `real`, and says by `_b` that
/// they are `true` or `false`; in a CSV they are texts.
fn kusto(key: &str, kinds: &[Kind]) -> Kusto {
    let only = |these: &[Kind]| !kinds.is_empty() && kinds.iter().all(|k| these.contains(k));
    match kinds {
        kinds if kinds.contains(&Kind::Nested) => Kusto::Dynamic,
        _ if key.ends_with("_d") && only(&[Kind::Whole, Kind::Number, Kind::Digits]) => Kusto::Real,
        _ if key.ends_with("_b") && only(&[Kind::Bool, Kind::Word]) => Kusto::Bool,
        [Kind::Bool] => Kusto::Bool,
        [Kind::Whole] => Kusto::Long,
        [Kind::Number] | [Kind::Whole, Kind::Number] => Kusto::Real,
        [Kind::Time | Kind::FarTime] | [Kind::Time, Kind::FarTime] => Kusto::DateTime,
        _ => Kusto::String,
    }
}

/// What a value is; nothing where there is none. A type is only given to values that the engine can cast to it.
fn kind_of(value: Raw<'_>) -> Option<Kind> {
    let is_number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    Some(match value {
        Raw::Null => return None,
        Raw::Text { inner: "", .. } => return None,
        Raw::Text { inner, .. } => match time_of(inner) {
            Some(time) => time,
            None if is_number(inner) => Kind::Digits,
            None if is_word(inner) => Kind::Word,
            None => Kind::Text,
        },
        Raw::Other(json) if json.starts_with(['{', '[']) => Kind::Nested,
        Raw::Other("true" | "false") => Kind::Bool,
        Raw::Other(number) if number.parse::<i64>().is_ok() => Kind::Whole,
        Raw::Other(number) if is_number(number) => Kind::Number,
        // `1e400`
        Raw::Other(_) => Kind::Text,
    })
}

fn is_word(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// Which time a text is, where it is one as Log Analytics and Graph write them: in UTC, with `T` and `Z`.
fn time_of(text: &str) -> Option<Kind> {
    if text.as_bytes().get(10) != Some(&b'T') || !text.ends_with('Z') {
        return None;
    }
    let time = string_to_datetime(&Utc, text).ok()?;
    Some(match time.timestamp_nanos_opt() {
        Some(_) => Kind::Time,
        None => Kind::FarTime,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rows: &[&str]) -> Keys {
        let mut keys = Keys::default();
        for (record, row) in rows.iter().enumerate() {
            let mut at = (1, record as i64, 0);
            let note = |key: std::borrow::Cow<'_, str>, value: Raw<'_>| {
                keys.note(&key, at, value);
                at.2 += 1;
            };
            json::entries(row, note).expect("an object");
        }
        keys
    }

    fn columns(rows: &[&str]) -> Vec<(String, Kusto)> {
        let columns = keys(rows).columns().into_iter();
        columns.map(|c| (c.key, c.kusto)).collect()
    }

    #[test]
    fn keys_have_the_type_of_their_values() {
        let rows = [
            r#"{"Type":"X_CL","When":"2026-05-14T09:58:00.1234567Z","Count":1,"Share_d":2,"Is":true,"Bag":{"a":1},"Odd":1,"Empty":null}"#,
            r#"{"Count":2,"Odd":"x","Half":1,"Bag":"text","_Record":"7"}"#,
            r#"{"Half":0.5,"":1,"Date":"2026-05-14"}"#,
        ];
        let found = columns(&rows);
        let found: Vec<(&str, Kusto)> = found.iter().map(|(k, t)| (k.as_str(), *t)).collect();
        assert_eq!(
            found,
            [
                ("When", Kusto::DateTime),
                ("Count", Kusto::Long),
                ("Share_d", Kusto::Real),
                ("Is", Kusto::Bool),
                ("Bag", Kusto::Dynamic),
                ("Odd", Kusto::String),
                ("Empty", Kusto::String),
                ("Half", Kusto::Real),
                ("Date", Kusto::String),
            ]
        );
    }

    #[test]
    fn names_of_log_analytics_say_the_type_of_texts() {
        let rows = [
            r#"{"Count_d":"3","Flag_b":"True","Name_s":"4","Odd_d":"x","Plain":"5","When_t":"2026-05-14T09:58:00Z"}"#,
            r#"{"Count_d":"0.5","Flag_b":"false","Odd_d":"1"}"#,
        ];
        let types: Vec<Kusto> = columns(&rows).into_iter().map(|(_, ty)| ty).collect();
        assert_eq!(
            types,
            [
                Kusto::Real,
                Kusto::Bool,
                Kusto::String,
                Kusto::String,
                Kusto::String,
                Kusto::DateTime,
            ]
        );
    }

    #[test]
    fn all_values_have_the_type_of_their_column() {
        let rows = [
            r#"{"n":1,"Big":1,"Far":"2026-05-14T09:58:00Z","Short":"2026-05-14T09:58:00Z","Inf_d":"1"}"#,
            r#"{"n":1.5,"Big":1e400,"Far":"9999-12-31T23:59:59Z","Short":"2026-05-14T09Z","Inf_d":"inf"}"#,
        ];
        let found = keys(&rows).columns();
        let found: Vec<(&str, Kusto, &str)> = found
            .iter()
            .map(|c| (c.key.as_str(), c.kusto, c.sql))
            .collect();
        assert_eq!(
            found,
            [
                ("n", Kusto::Real, "DOUBLE"),
                ("Big", Kusto::String, "VARCHAR"),
                ("Far", Kusto::DateTime, "TIMESTAMP(6) WITH TIME ZONE"),
                ("Short", Kusto::String, "VARCHAR"),
                ("Inf_d", Kusto::String, "VARCHAR"),
            ]
        );
    }

    #[test]
    fn columns_do_not_depend_on_the_order_in_which_rows_are_read() {
        let note = |keys: &mut Keys, record: usize| {
            let key = format!("k{}", record / 2);
            let value = match record % 2 {
                0 => Raw::Other("1"),
                _ => Raw::Other("0.5"),
            };
            keys.note(&key, (1, record as i64, 0), value);
        };
        let shown = |keys: Keys| format!("{:?}", keys.columns());
        let rows = 3 * MAX_KEYS;
        let mut forward = Keys::default();
        (0..rows).for_each(|record| note(&mut forward, record));
        let mut back = Keys::default();
        (0..rows).rev().for_each(|record| note(&mut back, record));
        assert!(forward.cut && back.cut);
        let mut parts = Keys::default();
        for part in 0..3 {
            let mut own = Keys::default();
            (0..rows)
                .filter(|record| record % 3 == part)
                .for_each(|record| note(&mut own, record));
            parts.merge(own);
        }
        let mut all = Vec::new();
        for keys in [forward, back, parts] {
            let mut closed = keys.closed();
            (0..rows).for_each(|record| note(&mut closed, record));
            all.push(shown(closed));
        }
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], all[2]);
        assert!(all[0].contains("k499") && !all[0].contains("k500"));
        assert!(!all[0].contains("Long"), "a kind was forgotten");
    }

    #[test]
    fn hostile_rows_make_no_endless_tables() {
        let row = |i: usize| format!("{{\"k{i}\":1,\"a\\nb\":1}}");
        let rows: Vec<String> = (0..MAX_COLUMNS + 10).map(row).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        assert_eq!(columns(&rows).len(), MAX_COLUMNS);
    }
}
