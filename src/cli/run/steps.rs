//! What the steps do: what the commands of the same names do, of what is new.

use super::asked::{Asked, Indicators, Ingest, Notify, Report, Rules};
use super::step::{Done, Step};
use crate::archive::ledger::{Entry, Ledger, VERSION};
use crate::archive::{Archive, WATCHLISTS, conclusions};
use crate::cli::alerts::Keep;
use crate::cli::exit::Exit;
use crate::cli::global::Global;
use crate::cli::hunt::Hunting;
use crate::cli::hunted::Hunted;
use crate::cli::notify::Sending;
use crate::cli::outcome::Status;
use crate::cli::ui::{Ui, answer_if_read, columns, counted, time_text};
use crate::cli::{archive, cost, hunt, indicators, ingest, notify, report};
use crate::fault::Result;
use crate::hunt::alerts::Tally;
use crate::hunt::{Choice, Window, reach};
use crate::nightly::depends::Depends;
use crate::nightly::settings::CostStep;
use crate::nightly::state::{Open, StepState};
use crate::nightly::untold;
use crate::notify::sent::{Sent, State};
use crate::rules::{Pack, Place, Rule, Severity};

/// A run under way.
pub(super) struct Night<'a> {
    asked: &'a Asked,
    archive: &'a Archive,
    /// Whether steps do once more what they did before.
    again: bool,
    pack: Pack,
    /// What its steps have hunted.
    hunted: Hunted,
    global: &'a Global,
    ui: &'a Ui,
}

/// What is new to a step.
pub(super) struct News {
    ledger: Ledger,
    state: StepState,
    pub(super) open: Open,
    depends: String,
}

impl News {
    /// The time from which on there may be something new: how far rules see around the first new event. Nothing where it may be at any time.
    fn from(&self, pack: &Pack, rules: &Rules) -> Option<i64> {
        if self.open.all {
            return None;
        }
        let mut first: Option<i64> = None;
        for id in &self.open.ids {
            let entry = self.ledger.entry(*id)?;
            // A list may change what is thought of any event.
            if entry.is_watchlist() {
                return None;
            }
            let (begin, _) = entry.times?;
            first = Some(first.map_or(begin, |first| first.min(begin)));
        }
        let choice = Choice {
            level: rules.level,
            window: Window {
                from: first,
                to: None,
            },
        };
        reach(pack, &choice).from
    }

    /// What it is, in words.
    pub(super) fn words(&self) -> String {
        let ingests = counted(self.open.ids.len() as u64, "ingest");
        match self.open.all {
            true => format!("all {ingests}"),
            false => format!("{ingests} not treated yet"),
        }
    }
}

/// Whether an ingest can change what rules find.
fn brings_something(entry: &Entry) -> bool {
    entry.events() > 0 || entry.revisions > 0 || entry.is_watchlist()
}

impl<'a> Night<'a> {
    /// One in an archive, with the rules of the configuration.
    pub(super) fn new(
        asked: &'a Asked,
        (archive, pack): (&'a Archive, Pack),
        again: bool,
        (global, ui): (&'a Global, &'a Ui),
    ) -> Night<'a> {
        Night {
            asked,
            archive,
            again,
            pack,
            hunted: Hunted::default(),
            global,
            ui,
        }
    }

    /// Whether no step after the next one hunts.
    pub(super) fn is_last_hunt(&self, is_last: bool) {
        self.hunted.is_last(is_last);
    }

    /// A hunt of a time, which another step of this run may have made.
    fn hunting(&self, from: Option<i64>) -> Hunting {
        Hunting {
            hunted: Some(self.hunted.clone()),
            ..self.asked.rules.hunting(self.asked.window(from))
        }
    }

    /// Does a step that the configuration has.
    pub(super) fn step(&self, step: Step) -> Result<Done> {
        let Asked {
            ingest,
            notify,
            indicators,
            report,
            cost,
            compact,
            ..
        } = self.asked;
        let done = match step {
            Step::Ingest => ingest.as_ref().map(|of| self.ingest(of)),
            Step::Hunt => Some(self.hunt_and_tell()),
            Step::Notify => notify.as_ref().map(|of| {
                let done = self.once(step, |news| self.notify(of, news))?;
                self.with_gone(of, done)
            }),
            Step::Indicators => indicators
                .as_ref()
                .map(|of| self.once(step, |_| self.indicators(of))),
            Step::Report => report
                .as_ref()
                .map(|of| self.once(step, |_| self.report(of))),
            Step::Cost => cost.as_ref().map(|of| self.once(step, |_| self.cost(of))),
            Step::Compact => compact.map(|days| self.compact(days)),
        };
        done.unwrap_or_else(|| Ok(Done::nothing("the configuration has no such step")))
    }

