use std::path::PathBuf;

use arrow::datatypes::DataType;

use super::exit::Exit;
use super::global::Global;
use super::remarks::slow;
use super::ui::{Ui, answer, count, table, time_text};
use super::waiting::Waiting;
use crate::archive::Archive;
use crate::catalog::{self, Origin, TIME, Table, catalog};
use crate::engine::output::{self, visible};
use crate::engine::views::{INFORMATION_PROTECTION_EVENTS, LABEL_EVENTS};
use crate::engine::{Options, Session, Source};
use crate::fault::{Error, Result, did_you_mean};

/// Show what is in an archive
///
/// Rows, files in the archive, bytes and time span of every stored table; the views (LabelEvents, and CloudAppEvents, OfficeActivity and
/// UnifiedAuditLog over every source) with their rows; tables whose rows are kept in OtherRecords, such as custom ones; the watchlists.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR", required_unless_present = "columns")]
    archive: Option<PathBuf>,
    /// One line a day
    #[arg(long)]
    days: bool,
    /// Columns of this table, view, custom table (with -a) or watchlist (watchlists.NAME, with -a): what each is and where it comes from
    #[arg(long, value_name = "TABLE")]
    columns: Option<String>,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if let Some(name) = &args.columns {
        let open = |path: &PathBuf| {
            let archive = Archive::open(path)?;
            Session::open(Source::Archive(&archive), &global.engine(None)?)
        };
        answer(&columns(name, || {
            args.archive.as_ref().map(open).transpose()
        })?)?;
        return Ok(Exit::Done);
    }
    // clap asks for it unless the columns of a table are wanted.
    let Some(path) = &args.archive else {
        return Ok(Exit::Usage);
    };
    let archive = Archive::open(path)?;
    let (text, exit) = match args.days {
        true => (stored(&archive, true)?, Exit::Done),
        false => {
            let _waiting = Waiting::begin(ui, "counting rows");
            let session = Session::open(Source::Archive(&archive), &global.engine(None)?)?;
            overview(&archive, &session, ui)?
        }
    };
    answer(&text)?;
    slow(&archive).iter().for_each(|told| ui.hint(told));
    Ok(exit)
}

/// The tables, views and watchlists of an archive with their rows, and whether all of them could be asked.
pub(super) fn overview(archive: &Archive, session: &Session, ui: &Ui) -> Result<(String, Exit)> {
    let mut text = stored(archive, false)?;
    let mut exit = Exit::Done;
    let mut rows = Vec::new();
    for (name, time, always) in VIEWS {
        let sql = format!("SELECT count(*), min(\"{time}\"), max(\"{time}\") FROM \"{name}\"");
        let Some(cells) = row_of(session, name, &sql, ui)? else {
            exit = Exit::Incomplete;
            continue;
        };
        if always || cells[0] != "0" {
            rows.push(cells_of(name, cells));
        }
    }
    let header = ["view over all sources", "rows", "first", "last"];
    text.push('\n');
    text.push_str(&table(&header, &rows, &[1]));
    let mut rows = Vec::new();
    for name in session.customs()? {
        let sql = format!(
            "SELECT count(*), min(\"{TIME}\"), max(\"{TIME}\") FROM {}",
            quoted(&name)
        );
        match row_of(session, &name, &sql, ui)? {
            Some(cells) => rows.push(cells_of(&name, cells)),
            None => exit = Exit::Incomplete,
        }
    }
    if !rows.is_empty() {
        let header = ["table kept in OtherRecords", "rows", "first", "last"];
        text.push('\n');
        text.push_str(&table(&header, &rows, &[1]));
    }
    let mut rows = Vec::new();
    for name in session.watchlists() {
        let shown = format!("watchlists.{name}");
        let sql = format!("SELECT count(*) FROM watchlists.{}", quoted(name));
        match row_of(session, &shown, &sql, ui)? {
            Some(cells) => rows.push(cells_of(&shown, cells)),
            None => exit = Exit::Incomplete,
        }
    }
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(&["watchlist", "rows"], &rows, &[1]));
    }
    Ok((text, exit))
}

/// Views over several sources, the column with their times, and whether they are listed without rows.
const VIEWS: [(&str, &str, bool); 6] = [
    (LABEL_EVENTS, "TimeGenerated", true),
    ("UnifiedAuditLog", "TimeGenerated", true),
    ("CloudAppEvents", "TimeGenerated", true),
    ("OfficeActivity", "TimeGenerated", true),
    ("InformationProtectionLogs_CL", "TimeGenerated", false),
    (INFORMATION_PROTECTION_EVENTS, "Time", false),
];

