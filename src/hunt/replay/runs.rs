//! Rules replayed over an archive, several at a time. One that fails harms no other, and the order in which they end does not matter.

use std::collections::BTreeMap;
use std::convert::identity;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::alert::Alert;
use super::answers::{Answers, Manner};
use super::asked_tables::AskedTables;
use super::compare::{Among, Comparison, compare};
use super::delay::Delay;
use super::incident::{self, Incident};
use super::judge::{MOST_ALERTS, Raised, replay as judged};
use super::partners::Partners;
use super::schedule::{Interval, Timetable};
use crate::archive::ledger::Ledger;
use crate::engine::{Candidates, Language, STACK, Session, kql, read_together};
use crate::fault::{Error, Result};
use crate::hunt::asked::Asked;
use crate::hunt::lacking::{missing_watchlist, of_failure, unmapped};
use crate::hunt::outcome;
use crate::hunt::runs::guarded;
use crate::hunt::summary::{SLOWEST, Summary, events};
use crate::progress::Progress;
use crate::rules::{self, Rule, Severity};
use crate::text::count;

/// Rules that are replayed at the same time, at most.
const SIDE_BY_SIDE: usize = 4;
/// Of the memory, the rows that these rules keep may take one part in so many …
const KEPT_SHARE: usize = 4;
/// … and the rows that were read for several rules at once, until these were replayed, one part in so many.
const TOGETHER_SHARE: usize = 8;
/// Rules whose rows are read at once, at most: their plans, and what was read, are in memory at the same time.
const TOGETHER: usize = 32;

/// Why there are no runs where nothing says between which times.
const NO_EVENTS: &str =
    "there are no events to see (--from and --to say when rules run all the same)";

/// How to replay.
#[derive(Clone, Default)]
pub struct Options {
    /// When rules run for the first time; when the data begins, at a whole multiple of their frequency, if not given.
    pub from: Option<i64>,
    /// They run before this time; until all data was in a window, if not given.
    pub to: Option<i64>,
    /// When the last alert was stored: rules over alerts run until they saw it, also where it is later than all data.
    pub concluded: Option<i64>,
    /// The moment of the replay: no run executes after it. Any may, if not given.
    pub now: Option<i64>,
    /// How late events are ingested. The session must have been opened with it.
    pub delay: Delay,
    /// How it is done.
    pub manner: Manner,
    /// What queries in KQL may use.
    pub kql: kql::Options,
    /// How long a rule may take.
    pub limit: Option<Duration>,
    /// Memory for queries, in bytes.
    pub memory: usize,
    /// Rules at a time; as many as are good, if not given.
    pub threads: Option<usize>,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Its runs took place.
    Replayed,
    /// It has none, and why.
    NoRuns(&'static str),
    /// It lacks a watchlist or a saved function, and which.
    Lacks(String),
    /// It asks a table that nobody knows.
    Unknown(String),
    /// It asks a table that Sentinel has in its data lake alone.
    LakeOnly(String),
    /// It failed, and why.
    Failed(String),
}

/// A rule, and what became of it.
#[derive(Debug, Clone)]
pub struct Outcome<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// How it ended.
    pub status: Status,
    /// How many runs it had.
    pub runs: u64,
    /// How many queries were asked for them: of all others the answer was known.
    pub asked: u64,
    /// Why each run that had to be asked was planned by itself, where not all were answered from rows that were read once.
    pub each_run: Option<String>,
    /// Runs that did not take place because an alert had silenced the rule.
    pub suppressed: u64,
    /// Rows that got no alert, because their run had too many.
    pub dropped: u64,
    /// Its alerts, in the order of its runs.
    pub alerts: Vec<Alert>,
    /// Columns that its entity mappings name and its result does not have, where it raised something: its alerts are about less.
    pub unmapped: Vec<String>,
    /// The tables that it asks, where its runs took place.
    pub tables: AskedTables,
    /// How long it took.
    pub took: Duration,
}

impl<'p> Outcome<'p> {
    /// Whether it raised nothing, and the archive has no rows of any table that it asks.
    pub fn is_absent(&self) -> bool {
        self.status == Status::Replayed && self.alerts.is_empty() && self.tables.are_absent()
    }

    fn new(rule: &'p Rule, status: Status) -> Outcome<'p> {
        Outcome {
            rule,
            status,
            runs: 0,
            asked: 0,
            each_run: None,
            suppressed: 0,
            dropped: 0,
            alerts: Vec::new(),
            unmapped: Vec::new(),
            tables: AskedTables::default(),
            took: Duration::ZERO,
        }
    }
}

/// What a replay gave.
#[derive(Debug, Default)]
pub struct Replayed<'p> {
    /// Every rule, in the order in which they were given.
    pub outcomes: Vec<Outcome<'p>>,
}

