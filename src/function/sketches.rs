//! Summaries of many values that stay small and can be joined: how many different ones there are (`hll`), and how they are
//! distributed (`tdigest`).
//!
//! Both are exact while there are few values. What they look like as `dynamic` is not Kusto's: it documents that nobody may rely
//! on that.

use std::collections::BTreeSet;

use twox_hash::XxHash64;

use super::value::{Json, Type, Value};

/// How many different values there are: the least of their hashes are kept, and from how close they stand the rest is told.
#[derive(Debug, Clone)]
pub struct Distinct {
    most: usize,
    hashes: BTreeSet<u64>,
}

impl Distinct {
    /// Of no value. The error is one to the square root of the number of hashes kept; it is Kusto's for each accuracy.
    pub fn new(accuracy: i64) -> Distinct {
        let most = match accuracy {
            0 => 1 << 12,
            1 => 1 << 14,
            2 => 1 << 16,
            3 => 1 << 17,
            _ => 1 << 18,
        };
        Distinct {
            most,
            hashes: BTreeSet::new(),
        }
    }

    /// Takes a value by a text that only equal values have.
    pub fn add(&mut self, key: &str) {
        self.take(XxHash64::oneshot(0, key.as_bytes()));
    }

    fn take(&mut self, hash: u64) {
        if self.hashes.len() < self.most {
            self.hashes.insert(hash);
        } else if self.hashes.last().is_some_and(|last| hash < *last) && self.hashes.insert(hash) {
            self.hashes.pop_last();
        }
    }

    /// How many values there were.
    pub fn count(&self) -> i64 {
        match self.hashes.last() {
            Some(last) if self.hashes.len() >= self.most => {
                let part = (*last as f64 + 1.0) / 2f64.powi(64);
                ((self.most as f64 - 1.0) / part).round() as i64
            }
            _ => i64::try_from(self.hashes.len()).unwrap_or(i64::MAX),
        }
    }

    /// Joins another. The result is as exact as the less exact one.
    pub fn merge(&mut self, other: &Distinct) {
        self.most = self.most.min(other.most);
        while self.hashes.len() > self.most {
            self.hashes.pop_last();
        }
        other.hashes.iter().for_each(|hash| self.take(*hash));
    }

    /// As a value.
    pub fn json(&self) -> Json {
        let most = i64::try_from(self.most).unwrap_or(i64::MAX);
        let hashes = self.hashes.iter();
        Json::Array(vec![
            Json::Array(vec![Json::Long(most)]),
            Json::Array(hashes.map(|hash| Json::Long(hash.cast_signed())).collect()),
        ])
    }

    /// What [`Distinct::json`] gave.
    pub fn from_json(json: &Json) -> Option<Distinct> {
        let [head, hashes] = json.array()? else {
            return None;
        };
        let [Json::Long(most)] = head.array()? else {
            return None;
        };
        let mut distinct = Distinct::new(i64::MAX);
        distinct.most = usize::try_from(*most).ok()?.clamp(1, distinct.most);
        for hash in hashes.array()? {
            match hash {
                Json::Long(hash) => distinct.take(hash.cast_unsigned()),
                _ => return None,
            }
        }
        Some(distinct)
    }

    /// Bytes it holds, about.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.hashes.len() * 2 * size_of::<u64>()
    }
}

/// Values that are joined when there are more.
const MOST_VALUES: usize = 4096;
/// Part of all that a joined value in the middle stands for; towards the ends it is less.
const SHARE: f64 = 0.005;

/// Room for rounding where a percentage of a count should be whole.
pub const SLACK: f64 = 1e-9;

/// How values are distributed: each different one with its weight; of many, neighbours are one with their mean, most exact at
/// both ends.
#[derive(Debug, Clone)]
pub struct Digest {
    ty: Type,
    /// Ranks and weights.
    values: Vec<(i64, i64)>,
    /// So many there were when they were sorted last.
    settled: usize,
}

/// A value as a whole number of the same order; [`unrank`] gives it back.
pub fn rank(value: &Value) -> Option<i64> {
    match value {
        Value::Decimal(n) => rank(&Value::Real(n.to_real())),
        Value::Real(n) if n.is_nan() => None,
        Value::Real(n) => Some(flip(n.to_bits().cast_signed())),
        Value::Int(n) => Some(i64::from(*n)),
        Value::Long(n) | Value::DateTime(n) | Value::Timespan(n) => Some(*n),
        _ => None,
    }
}

