//! Functions of one column: what is stored as Kusto has it, and Kusto's values as an output has them.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder, new_null_array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::arrays;
use crate::engine::output::DYNAMIC_TEXT;
use crate::function::value::{Json, is_compact};

/// A function of a column. Two are equal when they have the same name.
#[derive(Debug)]
struct OneColumn {
    name: &'static str,
    /// The type of the result; that of the column where none is given.
    ty: Option<DataType>,
    map: fn(&ArrayRef) -> Result<ArrayRef>,
    signature: Signature,
}

impl PartialEq for OneColumn {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OneColumn {}

impl Hash for OneColumn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for OneColumn {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let own = self.ty.as_ref().or(types.first());
        Ok(own.cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Array((self.map)(&first(args)?)?))
    }
}

/// The first argument as an array.
pub(super) fn first(args: ScalarFunctionArgs) -> Result<ArrayRef> {
    let rows = args.number_rows;
    let mut columns = args.args;
    columns.swap_remove(0).into_array(rows)
}

/// A column of text. Where the optimizer tries what a condition gives for null, it has no type of its own.
pub(super) fn texts(column: ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Null => new_null_array(&DataType::Utf8, column.len()),
        _ => column,
    }
}

/// A function of a column.
pub(super) fn call(
    name: &'static str,
    ty: Option<DataType>,
    volatility: Volatility,
    map: fn(&ArrayRef) -> Result<ArrayRef>,
    column: Expr,
) -> Expr {
    let function = OneColumn {
        name,
        ty,
        map,
        signature: Signature::any(1, volatility),
    };
    ScalarUDF::from(function).call(vec![column])
}

/// A function that makes text of a column.
pub(super) fn of_text(
    name: &'static str,
    map: fn(&ArrayRef) -> Result<ArrayRef>,
    column: Expr,
) -> Expr {
    call(
        name,
        Some(DataType::Utf8),
        Volatility::Immutable,
        map,
        column,
    )
}

/// Microseconds of a stored column as ticks.
pub(super) fn ticks(column: Expr) -> Expr {
    let map = |array: &ArrayRef| Ok(arrays::ticks(array)?);
    call(
        "ticks",
        Some(DataType::Int64),
        Volatility::Immutable,
        map,
        column,
    )
}

/// The name of [`text`].
const TEXT: &str = "text";

/// The name of [`printed`].
const PRINTED: &str = "tostring";

/// A stored column of text as a string of Kusto, which is never null.
pub(super) fn text(column: Expr) -> Expr {
    let map = |array: &ArrayRef| {
        let array = arrow::compute::cast(array, &DataType::Utf8)?;
        if array.null_count() == 0 {
            return Ok(array);
        }
        let texts = array.as_string::<i32>();
        let mut out = StringBuilder::with_capacity(texts.len(), own_bytes(texts).len());
        for value in texts {
            out.append_value(value.unwrap_or(""));
        }
        Ok(Arc::new(out.finish()) as ArrayRef)
    };
    of_text(TEXT, map, column)
}

/// Text of a kept path as `tostring` prints it: arrays and bags without the blanks with which they were logged. A string that is such
/// an array or bag itself is taken for one.
pub(super) fn printed(column: Expr) -> Expr {
    let map = |array: &ArrayRef| {
        let array = texts(Arc::clone(array));
        let texts = array.as_string::<i32>();
        let other = |text: &str| text.starts_with(['[', '{']) && !is_compact(text);
        if !texts.iter().flatten().any(other) {
            return Ok(array);
        }
        let changed = texts.iter().map(|text| {
            let text = text?;
            let tree = other(text).then(|| Json::parse(text)).flatten();
            Some(tree.map_or(Cow::Borrowed(text), |tree| Cow::Owned(tree.text())))
        });
        Ok(Arc::new(changed.collect::<StringArray>()) as ArrayRef)
    };
    of_text(PRINTED, map, column)
}

/// The column of a kept path whose text, as `tostring` prints it, is this.
pub(super) fn kept_path(expr: &Expr) -> Option<&str> {
    fn argument<'e>(expr: &'e Expr, of: &str) -> Option<&'e Expr> {
        match expr {
            Expr::ScalarFunction(call) if call.func.name() == of => call.args.first(),
            _ => None,
        }
    }
    match argument(argument(expr, PRINTED)?, TEXT)? {
        Expr::Column(column) => Some(&column.name),
        _ => None,
    }
}

/// JSON text from outside as text that KQL keeps: nothing in it can pass for a time or an id.
pub(super) fn from_outside(column: Expr) -> Expr {
    of_text("dynamic", |array| marks(array, Json::as_stored), column)
}

/// A dynamic column as JSON text for an output.
pub(super) fn to_output(column: Expr) -> Expr {
    of_text(DYNAMIC_TEXT, |array| marks(array, Json::compact), column)
}

/// Both are the same but for texts with the control character that marks times and ids.
fn marks(array: &ArrayRef, change: fn(&str) -> Cow<'_, str>) -> Result<ArrayRef> {
    let array = texts(Arc::clone(array));
    let texts = array.as_string::<i32>();
    if memchr::memchr(1, own_bytes(texts)).is_none() {
        return Ok(array);
    }
    let changed = texts.iter().map(|text| text.map(change));
    Ok(Arc::new(changed.collect::<StringArray>()))
}

/// What its texts are written in, one after the other; not what an array that it is cut of has around them.
fn own_bytes(texts: &StringArray) -> &[u8] {
    let ends = texts.value_offsets();
    match (ends.first(), ends.last()) {
        (Some(from), Some(to)) => &texts.values()[*from as usize..*to as usize],
        _ => &[],
    }
}

/// The name of [`local`].
const LOCAL: &str = "local_time";

/// The same times, marked as those of clocks somewhere.
pub(super) fn local(times: Expr) -> Expr {
    let map = |array: &ArrayRef| Ok(Arc::clone(array));
    call(LOCAL, None, Volatility::Immutable, map, times)
}

/// Whether times are marked so.
pub(super) fn is_local(times: &Expr) -> bool {
    matches!(times, Expr::ScalarFunction(function) if function.func.name() == LOCAL)
}

/// The same column, of which the planner knows nothing: it sorts the parts of a union one by one, leaves out what is constant in each, and
/// then misses it.
pub(super) fn apart(column: Expr) -> Expr {
    let map = |array: &ArrayRef| Ok(Arc::clone(array));
    call("tie", None, Volatility::Volatile, map, column)
}
