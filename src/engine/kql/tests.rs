//! Lowering reads schemas and nothing else, from several threads at once, and gives one plan for one text.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;

use super::later::Rows;
use super::relation::Relation;
use super::{Answers, Failure, Lowered, Options, Purpose, Verdict};
use crate::catalog::catalog;
use crate::engine::{self, Session, Source};
use crate::function::value::{Type, UNIX_EPOCH_TICKS, Value};

/// Stack of a thread that plans, in bytes.
const STACK: usize = 8 << 20;

/// In ticks.
const DAY: i64 = 86_400 * 10_000_000;
const NOW: i64 = UNIX_EPOCH_TICKS + 20_000 * DAY;

/// A table that nobody may read.
#[derive(Debug)]
struct Unread(SchemaRef);

#[async_trait]
impl TableProvider for Unread {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn datafusion::catalog::Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        panic!("a table is read")
    }
}

/// A session whose tables all seem to have rows. Which tables of a workspace's own there are stands in the rows of one, which has none.
fn session() -> Session {
    let options = engine::Options::default();
    let session = Session::open(Source::Memory(Vec::new()), &options).expect("a session");
    for table in catalog().tables().filter(|t| t.name != "OtherRecords") {
        let unread = Arc::new(Unread(table.schema()));
        let put = session.stored.put(table, unread, true);
        put.expect("another table");
    }
    session
}

fn options(purpose: Purpose) -> Options {
    Options {
        now: NOW,
        purpose,
        ..Options::default()
    }
}

const QUERIES: [&str; 16] = [
    "CloudAppEvents | where TimeGenerated > ago(1d) | summarize count() by ActionType, bin(TimeGenerated, 1h)",
    "let newest = toscalar(LabelEvents | summarize max(TimeGenerated)); UnifiedAuditLog | where TimeGenerated > newest | count",
    "let n = toscalar(CloudAppEvents | count); range x from 1 to n step 1 | take n",
    "SigninLogs | where UserPrincipalName in (CloudAppEvents | distinct AccountDisplayName) | project UserPrincipalName",
    "let oldest = toscalar(CloudAppEvents | summarize min(TimeGenerated)); \
     CloudAppEvents | make-series n = count() on TimeGenerated from oldest to now() step 1d",
    "CloudAppEvents | evaluate pivot(ActionType)",
    "UnifiedAuditLog | evaluate bag_unpack(AuditData)",
    "CloudAppEvents | partition by ActionType (sort by TimeGenerated | extend p = prev(TimeGenerated))",
    "let T = materialize(CloudAppEvents | where ActionType has 'Label'); \
     T | join kind=inner (T | summarize count() by AccountObjectId) on AccountObjectId | count",
    "CloudAppEvents | mv-expand m = RawEventData.Members | count",
    "CloudAppEvents | mv-apply m = RawEventData.Members on (top 1 by tostring(m)) | count",
    "CloudAppEvents | mv-apply m = RawEventData.Members on (summarize n = count()) | summarize sum(n)",
    "union CloudAppEvents, OfficeActivity | count",
    "search in (CloudAppEvents) 'x' | count",
    "CloudAppEvents | sort by TimeGenerated asc | extend p = prev(AccountObjectId), n = row_number() \
     | where p != AccountObjectId | project n",
    "CloudAppEvents | extend x = column_ifexists('Nothing', '') | where x == '' | count",
];

#[test]
fn a_query_is_checked_and_planned_without_reading_a_table_by_two_threads_at_once() {
    let session = session();
    let all = || {
        for query in QUERIES {
            let checked = session.kql_check(query, &options(Purpose::Check));
            assert!(
                !matches!(checked.verdict, Verdict::Refused(_)),
                "{query}: {checked:?}"
            );
            for purpose in [Purpose::Plan, Purpose::Explain] {
                let planned = session.kql_plan(query, &options(purpose));
                assert!(planned.is_ok(), "{query}: {:?}", planned.err());
            }
        }
    };
    on_threads(2, all);
}

/// One row for a phase, which is not run.
fn one_row(phase: &Relation) -> Result<Rows, Failure> {
    let cell = |(_, ty): (String, Type)| match ty {
        Type::Long => Value::Long(3),
        Type::String => Value::from("a"),
        Type::DateTime => Value::DateTime(NOW - 10 * DAY),
        _ => Value::Null,
    };
    Ok(vec![phase.schema().into_iter().map(cell).collect()])
}

/// Lowers a query to be run, from what its phases give.
fn lowered(session: &Session, query: &str) -> Result<Lowered, Failure> {
    let answers: &Answers<'_> = &|phase, _, _| one_row(phase);
    session.lowered_with(query, &options(Purpose::Run), answers)
}

/// Does something on threads that have room for plans.
fn on_threads(threads: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, &work).expect("a thread");
        }
    });
}

