//! `rules check`: for every rule of every file whether it would run, and what is wrong or odd, with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::named::Paths;
use crate::archive::Archive;
use crate::catalog::is_lake_only;
use crate::cli::exit::Exit;
use crate::cli::global::Global;
use crate::cli::kql::check::{listed, needed};
use crate::cli::ui::{Ui, answer, counted};
use crate::cli::waiting::Waiting;
use crate::engine::kql::{Needs, Options, Verdict, functions};
use crate::engine::output::{harmless, visible};
use crate::engine::{Session, Source};
use crate::fault::{Diagnostic, Error, Level, Result, did_you_mean};
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::hunt::may_reach;
use crate::kql::lexer::{self, TokenKind};
use crate::kql::span::{Fault, Missing, position};
use crate::rules::{self, Conversions, Entry, Kind, Language, Lines, Pack, Rule, Severity, State};

/// Check rules without running them: for a pipeline that has no workspace
///
/// Says of every rule of every file whether it would run, or why not: settings that are unknown, missing or beyond a limit, tables and columns
/// that do not exist, conditions that no row can meet, ids that stand there twice, each with file, line and column. What Sentinel or Defender
/// XDR would refuse is an error; what they take and hardly anybody means is a warning. Nothing is run, and without -a no data is needed. Ends
/// with 2 where a rule has an error, or no file has a rule.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    rules: Paths,
    /// An archive: also say which tables have no rows in it
    #[arg(short, long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Folder with saved functions, such as ASIM's parsers: NAME.kql, or their YAML
    #[arg(long, value_name = "DIR")]
    saved_functions: Option<PathBuf>,
    /// Tables that the workspace keeps in the data lake alone, with commas: analytics rules do not run over them
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    lake_only: Vec<String>,
    /// Also say what a rule asks for that a custom detection of Defender XDR cannot do
    #[arg(long)]
    as_detection: bool,
    /// text, or json: an array of {"file", "id", "ok", "errors": [{"message", "line", "column", …}], …}
    #[arg(short, long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
}

/// What was found of a rule, or of a file without one.
struct Report<'p> {
    entry: &'p Entry,
    rule: Option<&'p Rule>,
    said: Vec<Diagnostic>,
    /// Lines of the query with carets below the place, by the number of what is said.
    marked: BTreeMap<usize, [String; 2]>,
    needs: Needs,
    /// Tables that it reads of the data lake alone.
    lake_only: BTreeSet<String>,
}

impl Report<'_> {
    fn of_level(&self, level: Level) -> impl Iterator<Item = &Diagnostic> {
        self.said.iter().filter(move |said| said.level == level)
    }

    /// Whether it would run; nothing of a file without a rule.
    fn is_ok(&self) -> Option<bool> {
        match self.entry.state {
            State::NoRule(_) => None,
            State::Refused => Some(false),
            State::Loaded(_) => Some(self.of_level(Level::Error).next().is_none()),
        }
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let pack = rules::load(&args.rules.all())?;
    let archive = args
        .archive
        .as_deref()
        .map(Archive::open_to_ask)
        .transpose()?;
    let session = opened(&pack, archive.as_ref(), global)?;
    let how = asking(args.saved_functions.as_deref(), archive.as_ref())?;
    let check = Check {
        session: &session,
        how: &how,
        sigma: Conversions::of_rules(&pack.rules),
        has_archive: archive.is_some(),
        lake_only: &args.lake_only,
        as_detection: args.as_detection,
    };
    let waiting = Waiting::begin(ui, "checking rules");
    let reports: Vec<Report<'_>> = pack
        .entries
        .iter()
        .map(|entry| check.report(entry, pack.rule(entry)))
        .collect();
    drop(waiting);
    ui.counts(&[("rules", pack.rules.len() as u64)]);
    if args.format == "json" {
        let list: Value = reports.iter().map(for_programs).collect();
        answer(&harmless(&format!("{list:#}\n")))?;
    } else {
        let lines: String = reports.iter().map(for_people).collect();
        answer(&(lines + &totals(&reports)))?;
    }
    Ok(
        match reports.iter().filter_map(Report::is_ok).all(|ok| ok) {
            true => Exit::Done,
            false => Exit::Usage,
        },
    )
}

