//! Scalars of a query: compiled with the names that are known. Their subqueries are run, or kept as plans where the query is only planned.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::logical_expr::{Expr as PlanExpr, Operator, binary_expr};

use super::columns::{is_closed, sorts};
use super::lower::{Binding, Lower};
use super::native::{Awaited, For, Native};
use super::relation::{Relation, columns_of};
use super::source::INGESTED;
use super::window::children;
use super::{Failure, Made, Making, Purpose, deferred, plugin};
use crate::catalog::TIME;
use crate::function::value::{Type, Value};
use crate::kql::ast::{self, Expr, ExprKind, NamedExpr};
use crate::kql::eval::{self, Compiled, FirstCell, Known, Node};
use crate::kql::span::Fault;

/// The first column of a subquery that was run.
struct FirstColumn {
    values: Vec<Value>,
    ty: Type,
    /// Whether it has local times.
    is_local: bool,
}

impl Lower<'_> {
    /// The value of an expression that reads no column.
    pub(super) fn constant(&mut self, expr: &Expr) -> Result<Value, Failure> {
        let compiled = self.compile(expr, &[])?;
        Ok(self.planned(&compiled))
    }

    /// The value of a scalar that reads no column. Where a subquery would have to run first, another value stands for it, which is said.
    pub(super) fn planned(&mut self, compiled: &Compiled) -> Value {
        let value = compiled.planned(&self.env);
        if let Some(one) = compiled.awaits().and_then(|at| self.awaited.get(at)) {
            self.made_of.push(Made {
                name: value.show(),
                plan: Arc::clone(&one.plan),
                making: Making::StandIn,
            });
        }
        value
    }

    /// A whole number that an operator asks for.
    pub(super) fn count(&mut self, expr: &Expr) -> Result<usize, Failure> {
        match self.constant(expr)? {
            Value::Long(n) => Ok(usize::try_from(n).unwrap_or(0)),
            Value::Int(n) => Ok(usize::try_from(n).unwrap_or(0)),
            _ => Err(Failure::at(expr.span, "a whole number is needed here")),
        }
    }

    /// Compiles a scalar over these columns.
    pub(super) fn compile(
        &mut self,
        expr: &Expr,
        columns: &[(String, Type)],
    ) -> Result<Compiled, Failure> {
        let compiled = self.compile_open(expr, columns)?;
        self.needs_times |= self.waits(&compiled);
        Ok(compiled)
    }

    /// Whether the instant that a scalar depends on is not known yet.
    pub(super) fn waits(&self, compiled: &Compiled) -> bool {
        self.env.is_open() && compiled.asks_now()
    }

    /// The same for a scalar that becomes an [`Self::expression`] or [`Self::condition`] and nothing else: it may wait for the instant.
    pub(super) fn compile_open(
        &mut self,
        expr: &Expr,
        columns: &[(String, Type)],
    ) -> Result<Compiled, Failure> {
        let mut own = None;
        if self.mentions.has("ingestion_time") {
            let there = |name: &&str| columns.iter().any(|c| c.0 == *name);
            let column = [INGESTED, TIME].into_iter().find(there);
            own = column.map(|column| with_ingestion_time(expr.clone(), column));
        }
        let expr = own.as_ref().unwrap_or(expr);
        let compiled = self.scoped(columns, |scope| eval::compile(expr, scope))?;
        if self.waits(&compiled) {
            self.needs_times |= !compiled.can_wait() || compiled.is_local_time(&|_| true);
        }
        Ok(compiled)
    }

    /// Does something with all names that a scalar over these columns may have.
    pub(super) fn scoped<R>(
        &mut self,
        columns: &[(String, Type)],
        make: impl FnOnce(&eval::Scope) -> Result<R, Vec<Fault>>,
    ) -> Result<R, Failure> {
        let mut constants: HashMap<String, (Value, Type)> = HashMap::new();
        let mut awaited: HashMap<String, Compiled> = HashMap::new();
        let mut kept: HashMap<String, Arc<ast::Function>> = HashMap::new();
        for scope in &self.names {
            for (name, binding) in scope {
                match binding {
                    Binding::Scalar(value, ty) => {
                        awaited.remove(name);
                        constants.insert(name.clone(), (value.clone(), *ty));
                    }
                    Binding::Awaited(compiled) => {
                        constants.remove(name);
                        awaited.insert(name.clone(), compiled.clone());
                    }
                    Binding::Function(f) => {
                        kept.insert(name.clone(), Arc::clone(f));
                    }
                    Binding::Table(_) | Binding::Broken => {}
                }
            }
        }
        let functions = kept
            .iter()
            .map(|(name, f)| (name.clone(), f.as_ref()))
            .collect();
        let geography = self.env.geography.is_some() || self.options.purpose != Purpose::Run;
        let env = self.env.clone();
        let tables = Subqueries {
            lower: RefCell::new(self),
            failed: RefCell::new(None),
            bound: RefCell::default(),
        };
        let made = make(&eval::Scope {
            columns,
            constants: &constants,
            awaited: &awaited,
            functions: &functions,
            tables: Some(&tables),
            geography,
            env: &env,
        });
        match (made, tables.failed.into_inner()) {
            (_, Some(failure @ Failure::Needs)) => Err(failure),
            (Ok(made), _) => Ok(made),
            (Err(_), Some(failure)) => Err(failure),
            (Err(faults), None) => Err(Failure::Faults(faults)),
        }
    }

    /// The first column of a subquery, and its type; only the first row unless it is a list.
    fn first_column(&mut self, expr: &Expr, list: bool) -> Result<(Relation, Type), Failure> {
        // Its first column counts: one that it names, or any. Columns that are not seen cannot decide which of equal rows is the first.
        let own = self.narrows && is_closed(expr) && !sorts(expr);
        let narrow = std::mem::replace(&mut self.narrow, own);
        let relation = self.table(expr);
        self.narrow = narrow;
        let mut relation = relation?;
        let Some(ty) = relation.columns.first().map(|first| first.ty) else {
            return Err(Failure::at(expr.span, "the subquery has no column"));
        };
        relation.columns.truncate(1);
        if !list {
            relation = relation.with(relation.builder().limit(0, Some(1))?)?;
        }
        Ok((relation, ty))
    }

    /// Keeps a subquery as a plan.
    fn later_on(&mut self, expr: &Expr, list: bool) -> Result<(usize, Type), Failure> {
        let (relation, ty) = self.first_column(expr, list)?;
        if self.options.purpose == Purpose::Check {
            // Only the type is asked for.
            return Ok((usize::MAX, ty));
        }
        let array = match (list, relation.columns.first()) {
            (true, Some(first)) => {
                let span = expr.span;
                let plain = |kind| NamedExpr {
                    names: Vec::new(),
                    expr: Expr { kind, span },
                    span,
                };
                let column = plain(ExprKind::Name(first.name.clone()));
                let all = plugin::call("make_list", vec![column], span);
                Some(self.summarize(&relation, &[plain(all.kind)], &[])?.plan)
            }
            _ => None,
        };
        let plan = self.fields.project(&relation, columns_of(&relation))?.plan;
        self.awaited.push(Awaited { plan, array, ty });
        Ok((self.awaited.len() - 1, ty))
    }

    /// The values of the first column of a subquery.
    fn values(&mut self, expr: &Expr, list: bool) -> Result<FirstColumn, Failure> {
        let (relation, ty) = self.first_column(expr, list)?;
        let is_local = relation.columns.first().is_some_and(|first| first.local);
        let rows = self.phase("a subquery".into(), Making::Once, &relation)?;
        let values = rows
            .into_iter()
            .filter_map(|mut row| (!row.is_empty()).then(|| row.swap_remove(0)))
            .collect();
        Ok(FirstColumn {
            values,
            ty,
            is_local,
        })
    }

    /// A compiled expression over a relation, as an expression of the plan.
    pub(super) fn expression(&self, compiled: &Compiled, over: &Relation) -> PlanExpr {
        match self.waits(compiled) {
            true => deferred::call(compiled, For::Value, over, &self.env),
            false => self.native(over).value(compiled),
        }
    }

    /// The same as a condition on rows.
    pub(super) fn condition(&self, compiled: &Compiled, over: &Relation) -> PlanExpr {
        match (self.waits(compiled), compiled.node()) {
            (false, _) => self.native(over).filter(compiled),
            // What does not wait is known before the instant is.
            (true, Node::And(all)) if !all.is_empty() => self.all_of(all, over),
            (true, _) => deferred::call(compiled, For::Filter, over, &self.env),
        }
    }

    /// All of these conditions, in halves as they are planned at once.
    fn all_of(&self, all: &[Compiled], over: &Relation) -> PlanExpr {
        if let [part] = all {
            return self.condition(part, over);
        }
        let (left, right) = all.split_at(all.len() / 2);
        let (left, right) = (self.all_of(left, over), self.all_of(right, over));
        binary_expr(left, Operator::And, right)
    }

    /// Plans expressions over a relation.
    pub(super) fn native<'a>(&'a self, over: &'a Relation) -> Native<'a> {
        Native {
            over,
            env: &self.env,
            awaited: &self.awaited,
        }
    }
}

