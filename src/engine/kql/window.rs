//! Functions that look at other rows: `row_number`, `prev`, `next`, `row_cumsum`, `row_rank_dense`, `row_rank_min`.
//!
//! They ask for an order, so the rows are made first and then gone through one after the other.

use super::Failure;
use super::relation::Relation;
use super::statement::Lower;
use crate::kql::ast::{Call, Expr, ExprKind, NamedExpr};
use crate::kql::value::{Type, Value};

/// Begins the names of columns that hold what a window function gave.
const MARK: &str = "\0w";

fn is_window(name: &str) -> bool {
    matches!(
        name,
        "row_number"
            | "prev"
            | "next"
            | "row_cumsum"
            | "row_rank_dense"
            | "row_rank_min"
            | "row_rank"
            | "row_window_session"
    )
}

impl Lower<'_> {
    /// Computes the window functions of these items; the items then name their results.
    pub(super) fn windows(
        &mut self,
        relation: Relation,
        items: &[NamedExpr],
    ) -> Result<(Relation, Vec<NamedExpr>), Failure> {
        let mut items = items.to_vec();
        if !items.iter().any(|i| has_window(&i.expr)) {
            return Ok((relation, items));
        }
        if !relation.ordered {
            let span = items.first().map(|i| i.span).unwrap_or_default();
            return Err(Failure::at(
                span,
                "rows must be sorted or serialized before a function looks at other rows",
            ));
        }
        let mut rows = self.answer(&relation)?;
        let mut columns = relation.schema();
        for item in &mut items {
            self.compute(&mut item.expr, &mut columns, &mut rows)?;
        }
        let mut made = self.rows(&columns, &rows)?;
        made.ordered = true;
        Ok((made, items))
    }

    /// Takes the results of window functions away.
    pub(super) fn drop_windows(&self, relation: &mut Relation) {
        relation.columns.retain(|c| !c.name.starts_with(MARK));
    }

    /// Puts columns in the place of window functions, the innermost first.
    fn compute(
        &mut self,
        expr: &mut Expr,
        columns: &mut Vec<(String, Type)>,
        rows: &mut [Vec<Value>],
    ) -> Result<(), Failure> {
        for inner in children(expr) {
            self.compute(inner, columns, rows)?;
        }
        let ExprKind::Call(call) = &expr.kind else {
            return Ok(());
        };
        if !is_window(&call.name.text) {
            return Ok(());
        }
        let (ty, values) = self.window(call, columns, rows)?;
        let name = format!("{MARK}{}", columns.len());
        columns.push((name.clone(), ty));
        for (row, value) in rows.iter_mut().zip(values) {
            row.push(value);
        }
        expr.kind = ExprKind::Name(name);
        Ok(())
    }

    fn window(
        &mut self,
        call: &Call,
        columns: &[(String, Type)],
        rows: &[Vec<Value>],
    ) -> Result<(Type, Vec<Value>), Failure> {
        let env = self.env.clone();
        let mut arguments = Vec::new();
        for argument in &call.arguments {
            arguments.push(self.compile(&argument.expr, columns)?);
        }
        let wrong = |what: &str| Failure::at(call.span, format!("`{}` {what}", call.name.text));
        let restarts = |at: usize, row: &[Value]| {
            arguments
                .get(at)
                .is_some_and(|restart| restart.holds(&env, row))
        };
        let mut out = Vec::with_capacity(rows.len());
        match call.name.text.as_str() {
            "row_number" => {
                let first = match arguments.first() {
                    None => 1,
                    Some(start) => match start.eval(&env, &[]).to_long() {
                        Some(n) => n,
                        None => return Err(wrong("starts with a whole number")),
                    },
                };
                let mut next = first;
                for row in rows {
                    if restarts(1, row) {
                        next = first;
                    }
                    out.push(Value::Long(next));
                    next = next.wrapping_add(1);
                }
                Ok((Type::Long, out))
            }
            "prev" | "next" => {
                let Some(value) = arguments.first() else {
                    return Err(wrong("takes a column"));
                };
                let distance = match arguments.get(1) {
                    None => 1,
                    Some(d) => match d.eval(&env, &[]).to_long() {
                        Some(n) if n > 0 => n as usize,
                        _ => return Err(wrong("takes a distance above 0")),
                    },
                };
                let ty = value.ty;
                for at in 0..rows.len() {
                    let other = match call.name.text.as_str() {
                        "prev" => at.checked_sub(distance),
                        _ => at.checked_add(distance).filter(|o| *o < rows.len()),
                    };
                    out.push(match other {
                        Some(other) => value.eval(&env, &rows[other]),
                        None => match arguments.get(2) {
                            Some(default) => default.eval(&env, &rows[at]).fit(ty),
                            None => Value::Null.fit(ty),
                        },
                    });
                }
                Ok((ty, out))
            }
            "row_cumsum" => {
                let Some(value) = arguments.first() else {
                    return Err(wrong("takes a number"));
                };
                let ty = match value.ty {
                    Type::Int | Type::Long => Type::Long,
                    Type::Real | Type::Decimal | Type::Timespan => value.ty,
                    _ => return Err(wrong("takes a number")),
                };
                let (mut whole, mut real) = (0i64, 0f64);
                for row in rows {
                    if restarts(1, row) {
                        (whole, real) = (0, 0.0);
                    }
                    let value = value.eval(&env, row);
                    match (ty, &value) {
                        (Type::Real | Type::Decimal, v) => real += v.to_real().unwrap_or(0.0),
                        (Type::Timespan, Value::Timespan(t)) => whole = whole.wrapping_add(*t),
                        (_, v) => whole = whole.wrapping_add(v.to_long().unwrap_or(0)),
                    }
                    out.push(match ty {
                        Type::Real => Value::Real(real),
                        Type::Decimal => Value::Decimal(real),
                        Type::Timespan => Value::Timespan(whole),
                        _ => Value::Long(whole),
                    });
                }
                Ok((ty, out))
            }
            "row_rank_dense" | "row_rank_min" => {
                let Some(value) = arguments.first() else {
                    return Err(wrong("takes a column"));
                };
                let dense = call.name.text == "row_rank_dense";
                let (mut rank, mut position) = (0i64, 0i64);
                let mut last: Option<Value> = None;
                for row in rows {
                    if restarts(1, row) {
                        (rank, position, last) = (0, 0, None);
                    }
                    position += 1;
                    let own = value.eval(&env, row);
                    if last.as_ref() != Some(&own) {
                        rank = if dense { rank + 1 } else { position };
                        last = Some(own);
                    }
                    out.push(Value::Long(rank));
                }
                Ok((Type::Long, out))
            }
            "row_window_session" => {
                let [time, longest, gap, ..] = arguments.as_slice() else {
                    return Err(wrong("takes a time, a longest session and a longest gap"));
                };
                let ticks = |value: Value| match value {
                    Value::DateTime(t) | Value::Timespan(t) => Some(t),
                    _ => None,
                };
                let (Some(longest), Some(gap)) =
                    (ticks(longest.eval(&env, &[])), ticks(gap.eval(&env, &[])))
                else {
                    return Err(wrong("takes timespans for the longest session and gap"));
                };
                if time.ty != Type::DateTime {
                    return Err(wrong("takes a datetime"));
                }
                let mut session: Option<(i64, i64)> = None;
                for row in rows {
                    let Some(now) = ticks(time.eval(&env, row)) else {
                        out.push(Value::Null);
                        continue;
                    };
                    let first = match session {
                        Some((first, last))
                            if !restarts(3, row)
                                && now.saturating_sub(first) <= longest
                                && now.saturating_sub(last) <= gap =>
                        {
                            first
                        }
                        _ => now,
                    };
                    session = Some((first, now));
                    out.push(Value::DateTime(first));
                }
                Ok((Type::DateTime, out))
            }
            name => Err(Failure::unsupported(call.name.span, name)),
        }
    }
}

