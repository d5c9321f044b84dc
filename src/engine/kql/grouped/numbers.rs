//! Counts, sums, averages, ends and deviations.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, Int64Array, PrimitiveArray,
    StringArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;

use super::state::{Rows, State, taken};
use crate::function::aggregate::Columnar;
use crate::function::value::Type;

/// What is kept for one of these aggregates; nothing where a type has no columnar form.
pub(super) fn state(columnar: Columnar, ty: Type, types: &[Type]) -> Option<Box<dyn State>> {
    let whole = matches!(ty, Type::Int | Type::Long | Type::Timespan | Type::DateTime);
    Some(match (columnar, ty) {
        (Columnar::Count, _) => Box::new(Counts::default()),
        (Columnar::Sum, Type::Real) => Box::new(Reals::new(false)),
        (Columnar::Average, Type::Real) => Box::new(Reals::new(true)),
        (Columnar::Sum, _) if whole => Box::new(Wholes::new(ty, None)),
        // The sum of times does not fit.
        (Columnar::Average, Type::DateTime) => return None,
        (Columnar::Average, _) if whole => Box::new(Wholes::new(ty, Some(ty))),
        (Columnar::Least | Columnar::Greatest, _) => {
            let wanted = match columnar {
                Columnar::Least => Ordering::Less,
                _ => Ordering::Greater,
            };
            match ty {
                Type::Int => Box::new(Ends::<Int32Type>::new(wanted)),
                Type::Real => Box::new(Ends::<Float64Type>::new(wanted)),
                Type::String => Box::new(EndsOfText::new(wanted)),
                _ if whole => Box::new(Ends::<Int64Type>::new(wanted)),
                _ => return None,
            }
        }
        (Columnar::Spread { of_two, .. }, _) => {
            let counted = types.iter().take(1 + usize::from(of_two));
            for ty in counted {
                if !matches!(
                    ty,
                    Type::Int | Type::Long | Type::Timespan | Type::DateTime | Type::Real
                ) {
                    return None;
                }
            }
            let Columnar::Spread {
                deviation, sample, ..
            } = columnar
            else {
                return None;
            };
            Box::new(Spreads {
                types: types.to_vec(),
                right: usize::from(of_two),
                deviation,
                sample,
                groups: Vec::new(),
            })
        }
        _ => return None,
    })
}

fn column<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values(values))
}

/// The whole numbers of a column.
pub(super) fn whole(column: &ArrayRef, ty: Type) -> impl Fn(usize) -> Option<i64> {
    let narrow = (ty == Type::Int).then(|| column.as_primitive::<Int32Type>());
    let wide = (ty != Type::Int).then(|| column.as_primitive::<Int64Type>());
    move |row| match (narrow, wide) {
        (Some(c), _) if c.is_valid(row) => Some(i64::from(c.value(row))),
        (_, Some(c)) if c.is_valid(row) => Some(c.value(row)),
        _ => None,
    }
}

/// `count`, `countif`
#[derive(Default)]
struct Counts {
    rows: Vec<i64>,
}

impl State for Counts {
    fn resize(&mut self, groups: usize) {
        self.rows.resize(groups, 0);
    }

    fn update(&mut self, _: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        rows.each().for_each(|(_, group)| self.rows[group] += 1);
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let kept = columns[0].as_primitive::<Int64Type>();
        rows.each()
            .for_each(|(row, group)| self.rows[group] += kept.value(row));
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.finish(emit)
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![column::<Int64Type>(taken(&mut self.rows, emit))])
    }

    fn size(&self) -> usize {
        self.rows.capacity() * size_of::<i64>()
    }
}

/// Sums and averages of whole numbers and ticks. Kusto's sums of `long` wrap around, and its averages divide what came of that.
struct Wholes {
    ty: Type,
    /// Of averages: of which type.
    average: Option<Type>,
    sums: Vec<i64>,
    values: Vec<i64>,
}

