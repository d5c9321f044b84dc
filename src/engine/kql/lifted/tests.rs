//! Both forms of what has a body for columns give the same, for random values of all types that it takes.

use std::collections::BTreeSet;

use arrow::array::Array;
use arrow::datatypes::Field;
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;

use super::*;
use crate::function::Env;
use crate::function::operate::{
    arithmetic_type, between_type, compare_type, match_type, negate_type,
};
use crate::function::value::MAX_DATETIME_TICKS;
use crate::kql::ast::MatchKind;

const ROWS: usize = 40;

const TYPES: [Type; 10] = [
    Type::Bool,
    Type::Int,
    Type::Long,
    Type::Real,
    Type::Decimal,
    Type::DateTime,
    Type::Timespan,
    Type::String,
    Type::Guid,
    Type::Dynamic,
];

const TEXTS: [&str; 24] = [
    "",
    " ",
    "a",
    "aXa-b_a",
    "Ünï CÖDE é𝓗",
    "İstanbul ß",
    "a\u{0}b\"\\n",
    "12",
    "-9223372036854775808",
    "1e300",
    "0x1F",
    "NaN",
    "true",
    "2026-03-29T01:30:00.1234567Z",
    "0001-01-01",
    "1.02:03:04.5",
    "{\"a\":1}",
    "[1,2]",
    "(a)|b",
    "[",
    "day",
    "Month",
    "yyyy-MM-dd HH:mm",
    "0123456789abcdef0123456789abcdef",
];

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("a small number")
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn text(&mut self) -> String {
        let (a, b) = (self.one(&TEXTS), self.one(&TEXTS));
        match self.below(4) {
            0 => format!("{a}{b}{a}"),
            _ => a.to_owned(),
        }
    }

    fn value(&mut self, ty: Type) -> Value {
        if self.below(6) == 0 {
            return Value::Null.fit(ty);
        }
        let small = i64::try_from(self.below(9)).expect("a small number") - 4;
        match ty {
            Type::Bool => Value::Bool(small > 0),
            Type::Int => Value::Int(self.one(&[0, 1, -1, 2, 7, i32::MIN, i32::MAX])),
            Type::Long => Value::Long(self.one(&[small, 0, 1, -1, 100, i64::MIN, i64::MAX])),
            Type::Real => Value::Real(self.one(&[
                f64::NAN,
                f64::INFINITY,
                -1e300,
                -0.0,
                0.0,
                0.1,
                2.5,
                small as f64,
            ])),
            Type::Decimal => Value::Real(self.one(&[0.1, -2.5, 0.0, 1e20])).convert(ty),
            Type::DateTime => Value::DateTime(self.one(&[
                0,
                6 * 864_000_000_000,
                MAX_DATETIME_TICKS,
                638_500_000_123_456_789,
                639_000_000_000_000_000,
            ])),
            Type::Timespan => Value::Timespan(self.one(&[
                0,
                1,
                -36_000_000_001,
                864_000_000_000,
                i64::MIN,
                i64::MAX,
            ])),
            Type::String => Value::from(self.text()),
            Type::Guid => Value::Guid(self.one(&[0, 5, u128::MAX])),
            Type::Dynamic => match self.below(3) {
                0 => Value::dynamic(Json::String(self.text().into())),
                1 => {
                    let ty = self.one(&TYPES[..9]);
                    Value::dynamic(Json::from_value(&self.value(ty)))
                }
                _ => {
                    arrays::dynamic(self.one(&["[]", "[1,\"a\",null,{\"b\":2.5}]", "{\"b\":[1]}"]))
                }
            },
        }
    }
}

fn column(values: &[Value], ty: Type) -> ArrayRef {
    arrays::array(values.iter(), ty)
}

/// A value as it comes out of a column of its type.
fn through(value: &Value, ty: Type) -> Value {
    arrays::value(&column(std::slice::from_ref(value), ty), 0, ty)
}

