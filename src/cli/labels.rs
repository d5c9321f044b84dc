use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::{into_file, text_into_file};
use super::exit::Exit;
use super::global::{Global, Patience};
use super::ui::{self, Ui, answer, count, counted, table};
use super::waiting::Waiting;
use super::when::{Window, now};
use super::zone::zone;
use crate::archive::Archive;
use crate::convert::{self, MadeList};
use crate::engine::output::{csv, harmless, in_zone, json_text, markdown, visible};
use crate::engine::{Session, Source};
use crate::fault::{Error, Result};
use crate::ingest::watchlist;
use crate::labels::event::Happened;
use crate::labels::history::{self, Told};
use crate::labels::list::{Changes, FILE, List as Labels, Missing};
use crate::labels::seen::{NamedBy, Seen, seen};

/// Names and ranks of sensitivity labels, and what happened to those of a document
///
/// Records hold the ids of labels and seldom their names. The watchlist Labels of the archive says what they are called, which is more sensitive, and which
/// is below which; LabelEvents, rules and documents have names and ranks from it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(Import),
    List(List),
    Export(Export),
    History(History),
}

/// Take names and ranks of labels from a file
///
/// The output of `Get-Label` as Format-List, Export-Csv, ConvertTo-Json or Export-Clixml wrote it; the sensitivityLabels of Microsoft Graph as JSON, with
/// labels below labels; or a list as `labels export` writes it. What a file is, its content says, in whatever encoding. Its ids, names, ranks and parents go
/// into the watchlist Labels, all or none, and what changes is said; the ledger keeps the hashes of the file and of the list before. Labels that the file
/// lacks stay, since old events name them, and so does what the file does not say of a label.
#[derive(Debug, clap::Args)]
struct Import {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// The file with the labels
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Drop labels that the file lacks
    #[arg(long)]
    replace: bool,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// List labels with their names, ranks and how often events name them
///
/// Those of the list, and those that events name: `named by` says whether the name is from the list, from records, or assumed. Microsoft makes labels of fixed
/// ids in a new tenant, which may have renamed them: their names are assumed until somebody says them. Labels without a name come last.
#[derive(Debug, clap::Args)]
struct List {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// table, csv or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "csv", "json"])]
    format: String,
    #[command(flatten)]
    window: Window,
}

/// Write the list of labels as a watchlist
///
/// As CSV with the columns Id, Name, Rank and Parent, and what else the list has. `labels import` takes it, and so does a folder `watchlists` among exports.
#[derive(Debug, clap::Args)]
struct Export {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    clobber: bool,
}

/// Show what happened to the labels of a document, or by a user, in the order of time
///
/// A document is named by its name, its path or its address, a user by the address; case does not count. A document is followed through its renamings.
/// `*` stands for any text; documents that are named so are not followed.
#[derive(Debug, clap::Args)]
struct History {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// The document or the user
    #[arg(value_name = "FILE|USER", value_parser = NonEmptyStringValueParser::new())]
    subject: String,
    /// text, csv, json or markdown
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "csv", "json", "markdown"])]
    format: String,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    clobber: bool,
    /// Show times in a zone, with the offset: a name such as Europe/Berlin, or `local`; in UTC when not given
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<Tz>,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    match &args.command {
        Command::Import(args) => import(args, ui),
        Command::List(args) => list(args, global, ui),
        Command::Export(args) => export(args, ui),
        Command::History(args) => history(args, global, ui),
    }
}

fn import(args: &Import, ui: &Ui) -> Result<Exit> {
    let unusable = |reason: String| Error::Unusable {
        path: args.file.clone(),
        reason,
    };
    std::fs::metadata(&args.file).map_err(Error::io("open", &args.file))?;
    let content = watchlist::read(&args.file).map_err(unusable)?;
    let newer = Labels::parse(&content).map_err(unusable)?;
    if let Some(conflict) = newer.conflicts().first() {
        return Err(unusable(conflict.clone()));
    }
    if newer.labels().is_empty() {
        return Err(unusable("it has no labels".into()));
    }
    let archive = match args.dry_run {
        true => Archive::open_to_ask(&args.archive)?,
        false => Archive::open(&args.archive)?,
    };
    let name = args.file.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let form = newer.form().name();
    let hash = hex::encode(Sha256::digest(&content));
    let origin = format!("`{name}` ({form}, SHA-256 {hash})");
    let mut changes = Changes::default();
    let make = |own: Option<&[u8]>| -> Result<Option<MadeList>> {
        let old = own.map_or_else(|| Ok(Labels::default()), |own| of_archive(args, own, ui))?;
        let (merged, found) = old.changed(&newer, args.missing());
        changes = found;
        if changes.is_empty() && own.is_some() {
            return Ok(None);
        }
        Ok(Some(MadeList {
            content: merged.csv(),
            rows: merged.labels().len() as u64,
            origin,
        }))
    };
    let changed = match args.dry_run {
        true => make(convert::list_of(&archive, FILE)?.as_deref())?.is_some(),
        false => {
            let bar = ui.progress();
            let done = convert::change_list(&archive, FILE, now(), &bar, make);
            bar.done();
            done?
        }
    };
    let all = (
        "labels",
        newer.labels().len(),
        format!("in {name} ({form})"),
    );
    let lines = std::iter::once(all).chain(changes.lines());
    let lines = lines.map(|(word, many, which)| format!("{word:<13} {many:>5}  {which}"));
    let text: String = lines.map(|line| visible(&line) + "\n").collect();
    answer(&text)?;
    ui.counts(&[("labels", newer.labels().len() as u64)]);
    tell_import(args, &newer, &changes, changed, ui);
    Ok(Exit::Done)
}

