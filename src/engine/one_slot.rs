//! A slot: a place in a plan for the rows of a table, and what the plan asks of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue, TableReference, plan_err};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableProviderFilterPushDown,
    TableScan, TableSource, lit,
};

use super::again::Exchanged;
use super::kql;
use super::options::TimeRange;
use super::times;

/// The column with the time of ingestion in the rows of a slot.
const INGESTED: &str = "\0ingested";

/// A place for the rows of a table.
pub(super) struct Slot {
    table: String,
    /// The rows of all times; in a last column when each was ingested, where that is known of each.
    rows: Arc<LogicalPlan>,
    /// Which column has their time.
    time: usize,
    /// Which has the time of their ingestion.
    ingested: Option<usize>,
    /// Its columns, by their numbers.
    schema: SchemaRef,
    /// Columns that it must hold, ascending.
    columns: BTreeSet<usize>,
    /// What each row must meet.
    filter: Option<Expr>,
    /// What each row must meet at a moment, of each place where it stands in the plan.
    moving: Vec<Vec<Expr>>,
}

/// A slot as a table of a plan that is never run.
struct Place {
    number: usize,
    schema: SchemaRef,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {}", self.number)
    }
}

impl TableSource for Place {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        // They stay in the plan too: not all are applied to the rows that are given.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// The number of the slot that a scan stands for.
pub(super) fn number_of(scan: &TableScan) -> Option<usize> {
    let place = scan.source.as_ref().downcast_ref::<Place>();
    place.map(|place| place.number)
}

pub(super) fn name_of(slot: usize) -> TableReference {
    TableReference::bare(format!("slot{slot}"))
}

pub(super) fn field_name(column: usize) -> String {
    format!("f{column}")
}

/// The column of rows of this name.
pub(super) fn column_in(name: &TableReference, column: usize) -> Expr {
    Expr::Column(Column::new(Some(name.clone()), field_name(column)))
}

/// The column of a slot.
fn column_of(slot: usize, column: usize) -> Expr {
    column_in(&name_of(slot), column)
}

impl Slot {
    pub(super) fn new(
        (table, time): (&str, &Expr),
        ingested: Option<&Expr>,
        rows: Arc<LogicalPlan>,
    ) -> PlanResult<Slot> {
        let Expr::Column(time) = time else {
            return plan_err!("a time that is no column");
        };
        if times::is_cut(&rows)? {
            return plan_err!("rows that are cut twice");
        }
        // Columns that nothing asks for are filled with nothing.
        for field in rows.schema().fields() {
            ScalarValue::try_new_null(field.data_type())?;
        }
        let time = rows.schema().index_of_column(time)?;
        let last = rows.schema().fields().len();
        let rows = match ingested {
            Some(ingested) => {
                let own = rows.schema().columns().into_iter();
                let mut all: Vec<Expr> = own.map(Expr::Column).collect();
                all.push(ingested.clone().alias(INGESTED));
                let rows = LogicalPlanBuilder::from(rows.as_ref().clone()).project(all)?;
                Arc::new(rows.build()?)
            }
            None => rows,
        };
        let ingested = ingested.map(|_| last);
        let fields = rows.schema().fields().iter().enumerate();
        let fields: Vec<Field> = fields
            .map(|(at, field)| field.as_ref().clone().with_name(field_name(at)))
            .collect();
        Ok(Slot {
            table: table.into(),
            time,
            schema: Arc::new(Schema::new(fields)),
            columns: ingested.into_iter().chain([time]).collect(),
            ingested,
            filter: None,
            moving: Vec::new(),
            rows,
        })
    }

    /// The slot in the place of its rows, whose names it has.
    pub(super) fn place(&self, number: usize) -> PlanResult<LogicalPlan> {
        let source = Place {
            number,
            schema: Arc::clone(&self.schema),
        };
        let own = self.ingested.unwrap_or(self.schema.fields().len());
        let columns = self.rows.schema().iter().enumerate().take(own);
        let columns: Vec<Expr> = columns
            .map(|(at, (qualifier, field))| {
                column_of(number, at).alias_qualified(qualifier.cloned(), field.name())
            })
            .collect();
        LogicalPlanBuilder::scan(name_of(number), Arc::new(source), None)?
            .project(columns)?
            .build()
    }

