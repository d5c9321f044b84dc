use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chrono_tz::Tz;

use super::exit::Exit;
use super::offered::offering;
use super::ui::{Ui, answer, answer_if_read, bytes_text, count, counted, time_text};
use super::when::now;
use super::zone::zone;
use crate::archive::Archive;
use crate::archive::ledger::{Entry, Status};
use crate::catalog::{catalog, table};
use crate::convert::{self, Choice, Fault, Options, PlannedList, Summary};
use crate::engine::output::visible;
use crate::engine::views;
use crate::fault::{Error, Result};
use crate::ingest::answers;
use crate::ingest::format::{Hints, OTHER, Rows, is_table_name};
use crate::ingest::input::{self, Found, Input, PassedOver};
use crate::ingest::time::DateOrder;
use crate::kql::eval::nearest;
use crate::progress::Progress;

/// Read exports into an archive
///
/// What a file is is told from its content: audit log exports (CSV with an AuditData column, JSON), CloudAppEvents, sign-in
/// logs and other tables of Sentinel and Defender XDR, RMS usage logs; plain, gzip, zstd, xz, Parquet, members of zip and tar archives,
/// sheets of Excel workbooks (.xlsx). A file's name counts only where the columns are those of several tables, and that is said. A file that was
/// read before changes nothing. CSV files in a folder called `watchlists`, the same as JSON, and lists of sensitivity labels that stand
/// beside the exports (CSV or JSON) become watchlists of the archive; one that has changed replaces the archive's, whose hash stays in `Ingests`.
///
/// Files are counted as `gaps` and `analyze` count them: each file that was read, whatever came of it, an archive and each of its members; watchlists are
/// not among them, nor is what was passed over unread.
///
/// Limits: a record of 64 MiB; JSON nested 128 deep; a packed file that unpacks to 200 times its size or 1 TiB; three archives inside
/// each other; 128 MiB of memory to unpack zstd, 256 MiB for xz.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files, folders, patterns such as 'exports/**/*.csv', on a disk or in object storage (s3://BUCKET/FOLDER, abfss://…, gs://…), or - for
    /// standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The archive; made when it does not exist
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Add nothing: say for every file what it would be taken for, and why
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
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Reading {
    /// Order of day and month in dates such as 3/4/2026, for files that do not tell: mdy or dmy
    #[arg(long, value_name = "ORDER", value_parser = offering(order, ["mdy", "dmy"]), hide_possible_values = true)]
    pub(super) date_order: Option<DateOrder>,
    /// Zone of columns that say `[Local Time]`: a name such as Europe/Berlin, UTC, or `local`
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub(super) tz: Option<Tz>,
    /// Table of rows that do not say theirs, with a header or without: TABLE, or 'TABLE(column,column,…)' with a name for each column of the
    /// file. A table that is known needs a third of the columns to be its own, and most where another table was found by them; one that
    /// is not known is a name under which they are kept in OtherRecords. Where it is not taken, that is said
    #[arg(long = "as", value_name = "TABLE", value_parser = rows)]
    pub(super) rows: Option<Rows>,
    /// Column or key with the time of the records, where the files have one that is not known or have several: no other one counts in files
    /// that have it. Audit records keep their CreationTime
    #[arg(long, value_name = "NAME")]
    pub(super) time_column: Option<String>,
    /// Add nothing at all when a record or a file cannot be read
    #[arg(long)]
    pub(super) strict: bool,
}

pub(super) fn order(text: &str) -> Result<DateOrder, String> {
    match text {
        "mdy" => Ok(DateOrder::MonthFirst),
        "dmy" => Ok(DateOrder::DayFirst),
        _ => Err("mdy or dmy".into()),
    }
}

pub(super) fn rows(text: &str) -> Result<Rows, String> {
    let (name, columns): (&str, Vec<String>) = match text.split_once('(') {
        None => (text, Vec::new()),
        Some((name, rest)) => {
            let list = rest
                .trim_end()
                .strip_suffix(')')
                .ok_or("TABLE or TABLE(column,column,…)")?;
            (name, list.split(',').map(|c| c.trim().into()).collect())
        }
    };
    let name = name.trim();
    if let Some(why) = no_columns(&columns) {
        return Err(why);
    }
    let is_name = |view: &str| view.eq_ignore_ascii_case(name);
    if [views::LABEL_EVENTS, views::INFORMATION_PROTECTION_EVENTS]
        .into_iter()
        .any(is_name)
    {
        return Err(format!(
            "`{name}` is a view: it is made of the rows of tables and has none of its own"
        ));
    }
    let (table, called) = match catalog().get(name) {
        Some(table) if table.by_day => (table, None),
        // Rows of other tables are kept beside each other, each under its own name.
        None if is_table_name(name) => (table(OTHER), Some(name.to_string())),
        _ => return Err(format!("no table can be called `{name}`")),
    };
    Ok(Rows {
        table,
        columns,
        called,
    })
}

