//! What became of a command, or of a step of one, in a line.

use super::ui::{Ui, count};
use crate::engine::output::visible;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Something was done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// It could not be done.
    Failed,
    /// It was not tried.
    Skipped,
}

/// What became of a command, or of a step.
pub(super) struct Outcome<'a> {
    pub(super) command: &'a str,
    pub(super) step: Option<&'a str>,
    pub(super) status: Status,
    pub(super) seconds: f64,
    pub(super) counts: Vec<(&'static str, u64)>,
    pub(super) message: String,
}

impl Ui {
    /// Says an outcome in one line.
    pub(super) fn outcome(&self, outcome: &Outcome<'_>) {
        let name = outcome.step.unwrap_or(outcome.command);
        self.say(&format!("{name}: {}", visible(&outcome.message)));
        for (what, number) in &outcome.counts {
            self.tell(&format!("{name}: {} {what}", count(*number)));
        }
        if outcome.status != Status::Nothing {
            self.tell(&format!("{name}: took {:.1} s", outcome.seconds));
        }
    }
}