/// What a body gives of columns, or of one cell that stands for all rows.
fn over(body: Lift, types: &[Type], ty: Type, columns: Vec<ColumnarValue>) -> Vec<Value> {
    let field = |ty: Type| Arc::new(Field::new("c", arrays::arrow_type(ty), true));
    let function = Lifted {
        body,
        name: String::new(),
        types: types.to_vec(),
        ty,
        signature: row::signature(types.len()),
    };
    let arguments = ScalarFunctionArgs {
        args: columns,
        arg_fields: types.iter().map(|ty| field(*ty)).collect(),
        number_rows: ROWS,
        return_field: field(ty),
        config_options: Arc::new(ConfigOptions::default()),
    };
    let given = function.invoke_with_args(arguments).expect("an answer");
    let given = given.into_array(ROWS).expect("a column");
    assert_eq!(given.len(), ROWS);
    (0..ROWS)
        .map(|row| arrays::value(&given, row, ty))
        .collect()
}

/// Checks a body against what it stands for, once with columns, once with a constant among them.
fn check(
    dice: &mut Dice,
    body: Lift,
    types: &[Type],
    ty: Type,
    by_value: &dyn Fn(&[Value]) -> Value,
) {
    let mut rows: Vec<Vec<Value>> = types
        .iter()
        .map(|ty| {
            let values = (0..ROWS).map(|_| through(&dice.value(*ty), *ty));
            values.collect()
        })
        .collect();
    for constant in [None, Some(dice.below(types.len().max(1)))] {
        if let Some(values) = constant.and_then(|at| rows.get_mut(at)) {
            let first = values[0].clone();
            values.fill(first);
        }
        let columns = rows
            .iter()
            .zip(types)
            .enumerate()
            .map(|(at, (values, ty))| {
                let array = column(values, *ty);
                match constant == Some(at) {
                    true => {
                        let cell = ScalarValue::try_from_array(&array, 0).expect("a cell");
                        ColumnarValue::Scalar(cell)
                    }
                    false => ColumnarValue::Array(array),
                }
            });
        let given = over(body, types, ty, columns.collect());
        for (row, given) in given.iter().enumerate() {
            let arguments: Vec<Value> = rows.iter().map(|values| values[row].clone()).collect();
            let wanted = through(&by_value(&arguments).fit(ty), ty);
            assert_eq!(*given, wanted, "{body:?} {types:?} of {arguments:?}");
        }
    }
}

#[test]
fn functions_give_the_same_of_columns_and_of_values() {
    let env = Env::default();
    let lifted = function::all().chain(function::internal("split_part"));
    let lifted: Vec<&'static Function> = lifted.filter(|f| f.body.is_some()).collect();
    let mut dice = Dice(42);
    let mut checked = BTreeSet::new();
    for function in &lifted {
        let (fewest, most) = function.arguments;
        let mut times = 0;
        for _ in 0..9000 {
            let count = fewest + dice.below(most.min(fewest + 3) - fewest + 1);
            let types: Vec<Type> = (0..count).map(|_| dice.one(&TYPES)).collect();
            let Ok(ty) = function.check(&types) else {
                continue;
            };
            let by_value = |values: &[Value]| function.call(&env, ty, values);
            check(&mut dice, Lift::Call(function), &types, ty, &by_value);
            checked.insert(function.name);
            times += 1;
            if times == 40 {
                break;
            }
        }
    }
    let all: BTreeSet<&str> = lifted.iter().map(|f| f.name).collect();
    assert_eq!(checked, all, "each has types that it is checked for");
}

