//! What a report says, as plain data: every document is a pure function of it, and `-f json` is it.
//!
//! Numbers are numbers. Times are ISO 8601 in the report's zone with their offset (`Z` in UTC), and microseconds since 1970 beside them where
//! something is sorted or filtered by them. Days are `YYYY-MM-DD` in that zone. Texts are raw, as the logs have them: whoever shows them makes them
//! harmless for its medium. Lists are in the order in which they are to be shown. A member that says nothing is left out where there may be many of
//! them, and `null` elsewhere.
//!
//! The figures and pictures themselves are [`Figures`], made by the case.

use serde::Serialize;

pub use crate::case::figures::Figures;

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Who made it, when and of what. Its members come first, so that a file tells what it is by its beginning.
    #[serde(flatten)]
    pub head: Head,
    /// What a manager reads.
    pub summary: Summary,
    /// What was found.
    pub findings: Findings,
    /// The rules, in the order of their ids.
    pub rules: Vec<Rule>,
    /// What is counted and drawn: labels, access, sign-ins.
    pub figures: Figures,
    /// Events that matter, in the order of time.
    pub timeline: Timeline,
    /// A page a person.
    pub people: People,
    /// What was read, and what not.
    pub health: Health,
}

/// Who made a report, when and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// `coldtrail` and its version: by that an ingest knows that this is no export.
    pub generator: &'static str,
    /// Version of coldtrail.
    pub version: &'static str,
    /// The title.
    pub title: String,
    /// When it was made.
    pub made: String,
    /// The zone of its times, by its name: `UTC`, `Europe/Berlin`.
    pub zone: String,
    /// The archive, as the user named it.
    pub archive: String,
    /// Not before this time, where that was asked for.
    pub from: Option<String>,
    /// Before this time, where that was asked for.
    pub to: Option<String>,
    /// The users that were asked for; all where there is none.
    pub users: Vec<String>,
    /// Time of the first event that was looked at.
    pub first: Option<String>,
    /// Time of the last.
    pub last: Option<String>,
}

/// What a manager reads in a minute.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Sentences, the most important first; plain text.
    pub lines: Vec<String>,
    /// What is to be known before one believes the rest: holes, files that were not read, rules that did not run. Plain text, may be empty.
    pub caveats: Vec<String>,
    /// Key figures.
    pub figures: Vec<KeyFigure>,
    /// The two periods whose figures are compared; nothing where there is no time to compare.
    pub periods: Option<Periods>,
    /// Findings by severity, the worst first, all four.
    pub by_severity: Vec<Count>,
    /// Findings by ATT&CK tactic, in the order of ATT&CK; those of which there are some.
    pub by_tactic: Vec<Count>,
    /// Rules with findings, the worst and most first.
    pub by_rule: Vec<RuleCount>,
    /// Findings of each bucket of [`Figures::buckets`], by severity in the order of `by_severity`.
    pub findings_over_time: Vec<[u64; 4]>,
}

/// Two periods of one length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Periods {
    /// How long each is, in words: `7 days`, `36 hours`.
    pub length: String,
    /// The later one: not before.
    pub from: String,
    /// Before.
    pub to: String,
    /// The one before it: not before. It ends where the later begins.
    pub before: String,
    /// Whether the archive reaches back to the beginning of the one before. Where it does not, a rise says little.
    pub is_covered: bool,
}

/// A key figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyFigure {
    /// `findings`, `label_actions`, `protection_actions`, `lowered`, `denials`, `users`, `devices`.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its value in everything that was asked for.
    pub value: u64,
    /// What it consists of, for its proportions; may be empty.
    pub parts: Vec<Count>,
    /// Its value in the later of the two periods.
    pub now: Option<u64>,
    /// Its value in the one before.
    pub before: Option<u64>,
    /// The change in percent; nothing where there was nothing before, or the archive does not reach back so far.
    pub change: Option<f64>,
    /// Its value in each bucket of [`Figures::buckets`], for a small line.
    pub series: Vec<u64>,
}

