//! Where an answer goes and in which format; what is said beside it: what a terminal cuts off, and why there are no rows.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono_tz::Tz;

use super::layout::{self, Lines};
use super::offered::offering;
use super::rows::Rows;
use super::ui::{self, Ui, count, counted};
use super::waiting::Waiting;
use super::zone::zone;
use crate::engine::Session;
use crate::engine::output::{self, Clock, Format, Writer};
use crate::fault::{Error, Result};

/// Where the answer goes, and in which shape.
#[derive(Debug, clap::Args)]
pub(super) struct Answer {
    /// table, csv, json, ndjson, markdown, parquet (times are cut to microseconds), or kusto (the answer of the Log Analytics query
    /// API). When not given, what the name of the file says, else a table
    #[arg(short, long, value_name = "FORMAT", value_parser = offering(shape, SHAPES), hide_possible_values = true)]
    format: Option<Shape>,
    /// Write to a file; its extension says the format: .csv, .json, .ndjson, .jsonl, .md, .parquet, .txt
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    clobber: bool,
    /// Show times in a zone, with the offset: a name such as Europe/Berlin, or `local`; in UTC when not given. Times inside JSON and text
    /// stay what they are, and so do those in Parquet, which are instants
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<Tz>,
}

/// The shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A table to read.
    Table,
    /// A format for programs.
    Other(Format),
}

/// What becomes of a file that an answer is to be written to and that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and the answer is refused.
    Kept,
    /// The answer takes its place.
    Replaced,
}

/// What was asked, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The text of the query.
    pub query: &'a str,
    /// What `now()` says, in microseconds.
    pub now: i64,
    /// Tables that it reads.
    pub reads: &'a [String],
    /// What is to be said beside its rows.
    pub notes: &'a [String],
}

/// What answers are called by, a spelling each.
pub(super) const SHAPES: [&str; 7] = [
    "table", "csv", "json", "ndjson", "markdown", "parquet", "kusto",
];

/// The shape of a name, such as `csv`.
///
/// # Errors
/// When there is none of that name. It says which there are.
pub(super) fn shape(text: &str) -> Result<Shape, String> {
    Ok(match text {
        "table" => Shape::Table,
        "csv" => Shape::Other(Format::Csv),
        "json" => Shape::Other(Format::Json),
        "ndjson" | "jsonl" => Shape::Other(Format::Ndjson),
        "markdown" | "md" => Shape::Other(Format::Markdown),
        "parquet" => Shape::Other(Format::Parquet),
        "kusto" => Shape::Other(Format::Kusto),
        _ => return Err(format!("one of {}", SHAPES.join(", "))),
    })
}

/// Extensions that say a format.
const EXTENSIONS: [(&str, Shape); 8] = [
    ("csv", Shape::Other(Format::Csv)),
    ("json", Shape::Other(Format::Json)),
    ("ndjson", Shape::Other(Format::Ndjson)),
    ("jsonl", Shape::Other(Format::Ndjson)),
    ("md", Shape::Other(Format::Markdown)),
    ("markdown", Shape::Other(Format::Markdown)),
    ("parquet", Shape::Other(Format::Parquet)),
    ("txt", Shape::Table),
];
/// Extensions of files that were made smaller or packed.
const PACKED: [&str; 13] = [
    "gz", "tgz", "gzip", "zip", "zst", "zstd", "bz2", "xz", "lz4", "br", "7z", "tar", "rar",
];

/// The format of an answer in a file: the one that was given, else what the file's extension says, else a table.
///
/// # Errors
/// When the extension says another format than the one that was given, or one that is not written.
pub(super) fn format_of(path: &Path, given: Option<Shape>) -> Result<Shape> {
    format_among(path, given, &EXTENSIONS.map(|(extension, _)| extension))
}

/// The same of what is written with fewer extensions, which an error names.
///
/// # Errors
/// As [`format_of`].
pub(super) fn format_among(path: &Path, given: Option<Shape>, written: &[&str]) -> Result<Shape> {
    let Some(extension) = path.extension() else {
        return Ok(given.unwrap_or(Shape::Table));
    };
    let extension = extension.to_string_lossy().to_lowercase();
    if PACKED.contains(&extension.as_str()) {
        return Err(Error::Usage(format!(
            "-o {}: answers are not compressed; leave `.{extension}` out",
            path.display()
        )));
    }
    let said = EXTENSIONS
        .iter()
        .find(|(known, _)| *known == extension)
        .map(|(_, shape)| *shape);
    match (given, said) {
        (Some(given), Some(said)) if agree(given, said) => Ok(given),
        (Some(given), None) => Ok(given),
        (None, Some(said)) => Ok(said),
        (Some(given), Some(said)) => Err(Error::Usage(format!(
            "-o {} is the name of {}, and -f asks for {}: which one?",
            path.display(),
            name(said),
            name(given)
        ))),
        (None, None) => {
            let known: Vec<String> = written.iter().map(|e| format!(".{e}")).collect();
            Err(Error::Usage(format!(
                "-o {}: no format has the extension `.{extension}`; it is one of {}, or -f says the format",
                path.display(),
                known.join(", ")
            )))
        }
    }
}

