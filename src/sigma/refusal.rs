//! Why a rule, or a part of one, cannot be used.

use std::fmt;

use serde_saphyr::Location;

/// A place in a file. Lines and columns count from 1; both are 0 where nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl From<Location> for At {
    fn from(location: Location) -> At {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        At {
            line: number(location.line()),
            column: number(location.column()),
        }
    }
}

/// Why a rule cannot be used, and where that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where.
    pub at: At,
    /// What is wrong, without a final full stop.
    pub message: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(at: At, message: impl Into<String>) -> Refusal {
        Refusal {
            at,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Refusal {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.line {
            0 => f.write_str(&self.message),
            line => write!(f, "{line}:{}: {}", self.at.column, self.message),
        }
    }
}