impl Import {
    fn missing(&self) -> Missing {
        match self.replace {
            true => Missing::Go,
            false => Missing::Stay,
        }
    }
}

/// The archive's own list. One that nobody can read is replaced where that was asked for.
fn of_archive(args: &Import, content: &[u8], ui: &Ui) -> Result<Labels> {
    match Labels::parse(content) {
        Ok(list) => Ok(list),
        Err(reason) if args.replace => {
            ui.warn(&format!(
                "the archive's list cannot be read and is replaced: {reason}"
            ));
            Ok(Labels::default())
        }
        Err(reason) => Err(Error::Unusable {
            path: args.archive.join("watchlists").join(FILE),
            reason,
        }),
    }
}

/// Says how the file was read, and what the changes mean.
fn tell_import(args: &Import, newer: &Labels, changes: &Changes, changed: bool, ui: &Ui) {
    for remark in newer.remarks() {
        ui.say(&visible(remark));
    }
    if changes.is_order_doubtful() {
        ui.warn(&format!(
            "ranks have changed, and {} that the file lacks: their ranks may no longer fit; --replace drops them",
            match changes.kept.len() {
                1 => "1 label stays".to_string(),
                several => format!("{several} labels stay"),
            }
        ));
    }
    ui.say(match (changed, args.dry_run) {
        (false, _) => "the archive has all of this already",
        (true, true) => "nothing was written",
        (true, false) => "the watchlist Labels of the archive is this list now",
    });
}

/// The archive's list; one without labels where it has none.
fn own(archive: &Archive) -> Result<Option<Labels>> {
    let Some(content) = convert::list_of(archive, FILE)? else {
        return Ok(None);
    };
    let list = Labels::parse(&content).map_err(|reason| Error::Unusable {
        path: archive.root().join("watchlists").join(FILE),
        reason,
    })?;
    Ok(Some(list))
}

fn list(args: &List, global: &Global, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open_to_ask(&args.archive)?;
    let own = own(&archive)?.unwrap_or_default();
    let options = global.engine(Some(&args.window))?;
    let session = Session::open(Source::Archive(&archive), &options)?;
    let waiting = Waiting::begin(ui, "counting labels");
    let all = seen(&session, &own)?;
    drop(waiting);
    ui.counts(&[("labels", all.len() as u64)]);
    let text = match args.format.as_str() {
        "json" => harmless(&format!("{:#}\n", json!(all))),
        "csv" => listed_csv(&all, ui::columns().is_some()),
        _ => listed(&all),
    };
    answer(&text)?;
    let of = |by: NamedBy| all.iter().filter(|seen| seen.named_by == by).count() as u64;
    let assumed = of(NamedBy::Assumed);
    if assumed > 0 {
        ui.say(&format!(
            "{} assumed: Microsoft makes labels of these ids, and the tenant may have renamed them",
            match assumed {
                1 => "1 name is".to_string(),
                several => format!("{several} names are"),
            }
        ));
    }
    let nameless = of(NamedBy::Nobody);
    if nameless > 0 {
        ui.hint(&format!(
            "{} without a name: `coldtrail labels import` takes what Get-Label or Microsoft Graph says of labels",
            counted(nameless, "label")
        ));
    }
    Ok(Exit::Done)
}

/// Columns of the list, and which of them are numbers.
const LISTED: [&str; 9] = [
    "rank",
    "label",
    "id",
    "named by",
    "events",
    "put on",
    "taken off",
    "first",
    "last",
];
const NUMBERS: [usize; 4] = [0, 4, 5, 6];

fn cells(seen: &Seen, number: impl Fn(u64) -> String) -> [String; 9] {
    [
        seen.rank.map_or_else(String::new, |rank| rank.to_string()),
        seen.name.clone().unwrap_or_default(),
        seen.id.clone(),
        seen.named_by.word().to_string(),
        number(seen.events),
        number(seen.put_on),
        number(seen.taken_off),
        seen.first.clone().unwrap_or_default(),
        seen.last.clone().unwrap_or_default(),
    ]
}

fn listed(all: &[Seen]) -> String {
    let rows: Vec<Vec<String>> = all.iter().map(|seen| cells(seen, count).into()).collect();
    table(&LISTED, &rows, &NUMBERS)
}

fn listed_csv(all: &[Seen], terminal: bool) -> String {
    let mut text = LISTED.map(|name| name.replace(' ', "_")).join(",") + "\n";
    for seen in all {
        let cells = cells(seen, |number| number.to_string());
        text.push_str(&cells.map(|cell| of_cell(&cell, terminal)).join(","));
        text.push('\n');
    }
    text
}

