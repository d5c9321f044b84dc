//! Functions that the query defines, put in place of their calls.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::compiled::{Compiled, Node};
use super::tables::{Known, Tables};
use super::{Binding, Compiler, MAX_INLINED};
use crate::kql::ast::{
    ExprKind, Function, LetValue, NamedExpr, ParameterType, Source, Statement, StatementKind,
};
use crate::kql::span::{Fault, Span};

/// A number that no other `let` of a table has, in whatever expression.
fn next_table() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Whether a function may give a scalar: it takes no tables, and its last statement is no pipeline.
pub(super) fn is_scalar(function: &Function) -> bool {
    let scalar =
        |parameter: &crate::kql::ast::Parameter| matches!(parameter.ty, ParameterType::Scalar(_));
    let body = match function.body.last().map(|statement| &statement.kind) {
        Some(StatementKind::Query(expr)) => match &expr.kind {
            ExprKind::Pipeline(pipeline) => {
                pipeline.operators.is_empty() && matches!(pipeline.source, Source::Expr(_))
            }
            ExprKind::DataTable(_) | ExprKind::ExternalData(_) => false,
            _ => true,
        },
        _ => false,
    };
    !function.view && body && function.parameters.iter().all(scalar)
}

/// A function that the query defines.
#[derive(Clone, Copy)]
pub(super) struct Own<'s> {
    pub(super) function: &'s Function,
    /// So many of the names at hand stood before it, and are seen inside.
    seen: usize,
}

