//! Timelines as files: a writer for each format, all told the same lines.
//!
//! | | for | times |
//! |---|---|---|
//! | CSV | spreadsheets and scripts | ISO 8601, in the zone that is asked for |
//! | JSON lines | programs | the same |
//! | Timesketch | its importer, which wants `message`, `datetime` and `timestamp_desc` | UTC, and `timestamp` in microseconds |
//! | body file | `mactime` of the Sleuth Kit | seconds since 1970; what is finer, or earlier, stands in front of the line |
//! | workbook | Excel | as text with all digits, and as a date of Excel |
//! | HTML | a reader with a browser | as CSV |

mod body;
mod csv;
mod html;
mod json;
mod line;
mod workbook;
mod writer;

pub(super) use line::Line;
pub use writer::{Format, Writer};
