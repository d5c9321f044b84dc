//! `summarize`: aggregates over groups, and scalars made of aggregates.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Aggregate as AggregatePlan, Expr as PlanExpr, LogicalPlan};
use datafusion::prelude::lit;

use super::operator::{columns_of, fresh};
use super::relation::{Column, Relation};
use super::statement::Lower;
use super::window::children;
use super::{Failure, arrays, row, several, unary};
use crate::kql::aggregate::{self, Aggregate, Results};
use crate::kql::ast::{Call, Expr, ExprKind, NamedExpr, Span};
use crate::kql::naming::{self, From};
use crate::kql::value::{Type, Value};

/// An aggregate that was found in an expression.
pub(super) struct Found {
    /// The call.
    pub call: Call,
    /// Where.
    pub span: Span,
}

/// A call of an aggregate, ready to be planned.
struct Grouped {
    aggregate: &'static Aggregate,
    /// Where its arguments stand among the prepared columns.
    places: Vec<usize>,
    types: Vec<Type>,
    constants: Vec<Option<Value>>,
    parts: Vec<Part>,
}

impl Grouped {
    /// Whether its values come packed in one column.
    fn is_packed(&self) -> bool {
        self.parts.first().is_some_and(|p| p.element.is_some())
    }
}

/// The aggregate whose place an expression is.
fn aggregate_named(expr: &Expr) -> Option<usize> {
    match &expr.kind {
        ExprKind::Name(name) => name.strip_prefix('\0')?.parse().ok(),
        _ => None,
    }
}

/// The column with the first of several values of an aggregate.
fn first_of(aggregate: usize) -> String {
    format!("\0first{aggregate}")
}

/// Puts the first value in the place of aggregates of several.
fn name_firsts(expr: &mut Expr, calls: &[Grouped]) {
    match aggregate_named(expr) {
        Some(index) if calls[index].is_packed() => expr.kind = ExprKind::Name(first_of(index)),
        _ => children(expr)
            .into_iter()
            .for_each(|inner| name_firsts(inner, calls)),
    }
}

/// One result column of an aggregate call.
struct Part {
    name: Option<String>,
    ty: Type,
    /// Which of several values; nothing where there is only one.
    element: Option<usize>,
    /// Whether it is a local time.
    local: bool,
}

impl Part {
    /// The value, out of the column with all of them.
    fn of(&self, packed: PlanExpr) -> PlanExpr {
        let value = row::element(packed, self.element.unwrap_or(0), self.ty);
        match self.local {
            true => unary::local(value),
            false => value,
        }
    }
}