impl<'s> Compiler<'s> {
    /// The query's function of that name, where it is not hidden by another meaning of the name.
    pub(super) fn own_function(&self, name: &str) -> Option<Own<'s>> {
        for (seen, (known, binding)) in self.locals.iter().enumerate().rev() {
            if known == name
                && let Binding::Function(function) = binding
            {
                return Some(Own { function, seen });
            }
        }
        let function = self.scope.functions.get(name).copied()?;
        Some(Own { function, seen: 0 })
    }

    /// Runs a subquery that sees the names of the functions around it.
    pub(super) fn subquery<T>(
        &mut self,
        span: Span,
        run: impl Fn(&dyn Tables) -> Result<T, Vec<Fault>>,
    ) -> Option<T> {
        let Some(tables) = self.scope.tables else {
            return self.fail(Fault::new(span, "a subquery cannot stand here"));
        };
        let mut names: Vec<(String, Known)> = Vec::new();
        for (name, binding) in &self.locals {
            let known = match binding {
                Binding::Constant(value, ty) => {
                    Known::Scalar(Compiled::constant(value.clone(), *ty))
                }
                Binding::Fixed(_, value) => Known::Scalar(value.as_ref().clone()),
                Binding::Table(expr, number) => Known::Table(expr, *number),
                Binding::Function(function) => Known::Function(function),
                // The subquery runs once: it must not take another value of that name for this one.
                Binding::Local(..) => {
                    let hidden = self.scope.constants.contains_key(name)
                        || names.iter().any(|(known, _)| known == name);
                    if hidden {
                        let message = format!(
                            "`{name}` may differ from row to row, and a subquery runs once"
                        );
                        return self.fail(Fault::new(span, message));
                    }
                    continue;
                }
            };
            names.push((name.clone(), known));
        }
        let mut answer = None;
        tables.knowing(&names, &mut || answer = Some(run(tables)));
        match answer {
            Some(Ok(answer)) => Some(answer),
            Some(Err(faults)) => {
                self.faults.extend(faults);
                None
            }
            None => self.fail(Fault::new(span, "the subquery cannot be run")),
        }
    }

    /// The body of a function, its parameters bound to arguments.
    pub(super) fn inline(
        &mut self,
        name: &str,
        own: Own<'s>,
        arguments: &[NamedExpr],
        span: Span,
    ) -> Option<Compiled> {
        let function = own.function;
        if self.inlined >= MAX_INLINED {
            return self.fail(Fault::new(
                span,
                format!("`{name}` calls itself, or calls nest too deep"),
            ));
        }
        if !is_scalar(function) {
            let fault = Fault::new(
                span,
                format!("`{name}` gives a table where a scalar is expected"),
            );
            return self.fail(fault.with_hint("`toscalar(…)` takes the first cell of a table"));
        }
        let (bindings, mut values) = self.bind(name, function, arguments, span)?;
        // Inside, the parameters are seen, and what stood before the function.
        let mut seen = self.locals.get(..own.seen).unwrap_or_default().to_vec();
        seen.extend(bindings);
        let outer = std::mem::replace(&mut self.locals, seen);
        let (depth, in_function) = (self.depth, self.in_function);
        self.depth += values.len();
        self.in_function = true;
        self.inlined += 1;
        let body = self.body(&function.body, &mut values, span);
        self.inlined -= 1;
        self.in_function = in_function;
        self.depth = depth;
        self.locals = outer;
        let body = body?;
        match values.is_empty() {
            true => Some(body),
            false => {
                let ty = body.ty;
                self.node(span, ty, Node::Inline(values, Box::new(body)))
            }
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "names and the values that are pushed for them"
    )]
    fn bind(
        &mut self,
        name: &str,
        function: &'s Function,
        arguments: &[NamedExpr],
        span: Span,
    ) -> Option<(Vec<(String, Binding<'s>)>, Vec<Compiled>)> {
        if arguments.len() > function.parameters.len() {
            let most = function.parameters.len();
            let message = format!("`{name}` takes {most} arguments, not {}", arguments.len());
            return self.fail(Fault::new(span, message));
        }
        let depth = self.depth;
        let mut bindings = Vec::new();
        let mut values = Vec::new();
        let mut whole = true;
        for (at, parameter) in function.parameters.iter().enumerate() {
            let ParameterType::Scalar(ty) = &parameter.ty else {
                continue;
            };
            let named = arguments.iter().find(
                |argument| matches!(&*argument.names, [given] if given.text == parameter.name.text),
            );
            let by_place = arguments
                .get(at)
                .filter(|argument| argument.names.is_empty());
            let expr = named
                .or(by_place)
                .map(|argument| &argument.expr)
                .or(parameter.default.as_ref());
            let Some(expr) = expr else {
                let message = format!("`{name}` needs its argument `{}`", parameter.name.text);
                return self.fail(Fault::new(span, message));
            };
            self.depth = depth + values.len();
            let Some(argument) = self.expr(expr) else {
                whole = false;
                continue;
            };
            let argument = argument.converted(ty.ty);
            self.push(
                &mut bindings,
                &mut values,
                &parameter.name.text,
                argument,
                depth,
            );
        }
        self.depth = depth;
        whole.then_some((bindings, values))
    }

    /// Binds a name to a constant, or to the place where its value will be pushed.
    fn push(
        &mut self,
        bindings: &mut Vec<(String, Binding<'s>)>,
        values: &mut Vec<Compiled>,
        name: &str,
        value: Compiled,
        depth: usize,
    ) {
        let binding = match value.as_constant() {
            Some(constant) => Binding::Constant(constant.clone(), value.ty),
            None => {
                let at = depth + values.len();
                let binding = match value.is_fixed() {
                    true => Binding::Fixed(at, Rc::new(value.clone())),
                    false => Binding::Local(at, value.ty),
                };
                values.push(value);
                binding
            }
        };
        bindings.push((name.to_owned(), binding));
    }

    /// The statements of a function; the last one is its value.
    fn body(
        &mut self,
        statements: &'s [Statement],
        values: &mut Vec<Compiled>,
        span: Span,
    ) -> Option<Compiled> {
        let mut result = None;
        for statement in statements {
            match &statement.kind {
                StatementKind::Let {
                    name,
                    value: LetValue::Expr(expr),
                } if self.is_table(expr) => {
                    let binding = Binding::Table(expr, next_table());
                    self.locals.push((name.text.clone(), binding));
                }
                StatementKind::Let {
                    name,
                    value: LetValue::Expr(expr),
                } => {
                    let value = self.expr(expr)?;
                    let base = self.depth - values.len();
                    let mut bindings = std::mem::take(&mut self.locals);
                    self.push(&mut bindings, values, &name.text, value, base);
                    self.locals = bindings;
                    self.depth = base + values.len();
                }
                StatementKind::Let {
                    name,
                    value: LetValue::Function(function),
                } => self
                    .locals
                    .push((name.text.clone(), Binding::Function(function))),
                StatementKind::Query(expr) => result = self.expr(expr),
                _ => {
                    let message = "this statement cannot stand in a scalar function";
                    return self.fail(Fault::new(statement.span, message));
                }
            }
        }
        if result.is_none() && self.faults.is_empty() {
            return self.fail(Fault::new(span, "the function has no result"));
        }
        result
    }
}
