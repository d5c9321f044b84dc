use std::path::{Path, PathBuf};

use super::sql::{Answer, named, text_of};
use super::ui::{Ui, answer, counted};
use super::{Exit, Global, Window, now, time};
use crate::archive::Archive;
use crate::engine::kql::{External, Options};
use crate::engine::output::visible;
use crate::engine::{Session, Source};
use crate::error::{Error, Result};
use crate::kql::value::UNIX_EPOCH_TICKS;
use crate::kql::{aggregate, function};

/// Ask in KQL, the query language of Sentinel and Defender
///
/// The tables are those of `coldtrail sql`. What is not supported is refused by name. A query that reads no table needs no archive.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The query
    #[arg(
        value_name = "QUERY",
        required_unless_present_any = ["file", "check", "functions"],
        conflicts_with = "file"
    )]
    query: Option<String>,
    /// Read the query from a file; - for standard input
    #[arg(short = 'F', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    answer: Answer,
    /// A further table from a CSV, JSON or Parquet file
    #[arg(long = "table", value_name = "NAME=FILE", value_parser = named)]
    tables: Vec<(String, PathBuf)>,
    /// Folder with the files that `externaldata` names, by the last part of the address; nothing is fetched
    #[arg(long, value_name = "DIR")]
    external_data: Option<PathBuf>,
    /// What now() says, such as 2026-05-21 or 2026-05-21T08:00:00Z; this moment when not given
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<i64>,
    /// Parse and plan the queries in these files and folders (.kql, Sentinel's .yaml) without running them, and say what would not run
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["query", "file"])]
    check: Vec<PathBuf>,
    /// List functions and aggregates
    #[arg(long)]
    functions: bool,
    #[command(flatten)]
    window: Window,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if args.functions {
        return functions();
    }
    let ticks = args
        .at
        .unwrap_or_else(now)
        .saturating_mul(10)
        .saturating_add(UNIX_EPOCH_TICKS);
    let mut options = global.engine(Some(&args.window))?;
    options.files.clone_from(&args.tables);
    let archive = args.archive.as_deref().map(Archive::open).transpose()?;
    let source = match &archive {
        Some(archive) => Source::Archive(archive),
        None => Source::Memory(Vec::new()),
    };
    let session = Session::open(source, &options)?;
    let mut how = Options {
        now: ticks,
        tables: args.tables.clone(),
        external: args
            .external_data
            .clone()
            .map_or(External::None, External::Folder),
    };
    if !args.check.is_empty() {
        how.external = External::Empty;
        return check(&session, &args.check, &how);
    }
    let query = text_of(args.query.as_deref(), args.file.as_deref())?;
    let frame = session.kql_plan(&query, &how)?;
    args.answer.write(&session, frame, ui)?;
    Ok(Exit::Done)
}

fn functions() -> Result<Exit> {
    let mut out = String::new();
    for f in function::all() {
        out.push_str(&format!("{}\n    {}\n    {}\n", f.name, f.doc, f.example));
    }
    for a in aggregate::all() {
        out.push_str(&format!("{}\n    {}\n    {}\n", a.name, a.doc, a.example));
    }
    answer(&out)?;
    Ok(Exit::Done)
}

/// The query of a file, where it has one.
fn query_of(path: &Path) -> Result<Option<String>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("kql" | "txt" | "csl") => Ok(Some(text)),
        Some("yaml" | "yml") => {
            let rule: serde_json::Value =
                serde_saphyr::from_str(&text).map_err(|e| Error::Unusable {
                    path: path.to_path_buf(),
                    reason: e.to_string(),
                })?;
            let found = rule["query"]
                .as_str()
                .or_else(|| rule["properties"]["queryCondition"]["queryText"].as_str());
            Ok(found.map(str::to_string))
        }
        _ => Ok(None),
    }
}

fn check(session: &Session, paths: &[PathBuf], how: &Options) -> Result<Exit> {
    let (mut good, mut bad) = (0u64, 0u64);
    let mut out = String::new();
    for path in paths {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|e| Error::io("read", path)(e.into()))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let outcome = match query_of(entry.path()) {
                Ok(None) => continue,
                Ok(Some(query)) => session.kql_plan(&query, how).map(|_| ()),
                Err(e) => Err(e),
            };
            match outcome {
                Ok(()) => good += 1,
                Err(e) => {
                    bad += 1;
                    let name = visible(&entry.path().display().to_string());
                    let said: Vec<String> = e.to_string().lines().map(visible).collect();
                    out.push_str(&format!("{name}\n    {}\n", said.join("\n    ")));
                }
            }
        }
    }
    out.push_str(&format!(
        "{} would run, {} would not\n",
        counted(good, "query").replace("querys", "queries"),
        bad
    ));
    answer(&out)?;
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}
