//! `tostring`, `toint`, `todatetime`, …

use super::arguments::{Typed, Want, long, take};
use super::definition::{BARE, Function, lifted};
use super::environment::Env;
use super::result_name::ResultName;
use crate::function::value::{Cell, Json, Type, Value};

/// A conversion of any scalar.
const fn conversion(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    ty: fn(&[Type]) -> Typed,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 1),
        doc,
        example,
        answer,
        ty,
        eval,
        ..BARE
    }
}

/// A conversion of any scalar, with one body for values and columns.
macro_rules! cast {
    ($name:expr, $doc:expr, $example:expr, $answer:expr, $ty:expr, $texts:expr) => {
        lifted! {
            $texts, |a, room| a[0].convert($ty, room),
            name: $name,
            arguments: (1, 1),
            names: ResultName::First,
            doc: $doc,
            example: $example,
            answer: $answer,
            ty: |_| Ok($ty),
        }
    };
}

const TOBOOL: Function = cast!(
    "tobool",
    "tobool(value): a bool, null where the value is none",
    "print x = tobool(\"true\")",
    "True",
    Type::Bool,
    0
);
const TOREAL: Function = cast!(
    "toreal",
    "toreal(value): a real, null where the value is none",
    "print x = toreal(\"1.5\")",
    "1.5",
    Type::Real,
    0
);
const TOTIMESPAN: Function = cast!(
    "totimespan",
    "totimespan(value): a timespan, null where the value is none",
    "print x = totimespan(\"1.02:03:04\")",
    "1.02:03:04",
    Type::Timespan,
    0
);
const PARSE_JSON: Function = conversion(
    "parse_json",
    "parse_json(text): the JSON as dynamic; text that is no JSON as a dynamic string",
    "print x = parse_json('{\"a\":[1,2]}').a[1]",
    "2",
    |a| take(a, &[Want::Text], Type::Dynamic),
    |_, a| match &a[0] {
        Value::String(text) => parse_json(text),
        other => other.clone(),
    },
)
.names(ResultName::First);

/// JSON of a text; what is none is a dynamic string, what is empty is null.
fn parse_json(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Null;
    }
    Value::dynamic(Json::parse(text).unwrap_or_else(|| Json::String(text.into())))
}

pub(super) const TABLE: &[Function] = &[
    cast!(
        "tostring",
        "tostring(value): its text; empty of null",
        "print x = tostring(datetime(2020-01-01))",
        "2020-01-01T00:00:00.0000000Z",
        Type::String,
        0b1
    ),
    cast!(
        "toint",
        "toint(value): a whole number of 32 bits, null where the value is none",
        "print x = toint(\"0xFF\")",
        "255",
        Type::Int,
        0
    ),
    cast!(
        "tolong",
        "tolong(value): a whole number of 64 bits, null where the value is none",
        "print x = tolong(9.99)",
        "9",
        Type::Long,
        0
    ),
    TOREAL,
    TOREAL.named("todouble"),
    cast!(
        "todecimal",
        "todecimal(value): a decimal of up to 34 digits, null where the value is none",
        "print x = todecimal(\"1.5\")",
        "1.5",
        Type::Decimal,
        0
    ),
    TOBOOL,
    TOBOOL.named("toboolean"),
    cast!(
        "todatetime",
        "todatetime(value): a datetime in UTC, null where the value is none",
        "print x = todatetime(\"2020-06-15 13:45\")",
        "2020-06-15T13:45:00.0000000Z",
        Type::DateTime,
        0
    ),
    TOTIMESPAN,
    TOTIMESPAN.named("totime"),
    cast!(
        "toguid",
        "toguid(value): a guid, null where the value is none",
        "print x = toguid(\"0123456789abcdef0123456789abcdef\")",
        "01234567-89ab-cdef-0123-456789abcdef",
        Type::Guid,
        0
    ),
    PARSE_JSON,
    PARSE_JSON.named("parsejson"),
    PARSE_JSON.named("todynamic"),
    PARSE_JSON.named("toobject"),
    Function {
        name: "tohex",
        arguments: (1, 2),
        names: ResultName::First,
        doc: "tohex(number, fewest = 0): hexadecimal digits of a whole number, with zeros before them up to `fewest`",
        example: "print x = tohex(256, 8)",
        answer: "00000100",
        ty: |a| take(a, &[Want::Integer], Type::String),
        eval: |_, a| {
            let digits = match &a[0] {
                Value::Int(value) => format!("{value:x}"),
                value => match value.to_long() {
                    Some(value) => format!("{value:x}"),
                    None => return Value::from(""),
                },
            };
            let fewest = long(a, 1)
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(0);
            // A number has at most 16 digits.
            let fewest = fewest.min(64);
            Value::from(format!("{digits:0>fewest$}"))
        },
        ..BARE
    },
    Function {
        name: "gettype",
        arguments: (1, 1),
        names: ResultName::Prefix("type"),
        doc: "gettype(value): name of its type, also of a null; of a dynamic, of what it holds",
        example: "print x = gettype(parse_json('[1]'))",
        answer: "array",
        ty: |_| Ok(Type::String),
        eval: |_, a| {
            Value::from(match &a[0] {
                Value::Null => "null",
                Value::Dynamic(json) => json.type_name(),
                other => other.ty().map_or("null", Type::name),
            })
        },
        ..BARE
    },
    conversion(
        "dynamic_to_json",
        "dynamic_to_json(value): its JSON with the keys of bags in order",
        "print x = dynamic_to_json(dynamic({\"b\":1,\"a\":2}))",
        "{\"a\":2,\"b\":1}",
        |_| Ok(Type::String),
        |_, a| match &a[0] {
            Value::Dynamic(json) => match &**json {
                Json::Array(_) | Json::Bag(_) => Value::from(json.canonical_text()),
                json => Value::from(json.text()),
            },
            other => Value::from(other.show()),
        },
    ),
    lifted! {
        0b1, |a, _| Cell::Bool(a[0].text().is_ascii()),
        name: "isascii",
        arguments: (1, 1),
        doc: "isascii(text): whether all its characters are ASCII",
        example: "print x = isascii(\"some string\")",
        answer: "True",
        ty: |_| Ok(Type::Bool),
    },
    conversion(
        "isutf8",
        "isutf8(text): whether it is valid UTF-8; all text here is",
        "print x = isutf8(\"some string\")",
        "True",
        |_| Ok(Type::Bool),
        |_, _| Value::Bool(true),
    ),
];
