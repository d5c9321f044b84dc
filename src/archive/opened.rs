//! Parquet files of the archive as they are opened, whoever wrote them.

use std::fs::File;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type;
use parquet::errors::Result;

/// Opens a file. Arrow's own schema in it is passed over, and times are at most as fine as a microsecond.
///
/// # Errors
/// When its footer cannot be read.
pub fn open(file: File) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let mut footer = ArrowReaderMetadata::load(&file, options)?;
    if let Some(schema) = in_microseconds(&footer) {
        let options = ArrowReaderOptions::new().with_schema(schema);
        footer = ArrowReaderMetadata::try_new(Arc::clone(footer.metadata()), options)?;
    }
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(
        file, footer,
    ))
}

/// The schema of a file with times in 96 bits, as Spark writes them by default; nothing where there are none. They are read as nanoseconds where
/// nobody says otherwise, and those of a year before 1677 or after 2262 would come out as other times.
fn in_microseconds(footer: &ArrowReaderMetadata) -> Option<SchemaRef> {
    // No column of the archive is nested: a leaf has the name of its column.
    let wide: Vec<&str> = footer
        .parquet_schema()
        .columns()
        .iter()
        .filter(|leaf| leaf.physical_type() == Type::INT96 && leaf.path().parts().len() == 1)
        .map(|leaf| leaf.name())
        .collect();
    if wide.is_empty() {
        return None;
    }
    let fields = footer.schema().fields().iter().map(|field| {
        let field = Field::clone(field);
        match wide.contains(&field.name().as_str()) {
            true => field.with_data_type(DataType::Timestamp(TimeUnit::Microsecond, None)),
            false => field,
        }
    });
    Some(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}
