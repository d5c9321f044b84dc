//! Percentiles: the ranks of all values, each group's by themselves.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;

use super::super::arrays;
use super::state::{Rows, State, taken};
use crate::function::aggregate::{self, Results};
use crate::function::value::{Json, Type, Value};

/// What is kept for percentiles of values of that type; nothing where it is rare.
pub(super) fn state(
    ty: Type,
    constants: &[Option<Value>],
    results: Results,
) -> Option<Box<dyn State>> {
    if !matches!(
        ty,
        Type::Int | Type::Long | Type::Real | Type::DateTime | Type::Timespan
    ) {
        return None;
    }
    Some(Box::new(Ranks {
        ty,
        percentages: aggregate::percentages(constants, 1).ok()?,
        array: results == Results::One,
        ranks: Vec::new(),
        held: 0,
    }))
}

struct Ranks {
    ty: Type,
    percentages: Vec<f64>,
    /// Whether all come in one array.
    array: bool,
    ranks: Vec<Vec<i64>>,
    held: usize,
}

impl Ranks {
    fn emit(&mut self, emit: EmitTo) -> Vec<Vec<i64>> {
        let ranks = taken(&mut self.ranks, emit);
        self.held -= ranks.iter().map(Vec::len).sum::<usize>();
        ranks
    }
}

impl State for Ranks {
    fn resize(&mut self, groups: usize) {
        self.ranks.resize(groups, Vec::new());
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        if self.ty == Type::Real {
            let reals = columns[0].as_primitive::<Float64Type>();
            for (row, group) in rows.each().filter(|(row, _)| reals.is_valid(*row)) {
                if let Some(rank) = aggregate::rank(&Value::Real(reals.value(row))) {
                    self.ranks[group].push(rank);
                    self.held += 1;
                }
            }
            return Ok(());
        }
        let value = super::numbers::whole(&columns[0], self.ty);
        for (row, group) in rows.each() {
            if let Some(rank) = value(row) {
                self.ranks[group].push(rank);
                self.held += 1;
            }
        }
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let lists = columns[0].as_list::<i32>();
        for (row, group) in rows.each().filter(|(row, _)| lists.is_valid(*row)) {
            let ranks = lists.value(row);
            let ranks = ranks.as_primitive::<Int64Type>().values();
            self.held += ranks.len();
            self.ranks[group].extend_from_slice(ranks);
        }
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let ranks = self.emit(emit);
        let offsets = OffsetBuffer::from_lengths(ranks.iter().map(Vec::len));
        let values: Int64Array = ranks.into_iter().flatten().collect::<Vec<_>>().into();
        let field = Arc::new(Field::new("item", DataType::Int64, true));
        let lists = ListArray::try_new(field, offsets, Arc::new(values), None)?;
        Ok(vec![Arc::new(lists)])
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (ty, percentages) = (self.ty, self.percentages.clone());
        let given = match ty {
            Type::Int => Type::Long,
            other => other,
        };
        let groups = self.emit(emit).into_iter();
        let (none, rows): (Vec<bool>, Vec<Vec<Value>>) = groups
            .map(|mut ranks| {
                let row = aggregate::nearest(&mut ranks, &percentages, given);
                (ranks.is_empty(), row)
            })
            .unzip();
        if self.array {
            let array = |row: &Vec<Value>| {
                Value::dynamic(Json::Array(row.iter().map(Json::from_value).collect()))
            };
            let arrays: Vec<Value> = rows
                .iter()
                .zip(none)
                .map(|(row, none)| if none { Value::Null } else { array(row) })
                .collect();
            return Ok(vec![arrays::array(arrays.iter(), Type::Dynamic)]);
        }
        let column = |i: usize| arrays::array(rows.iter().map(|row| &row[i]), given);
        Ok((0..percentages.len()).map(column).collect())
    }

    fn size(&self) -> usize {
        self.ranks.capacity() * size_of::<Vec<i64>>() + self.held * size_of::<i64>() * 3 / 2
    }
}
