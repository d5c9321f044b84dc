use std::collections::BTreeSet;
use std::path::Path;

use super::alerts::Keep;
use super::answer::text_into_file;
use super::exit::Exit;
use super::global::Global;
use super::hunt::{self, Hunting};
use super::raised::refuse_existing;
use super::ui::{self, Ui};
use super::waiting::Waiting;
use crate::archive::Archive;
use crate::archive::ledger::Ledger;
use crate::case::iso;
use crate::engine::{Session, Source};
use crate::fault::{Error, Result};
use crate::hunt::Hunt;
use crate::report::data::{Moment, Report};
use crate::report::html::html;
use crate::report::{self, Heading, Sources};
use crate::timeline::{self, Names, Records, Spans, Subject};

mod asked;
mod lowered;

pub(super) use asked::{Args, heading, put_with};

use asked::{Format, put};

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    args.hunting.window.check()?;
    let format = args.format()?;
    if args.label_changes {
        return lowered::run(args, format, global, ui);
    }
    if format == Format::Mail {
        return Err(Error::Usage(
            "-f mail: only --label-changes is written as mails; `coldtrail notify` sends findings and denials"
                .into(),
        ));
    }
    let brand = args.brand(format)?;
    let file = args.output.as_deref();
    if let Some(path) = file {
        refuse_existing(path, args.clobber)?;
    } else if format == Format::Xlsx && ui::columns().is_some() {
        return Err(Error::Usage(
            "a workbook is not for a terminal: name a file with -o".into(),
        ));
    }
    let archive = Archive::open_to_ask(&args.archive)?;
    let hunting = &args.hunting;
    let (session, mut hunt) = hunt::sweep(&archive, hunting, None, global, ui)?;
    Keep::default().swept(&archive, &session, &mut hunt, &hunting.window, ui)?;
    // The figures are asked of another one, and both would hold memory.
    drop(session);
    hunt.retain(|finding| report::is_about(finding, &args.users));
    ui.counts(&[("findings", hunt.findings.len() as u64)]);
    if let Some(zone) = args.tz {
        hunt.show_in(zone);
    }
    let heading = args.heading();
    let found = Found {
        archive: &archive,
        hunt: &hunt,
        hunting,
        users: &args.users,
        inside: &args.inside,
    };
    // On a terminal the report itself is what is seen.
    let waiting = file.map(|_| Waiting::begin(ui, "writing the report"));
    match format {
        Format::Html => {
            let data = found.data(&heading, global)?;
            put_with(file, |out, place| html(&data, brand.as_ref(), out, place))?;
        }
        Format::Markdown => put(
            file,
            &report::report_markdown(&found.data(&heading, global)?),
        )?,
        Format::Json => put(file, &report::report_json(&found.data(&heading, global)?))?,
        Format::Csv => found.put_csv(file, args.clobber, &heading, global)?,
        Format::Xlsx | Format::Mail => {
            let data = found.data(&heading, global)?;
            let temp = global.engine(None)?.temp;
            put_with(file, |out, place| {
                let written = report::report_workbook(&data, &hunt, out, temp.as_deref());
                written.map_err(Error::io("write", place))
            })?;
        }
    }
    drop(waiting);
    if file.is_some() {
        ui.say(&hunt::verdict(&hunt));
    }
    Ok(hunt::exit(&hunt, hunting))
}

/// What a hunt found, and what is asked of it: what a report is made of.
pub(super) struct Found<'a> {
    pub(super) archive: &'a Archive,
    pub(super) hunt: &'a Hunt,
    pub(super) hunting: &'a Hunting,
    pub(super) users: &'a [String],
    pub(super) inside: &'a [String],
}

impl Found<'_> {
    /// The data of the report.
    pub(super) fn data(&self, heading: &Heading, global: &Global) -> Result<Report> {
        let ledger = self.archive.ledger()?;
        let before = match (heading.from, report::periods(&ledger, heading)) {
            (Some(_), Some(span)) => {
                let window = crate::hunt::Window {
                    from: Some(span.before),
                    to: Some(span.from),
                };
                let hunt = self.hunting.found_in(self.archive, window, global)?;
                let found = hunt.findings.iter();
                let about = found.filter(|finding| report::is_about(finding, self.users));
                Some(about.count() as u64)
            }
            _ => None,
        };
        let window = &self.hunting.window;
        let mut options = global.engine(None)?;
        options.now = Some(window.now());
        options.seen = window.seen();
        let session = Session::open(Source::Archive(self.archive), &options)?;
        let sources = Sources {
            session: &session,
            archive: self.archive,
            ledger: &ledger,
            hunt: self.hunt,
            before,
            users: self.users,
            inside: self.inside,
        };
        let look_up = |places: &BTreeSet<(i64, i64)>| {
            let mut session = session.within(None, None)?;
            moments(&mut session, &ledger, places, heading)
        };
        report::report(&sources, heading, look_up)
    }

    /// The findings as CSV; into a folder with each figure in a file of its own.
    fn put_csv(
        &self,
        file: Option<&Path>,
        clobber: bool,
        heading: &Heading,
        global: &Global,
    ) -> Result<()> {
        let folder = file.filter(|path| path.extension().is_none() || path.is_dir());
        let Some(folder) = folder else {
            return put(file, &report::findings_csv(self.hunt));
        };
        let files = report::report_csv(&self.data(heading, global)?, self.hunt);
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        for (name, _) in &files {
            refuse_existing(&folder.join(name), clobber)?;
        }
        for (name, text) in &files {
            text_into_file(&folder.join(name), text)?;
        }
        Ok(())
    }
}

/// The events of these records, as the timeline tells them.
fn moments(
    session: &mut Session,
    ledger: &Ledger,
    places: &BTreeSet<(i64, i64)>,
    heading: &Heading,
) -> Result<Vec<Moment>> {
    let mut moments = Vec::new();
    if places.is_empty() {
        return Ok(moments);
    }
    let records = Records::of(places.iter().copied());
    records.add_to(session)?;
    let asked = timeline::Asked {
        subject: &Subject::default(),
        records: Some(&records),
        spans: &Spans::default(),
        ledger,
        names: &Names::of(session)?,
    };
    timeline::tell(session, &asked, |told| {
        moments.push(Moment {
            time: iso(told.time, heading.zone),
            at: told.time,
            said: told.said.to_string(),
            why: Vec::new(),
            findings: Vec::new(),
            severity: None,
            user: told.user.to_lowercase(),
            address: told.address.to_string(),
            action: told.action.to_string(),
            object: told.object.to_string(),
            application: told.application.to_string(),
            table: told.table.to_string(),
            ingest: told.ingest.parse().unwrap_or_default(),
            record: told.record.parse().unwrap_or_default(),
            event_id: told.event_id.to_string(),
        });
        Ok(())
    })?;
    Ok(moments)
}
