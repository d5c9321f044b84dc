//! An aggregate function: one row of the table.

use super::accumulator::Accumulator;
use super::extreme::Choice;
use super::state::holds;
use crate::function::result_name::ResultName;
use crate::function::value::{Json, Type, Value};

/// Gives the type of a result from the types of the arguments and the values of those that are constant.
pub type Check = fn(&[Type], &[Option<Value>]) -> Result<Type, String>;
/// Gives an accumulator for arguments of those types and, where they are constant, values.
pub type Start = fn(&[Type], &[Option<Value>]) -> Box<dyn Accumulator>;

/// An aggregate function.
#[derive(Debug)]
pub struct Aggregate {
    /// Its name.
    pub name: &'static str,
    /// How many arguments it takes, at least and at most. A `*` counts as the columns it stands for.
    pub arguments: (usize, usize),
    /// The argument that says which rows count, as in `countif`.
    pub predicate: Option<usize>,
    /// How a column of its results is named.
    pub names: ResultName,
    /// Whether the same rows may give another answer in another order.
    pub minds_order: bool,
    /// Which result columns it has.
    pub results: Results,
    /// How it is worked out over whole columns, where it can be.
    pub columnar: Option<Columnar>,
    /// What it gives, in a sentence.
    pub doc: &'static str,
    /// A query that needs no table.
    pub example: &'static str,
    /// The one row of the example's answer: cells as `tostring` gives them, joined by `, `.
    pub answer: &'static str,
    /// Type of its result, or of its first result column; says what is wrong with the arguments otherwise.
    /// [`Aggregate::types`] checks more.
    pub ty: Check,
    /// An accumulator that has seen no row and knows nothing of [`Aggregate::predicate`]; use [`Aggregate::accumulator`].
    pub start: Start,
}

/// Result columns of an [`Aggregate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Results {
    /// One.
    One,
    /// One for each argument, of its type: `arg_max`, `take_any`.
    Arguments,
    /// One for each argument from this one on, all of one type: `percentiles`.
    From(usize),
}

/// What an [`Aggregate`] does with whole columns and many groups at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columnar {
    /// Counts rows.
    Count,
    /// Adds.
    Sum,
    /// Adds, and divides by the number of values.
    Average,
    /// Keeps the least value.
    Least,
    /// Keeps the greatest value.
    Greatest,
    /// Variance, or its square root, of one argument; covariance of two.
    Spread {
        /// Of two arguments.
        of_two: bool,
        /// Its square root.
        deviation: bool,
        /// The rows are a sample of all.
        sample: bool,
    },
    /// Counts different values.
    Distinct,
    /// Lists different values, at most so many where no limit is written.
    Set {
        /// So many.
        limit: usize,
    },
    /// Lists values, at most so many where no limit is written.
    List {
        /// Nulls are among them.
        nulls: bool,
        /// So many.
        limit: usize,
    },
    /// Keeps a row.
    Row(Choice),
    /// Finds nearest ranks of percentages.
    Percentiles,
}

/// Names are given once.
impl PartialEq for Aggregate {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Aggregate {
    /// Types of the result columns.
    ///
    /// # Errors
    ///
    /// Says what is wrong with number or types of the arguments.
    pub fn types(&self, types: &[Type], constants: &[Option<Value>]) -> Result<Vec<Type>, String> {
        let (least, most) = self.arguments;
        if types.len() < least || types.len() > most {
            let wanted = if least == most {
                format!("{least}")
            } else if most == usize::MAX {
                format!("at least {least}")
            } else {
                format!("{least} to {most}")
            };
            return Err(format!(
                "`{}` takes {wanted} arguments, not {}",
                self.name,
                types.len()
            ));
        }
        if let Some(index) = self.predicate
            && let Some(ty) = types.get(index)
            && !matches!(ty, Type::Bool | Type::Dynamic)
        {
            return Err(format!(
                "argument {} of `{}` must be `bool`, not `{}`",
                index + 1,
                self.name,
                ty.name()
            ));
        }
        let first =
            (self.ty)(types, constants).map_err(|reason| format!("`{}`: {reason}", self.name))?;
        Ok(match self.results {
            Results::One => vec![first],
            Results::Arguments => types.to_vec(),
            Results::From(index) => vec![first; types.len().saturating_sub(index)],
        })
    }

    /// An accumulator that has seen no row.
    pub fn accumulator(&self, types: &[Type], constants: &[Option<Value>]) -> Box<dyn Accumulator> {
        let inner = (self.start)(types, constants);
        match self.predicate {
            Some(predicate) => Box::new(If { inner, predicate }),
            None => inner,
        }
    }
}

/// Lets only the rows through for which a predicate holds.
#[derive(Debug)]
struct If {
    inner: Box<dyn Accumulator>,
    predicate: usize,
}

impl Accumulator for If {
    fn add(&mut self, row: &[Value]) {
        if row.get(self.predicate).is_some_and(holds) {
            self.inner.add(row);
        }
    }

    fn finish(&mut self) -> Value {
        self.inner.finish()
    }

    fn finish_all(&mut self) -> Vec<Value> {
        self.inner.finish_all()
    }

    fn save(&self) -> Json {
        self.inner.save()
    }

    fn merge(&mut self, state: &Json) {
        self.inner.merge(state);
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
