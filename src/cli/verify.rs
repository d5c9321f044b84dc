use std::path::PathBuf;

use super::Exit;
use super::ui::{Ui, answer, count, counted, table};
use crate::archive::Archive;
use crate::engine::output;
use crate::error::{Error, Result};
use crate::proof::verify::{self, Problem, Report};

/// Prove that an archive is still what was written
///
/// Hashes its files and the exports that are still there, counts rows against the ledger, and converts the raw records once more
/// to compare them with the columns beside them. Changes nothing. Ends with exit code 1 when something does not hold. The last line is
/// one hash for all files: noted elsewhere, it proves that none of them changed since.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Look for the exports in this folder too, such as a copy of the evidence. May be given several times
    #[arg(long, value_name = "DIR")]
    sources: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    for folder in &args.sources {
        if !folder.is_dir() {
            return Err(Error::Usage(format!(
                "--sources {}: no such folder",
                folder.display()
            )));
        }
    }
    let archive = Archive::open(&args.archive)?;
    let bar = ui.progress();
    let report = verify::run(&archive, &args.sources, &bar);
    bar.done();
    let text = match args.json {
        true => {
            // Texts and numbers have no way to fail.
            let text = serde_json::to_string_pretty(&report.json()).expect("a report is JSON");
            output::harmless(&text) + "\n"
        }
        false => describe(&report),
    };
    answer(&text)?;
    Ok(match report.count() {
        0 => Exit::Done,
        _ => Exit::Findings,
    })
}

fn describe(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .tallies
        .iter()
        .map(|(check, tally)| {
            vec![
                check.name().into(),
                count(tally.checked),
                count(tally.not_checked),
                count(tally.problems),
                check.about().into(),
            ]
        })
        .collect();
    let header = ["check", "checked", "not checked", "problems", "what holds"];
    let mut text = table(&header, &rows, &[1, 2, 3]);
    if !report.problems.is_empty() {
        text.push('\n');
        text.push_str(&problems(report));
    }
    text.push_str(&format!(
        "\n{}\ndigest of all files: {}\n",
        match report.count() {
            0 => "no problems".to_string(),
            n => counted(n, "problem"),
        },
        report.digest
    ));
    text
}

fn problems(report: &Report) -> String {
    let mut rows = Vec::new();
    for (check, tally) in &report.tallies {
        let told: Vec<&Problem> = report
            .problems
            .iter()
            .filter(|p| p.check == *check)
            .collect();
        let number = |n: Option<i64>| n.map_or(String::new(), |n| n.to_string());
        rows.extend(told.iter().map(|p| {
            vec![
                p.check.name().to_string(),
                p.table.clone(),
                p.file.clone(),
                number(p.ingest),
                number(p.record),
                p.expected.clone(),
                p.found.clone(),
            ]
        }));
        let more = tally.problems.saturating_sub(told.len() as u64);
        if more > 0 {
            let mut last = vec![String::new(); HEADER.len()];
            last[0] = check.name().into();
            last[HEADER.len() - 1] = format!("and {} more", count(more));
            rows.push(last);
        }
    }
    table(&HEADER, &rows, &[3, 4])
}

const HEADER: [&str; 7] = [
    "check", "table", "file", "ingest", "record", "expected", "found",
];