/// Where only the text of an argument counts, its text may stand for it.
#[test]
fn a_dynamic_is_as_its_text_where_only_that_counts() {
    let env = Env::default();
    let mut dice = Dice(7);
    let lifted = function::all().filter_map(|f| Some((f, f.body?)));
    for (function, body) in lifted.filter(|(_, body)| body.texts != 0) {
        let (fewest, most) = function.arguments;
        for _ in 0..600 {
            let count = fewest + dice.below(most.min(fewest + 3) - fewest + 1);
            let types: Vec<Type> = (0..count)
                .map(|at| match (body.texts >> at) & 1 {
                    1 => Type::Dynamic,
                    _ => dice.one(&TYPES),
                })
                .collect();
            let Ok(ty) = function.check(&types) else {
                continue;
            };
            let values: Vec<Value> = types.iter().map(|ty| dice.value(*ty)).collect();
            let texts = values
                .iter()
                .enumerate()
                .map(|(at, value)| match (body.texts >> at) & 1 {
                    1 => Value::from(&*value.text()),
                    _ => value.clone(),
                });
            let texts: Vec<Value> = texts.collect();
            assert_eq!(
                function.call(&env, ty, &texts),
                function.call(&env, ty, &values),
                "{} of {values:?}",
                function.name
            );
        }
    }
}

#[test]
fn operators_give_the_same_of_columns_and_of_values() {
    use ArithmeticOp as A;
    use CompareOp as C;
    let mut dice = Dice(99);
    for a in TYPES {
        for b in TYPES {
            for op in [
                C::Equal,
                C::NotEqual,
                C::Less,
                C::LessEqual,
                C::Greater,
                C::GreaterEqual,
            ] {
                if compare_type(op, a, b).is_ok() && fits(Lift::Compare(op), &[a, b]) {
                    let by_value = |v: &[Value]| operate::compare(op, &v[0], &v[1]);
                    check(&mut dice, Lift::Compare(op), &[a, b], Type::Bool, &by_value);
                }
            }
            for op in [A::Add, A::Subtract, A::Multiply, A::Divide, A::Modulo] {
                if let Ok(ty) = arithmetic_type(op, a, b)
                    && fits(Lift::Arithmetic(op), &[a, b])
                {
                    let by_value = |v: &[Value]| operate::arithmetic(op, &v[0], &v[1]);
                    check(&mut dice, Lift::Arithmetic(op), &[a, b], ty, &by_value);
                }
            }
            for c in TYPES {
                if between_type(a, b, c).is_ok() && fits(Lift::Between(true), &[a, b, c]) {
                    for negated in [false, true] {
                        let by_value = |v: &[Value]| operate::between(negated, &v[0], &v[1], &v[2]);
                        let types = [a, b, c];
                        check(
                            &mut dice,
                            Lift::Between(negated),
                            &types,
                            Type::Bool,
                            &by_value,
                        );
                    }
                }
            }
            let op = MatchOp {
                kind: dice.one(&[MatchKind::Has, MatchKind::Equal, MatchKind::EndsWith]),
                case_sensitive: false,
                negated: dice.below(2) == 0,
            };
            if match_type(op, a, b).is_ok() {
                let by_value =
                    |v: &[Value]| Value::Bool(Matcher::apply_each(op, v[0].cell(), v[1].cell()));
                check(&mut dice, Lift::Match(op), &[a, b], Type::Bool, &by_value);
            }
            let fit = |v: &[Value]| v[0].clone().fit(b);
            check(&mut dice, Lift::Fit, &[a], b, &fit);
        }
        if let Ok(ty) = negate_type(a)
            && fits(Lift::Negate, &[a])
        {
            let by_value = |v: &[Value]| operate::negate(&v[0]);
            check(&mut dice, Lift::Negate, &[a], ty, &by_value);
        }
        check(
            &mut dice,
            Lift::Cast,
            &[Type::Dynamic],
            a,
            &|v: &[Value]| v[0].cast(a),
        );
    }
    let bin = function::get("bin").expect("it is one");
    for types in [
        [Type::Long, Type::Long],
        [Type::Int, Type::Long],
        [Type::DateTime, Type::Timespan],
        [Type::Timespan, Type::Timespan],
    ] {
        let ty = bin.check(&types).expect("it takes them");
        let by_value = |v: &[Value]| bin.call(&Env::default(), ty, v);
        check(&mut dice, Lift::Bin, &types, ty, &by_value);
    }
}
