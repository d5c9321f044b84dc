//! Indicators: what findings and denials name, in the forms in which Sentinel takes it.
//!
//! | step | where |
//! |---|---|
//! | what a finding names | `from_findings` |
//! | attempts to open a document that were denied | `attempts` |
//! | what never becomes an indicator | [`Allow`] |
//! | one indicator for each thing, of all that speaks of it | [`gather`] |
//! | STIX 2.1, tiIndicator, CSV | [`stix`], [`ti_indicator`], [`import_csv`] |
//!
//! Times and texts in are times and texts out: two runs give the same bytes. Sends nothing, asks nothing, and does not know what time it is.

mod allow;
mod attempts;
mod from_findings;
pub mod import_csv;
mod indicator;
mod microsoft;
mod moments;
mod observable;
mod ranges;
mod reserved;
mod sighting;
pub mod stix;
mod terms;
pub mod ti_indicator;

pub use allow::{Allow, Documentation};
pub use attempts::{Attempts, attempts, of_denials};
pub use from_findings::of_findings;
pub use indicator::{Gathered, Indicator, LeftOut, gather};
pub use observable::{Algorithm, Observable};
pub use sighting::Sighting;
pub use terms::{Terms, Tlp};
