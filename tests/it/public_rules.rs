//! Rules that others published load, run, are replayed, and find what was invented for them.
//!
//! Of their texts nothing is kept here. They are read from the folder that `COLDTRAIL_PUBLIC_RULES` names, else from `public-rules` beside the
//! project: in it a folder for each repository, `azure-sentinel` with Azure/Azure-Sentinel (or cloudflare's copy of it: `Detections` and
//! `Solutions/*/Analytic Rules`) and `sentinel-as-code` with noodlemctwoodle/Sentinel-As-Code (`Content`).

mod fired;
mod m365;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use coldtrail::archive::Archive;
use coldtrail::engine::{self, Columns, Session, Source, kql};
use coldtrail::function::value::UNIX_EPOCH_TICKS;
use coldtrail::hunt::replay::runs;
use coldtrail::hunt::{self, Choice, Status, Window};
use coldtrail::progress::Silent;
use coldtrail::rules::{self, Entry, Language, Pack, Rule, Severity, State};

use crate::{ingest, project, shared};

/// Tables of Microsoft 365, and of what is told about its users: a rule of a repository about everything counts where it asks one of them.
const KNOWN: [&str; 29] = [
    "AADNonInteractiveUserSignInLogs",
    "AADServicePrincipalSignInLogs",
    "AADSignInEventsBeta",
    "AlertEvidence",
    "AlertInfo",
    "AuditLogs",
    "AzureActivity",
    "BehaviorAnalytics",
    "CloudAppEvents",
    "CopilotActivity",
    "EmailAttachmentInfo",
    "EmailEvents",
    "EmailPostDeliveryEvents",
    "EmailUrlInfo",
    "EntraIdSignInEvents",
    "IdentityDirectoryEvents",
    "IdentityInfo",
    "IdentityLogonEvents",
    "InformationProtectionLogs_CL",
    "MicrosoftGraphActivityLogs",
    "MicrosoftPurviewInformationProtection",
    "OfficeActivity",
    "SecurityAlert",
    "SecurityIncident",
    "SigninLogs",
    "ThreatIntelIndicators",
    "ThreatIntelligenceIndicator",
    "UrlClickEvents",
    "_GetWatchlist",
];
/// Folders of rules; repositories have more than these.
const FOLDERS: [&str; 5] = [
    "/Analytic Rules/",
    "/AnalyticalRules/",
    "/DefenderCustomDetections/",
    "/Detections/",
    "/HuntingQueries/",
];
/// The repository of which every rule counts.
const WHOLE: &str = "sentinel-as-code";
/// Rules of one repository that have the same id, at most.
const MOST_COPIES: usize = 8;
/// How long a rule may take.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: i64 = 3_600_000_000;

/// The folder of published rules, where there is one.
fn corpus() -> Option<PathBuf> {
    match std::env::var_os("COLDTRAIL_PUBLIC_RULES") {
        Some(folder) => Some(folder.into()),
        None => shared("public-rules"),
    }
}

/// The rules of a folder. Of those that have the same id only one can be in a pack.
fn packs(folder: &Path) -> Vec<Pack> {
    let mut paths = vec![folder.to_path_buf()];
    let mut packs = Vec::new();
    for _ in 0..MOST_COPIES {
        let mut pack = rules::load(&paths).expect("a folder of rules");
        let (again, entries): (Vec<Entry>, Vec<Entry>) =
            pack.entries.into_iter().partition(|entry| {
                let refusal = entry.refusal();
                refusal.is_some_and(|why| why.contains("another rule has the id"))
            });
        pack.entries = entries;
        packs.push(pack);
        let again: BTreeSet<String> = again.into_iter().map(|entry| entry.place.file).collect();
        if again.is_empty() {
            break;
        }
        paths = again.into_iter().map(PathBuf::from).collect();
    }
    packs
}

/// An archive, and how its rules are asked.
struct Case {
    folder: tempfile::TempDir,
    archive: Archive,
    /// Times of the first event and of the last.
    data: (i64, i64),
    how: kql::Options,
}

