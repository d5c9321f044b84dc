//! `join` and `lookup`.

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, JoinType, NullEquality};
use datafusion::logical_expr::Expr as PlanExpr;

use super::Failure;
use super::lower::Lower;
use super::operator::fresh;
use super::relation::{Column, Relation, columns_of};
use crate::function::value::Type;
use crate::kql::ast::operator::JoinCondition;
use crate::kql::ast::{CompareOp, Expr, ExprKind, Operator, Step};

/// What `kind=` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    InnerUnique,
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    LeftSemi,
    RightSemi,
    LeftAnti,
    RightAnti,
}

impl Kind {
    fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "innerunique" => Kind::InnerUnique,
            "inner" => Kind::Inner,
            "leftouter" => Kind::LeftOuter,
            "rightouter" => Kind::RightOuter,
            "fullouter" => Kind::FullOuter,
            "leftsemi" => Kind::LeftSemi,
            "rightsemi" => Kind::RightSemi,
            "leftanti" | "leftantisemi" | "anti" => Kind::LeftAnti,
            "rightanti" | "rightantisemi" => Kind::RightAnti,
            _ => return None,
        })
    }

    fn plan(self) -> JoinType {
        match self {
            Kind::InnerUnique | Kind::Inner => JoinType::Inner,
            Kind::LeftOuter => JoinType::Left,
            Kind::RightOuter => JoinType::Right,
            Kind::FullOuter => JoinType::Full,
            Kind::LeftSemi => JoinType::LeftSemi,
            Kind::RightSemi => JoinType::RightSemi,
            Kind::LeftAnti => JoinType::LeftAnti,
            Kind::RightAnti => JoinType::RightAnti,
        }
    }

    /// The columns that its rows have.
    fn columns<'r>(self, left: &'r Relation, right: &'r Relation) -> Vec<&'r Column> {
        match self {
            Kind::LeftSemi | Kind::LeftAnti => left.columns.iter().collect(),
            Kind::RightSemi | Kind::RightAnti => right.columns.iter().collect(),
            _ => left.columns.iter().chain(&right.columns).collect(),
        }
    }
}

fn kind_of(operator: &Operator, default: Kind) -> Result<Kind, Failure> {
    let Some(setting) = operator.setting("kind") else {
        return Ok(default);
    };
    let ExprKind::Name(word) = &setting.value.kind else {
        return Err(Failure::at(setting.span, "a kind of join is needed"));
    };
    Kind::named(word)
        .ok_or_else(|| Failure::at(setting.span, format!("no join is of kind `{word}`")))
}

