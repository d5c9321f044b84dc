//! `mv-apply` and `partition`: a query for each part of the rows.
//!
//! The parts go through the query together, told apart by a key column that each operator keeps. Where the query has an operator that
//! cannot do so, the parts go one after the other.

use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Expr as PlanExpr, ExprFunctionExt, SortExpr, scalar_subquery, when,
};
use datafusion::prelude::lit;

use super::join::{Kind, join};
use super::later::OnlyPlanned;
use super::lower::Lower;
use super::relation::{Columns, Relation, columns_of};
use super::window::has_window;
use super::{Failure, Making, Purpose, transcode};
use crate::function::value::{Key, Type, Value};
use crate::kql::ast::operator::{MvColumn, NamePattern};
use crate::kql::ast::{Expr, ExprKind, Name, NamedExpr, Operator, OperatorKind, Pipeline, Span};

/// The column that says to which part a row belongs.
const KEY: &str = "\0key";
/// Where a row stands among those that the parts gave.
const PLACE: &str = "\0place";
/// Marks the parts that have rows.
const HIT: &str = "\0hit";

/// What an operator does with parts.
#[derive(PartialEq, PartialOrd, Clone, Copy)]
enum Fits {
    /// It looks at one row at a time and keeps its columns.
    Rows,
    /// It can keep parts apart.
    Parts,
    /// It can not.
    No,
}

fn fits(operator: &Operator) -> Fits {
    let plain = |items: &[NamedExpr]| !items.iter().any(|i| has_window(&i.expr));
    match &operator.kind {
        OperatorKind::Where(predicate) if !has_window(predicate) => Fits::Rows,
        OperatorKind::Extend(items) if plain(items) => Fits::Rows,
        OperatorKind::Parse { .. }
        | OperatorKind::ParseKv { .. }
        | OperatorKind::MvExpand { .. } => Fits::Rows,
        OperatorKind::Project(items) if plain(items) => Fits::Parts,
        OperatorKind::Summarize { bin: None, .. }
        | OperatorKind::ProjectAway(_)
        | OperatorKind::ProjectKeep(_)
        | OperatorKind::ProjectRename(_)
        | OperatorKind::ProjectReorder(_)
        | OperatorKind::Distinct(_)
        | OperatorKind::Count(_)
        | OperatorKind::Sort(_)
        | OperatorKind::Top { .. }
        | OperatorKind::Take(_) => Fits::Parts,
        _ => Fits::No,
    }
}

/// The key among the items of an operator.
fn key_item(span: Span) -> NamedExpr {
    NamedExpr {
        names: vec![Name {
            text: KEY.into(),
            span,
        }],
        expr: Expr {
            kind: ExprKind::Name(KEY.into()),
            span,
        },
        span,
    }
}

fn with_key(items: &[NamedExpr], span: Span) -> Vec<NamedExpr> {
    std::iter::once(key_item(span))
        .chain(items.iter().cloned())
        .collect()
}

