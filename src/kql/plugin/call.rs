//! The arguments of a call as plugins read them.

use std::collections::BTreeMap;

use super::argument::{Argument, Given, Parameter, Rows};
use crate::function::value::{Key, Type, Value};

/// A call: the input and the arguments, each at the place of its parameter.
pub(super) struct Call<'a> {
    pub(super) columns: &'a [(String, Type)],
    pub(super) rows: &'a [Vec<Value>],
    pub(super) parameters: &'static [Parameter],
    pub(super) arguments: Vec<Option<&'a Argument>>,
}

/// A scalar argument: a name, a type and a value for each row.
pub(super) struct Scalar<'a> {
    pub(super) name: &'a str,
    pub(super) ty: Type,
    source: Source<'a>,
}

enum Source<'a> {
    Column(&'a [Vec<Value>], usize),
    Constant(&'a Value),
    Values(&'a [Value]),
}

/// Rows that agree in some scalars.
pub(super) struct Group {
    /// The values they agree in.
    pub(super) values: Vec<Value>,
    /// Positions of the rows.
    pub(super) rows: Vec<usize>,
}

impl Scalar<'_> {
    /// Its value in the row at that position.
    pub(super) fn value(&self, row: usize) -> &Value {
        static NULL: Value = Value::Null;
        let value = match self.source {
            Source::Column(rows, at) => rows.get(row).and_then(|row| row.get(at)),
            Source::Constant(value) => Some(value),
            Source::Values(values) => values.get(row),
        };
        value.unwrap_or(&NULL)
    }

    /// As a column of the result.
    pub(super) fn column(&self) -> (String, Type) {
        (self.name.to_owned(), self.ty)
    }
}

impl<'a> Call<'a> {
    /// The name of the parameter at that place.
    pub(super) fn name(&self, at: usize) -> &'static str {
        let parameter = self.parameters.get(at).or(self.parameters.last());
        parameter.map_or("", |parameter| parameter.name)
    }

    pub(super) fn given(&self, at: usize) -> Option<&'a Given> {
        let argument = self.arguments.get(at).copied().flatten();
        argument.map(|argument| &argument.given)
    }

    fn need(&self, at: usize) -> Result<&'a Given, String> {
        let missing = || format!("`{}` is missing", self.name(at));
        self.given(at).ok_or_else(missing)
    }

    /// The scalar at that place.
    pub(super) fn scalar(&self, at: usize) -> Result<Scalar<'a>, String> {
        self.as_scalar(self.need(at)?)
            .ok_or_else(|| format!("`{}` must be a scalar", self.name(at)))
    }

    pub(super) fn as_scalar(&self, given: &'a Given) -> Option<Scalar<'a>> {
        Some(match given {
            Given::Column(at) => {
                let (name, ty) = self.columns.get(*at)?;
                let source = Source::Column(self.rows, *at);
                Scalar {
                    name,
                    ty: *ty,
                    source,
                }
            }
            Given::Constant(value, ty) => Scalar {
                name: "Column1",
                ty: *ty,
                source: Source::Constant(value),
            },
            Given::Computed {
                name, ty, values, ..
            } => Scalar {
                name,
                ty: *ty,
                source: Source::Values(values),
            },
            Given::Table(_) | Given::Aggregate(..) => return None,
        })
    }

    /// The scalars from that place on.
    pub(super) fn scalars(&self, from: usize) -> Result<Vec<Scalar<'a>>, String> {
        (from..self.arguments.len())
            .map(|at| self.scalar(at))
            .collect()
    }

    /// The column at that place.
    pub(super) fn column(&self, at: usize) -> Result<usize, String> {
        match self.need(at)? {
            Given::Column(column) => Ok(*column),
            _ => Err(format!("`{}` must be a column", self.name(at))),
        }
    }

    /// The constant at that place; nothing where there is none.
    pub(super) fn optional(&self, at: usize) -> Result<Option<&'a Value>, String> {
        match self.given(at) {
            None => Ok(None),
            Some(Given::Constant(value, _)) => Ok(Some(value)),
            Some(_) => Err(format!("`{}` must be a constant", self.name(at))),
        }
    }

    /// The constant at that place.
    pub(super) fn constant(&self, at: usize) -> Result<&'a Value, String> {
        let missing = || format!("`{}` is missing", self.name(at));
        self.optional(at)?.ok_or_else(missing)
    }

    /// The whole number at that place, not below zero.
    pub(super) fn count(&self, at: usize) -> Result<usize, String> {
        let count = self.constant(at)?.to_long();
        let count = count.and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| format!("`{}` must be a whole number, not below 0", self.name(at)))
    }

    /// The table at that place.
    pub(super) fn table(&self, at: usize) -> Result<&'a Rows, String> {
        match self.need(at)? {
            Given::Table(table) => Ok(table),
            _ => Err(format!("`{}` must be a table", self.name(at))),
        }
    }

    /// The rows by the values of some scalars, in the order of their keys.
    pub(super) fn groups(&self, by: &[Scalar]) -> Vec<Group> {
        let mut groups: BTreeMap<Vec<Key>, Group> = BTreeMap::new();
        for row in 0..self.rows.len() {
            let values = by.iter().map(|scalar| scalar.value(row));
            let key = values.clone().map(Value::key).collect();
            let group = groups.entry(key).or_insert_with(|| Group {
                values: values.cloned().collect(),
                rows: Vec::new(),
            });
            group.rows.push(row);
        }
        groups.into_values().collect()
    }
}
