//! Whole rows by `arg_max` and `arg_min`: which rows win is found by keys and times alone, and only of these the record is read.
//!
//! The rows are joined with the best time of their group, and the aggregate chooses among those that are left. The join hands what it looks
//! for down to the scan, which then passes over most pages of the wide columns. Takes away rows that cannot win, and knows nothing of the
//! aggregate beside that.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNode;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan};

use super::Failure;
use super::group::Found;
use super::join::{Kind, join};
use super::lower::Lower;
use super::relation::{Column, Relation};
use crate::catalog::catalog;
use crate::engine::options::STORED;
use crate::function::value::Type;
use crate::kql::ast::{Expr, ExprKind, NamedExpr};

/// Columns of which many rows have the same value. Pairs of key and time are held in memory all at once: by another key, such as the id of an
/// event, they may be as many as the rows.
const SHARED: [&str; 16] = [
    "AccountDisplayName",
    "AccountId",
    "AccountObjectId",
    "ActionType",
    "Application",
    "ApplicationId",
    "ClientIP",
    "CountryCode",
    "DeviceName",
    "IPAddress",
    "OSPlatform",
    "Operation",
    "UserAgent",
    "UserId",
    "UserKey",
    "Workload",
];

/// What rows are chosen by.
struct Choice<'r> {
    /// `max` or `min`.
    best: fn(PlanExpr) -> PlanExpr,
    time: &'r Column,
    keys: Vec<&'r Column>,
}

impl Lower<'_> {
    /// The rows that may win, where whole rows are asked for and finding them first costs less than it saves.
    pub(super) fn best_rows(
        &mut self,
        relation: &Relation,
        found: &[Found],
        by: &[NamedExpr],
    ) -> Result<Option<Relation>, Failure> {
        let Some(choice) = choice(relation, found, by) else {
            return Ok(None);
        };
        if !is_wide(relation) {
            return Ok(None);
        }
        let keys = choice.keys.into_iter().chain([choice.time]);
        let own: Vec<Column> = keys.cloned().collect();
        let list = own.iter().map(|c| (c.name.clone(), c.ty, c.expr()));
        let narrow = self.fields.project(relation, list.collect())?;
        let Some((time, groups)) = narrow.columns.split_last() else {
            return Ok(None);
        };
        let field = self.fields.next(&time.name);
        let best = (choice.best)(time.expr()).alias(&field);
        let plan = narrow
            .builder()
            .aggregate(groups.iter().map(Column::expr), [best])?
            .build()?;
        let mut columns = groups.to_vec();
        columns.push(Column::new(&time.name, time.ty, field));
        let winners = Relation {
            plan: Arc::new(plan),
            columns,
            ordered: false,
        };
        let pairs: Vec<(Column, Column)> = winners.columns.iter().cloned().zip(own).collect();
        join(&winners, relation, &pairs, Kind::RightSemi).map(Some)
    }
}

/// What the rows are chosen by, where all columns of one row are asked for and keys and times are stored columns.
fn choice<'r>(relation: &'r Relation, found: &[Found], by: &[NamedExpr]) -> Option<Choice<'r>> {
    let [one] = found else {
        return None;
    };
    let best = match one.call.name.text.as_str() {
        "arg_max" => max as fn(PlanExpr) -> PlanExpr,
        "arg_min" => min,
        _ => return None,
    };
    let (first, rest) = one.call.arguments.split_first()?;
    if !rest
        .iter()
        .any(|argument| argument.expr.kind == ExprKind::Star)
    {
        return None;
    }
    // What is computed may be read out of the record.
    let stored = |expr: &Expr| named(relation, expr).filter(|c| c.stored.is_some());
    let time = stored(&first.expr).filter(|c| c.ty == Type::DateTime)?;
    let shared =
        |key: &NamedExpr| stored(&key.expr).filter(|column| SHARED.contains(&column.name.as_str()));
    let keys = by.iter().map(shared).collect::<Option<Vec<_>>>()?;
    Some(Choice { best, time, keys })
}

/// The column that an expression names.
fn named<'r>(relation: &'r Relation, expr: &Expr) -> Option<&'r Column> {
    match &expr.kind {
        ExprKind::Name(name) => relation.column(name),
        _ => None,
    }
}