impl<'p> Replayed<'p> {
    /// The alerts with their rules, in the order in which they were written.
    pub fn alerts(&self) -> Vec<(&'p Rule, &Alert)> {
        let mut all: Vec<(&'p Rule, &Alert)> = self
            .outcomes
            .iter()
            .flat_map(|outcome| {
                outcome
                    .alerts
                    .iter()
                    .map(move |alert| (outcome.rule, alert))
            })
            .collect();
        // Alerts of one run stay in the order of its rows.
        all.sort_by(|(_, one), (_, two)| (one.time(), &one.rule).cmp(&(two.time(), &two.rule)));
        all
    }

    /// Keeps the alerts for which this says so.
    pub fn retain(&mut self, is_kept: impl Fn(&Alert) -> bool) {
        for outcome in &mut self.outcomes {
            outcome.alerts.retain(&is_kept);
        }
    }

    /// The incidents of those of its alerts that are kept.
    pub fn incidents(&self, is_kept: impl Fn(&Alert) -> bool) -> Vec<Incident> {
        let kept = |outcome: &Outcome<'p>| {
            let alerts = outcome.alerts.iter().filter(|alert| is_kept(alert));
            (outcome.rule, alerts.cloned().collect::<Vec<Alert>>())
        };
        let raised: Vec<(&Rule, Vec<Alert>)> = self.outcomes.iter().map(kept).collect();
        let raised = raised
            .iter()
            .map(|(rule, alerts)| (*rule, alerts.as_slice()));
        incident::incidents(raised, None)
    }

    /// What became of the alerts of this replay in another. The numbers are places among its [`Replayed::alerts`].
    pub fn compare(&self, other: &Replayed<'_>, among: Among<'_>) -> Comparison {
        compare(&copies(self), &copies(other), among)
    }

    /// Which of its rules belong to which of another replay.
    pub fn partners(&self, other: &Replayed<'_>) -> Partners {
        Partners::of(&self.called(), &other.called())
    }

    /// Ids and names of its rules.
    fn called(&self) -> Vec<(&str, &str)> {
        let rules = self.outcomes.iter().map(|outcome| outcome.rule);
        rules
            .map(|rule| (rule.id.as_str(), rule.name.as_str()))
            .collect()
    }

    /// Runs of all rules.
    pub fn runs(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.runs).sum()
    }

    /// Queries that were asked for them.
    pub fn asked(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.asked).sum()
    }

    /// What it was in numbers, with so many rules that could not be loaded.
    pub fn summary(&self, refused: usize, ledger: &Ledger) -> Summary {
        let outcomes = || self.outcomes.iter();
        let count = |is: fn(&Status) -> bool| outcomes().filter(|o| is(&o.status)).count();
        let (mut by_severity, mut by_rule) = (BTreeMap::<Severity, usize>::new(), BTreeMap::new());
        for outcome in outcomes().filter(|o| !o.alerts.is_empty()) {
            by_rule.insert(outcome.rule.id.clone(), outcome.alerts.len());
            for alert in &outcome.alerts {
                *by_severity.entry(alert.severity).or_default() += 1;
            }
        }
        let ran = || outcomes().filter(|o| o.status == Status::Replayed);
        let mut slowest: Vec<(String, Duration)> =
            ran().map(|o| (o.rule.id.clone(), o.took)).collect();
        slowest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        slowest.truncate(SLOWEST);
        let tables = outcomes().flat_map(|o| o.tables.all.iter().cloned());
        let set = outcomes().map(|o| (o.rule.id.clone(), o.rule.set()));
        Summary {
            loaded: self.outcomes.len() + refused,
            ran: ran().count(),
            absent: outcomes().filter(|o| o.is_absent()).count(),
            counted: 0,
            without_runs: count(|s| matches!(s, Status::NoRuns(_))),
            refused,
            lacking: count(|s| matches!(s, Status::Lacks(_))),
            unknown_table: count(|s| matches!(s, Status::Unknown(_))),
            lake_only: count(|s| matches!(s, Status::LakeOnly(_))),
            failed: count(|s| matches!(s, Status::Failed(_))),
            events: events(ledger, &tables.collect()),
            by_severity,
            by_rule,
            set: set.filter(|(_, set)| !set.is_empty()).collect(),
            slowest,
        }
    }
}

/// The alerts of a replay, in its order.
fn copies(replayed: &Replayed<'_>) -> Vec<Alert> {
    let alerts = replayed.alerts().into_iter();
    alerts.map(|(_, alert)| alert.clone()).collect()
}

