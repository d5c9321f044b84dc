//! What can be computed: values, operators, scalar functions and [`aggregate`]s. Knows Arrow's numbers, but neither queries nor DataFusion.
//!
//! A [`Function`] is one row of the table ([`all`]): name, types, body, documentation with an example, how its result is named, whether it is
//! volatile, what it asks of the [`Env`], which constants it refuses.
//!
//! A function that is not here is not supported. What Kusto does not document of one (`series_decompose`), its module says. Arguments come
//! evaluated, so functions that look at names or at other rows (`column_ifexists`, `prev`, `toscalar`) are not here: they are
//! `kql::special`.
//!
//! | module | what it has |
//! |---|---|
//! | [`value`] | scalars: reading, showing, order, conversion, JSON |
//! | [`operators`], [`operate`] | the operators, and what they give |
//! | `environment`, `arguments`, `result_name`, `definition` | what a row is made of |
//! | `array` to `xml` | the rows, by family |
//! | [`aggregate`], [`sketches`] | what is computed of many rows |

pub mod aggregate;
pub mod key_value;
pub mod operate;
pub mod operators;
pub mod sketches;
pub mod value;

mod agent;
mod arguments;
mod array;
mod bag;
mod conditional;
mod convert;
mod decompose;
mod definition;
mod dynamic;
mod encode;
mod environment;
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
mod replace;
mod result_name;
mod rounding;
mod series;
mod sketch;
mod split;
mod statistic;
mod string;
mod time;
mod time_format;
mod url;
mod xml;

use std::collections::HashMap;
use std::sync::OnceLock;

pub use arguments::Typed;
pub use definition::{Body, Clock, Function};
pub use environment::{Env, Geography, Location};
pub use fit::outputs;
pub use result_name::ResultName;
pub use rounding::floor;

const FAMILIES: [&[Function]; 28] = [
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
    replace::TABLE,
    series::TABLE,
    sketch::TABLE,
    split::TABLE,
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
pub fn internal(name: &str) -> Option<&'static Function> {
    match name {
        "bag_pack_full" => Some(&bag::PACK_FULL),
        "split_part" => Some(&split::SPLIT_PART),
        "local_time" => Some(&time::LOCAL),
        name => get(name),
    }
}

#[cfg(test)]
mod tests {
    use super::value::{Json, Type, Value};
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
            Value::DateTime(super::value::MAX_DATETIME_TICKS),
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
                assert!(function.volatile, "{}: {values:?}", function.name);
                seen.insert(function.name);
            }
        });
        let random: HashSet<&str> = all().filter(|f| f.volatile).map(|f| f.name).collect();
        assert_eq!(seen, random);
    }
}
