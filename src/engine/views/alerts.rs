//! `SecurityAlert` and `SecurityIncident`: what exports have, and what hunts have stored, each event once. Of one that is in both, the export counts.
//!
//! Sentinel writes a row for each change of an alert or incident. So do exports, and all of these rows stay.

use std::fmt::Write;

use super::select::{columns, stored};
use crate::catalog::{self, INGEST_ID, RECORD, table};
use crate::engine::session::Session;

/// The table of alerts.
pub const ALERTS: &str = "SecurityAlert";
/// The table of incidents.
pub const INCIDENTS: &str = "SecurityIncident";

/// The table with what hunts have stored of the kind of a table, and the column that names an event.
fn concluded(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        ALERTS => Some((catalog::ALERTS, "SystemAlertId")),
        INCIDENTS => Some((catalog::INCIDENTS, "IncidentName")),
        _ => None,
    }
}

/// Whether a table shows what hunts have stored.
pub(in crate::engine) fn are_shown(session: &Session, name: &str) -> bool {
    concluded(name).is_some_and(|(source, _)| session.has(source))
}

/// The query of such a view.
pub(super) fn sql(session: &Session, name: &str) -> String {
    let own = table(name);
    let mut sql = stored(own);
    let Some((source, id)) = concluded(name).filter(|(source, _)| session.has(source)) else {
        return sql;
    };
    let source = table(source);
    // They are of no ingest.
    let map = |name: &str| match name {
        INGEST_ID | RECORD => Some("CAST(NULL AS BIGINT)".to_string()),
        _ => {
            let column = &source.columns[source.position(name)?];
            Some(format!("a.\"{}\"", column.name))
        }
    };
    let list = columns(own, &map);
    let stored = format!("stored.\"{}\" AS a", source.name);
    // Writing to a String cannot fail.
    let _ = match session.has(own.name) {
        true => write!(
            sql,
            " UNION ALL SELECT {list} FROM (SELECT DISTINCT lower(\"{id}\") AS \"Known\" FROM stored.\"{}\") AS k \
             RIGHT ANTI JOIN {stored} ON k.\"Known\" = lower(a.\"{id}\")",
            own.name
        ),
        false => write!(sql, " UNION ALL SELECT {list} FROM {stored}"),
    };
    sql
}
