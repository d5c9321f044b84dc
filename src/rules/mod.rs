//! Rules: what to look for, with the same keys as a Microsoft Sentinel scheduled analytics rule.
//!
//! A rule is a `.sql` file whose leading comment is the YAML header. Loading returns every diagnostic: a rule that cannot run says
//! why and is counted. Knows nothing of how rules are run.
//!
//! # Times
//!
//! A row of a rule belongs to its last event: `EndTime`, else `TimeGenerated`. All that the row depends on lies within `queryPeriod` before that
//! event and within `queryPeriod` after it: the events that it tells of, those that it is compared with, and those that would have made it
//! another row. A hunt of some days shows the rule that much around them, and so every day by itself gives what all days together give. A rule
//! without `queryPeriod` sees all that there is, one whose rows have no time only what lies in the hunt's own time. A trigger that is not `gt 0`
//! counts the rows of the hunt's own time, so that such a rule may say nothing on days that have enough rows together.
//!
//! # Keys that are coldtrail's own
//!
//! - `watchlists`: lists that the query reads, `NAME: {required: true|false, columns: [...]}`. Without a required one the rule does not run; an
//!   empty list stands in for any other.
//! - `unjudged`: what the rule would judge if somebody said more, see [`Unjudged`].
//! - `tests`: events, and how many findings they must give, see [`Test`].

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::fault::Diagnostic;
use crate::fault::{Error, Result};

pub mod tests;

/// The packs inside the binary.
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/queries");

/// How bad a finding is, as Sentinel says it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize,
)]
pub enum Severity {
    /// Worth knowing.
    Informational,
    /// Low
    Low,
    /// Medium
    Medium,
    /// High
    High,
}

impl Severity {
    /// All, the worst first.
    pub const ALL: [Severity; 4] = [
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Informational,
    ];

    /// Name as Sentinel spells it.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Informational => "Informational",
            Severity::Low => "Low",
            Severity::Medium => "Medium",
            Severity::High => "High",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a rule's rows are an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// `gt`, `lt`, `eq`, `ne`
    pub operator: Operator,
    /// Compared with the number of rows.
    pub threshold: u64,
}

/// How the number of rows is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Operator {
    /// More than.
    #[serde(rename = "gt", alias = "GreaterThan")]
    GreaterThan,
    /// Fewer than.
    #[serde(rename = "lt", alias = "LessThan")]
    LessThan,
    /// As many as.
    #[serde(rename = "eq", alias = "Equal")]
    Equal,
    /// Not as many as.
    #[serde(rename = "ne", alias = "NotEqual")]
    NotEqual,
}

impl Trigger {
    /// Whether any row is an alert.
    pub fn is_any(self) -> bool {
        self.operator == Operator::GreaterThan && self.threshold == 0
    }

    /// Whether so many rows are an alert.
    pub fn fires(self, rows: u64) -> bool {
        match self.operator {
            Operator::GreaterThan => rows > self.threshold,
            Operator::LessThan => rows < self.threshold,
            Operator::Equal => rows == self.threshold,
            Operator::NotEqual => rows != self.threshold,
        }
    }
}

/// A watchlist that a rule reads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchlistNeed {
    /// Without it the rule does not run; else an empty one stands in.
    pub required: bool,
    /// Its columns.
    pub columns: Vec<String>,
}

/// What a rule could not judge. It runs all the same and judges the rest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unjudged {
    /// What it is, behind a number: `change{s} of a label whose order nobody gave`; `{s}` is the plural's.
    pub what: String,
    /// The watchlist that would say what is missing, where one would.
    #[serde(default)]
    pub watchlist: Option<String>,
    /// A query that counts it, among the events of the hunt's own time.
    pub query: String,
}

/// Which columns of a row name an entity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntityMapping {
    /// Account, IP, File, Host, …
    pub entity_type: String,
    /// Its identifiers.
    pub field_mappings: Vec<FieldMapping>,
}

/// One identifier of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldMapping {
    /// FullName, Address, Name, …
    pub identifier: String,
    /// The column that holds it.
    pub column_name: String,
}

