//! Says that something goes on whose end nobody knows: a query, a page that is being made.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ui::Ui;

/// How often what is shown is drawn again.
const EVERY: Duration = Duration::from_millis(100);

/// Shows on stderr what is being done and for how long, until it is dropped: drop it before an answer goes to the terminal.
#[derive(Debug)]
pub(super) struct Waiting {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Waiting {
    /// Begins to show that this is being done: `asking`.
    pub(super) fn begin(ui: &Ui, what: &'static str) -> Waiting {
        let bar = ui.progress();
        let (over, hear) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            while hear.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                bar.waits(what, begun.elapsed());
            }
            bar.done();
        });
        Waiting {
            over: Some(over),
            thread: Some(thread),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // What it shows is no part of the answer: a panic of it must not become one here.
            let _ = thread.join();
        }
    }
}