/// A name and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The name.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// A rule and its findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// Place in [`Report::rules`].
    pub rule: usize,
    /// The worst severity of its findings.
    pub severity: &'static str,
    /// Its findings.
    pub count: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// All there are.
    pub total: u64,
    /// The worst of them, and of equal ones the first. Where these are not all, the others are counted in the figures and written by `-f csv`.
    pub list: Vec<Finding>,
    /// How many of the list have a sheet; these are its first.
    pub in_full: u64,
    /// Those that are not in the list, by severity in the order of [`Summary::by_severity`].
    pub left_out: [u64; 4],
    /// The command that writes all; where nothing was left out, nothing.
    pub rest: Option<String>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Its number, from 1.
    pub number: usize,
    /// Place in [`Report::rules`].
    pub rule: usize,
    /// Its title, where it is not the rule's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// `High`, `Medium`, `Low`, `Informational`.
    pub severity: &'static str,
    /// Its tactics, where they are not the rule's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tactics: Option<Vec<String>>,
    /// Its techniques, where they are not the rule's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub techniques: Option<Vec<String>>,
    /// Time of the first event; empty where it has none.
    pub first: String,
    /// The same, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
    /// Time of the last event, where there is a span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The accounts that it is about, in lower case; the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// How many further accounts there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_users: u64,
    /// What it is about beside accounts; the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub things: Vec<Thing>,
    /// How many further things there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_things: u64,
    /// How many records it rests on.
    pub records: u64,
    /// All that is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<Sheet>,
}

/// Something that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thing {
    /// `File`, `IP`, `Host`, `CloudApplication`, `Mailbox`, `URL`, …
    pub kind: String,
    /// What it is called.
    pub name: String,
}

/// All that is known of a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sheet {
    /// What its row says in the place of the rule's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is about, with the identifiers of its rule.
    pub entities: Vec<Entity>,
    /// How many further entities there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_entities: u64,
    /// The row: name and value, without what the entities say.
    pub details: Vec<Detail>,
    /// Records that it rests on; the first of them.
    pub evidence: Vec<Evidence>,
    /// Why these are not known, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_evidence: Option<&'static str>,
}

/// An identifier of something that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entity {
    /// `Account`, `IP`, `File`, …
    pub kind: String,
    /// `FullName`, `Address`, `Name`, …
    pub identifier: String,
    /// Its value.
    pub value: String,
}

/// A column of the row of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Its name.
    pub name: String,
    /// Its value as text; lists with commas. A monster is cut and ends with `…`.
    pub value: String,
}

/// A record that a finding rests on, and the way back to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Number of the ingest: the file is that of [`Input::ingest`].
    pub ingest: i64,
    /// Number of the record in the file, from 1.
    pub record: i64,
    /// Table of the event; may be empty.
    pub table: String,
    /// Time of the event; may be empty.
    pub time: String,
    /// Identity of the event; may be empty.
    pub event_id: String,
    /// A sentence: who did what, where the timeline has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// A rule and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its id, or the file that is no rule.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its severity; empty where it could not be loaded.
    pub severity: &'static str,
    /// `found`, `nothing` (it ran), `lacks` (a watchlist, a function, a table), `not run`.
    pub status: &'static str,
    /// Why it did not run, or found nothing.
    pub reason: String,
    /// Its findings.
    pub findings: u64,
    /// Why it matters.
    pub description: String,
    /// ATT&CK tactics, as Sentinel spells them.
    pub tactics: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// When it fires for good reasons.
    pub false_positives: Vec<String>,
    /// Addresses of pages that have its facts.
    pub references: Vec<String>,
    /// What its parameters were in this hunt, a sentence each.
    pub parameters: Vec<String>,
    /// What it could not judge, where there is something: a sentence.
    pub unjudged: Option<String>,
    /// Its own version, as it writes that.
    pub version: Option<String>,
    /// SHA-256 of its query.
    pub sha256: String,
}

/// Events that matter: what findings rest on, labels that were lowered, access that was denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The events, by time; where these are not all, those of the worst findings.
    pub events: Vec<Moment>,
    /// All there are.
    pub total: u64,
    /// The command that writes all events of the archive.
    pub rest: String,
}

/// An event of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub time: String,
    /// The same, in microseconds.
    pub at: i64,
    /// A sentence: who did what, to what, from where.
    pub said: String,
    /// `finding`, `lowered`, `denied`: why it is here; several are possible.
    pub why: Vec<&'static str>,
    /// Numbers of the findings that rest on it; the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<usize>,
    /// The worst severity of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<&'static str>,
    /// Who, in lower case; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// From which address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// What was done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// To what.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// With which application.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub application: String,
    /// The table.
    pub table: String,
    /// Number of the ingest: the file is that of [`Input::ingest`].
    pub ingest: i64,
    /// Number of the record in the file, from 1.
    pub record: i64,
    /// Identity of the event, as logged: it tells the copies of an event. Not written.
    #[serde(skip)]
    pub event_id: String,
}