    /// What a place of the plan asks for: the columns are taken down, and the condition that each row must meet is returned.
    pub(super) fn asked(&mut self, scan: &TableScan) -> PlanResult<Option<Expr>> {
        match &scan.projection {
            Some(columns) => self.columns.extend(columns),
            None => self.columns.extend(0..self.schema.fields().len()),
        }
        let (mut certain, mut moving) = (Vec::new(), Vec::new());
        for filter in &scan.filters {
            for column in filter.column_refs() {
                self.columns.insert(self.schema.index_of(&column.name)?);
            }
            if asks(filter)? || filter.is_volatile() || times::waits(filter)? {
                continue;
            }
            match kql::waits(filter)? {
                true => moving.push(filter.clone()),
                false => certain.push(filter.clone()),
            }
        }
        self.moving.push(moving);
        Ok(conjunction(certain))
    }

    /// Says what each row must meet, whatever the moment.
    pub(super) fn demand(&mut self, filter: Option<Expr>) {
        self.filter = filter;
    }

    /// Whether the places where it stands ask something else of it at the same moment.
    pub(super) fn is_asked_differently(&self) -> bool {
        self.moving.windows(2).any(|pair| pair[0] != pair[1])
    }

    /// Whether this is one of the conditions that wait for the moment.
    pub(super) fn asks_at_a_moment(&self, condition: &Expr) -> bool {
        self.moving.iter().flatten().any(|own| own == condition)
    }

    /// The times of which a row can matter at a moment in ticks, and whether they are all that the moment decides.
    ///
    /// # Errors
    /// When a condition cannot be worked out, which is a fault of coldtrail.
    pub(super) fn at(&self, ticks: i64) -> PlanResult<(TimeRange, bool)> {
        let time = self.schema.field(self.time);
        if !matches!(
            time.data_type(),
            DataType::Timestamp(TimeUnit::Microsecond, _)
        ) {
            return Ok((TimeRange::default(), self.moving.iter().all(Vec::is_empty)));
        }
        let (mut least, mut all) = (None, true);
        for place in &self.moving {
            let mut own = TimeRange::default();
            for condition in place {
                let condition = kql::condition_at(condition.clone(), ticks)?;
                for part in split_conjunction(&condition) {
                    match bound_of(part, time.name()) {
                        Some(bound) => own = own.and(bound),
                        None => all = false,
                    }
                }
            }
            least = Some(match least {
                Some(others) => own.with(others),
                None => own,
            });
        }
        Ok((least.unwrap_or_default(), all))
    }

    /// The columns that it must hold.
    pub(super) fn held(&self) -> PlanResult<SchemaRef> {
        let columns: Vec<usize> = self.columns.iter().copied().collect();
        Ok(Arc::new(self.schema.project(&columns)?))
    }

    /// Where a column is among those that it must hold.
    fn place_held(&self, column: usize) -> usize {
        self.columns.range(..column).count()
    }

    /// Which of the columns that it must hold has the times of the rows, and which those of their ingestion, where these are known of each.
    pub(super) fn times(&self) -> (usize, Option<usize>) {
        let ingested = self.ingested.map(|column| self.place_held(column));
        (self.place_held(self.time), ingested)
    }

    /// Whether it is known of each row when it was ingested.
    pub(super) fn is_recorded(&self) -> bool {
        self.ingested.is_some()
    }

    /// The rows of all times.
    pub(super) fn rows(&self) -> &LogicalPlan {
        &self.rows
    }

    /// Whether another slot is of the same rows.
    pub(super) fn is_of_rows_of(&self, other: &Slot) -> bool {
        self.table == other.table && self.time == other.time && self.rows == other.rows
    }

