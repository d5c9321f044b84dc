//! The denials of all sources in a window.
//!
//! `LabelEvents` has each denial of each log once, since it was decided at ingest which of the rows of one request counts. What else a log
//! says of it (the content, the reason, the client) is taken from the row of that log by its lineage; what the log does not know, from
//! the other records of the same content.
//!
//! The audit log has no denials by Microsoft's own account. A record there of an opening that did not succeed, or of an operation `AccessDenied`,
//! counts as one, unless a log has the same request. Failures at the portal for encrypted messages (type 154) are none: there somebody could not
//! prove who he is, and was not refused a document.

use std::collections::{BTreeSet, HashMap};

use super::denial::{Denial, Lineage, Owner, Refusal, Trace};
use super::documents::{self, Document, file_of, label};
use super::owner::{Services, invited};
use super::reference;
use super::rows::{Row, each, within};
use crate::archive::ledger::Ledger;
use crate::catalog::TIME;
use crate::catalog::labels::{DENIED, FAILED, failure};
use crate::engine::Session;
use crate::fault::Result;
use crate::hunt::Window;

/// Which rows of `LabelEvents` are denials: those that say so, and what did not succeed of what opens a document.
fn is_denial(action: &str, operation: &str) -> String {
    format!(
        "({action} = '{DENIED}' OR ({action} = '{FAILED}' AND ({operation} IN ('Access', 'SensitivityLabeledFileOpened', \
           'SensitivityLabelFileRead') OR replace({operation}, ' ', '') LIKE '%{DENIED}')))"
    )
}

/// The denials, by time.
fn sql(window: Window) -> String {
    format!(
        "SELECT arrow_cast(e.\"{TIME}\", 'Int64') AS \"Time\", arrow_cast(e.\"_IngestId\", 'Int64') AS \"Ingest\", \
           arrow_cast(e.\"_Record\", 'Int64') AS \"Number\", e.\"UserId\", e.\"Operation\", e.\"FileName\", e.\"FilePath\", \
           e.\"NewLabelId\", e.\"NewLabelName\", arrow_cast(e.\"NewLabelRank\", 'Int64') AS \"Rank\", e.\"Owner\", e.\"Application\", \
           e.\"DeviceName\", e.\"IPAddress\", e.\"CountryCode\", e.\"SourceTable\", e.\"EventId\" \
         FROM \"LabelEvents\" AS e WHERE {} AND {} AND {} ORDER BY \"Time\", \"Ingest\", \"Number\"",
        is_denial("e.\"Action\"", "e.\"Operation\""),
        BY_SOMEBODY,
        within(window, "e")
    )
}

/// Whom Microsoft's service or one of its connectors stands for when it asks, no log says. The service's own logs leave such requests out when they are
/// ingested; in `InformationProtectionLogs_CL` they are evidence.
const BY_SOMEBODY: &str = "NOT starts_with(lower(coalesce(e.\"UserId\", '')), 'microsoftrmsonline@') \
    AND NOT starts_with(lower(coalesce(e.\"UserId\", '')), 'aadrm_s-1-7-0')";

/// What a log says of its requests beside that, as expressions over the row `s`.
struct Log {
    table: &'static str,
    condition: &'static str,
    /// Whether `TimeGenerated` is the time of the request.
    is_timed: bool,
    content: &'static str,
    published: &'static str,
    result: &'static str,
    session: &'static str,
    client: &'static str,
    country: &'static str,
    city: &'static str,
    platform: &'static str,
    process: &'static str,
    user: &'static str,
    second: &'static str,
    /// Address, device and application, a line each: of a row that counts `LabelEvents` has them.
    others: &'static str,
}

const NONE: &str = "CAST(NULL AS VARCHAR)";
const NO_NUMBER: &str = "CAST(NULL AS BIGINT)";
const SECOND: &str = "arrow_cast(date_trunc('second', s.\"TimeGenerated\"), 'Int64')";

/// Says nothing; each log names what it says.
const SILENT: Log = Log {
    table: "",
    condition: "true",
    is_timed: true,
    content: NONE,
    published: NO_NUMBER,
    result: NONE,
    session: NONE,
    client: NONE,
    country: NONE,
    city: NONE,
    platform: NONE,
    process: NONE,
    user: NONE,
    second: SECOND,
    others: NONE,
};

