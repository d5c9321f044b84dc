//! `ask`: ready questions, by their names.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::answer::Answer;
use super::exit::Exit;
use super::global::{Global, Patience};
use super::kql::Put;
use super::rules::described;
use super::ui::{Ui, answer, time_text};
use super::when::Window;
use crate::archive::Archive;
use crate::engine::kql::Options;
use crate::engine::output::{harmless, visible};
use crate::engine::{Columns, Session, Source};
use crate::fault::{Error, Result, did_you_mean};
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::hunt;
use crate::kql::lexer::{TokenKind, lex};
use crate::rules::{self, Pack, Rule};

/// Ask a ready question, such as what a user did on a day
///
/// Without a NAME the questions are listed, with what can be set. They are queries in KQL over tables of Sentinel and Defender XDR, and run there
/// as --show prints them. `now()` is --at, else --to, else the time of the archive's last event.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of a question
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// List the questions, with what they answer and what can be set; -f json for programs
    #[arg(long, conflicts_with = "name")]
    list: bool,
    /// Do not ask: print the query, with what is set, to take it along
    #[arg(long, requires = "name")]
    show: bool,
    /// Set a parameter of the question: user=bob@contoso.com. May be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment, requires = "name")]
    set: Vec<(String, String)>,
    #[command(flatten)]
    answer: Answer,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("NAME=VALUE".into()),
    }
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let mut pack = rules::questions();
    let Some(name) = &args.name else {
        args.answer.refuse_file("lists of questions")?;
        return list(&pack, &args.answer);
    };
    let question = named(&mut pack, name)?;
    for (name, value) in &args.set {
        rules::set_one(question, name, value)?;
    }
    let text = question.query.text.as_str();
    if args.show {
        args.answer.refuse_file("queries that are shown")?;
        let lines = text.lines().map(|line| visible(line) + "\n");
        answer(&lines.collect::<String>())?;
        return Ok(Exit::Done);
    }
    let Some(archive) = &args.archive else {
        return Err(Error::Usage(
            "-a ARCHIVE is missing: what is to be asked?".into(),
        ));
    };
    ask(args, archive, text, global, ui)
}

/// The question of a name.
///
/// # Errors
/// When there is none. It says which one may be meant.
fn named<'p>(pack: &'p mut Pack, name: &str) -> Result<&'p mut Rule> {
    let is_meant = |question: &Rule| question.id.eq_ignore_ascii_case(name);
    match pack.rules.iter().position(is_meant) {
        Some(at) => Ok(&mut pack.rules[at]),
        None => {
            let names: Vec<String> = pack.rules.iter().map(|one| one.id.clone()).collect();
            let near = did_you_mean(name, &names);
            let near = near.unwrap_or_else(|| "`coldtrail ask --list` shows all".into());
            Err(Error::Usage(format!("no question `{name}`; {near}")))
        }
    }
}

fn ask(args: &Args, archive: &Path, text: &str, global: &Global, ui: &Ui) -> Result<Exit> {
    let archive = Archive::open_to_ask(archive)?;
    let range = args.window.range();
    let asked = hunt::Window {
        from: range.from,
        to: args.window.to,
    };
    let moment = match args.window.at() {
        Some(_) => None,
        None => hunt::moment(&archive.ledger()?, asked),
    };
    let now = moment.unwrap_or_else(|| args.window.now());
    let mut options = global.engine(Some(&args.window))?;
    options.columns = Columns::Product;
    options.timeout = args.patience.timeout;
    options.now = Some(now);
    let session = Session::open(Source::Archive(&archive), &options)?;
    let how = Options {
        now: now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS),
        ..Options::default()
    };
    if counts_back(text) {
        let now = time_text(now);
        ui.say(&format!(
            "the question counts back from now(), which is {now}; --at sets it"
        ));
    }
    let put = Put {
        session: &session,
        how: &how,
        window: range,
        now,
    };
    put.query(text, &args.answer, ui)
}

fn counts_back(query: &str) -> bool {
    let (tokens, _) = lex(query);
    let mut words = tokens.iter().filter(|t| t.kind == TokenKind::Word);
    words.any(|token| matches!(token.span.of(query), "ago" | "now"))
}

fn list(pack: &Pack, how: &Answer) -> Result<Exit> {
    if how.is_json() {
        let list: Value = pack.rules.iter().map(described::rule).collect();
        answer(&harmless(&format!("{list:#}\n")))?;
        return Ok(Exit::Done);
    }
    let texts: Vec<String> = pack.rules.iter().map(told).collect();
    answer(&texts.join("\n"))?;
    Ok(Exit::Done)
}

/// A question: its name, what it answers, and a line for each parameter.
fn told(question: &Rule) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(visible(text).trim_end());
        out.push('\n');
    };
    line(&format!("{}: {}", question.id, question.name));
    for text in question.description.lines() {
        line(&format!("    {text}"));
    }
    for parameter in &question.parameters {
        let (name, what) = (&parameter.name, &parameter.description);
        line(&format!("    --set {name}={}  {what}", parameter.default));
    }
    out
}