impl Lower<'_> {
    /// `mv-apply`: a query over the elements of each row.
    pub(super) fn mv_apply(
        &mut self,
        relation: &Relation,
        columns: &[MvColumn],
        limit: Option<&Expr>,
        body: &Pipeline,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        if body.operators.iter().all(|o| fits(o) == Fits::Rows) {
            let expanded = self.mv_expand(relation, columns, limit, operator)?;
            let ordered = expanded.ordered;
            let mut out = self.applied(expanded, body)?;
            out.ordered = ordered;
            return Ok(out);
        }
        let base = self.numbered(relation)?;
        let mut expanded = self.mv_expand(&base, columns, limit, operator)?;
        // Elements come in the order of their array.
        expanded.ordered = true;
        let applied = self.by_part(&expanded, body)?;
        let (applied, place) = self.placed(&applied)?;
        // What the query gives, beside what its row had: an array that was taken apart is gone.
        let again = self.renewed(&base)?;
        let (Some(left), Some(right)) = (applied.column(KEY), again.column(KEY)) else {
            return Err(Failure::at(operator.span, "the rows cannot be told apart"));
        };
        let keys = [(left.clone(), right.clone())];
        let joined = join(&applied, &again, &keys, Kind::Inner)?;
        let taken_apart = |name: &str| {
            columns.iter().any(|c| {
                c.item.names.is_empty()
                    && matches!(&c.item.expr.kind, ExprKind::Name(n) if n == name)
            })
        };
        let mut list: Columns = vec![
            (KEY.into(), Type::Long, left.expr()),
            (
                PLACE.into(),
                Type::Long,
                datafusion::prelude::cast(place, super::arrays::arrow_type(Type::Long)),
            ),
        ];
        for column in again.columns.iter().filter(|c| c.name != KEY) {
            match applied.column(&column.name) {
                Some(own) => list.push((own.name.clone(), own.ty, own.expr())),
                None if taken_apart(&column.name) => {}
                None => list.push((column.name.clone(), column.ty, column.expr())),
            }
        }
        for column in &applied.columns {
            if !list.iter().any(|(name, ..)| *name == column.name) {
                list.push((column.name.clone(), column.ty, column.expr()));
            }
        }
        let mut out = self.fields.project(&joined, list)?;
        // A join has no order.
        let by = [KEY, PLACE].iter().filter_map(|name| out.column(name));
        let by: Vec<SortExpr> = by.map(|c| c.expr().sort(true, true)).collect();
        out = out.with(out.builder().sort(by)?)?;
        out.ordered = relation.ordered;
        out.columns.retain(|c| c.name != KEY && c.name != PLACE);
        Ok(out)
    }

    /// `partition by x (…)`
    pub(super) fn partition(
        &mut self,
        relation: &Relation,
        by: &Expr,
        body: &Pipeline,
    ) -> Result<Relation, Failure> {
        if !matches!(body.source, crate::kql::ast::Source::Context) {
            return Err(Failure::at(
                body.span,
                "`partition` with a source of its own in braces is not supported",
            ));
        }
        let compiled = self.compile(by, &relation.schema())?;
        let mut columns: Columns = vec![(
            KEY.into(),
            compiled.ty,
            self.expression(&compiled, relation),
        )];
        columns.extend(columns_of(relation));
        let keyed = self.fields.project_keeping(relation, columns)?;
        let mut out = self.by_part(&keyed, body)?;
        out.columns.retain(|c| c.name != KEY);
        out.ordered = false;
        Ok(out)
    }

    /// The rows that parts give; the key is one of the columns.
    fn by_part(&mut self, parts: &Relation, body: &Pipeline) -> Result<Relation, Failure> {
        if body.operators.iter().any(|o| fits(o) == Fits::No) {
            return self.one_by_one(parts, body);
        }
        let mut relation = parts.clone();
        for operator in &body.operators {
            relation = self.keyed(parts, relation, operator)?;
        }
        Ok(relation)
    }

    /// One operator that keeps the parts apart.
    fn keyed(
        &mut self,
        parts: &Relation,
        relation: Relation,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let span = operator.span;
        match &operator.kind {
            OperatorKind::Project(items) => self.project(&relation, &with_key(items, span)),
            OperatorKind::Distinct(items) => match items.as_slice() {
                [only] if matches!(only.expr.kind, ExprKind::Star) => {
                    self.distinct(&relation, items)
                }
                items => self.distinct(&relation, &with_key(items, span)),
            },
            OperatorKind::ProjectAway(_) => {
                let kept = relation.column(KEY).cloned();
                let mut out = self.operator(relation, operator)?;
                if out.column(KEY).is_none() {
                    out.columns.splice(0..0, kept);
                }
                Ok(out)
            }
            OperatorKind::ProjectKeep(patterns) => {
                let mut patterns = patterns.clone();
                patterns.push(NamePattern {
                    name: Name {
                        text: KEY.into(),
                        span,
                    },
                    wildcard: false,
                });
                let kind = OperatorKind::ProjectKeep(patterns);
                self.operator(
                    relation,
                    &Operator {
                        kind,
                        ..operator.clone()
                    },
                )
            }
            OperatorKind::Summarize { aggregates, by, .. } => {
                self.summarize_parts(parts, &relation, aggregates, by, span)
            }
            OperatorKind::Count(name) => {
                let count = NamedExpr {
                    names: vec![name.clone().unwrap_or(Name {
                        text: "Count".into(),
                        span,
                    })],
                    expr: super::plugin::call("count", Vec::new(), span),
                    span,
                };
                self.summarize_parts(parts, &relation, &[count], &[], span)
            }
            OperatorKind::Sort(keys) => self.sort(&relation, keys, None, Some(KEY)),
            OperatorKind::Top { count, by } => {
                let most = self.count(count)?;
                self.sort(&relation, std::slice::from_ref(by), Some(most), Some(KEY))
            }
            OperatorKind::Take(count) => {
                let most = self.count(count)?;
                let ordered = relation.ordered;
                let (rows, place) = self.placed(&relation)?;
                let order = vec![place.sort(true, false)];
                let mut out = self.first_of_parts(&rows, order.clone(), KEY, most)?;
                out = out.with(out.builder().sort(order)?)?;
                out.ordered = ordered;
                Ok(out)
            }
            _ => self.operator(relation, operator),
        }
    }

    /// The same rows, with a number for their place where they stand.
    fn placed(&mut self, relation: &Relation) -> Result<(Relation, PlanExpr), Failure> {
        let made = match relation.ordered {
            true => self.made(relation)?,
            false => relation.clone(),
        };
        let place = self.fields.next("place");
        let rows = made.with(made.builder().window([row_number().alias(&place)])?)?;
        Ok((rows, datafusion::prelude::col(format!("\"{place}\""))))
    }

    /// The first so many rows of each part, in this order.
    pub(super) fn first_of_parts(
        &mut self,
        relation: &Relation,
        order: Vec<SortExpr>,
        part: &str,
        most: usize,
    ) -> Result<Relation, Failure> {
        let part: Vec<PlanExpr> = relation.column(part).iter().map(|c| c.expr()).collect();
        let place = self.fields.next("place");
        let numbered = row_number().partition_by(part).order_by(order).build()?;
        let most = lit(u64::try_from(most).unwrap_or(u64::MAX));
        let builder = relation
            .builder()
            .window([numbered.alias(&place)])?
            .filter(datafusion::prelude::col(&place).lt_eq(most))?;
        relation.with(builder)
    }

    /// `summarize` of each part. Without `by`, a part that lost all its rows still has an answer.
    fn summarize_parts(
        &mut self,
        parts: &Relation,
        relation: &Relation,
        aggregates: &[NamedExpr],
        by: &[NamedExpr],
        span: Span,
    ) -> Result<Relation, Failure> {
        let found = self.summarize(relation, aggregates, &with_key(by, span))?;
        if !by.is_empty() {
            return Ok(found);
        }
        let nothing = self.rows(&relation.schema(), &[])?;
        let nothing = self.summarize(&nothing, aggregates, &[])?;
        let key = |r: &Relation| r.column(KEY).cloned();
        let Some(part) = key(parts) else {
            return Ok(found);
        };
        let all = self
            .fields
            .project(parts, vec![(KEY.into(), part.ty, part.expr())])?;
        let all = all.with(all.builder().distinct()?)?;
        let mut columns = columns_of(&found);
        columns.push((HIT.into(), Type::Bool, lit(true)));
        let found = self.fields.project(&found, columns)?;
        let (Some(left), Some(right), Some(hit)) = (key(&all), key(&found), found.column(HIT))
        else {
            return Ok(found);
        };
        let joined = join(&all, &found, &[(left.clone(), right)], Kind::LeftOuter)?;
        let mut list: Columns = vec![(KEY.into(), left.ty, left.expr())];
        let own = found
            .columns
            .iter()
            .filter(|c| c.name != KEY && c.name != HIT);
        for (column, (_, ty, empty)) in own.zip(columns_of(&nothing)) {
            let only = vec![(column.name.clone(), ty, empty)];
            let default = scalar_subquery(self.fields.project(&nothing, only)?.plan);
            let expr = when(hit.expr().is_null(), default).otherwise(column.expr())?;
            let expr = match column.local {
                true => transcode::local(expr),
                false => expr,
            };
            list.push((column.name.clone(), column.ty, expr));
        }
        let mut out = self.fields.project(&joined, list)?;
        out.ordered = false;
        Ok(out)
    }

    /// Parts one after the other, each through a query of its own.
    fn one_by_one(&mut self, parts: &Relation, body: &Pipeline) -> Result<Relation, Failure> {
        let ordered = parts.ordered;
        let schema = parts.schema();
        let at = schema.iter().position(|c| c.0 == KEY).unwrap_or(0);
        let mut own = schema;
        let key = own.remove(at);
        let mut local = parts.local_times();
        let key_is_local = local.remove(at);
        let empty = self.rows(&own, &[])?.with_local_times(&local);
        let shape = self.applied(empty, body)?;
        let columns: Vec<(String, Type)> = std::iter::once(key).chain(shape.schema()).collect();
        if self.options.purpose != Purpose::Run {
            // Tables that the query of a part reads do not stand in the plan.
            self.needs_times |= self.env.is_open();
            return self.later("parts", parts, &columns, OnlyPlanned("the query".into()));
        }
        let mut groups: Vec<(Value, Vec<Vec<Value>>)> = Vec::new();
        let mut known: std::collections::HashMap<Key, usize> = Default::default();
        for mut row in self.phase("parts".into(), Making::InOrder, parts)? {
            let value = row.remove(at);
            let group = *known.entry(value.key()).or_insert_with(|| {
                groups.push((value, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(row);
        }
        let mut out = Vec::new();
        // Parts do not depend on each other: those that have no rows yet are run together.
        let mut needs = false;
        for (value, rows) in groups {
            let mut table = self.rows(&own, &rows)?.with_local_times(&local);
            table.ordered = ordered;
            let applied = match self.applied(table, body) {
                Ok(applied) => applied,
                // What this part needs behind that is not known yet, nor what the parts after it need.
                Err(Failure::Needs) => {
                    needs = true;
                    break;
                }
                Err(failure) => return Err(failure),
            };
            match self.first(&applied) {
                Ok(rows) => out.extend(rows.into_iter().map(|mut row| {
                    row.insert(0, value.clone());
                    row
                })),
                Err(Failure::Needs) => {
                    needs = true;
                    self.waits = false;
                }
                Err(failure) => return Err(failure),
            }
        }
        if needs {
            self.waits = true;
            return Err(Failure::Needs);
        }
        let shown: Vec<bool> = std::iter::once(key_is_local)
            .chain(shape.local_times())
            .collect();
        Ok(self.rows(&columns, &out)?.with_local_times(&shown))
    }

    fn applied(&mut self, rows: Relation, body: &Pipeline) -> Result<Relation, Failure> {
        self.context.push(rows);
        let applied = self.pipeline(body);
        self.context.pop();
        applied
    }

    /// The rows, collected and numbered.
    fn numbered(&mut self, relation: &Relation) -> Result<Relation, Failure> {
        let (numbered, place) = self.placed(relation)?;
        let cast = datafusion::prelude::cast(place, super::arrays::arrow_type(Type::Long));
        let mut columns: Columns = vec![(KEY.into(), Type::Long, cast)];
        columns.extend(columns_of(&numbered));
        let numbered = self.fields.project(&numbered, columns)?;
        // Numbers are given once, however often the rows are read.
        let mut held = self.made(&numbered)?;
        held.ordered = false;
        Ok(held)
    }
}
