//! A configuration of which every value is understood: what is wrong in it is said before anything is done.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::slice;
use std::time::Duration;

use chrono_tz::Tz;
use toml::Spanned;

use super::step::Step;
use crate::archive::compact::RETENTION_DAYS;
use crate::cli::archive::MOST_DAYS;
use crate::cli::global::{Patience, patience};
use crate::cli::hunt::{Hunting, severity};
use crate::cli::indicators::{Form, form, tlp};
use crate::cli::ingest::{Reading, order, rows};
use crate::cli::notify::{Sending, domain, mailbox};
use crate::cli::set::{self, assignment};
use crate::cli::when::{self, Window, duration, time_text};
use crate::cli::zone::zone;
use crate::fault::{Error, Result};
use crate::indicators::{Allow, Documentation, Tlp};
use crate::nightly::mistakes::Mistakes;
use crate::nightly::settings::{
    CompactStep, CostStep, HuntStep, IndicatorsStep, IngestStep, NotifyStep, ReportStep, Settings,
};
use crate::notify::smtp::Server;
use crate::rules::{self, Assignment, BUILT_IN_NAME, Pack, Severity};

/// What a run is asked for.
pub(super) struct Asked {
    pub(super) archive: PathBuf,
    pub(super) ingest: Option<Ingest>,
    /// Whether rules run by themselves. Other steps tell of what they find, too.
    pub(super) hunts: bool,
    pub(super) rules: Rules,
    pub(super) notify: Option<Notify>,
    pub(super) indicators: Option<Indicators>,
    pub(super) report: Option<Report>,
    pub(super) cost: Option<CostStep>,
    /// Days for which files stay that were replaced.
    pub(super) compact: Option<u32>,
    /// What `now()` says, where that was said.
    pub(super) at: Option<i64>,
    /// The same, or else this moment.
    pub(super) now: i64,
    /// The sections as they are written, with paths that are relative to the file's folder.
    sections: toml::Table,
}

/// Which exports are read, and how.
pub(super) struct Ingest {
    pub(super) inputs: Vec<String>,
    pub(super) reading: Reading,
}

/// Which rules run, and how.
pub(super) struct Rules {
    pub(super) paths: Vec<PathBuf>,
    set: set::Settings,
    pub(super) level: Severity,
    pub(super) fail_on: Option<Severity>,
    pub(super) ignore_missing: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) functions: Option<PathBuf>,
    external: Option<PathBuf>,
    pub(super) geoip: Option<PathBuf>,
}

/// Who is told what.
#[derive(Debug)]
pub(super) struct Notify {
    pub(super) access_denied: bool,
    pub(super) label_changes: bool,
    pub(super) findings: Vec<String>,
    pub(super) since: Option<i64>,
    pub(super) sending: Sending,
}

/// Which indicators are written.
#[derive(Debug)]
pub(super) struct Indicators {
    pub(super) output: PathBuf,
    pub(super) form: Option<Form>,
    pub(super) from_denials: bool,
    pub(super) since: Option<i64>,
    pub(super) valid_for: Option<i64>,
    pub(super) tlp: Option<Tlp>,
    pub(super) allow: Vec<String>,
    pub(super) documentation: bool,
}

/// What the report is of, and where it goes.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) output: PathBuf,
    pub(super) since: Option<i64>,
    pub(super) tz: Option<Tz>,
    pub(super) inside: Vec<String>,
    pub(super) template: Option<PathBuf>,
}

