use std::path::{Path, PathBuf};
use std::time::Instant;

use super::answer::text_into_file;
use super::exit::Exit;
use super::global::Global;
use super::offered::offering;
use super::outcome::{Outcome, Status};
use super::raised::refuse_existing;
use super::ui::{Ui, counted, time_text};
use super::voice::seconds;
use super::when::{self, time};
use crate::archive::Archive;
use crate::fault::{Error, Result};
use crate::nightly::lock::Turn;
use crate::nightly::untold;
use crate::storage::is_remote;

mod asked;
mod step;
mod steps;
mod tried;

use asked::Asked;
use step::{Done, Step};
use steps::Night;

/// What --init writes.
const EXAMPLE: &str = include_str!("run/coldtrail.toml");

/// Do what is new since the last run, as a configuration says: for every night
///
/// Reads new exports, hunts what they brought, sends mails, writes indicators, a report and costs, and merges small files: a step for each section of the
/// configuration. What a step has treated is noted in the archive, by ingest: an export that comes late is hunted when it comes, and a run that was
/// cut off is completed by the next. A step that fails stops no other; the exit code is that of all together.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration. Paths in it are relative to its folder
    #[arg(short, long, value_name = "FILE", default_value = "coldtrail.toml")]
    config: PathBuf,
    /// Write a configuration with a word on each key, coldtrail.toml when no other name is given
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        default_missing_value = "coldtrail.toml",
        conflicts_with_all = ["config", "create", "dry_run", "only", "again", "at"]
    )]
    init: Option<PathBuf>,
    /// With --init: replace a file that exists
    #[arg(short = 'C', long, requires = "init")]
    clobber: bool,
    /// For the first run: make the archive. Without it a run whose archive is not there ends, as its disk may be away
    #[arg(long)]
    create: bool,
    /// Say what each step would do, and change nothing. Rules, lists, prices and clothes are tried; the exit code is that of a run
    #[arg(long)]
    dry_run: bool,
    /// Only this step: ingest, hunt, notify, indicators, report, cost or compact. May be given several times
    #[arg(long, value_name = "STEP", value_parser = offering(Step::named, Step::ALL.map(Step::name)), hide_possible_values = true)]
    only: Vec<Step>,
    /// Do once more what was done before. Alerts that are stored stay as they are, and nobody is told the same twice
    #[arg(long)]
    again: bool,
    /// What now() says, such as 2026-05-21 or 2026-05-21T08:00; nothing that came after it is seen. This moment when not given
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<i64>,
}

