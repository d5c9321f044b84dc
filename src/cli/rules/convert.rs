use std::path::PathBuf;

use serde_json::{Value, json};

use super::complaints;
use crate::cli::exit::Exit;
use crate::cli::offered::of_rules;
use crate::cli::ui::{Ui, answer};
use crate::engine::output::{harmless, visible};
use crate::fault::Result;
use crate::rules::{self, Conversions, Language, Rule, as_kql};
use crate::sigma::Conversion;

/// Show rules as KQL
///
/// Rules in Sigma, of Sentinel and of Defender become rules of coldtrail's own: a query in KQL below a header in `//` lines, which loads here
/// as a file `.kql`, and runs in Sentinel too where its tables are there: `UnifiedAuditLog`, which Sigma's rules for Microsoft 365 ask, is
/// none of Sentinel's. What has no query in KQL is named with the reason. Ends with 2 where there is something.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rules: files or folders
    #[arg(value_name = "RULES", required = true, value_parser = of_rules(), hide_possible_values = true)]
    rules: Vec<PathBuf>,
    /// text, or json: an array of {"file", "id", "ok", "kql", "query", "tables", "error", …}
    #[arg(short, long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
}

/// A rule, and what it is in KQL.
struct Converted<'p> {
    rule: &'p Rule,
    /// Of Sigma.
    conversion: Option<Conversion>,
    /// The query, or why there is none.
    query: std::result::Result<String, String>,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    let pack = rules::load(&args.rules)?;
    let mut bad = complaints::tell(&pack, ui);
    let sigma = Conversions::of_rules(&pack.rules);
    let alone = sigma.alone();
    let is_counted = |rule: &Rule| {
        let place = (rule.place.file.clone(), rule.place.number);
        // A rule that has no query is named.
        rule.place.number.is_some()
            && rule.query.language == Language::Sigma
            && sigma.query(&rule.place).is_ok()
            && !alone.contains(&place)
    };
    let rules = pack.rules.iter().filter(|rule| !is_counted(rule));
    let converted: Vec<Converted<'_>> = rules.map(|rule| converted(rule, &sigma)).collect();
    for one in &converted {
        if let Err(why) = &one.query {
            bad += 1;
            ui.warn(&format!("rule `{}`: {why}", one.rule.id));
        }
    }
    if args.format == "json" {
        let list: Value = converted.iter().map(for_programs).collect();
        answer(&harmless(&format!("{list:#}\n")))?;
    } else {
        let texts: Vec<String> = converted.iter().filter_map(text).collect();
        answer(&texts.join("\n"))?;
    }
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}

fn converted<'p>(rule: &'p Rule, sigma: &Conversions) -> Converted<'p> {
    let (conversion, query) = match rule.query.language {
        Language::Kql => (None, Ok(rule.query.text.to_string())),
        Language::Sql => (None, Err("its query is in SQL, and not in KQL".into())),
        Language::Sigma => match sigma.query(&rule.place) {
            Ok(found) => {
                let query = found.text.clone();
                (Some(found), Ok(query))
            }
            Err(refusal) => (None, Err(refusal.to_string())),
        },
    };
    Converted {
        rule,
        conversion,
        query,
    }
}

/// The rule as a file `.kql`, where it has a query.
fn file(one: &Converted<'_>) -> Option<String> {
    let query = one.query.as_deref().ok()?;
    Some(as_kql(one.rule, query, one.conversion.as_ref()))
}

fn text(one: &Converted<'_>) -> Option<String> {
    let lines = file(one)?;
    // What a rule says may come from anywhere. A tab of its query stays one.
    let shown = lines.lines().map(|line| {
        // The header is YAML, which has JSON's escapes and would not be read with others.
        let safe: fn(&str) -> String = match line.starts_with("// ") {
            true => harmless,
            false => visible,
        };
        let parts: Vec<String> = line.split('\t').map(safe).collect();
        parts.join("\t") + "\n"
    });
    Some(shown.collect())
}

fn for_programs(one: &Converted<'_>) -> Value {
    let conversion = one.conversion.as_ref();
    json!({
        "file": one.rule.place.file,
        "rule": one.rule.place.number,
        "id": one.rule.id,
        "name": one.rule.name,
        "ok": one.query.is_ok(),
        "kql": file(one),
        "query": one.query.as_ref().ok(),
        "error": one.query.as_ref().err(),
        "tables": conversion.map(|c| &c.tables),
        "watchlists": conversion.map(|c| &c.watchlists),
        "record_paths": conversion.map(|c| &c.record_paths),
        "unused_searches": conversion.map(|c| &c.unused_searches),
    })
}
