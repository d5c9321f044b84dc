//! The thread that reads inputs, tells what they are and cuts them into blocks.

use std::sync::{Arc, mpsc};

use super::caught::caught;
use super::message::{Event, Finish, Message, Place};
use super::permits::Permits;
use super::pieces::Pieces;
use super::{Choice, Planned, ReadBefore};
use crate::archive::ledger::{self, Entry, Ledger, Status};
use crate::error::{Error, Result};
use crate::ingest::block::{self, Block, Blocks, Pool};
use crate::ingest::detect::{self, Detected, Format, Hints};
use crate::ingest::input::Input;
use crate::ingest::member::{self, Holder, Members};
use crate::ingest::packing;
use crate::ingest::stream::{self, Packing, Stream};
use crate::ingest::time::{Evidence, TakenFrom};
use crate::ingest::workbook::{self, Marks};
use crate::ingest::zip;
use crate::progress::{Progress, Silent};
use crate::text::count;

/// What a block takes at least, whatever is in it: a table's builders have room for a thousand rows.
const BLOCK_MIN: usize = 512 << 10;

/// What a block takes while it is in flight: a buffer is as large as what was read ahead, also for a file of one record.
fn weight(block: &Block) -> usize {
    block.bytes.capacity().max(BLOCK_MIN)
}

/// Tells the merging thread that the reading thread is gone, should it panic.
struct Alarm(mpsc::Sender<Event>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.send(Event::Lost);
        }
    }
}

pub(super) struct Reader {
    pub(super) inputs: Vec<Input>,
    pub(super) hints: Hints,
    pub(super) choice: Choice,
    pub(super) ledger: Arc<Ledger>,
    pub(super) permits: Arc<Permits>,
    pub(super) pool: Arc<Pool>,
    pub(super) send: mpsc::Sender<Event>,
    pub(super) progress: Arc<dyn Progress>,
}

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

