//! Queries over rows that are given to them: the same query over many short windows needs few rows of each, and not the archive every time.
//!
//! Each place where a plan is cut to the times of the question becomes a slot. What the slot must hold is learned from the optimised plan: the
//! columns that it asks for, and conditions that each row must meet, whatever the moment. A query over the rows that meet them gives what it
//! gives over all rows of the same times.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::dataframe::DataFrame;
use datafusion::error::Result as PlanResult;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::utils::{conjunction, disjunction, split_conjunction};
use datafusion::logical_expr::{EmptyRelation, Expr, Filter, LogicalPlan, LogicalPlanBuilder, lit};

use super::again::{Again, Exchanged};
use super::by_time::{Candidates, Gathering};
use super::kql;
use super::memory::Held;
use super::no_rows::gives_none;
use super::one_slot::{Slot, column_in, field_name, name_of, number_of};
use super::options::TimeRange;
use super::session::Session;
use super::times::{self, Sight};
use crate::fault::Result;

/// Fewer rows than this are not worth several threads: to plan for these takes longer than to go through the rows.
const FEW_ROWS: usize = 1 << 16;

/// What the question's moment is for KQL.
type Ticks = fn(i64) -> i64;

/// A query over rows that are given to it.
pub struct Slotted<'s> {
    session: &'s Session,
    /// Of KQL.
    ticks: Option<Ticks>,
    plan: LogicalPlan,
    slots: Vec<Slot>,
    nothing: Nothing,
    /// Whether its answer depends on the moment beyond the rows that pass what slots ask of it.
    moves: bool,
    /// The query over rows of the slots all of which matter, where no more depends on the moment.
    again: Option<Again>,
    /// Why there is none although there could be.
    unplanned: Option<String>,
    /// Whether rows are made when it runs.
    makes_rows: bool,
    /// Where it is run over few rows: by one thread.
    alone: SessionState,
}

/// What a query gives when no slot has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// No row.
    NoRows,
    /// The same at all times.
    Same,
    /// What depends on the moment.
    Depends,
}