/// A cell of CSV; for a terminal without what it would obey.
fn of_cell(text: &str, terminal: bool) -> String {
    match terminal {
        true => csv(&visible(text)),
        false => csv(text),
    }
}

fn export(args: &Export, ui: &Ui) -> Result<Exit> {
    refuse_existing(args.output.as_deref(), args.clobber)?;
    let archive = Archive::open_to_ask(&args.archive)?;
    let own = own(&archive)?;
    if own.is_none() {
        ui.warn("the archive has no list of labels: `coldtrail labels import` makes one");
    }
    let list = own.unwrap_or_default();
    let text = String::from_utf8_lossy(&list.csv()).into_owned();
    match &args.output {
        Some(path) => text_into_file(path, &text)?,
        None if ui::columns().is_some() => {
            let lines = text.lines().map(|line| visible(line) + "\n");
            answer(&lines.collect::<String>())?;
        }
        None => answer(&text)?,
    }
    ui.say(&counted(list.labels().len() as u64, "label"));
    Ok(Exit::Done)
}

fn refuse_existing(output: Option<&Path>, clobber: bool) -> Result<()> {
    match output.filter(|path| path.is_file() && !clobber) {
        Some(path) => Err(Error::Exists(path.to_path_buf())),
        None => Ok(()),
    }
}

fn history(args: &History, global: &Global, ui: &Ui) -> Result<Exit> {
    refuse_existing(args.output.as_deref(), args.clobber)?;
    let archive = Archive::open_to_ask(&args.archive)?;
    let mut options = global.engine(Some(&args.window))?;
    options.timeout = args.patience.timeout;
    let session = Session::open(Source::Archive(&archive), &options)?;
    session.begin();
    let told = match &args.output {
        None => {
            let out = BufWriter::new(io::stdout());
            args.write(&session, out, Path::new("standard output"))?
        }
        Some(path) => {
            let mut told = Told::default();
            into_file(path, |out| {
                told = args.write(&session, out, path)?;
                Ok(())
            })?;
            told
        }
    };
    let mut said = vec![counted(told.events, "event")];
    if !told.other_names.is_empty() {
        said.push(format!("also called {}", told.other_names.join(", ")));
    }
    if told.places > 1 {
        said.push(format!(
            "{} places have a document of this name: its path names one",
            count(told.places as u64)
        ));
    }
    ui.say(&visible(&said.join("; ")));
    if told.events == 0 {
        ui.hint(
            "a user is named by the address, a document by its name or its path as the log has it; `*` stands for any text, as in 'plan*'",
        );
    }
    Ok(Exit::Done)
}

/// Columns of a history as CSV.
const TOLD: &str = "time,action,user,file,path,previous_file,old_label,old_label_id,new_label,new_label_id,how,justification,\
                    application,device,site,owner,address,operation,table,event_id,record\n";

impl History {
    fn write(&self, session: &Session, mut out: impl Write, place: &Path) -> Result<Told> {
        let (head, between, tail) = match self.format.as_str() {
            "csv" => (TOLD, "", ""),
            "json" => ("[\n", ",\n", "\n]\n"),
            "markdown" => ("| time | what happened |\n|---|---|\n", "", ""),
            _ => ("", "", ""),
        };
        let mut put = |text: &str| {
            out.write_all(text.as_bytes())
                .map_err(Error::io("write", place))
        };
        put(head)?;
        let terminal = self.output.is_none() && ui::columns().is_some();
        let mut before = "";
        let told = history::history(session, &self.subject, |event| {
            put(before)?;
            before = between;
            put(&self.shown(event, terminal))
        })?;
        put(tail)?;
        out.flush().map_err(Error::io("write", place))?;
        Ok(told)
    }

    /// An event in the format that is asked for.
    fn shown(&self, event: &Happened, terminal: bool) -> String {
        let time = match self.tz {
            Some(zone) => in_zone(&event.time, zone).into_owned(),
            None => event.time.clone(),
        };
        match self.format.as_str() {
            "csv" => of_csv(&time, event, terminal),
            "json" => {
                let mut value = json!(event);
                value["time"] = Value::String(time);
                value["line"] = Value::String(event.line());
                json_text(&value)
            }
            "markdown" => format!("| {} | {} |\n", markdown(&time), markdown(&event.line())),
            _ => {
                let time = match time.as_str() {
                    "" => "(no time)",
                    time => time,
                };
                format!("{}  {}\n", visible(time), visible(&event.line()))
            }
        }
    }
}

fn of_csv(time: &str, event: &Happened, terminal: bool) -> String {
    let cells = [
        time,
        &event.action,
        &event.user,
        &event.file,
        &event.path,
        &event.previous_file,
        &event.old_label.name,
        &event.old_label.id,
        &event.new_label.name,
        &event.new_label.id,
        &event.how,
        &event.justification,
        &event.application,
        &event.device,
        &event.site,
        &event.owner,
        &event.address,
        &event.operation,
        &event.table,
        &event.event_id,
        &event.record,
    ];
    cells.map(|cell| of_cell(cell, terminal)).join(",") + "\n"
}
