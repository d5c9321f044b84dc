//! A query while it is lowered: what its names stand for, and what was found out on the way.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryReservation;

use super::columns;
use super::failure::Empty;
use super::known::Known;
use super::lowered::Parts;
use super::native::Awaited;
use super::needs::Needs;
use super::options::Options;
use super::relation::{Fields, Relation};
use crate::catalog::TYPE;
use crate::engine::Session;
use crate::function::Env;
use crate::function::value::{Type, Value};
use crate::kql::ast;
use crate::kql::eval::Compiled;
use crate::kql::mentions::Mentions;
use crate::kql::span::Fault;

/// What a `let` name stands for.
#[derive(Clone)]
pub(super) enum Binding {
    Scalar(Value, Type),
    /// A scalar that is worked out where it stands: its value is not known before the query runs, or says less than how it is made.
    Awaited(Compiled),
    Table(Relation),
    Function(Arc<ast::Function>),
    /// What it stands for is wrong, and that has been told.
    Broken,
}

/// Lowers one query.
pub(super) struct Lower<'s> {
    pub(super) session: &'s Session,
    /// What the plan needs first, as far as that is known.
    pub(super) known: Known,
    /// Phases that were asked for.
    pub(super) phases: usize,
    /// Whether one of them has no rows yet.
    pub(super) waits: bool,
    /// Random values that were asked for.
    pub(super) draws: Cell<usize>,
    pub(super) options: &'s Options,
    /// The text of the query, and of the functions that it may call.
    pub(super) text: String,
    pub(super) env: Env,
    /// What the query asks for and is not there.
    pub(super) needs: Needs,
    /// The tables of the archive that it asks, where that is checked.
    pub(super) asked: BTreeSet<String>,
    /// The first table that the query reads, where no archive was named.
    pub(super) unread: Option<String>,
    /// Names that stand for nothing, where columns are that nobody knows.
    pub(super) unknown: BTreeSet<String>,
    /// Those of an attempt before this one: columns of these names are taken to be there.
    pub(super) expected: BTreeSet<String>,
    /// Whether a table that is not there is passed over: in `union isfuzzy=true`.
    pub(super) fuzzy: bool,
    /// Subqueries that are not run while the query is planned.
    pub(super) awaited: Vec<Awaited>,
    /// What the query names.
    pub(super) mentions: Arc<Mentions>,
    /// Only columns that the query names can be seen.
    pub(super) narrow: bool,
    /// Whether that is so in a subquery that ends in columns which it names, whatever is around it.
    pub(super) narrows: bool,
    /// All tables have a column with their name: it is asked for, or one of them is no more than another.
    pub(super) types: bool,
    /// What is made when the query runs, and of which rows.
    pub(super) made_of: Parts,
    /// Plugins whose columns are those of the rows, and that had none.
    pub(super) empty: Vec<Empty>,
    /// The memory of what is worked out to plan it.
    pub(super) room: MemoryReservation,
    /// What is to be said beside the answer.
    pub(super) notes: Vec<String>,
    /// Lowered for no moment, the plan depends on the times of the question in a way that it does not hold.
    pub(super) needs_times: bool,
    /// The name that `as` gave to the rows at hand.
    pub(super) label: Option<String>,
    /// Rows of an answer, at most.
    pub(super) most: Option<usize>,
    /// Faults of the text: what has one in it is not looked at.
    pub(super) syntax: &'s [Fault],
    pub(super) fields: Fields,
    pub(super) names: Vec<HashMap<String, Binding>>,
    /// The rows at hand, inside `mv-apply` and the like.
    pub(super) context: Vec<Relation>,
    /// Calls of functions that the rows at hand stand in.
    pub(super) depth: usize,
}

impl<'s> Lower<'s> {
    pub(super) fn new(
        session: &'s Session,
        text: &str,
        mentions: Arc<Mentions>,
        syntax: &'s [Fault],
        options: &'s Options,
    ) -> Self {
        let texts = std::iter::once(text).chain(options.functions.iter().map(|f| f.text.as_str()));
        let saved = options.functions.iter().map(|f| {
            let function = Binding::Function(Arc::clone(&f.function));
            (f.name.clone(), function)
        });
        Lower {
            session,
            known: Known::default(),
            phases: 0,
            waits: false,
            draws: Cell::new(0),
            options,
            text: texts.collect(),
            env: Env {
                now: options.now,
                geography: options.geography.clone(),
            },
            needs: Needs::default(),
            asked: BTreeSet::new(),
            unread: None,
            unknown: BTreeSet::new(),
            expected: BTreeSet::new(),
            fuzzy: false,
            awaited: Vec::new(),
            mentions,
            narrow: false,
            narrows: false,
            types: columns::asks_for(text, TYPE)
                || options
                    .functions
                    .iter()
                    .any(|f| columns::asks_for(&f.text, TYPE)),
            made_of: Vec::new(),
            empty: Vec::new(),
            room: session.room().reserve("rows of the query"),
            notes: Vec::new(),
            needs_times: false,
            label: None,
            most: None,
            syntax,
            fields: Fields::default(),
            names: vec![saved.collect(), HashMap::new()],
            context: Vec::new(),
            depth: 0,
        }
    }
}
