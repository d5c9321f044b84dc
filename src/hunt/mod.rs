//! Hunting: rules run over an archive; their rows become findings with entities and evidence.
//!
//! A [`replay`] runs them as their schedulers would have; what is said here is of sweeps. What either raises as alerts, [`alerts`] excludes
//! ([`exclusions`]), counts and stores.
//!
//! A sweep runs each rule once over the chosen time. Rules run side by side, within `--memory-limit` where it is given; what they find does not
//! depend on the order. A rule that fails, takes too long or meets a fault of coldtrail is an outcome, and harms no other.
//!
//! | step | where |
//! |---|---|
//! | what a rule asks, in SQL or KQL | `asked` |
//! | what is done to a session before the first query | `start` |
//! | its rows | `runs` |
//! | the same by others, in the hunt's place | `crew`, `served` |
//! | which rules they are asked in parts of the time | `parts`, `one_event` |
//! | what it cannot judge, in numbers | `counts` |
//! | what a rule asks for and is not there | `lacking` |
//! | its rows as findings | `finding` |
//! | the records behind them | `traced`, `lineage` |
//! | what became of each rule, and of all in numbers | `outcome`, `summary` |
//!
//! The chosen time chooses findings, by their last event; each rule sees as much around it as it looks back. However a time is split into
//! windows, their sweeps give together what one sweep of all of it gives, each finding once; but for rules whose trigger is not `gt 0`, which count
//! the rows of each window by itself.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::RecordBatch;
use chrono_tz::Tz;
use serde_json::Value;

use crate::archive::ledger::Ledger;
use crate::engine::Session;
use crate::engine::kql::Options;
use crate::fault::Result;
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::progress::Progress;
use crate::rules::{Language, Pack, Rule, Severity};
use crate::text;
use alerts::Tally;
use asked::{Asked, Queries};
use counts::Count;
use lacking::{Presence, missing_watchlist, of_failure};
use parts::Parts;
use runs::{Runs, guarded};
use start::{Shared, Start};

pub use crate::engine::TimeRange as Window;
pub use crew::{Answer, Answered, Answering, Crew, Cutting, Fault, Job, Orders, Scope};
pub use finding::{Entity, Evidence, Finding};
pub use lineage::LOOKED_UP;
pub use outcome::{Outcome, Status};
pub use runs::Unjudged;
pub use served::{open_as, serve};
pub use summary::Summary;

pub mod alerts;
mod asked;
mod counts;
mod crew;
pub mod exclusions;
mod finding;
mod lacking;
mod lineage;
mod one_event;
mod outcome;
mod parts;
pub mod replay;
mod runs;
mod served;
mod start;
mod summary;
mod traced;

/// Values of a rule's rows at most. As findings they take 100 to 150 bytes each, which no limit of memory counts: a rule that gives back a million
/// events with all their columns would end the whole hunt.
const MOST_VALUES: usize = 20_000_000;

/// Which rules run, and for which findings.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Only findings of at least this severity.
    pub level: Severity,
    /// Only findings of this time.
    pub window: Window,
}

impl Choice {
    /// All findings of at least a severity.
    pub fn of(level: Severity) -> Choice {
        Choice {
            level,
            window: Window::default(),
        }
    }

    fn rules(self, pack: &Pack) -> impl Iterator<Item = &Rule> {
        let rules = pack.rules.iter();
        rules.filter(move |rule| may_reach(rule, self.level))
    }
}

/// Whether what a rule raises may be of at least this severity: it is the rule's own, or what its rows say.
pub fn may_reach(rule: &Rule, level: Severity) -> bool {
    let details = &rule.alert_details;
    let mut dynamic = details.dynamic_properties.iter();
    rule.severity >= level
        || details.severity_column.is_some()
        || dynamic.any(|dynamic| dynamic.property == "AlertSeverity")
}

/// What a hunt gave.
#[derive(Debug, Clone, Default)]
pub struct Hunt {
    /// Every rule, by id; those that could not be loaded too.
    pub outcomes: Vec<Outcome>,
    /// Findings, the worst first.
    pub findings: Vec<Finding>,
    /// What became of them as alerts, where some were excluded, stored, or told from known ones.
    pub alerts: Option<Tally>,
    /// Tables that the rules asked; of rules that did not run it is not known.
    pub reads: BTreeSet<String>,
    /// Events of these.
    pub events: u64,
}

