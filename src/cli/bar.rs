//! How far a run is: a bar on a terminal, a line now and then in a pipe or for machines.
//!
//! A thread of its own draws it, so that what takes long without a word is shown too.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::drawn;
use super::voice::{Fields, Level, Voice, seconds};
use crate::engine::output::visible;
use crate::progress::Progress;
use crate::text::{count, counted};

/// A bar appears when a run takes longer than this.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often what is shown is drawn again.
const EVERY: Duration = Duration::from_millis(100);
/// In a pipe, a plain line now and then.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// What is shown of the name of an input: its end.
const NAME: usize = 48;

/// Shows progress until it is done, or dropped.
#[derive(Debug)]
pub(super) struct Bar {
    shown: Arc<Shown>,
    ticker: Mutex<Option<Ticker>>,
}

/// What draws, until its sender is dropped.
#[derive(Debug)]
struct Ticker {
    over: Sender<()>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Shown {
    bar: ProgressBar,
    /// Whether there is a terminal to draw on.
    drawn: bool,
    begun: Instant,
    voice: Voice,
    state: Mutex<State>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Nobody knows when it will end.
    Nothing,
    Bytes,
    Rules,
}

#[derive(Debug)]
struct State {
    /// What is being done: a step, an input, a rule.
    doing: String,
    begun: Instant,
    told: Instant,
    unit: Unit,
    done: u64,
    total: Option<u64>,
}

impl Bar {
    /// Begins to show progress, or, where that is quiet, shows nothing.
    pub(super) fn begin(voice: &Voice, quiet: bool) -> Bar {
        let bar = ProgressBar::new(0);
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let now = Instant::now();
        let shown = Arc::new(Shown {
            bar,
            drawn: !quiet && !voice.is_json() && io::stderr().is_terminal(),
            begun: now,
            voice: voice.clone(),
            state: Mutex::new(State {
                doing: String::new(),
                begun: now,
                told: now,
                unit: Unit::Nothing,
                done: 0,
                total: None,
            }),
        });
        shown.draw_as("{spinner} {elapsed}  {wide_msg}");
        let ticker = (!quiet).then(|| Ticker::begin(Arc::clone(&shown)));
        Bar {
            shown,
            ticker: Mutex::new(ticker),
        }
    }

    /// Takes the bar away.
    pub(super) fn done(&self) {
        let ticker = self
            .ticker
            .lock()
            .expect("no panic while it is held")
            .take();
        if let Some(Ticker { over, thread }) = ticker {
            drop(over);
            // What it shows is no part of the answer: a panic of it must not become one here.
            let _ = thread.join();
        }
        self.shown.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.done();
    }
}

impl Ticker {
    fn begin(shown: Arc<Shown>) -> Ticker {
        let (over, hear) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            while hear.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                shown.tick();
            }
        });
        Ticker { over, thread }
    }
}

impl Shown {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }

    fn draw_as(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }

    fn doing(&self, what: &str) {
        let what = visible(what);
        self.state().doing.clone_from(&what);
        self.bar.set_message(what);
    }

    /// Draws what there is, or says it when that was long ago.
    fn tick(&self) {
        if self.drawn {
            if self.bar.is_hidden() && self.begun.elapsed() > PATIENCE {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
                drawn::begin(&self.bar);
            }
            self.bar.tick();
            return;
        }
        let mut state = self.state();
        if state.told.elapsed() < LINE_EVERY {
            return;
        }
        state.told = Instant::now();
        let (message, fields) = (state.message(), state.fields());
        drop(state);
        self.voice.say(Level::Progress, &message, fields);
    }
}

impl State {
    fn is_counted_out(&self) -> bool {
        self.total.is_some_and(|total| self.done >= total)
    }

    /// How many in a second.
    fn rate(&self) -> f64 {
        self.done as f64 / self.begun.elapsed().as_secs_f64().max(0.001)
    }

    /// Seconds that are left, where that can be said.
    fn left(&self) -> Option<f64> {
        let left = self.total?.saturating_sub(self.done);
        (self.done > 0).then(|| left as f64 / self.rate())
    }

    fn message(&self) -> String {
        let left = || match self.left() {
            Some(left) => format!(", about {left:.0} s left"),
            None => String::new(),
        };
        match self.unit {
            Unit::Nothing => {
                let doing = match self.doing.as_str() {
                    "" => "at work",
                    doing => doing,
                };
                format!("{doing}: {} s", self.begun.elapsed().as_secs())
            }
            Unit::Bytes => {
                let total = self.total.map(|total| format!(" of {}", bytes_text(total)));
                let doing = match self.doing.as_str() {
                    "" => String::new(),
                    doing => format!(" ({doing})"),
                };
                format!(
                    "read {}{}, {}/s{}{doing}",
                    bytes_text(self.done),
                    total.unwrap_or_default(),
                    bytes_text(self.rate() as u64),
                    left()
                )
            }
            Unit::Rules => {
                let total = counted(self.total.unwrap_or(self.done), "rule");
                format!("{} of {total} done{}", count(self.done), left())
            }
        }
    }

    fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        if !self.doing.is_empty() {
            fields.insert("doing".into(), self.doing.clone().into());
        }
        fields.insert("seconds".into(), seconds(self.begun.elapsed()).into());
        let unit = match self.unit {
            Unit::Nothing => return fields,
            Unit::Bytes => "bytes",
            Unit::Rules => "rules",
        };
        fields.insert("unit".into(), unit.into());
        fields.insert("done".into(), self.done.into());
        if let Some(total) = self.total {
            fields.insert("total".into(), total.into());
        }
        fields.insert("per_second".into(), (self.rate().round() as u64).into());
        if let Some(left) = self.left() {
            fields.insert("seconds_left".into(), (left.round() as u64).into());
        }
        fields
    }
}

impl Progress for Bar {
    fn total_bytes(&self, bytes: Option<u64>) {
        self.shown.draw_as(match bytes {
            Some(_) => {
                "{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left  {wide_msg}"
            }
            None => "{spinner} {bytes} {binary_bytes_per_sec}  {wide_msg}",
        });
        if let Some(total) = bytes {
            self.shown.bar.set_length(total);
        }
        self.shown.bar.reset_elapsed();
        let mut state = self.shown.state();
        (state.unit, state.done, state.total) = (Unit::Bytes, 0, bytes);
        state.begun = Instant::now();
    }

    fn read_bytes(&self, bytes: u64) {
        self.shown.bar.inc(bytes);
        self.shown.state().done += bytes;
    }

    fn input(&self, name: &str) {
        let short: String = visible(name).chars().rev().take(NAME).collect();
        self.shown.doing(&short.chars().rev().collect::<String>());
    }

    fn step(&self, name: &str) {
        let is_over = {
            let mut state = self.shown.state();
            let is_over = state.unit == Unit::Nothing || state.is_counted_out();
            if is_over {
                (state.unit, state.begun) = (Unit::Nothing, Instant::now());
                (state.done, state.total) = (0, None);
            }
            is_over
        };
        if is_over {
            self.shown.draw_as("{spinner} {elapsed}  {wide_msg}");
            self.shown.bar.reset_elapsed();
        }
        self.shown.doing(name);
    }

    fn rules(&self, total: usize) {
        let template = "{bar:30} {pos}/{len} rules {eta} left  {wide_msg}";
        self.shown.draw_as(template);
        self.shown.bar.set_length(total as u64);
        self.shown.bar.reset();
        let mut state = self.shown.state();
        (state.unit, state.done, state.total) = (Unit::Rules, 0, Some(total as u64));
        state.begun = Instant::now();
    }

    fn rule(&self, id: &str) {
        self.shown.doing(id);
    }

    fn rule_done(&self) {
        self.shown.bar.inc(1);
        self.shown.state().done += 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_how_fast_and_what_is_left() {
        let bar = Bar::begin(&Voice::Text { color: false }, true);
        bar.step("hunting");
        assert!(bar.shown.state().message().starts_with("hunting: "));
        bar.rules(4);
        bar.rule("a");
        bar.rule_done();
        let message = bar.shown.state().message();
        assert!(
            message.starts_with("1 of 4 rules done, about "),
            "{message}"
        );
        let fields = bar.shown.state().fields();
        assert_eq!(fields["doing"], "a");
        assert_eq!(fields["done"], 1);
        assert_eq!(fields["total"], 4);
        for _ in 0..3 {
            bar.rule_done();
        }
        // What comes after the last of them is a step whose end nobody knows.
        bar.step("looking up evidence");
        let message = bar.shown.state().message();
        assert!(message.starts_with("looking up evidence: "), "{message}");
        bar.total_bytes(Some(2_000_000));
        bar.read_bytes(1_000_000);
        let message = bar.shown.state().message();
        assert!(message.starts_with("read 1.0 MB of 2.0 MB, "), "{message}");
    }

    #[test]
    fn bytes_are_said_for_people() {
        assert_eq!(bytes_text(999), "999 B");
        assert_eq!(bytes_text(1234), "1.2 kB");
        assert_eq!(bytes_text(12_345_678), "12 MB");
        assert_eq!(bytes_text(999_999), "1.0 MB");
    }
}
