//! What a report is asked for, and where it goes.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use clap::builder::NonEmptyStringValueParser;

use crate::cli::answer::{into_file, text_into_file};
use crate::cli::hunt::Hunting;
use crate::cli::notify::Sending;
use crate::cli::offered::offering;
use crate::cli::ui::answer;
use crate::cli::when::Window;
use crate::cli::zone::zone;
use crate::fault::{Error, Result};
use crate::report::Heading;
use crate::report::brand::Brand;

/// Write what an archive shows as one document
///
/// Hunts, counts, and writes findings, label actions, denials, a timeline, people and what was read: as one HTML file that opens offline, as text, or as
/// data. `analyze` writes the same report. With --label-changes only the labels that were lowered or removed.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    pub(super) archive: PathBuf,
    #[command(flatten)]
    pub(super) hunting: Hunting,
    /// html, markdown, json, xlsx, csv (the findings; into a folder with each figure in a file of its own), or mail with --label-changes. When not given,
    /// what the name of the file says, else markdown
    #[arg(short, long, value_name = "FORMAT", value_parser = offering(format, ["html", "markdown", "json", "xlsx", "csv", "mail"]), hide_possible_values = true)]
    format: Option<Format>,
    /// Write to a file; its extension says the format: .html, .md, .json, .xlsx, .csv. With csv, and with --by-manager, a folder
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    pub(super) clobber: bool,
    /// Only what this user did or was found about: user principal name. May be given several times
    #[arg(long = "user", value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    pub(super) users: Vec<String>,
    /// A domain whose users count as inside, where access was denied. When not given, those of owners of protected documents and of people who set
    /// labels. May be given several times
    #[arg(long, value_name = "DOMAIN", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) inside: Vec<String>,
    /// Show times in a zone, with the offset: a name such as Europe/Berlin, or `local`; in UTC when not given
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub(in crate::cli) tz: Option<Tz>,
    /// Only the labels that were lowered or removed: html, csv, xlsx or mail
    #[arg(long)]
    pub(super) label_changes: bool,
    /// A document for each manager, by the watchlist Managers; without addresses and devices
    #[arg(long, requires = "label_changes")]
    pub(super) by_manager: bool,
    /// With -f mail: to whom the changes of all people go. To each manager those of the own people when not given. May be given several times
    #[arg(long, value_name = "ADDRESS", requires = "label_changes")]
    pub(super) mail_to: Vec<String>,
    #[command(flatten)]
    pub(super) sending: Sending,
}

/// A format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Html,
    Markdown,
    Json,
    Xlsx,
    Csv,
    Mail,
}

/// Formats, with their names and the extensions of their files.
const FORMATS: [(&str, Format); 8] = [
    ("html", Format::Html),
    ("markdown", Format::Markdown),
    ("md", Format::Markdown),
    ("json", Format::Json),
    ("xlsx", Format::Xlsx),
    ("csv", Format::Csv),
    ("mail", Format::Mail),
    ("htm", Format::Html),
];

fn format(text: &str) -> std::result::Result<Format, String> {
    let found = FORMATS.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, format)| *format)
        .ok_or_else(|| "one of html, markdown, json, xlsx, csv, mail".into())
}

impl Args {
    /// The report of an archive as a file, which may be there.
    pub(in crate::cli) fn into_file(
        archive: PathBuf,
        hunting: Hunting,
        output: PathBuf,
        sending: Sending,
    ) -> Args {
        Args {
            archive,
            hunting,
            format: None,
            output: Some(output),
            clobber: true,
            users: Vec::new(),
            inside: Vec::new(),
            tz: None,
            label_changes: false,
            by_manager: false,
            mail_to: Vec::new(),
            sending,
        }
    }

    /// The format that is meant.
    pub(super) fn format(&self) -> Result<Format> {
        let Some(path) = &self.output else {
            return Ok(self.format.unwrap_or(match self.label_changes {
                true => Format::Csv,
                false => Format::Markdown,
            }));
        };
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let said = extension.as_deref().and_then(|e| format(e).ok());
        match (self.format, said) {
            (Some(given), Some(said)) if given != said => Err(Error::Usage(format!(
                "-o {} is the name of another format than -f asks for: which one?",
                path.display()
            ))),
            (Some(given), _) => Ok(given),
            (None, Some(said)) => Ok(said),
            (None, None) => Err(Error::Usage(format!(
                "-o {}: the name says no format; -f does, or one of .html, .md, .json, .xlsx, .csv",
                path.display()
            ))),
        }
    }

    /// The clothes of the page, which the folder of --template has.
    pub(super) fn brand(&self, format: Format) -> Result<Option<Brand>> {
        match (self.sending.template(), format) {
            (None, _) => Ok(None),
            (Some(folder), Format::Html) if !self.label_changes => Brand::read(folder).map(Some),
            (Some(_), _) => Err(Error::Usage(
                "--template: the HTML report has one, and mails have; nothing else does".into(),
            )),
        }
    }

    pub(super) fn heading(&self) -> Heading {
        heading(&self.archive, &self.hunting.window, self.tz)
    }
}

/// What a report of an archive says of itself.
pub(in crate::cli) fn heading(archive: &Path, window: &Window, zone: Option<Tz>) -> Heading {
    Heading {
        archive: archive.display().to_string(),
        now: window.now(),
        from: window.from(),
        to: window.to(),
        zone,
    }
}

/// Writes a text into a file or to standard output.
pub(super) fn put(file: Option<&Path>, text: &str) -> Result<()> {
    match file {
        Some(path) => text_into_file(path, text),
        None => answer(text),
    }
}

/// Writes into a file or to standard output; what is written to is told for messages.
pub(in crate::cli) fn put_with(
    file: Option<&Path>,
    write: impl FnOnce(&mut (dyn Write + Send), &Path) -> Result<()>,
) -> Result<()> {
    match file {
        Some(path) => into_file(path, |mut out| {
            write(&mut out, path)?;
            out.flush().map_err(Error::io("write", path))
        }),
        None => {
            let place = Path::new("standard output");
            let mut out = BufWriter::new(io::stdout());
            write(&mut out, place)?;
            out.flush().map_err(Error::io("write", place))
        }
    }
}
