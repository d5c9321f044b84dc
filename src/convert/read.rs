//! The thread that reads inputs, tells what they are and cuts them into blocks.

use std::sync::{Arc, mpsc};

use super::caught::caught;
use super::message::{Event, Finish, Message, Place};
use super::permits::Permits;
use super::{Choice, Planned, ReadBefore};
use crate::archive::ledger::{self, Entry, Ledger, Status};
use crate::error::{Error, Result};
use crate::ingest::block::{Block, Blocks, Pool};
use crate::ingest::detect::{self, Detected, Format, Hints};
use crate::ingest::input::Input;
use crate::ingest::stream::{self, Packing, Stream};
use crate::ingest::time::Evidence;
use crate::ingest::zip;
use crate::progress::{Progress, Silent};

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
    pub encoding: &'static str,
    /// Nothing where the file holds no records that can be read.
    pub format: Option<Arc<Format>>,
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
    let stream = stream::open(input, progress)?;
    let (packing, encoding) = (stream.packing, stream.encoding);
    let encoding_note = stream.encoding_note;
    let offset = stream.offset;
    let mut blocks = Blocks::new(stream, offset, Arc::clone(pool));
    let detected = detect::detect(blocks.head(), hints);
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
        Detected::Empty(why) => (None, Status::Complete, why.to_string()),
        Detected::Unknown(why) => (None, Status::Unreadable, why),
    };
    if !encoding_note.is_empty() && format.is_some() {
        note = match note.as_str() {
            "" => encoding_note.into(),
            note => format!("{note}; {encoding_note}"),
        };
    }
    Ok(Recognised {
        blocks,
        packing,
        encoding,
        format,
        status,
        note,
    })
}

/// Tells what an input is, and the members of a zip archive after it.
pub(super) fn plan(input: &Input, ledger: &Ledger, hints: &Hints, out: &mut Vec<Planned>) {
    let mut planned = Planned {
        file: input.name(),
        known: known(input, ledger),
        kind: String::new(),
        container: String::new(),
        dates: String::new(),
        status: Status::Complete,
        note: String::new(),
    };
    if planned.known.is_some() {
        return out.push(planned);
    }
    if let Input::Pipe(_) = input {
        // What looks at it takes from it, and may wait for ever.
        planned.note = "a pipe is read once: what it holds is told when it is read".into();
        return out.push(planned);
    }
    let found = match recognise(input, hints, Arc::new(Silent), &Arc::default()) {
        Ok(found) => found,
        Err(e) => {
            planned.status = Status::Unreadable;
            planned.note = reason_of(&e);
            return out.push(planned);
        }
    };
    if found.packing == Packing::Zip {
        planned.container = "zip archive".into();
        return match zip::members(input) {
            Ok(members) => {
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
    if let Some(format) = &found.format {
        planned.kind = format!("{}: {}", format.kind_name(), format.why);
        planned.container = match found.packing {
            Packing::None => format!("{}, {}", format.container, found.encoding),
            packing => format!(
                "{}, {}, {}",
                packing.name(),
                format.container,
                found.encoding
            ),
        };
        planned.dates = super::order_name(format.order).into();
    }
    planned.status = found.status;
    planned.note = found.note;
    if let Some(failure) = found.blocks.failure {
        planned.status = Status::Incomplete;
        planned.note = failure.to_string();
    }
    out.push(planned);
}

/// What is to be said of the members of a zip archive, of which so many were not read whole.
fn about(members: &zip::Members, broken: usize) -> String {
    let mut notes = Vec::new();
    if members.passed_over > 0 {
        notes.push(format!("passed over: {}", members.passed_over));
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
    if let detect::Container::Csv { body, .. } = format.container {
        blocks.skip(body);
    }
    while let Some(block) = blocks.next_block(&format.container) {
        if let Evidence::Decided(order) = detect::order_evidence(format, &block.bytes) {
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
        let told = hints.order.is_some() || hints.zone.is_some() || hints.rows.is_some();
        match entry.status {
            Status::Complete => true,
            _ if entry.version != ledger::VERSION => false,
            // The order of dates, a zone or a table may be what was missing.
            Status::Unreadable => !told,
            // So it may be for a member, which may be known from elsewhere.
            Status::Incomplete => !told || entry.compression != "zip",
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
        if found.packing == Packing::Zip {
            return self.archive(input, name, found, order);
        }
        let Recognised {
            mut blocks,
            packing,
            encoding,
            format,
            status,
            note,
        } = found;
        let begin = Message::Begin {
            input: name,
            format: format.clone(),
            packing: (packing.name(), encoding),
        };
        if !self.tell(order, begin) {
            return Ok(Read::Unheard);
        }
        if let Some(format) = &format {
            match format.container {
                detect::Container::Csv { body, .. } => blocks.skip(body),
                detect::Container::JsonEnvelope { key, once, body } => {
                    blocks.skip(body);
                    blocks.within(key, once);
                }
                _ => {}
            }
            while let Some(block) = blocks.next_block(&format.container) {
                let permit = self.permits.take(weight(&block));
                let event = Event::Convert(*order, Arc::clone(format), Box::new(block), permit);
                *order += 1;
                if self.send.send(event).is_err() {
                    return Ok(Read::Unheard);
                }
            }
        }
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

    /// Reads the members of a zip archive, then enters the archive itself.
    fn archive(
        &self,
        input: &Input,
        name: String,
        found: Recognised,
        order: &mut u64,
    ) -> Result<Read> {
        let members = match zip::members(input) {
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
        let mut note = format!("zip archive, members: {}", members.inputs.len());
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
            packing: (found.packing.name(), ""),
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
