//! Events of all tables in the order of time, each with a line that reads like a sentence.
//!
//! - `source`: which tables and views have events; `copies`: what is one event in two of them.
//! - `column`: which columns of a table say who, where, with what; `subject`: the events that somebody asks for, as conditions on these.
//! - `query`: all of it as one query, sorted by `span`s of time; `named`: names of labels and applications.
//! - `field`: what an event says, from rows of that query; `sentence`: the line for it.
//! - `finding`: the records that findings rest on, from the JSON of a hunt.
//! - `write`: CSV, JSON lines, those of Timesketch, a body file of the Sleuth Kit, a workbook, HTML.
//!
//! Rows go through one by one: what is in memory does not grow with them. That is why the queries are here and not in `case`, which holds what it gives
//! as plain data: all events of an archive are no such data. Knows neither the clock nor the terminal; two runs over one archive give equal bytes.

pub use finding::{Records, records_of};
pub use named::Names;
pub use query::{Asked, Counts, Told, run, tell};
pub use span::Spans;
pub use subject::Subject;
pub use write::{Format, Writer};

mod column;
mod copies;
mod field;
mod finding;
mod named;
mod query;
mod sentence;
mod source;
mod span;
mod subject;
mod write;
