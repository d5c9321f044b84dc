//! Says that something goes on whose end nobody knows: a query, a page that is being made.

use super::bar::Bar;
use super::ui::Ui;
use crate::progress::Progress;

/// Shows on stderr what is being done and for how long, until it is dropped: drop it before an answer goes to the terminal.
#[derive(Debug)]
pub(super) struct Waiting {
    _bar: Bar,
}

impl Waiting {
    /// Begins to show that this is being done: `asking`.
    pub(super) fn begin(ui: &Ui, what: &str) -> Waiting {
        let bar = ui.progress();
        bar.step(what);
        Waiting { _bar: bar }
    }
}