/// Why these are no names of the columns of a file.
fn no_columns(columns: &[String]) -> Option<String> {
    if columns.iter().any(String::is_empty) {
        return Some("a column without a name: TABLE or TABLE(column,column,…)".into());
    }
    let twice = columns.iter().enumerate().find(|(at, name)| {
        let mut before = columns[..*at].iter();
        before.any(|other| other.eq_ignore_ascii_case(name))
    });
    twice.map(|(_, name)| format!("two columns are called `{name}`"))
}

/// Says of a name that is no table that one of nearly this name is.
fn tell_near_miss(reading: &Reading, ui: &Ui) {
    let called = reading
        .rows
        .as_ref()
        .and_then(|rows| rows.called.as_deref());
    let Some(name) = called.filter(|name| catalog().foreign(name).is_none()) else {
        return;
    };
    let tables = catalog().tables().filter(|t| t.by_day).map(|t| t.name);
    if let Some(near) = nearest(name, tables) {
        ui.warn(&format!(
            "--as {name}: no table of that name is known, it is the one under which rows are kept in {OTHER}"
        ));
        ui.hint(&format!("did you mean `{near}`?"));
    }
}

impl Reading {
    /// The zone of local times.
    pub(super) fn zone(&self) -> Option<Tz> {
        self.tz
    }

    fn hints(&self) -> Hints {
        Hints {
            order: self.date_order,
            zone: self.tz,
            rows: self.rows.clone(),
            time_column: self.time_column.clone(),
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
    tell_near_miss(reading, ui);
    let options = Options {
        now: now(),
        hints: reading.hints(),
        choice,
        fault: match reading.strict {
            true => Fault::Stop,
            false => Fault::Quarantine,
        },
    };
    check_time_column(found, &options.hints)?;
    let bar = Arc::new(ui.progress());
    let progress: Arc<dyn Progress> = bar.clone();
    let started = Instant::now();
    let summary = convert::ingest(archive, found, &options, &progress);
    bar.done();
    let summary = summary?;
    ui.counts(&[
        ("files", summary.entries.len() as u64),
        ("files_read_before", summary.read_before()),
        ("records", summary.sum(|e| e.records)),
        ("events", summary.tables().values().sum()),
        ("duplicates", summary.sum(|e| e.duplicates)),
        ("quarantined", summary.sum(|e| e.quarantined)),
    ]);
    for (file, rows) in &summary.emptied {
        let rows = counted(*rows, "row");
        ui.warn(&format!(
            "watchlist `{file}` has no rows: it replaces a list of {rows}"
        ));
    }
    let mut text = describe(&summary, started.elapsed().as_secs_f64(), ui.verbose);
    text.push_str(&passed_over(found));
    if ui.voice().is_json() {
        warn_of_broken(&summary, ui);
    }
    Ok((summary, text))
}

/// Warns of each file that could not be read whole, now or before, and of each reason for quarantine. The summary has them too, but it is an answer
/// on stdout, which a nightly job may drop.
fn warn_of_broken(summary: &Summary, ui: &Ui) {
    /// There may be a hundred thousand files.
    const TOLD: usize = 100;
    let is_broken = |status: Status| status != Status::Complete;
    let now = summary.entries.iter().filter(|e| is_broken(e.status));
    let now = now.map(|e| format!("`{}`: {}: {}", e.file, e.status.name(), e.note));
    let before = summary.known.iter().filter(|k| is_broken(k.status));
    let before = before.map(|k| {
        let (file, status, note) = (&k.file, k.status.name(), &k.note);
        format!(
            "`{file}`: {status}: {note} (read before, as ingest {})",
            k.ingest
        )
    });
    let refused = summary.refused.iter();
    let refused = refused.map(|(file, why)| format!("`{file}`: refused: {why}"));
    let reasons = summary.reasons.top().into_iter();
    let reasons = reasons.map(|(reason, n, place)| {
        format!(
            "{} in quarantine: {reason} (first: {place})",
            counted(n, "record")
        )
    });
    let rest = summary.reasons.rest().into_iter();
    let rest = rest.map(|(n, reasons)| {
        format!(
            "{} in quarantine for {reasons} other reasons",
            counted(n, "record")
        )
    });
    let untimed = (summary.untimed > 0)
        .then(|| format!("{} without a time", counted(summary.untimed, "event")));
    let all: Vec<String> = now
        .chain(before)
        .chain(refused)
        .chain(reasons)
        .chain(rest)
        .chain(untimed)
        .collect();
    for text in all.iter().take(TOLD) {
        ui.warn(text);
    }
    if let Some(more) = all.len().checked_sub(TOLD).filter(|more| *more > 0) {
        ui.warn(&format!("and {} more such", count(more as u64)));
    }
}

/// Refuses a column that no input has. What a pipe has is seen when it is read.
fn check_time_column(found: &Found, hints: &Hints) -> Result<()> {
    let Some(column) = hints.time_column.as_deref() else {
        return Ok(());
    };
    if found.inputs.iter().any(Input::is_pipe) {
        return Ok(());
    }
    if convert::plan(None, found, hints)?.iter().any(|p| p.timed) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--time-column: no input has a column or a key `{column}`"
    )))
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
        tell_near_miss(&args.reading, ui);
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

