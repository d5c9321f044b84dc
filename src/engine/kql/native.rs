//! Compiled expressions as expressions of DataFusion, column by column where Kusto's answer is certain to be the same.
//!
//! Comparisons, conditions, choices, string operators and paths are whole columns at a time, and those on stored columns let files and
//! row groups be passed over. A path that the archive keeps as a column is read from that column wherever its text is what counts.
//! All else is evaluated row by row ([`row`]), with its paths found first: no JSON is read twice.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Column as PlanColumn, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    binary_expr, when,
};
use datafusion::prelude::{in_list, lit};

use super::arrays;
use super::relation::{Column, Relation};
use super::row;
use crate::kql::ast::{CompareOp, InKind};
use crate::kql::eval::{Compiled, Node, PathStep};
use crate::kql::function::Env;
use crate::kql::operate::{List, Matcher};
use crate::kql::value::{Json, Place, Type, Value, read_bool};

/// Longer lists are looked up by hash.
const SHORT_LIST: usize = 30;

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// Its value counts.
    Value,
    /// Only whether it is true counts: null may stand for false.
    Filter,
}

/// Plans expressions over a relation.
pub(super) struct Native<'a> {
    pub over: &'a Relation,
    pub env: &'a Env,
}

/// JSON text in a column, and where in it.
struct Document {
    text: Expr,
    /// Where it is a stored column: which.
    column: Option<usize>,
    /// A JSON string stands for the JSON in it.
    unwrap: bool,
    places: Vec<Place>,
}

