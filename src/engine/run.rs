//! Running what was planned: on the session's threads, within the memory of queries, for as long as a question may take.

use std::any::Any;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::{self, RecvTimeoutError, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
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

use super::deadline::Deadline;
use super::memory::{self, Held, Room};
use super::options::STACK;
use super::output;
use super::session::Session;
use crate::fault::{Error, Result};

/// Batches of an answer that are made before the first of them is taken.
const AHEAD: usize = 2;
/// What holds the rows of a query of several.
const OF_RULE: &str = "the rows of a rule";
/// Bytes of the memory for queries for each that runs beside others: the pages that its threads read are in no reservation.
const BESIDE_OTHERS: usize = 128 << 20;

/// Plans of several queries that are made or wait to be run, beside one for each thread that plans: a plan may hold rows.
const PLANNED_AHEAD: usize = 2;

/// A query of several, after it was planned.
struct Plan<K> {
    number: usize,
    /// Its plan, and what must live as long as it runs; or why there is none.
    made: Result<(DataFrame, K)>,
    took: Duration,
}

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

/// What became of one of several queries.
enum News<K> {
    Planned(Box<Plan<K>>),
    /// How it ended, and how long it ran.
    Ended(usize, Ended<Held>, Duration),
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

    /// When a question must be answered that begins now; nothing where it may take its time.
    pub(crate) fn ends(&self) -> Option<Instant> {
        self.deadline.when_it_ends()
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

    /// How many threads plan and run queries.
    pub(crate) fn threads(&self) -> usize {
        self.context.copied_config().target_partitions().max(1)
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
        self.run_until(&self.deadline, future)
    }

    fn run_until<T, F>(&self, deadline: &Deadline, future: F) -> Result<T>
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
        match next(deadline, &hear) {
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
        next(&self.deadline, hear)
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

    /// Runs one query and returns its rows. It may take the time of the options, whatever question is at hand.
    pub(crate) fn collect_one(&self, frame: DataFrame) -> Result<Held> {
        let room = self.room();
        let deadline = self.deadline.until(self.ends());
        self.run_until(&deadline, async move {
            memory::collect(frame, OF_RULE, &room).await
        })
    }

    /// Plans queries and runs them, so many at a time, and returns their rows and how long each took, in their order. They are planned by as many
    /// threads as the session has, or fewer where memory is short, while others run. Each may take the time of the options, with
    /// its planning. One that fails or breaks off harms no other. When the user ends them, those that run end, and no other begins.
    ///
    /// `plan` makes the plan of the query of a number, and what must live as long as that runs; several threads call it. This thread tells `begun` the
    /// number of each that is to be planned, in their order, and `ended` of each that has ended.
    pub(crate) fn collect_all<K: Send + 'static>(
        &self,
        queries: usize,
        at_a_time: usize,
        plan: impl Fn(usize) -> Result<(DataFrame, K)> + Sync,
        mut begun: impl FnMut(usize),
        ended: impl FnMut(usize),
    ) -> Vec<(Result<Held>, Duration)> {
        let threads = self.threads();
        // What is worked out to plan a query takes memory as running it does, and so does a plan that waits.
        let most = self.side_by_side(at_a_time + threads + PLANNED_AHEAD);
        let at_a_time = at_a_time.min(most);
        let planners = match queries {
            0 | 1 => 0,
            // Where there is room for none, this thread plans one when it can be run.
            _ => (most - at_a_time).min(threads).min(queries),
        };
        let (say, hear) = mpsc::channel();
        let (order, orders) = mpsc::channel();
        let orders = Mutex::new(orders);
        let planner = || {
            loop {
                let number = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(number) = number else {
                    break;
                };
                // It is heard for as long as there are orders.
                let _ = say.send(News::Planned(Box::new(planned(number, &plan))));
            }
        };
        let mut several = Several {
            session: self,
            say: &say,
            at_a_time,
            outcomes: (0..queries).map(|_| None).collect(),
            ahead: 0,
            waiting: VecDeque::new(),
            running: Vec::new(),
            ended,
        };
        std::thread::scope(|scope| {
            let started = (0..planners).take_while(|_| {
                let thread = std::thread::Builder::new().stack_size(STACK);
                thread.spawn_scoped(scope, planner).is_ok()
            });
            let planners = started.count();
            let mut waiting = 0..queries;
            loop {
                while several.ahead + several.running.len() < most
                    && let Some(number) = waiting.next()
                {
                    begun(number);
                    several.ahead += 1;
                    match planners {
                        0 => several.waiting.push_back(planned(number, &plan)),
                        _ => {
                            // Who takes it outlives this.
                            let _ = order.send(number);
                        }
                    }
                    several.start();
                }
                if several.has_ended() {
                    break;
                }
                several.hear(&hear);
            }
            // The planners end when nobody can give them orders any more.
            drop(order);
        });
        several.outcomes()
    }

    /// Starts one of several queries, which says how it ended.
    fn start<K: Send + 'static>(
        &self,
        number: usize,
        frame: DataFrame,
        say: mpsc::Sender<News<K>>,
    ) -> AbortHandle {
        let room = self.room();
        let begun = Instant::now();
        // Each is a task, so that all threads optimise and not only one.
        let task = self
            .runtime
            .spawn(async move { memory::collect(frame, OF_RULE, &room).await });
        let abort = task.abort_handle();
        self.runtime.spawn(async move {
            // Nobody listens any more when all have their outcome.
            let _ = say.send(News::Ended(number, task.await, begun.elapsed()));
        });
        abort
    }
}

/// Queries of which some are planned while others run.
struct Several<'s, K, E> {
    session: &'s Session,
    /// Where those that end say so.
    say: &'s mpsc::Sender<News<K>>,
    at_a_time: usize,
    outcomes: Vec<Option<(Result<Held>, Duration)>>,
    /// How many are planned or wait to be run.
    ahead: usize,
    waiting: VecDeque<Plan<K>>,
    running: Vec<Running<K>>,
    ended: E,
}

