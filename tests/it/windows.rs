//! Hunting in windows: whatever a time is split into, each finding comes once. And what is behind the moment of the question is not seen.

mod year;

use std::collections::BTreeSet;
use std::path::Path;

use coldtrail::archive::Archive;
use coldtrail::engine::{self, Session, Source};
use coldtrail::hunt::{self, Choice, Finding, Window};
use coldtrail::progress::Silent;
use coldtrail::rules::{self, Severity};
use serde_json::Value;

use crate::command_line::run;
use crate::{ingest, project};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// 2026-05-04T00:00:00Z, the first day of the sample data, and the day after their last.
const FIRST: i64 = 1_777_852_800_000_000;
const END: i64 = FIRST + 26 * DAY;

/// A finding as text. Its number is its place in one hunt.
fn text_of(finding: &Finding) -> String {
    without_number(serde_json::to_value(finding).expect("a finding is JSON"))
}

fn without_number(mut finding: Value) -> String {
    let members = finding.as_object_mut().expect("a finding is an object");
    members.remove("number").expect("it has a number");
    finding.to_string()
}

/// One archive, hunted again and again.
struct Hunter<'a> {
    session: Session,
    pack: rules::Pack,
    archive: &'a Archive,
}

impl<'a> Hunter<'a> {
    fn new(archive: &'a Archive) -> Self {
        let options = engine::Options::default();
        Hunter {
            session: Session::open(Source::Archive(archive), &options).expect("a session"),
            pack: rules::load(&["builtin:mip".into()]).expect("the pack"),
            archive,
        }
    }

    fn hunt(&mut self, window: Window) -> Vec<Finding> {
        let choice = Choice {
            window,
            ..Choice::of(Severity::Informational)
        };
        let ledger = self.archive.snapshot().expect("a snapshot").ledger;
        let hunt = hunt::sweep(&mut self.session, &self.pack, &choice, &ledger, &Silent);
        let hunt = hunt.expect("a hunt");
        assert_eq!(hunt.not_run(), 0, "{:?}", hunt.outcomes);
        hunt.findings
    }

    /// What sweeps of windows of this length find.
    fn parts(&mut self, (from, to): (i64, i64), length: i64) -> Vec<String> {
        let mut parts = Vec::new();
        let mut start = from;
        while start < to {
            let end = (start + length).min(to);
            let window = Window {
                from: Some(start),
                to: Some(end),
            };
            parts.extend(self.hunt(window).iter().map(text_of));
            start = end;
        }
        parts.sort();
        parts
    }
}

/// Findings whose last event lies between these times.
fn between(findings: &[Finding], (from, to): (i64, i64)) -> Vec<String> {
    let iso = |t| {
        let t = chrono::DateTime::from_timestamp_micros(t).expect("a time of our century");
        t.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let (from, to) = (iso(from), iso(to));
    let last = |f: &Finding| f.last.clone().unwrap_or_else(|| f.first.clone());
    let chosen = findings
        .iter()
        .filter(|f| (from.clone()..to.clone()).contains(&last(f)));
    let mut texts: Vec<String> = chosen.map(text_of).collect();
    texts.sort();
    texts
}

fn assert_equal(whole: &[String], parts: &[String]) {
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let (all, found) = (set(whole), set(parts));
    let lost: Vec<_> = all.difference(&found).take(3).collect();
    let more: Vec<_> = found.difference(&all).take(3).collect();
    assert!(
        lost.is_empty() && more.is_empty(),
        "lost: {lost:#?}\nmore: {more:#?}"
    );
    assert_eq!(whole.len(), parts.len(), "each once");
}

#[test]
fn days_hunted_one_by_one_give_what_one_hunt_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data")]);
    let archive = archive.to_string_lossy();
    let hunt = |more: &[&str]| -> Vec<String> {
        let mut arguments = vec!["hunt", "-a", &archive, "-r", "builtin:mip", "-f", "json"];
        arguments.extend(more);
        let out = run(&arguments);
        assert_eq!(out.status.code(), Some(0), "{more:?}");
        let mut answer: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        let findings = answer["findings"].as_array_mut().expect("findings");
        findings.drain(..).map(without_number).collect()
    };
    let mut whole = hunt(&[]);
    assert_eq!(whole.len(), 80);
    let mut parts = Vec::new();
    for day in 4..30 {
        let from = format!("2026-05-{day:02}");
        let to = format!("2026-05-{:02}", day + 1);
        parts.extend(hunt(&["--from", &from, "--to", &to]));
    }
    whole.sort();
    parts.sort();
    assert_equal(&whole, &parts);
    // A night's hunt an hour after midnight, as a job would run it.
    let night = hunt(&["--since", "24h", "--at", "2026-05-21T00:00:00"]);
    let day = hunt(&["--from", "2026-05-20", "--to", "2026-05-21"]);
    assert_equal(&day, &night);
}

