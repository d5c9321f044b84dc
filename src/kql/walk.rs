//! The pipelines of a query, wherever they stand in it, and what is written before it.

use std::collections::HashSet;

use super::ast::operator::JoinCondition;
use super::ast::{
    Expr, ExprKind, LetValue, NamedExpr, Operator, OperatorKind, Pipeline, Query, Source,
    Statement, StatementKind, Step,
};

/// A pipeline, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Found<'q> {
    /// The pipeline.
    pub pipeline: &'q Pipeline,
    /// Which of the query's statements it is in.
    pub statement: usize,
    /// Whether names may mean something else here than they do in the statement: in the body of a function.
    pub is_inner: bool,
}

/// All pipelines, the outer before the inner.
pub fn pipelines(query: &Query) -> Vec<Found<'_>> {
    let mut walk = Walk::default();
    for (number, statement) in query.statements.iter().enumerate() {
        walk.statement = number;
        walk.kind(&statement.kind);
    }
    walk.found
}

/// The statements before a query, as they are written: those that give no rows themselves.
pub fn written_before(statements: &[Statement], text: &str) -> String {
    let meant = statements
        .iter()
        .filter(|statement| !matches!(statement.kind, StatementKind::Query(_)));
    meant
        .map(|statement| format!("{};\n", statement.span.of(text)))
        .collect()
}

/// Names that statements give.
pub fn names_given(statements: &[Statement]) -> HashSet<&str> {
    let names = statements
        .iter()
        .filter_map(|statement| match &statement.kind {
            StatementKind::Let { name, .. } => Some(name.text.as_str()),
            _ => None,
        });
    names.collect()
}

/// What stands directly in an expression.
pub fn parts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Missing
        | ExprKind::Literal(_)
        | ExprKind::Dynamic(_)
        | ExprKind::Name(_)
        | ExprKind::Wildcard(_)
        | ExprKind::Star
        | ExprKind::TypeOf(_)
        | ExprKind::SchemaOf(_)
        | ExprKind::DataTable(_)
        | ExprKind::ExternalData(_)
        | ExprKind::Pipeline(_) => Vec::new(),
        ExprKind::Path { base, steps } => {
            let within = steps.iter().flat_map(|step| match step {
                Step::Index(index) => vec![index],
                Step::Call(call) => call.arguments.iter().map(|a| &a.expr).collect(),
                Step::Member(_) | Step::Wildcard(_) => Vec::new(),
            });
            std::iter::once(base.as_ref()).chain(within).collect()
        }
        ExprKind::Call(call) => call.arguments.iter().map(|a| &a.expr).collect(),
        ExprKind::Sign { operand, .. } => vec![operand.as_ref()],
        ExprKind::Arithmetic { first, rest } => {
            let rest = rest.iter().map(|(_, operand)| operand);
            std::iter::once(first.as_ref()).chain(rest).collect()
        }
        ExprKind::Compare { left, right, .. } | ExprKind::Match { left, right, .. } => {
            vec![left.as_ref(), right.as_ref()]
        }
        ExprKind::In { left, list, .. } => std::iter::once(left.as_ref()).chain(list).collect(),
        ExprKind::Between {
            value, low, high, ..
        } => vec![value.as_ref(), low.as_ref(), high.as_ref()],
        ExprKind::And(all) | ExprKind::Or(all) => all.iter().collect(),
    }
}

/// The conditions that all must hold for an expression to hold.
pub fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::And(all) => all.iter().flat_map(conjuncts).collect(),
        _ => vec![expr],
    }
}

#[derive(Default)]
struct Walk<'q> {
    found: Vec<Found<'q>>,
    statement: usize,
    is_inner: bool,
}

