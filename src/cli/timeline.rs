use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use clap::builder::NonEmptyStringValueParser;

use super::answer::into_file;
use super::exit::Exit;
use super::global::{Global, Patience};
use super::offered::offering;
use super::remarks::outside;
use super::ui::{self, Ui, counted};
use super::waiting::Waiting;
use super::when::Window;
use super::zone::zone;
use crate::archive::Archive;
use crate::archive::ledger::Ledger;
use crate::engine::{Session, Source};
use crate::fault::{Error, Result};
use crate::timeline::{self, Asked, Counts, Format, Names, Records, Spans, Subject, Writer};

/// Write the events of all tables in the order of time
///
/// Each event once, with a line that says who did what, to what and from where. Options of one kind are alternatives, those of several kinds must all
/// be met; `*` stands for any text, and case does not count.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// csv, jsonl, timesketch (JSON lines that its importer takes), bodyfile (for mactime of the Sleuth Kit), xlsx or html. When not given, what the name of
    /// the file says, else csv
    #[arg(short, long, value_name = "FORMAT", value_parser = offering(format, Format::ALL.map(|(name, _)| name)), hide_possible_values = true)]
    format: Option<Format>,
    /// Write to a file; its extension says the format: .csv, .jsonl, .ndjson, .body, .xlsx, .html
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    clobber: bool,
    /// What this person or account did, and what was done to it, with it or in its mailbox: user principal name, object id, display name or another name of
    /// the logs
    #[arg(long = "user", value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    users: Vec<String>,
    /// What was done in a session, by its id
    #[arg(long = "session", value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    sessions: Vec<String>,
    /// What was done with a file, by its name or its path
    #[arg(long = "file", value_name = "FILE", value_parser = NonEmptyStringValueParser::new())]
    files: Vec<String>,
    /// What was done from an address
    #[arg(long = "address", value_name = "ADDRESS", value_parser = NonEmptyStringValueParser::new())]
    addresses: Vec<String>,
    /// What was done with or to an application, by its name or its id
    #[arg(long = "application", value_name = "APPLICATION", value_parser = NonEmptyStringValueParser::new())]
    applications: Vec<String>,
    /// Only the events that findings rest on: a findings.json of `hunt` or `analyze` over this archive
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
    /// Of these findings only one, by its number or by its rule
    #[arg(long = "finding", value_name = "NUMBER", requires = "findings", value_parser = NonEmptyStringValueParser::new())]
    named: Vec<String>,
    /// Show times in a zone, with the offset: a name such as Europe/Berlin, or `local`; in UTC when not given
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<Tz>,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

fn format(text: &str) -> Result<Format, String> {
    let found = Format::ALL.iter().find(|(name, _)| *name == text);
    found.map(|(_, format)| *format).ok_or_else(|| {
        let names: Vec<&str> = Format::ALL.iter().map(|(name, _)| *name).collect();
        format!("one of {}", names.join(", "))
    })
}

/// Extensions, and the formats that files of such names may have. The first is meant where none is given.
const EXTENSIONS: [(&str, &[Format]); 8] = [
    ("csv", &[Format::Csv]),
    ("jsonl", &[Format::Jsonl, Format::Timesketch]),
    ("ndjson", &[Format::Jsonl, Format::Timesketch]),
    ("body", &[Format::Bodyfile]),
    ("bodyfile", &[Format::Bodyfile]),
    ("xlsx", &[Format::Xlsx]),
    ("html", &[Format::Html]),
    ("htm", &[Format::Html]),
];