/// A session in which the queries of these rules can be planned.
fn opened(pack: &Pack, archive: Option<&Archive>, global: &Global) -> Result<Session> {
    let source = match archive {
        Some(archive) => Source::Archive(archive),
        None => Source::Memory(Vec::new()),
    };
    let mut session = Session::open(source, &global.engine(None)?)?;
    for (name, need) in pack.rules.iter().flat_map(|rule| &rule.watchlists) {
        session.stand_in(name, &need.columns)?;
    }
    Ok(session)
}

/// How rules in KQL and Sigma are resolved.
fn asking(saved: Option<&Path>, archive: Option<&Archive>) -> Result<Options> {
    let now = chrono::Utc::now().timestamp_micros();
    Ok(Options {
        now: now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS),
        functions: match saved {
            Some(folder) => functions(folder)?,
            None => Vec::new(),
        },
        without_archive: archive.is_none(),
        ..Options::default()
    })
}

/// What keeps rules from running: those that a hunt of this level runs, and files that hold none. A table or a function that is not there is no error where
/// `lacks_pass` says so: an ingest may bring it.
pub(in crate::cli) fn errors(
    pack: &Pack,
    archive: Option<&Archive>,
    saved: Option<&Path>,
    (level, lacks_pass): (Severity, bool),
    global: &Global,
) -> Result<Vec<Diagnostic>> {
    let session = opened(pack, archive, global)?;
    let how = asking(saved, archive)?;
    let check = Check {
        session: &session,
        how: &how,
        sigma: Conversions::of_rules(&pack.rules),
        has_archive: false,
        lake_only: &[],
        as_detection: false,
    };
    let mut errors = Vec::new();
    for entry in &pack.entries {
        let rule = pack.rule(entry);
        if rule.is_some_and(|rule| !may_reach(rule, level)) {
            continue;
        }
        let report = check.report(entry, rule);
        let is_faulty = report.is_ok() == Some(false);
        let passes = lacks_pass && check.only_lacks(&report);
        if is_faulty && !passes {
            errors.extend(report.of_level(Level::Error).cloned());
        }
    }
    Ok(errors)
}

struct Check<'c> {
    session: &'c Session,
    how: &'c Options,
    sigma: Conversions,
    /// Whether what the archive lacks is told.
    has_archive: bool,
    lake_only: &'c [String],
    /// Whether what custom detections cannot do is told.
    as_detection: bool,
}

