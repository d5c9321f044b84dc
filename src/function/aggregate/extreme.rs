//! The least, the greatest, and any value; and the row it stands in.

use std::cmp::Ordering;

use super::super::value::{Json, Type, Value};
use super::accumulator::Accumulator;
use super::state::{bytes, compare, is_empty, pack, parts, unpack};

/// Which end of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The least.
    Least,
    /// The greatest.
    Greatest,
}

impl End {
    fn wanted(self) -> Ordering {
        match self {
            End::Least => Ordering::Less,
            End::Greatest => Ordering::Greater,
        }
    }
}

/// `min`, `max`
#[derive(Debug)]
pub(super) struct Extreme {
    end: End,
    ty: Type,
    best: Value,
}

impl Extreme {
    pub(super) fn new(end: End, ty: Type) -> Extreme {
        Extreme {
            end,
            ty,
            best: Value::Null,
        }
    }

    fn take(&mut self, value: &Value) {
        let better = match (&self.best, value) {
            (_, Value::Null) => false,
            (Value::Null, _) => true,
            // A NaN makes both ends NaN, as recorded of Kusto.
            (Value::Real(best), _) if best.is_nan() => false,
            (_, Value::Real(n)) if n.is_nan() => true,
            (best, value) => compare(value, best) == self.end.wanted(),
        };
        if better {
            self.best = value.clone();
        }
    }
}

impl Accumulator for Extreme {
    fn add(&mut self, row: &[Value]) {
        if let Some(value) = row.first() {
            self.take(value);
        }
    }

    fn finish(&mut self) -> Value {
        match (std::mem::take(&mut self.best), self.ty) {
            (Value::Null, Type::String) => Value::String("".into()),
            (best, _) => best,
        }
    }

    fn save(&self) -> Json {
        pack(&self.best)
    }

    fn merge(&mut self, state: &Json) {
        self.take(&unpack(state, self.ty));
    }

    fn size(&self) -> usize {
        size_of::<Self>() + bytes(&pack(&self.best))
    }
}

/// How `arg_max`, `arg_min` and `take_any` choose their row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The first row whose first value stands at this end; a null loses to everything.
    By(End),
    /// The first row. Of a single argument, the first that is not empty, as Kusto promises.
    First,
}

/// `arg_max`, `arg_min`, `take_any`: keeps a row of its arguments.
#[derive(Debug)]
pub(super) struct Row {
    choice: Choice,
    types: Vec<Type>,
    row: Option<Vec<Value>>,
}

impl Row {
    pub(super) fn new(choice: Choice, types: &[Type]) -> Row {
        Row {
            choice,
            types: types.to_vec(),
            row: None,
        }
    }

    fn is_better(&self, row: &[Value]) -> bool {
        let Some(kept) = &self.row else {
            return true;
        };
        let (Some(kept), Some(new)) = (kept.first(), row.first()) else {
            return false;
        };
        match self.choice {
            Choice::First => self.types.len() == 1 && is_empty(kept) && !is_empty(new),
            Choice::By(end) => match (kept, new) {
                (_, Value::Null) => false,
                (Value::Null, _) => true,
                (Value::Real(_), Value::Real(n)) if n.is_nan() => false,
                (Value::Real(kept), _) if kept.is_nan() => true,
                (kept, new) => compare(new, kept) == end.wanted(),
            },
        }
    }
}

impl Accumulator for Row {
    fn add(&mut self, row: &[Value]) {
        if self.is_better(row) {
            // `anyif(x, p)` keeps x only.
            let kept = &row[..row.len().min(self.types.len())];
            self.row = Some(kept.to_vec());
        }
    }

    fn finish(&mut self) -> Value {
        self.finish_all().into_iter().next().unwrap_or_default()
    }

    fn finish_all(&mut self) -> Vec<Value> {
        self.row.take().unwrap_or_else(|| {
            let empty = |ty: &Type| match ty {
                Type::String => Value::String("".into()),
                _ => Value::Null,
            };
            self.types.iter().map(empty).collect()
        })
    }

    fn save(&self) -> Json {
        match &self.row {
            Some(row) => Json::Array(row.iter().map(pack).collect()),
            None => Json::Null,
        }
    }

    fn merge(&mut self, state: &Json) {
        let parts = parts(state);
        if parts.len() != self.types.len() {
            return;
        }
        let row: Vec<Value> = parts
            .iter()
            .zip(&self.types)
            .map(|(part, ty)| unpack(part, *ty))
            .collect();
        self.add(&row);
    }

    fn size(&self) -> usize {
        let row = self.row.iter().flatten();
        size_of::<Self>()
            + self.types.len()
            + row
                .map(|value| size_of::<Value>() + bytes(&pack(value)))
                .sum::<usize>()
    }
}
