//! The steps of a run, and what becomes of one.

use crate::cli::exit::Exit;
use crate::cli::outcome::Status;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Ingest,
    Hunt,
    Notify,
    Indicators,
    Report,
    Cost,
    Compact,
}

impl Step {
    /// All, in the order in which they are done.
    pub(super) const ALL: [Step; 7] = [
        Step::Ingest,
        Step::Hunt,
        Step::Notify,
        Step::Indicators,
        Step::Report,
        Step::Cost,
        Step::Compact,
    ];

    /// Its name, which is that of its section in the configuration and of its state in the archive.
    pub(super) fn name(self) -> &'static str {
        match self {
            Step::Ingest => "ingest",
            Step::Hunt => "hunt",
            Step::Notify => "notify",
            Step::Indicators => "indicators",
            Step::Report => "report",
            Step::Cost => "cost",
            Step::Compact => "compact",
        }
    }

    /// The step of that name.
    pub(super) fn named(text: &str) -> Result<Step, String> {
        let found = Step::ALL.into_iter().find(|step| step.name() == text);
        found.ok_or_else(|| format!("one of {}", Step::ALL.map(Step::name).join(", ")))
    }
}

/// What became of a step.
pub(super) struct Done {
    pub(super) exit: Exit,
    pub(super) status: Status,
    pub(super) counts: Vec<(&'static str, u64)>,
    pub(super) message: String,
}

impl Done {
    /// Something was done.
    pub(super) fn of(exit: Exit, counts: Vec<(&'static str, u64)>, message: String) -> Done {
        let status = match exit {
            Exit::Usage | Exit::Io => Status::Failed,
            _ => Status::Done,
        };
        Done {
            exit,
            status,
            counts,
            message,
        }
    }

    /// It was not tried.
    pub(super) fn skipped(message: &str) -> Done {
        Done {
            status: Status::Skipped,
            ..Done::nothing(message)
        }
    }

    /// There was nothing to do.
    pub(super) fn nothing(message: &str) -> Done {
        Done {
            exit: Exit::Done,
            status: Status::Nothing,
            counts: Vec::new(),
            message: message.into(),
        }
    }
}
