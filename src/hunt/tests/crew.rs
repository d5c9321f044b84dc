//! A crew in the same process. What goes to it and what comes back crosses as text; rows do not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::*;
use crate::archive::Archive;
use crate::convert;
use crate::engine::{self, Source};
use crate::fault::Error;
use crate::ingest::input;
use crate::kql::library::Saved;
use crate::progress::Silent;
use crate::rules::{self, Kind, Query, WatchlistNeed};

pub(super) const DAY: i64 = 86_400_000_000;
/// 2026-05-04T00:00:00Z, the first day of the sample data.
pub(super) const FIRST: i64 = 1_777_852_800_000_000;

/// Answers over the same archive.
pub(super) struct Neighbour<'a> {
    archive: &'a Archive,
    cutting: Option<Cutting>,
    orders: Option<Orders>,
    /// How many jobs it was given.
    jobs: usize,
    /// The queries of those that were parts.
    pub(super) cut: BTreeSet<String>,
}

impl<'a> Neighbour<'a> {
    /// One for whom rules are cut so.
    pub(super) fn of(archive: &'a Archive, cutting: Option<Cutting>) -> Neighbour<'a> {
        Neighbour {
            archive,
            cutting,
            orders: None,
            jobs: 0,
            cut: BTreeSet::new(),
        }
    }
}

impl Crew for Neighbour<'_> {
    fn begin(&mut self, orders: &Orders) -> Result<()> {
        assert!(self.orders.is_none(), "it is told once");
        self.orders = Some(crossed(orders));
        Ok(())
    }

    fn cutting(&self) -> Option<Cutting> {
        assert!(self.orders.is_some(), "it is asked behind the orders");
        self.cutting
    }

    fn answers(
        &mut self,
        jobs: &[Job],
        begun: &mut dyn FnMut(usize),
        ended: &mut dyn FnMut(usize),
    ) -> Vec<Answered> {
        let orders = self.orders.as_ref().expect("it is told before");
        let jobs: Vec<Job> = jobs.iter().map(crossed).collect();
        self.jobs += jobs.len();
        let parts = jobs
            .iter()
            .filter(|job| matches!(job.scope, Scope::Part { .. }));
        self.cut.extend(parts.map(|job| job.text.clone()));
        let mut answers = Vec::new();
        let own = own();
        let served = serve(self.archive, orders, &own, &mut |answer| {
            answers = answer(&jobs);
        });
        served.expect("the same archive");
        for number in 0..jobs.len() {
            begun(number);
            ended(number);
        }
        let answers = answers.into_iter().map(|(answer, took)| {
            let answer = answer.map_err(|e| crossed(&Fault::of(&e)).error("H:7070"));
            (answer, took)
        });
        answers.collect()
    }
}

fn crossed<T: Serialize + DeserializeOwned>(sent: &T) -> T {
    let text = serde_json::to_string(sent).expect("it is text");
    serde_json::from_str(&text).expect("it is the same")
}

/// Lists that a query makes have the order of their rows on one thread alone.
fn own() -> engine::Options {
    engine::Options {
        threads: Some(1),
        ..engine::Options::default()
    }
}

pub(super) fn ingested(place: &Path, input: &str) -> Archive {
    let input = format!("{}/{input}", env!("CARGO_MANIFEST_DIR"));
    let found = input::find(&[input]).expect("sample data");
    let archive = Archive::create(place).expect("an archive can be made");
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let options = convert::Options::default();
    convert::ingest(&archive, &found, &options, &progress).expect("an ingest");
    archive
}

/// The built-in pack, and rules in KQL: one that is traced, one with a saved function and a watchlist that is not there, and some that fail.
fn pack() -> Pack {
    let mut pack = rules::load_to_run(&["builtin:mip".into()]).expect("the pack");
    let texts = [
        (
            "zz-traced",
            "OfficeActivity | summarize Count = count(), EndTime = max(TimeGenerated) by UserId",
        ),
        (
            "zz-saved",
            "Seen() | where UserId !in ((_GetWatchlist('Nobody') | project Name)) | summarize Count = count(), EndTime = max(TimeGenerated)",
        ),
        ("zz-table", "NoSuchTable_CL | take 1"),
        ("zz-column", "OfficeActivity | where NoSuchColumn == 1"),
        ("zz-fails", "OfficeActivity | where UserId == toscalar("),
    ];
    for (id, text) in texts {
        let mut rule = Rule::new(id, Kind::Scheduled, Query::new(Language::Kql, text));
        if id == "zz-saved" {
            let need = WatchlistNeed {
                required: false,
                columns: vec!["Name".into()],
            };
            rule.watchlists.insert("Nobody".into(), need);
        }
        pack.rules.push(rule);
    }
    pack
}