impl<K: Send + 'static, E: FnMut(usize)> Several<'_, K, E> {
    /// Starts those that wait, as many as may run.
    fn start(&mut self) {
        while self.running.len() < self.at_a_time
            && let Some(plan) = self.waiting.pop_front()
        {
            self.ahead -= 1;
            let (number, planned) = (plan.number, plan.took);
            let (frame, kept) = match plan.made {
                Ok(_) if self.session.deadline.is_stopped() => {
                    self.end(number, Err(self.session.deadline.passed()), planned);
                    continue;
                }
                Ok(made) => made,
                Err(e) => {
                    self.end(number, Err(e), planned);
                    continue;
                }
            };
            let until = self.session.ends();
            self.running.push(Running {
                number,
                begun: Instant::now(),
                until: until.map(|at| at.checked_sub(planned).unwrap_or(at)),
                planned,
                abort: self.session.start(number, frame, self.say.clone()),
                _kept: kept,
            });
        }
    }

    /// Waits until one is planned, has ended or is late, and starts what can be started then.
    fn hear(&mut self, hear: &mpsc::Receiver<News<K>>) {
        let first = self.running.iter().filter_map(|one| one.until).min();
        let left = first.map(|at| at.saturating_duration_since(Instant::now()));
        let look = self.session.deadline.look();
        let heard = match left.into_iter().chain(look).min() {
            Some(a_while) => hear.recv_timeout(a_while),
            None => hear.recv().map_err(RecvTimeoutError::from),
        };
        // What has ended is not late, whatever the time is now.
        for news in heard.into_iter().chain(hear.try_iter()) {
            match news {
                News::Planned(plan) => self.waiting.push_back(*plan),
                News::Ended(number, end, took) => {
                    let at = self.running.iter().position(|one| one.number == number);
                    // One that was given up has its outcome.
                    if let Some(at) = at {
                        let one = self.running.swap_remove(at);
                        self.end(number, outcome(end), one.planned + took);
                    }
                }
            }
        }
        let (now, stopped) = (Instant::now(), self.session.deadline.is_stopped());
        let is_late = |one: &mut Running<K>| stopped || one.until.is_some_and(|until| now >= until);
        let late: Vec<Running<K>> = self.running.extract_if(.., is_late).collect();
        for one in late {
            one.abort.abort();
            let took = one.planned + one.begun.elapsed();
            self.end(one.number, Err(self.session.deadline.passed()), took);
        }
        self.start();
    }

