//! Asking the archive: a DataFusion session over its tables, the views that answer each table from every source, SQL.
//!
//! - [`table`]: an archive's files as a table.
//! - [`views`]: `CloudAppEvents`, `OfficeActivity`, `UnifiedAuditLog`, `LabelEvents` and all others, from whatever was ingested.
//! - `product`: what `*` brings.
//! - [`functions`]: functions that the views need.
//! - [`kql`]: KQL, on the same tables and views.
//! - [`watchlist`]: CSV files of reference data.
//! - `question`: what is asked, once or for many times; `times`: what a plan leaves open until then.
//! - `session`, `sql`: an open session, and how it plans SQL; `options`, `stored`, `portion`: what it is opened with, what there is, and what it
//!   sees of it.
//! - `terms`: on what its answers depend, beside its archive.
//! - `shared`: what many queries over several times share; `slots`: one query over rows that are given to it, window by window; `one_slot`: a
//!   place for them in its plan; `again`: its plan, run over ever other rows; `by_time`: those rows; `together`: the rows of several such queries,
//!   read in one pass; `no_rows`: plans that find nothing where there is nothing.
//! - `in_parts`: of which tables the rows of a part of the times cost a part of what all cost.
//! - `recorded`: when events were ingested, as far as exports say; `delays`: of which events they do.
//! - `context`, `memory`, `deadline`, `run`: settings, the memory of queries, and how what was planned is run; `parallel`: work of which each piece has
//!   a thread of its own.
//! - `echoes`: which events another table has too; `apps`: which of them CloudAppEvents has, and in which row.
//! - `depth`: queries that nest deeper than they may; `yielding`, `pacing`: operators that give way to others; `small`: those over few rows;
//!   `one_part`: their plans, where nothing lies apart; `values`: parts of a file without a row for a query.
//! - [`output`]: answers as CSV, JSON, Markdown, Parquet and the Log Analytics query API's shape.
//!
//! Queries read and nothing else: no files beyond the archive and those the user named, no statement that writes.

mod absent;
mod again;
mod apps;
mod by_time;
mod context;
mod deadline;
mod delays;
mod depth;
mod echoes;
pub mod functions;
mod in_parts;
pub mod kql;
mod listing;
pub mod memory;
mod no_rows;
mod one_part;
mod one_slot;
mod options;
pub mod output;
mod pacing;
pub(crate) mod parallel;
mod portion;
mod product;
mod pushdown;
mod question;
mod recorded;
mod run;
mod session;
mod shared;
mod slots;
mod small;
mod sql;
mod stored;
pub mod table;
mod terms;
mod times;
mod together;
mod values;
pub mod views;
pub mod watchlist;
mod yielding;

pub use by_time::{Candidates, Seen};
pub use delays::Received;
pub(crate) use in_parts::Spread;
pub use options::{Columns, Late, Options, STACK, Stop, TimeRange};
pub use question::{Language, Prepared, Question};
pub use session::{Session, Source};
pub use slots::{Nothing, Slotted};
pub(crate) use small::fitted;
pub use terms::Terms;
pub use together::{Wanted, read_together};
