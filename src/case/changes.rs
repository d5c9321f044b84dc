//! Labels that were lowered, removed or otherwise changed, and to whom those report who did it.

use std::collections::{BTreeMap, HashMap};

use super::denial::{Lineage, Trace};
use super::denials::{ASKED, numbered};
use super::documents::{file_of, label};
use super::label::Label;
use super::reference;
use super::rows::{each, of_users, within};
use crate::archive::ledger::Ledger;
use crate::catalog::TIME;
use crate::engine::Session;
use crate::fault::Result;
use crate::hunt::Window;

/// The actions of `LabelEvents` after which a document has a less sensitive label, or none.
pub const LOWERED: [&str; 2] = ["LabelDowngraded", "LabelRemoved"];

/// A label that was changed, lowered or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelChange {
    /// What happened: all that a manager may learn.
    pub change: Change,
    /// From where and with what: for the security team.
    pub trace: Trace,
    /// The record that says so.
    pub lineage: Lineage,
}

/// What happened to a label, without a field that tells where somebody was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When, in microseconds since 1970, UTC.
    pub time: i64,
    /// LabelDowngraded, LabelRemoved, …
    pub action: String,
    /// Who did it: an address in lower case, or what the log has in its place.
    pub user: String,
    /// To whom the user reports, where that is known: an address in lower case.
    pub manager: Option<String>,
    /// Name of the document or mail, without folders.
    pub file: Option<String>,
    /// The label before.
    pub old: Option<Label>,
    /// The label after.
    pub new: Option<Label>,
    /// The reason that the user gave.
    pub justification: Option<String>,
}

/// Changes by the manager of who made them, in their order; those under nothing whose manager nobody knows.
pub fn by_manager(changes: &[LabelChange]) -> BTreeMap<Option<&str>, Vec<&LabelChange>> {
    let mut managers: BTreeMap<Option<&str>, Vec<&LabelChange>> = BTreeMap::new();
    for change in changes {
        let manager = change.change.manager.as_deref();
        managers.entry(manager).or_default().push(change);
    }
    managers
}

/// The label changes of these actions in a window, by time.
pub(super) fn of(
    session: &Session,
    ledger: &Ledger,
    window: Window,
    actions: &[&str],
) -> Result<Vec<LabelChange>> {
    let actions: Vec<String> = actions
        .iter()
        .map(|a| format!("'{}'", a.replace('\'', "''")))
        .collect();
    if actions.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT arrow_cast(e.\"{TIME}\", 'Int64') AS \"Time\", arrow_cast(e.\"_IngestId\", 'Int64') AS \"Ingest\", \
           arrow_cast(e.\"_Record\", 'Int64') AS \"Number\", e.\"Action\", e.\"UserId\", e.\"FileName\", e.\"FilePath\", \
           e.\"OldLabelId\", e.\"OldLabelName\", arrow_cast(e.\"OldLabelRank\", 'Int64') AS \"OldRank\", \
           e.\"NewLabelId\", e.\"NewLabelName\", arrow_cast(e.\"NewLabelRank\", 'Int64') AS \"NewRank\", \
           e.\"Justification\", e.\"Application\", e.\"DeviceName\", e.\"IPAddress\", e.\"CountryCode\", e.\"Operation\", \
           e.\"SourceTable\", e.\"EventId\" \
         FROM \"LabelEvents\" AS e WHERE e.\"Action\" IN ({}) AND {} ORDER BY \"Time\", \"Ingest\", \"Number\"",
        actions.join(", "),
        within(window, "e")
    );
    let managers = reference::managers(session)?;
    let memory = session.reserve("label changes");
    let mut changes = Vec::new();
    each(
        session,
        &sql,
        |batch| {
            let fixed = batch.num_rows() * size_of::<LabelChange>();
            memory.try_grow(2 * batch.get_array_memory_size() + fixed)?;
            Ok(())
        },
        |row| {
            let (ingest, record) = row.record(1)?;
            let user = row.text(4)?.unwrap_or_default();
            let path = row.text(6)?;
            let named = row.text(5)?.or_else(|| path.clone());
            changes.push(LabelChange {
                change: Change {
                    // The window lets no row without a time pass.
                    time: row.number(0)?.unwrap_or_default(),
                    action: row.text(3)?.unwrap_or_default(),
                    manager: managers.get(&user.to_lowercase()).cloned(),
                    user,
                    file: named.and_then(|name| file_of(&name, None)),
                    old: label(row, 7)?,
                    new: label(row, 10)?,
                    justification: row.text(13)?,
                },
                trace: Trace {
                    application: row.text(14)?,
                    device: row.text(15)?,
                    address: row.text(16)?,
                    country: row.text(17)?,
                    operation: row.text(18)?,
                    path,
                    ..Trace::default()
                },
                lineage: Lineage {
                    ingest,
                    record,
                    file: ledger
                        .entry(ingest)
                        .map_or(String::new(), |e| e.file.clone()),
                    table: row.text(19)?.unwrap_or_default(),
                    event_id: row.text(20)?,
                },
            });
            Ok(())
        },
    )?;
    follow(session, &mut changes, window)?;
    Ok(changes)
}

