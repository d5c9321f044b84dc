//! `hunt --replay`: what the schedulers of Sentinel and Defender would have raised on this data, and when.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::alerts::Keep;
use super::answer::Shape;
use super::exit::Exit;
use super::global::Global;
use super::offered::of_rules;
use super::raised::{Place, laid_out};
use super::remarks::{named, outside, pointed, unmapped};
use super::set::{self, Settings};
use super::summary;
use super::ui::{Ui, count, counted};
use super::when::Window;
use crate::archive::Archive;
use crate::archive::conclusions::{self, Row};
use crate::catalog::catalog;
use crate::engine::{Columns, Late, Received, Session, Source, kql, output};
use crate::fault::{Result, did_you_mean};
use crate::hunt::alerts::RaisedAlert;
use crate::hunt::may_reach;
use crate::hunt::replay::Manner;
use crate::hunt::replay::alert::{Alert, Workspace};
use crate::hunt::replay::compare::{Among, Comparison, Fate};
use crate::hunt::replay::delay::Delay;
use crate::hunt::replay::incident::Incident;
use crate::hunt::replay::runs::{self, Options, Replayed, Status};
use crate::report;
use crate::rules::{Pack, Rule, Severity};

/// Rules of which one thing is to be said and that are named.
const NAMED: usize = 5;

/// Replaying the schedules of rules.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run each rule at each time at which Sentinel, or Defender, would have: from --from, else from the first event or --since, rounded down to
    /// a whole multiple of the rule's frequency, until all events were seen, or --to, or this moment. Rules without a schedule (hunting queries,
    /// Sigma) have no runs
    #[arg(long)]
    replay: bool,
    /// How late events are ingested: none, 15m, by table as rules name it and otherwise (CloudAppEvents=30m,10m), or `export`: as it stands in
    /// what was streamed. Says how many alerts come late or are missed
    #[arg(long, value_name = "DELAY", requires = "replay", value_parser = delay)]
    delay: Option<Delay>,
    /// Replay two sets of rules, such as an analytics rule and the custom detection made of it, and show which alerts only one raises, and when
    #[arg(
        long,
        value_name = "RULES",
        value_parser = of_rules(),
        hide_possible_values = true,
        num_args = 2,
        requires = "replay",
        conflicts_with_all = ["rules", "set", "delay", "store", "new_only", "incidents"]
    )]
    compare: Vec<PathBuf>,
    /// Ask the archive for each run
    #[arg(long, hide = true, requires = "replay")]
    each_run: bool,
}

/// What a hunt says of a replay.
pub(super) struct Asked<'a> {
    pub(super) archive: &'a Archive,
    pub(super) rules: &'a [PathBuf],
    pub(super) set: &'a Settings,
    pub(super) level: Severity,
    pub(super) fail_on: Option<Severity>,
    pub(super) ignore_missing: bool,
    pub(super) window: &'a Window,
    pub(super) patience: Duration,
    /// What queries in KQL may use.
    pub(super) kql: kql::Options,
    pub(super) keep: &'a Keep,
    pub(super) place: Place<'a>,
}

fn delay(text: &str) -> Result<Delay, String> {
    text.parse()
}

impl Args {
    /// Whether a replay is asked for.
    pub(super) fn is_asked(&self) -> bool {
        self.replay
    }

    /// Replays.
    pub(super) fn run(&self, asked: &Asked<'_>, global: &Global, ui: &Ui) -> Result<Exit> {
        let one = Replay {
            args: self,
            asked,
            global,
            ui,
        };
        match self.compare.as_slice() {
            [first, second] => {
                let first = one.pack(std::slice::from_ref(first))?;
                let second = one.pack(std::slice::from_ref(second))?;
                one.compare(&first, &second)
            }
            _ => one.of(&one.pack(asked.rules)?),
        }
    }
}

/// A replay on the command line.
struct Replay<'a> {
    args: &'a Args,
    asked: &'a Asked<'a>,
    global: &'a Global,
    ui: &'a Ui,
}

