//! The thread that puts blocks back into their order and decides what becomes of them, so that the outcome does not depend on timing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, mpsc};

use super::blocks::{Convert, Piece, Pieces};
use super::caught::caught;
use super::message::{Event, Finish, Message, Place};
use super::spoiled::{Failing, Spoiled};
use super::store::Store;
use super::summary::{Choice, Fault, Options, ReadBefore, Summary, order_name};
use super::tally::{Tally, kind_of};
use super::writer::Wrote;
use crate::archive::derived;
use crate::archive::ledger::{self, Entry, Ledger, Status};
use crate::catalog::catalog;
use crate::fault::{Error, Result};
use crate::ingest::answers;
use crate::ingest::block::{Block, Pool, Shift};
use crate::ingest::format::{self, Format};
use crate::ingest::time::{Clocks, TakenFrom};
use crate::ingest::workbook::Marks;
use crate::text::{count, counted};

/// Input after which what was read is committed, at the end of a file.
const COMMIT_BYTES: u64 = 2 << 30;

/// A file that is being merged.
struct Current {
    entry: Entry,
    format: Option<Arc<Format>>,
    /// Where the rows of a sheet are.
    marks: Option<Arc<Marks>>,
    /// Bytes after a quote that was still open at the end of a block.
    carry: Option<Block>,
    /// Blocks on which coldtrail failed.
    failed: u64,
    /// Events without a time.
    untimed: u64,
    /// Local times that a clock skips or repeats.
    clocks: Clocks,
    /// Names under which the times stood, of tables that nobody described.
    taken: TakenFrom,
    /// Values that PowerShell flattened.
    flattened: u64,
    /// Rows of tables that are not known.
    unknown: Tally,
    /// What is to be said of so many records.
    remarks: BTreeMap<&'static str, u64>,
    /// Error answers among its records: how many, and what the first says.
    answers: Option<(u64, String)>,
    /// How far the export's own times are from those of the records.
    shift: Shift,
}

impl Current {
    /// What is to be said of its records.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.failed > 0 {
            notes.push(format!(
                "blocks that could not be converted or stored, by a fault of coldtrail: {}; their records are in quarantine",
                self.failed
            ));
        }
        if self.untimed > 0 {
            let format = self.format.as_ref();
            let asked = format.and_then(|f| f.time_column.as_deref());
            let hint = match asked {
                Some(column) => format!(": `{column}`, which --time-column names, has none there"),
                None if format.is_some_and(|f| f.kind_name() == format::OTHER) => {
                    ": --time-column NAME says which column has it".into()
                }
                None => String::new(),
            };
            let have = match self.untimed {
                1 => "has",
                _ => "have",
            };
            let events = counted(self.untimed, "event");
            notes.push(format!("{events} {have} no time{hint}"));
        }
        notes.extend(self.taken.notes());
        let zone = self.format.as_ref().and_then(|f| f.zone);
        notes.extend(self.clocks.notes(zone));
        for (name, rows, _) in self.unknown.top() {
            let known = match catalog().get(name).or_else(|| catalog().foreign(name)) {
                Some(_) => "stored",
                None => "known",
            };
            notes.push(format!(
                "table `{name}` is not {known}: {} in {}",
                kept(rows, "its"),
                format::OTHER
            ));
        }
        if let Some((rows, tables)) = self.unknown.rest() {
            let are = match tables.as_str() {
                "1" => "table is",
                _ => "tables are",
            };
            notes.push(format!(
                "{tables} more {are} not stored: {} in {}",
                kept(rows, "their"),
                format::OTHER
            ));
        }
        for (what, records) in &self.remarks {
            notes.push(format!("{} {what}", count(*records)));
        }
        match &self.answers {
            Some((1, first)) => notes.push(first.clone()),
            Some((n, first)) => {
                notes.push(format!("{} error answers, the first: {first}", count(*n)));
            }
            None => {}
        }
        if self.flattened > 0 {
            notes.push(format!(
                "PowerShell wrote {} as names of types (System.Object[], @{{…}}): what was in them is lost",
                counted(self.flattened, "nested value")
            ));
        }
        if let Shift::Minutes(minutes) = self.shift
            && minutes != 0
        {
            notes.push(format!(
                "CreationDate is {minutes:+} minutes from CreationTime: the export shows local time; CreationTime, which is UTC, counts"
            ));
        }
        notes
    }
}

/// So many rows of a table, or of several, are kept.
fn kept(rows: u64, whose: &str) -> String {
    match rows {
        1 => format!("1 of {whose} rows is kept"),
        rows => format!("{} of {whose} rows are kept", count(rows)),
    }
}