/// Labels that these users, in lower case, lowered or removed at no known time; of all users where none is named. No window finds them.
pub(super) fn untimed(session: &Session, users: &[String]) -> Result<u64> {
    let lowered = LOWERED.map(|action| format!("'{action}'")).join(", ");
    let sql = format!(
        "SELECT arrow_cast(count(*), 'Int64') AS \"Count\" FROM \"LabelEvents\" AS e \
         WHERE e.\"Action\" IN ({lowered}) AND e.\"{TIME}\" IS NULL AND {}",
        of_users(users)
    );
    let mut count = 0;
    each(
        session,
        &sql,
        |_| Ok(()),
        |row| {
            count = row.number(0)?.unwrap_or_default() as u64;
            Ok(())
        },
    )?;
    Ok(count)
}

/// What a log says of its changes beside what `LabelEvents` has: process, session and city, as expressions over the row `s`.
const BESIDE: [(&str, [&str; 3]); 4] = [
    (
        "UnifiedAuditLog",
        [
            "json_as_text(s.\"AuditData\", 'Common', 'ProcessName')",
            "json_as_text(s.\"AuditData\", 'AppAccessContext', 'AADSessionId')",
            NONE,
        ],
    ),
    (
        "CloudAppEvents",
        [
            "json_as_text(s.\"RawEventData\", 'Common', 'ProcessName')",
            "json_as_text(s.\"RawEventData\", 'AppAccessContext', 'AADSessionId')",
            "s.\"City\"",
        ],
    ),
    (
        "MicrosoftPurviewInformationProtection",
        ["json_as_text(s.\"Common\", 'ProcessName')", NONE, NONE],
    ),
    (
        "InformationProtectionLogs_CL",
        ["s.\"ProcessName_s\"", NONE, NONE],
    ),
];

const NONE: &str = "CAST(NULL AS VARCHAR)";

/// Adds what the records of changes say of where somebody was and with what, which `LabelEvents` has no columns for.
fn follow(session: &Session, changes: &mut [LabelChange], window: Window) -> Result<()> {
    let records = changes.iter().map(|c| (c.lineage.ingest, c.lineage.record));
    let records: Vec<(i64, i64)> = records.collect();
    let places: HashMap<(i64, i64), usize> = records.iter().copied().zip(0..).collect();
    for (table, [process, key, city]) in BESIDE {
        if !session.has(table) {
            continue;
        }
        for asked in records.chunks(ASKED) {
            let sql = format!(
                "SELECT arrow_cast(s.\"_IngestId\", 'Int64') AS \"Ingest\", arrow_cast(s.\"_Record\", 'Int64') AS \"Number\", \
                   {process} AS \"Process\", {key} AS \"Session\", {city} AS \"City\" \
                 FROM stored.\"{table}\" AS s WHERE {} AND {}",
                numbered(asked),
                within(window, "s")
            );
            each(
                session,
                &sql,
                |_| Ok(()),
                |row| {
                    if let Some(at) = places.get(&row.record(0)?) {
                        let trace = &mut changes[*at].trace;
                        trace.process = row.text(2)?;
                        trace.session = row.text(3)?;
                        trace.city = row.text(4)?;
                    }
                    Ok(())
                },
            )?;
        }
    }
    Ok(())
}