impl Case {
    /// An archive of a file or folder of the project.
    fn of(input: &str) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("archive");
        ingest(&path, &[project(input)]);
        let archive = Archive::open(&path).expect("an archive");
        let ledger = archive.snapshot().expect("a snapshot").ledger;
        let first = ledger.exports().filter_map(|entry| entry.times);
        let first = first.map(|(first, _)| first).min().expect("events");
        let last = hunt::moment(&ledger, Window::default()).expect("events");
        let external = folder.path().join("external");
        std::fs::create_dir(&external).expect("a folder");
        let how = kql::Options {
            now: last.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS),
            external: Some(external),
            ..kql::Options::default()
        };
        Case {
            folder,
            archive,
            data: (first, last),
            how,
        }
    }

    fn session(&self, columns: Columns) -> Session {
        let options = engine::Options {
            threads: Some(2),
            timeout: Some(PATIENCE),
            columns,
            ..engine::Options::default()
        };
        Session::open(Source::Archive(&self.archive), &options).expect("a session")
    }

    /// Gives the rules what a workspace would have: the functions that their repository saves, and files, although empty ones, for those that
    /// they fetch.
    fn furnish(&mut self, repository: &Path, packs: &[Pack]) {
        for entry in walkdir::WalkDir::new(repository).sort_by_file_name() {
            let entry = entry.expect("it can be read");
            if entry.file_type().is_dir() && entry.file_name() == "Parsers" {
                match kql::functions(entry.path()) {
                    Ok(functions) => self.how.functions.extend(functions),
                    Err(e) => println!("{}: {e}", entry.path().display()),
                }
            }
        }
        let session = self.session(Columns::All);
        let rules = packs.iter().flat_map(|pack| &pack.rules);
        for rule in rules.filter(|rule| rule.query.language == Language::Kql) {
            let needs = session.kql_check(&rule.query.text, &self.how).needs;
            for name in needs.external.iter().filter(|name| !name.contains('/')) {
                let file = self.folder.path().join("external").join(name);
                std::fs::write(file, "").expect("an empty file");
            }
        }
    }

    fn swept(&self, pack: &Pack) -> Vec<hunt::Outcome> {
        let mut session = self.session(Columns::All);
        let choice = Choice::of(Severity::Informational);
        let ledger = self.archive.snapshot().expect("a snapshot").ledger;
        let hunt = hunt::sweep_with(
            &mut session,
            pack,
            &choice,
            &self.how,
            &ledger,
            &Silent,
            None,
        );
        hunt.expect("a hunt").outcomes
    }

    /// Replays rules whose runs lie between these times.
    fn replayed<'p>(
        &self,
        rules: &[&'p Rule],
        from: Option<i64>,
        to: Option<i64>,
    ) -> Vec<runs::Outcome<'p>> {
        let mut session = self.session(Columns::Product);
        let how = runs::Options {
            from,
            to,
            kql: self.how.clone(),
            limit: Some(PATIENCE),
            memory: 1 << 30,
            ..runs::Options::default()
        };
        let replayed = runs::replay(&mut session, rules, self.data, &how, &Silent);
        replayed.expect("a replay").outcomes
    }
}

/// What became of the rules of a repository.
#[derive(Default)]
struct Tally {
    /// Rules that ran, or were to run.
    all: usize,
    /// Rules that Sentinel could not run either without something that a workspace has: by that.
    lacking: BTreeMap<String, Vec<String>>,
    /// Rules that failed, by why.
    failed: BTreeMap<String, Vec<String>>,
}

impl Tally {
    fn lacks(&mut self, rule: &str, what: &str) {
        let rules = self.lacking.entry(what.to_string()).or_default();
        rules.push(rule.to_string());
    }

    fn fails(&mut self, rule: &str, why: &str) {
        let rules = self.failed.entry(why.to_string()).or_default();
        rules.push(rule.to_string());
    }