pub(super) struct Merge<'a> {
    store: Store<'a>,
    pool: Arc<Pool>,
    /// For the jobs that this thread starts.
    send: mpsc::Sender<Event>,
    summary: &'a mut Summary,
    ledger: Arc<Ledger>,
    convert: Convert,
    now: i64,
    choice: Choice,
    fault: Fault,
    /// Where files stand that did not begin yet.
    places: HashMap<String, Place>,
    current: Option<Current>,
    /// Files that were read and not committed yet.
    files: Vec<Entry>,
    uncommitted: u64,
    spoiled: Spoiled<'a>,
    /// Of the summary, what was said when all was committed.
    settled: (Tally, u64),
}

impl<'a> Merge<'a> {
    pub(super) fn new(
        store: Store<'a>,
        pool: Arc<Pool>,
        send: mpsc::Sender<Event>,
        summary: &'a mut Summary,
        ledger: Arc<Ledger>,
        options: &Options,
        failing: &'a Failing,
    ) -> Self {
        Merge {
            settled: (summary.reasons.clone(), summary.untimed),
            convert: store.convert(),
            spoiled: Spoiled::new(failing, options.fault),
            store,
            pool,
            send,
            summary,
            ledger,
            now: options.now,
            choice: options.choice,
            fault: options.fault,
            places: HashMap::new(),
            current: None,
            files: Vec::new(),
            uncommitted: 0,
        }
    }

    /// Stores what was read. Where coldtrail fails on blocks of it, those are returned, and what is not committed is to be read once more.
    pub(super) fn run(&mut self, receive: &mpsc::Receiver<Event>) -> Result<Failing> {
        let mut waiting: BTreeMap<u64, Message> = BTreeMap::new();
        let mut next = 0;
        let mut late: VecDeque<Event> = VecDeque::new();
        loop {
            let event = match late.pop_front() {
                Some(event) => event,
                None => receive.recv().map_err(|_| lost())?,
            };
            match event {
                Event::Lost => return Err(lost()),
                Event::Convert(order, format, block, permit) => {
                    let (send, convert) = (self.send.clone(), self.convert);
                    rayon::spawn(move || {
                        let pieces = Box::new(Pieces::of(convert, &format, &block));
                        let message = Message::Converted {
                            block,
                            pieces,
                            permit,
                        };
                        // Nobody listens any more when the ingest failed elsewhere.
                        let _ = send.send(Event::InOrder(order, message));
                    });
                }
                Event::Written(bytes, wrote) => self.written(bytes, *wrote)?,
                Event::InOrder(order, message) => {
                    waiting.insert(order, message);
                }
            }
            // Rows wait in memory while too much is being written.
            while !self.store.is_full()
                && let Some(message) = waiting.remove(&next)
            {
                next += 1;
                let is_done = matches!(message, Message::Done);
                self.hear(message)?;
                // A strict ingest adds all or nothing.
                let is_much = self.uncommitted >= COMMIT_BYTES && self.fault != Fault::Stop;
                if is_done || is_much {
                    self.commit(receive, &mut late)?;
                }
                if is_done || (is_much && self.spoiled.is_any()) {
                    return Ok(self.spoiled.take());
                }
            }
        }
    }

