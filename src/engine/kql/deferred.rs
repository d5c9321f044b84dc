//! Expressions that wait for the instant of the question: they stand in a plan as data, and are planned when it is known.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column as PlanColumn, Result, exec_err};
use datafusion::logical_expr::expr_rewriter::normalize_col;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use super::native::{For, Native};
use super::relation::{Column, Relation};
use super::{arrays, row};
use crate::function::Env;
use crate::function::value::Type;
use crate::kql::eval::Compiled;

/// An expression over the columns of a relation.
struct Deferred {
    tree: Compiled,
    filters: bool,
    columns: Vec<Column>,
    env: Env,
    ty: Type,
    signature: Signature,
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deferred").field(&self.tree).finish()
    }
}

impl PartialEq for Deferred {
    fn eq(&self, other: &Self) -> bool {
        let one = (&self.tree, self.filters, &self.env);
        one == (&other.tree, other.filters, &other.env) && self.columns == other.columns
    }
}

impl Eq for Deferred {}

impl Hash for Deferred {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.tree, self.filters, &self.env).hash(state);
    }
}

impl ScalarUDFImpl for Deferred {
    fn name(&self) -> &str {
        "kql_deferred"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(arrays::arrow_type(self.ty))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("a plan that was not bound")
    }
}

impl Deferred {
    /// The expression at an instant, in ticks.
    fn at(&self, now: i64) -> Result<Expr> {
        let env = Env {
            now,
            ..self.env.clone()
        };
        let over = Relation {
            plan: Arc::new(LogicalPlanBuilder::empty(false).build()?),
            columns: self.columns.clone(),
            ordered: false,
        };
        let native = Native {
            over: &over,
            env: &env,
            awaited: &[],
        };
        let tree = self.tree.clone().at(&env);
        Ok(match self.filters {
            true => native.filter(&tree),
            false => native.value(&tree),
        })
    }
}

/// An expression that waits, over a relation.
pub(super) fn call(tree: &Compiled, why: For, over: &Relation, env: &Env) -> Expr {
    let used = tree.columns();
    let used = used.iter().filter_map(|at| over.columns.get(*at));
    let columns: Vec<Expr> = used.flat_map(fields_of).collect();
    let filters = why == For::Filter;
    let deferred = Deferred {
        tree: tree.clone(),
        filters,
        columns: over.columns.clone(),
        env: env.clone(),
        ty: match filters {
            true => Type::Bool,
            false => tree.ty,
        },
        signature: row::signature(columns.len()),
    };
    ScalarUDF::from(deferred).call(columns)
}

/// All that a column may be read from once the instant is known: until then, the plan must not lose it.
fn fields_of(column: &Column) -> Vec<Expr> {
    let mut others: Vec<&String> = column.stored.iter().collect();
    others.extend(column.paths.values());
    others.sort_unstable();
    others.dedup();
    let field = |name: &String| Expr::Column(PlanColumn::from_name(name));
    std::iter::once(column.expr())
        .chain(others.into_iter().map(field))
        .collect()
}

/// Whether an expression waits for the instant.
pub(in crate::engine) fn waits(expr: &Expr) -> Result<bool> {
    expr.exists(|part| Ok(deferred(part).is_some()))
}

fn deferred(expr: &Expr) -> Option<&Deferred> {
    match expr {
        Expr::ScalarFunction(call) => call.func.inner().downcast_ref(),
        _ => None,
    }
}

/// A condition at an instant, in ticks, over what its parts are called with: wherever in a plan it has got to.
///
/// # Errors
/// When a part is called with less than it reads, which is a fault of coldtrail.
pub(in crate::engine) fn condition_at(condition: Expr, now: i64) -> Result<Expr> {
    let settled = condition.transform_up(|part| {
        let (Some(open), Expr::ScalarFunction(call)) = (deferred(&part), &part) else {
            return Ok(Transformed::no(part));
        };
        let used = open.tree.columns();
        let used = used.iter().filter_map(|at| open.columns.get(*at));
        let fields: Vec<Expr> = used.flat_map(fields_of).collect();
        let own = open.at(now)?.transform_up(|part| {
            let Some(at) = fields.iter().position(|field| *field == part) else {
                return Ok(Transformed::no(part));
            };
            match call.args.get(at) {
                Some(given) => Ok(Transformed::yes(given.clone())),
                None => exec_err!("a condition without its columns"),
            }
        })?;
        Ok(Transformed::yes(own.data))
    })?;
    Ok(settled.data)
}

/// The plan at an instant, in ticks.
///
/// # Errors
/// When DataFusion refuses a node, which is a fault of coldtrail.
pub(in crate::engine) fn settle(plan: LogicalPlan, now: i64) -> Result<LogicalPlan> {
    let settled = plan.transform_up_with_subqueries(|node| {
        let mut waits = false;
        node.apply_expressions(|expr| {
            waits |= expr.exists(|part| Ok(deferred(part).is_some()))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !waits {
            return Ok(Transformed::no(node));
        }
        // Columns are named as they are when an expression is planned at once.
        let input = match node.inputs().as_slice() {
            [only] => Some((*only).clone()),
            _ => None,
        };
        node.map_expressions(|expr| {
            expr.transform_up(|part| {
                let Some(open) = deferred(&part) else {
                    return Ok(Transformed::no(part));
                };
                let expr = open.at(now)?;
                Ok(Transformed::yes(match &input {
                    Some(input) => normalize_col(expr, input)?,
                    None => expr,
                }))
            })
        })
    })?;
    Ok(settled.data)
}
