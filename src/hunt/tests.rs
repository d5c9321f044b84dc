use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as Memory};

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use serde_json::json;

use super::*;
use crate::convert;
use crate::engine::{self, Source};
use crate::progress::Silent;
use crate::rules::{Kind, Query, Schedule};

mod crew;
mod parts;

/// 2026-05-04T08:10:00Z
const TIME: i64 = 1_777_882_200_000_000;

/// A session over one sign-in, with a function that breaks off.
fn session() -> Session {
    let record = json!({
        "TimeGenerated": "2026-05-04T08:10:00Z", "CreatedDateTime": "2026-05-04T08:10:00Z", "Id": "s1",
        "UserPrincipalName": "ada@contoso.com", "ResultType": "50126",
    });
    let rows = convert::in_memory(&[("SigninLogs".to_string(), record)]).expect("a sign-in");
    let options = engine::Options::default();
    let session = Session::open(Source::Memory(rows), &options).expect("a session");
    let breaks_off =
        |_: &[ColumnarValue]| -> PlanResult<ColumnarValue> { panic!("the function breaks off") };
    session.context().register_udf(create_udf(
        "breaks_off",
        Vec::new(),
        DataType::Int64,
        Volatility::Volatile,
        Arc::new(breaks_off),
    ));
    session
}

fn rule(id: &str, column: &str) -> Rule {
    let text = format!("SELECT \"TimeGenerated\", {column} AS \"Seen\" FROM SigninLogs");
    let mut rule = Rule::new(id, Kind::Scheduled, Query::new(Language::Sql, text));
    rule.schedule = Schedule::Every {
        frequency: 3600,
        period: 3600,
    };
    rule
}

fn pack() -> Pack {
    Pack {
        rules: vec![
            rule("a", "\"UserPrincipalName\""),
            rule("b", "breaks_off()"),
            rule("c", "\"ResultType\""),
        ],
        ..Pack::default()
    }
}

/// Rules that are to be run, and those that have ended.
#[derive(Default)]
struct Counted {
    total: AtomicUsize,
    done: AtomicUsize,
}

impl Progress for Counted {
    fn rules(&self, total: usize) {
        self.total.store(total, Memory::Relaxed);
    }

    fn rule_done(&self) {
        self.done.fetch_add(1, Memory::Relaxed);
    }
}

#[test]
fn a_rule_that_breaks_off_harms_no_other_of_a_sweep() {
    let (mut session, pack) = (session(), pack());
    let choice = Choice::of(Severity::Informational);
    let ledger = Ledger::default();
    let hunt = sweep(&mut session, &pack, &choice, &ledger, &Silent).expect("a hunt");
    let found: Vec<usize> = hunt.outcomes.iter().map(|o| o.findings).collect();
    assert_eq!(found, [1, 0, 1]);
    match &hunt.outcomes[1].status {
        Status::NotRun(why) => assert!(why.contains("the function breaks off"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!((hunt.summary().ran, hunt.summary().failed), (2, 1));
}

#[test]
fn a_rule_that_breaks_off_harms_no_other_of_a_replay() {
    let (mut session, pack) = (session(), pack());
    let rules: Vec<&Rule> = pack.rules.iter().collect();
    let how = replay::runs::Options {
        memory: 1 << 30,
        ..replay::runs::Options::default()
    };
    let data = (TIME, TIME);
    let progress = Counted::default();
    let replayed = replay::runs::replay(&mut session, &rules, data, &how, &progress);
    let replayed = replayed.expect("a replay");
    assert_eq!(progress.total.into_inner(), 3);
    assert_eq!(progress.done.into_inner(), 3);
    let raised: Vec<usize> = replayed.outcomes.iter().map(|o| o.alerts.len()).collect();
    assert_eq!(raised, [1, 0, 1]);
    match &replayed.outcomes[1].status {
        replay::runs::Status::Failed(why) => {
            assert!(why.contains("the function breaks off"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    let summary = replayed.summary(1, &Ledger::default());
    assert_eq!((summary.loaded, summary.ran, summary.failed), (4, 2, 1));
    assert_eq!(summary.by_rule.len(), 2);
}

#[test]
fn a_rule_that_finds_more_than_a_hunt_holds_has_failed() {
    let asked = Asked {
        rule: rule("a", "\"ResultType\""),
        language: Language::Kql,
        text: String::new(),
        traced: None,
    };
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1; MOST_VALUES / 100 + 1]));
    let fields: Vec<Field> = (0..100)
        .map(|n| Field::new(format!("c{n}"), DataType::Int64, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = vec![column; 100];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let answer = Answer {
        schema,
        batches: vec![batch],
        reads: Vec::new(),
    };
    let (status, findings) = judge(&asked, &answer).expect("an outcome");
    assert!(findings.is_empty());
    let reason = "it finds 200,001 rows with 20,000,100 values, more than a hunt holds (--from and --to choose fewer)";
    assert_eq!(status, Status::NotRun(reason.into()));
}