/// The one row of a query; nothing, with a warning, where it needs a watchlist that cannot be read or more memory than there is. The rest can
/// be shown.
fn row_of(session: &Session, name: &str, sql: &str, ui: &Ui) -> Result<Option<Vec<String>>> {
    let (schema, batches) = match session.collect(sql) {
        Err(e @ (Error::Unusable { .. } | Error::Memory(_))) => {
            ui.warn(&format!("`{name}` cannot be asked: {e}"));
            return Ok(None);
        }
        outcome => outcome?,
    };
    let row = batches.first().filter(|batch| batch.num_rows() > 0);
    let cells = (0..schema.fields().len()).map(|i| match row {
        Some(batch) => output::cell(batch.column(i), 0),
        None => Ok(String::new()),
    });
    cells.collect::<Result<Vec<String>>>().map(Some)
}

/// A line of a table: the name, the number of rows, and what is behind it.
fn cells_of(name: &str, mut cells: Vec<String>) -> Vec<String> {
    if let Some(rows) = cells.first_mut()
        && let Ok(n) = rows.parse()
    {
        *rows = count(n);
    }
    cells.insert(0, name.to_string());
    cells
}

/// A name as SQL has it in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The stored tables, each a line, or each of its days.
fn stored(archive: &Archive, days: bool) -> Result<String> {
    let mut rows = Vec::new();
    let snapshot = archive.snapshot()?;
    for (t, files) in snapshot.tables() {
        let mut groups: Vec<(String, Vec<_>)> = Vec::new();
        for file in files {
            let day = match (days, &file.date) {
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
            if days {
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
    if days {
        header.push("day");
    }
    header.extend(["rows", "files", "size", "first", "last"]);
    let right: Vec<usize> = (1..4).map(|i| i + usize::from(days)).collect();
    Ok(table(&header, &rows, &right))
}

const COLUMNS: [&str; 4] = ["column", "type", "from", "what it is"];

/// The columns of a table, view or watchlist. An archive is opened, where there is one, for what only it knows.
pub(super) fn columns(
    name: &str,
    open: impl FnOnce() -> Result<Option<Session>>,
) -> Result<String> {
    if let Some(found) = catalog().get(name).or_else(|| catalog().foreign(name)) {
        return Ok(of_catalog(found));
    }
    if let Some((view, doc)) = OURS.iter().find(|(v, _)| v.eq_ignore_ascii_case(name)) {
        return of_view(view, doc);
    }
    let session = open()?;
    if let Some(session) = &session
        && let Some(text) = of_custom(session, name)?
    {
        return Ok(text);
    }
    let list = name
        .split_once('.')
        .filter(|(schema, _)| schema.eq_ignore_ascii_case("watchlists"));
    if let Some((_, list)) = list {
        return match &session {
            Some(session) => of_watchlist(session, name, list),
            None => Err(Error::Usage(format!("`{name}` needs an archive: -a DIR"))),
        };
    }
    let known: Vec<String> = catalog()
        .tables()
        .map(|t| t.name)
        .chain(OURS.iter().map(|(view, _)| *view))
        .map(str::to_string)
        .collect();
    let near = did_you_mean(name, &known).is_some();
    Err(Error::NoTable {
        name: name.into(),
        // No archive was asked which tables it has.
        known: if near { known } else { Vec::new() },
    })
}

fn of_catalog(found: &Table) -> String {
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
    let doc = match found.doc {
        "" => "a table that rules ask beside ours; its rows are among those of OtherRecords",
        doc => doc,
    };
    format!("{}: {doc}\n\n{}", found.name, table(&COLUMNS, &rows, &[]))
}

/// The columns of a table of a workspace's own, where the archive has one of this name.
fn of_custom(session: &Session, name: &str) -> Result<Option<String>> {
    let all = session.customs()?;
    let own = all.iter().find(|own| *own == name);
    let Some(own) = own.or_else(|| all.iter().find(|own| own.eq_ignore_ascii_case(name))) else {
        return Ok(None);
    };
    let frame = session.plan(&format!("SELECT * FROM {}", quoted(own)))?;
    let rows = frame.schema().fields().iter().map(|field| {
        let column = field.name();
        let ty = match session.is_dynamic(own, column) {
            true => "dynamic",
            false => kusto_name(field.data_type()),
        };
        vec![visible(column), ty.into(), "rows".into()]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    Ok(Some(format!(
        "{own}: a table whose rows are among those of OtherRecords; columns are the keys of its rows\n\n{}",
        table(&COLUMNS[..3], &rows, &[])
    )))
}

fn of_view(view: &str, doc: &str) -> Result<String> {
    let rows = view_rows(view)?;
    Ok(format!("{view}: {doc}\n\n{}", table(&COLUMNS, &rows, &[])))
}

/// The columns of a view, as they come without any rows.
fn view_rows(view: &str) -> Result<Vec<Vec<String>>> {
    let session = Session::open(Source::Memory(Vec::new()), &Options::default())?;
    let frame = session.plan(&format!("SELECT * FROM {}", quoted(view)))?;
    let fields = frame.schema().fields().iter();
    let rows = fields.map(|field| {
        let doc = LABEL_COLUMNS
            .iter()
            .find(|(column, _)| view == LABEL_EVENTS && column == field.name())
            .map_or("", |(_, doc)| *doc);
        vec![
            field.name().clone(),
            kusto_name(field.data_type()).into(),
            "view".into(),
            doc.into(),
        ]
    });
    Ok(rows.collect())
}

fn of_watchlist(session: &Session, name: &str, list: &str) -> Result<String> {
    let own = session
        .watchlists()
        .iter()
        .find(|w| w.eq_ignore_ascii_case(list))
        .ok_or_else(|| Error::NoTable {
            name: name.into(),
            known: session.names(),
        })?;
    let frame = session.plan(&format!("SELECT * FROM watchlists.{}", quoted(own)))?;
    let rows: Vec<Vec<String>> = frame
        .schema()
        .fields()
        .iter()
        .map(|f| vec![f.name().clone(), "string".into(), "watchlist".into()])
        .collect();
    Ok(format!(
        "watchlists.{}: a CSV of reference data; all columns are text\n\n{}",
        visible(own),
        table(&COLUMNS[..3], &rows, &[])
    ))
}

fn kusto_name(ty: &DataType) -> &'static str {
    match ty {
        DataType::Boolean => "bool",
        DataType::Int8 | DataType::Int16 | DataType::Int32 => "int",
        DataType::Int64 => "long",
        DataType::Float32 | DataType::Float64 => "real",
        DataType::Timestamp(..) => "datetime",
        _ => "string",
    }
}

/// Views that are no tables of a product.
const OURS: [(&str, &str); 2] = [
    (
        LABEL_EVENTS,
        "Every label action, opening and denial, of every source",
    ),
    (
        INFORMATION_PROTECTION_EVENTS,
        "The function over InformationProtectionLogs_CL, with its names of the columns",
    ),
];

/// What the columns of `LabelEvents` are.
const LABEL_COLUMNS: [(&str, &str); 34] = [
    ("TimeGenerated", "When it happened, UTC"),
    ("Timestamp", "The same, under its name in Defender XDR"),
    (
        "Action",
        "LabelApplied, LabelUpgraded, LabelDowngraded, LabelChanged, LabelRemoved, AttemptFailed, FileOpened, ReadByCopilot, AccessDenied, …",
    ),
    (
        "LabelEventType",
        "What the source says of the ranks: LabelUpgraded, LabelDowngraded, LabelRemoved, LabelChangedSameOrder",
    ),
    ("Operation", "The action as the source names it"),
    ("UserId", "Who did it"),
    ("UserType", "Kind of user, as in the audit record"),
    ("FileName", "Name of the document or mail"),
    ("FilePath", "Where it is"),
    ("PreviousFileName", "Its name before it was renamed"),
    ("OldLabelId", "Label before"),
    (
        "OldLabelName",
        "Its name, from watchlists.Labels or the record",
    ),
    (
        "OldLabelRank",
        "Its rank in watchlists.Labels; a higher one is more sensitive",
    ),
    ("NewLabelId", "Label after"),
    (
        "NewLabelName",
        "Its name, from watchlists.Labels or the record",
    ),
    ("NewLabelRank", "Its rank in watchlists.Labels"),
    ("Justification", "What the user wrote for it"),
    ("ActionSource", "Manual, Auto, Default, Recommended or None"),
    ("Protected", "Whether it is encrypted after"),
    ("ProtectedBefore", "Whether it was encrypted before"),
    ("Owner", "Owner of the protection"),
    ("Application", "Application in which it was done"),
    ("DeviceName", "Device on which it was done"),
    (
        "SiteUrl",
        "Site of SharePoint or OneDrive in which it lies, or that it was done to",
    ),
    ("SiteLabelId", "Label of the site, where the source says it"),
    ("IPAddress", "Address without a port"),
    (
        "CountryCode",
        "Country of the address, where a row of CloudAppEvents says it",
    ),
    ("Workload", "Service that wrote the record"),
    ("RecordType", "Type of the audit record"),
    ("SourceTable", "Table that the row comes from"),
    ("EventId", "Id of the record in its source"),
    ("_IngestId", "Number of the ingest in Ingests"),
    ("_Record", "Number of the record in its file"),
    ("_Source", "Both: INGEST:RECORD"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_our_views_are_described() {
        for (view, _) in OURS {
            assert!(!view_rows(view).expect("it needs no rows").is_empty());
        }
        let rows = view_rows(LABEL_EVENTS).expect("it needs no rows");
        for row in &rows {
            assert!(!row[3].is_empty(), "no word on {}", row[0]);
        }
        for (column, _) in LABEL_COLUMNS {
            assert!(rows.iter().any(|row| row[0] == column), "{column}");
        }
    }
}
