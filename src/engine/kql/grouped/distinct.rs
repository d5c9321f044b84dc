//! `dcount` of whole numbers and times: each of a group once, as a number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;
use hashbrown::HashSet;

use super::state::{Rows, State, taken};
use crate::function::value::Type;

/// The numbers of groups.
#[derive(Default)]
pub(super) struct Numbers {
    /// Group and number.
    seen: HashSet<(u32, i64)>,
    counts: Vec<i64>,
}

impl Numbers {
    /// Those of columns of this type; nothing where its values are no numbers of 64 bits.
    pub(super) fn of(ty: Type) -> Option<Numbers> {
        matches!(ty, Type::Long | Type::DateTime | Type::Timespan).then(Numbers::default)
    }

    fn insert(&mut self, group: usize, number: i64) {
        let of = u32::try_from(group).unwrap_or(u32::MAX);
        if self.seen.insert((of, number)) {
            self.counts[group] += 1;
        }
    }

    /// Takes the first groups away, with their numbers in the order of the groups.
    fn emit(&mut self, emit: EmitTo) -> (Vec<i64>, Vec<(u32, i64)>) {
        let counts = taken(&mut self.counts, emit);
        let gone = u32::try_from(counts.len()).unwrap_or(u32::MAX);
        let all = std::mem::take(&mut self.seen);
        let mut numbers: Vec<(u32, i64)> = Vec::new();
        match emit {
            EmitTo::All => numbers.extend(all),
            EmitTo::First(_) => {
                for (group, number) in all {
                    match group.checked_sub(gone) {
                        None => numbers.push((group, number)),
                        Some(left) => {
                            self.seen.insert((left, number));
                        }
                    }
                }
            }
        }
        (counts, numbers)
    }
}

impl State for Numbers {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let numbers = columns[0].as_primitive::<Int64Type>();
        for (row, group) in rows.each().filter(|(row, _)| numbers.is_valid(*row)) {
            self.insert(group, numbers.value(row));
        }
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let lists = columns[0].as_list::<i32>();
        let numbers = lists.values().as_primitive::<Int64Type>();
        for (row, group) in rows.each().filter(|(row, _)| lists.is_valid(*row)) {
            let ends = &lists.offsets()[row..row + 2];
            for at in ends[0]..ends[1] {
                self.insert(
                    group,
                    numbers.value(usize::try_from(at).unwrap_or_default()),
                );
            }
        }
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (counts, mut numbers) = self.emit(emit);
        numbers.sort_unstable_by_key(|(group, _)| *group);
        let lengths = counts
            .iter()
            .map(|count| usize::try_from(*count).unwrap_or_default());
        let offsets = OffsetBuffer::from_lengths(lengths);
        let numbers = Int64Array::from_iter_values(numbers.into_iter().map(|(_, number)| number));
        let field = Arc::new(Field::new("item", DataType::Int64, true));
        let lists = ListArray::try_new(field, offsets, Arc::new(numbers), None)?;
        Ok(vec![Arc::new(lists)])
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (counts, _) = self.emit(emit);
        Ok(vec![Arc::new(Int64Array::from_iter_values(counts))])
    }

    fn size(&self) -> usize {
        // A table that grows holds the old entries and twice as many for a moment.
        self.seen.capacity() * (size_of::<(u32, i64)>() + 1) * 3 / 2
            + self.counts.capacity() * size_of::<i64>()
    }
}
