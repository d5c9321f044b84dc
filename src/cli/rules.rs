use std::path::PathBuf;

use clap::Subcommand;

use super::exit::Exit;
use super::ui::{Ui, answer, counted, table};
use crate::engine::output::visible;
use crate::fault::Level;
use crate::fault::Result;
use crate::rules::{self, Pack, tests};

/// List rules, or run the tests that they carry
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List rules with severity, tactics and techniques
    List(Which),
    /// Run the tests that rules carry
    Test(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Rules: files or folders; the built-in pack when not given
    #[arg(value_name = "RULES")]
    rules: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    match &args.command {
        Command::List(which) => list(&rules::load(&which.rules)?, ui),
        Command::Test(which) => test(&rules::load(&which.rules)?, ui),
    }
}

fn complain(pack: &Pack, ui: &Ui) -> usize {
    for said in &pack.diagnostics {
        ui.warn(&format!("`{}`: {}", said.subject, said.message));
        if let Some(hint) = &said.hint {
            ui.hint(hint);
        }
    }
    pack.diagnostics
        .iter()
        .filter(|d| d.level == Level::Error)
        .count()
}

fn list(pack: &Pack, ui: &Ui) -> Result<Exit> {
    let bad = complain(pack, ui);
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
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}

fn test(pack: &Pack, ui: &Ui) -> Result<Exit> {
    let bad = complain(pack, ui);
    let (mut passed, mut failed) = (0u64, 0u64);
    let mut text = String::new();
    for rule in &pack.rules {
        match tests::run(rule) {
            Ok(outcomes) => {
                for outcome in outcomes {
                    if outcome.passed() {
                        passed += 1;
                        ui.tell(&visible(&format!("ok      {}: {}", rule.id, outcome.name)));
                    } else {
                        failed += 1;
                        text.push_str(&visible(&format!(
                            "failed  {}: {}: found {}, must find {}",
                            rule.id, outcome.name, outcome.found, outcome.wanted
                        )));
                        text.push('\n');
                    }
                }
            }
            Err(e) => {
                failed += 1;
                text.push_str(&visible(&format!("failed  {}: {e}", rule.id)));
                text.push('\n');
            }
        }
    }
    text.push_str(&format!(
        "{} in {}: {passed} passed, {failed} failed\n",
        counted(passed + failed, "test"),
        counted(pack.rules.len() as u64, "rule")
    ));
    answer(&text)?;
    Ok(if bad > 0 || failed > 0 {
        Exit::Usage
    } else {
        Exit::Done
    })
}
