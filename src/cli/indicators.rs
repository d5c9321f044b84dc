use std::fs;
use std::path::{Path, PathBuf};

use super::alerts::Keep;
use super::answer::text_into_file;
use super::exit::Exit;
use super::global::Global;
use super::hunt::{self, Hunting};
use super::offered::offering;
use super::raised::refuse_existing;
use super::ui::{Ui, answer, bytes_text, columns, counted, time_text};
use super::waiting::Waiting;
use super::when;
use crate::archive::Archive;
use crate::archive::ledger::Ledger;
use crate::case::Case;
use crate::engine::output::visible;
use crate::engine::{Session, Source};
use crate::fault::{Error, Result};
use crate::hunt::Window;
use crate::indicators::{
    Allow, Documentation, Gathered, Indicator, LeftOut, Observable, Sighting, Terms, Tlp, attempts,
    gather, import_csv, of_denials, of_findings, stix, ti_indicator,
};
use crate::text::address;

/// How long indicators hold where nobody says it, in microseconds: a week.
const VALID_FOR: i64 = 7 * 24 * 3600 * 1_000_000;

/// What Sentinel takes of a file of JSON, and of CSV.
const MOST_BYTES: [(Form, u64); 2] = [(Form::StixList, 250_000_000), (Form::Csv, 50_000_000)];

/// Write addresses, accounts, files and more that findings or denials name, as indicators for Sentinel
///
/// Own addresses (trusted locations of sign-ins), private and documentation ranges and Microsoft's own services never become indicators, nor does
/// what the watchlist Allowlist.csv (Value,Reason) or --allow names; what is left out is counted. Indicators have the same ids in every run, so that
/// an upload updates them. They end --valid-for after --at, else after --to, else after the archive's last event.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// stix (a bundle of STIX 2.1), stix-list (its objects alone, as Sentinel imports a file), csv (as Sentinel imports it) or tiindicator (Microsoft
    /// Graph's retired form). When not given, csv where the name of the file says so, else stix
    #[arg(short, long, value_name = "FORMAT", value_parser = offering(form, ["stix", "stix-list", "csv", "tiindicator"]), hide_possible_values = true)]
    pub(super) format: Option<Form>,
    /// Of what the rules find. So it is when neither this nor --from-denials is given
    #[arg(long, conflicts_with = "from_denials")]
    from_findings: bool,
    /// Of denied access to protected documents, from all logs that know of it
    #[arg(long, conflicts_with_all = ["rules", "set", "min_level", "fail_on", "ignore_missing", "rule_timeout"])]
    pub(super) from_denials: bool,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a folder of files as the upload of Sentinel takes them, each the body of a request: at most 100 objects of STIX
    #[arg(long, value_name = "DIR")]
    pieces: Option<PathBuf>,
    /// What the pieces say to be their source
    #[arg(long, value_name = "NAME", default_value = "coldtrail", value_parser = source)]
    source: String,
    /// Replace files that exist
    #[arg(short = 'C', long)]
    clobber: bool,
    /// Never make an indicator of this: an address, a range, an account, a domain, a URL, an application or a file; `*` stands for any letters.
    /// May be given several times
    #[arg(long, value_name = "VALUE")]
    pub(super) allow: Vec<String>,
    /// Take addresses and names that are reserved for documentation, such as 192.0.2.7 and example.org: for trials on invented data
    #[arg(long)]
    pub(super) documentation: bool,
    /// How long indicators hold, such as 24h, 7d or 4w
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = when::duration)]
    pub(super) valid_for: i64,
    /// How far they may be passed on: white, green, amber, red
    #[arg(long, value_name = "LEVEL", default_value = "green", value_parser = offering(tlp, Tlp::ALL.map(Tlp::name)), hide_possible_values = true)]
    pub(super) tlp: Tlp,
    #[command(flatten)]
    hunting: Hunting,
}

/// A form of indicators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Stix,
    StixList,
    TiIndicator,
    Csv,
}

