//! Days on which somebody, or something, had far more events than usual.

use std::collections::{BTreeMap, HashMap};

use super::buckets::day_name;
use super::label_counts::Numbered;
use super::picture::Peak;

/// A day is a peak when it has at least so many events …
const LEAST: u64 = 10;
/// … and so many times as many as the other active days of the same user, label or of all, on average.
const TIMES: f64 = 3.0;
/// Peaks of users, of labels and of all that are named at most, of each.
const NAMED: usize = 12;

/// The peaks of all events, of users and of labels, the largest first.
pub(super) fn peaks(
    all: &BTreeMap<i64, u64>,
    (users, user_days): (&Numbered, &HashMap<(u32, i64), u64>),
    (labels, label_days): (impl Fn(u32) -> String, &HashMap<(u32, i64), u64>),
) -> Vec<Peak> {
    let mut days: BTreeMap<String, Vec<(i64, u64)>> = BTreeMap::new();
    days.insert(
        String::new(),
        all.iter().map(|(day, n)| (*day, *n)).collect(),
    );
    let mut found = of("all", days);
    found.extend(of(
        "user",
        by_name(user_days, |user| users.text(user).to_string()),
    ));
    found.extend(of("label", by_name(label_days, labels)));
    found.sort_by(|a, b| {
        let order = b.count.cmp(&a.count);
        order.then_with(|| (a.of, &a.name, &a.day).cmp(&(b.of, &b.name, &b.day)))
    });
    found
}

fn by_name(
    counted: &HashMap<(u32, i64), u64>,
    name: impl Fn(u32) -> String,
) -> BTreeMap<String, Vec<(i64, u64)>> {
    let mut days: BTreeMap<u32, Vec<(i64, u64)>> = BTreeMap::new();
    for ((number, day), count) in counted {
        days.entry(*number).or_default().push((*day, *count));
    }
    let mut named: BTreeMap<String, Vec<(i64, u64)>> = BTreeMap::new();
    for (number, days) in days {
        named.entry(name(number)).or_default().extend(days);
    }
    named
}

/// The peaks of one kind.
fn of(kind: &'static str, names: BTreeMap<String, Vec<(i64, u64)>>) -> Vec<Peak> {
    let mut found: Vec<Peak> = Vec::new();
    for (name, days) in names {
        let sum: u64 = days.iter().map(|(_, count)| count).sum();
        for (day, count) in days.iter().filter(|(_, count)| *count >= LEAST) {
            let others = days.len() - 1;
            // One day of all there is has nothing to stand out from; a user who comes once and does much does.
            if others == 0 && kind == "all" {
                continue;
            }
            let usual = (others > 0).then(|| (sum - count) as f64 / others as f64);
            let times = usual.map(|usual| *count as f64 / usual);
            if times.is_some_and(|times| times < TIMES) {
                continue;
            }
            found.push(Peak {
                of: kind,
                name: name.clone(),
                day: day_name(*day),
                count: *count,
                usual: usual.map(rounded),
                times: times.map(rounded),
            });
        }
    }
    found.sort_by(|a, b| {
        let order = b.count.cmp(&a.count);
        order.then_with(|| (&a.name, &a.day).cmp(&(&b.name, &b.day)))
    });
    found.truncate(NAMED);
    found
}

/// To one place.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_measured_against_the_other_days() {
        let mut names = Numbered::default();
        let mut days = HashMap::new();
        for (name, day, count) in [
            ("a", 0, 4),
            ("a", 1, 40),
            ("a", 2, 6),
            ("b", 0, 12),
            ("c", 0, 11),
            ("c", 1, 11),
            ("d", 0, 9),
        ] {
            days.insert((names.number(name), day), count);
        }
        let mut all = BTreeMap::new();
        for ((_, day), count) in &days {
            *all.entry(*day).or_default() += *count;
        }
        let found = peaks(&all, (&names, &days), (|_| String::new(), &HashMap::new()));
        let said: Vec<_> = found
            .iter()
            .map(|p| {
                (
                    p.of,
                    p.name.as_str(),
                    p.day.as_str(),
                    p.count,
                    p.usual,
                    p.times,
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                ("user", "a", "1970-01-02", 40, Some(5.0), Some(8.0)),
                ("user", "b", "1970-01-01", 12, None, None),
            ]
        );
    }
}