    /// What is new to a step, by its state in the archive.
    pub(super) fn news(&self, step: Step) -> Result<News> {
        let ledger = self.archive.ledger()?;
        let state = StepState::of(self.archive, step.name())?;
        let depends = self.depends(step)?;
        let matters: fn(&Entry) -> bool = match step {
            // They tell of every file.
            Step::Report | Step::Cost => |_| true,
            _ => brings_something,
        };
        let known_by = match self.again {
            true => "something else",
            false => depends.as_str(),
        };
        let open = state.open(&ledger, known_by, matters);
        Ok(News {
            ledger,
            state,
            open,
            depends,
        })
    }

    /// A hash of what a step depends on besides the ingests.
    fn depends(&self, step: Step) -> Result<String> {
        let Asked { rules, .. } = self.asked;
        let mut depends = Depends::default()
            .on(VERSION)
            .on(&format!("{:?}", rules.level))
            .on(&format!("{:?}", rules.timeout))
            .on_files(&self.archive.root().join(WATCHLISTS))?;
        for rule in &self.pack.rules {
            // Where it was read depends on the folder in which the command is called.
            let rule = Rule {
                place: Place::default(),
                ..rule.clone()
            };
            depends = depends.on(&format!("{rule:?}"));
        }
        for file in rules.files() {
            depends = depends.on_files(file)?;
        }
        match step {
            Step::Notify | Step::Indicators => {
                depends = depends.on(&self.asked.section(step));
            }
            Step::Report => {
                depends = depends.on(&self.asked.section(step));
                let template = self.asked.report.as_ref().and_then(|r| r.template.as_ref());
                if let Some(template) = template {
                    depends = depends.on_files(template)?;
                }
            }
            Step::Cost => {
                depends = depends.on(&self.asked.section(step));
                let prices = self.asked.cost.as_ref().and_then(|c| c.prices.as_ref());
                if let Some(prices) = prices {
                    depends = depends.on_files(prices)?;
                }
            }
            Step::Ingest | Step::Hunt | Step::Compact => {}
        }
        Ok(depends.hash())
    }

    /// Does what is new to a step: its intent is noted before, and its outcome after. What failed stays new.
    fn once(&self, step: Step, act: impl FnOnce(&News) -> Result<Done>) -> Result<Done> {
        let mut news = self.news(step)?;
        if news.open.ids.is_empty() {
            return Ok(Done::nothing("nothing new"));
        }
        if news.state.is_cut_off() {
            let name = step.name();
            self.ui
                .say(&format!("{name}: an earlier run did not end this step"));
        }
        // What came after the moment of the run was not seen, and stays new.
        let last = |id: &i64| news.ledger.entry(*id)?.times.map(|(_, last)| last);
        let is_seen =
            |id: &i64| last(id).is_none_or(|last| self.asked.at.is_none_or(|at| last <= at));
        let ids = news.open.ids.iter().copied().filter(is_seen).collect();
        news.state.begin(self.archive, step.name(), ids)?;
        let done = act(&news)?;
        if done.status != Status::Failed {
            news.state
                .finish(self.archive, step.name(), &news.depends)?;
        }
        Ok(done)
    }

    fn ingest(&self, of: &Ingest) -> Result<Done> {
        let inputs = ingest::present(&of.inputs, self.ui);
        let summary = ingest::read_new(self.archive, &inputs, &of.reading, self.ui)?;
        let exit = ingest::exit(&summary);
        let (files, lists) = (summary.entries.len(), summary.watchlists.len());
        let (files, lists) = (files as u64, lists as u64);
        let events: u64 = summary.tables().values().sum();
        let known = summary.read_before();
        let quarantined = summary.sum(|e| e.quarantined);
        let counts = vec![
            ("files", files),
            ("files_read_before", known),
            ("files_not_whole", summary.not_whole()),
            ("records", summary.sum(|e| e.records)),
            ("events", events),
            ("duplicates", summary.sum(|e| e.duplicates)),
            ("quarantined", quarantined),
            ("watchlists", lists),
        ];
        let mut message = match files + lists {
            0 => format!("nothing new, {} read before", counted(known, "file")),
            _ => format!("{}, {}", counted(files, "file"), counted(events, "event")),
        };
        let mut more = |n: u64, text: String| {
            if n > 0 {
                message.push_str(&format!(", {text}"));
            }
        };
        more(lists, counted(lists, "watchlist"));
        let not_whole = summary.not_whole();
        more(
            not_whole,
            format!("{} not read whole", counted(not_whole, "file")),
        );
        let text = format!("{} in quarantine", counted(quarantined, "record"));
        more(quarantined, text);
        if files + lists == 0 {
            let nothing = Done::nothing(&message);
            return Ok(Done {
                exit,
                counts,
                ..nothing
            });
        }
        Ok(Done::of(exit, counts, message))
    }

