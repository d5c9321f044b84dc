use std::path::PathBuf;

use super::exit::Exit;
use super::layout;
use super::ui::{Ui, answer, columns, count, counted, table};
use crate::archive::Archive;
use crate::engine::output::{self, visible};
use crate::fault::{Error, Result};
use crate::proof::verify::{self, Problem, Report};

/// Prove that an archive is still what was written
///
/// Hashes its files and the exports that are still there, counts rows against the ledger, converts the raw records once more
/// to compare them with the columns beside them, derives LabelEvents again, and compares what is known of identities with the rows. Changes
/// nothing. Ends with exit code 1 when something does not hold. The last lines are two hashes. Noted elsewhere, the one of the content proves
/// that no row and no watchlist changed since; an ingest extends it, `archive compact` leaves it as it is. The other is of the files as they
/// lie there.
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
    let tallies = report.tallies.iter();
    ui.counts(&[
        ("checked", tallies.map(|(_, tally)| tally.checked).sum()),
        ("problems", report.count()),
    ]);
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

/// Exports that are named when they are not found.
const SHOWN: usize = 10;

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
    let unchecked: Vec<Vec<String>> = report
        .tallies
        .iter()
        .filter(|(_, tally)| tally.not_checked > 0)
        .map(|(check, tally)| {
            vec![
                check.name().into(),
                count(tally.not_checked),
                check.unchecked().into(),
            ]
        })
        .collect();
    if !unchecked.is_empty() {
        text.push('\n');
        text.push_str(&table(&["check", "not checked", "why"], &unchecked, &[1]));
    }
    if !report.problems.is_empty() {
        text.push('\n');
        text.push_str(&problems(report));
    }
    if !report.missing.is_empty() {
        text.push('\n');
        for file in report.missing.iter().take(SHOWN) {
            text.push_str(&format!("not found, so not checked: {}\n", visible(file)));
        }
        let more = report.missing.len().saturating_sub(SHOWN) as u64;
        if more > 0 {
            text.push_str(&format!("and {} more\n", counted(more, "export")));
        }
    }
    if report.leftovers > 0 {
        text.push_str(&format!(
            "\n{} of a run that was cut off or is under way in `_staging`: no damage, the next ingest completes or removes them\n",
            counted(report.leftovers, "file")
        ));
    }
    if !report.passed_over.is_empty() {
        text.push('\n');
    }
    for file in &report.passed_over {
        text.push_str(&format!(
            "{} is damaged, or of another time: no harm, the next ingest into its table makes it again\n",
            visible(file)
        ));
    }
    text.push_str(&format!(
        "\n{}\ndigest of the content: {}\ndigest of all files: {}\n",
        match report.count() {
            0 => "no problems".to_string(),
            n => counted(n, "problem"),
        },
        match report.content.as_str() {
            "" => "none: an older version wrote the archive",
            digest => digest,
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
    let whole = layout::lines(&HEADER, &rows, &[3, 4]);
    match columns() {
        Some(width) if whole.lines().any(|line| layout::wide(line) > width) => {
            layout::blocks(&HEADER, &rows, width)
        }
        _ => whole,
    }
}

const HEADER: [&str; 7] = [
    "check", "table", "file", "ingest", "record", "expected", "found",
];
