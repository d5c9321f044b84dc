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
//! - `shared`: what many queries over several times share.
//! - `context`, `memory`, `deadline`, `run`: settings, the memory of queries, and how what was planned is run.
//! - `echoes`: which events another table has too; `apps`: which of them CloudAppEvents has, and in which row.
//! - `depth`: queries that nest deeper than they may.
//! - [`output`]: answers as CSV, JSON, Markdown, Parquet and the Log Analytics query API's shape.
//!
//! Queries read and nothing else: no files beyond the archive and those the user named, no statement that writes.

mod absent;
mod apps;
mod context;
mod deadline;
mod depth;
mod echoes;
pub mod functions;
pub mod kql;
mod listing;
pub mod memory;
mod options;
pub mod output;
mod portion;
mod product;
mod pushdown;
mod question;
mod run;
mod session;
mod shared;
mod sql;
mod stored;
pub mod table;
mod times;
pub mod views;
pub mod watchlist;

pub use options::{Columns, Options, STACK, TimeRange};
pub use question::{Language, Prepared, Question};
pub use session::{Session, Source};
