use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::answer::{Answer, Asked};
use super::exit::Exit;
use super::global::{Global, Patience};
use super::rows::Rows;
use super::ui::{Ui, answer};
use super::when::Window;
use crate::archive::Archive;
use crate::archive::conclusions::Row;
use crate::catalog::{self, ALERTS, INCIDENTS, Origin};
use crate::engine::output::{self, Format, visible};
use crate::engine::{Language, Question, Session, Source};
use crate::fault::{Error, Result};
use crate::hunt::Hunt;
use crate::hunt::alerts::{
    Concluded, Keeping, RaisedAlert, SweepEnd, conclude, incidents_of, merged, of_findings, sift,
};
use crate::hunt::exclusions::{Exclusions, LIST};
use crate::hunt::replay::alert::Workspace;
use crate::hunt::replay::incident::Incident;
use crate::report;
use crate::rules::Rule;

/// Show the alerts that hunts have stored
///
/// `coldtrail hunt --store` stores them; rules over SecurityAlert and SecurityIncident see them there. In SQL and KQL they are the tables Alerts and
/// Incidents.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
}

/// List stored alerts, the earliest first
///
/// As a table with the little that tells them apart; csv, json and the other formats have all columns of SecurityAlert.
#[derive(Debug, clap::Args)]
struct List {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// Only alerts of the rule of this id
    #[arg(long, value_name = "RULE", conflicts_with = "incidents")]
    rule: Option<String>,
    /// List incidents as they are now; other formats than the table have all columns of SecurityIncident
    #[arg(long)]
    incidents: bool,
    #[command(flatten)]
    answer: Answer,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

/// Show a stored alert with all that it says
#[derive(Debug, clap::Args)]
struct Show {
    /// Its id, or how that begins
    #[arg(value_name = "ID")]
    id: String,
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// text or json
    #[arg(short, long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
}

/// What becomes of alerts.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Keep {
    /// Store what is found as alerts in the archive: `coldtrail alerts list` shows them, and rules over SecurityAlert see them. What is stored
    /// already stays as it is. Without it a hunt writes nothing into an archive
    #[arg(long)]
    store: bool,
    /// Only what was never stored as an alert in this archive
    #[arg(long)]
    new_only: bool,
    /// Show the incidents that the alerts are grouped into, as their rules say. A replay stores them with the alerts, a sweep does where they
    /// are asked for
    #[arg(long, conflicts_with = "compare")]
    incidents: bool,
}

impl Keep {
    /// Stores what is new, and shows nothing else.
    pub(super) fn new_ones() -> Keep {
        Keep {
            store: true,
            new_only: true,
            incidents: false,
        }
    }

    /// Opens the archive: to write into it where that is wanted.
    pub(super) fn open(&self, path: &Path) -> Result<Archive> {
        match self.store {
            true => Archive::open(path),
            false => Archive::open_to_ask(path),
        }
    }

    /// Whether incidents are to be shown.
    pub(super) fn wants_incidents(&self) -> bool {
        self.incidents
    }

    /// Whether anything becomes of alerts but that they are shown.
    pub(super) fn is_asked(&self, session: &Session) -> bool {
        self.store || self.new_only || session.has_own_watchlist(LIST)
    }

    /// Does with alerts what is wanted, and says what became of them. The incidents are those of the alerts that exclusions leave, by their ids;
    /// where only new alerts are wanted, those with one.
    pub(super) fn conclude(
        &self,
        (archive, session): (&Archive, &Session),
        raised: Vec<RaisedAlert>,
        group: impl FnOnce(&HashSet<&str>) -> Vec<Incident>,
        now: i64,
        ui: &Ui,
    ) -> Result<(Concluded, Vec<Incident>)> {
        let keeping = Keeping {
            store: self.store,
            new_only: self.new_only,
        };
        let sifted = sift(raised, &Exclusions::read(session)?, now);
        let mut incidents = group(&sifted.ids());
        let workspace = Workspace::default();
        let rows = incidents.iter().map(|incident| incident.row(&workspace));
        let rows: Vec<Row> = rows.collect();
        let bar = ui.progress();
        let concluded = conclude(archive, sifted, rows, keeping, now, &bar);
        bar.done();
        let concluded = concluded?;
        ui.counts(&[("new_alerts", concluded.tally.new as u64)]);
        for line in concluded.tally.lines() {
            ui.say(&visible(&line));
        }
        let left = concluded.incidents.iter();
        let left: HashSet<&str> = left
            .filter_map(|row| row.get("IncidentName")?.as_str())
            .collect();
        incidents.retain(|incident| left.contains(incident.name.as_str()));
        Ok((concluded, incidents))
    }

