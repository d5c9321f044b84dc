//! Rows that are not made yet, as a node of a plan. What is done to them is data: two nodes that say the same are equal.
//!
//! For the plan around it a node is a leaf. Its input is optimised and run by itself: the rows must come in their order, which is not for the
//! plan around them to change. The rows are a part of the memory of queries. Knows nothing of what operators do, nor of their columns.

use std::any::Any;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session as PlanSession;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use super::{Making, arrays};
use crate::engine::memory::{self, Held, Room};
use crate::function::value::{Type, Value};

/// Rows of a batch that others take up.
const BATCH: usize = 8192;

/// What goes through all rows, value by value.
pub(super) type Rows = Vec<Vec<Value>>;

/// What an operator does to all rows, value by value. Two that are equal do the same.
pub(super) trait ByRow: PartialEq + Send + Sync + 'static {
    /// The rows that it makes of these.
    fn turn(&self, rows: Rows) -> std::result::Result<Rows, String>;
}

/// The same with whole columns.
pub(super) trait ByColumn: PartialEq + Send + Sync + 'static {
    /// The columns that it makes of those of all rows.
    fn turn(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>>;
}

/// Of rows that a query is planned with, and never made.
#[derive(PartialEq)]
pub(super) struct OnlyPlanned(pub(super) String);

impl ByRow for OnlyPlanned {
    fn turn(&self, _: Rows) -> std::result::Result<Rows, String> {
        Err(format!("{} is only planned", self.0))
    }
}

/// Turns all rows into others; what it needs on the way is taken from the memory first.
pub(super) trait Make: Send + Sync {
    fn make(&self, batch: RecordBatch, room: &MemoryReservation) -> Result<RecordBatch>;

    /// Whether the other one does the same.
    fn is(&self, other: &dyn Make) -> bool;

    /// Whether it makes one row of each.
    fn keeps_rows(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any;
}

/// [`ByRow`], with the types of the columns that it reads and makes.
#[derive(PartialEq)]
pub(super) struct InRows<W> {
    pub(super) work: W,
    pub(super) from: Vec<Type>,
    pub(super) to: Vec<Type>,
}

impl<W: ByRow> Make for InRows<W> {
    fn make(&self, batch: RecordBatch, room: &MemoryReservation) -> Result<RecordBatch> {
        room.try_grow(arrays::weight(&batch))?;
        let rows = (0..batch.num_rows()).map(|r| {
            let cells = batch.columns().iter().zip(&self.from);
            cells
                .map(|(array, ty)| arrays::value(array, r, *ty))
                .collect()
        });
        let rows = rows.collect();
        let made = self.work.turn(rows).map_err(DataFusionError::Execution)?;
        let arrays = self.to.iter().enumerate().map(|(i, ty)| {
            let cells = made.iter().map(|row| row.get(i).unwrap_or(&Value::Null));
            arrays::array(cells, *ty)
        });
        numbered(&self.to, arrays.collect(), made.len())
    }

