//! `basket`: frequent patterns by Apriori.

use std::collections::{BTreeMap, HashSet};

use super::argument::{Columns, Given, Rows, fresh, scalar};
use super::call::Call;
use super::definition::Plugin;
use crate::function::value::{Key, Type, Value};

/// The least threshold, and that of no other given.
const THRESHOLDS: (f64, f64) = (0.015, 0.05);
/// Values that do not follow from each other in one pattern, where no other number is given.
const DIMENSIONS: usize = 5;
/// So many patterns one call may give.
const MAX_PATTERNS: usize = 10_000;

/// A value of a column, and which of the different rows have it.
struct Item<'a> {
    column: usize,
    value: &'a Value,
    rows: Bits,
}

/// A set of row numbers.
#[derive(Clone, PartialEq)]
struct Bits(Vec<u64>);

impl Bits {
    fn insert(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn and(&self, other: &Bits) -> Bits {
        Bits(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    fn is_within(&self, other: &Bits) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    /// The sum of the weights of its rows, which are in ascending order.
    fn weight(&self, weights: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (word, weights) in self.0.iter().zip(weights.chunks(64)) {
            let (Some(first), Some(last)) = (weights.first(), weights.last()) else {
                continue;
            };
            // Mostly all weights are the same.
            if first == last {
                sum += f64::from(word.count_ones()) * first;
                continue;
            }
            let weights = weights.iter().enumerate();
            sum += weights
                .filter(|(at, _)| word >> at & 1 == 1)
                .map(|(_, weight)| weight)
                .sum::<f64>();
        }
        sum
    }
}

/// Rows that differ in some columns, each with how much it counts, in the order of that.
struct Weighted<'a> {
    columns: Vec<usize>,
    rows: Vec<&'a Vec<Value>>,
    weights: Vec<f64>,
}

impl<'a> Weighted<'a> {
    fn new(call: &Call<'a>, weight: Option<usize>) -> Self {
        let columns = (0..call.columns.len()).filter(|at| Some(*at) != weight);
        let columns: Vec<usize> = columns.collect();
        let mut different: BTreeMap<Vec<Key>, (&Vec<Value>, f64)> = BTreeMap::new();
        for row in call.rows {
            let weight = match weight {
                Some(at) => row.get(at).and_then(Value::to_real).unwrap_or(0.0),
                None => 1.0,
            };
            if weight > 0.0 && weight.is_finite() {
                let key = columns
                    .iter()
                    .map(|at| row.get(*at).map_or(Key::Null, Value::key));
                different.entry(key.collect()).or_insert((row, 0.0)).1 += weight;
            }
        }
        let mut different: Vec<(&Vec<Value>, f64)> = different.into_values().collect();
        different.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (rows, weights) = different.into_iter().unzip();
        Weighted {
            columns,
            rows,
            weights,
        }
    }

    /// The values with at least that weight, column by column.
    fn items(&self, least: f64) -> Vec<Item<'a>> {
        let mut items = Vec::new();
        for column in &self.columns {
            let mut own: BTreeMap<Key, (&Value, f64, Vec<usize>)> = BTreeMap::new();
            for (at, (row, weight)) in self.rows.iter().zip(&self.weights).enumerate() {
                let Some(value) = row.get(*column).filter(|value| !is_empty(value)) else {
                    continue;
                };
                let entry = own.entry(value.key());
                let (_, sum, rows) = entry.or_insert((value, 0.0, Vec::new()));
                *sum += weight;
                rows.push(at);
            }
            for (value, _, rows) in own.into_values().filter(|(_, sum, _)| *sum >= least) {
                let mut bits = Bits(vec![0; self.rows.len().div_ceil(64)]);
                rows.into_iter().for_each(|at| bits.insert(at));
                items.push(Item {
                    column: *column,
                    value,
                    rows: bits,
                });
            }
        }
        items
    }
}

/// A constant argument; nothing where it is `~`, which stands for the default.
fn option<'a>(call: &Call<'a>, at: usize) -> Result<Option<&'a Value>, String> {
    let value = call.optional(at)?;
    Ok(value.filter(|value| value.text() != "~"))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || matches!(value, Value::String(text) if text.is_empty())
}

