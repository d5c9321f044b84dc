use std::path::{Path, PathBuf};

use super::ui::{Ui, answer, counted, table};
use super::{Exit, Global, Window, severity};
use crate::archive::Archive;
use crate::detect::{self, Finding, Hunt, Status};
use crate::diagnostic::Level;
use crate::engine::{Session, Source};
use crate::error::{Error, Result};
use crate::report;
use crate::rules::{self, Severity};

/// Run detections over an archive
///
/// Runs each rule once over the chosen time (a sweep), all cores at once. Without -r the built-in pack runs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    #[command(flatten)]
    hunting: Hunting,
    /// table, json or csv
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json", "csv"])]
    format: String,
    /// Write the findings to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    clobber: bool,
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
    #[command(flatten)]
    pub window: Window,
}

/// Hunts, and says what is wrong with rules.
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
    let ledger = archive.snapshot()?.ledger;
    let options = global.engine(Some(&hunting.window))?;
    let mut session = Session::open(Source::Archive(archive), &options)?;
    let bar = ui.progress();
    let hunt = detect::sweep(&mut session, &pack, hunting.min_level, &ledger, &bar);
    bar.done();
    let hunt = hunt?;
    for outcome in &hunt.outcomes {
        if let Status::NotRun(reason) = &outcome.status {
            ui.warn(&format!("rule `{}` did not run: {reason}", outcome.id));
        }
    }
    Ok((session, hunt))
}

pub(super) fn exit(hunt: &Hunt, hunting: &Hunting) -> Exit {
    let found = hunting
        .fail_on
        .is_some_and(|level| hunt.findings.iter().any(|f| f.severity >= level));
    let gaps = match hunt.not_run() {
        0 => Exit::Done,
        _ => Exit::Incomplete,
    };
    if found {
        gaps.and(Exit::Findings)
    } else {
        gaps
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open(&args.archive)?;
    if let Some(path) = &args.output {
        refuse_existing(path, args.clobber)?;
    }
    let (_, hunt) = sweep(&archive, &args.hunting, global, ui)?;
    let text = match args.format.as_str() {
        "json" => report::findings_json(&hunt),
        "csv" => report::findings_csv(&hunt),
        _ => describe(&hunt),
    };
    match &args.output {
        Some(path) => {
            let mut staged = path.clone().into_os_string();
            staged.push(".part");
            std::fs::write(&staged, text).map_err(Error::io("write", path))?;
            std::fs::rename(&staged, path).map_err(Error::io("write", path))?;
            ui.say(&verdict(&hunt));
        }
        None => answer(&text)?,
    }
    Ok(exit(&hunt, &args.hunting))
}

pub(super) fn refuse_existing(path: &Path, clobber: bool) -> Result<()> {
    if path.exists() && !clobber {
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
        .map(|(s, n)| format!("{n} {}", s.name().to_lowercase()))
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

/// Findings that are shown one by one for each rule.
const SHOWN: usize = 5;

/// Findings as text.
pub(super) fn describe(hunt: &Hunt) -> String {
    let mut rows = Vec::new();
    let mut at = 0;
    while at < hunt.findings.len() {
        let rule = &hunt.findings[at].rule;
        let severity = hunt.findings[at].severity;
        let same: Vec<&Finding> = hunt
            .findings
            .iter()
            .filter(|f| f.rule == *rule && f.severity == severity)
            .collect();
        // Each rule once, where its first finding stands.
        if std::ptr::eq(same[0], &hunt.findings[at]) {
            for finding in same.iter().take(SHOWN) {
                rows.push(vec![
                    severity.name().to_string(),
                    finding.first.clone(),
                    finding.rule.clone(),
                    subject(finding),
                ]);
            }
            if same.len() > SHOWN {
                rows.push(vec![
                    severity.name().to_string(),
                    String::new(),
                    rule.clone(),
                    format!("and {} more", same.len() - SHOWN),
                ]);
            }
        }
        at += 1;
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text = table(&["severity", "time", "rule", "about"], &rows, &[]);
        text.push('\n');
    }
    text.push_str(&verdict(hunt));
    text.push('\n');
    text
}

/// Who and what, in a few words.
fn subject(finding: &Finding) -> String {
    let mut parts: Vec<String> = Vec::new();
    for kind in ["Account", "IP", "File", "Host", "CloudApplication"] {
        let mut of_kind = finding.entities.iter().filter(|e| e.kind == kind);
        if let Some(first) = of_kind.next() {
            let more = of_kind.count();
            parts.push(match more {
                0 => first.value.clone(),
                n => format!("{} (+{n})", first.value),
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