impl<'q> Walk<'q> {
    fn kind(&mut self, kind: &'q StatementKind) {
        match kind {
            StatementKind::Let { value, .. } => match value {
                LetValue::Expr(expr) => self.expr(expr),
                LetValue::Function(function) => {
                    let outer = std::mem::replace(&mut self.is_inner, true);
                    for statement in &function.body {
                        self.kind(&statement.kind);
                    }
                    self.is_inner = outer;
                }
                LetValue::EntityGroup(_) => {}
            },
            StatementKind::Query(expr) => self.expr(expr),
            StatementKind::Set { .. }
            | StatementKind::QueryParameters(_)
            | StatementKind::Alias { .. }
            | StatementKind::Restrict(_)
            | StatementKind::Pattern(_) => {}
        }
    }

    fn expr(&mut self, expr: &'q Expr) {
        match &expr.kind {
            ExprKind::Pipeline(pipeline) => self.pipeline(pipeline),
            _ => parts(expr).into_iter().for_each(|part| self.expr(part)),
        }
    }

    fn pipeline(&mut self, pipeline: &'q Pipeline) {
        self.found.push(Found {
            pipeline,
            statement: self.statement,
            is_inner: self.is_inner,
        });
        match &pipeline.source {
            Source::Expr(expr) => self.expr(expr),
            Source::Operator(operator) => self.operator(operator),
            Source::Missing | Source::Context => {}
        }
        for operator in &pipeline.operators {
            self.operator(operator);
        }
    }

    fn named(&mut self, items: &'q [NamedExpr]) {
        items.iter().for_each(|item| self.expr(&item.expr));
    }

    /// Operators in which pipelines were seen; those of the rest hold scalars.
    fn operator(&mut self, operator: &'q Operator) {
        match &operator.kind {
            OperatorKind::Where(predicate) => self.expr(predicate),
            OperatorKind::Extend(items)
            | OperatorKind::Project(items)
            | OperatorKind::Print(items)
            | OperatorKind::Serialize(items) => self.named(items),
            OperatorKind::Summarize { aggregates, by, .. } => {
                self.named(aggregates);
                self.named(by);
            }
            OperatorKind::Join { table, condition } | OperatorKind::Lookup { table, condition } => {
                self.expr(table);
                if let Some(JoinCondition::Where(predicate)) = condition {
                    self.expr(predicate);
                }
            }
            OperatorKind::Union(tables) => tables.iter().for_each(|table| self.expr(table)),
            OperatorKind::MvApply { body, .. } | OperatorKind::Partition { body, .. } => {
                self.pipeline(body);
            }
            OperatorKind::Fork(branches) => {
                for branch in branches {
                    self.pipeline(&branch.body);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_are_found_wherever_they_stand() {
        let text = "let a = T | where x == 1;\nlet f = () { U | where y == 2 };\nV\n| where z in (W | project w)\n| join kind=inner (X | where v == 3) on k\n| union (Y), (Z | take 1)";
        let (query, faults) = crate::kql::parse(text);
        assert!(faults.is_empty(), "{faults:?}");
        let found: Vec<(String, usize, bool)> = pipelines(&query)
            .iter()
            .map(|found| {
                let text = found.pipeline.span.of(text);
                let first = text.split_whitespace().next().unwrap_or_default();
                (first.to_string(), found.statement, found.is_inner)
            })
            .collect();
        let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["T", "U", "V", "W", "X", "Z"], "{found:?}");
        assert_eq!((found[1].1, found[1].2), (1, true));
        assert_eq!((found[5].1, found[5].2), (2, false));
    }

    #[test]
    fn conditions_that_all_must_hold_are_told_apart() {
        let text = "T | where a == 1 and (b == 2 and (c == 3 or d == 4))";
        let (query, _) = crate::kql::parse(text);
        let found = pipelines(&query);
        let Some(OperatorKind::Where(predicate)) =
            found[0].pipeline.operators.first().map(|o| &o.kind)
        else {
            panic!("a condition");
        };
        let texts: Vec<&str> = conjuncts(predicate)
            .iter()
            .map(|part| part.span.of(text))
            .collect();
        assert_eq!(texts, ["a == 1", "b == 2", "(c == 3 or d == 4)"]);
    }
}
