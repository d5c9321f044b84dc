//! `arg_max`, `arg_min`, `take_any`: rows that stay while others go by.
//!
//! Keys are compared before anything is copied. A batch is kept as it is while many of its rows stand for groups, and goes when the last one is
//! beaten, which is soon where rows come in the order of their times; of others the rows are copied.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, new_null_array};
use arrow::compute;
use arrow::datatypes::Float64Type;
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;

use super::super::arrays;
use super::state::{Rows, State, taken};
use crate::function::aggregate::{Choice, End};
use crate::function::value::Type;

/// Bytes of kept batches before the rows in them that stand for groups are copied, and the others go.
const MOST_BYTES: usize = 32 << 20;
/// The same of batches.
const MOST_BATCHES: usize = 512;
/// A batch is kept as it is where at least one of so many rows stands for a group.
const MANY: usize = 8;

/// What a row is chosen by.
enum Keys {
    /// The first row.
    First,
    /// The first row whose value is not empty.
    FirstFull(Vec<bool>),
    Whole(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Text(Vec<Box<str>>),
}

/// Where a row is kept.
#[derive(Clone, Copy)]
struct Place {
    batch: u32,
    row: u32,
}

/// Rows that are kept together; none any more where nothing lives.
struct Batch {
    columns: Vec<ArrayRef>,
    /// So many of them stand for groups.
    living: usize,
    bytes: usize,
}

impl Batch {
    fn new(columns: Vec<ArrayRef>, living: usize) -> Batch {
        let bytes = columns.iter().map(|c| c.get_array_memory_size()).sum();
        Batch {
            columns,
            living,
            bytes,
        }
    }
}

const NOWHERE: Place = Place {
    batch: u32::MAX,
    row: 0,
};

fn place(batch: u32, row: usize) -> Place {
    Place {
        batch,
        row: u32::try_from(row).unwrap_or(u32::MAX),
    }
}

impl Place {
    fn is_nowhere(self) -> bool {
        self.batch == NOWHERE.batch
    }
}

/// Rows of the groups.
pub(super) struct Picked {
    wanted: Ordering,
    types: Vec<Type>,
    keys: Keys,
    places: Vec<Place>,
    /// Kept rows, a batch after the other; each a column for an argument.
    batches: Vec<Batch>,
    bytes: usize,
    /// What they had when all rows in them stood for groups.
    least: usize,
    text_bytes: usize,
}

impl Picked {
    /// Nothing where keys of that type have to be compared as values.
    pub(super) fn new(choice: Choice, types: &[Type]) -> Option<Picked> {
        let first = *types.first()?;
        let (keys, wanted) = match choice {
            Choice::First if types.len() > 1 => (Keys::First, Ordering::Equal),
            Choice::First => (Keys::FirstFull(Vec::new()), Ordering::Equal),
            Choice::By(end) => {
                let keys = match first {
                    Type::Int | Type::Long | Type::DateTime | Type::Timespan => {
                        Keys::Whole(Vec::new())
                    }
                    Type::Real => Keys::Real(Vec::new()),
                    Type::String => Keys::Text(Vec::new()),
                    _ => return None,
                };
                let wanted = match end {
                    End::Least => Ordering::Less,
                    End::Greatest => Ordering::Greater,
                };
                (keys, wanted)
            }
        };
        Some(Picked {
            wanted,
            types: types.to_vec(),
            keys,
            places: Vec::new(),
            batches: Vec::new(),
            bytes: 0,
            least: 0,
            text_bytes: 0,
        })
    }