const LOGS: [Log; 5] = [
    Log {
        table: "InformationProtectionLogs_CL",
        condition: "label_activity(s.\"Activity_s\") = 'AccessDenied'",
        content: "s.\"ContentId_g\"",
        published: "arrow_cast(s.\"ProtectionTime_t\", 'Int64')",
        platform: "s.\"Platform_s\"",
        process: "s.\"ProcessName_s\"",
        user: "s.\"UserId_s\"",
        others: "concat_ws(chr(10), s.\"IPv4_s\", s.\"MachineName_s\", s.\"ApplicationName_s\")",
        ..SILENT
    },
    Log {
        table: "AipServiceUserLog",
        condition: "s.\"Result\" <> 'Success'",
        content: "s.\"ContentId\"",
        published: "arrow_cast(s.\"DatePublished\", 'Int64')",
        result: "s.\"Result\"",
        session: "s.\"CorrelationId\"",
        client: "s.\"ClientInfo\"",
        user: "s.\"UserId\"",
        others: "s.\"IPAddress\"",
        ..SILENT
    },
    Log {
        table: "RMSData_CL",
        condition: "btrim(s.\"result_s\", ''' ') <> 'Success'",
        is_timed: false,
        content: "s.\"content_id_g\"",
        published: "arrow_cast(arrow_cast(TRY_CAST(btrim(s.\"date_published_s\", ''' ') AS TIMESTAMP), 'Timestamp(Microsecond, None)'), 'Int64')",
        result: "btrim(s.\"result_s\", ''' ')",
        client: "btrim(s.\"c_info_s\", ''' ')",
        others: "btrim(s.\"c_ip_s\", ''' ')",
        ..SILENT
    },
    Log {
        table: "AipServiceTrackingLog",
        condition: "NOT s.\"Successful\"",
        content: "s.\"ContentId\"",
        country: "json_as_text(s.\"RequesterLocation\", 'Country')",
        city: "json_as_text(s.\"RequesterLocation\", 'City')",
        user: "s.\"RequesterEmail\"",
        others: "s.\"IPAddress\"",
        ..SILENT
    },
    Log {
        table: "RMSDataDetails_CL",
        condition: "NOT s.\"Successful_b\"",
        is_timed: false,
        content: "s.\"ContentId_g\"",
        others: "s.\"RequesterLocation_IP_s\"",
        ..SILENT
    },
];

/// Audit records, of which only those are asked that are denials.
const RECORDS: [Log; 3] = [
    Log {
        table: "UnifiedAuditLog",
        content: "json_as_text(s.\"AuditData\", 'IrmContentId')",
        result: "s.\"ResultStatus\"",
        session: "json_as_text(s.\"AuditData\", 'AppAccessContext', 'AADSessionId')",
        process: "json_as_text(s.\"AuditData\", 'Common', 'ProcessName')",
        ..SILENT
    },
    Log {
        table: "CloudAppEvents",
        content: "json_as_text(s.\"RawEventData\", 'IrmContentId')",
        result: "json_as_text(s.\"RawEventData\", 'ResultStatus')",
        session: "json_as_text(s.\"RawEventData\", 'AppAccessContext', 'AADSessionId')",
        process: "json_as_text(s.\"RawEventData\", 'Common', 'ProcessName')",
        city: "s.\"City\"",
        platform: "s.\"OSPlatform\"",
        ..SILENT
    },
    Log {
        table: "MicrosoftPurviewInformationProtection",
        content: "s.\"IrmContentId\"",
        result: "s.\"ResultStatus\"",
        process: "json_as_text(s.\"Common\", 'ProcessName')",
        ..SILENT
    },
];

/// Audit records that one query asks for by their numbers.
pub(super) const ASKED: usize = 10_000;

/// Tables whose denials are openings that failed, whatever the log of the service says of them.
fn is_audit(table: &str) -> bool {
    RECORDS.iter().any(|log| log.table == table)
}