/// Opens an input and tells what it is.
pub(super) fn recognise(
    input: &Input,
    hints: &Hints,
    progress: Arc<dyn Progress>,
    pool: &Arc<Pool>,
) -> Result<Recognised> {
    let mut stream = stream::open(input, progress)?;
    let (packing, packed, encoding) = (stream.packing, stream.packed, stream.encoding);
    let said = std::mem::take(&mut stream.note);
    let marks = stream.marks.take();
    let offset = stream.offset;
    let mut blocks = Blocks::new(stream, offset, Arc::clone(pool));
    let mut detected = match packing {
        Packing::Foreign(what) => Detected::Unknown(what.into()),
        _ => detect::detect(blocks.head(), hints),
    };
    if let Detected::Known(format) = &mut detected {
        detect::by_name(format, &input.name());
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
                let note = if format.kind_name() == detect::OTHER {
                    format!("{}: kept in {}", format.why, detect::OTHER)
                } else if detect::has_time(&format) {
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
        note = joined(note, detect::tie(format).unwrap_or_default());
        // Why a file is taken for what it is may be noted already.
        let refused = detect::refused(format, hints).filter(|why| !note.contains(why.as_str()));
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
    let mut planned = Planned {
        file: input.name(),
        known: known(input, ledger),
        kind: String::new(),
        container: String::new(),
        dates: String::new(),
        status: Status::Complete,
        note: String::new(),
        timed: false,
    };
    if planned.known.is_some() {
        return out.push(planned);
    }
    if let Input::Pipe(_) = input {
        // What looks at it takes from it, and may wait for ever.
        planned.note = "a pipe is read once: what it holds is told when it is read".into();
        return out.push(planned);
    }
    let mut found = match recognise(input, hints, Arc::new(Silent), &Arc::default()) {
        Ok(found) => found,
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
        planned.dates = super::order_name(format.order).into();
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
            found.status == Status::Unreadable && detect::mentions(found.blocks.head(), column)
        }
        (None, None) => false,
    }
}

/// Two notes as one.
fn joined(note: String, more: String) -> String {
    match (note.is_empty(), more.is_empty()) {
        (true, _) => more,
        (_, true) => note,
        _ => format!("{note}; {more}"),
    }
}

/// Passes over what stands before the first record.
fn to_records(blocks: &mut Blocks<Stream>, format: &Format) {
    match format.container {
        detect::Container::Csv { body, .. } => blocks.skip(body),
        detect::Container::JsonEnvelope { key, once, body } => {
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
        detect::Kind::Cells { table, .. } | detect::Kind::Objects { table } => table.name,
        detect::Kind::AuditCell { .. }
        | detect::Kind::AuditFlat { .. }
        | detect::Kind::Audit
        | detect::Kind::AuditWrapped => "UnifiedAuditLog",
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
fn about(members: &Members, broken: usize) -> String {
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

/// The ingest in which exactly this content was read whole.
fn known(input: &Input, ledger: &Ledger) -> Option<i64> {
    ledger.ingest_of(&hash(input, ledger)?)
}

/// The hash of an input's content, where the ledger may know it.
fn hash(input: &Input, ledger: &Ledger) -> Option<String> {
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
fn reason_of(error: &Error) -> String {
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
    if matches!(format.kind, detect::Kind::AuditCell { .. }) {
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
            detect::order_evidence(format, &block.bytes, block.records.as_deref())
        {
            format.order = Some(order);
            return Ok(());
        }
    }
    Err(ASK.into())
}

/// Whether the next input is worth reading.
enum Read {
    /// All of it was read and understood.
    Whole,
    /// It failed, or part of it did.
    Partly,
    /// Nobody listens any more.
    Unheard,
}

impl Reader {
    /// Reads all inputs; ends early when nobody listens any more.
    pub(super) fn run(self) {
        let _alarm = Alarm(self.send.clone());
        let mut order = 0;
        for input in &self.inputs {
            let read = caught(|| self.read(input, &mut order));
            match read.unwrap_or_else(|fault| Ok(self.panicked(input, &fault, &mut order))) {
                Ok(Read::Whole | Read::Partly) => {}
                Ok(Read::Unheard) => return,
                Err(e) => {
                    let _ = self.send.send(Event::InOrder(order, Message::Failed(e)));
                    return;
                }
            }
        }
        let _ = self.send.send(Event::InOrder(order, Message::Done));
    }

    /// Enters an input that could not be read by a fault of coldtrail.
    fn panicked(&self, input: &Input, fault: &str, order: &mut u64) -> Read {
        let digest = stream::sha256(input).map(|hash| (input.size().unwrap_or(0), hash));
        let finish = Box::new(Finish {
            digest,
            failure: None,
            status: Status::Incomplete,
            note: format!("reading failed: {fault}"),
        });
        let input = input.name();
        match self.tell(order, Message::Panicked { input, finish }) {
            true => Read::Partly,
            false => Read::Unheard,
        }
    }

    fn tell(&self, order: &mut u64, message: Message) -> bool {
        let sent = self.send.send(Event::InOrder(*order, message)).is_ok();
        *order += 1;
        sent
    }

    /// The entry of the ingest in which this input was read, where reading it again could give no more than that did.
    fn known(&self, input: &Input, place: &Place) -> Option<&Entry> {
        if self.choice == Choice::Again {
            return None;
        }
        let unchanged = || {
            let Place {
                key,
                bytes,
                modified,
            } = place;
            let id = self.ledger.ingest_since(key, *bytes, *modified)?;
            self.ledger.entry(id).filter(|e| self.is_settled(e))
        };
        if self.choice == Choice::SinceLast
            && let Some(entry) = unchanged()
        {
            return Some(entry);
        }
        match hash(input, &self.ledger) {
            Some(hash) => match self.ledger.ingest_of(&hash) {
                Some(id) => self.ledger.entry(id),
                None => self
                    .ledger
                    .unfinished_of(&hash)
                    .filter(|e| self.is_settled(e)),
            },
            None => self.fails_again(input, place),
        }
    }

    /// Whether what was read of a file is all that this version can read with what the user says now.
    fn is_settled(&self, entry: &Entry) -> bool {
        let hints = &self.hints;
        let told = hints.order.is_some()
            || hints.zone.is_some()
            || hints.rows.is_some()
            || hints.time_column.is_some();
        match entry.status {
            Status::Complete => true,
            _ if entry.version != ledger::VERSION => false,
            // The order of dates, a zone or a table may be what was missing.
            Status::Unreadable => !told,
            // So it may be for a member, which may be known from elsewhere.
            Status::Incomplete => !told || !packing::held_members(&entry.compression),
        }
    }

    /// The last entry of a file that broke off and could not be hashed, where it cannot be hashed now for the same reason.
    fn fails_again(&self, input: &Input, place: &Place) -> Option<&Entry> {
        let last = self.ledger.entry_of_path(&place.key)?;
        let broke_off = last.sha256.is_empty() && last.records > 0;
        if !broke_off || !self.is_settled(last) || !matches!(input, Input::File(p) if p.is_file()) {
            return None;
        }
        let why = reason_of(&stream::sha256(input).err()?);
        last.note.contains(&why).then_some(last)
    }

    fn read(&self, input: &Input, order: &mut u64) -> Result<Read> {
        let name = input.name();
        self.progress.input(&name);
        let place = Place::of(input);
        if let Some(entry) = self.known(input, &place) {
            if matches!(input, Input::File(_)) {
                self.progress.read_bytes(input.size().unwrap_or(0));
            }
            let whole = entry.status == Status::Complete;
            let known = Box::new(ReadBefore::of(name, entry));
            return Ok(match self.tell(order, Message::Known(known)) {
                false => Read::Unheard,
                true if whole => Read::Whole,
                true => Read::Partly,
            });
        }
        if !place.key.is_empty() && !self.tell(order, Message::Place(name.clone(), place)) {
            return Ok(Read::Unheard);
        }
        // Members count as their archive, which is read at the end.
        let progress: Arc<dyn Progress> = match input {
            Input::Member(_) => Arc::new(Silent),
            _ => Arc::clone(&self.progress),
        };
        let found = match recognise(input, &self.hints, progress, &self.pool) {
            Ok(found) => found,
            Err(e) => return Ok(self.cannot_read(order, name, &e)),
        };
        if found.packing.holds_members() {
            return self.archive(input, name, found, order);
        }
        let Recognised {
            mut blocks,
            packed,
            encoding,
            format,
            marks,
            status,
            mut note,
            ..
        } = found;
        let begin = Message::Begin {
            input: name,
            format: format.clone(),
            packing: (packed, encoding),
            marks: marks.clone(),
        };
        if !self.tell(order, begin) {
            return Ok(Read::Unheard);
        }
        if let Some(format) = &format {
            to_records(&mut blocks, format);
            while let Some(block) = blocks.next_block(&format.container) {
                let permit = self.permits.take(weight(&block));
                let event = Event::Convert(*order, Arc::clone(format), Box::new(block), permit);
                *order += 1;
                if self.send.send(event).is_err() {
                    return Ok(Read::Unheard);
                }
            }
        }
        note = joined(note, marks.map_or(String::new(), |marks| marks.note()));
        let failure = blocks.failure.take();
        let whole = failure.is_none() && status == Status::Complete;
        let finish = Finish {
            // After a clean end the hash is of exactly what was read, also where the file has grown since.
            digest: blocks
                .into_reader()
                .digest(format.is_none() || failure.is_some()),
            failure,
            status,
            note,
        };
        Ok(match self.tell(order, Message::Finish(Box::new(finish))) {
            false => Read::Unheard,
            true if whole => Read::Whole,
            true => Read::Partly,
        })
    }

    /// Reads the members of an archive, then enters the archive itself.
    fn archive(
        &self,
        input: &Input,
        name: String,
        mut found: Recognised,
        order: &mut u64,
    ) -> Result<Read> {
        let members = match member::members(input, found.packing) {
            Ok(members) => members,
            Err(e) => {
                let why = reason_of(&e);
                return Ok(self.enter(order, name, found, Status::Unreadable, why));
            }
        };
        let mut broken = 0;
        for member in &members.inputs {
            match self.read(member, order)? {
                Read::Whole => {}
                Read::Partly => broken += 1,
                Read::Unheard => return Ok(Read::Unheard),
            }
        }
        let holder = members.holder;
        if holder == Holder::Workbook {
            found.packed = packing::WORKBOOK;
        }
        let count = members.inputs.len();
        let mut note = format!("{}, {}: {count}", holder.name(), holder.parts());
        let more = about(&members, broken);
        if !more.is_empty() {
            note.push_str(&format!("; {more}"));
        }
        let status = if broken == 0 && members.damage.is_none() {
            Status::Complete
        } else {
            Status::Incomplete
        };
        Ok(self.enter(order, name, found, status, note))
    }

    /// Enters a file that has no records of its own, with its hash.
    fn enter(
        &self,
        order: &mut u64,
        input: String,
        found: Recognised,
        status: Status,
        note: String,
    ) -> Read {
        let begin = Message::Begin {
            input,
            format: None,
            packing: (found.packed, ""),
            marks: None,
        };
        let finish = Finish {
            digest: found.blocks.into_reader().digest(true),
            failure: None,
            status,
            note,
        };
        match self.tell(order, begin) && self.tell(order, Message::Finish(Box::new(finish))) {
            false => Read::Unheard,
            true if status == Status::Complete => Read::Whole,
            true => Read::Partly,
        }
    }

    /// Enters a file that could not be opened or read at all.
    fn cannot_read(&self, order: &mut u64, name: String, why: &Error) -> Read {
        let begin = Message::Begin {
            input: name,
            format: None,
            packing: ("", ""),
            marks: None,
        };
        let finish = Finish {
            digest: Ok((0, String::new())),
            failure: None,
            status: Status::Unreadable,
            note: reason_of(why),
        };
        match self.tell(order, begin) && self.tell(order, Message::Finish(Box::new(finish))) {
            true => Read::Partly,
            false => Read::Unheard,
        }
    }
}
