//! `summarize`: aggregates over groups, and scalars made of aggregates.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Aggregate as AggregatePlan, Expr as PlanExpr, LogicalPlan};
use datafusion::prelude::lit;

use super::lower::Lower;
use super::operator::fresh;
use super::relation::{Column, Relation, columns_of};
use super::window::children;
use super::{Failure, Gathered, arrays, row, several, transcode};
use crate::function::aggregate::{self, Aggregate, Results};
use crate::function::value::{Type, Value};
use crate::kql::ast::{Call, Expr, ExprKind, NamedExpr, Span};
use crate::kql::naming::{self, From};

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
            true => transcode::local(value),
            false => value,
        }
    }
}

/// What groups and aggregates are made of: columns of their own over a relation.
struct Input<'r> {
    relation: &'r Relation,
    schema: Vec<(String, Type)>,
    columns: Vec<(String, Type, PlanExpr)>,
}

impl Grouped {
    fn new(aggregate: &'static Aggregate) -> Self {
        Grouped {
            aggregate,
            places: Vec::new(),
            types: Vec::new(),
            constants: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Whether its values come packed in one column.
    fn is_packed(&self) -> bool {
        self.parts.first().is_some_and(|p| p.element.is_some())
    }

    /// One more argument.
    fn takes(
        &mut self,
        input: &mut Input<'_>,
        constant: Option<Value>,
        column: (String, Type, PlanExpr),
    ) {
        self.places.push(input.columns.len());
        self.types.push(column.1);
        self.constants.push(constant);
        input.columns.push(column);
    }

    /// The result columns; the arguments have these names, and are local times or not.
    fn results(
        &self,
        one: &Found,
        names: Vec<Option<String>>,
        locals: &[bool],
    ) -> Result<Vec<Part>, Failure> {
        let types = self
            .aggregate
            .types(&self.types, &self.constants)
            .map_err(|message| Failure::at(one.span, message))?;
        Ok(match self.aggregate.results {
            Results::One => vec![Part {
                name: None,
                ty: types.first().copied().unwrap_or(Type::Long),
                element: None,
                local: false,
            }],
            Results::Arguments => types
                .iter()
                .zip(names)
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
                    let constant = self.constants.get(from + e).cloned().flatten();
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
        })
    }
}

impl Found {
    /// The arguments, and how the results are named after them where they are: a `*` stands for the columns that no group is made of.
    fn arguments(
        &self,
        aggregate: &Aggregate,
        relation: &Relation,
        by: &[NamedExpr],
    ) -> Vec<(Expr, Option<String>)> {
        if aggregate.results != Results::Arguments {
            let arguments = self.call.arguments.iter().map(|a| &a.expr);
            let arguments = arguments.filter(|expr| expr.kind != ExprKind::Star);
            return arguments.map(|expr| (expr.clone(), None)).collect();
        }
        let names: Vec<String> = relation.columns.iter().map(|c| c.name.clone()).collect();
        let plain: Vec<String> = by
            .iter()
            .filter_map(|k| match &k.expr.kind {
                ExprKind::Name(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        naming::row_columns(&self.call, &names, &plain)
            .into_iter()
            .map(|(from, name)| {
                let expr = match from {
                    From::Argument(at) => self.call.arguments[at].expr.clone(),
                    From::Column(column) => Expr {
                        kind: ExprKind::Name(column),
                        span: self.span,
                    },
                };
                (expr, Some(name))
            })
            .collect()
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
        let minds = |f: &Found| aggregate::get(&f.call.name.text).is_some_and(|a| a.minds_order);
        let ordered = relation.ordered && found.iter().any(minds);
        let made;
        let relation = match ordered {
            true => {
                made = self.made(relation)?;
                &made
            }
            false => relation,
        };
        let best = self.best_rows(relation, &found, by)?;
        let relation = best.as_ref().unwrap_or(relation);
        let mut input = Input {
            relation,
            schema: relation.schema(),
            columns: Vec::new(),
        };
        let mut gathered = Gathered::default();
        gathered.take(self.group_keys(by, &mut input))?;
        let groups = input.columns.len();
        let mut calls: Vec<Grouped> = Vec::new();
        for (at, one) in found.iter().enumerate() {
            calls.extend(gathered.take(self.grouped(at, one, by, &mut input))?);
        }
        gathered.done()?;
        if calls.is_empty() && groups == 0 {
            // Whatever else is wrong with what stands there is told first.
            let mut gathered = Gathered::default();
            for item in aggregates {
                gathered.take(self.compile(&item.expr, &input.schema))?;
            }
            gathered.done()?;
            let span = aggregates.first().map(|item| item.span).unwrap_or_default();
            return Err(Failure::at(span, "`summarize` needs an aggregate, or `by`"));
        }
        let prepared = self.fields.project(relation, input.columns)?;
        let grouped = self.aggregated(&prepared, groups, &calls, &found)?;
        let results = self.results(&grouped, groups, &wholes, &calls)?;
        match ordered {
            true => self.made(&results),
            false => Ok(results),
        }
    }

    /// What the groups are made of.
    fn group_keys(&mut self, by: &[NamedExpr], input: &mut Input<'_>) -> Result<(), Failure> {
        let mut unnamed = 0;
        let mut gathered = Gathered::default();
        for key in by {
            let compiled = self.compile_open(&key.expr, &input.schema);
            let Some(compiled) = gathered.take(compiled)? else {
                continue;
            };
            let name = match key.names.as_slice() {
                [name] => name.text.clone(),
                [] => naming::column_name(&key.expr).unwrap_or_else(|| {
                    unnamed += 1;
                    format!("Column{unnamed}")
                }),
                _ => {
                    gathered.add(key.span, "several names for one value");
                    continue;
                }
            };
            let name = fresh(&name, &input.columns);
            let expr = self.expression(&compiled, input.relation);
            input.columns.push((name, compiled.ty, expr));
        }
        gathered.done()
    }

    /// An aggregate over columns of its own.
    fn grouped(
        &mut self,
        at: usize,
        one: &Found,
        by: &[NamedExpr],
        input: &mut Input<'_>,
    ) -> Result<Grouped, Failure> {
        let name = &one.call.name;
        let Some(aggregate) = aggregate::get(&name.text) else {
            return Err(Failure::unsupported(name.span, &name.text));
        };
        let relation = input.relation;
        let mut call = Grouped::new(aggregate);
        let (mut names, mut locals) = (Vec::new(), Vec::new());
        let arguments = one.arguments(aggregate, relation, by);
        for (a, (argument, name)) in arguments.into_iter().enumerate() {
            names.push(name);
            let field = format!("\0{at}.{a}");
            // `*` stands for many columns: they need no compiling.
            if aggregate.results == Results::Arguments
                && let ExprKind::Name(column) = &argument.kind
                && let Some(column) = relation.column(column)
            {
                locals.push(column.local);
                call.takes(input, None, (field, column.ty, column.expr()));
                continue;
            }
            let compiled = self.compile_open(&argument, &input.schema)?;
            // Its value is asked for below.
            self.needs_times |= self.waits(&compiled) && compiled.columns().is_empty();
            let constant = compiled
                .columns()
                .is_empty()
                .then(|| compiled.planned(&self.env));
            locals.push(relation.gives_local_times(&compiled));
            let expr = self.expression(&compiled, relation);
            call.takes(input, constant, (field, compiled.ty, expr));
        }
        call.parts = call.results(one, names, &locals)?;
        if call.places.is_empty() {
            // A function of DataFusion needs a column to count rows by.
            call.takes(input, None, (format!("\0{at}"), Type::Bool, lit(true)));
        }
        Ok(call)
    }

    /// The groups and a column for each aggregate; several values of one come packed.
    fn aggregated(
        &mut self,
        prepared: &Relation,
        groups: usize,
        calls: &[Grouped],
        found: &[Found],
    ) -> Result<Relation, Failure> {
        let mut list = Vec::new();
        let mut columns: Vec<Column> = prepared.columns[..groups].to_vec();
        let as_field = |c: &Column| Field::new(&c.field, arrays::arrow_type(c.ty), true);
        let mut fields: Vec<Field> = columns.iter().map(as_field).collect();
        for (i, (call, one)) in calls.iter().zip(found).enumerate() {
            let (types, constants) = (&call.types, &call.constants);
            let ty = match call.parts.as_slice() {
                [only] if only.element.is_none() => Some(only.ty),
                _ => None,
            };
            let made = match (call.aggregate.name, one.call.arguments.is_empty()) {
                ("count", true) => datafusion::functions_aggregate::expr_fn::count(lit(1)),
                _ => {
                    let places = call.places.iter();
                    let arguments = places.map(|p| prepared.columns[*p].expr()).collect();
                    row::aggregate_call(
                        call.aggregate,
                        arguments,
                        types.clone(),
                        constants.clone(),
                        ty,
                    )
                }
            };
            let field = self.fields.next(call.aggregate.name);
            list.push(made.alias(&field));
            let stored = match ty {
                Some(ty) => arrays::arrow_type(ty),
                None => row::packed_type(call.aggregate, types, constants),
            };
            fields.push(Field::new(&field, stored, true));
            let ty = ty.unwrap_or(Type::Dynamic);
            let mut column = Column::new(format!("\0{i}"), ty, field);
            // The first or the last of such times is one.
            let first = call.places.first().and_then(|p| prepared.columns.get(*p));
            column.local = ty == Type::DateTime && first.is_some_and(|c| c.local);
            columns.push(column);
        }
        let keys: Vec<PlanExpr> = prepared.columns[..groups]
            .iter()
            .map(Column::expr)
            .collect();
        let schema = DFSchema::from_unqualified_fields(fields.into(), HashMap::new())?;
        let input = Arc::clone(&prepared.plan);
        let plan = AggregatePlan::try_new_with_schema(input, keys, list, Arc::new(schema))?;
        Ok(Relation {
            plan: Arc::new(LogicalPlan::Aggregate(plan)),
            columns,
            ordered: false,
        })
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
        let mut gathered = Gathered::default();
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
            let compiled = self.compile(&expr, &schema);
            let Some(compiled) = gathered.take(compiled)? else {
                continue;
            };
            let name = match item.names.as_slice() {
                [name] => name.text.clone(),
                [] => several::sorted_name(&item.expr)
                    .or_else(|| naming::column_name(&item.expr))
                    .unwrap_or_else(|| {
                        unnamed += 1;
                        format!("Column{unnamed}")
                    }),
                _ => {
                    gathered.add(item.span, "several names for one value");
                    continue;
                }
            };
            let ty = compiled.ty;
            let name = fresh(&name, &result);
            result.push((name, ty, self.expression(&compiled, grouped)));
        }
        gathered.done()?;
        self.fields.project(grouped, result)
    }
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
