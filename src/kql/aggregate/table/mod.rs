//! The tables of the aggregate functions, and the types they take.

mod numbers;
mod sketches;
mod values;

use super::super::value::{Type, Value};
use super::numbers::{MeanTime, Of, Sum};
use super::percentile::{self, As};
use super::{Accumulator, Aggregate};

/// The tables.
pub(super) const TABLES: [&[Aggregate]; 3] = [numbers::TABLE, values::TABLE, sketches::TABLE];

fn first(types: &[Type]) -> Type {
    types.first().copied().unwrap_or(Type::Dynamic)
}

fn sum(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Int | Type::Long => Ok(Type::Long),
        Type::Real | Type::Decimal | Type::Timespan | Type::DateTime => Ok(ty),
        _ => Err(format!("there is no sum of `{}`", ty.name())),
    }
}

fn mean(ty: Type) -> Result<Type, String> {
    match sum(ty)? {
        Type::Long => Ok(Type::Real),
        other => Ok(other),
    }
}

fn average(ty: Type) -> Box<dyn Accumulator> {
    match ty {
        Type::DateTime => Box::new(MeanTime::default()),
        _ => Box::new(Sum::new(Of::Average, ty)),
    }
}

fn spread(types: &[Type]) -> Result<Type, String> {
    for ty in types {
        sum(*ty)?;
    }
    Ok(Type::Real)
}

fn bits(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Int | Type::Long => Ok(Type::Long),
        _ => Err(format!("`{}` has no bits", ty.name())),
    }
}

fn orderable(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Dynamic => Err(
            "`dynamic` has no order: convert it with `tostring()`, `tolong()` or `todatetime()`"
                .into(),
        ),
        _ => Ok(ty),
    }
}

fn bag(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Dynamic => Ok(ty),
        _ => Err(format!(
            "the argument must be `dynamic`, not `{}`",
            ty.name()
        )),
    }
}

fn percentile(
    types: &[Type],
    constants: &[Option<Value>],
    from: usize,
    given: As,
) -> Result<Type, String> {
    percentile::percentages(constants, from)?;
    if from == 2 && !matches!(types.get(1), Some(Type::Int | Type::Long)) {
        return Err("the weight must be a whole number".into());
    }
    let ty = percentile::result_type(first(types))?;
    Ok(match given {
        As::Columns => ty,
        As::Array => Type::Dynamic,
    })
}
