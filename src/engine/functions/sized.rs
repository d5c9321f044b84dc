//! Functions of SQL whose answer may be far larger than what they are given: those of a list ask for the memory before they take it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute;
use arrow::datatypes::{
    DataType, FieldRef, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit,
};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use super::super::memory::Room;

/// Functions, and what says how large the answer is.
const SIZED: [(&str, Measure); 9] = [
    ("repeat", Measure::Repeated),
    ("lpad", Measure::Padded),
    ("rpad", Measure::Padded),
    ("range", Measure::Counted),
    ("generate_series", Measure::Counted),
    ("array_repeat", Measure::Repeated),
    ("array_resize", Measure::Elements),
    ("replace", Measure::Replaced),
    ("regexp_replace", Measure::Replaced),
];
/// Bytes of a number.
const NUMBER: usize = 8;
/// Bytes of a character, at most.
const CHARACTER: usize = 4;

/// What says how large the answer of a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Measure {
    /// Its first argument, as often as the second says.
    Repeated,
    /// So many characters as the second argument says.
    Padded,
    /// So many elements as the second argument says, with the third in those that are new.
    Elements,
    /// Its first argument, with the third in the place of each of its characters.
    Replaced,
    /// The whole numbers from the first argument to the second, in steps of the third; with one argument from 0 to it.
    Counted,
}

/// Lets the functions ask for memory.
pub(super) fn register(context: &SessionContext) -> Result<()> {
    let pool = Arc::clone(&context.runtime_env().memory_pool);
    for (name, measure) in SIZED {
        let inner = context.udf(name)?;
        context.register_udf(ScalarUDF::from(Asking {
            inner,
            measure,
            room: Room(Arc::clone(&pool)),
        }));
    }
    Ok(())
}

/// A function that asks for memory first.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Asking {
    inner: Arc<ScalarUDF>,
    measure: Measure,
    room: Room,
}

impl ScalarUDFImpl for Asking {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let room = self.room.reserve(self.name());
        room.try_grow(self.bytes(&args.args)?)?;
        self.inner.invoke_with_args(args)
    }
}

impl Asking {
    /// About as many bytes as the answer has.
    fn bytes(&self, args: &[ColumnarValue]) -> Result<usize> {
        let columns = ColumnarValue::values_to_arrays(args)?;
        let rows = columns.first().map_or(0, |column| column.len());
        let times = columns.first().is_some_and(|c| c.data_type().is_temporal());
        let number_of = |column: &ArrayRef| match times {
            true => moment(column),
            false => whole(column),
        };
        let numbers: Vec<Option<ArrayRef>> =
            columns.iter().map(number_of).collect::<Result<_>>()?;
        let number = |at: usize, row: usize| -> Option<i64> {
            let column = numbers.get(at)?.as_ref()?;
            let column = column.as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let sizes: Vec<ArrayRef> = columns.iter().map(lengths).collect::<Result<_>>()?;
        let many = |n: i64| usize::try_from(n).unwrap_or(0);
        let size = |at: usize, row: usize| {
            let sizes = sizes.get(at).map(|sizes| sizes.as_primitive::<Int64Type>());
            sizes.map_or(0, |sizes| many(sizes.value(row)))
        };
        let mut sum = 0_usize;
        for row in 0..rows {
            let second = || number(1, row).map_or(0, many);
            let bytes = match self.measure {
                Measure::Repeated => size(0, row).saturating_mul(second()),
                Measure::Padded => second().saturating_mul(CHARACTER),
                Measure::Elements => second().saturating_mul(size(2, row).max(NUMBER)),
                Measure::Replaced => size(0, row).saturating_mul(size(2, row).saturating_add(1)),
                Measure::Counted => {
                    let (from, to) = match columns.len() {
                        1 => (Some(0), number(0, row)),
                        _ => (number(0, row), number(1, row)),
                    };
                    let step = number(2, row).unwrap_or(1).unsigned_abs().max(1);
                    let span = from.zip(to).map_or(0, |(from, to)| to.abs_diff(from));
                    usize::try_from(span / step)
                        .unwrap_or(usize::MAX)
                        .saturating_mul(NUMBER)
                }
            };
            sum = sum.saturating_add(bytes);
        }
        Ok(sum)
    }
}

/// The values of a column of whole numbers; nothing for another.
fn whole(column: &ArrayRef) -> Result<Option<ArrayRef>> {
    match column.data_type().is_integer() {
        true => Ok(Some(compute::cast(column, &DataType::Int64)?)),
        false => Ok(None),
    }
}

/// Times and spans of a column, in microseconds. A month has 28 days here.
fn moment(column: &ArrayRef) -> Result<Option<ArrayRef>> {
    const DAY: i64 = 86_400_000_000;
    if let Some(spans) = column.as_primitive_opt::<IntervalMonthDayNanoType>() {
        let micros = |span: IntervalMonthDayNano| {
            let days = i64::from(span.months) * 28 + i64::from(span.days);
            days.saturating_mul(DAY)
                .saturating_add(span.nanoseconds / 1000)
        };
        return Ok(Some(Arc::new(spans.unary::<_, Int64Type>(micros))));
    }
    let times = DataType::Timestamp(TimeUnit::Microsecond, None);
    match compute::can_cast_types(column.data_type(), &times) {
        true => {
            let times = compute::cast(column, &times)?;
            Ok(Some(compute::cast(&times, &DataType::Int64)?))
        }
        false => Ok(None),
    }
}

/// The bytes of each value of a column: of texts their own, of others about what one of them has.
fn lengths(column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type().is_string() {
        let lengths = compute::kernels::length::length(column.as_ref())?;
        return Ok(compute::cast(&lengths, &DataType::Int64)?);
    }
    let all = column.to_data().get_slice_memory_size()?;
    let one = all.div_ceil(column.len().max(1)).max(NUMBER);
    let one = i64::try_from(one).unwrap_or(i64::MAX);
    Ok(Arc::new(Int64Array::from_value(one, column.len())))
}
