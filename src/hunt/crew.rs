//! Who answers the queries of a hunt in its place, and what goes to and fro: orders, jobs, answers, and errors as they cross a wire. How it does so is
//! not known here.
//!
//! What a rule's rows become stays with the hunt. A query goes as its text: whoever answers it plans it over the same archive.

use std::path::PathBuf;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use super::start::Start;
use crate::engine::TimeRange as Window;
use crate::engine::kql::Options;
use crate::engine::{Session, Terms};
use crate::fault::{Error, Result};
use crate::kql::library::Saved;
use crate::rules::Language;

/// Who answers the queries of a hunt in its place.
pub trait Crew {
    /// Is told once, before the first jobs, how they are answered.
    ///
    /// # Errors
    /// When nobody can take the orders: another archive, another version, nobody there.
    fn begin(&mut self, orders: &Orders) -> Result<()>;

    /// How rules are cut for it, of which each row rests on one event; nothing where none is. It is asked after [`begin`](Crew::begin).
    fn cutting(&self) -> Option<Cutting> {
        None
    }

    /// One answer a job, in their order. `begun` and `ended` are told the number of each.
    fn answers(
        &mut self,
        jobs: &[Job],
        begun: &mut dyn FnMut(usize),
        ended: &mut dyn FnMut(usize),
    ) -> Vec<Answered>;
}

/// How rules are cut of which each row rests on one event: over parts of the time, each a job of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutting {
    /// Into how many parts, at most.
    pub parts: usize,
    /// How many rows of its tables a part has, at least, on the average of a rule: with fewer, to open files and to plan is most of the work.
    pub rows: u64,
}

/// The answer of a job, and how long it took.
pub type Answered = (Result<Answer>, Duration);

/// What answers jobs: one answer each, in their order.
pub type Answering<'a> = &'a mut (dyn FnMut(&[Job]) -> Vec<Answered> + 'a);

/// How the queries of a hunt are answered in its place: all on which answers depend, beside the archive and the queries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// What the archive is: see [`Session::identity`].
    pub(super) archive: String,
    /// The time whose findings are wanted.
    pub(super) window: Window,
    pub(super) terms: Terms,
    pub(super) start: Start,
    /// `now()` of KQL, in ticks.
    now: i64,
    functions: Vec<Saved>,
    joins_lists: bool,
}

impl Orders {
    /// Those of a hunt whose session has done nothing yet.
    ///
    /// # Errors
    /// When the archive cannot be read, or the hunt asks files of this machine.
    pub(super) fn of(
        session: &Session,
        how: &Options,
        window: Window,
        start: &Start,
    ) -> Result<Orders> {
        // All of them by name: what is added one day must go along.
        let Options {
            now,
            tables,
            external,
            functions,
            geography,
            purpose: _,
            joins_lists,
            without_archive: _,
        } = how;
        let has_files = session.has_files() || !tables.is_empty();
        if has_files || external.is_some() || geography.is_some() {
            let why = "workers read nothing but their archive: tables from files, external data and a database of addresses are asked without them";
            return Err(Error::Usage(why.into()));
        }
        Ok(Orders {
            archive: session.identity()?,
            window,
            terms: session.terms(),
            start: start.clone(),
            now: *now,
            functions: functions.clone(),
            joins_lists: *joins_lists,
        })
    }

    /// How queries in KQL are asked: no file is read for them.
    pub(super) fn how(&self) -> Options {
        Options {
            now: self.now,
            functions: self.functions.clone(),
            joins_lists: self.joins_lists,
            ..Options::default()
        }
    }
}

/// A query that a hunt runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// SQL or KQL.
    pub language: Language,
    /// The query.
    pub text: String,
    /// What it sees, and which of its rows are wanted.
    pub scope: Scope,
}

impl Job {
    /// One that counts what cannot be judged among the events of the window.
    pub(super) fn counting(text: &str) -> Job {
        Job {
            language: Language::Sql,
            text: text.into(),
            scope: Scope::Window,
        }
    }
}

/// What a query sees, and which of its rows are wanted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Scope {
    /// So many seconds around the window, or all that there is; rows whose last event lies in the window.
    Around(Option<u64>),
    /// This part of what lies around the window; rows whose last event lies in the window.
    Part {
        /// The part.
        sees: Window,
    },
    /// The window; all rows.
    Window,
}

