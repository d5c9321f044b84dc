//! What a crew is asked: rules whose rows rest on one event each over parts of the time, all else as it is.
//!
//! Each event lies in one part, so the rows of the parts are together those of the whole. All rules of a hunt are cut at the same moments: between
//! days, where so many rows lie on both sides.

use std::collections::BTreeMap;
use std::time::Duration;

use super::crew::{Answer, Answered, Crew, Cutting, Job, Scope};
use super::one_event;
use crate::engine::TimeRange as Window;
use crate::engine::kql::Options;
use crate::engine::{Session, Spread};
use crate::fault::{Error, Result};
use crate::kql;
use crate::rules::Language;

/// How the rules of a hunt are cut.
pub(super) struct Parts<'a> {
    session: &'a Session,
    how: &'a Options,
    window: Window,
    cutting: Cutting,
    /// Moments in microseconds, ascending: from each a part may begin.
    edges: Vec<i64>,
}

impl<'a> Parts<'a> {
    /// For the rules that ask this, in a hunt for the findings of a window.
    pub(super) fn of(
        session: &'a Session,
        how: &'a Options,
        window: Window,
        cutting: Cutting,
        jobs: &[Job],
    ) -> Parts<'a> {
        let mut parts = Parts {
            session,
            how,
            window,
            cutting,
            edges: Vec::new(),
        };
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        for (sees, spread) in jobs.iter().filter_map(|job| parts.sight(job)) {
            for (day, rows) in spread.by_day(sees.from, sees.to) {
                let all = days.entry(day).or_default();
                *all = all.saturating_add(rows);
            }
        }
        parts.edges = edges(&days, cutting.parts);
        parts
    }

    /// What a query sees that may be cut, and how the rows of its tables lie in the times.
    fn sight(&self, job: &Job) -> Option<(Window, Spread)> {
        let (Language::Kql, Scope::Around(period)) = (job.language, job.scope) else {
            return None;
        };
        let (tree, faults) = kql::parse(&job.text);
        if !faults.is_empty() {
            return None;
        }
        let mut spread = Spread::default();
        for table in one_event::tables(&tree, &self.how.functions)? {
            spread.add(self.session.spread(table)?);
        }
        let sees = self.window.around(period);
        // What has no time is in no part.
        let all_lies_in_parts = match sees.is_all() {
            true => spread.is_timed(),
            // Of a file that does not say its times each part would read all.
            false => spread.is_bounded(),
        };
        all_lies_in_parts.then_some((sees, spread))
    }

    /// The parts of what a query sees, in their order; one where it is not worth it to cut it, none where it may not be.
    fn of_job(&self, job: &Job) -> Vec<Window> {
        let Some((sees, spread)) = self.sight(job) else {
            return Vec::new();
        };
        let days = spread.by_day(sees.from, sees.to);
        let rows = days
            .values()
            .fold(0, |all: u64, rows| all.saturating_add(*rows));
        let least = self.cutting.rows.max(1);
        let most = usize::try_from(rows / least).unwrap_or(usize::MAX);
        cut(sees, &worth(&self.edges, &days, least), most)
    }
}

/// Of these edges those on both sides of which a query has so many rows: a part without is dealt for nothing, and one with all of them too late.
fn worth(edges: &[i64], days: &BTreeMap<i64, u64>, least: u64) -> Vec<i64> {
    let rows = |from: i64, to: i64| {
        let between = days.range(from..to).map(|(_, rows)| *rows);
        between.fold(0, u64::saturating_add)
    };
    let (mut kept, mut last) = (Vec::new(), i64::MIN);
    for edge in edges.iter().copied() {
        if rows(last, edge) >= least && rows(edge, i64::MAX) >= least {
            kept.push(edge);
            last = edge;
        }
    }
    kept
}

/// Days, of these with so many rows each, before which a part of all may begin, so that it makes so many of about the same size.
fn edges(days: &BTreeMap<i64, u64>, parts: usize) -> Vec<i64> {
    let all: u128 = days.values().map(|rows| u128::from(*rows)).sum();
    let (mut edges, mut before, mut next) = (Vec::new(), 0_u128, 1);
    for (day, rows) in days {
        // So many parts of the same size would have ended.
        let ended = before
            .saturating_mul(parts as u128)
            .checked_div(all)
            .unwrap_or(0);
        if ended >= next {
            edges.push(*day);
            next = ended + 1;
        }
        before += u128::from(*rows);
    }
    edges
}

/// The parts of a time between these edges, so many at most.
fn cut(sees: Window, edges: &[i64], most: usize) -> Vec<Window> {
    let is_inside = |edge: &i64| {
        sees.from.is_none_or(|from| *edge > from) && sees.to.is_none_or(|to| *edge < to)
    };
    let inside: Vec<i64> = edges.iter().copied().filter(is_inside).collect();
    let finest = inside.len() + 1;
    let number = most.clamp(1, finest);
    // Each of them is one or several of the finest.
    let ends = (1..number).map(|part| inside[part * finest / number - 1]);
    let mut from = sees.from;
    let mut parts = Vec::with_capacity(number);
    for end in ends {
        parts.push(Window {
            from,
            to: Some(end),
        });
        from = Some(end);
    }
    parts.push(Window { from, to: sees.to });
    parts
}

