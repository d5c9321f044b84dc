use std::path::PathBuf;

use serde_json::{Value, json};

use super::named;
use crate::archive::Archive;
use crate::cli::exit::Exit;
use crate::cli::global::{Global, Patience};
use crate::cli::kql::check::needed;
use crate::cli::offered::of_rules;
use crate::cli::set::Settings;
use crate::cli::ui::{Ui, answer, count, counted, table, time_text};
use crate::cli::when::Window;
use crate::engine::kql::{Options, functions};
use crate::engine::output::{harmless, visible};
use crate::engine::{Session, Source};
use crate::fault::Result;
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::rules::why::{Scan, Why, why};
use crate::rules::{Conversions, Language, Rule};

/// Say why a rule finds what it finds on an archive, or nothing
///
/// Which of its tables are empty, which fields no row has, how many rows meet each of its conditions, alone and with those before it, which row
/// meets most of them, and what its trigger asks for. Conditions are those of the `where`s with which the query reads a table. Of a rule in SQL
/// the tables and the rows are counted. `now()` is the time of the archive's last event; --at says another. How far the rule looks back
/// (queryPeriod) is not applied: --since, which counts back from now(), does that.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Id, name or file of a rule
    #[arg(value_name = "RULE")]
    rule: String,
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// Rules: files, folders or ids of built-in rules; `builtin` is the built-in packs, `builtin:NAME` one of them. May be given several times
    #[arg(short, long, value_name = "RULES", value_parser = of_rules(), hide_possible_values = true)]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    set: Settings,
    /// Folder with saved functions, such as ASIM's parsers: NAME.kql, or their YAML
    #[arg(long, value_name = "DIR")]
    saved_functions: Option<PathBuf>,
    /// text, or json: an array of {"file", "id", "now", "tables", "rows", "fires", "reasons"}
    #[arg(short, long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

/// A rule, and what was found.
struct Explained<'p> {
    rule: &'p Rule,
    why: Why,
    reasons: Vec<String>,
}

impl Explained<'_> {
    fn fires(&self) -> bool {
        let rows = self.why.rows;
        rows.is_some_and(|rows| self.rule.trigger.fires(rows))
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let name = Some(args.rule.as_str());
    let (pack, bad) = named::load(name, &args.rules, &args.set, ui)?;
    let found = named::meant(&pack, name, &args.rules)?;
    let archive = Archive::open_to_ask(&args.archive)?;
    let now = match args.window.seen() {
        Some(_) => args.window.now(),
        None => {
            let ledger = archive.ledger()?;
            let times = ledger.exports().filter_map(|export| export.times);
            let last = times.map(|(_, last)| last).max();
            last.unwrap_or_else(|| args.window.now())
        }
    };
    let mut options = global.engine(Some(&args.window))?;
    options.timeout = args.patience.timeout;
    options.now = Some(now);
    options.from = args.window.begins_at(now);
    let mut session = Session::open(Source::Archive(&archive), &options)?;
    for (name, need) in found.iter().flat_map(|rule| &rule.watchlists) {
        if !need.required {
            session.stand_in(name, &need.columns)?;
        }
    }
    let how = Options {
        now: now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS),
        functions: match &args.saved_functions {
            Some(folder) => functions(folder)?,
            None => Vec::new(),
        },
        ..Options::default()
    };
    let sigma = Conversions::of_rules(&pack.rules);
    let explained = found.into_iter().map(|rule| {
        let why = match query(rule, &sigma) {
            Ok(query) => why(&session, rule, &query, &how, now)?,
            Err(refused) => Why {
                refused: Some(refused),
                ..Why::default()
            },
        };
        let reasons = why.reasons(rule.trigger);
        Ok(Explained { rule, why, reasons })
    });
    let explained = explained.collect::<Result<Vec<Explained<'_>>>>()?;
    if args.format == "json" {
        let list = explained.iter().map(|one| for_programs(one, now));
        answer(&harmless(&format!("{:#}\n", list.collect::<Value>())))?;
    } else {
        let texts: Vec<String> = explained.iter().map(|one| for_people(one, now)).collect();
        answer(&texts.join("\n"))?;
    }
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}

