//! The one rule, whatever it was written as: what it looks for, when it runs, and what its rows become. Plain data.
//!
//! Spans of time are whole seconds. What a format cannot say has the value that its product assumes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::parameter::RuleParameter;
pub use super::severity::Severity;

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its id, unique among those that are loaded together.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it finds and why that matters.
    pub description: String,
    /// What it is in the product that runs it.
    pub kind: Kind,
    /// Whether it is switched on where it was exported from.
    pub enabled: bool,
    /// Its own version, as it writes that.
    pub version: Option<String>,
    /// How mature its author says that it is: `Available`, `Preview`, `experimental`, …
    pub status: Option<String>,
    /// How bad a finding is; [`Severity::Medium`] where it does not say.
    pub severity: Severity,
    /// ATT&CK tactics, as Sentinel spells them.
    pub tactics: Vec<String>,
    /// ATT&CK techniques and sub-techniques: `T1078`, `T1078.004`.
    pub techniques: Vec<String>,
    /// What it asks.
    pub query: Query,
    /// When it runs, and how far it looks back.
    pub schedule: Schedule,
    /// When its rows are an alert.
    pub trigger: Trigger,
    /// How many alerts its rows are.
    pub event_grouping: EventGrouping,
    /// Seconds for which it does not run after an alert, where that is switched on.
    pub suppression: Option<u64>,
    /// Entities in its rows.
    pub entities: Vec<EntityMapping>,
    /// What custom detections say that was harmed, beside their entities.
    pub impacted: Vec<ImpactedAsset>,
    /// Names that an alert shows for columns: name → column.
    pub custom_details: BTreeMap<String, String>,
    /// What of an alert its rows say.
    pub alert_details: AlertDetails,
    /// What becomes of its alerts.
    pub incidents: Incidents,
    /// Data that it says it needs.
    pub data_connectors: Vec<DataConnector>,
    /// Watchlists that it says it reads.
    pub watchlists: BTreeMap<String, WatchlistNeed>,
    /// What it could not judge.
    pub unjudged: Option<Unjudged>,
    /// When it fires for good reasons.
    pub false_positives: Vec<String>,
    /// Addresses of pages that have its facts.
    pub references: Vec<String>,
    /// Values in its query that a user may set, in the order of its header.
    pub parameters: Vec<RuleParameter>,
    /// Its tests.
    pub tests: Vec<Test>,
    /// Where it was read.
    pub place: Place,
}

impl Rule {
    /// A rule of which nothing but this is known: enabled, any row is an alert, every alert an incident, run by hand over all there is.
    pub fn new(id: impl Into<String>, kind: Kind, query: Query) -> Rule {
        Rule {
            id: id.into(),
            name: String::new(),
            description: String::new(),
            kind,
            enabled: true,
            version: None,
            status: None,
            severity: Severity::Medium,
            tactics: Vec::new(),
            techniques: Vec::new(),
            query,
            schedule: Schedule::ByHand { period: None },
            trigger: Trigger::ANY,
            event_grouping: EventGrouping::SingleAlert,
            suppression: None,
            entities: Vec::new(),
            impacted: Vec::new(),
            custom_details: BTreeMap::new(),
            alert_details: AlertDetails::default(),
            incidents: Incidents::default(),
            data_connectors: Vec::new(),
            watchlists: BTreeMap::new(),
            unjudged: None,
            false_positives: Vec::new(),
            references: Vec::new(),
            parameters: Vec::new(),
            tests: Vec::new(),
            place: Place::default(),
        }
    }

    /// The pack that it is of: the folder of its file.
    pub fn pack(&self) -> &str {
        let mut parts = self.place.file.rsplit('/').skip(1);
        parts.next().unwrap_or_default()
    }

    /// What its parameters are where somebody set them, by their names.
    pub fn set(&self) -> BTreeMap<String, serde_json::Value> {
        let set = self.parameters.iter().filter(|p| p.set.is_some());
        set.map(|p| (p.name.clone(), p.value().json())).collect()
    }
}

/// What a rule is in the product that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Kind {
    /// Sentinel's scheduled analytics rule, and coldtrail's own rules.
    Scheduled,
    /// Sentinel's near-real-time rule.
    #[serde(rename = "NRT")]
    Nrt,
    /// A query that people run by hand.
    Hunting,
    /// A custom detection of Defender XDR.
    CustomDetection,
    /// A rule in Sigma, which says nothing of schedules.
    Sigma,
}

