use std::path::PathBuf;

use chrono_tz::Tz;

use super::alerts::Keep;
use super::answer::text_into_file;
use super::exit::Exit;
use super::global::Global;
use super::raised::refuse_existing;
use super::report::{Found, heading, put_with};
use super::ui::{self, Ui, answer};
use super::waiting::Waiting;
use super::zone::zone;
use super::{hunt, ingest};
use crate::archive::{Archive, RESULT};
use crate::convert::Choice;
use crate::fault::{Error, Result};
use crate::ingest::input;
use crate::report;
use crate::report::html::html;

/// Ingest, hunt and report in one go
///
/// Leaves in the output folder: archive (ask it with `coldtrail sql`), findings.json, findings.csv and report.html. Files are counted as `ingest` counts
/// them: each that was read, an archive and each of its members, and no watchlists.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files, folders, patterns such as 'exports/**/*.csv', on a disk or in object storage (s3://BUCKET/FOLDER, abfss://…, gs://…), or - for
    /// standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    hunting: hunt::Hunting,
    #[command(flatten)]
    reading: ingest::Reading,
    /// Zone in which findings and report show times, with the offset: a name such as Europe/Berlin, UTC, or `local`. That of --tz when not
    /// given; UTC where neither is
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    show_tz: Option<Tz>,
    /// Replace results that exist
    #[arg(short = 'C', long)]
    clobber: bool,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let mut found = input::find(&args.inputs)?;
    let path = |name: &str| args.output.join(name);
    let results = ["findings.json", "findings.csv", "report.html"].map(path);
    for file in &results {
        refuse_existing(file, args.clobber)?;
    }
    let archive = Archive::create(&path(RESULT))?;
    let mut targets = vec![args.output.as_path(), archive.root()];
    targets.extend(results.iter().map(PathBuf::as_path));
    found.leave_out(&targets);
    let (summary, text) = ingest::read(&archive, &found, &args.reading, Choice::New, ui)?;
    answer(&text)?;
    if !Archive::exists(archive.root()) {
        return Err(Error::Usage(
            "nothing was read: there is nothing to hunt in".into(),
        ));
    }
    let (session, mut hunt) = hunt::sweep(&archive, &args.hunting, None, global, ui)?;
    // Nothing is stored, but what is excluded from a hunt is excluded here.
    let window = &args.hunting.window;
    Keep::default().swept(&archive, &session, &mut hunt, window, ui)?;
    ui.counts(&[("findings", hunt.findings.len() as u64)]);
    // The report is made of another one, and both would hold memory.
    drop(session);
    let zone = args.show_tz.or(args.reading.zone());
    if let Some(zone) = zone {
        hunt.show_in(zone);
    }
    answer(&format!("\n{}", hunt::describe(&hunt, ui::columns())))?;
    text_into_file(&results[0], &report::findings_json(&hunt))?;
    text_into_file(&results[1], &report::findings_csv(&hunt))?;
    let heading = heading(&path(RESULT), window, zone);
    let found = Found {
        archive: &archive,
        hunt: &hunt,
        hunting: &args.hunting,
        users: &[],
        inside: &[],
    };
    let waiting = Waiting::begin(ui, "writing the report");
    let data = found.data(&heading, global)?;
    put_with(Some(&results[2]), |out, place| {
        html(&data, None, out, place)
    })?;
    drop(waiting);
    ui.say(&format!("\narchive: {}", path(RESULT).display()));
    ui.say(&format!("report: {}", results[2].display()));
    Ok(ingest::exit(&summary).and(hunt::exit(&hunt, &args.hunting)))
}
