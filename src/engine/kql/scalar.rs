//! Scalars of a query: compiled with the names that are known, and their subqueries run.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::logical_expr::Expr as PlanExpr;

use super::native::Native;
use super::relation::Relation;
use super::statement::{Binding, Lower};
use super::window::children;
use super::{Failure, Purpose};
use crate::catalog::TIME;
use crate::kql::ast::{self, Expr, ExprKind};
use crate::kql::eval::{self, Compiled, Known};
use crate::kql::span::Fault;
use crate::kql::value::{Type, Value};

impl Lower<'_> {
    /// The value of an expression that reads no column.
    pub(super) fn constant(&mut self, expr: &Expr) -> Result<Value, Failure> {
        let compiled = self.compile(expr, &[])?;
        Ok(compiled.eval(&self.env, &[]))
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
        let mut own = None;
        if self.text.contains("ingestion_time") && columns.iter().any(|c| c.0 == TIME) {
            own = Some(with_ingestion_time(expr.clone()));
        }
        let expr = own.as_ref().unwrap_or(expr);
        self.scoped(columns, |scope| eval::compile(expr, scope))
    }

    /// Does something with all names that a scalar over these columns may have.
    pub(super) fn scoped<R>(
        &mut self,
        columns: &[(String, Type)],
        make: impl FnOnce(&eval::Scope) -> Result<R, Vec<Fault>>,
    ) -> Result<R, Failure> {
        let mut constants: HashMap<String, (Value, Type)> = HashMap::new();
        let mut kept: HashMap<String, Arc<ast::Function>> = HashMap::new();
        for scope in &self.names {
            for (name, binding) in scope {
                match binding {
                    Binding::Scalar(value, ty) => {
                        constants.insert(name.clone(), (value.clone(), *ty));
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
        let tables = Subqueries {
            lower: RefCell::new(self),
            failed: RefCell::new(None),
        };
        let made = make(&eval::Scope {
            columns,
            constants: &constants,
            functions: &functions,
            tables: Some(&tables),
            geography,
        });
        match (made, tables.failed.into_inner()) {
            (Ok(made), _) => Ok(made),
            (Err(_), Some(failure)) => Err(failure),
            (Err(faults), None) => Err(Failure::Faults(faults)),
        }
    }

    /// The values of the first column of a subquery.
    fn values(&mut self, expr: &Expr) -> Result<(Vec<Value>, Type), Failure> {
        // Its first column counts, whatever its name.
        let narrow = std::mem::replace(&mut self.narrow, false);
        let relation = self.table(expr);
        self.narrow = narrow;
        let relation = relation?;
        let Some(first) = relation.columns.first() else {
            return Err(Failure::at(expr.span, "the subquery has no column"));
        };
        let ty = first.ty;
        let answer = self.session.rows_of(&relation)?;
        let values = answer
            .rows
            .into_iter()
            .filter_map(|mut row| (!row.is_empty()).then(|| row.swap_remove(0)))
            .collect();
        Ok((values, ty))
    }

    /// A compiled expression over a relation, as an expression of the plan.
    pub(super) fn expression(&self, compiled: &Compiled, over: &Relation) -> PlanExpr {
        self.native(over).value(compiled)
    }

    /// Plans expressions over a relation.
    pub(super) fn native<'a>(&'a self, over: &'a Relation) -> Native<'a> {
        Native {
            over,
            env: &self.env,
        }
    }
}

/// When a service took a row in is not in an export: the event's time stands for it.
fn with_ingestion_time(mut expr: Expr) -> Expr {
    if matches!(&expr.kind, ExprKind::Call(call) if call.name.text == "ingestion_time") {
        expr.kind = ExprKind::Name(TIME.into());
        return expr;
    }
    for child in children(&mut expr) {
        *child = with_ingestion_time(std::mem::take(child));
    }
    expr
}

/// Runs the subqueries of an expression.
struct Subqueries<'l, 's> {
    lower: RefCell<&'l mut Lower<'s>>,
    /// Why one could not be run.
    failed: RefCell<Option<Failure>>,
}

impl Subqueries<'_, '_> {
    fn values(&self, table: &Expr) -> Result<(Vec<Value>, Type), Vec<Fault>> {
        let answer = self.lower.borrow_mut().values(table);
        answer.map_err(|failure| {
            *self.failed.borrow_mut() = Some(failure);
            vec![Fault::new(table.span, "the subquery cannot be run")]
        })
    }
}

impl eval::Tables for Subqueries<'_, '_> {
    fn scalar(&self, table: &Expr) -> Result<(Value, Type), Vec<Fault>> {
        let (values, ty) = self.values(table)?;
        Ok((values.into_iter().next().unwrap_or_default(), ty))
    }

    fn column(&self, table: &Expr) -> Result<(Vec<Value>, Type), Vec<Fault>> {
        self.values(table)
    }

    fn columns(&self, table: &Expr) -> Result<Vec<String>, Vec<Fault>> {
        let relation = self.lower.borrow_mut().table(table);
        match relation {
            Ok(relation) => Ok(relation.columns.into_iter().map(|c| c.name).collect()),
            Err(failure) => {
                *self.failed.borrow_mut() = Some(failure);
                Err(vec![Fault::new(table.span, "the subquery cannot be run")])
            }
        }
    }

    fn knowing(&self, names: &[(String, Known)], run: &mut dyn FnMut()) {
        if names.is_empty() {
            return run();
        }
        self.lower.borrow_mut().names.push(HashMap::new());
        let mut whole = true;
        for (name, known) in names {
            let mut lower = self.lower.borrow_mut();
            let binding = match known {
                Known::Scalar(value) => Ok(Binding::Scalar(value.eval(&lower.env, &[]), value.ty)),
                Known::Table(expr) => lower.table(expr).map(Binding::Table),
                Known::Function(function) => Ok(Binding::Function(Arc::new((*function).clone()))),
            };
            match binding {
                Ok(binding) => {
                    lower.scope().insert(name.clone(), binding);
                }
                Err(failure) => {
                    *self.failed.borrow_mut() = Some(failure);
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
