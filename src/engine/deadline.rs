//! The threads of a session, and how long a question may take on them.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::options::Stop;
use crate::fault::Error;

/// So long what was given up may take to put away its temporary files.
const GRACE: Duration = Duration::from_millis(500);
/// So often who waits for an answer looks whether the user ended the question.
const LOOK: Duration = Duration::from_millis(50);

/// Threads of a session. Nobody waits for the end of a query that was given up.
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    pub(super) fn new(runtime: Runtime) -> Threads {
        Threads(Some(runtime))
    }
}

impl Deref for Threads {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("it is only taken when they end")
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(GRACE);
        }
    }
}

/// How long a question may take, and until when the one at hand may.
#[derive(Debug)]
pub(super) struct Deadline {
    limit: Option<Duration>,
    at: Mutex<Option<Instant>>,
    stop: Option<Stop>,
}

impl Deadline {
    pub(super) fn new(limit: Option<Duration>, stop: Option<Stop>) -> Deadline {
        Deadline {
            limit,
            at: Mutex::new(None),
            stop,
        }
    }

    /// How long a question may take.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// The same for one question, which ends when the one at hand does.
    pub(super) fn of_one(&self) -> Deadline {
        self.until(self.at())
    }

    /// The same for one question, which ends at this time.
    pub(super) fn until(&self, at: Option<Instant>) -> Deadline {
        Deadline {
            limit: self.limit,
            at: Mutex::new(at),
            stop: self.stop.clone(),
        }
    }

    pub(super) fn set(&self, at: Option<Instant>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    pub(super) fn at(&self) -> Option<Instant> {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of a question that begins now.
    pub(super) fn when_it_ends(&self) -> Option<Instant> {
        Instant::now().checked_add(self.limit?)
    }

    /// Whether the user ended the question at hand.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_set)
    }

    /// Whether the question at hand may not go on.
    pub(super) fn is_over(&self) -> bool {
        self.is_stopped() || self.at().is_some_and(|at| Instant::now() >= at)
    }

    /// How long may be waited before [`Self::is_over`] is to be asked; nothing where nothing ends the question.
    pub(super) fn wait(&self) -> Option<Duration> {
        let left = self
            .at()
            .map(|at| at.saturating_duration_since(Instant::now()));
        match (left, &self.stop) {
            (Some(left), Some(_)) => Some(left.min(LOOK)),
            (None, Some(_)) => Some(LOOK),
            (left, None) => left,
        }
    }

    /// How long may be waited before [`Self::is_stopped`] is to be asked; nothing where nobody can end the question.
    pub(super) fn look(&self) -> Option<Duration> {
        self.stop.as_ref().map(|_| LOOK)
    }

    /// Why the question may not go on.
    pub(super) fn passed(&self) -> Error {
        match self.is_stopped() {
            true => Error::Stopped,
            false => Error::TooLong(self.limit.unwrap_or_default()),
        }
    }
}