    /// The columns that it must hold, ascending.
    pub(super) fn columns(&self) -> &BTreeSet<usize> {
        &self.columns
    }

    /// The name of a column of its table.
    pub(super) fn column_name(&self, column: usize) -> &str {
        self.rows.schema().field(column).name()
    }

    /// The name that the column with their time has in conditions.
    pub(super) fn time_name(&self) -> String {
        field_name(self.time)
    }

    /// The table whose rows it is a place for.
    pub(super) fn table(&self) -> &str {
        &self.table
    }

    /// What the rows of these times must meet to be wanted, under the name that they have.
    pub(super) fn wanted(&self, range: TimeRange, name: &TableReference) -> Expr {
        let time = column_in(name, self.time);
        let timed = range.condition(time.clone());
        let timed = timed.unwrap_or_else(|| time.is_not_null());
        match &self.filter {
            Some(filter) => timed.and(under(name, filter.clone())),
            None => timed,
        }
    }

    /// Rows in the place of the slot. Columns that nothing asks for have no values.
    pub(super) fn filled(
        &self,
        number: usize,
        rows: Option<RecordBatch>,
    ) -> PlanResult<LogicalPlan> {
        let rows = rows.into_iter().collect();
        let table = MemTable::try_new(self.held()?, vec![rows])?;
        let columns: Vec<Expr> = (0..self.schema.fields().len())
            .map(|at| {
                if self.columns.contains(&at) {
                    return Ok(column_of(number, at));
                }
                let none = ScalarValue::try_new_null(self.schema.field(at).data_type())?;
                Ok(lit(none).alias_qualified(Some(name_of(number)), field_name(at)))
            })
            .collect::<PlanResult<_>>()?;
        LogicalPlanBuilder::scan(name_of(number), provider_as_source(Arc::new(table)), None)?
            .project(columns)?
            .build()
    }

    /// Rows in the place of a scan of the slot.
    pub(super) fn scanned(
        &self,
        number: usize,
        scan: &TableScan,
        rows: &Arc<Exchanged>,
    ) -> PlanResult<LogicalPlan> {
        let place = |column: &usize| self.place_held(*column);
        let columns: Vec<usize> = match &scan.projection {
            Some(columns) => columns.iter().map(place).collect(),
            None => (0..self.columns.len()).collect(),
        };
        let table = provider_as_source(Arc::new(rows.table()?));
        LogicalPlanBuilder::scan(name_of(number), table, Some(columns))?.build()
    }
}

/// A condition on a slot, on rows of this name.
fn under(name: &TableReference, filter: Expr) -> Expr {
    let renamed = filter.transform_up(|part| {
        Ok(match part {
            Expr::Column(column) => {
                let column = Column::new(Some(name.clone()), column.name);
                Transformed::yes(Expr::Column(column))
            }
            part => Transformed::no(part),
        })
    });
    renamed.expect("a name is put in, which cannot fail").data
}

/// What a condition says of the time in this column, where that is all that it says.
fn bound_of(condition: &Expr, time: &str) -> Option<TimeRange> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else {
        return None;
    };
    let (Expr::Column(column), Expr::Literal(ScalarValue::TimestampMicrosecond(Some(at), _), _)) =
        (left.as_ref(), right.as_ref())
    else {
        return None;
    };
    if column.name != time {
        return None;
    }
    let (from, to) = match op {
        Operator::GtEq => (Some(*at), None),
        Operator::Gt => (Some(at.checked_add(1)?), None),
        Operator::Lt => (None, Some(*at)),
        Operator::LtEq => (None, Some(at.checked_add(1)?)),
        _ => return None,
    };
    Some(TimeRange { from, to })
}

/// Whether an expression asks a query of its own, or the rows around it: these have slots too.
fn asks(expr: &Expr) -> PlanResult<bool> {
    expr.exists(|part| {
        Ok(matches!(
            part,
            Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
        ))
    })
}
