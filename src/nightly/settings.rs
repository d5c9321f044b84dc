//! The configuration of a nightly run: TOML in which each section is a step, and a missing section a step that is off.
//!
//! A key that nobody knows is refused. Every mistake says file, line and column and shows the line. Passwords have no key here.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::Deserializer;

use super::mistakes::Mistakes;
use super::shape;
use crate::notify::smtp::Server;
use crate::storage::is_remote;

/// What a nightly run is asked to do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The archive.
    pub archive: PathBuf,
    /// Reading exports.
    pub ingest: Option<IngestStep>,
    /// Running rules.
    pub hunt: Option<HuntStep>,
    /// Mails.
    pub notify: Option<NotifyStep>,
    /// Indicators for Sentinel.
    pub indicators: Option<IndicatorsStep>,
    /// The report.
    pub report: Option<ReportStep>,
    /// What the events weigh and cost.
    pub cost: Option<CostStep>,
    /// Merging small files.
    pub compact: Option<CompactStep>,
    /// Whether all keys are as they are written: else those that are wrong are left out, or as in an example.
    #[serde(skip)]
    pub is_whole: bool,
}

/// Which exports are read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestStep {
    /// Files, folders and patterns.
    pub inputs: Spanned<Vec<PathBuf>>,
    /// `mdy` or `dmy`, for files that do not tell.
    pub date_order: Option<Spanned<String>>,
    /// Zone of columns that say `[Local Time]`.
    pub tz: Option<Spanned<String>>,
    /// Table of rows that do not say theirs.
    #[serde(rename = "as")]
    pub rows: Option<Spanned<String>>,
    /// Column with the time of records.
    pub time_column: Option<String>,
    /// Whether nothing at all is added when a record or a file cannot be read.
    #[serde(default)]
    pub strict: bool,
}

/// Which rules run. What is told of findings is of these rules too.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HuntStep {
    /// Packs, files and folders of rules.
    pub rules: Spanned<Vec<Spanned<String>>>,
    /// Parameters of rules, as `RULE.NAME=VALUE`.
    #[serde(default)]
    pub set: Vec<Spanned<String>>,
    /// The least severity that is hunted for; all when not given.
    pub min_level: Option<Spanned<String>>,
    /// The severity from which on a new finding ends the run with exit code 1.
    pub fail_on: Option<Spanned<String>>,
    /// Whether rules that only lack a table, a watchlist or a function count as rules that ran.
    #[serde(default)]
    pub ignore_missing: bool,
    /// How long a rule may take, such as `5m`.
    pub rule_timeout: Option<Spanned<String>>,
    /// Folder with functions that rules in KQL call.
    pub saved_functions: Option<PathBuf>,
    /// Folder with the files that `externaldata` names.
    pub external_data: Option<PathBuf>,
    /// MaxMind database of cities.
    pub geoip: Option<PathBuf>,
}

/// Who is told what, and how.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyStep {
    /// Domains of the tenant: only their addresses are written to.
    pub domains: Spanned<Vec<Spanned<String>>>,
    /// Further addresses that may be written to.
    #[serde(default)]
    pub allow_recipients: Vec<Spanned<String>>,
    /// Whether owners of documents are told who was denied access.
    #[serde(default)]
    pub access_denied: bool,
    /// Whether managers are told which labels their people lowered.
    #[serde(default)]
    pub label_changes: bool,
    /// Who is told what the hunt finds.
    #[serde(default)]
    pub findings: Vec<Spanned<String>>,
    /// Only what happened in so long before the run, such as `7d`.
    pub since: Option<Spanned<String>>,
    /// From whom the mails are.
    pub sender: Option<Spanned<String>>,
    /// Folder for the mails, as files.
    pub outbox: Option<Spanned<PathBuf>>,
    /// The mail server.
    pub smtp: Option<Spanned<String>>,
    /// File with the login; the environment has it when not given.
    pub smtp_login: Option<PathBuf>,
    /// Certificate of an authority that is believed too.
    pub smtp_ca: Option<PathBuf>,
    /// Mails a minute at most.
    pub rate: Option<Spanned<u32>>,
    /// How long the server may take until it has greeted, such as `15s`.
    pub connect_timeout: Option<Spanned<String>>,
}

