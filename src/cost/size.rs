//! The bytes of a record as Log Analytics bills it, as columns of a query in SQL over a stored table.
//!
//! What counts are the columns of the export, known and unknown: neither what coldtrail adds, nor what it keeps twice. A text counts with its bytes in
//! UTF-8, JSON as it is written, a number with its digits, `true` with four, a time with the 28 characters of `2026-05-01T08:00:00.0000000Z`.
//! Log Analytics writes two things into every record whether an export shows them or not: the id of the workspace (`TenantId`) and the time.
//!
//! How values of other types than text are written is not published, and of Microsoft 365 no public export was found that has `_BilledSize`: where
//! one has it, it counts instead. Rows of Application Insights, which are billed otherwise, are [`telemetry`](super::telemetry).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;

use super::telemetry::Item;
use crate::catalog::{Column, EXTRA, Kusto, Origin, SECOND_TIME, TIME, TYPE, Table};
use crate::text::json::{Raw, Reader, plain};

/// Columns that count on no plan.
const FREE: [&str; 3] = ["_ItemId", "_IsBillable", "_BilledSize"];
/// Columns that count on the Auxiliary plan and not on Analytics and Basic.
const STANDARD: [&str; 4] = ["_ResourceId", "_SubscriptionId", "_TenantId", TYPE];
/// The column with the id of the workspace.
const WORKSPACE: &str = "TenantId";
/// Characters of that id, a GUID.
const WORKSPACE_BYTES: usize = 36;
/// Characters of a time.
const TIME_BYTES: usize = 28;
/// Bytes of the smallest and the largest record that `_BilledSize` is believed to tell of: what it says beyond is estimated, as where it says nothing.
const SIZES: (f64, f64) = (1.0, 1e9);

/// Name of the function over the JSON of unknown columns: bytes of those that count everywhere.
const COUNTED: &str = "billed_columns_bytes";
/// The same for those that count on the Auxiliary plan alone.
const COUNTED_BESIDE: &str = "billed_standard_bytes";

/// Columns that say under which name records of a table tell what was done, the best first.
const OPERATIONS: [&str; 8] = [
    "ActionType",
    "Operation",
    "OperationName",
    "Operation_s",
    "Activity_s",
    "RequestType",
    "request_type_s",
    "Activity",
];

/// Tables whose records are all of one operation, which the label events name so.
const TRACKING: [&str; 2] = ["AipServiceTrackingLog", "RMSDataDetails_CL"];
const TRACK: &str = "Track";

/// A record, as expressions of SQL over the rows of a stored table.
pub(super) struct Record {
    /// Name of its table.
    pub table: String,
    /// What was done.
    pub operation: String,
    /// Bytes on the Analytics and Basic plans.
    pub bytes: String,
    /// Bytes that the Auxiliary plan counts beside.
    pub beside: String,
    /// What the export says that was billed, or null.
    pub billed: String,
    /// Whether the export says that it was not billed at all.
    pub free: String,
}

/// The column that says what was done, of those of a table.
pub(super) fn operation_of(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    OPERATIONS.into_iter().find(|name| has(name))
}

/// What each record of a table tells that has no such column; empty where that has no name.
pub(super) fn only_operation(table: &str) -> &'static str {
    match TRACKING.contains(&table) {
        true => TRACK,
        false => "",
    }
}

