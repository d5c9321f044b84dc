//! `evaluate`, `scan`, `reduce`, `top-hitters` and `sample-distinct`.

use std::sync::Arc;

use super::relation::Relation;
use super::statement::Lower;
use super::{Empty, Failure, Made, Making, Purpose};
use crate::kql::aggregate;
use crate::kql::ast::operator::{Direction, Ordered, Scan, Setting};
use crate::kql::ast::{Call, Expr, ExprKind, Name, NamedExpr, Operator, Schema};
use crate::kql::eval::{ANY, ANY_TEXT};
use crate::kql::naming::column_name;
use crate::kql::plugin::reduce::Reduce;
use crate::kql::plugin::{self, Argument, Columns, Form, Given, Rows, scan};
use crate::kql::span::Fault;
use crate::kql::value::{Type, Value};

impl Lower<'_> {
    /// `evaluate`: the plugins that turn rows into rows. Where the query is only planned, none of them runs.
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
        let runs = self.options.purpose == Purpose::Run;
        let input = self.input(relation)?;
        let mut arguments: Vec<Argument> = Vec::new();
        for (at, argument) in call.arguments.iter().enumerate() {
            let label = argument.names.first().map(|n| n.text.clone());
            let form = plugin
                .parameter(at, label.as_deref())
                .map_err(|message| Failure::at(argument.span, message))?
                .form;
            let given = self.given(argument, form, &input, &arguments)?;
            arguments.push(Argument { label, given });
        }
        let made = plugin
            .run(&input, &arguments)
            .map_err(|message| Failure::at(call.span, message))?;
        let of_data = schema.is_none() && plugin.columns == Columns::FromData;
        let made = match schema {
            Some(schema) => {
                let wanted: Vec<(String, Type)> = schema
                    .columns
                    .iter()
                    .map(|c| (c.name.text.clone(), c.ty.ty))
                    .collect();
                made.shaped(&wanted, schema.open.then_some(input.columns.as_slice()))
            }
            None => made,
        };
        if runs {
            self.made_of.push(Made {
                name: format!("`evaluate {name}`"),
                plan: Arc::clone(&relation.plan),
                making: Making::InOrder,
            });
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
        let planned = self.later(name, relation, &columns, move |_| {
            Err(format!("`evaluate {name}` is only planned"))
        })?;
        match of_data {
            true => self.opened(&planned, Type::Dynamic),
            false => Ok(planned),
        }
    }

    /// The rows that a plugin reads; none where the query is only planned.
    fn input(&self, relation: &Relation) -> Result<Rows, Failure> {
        let rows = match self.options.purpose {
            Purpose::Run => self.answer(relation)?,
            _ => Vec::new(),
        };
        let columns = relation.schema();
        Ok(Rows { columns, rows })
    }

    fn given(
        &mut self,
        argument: &NamedExpr,
        form: Form,
        input: &Rows,
        known: &[Argument],
    ) -> Result<Given, Failure> {
        match (form, &argument.expr.kind) {
            (Form::Table, _) => {
                let relation = self.table(&argument.expr)?;
                self.made_of.push(Made {
                    name: "a table among the arguments of `evaluate`".into(),
                    plan: relation.plan.clone(),
                    making: Making::InOrder,
                });
                Ok(Given::Table(self.input(&relation)?))
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
                let arguments: Result<Vec<Given>, Failure> = call
                    .arguments
                    .iter()
                    .map(|a| self.scalar(a, input))
                    .collect();
                Ok(Given::Aggregate(own, arguments?))
            }
            _ => self.scalar(argument, input),
        }
    }

    fn scalar(&mut self, argument: &NamedExpr, input: &Rows) -> Result<Given, Failure> {
        let compiled = self.compile(&argument.expr, &input.columns)?;
        if let Some(at) = compiled.as_column() {
            return Ok(Given::Column(at));
        }
        if compiled.is_fixed() {
            return Ok(Given::Constant(self.planned(&compiled), compiled.ty));
        }
        let own = argument.names.first().map(|n| n.text.clone());
        let values = input.rows.iter().map(|row| compiled.eval(&self.env, row));
        Ok(Given::Computed {
            name: own
                .or_else(|| column_name(&argument.expr))
                .unwrap_or_default(),
            ty: compiled.ty,
            reads: compiled.columns(),
            values: values.collect(),
        })
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
        let scan = self.scoped(&columns, |scope| scan::compile(tree, id, scope, &env))?;
        let columns = scan.columns().to_vec();
        let local = scan.local_times(&relation.local_times());
        let made = self.later("scan", relation, &columns, move |rows| {
            Ok(scan.run(&env, &rows).rows)
        })?;
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
        let env = self.env.clone();
        let result = match source {
            true => {
                columns.push(("Pattern".into(), Type::String));
                columns
            }
            false => reduce.rows(&[]).columns,
        };
        self.later("reduce", relation, &result, move |mut rows| {
            let values: Vec<Value> = rows.iter().map(|row| compiled.eval(&env, row)).collect();
            if !source {
                return Ok(reduce.rows(&values).rows);
            }
            for (row, pattern) in rows.iter_mut().zip(reduce.patterns(&values)) {
                row.push(pattern);
            }
            Ok(rows)
        })
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