impl Hunt {
    /// What it was in numbers.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.outcomes, &self.findings, self.events)
    }

    /// How many rules did not run, for whatever reason.
    pub fn not_run(&self) -> usize {
        let reasons = self.outcomes.iter().filter_map(|o| o.status.reason());
        reasons.count()
    }

    /// Keeps the findings for which this says so, in their order.
    pub fn retain(&mut self, keep: impl FnMut(&Finding) -> bool) {
        self.findings.retain(keep);
        for (number, finding) in (1..).zip(&mut self.findings) {
            finding.number = number;
        }
        let mut left: HashMap<&str, usize> = HashMap::new();
        for finding in &self.findings {
            *left.entry(&finding.rule).or_default() += 1;
        }
        for outcome in &mut self.outcomes {
            outcome.findings = left.get(outcome.id.as_str()).copied().unwrap_or(0);
        }
    }

    /// Shows the times of its findings as the clocks of a zone do, each with its offset.
    pub fn show_in(&mut self, zone: Tz) {
        for finding in &mut self.findings {
            finding.show_in(zone);
        }
    }

    /// How many findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    }
}

/// The times that a session must have for a hunt: those of the findings, and what the rules see around them.
pub fn reach(pack: &Pack, choice: &Choice) -> Window {
    around(choice.rules(pack), choice.window)
}

/// A window, and what some rules see around it.
fn around<'r>(rules: impl Iterator<Item = &'r Rule>, window: Window) -> Window {
    rules
        .map(|rule| window.around(rule.schedule.period()))
        .fold(window, Window::with)
}

/// The moment of a hunt that is told none, in microseconds: the end of its window, else the last event of the archive. Rules that count back from
/// `now()` see what lies before it. Nothing where there is neither.
pub fn moment(ledger: &Ledger, window: Window) -> Option<i64> {
    let times = ledger.exports().filter_map(|entry| entry.times);
    window.to.or_else(|| times.map(|(_, last)| last).max())
}

/// Runs each chosen rule once, as [`sweep_with`] does, at the [`moment`] of the hunt, without saved functions and crew.
///
/// # Errors
/// When the evidence cannot be looked up.
pub fn sweep(
    session: &mut Session,
    pack: &Pack,
    choice: &Choice,
    ledger: &Ledger,
    progress: &dyn Progress,
) -> Result<Hunt> {
    let now = moment(ledger, choice.window).unwrap_or_default();
    let how = Options {
        now: now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS),
        ..Options::default()
    };
    sweep_with(session, pack, choice, &how, ledger, progress, None)
}

/// Runs each chosen rule once; rules in KQL and Sigma as the options say. The session has the times of [`reach`], or more, and the limit of each
/// rule's time; what a hunt of several windows makes in it serves the next. Where there is a crew, it answers the queries of the rules; what becomes of
/// their rows is the same.
///
/// # Errors
/// When the evidence cannot be looked up, or the crew does not take the orders. A rule that fails is an outcome.
pub fn sweep_with(
    session: &mut Session,
    pack: &Pack,
    choice: &Choice,
    how: &Options,
    ledger: &Ledger,
    progress: &dyn Progress,
    mut crew: Option<&mut dyn Crew>,
) -> Result<Hunt> {
    let mut hunt = Hunt::default();
    let ready = prepare(session, pack, choice, &mut hunt);
    progress.step("hunting");
    progress.rules(ready.len());
    let asked = ready.iter();
    let start = Start::of(asked.map(|asked| (&asked.rule, asked.language, asked.text.as_str())));
    let shared = match crew.as_deref_mut() {
        Some(crew) => {
            crew.begin(&Orders::of(session, how, choice.window, &start)?)?;
            Shared::Left
        }
        None => Shared::Kept,
    };
    let mut presence = Presence::default();
    let asks_kql = ready.iter().any(|asked| asked.language == Language::Kql);
    let product = start.make(session, shared, |shared, session| {
        if asks_kql {
            presence.absent(shared, session);
        }
    })?;
    let session = &*session;
    let mut sweep = Sweep {
        ready: &ready,
        crew,
        parts: None,
        runs: Runs::new(session, &product, how, choice.window),
        product: &product,
        how,
        window: choice.window,
        progress,
        presence,
    };
    let (outcomes, mut found, reads) = sweep.run();
    sweep.trace(&mut found);
    hunt.outcomes.extend(outcomes);
    hunt.findings = found.into_iter().flatten().collect();
    hunt.findings.shrink_to_fit();
    hunt.events = summary::events(ledger, &reads);
    hunt.reads = reads;
    put_in_order(&mut hunt);
    if hunt.findings.iter().any(|f| f.severity < choice.level) {
        hunt.retain(|finding| finding.severity >= choice.level);
    }
    progress.step("looking up evidence");
    // Evidence lies in the times that the rules saw; files of other times need not be opened.
    let seen = around(ready.iter().map(|asked| &asked.rule), choice.window);
    let seen = session.within(seen.from, seen.to)?;
    lineage::look_up(&seen, &mut hunt.findings, ledger)?;
    Ok(hunt)
}