/// Has a crew answer jobs: one answer each, in their order. `begun` and `ended` are told the number of each, once.
pub(super) fn answers(
    crew: &mut dyn Crew,
    parts: Option<&Parts<'_>>,
    jobs: &[Job],
    begun: &mut dyn FnMut(usize),
    ended: &mut dyn FnMut(usize),
) -> Vec<Answered> {
    let dealt = dealt(parts, jobs);
    let mut left = vec![0; jobs.len()];
    for (of, _) in &dealt {
        left[*of] += 1;
    }
    let (of, asked): (Vec<usize>, Vec<Job>) = dealt.into_iter().unzip();
    let mut is_begun = vec![false; jobs.len()];
    let mut begin = |number: usize| {
        if let Some(of) = of.get(number)
            && !std::mem::replace(&mut is_begun[*of], true)
        {
            begun(*of);
        }
    };
    let mut end = |number: usize| {
        if let Some(of) = of.get(number) {
            left[*of] -= 1;
            if left[*of] == 0 {
                ended(*of);
            }
        }
    };
    let mut answers = crew.answers(&asked, &mut begin, &mut end);
    answers.resize_with(asked.len(), || (Err(lost()), Duration::ZERO));
    let mut whole: Vec<Vec<Answered>> = jobs.iter().map(|_| Vec::new()).collect();
    for (of, answer) in of.into_iter().zip(answers) {
        whole[of].push(answer);
    }
    whole.into_iter().map(joined).collect()
}

fn lost() -> Error {
    Error::Query("nobody answered it".into())
}

/// What a crew is asked in the place of jobs, each with the number of its own. Jobs that are not cut take longest, and are dealt first; the same parts
/// of several are side by side, so that who answers them reads what he has just read.
fn dealt(parts: Option<&Parts<'_>>, jobs: &[Job]) -> Vec<(usize, Job)> {
    let mut dealt: Vec<(usize, usize, Job)> = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        let windows = parts.map_or_else(Vec::new, |parts| parts.of_job(job));
        if windows.len() < 2 {
            dealt.push((0, number, job.clone()));
            continue;
        }
        for (part, sees) in (1..).zip(windows) {
            let scope = Scope::Part { sees };
            let job = Job {
                scope,
                ..job.clone()
            };
            dealt.push((part, number, job));
        }
    }
    dealt.sort_by_key(|(part, ..)| *part);
    let dealt = dealt.into_iter();
    dealt.map(|(_, number, job)| (number, job)).collect()
}

/// The answer of a job, of those of its parts, in their order. The first that failed is its own.
fn joined(parts: Vec<Answered>) -> Answered {
    let took = parts.iter().map(|(_, took)| *took).sum();
    let answers: Result<Vec<Answer>> = parts.into_iter().map(|(answer, _)| answer).collect();
    (answers.and_then(together), took)
}

fn together(answers: Vec<Answer>) -> Result<Answer> {
    let mut answers = answers.into_iter();
    let mut all = answers.next().ok_or_else(lost)?;
    for part in answers {
        if !has_columns_of(&all, &part) {
            let why = "the parts of its time have different columns, which is a fault of coldtrail";
            return Err(Error::Query(why.into()));
        }
        all.batches.extend(part.batches);
        let fresh = part.reads.into_iter();
        let fresh: Vec<String> = fresh.filter(|name| !all.reads.contains(name)).collect();
        all.reads.extend(fresh);
    }
    Ok(all)
}

