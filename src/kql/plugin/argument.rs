//! What a plugin takes: rows, parameters and the arguments for them.

use crate::function::aggregate::Aggregate;
use crate::function::value::{Type, Value};

/// Rows in memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Names and types of the columns.
    pub columns: Vec<(String, Type)>,
    /// A value for each column, of its type or null.
    pub rows: Vec<Vec<Value>>,
}

/// A parameter of a [`Plugin`](super::Plugin).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, which may be written before the argument; `*` where any name may.
    pub name: &'static str,
    /// What it takes.
    pub form: Form,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A scalar: [`Given::Column`] where it is a column and nothing else, [`Given::Constant`] where it has one value for all rows,
    /// [`Given::Computed`] otherwise.
    Scalar,
    /// A call of an aggregate function, or a [`Form::Scalar`].
    Aggregate,
    /// A table.
    Table,
    /// The name of a column of the table among the arguments: [`Given::Column`] with its position there.
    TableColumn,
}

/// What the columns of a result depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// On the arguments and the columns of the input.
    Fixed,
    /// On the rows too.
    FromData,
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// What is written before its `=`.
    pub label: Option<String>,
    /// What it is.
    pub given: Given,
}

/// What an argument is.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A column, by its position.
    Column(usize),
    /// One value for all rows.
    Constant(Value, Type),
    /// An expression over the row.
    Computed {
        /// The name of its column: its label, or the one Kusto makes.
        name: String,
        /// The type of its values.
        ty: Type,
        /// The columns it reads.
        reads: Vec<usize>,
        /// Its value in each row of the input; none where only the columns of the result are wanted.
        values: Vec<Value>,
    },
    /// A table; without rows where only the columns of the result are wanted.
    Table(Rows),
    /// An aggregate function, with arguments of [`Form::Scalar`].
    Aggregate(&'static Aggregate, Vec<Given>),
}

impl Rows {
    /// The same with the columns that a query writes after the call, `: (a:string, *)`: by name, converted, null where there is
    /// none. Where a `*` stands among them, those of the input that are still there come first.
    pub fn shaped(self, wanted: &[(String, Type)], star: Option<&[(String, Type)]>) -> Rows {
        let at = |name: &str| self.columns.iter().position(|(known, _)| known == name);
        let mut columns: Vec<(String, Type)> = Vec::new();
        for (name, _) in star.unwrap_or_default() {
            let listed = wanted.iter().any(|(known, _)| known == name);
            if let Some(column) = at(name).and_then(|at| self.columns.get(at))
                && !listed
            {
                columns.push(column.clone());
            }
        }
        columns.extend_from_slice(wanted);
        let places: Vec<(Option<usize>, Type)> =
            columns.iter().map(|(name, ty)| (at(name), *ty)).collect();
        let rows = self.rows.iter().map(|row| {
            let cell = |(at, ty): &(Option<usize>, Type)| {
                let value = at.and_then(|at| row.get(at)).cloned();
                value.unwrap_or_default().fit(*ty)
            };
            places.iter().map(cell).collect()
        });
        let rows = rows.collect();
        Rows { columns, rows }
    }
}

/// A name that no column has yet: `x`, `x1`, `x2`; `Column1` where it is empty, as Kusto names columns without one.
pub(super) fn fresh(name: &str, columns: &[(String, Type)]) -> String {
    let taken = |name: &str| name.is_empty() || columns.iter().any(|(known, _)| known == name);
    let base = if name.is_empty() { "Column" } else { name };
    let mut own = name.to_owned();
    let mut count = 0_u64;
    while taken(&own) {
        count += 1;
        own = format!("{base}{count}");
    }
    own
}

/// A parameter that is a scalar.
pub(super) const fn scalar(name: &'static str) -> Parameter {
    Parameter {
        name,
        form: Form::Scalar,
    }
}
