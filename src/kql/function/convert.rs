//! `tostring`, `toint`, `todatetime`, …

use super::{Function, Want, long, take, text};
use crate::kql::value::{Json, Type, Value};

/// A conversion of any scalar.
const fn conversion(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    ty: fn(&[Type]) -> super::Typed,
    eval: fn(&super::Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 1),
        doc,
        example,
        answer,
        ty,
        eval,
    }
}

const TOBOOL: Function = conversion(
    "tobool",
    "tobool(value): a bool, null where the value is none",
    "print x = tobool(\"true\")",
    "True",
    |_| Ok(Type::Bool),
    |_, a| a[0].convert(Type::Bool),
);
const TOREAL: Function = conversion(
    "toreal",
    "toreal(value): a real, null where the value is none",
    "print x = toreal(\"1.5\")",
    "1.5",
    |_| Ok(Type::Real),
    |_, a| a[0].convert(Type::Real),
);
const TOTIMESPAN: Function = conversion(
    "totimespan",
    "totimespan(value): a timespan, null where the value is none",
    "print x = totimespan(\"1.02:03:04\")",
    "1.02:03:04",
    |_| Ok(Type::Timespan),
    |_, a| a[0].convert(Type::Timespan),
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
);

/// JSON of a text; what is none is a dynamic string, what is empty is null.
fn parse_json(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Null;
    }
    Value::dynamic(Json::parse(text).unwrap_or_else(|| Json::String(text.into())))
}

pub(super) const TABLE: &[Function] = &[
    conversion(
        "tostring",
        "tostring(value): its text; empty of null",
        "print x = tostring(datetime(2020-01-01))",
        "2020-01-01T00:00:00.0000000Z",
        |_| Ok(Type::String),
        |_, a| a[0].convert(Type::String),
    ),
    conversion(
        "toint",
        "toint(value): a whole number of 32 bits, null where the value is none",
        "print x = toint(\"0xFF\")",
        "255",
        |_| Ok(Type::Int),
        |_, a| a[0].convert(Type::Int),
    ),
    conversion(
        "tolong",
        "tolong(value): a whole number of 64 bits, null where the value is none",
        "print x = tolong(9.99)",
        "9",
        |_| Ok(Type::Long),
        |_, a| a[0].convert(Type::Long),
    ),
    TOREAL,
    TOREAL.named("todouble"),
    conversion(
        "todecimal",
        "todecimal(value): a decimal of up to 34 digits, null where the value is none",
        "print x = todecimal(\"1.5\")",
        "1.5",
        |_| Ok(Type::Decimal),
        |_, a| a[0].convert(Type::Decimal),
    ),
    TOBOOL,
    TOBOOL.named("toboolean"),
    conversion(
        "todatetime",
        "todatetime(value): a datetime in UTC, null where the value is none",
        "print x = todatetime(\"2020-06-15 13:45\")",
        "2020-06-15T13:45:00.0000000Z",
        |_| Ok(Type::DateTime),
        |_, a| a[0].convert(Type::DateTime),
    ),
    TOTIMESPAN,
    TOTIMESPAN.named("totime"),
    conversion(
        "toguid",
        "toguid(value): a guid, null where the value is none",
        "print x = toguid(\"0123456789abcdef0123456789abcdef\")",
        "01234567-89ab-cdef-0123-456789abcdef",
        |_| Ok(Type::Guid),
        |_, a| a[0].convert(Type::Guid),
    ),
    PARSE_JSON,
    PARSE_JSON.named("parsejson"),
    PARSE_JSON.named("todynamic"),
    PARSE_JSON.named("toobject"),
    Function {
        name: "tohex",
        arguments: (1, 2),
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
    },
    Function {
        name: "gettype",
        arguments: (1, 1),
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
    conversion(
        "isascii",
        "isascii(text): whether all its characters are ASCII",
        "print x = isascii(\"some string\")",
        "True",
        |_| Ok(Type::Bool),
        |_, a| Value::Bool(text(a, 0).is_ascii()),
    ),
    conversion(
        "isutf8",
        "isutf8(text): whether it is valid UTF-8; all text here is",
        "print x = isutf8(\"some string\")",
        "True",
        |_| Ok(Type::Bool),
        |_, _| Value::Bool(true),
    ),
];