/// Where indicators go.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndicatorsStep {
    /// The file; `{date}` becomes the day of the run.
    pub output: Spanned<PathBuf>,
    /// `stix`, `stix-list`, `csv` or `tiindicator`.
    pub format: Option<Spanned<String>>,
    /// Whether they are of denied access, and not of what the rules find.
    #[serde(default)]
    pub from_denials: bool,
    /// Only of what happened in so long before the run, such as `30d`.
    pub since: Option<Spanned<String>>,
    /// How long they hold, such as `7d`.
    pub valid_for: Option<Spanned<String>>,
    /// `white`, `green`, `amber` or `red`.
    pub tlp: Option<Spanned<String>>,
    /// What never becomes an indicator.
    #[serde(default)]
    pub allow: Vec<Spanned<String>>,
    /// Whether what is reserved for documentation becomes one, for trials on invented data.
    #[serde(default)]
    pub documentation: bool,
}

/// Where the report goes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportStep {
    /// The file; `{date}` becomes the day of the run. Its extension says the format.
    pub output: Spanned<PathBuf>,
    /// Only what happened in so long before the run, such as `30d`.
    pub since: Option<Spanned<String>>,
    /// Zone in which times are shown.
    pub tz: Option<Spanned<String>>,
    /// Domains whose users count as inside.
    #[serde(default)]
    pub inside: Vec<String>,
    /// Folder with the clothes of the HTML page.
    pub template: Option<PathBuf>,
}

/// Where the weights and costs go.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostStep {
    /// The file; `{date}` becomes the day of the run. `.csv` and `.json` are for programs, any other is a text.
    pub output: Spanned<PathBuf>,
    /// Price list.
    pub prices: Option<PathBuf>,
}

/// How small files are merged.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactStep {
    /// Days for which replaced files stay.
    pub retention: Option<Spanned<u32>>,
}

/// Severities as the configuration names them.
const LEVELS: [&str; 4] = ["informational", "low", "medium", "high"];
/// Extensions of reports.
const REPORTS: [&str; 6] = ["html", "htm", "md", "json", "xlsx", "csv"];
/// Name that stands for the packs inside the binary.
const BUILT_IN: &str = "builtin";

impl Settings {
    /// Reads a configuration. `mistakes` are those of its text; paths in it are relative to `folder`.
    ///
    /// Where the text is no TOML, there is none. Keys of a wrong shape hide no wrong value of another key; what two of them say together is looked
    /// at where all have their shape.
    pub fn read(text: &str, folder: &Path, mistakes: &mut Mistakes<'_>) -> Option<Settings> {
        let table = shape::check(text, mistakes)?;
        let is_whole = mistakes.is_empty();
        let mut settings = match Settings::deserialize(Deserializer::from(table)) {
            Ok(settings) => settings,
            // What the table of keys lets pass.
            Err(e) => {
                mistakes.add(&e.span().unwrap_or(0..0), e.message().to_string());
                return None;
            }
        };
        settings.is_whole = is_whole;
        settings.check(mistakes);
        settings.check_names(mistakes);
        settings.place_below(folder);
        if is_whole {
            settings.check_places(mistakes);
        }
        Some(settings)
    }

    /// What TOML and the types let pass.
    fn check(&self, mistakes: &mut Mistakes<'_>) {
        if let Some(ingest) = &self.ingest
            && ingest.inputs.get_ref().is_empty()
        {
            mistakes.add(&ingest.inputs.span(), "no input is named".into());
        }
        if let Some(hunt) = &self.hunt {
            hunt.check(mistakes);
        }
        if let Some(notify) = &self.notify {
            notify.check_values(mistakes);
            if self.is_whole {
                notify.check(mistakes);
            }
        }
        if let Some(report) = &self.report {
            let extension = report.output.get_ref().extension();
            let extension = extension.map(|e| e.to_string_lossy().to_lowercase());
            if !extension.is_some_and(|e| REPORTS.contains(&e.as_str())) {
                let why =
                    "its extension says no format of a report: .html, .md, .json, .xlsx or .csv";
                mistakes.add(&report.output.span(), why.into());
            }
        }
    }

