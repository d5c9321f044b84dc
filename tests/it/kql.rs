//! KQL against the answers of Microsoft's own engine, and against its own table of functions.
//!
//! How an answer is compared is written in the README beside the recorded answers.

mod broken;
mod compare;
mod native;
mod order;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use coldtrail::engine::kql::{self, Options};
use coldtrail::engine::{self, Session};
use coldtrail::function::value::{Type, UNIX_EPOCH_TICKS, Value};
use coldtrail::function::{self, aggregate};
use coldtrail::function::{Geography, Location};
use coldtrail::kql::ast::{ExprKind, Source, StatementKind};
use coldtrail::kql::{manual, parse, plugin};
use serde_json::Value as Recorded;

use super::{command_line, shared};
use compare::{difference, same, same_text};

/// Cases that count and are right, at least.
const IN_EQUAL: usize = 759;
/// Cases that count and are answered otherwise than Kusto answers them.
const IN_DIFFERENT: usize = 0;
/// Cases that count and are refused though Kusto answers them.
const IN_REFUSED: usize = 0;
/// Cases that do not count and are right, at least.
const OUT_EQUAL: usize = 33;

/// Recorded answers that are wrong or arbitrary, each with the reason: line of the file, id, why.
const ARBITRARY: &[(usize, &str, &str)] = &[
    (
        319,
        "fuzz/joins-lookup-union/agent-joins-lookup-union-0030",
        "two rows are equal under `order by k`; the other one was recorded first",
    ),
    (
        551,
        "fuzz/string-ops/agent-string-ops-0015",
        "the recorded text lost its backslash: its length is 10 and it has 9 letters",
    ),
];

/// Tables of the Kusto documentation that a case may read; it is left out where there is no file of them.
const TABLES: [&str; 2] = ["StormEvents", "PopulationData"];

/// 2026-06-01T00:00:00Z
const NOW: i64 = UNIX_EPOCH_TICKS + 10 * super::NOW;
/// Threads that run cases.
const THREADS: usize = 4;
/// Stack of each, as much as a program's first thread has.
const STACK: usize = 8 << 20;

fn options() -> Options {
    let files = TABLES.iter().filter_map(|name| {
        let path: PathBuf = super::project("../shared/kql").join(format!("{name}.csv"));
        path.exists().then(|| ((*name).to_owned(), path))
    });
    Options {
        now: NOW,
        tables: files.collect(),
        geography: Some(Arc::new(OnePlace)),
        ..Options::default()
    }
}

/// Knows where one address is.
struct OnePlace;

impl Geography for OnePlace {
    fn locate(&self, address: IpAddr) -> Option<Location> {
        (address.to_string() == "192.0.2.1").then(|| Location {
            country: "Freedonia".into(),
            city: "Fredonia City".into(),
            position: Some((12.5, 48.25)),
            ..Location::default()
        })
    }
}

#[test]
fn places_of_addresses_are_asked_only_where_they_are_known() {
    let query = "datatable(ip:string)['192.0.2.1', '192.0.2.2', 'x'] \
                 | extend g = geo_info_from_ip_address(ip) \
                 | project c = tostring(g.country), s = tostring(g.state), at = toreal(g.longitude), empty = isnull(g)";
    let answer = kql::run(query, &options()).expect("an answer");
    let shown: Vec<String> = answer
        .rows
        .iter()
        .map(|row| row.iter().map(Value::show).collect::<Vec<_>>().join(", "))
        .collect();
    assert_eq!(
        shown,
        ["Freedonia, , 12.5, False", ", , , True", ", , , True"]
    );
    let refused = kql::run(query, &Options::default()).expect_err("nobody knows");
    assert!(refused.to_string().contains("--geoip"), "{refused}");
}

/// The whole answer: names of columns, then rows; cells joined by `, `, rows by `; `.
fn whole(session: &Session, query: &str, options: &Options) -> String {
    match catch_unwind(AssertUnwindSafe(|| session.kql(query, options))) {
        Ok(Ok(answer)) => {
            let names = answer.columns.into_iter().map(|c| c.0).collect::<Vec<_>>();
            let cells = |row: Vec<Value>| row.iter().map(Value::show).collect::<Vec<_>>();
            let rows = answer.rows.into_iter().map(cells);
            let lines: Vec<String> = std::iter::once(names)
                .chain(rows)
                .map(|r| r.join(", "))
                .collect();
            lines.join("; ")
        }
        Ok(Err(error)) => format!("refused: {error}"),
        Err(panic) => format!("panicked: {}", message(&*panic)),
    }
}