    fn end(&mut self, number: usize, rows: Result<Held>, took: Duration) {
        self.outcomes[number] = Some((rows, took));
        (self.ended)(number);
    }

    /// Whether none is planned, waits or runs.
    fn has_ended(&self) -> bool {
        self.ahead == 0 && self.running.is_empty()
    }

    fn outcomes(self) -> Vec<(Result<Held>, Duration)> {
        let outcomes = self.outcomes.into_iter();
        outcomes
            .map(|one| one.expect("each has one when all have ended"))
            .collect()
    }
}

/// Plans one of several queries. That it breaks off is its outcome.
fn planned<K>(number: usize, plan: impl Fn(usize) -> Result<(DataFrame, K)>) -> Plan<K> {
    let begun = Instant::now();
    // Nothing is left of what it made.
    let made = catch_unwind(AssertUnwindSafe(|| plan(number)));
    let made = made.unwrap_or_else(|panic| Err(broken_off(&said(panic.as_ref()))));
    Plan {
        number,
        made,
        took: begun.elapsed(),
    }
}

/// What comes next, before the question's time is over; nothing when all has come.
fn next<T>(deadline: &Deadline, hear: &mpsc::Receiver<T>) -> Result<Option<T>> {
    loop {
        let Some(a_while) = deadline.wait() else {
            return Ok(hear.recv().ok());
        };
        if deadline.is_stopped() {
            return Err(deadline.passed());
        }
        match hear.recv_timeout(a_while) {
            Ok(heard) => return Ok(Some(heard)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if deadline.is_over() => return Err(deadline.passed()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn outcome<T>(ended: Ended<T>) -> Result<T> {
    match ended {
        Ok(done) => done.map_err(Error::from),
        Err(e) => Err(broken_off(&match e.try_into_panic() {
            Ok(panic) => said(panic.as_ref()),
            Err(e) => e.to_string(),
        })),
    }
}

/// What a query says that broke off.
fn broken_off(why: &str) -> Error {
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::engine::{Options, Source, Stop, parallel};

    /// A session with so many threads, of which each question may take so long.
    fn session(threads: usize, timeout: Option<Duration>) -> Session {
        let options = Options {
            threads: Some(threads),
            timeout,
            ..Options::default()
        };
        Session::open(Source::Memory(Vec::new()), &options).expect("a session")
    }

    /// The first value of an outcome, or why there is none.
    fn told((rows, _): &(Result<Held>, Duration)) -> String {
        match rows {
            Ok(held) => output::cell(held.batches[0].column(0), 0).expect("a value"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn what_is_made_for_a_question_ends_with_its_time() {
        let session = session(2, Some(Duration::from_millis(10)));
        session.begin();
        let never = session.block_until(std::future::pending::<Result<()>>());
        assert!(matches!(never, Err(Error::TooLong(_))));
        session.end();
        assert!(matches!(session.block_until(async { Ok(7) }), Ok(7)));
    }

    #[test]
    fn outcomes_are_in_the_order_of_the_queries_whatever_is_planned_first() {
        const QUERIES: usize = 9;
        let wanted: Vec<String> = (0..QUERIES)
            .map(|number| match number {
                3 => "no plan".into(),
                5 => "the engine broke off: no plan at all".into(),
                number => number.to_string(),
            })
            .collect();
        for threads in [1, 4] {
            let session = session(threads, None);
            let plan = |number: usize| -> Result<(DataFrame, ())> {
                // The later of those that are planned at once are ready first.
                for _ in number..QUERIES {
                    std::thread::sleep(Duration::from_millis(5));
                }
                match number {
                    3 => Err(Error::Query("no plan".into())),
                    5 => panic!("no plan at all"),
                    number => Ok((session.plan(&format!("SELECT {number}"))?, ())),
                }
            };
            let (mut begun, mut ended) = (Vec::new(), Vec::new());
            let outcomes =
                session.collect_all(QUERIES, 2, plan, |n| begun.push(n), |n| ended.push(n));
            let outcomes: Vec<String> = outcomes.iter().map(told).collect();
            assert_eq!(outcomes, wanted, "{threads} threads");
            let each: Vec<usize> = (0..QUERIES).collect();
            assert_eq!(begun, each);
            ended.sort_unstable();
            assert_eq!(ended, each);
        }
    }

    #[test]
    fn one_that_is_planned_too_long_ends_alone() {
        let limit = Duration::from_secs(2);
        let session = session(2, Some(limit));
        let plan = |number: usize| -> Result<(DataFrame, ())> {
            match number {
                1 => session
                    .until(session.ends())
                    .block_until(std::future::pending()),
                number => Ok((session.plan(&format!("SELECT {number}"))?, ())),
            }
        };
        let outcomes = session.collect_all(6, 4, plan, |_| {}, |_| {});
        let (late, took) = &outcomes[1];
        assert!(matches!(late, Err(Error::TooLong(_))));
        assert!(*took >= limit);
        for (number, outcome) in outcomes.iter().enumerate().filter(|(n, _)| *n != 1) {
            assert_eq!(told(outcome), number.to_string());
        }
    }

    #[test]
    fn threads_that_ask_the_same_views_make_each_once() {
        let session = session(4, None);
        let views = [
            "LabelEvents",
            "UnifiedAuditLog",
            "CloudAppEvents",
            "OfficeActivity",
        ];
        // Each is asked by two at a time, as are those that they are made of.
        let asked: Vec<&str> = views.into_iter().flat_map(|view| [view, view]).collect();
        let counts = parallel::each(&asked, asked.len(), |view| {
            let (_, batches) = session.collect(&format!("SELECT count(*) FROM \"{view}\""))?;
            output::cell(batches[0].column(0), 0)
        });
        for (view, count) in asked.iter().zip(counts) {
            assert_eq!(count.expect(view), "0");
        }
    }

    #[test]
    fn no_more_than_a_few_plans_wait() {
        const THREADS: usize = 2;
        static PLANS: AtomicUsize = AtomicUsize::new(0);
        /// A plan that is there.
        struct There;
        impl Drop for There {
            fn drop(&mut self) {
                PLANS.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let session = session(THREADS, None);
        let most = AtomicUsize::new(0);
        // To run it takes longer than to plan it.
        let frame = session
            .plan("SELECT count(DISTINCT x) FROM (SELECT unnest(range(0, 200000)) AS x) AS t")
            .expect("a plan");
        let plan = |_: usize| -> Result<(DataFrame, There)> {
            most.fetch_max(PLANS.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            Ok((frame.clone(), There))
        };
        let outcomes = session.collect_all(40, 1, plan, |_| {}, |_| {});
        assert!(outcomes.iter().all(|outcome| told(outcome) == "200000"));
        let most = most.into_inner();
        assert!(most <= 1 + THREADS + PLANNED_AHEAD, "{most} at once");
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
        let plan = |_: usize| -> Result<(DataFrame, ())> { Ok((session.plan(long)?, ())) };
        let (begun, mut ended) = (Instant::now(), Vec::new());
        let stopping = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            stop.stop();
        });
        let outcomes = session.collect_all(3, 2, plan, |_| {}, |number| ended.push(number));
        // It would take hours.
        assert!(begun.elapsed() < Duration::from_secs(5));
        stopping.join().expect("it only sleeps");
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2]);
        let is_stopped =
            |(outcome, _): &(Result<Held>, Duration)| matches!(outcome, Err(Error::Stopped));
        assert!(outcomes.iter().all(is_stopped));
    }
}
