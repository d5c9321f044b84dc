//! `union`.

use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlanBuilder};
use datafusion::prelude::lit;

use super::Failure;
use super::relation::{Relation, null};
use super::statement::Lower;
use crate::kql::ast::{Expr, ExprKind, Operator};
use crate::kql::value::Type;

type Columns = Vec<(String, Type, PlanExpr)>;

impl Lower<'_> {
    /// `union`: the columns of all tables, in the order in which they come.
    pub(super) fn union(
        &mut self,
        first: Option<Relation>,
        tables: &[Expr],
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let word = |name: &str| {
            operator.setting(name).and_then(|s| match &s.value.kind {
                ExprKind::Name(word) => Some(word.clone()),
                ExprKind::Literal(crate::kql::ast::Literal::String(word)) => Some(word.clone()),
                ExprKind::Literal(crate::kql::ast::Literal::Bool(b)) => Some(b.to_string()),
                _ => None,
            })
        };
        let fuzzy = word("isfuzzy").as_deref() == Some("true");
        let inner = word("kind").as_deref() == Some("inner");
        let source = word("withsource").or_else(|| word("with_source"));
        let mut parts: Vec<(String, Relation)> = Vec::new();
        let mut missing = None;
        if let Some(first) = first {
            parts.push(("union_arg0".into(), first));
        }
        for expr in tables {
            let name = match &expr.kind {
                ExprKind::Name(name) if self.shows_its_name(name) => name.clone(),
                _ => format!("union_arg{}", parts.len()),
            };
            if let ExprKind::Wildcard(pattern) = &expr.kind {
                for name in self.tables_like(pattern) {
                    let table = Expr {
                        kind: ExprKind::Name(name.clone()),
                        span: expr.span,
                    };
                    parts.push((name, self.table(&table)?));
                }
                continue;
            }
            match self.table(expr) {
                Ok(relation) => parts.push((name, relation)),
                // Only what does not exist is passed over.
                Err(failure) if fuzzy && self.is_missing(expr) => missing = Some(failure),
                Err(failure) => return Err(failure),
            }
        }
        if parts.is_empty() {
            return Err(missing.unwrap_or_else(|| Failure::at(operator.span, "union has no table")));
        }
        // A name with several types becomes a column for each.
        let mut columns: Vec<(String, Type, String)> = Vec::new();
        for (_, part) in &parts {
            for c in &part.columns {
                if !columns.iter().any(|(n, t, _)| *n == c.name && *t == c.ty) {
                    columns.push((c.name.clone(), c.ty, c.name.clone()));
                }
            }
        }
        if inner {
            columns.retain(|(name, ty, _)| {
                parts
                    .iter()
                    .all(|(_, p)| p.column(name).is_some_and(|c| c.ty == *ty))
            });
        }
        let names: Vec<String> = columns.iter().map(|c| c.0.clone()).collect();
        for (name, ty, shown) in &mut columns {
            if names.iter().filter(|n| *n == name).count() > 1 {
                *shown = format!("{name}_{}", ty.name());
            }
        }
        let mut plan: Option<LogicalPlanBuilder> = None;
        let mut out: Option<Relation> = None;
        for (label, part) in &parts {
            let mut list: Columns = Vec::new();
            if let Some(source) = &source {
                list.push((source.clone(), Type::String, lit(label.as_str())));
            }
            for (name, ty, shown) in &columns {
                let expr = match part.columns.iter().find(|c| c.name == *name && c.ty == *ty) {
                    Some(c) => c.expr(),
                    None => null(*ty),
                };
                list.push((shown.clone(), *ty, expr));
            }
            let projected = self.fields.project(part, list)?;
            plan = Some(match plan {
                None => projected.builder(),
                Some(plan) => plan.union(projected.plan.as_ref().clone())?,
            });
            out.get_or_insert(projected);
        }
        match (plan, out) {
            (Some(plan), Some(out)) => {
                let mut out = out.with(plan)?;
                out.ordered = false;
                Ok(out)
            }
            _ => Err(Failure::at(operator.span, "union has no table")),
        }
    }
}
