//! What people see. Only this module writes to a terminal: answers to stdout, everything else to stderr; text from logs is made
//! safe here.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::global::Global;
use super::layout;
use crate::engine::output::visible;
use crate::fault::Error;
use crate::progress::Progress;

pub(super) use super::when::time_text;
pub(super) use crate::text::{count, counted};

/// Where messages go, and how.
pub(super) struct Ui {
    quiet: bool,
    pub verbose: bool,
    color: bool,
}

/// A bar appears when a run takes longer than this.
const PATIENCE: Duration = Duration::from_millis(250);
/// In a pipe, a plain line now and then.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Ui {
    pub(super) fn new(global: &Global) -> Self {
        let wants_color =
            !global.no_color && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Ui {
            quiet: global.quiet,
            verbose: global.verbose,
            color: wants_color && io::stderr().is_terminal(),
        }
    }

    /// One that says only what went wrong.
    pub(super) fn silent() -> Self {
        Ui {
            quiet: true,
            verbose: false,
            color: false,
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_string()
        }
    }

    /// A line for people, on stderr.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            tell_stderr(text);
        }
    }

    /// A line that only `--verbose` shows.
    pub(super) fn tell(&self, text: &str) {
        if self.verbose {
            tell_stderr(text);
        }
    }

    /// A warning.
    pub(super) fn warn(&self, text: &str) {
        tell_stderr(&format!(
            "{}: {}",
            self.paint("33;1", "warning"),
            visible(text)
        ));
    }

    /// A mistake that does not end the run.
    pub(super) fn mistake(&self, text: &str) {
        tell_stderr(&format!(
            "{}: {}",
            self.paint("31;1", "error"),
            visible(text)
        ));
    }

    /// A hint.
    pub(super) fn hint(&self, text: &str) {
        tell_stderr(&format!(
            "{}: {}",
            self.paint("36;1", "hint"),
            visible(text)
        ));
    }

    /// An error with its causes and its hint.
    pub(super) fn error(&self, error: &Error) {
        // A query error may have lines of its own.
        let text: Vec<String> = error.to_string().lines().map(visible).collect();
        tell_stderr(&format!(
            "{}: {}",
            self.paint("31;1", "error"),
            text.join("\n")
        ));
        if let Some(hint) = error.hint() {
            self.hint(&hint);
        }
    }

    /// Progress for a run that reads bytes.
    pub(super) fn progress(&self) -> Bar {
        Bar::new(self.quiet)
    }
}

/// Writes a line to stderr. Where nobody reads it any more, the exit code still says how the run ended.
pub(super) fn tell_stderr(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
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

/// A progress bar on a terminal, a plain line now and then in a pipe.
pub(super) struct Bar {
    bar: ProgressBar,
    plain: Option<Mutex<Plain>>,
    quiet: bool,
}

struct Plain {
    started: Instant,
    last: Instant,
    /// Bytes or rules.
    read: u64,
    total: Option<u64>,
}

impl Bar {
    fn new(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let bar = ProgressBar::new(0);
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let now = Instant::now();
        Bar {
            bar,
            plain: (!terminal && !quiet).then(|| {
                Mutex::new(Plain {
                    started: now,
                    last: now,
                    read: 0,
                    total: None,
                })
            }),
            quiet,
        }
    }

    fn show(&self) {
        if !self.quiet
            && self.plain.is_none()
            && self.bar.is_hidden()
            && self.bar.elapsed() > PATIENCE
        {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Shows what has been done for so long, where nobody knows how long it will take.
    pub(super) fn waits(&self, what: &str, since: Duration) {
        if self.quiet {
            return;
        }
        let Some(plain) = &self.plain else {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed}  {wide_msg}") {
                self.bar.set_style(style);
            }
            self.bar.set_message(visible(what));
            self.show();
            self.bar.tick();
            return;
        };
        let mut p = plain.lock().expect("no panic while it is held");
        if p.last.elapsed() > LINE_EVERY {
            p.last = Instant::now();
            tell_stderr(&format!("{what}: {} s", since.as_secs()));
        }
    }

    /// Takes the bar away.
    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn total_bytes(&self, bytes: Option<u64>) {
        let template = match bytes {
            Some(_) => {
                "{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left  {wide_msg}"
            }
            None => "{spinner} {bytes} {binary_bytes_per_sec}  {wide_msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        if let Some(total) = bytes {
            self.bar.set_length(total);
        }
        if let Some(plain) = &self.plain {
            plain.lock().expect("no panic while it is held").total = bytes;
        }
    }

    fn read_bytes(&self, bytes: u64) {
        self.bar.inc(bytes);
        self.show();
        if let Some(plain) = &self.plain {
            let mut p = plain.lock().expect("no panic while it is held");
            p.read += bytes;
            if p.last.elapsed() > LINE_EVERY {
                p.last = Instant::now();
                let rate = p.read as f64 / p.started.elapsed().as_secs_f64();
                let total = p
                    .total
                    .map_or(String::new(), |t| format!(" of {}", bytes_text(t)));
                tell_stderr(&format!(
                    "read {}{total}, {}/s",
                    bytes_text(p.read),
                    bytes_text(rate as u64)
                ));
            }
        }
    }

    fn input(&self, name: &str) {
        let short: String = visible(name).chars().rev().take(48).collect();
        self.bar
            .set_message(short.chars().rev().collect::<String>());
        self.show();
    }

    fn step(&self, name: &str) {
        self.bar.set_message(visible(name));
        self.show();
    }

    fn rules(&self, total: usize) {
        let template = "{bar:30} {pos}/{len} rules {eta} left  {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_length(total as u64);
        if let Some(plain) = &self.plain {
            let mut p = plain.lock().expect("no panic while it is held");
            (p.started, p.read, p.total) = (Instant::now(), 0, Some(total as u64));
        }
    }

    fn rule(&self, id: &str) {
        self.bar.set_message(visible(id));
        self.show();
    }

    fn rule_done(&self) {
        self.bar.inc(1);
        self.show();
        let Some(plain) = &self.plain else {
            return;
        };
        let mut p = plain.lock().expect("no panic while it is held");
        p.read += 1;
        if p.last.elapsed() > LINE_EVERY {
            p.last = Instant::now();
            let total = p.total.unwrap_or(p.read);
            let left = p.started.elapsed().as_secs_f64() / p.read as f64
                * total.saturating_sub(p.read) as f64;
            let done = count(p.read);
            tell_stderr(&format!(
                "{done} of {} done, about {left:.0} s left",
                counted(total, "rule")
            ));
        }
    }
}

/// `1234567` → `1.2 MB`.
pub(super) fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else if value < 9.95 {
        format!("{value:.1} {}", UNITS[unit])
    } else {
        format!("{value:.0} {}", UNITS[unit])
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
        assert_eq!(bytes_text(999), "999 B");
        assert_eq!(bytes_text(1234), "1.2 kB");
        assert_eq!(bytes_text(12_345_678), "12 MB");
        assert_eq!(bytes_text(999_999), "1.0 MB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(2, "query"), "2 queries");
    }
}
