//! Running what was planned: on the session's threads, within the memory of queries, for as long as a question may take.

use std::any::Any;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, TrySendError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryLimit;
use futures::StreamExt;
use futures::future::{Either, select};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError};

use super::memory::{self, Held, Room};
use super::output;
use super::session::Session;
use crate::fault::{Error, Result};

/// Batches of an answer that are made before the first of them is taken.
const AHEAD: usize = 2;
/// Bytes of the memory for queries for each that runs beside others: the pages that its threads read are in no reservation.
const BESIDE_OTHERS: usize = 128 << 20;

/// A query of several that run side by side.
struct Running {
    number: usize,
    until: Option<Instant>,
    abort: AbortHandle,
}

/// How a task ended.
type Ended<T> = std::result::Result<std::result::Result<T, DataFusionError>, JoinError>;

impl Session {
    /// A question begins here: what it asks must be answered within the time of the options.
    pub fn begin(&self) {
        self.deadline.set(self.deadline.when_it_ends());
    }

    /// No question is at hand: what is asked may take its time.
    pub fn end(&self) {
        self.deadline.set(None);
    }

    /// Whether the question at hand may go on.
    ///
    /// # Errors
    /// When its time is over.
    pub(super) fn may_go_on(&self) -> Result<()> {
        match self.deadline.at() {
            Some(at) if Instant::now() >= at => Err(self.deadline.passed()),
            _ => Ok(()),
        }
    }

    /// The memory of queries.
    pub(super) fn room(&self) -> Room {
        Room(Arc::clone(&self.context.runtime_env().memory_pool))
    }

