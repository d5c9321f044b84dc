//! `shell`: one question after another, in SQL and KQL.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::future::poll_fn;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use super::answer::{Answer, Existing, Shape, format_of, name, shape};
use super::exit::Exit;
use super::global::{Global, Patience};
use super::kql::Put;
use super::raised::refuse_existing;
use super::ui::{self, Ui};
use super::waiting::Waiting;
use super::when::{Window, now};
use super::{sql, tables};
use crate::archive::Archive;
use crate::engine::kql::Options;
use crate::engine::output::{Format, visible};
use crate::engine::{Columns, Session, Source, Stop, TimeRange};
use crate::fault::{Error, Result, did_you_mean};
use crate::function::value::UNIX_EPOCH_TICKS;

mod complete;
mod kept;
mod statement;

use complete::{Completion, Known};
use statement::{Ends, Piece, Pieces, Spoken};

/// Ask an archive one question after another, in SQL and KQL
///
/// SQL and KQL are told apart by their first word. A statement ends with ; at the end of a line, or with an empty line. Tab completes, Ctrl-C
/// ends a query, .help lists the commands. What comes through a pipe is run without a prompt, and ends at the first error with its exit
/// code.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(short, long, value_name = "DIR")]
    archive: PathBuf,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    window: Window,
}

/// Commands, what they take, and what they do.
const COMMANDS: [(&str, &str, &str); 14] = [
    (
        ".auto",
        "",
        "tell SQL and KQL apart by the first word again",
    ),
    (".exit", "", "leave; so do .quit and Ctrl-D"),
    (".help", "", "show this"),
    (".history", "", "list what was typed"),
    (
        ".kql",
        "[QUERY]",
        "ask this in KQL; without a query, all that follow",
    ),
    (
        ".mode",
        "FORMAT",
        "table, csv, json, ndjson, markdown or kusto",
    ),
    (
        ".output",
        "[-C] [FILE]",
        "write the next answer to a file, whose extension says the format; -C replaces one that exists",
    ),
    (".quit", "", "leave"),
    (
        ".read",
        "FILE",
        "run the statements of a file; there only ; ends one",
    ),
    (
        ".reload",
        "",
        "open the archive again; what was ingested meanwhile is seen anyway",
    ),
    (
        ".schema",
        "TABLE",
        "columns of a table, their types, and paths of the record that they hold",
    ),
    (
        ".sql",
        "[QUERY]",
        "ask this in SQL; without a query, all that follow",
    ),
    (
        ".tables",
        "",
        "tables, views and watchlists with their rows",
    ),
    (".timer", "on|off", "say how long each query takes"),
];
/// Files that read files do so no deeper.
const DEPTH: usize = 8;

/// What comes behind a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Next,
    History,
    Leave,
}

/// An open shell.
struct Shell<'a> {
    args: &'a Args,
    global: &'a Global,
    ui: &'a Ui,
    stop: Stop,
    known: Rc<Known>,
    /// The logs of the archive when its session was opened.
    logs: RefCell<Vec<OsString>>,
    mode: Cell<Shape>,
    timer: Cell<bool>,
    output: RefCell<Option<(PathBuf, Existing)>>,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    let stop = Stop::default();
    // Of what is no archive, the archive says why.
    let logs = logs_of(&args.archive)
        .or_else(|error| Archive::open_to_ask(&args.archive).and(Err(error)))?;
    let session = open(args, global, (&stop, Columns::Product))?;
    let shell = Shell {
        args,
        global,
        ui,
        stop,
        known: Rc::new(Known::new(Rc::new(session))),
        logs: RefCell::new(logs),
        mode: Cell::new(Shape::Table),
        timer: Cell::new(false),
        output: RefCell::new(None),
    };
    match io::stdin().is_terminal() {
        true => shell.talk(),
        false => shell.batch(),
    }
}

/// Opens the archive, with a stop that ends its questions and the columns that `*` stands for.
fn open(args: &Args, global: &Global, (stop, columns): (&Stop, Columns)) -> Result<Session> {
    let archive = Archive::open_to_ask(&args.archive)?;
    let mut options = global.engine(Some(&args.window))?;
    options.columns = columns;
    options.timeout = args.patience.timeout;
    options.stop = Some(stop.clone());
    Session::open(Source::Archive(&archive), &options)
}

