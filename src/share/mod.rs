//! Evidence to hand on: rows in which nobody is named, and that rules still understand.
//!
//! - `dictionary`: who and where an archive names, collected before anything is replaced.
//! - `known`: closed lists: words that name nobody, keys that say what happened, what kind of name stands under a key.
//! - `pseudonym`: a key, and the tokens of words, numbers, ids and addresses.
//! - `numbers`: the tokens of telephones and of other numbers.
//! - `shape`: what names somebody by its shape alone.
//! - `spelling`: one spelling for what can be spelt in many; `tree`: JSON with the places of its values.
//! - `rows`: batches and the JSON inside of them, walked by key. Knows what may stay; all else is replaced.
//!
//! Knows nothing about files and commands.

mod dictionary;
mod known;
mod numbers;
mod pseudonym;
mod rows;
mod shape;
mod spelling;
mod tree;

pub use dictionary::{Dictionary, Sizes};
pub use pseudonym::{Kind, Pseudonyms, usable};
pub use rows::Rows;
