use std::collections::BTreeSet;

use clap::Subcommand;

use super::exit::Exit;
use super::global::Global;
use super::layout;
use super::ui::{self, Ui, answer, table};
use crate::engine::output::{harmless, visible};
use crate::fault::{Error, Result, did_you_mean};
use crate::rules::{self, Pack, Rule, State};

pub(super) mod check;
mod complaints;
mod convert;
mod coverage;
pub(super) mod described;
mod named;
mod page;
mod show;
mod test;
mod why;

/// List, show, check, test, convert and explain rules
///
/// Rules are files and folders, mixed freely: coldtrail's own (.sql, .kql with a header), Sentinel's analytics rules and hunting queries
/// (.yaml, or .json as exported), custom detections of Defender XDR (.json, .yaml), and Sigma.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List rules with severity, tactics and techniques
    List(List),
    /// Show a rule as it is understood: schedule, trigger, entities, incidents, and its query
    Show(show::Args),
    Check(check::Args),
    Test(test::Args),
    Why(why::Args),
    Coverage(coverage::Args),
    Convert(convert::Args),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    rules: named::Paths,
    /// Only the rules of this pack: the folder of their files. May be given several times
    #[arg(long, value_name = "NAME")]
    pack: Vec<String>,
    /// table, json with everything that a rule says, or markdown: a page of it to read
    #[arg(short, long, value_name = "FORMAT", value_parser = ["table", "json", "markdown"], default_value = "table")]
    format: String,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    match &args.command {
        Command::List(args) => list(args, global, ui),
        Command::Show(args) => show::run(args, ui),
        Command::Check(args) => check::run(args, global, ui),
        Command::Test(args) => test::run(args, ui),
        Command::Why(args) => why::run(args, global, ui),
        Command::Coverage(args) => coverage::run(args, ui),
        Command::Convert(args) => convert::run(args, ui),
    }
}

fn list(args: &List, global: &Global, ui: &Ui) -> Result<Exit> {
    let paths = args.rules.all();
    let mut pack = rules::load(&paths)?;
    let format = args.format.as_str();
    let bad = complaints::tell(&pack, ui);
    for entry in &pack.entries {
        if let State::NoRule(why) = &entry.state {
            ui.tell(&visible(&format!("`{}`: {why}", entry.name())));
        }
    }
    leave(&mut pack.rules, &args.pack)?;
    if format == "json" {
        let list: serde_json::Value = pack.rules.iter().map(described::rule).collect();
        answer(&harmless(&format!("{list:#}\n")))?;
    } else if format == "markdown" {
        // The built-in questions stand beside the built-in packs.
        let questions = match paths.is_empty() && args.pack.is_empty() {
            true => rules::questions(),
            false => Pack::default(),
        };
        answer(&page::page(&pack.rules, &questions.rules, global)?)?;
    } else {
        answer(&text(&pack.rules))?;
    }
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}

/// Leaves the rules of some packs, where any are named.
///
/// # Errors
/// When one of them has no rule. It says which one may be meant.
fn leave(rules: &mut Vec<Rule>, packs: &[String]) -> Result<()> {
    if packs.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<String> = rules.iter().map(|rule| rule.pack().to_string()).collect();
    if let Some(name) = packs.iter().find(|name| !known.contains(*name)) {
        let known: Vec<String> = known.into_iter().collect();
        let near = did_you_mean(name, &known).map_or_else(String::new, |near| format!("; {near}"));
        return Err(Error::Usage(format!(
            "--pack: no rule is of a pack `{name}`{near} (there are {})",
            known.join(", ")
        )));
    }
    rules.retain(|rule| packs.iter().any(|name| name == rule.pack()));
    Ok(())
}

/// Columns by what they are worth where there is no room for all.
const WORTH: [&str; 6] = ["rule", "severity", "name", "pack", "tactics", "techniques"];

/// Rules as a table, those of a pack together. On a terminal a rule is a line: long names are cut.
fn text(rules: &[Rule]) -> String {
    let mut header = vec!["rule", "pack", "severity", "tactics", "techniques", "name"];
    let mut rules: Vec<&Rule> = rules.iter().collect();
    rules.sort_by_key(|rule| rule.pack());
    let mut rows: Vec<Vec<String>> = rules
        .iter()
        .map(|rule| {
            vec![
                rule.id.clone(),
                rule.pack().to_string(),
                rule.severity.to_string(),
                rule.tactics.join(", "),
                rule.techniques.join(", "),
                rule.name.clone(),
            ]
        })
        .collect();
    let first = rules.first().map(|rule| rule.pack());
    // Of one pack it says nothing.
    if rules.iter().all(|rule| Some(rule.pack()) == first) {
        header.remove(1);
        rows.iter_mut().for_each(|row| drop(row.remove(1)));
    }
    let Some(width) = ui::columns() else {
        return table(&header, &rows, &[]);
    };
    for cell in rows.iter_mut().flatten() {
        *cell = layout::safe(cell, width).0;
    }
    let place = |name: &&str| header.iter().position(|column| column == name);
    let order: Vec<usize> = WORTH.iter().filter_map(place).collect();
    let shown = layout::list(&header, &rows, &order, width);
    match shown.cut || shown.columns < header.len() {
        true => shown.text + "… what has no room is cut; -f json and a pipe have all of it\n",
        false => shown.text,
    }
}
