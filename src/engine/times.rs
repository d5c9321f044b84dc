//! Times that a plan leaves open until a question is asked: the moment that `now()` of SQL says, and the range that each scan is cut to.
//!
//! Both are functions that a plan is made with and never run with. [`bind`] puts values in their place, also in subqueries.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::exec_err;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as PlanResult;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    ColumnarValue, Filter, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, cast,
};
use datafusion::prelude::{Expr, SessionContext, col};
use datafusion::scalar::ScalarValue;

use super::options::{Late, TimeRange};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// What a function says of the moment of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Instant,
    Day,
    Clock,
}

impl Part {
    /// An instant has the type of the times that it is compared with.
    fn data_type(self) -> DataType {
        match self {
            Part::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Part::Day => DataType::Date32,
            Part::Clock => DataType::Time64(TimeUnit::Nanosecond),
        }
    }

    fn of(self, now: i64) -> ScalarValue {
        match self {
            Part::Instant => ScalarValue::TimestampMicrosecond(Some(now), Some("UTC".into())),
            Part::Day => ScalarValue::Date32(i32::try_from(now.div_euclid(DAY)).ok()),
            Part::Clock => ScalarValue::Time64Nanosecond(Some(now.rem_euclid(DAY) * 1000)),
        }
    }
}

/// The functions of SQL that say it.
const MOMENTS: [(&str, Part); 5] = [
    ("now", Part::Instant),
    ("current_timestamp", Part::Instant),
    ("current_date", Part::Day),
    ("today", Part::Day),
    ("current_time", Part::Clock),
];

/// One of these functions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Moment {
    name: &'static str,
    part: Part,
    /// The moment, in microseconds, once it is known.
    at: Option<i64>,
    /// DataFusion's own function, for a question that names no moment.
    otherwise: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for Moment {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(self.part.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        match self.at {
            Some(now) => Ok(ColumnarValue::Scalar(self.part.of(now))),
            None => exec_err!("`{}()` of a plan that was not bound", self.name),
        }
    }
}

/// Lets `now()`, `current_date` and their like wait for the question.
///
/// # Errors
/// When DataFusion has none of that name.
pub(super) fn register(context: &SessionContext) -> PlanResult<()> {
    for (name, part) in MOMENTS {
        let moment = Moment {
            name,
            part,
            at: None,
            otherwise: context.udf(name)?,
            signature: Signature::nullary(Volatility::Immutable),
        };
        context.register_udf(ScalarUDF::from(moment));
    }
    Ok(())
}

/// What a question sees of each table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'l> {
    /// Of the events of this time …
    pub(super) range: TimeRange,
    /// … those that were ingested in this time.
    pub(super) ingested: TimeRange,
    /// How much later than they happen events are ingested.
    pub(super) late: &'l Late,
}

impl Sight<'_> {
    /// The times of the events that it sees of a table.
    pub(super) fn of(self, table: &str) -> TimeRange {
        let ingested = self.ingested.earlier(self.late.of(table));
        self.range.and(ingested)
    }

    /// The times of the events that it may see, whenever each was ingested: none is before it happens.
    pub(super) fn until_ingested(self) -> TimeRange {
        let until = TimeRange {
            from: None,
            to: self.ingested.to,
        };
        self.range.and(until)
    }

    /// What events must meet that it sees, by when they happened and when each was ingested.
    fn as_ingested(self, time: &Expr, ingested: &Expr) -> Option<Expr> {
        let times = self.until_ingested().condition(time.clone());
        let ingested = self.ingested.condition(ingested.clone());
        conjunction(times.into_iter().chain(ingested))
    }
}

/// Whether a time is in the range of the question.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Cut {
    /// The table whose rows it cuts.
    table: String,
    signature: Signature,
}

impl ScalarUDFImpl for Cut {
    fn name(&self) -> &str {
        "in_asked_times"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        exec_err!("the times of a plan that was not bound")
    }
}

/// The condition that the time in this column of a table is in the range of the question.
pub(super) fn cut(table: &str, time: &str) -> Expr {
    let cut = Cut {
        table: table.into(),
        signature: Signature::any(1, Volatility::Immutable),
    };
    ScalarUDF::from(cut).call(vec![col(format!("\"{time}\""))])
}

/// The same where it is known when each row was ingested: the question sees that time, too.
pub(super) fn cut_as_ingested(table: &str, time: &str, ingested: Expr) -> Expr {
    let cut = Cut {
        table: table.into(),
        signature: Signature::any(2, Volatility::Immutable),
    };
    ScalarUDF::from(cut).call(vec![col(format!("\"{time}\"")), ingested])
}

/// When the rows that such a condition is about were ingested, where it knows that of each.
pub(super) fn ingested_of(condition: &Expr) -> Option<&Expr> {
    cut_of(condition)?;
    match condition {
        Expr::ScalarFunction(call) => call.args.get(1),
        _ => None,
    }
}

/// The table of such a condition, and the column.
pub(super) fn cut_of(condition: &Expr) -> Option<(&str, &Expr)> {
    let Expr::ScalarFunction(call) = condition else {
        return None;
    };
    let cut = call.func.inner().downcast_ref::<Cut>()?;
    Some((cut.table.as_str(), call.args.first()?))
}

