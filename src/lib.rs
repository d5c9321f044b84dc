//! coldtrail turns exported Microsoft 365 audit logs into a Parquet archive and reproduces detections on it, offline.
//!
//! # How it is built
//!
//! Layers, lowest first; a module names only modules on an earlier line, and `tests/it/layers.rs` holds it.
//!
//! | layer | what it is |
//! |---|---|
//! | [`fault`], [`progress`] | what went wrong, where and why; how far a run is |
//! | [`text`] | bytes and text: the one reader of JSON |
//! | [`catalog`] | the known tables: columns, Kusto types, identity, paths of the audit record kept as columns |
//! | [`storage`] | places in object storage: read, written, listed |
//! | [`ingest`], [`archive`], [`function`] | bytes → typed rows; the folder of Delta tables; what can be computed: values, operators, functions, aggregates. None knows another |
//! | [`kql`] | the Kusto query language: text → tree → resolved tree |
//! | [`sigma`] | rules in the format of Sigma, as queries in KQL |
//! | [`convert`], [`engine`] | rows → archive, on all cores; a DataFusion session over the archive, the views, SQL and KQL |
//! | [`proof`] | what is missing in an archive, and whether it is still what was written |
//! | [`rules`] | detections as coldtrail, Sentinel, Defender XDR and Sigma write them: loaded, checked, tested, explained |
//! | [`hunt`] | rules run over an archive, once or at each time of their schedules: findings with evidence, alerts, incidents |
//! | [`cluster`] | queries that workers on other machines answer: who they are, which of them is asked what, what becomes of the queries of one that is lost |
//! | [`case`] | what documents are made of: denials, label changes, figures, what findings are about |
//! | [`notify`] | mails to owners, managers and the security team, and what was sent |
//! | [`cost`] | what records weigh as Log Analytics bills them, and what they would cost at somebody's prices |
//! | [`report`] | all that an archive shows as one page, as sheets and as data; findings, alerts and incidents for programs |
//! | [`indicators`] | what findings and denials name, as STIX 2.1, tiIndicator and CSV |
//! | [`labels`] | the labels of an archive: their names and ranks, how often events name them, what happened to those of a document |
//! | [`share`] | rows to hand on, in which nobody is named |
//! | [`timeline`] | events of all tables in the order of time, each with a line for people |
//! | [`nightly`] | what a nightly run is asked to do, what its steps have treated, and the lock against a second one |
//! | [`cli`] | the only place that knows arguments, the terminal, the clock and exit codes |
//!
//! # The path of a record
//!
//! [`ingest::input`] opens a file, undoes its compression and hashes its bytes; [`ingest::format`] tells from the first bytes
//! what it is. [`ingest::block::Blocks`] cuts it at record boundaries; [`ingest::block::convert`] makes typed rows of a block, on any
//! core. [`convert`] puts the blocks back into order, drops repeats by identity and content, derives the rows of `LabelEvents`, and writes Parquet by
//! table and day.
//! The tables' logs are committed first and the ledger last: what the ledger does not name is not there. What is known of identities lies in
//! sorted files of its own ([`archive::keys`]): an ingest costs what is new, and views over several sources need not join them.
//!
//! A record is an event in a table, a counted duplicate, a row of `Revisions` (same event, other content) or a row of
//! `Quarantine` with file, number, offset, reason and bytes. Each event carries `_IngestId` and `_Record`, which lead back to a line of
//! a file.
//!
//! # The path of a rule
//!
//! [`rules::load`] makes one [`rules::Rule`] of whatever a file says, and of every file and rule an entry: it runs, or why not. [`sigma`] writes the
//! query of a rule in Sigma in KQL. [`hunt::sweep_with`] runs each rule once: a row is a finding, with the records that it rests on.
//! [`hunt::replay`] lays out the runs of its schedule, reads the rows that can matter to one of them once, and raises the alerts that Sentinel or
//! Defender would have. Alerts of both ways pass the exclusions of the archive ([`hunt::exclusions`]) and may be stored in it
//! ([`archive::conclusions`]), where `SecurityAlert` and `SecurityIncident` show them to other rules.
//!
//! # An example
//!
//! ```
//! use std::sync::Arc;
//! use coldtrail::{archive::Archive, convert, engine, ingest::input, progress};
//!
//! # fn main() -> coldtrail::fault::Result<()> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let place = folder.path().join("archive");
//! let archive = Archive::create(&place)?;
//! let exports = input::find(&["sample-data/ual-portal".into()])?;
//! let options = convert::Options { now: 0, ..Default::default() };
//! let progress: Arc<dyn progress::Progress> = Arc::new(progress::Silent);
//! let summary = convert::ingest(&archive, &exports, &options, &progress)?;
//! assert_eq!(summary.sum(|file| file.events()), 156);
//!
//! let session = engine::Session::open(engine::Source::Archive(&archive), &Default::default())?;
//! let (_, rows) = session.collect("SELECT Action, count(*) FROM LabelEvents GROUP BY Action")?;
//! assert!(!rows.is_empty());
//! # Ok(())
//! # }
//! ```

pub mod archive;
pub mod case;
pub mod catalog;
pub mod cli;
pub mod cluster;
pub mod convert;
pub mod cost;
pub mod engine;
pub mod fault;
pub mod function;
pub mod hunt;
pub mod indicators;
pub mod ingest;
pub mod kql;
pub mod labels;
pub mod nightly;
pub mod notify;
pub mod progress;
pub mod proof;
pub mod report;
pub mod rules;
pub mod share;
pub mod sigma;
pub mod storage;
pub mod text;
pub mod timeline;