/// Replays rules over data of these times: from the first event to the last, that with it. Where there is none, the last lies before the first, and
/// there are no runs but those between times that the options say.
///
/// # Errors
/// When threads cannot be started, or an empty list cannot stand in for a watchlist. What is wrong with a rule is an outcome.
pub fn replay<'p>(
    session: &mut Session,
    rules: &[&'p Rule],
    (first, last): (i64, i64),
    options: &Options,
    progress: &dyn Progress,
) -> Result<Replayed<'p>> {
    for (name, need) in rules.iter().flat_map(|rule| &rule.watchlists) {
        if !need.required {
            session.stand_in(name, &need.columns)?;
        }
    }
    let session: &Session = session;
    let late = options.delay.longest().unwrap_or(0);
    let over = Interval {
        from: options.from.unwrap_or(first),
        to: options
            .to
            .unwrap_or(last.saturating_add(late).saturating_add(1)),
    };
    // The last alert that was stored may be later than all data.
    let seen = last.max(options.concluded.unwrap_or(last));
    if seen < first && (options.from.is_none() || options.to.is_none()) {
        let none = |rule| Outcome::new(rule, Status::NoRuns(NO_EVENTS));
        let outcomes = rules.iter().copied().map(none).collect();
        return Ok(Replayed { outcomes });
    }
    progress.rules(rules.len());
    let mut outcomes = Vec::with_capacity(rules.len());
    for rules in rules.chunks(TOGETHER) {
        outcomes.extend(together(session, rules, over, options, progress)?);
    }
    Ok(Replayed { outcomes })
}

/// Replays some rules, whose rows are read together.
fn together<'p>(
    session: &Session,
    rules: &[&'p Rule],
    over: Interval,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Vec<Outcome<'p>>> {
    let threads = options.threads.unwrap_or(SIDE_BY_SIDE);
    let threads = threads.min(SIDE_BY_SIDE).min(rules.len()).max(1);
    progress.step("preparing rules");
    let steps = side_by_side(threads, rules.to_vec(), |rule| {
        let begun = Instant::now();
        let work = || ready(session, rule, over, options);
        let step = kept_apart((session, rule, options), work);
        let step = step.and_then(identity);
        match step {
            Ok(ready) => Ok(Ready {
                took: begun.elapsed(),
                ..ready
            }),
            Err(mut outcome) => {
                outcome.took = begun.elapsed();
                Err(outcome)
            }
        }
    })?;
    let most = options.memory / KEPT_SHARE / SIDE_BY_SIDE;
    let (mut wanted, mut counts) = (Vec::new(), Vec::with_capacity(steps.len()));
    for step in &steps {
        let own = match step {
            Ok(ready) => ready.answers.wanted(&ready.timetable, most),
            Err(_) => Vec::new(),
        };
        counts.push(own.len());
        wanted.extend(own);
    }
    progress.step("reading what rules ask for");
    let all = options.memory / TOGETHER_SHARE;
    let mut read = read_together(&wanted, all, options.limit).into_iter();
    drop(wanted);
    let steps = steps.into_iter().zip(counts);
    let steps: Vec<_> = steps
        .map(|(step, count)| (step, read.by_ref().take(count).collect::<Vec<_>>()))
        .collect();
    side_by_side(threads, steps, |(step, read)| {
        let ready = match step {
            Ok(ready) => ready,
            Err(outcome) => {
                progress.rule_done();
                return *outcome;
            }
        };
        let (rule, took, begun) = (ready.rule, ready.took, Instant::now());
        progress.rule(&rule.id);
        let work = || ready.replayed(session, read, most, options);
        let outcome = kept_apart((session, rule, options), work);
        let mut outcome = outcome.unwrap_or_else(|outcome| *outcome);
        outcome.took = took + begun.elapsed();
        progress.rule_done();
        outcome
    })
}

/// Does something with each of these, so many at a time, and returns what comes of it in their order.
fn side_by_side<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Result<Vec<R>> {
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let waiting = Mutex::new(items.into_iter().enumerate());
    let work = || {
        loop {
            // What is done outside of it cannot leave it half done.
            let next = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next();
            let Some((number, item)) = next else {
                break;
            };
            let made = work(item);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((number, made));
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..threads {
            let thread = std::thread::Builder::new().stack_size(STACK);
            let started = thread.spawn_scoped(scope, work);
            started.map_err(Error::io("start threads for", "rules"))?;
        }
        Ok(())
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, made)| made).collect())
}

/// A part of the work on a rule. What is wrong with the rule, and that it broke off, is its outcome and harms no other.
fn kept_apart<'p, T>(
    (session, rule, options): (&Session, &'p Rule, &Options),
    work: impl FnOnce() -> Result<T>,
) -> std::result::Result<T, Box<Outcome<'p>>> {
    guarded(work).map_err(|e| {
        let status = failed(session, rule, &e, &options.kql);
        Box::new(Outcome::new(rule, status))
    })
}