/// Paths of JSON from which on it pays to ask keys and times first.
const MANY_PATHS: usize = 16;

/// What whole rows cost beyond keys and times.
#[derive(Default)]
struct Width {
    has_record: bool,
    /// Columns that are read out of JSON.
    paths: usize,
}

/// Whether these are rows of stored tables with their record, or with columns out of it, which cost little to ask twice.
fn is_wide(relation: &Relation) -> bool {
    let mut width = Width::default();
    is_cheap_twice(relation, &relation.plan, Inside::Query, &mut width)
        && (width.has_record || width.paths >= MANY_PATHS)
}

/// Where a part of a plan stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Its conditions are on columns of the relation.
    Query,
    View,
}

/// Whether a plan may be run twice: no condition in it reads JSON, and of all joins it has only those that drop what two sources have of one event.
fn is_cheap_twice(
    relation: &Relation,
    plan: &LogicalPlan,
    inside: Inside,
    width: &mut Width,
) -> bool {
    let expressions = plan.expressions();
    if expressions.iter().any(PlanExpr::is_volatile) {
        return false;
    }
    let inside = match plan {
        LogicalPlan::Projection(_) => {
            width.paths += expressions.iter().filter(|e| reads_json(e)).count();
            inside
        }
        // A stored table, which is cut to the times that can be seen at all.
        LogicalPlan::SubqueryAlias(alias) if alias.alias.schema() == Some(STORED) => {
            width.has_record |= has_record(relation, &alias.alias);
            return true;
        }
        LogicalPlan::SubqueryAlias(_) => Inside::View,
        LogicalPlan::Filter(filter) if is_cheap(relation, &filter.predicate) => inside,
        LogicalPlan::Filter(filter)
            if inside == Inside::View && !has_subquery(&filter.predicate) =>
        {
            if reads_json(&filter.predicate) {
                return false;
            }
            inside
        }
        LogicalPlan::Union(_) | LogicalPlan::Aggregate(_) if inside == Inside::View => inside,
        LogicalPlan::Join(join) if inside == Inside::View => {
            let drops = matches!(join.join_type, JoinType::LeftAnti | JoinType::RightAnti);
            if !drops || expressions.iter().any(reads_json) {
                return false;
            }
            inside
        }
        LogicalPlan::TableScan(scan) => {
            width.has_record |= has_record(relation, &scan.table_name);
            return scan.table_name.schema() == Some(STORED);
        }
        _ => return false,
    };
    let mut inputs = plan.inputs().into_iter();
    inputs.all(|input| is_cheap_twice(relation, input, inside, width))
}

/// Whether an expression of SQL takes something out of JSON.
fn reads_json(expr: &PlanExpr) -> bool {
    let reads = |expr: &PlanExpr| match expr {
        PlanExpr::ScalarFunction(call) => call.func.name().starts_with("json_"),
        _ => false,
    };
    // Nothing in the closure fails.
    expr.exists(|expr| Ok(reads(expr))).unwrap_or(true)
}

/// Whether a relation has the record of this table.
fn has_record(relation: &Relation, table: &TableReference) -> bool {
    let known = catalog().get(table.table());
    let record = known.and_then(|t| Some(t.columns[t.record?].name));
    let record = record.and_then(|name| relation.column(name));
    record.is_some_and(|c| c.ty == Type::Dynamic)
}

/// Whether a condition reads no more than plain columns of the relation and what is stored of them.
fn is_cheap(relation: &Relation, condition: &PlanExpr) -> bool {
    let asks = condition.column_refs().into_iter().all(|asked| {
        relation.columns.iter().any(|own| {
            let is_plain = own.field == asked.name && own.ty != Type::Dynamic;
            is_plain
                || own.stored.as_ref() == Some(&asked.name)
                || own.paths.values().any(|path| *path == asked.name)
        })
    });
    asks && !has_subquery(condition)
}

fn has_subquery(condition: &PlanExpr) -> bool {
    let is_one = |expr: &PlanExpr| {
        matches!(
            expr,
            PlanExpr::InSubquery(_)
                | PlanExpr::Exists(_)
                | PlanExpr::ScalarSubquery(_)
                | PlanExpr::SetComparison(_)
        )
    };
    // Nothing in the closure fails.
    condition.exists(|expr| Ok(is_one(expr))).unwrap_or(true)
}
