use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chrono_tz::Tz;

use super::ui::{Ui, answer, bytes_text, count, counted, time_text};
use super::{Exit, now};
use crate::archive::Archive;
use crate::archive::ledger::{Entry, Status};
use crate::catalog::catalog;
use crate::convert::{self, Choice, Fault, Options, PlannedList, Summary};
use crate::engine::output::visible;
use crate::error::Result;
use crate::ingest::detect::{Hints, Rows};
use crate::ingest::input::{self, Found, PassedOver};
use crate::ingest::time::DateOrder;
use crate::progress::Progress;

/// Read exports into an archive
///
/// What a file is is told from its content: audit log exports (CSV with an AuditData column, JSON), CloudAppEvents, sign-in
/// logs and other tables of Sentinel and Defender XDR, RMS usage logs; plain, gzip, zstd, members of zip archives, Parquet. A file
/// that was read before changes nothing. CSV files in a folder called `watchlists` become watchlists of the archive; one that has changed
/// replaces the archive's, whose hash stays in `Ingests`.
///
/// Limits: a record of 64 MiB; JSON nested 128 deep; a packed file that unpacks to 200 times its size or 1 TiB; three zip archives inside each other.
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
    /// Read nothing: say for every file what it would be taken for, and why
    #[arg(long)]
    dry_run: bool,
    /// Pass over files that have not changed since they were read, told by path, size and time, without hashing them
    #[arg(long, conflicts_with = "again")]
    since_last: bool,
    /// Read files again that were read before; events that are there already count as duplicates
    #[arg(long)]
    again: bool,
}

/// How inputs are read.
#[derive(Debug, clap::Args)]
pub(super) struct Reading {
    /// Order of day and month in dates such as 3/4/2026, for files that do not tell: mdy or dmy
    #[arg(long, value_name = "ORDER", value_parser = order)]
    date_order: Option<DateOrder>,
    /// Zone of columns that say `[Local Time]`: a name such as Europe/Berlin, or UTC
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<Tz>,
    /// Table of files without a header: TABLE, or 'TABLE(column,column,…)'
    #[arg(long = "as", value_name = "TABLE", value_parser = rows)]
    rows: Option<Rows>,
    /// Add nothing at all when a record or a file cannot be read
    #[arg(long)]
    strict: bool,
}

fn order(text: &str) -> Result<DateOrder, String> {
    match text {
        "mdy" => Ok(DateOrder::MonthFirst),
        "dmy" => Ok(DateOrder::DayFirst),
        _ => Err("mdy or dmy".into()),
    }
}

fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        "not a zone of the IANA database, such as Europe/Berlin, America/New_York or UTC".into()
    })
}

fn rows(text: &str) -> Result<Rows, String> {
    let (name, columns) = match text.split_once('(') {
        None => (text, Vec::new()),
        Some((name, rest)) => {
            let list = rest
                .trim_end()
                .strip_suffix(')')
                .ok_or("TABLE or TABLE(column,column,…)")?;
            (name, list.split(',').map(|c| c.trim().into()).collect())
        }
    };
    let table = catalog()
        .get(name.trim())
        .filter(|t| t.by_day)
        .ok_or_else(|| format!("no table `{name}`; OtherRecords takes any columns"))?;
    Ok(Rows { table, columns })
}

impl Reading {
    fn hints(&self) -> Hints {
        Hints {
            order: self.date_order,
            zone: self.tz,
            rows: self.rows.clone(),
        }
    }
}

/// Reads inputs and says what became of them.
pub(super) fn read(
    archive: &Archive,
    found: &Found,
    reading: &Reading,
    choice: Choice,
    ui: &Ui,
) -> Result<(Summary, String)> {
    let options = Options {
        now: now(),
        hints: reading.hints(),
        choice,
        fault: match reading.strict {
            true => Fault::Stop,
            false => Fault::Quarantine,
        },
    };
    let bar = Arc::new(ui.progress());
    let progress: Arc<dyn Progress> = bar.clone();
    let started = Instant::now();
    let summary = convert::ingest(archive, found, &options, &progress);
    bar.done();
    let summary = summary?;
    let mut text = describe(&summary, started.elapsed().as_secs_f64(), ui.verbose);
    text.push_str(&passed_over(found));
    Ok((summary, text))
}

/// Says what was found and is no input: some of each kind, and how many more there are.
fn passed_over(found: &Found) -> String {
    const SHOWN: usize = 5;
    let kind = |passed: &PassedOver| std::mem::discriminant(&passed.why);
    let mut out = String::new();
    for alike in found.passed_over.chunk_by(|a, b| kind(a) == kind(b)) {
        for passed in alike.iter().take(SHOWN) {
            let (name, why) = (passed.name(), passed.why.to_string());
            out.push_str(&format!(
                "passed over  {}: {}\n",
                visible(&name),
                visible(&why)
            ));
        }
        if let Some(more) = alike.len().checked_sub(SHOWN).filter(|n| *n > 0) {
            out.push_str(&format!(
                "             and {} more of that kind\n",
                count(more as u64)
            ));
        }
    }
    out
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    let mut found = input::find(&args.inputs)?;
    if args.dry_run {
        return dry_run(args, &mut found);
    }
    let archive = Archive::create(&args.archive)?;
    found.leave_out(&[archive.root()]);
    let choice = match (args.again, args.since_last) {
        (true, _) => Choice::Again,
        (_, true) => Choice::SinceLast,
        _ => Choice::New,
    };
    let (summary, text) = read(&archive, &found, &args.reading, choice, ui)?;
    answer(&text)?;
    Ok(exit(&summary))
}