impl Args {
    /// The steps that are wanted, in their order.
    fn steps(&self, asked: &Asked) -> Result<Vec<Step>> {
        if let Some(step) = self.only.iter().find(|step| !asked.has(**step)) {
            let name = step.name();
            return Err(Error::Usage(format!(
                "--only {name}: the configuration has no section [{name}]"
            )));
        }
        let is_wanted = |step: &Step| self.only.is_empty() || self.only.contains(step);
        let steps = Step::ALL.into_iter().filter(|step| asked.has(*step));
        let steps: Vec<Step> = steps.filter(is_wanted).collect();
        match steps.is_empty() {
            true => Err(Error::Unusable {
                path: self.config.clone(),
                reason: "it asks for nothing: sections such as [ingest] and [hunt] are the steps"
                    .into(),
            }),
            false => Ok(steps),
        }
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if let Some(path) = &args.init {
        return init(path, args.clobber, ui);
    }
    let asked = Asked::read(&args.config, args.at)?;
    let steps = args.steps(&asked)?;
    // Only an ingest makes an archive.
    let is_there =
        args.create || !steps.contains(&Step::Ingest) || Archive::is_begun(&asked.archive)?;
    let tried = match args.dry_run {
        true => Some(tried::tell(&asked, &steps, args.again, (global, ui))?),
        false => None,
    };
    if !is_there {
        return Err(missing(&asked.archive, &args.config));
    }
    if let Some(exit) = tried {
        return Ok(exit);
    }
    let pack = asked.rules.load()?;
    let archive = match steps.contains(&Step::Ingest) {
        true => Archive::create(&asked.archive)?,
        false => Archive::open(&asked.archive)?,
    };
    let holder = format!(
        "process {}, since {}",
        std::process::id(),
        time_text(when::now())
    );
    let _turn = Turn::take(&archive, &holder)?;
    let night = Night::new(&asked, (&archive, pack), args.again, (global, ui));
    let mut end = End::default();
    for (at, step) in steps.iter().copied().enumerate() {
        let mut later = steps[at + 1..].iter();
        night.is_last_hunt(!later.any(|step| asked.runs_rules(*step)));
        // An ingest that failed may have left nothing to go on with.
        let done = one(step, ui, || {
            let done = match step == Step::Ingest || Archive::exists(archive.root()) {
                true => night.step(step),
                false => Ok(Done::skipped("there is nothing in the archive yet")),
            };
            done.unwrap_or_else(|e| failed(e, global, ui))
        });
        end.take(step, &done);
    }
    // Rules of a hunt, of mails and of a report are not so many rules together.
    ui.count_anew();
    ui.counts(&[("steps_done", end.worked)]);
    ui.counts(&end.counts);
    if end.is_idle {
        ui.say("nothing to do");
    }
    if end.tells_of_alerts() {
        untold::forget(&archive)?;
    }
    Ok(end.exit)
}

/// Does a step, and says how it ended.
fn one(step: Step, ui: &Ui, act: impl FnOnce() -> Done) -> Done {
    let started = Instant::now();
    ui.begin_step(step.name());
    let mut done = act();
    let repeated = ui.end_step();
    if repeated > 0 {
        let warnings = counted(repeated, "warning");
        done.message.push_str(&format!("; {warnings} as above"));
        done.counts.push(("warnings_repeated", repeated));
    }
    ui.outcome(&Outcome {
        command: "run",
        step: Some(step.name()),
        status: done.status,
        seconds: seconds(started.elapsed()),
        counts: done.counts.clone(),
        message: done.message.clone(),
    });
    done
}

/// How all steps of a run ended.
struct End {
    exit: Exit,
    is_idle: bool,
    worked: u64,
    counts: Vec<(&'static str, u64)>,
    /// How the hunt ended, where there was one.
    hunt: Option<(Exit, Status)>,
}

impl Default for End {
    fn default() -> Self {
        End {
            exit: Exit::Done,
            is_idle: true,
            worked: 0,
            counts: Vec::new(),
            hunt: None,
        }
    }
}

impl End {
    fn take(&mut self, step: Step, done: &Done) {
        self.exit = self.exit.and(done.exit);
        self.is_idle &= done.status == Status::Nothing && done.exit == Exit::Done;
        self.worked += u64::from(done.status == Status::Done);
        self.counts.extend(done.counts.iter().copied());
        if step == Step::Hunt {
            self.hunt = Some((done.exit, done.status));
        }
    }

    /// Whether the exit code tells of what the hunt has found. That of an error hides it.
    fn tells_of_alerts(&self) -> bool {
        self.hunt.is_some_and(|(exit, status)| {
            let is_told = !exit.has_findings() || self.exit.has_findings();
            is_told && !matches!(status, Status::Failed | Status::Skipped)
        })
    }
}

/// Why a run makes no archive by itself: in the place of one whose disk is away, or of another address, it would read everything again, and tell everybody again.
fn missing(archive: &Path, configuration: &Path) -> Error {
    let may_be = match is_remote(archive) {
        true => "the address may be another",
        false => "its disk may be away",
    };
    Error::Unusable {
        path: archive.to_path_buf(),
        reason: format!(
            "no archive is there, and {may_be}. The first run makes one with `coldtrail run -c {} --create`",
            configuration.display()
        ),
    }
}

/// Says why a step failed.
fn failed(error: Error, global: &Global, ui: &Ui) -> Done {
    let error = global.placed(error);
    ui.error(&error);
    Done::of(
        Exit::of(&error),
        Vec::new(),
        "failed; the next run tries again".into(),
    )
}

/// Writes a configuration to begin with.
fn init(path: &Path, clobber: bool, ui: &Ui) -> Result<Exit> {
    refuse_existing(path, clobber)?;
    text_into_file(path, EXAMPLE)?;
    ui.say(&format!(
        "written: change the paths in `{}`, then `coldtrail run -c {0} --create --dry-run`, and the same without --dry-run",
        path.display()
    ));
    Ok(Exit::Done)
}