/// What the logs that have rows say of their denials.
fn particulars(session: &Session, window: Window) -> Option<String> {
    let logs = LOGS.iter().filter(|log| session.has(log.table));
    let parts: Vec<String> = logs.map(|log| part(log, log.condition, window)).collect();
    (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
}

/// What audit records say of the denials that they are. They are asked by their numbers: of a log of everything, only the pages with these are read.
fn particulars_of_records(session: &Session, denials: &[Denial], window: Window) -> Vec<String> {
    // `LabelEvents` does not say which of these tables has a record.
    let own = denials.iter().filter(|d| is_audit(&d.lineage.table));
    let own: Vec<(i64, i64)> = own.map(|d| (d.lineage.ingest, d.lineage.record)).collect();
    let mut queries = Vec::new();
    for log in RECORDS.iter().filter(|log| session.has(log.table)) {
        let asked = own.chunks(ASKED);
        queries.extend(asked.map(|records| part(log, &numbered(records), window)));
    }
    queries
}

/// A condition on a row `s` that holds for all of these records, and for few others: numbers of ingests and of records, each by itself.
pub(super) fn numbered(records: &[(i64, i64)]) -> String {
    let ingests: BTreeSet<i64> = records.iter().map(|(ingest, _)| *ingest).collect();
    let numbers: BTreeSet<i64> = records.iter().map(|(_, number)| *number).collect();
    let list = |numbers: &BTreeSet<i64>| {
        let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
        numbers.join(", ")
    };
    format!(
        "s.\"_IngestId\" IN ({}) AND s.\"_Record\" IN ({})",
        list(&ingests),
        list(&numbers)
    )
}

fn part(log: &Log, condition: &str, window: Window) -> String {
    let window = match log.is_timed {
        true => within(window, "s"),
        false => "true".into(),
    };
    format!(
        "SELECT '{}' AS \"Table\", arrow_cast(s.\"_IngestId\", 'Int64') AS \"Ingest\", arrow_cast(s.\"_Record\", 'Int64') AS \"Number\", \
           event_key({}) AS \"Content\", {} AS \"Published\", {} AS \"Result\", {} AS \"Session\", {} AS \"Client\", {} AS \"Country\", \
           {} AS \"City\", {} AS \"Platform\", {} AS \"Process\", lower(trim({})) AS \"User\", {} AS \"Second\", {} AS \"Others\" \
         FROM stored.\"{}\" AS s WHERE {condition} AND {window}",
        log.table,
        log.content,
        log.published,
        log.result,
        log.session,
        log.client,
        log.country,
        log.city,
        log.platform,
        log.process,
        log.user,
        log.second,
        log.others,
        log.table,
    )
}

/// What is the same request in every log: content, user and second.
type Request = (String, String, i64);

/// The request of a denial, where its content is known.
fn request(refusal: &Refusal) -> Option<Request> {
    let second = refusal.time.div_euclid(1_000_000) * 1_000_000;
    Some((refusal.content.clone()?, asker(&refusal.user), second))
}

/// Who asks, in one spelling: the audit log names guests by the account that they have in the tenant, the service by their own address.
fn asker(user: &str) -> String {
    let small = user.trim().to_lowercase();
    invited(&small).unwrap_or(small)
}

/// How far apart the audit log and a log of the service may have one request, in microseconds: each has a clock of its own, and a client writes
/// its record after the answer. The service logs every request, so that none is lost that is taken for another.
const APART: i64 = 5_000_000;

/// Whether one of these times, which are in order, is near to a time.
fn is_near(times: &[i64], time: i64) -> bool {
    let from = times.partition_point(|t| *t < time - APART);
    times.get(from).is_some_and(|t| *t <= time + APART)
}

/// The value of a key of what a client says of itself: `MSIPC;version=2.2;AppName=WINWORD.EXE;OSName=Windows`.
fn of_client(client: &str, key: &str) -> Option<String> {
    let mut parts = client.split(';');
    let found = parts.find_map(|part| part.trim().strip_prefix(key)?.strip_prefix('='));
    found.filter(|value| !value.is_empty()).map(str::to_string)
}

/// Denials in the making: the owner is still as the record says it.
struct Making {
    denials: Vec<Denial>,
    by_record: HashMap<(i64, i64), usize>,
    /// Accounts of guests in the tenant, by their own addresses.
    guests: HashMap<String, String>,
    /// Countries and cities that another log says of a request.
    places: HashMap<Request, (Option<String>, Option<String>)>,
    /// What rows that do not count say of where somebody was and with what, by content.
    others: HashMap<String, BTreeSet<String>>,
}

impl Making {
    /// Takes a row of `LabelEvents`.
    fn add(&mut self, row: Row<'_>) -> Result<()> {
        // The window lets no row without a time pass.
        let time = row.number(0)?.unwrap_or_default();
        let record = row.record(1)?;
        let path = row.text(6)?;
        let name = row.text(5)?;
        let account = row.text(3)?.unwrap_or_default();
        let user = match invited(&account.to_lowercase()) {
            Some(own) => {
                self.guests.insert(own.clone(), account.to_lowercase());
                own
            }
            None => account,
        };
        self.by_record.insert(record, self.denials.len());
        self.denials.push(Denial {
            refusal: Refusal {
                time,
                user,
                user_name: None,
                result: DENIED.into(),
                content: None,
                file: name.or_else(|| path.clone()),
                label: label(row, 7)?,
                owner: Owner::Unknown(row.text(10)?),
                protected_since: None,
            },
            trace: Trace {
                operation: row.text(4)?,
                path,
                application: row.text(11)?,
                device: row.text(12)?,
                address: row.text(13)?,
                country: row.text(14)?,
                ..Trace::default()
            },
            lineage: Lineage {
                ingest: record.0,
                record: record.1,
                file: String::new(),
                table: row.text(15)?.unwrap_or_default(),
                event_id: row.text(16)?,
            },
        });
        Ok(())
    }

    /// Keeps what a row says of where somebody was and with what: the request counts by the row of another log.
    fn overhear(&mut self, row: Row<'_>) -> Result<()> {
        let Some(content) = row.text(3)? else {
            return Ok(());
        };
        let others = self.others.entry(content).or_default();
        // The session is another in each row, and nobody calls a document by it.
        for column in [7, 8, 9, 11, 14] {
            let said = row.text(column)?.unwrap_or_default();
            others.extend(said.lines().map(str::to_string));
        }
        Ok(())
    }

    /// The same of the audit log, before it is left out.
    fn overhear_records(&mut self) {
        for denial in &self.denials {
            let content = denial.refusal.content.as_ref();
            let Some(content) = content.filter(|_| is_audit(&denial.lineage.table)) else {
                continue;
            };
            let of = &denial.trace;
            let said = [
                &of.address,
                &of.country,
                &of.city,
                &of.device,
                &of.application,
                &of.client,
            ];
            let others = self.others.entry(content.clone()).or_default();
            others.extend(said.into_iter().flatten().cloned());
        }
    }

    /// Gives what was kept of a content to the first of its denials.
    fn hand_on(&mut self) {
        for denial in &mut self.denials {
            let content = denial.refusal.content.as_ref();
            if let Some(others) = content.and_then(|content| self.others.remove(content)) {
                denial.trace.others = others.into_iter().collect();
            }
        }
    }

    /// Takes what a log says of one of its requests.
    fn explain(&mut self, row: Row<'_>) -> Result<()> {
        if !self.by_record.contains_key(&row.record(1)?) {
            self.overhear(row)?;
        }
        let content = row.text(3)?;
        let (country, city) = (row.text(8)?, row.text(9)?);
        let Some(at) = self.by_record.get(&row.record(1)?) else {
            // The same request may count by the row of another log, which does not say where it came from.
            if let (Some(content), Some(user), Some(second)) =
                (content, row.text(12)?, row.number(13)?)
                && (country.is_some() || city.is_some())
            {
                let place = (country, city);
                let key = (content, asker(&user), second);
                // The rows of an answer come in no order.
                let known = self.places.entry(key).or_insert_with(|| place.clone());
                if place > *known {
                    *known = place;
                }
            }
            return Ok(());
        };
        let Denial {
            refusal,
            trace,
            lineage,
        } = &mut self.denials[*at];
        let table = row.text(0)?.unwrap_or_default();
        refusal.content = content;
        refusal.protected_since = row.number(4)?;
        // That the audit log could write its record is no reason.
        let is_reason = |said: &String| !is_audit(&table) || failure(said).is_some();
        if let Some(result) = row.text(5)?.filter(is_reason) {
            refusal.result = result;
        }
        trace.session = row.text(6)?;
        let client = row.text(7)?;
        let said = |key| client.as_deref().and_then(|client| of_client(client, key));
        trace.platform = row.text(10)?.or_else(|| said("OSName"));
        trace.process = row.text(11)?;
        trace.application = trace
            .application
            .take()
            .or_else(|| trace.process.clone())
            .or_else(|| said("AppName"));
        trace.client = client;
        trace.country = trace.country.take().or(country);
        trace.city = city;
        lineage.table = table;
        Ok(())
    }

    /// Leaves out what the audit log says of requests that a log has, and takes the places that other logs know.
    fn settle(&mut self) {
        let mut logged: HashMap<(String, String), Vec<i64>> = HashMap::new();
        for denial in self.denials.iter().filter(|d| !is_audit(&d.lineage.table)) {
            if let Some((content, user, _)) = request(&denial.refusal) {
                let times = logged.entry((content, user)).or_default();
                times.push(denial.refusal.time);
            }
        }
        let is_logged = |refusal: &Refusal| {
            let times =
                request(refusal).and_then(|(content, user, _)| logged.get(&(content, user)));
            times.is_some_and(|times| is_near(times, refusal.time))
        };
        let is_first = |d: &Denial| !is_audit(&d.lineage.table) || !is_logged(&d.refusal);
        self.denials.retain(is_first);
        if self.places.is_empty() {
            return;
        }
        for Denial { refusal, trace, .. } in &mut self.denials {
            if let Some((country, city)) = request(refusal).and_then(|r| self.places.get(&r)) {
                trace.country = trace.country.take().or_else(|| country.clone());
                trace.city = trace.city.take().or_else(|| city.clone());
            }
        }
    }
}

impl Denial {
    /// Takes what is known of its document, and says who owns it.
    fn complete(&mut self, document: Option<&Document>, services: &Services) {
        let refusal = &mut self.refusal;
        let content = refusal.content.as_deref();
        // One document has one name, whichever of its records says it, as in `InformationProtectionLogs_CL`.
        let own = refusal.file.take();
        let own = own.and_then(|path| file_of(&path, content));
        let known = document.and_then(Document::name).map(str::to_string);
        refusal.file = known.or(own);
        if refusal.label.is_none() {
            refusal.label = document.and_then(|d| d.label(refusal.time)).cloned();
        }
        let since = refusal.protected_since;
        refusal.protected_since = since.or_else(|| document?.protected());
        let said = refusal.owner.said();
        let said = said.or_else(|| document?.owner(refusal.time));
        refusal.owner = services.owner(said);
    }
}

/// The denials of a window, by time; each once, whatever sources have it.
pub(super) fn of(session: &Session, ledger: &Ledger, window: Window) -> Result<Vec<Denial>> {
    let mut making = Making {
        denials: Vec::new(),
        by_record: HashMap::new(),
        guests: HashMap::new(),
        places: HashMap::new(),
        others: HashMap::new(),
    };
    let memory = session.reserve("denials");
    each(
        session,
        &sql(window),
        |batch| {
            // Their texts, and what later queries add.
            let fixed = batch.num_rows() * size_of::<Denial>();
            memory.try_grow(2 * batch.get_array_memory_size() + fixed)?;
            Ok(())
        },
        |row| making.add(row),
    )?;
    if making.denials.is_empty() {
        return Ok(Vec::new());
    }
    let of_records = particulars_of_records(session, &making.denials, window);
    for sql in particulars(session, window).into_iter().chain(of_records) {
        each(session, &sql, |_| Ok(()), |row| making.explain(row))?;
    }
    making.overhear_records();
    making.settle();
    making.hand_on();
    let mut denials = making.denials;
    let contents = denials.iter().filter_map(|d| d.refusal.content.clone());
    let contents: BTreeSet<String> = contents.collect();
    let contents: Vec<String> = contents.into_iter().collect();
    let documents = documents::of(session, &contents)?;
    let services = Services::of(session)?;
    let guests = making.guests;
    let users = denials.iter().map(|d| d.refusal.user.to_lowercase());
    let users: BTreeSet<String> = users.chain(guests.values().cloned()).collect();
    let users: Vec<String> = users.into_iter().collect();
    let names = reference::names(session, &users)?;
    for denial in &mut denials {
        let content = denial.refusal.content.as_ref();
        let document = content.and_then(|id| documents.get(id));
        denial.complete(document, &services);
        let refusal = &mut denial.refusal;
        let user = refusal.user.to_lowercase();
        let name = names.get(&user);
        let name = name.or_else(|| names.get(guests.get(&user)?));
        refusal.user_name = name.cloned();
        if let Some(entry) = ledger.entry(denial.lineage.ingest) {
            denial.lineage.file.clone_from(&entry.file);
        }
    }
    Ok(denials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_has_two_times_that_are_near() {
        let times = [10_000_000, 30_000_000];
        let near = |seconds: i64| is_near(&times, seconds * 1_000_000);
        assert_eq!(
            [4, 5, 15, 16, 24, 25, 35, 36].map(near),
            [false, true, true, false, false, true, true, false]
        );
        assert!(!is_near(&[], 0));
    }

    #[test]
    fn a_guest_is_one_person_in_every_log() {
        let own = asker(" Eve_X@fabrikam.com");
        assert_eq!(own, "eve_x@fabrikam.com");
        let guest = "eve_x_fabrikam.com#EXT#@contoso.onmicrosoft.com";
        assert_eq!(asker(guest), own);
    }

    #[test]
    fn a_client_says_its_application_and_system() {
        let client = "MSIPC;version=2.2;AppName=WINWORD.EXE; OSName=Windows;AppVersion=";
        assert_eq!(of_client(client, "AppName").as_deref(), Some("WINWORD.EXE"));
        assert_eq!(of_client(client, "OSName").as_deref(), Some("Windows"));
        assert_eq!(of_client(client, "AppVersion"), None);
        assert_eq!(of_client(client, "App"), None);
    }
}