/// Whether two answers have the same columns. Whether one can be null may differ: a worker that keeps a view in memory knows more of it.
fn has_columns_of(one: &Answer, other: &Answer) -> bool {
    let columns = |answer: &Answer| -> Vec<_> {
        let fields = answer.schema.fields().iter();
        let columns = fields.map(|field| (field.name().clone(), field.data_type().clone()));
        columns.collect()
    };
    columns(one) == columns(other)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::hunt::Orders;

    const DAY: i64 = 86_400_000_000;

    fn window(from: Option<i64>, to: Option<i64>) -> Window {
        Window { from, to }
    }

    fn days(rows: &[u64]) -> BTreeMap<i64, u64> {
        (0..)
            .map(|day| day * DAY)
            .zip(rows.iter().copied())
            .collect()
    }

    #[test]
    fn edges_lie_between_days_with_about_as_many_rows_on_both_sides() {
        let found = |rows: &[u64], parts| -> Vec<i64> {
            let edges = edges(&days(rows), parts).into_iter();
            edges.map(|edge| edge / DAY).collect()
        };
        assert_eq!(found(&[1; 30], 3), [10, 20]);
        assert_eq!(found(&[1, 98, 1], 3), [2]);
        assert_eq!(found(&[98, 1, 1], 3), [1]);
        assert_eq!(found(&[1, 1], 8), [1]);
        assert!(found(&[1; 30], 1).is_empty());
        assert!(found(&[1; 30], 0).is_empty());
        assert!(found(&[0, 0], 3).is_empty());
        assert!(found(&[], 3).is_empty());
        assert_eq!(found(&[u64::MAX; 4], 2), [2]);
    }

    #[test]
    fn parts_begin_where_others_end() {
        let edges = [10, 20, 30];
        let all = window(None, None);
        let open = |parts: &[(Option<i64>, Option<i64>)]| -> Vec<Window> {
            parts.iter().map(|(from, to)| window(*from, *to)).collect()
        };
        let (a, b, c) = (Some(10), Some(20), Some(30));
        let finest = open(&[(None, a), (a, b), (b, c), (c, None)]);
        assert_eq!(cut(all, &edges, 4), finest);
        assert_eq!(cut(all, &edges, usize::MAX), finest);
        assert_eq!(cut(all, &edges, 3), open(&[(None, a), (a, b), (b, None)]));
        assert_eq!(cut(all, &edges, 2), open(&[(None, b), (b, None)]));
        assert_eq!(cut(all, &edges, 1), [all]);
        assert_eq!(cut(all, &edges, 0), [all]);
        // An edge at the end of what is seen cuts nothing off.
        let some = window(a, Some(29));
        assert_eq!(cut(some, &edges, 9), open(&[(a, b), (b, Some(29))]));
        let none = window(Some(11), Some(12));
        assert_eq!(cut(none, &edges, 9), [none]);
    }

    fn answer(column: &str, ty: DataType, reads: &[&str], rows: &[i64]) -> Answer {
        let values: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
        let values = arrow::compute::cast(&values, &ty).expect("a number");
        let schema = Arc::new(Schema::new(vec![Field::new(column, ty, true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![values]).expect("a batch");
        Answer {
            schema,
            batches: vec![batch],
            reads: reads.iter().map(|name| (*name).to_string()).collect(),
        }
    }

    #[test]
    fn parts_are_one_answer_in_their_order() {
        let second = Duration::from_secs(1);
        let one = || answer("a", DataType::Int64, &["T"], &[3]);
        let two = || answer("a", DataType::Int64, &["T", "U"], &[1, 2]);
        let (all, took) = joined(vec![(Ok(one()), second), (Ok(two()), second)]);
        let all = all.expect("an answer");
        let rows: Vec<usize> = all.batches.iter().map(RecordBatch::num_rows).collect();
        assert_eq!((rows, took), (vec![1, 2], 2 * second));
        assert_eq!(all.reads, ["T", "U"]);
        // The first error is that of the whole.
        let failed = |text: &str| (Err(Error::Query(text.into())), second);
        let parts = vec![(Ok(one()), second), failed("first"), failed("second")];
        let (all, took) = joined(parts);
        let told = all.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(told.contains("first"), "{told}");
        assert_eq!(took, 3 * second);
        // What cannot be is told.
        for other in [
            answer("b", DataType::Int64, &["T"], &[1]),
            answer("a", DataType::Utf8, &["T"], &[1]),
        ] {
            let (all, _) = joined(vec![(Ok(one()), second), (Ok(other), second)]);
            assert!(all.is_err());
        }
        assert!(joined(Vec::new()).0.is_err());
    }

    /// Answers the last job first, begins each twice, and says what it was asked.
    #[derive(Default)]
    struct Backwards(Vec<String>);

    impl Crew for Backwards {
        fn begin(&mut self, _: &Orders) -> Result<()> {
            Ok(())
        }

        fn answers(
            &mut self,
            jobs: &[Job],
            begun: &mut dyn FnMut(usize),
            ended: &mut dyn FnMut(usize),
        ) -> Vec<Answered> {
            self.0.extend(jobs.iter().map(|job| job.text.clone()));
            for number in (0..jobs.len()).rev() {
                begun(number);
                begun(number);
                ended(number);
            }
            // The last answer does not come.
            let answers = jobs.iter().skip(1).map(|job| {
                let answer = answer("a", DataType::Int64, &[job.text.as_str()], &[1]);
                (Ok(answer), Duration::ZERO)
            });
            answers.collect()
        }
    }

    #[test]
    fn each_job_has_its_answer_and_is_begun_and_ended_once() {
        let jobs: Vec<Job> = ["A", "B"].into_iter().map(Job::counting).collect();
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        let mut crew = Backwards::default();
        let answers = answers(
            &mut crew,
            None,
            &jobs,
            &mut |number| begun.push(number),
            &mut |number| ended.push(number),
        );
        assert_eq!(crew.0, ["A", "B"]);
        assert_eq!((begun, ended), (vec![1, 0], vec![1, 0]));
        let told: Vec<bool> = answers.iter().map(|(answer, _)| answer.is_ok()).collect();
        assert_eq!(told, [true, false]);
    }
}
