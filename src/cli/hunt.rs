use std::collections::{BTreeMap, HashMap};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread::Builder;
use std::time::Duration;

use chrono_tz::Tz;

use super::alerts::Keep;
use super::answer::Shape;
use super::cluster::{Cluster, IS_DONE_HERE, READS_NO_FILE};
use super::exit::Exit;
use super::global::{Global, Patience, patience};
use super::hunted::Hunted;
use super::layout;
use super::offered::{of_rules, offering};
use super::raised::Place;
use super::remarks::{is_guid, named, outside, remark_all, slow, tell_slow, unmapped};
use super::replay;
use super::set::{self, Settings};
use super::summary;
use super::ui::{self, Ui, count, counted};
use super::when::Window;
use super::zone::zone;
use crate::archive::Archive;
use crate::archive::ledger::Ledger;
use crate::cluster::Cluster as Workers;
use crate::engine::kql::{Options, functions, geography};
use crate::engine::output::Format;
use crate::engine::{STACK, Session, Source};
use crate::fault::{Diagnostic, Level, Result};
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::hunt::{self, Choice, Finding, Hunt, Status, Unjudged};
use crate::progress::Silent;
use crate::report;
use crate::rules::{Pack, Severity, UNTESTED};

/// So many oddities of rules' texts are said before a hunt.
const MOST_WARNINGS: usize = 20;
/// How long a rule may take where nobody says it.
const RULE_TIME: Duration = Duration::from_secs(600);

/// Run detections over an archive
///
/// Runs each rule once (a sweep), all cores at once: coldtrail's own, Sentinel's, Defender's and those in Sigma, as `coldtrail rules` reads
/// them. Without -r the built-in packs run. --from, --to and --since choose findings, by the time of their last event; each rule sees as far
/// around them as it looks back (its queryPeriod), so that days hunted one by one give what all of them give together. A rule that counts back
/// from now() sees what lies before that: --at, else --to, else the archive's last event.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    #[command(flatten)]
    hunting: Hunting,
    #[command(flatten)]
    keep: Keep,
    /// table, json, ndjson, csv or markdown. When not given, what the name of the file says, else a table
    #[arg(short, long, value_name = "FORMAT", value_parser = offering(shape, ["table", "json", "ndjson", "csv", "markdown"]), hide_possible_values = true)]
    format: Option<Shape>,
    /// Write the findings to a file; its extension says the format: .json, .ndjson, .jsonl, .csv, .md, .txt
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    clobber: bool,
    /// Show times in a zone, with the offset: a name such as Europe/Berlin, or `local`; in UTC when not given
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<Tz>,
    #[command(flatten)]
    replay: replay::Args,
    #[command(flatten)]
    cluster: Cluster,
}

impl Args {
    /// Refuses what a worker does not do, or does not read.
    fn refuse_beside_workers(&self) -> Result<()> {
        let replay = [("--replay", self.replay.is_asked())];
        self.cluster.refuse(&replay, IS_DONE_HERE)?;
        let files = [
            ("--external-data", self.hunting.external_data.is_some()),
            ("--geoip", self.hunting.geoip.is_some()),
        ];
        self.cluster.refuse(&files, READS_NO_FILE)
    }

    /// Replays.
    fn replay(
        &self,
        archive: &Archive,
        place: Place<'_>,
        global: &Global,
        ui: &Ui,
    ) -> Result<Exit> {
        let hunting = &self.hunting;
        let asked = replay::Asked {
            archive,
            rules: &hunting.rules,
            set: &hunting.set,
            level: hunting.min_level,
            fail_on: hunting.fail_on,
            ignore_missing: hunting.ignore_missing,
            window: &hunting.window,
            patience: hunting.patience(),
            kql: hunting.asking(&archive.ledger()?)?,
            keep: &self.keep,
            place,
        };
        tell_slow(archive, ui);
        self.replay.run(&asked, global, ui)
    }
}