impl Native<'_> {
    /// The expression, for its value.
    pub fn value(&self, compiled: &Compiled) -> Expr {
        self.exact(compiled, For::Value)
            .unwrap_or_else(|| self.by_row(compiled))
    }

    /// The expression as a condition on rows.
    pub fn filter(&self, compiled: &Compiled) -> Expr {
        if compiled.ty != Type::Bool {
            let condition = compiled.clone();
            return self.rows("is_true", condition, Type::Bool, |value| {
                Value::Bool(value.to_bool() == Some(true))
            });
        }
        self.exact(compiled, For::Filter)
            .unwrap_or_else(|| self.by_row(compiled))
    }

    fn by_row(&self, compiled: &Compiled) -> Expr {
        let name = match compiled.node() {
            Node::Call(function, _) => function.name,
            Node::Arithmetic(..) => "arithmetic",
            Node::Compare(..) | Node::MatchEach(..) | Node::ListEach(..) => "compare",
            Node::Match(_, matcher) => matcher.name(),
            _ => "kql",
        };
        self.rows(name, compiled.clone(), compiled.ty, |value| value)
    }

    /// Evaluates row by row; paths are columns of their own.
    fn rows(
        &self,
        name: &'static str,
        mut compiled: Compiled,
        ty: Type,
        then: impl Fn(Value) -> Value + Send + Sync + 'static,
    ) -> Expr {
        let width = self.over.columns.len();
        let mut found: Vec<(Expr, Type)> = Vec::new();
        compiled.replace(&mut |part| {
            let path = matches!(part.node(), Node::Path(..));
            let text = matches!(part.node(), Node::Call(f, _) if f.name == "tostring");
            let expr = (path || text).then(|| self.exact(part, For::Value))??;
            let known = found.iter().position(|(other, _)| *other == expr);
            Some(
                width
                    + known.unwrap_or_else(|| {
                        found.push((expr, part.ty));
                        found.len() - 1
                    }),
            )
        });
        let used = compiled.columns();
        let (columns, types) = used
            .iter()
            .map(|at| match self.over.columns.get(*at) {
                Some(column) => (column.expr(), column.ty),
                None => found[*at - width].clone(),
            })
            .unzip();
        let (compiled, env) = (compiled.over(&used), self.env.clone());
        row::call(name, columns, types, ty, move |row| {
            then(compiled.eval(&env, row))
        })
    }

    /// A value that is the same for all rows.
    fn fixed(&self, compiled: &Compiled) -> Option<Value> {
        match compiled.node() {
            Node::Constant(value) => Some(value.clone()),
            _ => compiled.is_fixed().then(|| compiled.eval(self.env, &[])),
        }
    }

    fn column(&self, compiled: &Compiled) -> Option<&Column> {
        self.over.columns.get(compiled.as_column()?)
    }

    /// The same column by column; nothing where that might give another answer.
    fn exact(&self, compiled: &Compiled, why: For) -> Option<Expr> {
        if let Some(value) = self.fixed(compiled) {
            return literal(&value, compiled.ty);
        }
        match compiled.node() {
            Node::Column(_) => Some(self.column(compiled)?.expr()),
            Node::And(all) => self.joined(all, Operator::And, why),
            Node::Or(all) => self.joined(all, Operator::Or, why),
            Node::Compare(op, left, right) => self.compare(*op, left, right, why),
            Node::Between(negated, parts) => {
                let [value, low, high] = parts.as_ref();
                self.between(*negated, value, low, high, why)
            }
            Node::Match(left, matcher) => {
                // Null matches nothing; as text it is empty.
                if left.ty != Type::String && matcher.matches("") {
                    return None;
                }
                let text = self.text(left)?;
                Some(test(text, Test::Match(Arc::clone(matcher))))
            }
            Node::List(left, list) => self.list(left, list),
            Node::Path(..) => {
                let document = self.document(compiled)?;
                Some(find(document, Want::Json))
            }
            Node::Fit(inner) if inner.ty == compiled.ty => self.exact(inner, why),
            Node::Call(function, arguments) => self.call(function.name, arguments, compiled.ty),
            _ => None,
        }
    }

    fn joined(&self, all: &[Compiled], op: Operator, why: For) -> Option<Expr> {
        all.iter()
            .map(|part| match (part.ty, why) {
                (_, For::Filter) => self.filter(part),
                (Type::Bool, For::Value) => self.value(part),
                _ => self.rows("tobool", part.clone(), Type::Bool, |value| {
                    value.to_bool().map_or(Value::Null, Value::Bool)
                }),
            })
            .reduce(|a, b| binary_expr(a, op, b))
    }

    fn compare(&self, op: CompareOp, left: &Compiled, right: &Compiled, why: For) -> Option<Expr> {
        let (op, left, value) = match (self.fixed(right), self.fixed(left)) {
            (Some(value), _) => (op, left, value),
            (None, Some(value)) => (turned(op), right, value),
            (None, None) => return self.compare_columns(op, left, right, why),
        };
        match (left.ty, value.ty()?) {
            (Type::String | Type::Dynamic, Type::String) => {
                let wanted = value.text().into_owned();
                if let Some(Column {
                    ty: Type::String,
                    stored: Some(stored),
                    ..
                }) = self.column(left)
                    && !wanted.is_empty()
                    && op == CompareOp::Equal
                    && why == For::Filter
                {
                    return Some(field(stored).eq(lit(wanted)));
                }
                // A null is no empty string.
                if left.ty == Type::Dynamic && wanted.is_empty() {
                    return None;
                }
                let text = self.text(left)?;
                match op {
                    CompareOp::Equal => Some(text.eq(lit(wanted))),
                    CompareOp::NotEqual => Some(text.not_eq(lit(wanted))),
                    _ => None,
                }
            }
            (Type::DateTime, Type::DateTime) => {
                if let (
                    Some(Column {
                        stored: Some(stored),
                        ..
                    }),
                    Value::DateTime(ticks),
                ) = (self.column(left), &value)
                {
                    let at = |up| lit(arrays::timestamp_scalar(*ticks, up));
                    let stored = field(stored);
                    match op {
                        CompareOp::Greater => return Some(stored.gt(at(false))),
                        CompareOp::GreaterEqual => return Some(stored.gt_eq(at(true))),
                        CompareOp::Less => return Some(stored.lt(at(true))),
                        CompareOp::LessEqual => return Some(stored.lt_eq(at(false))),
                        CompareOp::Equal | CompareOp::NotEqual => {}
                    }
                }
                self.plain(op, left, &value, why)
            }
            (Type::Int | Type::Long, Type::Int | Type::Long)
            | (Type::Timespan, Type::Timespan)
            | (Type::Bool, Type::Bool) => self.plain(op, left, &value, why),
            _ => None,
        }
    }

    /// Two types whose order is that of their columns.
    fn plain(&self, op: CompareOp, left: &Compiled, value: &Value, why: For) -> Option<Expr> {
        let (a, b) = (self.value(left), literal(value, value.ty()?)?);
        Some(match (op, why) {
            (CompareOp::Equal, For::Filter) => a.eq(b),
            // One null makes `==` false and `!=` true.
            (CompareOp::Equal, For::Value) => binary_expr(a, Operator::IsNotDistinctFrom, b),
            (CompareOp::NotEqual, _) => binary_expr(a, Operator::IsDistinctFrom, b),
            (op, _) => binary_expr(a, operator(op), b),
        })
    }

    fn compare_columns(
        &self,
        op: CompareOp,
        left: &Compiled,
        right: &Compiled,
        why: For,
    ) -> Option<Expr> {
        let whole = |ty| matches!(ty, Type::Int | Type::Long);
        let equality = matches!(op, CompareOp::Equal | CompareOp::NotEqual);
        let fits = match (left.ty, right.ty) {
            (Type::String, Type::String) => equality,
            (Type::DateTime, Type::DateTime) | (Type::Timespan, Type::Timespan) => {
                !equality || op == CompareOp::Equal && why == For::Filter
            }
            (a, b) if whole(a) && whole(b) => {
                !equality || op == CompareOp::Equal && why == For::Filter
            }
            _ => false,
        };
        fits.then(|| binary_expr(self.value(left), operator(op), self.value(right)))
    }

    fn between(
        &self,
        negated: bool,
        value: &Compiled,
        low: &Compiled,
        high: &Compiled,
        why: For,
    ) -> Option<Expr> {
        let ordered = |ty| matches!(ty, Type::Int | Type::Long | Type::DateTime | Type::Timespan);
        let (from, to) = (self.fixed(low)?, self.fixed(high)?);
        let to = match (&from, &to) {
            (Value::DateTime(from), Value::Timespan(length)) => {
                Value::datetime(from.checked_add(*length)?)
            }
            _ => to,
        };
        if !ordered(value.ty) || from.is_null() || to.is_null() {
            return None;
        }
        let bound = |op, bound: Value| {
            let ty = bound.ty()?;
            let bound = Compiled::constant(bound, ty);
            self.compare(op, value, &bound, why)
        };
        let inside = bound(CompareOp::GreaterEqual, from)?.and(bound(CompareOp::LessEqual, to)?);
        Some(match negated {
            true => datafusion::logical_expr::not(inside),
            false => inside,
        })
    }

    fn list(&self, left: &Compiled, list: &Arc<List>) -> Option<Expr> {
        let op = list.op();
        if left.ty != Type::String {
            let certain = match op.kind {
                // A bool in a dynamic equals more texts than its own.
                InKind::In => list.texts().is_some_and(|texts| {
                    texts
                        .iter()
                        .all(|t| !t.is_empty() && read_bool(t).is_none())
                }),
                InKind::HasAny | InKind::HasAll => list.holds_text("") == op.negated,
            };
            if left.ty != Type::Dynamic || !certain {
                return None;
            }
        }
        let short = |texts: &&HashSet<String>| op.case_sensitive && texts.len() <= SHORT_LIST;
        if let Some(texts) = list.texts().filter(short) {
            let mut texts: Vec<&String> = texts.iter().collect();
            texts.sort();
            let texts = texts.into_iter().map(|text| lit(text.as_str())).collect();
            return Some(in_list(self.text(left)?, texts, op.negated));
        }
        Some(test(self.text(left)?, Test::List(Arc::clone(list))))
    }

    fn call(&self, name: &str, arguments: &[Compiled], ty: Type) -> Option<Expr> {
        match (name, arguments) {
            ("not", [one]) if one.ty == Type::Bool => {
                Some(datafusion::logical_expr::not(self.value(one)))
            }
            ("isempty", [one]) => Some(self.text(one)?.eq(lit(""))),
            ("isnotempty" | "notempty", [one]) => Some(self.text(one)?.not_eq(lit(""))),
            ("isnull", [one]) if !matches!(one.ty, Type::String | Type::Dynamic | Type::Guid) => {
                Some(self.value(one).is_null())
            }
            ("isnotnull" | "notnull", [one])
                if !matches!(one.ty, Type::String | Type::Dynamic | Type::Guid) =>
            {
                Some(self.value(one).is_not_null())
            }
            ("tostring", [one]) => self.text(one),
            ("iff" | "iif", [condition, then, other]) if then.ty == ty && other.ty == ty => {
                when(self.filter(condition), self.value(then))
                    .otherwise(self.value(other))
                    .ok()
            }
            ("case", [branches @ .., last])
                if branches.len() >= 2
                    && last.ty == ty
                    && branches
                        .chunks(2)
                        .all(|pair| pair.len() == 2 && pair[1].ty == ty) =>
            {
                let mut pairs = branches.chunks_exact(2);
                let first = pairs.next()?;
                let mut case = when(self.filter(&first[0]), self.value(&first[1]));
                for pair in pairs {
                    case = case.when(self.filter(&pair[0]), self.value(&pair[1]));
                }
                case.otherwise(self.value(last)).ok()
            }
            _ => None,
        }
    }

    /// The text of a value as `tostring` gives it: never null, empty of null.
    fn text(&self, compiled: &Compiled) -> Option<Expr> {
        match compiled.ty {
            Type::String => Some(self.value(compiled)),
            Type::Dynamic => {
                let document = self.document(compiled)?;
                if let Some(kept) = self.kept(&document) {
                    return Some(kept);
                }
                Some(find(document, Want::Text))
            }
            _ => None,
        }
    }

    /// The column in which the archive keeps a path.
    fn kept(&self, document: &Document) -> Option<Expr> {
        let column = self.over.columns.get(document.column?)?;
        let mut path = String::new();
        for place in &document.places {
            let Place::Member(name) = place else {
                return None;
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        let kept = column.paths.get(&path)?;
        Some(datafusion::prelude::coalesce(vec![field(kept), lit("")]))
    }

    /// Where the JSON of a dynamic expression stands.
    fn document(&self, compiled: &Compiled) -> Option<Document> {
        match compiled.node() {
            Node::Column(at) if compiled.ty == Type::Dynamic => Some(Document {
                text: self.column(compiled)?.expr(),
                column: Some(*at),
                unwrap: false,
                places: Vec::new(),
            }),
            Node::Path(base, steps) => {
                let mut document = self.document(base)?;
                for step in steps {
                    document.places.push(match step {
                        PathStep::Member(name) => Place::Member(Arc::clone(name)),
                        PathStep::Index(index) => match self.fixed(index)? {
                            Value::String(name) => Place::Member(name),
                            value => Place::Element(value.to_long()?),
                        },
                    });
                }
                Some(document)
            }
            Node::Call(function, arguments)
                if matches!(function.name, "parse_json" | "todynamic" | "parsejson") =>
            {
                let [one] = arguments.as_slice() else {
                    return None;
                };
                // Of a dynamic, it gives the dynamic.
                if one.ty == Type::Dynamic {
                    return self.document(one);
                }
                // JSON printed and read again.
                if let Node::Call(inner, arguments) = one.node()
                    && inner.name == "tostring"
                    && let [dynamic] = arguments.as_slice()
                    && let Some(column) = dynamic.as_column()
                    && dynamic.ty == Type::Dynamic
                {
                    return Some(Document {
                        text: self.column(dynamic)?.expr(),
                        column: Some(column),
                        unwrap: true,
                        places: Vec::new(),
                    });
                }
                (one.ty == Type::String).then(|| Document {
                    text: self.value(one),
                    column: one.as_column(),
                    unwrap: false,
                    places: Vec::new(),
                })
            }
            _ => None,
        }
    }
}

fn field(name: &str) -> Expr {
    Expr::Column(PlanColumn::from_name(name))
}

fn literal(value: &Value, ty: Type) -> Option<Expr> {
    let array = arrays::array(std::iter::once(value), ty);
    Some(Expr::Literal(
        ScalarValue::try_from_array(&array, 0).ok()?,
        None,
    ))
}

fn operator(op: CompareOp) -> Operator {
    match op {
        CompareOp::Equal => Operator::Eq,
        CompareOp::NotEqual => Operator::NotEq,
        CompareOp::Less => Operator::Lt,
        CompareOp::LessEqual => Operator::LtEq,
        CompareOp::Greater => Operator::Gt,
        CompareOp::GreaterEqual => Operator::GtEq,
    }
}

/// The operator with its sides exchanged.
fn turned(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Less => CompareOp::Greater,
        CompareOp::LessEqual => CompareOp::GreaterEqual,
        CompareOp::Greater => CompareOp::Less,
        CompareOp::GreaterEqual => CompareOp::LessEqual,
        same => same,
    }
}

