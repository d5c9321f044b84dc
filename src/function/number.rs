//! Numbers: rounding, powers, angles, bits.

use super::arguments::{Typed, Want, long, or_null, real, take};
use super::definition::{BARE, Function, lifted};
use super::environment::Env;
use super::result_name::ResultName;
use super::rounding::{bin, round};
use crate::function::operate::arithmetic_type;
use crate::function::operators::ArithmeticOp;
use crate::function::value::{Cell, Type, Value};

/// A function of one number that gives a real.
const fn curve(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 1),
        doc,
        example,
        answer,
        ty: |a| take(a, &[Want::Number], Type::Real),
        eval,
        ..BARE
    }
}

/// A test of one real.
const fn test(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 1),
        doc,
        example,
        answer,
        ty: |a| take(a, &[Want::Number], Type::Bool),
        eval,
        ..BARE
    }
}

/// An operation on the bits of two whole numbers.
const fn bits(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (2, 2),
        names: ResultName::First,
        doc,
        example,
        answer,
        ty: |a| take(a, &[Want::Integer], Type::Long),
        eval,
        ..BARE
    }
}

fn on(a: &[Value], f: impl Fn(f64) -> f64) -> Value {
    or_null(real(a, 0).map(f))
}

fn both(a: &[Value], f: impl Fn(i64, i64) -> Option<i64>) -> Value {
    match (long(a, 0), long(a, 1)) {
        (Some(x), Some(y)) => or_null(f(x, y)),
        _ => Value::Null,
    }
}

const BIN: Function = Function {
    name: "bin",
    arguments: (2, 2),
    names: ResultName::First,
    doc: "bin(value, size): the greatest multiple of `size` that is not above the value",
    example: "print x = bin(datetime(2020-06-15 13:45), 1h)",
    answer: "2020-06-15T13:00:00.0000000Z",
    ty: |a| bin_type(a[0], a[1], "argument 2"),
    eval: |_, a| bin(&a[0], &a[1], None),
    ..BARE
};

fn bin_type(value: Type, size: Type, which: &str) -> Typed {
    match (value, size) {
        (Type::Dynamic, Type::Timespan) => Ok(Type::DateTime),
        (Type::DateTime | Type::Timespan, Type::Timespan) => Ok(value),
        (Type::DateTime | Type::Timespan, _) => Err(format!(
            "{which} must be a timespan such as 1h, not a {}",
            size.name()
        )),
        _ => {
            take(&[value], &[Want::Number], value)?;
            if !Want::Number.takes(size) {
                return Err(format!("{which} must be a number, not a {}", size.name()));
            }
            arithmetic_type(ArithmeticOp::Add, value, size)
        }
    }
}

const LOG: Function = curve(
    "log",
    "log(number): the natural logarithm",
    "print x = log(1)",
    "0.0",
    |_, a| logarithm(a, f64::ln),
)
.names(ResultName::First);

fn logarithm(a: &[Value], f: impl Fn(f64) -> f64) -> Value {
    match real(a, 0) {
        Some(x) if x >= 0.0 || x.is_nan() => Value::Real(f(x)),
        _ => Value::Null,
    }
}