/// A test that a rule carries: events, and how many findings they must give.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// Rows of watchlists.
    #[serde(default)]
    pub watchlists: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    /// Events.
    pub events: Vec<TestEvent>,
    /// How many findings.
    pub finds: usize,
}

/// An event of a test.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestEvent {
    /// Its table; audit records when not given.
    #[serde(default = "audit_table")]
    pub table: String,
    /// The record.
    pub record: serde_json::Value,
    /// Copies of it.
    #[serde(default)]
    pub repeat: Option<Repeat>,
}

fn audit_table() -> String {
    "UnifiedAuditLog".into()
}

/// Copies of an event, each with its own identity and a later time; `{n}` in its texts becomes the copy's number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How many.
    pub count: u32,
    /// Time between them: `15s`, `2m`, `1h`, `1d`.
    pub every: String,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its id, unique.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it finds and why that matters.
    pub description: String,
    /// How bad a finding is.
    pub severity: Severity,
    /// ATT&CK tactics.
    pub tactics: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<String>,
    /// Seconds between runs, and seconds it looks back, for scheduled rules.
    pub schedule: Option<(u64, u64)>,
    /// Seconds that it looks back; when not given, as far as there is something.
    pub period: Option<u64>,
    /// When its rows are an alert.
    pub trigger: Trigger,
    /// Watchlists that it reads.
    pub watchlists: BTreeMap<String, WatchlistNeed>,
    /// What it could not judge.
    pub unjudged: Option<Unjudged>,
    /// Entities in its rows.
    pub entities: Vec<EntityMapping>,
    /// Names that Sentinel shows for columns.
    pub details: BTreeMap<String, String>,
    /// When it fires for good reasons.
    pub false_positives: Vec<String>,
    /// Its tests.
    pub tests: Vec<Test>,
    /// The query.
    pub sql: String,
    /// File that it came from.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    id: String,
    name: String,
    #[serde(default)]
    description: String,
    severity: Severity,
    #[serde(default)]
    tactics: Vec<String>,
    #[serde(default)]
    relevant_techniques: Vec<String>,
    #[serde(default)]
    query_frequency: Option<String>,
    #[serde(default)]
    query_period: Option<String>,
    #[serde(default)]
    trigger_operator: Option<Operator>,
    #[serde(default)]
    trigger_threshold: Option<u64>,
    #[serde(default)]
    watchlists: BTreeMap<String, WatchlistNeed>,
    #[serde(default)]
    unjudged: Option<Unjudged>,
    #[serde(default)]
    entity_mappings: Vec<EntityMapping>,
    #[serde(default)]
    custom_details: BTreeMap<String, String>,
    #[serde(default)]
    false_positives: Vec<String>,
    #[serde(default)]
    tests: Vec<Test>,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

/// Keys of Sentinel's rules that say nothing to us and are no mistake.
const IGNORED_KEYS: [&str; 10] = [
    "version",
    "kind",
    "status",
    "tags",
    "metadata",
    "requiredDataConnectors",
    "eventGroupingSettings",
    "suppressionEnabled",
    "suppressionDuration",
    "alertDetailsOverride",
];

/// Rules, and what is to be said of those that could not be loaded or look wrong.
#[derive(Debug, Default)]
pub struct Pack {
    /// Rules that can run, by id.
    pub rules: Vec<Rule>,
    /// Everything that was noticed.
    pub diagnostics: Vec<Diagnostic>,
}

/// Name that stands for the packs inside the binary.
pub const BUILT_IN_NAME: &str = "builtin";

