//! How a query is run, and what it gives.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::needs::Needs;
use crate::function::Geography;
use crate::function::value::{Type, Value};
use crate::kql::library::Saved;
use crate::kql::span::Fault;

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
    /// Whether `in (T | …)` is a join of the plan wherever it can be one, and not a list that is made first.
    pub joins_lists: bool,
    /// Whether no archive was named: a query that reads a table of one is refused, and not answered with nothing.
    pub without_archive: bool,
}

impl Options {
    /// The same at another moment, in ticks.
    pub(in crate::engine) fn at(&self, now: i64) -> Options {
        Options {
            now,
            ..self.clone()
        }
    }
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
    /// The tables of the archive that it asks.
    pub asked: BTreeSet<String>,
    /// Names of the columns of its answer, where they are known without the data.
    pub columns: Option<Vec<String>>,
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
