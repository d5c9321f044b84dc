//! Running what was planned: on the session's threads, within the memory of queries, for as long as a question may take.

use std::any::Any;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, TrySendError};
use std::task::Poll;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryReservation};
use futures::StreamExt;
use futures::future::{Either, select};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{AbortHandle, JoinError, JoinHandle};

use super::memory::{self, Held, Room};
use super::output;
use super::session::Session;
use crate::fault::{Error, Result};

/// Batches of an answer that are made before the first of them is taken.
const AHEAD: usize = 2;
/// Bytes of the memory for queries for each that runs beside others: the pages that its threads read are in no reservation.
const BESIDE_OTHERS: usize = 128 << 20;

/// A query of several that run side by side.
struct Running<K> {
    number: usize,
    begun: Instant,
    until: Option<Instant>,
    /// How long it took to plan it.
    planned: Duration,
    abort: AbortHandle,
    /// What must live as long as it runs.
    _kept: K,
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
    /// When its time is over, or the user ended it.
    pub(crate) fn may_go_on(&self) -> Result<()> {
        match self.deadline.is_over() {
            true => Err(self.deadline.passed()),
            false => Ok(()),
        }
    }

    /// The memory of queries.
    pub(super) fn room(&self) -> Room {
        Room(Arc::clone(&self.context.runtime_env().memory_pool))
    }

    /// A part of the memory of queries for what becomes of their rows, under a name; it has nothing yet.
    pub(crate) fn reserve(&self, name: &str) -> MemoryReservation {
        self.room().reserve(name)
    }

    /// How many queries run side by side where so many could: each needs its part of the memory.
    pub(super) fn side_by_side(&self, queries: usize) -> usize {
        let queries = match self.room().0.memory_limit() {
            MemoryLimit::Finite(bytes) => queries.min(bytes / BESIDE_OTHERS),
            _ => queries,
        };
        queries.max(1)
    }

    /// Runs something on the session's threads.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The same by this thread, for as long as a question may take.
    pub(super) fn run_here<T>(
        &self,
        future: impl Future<Output = std::result::Result<T, DataFusionError>>,
    ) -> Result<T> {
        let until = self.deadline.when_it_ends();
        let mut future = pin!(future);
        let done = self.block_on(poll_fn(|context| {
            let late = until.is_some_and(|at| Instant::now() >= at);
            match late || self.deadline.is_stopped() {
                true => Poll::Ready(None),
                false => future.as_mut().poll(context).map(Some),
            }
        }));
        match done {
            Some(done) => Ok(done?),
            None => Err(self.deadline.passed()),
        }
    }

