//! `report --label-changes`: labels that were lowered or removed, for the tenant or for each manager.

use std::collections::BTreeSet;
use std::path::Path;

use super::asked::{Args, Format, put, put_with};
use crate::archive::Archive;
use crate::case::figures::picture::Lowered;
use crate::case::{Case, LOWERED as ACTIONS, LabelChange, MANAGERS, by_manager, figures};
use crate::cli::exit::Exit;
use crate::cli::global::Global;
use crate::cli::notify::{Subject, Wanted};
use crate::cli::raised::refuse_existing;
use crate::cli::remarks::{outside, tell_slow};
use crate::cli::ui::{self, Ui, counted};
use crate::cli::waiting::Waiting;
use crate::engine::{Session, Source};
use crate::fault::{Error, Result, did_you_mean};
use crate::hunt::Window;
use crate::notify::lowered::{self, KIND};
use crate::notify::plain::{Hidden, Plain};
use crate::notify::sent::Sent;
use crate::notify::template::{LOWERED, LOWERED_BY_ALL, Templates};
use crate::report::{Changes, Reader};

/// Name of the file of changes by people whose manager nobody knows.
const UNMANAGED: &str = "without-manager";

pub(super) fn run(args: &Args, format: Format, global: &Global, ui: &Ui) -> Result<Exit> {
    if matches!(format, Format::Markdown | Format::Json) {
        return Err(Error::Usage(
            "--label-changes: one of html, csv, xlsx, mail".into(),
        ));
    }
    if format == Format::Mail {
        return mail(args, global, ui);
    }
    // Only mails have clothes here.
    args.brand(format)?;
    if !args.mail_to.is_empty() {
        return Err(Error::Usage(
            "--mail-to: only -f mail is sent to somebody".into(),
        ));
    }
    if args.by_manager && args.output.is_none() {
        return Err(Error::Usage(
            "--by-manager: name a folder for the documents with -o".into(),
        ));
    }
    if let Some(path) = &args.output {
        refuse_existing(path, args.clobber)?;
    } else if format == Format::Xlsx && ui::columns().is_some() {
        return Err(Error::Usage(
            "a workbook is not for a terminal: name a file with -o".into(),
        ));
    }
    let archive = Archive::open_to_ask(&args.archive)?;
    tell_slow(&archive, ui);
    let waiting = Waiting::begin(ui, "collecting changes of labels");
    let found = changes(args, &archive, global)?;
    drop(waiting);
    let (changes, untimed) = (&found.changes, found.untimed);
    tell_untimed(untimed, ui);
    ui.counts(&[("changes", changes.len() as u64)]);
    match (&args.output, args.by_manager) {
        (Some(folder), true) => for_managers(args, format, folder, changes, (global, ui))?,
        (file, _) => {
            let rows = changes
                .iter()
                .map(|change| figures::lowered(change, args.tz));
            let of_all = Changes {
                rows: rows.collect(),
                reader: Reader::Team,
                untimed,
            };
            write(args, format, file.as_deref(), &of_all, global)?;
        }
    }
    ui.say(&counted(changes.len() as u64, "change"));
    tell_absence(&found, args, &archive, ui)?;
    Ok(Exit::Done)
}

/// What was found of the users that are asked for.
struct Found {
    /// Their changes, by time.
    changes: Vec<LabelChange>,
    /// How many more have no time.
    untimed: u64,
    /// Who made changes in this time, where users are asked for.
    people: BTreeSet<String>,
}

/// Says why there are no changes.
fn tell_absence(found: &Found, args: &Args, archive: &Archive, ui: &Ui) -> Result<()> {
    if !found.changes.is_empty() || found.untimed > 0 {
        return Ok(());
    }
    if let Some(reason) = outside(&archive.ledger()?, &args.hunting.window) {
        ui.say(&reason);
        return Ok(());
    }
    if found.people.is_empty() {
        let window = args.hunting.window.range();
        ui.say(match window.from.is_some() || window.to.is_some() {
            true => "no label was lowered or removed in the time asked for",
            false => "no label was lowered or removed",
        });
        return Ok(());
    }
    ui.say("those who lowered or removed a label are others than --user names");
    let people: Vec<String> = found.people.iter().cloned().collect();
    let near = args.users.iter().find_map(|user| {
        let part = user.trim().trim_matches('*').to_lowercase();
        let longer = people.iter().find(|person| person.contains(&part));
        match longer {
            Some(person) => Some(format!("did you mean `{person}`?")),
            None => did_you_mean(&part, &people),
        }
    });
    ui.hint(&near.unwrap_or_else(|| "a user is named by the address, as the log has it".into()));
    Ok(())
}

/// The changes of the users that are asked for.
fn changes(args: &Args, archive: &Archive, global: &Global) -> Result<Found> {
    let window = &args.hunting.window;
    let mut options = global.engine(None)?;
    options.now = Some(window.now());
    options.seen = window.seen();
    let session = Session::open(Source::Archive(archive), &options)?;
    let ledger = archive.ledger()?;
    let window = Window {
        from: window.from(),
        to: window.to(),
    };
    let case = Case::of(&session, &ledger);
    let mut changes = case.label_changes(window, &ACTIONS)?;
    let users = args.users.iter().map(|user| user.trim().to_lowercase());
    let users: Vec<String> = users.collect();
    let is_asked = |user: &str| users.is_empty() || users.contains(&user.to_lowercase());
    let people = match users.is_empty() {
        true => BTreeSet::new(),
        false => changes.iter().map(|one| one.change.user.clone()).collect(),
    };
    changes.retain(|change| is_asked(&change.change.user));
    Ok(Found {
        changes,
        untimed: case.untimed_changes(&users)?,
        people,
    })
}

