//! Values that completions offer for an option. Help names them in its own words.

use std::ffi::OsStr;
use std::sync::LazyLock;

use clap::builder::{PathBufValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command};

use crate::rules;

/// A parser, and what completions offer of what it takes.
#[derive(Clone)]
pub(super) struct Offering<P> {
    parser: P,
    values: Vec<&'static str>,
}

/// A parser with values that it takes, those first that are meant most. It may take others, such as a second spelling.
pub(super) fn offering<P: TypedValueParser>(
    parser: P,
    values: impl IntoIterator<Item = &'static str>,
) -> Offering<P> {
    Offering {
        parser,
        values: values.into_iter().collect(),
    }
}

/// Names of rules inside the binary that are no paths.
static PACKS: LazyLock<Vec<String>> = LazyLock::new(rules::pack_names);

/// What stands for rules beside files and folders: `builtin`, and each pack.
pub(super) fn packs() -> impl Iterator<Item = &'static str> {
    PACKS.iter().map(String::as_str)
}

/// A file or a folder of rules, or rules inside the binary.
pub(super) fn of_rules() -> Offering<PathBufValueParser> {
    offering(PathBufValueParser::new(), packs())
}

impl<P: TypedValueParser> TypedValueParser for Offering<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        self.parser.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(
            self.values.iter().copied().map(PossibleValue::new),
        ))
    }
}