/// What became of a rule with this error: the same as in a sweep.
fn failed(session: &Session, rule: &Rule, error: &Error, how: &kql::Options) -> Status {
    let asked = Asked {
        rule: rule.clone(),
        language: rule.query.language,
        text: rule.query.text.to_string(),
        traced: None,
    };
    match of_failure(&asked, error, session, how) {
        outcome::Status::Lacks(why) => Status::Lacks(why),
        outcome::Status::Unknown(why) => Status::Unknown(why),
        outcome::Status::LakeOnly(why) => Status::LakeOnly(why),
        other => Status::Failed(other.reason().unwrap_or_default().to_string()),
    }
}

/// A rule whose query was prepared, and nothing was read for it.
struct Ready<'p, 's> {
    rule: &'p Rule,
    timetable: Timetable,
    answers: Answers<'s>,
    /// How long that took.
    took: Duration,
}

/// Whether a rule asks for alerts or incidents, as far as the words of its query tell.
pub fn asks_conclusions(rule: &Rule) -> bool {
    let is_between = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let mut words = rule.query.text.split(is_between);
    words.any(|word| word == "SecurityAlert" || word == "SecurityIncident")
}

/// Prepares a rule, or says why it has no runs.
fn ready<'p: 's, 's>(
    session: &'s Session,
    rule: &'p Rule,
    over: Interval,
    options: &'s Options,
) -> Result<std::result::Result<Ready<'p, 's>, Box<Outcome<'p>>>> {
    let ended = |status| Ok(Err(Box::new(Outcome::new(rule, status))));
    let none = |why| ended(Status::NoRuns(why));
    if !rule.enabled {
        return none("it is switched off");
    }
    if let Some(why) = missing_watchlist(rule, session) {
        return ended(Status::Lacks(why));
    }
    let from = match options.from {
        Some(from) => from,
        None => Timetable::begin(rule, over.from),
    };
    let to = match options.concluded {
        Some(last) if options.to.is_none() && asks_conclusions(rule) => {
            over.to.max(last.saturating_add(1))
        }
        _ => over.to,
    };
    let over = Interval { from, to };
    let timetable = match options.to {
        Some(_) => Timetable::of(rule, over),
        None => Timetable::covering(rule, over),
    };
    let Some(timetable) = timetable else {
        return none("it has no schedule");
    };
    let timetable = match options.now {
        Some(now) => timetable.executed_by(now),
        None => timetable,
    };
    let language = match rule.query.language {
        rules::Language::Sql => Language::Sql,
        rules::Language::Kql => Language::Kql(&options.kql),
        rules::Language::Sigma => return none("rules in Sigma have no schedule"),
    };
    let asked = (language, rule.query.text.as_str());
    Ok(Ok(Ready {
        answers: Answers::of(session, asked, &timetable, options.manner)?,
        rule,
        timetable,
        took: Duration::ZERO,
    }))
}

impl<'p> Ready<'p, '_> {
    /// Does its runs, over what was read for it and what it reads itself.
    fn replayed(
        mut self,
        session: &Session,
        read: Vec<Option<Candidates>>,
        most: usize,
        options: &Options,
    ) -> Result<Outcome<'p>> {
        let begun = Instant::now();
        let (rule, timetable, answers) = (self.rule, &self.timetable, &mut self.answers);
        answers.read(timetable, most, read)?;
        let needed = answers.needed(timetable);
        let nothing = answers.nothing();
        let raised: Raised = judged(rule, timetable, &needed, &nothing, |run| {
            match options.limit {
                Some(limit) if self.took + begun.elapsed() > limit => Err(Error::TooLong(limit)),
                _ => answers.answer(run),
            }
        })?;
        if raised.too_many {
            let most = count(MOST_ALERTS as u64);
            let why =
                format!("it raises more than {most} alerts (--from and --to choose fewer runs)");
            return Ok(Outcome::new(rule, Status::Failed(why)));
        }
        let schema = answers.schema().filter(|_| !raised.alerts.is_empty());
        Ok(Outcome {
            unmapped: schema.map_or_else(Vec::new, |schema| unmapped(rule, schema)),
            runs: timetable.count(),
            asked: answers.asked(),
            each_run: answers.each_run().map(String::from),
            suppressed: raised.suppressed,
            dropped: raised.dropped,
            alerts: raised.alerts,
            tables: AskedTables::of(session, rule, &options.kql)?,
            ..Outcome::new(rule, Status::Replayed)
        })
    }
}
