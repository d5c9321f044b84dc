//! The queries of a hunt, dealt out to workers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::future::try_join_all;
use tokio::sync::Notify;

use super::coordinator::{Cluster, Tell};
use super::link::{Exchange, unasked};
use super::wire::{Asks, Jobs, Receiving, Reply, schema_of};
use crate::engine::Session;
use crate::fault::{Error, Result};
use crate::hunt::{Answer, Answered, Crew, Cutting, Job, Orders};

/// Queries that a worker is given at once: it plans one while it runs others.
const AT_ONCE: usize = 8;
/// Letters of the queries that a worker is given at once, but for one that has more.
const LETTERS: usize = 8 << 20;
/// With so many workers a query is tried.
const TRIED: usize = 2;

/// Parts of a rule's time for each worker: the one that ends first takes another.
const PARTS: usize = 2;
/// Rows of such a part, at least. A rule takes 0.2 s of one thread for a million, the dearest 1.6 s, and 11 ms to be planned (benches/README.md).
const PART_ROWS: u64 = 500_000;

/// Workers at the queries of one hunt.
pub struct Hunters<'a> {
    cluster: &'a Cluster,
    /// Of those that are not lost.
    exchanges: Vec<Exchange>,
    /// What rows that come are counted with, in the memory of the hunt's session. It has nothing itself.
    room: Arc<MemoryReservation>,
}

impl Cluster {
    /// Workers for a hunt. What they send counts against the memory of its session.
    pub fn crew(&self, session: &Session) -> Hunters<'_> {
        Hunters {
            cluster: self,
            exchanges: Vec::new(),
            room: Arc::new(session.reserve("the rows of workers")),
        }
    }
}

impl Crew for Hunters<'_> {
    fn begin(&mut self, orders: &Orders) -> Result<()> {
        let asks = Asks::Hunt(Box::new(orders.clone()));
        let opening = self.cluster.links.iter().map(|link| link.exchange(&asks));
        self.exchanges = self.cluster.runtime.block_on(try_join_all(opening))?;
        Ok(())
    }

    fn cutting(&self) -> Option<Cutting> {
        let workers = self.exchanges.len();
        (workers > 1).then_some(Cutting {
            parts: PARTS * workers,
            rows: PART_ROWS,
        })
    }

    fn answers(
        &mut self,
        jobs: &[Job],
        begun: &mut dyn FnMut(usize),
        ended: &mut dyn FnMut(usize),
    ) -> Vec<Answered> {
        let deal = Arc::new(Deal::of(jobs, self.exchanges.len()));
        let (say, hear) = mpsc::channel();
        let working: Vec<_> = std::mem::take(&mut self.exchanges)
            .into_iter()
            .map(|exchange| {
                let at = At {
                    deal: Arc::clone(&deal),
                    say: say.clone(),
                    room: Arc::clone(&self.room),
                    tell: Arc::clone(&self.cluster.tell),
                };
                self.cluster.runtime.spawn(at.work(exchange))
            })
            .collect();
        drop(say);
        let mut answers: Vec<Option<Answered>> = jobs.iter().map(|_| None).collect();
        // Until all have come; then they are the hunt's own.
        let mut rooms = Vec::new();
        // It ends when each has let go of its own.
        for event in hear {
            match event {
                Event::Begun(number) => begun(number),
                Event::Ended(number, answered, room) => {
                    ended(number);
                    answers[number] = Some(answered);
                    rooms.extend(room);
                }
            }
        }
        for worked in working {
            match self.cluster.runtime.block_on(worked) {
                Ok(left) => self.exchanges.extend(left),
                Err(e) => (self.cluster.tell)(&format!(
                    "a worker is left: this is a fault of coldtrail ({e})"
                )),
            }
        }
        drop(rooms);
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| (Err(nobody()), Duration::ZERO)))
            .collect()
    }
}

fn nobody() -> Error {
    Error::Query("no worker is left".into())
}

/// What becomes of a query.
enum Event {
    Begun(usize),
    /// With the memory of its rows.
    Ended(usize, Answered, Option<MemoryReservation>),
}

