use std::path::PathBuf;

use super::answer::{Answer, Asked};
use super::cluster::{self, Cluster, IS_DONE_HERE, READS_NO_FILE};
use super::exit::Exit;
use super::global::{Global, Patience};
use super::rows::Rows;
use super::sql::{columns, named, text_of};
use super::ui::{Ui, answer};
use super::when::Window;
use crate::archive::Archive;
use crate::engine::kql::{Options, Purpose, functions, geography};
use crate::engine::output::visible;
use crate::engine::{Language, Question, Session, Source, TimeRange};
use crate::fault::Result;
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::function::{self, aggregate};
use crate::kql::{self, plugin};
use crate::rules::short;

pub(super) mod check;
mod of_file;

/// Ask in KQL, the query language of Sentinel and Defender
///
/// The tables are those of `coldtrail sql`. What is not supported is refused by name. Only a query that reads no table of an archive runs
/// without one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The query
    #[arg(
        value_name = "QUERY",
        required_unless_present_any = ["file", "check", "functions"],
        conflicts_with = "file"
    )]
    query: Option<String>,
    /// Read the query from a file; - for standard input. Of a rule of Sentinel or Defender (.yaml, .json), in Sigma, or of coldtrail's own
    /// (.kql) its query is taken; how far the rule looks back is not applied, --since does that
    #[arg(short = 'F', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Which rule of a file with several
    #[arg(long, value_name = "ID", requires = "file")]
    rule: Option<String>,
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    answer: Answer,
    /// A further table from a CSV, JSON or Parquet file
    #[arg(long = "table", value_name = "NAME=FILE", value_parser = named)]
    tables: Vec<(String, PathBuf)>,
    /// Show all columns of a table: those of the product, and what the archive keeps beside them, such as _Source, _IngestId and stored
    /// paths of the record; without it they come when the query names them
    #[arg(long)]
    all_columns: bool,
    /// Folder with the files that `externaldata` names, by the last part of the address; nothing is fetched
    #[arg(long, value_name = "DIR")]
    external_data: Option<PathBuf>,
    /// Folder with saved functions, such as ASIM's parsers: NAME.kql, or their YAML
    #[arg(long, value_name = "DIR")]
    saved_functions: Option<PathBuf>,
    /// MaxMind database of cities (.mmdb), for geo_info_from_ip_address
    #[arg(long, value_name = "FILE")]
    geoip: Option<PathBuf>,
    /// Do not run the query: show the same query as SQL, and the plan. Nothing of it is run
    #[arg(long)]
    explain: bool,
    /// Parse and plan the queries in these files and folders (.kql, rules of Sentinel, Defender and Sigma as .yaml and .json) and run none:
    /// say of each file whether it would run, what it needs that is not here (watchlists, saved functions, external data; with -a,
    /// rows of tables), or why it is no query. Ends with 2 where one would not run, or no file has a query; -f json for programs
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["query", "file"])]
    check: Vec<PathBuf>,
    /// List operators, functions, aggregates and plugins, each with an example
    #[arg(long)]
    functions: bool,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

impl Args {
    /// Refuses what a worker does not do, or does not read.
    fn refuse_beside_workers(&self) -> Result<()> {
        let done_here = [
            ("--functions", self.functions),
            ("--explain", self.explain),
            ("--check", !self.check.is_empty()),
        ];
        self.cluster.refuse(&done_here, IS_DONE_HERE)?;
        let files = [
            ("--table", !self.tables.is_empty()),
            ("--external-data", self.external_data.is_some()),
            ("--geoip", self.geoip.is_some()),
        ];
        self.cluster.refuse(&files, READS_NO_FILE)
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    args.refuse_beside_workers()?;
    if args.functions || args.explain || !args.check.is_empty() {
        args.answer
            .refuse_file("--functions, --explain and --check")?;
    }
    if args.functions {
        return manual();
    }
    let now = args.window.now();
    let ticks = now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS);
    let mut options = global.engine(Some(&args.window))?;
    options.files.clone_from(&args.tables);
    options.columns = columns(args.all_columns);
    options.timeout = args.patience.timeout;
    let from = options.from;
    let archive = args
        .archive
        .as_deref()
        .map(Archive::open_to_ask)
        .transpose()?;
    let source = match &archive {
        Some(archive) => Source::Archive(archive),
        None => Source::Memory(Vec::new()),
    };
    let workers = args.cluster.connect(ui)?;
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
        purpose: Purpose::Run,
        joins_lists: false,
        without_archive: archive.is_none(),
    };
    if !args.check.is_empty() {
        return check::check(&session, &args.check, &how, args.answer.is_json(), ui);
    }
    let query = text(args, from, ui)?;
    if args.explain {
        let said = session.kql_explain(&query, &how)?;
        // The text of the query is in it.
        let lines = said.lines().map(|line| visible(line) + "\n");
        answer(&lines.collect::<String>())?;
        return Ok(Exit::Done);
    }
    let put = Put {
        session: &session,
        how: &how,
        window: args.window.range(),
        now,
    };
    match workers {
        Some(workers) => {
            let asked = (&session, &options);
            cluster::put(&workers, asked, &put.question(&query), &args.answer, ui)
        }
        None => put.query(&query, &args.answer, ui),
    }
}

/// The query that is asked for. Of a rule it is said how far it looks back, where no first time is asked for.
fn text(args: &Args, from: Option<i64>, ui: &Ui) -> Result<String> {
    let of_rule = match args.file.as_deref() {
        Some(path) => of_file::chosen(path, args.rule.as_deref())?,
        None => None,
    };
    let Some(found) = of_rule else {
        return text_of(args.query.as_deref(), args.file.as_deref());
    };
    if let (Some(period), None) = (found.period, from) {
        let period = short(period);
        ui.say(&format!(
            "the rule looks back {period} (queryPeriod), which is not applied here: --since or --from does that"
        ));
    }
    Ok(found.text)
}

/// What a query is put to, and when.
pub(super) struct Put<'a> {
    pub(super) session: &'a Session,
    pub(super) how: &'a Options,
    pub(super) window: TimeRange,
    /// What `now()` says, in microseconds.
    pub(super) now: i64,
}

impl Put<'_> {
    fn question<'q>(&'q self, query: &'q str) -> Question<'q> {
        Question {
            language: Language::Kql(self.how),
            text: query,
            window: self.window,
            now: self.now,
        }
    }

    /// Runs a query and writes its answer.
    pub(super) fn query(&self, query: &str, answer: &Answer, ui: &Ui) -> Result<Exit> {
        self.session.begin();
        let planned = self.session.ask(&self.question(query))?;
        let asked = Asked {
            query,
            now: self.now,
            reads: &planned.reads,
            notes: &planned.notes,
        };
        let rows = Rows::here(self.session, planned.frame);
        answer.write(self.session, rows, &asked, ui)?;
        Ok(Exit::Done)
    }
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