impl Kind {
    /// Its name as its product writes it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Scheduled => "Scheduled",
            Kind::Nrt => "NRT",
            Kind::Hunting => "Hunting",
            Kind::CustomDetection => "CustomDetection",
            Kind::Sigma => "Sigma",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Language of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Language {
    /// SQL of the engine.
    #[serde(rename = "SQL")]
    Sql,
    /// The Kusto query language.
    #[serde(rename = "KQL")]
    Kql,
    /// Sigma: the text is the file with all its documents, since a correlation names the others, and [`Place::number`] says which of them the
    /// rule is.
    Sigma,
}

impl Language {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Language::Sql => "SQL",
            Language::Kql => "KQL",
            Language::Sigma => "Sigma",
        }
    }
}

/// What a rule asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// In which language.
    pub language: Language,
    /// The text. The rules in Sigma of a file share it.
    pub text: Arc<String>,
    /// Where the text stands in its file.
    pub lines: Lines,
}

impl Query {
    /// A query that stands in no file.
    pub fn new(language: Language, text: impl Into<String>) -> Query {
        Query {
            language,
            text: Arc::new(text.into()),
            lines: Lines::default(),
        }
    }
}

/// Where the lines of a query stand in the file around it. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Each on a line of its own, the first on this one, all behind so many characters.
    Each {
        /// Line of the first.
        first: usize,
        /// Characters before each.
        indent: usize,
    },
    /// Written with escapes or folded: only where it begins is known.
    Somewhere {
        /// Line of its beginning.
        line: usize,
        /// Column of its beginning.
        column: usize,
    },
}

impl Default for Lines {
    fn default() -> Self {
        Lines::Each {
            first: 1,
            indent: 0,
        }
    }
}

impl Lines {
    /// Line and column in the file of a line and column of the query.
    pub fn in_file(self, line: usize, column: usize) -> (usize, usize) {
        match self {
            Lines::Each { first, indent } => (first + line - 1, indent + column),
            Lines::Somewhere { line, column } => (line, column),
        }
    }
}

/// Where a rule was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file.
    pub file: String,
    /// Which of several rules of the file, from 1.
    pub number: Option<usize>,
    /// Line on which it begins, from 1.
    pub line: usize,
}

/// When a rule runs, and how far it looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// When somebody runs it.
    ByHand {
        /// Seconds that it looks back; when not given, as far as there is something.
        period: Option<u64>,
    },
    /// Again and again. A custom detection looks back further when it runs for the first time.
    Every {
        /// Seconds between runs.
        frequency: u64,
        /// Seconds that each run looks back: `queryPeriod`, or the lookback of a custom detection.
        period: u64,
    },
    /// As events are ingested: an NRT rule, or a custom detection whose frequency is 0.
    NearRealTime,
}

impl Schedule {
    /// Seconds that a run looks back; `None` where it sees all that there is, or what was just ingested.
    pub fn period(self) -> Option<u64> {
        match self {
            Schedule::ByHand { period } => period,
            Schedule::Every { period, .. } => Some(period),
            Schedule::NearRealTime => None,
        }
    }

    /// Seconds between runs.
    pub fn frequency(self) -> Option<u64> {
        match self {
            Schedule::Every { frequency, .. } => Some(frequency),
            Schedule::ByHand { .. } | Schedule::NearRealTime => None,
        }
    }
}

/// When a rule's rows are an alert: their number in one run, compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// `gt`, `lt`, `eq`, `ne`
    pub operator: Operator,
    /// Compared with the number of rows.
    pub threshold: u64,
}

/// How the number of rows is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// More than.
    GreaterThan,
    /// Fewer than.
    LessThan,
    /// As many as.
    Equal,
    /// Not as many as.
    NotEqual,
}

impl Operator {
    /// Name as Sentinel's API and alerts spell it.
    pub fn name(self) -> &'static str {
        match self {
            Operator::GreaterThan => "GreaterThan",
            Operator::LessThan => "LessThan",
            Operator::Equal => "Equal",
            Operator::NotEqual => "NotEqual",
        }
    }
}

impl Trigger {
    /// Any row is an alert.
    pub const ANY: Trigger = Trigger {
        operator: Operator::GreaterThan,
        threshold: 0,
    };

    /// Whether any row is an alert.
    pub fn is_any(self) -> bool {
        self == Trigger::ANY
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

/// How many alerts the rows of one run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EventGrouping {
    /// All together one.
    SingleAlert,
    /// Each one.
    AlertPerResult,
}

/// Which columns of a row name an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityMapping {
    /// Account, IP, File, Host, …; those of [`ENTITY_TYPES`], as they are spelled there.
    pub entity_type: String,
    /// Its identifiers.
    pub field_mappings: Vec<FieldMapping>,
}

/// One identifier of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMapping {
    /// FullName, Address, Name, …
    pub identifier: String,
    /// The column that holds it.
    pub column_name: String,
}

/// What a custom detection says that was harmed: a column that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImpactedAsset {
    /// What it is.
    pub kind: AssetKind,
    /// The column: `DeviceId`, `AccountUpn`, `RecipientEmailAddress`, …
    pub column: String,
}

