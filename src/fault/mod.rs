//! What went wrong, where and why, and what to do: what stops a command, and messages about one place in a file or rule.

mod diagnostic;
mod error;

pub use diagnostic::{Diagnostic, Level};
pub use error::{Error, Result, did_you_mean};