/// Which rules run, and on what.
#[derive(Debug, clap::Args)]
pub(super) struct Hunting {
    /// Rules: files, folders or ids of built-in rules; `builtin` is the built-in packs, `builtin:NAME` one of them. May be given several times
    #[arg(short, long, value_name = "RULES", value_parser = of_rules(), hide_possible_values = true)]
    pub(super) rules: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) set: Settings,
    /// Only what is of at least this severity: informational, low, medium, high. Rules that can only give less do not run
    #[arg(short, long, value_name = "LEVEL", default_value = "informational", value_parser = offering(severity, LEVELS), hide_possible_values = true)]
    pub(super) min_level: Severity,
    /// End with exit code 1 when something of at least this severity is found
    #[arg(long, value_name = "LEVEL", value_parser = offering(severity, LEVELS), hide_possible_values = true)]
    pub(super) fail_on: Option<Severity>,
    /// Rules that only lack a watchlist, a saved function or a table are named and do not count for the exit code
    #[arg(long)]
    pub(super) ignore_missing: bool,
    /// Give up on a rule after so long, such as 30s, 5m or 1h: it is said not to have run, the others go on. 10m when neither this nor
    /// --timeout is given
    #[arg(long, value_name = "DURATION", value_parser = patience)]
    pub(super) rule_timeout: Option<Duration>,
    /// Folder with functions that rules in KQL call, such as ASIM's parsers: NAME.kql, or their YAML
    #[arg(long, value_name = "DIR")]
    pub(super) saved_functions: Option<PathBuf>,
    /// Folder with the files that `externaldata` names, by the last part of the address; nothing is fetched
    #[arg(long, value_name = "DIR")]
    pub(super) external_data: Option<PathBuf>,
    /// MaxMind database of cities (.mmdb), for geo_info_from_ip_address
    #[arg(long, value_name = "FILE")]
    pub(super) geoip: Option<PathBuf>,
    #[command(flatten)]
    pub(super) patience: Patience,
    #[command(flatten)]
    pub window: Window,
    /// Hunts of the same run, where it has several.
    #[arg(skip)]
    pub(super) hunted: Option<Hunted>,
}

impl Hunting {
    /// How long a rule may take.
    pub(super) fn patience(&self) -> Duration {
        let said = self.rule_timeout.or(self.patience.timeout);
        said.unwrap_or(RULE_TIME)
    }

    /// How rules in KQL and Sigma are asked.
    fn asking(&self, ledger: &Ledger) -> Result<Options> {
        let window = hunt::Window {
            from: self.window.from(),
            to: self.window.to,
        };
        let now = match self.window.seen() {
            Some(_) => None,
            None => hunt::moment(ledger, window),
        };
        let now = now.unwrap_or_else(|| self.window.now());
        Ok(Options {
            now: now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS),
            external: self.external_data.clone(),
            functions: match &self.saved_functions {
                Some(folder) => functions(folder)?,
                None => Vec::new(),
            },
            geography: self.geoip.as_deref().map(geography).transpose()?,
            ..Options::default()
        })
    }
}

impl Hunting {
    /// What there is in another time than the one that is asked for, without a word.
    pub(super) fn found_in(
        &self,
        archive: &Archive,
        window: hunt::Window,
        global: &Global,
    ) -> Result<Hunt> {
        let pack = self.set.load_to_run(&self.rules)?;
        let ledger = archive.ledger()?;
        let choice = Choice {
            level: self.min_level,
            window,
        };
        let reach = hunt::reach(&pack, &choice);
        let mut options = global.engine(None)?;
        options.timeout = Some(self.patience());
        options.now = Some(self.window.now());
        options.seen = self.window.seen();
        (options.from, options.to) = (reach.from, reach.to);
        let mut how = self.asking(&ledger)?;
        if let Some(to) = window.to {
            how.now = to.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS);
        }
        let mut session = Session::open(Source::Archive(archive), &options)?;
        let mut hunt =
            hunt::sweep_with(&mut session, &pack, &choice, &how, &ledger, &Silent, None)?;
        let ui = Ui::silent();
        Keep::default().swept(archive, &session, &mut hunt, &self.window, &ui)?;
        Ok(hunt)
    }
}

fn shape(text: &str) -> Result<Shape, String> {
    Ok(match text {
        "table" => Shape::Table,
        "json" => Shape::Other(Format::Json),
        "ndjson" | "jsonl" => Shape::Other(Format::Ndjson),
        "csv" => Shape::Other(Format::Csv),
        "markdown" | "md" => Shape::Other(Format::Markdown),
        _ => return Err("one of table, json, ndjson, csv, markdown".into()),
    })
}