/// The names in the logs of an archive's tables, and those of its watchlists. They change when something is ingested.
fn logs_of(root: &Path) -> Result<Vec<OsString>> {
    let mut names = Vec::new();
    let tables = std::fs::read_dir(root).map_err(Error::io("read", root))?;
    for table in tables {
        let folder = table.map_err(Error::io("read", root))?.path();
        let log = folder.join("_delta_log");
        let log = match log.is_dir() {
            true => log,
            false if folder.ends_with("watchlists") => folder,
            false => continue,
        };
        for entry in std::fs::read_dir(&log).map_err(Error::io("read", &log))? {
            names.push(entry.map_err(Error::io("read", &log))?.path().into());
        }
    }
    names.sort();
    Ok(names)
}

/// Hears Ctrl-C for as long as the process lives: it ends a query, and not the shell.
fn hear(stop: &Stop) -> Result<()> {
    let stop = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("hear", "Ctrl-C"))?;
    let mut pressed = Box::pin(tokio::signal::ctrl_c());
    // It is heard from this look on. The reader of lines puts back, behind each line, what heard it when the line began.
    let first = runtime.block_on(poll_fn(|context| {
        Poll::Ready(pressed.as_mut().poll(context))
    }));
    let listen = move || {
        runtime.block_on(async {
            let mut heard = match first {
                Poll::Ready(heard) => heard,
                Poll::Pending => pressed.await,
            };
            while heard.is_ok() {
                stop.stop();
                heard = tokio::signal::ctrl_c().await;
            }
        });
    };
    let thread = std::thread::Builder::new().name("ctrl-c".into());
    thread.spawn(listen).map_err(Error::io("hear", "Ctrl-C"))?;
    Ok(())
}

/// The error of a line that could not be read.
fn unread(error: ReadlineError) -> Error {
    let source = match error {
        ReadlineError::Io(e) => e,
        other => io::Error::other(other.to_string()),
    };
    Error::io("read", "the terminal")(source)
}