/// The chosen rules that can run; what became of the others is an outcome.
fn prepare(session: &Session, pack: &Pack, choice: &Choice, hunt: &mut Hunt) -> Vec<Asked> {
    for entry in &pack.entries {
        if let Some(reason) = entry.refusal() {
            let refused = Outcome::of_file(entry.name(), Status::Refused(reason));
            hunt.outcomes.push(refused);
        }
    }
    let queries = Queries::of(pack);
    let mut ready = Vec::new();
    for rule in choice.rules(pack) {
        let status = match queries.of_rule(rule) {
            Ok(asked) => match missing_watchlist(&asked.rule, session) {
                Some(reason) => Status::Lacks(reason),
                None => {
                    ready.push(asked);
                    continue;
                }
            },
            Err(status) => status,
        };
        hunt.outcomes.push(Outcome::of(rule, status));
    }
    ready
}

/// A sweep under way.
struct Sweep<'s, 'c> {
    ready: &'s [Asked],
    /// Who answers in the place of `runs`, where somebody does.
    crew: Option<&'s mut (dyn Crew + 'c)>,
    /// How rules are cut for them, where any are.
    parts: Option<Parts<'s>>,
    runs: Runs<'s>,
    product: &'s Session,
    how: &'s Options,
    window: Window,
    progress: &'s dyn Progress,
    presence: Presence,
}

impl Sweep<'_, '_> {
    /// One answer a job, in their order, from whoever answers.
    fn answers(
        &mut self,
        jobs: &[Job],
        begun: &mut dyn FnMut(usize),
        ended: &mut dyn FnMut(usize),
    ) -> Vec<Answered> {
        match &mut self.crew {
            Some(_) if jobs.is_empty() => Vec::new(),
            Some(crew) => parts::answers(&mut **crew, self.parts.as_ref(), jobs, begun, ended),
            None => self.runs.answers(jobs, begun, ended),
        }
    }

