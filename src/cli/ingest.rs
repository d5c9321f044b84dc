use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::ui::{Ui, answer, bytes_text, count, counted, time_text};
use super::{Exit, now};
use crate::archive::Archive;
use crate::archive::ledger::Status;
use crate::convert::{self, Options, Summary};
use crate::engine::output::visible;
use crate::error::Result;
use crate::ingest::detect::Hints;
use crate::ingest::input::{self, Found};
use crate::ingest::time::DateOrder;
use crate::progress::Progress;

/// Read exports into an archive
///
/// What a file is is told from its content: audit log exports (CSV with an AuditData column, JSON), CloudAppEvents, sign-in
/// logs and other tables of Sentinel and Defender XDR, RMS usage logs; plain, gzip or zstd. A file that was read before
/// changes nothing. CSV files in a folder called `watchlists` become watchlists of the archive.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files, folders, patterns such as 'exports/**/*.csv', or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The archive; made when it does not exist
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// How inputs are read.
#[derive(Debug, clap::Args)]
pub(super) struct Reading {
    /// Order of day and month in dates such as 3/4/2026, for files that do not tell: mdy or dmy
    #[arg(long, value_name = "ORDER", value_parser = order)]
    date_order: Option<DateOrder>,
    /// Replace results that exist, and watchlists of other content
    #[arg(short = 'C', long)]
    pub clobber: bool,
}

fn order(text: &str) -> Result<DateOrder, String> {
    match text {
        "mdy" => Ok(DateOrder::MonthFirst),
        "dmy" => Ok(DateOrder::DayFirst),
        _ => Err("mdy or dmy".into()),
    }
}

/// Reads inputs and says what became of them.
pub(super) fn read(
    archive: &Archive,
    found: &Found,
    reading: &Reading,
    ui: &Ui,
) -> Result<(Summary, String)> {
    let options = Options {
        now: now(),
        hints: Hints {
            order: reading.date_order,
        },
        clobber: reading.clobber,
    };
    let bar = Arc::new(ui.progress());
    let progress: Arc<dyn Progress> = bar.clone();
    let started = Instant::now();
    let summary = convert::ingest(archive, found, &options, &progress);
    bar.done();
    let summary = summary?;
    for folder in &found.passed_over {
        ui.say(&format!(
            "passed over `{}`: it holds {}",
            visible(&folder.display().to_string()),
            input::PASS_OVER
        ));
    }
    let text = describe(&summary, started.elapsed().as_secs_f64(), ui.verbose);
    Ok((summary, text))
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    let mut found = input::find(&args.inputs)?;
    let archive = Archive::create(&args.archive)?;
    found.leave_out(archive.root());
    let (summary, text) = read(&archive, &found, &args.reading, ui)?;
    answer(&text)?;
    Ok(exit(&summary))
}

pub(super) fn exit(summary: &Summary) -> Exit {
    if summary.is_incomplete() {
        Exit::Incomplete
    } else {
        Exit::Done
    }
}

/// The summary of an ingest.
fn describe(summary: &Summary, seconds: f64, verbose: bool) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        out.push_str(&format!("{name:<12} {text}\n"));
    };
    let bytes = summary.sum(|e| e.bytes);
    line(
        "files",
        format!(
            "{} ({}){}",
            count(summary.entries.len() as u64),
            bytes_text(bytes),
            match summary.known.len() {
                0 => String::new(),
                n => format!(", and {} read before", counted(n as u64, "file")),
            }
        ),
    );
    line("records", count(summary.sum(|e| e.records)));
    let events: u64 = summary.tables().values().sum();
    line("events", count(events));
    for (table, n) in summary.tables() {
        line("", format!("{:>10}  {table}", count(n)));
    }
    line(
        "duplicates",
        format!(
            "{} (equal content, dropped)",
            count(summary.sum(|e| e.duplicates))
        ),
    );
    let revisions = summary.sum(|e| e.revisions);
    if revisions > 0 {
        line(
            "revisions",
            format!(
                "{} (same event, other content; kept in Revisions)",
                count(revisions)
            ),
        );
    }
    line("quarantined", count(summary.sum(|e| e.quarantined)));
    for (reason, (n, place)) in &summary.reasons {
        line(
            "",
            format!(
                "{:>10}  {} (first: {})",
                count(*n),
                visible(reason),
                visible(place)
            ),
        );
    }
    if let Some((first, last)) = summary.times() {
        line(
            "time span",
            format!("{} to {}", time_text(first), time_text(last)),
        );
    }
    if !summary.watchlists.is_empty() {
        line("watchlists", visible(&summary.watchlists.join(", ")));
    }
    line(
        "took",
        format!(
            "{seconds:.1} s, {:.1} MB/s",
            bytes as f64 / 1e6 / seconds.max(0.001)
        ),
    );
    for entry in &summary.entries {
        let bad = entry.status != Status::Complete;
        if bad || !entry.note.is_empty() {
            line(
                if bad { entry.status.name() } else { "note" },
                format!("{}: {}", visible(&entry.file), visible(&entry.note)),
            );
        } else if verbose {
            line(
                "read",
                format!(
                    "{}: {} ({})",
                    visible(&entry.file),
                    entry.kind,
                    entry.container
                ),
            );
        }
    }
    out
}
