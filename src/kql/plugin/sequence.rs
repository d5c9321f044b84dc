//! `sequence_detect`.

use super::argument::{Columns, Rows, fresh, scalar};
use super::call::{Call, Scalar};
use super::definition::Plugin;
use super::timeline::Timeline;
use crate::function::value::{Type, Value};

/// So many sequences one call may find.
const MAX_FOUND: usize = 1_000_000;

/// The limits of a sequence.
struct Limits {
    /// The longest way from one step to the next.
    step: i64,
    /// The longest way from the first step to the last.
    span: i64,
}

impl Limits {
    /// Adds to `found` every sequence that begins with `begun` and has a time of each further step.
    fn complete(
        &self,
        begun: &mut Vec<i64>,
        steps: &[Vec<i64>],
        found: &mut Vec<Vec<i64>>,
    ) -> Result<(), String> {
        let Some(times) = steps.get(begun.len()) else {
            if found.len() == MAX_FOUND {
                return Err(format!("there are more than {MAX_FOUND} sequences"));
            }
            found.push(begun.clone());
            return Ok(());
        };
        let (from, to) = match (begun.first(), begun.last()) {
            (Some(first), Some(last)) => {
                let to = first
                    .saturating_add(self.span)
                    .min(last.saturating_add(self.step));
                (*last, to)
            }
            _ => (i64::MIN, i64::MAX),
        };
        let first = times.partition_point(|at| *at < from);
        for at in times.iter().skip(first).take_while(|at| **at <= to) {
            begun.push(*at);
            self.complete(begun, steps, found)?;
            begun.pop();
        }
        Ok(())
    }
}

/// Every choice of one time for each predicate is a sequence if the times follow each other within the limits; equal times do.
fn sequence_detect(call: &Call) -> Result<Rows, String> {
    let timeline = Timeline::new(call, 0)?;
    let limits = Limits {
        step: timeline.distance(call, 1)?,
        span: timeline.distance(call, 2)?,
    };
    let mut steps = call.scalars(3)?;
    let count = steps
        .iter()
        .take_while(|scalar| scalar.ty == Type::Bool)
        .count();
    if count == 0 {
        return Err("a sequence needs a condition of type bool".into());
    }
    let dimensions = steps.split_off(count);
    let mut rows = Vec::new();
    for group in call.groups(&dimensions) {
        let times = |step: &Scalar| {
            let holds = |row: &&usize| step.value(**row).to_bool() == Some(true);
            let rows = group.rows.iter().filter(holds);
            let mut times: Vec<i64> = rows.filter_map(|row| timeline.of(*row)).collect();
            times.sort_unstable();
            times.dedup();
            times
        };
        let times: Vec<Vec<i64>> = steps.iter().map(times).collect();
        let mut found = Vec::new();
        limits.complete(&mut Vec::new(), &times, &mut found)?;
        for sequence in found {
            let mut row = group.values.clone();
            row.extend(sequence.iter().map(|at| timeline.value(*at)));
            let (first, last) = (sequence.first().copied(), sequence.last().copied());
            let duration = last
                .zip(first)
                .and_then(|(last, first)| last.checked_sub(first));
            row.push(duration.map_or(Value::Null, |duration| timeline.distance_value(duration)));
            rows.push(row);
        }
        if rows.len() > MAX_FOUND {
            return Err(format!("there are more than {MAX_FOUND} sequences"));
        }
    }
    let mut columns: Vec<(String, Type)> = dimensions.iter().map(Scalar::column).collect();
    let (name, ty) = timeline.scalar.column();
    for step in &steps {
        columns.push((fresh(&format!("{}_{name}", step.name), &columns), ty));
    }
    columns.push(("Duration".to_owned(), timeline.distance_type()));
    Ok(Rows { columns, rows })
}

pub(super) const TABLE: &[Plugin] = &[Plugin {
    name: "sequence_detect",
    arguments: (4, usize::MAX),
    parameters: &[
        scalar("TimelineColumn"),
        scalar("MaxSequenceStepWindow"),
        scalar("MaxSequenceSpan"),
        scalar("*"),
    ],
    columns: Columns::Fixed,
    doc: "sequence_detect(time, longest step, longest span, name=condition, …, dimensions, …): the times at which rows met the conditions one after the other",
    example: "datatable(n:long, what:string, who:string)[1, \"in\", \"a\", 3, \"out\", \"a\", 5, \"out\", \"b\"] | evaluate sequence_detect(n, 5, 9, came=(what == \"in\"), went=(what == \"out\"), who)",
    answer: "who, came_n, went_n, Duration; a, 1, 3, 2",
    rows: sequence_detect,
}];