/// What is wanted of a place in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Want {
    /// The JSON; null where there is none.
    Json,
    /// Its text; empty where there is none.
    Text,
}

/// What stands at a place of JSON text, which is not read into memory for it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Find {
    places: Vec<Place>,
    unwrap: bool,
    want: Want,
    signature: Signature,
}

fn find(document: Document, want: Want) -> Expr {
    let mut path = String::from("$");
    for place in &document.places {
        match place {
            Place::Member(name) => path.extend([".", name]),
            Place::Element(at) => path.push_str(&format!("[{at}]")),
        }
    }
    let function = Find {
        places: document.places,
        unwrap: document.unwrap,
        want,
        signature: row::signature(2),
    };
    ScalarUDF::from(function).call(vec![document.text, lit(path)])
}

impl ScalarUDFImpl for Find {
    fn name(&self) -> &str {
        match self.want {
            Want::Json => "json_path",
            Want::Text => "json_path_text",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = first(args)?;
        let texts = texts.as_string::<i32>();
        let mut out = StringBuilder::with_capacity(texts.len(), texts.len() * 16);
        for text in texts {
            let unwrapped;
            let text = match text {
                Some(text) if self.unwrap && text.trim_start().starts_with('"') => {
                    match Json::parse(text) {
                        Some(Json::String(inner)) => {
                            unwrapped = inner;
                            Some(&*unwrapped)
                        }
                        _ => Some(text),
                    }
                }
                text => text,
            };
            let found = text.and_then(|text| match self.places.as_slice() {
                [] => Some(text),
                places => Json::find(text, places),
            });
            match (found, self.want) {
                (None | Some("null"), Want::Json) => out.append_null(),
                (None | Some("null"), Want::Text) => out.append_value(""),
                (Some(json), Want::Json) => out.append_value(Json::compact(json)),
                (Some(json), Want::Text) => match plain_string(json) {
                    Some(inner) => out.append_value(inner),
                    None => match Json::parse(json) {
                        Some(Json::String(inner)) => out.append_value(inner),
                        Some(_) => out.append_value(Json::compact(json)),
                        // Text that is no JSON is a string.
                        None => out.append_value(json),
                    },
                },
            }
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}

/// An element of a column of arrays.
pub(super) fn element(array: Expr, at: usize) -> Expr {
    let document = Document {
        text: array,
        column: None,
        unwrap: false,
        places: vec![Place::Element(at as i64)],
    };
    find(document, Want::Json)
}

/// What a JSON string without escapes says.
fn plain_string(json: &str) -> Option<&str> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['\\', '"'])).then_some(inner)
}