pub(super) const TABLE: &[Function] = &[
    BIN,
    BIN.named("floor"),
    Function {
        name: "bin_at",
        arguments: (3, 3),
        names: ResultName::First,
        doc: "bin_at(value, size, point): as `bin`, with multiples counted from `point`",
        example: "print x = bin_at(6.5, 2.5, 7)",
        answer: "4.5",
        ty: |a| {
            let ty = bin_type(a[0], a[1], "argument 2")?;
            match (a[0], a[2]) {
                (Type::DateTime | Type::Timespan, point)
                    if point != a[0] && point != Type::Dynamic =>
                {
                    Err(format!(
                        "argument 3 must be a {}, not a {}",
                        a[0].name(),
                        point.name()
                    ))
                }
                (Type::DateTime | Type::Timespan | Type::Dynamic, _) => Ok(ty),
                (_, point) => {
                    take(&[point], &[Want::Number], ty)?;
                    arithmetic_type(ArithmeticOp::Add, ty, point)
                }
            }
        },
        eval: |_, a| bin(&a[0], &a[1], Some(&a[2])),
        ..BARE
    },
    Function {
        name: "abs",
        arguments: (1, 1),
        names: ResultName::First,
        doc: "abs(value): the number or timespan without its sign",
        example: "print x = abs(-5)",
        answer: "5",
        ty: |a| match a[0] {
            Type::Timespan => Ok(Type::Timespan),
            Type::Int | Type::Long => Ok(Type::Long),
            Type::Real | Type::Decimal => Ok(a[0]),
            _ => take(a, &[Want::Number], Type::Real),
        },
        eval: |_, a| match &a[0] {
            Value::Int(value) => Value::Long(i64::from(*value).abs()),
            Value::Long(value) => Value::Long(value.wrapping_abs()),
            Value::Timespan(ticks) => Value::Timespan(ticks.wrapping_abs()),
            Value::Decimal(value) => Value::Decimal(value.abs()),
            value => or_null(value.to_real().map(f64::abs)),
        },
        ..BARE
    },
    lifted! {
        0,
        |a, _| {
            let digits = a.get(1).map_or(Some(0), |digits| digits.to_long());
            let rounded = match (a[0], digits) {
                // A whole number stays whole.
                (whole @ (Cell::Int(_) | Cell::Long(_)), digits) if digits.unwrap_or(0) >= 0 => Some(whole),
                (Cell::Decimal(value), Some(digits)) => value.round(digits).map(Cell::Decimal),
                (value, Some(digits)) => value.to_real().map(|value| Cell::Real(round(value, digits))),
                _ => None,
            };
            rounded.unwrap_or(Cell::Null)
        },
        name: "round",
        arguments: (1, 2),
        names: ResultName::First,
        doc: "round(number, digits = 0): the number rounded to so many digits behind the point",
        example: "print x = round(2.98765, 3)",
        answer: "2.988",
        ty: |a| {
            take(a, &[Want::Number, Want::Integer], Type::Real)?;
            Ok(if a[0] == Type::Dynamic {
                Type::Real
            } else {
                a[0]
            })
        },
    },
    Function {
        name: "ceiling",
        arguments: (1, 1),
        names: ResultName::First,
        doc: "ceiling(number): the least whole number that is not below it",
        example: "print x = ceiling(1.2)",
        answer: "2.0",
        ty: |a| {
            take(a, &[Want::Number], Type::Real)?;
            Ok(if a[0] == Type::Dynamic {
                Type::Real
            } else {
                a[0]
            })
        },
        eval: |_, a| match &a[0] {
            value @ (Value::Int(_) | Value::Long(_)) => value.clone(),
            Value::Decimal(value) => Value::Decimal(value.ceiling()),
            value => or_null(value.to_real().map(f64::ceil)),
        },
        ..BARE
    },
    Function {
        name: "pow",
        arguments: (2, 2),
        names: ResultName::First,
        doc: "pow(base, exponent): the power, a real",
        example: "print x = pow(2, 10)",
        answer: "1024.0",
        ty: |a| take(a, &[Want::Number], Type::Real),
        eval: |_, a| match (real(a, 0), real(a, 1)) {
            (Some(x), Some(y)) => Value::Real(x.powf(y)),
            _ => Value::Null,
        },
        ..BARE
    },
    Function {
        name: "atan2",
        arguments: (2, 2),
        names: ResultName::First,
        doc: "atan2(y, x): the angle of the point (x, y), in radians",
        example: "print x = atan2(0, 1)",
        answer: "0.0",
        ty: |a| take(a, &[Want::Number], Type::Real),
        eval: |_, a| match (real(a, 0), real(a, 1)) {
            (Some(y), Some(x)) => Value::Real(y.atan2(x)),
            _ => Value::Null,
        },
        ..BARE
    },
    curve(
        "sign",
        "sign(number): -1, 0 or 1",
        "print x = sign(-5)",
        "-1.0",
        |_, a| {
            on(a, |x| {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    0.0
                }
            })
        },
    ),
    curve(
        "sqrt",
        "sqrt(number): the square root; null of a negative number",
        "print x = sqrt(256)",
        "16.0",
        |_, a| match real(a, 0) {
            Some(x) if x < 0.0 => Value::Null,
            x => or_null(x.map(f64::sqrt)),
        },
    )
    .names(ResultName::First),
    LOG,
    curve(
        "log2",
        "log2(number): the logarithm to base 2",
        "print x = log2(8)",
        "3.0",
        |_, a| logarithm(a, f64::log2),
    )
    .names(ResultName::First),
    curve(
        "log10",
        "log10(number): the logarithm to base 10",
        "print x = log10(1000)",
        "3.0",
        |_, a| logarithm(a, f64::log10),
    )
    .names(ResultName::First),
    curve(
        "exp",
        "exp(number): e to that power",
        "print x = exp(0)",
        "1.0",
        |_, a| on(a, f64::exp),
    )
    .names(ResultName::First),
    curve(
        "exp2",
        "exp2(number): 2 to that power",
        "print x = exp2(3)",
        "8.0",
        |_, a| on(a, f64::exp2),
    )
    .names(ResultName::First),
    curve(
        "exp10",
        "exp10(number): 10 to that power",
        "print x = exp10(2)",
        "100.0",
        |_, a| on(a, |x| 10f64.powf(x)),
    )
    .names(ResultName::First),
    curve(
        "sin",
        "sin(number): the sine",
        "print x = sin(0)",
        "0.0",
        |_, a| on(a, f64::sin),
    )
    .names(ResultName::First),
    curve(
        "cos",
        "cos(number): the cosine",
        "print x = cos(0)",
        "1.0",
        |_, a| on(a, f64::cos),
    )
    .names(ResultName::First),
    curve(
        "tan",
        "tan(number): the tangent",
        "print x = tan(0)",
        "0.0",
        |_, a| on(a, f64::tan),
    )
    .names(ResultName::First),
    curve(
        "cot",
        "cot(number): the cotangent",
        "print x = round(cot(1), 3)",
        "0.642",
        |_, a| on(a, |x| 1.0 / x.tan()),
    ),
    curve(
        "asin",
        "asin(number): the angle whose sine it is",
        "print x = asin(0)",
        "0.0",
        |_, a| arc(a, f64::asin),
    )
    .names(ResultName::First),
    curve(
        "acos",
        "acos(number): the angle whose cosine it is",
        "print x = acos(1)",
        "0.0",
        |_, a| arc(a, f64::acos),
    )
    .names(ResultName::First),
    curve(
        "atan",
        "atan(number): the angle whose tangent it is",
        "print x = atan(0)",
        "0.0",
        |_, a| on(a, f64::atan),
    )
    .names(ResultName::First),
    curve(
        "radians",
        "radians(degrees): the angle in radians",
        "print x = radians(0)",
        "0.0",
        |_, a| on(a, f64::to_radians),
    ),
    curve(
        "degrees",
        "degrees(radians): the angle in degrees",
        "print x = degrees(0)",
        "0.0",
        |_, a| on(a, f64::to_degrees),
    ),
    Function {
        name: "pi",
        arguments: (0, 0),
        doc: "pi(): the number π",
        example: "print x = pi()",
        answer: "3.1415926535897931",
        ty: |_| Ok(Type::Real),
        eval: |_, _| Value::Real(std::f64::consts::PI),
        ..BARE
    },
    test(
        "isnan",
        "isnan(number): whether it is not a number",
        "print x = isnan(0.0/0.0)",
        "True",
        |_, a| or_null(real(a, 0).map(f64::is_nan)),
    ),
    test(
        "isinf",
        "isinf(number): whether it is infinite",
        "print x = isinf(1.0/0.0)",
        "True",
        |_, a| or_null(real(a, 0).map(f64::is_infinite)),
    ),
    test(
        "isfinite",
        "isfinite(number): whether it is neither infinite nor NaN",
        "print x = isfinite(1.0)",
        "True",
        |_, a| or_null(real(a, 0).map(f64::is_finite)),
    ),
    bits(
        "binary_and",
        "binary_and(a, b): bits set in both",
        "print x = binary_and(6, 3)",
        "2",
        |_, a| both(a, |x, y| Some(x & y)),
    ),
    bits(
        "binary_or",
        "binary_or(a, b): bits set in one of them",
        "print x = binary_or(5, 3)",
        "7",
        |_, a| both(a, |x, y| Some(x | y)),
    ),
    bits(
        "binary_xor",
        "binary_xor(a, b): bits set in exactly one of them",
        "print x = binary_xor(5, 3)",
        "6",
        |_, a| both(a, |x, y| Some(x ^ y)),
    ),
    bits(
        "binary_shift_left",
        "binary_shift_left(a, n): the bits shifted by n mod 64",
        "print x = binary_shift_left(1, 4)",
        "16",
        |_, a| both(a, |x, y| u32::try_from(y).ok().map(|y| x.wrapping_shl(y))),
    ),
    bits(
        "binary_shift_right",
        "binary_shift_right(a, n): the bits shifted by n mod 64",
        "print x = binary_shift_right(16, 4)",
        "1",
        |_, a| both(a, |x, y| u32::try_from(y).ok().map(|y| x.wrapping_shr(y))),
    ),
    Function {
        name: "binary_not",
        arguments: (1, 1),
        names: ResultName::First,
        doc: "binary_not(a): all bits turned",
        example: "print x = binary_not(100)",
        answer: "-101",
        ty: |a| take(a, &[Want::Integer], Type::Long),
        eval: |_, a| or_null(long(a, 0).map(|x| !x)),
        ..BARE
    },
    Function {
        name: "bitset_count_ones",
        arguments: (1, 1),
        names: ResultName::First,
        doc: "bitset_count_ones(a): how many bits are set",
        example: "print x = bitset_count_ones(42)",
        answer: "3",
        ty: |a| take(a, &[Want::Integer], Type::Long),
        eval: |_, a| or_null(long(a, 0).map(|x| i64::from(x.count_ones()))),
        ..BARE
    },
    Function {
        name: "format_bytes",
        arguments: (1, 3),
        names: ResultName::First,
        doc: "format_bytes(size, digits = 0, unit = \"\"): the size with a unit of data",
        example: "print x = format_bytes(10332, 1)",
        answer: "10.1 KB",
        ty: |a| take(a, &[Want::Number, Want::Number, Want::Text], Type::String),
        eval: |_, a| {
            const UNITS: [&str; 7] = ["Bytes", "KB", "MB", "GB", "TB", "PB", "EB"];
            let Some(size) = real(a, 0).filter(|size| size.is_finite()) else {
                return Value::from("");
            };
            let digits = a
                .get(1)
                .map_or(Some(0), Value::to_long)
                .unwrap_or(0)
                .clamp(0, 15);
            let named = super::arguments::text(a, 2);
            let at = match UNITS.iter().position(|unit| **unit == *named) {
                Some(at) => at,
                None => {
                    let mut at = 0;
                    while at + 1 < UNITS.len() && size.abs() >= 1024f64.powi(at as i32 + 1) {
                        at += 1;
                    }
                    at
                }
            };
            let value = round(size / 1024f64.powi(at as i32), digits);
            Value::from(format!("{value} {}", UNITS[at]))
        },
        ..BARE
    },
];

/// The angle; null where there is none.
fn arc(a: &[Value], f: impl Fn(f64) -> f64) -> Value {
    match real(a, 0) {
        Some(x) if x.abs() > 1.0 => Value::Null,
        x => or_null(x.map(f)),
    }
}
