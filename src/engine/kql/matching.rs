//! String operators on whole columns.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::lit;

use super::path::printed;
use super::row;
use super::transcode::{first, texts};
use crate::function::operate::{List, Matcher};
use crate::kql::ast::InKind;

/// A string operator with its right side.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// `has`, `contains`, `matches regex`, …
    Match(Arc<Matcher>),
    /// `in`, `has_any`, `has_all`
    List(Arc<List>),
}

/// What is in the column that is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Searched {
    /// Text.
    Text,
    /// JSON, which is searched as `tostring` prints it.
    Json,
}

/// A string operator on a column; null is the empty text.
#[derive(PartialEq, Eq, Hash)]
struct TextTest {
    name: String,
    test: Test,
    searched: Searched,
    signature: Signature,
}

/// The operator on a column of text.
pub(super) fn test(text: Expr, test: Test, searched: Searched) -> Expr {
    /// So many terms of a list are shown in a plan.
    const SHOWN: usize = 30;
    let shown = match &test {
        Test::Match(matcher) => vec![lit(matcher.needle())],
        Test::List(list) => {
            let mut texts: Vec<&str> = list
                .texts()
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect();
            texts.extend(list.terms());
            texts.sort_unstable();
            texts.into_iter().take(SHOWN).map(lit).collect()
        }
    };
    let negated = match &test {
        Test::Match(matcher) => matcher.negated(),
        Test::List(list) => list.op().negated,
    };
    let arguments: Vec<Expr> = std::iter::once(text).chain(shown).collect();
    let name = match &test {
        Test::Match(matcher) => matcher.name(),
        Test::List(list) => match (list.op().kind, list.op().case_sensitive) {
            (InKind::In, true) => "in",
            (InKind::In, false) => "in~",
            (InKind::HasAny, _) => "has_any",
            (InKind::HasAll, _) => "has_all",
        },
    };
    let call = ScalarUDF::from(TextTest {
        name: row::own_name(name),
        signature: row::signature(arguments.len()),
        test,
        searched,
    })
    .call(arguments);
    match negated {
        true => datafusion::logical_expr::not(call),
        false => call,
    }
}

impl fmt::Debug for TextTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl ScalarUDFImpl for TextTest {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = texts(first(args)?);
        let texts = texts.as_string::<i32>();
        let mut out = BooleanBuilder::with_capacity(texts.len());
        for text in texts {
            let text = text.unwrap_or("");
            out.append_value(match (&self.test, self.searched) {
                (Test::Match(matcher), Searched::Json) => {
                    matcher.may_match_json(text) && matcher.matches(&printed(text))
                }
                (Test::Match(matcher), Searched::Text) => matcher.matches(text),
                (Test::List(list), _) => list.holds_text(text) != list.op().negated,
            });
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}
