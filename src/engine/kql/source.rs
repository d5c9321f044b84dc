//! Where rows come from: tables of the archive, files, watchlists, and rows that the query itself writes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::{Column as PlanColumn, DFSchema, TableReference};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlanBuilder};

use super::operator::columns_of;
use super::relation::{Column, Relation, projection};
use super::statement::Lower;
use super::{Failure, Purpose, arrays, unary};
use crate::catalog::{Kusto, Origin, TIME, Table, catalog};
use crate::engine::views;
use crate::kql::ast::{self, Expr, NamedExpr, Span};
use crate::kql::span::Fault;
use crate::kql::value::{Type, Value};

impl Lower<'_> {
    pub(super) fn print(&mut self, columns: &[NamedExpr]) -> Result<Relation, Failure> {
        let one = Relation {
            plan: Arc::new(LogicalPlanBuilder::empty(true).build()?),
            columns: Vec::new(),
            ordered: false,
        };
        let mut out = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            let compiled = self.compile(&column.expr, &[])?;
            let name = match column.names.as_slice() {
                [] => crate::kql::naming::print_name(i),
                [name] => name.text.clone(),
                _ => {
                    return Err(Failure::unsupported(
                        column.span,
                        "several names for one value",
                    ));
                }
            };
            let ty = compiled.ty;
            let expr = self.expression(&compiled, &one);
            out.push((name, ty, expr));
        }
        self.fields.project(&one, out)
    }

    /// Rows in memory.
    pub(super) fn rows(
        &mut self,
        columns: &[(String, Type)],
        rows: &[Vec<Value>],
    ) -> Result<Relation, Failure> {
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        let mut out = Vec::new();
        for (i, (name, ty)) in columns.iter().enumerate() {
            let field = self.fields.next(name);
            fields.push(Field::new(&field, arrays::arrow_type(*ty), true));
            arrays.push(arrays::array(rows.iter().map(|r| &r[i]), *ty));
            out.push(Column::new(name, *ty, field));
        }
        if fields.is_empty() {
            fields.push(Field::new(self.fields.next(""), DataType::Boolean, true));
            let yes = vec![Value::Bool(true); rows.len()];
            arrays.push(arrays::array(yes.iter(), Type::Bool));
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
            .map_err(|e| Failure::Engine(e.into()))?;
        self.in_memory(schema, batch, out)
    }

    fn in_memory(
        &self,
        schema: SchemaRef,
        batch: RecordBatch,
        columns: Vec<Column>,
    ) -> Result<Relation, Failure> {
        let table = MemTable::try_new(schema, vec![vec![batch]])?;
        let plan = LogicalPlanBuilder::scan("rows", provider_as_source(Arc::new(table)), None)?;
        Ok(Relation {
            plan: Arc::new(plan.build()?),
            columns,
            ordered: false,
        })
    }

    /// All rows of a relation.
    pub(super) fn answer(&self, relation: &Relation) -> Result<Vec<Vec<Value>>, Failure> {
        Ok(self.session.rows_of(relation)?.rows)
    }

    pub(super) fn datatable(
        &mut self,
        table: &ast::DataTable,
        span: Span,
    ) -> Result<Relation, Failure> {
        let columns: Vec<(String, Type)> = table
            .schema
            .columns
            .iter()
            .map(|c| (c.name.text.clone(), c.ty.ty))
            .collect();
        let width = columns.len();
        if width == 0 || !table.values.len().is_multiple_of(width) {
            return Err(Failure::at(
                span,
                format!(
                    "{} values do not fill rows of {width} columns",
                    table.values.len()
                ),
            ));
        }
        let mut rows = Vec::new();
        for chunk in table.values.chunks(width) {
            let mut row = Vec::new();
            for (expr, (_, ty)) in chunk.iter().zip(&columns) {
                let compiled = self.compile(expr, &[])?;
                let value = compiled.eval(&self.env, &[]);
                row.push(value.convert(*ty));
            }
            rows.push(row);
        }
        self.rows(&columns, &rows)
    }

    pub(super) fn range(
        &mut self,
        name: &str,
        from: &Expr,
        to: &Expr,
        step: &Expr,
        span: Span,
    ) -> Result<Relation, Failure> {
        /// Rows that a `range` may make.
        const MOST: i64 = 50_000_000;
        let mut values = Vec::new();
        let mut ty = Type::Long;
        for (i, expr) in [from, to, step].into_iter().enumerate() {
            let compiled = self.compile(expr, &[])?;
            match (i, compiled.ty) {
                (0, t) => ty = t,
                (1, Type::Real) if ty != Type::DateTime => ty = Type::Real,
                (2, Type::Real) if ty == Type::Long || ty == Type::Int => ty = Type::Real,
                (1, Type::Long) if ty == Type::Int => ty = Type::Long,
                _ => {}
            }
            values.push(compiled.eval(&self.env, &[]));
        }
        let array: ArrayRef = match ty {
            Type::Real | Type::Decimal => {
                let number = |v: &Value| match v {
                    Value::Real(x) | Value::Decimal(x) => Some(*x),
                    Value::Long(x) => Some(*x as f64),
                    Value::Int(x) => Some(f64::from(*x)),
                    _ => None,
                };
                let (Some(a), Some(z), Some(by)) =
                    (number(&values[0]), number(&values[1]), number(&values[2]))
                else {
                    return Err(Failure::at(span, "range needs three numbers"));
                };
                let steps = ((z - a) / by).floor();
                if by == 0.0 || !steps.is_finite() || steps > MOST as f64 {
                    return Err(Failure::at(span, "range has no step, or too many"));
                }
                let steps = 0..(steps as i64 + 1).max(0);
                Arc::new(Float64Array::from_iter_values(
                    steps.map(|i| a + by * i as f64),
                ))
            }
            ty => {
                let number = |v: &Value| match v {
                    Value::Long(x) | Value::DateTime(x) | Value::Timespan(x) => Some(*x),
                    Value::Int(x) => Some(i64::from(*x)),
                    _ => None,
                };
                let (Some(a), Some(z), Some(by)) =
                    (number(&values[0]), number(&values[1]), number(&values[2]))
                else {
                    return Err(Failure::at(
                        span,
                        "range needs numbers, times or timespans of one kind",
                    ));
                };
                let steps = z.saturating_sub(a).checked_div(by);
                if steps.is_none_or(|steps| steps > MOST) {
                    return Err(Failure::at(span, "range has no step, or too many"));
                }
                let within = |at: &i64| (by > 0 && *at <= z) || (by < 0 && *at >= z);
                let all =
                    std::iter::successors(Some(a), |at| at.checked_add(by)).take_while(within);
                match ty {
                    Type::Int => Arc::new(Int32Array::from_iter_values(all.map(|at| at as i32))),
                    _ => Arc::new(Int64Array::from_iter_values(all)),
                }
            }
        };
        let field = self.fields.next(name);
        let schema = Arc::new(Schema::new(vec![Field::new(
            &field,
            array.data_type().clone(),
            true,
        )]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array])
            .map_err(|e| Failure::Engine(e.into()))?;
        self.in_memory(schema, batch, vec![Column::new(name, ty, field)])
    }

    /// A table of the archive, a watchlist or a file.
    pub(super) fn named(&mut self, name: &str, span: Span) -> Result<Relation, Failure> {
        if !self.session.knows(name) {
            let fault = Fault::new(span, format!("no table `{name}`")).missing_table();
            return Err(Failure::Faults(vec![fault]).hint_near(name, &self.session.names()));
        }
        let session = self.session;
        let frame: crate::error::Result<DataFrame> = session.block_on(async {
            // A name as text would be put into lower case.
            let reference = || TableReference::bare(name);
            if !session.context().table_exist(reference())? {
                views::make(session, name).await?;
            }
            Ok(session.context().table(reference()).await?)
        });
        let frame = match self.options.purpose {
            Purpose::Run | Purpose::Check => frame?,
            // What a view is made of would hide the query.
            Purpose::Explain => {
                let schema = Arc::clone(frame?.schema().inner());
                let table = provider_as_source(Arc::new(EmptyTable::new(schema)));
                let plan = LogicalPlanBuilder::scan(TableReference::bare(name), table, None)?;
                let plan = plan.build()?;
                DataFrame::new(session.context().state(), plan)
            }
        };
        self.stored(frame, name, span)
    }

    /// A table of DataFusion with Kusto's types.
    fn stored(&mut self, frame: DataFrame, name: &str, span: Span) -> Result<Relation, Failure> {
        let known = catalog().get(name).or_else(|| catalog().foreign(name));
        let frame = match known {
            Some(table) => views::with_hidden(frame, table, &self.text)?,
            None => frame,
        };
        let mut exprs: Vec<PlanExpr> = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        let mut columns = Vec::new();
        for (qualifier, field) in frame.schema().iter() {
            let own = field.name();
            if self.narrow && known.is_some() && own != TIME && !self.text.contains(own.as_str()) {
                continue;
            }
            let Some(mut ty) = arrays::kusto_type(field.data_type()) else {
                // The fingerprint, which is bytes.
                continue;
            };
            if let Some(kusto) = known.and_then(|t| t.kusto(own))
                && ty == Type::String
            {
                ty = match kusto {
                    Kusto::Dynamic => Type::Dynamic,
                    _ => Type::String,
                };
            }
            let column = PlanExpr::Column(PlanColumn::new(qualifier.cloned(), own.clone()));
            // Times of another unit would be compared with others than they are.
            let exact = matches!(
                field.data_type(),
                DataType::Timestamp(TimeUnit::Microsecond, _)
            );
            let stored_type = field.data_type();
            let mentioned = self.text.contains(own.as_str());
            let stored = (mentioned && (ty == Type::String || exact)).then(|| {
                let field = self.fields.next(&format!("{own}_stored"));
                exprs.push(column.clone().alias(&field));
                fields.push(Field::new(&field, stored_type.clone(), true));
                field
            });
            let typed = match ty {
                Type::DateTime => unary::ticks(column),
                Type::String => unary::text(column),
                Type::Dynamic => {
                    unary::from_outside(datafusion::prelude::cast(column, DataType::Utf8))
                }
                ty => datafusion::prelude::cast(column, arrays::arrow_type(ty)),
            };
            let field = self.fields.next(own);
            exprs.push(typed.alias(&field));
            fields.push(Field::new(&field, arrays::arrow_type(ty), true));
            columns.push(Column {
                stored,
                ..Column::new(own, ty, field)
            });
        }
        let paths = self.paths(known, frame.schema(), &mut exprs, &mut fields);
        if let Some(record) = known.and_then(|t| Some(t.columns[t.record?].name))
            && let Some(column) = columns.iter_mut().find(|c| c.name == record)
        {
            column.paths = Arc::new(paths);
        }
        if columns.is_empty() {
            return Err(Failure::at(span, format!("table `{name}` has no columns")));
        }
        let input = Arc::new(frame.into_unoptimized_plan());
        let plan = projection(exprs, input, fields)?;
        Ok(Relation {
            plan: Arc::new(plan),
            columns,
            ordered: false,
        })
    }

    /// The paths of the record that are stored in columns and that the query mentions.
    fn paths(
        &mut self,
        table: Option<&Table>,
        schema: &DFSchema,
        exprs: &mut Vec<PlanExpr>,
        fields: &mut Vec<Field>,
    ) -> HashMap<String, String> {
        let mut paths = HashMap::new();
        for column in table.into_iter().flat_map(|t| &t.columns) {
            let Origin::Path(path) = column.origin else {
                continue;
            };
            let mentioned = path.split('.').all(|name| self.text.contains(name));
            if !mentioned || column.kusto != Kusto::String {
                continue;
            }
            if let Ok((qualifier, stored)) =
                schema.qualified_field_with_unqualified_name(column.name)
            {
                let field = self.fields.next(&format!("{}_stored", column.name));
                let own = PlanColumn::new(qualifier.cloned(), column.name);
                exprs.push(PlanExpr::Column(own).alias(&field));
                fields.push(Field::new(&field, stored.data_type().clone(), true));
                paths.insert(path.to_string(), field);
            }
        }
        paths
    }

    pub(super) fn watchlist(&mut self, name: &str, span: Span) -> Result<Relation, Failure> {
        let Some(own) = self
            .session
            .watchlists()
            .iter()
            .find(|w| w.eq_ignore_ascii_case(name))
            .cloned()
        else {
            if self.options.purpose != Purpose::Run {
                self.open = true;
                return self.rows(&[("SearchKey".into(), Type::String)], &[]);
            }
            return Err(Failure::at(span, format!("no watchlist `{name}`"))
                .hint_near(name, self.session.watchlists()));
        };
        let session = self.session;
        let frame = session.block_on(async {
            session
                .context()
                .table(TableReference::partial("watchlists", own))
                .await
        })?;
        let mut relation = self.stored(frame, "", span)?;
        // Sentinel names the column by which a watchlist is searched; here it is the first one.
        if let Some(first) = relation.columns.first().cloned()
            && relation.column("SearchKey").is_none()
        {
            let mut columns = columns_of(&relation);
            columns.push(("SearchKey".into(), first.ty, first.expr()));
            relation = self.fields.project(&relation, columns)?;
        }
        Ok(relation)
    }
}