/// Records of a table.
pub(super) fn record(table: &Table) -> Record {
    let is_product = table.export_position(TYPE).is_some();
    let has = |name: &str| table.position(name).is_some();
    // Rows of tables that nobody knows are JSON and say of which table they are.
    let is_kept = table.columns.iter().all(|c| {
        let own = [TIME, EXTRA].contains(&c.name);
        own || c.origin == Origin::Lineage
    });
    let extra = |key: &str| format!("\"{EXTRA}\"->>'{key}'");
    let column = |name: &str, cast: &str| match has(name) {
        true => format!("\"{name}\""),
        false => format!("TRY_CAST({} AS {cast})", extra(name)),
    };
    let times = match is_product && table.product.contains(&SECOND_TIME) {
        true => 2,
        false => 1,
    };
    // Beside a whole audit record the other columns are parts of it, or of the search that gave it.
    let is_record = table.record.is_some() && !is_product;
    let unknown = |weigh: &str| match is_record {
        true => "0".to_string(),
        false => format!("coalesce({weigh}(\"{EXTRA}\"), 0)"),
    };
    let mut terms = vec![
        (WORKSPACE_BYTES + times * TIME_BYTES).to_string(),
        unknown(COUNTED),
    ];
    terms.extend(
        table
            .columns
            .iter()
            .filter(|c| is_counted(table, c, is_product))
            .map(bytes_of),
    );
    let name = match is_kept {
        true => format!(
            "coalesce(nullif({}, ''), regexp_replace({}, '^AdvancedHunting-', ''), '{}')",
            extra(TYPE),
            extra("category"),
            table.name
        ),
        false => format!("'{}'", table.name),
    };
    let own_type = match is_product {
        true => format!(
            "coalesce(nullif(octet_length(\"{TYPE}\"), 0), {})",
            table.name.len()
        ),
        false if is_kept => format!("octet_length({name})"),
        false => table.name.len().to_string(),
    };
    let mut beside = vec![own_type, unknown(COUNTED_BESIDE)];
    let standard = table
        .columns
        .iter()
        .filter(|c| c.origin == Origin::Export && c.name != TYPE && STANDARD.contains(&c.name));
    beside.extend(standard.map(bytes_of));
    let operation = match operation_of(has) {
        Some(name) => format!("\"{name}\""),
        None if is_kept => {
            let keys = OPERATIONS.map(|name| format!("nullif({}, '')", extra(name)));
            format!("coalesce({})", keys.join(", "))
        }
        None => format!("'{}'", only_operation(table.name)),
    };
    let told = column("_BilledSize", "DOUBLE");
    Record {
        table: name,
        operation: format!("coalesce({operation}, '')"),
        bytes: format!("CAST({} AS BIGINT)", sum(&terms)),
        beside: format!("CAST({} AS BIGINT)", sum(&beside)),
        billed: format!(
            "CASE WHEN {told} BETWEEN {:?} AND {:?} THEN {told} END",
            SIZES.0, SIZES.1
        ),
        free: format!("lower({}) = 'false'", column("_IsBillable", "VARCHAR")),
    }
}

/// Whether a column of the files counts by itself: one of the export that no plan leaves out.
fn is_counted(table: &Table, column: &Column, is_product: bool) -> bool {
    let name = column.name;
    if column.origin != Origin::Export || [TIME, WORKSPACE].contains(&name) {
        return false;
    }
    if let (Some(record), false) = (table.record, is_product) {
        // The other columns are parts of the audit record.
        return table.columns[record].name == name;
    }
    // coldtrail's own clean form of an address stands in tables of its own only, beside the columns it is taken from.
    let beside = ["ClientIP", "RequesterLocation"];
    let is_own = !is_product
        && name == "IPAddress"
        && beside.iter().any(|from| table.position(from).is_some());
    !FREE.contains(&name) && !STANDARD.contains(&name) && !is_own
}

/// The bytes of a column's value.
fn bytes_of(column: &Column) -> String {
    let name = column.name;
    match column.kusto {
        Kusto::String | Kusto::Dynamic | Kusto::Guid => {
            format!("coalesce(octet_length(\"{name}\"), 0)")
        }
        Kusto::Bool => {
            format!("CASE WHEN \"{name}\" THEN 4 WHEN NOT \"{name}\" THEN 5 ELSE 0 END")
        }
        Kusto::DateTime => format!("CASE WHEN \"{name}\" IS NULL THEN 0 ELSE {TIME_BYTES} END"),
        Kusto::Int | Kusto::Long | Kusto::Real => {
            format!("coalesce(octet_length(CAST(\"{name}\" AS VARCHAR)), 0)")
        }
    }
}

/// The sum of terms. Halves are added, so that it is not as deep as it is long.
fn sum(terms: &[String]) -> String {
    match terms {
        [] => "0".into(),
        [one] => one.clone(),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            format!("({} + {})", sum(left), sum(right))
        }
    }
}

/// The bytes of the unknown columns of a row.
type Weigh = fn(&str) -> i64;

/// Registers the functions over the JSON of unknown columns.
pub(super) fn register(context: &SessionContext) {
    let functions: [(&str, Weigh); 2] = [(COUNTED, counted), (COUNTED_BESIDE, counted_beside)];
    for (name, weigh) in functions {
        context.register_udf(create_udf(
            name,
            vec![DataType::Utf8],
            DataType::Int64,
            Volatility::Immutable,
            Arc::new(
                move |arguments: &[ColumnarValue]| -> PlanResult<ColumnarValue> {
                    let arrays = ColumnarValue::values_to_arrays(arguments)?;
                    let texts = cast(&arrays[0], &DataType::Utf8)?;
                    let texts = texts.as_string::<i32>();
                    let bytes: Int64Array = (0..texts.len())
                        .map(|row| {
                            let text = texts.is_valid(row).then(|| texts.value(row))?;
                            Some(weigh(text))
                        })
                        .collect();
                    Ok(ColumnarValue::Array(Arc::new(bytes) as ArrayRef))
                },
            ),
        ));
    }
}

