//! JSON paths in SQL (`->`, `->>`, `json_get_str` …), read as everywhere else.
//!
//! Functions and operators are those of the crate `datafusion-functions-json`. By itself it does not read a record with a lone backslash, and
//! takes the first of equal keys. So each of its functions is given what [`crate::text::json`] finds at the path, written as every reader takes
//! it; what the archive holds stays as it came.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExpressionPlacement, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;
use datafusion_functions_json::udfs;

use crate::text::json::{Place, Raw, find, strict};

/// Puts our reading in place of the crate's, once its own rules have made one path of several steps.
#[derive(Debug)]
pub(super) struct ReadAlike {
    /// Each function of the crate, and the one that stands for it.
    functions: Vec<(Arc<ScalarUDF>, Arc<ScalarUDF>)>,
}

impl ReadAlike {
    pub(super) fn new() -> Self {
        let theirs = [
            udfs::json_as_text_udf(),
            udfs::json_contains_udf(),
            udfs::json_get_udf(),
            udfs::json_get_array_udf(),
            udfs::json_get_bool_udf(),
            udfs::json_get_float_udf(),
            udfs::json_get_int_udf(),
            udfs::json_get_json_udf(),
            udfs::json_get_str_udf(),
            udfs::json_length_udf(),
            udfs::json_object_keys_udf(),
        ];
        let both = theirs.into_iter().map(|inner| {
            let ours = Forgiving {
                inner: Arc::clone(&inner),
            };
            (inner, Arc::new(ScalarUDF::from(ours)))
        });
        ReadAlike {
            functions: both.collect(),
        }
    }

    fn expression(&self, expr: Expr) -> Transformed<Expr> {
        let call = match expr {
            Expr::ScalarFunction(call) => call,
            other => return Transformed::no(other),
        };
        match self.functions.iter().find(|(inner, _)| *inner == call.func) {
            Some((_, ours)) => Transformed::yes(Expr::ScalarFunction(ScalarFunction {
                func: Arc::clone(ours),
                args: call.args,
            })),
            None => Transformed::no(Expr::ScalarFunction(call)),
        }
    }
}

impl AnalyzerRule for ReadAlike {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            plan.map_expressions(|expr| expr.transform_up(|expr| Ok(self.expression(expr))))
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &str {
        "read_json_alike"
    }
}

/// A function of JSON text and a path.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Forgiving {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Forgiving {
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

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.is_empty() {
            return self.inner.invoke_with_args(args);
        }
        let text = &args.args[0];
        let found = match places(&args.args[1..]) {
            None => changed(text, strict),
            Some(places) if self.inner.name() == "json_as_text" => {
                if let Some(texts) = changed(text, |text| Raw::of(find(text, &places)?).text()) {
                    return Ok(texts);
                }
                None
            }
            Some(places) => {
                let found = changed(text, |text| strict(find(text, &places)?));
                if found.is_some() {
                    // What is found needs no path.
                    args.args.truncate(1);
                    args.arg_fields.truncate(1);
                }
                found
            }
        };
        if let Some(found) = found {
            args.args[0] = found;
        }
        self.inner.invoke_with_args(args)
    }
}

/// The steps of a path that is the same for all rows; nothing where it is not, or where a key may be meant as an index, as PostgreSQL has it.
fn places(path: &[ColumnarValue]) -> Option<Vec<Place>> {
    let place = |step: &ColumnarValue| match step {
        ColumnarValue::Scalar(
            ScalarValue::Utf8(Some(key))
            | ScalarValue::LargeUtf8(Some(key))
            | ScalarValue::Utf8View(Some(key)),
        ) if key.parse::<isize>().is_err() => Some(Place::Member(key.as_str().into())),
        ColumnarValue::Scalar(ScalarValue::Int64(Some(at))) => Some(Place::Element(*at)),
        _ => None,
    };
    path.iter().map(place).collect()
}

/// Texts, each changed; nothing where the value is no text, such as what another of these functions gave.
fn changed(
    value: &ColumnarValue,
    change: impl for<'t> Fn(&'t str) -> Option<Cow<'t, str>>,
) -> Option<ColumnarValue> {
    let array: StringArray = match value {
        ColumnarValue::Scalar(
            ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text),
        ) => {
            let text = text.as_deref().and_then(&change);
            let text = ScalarValue::Utf8(text.map(Cow::into_owned));
            return Some(ColumnarValue::Scalar(text));
        }
        ColumnarValue::Array(array) => match array.data_type() {
            DataType::Utf8 => {
                let texts = array.as_string::<i32>().iter();
                texts.map(|text| change(text?)).collect()
            }
            DataType::LargeUtf8 => {
                let texts = array.as_string::<i64>().iter();
                texts.map(|text| change(text?)).collect()
            }
            DataType::Utf8View => {
                let texts = array.as_string_view().iter();
                texts.map(|text| change(text?)).collect()
            }
            _ => return None,
        },
        ColumnarValue::Scalar(_) => return None,
    };
    Some(ColumnarValue::Array(Arc::new(array)))
}
