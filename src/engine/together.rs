//! The rows of the slots of several queries, those of one table in one pass: rules of a hunt mostly ask the same few tables.
//!
//! A pass reads the rows that at least one of its slots wants, with a mark for each slot, and deals them out. It is never needed: a slot that gets
//! nothing of it can be read by itself.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::compute::filter_record_batch;
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::{conjunction, disjunction, split_conjunction};

use super::by_time::{Candidates, Gathering};
use super::one_slot::{Slot, column_in, field_name};
use super::options::TimeRange;
use super::slots::Slotted;
use crate::catalog::{Kusto, catalog};
use crate::fault::{Error, Result};

/// Slots of a pass, at most: each is a condition that every row of the table is held against.
const OF_A_PASS: usize = 16;

/// A slot of a query whose rows are wanted.
pub struct Wanted<'q, 's> {
    /// The query.
    pub query: &'q Slotted<'s>,
    /// The number of the slot.
    pub slot: usize,
    /// Of which times.
    pub range: TimeRange,
    /// Bytes of its rows that are kept. Of more, only the times are.
    pub most: usize,
}

impl<'q> Wanted<'q, '_> {
    fn slot(&self) -> &'q Slot {
        self.query.slot(self.slot)
    }

    /// Whether one pass can read both, and reads no more of what is long than both by themselves.
    fn goes_with(&self, other: &Wanted<'_, '_>) -> bool {
        let (own, other) = (self.slot(), other.slot());
        own.is_of_rows_of(other) && long(own) == long(other)
    }

    /// What a row must meet to be read: all that is asked of it but for conditions on what is long, which only rows that pass the others are held
    /// against.
    fn first(&self, condition: &Expr) -> Expr {
        let slot = self.slot();
        let (long, time) = (long(slot), slot.time_name());
        let parts = split_conjunction(condition).into_iter();
        let short: Vec<&Expr> = parts
            .filter(|part| !part.column_refs().iter().any(|c| long.contains(&c.name)))
            .collect();
        let says_more = |part: &&Expr| part.column_refs().iter().any(|c| c.name != time);
        let first = match short.iter().any(says_more) {
            true => conjunction(short.into_iter().cloned()),
            false => None,
        };
        first.unwrap_or_else(|| condition.clone())
    }
}

/// The columns of a slot that are long: whole records and other JSON.
fn long(slot: &Slot) -> BTreeSet<String> {
    let table = catalog().get(slot.table());
    let columns = slot.columns().iter().copied();
    let long = columns.filter(|at| {
        let kusto = table.and_then(|table| table.kusto(slot.column_name(*at)));
        kusto == Some(Kusto::Dynamic)
    });
    long.map(field_name).collect()
}

/// Reads the rows of slots, and keeps no more than so many bytes of them in all. Slots that are alone in asking for a table get nothing, nor do those
/// for which there is no room, nor those of a pass that fails or takes longer than it may: what is wrong is told when they are read by themselves.
pub fn read_together(
    wanted: &[Wanted<'_, '_>],
    most: usize,
    limit: Option<Duration>,
) -> Vec<Option<Candidates>> {
    let mut passes: Vec<Vec<usize>> = Vec::new();
    for (number, one) in wanted.iter().enumerate() {
        let takes = |pass: &&mut Vec<usize>| {
            let first = pass.first().and_then(|first| wanted.get(*first));
            pass.len() < OF_A_PASS && first.is_some_and(|first| one.goes_with(first))
        };
        match passes.iter_mut().find(takes) {
            Some(pass) => pass.push(number),
            None => passes.push(vec![number]),
        }
    }
    let mut left = most;
    let mut all: Vec<Option<Candidates>> = wanted.iter().map(|_| None).collect();
    for pass in passes.iter().filter(|pass| pass.len() > 1) {
        let of_pass: Vec<&Wanted<'_, '_>> = pass.iter().map(|at| &wanted[*at]).collect();
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let Ok(read) = one_pass(&of_pass, &mut left, until) else {
            continue;
        };
        for (at, candidates) in pass.iter().zip(read) {
            all[*at] = candidates;
        }
    }
    all
}

/// The rows of slots of one table.
fn one_pass(
    pass: &[&Wanted<'_, '_>],
    left: &mut usize,
    until: Option<Instant>,
) -> Result<Vec<Option<Candidates>>> {
    let name = TableReference::bare("rows");
    let slots: Vec<&Slot> = pass.iter().map(|one| one.slot()).collect();
    let columns = slots.iter().flat_map(|slot| slot.columns().iter().copied());
    let columns: BTreeSet<usize> = columns.collect();
    let conditions = pass.iter().zip(&slots);
    let conditions: Vec<Expr> = conditions
        .map(|(one, slot)| slot.wanted(one.range, &name))
        .collect();
    let firsts = pass.iter().zip(&conditions);
    let any = disjunction(firsts.map(|(one, condition)| one.first(condition)));
    let (Some(first), Some(any)) = (pass.first(), any) else {
        return Ok(Vec::new());
    };
    let marks = conditions.into_iter().enumerate();
    let marks = marks.map(|(number, condition)| condition.alias(format!("m{number}")));
    let own = columns.iter().map(|at| column_in(&name, *at));
    let asked: Vec<Expr> = own.chain(marks).collect();
    let plan = first.query.all_rows(first.slot, &name)?.filter(any)?;
    let plan = plan.project(asked)?.build()?;
    // Where the columns of each slot are among all.
    let places = slots.iter().map(|slot| {
        let own = columns.iter().enumerate();
        let own = own.filter(|(_, column)| slot.columns().contains(*column));
        own.map(|(place, _)| place).collect()
    });
    let places: Vec<Vec<usize>> = places.collect();
    let begun = pass
        .iter()
        .map(|one| one.query.gathering(one.slot, one.most));
    let mut gathering: Vec<Option<Gathering>> =
        begun.map(|one| one.map(Some)).collect::<Result<_>>()?;
    let session = first.query.session();
    let frame = DataFrame::new(session.context().state(), plan);
    session.stream(frame, |batch| {
        if until.is_some_and(|until| Instant::now() > until) {
            return Err(Error::Query("a pass that takes too long".into()));
        }
        for (number, place) in gathering.iter_mut().enumerate() {
            let mark = batch.column(columns.len() + number).as_boolean();
            let Some(own) = place.as_mut().filter(|_| mark.true_count() > 0) else {
                continue;
            };
            let before = own.size();
            let rows = batch.project(&places[number])?;
            own.add(filter_record_batch(&rows, mark)?.columns())?;
            // It may have become less: of too many only the times are kept.
            let (with, size) = (*left + before, own.size());
            *left = match with.checked_sub(size) {
                Some(left) => left,
                None => {
                    *place = None;
                    with
                }
            };
        }
        Ok(())
    })?;
    gathering
        .into_iter()
        .map(|one| one.map(Gathering::finish).transpose())
        .collect()
}
