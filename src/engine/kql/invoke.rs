//! Functions that give a table: those of the query and of a folder, and Kusto's own.

use std::collections::HashMap;
use std::sync::Arc;

use super::Failure;
use super::lower::{Binding, Lower};
use super::relation::Relation;
use crate::function::value::{Type, Value};
use crate::kql::ast::{self, Call, Expr, ExprKind, NamedExpr, ParameterType, Span};
use crate::kql::span::{Fault, position};

/// How deep functions may call each other.
const MAX_CALLS: usize = 32;

impl Lower<'_> {
    /// `invoke f(a)`: the rows at hand are the function's first argument.
    pub(super) fn invoke(&mut self, relation: Relation, call: &Call) -> Result<Relation, Failure> {
        const ROWS: &str = "\0rows";
        if self.lookup(&call.name.text).is_none() && self.is_saved_elsewhere(&call.name.text) {
            return self.opened(&relation, Type::Dynamic);
        }
        let Some(Binding::Function(function)) = self.lookup(&call.name.text).cloned() else {
            return Err(Failure::at(
                call.name.span,
                format!("no function `{}`", call.name.text),
            ));
        };
        self.scope().insert(ROWS.into(), Binding::Table(relation));
        let mut arguments = vec![NamedExpr {
            names: Vec::new(),
            expr: Expr {
                kind: ExprKind::Name(ROWS.into()),
                span: call.span,
            },
            span: call.span,
        }];
        arguments.extend(call.arguments.iter().cloned());
        self.call_table(&function, &arguments, call.span)
    }

    pub(super) fn call(&mut self, call: &Call, span: Span) -> Result<Relation, Failure> {
        match (call.name.text.as_str(), call.arguments.as_slice()) {
            ("materialize", [only]) => {
                let rows = self.table(&only.expr)?;
                self.materialized(&rows)
            }
            ("view", [only]) => self.table(&only.expr),
            ("table", [first, ..]) => {
                let name = self.constant(&first.expr)?;
                let Value::String(name) = name else {
                    return Err(Failure::at(first.span, "the name of a table is needed"));
                };
                self.table(&Expr {
                    kind: ExprKind::Name(name.to_string()),
                    span: first.span,
                })
            }
            ("_GetWatchlist", [first, ..]) => {
                let Value::String(name) = self.constant(&first.expr)? else {
                    return Err(Failure::at(
                        first.span,
                        "the alias of a watchlist is needed",
                    ));
                };
                self.watchlist(&name, span)
            }
            (name, arguments) => match self.lookup(name).cloned() {
                Some(Binding::Function(function)) => self.call_table(&function, arguments, span),
                Some(Binding::Broken) => Err(Failure::Faults(Vec::new())),
                None if self.may_be_saved(name) => {
                    self.needs.functions.insert(name.into());
                    self.of_unknown_columns()
                }
                _ => {
                    let fault = Fault::new(
                        call.name.span,
                        format!("`{name}` is no function that gives a table"),
                    );
                    Err(Failure::Faults(vec![fault.missing_table()]))
                }
            },
        }
    }

    /// Calls a function of the query that gives a table.
    pub(super) fn call_table(
        &mut self,
        function: &Arc<ast::Function>,
        arguments: &[NamedExpr],
        span: Span,
    ) -> Result<Relation, Failure> {
        if self.depth >= MAX_CALLS {
            return Err(Failure::at(span, "functions call each other too deeply"));
        }
        let mut scope = HashMap::new();
        for (i, parameter) in function.parameters.iter().enumerate() {
            let given = arguments
                .iter()
                .find(|a| matches!(a.names.as_slice(), [n] if n.text == parameter.name.text))
                .or_else(|| arguments.get(i).filter(|a| a.names.is_empty()));
            let expr = match (given, &parameter.default) {
                (Some(given), _) => &given.expr,
                (None, Some(default)) => default,
                (None, None) => {
                    return Err(Failure::at(
                        span,
                        format!("argument `{}` is missing", parameter.name.text),
                    ));
                }
            };
            let binding = match &parameter.ty {
                ParameterType::Table(_) => Binding::Table(self.table(expr)?),
                ParameterType::Scalar(ty) => {
                    let compiled = self.compile(expr, &[])?;
                    match self.scalar_of(&compiled) {
                        Binding::Scalar(value, _) => Binding::Scalar(value.convert(ty.ty), ty.ty),
                        _ => Binding::Awaited(compiled.converted(ty.ty)),
                    }
                }
            };
            scope.insert(parameter.name.text.clone(), binding);
        }
        // A body sees what is known where the function stands, and not what its caller knows.
        let own =
            |binding: &Binding| matches!(binding, Binding::Function(f) if Arc::ptr_eq(f, function));
        let at = self.names.iter().rposition(|names| names.values().any(own));
        let hidden = self
            .names
            .split_off(at.map_or(self.names.len(), |at| at + 1));
        self.names.push(scope);
        self.depth += 1;
        let mut last = None;
        let mut failed = None;
        for statement in &function.body {
            match self.statement(statement) {
                Ok(Some(relation)) => last = Some(relation),
                Ok(None) => {}
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
        }
        self.depth -= 1;
        self.names.pop();
        self.names.extend(hidden);
        match (failed, last) {
            (Some(e), _) => Err(self.inside(function, e, span)),
            (None, Some(relation)) => Ok(relation),
            (None, None) => Err(Failure::at(function.span, "the function gives no table")),
        }
    }

    /// A failure inside a function: in a saved one, its places are those of another text.
    fn inside(&self, function: &Arc<ast::Function>, failure: Failure, span: Span) -> Failure {
        let saved = self.options.functions.iter();
        let Some(saved) = saved
            .into_iter()
            .find(|f| Arc::ptr_eq(&f.function, function))
        else {
            return failure;
        };
        let Failure::Faults(faults) = failure else {
            return failure;
        };
        let outside = faults.into_iter().map(|fault| {
            let (line, _) = position(&saved.text, fault.span.start);
            let place = format!(
                "`{}` ({}), line {}",
                saved.name,
                saved.origin,
                line.saturating_sub(1).max(1)
            );
            Fault {
                span,
                message: format!("in {place}: {}", fault.message),
                ..fault
            }
        });
        Failure::Faults(outside.collect())
    }
}
