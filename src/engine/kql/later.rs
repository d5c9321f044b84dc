//! Rows that are made when the query runs, by operators that go through all rows in their order, and rows that are worked out once
//! however often they are read (`materialize`). Planning reads nothing for them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use super::operator::columns_of;
use super::relation::{Column, Relation};
use super::statement::Lower;
use super::{Failure, Made, Making, arrays};
use crate::kql::value::{Type, Value};

/// Rows of a batch that others take up.
const BATCH: usize = 8192;

/// Turns all rows into others.
type Make = dyn Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync;

/// What goes through all rows, value by value.
pub(super) type Rows = Vec<Vec<Value>>;

/// Rows that are not made yet. However often they are asked for, they are made once.
struct Later {
    name: String,
    schema: SchemaRef,
    state: SessionState,
    plan: LogicalPlan,
    /// Whether the rows come in an order that counts.
    ordered: bool,
    /// Nothing where the rows stay as they are.
    make: Option<Box<Make>>,
    made: OnceCell<Vec<RecordBatch>>,
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Every so many batches of a [`Later`], for a stream.
#[derive(Debug)]
struct Part {
    later: Arc<Later>,
    at: usize,
    of: usize,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.later.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let later = Arc::clone(&self.later);
        let (at, of) = (self.at, self.of);
        let made = async move {
            let made = later.made.get_or_try_init(|| later.run()).await?;
            // Slices: no row is copied.
            let slices = made.iter().flat_map(|batch| {
                let starts = (0..batch.num_rows()).step_by(BATCH);
                starts.map(move |from| batch.slice(from, BATCH.min(batch.num_rows() - from)))
            });
            let own: Vec<Result<RecordBatch>> = slices.skip(at).step_by(of).map(Ok).collect();
            Ok::<_, DataFusionError>(futures::stream::iter(own))
        };
        let stream = futures::stream::once(made).try_flatten();
        let schema = Arc::clone(&self.later.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, stream.boxed()))
    }
}

impl Later {
    async fn run(&self) -> Result<Vec<RecordBatch>> {
        let (state, plan) = (self.state.clone(), self.plan.clone());
        let batches = match (&self.make, self.ordered) {
            (Some(make), _) => {
                let (schema, batches) = in_order(state, plan).await?;
                vec![make(arrow::compute::concat_batches(&schema, &batches)?)?]
            }
            (None, true) => in_order(state, plan).await?.1,
            (None, false) => {
                let parts = DataFrame::new(state, plan).collect_partitioned().await?;
                parts.into_iter().flatten().collect()
            }
        };
        let named = |batch: RecordBatch| {
            let columns = batch.columns().to_vec();
            RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(DataFusionError::from)
        };
        batches.into_iter().map(named).collect()
    }
}

/// All rows of a plan, in their order.
async fn in_order(state: SessionState, plan: LogicalPlan) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut top = &plan;
    while let LogicalPlan::Projection(projection) = top {
        top = &projection.input;
    }
    // The result of a sort is in order. Anything else may be gone through by several threads, and come in any.
    let state = match top {
        LogicalPlan::Sort(_) => state,
        _ => {
            let config = state.config().clone().with_target_partitions(1);
            // Both share their tables: they are not to be made anew.
            let config = config.with_create_default_catalog_and_schema(false);
            SessionStateBuilder::new_from_existing(state)
                .with_config(config)
                .build()
        }
    };
    let frame = DataFrame::new(state, plan);
    let schema = Arc::clone(frame.schema().inner());
    Ok((schema, frame.collect().await?))
}

/// How rows are made later, and read.
#[derive(Clone, Copy)]
struct Readers<'n> {
    name: &'n str,
    making: Making,
    ordered: bool,
    /// Threads that may read them side by side.
    parts: usize,
}

impl<'n> Readers<'n> {
    /// In their order, by one thread.
    fn one(name: &'n str, making: Making) -> Self {
        Readers {
            name,
            making,
            ordered: true,
            parts: 1,
        }
    }
}

