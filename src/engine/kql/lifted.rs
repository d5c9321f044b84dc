//! Scalar bodies lifted to whole columns: arithmetic, `bin`, texts by patterns that do not change.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringBuilder};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::{arrays, row};
use crate::kql::ast::ArithmeticOp;
use crate::kql::function;
use crate::kql::operate::{self, Joined};
use crate::kql::value::Type;

/// What is done with whole columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Body {
    /// `a op b`
    Arithmetic(ArithmeticOp),
    /// `bin(a, b)`
    Bin,
    /// `extract(a, b, c)`
    Extract,
}

/// A function of columns of these types.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Lifted {
    body: Body,
    types: Vec<Type>,
    ty: Type,
    signature: Signature,
}

/// The call of a function over whole columns; nothing where these types have no such body.
pub(super) fn call(body: Body, columns: Vec<Expr>, types: Vec<Type>, ty: Type) -> Option<Expr> {
    let whole = |ty: &Type| matches!(ty, Type::Int | Type::Long);
    let fits = match (body, types.as_slice()) {
        (Body::Arithmetic(op), [a, b]) => operate::joined(op, *a, *b).is_some(),
        (Body::Bin, [Type::DateTime | Type::Timespan, Type::Timespan]) => true,
        (Body::Bin, [a, b]) => whole(a) && whole(b),
        (Body::Extract, [Type::String, Type::Int | Type::Long, Type::String]) => ty == Type::String,
        _ => false,
    };
    fits.then(|| {
        let signature = row::signature(columns.len());
        ScalarUDF::from(Lifted {
            body,
            types,
            ty,
            signature,
        })
        .call(columns)
    })
}

impl ScalarUDFImpl for Lifted {
    fn name(&self) -> &str {
        match self.body {
            Body::Arithmetic(ArithmeticOp::Add) => "kql_add",
            Body::Arithmetic(ArithmeticOp::Subtract) => "kql_subtract",
            Body::Arithmetic(ArithmeticOp::Multiply) => "kql_multiply",
            Body::Arithmetic(ArithmeticOp::Divide) => "kql_divide",
            Body::Arithmetic(ArithmeticOp::Modulo) => "kql_modulo",
            Body::Bin => "kql_bin",
            Body::Extract => "kql_extract",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(arrays::arrow_type(self.ty))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arguments = args.args.into_iter();
        let columns: Vec<ArrayRef> = arguments
            .map(|a| a.into_array(rows))
            .collect::<Result<_>>()?;
        let array = match self.body {
            Body::Arithmetic(op) => match operate::joined(op, self.types[0], self.types[1]) {
                Some(joined) => arithmetic(joined, &columns[0], &columns[1])?,
                None => return datafusion::common::internal_err!("no arithmetic of these types"),
            },
            Body::Bin => {
                let (a, b) = (whole(&columns[0])?, whole(&columns[1])?);
                pairs::<Int64Type, Int64Type, Int64Type>(a.as_primitive(), b.as_primitive(), bin)
            }
            Body::Extract => extract(&columns)?,
        };
        Ok(ColumnarValue::Array(array))
    }
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

/// The text of a group in the first match; empty where there is none.
fn extract(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let (patterns, texts) = (columns[0].as_string::<i32>(), columns[2].as_string::<i32>());
    let groups = whole(&columns[1])?;
    let groups = groups.as_primitive::<Int64Type>();
    let group = |row: usize| groups.is_valid(row).then(|| groups.value(row));
    let mut out = StringBuilder::with_capacity(texts.len(), texts.len() * 16);
    let mut regex = None;
    for row in 0..texts.len() {
        let pattern = match patterns.is_null(row) {
            true => "",
            false => patterns.value(row),
        };
        if regex.as_ref().is_none_or(|(known, _)| *known != pattern) {
            regex = Some((pattern, operate::compiled_regex(pattern)));
        }
        let source = match texts.is_null(row) {
            true => "",
            false => texts.value(row),
        };
        let compiled = regex.as_ref().and_then(|(_, compiled)| compiled.as_deref());
        out.append_value(function::extracted(compiled, group(row), source));
    }
    Ok(Arc::new(out.finish()))
}
