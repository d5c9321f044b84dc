//! Where rows come from: tables of the archive, files, watchlists, and rows that the query itself writes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column as PlanColumn, DFSchema, ScalarValue, TableReference};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, LogicalPlanBuilder, ident, lit};

use super::lower::Lower;
use super::missing::looks_saved;
use super::operator::fresh;
use super::relation::{Column, Columns, Relation, columns_of, projection};
use super::{Failure, Gathered, Purpose, arrays, outside};
use crate::catalog::{FINGERPRINT, Kusto, Origin, TIME, TYPE, Table, catalog};
use crate::engine::{self, Session, recorded, views};
use crate::function::value::{Type, Value};
use crate::kql::ast::{self, Expr, NamedExpr, Span};
use crate::kql::span::Fault;

/// The column with the time of ingestion, where that is not the time of the event. It is no column of the answer.
pub(super) const INGESTED: &str = "\0ingestion_time";
/// Rows that a `range` may make.
const RANGE_ROWS: i64 = 50_000_000;

impl Lower<'_> {
    pub(super) fn print(&mut self, columns: &[NamedExpr]) -> Result<Relation, Failure> {
        let one = Relation {
            plan: Arc::new(LogicalPlanBuilder::empty(true).build()?),
            columns: Vec::new(),
            ordered: false,
        };
        let mut out: Columns = Vec::new();
        let mut gathered = Gathered::default();
        for (i, column) in columns.iter().enumerate() {
            let several = self.several(&one, &[], column);
            let Some(several) = gathered.take(several)? else {
                continue;
            };
            if let Some(several) = several {
                // One value is named as all values here, and what a query names some of leaves out the others.
                let alone = several.len() == 1 && column.names.is_empty();
                let named = match column.names.len() {
                    0 => several.len(),
                    some => some,
                };
                for (place, (name, ty, expr)) in several.into_iter().take(named).enumerate() {
                    let name = match alone {
                        true => crate::kql::naming::print_name(i),
                        false if place >= column.names.len() => fresh(&name, &out),
                        false => name,
                    };
                    out.push((name, ty, expr));
                }
                continue;
            }
            let compiled = self.compile_open(&column.expr, &[]);
            let Some(compiled) = gathered.take(compiled)? else {
                continue;
            };
            let name = match column.names.as_slice() {
                [] => crate::kql::naming::print_name(i),
                [name] => name.text.clone(),
                _ => {
                    gathered.add(
                        column.span,
                        "several names, and the expression gives one value",
                    );
                    continue;
                }
            };
            let ty = compiled.ty;
            let expr = self.expression(&compiled, &one);
            out.push((name, ty, expr));
        }
        gathered.done()?;
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
        self.room.try_grow(batch.get_array_memory_size())?;
        let table = MemTable::try_new(schema, vec![vec![batch]])?;
        let plan = LogicalPlanBuilder::scan("rows", provider_as_source(Arc::new(table)), None)?;
        Ok(Relation {
            plan: Arc::new(plan.build()?),
            columns,
            ordered: false,
        })
    }

    /// A table that a query is planned with, and never run.
    pub(super) fn planned_rows(
        &mut self,
        name: TableReference,
        columns: &[(String, Type)],
    ) -> Result<Relation, Failure> {
        let mut fields = Vec::new();
        let mut out = Vec::new();
        for (name, ty) in columns {
            let field = self.fields.next(name);
            fields.push(Field::new(&field, arrays::arrow_type(*ty), true));
            out.push(Column::new(name, *ty, field));
        }
        let table = EmptyTable::new(Arc::new(Schema::new(fields)));
        let table = provider_as_source(Arc::new(table));
        let plan = LogicalPlanBuilder::scan(name, table, None)?.build()?;
        Ok(Relation {
            plan: Arc::new(plan),
            columns: out,
            ordered: false,
        })
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
                let value = self.planned(&compiled);
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
        let mut values = Vec::new();
        let mut ty = Type::Long;
        let mut is_local = false;
        for (i, expr) in [from, to, step].into_iter().enumerate() {
            let compiled = self.compile(expr, &[])?;
            is_local |= compiled.is_local_time(&|_| false);
            match (i, compiled.ty) {
                (0, t) => ty = t,
                (1, Type::Real) if !matches!(ty, Type::DateTime | Type::Decimal) => ty = Type::Real,
                (2, Type::Real) if ty == Type::Long || ty == Type::Int => ty = Type::Real,
                (1, Type::Long) if ty == Type::Int => ty = Type::Long,
                (_, Type::Decimal) if matches!(ty, Type::Int | Type::Long | Type::Real) => {
                    ty = Type::Decimal;
                }
                _ => {}
            }
            values.push(self.planned(&compiled));
        }
        let array = values_of_range(&values, ty).map_err(|why| Failure::at(span, why))?;
        let field = self.fields.next(name);
        let schema = Arc::new(Schema::new(vec![Field::new(
            &field,
            array.data_type().clone(),
            true,
        )]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array])
            .map_err(|e| Failure::Engine(e.into()))?;
        let made = self.in_memory(schema, batch, vec![Column::new(name, ty, field)])?;
        Ok(made.with_local_times(&[is_local]))
    }

    /// A table of the archive, a watchlist or a file.
    pub(super) fn named(&mut self, name: &str, span: Span) -> Result<Relation, Failure> {
        if !self.session.knows(name) {
            if let Some(elsewhere) = self.elsewhere(name) {
                return elsewhere;
            }
            let fault = Fault::new(span, format!("no table `{name}`")).missing_table();
            return Err(Failure::Faults(vec![fault]).hint_near(name, &self.session.names_for(name)));
        }
        let session = self.session;
        let is_file = session.files.iter().any(|file| file == name);
        if self.options.without_archive && !is_file {
            self.unread.get_or_insert_with(|| name.into());
        }
        let frame = session.frame_of(name);
        let frame = match self.options.purpose {
            Purpose::Run | Purpose::Plan => frame?,
            Purpose::Check => {
                let frame = frame?;
                if !is_file {
                    self.asked.insert(name.into());
                }
                let lacks = !is_file && !self.options.without_archive;
                if lacks && !session.has(name) && !reads_rows(session, frame.logical_plan())? {
                    self.needs.tables.insert(name.into());
                }
                frame
            }
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
            Some(table) => views::with_hidden(frame, table, |name| self.mentions.has(name))?,
            None => frame,
        };
        let frame = match self.types {
            true => views::with_type(frame, name)?,
            false => frame,
        };
        let frame = self.with_ingestion(frame, name)?;
        let mut exprs: Vec<PlanExpr> = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        let mut columns = Vec::new();
        let particulars = self.session.particulars.get(name);
        let seen = self.seen(frame.schema(), name, known);
        for ((qualifier, field), _) in frame.schema().iter().zip(seen).filter(|(_, seen)| *seen) {
            let own = field.name();
            let beyond_long = particulars.is_some_and(|p| p.beyond_long.contains(own));
            let mut ty = outside::kusto_type(field.data_type(), beyond_long);
            if particulars.is_some_and(|p| p.json.contains(own)) {
                ty = Type::Dynamic;
            }
            if let Some(kusto) = known.and_then(|t| t.kusto(own))
                && ty == Type::String
            {
                ty = match kusto {
                    Kusto::Dynamic => Type::Dynamic,
                    _ => Type::String,
                };
            }
            if self.session.customs.is_dynamic(name, own) {
                ty = Type::Dynamic;
            }
            let column = PlanExpr::Column(PlanColumn::new(qualifier.cloned(), own.clone()));
            // Times of another unit would be compared with others than they are.
            let exact = matches!(
                field.data_type(),
                DataType::Timestamp(TimeUnit::Microsecond, _)
            );
            let stored_type = field.data_type();
            let mentioned = self.mentions.has(own);
            let text = ty == Type::String && outside::is_text(stored_type);
            let stored = (mentioned && (text || exact)).then(|| {
                let field = self.fields.next(&format!("{own}_stored"));
                exprs.push(column.clone().alias(&field));
                fields.push(Field::new(&field, stored_type.clone(), true));
                field
            });
            let typed = outside::typed(column, stored_type, ty);
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
            let nested = views::nested_paths(self.session, name);
            let nested = nested.into_iter().filter_map(|path| paths.get(path));
            column.nested = Arc::new(nested.cloned().collect());
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

    /// The rows of a table with when they were ingested, where the query asks for it and it is another time than the one at which they happened.
    fn with_ingestion(&self, rows: DataFrame, name: &str) -> Result<DataFrame, Failure> {
        let time = rows.schema().field_with_unqualified_name(TIME);
        let is_timed = time.is_ok_and(|f| matches!(f.data_type(), DataType::Timestamp(..)));
        if !is_timed || !self.mentions.has("ingestion_time") {
            return Ok(rows);
        }
        let ingested = match (self.session.recorded, self.session.late.of(name)) {
            (true, _) => recorded::column(&rows, TIME)?,
            (false, 0) => None,
            (false, late) => Some(ident(TIME) + lit(ScalarValue::DurationMicrosecond(Some(late)))),
        };
        Ok(match ingested {
            Some(ingested) => rows.with_column(INGESTED, ingested)?,
            None => rows,
        })
    }

    /// Which columns of a table the query can see.
    fn seen(&self, schema: &DFSchema, name: &str, known: Option<&Table>) -> Vec<bool> {
        let session = self.session;
        // A file may have the name of a table that rules ask beside ours.
        let is_file = session.files.iter().any(|file| file == name);
        let is_cut = session.columns == engine::Columns::Product && !is_file;
        let named = |name: &str| self.mentions.has(name);
        let is_seen = |column: &str| {
            if column == INGESTED {
                return true;
            }
            if known.is_some() && !is_file && column == FINGERPRINT {
                return false;
            }
            if self.narrow && known.is_some() && column != TIME && !named(column) {
                return false;
            }
            // `ingestion_time()` reads the time, and a table must have some column.
            let is_time = column == TIME && (self.narrow || named("ingestion_time"));
            let is_type = column == TYPE && self.types;
            let is_named = is_time || is_type || named(column);
            !is_cut || !views::is_beside(name, column) || is_named
        };
        schema.fields().iter().map(|f| is_seen(f.name())).collect()
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
            let mentioned = path.split('.').all(|name| self.mentions.has(name));
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
            if self.options.without_archive {
                let asked = || format!("_GetWatchlist('{name}')");
                self.unread.get_or_insert_with(asked);
            }
            if self.options.without_archive || self.options.purpose != Purpose::Run {
                self.needs.watchlists.insert(name.into());
                let columns = vec![("SearchKey".to_string(), Type::String)];
                let columns = self.with_expected(columns, Type::String);
                let reference = TableReference::partial("watchlists", name);
                let list = self.planned_rows(reference, &columns)?;
                return self.opened(&list, Type::String);
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

/// The values of a range of this type: from, to and step; or why there are none.
fn values_of_range(bounds: &[Value], ty: Type) -> Result<ArrayRef, &'static str> {
    match ty {
        Type::Decimal => match decimals(bounds, RANGE_ROWS) {
            Some(all) => Ok(arrays::array(all.iter(), ty)),
            None => Err("range needs three numbers, and has no step, or too many"),
        },
        Type::Real => Ok(Arc::new(reals(bounds)?)),
        ty => whole_numbers(bounds, ty),
    }
}

fn reals(bounds: &[Value]) -> Result<Float64Array, &'static str> {
    let number = |v: &Value| match v {
        Value::Real(x) => Some(*x),
        Value::Long(x) => Some(*x as f64),
        Value::Int(x) => Some(f64::from(*x)),
        _ => None,
    };
    let (Some(a), Some(z), Some(by)) = (number(&bounds[0]), number(&bounds[1]), number(&bounds[2]))
    else {
        return Err("range needs three numbers");
    };
    let steps = ((z - a) / by).floor();
    if by == 0.0 || !steps.is_finite() || steps > RANGE_ROWS as f64 {
        return Err("range has no step, or too many");
    }
    let steps = 0..(steps as i64 + 1).max(0);
    Ok(Float64Array::from_iter_values(
        steps.map(|i| a + by * i as f64),
    ))
}

/// Numbers, times or timespans.
fn whole_numbers(bounds: &[Value], ty: Type) -> Result<ArrayRef, &'static str> {
    let number = |v: &Value| match v {
        Value::Long(x) | Value::DateTime(x) | Value::Timespan(x) => Some(*x),
        Value::Int(x) => Some(i64::from(*x)),
        _ => None,
    };
    let (Some(a), Some(z), Some(by)) = (number(&bounds[0]), number(&bounds[1]), number(&bounds[2]))
    else {
        return Err("range needs numbers, times or timespans of one kind");
    };
    let steps = z.saturating_sub(a).checked_div(by);
    if steps.is_none_or(|steps| steps > RANGE_ROWS) {
        return Err("range has no step, or too many");
    }
    let within = |at: &i64| (by > 0 && *at <= z) || (by < 0 && *at >= z);
    let all = std::iter::successors(Some(a), |at| at.checked_add(by)).take_while(within);
    let array: ArrayRef = match ty {
        Type::Int => Arc::new(Int32Array::from_iter_values(all.map(|at| at as i32))),
        _ => Arc::new(Int64Array::from_iter_values(all)),
    };
    Ok(array)
}

/// A range of decimals: from, to and step. Nothing where one is no number, where there is no step, or where there are too many.
fn decimals(bounds: &[Value], most: i64) -> Option<Vec<Value>> {
    let [from, to, step] = bounds else {
        return None;
    };
    let (from, to, step) = (from.to_decimal()?, to.to_decimal()?, step.to_decimal()?);
    let steps = to.minus(from)?.over(step)?.floor().to_long()?;
    if steps > most {
        return None;
    }
    let at = |i: i64| from.plus(step.times(i.into())?).map(Value::Decimal);
    (0..=steps).map(at).collect()
}

impl Session {
    /// Whether a table that queries in KQL ask is a table of which the archive has no rows: none of its own, and none of what it is made of.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        if !self.knows(name) {
            // One of a workspace's own.
            return name.ends_with("_CL") && !looks_saved(name);
        }
        if self.has(name) || self.files.iter().any(|file| file == name) {
            return false;
        }
        let frame = self.frame_of(name).map_err(Failure::from);
        // What cannot be made is told by who asks it.
        frame
            .and_then(|frame| reads_rows(self, frame.logical_plan()))
            .is_ok_and(|reads| !reads)
    }

    /// A table of the archive, a watchlist or a file, as DataFusion has it.
    fn frame_of(&self, name: &str) -> crate::fault::Result<DataFrame> {
        self.block_until(async {
            // A name as text would be put into lower case.
            let reference = || TableReference::bare(name);
            if !self.context().table_exist(reference())? {
                views::make(self, name).await?;
            }
            Ok(self.context().table(reference()).await?)
        })
    }
}

/// Whether a view reads a stored table that has rows.
fn reads_rows(session: &Session, view: &LogicalPlan) -> Result<bool, Failure> {
    let mut found = false;
    view.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found |= session.has(scan.table_name.table());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
