//! Calls: of the table's functions, and of those that look at names and not at values.

use super::Compiler;
use super::compiled::{Compiled, Node};
use super::hint::{self, nearest};
use super::tables::Given;
use crate::function::value::{Json, Type, Value};
use crate::function::{self, Function};
use crate::kql::ast::{Call, Expr, ExprKind, Literal, NamedExpr, Pipeline, Source};
use crate::kql::span::Fault;
use crate::kql::special::Special;

impl Compiler<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Option<Compiled> {
        let name = &*call.name.text;
        if let Some(function) = self.own_function(name) {
            return self.inline(name, function, &call.arguments, call.span);
        }
        match Special::named(name) {
            Some(Special::ToScalar) => return self.toscalar(call),
            Some(Special::ColumnIfExists) => return self.column_ifexists(call),
            Some(Special::IsColumnExists) => return self.iscolumnexists(call),
            Some(Special::ColumnNames) => return self.column_names_of(call),
            Some(Special::PackAll) => return self.pack_all(call),
            Some(Special::PackColumns) => return self.pack_columns(call),
            _ => {}
        }
        let Some(function) = function::get(name) else {
            return self.unknown(call);
        };
        let arguments = self.arguments(call)?;
        self.apply(function, arguments, call)
    }

    #[cold]
    #[inline(never)]
    fn unknown(&mut self, call: &Call) -> Option<Compiled> {
        let name = &*call.name.text;
        if self.scope.tables.is_some_and(|t| t.saved_elsewhere(name)) {
            // What it gives is as unknown as the answer of a subquery.
            return self.node(call.span, Type::Dynamic, Node::Awaited(usize::MAX));
        }
        let mut known: Vec<&str> = self.scope.functions.keys().map(String::as_str).collect();
        let built_in = function::all().map(|function| function.name);
        for other in built_in.chain(Special::names_in_expressions()) {
            known.push(other);
        }
        let hint = nearest(name, known.into_iter());
        let fault = Fault::new(call.name.span, format!("no function `{name}`"));
        self.fail(hint::with(fault, hint))
    }

    #[inline(never)]
    fn iscolumnexists(&mut self, call: &Call) -> Option<Compiled> {
        let known = self.column_named(call)?.is_some();
        self.node(call.span, Type::Bool, Node::Constant(Value::Bool(known)))
    }

    fn arguments(&mut self, call: &Call) -> Option<Vec<Compiled>> {
        // `pack_array(*)`
        if let ("pack_array", [only]) = (&*call.name.text, &*call.arguments)
            && only.expr.kind == ExprKind::Star
        {
            return Some(self.columns());
        }
        let mut arguments = Some(Vec::with_capacity(call.arguments.len()));
        for argument in &call.arguments {
            match (self.argument(&argument.expr), &mut arguments) {
                (Some(argument), Some(arguments)) => arguments.push(argument),
                _ => arguments = None,
            }
        }
        arguments
    }

    /// An argument: an expression, or a `typeof` that gives the type of the result.
    fn argument(&mut self, expr: &Expr) -> Option<Compiled> {
        match expr.kind {
            ExprKind::TypeOf(ty) => Some(Compiled::constant(Value::Null, ty)),
            _ => self.expr(expr),
        }
    }

    #[inline(never)]
    fn apply(
        &mut self,
        function: &'static Function,
        arguments: Vec<Compiled>,
        call: &Call,
    ) -> Option<Compiled> {
        let asks = function.needs_geography;
        if asks && let Some(tables) = self.scope.tables {
            tables.needs_geography();
        }
        if asks && !self.scope.geography {
            let fault = Fault::new(
                call.name.span,
                format!("`{}` needs to know where addresses are", function.name),
            );
            return self.fail(fault.with_hint("`--geoip FILE` names a MaxMind database of cities"));
        }
        let types: Vec<Type> = arguments.iter().map(|argument| argument.ty).collect();
        let ty = self.refuse(call.span, function.check(&types))?;
        let constants: Vec<Option<&Value>> = arguments.iter().map(Compiled::as_constant).collect();
        self.refuse(call.span, function.check_constants(&constants))?;
        self.node(call.span, ty, Node::Call(function, arguments))
    }

    /// `toscalar(…)`: of a scalar, the scalar itself.
    #[inline(never)]
    fn toscalar(&mut self, call: &Call) -> Option<Compiled> {
        let [NamedExpr { expr, .. }] = &*call.arguments else {
            return self.fail(Fault::new(call.span, "`toscalar` takes 1 argument"));
        };
        let plain = match &expr.kind {
            ExprKind::Pipeline(pipeline) => {
                let Pipeline {
                    source, operators, ..
                } = &**pipeline;
                operators.is_empty()
                    && matches!(source, Source::Expr(inner) if !self.is_table(inner))
            }
            _ => !self.is_table(expr),
        };
        if plain {
            return self.expr(expr);
        }
        let (given, ty) = self.subquery(call.span, |tables| match tables.later(expr, false) {
            Some(later) => later.map(|(at, ty)| (Given::Awaited(at), ty)),
            None => tables.scalar(expr).map(|cell| {
                let ty = cell.ty;
                (Given::Known(cell), ty)
            }),
        })?;
        let (node, is_local) = match given {
            Given::Known(cell) => (Node::Constant(cell.value.fit(ty)), cell.is_local),
            Given::Awaited(at) => (Node::Awaited(at), false),
        };
        let value = self.node(call.span, ty, node)?;
        if !is_local {
            return Some(value);
        }
        // A value alone does not say it.
        let local = function::internal("local_time")?;
        self.node(call.span, ty, Node::Call(local, vec![value]))
    }

    #[inline(never)]
    fn column_names_of(&mut self, call: &Call) -> Option<Compiled> {
        let [NamedExpr { expr, .. }] = &*call.arguments else {
            return self.fail(Fault::new(call.span, "`column_names_of` takes a table"));
        };
        let names = self.subquery(call.span, |tables| tables.columns(expr))?;
        let names = names.into_iter().map(|name| Json::String(name.into()));
        let names = Value::dynamic(Json::Array(names.collect()));
        self.node(call.span, Type::Dynamic, Node::Constant(names))
    }

    /// The column that the first argument names, where there is one.
    fn column_named(&mut self, call: &Call) -> Option<Option<(usize, Type)>> {
        let Some(first) = call.arguments.first() else {
            let message = format!("`{}` takes the name of a column", call.name.text);
            return self.fail(Fault::new(call.span, message));
        };
        let name = match &first.expr.kind {
            ExprKind::Literal(Literal::String(name)) => name.clone(),
            _ => {
                let compiled = self.expr(&first.expr)?;
                match compiled.as_constant() {
                    Some(Value::String(name)) => name.to_string(),
                    None if compiled.awaits().is_some() => return Some(None),
                    _ => {
                        let message = "the name of a column must be a constant string";
                        return self.fail(Fault::new(first.span, message));
                    }
                }
            }
        };
        let mut columns = self.scope.columns.iter();
        let at = columns.position(|(known, _)| *known == name);
        Some(at.map(|at| (at, self.scope.columns[at].1)))
    }

    fn column_ifexists(&mut self, call: &Call) -> Option<Compiled> {
        let [_, NamedExpr { expr: default, .. }] = &*call.arguments else {
            let message = "`column_ifexists` takes the name of a column and what stands for it";
            return self.fail(Fault::new(call.span, message));
        };
        match self.column_named(call)? {
            Some((at, ty)) => self.node(call.span, ty, Node::Column(at)),
            None => self.expr(default),
        }
    }

    fn columns(&self) -> Vec<Compiled> {
        let columns = self.scope.columns.iter().enumerate();
        columns
            .map(|(at, (_, ty))| Compiled {
                ty: *ty,
                node: Node::Column(at),
            })
            .collect()
    }

    /// `pack_all()`: all columns under their names; with `true`, those that are not empty.
    fn pack_all(&mut self, call: &Call) -> Option<Compiled> {
        let mut pairs = Vec::new();
        for (column, (name, _)) in self.columns().into_iter().zip(self.scope.columns) {
            // Columns of the engine's own.
            if !name.starts_with('\0') {
                pairs.extend([key(name), column]);
            }
        }
        let full_only = match call.arguments.first() {
            Some(argument) => {
                let argument = self.expr(&argument.expr)?;
                argument.as_constant().and_then(Value::to_bool) == Some(true)
            }
            None => false,
        };
        let name = match full_only {
            true => "bag_pack_full",
            false => "bag_pack",
        };
        self.packed(name, pairs, call)
    }

    /// `bag_pack_columns(a, b)`: these columns under their names.
    fn pack_columns(&mut self, call: &Call) -> Option<Compiled> {
        let mut pairs = Vec::new();
        for argument in &call.arguments {
            let ExprKind::Name(name) = &argument.expr.kind else {
                return self.fail(Fault::new(argument.span, "expected the name of a column"));
            };
            pairs.extend([key(name), self.expr(&argument.expr)?]);
        }
        self.packed("bag_pack", pairs, call)
    }

    fn packed(&mut self, name: &str, pairs: Vec<Compiled>, call: &Call) -> Option<Compiled> {
        let function = function::internal(name)?;
        self.node(call.span, Type::Dynamic, Node::Call(function, pairs))
    }
}

/// The name of a column as a key of a bag.
fn key(name: &str) -> Compiled {
    Compiled::constant(Value::from(name), Type::String)
}
