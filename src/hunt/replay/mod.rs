//! Replay: what the scheduler of a rule would have done, to the second.
//!
//! But for `answers`, `asked_tables` and `runs`, nothing here reads data or runs a query. What goes in are a rule, the times of a data set and, for each run, the
//! rows of the rule's query; what comes out are the runs to do, the alerts and the incidents.
//!
//! | step | where |
//! |---|---|
//! | when a rule runs, and what each run sees | [`schedule`] |
//! | when an event was there to be seen | [`delay`] |
//! | which runs can see a row that passes the rule's filter | [`needed`] |
//! | trigger, suppression, event grouping, repeats | [`judge`] |
//! | an alert, and its row of `SecurityAlert` | [`alert`] |
//! | alerts to incidents, and their rows of `SecurityIncident` | [`incident`] |
//! | two replays side by side: late, missed, only in one | [`compare`] |
//! | which rules of two sets belong together | [`partners`] |
//! | the rows of each run, read once or run by run | `answers` |
//! | the tables that a rule asks, and which of them are not there | `asked_tables` |
//! | many rules over an archive | [`runs`] |
//!
//! A rule is replayed in four steps: [`schedule::Timetable::covering`] lays out its runs over the data; [`needed::needed`] names those that can see
//! a row, by the times of the rows that pass its filters; [`judge::replay`] asks for their answers, each with `now()` at [`schedule::Run::at`] and
//! every table cut to [`schedule::Run::cut`], and takes the answer over nothing for all others; [`incident::incidents`] groups the alerts of all rules.
//!
//! # Edges
//!
//! What Microsoft's pages and recorded alerts leave open is decided here, once:
//!
//! - Every stretch of time has its first moment and not its last, as everywhere in coldtrail. With a period as long as the frequency, each event is
//!   in exactly one window.
//! - The first run is at the first moment that is asked for; where none is, at the last whole multiple of the frequency before the data begins, so
//!   that earlier events do not move all runs. It sees what lies before that.
//! - A run sees what was ingested before it executes, not what was ingested up to the end of its window: the five minutes are there for late events.
//! - A run that would execute after the replay is none yet: what it will see is not all there, and its alert would be another tomorrow.
//! - A rule that is suppressed for an hour and triggers at noon runs at one o'clock again, and not a microsecond before.
//! - An incident that takes alerts for five hours does not take one that is created five hours after its first.
//! - A rule that raises more than [`judge::MOST_ALERTS`] has failed: what it says is of no use, and memory ends.
//! - An alert without entities shares no incident with others where entities must be equal: nothing in it says that they belong together.

pub use answers::Manner;
pub use asked_tables::AskedTables;
pub(super) use details::{custom, said};
pub use entity::AlertEntity;
pub use result_row::ResultRow;
pub(super) use result_row::round;

pub mod alert;
mod answers;
mod asked_tables;
pub mod compare;
pub mod delay;
mod details;
mod entity;
pub mod incident;
pub mod judge;
pub mod needed;
pub mod partners;
mod result_row;
pub mod runs;
pub mod schedule;
mod stamp;
