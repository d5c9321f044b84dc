//! Statements and sources: what names mean, and where rows come from.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::missing::{Needs, place_of};
use super::native::Awaited;
use super::relation::{Fields, Relation};
use super::{Empty, Failure, Options, Parts, Purpose, narrow};
use crate::catalog::TYPE;
use crate::engine::Session;
use crate::kql::ast::{
    self, Call, Expr, ExprKind, LetValue, NamedExpr, Operator, OperatorKind, ParameterType,
    Pipeline, Query, Source, Span, Statement, StatementKind,
};
use crate::kql::eval::Compiled;
use crate::kql::function::Env;
use crate::kql::span::{Fault, position};
use crate::kql::value::{Type, Value};

/// What a `let` name stands for.
#[derive(Clone)]
pub(super) enum Binding {
    Scalar(Value, Type),
    /// A scalar that is worked out where it stands: its value is not known before the query runs, or says less than how it is made.
    Awaited(Compiled),
    Table(Relation),
    Function(Arc<ast::Function>),
    /// What it stands for is wrong, and that has been told.
    Broken,
}

/// Lowers one query.
pub(super) struct Lower<'s> {
    pub(super) session: &'s Session,
    pub(super) options: &'s Options,
    /// The text of the query, and of the functions that it may call.
    pub(super) text: String,
    pub(super) env: Env,
    /// What the query asks for and is not there.
    pub(super) needs: Needs,
    /// The first table that the query reads, where no archive was named.
    pub(super) unread: Option<String>,
    /// Names that stand for nothing, where columns are that nobody knows.
    pub(super) unknown: BTreeSet<String>,
    /// Those of an attempt before this one: columns of these names are taken to be there.
    pub(super) expected: BTreeSet<String>,
    /// Whether a table that is not there is passed over: in `union isfuzzy=true`.
    pub(super) fuzzy: bool,
    /// Subqueries that are not run while the query is planned.
    pub(super) awaited: Vec<Awaited>,
    /// Only columns that the text names can be seen.
    pub(super) narrow: bool,
    /// All tables have a column with their name: it is asked for, or one of them is no more than another.
    pub(super) types: bool,
    /// What is made when the query runs, and of which rows.
    pub(super) made_of: Parts,
    /// Plugins whose columns are those of the rows, and that had none.
    pub(super) empty: Vec<Empty>,
    /// What is to be said beside the answer.
    pub(super) notes: Vec<String>,
    /// The name that `as` gave to the rows at hand.
    pub(super) label: Option<String>,
    /// Rows of an answer, at most.
    most: Option<usize>,
    /// Faults of the text: what has one in it is not looked at.
    syntax: &'s [Fault],
    pub(super) fields: Fields,
    pub(super) names: Vec<HashMap<String, Binding>>,
    /// The rows at hand, inside `mv-apply` and the like.
    pub(super) context: Vec<Relation>,
    depth: usize,
}

/// How deep functions may call each other.
const MAX_CALLS: usize = 32;

impl<'s> Lower<'s> {
    pub(super) fn new(
        session: &'s Session,
        text: &str,
        syntax: &'s [Fault],
        options: &'s Options,
    ) -> Self {
        let texts = std::iter::once(text).chain(options.functions.iter().map(|f| f.text.as_str()));
        let saved = options.functions.iter().map(|f| {
            let function = Binding::Function(Arc::clone(&f.function));
            (f.name.clone(), function)
        });
        Lower {
            session,
            options,
            text: texts.collect(),
            env: Env {
                now: options.now,
                geography: options.geography.clone(),
            },
            needs: Needs::default(),
            unread: None,
            unknown: BTreeSet::new(),
            expected: BTreeSet::new(),
            fuzzy: false,
            awaited: Vec::new(),
            narrow: false,
            types: narrow::asks_for(text, TYPE)
                || options
                    .functions
                    .iter()
                    .any(|f| narrow::asks_for(&f.text, TYPE)),
            made_of: Vec::new(),
            empty: Vec::new(),
            notes: Vec::new(),
            label: None,
            most: None,
            syntax,
            fields: Fields::default(),
            names: vec![saved.collect(), HashMap::new()],
            context: Vec::new(),
            depth: 0,
        }
    }

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

    fn statement(&mut self, statement: &Statement) -> Result<Option<Relation>, Failure> {
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
                Value::DateTime(now) => self.env.now = now,
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

    fn lookup(&self, name: &str) -> Option<&Binding> {
        self.names.iter().rev().find_map(|scope| scope.get(name))
    }

    /// A `let` value: a table where it is one, else a scalar.
    fn bind(&mut self, expr: &Expr) -> Result<Binding, Failure> {
        if self.is_table(expr) {
            return Ok(Binding::Table(self.table(expr)?));
        }
        let compiled = self.compile(expr, &[])?;
        Ok(self.scalar_of(&compiled))
    }

    /// A scalar that reads no column, under a name.
    pub(super) fn scalar_of(&self, compiled: &Compiled) -> Binding {
        // A value would not say any more that it is a local time.
        match compiled.awaits().is_some() || compiled.is_local_time(&|_| false) {
            true => Binding::Awaited(compiled.clone()),
            false => Binding::Scalar(compiled.eval(&self.env, &[]), compiled.ty),
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
            ExprKind::Call(call) => match call.name.text.as_str() {
                "table" | "materialize" | "_GetWatchlist" | "database" | "cluster" | "view" => true,
                name => match self.lookup(name) {
                    Some(Binding::Function(f)) => self.gives_table(f),
                    Some(_) => false,
                    None => self.is_missing_function(name),
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
                        f.missing.is_some() || !unsure.iter().any(|name| part.contains(name))
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
        let mut columns = super::operator::columns_of(relation);
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

    fn call(&mut self, call: &Call, span: Span) -> Result<Relation, Failure> {
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
    fn call_table(
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
