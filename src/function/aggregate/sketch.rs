//! `hll` and `tdigest`: summaries that are joined and asked later.

use super::super::value::{Json, Type, Value};
use super::accumulator::Accumulator;
use super::state::{key, limit, whole};
use crate::function::sketches::{Digest, Distinct};

/// What a summary is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Values.
    Values,
    /// Summaries.
    Summaries,
}

/// `hll`, `hll_if`, `hll_merge`
#[derive(Debug)]
pub(super) struct Hll {
    from: From,
    distinct: Distinct,
}

impl Hll {
    /// The accuracy stands at that argument, and is 1 where there is none.
    pub(super) fn of_values(constants: &[Option<Value>], accuracy: usize) -> Hll {
        let accuracy = limit(constants, accuracy).and_then(|n| i64::try_from(n).ok());
        Hll {
            from: From::Values,
            distinct: Distinct::new(accuracy.unwrap_or(1)),
        }
    }

    pub(super) fn of_summaries() -> Hll {
        Hll {
            from: From::Summaries,
            distinct: Distinct::new(i64::MAX),
        }
    }
}

impl Accumulator for Hll {
    fn add(&mut self, row: &[Value]) {
        match (self.from, row.first()) {
            (_, None | Some(Value::Null)) => {}
            (From::Values, Some(value)) => self.distinct.add(&key(value)),
            (From::Summaries, Some(Value::Dynamic(json))) => self.merge(json),
            (From::Summaries, Some(_)) => {}
        }
    }

    fn finish(&mut self) -> Value {
        Value::dynamic(self.save())
    }

    fn save(&self) -> Json {
        self.distinct.json()
    }

    fn merge(&mut self, state: &Json) {
        if let Some(other) = Distinct::from_json(state) {
            self.distinct.merge(&other);
        }
    }

    fn size(&self) -> usize {
        self.distinct.size()
    }
}

/// `tdigest`, `tdigest_merge`
#[derive(Debug)]
pub(super) struct Tdigest {
    from: From,
    digest: Digest,
}

impl Tdigest {
    pub(super) fn new(from: From, ty: Type) -> Tdigest {
        Tdigest {
            from,
            digest: Digest::new(ty),
        }
    }
}

impl Accumulator for Tdigest {
    fn add(&mut self, row: &[Value]) {
        match (self.from, row) {
            (From::Summaries, [Value::Dynamic(json), ..]) => self.merge(json),
            (From::Values, [value]) => self.digest.add(value, 1),
            (From::Values, [value, weight, ..]) => {
                self.digest.add(value, whole(weight).unwrap_or(0));
            }
            _ => {}
        }
    }

    fn finish(&mut self) -> Value {
        Value::dynamic(self.save())
    }

    fn save(&self) -> Json {
        self.digest.clone().json()
    }

    fn merge(&mut self, state: &Json) {
        if let Some(other) = Digest::from_json(state) {
            self.digest.merge(&other);
        }
    }

    fn size(&self) -> usize {
        self.digest.size()
    }
}
