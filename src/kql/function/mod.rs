//! The scalar functions of Kusto that are supported: one table of names, types, documentation and code.
//!
//! A function that is not here is not supported. What Kusto does not document of one (`series_decompose`), its module says. Arguments come
//! evaluated, so functions that look at names or at other rows (`column_ifexists`, `prev`, `toscalar`) are not here.

mod agent;
mod array;
mod bag;
mod conditional;
mod convert;
mod decompose;
mod dynamic;
mod encode;
mod filter;
mod fit;
mod geo;
mod hash;
mod ip;
mod number;
mod periods;
mod probability;
mod random;
mod regular;
mod series;
mod sketch;
mod statistic;
mod string;
mod time;
mod time_format;
mod url;
mod xml;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

pub use fit::outputs;
pub use number::floor;
pub use regular::extracted;

use super::value::{Json, Type, Value};

/// What a function may know beside its arguments.
#[derive(Clone, Default)]
pub struct Env {
    /// The instant of the query, in ticks: `now()`.
    pub now: i64,
    /// Where addresses are, for `geo_info_from_ip_address`.
    pub geography: Option<Arc<dyn Geography>>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("now", &self.now)
            .field("geography", &self.geography.is_some())
            .finish()
    }
}

/// Knows where an address is.
pub trait Geography: Send + Sync {
    /// Where the address is; nothing where that is not known.
    fn locate(&self, address: IpAddr) -> Option<Location>;
}

/// Where an address is. What is not known is empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Location {
    /// Name of the country, in English.
    pub country: String,
    /// Name of the state or region.
    pub state: String,
    /// Name of the city.
    pub city: String,
    /// Degrees east and north.
    pub position: Option<(f64, f64)>,
}

/// The type that a function gives for types of arguments, or why it refuses them.
pub type Typed = Result<Type, String>;

/// A scalar function.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Fewest and most arguments; `usize::MAX` stands for any number.
    pub arguments: (usize, usize),
    /// One line: signature and what it returns.
    pub doc: &'static str,
    /// A query that runs without data.
    pub example: &'static str,
    /// Text of the single cell of the example's answer.
    pub answer: &'static str,
    /// The type of the result.
    pub ty: fn(&[Type]) -> Typed,
    /// The value of the result; [`Function::call`] gives it the type promised.
    pub eval: fn(&Env, &[Value]) -> Value,
}

impl Function {
    /// The type of the result for arguments of those types.
    ///
    /// # Errors
    ///
    /// Where Kusto refuses the arguments: their number or a type.
    pub fn check(&self, arguments: &[Type]) -> Typed {
        let (fewest, most) = self.arguments;
        let count = arguments.len();
        if count < fewest || count > most {
            let wanted = match (fewest, most) {
                (fewest, usize::MAX) => format!("at least {fewest}"),
                (fewest, most) if fewest == most => fewest.to_string(),
                (fewest, most) => format!("{fewest} to {most}"),
            };
            let plural = if wanted == "1" || wanted == "at least 1" {
                "argument"
            } else {
                "arguments"
            };
            let name = self.name;
            return Err(format!("`{name}` takes {wanted} {plural}, not {count}"));
        }
        (self.ty)(arguments).map_err(|message| format!("`{}`: {message}", self.name))
    }

    /// The value of the result, of type `ty` as [`Function::check`] gave it. Never a null `string`.
    pub fn call(&self, env: &Env, ty: Type, arguments: &[Value]) -> Value {
        (self.eval)(env, arguments).fit(ty)
    }

    /// Whether it gives another value each time. All others give equal results for equal arguments and an equal [`Env`].
    pub fn is_random(&self) -> bool {
        random::TABLE.iter().any(|random| random.name == self.name)
    }

    /// Whether it turns an instant into what the clocks of a zone show then, or says of a time that it is such.
    pub fn makes_local_time(&self) -> bool {
        matches!(self.name, "datetime_utc_to_local" | "local_time")
    }

    /// The same under another name.
    const fn named(self, name: &'static str) -> Function {
        Function { name, ..self }
    }
}

const FAMILIES: [&[Function]; 26] = [
    agent::TABLE,
    array::TABLE,
    bag::TABLE,
    conditional::TABLE,
    convert::TABLE,
    decompose::TABLE,
    dynamic::TABLE,
    encode::TABLE,
    filter::TABLE,
    fit::TABLE,
    geo::TABLE,
    hash::TABLE,
    ip::TABLE,
    number::TABLE,
    periods::TABLE,
    probability::TABLE,
    random::TABLE,
    regular::TABLE,
    series::TABLE,
    sketch::TABLE,
    statistic::TABLE,
    string::TABLE,
    time::TABLE,
    time_format::TABLE,
    url::TABLE,
    xml::TABLE,
];

