//! A plugin: one row of the table, and how it is called.

use super::argument::{Argument, Columns, Parameter, Rows};
use super::call::Call;
use crate::function::value::{Type, Value};

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
    /// The result.
    pub(super) rows: fn(&Call) -> Result<Rows, String>,
}

/// Names are given once.
impl PartialEq for Plugin {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
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
