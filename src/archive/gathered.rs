//! Rows of several batches as one.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, Capacities, MutableArrayData, RecordBatch,
    StringViewArray, make_array, new_null_array,
};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;

use crate::fault::Result;

/// Rows of a batch that follow one another.
struct Run {
    batch: usize,
    start: usize,
    end: usize,
}

/// Rows that follow one another at the mean where they are copied together: fewer are quicker copied one by one.
const LONG: usize = 8;

/// The rows at these places, each a batch and a row of it. The batches have one schema.
///
/// # Errors
/// When there are no batches, or too many bytes for an array.
pub fn gather(batches: &[&RecordBatch], rows: &[(usize, usize)]) -> Result<RecordBatch> {
    let mut places: Vec<Option<usize>> = vec![None; batches.len()];
    // The batches that have a row here: mostly few.
    let mut own: Vec<&RecordBatch> = Vec::new();
    let rows: Vec<(usize, usize)> = rows
        .iter()
        .map(|(batch, row)| {
            let place = *places[*batch].get_or_insert_with(|| {
                own.push(batches[*batch]);
                own.len() - 1
            });
            (place, *row)
        })
        .collect();
    let runs = runs(&rows);
    if let [run] = &runs[..] {
        return Ok(own[run.batch].slice(run.start, run.end - run.start));
    }
    let Some(first) = own.first() else {
        let why = "no rows to gather".to_string();
        return Err(ArrowError::InvalidArgumentError(why).into());
    };
    let is_in_runs = runs.len() * LONG <= rows.len();
    let mut empty: Vec<ArrayRef> = Vec::new();
    let columns = (0..first.num_columns())
        .map(|i| {
            let arrays: Vec<&dyn Array> = own.iter().map(|b| b.column(i).as_ref()).collect();
            if arrays.iter().all(|a| a.null_count() == a.len()) {
                return Ok(nulls(&mut empty, arrays[0].data_type(), rows.len()));
            }
            match is_in_runs {
                true => joined(&arrays, &runs, rows.len()),
                false => interleave(&arrays, &rows),
            }
        })
        .collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
    Ok(RecordBatch::try_new(first.schema(), columns)?)
}

/// The same rows with the texts of a column as views (`Utf8View`), which are gathered without a copy of them; what is gathered holds the texts of
/// whole batches then. What is no text stays as it is.
///
/// # Panics
/// When the batch has no such column.
pub fn viewing(batch: &RecordBatch, column: usize) -> RecordBatch {
    let Some(texts) = batch.column(column).as_string_opt::<i32>() else {
        return batch.clone();
    };
    let mut columns = batch.columns().to_vec();
    columns[column] = Arc::new(StringViewArray::from(texts));
    let mut fields: Vec<FieldRef> = batch.schema_ref().fields().to_vec();
    let field = Field::clone(&fields[column]);
    fields[column] = Arc::new(field.with_data_type(DataType::Utf8View));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .expect("the columns are as long as they were")
}

