//! Functions that look at other rows: `row_number`, `prev`, `next`, `row_cumsum`, `row_rank_dense`, `row_rank_min`.
//!
//! They ask for an order. Behind a sort, those that DataFusion has too go through the rows as they come; for all others the rows are made
//! first and then gone through one after the other.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Result as PlanResult, ScalarValue};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::lead_lag::{lag, lead};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    AggregateUDF, Expr as PlanExpr, ExprFunctionExt, LogicalPlan, Projection, SortExpr,
    WindowFrame, WindowFrameBound, WindowFrameUnits, when,
};
use datafusion::prelude::{cast, lit};

use super::later::ByColumn;
use super::lower::Lower;
use super::native::Native;
use super::relation::{Column, Relation, columns_of};
use super::{Failure, arrays};
use crate::function::value::{Decimal, Type, Value};
use crate::kql::ast::{Call, Expr, ExprKind, NamedExpr};
use crate::kql::eval::Compiled;
use crate::kql::special::Special;

/// Begins the names of columns that hold what a window function gave.
const MARK: &str = "\0w";

fn is_window(name: &str) -> bool {
    Special::named(name) == Some(Special::Window)
}

impl Lower<'_> {
    /// Computes the window functions of these items; the items then name their results.
    pub(super) fn windows(
        &mut self,
        relation: Relation,
        items: &[NamedExpr],
    ) -> Result<(Relation, Vec<NamedExpr>), Failure> {
        let mut items = items.to_vec();
        if !items.iter().any(|i| has_window(&i.expr)) {
            return Ok((relation, items));
        }
        if !relation.ordered {
            let span = items.first().map(|i| i.span).unwrap_or_default();
            return Err(Failure::at(
                span,
                "rows must be sorted or serialized before a function looks at other rows",
            ));
        }
        let mut columns = relation.schema();
        let mut steps = Vec::new();
        for item in &mut items {
            self.steps(&mut item.expr, &mut columns, &mut steps)?;
        }
        let mut local = relation.local_times();
        for step in &steps {
            let own = step.gives_local_times(&|at| local.get(at) == Some(&true));
            local.push(own);
        }
        let mut relation = relation;
        let mut streamed = Vec::new();
        let mut steps = steps.into_iter().peekable();
        while steps.peek().is_some() {
            // Those that need no result of one another go through the rows together.
            let known = relation.columns.len();
            let mut round = Vec::new();
            while let Some(step) = steps.next_if(|s| s.needs() <= known) {
                round.push(step);
            }
            relation = self
                .round(
                    &relation,
                    &columns[..known + round.len()],
                    round,
                    &mut streamed,
                )?
                .with_local_times(&local);
        }
        Ok((relation, items))
    }

    /// Adds the results of some window functions.
    fn round(
        &mut self,
        relation: &Relation,
        columns: &[(String, Type)],
        round: Vec<Window>,
        streamed: &mut Vec<(PlanExpr, String)>,
    ) -> Result<Relation, Failure> {
        if let Some(done) = self.streamed(relation, columns, &round, streamed)? {
            return Ok(done);
        }
        // Their fields are not there any more.
        streamed.clear();
        let mut list = columns_of(relation);
        let width = list.len();
        for window in &round {
            for argument in &window.arguments {
                let expr = self.expression(argument, relation);
                list.push((format!("{MARK}a{}", list.len()), argument.ty, expr));
            }
        }
        let prepared = self.fields.project(relation, list)?;
        let windows = Round {
            width,
            windows: round,
        };
        let mut made = self.batches_later("window", &prepared, columns, windows)?;
        made.ordered = true;
        Ok(made)
    }

    /// The same behind a sort, where DataFusion has all of these functions: it holds no more rows than they look back or ahead.
    ///
    /// `known` are those that stand in the plan already: DataFusion would put a window that stands there twice where it cannot run one.
    fn streamed(
        &mut self,
        relation: &Relation,
        columns: &[(String, Type)],
        round: &[Window],
        known: &mut Vec<(PlanExpr, String)>,
    ) -> Result<Option<Relation>, Failure> {
        let Some(order) = order_of(&relation.plan)? else {
            return Ok(None);
        };
        let native = self.native(relation);
        let calls = round.iter().map(|window| window.streamed(&native, &order));
        let Some(calls) = calls.collect::<Option<Vec<PlanExpr>>>() else {
            return Ok(None);
        };
        let mut out = relation.clone();
        let mut named = Vec::with_capacity(calls.len());
        for (call, (name, ty)) in calls.into_iter().zip(&columns[relation.columns.len()..]) {
            let same = known.iter().find(|(other, _)| *other == call);
            let field = match same {
                Some((_, field)) => field.clone(),
                None => {
                    let field = self.fields.next(name);
                    named.push(call.clone().alias(&field));
                    known.push((call, field.clone()));
                    field
                }
            };
            out.columns.push(Column::new(name, *ty, field));
        }
        if named.is_empty() {
            return Ok(Some(out));
        }
        // DataFusion takes what two windows have in common, one upon the other, out below both, where the results of the lower one are
        // not there yet: no two stand so.
        let apart = match top_window(&relation.plan) {
            true => {
                let columns = relation.plan.schema().columns();
                let all = columns.into_iter().map(PlanExpr::Column);
                out.with(relation.builder().project(all)?)?
            }
            false => out.clone(),
        };
        Ok(Some(apart.with(apart.builder().window(named)?)?))
    }

    /// Takes the results of window functions away.
    pub(super) fn drop_windows(&self, relation: &mut Relation) {
        relation.columns.retain(|c| !c.name.starts_with(MARK));
    }

    /// Puts columns in the place of window functions, the innermost first.
    fn steps(
        &mut self,
        expr: &mut Expr,
        columns: &mut Vec<(String, Type)>,
        steps: &mut Vec<Window>,
    ) -> Result<(), Failure> {
        for inner in children(expr) {
            self.steps(inner, columns, steps)?;
        }
        let ExprKind::Call(call) = &expr.kind else {
            return Ok(());
        };
        if !is_window(&call.name.text) {
            return Ok(());
        }
        let window = self.window(call, columns)?;
        let name = format!("{MARK}{}", columns.len());
        columns.push((name.clone(), window.ty));
        steps.push(window);
        expr.kind = ExprKind::Name(name);
        Ok(())
    }

    fn window(&mut self, call: &Call, columns: &[(String, Type)]) -> Result<Window, Failure> {
        let env = self.env.clone();
        let mut arguments = Vec::new();
        for argument in &call.arguments {
            arguments.push(self.compile(&argument.expr, columns)?);
        }
        let wrong = |what: &str| Failure::at(call.span, format!("`{}` {what}", call.name.text));
        let constant = |at: usize| arguments.get(at).map(|a| a.planned(&env));
        let first = arguments.first().map(|a| a.ty);
        let (kind, ty) = match (call.name.text.as_str(), first) {
            ("row_number", _) => match constant(0).map(|n| n.to_long()) {
                None => (Kind::Number(1), Type::Long),
                Some(Some(first)) => (Kind::Number(first), Type::Long),
                Some(None) => return Err(wrong("starts with a whole number")),
            },
            ("prev" | "next", Some(ty)) => match constant(1).map(|n| n.to_long()) {
                Some(Some(..=0) | None) => return Err(wrong("takes a distance above 0")),
                distance => {
                    let distance = distance.flatten().unwrap_or(1) as usize;
                    let back = call.name.text == "prev";
                    (Kind::Neighbour { back, distance }, ty)
                }
            },
            ("row_cumsum", Some(Type::Int | Type::Long)) => (Kind::Sum, Type::Long),
            ("row_cumsum", Some(ty @ (Type::Real | Type::Decimal | Type::Timespan))) => {
                (Kind::Sum, ty)
            }
            ("row_cumsum", _) => return Err(wrong("takes a number")),
            ("row_rank_dense", Some(_)) => (Kind::Rank { dense: true }, Type::Long),
            ("row_rank_min", Some(_)) => (Kind::Rank { dense: false }, Type::Long),
            ("row_window_session", Some(Type::DateTime)) => match (constant(1), constant(2)) {
                (Some(Value::Timespan(longest)), Some(Value::Timespan(gap))) => {
                    (Kind::Session { longest, gap }, Type::DateTime)
                }
                _ => return Err(wrong("takes timespans for the longest session and gap")),
            },
            ("row_window_session", _) => return Err(wrong("takes a datetime")),
            (_, None) => return Err(wrong("takes a column")),
            (name, _) => return Err(Failure::unsupported(call.name.span, name)),
        };
        Ok(Window {
            kind,
            ty,
            arguments,
        })
    }
}