/// The query of a rule, or why it has none.
fn query(rule: &Rule, sigma: &Conversions) -> Result<String, String> {
    match rule.query.language {
        Language::Sql | Language::Kql => Ok(rule.query.text.to_string()),
        Language::Sigma => match sigma.query(&rule.place) {
            Ok(conversion) => Ok(conversion.text),
            Err(refusal) => Err(refusal.to_string()),
        },
    }
}

fn for_people(explained: &Explained<'_>, now: i64) -> String {
    let Explained { rule, why, reasons } = explained;
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(&visible(text));
        out.push('\n');
    };
    line(&format!("{}: {}", rule.id, rule.name));
    line(&format!("now() is {}", time_text(now)));
    for scan in &why.tables {
        line("");
        line(&format!("{}: {}", scan.table, counted(scan.rows, "row")));
        for text in of_scan(scan) {
            line(&text);
        }
    }
    line("");
    let trigger = rule.trigger;
    let asked = format!("{} {}", trigger.operator.name(), trigger.threshold);
    if let Some(rows) = why.rows {
        let verdict = match explained.fires() {
            true => "it fires",
            false => "it does not fire",
        };
        let rows = counted(rows, "row");
        line(&format!("{rows} found, the trigger is {asked}: {verdict}"));
    }
    for reason in reasons {
        line(&format!("- {reason}"));
    }
    out
}

/// What is said of a table.
fn of_scan(scan: &Scan) -> Vec<String> {
    let mut lines = Vec::new();
    if !scan.conditions.is_empty() {
        let rows: Vec<Vec<String>> = scan
            .conditions
            .iter()
            .map(|condition| {
                let text: Vec<&str> = condition.text.split_whitespace().collect();
                vec![
                    count(condition.alone),
                    count(condition.together),
                    text.join(" "),
                ]
            })
            .collect();
        let header = ["alone", "with those before", "condition"];
        let text = table(&header, &rows, &[0, 1]);
        lines.extend(text.lines().map(|line| format!("  {line}")));
    }
    if let Some(miss) = &scan.nearest {
        lines.push(format!(
            "  nearest miss: it meets {} of {}",
            miss.met,
            scan.conditions.len()
        ));
        for (field, text) in &miss.cells {
            lines.push(format!("    {field}: {text}"));
        }
        for condition in &miss.failed {
            lines.push(format!("    not: {condition}"));
        }
    }
    lines
}

fn for_programs(explained: &Explained<'_>, now: i64) -> Value {
    let Explained { rule, why, reasons } = explained;
    let needs = &why.needs;
    json!({
        "file": rule.place.file,
        "rule": rule.place.number,
        "id": rule.id,
        "name": rule.name,
        "language": rule.query.language,
        "now": time_text(now),
        "error": why.refused,
        "needs": needed(needs),
        "tables": why.tables.iter().map(scanned).collect::<Value>(),
        "rows": why.rows,
        "trigger": {"operator": rule.trigger.operator.name(), "threshold": rule.trigger.threshold},
        "fires": explained.fires(),
        "reasons": reasons,
    })
}

fn scanned(scan: &Scan) -> Value {
    let fields = scan.fields.iter();
    let fields = fields.map(|(field, rows)| json!({"field": field, "rows": rows}));
    let conditions = scan.conditions.iter().map(|condition| {
        json!({
            "condition": condition.text,
            "alone": condition.alone,
            "together": condition.together,
        })
    });
    let nearest = scan.nearest.as_ref().map(|miss| {
        let cells = miss.cells.iter();
        let cells = cells.map(|(field, text)| json!({"field": field, "value": text}));
        json!({"met": miss.met, "not_met": miss.failed, "row": cells.collect::<Value>()})
    });
    json!({
        "table": scan.table,
        "rows": scan.rows,
        "fields": fields.collect::<Value>(),
        "conditions": conditions.collect::<Value>(),
        "nearest": nearest,
    })
}
