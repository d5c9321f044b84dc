//! Both forms of each aggregate give the same, for random rows of all types that it takes.

use super::*;
use crate::function::aggregate::all;
use crate::function::value::{Decimal, UNIX_EPOCH_TICKS};

/// Numbers that are the same in every run.
struct Dice {
    state: u64,
    /// The greatest of its whole numbers.
    greatest: i64,
}

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % n
    }

    fn value(&mut self, ty: Type) -> Value {
        let n = i64::try_from(self.below(7)).expect("a small number") - 3;
        if self.below(5) == 0 {
            return match ty {
                Type::String => Value::String("".into()),
                _ => Value::Null,
            };
        }
        match ty {
            Type::Bool => Value::Bool(n > 0),
            Type::Int => Value::Int(i32::try_from(n).expect("a small number")),
            Type::Long if n == 3 => Value::Long(self.greatest),
            Type::Long => Value::Long(n),
            Type::Real if n == 3 => Value::Real(f64::NAN),
            Type::Real if n == 2 => Value::Real(-0.0),
            Type::Real => Value::Real(n as f64 / 4.0),
            Type::Decimal => Value::Decimal(Decimal::from(n)),
            Type::DateTime => Value::DateTime(UNIX_EPOCH_TICKS + n),
            Type::Timespan => Value::Timespan(n * 1000),
            Type::String => Value::String(
                ["a", "b", "\"ä\n", "null", "[1]", "A", " "][n.unsigned_abs() as usize].into(),
            ),
            Type::Guid => Value::Guid(u128::from(n.unsigned_abs())),
            Type::Dynamic => {
                let texts = [
                    "[1,\"a\",null,[2]]",
                    "{\"b\":1,\"a\":2}",
                    "{\"a\":2,\"b\":1}",
                    "1",
                    "1.0",
                    "\"a\"",
                    "true",
                ];
                arrays::dynamic(texts[(n + 3).unsigned_abs() as usize])
            }
        }
    }
}

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

const GROUPS: usize = 4;

/// Types of the arguments of an aggregate whose first one is of this type, and its constants.
fn arguments(aggregate: &Aggregate, first: Type) -> (Vec<Type>, Vec<Option<Value>>) {
    let mut types = vec![first];
    let mut constants = vec![None];
    let second = matches!(
        aggregate.columnar,
        Some(Columnar::Spread { of_two: true, .. })
    );
    if second {
        types.push(Type::Long);
        constants.push(None);
    }
    if let Some(Columnar::Row(_)) = aggregate.columnar
        && aggregate.predicate.is_none()
    {
        types.extend([Type::String, Type::Dynamic, Type::Real]);
        constants.extend([None, None, None]);
    }
    match aggregate.predicate {
        Some(0) => (types, constants) = (vec![Type::Bool], vec![None]),
        Some(_) => {
            types.push(Type::Bool);
            constants.push(None);
        }
        None => {}
    }
    match aggregate.columnar {
        Some(Columnar::Percentiles) => {
            types.push(Type::Long);
            constants.push(Some(Value::Long(50)));
            if aggregate.arguments.1 > 2 {
                types.push(Type::Real);
                constants.push(Some(Value::Real(99.5)));
            }
        }
        Some(Columnar::Set { .. } | Columnar::List { .. })
            if aggregate.arguments.1 > types.len() =>
        {
            types.push(Type::Long);
            constants.push(Some(Value::Long(5)));
        }
        _ => {}
    }
    (types, constants)
}

fn columns(rows: &[Vec<Value>], types: &[Type]) -> Vec<ArrayRef> {
    let column = |(i, ty): (usize, &Type)| arrays::array(rows.iter().map(|row| &row[i]), *ty);
    types.iter().enumerate().map(column).collect()
}

/// The answer of a group as text, reals without what adding in another order changes.
fn told(values: &[Value]) -> String {
    let one = |value: &Value| match value {
        Value::Real(n) if n.abs() < 1e-6 => "0".into(),
        Value::Real(n) if n.is_finite() => format!("{n:.9e}"),
        other => format!("{other:?}"),
    };
    values.iter().map(one).collect::<Vec<_>>().join(" | ")
}

fn answers(column: &ArrayRef, results: &[Type]) -> Vec<String> {
    let columns: Vec<ArrayRef> = match column.as_struct_opt() {
        Some(packed) => packed.columns().to_vec(),
        None => vec![Arc::clone(column)],
    };
    let row = |row| -> Vec<Value> {
        let cells = columns.iter().zip(results);
        cells
            .map(|(column, ty)| arrays::value(column, row, *ty))
            .collect()
    };
    (0..column.len()).map(|r| told(&row(r))).collect()
}