pub(super) fn form(text: &str) -> Result<Form, String> {
    Ok(match text {
        "stix" => Form::Stix,
        "stix-list" => Form::StixList,
        "tiindicator" => Form::TiIndicator,
        "csv" => Form::Csv,
        _ => return Err("one of stix, stix-list, csv, tiindicator".into()),
    })
}

pub(super) fn tlp(text: &str) -> Result<Tlp, String> {
    let known = Tlp::ALL.into_iter().find(|tlp| tlp.name() == text);
    known.ok_or_else(|| "one of white, green, amber, red".into())
}

fn source(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it says nothing".into()),
        // What the service keeps for itself.
        name if name.eq_ignore_ascii_case("Microsoft Sentinel") => {
            Err("Sentinel refuses its own name; name where the indicators come from".into())
        }
        name => Ok(name.to_string()),
    }
}

/// What is to be written.
struct Made {
    text: String,
    pieces: Vec<String>,
    count: usize,
    left_out: LeftOut,
    /// Of what it is made, with the number.
    of: String,
    /// What Sentinel may refuse of it, and what is not as it was.
    doubts: Vec<String>,
}

impl Args {
    /// Of what this hunt finds, into a file, which may be there.
    pub(super) fn into_file(archive: PathBuf, hunting: Hunting, output: PathBuf) -> Args {
        Args {
            archive,
            format: None,
            from_findings: false,
            from_denials: false,
            output: Some(output),
            pieces: None,
            source: "coldtrail".into(),
            clobber: true,
            allow: Vec::new(),
            documentation: false,
            valid_for: VALID_FOR,
            tlp: Tlp::Green,
            hunting,
        }
    }

    fn form(&self) -> Form {
        let extension = self.output.as_deref().and_then(Path::extension);
        let is_csv = extension.is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        self.format.unwrap_or(match is_csv {
            true => Form::Csv,
            false => Form::Stix,
        })
    }

    /// Refuses what cannot be written before anything is asked.
    fn check(&self) -> Result<()> {
        let is_stix = matches!(self.form(), Form::Stix | Form::StixList);
        if self.pieces.is_some() && !is_stix {
            return Err(Error::Usage(
                "--pieces: they are STIX, and another form is asked for".into(),
            ));
        }
        if let Some(path) = &self.output {
            refuse_existing(path, self.clobber)?;
        }
        if let Some(folder) = &self.pieces
            && let Some(old) = old_pieces(folder)?.into_iter().next()
            && !self.clobber
        {
            return Err(Error::Exists(old));
        }
        Ok(())
    }

    /// What is the same for all indicators.
    fn terms(&self, ledger: &Ledger) -> Terms {
        let window = &self.hunting.window;
        let asked = Window {
            from: window.from(),
            to: window.to,
        };
        let seen = match window.seen() {
            Some(_) => None,
            None => crate::hunt::moment(ledger, asked),
        };
        Terms {
            moment: seen.unwrap_or_else(|| window.now()),
            valid_for: self.valid_for,
            tlp: self.tlp,
        }
    }

    /// What never becomes an indicator.
    fn allowed(&self, case: &Case<'_>, ui: &Ui) -> Result<Allow> {
        let mut allow = Allow::new(match self.documentation {
            true => Documentation::Taken,
            false => Documentation::Refused,
        });
        for value in &self.allow {
            let added = allow.add(value, "--allow");
            added.map_err(|why| Error::Usage(format!("--allow: {why}")))?;
        }
        let said = case.allowed()?;
        for (value, reason) in &said.values {
            if let Err(why) = allow.add(value, reason) {
                ui.warn(&format!(
                    "watchlist `{}`: {why}; it allows nothing",
                    crate::case::ALLOWLIST
                ));
            }
        }
        let addresses = said
            .addresses
            .iter()
            .filter_map(|text| address::parse(text));
        addresses.for_each(|address| allow.add_own(address));
        Ok(allow)
    }

