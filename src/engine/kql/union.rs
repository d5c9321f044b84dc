//! `union`.

use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlanBuilder};
use datafusion::prelude::lit;

use super::lower::Lower;
use super::options::Purpose;
use super::relation::{Relation, null};
use super::{Failure, Gathered};
use crate::catalog::{TIME, TYPE};
use crate::function::value::Type;
use crate::kql::ast::{Expr, ExprKind, Operator, OperatorKind};

type Columns = Vec<(String, Type, PlanExpr)>;

impl Lower<'_> {
    /// `union`: the columns of all tables, in the order in which they come.
    pub(super) fn union(
        &mut self,
        first: Option<(Option<String>, Relation)>,
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
        let mut gathered = Gathered::default();
        if let Some((label, first)) = first {
            parts.push((label.unwrap_or_else(|| "union_arg0".into()), first));
        }
        for expr in tables {
            let name = match &expr.kind {
                ExprKind::Name(name) if self.shows_its_name(name) => name.clone(),
                ExprKind::Pipeline(pipeline) => match pipeline.operators.last().map(|o| &o.kind) {
                    Some(OperatorKind::As(name)) => name.text.clone(),
                    _ => format!("union_arg{}", parts.len()),
                },
                _ => format!("union_arg{}", parts.len()),
            };
            if let ExprKind::Wildcard(pattern) = &expr.kind {
                let names = self.tables_like(pattern);
                parts.extend(self.typed_tables(names, expr.span)?);
                continue;
            }
            let around = self.fuzzy;
            self.fuzzy |= fuzzy;
            let table = self.table(expr);
            self.fuzzy = around;
            self.label = None;
            match table {
                Ok(relation) => parts.push((name, relation)),
                // Only what does not exist is passed over.
                Err(failure) if fuzzy && failure.is_missing_table() => missing = Some(failure),
                // What is passed over in a union around this one is told by itself.
                Err(failure) if fuzzy || around => return Err(failure),
                Err(failure) => {
                    gathered.take::<()>(Err(failure))?;
                }
            }
        }
        gathered.done()?;
        if parts.is_empty() {
            let is_wild = |table: &Expr| matches!(table.kind, ExprKind::Wildcard(_));
            let is_check = self.options.purpose == Purpose::Check;
            if is_check && self.options.without_archive && tables.iter().any(is_wild) {
                // Which tables there are is for the data to say.
                let columns = [(TIME, Type::DateTime), (TYPE, Type::String)];
                let columns = columns.map(|(name, ty)| (name.to_string(), ty));
                let named = source.map(|name| (name, Type::String));
                let columns: Vec<(String, Type)> = columns.into_iter().chain(named).collect();
                let rows = self.rows(&columns, &[])?;
                return self.opened(&rows, Type::Dynamic);
            }
            let is_all = |table: &Expr| matches!(&table.kind, ExprKind::Wildcard(pattern) if pattern.chars().all(|c| c == '*'));
            // An archive without events has no table with rows.
            if !self.options.without_archive && tables.iter().any(is_all) {
                let columns = [(TIME, Type::DateTime), (TYPE, Type::String)];
                return self.rows(&columns.map(|(name, ty)| (name.to_string(), ty)), &[]);
            }
            return Err(missing.unwrap_or_else(|| Failure::at(operator.span, "union has no table")));
        }
        self.united(&parts, source.as_deref(), inner)
    }

    /// The rows of all parts; with a column that names the part, and the columns that all have in common only, where asked for.
    pub(super) fn united(
        &mut self,
        parts: &[(String, Relation)],
        source: Option<&str>,
        inner: bool,
    ) -> Result<Relation, Failure> {
        // A name with several types becomes a column for each.
        let mut columns: Vec<(String, Type, String)> = Vec::new();
        for (_, part) in parts {
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
        let twice = |name: &str| names.iter().filter(|n| *n == name).count() > 1;
        let mut taken: Vec<String> = names.iter().filter(|n| !twice(n)).cloned().collect();
        for (name, ty, shown) in &mut columns {
            if twice(name) {
                let own = format!("{name}_{}", ty.name());
                let numbered = (1..).map(|i| format!("{own}{i}"));
                let mut names = std::iter::once(own.clone()).chain(numbered);
                *shown = names.find(|n| !taken.contains(n)).unwrap_or(own);
                taken.push(shown.clone());
            }
        }
        let mut plan: Option<LogicalPlanBuilder> = None;
        let mut out: Option<Relation> = None;
        let mut local = vec![false; usize::from(source.is_some())];
        for (name, ty, shown) in &columns {
            local.push(self.is_local_in(parts, (name, *ty), shown));
        }
        for (label, part) in parts {
            let mut list: Columns = Vec::new();
            if let Some(source) = source {
                list.push((source.to_string(), Type::String, lit(label.as_str())));
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
                let mut out = out.with(plan)?.with_local_times(&local);
                out.ordered = false;
                Ok(out)
            }
            _ => self.rows(&[], &[]),
        }
    }

    /// Whether a column of a union has local times. One that has both kinds has no `Z` and is moved to no zone: what is not said of an instant
    /// is no false instant, and it is noted.
    fn is_local_in(
        &mut self,
        parts: &[(String, Relation)],
        (name, ty): (&str, Type),
        shown: &str,
    ) -> bool {
        if ty != Type::DateTime {
            return false;
        }
        let of = |part: &Relation| {
            let mut columns = part.columns.iter();
            let own = columns.find(|c| c.name == name && c.ty == ty)?;
            Some(own.local)
        };
        let kinds: Vec<bool> = parts.iter().filter_map(|(_, part)| of(part)).collect();
        let is_local = kinds.contains(&true);
        if is_local && kinds.contains(&false) {
            self.notes.push(format!(
                "column `{shown}` has local times of one table and UTC of another: all are shown as they are, without `Z`"
            ));
        }
        is_local
    }
}