/// Whether a file of this name may hold this format.
fn agree(given: Shape, said: Shape) -> bool {
    match (given, said) {
        // A line a record is often called .json, and the answer of the API is JSON.
        (Shape::Other(Format::Ndjson | Format::Kusto), Shape::Other(Format::Json)) => true,
        // Text is all but Parquet.
        (given, Shape::Table) => given != Shape::Other(Format::Parquet),
        (given, said) => given == said,
    }
}

/// What a shape is called in messages.
pub(super) fn name(shape: Shape) -> &'static str {
    match shape {
        Shape::Table => "a table of text",
        Shape::Other(Format::Csv) => "CSV",
        Shape::Other(Format::Json) => "JSON",
        Shape::Other(Format::Ndjson) => "NDJSON",
        Shape::Other(Format::Markdown) => "Markdown",
        Shape::Other(Format::Parquet) => "Parquet",
        Shape::Other(Format::Kusto) => "the answer of the query API",
    }
}

/// Rows that a table on a terminal shows. Files, pipes and all other formats have all.
const TABLE_ROWS: usize = 1000;

/// What went by of an answer.
#[derive(Debug, Default)]
struct Seen {
    rows: u64,
    /// The first row says nothing: it is a sum over no rows.
    bare: bool,
    /// What says that there are none yet.
    waiting: Option<Waiting>,
    /// Rows go where the terminal is that says so.
    beside: bool,
}

