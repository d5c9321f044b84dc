//! How long rules take over a year of events: all of them swept once, and 50 of them replayed hour by hour.
//!
//! `cargo bench --bench hunt` makes an archive of a million invented events; `-- --events 5000000` of five. `-- --rules DIR` takes the rules of a folder
//! instead of 50 that are made here. Each step is a process of its own: its time and its peak memory. What it takes to ask the archive for each run
//! is measured over some days and scaled to the year, which would take days.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coldtrail::archive::Archive;
use coldtrail::ingest::input;
use coldtrail::{convert, progress};

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;
/// 2025-06-01T00:00:00Z, in seconds.
const BEGIN: i64 = 1_748_736_000;
/// Days over which runs are done one by one.
const SAMPLE: u64 = 2;
/// Rules that are made.
const RULES: u64 = 50;
/// What people do, the commonest first: each is half as common as the one before.
const ACTIONS: [&str; 10] = [
    "FileAccessed",
    "MailItemsAccessed",
    "FileDownloaded",
    "UserLoggedIn",
    "FileModified",
    "SensitivityLabelUpdated",
    "New-InboxRule",
    "AddedToSecureLink",
    "Add member to role.",
    "Consent to application.",
];
/// How often the memory of a process is looked at.
const LOOK: Duration = Duration::from_millis(50);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1)
    };
    let events: u64 = given("--events").map_or(1_000_000, |n| n.parse().expect("a number"));
    let folder = std::env::temp_dir().join(format!("coldtrail-bench-hunt-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    archive(&folder, events);
    let rules = match given("--rules") {
        Some(rules) => PathBuf::from(rules),
        None => rules(&folder),
    };
    println!("{events} events of a year");
    let (archive, rules) = (folder.join("archive"), rules.to_string_lossy().into_owned());
    let archive = archive.to_string_lossy().into_owned();
    let hunt = |more: &[&str]| {
        let mut arguments = vec![
            "hunt",
            "-a",
            &archive,
            "-r",
            &rules,
            "-o",
            "/dev/null",
            "-f",
        ];
        arguments.push("ndjson");
        arguments.extend(more);
        measured(&arguments)
    };
    hunt(&["-r", "builtin"]).tell("all rules once");
    let year = hunt(&["--replay"]);
    year.tell("a year replayed");
    let (from, to) = (iso(YEAR / 2), iso(YEAR / 2 + SAMPLE * DAY));
    let some = hunt(&["--replay", "--each-run", "--from", &from, "--to", &to]);
    some.tell(&format!("{SAMPLE} days run by run"));
    let scaled = some.seconds * (YEAR / DAY / SAMPLE) as f64;
    println!(
        "a year run by run would take {scaled:.0} s: {:.0} times as long",
        scaled / year.seconds
    );
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// A time of the year, so many seconds after it began.
fn iso(second: u64) -> String {
    let second = i64::try_from(second).expect("less than a year");
    let time = chrono::DateTime::from_timestamp(BEGIN + second, 0).expect("a time");
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What a process took.
struct Took {
    seconds: f64,
    peak: u64,
    said: String,
}

impl Took {
    fn tell(&self, what: &str) {
        let last = self.said.lines().last().unwrap_or_default();
        println!(
            "{what:<20} {:>8.1} s {:>6} MiB  {last}",
            self.seconds, self.peak
        );
    }
}

/// Runs the program, and looks at its memory while it runs.
fn measured(arguments: &[&str]) -> Took {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stderr = child.stderr.take().expect("it is piped");
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).expect("it is text");
        said
    });
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("it is our child").is_none() {
        peak = peak.max(peak_of(Path::new(&status)));
        std::thread::sleep(LOOK);
    }
    child.wait().expect("it has ended");
    Took {
        seconds: started.elapsed().as_secs_f64(),
        peak,
        said: reader.join().expect("it only reads"),
    }
}

/// The most memory that a process has had, in MiB; nothing where it has ended, or the system does not say.
fn peak_of(status: &Path) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// A small generator of numbers, the same on every machine.
struct Seed(u64);