/// All functions.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.into_iter().flatten()
}

/// The function of that name.
pub fn get(name: &str) -> Option<&'static Function> {
    static INDEX: OnceLock<HashMap<&str, &Function>> = OnceLock::new();
    let index = INDEX.get_or_init(|| all().map(|f| (f.name, f)).collect());
    index.get(name).copied()
}

/// A function that has no name in Kusto but stands for a form of one.
pub(super) fn internal(name: &str) -> Option<&'static Function> {
    match name {
        "bag_pack_full" => Some(&bag::PACK_FULL),
        "local_time" => Some(&time::LOCAL),
        name => get(name),
    }
}

/// What is wrong with constant arguments, for functions that Kusto checks before it runs them; `None` stands for an argument
/// that is not constant.
///
/// # Errors
///
/// Where Kusto refuses the query.
pub fn check_constants(name: &str, arguments: &[Option<&Value>]) -> Result<(), String> {
    let text = |at: usize| match arguments.get(at) {
        Some(Some(Value::String(text))) => Some(&**text),
        _ => None,
    };
    let pattern = match name {
        "extract" | "trim" | "trim_start" | "trim_end" | "replace" | "extract_all"
        | "extractall" => text(0),
        "replace_regex" | "indexof_regex" => text(1),
        "countof" if text(2) == Some("regex") => text(1),
        _ => None,
    };
    if let Some(wrong) = pattern.and_then(super::operate::regex_error) {
        return Err(format!("`{name}`: {wrong}"));
    }
    match name {
        "extract_all" | "extractall" => match pattern.map(regular::group_count) {
            Some(0) => Err(format!(
                "`{name}`: the regular expression has no group in brackets to extract"
            )),
            _ => Ok(()),
        },
        "countof" => match text(2) {
            None | Some("normal" | "regex") => Ok(()),
            Some(_) => Err("`countof`: argument 3 must be \"normal\" or \"regex\"".to_owned()),
        },
        "format_datetime" => time_format::check_datetime(text(1)),
        "format_timespan" => time_format::check_timespan(text(1)),
        "datetime_add" | "datetime_diff" | "datetime_part" | "datepart" => {
            time::check_part(name, text(0))
        }
        _ => Ok(()),
    }
}

/// What a parameter takes. All but [`Want::Plain`] take a `dynamic` too, which is converted.
#[derive(Clone, Copy, PartialEq)]
enum Want {
    /// Any scalar.
    Any,
    /// Any scalar but a `dynamic`.
    Plain,
    /// `string`
    Text,
    /// `int`, `long`
    Integer,
    /// `int`, `long`, `real`, `decimal`
    Number,
    /// `bool`
    Bool,
    /// `datetime`
    DateTime,
    /// `timespan`
    Timespan,
    /// `guid`
    Guid,
    /// `dynamic`
    Dynamic,
}

impl Want {
    fn takes(self, ty: Type) -> bool {
        match (self, ty) {
            (Want::Plain, ty) => ty != Type::Dynamic,
            (Want::Any, _) | (_, Type::Dynamic) => true,
            (Want::Text, Type::String)
            | (Want::Integer, Type::Int | Type::Long)
            | (Want::Number, Type::Int | Type::Long | Type::Real | Type::Decimal)
            | (Want::Bool, Type::Bool)
            | (Want::DateTime, Type::DateTime)
            | (Want::Timespan, Type::Timespan)
            | (Want::Guid, Type::Guid) => true,
            _ => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Want::Any => "a scalar",
            Want::Plain => "a scalar that is not dynamic",
            Want::Text => "a string",
            Want::Integer => "a whole number",
            Want::Number => "a number",
            Want::Bool => "a bool",
            Want::DateTime => "a datetime",
            Want::Timespan => "a timespan",
            Want::Guid => "a guid",
            Want::Dynamic => "dynamic: an array or a property bag",
        }
    }
}

/// Checks arguments against parameters; the last parameter stands for all further arguments.
fn take(arguments: &[Type], wants: &[Want], ty: Type) -> Typed {
    for (i, argument) in arguments.iter().enumerate() {
        let Some(want) = wants.get(i).or(wants.last()) else {
            continue;
        };
        if !want.takes(*argument) {
            let (want, have) = (want.name(), argument.name());
            return Err(format!("argument {} must be {want}, not a {have}", i + 1));
        }
    }
    Ok(ty)
}