/// Says how many changes no list by time can have.
fn tell_untimed(untimed: u64, ui: &Ui) {
    if untimed > 0 {
        let changes = counted(untimed, "change");
        ui.warn(&format!(
            "{changes} without a time left out: `coldtrail gaps` names their files"
        ));
    }
}

fn write(
    args: &Args,
    format: Format,
    file: Option<&Path>,
    changes: &Changes,
    global: &Global,
) -> Result<()> {
    match format {
        Format::Html => put(file, &changes.html(&args.heading())?),
        Format::Xlsx => {
            let temp = global.engine(None)?.temp;
            put_with(file, |out, place| {
                let written = changes.workbook(out, temp.as_deref());
                written.map_err(Error::io("write", place))
            })
        }
        _ => put(file, &changes.csv()),
    }
}

/// A document for each manager, and one for the security team of those whose manager nobody knows.
fn for_managers(
    args: &Args,
    format: Format,
    folder: &Path,
    changes: &[LabelChange],
    (global, ui): (&Global, &Ui),
) -> Result<()> {
    let hidden = Hidden::of(changes.iter().map(|change| &change.trace));
    let extension = match format {
        Format::Html => "html",
        Format::Xlsx => "xlsx",
        _ => "csv",
    };
    let mut documents = Vec::new();
    for (manager, changes) in by_manager(changes) {
        let rows = changes
            .iter()
            .map(|change| figures::lowered(change, args.tz));
        let (name, changes) = match manager {
            Some(manager) => (
                plain_name(manager),
                Changes {
                    rows: rows.map(|row| withheld(row, &hidden)).collect(),
                    reader: Reader::Manager(manager.to_string()),
                    untimed: 0,
                },
            ),
            None => (
                UNMANAGED.to_string(),
                Changes {
                    rows: rows.collect(),
                    reader: Reader::Team,
                    untimed: 0,
                },
            ),
        };
        let path = folder.join(format!("label-changes-{name}.{extension}"));
        refuse_existing(&path, args.clobber)?;
        documents.push((path, changes));
    }
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    for (path, changes) in &documents {
        write(args, format, Some(path), changes, global)?;
    }
    ui.say(&format!(
        "{} written",
        counted(documents.len() as u64, "document")
    ));
    let unmanaged = documents
        .iter()
        .find(|(_, changes)| changes.reader == Reader::Team);
    if let Some((path, changes)) = unmanaged {
        ui.warn(&format!(
            "{} by people whose manager the watchlist `{MANAGERS}` does not name: `{}`",
            counted(changes.rows.len() as u64, "change"),
            path.display()
        ));
    }
    Ok(())
}

/// A change as a manager may learn it.
fn withheld(row: Lowered, hidden: &Hidden) -> Lowered {
    let plain = |text: &str| Plain::of(text, hidden).as_str().to_string();
    Lowered {
        user: plain(&row.user),
        file: row.file.as_deref().map(plain),
        old: row.old.as_deref().map(plain),
        new: row.new.as_deref().map(plain),
        justification: row.justification.as_deref().map(plain),
        application: None,
        device: None,
        address: None,
        ..row
    }
}

/// A manager as the name of a file.
fn plain_name(manager: &str) -> String {
    /// File systems take 255 bytes.
    const LONGEST: usize = 150;
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '@' | '.' | '-' => c,
        _ => '_',
    };
    manager.chars().take(LONGEST).map(plain).collect()
}

/// The changes as mails: to those who are named all, else to each manager those of the own people.
fn mail(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if let Some(path) = &args.output {
        return Err(Error::Usage(format!(
            "-o {}: mails go into the folder of --outbox, or to --smtp",
            path.display()
        )));
    }
    args.sending.check()?;
    let built_in = match args.mail_to.is_empty() {
        true => LOWERED,
        false => LOWERED_BY_ALL,
    };
    let templates = Templates::load(built_in, args.sending.template(), &lowered::examples())?;
    let archive = args.sending.open(&args.archive)?;
    tell_slow(&archive, ui);
    let found = changes(args, &archive, global)?;
    let changes = &found.changes;
    tell_untimed(found.untimed, ui);
    tell_absence(&found, args, &archive, ui)?;
    let subject = Subject {
        name: KIND,
        of: "change",
        templates,
    };
    let mut unmanaged = 0;
    let plan = |sent: &Sent| {
        let mut wanted = Wanted {
            notices: Vec::new(),
            told: 0,
            unaddressed: 0,
        };
        let mut add = |changes: &[LabelChange]| {
            let plan = lowered::plan(changes, sent, args.tz);
            wanted.unaddressed += plan.unmanaged.values().sum::<usize>();
            wanted.notices.extend(plan.notices);
            wanted.told += plan.told;
        };
        match args.mail_to.as_slice() {
            [] => add(changes),
            readers => {
                for reader in readers {
                    add(&told_to(changes, reader));
                }
            }
        }
        unmanaged = wanted.unaddressed;
        wanted
    };
    let window = &args.hunting.window;
    let moment = (window.now(), window.at());
    let exit = args.sending.send(&archive, &subject, plan, moment, ui)?;
    if unmanaged > 0 {
        let changes = counted(unmanaged as u64, "change");
        ui.warn(&format!("{changes} by people whose manager the watchlist `{MANAGERS}` does not name: nobody is told of them"));
    }
    Ok(exit)
}

/// The changes as if all people reported to this reader.
fn told_to(changes: &[LabelChange], reader: &str) -> Vec<LabelChange> {
    let mut all = changes.to_vec();
    for change in &mut all {
        change.change.manager = Some(reader.trim().to_lowercase());
    }
    all
}