impl Seen {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.beside {
            self.waiting = None;
        }
        if self.rows == 0 && batch.num_rows() == 1 {
            self.bare = true;
            for column in batch.columns() {
                let nothing = ["", "0", "0.0", "NaN", "[]", "{}"];
                self.bare &= nothing.contains(&output::cell(column, 0)?.as_str());
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

impl Answer {
    /// An answer of this shape, on standard output or in a file; a file that exists is replaced where that is said.
    pub(super) fn of(format: Shape, file: Option<(PathBuf, Existing)>, tz: Option<Tz>) -> Answer {
        let (output, clobber) = match file {
            Some((path, existing)) => (Some(path), existing == Existing::Replaced),
            None => (None, false),
        };
        Answer {
            format: Some(format),
            output,
            clobber,
            tz,
        }
    }

    /// For what writes no answer.
    pub(super) fn refuse_file(&self, who: &str) -> Result<()> {
        match &self.output {
            Some(path) => Err(Error::Usage(format!(
                "-o {}: {who} write to standard output",
                path.display()
            ))),
            None => Ok(()),
        }
    }

    /// The shape that is asked for.
    ///
    /// # Errors
    /// When the name of the file says another format than `-f`.
    fn shape(&self) -> Result<Shape> {
        match &self.output {
            Some(path) => format_of(path, self.format),
            None => Ok(self.format.unwrap_or(Shape::Table)),
        }
    }

    /// Whether a table to read is asked for.
    ///
    /// # Errors
    /// When the name of the file says another format than `-f`.
    pub(super) fn is_table(&self) -> Result<bool> {
        Ok(self.shape()? == Shape::Table)
    }

    /// Whether JSON is asked for.
    pub(super) fn is_json(&self) -> bool {
        self.format == Some(Shape::Other(Format::Json))
    }

    /// Writes the rows of a query. The session says why there are none, wherever they come from.
    ///
    /// # Errors
    /// When the query fails, the answer cannot be written, or the name of the file says another format than `-f`.
    pub(super) fn write(
        &self,
        session: &Session,
        rows: Rows<'_>,
        asked: &Asked<'_>,
        ui: &Ui,
    ) -> Result<()> {
        let shape = self.shape()?;
        if let Some(path) = &self.output
            && path.is_file()
            && !self.clobber
        {
            return Err(Error::Exists(path.clone()));
        }
        let zone = self.zone_of(shape)?;
        let mut seen = Seen {
            waiting: Some(Waiting::begin(ui, "asking")),
            beside: self.output.is_none(),
            ..Seen::default()
        };
        match (&self.output, shape, ui::columns()) {
            (None, Shape::Table, Some(width)) => {
                on_terminal(rows, (zone, width), &mut seen, ui)?;
            }
            (None, Shape::Other(Format::Parquet), Some(_)) => {
                return Err(Error::Usage(
                    "Parquet is not for a terminal: name a file with -o".into(),
                ));
            }
            (None, shape, width) => {
                let out = BufWriter::new(io::stdout());
                let how = How {
                    shape,
                    zone,
                    terminal: width.is_some(),
                };
                stream(rows, how, out, &mut seen)?;
            }
            (Some(path), shape, _) => {
                let how = How {
                    shape,
                    zone,
                    terminal: false,
                };
                into_file(path, |out| stream(rows, how, out, &mut seen))?;
            }
        }
        seen.waiting = None;
        ui.counts(&[("rows", seen.rows)]);
        tell_absence(session, asked, &seen, ui);
        Ok(())
    }

    /// The zone in which a format shows times.
    fn zone_of(&self, shape: Shape) -> Result<Option<Tz>> {
        match (shape, self.tz) {
            (Shape::Other(Format::Parquet), _) | (_, None | Some(Tz::UTC)) => Ok(None),
            (Shape::Other(Format::Kusto), Some(_)) => Err(Error::Usage(
                "--tz: the answer of the query API has its times in UTC; another format, or no --tz"
                    .into(),
            )),
            (_, zone) => Ok(zone),
        }
    }
}

/// How an answer is written.
#[derive(Clone, Copy)]
struct How {
    shape: Shape,
    zone: Option<Tz>,
    terminal: bool,
}

/// Says why there are no rows, or why a sum is one over none.
fn tell_absence(session: &Session, asked: &Asked<'_>, seen: &Seen, ui: &Ui) {
    let mut parts: Vec<String> = Vec::new();
    if seen.rows == 0 {
        parts.push("0 rows".into());
    }
    if seen.rows == 0 || (seen.rows == 1 && seen.bare) {
        match session.absence(asked.reads, asked.query, asked.now) {
            Ok(reasons) => parts.extend(reasons),
            // The answer is there; only what would explain it is not.
            Err(e) => ui.warn(&format!("why there are no rows cannot be told: {e}")),
        }
    }
    parts.extend_from_slice(asked.notes);
    if !parts.is_empty() {
        ui.say(&parts.join("; "));
    }
}

/// Shows an answer on a terminal of this width, and says what is cut off.
fn on_terminal(
    answer: Rows<'_>,
    (zone, width): (Option<Tz>, usize),
    seen: &mut Seen,
    ui: &Ui,
) -> Result<()> {
    let schema = answer.schema();
    let clock = Clock::new(&schema, zone);
    let (names, right) = header(&schema);
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut cut = false;
    answer.stream(|batch| {
        seen.add(batch)?;
        // No more than is shown.
        let most = batch.num_rows().min(TABLE_ROWS - rows.len());
        let batch = &batch.slice(0, most);
        let batch = clock.shown(batch)?;
        for row in 0..most {
            let mut cells = Vec::with_capacity(batch.num_columns());
            for column in batch.columns() {
                // Cut before it is laid out: what cannot be seen must cost nothing.
                let (cell, short) = layout::safe(&output::cell(column, row)?, width);
                cut |= short;
                cells.push(cell);
            }
            rows.push(cells);
        }
        Ok(())
    })?;
    seen.waiting = None;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = layout::answer(&names, &rows, &right, width);
    ui::answer(&shown.text)?;
    let mut parts = Vec::new();
    let all_rows = seen.rows == rows.len() as u64;
    if !all_rows {
        parts.push(format!(
            "{} of {}",
            count(rows.len() as u64),
            counted(seen.rows, "row")
        ));
    }
    if shown.columns < names.len() {
        parts.push(format!(
            "{} of {}",
            shown.columns,
            counted(names.len() as u64, "column")
        ));
    }
    let parts = match parts.as_slice() {
        [] => None,
        parts => Some(format!("{} shown", parts.join(" and "))),
    };
    let values = (cut || shown.cut).then(|| "long values cut (…)".to_string());
    let said: Vec<String> = parts.into_iter().chain(values).collect();
    if !said.is_empty() {
        ui.warn(&format!(
            "{}; -f csv and the other formats, a pipe and -o FILE have all",
            said.join(", ")
        ));
    }
    if all_rows && seen.rows > 0 {
        ui.say(&counted(seen.rows, "row"));
    }
    Ok(())
}

/// Names of the columns, and which of them are numbers.
fn header(schema: &SchemaRef) -> (Vec<String>, Vec<usize>) {
    let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let right = (0..names.len())
        .filter(|i| schema.field(*i).data_type().is_numeric())
        .collect();
    (names, right)
}

/// Writes a text into a file, whole or not at all.
pub(super) fn text_into_file(path: &Path, text: &str) -> Result<()> {
    into_file(path, |mut out| {
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(Error::io("write", path))
    })
}

/// Writes a file whole or not at all. A device or a pipe is written to, and stays what it is.
pub(super) fn into_file(
    path: &Path,
    write: impl FnOnce(BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let create = |path: &Path| File::create(path).map_err(Error::io("create", path));
    if path.exists() && !path.is_file() {
        return write(BufWriter::new(create(path)?));
    }
    // A name that nobody else has; what lies there belongs to somebody.
    let mut staged = path.as_os_str().to_os_string();
    staged.push(format!(".{}.part", std::process::id()));
    let staged = PathBuf::from(staged);
    // What was asked for is named, and not the name beside it.
    let file = File::create_new(&staged).map_err(Error::io("create", path))?;
    match write(BufWriter::new(file)) {
        Ok(()) => std::fs::rename(&staged, path).map_err(Error::io("write", path)),
        Err(e) => {
            // The failure itself is what the user must hear.
            let _ = std::fs::remove_file(&staged);
            Err(e)
        }
    }
}

/// Writes all rows as they come.
fn stream(rows: Rows<'_>, how: How, out: impl Write + Send, seen: &mut Seen) -> Result<()> {
    let schema = rows.schema();
    let clock = Clock::new(&schema, how.zone);
    match how.shape {
        Shape::Table => {
            let (names, right) = header(&schema);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut lines = Lines::new(out, &names, &right);
            rows.stream(|batch| {
                seen.add(batch)?;
                let batch = clock.shown(batch)?;
                for row in 0..batch.num_rows() {
                    let cells = batch.columns().iter().map(|c| output::cell(c, row));
                    let cells = cells.collect::<Result<Vec<String>>>()?;
                    lines
                        .add(cells.iter().map(String::as_str))
                        .map_err(Error::io("write", "output"))?;
                }
                Ok(())
            })?;
            seen.waiting = None;
            lines.finish().map_err(Error::io("write", "output"))
        }
        Shape::Other(format) => {
            // What a program reads as a time of its own kind stays one.
            let typed = matches!(format, Format::Parquet | Format::Kusto);
            let mut writer = Writer::new(format, schema, out, how.terminal)?;
            rows.stream(|batch| {
                seen.add(batch)?;
                match typed {
                    true => writer.write(batch),
                    false => writer.write(clock.shown(batch)?.as_ref()),
                }
            })?;
            seen.waiting = None;
            writer.finish()?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_says_the_format_unless_it_is_given() {
        let of = |path: &str, given: Option<&str>| {
            let given = given.map(|text| shape(text).expect("a format"));
            format_of(Path::new(path), given)
        };
        for (path, given, wanted) in [
            ("a.csv", None, Shape::Other(Format::Csv)),
            ("a.JSON", None, Shape::Other(Format::Json)),
            ("a.b.jsonl", None, Shape::Other(Format::Ndjson)),
            ("a.md", None, Shape::Other(Format::Markdown)),
            ("a.parquet", None, Shape::Other(Format::Parquet)),
            ("a.txt", None, Shape::Table),
            ("answer", None, Shape::Table),
            ("answer", Some("csv"), Shape::Other(Format::Csv)),
            ("a.dat", Some("csv"), Shape::Other(Format::Csv)),
            ("a.txt", Some("csv"), Shape::Other(Format::Csv)),
            ("a.json", Some("kusto"), Shape::Other(Format::Kusto)),
            ("a.json", Some("ndjson"), Shape::Other(Format::Ndjson)),
        ] {
            assert_eq!(of(path, given).ok(), Some(wanted), "{path}");
        }
        for (path, given) in [
            ("a.csv", Some("table")),
            ("a.csv", Some("json")),
            ("a.jsonl", Some("json")),
            ("a.txt", Some("parquet")),
            ("a.csv.gz", None),
            ("a.csv.gz", Some("csv")),
            ("a.xlsx", None),
        ] {
            let error = of(path, given).expect_err(path);
            assert!(matches!(error, Error::Usage(_)), "{path}: {error}");
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
