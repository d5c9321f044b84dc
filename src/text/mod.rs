//! Bytes and text, whatever they are about.
//!
//! - [`json`]: the one reader of JSON, and the one policy for what is odd in it.
//! - [`swar`]: searches for bytes that end early.
//!
//! Knows nothing of Microsoft and nothing of Arrow.

pub mod json;
pub mod swar;