    /// Hunts what is new, and tells of alerts that an earlier run has stored and that its exit code did not tell of.
    fn hunt_and_tell(&self) -> Result<Done> {
        let untold = untold::after(self.archive)?;
        let last = conclusions::last_store(self.archive)?;
        let mut done = self.once(Step::Hunt, |news| {
            if untold.is_none() {
                untold::note(self.archive, last)?;
            }
            self.hunt(news)
        })?;
        let Some(after) = untold else {
            return Ok(done);
        };
        let stored = conclusions::stored_in(self.archive, (after, last))?;
        let alerts: u64 = stored.values().sum();
        if alerts == 0 {
            return Ok(done);
        }
        let is_bad = |level: Severity| {
            let mut bad = Severity::ALL.into_iter().filter(|s| *s >= level);
            bad.any(|severity| stored.contains_key(severity.name()))
        };
        if self.asked.rules.fail_on.is_some_and(is_bad) {
            done.exit = done.exit.and(Exit::Findings);
        }
        if done.status == Status::Nothing {
            done.status = Status::Done;
        }
        let told = counted(alerts, "new alert");
        let told = format!("; {told} of an earlier run, whose exit code did not tell of them");
        done.message.push_str(&told);
        done.counts.push(("alerts_not_told", alerts));
        Ok(done)
    }

    fn hunt(&self, news: &News) -> Result<Done> {
        let rules = &self.asked.rules;
        let from = news.from(&self.pack, rules);
        let hunting = Hunting {
            fail_on: rules.fail_on,
            ..self.hunting(from)
        };
        let (session, mut hunt) = hunt::sweep(self.archive, &hunting, None, self.global, self.ui)?;
        let window = &hunting.window;
        Keep::new_ones().swept(self.archive, &session, &mut hunt, window, self.ui)?;
        if !hunt.findings.is_empty() {
            answer_if_read(&hunt::describe(&hunt, columns()))?;
        }
        if let Some(Tally {
            stored: Some(added),
            ..
        }) = &hunt.alerts
            && added.alerts + added.incidents > 0
        {
            self.hunted.have_stored();
        }
        let (new, known) = match &hunt.alerts {
            Some(tally) => (tally.new as u64, tally.known as u64),
            None => (0, 0),
        };
        let of = match from {
            Some(from) => format!("events from {} on", time_text(from)),
            None => "all events".to_string(),
        };
        let message = format!("{} of {}, {of}", counted(new, "new alert"), news.words());
        let counts = vec![
            ("new_alerts", new),
            ("known_alerts", known),
            ("rules_not_run", hunt.not_run() as u64),
        ];
        Ok(Done::of(hunt::exit(&hunt, &hunting), counts, message))
    }

    fn notify(&self, of: &Notify, news: &News) -> Result<Done> {
        let before = self.mails()?;
        let not_sent = || {
            let counted = self.ui.counted();
            let of = |name: &str| {
                let found = counted.iter().find(|(known, _)| *known == name);
                found.map_or(0, |(_, n)| *n)
            };
            [
                "mails_failed",
                "mails_refused",
                "mails_kept_back",
                "mails_not_tried",
            ]
            .map(of)
        };
        let lacked = not_sent();
        let mut exit = Exit::Done;
        let mut is_left = false;
        for args in &self.mailings(of, news) {
            // What one kind of mail lacks keeps no other back.
            let told = notify::run(args, self.global, self.ui).unwrap_or_else(|e| {
                is_left = true;
                let e = self.global.placed(e);
                self.ui.error(&e);
                Exit::of(&e)
            });
            exit = exit.and(told);
        }
        let mails = self.mails()?.saturating_sub(before);
        let mut more = not_sent();
        for (of, before) in more.iter_mut().zip(lacked) {
            *of -= before;
        }
        let [failed, refused, kept_back, not_tried] = more;
        is_left |= failed > 0;
        let mut message = counted(mails, "mail");
        if refused > 0 {
            message.push_str(&format!(", {refused} refused for good"));
        }
        if is_left {
            message.push_str(", and some were not taken: the next run tries again");
        }
        let counts = vec![
            ("mails", mails),
            ("mails_failed", failed),
            ("mails_refused", refused),
            ("mails_kept_back", kept_back),
            ("mails_not_tried", not_tried),
        ];
        let done = Done::of(exit, counts, message);
        Ok(match is_left {
            true => done,
            // The run fails, and the next one has nothing of it to try again.
            false => Done {
                status: Status::Done,
                ..done
            },
        })
    }