impl Asked {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it cannot be read, or something in it is wrong: all of it, with line and column.
    pub(super) fn read(path: &Path, at: Option<i64>) -> Result<Asked> {
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Unusable {
                path: path.to_path_buf(),
                reason: "no configuration is there".into(),
            },
            _ => Error::io("read", path)(source),
        })?;
        let mut mistakes = Mistakes::of(&text, path);
        let folder = path.parent().unwrap_or(Path::new(""));
        let asked = Settings::read(&text, folder, &mut mistakes).map(|said| {
            let mut file = Said(&mut mistakes);
            Asked {
                archive: said.archive,
                ingest: said.ingest.map(|step| file.ingest(step)),
                hunts: said.hunt.is_some(),
                rules: file.rules(said.hunt, said.is_whole),
                notify: said.notify.map(|step| file.notify(step)),
                indicators: said.indicators.map(|step| file.indicators(step)),
                report: said.report.map(|step| file.report(step)),
                cost: said.cost,
                compact: said.compact.map(|step| file.compact(&step)),
                at,
                now: at.unwrap_or_else(when::now),
                sections: toml::Table::new(),
            }
        });
        mistakes.done()?;
        let asked = asked.zip(text.parse::<toml::Table>().ok());
        let (asked, sections) = asked.expect("what has no mistake is a configuration");
        Ok(Asked { sections, ..asked })
    }

    /// What the configuration says of a step. It does not depend on the folder from which the configuration is named.
    pub(super) fn section(&self, step: Step) -> String {
        let section = self.sections.get(step.name());
        section.map(|said| format!("{said:?}")).unwrap_or_default()
    }

    /// Whether the configuration has a step.
    pub(super) fn has(&self, step: Step) -> bool {
        match step {
            Step::Ingest => self.ingest.is_some(),
            Step::Hunt => self.hunts,
            Step::Notify => self.notify.is_some(),
            Step::Indicators => self.indicators.is_some(),
            Step::Report => self.report.is_some(),
            Step::Cost => self.cost.is_some(),
            Step::Compact => self.compact.is_some(),
        }
    }

    /// Whether a step runs rules.
    pub(super) fn runs_rules(&self, step: Step) -> bool {
        match step {
            Step::Hunt => self.hunts,
            Step::Notify => self
                .notify
                .as_ref()
                .is_some_and(|of| !of.findings.is_empty()),
            Step::Indicators => self.indicators.as_ref().is_some_and(|of| !of.from_denials),
            Step::Report => self.report.is_some(),
            Step::Ingest | Step::Cost | Step::Compact => false,
        }
    }

    /// The time from which on something is wanted that is so long ago.
    pub(super) fn begin(&self, since: Option<i64>) -> Option<i64> {
        since.map(|long| self.now.saturating_sub(long))
    }

    /// All from a time on, as of the moment of the run.
    pub(super) fn window(&self, from: Option<i64>) -> Window {
        Window::beginning(from, self.at)
    }

    /// The name of a file on the day of the run. Its folder is there when this returns.
    pub(super) fn file(&self, path: &Path) -> Result<PathBuf> {
        let day: String = time_text(self.now).chars().take(10).collect();
        let path = PathBuf::from(path.to_string_lossy().replace("{date}", &day));
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        Ok(path)
    }
}

impl Rules {
    /// Loads them as they are set.
    pub(super) fn load(&self) -> Result<Pack> {
        self.set.load_to_run(&self.paths)
    }

    /// A hunt of a time, whose exit code does not depend on what is found.
    pub(super) fn hunting(&self, window: Window) -> Hunting {
        Hunting {
            rules: self.paths.clone(),
            set: self.set.clone(),
            min_level: self.level,
            fail_on: None,
            ignore_missing: self.ignore_missing,
            rule_timeout: self.timeout,
            saved_functions: self.functions.clone(),
            external_data: self.external.clone(),
            geoip: self.geoip.clone(),
            patience: Patience { timeout: None },
            window,
            hunted: None,
        }
    }

    /// Files that rules call.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.functions, &self.external, &self.geoip];
        files.into_iter().flatten().map(PathBuf::as_path)
    }
}

/// Values of a configuration as they are understood. One that cannot be is a mistake, and nothing.
struct Said<'m, 't>(&'m mut Mistakes<'t>);

impl Said<'_, '_> {
    fn value<T>(
        &mut self,
        said: &Spanned<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(said.get_ref()) {
            Ok(value) => Some(value),
            Err(why) => {
                let why = format!("`{}`: {why}", said.get_ref());
                self.0.add(&said.span(), why);
                None
            }
        }
    }

    fn optional<T>(
        &mut self,
        said: Option<&Spanned<String>>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.value(said?, read)
    }

    fn ingest(&mut self, step: IngestStep) -> Ingest {
        let reading = Reading {
            date_order: self.optional(step.date_order.as_ref(), order),
            tz: self.optional(step.tz.as_ref(), zone),
            rows: self.optional(step.rows.as_ref(), rows),
            time_column: step.time_column,
            strict: step.strict,
        };
        let inputs = step.inputs.get_ref().iter();
        let inputs = inputs.map(|input| input.to_string_lossy().into_owned());
        Ingest {
            inputs: inputs.collect(),
            reading,
        }
    }