impl Wholes {
    fn new(ty: Type, average: Option<Type>) -> Wholes {
        Wholes {
            ty,
            average,
            sums: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl State for Wholes {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.values.resize(groups, 0);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let value = whole(&columns[0], self.ty);
        for (row, group) in rows.each() {
            if let Some(n) = value(row) {
                self.sums[group] = self.sums[group].wrapping_add(n);
                self.values[group] += 1;
            }
        }
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let (sums, values) = (columns[0].as_primitive::<Int64Type>(), &columns[1]);
        let values = values.as_primitive::<Int64Type>();
        for (row, group) in rows.each() {
            self.sums[group] = self.sums[group].wrapping_add(sums.value(row));
            self.values[group] += values.value(row);
        }
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            column::<Int64Type>(taken(&mut self.sums, emit)),
            column::<Int64Type>(taken(&mut self.values, emit)),
        ])
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = taken(&mut self.sums, emit);
        let values = taken(&mut self.values, emit);
        let both = sums.iter().zip(&values);
        Ok(vec![match self.average {
            None => column::<Int64Type>(sums),
            Some(Type::Timespan) => {
                let means = both.map(|(sum, n)| sum.checked_div(*n));
                Arc::new(means.collect::<Int64Array>())
            }
            // In double, as Kusto does: its recorded averages of `long` show it.
            Some(_) => column::<Float64Type>(both.map(|(s, n)| *s as f64 / *n as f64).collect()),
        }])
    }

    fn size(&self) -> usize {
        (self.sums.capacity() + self.values.capacity()) * size_of::<i64>()
    }
}

/// Sums and averages of reals.
struct Reals {
    average: bool,
    sums: Vec<f64>,
    values: Vec<i64>,
}

impl Reals {
    fn new(average: bool) -> Reals {
        Reals {
            average,
            sums: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl State for Reals {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0.0);
        self.values.resize(groups, 0);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let values = columns[0].as_primitive::<Float64Type>();
        for (row, group) in rows.each() {
            if values.is_valid(row) {
                self.sums[group] += values.value(row);
                self.values[group] += 1;
            }
        }
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let (sums, values) = (columns[0].as_primitive::<Float64Type>(), &columns[1]);
        let values = values.as_primitive::<Int64Type>();
        for (row, group) in rows.each() {
            self.sums[group] += sums.value(row);
            self.values[group] += values.value(row);
        }
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            column::<Float64Type>(taken(&mut self.sums, emit)),
            column::<Int64Type>(taken(&mut self.values, emit)),
        ])
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut sums = taken(&mut self.sums, emit);
        let values = taken(&mut self.values, emit);
        if self.average {
            let both = sums.iter_mut().zip(values);
            both.for_each(|(sum, n)| *sum /= n as f64);
        }
        Ok(vec![column::<Float64Type>(sums)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<f64>() + self.values.capacity() * size_of::<i64>()
    }
}

/// `min`, `max` of numbers and times.
struct Ends<T: ArrowPrimitiveType> {
    wanted: Ordering,
    best: Vec<Option<T::Native>>,
}

impl<T: ArrowPrimitiveType> Ends<T> {
    fn new(wanted: Ordering) -> Ends<T> {
        Ends {
            wanted,
            best: Vec::new(),
        }
    }
}

impl<T: ArrowPrimitiveType> State for Ends<T>
where
    T::Native: PartialOrd,
{
    fn resize(&mut self, groups: usize) {
        self.best.resize(groups, None);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let values = columns[0].as_primitive::<T>();
        for (row, group) in rows.each() {
            if values.is_null(row) {
                continue;
            }
            let (value, best) = (values.value(row), &mut self.best[group]);
            let better = match *best {
                None => true,
                // A NaN, which has no order, makes both ends NaN, as recorded of Kusto.
                Some(best) => match value.partial_cmp(&best) {
                    Some(order) => order == self.wanted,
                    None => best.partial_cmp(&best).is_some(),
                },
            };
            if better {
                *best = Some(value);
            }
        }
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        self.update(columns, rows)
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.finish(emit)
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let best = taken(&mut self.best, emit).into_iter();
        Ok(vec![Arc::new(PrimitiveArray::<T>::from_iter(best))])
    }

    fn size(&self) -> usize {
        self.best.capacity() * size_of::<Option<T::Native>>()
    }
}

/// `min`, `max` of texts.
struct EndsOfText {
    wanted: Ordering,
    best: Vec<Option<Box<str>>>,
    held: usize,
}

impl EndsOfText {
    fn new(wanted: Ordering) -> EndsOfText {
        EndsOfText {
            wanted,
            best: Vec::new(),
            held: 0,
        }
    }

    fn take(&mut self, text: &str, group: usize) {
        let best = &mut self.best[group];
        let better = match best {
            None => true,
            Some(best) => text.cmp(best) == self.wanted,
        };
        if better {
            self.held += text.len();
            self.held -= best.as_ref().map_or(0, |b| b.len());
            *best = Some(text.into());
        }
    }