impl Lower<'_> {
    pub(super) fn summarize(
        &mut self,
        relation: &Relation,
        aggregates: &[NamedExpr],
        by: &[NamedExpr],
    ) -> Result<Relation, Failure> {
        // A plan may forget an order that nobody but the aggregates sees: rows that have one are made first.
        let mut found: Vec<Found> = Vec::new();
        let mut wholes: Vec<(&NamedExpr, Expr)> = aggregates
            .iter()
            .map(|item| (item, item.expr.clone()))
            .collect();
        for (_, expr) in &mut wholes {
            lift(expr, &mut found);
        }
        let ordered = relation.ordered && found.iter().any(|f| minds_order(&f.call.name.text));
        let made;
        let relation = match ordered {
            true => {
                made = self.made(relation)?;
                &made
            }
            false => relation,
        };
        let schema = relation.schema();
        let mut input: Vec<(String, Type, PlanExpr)> = Vec::new();
        let mut unnamed = 0;
        for key in by {
            let compiled = self.compile(&key.expr, &schema)?;
            let name = match key.names.as_slice() {
                [name] => name.text.clone(),
                [] => naming::column_name(&key.expr).unwrap_or_else(|| {
                    unnamed += 1;
                    format!("Column{unnamed}")
                }),
                _ => return Err(Failure::at(key.span, "several names for one value")),
            };
            let ty = compiled.ty;
            let name = fresh(&name, &input);
            input.push((name, ty, self.expression(&compiled, relation)));
        }
        let groups = input.len();
        // What the aggregates take are columns of their own.
        let names: Vec<String> = relation.columns.iter().map(|c| c.name.clone()).collect();
        let plain: Vec<String> = by
            .iter()
            .filter_map(|k| match &k.expr.kind {
                ExprKind::Name(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let mut calls: Vec<Grouped> = Vec::new();
        for (i, one) in found.iter().enumerate() {
            let name = one.call.name.text.as_str();
            let Some(aggregate) = aggregate::get(name) else {
                return Err(Failure::unsupported(one.call.name.span, name));
            };
            let mut arguments: Vec<(Expr, Option<String>)> = Vec::new();
            if aggregate.results == Results::Arguments {
                for (from, name) in naming::row_columns(&one.call, &names, &plain) {
                    let expr = match from {
                        From::Argument(at) => one.call.arguments[at].expr.clone(),
                        From::Column(column) => Expr {
                            kind: ExprKind::Name(column),
                            span: one.span,
                        },
                    };
                    arguments.push((expr, Some(name)));
                }
            } else {
                for argument in &one.call.arguments {
                    if argument.expr.kind != ExprKind::Star {
                        arguments.push((argument.expr.clone(), None));
                    }
                }
            }
            let mut call = Grouped {
                aggregate,
                places: Vec::new(),
                types: Vec::new(),
                constants: Vec::new(),
                parts: Vec::new(),
            };
            let (mut own_names, mut locals) = (Vec::new(), Vec::new());
            for (a, (argument, name)) in arguments.into_iter().enumerate() {
                // `*` stands for many columns: they need no compiling.
                if aggregate.results == Results::Arguments
                    && let ExprKind::Name(column) = &argument.kind
                    && let Some(column) = relation.column(column)
                {
                    own_names.push(name);
                    locals.push(column.local);
                    call.places.push(input.len());
                    call.types.push(column.ty);
                    call.constants.push(None);
                    input.push((format!("\0{i}.{a}"), column.ty, column.expr()));
                    continue;
                }
                let compiled = self.compile(&argument, &schema)?;
                let ty = compiled.ty;
                let constant = compiled
                    .columns()
                    .is_empty()
                    .then(|| compiled.planned(&self.env));
                own_names.push(name);
                locals.push(relation.gives_local_times(&compiled));
                call.places.push(input.len());
                call.types.push(ty);
                call.constants.push(constant);
                let expr = self.expression(&compiled, relation);
                input.push((format!("\0{i}.{a}"), ty, expr));
            }
            let types = aggregate
                .types(&call.types, &call.constants)
                .map_err(|message| Failure::at(one.span, message))?;
            call.parts = match aggregate.results {
                Results::One => vec![Part {
                    name: None,
                    ty: types.first().copied().unwrap_or(Type::Long),
                    element: None,
                    local: false,
                }],
                Results::Arguments => types
                    .iter()
                    .zip(own_names)
                    .enumerate()
                    .map(|(e, (ty, name))| Part {
                        name,
                        ty: *ty,
                        element: Some(e),
                        local: *ty == Type::DateTime && locals.get(e) == Some(&true),
                    })
                    .collect(),
                Results::From(from) => types
                    .iter()
                    .enumerate()
                    .map(|(e, ty)| {
                        let constant = call.constants.get(from + e).cloned().flatten();
                        let text = constant.unwrap_or_default().text().into_owned();
                        Part {
                            name: Some(naming::percentile_name(&one.call, &text)),
                            ty: *ty,
                            element: Some(e),
                            // They are values of the first argument.
                            local: *ty == Type::DateTime && locals.first() == Some(&true),
                        }
                    })
                    .collect(),
            };
            if call.places.is_empty() {
                // A function of DataFusion needs a column to count rows by.
                call.places.push(input.len());
                call.types.push(Type::Bool);
                call.constants.push(None);
                input.push((format!("\0{i}"), Type::Bool, lit(true)));
            }
            calls.push(call);
        }
        if calls.is_empty() && groups == 0 {
            // Whatever else is wrong with what stands there is told first.
            for item in aggregates {
                self.compile(&item.expr, &schema)?;
            }
            let span = aggregates.first().map(|item| item.span).unwrap_or_default();
            return Err(Failure::at(span, "`summarize` needs an aggregate, or `by`"));
        }
        let prepared = self.fields.project(relation, input)?;
        let mut list = Vec::new();
        let mut packed = Vec::new();
        let mut out: Vec<Column> = prepared.columns[..groups].to_vec();
        for (i, (call, one)) in calls.iter().zip(&found).enumerate() {
            let columns = call
                .places
                .iter()
                .map(|p| prepared.columns[*p].expr())
                .collect();
            let ty = match call.parts.as_slice() {
                [only] if only.element.is_none() => Some(only.ty),
                _ => None,
            };
            let field = self.fields.next(call.aggregate.name);
            let made = match (call.aggregate.name, one.call.arguments.is_empty()) {
                ("count", true) => datafusion::functions_aggregate::expr_fn::count(lit(1)),
                _ => row::aggregate_call(
                    call.aggregate,
                    columns,
                    call.types.clone(),
                    call.constants.clone(),
                    ty,
                ),
            };
            list.push(made.alias(&field));
            // Several values come packed.
            packed.push(match ty {
                Some(_) => None,
                None => Some(row::packed_type(
                    call.aggregate,
                    &call.types,
                    &call.constants,
                )),
            });
            let ty = ty.unwrap_or(Type::Dynamic);
            let mut column = Column::new(format!("\0{i}"), ty, field);
            // The first or the last of such times is one.
            let first = call.places.first().and_then(|p| prepared.columns.get(*p));
            column.local = ty == Type::DateTime && first.is_some_and(|c| c.local);
            out.push(column);
        }
        let keys: Vec<PlanExpr> = prepared.columns[..groups]
            .iter()
            .map(Column::expr)
            .collect();
        let fields: Vec<Field> = out
            .iter()
            .zip(keys.iter().map(|_| None).chain(packed))
            .map(|(c, packed)| {
                let ty = packed.unwrap_or_else(|| arrays::arrow_type(c.ty));
                Field::new(&c.field, ty, true)
            })
            .collect();
        let schema = DFSchema::from_unqualified_fields(fields.into(), HashMap::new())?;
        let input = Arc::clone(&prepared.plan);
        let plan = AggregatePlan::try_new_with_schema(input, keys, list, Arc::new(schema))?;
        let plan = LogicalPlan::Aggregate(plan);
        let grouped = Relation {
            plan: Arc::new(plan),
            columns: out,
            ordered: false,
        };
        let results = self.results(&grouped, groups, &wholes, &calls)?;
        match ordered {
            true => self.made(&results),
            false => Ok(results),
        }
    }

    /// The columns of the result: groups, then what is made of the aggregates.
    fn results(
        &mut self,
        grouped: &Relation,
        groups: usize,
        wholes: &[(&NamedExpr, Expr)],
        calls: &[Grouped],
    ) -> Result<Relation, Failure> {
        // Inside an expression, an aggregate of several values stands for its first.
        let mut columns = columns_of(grouped);
        for (index, call) in calls.iter().enumerate().filter(|(_, c)| c.is_packed()) {
            let packed = grouped.columns[groups + index].expr();
            let first = &call.parts[0];
            columns.push((first_of(index), first.ty, first.of(packed)));
        }
        let with_firsts;
        let grouped = match calls.iter().any(Grouped::is_packed) {
            true => {
                with_firsts = self.fields.project_untyped(grouped, columns)?;
                &with_firsts
            }
            false => grouped,
        };
        let mut result: Vec<(String, Type, PlanExpr)> = grouped.columns[..groups]
            .iter()
            .map(|c| (c.name.clone(), c.ty, c.expr()))
            .collect();
        let schema = grouped.schema();
        let mut unnamed = 0;
        for (item, expr) in wholes {
            if let Some(index) = aggregate_named(expr)
                && calls[index].is_packed()
            {
                let source = &grouped.columns[groups + index];
                for (p, part) in calls[index].parts.iter().enumerate() {
                    let name = match (item.names.as_slice(), p) {
                        ([only], 0) => only.text.clone(),
                        (names, p) if names.len() > 1 && p < names.len() => names[p].text.clone(),
                        _ => part
                            .name
                            .clone()
                            .unwrap_or_else(|| format!("Column{}", p + 1)),
                    };
                    let expr = part.of(source.expr());
                    result.push((fresh(&name, &result), part.ty, expr));
                }
                continue;
            }
            let mut expr = expr.clone();
            name_firsts(&mut expr, calls);
            let compiled = self.compile(&expr, &schema)?;
            let name = match item.names.as_slice() {
                [name] => name.text.clone(),
                [] => several::sorted_name(&item.expr)
                    .or_else(|| naming::column_name(&item.expr))
                    .unwrap_or_else(|| {
                        unnamed += 1;
                        format!("Column{unnamed}")
                    }),
                _ => return Err(Failure::at(item.span, "several names for one value")),
            };
            let ty = compiled.ty;
            let name = fresh(&name, &result);
            result.push((name, ty, self.expression(&compiled, grouped)));
        }
        self.fields.project(grouped, result)
    }
}

/// Whether an aggregate may give another answer for the same rows in another order.
fn minds_order(name: &str) -> bool {
    let plain = name.strip_suffix("if").unwrap_or(name);
    let plain = plain.strip_suffix('_').unwrap_or(plain);
    !matches!(
        plain,
        "count" | "count_distinct" | "sum" | "min" | "max" | "dcount"
    )
}

/// Puts names in the place of aggregates.
pub(super) fn lift(expr: &mut Expr, found: &mut Vec<Found>) {
    let span = expr.span;
    if let ExprKind::Call(call) = &expr.kind
        && aggregate::get(&call.name.text).is_some()
    {
        let name = ExprKind::Name(format!("\0{}", found.len()));
        found.push(Found {
            call: call.as_ref().clone(),
            span,
        });
        expr.kind = name;
        return;
    }
    for inner in children(expr) {
        lift(inner, found);
    }
}