    /// Ends an ingest that failed: waits for the jobs that still write.
    pub(super) fn abandon(&mut self, receive: &mpsc::Receiver<Event>, error: &Error) {
        while self.store.is_writing() {
            match receive.recv() {
                Ok(Event::Written(bytes, wrote)) => {
                    // One failure was enough to end here.
                    let _ = self.store.written(bytes, *wrote);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // A strict ingest fails before its only commit: nothing that was staged belongs to the archive.
        if matches!(error, Error::Strict { .. }) {
            self.store.discard();
        }
    }

    fn hear(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Done => {}
            Message::Failed(e) => return Err(e),
            Message::Known(known) => self.known(*known)?,
            Message::Place(input, place) => {
                self.places.insert(input, place);
            }
            Message::Begin {
                input,
                format,
                packing,
                marks,
            } => {
                let begun = self.begin(input, format, packing);
                self.current = Some(Current { marks, ..begun });
            }
            Message::Converted {
                block,
                pieces,
                permit,
            } => {
                if let Some(mut file) = self.current.take() {
                    self.block(&mut file, *block, *pieces)?;
                    self.current = Some(file);
                }
                drop(permit);
            }
            Message::Finish(finish) => {
                if let Some(file) = self.current.take() {
                    self.finish(file, *finish)?;
                }
            }
            Message::Panicked { input, finish } => {
                let file = match self.current.take() {
                    Some(file) if file.entry.file == input => file,
                    other => {
                        if let Some(member) = other {
                            let broken = Finish {
                                digest: Ok((0, String::new())),
                                failure: None,
                                status: finish.status,
                                note: finish.note.clone(),
                            };
                            self.finish(member, broken)?;
                        }
                        self.begin(input, None, ("", ""))
                    }
                };
                self.finish(file, *finish)?;
            }
        }
        Ok(())
    }

    fn known(&mut self, known: ReadBefore) -> Result<()> {
        if self.fault == Fault::Stop && known.status != Status::Complete {
            return Err(Error::Strict {
                path: known.file.into(),
                place: String::new(),
                reason: format!("{} (read before, as ingest {})", known.note, known.ingest),
            });
        }
        self.summary.known.push(known);
        Ok(())
    }

    fn begin(
        &mut self,
        input: String,
        format: Option<Arc<Format>>,
        packing: (&'static str, &'static str),
    ) -> Current {
        let place = self.places.remove(&input).unwrap_or_default();
        let mut entry = Entry {
            id: self.store.next_id(),
            batch: self.store.batch(),
            file: input,
            compression: packing.0.into(),
            encoding: packing.1.into(),
            at: self.now,
            path_key: place.key,
            modified: place.modified,
            version: ledger::VERSION.into(),
            ..Entry::default()
        };
        if let Some(format) = &format {
            entry.container = format.container.to_string();
            entry.kind = format!("{}: {}", format.kind_name(), format.why);
            entry.date_order = order_name(format.order).into();
        }
        Current {
            entry,
            format,
            marks: None,
            carry: None,
            failed: 0,
            untimed: 0,
            clocks: Clocks::default(),
            taken: TakenFrom::default(),
            flattened: 0,
            unknown: Tally::default(),
            remarks: BTreeMap::new(),
            answers: None,
            shift: Shift::Unknown,
        }
    }

    fn block(&mut self, file: &mut Current, block: Block, pieces: Pieces) -> Result<()> {
        let (block, pieces) = match (file.carry.take(), &file.format) {
            (Some(mut carried), Some(format)) => {
                // The block was converted on the belief that a record begins where it begins.
                carried.bytes.extend_from_slice(&block.bytes);
                carried.last = block.last;
                let pieces = Pieces::of(self.convert, format, &carried);
                (carried, pieces)
            }
            _ => (block, pieces),
        };
        self.add(file, &block, pieces)?;
        self.pool.give(block.bytes);
        Ok(())
    }

    fn add(&mut self, file: &mut Current, block: &Block, mut pieces: Pieces) -> Result<()> {
        let base = file.entry.records;
        let why = self.spoiled.enter(&file.entry, block.offset);
        if let (Some(why), Some(format)) = (why, &file.format)
            && !pieces.tables.is_empty()
        {
            pieces = Pieces::rejected(format, block, pieces.leftover, why);
        }
        file.failed += u64::from(pieces.failed);
        file.flattened += pieces.flattened;
        for (name, rows) in &pieces.unknown {
            file.unknown.add(name, *rows, String::new);
        }
        for (what, records) in &pieces.remarks {
            *file.remarks.entry(what).or_default() += records;
        }
        file.shift = file.shift.and(pieces.shift);
        if let Some(from) = pieces.leftover {
            file.carry = Some(Block {
                bytes: block.bytes[from..].to_vec(),
                offset: block.offset + from as u64,
                ..Block::default()
            });
        }
        file.entry.records += pieces.records;
        for mut reject in pieces.rejects {
            file.entry.quarantined += 1;
            let record = base + reject.record + 1;
            let offset = block.offset + reject.offset as u64;
            if answers::is_error(&reject.reason) {
                let first = || (0, reject.reason.clone());
                file.answers.get_or_insert_with(first).0 += 1;
            }
            let row = file.marks.as_ref().and_then(|marks| marks.row_at(offset));
            let place = match row {
                Some(row) => format!("row {row}"),
                None => format!("record {record}, byte {offset}"),
            };
            if self.fault == Fault::Stop {
                return Err(Error::Strict {
                    path: file.entry.file.clone().into(),
                    place: format!("{place}: "),
                    reason: reject.reason,
                });
            }
            self.summary.reasons.add(&kind_of(&reject.reason), 1, || {
                format!("{}, {place}", file.entry.file)
            });
            if let Some(row) = row {
                // Nobody sees bytes in a sheet.
                reject
                    .reason
                    .push_str(&format!(" (row {row} of the sheet)"));
            }
            self.store
                .quarantine(&file.entry, record as i64, offset as i64, &reject)?;
        }
        for rows in &pieces.tables {
            self.keep(file, block.offset, base, rows)?;
        }
        self.store.write_full(&self.send);
        Ok(())
    }

    /// Stores rows of a block.
    fn keep(&mut self, file: &mut Current, offset: u64, base: u64, rows: &Piece) -> Result<()> {
        let added = match caught(|| self.store.add(&file.entry, base, rows)) {
            Ok(added) => added?,
            Err(fault) => {
                let why = format!("could not be stored: {fault}");
                return self.spoiled.note(&file.entry, offset, why);
            }
        };
        file.untimed += added.untimed;
        file.clocks.add(rows.clocks);
        file.taken.add(&rows.taken);
        file.entry.duplicates += added.duplicates;
        file.entry.revisions += added.revisions;
        if added.events > 0 {
            derived::note(&mut file.entry, added.table, added.derived);
            let table = added.table.name.to_string();
            *file.entry.tables.entry(table).or_insert(0) += added.events;
        }
        file.entry.times = match (file.entry.times, added.times) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        Ok(())
    }

    fn finish(&mut self, mut file: Current, finish: Finish) -> Result<()> {
        if let (Some(mut carried), Some(format)) = (file.carry.take(), file.format.clone()) {
            carried.last = true;
            let pieces = Pieces::of(self.convert, &format, &carried);
            self.add(&mut file, &carried, pieces)?;
        }
        let mut notes = vec![finish.note];
        let mut status = finish.status;
        if let Some(e) = finish.failure {
            status = Status::Incomplete;
            let note = format!(
                "the file breaks off after {}: {e}",
                counted(file.entry.records, "record")
            );
            notes.insert(0, note);
        }
        if file.answers.is_some() && status == Status::Complete {
            // A page that the service did not give is missing.
            status = Status::Incomplete;
        }
        if file.failed > 0 && status == Status::Complete {
            // The next version may read them.
            status = Status::Incomplete;
        }
        match finish.digest {
            Ok((bytes, sha256)) => (file.entry.bytes, file.entry.sha256) = (bytes, sha256),
            Err(e) => {
                if status == Status::Complete {
                    status = Status::Incomplete;
                }
                notes.push(format!("no hash: {e}"));
            }
        }
        notes.extend(file.notes());
        self.summary.untimed += file.untimed;
        notes.retain(|n| !n.is_empty());
        let mut entry = file.entry;
        entry.status = status;
        entry.note = notes.join("; ");
        if self.fault == Fault::Stop && entry.status != Status::Complete {
            return Err(Error::Strict {
                path: entry.file.into(),
                place: String::new(),
                reason: entry.note,
            });
        }
        let before = self.said_before(&entry);
        if let Some(known) = before.map(|e| ReadBefore::of(entry.file.clone(), e)) {
            self.store.give_back(entry.id);
            return self.known(known);
        }
        self.uncommitted += entry.bytes;
        self.files.push(entry);
        Ok(())
    }

    /// The entry that says of this file what this one would, where nothing of the file is in the archive: the ledger does not grow with
    /// every run that meets it.
    fn said_before(&self, entry: &Entry) -> Option<&Entry> {
        if entry.status == Status::Complete || entry.records > 0 || self.choice == Choice::Again {
            return None;
        }
        let last = match entry.sha256.as_str() {
            "" => self.ledger.entry_of_path(&entry.path_key)?,
            sha256 => self.ledger.unfinished_of(sha256)?,
        };
        let same = last.sha256 == entry.sha256
            && last.version == entry.version
            && last.status == entry.status
            && last.records == 0
            && last.note == entry.note;
        same.then_some(last)
    }

    fn written(&mut self, bytes: u64, wrote: (&'static str, Result<Wrote>)) -> Result<()> {
        let Some(failed) = self.store.written(bytes, wrote)? else {
            return Ok(());
        };
        let open = self.current.iter().map(|file| &file.entry);
        self.spoiled
            .unwritten(failed, self.files.iter().chain(open))
    }

    /// Commits what was read; where coldtrail fails on a block of it, nothing.
    fn commit(
        &mut self,
        receive: &mpsc::Receiver<Event>,
        late: &mut VecDeque<Event>,
    ) -> Result<()> {
        self.store.flush(&self.send)?;
        while self.store.is_writing() {
            let event = receive.recv().map_err(|_| lost())?;
            match event {
                Event::Written(bytes, wrote) => self.written(bytes, *wrote)?,
                Event::Lost => return Err(lost()),
                other => late.push_back(other),
            }
        }
        if self.spoiled.is_any() {
            self.store.discard();
            (self.summary.reasons, self.summary.untimed) = std::mem::take(&mut self.settled);
            return Ok(());
        }
        self.store.commit(&mut self.files)?;
        self.spoiled.settle();
        self.settled = (self.summary.reasons.clone(), self.summary.untimed);
        // Watchlists are said by name.
        let files = self.files.drain(..).filter(|e| !e.is_watchlist());
        self.summary.entries.extend(files);
        self.uncommitted = 0;
        Ok(())
    }
}

/// The reading thread is gone, and not because it had read everything.
pub(super) fn lost() -> Error {
    let why = "the reading thread failed: this is a fault of coldtrail";
    Error::io("read", "the inputs")(std::io::Error::other(why))
}
