//! `kql --check`: for every file that was given, whether its query would run, what it needs, or why it is no query.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::of_file::{extension, in_kql, may_hold_rules, why_none};
use crate::cli::exit::Exit;
use crate::cli::ui::{Ui, answer, counted};
use crate::engine::Session;
use crate::engine::kql::{Checked, Needs, Options, Verdict};
use crate::engine::output::{harmless, visible};
use crate::fault::{Error, Result};
use crate::kql::span::{Fault, position, render_in};
use crate::rules::{self, Conversions, Language, Lines, State};

/// A query, or a file without one.
struct Entry {
    file: String,
    /// Which of several queries of the file, from 1.
    number: Option<usize>,
    query: String,
    /// Where the lines of the query stand in the file; nothing of one that was made of a rule in Sigma.
    lines: Option<Lines>,
    found: Outcome,
}

impl Entry {
    /// Line and column in the file of those in the query.
    fn in_file(&self, line: usize, column: usize) -> (usize, usize) {
        match self.lines {
            Some(lines) => lines.in_file(line, column),
            None => (line, column),
        }
    }
}

/// Why a file cannot be used.
struct Reason {
    /// Line and column in the file, where they are known.
    at: Option<(usize, usize)>,
    message: String,
}

impl Reason {
    /// The only reason, at no place.
    fn only(message: String) -> Vec<Reason> {
        vec![Reason { at: None, message }]
    }

    /// Why a rule cannot run.
    fn of(entry: &rules::Entry) -> Vec<Reason> {
        let each = entry.errors().map(|said| Reason {
            at: said.at,
            message: said.message.clone(),
        });
        each.collect()
    }

    /// A line for people.
    fn text(&self) -> String {
        match self.at {
            Some((line, column)) => format!("{line}:{column}: {}\n", self.message),
            None => format!("{}\n", self.message),
        }
    }

    /// The same for programs.
    fn for_programs(&self) -> Value {
        json!({
            "message": self.message,
            "line": self.at.map(|(line, _)| line),
            "column": self.at.map(|(_, column)| column),
        })
    }
}

/// What was found.
enum Outcome {
    Runs,
    /// It would run with what it needs; and only if that has its columns, where that is true.
    Needs(Needs, bool),
    /// It would run if the data has its columns.
    DependsOnData,
    Refused(Vec<Fault>, Needs),
    /// The file cannot be read, or is not of the format that its name says.
    Unreadable(Vec<Reason>),
    NoQuery(String),
}

impl Outcome {
    fn of(checked: Checked) -> Outcome {
        let Checked { verdict, needs, .. } = checked;
        match verdict {
            Verdict::Refused(faults) => Outcome::Refused(faults, needs),
            Verdict::DependsOnData if needs.is_empty() => Outcome::DependsOnData,
            Verdict::Runs if needs.is_empty() => Outcome::Runs,
            open => Outcome::Needs(needs, open == Verdict::DependsOnData),
        }
    }
}

/// How many of each kind there are.
#[derive(Default)]
struct Totals {
    runs: u64,
    needs: u64,
    depends: u64,
    bad: u64,
    no_query: u64,
}

impl Totals {
    fn of(entries: &[Entry]) -> Totals {
        let mut totals = Totals::default();
        for entry in entries {
            let kind = match entry.found {
                Outcome::Runs => &mut totals.runs,
                Outcome::Needs(..) => &mut totals.needs,
                Outcome::DependsOnData => &mut totals.depends,
                Outcome::Refused(..) | Outcome::Unreadable(_) => &mut totals.bad,
                Outcome::NoQuery(_) => &mut totals.no_query,
            };
            *kind += 1;
        }
        totals
    }

    fn checked(&self) -> u64 {
        self.runs + self.needs + self.depends + self.bad
    }

    fn text(&self) -> String {
        let queries = counted(self.checked(), "query");
        let mut parts = vec![format!("{} would run", self.runs)];
        if self.needs > 0 {
            parts.push(format!("{} would with what is missing here", self.needs));
        }
        if self.depends > 0 {
            let depends = self.depends;
            parts.push(format!("{depends} would if the data has the columns"));
        }
        parts.push(format!("{} would not", self.bad));
        let mut out = format!("{queries}: {}", parts.join(", "));
        if self.no_query > 0 {
            let without = counted(self.no_query, "file");
            out.push_str(&format!("; {without} without a query"));
        }
        out + "\n"
    }
}