/// A query that waits.
struct Ticket {
    number: usize,
    /// The workers that were lost with it.
    lost: Vec<String>,
    /// A worker on whose machine it failed: that may be the machine's fault, and another one is asked.
    failed_at: Option<String>,
}

impl Ticket {
    fn is_fresh(&self) -> bool {
        self.lost.is_empty() && self.failed_at.is_none()
    }
}

struct Open {
    waiting: VecDeque<Ticket>,
    /// Queries without an answer, of those that wait and those that run.
    left: usize,
    /// Workers that are not lost.
    living: usize,
}

/// Queries that are dealt out.
struct Deal {
    jobs: Vec<Job>,
    workers: usize,
    open: Mutex<Open>,
    changed: Notify,
}

impl Deal {
    fn of(jobs: &[Job], workers: usize) -> Deal {
        let ticket = |number| Ticket {
            number,
            lost: Vec::new(),
            failed_at: None,
        };
        Deal {
            jobs: jobs.to_vec(),
            workers: workers.max(1),
            open: Mutex::new(Open {
                waiting: (0..jobs.len()).map(ticket).collect(),
                left: jobs.len(),
                living: workers,
            }),
            changed: Notify::new(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next queries for a worker; nothing when all have their answers. One that a worker was lost with, or that failed elsewhere, goes alone.
    async fn next(&self, worker: &str) -> Option<Vec<Ticket>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut open = self.open();
                if open.left == 0 {
                    return None;
                }
                let chunk = self.chunk(&mut open, worker);
                if !chunk.is_empty() {
                    return Some(chunk);
                }
            }
            // Those that others are at may come back.
            changed.await;
        }
    }

    fn chunk(&self, open: &mut Open, worker: &str) -> Vec<Ticket> {
        let is_alone = open.living <= 1;
        let may_take =
            |one: &Ticket| is_alone || one.failed_at.as_ref().is_none_or(|at| at != worker);
        let Some(first) = open.waiting.iter().position(may_take) else {
            return Vec::new();
        };
        let many = (open.waiting.len() / (2 * self.workers)).clamp(1, AT_ONCE);
        let mut letters = 0;
        let together = open.waiting.range(first..).take(many).take_while(|one| {
            letters += self.jobs[one.number].text.len();
            one.is_fresh() && letters <= LETTERS
        });
        let many = together.count().max(1);
        open.waiting.drain(first..first + many).collect()
    }

    /// Whether somebody else could be asked.
    fn has_others(&self) -> bool {
        self.open().living > 1
    }

    /// A worker is lost, or has nothing more to do.
    fn leave(&self) {
        self.open().living -= 1;
        self.changed.notify_waiters();
    }

    /// A query has its answer.
    fn done(&self) {
        let mut open = self.open();
        open.left -= 1;
        if open.left == 0 {
            self.changed.notify_waiters();
        }
    }

    /// Queries that a lost worker was at are for others.
    fn back(&self, tickets: Vec<Ticket>) {
        let mut open = self.open();
        for ticket in tickets.into_iter().rev() {
            open.waiting.push_front(ticket);
        }
        self.changed.notify_waiters();
    }
}

/// A query that a worker is at.
struct Under {
    ticket: Ticket,
    schema: Option<SchemaRef>,
    batches: Vec<RecordBatch>,
    rows: Receiving,
    /// The memory of its rows.
    room: MemoryReservation,
    /// Why its rows are not kept.
    refused: Option<Error>,
    begun: Instant,
}

impl Under {
    fn new(ticket: Ticket, room: MemoryReservation) -> Under {
        Under {
            ticket,
            schema: None,
            batches: Vec::new(),
            rows: Receiving::default(),
            room,
            refused: None,
            begun: Instant::now(),
        }
    }

    /// Takes rows in, or only counts them once they were too many.
    fn take(&mut self, bytes: Bytes) -> Result<()> {
        if self.refused.is_none()
            && let Err(e) = self.room.try_grow(bytes.len())
        {
            // Another worker would send as much.
            (self.refused, self.batches) = (Some(Error::from(e)), Vec::new());
            self.room.free();
        }
        let batches = self.rows.take(bytes)?;
        if self.refused.is_none() {
            self.batches.extend(batches);
        }
        Ok(())
    }