impl Replay<'_> {
    fn pack(&self, paths: &[PathBuf]) -> Result<Pack> {
        let pack = self.asked.set.load_to_run(paths)?;
        set::tell(&pack, self.ui);
        for entry in &pack.entries {
            if let Some(reason) = entry.refusal() {
                let name = entry.name();
                self.ui
                    .warn(&format!("rule `{name}` did not run: {reason}"));
            }
        }
        Ok(pack)
    }

    /// Replays the rules of a pack; also the session that was asked.
    fn replayed<'p>(&self, pack: &'p Pack, delay: &Delay) -> Result<(Session, Replayed<'p>)> {
        let window = self.asked.window;
        let mut options = self.global.engine(Some(window))?;
        // Runs see what lies before them; only what is not known yet is cut off.
        (options.from, options.to) = (None, window.seen());
        options.timeout = Some(self.asked.patience);
        options.columns = Columns::Product;
        if let Delay::Fixed { tables, others } = delay {
            options.late = Late {
                tables: tables.clone(),
                others: *others,
            };
        }
        let ledger = self.asked.archive.ledger()?;
        options.recorded = *delay == Delay::Export;
        let mut session = Session::open(Source::Archive(self.asked.archive), &options)?;
        let times = || ledger.exports().filter_map(|entry| entry.times);
        let (first, last) = (times().map(|t| t.0).min(), times().map(|t| t.1).max());
        // Where there are no events, the last lies before the first.
        let mut last = last.unwrap_or(-1);
        if options.recorded {
            let received = session.received()?;
            self.tell_received(&received);
            // Runs go on until all has come.
            let come = received.iter().filter_map(|table| table.last).max();
            last = last.max(come.unwrap_or(last));
        }
        if let Some(seen) = window.seen() {
            last = last.min(seen.saturating_sub(1));
        }
        self.tell_unknown(&session, delay);
        let level = self.asked.level;
        let chosen = pack.rules.iter().filter(|rule| may_reach(rule, level));
        let chosen: Vec<&'p Rule> = chosen.collect();
        // Without events, nothing else says where runs begin.
        let begins = window.from().or(first).is_some();
        let concluded = match begins && chosen.iter().any(|rule| runs::asks_conclusions(rule)) {
            true => conclusions::last(self.asked.archive)?,
            false => None,
        };
        let how = Options {
            concluded,
            from: window.said_from(),
            to: window.to(),
            now: match window.to() {
                // Events of the future are invented, or the clock is wrong: then it says nothing of runs.
                None => Some(window.now()).filter(|now| *now >= last),
                Some(_) => None,
            },
            delay: delay.clone(),
            manner: match self.args.each_run {
                true => Manner::EachRun,
                false => Manner::Once,
            },
            limit: Some(self.asked.patience),
            kql: self.asked.kql.clone(),
            memory: options.memory.unwrap_or_default(),
            threads: self.global.threads,
        };
        let bar = self.ui.progress();
        // The first run of a span is rounded like that of the first event.
        let data = (window.from().or(first).unwrap_or(0), last);
        let replayed = runs::replay(&mut session, &chosen, data, &how, &bar);
        bar.done();
        let mut replayed = replayed?;
        // Those of less have silenced their rules all the same.
        replayed.retain(|alert| alert.severity >= level);
        Ok((session, replayed))
    }

    /// Says which tables with a delay of their own nobody knows: a name that is misspelt delays nothing.
    fn tell_unknown(&self, session: &Session, delay: &Delay) {
        let Delay::Fixed { tables, .. } = delay else {
            return;
        };
        let names = session.names();
        for table in tables.keys() {
            let is_it = |name: &String| name.eq_ignore_ascii_case(table);
            // Those of a workspace's own are known when they are asked.
            if names.iter().any(is_it) || catalog().is_named(table) || table.ends_with("_cl") {
                continue;
            }
            let near = did_you_mean(table, &names);
            let near = near.map_or_else(String::new, |near| format!("; {near}"));
            self.ui
                .warn(&format!("--delay: no table is called `{table}`{near}"));
        }
    }

    /// Says of which events it is known when they were ingested.
    fn tell_received(&self, received: &[Received]) {
        let said = received.iter().filter(|table| table.said > 0);
        let said: Vec<String> = said
            .map(|of| {
                let (some, all) = (count(of.said), count(of.events));
                format!("`{}` ({some} of {all})", of.table)
            })
            .collect();
        let open = received.iter().filter(|table| table.said < table.events);
        let open: Vec<String> = open.map(|of| format!("`{}`", of.table)).collect();
        if !said.is_empty() {
            let said = said.join(", ");
            self.ui
                .say(&format!("exports say when events were ingested: {said}"));
        }
        if !open.is_empty() {
            self.ui.say(&format!(
                "exports do not say it of events in {}: these count as ingested when they happened",
                open.join(", ")
            ));
        }
    }

    /// Says what became of the rules.
    fn tell(&self, replayed: &Replayed<'_>) {
        let mut without: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
        for outcome in &replayed.outcomes {
            let rule = named(outcome.rule);
            match &outcome.status {
                Status::Lacks(why)
                | Status::Unknown(why)
                | Status::LakeOnly(why)
                | Status::Failed(why) => {
                    self.ui.warn(&format!("{rule} did not run: {why}"));
                }
                Status::NoRuns(why) => without.entry(why).or_default().push(outcome.rule),
                Status::Replayed => {
                    let by_itself = outcome.each_run.as_ref();
                    let by_itself = by_itself.map(|why| format!("; each by itself: {why}"));
                    self.ui.tell(&output::visible(&format!(
                        "{rule}: {}, {} asked, {}, {:.1} s{}",
                        counted(outcome.runs, "run"),
                        count(outcome.asked),
                        counted(outcome.alerts.len() as u64, "alert"),
                        outcome.took.as_secs_f64(),
                        by_itself.unwrap_or_default()
                    )));
                }
            }
            if let Some(told) = unmapped(outcome.rule, &outcome.unmapped) {
                self.ui.warn(&told);
            }
            if outcome.dropped > 0 {
                self.ui.warn(&format!(
                    "{rule}: {} got no alert: its runs had too many",
                    counted(outcome.dropped, "row")
                ));
            }
        }
        for (why, rules) in without {
            let told = match rules.as_slice() {
                [one] => format!("{} has no runs: {why}", named(one)),
                many if many.len() > NAMED && !self.ui.verbose => {
                    let many = counted(many.len() as u64, "rule");
                    format!("{many} have no runs: {why} (-v names them)")
                }
                some => {
                    let some: Vec<String> = some.iter().map(|rule| pointed(rule)).collect();
                    format!("rules {} have no runs: {why}", some.join(", "))
                }
            };
            self.ui.say(&output::visible(&told));
        }
        let absent = replayed.outcomes.iter();
        let absent = absent.map(|o| (o.tables.absent.as_slice(), o.is_absent()));
        summary::absent(absent, self.ui);
    }

    /// Says what it was in numbers, where its rules are many or more is to be said; and why nothing was raised, where the time explains it.
    fn summarise(&self, pack: &Pack, replayed: &Replayed<'_>) -> Result<()> {
        let ledger = self.asked.archive.ledger()?;
        let refused = pack.entries.iter().filter(|e| e.refusal().is_some());
        let summary = replayed.summary(refused.count(), &ledger);
        summary::tell(&summary, "alerts", self.ui);
        if replayed.outcomes.iter().any(|o| !o.alerts.is_empty()) {
            return Ok(());
        }
        if let Some(reason) = outside(&ledger, self.asked.window) {
            self.ui.say(&reason);
        } else if replayed.runs() > 0 {
            self.ui
                .say("no run found what raises an alert of those asked for; without --replay each query is asked once, over all of the time");
        }
        Ok(())
    }

    fn of(&self, pack: &Pack) -> Result<Exit> {
        let delay = self.args.delay.clone().unwrap_or_default();
        let (session, mut replayed) = self.replayed(pack, &delay)?;
        self.tell(&replayed);
        self.summarise(pack, &replayed)?;
        let late = match self.args.delay {
            Some(Delay::Fixed { .. } | Delay::Export) => Some(self.lateness(pack, &replayed)?),
            Some(Delay::None) | None => None,
        };
        let incidents = self.concluded(&session, &mut replayed)?;
        let alerts = replayed.alerts();
        let ran = replayed.outcomes.iter().filter(|o| o.runs > 0);
        self.ui.counts(&[
            ("rules", ran.count() as u64),
            ("alerts", alerts.len() as u64),
            ("incidents", incidents.len() as u64),
        ]);
        match self.asked.keep.wants_incidents() {
            true => self.asked.place.put_incidents(&incidents)?,
            false => self.asked.place.put_alerts(&alerts)?,
        }
        self.ui.say(&verdict(&replayed, &alerts, &incidents));
        if let Some(late) = late {
            self.ui.say(&late);
        }
        Ok(self.exit(pack, &replayed))
    }

    /// What becomes of the alerts that would have been raised if everything had been there at once.
    fn lateness(&self, pack: &Pack, replayed: &Replayed<'_>) -> Result<String> {
        let (_, at_once) = self.replayed(pack, &Delay::None)?;
        let compared = at_once.compare(replayed, Among::SameRule);
        Ok(format!(
            "without the delay: {}; of these {} come later and {} are missed, {} come only with it",
            counted(compared.fates.len() as u64, "alert"),
            count(compared.late() as u64),
            count(compared.missing() as u64),
            count(compared.added.len() as u64)
        ))
    }

    /// Takes out what is excluded, and what is known where only new alerts are wanted; stores what exclusions leave, where that is wanted. Its
    /// incidents.
    fn concluded(&self, session: &Session, replayed: &mut Replayed<'_>) -> Result<Vec<Incident>> {
        let keep = self.asked.keep;
        // Watchlists have no columns that only a product shows.
        let session = session.showing(Columns::All);
        if !keep.is_asked(&session) {
            return Ok(replayed.incidents(|_| true));
        }
        let workspace = Workspace::default();
        let raised = replayed.alerts().into_iter();
        let raised = raised.map(|(rule, alert)| RaisedAlert::of(alert, rule, &workspace));
        let (concluded, incidents) = keep.conclude(
            (self.asked.archive, &session),
            raised.collect(),
            |ids| replayed.incidents(|alert| ids.contains(alert.id.as_str())),
            self.asked.window.now(),
            self.ui,
        )?;
        let left: HashSet<&str> = concluded.alerts.iter().map(RaisedAlert::id).collect();
        replayed.retain(|alert| left.contains(alert.id.as_str()));
        Ok(incidents)
    }

    fn compare(&self, first: &Pack, second: &Pack) -> Result<Exit> {
        let (_, one) = self.replayed(first, &Delay::None)?;
        let (_, two) = self.replayed(second, &Delay::None)?;
        self.tell(&one);
        self.tell(&two);
        let partners = one.partners(&two);
        let compared = one.compare(&two, Among::Partners(&partners));
        let (left, right) = (one.alerts(), two.alerts());
        let place = &self.asked.place;
        let rows = differences(place, &compared, &left, &right);
        place.put(|width| match place.shape {
            Shape::Table => {
                let rows: Vec<Vec<String>> = rows.iter().map(|row| row.to_vec()).collect();
                laid_out(&DIFFERENCES, &rows, &[], width)
            }
            Shape::Other(format) => {
                let rows: Vec<Row> = rows.iter().map(object).collect();
                report::compared(format, &DIFFERENCES, &rows)
            }
        })?;
        let same = compared.fates.iter();
        let same = same
            .filter(|fate| matches!(fate, Fate::Same { .. }))
            .count();
        let mut told = format!(
            "{} and {}: {} the same, {} only in the first, {} only in the second",
            counted(left.len() as u64, "alert"),
            counted(right.len() as u64, "alert"),
            count(same as u64),
            count(compared.missing() as u64),
            count(compared.added.len() as u64)
        );
        if compared.other() > 0 {
            let other = count(compared.other() as u64);
            told.push_str(&format!(", {other} at another time or with other rows"));
        }
        self.ui.say(&told);
        Ok(self.exit(first, &one).and(self.exit(second, &two)))
    }

    fn exit(&self, pack: &Pack, replayed: &Replayed<'_>) -> Exit {
        let refused = pack.entries.iter().any(|entry| entry.refusal().is_some());
        let failed = replayed.outcomes.iter().any(|o| match o.status {
            Status::Replayed | Status::NoRuns(_) => false,
            Status::Lacks(_) | Status::Unknown(_) | Status::LakeOnly(_) => {
                !self.asked.ignore_missing
            }
            Status::Failed(_) => true,
        });
        let mut alerts = replayed.outcomes.iter().flat_map(|o| &o.alerts);
        let bad = |level: Severity| alerts.any(|alert| alert.severity >= level);
        let found = match self.asked.fail_on.is_some_and(bad) {
            true => Exit::Findings,
            false => Exit::Done,
        };
        match refused || failed {
            true => Exit::Rules.and(found),
            false => found,
        }
    }
}