impl Lower<'_> {
    /// The pairs of key columns.
    fn keys(
        &mut self,
        left: &Relation,
        right: &Relation,
        condition: Option<&JoinCondition>,
        operator: &Operator,
    ) -> Result<Vec<(Column, Column)>, Failure> {
        let Some(JoinCondition::On(list)) = condition else {
            return Err(Failure::at(
                operator.span,
                "a join needs `on` and the columns that must be equal",
            ));
        };
        let mut parts: Vec<&Expr> = Vec::new();
        for expr in list {
            match &expr.kind {
                ExprKind::And(all) => parts.extend(all),
                _ => parts.push(expr),
            }
        }
        let mut keys = Vec::new();
        for expr in parts {
            let (l, r) = match &expr.kind {
                ExprKind::Name(name) => (
                    left.need(name, expr.span)?.clone(),
                    right.need(name, expr.span)?.clone(),
                ),
                ExprKind::Compare {
                    op: CompareOp::Equal,
                    left: a,
                    right: b,
                } => match (side(a), side(b)) {
                    (Some((true, x)), Some((false, y))) => (
                        left.need(x, a.span)?.clone(),
                        right.need(y, b.span)?.clone(),
                    ),
                    (Some((false, y)), Some((true, x))) => (
                        left.need(x, b.span)?.clone(),
                        right.need(y, a.span)?.clone(),
                    ),
                    _ => {
                        return Err(Failure::at(
                            expr.span,
                            "a column, or `$left.a == $right.b`, is needed here",
                        ));
                    }
                },
                _ => {
                    return Err(Failure::at(
                        expr.span,
                        "a column, or `$left.a == $right.b`, is needed here",
                    ));
                }
            };
            let numbers = |t: Type| matches!(t, Type::Int | Type::Long);
            if l.ty != r.ty && !(numbers(l.ty) && numbers(r.ty)) {
                return Err(Failure::at(
                    expr.span,
                    format!(
                        "`{}` is a {} and `{}` a {}: they are never equal",
                        l.name,
                        l.ty.name(),
                        r.name,
                        r.ty.name()
                    ),
                ));
            }
            if l.ty == Type::Dynamic {
                return Err(Failure::at(
                    expr.span,
                    "tables cannot be joined on a dynamic value: convert it first",
                ));
            }
            keys.push((l, r));
        }
        if keys.is_empty() {
            return Err(Failure::at(operator.span, "a join needs a column"));
        }
        Ok(keys)
    }

    pub(super) fn join(
        &mut self,
        left: Relation,
        table: &Expr,
        condition: Option<&JoinCondition>,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let kind = kind_of(operator, Kind::InnerUnique)?;
        let right = self.table(table)?;
        let right = self.renewed(&right)?;
        let keys = self.keys(&left, &right, condition, operator)?;
        let mut left = left;
        if kind == Kind::InnerUnique {
            let on = keys.iter().map(|(l, _)| l.expr()).collect();
            let all = left.columns.iter().map(Column::expr).collect();
            left = left.with(left.builder().distinct_on(on, all, None)?)?;
            left.columns.iter_mut().for_each(Column::forget);
        }
        let joined = join(&left, &right, &keys, kind)?;
        self.named_apart(&joined, &kind.columns(&left, &right))
    }

    pub(super) fn lookup_table(
        &mut self,
        left: &Relation,
        table: &Expr,
        condition: Option<&JoinCondition>,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let kind = kind_of(operator, Kind::LeftOuter)?;
        if !matches!(kind, Kind::LeftOuter | Kind::Inner) {
            return Err(Failure::at(
                operator.span,
                "`lookup` is of kind leftouter or inner",
            ));
        }
        let right = self.table(table)?;
        let right = self.renewed(&right)?;
        let keys = self.keys(left, &right, condition, operator)?;
        let joined = join(left, &right, &keys, kind)?;
        let is_key = |c: &Column| keys.iter().any(|(_, r)| r.field == c.field);
        let columns: Vec<&Column> = left
            .columns
            .iter()
            .chain(right.columns.iter().filter(|c| !is_key(c)))
            .collect();
        self.named_apart(&joined, &columns)
    }

    /// The same rows under fields of their own: a table may be joined with itself.
    pub(super) fn renewed(&mut self, relation: &Relation) -> Result<Relation, Failure> {
        self.fields.project(relation, columns_of(relation))
    }

    /// Strings that an outer join left open are empty; equal names are told apart.
    fn named_apart(&mut self, joined: &Relation, columns: &[&Column]) -> Result<Relation, Failure> {
        let mut out: Vec<(String, Type, PlanExpr)> = Vec::new();
        for c in columns {
            let expr = match c.ty {
                Type::String => {
                    datafusion::prelude::coalesce(vec![c.expr(), datafusion::prelude::lit("")])
                }
                _ => c.expr(),
            };
            out.push((fresh(&c.name, &out), c.ty, expr));
        }
        self.fields.project(joined, out)
    }
}

/// The rows of a join. Columns of both sides may have the same name.
pub(super) fn join(
    left: &Relation,
    right: &Relation,
    keys: &[(Column, Column)],
    kind: Kind,
) -> Result<Relation, Failure> {
    let (l, r): (Vec<PlanColumn>, Vec<PlanColumn>) = keys
        .iter()
        .map(|(l, r)| {
            (
                PlanColumn::from_name(&l.field),
                PlanColumn::from_name(&r.field),
            )
        })
        .unzip();
    let plan = left
        .builder()
        .join_detailed(
            right.plan.as_ref().clone(),
            kind.plan(),
            (l, r),
            None,
            // Kusto's joins take null for equal to null.
            NullEquality::NullEqualsNull,
        )?
        .build()?;
    let mut columns: Vec<Column> = kind.columns(left, right).into_iter().cloned().collect();
    columns.iter_mut().for_each(Column::forget);
    Ok(Relation {
        plan: Arc::new(plan),
        columns,
        ordered: false,
    })
}

/// `$left.x` → left and the name.
fn side(expr: &Expr) -> Option<(bool, &str)> {
    let ExprKind::Path { base, steps } = &expr.kind else {
        return None;
    };
    let (ExprKind::Name(side), [Step::Member(name)]) = (&base.kind, steps.as_slice()) else {
        return None;
    };
    match side.as_str() {
        "$left" => Some((true, &name.text)),
        "$right" => Some((false, &name.text)),
        _ => None,
    }
}
