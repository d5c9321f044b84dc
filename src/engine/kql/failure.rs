//! Why a query cannot be run.

use datafusion::error::DataFusionError;

use crate::fault::Error;
use crate::kql::ast::Span;
use crate::kql::span::{Fault, Missing, render};

/// Why a query cannot be run.
#[derive(Debug)]
pub(super) enum Failure {
    /// Faults of the query.
    Faults(Vec<Fault>),
    /// What DataFusion says.
    Engine(Error),
    /// Nothing is wrong: phases are to be run first.
    Needs,
}

impl Failure {
    /// As an error of that query.
    pub(super) fn told(self, query: &str) -> Error {
        match self {
            Failure::Faults(faults) => Error::Query(render(&faults, query)),
            Failure::Engine(e) => e,
            Failure::Needs => Failure::unrun(),
        }
    }

    /// Of phases that nobody runs.
    pub(super) fn unrun() -> Error {
        Error::Query("a query that is only planned asks for rows".into())
    }

    pub(super) fn at(span: Span, message: impl Into<String>) -> Failure {
        Failure::Faults(vec![Fault::new(span, message)])
    }

    /// Whether all that is wrong is that a table is not there.
    pub(super) fn is_missing_table(&self) -> bool {
        match self {
            Failure::Faults(faults) => {
                !faults.is_empty() && faults.iter().all(|f| f.missing == Some(Missing::Table))
            }
            Failure::Engine(_) | Failure::Needs => false,
        }
    }

    /// Whether all that is wrong is that a column is not there.
    pub(super) fn is_missing_column(&self) -> bool {
        match self {
            Failure::Faults(faults) => {
                let column = |f: &Fault| matches!(f.missing, Some(Missing::Column | Missing::Open));
                !faults.is_empty() && faults.iter().all(column)
            }
            Failure::Engine(_) | Failure::Needs => false,
        }
    }

    /// Something Kusto has and coldtrail has not.
    pub(super) fn unsupported(span: Span, what: &str) -> Failure {
        Failure::at(span, format!("`{what}` is not supported"))
    }

    /// Says of columns that are not there which plugin before them had no rows to make them of.
    pub(super) fn after(mut self, empty: &[Empty]) -> Failure {
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

    pub(super) fn hint_near(mut self, word: &str, known: &[String]) -> Failure {
        if let Failure::Faults(faults) = &mut self
            && let Some(fault) = faults.last_mut()
        {
            fault.hint = crate::fault::did_you_mean(word, known);
        }
        self
    }
}

/// Faults of parts of an operator that do not depend on each other.
#[derive(Default)]
pub(super) struct Gathered {
    faults: Vec<Fault>,
    /// Of a part whose faults are told elsewhere there are none.
    is_broken: bool,
}

impl Gathered {
    /// What came of a part; nothing where it has faults, which are kept.
    ///
    /// # Errors
    /// When it failed for another reason, and no part before it has faults.
    pub(super) fn take<T>(&mut self, outcome: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match outcome {
            Ok(made) => Ok(Some(made)),
            Err(Failure::Faults(faults)) => {
                self.is_broken = true;
                self.faults.extend(faults);
                Ok(None)
            }
            // What is wrong is told first: nothing is run for such a query.
            Err(_) if self.is_broken => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// One more fault.
    pub(super) fn add(&mut self, span: Span, message: impl Into<String>) {
        self.is_broken = true;
        self.faults.push(Fault::new(span, message));
    }

    /// All parts were looked at.
    ///
    /// # Errors
    /// The faults, where there are some.
    pub(super) fn done(self) -> Result<(), Failure> {
        match self.is_broken {
            true => Err(Failure::Faults(self.faults)),
            false => Ok(()),
        }
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

/// A plugin that had no rows to take columns from.
pub(super) struct Empty {
    pub(super) plugin: &'static str,
    pub(super) span: Span,
}

impl Empty {
    /// What that means for its columns.
    pub(super) fn told(&self) -> String {
        format!("`{}` had no rows to take columns from", self.plugin)
    }
}