/// When a service took a row in is not in an export: the event's time stands for it, or what is supposed.
fn with_ingestion_time(mut expr: Expr, column: &str) -> Expr {
    if matches!(&expr.kind, ExprKind::Call(call) if call.name.text == "ingestion_time") {
        expr.kind = ExprKind::Name(column.into());
        return expr;
    }
    for child in children(&mut expr) {
        *child = with_ingestion_time(std::mem::take(child), column);
    }
    expr
}

/// Runs the subqueries of an expression, or keeps them.
struct Subqueries<'l, 's> {
    lower: RefCell<&'l mut Lower<'s>>,
    /// Why one could not be run.
    failed: RefCell<Option<Failure>>,
    /// Tables of `let` in functions, by their number: what is worked out once is so for all subqueries that name it.
    bound: RefCell<HashMap<usize, Relation>>,
}

impl Subqueries<'_, '_> {
    fn told<T>(&self, table: &Expr, answer: Result<T, Failure>) -> Result<T, Vec<Fault>> {
        answer.map_err(|failure| {
            self.fail(failure);
            vec![Fault::new(table.span, "the subquery cannot be run")]
        })
    }

    fn fail(&self, failure: Failure) {
        let mut failed = self.failed.borrow_mut();
        *failed = match failed.take() {
            // What it stands on is known first.
            Some(before @ Failure::Needs) => Some(before),
            _ => Some(failure),
        };
    }

