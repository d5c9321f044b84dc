//! All sources as one query, span by span, and its rows in the order of time, each with its line.

use std::collections::HashMap;
use std::fmt::Write;

use super::column::columns;
use super::copies::without;
use super::field::{Event, Field, Rows, TIME};
use super::finding::{RECORDS, Records};
use super::named::Names;
use super::sentence::sentence;
use super::source::{Source, lineage, sources, special};
use super::span::Spans;
use super::subject::Subject;
use super::write::{Line, Writer};
use crate::archive::ledger::Ledger;
use crate::catalog;
use crate::engine::{Session, fitted};
use crate::fault::Result;

/// What a timeline is made of.
pub struct Asked<'a> {
    /// The events that are asked for; all where it says nothing.
    pub subject: &'a Subject,
    /// Only what findings rest on; the session has these records ([`Records::add_to`]).
    pub records: Option<&'a Records>,
    /// In which spans its events are sorted; what findings rest on is little, and one.
    pub spans: &'a Spans,
    /// The files that were ingested.
    pub ledger: &'a Ledger,
    /// Names of labels and applications.
    pub names: &'a Names,
}

/// What a timeline has.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Its events.
    pub events: u64,
    /// Events without a time, which are not in it.
    pub untimed: u64,
}

/// An event as the timeline tells it. What is not known is empty.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// When, in microseconds since 1970.
    pub time: i64,
    /// What happened: a sentence.
    pub said: &'a str,
    /// Who did it.
    pub user: &'a str,
    /// From which address.
    pub address: &'a str,
    /// What was done, as logged.
    pub action: &'a str,
    /// To what, by its name.
    pub object: &'a str,
    /// With which application.
    pub application: &'a str,
    /// Table or view that has it.
    pub table: &'a str,
    /// Number of the ingest.
    pub ingest: &'a str,
    /// Number of the record in its file.
    pub record: &'a str,
    /// Identity of the event, as logged; may be empty.
    pub event_id: &'a str,
}