    /// Runs on the session's threads what is made before a question can be planned, until the question's time is over.
    pub(super) fn block_until<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let deadline = self.deadline.of_one();
        if deadline.wait().is_none() {
            return self.block_on(future);
        }
        let (say, over) = oneshot::channel();
        let (made, wait) = mpsc::channel::<()>();
        self.runtime.spawn_blocking(move || {
            while let Some(a_while) = deadline.wait() {
                match wait.recv_timeout(a_while) {
                    Err(RecvTimeoutError::Timeout) if deadline.is_over() => break,
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return,
                }
            }
            // Nobody listens any more when it was made at that moment.
            let _ = say.send(());
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
    pub(super) fn next<T>(&self, hear: &mpsc::Receiver<T>) -> Result<Option<T>> {
        loop {
            let Some(a_while) = self.deadline.wait() else {
                return Ok(hear.recv().ok());
            };
            if self.deadline.is_stopped() {
                return Err(self.deadline.passed());
            }
            match hear.recv_timeout(a_while) {
                Ok(heard) => return Ok(Some(heard)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.may_go_on()?,
            }
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
        self.stream_all(vec![frame], |_, batch| each(batch))
    }

    /// Runs planned queries side by side, batch by batch. `each` is told the number of the query that a batch is of.
    ///
    /// # Errors
    /// When a query fails, or what `each` returns.
    pub(crate) fn stream_all(
        &self,
        frames: Vec<DataFrame>,
        mut each: impl FnMut(usize, &RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let (say, hear) = mpsc::sync_channel(AHEAD);
        let turns = Arc::new(Semaphore::new(self.side_by_side(frames.len())));
        let tasks = frames.into_iter().enumerate().map(|(number, frame)| {
            let (say, turns) = (say.clone(), Arc::clone(&turns));
            self.runtime.spawn(async move {
                let _turn = turns.acquire_owned().await;
                let mut stream = frame.execute_stream().await?;
                while let Some(batch) = stream.next().await {
                    let taken = match say.try_send((number, batch?)) {
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
            })
        });
        let tasks: Vec<JoinHandle<_>> = tasks.collect();
        // All has come when each query has let go of its own.
        drop(say);
        let taken = loop {
            match self.next(&hear) {
                Ok(Some((number, batch))) => {
                    if let Err(e) = each(number, &batch) {
                        break Err(e);
                    }
                }
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        if taken.is_err() {
            tasks.iter().for_each(JoinHandle::abort);
            return taken;
        }
        let mut tasks = tasks.into_iter();
        tasks.try_for_each(|task| outcome(self.runtime.block_on(task)))
    }

    /// Runs queries, so many at a time, and returns their rows and how long each took, in the order of the queries. The next is planned while
    /// others run. Each may take the time of the options, with its planning. One that fails harms no other. When the user ends them, those that run
    /// end, and no other begins.
    ///
    /// A query is its plan, how long it took to plan it, and what must live as long as it runs. `ended` is told the number of each that has ended.
    pub(crate) fn collect_all<K>(
        &self,
        queries: impl Iterator<Item = Result<(DataFrame, Duration, K)>>,
        at_a_time: usize,
        mut ended: impl FnMut(usize),
    ) -> Vec<(Result<Held>, Duration)> {
        let at_a_time = self.side_by_side(at_a_time);
        let (say, hear) = mpsc::channel();
        let mut outcomes: Vec<Option<(Result<Held>, Duration)>> = Vec::new();
        let mut waiting = queries.fuse();
        let mut running: Vec<Running<K>> = Vec::new();
        loop {
            while running.len() < at_a_time
                && let Some(query) = waiting.next()
            {
                let number = outcomes.len();
                let query = query.and_then(|query| match self.deadline.is_stopped() {
                    true => Err(self.deadline.passed()),
                    false => Ok(query),
                });
                let (frame, planned, kept) = match query {
                    Ok(query) => query,
                    Err(e) => {
                        outcomes.push(Some((Err(e), Duration::ZERO)));
                        ended(number);
                        continue;
                    }
                };
                outcomes.push(None);
                let until = self.deadline.when_it_ends();
                running.push(Running {
                    number,
                    begun: Instant::now(),
                    until: until.map(|at| at.checked_sub(planned).unwrap_or(at)),
                    planned,
                    abort: self.start(number, frame, say.clone()),
                    _kept: kept,
                });
            }
            if running.is_empty() {
                break;
            }
            let first = running.iter().filter_map(|one| one.until).min();
            let left = first.map(|at| at.saturating_duration_since(Instant::now()));
            let heard = match left.into_iter().chain(self.deadline.look()).min() {
                Some(a_while) => hear.recv_timeout(a_while),
                None => hear.recv().map_err(RecvTimeoutError::from),
            };
            // What has ended while another was planned is not late, whatever the time is now.
            for (number, end, took) in heard.into_iter().chain(hear.try_iter()) {
                let Some(at) = running.iter().position(|one| one.number == number) else {
                    // One that was given up has its outcome.
                    continue;
                };
                let one = running.swap_remove(at);
                outcomes[number] = Some((outcome(end), one.planned + took));
                ended(number);
            }
            let (now, stopped) = (Instant::now(), self.deadline.is_stopped());
            running.retain(|one| {
                let late = stopped || one.until.is_some_and(|until| now >= until);
                if late {
                    one.abort.abort();
                    let took = one.planned + one.begun.elapsed();
                    outcomes[one.number] = Some((Err(self.deadline.passed()), took));
                    ended(one.number);
                }
                !late
            });
        }
        let lost = || {
            let broken = Error::Query("the engine broke off".into());
            (Err(broken), Duration::ZERO)
        };
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
        say: mpsc::Sender<(usize, Ended<Held>, Duration)>,
    ) -> AbortHandle {
        let room = self.room();
        let begun = Instant::now();
        // Each is a task, so that all threads optimise and not only one.
        let task = self
            .runtime
            .spawn(async move { memory::collect(frame, "the rows of a rule", &room).await });
        let abort = task.abort_handle();
        self.runtime.spawn(async move {
            // Nobody listens any more when all have their outcome.
            let _ = say.send((number, task.await, begun.elapsed()));
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
    use crate::engine::{Options, Source, Stop};

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

    #[test]
    fn of_several_queries_those_that_run_end_with_the_session_and_no_other_begins() {
        let stop = Stop::default();
        let options = Options {
            stop: Some(stop.clone()),
            ..Options::default()
        };
        let session = Session::open(Source::Memory(Vec::new()), &options).expect("a session");
        let long = "WITH t AS (SELECT unnest(range(0, 300000)) AS x) \
                    SELECT count(*) FROM t a CROSS JOIN t b WHERE md5(concat(a.x, '-', b.x)) LIKE 'abcdef%'";
        let plans = (0..3).map(|_| Ok((session.plan(long).expect("a plan"), Duration::ZERO, ())));
        let plans: Vec<Result<(DataFrame, Duration, ())>> = plans.collect();
        let (begun, mut ended) = (Instant::now(), Vec::new());
        let stopping = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            stop.stop();
        });
        let outcomes = session.collect_all(plans.into_iter(), 2, |number| ended.push(number));
        // It would take hours.
        assert!(begun.elapsed() < Duration::from_secs(5));
        stopping.join().expect("it only sleeps");
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2]);
        let is_stopped =
            |(outcome, _): &(Result<Held>, Duration)| matches!(outcome, Err(Error::Stopped));
        assert!(outcomes.iter().all(is_stopped));
        assert!(outcomes[0].1 > Duration::ZERO && outcomes[1].1 > Duration::ZERO);
        assert_eq!(outcomes[2].1, Duration::ZERO);
    }
}
