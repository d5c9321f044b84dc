//! Records and their bytes, per table, operation and day.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{Days, NaiveDate};

use super::size;
use crate::archive::Snapshot;
use crate::catalog::{TIME, catalog};
use crate::engine::Session;
use crate::fault::Result;

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// What records of one table, operation and day weigh.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weight {
    /// Table, as Sentinel or coldtrail names it.
    pub table: String,
    /// What was done, as the record names it; empty where it does not.
    pub operation: String,
    /// Days since 1970-01-01; nothing for records without a time.
    pub day: Option<i32>,
    /// How many.
    pub records: u64,
    /// Estimated bytes on the Analytics and Basic plans.
    pub bytes: u64,
    /// Bytes that the Auxiliary plan and the data lake count beside.
    pub beside: u64,
    /// Records of which the export says that they are not billed.
    pub free_records: u64,
    /// Their bytes, as [`Weight::billable`] has them.
    pub free_bytes: f64,
    /// Records of which the export says what they were billed for.
    pub told: Told,
}

/// Records whose `_BilledSize` the export has.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Told {
    /// How many.
    pub records: u64,
    /// What was billed for them, in bytes.
    pub billed: f64,
    /// What is estimated for them, in bytes.
    pub estimated: u64,
    /// The sum of their errors, each as a share of what was billed.
    pub errors: f64,
}

impl Told {
    /// Takes in others.
    pub fn add(&mut self, other: &Told) {
        self.records += other.records;
        self.billed += other.billed;
        self.estimated += other.estimated;
        self.errors += other.errors;
    }

    /// The mean error of a record, as a share of what was billed; nothing where the export says it of none.
    pub fn mean_error(&self) -> Option<f64> {
        (self.records > 0).then(|| self.errors / self.records as f64)
    }

    /// By how much all estimates together are off, as a share of what was billed: less than 0 where they are too low.
    pub fn drift(&self) -> Option<f64> {
        (self.records > 0).then(|| (self.estimated as f64 - self.billed) / self.billed)
    }
}

impl Weight {
    /// Bytes to bill: what the export says, and the estimate for the records of which it says nothing.
    pub fn billable(&self, counts_standard_columns: bool) -> f64 {
        let beside = match counts_standard_columns {
            true => self.beside,
            false => 0,
        };
        (self.bytes - self.told.estimated + beside) as f64 + self.told.billed
    }
}

/// Weighs the events of a session's tables: those in its range of times, one line for each table, operation and day, in that order.
///
/// # Errors
/// When a table cannot be read.
pub fn weigh(session: &Session) -> Result<Vec<Weight>> {
    size::register(session.context());
    let mut weights = Vec::new();
    for table in catalog().tables() {
        if !table.by_day || table.derived || table.concluded || !session.has(table.name) {
            continue;
        }
        let record = size::record(table);
        let sql = format!(
            "SELECT \"Table\", \"Operation\", \"Day\", count(*), sum(\"Bytes\"), sum(\"Beside\"), \
             count(*) FILTER (WHERE \"Free\"), sum(coalesce(\"Billed\", \"Bytes\")) FILTER (WHERE \"Free\"), \
             count(\"Billed\"), sum(\"Billed\"), sum(\"Bytes\") FILTER (WHERE \"Billed\" IS NOT NULL), \
             sum(abs(\"Bytes\" - \"Billed\") / \"Billed\") \
             FROM (SELECT {} AS \"Table\", {} AS \"Operation\", date_trunc('day', \"{TIME}\") AS \"Day\", \
             {} AS \"Bytes\", {} AS \"Beside\", {} AS \"Billed\", coalesce({}, false) AS \"Free\" FROM stored.\"{}\") \
             GROUP BY 1, 2, 3",
            record.table,
            record.operation,
            record.bytes,
            record.beside,
            record.billed,
            record.free,
            table.name
        );
        session.stream(session.plan(&sql)?, |batch| {
            let columns = Columns::of(batch)?;
            weights.extend((0..batch.num_rows()).map(|row| columns.weight(row)));
            Ok(())
        })?;
    }
    weights.sort_by(|a: &Weight, b: &Weight| {
        (&a.table, &a.operation, a.day).cmp(&(&b.table, &b.operation, b.day))
    });
    Ok(weights)
}