    /// Of findings, and how the hunt ended.
    fn of_findings(
        &self,
        archive: &Archive,
        (allow, terms): (&Allow, &Terms),
        global: &Global,
        ui: &Ui,
    ) -> Result<(Made, Exit)> {
        let (session, mut hunt) = hunt::sweep(archive, &self.hunting, None, global, ui)?;
        // What is excluded from a hunt is nothing to watch for.
        let window = &self.hunting.window;
        Keep::default().swept(archive, &session, &mut hunt, window, ui)?;
        let of = counted(hunt.findings.len() as u64, "finding");
        let made = self.made(of_findings(&hunt.findings), of, (allow, terms));
        Ok((made, hunt::exit(&hunt, &self.hunting)))
    }

    fn of_denials(&self, case: &Case<'_>, (allow, terms): (&Allow, &Terms)) -> Result<Made> {
        let window = &self.hunting.window;
        let denials = case.denials(Window {
            from: window.from(),
            to: window.to(),
        })?;
        let of = counted(denials.len() as u64, "denial");
        if self.form() != Form::TiIndicator {
            return Ok(self.made(of_denials(&denials), of, (allow, terms)));
        }
        let written = ti_indicator::of_attempts(&attempts(&denials), allow, terms);
        Ok(Made {
            text: written.text,
            pieces: Vec::new(),
            count: written.count,
            left_out: written.left_out,
            of,
            doubts: Vec::new(),
        })
    }

    fn made(
        &self,
        sightings: impl Iterator<Item = Sighting>,
        of: String,
        (allow, terms): (&Allow, &Terms),
    ) -> Made {
        let Gathered {
            indicators,
            mut left_out,
        } = gather(sightings, allow);
        let mut count = indicators.len();
        let text = match self.form() {
            Form::Stix => stix::bundle(&indicators, terms),
            Form::StixList => stix::list(&indicators, terms),
            Form::Csv => import_csv::csv(&indicators, terms),
            Form::TiIndicator => {
                let written = ti_indicator::of(&indicators, terms);
                count = written.count;
                left_out.extend(written.left_out);
                written.text
            }
        };
        let pieces = match self.pieces {
            Some(_) => stix::pieces(&indicators, terms, &self.source),
            None => Vec::new(),
        };
        Made {
            text,
            pieces,
            count,
            left_out,
            of,
            doubts: self.doubts(&indicators),
        }
    }

    /// What Sentinel may refuse of these in this form, and what a cell of CSV cannot hold as it is.
    fn doubts(&self, indicators: &[Indicator]) -> Vec<String> {
        let how_many = |is: fn(&Observable) -> bool| {
            let some = indicators.iter().filter(|one| is(&one.observable));
            some.count() as u64
        };
        let mut doubts = Vec::new();
        let form = self.form();
        let applications = how_many(|one| matches!(one, Observable::Application(_)));
        let is_for_sentinel = matches!(form, Form::StixList | Form::Csv) || self.pieces.is_some();
        if applications > 0 && is_for_sentinel {
            doubts.push(format!(
                "Sentinel may refuse {}: its documentation has no pattern for them",
                counted(applications, "application")
            ));
        }
        if form != Form::Csv {
            return doubts;
        }
        let files = how_many(|one| matches!(one, Observable::File(_) | Observable::Hash(..)));
        if files > 0 {
            doubts.push(format!(
                "Sentinel has another form of CSV for files and may refuse {}: it takes them of `-f stix-list`",
                counted(files, "file")
            ));
        }
        let changed = import_csv::changed(indicators);
        if changed > 0 {
            doubts.push(format!(
                "{} would be a formula in a spreadsheet, with a ' in front it is none: `-f stix-list` has it as it is",
                counted(changed, "value")
            ));
        }
        doubts
    }