pub(super) fn has_window(expr: &Expr) -> bool {
    let mut copy = expr.clone();
    if let ExprKind::Call(call) = &copy.kind
        && is_window(&call.name.text)
    {
        return true;
    }
    children(&mut copy).into_iter().any(|c| has_window(c))
}

/// The scalar expressions inside an expression.
pub(super) fn children(expr: &mut Expr) -> Vec<&mut Expr> {
    match &mut expr.kind {
        ExprKind::Call(call) => call.arguments.iter_mut().map(|a| &mut a.expr).collect(),
        ExprKind::Path { base, .. } => vec![base],
        ExprKind::Sign { operand, .. } => vec![operand],
        ExprKind::Arithmetic { first, rest } => std::iter::once(first.as_mut())
            .chain(rest.iter_mut().map(|(_, e)| e))
            .collect(),
        ExprKind::Compare { left, right, .. } | ExprKind::Match { left, right, .. } => {
            vec![left, right]
        }
        ExprKind::In { left, list, .. } => std::iter::once(left.as_mut()).chain(list).collect(),
        ExprKind::Between {
            value, low, high, ..
        } => vec![value, low, high],
        ExprKind::And(all) | ExprKind::Or(all) => all.iter_mut().collect(),
        _ => Vec::new(),
    }
}
