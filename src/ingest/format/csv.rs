//! What a CSV is, from its header and its first rows.

use super::super::answers;
use super::super::columns::{self, Target, bare_name};
use super::super::csv::{self, Fields, Next};
use super::super::rows::guid;
use super::super::suffixed;
use super::super::time::{self, DateOrder};
use super::found::{AUDIT_WRAPPER, Container, Detected, Hints, Kind, OTHER, few, known};
use super::header::{cells_of, is_flat_audit};
use super::order::{is_time, settled};
use super::{held, reason, spelled, ties, told};
use crate::catalog::{self, Origin, Table};

/// The beginning of a CSV.
struct Beginning<'h> {
    head: &'h [u8],
    delimiter: u8,
    /// Where its first line begins.
    start: usize,
    /// Where the line after it begins.
    body: usize,
    /// The names in its first line.
    header: Vec<String>,
    /// The same without what the portal added.
    bare: Vec<String>,
}

impl<'h> Beginning<'h> {
    /// Reads the first line.
    ///
    /// # Errors
    /// When it is no header.
    fn read(head: &'h [u8], text_start: usize) -> Result<Self, &'static str> {
        /// Bytes of a name.
        const HEADER_CELL: usize = 1024;
        /// Bytes of all names.
        const HEADER: usize = 64 * 1024;
        // Windows PowerShell's Export-Csv writes the type of the objects first.
        let (start, named) = csv::header_start(head, text_start);
        let line = &head[start..csv::line_end(head, start)];
        let mut delimiter = named.unwrap_or_else(|| csv::delimiter_of(line));
        let mut fields = Fields::default();
        let Next::Record { next: body, .. } = csv::next_record(head, start, delimiter, &mut fields)
        else {
            return Err("text without a header that could be read as CSV");
        };
        // Lines that a tool took for one cell each stand in quotes as a whole.
        if fields.len() == 1
            && let Some(inner) = fields.get(0).map(csv::delimiter_of)
            && csv::take_apart(inner, None, &mut fields, 0)
        {
            delimiter = inner;
        }
        let header: Vec<String> = fields
            .iter()
            .map(|f| String::from_utf8_lossy(f).into_owned())
            .collect();
        if header.iter().any(|n| n.len() > HEADER_CELL)
            || header.iter().map(String::len).sum::<usize>() > HEADER
        {
            return Err("text whose first line is too long for a header");
        }
        let bare = header.iter().map(|n| bare_name(n).to_string()).collect();
        Ok(Beginning {
            head,
            delimiter,
            start,
            body,
            header,
            bare,
        })
    }

    /// Why the rows are audit records, where they are: whole in a cell, or taken apart.
    fn audit(&self, hints: &Hints) -> Option<(Kind, String)> {
        let (header, bare) = (&self.header, &self.bare);
        let lower: Vec<String> = bare.iter().map(|n| n.to_ascii_lowercase()).collect();
        if let Some(audit) = lower.iter().position(|n| n == "auditdata") {
            let asked = hints.time_column.as_deref();
            let asked = asked.and_then(|c| header.iter().position(|n| columns::is_named(n, c)));
            let time = asked.or_else(|| {
                lower
                    .iter()
                    .position(|n| n == "creationdate" || n == "createddatetime")
            });
            let extra = bare
                .iter()
                .enumerate()
                .filter(|(i, _)| !AUDIT_WRAPPER.contains(&lower[*i].as_str()))
                .map(|(i, n)| (i, n.clone()))
                .collect();
            let kind = Kind::AuditCell {
                audit,
                time,
                extra,
                width: header.len(),
            };
            return Some((kind, format!("column `{}`", header[audit])));
        }
        let why = if suffixed::is_of(bare.iter().map(String::as_str)) {
            suffixed::WHY
        } else if is_flat_audit(&lower) {
            "columns CreationTime and Operation of the audit record"
        } else {
            return None;
        };
        let names = bare.clone();
        Some((Kind::AuditFlat { names }, why.into()))
    }

    /// Rows of a table that their columns tell, else of none that is known.
    fn rows(self, hints: &Hints) -> Detected {
        let Beginning {
            head,
            delimiter,
            start,
            body,
            header,
            bare,
        } = self;
        let found = csv_table(head, body, delimiter, &bare);
        // A first row with a record is no header.
        if found.is_none()
            && !header.iter().any(|name| is_json(name))
            && let Some((kind, why)) = held::any_cell(head, body, delimiter, &bare)
        {
            return csv_format(head, (delimiter, body), kind, why, header, hints);
        }
        let (table, named, why) = match found {
            None if is_data(&header) && looks_tabular(head, start, delimiter, header.len()) => {
                return without_header(head, start, delimiter, header.len(), hints);
            }
            None if !header.iter().any(|name| is_json(name))
                && looks_tabular(head, body, delimiter, header.len()) =>
            {
                (
                    catalog::table(OTHER),
                    None,
                    spelled::in_another_language(&bare)
                        .unwrap_or_else(|| format!("columns of no known table ({})", few(&bare))),
                )
            }
            None => {
                return Detected::Unknown(format!(
                    "text whose first line is no header of a known table ({})",
                    few(&bare)
                ));
            }
            Some((table, _, ref why))
                if table.name != OTHER
                    && why != spelled::PROVISIONING
                    && is_projection(table, &header) =>
            {
                (
                    catalog::table(OTHER),
                    None,
                    format!(
                        "a part of the columns of {}, its time not among them: the answer of a query",
                        table.name
                    ),
                )
            }
            Some(found) => found,
        };
        let kind = cells_of(table, &header, named, hints);
        let (kind, why) = told::rows(kind, why, &header, hints);
        csv_format(head, (delimiter, body), kind, why, header, hints)
    }
}

/// What a text is whose header begins here.
pub(super) fn from_csv(head: &[u8], text_start: usize, hints: &Hints) -> Detected {
    let csv = match Beginning::read(head, text_start) {
        Ok(csv) => csv,
        Err(why) => return Detected::Unknown(why.into()),
    };
    let (delimiter, body) = (csv.delimiter, csv.body);
    if let Some(found) = no_events(
        &csv.bare,
        held::first_cells(head, body, delimiter, 1).first(),
    ) {
        return found;
    }
    if let Some(name) = csv.header.iter().find(|n| columns::is_local(n))
        && hints.zone.is_none()
    {
        return Detected::Unknown(format!(
            "column `{name}` is in local time without saying which: say --tz, such as --tz Europe/Berlin"
        ));
    }
    let found = csv
        .audit(hints)
        .or_else(|| held::rows(head, body, delimiter, &csv.header));
    match found {
        Some((kind, why)) => {
            let (kind, why) = told::rows(kind, why, &csv.header, hints);
            csv_format(head, (delimiter, body), kind, why, csv.header, hints)
        }
        None => csv.rows(hints),
    }
}

/// What a CSV is that has no events, from its header and its first row.
fn no_events(header: &[String], first: Option<&Vec<String>>) -> Option<Detected> {
    if answers::are_hashes(header) {
        return Some(Detected::Empty(answers::HASHES));
    }
    let row = first?;
    if answers::are_lengths(header) {
        return Some(Detected::Unknown(answers::LENGTHS.into()));
    }
    if answers::is_statistics(header, row) {
        return Some(Detected::Empty(answers::STATISTICS));
    }
    answers::error_rows(header, row).map(Detected::Unknown)
}

/// The table whose columns these are, the column that names each row's own, and why.
fn csv_table(
    head: &[u8],
    body: usize,
    delimiter: u8,
    bare: &[String],
) -> Option<(&'static Table, Option<usize>, String)> {
    let first = held::first_cells(head, body, delimiter, 1).pop();
    let first = first.unwrap_or_default();
    if let Some((table, at, why)) = ties::named(bare, &|at| first.get(at).cloned()) {
        return Some((table, Some(at), why));
    }
    if let Some((table, why)) = spelled::table_of(bare) {
        let table = spelled::by_rows(table, bare, &head[body..], delimiter);
        return Some((table, None, why));
    }
    let stripped: Vec<String> = bare
        .iter()
        .map(|n| {
            n.strip_suffix("_dynamic")
                .or(n.strip_suffix("_string"))
                .unwrap_or(n)
                .to_string()
        })
        .collect();
    let value = |name: &str| {
        let at = bare.iter().position(|n| n.eq_ignore_ascii_case(name))?;
        first.get(at).cloned()
    };
    let (table, why) = ties::closest(&stripped, reason::COLUMNS, &value)?;
    let said = spelled::by_rows(table, &stripped, &head[body..], delimiter);
    if said.name != table.name {
        let why = format!("its rows say that they are of {}", said.name);
        return Some((said, None, why));
    }
    Some((table, None, why))
}

/// Whether these columns are what a query made of a table: some are not the table's, and the event's time is not among them.
fn is_projection(table: &'static Table, header: &[String]) -> bool {
    /// Of ten columns of a real export at least nine are known.
    const KNOWN: (usize, usize) = (9, 10);
    let own = |name: &&String| !spelled::is_of_the_transport(bare_name(name));
    let targets: Vec<Target> = header
        .iter()
        .filter(own)
        .map(|n| columns::target(table, n))
        .collect();
    let unknown = targets.iter().filter(|t| t.is_extra()).count();
    (targets.len() - unknown) * KNOWN.1 < targets.len() * KNOWN.0
        && !targets
            .iter()
            .any(|t| is_time(table, t) || is_of_the_event(t))
}

/// Whether a column that the table does not have says by its name when the event happened. Others of a query's columns may begin or end spans.
fn is_of_the_event(target: &Target) -> bool {
    match target {
        // The first after what the user named.
        Target::Timed(timed) => timed.rank == 1,
        Target::Local(inner) | Target::East(_, inner) => is_of_the_event(inner),
        _ => false,
    }
}

/// Whether text is a table at all: at least two columns, and the first rows as wide as the header.
pub(super) fn looks_tabular(head: &[u8], body: usize, delimiter: u8, width: usize) -> bool {
    let mut fields = Fields::default();
    let (mut at, mut rows) = (csv::next_start(head, body), 0);
    while rows < 5
        && let Next::Record { next, .. } = csv::next_row(head, at, delimiter, width, &mut fields)
    {
        let filled = |f: &[u8]| !f.trim_ascii().is_empty();
        if !csv::is_no_row(width, &fields, 0) {
            if fields.len() < width || fields.iter().skip(width).any(filled) {
                return false;
            }
            rows += 1;
        }
        fields.clear();
        at = csv::next_start(head, next);
    }
    width >= 2 && rows > 0
}

/// Whether an object of JSON stands in a cell, or begins there.
fn is_json(cell: &str) -> bool {
    cell.contains("{\"")
}

/// Whether a first line is data: a cell of it is empty, a time, a GUID, a number or JSON.
fn is_data(cells: &[String]) -> bool {
    let value = |c: &String| {
        let c = c.trim();
        c.is_empty()
            || c.starts_with(['{', '['])
            || is_json(c)
            || c.parse::<f64>().is_ok()
            || guid(c.as_bytes()).is_some()
            || time::parse(c, Some(DateOrder::MonthFirst)).is_some()
            || time::parse(c, Some(DateOrder::DayFirst)).is_some()
    };
    cells.len() > 1 && cells.iter().any(value)
}

/// Rows without a header: only the user can say what they are.
fn without_header(
    head: &[u8],
    start: usize,
    delimiter: u8,
    width: usize,
    hints: &Hints,
) -> Detected {
    let Some(rows) = &hints.rows else {
        return Detected::Unknown(format!(
            "{width} columns and no header: say what the rows are, such as --as OfficeActivity or --as 'OfficeActivity(TimeGenerated,Operation,…)'"
        ));
    };
    let table = rows.table;
    let name = rows.called.as_deref().unwrap_or(table.name);
    let own: Vec<String> = table
        .columns
        .iter()
        .filter(|c| c.origin == Origin::Export)
        .map(|c| c.name.to_string())
        .collect();
    let mut layouts = vec![&rows.columns];
    if rows.columns.is_empty() {
        layouts = std::iter::once(&own).chain(&table.layouts).collect();
    }
    let Some(header) = layouts.iter().find(|l| l.len() == width) else {
        let widths: Vec<String> = layouts.iter().map(|l| l.len().to_string()).collect();
        return Detected::Unknown(format!(
            "{width} columns and no header, {name} has {}: name them, such as --as '{name}(TimeGenerated,…)'",
            widths.join(" or ")
        ));
    };
    let kind = cells_of(table, header, None, hints);
    let why = format!("no header; --as {name}");
    csv_format(head, (delimiter, start), kind, why, Vec::new(), hints)
}

/// Finishes a CSV: how its dates are read, and whether it has records.
fn csv_format(
    head: &[u8],
    (delimiter, body): (u8, usize),
    kind: Kind,
    why: String,
    header: Vec<String>,
    hints: &Hints,
) -> Detected {
    if body >= head.len() || head[body..].iter().all(u8::is_ascii_whitespace) {
        return Detected::Empty("the file has a header and no records");
    }
    let called = told::called(&why, hints);
    let mut format = match known(Container::Csv { delimiter, body }, kind, why) {
        Detected::Known(format) => format,
        other => return other,
    };
    format.header = header;
    format.called = called.or_else(|| format.called.take());
    settled(Detected::Known(format), head, hints)
}