    fn emit(&mut self, emit: EmitTo) -> Vec<Option<Box<str>>> {
        let out = taken(&mut self.best, emit);
        self.held -= out.iter().flatten().map(|b| b.len()).sum::<usize>();
        out
    }
}

impl State for EndsOfText {
    fn resize(&mut self, groups: usize) {
        self.best.resize(groups, None);
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let values = columns[0].as_string::<i32>();
        for (row, group) in rows.each() {
            // A string is never null.
            let text = match values.is_null(row) {
                true => "",
                false => values.value(row),
            };
            self.take(text, group);
        }
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let values = columns[0].as_string::<i32>();
        for (row, group) in rows.each().filter(|(row, _)| values.is_valid(*row)) {
            self.take(values.value(row), group);
        }
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let best = self.emit(emit);
        Ok(vec![Arc::new(StringArray::from_iter(best))])
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let best = self.emit(emit);
        let texts = best.iter().map(|b| b.as_deref().unwrap_or_default());
        Ok(vec![Arc::new(StringArray::from_iter_values(texts))])
    }

    fn size(&self) -> usize {
        self.best.capacity() * size_of::<Option<Box<str>>>() + self.held
    }
}

/// Number of values, their means, and the sum of the products of their distances from them: Welford's update, and for joins that of Chan,
/// Golub and LeVeque.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    values: f64,
    left: f64,
    right: f64,
    products: f64,
}

impl Spread {
    fn add(&mut self, left: f64, right: f64) {
        self.values += 1.0;
        let distance = left - self.left;
        self.left += distance / self.values;
        self.right += (right - self.right) / self.values;
        self.products += distance * (right - self.right);
    }

    fn join(&mut self, other: Spread) {
        if other.values == 0.0 {
            return;
        }
        let all = self.values + other.values;
        let (to_left, to_right) = (other.left - self.left, other.right - self.right);
        self.products += other.products + to_left * to_right * self.values * other.values / all;
        self.left += to_left * other.values / all;
        self.right += to_right * other.values / all;
        self.values = all;
    }
}

/// Variances, deviations, covariances.
struct Spreads {
    types: Vec<Type>,
    /// The argument at the right of each product: the first one again, or the second.
    right: usize,
    deviation: bool,
    sample: bool,
    groups: Vec<Spread>,
}

/// The numbers of a column.
fn real(column: &ArrayRef, ty: Type) -> Box<dyn Fn(usize) -> Option<f64> + '_> {
    if ty == Type::Real {
        let reals = column.as_primitive::<Float64Type>();
        return Box::new(|row| reals.is_valid(row).then(|| reals.value(row)));
    }
    let value = whole(column, ty);
    Box::new(move |row| value(row).map(|n| n as f64))
}

impl State for Spreads {
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups, Spread::default());
    }

    fn update(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let left = real(&columns[0], self.types[0]);
        let right = real(&columns[self.right], self.types[self.right]);
        for (row, group) in rows.each() {
            if let (Some(left), Some(right)) = (left(row), right(row)) {
                self.groups[group].add(left, right);
            }
        }
        Ok(())
    }

    fn merge(&mut self, columns: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let columns: Vec<&Float64Array> = columns.iter().map(|c| c.as_primitive()).collect();
        for (row, group) in rows.each() {
            self.groups[group].join(Spread {
                values: columns[0].value(row),
                left: columns[1].value(row),
                right: columns[2].value(row),
                products: columns[3].value(row),
            });
        }
        Ok(())
    }

    fn save(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = taken(&mut self.groups, emit);
        let of =
            |part: fn(&Spread) -> f64| column::<Float64Type>(groups.iter().map(part).collect());
        Ok(vec![
            of(|s| s.values),
            of(|s| s.left),
            of(|s| s.right),
            of(|s| s.products),
        ])
    }

    fn finish(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let answer = |spread: Spread| {
            if spread.values == 0.0 {
                return 0.0;
            }
            let divisor = match self.sample {
                false => spread.values,
                true => (spread.values - 1.0).max(1.0),
            };
            let variance = spread.products / divisor;
            match self.deviation {
                true => variance.sqrt(),
                false => variance,
            }
        };
        let groups = taken(&mut self.groups, emit);
        let answers = groups.into_iter().map(answer).collect();
        Ok(vec![column::<Float64Type>(answers)])
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Spread>()
    }
}
