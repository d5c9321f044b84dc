//! The tables that coldtrail itself fills.

use super::column::Kusto::{self, Bool, DateTime, Dynamic, Int, Long, String};
use super::column::{FINGERPRINT, INGEST_ID, Origin, RECORD, ROW, STORE_ID, TIME, column};
use super::described::listed;
use super::table::{Table, index};

/// Name, type and meaning of a column.
type Described = (&'static str, Kusto, &'static str);

const INGESTS: &[Described] = &[
    (INGEST_ID, Long, "Number of the ingest, from 1"),
    (
        "Batch",
        Long,
        "Number of the first ingest that was committed together with this one",
    ),
    ("File", String, "File as it was named on the command line"),
    (
        "Sha256",
        String,
        "SHA-256 of the file as it was read, compressed or not",
    ),
    ("Bytes", Long, "Size of the file"),
    ("Compression", String, "none, gzip, zstd"),
    ("Encoding", String, "UTF-8, UTF-16LE, …"),
    ("Container", String, "CSV, JSON lines, …"),
    ("Kind", String, "What the records were taken for, and why"),
    (
        "DateOrder",
        String,
        "How dates without a fixed form were read, and why",
    ),
    ("Records", Long, "Records in the file"),
    ("Events", Long, "Events added to tables"),
    ("Duplicates", Long, "Repeats with equal content, dropped"),
    (
        "Revisions",
        Long,
        "Repeats with different content, kept in `Revisions`",
    ),
    (
        "Quarantined",
        Long,
        "Records that could not be converted, kept in `Quarantine`",
    ),
    ("Tables", Dynamic, "Events added, per table"),
    ("FirstTime", DateTime, "Earliest event of the file"),
    ("LastTime", DateTime, "Latest event of the file"),
    (
        "Status",
        String,
        "complete; incomplete (the file ends early); unreadable (nothing in it is known)",
    ),
    ("Note", String, "Why it is not complete, and warnings"),
    ("IngestedAt", DateTime, "When it was read"),
    ("Version", String, "Version of coldtrail that read it"),
    (
        "PathKey",
        String,
        "SHA-256 of the file's absolute path: tells files of one name apart and names none",
    ),
    (
        "Modified",
        Long,
        "When the file was changed last, in microseconds since 1970",
    ),
    (
        "RowDigests",
        Dynamic,
        "Digest of the rows that it added, per table",
    ),
    (
        "Derived",
        Dynamic,
        "Rows that were derived from its events, per table, and the version of the derivation",
    ),
    (
        "Chain",
        String,
        "Digest of the archive's content after this ingest: SHA-256 of the one before and of what this one added",
    ),
];

const QUARANTINE: &[Described] = &[
    (INGEST_ID, Long, "Number of the ingest in `Ingests`"),
    ("File", String, "File"),
    (RECORD, Long, "Number of the record in its file, from 1"),
    ("Offset", Long, "Byte offset in the decompressed file"),
    ("Reason", String, "Why it could not be converted"),
    ("Length", Long, "Length of the record in bytes"),
    (
        "Content",
        String,
        "The record as it came, its first MiB; bytes that are not UTF-8 as \\xFF",
    ),
];

const REVISIONS: &[Described] = &[
    ("Table", String, "Table of the event"),
    ("EventId", String, "Identity of the event"),
    (
        "TimeGenerated",
        DateTime,
        "Time of the event in this revision",
    ),
    ("Content", Dynamic, "The record, or its columns, as JSON"),
    (FINGERPRINT, String, "Fingerprint of the content"),
    (INGEST_ID, Long, "Number of the ingest in `Ingests`"),
    (RECORD, Long, "Number of the record in its file, from 1"),
];

/// Name of the table of label actions, and of the view over it.
pub const LABEL_EVENTS: &str = "LabelEvents";

/// One row for each row of a source that is about a label or about a request for a protected document, also where another source has it.
const LABELS: &[Described] = &[
    (TIME, DateTime, "When it happened, UTC"),
    (
        "Kind",
        String,
        "What happened, before ranks of labels are asked: applied, changed, removed, AttemptFailed, FileOpened, ReadByCopilot, AccessDenied, …",
    ),
    (
        "LabelEventType",
        String,
        "Type of the event where the source says it: LabelUpgraded, LabelDowngraded, LabelRemoved, LabelChangedSameOrder; another one as it is",
    ),
    ("Operation", String, "The action as the source names it"),
    ("UserId", String, "Who did it, as the source spells it"),
    ("UserType", Int, "Kind of user, as in the audit record"),
    ("FileName", String, "Name of the document or mail"),
    ("FilePath", String, "Where it is"),
    ("PreviousFileName", String, "Its name before it was renamed"),
    ("OldLabelId", String, "Label before"),
    ("OldLabelText", String, "Its name, where the source says it"),
    ("NewLabelId", String, "Label after"),
    ("NewLabelText", String, "Its name, where the source says it"),
    ("Justification", String, "Reason that the user gave"),
    ("ActionSource", String, "What set the label"),
    ("Protected", Bool, "Whether the document is encrypted"),
    ("ProtectedBefore", Bool, "Whether it was before"),
    ("Owner", String, "Owner of the protection"),
    ("Application", String, "Application"),
    ("DeviceName", String, "Device"),
    (
        "SiteUrl",
        String,
        "Site of SharePoint or OneDrive in which it lies",
    ),
    (
        "SiteLabelId",
        String,
        "Label of the site, where the source says it",
    ),
    ("IPAddress", String, "Address of the client"),
    ("CountryCode", String, "Country, where Defender XDR says it"),
    ("Workload", String, "Workload"),
    ("RecordType", Int, "Type of the audit record, as a number"),
    (
        "SourceTable",
        String,
        "Table whose shape the source has: audit records count as UnifiedAuditLog",
    ),
    ("EventId", String, "Id of the event"),
    ("Key", String, "What is equal for one event in all sources"),
    (
        "Rank",
        String,
        "Which of the rows of one event counts: the least",
    ),
    (INGEST_ID, Long, "Number of the ingest in `Ingests`"),
    (RECORD, Long, "Number of the record in its file, from 1"),
];

