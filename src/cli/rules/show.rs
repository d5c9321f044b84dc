use std::path::PathBuf;

use serde_json::Value;

use super::{described, named};
use crate::cli::exit::Exit;
use crate::cli::offered::of_rules;
use crate::cli::set::Settings;
use crate::cli::ui::{Ui, answer};
use crate::engine::output::{harmless, visible};
use crate::fault::Result;
use crate::rules::{Rule, RuleParameter};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Id, name or file of a rule; all rules when not given
    #[arg(value_name = "RULE")]
    rule: Option<String>,
    /// Rules: files, folders or ids of built-in rules; `builtin` is the built-in packs, `builtin:NAME` one of them. May be given several times
    #[arg(short, long, value_name = "RULES", value_parser = of_rules(), hide_possible_values = true)]
    rules: Vec<PathBuf>,
    #[command(flatten)]
    set: Settings,
    /// text or json
    #[arg(short, long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    let (pack, bad) = named::load(args.rule.as_deref(), &args.rules, &args.set, ui)?;
    let found = named::meant(&pack, args.rule.as_deref(), &args.rules)?;
    if args.format == "json" {
        let list: Value = found.iter().map(|rule| described::rule(rule)).collect();
        answer(&harmless(&format!("{list:#}\n")))?;
    } else {
        let texts: Vec<String> = found.iter().map(|rule| text(rule)).collect();
        answer(&texts.join("\n"))?;
    }
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}

/// A parameter in a line: what the rule runs with, and what it is for.
fn parameter(parameter: &RuleParameter) -> String {
    let (name, value) = (&parameter.name, parameter.value());
    let own = match &parameter.set {
        Some(_) => format!(" (by itself {})", parameter.default),
        None => String::new(),
    };
    let what = &parameter.description;
    visible(&format!(
        "{:NAMES$} {name} = {value}{own}: {what}",
        "parameter"
    )) + "\n"
}

/// Width of the names of settings.
const NAMES: usize = 23;

/// A rule for people: a setting a line, then its description and its query.
fn text(rule: &Rule) -> String {
    let mut out = String::new();
    let Value::Object(settings) = described::rule(rule) else {
        return out;
    };
    for (name, value) in &settings {
        if name == "parameters" {
            out.extend(rule.parameters.iter().map(parameter));
            continue;
        }
        let said = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                texts.join(", ")
            }
            other => other.to_string(),
        };
        if !matches!(name.as_str(), "description" | "query") {
            out.push_str(&visible(&format!("{name:NAMES$} {said}")));
            out.push('\n');
        }
    }
    for part in [rule.description.as_str(), rule.query.text.as_str()] {
        if part.trim().is_empty() {
            continue;
        }
        out.push('\n');
        for line in part.lines() {
            out.push_str(format!("    {}", visible(line)).trim_end());
            out.push('\n');
        }
    }
    out
}
