//! Statements and pipelines: what names mean, and where rows come from.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::lower::{Binding, Lower};
use super::needs::place_of;
use super::relation::Relation;
use super::{Failure, Purpose};
use crate::function::value::{Type, Value};
use crate::kql::ast::{
    self, Expr, ExprKind, LetValue, NamedExpr, Operator, OperatorKind, Pipeline, Query, Source,
    Span, Statement, StatementKind,
};
use crate::kql::eval::Compiled;
use crate::kql::span::Fault;
use crate::kql::special::Special;

impl Lower<'_> {
    /// The table that a query gives: that of its last statement.
    pub(super) fn query(&mut self, query: &Query) -> Result<Relation, Failure> {
        let mut last = None;
        let mut told: Vec<Fault> = self.syntax.to_vec();
        let mut broken = HashSet::new();
        for statement in &query.statements {
            match self.statement(statement) {
                Ok(Some(relation)) => last = Some(relation),
                Ok(None) => {}
                Err(Failure::Faults(faults)) => {
                    // What only follows from another fault is none of its own.
                    let known =
                        |f: &Fault| f.missing.is_some() && broken.contains(f.span.of(&self.text));
                    told.extend(faults.into_iter().filter(|f| !known(f)));
                    if let StatementKind::Let { name, .. } = &statement.kind {
                        broken.insert(name.text.as_str());
                        self.scope().insert(name.text.clone(), Binding::Broken);
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        told.sort_by_key(|f| f.span);
        told.dedup();
        match last {
            _ if !told.is_empty() => Err(Failure::Faults(told)),
            Some(relation) => match self.most {
                Some(most) => relation.with(relation.builder().limit(0, Some(most))?),
                None => Ok(relation),
            },
            None => {
                let span = query.statements.last().map_or(Span::default(), |s| s.span);
                Err(Failure::at(
                    span,
                    "the query has no tabular statement to answer",
                ))
            }
        }
    }

    pub(super) fn statement(&mut self, statement: &Statement) -> Result<Option<Relation>, Failure> {
        match &statement.kind {
            StatementKind::Let { name, value } => {
                let binding = match value {
                    LetValue::Function(function) => Binding::Function(Arc::new(function.clone())),
                    LetValue::Expr(expr) => self.bind(expr)?,
                    LetValue::EntityGroup(_) => {
                        return Err(Failure::unsupported(statement.span, "entity_group"));
                    }
                };
                self.scope().insert(name.text.clone(), binding);
                Ok(None)
            }
            StatementKind::Set { name, value } => {
                self.set(&name.text, value.as_ref())?;
                Ok(None)
            }
            StatementKind::QueryParameters(parameters) => {
                for parameter in parameters {
                    let Some(default) = &parameter.default else {
                        return Err(Failure::at(
                            parameter.span,
                            format!("query parameter `{}` has no value", parameter.name.text),
                        ));
                    };
                    let binding = self.bind(default)?;
                    self.scope().insert(parameter.name.text.clone(), binding);
                }
                Ok(None)
            }
            StatementKind::Query(expr) => Ok(Some(self.table(expr)?)),
            StatementKind::Alias { .. } => {
                Err(Failure::unsupported(statement.span, "alias database"))
            }
            StatementKind::Restrict(_) => {
                Err(Failure::unsupported(statement.span, "restrict access"))
            }
            StatementKind::Pattern(_) => {
                Err(Failure::unsupported(statement.span, "declare pattern"))
            }
        }
    }

    /// An option of the service; most change no answer here.
    fn set(&mut self, name: &str, value: Option<&Expr>) -> Result<(), Failure> {
        match (name, value) {
            ("query_now", Some(value)) => match self.constant(value)? {
                Value::DateTime(now) => {
                    // What stands before it may wait for another moment.
                    self.needs_times |= self.env.is_open();
                    self.env.now = now;
                }
                _ => return Err(Failure::at(value.span, "a datetime is needed here")),
            },
            ("query_take_max_records", Some(value)) => self.most = Some(self.count(value)?),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn scope(&mut self) -> &mut HashMap<String, Binding> {
        if self.names.is_empty() {
            self.names.push(HashMap::new());
        }
        let last = self.names.len() - 1;
        &mut self.names[last]
    }

    pub(super) fn lookup(&self, name: &str) -> Option<&Binding> {
        self.names.iter().rev().find_map(|scope| scope.get(name))
    }

    /// A `let` value: a table where it is one, else a scalar.
    fn bind(&mut self, expr: &Expr) -> Result<Binding, Failure> {
        if self.is_table(expr) {
            return Ok(Binding::Table(self.table(expr)?));
        }
        let compiled = self.compile_open(expr, &[])?;
        Ok(self.scalar_of(&compiled))
    }

    /// A scalar that reads no column, under a name.
    pub(super) fn scalar_of(&self, compiled: &Compiled) -> Binding {
        // A value would not say any more that it is a local time.
        let local = compiled.is_local_time(&|_| false);
        match compiled.awaits().is_some() || local || self.waits(compiled) {
            true => Binding::Awaited(compiled.clone()),
            false => Binding::Scalar(self.value_of(compiled), compiled.ty),
        }
    }

    /// The value of a scalar that reads no column, the same each time the query is lowered.
    fn value_of(&self, compiled: &Compiled) -> Value {
        let value = || compiled.eval(&self.env, &[]);
        match compiled.is_random() {
            true => {
                let number = self.draws.get();
                self.draws.set(number + 1);
                self.known.drawn(number, value)
            }
            false => value(),
        }
    }

    /// Whether an expression is a table, from its form and from the names that are known.
    pub(super) fn is_table(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Pipeline(_) | ExprKind::DataTable(_) | ExprKind::ExternalData(_) => true,
            ExprKind::Name(name) => match self.lookup(name) {
                Some(Binding::Table(_) | Binding::Broken) => true,
                Some(Binding::Scalar(..) | Binding::Awaited(_)) => false,
                Some(Binding::Function(f)) => self.gives_table(f),
                None => self.session.knows(name) || self.is_missing_function(name),
            },
            // A table of another database.
            ExprKind::Path { base, .. } => {
                matches!(&base.kind, ExprKind::Call(_)) && self.is_table(base)
            }
            ExprKind::Call(call) => match Special::named(&call.name.text) {
                Some(Special::TableNamed | Special::Materialize | Special::Tables) => true,
                _ => match self.lookup(&call.name.text) {
                    Some(Binding::Function(f)) => self.gives_table(f),
                    Some(_) => false,
                    None => self.is_missing_function(&call.name.text),
                },
            },
            _ => false,
        }
    }

    fn gives_table(&self, function: &ast::Function) -> bool {
        match function.body.last().map(|s| &s.kind) {
            Some(StatementKind::Query(expr)) => {
                // Its own names are not known here: a name that is none of its parameters may be a table.
                matches!(
                    expr.kind,
                    ExprKind::Pipeline(_) | ExprKind::DataTable(_) | ExprKind::ExternalData(_)
                ) || self.is_table(expr)
                    || matches!(&expr.kind, ExprKind::Name(n) if function.body.iter().any(|s| {
                        matches!(&s.kind, StatementKind::Let { name, value: LetValue::Expr(e) }
                            if name.text == *n && matches!(e.kind, ExprKind::Pipeline(_)))
                    }))
            }
            _ => false,
        }
    }

    /// An expression that stands where a table must.
    pub(super) fn table(&mut self, expr: &Expr) -> Result<Relation, Failure> {
        match &expr.kind {
            ExprKind::Pipeline(pipeline) => self.pipeline(pipeline),
            ExprKind::Name(name) => match self.lookup(name).cloned() {
                Some(Binding::Table(relation)) => Ok(relation),
                Some(Binding::Broken) => Err(Failure::Faults(Vec::new())),
                Some(Binding::Function(function)) => self.call_table(&function, &[], expr.span),
                Some(Binding::Scalar(..) | Binding::Awaited(_)) => Err(Failure::at(
                    expr.span,
                    format!("`{name}` is a scalar, and a table is needed here"),
                )),
                None => self.named(name, expr.span),
            },
            ExprKind::DataTable(table) => self.datatable(table, expr.span),
            ExprKind::Call(call) => self.call(call, expr.span),
            ExprKind::ExternalData(data) => self.external_data(data, expr.span),
            ExprKind::Path { base, steps } => {
                self.needs.external.insert(place_of(base, steps));
                Err(Failure::at(
                    expr.span,
                    "tables of other databases and clusters cannot be reached",
                ))
            }
            _ => Err(Failure::at(expr.span, "a table is needed here")),
        }
    }

    pub(super) fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Relation, Failure> {
        let mut relation = match &pipeline.source {
            Source::Expr(expr) => self.table(expr)?,
            Source::Operator(operator) => self.source(operator)?,
            Source::Context => self
                .context
                .last()
                .cloned()
                .ok_or_else(|| Failure::at(pipeline.span, "no rows at hand here"))?,
            Source::Missing => return Err(Failure::at(pipeline.span, "a source is missing")),
        };
        let mut told: Option<Vec<Fault>> = None;
        // Columns of which only the name is known.
        let mut unsure: Vec<String> = Vec::new();
        self.label = None;
        for operator in &pipeline.operators {
            self.session.may_go_on()?;
            let inside =
                |f: &Fault| operator.span.start <= f.span.start && f.span.start < operator.span.end;
            let outcome = match self.syntax.iter().any(inside) {
                true => Err(Failure::Faults(Vec::new())),
                false => self
                    .held(&relation, operator)
                    .and_then(|held| self.operator(held, operator)),
            };
            match outcome {
                Ok(next) => relation = next,
                Err(Failure::Faults(mut faults)) => {
                    // What is said of the type of a column that is not known follows from the fault before.
                    faults.retain(|f| {
                        let part = f.span.of(&self.text);
                        f.missing.is_some() || !unsure.iter().any(|name| names(part, name))
                    });
                    told.get_or_insert_default().extend(faults);
                    match self.recovered(&relation, operator, &mut unsure)? {
                        Some(next) => relation = next,
                        None => break,
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        match told {
            None => Ok(relation),
            Some(faults) => Err(Failure::Faults(faults)),
        }
    }

    /// The rows that an operator reads. `as` works them out once where it is told to.
    fn held(&mut self, relation: &Relation, operator: &Operator) -> Result<Relation, Failure> {
        let hint = operator.setting("hint.materialized");
        let yes = hint.is_some_and(|s| match &s.value.kind {
            ExprKind::Literal(ast::Literal::Bool(yes)) => *yes,
            ExprKind::Name(word) => word == "true",
            _ => false,
        });
        match operator.kind {
            OperatorKind::As(_) if yes => self.materialized(relation),
            _ => Ok(relation.clone()),
        }
    }

    /// What may stand behind an operator that has a fault: its input, and the columns that it would have made. Nothing where that
    /// is not known.
    fn recovered(
        &mut self,
        relation: &Relation,
        operator: &Operator,
        unsure: &mut Vec<String>,
    ) -> Result<Option<Relation>, Failure> {
        let mut columns = super::relation::columns_of(relation);
        let (items, more): (&[NamedExpr], &[NamedExpr]) = match &operator.kind {
            OperatorKind::Extend(items)
            | OperatorKind::Project(items)
            | OperatorKind::Distinct(items)
            | OperatorKind::Serialize(items) => (items, &[]),
            OperatorKind::Summarize { aggregates, by, .. } => (aggregates, by),
            OperatorKind::Where(_) | OperatorKind::Sort(_) | OperatorKind::Top { .. } => (&[], &[]),
            _ => return Ok(None),
        };
        for item in items.iter().chain(more) {
            let own = crate::kql::naming::column_name(&item.expr);
            let names = item.names.iter().map(|n| n.text.clone());
            for name in names.chain(own.filter(|_| item.names.is_empty())) {
                unsure.push(name.clone());
                if !columns.iter().any(|c| c.0 == name) {
                    columns.push((name, Type::Dynamic, super::relation::null(Type::Dynamic)));
                }
            }
        }
        Ok(Some(self.fields.project(relation, columns)?))
    }

    /// An operator that makes rows.
    fn source(&mut self, operator: &Operator) -> Result<Relation, Failure> {
        match &operator.kind {
            OperatorKind::Print(columns) => self.print(columns),
            OperatorKind::Range {
                name,
                from,
                to,
                step,
            } => self.range(&name.text, from, to, step, operator.span),
            OperatorKind::Union(tables) => self.union(None, tables, operator),
            OperatorKind::Search { tables, predicate } if !tables.is_empty() => {
                let mut relations = Vec::new();
                for table in tables {
                    let name = match &table.kind {
                        ExprKind::Name(name) => name.clone(),
                        _ => format!("search_arg{}", relations.len()),
                    };
                    relations.push((name, self.table(table)?));
                }
                self.search(relations, predicate, operator)
            }
            OperatorKind::Search { predicate, .. } => {
                if self.options.without_archive && self.searched().is_empty() {
                    self.unread.get_or_insert_with(|| "search".into());
                }
                let tables = self.all_tables(operator.span)?;
                let found = self.search(tables, predicate, operator)?;
                match self.options.purpose {
                    // Which tables there are is for the data to say.
                    Purpose::Check => self.opened(&found, Type::Dynamic),
                    _ => Ok(found),
                }
            }
            _ => Err(Failure::unsupported(
                operator.keyword.span,
                &operator.keyword.text,
            )),
        }
    }

    /// Whether a union shows the name of a table: one of the session, or a view of the query.
    pub(super) fn shows_its_name(&self, name: &str) -> bool {
        match self.lookup(name) {
            None => true,
            Some(Binding::Function(f)) => f.view,
            Some(_) => false,
        }
    }

    /// Stored tables with rows of events, files, and views of the query.
    pub(super) fn searched(&self) -> Vec<String> {
        let mut names = self.session.stored_names();
        names.extend(self.views());
        names.sort();
        names.dedup();
        names
    }

    fn views(&self) -> impl Iterator<Item = String> {
        let all = self.names.iter().flatten();
        all.filter(|(_, binding)| matches!(binding, Binding::Function(f) if f.view))
            .map(|(name, _)| name.clone())
    }

    /// Tables whose name is like a pattern: those with rows, and where there is none of these, those that are known.
    pub(super) fn tables_like(&self, pattern: &str) -> Vec<String> {
        let like = |n: &String| super::operator::matches(pattern, n);
        let mut with_rows: Vec<String> = self.searched().into_iter().filter(like).collect();
        // Everything that is known has too many columns for one table.
        if pattern.chars().all(|c| c == '*') {
            return with_rows;
        }
        // Rows that cannot be read have no names here; a query that asks them by name says why.
        if let Ok(customs) = self.session.customs() {
            with_rows.extend(customs.into_iter().filter(like));
        }
        if !with_rows.is_empty() {
            with_rows.sort();
            with_rows.dedup();
            return with_rows;
        }
        let mut names: Vec<String> = self.session.names().into_iter().filter(like).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Whether a part of a query has a name in it.
fn names(part: &str, name: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    match name.chars().all(is_of_name) {
        true => part.split(|c| !is_of_name(c)).any(|word| word == name),
        false => part.contains(name),
    }
}