/// Says what is odd about rules that are to run.
fn doubts(pack: &Pack, window: &Window, ui: &Ui) {
    let is_odd = |said: &&Diagnostic| said.level == Level::Warning && said.message != UNTESTED;
    let odd = || pack.diagnostics().filter(is_odd);
    for said in odd().take(MOST_WARNINGS) {
        ui.warn(&format!("`{}`: {}", said.place(), said.message));
    }
    if let Some(more) = odd().count().checked_sub(MOST_WARNINGS + 1) {
        ui.warn(&format!(
            "{} more of the rules' texts: `coldtrail rules check` says all",
            counted(more as u64 + 1, "oddity")
        ));
    }
    if window.from().is_some() || window.to.is_some() {
        for rule in pack.rules.iter().filter(|r| !r.trigger.is_any()) {
            ui.warn(&format!(
                "rule `{}`: its trigger counts the rows of this window alone",
                rule.id
            ));
        }
    }
}

/// The rules of a hunt, with what was set of them and why the archive answers slowly said. Its logs are read while the rules are.
fn rules(archive: &Archive, hunting: &Hunting, ui: &Ui) -> Result<Pack> {
    let (pack, slow) = std::thread::scope(|scope| {
        let reading = Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || slow(archive));
        let pack = hunting.set.load_to_run(&hunting.rules);
        let slow = match reading {
            Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // The system gives no more threads.
            Err(_) => slow(archive),
        };
        (pack, slow)
    });
    let pack = pack?;
    set::tell(&pack, ui);
    remark_all(&slow, ui);
    Ok(pack)
}

/// Hunts, or takes what the run has hunted, and says what is wrong with rules. The session has the times of the findings. Queries of rules are
/// answered by the workers, where there are some.
pub(super) fn sweep(
    archive: &Archive,
    hunting: &Hunting,
    workers: Option<&Workers>,
    global: &Global,
    ui: &Ui,
) -> Result<(Session, Hunt)> {
    let pack = rules(archive, hunting, ui)?;
    let ledger = archive.ledger()?;
    let window = &hunting.window;
    // Before the rules run: whoever meant another time need not wait for them.
    if let Some(reason) = outside(&ledger, window) {
        ui.remark(&reason);
    }
    doubts(&pack, window, ui);
    let choice = Choice {
        level: hunting.min_level,
        window: hunt::Window {
            from: window.from(),
            to: window.to,
        },
    };
    let reach = hunt::reach(&pack, &choice);
    let mut options = global.engine(Some(window))?;
    options.timeout = Some(hunting.patience());
    options.from = reach.from;
    options.to = match (reach.to, window.seen()) {
        (Some(to), Some(seen)) => Some(to.min(seen)),
        (to, seen) => to.or(seen),
    };
    let how = hunting.asking(&ledger)?;
    let mut session = Session::open(Source::Archive(archive), &options)?;
    let hunted = hunting.hunted.as_ref();
    let hunt = match hunted.and_then(|hunted| hunted.found(choice.window, &ledger)) {
        Some(hunt) => {
            ui.tell("its findings are those of this run's hunt of the same time");
            hunt
        }
        None => {
            let bar = ui.progress();
            let mut crew = workers.map(|workers| workers.crew(&session));
            let hunt = hunt::sweep_with(
                &mut session,
                &pack,
                &choice,
                &how,
                &ledger,
                &bar,
                crew.as_mut().map(|crew| crew as &mut dyn hunt::Crew),
            );
            bar.done();
            let hunt = hunt?;
            if let Some(hunted) = hunted {
                hunted.note(choice.window, &ledger, &hunt);
            }
            hunt
        }
    };
    tell(&hunt, ui);
    ui.counts(&[
        ("rules", hunt.summary().ran as u64),
        ("rules_not_run", hunt.not_run() as u64),
    ]);
    hints(&hunt, &how, ui);
    summary::tell(&hunt.summary(), "findings", ui);
    let session = session.within(window.from(), window.to())?;
    Ok((session, hunt))
}

