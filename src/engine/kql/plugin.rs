//! `evaluate`, `scan`, `reduce`, `top-hitters` and `sample-distinct`.

use std::sync::Arc;

use datafusion::error::DataFusionError;

use super::later::{ByRow, OnlyPlanned};
use super::lower::Lower;
use super::relation::Relation;
use super::{Empty, Failure, Made, Making, Purpose};
use crate::function::Env;
use crate::function::aggregate;
use crate::function::value::{Type, Value};
use crate::kql::ast::operator::{Direction, Ordered, Scan, Setting};
use crate::kql::ast::{Call, Expr, ExprKind, Name, NamedExpr, Operator, Schema};
use crate::kql::eval::{ANY, ANY_TEXT, Compiled};
use crate::kql::naming::column_name;
use crate::kql::plugin::reduce::Reduce;
use crate::kql::plugin::{self, Argument, Columns, Form, Given, Plugin, Rows, scan};
use crate::kql::span::Fault;

/// The functions that ask for the moment of the question.
const MOMENT: [&str; 2] = ["now", "ago"];

impl Lower<'_> {
    /// `evaluate`: the plugins that turn rows into rows. Those whose columns follow from the query run with it, like all operators. All others
    /// need their rows first; where the query is only planned, none of them runs.
    pub(super) fn evaluate(
        &mut self,
        relation: &Relation,
        call: &Call,
        schema: Option<&Schema>,
    ) -> Result<Relation, Failure> {
        let name = call.name.text.as_str();
        let Some(plugin) = plugin::get(name) else {
            let known: Vec<String> = plugin::all().map(|p| p.name.to_string()).collect();
            return Err(
                Failure::unsupported(call.name.span, &format!("evaluate {name}"))
                    .hint_near(name, &known),
            );
        };
        let forms = forms_of(plugin, call)?;
        let first = plugin.columns == Columns::FromData || forms.contains(&Form::Table);
        let runs = self.options.purpose == Purpose::Run;
        let input = match first {
            true => self.input(&format!("`evaluate {name}`"), relation)?,
            false => Rows {
                columns: relation.schema(),
                rows: Vec::new(),
            },
        };
        let mut arguments: Vec<Argument> = Vec::new();
        let mut computed = Vec::new();
        for (argument, form) in call.arguments.iter().zip(forms) {
            let label = argument.names.first().map(|n| n.text.clone());
            let given = self.given(argument, form, &input, &arguments, &mut computed)?;
            arguments.push(Argument { label, given });
        }
        let input = Arc::new(input);
        let (own, given) = (Arc::clone(&input), arguments.clone());
        // On a thread that can be left behind: a plugin goes through all rows at once.
        let made = self.session.run(async move {
            tokio::task::spawn_blocking(move || plugin.run(&own, &given))
                .await
                .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))
        })?;
        let made = made.map_err(|message| Failure::at(call.span, message))?;
        let of_data = schema.is_none() && plugin.columns == Columns::FromData;
        let shape = Shape::of(schema, &input.columns);
        let made = shape.made(made);
        if !first {
            let evaluate = Evaluate {
                plugin,
                columns: input.columns.clone(),
                arguments,
                computed,
                shape,
                env: self.env.clone(),
            };
            return self.later(plugin.name, relation, &made.columns, evaluate);
        }
        if runs {
            if of_data && input.rows.is_empty() {
                self.empty.push(Empty {
                    plugin: plugin.name,
                    span: call.span,
                });
            }
            let rows = self.rows(&made.columns, &made.rows)?;
            return Ok(rows.with_local_times_of(relation));
        }
        let name = plugin.name;
        let columns = match of_data {
            true => self.with_expected(made.columns, Type::Dynamic),
            false => made.columns,
        };
        let planned = OnlyPlanned(format!("`evaluate {name}`"));
        let planned = self.later(name, relation, &columns, planned)?;
        match of_data {
            true => self.opened(&planned, Type::Dynamic),
            false => Ok(planned),
        }
    }

    /// The rows that a plugin reads; none where the query is only planned.
    fn input(&mut self, name: &str, relation: &Relation) -> Result<Rows, Failure> {
        let rows = match self.options.purpose {
            Purpose::Run => self.phase(name.into(), Making::InOrder, relation)?,
            _ => Vec::new(),
        };
        let columns = relation.schema();
        Ok(Rows { columns, rows })
    }

    /// An argument; what is computed of each row is noted beside it.
    fn given(
        &mut self,
        argument: &NamedExpr,
        form: Form,
        input: &Rows,
        known: &[Argument],
        computed: &mut Vec<Compiled>,
    ) -> Result<Given, Failure> {
        match (form, &argument.expr.kind) {
            (Form::Table, _) => {
                let name = "a table among the arguments of `evaluate`";
                let relation = self.table(&argument.expr)?;
                if self.options.purpose != Purpose::Run {
                    self.made_of.push(Made {
                        name: name.into(),
                        plan: relation.plan.clone(),
                        making: Making::InOrder,
                    });
                }
                Ok(Given::Table(self.input(name, &relation)?))
            }
            (Form::TableColumn, ExprKind::Name(name)) => {
                let columns = known.iter().find_map(|a| match &a.given {
                    Given::Table(rows) => Some(&rows.columns),
                    _ => None,
                });
                let columns = columns.map_or(&[] as &[_], Vec::as_slice);
                match columns.iter().position(|c| c.0 == *name) {
                    Some(at) => Ok(Given::Column(at)),
                    None => {
                        let names: Vec<String> = columns.iter().map(|c| c.0.clone()).collect();
                        Err(Failure::no_column(name, argument.span, &names))
                    }
                }
            }
            (Form::Aggregate, ExprKind::Call(call))
                if aggregate::get(&call.name.text).is_some() =>
            {
                let Some(own) = aggregate::get(&call.name.text) else {
                    return Err(Failure::unsupported(call.name.span, &call.name.text));
                };
                let mut arguments = Vec::new();
                for argument in &call.arguments {
                    arguments.push(self.scalar(argument, input, computed)?);
                }
                Ok(Given::Aggregate(own, arguments))
            }
            _ => self.scalar(argument, input, computed),
        }
    }

    fn scalar(
        &mut self,
        argument: &NamedExpr,
        input: &Rows,
        computed: &mut Vec<Compiled>,
    ) -> Result<Given, Failure> {
        let compiled = self.compile(&argument.expr, &input.columns)?;
        if let Some(at) = compiled.as_column() {
            return Ok(Given::Column(at));
        }
        if compiled.is_fixed() {
            return Ok(Given::Constant(self.planned(&compiled), compiled.ty));
        }
        let own = argument.names.first().map(|n| n.text.clone());
        let values = input.rows.iter().map(|row| compiled.eval(&self.env, row));
        let given = Given::Computed {
            name: own
                .or_else(|| column_name(&argument.expr))
                .unwrap_or_default(),
            ty: compiled.ty,
            reads: compiled.columns(),
            values: values.collect(),
        };
        computed.push(compiled);
        Ok(given)
    }

    pub(super) fn scan(
        &mut self,
        relation: &Relation,
        tree: &Scan,
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let id = match operator.setting("with_match_id").map(|s| &s.value.kind) {
            Some(ExprKind::Name(name)) => Some(name.as_str()),
            _ => None,
        };
        let columns = relation.schema();
        let env = self.env.clone();
        // Its steps are compiled by themselves, and do not say whether they ask for the moment.
        self.needs_times |= env.is_open() && MOMENT.iter().any(|name| self.mentions.has(name));
        let scan = self.scoped(&columns, |scope| scan::compile(tree, id, scope, &env))?;
        let columns = scan.columns().to_vec();
        let local = scan.local_times(&relation.local_times());
        let made = self.later("scan", relation, &columns, Scanned { scan, env })?;
        let mut made = made.with_local_times(&local);
        made.ordered = relation.ordered;
        Ok(made)
    }

    pub(super) fn reduce(
        &mut self,
        relation: &Relation,
        by: &NamedExpr,
        properties: &[Setting],
        operator: &Operator,
    ) -> Result<Relation, Failure> {
        let mut reduce = Reduce::default();
        for property in properties {
            let value = self.constant(&property.value)?;
            match (property.name.text.as_str(), value) {
                ("threshold", value) if value.to_real().is_some() => {
                    reduce.threshold = value.to_real().unwrap_or(reduce.threshold);
                }
                ("characters", Value::String(text)) => reduce.characters = Some(text.to_string()),
                _ => {
                    return Err(Failure::at(
                        property.span,
                        "`reduce` takes threshold, a number, and characters, a string",
                    ));
                }
            }
        }
        let mut columns = relation.schema();
        let compiled = self.compile(&by.expr, &columns)?;
        let source = match operator.setting("kind").map(|s| &s.value.kind) {
            None => false,
            Some(ExprKind::Name(kind)) if kind == "source" => true,
            Some(_) => {
                return Err(Failure::at(
                    operator.span,
                    "`reduce` is of kind source or none",
                ));
            }
        };
        let result = match source {
            true => {
                columns.push(("Pattern".into(), Type::String));
                columns
            }
            false => reduce.rows(&[]).columns,
        };
        let reduced = Reduced {
            reduce,
            by: compiled,
            source,
            env: self.env.clone(),
        };
        self.later("reduce", relation, &result, reduced)
    }

    /// `top-hitters`: exact here, where Kusto counts roughly; of equally frequent values the greatest.
    pub(super) fn top_hitters(
        &mut self,
        relation: &Relation,
        count: &Expr,
        of: &NamedExpr,
        by: Option<&NamedExpr>,
    ) -> Result<Relation, Failure> {
        let span = of.span;
        let (function, what, argument) = match by {
            Some(by) => ("sum", column_name(&by.expr), vec![by.clone()]),
            None => ("count", column_name(&of.expr), Vec::new()),
        };
        let name = Name {
            text: format!("approximate_{function}_{}", what.unwrap_or_default()),
            span,
        };
        let aggregate = NamedExpr {
            names: vec![name.clone()],
            expr: call(function, argument, span),
            span,
        };
        let counted = self.summarize(relation, &[aggregate], std::slice::from_ref(of))?;
        let most = self.count(count)?;
        let key = |column: String| Ordered {
            by: NamedExpr {
                names: Vec::new(),
                expr: Expr {
                    kind: ExprKind::Name(column),
                    span,
                },
                span,
            },
            direction: Some(Direction::Descending),
            nulls: None,
        };
        let mut keys = vec![key(name.text)];
        // Of four values that are there once each, Kusto was seen to take the last two.
        let value = counted.columns.first();
        keys.extend(
            value
                .filter(|c| c.ty != Type::Dynamic)
                .map(|c| key(c.name.clone())),
        );
        let mut out = self.sort(&counted, &keys, Some(most), None)?;
        out.ordered = false;
        Ok(out)
    }

    pub(super) fn sample_distinct(
        &mut self,
        relation: &Relation,
        count: &Expr,
        of: &NamedExpr,
    ) -> Result<Relation, Failure> {
        let most = self.count(count)?;
        let distinct = self.distinct(relation, std::slice::from_ref(of))?;
        distinct.with(distinct.builder().limit(0, Some(most))?)
    }
}

