//! KQL on DataFusion: each tabular operator takes a plan and gives a plan; scalars are what [`crate::function`] says.
//!
//! - `arrays`: Kusto's scalars in Arrow's columns; `outside`: columns of other tools in Kusto's types.
//! - `transcode`: functions of one column, between what is stored, Kusto and an output.
//! - `native`: expressions column by column, in DataFusion's own terms where they mean the same; `path`, `matching`: JSON paths and string
//!   operators on whole columns; `prune`: conditions by which files are passed over.
//! - `row`: expressions row by row, and aggregates, as functions of DataFusion.
//! - `relation`: a table on its way through a query; `columns`: which of its columns the query can show.
//! - `lower`: a query while it is lowered, `lowered`: what comes of it, `failure`: why nothing comes of it, `options`: how it is asked.
//! - `statement`, `scalar`, `source`: what names mean, scalars with their subqueries, and where rows come from; `invoke`: functions that give
//!   a table; `phases`: what a plan needs first, which is run outside of lowering, and `known` holds.
//! - `operator`, `sort`, `union`, `join`, `group`, `expand`, `parts`, `materialise`, `parse`, `plugin`, `search`, `series`, `window`, `external`: the
//!   tabular operators; `later`: rows that are made when the query runs, as nodes of its plan; `newest`: whole rows by `arg_max`, found by keys and
//!   times first.
//! - `deferred`: expressions that wait for the instant of the question; `open`: queries whose instant is left open.
//! - `state`: values of aggregates on their way between threads.
//! - `library`, `places`: saved functions of a folder, and where addresses are; `missing`, `needs`: what a query asks for and is not there.
//! - `shown`: an answer as an output has it; `explain`: what a query is in SQL.
//!
//! What is not supported is refused by name, with its place; nothing is left out in silence.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::session_state::SessionState;

use super::{Session, Source, memory};
use crate::fault::{Error, Result};
use crate::function::Env;
use crate::kql;
use crate::kql::mentions::Mentions;
use crate::kql::span::{Fault, Missing};
use failure::{Empty, Failure, Gathered};
use known::{Answers, Known};
use later::{Rows, Store};
use lower::Lower;
use lowered::{Lowered, Made, Making};

mod arrays;
mod calls;
mod capture;
mod columns;
mod deferred;
mod expand;
mod explain;
mod external;
mod failure;
mod group;
mod grouped;
mod invoke;
mod join;
mod kept;
mod known;
mod later;
mod library;
mod lifted;
mod lower;
mod lowered;
mod matching;
mod materialise;
mod missing;
mod native;
mod needs;
mod newest;
mod open;
mod operator;
mod options;
mod outside;
mod parse;
mod parts;
mod path;
mod phases;
mod places;
mod plugin;
mod prune;
mod relation;
mod row;
mod scalar;
mod search;
mod series;
mod several;
mod shown;
mod sort;
mod source;
mod state;
mod statement;
#[cfg(test)]
mod tests;
mod transcode;
mod union;
mod window;

pub use library::functions;
pub use needs::Needs;
pub use options::{Answer, Checked, Options, Purpose, Verdict};
pub use places::geography;
pub use shown::Planned;

pub(super) use materialise::row_by_row;

pub(super) use deferred::{condition_at, settle, waits};
pub(super) use later::{plans_within, state_of, turned, with_threads};
pub(super) use open::Opening;
pub(super) use shown::is_sorted;

/// Runs a query that reads no archive.
///
/// # Errors
/// When the query is wrong, not supported, or fails.
pub fn run(query: &str, options: &Options) -> Result<Answer> {
    let session = Session::open(
        Source::Memory(Vec::new()),
        &super::Options {
            files: options.tables.clone(),
            ..super::Options::default()
        },
    )?;
    session.kql(query, options)
}

impl Session {
    /// Runs a KQL query. The tables of the options were named when the session was opened.
    ///
    /// # Errors
    /// When the query is wrong, not supported, or fails.
    pub fn kql(&self, query: &str, options: &Options) -> Result<Answer> {
        self.kql_rows(query, options)
            .map_err(|failure| failure.told(query))
    }

    /// Whether a KQL query would run, and what it needs that is not here. Nothing of it is run, and no row is read, but
    /// for the names of a workspace's own tables, which stand among those of no known table.
    pub fn kql_check(&self, query: &str, options: &Options) -> Checked {
        let options = Options {
            purpose: Purpose::Check,
            ..options.clone()
        };
        let (tree, syntax) = kql::parse(query);
        let mentions = Arc::new(Mentions::of(&tree, &options.functions));
        let mut lower = Lower::new(self, query, mentions, &syntax, &options);
        let mut columns = None;
        let verdict = match lower.query(&tree) {
            Ok(relation) => {
                let names = relation.columns.into_iter().map(|c| c.name);
                let names: Vec<String> = names.collect();
                // A column of the engine's own stands for those that nobody knows.
                columns = (!names.iter().any(|name| name.starts_with('\0'))).then_some(names);
                Verdict::Runs
            }
            Err(Failure::Faults(mut faults)) => {
                // Columns that the data may have are unknown, and not wrong.
                faults.retain(|f| f.missing != Some(Missing::Open));
                match faults.is_empty() {
                    true => Verdict::DependsOnData,
                    false => Verdict::Refused(faults),
                }
            }
            Err(failure) => {
                let why = failure.told(query).to_string();
                Verdict::Refused(vec![Fault::new(kql::Span::default(), why)])
            }
        };
        let (needs, asked) = (lower.needs, lower.asked);
        Checked {
            verdict,
            needs,
            asked,
            columns,
        }
    }

