//! What Tab offers: tables, columns, functions, operators, watchlists and keys of JSON that the archive has; dot commands and files.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use serde_json::Value;

use super::statement::{self, Spoken};
use crate::catalog::catalog;
use crate::cli::answer::SHAPES;
use crate::cli::tables::quoted;
use crate::engine::Session;
use crate::engine::output::visible;
use crate::fault::Result;
use crate::function::{self, aggregate};
use crate::kql::{self, plugin};

/// Rows whose JSON is looked through for keys.
const SAMPLE: usize = 300;

/// What is offered, and when a statement is at its end.
pub(super) struct Completion {
    known: Rc<Known>,
    commands: Vec<&'static str>,
    files: FilenameCompleter,
}

/// What the archive has, as far as it was asked for.
pub(super) struct Known {
    session: RefCell<Rc<Session>>,
    /// The language that is set; by the first word when not.
    pub(super) spoken: Cell<Option<Spoken>>,
    columns: RefCell<HashMap<String, Vec<String>>>,
    keys: RefCell<HashMap<(String, String), Vec<String>>>,
}

impl Known {
    pub(super) fn new(session: Rc<Session>) -> Known {
        Known {
            session: RefCell::new(session),
            spoken: Cell::new(None),
            columns: RefCell::default(),
            keys: RefCell::default(),
        }
    }

    pub(super) fn session(&self) -> Rc<Session> {
        Rc::clone(&self.session.borrow())
    }

    /// From now on this session is asked.
    pub(super) fn renew(&self, session: Rc<Session>) {
        self.session.replace(session);
        self.columns.borrow_mut().clear();
        self.keys.borrow_mut().clear();
    }

    /// Columns of a table; none where it cannot be planned, which a query will say.
    fn columns(&self, table: &str) -> Vec<String> {
        if let Some(known) = self.columns.borrow().get(table) {
            return known.clone();
        }
        let found = match catalog().get(table) {
            Some(table) => table.shown().map(|c| c.name.to_string()).collect(),
            None => {
                let planned = self
                    .session()
                    .plan(&format!("SELECT * FROM {}", in_sql(table)));
                planned.map_or_else(
                    |_| Vec::new(),
                    |frame| {
                        let fields = frame.schema().fields().iter();
                        fields.map(|field| field.name().clone()).collect()
                    },
                )
            }
        };
        let mut columns = self.columns.borrow_mut();
        columns.entry(table.to_string()).or_insert(found).clone()
    }

    /// Paths of keys in a column of JSON; none where it has none.
    fn keys(&self, table: &str, column: &str) -> Vec<String> {
        let name = (table.to_string(), column.to_string());
        if let Some(known) = self.keys.borrow().get(&name) {
            return known.clone();
        }
        let found = self.sampled(table, column).unwrap_or_default();
        self.keys.borrow_mut().entry(name).or_insert(found).clone()
    }

    fn sampled(&self, table: &str, column: &str) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT {} AS it FROM {} LIMIT {SAMPLE}",
            in_sql(column),
            in_sql(table)
        );
        let (_, batches) = self.session().collect(&sql)?;
        let mut paths = BTreeSet::new();
        for batch in &batches {
            let texts = arrow::compute::cast(batch.column(0), &DataType::Utf8)?;
            for text in texts.as_string::<i32>().iter().flatten() {
                if let Ok(value) = serde_json::from_str(text) {
                    gather(&value, "", &mut paths);
                }
            }
        }
        Ok(paths.into_iter().collect())
    }
}

/// Names of keys that can be written without brackets, with those inside of them.
fn gather(value: &Value, before: &str, paths: &mut BTreeSet<String>) {
    let Value::Object(object) = value else {
        return;
    };
    for (key, value) in object {
        if !key.is_empty() && key.chars().all(is_of_name) {
            let path = format!("{before}{key}");
            gather(value, &format!("{path}."), paths);
            paths.insert(path);
        }
    }
}