fn counts(key: &str) -> bool {
    // The times and the workspace count once, whatever the export says of them.
    let is_once = [TIME, SECOND_TIME, WORKSPACE].contains(&key);
    !FREE.contains(&key) && !STANDARD.contains(&key) && !is_once
}

/// The bytes that count everywhere.
fn counted(text: &str) -> i64 {
    let mut columns = 0;
    let mut item = Item::default();
    let whole = each(text, |key, bytes| {
        if counts(key) {
            columns += bytes;
        }
        item.add(key, bytes);
    });
    // The workspace and the time are no part of an item, and every record has them already.
    let within = (WORKSPACE_BYTES + TIME_BYTES) as i64;
    whole.unwrap_or_else(|| item.bytes().map_or(columns, |bytes| bytes - within))
}

/// The bytes that count on the Auxiliary plan alone. [`TYPE`] counts with the name of the table.
fn counted_beside(text: &str) -> i64 {
    let mut columns = 0;
    let whole = each(text, |key, bytes| {
        if STANDARD.contains(&key) && key != TYPE {
            columns += bytes;
        }
    });
    // A text that is no object counts once.
    whole.map_or(columns, |_| 0)
}

/// Gives the keys of an object with the bytes of their values. What is no object has the bytes that are given back.
fn each(text: &str, mut found: impl FnMut(&str, i64)) -> Option<i64> {
    let mut reader = Reader::new(text);
    if reader.object().is_err() {
        return Some(0);
    }
    let read = reader.members(0, |reader, key, escaped| {
        let bytes = match reader.raw(1)? {
            Raw::Text {
                inner,
                escaped: false,
            } => inner.len(),
            other => other.text().map_or(0, |text| text.len()),
        };
        found(&plain(key, escaped), bytes as i64);
        Ok(())
    });
    match read {
        Ok(()) => None,
        // A text that is no object counts as it is.
        Err(_) => Some(text.len() as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::catalog;

    #[test]
    fn unknown_columns_count_with_their_values() {
        let text = r#"{"a":"äb","n":12.5,"t":true,"none":null,"o":{"x":[1, 2]},"q":"a\"b","_BilledSize":9,"_ResourceId":"/s","Type":"T","TimeGenerated":"x","TenantId":"y"}"#;
        let expected = "äb".len() + "12.5".len() + "true".len() + r#"{"x":[1, 2]}"#.len() + 3;
        assert_eq!(counted(text), expected as i64);
        assert_eq!(counted_beside(text), 2);
        assert_eq!(counted("[]"), 0);
        let cut = r#"{"a":1,"#;
        assert_eq!((counted(cut), counted_beside(cut)), (cut.len() as i64, 0));
    }

    #[test]
    fn what_coldtrail_adds_does_not_count() {
        for table in catalog().tables().filter(|t| t.by_day) {
            let record = record(table);
            for own in ["_IngestId", "_Record", "_Fingerprint", "RawEventData_"] {
                let named = format!("\"{own}");
                assert!(!record.bytes.contains(&named), "{}: {own}", table.name);
            }
            assert!(!record.bytes.contains("_BilledSize"), "{}", table.name);
        }
        let audit = catalog().get("UnifiedAuditLog").expect("a table");
        let bytes = record(audit).bytes;
        assert!(bytes.contains("AuditData"), "{bytes}");
        assert!(!bytes.contains("RecordTypeName"), "{bytes}");
        assert!(!bytes.contains(EXTRA), "{bytes}");
        for table in ["AipServiceUserLog", "AipServiceTrackingLog"] {
            let bytes = record(catalog().get(table).expect("a table")).bytes;
            assert!(!bytes.contains("\"IPAddress\""), "{table}: {bytes}");
        }
    }

    #[test]
    fn a_sum_of_many_terms_is_shallow() {
        let terms: Vec<String> = (0..5).map(|n| n.to_string()).collect();
        assert_eq!(sum(&terms), "((0 + 1) + (2 + (3 + 4)))");
        assert_eq!(sum(&[]), "0");
    }
}