impl<'s> Slotted<'s> {
    pub(super) fn of(
        session: &'s Session,
        ticks: Option<Ticks>,
        plan: LogicalPlan,
    ) -> PlanResult<Slotted<'s>> {
        let mut slots: Vec<Slot> = Vec::new();
        let plan = kql::turned(plan, &mut |plan: LogicalPlan| {
            let plan = plan.transform_down_with_subqueries(|node| {
                let LogicalPlan::Filter(filter) = &node else {
                    return Ok(Transformed::no(node));
                };
                let Some((table, time)) = times::cut_of(&filter.predicate) else {
                    return Ok(Transformed::no(node));
                };
                let ingested = times::ingested_of(&filter.predicate);
                let slot = Slot::new((table, time), ingested, Arc::clone(&filter.input))?;
                let place = slot.place(slots.len())?;
                slots.push(slot);
                Ok(Transformed::yes(place))
            })?;
            Ok(plan.data)
        })?;
        let alone = kql::with_threads(session.context.state(), 1);
        let mut slotted = Slotted {
            session,
            ticks,
            plan,
            slots,
            nothing: Nothing::Depends,
            moves: true,
            again: None,
            unplanned: None,
            makes_rows: false,
            alone,
        };
        slotted.makes_rows = !kql::plans_within(&slotted.plan)?.is_empty();
        slotted.learn()?;
        slotted.nothing = slotted.over_no_rows()?;
        Ok(slotted)
    }

    /// Learns what the slots must hold.
    fn learn(&mut self) -> PlanResult<()> {
        let state = self.session.context.state();
        // A slot that stands in the plan several times must hold what one of the places asks for.
        let mut asked: Vec<Vec<Option<Expr>>> = self.slots.iter().map(|_| Vec::new()).collect();
        let mut plans = kql::plans_within(&self.plan)?;
        plans.push(Arc::new(self.plan.clone()));
        let best = plans.iter().map(|plan| state.optimize(plan));
        let mut best = best.collect::<PlanResult<Vec<LogicalPlan>>>()?;
        for plan in &best {
            plan.apply_with_subqueries(|node| {
                if let LogicalPlan::TableScan(scan) = node
                    && let Some(number) = number_of(scan)
                {
                    let condition = self.slots[number].asked(scan)?;
                    asked[number].push(condition);
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        for (slot, places) in self.slots.iter_mut().zip(asked) {
            slot.demand(match places.is_empty() {
                // Nothing of it is asked for.
                true => Some(lit(false)),
                false => places
                    .into_iter()
                    .collect::<Option<Vec<Expr>>>()
                    .and_then(disjunction),
            });
        }
        let mut moves = self.slots.iter().any(Slot::is_asked_differently);
        for plan in &best {
            plan.apply_with_subqueries(|node| {
                moves |= self.is_moved_by(node)?;
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        self.moves = moves;
        if let (false, Some(plan), true) = (moves, best.pop(), best.is_empty()) {
            let plan = self.where_all_matter(plan)?;
            match self.planned_once(plan) {
                Ok(again) => self.again = again,
                // What cannot be planned so is planned for each run, which says what is wrong with it.
                Err(e) => self.unplanned = Some(e.strip_backtrace()),
            }
        }
        Ok(())
    }

    /// The query that this optimised plan is, over the rows that are given to the slots; nothing where it reads others too.
    fn planned_once(&self, plan: LogicalPlan) -> PlanResult<Option<Again>> {
        let given = self.slots.iter().map(Slot::held);
        let given: Vec<Arc<Exchanged>> = given
            .map(|schema| Ok(Exchanged::new(schema?)))
            .collect::<PlanResult<_>>()?;
        let plan = plan.transform_up_with_subqueries(|node| {
            let filled = match &node {
                LogicalPlan::TableScan(scan) => match number_of(scan) {
                    Some(number) => self.slots[number].scanned(number, scan, &given[number])?,
                    None => return Ok(Transformed::no(node)),
                },
                _ => return Ok(Transformed::no(node)),
            };
            Ok(Transformed::yes(filled))
        })?;
        // It was optimised, and once more would not help.
        let bare = SessionStateBuilder::new_from_existing(self.alone.clone())
            .with_analyzer_rules(Vec::new())
            .with_optimizer_rules(Vec::new())
            .build();
        Again::of(self.session, bare, &plan.data, given)
    }

    /// A plan without the conditions that rows meet all of which matter at a moment.
    fn where_all_matter(&self, plan: LogicalPlan) -> PlanResult<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|node| {
            let filter = match node {
                LogicalPlan::Filter(filter) => filter,
                node => return Ok(Transformed::no(node)),
            };
            let all = split_conjunction(&filter.predicate);
            let others = all.iter().filter(|part| !self.is_asked_at_a_moment(part));
            let others: Vec<Expr> = others.map(|part| (*part).clone()).collect();
            if others.len() == all.len() {
                return Ok(Transformed::no(LogicalPlan::Filter(filter)));
            }
            Ok(Transformed::yes(match conjunction(others) {
                Some(others) => LogicalPlan::Filter(Filter::try_new(others, filter.input)?),
                None => Arc::unwrap_or_clone(filter.input),
            }))
        })?;
        Ok(plan.data)
    }

    /// Whether a slot asks this of its rows at a moment.
    fn is_asked_at_a_moment(&self, part: &Expr) -> bool {
        self.slots.iter().any(|slot| slot.asks_at_a_moment(part))
    }

    /// Whether a node depends on the moment, but for conditions that a slot asks of its rows.
    fn is_moved_by(&self, node: &LogicalPlan) -> PlanResult<bool> {
        if let LogicalPlan::TableScan(scan) = node
            && number_of(scan).is_some()
        {
            // Its conditions stand in the plan too.
            return Ok(false);
        }
        let mut moves = false;
        node.apply_expressions(|expr| {
            let parts = match node {
                LogicalPlan::Filter(_) => split_conjunction(expr),
                _ => vec![expr],
            };
            for part in parts {
                moves |= waits(part)? && !self.is_asked_at_a_moment(part);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(moves)
    }

    /// What the query gives when no slot has a row.
    fn over_no_rows(&self) -> PlanResult<Nothing> {
        let plan = kql::turned(self.plan.clone(), &mut |plan: LogicalPlan| {
            let plan = plan.transform_up_with_subqueries(|node| {
                let schema = match &node {
                    LogicalPlan::TableScan(scan) if number_of(scan).is_some() => {
                        Arc::clone(&scan.projected_schema)
                    }
                    _ => return Ok(Transformed::no(node)),
                };
                Ok(Transformed::yes(LogicalPlan::EmptyRelation(
                    EmptyRelation {
                        produce_one_row: false,
                        schema,
                    },
                )))
            })?;
            Ok(plan.data)
        })?;
        let state = self.session.context.state();
        let mut best = vec![state.optimize(&plan)?];
        if gives_none(&best[0]) {
            return Ok(Nothing::NoRows);
        }
        for within in kql::plans_within(&best[0])? {
            best.push(state.optimize(&within)?);
        }
        let mut depends = false;
        for plan in &best {
            plan.apply_with_subqueries(|node| {
                node.apply_expressions(|expr| {
                    depends |= waits(expr)?;
                    Ok(TreeNodeRecursion::Continue)
                })
            })?;
        }
        Ok(match depends {
            true => Nothing::Depends,
            false => Nothing::Same,
        })
    }

    /// How many slots it has.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How much later than they happen the events of a slot are ingested, in microseconds.
    pub fn late(&self, slot: usize) -> i64 {
        self.session.late.of(self.slots[slot].table())
    }

    /// What it gives when no slot has a row.
    pub fn nothing(&self) -> Nothing {
        self.nothing
    }

    /// The times of the events of a slot that are in a window and were ingested in a time; where that is known of each by itself, of those that may
    /// have been.
    pub fn seen(&self, slot: usize, window: TimeRange, ingested: TimeRange) -> TimeRange {
        let sight = Sight {
            range: self.session.range.and(window),
            ingested: self.session.ingested.and(ingested),
            late: &self.session.late,
        };
        let slot = &self.slots[slot];
        match slot.is_recorded() {
            true => sight.until_ingested(),
            false => sight.of(slot.table()),
        }
    }

    /// The same, without those that cannot matter at a moment in microseconds; and whether all that is left matters.
    ///
    /// # Errors
    /// When a condition cannot be worked out, which is a fault of coldtrail.
    pub fn seen_at(
        &self,
        slot: usize,
        window: TimeRange,
        ingested: TimeRange,
        now: i64,
    ) -> Result<(TimeRange, bool)> {
        let seen = self.seen(slot, window, ingested);
        let Some(ticks) = self.ticks else {
            return Ok((seen, true));
        };
        let (matter, all) = self.slots[slot].at(ticks(now))?;
        Ok((seen.and(matter), all))
    }

    /// Whether two runs that see the same rows, all of which matter, can have different answers.
    pub fn moves(&self) -> bool {
        self.moves
    }

    /// Why it is planned anew for each run although no run needs that.
    pub fn unplanned(&self) -> Option<&str> {
        self.unplanned.as_deref()
    }

    /// Reads the rows of a slot that can matter, of these times. Of more than so many bytes only their times are kept.
    ///
    /// # Errors
    /// When they cannot be read, or when there is no memory for their times.
    pub fn read(&self, slot: usize, range: TimeRange, most: usize) -> Result<Candidates> {
        let mut gathering = self.gathering(slot, most)?;
        let frame = self.candidates(slot, range)?;
        self.session
            .stream(frame, |batch| gathering.add(batch.columns()))?;
        gathering.finish()
    }

    /// Takes up rows of a slot, which have the columns that it must hold.
    pub(super) fn gathering(&self, slot: usize, most: usize) -> Result<Gathering> {
        let of = &self.slots[slot];
        let room = self.session.room().reserve("the rows of a replay");
        Ok(Gathering::new(of.held()?, of.times(), most, room))
    }

    /// The rows of a slot that can matter, as a query.
    fn candidates(&self, slot: usize, range: TimeRange) -> Result<DataFrame> {
        let of = &self.slots[slot];
        let name = name_of(slot);
        let filter = of.wanted(range, &name);
        let columns = of.columns().iter();
        let columns: Vec<Expr> = columns.map(|at| column_in(&name, *at)).collect();
        let plan = self.all_rows(slot, &name)?.filter(filter)?;
        let plan = plan.project(columns)?.build()?;
        Ok(DataFrame::new(self.session.context.state(), plan))
    }

    /// All rows of a slot, under a name.
    pub(super) fn all_rows(
        &self,
        slot: usize,
        name: &TableReference,
    ) -> Result<LogicalPlanBuilder> {
        let rows = self.slots[slot].rows().clone();
        let rows = times::bind(rows, self.session.sight(), self.session.now)?;
        let named = rows.schema().iter().enumerate();
        let named: Vec<Expr> = named
            .map(|(at, (qualifier, field))| {
                let own = Column::new(qualifier.cloned(), field.name());
                Expr::Column(own).alias_qualified(Some(name.clone()), field_name(at))
            })
            .collect();
        Ok(LogicalPlanBuilder::from(rows).project(named)?)
    }

    /// A slot of it.
    pub(super) fn slot(&self, number: usize) -> &Slot {
        &self.slots[number]
    }

    /// Whose rows it reads.
    pub(super) fn session(&self) -> &'s Session {
        self.session
    }

    /// What the query gives over few rows, of each slot, all of which matter; nothing where it must be planned for them: they are many, or it
    /// depends on more than them.
    ///
    /// # Errors
    /// When it fails.
    pub fn of_few(&mut self, rows: &[Option<RecordBatch>]) -> Result<Option<Held>> {
        match &mut self.again {
            Some(again) if is_few(rows) => again.run(self.session, rows).map(Some),
            _ => Ok(None),
        }
    }

    /// The query over these rows, of each slot, at a moment in microseconds.
    ///
    /// # Errors
    /// When DataFusion refuses a node, which is a fault of coldtrail.
    pub fn over(&self, rows: &[Option<RecordBatch>], now: i64) -> Result<DataFrame> {
        let sight = self.session.sight();
        let plan = kql::turned(self.plan.clone(), &mut |plan: LogicalPlan| {
            let filled = plan.transform_up_with_subqueries(|node| {
                let number = match &node {
                    LogicalPlan::TableScan(scan) => number_of(scan),
                    _ => None,
                };
                let Some(number) = number else {
                    return Ok(Transformed::no(node));
                };
                let rows = rows.get(number).cloned().flatten();
                Ok(Transformed::yes(self.slots[number].filled(number, rows)?))
            })?;
            let plan = match self.ticks {
                Some(ticks) => kql::settle(filled.data, ticks(now))?,
                None => filled.data,
            };
            times::bind(plan, sight, Some(now))
        })?;
        let state = match is_few(rows) {
            true => self.alone.clone(),
            false => self.session.context.state(),
        };
        let state = match self.makes_rows {
            true => kql::state_of(state),
            false => state,
        };
        Ok(DataFrame::new(state, plan))
    }
}

/// Whether rows are not worth several threads.
fn is_few(rows: &[Option<RecordBatch>]) -> bool {
    let number_of_rows = rows.iter().flatten().map(RecordBatch::num_rows);
    number_of_rows.sum::<usize>() < FEW_ROWS
}

/// Whether what an expression gives is not known before the moment is, or is another one each time.
fn waits(expr: &Expr) -> PlanResult<bool> {
    Ok(expr.is_volatile() || times::waits(expr)? || kql::waits(expr)?)
}
