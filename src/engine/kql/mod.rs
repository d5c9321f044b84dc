//! KQL on DataFusion: each tabular operator takes a plan and gives a plan; scalars are evaluated by [`crate::kql`].
//!
//! - `arrays`: Kusto's scalars in Arrow's columns.
//! - `row`: expressions and aggregates as functions of DataFusion.
//! - `relation`: a table on its way through a query.
//! - `statement`, `source`: what names mean, and where rows come from.
//! - `operator`, `union`, `join`, `group`, `expand`, `parse`, `search`, `series`, `window`, `external`: the tabular operators.
//! - `state`: values of aggregates on their way between threads.
//!
//! What is not supported is refused by name, with its place; nothing is left out in silence.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;

use super::{Session, Source};
use crate::error::{Error, Result};
use crate::kql;
use crate::kql::ast::Span;
use crate::kql::function::Env;
use crate::kql::span::Fault;
use crate::kql::value::{Type, Value};

mod arrays;
mod expand;
mod external;
mod group;
mod join;
mod operator;
mod parse;
mod relation;
mod row;
mod search;
mod series;
mod source;
mod state;
mod statement;
mod union;
mod window;

pub use external::External;

/// How to run a query.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `now()`, in ticks of 100 ns since 0001-01-01.
    pub now: i64,
    /// Tables from files.
    pub tables: Vec<(String, PathBuf)>,
    /// Files of `externaldata`.
    pub external: External,
}

/// The rows of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Names and types of the columns.
    pub columns: Vec<(String, Type)>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// Why a query cannot be run.
#[derive(Debug)]
pub(super) enum Failure {
    /// Faults of the query.
    Faults(Vec<Fault>),
    /// What DataFusion says.
    Engine(Error),
}

impl Failure {
    fn at(span: Span, message: impl Into<String>) -> Failure {
        Failure::Faults(vec![Fault::new(span, message)])
    }

    /// Something Kusto has and coldtrail has not.
    fn unsupported(span: Span, what: &str) -> Failure {
        Failure::at(span, format!("`{what}` is not supported"))
    }

    fn hint_near(mut self, word: &str, known: &[String]) -> Failure {
        if let Failure::Faults(faults) = &mut self
            && let Some(fault) = faults.last_mut()
        {
            fault.hint = crate::error::did_you_mean(word, known);
        }
        self
    }
}

impl From<DataFusionError> for Failure {
    fn from(e: DataFusionError) -> Self {
        Failure::Engine(e.into())
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Engine(e)
    }
}

impl From<Vec<Fault>> for Failure {
    fn from(faults: Vec<Fault>) -> Self {
        Failure::Faults(faults)
    }
}

/// Runs a query that reads no archive.
///
/// # Errors
/// When the query is wrong, not supported, or fails.
pub fn run(query: &str, options: &Options) -> Result<Answer> {
    let session = Session::open(
        Source::Memory(Vec::new()),
        &super::Options {
            files: options.tables.clone(),
            ..super::Options::default()
        },
    )?;
    session.kql(query, options)
}

impl Session {
    /// Runs a KQL query. The tables of the options were named when the session was opened.
    ///
    /// # Errors
    /// When the query is wrong, not supported, or fails.
    pub fn kql(&self, query: &str, options: &Options) -> Result<Answer> {
        self.kql_rows(query, options)
            .map_err(|failure| match failure {
                Failure::Faults(faults) => Error::Query(kql::span::render(&faults, query)),
                Failure::Engine(e) => e,
            })
    }

    /// Plans a KQL query for an output: times as timestamps, timespans as text.
    ///
    /// # Errors
    /// When the query is wrong or not supported.
    pub fn kql_plan(&self, query: &str, options: &Options) -> Result<DataFrame> {
        self.shown(query, options).map_err(|failure| match failure {
            Failure::Faults(faults) => Error::Query(kql::span::render(&faults, query)),
            Failure::Engine(e) => e,
        })
    }

    fn shown(&self, query: &str, options: &Options) -> Result<DataFrame, Failure> {
        let relation = self.lowered(query, options)?;
        let columns: Vec<datafusion::logical_expr::Expr> = relation
            .columns
            .iter()
            .map(|c| match c.ty {
                Type::DateTime => operator::timestamps(c.expr()).alias(&c.name),
                Type::Timespan => {
                    row::call(vec![c.expr()], vec![Type::Timespan], Type::String, |row| {
                        Value::String(row[0].text().into())
                    })
                    .alias(&c.name)
                }
                _ => c.expr().alias(&c.name),
            })
            .collect();
        let plan = relation.builder().project(columns)?.build()?;
        Ok(self.block_on(self.context().execute_logical_plan(plan))?)
    }

    fn lowered(&self, query: &str, options: &Options) -> Result<relation::Relation, Failure> {
        let (tree, faults) = kql::parse(query);
        if !faults.is_empty() {
            return Err(Failure::Faults(faults));
        }
        let env = Env { now: options.now };
        statement::Lower::new(self, env, options.external.clone()).query(&tree)
    }

    fn kql_rows(&self, query: &str, options: &Options) -> Result<Answer, Failure> {
        let relation = self.lowered(query, options)?;
        self.rows_of(&relation)
    }

    fn rows_of(&self, relation: &relation::Relation) -> Result<Answer, Failure> {
        // Columns that an operator dropped are still in the plan.
        let columns: Vec<datafusion::logical_expr::Expr> = relation
            .columns
            .iter()
            .map(relation::Column::expr)
            .collect();
        let plan = match columns.is_empty() {
            true => relation.plan.as_ref().clone(),
            false => relation.builder().project(columns)?.build()?,
        };
        let batches: Vec<RecordBatch> = self.block_on(async {
            let frame = self.context().execute_logical_plan(plan).await?;
            frame.collect().await
        })?;
        let mut rows = Vec::new();
        for batch in &batches {
            for r in 0..batch.num_rows() {
                rows.push(
                    relation
                        .columns
                        .iter()
                        .zip(batch.columns())
                        .map(|(c, array)| arrays::value(array, r, c.ty))
                        .collect(),
                );
            }
        }
        Ok(Answer {
            columns: relation.schema(),
            rows,
        })
    }
}