/// Window functions that go through rows together.
#[derive(PartialEq)]
struct Round {
    /// Columns of the rows; behind them are the arguments.
    width: usize,
    windows: Vec<Window>,
}

impl ByColumn for Round {
    fn turn(&self, batch: &RecordBatch) -> PlanResult<Vec<ArrayRef>> {
        let rows = batch.num_rows();
        let mut arrays = batch.columns()[..self.width].to_vec();
        let mut arguments = &batch.columns()[self.width..];
        for window in &self.windows {
            let (own, others) = arguments.split_at(window.arguments.len());
            arguments = others;
            arrays.push(window.values(own, rows)?);
        }
        Ok(arrays)
    }
}

/// A window function, ready to go through rows.
#[derive(PartialEq)]
struct Window {
    kind: Kind,
    ty: Type,
    arguments: Vec<Compiled>,
}

/// What a window function does.
#[derive(PartialEq)]
enum Kind {
    /// Counts rows, from here.
    Number(i64),
    /// Looks at another row.
    Neighbour { back: bool, distance: usize },
    /// Adds up.
    Sum,
    /// Counts values that come one after the other.
    Rank { dense: bool },
    /// Finds where a session began; in ticks.
    Session { longest: i64, gap: i64 },
}

impl Window {
    /// The function of DataFusion that gives the same over rows in this order.
    fn streamed(&self, native: &Native<'_>, order: &[SortExpr]) -> Option<PlanExpr> {
        let running = |function: Arc<AggregateUDF>, argument: PlanExpr| {
            let first = WindowFrameBound::Preceding(ScalarValue::UInt64(None));
            let last = WindowFrameBound::CurrentRow;
            let frame = WindowFrame::new_bounds(WindowFrameUnits::Rows, first, last);
            let call = PlanExpr::from(WindowFunction::new(function, vec![argument]));
            call.order_by(order.to_vec()).window_frame(frame).build()
        };
        let call = match (&self.kind, self.arguments.as_slice()) {
            (Kind::Neighbour { back, distance }, [value] | [value, _])
                if !value.columns().is_empty() =>
            {
                let distance = i64::try_from(*distance).ok()?;
                // A string is never null.
                let none = (self.ty == Type::String).then(|| ScalarValue::from(""));
                let value = native.value(value);
                let call = match back {
                    true => lag(value, Some(distance), none),
                    false => lead(value, Some(distance), none),
                };
                call.order_by(order.to_vec()).build()
            }
            (Kind::Number(1), [] | [_]) => running(count_udaf(), lit(1i64)),
            (Kind::Sum, [value]) if matches!(value.ty, Type::Int | Type::Long | Type::Timespan) => {
                let number = cast(native.value(value), arrays::arrow_type(Type::Long));
                let number = when(number.clone().is_null(), lit(0i64)).otherwise(number);
                running(sum_udaf(), number.ok()?)
            }
            _ => return None,
        };
        call.ok()
    }