#[test]
fn windows_of_hours_and_odd_ones_give_what_one_sweep_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let archive = Archive::open(&path).expect("an archive");
    let mut hunter = Hunter::new(&archive);
    let whole = hunter.hunt(Window::default());
    assert_eq!(whole.len(), 80);
    let odd = 17 * HOUR + 1_234_567_891;
    for length in [6 * HOUR, odd] {
        let parts = hunter.parts((FIRST, END), length);
        assert_equal(&between(&whole, (FIRST, END)), &parts);
        assert_eq!(parts.len(), 80);
    }
}

/// The year in weeks, and a month of it, in which something goes on for two days, in days: all 365 days one by one would take minutes.
#[test]
fn a_year_of_weeks_and_its_month_of_days_give_what_one_sweep_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let exports = folder.path().join("exports");
    year::write(&exports);
    let path = folder.path().join("archive");
    ingest(&path, &[exports]);
    let archive = Archive::open(&path).expect("an archive");
    let mut hunter = Hunter::new(&archive);
    let whole = hunter.hunt(Window::default());
    let found: BTreeSet<&str> = whole.iter().map(|f| f.rule.as_str()).collect();
    // Each rule over labels, but for one that the year has nothing for; those in KQL ask for administrators and for mail.
    let over_labels = hunter.pack.rules.iter();
    let over_labels = over_labels.filter(|rule| rule.query.language == rules::Language::Sql);
    let over_labels: BTreeSet<&str> = over_labels
        .map(|rule| rule.id.as_str())
        .filter(|id| *id != "protection-removed-in-bulk")
        .collect();
    assert_eq!(over_labels.len(), 16);
    assert!(found.is_superset(&over_labels), "{found:?}");
    let weeks = hunter.parts(year::SPAN, 7 * DAY);
    assert_eq!(weeks.len(), whole.len(), "each once");
    assert_equal(&between(&whole, year::SPAN), &weeks);
    let month = (year::SPAN.0 + 185 * DAY, year::SPAN.0 + 216 * DAY);
    assert_equal(&between(&whole, month), &hunter.parts(month, DAY));
}

fn sample(folder: &Path) -> String {
    let archive = folder.join("archive");
    ingest(&archive, &[project("sample-data")]);
    archive.to_string_lossy().into_owned()
}

/// The last line of an answer.
fn last(arguments: &[&str]) -> String {
    let out = run(arguments);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(
        out.status.code(),
        Some(0),
        "{arguments:?}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    text.lines().last().unwrap_or_default().trim().to_string()
}

#[test]
fn nothing_after_the_moment_of_the_question_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = sample(folder.path());
    let at = ["--at", "2026-05-21T00:00:00Z", "-f", "csv"];
    let ask = |kind: &str, query: &str, more: &[&str]| {
        let mut arguments = vec![kind, "-a", &a, query];
        arguments.extend(at);
        arguments.extend(more);
        last(&arguments)
    };
    // One of 26 May is in the archive too.
    let kql =
        "LabelEvents | where TimeGenerated > ago(24h) and Action == 'LabelDowngraded' | count";
    assert_eq!(ask("kql", kql, &[]), "40");
    let sql = "SELECT count(*) FROM LabelEvents WHERE TimeGenerated > now() - INTERVAL '24 hours' AND Action = 'LabelDowngraded'";
    assert_eq!(ask("sql", sql, &[]), "40");
    let sql =
        "SELECT count(*) FROM stored.\"UnifiedAuditLog\" WHERE TimeGenerated > current_timestamp";
    assert_eq!(ask("sql", sql, &[]), "0");
    assert_eq!(
        ask(
            "sql",
            "SELECT CAST(current_date AS VARCHAR), CAST(today() AS VARCHAR)",
            &[]
        ),
        "2026-05-21,2026-05-21"
    );
    let epoch = "SELECT CAST(date_part('epoch', now()) AS BIGINT)";
    assert_eq!(ask("sql", epoch, &[]), "1779321600");
    // A duration counts back from that moment.
    let all = "SELECT count(*) FROM LabelEvents";
    for (since, hours) in [("24h", 24), ("1d", 24), ("1440m", 24), ("1w", 168)] {
        let query = format!("{all} WHERE TimeGenerated >= now() - INTERVAL '{hours} hours'");
        assert_eq!(
            ask("sql", all, &["--since", since]),
            ask("sql", &query, &[]),
            "{since}"
        );
    }
    let late = last(&["hunt", "-a", &a, "--at", "2026-05-12", "-f", "ndjson"]);
    let finding: Value = serde_json::from_str(&late).expect("a finding");
    assert!(
        finding["first"]
            .as_str()
            .is_some_and(|t| t < "2026-05-12T00:00:01")
    );
    let gaps = last(&["gaps", "-a", &a, "--at", "2026-05-05", "-f", "json"]);
    assert!(!gaps.is_empty());
}