/// Whether a plan leaves a range open.
pub(super) fn is_cut(plan: &LogicalPlan) -> PlanResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Filter(filter) = node {
            found |= cut_of(&filter.predicate).is_some();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether an expression waits for the moment.
pub(super) fn waits(expr: &Expr) -> PlanResult<bool> {
    expr.exists(|part| Ok(moment(part).is_some()))
}

fn moment(expr: &Expr) -> Option<&Moment> {
    match expr {
        Expr::ScalarFunction(call) => call.func.inner().downcast_ref(),
        _ => None,
    }
}

/// The plan with what a question sees and its moment, in microseconds, in the place of what it leaves open.
///
/// # Errors
/// When DataFusion refuses a node, which is a fault of coldtrail.
pub(super) fn bind(
    plan: LogicalPlan,
    sight: Sight<'_>,
    now: Option<i64>,
) -> PlanResult<LogicalPlan> {
    let bound = plan.transform_up_with_subqueries(|node| {
        let node = match node {
            LogicalPlan::Filter(filter) => match cut_of(&filter.predicate) {
                Some((table, column)) => {
                    let condition = match ingested_of(&filter.predicate) {
                        Some(ingested) => sight.as_ingested(column, ingested),
                        None => sight.of(table).condition(column.clone()),
                    };
                    return Ok(Transformed::yes(match condition {
                        Some(condition) => {
                            LogicalPlan::Filter(Filter::try_new(condition, filter.input)?)
                        }
                        None => Arc::unwrap_or_clone(filter.input),
                    }));
                }
                None => LogicalPlan::Filter(filter),
            },
            node => node,
        };
        match asks_now(&node)? {
            true => node.map_expressions(|expr| expr.transform_up(|part| Ok(settled(part, now)))),
            false => Ok(Transformed::no(node)),
        }
    })?;
    Ok(bound.data)
}

/// Whether an expression of a node waits for the moment.
fn asks_now(node: &LogicalPlan) -> PlanResult<bool> {
    let mut asks = false;
    node.apply_expressions(|expr| {
        expr.apply(|part| {
            asks |= moment(part).is_some();
            Ok(match asks {
                true => TreeNodeRecursion::Stop,
                false => TreeNodeRecursion::Continue,
            })
        })
    })?;
    Ok(asks)
}

fn settled(expr: Expr, now: Option<i64>) -> Transformed<Expr> {
    let Some(open) = moment(&expr) else {
        return Transformed::no(expr);
    };
    Transformed::yes(match now {
        Some(_) => ScalarUDF::from(Moment {
            at: now,
            ..open.clone()
        })
        .call(Vec::new()),
        // Under its name, by which the nodes above know it.
        None => cast(open.otherwise.call(Vec::new()), open.part.data_type())
            .alias(format!("{}()", open.name)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Field, Schema};
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::datasource::provider_as_source;
    use datafusion::logical_expr::LogicalPlanBuilder;

    /// A table that is cut to the range of a question, and a column with its moment.
    fn open() -> PlanResult<LogicalPlan> {
        let context = SessionContext::new();
        register(&context)?;
        let time = Field::new("TimeGenerated", Part::Instant.data_type(), true);
        let table = EmptyTable::new(Arc::new(Schema::new(vec![time])));
        let now = context.udf("now")?.call(Vec::new());
        LogicalPlanBuilder::scan("t", provider_as_source(Arc::new(table)), None)?
            .filter(cut("t", "TimeGenerated"))?
            .project(vec![now])?
            .build()
    }

    #[test]
    fn a_range_without_ends_leaves_no_filter() {
        let plan = open().expect("a plan");
        let sight = Sight {
            range: TimeRange::default(),
            ingested: TimeRange::default(),
            late: &Late::default(),
        };
        let bound = bind(plan, sight, Some(7)).expect("it is bound");
        let LogicalPlan::Projection(projection) = &bound else {
            panic!("{bound}");
        };
        assert!(matches!(*projection.input, LogicalPlan::TableScan(_)));
        let moment = moment(&projection.expr[0]).expect("a moment");
        assert_eq!(moment.at, Some(7));
    }

    #[test]
    fn columns_keep_their_names_whatever_is_bound() {
        let open = open().expect("a plan");
        for now in [None, Some(7)] {
            let range = TimeRange {
                from: Some(5),
                to: None,
            };
            let sight = Sight {
                range,
                ingested: TimeRange::default(),
                late: &Late::default(),
            };
            let bound = bind(open.clone(), sight, now).expect("it is bound");
            let again = bound.clone().recompute_schema().expect("a schema");
            assert_eq!(again.schema().field(0).name(), "now()");
            assert!(bound.display_indent().to_string().contains(">="));
        }
    }

    #[test]
    fn what_is_ingested_later_is_seen_later() {
        let late = Late {
            tables: [("t".to_string(), 10)].into(),
            others: 3,
        };
        let range = |from, to| TimeRange {
            from: Some(from),
            to: Some(to),
        };
        let sight = Sight {
            range: range(0, 100),
            ingested: TimeRange {
                from: None,
                to: Some(105),
            },
            late: &late,
        };
        assert_eq!(sight.of("T"), range(0, 95));
        assert_eq!(sight.of("other"), range(0, 100));
    }
}