/// The columns of an answer.
struct Columns {
    table: ArrayRef,
    operation: ArrayRef,
    day: ArrayRef,
    /// Counts and bytes.
    whole: [ArrayRef; 6],
    /// Bytes that an export says, and errors.
    real: [ArrayRef; 3],
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Columns> {
        let text = |at: usize| cast(batch.column(at), &DataType::Utf8);
        let whole = |at: usize| cast(batch.column(at), &DataType::Int64);
        let real = |at: usize| cast(batch.column(at), &DataType::Float64);
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        Ok(Columns {
            table: text(0)?,
            operation: text(1)?,
            day: cast(batch.column(2), &time)?,
            whole: [
                whole(3)?,
                whole(4)?,
                whole(5)?,
                whole(6)?,
                whole(8)?,
                whole(10)?,
            ],
            real: [real(7)?, real(9)?, real(11)?],
        })
    }

    fn weight(&self, row: usize) -> Weight {
        // What is not there is a sum over no rows.
        let text = |array: &ArrayRef| {
            let texts = array.as_string::<i32>();
            let text = texts.is_valid(row).then(|| texts.value(row));
            text.unwrap_or_default().to_string()
        };
        let whole = |at: usize| {
            let numbers = self.whole[at].as_primitive::<Int64Type>();
            let number = numbers.is_valid(row).then(|| numbers.value(row));
            number.map_or(0, |number| number.unsigned_abs())
        };
        let real = |at: usize| {
            let numbers = self.real[at].as_primitive::<Float64Type>();
            let number = numbers.is_valid(row).then(|| numbers.value(row));
            number.unwrap_or_default()
        };
        let days = self.day.as_primitive::<TimestampMicrosecondType>();
        let day = days.is_valid(row).then(|| days.value(row));
        Weight {
            table: text(&self.table),
            operation: text(&self.operation),
            // Microseconds of 64 bits are fewer days than a number of 32 bits counts.
            day: day.map(|day| day.div_euclid(DAY_MICROS) as i32),
            records: whole(0),
            bytes: whole(1),
            beside: whole(2),
            free_records: whole(3),
            free_bytes: real(0),
            told: Told {
                records: whole(4),
                billed: real(1),
                estimated: whole(5),
                errors: real(2),
            },
        }
    }
}

/// A day as `2026-05-01`.
pub fn day_text(day: i32) -> String {
    let first = NaiveDate::from_ymd_opt(1970, 1, 1).expect("it is a day");
    let days = Days::new(u64::from(day.unsigned_abs()));
    let date = match day < 0 {
        true => first.checked_sub_days(days),
        false => first.checked_add_days(days),
    };
    date.map_or_else(|| day.to_string(), |date| date.to_string())
}

/// Bytes of the files of an archive: those of the tables with events, by their names, and those of all tables.
pub fn disk(snapshot: &Snapshot) -> (BTreeMap<String, u64>, u64) {
    let mut of_events = BTreeMap::new();
    let mut all = 0_u64;
    for (table, files) in snapshot.all() {
        let bytes: u64 = files.iter().map(|file| file.size).sum();
        all += bytes;
        if table.by_day && !table.derived && !table.concluded {
            of_events.insert(table.name.to_string(), bytes);
        }
    }
    (of_events, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(day_text(0), "1970-01-01");
        assert_eq!(day_text(-1), "1969-12-31");
        assert_eq!(day_text(20_574), "2026-05-01");
        assert_eq!(day_text(i32::MAX), i32::MAX.to_string());
    }

    #[test]
    fn what_an_export_says_counts_before_the_estimate() {
        let weight = Weight {
            records: 3,
            bytes: 300,
            beside: 30,
            told: Told {
                records: 1,
                billed: 125.0,
                estimated: 100,
                errors: 0.2,
            },
            ..Weight::default()
        };
        assert!((weight.billable(false) - 325.0).abs() < 1e-9);
        assert!((weight.billable(true) - 355.0).abs() < 1e-9);
        assert!(
            weight
                .told
                .mean_error()
                .is_some_and(|e| (e - 0.2).abs() < 1e-9)
        );
        assert!(weight.told.drift().is_some_and(|d| (d + 0.2).abs() < 1e-9));
        assert_eq!(Told::default().mean_error(), None);
    }
}