    /// Takes the rows that are better than those that are kept.
    fn take(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let columns = &columns[..self.types.len()];
        let batch = u32::try_from(self.batches.len()).unwrap_or(u32::MAX - 1);
        let key = &columns[0];
        let (ty, wanted) = (self.types[0], self.wanted);
        let mut winners: Vec<(usize, Place)> = Vec::new();
        let mut won = |place: &mut Place, row: usize, group: usize| {
            if place.batch != batch {
                winners.push((group, *place));
            }
            // The number of the row in the batch that came, for now.
            *place = self::place(batch, row);
        };
        let places = &mut self.places;
        match &mut self.keys {
            Keys::First => {
                for (row, group) in rows.each() {
                    if places[group].is_nowhere() {
                        won(&mut places[group], row, group);
                    }
                }
            }
            Keys::FirstFull(full) => {
                let is_full = fullness(key, ty);
                for (row, group) in rows.each() {
                    if full[group] {
                        continue;
                    }
                    let is_full = is_full(row);
                    if is_full || places[group].is_nowhere() {
                        full[group] = is_full;
                        won(&mut places[group], row, group);
                    }
                }
            }
            Keys::Whole(best) => {
                let value = super::numbers::whole(key, ty);
                let better = |kept: i64, new: i64| new.cmp(&kept) == wanted;
                choose(best, places, rows, value, better, won);
            }
            Keys::Real(best) => {
                let values = key.as_primitive::<Float64Type>();
                let value = |row: usize| values.is_valid(row).then(|| values.value(row));
                // A NaN loses to all numbers.
                let better = |kept: f64, new: f64| {
                    !new.is_nan() && (kept.is_nan() || new.partial_cmp(&kept) == Some(wanted))
                };
                choose(best, places, rows, value, better, won);
            }
            Keys::Text(best) => {
                let values = key.as_string::<i32>();
                for (row, group) in rows.each() {
                    // A string is never null.
                    let value = match values.is_null(row) {
                        true => "",
                        false => values.value(row),
                    };
                    let kept = &mut best[group];
                    if places[group].is_nowhere() || value.cmp(kept) == wanted {
                        self.text_bytes += value.len();
                        self.text_bytes -= kept.len();
                        *kept = value.into();
                        won(&mut places[group], row, group);
                    }
                }
            }
        }
        self.keep(columns, &winners, batch)
    }

    /// Keeps the rows that stand for groups at the end of a batch; each winner comes with the place that it had before.
    fn keep(&mut self, columns: &[ArrayRef], winners: &[(usize, Place)], batch: u32) -> Result<()> {
        if winners.is_empty() {
            return Ok(());
        }
        for (_, beaten) in winners.iter().filter(|(_, place)| !place.is_nowhere()) {
            let old = &mut self.batches[beaten.batch as usize];
            old.living -= 1;
            if old.living == 0 {
                self.bytes -= std::mem::take(&mut old.bytes);
                old.columns.clear();
            }
        }
        let rows = columns[0].len();
        let kept = if winners.len() * MANY >= rows {
            columns.to_vec()
        } else {
            let places = winners.iter().map(|(group, _)| self.places[*group].row);
            let places = UInt32Array::from_iter_values(places);
            for (at, (group, _)) in winners.iter().enumerate() {
                self.places[*group] = place(batch, at);
            }
            let taken = columns.iter().map(|c| Ok(compute::take(c, &places, None)?));
            taken.collect::<Result<_>>()?
        };
        let kept = Batch::new(kept, winners.len());
        self.bytes += kept.bytes;
        self.batches.push(kept);
        if self.bytes > MOST_BYTES + 2 * self.least || self.batches.len() > MOST_BATCHES {
            self.forget_the_beaten()?;
        }
        Ok(())
    }

    /// Makes one batch of the rows that stand for groups.
    fn forget_the_beaten(&mut self) -> Result<()> {
        let living: Vec<usize> = (0..self.places.len())
            .filter(|g| !self.places[*g].is_nowhere())
            .collect();
        let columns = self.gather(living.iter().map(|g| self.places[*g]))?;
        let kept = Batch::new(columns, living.len());
        (self.bytes, self.least) = (kept.bytes, kept.bytes);
        self.batches.clear();
        self.batches.push(kept);
        for (at, group) in living.into_iter().enumerate() {
            self.places[group] = place(0, at);
        }
        Ok(())
    }

