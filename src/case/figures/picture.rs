//! What is counted and drawn, as plain data.
//!
//! Where a list is of the most only, `others` has the sums of the rest and how many names that were: the sums over all are right.

use serde::Serialize;

/// All figures of a report.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// How long a bucket of [`buckets`](Figures::buckets) is: `hour`, `day`, `week` or `month`.
    pub unit: &'static str,
    /// The beginning of each bucket, without holes: `2026-05-04`, for hours `2026-05-04T13:00`. All series have one number for each.
    pub buckets: Vec<String>,
    /// Every day, without holes; for series by day. At most [`MOST_DAYS`], the last ones.
    pub days: Vec<String>,
    /// Actions of label events that occur, the most frequent first: `LabelApplied`, `LabelDowngraded`, `AccessDenied`, …
    pub actions: Vec<String>,
    /// Label events.
    pub labels: Labels,
    /// Who was denied what.
    pub access: Access,
    /// Sign-ins, and those beside lowered labels.
    pub sign_ins: SignIns,
}

/// Days of series by day.
pub const MOST_DAYS: usize = 400;
/// Rows of a list of the most.
pub const MOST_ROWS: usize = 50;
/// Rows of a list of single events.
pub const MOST_EVENTS: usize = 2000;

/// Label events.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Labels {
    /// All of them.
    pub total: u64,
    /// Those of each action, in the order of [`Figures::actions`].
    pub by_action: Vec<u64>,
    /// For each action those of each bucket.
    pub over_time: Vec<Vec<u64>>,
    /// Users of each bucket, each once.
    pub users_over_time: Vec<u64>,
    /// Devices of each bucket, each once.
    pub devices_over_time: Vec<u64>,
    /// Users of each of [`Figures::days`], each once.
    pub users_by_day: Vec<u64>,
    /// Devices of each day, each once.
    pub devices_by_day: Vec<u64>,
    /// Users with most events; counts are by action, in the order of [`Figures::actions`].
    pub by_user: Ranking,
    /// Labels with most events: the new one of each, or the old one where it has none; names are resolved.
    pub by_label: Ranking,
    /// Applications with most events.
    pub by_application: Ranking,
    /// Sites, or drives and folders where there is no site, with most events.
    pub by_site: Ranking,
    /// File name extensions in lower case, with most events; `none` where a name has none.
    pub by_extension: Ranking,
    /// How labels were set: `Manual`, `Default`, `Auto`, `Recommended`, `None`, `not said`.
    pub by_how: Ranking,
    /// Labels that occur, the most sensitive first.
    pub used: Vec<LabelUse>,
    /// From which label to which; downgrades and removals first, then the most frequent.
    pub flows: Vec<Flow>,
    /// Days on which a user, a label or all together had far more events than usual; the largest first.
    pub peaks: Vec<Peak>,
    /// Justifications of lowered labels, the most frequent first.
    pub justifications: Ranking,
    /// Labels that were lowered or removed, the last first; at most [`MOST_EVENTS`].
    pub lowered: Vec<Lowered>,
    /// How many there are.
    pub lowered_total: u64,
}

/// The most frequent of something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ranking {
    /// The most frequent, at most [`MOST_ROWS`].
    pub rows: Vec<Ranked>,
    /// How many further names there are.
    pub other_names: u64,
    /// What these have together, as the counts of a row; empty where there are none.
    pub others: Vec<u64>,
    /// Events that have no name of this kind.
    pub unnamed: u64,
}

/// A name in a ranking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ranked {
    /// The name.
    pub name: String,
    /// All its events.
    pub total: u64,
    /// Its events by what the ranking counts; empty where it counts nothing else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<u64>,
}

/// A label, and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelUse {
    /// Its id, in lower case; empty where records have only a name.
    pub id: String,
    /// Its name; its id where nobody knows one.
    pub name: String,
    /// Whether the name is that of Microsoft's default label of this id, which a tenant may have renamed.
    pub is_assumed: bool,
    /// Whether the name is known.
    pub is_named: bool,
    /// Its rank: the higher, the more sensitive.
    pub rank: Option<i64>,
    /// How often it was put on something.
    pub applied: u64,
    /// How often it was put there in the place of a less sensitive one.
    pub upgraded: u64,
    /// How often a less sensitive one came in its place.
    pub downgraded: u64,
    /// How often it was taken away.
    pub removed: u64,
    /// How often something that carries it was opened.
    pub opened: u64,
    /// How often access to something that carries it was denied.
    pub denied: u64,
}

/// How often a label was replaced by another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// The label before, as it is called.
    pub from: String,
    /// Its rank.
    pub from_rank: Option<i64>,
    /// The label after; nothing where there is none any more.
    pub to: Option<String>,
    /// Its rank.
    pub to_rank: Option<i64>,
    /// `LabelDowngraded`, `LabelRemoved`, `LabelUpgraded` or `LabelChanged`.
    pub action: String,
    /// How often.
    pub count: u64,
    /// By how many users.
    pub users: u64,
}

