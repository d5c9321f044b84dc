//! Evidence to hand on: rows in which nobody is named, and that rules still understand.
//!
//! - `pseudonym`: a key, and the tokens of words, numbers, ids and addresses.
//! - `rows`: batches and the JSON inside of them, walked by key. Knows what may stay; all else is replaced.
//!
//! Knows nothing about files and commands.

mod pseudonym;
mod rows;

pub use pseudonym::{Kind, Pseudonyms};
pub use rows::Rows;