/// What a plugin takes each argument of a call as.
fn forms_of(plugin: &Plugin, call: &Call) -> Result<Vec<Form>, Failure> {
    let mut forms = Vec::new();
    for (at, argument) in call.arguments.iter().enumerate() {
        let label = argument.names.first().map(|n| n.text.as_str());
        let parameter = plugin.parameter(at, label);
        let parameter = parameter.map_err(|message| Failure::at(argument.span, message))?;
        forms.push(parameter.form);
    }
    Ok(forms)
}

/// A plugin with its arguments, ready to go through rows.
#[derive(PartialEq)]
struct Evaluate {
    plugin: &'static Plugin,
    columns: Vec<(String, Type)>,
    arguments: Vec<Argument>,
    /// What arguments compute of each row, in the order in which they were noted.
    computed: Vec<Compiled>,
    shape: Shape,
    env: Env,
}

impl ByRow for Evaluate {
    fn turn(&self, rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>, String> {
        let mut arguments = self.arguments.clone();
        let mut computed = self.computed.iter();
        for argument in &mut arguments {
            fill(&mut argument.given, &mut computed, &self.env, &rows);
        }
        let columns = self.columns.clone();
        let made = self.plugin.run(&Rows { columns, rows }, &arguments)?;
        Ok(self.shape.made(made).rows)
    }
}

/// A `scan` ready to go through rows.
#[derive(PartialEq)]
struct Scanned {
    scan: scan::Scan,
    env: Env,
}

impl ByRow for Scanned {
    fn turn(&self, rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>, String> {
        Ok(self.scan.run(&self.env, &rows).rows)
    }
}

/// A `reduce` ready to go through rows.
#[derive(PartialEq)]
struct Reduced {
    reduce: Reduce,
    by: Compiled,
    /// Whether each row stays, with its pattern.
    source: bool,
    env: Env,
}

impl ByRow for Reduced {
    fn turn(&self, mut rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>, String> {
        let values = rows.iter().map(|row| self.by.eval(&self.env, row));
        let values: Vec<Value> = values.collect();
        if !self.source {
            return Ok(self.reduce.rows(&values).rows);
        }
        for (row, pattern) in rows.iter_mut().zip(self.reduce.patterns(&values)) {
            row.push(pattern);
        }
        Ok(rows)
    }
}

/// The columns that a query writes behind a call of a plugin.
#[derive(PartialEq)]
struct Shape {
    wanted: Option<Vec<(String, Type)>>,
    /// Those of the input, where they are to stay.
    kept: Option<Vec<(String, Type)>>,
}

impl Shape {
    fn of(schema: Option<&Schema>, input: &[(String, Type)]) -> Shape {
        let named = |schema: &Schema| {
            let columns = schema.columns.iter();
            columns.map(|c| (c.name.text.clone(), c.ty.ty)).collect()
        };
        let open = schema.is_some_and(|schema| schema.open);
        Shape {
            wanted: schema.map(named),
            kept: open.then(|| input.to_vec()),
        }
    }

