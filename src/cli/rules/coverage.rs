use std::path::PathBuf;

use super::{complaints, named};
use crate::cli::answer::text_into_file;
use crate::cli::exit::Exit;
use crate::cli::ui::{Ui, answer, counted, table};
use crate::engine::output::{harmless, visible};
use crate::fault::{Error, Result};
use crate::rules::{self, Coverage};

/// Show which techniques of MITRE ATT&CK rules cover
///
/// Each technique with its tactics and how many rules name it; rules that are switched off do not count. With -o or -f json a layer of the ATT&CK
/// Navigator, whose scores are these numbers.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    rules: named::Paths,
    /// table, or json: the layer
    #[arg(short, long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
    /// Write the layer to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    clobber: bool,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    if let Some(path) = args
        .output
        .as_ref()
        .filter(|p| p.is_file() && !args.clobber)
    {
        return Err(Error::Exists(path.clone()));
    }
    let pack = rules::load(&args.rules.all())?;
    let bad = complaints::tell(&pack, ui);
    let coverage = Coverage::of(&pack.rules);
    let layer = || harmless(&format!("{:#}\n", coverage.layer("coldtrail rules")));
    match &args.output {
        Some(path) => text_into_file(path, &layer())?,
        None if args.format == "json" => answer(&layer())?,
        None => answer(&text(&coverage))?,
    }
    if args.output.is_some() {
        ui.say(&totals(&coverage));
    }
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}

fn text(coverage: &Coverage) -> String {
    let rows: Vec<Vec<String>> = coverage
        .techniques
        .iter()
        .map(|(number, covered)| {
            let tactics: Vec<&str> = covered.tactics.iter().map(String::as_str).collect();
            let ids: Vec<&str> = covered.rules.keys().map(String::as_str).collect();
            vec![
                number.clone(),
                covered.rules.len().to_string(),
                tactics.join(", "),
                ids.join(", "),
            ]
        })
        .collect();
    let mut out = match rows.is_empty() {
        true => String::new(),
        false => table(&["technique", "rules", "tactics", "which"], &rows, &[1]) + "\n",
    };
    if !coverage.without.is_empty() {
        let ids: Vec<&str> = coverage.without.iter().map(String::as_str).collect();
        out.push_str(&visible(&format!(
            "without a technique: {}",
            ids.join(", ")
        )));
        out.push('\n');
    }
    out + &totals(coverage) + "\n"
}

fn totals(coverage: &Coverage) -> String {
    let mut out = format!(
        "{} in {}",
        counted(coverage.techniques.len() as u64, "technique"),
        counted(coverage.rules as u64, "rule")
    );
    if coverage.disabled > 0 {
        out.push_str(&format!("; {} switched off", coverage.disabled));
    }
    out
}