/// The format that is meant.
fn chosen(given: Option<Format>, output: Option<&Path>) -> Result<Format> {
    let Some(path) = output else {
        return Ok(given.unwrap_or(Format::Csv));
    };
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let said = extension.as_deref().and_then(|extension| {
        let found = EXTENSIONS.iter().find(|(own, _)| *own == extension);
        found.map(|(_, formats)| *formats)
    });
    match (given, said) {
        (Some(given), Some(formats)) if !formats.contains(&given) => Err(Error::Usage(format!(
            "-o {} is the name of another format than -f asks for: which one?",
            path.display()
        ))),
        (Some(given), _) => Ok(given),
        (None, Some([first, ..])) => Ok(*first),
        (None, _) => Err(Error::Usage(format!(
            "-o {}: the name says no format; -f does, or one of .csv, .jsonl, .body, .xlsx, .html",
            path.display()
        ))),
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let format = chosen(args.format, args.output.as_deref())?;
    if format.is_utc() && args.tz.is_some_and(|tz| tz != Tz::UTC) {
        return Err(Error::Usage(
            "--tz: times of this format are in UTC; another format, or no --tz".into(),
        ));
    }
    if let Some(path) = args
        .output
        .as_ref()
        .filter(|path| path.is_file() && !args.clobber)
    {
        return Err(Error::Exists(path.clone()));
    }
    let terminal = args.output.is_none() && ui::columns().is_some();
    if terminal && format == Format::Xlsx {
        return Err(Error::Usage(
            "a workbook is not for a terminal: name a file with -o".into(),
        ));
    }
    let records = args
        .findings
        .as_deref()
        .map(|path| records(path, &args.named))
        .transpose()?;
    let archive = Archive::open_to_ask(&args.archive)?;
    let mut options = global.engine(Some(&args.window))?;
    options.timeout = args.patience.timeout;
    let ledger = archive.ledger()?;
    if let (Some(records), Some(path)) = (&records, &args.findings) {
        of_this_archive(records, &ledger, path)?;
    }
    let names = names(&archive, args, global)?;
    let mut session = Session::open(Source::Archive(&archive), &options)?;
    session.begin();
    if let Some(records) = &records {
        records.add_to(&mut session)?;
    }
    let asked = Asked {
        subject: &args.subject(),
        records: records.as_ref(),
        spans: &Spans::of(&archive.pinned()?, args.window.range(), options.memory)?,
        ledger: &ledger,
        names: &names,
    };
    let how = How {
        format,
        zone: args.tz,
        terminal,
        temp: options.temp.as_deref(),
    };
    // On a terminal the timeline itself is what is seen, and a pipe may lead to one.
    let file = args.output.as_ref();
    let waiting = file.map(|_| Waiting::begin(ui, "writing the timeline"));
    let counts = match file {
        None => write(
            &mut session,
            &asked,
            &how,
            BufWriter::new(io::stdout()),
            Path::new("standard output"),
        )?,
        Some(path) => {
            let mut counts = Counts::default();
            into_file(path, |out| {
                counts = write(&mut session, &asked, &how, out, path)?;
                Ok(())
            })?;
            counts
        }
    };
    drop(waiting);
    tell(&counts, records.as_ref(), ui);
    if counts == Counts::default() {
        tell_absence(args, &mut session, &asked, ui);
    }
    Ok(Exit::Done)
}

/// Says why there are no events.
fn tell_absence(args: &Args, session: &mut Session, asked: &Asked<'_>, ui: &Ui) {
    if let Some(reason) = outside(asked.ledger, &args.window) {
        ui.say(&reason);
        return;
    }
    if *asked.subject == Subject::default() {
        return;
    }
    let range = args.window.range();
    ui.say(match range.from.is_some() || range.to.is_some() {
        true => "no event of the time asked for is about what the options name",
        false => "no event is about what the options name",
    });
    let Some(wider) = asked.subject.wider() else {
        return;
    };
    let wide = Asked {
        subject: &wider,
        ..*asked
    };
    // What cannot be found out is no hint.
    let found = timeline::tell(session, &wide, |_| Ok(())).unwrap_or_default();
    ui.hint(&match found.events {
        0 => "names are written whole, as the log has them; `*` stands for any text, as in --user 'ann*'"
            .to_string(),
        many => format!(
            "did you mean {}? That finds {}",
            options(&wider),
            counted(many, "event")
        ),
    });
}

/// A subject as it is asked for.
fn options(subject: &Subject) -> String {
    let kinds = [
        ("--user", &subject.users),
        ("--session", &subject.sessions),
        ("--file", &subject.files),
        ("--address", &subject.addresses),
        ("--application", &subject.applications),
    ];
    let options = kinds.into_iter().flat_map(|(option, values)| {
        let values = values.iter();
        values.map(move |value| format!("{option} '{value}'"))
    });
    options.collect::<Vec<String>>().join(" ")
}

/// Refuses findings of another archive.
fn of_this_archive(records: &Records, ledger: &Ledger, path: &Path) -> Result<()> {
    records.foreign(ledger).map_or(Ok(()), |file| {
        Err(Error::Unusable {
            path: path.to_path_buf(),
            reason: format!(
                "findings of another archive: this one has no `{file}` under that number"
            ),
        })
    })
}

/// Names, of all times that can be seen.
fn names(archive: &Archive, args: &Args, global: &Global) -> Result<Names> {
    let mut options = global.engine(None)?;
    options.seen = args.window.seen();
    options.timeout = args.patience.timeout;
    Names::of(&Session::open(Source::Archive(archive), &options)?)
}

impl Args {
    fn subject(&self) -> Subject {
        Subject {
            users: self.users.clone(),
            sessions: self.sessions.clone(),
            files: self.files.clone(),
            addresses: self.addresses.clone(),
            applications: self.applications.clone(),
        }
    }
}

/// The records that findings of a file rest on.
fn records(path: &Path, named: &[String]) -> Result<Records> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    timeline::records_of(&text, named).map_err(|reason| Error::Unusable {
        path: path.to_path_buf(),
        reason,
    })
}

/// How a timeline is written.
struct How<'a> {
    format: Format,
    zone: Option<Tz>,
    terminal: bool,
    temp: Option<&'a Path>,
}

fn write(
    session: &mut Session,
    asked: &Asked<'_>,
    how: &How<'_>,
    out: impl Write + Send,
    place: &Path,
) -> Result<Counts> {
    let mut writer = Writer::new(how.format, how.zone, how.terminal, (out, place), how.temp)?;
    let counts = timeline::run(session, asked, &mut writer)?;
    writer.finish()?;
    Ok(counts)
}

/// Says how many events there are, and what is not among them.
fn tell(counts: &Counts, records: Option<&Records>, ui: &Ui) {
    ui.counts(&[("events", counts.events), ("untimed", counts.untimed)]);
    let mut parts = vec![counted(counts.events, "event")];
    if counts.untimed > 0 {
        parts.push(format!(
            "{} without a time left out",
            counted(counts.untimed, "event")
        ));
    }
    ui.say(&parts.join("; "));
    if let Some(records) = records.filter(|records| records.unknown > 0) {
        ui.warn(&format!(
            "{} of {} not know which records they rest on",
            records.unknown,
            match records.findings {
                1 => "1 finding does".to_string(),
                several => format!("{several} findings do"),
            }
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_says_the_format_and_must_not_say_another() {
        let of = |given, name: &str| chosen(given, Some(Path::new(name)));
        assert_eq!(of(None, "a.XLSX").expect("a format"), Format::Xlsx);
        assert_eq!(
            of(Some(Format::Timesketch), "a.jsonl").expect("a format"),
            Format::Timesketch
        );
        assert_eq!(
            of(Some(Format::Bodyfile), "a.txt").expect("a format"),
            Format::Bodyfile
        );
        assert_eq!(chosen(None, None).expect("a format"), Format::Csv);
        assert!(of(Some(Format::Csv), "a.html").is_err());
        assert!(of(None, "a").is_err());
    }
}
