//! Patterns that stand in a column.
//!
//! `ILIKE` over a column of patterns compiles one for each row, which takes far longer than to look for it: a list joined with many files has few
//! patterns and many rows of each.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, UInt32Array};
use arrow::compute::{ilike, take};
use arrow::datatypes::DataType;
use arrow::error::Result;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;

/// Registers `matches_pattern(text, pattern)`: whether the text is `ILIKE` the pattern.
pub(super) fn register(context: &SessionContext) {
    let udf = create_udf(
        "matches_pattern",
        vec![DataType::Utf8, DataType::Utf8],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(|args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let found = matched(arrays[0].as_string(), arrays[1].as_string())?;
            Ok(ColumnarValue::Array(Arc::new(found) as ArrayRef))
        }),
    );
    context.register_udf(udf);
}

fn matched(texts: &StringArray, patterns: &StringArray) -> Result<BooleanArray> {
    let mut of_pattern: HashMap<&str, Vec<u32>> = HashMap::new();
    for (row, pattern) in (0..).zip(patterns) {
        if let Some(pattern) = pattern {
            of_pattern.entry(pattern).or_default().push(row);
        }
    }
    let mut found: Vec<Option<bool>> = vec![None; texts.len()];
    for (pattern, rows) in of_pattern {
        let rows = UInt32Array::from(rows);
        let own = take(texts, &rows, None)?;
        let own = ilike(&own, &StringArray::new_scalar(pattern))?;
        for (row, is) in rows.values().iter().zip(&own) {
            found[*row as usize] = is;
        }
    }
    Ok(found.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_held_against_its_own_pattern() {
        let texts = [
            Some("Merger Plan.docx"),
            Some("x"),
            None,
            Some("MÜLLER_1.txt"),
            Some("y"),
        ];
        let patterns = [
            Some("%merger%"),
            Some("%merger%"),
            Some("%"),
            Some("müller\\__.TXT"),
            None,
        ];
        let (texts, patterns) = (
            StringArray::from(texts.to_vec()),
            StringArray::from(patterns.to_vec()),
        );
        let found = matched(&texts, &patterns).expect("patterns");
        let direct = ilike(&texts, &patterns).expect("patterns");
        assert_eq!(found, direct);
        let found: Vec<Option<bool>> = found.iter().collect();
        assert_eq!(found, [Some(true), Some(false), None, Some(true), None]);
    }
}