    /// The commands that send what the configuration wants.
    fn mailings(&self, of: &Notify, news: &News) -> Vec<notify::Args> {
        let mut sending = of.sending.clone();
        // Who does all once more tries those again that were refused for good.
        sending.retry = self.again;
        let archive = || self.asked.archive.clone();
        let since = self.asked.begin(of.since);
        let window = || self.asked.window(since);
        let mut wanted = Vec::new();
        if of.access_denied {
            let sending = sending.clone();
            wanted.push(notify::Args::access_denied(archive(), window(), sending));
        }
        if of.label_changes {
            let sending = sending.clone();
            wanted.push(notify::Args::label_changes(archive(), window(), sending));
        }
        if !of.findings.is_empty() {
            // Nothing is before everything.
            let from = news.from(&self.pack, &self.asked.rules).max(since);
            let hunting = self.hunting(from);
            let recipients = of.findings.clone();
            wanted.push(notify::Args::findings(
                archive(),
                recipients,
                hunting,
                sending,
            ));
        }
        wanted
    }

    /// The same, which tells each night of mailboxes that the server has refused for good.
    fn with_gone(&self, of: &Notify, mut done: Done) -> Result<Done> {
        let Some(server) = &of.sending.smtp else {
            return Ok(done);
        };
        let gone = Sent::read(self.archive)?.all_gone(&server.called()) as u64;
        if gone > 0 {
            let mailboxes = counted(gone, "mailbox");
            let told = format!("; {mailboxes} refused for good, which `--again` tries again");
            done.message.push_str(&told);
            done.counts.push(("mailboxes_refused", gone));
        }
        Ok(done)
    }

    /// How many mails were sent, in all runs.
    fn mails(&self) -> Result<u64> {
        let sent = Sent::read(self.archive)?;
        let sent = sent.lines().iter().filter(|l| l.state == State::Sent);
        Ok(sent.count() as u64)
    }

    fn indicators(&self, of: &Indicators) -> Result<Done> {
        let output = self.asked.file(&of.output)?;
        let hunting = self.hunting(self.asked.begin(of.since));
        let archive = self.asked.archive.clone();
        let mut args = indicators::Args::into_file(archive, hunting, output.clone());
        args.format = of.form;
        args.from_denials = of.from_denials;
        args.allow.clone_from(&of.allow);
        args.documentation = of.documentation;
        args.valid_for = of.valid_for.unwrap_or(args.valid_for);
        args.tlp = of.tlp.unwrap_or(args.tlp);
        let exit = indicators::run(&args, self.global, self.ui)?;
        Ok(Done::of(exit, Vec::new(), output.display().to_string()))
    }

    fn report(&self, of: &Report) -> Result<Done> {
        let output = self.asked.file(&of.output)?;
        let hunting = self.hunting(self.asked.begin(of.since));
        let mut sending = Sending::into_folder(output.clone());
        sending.template.clone_from(&of.template);
        let archive = self.asked.archive.clone();
        let mut args = report::Args::into_file(archive, hunting, output.clone(), sending);
        args.tz = of.tz;
        args.inside.clone_from(&of.inside);
        let exit = report::run(&args, self.global, self.ui)?;
        Ok(Done::of(exit, Vec::new(), output.display().to_string()))
    }

    fn cost(&self, of: &CostStep) -> Result<Done> {
        let output = self.asked.file(of.output.get_ref())?;
        let rules = self.asked.rules.paths.clone();
        let prices = of.prices.clone();
        let root = &self.asked.archive;
        cost::write(root, (rules, prices), &output, self.global, self.ui)?;
        let message = output.display().to_string();
        Ok(Done::of(Exit::Done, Vec::new(), message))
    }

    fn compact(&self, days: u32) -> Result<Done> {
        let done = archive::merge(self.archive, days, self.ui)?;
        if done.merged.is_empty() && done.deleted == 0 {
            return Ok(Done::nothing("nothing to merge"));
        }
        let files = done.merged.iter().map(|table| table.files);
        let (before, after) = files.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        let (before, after) = (before as u64, after as u64);
        let message = format!(
            "{} became {after}, {} deleted",
            counted(before, "file"),
            counted(done.deleted, "replaced file")
        );
        let counts = vec![
            ("files_merged", before),
            ("files_written", after),
            ("files_deleted", done.deleted),
        ];
        Ok(Done::of(Exit::Done, counts, message))
    }
}