#[test]
fn times_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = sample(folder.path());
    for (arguments, told) in [
        (vec!["--since", "yesterday"], "not a duration"),
        (vec!["--since", "0h"], "not a duration"),
        (vec!["--at", "yesterday"], "not a time"),
        (vec!["--from", "24h"], "--since"),
        (
            vec!["--since", "1d", "--from", "2026-05-01"],
            "cannot be used with",
        ),
        (
            vec!["--from", "2026-05-20", "--at", "2026-05-19"],
            "nothing lies between",
        ),
        (vec!["--threads", "0"], "between 1 and"),
        (vec!["--memory-limit", "10"], "at least 16MiB"),
    ] {
        let mut all = vec!["sql", "-a", &a, "SELECT 1"];
        all.extend(&arguments);
        let out = run(&all);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}

fn rule(folder: &Path, name: &str, header: &str, query: &str) -> String {
    let path = folder.join(format!("{name}.sql"));
    let text = format!("/*\nid: {name}\nname: {name}\nseverity: High\n{header}*/\n{query}");
    std::fs::write(&path, text).expect("a rule");
    path.to_string_lossy().into_owned()
}

#[test]
fn a_rule_whose_rows_have_no_time_judges_the_window_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = sample(folder.path());
    let count = "SELECT count(*) AS N FROM LabelEvents HAVING count(*) > 0";
    let timeless = rule(folder.path(), "timeless", "queryPeriod: 7d\n", count);
    let hunt = |rule: &str, more: &[&str]| -> Value {
        let mut arguments = vec!["hunt", "-a", &a, "-r", rule, "-f", "json"];
        arguments.extend(more);
        serde_json::from_slice(&run(&arguments).stdout).expect("JSON")
    };
    let window = ["--from", "2026-05-20", "--to", "2026-05-21"];
    let day = last(&[
        "sql",
        "-a",
        &a,
        "SELECT count(*) FROM LabelEvents",
        "-f",
        "csv",
        window[0],
        window[1],
        window[2],
        window[3],
    ]);
    assert_eq!(
        hunt(&timeless, &window)["findings"][0]["details"]["N"].to_string(),
        day
    );
    // The trigger counts the rows of the window.
    let few = rule(
        folder.path(),
        "few",
        "queryPeriod: 7d\ntriggerOperator: lt\ntriggerThreshold: 1\n",
        "SELECT TimeGenerated, _Source FROM LabelEvents WHERE Action = 'LabelRemoved'",
    );
    let quiet = ["--from", "2026-05-03", "--to", "2026-05-04"];
    assert_eq!(hunt(&few, &quiet)["rules"][0]["status"], "found");
    assert_eq!(hunt(&few, &[])["rules"][0]["status"], "nothing");
}

#[test]
fn rules_judge_what_they_can_and_say_what_they_could_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/ual-portal")]);
    let a = archive.to_string_lossy();
    let out = run(&[
        "hunt",
        "-a",
        &a,
        "-r",
        "queries/mip/label-downgraded.sql",
        "-f",
        "json",
    ]);
    assert_eq!(out.status.code(), Some(0));
    let answer: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    // Nine records say themselves that they lower a label.
    assert_eq!(answer["findings"].as_array().map(Vec::len), Some(9));
    assert_eq!(answer["rules"][0]["unjudged"]["count"], 5);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        said.contains(
            "rule `label-downgraded`: 5 changes of a label whose order nobody gave not judged: no `watchlists/Labels.csv`"
        ),
        "{said}"
    );
    // All that are counted together are told together, and only a rule that is about a list needs it.
    let out = run(&["hunt", "-a", &a, "-r", "builtin:mip"]);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("rules `downgrade-justification"), "{said}");
    assert!(
        said.contains("rule `critical-file-touched` did not run: it needs the watchlist"),
        "{said}"
    );
    assert_eq!(said.matches("did not run").count(), 1, "{said}");
    assert!(String::from_utf8_lossy(&out.stdout).contains("from 24 rules; 1 rule did not run"));
    // With the list there is nothing to say.
    let other = tempfile::tempdir().expect("a folder");
    let a = sample(other.path());
    let out = run(&["hunt", "-a", &a, "-r", "builtin:mip"]);
    assert!(!String::from_utf8_lossy(&out.stderr).contains("not judged"));
}