    /// Whether it gives local times; `column` says it of columns.
    fn gives_local_times(&self, column: &dyn Fn(usize) -> bool) -> bool {
        self.ty == Type::DateTime && self.arguments.iter().any(|a| a.is_local_time(column))
    }

    /// How many columns there must be for its arguments.
    fn needs(&self) -> usize {
        let used = self.arguments.iter().flat_map(Compiled::columns);
        used.max().map_or(0, |last| last + 1)
    }

    fn argument(&self, at: usize, columns: &[ArrayRef], row: usize) -> Value {
        match (columns.get(at), self.arguments.get(at)) {
            (Some(column), Some(argument)) => arrays::value(column, row, argument.ty),
            _ => Value::Null,
        }
    }

    /// Its values in all rows, from those of its arguments.
    fn values(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, ArrowError> {
        let restarts =
            |at: usize, row: usize| self.argument(at, columns, row).to_bool() == Some(true);
        let values: Vec<Value> = match self.kind {
            Kind::Neighbour { back, distance } => {
                let distance = distance.min(rows);
                // Rows that have no neighbour, and the values of the neighbours of all others.
                let (alone, first) = match back {
                    true => (0..distance, 0),
                    false => (rows - distance..rows, distance),
                };
                let alone: Vec<Value> = alone
                    .map(|row| self.argument(2, columns, row).fit(self.ty))
                    .collect();
                let alone = arrays::array(alone.iter(), self.ty);
                let others = columns[0].slice(first, rows - distance);
                return match back {
                    true => concat(&[&alone, &others]),
                    false => concat(&[&others, &alone]),
                };
            }
            Kind::Number(first) => {
                let mut next = first;
                let number = |row| {
                    if restarts(1, row) {
                        next = first;
                    }
                    next = next.wrapping_add(1);
                    Value::Long(next.wrapping_sub(1))
                };
                (0..rows).map(number).collect()
            }
            Kind::Sum => self.sums(columns, rows),
            Kind::Rank { dense } => {
                let (mut rank, mut position) = (0i64, 0i64);
                let mut last: Option<Value> = None;
                let rank = |row| {
                    if restarts(1, row) {
                        (rank, position, last) = (0, 0, None);
                    }
                    position += 1;
                    let own = self.argument(0, columns, row);
                    if last.as_ref() != Some(&own) {
                        rank = if dense { rank + 1 } else { position };
                        last = Some(own);
                    }
                    Value::Long(rank)
                };
                (0..rows).map(rank).collect()
            }
            Kind::Session { longest, gap } => {
                let mut session: Option<(i64, i64)> = None;
                let began = |row| {
                    let Value::DateTime(now) = self.argument(0, columns, row) else {
                        return Value::Null;
                    };
                    let first = match session {
                        Some((first, last))
                            if !restarts(3, row)
                                && now.saturating_sub(first) <= longest
                                && now.saturating_sub(last) <= gap =>
                        {
                            first
                        }
                        _ => now,
                    };
                    session = Some((first, now));
                    Value::DateTime(first)
                };
                (0..rows).map(began).collect()
            }
        };
        Ok(arrays::array(values.iter(), self.ty))
    }

    fn sums(&self, columns: &[ArrayRef], rows: usize) -> Vec<Value> {
        let (mut whole, mut real) = (0i64, 0f64);
        let mut decimal = Some(Decimal::default());
        let sum = |row| {
            if self.argument(1, columns, row).to_bool() == Some(true) {
                (whole, real) = (0, 0.0);
                decimal = Some(Decimal::default());
            }
            let value = self.argument(0, columns, row);
            match value {
                Value::Decimal(value) => {
                    decimal = decimal.and_then(|sum| sum.plus(value));
                }
                _ => real += value.to_real().unwrap_or(0.0),
            }
            whole = whole.wrapping_add(match value {
                Value::Timespan(ticks) => ticks,
                Value::Real(_) | Value::Decimal(_) => 0,
                other => other.to_long().unwrap_or(0),
            });
            match self.ty {
                Type::Real => Value::Real(real),
                Type::Decimal => decimal.map_or(Value::Null, Value::Decimal),
                Type::Timespan => Value::Timespan(whole),
                _ => Value::Long(whole),
            }
        };
        (0..rows).map(sum).collect()
    }
}

/// The order of rows that come from a sort, where its columns are still there.
///
/// DataFusion would take the order of an earlier sort, turned round, for that of a later one: then the rows are made first.
fn order_of(plan: &LogicalPlan) -> Result<Option<Vec<SortExpr>>, Failure> {
    let mut top = plan;
    loop {
        match top {
            LogicalPlan::Filter(filter) => top = &filter.input,
            LogicalPlan::Window(window) => top = &window.input,
            LogicalPlan::Projection(projection) if keeps_all(projection) => top = &projection.input,
            LogicalPlan::Sort(sort) => {
                let ordered = |node: &LogicalPlan| {
                    Ok(matches!(
                        node,
                        LogicalPlan::Sort(_) | LogicalPlan::Window(_)
                    ))
                };
                let twice = sort.input.as_ref().exists(ordered)?;
                return Ok((!twice).then(|| sort.expr.clone()));
            }
            _ => return Ok(None),
        }
    }
}

/// Whether a projection has all columns of its input under their names.
fn keeps_all(projection: &Projection) -> bool {
    let columns = projection.input.schema().columns();
    let mut kept = projection.expr.iter();
    let same = |column| matches!(kept.next(), Some(PlanExpr::Column(kept)) if *kept == column);
    columns.into_iter().all(same)
}

/// Whether a window is the last step of a plan that is no filter.
fn top_window(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => top_window(&filter.input),
        LogicalPlan::Window(_) => true,
        _ => false,
    }
}

