//! A nightly run: what is new is done once, whenever it comes and wherever a run was cut off; a configuration says its mistakes with their places.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command_line::run;
use crate::durable::{bytes_of, copy, quick_folder, text};
use crate::{STORY, ask, project};

/// Folders of the sample data without those that are broken on purpose, or another story.
fn all() -> Vec<&'static str> {
    [&STORY[..], &["formats", "watchlists"]].concat()
}

/// Exports that come late, and the rules that count: with further events they find another number, which is a further alert.
const LATE: [(&str, &[&str]); 3] = [
    ("ual-search", &[]),
    ("rms", &[]),
    (
        "cloudappevents",
        &["label-activity-peak", "mass-label-removal-or-downgrade"],
    ),
];

/// Steps that take little time.
pub(crate) const SHORT: &str = r#"archive = "archive"
[ingest]
inputs = ["exports"]
[hunt]
rules = ["builtin:mip"]
[compact]
"#;

/// Steps that leave something to compare.
pub(crate) const WHOLE: &str = r#"archive = "archive"
[ingest]
inputs = ["exports"]
[hunt]
rules = ["builtin:mip"]
min_level = "high"
[notify]
domains = ["contoso.com"]
access_denied = true
findings = ["security@contoso.com"]
outbox = "outbox"
[report]
output = "out/report-{date}.json"
[compact]
"#;

/// A folder with exports and a configuration.
pub(crate) struct Night(tempfile::TempDir);

