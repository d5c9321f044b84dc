//! What goes over the wire: questions in JSON, rows as Arrow IPC, both inside the messages of Arrow Flight's `DoExchange`.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::{StreamDecoder, StreamReader};
use arrow::ipc::writer::StreamWriter;
use arrow_flight::FlightData;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::question::Query;
use crate::fault::{Error, Result};
use crate::hunt::{Fault, Job, Orders};

/// Bytes of one message at most. A coordinator asks no more; rows are cut into messages of [`CHUNK`].
pub(super) const MESSAGE: usize = 256 << 20;
/// Bytes of rows in a message, about.
const CHUNK: usize = 1 << 20;

/// The first message of a coordinator. What it asks is read once both are known to be the same program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct First {
    /// Which program asks, see [`build`].
    pub(super) build: String,
    /// An [`Asks`].
    pub(super) asks: Value,
}

/// What an exchange is about.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Asks {
    /// Whether somebody is there.
    Nothing,
    /// A hunt's queries, which follow.
    Hunt(Box<Orders>),
    /// One query.
    Query(Box<Query>),
}

/// Queries of a hunt.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Jobs(pub(super) Vec<Job>);

/// What a worker says. Jobs are numbered as in their message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// It is ready.
    Opened,
    /// Somebody else is served.
    Busy,
    /// It is another program: its build.
    Other(String),
    /// It cannot do that.
    Refused(Fault),
    /// Queries of a hunt have come, and are begun with.
    Taken,
    /// The query is planned: the tables that it reads, and what is to be said about it.
    Planned {
        reads: Vec<String>,
        notes: Vec<String>,
    },
    /// The schema of an answer, as an IPC stream without rows.
    Schema(usize),
    /// Rows follow in a stream of their own.
    Begin(usize),
    /// The next bytes of that stream.
    Rows(usize),
    /// All rows of a job were sent.
    Done {
        job: usize,
        rows: u64,
        took: Duration,
        reads: Vec<String>,
    },
    /// A job has no answer.
    Failed {
        job: usize,
        fault: Fault,
        took: Duration,
    },
}

/// Which program this is: of another one, functions could answer otherwise. The same on each machine with the same file.
///
/// # Errors
/// When the file of the program cannot be read.
pub(super) fn build() -> Result<String> {
    let program = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(&program).map_err(Error::io("open", &program))?;
    hasher
        .update_reader(file)
        .map_err(Error::io("read", &program))?;
    let hash = hasher.finalize().to_hex();
    Ok(format!("{} {}", env!("CARGO_PKG_VERSION"), &hash[..16]))
}

/// A message.
///
/// # Errors
/// When it cannot be written as JSON, which is a fault of coldtrail.
pub(super) fn message(said: &impl Serialize, body: impl Into<Bytes>) -> Result<FlightData> {
    let said = serde_json::to_vec(said).map_err(|e| garbled(&e))?;
    Ok(FlightData {
        app_metadata: said.into(),
        data_body: body.into(),
        ..FlightData::default()
    })
}

/// What a message says.
///
/// # Errors
/// When it is none of ours.
pub(super) fn said<T: for<'de> Deserialize<'de>>(message: &FlightData) -> Result<T> {
    serde_json::from_slice(&message.app_metadata).map_err(|e| garbled(&e))
}

fn garbled(e: &serde_json::Error) -> Error {
    Error::Query(format!("a message of the cluster is not understood: {e}"))
}

/// A schema as an IPC stream without rows.
///
/// # Errors
/// When a type cannot be sent.
pub(super) fn schema_bytes(schema: &SchemaRef) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    writer.finish()?;
    Ok(writer.into_inner()?)
}

/// The schema of such a stream.
///
/// # Errors
/// When it is none.
pub(super) fn schema_of(bytes: &[u8]) -> Result<SchemaRef> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}

/// Sends rows of one job: where their schema changes, another stream begins.
pub(super) struct Sending<S: FnMut(Reply, Bytes) -> Result<()>> {
    job: usize,
    send: S,
    open: Option<(SchemaRef, StreamWriter<Vec<u8>>)>,
    rows: u64,
}

impl<S: FnMut(Reply, Bytes) -> Result<()>> Sending<S> {
    pub(super) fn new(job: usize, send: S) -> Self {
        Sending {
            job,
            send,
            open: None,
            rows: 0,
        }
    }

    /// Sends rows, or keeps them for the next message.
    ///
    /// # Errors
    /// When nobody listens any more, or a type cannot be sent.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        if self.open.as_ref().is_none_or(|(open, _)| *open != schema) {
            self.close()?;
            (self.send)(Reply::Begin(self.job), Bytes::new())?;
            let writer = StreamWriter::try_new(Vec::new(), &schema)?;
            self.open = Some((schema, writer));
        }
        self.rows += batch.num_rows() as u64;
        if let Some((_, writer)) = &mut self.open {
            writer.write(batch)?;
            let waiting = writer.get_mut();
            if waiting.len() >= CHUNK {
                let bytes = std::mem::take(waiting);
                self.pass(bytes)?;
            }
        }
        Ok(())
    }

    fn pass(&mut self, bytes: Vec<u8>) -> Result<()> {
        let mut bytes = Bytes::from(bytes);
        while !bytes.is_empty() {
            let next = bytes.split_to(bytes.len().min(CHUNK));
            (self.send)(Reply::Rows(self.job), next)?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some((_, mut writer)) = self.open.take() {
            writer.finish()?;
            let bytes = writer.into_inner()?;
            self.pass(bytes)?;
        }
        Ok(())
    }

    /// Ends; returns how many rows were sent.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn end(mut self) -> Result<u64> {
        self.close()?;
        Ok(self.rows)
    }
}

/// Rows of one job, as they come.
#[derive(Default)]
pub(super) struct Receiving {
    decoder: Option<StreamDecoder>,
    pub(super) rows: u64,
}

impl Receiving {
    /// Another stream begins.
    ///
    /// # Errors
    /// When the last one is not at its end.
    pub(super) fn begin(&mut self) -> Result<()> {
        if let Some(decoder) = &mut self.decoder {
            decoder.finish()?;
        }
        self.decoder = Some(StreamDecoder::new());
        Ok(())
    }

    /// The rows that are whole with these bytes.
    ///
    /// # Errors
    /// When they are no rows.
    pub(super) fn take(&mut self, bytes: Bytes) -> Result<Vec<RecordBatch>> {
        let Some(decoder) = &mut self.decoder else {
            return Err(Error::Query("rows of the cluster have no beginning".into()));
        };
        let mut buffer = Buffer::from(bytes);
        let mut batches = Vec::new();
        while !buffer.is_empty() {
            if let Some(batch) = decoder.decode(&mut buffer)? {
                self.rows += batch.num_rows() as u64;
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    /// Whether all rows that were sent have come.
    ///
    /// # Errors
    /// When not.
    pub(super) fn end(&mut self, rows: u64) -> Result<()> {
        if let Some(decoder) = &mut self.decoder {
            decoder.finish()?;
        }
        if self.rows != rows {
            let told = format!("{} of {rows} rows of a worker have come", self.rows);
            return Err(Error::Query(told));
        }
        Ok(())
    }
}
