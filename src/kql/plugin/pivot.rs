//! `pivot`.

use std::collections::{BTreeMap, HashMap};

use super::argument::{Columns, Form, Given, Parameter, Rows, fresh, scalar};
use super::call::{Call, Scalar};
use super::definition::Plugin;
use crate::function::aggregate::{self, Accumulator, Aggregate};
use crate::function::value::{Key, Type, Value};

/// So many columns a rotated one may give.
const MAX_COLUMNS: usize = 10_000;

/// The aggregates of a row of the result, by column.
type Cells = BTreeMap<usize, Box<dyn Accumulator>>;

/// The aggregate of a call: types, constants and scalars of its arguments.
struct Measure<'a> {
    aggregate: &'static Aggregate,
    types: Vec<Type>,
    constants: Vec<Option<Value>>,
    scalars: Vec<Scalar<'a>>,
    ty: Type,
}

impl<'a> Measure<'a> {
    fn new(
        call: &Call<'a>,
        aggregate: &'static Aggregate,
        arguments: &'a [Given],
    ) -> Result<Self, String> {
        let scalars = arguments.iter().map(|given| call.as_scalar(given));
        let scalars: Option<Vec<Scalar>> = scalars.collect();
        let scalars = scalars.ok_or("an aggregate takes scalars")?;
        let types: Vec<Type> = scalars.iter().map(|scalar| scalar.ty).collect();
        let constant = |given: &Given| match given {
            Given::Constant(value, _) => Some(value.clone()),
            _ => None,
        };
        let constants: Vec<Option<Value>> = arguments.iter().map(constant).collect();
        let ty = match aggregate.types(&types, &constants)?.as_slice() {
            [ty] => *ty,
            _ => return Err(format!("`{}` gives several columns", aggregate.name)),
        };
        Ok(Measure {
            aggregate,
            types,
            constants,
            scalars,
            ty,
        })
    }

    fn start(&self) -> Box<dyn Accumulator> {
        self.aggregate.accumulator(&self.types, &self.constants)
    }
}

/// Columns that an argument reads.
fn reads(given: &Given) -> Vec<usize> {
    match given {
        Given::Column(at) => vec![*at],
        Given::Computed { reads, .. } => reads.clone(),
        Given::Aggregate(_, arguments) => arguments.iter().flat_map(reads).collect(),
        Given::Constant(..) | Given::Table(_) => Vec::new(),
    }
}

fn pivot(call: &Call) -> Result<Rows, String> {
    let rotated = call.scalar(0)?;
    let (measure, from) = match call.given(1) {
        Some(Given::Aggregate(aggregate, arguments)) => {
            (Measure::new(call, aggregate, arguments)?, 2)
        }
        _ => {
            let count = aggregate::get("count").ok_or("there is no `count`")?;
            (Measure::new(call, count, &[])?, 1)
        }
    };
    let all: Vec<Given> = (0..call.columns.len()).map(Given::Column).collect();
    let by = match call.arguments.len() > from {
        true => call.scalars(from)?,
        false => {
            let used: Vec<usize> = (0..from)
                .filter_map(|at| call.given(at))
                .flat_map(reads)
                .collect();
            let others = all.iter().enumerate().filter(|(at, _)| !used.contains(at));
            others
                .filter_map(|(_, given)| call.as_scalar(given))
                .collect()
        }
    };

    // Columns go by the order of their values, so that they do not depend on the order of the rows.
    let mut values: Vec<&Value> = Vec::new();
    let mut known: HashMap<Key, usize> = HashMap::new();
    let mut groups: Vec<(Vec<Value>, Cells)> = Vec::new();
    let mut places: HashMap<Vec<Key>, usize> = HashMap::new();
    let mut arguments = Vec::with_capacity(measure.scalars.len());
    for row in 0..call.rows.len() {
        let value = rotated.value(row);
        let column = *known.entry(value.key()).or_insert_with(|| {
            values.push(value);
            values.len() - 1
        });
        if column >= MAX_COLUMNS {
            return Err(format!("there would be more than {MAX_COLUMNS} columns"));
        }
        let cells = by.iter().map(|scalar| scalar.value(row));
        let place = *places
            .entry(cells.clone().map(Value::key).collect())
            .or_insert_with(|| {
                groups.push((cells.cloned().collect(), Cells::new()));
                groups.len() - 1
            });
        arguments.clear();
        arguments.extend(
            measure
                .scalars
                .iter()
                .map(|scalar| scalar.value(row).clone()),
        );
        if let Some((_, cells)) = groups.get_mut(place) {
            let cell = cells.entry(column).or_insert_with(|| measure.start());
            cell.add(&arguments);
        }
    }
    let mut order: Vec<(usize, &Value)> = values.into_iter().enumerate().collect();
    order.sort_by(|a, b| a.1.order(b.1));

    let mut columns: Vec<(String, Type)> = by.iter().map(Scalar::column).collect();
    for (_, value) in &order {
        columns.push((fresh(&value.text(), &columns), measure.ty));
    }
    let none = measure.start().finish().fit(measure.ty);
    let mut rows = Vec::with_capacity(groups.len());
    for (mut row, mut cells) in groups {
        row.extend(order.iter().map(|(column, _)| match cells.get_mut(column) {
            Some(cell) => cell.finish().fit(measure.ty),
            None => none.clone(),
        }));
        rows.push(row);
    }
    Ok(Rows { columns, rows })
}

pub(super) const TABLE: &[Plugin] = &[Plugin {
    name: "pivot",
    arguments: (1, usize::MAX),
    parameters: &[
        scalar("pivotColumn"),
        Parameter {
            name: "aggregationFunction",
            form: Form::Aggregate,
        },
        scalar("column"),
    ],
    columns: Columns::FromData,
    doc: "pivot(column, aggregate = count(), other columns, …): a column for each value of a column, with the aggregate of the rows that have it",
    example: "datatable(who:string, what:string)[\"ann\", \"read\", \"ann\", \"read\", \"bob\", \"write\"] | evaluate pivot(what)",
    answer: "who, read, write; ann, 2, 0; bob, 0, 1",
    rows: pivot,
}];
