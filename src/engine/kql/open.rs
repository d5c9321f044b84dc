//! A query whose instant is left open: lowered once for all times, with joins in the place of lists, or for what it reads alone.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::later::plans_within;
use super::native::Awaited;
use super::shown::is_sorted;
use super::{Lowered, Made, Making, Options, Purpose};
use crate::engine::Session;
use crate::function::Env;
use crate::function::value::Type;

/// For what a query is lowered whose instant is left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Opening {
    /// To be bound to times as it is.
    Whole,
    /// The same, with joins in the place of the lists that subqueries give: nothing where a list must be there before the query is planned, or
    /// where the join could give other rows.
    Joined,
    /// For all its scans, under the conditions that their rows must meet at any moment. It is not to be run: values that the query is planned with
    /// may be others.
    Scans,
}

impl Session {
    /// The plan of a query with its times left open, and whether it puts its rows in an order of their own; nothing where only a lowering for
    /// each question is certain to be right, or says what is wrong.
    pub(in crate::engine) fn kql_open(
        &self,
        query: &str,
        options: &Options,
        opening: Opening,
    ) -> Option<(LogicalPlan, bool)> {
        let open = options.at(Env::OPEN);
        let options = match opening {
            Opening::Whole => open,
            Opening::Joined => Options {
                joins_lists: true,
                ..open
            },
            Opening::Scans => Options {
                purpose: Purpose::Plan,
                ..open
            },
        };
        let (frame, lowered) = self.shown(query, &options).ok()?;
        let plan = frame.into_parts().1;
        let is_certain = match opening {
            Opening::Whole => true,
            Opening::Joined => is_joined(&plan, &lowered).ok()?,
            Opening::Scans => has_all(&plan, &lowered).ok()?,
        };
        // Operators sort rows for themselves, too, by places that are other ones each time.
        let is_ordered = lowered.relation.ordered && is_sorted(&plan);
        (is_certain && !lowered.needs_times).then_some((plan, is_ordered))
    }
}

/// Whether each list of a query is joined, and the join gives what the list gives.
fn is_joined(plan: &LogicalPlan, lowered: &Lowered) -> Result<bool> {
    let mut joined = Vec::new();
    for plan in plans_within(plan)?.iter().map(Arc::as_ref).chain([plan]) {
        lists(plan, &mut joined)?;
    }
    // Texts are never null, and of those alone a join is certain to give what the list gives.
    let is_joined = |one: &Awaited| one.ty == Type::String && joined.contains(&one.plan);
    Ok(lowered.awaited.iter().all(is_joined))
}

/// Adds the subqueries of a plan that are lists; fails where one is anything else.
fn lists(plan: &LogicalPlan, found: &mut Vec<Arc<LogicalPlan>>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                match part {
                    Expr::InSubquery(list) => found.push(Arc::clone(&list.subquery.subquery)),
                    Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => {
                        return plan_err!("a subquery that is no list");
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

/// Whether all that a query reads stands in its plan: no value stands for rows that were not read, and nothing is worked out beside the plan.
fn has_all(plan: &LogicalPlan, lowered: &Lowered) -> Result<bool> {
    let within = plans_within(plan)?;
    let mut asked = Vec::new();
    subqueries(plan, &mut asked)?;
    for plan in &within {
        subqueries(plan, &mut asked)?;
    }
    let is_made = |part: &Made| part.making != Making::StandIn && within.contains(&part.plan);
    let is_asked = |one: &Awaited| {
        let mut plans = std::iter::once(&one.plan).chain(&one.array);
        plans.any(|plan| asked.contains(plan))
    };
    Ok(lowered.parts.iter().all(is_made) && lowered.awaited.iter().all(is_asked))
}

/// Adds the subqueries of a plan.
fn subqueries(plan: &LogicalPlan, found: &mut Vec<Arc<LogicalPlan>>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                let of = match part {
                    Expr::ScalarSubquery(of) => Some(of),
                    Expr::InSubquery(list) => Some(&list.subquery),
                    _ => None,
                };
                found.extend(of.map(|of| Arc::clone(&of.subquery)));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}