    /// Makes alerts of what a sweep found, and does with them what is wanted. Findings that are excluded, or not new where that is asked for, go. Their
    /// times must not have been moved to a zone yet. Returns the incidents, where they are wanted.
    pub(super) fn swept(
        &self,
        archive: &Archive,
        session: &Session,
        hunt: &mut Hunt,
        window: &Window,
        ui: &Ui,
    ) -> Result<Vec<Incident>> {
        if !self.incidents && !self.is_asked(session) {
            return Ok(Vec::new());
        }
        let now = window.now();
        let asked = window.to();
        let seen = match asked {
            Some(to) => to,
            None => last_event(archive)?.unwrap_or(now),
        };
        let end = SweepEnd { asked, seen };
        let rules = hunt.outcomes.iter().filter_map(|o| o.rule.as_ref());
        let rules: HashMap<&str, &Rule> = rules.map(|rule| (rule.id.as_str(), rule)).collect();
        let rule_of = |id: &str| rules.get(id).copied();
        let alerts = of_findings(&hunt.findings, rule_of, end);
        let ids = alerts.iter().map(|(_, alert)| alert.id.clone());
        let ids: Vec<String> = ids.collect();
        let alerts = merged(alerts);
        if !self.is_asked(session) {
            return Ok(incidents_of(&alerts, |_| true));
        }
        let workspace = Workspace::default();
        let raised = alerts.iter();
        let raised: Vec<RaisedAlert> = raised
            .map(|(rule, alert)| RaisedAlert::of(alert, rule, &workspace))
            .collect();
        let group = |kept: &HashSet<&str>| match self.incidents {
            true => incidents_of(&alerts, |alert| kept.contains(alert.id.as_str())),
            false => Vec::new(),
        };
        let (concluded, incidents) = self.conclude((archive, session), raised, group, now, ui)?;
        let left: HashSet<&str> = concluded.alerts.iter().map(RaisedAlert::id).collect();
        // Each finding of a sweep is of a rule, and so has an alert.
        let mut ids = ids.iter();
        hunt.retain(|_| ids.next().is_none_or(|id| left.contains(id.as_str())));
        hunt.alerts = Some(concluded.tally);
        Ok(incidents)
    }
}

/// The last event of an archive, by its ledger.
fn last_event(archive: &Archive) -> Result<Option<i64>> {
    let ledger = archive.ledger()?;
    let times = ledger.exports().filter_map(|entry| entry.times);
    Ok(times.map(|(_, last)| last).max())
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    match &args.command {
        Command::List(args) => list(args, global, ui),
        Command::Show(args) => show(args, global),
    }
}

fn list(args: &List, global: &Global, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open_to_ask(&args.archive)?;
    let mut options = global.engine(Some(&args.window))?;
    options.timeout = args.patience.timeout;
    let session = Session::open(Source::Archive(&archive), &options)?;
    session.begin();
    let query = match (args.incidents, args.answer.is_table()?) {
        (true, short) => incidents(short),
        (false, short) => alerts(args.rule.as_deref(), short),
    };
    let planned = session.ask(&Question {
        language: Language::Sql,
        text: &query,
        window: args.window.range(),
        now: args.window.now(),
    })?;
    let asked = Asked {
        query: &query,
        now: args.window.now(),
        reads: &planned.reads,
        notes: &[],
    };
    let rows = Rows::here(&session, planned.frame);
    args.answer.write(&session, rows, &asked, ui)?;
    Ok(Exit::Done)
}