impl Check<'_> {
    fn report<'p>(&self, entry: &'p Entry, rule: Option<&'p Rule>) -> Report<'p> {
        let mut report = Report {
            entry,
            rule,
            said: entry.diagnostics.clone(),
            marked: BTreeMap::new(),
            needs: Needs::default(),
            lake_only: BTreeSet::new(),
        };
        let Some(rule) = rule else {
            self.alone(&mut report);
            return report;
        };
        self.session.begin();
        let columns = match rule.query.language {
            Language::Sql => self.sql(rule, &mut report),
            Language::Kql => self.kql(rule, &mut report),
            Language::Sigma => {
                self.sigma(rule, &mut report);
                None
            }
        };
        self.session.end();
        if let Some(columns) = columns {
            columns_of(rule, &columns, &mut report.said);
        }
        if self.as_detection {
            for missing in rules::missing_as_detection(rule) {
                let message = format!("as a custom detection: {missing}");
                report.said.push(of_rule(rule, Level::Warning, message));
            }
        }
        report
    }

    /// Whether a rule would run if tables and functions were there that are not.
    fn only_lacks(&self, report: &Report<'_>) -> bool {
        let Some(rule) = report.rule else {
            return false;
        };
        let text = rule.query.text.as_str();
        match rule.query.language {
            Language::Sql => matches!(self.session.plan(text), Err(Error::NoTable { .. })),
            Language::Kql => match &self.session.kql_check(text, self.how).verdict {
                Verdict::Refused(faults) => {
                    let mut faults = faults.iter();
                    faults.all(|fault| fault.missing == Some(Missing::Table))
                }
                _ => !report.lake_only.is_empty(),
            },
            Language::Sigma => false,
        }
    }

    /// The query of what is no rule as it stands: its faults are told with the others.
    fn alone(&self, report: &mut Report<'_>) {
        let Some(asked) = &report.entry.asked else {
            return;
        };
        let mut rule = Rule::new("", Kind::Hunting, asked.query.clone());
        rule.place = report.entry.place.clone();
        self.session.begin();
        match rule.query.language {
            Language::Sql => self.sql_alone(&rule, report),
            Language::Kql => {
                self.kql(&rule, report);
            }
            Language::Sigma => {}
        }
        self.session.end();
    }

    /// Plans SQL whose header cannot be used: lists and parameters of the header are not known, and only what has its place in the query is told.
    fn sql_alone(&self, rule: &Rule, report: &mut Report<'_>) {
        let text = rule.query.text.as_str();
        let Err(e) = self.session.plan(text) else {
            return;
        };
        let reads_lists = text.to_ascii_lowercase().contains("watchlists.");
        let place = rules::place_of(text, &e).filter(|_| !reads_lists);
        let Some((span, message)) = place else {
            return;
        };
        let mut said = placed(rule, &Fault::new(span, message), Level::Error);
        said.hint = e.hint();
        // Who looked for parameters may have told it.
        if report.said.iter().all(|known| known.at != said.at) {
            report.said.push(said);
        }
    }

    /// Plans SQL. Gives the columns of its answer.
    fn sql(&self, rule: &Rule, report: &mut Report<'_>) -> Option<Vec<String>> {
        if self.has_archive {
            let missing = rule
                .watchlists
                .iter()
                .filter(|(name, need)| need.required && !self.session.has_own_watchlist(name));
            let names = missing.map(|(name, _)| name.clone());
            report.needs.watchlists.extend(names);
        }
        let mut planned = |text: &str, what: &str| match self.session.plan(text) {
            Ok(frame) => Some(frame),
            Err(e) => {
                let place = rules::place_of(text, &e).filter(|_| what.is_empty());
                let mut said = match place {
                    Some((span, message)) => placed(rule, &Fault::new(span, message), Level::Error),
                    None => of_rule(rule, Level::Error, format!("{what}{e}")),
                };
                said.hint = e.hint();
                report.said.push(said);
                None
            }
        };
        if let Some(unjudged) = &rule.unjudged {
            planned(&unjudged.query, "the query of `unjudged`: ");
        }
        let frame = planned(&rule.query.text, "")?;
        let names = frame.schema().fields().iter().map(|f| f.name().clone());
        Some(names.collect())
    }

    /// Resolves KQL. Gives the columns of its answer, where they are known without the data.
    fn kql(&self, rule: &Rule, report: &mut Report<'_>) -> Option<Vec<String>> {
        let text = rule.query.text.as_str();
        let checked = self.session.kql_check(text, self.how);
        report.needs = checked.needs;
        let (tokens, _) = lexer::lex(text);
        let words = tokens.iter().filter(|t| t.kind == TokenKind::Word);
        let mut declared: BTreeSet<&str> = BTreeSet::new();
        let mut before = "";
        for word in words {
            let name = word.span.of(text);
            let is_let = std::mem::replace(&mut before, name) == "let";
            if !self.is_lake_only(name) || declared.contains(name) {
                continue;
            }
            // What the query gives a name is no table.
            if is_let {
                declared.insert(name);
                continue;
            }
            if !report.lake_only.insert(name.into()) {
                continue;
            }
            let (level, but) = match rule.kind {
                Kind::Hunting | Kind::Sigma => (Level::Warning, ""),
                _ => (Level::Error, ": no rule runs over it"),
            };
            let message = format!("`{name}` is in the data lake alone{but}");
            let fault = Fault::new(word.span, message);
            report.said.push(placed(rule, &fault, level));
        }
        if let Verdict::Refused(faults) = &checked.verdict {
            let is_told = |fault: &Fault| {
                let is_table = fault.missing == Some(Missing::Table);
                let is_error = !matches!(rule.kind, Kind::Hunting | Kind::Sigma);
                is_table && is_error && report.lake_only.contains(fault.span.of(text))
            };
            let faults: Vec<&Fault> = faults.iter().filter(|f| !is_told(f)).collect();
            for fault in faults {
                report.marked.insert(report.said.len(), fault.marked(text));
                report.said.push(placed(rule, fault, Level::Error));
            }
        }
        for fault in rules::impossible(text) {
            report.said.push(placed(rule, &fault, Level::Warning));
        }
        checked.columns
    }

    /// Converts a rule in Sigma, and resolves its query.
    fn sigma(&self, rule: &Rule, report: &mut Report<'_>) {
        let conversion = match self.sigma.query(&rule.place) {
            Ok(conversion) => conversion,
            Err(refusal) => {
                let mut said = of_rule(rule, Level::Error, refusal.message);
                if refusal.at.line > 0 {
                    said = said.at(refusal.at.line, refusal.at.column);
                }
                said.hint = refusal.hint;
                report.said.push(said);
                return;
            }
        };
        let mut say = |level, message| report.said.push(of_rule(rule, level, message));
        for name in &conversion.unused_searches {
            let message = format!("the condition does not ask for the search `{name}`");
            say(Level::Warning, message);
        }
        let tables = conversion.tables.join("`, `");
        for path in &conversion.record_paths {
            let message = format!(
                "`{path}` is no column of `{tables}`: it is read from the record, as it is spelled"
            );
            say(Level::Warning, message);
        }
        let text = &conversion.text;
        // The query stands in no file.
        for fault in rules::impossible(text) {
            let message = format!("`{}`: {}", fault.span.of(text), fault.message);
            say(Level::Warning, message);
        }
        let checked = self.session.kql_check(text, self.how);
        if let Verdict::Refused(faults) = &checked.verdict {
            for fault in faults {
                let message = format!("its query in KQL: {}", fault.message);
                say(Level::Error, message);
            }
        }
        report.needs = checked.needs;
    }

    fn is_lake_only(&self, name: &str) -> bool {
        is_lake_only(name) || self.lake_only.iter().any(|table| table == name)
    }
}