pub(super) fn check(
    session: &Session,
    paths: &[PathBuf],
    how: &Options,
    is_json: bool,
    ui: &Ui,
) -> Result<Exit> {
    let found = files(paths)?;
    let asked = found.iter().flat_map(|file| match &file.held {
        Held::Rules(rules) => rules.as_slice(),
        Held::Text(_) | Held::Nothing(_) => &[],
    });
    let asked = asked.filter_map(|entry| Some((&entry.place, &entry.asked.as_ref()?.query)));
    let sigma = Conversions::of(asked);
    let mut entries = Vec::new();
    for file in &found {
        of_file(file, &sigma, session, how, &mut entries);
    }
    let totals = Totals::of(&entries);
    if is_json {
        let list: Vec<Value> = entries.iter().map(for_programs).collect();
        answer(&harmless(&format!("{:#}\n", Value::Array(list))))?;
    } else {
        let lines: String = entries.iter().map(for_people).collect();
        answer(&(lines + &totals.text()))?;
    }
    if totals.checked() == 0 {
        ui.warn("nothing was checked: no file has a query");
    }
    Ok(match totals.bad > 0 || totals.checked() == 0 {
        true => Exit::Usage,
        false => Exit::Done,
    })
}

/// A file, and what it holds.
struct File {
    name: String,
    held: Held,
}

enum Held {
    Rules(Vec<rules::Entry>),
    /// A query without a rule around it.
    Text(Result<String>),
    /// No query, and why.
    Nothing(String),
}

/// The files below these paths.
fn files(paths: &[PathBuf]) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for path in paths {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(Error::walk(path))?;
            let held = match entry.file_type() {
                kind if kind.is_dir() => continue,
                kind if kind.is_file() || (kind.is_symlink() && entry.path().is_file()) => {
                    held(entry.path(), entry.depth() == 0)
                }
                kind if kind.is_symlink() => {
                    Held::Nothing("it is a link that leads to no file".into())
                }
                _ => Held::Nothing("it is no file".into()),
            };
            files.push(File {
                name: entry.path().display().to_string(),
                held,
            });
        }
    }
    Ok(files)
}

/// What a file holds; one of text is a query where it was named itself.
fn held(path: &Path, is_named: bool) -> Held {
    if may_hold_rules(path) {
        return Held::Rules(rules::load_file(path));
    }
    match extension(path).as_str() {
        "txt" if !is_named => {
            Held::Nothing("a .txt file in a folder is none: name the file itself".into())
        }
        "txt" => {
            let text = std::fs::read_to_string(path).map_err(Error::io("read", path));
            Held::Text(text.map(|text| text.trim_start_matches('\u{feff}').to_string()))
        }
        _ => Held::Nothing("it is none of .kql, .csl, .txt, .yaml, .yml, .json and .sql".into()),
    }
}

/// Checks the queries of a file.
fn of_file(
    file: &File,
    sigma: &Conversions,
    session: &Session,
    how: &Options,
    entries: &mut Vec<Entry>,
) {
    let mut add = |number, (query, lines): (String, Option<Lines>), found| {
        entries.push(Entry {
            file: file.name.clone(),
            number,
            query,
            lines,
            found,
        });
    };
    let none = || (String::new(), None);
    let rules = match &file.held {
        Held::Nothing(why) => return add(None, none(), Outcome::NoQuery(why.clone())),
        Held::Text(Err(e)) => {
            let why = Reason::only(e.to_string());
            return add(None, none(), Outcome::Unreadable(why));
        }
        Held::Text(Ok(text)) if text.trim().is_empty() => {
            return add(None, none(), Outcome::NoQuery("it is empty".into()));
        }
        Held::Text(Ok(text)) => {
            let found = Outcome::of(session.kql_check(text, how));
            return add(None, (text.clone(), Some(Lines::default())), found);
        }
        Held::Rules(rules) => rules,
    };
    for entry in rules {
        let number = entry.place.number;
        let why = || why_none(entry).unwrap_or_default();
        let refused = || Outcome::Unreadable(Reason::of(entry));
        let Some(asked) = &entry.asked else {
            let found = match entry.state {
                State::NoRule(_) => Outcome::NoQuery(why()),
                // A file with several rules can be read: this one, such as one of Fusion, has none.
                State::Refused if number.is_some() => Outcome::NoQuery(why()),
                State::Refused | State::Loaded(_) => refused(),
            };
            add(number, none(), found);
            continue;
        };
        match in_kql(entry, asked, sigma) {
            Ok(query) => {
                let found = Outcome::of(session.kql_check(&query, how));
                let stands = asked.query.language == Language::Kql;
                let lines = stands.then_some(asked.query.lines);
                add(number, (query, lines), found);
            }
            Err(why) if asked.query.language == Language::Sql => {
                let found = match entry.state {
                    State::Refused => refused(),
                    State::NoRule(_) | State::Loaded(_) => Outcome::NoQuery(why),
                };
                add(number, none(), found);
            }
            Err(why) => add(number, none(), Outcome::Unreadable(Reason::only(why))),
        }
    }
}