/// Tells the events that are asked for, in the order of time.
///
/// # Errors
/// When the archive cannot be asked, or what `tell` returns.
pub fn tell(
    session: &mut Session,
    asked: &Asked<'_>,
    mut tell: impl FnMut(&Told<'_>) -> Result<()>,
) -> Result<Counts> {
    each(session, asked, |line| {
        let event = &line.event;
        tell(&Told {
            time: line.time,
            said: line.message,
            user: event.get(Field::User),
            address: event.get(Field::Address),
            action: event.get(Field::Action),
            object: event.first(&[Field::Name, Field::Object]),
            application: event.get(Field::Application),
            table: event.get(Field::Table),
            ingest: event.get(Field::Ingest),
            record: event.get(Field::Record),
            event_id: event.get(Field::EventId),
        })
    })
}

/// Writes the events that are asked for.
///
/// # Errors
/// When the archive cannot be asked, or the events cannot be written.
pub fn run<W: std::io::Write + Send>(
    session: &mut Session,
    asked: &Asked<'_>,
    writer: &mut Writer<W>,
) -> Result<Counts> {
    each(session, asked, |line| writer.write(line))
}

/// Shows the events that are asked for.
fn each(
    session: &mut Session,
    asked: &Asked<'_>,
    mut show: impl FnMut(&Line<'_>) -> Result<()>,
) -> Result<Counts> {
    let mut counts = Counts::default();
    let parts = parts(session, asked)?;
    if parts.is_empty() {
        return Ok(counts);
    }
    let entries = asked.ledger.exports();
    let files: HashMap<String, &str> = entries
        .map(|e| (e.id.to_string(), e.file.as_str()))
        .collect();
    let one = Spans::default();
    let spans = match asked.records {
        Some(_) => &one,
        None => asked.spans,
    };
    for span in spans.conditions(&format!("e.\"{}\"", catalog::TIME)) {
        let frame = fitted(session.plan(&sorted(&parts, &span))?)?;
        session.stream(frame, |batch| {
            let rows = Rows::of(batch)?;
            for row in 0..rows.count() {
                let event = rows.event(row);
                let Some(time) = event.time else {
                    counts.untimed += 1;
                    continue;
                };
                let file = files.get(event.get(Field::Ingest)).copied();
                show(&Line {
                    time,
                    message: &sentence(&event, asked.names),
                    kind: kind(&event),
                    file: file.unwrap_or_default(),
                    event,
                })?;
                counts.events += 1;
            }
            Ok(())
        })?;
    }
    Ok(counts)
}

/// What the time of an event is the time of, as Timesketch wants it said.
fn kind(event: &Event<'_>) -> &'static str {
    match event.get(Field::Table) {
        "SecurityAlert" | "AlertInfo" | "SecurityIncident" | "Anomalies" => "Alert Time",
        table if table.contains("SignIn") || table == "SigninLogs" => "Sign-in Time",
        "UnifiedAuditLog" if event.get(Field::Action).starts_with("UserLog") => "Sign-in Time",
        "EmailEvents" | "EmailPostDeliveryEvents" => "Delivery Time",
        _ => "Event Time",
    }
}

/// The queries of all sources that can have such an event.
fn parts(session: &mut Session, asked: &Asked<'_>) -> Result<Vec<String>> {
    // Most records have an application's id and not its name.
    let mut subject = asked.subject.clone();
    for name in &asked.subject.applications {
        subject
            .applications
            .extend(asked.names.ids_of(name).cloned());
    }
    let asked = &Asked {
        subject: &subject,
        ..*asked
    };
    let mut parts = Vec::new();
    for source in sources(session) {
        parts.extend(part(session, &source, asked)?);
    }
    Ok(parts)
}

/// The query for all rows of these that lie in a span.
fn sorted(parts: &[String], span: &str) -> String {
    // Nothing in a row may be left to chance: of equal keys any row could come first.
    let mut order = format!("\"{TIME}\" NULLS LAST");
    for field in [
        Field::Table,
        Field::EventId,
        Field::Ingest,
        Field::Record,
        Field::Action,
        Field::Object,
        Field::Target,
    ] {
        // Writing to a String cannot fail.
        let _ = write!(order, ", \"{}\" NULLS LAST", field.column());
    }
    let within: Vec<String> = parts
        .iter()
        .map(|part| format!("{part} AND {span}"))
        .collect();
    format!("{} ORDER BY {order}", within.join(" UNION ALL "))
}

/// The query of a source; nothing where it can have no such event.
fn part(session: &mut Session, source: &Source, asked: &Asked<'_>) -> Result<Option<String>> {
    let Some(mut conditions) = asked.subject.conditions(source) else {
        return Ok(None);
    };
    conditions.extend(source.condition.clone());
    let rows = match asked.records {
        // What findings rest on is shown as the table has it that they asked.
        Some(_) => {
            conditions.push(is_record(session, source));
            source.rows.clone()
        }
        None => without(session, source, asked.subject)?,
    };
    let mut list = format!("e.\"{}\" AS \"{TIME}\"", catalog::TIME);
    for field in Field::ALL {
        // Writing to a String cannot fail.
        let _ = write!(list, ", {} AS \"{}\"", value(source, field), field.column());
    }
    let condition = match conditions.is_empty() {
        true => "true".into(),
        false => conditions.join(" AND "),
    };
    Ok(Some(format!("SELECT {list} FROM {rows} WHERE {condition}")))
}

/// What a source says of a field: the first of its columns that says something.
fn value(source: &Source, field: Field) -> String {
    if field == Field::Table {
        return source.name();
    }
    if let Some(column) = lineage(field) {
        return column;
    }
    let own = special(source.table.name, field).map(str::to_string);
    let mut said: Vec<String> = own
        .into_iter()
        .chain(columns(source.table, field))
        .collect();
    match said.len() {
        0 => "CAST(NULL AS VARCHAR)".into(),
        1 => said.remove(0),
        _ => {
            let last = said.len() - 1;
            for (at, text) in said.iter_mut().enumerate() {
                if at < last {
                    *text = format!("nullif({text}, '')");
                }
            }
            format!("coalesce({})", said.join(", "))
        }
    }
}

/// Whether a row is one of the records that findings rest on. The view of audit records may have another copy of the event than the one that a rule has
/// seen: there its id counts too.
fn is_record(session: &Session, source: &Source) -> String {
    let place = |alias: &str| {
        let (ingest, record) = (catalog::INGEST_ID, catalog::RECORD);
        format!(
            "CAST({alias}.\"{ingest}\" AS VARCHAR) || ':' || CAST({alias}.\"{record}\" AS VARCHAR) IN (SELECT \"Source\" FROM watchlists.\"{RECORDS}\")"
        )
    };
    let own = place("e");
    if source.table.name != "UnifiedAuditLog" {
        return own;
    }
    let copies = [
        (
            "CloudAppEvents",
            "app_record_id(c.\"RawEventData_Id\", c.\"ReportId\")",
        ),
        ("OfficeActivity", "c.\"OfficeId\""),
        ("UnifiedAuditLog", "c.\"Id\""),
    ];
    let present = copies.iter().filter(|(name, _)| session.has(name));
    let keys: Vec<String> = present
        .map(|(name, id)| {
            format!(
                "SELECT event_key({id}) AS \"Key\" FROM stored.\"{name}\" AS c WHERE {}",
                place("c")
            )
        })
        .collect();
    // Without a SELECT around the union DataFusion gives its column the same name twice, and refuses the query (55.2).
    format!(
        "({own} OR event_key(e.\"Id\") IN (SELECT k.\"Key\" FROM ({}) AS k))",
        keys.join(" UNION ALL ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_say_what_they_are_the_times_of() {
        let of = |table, action| {
            kind(&Event::of(
                0,
                &[(Field::Table, table), (Field::Action, action)],
            ))
        };
        assert_eq!(of("SigninLogs", "Sign-in activity"), "Sign-in Time");
        assert_eq!(of("AADNonInteractiveUserSignInLogs", ""), "Sign-in Time");
        assert_eq!(of("UnifiedAuditLog", "UserLoggedIn"), "Sign-in Time");
        assert_eq!(of("UnifiedAuditLog", "FileDownloaded"), "Event Time");
    }
}
