//! Rows that are made when the query runs, by operators that go through all rows in their order. Planning reads nothing for them.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
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
use super::{Failure, arrays};
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
    make: Box<Make>,
    made: OnceCell<RecordBatch>,
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Holds a [`Later`] for a stream.
#[derive(Debug)]
struct Part(Arc<Later>);

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let later = Arc::clone(&self.0);
        let made = async move {
            let batch = later.made.get_or_try_init(|| later.run()).await?.clone();
            let parts = (0..batch.num_rows()).step_by(BATCH).map(move |at| {
                let length = BATCH.min(batch.num_rows() - at);
                Ok::<_, DataFusionError>(batch.slice(at, length))
            });
            Ok::<_, DataFusionError>(futures::stream::iter(parts))
        };
        let stream = futures::stream::once(made).try_flatten();
        let schema = Arc::clone(&self.0.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, stream.boxed()))
    }
}

impl Later {
    async fn run(&self) -> Result<RecordBatch> {
        let rows = in_order(self.state.clone(), self.plan.clone()).await?;
        let made = (self.make)(rows)?;
        RecordBatch::try_new(Arc::clone(&self.schema), made.columns().to_vec()).map_err(Into::into)
    }
}

/// All rows of a plan, in one batch and in their order.
async fn in_order(state: SessionState, plan: LogicalPlan) -> Result<RecordBatch> {
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
    let batches = frame.collect().await?;
    Ok(arrow::compute::concat_batches(&schema, &batches)?)
}

impl Lower<'_> {
    /// The same rows, in their order, gone through once.
    pub(super) fn made(&mut self, relation: &Relation) -> Result<Relation, Failure> {
        let mut made = self.batch_later("rows", relation, &relation.schema(), Box::new(Ok))?;
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
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(made.len()));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            Ok(RecordBatch::try_new_with_options(
                schema,
                arrays.collect(),
                &options,
            )?)
        };
        self.batch_later(name, relation, columns, Box::new(batch))
    }

    fn batch_later(
        &mut self,
        name: &str,
        relation: &Relation,
        columns: &[(String, Type)],
        make: Box<Make>,
    ) -> Result<Relation, Failure> {
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
            make,
            made: OnceCell::new(),
        };
        self.made_of.push((name.clone(), Arc::clone(&input.plan)));
        let table = StreamingTable::try_new(schema, vec![Arc::new(Part(Arc::new(later)))])?;
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?;
        Ok(Relation {
            plan: Arc::new(plan.build()?),
            columns: out,
            ordered: false,
        })
    }
}
