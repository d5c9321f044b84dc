use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::ui::{Ui, answer, table};
use super::{Exit, Global, Window};
use crate::archive::Archive;
use crate::engine::output::{self, Writer};
use crate::engine::{Session, Source};
use crate::error::{Error, Result};

/// Ask an archive in SQL
///
/// Tables: LabelEvents, CloudAppEvents, OfficeActivity, UnifiedAuditLog and the other tables of Sentinel and Defender XDR,
/// Ingests, Quarantine, Revisions, and watchlists.NAME. JSON by path: RawEventData->>'Operation',
/// AuditData->'Item'->>'Subject'. A query can read and nothing else.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The query
    #[arg(
        value_name = "QUERY",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    query: Option<String>,
    /// Read the query from a file; - for standard input
    #[arg(short = 'F', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    #[command(flatten)]
    answer: Answer,
    /// A further table from a CSV, JSON or Parquet file
    #[arg(long = "table", value_name = "NAME=FILE", value_parser = named)]
    tables: Vec<(String, PathBuf)>,
    #[command(flatten)]
    window: Window,
}

/// Where the answer goes, and in which shape.
#[derive(Debug, clap::Args)]
pub(super) struct Answer {
    /// table, csv, json, ndjson, markdown, parquet, or kusto (the answer of the Log Analytics query API)
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = shape)]
    format: Shape,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists
    #[arg(short = 'C', long)]
    clobber: bool,
}

impl Answer {
    /// Whether JSON is asked for.
    pub(super) fn is_json(&self) -> bool {
        self.format == Shape::Other(output::Format::Json)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Table,
    Other(output::Format),
}

fn shape(text: &str) -> Result<Shape, String> {
    use output::Format;
    Ok(match text {
        "table" => Shape::Table,
        "csv" => Shape::Other(Format::Csv),
        "json" => Shape::Other(Format::Json),
        "ndjson" | "jsonl" => Shape::Other(Format::Ndjson),
        "markdown" | "md" => Shape::Other(Format::Markdown),
        "parquet" => Shape::Other(Format::Parquet),
        "kusto" => Shape::Other(Format::Kusto),
        _ => return Err("one of table, csv, json, ndjson, markdown, parquet, kusto".into()),
    })
}

pub(super) fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_string(), path.into()))
        }
        _ => Err("NAME=FILE".into()),
    }
}

/// The query: as it was given, from a file, or from standard input.
pub(super) fn text_of(query: Option<&str>, file: Option<&Path>) -> Result<String> {
    match (query, file) {
        (Some(query), _) => Ok(query.to_string()),
        (None, Some(path)) if path.as_os_str() == "-" => {
            io::read_to_string(io::stdin()).map_err(Error::io("read", "standard input"))
        }
        (None, Some(path)) => std::fs::read_to_string(path).map_err(Error::io("read", path)),
        (None, None) => Ok(String::new()),
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let query = text_of(args.query.as_deref(), args.file.as_deref())?;
    let archive = Archive::open(&args.archive)?;
    let mut options = global.engine(Some(&args.window))?;
    options.files.clone_from(&args.tables);
    let session = Session::open(Source::Archive(&archive), &options)?;
    let frame = session.plan(&query)?;
    args.answer.write(&session, frame, ui)?;
    Ok(Exit::Done)
}

/// Rows that a table on the terminal shows; all formats for other programs show all.
const TABLE_ROWS: usize = 1000;

impl Answer {
    pub fn write(
        &self,
        session: &Session,
        frame: datafusion::dataframe::DataFrame,
        ui: &Ui,
    ) -> Result<()> {
        if let Some(path) = &self.output
            && path.exists()
            && !self.clobber
        {
            return Err(Error::Exists(path.clone()));
        }
        let schema = std::sync::Arc::new(frame.schema().as_arrow().clone());
        let Shape::Other(format) = self.format else {
            let mut rows: Vec<Vec<String>> = Vec::new();
            let mut total = 0;
            session.stream(frame, |batch| {
                for row in 0..batch.num_rows() {
                    if total < TABLE_ROWS {
                        let cells = batch.columns().iter().map(|c| output::cell(c, row));
                        rows.push(cells.collect::<Result<_>>()?);
                    }
                    total += 1;
                }
                Ok(())
            })?;
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            let right: Vec<usize> = (0..names.len())
                .filter(|i| schema.field(*i).data_type().is_numeric())
                .collect();
            let text = table(&names, &rows, &right);
            match &self.output {
                Some(path) => std::fs::write(path, text).map_err(Error::io("write", path))?,
                None => answer(&text)?,
            }
            if total > TABLE_ROWS {
                ui.say(&format!(
                    "{TABLE_ROWS} of {} shown; -f csv and the other formats give all",
                    super::ui::counted(total as u64, "row")
                ));
            }
            return Ok(());
        };
        // A query that fails leaves what was there.
        let staged = self.output.as_ref().map(|path| {
            let mut name = path.clone().into_os_string();
            name.push(".part");
            PathBuf::from(name)
        });
        let out: Box<dyn Write + Send> = match &staged {
            Some(path) => Box::new(BufWriter::new(
                File::create(path).map_err(Error::io("create", path))?,
            )),
            None if format == output::Format::Parquet && ui.stdout_is_terminal() => {
                return Err(Error::Usage(
                    "Parquet is not for a terminal: name a file with -o".into(),
                ));
            }
            None => Box::new(BufWriter::new(io::stdout())),
        };
        let terminal = self.output.is_none() && ui.stdout_is_terminal();
        let mut writer = Writer::new(format, schema, out)?.for_terminal(terminal);
        let written = session
            .stream(frame, |batch| writer.write(batch))
            .and_then(|()| writer.finish());
        match (&staged, &self.output, written) {
            (Some(staged), Some(path), Ok(_)) => {
                std::fs::rename(staged, path).map_err(Error::io("write", path))
            }
            (Some(staged), _, Err(e)) => {
                // The failure of the query is what the user must hear.
                let _ = std::fs::remove_file(staged);
                Err(e)
            }
            (_, _, written) => written.map(|_| ()),
        }
    }
}