    /// Files that are written, and the keys that name them.
    fn outputs(&self) -> impl Iterator<Item = (&'static str, &Spanned<PathBuf>)> {
        let report = self.report.as_ref().map(|step| &step.output);
        let indicators = self.indicators.as_ref().map(|step| &step.output);
        let cost = self.cost.as_ref().map(|step| &step.output);
        let outputs = [
            ("[report] output", report),
            ("[indicators] output", indicators),
            ("[cost] output", cost),
        ];
        let named = outputs.into_iter();
        named.filter_map(|(key, path)| Some((key, path?)))
    }

    /// A name of a file, as it is written, holds no other placeholder than the day.
    fn check_names(&self, mistakes: &mut Mistakes<'_>) {
        for (key, path) in self.outputs() {
            let rest = path.get_ref().to_string_lossy().replace("{date}", "");
            if rest.contains(['{', '}']) {
                let why = format!("{key}: of names in braces, only {{date}} is known");
                mistakes.add(&path.span(), why);
            }
        }
    }

    /// What is written may neither lie in the archive nor be read by the next run.
    fn check_places(&self, mistakes: &mut Mistakes<'_>) {
        let outbox = self.notify.as_ref().and_then(|step| step.outbox.as_ref());
        let outbox = outbox.map(|path| ("[notify] outbox", path));
        let inputs = self.ingest.iter().flat_map(|step| step.inputs.get_ref());
        let inputs: Vec<PathBuf> = inputs.map(|input| plain(input)).collect();
        let archive = plain(&self.archive);
        for (key, said) in self.outputs().chain(outbox) {
            let path = plain(said.get_ref());
            if path.starts_with(&archive) {
                let why = format!("{key} lies in the archive: name another folder");
                mistakes.add(&said.span(), why);
                continue;
            }
            if let Some(input) = inputs.iter().find(|input| path.starts_with(input)) {
                let input = match input.as_os_str().is_empty() {
                    true => Path::new("."),
                    false => input,
                };
                let why = format!(
                    "{key} lies in `{}`, which [ingest] reads: name another folder",
                    input.display()
                );
                mistakes.add(&said.span(), why);
            }
        }
    }

    fn place_below(&mut self, folder: &Path) {
        let below = |path: &mut PathBuf| {
            if !is_remote(path) {
                *path = folder.join(&*path);
            }
        };
        below(&mut self.archive);
        if let Some(ingest) = &mut self.ingest {
            let inputs = ingest.inputs.get_mut().iter_mut();
            inputs.for_each(|input| *input = input_below(folder, input));
        }
        if let Some(hunt) = &mut self.hunt {
            for rules in hunt.rules.get_mut() {
                let rules = rules.get_mut();
                let is_built_in = rules.as_str() == BUILT_IN || rules.starts_with("builtin:");
                if !is_built_in {
                    *rules = folder.join(&*rules).to_string_lossy().into_owned();
                }
            }
            let files = [
                &mut hunt.saved_functions,
                &mut hunt.external_data,
                &mut hunt.geoip,
            ];
            files.into_iter().flatten().for_each(below);
        }
        if let Some(notify) = &mut self.notify {
            notify
                .outbox
                .iter_mut()
                .for_each(|path| below(path.get_mut()));
            let files = [&mut notify.smtp_login, &mut notify.smtp_ca];
            files.into_iter().flatten().for_each(below);
        }
        if let Some(indicators) = &mut self.indicators {
            below(indicators.output.get_mut());
        }
        if let Some(report) = &mut self.report {
            below(report.output.get_mut());
            report.template.iter_mut().for_each(below);
        }
        if let Some(cost) = &mut self.cost {
            below(cost.output.get_mut());
            cost.prices.iter_mut().for_each(below);
        }
    }
}

