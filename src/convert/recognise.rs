//! What an input is, told before its records are read.

use std::sync::Arc;

use super::blocks::Pieces;
use super::summary::order_name;
use crate::archive::ledger::{Entry, Ledger, Status};
use crate::fault::{Error, Result};
use crate::ingest::block::{self, Blocks, Pool};
use crate::ingest::format::{self, Detected, Format, Hints};
use crate::ingest::input::{Input, Local};
use crate::ingest::member::{self, Holder, Members};
use crate::ingest::stream::{self, Packing, Stream};
use crate::ingest::time::{Evidence, TakenFrom};
use crate::ingest::workbook::{self, Marks};
use crate::ingest::zip;
use crate::progress::{Progress, Silent};
use crate::text::count;

/// What a file was found to be before its records are read.
pub(super) struct Recognised {
    pub blocks: Blocks<Stream>,
    pub packing: Packing,
    /// How it is packed, for the ledger.
    pub packed: &'static str,
    pub encoding: &'static str,
    /// Nothing where the file holds no records that can be read.
    pub format: Option<Arc<Format>>,
    /// What is known of a sheet while it is read.
    pub marks: Option<Arc<Marks>>,
    pub status: Status,
    pub note: String,
}

/// What a file would be taken for.
#[derive(Debug, Default)]
pub struct Planned {
    /// The file.
    pub file: String,
    /// The ingest in which it was read already.
    pub known: Option<i64>,
    /// What its records are, and why.
    pub kind: String,
    /// Container, packing and encoding.
    pub container: String,
    /// How dates without a fixed form are read.
    pub dates: String,
    /// Whether it can be read.
    pub status: Status,
    /// Why not, and warnings.
    pub note: String,
    /// Whether it has the column of the time that the user named.
    pub timed: bool,
}

/// Said of what coldtrail wrote itself.
const RESULT: &str = "passed over: it is a result of coldtrail, not an export";

/// How an input is packed; nothing of a file in object storage that holds findings or a report of coldtrail, which may be a workbook. Those on a
/// disk were passed over when they were found; these nobody has looked into before.
fn packing_of(input: &Input, packing: Packing) -> Result<Option<Packing>> {
    let is_result = match input {
        Input::Stored(_) => input.local()?.is_some_and(|local| local.is_result()),
        _ => false,
    };
    Ok((!is_result).then_some(packing))
}

/// Opens an input and tells what it is.
pub(super) fn recognise(
    input: &Input,
    hints: &Hints,
    progress: Arc<dyn Progress>,
    pool: &Arc<Pool>,
) -> Result<Recognised> {
    let mut stream = stream::open(input, progress)?;
    let (packed, encoding) = (stream.packed, stream.encoding);
    let export = packing_of(input, stream.packing)?;
    let packing = export.unwrap_or(Packing::None);
    let said = std::mem::take(&mut stream.note);
    let marks = stream.marks.take();
    let offset = stream.offset;
    let mut blocks = Blocks::new(stream, offset, Arc::clone(pool));
    let mut detected = match export {
        None => Detected::Empty(RESULT),
        Some(Packing::Foreign(what)) => Detected::Unknown(what.into()),
        Some(_) => format::detect(blocks.head(), hints),
    };
    if let Detected::Known(format) = &mut detected {
        format::by_name(format, &input.name());
    }
    let detected = match (&detected, blocks.failure.take()) {
        // Not even its beginning could be read.
        (Detected::Empty(_), Some(failure)) => Detected::Unknown(failure.to_string()),
        (_, failure) => {
            blocks.failure = failure;
            detected
        }
    };
    let (format, status, mut note) = match detected {
        Detected::Known(mut format) => match settle_order(input, &mut format) {
            Ok(()) => {
                let note = if format.kind_name() == format::OTHER {
                    format!("{}: kept in {}", format.why, format::OTHER)
                } else if format::has_time(&format) {
                    String::new()
                } else {
                    "no column with the time of the event: times are empty".into()
                };
                (Some(Arc::new(*format)), Status::Complete, note)
            }
            Err(why) => (None, Status::Unreadable, why),
        },
        Detected::Empty(why) if input.is_sheet() => {
            let why = why.replacen("the file", "the sheet", 1);
            (None, Status::Complete, why)
        }
        Detected::Empty(why) => (None, Status::Complete, why.to_string()),
        Detected::Unknown(_) if input.is_sheet() && workbook::is_prose(blocks.head()) => {
            let why = "passed over: one column of words, no table";
            (None, Status::Complete, why.into())
        }
        Detected::Unknown(why) => {
            let end = match packing {
                Packing::None => zip::told_by_end(input)?,
                _ => None,
            };
            (None, Status::Unreadable, end.map_or(why, String::from))
        }
    };
    if let Some(format) = &format {
        note = joined(note, format::tie(format).unwrap_or_default());
        // Why a file is taken for what it is may be noted already.
        let refused = format::refused(format, hints).filter(|why| !note.contains(why.as_str()));
        note = joined(note, refused.unwrap_or_default());
        note = joined(note, said);
    }
    Ok(Recognised {
        blocks,
        packing,
        packed,
        encoding,
        format,
        marks,
        status,
        note,
    })
}