    fn values(&self, table: &Expr, list: bool) -> Result<FirstColumn, Vec<Fault>> {
        let answer = self.lower.borrow_mut().values(table, list);
        self.told(table, answer)
    }

    /// What a table of `let` stands for.
    fn table_of(&self, table: &Expr, number: usize) -> Result<Relation, Failure> {
        if let Some(known) = self.bound.borrow().get(&number) {
            return Ok(known.clone());
        }
        let relation = self.lower.borrow_mut().table(table)?;
        self.bound.borrow_mut().insert(number, relation.clone());
        Ok(relation)
    }
}

impl eval::Tables for Subqueries<'_, '_> {
    fn scalar(&self, table: &Expr) -> Result<FirstCell, Vec<Fault>> {
        let column = self.values(table, false)?;
        Ok(FirstCell {
            value: column.values.into_iter().next().unwrap_or_default(),
            ty: column.ty,
            is_local: column.is_local,
        })
    }

    fn column(&self, table: &Expr) -> Result<(Vec<Value>, Type), Vec<Fault>> {
        let column = self.values(table, true)?;
        Ok((column.values, column.ty))
    }

    fn later(&self, table: &Expr, list: bool) -> Option<Result<(usize, Type), Vec<Fault>>> {
        let is_joined = list && self.lower.borrow().options.joins_lists;
        if self.lower.borrow().options.purpose == Purpose::Run && !is_joined {
            return None;
        }
        let kept = self.lower.borrow_mut().later_on(table, list);
        Some(self.told(table, kept))
    }

    fn unknown(&self, name: &str) {
        self.lower.borrow_mut().unknown.insert(name.into());
    }

    fn needs_geography(&self) {
        let mut lower = self.lower.borrow_mut();
        lower.needs.geoip |= lower.env.geography.is_none();
    }

    fn saved_elsewhere(&self, name: &str) -> bool {
        self.lower.borrow_mut().is_saved_elsewhere(name)
    }

    fn columns(&self, table: &Expr) -> Result<Vec<String>, Vec<Fault>> {
        let relation = self.lower.borrow_mut().table(table);
        let relation = self.told(table, relation)?;
        Ok(relation.columns.into_iter().map(|c| c.name).collect())
    }

    fn knowing(&self, names: &[(String, Known)], run: &mut dyn FnMut()) {
        if names.is_empty() {
            return run();
        }
        self.lower.borrow_mut().names.push(HashMap::new());
        let mut whole = true;
        for (name, known) in names {
            let binding = match known {
                Known::Scalar(value) => Ok(self.lower.borrow().scalar_of(value)),
                Known::Table(expr, number) => self.table_of(expr, *number).map(Binding::Table),
                Known::Function(function) => Ok(Binding::Function(Arc::new((*function).clone()))),
            };
            match binding {
                Ok(binding) => {
                    let mut lower = self.lower.borrow_mut();
                    lower.scope().insert(name.clone(), binding);
                }
                Err(failure) => {
                    self.fail(failure);
                    whole = false;
                    break;
                }
            }
        }
        if whole {
            run();
        }
        self.lower.borrow_mut().names.pop();
    }
}