/// Frequent patterns: of those that the same rows have, the one with most values. Null and empty values are in none, for they could
/// not be told from wildcards. Kusto samples rows first; this counts all of them.
fn basket(call: &Call) -> Result<Rows, String> {
    let threshold = option(call, 0)?.map_or(Some(THRESHOLDS.1), Value::to_real);
    let threshold = threshold
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or("`Threshold` must be a number from 0.015 to 1")?
        .max(THRESHOLDS.0);
    let weight = match call.given(1) {
        Some(Given::Column(at)) => Some(*at),
        _ if option(call, 1)?.is_none() => None,
        _ => return Err("`WeightColumn` must be a column".into()),
    };
    let depth = match option(call, 2)? {
        Some(_) => call.count(2)?,
        None => DIMENSIONS,
    };
    let mut wildcards: Vec<(Type, &Value)> = Vec::new();
    for at in 3..call.arguments.len() {
        match call.given(at) {
            Some(Given::Constant(value, ty)) if value.text() != "~" => wildcards.push((*ty, value)),
            Some(Given::Constant(..)) | None => {}
            Some(_) => return Err("a wildcard must be a constant".into()),
        }
    }

    let table = Weighted::new(call, weight);
    let total: f64 = table.weights.iter().sum();
    let least = threshold * total;
    let items = table.items(least);
    let patterns = closed(&items, &table.weights, least, depth)?;
    let mut columns: Vec<(String, Type)> = vec![
        ("SegmentId".to_owned(), Type::Long),
        ("Count".to_owned(), Type::Long),
        ("Percent".to_owned(), Type::Real),
    ];
    let mut made = Vec::with_capacity(patterns.len());
    let wildcard = |ty: Type| {
        let given = wildcards.iter().find(|(own, _)| *own == ty);
        given.map_or(Value::Null.fit(ty), |(_, value)| (*value).clone())
    };
    for column in &table.columns {
        if let Some((name, ty)) = call.columns.get(*column) {
            columns.push((fresh(name, &columns), *ty));
        }
    }
    for (segment, (pattern, weight)) in patterns.into_iter().enumerate() {
        let mut row = vec![
            Value::Long(i64::try_from(segment).unwrap_or(i64::MAX)),
            // `as` holds in range.
            Value::Long(weight.round() as i64),
            Value::Real(100.0 * weight / total),
        ];
        for (column, (_, ty)) in table.columns.iter().zip(columns.iter().skip(3)) {
            let mut own = pattern.iter().filter_map(|item| items.get(*item));
            let own = own.find(|item| item.column == *column);
            row.push(own.map_or_else(|| wildcard(*ty), |item| item.value.clone()));
        }
        made.push(row);
    }
    Ok(Rows {
        columns,
        rows: made,
    })
}

/// Patterns with at least that weight, heaviest first. Each has all items that its rows share; at most `depth` of them do not follow
/// from the others.
fn closed(
    items: &[Item],
    weights: &[f64],
    least: f64,
    depth: usize,
) -> Result<Vec<(Vec<usize>, f64)>, String> {
    let all = |rows: &Bits| -> Vec<usize> {
        let shared = items
            .iter()
            .enumerate()
            .filter(|(_, item)| rows.is_within(&item.rows));
        shared.map(|(at, _)| at).collect()
    };
    let mut found: Vec<(Vec<usize>, f64)> = Vec::new();
    let mut seen: HashSet<Vec<usize>> = HashSet::new();
    let mut level: Vec<(Vec<usize>, Option<Bits>)> = vec![(Vec::new(), None)];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (pattern, rows) in &level {
            for item in items {
                let mut own = pattern.iter().filter_map(|own| items.get(*own));
                if own.any(|own| own.column == item.column) {
                    continue;
                }
                let rows = rows
                    .as_ref()
                    .map_or_else(|| item.rows.clone(), |rows| rows.and(&item.rows));
                let weight = rows.weight(weights);
                if weight < least {
                    continue;
                }
                let pattern = all(&rows);
                if !seen.insert(pattern.clone()) {
                    continue;
                }
                if found.len() == MAX_PATTERNS {
                    return Err(format!(
                        "there are more than {MAX_PATTERNS} patterns: raise the threshold or drop columns"
                    ));
                }
                found.push((pattern.clone(), weight));
                next.push((pattern, Some(rows)));
            }
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(found)
}

pub(super) const TABLE: &[Plugin] = &[Plugin {
    name: "basket",
    arguments: (0, usize::MAX),
    parameters: &[
        scalar("Threshold"),
        scalar("WeightColumn"),
        scalar("MaxDimensions"),
        scalar("CustomWildcard"),
    ],
    columns: Columns::Fixed,
    doc: "basket(threshold = 0.05, weight column, most dimensions = 5, wildcards, …): values that so large a part of the rows has together",
    example: "datatable(who:string, os:string)[\"ann\", \"linux\", \"ann\", \"linux\", \"bob\", \"linux\", \"eve\", \"mac\"] | evaluate basket(0.5)",
    answer: "SegmentId, Count, Percent, who, os; 0, 3, 75.0, , linux; 1, 2, 50.0, ann, linux",
    rows: basket,
}];