    fn made(&self, rows: Rows) -> Rows {
        match &self.wanted {
            Some(wanted) => rows.shaped(wanted, self.kept.as_deref()),
            None => rows,
        }
    }
}

/// Works out what arguments compute of each row, in the order in which they were noted.
fn fill(
    given: &mut Given,
    computed: &mut std::slice::Iter<'_, Compiled>,
    env: &Env,
    rows: &[Vec<Value>],
) {
    match given {
        Given::Computed { values, .. } => {
            let compiled = computed.next();
            let own = compiled.map(|c| rows.iter().map(|row| c.eval(env, row)).collect());
            *values = own.unwrap_or_default();
        }
        Given::Aggregate(_, inner) => {
            for one in inner {
                fill(one, computed, env, rows);
            }
        }
        Given::Column(_) | Given::Constant(..) | Given::Table(_) => {}
    }
}

/// A call of a function.
pub(super) fn call(name: &str, arguments: Vec<NamedExpr>, span: crate::kql::Span) -> Expr {
    Expr {
        kind: ExprKind::Call(Box::new(Call {
            name: Name {
                text: name.into(),
                span,
            },
            arguments,
            span,
        })),
        span,
    }
}

impl Failure {
    /// A name that stands for no column.
    pub(super) fn no_column(name: &str, span: crate::kql::Span, known: &[String]) -> Failure {
        let fault = Fault::new(span, format!("no column `{name}`"));
        let (own, named): (Vec<&String>, Vec<&String>) =
            known.iter().partition(|name| name.starts_with('\0'));
        let open = |name: &&String| name.starts_with(ANY) || name.starts_with(ANY_TEXT);
        let fault = match own.iter().any(open) {
            true => fault.open_column(),
            false => fault.missing_column(),
        };
        let named: Vec<String> = named.into_iter().cloned().collect();
        Failure::Faults(vec![fault]).hint_near(name, &named)
    }
}