    fn lowered(&self, query: &str, options: &Options) -> Result<Lowered, Failure> {
        self.lowered_with(
            query,
            options,
            &|phase, room, state| match options.purpose {
                // What is lowered for no moment has no rows yet.
                Purpose::Run if options.now != Env::OPEN => {
                    Ok(self.rows_of(phase, room, state)?.rows)
                }
                _ => Err(Failure::Engine(Failure::unrun())),
            },
        )
    }

    /// Lowers a query, again and again until all phases that its plan needs are known.
    fn lowered_with(
        &self,
        query: &str,
        options: &Options,
        answers: &Answers<'_>,
    ) -> Result<Lowered, Failure> {
        let (tree, faults) = kql::parse(query);
        let mentions = Arc::new(Mentions::of(&tree, &options.functions));
        let narrows = columns::names_all(&mentions);
        let narrow = columns::names_its_columns(&tree, &mentions);
        let (store, state) = Store::of(self.context().state());
        let room = self.room().reserve("rows of the query");
        let attempt = |narrows: bool, expected: &BTreeSet<String>, known: &mut Known| loop {
            let mentions = Arc::clone(&mentions);
            let mut lower = Lower::new(self, query, mentions, &faults, options);
            (lower.narrow, lower.narrows) = (narrows && narrow, narrows);
            lower.expected.clone_from(expected);
            lower.known = std::mem::take(known);
            let outcome = lower.query(&tree);
            *known = std::mem::take(&mut lower.known);
            let phases = known.take_wanted();
            if !matches!(outcome, Err(Failure::Needs)) {
                break Ok((outcome, lower));
            }
            if phases.is_empty() {
                break Err(Failure::Engine(Failure::unrun()));
            }
            drop(lower);
            let rows = phases.iter().map(|phase| answers(phase, &room, &state));
            match rows.collect::<Result<Vec<Rows>, Failure>>() {
                Ok(rows) => rows.into_iter().for_each(|rows| known.add(rows)),
                Err(failure) => break Err(failure),
            }
        };
        // Without columns that the query does not name, and with them: the phases of the one may have others than those of the other.
        let (mut narrow_known, mut wide_known) = (Known::default(), Known::default());
        // Names of columns that only the data could have: found in one attempt, there in the next one.
        let mut expected = BTreeSet::new();
        loop {
            let (mut outcome, mut lower) = attempt(narrows, &expected, &mut narrow_known)?;
            if narrows && matches!(outcome, Err(Failure::Faults(_))) {
                // What is wrong is told with all columns in view.
                (outcome, lower) = attempt(false, &expected, &mut wide_known)?;
            }
            let known = expected.len();
            expected.append(&mut lower.unknown);
            if options.purpose != Purpose::Run && expected.len() > known {
                continue;
            }
            if outcome.is_err() {
                // What could not be looked up in time seems not to be there.
                self.may_go_on()?;
            }
            let mut relation = outcome.map_err(|failure| failure.after(&lower.empty))?;
            if let Some(name) = lower.unread {
                let message = format!("`{name}` needs an archive: -a DIR");
                return Err(Failure::Engine(Error::Usage(message)));
            }
            // Columns of the engine's own, which stand for those that nobody knows.
            relation.columns.retain(|c| !c.name.starts_with('\0'));
            store.keep_for(&relation.plan)?;
            lower.room.try_grow(room.free())?;
            return Ok(Lowered {
                relation,
                parts: lower.made_of,
                awaited: lower.awaited,
                empty: lower.empty,
                room: lower.room,
                state,
                notes: lower.notes,
                needs_times: lower.needs_times,
            });
        }
    }

    fn kql_rows(&self, query: &str, options: &Options) -> Result<Answer, Failure> {
        let lowered = self.lowered(query, options)?;
        self.rows_of(&lowered.relation, &lowered.room, &lowered.state)
    }

    /// The rows of a relation, which take their part of the memory.
    fn rows_of(
        &self,
        relation: &relation::Relation,
        room: &MemoryReservation,
        state: &SessionState,
    ) -> Result<Answer, Failure> {
        // Columns that an operator dropped are still in the plan.
        let columns: Vec<datafusion::logical_expr::Expr> = relation
            .columns
            .iter()
            .map(relation::Column::expr)
            .collect();
        let plan = match columns.is_empty() {
            true => relation.plan.as_ref().clone(),
            false => relation.builder().project(columns)?.build()?,
        };
        let plan = self.bound(plan)?;
        self.may_go_on()?;
        let frame = DataFrame::new(state.clone(), plan);
        let own = self.room();
        let held = self.run(async move { memory::collect(frame, "rows", &own).await })?;
        let mut rows = Vec::new();
        for batch in &held.batches {
            room.try_grow(arrays::weight(batch))?;
            for r in 0..batch.num_rows() {
                rows.push(
                    relation
                        .columns
                        .iter()
                        .zip(batch.columns())
                        .map(|(c, array)| arrays::value(array, r, c.ty))
                        .collect(),
                );
            }
        }
        Ok(Answer {
            columns: relation.schema(),
            rows,
        })
    }
}
