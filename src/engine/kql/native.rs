//! Compiled expressions as expressions of DataFusion, column by column where Kusto's answer is certain to be the same.
//!
//! Comparisons, conditions, choices, string operators and paths are whole columns at a time, and those on stored columns let files and
//! row groups be passed over. A path that the archive keeps as a column is read from that column wherever its text is what counts.
//! All else is evaluated row by row ([`row`]), with its paths found first: no JSON is read twice.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, ScalarValue};
use datafusion::logical_expr::{
    Expr, LogicalPlan, Operator, binary_expr, in_subquery, not_in_subquery, scalar_subquery,
};
use datafusion::prelude::{in_list, lit};

use super::arrays;
use super::lifted::{self, Lift};
use super::matching::{Searched, Test, test};
use super::path::{Document, Kind, Want};
use super::relation::{Column, Relation};
use super::row::{self, Then};
use super::transcode::{local, printed, text};
use crate::function::Env;
use crate::function::operate::List;
use crate::function::value::{Place, Type, Value, read_bool};
use crate::kql::ast::{ArithmeticOp, CompareOp, InKind, InOp};
use crate::kql::eval::{Compiled, Node, PathStep};

/// Longer lists are looked up by hash.
pub(super) const SHORT_LIST: usize = 30;

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Its value counts.
    Value,
    /// Only whether it is true counts: null may stand for false.
    Filter,
}

/// A subquery that is not run while the query around it is planned.
pub(super) struct Awaited {
    /// Its first column; of a scalar, only the first row.
    pub plan: Arc<LogicalPlan>,
    /// Of a list: all its values as one array.
    pub array: Option<Arc<LogicalPlan>>,
    /// The type of the column.
    pub ty: Type,
}

/// Plans expressions over a relation.
pub(super) struct Native<'a> {
    pub over: &'a Relation,
    pub env: &'a Env,
    /// Subqueries that the query is planned with.
    pub awaited: &'a [Awaited],
}

