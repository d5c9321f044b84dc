//! Scalar bodies lifted to whole columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::arrays::{ColumnBuilder, Reader};
use super::{arrays, row};
use crate::function::operate::{self, Joined, Matcher};
use crate::function::value::{Cell, Json, Type, Value};
use crate::function::{self, Function};
use crate::kql::ast::{ArithmeticOp, CompareOp, MatchOp};

/// What is done with whole columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lift {
    /// A function of the table that has a body for columns.
    Call(&'static Function),
    /// `a == b`, `a < b`
    Compare(CompareOp),
    /// `a has b`, both of the row
    Match(MatchOp),
    /// `a between (b .. c)`, negated where true
    Between(bool),
    /// `-a`
    Negate,
    /// A value made to be of the type.
    Fit,
    /// An element of `mv-expand` where it is of the type.
    Cast,
    /// `a op b`
    Arithmetic(ArithmeticOp),
    /// `bin(a, b)`
    Bin,
}

/// A function of columns of these types.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Lifted {
    body: Lift,
    name: String,
    types: Vec<Type>,
    ty: Type,
    signature: Signature,
}

/// Whether there is such a body for columns of these types.
pub(super) fn fits(body: Lift, types: &[Type]) -> bool {
    let whole = |ty: Type| matches!(ty, Type::Int | Type::Long);
    // These are compared as they are; texts are read or folded before.
    let plain = |ty: &Type| !matches!(ty, Type::String | Type::Dynamic);
    match (body, types) {
        (Lift::Call(function), _) => function.body.is_some(),
        (Lift::Compare(_) | Lift::Between(_), types) => types.iter().all(plain),
        (Lift::Arithmetic(op), [a, b]) => operate::joined(op, *a, *b).is_some(),
        (Lift::Bin, [Type::DateTime | Type::Timespan, Type::Timespan]) => true,
        (Lift::Bin, [a, b]) => whole(*a) && whole(*b),
        (Lift::Negate, [a]) => plain(a),
        (Lift::Match(_) | Lift::Fit | Lift::Cast, _) => true,
        _ => false,
    }
}

/// The call of a function over whole columns; nothing where these types have no such body.
pub(super) fn call(body: Lift, columns: Vec<Expr>, types: Vec<Type>, ty: Type) -> Option<Expr> {
    fits(body, &types).then(|| made(body, columns, types, ty))
}

/// A column made to be of a type: [`Lift::Fit`] or [`Lift::Cast`].
pub(super) fn of_one(body: Lift, column: Expr, from: Type, to: Type) -> Expr {
    made(body, vec![column], vec![from], to)
}

fn made(body: Lift, columns: Vec<Expr>, types: Vec<Type>, ty: Type) -> Expr {
    let signature = row::signature(columns.len());
    let name = row::own_name(match body {
        Lift::Call(function) => function.name,
        Lift::Compare(op) => compare_name(op),
        Lift::Match(_) => "match",
        Lift::Between(false) => "between",
        Lift::Between(true) => "not_between",
        Lift::Negate => "negate",
        Lift::Fit | Lift::Cast => "convert",
        Lift::Arithmetic(ArithmeticOp::Add) => "add",
        Lift::Arithmetic(ArithmeticOp::Subtract) => "subtract",
        Lift::Arithmetic(ArithmeticOp::Multiply) => "multiply",
        Lift::Arithmetic(ArithmeticOp::Divide) => "divide",
        Lift::Arithmetic(ArithmeticOp::Modulo) => "modulo",
        Lift::Bin => "bin",
    });
    ScalarUDF::from(Lifted {
        body,
        name,
        types,
        ty,
        signature,
    })
    .call(columns)
}

impl ScalarUDFImpl for Lifted {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(arrays::arrow_type(self.ty))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = match self.body {
            Lift::Arithmetic(op) => match operate::joined(op, self.types[0], self.types[1]) {
                Some(joined) => {
                    let columns = spread(args)?;
                    arithmetic(joined, &columns[0], &columns[1])?
                }
                None => return internal_err!("no arithmetic of these types"),
            },
            Lift::Bin => {
                let columns = spread(args)?;
                let (a, b) = (whole(&columns[0])?, whole(&columns[1])?);
                pairs::<Int64Type, Int64Type, Int64Type>(a.as_primitive(), b.as_primitive(), bin)
            }
            _ => self.by_cell(args)?,
        };
        Ok(ColumnarValue::Array(array))
    }
}

impl Lifted {
    fn by_cell(&self, args: ScalarFunctionArgs) -> Result<ArrayRef> {
        let rows = args.number_rows;
        // A constant is not spread over all rows.
        let mut columns: Vec<(ArrayRef, bool)> = Vec::with_capacity(args.args.len());
        for argument in args.args {
            columns.push(match argument {
                ColumnarValue::Array(array) => (array, false),
                ColumnarValue::Scalar(scalar) => (scalar.to_array_of_size(1)?, true),
            });
        }
        let columns = columns.iter().zip(&self.types);
        let readers: Vec<Reader> = columns
            .map(|((column, one), ty)| match one {
                true => Reader::constant(column, *ty),
                false => Reader::new(column, *ty),
            })
            .collect();
        let all = Rows {
            readers: &readers,
            ty: self.ty,
            rows,
        };
        Ok(match self.body {
            Lift::Call(function) => match function.body {
                Some(body) => all.lift(body.of),
                None => return internal_err!("{} has no body for columns", function.name),
            },
            Lift::Compare(op) => {
                all.lift(|a, _| scalar(&operate::compare(op, &a[0].value(), &a[1].value())))
            }
            Lift::Match(op) => all.lift(|a, _| Cell::Bool(Matcher::apply_each(op, a[0], a[1]))),
            Lift::Between(negated) => all.lift(|a, _| {
                let [value, low, high] = [0, 1, 2].map(|at| a[at].value());
                scalar(&operate::between(negated, &value, &low, &high))
            }),
            Lift::Negate => all.lift(|a, _| scalar(&operate::negate(&a[0].value()))),
            Lift::Fit => {
                let ty = self.ty;
                all.lift(|a, room| a[0].fit(ty, room))
            }
            Lift::Cast => {
                let ty = self.ty;
                all.lift(|a, room| a[0].cast(ty, room))
            }
            Lift::Arithmetic(_) | Lift::Bin => {
                return internal_err!("{} takes whole columns", self.name);
            }
        })
    }
}