/// A table, a list and a watchlist that examples ask for.
fn surroundings(folder: &Path) -> (Session, Options) {
    let numbers = folder.join("numbers.csv");
    std::fs::write(&numbers, "n\n1\n2\n").expect("a file");
    std::fs::write(folder.join("list.csv"), "a,1\nb,2\n").expect("a file");
    let files = vec![("Numbers".to_string(), numbers)];
    let engine = engine::Options {
        files,
        ..engine::Options::default()
    };
    let mut session =
        Session::open(engine::Source::Memory(Vec::new()), &engine).expect("a session");
    let names: ArrayRef = Arc::new(StringArray::from(vec!["ann@contoso.com"]));
    let batch = RecordBatch::try_from_iter([("UserPrincipalName", names)]).expect("rows");
    session.add_watchlist("VIPs", batch).expect("a watchlist");
    let options = Options {
        external: Some(folder.to_path_buf()),
        ..options()
    };
    (session, options)
}

#[test]
fn examples_of_the_manual_give_the_answers_beside_them() {
    let entries = manual::all().map(|e| (e.name, e.example, e.answer));
    let plugins = plugin::all().map(|p| (p.name, p.example, p.answer));
    let folder = tempfile::tempdir().expect("a folder");
    let (session, options) = surroundings(folder.path());
    let mut wrong = String::new();
    for (name, example, answer) in entries.chain(plugins) {
        let found = whole(&session, example, &options);
        if found != answer {
            writeln!(
                wrong,
                "{name}: `{example}`\n  gives `{found}`\n  not   `{answer}`"
            )
            .expect("text takes text");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A recorded case.
struct Case {
    line: usize,
    id: String,
    kql: String,
    scope: String,
    error: bool,
    columns: Vec<(String, Type)>,
    rows: Vec<Vec<Recorded>>,
}

/// What came of a case. Texts are one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Equal,
    Different(String),
    Refused(String),
    Panicked(String),
    /// Different, and known to be so by chance or mistake.
    Arbitrary(String),
    /// It reads a table of which there is no file.
    NoTable,
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Outcome::Equal => "equal",
            Outcome::Different(_) => "different",
            Outcome::Refused(_) => "refused",
            Outcome::Panicked(_) => "panicked",
            Outcome::Arbitrary(_) => "arbitrary",
            Outcome::NoTable => "no table",
        }
    }

    fn reason(&self) -> &str {
        match self {
            Outcome::Different(text)
            | Outcome::Refused(text)
            | Outcome::Panicked(text)
            | Outcome::Arbitrary(text) => text,
            Outcome::Equal | Outcome::NoTable => "",
        }
    }
}

#[test]
fn answers_are_those_of_microsofts_engine() {
    let Some(path) = shared("kql/ground-truth.jsonl") else {
        return;
    };
    let cases = read(&path);
    let options = options();
    let counts = judged(&cases, "kql-ground-truth.txt", |case| run(case, &options));
    let count = |scope, name| counts.get(&(scope, name)).copied().unwrap_or(0);
    assert!(count("out", "equal") >= OUT_EQUAL);
    // Who left the list by being right should be struck off it.
    let listed = ARBITRARY.len();
    assert_eq!(count("in", "arbitrary") + count("out", "arbitrary"), listed);
}

#[test]
fn the_text_of_the_query_api_has_the_same_answers() {
    let Some(path) = shared("kql/ground-truth.jsonl") else {
        return;
    };
    let cases = read(&path);
    let options = options();
    let counts = judged(&cases, "kql-ground-truth-text.txt", |case| {
        run_binary(case, &options)
    });
    let count = |scope, name| counts.get(&(scope, name)).copied().unwrap_or(0);
    // One case asks where an address is; the binary would need a file for that.
    assert!(count("out", "equal") + 1 >= OUT_EQUAL);
}

