//! Counts, sums, averages, variances, and bits of numbers.

use super::super::value::{Decimal, Json, Type, Value, read_decimal};
use super::accumulator::Accumulator;
use super::state::{long_at, number, parts, real_at, whole};

/// `count`, `countif`
#[derive(Debug, Default)]
pub(super) struct Count {
    rows: i64,
}

impl Accumulator for Count {
    fn add(&mut self, _: &[Value]) {
        self.rows += 1;
    }

    fn finish(&mut self) -> Value {
        Value::Long(self.rows)
    }

    fn save(&self) -> Json {
        Json::Long(self.rows)
    }

    fn merge(&mut self, state: &Json) {
        if let Json::Long(rows) = state {
            self.rows += rows;
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// What a [`Sum`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The sum, 0 of nothing.
    Sum,
    /// The mean.
    Average,
}

/// `sum`, `avg`
#[derive(Debug)]
pub(super) struct Sum {
    of: Of,
    ty: Type,
    // Whole numbers and ticks. Kusto's sums of `long` wrap around, and its averages divide what came of that.
    whole: i64,
    real: f64,
    // Nothing of decimals whose sum is none.
    decimal: Option<Decimal>,
    values: i64,
}

impl Sum {
    pub(super) fn new(of: Of, ty: Type) -> Sum {
        Sum {
            of,
            ty,
            whole: 0,
            real: 0.0,
            decimal: Some(Decimal::default()),
            values: 0,
        }
    }

    fn add_decimal(&mut self, value: Option<Decimal>) {
        let both = self.decimal.zip(value);
        self.decimal = both.and_then(|(sum, value)| sum.plus(value));
    }
}

impl Accumulator for Sum {
    fn add(&mut self, row: &[Value]) {
        match row.first() {
            Some(Value::Real(n)) => self.real += n,
            Some(Value::Decimal(n)) => self.add_decimal(Some(*n)),
            Some(other) => match whole(other) {
                Some(n) => self.whole = self.whole.wrapping_add(n),
                None => return,
            },
            None => return,
        }
        self.values += 1;
    }

    fn finish(&mut self) -> Value {
        if self.of == Of::Sum {
            return match self.ty {
                Type::Real => Value::Real(self.real),
                Type::Decimal => self.decimal.map_or(Value::Null, Value::Decimal),
                Type::Timespan => Value::Timespan(self.whole),
                Type::DateTime => Value::DateTime(self.whole),
                _ => Value::Long(self.whole),
            };
        }
        // In double, as Kusto does: its recorded averages of `long` show it.
        let (whole, values) = (self.whole as f64, self.values as f64);
        match self.ty {
            Type::Real => Value::Real(self.real / values),
            Type::Int | Type::Long => Value::Real(whole / values),
            _ if self.values == 0 => Value::Null,
            Type::Decimal => {
                let values = Decimal::from(self.values);
                let mean = self.decimal.and_then(|sum| sum.over(values));
                mean.map_or(Value::Null, Value::Decimal)
            }
            Type::Timespan => Value::Timespan(self.whole / self.values),
            Type::DateTime => Value::DateTime(self.whole / self.values),
            _ => Value::Null,
        }
    }

    fn save(&self) -> Json {
        Json::Array(vec![
            Json::Long(self.whole),
            Json::Real(self.real),
            Json::Long(self.values),
            match self.ty {
                Type::Decimal => self
                    .decimal
                    .map_or(Json::Null, |sum| Json::String(sum.to_string().into())),
                _ => Json::Null,
            },
        ])
    }

    fn merge(&mut self, state: &Json) {
        let parts = parts(state);
        if let (Some(whole), Some(real), Some(values)) =
            (long_at(parts, 0), real_at(parts, 1), long_at(parts, 2))
        {
            self.whole = self.whole.wrapping_add(whole);
            self.real += real;
            self.values += values;
            if self.ty == Type::Decimal {
                self.add_decimal(match parts.get(3) {
                    Some(Json::String(sum)) => read_decimal(sum),
                    _ => None,
                });
            }
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// The average of datetimes: their sum does not fit into 64 bits.
#[derive(Debug, Default)]
pub(super) struct MeanTime {
    ticks: i128,
    values: i64,
}

impl Accumulator for MeanTime {
    fn add(&mut self, row: &[Value]) {
        if let Some(Value::DateTime(ticks)) = row.first() {
            self.ticks += i128::from(*ticks);
            self.values += 1;
        }
    }

    fn finish(&mut self) -> Value {
        self.ticks
            .checked_div(i128::from(self.values))
            .and_then(|ticks| i64::try_from(ticks).ok())
            .map_or(Value::Null, Value::DateTime)
    }

    fn save(&self) -> Json {
        Json::Array(vec![
            Json::Guid(self.ticks.cast_unsigned()),
            Json::Long(self.values),
        ])
    }

    fn merge(&mut self, state: &Json) {
        let parts = parts(state);
        if let (Some(Json::Guid(ticks)), Some(values)) = (parts.first(), long_at(parts, 1)) {
            self.ticks += ticks.cast_signed();
            self.values += values;
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// What a [`Spread`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Mean of the squares (or products) of distances from the mean.
    Variance,
    /// Its square root.
    Deviation,
}

/// What a [`Spread`] takes its rows for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// A sample: divides by one less than there are.
    Sample,
    /// Everything there is.
    Population,
}

/// Variance and standard deviation of one argument, covariance of two; in one pass, by the update of Welford and, for joins,
/// that of Chan, Golub and LeVeque.
#[derive(Debug)]
pub(super) struct Spread {
    measure: Measure,
    rows: Rows,
    // Argument that stands at the right of each product: the first one again, or the second.
    right: usize,
    values: f64,
    mean_left: f64,
    mean_right: f64,
    products: f64,
}

impl Spread {
    pub(super) fn of_one(measure: Measure, rows: Rows) -> Spread {
        Spread {
            measure,
            rows,
            right: 0,
            values: 0.0,
            mean_left: 0.0,
            mean_right: 0.0,
            products: 0.0,
        }
    }

    pub(super) fn of_two(rows: Rows) -> Spread {
        Spread {
            right: 1,
            ..Spread::of_one(Measure::Variance, rows)
        }
    }
}

impl Accumulator for Spread {
    fn add(&mut self, row: &[Value]) {
        let (Some(left), Some(right)) = (
            row.first().and_then(number),
            row.get(self.right).and_then(number),
        ) else {
            return;
        };
        self.values += 1.0;
        let distance = left - self.mean_left;
        self.mean_left += distance / self.values;
        self.mean_right += (right - self.mean_right) / self.values;
        self.products += distance * (right - self.mean_right);
    }

    fn finish(&mut self) -> Value {
        if self.values == 0.0 {
            return Value::Real(0.0);
        }
        let divisor = match self.rows {
            Rows::Population => self.values,
            Rows::Sample => (self.values - 1.0).max(1.0),
        };
        let variance = self.products / divisor;
        Value::Real(match self.measure {
            Measure::Variance => variance,
            Measure::Deviation => variance.sqrt(),
        })
    }

    fn save(&self) -> Json {
        let numbers = [self.values, self.mean_left, self.mean_right, self.products];
        Json::Array(numbers.map(Json::Real).to_vec())
    }

    fn merge(&mut self, state: &Json) {
        let parts = parts(state);
        let (Some(values), Some(left), Some(right), Some(products)) = (
            real_at(parts, 0),
            real_at(parts, 1),
            real_at(parts, 2),
            real_at(parts, 3),
        ) else {
            return;
        };
        if values == 0.0 {
            return;
        }
        let all = self.values + values;
        let (to_left, to_right) = (left - self.mean_left, right - self.mean_right);
        self.products += products + to_left * to_right * self.values * values / all;
        self.mean_left += to_left * values / all;
        self.mean_right += to_right * values / all;
        self.values = all;
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// How a [`Bits`] joins numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Bits that all have.
    And,
    /// Bits that any has.
    Or,
    /// Bits that an odd number of them has.
    Xor,
}

/// `binary_all_and`, `binary_all_or`, `binary_all_xor`
#[derive(Debug)]
pub(super) struct Bits {
    gate: Gate,
    bits: Option<i64>,
}

impl Bits {
    pub(super) fn new(gate: Gate) -> Bits {
        Bits { gate, bits: None }
    }

    fn join(&mut self, bits: i64) {
        self.bits = Some(match (self.bits, self.gate) {
            (None, _) => bits,
            (Some(seen), Gate::And) => seen & bits,
            (Some(seen), Gate::Or) => seen | bits,
            (Some(seen), Gate::Xor) => seen ^ bits,
        });
    }
}

impl Accumulator for Bits {
    fn add(&mut self, row: &[Value]) {
        if let Some(bits) = row.first().and_then(whole) {
            self.join(bits);
        }
    }

    fn finish(&mut self) -> Value {
        self.bits.map_or(Value::Null, Value::Long)
    }

    fn save(&self) -> Json {
        self.bits.map_or(Json::Null, Json::Long)
    }

    fn merge(&mut self, state: &Json) {
        if let Json::Long(bits) = state {
            self.join(*bits);
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}
