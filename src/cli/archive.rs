use std::path::PathBuf;

use super::exit::Exit;
use super::ui::{Ui, answer, bytes_text, count, table};
use super::when::now;
use crate::archive::{Archive, compact, derived, repair};
use crate::catalog::LABEL_EVENTS;
use crate::engine::output::visible;
use crate::fault::Result;
use crate::text::counted;

/// Look after an archive
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Compact(Compact),
    Rebuild(Rebuild),
    Repair(Repair),
}

/// Merge the small files of each table and day
///
/// Nightly ingests leave a file a table, day and run; of each day's they become files of 64 to 256 MB. No row changes and the digest of the content stays; the
/// tables' logs say what was merged. Replaced files stay where they are for whoever began to read them before, in whatever program, and for a look at an older
/// version of a table; a later `archive compact` deletes them. A program that reads folders and no logs sees their rows twice until then.
#[derive(Debug, clap::Args)]
struct Compact {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,

    /// Days for which replaced files stay; 0 deletes them at once: no other program should be reading the archive then
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = compact::RETENTION_DAYS,
        value_parser = clap::value_parser!(u32).range(..=MOST_DAYS)
    )]
    retention: u32,
}

/// A hundred years: more is a mistake.
pub(super) const MOST_DAYS: i64 = 36_500;
const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

/// Derive LabelEvents again from the events
///
/// Its rows are derived when events are ingested. The next ingest derives them again by itself where an older version wrote the archive or derived them in
/// another way; until then queries work them out of the events, which takes longer. No event changes, and the digest of the content stays.
#[derive(Debug, clap::Args)]
struct Rebuild {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
}

/// Make logs, ledger and files agree again
///
/// For an archive that an ingest refuses: after a power cut without sync, a copy that lacks folders, a log that was emptied. A log
/// that cannot be read is made again from the files, the ledger from the commits and the rows of the tables. Rows that are gone are said, and their export
/// counts as not read. LabelEvents is derived again where it lacks rows. Nothing is deleted: what is taken out of use lies in `_aside`. Ends with exit code
/// 10 when something is still wrong.
#[derive(Debug, clap::Args)]
struct Repair {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    match &args.command {
        Command::Compact(args) => compact(args, ui),
        Command::Rebuild(args) => rebuild(args, ui),
        Command::Repair(args) => repair(args, ui),
    }
}

fn rebuild(args: &Rebuild, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open(&args.archive)?;
    let bar = ui.progress();
    let done = derived::rebuild(&archive, now(), &bar);
    bar.done();
    let rows = done?;
    ui.counts(&[("rows", rows)]);
    // The view leaves out what several sources hold of one event.
    let rows = counted(rows, "row");
    answer(&format!(
        "{LABEL_EVENTS}: {rows} stored; the view shows an event of several sources once, and `coldtrail tables` counts it once\n"
    ))?;
    Ok(Exit::Done)
}

fn repair(args: &Repair, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open_damaged(&args.archive)?;
    let bar = ui.progress();
    let done = repair::repair(&archive, now(), &bar);
    bar.done();
    let done = done?;
    ui.counts(&[("repairs", done.told.len() as u64)]);
    let lines: String = done
        .told
        .iter()
        .map(|l| format!("{}\n", visible(l)))
        .collect();
    match done.told.is_empty() {
        true => ui.say("nothing to repair"),
        false => answer(&lines)?,
    }
    Ok(match done.whole {
        true => Exit::Done,
        false => Exit::Incomplete,
    })
}

/// Merges small files, and deletes those that were replaced so many days ago.
pub(super) fn merge(archive: &Archive, days: u32, ui: &Ui) -> Result<compact::Outcome> {
    let bar = ui.progress();
    let retention = i64::from(days) * DAY_MICROS;
    let done = compact::compact(archive, now(), retention, &bar);
    bar.done();
    done
}

fn compact(args: &Compact, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open(&args.archive)?;
    let done = merge(&archive, args.retention, ui)?;
    let files = || done.merged.iter().map(|c| c.files);
    ui.counts(&[
        ("files_merged", files().map(|(from, _)| from as u64).sum()),
        ("files_written", files().map(|(_, into)| into as u64).sum()),
        ("files_deleted", done.deleted),
    ]);
    if done.deleted > 0 {
        let files = counted(done.deleted, "file");
        ui.say(&format!("deleted {files} that had been replaced"));
    }
    if done.merged.is_empty() {
        ui.say("nothing to merge");
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = done
        .merged
        .iter()
        .map(|c| {
            vec![
                c.table.to_string(),
                count(c.files.0 as u64),
                count(c.files.1 as u64),
                bytes_text(c.bytes.0),
                bytes_text(c.bytes.1),
            ]
        })
        .collect();
    let header = ["table", "files before", "after", "bytes before", "after"];
    answer(&table(&header, &rows, &[1, 2, 3, 4]))?;
    Ok(Exit::Done)
}