/// Loads rules from files and folders; `builtin` names the packs inside the binary, and so does an empty list.
///
/// # Errors
/// When a path does not exist or cannot be read. What is wrong with a rule is a diagnostic, not an error.
pub fn load(paths: &[PathBuf]) -> Result<Pack> {
    let mut pack = Pack::default();
    let mut files: Vec<(String, Result<String, String>)> = Vec::new();
    if paths.is_empty() {
        built_in(&BUILT_IN, &mut files);
    }
    for path in paths {
        if path.as_os_str() == BUILT_IN_NAME && !path.exists() {
            built_in(&BUILT_IN, &mut files);
        } else {
            from_path(path, &mut files)?;
        }
    }
    if files.is_empty() {
        let named: Vec<String> = paths.iter().map(|p| format!("`{}`", p.display())).collect();
        return Err(Error::Usage(format!("no rules in {}", named.join(", "))));
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    for (source, text) in files {
        match text {
            Ok(text) => read(&source, &text, &mut pack),
            Err(why) => pack.diagnostics.push(Diagnostic::error(source, why)),
        }
    }
    let mut seen = HashSet::new();
    let (mut rules, mut twice) = (Vec::new(), Vec::new());
    for rule in pack.rules.drain(..) {
        if seen.insert(rule.id.clone()) {
            rules.push(rule);
        } else {
            twice.push(Diagnostic::error(
                rule.source,
                format!("another rule has the id `{}`", rule.id),
            ));
        }
    }
    pack.diagnostics.extend(twice);
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    pack.rules = rules;
    Ok(pack)
}

fn built_in(dir: &Dir<'_>, files: &mut Vec<(String, Result<String, String>)>) {
    for file in dir.files() {
        let name = format!("queries/{}", file.path().display()).replace('\\', "/");
        let text = file
            .contents_utf8()
            .map(str::to_string)
            .ok_or_else(|| "not UTF-8".to_string());
        files.push((name, text));
    }
    for below in dir.dirs() {
        built_in(below, files);
    }
}

fn from_path(path: &Path, files: &mut Vec<(String, Result<String, String>)>) -> Result<()> {
    if !path.exists() {
        return Err(Error::NoInput(path.display().to_string()));
    }
    for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
        let entry = entry.map_err(|e| Error::io("read", path)(e.into()))?;
        let kind = entry.file_type();
        // Rules that are mounted are links to files.
        let is_rule = kind.is_file() || (kind.is_symlink() && entry.path().is_file());
        if !is_rule {
            continue;
        }
        let ending = entry
            .path()
            .extension()
            .map(|e| e.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        let name = entry.path().display().to_string().replace('\\', "/");
        match ending.as_str() {
            "sql" => {
                let text = std::fs::read_to_string(entry.path()).map_err(|e| e.to_string());
                files.push((name, text));
            }
            "yaml" | "yml" | "kql" | "csl" | "json" => files.push((
                name,
                Err("only rules in SQL run yet; KQL and Sigma do not (`coldtrail kql -F FILE` runs the query of a rule of Sentinel or Defender)".into()),
            )),
            // A file that was named on its own is meant as a rule.
            _ if entry.depth() == 0 => {
                files.push((name, Err("a rule is a `.sql` file".into())));
            }
            _ => {}
        }
    }
    Ok(())
}

fn read(source: &str, text: &str, pack: &mut Pack) {
    let error = |message: String| Diagnostic::error(source, message);
    let Some((header, sql)) = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .strip_prefix("/*")
        .and_then(|rest| rest.split_once("*/"))
    else {
        pack.diagnostics.push(
            error("no header".into())
                .with_hint("a rule begins with `/*`, its YAML header and `*/`"),
        );
        return;
    };
    let header: Header = match serde_saphyr::from_str(header) {
        Ok(header) => header,
        Err(e) => {
            pack.diagnostics.push(error(format!("header: {e}")));
            return;
        }
    };
    for key in header.other.keys() {
        if !IGNORED_KEYS.contains(&key.as_str()) {
            pack.diagnostics.push(Diagnostic::warning(
                source,
                format!("header has an unknown key `{key}`"),
            ));
        }
    }
    if sql.trim().is_empty() {
        pack.diagnostics
            .push(error("no query after the header".into()));
        return;
    }
    let duration = |key: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match seconds(text) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(format!("{key} `{text}` is no duration such as 1h or PT1H")),
        },
    };
    let frequency = duration("queryFrequency", &header.query_frequency);
    let (frequency, period) = match (frequency, duration("queryPeriod", &header.query_period)) {
        (Ok(frequency), Ok(period)) => (frequency, period),
        (Err(why), _) | (_, Err(why)) => {
            pack.diagnostics.push(error(why));
            return;
        }
    };
    if header.tests.is_empty() {
        pack.diagnostics
            .push(Diagnostic::warning(source, "the rule has no tests"));
    }
    pack.rules.push(Rule {
        id: header.id,
        name: header.name,
        description: header.description.trim().to_string(),
        severity: header.severity,
        tactics: header.tactics,
        techniques: header.relevant_techniques,
        schedule: frequency.zip(period),
        period,
        trigger: Trigger {
            operator: header.trigger_operator.unwrap_or(Operator::GreaterThan),
            threshold: header.trigger_threshold.unwrap_or(0),
        },
        watchlists: header.watchlists,
        unjudged: header.unjudged,
        entities: header.entity_mappings,
        details: header.custom_details,
        false_positives: header.false_positives,
        tests: header.tests,
        sql: sql.trim().to_string(),
        source: source.to_string(),
    });
}

