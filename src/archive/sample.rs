//! What some values of a column say of all: whether a dictionary pays, and whether anything is left to compress behind it.
//!
//! The names of columns do not tell: the sites of one export are a handful, those of another hardly ever the same.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use hashbrown::HashSet;
use xxhash_rust::xxh3::xxh3_64;

/// How the values of a column repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// Nearly every value is another: a dictionary would hold them all, and be looked through for each.
    Hardly,
    /// As values mostly do, or nobody looked.
    Somehow,
    /// There are few: the dictionary and the numbers that stand for them take about so many bytes.
    Few(usize),
}

/// Values that are few.
const FEW: usize = 16;
/// Of fewer values nobody looks at some.
const LEAST: usize = 256;

/// How the values of a column repeat that stands in several batches and takes so many bytes without a dictionary.
///
/// Of n values that all stand there twice, 3√n have four or five pairs among them: with one or none, values are mostly single ones.
pub(super) fn repeats(columns: &[&ArrayRef], bytes: usize) -> Repeats {
    let values: usize = columns.iter().map(|c| c.len() - c.null_count()).sum();
    if values < LEAST {
        return Repeats::Somehow;
    }
    let step = (values / (3 * values.isqrt())).max(1);
    let mut places = Places::new(step);
    let mut seen: HashSet<u64> = HashSet::new();
    let mut looked = 0;
    for column in columns {
        let Some(value) = hashes(column) else {
            return Repeats::Somehow;
        };
        while let Some(row) = places.next_in(column.len()) {
            if column.is_valid(row) {
                looked += 1;
                seen.insert(value(row));
                if seen.len() > FEW && looked - seen.len() > 1 {
                    return Repeats::Somehow;
                }
            }
        }
    }
    match seen.len() {
        0 => Repeats::Somehow,
        distinct if distinct <= FEW => {
            let bits = distinct.next_power_of_two().trailing_zeros() as usize;
            Repeats::Few(distinct * bytes / values + values * bits / 8)
        }
        _ => Repeats::Hardly,
    }
}

/// A number for the value in a row, equal for equal values; nothing for types of which there is no need.
fn hashes(column: &ArrayRef) -> Option<Box<dyn Fn(usize) -> u64 + '_>> {
    let value: Box<dyn Fn(usize) -> u64 + '_> = match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            Box::new(move |row: usize| xxh3_64(texts.value(row).as_bytes()))
        }
        DataType::Int32 => {
            let numbers = column.as_primitive::<Int32Type>();
            Box::new(move |row: usize| i64::from(numbers.value(row)) as u64)
        }
        DataType::Int64 => {
            let numbers = column.as_primitive::<Int64Type>();
            Box::new(move |row: usize| numbers.value(row) as u64)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            Box::new(move |row: usize| times.value(row) as u64)
        }
        _ => return None,
    };
    Some(value)
}

/// Rows to look at, over several batches: so far from each other at the mean, and never in step with what repeats in them.
struct Places {
    step: u64,
    /// The next one, from the start of the batch.
    next: usize,
    random: u64,
}

impl Places {
    fn new(step: usize) -> Self {
        Places {
            step: step as u64,
            next: 0,
            random: 0,
        }
    }

    /// The next place in a batch of so many rows; after the last, the places go on in the next batch.
    fn next_in(&mut self, rows: usize) -> Option<usize> {
        if self.next >= rows {
            self.next -= rows;
            return None;
        }
        let place = self.next;
        // Knuth's generator (MMIX). The same rows give the same file.
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let step = 1 + (self.random >> 33) % (2 * self.step - 1);
        self.next += step as usize;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, StringArray};

    use super::*;

    const ROWS: usize = 20_000;

    /// What is found of texts, in one batch and in several.
    fn of(text: impl Fn(usize) -> Option<String>) -> Repeats {
        let whole: ArrayRef = Arc::new((0..ROWS).map(text).collect::<StringArray>());
        let parts = [
            whole.slice(0, 1),
            whole.slice(1, 7000),
            whole.slice(7001, ROWS - 7001),
        ];
        let found = repeats(&[&whole], 20 * ROWS);
        assert_eq!(repeats(&parts.each_ref(), 20 * ROWS), found);
        found
    }

    #[test]
    fn ids_hardly_repeat_and_users_do() {
        assert_eq!(of(|n| Some(format!("id {n}"))), Repeats::Hardly);
        let sparse = |n: usize| n.is_multiple_of(4).then(|| format!("id {n}"));
        assert_eq!(of(sparse), Repeats::Hardly);
        assert_eq!(of(|n| Some(format!("{}", n * 7 % 2000))), Repeats::Somehow);
        assert_eq!(of(|n| Some(format!("{}", n / 8))), Repeats::Somehow);
        assert_eq!(of(|n| (n < 10).then(|| format!("{n}"))), Repeats::Somehow);
    }

    #[test]
    fn few_values_take_a_dictionary_and_some_bits() {
        assert_eq!(of(|_| Some("same".into())), Repeats::Few(20));
        let four = of(|n| Some(format!("{}", n % 4)));
        assert_eq!(four, Repeats::Few(4 * 20 + ROWS / 4));
        let seventeen = of(|n| Some(format!("{}", n % 17)));
        assert_eq!(seventeen, Repeats::Somehow);
    }

    #[test]
    fn numbers_are_looked_at_and_bools_are_not() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        assert_eq!(repeats(&[&numbers], 8000), Repeats::Hardly);
        let bools: ArrayRef = Arc::new(BooleanArray::from(vec![true; 1000]));
        assert_eq!(repeats(&[&bools], 1000), Repeats::Somehow);
    }
}