impl Seed {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn archive(folder: &Path, events: u64) {
    let file = folder.join("cloudappevents.jsonl");
    let mut out = BufWriter::new(File::create(&file).expect("the input can be made"));
    let mut seed = Seed(1);
    for number in 0..events {
        let time = iso(number * YEAR / events);
        let mut action = 0;
        while action + 1 < ACTIONS.len() && seed.below(3) == 0 {
            action += 1;
        }
        let (action, user) = (ACTIONS[action], seed.below(3000));
        let id = format!("{number:08x}-0000-4000-8000-{user:012x}");
        writeln!(
            out,
            r#"{{"time":"{time}","tenantId":"c8085975-d882-42d2-9193-d82d752a5de9","operationName":"Publish","category":"AdvancedHunting-CloudAppEvents","properties":{{"ActionType":"{action}","ApplicationId":20892,"AccountDisplayName":"User {user}","AccountObjectId":"00000000-0000-4000-8000-{user:012x}","AccountId":"user{user}@contoso.com","DeviceType":"Desktop","IPAddress":"192.0.2.{}","CountryCode":"DE","UserAgent":"Mozilla/5.0","IsAdminOperation":false,"ActivityObjects":[],"AdditionalFields":{{}},"ObjectName":"Report {}.docx","RawEventData":{{"CreationTime":"{}","Id":"{id}","Operation":"{action}","UserId":"user{user}@contoso.com"}},"ReportId":"1_20892_{id}","Timestamp":"{time}","Application":"Microsoft SharePoint Online"}}}}"#,
            seed.below(250),
            seed.below(100_000),
            time.trim_end_matches('Z'),
        )
        .expect("the input can be written");
    }
    out.flush().expect("the input can be written");
    let archive = Archive::create(&folder.join("archive")).expect("an archive");
    let found = input::find(&[file.to_string_lossy().into_owned()]).expect("the input");
    let options = convert::Options {
        now: (BEGIN + YEAR as i64) * 1_000_000,
        ..convert::Options::default()
    };
    let progress: Arc<dyn progress::Progress> = Arc::new(progress::Silent);
    convert::ingest(&archive, &found, &options, &progress).expect("ingest");
    std::fs::remove_file(&file).expect("the input can be removed");
}

/// Hourly rules of five shapes, from one that sees much every hour to many that seldom see something.
fn rules(folder: &Path) -> PathBuf {
    let rules = folder.join("rules");
    std::fs::create_dir_all(&rules).expect("a folder");
    for number in 0..RULES {
        let action = ACTIONS[2 + number as usize % (ACTIONS.len() - 2)];
        let user = number * 37 % 3000;
        let (period, query) = match number % 5 {
            0 => (
                "1h",
                format!(
                    "CloudAppEvents | where ActionType == '{action}' and AccountId == 'user{user}@contoso.com'"
                ),
            ),
            1 => (
                "1h",
                format!(
                    "CloudAppEvents | where ActionType == '{action}' | summarize Count = count() by AccountId, IPAddress | where Count > 3"
                ),
            ),
            2 => (
                "2h",
                format!(
                    "let users = CloudAppEvents | where ActionType == 'Consent to application.' | distinct AccountId;\n  CloudAppEvents | where ActionType == '{action}' | where AccountId in (users)"
                ),
            ),
            3 => (
                "1d",
                format!(
                    "CloudAppEvents | where TimeGenerated > ago(1h) | where ActionType == '{action}' and IPAddress == '192.0.2.{}' | extend Operation = tostring(RawEventData.Operation)",
                    number * 5
                ),
            ),
            _ => (
                "4h",
                format!(
                    "CloudAppEvents | where ObjectName has 'Report {number}' | where ActionType in ('{action}', 'Add member to role.') | summarize Start = min(TimeGenerated), Actions = make_set(ActionType) by AccountId"
                ),
            ),
        };
        let mut text = String::new();
        write!(
            text,
            "id: 15000000-0000-4000-8000-{number:012}\nname: Rule {number}\ndescription: One of many.\nseverity: Low\nkind: Scheduled\n\
             queryFrequency: 1h\nqueryPeriod: {period}\ntriggerOperator: gt\ntriggerThreshold: 0\ntactics: [Collection]\n\
             relevantTechniques: [T1114]\nversion: 1.0.0\nquery: |\n  {query}\n\
             entityMappings:\n  - entityType: Account\n    fieldMappings:\n      - identifier: FullName\n        columnName: AccountId\n"
        )
        .expect("text can be written");
        std::fs::write(rules.join(format!("rule{number}.yaml")), text).expect("a rule");
    }
    rules
}
