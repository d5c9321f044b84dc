//! Tables of label events.

use super::table::{Table, Value};
use crate::case::figures::Figures;
use crate::case::figures::picture::Ranking;

/// The tables.
pub(super) fn tables(figures: &Figures) -> Vec<Table<'_>> {
    let labels = &figures.labels;
    let actions: Vec<&str> = figures.actions.iter().map(String::as_str).collect();
    let ranked = |name, of, ranking| ranking_table(name, [of, "label_events"], &actions, ranking);
    let mut tables = vec![over_time(figures), by_day(figures)];
    tables.push(ranked("Labels by user", "user", &labels.by_user));
    tables.push(ranked("Labels by label", "label", &labels.by_label));
    tables.push(ranked(
        "Labels by application",
        "application",
        &labels.by_application,
    ));
    tables.push(ranked("Labels by site", "site", &labels.by_site));
    tables.push(ranked(
        "Labels by extension",
        "extension",
        &labels.by_extension,
    ));
    tables.push(ranked("Labels by how", "how", &labels.by_how));
    tables.push(ranked(
        "Justifications",
        "justification",
        &labels.justifications,
    ));
    tables.push(used(figures));
    tables.push(flows(figures));
    tables.push(peaks(figures));
    tables.push(lowered(figures));
    tables
}

/// A ranking of these names by these sums, with these counts; what is beyond it, and what has no name, stands below.
pub(super) fn ranking_table<'a>(
    name: &'static str,
    head: [&'a str; 2],
    counts: &[&'a str],
    ranking: &'a Ranking,
) -> Table<'a> {
    let columns: Vec<&str> = head.into_iter().chain(counts.iter().copied()).collect();
    let mut table = Table::new(name, &columns).with(&ranking.rows, |row| {
        let counts = row.counts.iter().map(|count| Value::from(*count));
        let head = [Value::from(&row.name), Value::from(row.total)];
        head.into_iter().chain(counts).collect()
    });
    if ranking.other_names > 0 {
        let sum: u64 = ranking.others.iter().sum();
        let name = format!("({} others)", ranking.other_names);
        let mut row = vec![Value::from(name), Value::from(sum)];
        // Without counts of its own a ranking has its sum there.
        if !counts.is_empty() {
            row.extend(ranking.others.iter().map(|count| Value::from(*count)));
        }
        table.rows.push(row);
    }
    if ranking.unnamed > 0 {
        let mut row = vec![Value::from("(not said)"), Value::from(ranking.unnamed)];
        row.extend(counts.iter().map(|_| Value::Nothing));
        table.rows.push(row);
    }
    table
}

fn over_time(figures: &Figures) -> Table<'_> {
    let labels = &figures.labels;
    let actions = figures.actions.iter().map(String::as_str);
    let columns: Vec<&str> = ["from"]
        .into_iter()
        .chain(actions)
        .chain(["users", "devices"])
        .collect();
    let at = |series: &[u64], at: usize| Value::from(series.get(at).copied().unwrap_or(0));
    let buckets = figures.buckets.iter().enumerate();
    Table::new("Labels over time", &columns).with(buckets, |(bucket, name)| {
        let mut row = vec![Value::from(name)];
        row.extend(labels.over_time.iter().map(|series| at(series, bucket)));
        row.push(at(&labels.users_over_time, bucket));
        row.push(at(&labels.devices_over_time, bucket));
        row
    })
}

fn by_day(figures: &Figures) -> Table<'_> {
    let labels = &figures.labels;
    let days = figures.days.iter().zip(&labels.users_by_day);
    let days = days.zip(&labels.devices_by_day);
    Table::new("Users and devices", &["day", "users", "devices"])
        .with(days, |((day, users), devices)| {
            vec![day.into(), (*users).into(), (*devices).into()]
        })
}

fn used(figures: &Figures) -> Table<'_> {
    let columns = [
        "label",
        "id",
        "name_is",
        "rank",
        "applied",
        "upgraded",
        "downgraded",
        "removed",
        "opened",
        "denied",
    ];
    Table::new("Labels", &columns).with(&figures.labels.used, |label| {
        let known = match (label.is_named, label.is_assumed) {
            (false, _) => "not known",
            (true, true) => "assumed",
            (true, false) => "known",
        };
        vec![
            (&label.name).into(),
            (&label.id).into(),
            known.into(),
            label.rank.map_or(Value::Nothing, Value::from),
            label.applied.into(),
            label.upgraded.into(),
            label.downgraded.into(),
            label.removed.into(),
            label.opened.into(),
            label.denied.into(),
        ]
    })
}

fn flows(figures: &Figures) -> Table<'_> {
    let columns = [
        "from",
        "from_rank",
        "to",
        "to_rank",
        "action",
        "count",
        "users",
    ];
    Table::new("Label flows", &columns).with(&figures.labels.flows, |flow| {
        vec![
            (&flow.from).into(),
            flow.from_rank.map_or(Value::Nothing, Value::from),
            Value::said(flow.to.as_ref()),
            flow.to_rank.map_or(Value::Nothing, Value::from),
            (&flow.action).into(),
            flow.count.into(),
            flow.users.into(),
        ]
    })
}

fn peaks(figures: &Figures) -> Table<'_> {
    let columns = ["of", "name", "day", "events", "usual", "times"];
    Table::new("Peaks", &columns).with(&figures.labels.peaks, |peak| {
        vec![
            peak.of.into(),
            (&peak.name).into(),
            (&peak.day).into(),
            peak.count.into(),
            Value::maybe(peak.usual),
            Value::maybe(peak.times),
        ]
    })
}

fn lowered(figures: &Figures) -> Table<'_> {
    let columns = [
        "time",
        "action",
        "user",
        "manager",
        "file",
        "label_before",
        "label_after",
        "justification",
        "application",
        "device",
        "address",
        "ingest",
        "record",
    ];
    Table::new("Labels lowered", &columns).with(&figures.labels.lowered, |one| {
        vec![
            Value::Time(&one.time),
            (&one.action).into(),
            (&one.user).into(),
            Value::said(one.manager.as_ref()),
            Value::said(one.file.as_ref()),
            Value::said(one.old.as_ref()),
            Value::said(one.new.as_ref()),
            Value::said(one.justification.as_ref()),
            Value::said(one.application.as_ref()),
            Value::said(one.device.as_ref()),
            Value::said(one.address.as_ref()),
            one.ingest.into(),
            one.record.into(),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::figures::picture::Ranked;

    #[test]
    fn what_is_beyond_a_ranking_stands_below_it() {
        let ranking = Ranking {
            rows: vec![Ranked {
                name: "a".into(),
                total: 3,
                counts: vec![2, 1],
            }],
            other_names: 4,
            others: vec![5, 6],
            unnamed: 7,
        };
        let table = ranking_table("Labels by user", ["user", "all"], &["x", "y"], &ranking);
        let rows: Vec<String> = table
            .rows
            .iter()
            .map(|row| {
                row.iter()
                    .map(|v| v.text().into_owned())
                    .collect::<Vec<_>>()
                    .join("|")
            })
            .collect();
        assert_eq!(rows, ["a|3|2|1", "(4 others)|11|5|6", "(not said)|7||"]);
        assert_eq!(table.file_name(), "labels-by-user");
        assert_eq!(table.columns, ["user", "all", "x", "y"]);
    }
}