/// Seconds of `15s`, `5m`, `1h`, `1d`, `2w`, `PT1H`, `P1D`.
pub fn seconds(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let text = match lower.strip_prefix("pt") {
        Some(clock) => clock,
        None => lower.strip_prefix('p').unwrap_or(&lower),
    };
    let unit = text.chars().last()?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    number.checked_mul(match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    })
}

#[cfg(test)]
mod test {
    use super::*;

    /// The longest queryPeriod that Sentinel takes: 14 days.
    const LONGEST_PERIOD: u64 = 14 * 86_400;

    #[test]
    fn the_built_in_pack_loads_without_a_word() {
        let pack = load(&[]).expect("the pack is inside the binary");
        assert_eq!(pack.diagnostics, []);
        assert!(pack.rules.len() >= 14, "{} rules", pack.rules.len());
        for rule in &pack.rules {
            assert!(
                rule.source.ends_with(&format!("{}.sql", rule.id)),
                "{}",
                rule.id
            );
            assert!(!rule.description.is_empty(), "{}", rule.id);
            assert!(!rule.tactics.is_empty(), "{}", rule.id);
            assert!(!rule.techniques.is_empty(), "{}", rule.id);
            assert!(!rule.entities.is_empty(), "{}", rule.id);
            assert!(!rule.false_positives.is_empty(), "{}", rule.id);
            assert!(
                rule.period.is_some_and(|p| p <= LONGEST_PERIOD),
                "{}",
                rule.id
            );
            assert!(rule.tests.iter().any(|t| t.finds > 0), "{}", rule.id);
            assert!(rule.tests.iter().any(|t| t.finds == 0), "{}", rule.id);
        }
    }

    #[test]
    fn every_fault_of_a_rule_is_said() {
        let said = |text: &str| {
            let mut pack = Pack::default();
            read("r.sql", text, &mut pack);
            pack.diagnostics
                .first()
                .map_or(String::new(), ToString::to_string)
        };
        assert_eq!(said("SELECT 1"), "error: `r.sql`: no header");
        assert_eq!(
            said("/*\nid: a\nname: b\nseverity: Low\n*/"),
            "error: `r.sql`: no query after the header"
        );
        assert!(said("/*\nid: a\nname: b\nseverity: Dire\n*/ SELECT 1").contains("header:"));
        assert!(
            said("/*\nid: a\nname: b\nseverity: Low\nqueryPerod: 1d\n*/ SELECT 1")
                .contains("unknown key `queryPerod`")
        );
        assert!(
            said("/*\nid: a\nname: b\nseverity: Low\nqueryFrequency: soon\nqueryPeriod: 1d\n*/ SELECT 1")
                .contains("no duration")
        );
        assert!(
            said("/*\nid: a\nname: b\nseverity: Low\nqueryPeriod: long\n*/ SELECT 1")
                .contains("queryPeriod `long` is no duration")
        );
    }

    #[test]
    fn durations_are_read_in_both_spellings() {
        assert_eq!(seconds("15s"), Some(15));
        assert_eq!(seconds("PT5M"), Some(300));
        assert_eq!(seconds("1h"), Some(3600));
        assert_eq!(seconds("P14D"), Some(14 * 86_400));
        assert_eq!(seconds("2w"), Some(14 * 86_400));
        assert_eq!(seconds("soon"), None);
    }
}
