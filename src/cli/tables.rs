use std::path::PathBuf;

use super::ui::{Ui, answer, count, table, time_text};
use super::{Exit, Global};
use crate::archive::Archive;
use crate::catalog::{self, Origin, catalog};
use crate::engine::{Session, Source};
use crate::error::{Error, Result};

/// Show what is in an archive
///
/// Rows, files, bytes and time span of every stored table; the views (LabelEvents, and CloudAppEvents, OfficeActivity and
/// UnifiedAuditLog over every source) with their rows.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR", required_unless_present = "columns")]
    archive: Option<PathBuf>,
    /// One line a day
    #[arg(long)]
    days: bool,
    /// Columns of this table: what each is and where it comes from
    #[arg(long, value_name = "TABLE")]
    columns: Option<String>,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if let Some(name) = &args.columns {
        return columns(name);
    }
    // clap asks for it unless the columns of a table are wanted.
    let Some(path) = &args.archive else {
        return Ok(Exit::Usage);
    };
    let archive = Archive::open(path)?;
    let stored = archive.snapshot()?;
    let mut rows = Vec::new();
    for (t, files) in stored.tables() {
        let mut groups: Vec<(String, Vec<_>)> = Vec::new();
        for file in files {
            let day = match (args.days, &file.date) {
                (true, Some(day)) => day.clone(),
                (true, None) if t.by_day => "no time".into(),
                _ => String::new(),
            };
            match groups.iter_mut().find(|g| g.0 == day) {
                Some(group) => group.1.push(file),
                None => groups.push((day, vec![file])),
            }
        }
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        for (day, files) in groups {
            let times = files
                .iter()
                .filter_map(|f| f.times)
                .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            let mut row = vec![t.name.to_string()];
            if args.days {
                row.push(day);
            }
            row.extend([
                count(files.iter().map(|f| f.rows).sum()),
                count(files.len() as u64),
                super::ui::bytes_text(files.iter().map(|f| f.size).sum()),
                times.map_or(String::new(), |t| time_text(t.0)),
                times.map_or(String::new(), |t| time_text(t.1)),
            ]);
            rows.push(row);
        }
    }
    let mut header = vec!["table"];
    if args.days {
        header.push("day");
    }
    header.extend(["rows", "files", "size", "first", "last"]);
    let right: Vec<usize> = (1..4).map(|i| i + usize::from(args.days)).collect();
    let mut text = table(&header, &rows, &right);
    let mut exit = Exit::Done;
    if !args.days {
        let session = Session::open(Source::Archive(&archive), &global.engine(None)?)?;
        let mut rows = Vec::new();
        for name in [
            "LabelEvents",
            "UnifiedAuditLog",
            "CloudAppEvents",
            "OfficeActivity",
        ] {
            let outcome = session.collect(&format!(
                "SELECT count(*), min(\"TimeGenerated\"), max(\"TimeGenerated\") FROM \"{name}\""
            ));
            let (_, batches) = match outcome {
                // A watchlist that it needs: the rest can be shown.
                Err(e @ Error::Unusable { .. }) => {
                    ui.warn(&format!("`{name}` cannot be asked: {e}"));
                    exit = Exit::Incomplete;
                    continue;
                }
                outcome => outcome?,
            };
            let cell = |c: usize| -> Result<String> {
                batches.first().map_or(Ok(String::new()), |b| {
                    crate::engine::output::cell(b.column(c), 0)
                })
            };
            rows.push(vec![
                name.to_string(),
                count(cell(0)?.parse().unwrap_or(0)),
                cell(1)?,
                cell(2)?,
            ]);
        }
        text.push('\n');
        text.push_str(&table(
            &["view over all sources", "rows", "first", "last"],
            &rows,
            &[1],
        ));
    }
    answer(&text)?;
    Ok(exit)
}

fn columns(name: &str) -> Result<Exit> {
    let found = catalog().get(name).ok_or_else(|| Error::NoTable {
        name: name.into(),
        known: Vec::new(),
    })?;
    let rows: Vec<Vec<String>> = found
        .shown()
        .filter(|c| c.name != catalog::FINGERPRINT)
        .map(|c| {
            let origin = match c.origin {
                Origin::Export => "export".to_string(),
                Origin::Path(path) => format!("path {path}"),
                Origin::Derived => "derived".to_string(),
                Origin::Lineage => "lineage".to_string(),
                Origin::Legacy => "extra".to_string(),
            };
            vec![c.name.into(), c.kusto.name().into(), origin, c.doc.into()]
        })
        .collect();
    let text = format!(
        "{}: {}\n\n{}",
        found.name,
        found.doc,
        table(&["column", "type", "from", "what it is"], &rows, &[])
    );
    answer(&text)?;
    Ok(Exit::Done)
}