    /// Runs all rules, and what counts what they cannot judge: their outcomes, the findings of each, and the tables that they asked.
    fn run(&mut self) -> (Vec<Outcome>, Vec<Vec<Finding>>, BTreeSet<String>) {
        let (ready, progress) = (self.ready, self.progress);
        let unjudged = ready
            .iter()
            .filter_map(|asked| asked.rule.unjudged.as_ref());
        // Rules that ask the same are answered together.
        let counts: BTreeSet<&str> = unjudged.map(|of| of.query.as_str()).collect();
        let counts = counts::together(counts);
        let rules = ready.iter().map(|asked| asked.job(&asked.text));
        let counting = counts.iter().map(|count| Job::counting(&count.text));
        let jobs: Vec<Job> = rules.chain(counting).collect();
        let cutting = self.crew.as_deref().and_then(|crew| crew.cutting());
        self.parts =
            cutting.map(|cutting| Parts::of(self.product, self.how, self.window, cutting, &jobs));
        let mut begun = |number: usize| {
            if let Some(asked) = ready.get(number) {
                progress.rule(&asked.rule.id);
            }
        };
        let mut ended = |number: usize| {
            if number < ready.len() {
                progress.rule_done();
            }
        };
        let mut answers = self.answers(&jobs, &mut begun, &mut ended);
        let counted = answers.split_off(ready.len());
        let counted = counted.into_iter().map(|(answer, _)| answer);
        let counted = self.counted(counts.iter().zip(counted));
        let (mut outcomes, mut found, mut reads) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (asked, (answer, took)) in ready.iter().zip(answers) {
            let (mut outcome, findings) = self.outcome(asked, answer, &mut reads);
            outcome.took = took;
            if outcome.status.reason().is_none()
                && let Some(of) = &asked.rule.unjudged
                && let Some(count) = counted.get(of.query.as_str())
            {
                outcome.unjudged = self.runs.unjudged(of, count);
            }
            outcomes.push(outcome);
            found.push(findings);
        }
        (outcomes, found, reads)
    }

    /// What each query counted, by its text.
    fn counted<'q>(
        &mut self,
        answers: impl Iterator<Item = (&'q Count<'q>, Result<Answer>)>,
    ) -> BTreeMap<&'q str, Result<u64>> {
        let mut counted: BTreeMap<&'q str, Result<u64>> = BTreeMap::new();
        let mut open: Vec<&'q str> = Vec::new();
        for (count, answer) in answers {
            match answer {
                // What is wrong with one of several is found out with each by itself.
                Err(_) if count.of.len() > 1 => open.extend(count.of.iter().copied()),
                Ok(answer) => {
                    let each = count.of.iter().enumerate();
                    counted.extend(each.map(|(column, of)| (*of, runs::number(&answer, column))));
                }
                Err(e) => counted.extend(count.of.first().map(|of| (*of, Err(e)))),
            }
        }
        let jobs: Vec<Job> = open.iter().copied().map(Job::counting).collect();
        let answers = self.answers(&jobs, &mut |_| {}, &mut |_| {});
        let answers = answers
            .into_iter()
            .map(|(answer, _)| answer.and_then(|one| runs::number(&one, 0)));
        counted.extend(open.into_iter().zip(answers));
        counted
    }

    fn outcome(
        &mut self,
        asked: &Asked,
        answer: Result<Answer>,
        reads: &mut BTreeSet<String>,
    ) -> (Outcome, Vec<Finding>) {
        let (mut absent, mut unmapped) = (Vec::new(), Vec::new());
        let judged = answer.and_then(|answer| {
            reads.extend(answer.reads.iter().cloned());
            unmapped = lacking::unmapped(&asked.rule, &answer.schema);
            if asked.language == Language::Kql {
                absent = self.presence.absent(&answer.reads, self.product);
            }
            let everything = !absent.is_empty() && absent.len() == answer.reads.len();
            Ok((guarded(|| judge(asked, &answer))?, everything))
        });
        let (status, findings) = match judged {
            Ok(((Status::Nothing, none), true)) => {
                let tables: Vec<String> = absent.iter().map(|table| format!("`{table}`")).collect();
                let told = format!("the archive has no rows of {}", tables.join(", "));
                (Status::Absent(told), none)
            }
            Ok((judged, _)) => judged,
            Err(e) => (of_failure(asked, &e, self.product, self.how), Vec::new()),
        };
        // Those of Sigma's rules are not the rule's own words.
        if asked.rule.query.language != Language::Kql || findings.is_empty() {
            unmapped.clear();
        }
        let outcome = Outcome {
            findings: findings.len(),
            absent,
            unmapped,
            counts_back: asked.counts_back(),
            ..Outcome::of(&asked.rule, status)
        };
        (outcome, findings)
    }

    /// Finds the records behind findings whose queries do not say them: each query once more, with its records.
    fn trace(&mut self, found: &mut [Vec<Finding>]) {
        let ready = self.ready;
        let is_open = |findings: &[Finding]| findings.iter().any(|f| f.evidence.is_empty());
        let mut open: Vec<((usize, &Asked), Job)> = Vec::new();
        for (number, (asked, findings)) in ready.iter().zip(&*found).enumerate() {
            if let Some(text) = &asked.traced
                && is_open(findings)
            {
                open.push(((number, asked), asked.job(text)));
            }
        }
        let (places, jobs): (Vec<(usize, &Asked)>, Vec<Job>) = open.into_iter().unzip();
        let answers = self.answers(&jobs, &mut |_| {}, &mut |_| {});
        for ((number, asked), (answer, _)) in places.into_iter().zip(answers) {
            // A query that fails with its records gives none, which is said of each finding.
            let traced = answer.and_then(|answer| guarded(|| rows(asked, &answer)));
            if let Ok(traced) = traced {
                finding::adopt(&mut found[number], traced);
            }
        }
        for (asked, findings) in ready.iter().zip(found) {
            if asked.language == Language::Kql {
                // That nothing came rests on no record.
                let has_row = |f: &&mut Finding| f.evidence.is_empty() && !f.details.is_empty();
                let open = findings.iter_mut().filter(has_row);
                open.for_each(|f| f.no_evidence = Some(finding::NOT_KNOWN));
            }
        }
    }
}