/// The rows as runs.
fn runs(rows: &[(usize, usize)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (batch, row) in rows {
        match runs.last_mut() {
            Some(run) if run.batch == *batch && run.end == *row => run.end += 1,
            _ => runs.push(Run {
                batch: *batch,
                start: *row,
                end: *row + 1,
            }),
        }
    }
    runs
}

/// Runs of arrays, one behind the other.
fn joined(arrays: &[&dyn Array], runs: &[Run], rows: usize) -> Result<ArrayRef, ArrowError> {
    let room = match arrays[0].data_type() {
        // Grown step by step, texts would be copied over and over.
        DataType::Utf8 => {
            let bytes = runs.iter().map(|run| {
                let offsets = arrays[run.batch].as_string::<i32>().value_offsets();
                usize::try_from(offsets[run.end] - offsets[run.start]).unwrap_or(0)
            });
            Capacities::Binary(rows, Some(bytes.sum()))
        }
        _ => Capacities::Array(rows),
    };
    let data: Vec<ArrayData> = arrays.iter().map(|a| a.to_data()).collect();
    let mut out = MutableArrayData::with_capacities(data.iter().collect(), false, room);
    for run in runs {
        out.try_extend(run.batch, run.start, run.end)?;
    }
    Ok(make_array(out.freeze()))
}

/// An array of nulls, made once for each type.
fn nulls(empty: &mut Vec<ArrayRef>, ty: &DataType, rows: usize) -> ArrayRef {
    if let Some(array) = empty.iter().find(|array| array.data_type() == ty) {
        return ArrayRef::clone(array);
    }
    let array = new_null_array(ty, rows);
    empty.push(ArrayRef::clone(&array));
    array
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::compute::cast;

    use super::*;

    fn batch(from: i64, texts: &[Option<&str>]) -> RecordBatch {
        let numbers: Vec<i64> = (from..).take(texts.len()).collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("Number", Arc::new(Int64Array::from(numbers))),
            ("Text", Arc::new(StringArray::from(texts.to_vec()))),
            ("Nothing", new_null_array(&DataType::Utf8, texts.len())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true)))
            .expect("columns of one length")
    }

    /// The same without any of the shortcuts.
    fn plainly(batches: &[&RecordBatch], rows: &[(usize, usize)]) -> RecordBatch {
        arrow::compute::interleave_record_batch(batches, rows).expect("rows of the batches")
    }

    #[test]
    fn rows_are_the_same_one_by_one_and_in_runs() {
        let texts = |n: usize| -> Vec<Option<String>> {
            let text = |i: usize| (!i.is_multiple_of(3)).then(|| "x".repeat(i * n));
            (0..100).map(text).collect()
        };
        let [a, b, c] = [(0, 1), (1000, 2), (2000, 3)].map(|(from, n)| {
            let texts = texts(n);
            let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
            batch(from, &texts)
        });
        let batches = [&a, &b, &c];
        let whole = |batch: usize| (0..100).map(move |row| (batch, row));
        let one: Vec<(usize, usize)> = (10..90).map(|row| (1, row)).collect();
        let long: Vec<(usize, usize)> = whole(2).skip(7).chain(whole(0).take(50)).collect();
        let short: Vec<(usize, usize)> = whole(0).zip(whole(2)).flat_map(|(a, b)| [a, b]).collect();
        for rows in [one, long, short] {
            let got = gather(&batches, &rows).expect("rows of the batches");
            let want = plainly(&batches, &rows);
            assert_eq!(got, want);
            let views = batches.map(|b| viewing(b, 1));
            let got = gather(&views.each_ref(), &rows).expect("rows of the batches");
            let texts = cast(got.column(1), &DataType::Utf8).expect("texts");
            assert_eq!(texts.as_ref(), want.column(1).as_ref());
            assert_eq!(got.column(0), want.column(0));
        }
        assert!(gather(&batches, &[]).is_err());
    }

    #[test]
    fn texts_that_are_viewed_are_not_copied() {
        let texts = ["a text that is longer than a view"; 40].map(Some);
        let (a, b) = (batch(0, &texts), batch(100, &texts).slice(10, 30));
        let theirs = [&a, &b].map(|batch| batch.column(1).as_string::<i32>().values().as_ptr());
        let views = [&a, &b].map(|b| viewing(b, 1));
        let long: Vec<(usize, usize)> = (5..20)
            .map(|row| (0, row))
            .chain((3..30).map(|row| (1, row)))
            .collect();
        for rows in [long, vec![(0, 7), (1, 3), (0, 8), (1, 2)]] {
            let got = gather(&views.each_ref(), &rows).expect("rows of the batches");
            let texts = got.column(1).as_string_view();
            let own: Vec<_> = texts.data_buffers().iter().map(|b| b.as_ptr()).collect();
            assert_eq!(own, theirs);
        }
        // A number is no text.
        assert_eq!(viewing(&a, 0), a);
    }

    #[test]
    fn rows_of_a_slice_are_those_that_it_shows() {
        let texts = ["a", "bb", "ccc", "dddd", "eeeee"].map(Some).repeat(8);
        let whole = batch(0, &texts);
        let (a, b) = (whole.slice(3, 20), whole.slice(9, 30));
        let batches = [&a, &b];
        let rows: Vec<(usize, usize)> = (0..20)
            .map(|r| (0, r))
            .chain((4..30).map(|r| (1, r)))
            .collect();
        let got = gather(&batches, &rows).expect("rows of the slices");
        assert_eq!(got, plainly(&batches, &rows));
    }
}