    /// The rows at these places, as columns.
    fn gather(&self, places: impl Iterator<Item = Place>) -> Result<Vec<ArrayRef>> {
        // A row of nulls stands for groups that have none.
        let none = self.batches.len();
        let at: Vec<(usize, usize)> = places
            .map(|place| match place.is_nowhere() {
                true => (none, 0),
                false => (place.batch as usize, place.row as usize),
            })
            .collect();
        let columns = self.types.iter().enumerate().map(|(i, ty)| {
            let nothing = new_null_array(&arrays::arrow_type(*ty), 1);
            // Nothing is taken of batches in which nothing lives.
            let mut parts: Vec<&dyn Array> = Vec::with_capacity(self.batches.len() + 1);
            for batch in &self.batches {
                parts.push(batch.columns.get(i).unwrap_or(&nothing).as_ref());
            }
            parts.push(nothing.as_ref());
            Ok(compute::interleave(&parts, &at)?)
        });
        columns.collect()
    }

    /// The rows of the first groups, which are forgotten, and whether each has one.
    fn emit(&mut self, emit: EmitTo) -> Result<(Vec<ArrayRef>, Vec<bool>)> {
        let places = taken(&mut self.places, emit);
        match &mut self.keys {
            Keys::First => {}
            Keys::FirstFull(full) => drop(taken(full, emit)),
            Keys::Whole(best) => drop(taken(best, emit)),
            Keys::Real(best) => drop(taken(best, emit)),
            Keys::Text(best) => {
                let gone = taken(best, emit);
                self.text_bytes -= gone.iter().map(|t| t.len()).sum::<usize>();
            }
        }
        let columns = self.gather(places.iter().copied())?;
        match self.places.is_empty() {
            true => {
                self.batches.clear();
                (self.bytes, self.least) = (0, 0);
            }
            false => self.forget_the_beaten()?,
        }
        let has = places.iter().map(|p| !p.is_nowhere()).collect();
        Ok((columns, has))
    }
}

/// Gives the rows to `won` whose values are better than those of their groups. A null loses to everything.
fn choose<T: Copy>(
    best: &mut [Option<T>],
    places: &mut [Place],
    rows: &Rows<'_>,
    value: impl Fn(usize) -> Option<T>,
    better: impl Fn(T, T) -> bool,
    mut won: impl FnMut(&mut Place, usize, usize),
) {
    for (row, group) in rows.each() {
        let value = value(row);
        let is_better = match (best[group], value) {
            _ if places[group].is_nowhere() => true,
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(kept), Some(new)) => better(kept, new),
        };
        if is_better {
            best[group] = value;
            won(&mut places[group], row, group);
        }
    }
}

/// Whether the value of a row is more than null and the empty string.
fn fullness(column: &ArrayRef, ty: Type) -> Box<dyn Fn(usize) -> bool + '_> {
    match ty {
        Type::String => {
            let texts = column.as_string::<i32>();
            Box::new(|row| texts.is_valid(row) && !texts.value(row).is_empty())
        }
        Type::Dynamic => {
            let texts = column.as_string::<i32>();
            Box::new(|row| texts.is_valid(row) && texts.value(row).trim() != "null")
        }
        _ => Box::new(|row| column.is_valid(row)),
    }
}

impl State for Picked {
    fn resize(&mut self, groups: usize) {
        self.places.resize(groups, NOWHERE);
        match &mut self.keys {
            Keys::First => {}
            Keys::FirstFull(full) => full.resize(groups, false),
            Keys::Whole(best) => best.resize(groups, None),
            Keys::Real(best) => best.resize(groups, None),
            Keys::Text(best) => best.resize(groups, "".into()),
        }
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        self.take(columns, rows)
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let has = columns[self.types.len()].as_boolean();
        let rows = Rows {
            groups: rows.groups,
            counted: Some(has),
        };
        self.take(columns, &rows)
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (mut columns, has) = self.emit(emit)?;
        columns.push(std::sync::Arc::new(BooleanArray::from(has)));
        Ok(columns)
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(self.emit(emit)?.0)
    }

    fn size(&self) -> usize {
        let keys = match &self.keys {
            Keys::First => 0,
            Keys::FirstFull(full) => full.capacity(),
            Keys::Whole(best) => best.capacity() * size_of::<Option<i64>>(),
            Keys::Real(best) => best.capacity() * size_of::<Option<f64>>(),
            Keys::Text(best) => best.capacity() * size_of::<Box<str>>() + self.text_bytes,
        };
        keys + self.places.capacity() * size_of::<Place>() + self.bytes
    }
}