impl HuntStep {
    fn check(&self, mistakes: &mut Mistakes<'_>) {
        if self.rules.get_ref().is_empty() {
            mistakes.add(&self.rules.span(), "no rule is named".into());
        }
        for level in [&self.min_level, &self.fail_on].into_iter().flatten() {
            if !LEVELS.contains(&level.get_ref().as_str()) {
                let why = format!("`{}` is none of {}", level.get_ref(), LEVELS.join(", "));
                mistakes.add(&level.span(), why);
            }
        }
    }
}

impl NotifyStep {
    fn may_be_written_to(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let mut domains = self.domains.get_ref().iter().map(Spanned::get_ref);
        let mut allowed = self.allow_recipients.iter().map(Spanned::get_ref);
        domains.any(|known| known.eq_ignore_ascii_case(domain))
            || allowed.any(|known| known.eq_ignore_ascii_case(address))
    }

    /// What is wrong with values by themselves.
    fn check_values(&self, mistakes: &mut Mistakes<'_>) {
        /// Mails a minute.
        const MOST: u32 = 6000;
        for address in self.findings.iter().chain(&self.allow_recipients) {
            if address.get_ref().parse::<lettre::Address>().is_err() {
                let why = format!(
                    "`{}` is no address such as security@contoso.com",
                    address.get_ref()
                );
                mistakes.add(&address.span(), why);
            }
        }
        if let Some(rate) = &self.rate
            && !(1..=MOST).contains(rate.get_ref())
        {
            let why = format!("between 1 and {MOST} mails a minute");
            mistakes.add(&rate.span(), why);
        }
    }

    /// What is wrong with values together.
    fn check(&self, mistakes: &mut Mistakes<'_>) {
        let domains = self.domains.span();
        if self.domains.get_ref().is_empty() && self.allow_recipients.is_empty() {
            let why = "no domain is named, so nobody may be written to";
            mistakes.add(&domains, why.into());
        }
        if !self.access_denied && !self.label_changes && self.findings.is_empty() {
            let why = "nobody is told anything: `access_denied = true`, `label_changes = true` or `findings = [\"soc@…\"]` says what";
            mistakes.add(&domains, why.into());
        }
        for told in &self.findings {
            if !self.may_be_written_to(told.get_ref()) {
                let why = "the address is in none of `domains`, and not in `allow_recipients`: nothing would be sent to it";
                mistakes.add(&told.span(), why.into());
            }
        }
        match (&self.outbox, &self.smtp) {
            (None, None) => {
                mistakes.add(
                    &domains,
                    "`outbox` or `smtp` says where the mails go".into(),
                );
            }
            (Some(_), Some(smtp)) => {
                let why = "mails go into the `outbox` or to a server, not to both";
                mistakes.add(&smtp.span(), why.into());
            }
            // Whether it is a server is said by who reads it.
            (None, Some(smtp))
                if self.sender.is_none() && Server::parse(smtp.get_ref()).is_ok() =>
            {
                let why = "servers want to know from whom a mail is: name it with `sender`";
                mistakes.add(&smtp.span(), why.into());
            }
            (None, Some(_)) if self.sender.is_none() => {
                let why = "servers want to know from whom a mail is: `sender` is missing";
                mistakes.add(&domains, why.into());
            }
            _ => {}
        }
    }
}

/// A path without `.` and without `..` behind a name: what it is called, whether it is there or not.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match (part, plain.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                plain.pop();
            }
            (part, _) => plain.push(part),
        }
    }
    plain
}

