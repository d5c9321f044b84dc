//! Exit codes.

use std::process::ExitCode;

use crate::fault::Error;

/// How a run ended. The tens say what is wanting, the ones what was found; each of them adds up, so that neither hides the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Findings at or above `--fail-on`, or `verify` found problems.
    Findings = 1,
    /// Wrong usage, or a query is wrong.
    Usage = 2,
    /// A file could not be read or written, the configuration is wrong, a worker is not there, or memory or time was not enough.
    Io = 3,
    /// Finished, but an export could not be read in full or records are in quarantine.
    Incomplete = 10,
    /// Both of that.
    IncompleteAndFindings = 11,
    /// Finished, but rules did not run.
    Rules = 20,
    /// Both of that.
    RulesAndFindings = 21,
    /// Finished, but exports were not read in full, and rules did not run.
    IncompleteAndRules = 30,
    /// All of that.
    All = 31,
}

/// What `--help` says of the codes.
pub(super) const HELP: &str = "Exit codes: 0 done · 1 findings at or above --fail-on, or verify found problems · \
    2 wrong usage, a rule or query error · 3 I/O, configuration, or a query beyond its memory or time · \
    10 finished, but an export could not be read in full or records are in quarantine · \
    20 finished, but rules did not run (each is named; --ignore-missing lets those pass that lack a watchlist, a saved function or a table) · \
    11, 21, 30 and 31 are sums of these";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// Ends of runs that finished.
    const FINISHED: [Exit; 8] = [
        Exit::Done,
        Exit::Findings,
        Exit::Incomplete,
        Exit::IncompleteAndFindings,
        Exit::Rules,
        Exit::RulesAndFindings,
        Exit::IncompleteAndRules,
        Exit::All,
    ];

    /// The code of an error.
    pub fn of(error: &Error) -> Exit {
        match error {
            Error::Query(_) | Error::NoColumn { .. } | Error::NoTable { .. } | Error::Usage(_) => {
                Exit::Usage
            }
            _ => Exit::Io,
        }
    }

    /// Whether it says that something was found.
    pub(super) fn has_findings(self) -> bool {
        match self {
            Exit::Findings | Exit::IncompleteAndFindings | Exit::RulesAndFindings | Exit::All => {
                true
            }
            Exit::Done
            | Exit::Usage
            | Exit::Io
            | Exit::Incomplete
            | Exit::Rules
            | Exit::IncompleteAndRules => false,
        }
    }

    /// Both: the sum where both finished, else the error.
    pub(super) fn and(self, other: Exit) -> Exit {
        let error = |exit: &Exit| matches!(exit, Exit::Usage | Exit::Io);
        let worst = [self, other]
            .into_iter()
            .filter(error)
            .max_by_key(|e| *e as u8);
        worst.unwrap_or_else(|| {
            let sum = |one: u8, two: u8| ((one / 10) | (two / 10)) * 10 + ((one % 10) | (two % 10));
            let code = sum(self as u8, other as u8);
            Exit::FINISHED
                .into_iter()
                .find(|exit| *exit as u8 == code)
                .expect("every sum of codes is a code")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_add_up_and_neither_hides_the_other() {
        for (one, two, both) in [
            (Exit::Done, Exit::Done, 0),
            (Exit::Done, Exit::Incomplete, 10),
            (Exit::Incomplete, Exit::Findings, 11),
            (Exit::Rules, Exit::Findings, 21),
            (Exit::Incomplete, Exit::Rules, 30),
            (Exit::IncompleteAndFindings, Exit::Rules, 31),
            (Exit::Incomplete, Exit::Incomplete, 10),
            (Exit::All, Exit::Findings, 31),
            (Exit::Usage, Exit::Incomplete, 2),
            (Exit::Usage, Exit::Io, 3),
        ] {
            assert_eq!(one.and(two) as u8, both, "{one:?} and {two:?}");
            assert_eq!(two.and(one) as u8, both, "{two:?} and {one:?}");
        }
        for one in Exit::FINISHED {
            assert_eq!(one.has_findings(), one as u8 % 10 == 1);
            for two in Exit::FINISHED {
                assert_eq!(one.and(two), two.and(one));
            }
        }
    }

    #[test]
    fn the_help_names_every_code() {
        assert_eq!(Exit::of(&Error::Query(String::new())) as u8, 2);
        assert_eq!(Exit::of(&Error::NoInput(String::new())) as u8, 3);
        let lost = Error::Worker {
            worker: "H:7070".into(),
            told: "lost".into(),
        };
        assert_eq!(Exit::of(&lost) as u8, 3);
        let words: Vec<&str> = HELP.split([' ', ',']).collect();
        for exit in Exit::FINISHED.into_iter().chain([Exit::Usage, Exit::Io]) {
            let code = (exit as u8).to_string();
            assert!(words.contains(&code.as_str()), "{code}");
        }
    }
}