fn alerts(rule: Option<&str>, short: bool) -> String {
    let columns = match short {
        true => {
            r#""TimeGenerated", "AlertSeverity", "RuleId", "AlertName", "SystemAlertId""#.into()
        }
        false => said(ALERTS),
    };
    let condition = match rule {
        // A GUID is the same in capitals.
        Some(rule) => format!(
            " WHERE lower(\"RuleId\") = {}",
            quoted(&rule.to_lowercase())
        ),
        None => String::new(),
    };
    format!(
        "SELECT {columns} FROM \"{ALERTS}\"{condition} ORDER BY \"TimeGenerated\", \"SystemAlertId\""
    )
}

/// Each incident in the last of its states.
fn incidents(short: bool) -> String {
    let columns = match short {
        true => r#""IncidentNumber", "CreatedTime", "Severity", "Title", "AdditionalData"->>'alertsCount' AS "Alerts""#.into(),
        false => said(INCIDENTS),
    };
    format!(
        "SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY \"IncidentNumber\" \
         ORDER BY \"TimeGenerated\" DESC, \"_StoreId\" DESC, \"_Row\" DESC) AS \"State\" FROM \"{INCIDENTS}\") \
         WHERE \"State\" = 1 ORDER BY \"IncidentNumber\""
    )
}

/// The columns that the product has of these, as a list in SQL.
fn said(table: &str) -> String {
    let columns = catalog::table(table).columns.iter();
    let said = columns.filter(|c| c.origin == Origin::Derived);
    let names: Vec<String> = said.map(|c| format!("\"{}\"", c.name)).collect();
    names.join(", ")
}

/// A text in SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn show(args: &Show, global: &Global) -> Result<Exit> {
    let archive = Archive::open_to_ask(&args.archive)?;
    let session = Session::open(Source::Archive(&archive), &global.engine(None)?)?;
    let sql = format!(
        "SELECT {}, \"RuleId\", \"StoredAt\" FROM \"{ALERTS}\" WHERE starts_with(lower(\"SystemAlertId\"), {}) ORDER BY \"SystemAlertId\"",
        said(ALERTS),
        quoted(&args.id.to_lowercase())
    );
    let (schema, batches) = session.collect(&sql)?;
    let mut rows: Vec<Map<String, Value>> = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let mut cells = Map::new();
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                let value = output::json_of(field, column, row)?;
                cells.insert(field.name().clone(), value);
            }
            rows.push(cells);
        }
    }
    let [row] = rows.as_slice() else {
        return Err(Error::Usage(match rows.len() {
            0 => format!("no stored alert has an id that begins with `{}`", args.id),
            n => format!(
                "{n} stored alerts have an id that begins with `{}`: more of it names one",
                args.id
            ),
        }));
    };
    answer(&match args.format.as_str() {
        "json" => report::alerts(Format::Json, [row]),
        _ => described(row),
    })?;
    Ok(Exit::Done)
}

/// Width of the names of columns.
const NAMES: usize = 24;

/// What an alert says, a column a line; JSON in a column a member a line.
fn described(row: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in row {
        let shown = match value {
            Value::Null => continue,
            Value::String(value) if value.is_empty() => continue,
            Value::String(value) => indented(value),
            other => other.to_string(),
        };
        let mut lines = shown.lines();
        let first = lines.next().unwrap_or_default();
        text.push_str(&format!("{name:NAMES$}{}\n", visible(first)));
        for line in lines {
            text.push_str(&format!("{:NAMES$}{}\n", "", visible(line)));
        }
    }
    text
}

/// A text as it is; an object or a list of JSON on several lines.
fn indented(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => format!("{value:#}"),
        Ok(_) | Err(_) => text.to_string(),
    }
}