/// Tells what an input is, and the members of an archive after it.
pub(super) fn plan(input: &Input, ledger: &Ledger, hints: &Hints, out: &mut Vec<Planned>) {
    let (known, local) = met(input, ledger);
    let mut planned = Planned {
        file: input.name(),
        known,
        ..Planned::default()
    };
    if planned.known.is_some() {
        return out.push(planned);
    }
    if let Input::Pipe(_) = input {
        // What looks at it takes from it, and may wait for ever.
        planned.note = "a pipe is read once: what it holds is told when it is read".into();
        return out.push(planned);
    }
    // What is brought stays until its members are told, too.
    let with = |local: Option<Local>| -> Result<(Option<Local>, Recognised)> {
        Ok((
            local,
            recognise(input, hints, Arc::new(Silent), &Arc::default())?,
        ))
    };
    let (_local, mut found) = match local.and_then(with) {
        Ok(both) => both,
        Err(e) => {
            planned.status = Status::Unreadable;
            planned.note = reason_of(&e);
            return out.push(planned);
        }
    };
    if found.packing.holds_members() {
        planned.container = match found.packing {
            Packing::Tar => format!("{} archive", found.packed),
            _ => "zip archive".into(),
        };
        return match member::members(input, found.packing) {
            Ok(members) => {
                if members.holder == Holder::Workbook {
                    planned.container = members.holder.name().into();
                }
                planned.note = about(&members, 0);
                if members.damage.is_some() {
                    planned.status = Status::Incomplete;
                }
                out.push(planned);
                for member in &members.inputs {
                    plan(member, ledger, hints, out);
                }
            }
            Err(e) => {
                planned.status = Status::Unreadable;
                planned.note = reason_of(&e);
                out.push(planned);
            }
        };
    }
    planned.timed = has_time_column(&mut found, hints);
    if let Some(format) = &found.format {
        planned.kind = format!("{}: {}", format.kind_name(), format.why);
        planned.container = match found.packed {
            "none" => format!("{}, {}", format.container, found.encoding),
            packed => format!("{packed}, {}, {}", format.container, found.encoding),
        };
        planned.dates = order_name(format.order).into();
    }
    planned.status = found.status;
    planned.note = found.note;
    if let Some(format) = &found.format
        && let Some(more) = first_rows(&mut found.blocks, format)
    {
        planned.note = joined(planned.note, more);
    }
    if let Some(failure) = found.blocks.failure {
        planned.status = Status::Incomplete;
        planned.note = failure.to_string();
    }
    out.push(planned);
}

/// Whether a file has the column that the user named as the time. One that is refused counts where it may have it: what is asked for may be the
/// order of that column's dates, or their zone.
fn has_time_column(found: &mut Recognised, hints: &Hints) -> bool {
    match (&found.format, hints.time_column.as_deref()) {
        (Some(format), _) => format.time_column.is_some(),
        (None, Some(column)) => {
            found.status == Status::Unreadable && format::mentions(found.blocks.head(), column)
        }
        (None, None) => false,
    }
}

/// Two notes as one.
pub(super) fn joined(note: String, more: String) -> String {
    match (note.is_empty(), more.is_empty()) {
        (true, _) => more,
        (_, true) => note,
        _ => format!("{note}; {more}"),
    }
}

/// Passes over what stands before the first record.
pub(super) fn to_records(blocks: &mut Blocks<Stream>, format: &Format) {
    match format.container {
        format::Container::Csv { body, .. } => blocks.skip(body),
        format::Container::JsonEnvelope { key, once, body } => {
            blocks.skip(body);
            blocks.within(key, once);
        }
        _ => {}
    }
}