    /// Runs something on the session's threads.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The same for what is made before a question can be planned, until the question's time is over.
    pub(super) fn block_until<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(at) = self.deadline.at() else {
            return self.block_on(future);
        };
        let left = at.saturating_duration_since(Instant::now());
        let (say, over) = oneshot::channel();
        let (made, wait) = mpsc::channel::<()>();
        self.runtime.spawn_blocking(move || {
            if let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(left) {
                // Nobody listens any more when it was made at that moment.
                let _ = say.send(());
            }
        });
        let future = pin!(future);
        let outcome = self.block_on(select(future, over));
        drop(made);
        match outcome {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(self.deadline.passed()),
        }
    }

    /// The same, until the question's time is over.
    pub(super) fn run<T, F>(&self, future: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = std::result::Result<T, DataFusionError>> + Send + 'static,
    {
        let (say, hear) = mpsc::channel();
        let task = self.runtime.spawn(future);
        let abort = task.abort_handle();
        self.runtime.spawn(async move {
            // Nobody listens any more when the time is over.
            let _ = say.send(task.await);
        });
        match self.next(&hear) {
            Ok(Some(ended)) => outcome(ended),
            Ok(None) => Err(Error::Query("the engine broke off".into())),
            Err(e) => {
                abort.abort();
                Err(e)
            }
        }
    }

    /// What comes next, in the question's time; nothing when all has come.
    fn next<T>(&self, hear: &mpsc::Receiver<T>) -> Result<Option<T>> {
        let Some(at) = self.deadline.at() else {
            return Ok(hear.recv().ok());
        };
        match hear.recv_timeout(at.saturating_duration_since(Instant::now())) {
            Ok(heard) => Ok(Some(heard)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(self.deadline.passed()),
        }
    }

    /// Runs a query and returns all rows.
    ///
    /// # Errors
    /// When the query is wrong or fails.
    pub fn collect(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let frame = self.plan(sql)?;
        let schema = output::schema(&frame);
        let room = self.room();
        let held = self.run(async move { memory::collect(frame, "the answer", &room).await })?;
        Ok((schema, held.batches))
    }

    /// Runs a planned query batch by batch.
    ///
    /// # Errors
    /// When the query fails, or what `each` returns.
    pub fn stream(
        &self,
        frame: DataFrame,
        mut each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let (say, hear) = mpsc::sync_channel(AHEAD);
        let task = self.runtime.spawn(async move {
            let mut stream = frame.execute_stream().await?;
            while let Some(batch) = stream.next().await {
                let taken = match say.try_send(batch?) {
                    Ok(()) => true,
                    Err(TrySendError::Full(batch)) => {
                        tokio::task::block_in_place(|| say.send(batch)).is_ok()
                    }
                    Err(TrySendError::Disconnected(_)) => false,
                };
                if !taken {
                    break;
                }
            }
            Ok::<(), DataFusionError>(())
        });
        loop {
            match self.next(&hear) {
                Ok(Some(batch)) => {
                    if let Err(e) = each(&batch) {
                        task.abort();
                        return Err(e);
                    }
                }
                Ok(None) => break,
                Err(e) => {
                    task.abort();
                    return Err(e);
                }
            }
        }
        outcome(self.runtime.block_on(task))
    }

    /// Runs planned queries, so many at a time, and returns their rows in the order of the queries. Each may take the time of the options, but
    /// for what its planning took. One that fails harms no other.
    pub(crate) fn collect_all(
        &self,
        frames: Vec<(DataFrame, Duration)>,
        at_a_time: usize,
    ) -> Vec<Result<Held>> {
        let at_a_time = match self.room().0.memory_limit() {
            MemoryLimit::Finite(bytes) => at_a_time.min(bytes / BESIDE_OTHERS),
            _ => at_a_time,
        };
        let (say, hear) = mpsc::channel();
        let mut outcomes: Vec<Option<Result<Held>>> = frames.iter().map(|_| None).collect();
        let mut waiting = frames.into_iter().enumerate();
        let mut running: Vec<Running> = Vec::new();
        loop {
            while running.len() < at_a_time.max(1)
                && let Some((number, (frame, planned))) = waiting.next()
            {
                let until = self.deadline.when_it_ends();
                running.push(Running {
                    number,
                    until: until.map(|at| at.checked_sub(planned).unwrap_or(at)),
                    abort: self.start(number, frame, say.clone()),
                });
            }
            if running.is_empty() {
                break;
            }
            let first = running.iter().filter_map(|one| one.until).min();
            let heard = match first {
                Some(at) => hear.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => hear.recv().map_err(RecvTimeoutError::from),
            };
            if let Ok((number, ended)) = heard {
                running.retain(|one| one.number != number);
                // One that was given up has its outcome.
                outcomes[number].get_or_insert_with(|| outcome(ended));
            }
            let now = Instant::now();
            running.retain(|one| {
                let late = one.until.is_some_and(|until| now >= until);
                if late {
                    one.abort.abort();
                    outcomes[one.number].get_or_insert_with(|| Err(self.deadline.passed()));
                }
                !late
            });
        }
        let lost = || Err(Error::Query("the engine broke off".into()));
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(lost))
            .collect()
    }

    /// Starts one of several queries, which says how it ended.
    fn start(
        &self,
        number: usize,
        frame: DataFrame,
        say: mpsc::Sender<(usize, Ended<Held>)>,
    ) -> AbortHandle {
        let room = self.room();
        // Each is a task, so that all threads optimise and not only one.
        let task = self
            .runtime
            .spawn(async move { memory::collect(frame, "the rows of a rule", &room).await });
        let abort = task.abort_handle();
        self.runtime.spawn(async move {
            // Nobody listens any more when all have their outcome.
            let _ = say.send((number, task.await));
        });
        abort
    }
}

fn outcome<T>(ended: Ended<T>) -> Result<T> {
    match ended {
        Ok(done) => done.map_err(Error::from),
        Err(e) => Err(broken_off(e)),
    }
}

/// What a query says that broke off.
fn broken_off(error: JoinError) -> Error {
    let why = match error.try_into_panic() {
        Ok(panic) => said(panic.as_ref()),
        Err(e) => e.to_string(),
    };
    Error::Query(format!("the engine broke off: {why}"))
}

fn said(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_string(),
        (None, None) => "it does not say why".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Options, Source};

    #[test]
    fn what_is_made_for_a_question_ends_with_its_time() {
        let options = Options {
            timeout: Some(Duration::from_millis(10)),
            ..Options::default()
        };
        let session = Session::open(Source::Memory(Vec::new()), &options).expect("a session");
        session.begin();
        let never = session.block_until(std::future::pending::<Result<()>>());
        assert!(matches!(never, Err(Error::TooLong(_))));
        session.end();
        assert!(matches!(session.block_until(async { Ok(7) }), Ok(7)));
    }
}