/// Says which rules did not run, and what those that ran could not judge.
fn tell(hunt: &Hunt, ui: &Ui) {
    let mut unjudged: BTreeMap<&Unjudged, Vec<String>> = BTreeMap::new();
    for outcome in &hunt.outcomes {
        if let Some(reason) = outcome.status.reason() {
            let rule = match &outcome.rule {
                Some(rule) => named(rule),
                None => format!("rule `{}`", outcome.id),
            };
            ui.warn(&format!("{rule} did not run: {reason}"));
        }
        let rule = outcome.rule.as_ref();
        if let Some(told) = rule.and_then(|rule| unmapped(rule, &outcome.unmapped)) {
            ui.warn(&told);
        }
        if let Some(of) = &outcome.unjudged {
            let rules = unjudged.entry(of).or_default();
            rules.push(format!("`{}`", outcome.id));
        }
    }
    for (of, rules) in unjudged {
        let rules = match rules.split_last() {
            Some((last, rest)) if !rest.is_empty() => {
                format!("rules {} and {last}", rest.join(", "))
            }
            _ => format!("rule {}", rules.concat()),
        };
        let many = match of.count {
            0 => String::new(),
            n => format!("{} ", count(n)),
        };
        ui.warn(&format!(
            "{rules}: {many}{} not judged: {}",
            of.what, of.why
        ));
    }
}

/// Says why rules that ran found less than they might.
fn hints(hunt: &Hunt, how: &Options, ui: &Ui) {
    let absent = hunt.outcomes.iter().map(|o| {
        let are_all = matches!(o.status, Status::Absent(_));
        (o.absent.as_slice(), are_all)
    });
    summary::absent(absent, ui);
    let back = hunt.outcomes.iter().filter(|o| o.counts_back);
    let back = back.filter(|o| o.status.reason().is_none()).count();
    if back > 0 {
        let now = ui::time_text(how.now.saturating_sub(UNIX_EPOCH_TICKS) / 10);
        let (rules, verb) = match back {
            1 => ("1 rule".to_string(), "counts"),
            many => (counted(many as u64, "rule"), "count"),
        };
        ui.remark(&format!(
            "{rules} {verb} back from now(), which is {now} in this hunt; --at sets it"
        ));
    }
}

pub(super) fn exit(hunt: &Hunt, hunting: &Hunting) -> Exit {
    let failed = hunt.outcomes.iter().any(|o| match o.status {
        Status::Found | Status::Nothing | Status::Absent(_) | Status::Counted(_) => false,
        Status::Lacks(_) | Status::Unknown(_) | Status::LakeOnly(_) => !hunting.ignore_missing,
        Status::Refused(_) | Status::NotRun(_) => true,
    });
    let found = hunting
        .fail_on
        .is_some_and(|level| hunt.findings.iter().any(|f| f.severity >= level));
    let rules = match failed {
        true => Exit::Rules,
        false => Exit::Done,
    };
    match found {
        true => rules.and(Exit::Findings),
        false => rules,
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    args.refuse_beside_workers()?;
    let archive = args.keep.open(&args.archive)?;
    let output = args.output.as_deref();
    let place = Place::of(output, args.format, args.clobber, args.tz)?;
    if args.replay.is_asked() {
        return args.replay(&archive, place, global, ui);
    }
    let workers = args.cluster.connect(ui)?;
    let (session, mut hunt) = sweep(&archive, &args.hunting, workers.as_ref(), global, ui)?;
    let incidents = args
        .keep
        .swept(&archive, &session, &mut hunt, &args.hunting.window, ui)?;
    ui.counts(&[("findings", hunt.findings.len() as u64)]);
    if args.keep.wants_incidents() {
        place.put_incidents(&incidents)?;
        ui.counts(&[("incidents", incidents.len() as u64)]);
        let incidents = counted(incidents.len() as u64, "incident");
        ui.say(&format!("{incidents} of {}", verdict(&hunt)));
        return Ok(exit(&hunt, &args.hunting));
    }
    if let Some(zone) = args.tz {
        hunt.show_in(zone);
    }
    // What was open is let go of while the findings are written.
    std::thread::scope(|scope| {
        // Where there is no thread for it, it is let go of at once.
        let _ = Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, move || drop(session));
        place.put(|width| match place.shape {
            Shape::Other(Format::Json) => report::findings_json(&hunt),
            Shape::Other(Format::Ndjson) => report::findings_ndjson(&hunt),
            Shape::Other(Format::Csv) => report::findings_csv(&hunt),
            Shape::Other(Format::Markdown) => report::findings_markdown(&hunt),
            // Parquet and the API's answer were refused.
            Shape::Table | Shape::Other(_) => describe(&hunt, width),
        })
    })?;
    if place.is_file() {
        ui.say(&verdict(&hunt));
    }
    Ok(exit(&hunt, &args.hunting))
}