/// Says what each file would be taken for.
fn dry_run(args: &Args, found: &mut Found) -> Result<Exit> {
    let archive = match Archive::exists(&args.archive) {
        true => Some(Archive::open(&args.archive)?),
        false => None,
    };
    if let Some(archive) = &archive {
        found.leave_out(&[archive.root()]);
    }
    let mut out = String::new();
    let mut exit = Exit::Done;
    for plan in convert::plan(archive.as_ref(), found, &args.reading.hints())? {
        out.push_str(&visible(&plan.file));
        out.push('\n');
        let mut line = |name: &str, text: &str| {
            if !text.is_empty() {
                out.push_str(&format!("    {name:<10} {}\n", visible(text)));
            }
        };
        if let Some(ingest) = plan.known {
            line("known", &format!("read before, as ingest {ingest}"));
            continue;
        }
        line("taken for", &plan.kind);
        line("container", &plan.container);
        line("dates", &plan.dates);
        if plan.status != Status::Complete {
            exit = Exit::Incomplete;
            line("not read", &plan.note);
        } else {
            line("note", &plan.note);
        }
    }
    for (file, planned) in convert::plan_watchlists(archive.as_ref(), found) {
        out.push_str(&format!("{}\n    taken for  watchlist\n", visible(&file)));
        match planned {
            PlannedList::Taken(rows) => {
                out.push_str(&format!("    rows       {}\n", count(rows)));
            }
            PlannedList::Replaces(rows) => out.push_str(&format!(
                "    rows       {}\n    replaces   the archive's list of that name\n",
                count(rows)
            )),
            PlannedList::Known => out.push_str("    known      the same list is there already\n"),
            PlannedList::Refused(reason) => {
                exit = Exit::Incomplete;
                out.push_str(&format!("    refused    {}\n", visible(&reason)));
            }
        }
    }
    out.push_str(&passed_over(found));
    answer(&out)?;
    Ok(exit)
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
    for (reason, n, place) in summary.reasons.top() {
        line(
            "",
            format!(
                "{:>10}  {} (first: {})",
                count(n),
                visible(reason),
                visible(place)
            ),
        );
    }
    if let Some((n, reasons)) = summary.reasons.rest() {
        line("", format!("{:>10}  for {reasons} other reasons", count(n)));
    }
    if let Some((first, last)) = summary.times() {
        line(
            "time span",
            format!("{} to {}", time_text(first), time_text(last)),
        );
    }
    for (what, text) in about_watchlists(summary) {
        line(what, text);
    }
    line(
        "took",
        format!(
            "{seconds:.1} s, {:.1} MB/s",
            bytes as f64 / 1e6 / seconds.max(0.001)
        ),
    );
    for (what, text) in about_files(summary, verbose) {
        line(what, text);
    }
    out
}

/// Watchlists that were taken, and those that were left out.
fn about_watchlists(summary: &Summary) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if !summary.watchlists.is_empty() {
        let told = summary.watchlists.iter().map(|(name, replaces)| {
            let replaced = if *replaces {
                " (replaces another one)"
            } else {
                ""
            };
            format!("{}{replaced}", visible(name))
        });
        lines.push(("watchlists", told.collect::<Vec<_>>().join(", ")));
    }
    let refused = summary.refused.iter();
    let refused = refused.map(|(file, why)| format!("{}: {}", visible(file), visible(why)));
    lines.extend(refused.map(|text| ("refused", text)));
    lines
}

/// What is to be said of single files: first of those that could not be read, now or before.
fn about_files(summary: &Summary, verbose: bool) -> Vec<(&'static str, String)> {
    /// Lines that are shown unless more are asked for: there may be a hundred thousand files.
    const SHOWN: usize = 100;
    fn told(entry: &Entry) -> String {
        format!("{}: {}", visible(&entry.file), visible(&entry.note))
    }
    let is_whole = |e: &&Entry| e.status == Status::Complete;
    let (whole, broken): (Vec<&Entry>, Vec<&Entry>) = summary.entries.iter().partition(is_whole);
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    lines.extend(broken.into_iter().map(|e| (e.status.name(), told(e))));
    for known in &summary.known {
        if known.status != Status::Complete {
            let (file, note) = (visible(&known.file), visible(&known.note));
            let text = format!("{file}: {note} (read before, as ingest {})", known.ingest);
            lines.push((known.status.name(), text));
        }
    }
    let (plain, noted): (Vec<&Entry>, Vec<&Entry>) =
        whole.into_iter().partition(|e| e.note.is_empty());
    lines.extend(noted.into_iter().map(|e| ("note", told(e))));
    if verbose {
        lines.extend(plain.into_iter().map(|e| {
            let text = format!(
                "{}: {} ({})",
                visible(&e.file),
                visible(&e.kind),
                e.container
            );
            ("read", text)
        }));
    } else if let Some(more) = lines.len().checked_sub(SHOWN).filter(|n| *n > 0) {
        lines.truncate(SHOWN);
        let more = count(more as u64);
        lines.push((
            "",
            format!("and {more} more: SELECT File, Status, Note FROM Ingests"),
        ));
    }
    lines
}