/// The rows of a query.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Their columns, with what outputs are told of them.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// The tables that it asks.
    pub reads: Vec<String>,
}

/// An error as it crosses a wire. What becomes of a rule and of a command depends on its kind: that stays, where it is the query's or the question's.
/// What else went wrong is the worker's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault(Told);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Told {
    NoTable {
        name: String,
        known: Vec<String>,
    },
    NoColumn {
        name: String,
        known: Vec<String>,
    },
    Query(String),
    Memory(String),
    Temporary {
        reason: String,
        /// As text: the other machine may have other paths.
        folder: Option<String>,
    },
    TooLong(Duration),
    Usage(String),
    Stopped,
    Other(String),
}

impl Fault {
    /// That of an error.
    pub fn of(error: &Error) -> Fault {
        Fault(match error {
            Error::NoTable { name, known } => Told::NoTable {
                name: name.clone(),
                known: known.clone(),
            },
            Error::NoColumn { name, known } => Told::NoColumn {
                name: name.clone(),
                known: known.clone(),
            },
            Error::Query(text) => Told::Query(text.clone()),
            Error::Memory(text) => Told::Memory(text.clone()),
            Error::Temporary { reason, folder } => Told::Temporary {
                reason: reason.clone(),
                folder: folder.as_ref().map(|folder| folder.display().to_string()),
            },
            Error::TooLong(limit) => Told::TooLong(*limit),
            Error::Usage(text) => Told::Usage(text.clone()),
            Error::Stopped => Told::Stopped,
            other => Told::Other(other.to_string()),
        })
    }

    /// The error on this machine. Of memory and disk it is said whose they are.
    pub fn error(self, worker: &str) -> Error {
        let there = |text: String| format!("worker `{worker}`: {text}");
        match self.0 {
            Told::NoTable { name, known } => Error::NoTable { name, known },
            Told::NoColumn { name, known } => Error::NoColumn { name, known },
            Told::Query(text) => Error::Query(text),
            Told::Memory(text) => Error::Memory(there(text)),
            Told::Temporary { reason, folder } => Error::Temporary {
                reason: there(reason),
                folder: folder.map(PathBuf::from),
            },
            Told::TooLong(limit) => Error::TooLong(limit),
            Told::Usage(text) => Error::Usage(text),
            // Nobody here has ended it.
            Told::Stopped => Error::Worker {
                worker: worker.into(),
                told: "the query was ended there".into(),
            },
            Told::Other(told) => Error::Worker {
                worker: worker.into(),
                told,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_kind_over_a_wire() {
        let known = vec!["SigninLogs".to_string()];
        let errors = [
            Error::NoTable {
                name: "T".into(),
                known: known.clone(),
            },
            Error::NoColumn {
                name: "c".into(),
                known,
            },
            Error::Query("no such function".into()),
            Error::TooLong(Duration::from_millis(1500)),
            Error::Usage("a table needs a name".into()),
            Error::Memory("no room".into()),
            Error::Temporary {
                reason: "no space left".into(),
                folder: Some("spill".into()),
            },
            Error::Damaged("a file is missing".into()),
        ];
        for error in errors {
            let text = serde_json::to_string(&Fault::of(&error)).expect("it is text");
            let fault: Fault = serde_json::from_str(&text).expect("a fault");
            let there = fault.error("H:7070");
            let same_kind = std::mem::discriminant(&there) == std::mem::discriminant(&error);
            let want = match &error {
                Error::Memory(text) => format!("out of memory: worker `H:7070`: {text}"),
                Error::Temporary { reason, .. } => {
                    format!("cannot write temporary files: worker `H:7070`: {reason} (in `spill`)")
                }
                Error::Damaged(_) => {
                    let Error::Worker { worker, told } = &there else {
                        panic!("{there:?}");
                    };
                    assert_eq!((worker.as_str(), told), ("H:7070", &error.to_string()));
                    continue;
                }
                other => other.to_string(),
            };
            assert!(same_kind, "{error:?} became {there:?}");
            assert_eq!(there.to_string(), want);
            // The hint names what is known.
            assert_eq!(there.hint(), error.hint());
        }
    }
}
