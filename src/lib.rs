//! coldtrail
pub mod archive;
pub mod catalog;
pub mod cli;
pub mod convert;
pub mod detect;
pub mod diagnostic;
pub mod engine;
pub mod error;
pub mod ingest;
pub mod progress;
pub mod report;
pub mod rules;