/// A message about a rule as a whole.
fn of_rule(rule: &Rule, level: Level, message: String) -> Diagnostic {
    let file = rule.place.file.as_str();
    let said = match level {
        Level::Error => Diagnostic::error(file, message),
        Level::Warning => Diagnostic::warning(file, message),
    };
    said.at(rule.place.line.max(1), 1)
}

/// What is wrong at a place of the query, at its place in the file.
fn placed(rule: &Rule, fault: &Fault, level: Level) -> Diagnostic {
    let (line, column) = position(&rule.query.text, fault.span.start);
    let message = match rule.query.lines {
        Lines::Each { .. } => fault.message.clone(),
        Lines::Somewhere { .. } => format!("query {line}:{column}: {}", fault.message),
    };
    let (line, column) = rule.query.lines.in_file(line, column);
    let mut said = of_rule(rule, level, message).at(line, column);
    said.hint.clone_from(&fault.hint);
    said
}

/// Says which columns a rule names that its query does not give.
fn columns_of(rule: &Rule, columns: &[String], said: &mut Vec<Diagnostic>) {
    let mut need = |level: Level, name: &str, whose: String| {
        // Columns that Log Analytics adds to every row are not shown.
        if name.starts_with('_') || columns.iter().any(|column| column == name) {
            return;
        }
        let message = format!("its result has no column `{name}`, which {whose} names");
        let mut missing = of_rule(rule, level, message);
        missing.hint = did_you_mean(name, columns);
        said.push(missing);
    };
    for mapping in &rule.entities {
        for field in &mapping.field_mappings {
            let whose = format!("the entity mapping of {}", mapping.entity_type);
            need(Level::Error, &field.column_name, whose);
        }
    }
    for (name, column) in &rule.custom_details {
        need(Level::Error, column, format!("the custom detail `{name}`"));
    }
    let details = &rule.alert_details;
    for format in [&details.name_format, &details.description_format] {
        for name in rules::parameters(format.as_deref().unwrap_or_default()) {
            need(Level::Warning, name, "a text of the alert".into());
        }
    }
    let overrides = [&details.tactics_column, &details.severity_column];
    for column in overrides.into_iter().flatten() {
        need(Level::Warning, column, "alertDetailsOverride".into());
    }
    for property in &details.dynamic_properties {
        need(
            Level::Warning,
            &property.column,
            format!("the property `{}`", property.property),
        );
    }
    if rule.kind != Kind::CustomDetection {
        return;
    }
    let has = |name: &str| columns.iter().any(|column| column == name);
    if !has("Timestamp") && !has("TimeGenerated") {
        let message = "its result has no column `Timestamp` or `TimeGenerated`, which a custom detection must give";
        said.push(of_rule(rule, Level::Error, message.into()));
    }
    // Tables of Sentinel have none, and need none.
    if has("Timestamp") && !has("ReportId") {
        let message = "its result has no column `ReportId`, which a custom detection over tables of Defender XDR must give";
        said.push(of_rule(rule, Level::Warning, message.into()));
    }
}

