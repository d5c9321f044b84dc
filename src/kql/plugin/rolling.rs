//! `rolling_percentile`, `rows_near`.

use std::collections::BTreeMap;

use super::argument::{Columns, Rows, scalar};
use super::call::{Call, Scalar};
use super::definition::Plugin;
use super::timeline::{Timeline, Windows};
use crate::function::aggregate;
use crate::function::value::Type;

fn rolling_percentile(call: &Call) -> Result<Rows, String> {
    let value = call.scalar(0)?;
    let percentage = call.constant(1)?;
    let timeline = Timeline::new(call, 2)?;
    let bins = Windows {
        start: 0,
        step: timeline.step(call, 3)?,
    };
    let width = call.count(4)?;
    let width = i64::try_from(width).unwrap_or(i64::MAX).max(1);
    let dimensions = call.scalars(5)?;
    let percentile = aggregate::get("percentile").ok_or("there is no `percentile`")?;
    let types = [value.ty, Type::Real];
    let constants = [None, Some(percentage.clone())];
    let ty = percentile.types(&types, &constants)?;
    let ty = ty.first().copied().unwrap_or(value.ty);

    let mut rows = Vec::new();
    for group in call.groups(&dimensions) {
        let mut by_bin: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for row in group.rows {
            if let Some(bin) = timeline.of(row).and_then(|at| bins.of(at)) {
                by_bin.entry(bin).or_default().push(row);
            }
        }
        for bin in by_bin.keys() {
            let first = bins.shifted(*bin, 1 - width).unwrap_or(i64::MIN);
            let mut state = percentile.accumulator(&types, &constants);
            for row in by_bin.range(first..=*bin).flat_map(|(_, rows)| rows) {
                state.add(&[value.value(*row).clone(), percentage.clone()]);
            }
            let mut row = vec![timeline.value(*bin)];
            row.extend_from_slice(&group.values);
            row.push(state.finish().fit(ty));
            rows.push(row);
        }
    }
    rows.sort_by(|a, b| match (a.first(), b.first()) {
        (Some(a), Some(b)) => a.order(b),
        _ => a.len().cmp(&b.len()),
    });
    let percentage = percentage.text().replace('.', "_");
    let mut columns = vec![timeline.scalar.column()];
    columns.extend(dimensions.iter().map(Scalar::column));
    columns.push((
        format!("rolling_{width}_percentile_{}_{percentage}", value.name),
        ty,
    ));
    Ok(Rows { columns, rows })
}

fn rows_near(call: &Call) -> Result<Rows, String> {
    let condition = call.scalar(0)?;
    let before = call.count(1)?;
    let after = match call.given(2) {
        Some(_) => call.count(2)?,
        None => before,
    };
    let mut rows = Vec::new();
    // The first row that was not looked at yet.
    let mut next = 0;
    for row in 0..call.rows.len() {
        if condition.value(row).to_bool() == Some(true) {
            let from = row.saturating_sub(before).max(next);
            next = row
                .saturating_add(after)
                .saturating_add(1)
                .min(call.rows.len())
                .max(next);
            rows.extend_from_slice(call.rows.get(from..next).unwrap_or_default());
        }
    }
    let columns = call.columns.to_vec();
    Ok(Rows { columns, rows })
}

pub(super) const TABLE: &[Plugin] = &[
    Plugin {
        name: "rolling_percentile",
        arguments: (5, usize::MAX),
        parameters: &[
            scalar("ValueColumn"),
            scalar("Percentile"),
            scalar("IndexColumn"),
            scalar("BinSize"),
            scalar("BinsPerWindow"),
            scalar("Dimension"),
        ],
        columns: Columns::Fixed,
        doc: "rolling_percentile(value, percentile, index, bin, bins, dimensions, …): the percentile of the values in so many bins up to each",
        example: "datatable(n:long, v:long)[1, 5, 11, 7, 12, 9, 21, 1] | evaluate rolling_percentile(v, 50, n, 10, 2)",
        answer: "n, rolling_2_percentile_v_50; 0, 5; 10, 7; 20, 7",
        rows: rolling_percentile,
    },
    Plugin {
        name: "rows_near",
        arguments: (2, 3),
        parameters: &[scalar("Condition"), scalar("NumRows"), scalar("RowsAfter")],
        columns: Columns::Fixed,
        doc: "rows_near(condition, rows, rows after = rows): the rows where the condition holds, with so many before and after",
        example: "datatable(n:long, s:string)[1, \"\", 2, \"\", 3, \"x\", 4, \"\", 5, \"\"] | evaluate rows_near(s == \"x\", 1, 0)",
        answer: "n, s; 2, ; 3, x",
        rows: rows_near,
    },
];
