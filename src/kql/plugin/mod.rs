//! The plugins of `evaluate`, and the operators `scan` and `reduce`: rows in memory to rows in memory.
//!
//! One table ([`all`]) drives calls, help and tests. A plugin says of which [`Form`] each argument is; whoever calls it compiles and
//! evaluates them. Nothing here resolves names of tables or of columns, [`scan`] aside.
//!
//! Plugins whose algorithm is not documented (`autocluster`, `diffpatterns`), that need what is not here (`dcount_intersect`), or that reach out (`http_request`, `python`) are not supported.

mod activity;
mod bag;
mod basket;
mod call;
mod lookup;
mod pivot;
pub mod reduce;
mod rolling;
pub mod scan;
mod sequence;
mod timeline;

use super::aggregate::Aggregate;
use super::value::{Type, Value};
use call::Call;

/// Rows in memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Names and types of the columns.
    pub columns: Vec<(String, Type)>,
    /// A value for each column, of its type or null.
    pub rows: Vec<Vec<Value>>,
}

/// A plugin of `evaluate`.
pub struct Plugin {
    /// Its name.
    pub name: &'static str,
    /// Fewest and most arguments; `usize::MAX` stands for any number.
    pub arguments: (usize, usize),
    /// What it takes; the last parameter stands for all further arguments.
    pub parameters: &'static [Parameter],
    /// Whether the columns of the result are known without the rows.
    pub columns: Columns,
    /// One line: signature and what it returns.
    pub doc: &'static str,
    /// A query that runs without data.
    pub example: &'static str,
    /// The whole answer of the example: names of columns, then rows, joined by `; `, cells by `, `.
    pub answer: &'static str,
    rows: fn(&Call) -> Result<Rows, String>,
}

/// A parameter of a [`Plugin`].
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
#[derive(Debug, Clone)]
pub struct Argument {
    /// What is written before its `=`.
    pub label: Option<String>,
    /// What it is.
    pub given: Given,
}

/// What an argument is.
#[derive(Debug, Clone)]
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

impl Plugin {
    /// What the argument at that place takes, with what is written before its `=`.
    ///
    /// # Errors
    ///
    /// There is no such parameter.
    pub fn parameter(&self, at: usize, label: Option<&str>) -> Result<&'static Parameter, String> {
        self.place(at, label).and_then(|at| {
            let parameter = self.parameters.get(at).or(self.parameters.last());
            parameter.ok_or_else(|| format!("`{}` takes no arguments", self.name))
        })
    }

    /// The columns of the result, where they do not depend on the rows. Computed columns and tables need no rows for this.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments.
    pub fn schema(
        &self,
        columns: &[(String, Type)],
        arguments: &[Argument],
    ) -> Result<Option<Vec<(String, Type)>>, String> {
        let made = self.call(columns, &[], arguments)?;
        Ok((self.columns == Columns::Fixed).then_some(made.columns))
    }

    /// The result.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments, or with the rows.
    pub fn run(&self, input: &Rows, arguments: &[Argument]) -> Result<Rows, String> {
        self.call(&input.columns, &input.rows, arguments)
    }

    fn call(
        &self,
        columns: &[(String, Type)],
        rows: &[Vec<Value>],
        arguments: &[Argument],
    ) -> Result<Rows, String> {
        let (fewest, most) = self.arguments;
        let count = arguments.len();
        if count < fewest || count > most {
            let wanted = match most {
                usize::MAX => format!("at least {fewest}"),
                most if most == fewest => fewest.to_string(),
                most => format!("{fewest} to {most}"),
            };
            let name = self.name;
            return Err(format!("`{name}` takes {wanted} arguments, not {count}"));
        }
        let mut placed: Vec<Option<&Argument>> = Vec::with_capacity(count);
        for (at, argument) in arguments.iter().enumerate() {
            let place = self.place(at, argument.label.as_deref())?;
            if placed.len() <= place {
                placed.resize(place + 1, None);
            }
            match placed.get_mut(place) {
                Some(free @ None) => *free = Some(argument),
                _ => {
                    return Err(format!(
                        "`{}`: argument {} is there twice",
                        self.name,
                        at + 1
                    ));
                }
            }
        }
        let call = Call {
            columns,
            rows,
            parameters: self.parameters,
            arguments: placed,
        };
        (self.rows)(&call).map_err(|message| format!("`{}`: {message}", self.name))
    }

    /// Where an argument belongs; a label that names the last parameter leaves it where it is written.
    fn place(&self, at: usize, label: Option<&str>) -> Result<usize, String> {
        let Some(label) = label else {
            return Ok(at);
        };
        let last = self.parameters.len().saturating_sub(1);
        match self.parameters.iter().position(|p| p.name == label) {
            Some(place) if place < last => Ok(place),
            Some(_) => Ok(at.max(last)),
            None if self.parameters.last().is_some_and(|p| p.name == "*") => Ok(at),
            None => Err(format!("`{}` has no parameter `{label}`", self.name)),
        }
    }
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

const FAMILIES: [&[Plugin]; 7] = [
    activity::TABLE,
    bag::TABLE,
    basket::TABLE,
    lookup::TABLE,
    pivot::TABLE,
    rolling::TABLE,
    sequence::TABLE,
];

/// All plugins.
pub fn all() -> impl Iterator<Item = &'static Plugin> {
    FAMILIES.into_iter().flatten()
}

/// The plugin of that name.
pub fn get(name: &str) -> Option<&'static Plugin> {
    all().find(|plugin| plugin.name == name)
}

/// A name that no column has yet: `x`, `x1`, `x2`; `Column1` where it is empty, as Kusto names columns without one.
fn fresh(name: &str, columns: &[(String, Type)]) -> String {
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

const fn scalar(name: &'static str) -> Parameter {
    Parameter {
        name,
        form: Form::Scalar,
    }
}

#[cfg(test)]
mod tests;