/// A page a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct People {
    /// Those with the worst findings, then those who lowered most labels, then those who were denied most, then by the number of label actions.
    pub list: Vec<Person>,
    /// How many there are.
    pub total: u64,
}

/// What is known of a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Person {
    /// The account, in lower case.
    pub user: String,
    /// The name, where the archive has it.
    pub name: Option<String>,
    /// To whom the person reports, where that is known.
    pub manager: Option<String>,
    /// Findings by severity: High, Medium, Low, Informational.
    pub by_severity: [u64; 4],
    /// Numbers of the findings, the worst first; the first of them.
    pub findings: Vec<usize>,
    /// Label events by action, in the order of [`Figures::actions`].
    pub actions: Vec<u64>,
    /// Label events of each bucket of [`Figures::buckets`].
    pub activity: Vec<u64>,
    /// Documents that the person was denied.
    pub denied: u64,
    /// Denials of documents that the person owns.
    pub denied_to_others: u64,
    /// Sign-ins that succeeded …
    pub sign_ins: u64,
    /// … and those that failed.
    pub failed_sign_ins: u64,
    /// Those at which a risk was seen.
    pub risky_sign_ins: u64,
    /// Time of the first event of labels, denials and sign-ins.
    pub first: Option<String>,
    /// Time of the last.
    pub last: Option<String>,
    /// Devices of label events and sign-ins, the most used first; the first few.
    pub devices: Vec<Count>,
    /// Applications of label events.
    pub applications: Vec<Count>,
    /// Addresses of sign-ins and label events.
    pub addresses: Vec<Count>,
    /// Countries of sign-ins.
    pub countries: Vec<Count>,
}

/// What was read, and what not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// Version of coldtrail.
    pub tool: &'static str,
    /// SHA-256 over the ids and queries of the rules that were run, in the order of their ids.
    pub rules_sha256: String,
    /// Rules that ran.
    pub rules_run: u64,
    /// Rules that did not.
    pub rules_not_run: u64,
    /// Files that were read.
    pub inputs: Vec<Input>,
    /// Sums over these.
    pub sum: Sum,
    /// The tables.
    pub tables: Vec<Table>,
    /// What is missing, and what is in doubt.
    pub gaps: Vec<Gap>,
    /// Records that could not be converted, by reason.
    pub quarantine: Vec<Reason>,
    /// Findings that exclusions of the archive left out: by exclusion.
    pub excluded: Vec<Count>,
}

/// Sums over the files that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Files.
    pub files: u64,
    /// Files that were not read to their end, or not at all.
    pub broken: u64,
    /// Those of them of which nothing could be read.
    pub unreadable: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
    /// Events that became of these.
    pub events: u64,
    /// Records that were there already.
    pub duplicates: u64,
    /// Records that were there with other content.
    pub revisions: u64,
    /// Records that could not be converted.
    pub quarantined: u64,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Number of the ingest.
    pub ingest: i64,
    /// The file, as it was named.
    pub file: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its bytes.
    pub bytes: u64,
    /// What it is.
    pub kind: String,
    /// How it is packed: `none`, `gzip`, `zip, …`.
    pub container: String,
    /// Tables of its events.
    pub tables: Vec<String>,
    /// Records in it.
    pub records: u64,
    /// Events that became of these.
    pub events: u64,
    /// Records that were there already.
    pub duplicates: u64,
    /// Records that were there with other content.
    pub revisions: u64,
    /// Records that could not be converted.
    pub quarantined: u64,
    /// Time of the first event.
    pub first: Option<String>,
    /// Time of the last.
    pub last: Option<String>,
    /// `complete`, `incomplete`, `unreadable`.
    pub status: &'static str,
    /// What is to be said of it; may be empty.
    pub note: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Time of the first.
    pub first: Option<String>,
    /// Time of the last.
    pub last: Option<String>,
}

/// Something that is missing or in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// `hole`, `low-hours`, `cap`, `incomplete`, `missing-workload`, `outside-range`, `zone-doubt`, `no-time`.
    pub kind: &'static str,
    /// The table that it is about, or the tables of a file.
    pub table: String,
    /// The file or the workload; empty for all of a table.
    pub place: String,
    /// Since when, where it is about a time.
    pub from: Option<String>,
    /// Until when.
    pub to: Option<String>,
    /// What was expected: a number, or words.
    pub expected: String,
    /// What there is.
    pub found: String,
    /// How it was told: a sentence.
    pub said: String,
}

/// Why records could not be converted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The reason.
    pub reason: String,
    /// How many records.
    pub count: u64,
    /// One of them: file, record, byte.
    pub example: String,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}
