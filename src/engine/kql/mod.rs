//! KQL on DataFusion: each tabular operator takes a plan and gives a plan; scalars are evaluated by [`crate::kql`].
//!
//! - `arrays`: Kusto's scalars in Arrow's columns; `outside`: columns of other tools in Kusto's types.
//! - `unary`: functions of one column, between what is stored, Kusto and an output.
//! - `native`: expressions column by column, in DataFusion's own terms where they mean the same; `path`, `matching`: JSON paths and string
//!   operators on whole columns.
//! - `row`: expressions row by row, and aggregates, as functions of DataFusion.
//! - `relation`: a table on its way through a query; `narrow`: which of its columns the query can show.
//! - `statement`, `scalar`, `source`: what names mean, scalars with their subqueries, and where rows come from.
//! - `operator`, `union`, `join`, `group`, `expand`, `keyed`, `later`, `parse`, `plugin`, `search`, `series`, `window`, `external`: the tabular
//!   operators.
//! - `state`: values of aggregates on their way between threads.
//! - `library`, `places`: saved functions of a folder, and where addresses are; `missing`: what a query asks for and is not there.
//! - `shown`: an answer as an output has it; `explain`: what a query is in SQL.
//!
//! What is not supported is refused by name, with its place; nothing is left out in silence.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;

use super::{Session, Source};
use crate::error::{Error, Result};
use crate::kql;
use crate::kql::ast::Span;
use crate::kql::function::Geography;
use crate::kql::library::Saved;
use crate::kql::span::{Fault, Missing, render};
use crate::kql::value::{Type, Value};

mod arrays;
mod expand;
mod explain;
mod external;
mod group;
mod grouped;
mod join;
mod keyed;
mod later;
mod library;
mod lifted;
mod matching;
mod missing;
mod narrow;
mod native;
mod operator;
mod outside;
mod parse;
mod path;
mod places;
mod plugin;
mod relation;
mod row;
mod scalar;
mod search;
mod series;
mod several;
mod shown;
mod source;
mod state;
mod statement;
mod unary;
mod union;
mod window;

pub use library::functions;
pub use missing::Needs;
pub use places::geography;
pub use shown::Planned;

/// How to run a query.
#[derive(Clone, Default)]
pub struct Options {
    /// `now()`, in ticks of 100 ns since 0001-01-01.
    pub now: i64,
    /// Tables from files.
    pub tables: Vec<(String, PathBuf)>,
    /// The folder with the files of `externaldata`.
    pub external: Option<PathBuf>,
    /// Saved functions.
    pub functions: Vec<Saved>,
    /// Where addresses are.
    pub geography: Option<Arc<dyn Geography>>,
    /// What is wanted of a query.
    pub purpose: Purpose,
    /// Whether no archive was named: a query that reads a table of one is refused, and not answered with nothing.
    pub without_archive: bool,
}

/// What is wanted of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// Its rows.
    #[default]
    Run,
    /// Whether it would run: lists and files that it asks for may be missing. Nothing of it is run.
    Check,
    /// What it is in SQL: tables are only named. Nothing of it is run.
    Explain,
    /// How it would be run. Nothing of it is run.
    Plan,
}

/// The rows of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Names and types of the columns.
    pub columns: Vec<(String, Type)>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// What a check of a query found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Whether it would run, once it has what it needs.
    pub verdict: Verdict,
    /// What it asks for and is not there.
    pub needs: Needs,
}

/// Whether a query would run.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It would.
    Runs,
    /// It would, if the data has the columns that it names: behind a plugin, or of a table or function that is not here.
    DependsOnData,
    /// It would not.
    Refused(Vec<Fault>),
}

/// Why a query cannot be run.
#[derive(Debug)]
pub(super) enum Failure {
    /// Faults of the query.
    Faults(Vec<Fault>),
    /// What DataFusion says.
    Engine(Error),
}

/// What is made when a query runs, and of which rows.
type Parts = Vec<Made>;

/// A named part of a query.
struct Made {
    /// The name of what is made; of a value, the value that stands for it.
    name: String,
    /// The rows that it is made of.
    plan: Arc<LogicalPlan>,
    making: Making,
}

/// A plugin that had no rows to take columns from.
struct Empty {
    plugin: &'static str,
    span: Span,
}

impl Empty {
    /// What that means for its columns.
    fn told(&self) -> String {
        format!("`{}` had no rows to take columns from", self.plugin)
    }
}

/// A query that was lowered.
struct Lowered {
    relation: relation::Relation,
    /// What is made when it runs, or was made to plan it.
    parts: Parts,
    /// Plugins that had no rows.
    empty: Vec<Empty>,
    /// What else is to be said beside the answer.
    notes: Vec<String>,
}