    /// Its rows, all of them.
    fn answer(&mut self, rows: u64, reads: Vec<String>) -> Result<Answer> {
        if let Some(e) = self.refused.take() {
            return Err(e);
        }
        self.rows.end(rows)?;
        let none = || Error::Query("an answer of the cluster has no schema".into());
        Ok(Answer {
            schema: self.schema.take().ok_or_else(none)?,
            batches: std::mem::take(&mut self.batches),
            reads,
        })
    }
}

/// Whatever becomes of a worker, the others are told that it is gone.
struct Leaving(Arc<Deal>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// One worker's part.
struct At {
    deal: Arc<Deal>,
    say: mpsc::Sender<Event>,
    room: Arc<MemoryReservation>,
    tell: Tell,
}

/// Queries that a worker is at. Whatever becomes of it, those without an answer are not forgotten.
struct Round<'a> {
    at: &'a At,
    worker: String,
    under: Vec<Option<Under>>,
    /// Whether the worker has them.
    taken: bool,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let mut back = Vec::new();
        for mut one in self.under.drain(..).flatten() {
            if self.taken {
                one.ticket.lost.push(self.worker.clone());
            }
            if one.ticket.lost.len() < TRIED {
                back.push(one.ticket);
                continue;
            }
            let told = format!(
                "workers {} were lost while it ran",
                one.ticket.lost.join(" and ")
            );
            let answered = (Err(Error::Query(told)), one.begun.elapsed());
            self.at.ended(one.ticket.number, answered, None);
        }
        if !back.is_empty() {
            self.at.deal.back(back);
        }
    }
}

impl At {
    /// Works until there is nothing more to do; gives the worker back unless it is lost.
    async fn work(self, mut exchange: Exchange) -> Option<Exchange> {
        let _leaving = Leaving(Arc::clone(&self.deal));
        let worker = exchange.address.clone();
        loop {
            let tickets = tokio::select! {
                biased;
                // Nothing was asked: it is gone.
                said = exchange.next() => {
                    let told = said.err().unwrap_or_else(|| unasked(&worker));
                    (self.tell)(&told.to_string());
                    return None;
                }
                tickets = self.deal.next(&worker) => tickets,
            };
            let Some(tickets) = tickets else {
                return Some(exchange);
            };
            let under = tickets.into_iter().map(|ticket| {
                // Somebody listens until all have ended.
                let _ = self.say.send(Event::Begun(ticket.number));
                Some(Under::new(ticket, self.room.new_empty()))
            });
            let mut round = Round {
                at: &self,
                worker: worker.clone(),
                under: under.collect(),
                taken: false,
            };
            if let Err(e) = round.run(&mut exchange).await {
                (self.tell)(&format!(
                    "{e}; what it was at goes to others, where there are any"
                ));
                return None;
            }
        }
    }

    fn ended(&self, number: usize, answered: Answered, room: Option<MemoryReservation>) {
        // Somebody listens until all have ended.
        let _ = self.say.send(Event::Ended(number, answered, room));
        self.deal.done();
    }
}

