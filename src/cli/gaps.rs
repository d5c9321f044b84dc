use std::path::PathBuf;

use serde_json::Value;

use super::exit::Exit;
use super::global::Global;
use super::ui::{Ui, answer, count, counted, table, time_text};
use super::waiting::Waiting;
use super::when::Window;
use crate::archive::Archive;
use crate::engine::{Session, Source, output};
use crate::fault::Result;
use crate::proof::gaps::{self, Finding, Kind, Report, Scope};

/// Show what is missing in an archive
///
/// Holes in time, hours far below the usual, exports that end at a cap or break off, workloads that are not there, events outside
/// the range that a file's name states, times in doubt, events without a time. What is usual is told from the archive itself: the same hours of other weeks, with
/// less than three weeks those of other days; eight weeks and more without an event are a hole in any case, but in tables where that is usual. --from and
/// --to choose among the findings; all events count for what is usual. Files are counted as `ingest` counts them: each that was read, an archive and each
/// of its members, and no watchlists.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// Only this table and the files that have events of it
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    #[command(flatten)]
    window: Window,
    /// table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open(&args.archive)?;
    let mut options = global.engine(Some(&args.window))?;
    (options.from, options.to) = (None, args.window.seen());
    let session = Session::open(Source::Archive(&archive), &options)?;
    let only = args.table.as_deref();
    let scope = Scope {
        table: only
            .map(|name| gaps::table_of(&session, name))
            .transpose()?,
        from: args.window.from(),
        to: args.window.to(),
    };
    let waiting = Waiting::begin(ui, "looking for gaps");
    let report = gaps::find(&session, &archive.ledger()?, &scope)?;
    drop(waiting);
    let text = match args.format.as_str() {
        "json" => {
            // Texts and numbers have no way to fail.
            let text = serde_json::to_string_pretty(&report.json()).expect("a report is JSON");
            output::harmless(&text) + "\n"
        }
        _ => describe(&report),
    };
    answer(&text)?;
    Ok(Exit::Done)
}

/// Findings of a kind that are shown one by one.
const SHOWN: usize = 100;

fn describe(report: &Report) -> String {
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        let of_kind = report.findings.iter().filter(|f| f.kind == kind);
        rows.extend(of_kind.take(SHOWN).map(row));
        let more = report.count(kind).saturating_sub(SHOWN);
        if more > 0 {
            let mut last = vec![String::new(); HEADER.len()];
            last[0] = kind.name().into();
            last[HEADER.len() - 1] = format!("and {} more; -f json gives all", count(more as u64));
            rows.push(last);
        }
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text = table(&HEADER, &rows, &[]);
        text.push('\n');
    }
    text.push_str(&verdict(report));
    text.push('\n');
    text
}

const HEADER: [&str; 8] = [
    "kind",
    "table",
    "from",
    "to",
    "expected",
    "found",
    "where",
    "explanation",
];

fn row(finding: &Finding) -> Vec<String> {
    let time = |t: Option<i64>| t.map_or(String::new(), time_text);
    let measure = |value: &Value| match (value.as_u64(), value.as_str()) {
        (Some(n), _) => count(n),
        (None, Some(text)) => text.to_string(),
        (None, None) => value.to_string(),
    };
    vec![
        finding.kind.name().into(),
        finding.table.clone(),
        time(finding.from),
        time(finding.to),
        measure(&finding.expected),
        measure(&finding.found),
        finding.place.clone(),
        finding.why.clone(),
    ]
}

/// One line: how many findings of which kind, and in what.
fn verdict(report: &Report) -> String {
    let kinds: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| report.count(*kind) > 0)
        .map(|kind| format!("{} {}", kind.name(), count(report.count(kind) as u64)))
        .collect();
    let mut text = counted(report.findings.len() as u64, "finding");
    if !kinds.is_empty() {
        text.push_str(&format!(" ({})", kinds.join(", ")));
    }
    text.push_str(&format!(
        " in {} and {}",
        counted(report.tables, "table"),
        counted(report.files, "file")
    ));
    if report.untimed > 0 {
        text.push_str(&format!(
            "; {} without a time, in no hour",
            counted(report.untimed, "event")
        ));
    }
    text
}