impl Lower<'_> {
    /// The same rows, in their order, gone through once.
    pub(super) fn made(&mut self, relation: &Relation) -> Result<Relation, Failure> {
        let rows = Readers::one("rows", Making::InOrder);
        let mut made = self.batch_later(rows, relation, &relation.schema(), None)?;
        made.ordered = relation.ordered;
        Ok(made)
    }

    /// `materialize`: the same rows, worked out once however often they are read.
    pub(super) fn materialized(&mut self, relation: &Relation) -> Result<Relation, Failure> {
        let rows = Readers {
            parts: match relation.ordered {
                true => 1,
                false => self.session.context().state().config().target_partitions(),
            },
            ordered: relation.ordered,
            ..Readers::one("materialize", Making::Once)
        };
        let mut made = self.batch_later(rows, relation, &relation.schema(), None)?;
        made.ordered = relation.ordered;
        Ok(made)
    }

    /// Rows that are made of all rows of a relation, which come in their order.
    pub(super) fn later(
        &mut self,
        name: &str,
        relation: &Relation,
        columns: &[(String, Type)],
        make: impl Fn(Rows) -> std::result::Result<Rows, String> + Send + Sync + 'static,
    ) -> Result<Relation, Failure> {
        let from: Vec<Type> = relation.columns.iter().map(|c| c.ty).collect();
        let to: Vec<Type> = columns.iter().map(|c| c.1).collect();
        let batch = move |batch: RecordBatch| {
            let rows = (0..batch.num_rows()).map(|r| {
                let cells = batch.columns().iter().zip(&from);
                cells
                    .map(|(array, ty)| arrays::value(array, r, *ty))
                    .collect()
            });
            let made = make(rows.collect()).map_err(DataFusionError::Execution)?;
            let arrays = to.iter().enumerate().map(|(i, ty)| {
                arrays::array(
                    made.iter().map(|row| row.get(i).unwrap_or(&Value::Null)),
                    *ty,
                )
            });
            let fields = to
                .iter()
                .enumerate()
                .map(|(i, ty)| Field::new(format!("{i}"), arrays::arrow_type(*ty), true));
            let options = RecordBatchOptions::new().with_row_count(Some(made.len()));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            Ok(RecordBatch::try_new_with_options(
                schema,
                arrays.collect(),
                &options,
            )?)
        };
        let rows = Readers::one(name, Making::InOrder);
        self.batch_later(rows, relation, columns, Some(Box::new(batch)))
    }

    /// The same with whole columns: those of the result are made of those of the relation.
    pub(super) fn batches_later(
        &mut self,
        name: &str,
        relation: &Relation,
        columns: &[(String, Type)],
        make: impl Fn(&RecordBatch) -> Result<Vec<ArrayRef>> + Send + Sync + 'static,
    ) -> Result<Relation, Failure> {
        let fields = columns.iter().enumerate();
        let fields = fields
            .map(|(i, (_, ty))| Field::new(format!("{i}"), arrays::arrow_type(*ty), true))
            .collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(fields));
        let batch = move |batch: RecordBatch| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = make(&batch)?;
            let schema = Arc::clone(&schema);
            Ok(RecordBatch::try_new_with_options(
                schema, columns, &options,
            )?)
        };
        let rows = Readers::one(name, Making::InOrder);
        self.batch_later(rows, relation, columns, Some(Box::new(batch)))
    }

    fn batch_later(
        &mut self,
        rows: Readers<'_>,
        relation: &Relation,
        columns: &[(String, Type)],
        make: Option<Box<Make>>,
    ) -> Result<Relation, Failure> {
        let Readers {
            name,
            making,
            ordered,
            parts,
        } = rows;
        let input = self.fields.project(relation, columns_of(relation))?;
        let mut fields = Vec::new();
        let mut out = Vec::new();
        for (name, ty) in columns {
            let field = self.fields.next(name);
            fields.push(Field::new(&field, arrays::arrow_type(*ty), true));
            out.push(Column::new(name, *ty, field));
        }
        if fields.is_empty() {
            fields.push(Field::new(self.fields.next(""), DataType::Boolean, true));
        }
        let name = self.fields.next(name);
        let schema = Arc::new(Schema::new(fields));
        let later = Later {
            name: name.clone(),
            schema: Arc::clone(&schema),
            state: self.session.context().state(),
            plan: input.plan.as_ref().clone(),
            ordered,
            make,
            made: OnceCell::new(),
        };
        self.made_of.push(Made {
            name: name.clone(),
            plan: Arc::clone(&input.plan),
            making,
        });
        let (later, of) = (Arc::new(later), parts.max(1));
        let part = |at| {
            let later = Arc::clone(&later);
            Arc::new(Part { later, at, of }) as Arc<dyn PartitionStream>
        };
        let table = StreamingTable::try_new(schema, (0..of).map(part).collect())?;
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?;
        let made = Relation {
            plan: Arc::new(plan.build()?),
            columns: out,
            ordered: false,
        };
        Ok(made.with_local_times_of(relation))
    }
}
