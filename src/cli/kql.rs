use std::path::{Path, PathBuf};

use super::sql::{Answer, named, text_of};
use super::ui::{Ui, answer, counted};
use super::{Exit, Global, Window, now, time};
use crate::archive::Archive;
use crate::engine::kql::{Options, Purpose, Verdict, functions, geography};
use crate::engine::output::visible;
use crate::engine::{Session, Source};
use crate::error::{Error, Result};
use crate::kql::span::{Fault, Span, position, render};
use crate::kql::value::UNIX_EPOCH_TICKS;
use crate::kql::{self, aggregate, function, plugin};

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
    /// Folder with saved functions, such as ASIM's parsers: NAME.kql, or their YAML
    #[arg(long, value_name = "DIR")]
    saved_functions: Option<PathBuf>,
    /// MaxMind database of cities (.mmdb), for geo_info_from_ip_address
    #[arg(long, value_name = "FILE")]
    geoip: Option<PathBuf>,
    /// Do not run the query: show the same query as SQL, and the plan
    #[arg(long)]
    explain: bool,
    /// Parse and plan the queries in these files and folders (.kql, Sentinel's .yaml) without running them, and say what would not run; -f json for programs
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["query", "file"])]
    check: Vec<PathBuf>,
    /// List operators, functions, aggregates and plugins, each with an example
    #[arg(long)]
    functions: bool,
    #[command(flatten)]
    window: Window,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    if args.functions {
        return manual();
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
    let how = Options {
        now: ticks,
        tables: args.tables.clone(),
        external: args.external_data.clone(),
        functions: match &args.saved_functions {
            Some(folder) => functions(folder)?,
            None => Vec::new(),
        },
        geography: args.geoip.as_deref().map(geography).transpose()?,
        purpose: match args.check.is_empty() {
            true => Purpose::Run,
            false => Purpose::Check,
        },
    };
    if !args.check.is_empty() {
        return check(&session, args, &how);
    }
    let query = text_of(args.query.as_deref(), args.file.as_deref())?;
    if args.explain {
        answer(&session.kql_explain(&query, &how)?)?;
        return Ok(Exit::Done);
    }
    let frame = session.kql_plan(&query, &how)?;
    args.answer.write(&session, frame, ui)?;
    Ok(Exit::Done)
}

/// Everything of the language that is supported, by kind, each with an example.
fn manual() -> Result<Exit> {
    let mut out = String::new();
    let mut tell = |name: &str, doc: &str, example: &str| {
        out.push_str(&format!("{name}\n    {doc}\n"));
        if !example.is_empty() {
            out.push_str(&format!("    {example}\n"));
        }
    };
    for e in kql::manual::all() {
        tell(e.name, e.doc, e.example);
    }
    for p in plugin::all() {
        tell(p.name, p.doc, p.example);
    }
    for f in function::all() {
        tell(f.name, f.doc, f.example);
    }
    for a in aggregate::all() {
        tell(a.name, a.doc, a.example);
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

fn check(session: &Session, args: &Args, how: &Options) -> Result<Exit> {
    let (mut good, mut open, mut bad) = (0u64, 0u64, 0u64);
    let mut out = String::new();
    let mut list = Vec::new();
    for path in &args.check {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|e| Error::io("read", path)(e.into()))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let name = entry.path().display().to_string();
            let (query, verdict) = match query_of(entry.path()) {
                Ok(None) => continue,
                Ok(Some(query)) => {
                    let verdict = session.kql_check(&query, how);
                    (query, verdict)
                }
                Err(e) => {
                    let fault = Fault::new(Span::default(), e.to_string());
                    (String::new(), Verdict::Refused(vec![fault]))
                }
            };
            let faults = match verdict {
                Verdict::Runs => {
                    good += 1;
                    Vec::new()
                }
                Verdict::DependsOnData => {
                    open += 1;
                    Vec::new()
                }
                Verdict::Refused(faults) => {
                    bad += 1;
                    let said: Vec<String> = render(&faults, &query).lines().map(visible).collect();
                    out.push_str(&format!(
                        "{}\n    {}\n",
                        visible(&name),
                        said.join("\n    ")
                    ));
                    faults
                }
            };
            let errors: Vec<serde_json::Value> = faults
                .iter()
                .map(|fault| {
                    let (line, column) = position(&query, fault.span.start);
                    let message = match &fault.hint {
                        Some(hint) => format!("{}; {hint}", fault.message),
                        None => fault.message.clone(),
                    };
                    serde_json::json!({"message": message, "line": line, "column": column})
                })
                .collect();
            list.push(serde_json::json!({"file": name, "ok": errors.is_empty(), "errors": errors}));
        }
    }
    if args.answer.is_json() {
        answer(&format!("{:#}\n", serde_json::Value::Array(list)))?;
    } else {
        if open > 0 {
            out.push_str(&format!(
                "{open} of those that would run name columns that depend on the data\n"
            ));
        }
        let all = counted(good + open, "query");
        out.push_str(&format!("{all} would run, {bad} would not\n"));
        answer(&out)?;
    }
    Ok(if bad > 0 { Exit::Usage } else { Exit::Done })
}