    fn is(&self, other: &dyn Make) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// [`ByColumn`], with the types of the columns that it makes.
#[derive(PartialEq)]
pub(super) struct InColumns<W> {
    pub(super) work: W,
    pub(super) to: Vec<Type>,
}

impl<W: ByColumn> Make for InColumns<W> {
    fn make(&self, batch: RecordBatch, _: &MemoryReservation) -> Result<RecordBatch> {
        numbered(&self.to, self.work.turn(&batch)?, batch.num_rows())
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn is(&self, other: &dyn Make) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Columns of these types, whose names are their numbers.
fn numbered(types: &[Type], arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let fields = types.iter().enumerate();
    let fields = fields.map(|(i, ty)| Field::new(format!("{i}"), arrays::arrow_type(*ty), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}

/// Rows that are not made yet, as a node of a plan. However often a query reads them, they are made once.
#[derive(Clone)]
pub(super) struct Later {
    pub(super) name: String,
    pub(super) schema: DFSchemaRef,
    pub(super) input: Arc<LogicalPlan>,
    pub(super) making: Making,
    /// Whether the rows come in an order that counts.
    pub(super) ordered: bool,
    /// Threads that may read them side by side.
    pub(super) parts: usize,
    /// Nothing where the rows stay as they are.
    pub(super) make: Option<Arc<dyn Make>>,
    pub(super) room: Room,
    /// Of name and input: inputs that have such nodes in them would be gone through again and again.
    pub(super) hash: u64,
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        let makes_the_same = || match (&self.make, &other.make) {
            (Some(own), Some(other)) => own.is(other.as_ref()),
            (None, None) => true,
            _ => false,
        };
        self.hash == other.hash
            && self.name == other.name
            && self.making == other.making
            && self.ordered == other.ordered
            && self.parts == other.parts
            && self.schema == other.schema
            && makes_the_same()
            && self.input == other.input
    }
}

impl Eq for Later {}

impl Hash for Later {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        // What operators do has no order.
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Later {
    fn name(&self) -> &str {
        &self.name
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.schema.fields().iter();
        let names: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
        write!(f, "Made: {} [{}]", self.name, names.join(", "))
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}

impl Later {
    /// Its identity, and that of its rows.
    pub(super) fn hash_of(name: &str, input: &LogicalPlan) -> u64 {
        let mut hasher = DefaultHasher::new();
        (name, input).hash(&mut hasher);
        hasher.finish()
    }
}

/// A plan in which something is done to each plan that it consists of: first to those of rows that are made when it runs.
///
/// # Errors
/// What `turn` returns.
pub(in crate::engine) fn turned(
    plan: LogicalPlan,
    turn: &mut dyn FnMut(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    turned_once(plan, turn, &mut HashMap::new())
}

/// The same. A node that stands in the plan several times stays one.
fn turned_once(
    plan: LogicalPlan,
    turn: &mut dyn FnMut(LogicalPlan) -> Result<LogicalPlan>,
    done: &mut HashMap<String, Arc<Later>>,
) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Extension(extension) = &node else {
            return Ok(Transformed::no(node));
        };
        let Some(later) = extension.node.as_any().downcast_ref::<Later>() else {
            return Ok(Transformed::no(node));
        };
        let node = match done.get(&later.name) {
            Some(made) => Arc::clone(made),
            None => {
                let input = turned_once(later.input.as_ref().clone(), turn, done)?;
                let made = Arc::new(Later {
                    hash: Later::hash_of(&later.name, &input),
                    input: Arc::new(input),
                    ..later.clone()
                });
                done.insert(later.name.clone(), Arc::clone(&made));
                made
            }
        };
        Ok(Transformed::yes(LogicalPlan::Extension(Extension { node })))
    })?;
    turn(plan.data)
}

/// The plans of the rows that are made when a plan runs.
///
/// # Errors
/// When DataFusion cannot go through a plan, which is a fault of coldtrail.
pub(in crate::engine) fn plans_within(plan: &LogicalPlan) -> Result<Vec<Arc<LogicalPlan>>> {
    let mut found = Vec::new();
    read_by(plan, &mut found)?;
    Ok(found.into_iter().map(|later| later.input).collect())
}

/// The rows that a node goes through in their order, where it does.
pub(super) fn gone_through(node: &Extension) -> Option<&LogicalPlan> {
    let later = node.node.as_any().downcast_ref::<Later>()?;
    later.ordered.then(|| later.input.as_ref())
}

/// The state in which a plan with such nodes is run once.
pub(in crate::engine) fn state_of(state: SessionState) -> SessionState {
    Store::of(state).1
}

/// Adds the nodes that a plan reads.
fn read_by(plan: &LogicalPlan, found: &mut Vec<Later>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(extension) = node
            && let Some(later) = extension.node.as_any().downcast_ref::<Later>()
            && !found.contains(later)
        {
            found.push(later.clone());
            read_by(&later.input, found)?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Rows that a query has made, by their nodes: a node that stands in several of its plans is worked out once.
pub(super) struct Store {
    /// Threads of the query, whatever plan a node stands in.
    threads: usize,
    nodes: Mutex<Vec<(Later, Slot)>>,
}

/// Where the rows of a node are.
struct Slot {
    /// As long as a plan reads them.
    read: Weak<OnceCell<Kept>>,
    /// As long as the query may read them.
    held: Option<Arc<OnceCell<Kept>>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows of a query")
    }
}

impl Store {
    /// The state for the plans of a query that has made nothing yet.
    pub(super) fn of(state: SessionState) -> (Arc<Store>, SessionState) {
        let store = Arc::new(Store {
            threads: state.config().target_partitions(),
            nodes: Mutex::default(),
        });
        let planner = Arc::new(Planner(Arc::clone(&store)));
        let state = SessionStateBuilder::new_from_existing(state)
            .with_query_planner(planner)
            .build();
        (store, state)
    }

    /// Where the rows of a node are, or will be.
    fn rows(&self, later: &Later) -> Arc<OnceCell<Kept>> {
        // Who panicked has at most left a node out.
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|(_, slot)| slot.held.is_some() || slot.read.strong_count() > 0);
        let known = nodes.iter().find(|(node, _)| node == later);
        if let Some(rows) = known.and_then(|(_, slot)| slot.read.upgrade()) {
            return rows;
        }
        let rows = Arc::new(OnceCell::new());
        let slot = Slot {
            read: Arc::downgrade(&rows),
            held: (later.making == Making::Once).then(|| Arc::clone(&rows)),
        };
        nodes.push((later.clone(), slot));
        rows
    }

    /// Lets go of rows that this plan does not read: it is the last one of its query.
    pub(super) fn keep_for(&self, plan: &LogicalPlan) -> Result<()> {
        let mut read = Vec::new();
        read_by(plan, &mut read)?;
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|(node, _)| read.contains(node));
        Ok(())
    }
}

/// Plans the queries that have such nodes.
#[derive(Debug, Clone)]
struct Planner(Arc<Store>);

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn PlanSession,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let own: Arc<dyn ExtensionPlanner + Send + Sync> = Arc::new(self.clone());
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![own]);
        planner.create_physical_plan(plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for Planner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        _: &[Arc<dyn ExecutionPlan>],
        session: &dyn PlanSession,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(later) = node.as_any().downcast_ref::<Later>() else {
            return Ok(None);
        };
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return internal_err!("the session of a query has another state");
        };
        // The plan around it may have to come in order, and this one not.
        let state = match state.config().target_partitions() == self.0.threads {
            true => state.clone(),
            false => with_threads(state.clone(), self.0.threads),
        };
        let rows = Arc::new(Pending {
            schema: Arc::clone(later.schema.inner()),
            made: self.0.rows(later),
            later: later.clone(),
            state,
        });
        let of = later.parts.max(1);
        let part = |at| {
            let rows = Arc::clone(&rows);
            Arc::new(Part { rows, at, of }) as Arc<dyn PartitionStream>
        };
        let parts = (0..of).map(part).collect();
        let schema = Arc::clone(&rows.schema);
        let plan =
            StreamingTableExec::try_new(schema, parts, None, std::iter::empty(), false, None)?;
        Ok(Some(Arc::new(plan)))
    }
}

/// A node that is being run.
struct Pending {
    later: Later,
    schema: SchemaRef,
    state: SessionState,
    made: Arc<OnceCell<Kept>>,
}

/// Rows that were made, and their part of the memory.
struct Kept {
    batches: Vec<RecordBatch>,
    _room: MemoryReservation,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.later.name)
    }
}

