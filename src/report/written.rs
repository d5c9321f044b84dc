//! A report as JSON, CSV, Markdown and as a workbook. The HTML page is made of the same data.

use std::io::{self, Write};
use std::path::Path;

use super::data::{Finding, Report};
use super::findings::{cells, findings_csv};
use super::tables::{Table, Value, tables};
use crate::engine::output;
use crate::hunt::Hunt;
use crate::ingest::own::{FINDINGS_HEADER, GENERATOR};
use crate::text::count;
use crate::text::workbook::{Book, Cell, ROWS};

/// Findings that Markdown has. It is read from top to bottom.
const MARKDOWN_FINDINGS: usize = 200;
/// Rows of another table there.
const MARKDOWN_ROWS: usize = 30;
/// Width of a column of a workbook.
const WIDTH: f64 = 20.0;
/// Columns of findings with numbers, and with times.
const NUMBERS: [&str; 2] = ["number", "records"];
const TIMES: [&str; 2] = ["first", "last"];

/// All data of a report.
pub fn report_json(report: &Report) -> String {
    // Texts and numbers have no way to fail.
    let text = serde_json::to_string(report).expect("a report is JSON");
    let mut text = output::harmless(&text);
    text.push('\n');
    text
}

/// The findings and each figure as a file of its own: names, and what they hold.
pub fn report_csv(report: &Report, hunt: &Hunt) -> Vec<(String, String)> {
    let findings = ("findings.csv".to_string(), findings_csv(hunt));
    let figures = tables(report).into_iter().map(|table| {
        let mut out = line(table.columns.iter().map(|name| output::csv(name)));
        for row in &table.rows {
            out += &line(row.iter().map(csv));
        }
        (format!("{}.csv", table.file_name()), out)
    });
    std::iter::once(findings).chain(figures).collect()
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let mut line = cells.collect::<Vec<_>>().join(",");
    line.push('\n');
    line
}

/// A cell of a CSV. What is our own needs no guard: a negative change is a number.
fn csv(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => output::csv(text),
        other => other.text().into_owned(),
    }
}

/// What people read as text: the summary, the worst findings, the first rows of each figure.
pub fn report_markdown(report: &Report) -> String {
    let safe = |text: &str| output::markdown(text);
    let head = &report.head;
    let mut out = format!(
        "<meta name=\"generator\" content=\"{GENERATOR}\">\n\n# {}\n\n",
        safe(&head.title)
    );
    let mut about = format!(
        "Archive {}, made {}, times of {}",
        safe(&head.archive),
        safe(&head.made),
        safe(&head.zone)
    );
    for (word, time) in [("from", &head.from), ("before", &head.to)] {
        if let Some(time) = time {
            about += &format!(", {word} {}", safe(time));
        }
    }
    if !head.users.is_empty() {
        about += &format!(", of {}", safe(&head.users.join(", ")));
    }
    out += &format!("{about}.\n\n## Summary\n\n");
    for line in &report.summary.lines {
        out += &format!("- {}\n", safe(line));
    }
    if !report.summary.caveats.is_empty() {
        out += "\nTo be known before:\n\n";
        for line in &report.summary.caveats {
            out += &format!("- {}\n", safe(line));
        }
    }
    out += &findings(report);
    for table in tables(report).iter().filter(|table| !table.rows.is_empty()) {
        out += &markdown(table);
    }
    out
}

/// The worst findings, in Markdown.
fn findings(report: &Report) -> String {
    let list = &report.findings.list;
    let mut out = format!("\n## Findings ({})\n\n", count(report.findings.total));
    if list.is_empty() {
        return out;
    }
    out += "| number | severity | rule | time | about | records |\n|---|---|---|---|---|---|\n";
    for finding in list.iter().take(MARKDOWN_FINDINGS) {
        let rule = report.rules.get(finding.rule);
        let title = finding.title.as_deref();
        let title = title.or(rule.map(|rule| rule.name.as_str()));
        let cells = [
            finding.number.to_string(),
            finding.severity.to_string(),
            output::markdown(title.unwrap_or_default()),
            output::markdown(&finding.first),
            output::markdown(&subject(finding)),
            finding.records.to_string(),
        ];
        out += &format!("| {} |\n", cells.join(" | "));
    }
    let more = report.findings.total - list.len().min(MARKDOWN_FINDINGS) as u64;
    out + &rest(more)
}

/// Who and what a finding is about, in a few words.
fn subject(finding: &Finding) -> String {
    let users = finding.users.iter().map(String::as_str);
    let things = finding.things.iter().map(|thing| thing.name.as_str());
    let mut parts: Vec<String> = users.chain(things).map(str::to_string).collect();
    let more = finding.more_users + finding.more_things;
    if more > 0 {
        parts.push(format!("and {} more", count(more)));
    }
    parts.join(", ")
}

fn markdown(table: &Table<'_>) -> String {
    let names: Vec<String> = table
        .columns
        .iter()
        .map(|name| output::markdown(name))
        .collect();
    let mut out = format!(
        "\n## {}\n\n| {} |\n|{}\n",
        table.name,
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for row in table.rows.iter().take(MARKDOWN_ROWS) {
        let cells: Vec<String> = row
            .iter()
            .map(|value| output::markdown(&value.text()))
            .collect();
        out += &format!("| {} |\n", cells.join(" | "));
    }
    let more = table.rows.len().saturating_sub(MARKDOWN_ROWS);
    out + &rest(more as u64)
}

/// What is not shown.
fn rest(more: u64) -> String {
    match more {
        0 => String::new(),
        more => format!(
            "\n{} more rows are in CSV, JSON and the workbook.\n",
            count(more)
        ),
    }
}

/// A workbook with a sheet for the findings and one for each figure. Its rows lie in a folder until it is written; in that of the system where none is
/// given.
///
/// # Errors
/// When it cannot be written.
pub fn report_workbook(
    report: &Report,
    hunt: &Hunt,
    out: impl Write + Send,
    folder: Option<&Path>,
) -> io::Result<()> {
    let mut book = Book::new(GENERATOR, ROWS, folder)?;
    book.sheet("Summary", &[("said", 120.0)])?;
    let summary = &report.summary;
    for said in summary.lines.iter().chain(&summary.caveats) {
        book.row([Cell::Text(said)])?;
    }
    let names: Vec<&str> = FINDINGS_HEADER.split(',').collect();
    book.sheet("Findings", &wide(&names))?;
    for finding in &hunt.findings {
        let cells = cells(finding);
        book.row(
            names
                .iter()
                .zip(&cells)
                .map(|(name, text)| match text.parse::<f64>() {
                    Ok(number) if NUMBERS.contains(name) => Cell::Number(number),
                    _ if TIMES.contains(name) => Cell::Time(text),
                    _ => Cell::Text(text),
                }),
        )?;
    }
    for table in tables(report) {
        book.sheet(table.name, &wide(&table.columns))?;
        for row in &table.rows {
            book.row(row.iter().map(Value::cell))?;
        }
    }
    book.finish(out)
}

fn wide<'n>(names: &[&'n str]) -> Vec<(&'n str, f64)> {
    names.iter().map(|name| (*name, WIDTH)).collect()
}