#[test]
fn a_query_is_lowered_to_be_run_from_what_its_phases_give_by_two_threads_at_once() {
    let session = session();
    on_threads(2, || {
        for query in QUERIES {
            let lowered = lowered(&session, query);
            assert!(lowered.is_ok(), "{query}: {:?}", lowered.err());
        }
    });
}

#[test]
fn a_plugin_whose_columns_are_known_needs_no_rows_first() {
    let session = session();
    for query in [
        "CloudAppEvents | project ActionType, AccountObjectId | evaluate narrow()",
        "CloudAppEvents | evaluate activity_counts_metrics(AccountObjectId, TimeGenerated, ago(7d), now(), 1d)",
    ] {
        let answers: &Answers<'_> = &|_, _, _| panic!("a phase is run");
        let lowered = session.lowered_with(query, &options(Purpose::Run), answers);
        assert!(lowered.is_ok(), "{query}: {:?}", lowered.err());
    }
}

#[test]
fn each_phase_is_run_once_however_often_the_query_is_lowered() {
    let session = session();
    let query = "let a = toscalar(CloudAppEvents | count); let b = toscalar(LabelEvents | where Action == tostring(a) | count); \
                 CloudAppEvents | where ActionType in (CloudAppEvents | take a | project ActionType) | where AccountObjectId has tostring(b)";
    on_threads(1, || {
        let runs = Cell::new(0);
        let answers: &Answers<'_> = &|phase, _, _| {
            runs.set(runs.get() + 1);
            one_row(phase)
        };
        let lowered = session.lowered_with(query, &options(Purpose::Run), answers);
        assert!(lowered.is_ok(), "{:?}", lowered.err());
        assert_eq!(runs.get(), 3);
    });
}

fn plan(session: &Session, query: &str) -> Arc<LogicalPlan> {
    let lowered = lowered(session, query);
    let lowered = lowered.unwrap_or_else(|e| panic!("{query}: {e:?}"));
    lowered.relation.plan
}

fn hash(plan: &LogicalPlan) -> u64 {
    let mut hasher = DefaultHasher::new();
    plan.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn one_text_has_one_plan() {
    let session = session();
    on_threads(1, || {
        let more = [
            "CloudAppEvents | where RawEventData.Operation == 'x' | summarize count() by ActionType",
            "CloudAppEvents | where TimeGenerated > ago(1d) and ActionType in ('a', 'b') | project ActionType",
        ];
        let pairs = OF_ONE_ARGUMENT.iter().flatten().copied();
        for query in QUERIES.into_iter().chain(more).chain(pairs) {
            let (one, other) = (plan(&session, query), plan(&session, query));
            assert_eq!(one, other, "{query}");
            assert_eq!(hash(&one), hash(&other), "{query}");
        }
    });
}

/// Queries that differ in one argument, of what goes through all rows.
const OF_ONE_ARGUMENT: [[&str; 2]; 9] = [
    [
        "CloudAppEvents | sort by TimeGenerated asc | scan with (step s: ActionType == 'a';) | count",
        "CloudAppEvents | sort by TimeGenerated asc | scan with (step s: ActionType == 'b';) | count",
    ],
    [
        "CloudAppEvents | make-series n = count() on TimeGenerated from ago(1d) to now() step 1h",
        "CloudAppEvents | make-series n = count() on TimeGenerated from ago(1d) to now() step 2h",
    ],
    [
        "CloudAppEvents | top-nested 2 of ActionType by count()",
        "CloudAppEvents | top-nested 3 of ActionType by count()",
    ],
    [
        "CloudAppEvents | reduce by ActionType with threshold=0.2",
        "CloudAppEvents | reduce by ActionType with threshold=0.3",
    ],
    [
        "CloudAppEvents | serialize | extend p = prev(ActionType, 1) | project p",
        "CloudAppEvents | serialize | extend p = prev(ActionType, 2) | project p",
    ],
    [
        "CloudAppEvents | serialize | extend n = row_number(1) | project n",
        "CloudAppEvents | serialize | extend n = row_number(2) | project n",
    ],
    [
        "CloudAppEvents | evaluate activity_counts_metrics(AccountObjectId, TimeGenerated, ago(8d), now(), 1d)",
        "CloudAppEvents | evaluate activity_counts_metrics(AccountObjectId, TimeGenerated, ago(8d), now(), 2d)",
    ],
    [
        "CloudAppEvents | mv-apply m = RawEventData.Members on (top 1 by tostring(m)) | count",
        "CloudAppEvents | mv-apply m = RawEventData.Members on (top 2 by tostring(m)) | count",
    ],
    [
        "materialize(CloudAppEvents | where ActionType == 'a') | count",
        "materialize(CloudAppEvents | where ActionType == 'b') | count",
    ],
];

#[test]
fn texts_that_differ_in_one_argument_have_two_plans() {
    let session = session();
    on_threads(1, || {
        for [one, other] in OF_ONE_ARGUMENT {
            assert_ne!(plan(&session, one), plan(&session, other), "{one}");
        }
    });
}
