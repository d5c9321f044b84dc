//! Percentiles by nearest rank: the least value that at least so many percent of all are not above.
//!
//! Kusto estimates them from a digest, which on few values is exact and gives these; on many, these are the exact ones.

use std::sync::Arc;

use super::super::value::{Json, Type, Value};
use super::accumulator::Accumulator;
use super::state::{element, number, parts, whole};
use crate::function::sketches::{SLACK, rank, unrank};

/// `percentile` and its kin.
#[derive(Debug)]
pub(super) struct Percentiles {
    ty: Type,
    percentages: Vec<f64>,
    // Argument with the weight of a row.
    weight: Option<usize>,
    array: bool,
    // Values as whole numbers of the same order, each with its weight; without weights there are none.
    values: Vec<i64>,
    weights: Vec<i64>,
}

/// How the results are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// A column for each.
    Columns,
    /// One array.
    Array,
}

/// Percentages written as constants from that argument on, single or in an array.
pub fn percentages(constants: &[Option<Value>], from: usize) -> Result<Vec<f64>, String> {
    let mut found = Vec::new();
    for constant in constants.iter().skip(from) {
        match constant {
            Some(Value::Dynamic(json)) => {
                for part in parts(json) {
                    match part {
                        Json::Long(n) => found.push(*n as f64),
                        Json::Real(n) => found.push(*n),
                        _ => return Err("a percentage must be a number".into()),
                    }
                }
            }
            Some(value) => match number(value) {
                Some(percentage) => found.push(percentage),
                None => return Err("a percentage must be a number".into()),
            },
            None => return Err("a percentage must be a constant".into()),
        }
    }
    if found.iter().all(|p| (0.0..=100.0).contains(p)) {
        Ok(found)
    } else {
        Err("a percentage must be from 0 to 100".into())
    }
}

/// Type of a percentile of values of that type.
pub(super) fn result_type(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Int | Type::Long => Ok(Type::Long),
        Type::Real | Type::Decimal => Ok(Type::Real),
        Type::DateTime | Type::Timespan => Ok(ty),
        _ => Err(format!("there is no percentile of `{}`", ty.name())),
    }
}

/// The values of the nearest ranks; nulls of no value.
pub fn nearest(ranks: &mut [i64], percentages: &[f64], ty: Type) -> Vec<Value> {
    ranks.sort_unstable();
    let find = |percentage: &f64| {
        let wanted = percentage * ranks.len() as f64 / 100.0 - SLACK;
        let below = wanted.ceil().max(1.0) as usize - 1;
        let found = ranks.get(below).or(ranks.last());
        found.map_or(Value::Null, |rank| unrank(*rank, ty))
    };
    percentages.iter().map(find).collect()
}

impl Percentiles {
    pub(super) fn new(
        types: &[Type],
        constants: &[Option<Value>],
        from: usize,
        given: As,
    ) -> Percentiles {
        let ty = types.first().copied().unwrap_or(Type::Real);
        Percentiles {
            ty: result_type(ty).unwrap_or(Type::Real),
            // The types were checked, the percentages with them.
            percentages: percentages(constants, from).unwrap_or_default(),
            weight: (from == 2).then_some(1),
            array: given == As::Array,
            values: Vec::new(),
            weights: Vec::new(),
        }
    }

    fn results(&mut self) -> Vec<Value> {
        let values = std::mem::take(&mut self.values);
        let weights = std::mem::take(&mut self.weights);
        if weights.is_empty() {
            return nearest(&mut { values }, &self.percentages, self.ty);
        }
        let mut rows: Vec<(i64, i64)> = values.into_iter().zip(weights).collect();
        rows.sort_unstable();
        let total: i128 = rows.iter().map(|(_, weight)| i128::from(*weight)).sum();
        let find = |percentage: f64| {
            let wanted = percentage * total as f64 / 100.0 - SLACK;
            let mut below = 0_i128;
            let found = rows.iter().find(|(_, weight)| {
                below += i128::from(*weight);
                let reached = below as f64;
                reached >= wanted
            });
            found
                .or(rows.last())
                .map_or(Value::Null, |(rank, _)| unrank(*rank, self.ty))
        };
        self.percentages.iter().map(|p| find(*p)).collect()
    }
}

impl Accumulator for Percentiles {
    fn add(&mut self, row: &[Value]) {
        let Some(rank) = row.first().and_then(rank) else {
            return;
        };
        if let Some(index) = self.weight {
            match row.get(index).and_then(whole) {
                Some(weight) if weight > 0 => self.weights.push(weight),
                _ => return,
            }
        }
        self.values.push(rank);
    }

    fn finish(&mut self) -> Value {
        self.finish_all().into_iter().next().unwrap_or_default()
    }

    fn finish_all(&mut self) -> Vec<Value> {
        if self.array && self.values.is_empty() {
            return vec![Value::Null];
        }
        let results = self.results();
        if self.array {
            let items = results.iter().map(element).collect();
            return vec![Value::Dynamic(Arc::new(Json::Array(items)))];
        }
        results
    }

    fn save(&self) -> Json {
        let numbers = |all: &[i64]| Json::Array(all.iter().copied().map(Json::Long).collect());
        Json::Array(vec![numbers(&self.values), numbers(&self.weights)])
    }

    fn merge(&mut self, state: &Json) {
        let numbers = |index: usize| {
            let parts = parts(state).get(index).map_or(&[][..], parts);
            parts.iter().filter_map(|part| match part {
                Json::Long(n) => Some(*n),
                _ => None,
            })
        };
        self.values.extend(numbers(0));
        self.weights.extend(numbers(1));
    }

    fn size(&self) -> usize {
        size_of::<Self>() + (self.values.capacity() + self.weights.capacity()) * size_of::<i64>()
    }
}