    fn write(&self, made: &Made) -> Result<()> {
        if let Some(folder) = &self.pieces {
            write_pieces(folder, &made.pieces)?;
        }
        match (&self.output, &self.pieces) {
            (Some(path), _) => text_into_file(path, &made.text),
            (None, Some(_)) => Ok(()),
            // What a terminal obeys is shown to a person, and is what it is in a pipe.
            (None, None) if columns().is_some() => {
                let lines = made.text.lines().map(|line| visible(line) + "\n");
                answer(&lines.collect::<String>())
            }
            (None, None) => answer(&made.text),
        }
    }
}

/// The name of a piece, from 1.
fn piece_name(number: usize) -> String {
    format!("indicators-{number:04}.json")
}

/// Whether a file is called as a piece is.
fn is_piece(name: &str) -> bool {
    let number = name.strip_prefix("indicators-");
    let number = number.and_then(|rest| rest.strip_suffix(".json"));
    number.is_some_and(|n| n.len() >= 4 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Pieces that an earlier run left in a folder, in order.
fn old_pieces(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut old = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        if is_piece(&entry.file_name().to_string_lossy()) {
            old.push(entry.path());
        }
    }
    old.sort();
    Ok(old)
}

/// Writes pieces into a folder. Those of an earlier run that had more go: whoever uploads the folder uploads what this run made.
fn write_pieces(folder: &Path, pieces: &[String]) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let mut written = Vec::new();
    for (number, text) in (1..).zip(pieces) {
        let path = folder.join(piece_name(number));
        text_into_file(&path, text)?;
        written.push(path);
    }
    for old in old_pieces(folder)? {
        if !written.contains(&old) {
            fs::remove_file(&old).map_err(Error::io("remove", &old))?;
        }
    }
    Ok(())
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    args.check()?;
    let archive = Archive::open_to_ask(&args.archive)?;
    let ledger = archive.ledger()?;
    let window = &args.hunting.window;
    // What is own, and what is known of a document, may have been written at any time.
    let mut options = global.engine(Some(window))?;
    options.timeout = Some(args.hunting.patience());
    options.from = None;
    options.to = window.seen();
    let session = Session::open(Source::Archive(&archive), &options)?;
    session.begin();
    let case = Case::of(&session, &ledger);
    let terms = args.terms(&ledger);
    let allow = args.allowed(&case, ui)?;
    let (made, exit) = match args.from_denials && !args.from_findings {
        true => {
            let _waiting = Waiting::begin(ui, "collecting denials");
            (args.of_denials(&case, (&allow, &terms))?, Exit::Done)
        }
        // The sweep has a session of its own, for the time that the rules see.
        false => args.of_findings(&archive, (&allow, &terms), global, ui)?,
    };
    args.write(&made)?;
    ui.counts(&[("indicators", made.count as u64)]);
    tell(args, &made, &terms, ui);
    Ok(exit)
}

/// Says how many there are, what was left out and why.
fn tell(args: &Args, made: &Made, terms: &Terms, ui: &Ui) {
    let (until, bytes) = (terms.until(), made.text.len() as u64);
    let indicators = counted(made.count as u64, "indicator");
    ui.say(&format!(
        "{indicators} of {}, until {}",
        made.of,
        time_text(until)
    ));
    for line in made.left_out.lines() {
        ui.say(&visible(&line));
    }
    if made.left_out.has(Allow::DOCUMENTED) {
        ui.say("--documentation takes what is reserved for documentation");
    }
    for doubt in &made.doubts {
        ui.warn(doubt);
    }
    if made.count > 0 && until < when::now() {
        ui.say("these have ended by now: --at and --valid-for set another end");
    }
    let most = MOST_BYTES
        .into_iter()
        .find(|(form, _)| *form == args.form());
    if let Some((_, most)) = most.filter(|(_, most)| bytes > *most) {
        ui.warn(&format!(
            "Sentinel imports files of at most {}, and this has {}",
            bytes_text(most),
            bytes_text(bytes)
        ));
    }
}
