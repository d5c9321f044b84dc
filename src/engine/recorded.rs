//! When events were ingested, as far as exports say it: what a transport wrote around an event, which `ExtraColumns` keeps.
//!
//! | key | who writes it, and when |
//! |---|---|
//! | `_TimeReceived` | Log Analytics, when a record reaches it |
//! | `_TimeReceivedBySvc` | Defender's streaming API, when an event reaches it |
//! | `time` | that, and diagnostic settings of Azure Monitor, when they send it |
//!
//! No event is ingested before it happens, whatever is written there. Audit records have no such key: the Management API says of a blob when it was
//! made, in the list of blobs, and not in the blob.

use datafusion::dataframe::DataFrame;
use datafusion::prelude::Expr;

use super::times;
use crate::catalog::EXTRA;
use crate::fault::Result;

/// The first that is there counts.
const KEYS: [&str; 3] = ["_TimeReceived", "_TimeReceivedBySvc", "time"];

/// When an event was ingested, in SQL; null where its export does not say.
pub(super) fn said() -> String {
    let said = KEYS
        .map(|key| format!("TRY_CAST(\"{EXTRA}\"->>'{key}' AS TIMESTAMP WITH TIME ZONE)"))
        .join(", ");
    format!("arrow_cast(coalesce({said}), 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

/// The same; where its export does not say, when it happened, by the column with its time.
pub(super) fn ingested(time: &str) -> String {
    format!("greatest(\"{time}\", {})", said())
}

/// Whether rows can have what exports say.
fn can_say(rows: &DataFrame) -> bool {
    rows.schema().has_column_with_unqualified_name(EXTRA)
}

/// When each of some rows was ingested; nothing where none can say.
pub(super) fn column(rows: &DataFrame, time: &str) -> Result<Option<Expr>> {
    match can_say(rows) {
        true => Ok(Some(rows.parse_sql_expr(&ingested(time))?)),
        false => Ok(None),
    }
}

/// The condition that rows of a table are in what a question sees, by when each was ingested where that is to count.
pub(super) fn cut(rows: &DataFrame, name: &str, time: &str, is_recorded: bool) -> Result<Expr> {
    let ingested = match is_recorded {
        true => column(rows, time)?,
        false => None,
    };
    Ok(match ingested {
        Some(ingested) => times::cut_as_ingested(name, time, ingested),
        None => times::cut(name, time),
    })
}
