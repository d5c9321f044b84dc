//! What people see. Only this module, `voice` and `bar` write to a terminal: answers to stdout, everything else to stderr; text from
//! logs is made safe here.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard};

use super::bar::Bar;
use super::global::Global;
use super::layout;
use super::voice::{Fields, Level, LogFormat, Voice};
use crate::engine::output::visible;
use crate::fault::Error;

pub(super) use super::bar::bytes_text;
pub(super) use super::when::time_text;
pub(super) use crate::text::{count, counted};

/// Where messages go, and how.
pub(super) struct Ui {
    quiet: bool,
    pub verbose: bool,
    voice: Voice,
    counts: Mutex<Vec<(&'static str, u64)>>,
    heard: Mutex<Heard>,
}

/// What the steps of a run have said. A command without steps says all that it says.
#[derive(Debug, Default)]
struct Heard {
    in_step: bool,
    texts: HashSet<String>,
    /// Warnings that this step would have said once more.
    again: u64,
}

impl Heard {
    /// Whether a step of this run has said it before; it has now.
    fn has(&mut self, text: &str) -> bool {
        self.in_step && !self.texts.insert(text.to_string())
    }
}

impl Ui {
    /// One for a command, such as `archive compact`.
    pub(super) fn new(global: &Global, command: &str) -> Self {
        let wants_color =
            !global.no_color && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let voice = match global.log_format {
            Some(LogFormat::Json) => Voice::json(command),
            Some(LogFormat::Text) | None => Voice::Text {
                color: wants_color && io::stderr().is_terminal(),
            },
        };
        Ui {
            quiet: global.quiet,
            verbose: global.verbose,
            ..Ui::of(voice)
        }
    }

    /// One that says what went wrong in this voice.
    pub(super) fn of(voice: Voice) -> Self {
        Ui {
            quiet: true,
            verbose: false,
            voice,
            counts: Mutex::default(),
            heard: Mutex::default(),
        }
    }

    /// One that says only what went wrong.
    pub(super) fn silent() -> Self {
        Ui::of(Voice::Text { color: false })
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("no panic while it is held")
    }

    /// What is said from now on is of this step of a run.
    pub(super) fn begin_step(&self, name: &'static str) {
        self.voice.is_at(Some(name));
        self.heard().in_step = true;
    }

    /// The step is over. Returns how many warnings it left out that an earlier one had said.
    pub(super) fn end_step(&self) -> u64 {
        self.voice.is_at(None);
        let mut heard = self.heard();
        heard.in_step = false;
        std::mem::take(&mut heard.again)
    }

    /// What writes the lines.
    pub(super) fn voice(&self) -> &Voice {
        &self.voice
    }

    /// Whether only what went wrong is said.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Takes what a command counted, for the line with which its run ends. Several of one name add up.
    pub(super) fn counts(&self, more: &[(&'static str, u64)]) {
        let mut counts = self.counts.lock().expect("no panic while it is held");
        for (name, n) in more {
            match counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += n,
                None => counts.push((*name, *n)),
            }
        }
    }

    /// Forgets what was counted so far: a run of several steps says the counts of each.
    pub(super) fn count_anew(&self) {
        self.counts
            .lock()
            .expect("no panic while it is held")
            .clear();
    }

    /// What was counted so far.
    pub(super) fn counted(&self) -> Vec<(&'static str, u64)> {
        self.counts
            .lock()
            .expect("no panic while it is held")
            .clone()
    }

    fn put(&self, level: Level, text: &str) {
        self.voice.say(level, text, Fields::new());
    }

    /// A line for people, on stderr.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            self.put(Level::Info, text);
        }
    }

    /// The same, which several steps of a run may have to say: it is said once.
    pub(super) fn remark(&self, text: &str) {
        if !self.heard().has(text) {
            self.say(text);
        }
    }

    /// A line that only `--verbose` shows.
    pub(super) fn tell(&self, text: &str) {
        if self.verbose {
            self.put(Level::Info, text);
        }
    }

    /// A warning. Steps of a run say each once, and count the others.
    pub(super) fn warn(&self, text: &str) {
        let mut heard = self.heard();
        match heard.has(text) {
            true => heard.again += 1,
            false => self.put(Level::Warning, &visible(text)),
        }
    }

    /// A mistake that does not end the run.
    pub(super) fn mistake(&self, text: &str) {
        self.put(Level::Error, &visible(text));
    }

    /// A hint.
    pub(super) fn hint(&self, text: &str) {
        self.put(Level::Hint, &visible(text));
    }

    /// An error with its causes and its hint.
    pub(super) fn error(&self, error: &Error) {
        // A query error may have lines of its own.
        let text: Vec<String> = error.to_string().lines().map(visible).collect();
        self.put(Level::Error, &text.join("\n"));
        if let Some(hint) = error.hint() {
            self.hint(&hint);
        }
    }

    /// Progress for a run that reads bytes.
    pub(super) fn progress(&self) -> Bar {
        Bar::begin(&self.voice, self.quiet)
    }
}

/// Writes an answer to stdout.
pub(super) fn answer(text: &str) -> crate::fault::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::io("write", "standard output"))
}

/// Whether the reader of our output went away, as `head` does.
pub(super) fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes an answer that is kept elsewhere, too: work goes on where nobody reads it any more.
pub(super) fn answer_if_read(text: &str) -> crate::fault::Result<()> {
    match answer(text) {
        Err(e) if is_broken_pipe(&e) => Ok(()),
        outcome => outcome,
    }
}

/// How wide the terminal is that stdout goes to; nothing when it goes elsewhere.
pub(super) fn columns() -> Option<usize> {
    /// What a terminal has that does not say it, and the least that anything can be laid out for.
    const USUAL: usize = 80;
    const LEAST: usize = 20;
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let said = terminal_size::terminal_size_of(&out).map(|(width, _)| usize::from(width.0));
    let told = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok();
    Some(said.or_else(told).unwrap_or(USUAL).max(LEAST))
}

/// A table of messages for stdout; every cell is made safe. It fits a terminal; in a pipe a row is a line.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    match columns() {
        Some(width) => layout::fitted(header, rows, right, width),
        None => layout::lines(header, rows, right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_for_people() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(2, "query"), "2 queries");
    }
}
