//! Rows with named columns: of a CSV with a header, of a W3C log, or of JSON objects. Works for every table of the catalog.
//!
//! Knows nothing of the container the names and values came in.

mod addresses;
mod candidates;
mod filler;
mod quotes;
mod target;

pub use filler::Filler;
pub use target::{
    Half, MADE, Target, Timed, bare_name, is_local, is_named, number, target, target_timed,
};