/// The common type of branches and alternatives; those that are `dynamic` take the type of the others.
fn common(types: &[Type]) -> Typed {
    let rank = |ty| match ty {
        Type::Int => Some(0),
        Type::Long => Some(1),
        Type::Real => Some(2),
        Type::Decimal => Some(3),
        _ => None,
    };
    let mut common: Option<Type> = None;
    for &ty in types.iter().filter(|ty| **ty != Type::Dynamic) {
        common = Some(match common {
            None => ty,
            Some(known) if known == ty => ty,
            Some(known) => match (rank(known), rank(ty)) {
                (Some(a), Some(b)) => {
                    if a > b {
                        known
                    } else {
                        ty
                    }
                }
                _ => {
                    let (a, b) = (known.name(), ty.name());
                    return Err(format!("a {a} and a {b} have no common type; convert one"));
                }
            },
        });
    }
    Ok(common.unwrap_or(Type::Dynamic))
}

/// Text of an argument; empty where there is none.
fn text(arguments: &[Value], at: usize) -> Cow<'_, str> {
    arguments.get(at).map(Value::text).unwrap_or_default()
}

/// Whole number of an argument.
fn long(arguments: &[Value], at: usize) -> Option<i64> {
    arguments.get(at)?.to_long()
}

/// Number of an argument.
fn real(arguments: &[Value], at: usize) -> Option<f64> {
    arguments.get(at)?.to_real()
}

/// Elements of an argument that is an array.
fn items(arguments: &[Value], at: usize) -> Option<&[Json]> {
    arguments.get(at)?.array()
}

/// A value or null.
fn or_null<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or(Value::Null, Into::into)
}

/// A dynamic string.
fn json_text(text: impl AsRef<str>) -> Json {
    Json::String(text.as_ref().into())
}

/// A bag from names and values.
fn json_bag<const N: usize>(properties: [(&str, Json); N]) -> Json {
    let properties = properties.into_iter();
    Json::Bag(properties.map(|(key, value)| (key.into(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_documented() {
        let mut names = HashSet::new();
        for function in all() {
            assert!(names.insert(function.name), "{} twice", function.name);
            assert!(!function.doc.is_empty() && !function.example.is_empty());
            assert!(function.arguments.0 <= function.arguments.1);
            assert!(get(function.name).is_some());
        }
    }

    /// Values that functions are called with: nulls, extremes, empty and other texts.
    fn odd_values() -> Vec<Value> {
        let json = |text| Value::dynamic(Json::parse(text).unwrap_or_default());
        vec![
            Value::Null,
            Value::Bool(true),
            Value::Int(i32::MIN),
            Value::Long(0),
            Value::Long(3),
            Value::Long(i64::MIN),
            Value::Long(i64::MAX),
            Value::Real(f64::NAN),
            Value::Real(-1e300),
            Value::Real(0.5),
            Value::Long(i64::MAX).convert(Type::Decimal),
            Value::from(""),
            Value::from("é𝓗\u{0}\"'\\1"),
            Value::from("(a)|b"),
            Value::from("10.1.2.3/33"),
            Value::from("yyyy-MM-dd"),
            Value::from("day"),
            Value::DateTime(0),
            Value::DateTime(super::super::value::MAX_DATETIME_TICKS),
            Value::Timespan(i64::MIN),
            Value::Timespan(1),
            Value::Guid(u128::MAX),
            json("[]"),
            json(r#"[1,"a",null,{"b":[2.5]},-9223372036854775808]"#),
            json(r#"{"a":{"b":[1,2]},"":null}"#),
            json("\"é\""),
        ]
    }

    /// Calls every function often, with all sorts of values.
    fn call_all(mut call: impl FnMut(&'static Function, &[Value])) {
        let odd = odd_values();
        let mut state: u64 = 42;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or(0) % below
        };
        for function in all() {
            let (fewest, most) = function.arguments;
            let most = most.min(fewest + 3);
            for _ in 0..600 {
                let count = fewest + next(most - fewest + 1);
                let values: Vec<Value> = (0..count).map(|_| odd[next(odd.len())].clone()).collect();
                call(function, &values);
            }
        }
    }

    /// Every function takes everything.
    #[test]
    fn no_value_makes_a_function_panic() {
        let env = Env::default();
        call_all(|function, values| {
            let _ = (function.eval)(&env, values);
        });
    }

    /// A function that is not random and gives another value each time would be worked out once for all rows.
    #[test]
    fn only_random_functions_give_another_value_each_time() {
        let env = Env {
            now: 638_000_000_000_000_000,
            ..Env::default()
        };
        let mut seen = HashSet::new();
        call_all(|function, values| {
            let [once, again] = [(); 2].map(|()| (function.eval)(&env, values));
            // What is no number does not equal itself, and its text does.
            if once != again && format!("{once:?}") != format!("{again:?}") {
                assert!(function.is_random(), "{}: {values:?}", function.name);
                seen.insert(function.name);
            }
        });
        let random: HashSet<&str> = random::TABLE.iter().map(|f| f.name).collect();
        assert_eq!(seen, random);
    }
}