impl Round<'_> {
    /// Has queries answered; those that have their answers are taken out.
    async fn run(&mut self, exchange: &mut Exchange) -> Result<()> {
        let jobs = self.under.iter().flatten();
        let jobs = jobs.map(|one| self.at.deal.jobs[one.ticket.number].clone());
        exchange.ask(&Jobs(jobs.collect()))?;
        while self.under.iter().any(Option::is_some) {
            match exchange.next().await? {
                (Reply::Taken, _) => self.taken = true,
                (reply, body) => self.hear(reply, body)?,
            }
        }
        Ok(())
    }

    fn hear(&mut self, reply: Reply, body: Bytes) -> Result<()> {
        let unasked = || unasked(&self.worker);
        let at = match &reply {
            Reply::Schema(job) | Reply::Begin(job) | Reply::Rows(job) => *job,
            Reply::Done { job, .. } | Reply::Failed { job, .. } => *job,
            _ => return Err(unasked()),
        };
        let slot = self.under.get_mut(at).ok_or_else(unasked)?;
        let one = slot.as_mut().ok_or_else(unasked)?;
        let answered = match reply {
            Reply::Schema(_) => {
                one.schema = Some(schema_of(&body)?);
                return Ok(());
            }
            Reply::Begin(_) => return one.rows.begin(),
            Reply::Rows(_) => return one.take(body),
            Reply::Done {
                rows, took, reads, ..
            } => (one.answer(rows, reads), took),
            Reply::Failed { fault, took, .. } => (Err(fault.error(&self.worker)), took),
            _ => return Err(unasked()),
        };
        let is_machines = matches!(
            answered.0,
            Err(Error::Worker { .. } | Error::Temporary { .. })
        );
        if is_machines && one.ticket.failed_at.is_none() && self.at.deal.has_others() {
            one.ticket.failed_at = Some(self.worker.clone());
            let ticket = slot.take().map(|one| one.ticket);
            self.at.deal.back(ticket.into_iter().collect());
            return Ok(());
        }
        if let Some(one) = slot.take() {
            let room = answered.0.is_ok().then_some(one.room);
            self.at.ended(one.ticket.number, answered, room);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::Scope;
    use crate::rules::Language;

    fn deal(jobs: usize, workers: usize) -> Deal {
        let job = Job {
            language: Language::Sql,
            text: "SELECT 1".into(),
            scope: Scope::Window,
        };
        Deal::of(&vec![job; jobs], workers)
    }

    fn numbers(chunk: Option<Vec<Ticket>>) -> Vec<usize> {
        let tickets = chunk.unwrap_or_default();
        tickets.into_iter().map(|one| one.number).collect()
    }

    #[tokio::test]
    async fn queries_are_dealt_in_ever_smaller_parts() {
        let deal = deal(60, 2);
        let mut sizes = Vec::new();
        let mut all = Vec::new();
        for _ in 0..60 {
            if deal.open().waiting.is_empty() {
                break;
            }
            let chunk = numbers(deal.next("a:1").await);
            sizes.push(chunk.len());
            all.extend(chunk);
        }
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        assert_eq!(sizes.first(), Some(&AT_ONCE));
        assert_eq!(sizes.last(), Some(&1));
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    }

    #[tokio::test]
    async fn a_query_that_a_worker_was_lost_with_goes_alone_and_its_like_wait_for_it() {
        let deal = Arc::new(deal(20, 2));
        let mut chunk = deal.next("a:1").await.expect("queries");
        assert_eq!(chunk.len(), 5);
        for one in &mut chunk {
            one.lost.push("a:1".into());
        }
        deal.back(chunk);
        assert_eq!(numbers(deal.next("b:1").await), [0]);
        assert_eq!(numbers(deal.next("b:1").await), [1]);
        for _ in 2..20 {
            if deal.open().waiting.is_empty() {
                break;
            }
            deal.next("b:1").await.expect("more");
        }
        // All run, none has its answer: whoever asks waits.
        let other = Arc::clone(&deal);
        let waiting = tokio::spawn(async move { other.next("b:1").await.is_none() });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        for _ in 0..20 {
            deal.done();
        }
        assert!(waiting.await.expect("it ends"));
    }

    #[tokio::test]
    async fn a_query_that_failed_on_a_machine_goes_to_another_while_there_is_one() {
        let deal = deal(3, 2);
        let mut chunk = deal.next("a:1").await.expect("a query");
        assert_eq!(chunk.len(), 1);
        chunk[0].failed_at = Some("a:1".into());
        deal.back(chunk);
        // It is the first of those that wait, and not for who failed.
        assert_eq!(numbers(deal.next("a:1").await), [1]);
        let chunk = deal.next("b:1").await.expect("a query");
        assert_eq!(chunk[0].number, 0);
        deal.back(chunk);
        deal.leave();
        assert_eq!(numbers(deal.next("a:1").await), [0]);
    }

    #[tokio::test]
    async fn long_queries_go_one_by_one() {
        let mut deal = deal(40, 1);
        for job in &mut deal.jobs {
            job.text = " ".repeat(LETTERS / 2 + 1);
        }
        assert_eq!(numbers(deal.next("a:1").await), [0]);
        deal.jobs[1].text = "SELECT 1".into();
        assert_eq!(numbers(deal.next("a:1").await), [1, 2]);
    }
}