/// How many of each kind there are.
fn totals(reports: &[Report<'_>]) -> String {
    let count = |wanted: Option<bool>| {
        let found = reports.iter().filter(|report| report.is_ok() == wanted);
        found.count() as u64
    };
    let (ok, bad, none) = (count(Some(true)), count(Some(false)), count(None));
    let warnings = reports.iter().flat_map(|r| r.of_level(Level::Warning));
    let mut out = format!(
        "{}: {ok} would run, {bad} would not; {}",
        counted(ok + bad, "rule"),
        counted(warnings.count() as u64, "warning")
    );
    if none > 0 {
        out.push_str(&format!("; {} without a rule", counted(none, "file")));
    }
    out + "\n"
}

/// A report as lines of text.
fn for_people(report: &Report<'_>) -> String {
    let mut said = match (&report.entry.state, report.is_ok()) {
        (State::NoRule(why), _) => format!("no rule: {why}"),
        (_, Some(true)) => "would run".into(),
        _ => "would not run".into(),
    };
    if !report.needs.is_empty() {
        let with = match report.is_ok() {
            Some(true) => " with ",
            _ => ", and needs ",
        };
        said.push_str(with);
        said.push_str(&listed(&report.needs));
    }
    let mut out = visible(&format!("{}: {said}", report.entry.name()));
    out.push('\n');
    let all = || report.said.iter().enumerate();
    let errors = all().filter(|(_, said)| said.level == Level::Error);
    let warnings = all().filter(|(_, said)| said.level == Level::Warning);
    for (number, said) in errors.chain(warnings) {
        let level = match said.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let place = match said.at {
            Some((line, column)) => format!(" {line}:{column}"),
            None => String::new(),
        };
        out.push_str(&visible(&format!("    {level}{place}: {}", said.message)));
        out.push('\n');
        for line in report.marked.get(&number).into_iter().flatten() {
            out.push_str(visible(&format!("        {line}")).trim_end());
            out.push('\n');
        }
        if let Some(hint) = &said.hint {
            out.push_str(&visible(&format!("        hint: {hint}")));
            out.push('\n');
        }
    }
    out
}

/// A report for programs.
fn for_programs(report: &Report<'_>) -> Value {
    // A pipeline marks a line: what is said of a rule as a whole is marked where the rule begins.
    let begin = (report.entry.place.line.max(1), 1);
    let list = |level: Level| -> Value {
        let list = report.of_level(level).map(|said| {
            let (line, column) = said.at.unwrap_or(begin);
            json!({
                "message": said.message,
                "line": line,
                "column": column,
                "hint": said.hint,
            })
        });
        list.collect()
    };
    let why = match &report.entry.state {
        State::NoRule(why) => Some(why),
        State::Loaded(_) | State::Refused => None,
    };
    let (rule, needs) = (report.rule, &report.needs);
    json!({
        "file": report.entry.place.file,
        "rule": report.entry.place.number,
        "id": rule.map(|rule| &rule.id),
        "name": rule.map(|rule| &rule.name),
        "kind": rule.map(|rule| rule.kind),
        "language": rule.map(|rule| rule.query.language),
        "ok": report.is_ok(),
        "errors": list(Level::Error),
        "warnings": list(Level::Warning),
        "needs": needed(needs),
        "lake_only": report.lake_only,
        "why": why,
    })
}
