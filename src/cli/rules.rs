use std::path::PathBuf;

use clap::Subcommand;

use super::exit::Exit;
use super::global::Global;
use super::ui::{Ui, answer, table};
use crate::engine::output::{harmless, visible};
use crate::fault::Result;
use crate::rules::{self, Pack, State};

mod check;
mod complaints;
mod convert;
mod coverage;
mod described;
mod named;
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
struct Which {
    /// Rules: files or folders; the built-in pack when not given
    #[arg(value_name = "RULES")]
    rules: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    which: Which,
    /// table, or json with everything that a rule says
    #[arg(short, long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    match &args.command {
        Command::List(args) => list(&rules::load(&args.which.rules)?, &args.format, ui),
        Command::Show(args) => show::run(args, ui),
        Command::Check(args) => check::run(args, global),
        Command::Test(args) => test::run(args, ui),
        Command::Why(args) => why::run(args, global, ui),
        Command::Coverage(args) => coverage::run(args, ui),
        Command::Convert(args) => convert::run(args, ui),
    }
}

fn list(pack: &Pack, format: &str, ui: &Ui) -> Result<Exit> {
    let bad = complaints::tell(pack, ui);
    for entry in &pack.entries {
        if let State::NoRule(why) = &entry.state {
            ui.tell(&visible(&format!("`{}`: {why}", entry.name())));
        }
    }
    if format == "json" {
        let list: serde_json::Value = pack.rules.iter().map(described::rule).collect();
        answer(&harmless(&format!("{list:#}\n")))?;
    } else {
        let rows: Vec<Vec<String>> = pack
            .rules
            .iter()
            .map(|r| {
                vec![
                    r.id.clone(),
                    r.severity.to_string(),
                    r.tactics.join(", "),
                    r.techniques.join(", "),
                    r.name.clone(),
                ]
            })
            .collect();
        answer(&table(
            &["rule", "severity", "tactics", "techniques", "name"],
            &rows,
            &[],
        ))?;
    }
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}