fn first(args: ScalarFunctionArgs) -> Result<ArrayRef> {
    let rows = args.number_rows;
    let mut columns = args.args;
    columns.swap_remove(0).into_array(rows)
}

/// A string operator with its right side.
enum Test {
    Match(Arc<Matcher>),
    List(Arc<List>),
}

/// A string operator on a column of text that has no nulls.
struct TextTest {
    test: Test,
    signature: Signature,
}

fn test(text: Expr, test: Test) -> Expr {
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
    let call = ScalarUDF::from(TextTest {
        signature: row::signature(arguments.len()),
        test,
    })
    .call(arguments);
    match negated {
        true => datafusion::logical_expr::not(call),
        false => call,
    }
}

impl TextTest {
    /// Which operator it is: two are equal where these are the same.
    fn identity(&self) -> usize {
        match &self.test {
            Test::Match(matcher) => Arc::as_ptr(matcher) as usize,
            Test::List(list) => Arc::as_ptr(list) as usize,
        }
    }
}

impl fmt::Debug for TextTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for TextTest {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for TextTest {}

impl Hash for TextTest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl ScalarUDFImpl for TextTest {
    fn name(&self) -> &str {
        match &self.test {
            Test::Match(matcher) => matcher.name(),
            Test::List(list) => match (list.op().kind, list.op().case_sensitive) {
                (InKind::In, true) => "in",
                (InKind::In, false) => "in~",
                (InKind::HasAny, _) => "has_any",
                (InKind::HasAll, _) => "has_all",
            },
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = first(args)?;
        let texts = texts.as_string::<i32>();
        let mut out = BooleanBuilder::with_capacity(texts.len());
        for text in texts {
            let text = text.unwrap_or("");
            out.append_value(match &self.test {
                Test::Match(matcher) => matcher.matches(text),
                Test::List(list) => list.holds_text(text) != list.op().negated,
            });
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}