/// One line: how many alerts and incidents, of how many runs.
fn verdict(replayed: &Replayed<'_>, alerts: &[(&Rule, &Alert)], incidents: &[Incident]) -> String {
    let by_severity: Vec<String> = Severity::ALL
        .into_iter()
        .map(|s| (s, alerts.iter().filter(|(_, a)| a.severity == s).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(s, n)| format!("{} {}", count(n as u64), s.name().to_lowercase()))
        .collect();
    let mut text = counted(alerts.len() as u64, "alert");
    if !by_severity.is_empty() {
        text.push_str(&format!(" ({})", by_severity.join(", ")));
    }
    let ran = |status: &Status| matches!(status, Status::Replayed);
    let ran = replayed.outcomes.iter().filter(|o| ran(&o.status)).count();
    let suppressed: u64 = replayed.outcomes.iter().map(|o| o.suppressed).sum();
    text.push_str(&format!(
        " in {} from {} of {}, for which {} asked",
        counted(incidents.len() as u64, "incident"),
        counted(replayed.runs(), "run"),
        counted(ran as u64, "rule"),
        match replayed.asked() {
            1 => "1 query was".to_string(),
            many => format!("{} queries were", count(many)),
        }
    ));
    if suppressed > 0 {
        text.push_str(&format!("; {} suppressed", counted(suppressed, "run")));
    }
    text
}

const DIFFERENCES: [&str; 5] = ["what", "time", "rule", "title", "in the second"];

/// What became of each alert of the first set in the second, and what only the second raises.
fn differences(
    place: &Place<'_>,
    compared: &Comparison,
    left: &[(&Rule, &Alert)],
    right: &[(&Rule, &Alert)],
) -> Vec<[String; 5]> {
    let line = |what: &str, alert: &Alert, there: String| {
        let time = place.time(alert.time());
        let (rule, title) = (alert.rule.clone(), alert.name.clone());
        [what.to_string(), time, rule, title, there]
    };
    let there = |at: usize| match right.get(at) {
        Some((_, alert)) => format!("{} {}", place.time(alert.time()), alert.rule),
        None => String::new(),
    };
    let fates = compared.fates.iter().zip(left);
    let mut rows: Vec<[String; 5]> = fates
        .map(|(fate, (_, alert))| match *fate {
            Fate::Same { at } => line("same", alert, there(at)),
            Fate::Shifted { at, by } if by > 0 => line("later", alert, there(at)),
            Fate::Shifted { at, .. } => line("earlier", alert, there(at)),
            Fate::Changed { at, .. } => line("other rows", alert, there(at)),
            Fate::Missing => line("only in the first", alert, String::new()),
        })
        .collect();
    let added = compared.added.iter().filter_map(|at| right.get(*at));
    rows.extend(added.map(|(_, alert)| line("only in the second", alert, String::new())));
    rows
}

fn object(row: &[String; 5]) -> Row {
    let cells = DIFFERENCES.iter().zip(row);
    cells
        .map(|(name, cell)| ((*name).to_string(), Value::from(cell.as_str())))
        .collect()
}