/// What can be harmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum AssetKind {
    /// A device.
    Device,
    /// A user.
    User,
    /// A mailbox.
    Mailbox,
}

/// What of an alert the rows of its rule say. Where a row says nothing, or too much, the rule's own words stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertDetails {
    /// Its name, with `{{Column}}`.
    pub name_format: Option<String>,
    /// Its description, with `{{Column}}`.
    pub description_format: Option<String>,
    /// Column of its tactics.
    pub tactics_column: Option<String>,
    /// Column of its severity.
    pub severity_column: Option<String>,
    /// Further properties.
    pub dynamic_properties: Vec<DynamicProperty>,
}

/// A property of an alert that a column says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicProperty {
    /// One of [`DYNAMIC_PROPERTIES`], as it is spelled there.
    pub property: String,
    /// The column.
    pub column: String,
}

/// What becomes of a rule's alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incidents {
    /// Whether they become incidents.
    pub create: bool,
    /// How they share one; each is an incident of its own where they do not.
    pub grouping: Option<Grouping>,
}

impl Default for Incidents {
    fn default() -> Self {
        Incidents {
            create: true,
            grouping: None,
        }
    }
}

/// How alerts share an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// Whether an incident that was closed takes further alerts.
    pub reopen_closed: bool,
    /// Seconds after the first alert of an incident for which it takes further ones.
    pub lookback: u64,
    /// Which alerts belong together.
    pub method: Matching,
    /// For [`Matching::Selected`]: types of entities that must be equal.
    pub by_entities: Vec<String>,
    /// For [`Matching::Selected`]: details that must be equal.
    pub by_alert_details: Vec<AlertDetail>,
    /// For [`Matching::Selected`]: names of custom details that must be equal.
    pub by_custom_details: Vec<String>,
}

impl Grouping {
    /// Five hours, which Sentinel takes where a rule does not say.
    pub const DEFAULT_LOOKBACK: u64 = 5 * 3600;
}

/// Which alerts of a rule belong to one incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Matching {
    /// Those of which all entities are equal.
    AllEntities,
    /// All.
    AnyAlert,
    /// Those that agree in what the rule chooses.
    Selected,
}

/// A detail of alerts by which they can be grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum AlertDetail {
    /// The alert's name.
    DisplayName,
    /// Its severity.
    Severity,
}

/// Data that a rule says it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataConnector {
    /// The connector's id: `Office365`.
    pub id: String,
    /// What of it: `OfficeActivity (SharePoint)`.
    pub data_types: Vec<String>,
}

/// A watchlist that a rule reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchlistNeed {
    /// Without it the rule does not run; else an empty one stands in.
    pub required: bool,
    /// Its columns.
    pub columns: Vec<String>,
}

/// What a rule could not judge. It runs all the same and judges the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    /// What it is, behind a number: `change{s} of a label whose order nobody gave`; `{s}` is the plural's.
    pub what: String,
    /// The watchlist that would say what is missing, where one would.
    pub watchlist: Option<String>,
    /// A query that counts it, among the events of the hunt's own time.
    pub query: String,
}

/// A test that a rule carries: events, and how many findings they must give.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// Rows of watchlists.
    pub watchlists: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    /// Events.
    pub events: Vec<TestEvent>,
    /// How many findings.
    pub finds: usize,
}

/// An event of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestEvent {
    /// Its table, whichever Sentinel, Defender XDR or a workspace has; audit records when not given.
    pub table: String,
    /// The record.
    pub record: serde_json::Value,
    /// Copies of it.
    pub repeat: Option<Repeat>,
}

/// Copies of an event, each with its own identity and a later time; `{n}` in its texts becomes the copy's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// How many.
    pub count: u32,
    /// Time between them: `15s`, `2m`, `1h`, `1d`.
    pub every: String,
}

/// Types of entities, as Sentinel spells them.
pub const ENTITY_TYPES: [&str; 18] = [
    "Account",
    "Host",
    "IP",
    "Malware",
    "File",
    "Process",
    "CloudApplication",
    "DNS",
    "AzureResource",
    "FileHash",
    "RegistryKey",
    "RegistryValue",
    "SecurityGroup",
    "URL",
    "Mailbox",
    "MailCluster",
    "MailMessage",
    "SubmissionMail",
];

/// Properties of an alert that a column can say, as Sentinel spells them.
pub const DYNAMIC_PROPERTIES: [&str; 13] = [
    "AlertLink",
    "ConfidenceLevel",
    "ConfidenceScore",
    "ExtendedLinks",
    "ProductComponentName",
    "ProductName",
    "ProviderName",
    "RemediationSteps",
    "Techniques",
    "AlertName",
    "Description",
    "AlertSeverity",
    "Tactics",
];
