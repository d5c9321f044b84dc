//! What each built-in rule costs over a million events of an ordinary month.
//!
//! `cargo bench --bench pack` makes an archive of companies that share a tenant, a million events together (`-- --events 200000` of fewer), and runs
//! each rule alone in a session of its own, on one thread. The archive is compacted first, as `coldtrail archive compact` does it. What is told is the CPU
//! time from the rule's text to its findings; making the archive, starting and opening are not in it. It ends with an error when a rule takes more than 2 s.
//! `-- --rules DIR` takes the rules of a folder instead, `-- --archive DIR` keeps the archive there, or takes the one that is there.

#[path = "generate/month.rs"]
mod month;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use coldtrail::archive::{Archive, compact, ledger::Ledger};
use coldtrail::convert;
use coldtrail::engine::{self, Session, Source};
use coldtrail::hunt::{self, Status};
use coldtrail::ingest::input;
use coldtrail::progress::{Progress, Silent};
use coldtrail::rules::{self, Pack, Rule, Severity};

/// 2026-06-01T00:00:00Z, after the events, in microseconds.
const NOW: i64 = 1_780_272_000_000_000;
/// Events of a company in its month, about.
const COMPANY: u64 = 36_000;
/// CPU seconds that a rule may take over a million events.
const LIMIT: f64 = 2.0;
/// Lists that some rules ask for.
const WATCHLISTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-data/watchlists");

/// A rule's cost, and what it found.
struct Cost {
    rule: String,
    seconds: f64,
    findings: usize,
    /// Why it did not run, where it did not.
    idle: Option<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1)
    };
    let events: u64 = given("--events").map_or(1_000_000, |n| n.parse().expect("a number"));
    let folder = std::env::temp_dir().join(format!("coldtrail-bench-pack-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = given("--archive").map_or_else(|| folder.join("archive"), PathBuf::from);
    if !path.exists() {
        make(&folder, &path, events);
    }
    let rules: Vec<PathBuf> = given("--rules").map(PathBuf::from).into_iter().collect();
    let pack = rules::load(&rules).expect("the rules");
    let archive = Archive::open(&path).expect("the archive");
    let ledger = archive.snapshot().expect("a snapshot").ledger;
    let held: u64 = ledger.exports().map(|e| e.events()).sum();

    let mut costs: Vec<Cost> = pack
        .rules
        .iter()
        .map(|rule| {
            let first = cost(&archive, &ledger, rule);
            if first.seconds <= LIMIT {
                return first;
            }
            // A machine that is busy with something else makes a rule look dear once, seldom twice.
            let again = cost(&archive, &ledger, rule);
            if again.seconds < first.seconds {
                again
            } else {
                first
            }
        })
        .collect();
    costs.sort_by(|a, b| {
        b.seconds
            .total_cmp(&a.seconds)
            .then_with(|| a.rule.cmp(&b.rule))
    });
    println!("{} rules over {held} events of a month", costs.len());
    println!("{:<60} {:>8} {:>10}", "rule", "CPU s", "findings");
    for cost in &costs {
        let idle = cost.idle.as_deref().unwrap_or_default();
        println!(
            "{:<60} {:>8.2} {:>10}  {idle}",
            cost.rule, cost.seconds, cost.findings
        );
    }
    let all: f64 = costs.iter().map(|cost| cost.seconds).sum();
    println!("{:<60} {all:>8.2}", "one after another");
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    let dear: Vec<&str> = costs
        .iter()
        .filter(|cost| cost.seconds > LIMIT)
        .map(|cost| cost.rule.as_str())
        .collect();
    assert!(
        dear.is_empty(),
        "more than {LIMIT} CPU s: {}",
        dear.join(", ")
    );
    let idle: Vec<&str> = costs
        .iter()
        .filter(|cost| cost.idle.is_some())
        .map(|cost| cost.rule.as_str())
        .collect();
    assert!(idle.is_empty(), "did not run: {}", idle.join(", "));
}

/// Makes an archive of so many events, or a few more, by way of a folder.
fn make(folder: &Path, path: &Path, events: u64) {
    let exports = folder.join("exports");
    std::fs::create_dir(&exports).expect("a folder");
    month::write(&exports, events.div_ceil(COMPANY));
    let archive = Archive::create(path).expect("an archive");
    let inputs = [exports.to_string_lossy().into_owned(), WATCHLISTS.into()];
    let found = input::find(&inputs).expect("the input");
    let options = convert::Options {
        now: NOW,
        ..convert::Options::default()
    };
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    convert::ingest(&archive, &found, &options, &progress).expect("ingest");
    std::fs::remove_dir_all(&exports).expect("the input can be removed");
    compact::compact(&archive, NOW, 0, progress.as_ref()).expect("it is compacted");
}

/// Runs one rule in a session of its own, since a session keeps what it has read.
fn cost(archive: &Archive, ledger: &Ledger, rule: &Rule) -> Cost {
    let options = engine::Options {
        threads: Some(1),
        ..engine::Options::default()
    };
    let mut session = Session::open(Source::Archive(archive), &options).expect("a session");
    let alone = Pack {
        rules: vec![rule.clone()],
        ..Pack::default()
    };
    let choice = hunt::Choice::of(Severity::Informational);
    let started = Clock::start();
    let hunt = hunt::sweep(&mut session, &alone, &choice, ledger, &Silent).expect("a hunt");
    let seconds = started.seconds();
    let status = hunt.outcomes.first().map(|outcome| &outcome.status);
    Cost {
        rule: rule.id.clone(),
        seconds,
        findings: hunt.findings.len(),
        idle: status.and_then(Status::reason).map(String::from),
    }
}

/// CPU time of this process; time on the wall where the system does not say (other than Linux).
struct Clock {
    cpu: Option<f64>,
    wall: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock {
            cpu: cpu_seconds(),
            wall: Instant::now(),
        }
    }

    fn seconds(&self) -> f64 {
        match (self.cpu, cpu_seconds()) {
            (Some(before), Some(now)) => now - before,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

/// CPU seconds of this process so far.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is in brackets and may hold blanks.
    let after = stat.rsplit(')').next()?;
    let field = |n: usize| after.split_whitespace().nth(n)?.parse::<f64>().ok();
    // Linux counts these in hundredths.
    Some((field(11)? + field(12)?) / 100.0)
}
