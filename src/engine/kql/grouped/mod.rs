//! Aggregates over many groups at once: what they keep stands in columns, and no row becomes values.
//!
//! What has no columnar form ([`Columnar`]), and types that are rare, is fed row by row ([`super::row`]).

mod distinct;
mod lists;
mod numbers;
mod picked;
mod ranks;
mod state;

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::arrays;
use crate::function::aggregate::{Aggregate, Columnar, Results};
use crate::function::value::{Type, Value};
use state::{Rows, State};

/// An aggregate of arguments of these types.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    columnar: Columnar,
    results: Results,
    predicate: Option<usize>,
    types: Vec<Type>,
    constants: Vec<Option<Value>>,
}

impl Kernel {
    /// The kernel of an aggregate; nothing where these types have none.
    pub(super) fn of(
        aggregate: &Aggregate,
        types: &[Type],
        constants: &[Option<Value>],
    ) -> Option<Kernel> {
        let predicate = aggregate.predicate.and_then(|at| types.get(at));
        if predicate.is_some_and(|ty| *ty != Type::Bool) {
            return None;
        }
        let kernel = Kernel {
            columnar: aggregate.columnar?,
            results: aggregate.results,
            predicate: aggregate.predicate,
            types: types.to_vec(),
            constants: constants.to_vec(),
        };
        kernel.state().map(|_| kernel)
    }

    /// The type of the first argument.
    fn first(&self) -> Type {
        self.types.first().copied().unwrap_or(Type::Dynamic)
    }

    fn state(&self) -> Option<Box<dyn State>> {
        match self.columnar {
            Columnar::Count
            | Columnar::Sum
            | Columnar::Average
            | Columnar::Least
            | Columnar::Greatest
            | Columnar::Spread { .. } => numbers::state(self.columnar, self.first(), &self.types),
            Columnar::Distinct => match distinct::Numbers::of(self.first()) {
                Some(numbers) => Some(Box::new(numbers)),
                None => Some(Box::new(lists::Different::count(self.first())?)),
            },
            Columnar::Set { limit } => {
                let limit = self.limit().unwrap_or(limit);
                Some(Box::new(lists::Different::set(self.first(), limit)?))
            }
            Columnar::List { nulls, limit } => {
                let limit = self.limit().unwrap_or(limit);
                Some(Box::new(lists::Lists::new(self.first(), nulls, limit)))
            }
            Columnar::Row(choice) => {
                // What says which rows count is no part of the row.
                let width = self.predicate.unwrap_or(self.types.len());
                Some(Box::new(picked::Picked::new(choice, &self.types[..width])?))
            }
            Columnar::Percentiles => ranks::state(self.first(), &self.constants, self.results),
        }
    }

    /// The limit that was written behind value and predicate.
    fn limit(&self) -> Option<usize> {
        let at = self.predicate.map_or(1, |at| at + 1);
        match self.constants.get(at)?.as_ref()? {
            Value::Int(n) => usize::try_from(*n).ok(),
            Value::Long(n) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    fn fresh(&self) -> Result<Groups> {
        let state = self.state().ok_or_else(|| {
            datafusion::common::internal_datafusion_err!("an aggregate lost its columns")
        })?;
        Ok(Groups {
            kernel: self.clone(),
            state,
            groups: 0,
        })
    }

    /// All groups at once.
    pub(super) fn groups(&self) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.fresh()?))
    }

    /// All rows as one group.
    pub(super) fn whole(&self) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Whole(self.fresh()?)))
    }

    /// The columns of what is kept.
    pub(super) fn kept(&self, name: &str) -> Result<Vec<FieldRef>> {
        let mut groups = self.fresh()?;
        groups.grow(1);
        let columns = groups.state.save(EmitTo::All)?;
        let fields = columns.iter().enumerate().map(|(i, c)| {
            let name = format!("{name}_state{i}");
            Arc::new(Field::new(name, c.data_type().clone(), true))
        });
        Ok(fields.collect())
    }
}

/// The type of an aggregate with a columnar form that gives several columns.
pub(super) fn packed(types: impl IntoIterator<Item = Type>) -> DataType {
    DataType::Struct(packed_fields(types.into_iter().map(arrays::arrow_type)))
}

fn packed_fields(types: impl Iterator<Item = DataType>) -> Fields {
    types
        .enumerate()
        .map(|(i, ty)| Field::new(format!("c{i}"), ty, true))
        .collect()
}

/// An aggregate over groups.
struct Groups {
    kernel: Kernel,
    state: Box<dyn State>,
    groups: usize,
}

impl Groups {
    fn grow(&mut self, groups: usize) {
        self.groups = groups;
        self.state.resize(groups);
    }

    /// The rows that count, by the filter of the plan and by the predicate.
    fn counted(
        &self,
        columns: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Option<BooleanArray>> {
        let plain = |mask: &BooleanArray| match mask.null_count() {
            0 => mask.clone(),
            _ => compute::prep_null_mask_filter(mask),
        };
        let predicate = self.kernel.predicate.and_then(|at| columns.get(at));
        let predicate = predicate.map(|column| plain(column.as_boolean()));
        Ok(match (filter.map(plain), predicate) {
            (Some(a), Some(b)) => Some(compute::and(&a, &b)?),
            (a, b) => a.or(b),
        })
    }

    fn answer(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let mut columns = self.state.finish(emit)?;
        if let EmitTo::First(n) = emit {
            self.groups = self.groups.saturating_sub(n);
        } else {
            self.groups = 0;
        }
        if self.kernel.results == Results::One {
            return Ok(columns.swap_remove(0));
        }
        let fields = packed_fields(columns.iter().map(|c| c.data_type().clone()));
        Ok(Arc::new(arrow::array::StructArray::try_new(
            fields, columns, None,
        )?))
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        let counted = self.counted(values, opt_filter)?;
        self.state.update(
            values,
            &Rows {
                groups: group_indices,
                counted: counted.as_ref(),
            },
        )
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.answer(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let columns = self.state.save(emit_to)?;
        self.groups = match emit_to {
            EmitTo::All => 0,
            EmitTo::First(n) => self.groups.saturating_sub(n),
        };
        Ok(columns)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        self.state.merge(
            values,
            &Rows {
                groups: group_indices,
                counted: None,
            },
        )
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |c| c.len());
        let own: Vec<usize> = (0..rows).collect();
        let mut each = self.kernel.fresh()?;
        each.update_batch(values, &own, opt_filter, rows)?;
        each.state.save(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.state.size()
    }
}

/// An aggregate over all rows.
struct Whole(Groups);

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Whole").field(&self.0.kernel).finish()
    }
}

impl Accumulator for Whole {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |c| c.len());
        self.0.update_batch(values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.grow(1);
        ScalarValue::try_from_array(&self.0.answer(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.grow(1);
        let columns = GroupsAccumulator::state(&mut self.0, EmitTo::All)?;
        columns
            .iter()
            .map(|column| ScalarValue::try_from_array(column, 0))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |c| c.len());
        GroupsAccumulator::merge_batch(&mut self.0, states, &vec![0; rows], 1)
    }
}

#[cfg(test)]
mod tests;