/// The rows of some columns, of which a column of this type is made.
struct Rows<'r, 'c> {
    readers: &'r [Reader<'c>],
    ty: Type,
    rows: usize,
}

impl Rows<'_, '_> {
    /// A body over scalars as one over columns.
    fn lift<F>(&self, body: F) -> ArrayRef
    where
        F: for<'a> Fn(&[Cell<'a>], &'a mut String) -> Cell<'a>,
    {
        let mut out = ColumnBuilder::new(self.ty, self.rows);
        let mut room = String::new();
        let mut trees = vec![Json::Null; self.readers.len()];
        for row in 0..self.rows {
            room.clear();
            let given = match (self.readers, trees.as_mut_slice()) {
                ([a], [x]) => body(&[a.cell(row, x)], &mut room),
                ([a, b], [x, y]) => body(&[a.cell(row, x), b.cell(row, y)], &mut room),
                ([a, b, c], [x, y, z]) => {
                    body(&[a.cell(row, x), b.cell(row, y), c.cell(row, z)], &mut room)
                }
                (readers, trees) => {
                    let cells = readers.iter().zip(trees);
                    let cells: Vec<Cell> = cells.map(|(cell, x)| cell.cell(row, x)).collect();
                    body(&cells, &mut room)
                }
            };
            match given.ty() {
                Some(own) if own != self.ty => out.push(given.value().fit(self.ty).cell()),
                _ => out.push(given),
            }
        }
        out.finish()
    }
}

/// A value without text or JSON as a cell.
fn scalar(value: &Value) -> Cell<'static> {
    match value {
        Value::Bool(value) => Cell::Bool(*value),
        Value::Int(value) => Cell::Int(*value),
        Value::Long(value) => Cell::Long(*value),
        Value::Real(value) => Cell::Real(*value),
        Value::Decimal(value) => Cell::Decimal(*value),
        Value::DateTime(ticks) => Cell::DateTime(*ticks),
        Value::Timespan(ticks) => Cell::Timespan(*ticks),
        Value::Guid(guid) => Cell::Guid(*guid),
        Value::Null | Value::String(_) | Value::Dynamic(_) => Cell::Null,
    }
}

/// What a comparison is called where a plan is read.
pub(super) fn compare_name(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Equal => "equal",
        CompareOp::NotEqual => "not_equal",
        CompareOp::Less => "less",
        CompareOp::LessEqual => "less_or_equal",
        CompareOp::Greater => "greater",
        CompareOp::GreaterEqual => "greater_or_equal",
    }
}

/// All columns with all their rows.
fn spread(args: ScalarFunctionArgs) -> Result<Vec<ArrayRef>> {
    let rows = args.number_rows;
    let arguments = args.args.into_iter();
    arguments.map(|a| a.into_array(rows)).collect()
}

fn bin(value: i64, size: i64) -> Option<i64> {
    function::floor(value, size, 0)
}

/// Whole numbers and ticks as one type.
fn whole(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(arrow::compute::cast(column, &DataType::Int64)?)
}

fn real(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(arrow::compute::cast(column, &DataType::Float64)?)
}

fn arithmetic(joined: Joined, a: &ArrayRef, b: &ArrayRef) -> Result<ArrayRef> {
    Ok(match joined {
        Joined::Whole(f) => {
            let (a, b) = (whole(a)?, whole(b)?);
            pairs::<Int64Type, Int64Type, Int64Type>(a.as_primitive(), b.as_primitive(), f)
        }
        Joined::Real(f) => {
            let (a, b) = (real(a)?, real(b)?);
            let f = |a, b| Some(f(a, b));
            pairs::<Float64Type, Float64Type, Float64Type>(a.as_primitive(), b.as_primitive(), f)
        }
        Joined::Ratio(f) => {
            let (a, b) = (whole(a)?, whole(b)?);
            let f = |a, b| Some(f(a, b));
            pairs::<Int64Type, Int64Type, Float64Type>(a.as_primitive(), b.as_primitive(), f)
        }
        Joined::Scaled(f) => {
            let (a, b) = (whole(a)?, real(b)?);
            pairs::<Int64Type, Float64Type, Int64Type>(a.as_primitive(), b.as_primitive(), f)
        }
        Joined::ScaledBy(f) => {
            let (a, b) = (real(a)?, whole(b)?);
            let f = |a, b| f(b, a);
            pairs::<Float64Type, Int64Type, Int64Type>(a.as_primitive(), b.as_primitive(), f)
        }
    })
}

/// A value of each pair; null where one of them is.
fn pairs<A, B, O>(
    a: &PrimitiveArray<A>,
    b: &PrimitiveArray<B>,
    f: impl Fn(A::Native, B::Native) -> Option<O::Native>,
) -> ArrayRef
where
    A: ArrowPrimitiveType,
    B: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let both = a.iter().zip(b.iter());
    let values = both.map(|(a, b)| f(a?, b?));
    Arc::new(values.collect::<PrimitiveArray<O>>())
}

#[cfg(test)]
mod tests;