/// Checks one aggregate over one batch after the other. Long, since all ways to feed an accumulator share its rows.
fn check(aggregate: &Aggregate, first: Type, seed: u64) -> bool {
    let (types, constants) = arguments(aggregate, first);
    let (Ok(results), Some(kernel)) = (
        aggregate.types(&types, &constants),
        Kernel::of(aggregate, &types, &constants),
    ) else {
        return false;
    };
    // Distances from a mean get lost beside the largest numbers, in one order more than in another.
    let spread = matches!(aggregate.columnar, Some(Columnar::Spread { .. }));
    let mut dice = Dice {
        state: seed,
        greatest: if spread { 1000 } else { i64::MAX },
    };
    let rows: Vec<Vec<Value>> = (0..60)
        .map(|_| {
            let fixed = constants.iter().zip(&types);
            fixed
                .map(|(constant, ty)| constant.clone().unwrap_or_else(|| dice.value(*ty)))
                .collect()
        })
        .collect();
    // The last group has no row.
    let groups: Vec<usize> = rows
        .iter()
        .map(|_| usize::try_from(dice.below(GROUPS as u64 - 1)).expect("a small number"))
        .collect();
    let by_row: Vec<String> = (0..GROUPS)
        .map(|g| {
            let mut state = aggregate.accumulator(&types, &constants);
            let own = rows.iter().zip(&groups).filter(|(_, group)| **group == g);
            own.for_each(|(row, _)| state.add(row));
            // As a column has it: JSON text has no NaN.
            let kept = |(value, ty): (&Value, &Type)| {
                arrays::value(&arrays::array(std::iter::once(value), *ty), 0, *ty)
            };
            let all = state.finish_all();
            told(&all.iter().zip(&results).map(kept).collect::<Vec<_>>())
        })
        .collect();
    let what = format!("{} of {first:?}, seed {seed}", aggregate.name);
    let batches = || rows.chunks(17).zip(groups.chunks(17));
    let fed = || {
        let mut all = kernel.groups().expect("it has groups");
        for (rows, groups) in batches() {
            all.update_batch(&columns(rows, &types), groups, None, GROUPS)
                .expect("it takes rows");
        }
        all
    };
    let whole = fed().evaluate(EmitTo::All).expect("it answers");
    assert_eq!(answers(&whole, &results), by_row, "{what}");

    // In two halves, whose states are joined; the second one without being grouped first.
    let mut joined = kernel.groups().expect("it has groups");
    let (half, group_half) = (rows.split_at(30), groups.split_at(30));
    let mut one = kernel.groups().expect("it has groups");
    one.update_batch(&columns(half.0, &types), group_half.0, None, GROUPS)
        .expect("it takes rows");
    let own: Vec<usize> = (0..GROUPS).collect();
    joined
        .merge_batch(
            &one.state(EmitTo::All).expect("it has a state"),
            &own,
            GROUPS,
        )
        .expect("it takes a state");
    let raw = one
        .convert_to_state(&columns(half.1, &types), None)
        .expect("rows have a state");
    joined
        .merge_batch(&raw, group_half.1, GROUPS)
        .expect("it takes a state");
    let joined = joined.evaluate(EmitTo::All).expect("it answers");
    assert_eq!(answers(&joined, &results), by_row, "joined: {what}");

    // The first groups go before the others.
    let mut parts = fed();
    let first_two = parts.evaluate(EmitTo::First(2)).expect("it answers");
    let mut told = answers(&first_two, &results);
    told.extend(answers(
        &parts.evaluate(EmitTo::All).expect("it answers"),
        &results,
    ));
    assert_eq!(told, by_row, "in parts: {what}");
    true
}

#[test]
fn columns_give_what_rows_give() {
    let mut checked = std::collections::BTreeSet::new();
    for aggregate in all().filter(|a| a.columnar.is_some()) {
        for ty in TYPES {
            for seed in 1..30 {
                if check(aggregate, ty, seed * 7919) {
                    checked.insert(aggregate.name);
                }
            }
        }
    }
    let all: std::collections::BTreeSet<&str> = all()
        .filter(|a| a.columnar.is_some())
        .map(|a| a.name)
        .collect();
    assert_eq!(checked, all, "each has types that it is checked for");
}

#[test]
fn all_rows_are_one_group_also_where_there_is_none() {
    let sum = all().find(|a| a.name == "sum").expect("there is one");
    let kernel = Kernel::of(sum, &[Type::Long], &[None]).expect("it has columns");
    let mut whole = kernel.whole().expect("it starts");
    assert_eq!(
        whole.evaluate().expect("it answers"),
        ScalarValue::Int64(Some(0))
    );
}