/// Arrays one after the other.
fn concat(arrays: &[&ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let arrays: Vec<&dyn Array> = arrays.iter().map(|a| a.as_ref()).collect();
    arrow::compute::concat(&arrays)
}

pub(super) fn has_window(expr: &Expr) -> bool {
    fn inside(expr: &mut Expr) -> bool {
        matches!(&expr.kind, ExprKind::Call(call) if is_window(&call.name.text))
            || children(expr).into_iter().any(inside)
    }
    inside(&mut expr.clone())
}

/// The scalar expressions inside an expression.
pub(super) fn children(expr: &mut Expr) -> Vec<&mut Expr> {
    match &mut expr.kind {
        ExprKind::Call(call) => call.arguments.iter_mut().map(|a| &mut a.expr).collect(),
        ExprKind::Path { base, .. } => vec![base],
        ExprKind::Sign { operand, .. } => vec![operand],
        ExprKind::Arithmetic { first, rest } => std::iter::once(first.as_mut())
            .chain(rest.iter_mut().map(|(_, e)| e))
            .collect(),
        ExprKind::Compare { left, right, .. } | ExprKind::Match { left, right, .. } => {
            vec![left, right]
        }
        ExprKind::In { left, list, .. } => std::iter::once(left.as_mut()).chain(list).collect(),
        ExprKind::Between {
            value, low, high, ..
        } => vec![value, low, high],
        ExprKind::And(all) | ExprKind::Or(all) => all.iter_mut().collect(),
        _ => Vec::new(),
    }
}
