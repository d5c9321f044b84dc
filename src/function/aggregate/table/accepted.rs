//! The types that aggregates take, and those of their results.

use super::super::accumulator::Accumulator;
use super::super::numbers::{MeanTime, Of, Sum};
use super::super::percentile::{self, As};
use crate::function::value::{Type, Value};

pub(super) fn first(types: &[Type]) -> Type {
    types.first().copied().unwrap_or(Type::Dynamic)
}

pub(super) fn sum(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Int | Type::Long => Ok(Type::Long),
        Type::Real | Type::Decimal | Type::Timespan | Type::DateTime => Ok(ty),
        _ => Err(format!("there is no sum of `{}`", ty.name())),
    }
}

pub(super) fn mean(ty: Type) -> Result<Type, String> {
    match sum(ty)? {
        Type::Long => Ok(Type::Real),
        other => Ok(other),
    }
}

pub(super) fn average(ty: Type) -> Box<dyn Accumulator> {
    match ty {
        Type::DateTime => Box::new(MeanTime::default()),
        _ => Box::new(Sum::new(Of::Average, ty)),
    }
}

pub(super) fn spread(types: &[Type]) -> Result<Type, String> {
    for ty in types {
        sum(*ty)?;
    }
    Ok(Type::Real)
}

pub(super) fn bits(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Int | Type::Long => Ok(Type::Long),
        _ => Err(format!("`{}` has no bits", ty.name())),
    }
}

pub(super) fn orderable(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Dynamic => Err(
            "`dynamic` has no order: convert it with `tostring()`, `tolong()` or `todatetime()`"
                .into(),
        ),
        _ => Ok(ty),
    }
}

pub(super) fn bag(ty: Type) -> Result<Type, String> {
    match ty {
        Type::Dynamic => Ok(ty),
        _ => Err(format!(
            "the argument must be `dynamic`, not `{}`",
            ty.name()
        )),
    }
}

pub(super) fn percentile(
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