/// Every so many batches of a [`Pending`], for a stream.
#[derive(Debug)]
struct Part {
    rows: Arc<Pending>,
    at: usize,
    of: usize,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.rows.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Arc::clone(&self.rows);
        let (at, of) = (self.at, self.of);
        let made = async move {
            let made = rows.made.get_or_try_init(|| Pending::run(&rows)).await?;
            // Slices: no row is copied.
            let slices = made.batches.iter().flat_map(|batch| {
                let starts = (0..batch.num_rows()).step_by(BATCH);
                starts.map(move |from| batch.slice(from, BATCH.min(batch.num_rows() - from)))
            });
            let own: Vec<Result<RecordBatch>> = slices.skip(at).step_by(of).map(Ok).collect();
            Ok::<_, DataFusionError>(futures::stream::iter(own))
        };
        let stream = futures::stream::once(made).try_flatten();
        let schema = Arc::clone(&self.rows.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, stream.boxed()))
    }
}

impl Pending {
    async fn run(rows: &Arc<Pending>) -> Result<Kept> {
        let later = &rows.later;
        let in_their_order = later.ordered || later.make.is_some();
        let state = match in_their_order {
            true => in_order(rows.state.clone(), &later.input),
            false => rows.state.clone(),
        };
        let frame = DataFrame::new(state, later.input.as_ref().clone());
        let schema = Arc::clone(frame.schema().inner());
        let held = match in_their_order {
            true => memory::collect(frame, &later.name, &later.room).await?,
            false => memory::collect_partitioned(frame, &later.name, &later.room).await?,
        };
        if later.make.is_none() {
            let (batches, room) = held.into_parts();
            return rows.kept(batches, room);
        }
        let own = Arc::clone(rows);
        // It goes through all rows at once: no other query is to wait for it.
        let made = tokio::task::spawn_blocking(move || own.make(&schema, held));
        made.await
            .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?
    }