/// What a hunt gives, and its outcomes as text.
pub(super) fn swept(
    archive: &Archive,
    pack: &Pack,
    window: Window,
    how: &Options,
    crew: Option<&mut dyn Crew>,
) -> (Hunt, Vec<String>) {
    let choice = Choice {
        window,
        ..Choice::of(Severity::Informational)
    };
    let reach = reach(pack, &choice);
    let options = engine::Options {
        from: reach.from,
        to: reach.to,
        ..own()
    };
    let mut session = Session::open(Source::Archive(archive), &options).expect("a session");
    let ledger = archive.ledger().expect("the ledger");
    let hunt = sweep_with(&mut session, pack, &choice, how, &ledger, &Silent, crew);
    let hunt = hunt.expect("a hunt");
    // All but how long each took.
    let outcomes = hunt.outcomes.iter().map(|o| {
        let lacking = (&o.unjudged, &o.absent, &o.unmapped);
        let (id, status, findings) = (&o.id, &o.status, o.findings);
        format!(
            "{id}: {status:?}, {findings}, {lacking:?}, {}",
            o.counts_back
        )
    });
    let outcomes = outcomes.collect();
    (hunt, outcomes)
}

#[test]
fn a_crew_gives_what_the_hunt_gives_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = ingested(&folder.path().join("archive"), "sample-data");
    let saved = "OfficeActivity | project TimeGenerated, UserId";
    let how = Options {
        now: (FIRST + 30 * DAY) * 10 + UNIX_EPOCH_TICKS,
        functions: vec![Saved::new("Seen", "", saved, "Seen.kql").expect("a function")],
        ..Options::default()
    };
    // The last event of all lies in it: what is found of all events is, too.
    let some = Window {
        from: Some(FIRST + 3 * DAY),
        to: Some(FIRST + 26 * DAY),
    };
    let pack = pack();
    for window in [Window::default(), some] {
        let (alone, outcomes) = swept(&archive, &pack, window, &how, None);
        let mut neighbour = Neighbour::of(&archive, None);
        let (hunt, by_crew) = swept(&archive, &pack, window, &how, Some(&mut neighbour));
        assert_eq!(by_crew, outcomes);
        assert_eq!(hunt.findings, alone.findings);
        assert_eq!((hunt.reads, hunt.events), (alone.reads, alone.events));
        assert!(neighbour.cut.is_empty());
        // The rules, what counts what they cannot judge, and what finds the records behind a finding.
        assert!(neighbour.jobs > outcomes.len(), "{}", neighbour.jobs);
        let found = |id: &str| alone.findings.iter().filter(|f| f.rule == id).count();
        assert!(alone.findings.len() > found("zz-traced") + found("zz-saved"));
        assert!(
            found("zz-traced") > 1 && found("zz-saved") == 1,
            "{outcomes:?}"
        );
        let status = |id: &str| {
            let mut outcomes = alone.outcomes.iter();
            outcomes.find(|o| o.id == id).map(|o| &o.status)
        };
        assert!(matches!(status("zz-table"), Some(Status::Unknown(_))));
        assert!(matches!(status("zz-column"), Some(Status::NotRun(_))));
        assert!(matches!(status("zz-fails"), Some(Status::NotRun(_))));
    }
}

#[test]
fn files_of_this_machine_go_to_no_crew() {
    let options = engine::Options::default();
    let session = Session::open(Source::Memory(Vec::new()), &options).expect("a session");
    let how = Options {
        external: Some(PathBuf::from("lists")),
        ..Options::default()
    };
    let start = Start::of(std::iter::empty());
    let orders = Orders::of(&session, &how, Window::default(), &start);
    let told = orders.err().map(|e| e.to_string()).unwrap_or_default();
    let want = "workers read nothing but their archive";
    assert!(told.starts_with(want), "{told}");
    // Nor do rows in memory.
    let orders = Orders::of(&session, &Options::default(), Window::default(), &start);
    assert!(matches!(orders, Err(Error::Usage(_))));
}

fn copied(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("it can be read");
        let below = entry.path().strip_prefix(from).expect("it lies below");
        let place = to.join(below);
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&place).expect("a folder");
        } else {
            std::fs::copy(entry.path(), &place).expect("a copy");
        }
    }
}

#[test]
fn an_archive_is_told_by_what_it_holds_and_not_by_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().join("here");
    let there = folder.path().join("another/there");
    let archive = ingested(&here, "sample-data/ual-portal");
    let identity = |archive: &Archive| {
        let session = Session::open(Source::Archive(archive), &own()).expect("a session");
        let identity = session.identity().expect("an identity");
        let pinned = archive.pinned().expect("its tables");
        assert_eq!(pinned.identity().expect("an identity"), identity);
        identity
    };
    let first = identity(&archive);
    copied(&here, &there);
    let other = Archive::open(&there).expect("the copy");
    assert_eq!(identity(&other), first);
    let lists = there.join("watchlists");
    std::fs::create_dir_all(&lists).expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(lists.join(name), text).expect("a file");
        identity(&other)
    };
    assert_eq!(write("notes.txt", "no list"), first);
    let eve = write("Guests.csv", "Name\neve@contoso.com\n");
    let bob = write("Guests.csv", "Name\nbob@contoso.com\n");
    assert!(eve != first && bob != first && eve != bob);
    ingested(&here, "sample-data/signin");
    assert_ne!(identity(&archive), first);
}
