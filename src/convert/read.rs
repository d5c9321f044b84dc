//! The thread that reads inputs, tells what they are and cuts them into blocks.

use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex};

use super::{Event, Finish, Message};
use crate::archive::ledger::{Ledger, Status};
use crate::error::{Error, Result};
use crate::ingest::block::Blocks;
use crate::ingest::detect::{self, Detected, Format, Hints};
use crate::ingest::input::{self, Input};
use crate::ingest::time::Evidence;
use crate::progress::Progress;

/// Bytes that may be in flight; can be opened for good.
pub(super) struct Permits {
    limit: usize,
    taken: Mutex<Option<usize>>,
    changed: Condvar,
}

impl Permits {
    pub(super) fn new(limit: usize) -> Self {
        Permits {
            limit,
            taken: Mutex::new(Some(0)),
            changed: Condvar::new(),
        }
    }

    /// Waits until so many bytes more may be in flight. What is more than the limit goes alone.
    fn take(&self, bytes: usize) {
        let mut taken = self.taken.lock().expect("nobody panics with a permit");
        while taken.is_some_and(|t| t > 0 && t + bytes > self.limit) {
            taken = self
                .changed
                .wait(taken)
                .expect("nobody panics with a permit");
        }
        if let Some(t) = taken.as_mut() {
            *t += bytes;
        }
    }

    pub(super) fn give(&self, bytes: usize) {
        if let Some(t) = self
            .taken
            .lock()
            .expect("nobody panics with a permit")
            .as_mut()
        {
            *t -= bytes;
        }
        self.changed.notify_one();
    }

    pub(super) fn open(&self) {
        *self.taken.lock().expect("nobody panics with a permit") = None;
        self.changed.notify_all();
    }
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
    pub(super) ledger: Arc<Ledger>,
    pub(super) permits: Arc<Permits>,
    pub(super) send: mpsc::Sender<Event>,
    pub(super) progress: Arc<dyn Progress>,
}

impl Reader {
    /// Reads all inputs; ends early when nobody listens any more.
    pub(super) fn run(self) {
        let _alarm = Alarm(self.send.clone());
        let mut order = 0;
        for input in &self.inputs {
            match self.read(input, &mut order) {
                Ok(true) => {}
                Ok(false) => return,
                Err(e) => {
                    let _ = self.send.send(Event::InOrder(order, Message::Failed(e)));
                    return;
                }
            }
        }
        let _ = self.send.send(Event::InOrder(order, Message::Done));
    }

    fn tell(&self, order: &mut u64, message: Message) -> bool {
        let sent = self.send.send(Event::InOrder(*order, message)).is_ok();
        *order += 1;
        sent
    }

    fn read(&self, input: &Input, order: &mut u64) -> Result<bool> {
        let name = input.name();
        self.progress.input(&name);
        if let (Input::File(path), Some(size)) = (input, input.size())
            && self.ledger.has_size(size)
            // What cannot be read is said below.
            && let Ok(sha256) = input::sha256(path)
            && let Some(ingest) = self.ledger.ingest_of(&sha256)
        {
            self.progress.read_bytes(size);
            return Ok(self.tell(
                order,
                Message::Known {
                    input: name,
                    ingest,
                },
            ));
        }
        let stream = match input::open(input, Arc::clone(&self.progress)) {
            Ok(stream) => stream,
            Err(e) => return Ok(self.cannot_read(order, name, &e)),
        };
        let packing = (
            stream.compression.name().to_string(),
            stream.encoding.to_string(),
        );
        let offset = stream.offset;
        let mut blocks = Blocks::new(stream, offset);
        let detected = detect::detect(blocks.head(), self.hints);
        let (format, status, note) = match detected {
            Detected::Known(mut format) => match self.settle_order(input, &mut format) {
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
        if !self.tell(
            order,
            Message::Begin {
                input: name,
                format: format.clone(),
                packing,
            },
        ) {
            return Ok(false);
        }
        if let Some(format) = &format {
            match format.container {
                detect::Container::Csv { body, .. } => blocks.skip(body),
                detect::Container::JsonEnvelope { key, once } => blocks.within(key, once),
                _ => {}
            }
            while let Some(block) = blocks.next_block(&format.container) {
                self.permits.take(block.bytes.len());
                let event = Event::Convert(*order, Arc::clone(format), Box::new(block));
                *order += 1;
                if self.send.send(event).is_err() {
                    return Ok(false);
                }
            }
        }
        let failure = blocks.failure.take();
        let finish = Finish {
            // After a clean end the hash is of exactly what was read, also where the file has grown since.
            digest: blocks
                .into_reader()
                .digest(format.is_none() || failure.is_some()),
            failure,
            status,
            note,
        };
        Ok(self.tell(order, Message::Finish(Box::new(finish))))
    }

    /// Enters a file that could not be opened or read at all.
    fn cannot_read(&self, order: &mut u64, name: String, why: &Error) -> bool {
        let begin = Message::Begin {
            input: name,
            format: None,
            packing: (String::new(), String::new()),
        };
        let finish = Finish {
            digest: Ok((0, String::new())),
            failure: None,
            status: Status::Unreadable,
            note: why.to_string(),
        };
        self.tell(order, begin) && self.tell(order, Message::Finish(Box::new(finish)))
    }

    /// Reads a file for its dates alone, when its beginning does not tell day from month.
    fn settle_order(&self, input: &Input, format: &mut Format) -> Result<(), String> {
        if !format.order_open {
            return Ok(());
        }
        // The audit record has its own, unambiguous time.
        if matches!(format.kind, detect::Kind::AuditCell { .. }) {
            return Ok(());
        }
        const ASK: &str = "dates such as 3/4/2026 throughout: day or month first? Say --date-order mdy or --date-order dmy";
        if *input == Input::Stdin {
            return Err(ASK.into());
        }
        let stream =
            input::open(input, Arc::new(crate::progress::Silent)).map_err(|e| e.to_string())?;
        let mut blocks = Blocks::new(stream, 0);
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
}