/// Name of the table of alerts that hunts have raised.
pub const ALERTS: &str = "Alerts";
/// Name of the table of the incidents made of them.
pub const INCIDENTS: &str = "Incidents";

/// Columns of `SecurityAlert`, all that Sentinel writes and in its order.
const ALERT: &str = "TenantId TimeGenerated:datetime DisplayName AlertName AlertSeverity Description ProviderName VendorName VendorOriginalId \
SystemAlertId ResourceId SourceComputerId AlertType ConfidenceLevel ConfidenceScore:real IsIncident:bool StartTime:datetime EndTime:datetime \
ProcessingEndTime:datetime RemediationSteps ExtendedProperties Entities SourceSystem WorkspaceSubscriptionId WorkspaceResourceGroup \
ExtendedLinks ProductName ProductComponentName AlertLink Status CompromisedEntity Tactics Techniques SubTechniques Type";

/// What an alert has beside.
const BESIDE_ALERT: &[Described] = &[
    ("RuleId", String, "Id of the rule that raised it"),
    ("StoredAt", DateTime, "When it was stored"),
    (STORE_ID, Long, "Number of the run that stored it, from 1"),
    (ROW, Long, "Its number in that run, from 1"),
];

/// Columns of `SecurityIncident`, the same way.
const INCIDENT: &str = "TenantId TimeGenerated:datetime IncidentName Title Description Severity Status Classification ClassificationComment \
ClassificationReason Owner:dynamic ProviderName ProviderIncidentId FirstActivityTime:datetime LastActivityTime:datetime \
FirstModifiedTime:datetime LastModifiedTime:datetime CreatedTime:datetime ClosedTime:datetime IncidentNumber:int \
RelatedAnalyticRuleIds:dynamic AlertIds:dynamic BookmarkIds:dynamic Comments:dynamic Tasks:dynamic Labels:dynamic IncidentUrl \
AdditionalData:dynamic ModifiedBy SourceSystem Type";

/// What an incident has beside.
const BESIDE_INCIDENT: &[Described] = &[
    (
        "Content",
        String,
        "SHA-256 of what it says but for its number: an incident that changes gets a further row",
    ),
    ("StoredAt", DateTime, "When it was stored"),
    (STORE_ID, Long, "Number of the run that stored it, from 1"),
    (ROW, Long, "Its number in that run, from 1"),
];

/// The stored rows of `LabelEvents`.
pub(super) fn label_events() -> Table {
    let mut table = made(
        LABEL_EVENTS,
        "Label actions and requests for protected documents, derived from the other tables",
        LABELS,
    );
    table.by_day = true;
    table.derived = true;
    table
}

/// The ledger and the side tables.
pub(super) fn tables() -> Vec<Table> {
    vec![
        made(
            "Ingests",
            "The ledger: every file that was read, with its hash and what became of its records",
            INGESTS,
        ),
        made(
            "Quarantine",
            "Records that could not be converted, with file, place, reason and their bytes",
            QUARANTINE,
        ),
        made(
            "Revisions",
            "Repeats of an event whose content differs from the one that is kept in the table",
            REVISIONS,
        ),
        concluded(
            ALERTS,
            "Alerts that hunts have raised and stored, each once, as `SecurityAlert` has them",
            (ALERT, BESIDE_ALERT),
            Some("SystemAlertId"),
        ),
        concluded(
            INCIDENTS,
            "Incidents of stored alerts as `SecurityIncident` has them, a row for each state that was stored",
            (INCIDENT, BESIDE_INCIDENT),
            None,
        ),
    ]
}

/// A table of what hunts concluded.
fn concluded(
    name: &'static str,
    doc: &'static str,
    (said, beside): (&'static str, &[Described]),
    identity: Option<&'static str>,
) -> Table {
    let beside = beside
        .iter()
        .map(|(name, kusto, doc)| column(name, *kusto, Origin::Lineage, doc));
    let columns = listed(said, Origin::Derived).chain(beside).collect();
    let mut table = index(name, doc, identity, None, columns, false);
    table.concluded = true;
    table
}

fn made(name: &'static str, doc: &'static str, described: &[Described]) -> Table {
    let columns = described
        .iter()
        .map(|(name, kusto, doc)| column(name, *kusto, Origin::Lineage, doc))
        .collect();
    index(name, doc, None, None, columns, false)
}