/// What the first rows of a file become, where they are not all events of the table that it was taken for, with a time: they are converted as an
/// ingest would.
fn first_rows(blocks: &mut Blocks<Stream>, format: &Arc<Format>) -> Option<String> {
    let own = match &format.kind {
        format::Kind::Cells { table, .. } | format::Kind::Objects { table } => table.name,
        format::Kind::AuditCell { .. }
        | format::Kind::AuditFlat { .. }
        | format::Kind::Audit
        | format::Kind::AuditWrapped => "UnifiedAuditLog",
        // Each of their records says its table.
        _ => "",
    };
    to_records(blocks, format);
    let pieces = Pieces::of(
        block::convert,
        format,
        &blocks.next_block(&format.container)?,
    );
    // Of one record it goes without saying that it is one.
    let so_many = |n: usize, what: String| match (pieces.records, n) {
        (1, 1) => what,
        _ => format!("{} {what}", count(n as u64)),
    };
    let mut told: Vec<String> = Vec::new();
    if pieces.tables.iter().any(|piece| piece.table.name != own) {
        let tables = pieces.tables.iter();
        told.extend(tables.map(|p| so_many(p.records.len(), format!("of {}", p.table.name))));
    }
    let times = pieces.tables.iter().flat_map(|piece| &piece.times);
    let untimed = times.filter(|time| time.is_none()).count();
    if untimed > 0 {
        told.push(so_many(untimed, "without a time".into()));
    }
    if let Some(first) = pieces.rejects.first() {
        let what = format!("to quarantine ({})", first.reason);
        told.push(so_many(pieces.rejects.len(), what));
    }
    let mut notes = Vec::new();
    if !told.is_empty() {
        let told = told.join(", ");
        notes.push(match pieces.records {
            1 => format!("its first record: {told}"),
            records => format!("of its first {} records {told}", count(records)),
        });
    }
    let mut taken = TakenFrom::default();
    for piece in &pieces.tables {
        taken.add(&piece.taken);
    }
    notes.extend(taken.notes());
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// What is to be said of the members of an archive, of which so many were not read whole.
pub(super) fn about(members: &Members, broken: usize) -> String {
    let mut notes = Vec::new();
    if members.passed_over > 0 {
        notes.push(format!("passed over: {}", members.passed_over));
    }
    if members.hidden > 0 {
        notes.push(format!("hidden sheets among them: {}", members.hidden));
    }
    if !members.watchlists.is_empty() {
        let names = members.watchlists.join(", ");
        notes.push(format!(
            "watchlists are taken from folders only, unpack {names}"
        ));
    }
    if members.renamed > 0 {
        notes.push(format!(
            "members whose name another one has: {}, told apart by a number such as ` (2)`",
            members.renamed
        ));
    }
    if broken > 0 {
        notes.push(format!("not read whole: {broken}"));
    }
    if members.stray > 0 {
        notes.push(format!(
            "bytes that belong to none of them: {}",
            members.stray
        ));
    }
    notes.extend(members.damage.clone());
    notes.join("; ")
}

/// The ingest in which an input was read whole; else the file that is read for it, where it is one.
fn met(input: &Input, ledger: &Ledger) -> (Option<i64>, Result<Option<Local>>) {
    if let Some(entry) = version(input, ledger).filter(|e| e.status == Status::Complete) {
        return (Some(entry.id), Ok(None));
    }
    match input.local() {
        Ok(local) => (known(input, ledger), Ok(local)),
        Err(e) => (None, Err(e)),
    }
}

/// The ingest in which exactly this content was read whole.
fn known(input: &Input, ledger: &Ledger) -> Option<i64> {
    ledger.ingest_of(&hash(input, ledger)?)
}

/// The entry of a file in object storage that has not changed since, where its content was read.
pub(super) fn version<'l>(input: &Input, ledger: &'l Ledger) -> Option<&'l Entry> {
    let Input::Stored(stored) = input else {
        return None;
    };
    let last = ledger.entry_of_path(&stored.key()?)?;
    (last.bytes == stored.size() && !last.sha256.is_empty()).then_some(last)
}

/// The hash of an input's content, where the ledger may know it.
pub(super) fn hash(input: &Input, ledger: &Ledger) -> Option<String> {
    let size = input.size()?;
    // What is neither file nor member may have no end.
    let ends = match input {
        Input::File(path) => path.is_file(),
        other => !other.is_pipe(),
    };
    if !ends || !ledger.has_size(size) {
        return None;
    }
    // What cannot be read is said when it is opened.
    stream::sha256(input).ok()
}

/// Why an input cannot be read; its name is said beside it.
pub(super) fn reason_of(error: &Error) -> String {
    match error {
        Error::Unusable { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// Reads a file for its dates alone, when its beginning does not tell day from month.
fn settle_order(input: &Input, format: &mut Format) -> Result<(), String> {
    if !format.order_open {
        return Ok(());
    }
    // The audit record has its own, unambiguous time.
    if matches!(format.kind, format::Kind::AuditCell { .. }) {
        return Ok(());
    }
    const ASK: &str = "dates such as 3/4/2026 throughout: day or month first? Say --date-order mdy or --date-order dmy";
    if input.is_pipe() {
        return Err(ASK.into());
    }
    let stream = stream::open(input, Arc::new(Silent)).map_err(|e| e.to_string())?;
    let mut blocks = Blocks::new(stream, 0, Arc::default());
    blocks.head();
    to_records(&mut blocks, format);
    while let Some(block) = blocks.next_block(&format.container) {
        if let Evidence::Decided(order) =
            format::order_evidence(format, &block.bytes, block.records.as_deref())
        {
            format.order = Some(order);
            return Ok(());
        }
    }
    Err(ASK.into())
}