/// The value of a rank.
pub fn unrank(rank: i64, ty: Type) -> Value {
    match ty {
        Type::Real | Type::Decimal => Value::Real(f64::from_bits(flip(rank).cast_unsigned())),
        Type::DateTime => Value::DateTime(rank),
        Type::Timespan => Value::Timespan(rank),
        _ => Value::Long(rank),
    }
}

/// Turns the bits of a real into a whole number of the same order, and back.
fn flip(bits: i64) -> i64 {
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

impl Digest {
    /// Of no value, for values of that type.
    pub fn new(ty: Type) -> Digest {
        let ty = match ty {
            Type::Int => Type::Long,
            Type::Decimal => Type::Real,
            other => other,
        };
        Digest {
            ty,
            values: Vec::new(),
            settled: 0,
        }
    }

    /// Takes a value that stands for so many.
    pub fn add(&mut self, value: &Value, weight: i64) {
        if let Some(rank) = rank(value)
            && weight > 0
        {
            self.values.push((rank, weight));
            if self.values.len() >= self.settled + MOST_VALUES {
                self.settle();
            }
        }
    }

    /// Joins another of the same type.
    pub fn merge(&mut self, other: &Digest) {
        if self.values.is_empty() {
            self.ty = other.ty;
        }
        if self.ty == other.ty {
            self.values.extend(&other.values);
            self.settle();
        }
    }

    /// Sorts the values, and joins those that are equal; of too many, also those that are neighbours.
    fn settle(&mut self) {
        self.values.sort_unstable();
        self.join(0.0);
        if self.values.len() > MOST_VALUES {
            self.join(SHARE);
        }
        self.settled = self.values.len();
    }

    fn join(&mut self, share: f64) {
        let total = self.total();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        let mut before = 0.0;
        for (rank, weight) in std::mem::take(&mut self.values) {
            if let Some(last) = joined.last_mut() {
                let together = last.1.saturating_add(weight);
                let middle = (before + together as f64 / 2.0) / total;
                let most = share * total * (middle * (1.0 - middle)).max(0.0).sqrt();
                if last.0 == rank || together as f64 <= most {
                    let part = weight as f64 / together as f64;
                    *last = (self.between(last.0, rank, part), together);
                    continue;
                }
                before += last.1 as f64;
            }
            joined.push((rank, weight));
        }
        self.values = joined;
    }

    /// The rank that lies such a part of the way from one to a greater one.
    fn between(&self, from: i64, to: i64, part: f64) -> i64 {
        let at = match (unrank(from, self.ty), unrank(to, self.ty)) {
            (Value::Real(from), Value::Real(to)) => rank(&Value::Real(from + (to - from) * part)),
            // `as` holds in range.
            _ => Some(from.saturating_add(((to as f64 - from as f64) * part) as i64)),
        };
        at.unwrap_or(from).clamp(from, to)
    }

    fn total(&self) -> f64 {
        self.values.iter().map(|(_, weight)| *weight as f64).sum()
    }

    /// The least value that at least so many percent are not above; null of nothing.
    pub fn percentile(&self, percentage: f64) -> Value {
        let wanted = percentage * self.total() / 100.0 - SLACK;
        let mut below = 0.0;
        let found = self.values.iter().find(|(_, weight)| {
            below += *weight as f64;
            below >= wanted
        });
        let found = found.or(self.values.last());
        found.map_or(Value::Null, |(rank, _)| unrank(*rank, self.ty))
    }

    /// How many percent are not above a value; nothing of nothing.
    pub fn percentage(&self, value: &Value) -> Option<f64> {
        let at = rank(&value.convert(self.ty))?;
        let below = self.values.iter().take_while(|(rank, _)| *rank <= at);
        let below: f64 = below.map(|(_, weight)| *weight as f64).sum();
        (!self.values.is_empty()).then(|| below * 100.0 / self.total())
    }

    /// As a value.
    pub fn json(&mut self) -> Json {
        self.settle();
        let values = self.values.iter();
        let values = values.map(|(rank, _)| Json::from_value(&unrank(*rank, self.ty)));
        let weights = self.values.iter().map(|(_, weight)| Json::Long(*weight));
        Json::Array(vec![
            Json::Array(vec![Json::String(self.ty.name().into())]),
            Json::Array(values.collect()),
            Json::Array(weights.collect()),
        ])
    }

    /// What [`Digest::json`] gave.
    pub fn from_json(json: &Json) -> Option<Digest> {
        let [head, values, weights] = json.array()? else {
            return None;
        };
        let [Json::String(ty)] = head.array()? else {
            return None;
        };
        let (values, weights) = (values.array()?, weights.array()?);
        let mut digest = Digest::new(Type::named(ty)?);
        for (value, weight) in values.iter().zip(weights) {
            digest.add(
                &value.scalar()?.convert(digest.ty),
                weight.scalar()?.to_long()?,
            );
        }
        digest.settle();
        (values.len() == weights.len()).then_some(digest)
    }

    /// Bytes it holds, about.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<(i64, i64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distinct(range: std::ops::Range<i64>, accuracy: i64) -> Distinct {
        let mut distinct = Distinct::new(accuracy);
        range.for_each(|n| distinct.add(&n.to_string()));
        distinct
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_nearly() {
        assert_eq!(distinct(0..0, 1).count(), 0);
        assert_eq!(distinct(0..16_000, 1).count(), 16_000);
        for accuracy in 0..2 {
            let mut left = distinct(0..120_000, accuracy);
            let right = distinct(80_000..200_000, accuracy);
            left.merge(&right);
            let all = distinct(0..200_000, accuracy);
            assert_eq!(left.count(), all.count());
            assert!((all.count() - 200_000).abs() < 200_000 * 4 / 100);
            let again = Distinct::from_json(&all.json()).map(|again| again.count());
            assert_eq!(again, Some(all.count()));
        }
        let mut mixed = distinct(0..100_000, 4);
        mixed.merge(&distinct(0..10, 0));
        assert_eq!(mixed.hashes.len(), 1 << 12);
        assert!(Distinct::from_json(&Json::Array(vec![])).is_none());
    }

    #[test]
    fn a_digest_of_few_values_is_exact() {
        let mut digest = Digest::new(Type::Real);
        digest.add(&Value::Real(1.0), 1);
        digest.add(&Value::Real(2.0), 2);
        digest.add(&Value::Real(f64::NAN), 1);
        digest.add(&Value::Real(9.0), -1);
        let digest = Digest::from_json(&digest.json()).expect("a digest");
        assert_eq!(digest.percentile(50.0), Value::Real(2.0));
        assert_eq!(digest.percentile(0.0), Value::Real(1.0));
        assert_eq!(digest.percentage(&Value::Long(1)), Some(100.0 / 3.0));
        let empty = Digest::new(Type::Long);
        assert_eq!(empty.percentile(50.0), Value::Null);
        assert_eq!(empty.percentage(&Value::Long(1)), None);
    }

    #[test]
    fn a_digest_of_many_values_is_small_and_near() {
        let mut digest = Digest::new(Type::Long);
        for part in 0..4 {
            let mut own = Digest::new(Type::Long);
            // All numbers from 0 to 399999, in no order.
            for n in 0..100_000 {
                own.add(&Value::Long((part * 100_000 + n) * 7_919 % 400_000), 1);
            }
            digest.merge(&own);
        }
        assert!(digest.values.len() <= MOST_VALUES);
        for percentage in [0.0, 0.1, 1.0, 25.0, 50.0, 95.0, 99.9, 100.0] {
            let found = digest.percentile(percentage).to_real().unwrap_or(f64::NAN);
            let wanted = percentage * 4000.0;
            assert!((found - wanted).abs() < 2000.0, "{percentage} {found}");
        }
        for ty in [Type::Real, Type::Long, Type::Timespan] {
            let mut odd = Digest::new(ty);
            for n in [i64::MIN, -1, 0, i64::MAX] {
                (0..3_000).for_each(|i| odd.add(&unrank(n.saturating_add(i), ty), i64::MAX));
            }
            assert!(odd.json().array().is_some());
            assert!(odd.values.is_sorted());
        }
    }
}
