//! coldtrail
pub mod archive;
pub mod catalog;
pub mod convert;
pub mod diagnostic;
pub mod error;
pub mod ingest;
pub mod progress;