/// Reads what is new of these, and says what became of it: files that changed since they were read last, told by path, size and time.
pub(super) fn read_new(
    archive: &Archive,
    inputs: &[String],
    reading: &Reading,
    ui: &Ui,
) -> Result<Summary> {
    let mut found = input::find(inputs)?;
    found.leave_out(&[archive.root()]);
    let (summary, text) = read(archive, &found, reading, Choice::SinceLast, ui)?;
    let is_news = !summary.entries.is_empty() || !summary.watchlists.is_empty();
    if is_news || summary.is_incomplete() {
        answer_if_read(&text)?;
    }
    if !ui.voice().is_json() {
        warn_of_broken(&summary, ui);
    }
    Ok(summary)
}

/// What an ingest of files would do.
#[derive(Debug, Default)]
pub(super) struct Coming {
    /// How many would be read.
    pub(super) new: u64,
    /// How many watchlists would be taken.
    pub(super) lists: u64,
    /// How many were read before.
    pub(super) known: u64,
    /// What could not be read whole, now or before, and why.
    pub(super) broken: Vec<String>,
}

/// What would become of these files.
pub(super) fn planned(
    archive: Option<&Archive>,
    inputs: &[String],
    reading: &Reading,
) -> Result<Coming> {
    let mut found = input::find(inputs)?;
    if let Some(archive) = archive {
        found.leave_out(&[archive.root()]);
    }
    let files = convert::plan(archive, &found, &reading.hints())?;
    let ledger = archive.map(Archive::ledger).transpose()?;
    let ledger = ledger.unwrap_or_default();
    let mut coming = Coming::default();
    for plan in files {
        let Some(ingest) = plan.known else {
            coming.new += 1;
            if plan.status != Status::Complete {
                let (status, note) = (plan.status.name(), &plan.note);
                coming
                    .broken
                    .push(format!("`{}`: {status}: {note}", plan.file));
            }
            continue;
        };
        let entry = ledger.entry(ingest);
        // Members of an archive count, as when they are read.
        coming.known += 1 + entry.map_or(0, |entry| ledger.members_of(entry));
        if let Some(entry) = entry.filter(|entry| entry.status != Status::Complete) {
            coming.broken.push(format!(
                "`{}`: {}: {} (read before, as ingest {ingest})",
                plan.file,
                entry.status.name(),
                entry.note
            ));
        }
    }
    for (file, list) in convert::plan_watchlists(archive, &found) {
        match list {
            PlannedList::Taken(_) | PlannedList::Replaces(_) => coming.lists += 1,
            PlannedList::Refused(why) => coming.broken.push(format!("`{file}`: refused: {why}")),
            PlannedList::Known => {}
        }
    }
    Ok(coming)
}