#[test]
fn exit_codes_add_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data/ual-portal")]);
    let a = archive.to_string_lossy();
    let broken = rule(
        folder.path(),
        "broken",
        "",
        "SELECT Nothing FROM LabelEvents",
    );
    let code = |arguments: &[&str]| run(arguments).status.code();
    let critical = "queries/mip/critical-file-touched.sql";
    let removed = "queries/mip/label-removed.sql";
    for (arguments, wanted) in [
        (vec!["-r", removed], 0),
        (vec!["-r", removed, "--fail-on", "medium"], 1),
        (vec!["-r", removed, "-r", critical], 20),
        (
            vec!["-r", removed, "-r", critical, "--fail-on", "medium"],
            21,
        ),
        (vec!["-r", removed, "-r", critical, "--ignore-missing"], 0),
        (
            vec![
                "-r",
                removed,
                "-r",
                critical,
                "--ignore-missing",
                "--fail-on",
                "medium",
            ],
            1,
        ),
        (vec!["-r", removed, "-r", &broken, "--ignore-missing"], 20),
    ] {
        let mut all = vec!["hunt", "-a", &a];
        all.extend(&arguments);
        assert_eq!(code(&all), Some(wanted), "{arguments:?}");
    }
    let garbage = "sample-data/broken/binary-garbage.bin";
    let portal = "sample-data/ual-portal";
    for (name, arguments, wanted) in [
        ("both", vec![portal, garbage, "-r", critical], 30),
        (
            "all",
            vec![
                portal,
                garbage,
                "-r",
                removed,
                "-r",
                critical,
                "--fail-on",
                "low",
            ],
            31,
        ),
        (
            "read",
            vec![
                portal,
                garbage,
                "-r",
                removed,
                "-r",
                critical,
                "--ignore-missing",
            ],
            10,
        ),
        (
            "found",
            vec![portal, garbage, "-r", removed, "--fail-on", "low"],
            11,
        ),
    ] {
        let out = folder.path().join(name);
        let out = out.to_string_lossy();
        let mut all = vec!["analyze", "-o", &out];
        all.extend(&arguments);
        assert_eq!(code(&all), Some(wanted), "{name}");
    }
}

#[test]
fn findings_come_in_every_format_and_are_never_cut_in_a_pipe_or_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = sample(folder.path());
    let out = run(&["hunt", "-a", &a, "-r", "builtin:mip"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!text.contains(" more"), "{text}");
    assert_eq!(text.matches("label-downgraded").count(), 41, "{text}");
    // One file is one thing, with its name and its folder.
    assert!(!text.contains("Appraisal Notes.docx (+"), "{text}");
    for (name, lines, begins) in [
        ("findings.ndjson", 80, "{\"generator\":\"coldtrail "),
        ("findings.csv", 81, "number,severity,"),
        (
            "findings.md",
            84,
            "<meta name=\"generator\" content=\"coldtrail ",
        ),
    ] {
        let path = folder.path().join(name);
        let out = run(&[
            "hunt",
            "-a",
            &a,
            "-r",
            "builtin:mip",
            "-o",
            &path.to_string_lossy(),
        ]);
        assert_eq!(out.status.code(), Some(0), "{name}");
        let text = std::fs::read_to_string(&path).expect(name);
        assert!(text.starts_with(begins), "{name}: {text:.80}");
        assert_eq!(text.lines().count(), lines, "{name}");
    }
    let path = folder.path().join("findings.txt");
    let path = path.to_string_lossy();
    assert_eq!(
        run(&["hunt", "-a", &a, "-r", "builtin:mip", "-o", &path])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(std::fs::read_to_string(&*path).expect("a table"), text);
    for refused in ["f.parquet", "f.xlsx", "f.json.gz"] {
        let path = folder.path().join(refused);
        let out = run(&[
            "hunt",
            "-a",
            &a,
            "-r",
            "builtin:mip",
            "-o",
            &path.to_string_lossy(),
        ]);
        assert_eq!(out.status.code(), Some(2), "{refused}");
        assert!(!path.exists(), "{refused}");
    }
}

#[test]
fn tens_of_thousands_of_findings_are_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let a = sample(folder.path());
    let many = rule(
        folder.path(),
        "many",
        "",
        "SELECT u.TimeGenerated, n.value AS N, u._Source FROM UnifiedAuditLog AS u \
         CROSS JOIN (SELECT unnest(range(0, 100)) AS value) AS n",
    );
    let started = std::time::Instant::now();
    let out = run(&["hunt", "-a", &a, "-r", &many]);
    let took = started.elapsed();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("34,400 findings"), "{:.200}", text);
    // Each compared with each took half a minute.
    assert!(took.as_secs() < 15, "{took:?}");
}