/// An entry as lines of text.
fn for_people(entry: &Entry) -> String {
    let mut out = visible(&entry.file);
    if let Some(number) = entry.number {
        out.push_str(&format!(", query {number}"));
    }
    let columns = "if the data has the columns that it names";
    let (said, more) = match &entry.found {
        Outcome::Runs => ("would run".to_string(), String::new()),
        Outcome::DependsOnData => (format!("would run {columns}"), String::new()),
        Outcome::Needs(needs, open) => {
            let mut said = format!("would run with {}", listed(needs));
            if *open {
                said.push_str(&format!(", and {columns}"));
            }
            (said, String::new())
        }
        Outcome::Refused(faults, needs) => {
            let said = match needs.is_empty() {
                true => "would not run".into(),
                false => format!("would not run, and needs {}", listed(needs)),
            };
            let place = |line, column| entry.in_file(line, column);
            (said, render_in(faults, &entry.query, place))
        }
        Outcome::Unreadable(reasons) => {
            let lines = reasons.iter().map(Reason::text);
            ("would not run".into(), lines.collect())
        }
        Outcome::NoQuery(why) => (format!("no query: {why}"), String::new()),
    };
    out.push_str(&format!(": {}\n", visible(&said)));
    for line in more.lines() {
        out.push_str(format!("    {}", visible(line)).trim_end());
        out.push('\n');
    }
    out
}

/// What a query needs, for programs.
pub(in crate::cli) fn needed(needs: &Needs) -> Value {
    json!({
        "watchlists": needs.watchlists,
        "functions": needs.functions,
        "tables": needs.tables,
        "external": needs.external,
        "geoip": needs.geoip,
    })
}

/// What a query needs, for people.
pub(in crate::cli) fn listed(needs: &Needs) -> String {
    // Databases are named by a call, files by their name.
    let (databases, files): (Vec<&String>, Vec<&String>) =
        needs.external.iter().partition(|name| name.contains('('));
    let lists: [(&str, Vec<&String>, &str); 5] = [
        ("the watchlist", needs.watchlists.iter().collect(), ""),
        (
            "the saved function",
            needs.functions.iter().collect(),
            " (--saved-functions)",
        ),
        ("rows of the table", needs.tables.iter().collect(), ""),
        ("the file", files, " (--external-data)"),
        ("the database of", databases, ""),
    ];
    let mut parts = Vec::new();
    for (what, names, option) in lists {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        if !names.is_empty() {
            parts.push(format!("{what} {}{option}", names.join(", ")));
        }
    }
    if needs.geoip {
        parts.push("a database of addresses (--geoip)".into());
    }
    parts.join(", ")
}

/// An entry for programs.
fn for_programs(entry: &Entry) -> Value {
    let none = Needs::default();
    // Whether it is plainly right; nothing of what is no query.
    let (verdict, ok, needs) = match &entry.found {
        Outcome::Runs => ("runs", Some(true), &none),
        Outcome::DependsOnData => ("depends on data", Some(true), &none),
        Outcome::Needs(needs, _) => ("needs", Some(false), needs),
        Outcome::Refused(_, needs) => ("refused", Some(false), needs),
        Outcome::Unreadable(_) => ("refused", Some(false), &none),
        Outcome::NoQuery(_) => ("no query", None, &none),
    };
    let errors: Vec<Value> = match &entry.found {
        Outcome::Refused(faults, _) => faults.iter().map(|f| placed(f, entry)).collect(),
        Outcome::Unreadable(reasons) => reasons.iter().map(Reason::for_programs).collect(),
        _ => Vec::new(),
    };
    let why = match &entry.found {
        Outcome::NoQuery(why) => Some(why),
        _ => None,
    };
    json!({
        "file": entry.file,
        "query": entry.number,
        "verdict": verdict,
        "ok": ok,
        "depends_on_data": matches!(
            entry.found,
            Outcome::DependsOnData | Outcome::Needs(_, true)
        ),
        "errors": errors,
        "needs": needed(needs),
        "why": why,
    })
}

/// A fault with its place in the file.
fn placed(fault: &Fault, entry: &Entry) -> Value {
    let (line, column) = position(&entry.query, fault.span.start);
    let mut message = match entry.lines {
        Some(Lines::Each { .. }) => fault.message.clone(),
        Some(Lines::Somewhere { .. }) => format!("query {line}:{column}: {}", fault.message),
        None => format!("its query in KQL: {}", fault.message),
    };
    if let Some(hint) = &fault.hint {
        message.push_str(&format!("; {hint}"));
    }
    let at = entry.lines.map(|lines| lines.in_file(line, column));
    Reason { at, message }.for_programs()
}
