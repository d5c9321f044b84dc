//! `run --dry-run`: what each step would do, and what would keep it from that.

use super::asked::Asked;
use super::step::Step;
use super::steps::Night;
use crate::archive::{Archive, compact};
use crate::cli::exit::Exit;
use crate::cli::global::Global;
use crate::cli::ingest;
use crate::cli::rules::check;
use crate::cli::ui::{Ui, answer, counted};
use crate::cost::prices::Prices;
use crate::engine::kql::geography;
use crate::engine::output::visible;
use crate::fault::{Error, Result};
use crate::report::brand::Brand;
use crate::rules::Pack;

/// Says what these steps would do, a line each, and changes nothing. Rules, lists, prices, clothes and logins are read as the steps read them: what is wrong
/// with them is said, and the exit code is that of a run.
pub(super) fn tell(
    asked: &Asked,
    steps: &[Step],
    again: bool,
    (global, ui): (&Global, &Ui),
) -> Result<Exit> {
    // Only an ingest makes one.
    let archive = match steps.contains(&Step::Ingest) && !Archive::is_begun(&asked.archive)? {
        true => None,
        false => Some(Archive::open_to_ask(&asked.archive)?),
    };
    let pack = asked.rules.load()?;
    let night = archive
        .as_ref()
        .map(|archive| Night::new(asked, (archive, pack.clone()), again, (global, ui)));
    let mut trial = Trial {
        asked,
        archive: archive.as_ref(),
        pack: &pack,
        are_rules_tried: false,
        coming: 0,
        exit: Exit::Done,
        global,
        ui,
    };
    for step in steps {
        ui.begin_step(step.name());
        let would = trial.step(*step, night.as_ref());
        let would = would.unwrap_or_else(|e| trial.failed(e));
        ui.end_step();
        answer(&format!("{}: {}\n", step.name(), visible(&would)))?;
    }
    Ok(trial.exit)
}

/// A trial under way.
struct Trial<'t> {
    asked: &'t Asked,
    archive: Option<&'t Archive>,
    pack: &'t Pack,
    are_rules_tried: bool,
    /// How many files and watchlists the ingest would read.
    coming: u64,
    /// How a run would end.
    exit: Exit,
    global: &'t Global,
    ui: &'t Ui,
}

impl Trial<'_> {
    /// Says why a step would fail.
    fn failed(&mut self, error: Error) -> String {
        let error = self.global.placed(error);
        self.ui.error(&error);
        self.exit = self.exit.and(Exit::of(&error));
        "would fail".into()
    }

    /// What a step would do.
    fn step(&mut self, step: Step, night: Option<&Night<'_>>) -> Result<String> {
        // Each error of a rule once, by the first step that runs it.
        if self.asked.runs_rules(step) && !self.are_rules_tried {
            self.are_rules_tried = true;
            self.rules()?;
        }
        match self.of(step)? {
            Some(said) => Ok(said),
            None => self.would(step, night),
        }
    }

    /// Says what would keep rules from running.
    fn rules(&mut self) -> Result<()> {
        let rules = &self.asked.rules;
        // What the archive has not yet, an ingest may bring.
        let lacks_pass = rules.ignore_missing || self.coming > 0;
        let functions = rules.functions.as_deref();
        let wanted = (rules.level, lacks_pass);
        let errors = check::errors(self.pack, self.archive, functions, wanted, self.global)?;
        if !errors.is_empty() {
            self.exit = self.exit.and(Exit::Rules);
        }
        for said in &errors {
            let (place, why) = (said.place(), &said.message);
            self.ui
                .warn(&format!("`{place}`: a rule would not run: {why}"));
        }
        Ok(())
    }

    /// Reads what a step reads besides the archive. Gives what it would do, where that does not depend on what is new.
    fn of(&mut self, step: Step) -> Result<Option<String>> {
        let asked = self.asked;
        let Asked {
            ingest,
            rules,
            notify,
            report,
            cost,
            ..
        } = asked;
        match step {
            Step::Ingest => {
                let Some(of) = ingest else { return Ok(None) };
                let inputs = ingest::present(&of.inputs, self.ui);
                let coming = ingest::planned(self.archive, &inputs, &of.reading)?;
                self.coming = coming.new + coming.lists;
                if !coming.broken.is_empty() {
                    self.exit = self.exit.and(Exit::Incomplete);
                }
                coming.broken.iter().for_each(|said| self.ui.warn(said));
                let (new, known) = (counted(coming.new, "file"), counted(coming.known, "file"));
                let lists = match coming.lists {
                    0 => String::new(),
                    lists => format!(", {}", counted(lists, "watchlist")),
                };
                return Ok(Some(format!(
                    "would read {new}{lists}; {known} read before"
                )));
            }
            Step::Hunt => {
                rules.geoip.as_deref().map(geography).transpose()?;
            }
            Step::Notify => {
                let of = notify.as_ref().map(|of| &of.sending);
                of.map(|sending| sending.try_way(self.ui)).transpose()?;
            }
            Step::Report => {
                let template = report.as_ref().and_then(|of| of.template.as_deref());
                template.map(Brand::read).transpose()?;
            }
            Step::Cost => {
                let prices = cost.as_ref().and_then(|of| of.prices.as_deref());
                prices.map(Prices::read).transpose()?;
            }
            Step::Compact => return merging(self.archive).map(Some),
            Step::Indicators => {}
        }
        Ok(None)
    }

    /// What a step would do with what is new.
    fn would(&self, step: Step, night: Option<&Night<'_>>) -> Result<String> {
        let news = night.map(|night| night.news(step)).transpose()?;
        let news = news.filter(|news| !news.open.ids.is_empty());
        Ok(match (news, self.coming) {
            (None, 0) => "nothing new".to_string(),
            (None, _) => "would treat what the ingest brings".to_string(),
            (Some(news), 0) => format!("would treat {}", news.words()),
            (Some(news), _) => format!("would treat {}, and what the ingest brings", news.words()),
        })
    }
}

fn merging(archive: Option<&Archive>) -> Result<String> {
    let Some(archive) = archive else {
        return Ok("nothing to merge".into());
    };
    let (before, after) = compact::files(archive)?;
    Ok(match before == after {
        true => "nothing to merge".into(),
        false => format!(
            "would merge {} into {after}",
            counted(before as u64, "file")
        ),
    })
}