/// Runs all cases and counts what came of them by scope and outcome. Those that count must be right.
fn judged<'c>(
    cases: &'c [Case],
    name: &str,
    run: impl Fn(&Case) -> Outcome + Sync,
) -> BTreeMap<(&'c str, &'static str), usize> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let work = || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(case);
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.insert(case.line, outcome);
                }
            };
            std::thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, work)
                .expect("a thread can be started");
        }
    });
    let outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);

    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (case, outcome) in cases.iter().zip(outcomes.values()) {
        *counts.entry((&case.scope, outcome.name())).or_default() += 1;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let report = report(cases, &outcomes, &counts);
    std::fs::write(&path, report).expect("the target directory takes files");
    println!("{counts:?}; see {}", path.display());

    let count = |scope, name| counts.get(&(scope, name)).copied().unwrap_or(0);
    assert_eq!(count("in", "panicked") + count("out", "panicked"), 0);
    assert!(count("in", "equal") >= IN_EQUAL);
    assert_eq!(count("in", "different"), IN_DIFFERENT);
    assert_eq!(count("in", "refused"), IN_REFUSED);
    counts
}

#[test]
fn examples_of_functions_give_the_answers_beside_them() {
    let options = options();
    let functions = function::all();
    let functions = functions.map(|found| (found.name, found.example, found.answer));
    let aggregates = aggregate::all();
    let aggregates = aggregates.map(|found| (found.name, found.example, found.answer));
    let mut wrong = String::new();
    for (name, example, answer) in functions.chain(aggregates) {
        let query = if is_query(example) {
            example.to_owned()
        } else {
            format!("print x = {example}")
        };
        let cells = |query: &str| match catch_unwind(AssertUnwindSafe(|| kql::run(query, &options)))
        {
            Ok(Ok(found)) => {
                let cells = found.rows.first().into_iter().flatten();
                cells.map(Value::show).collect::<Vec<_>>()
            }
            Ok(Err(error)) => vec![format!("refused: {error}")],
            Err(panic) => vec![format!("panicked: {}", message(&*panic))],
        };
        let found = cells(&query).join(", ");
        // Of several values a name takes the first; without one, each is a column.
        let several = || {
            let call = query.strip_prefix("print x = ")?;
            let all = cells(&format!("print {call}"));
            (all.len() > 1).then(|| format!("[{}]", all.join(",")))
        };
        if found != answer && several().as_deref() != Some(answer) {
            writeln!(wrong, "{name}: `{query}` gives `{found}`, not `{answer}`")
                .expect("text takes text");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn read(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).expect("the recorded answers can be read");
    let cases = text.lines().enumerate().map(|(index, line)| {
        let json: Recorded = serde_json::from_str(line).expect("a case is JSON");
        let text = |name: &str| json[name].as_str().expect("a text").to_owned();
        let list = |json: &Recorded| json.as_array().cloned().unwrap_or_default();
        let column = |column: &Recorded| {
            let text = |name: &str| column[name].as_str().expect("a text").to_owned();
            (text("name"), Type::named(&text("type")).expect("a type"))
        };
        Case {
            line: index + 1,
            id: text("id"),
            kql: text("kql"),
            scope: text("scope"),
            error: json["error"] == true,
            columns: list(&json["columns"]).iter().map(column).collect(),
            rows: list(&json["rows"]).iter().map(list).collect(),
        }
    });
    cases.collect()
}

/// Whether a case reads a table of which there is no file.
fn lacks_a_table(case: &Case, options: &Options) -> bool {
    let is_there = |table: &str| options.tables.iter().any(|(name, _)| name == table);
    let mut named = TABLES.iter().filter(|table| case.kql.contains(**table));
    named.any(|table| !is_there(table))
}

fn run(case: &Case, options: &Options) -> Outcome {
    if lacks_a_table(case, options) {
        return Outcome::NoTable;
    }
    let answer = catch_unwind(AssertUnwindSafe(|| kql::run(&case.kql, options)));
    let difference = match answer {
        Err(panic) => return Outcome::Panicked(message(&*panic)),
        Ok(Err(_)) if case.error => return Outcome::Equal,
        Ok(Err(error)) => return Outcome::Refused(one_line(&error.to_string())),
        Ok(Ok(_)) if case.error => Some("answered what Kusto refuses".to_owned()),
        Ok(Ok(answer)) => difference(case, &answer.columns, &answer.rows, same),
    };
    outcome(case, difference)
}

/// The same through the command line, and the values from its text.
fn run_binary(case: &Case, options: &Options) -> Outcome {
    if lacks_a_table(case, options) {
        return Outcome::NoTable;
    }
    let mut arguments = ["kql", "-f", "kusto", "--at", "2026-06-01T00:00:00Z"]
        .map(String::from)
        .to_vec();
    for (name, path) in &options.tables {
        if case.kql.contains(name) {
            arguments.push(format!("--table={name}={}", path.display()));
        }
    }
    arguments.extend(["--".into(), case.kql.clone()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let out = command_line::run(&arguments);
    let said = one_line(&String::from_utf8_lossy(&out.stderr));
    let difference = match out.status.code() {
        Some(0) if case.error => Some("answered what Kusto refuses".to_owned()),
        Some(0) => match table(&out.stdout) {
            Ok((columns, rows)) => difference(case, &columns, &rows, same_text),
            Err(reason) => Some(reason),
        },
        Some(2) if case.error => return Outcome::Equal,
        Some(2 | 3) => return Outcome::Refused(said),
        _ => return Outcome::Panicked(said),
    };
    outcome(case, difference)
}

/// Columns and rows of the query API.
type Table = (Vec<(String, Type)>, Vec<Vec<Recorded>>);

/// The table of an answer of the query API.
fn table(text: &[u8]) -> Result<Table, String> {
    let answer: Recorded = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let table = &answer["tables"][0];
    let columns = table["columns"].as_array().ok_or("no columns")?.iter();
    let columns = columns.map(|column| {
        let text = |key: &str| column[key].as_str().ok_or_else(|| format!("no `{key}`"));
        let ty = text("type")?;
        // Short names are those of the API.
        let named = Type::named(ty).filter(|named| named.name() == ty);
        Ok((
            text("name")?.to_owned(),
            named.ok_or_else(|| format!("type `{ty}`"))?,
        ))
    });
    let columns = columns.collect::<Result<Vec<_>, String>>()?;
    let rows = table["rows"].as_array().ok_or("no rows")?.iter();
    let rows = rows.map(|row| row.as_array().cloned().ok_or("a row is no array"));
    Ok((columns, rows.collect::<Result<_, _>>()?))
}

fn outcome(case: &Case, difference: Option<String>) -> Outcome {
    match difference {
        None => Outcome::Equal,
        Some(text) => {
            let known = ARBITRARY
                .iter()
                .find(|(line, id, _)| *line == case.line && *id == case.id);
            match known {
                Some((_, _, reason)) => Outcome::Arbitrary((*reason).to_owned()),
                None => Outcome::Different(one_line(&text)),
            }
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    one_line(text.unwrap_or("no message"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn report(
    cases: &[Case],
    outcomes: &BTreeMap<usize, Outcome>,
    counts: &BTreeMap<(&str, &str), usize>,
) -> String {
    let mut out = String::new();
    for ((scope, name), count) in counts {
        writeln!(out, "{scope:<4} {name:<10} {count}").expect("text takes text");
    }
    // The same reason stands together.
    let mut lines: Vec<(&str, &str, &str, &Case)> = cases
        .iter()
        .zip(outcomes.values())
        .filter(|(_, outcome)| **outcome != Outcome::Equal)
        .map(|(case, outcome)| (&*case.scope, outcome.name(), outcome.reason(), case))
        .collect();
    lines.sort_by_key(|(scope, name, reason, case)| (*scope, *name, *reason, case.line));
    for (scope, name, reason, case) in lines {
        let query = one_line(&case.kql);
        write!(
            out,
            "\n{scope} {name}: {reason}\n  line {}: {}\n  {query}\n",
            case.line, case.id
        )
        .expect("text takes text");
    }
    out
}

/// Whether an example is a query, and not a scalar.
fn is_query(text: &str) -> bool {
    let (tree, _) = parse(text);
    match tree.statements.last().map(|statement| &statement.kind) {
        Some(StatementKind::Query(expr)) => match &expr.kind {
            ExprKind::Pipeline(pipeline) => {
                !pipeline.operators.is_empty() || matches!(pipeline.source, Source::Operator(_))
            }
            other => matches!(other, ExprKind::DataTable(_)),
        },
        _ => false,
    }
}
