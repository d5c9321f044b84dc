//! String operators and lists.

use std::sync::Arc;

use super::compiled::{Compiled, Node};
use super::tables::Given;
use super::{Compiler, inline};
use crate::function;
use crate::function::operate::{self, List, Matcher};
use crate::function::value::{Type, Value};
use crate::kql::ast::{self, Expr, ExprKind, Source};
use crate::kql::span::{Fault, Span};
use crate::kql::special::Special;

impl Compiler<'_> {
    pub(super) fn matching(
        &mut self,
        op: ast::MatchOp,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Option<Compiled> {
        let right_span = right.span;
        let lefts = match left.kind {
            // `* has x`: one of the columns, as text.
            ExprKind::Star if !self.in_function => self.searched_columns(),
            _ => vec![self.expr(left)],
        };
        let right = self.expr(right)?;
        let mut matches = Vec::with_capacity(lefts.len());
        for left in lefts {
            let left = left?;
            self.refuse(span, operate::match_type(op, left.ty, right.ty))?;
            let node = match right.as_constant() {
                None | Some(Value::Null) => {
                    Node::MatchEach(op, Box::new(left), Box::new(right.clone()))
                }
                Some(pattern) => {
                    let pattern = pattern.text();
                    if op.kind == ast::MatchKind::Regex
                        && let Some(wrong) = operate::regex_error(&pattern)
                    {
                        return self.fail(Fault::new(right_span, wrong));
                    }
                    Node::Match(Box::new(left), Arc::new(Matcher::prepared(op, &pattern)))
                }
            };
            matches.push(self.node(span, Type::Bool, node)?);
        }
        match <[Compiled; 1]>::try_from(matches) {
            Ok([only]) => Some(only),
            // `* !has x` is the opposite of `* has x`: no column has it.
            Err(all) if op.negated => self.node(span, Type::Bool, Node::And(all)),
            Err(all) => self.node(span, Type::Bool, Node::Or(all)),
        }
    }

    /// The columns that a search of all columns looks into.
    fn searched_columns(&self) -> Vec<Option<Compiled>> {
        let columns = self.scope.columns.iter().enumerate();
        columns
            .filter(|(_, (name, ty))| !name.starts_with('\0') && operate::is_searched(*ty))
            .map(|(at, (_, ty))| {
                let node = Node::Column(at);
                let column = Compiled { ty: *ty, node };
                Some(match ty {
                    Type::Dynamic => column,
                    _ => column.converted(Type::String),
                })
            })
            .collect()
    }

    pub(super) fn list(
        &mut self,
        op: ast::InOp,
        left: &Expr,
        list: &[Expr],
        span: Span,
    ) -> Option<Compiled> {
        let compiled = self.expr(left);
        // One element may be a table.
        if let [only] = list
            && self.is_table(only)
        {
            let (given, ty) =
                self.subquery(only.span, |tables| match tables.later(only, true) {
                    Some(later) => later.map(|(at, ty)| (Given::Awaited(at), ty)),
                    None => tables.column(only).map(|(all, ty)| (Given::Known(all), ty)),
                })?;
            let left = Box::new(compiled?);
            self.refuse(span, operate::list_type(op, left.ty, ty))?;
            let node = match given {
                Given::Known(values) => Node::List(left, Arc::new(List::new(op, &values))),
                Given::Awaited(at) => {
                    let list = self.node(only.span, Type::Dynamic, Node::Awaited(at))?;
                    Node::ListEach(op, left, vec![list])
                }
            };
            return self.node(span, Type::Bool, node);
        }
        let elements: Vec<Option<Compiled>> = list.iter().map(|e| self.expr(e)).collect();
        let left = compiled?;
        let mut all = Vec::with_capacity(elements.len());
        for (element, expr) in elements.into_iter().zip(list) {
            let element = element?;
            self.refuse(expr.span, operate::list_type(op, left.ty, element.ty))?;
            all.push(element);
        }
        let constants: Option<Vec<Value>> = all.iter().map(|e| e.as_constant().cloned()).collect();
        match constants {
            Some(values) => {
                let list = Arc::new(List::new(op, &values));
                self.node(span, Type::Bool, Node::List(Box::new(left), list))
            }
            None => self.node(span, Type::Bool, Node::ListEach(op, Box::new(left), all)),
        }
    }

    /// Whether an element of a list is a table: a pipeline, or a name or call that is no scalar.
    pub(super) fn is_table(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Pipeline(pipeline) => match &pipeline.source {
                Source::Expr(inner) if pipeline.operators.is_empty() => self.is_table(inner),
                _ => true,
            },
            ExprKind::Name(name) => self.lookup(name).is_none() && self.scope.tables.is_some(),
            ExprKind::Call(call) => {
                let name = &*call.name.text;
                let special = Special::named(name);
                let table = matches!(
                    special,
                    Some(Special::Materialize | Special::TableNamed | Special::Tables)
                );
                let own = self.own_function(name);
                table
                    || own.is_some_and(|own| !inline::is_scalar(own.function))
                    || own.is_none()
                        && function::get(name).is_none()
                        && !special.is_some_and(Special::is_in_expressions)
                        && self.scope.tables.is_some()
            }
            ExprKind::DataTable(_) | ExprKind::ExternalData(_) | ExprKind::Wildcard(_) => true,
            _ => false,
        }
    }
}
