//! How a step of a run ended, and how the run did: a line for people, or for machines.

use std::time::Instant;

use super::exit::Exit;
use super::ui::{Ui, count};
use super::voice::{Fields, Level, seconds};
use crate::engine::output::visible;

/// Counts that say how it stands, and not what was done.
const STANDING: [&str; 3] = ["files_read_before", "mailboxes_refused", "mails_not_tried"];

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It did its work.
    Done,
    /// It ended well, and there was nothing to do or to find.
    Nothing,
    /// An error ended it.
    Failed,
    /// It was not begun.
    Skipped,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Nothing => "nothing",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
        }
    }

    /// That of a run with this exit code and these counts.
    fn of(exit: Exit, counts: &[(&'static str, u64)]) -> Status {
        let is_work = |(name, n): &(&str, u64)| *n > 0 && !STANDING.contains(name);
        let is_nothing = !counts.is_empty() && !counts.iter().any(is_work);
        match exit {
            Exit::Usage | Exit::Io => Status::Failed,
            Exit::Done if is_nothing => Status::Nothing,
            _ => Status::Done,
        }
    }
}

/// What is said of an end.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    /// As it is typed: `archive compact`.
    pub(super) command: &'a str,
    /// The step of the command, where it has several.
    pub(super) step: Option<&'a str>,
    pub(super) status: Status,
    pub(super) seconds: f64,
    /// What was counted, each a field of its own.
    pub(super) counts: Vec<(&'static str, u64)>,
    pub(super) message: String,
}

impl Ui {
    /// Says how a step, or a command, ended. With --quiet people are told of failures alone; machines are told always.
    pub(super) fn outcome(&self, outcome: &Outcome<'_>) {
        let message = visible(&outcome.message);
        if !self.voice().is_json() {
            if self.is_quiet() && outcome.status != Status::Failed {
                return;
            }
            let text = match outcome.step {
                Some(step) => format!("{step}: {message}"),
                None => message,
            };
            self.voice().say(Level::Outcome, &text, Fields::new());
            self.detail(outcome);
            return;
        }
        let mut fields = Fields::new();
        fields.insert("command".into(), outcome.command.into());
        if let Some(step) = outcome.step {
            fields.insert("step".into(), step.into());
        }
        fields.insert("status".into(), outcome.status.name().into());
        fields.insert("seconds".into(), outcome.seconds.into());
        for (name, n) in &outcome.counts {
            fields.insert((*name).into(), (*n).into());
        }
        self.voice().say(Level::Outcome, &message, fields);
    }
    /// Counts and seconds of a step, for --verbose.
    fn detail(&self, outcome: &Outcome<'_>) {
        let name = outcome.step.unwrap_or(outcome.command);
        for (what, number) in &outcome.counts {
            self.tell(&format!("{name}: {} {what}", count(*number)));
        }
        if outcome.status != Status::Nothing {
            self.tell(&format!("{name}: took {:.1} s", outcome.seconds));
        }
    }
}

/// Tells machines how a run ended, also when it panics.
pub(super) struct Ending<'a> {
    ui: &'a Ui,
    command: &'a str,
    begun: Instant,
    is_told: bool,
}

/// The exit code of a panic, as Rust has it.
const PANIC: u8 = 101;

impl<'a> Ending<'a> {
    /// Of a run that begins now.
    pub(super) fn begin(ui: &'a Ui, command: &'a str) -> Self {
        Ending {
            ui,
            command,
            begun: Instant::now(),
            is_told: false,
        }
    }

    /// The run has ended.
    pub(super) fn over(mut self, exit: Exit) {
        self.is_told = true;
        self.tell(Status::of(exit, &self.ui.counted()), exit as u8);
    }

    fn tell(&self, status: Status, exit: u8) {
        if !self.ui.voice().is_json() {
            return;
        }
        let seconds = seconds(self.begun.elapsed());
        let mut counts = vec![("exit", u64::from(exit))];
        counts.extend(self.ui.counted());
        self.ui.outcome(&Outcome {
            command: self.command,
            step: None,
            status,
            seconds,
            counts,
            message: format!("{} after {seconds:.1} s, exit code {exit}", status.name()),
        });
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(Status::Failed, PANIC);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_failure_only_when_an_error_ended_it() {
        let some = [("rows", 3), ("mails", 0)];
        assert_eq!(Status::of(Exit::Done, &some), Status::Done);
        assert_eq!(Status::of(Exit::Done, &[]), Status::Done);
        assert_eq!(Status::of(Exit::Done, &[("rows", 0)]), Status::Nothing);
        let idle = [("files", 0), ("files_read_before", 7)];
        assert_eq!(Status::of(Exit::Done, &idle), Status::Nothing);
        assert_eq!(Status::of(Exit::Incomplete, &[("rows", 0)]), Status::Done);
        assert_eq!(Status::of(Exit::Findings, &some), Status::Done);
        assert_eq!(Status::of(Exit::Io, &some), Status::Failed);
        assert_eq!(Status::of(Exit::Usage, &[]), Status::Failed);
    }
}