/// How something is made of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Making {
    /// By going through them in their order.
    InOrder,
    /// They are worked out once, however often they are read.
    Once,
    /// It is their first value, and the plan has another one in its place.
    StandIn,
}

impl Failure {
    /// As an error of that query.
    fn told(self, query: &str) -> Error {
        match self {
            Failure::Faults(faults) => Error::Query(render(&faults, query)),
            Failure::Engine(e) => e,
        }
    }

    fn at(span: Span, message: impl Into<String>) -> Failure {
        Failure::Faults(vec![Fault::new(span, message)])
    }

    /// Whether all that is wrong is that a table is not there.
    fn is_missing_table(&self) -> bool {
        match self {
            Failure::Faults(faults) => {
                !faults.is_empty() && faults.iter().all(|f| f.missing == Some(Missing::Table))
            }
            Failure::Engine(_) => false,
        }
    }

    /// Whether all that is wrong is that a column is not there.
    fn is_missing_column(&self) -> bool {
        match self {
            Failure::Faults(faults) => {
                let column = |f: &Fault| matches!(f.missing, Some(Missing::Column | Missing::Open));
                !faults.is_empty() && faults.iter().all(column)
            }
            Failure::Engine(_) => false,
        }
    }

    /// Something Kusto has and coldtrail has not.
    fn unsupported(span: Span, what: &str) -> Failure {
        Failure::at(span, format!("`{what}` is not supported"))
    }

    /// Says of columns that are not there which plugin before them had no rows to make them of.
    fn after(mut self, empty: &[Empty]) -> Failure {
        if let Failure::Faults(faults) = &mut self {
            for fault in faults {
                let before = |e: &&Empty| e.span.end <= fault.span.start;
                if let (Some(Missing::Column), Some(e)) =
                    (fault.missing, empty.iter().rfind(before))
                {
                    let (told, plugin) = (e.told(), e.plugin);
                    fault.hint = Some(format!(
                        "{told}; `evaluate {plugin}(…) : (Name:type, …)` says which there are"
                    ));
                }
            }
        }
        self
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
            .map_err(|failure| failure.told(query))
    }

    /// Whether a KQL query would run, and what it needs that is not here. Nothing of it is run, and no row is read.
    pub fn kql_check(&self, query: &str, options: &Options) -> Checked {
        let options = Options {
            purpose: Purpose::Check,
            ..options.clone()
        };
        let (tree, syntax) = kql::parse(query);
        let mut lower = statement::Lower::new(self, query, &syntax, &options);
        let verdict = match lower.query(&tree) {
            Ok(_) => Verdict::Runs,
            Err(Failure::Faults(mut faults)) => {
                // Columns that the data may have are unknown, and not wrong.
                faults.retain(|f| f.missing != Some(Missing::Open));
                match faults.is_empty() {
                    true => Verdict::DependsOnData,
                    false => Verdict::Refused(faults),
                }
            }
            Err(Failure::Engine(e)) => {
                Verdict::Refused(vec![Fault::new(kql::Span::default(), e.to_string())])
            }
        };
        let needs = lower.needs;
        Checked { verdict, needs }
    }

    fn lowered(&self, query: &str, options: &Options) -> Result<Lowered, Failure> {
        let (tree, faults) = kql::parse(query);
        let narrow = options.functions.is_empty() && narrow::names_its_columns(&tree, query);
        let attempt = |narrow: bool, expected: &BTreeSet<String>| {
            let mut lower = statement::Lower::new(self, query, &faults, options);
            lower.narrow = narrow;
            lower.expected.clone_from(expected);
            let outcome = lower.query(&tree);
            (outcome, lower)
        };
        // Names of columns that only the data could have: found in one attempt, there in the next one.
        let mut expected = BTreeSet::new();
        loop {
            let (mut outcome, mut lower) = attempt(narrow, &expected);
            if narrow && matches!(outcome, Err(Failure::Faults(_))) {
                // What is wrong is told with all columns in view.
                (outcome, lower) = attempt(false, &expected);
            }
            let known = expected.len();
            expected.append(&mut lower.unknown);
            if options.purpose != Purpose::Run && expected.len() > known {
                continue;
            }
            let mut relation = outcome.map_err(|failure| failure.after(&lower.empty))?;
            if let Some(name) = lower.unread {
                let message = format!("`{name}` needs an archive: -a DIR");
                return Err(Failure::Engine(Error::Usage(message)));
            }
            // Columns of the engine's own, which stand for those that nobody knows.
            relation.columns.retain(|c| !c.name.starts_with('\0'));
            return Ok(Lowered {
                relation,
                parts: lower.made_of,
                empty: lower.empty,
                notes: lower.notes,
            });
        }
    }

    fn kql_rows(&self, query: &str, options: &Options) -> Result<Answer, Failure> {
        let lowered = self.lowered(query, options)?;
        self.rows_of(&lowered.relation)
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
