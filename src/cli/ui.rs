//! What people see. Only this module, `voice` and `bar` write to a terminal: answers to stdout, everything else to stderr; text from
//! logs is made safe here.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

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
}

impl Ui {
    /// One for a command, such as `archive compact`.
    pub(super) fn new(global: &Global, command: &str) -> Self {
        let wants_color =
            !global.no_color && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let voice = match global.log_format {
            Some(LogFormat::Json) => Voice::Json {
                command: command.into(),
            },
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
        }
    }

    /// One that says only what went wrong.
    pub(super) fn silent() -> Self {
        Ui::of(Voice::Text { color: false })
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

    /// A line that only `--verbose` shows.
    pub(super) fn tell(&self, text: &str) {
        if self.verbose {
            self.put(Level::Info, text);
        }
    }

    /// A warning.
    pub(super) fn warn(&self, text: &str) {
        self.put(Level::Warning, &visible(text));
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
