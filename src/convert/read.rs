//! The thread that reads inputs and cuts them into blocks.

use std::sync::{Arc, mpsc};

use super::caught::caught;
use super::message::{Event, Finish, Message, Place};
use super::permits::Permits;
use super::recognise::{
    Recognised, about, hash, joined, reason_of, recognise, to_records, version,
};
use super::summary::{Choice, ReadBefore};
use crate::archive::ledger::{self, Entry, Ledger, Status};
use crate::fault::{Error, Result};
use crate::ingest::block::{Block, Pool};
use crate::ingest::format::Hints;
use crate::ingest::input::Input;
use crate::ingest::member::{self, Holder};
use crate::ingest::packing;
use crate::ingest::stream;
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
        self.progress.step("storing what was read");
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

    /// The same of a file in object storage, by its address and tag: it is not brought.
    fn known_unseen(&self, input: &Input) -> Option<&Entry> {
        if self.choice == Choice::Again {
            return None;
        }
        version(input, &self.ledger).filter(|entry| self.is_settled(entry))
    }

    /// Passes over a file that was read before.
    fn pass(&self, order: &mut u64, input: &Input, entry: &Entry) -> Read {
        if matches!(input, Input::File(_) | Input::Stored(_)) {
            self.progress.read_bytes(input.size().unwrap_or(0));
        }
        let whole = entry.status == Status::Complete;
        let known = Box::new(ReadBefore {
            members: self.ledger.members_of(entry),
            ..ReadBefore::of(input.name(), entry)
        });
        match self.tell(order, Message::Known(known)) {
            false => Read::Unheard,
            true if whole => Read::Whole,
            true => Read::Partly,
        }
    }

    /// Members count as their archive, which is read at the end.
    fn progress_of(&self, input: &Input) -> Arc<dyn Progress> {
        match input {
            Input::Member(_) => Arc::new(Silent),
            _ => Arc::clone(&self.progress),
        }
    }

    fn read(&self, input: &Input, order: &mut u64) -> Result<Read> {
        let name = input.name();
        self.progress.input(&name);
        let place = Place::of(input);
        if let Some(entry) = self.known_unseen(input) {
            return Ok(self.pass(order, input, entry));
        }
        // One that is brought stays until all of it is read, its members too.
        let local = input.local();
        if local.is_ok()
            && let Some(entry) = self.known(input, &place)
        {
            return Ok(self.pass(order, input, entry));
        }
        if !place.key.is_empty() && !self.tell(order, Message::Place(name.clone(), place)) {
            return Ok(Read::Unheard);
        }
        let _local = match local {
            Ok(local) => local,
            Err(e) => return Ok(self.cannot_read(order, name, &e)),
        };
        let found = match recognise(input, &self.hints, self.progress_of(input), &self.pool) {
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