/// A table, watchlist or column as SQL has it.
fn in_sql(name: &str) -> String {
    match name.strip_prefix("watchlists.") {
        Some(list) => format!("watchlists.{}", quoted(list)),
        None => quoted(name),
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Completion {
    pub(super) fn new(known: Rc<Known>, commands: Vec<&'static str>) -> Completion {
        Completion {
            known,
            commands,
            files: FilenameCompleter::new(),
        }
    }

    /// Everything that may stand at the end of this text, and where the word begins that it takes the place of.
    fn offered(&self, before: &str, spoken: Spoken) -> (usize, Vec<String>) {
        let word_at = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_of_name(*c) || *c == '-')
            .last()
            .map_or(before.len(), |(at, _)| at);
        let session = self.known.session();
        let names = session.names();
        let head = before[..word_at].trim_end();
        if head.ends_with("_GetWatchlist('") || head.ends_with("_GetWatchlist(\"") {
            return (word_at, session.watchlists().to_vec());
        }
        let named = |name: &&String| {
            before
                .split(|c: char| !is_of_name(c))
                .any(|word| word == *name)
        };
        let tables: Vec<String> = names.iter().filter(named).cloned().collect();
        if let Some(keys) = self.path(&before[..word_at], &tables) {
            return (word_at, keys);
        }
        let mut all: Vec<String> = Vec::new();
        if spoken == Spoken::Kql && head.ends_with('|') {
            let operators = kql::manual::all().filter(|e| e.kind == kql::manual::Kind::Tabular);
            let words = operators.filter_map(|e| e.name.split(' ').next());
            all.extend(words.map(str::to_string));
            return (word_at, all);
        }
        for table in &tables {
            all.extend(self.known.columns(table));
        }
        all.extend(names);
        match spoken {
            Spoken::Kql => {
                all.extend(function::all().map(|f| f.name.to_string()));
                all.extend(aggregate::all().map(|a| a.name.to_string()));
                all.extend(plugin::all().map(|p| p.name.to_string()));
            }
            Spoken::Sql => {
                let state = session.context().state();
                all.extend(state.scalar_functions().keys().cloned());
                all.extend(state.aggregate_functions().keys().cloned());
            }
        }
        (word_at, all)
    }

    /// Keys behind a column and a dot, or behind further keys.
    fn path(&self, before: &str, tables: &[String]) -> Option<Vec<String>> {
        let path = before.strip_suffix('.')?;
        let from = path.rfind(|c: char| !is_of_name(c) && c != '.');
        let path = &path[from.map_or(0, |at| {
            at + path[at..].chars().next().map_or(0, char::len_utf8)
        })..];
        let (column, inside) = match path.split_once('.') {
            Some((column, inside)) => (column, format!("{inside}.")),
            None => (path, String::new()),
        };
        let has = |table: &&String| self.known.columns(table).iter().any(|c| c == column);
        let table = tables.iter().find(has)?;
        let keys = self.known.keys(table, column);
        let next = keys.iter().filter_map(|key| key.strip_prefix(&inside));
        let next = next.filter(|key| !key.contains('.'));
        Some(next.map(str::to_string).collect())
    }
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..pos];
        let is_command = before.starts_with('.');
        let last = before.rfind(' ').map_or(0, |at| at + 1);
        let of = |words: &[&str]| -> Vec<String> {
            words.iter().map(|word| (*word).to_string()).collect()
        };
        let (at, all) = match before.split_once(' ') {
            Some((".read" | ".output", _)) => return self.files.complete_path(line, pos),
            Some((".mode", _)) => {
                let written = SHAPES.into_iter().filter(|shape| *shape != "parquet");
                (last, written.map(str::to_string).collect())
            }
            Some((".timer", _)) => (last, of(&["on", "off"])),
            Some((".schema", _)) => (last, self.known.session().names()),
            Some((".sql", _)) => self.offered(before, Spoken::Sql),
            Some((".kql", _)) => self.offered(before, Spoken::Kql),
            Some(_) if is_command => (last, Vec::new()),
            None if is_command => (0, of(&self.commands)),
            _ => {
                let spoken = self.known.spoken.get();
                self.offered(before, spoken.unwrap_or_else(|| statement::spoken(before)))
            }
        };
        let typed = before[at..].to_lowercase();
        let mut fitting: Vec<String> = all
            .into_iter()
            .filter(|one| one.to_lowercase().starts_with(&typed))
            .filter(|one| !one.chars().any(char::is_control))
            .collect();
        fitting.sort();
        fitting.dedup();
        let pairs = fitting.into_iter().map(|one| Pair {
            display: visible(&one),
            replacement: one,
        });
        Ok((at, pairs.collect()))
    }
}

impl Validator for Completion {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let spoken = self.known.spoken.get();
        Ok(match statement::is_complete(context.input(), spoken) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Helper for Completion {}
