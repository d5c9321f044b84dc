//! How deep a query in SQL may go: long chains of AND and OR are made flat, other chains are bounded. All that plans a query goes down every
//! level of it, several times, and some of it goes as far as the stack does.

use std::ops::ControlFlow;

use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, SetExpr, Value, VisitMut, VisitorMut,
};

/// Terms of AND and OR that may stand in one row as they are written. Of more no column takes its name.
const IN_A_ROW: usize = 64;
/// Operators and calls inside each other, and queries of one UNION. So many are planned in ten seconds, and the time goes with their square.
const DEEPEST: usize = 3000;

/// Makes long chains flat.
///
/// # Errors
/// When what is left goes too deep.
pub(super) fn bounded(statement: &mut Statement) -> PlanResult<()> {
    match statement {
        Statement::Statement(statement) => {
            let mut levels = Levels::default();
            match statement.visit(&mut levels) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(why) => Err(DataFusionError::Plan(why)),
            }
        }
        Statement::Explain(explain) => bounded(&mut explain.statement),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Levels {
    /// Expressions around the one that is looked at.
    open: usize,
}

impl VisitorMut for Levels {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        let mut queries = 1;
        let mut rest = vec![query.body.as_ref()];
        while let Some(body) = rest.pop() {
            if let SetExpr::SetOperation { left, right, .. } = body {
                queries += 1;
                rest.extend([left.as_ref(), right.as_ref()]);
            }
        }
        match queries > DEEPEST {
            true => ControlFlow::Break(format!(
                "{queries} queries in one UNION, INTERSECT or EXCEPT: at most {DEEPEST}"
            )),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        if let Some(op) = chained(expr)
            && is_long(expr, &op)
        {
            let whole = std::mem::replace(expr, Expr::value(Value::Null));
            *expr = balanced(terms(whole, &op), &op);
        }
        self.open += 1;
        match self.open > DEEPEST {
            true => ControlFlow::Break(format!(
                "an expression goes deeper than {DEEPEST} operators: IN (…), or a table given with --table and a join, takes long lists"
            )),
            false => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<String> {
        self.open -= 1;
        ControlFlow::Continue(())
    }
}

/// The operator of an expression, where it does not matter which of its terms are taken together first.
fn chained(expr: &Expr) -> Option<BinaryOperator> {
    match expr {
        Expr::BinaryOp { op, .. } if matches!(op, BinaryOperator::And | BinaryOperator::Or) => {
            Some(op.clone())
        }
        _ => None,
    }
}

fn is_long(expr: &Expr, op: &BinaryOperator) -> bool {
    let mut depth = 0;
    let mut at = expr;
    while let Expr::BinaryOp { left, op: own, .. } = at
        && own == op
    {
        depth += 1;
        at = left;
    }
    depth > IN_A_ROW
}

/// The terms of a chain, in their order.
fn terms(expr: Expr, op: &BinaryOperator) -> Vec<Expr> {
    let mut out = Vec::new();
    let mut rest = vec![expr];
    while let Some(expr) = rest.pop() {
        match expr {
            Expr::BinaryOp {
                left,
                op: own,
                right,
            } if own == *op => rest.extend([*right, *left]),
            term => out.push(term),
        }
    }
    out
}

/// The same chain, as low as it can be.
fn balanced(mut terms: Vec<Expr>, op: &BinaryOperator) -> Expr {
    while terms.len() > 1 {
        let mut pairs = Vec::with_capacity(terms.len().div_ceil(2));
        let mut rest = terms.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => Expr::BinaryOp {
                    left: Box::new(left),
                    op: op.clone(),
                    right: Box::new(right),
                },
                None => left,
            });
        }
        terms = pairs;
    }
    terms.pop().unwrap_or_else(|| Expr::value(Value::Null))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::common::config::Dialect;
    use datafusion::prelude::SessionContext;

    fn parsed(sql: &str) -> Statement {
        let state = SessionContext::new().state();
        state
            .sql_to_statement(sql, &Dialect::PostgreSQL)
            .expect("it is SQL")
    }

    #[test]
    fn long_chains_are_flat_and_say_the_same_in_the_same_order() {
        let terms: Vec<String> = (0..300).map(|i| format!("a = {i}")).collect();
        let sql = format!("SELECT * FROM t WHERE {}", terms.join(" OR "));
        let mut statement = parsed(&sql);
        bounded(&mut statement).expect("it is flat");
        assert_eq!(statement.to_string(), sql);
        let mut again = statement.clone();
        bounded(&mut again).expect("it is flat");
        assert_eq!(again, statement);
        let mut short = parsed("SELECT a OR b OR c FROM t");
        let before = short.clone();
        bounded(&mut short).expect("it is short");
        assert_eq!(short, before);
    }

    #[test]
    fn what_goes_too_deep_is_refused() {
        let sum = vec!["1"; DEEPEST + 2].join("+");
        let error = bounded(&mut parsed(&format!("SELECT {sum}"))).expect_err("a long sum");
        assert!(error.to_string().contains("deeper than 3000"), "{error}");
        let union = vec!["SELECT 1"; DEEPEST + 1].join(" UNION ALL ");
        let error = bounded(&mut parsed(&union)).expect_err("a long union");
        assert!(error.to_string().contains("3001 queries"), "{error}");
    }
}