/// Makes findings of the rows of a rule, where they are enough, or few enough.
fn judge(asked: &Asked, answer: &Answer) -> Result<(Status, Vec<Finding>)> {
    let rule = &asked.rule;
    // What the world's rules map to columns that they do not have, they do not find.
    if asked.language == Language::Sql
        && let Some(column) = lacking::unmapped(rule, &answer.schema).first()
    {
        let reason = format!("its result has no column `{column}`, which an entity mapping names");
        return Ok((Status::NotRun(reason), Vec::new()));
    }
    let count: usize = answer.batches.iter().map(RecordBatch::num_rows).sum();
    if !rule.trigger.fires(count as u64) {
        return Ok((Status::Nothing, Vec::new()));
    }
    let columns = answer.batches.iter().flat_map(RecordBatch::columns);
    let values: usize = columns.map(|c| c.len() - c.null_count()).sum();
    if values > MOST_VALUES {
        let reason = format!(
            "it finds {} with {} values, more than a hunt holds (--from and --to choose fewer)",
            text::counted(count as u64, "row"),
            text::count(values as u64)
        );
        return Ok((Status::NotRun(reason), Vec::new()));
    }
    // That nothing came may be what the rule looks for.
    let findings = match count {
        0 => vec![Finding::bare(rule)],
        _ => rows(asked, answer)?,
    };
    Ok((Status::Found, findings))
}

/// Each row as a finding.
fn rows(asked: &Asked, answer: &Answer) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for batch in &answer.batches {
        for row in 0..batch.num_rows() {
            let finding = Finding::of_row(&asked.rule, &answer.schema, batch, row)?;
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// The worst first, the earlier first; a number for each.
fn put_in_order(hunt: &mut Hunt) {
    hunt.outcomes.sort_by(|a, b| a.id.cmp(&b.id));
    hunt.findings.sort_by(order);
    // Rows may be large: they are written out only where nothing else tells two apart. In which order they came is chance.
    let same = |a: &Finding, b: &Finding| order(a, b).is_eq();
    for same in hunt.findings.chunk_by_mut(same) {
        if same.len() > 1 {
            same.sort_by_cached_key(|f| {
                let details = Value::Object(f.details.clone()).to_string();
                let records = f.evidence.iter().map(|e| (e.ingest, e.record));
                (details, f.last.clone(), records.collect::<Vec<_>>())
            });
        }
    }
    for (i, f) in hunt.findings.iter_mut().enumerate() {
        f.number = i + 1;
    }
}

fn order(a: &Finding, b: &Finding) -> Ordering {
    let worse = b.severity.cmp(&a.severity);
    worse
        .then_with(|| a.first.cmp(&b.first))
        .then_with(|| a.rule.cmp(&b.rule))
        .then_with(|| a.entities.cmp(&b.entities))
}

#[cfg(test)]
mod tests;