    /// At least 95 % of the rules that lack nothing ran.
    fn check(&self, repository: &str) {
        let (lacking, failed) = (listed(&self.lacking), listed(&self.failed));
        let failures = self.failed.values().map(Vec::len).sum::<usize>();
        let told = format!(
            "{repository}: of {} rules {failures} do not run:\n{failed}rules without what they read:\n{lacking}",
            self.all
        );
        println!("{told}");
        assert!(self.all > 0 && failures * 20 <= self.all, "{told}");
        // A rule may be wrong. One that breaks coldtrail off is not.
        let faults = ["broke off", "panic", "fault of coldtrail"];
        let broken = |why: &String| faults.iter().any(|fault| why.contains(fault));
        assert!(!self.failed.keys().any(broken), "{told}");
    }
}

/// A line for each reason.
fn listed(rules: &BTreeMap<String, Vec<String>>) -> String {
    let lines = rules
        .iter()
        .map(|(why, rules)| format!("  {why}: {}\n", rules.join(", ")));
    lines.collect()
}

fn asks_known(text: &str) -> bool {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.any(|word| KNOWN.contains(&word))
}

/// Whether a file says where its rule has moved, and has none any more.
fn has_moved(file: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.contains("moved to new location") && !text.contains("\nquery:")
}

fn holds_rules(file: &str) -> bool {
    FOLDERS.iter().any(|folder| file.contains(folder))
}

/// Sweeps and replays the rules of a pack.
fn run(case: &Case, pack: &Pack, counts: &dyn Fn(&str) -> bool, tally: &mut Tally) {
    for entry in &pack.entries {
        if let State::NoRule(why) = &entry.state
            && holds_rules(&entry.place.file)
            && !has_moved(&entry.place.file)
        {
            tally.all += 1;
            tally.fails(&entry.name(), why);
        }
    }
    let mut ran: Vec<&Rule> = Vec::new();
    for outcome in case.swept(pack) {
        let rule = pack.rules.iter().find(|rule| rule.id == outcome.id);
        let text = match rule {
            Some(rule) => rule.query.text.to_string(),
            None => {
                let file = outcome.id.split(", rule ").next().unwrap_or_default();
                std::fs::read_to_string(file).expect("text")
            }
        };
        let name = rule.map_or(outcome.id.as_str(), |rule| rule.place.file.as_str());
        if !(holds_rules(name) && counts(&text)) {
            continue;
        }
        match &outcome.status {
            Status::Lacks(what) | Status::LakeOnly(what) => tally.lacks(name, what),
            // A table of a workspace's own has columns where it has rows.
            Status::Unknown(what) if what.contains("_CL`") => tally.lacks(name, what),
            Status::Unknown(why) | Status::Refused(why) | Status::NotRun(why) => {
                tally.all += 1;
                tally.fails(name, why);
            }
            Status::Found | Status::Nothing | Status::Absent(_) | Status::Counted(_) => {
                tally.all += 1;
                ran.extend(rule);
            }
        }
    }
    let last = case.data.1;
    for outcome in case.replayed(&ran, Some(last - 6 * HOUR), Some(last + HOUR)) {
        if let runs::Status::Lacks(why)
        | runs::Status::Unknown(why)
        | runs::Status::LakeOnly(why)
        | runs::Status::Failed(why) = &outcome.status
        {
            tally.fails(&outcome.rule.place.file, &format!("replayed: {why}"));
        }
    }
}

#[test]
fn published_rules_are_swept_and_replayed() {
    let Some(folder) = corpus() else {
        return;
    };
    let repositories = std::fs::read_dir(&folder).expect("a folder");
    let mut repositories: Vec<PathBuf> = repositories
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.is_dir())
        .collect();
    repositories.sort();
    assert!(!repositories.is_empty(), "{} is empty", folder.display());
    for repository in repositories {
        let mut case = Case::of("sample-data");
        let packs = packs(&repository);
        case.furnish(&repository, &packs);
        let is_whole = repository.ends_with(WHOLE);
        let mut tally = Tally::default();
        for pack in &packs {
            run(
                &case,
                pack,
                &|text: &str| is_whole || asks_known(text),
                &mut tally,
            );
        }
        tally.check(&repository.display().to_string());
    }
}