/// One line: how many findings, from how many rules.
pub(super) fn verdict(hunt: &Hunt) -> String {
    let by_severity: Vec<String> = Severity::ALL
        .into_iter()
        .map(|s| (s, hunt.count(s)))
        .filter(|(_, n)| *n > 0)
        .map(|(s, n)| format!("{} {}", count(n as u64), s.name().to_lowercase()))
        .collect();
    let ran = hunt.summary().ran;
    let mut text = counted(hunt.findings.len() as u64, "finding");
    if !by_severity.is_empty() {
        text.push_str(&format!(" ({})", by_severity.join(", ")));
    }
    text.push_str(&format!(" from {}", counted(ran as u64, "rule")));
    if hunt.not_run() > 0 {
        text.push_str(&format!(
            "; {} did not run",
            counted(hunt.not_run() as u64, "rule")
        ));
    }
    text
}

/// Findings of a rule that a terminal shows one by one. Files and pipes have all.
const SHOWN: usize = 5;

/// Findings as text, for a terminal of this width or for what is none.
pub(super) fn describe(hunt: &Hunt, width: Option<usize>) -> String {
    const HEADER: [&str; 4] = ["severity", "time", "rule", "about"];
    let shown = width.map_or(usize::MAX, |_| SHOWN);
    let mut rows = Vec::new();
    for same in groups(&hunt.findings) {
        for finding in same.iter().take(shown) {
            rows.push(vec![
                finding.severity.name().to_string(),
                finding.first.clone(),
                called(finding).to_string(),
                subject(finding),
            ]);
        }
        let more = same.len().saturating_sub(shown);
        if more > 0 {
            rows.push(vec![
                same[0].severity.name().to_string(),
                String::new(),
                called(same[0]).to_string(),
                format!("and {} more", count(more as u64)),
            ]);
        }
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text = match width {
            Some(width) => layout::fitted(&HEADER, &rows, &[], width),
            None => layout::lines(&HEADER, &rows, &[]),
        };
        text.push('\n');
    }
    text.push_str(&verdict(hunt));
    text.push('\n');
    text
}

/// Findings of one rule and severity together, where the first of them stands.
fn groups(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let mut places = HashMap::new();
    for finding in findings {
        let next = groups.len();
        let place = *places
            .entry((finding.rule.as_str(), finding.severity))
            .or_insert(next);
        if place == next {
            groups.push(Vec::new());
        }
        groups[place].push(finding);
    }
    groups
}

/// What people call it: a rule whose id is a GUID by its title.
fn called(finding: &Finding) -> &str {
    match is_guid(&finding.rule) && !finding.title.is_empty() {
        true => &finding.title,
        false => &finding.rule,
    }
}

/// Who and what, in a few words.
fn subject(finding: &Finding) -> String {
    let mut parts: Vec<String> = Vec::new();
    for kind in ["Account", "IP", "File", "Host", "CloudApplication"] {
        if let Some(first) = finding.entities.iter().find(|e| e.kind == kind) {
            parts.push(match finding.things(|e| e.kind == kind) {
                0 | 1 => first.value.clone(),
                n => format!("{} (+{})", first.value, n - 1),
            });
        }
        if parts.len() == 3 {
            break;
        }
    }
    if finding.evidence.len() > 1 {
        parts.push(counted(finding.evidence.len() as u64, "record"));
    }
    parts.join(" · ")
}

/// Severities, as they are typed.
const LEVELS: [&str; 4] = ["informational", "low", "medium", "high"];

pub(super) fn severity(text: &str) -> std::result::Result<Severity, String> {
    Severity::ALL
        .into_iter()
        .find(|s| {
            s.name().eq_ignore_ascii_case(text)
                || (s.name() == "Informational" && text.eq_ignore_ascii_case("info"))
        })
        .ok_or_else(|| format!("one of {}", LEVELS.join(", ")))
}