/// An input below a folder; an address of object storage is below none. The name of the folder is no part of a pattern, whatever letters it has.
fn input_below(folder: &Path, input: &Path) -> PathBuf {
    if is_remote(input) {
        return input.to_path_buf();
    }
    let placed = folder.join(input);
    let is_pattern = input.to_string_lossy().contains(['*', '?', '[']);
    if !is_pattern || input.is_absolute() || placed.exists() {
        return placed;
    }
    // The `?` of `\\?\C:` is none of a pattern.
    let parts = folder.components().map(|part| match part {
        Component::Normal(name) => glob::Pattern::escape(&name.to_string_lossy()),
        other => other.as_os_str().to_string_lossy().into_owned(),
    });
    parts.collect::<PathBuf>().join(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        let mut mistakes = Mistakes::of(text, Path::new("nightly/coldtrail.toml"));
        let settings = Settings::read(text, Path::new("nightly"), &mut mistakes);
        match mistakes.done() {
            Ok(()) => panic!("taken: {settings:?}"),
            Err(e) => e.to_string(),
        }
    }

    fn taken(text: &str, folder: &str) -> Settings {
        let mut mistakes = Mistakes::of(text, Path::new("coldtrail.toml"));
        let settings = Settings::read(text, Path::new(folder), &mut mistakes);
        mistakes.done().expect("no mistake");
        settings.expect("a configuration")
    }

    #[test]
    fn all_mistakes_are_said_in_our_words_with_their_places() {
        let said = mistake(
            "archive = 3\n[ingest]\ninputs = \"in\"\nstrict = \"yes\"\n[hunt]\nrules = [\"a\", 7]\nrule = 1\n[compact]\nretention = -1\n[report]\n",
        );
        for wanted in [
            "line 1, column 11: `archive` must be a path in quotes, as in `archive = \"archive\"`",
            "line 3, column 10: `inputs` must be a list of paths, as in `inputs = [\"exports\"]`",
            "line 4, column 10: `strict` must be true or false, as in `strict = true`",
            "line 6, column 15: `rules` must be a list of paths, each in quotes, as in",
            "line 7, column 1: unknown key `rule`: did you mean `rules`?",
            "line 9, column 13: `retention` must be a whole number that is not negative",
            "line 10, column 2: `output` is missing, as in `output = \"report-{date}.html\"`",
        ] {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
        assert_eq!(said.matches("line ").count(), 7, "{said}");
    }

    #[test]
    fn values_that_cannot_be_meant_are_said_all_at_once() {
        let said = mistake(
            "archive = \"c\"\n[ingest]\ninputs = []\n[hunt]\nrules = []\nfail_on = \"loud\"\n[report]\noutput = \"r.doc\"\n[cost]\noutput = \"c/{week}\"\n",
        );
        for line in ["line 3, ", "line 5, ", "line 6, ", "line 8, ", "line 10, "] {
            assert!(said.contains(line), "{line}: {said}");
        }
    }

    #[test]
    fn keys_of_a_wrong_shape_hide_no_wrong_value() {
        let said = mistake(
            "archive = \"c\"\n[ingest]\ninptus = [\"in\"]\n[hunt]\nrules = 3\nfail_on = \"loud\"\n[notify]\nfindings = [\"soc\"]\nrate = 0\n",
        );
        for line in ["line 2, ", "line 3, ", "line 5, ", "line 6, ", "line 7, "] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert!(
            said.contains("line 8, column 13: `soc` is no address"),
            "{said}"
        );
        assert!(said.contains("line 9, column 8: between 1"), "{said}");
        assert_eq!(said.matches("line ").count(), 7, "{said}");
    }

    #[test]
    fn what_is_no_toml_is_said_for_people() {
        for (text, wanted) in [
            (
                "archive = foo\n",
                "line 1, column 11: a text stands in quotes",
            ),
            ("archive = \"a\n", "the text does not end"),
            ("archive: \"a\"\n", "a key has `=` behind it"),
            (
                "archive = \"a\"\n[hunt\n",
                "the name of a section ends with `]`",
            ),
            (
                "archive = \"a\"\narchive = \"b\"\n",
                "line 2, column 1: this is said twice",
            ),
            ("archive = \"C:\\exports\"\n", "stands in single quotes"),
            ("archive = \"C:\\data\"\n", "stands in single quotes"),
            (
                "rules = [\"a\"]\narchive = \"a\"\n",
                "`rules` is a key of [hunt]",
            ),
            (
                "archive = \"a\"\n[hnut]\n",
                "unknown section `hnut`: did you mean `hunt`?",
            ),
            ("archive = \"a\"\nhunt = true\n", "`hunt` is a section"),
            ("archive = \"a\"\n[[hunt]]\n", "in single brackets"),
            ("[compact]\n", "line 1, column 1: `archive` is missing"),
        ] {
            let said = mistake(text);
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }

    #[test]
    fn every_key_is_in_the_table() {
        let all = include_str!("../cli/run/coldtrail.toml");
        // With every line that is only a proposal.
        let proposed = all.lines().map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with('[')
                    || rest
                        .split_once(" = ")
                        .is_some_and(|(key, _)| !key.contains(' ')) =>
            {
                rest
            }
            _ => line,
        });
        // Mails go to one place.
        let proposed = proposed.filter(|line| !line.starts_with("outbox"));
        let text = proposed.collect::<Vec<_>>().join("\n");
        let settings = taken(&text, "nightly");
        assert!(settings.cost.is_some_and(|cost| cost.prices.is_some()));
        assert!(settings.notify.is_some_and(|notify| notify.smtp.is_some()));
    }

    #[test]
    fn a_missing_section_is_a_step_that_is_off_and_paths_are_below_the_files_folder() {
        let text = "archive = \"case\"\n[ingest]\ninputs = [\"in\"]\n";
        let settings = taken(text, "nightly");
        assert_eq!(settings.archive, Path::new("nightly/case"));
        let ingest = settings.ingest.expect("the section");
        assert_eq!(ingest.inputs.get_ref(), &[PathBuf::from("nightly/in")]);
        assert_eq!(settings.hunt, None);
    }

    #[test]
    fn a_path_is_told_by_what_it_is_called() {
        for (path, wanted) in [
            ("night/./exports/../exports/r.html", "night/exports/r.html"),
            ("archive/../r.html", "r.html"),
            ("../../r.html", "../../r.html"),
            ("a/../../r.html", "../r.html"),
            ("/a/./b", "/a/b"),
        ] {
            assert_eq!(plain(Path::new(path)), Path::new(wanted), "{path}");
        }
    }

    #[test]
    fn a_key_that_nobody_knows_is_refused_with_its_place() {
        let said = mistake("archive = \"case\"\n[ingest]\ninptus = [\"in\"]\n");
        assert!(said.contains("line 3, column 1"), "{said}");
        assert!(
            said.contains("unknown key `inptus`: did you mean `inputs`?"),
            "{said}"
        );
        assert!(said.contains("\n  inptus = [\"in\"]\n  ^"), "{said}");
    }

    #[test]
    fn a_level_that_is_none_is_refused_with_its_place() {
        let said = mistake("archive = \"c\"\n[hunt]\nrules = [\"r\"]\nmin_level = \"loud\"\n");
        assert!(said.contains("line 4, column 13"), "{said}");
        assert!(said.contains("`loud` is none of"), "{said}");
    }

    #[test]
    fn mails_need_a_way_and_somebody_who_is_told_something() {
        let notify = |rest: &str| {
            mistake(&format!(
                "archive = \"c\"\n[notify]\ndomains = [\"contoso.com\"]\n{rest}"
            ))
        };
        let said = notify("outbox = \"mails\"\n");
        assert!(said.contains("line 3, column 11: nobody is told"), "{said}");
        let said = notify("access_denied = true\n");
        assert!(said.contains("`outbox` or `smtp`"), "{said}");
        let said = notify("access_denied = true\nsmtp = \"smtps://mail.contoso.com\"\n");
        assert!(said.contains("line 5, column 8"), "{said}");
        assert!(said.contains("`sender`"), "{said}");
    }

    #[test]
    fn packs_stay_what_they_are_and_files_of_rules_are_below_the_folder() {
        let text = "archive = \"c\"\n[hunt]\nrules = [\"builtin:mip\", \"my-rules\"]\n";
        let settings = taken(text, "n");
        let hunt = settings.hunt.expect("the section");
        let mine = Path::new("n").join("my-rules");
        assert_eq!(hunt.rules.get_ref()[0].get_ref(), "builtin:mip");
        assert_eq!(Path::new(hunt.rules.get_ref()[1].get_ref()), mine);
    }
}