impl Native<'_> {
    /// The expression, for its value.
    pub(super) fn value(&self, compiled: &Compiled) -> Expr {
        let exact = self.exact(compiled, For::Value);
        let value = exact.unwrap_or_else(|| self.by_row(compiled));
        // Of a column it is known.
        match compiled.as_column().is_none() && self.over.gives_local_times(compiled) {
            true => local(value),
            false => value,
        }
    }

    /// The expression as a condition on rows.
    pub(super) fn filter(&self, compiled: &Compiled) -> Expr {
        if compiled.ty != Type::Bool {
            return self.rows("is_true", compiled.clone(), Then::IsTrue);
        }
        self.exact(compiled, For::Filter)
            .unwrap_or_else(|| self.by_row(compiled))
    }

    fn by_row(&self, compiled: &Compiled) -> Expr {
        let name = match compiled.node() {
            Node::Call(function, _) => function.name,
            Node::Arithmetic(..) => "arithmetic",
            Node::Compare(op, ..) => lifted::compare_name(*op),
            Node::ListEach(op, ..) => list_name(*op),
            Node::MatchEach(..) => "compare",
            Node::Match(_, matcher) => matcher.name(),
            _ => "kql",
        };
        self.rows(name, compiled.clone(), Then::Value)
    }

    /// Evaluates row by row; paths are columns of their own.
    fn rows(&self, name: &'static str, mut compiled: Compiled, then: Then) -> Expr {
        let width = self.over.columns.len();
        let mut found: Vec<(Expr, Type)> = Vec::new();
        compiled.replace(&mut |part| {
            let path = matches!(part.node(), Node::Path(..));
            let text = matches!(part.node(), Node::Call(f, _) if f.name == "tostring");
            let asked = matches!(part.node(), Node::Awaited(_));
            // A function's arguments are on its stack, and nowhere else.
            let alone = (path || text || asked) && !part.has_local();
            let expr = alone.then(|| self.exact(part, For::Value))??;
            // Each call of what is random gives a value of its own.
            let same = |(other, _): &(Expr, Type)| *other == expr && !part.is_random();
            let known = found.iter().position(same);
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
        row::call(name, (compiled.over(&used), then), self.env, columns, types)
    }

    /// A value that is the same for all rows.
    fn fixed(&self, compiled: &Compiled) -> Option<Value> {
        match compiled.node() {
            Node::Constant(value) => Some(value.clone()),
            _ if compiled.awaits().is_some() => None,
            _ => compiled.is_fixed().then(|| compiled.eval(self.env, &[])),
        }
    }

    pub(super) fn column(&self, compiled: &Compiled) -> Option<&Column> {
        self.over.columns.get(compiled.as_column()?)
    }

    /// The same column by column; nothing where that might give another answer.
    pub(super) fn exact(&self, compiled: &Compiled, why: For) -> Option<Expr> {
        if let Some(value) = self.fixed(compiled) {
            return literal(&value, compiled.ty);
        }
        match compiled.node() {
            Node::Column(_) => Some(self.column(compiled)?.expr()),
            Node::And(all) => self.joined(all, Operator::And, why),
            Node::Or(all) => self.joined(all, Operator::Or, why),
            Node::Compare(op, left, right) => {
                let whole = self.compare(*op, left, right, why);
                whole.or_else(|| self.lifted(Lift::Compare(*op), &[left, right], Type::Bool))
            }
            Node::Between(negated, parts) => {
                let [value, low, high] = parts.as_ref();
                let whole = self.between(*negated, value, low, high, why);
                let body = Lift::Between(*negated);
                whole.or_else(|| self.lifted(body, &[value, low, high], Type::Bool))
            }
            Node::MatchEach(op, left, right) => {
                self.lifted(Lift::Match(*op), &[left, right], Type::Bool)
            }
            Node::Negate(one) => self.lifted(Lift::Negate, &[one], compiled.ty),
            Node::Match(left, matcher) => {
                if why == For::Filter
                    && let Some(condition) = self.starts_stored(left, matcher)
                {
                    return Some(condition);
                }
                // Null matches nothing; as text it is empty.
                if left.ty != Type::String && matcher.matches("") {
                    return None;
                }
                let test_of = Test::Match(Arc::clone(matcher));
                // All of a JSON column is searched as it stands, and printed where that may matter.
                if let Some(column) = self.column(left).filter(|c| c.ty == Type::Dynamic) {
                    return Some(test(column.expr(), test_of, Searched::Json));
                }
                Some(test(self.text(left)?, test_of, Searched::Text))
            }
            Node::List(left, list) => self.list(left, list, why),
            Node::Path(..) => match self.document(compiled) {
                Some(document) => Some(self.found(document, Want::Json)),
                None => self.part_of_split(compiled, Type::Dynamic),
            },
            Node::Awaited(at) => {
                let asked = self.awaited.get(*at)?;
                let plan = asked.array.as_ref().unwrap_or(&asked.plan);
                Some(scalar_subquery(Arc::clone(plan)))
            }
            Node::ListEach(op, left, list) => self.list_of_subquery(*op, left, list, why),
            Node::Fit(inner) if inner.ty == compiled.ty => self.exact(inner, why),
            Node::Fit(inner) if compiled.ty == Type::String => self.text(inner),
            Node::Fit(inner) => self.lifted(Lift::Fit, &[inner], compiled.ty),
            Node::Call(function, arguments) => self.call(function, arguments, compiled.ty),
            Node::Arithmetic(first, rest) => self.arithmetic(first, rest),
            _ => None,
        }
    }

    fn joined(&self, all: &[Compiled], op: Operator, why: For) -> Option<Expr> {
        match all {
            [] => None,
            [part] => Some(match (part.ty, why) {
                (_, For::Filter) => self.filter(part),
                (Type::Bool, For::Value) => self.value(part),
                _ => self.rows("tobool", part.clone(), Then::ToBool),
            }),
            // Halves, so that a long chain makes no deep tree.
            _ => {
                let (left, right) = all.split_at(all.len() / 2);
                let (left, right) = (self.joined(left, op, why)?, self.joined(right, op, why)?);
                Some(binary_expr(left, op, right))
            }
        }
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
                if op == CompareOp::Equal
                    && why == For::Filter
                    && let Some(condition) = self.equals_stored(left, &wanted)
                {
                    return Some(condition);
                }
                if let Some(kept) = self.document(left).and_then(|d| self.kept(&d))
                    && is_plain(&wanted)
                {
                    return match op {
                        CompareOp::Equal => Some(text(kept).eq(lit(wanted))),
                        CompareOp::NotEqual => Some(text(kept).not_eq(lit(wanted))),
                        _ => None,
                    };
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
                        CompareOp::Equal if why == For::Filter && at(true) == at(false) => {
                            return Some(stored.eq(at(true)));
                        }
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
        if low.awaits().or(high.awaits()).is_some() {
            let alike = [low, high].iter().all(|bound| bound.ty == value.ty);
            if negated || !alike || value.as_column().is_none() {
                return None;
            }
            let from = self.compare(CompareOp::GreaterEqual, value, low, why)?;
            return Some(from.and(self.compare(CompareOp::LessEqual, value, high, why)?));
        }
        let (from, to) = match (self.fixed(low), self.fixed(high)) {
            (Some(from), Some(to)) => (from, to),
            _ => return self.between_columns(negated, value, low, high, why),
        };
        let to = match (&from, &to) {
            (Value::DateTime(from), Value::Timespan(length)) => {
                Value::datetime(from.checked_add(*length)?)
            }
            _ => to,
        };
        // What is no column would be computed twice.
        let column = value.as_column().is_some();
        if !column || !ordered(value.ty) || from.is_null() || to.is_null() {
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

    /// `between` whose bounds are those of the row.
    fn between_columns(
        &self,
        negated: bool,
        value: &Compiled,
        low: &Compiled,
        high: &Compiled,
        why: For,
    ) -> Option<Expr> {
        // What is no column would be computed twice.
        let columns = value.as_column().is_some() && low.as_column().is_some();
        if negated || !columns || why != For::Filter {
            return None;
        }
        let from = self.compare(CompareOp::GreaterEqual, value, low, why)?;
        let to = match (value.ty, low.ty, high.ty) {
            (Type::DateTime, Type::DateTime, Type::Timespan) => {
                let add = Lift::Arithmetic(ArithmeticOp::Add);
                let columns = vec![self.value(low), self.value(high)];
                let types = vec![low.ty, high.ty];
                let high = lifted::call(add, columns, types, Type::DateTime)?;
                binary_expr(self.value(value), Operator::LtEq, high)
            }
            _ => self.compare(CompareOp::LessEqual, value, high, why)?,
        };
        Some(from.and(to))
    }

    /// `in (T | …)` of a condition, in a query that is planned.
    fn list_of_subquery(
        &self,
        op: InOp,
        left: &Compiled,
        list: &[Compiled],
        why: For,
    ) -> Option<Expr> {
        let [only] = list else {
            return None;
        };
        let Node::Awaited(at) = only.node() else {
            return None;
        };
        let asked = self.awaited.get(*at)?;
        let plain = !matches!(asked.ty, Type::Dynamic | Type::Real | Type::Decimal);
        let value = match left.ty {
            ty if ty == asked.ty && plain => self.value(left),
            Type::Dynamic if asked.ty == Type::String => self.text(left)?,
            _ => return None,
        };
        if op.kind != InKind::In || !op.case_sensitive || why != For::Filter {
            return None;
        }
        let rows = Arc::clone(&asked.plan);
        Some(match op.negated {
            true => not_in_subquery(value, rows),
            false => in_subquery(value, rows),
        })
    }

    fn list(&self, left: &Compiled, list: &Arc<List>, why: For) -> Option<Expr> {
        let op = list.op();
        if matches!(left.ty, Type::Int | Type::Long) && why == For::Filter {
            return self.in_numbers(left, list);
        }
        if left.ty != Type::String {
            let certain = match op.kind {
                // A bool in a dynamic equals more texts than its own.
                InKind::In => list.texts().is_some_and(|texts| {
                    // Arrays and bags are compared as they are, whatever the operator says of case.
                    let nested = |t: &str| !op.case_sensitive && t.starts_with(['[', '{']);
                    texts
                        .iter()
                        .all(|t| !t.is_empty() && read_bool(t).is_none() && !nested(t))
                }),
                InKind::HasAny | InKind::HasAll => list.holds_text("") == op.negated,
            };
            if left.ty != Type::Dynamic || !certain {
                return None;
            }
        }
        if why == For::Filter
            && let Some(condition) = self.in_stored(left, list)
        {
            return Some(condition);
        }
        let short = |texts: &&HashSet<String>| op.case_sensitive && texts.len() <= SHORT_LIST;
        if let Some(texts) = list.texts().filter(short) {
            let mut texts: Vec<&String> = texts.iter().collect();
            texts.sort();
            let texts = texts.into_iter().map(|text| lit(text.as_str())).collect();
            return Some(in_list(self.text(left)?, texts, op.negated));
        }
        Some(test(
            self.text(left)?,
            Test::List(Arc::clone(list)),
            Searched::Text,
        ))
    }

    /// The text of a value as `tostring` gives it: never null, empty of null.
    pub(super) fn text(&self, compiled: &Compiled) -> Option<Expr> {
        match compiled.ty {
            Type::String => Some(self.value(compiled)),
            Type::Dynamic => {
                if let Some(document) = self.document(compiled) {
                    if let Some(kept) = self.kept(&document) {
                        return Some(printed(text(kept)));
                    }
                    return Some(self.found(document, Want::Text));
                }
                if let Some(part) = self.part_of_split(compiled, Type::String) {
                    return Some(part);
                }
                self.lifted(Lift::Fit, &[compiled], Type::String)
            }
            _ => self.lifted(Lift::Fit, &[compiled], Type::String),
        }
    }

    /// Where the JSON of a dynamic expression stands.
    pub(super) fn document(&self, compiled: &Compiled) -> Option<Document> {
        match compiled.node() {
            Node::Column(at) if compiled.ty == Type::Dynamic => Some(Document {
                text: self.column(compiled)?.expr(),
                column: Some(*at),
                kind: Kind::Dynamic,
                places: Vec::new(),
            }),
            Node::Path(base, steps) => {
                let mut places = Vec::with_capacity(steps.len());
                for step in steps {
                    places.push(match step {
                        PathStep::Member(name) => Place::Member(Arc::clone(name)),
                        PathStep::Index(index) => match self.fixed(index)? {
                            Value::String(name) => Place::Member(name),
                            at @ (Value::Int(_) | Value::Long(_)) => Place::Element(at.to_long()?),
                            _ => return None,
                        },
                    });
                }
                let mut document = self.document(base)?;
                document.places.extend(places);
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
                    && dynamic.ty == Type::Dynamic
                {
                    if let Some(column) = dynamic.as_column() {
                        return Some(Document {
                            text: self.column(dynamic)?.expr(),
                            column: Some(column),
                            kind: Kind::Unwrapped,
                            places: Vec::new(),
                        });
                    }
                    // No string, it is the same when it is read again.
                    if let Some((document, _)) = self.kept_list(dynamic) {
                        return Some(document);
                    }
                }
                (one.ty == Type::String).then(|| Document {
                    text: self.value(one),
                    column: one.as_column(),
                    kind: Kind::Text,
                    places: Vec::new(),
                })
            }
            _ => None,
        }
    }
}

/// What a comparison with a list is called where a plan is read.
fn list_name(op: InOp) -> &'static str {
    match (op.kind, op.negated) {
        (InKind::In, false) => "in",
        (InKind::In, true) => "not_in",
        (InKind::HasAny, false) => "has_any",
        (InKind::HasAny, true) => "not_has_any",
        (InKind::HasAll, false) => "has_all",
        (InKind::HasAll, true) => "not_has_all",
    }
}

pub(super) fn field(name: &str) -> Expr {
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

/// Whether no array or bag prints as this text, and it is not empty.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['[', '{'])
}
