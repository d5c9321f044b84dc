//! Rows in an order: `sort` and `top`, and the same within parts.

use datafusion::functions::math::expr_fn::isnan;
use datafusion::logical_expr::{SortExpr, when};
use datafusion::prelude::lit;

use super::lower::Lower;
use super::relation::{Column, Columns, Relation, columns_of};
use super::{Failure, Gathered, transcode};
use crate::function::value::Type;
use crate::kql::ast::operator::{Direction, Nulls, Ordered};

/// Columns that decide about rows which the query's own keys leave equal. More would make long rows dear to sort.
const TIE_COLUMNS: usize = 8;

/// What rows are sorted by.
struct SortKey {
    /// The place of its column.
    at: usize,
    ascending: bool,
    nulls_first: bool,
}

impl SortKey {
    /// From the least on, after the nulls.
    fn upwards(at: usize) -> SortKey {
        SortKey {
            at,
            ascending: true,
            nulls_first: true,
        }
    }
}

impl Lower<'_> {
    /// Sorts, and keeps the first so many; within each part, where a column tells parts apart.
    pub(super) fn sort(
        &mut self,
        relation: &Relation,
        keys: &[Ordered],
        most: Option<usize>,
        part: Option<&str>,
    ) -> Result<Relation, Failure> {
        let mut columns = columns_of(relation);
        let width = columns.len();
        let mut order = self.sort_keys(relation, keys, &mut columns)?;
        break_ties(&mut order, &mut columns, width);
        let with_keys = self.fields.project(relation, columns)?;
        let mut by: Vec<SortExpr> = order
            .iter()
            .map(|key| {
                let column = with_keys.columns[key.at].expr();
                column.sort(key.ascending, key.nulls_first)
            })
            .collect();
        let mut out = match (part, most) {
            (Some(part), Some(most)) => self.first_of_parts(&with_keys, by.clone(), part, most)?,
            _ => with_keys,
        };
        let parts = part.and_then(|part| out.column(part)).map(Column::expr);
        by.splice(0..0, parts.map(|part| part.sort(true, true)));
        let most = most.filter(|_| part.is_none());
        let builder = match most {
            Some(0) => out.builder().limit(0, Some(0))?,
            most => out.builder().sort_with_limit(by, most)?,
        };
        out = out.with(builder)?;
        out.columns.truncate(width);
        out.ordered = true;
        Ok(out)
    }

    /// The keys that a query names. Those that are no columns of the rows are added to the columns.
    fn sort_keys(
        &mut self,
        relation: &Relation,
        keys: &[Ordered],
        columns: &mut Columns,
    ) -> Result<Vec<SortKey>, Failure> {
        let schema = relation.schema();
        let mut order = Vec::new();
        let mut gathered = Gathered::default();
        for (i, key) in keys.iter().enumerate() {
            let compiled = self.compile(&key.by.expr, &schema);
            let Some(compiled) = gathered.take(compiled)? else {
                continue;
            };
            if compiled.ty == Type::Dynamic {
                gathered.add(
                    key.by.span,
                    "rows cannot be sorted by a dynamic value: convert it first",
                );
                continue;
            }
            let ascending = key.direction == Some(Direction::Ascending);
            let nulls_first = match key.nulls {
                Some(nulls) => nulls == Nulls::First,
                None => ascending,
            };
            let ty = compiled.ty;
            let value = self.expression(&compiled, relation);
            if ty == Type::Real {
                // What is no number stands between the numbers and the nulls.
                let (null, number) = match nulls_first {
                    true => (0, 2),
                    false => (2, 0),
                };
                let rank = when(value.clone().is_null(), lit(null))
                    .when(isnan(value.clone()), lit(1))
                    .otherwise(lit(number))?;
                order.push(SortKey::upwards(columns.len()));
                columns.push((format!("\0rank{i}"), Type::Int, rank));
            }
            let at = compiled.as_column().unwrap_or_else(|| {
                columns.push((format!("\0{i}"), ty, value));
                columns.len() - 1
            });
            order.push(SortKey {
                at,
                ascending,
                nulls_first,
            });
        }
        gathered.done()?;
        Ok(order)
    }
}

/// Adds keys for rows that are equal by the others. Kusto leaves their order open; threads would make it another one in every run.
fn break_ties(order: &mut Vec<SortKey>, columns: &mut Columns, width: usize) {
    let keys: Vec<usize> = order.iter().map(|key| key.at).collect();
    let ties: Vec<usize> = (0..width)
        .filter(|at| columns[*at].1 != Type::Dynamic && !keys.contains(at))
        .take(TIE_COLUMNS)
        .collect();
    for at in ties {
        order.push(SortKey::upwards(columns.len()));
        let (_, ty, expr) = &columns[at];
        let tie = (format!("\0tie{at}"), *ty, transcode::apart(expr.clone()));
        columns.push(tie);
    }
}
