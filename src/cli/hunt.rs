use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;

use super::answer::{Shape, format_of, text_into_file};
use super::exit::Exit;
use super::global::{Global, Patience};
use super::layout;
use super::ui::{self, Ui, answer, count, counted};
use super::when::Window;
use super::zone::zone;
use crate::archive::Archive;
use crate::archive::ledger::Ledger;
use crate::engine::output::Format;
use crate::engine::{Session, Source};
use crate::fault::Level;
use crate::fault::{Error, Result};
use crate::hunt::{self, Choice, Finding, Hunt, Status, Unjudged};
use crate::report;
use crate::rules::{self, Severity};

/// Run detections over an archive
///
/// Runs each rule once (a sweep), all cores at once. Without -r the built-in pack runs. --from, --to and --since choose findings, by the time of
/// their last event; each rule sees as far around them as it looks back (its queryPeriod), so that days hunted one by one give what all of
/// them give together.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    #[command(flatten)]
    hunting: Hunting,
    /// table, json, ndjson, csv or markdown. When not given, what the name of the file says, else a table
    #[arg(short, long, value_name = "FORMAT", value_parser = shape)]
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
}

/// Which rules run, and on what.
#[derive(Debug, clap::Args)]
pub(super) struct Hunting {
    /// Rules: files or folders; `builtin` is the built-in pack. May be given several times
    #[arg(short, long, value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Only rules of at least this severity: informational, low, medium, high
    #[arg(short, long, value_name = "LEVEL", default_value = "informational", value_parser = severity)]
    min_level: Severity,
    /// End with exit code 1 when something of at least this severity is found
    #[arg(long, value_name = "LEVEL", value_parser = severity)]
    fail_on: Option<Severity>,
    /// Rules that only lack a watchlist are named and do not count for the exit code
    #[arg(long)]
    ignore_missing: bool,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    pub window: Window,
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

/// Hunts, and says what is wrong with rules. The session has the times of the findings.
pub(super) fn sweep(
    archive: &Archive,
    hunting: &Hunting,
    global: &Global,
    ui: &Ui,
) -> Result<(Session, Hunt)> {
    let pack = rules::load(&hunting.rules)?;
    for said in &pack.diagnostics {
        if said.level == Level::Warning {
            ui.warn(&format!("`{}`: {}", said.subject, said.message));
        }
    }
    let ledger = archive.ledger()?;
    let window = &hunting.window;
    let choice = Choice {
        level: hunting.min_level,
        window: hunt::Window {
            from: window.from(),
            to: window.to,
        },
    };
    if window.from().is_some() || window.to.is_some() {
        for rule in pack.rules.iter().filter(|r| !r.trigger.is_any()) {
            ui.warn(&format!(
                "rule `{}`: its trigger counts the rows of this window alone",
                rule.id
            ));
        }
    }
    let reach = hunt::reach(&pack, &choice);
    let mut options = global.engine(Some(window))?;
    options.timeout = hunting.patience.timeout;
    options.from = reach.from;
    options.to = match (reach.to, window.seen()) {
        (Some(to), Some(seen)) => Some(to.min(seen)),
        (to, seen) => to.or(seen),
    };
    let mut session = Session::open(Source::Archive(archive), &options)?;
    let bar = ui.progress();
    let hunt = hunt::sweep(&mut session, &pack, &choice, &ledger, &bar);
    bar.done();
    let hunt = hunt?;
    tell(&hunt, ui);
    if hunt.findings.is_empty()
        && let Some(reason) = outside(&ledger, window)
    {
        ui.say(&reason);
    }
    let session = session.within(window.from(), window.to())?;
    Ok((session, hunt))
}

/// Why nothing can be found in this window, where no event of the archive lies in it.
fn outside(ledger: &Ledger, window: &Window) -> Option<String> {
    let times = || ledger.exports().filter_map(|entry| entry.times);
    let first = times().map(|(first, _)| first).min()?;
    let last = times().map(|(_, last)| last).max()?;
    let outside =
        window.from().is_some_and(|from| last < from) || window.to().is_some_and(|to| first >= to);
    outside.then(|| {
        let (first, last) = (ui::time_text(first), ui::time_text(last));
        format!(
            "the events of this archive lie between {first} and {last}, outside the time asked for"
        )
    })
}

/// Says which rules did not run, and what those that ran could not judge.
fn tell(hunt: &Hunt, ui: &Ui) {
    let mut unjudged: BTreeMap<&Unjudged, Vec<String>> = BTreeMap::new();
    for outcome in &hunt.outcomes {
        if let Some(reason) = outcome.status.reason() {
            ui.warn(&format!("rule `{}` did not run: {reason}", outcome.id));
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

pub(super) fn exit(hunt: &Hunt, hunting: &Hunting) -> Exit {
    let failed = hunt.outcomes.iter().any(|o| match o.status {
        Status::Found | Status::Nothing => false,
        Status::Lacks(_) => !hunting.ignore_missing,
        Status::NotRun(_) => true,
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
    let archive = Archive::open_to_ask(&args.archive)?;
    let shape = match &args.output {
        Some(path) => format_of(path, args.format)?,
        None => args.format.unwrap_or(Shape::Table),
    };
    if let (Some(path), Shape::Other(Format::Parquet | Format::Kusto)) = (&args.output, shape) {
        return Err(Error::Usage(format!(
            "-o {}: findings are written as .json, .ndjson, .csv, .md or .txt",
            path.display()
        )));
    }
    if let Some(path) = &args.output {
        refuse_existing(path, args.clobber)?;
    }
    let (_, mut hunt) = sweep(&archive, &args.hunting, global, ui)?;
    if let Some(zone) = args.tz {
        hunt.show_in(zone);
    }
    let text = |width| match shape {
        Shape::Other(Format::Json) => report::findings_json(&hunt),
        Shape::Other(Format::Ndjson) => report::findings_ndjson(&hunt),
        Shape::Other(Format::Csv) => report::findings_csv(&hunt),
        Shape::Other(Format::Markdown) => report::findings_markdown(&hunt),
        // Parquet and the API's answer were refused.
        Shape::Table | Shape::Other(_) => describe(&hunt, width),
    };
    match &args.output {
        Some(path) => {
            text_into_file(path, &text(None))?;
            ui.say(&verdict(&hunt));
        }
        None => answer(&text(ui::columns()))?,
    }
    Ok(exit(&hunt, &args.hunting))
}

pub(super) fn refuse_existing(path: &Path, clobber: bool) -> Result<()> {
    if path.is_file() && !clobber {
        return Err(Error::Exists(path.to_path_buf()));
    }
    Ok(())
}

/// One line: how many findings, from how many rules.
pub(super) fn verdict(hunt: &Hunt) -> String {
    let by_severity: Vec<String> = Severity::ALL
        .into_iter()
        .map(|s| (s, hunt.count(s)))
        .filter(|(_, n)| *n > 0)
        .map(|(s, n)| format!("{} {}", count(n as u64), s.name().to_lowercase()))
        .collect();
    let ran = hunt.outcomes.len() - hunt.not_run();
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
                finding.rule.clone(),
                subject(finding),
            ]);
        }
        let more = same.len().saturating_sub(shown);
        if more > 0 {
            rows.push(vec![
                same[0].severity.name().to_string(),
                String::new(),
                same[0].rule.clone(),
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

fn severity(text: &str) -> std::result::Result<Severity, String> {
    Severity::ALL
        .into_iter()
        .find(|s| {
            s.name().eq_ignore_ascii_case(text)
                || (s.name() == "Informational" && text.eq_ignore_ascii_case("info"))
        })
        .ok_or_else(|| "one of informational, low, medium, high".into())
}
