//! Tables of denials, and of sign-ins beside lowered labels.

use super::labels::ranking_table;
use super::table::{Table, Value};
use crate::case::figures::Figures;
use crate::case::figures::picture::Ranking;

/// Where a requester is, in the order of the figures.
const SIDES: [&str; 3] = ["inside", "outside", "unknown"];

/// The tables.
pub(super) fn tables(figures: &Figures) -> Vec<Table<'_>> {
    let access = &figures.access;
    vec![
        by_day(figures),
        ranked("Denials by owner", "owner", &SIDES, &access.by_owner),
        ranked("Denied inside", "user", &[], &access.by_inside),
        ranked("Denied outside", "user", &[], &access.by_outside),
        ranked("Denials by domain", "domain", &SIDES, &access.by_domain),
        ranked("Denials by label", "label", &SIDES, &access.by_label),
        ranked(
            "Denials by document",
            "document",
            &SIDES,
            &access.by_document,
        ),
        ranked("Denials by result", "result", &SIDES, &access.by_result),
        denials(figures),
        sign_ins_by_day(figures),
        beside(figures),
    ]
}

fn ranked<'a>(
    name: &'static str,
    of: &'static str,
    counts: &[&'a str],
    ranking: &'a Ranking,
) -> Table<'a> {
    ranking_table(name, [of, "denials"], counts, ranking)
}

fn by_day(figures: &Figures) -> Table<'_> {
    let days = figures.days.iter().zip(&figures.access.by_day);
    let columns = ["day", "inside", "outside", "unknown"];
    Table::new("Denials by day", &columns).with(days, |(day, sides)| {
        let sides = sides.iter().map(|count| Value::from(*count));
        std::iter::once(Value::from(day)).chain(sides).collect()
    })
}

fn denials(figures: &Figures) -> Table<'_> {
    let columns = [
        "time",
        "user",
        "side",
        "result",
        "document",
        "label",
        "owner",
        "address",
        "country",
        "device",
        "application",
        "ingest",
        "record",
    ];
    Table::new("Denials", &columns).with(&figures.access.list, |one| {
        vec![
            Value::Time(&one.time),
            (&one.user).into(),
            one.side.into(),
            (&one.result).into(),
            (&one.document).into(),
            Value::said(one.label.as_ref()),
            Value::said(one.owner.as_ref()),
            Value::said(one.address.as_ref()),
            Value::said(one.country.as_ref()),
            Value::said(one.device.as_ref()),
            Value::said(one.application.as_ref()),
            one.ingest.into(),
            one.record.into(),
        ]
    })
}

fn sign_ins_by_day(figures: &Figures) -> Table<'_> {
    let of = &figures.sign_ins;
    let columns = ["day", "lowered", "sign_ins", "failed", "risky"];
    let days = figures.days.iter().enumerate();
    Table::new("Sign-ins by day", &columns).with(days, |(at, day)| {
        let series = [&of.lowered, &of.succeeded, &of.failed, &of.risky];
        let counts = series.map(|series| Value::from(series.get(at).copied().unwrap_or(0)));
        std::iter::once(Value::from(day)).chain(counts).collect()
    })
}

fn beside(figures: &Figures) -> Table<'_> {
    let columns = [
        "user",
        "day",
        "lowered",
        "time",
        "result",
        "reason",
        "risk",
        "address",
        "country",
        "application",
        "device",
    ];
    let pairs = figures.sign_ins.beside.iter();
    let pairs = pairs.flat_map(|one| one.sign_ins.iter().map(move |sign_in| (one, sign_in)));
    Table::new("Sign-ins beside", &columns).with(pairs, |(one, sign_in)| {
        vec![
            (&one.user).into(),
            (&one.day).into(),
            one.lowered.into(),
            Value::Time(&sign_in.time),
            sign_in.result.into(),
            Value::said(sign_in.reason.as_ref()),
            Value::said(sign_in.risk.as_ref()),
            Value::said(sign_in.address.as_ref()),
            Value::said(sign_in.country.as_ref()),
            Value::said(sign_in.application.as_ref()),
            Value::said(sign_in.device.as_ref()),
        ]
    })
}