    /// All rows as one batch, turned into others.
    fn make(&self, schema: &SchemaRef, held: Held) -> Result<Kept> {
        let (batches, room) = held.into_parts();
        one_column_takes(&batches, &self.later.name)?;
        let read = room.size();
        // Both copies are there for a moment.
        room.try_grow(read)?;
        let whole = arrow::compute::concat_batches(schema, &batches)?;
        drop(batches);
        room.try_shrink(read)?;
        let made = match &self.later.make {
            Some(make) => make.make(whole, &room)?,
            None => whole,
        };
        room.try_resize(RecordBatchMemoryCounter::new().count_batch(&made))?;
        self.kept(vec![made], room)
    }

    fn kept(&self, batches: Vec<RecordBatch>, room: MemoryReservation) -> Result<Kept> {
        let named = |batch: RecordBatch| {
            let columns = batch.columns().to_vec();
            RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(DataFusionError::from)
        };
        let batches: Result<Vec<RecordBatch>> = batches.into_iter().map(named).collect();
        Ok(Kept {
            batches: batches?,
            _room: room,
        })
    }
}

/// Refuses rows whose texts no array of Arrow holds: their places in it are counted with 32 bits.
fn one_column_takes(batches: &[RecordBatch], name: &str) -> Result<()> {
    let columns = batches.first().map_or(0, RecordBatch::num_columns);
    for at in 0..columns {
        let texts = batches.iter().filter_map(|batch| {
            let texts = batch.column(at).as_string_opt::<i32>()?;
            let offsets = texts.value_offsets();
            let bytes = offsets.last()? - offsets.first()?;
            usize::try_from(bytes).ok()
        });
        if texts.sum::<usize>() > i32::MAX as usize {
            let what = "a column has more than 2 GiB of text, and all rows are gone through at once: name fewer columns, or a shorter time";
            return Err(DataFusionError::ResourcesExhausted(format!(
                "`{name}`: {what}"
            )));
        }
    }
    Ok(())
}

/// The state in which a plan gives its rows in their order.
fn in_order(state: SessionState, plan: &LogicalPlan) -> SessionState {
    let mut top = plan;
    while let LogicalPlan::Projection(projection) = top {
        top = &projection.input;
    }
    // The result of a sort is in order. Anything else may be gone through by several threads, and come in any.
    match top {
        LogicalPlan::Sort(_) => state,
        _ => with_threads(state, 1),
    }
}

/// The same with so many threads.
pub(in crate::engine) fn with_threads(state: SessionState, threads: usize) -> SessionState {
    let config = state.config().clone().with_target_partitions(threads);
    // Both share their tables: they are not to be made anew.
    let config = config.with_create_default_catalog_and_schema(false);
    SessionStateBuilder::new_from_existing(state)
        .with_config(config)
        .build()
}
