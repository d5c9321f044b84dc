//! Parquet as an input: its rows as JSON lines, so that everything above reads them like any other export. Log Analytics export jobs,
//! Data Explorer and Fabric write Parquet.
//!
//! Record numbers are row numbers; offsets are those of the lines.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

/// Rows decoded at once.
const BATCH_ROWS: usize = 1024;

/// The rows of a Parquet file as JSON lines, with nulls, so that the first line has every column.
pub struct Lines {
    rows: ParquetRecordBatchReader,
    text: Vec<u8>,
    at: usize,
}

impl Lines {
    /// Of a file.
    ///
    /// # Errors
    /// When it is not a whole Parquet file.
    pub fn of_file(file: File) -> io::Result<Lines> {
        Lines::new(file)
    }

    /// Of bytes in memory.
    ///
    /// # Errors
    /// When they are not a whole Parquet file.
    pub fn of_bytes(bytes: Vec<u8>) -> io::Result<Lines> {
        Lines::new(Bytes::from(bytes))
    }

    fn new(source: impl ChunkReader + 'static) -> io::Result<Lines> {
        let rows = guarded(|| {
            ParquetRecordBatchReaderBuilder::try_new(source)?
                .with_batch_size(BATCH_ROWS)
                .build()
        })?;
        Ok(Lines {
            rows: rows.map_err(|e| io::Error::other(format!("not a whole Parquet file: {e}")))?,
            text: Vec::new(),
            at: 0,
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.at = 0;
        while self.text.is_empty() {
            let Some(batch) = guarded(|| self.rows.next())? else {
                return Ok(());
            };
            let batch = batch.map_err(io::Error::other)?;
            guarded(|| lines(&batch, &mut self.text))?.map_err(io::Error::other)?;
        }
        Ok(())
    }
}

fn lines(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), arrow::error::ArrowError> {
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(out);
    writer.write(batch)?;
    writer.finish()
}

/// The Parquet library checks what it reads, but not everything: what a crafted file makes panic is an error here.
fn guarded<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| io::Error::other("the Parquet file is damaged where nobody expected it"))
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            self.fill()?;
        }
        let n = buffer.len().min(self.text.len() - self.at);
        buffer[..n].copy_from_slice(&self.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