/// A day with far more events than usual.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peak {
    /// `all`, `user` or `label`.
    pub of: &'static str,
    /// The user or the label; empty where it is of all.
    pub name: String,
    /// The day.
    pub day: String,
    /// Its events.
    pub count: u64,
    /// Events of the other days that had some, on average, to one place; nothing where there is no other.
    pub usual: Option<f64>,
    /// How many times as many, to one place.
    pub times: Option<f64>,
}

/// A label that was lowered or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lowered {
    /// When.
    pub time: String,
    /// The same, in microseconds.
    pub at: i64,
    /// `LabelDowngraded` or `LabelRemoved`.
    pub action: String,
    /// Who.
    pub user: String,
    /// To whom the user reports, where that is known.
    pub manager: Option<String>,
    /// Name of the document or mail.
    pub file: Option<String>,
    /// The label before, as it is called.
    pub old: Option<String>,
    /// The label after.
    pub new: Option<String>,
    /// The reason that the user gave.
    pub justification: Option<String>,
    /// With which application.
    pub application: Option<String>,
    /// On which device.
    pub device: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// Number of the ingest, which names the file.
    pub ingest: i64,
    /// Number of the record in the file, from 1.
    pub record: i64,
}

/// Who was denied what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Denials.
    pub denied: u64,
    /// Attempts that succeeded, in the logs that tell both.
    pub granted: u64,
    /// Domains that count as inside.
    pub inside_domains: Vec<String>,
    /// Whether the user said so; else they are those of owners of protected documents and of accounts that the directory calls members.
    pub is_inside_said: bool,
    /// Denials of requesters `inside`, `outside` and `unknown`: of these three, in this order.
    pub by_side: [u64; 3],
    /// Denials of each bucket, by the same three.
    pub over_time: Vec<[u64; 3]>,
    /// Denials of each of [`Figures::days`], by the same three.
    pub by_day: Vec<[u64; 3]>,
    /// Owners whose documents were denied most; counts are by side. `(unknown)` where no record says who.
    pub by_owner: Ranking,
    /// Requesters of the inside.
    pub by_inside: Ranking,
    /// Requesters of the outside, and those of whom nobody knows.
    pub by_outside: Ranking,
    /// Domains of requesters; counts are by side.
    pub by_domain: Ranking,
    /// Labels of the documents; counts are by side.
    pub by_label: Ranking,
    /// Documents; counts are by side.
    pub by_document: Ranking,
    /// Reasons as the logs word them; counts are by side.
    pub by_result: Ranking,
    /// The denials, the last first; at most [`MOST_EVENTS`].
    pub list: Vec<Denied>,
}

/// A denial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// When.
    pub time: String,
    /// The same, in microseconds.
    pub at: i64,
    /// Who asked.
    pub user: String,
    /// `inside`, `outside` or `unknown`.
    pub side: &'static str,
    /// The reason as the log words it.
    pub result: String,
    /// The document: its name, else the id of its content.
    pub document: String,
    /// Its label, as it is called.
    pub label: Option<String>,
    /// To whom it belongs.
    pub owner: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// From which country.
    pub country: Option<String>,
    /// On which device.
    pub device: Option<String>,
    /// With which application.
    pub application: Option<String>,
    /// Number of the ingest, which names the file.
    pub ingest: i64,
    /// Number of the record in the file, from 1.
    pub record: i64,
}

/// Sign-ins, and those beside lowered labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SignIns {
    /// Whether the archive has any; else this picture says nothing.
    pub is_known: bool,
    /// Sign-ins that succeeded on each of [`Figures::days`], of users who lowered labels.
    pub succeeded: Vec<u64>,
    /// Those that failed.
    pub failed: Vec<u64>,
    /// Those at which a risk was seen.
    pub risky: Vec<u64>,
    /// Labels that were lowered or removed on each day.
    pub lowered: Vec<u64>,
    /// Users who lowered labels, most first, with the sign-ins beside; at most [`MOST_ROWS`].
    pub beside: Vec<Beside>,
}

/// A user who lowered labels on a day, and the sign-ins of that day and the day before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Beside {
    /// The user.
    pub user: String,
    /// The day.
    pub day: String,
    /// Labels that the user lowered or removed on it.
    pub lowered: u64,
    /// The sign-ins, by time; at most [`MOST_BESIDE`].
    pub sign_ins: Vec<SignIn>,
    /// How many there are.
    pub sign_ins_total: u64,
}

/// Sign-ins that are shown beside the lowered labels of a user on a day: those with a risk first, then those that failed.
pub const MOST_BESIDE: usize = 20;

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignIn {
    /// When.
    pub time: String,
    /// The same, in microseconds.
    pub at: i64,
    /// `succeeded` or `failed`.
    pub result: &'static str,
    /// Why it failed, or its code.
    pub reason: Option<String>,
    /// The risk, where one was seen: `low`, `medium`, `high`, …
    pub risk: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// From which country.
    pub country: Option<String>,
    /// To which application.
    pub application: Option<String>,
    /// On which device.
    pub device: Option<String>,
}
