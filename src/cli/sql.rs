use std::io;
use std::path::{Path, PathBuf};

use super::answer::{Answer, Asked};
use super::cluster::{self, Cluster, IS_DONE_HERE, READS_NO_FILE};
use super::exit::Exit;
use super::global::{Global, Patience};
use super::rows::Rows;
use super::ui::Ui;
use super::when::Window;
use crate::archive::Archive;
use crate::engine::{Columns, Language, Question, Session, Source, TimeRange};
use crate::fault::{Error, Result};

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
    /// Show all columns of a table: those of the product, and what the archive keeps beside them, such as _Source, _IngestId and stored
    /// paths of the record; without it they come when the query names them
    #[arg(long)]
    all_columns: bool,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

pub(super) fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_string(), path.into()))
        }
        _ => Err("NAME=FILE".into()),
    }
}

/// Which columns stand for all of a table.
pub(super) fn columns(all: bool) -> Columns {
    match all {
        true => Columns::All,
        false => Columns::Product,
    }
}

/// The query: as it was given, from a file, or from standard input.
pub(super) fn text_of(query: Option<&str>, file: Option<&Path>) -> Result<String> {
    match (query, file) {
        (Some(query), _) => Ok(query.to_string()),
        (None, Some(path)) if path.as_os_str() == "-" => {
            io::read_to_string(io::stdin()).map_err(Error::io("read", "standard input"))
        }
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
            // What Windows writes before a text is none of it.
            Ok(text.trim_start_matches('\u{feff}').to_string())
        }
        (None, None) => Ok(String::new()),
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let query = text_of(args.query.as_deref(), args.file.as_deref())?;
    let tables = [("--table", !args.tables.is_empty())];
    args.cluster.refuse(&tables, READS_NO_FILE)?;
    let listing = [("SHOW TABLES", lists_tables(&query))];
    args.cluster.refuse(&listing, IS_DONE_HERE)?;
    let archive = Archive::open_to_ask(&args.archive)?;
    let mut options = global.engine(Some(&args.window))?;
    options.files.clone_from(&args.tables);
    options.columns = columns(args.all_columns);
    options.timeout = args.patience.timeout;
    let workers = args.cluster.connect(ui)?;
    let session = Session::open(Source::Archive(&archive), &options)?;
    let (window, now) = (args.window.range(), args.window.now());
    match workers {
        Some(workers) => {
            let question = Question {
                language: Language::Sql,
                text: &query,
                window,
                now,
            };
            let asked = (&session, &options);
            cluster::put(&workers, asked, &question, &args.answer, ui)
        }
        None => put(&session, &query, (window, now), &args.answer, ui),
    }
}

/// Runs a query over events of a time, at the moment that `now()` says in microseconds, and writes its answer.
pub(super) fn put(
    session: &Session,
    query: &str,
    (window, now): (TimeRange, i64),
    answer: &Answer,
    ui: &Ui,
) -> Result<Exit> {
    session.begin();
    let listed = lists_tables(query);
    let (frame, reads) = match listed {
        true => (session.listing()?, Vec::new()),
        false => {
            let planned = session.ask(&Question {
                language: Language::Sql,
                text: query,
                window,
                now,
            })?;
            (planned.frame, planned.reads)
        }
    };
    let asked = Asked {
        query,
        now,
        reads: &reads,
        notes: &[],
    };
    answer.write(session, Rows::here(session, frame), &asked, ui)?;
    if listed {
        ui.say(
            "the other tables of Sentinel and Defender XDR can be asked too; this archive has no rows of them",
        );
    }
    Ok(Exit::Done)
}

/// Whether a query asks for the list of tables. DataFusion would list what is stored, and not what can be asked.
fn lists_tables(query: &str) -> bool {
    let query = query.trim().trim_end_matches(';');
    let words: Vec<&str> = query.split_whitespace().collect();
    matches!(words.as_slice(), [show, tables]
        if show.eq_ignore_ascii_case("show") && tables.eq_ignore_ascii_case("tables"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_tables_is_known_however_it_is_written() {
        for query in ["show tables", "SHOW\nTABLES ;", "  Show Tables;"] {
            assert!(lists_tables(query), "{query}");
        }
        for query in ["show columns from T", "select * from tables", "tables", ""] {
            assert!(!lists_tables(query), "{query}");
        }
    }
}