impl Night {
    pub(crate) fn of(exports: &[&str], configuration: &str) -> Night {
        let night = Night(quick_folder());
        exports.iter().for_each(|name| night.export(name));
        fs::write(night.at("coldtrail.toml"), configuration).expect("a configuration");
        night
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An export comes.
    pub(crate) fn export(&self, name: &str) {
        let from = project(&format!("sample-data/{name}"));
        copy(Path::new(&from), &self.at("exports").join(name));
    }

    /// A run: its status, what it answers and what it says.
    pub(crate) fn run(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let file = text(&self.at("coldtrail.toml"));
        let asked = ["run", "-c", &file, "--at", "2026-07-01", "--create"];
        let out = run(&[&asked[..], more].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    }

    /// A run that goes well: what it says.
    pub(crate) fn done(&self) -> String {
        let (code, _, said) = self.run(&[]);
        assert_eq!(code, Some(0), "{said}");
        said
    }

    /// The alerts that are stored, with their rules.
    pub(crate) fn alerts(&self) -> BTreeSet<String> {
        let query = r#"SELECT "SystemAlertId", "RuleId" FROM "Alerts""#;
        ask(&self.at("archive"), query).into_iter().collect()
    }

    /// All of the archive but what runs note of themselves.
    fn archive(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = bytes_of(&self.at("archive"));
        all.retain(|path, _| !path.starts_with("_nightly"));
        assert!(all.len() > 10, "{} files", all.len());
        all
    }
}

/// The files of a folder with this extension.
fn files(folder: &Path, extension: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = bytes_of(folder);
    all.retain(|path, _| path.extension().is_some_and(|e| e == extension));
    all
}

#[test]
fn a_configuration_of_init_runs_as_it_is_written_and_the_second_run_does_nothing() {
    let night = Night::of(&all(), "");
    let file = text(&night.at("coldtrail.toml"));
    assert_eq!(run(&["run", "--init", &file]).status.code(), Some(3));
    let written = run(&["run", "--init", &file, "-C"]);
    assert_eq!(written.status.code(), Some(0), "{written:?}");
    let said = night.done();
    for step in [
        "ingest",
        "hunt",
        "notify",
        "indicators",
        "report",
        "compact",
    ] {
        let lines = said.lines().filter(|l| l.starts_with(&format!("{step}: ")));
        assert_eq!(lines.count(), 1, "{step}: {said}");
    }
    assert!(!said.contains("nothing to do"), "{said}");
    assert!(night.at("indicators.json").is_file());
    assert!(night.at("reports/report-2026-07-01.html").is_file());
    let mails = files(&night.at("outbox"), "eml");
    assert!(mails.len() > 1, "{} mails", mails.len());
    assert!(night.alerts().len() > 50);

    let (archive, reports) = (night.archive(), bytes_of(&night.at("reports")));
    let (code, answer, said) = night.run(&[]);
    assert_eq!((code, answer.as_str()), (Some(0), ""), "{said}");
    assert!(said.contains("ingest: nothing new, "), "{said}");
    assert!(said.contains("hunt: nothing new\n"), "{said}");
    assert!(said.contains("compact: nothing to merge\n"), "{said}");
    assert!(said.ends_with("nothing to do\n"), "{said}");
    assert!(night.archive() == archive, "the archive has changed");
    assert!(bytes_of(&night.at("reports")) == reports);
    assert!(files(&night.at("outbox"), "eml") == mails);

    // What the configuration says of findings has changed: only that step has something to do.
    let changed = fs::read_to_string(&file).expect("a configuration");
    let changed = changed.replace("indicators.json", "indicators.csv");
    fs::write(&file, changed).expect("a configuration");
    let said = night.done();
    assert!(said.contains("hunt: nothing new\n"), "{said}");
    assert!(!said.contains("indicators: nothing new"), "{said}");
    assert!(night.at("indicators.csv").is_file());
}

#[test]
fn an_export_that_comes_late_is_hunted_when_it_comes() {
    let whole = Night::of(&all(), SHORT);
    let first = whole.done();
    assert!(first.contains(", all events\n"), "{first}");
    let wanted = whole.alerts();
    for (late, changed) in LATE {
        let early: Vec<&str> = all().into_iter().filter(|name| *name != late).collect();
        let night = Night::of(&early, SHORT);
        night.done();
        let before = night.alerts();
        night.export(late);
        let said = night.done();
        let files = match late {
            "cloudappevents" => "3 files",
            _ => "1 file",
        };
        assert!(said.contains(&format!("ingest: {files}, ")), "{said}");
        // Only around what is new; rules look back for up to two weeks.
        assert!(said.contains(", events from 2026-0"), "{said}");
        let after = night.alerts();
        assert!(after.len() > before.len(), "{late}: {said}");
        assert!(after.is_superset(&wanted), "{late}");
        let further = after.difference(&wanted);
        let further: BTreeSet<&str> = further
            .filter_map(|alert| alert.split('|').nth(1))
            .collect();
        let changed: BTreeSet<&str> = changed.iter().copied().collect();
        assert_eq!(further, changed, "{late}");
        assert!(night.done().ends_with("nothing to do\n"));
    }
}

#[test]
fn a_rule_that_is_new_is_hunted_over_everything() {
    let night = Night::of(&["ual-portal", "watchlists"], SHORT);
    night.done();
    let before = night.alerts();
    let rule = "/*\nid: any-removal\nname: Any label that was removed\nseverity: Low\nqueryPeriod: 1d\n*/\n\
                SELECT \"TimeGenerated\", \"UserId\" FROM LabelEvents WHERE \"Action\" = 'LabelRemoved'";
    fs::create_dir(night.at("my-rules")).expect("a folder");
    fs::write(night.at("my-rules/any-removal.sql"), rule).expect("a rule");
    let changed = SHORT.replace("\"builtin:mip\"", "\"builtin:mip\", \"my-rules\"");
    fs::write(night.at("coldtrail.toml"), changed).expect("a configuration");
    let said = night.done();
    assert!(said.contains("ingest: nothing new, "), "{said}");
    assert!(said.contains(", all events\n"), "{said}");
    let after = night.alerts();
    assert!(after.is_superset(&before));
    let further: Vec<&String> = after.difference(&before).collect();
    let is_new = |alert: &&String| alert.ends_with("|any-removal");
    assert!(
        !further.is_empty() && further.iter().all(is_new),
        "{further:?}"
    );
}

#[test]
fn mistakes_in_a_configuration_are_told_with_their_places() {
    let night = Night::of(&["rms"], SHORT);
    for (text, place, why) in [
        (
            "archive = \"a\"\n[ingest]\ninptus = [\"x\"]\n",
            "line 3, column 1: ",
            "unknown key `inptus`: did you mean `inputs`?",
        ),
        (
            "archive = \"a\"\n[ingest]\ninputs = 3\n",
            "line 3, column 10: ",
            "`inputs` must be a list of paths, as in `inputs = [\"exports\"]`",
        ),
        (
            "archive = \"a\"\n[hunt]\nrules = [\"builtin\"]\nfail_on = \"loud\"\n",
            "line 4, column 11: ",
            "`loud` is none of informational, low, medium, high",
        ),
        (
            "archive = \"a\"\n[report]\noutput = \"r.html\"\ntz = \"Berln\"\n",
            "line 4, column 6: ",
            "`Europe/Berlin`",
        ),
        (
            "archive = \"a\"\n[notify]\ndomains = [\"contoso.com\", \"x y\"]\naccess_denied = true\noutbox = \"o\"\n",
            "line 3, column 27: ",
            "not a domain",
        ),
        (
            "archive = \"a\"\n[notify]\ndomains = [\"contoso.com\"]\nfindings = [\"soc@fabrikam.com\"]\noutbox = \"o\"\n",
            "line 4, column 13: ",
            "nothing would be sent to it",
        ),
        (
            "archive = \"a\"\n[ingest]\ninputs = [\"exports\"]\n[cost]\noutput = \"exports/cost.csv\"\n",
            "line 5, column 10: ",
            "[cost] output lies in",
        ),
        (
            "archive = \"a\"\n[ingest]\ninputs = [\"./exports\"]\n[report]\noutput = \"a/../exports/r.html\"\n",
            "line 5, column 10: ",
            "[report] output lies in",
        ),
        (
            "archive = \"a\"\n[report]\noutput = \"a/r.html\"\n",
            "line 3, column 10: ",
            "[report] output lies in the archive",
        ),
        // All at once.
        (
            "archive = \"a\"\n[hunt]\nrules = [\"builtin\"]\nrule_timeout = \"soon\"\n[report]\noutput = \"r.html\"\ntz = \"Berln\"\n",
            "line 4, column 16: `soon`: not a duration",
            "line 7, column 6: ",
        ),
        (
            "archive = \"a\"\n[report]\noutput = \"r-{week}.html\"\n",
            "line 3, column 10: ",
            "only {date} is known",
        ),
        // Keys of a wrong shape hide none of the values.
        (
            "archive = \"a\"\n[ingest]\ninptus = [\"x\"]\n[hunt]\nrules = [\"builtin:mpi\"]\n[report]\noutput = \"r.html\"\ntz = \"Berln\"\n",
            "line 5, column 10: no built-in pack `mpi`",
            "line 8, column 6: ",
        ),
        (
            "archive = \"a\"\n[hunt]\nrules = [\"builtin:mip\", \"nowhere\"]\n[indicators]\noutput = \"i.json\"\nallow = [\"198.51.100.0/33\"]\n",
            "line 3, column 25: ",
            "line 6, column 10: `198.51.100.0/33` is no range of addresses",
        ),
        (
            "archive = \"a\"\n[hunt]\nrules = [\"builtin:mip\"]\nset = [\"nobody.x=1\"]\n[notify]\ndomains = [\"contoso.com\"]\nfindings = [\"soc\"]\noutbox = \"o\"\n",
            "line 4, column 8: no rule `nobody`",
            "line 7, column 13: `soc` is no address",
        ),
        (
            "archive = \"a\"\n[notify]\ndomains = [\"contoso.com\"]\naccess_denied = true\nsmtp = \"mail\"\n",
            "line 5, column 8: `mail`: not a server",
            "line 3, column 11: servers want to know",
        ),
        ("[compact]\n", "line 1, column 1: ", "`archive` is missing"),
        ("archive = \"a\"\n[hunt\n", "line 2, column ", ""),
        ("archive = \"a\"\n", "", "it asks for nothing"),
    ] {
        fs::write(night.at("coldtrail.toml"), text).expect("a configuration");
        let (code, answer, said) = night.run(&[]);
        assert_eq!((code, answer.as_str()), (Some(3), ""), "{text}: {said}");
        assert!(said.contains("coldtrail.toml"), "{text}: {said}");
        assert!(said.contains(place) && said.contains(why), "{text}: {said}");
        assert!(!night.at("a").exists(), "{text}");
    }
    fs::write(night.at("coldtrail.toml"), SHORT).expect("a configuration");
    let (code, _, said) = night.run(&["--only", "report"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("has no section [report]"), "{said}");
    let missing = run(&["run", "-c", &text(&night.at("none.toml"))]);
    assert_eq!(missing.status.code(), Some(3));
}

#[test]
fn what_could_not_be_read_is_named_by_each_run() {
    let night = Night::of(&["rms", "watchlists"], SHORT);
    let broken = project("sample-data/broken");
    let cut = fs::read_dir(&broken).expect("a folder");
    let cut = cut.map(|entry| entry.expect("an entry").path());
    let cut = cut
        .filter(|path| path.to_string_lossy().contains("gzip-cut-off"))
        .last()
        .expect("an export that breaks off");
    let name = text(Path::new(cut.file_name().expect("a name")));
    fs::copy(&cut, night.at("exports").join(&name)).expect("a copy");
    for _ in 0..2 {
        let (code, _, said) = night.run(&[]);
        assert_eq!(code, Some(10), "{said}");
        let warned = said.lines().find(|line| line.starts_with("warning: "));
        assert!(warned.is_some_and(|line| line.contains(&name)), "{said}");
        assert!(said.contains("1 file not read whole"), "{said}");
        assert!(!said.contains("nothing to do"), "{said}");
    }
    let (code, _, said) = night.run(&["--log-format", "json"]);
    assert_eq!(code, Some(10), "{said}");
    let warned = said.lines().filter(|line| line.contains("\"warning\""));
    assert_eq!(warned.filter(|line| line.contains(&name)).count(), 1);
    assert!(said.contains("\"files_not_whole\":1"), "{said}");
}

#[test]
fn from_where_a_configuration_is_named_changes_nothing() {
    let night = Night::of(&["rms"], WHOLE);
    night.done();
    let mut again = Command::new(env!("CARGO_BIN_EXE_coldtrail"));
    again.args(["run", "--at", "2026-07-01"]);
    let out = again.current_dir(night.at("")).output().expect("it runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.ends_with("nothing to do\n"), "{said}");
}

#[test]
fn a_second_run_is_told_who_is_at_it() {
    let night = Night::of(&["rms"], SHORT);
    let folder = night.at("archive/_nightly");
    fs::create_dir_all(&folder).expect("a folder");
    let lock = File::create(folder.join(".lock")).expect("a file");
    lock.try_lock().expect("nobody has it");
    fs::write(folder.join("holder.txt"), "process 4711").expect("a file");
    let (code, answer, said) = night.run(&[]);
    assert_eq!((code, answer.as_str()), (Some(3), ""), "{said}");
    let told = "another run is under way: process 4711";
    assert!(said.contains(told), "{said}");
    assert!(
        !night.at("archive/Ingests/_delta_log").exists(),
        "it has begun"
    );
    // One that was killed has let go of it, and its file stays.
    drop(lock);
    night.run(&["--only", "ingest"]);
    let query = "SELECT count(*) > 0 FROM Ingests";
    assert_eq!(ask(&night.at("archive"), query), ["true"]);
}

#[test]
fn a_step_that_fails_is_said_and_the_next_run_tries_again() {
    let night = Night::of(&["rms", "watchlists"], WHOLE);
    // A file where a folder is to be.
    fs::write(night.at("outbox"), "").expect("a file");
    let (code, _, said) = night.run(&[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("notify: 0 mails, and some were not taken"),
        "{said}"
    );
    assert!(night.at("out/report-2026-07-01.json").is_file(), "{said}");
    fs::remove_file(night.at("outbox")).expect("the file");
    let said = night.done();
    assert!(said.contains("hunt: nothing new\n"), "{said}");
    assert!(said.contains("report: nothing new\n"), "{said}");
    assert!(!files(&night.at("outbox"), "eml").is_empty(), "{said}");
}

#[test]
fn what_came_after_the_moment_of_a_run_stays_new() {
    let whole = Night::of(&["ual-portal", "rms", "watchlists"], SHORT);
    whole.done();
    let wanted = whole.alerts();
    let night = Night::of(&["ual-portal", "rms", "watchlists"], SHORT);
    let file = text(&night.at("coldtrail.toml"));
    let early = run(&["run", "-c", &file, "--at", "2026-05-01", "--create"]);
    assert_eq!(early.status.code(), Some(0), "{early:?}");
    let said = night.done();
    assert!(!said.contains("hunt: nothing new"), "{said}");
    assert!(night.alerts().is_superset(&wanted), "{said}");
    assert!(night.done().ends_with("nothing to do\n"));
}

#[test]
fn a_run_goes_on_where_nobody_reads_its_answer() {
    let night = Night::of(&["ual-portal", "watchlists"], SHORT);
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["run", "--create", "--at", "2026-07-01", "-c"])
        .arg(night.at("coldtrail.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(!said.contains("failed"), "{said}");
    assert!(!night.alerts().is_empty(), "{said}");
    assert!(night.done().ends_with("nothing to do\n"));
}

#[test]
fn only_an_ingest_makes_an_archive() {
    let night = Night::of(&["rms"], SHORT);
    let (code, _, said) = night.run(&["--only", "hunt"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("is not an archive"), "{said}");
    assert!(!night.at("archive").exists());
}

#[test]
fn a_note_that_is_damaged_is_named_and_may_be_deleted() {
    let night = Night::of(&["rms", "watchlists"], SHORT);
    night.done();
    let note = night.at("archive/_nightly/hunt.json");
    fs::write(&note, "").expect("a file");
    let (code, _, said) = night.run(&[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("hunt.json"), "{said}");
    assert!(said.contains("without this file, the step"), "{said}");
    fs::remove_file(&note).expect("the file");
    assert!(night.done().contains(", all events\n"));
}

#[test]
fn where_rules_are_read_and_what_folders_are_called_changes_nothing() {
    let night = Night::of(&["rms"], "");
    let place = night.at("case [1]");
    fs::create_dir_all(place.join("my-rules")).expect("a folder");
    fs::rename(night.at("exports"), place.join("exports")).expect("a folder");
    let rule = "/*\nid: any-event\nname: Any\nseverity: Low\nqueryPeriod: 1d\n*/\n\
                SELECT \"TimeGenerated\", \"UserId\" FROM LabelEvents";
    fs::write(place.join("my-rules/any.sql"), rule).expect("a rule");
    let settings = "archive = \"archive\"\n[ingest]\ninputs = [\"exports/*/*.log\"]\n\
                    [hunt]\nrules = [\"my-rules\"]\n";
    fs::write(place.join("coldtrail.toml"), settings).expect("a configuration");
    let said_in = |folder: &Path, file: &str| {
        let out = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
            .args(["run", "--create", "--at", "2026-07-01", "-c", file])
            .current_dir(folder)
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{said}");
        said
    };
    let said = said_in(&place, &text(&place.join("coldtrail.toml")));
    assert!(said.contains("ingest: 1 file, "), "{said}");
    let said = said_in(&place, "coldtrail.toml");
    assert!(said.ends_with("nothing to do\n"), "{said}");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let night = Night::of(&["rms", "watchlists"], WHOLE);
    let all = || bytes_of(night.0.path());
    let before = all();
    let (code, answer, said) = night.run(&["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(answer.contains("ingest: would read "), "{answer}");
    assert!(
        answer.contains("hunt: would treat what the ingest brings\n"),
        "{answer}"
    );
    assert!(all() == before, "something has changed");
    assert!(!night.at("archive").exists());
    night.done();
    let before = all();
    let (_, answer, _) = night.run(&["--dry-run"]);
    assert!(answer.contains("hunt: nothing new\n"), "{answer}");
    let (_, answer, _) = night.run(&["--dry-run", "--again", "--only", "hunt"]);
    assert!(answer.contains("hunt: would treat all "), "{answer}");
    assert!(all() == before, "something has changed");
    night.export("informationprotection");
    let before = all();
    let (_, answer, _) = night.run(&["--dry-run"]);
    assert!(answer.contains("ingest: would read 1 file; "), "{answer}");
    assert!(all() == before, "something has changed");
}

/// What a run leaves that others see: alerts, mails, reports.
fn outcome(night: &Night) -> (BTreeSet<String>, [BTreeMap<PathBuf, Vec<u8>>; 2]) {
    let mails = files(&night.at("outbox"), "eml");
    let reports = files(&night.at("out"), "json");
    (night.alerts(), [mails, reports])
}

#[test]
fn a_run_that_is_killed_at_any_moment_is_completed_by_the_next() {
    const KILLS: u32 = 30;
    let exports = ["informationprotection", "rms", "watchlists"];
    let night = Night::of(&exports, WHOLE);
    let started = Instant::now();
    night.done();
    let whole = started.elapsed();
    let wanted = outcome(&night);
    let (alerts, [mails, reports]) = &wanted;
    assert!(!alerts.is_empty() && mails.len() > 2 && reports.len() == 1);
    let mut killed = 0;
    for kill in 0..KILLS {
        for folder in ["archive", "outbox", "out"] {
            fs::remove_dir_all(night.at(folder)).expect("what the last round left");
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
            .args(["run", "--create", "--at", "2026-07-01", "-q", "-c"])
            .arg(night.at("coldtrail.toml"))
            .current_dir(project(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let moment = whole.mul_f64((f64::from(kill) + 0.5) / f64::from(KILLS));
        std::thread::sleep(moment.min(Duration::from_secs(20)));
        if child.try_wait().expect("its status").is_none() {
            child.kill().expect("it can be killed");
            killed += 1;
        }
        child.wait().expect("it ends");
        let said = night.done();
        assert!(outcome(&night) == wanted, "kill {kill}: {said}");
        let sent = run(&["notify", "sent", "-a", &text(&night.at("archive"))]);
        let sent = String::from_utf8_lossy(&sent.stdout).into_owned();
        assert_eq!(sent.lines().count(), mails.len() + 1, "kill {kill}: {sent}");
        assert!(!sent.contains("cut off"), "kill {kill}: {sent}");
    }
    assert!(killed > KILLS / 3, "only {killed} runs could be killed");
    assert!(night.done().ends_with("nothing to do\n"));
}