/// Inputs without the patterns that match nothing, as one for late files does on most nights: each is said. All of them where nothing is left.
pub(super) fn present(inputs: &[String], ui: &Ui) -> Vec<String> {
    let is_there = |input: &&String| {
        let is_pattern = input.contains(['*', '?', '[']);
        let found = input::find(std::slice::from_ref(*input));
        let is_none = is_pattern && matches!(found, Err(Error::NoInput(_)));
        if is_none {
            ui.warn(&format!("no file matches `{}`", visible(input)));
        }
        !is_none
    };
    let there: Vec<String> = match inputs {
        [_] => inputs.to_vec(),
        _ => inputs.iter().filter(is_there).cloned().collect(),
    };
    match there.is_empty() {
        true => inputs.to_vec(),
        false => there,
    }
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
    check_time_column(found, &args.reading.hints())?;
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
    let notes = convert::watchlist_notes(found);
    for (file, planned) in convert::plan_watchlists(archive.as_ref(), found) {
        out.push_str(&format!("{}\n    taken for  watchlist\n", visible(&file)));
        for (_, note) in notes.iter().filter(|(of, _)| *of == file) {
            out.push_str(&format!("    note       {}\n", visible(note)));
        }
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
    let mut lines = about_records(summary);
    lines.extend(about_quarantine(summary));
    if let Some((first, last)) = summary.times() {
        let text = format!("{} to {}", time_text(first), time_text(last));
        lines.push(("time span", text));
    }
    lines.extend(about_watchlists(summary));
    let megabytes = summary.sum(|e| e.bytes) as f64 / 1e6;
    lines.push((
        "took",
        format!("{seconds:.1} s, {:.1} MB/s", megabytes / seconds.max(0.001)),
    ));
    lines.extend(about_files(summary, verbose));
    let mut out = String::new();
    for (name, text) in lines {
        out.push_str(&format!("{name:<12} {text}\n"));
    }
    out
}

/// What was read, and what became of it.
fn about_records(summary: &Summary) -> Vec<(&'static str, String)> {
    let known = match summary.read_before() {
        0 => String::new(),
        n => format!(", and {} read before", counted(n, "file")),
    };
    let files = count(summary.entries.len() as u64);
    let bytes = bytes_text(summary.sum(|e| e.bytes));
    let tables = summary.tables();
    let mut lines = vec![
        ("files", format!("{files} ({bytes}){known}")),
        ("records", count(summary.sum(|e| e.records))),
        ("events", count(tables.values().sum())),
    ];
    for (table, n) in tables {
        lines.push(("", format!("{:>10}  {table}", count(n))));
    }
    let duplicates = count(summary.sum(|e| e.duplicates));
    let text = format!("{duplicates} (equal content, dropped)");
    lines.push(("duplicates", text));
    let revisions = summary.sum(|e| e.revisions);
    if revisions > 0 {
        let text = format!(
            "{} (same event, other content; kept in Revisions)",
            count(revisions)
        );
        lines.push(("revisions", text));
    }
    if summary.untimed > 0 {
        let text = format!(
            "{} (in no window of time; the files are named below)",
            counted(summary.untimed, "event")
        );
        lines.push(("no time", text));
    }
    lines
}

/// Records that could not be read, by why; and files that have none.
fn about_quarantine(summary: &Summary) -> Vec<(&'static str, String)> {
    let quarantined = count(summary.sum(|e| e.quarantined));
    let mut lines = vec![("quarantined", quarantined)];
    for (reason, n, place) in summary.reasons.top() {
        let text = format!(
            "{:>10}  {} (first: {})",
            count(n),
            visible(reason),
            visible(place)
        );
        lines.push(("", text));
    }
    if let Some((n, reasons)) = summary.reasons.rest() {
        let text = format!("{:>10}  for {reasons} other reasons", count(n));
        lines.push(("", text));
    }
    let no_records = |e: &&Entry| answers::passed_over(&e.note).is_some();
    let beside = summary.entries.iter().filter(no_records).count() as u64;
    if beside > 0 {
        let text = format!("{} without records, named below", counted(beside, "file"));
        lines.push(("passed over", text));
    }
    lines
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
    let told = |(file, what): &(String, String)| format!("{}: {}", visible(file), visible(what));
    lines.extend(summary.list_notes.iter().map(|n| ("note", told(n))));
    lines.extend(summary.refused.iter().map(|r| ("refused", told(r))));
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
    lines.extend(
        noted
            .into_iter()
            .map(|e| match answers::passed_over(&e.note) {
                Some(why) => {
                    let text = format!("{}: {}", visible(&e.file), visible(why));
                    ("passed over", text)
                }
                None => ("note", told(e)),
            }),
    );
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
