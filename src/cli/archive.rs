use std::path::PathBuf;

use super::exit::Exit;
use super::ui::{Ui, answer, bytes_text, count, table};
use super::when::now;
use crate::archive::{Archive, compact, repair};
use crate::engine::output::visible;
use crate::fault::Result;

/// Look after an archive
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Compact(Compact),
    Repair(Repair),
}

/// Merge the small files of each table and day
///
/// Nightly ingests leave a file a table, day and run. No row changes and the digest of the content stays; the tables' logs say what was merged. What was
/// merged lies in `_retired` for a day, for queries that began before. Not while another program reads the archive: it would miss the files that it began to read.
#[derive(Debug, clap::Args)]
struct Compact {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
}

/// Make logs, ledger and files agree again
///
/// For an archive that an ingest refuses: after a power cut without sync, a copy that lacks folders, a log that was emptied. A log
/// that cannot be read is made again from the files, the ledger from the commits and the rows of the tables. Rows that are gone are said, and their export
/// counts as not read. Nothing is deleted: what is taken out of use lies in `_aside`. Ends with exit code 10 when something is still wrong.
#[derive(Debug, clap::Args)]
struct Repair {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    match &args.command {
        Command::Compact(args) => compact(args, ui),
        Command::Repair(args) => repair(args, ui),
    }
}

fn repair(args: &Repair, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open_damaged(&args.archive)?;
    let bar = ui.progress();
    let done = repair::repair(&archive, now(), &bar);
    bar.done();
    let done = done?;
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

fn compact(args: &Compact, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open(&args.archive)?;
    let bar = ui.progress();
    let done = compact::compact(&archive, now(), &bar);
    bar.done();
    let done = done?;
    if done.is_empty() {
        ui.say("nothing to merge");
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = done
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