impl Shell<'_> {
    /// Runs what comes through a pipe, until the first error.
    fn batch(&self) -> Result<Exit> {
        let mut pieces = Pieces::new(Ends::EmptyLine, None);
        for line in io::stdin().lock().lines() {
            let line = line.map_err(Error::io("read", "standard input"))?;
            for piece in pieces.line(&line) {
                if self.piece(&piece, 0)? == Then::Leave {
                    return Ok(Exit::Done);
                }
            }
        }
        if let Some(piece) = pieces.rest() {
            self.piece(&piece, 0)?;
        }
        Ok(Exit::Done)
    }

    /// Asks for lines on a terminal, until the user leaves.
    fn talk(&self) -> Result<Exit> {
        hear(&self.stop)?;
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .build();
        let mut editor: Editor<Completion, DefaultHistory> =
            Editor::with_config(config).map_err(unread)?;
        let commands = COMMANDS.iter().map(|(name, ..)| *name).collect();
        editor.set_helper(Some(Completion::new(Rc::clone(&self.known), commands)));
        let mut kept = kept::path();
        if let Some(path) = &kept {
            kept::read(&mut editor, path, self.ui);
        }
        self.ui.say(
            "SQL or KQL; ; at the end of a line or an empty line sends it. .help lists the commands, .quit leaves",
        );
        loop {
            // Tab asks the archive, too: what ended the last query is over.
            self.stop.clear();
            let text = match editor.readline("coldtrail> ") {
                Ok(text) => text,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => break,
                Err(e) => return Err(unread(e)),
            };
            if !text.trim().is_empty() {
                editor.add_history_entry(text.trim_end()).map_err(unread)?;
            }
            if let Some(path) = &kept
                && let Err(e) = kept::write(&mut editor, path)
            {
                let path = path.display();
                self.ui.warn(&format!(
                    "history `{path}` cannot be written, and what is typed is not kept: {e}"
                ));
                // Once is enough.
                kept = None;
            }
            match self.pieces(&text, &editor)? {
                Then::Leave => break,
                Then::Next | Then::History => {}
            }
        }
        Ok(Exit::Done)
    }

    /// Runs what was typed. An error is told, and ends what was typed with it.
    fn pieces(&self, text: &str, editor: &Editor<Completion, DefaultHistory>) -> Result<Then> {
        for piece in statement::all(text, Ends::EmptyLine, self.known.spoken.get()) {
            match self.piece(&piece, 0) {
                Ok(Then::History) => {
                    let lines = editor.history().iter().flat_map(|entry| entry.lines());
                    let lines = lines.map(|line| visible(line) + "\n");
                    ui::answer(&lines.collect::<String>())?;
                }
                Ok(Then::Next) => {}
                Ok(Then::Leave) => return Ok(Then::Leave),
                Err(e) => {
                    self.ui.error(&self.global.placed(e));
                    break;
                }
            }
        }
        Ok(Then::Next)
    }

    fn piece(&self, piece: &Piece, depth: usize) -> Result<Then> {
        match piece {
            Piece::Dot(line) => self.dot(line, depth),
            Piece::Statement(text) => {
                let spoken = self.known.spoken.get();
                self.ask(text, spoken.unwrap_or_else(|| statement::spoken(text)))
            }
        }
    }

    /// Runs a dot command.
    fn dot(&self, line: &str, depth: usize) -> Result<Then> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let rest = match word {
            ".sql" | ".kql" => rest,
            _ => rest.trim_end_matches(';').trim_end(),
        };
        match (word.trim_end_matches(';'), rest) {
            (".quit" | ".exit", _) => return Ok(Then::Leave),
            (".history", _) => return Ok(Then::History),
            (".help", _) => ui::answer(&help())?,
            (".auto", _) => self.known.spoken.set(None),
            (".sql", "") => self.known.spoken.set(Some(Spoken::Sql)),
            (".kql", "") => self.known.spoken.set(Some(Spoken::Kql)),
            (".sql", text) => return self.ask(text, Spoken::Sql),
            (".kql", text) => return self.ask(text, Spoken::Kql),
            (".reload", _) => self.reload()?,
            (".tables", _) => {
                self.refresh()?;
                ui::answer(&self.tables()?)?;
            }
            (".schema", "") => return Err(wrong(".schema", "TABLE")),
            (".schema", table) => {
                self.stop.clear();
                ui::answer(&tables::columns(table, || self.whole().map(Some))?)?;
            }
            (".mode", format) => self.mode.set(mode(format)?),
            (".timer", "on") => self.timer.set(true),
            (".timer", "off") => self.timer.set(false),
            (".timer", _) => return Err(wrong(".timer", "on|off")),
            (".output", file) => self.direct(file)?,
            (".read", "") => return Err(wrong(".read", "FILE")),
            (".read", file) => return self.read(Path::new(unquoted(file)), depth),
            (other, _) => {
                let names: Vec<String> = COMMANDS.iter().map(|(n, ..)| (*n).to_string()).collect();
                let near = did_you_mean(other, &names);
                let near = near.unwrap_or_else(|| ".help lists all".into());
                return Err(Error::Usage(format!("no command `{other}`; {near}")));
            }
        }
        Ok(Then::Next)
    }

    /// What is in the archive. It ends as a query does.
    fn tables(&self) -> Result<String> {
        let archive = Archive::open_to_ask(&self.args.archive)?;
        let session = self.known.session();
        let _waiting = Waiting::begin(self.ui, "counting rows");
        self.stop.clear();
        session.begin();
        let outcome = tables::overview(&archive, &session, self.ui);
        session.end();
        Ok(outcome?.0)
    }

    /// A session for one question about all columns of a table.
    fn whole(&self) -> Result<Session> {
        let session = open(self.args, self.global, (&self.stop, Columns::All))?;
        session.begin();
        Ok(session)
    }

    /// Where the next answer goes. A file that it may not replace is refused now, and not after the question.
    fn direct(&self, file: &str) -> Result<()> {
        let words = file.split_once(char::is_whitespace);
        let (file, existing) = match words.unwrap_or((file, "")) {
            ("-C", file) => (file.trim_start(), Existing::Replaced),
            _ => (file, Existing::Kept),
        };
        let file = unquoted(file);
        if file.is_empty() {
            self.output.replace(None);
            self.ui.say("the next answer is shown here");
            return Ok(());
        }
        let path = PathBuf::from(file);
        refuse_existing(&path, existing == Existing::Replaced)?;
        self.ui.say(&format!(
            "the next answer goes to `{}`, as {}; .output alone shows it here",
            visible(file),
            name(self.shape(&path))
        ));
        self.output.replace(Some((path, existing)));
        Ok(())
    }

    /// The format of an answer in a file. Where the name says none, the mode does; a name that is none is refused when it is written.
    fn shape(&self, file: &Path) -> Shape {
        format_of(file, None).unwrap_or(self.mode.get())
    }

    /// Runs the statements of a file.
    fn read(&self, path: &Path, depth: usize) -> Result<Then> {
        if depth >= DEPTH {
            let path = path.display();
            return Err(Error::Usage(format!(
                ".read {path}: files that read files do so no deeper than {DEPTH}"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let extension = path.extension().unwrap_or_default();
        let spoken = match extension.to_string_lossy().to_ascii_lowercase().as_str() {
            "sql" => Some(Spoken::Sql),
            "kql" => Some(Spoken::Kql),
            _ => None,
        };
        for piece in statement::all(&text, Ends::Semicolon, spoken) {
            let then = match (&piece, spoken) {
                (Piece::Statement(text), Some(spoken)) => self.ask(text, spoken)?,
                _ => self.piece(&piece, depth + 1)?,
            };
            if then == Then::Leave {
                return Ok(Then::Leave);
            }
        }
        Ok(Then::Next)
    }

    /// Opens the archive again where something was ingested since.
    fn refresh(&self) -> Result<()> {
        match logs_of(&self.args.archive)? == *self.logs.borrow() {
            true => Ok(()),
            false => self.reload(),
        }
    }

    fn reload(&self) -> Result<()> {
        let logs = logs_of(&self.args.archive)?;
        let session = open(self.args, self.global, (&self.stop, Columns::Product))?;
        self.known.renew(Rc::new(session));
        self.logs.replace(logs);
        Ok(())
    }

    /// How the next answer is written.
    fn answer(&self) -> Answer {
        let mode = self.mode.get();
        let file = self.output.borrow().clone();
        let shape = match &file {
            Some((path, _)) => self.shape(path),
            None => mode,
        };
        Answer::of(shape, file, None)
    }

    /// Asks a question and writes its answer.
    fn ask(&self, text: &str, spoken: Spoken) -> Result<Then> {
        self.refresh()?;
        self.stop.clear();
        let begun = Instant::now();
        let session = self.known.session();
        let window = &self.args.window;
        // Each question has its own moment: a shell may stay open for days.
        let now = window.at().unwrap_or_else(now);
        let range = TimeRange {
            from: window.begins_at(now),
            to: window.to(),
        };
        let answer = self.answer();
        let asked = match spoken {
            Spoken::Sql => {
                let text = text.trim_end().trim_end_matches(';');
                sql::put(&session, text, (range, now), &answer, self.ui)
            }
            Spoken::Kql => {
                let how = Options {
                    now: now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS),
                    ..Options::default()
                };
                let put = Put {
                    session: &session,
                    how: &how,
                    window: range,
                    now,
                };
                put.query(text, &answer, self.ui)
            }
        };
        session.end();
        if self.timer.get() {
            let took = begun.elapsed().as_secs_f64();
            self.ui.say(&format!("took {took:.3} s"));
        }
        asked?;
        if let Some((path, _)) = self.output.replace(None) {
            let path = path.display().to_string();
            self.ui.say(&format!(
                "the answer is in `{}`; the next one is shown here",
                visible(&path)
            ));
        }
        Ok(Then::Next)
    }
}

/// The shape of answers that is called so.
fn mode(format: &str) -> Result<Shape> {
    match shape(format) {
        Ok(Shape::Other(Format::Parquet)) => Err(Error::Usage(
            ".mode: an answer in Parquet is a file: `.output FILE.parquet` writes the next one"
                .into(),
        )),
        known => known.map_err(|known| Error::Usage(format!(".mode: {known}"))),
    }
}

/// A file's name without the quotes around it.
fn unquoted(name: &str) -> &str {
    let inner = name.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
    inner.unwrap_or(name)
}

fn wrong(command: &str, takes: &str) -> Error {
    Error::Usage(format!("{command} takes {takes}"))
}

fn help() -> String {
    let mut out = String::from(
        "A statement ends with ; at the end of a line, or with an empty line; Ctrl-C ends a query.\n\
         SELECT, WITH, EXPLAIN, SHOW, DESCRIBE, VALUES and FROM begin SQL, all else is KQL.\n\n",
    );
    for (name, takes, what) in COMMANDS {
        let command = format!("{name} {takes}");
        out.push_str(&format!("{command:<22} {what}\n"));
    }
    out
}
