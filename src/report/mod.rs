//! Documents: findings, alerts and the report, for people and for programs. They see findings and figures, never files of an export.
//!
//! - [`data`]: all that a report says; `made`: how it comes from a hunt, from the figures of the case and from what the archive says of itself.
//! - [`html`]: the report as one page that opens offline, in the clothes of a [`brand`]; `written`: in the other formats, as the lists of `tables`.
//! - `changed`: labels that were lowered or removed, as a document of their own.
//! - `findings`, `alerts`: what a hunt found, for programs and spreadsheets.
//! - `heading`: what a document says of itself, and how it says times; `wording`: values of a finding as people read them.

pub use alerts::{alerts, compared, incidents};
pub use changed::{Changes, Reader};
pub use findings::{findings_csv, findings_json, findings_markdown, findings_ndjson};
pub use heading::Heading;
pub use made::{Sources, is_about, periods, report};
pub use written::{report_csv, report_json, report_markdown, report_workbook};

mod alerts;
pub mod brand;
mod changed;
pub mod data;
mod findings;
mod heading;
pub mod html;
mod made;
mod tables;
mod wording;
mod written;
