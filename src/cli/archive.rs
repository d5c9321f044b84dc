use std::path::PathBuf;

use super::ui::{Ui, answer, bytes_text, count, table};
use super::{Exit, now};
use crate::archive::{Archive, compact};
use crate::error::Result;

/// Look after an archive
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Compact(Compact),
}

/// Merge the small files of each table and day, and delete those that were merged
///
/// Nightly ingests leave a file a table, day and run. No row changes; the tables' logs say what was merged. Not while a query of
/// another program reads the archive: the files that it began to read would be gone.
#[derive(Debug, clap::Args)]
struct Compact {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    let Command::Compact(args) = &args.command;
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