    /// Those of the section; the built-in ones where there is none. Parameters are tried where the section says what it is meant to say.
    fn rules(&mut self, step: Option<HuntStep>, is_whole: bool) -> Rules {
        let Some(step) = step else {
            return Rules {
                paths: Vec::new(),
                set: set::Settings::default(),
                level: Severity::Informational,
                fail_on: None,
                ignore_missing: false,
                timeout: None,
                functions: None,
                external: None,
                geoip: None,
            };
        };
        let paths = self.paths(step.rules.get_ref());
        let pack = match is_whole && !step.set.is_empty() {
            // What is wrong with the rules is told when the run loads them.
            true => rules::load_to_run(&paths).ok(),
            false => None,
        };
        let set = step.set.iter();
        let set: Vec<Assignment> = set
            .filter_map(|said| self.value(said, assignment))
            .collect();
        if let Some(mut pack) = pack {
            for said in &step.set {
                self.parameter(said, &mut pack);
            }
        }
        let level = self.optional(step.min_level.as_ref(), severity);
        Rules {
            paths,
            set: set::Settings::of(set),
            level: level.unwrap_or(Severity::Informational),
            fail_on: self.optional(step.fail_on.as_ref(), severity),
            ignore_missing: step.ignore_missing,
            timeout: self.optional(step.rule_timeout.as_ref(), patience),
            functions: step.saved_functions,
            external: step.external_data,
            geoip: step.geoip,
        }
    }

    /// Where rules are. A pack that is none and a path that is not there are mistakes.
    fn paths(&mut self, said: &[Spanned<String>]) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for said in said {
            let path = PathBuf::from(said.get_ref());
            let is_there = said.get_ref() == BUILT_IN_NAME || path.exists();
            if !is_there && let Err(e) = rules::load_to_run(slice::from_ref(&path)) {
                self.0.add(&said.span(), e.to_string());
            }
            paths.push(path);
        }
        paths
    }

    /// Sets a parameter in loaded rules, to see whether it can be.
    fn parameter(&mut self, said: &Spanned<String>, pack: &mut Pack) {
        // One that is none has its mistake already.
        let Ok(assignment) = assignment(said.get_ref()) else {
            return;
        };
        if let Err(e) = rules::set(&mut pack.rules, &[assignment]) {
            let why = e.to_string();
            let why = why.strip_prefix("--set: ").unwrap_or(&why).to_string();
            self.0.add(&said.span(), why);
        }
    }

    fn notify(&mut self, step: NotifyStep) -> Notify {
        let outbox = step.outbox.map(Spanned::into_inner);
        let mut sending = Sending::into_folder(outbox.unwrap_or_default());
        let domains = step.domains.get_ref().iter();
        let domains = domains.filter_map(|said| self.value(said, domain));
        sending.domain = domains.collect();
        let allowed = step.allow_recipients.into_iter();
        sending.allow_recipient = allowed.map(Spanned::into_inner).collect();
        sending.sender = self.optional(step.sender.as_ref(), mailbox);
        sending.smtp = self.optional(step.smtp.as_ref(), Server::parse);
        sending.smtp_login = step.smtp_login;
        sending.smtp_ca = step.smtp_ca;
        if let Some(rate) = step.rate {
            sending.rate = *rate.get_ref();
        }
        if let Some(limit) = self.optional(step.connect_timeout.as_ref(), patience) {
            sending.connect_timeout = limit;
        }
        Notify {
            access_denied: step.access_denied,
            label_changes: step.label_changes,
            findings: step.findings.into_iter().map(Spanned::into_inner).collect(),
            since: self.optional(step.since.as_ref(), duration),
            sending,
        }
    }

    fn indicators(&mut self, step: IndicatorsStep) -> Indicators {
        for said in &step.allow {
            let mut allow = Allow::new(Documentation::Refused);
            if let Err(why) = allow.add(said.get_ref(), "") {
                self.0.add(&said.span(), why);
            }
        }
        Indicators {
            output: step.output.into_inner(),
            form: self.optional(step.format.as_ref(), form),
            from_denials: step.from_denials,
            since: self.optional(step.since.as_ref(), duration),
            valid_for: self.optional(step.valid_for.as_ref(), duration),
            tlp: self.optional(step.tlp.as_ref(), tlp),
            allow: step.allow.into_iter().map(Spanned::into_inner).collect(),
            documentation: step.documentation,
        }
    }

    fn report(&mut self, step: ReportStep) -> Report {
        Report {
            output: step.output.into_inner(),
            since: self.optional(step.since.as_ref(), duration),
            tz: self.optional(step.tz.as_ref(), zone),
            inside: step.inside,
            template: step.template,
        }
    }

    fn compact(&mut self, step: &CompactStep) -> u32 {
        let Some(days) = &step.retention else {
            return RETENTION_DAYS;
        };
        if i64::from(*days.get_ref()) > MOST_DAYS {
            let why = format!("at most {MOST_DAYS} days");
            self.0.add(&days.span(), why);
        }
        *days.get_ref()
    }
}
