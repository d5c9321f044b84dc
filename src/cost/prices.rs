//! A price list: what a GB costs on each plan, for how long it is kept, and what is free.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Plan;
use crate::fault::{Error, Result};

/// A price file with a word on each value, and no price.
pub const EXAMPLE: &str = include_str!("example-prices.yaml");

/// Plans and prices. A price that is not given is not known, which is not 0.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Shown behind amounts.
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    analytics: Option<PlanPrices>,
    #[serde(default)]
    basic: Option<PlanPrices>,
    #[serde(default)]
    auxiliary: Option<PlanPrices>,
    #[serde(default)]
    lake: Option<PlanPrices>,
    /// Tables that are not on the analytics plan, by their names.
    #[serde(default)]
    pub tables: BTreeMap<String, Plan>,
    /// Tables that cost nothing on the analytics plan.
    #[serde(default = "free_tables")]
    pub free_tables: Vec<String>,
    /// What Microsoft 365 E5 gives.
    #[serde(default)]
    pub benefit: Option<Benefit>,
}

/// The prices of a plan.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanPrices {
    /// Price of a GB taken in; on the analytics plan as you go.
    #[serde(default)]
    pub per_gb: Option<f64>,
    /// Price of the processing of a GB.
    #[serde(default)]
    pub processing_per_gb: Option<f64>,
    /// Commitment tiers.
    #[serde(default)]
    pub tiers: Vec<Tier>,
    /// How records are kept at first.
    #[serde(default)]
    pub keep: Option<Keep>,
    /// How they are kept after that.
    #[serde(default)]
    pub then: Option<Keep>,
    /// Price of a GB that a query reads.
    #[serde(default)]
    pub query_per_gb: Option<f64>,
    /// GB that queries read in 30 days.
    #[serde(default)]
    pub queried_gb_per_month: Option<f64>,
}

/// A commitment tier.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// GB a day.
    pub gb_per_day: f64,
    /// Price of a day, whether so much comes or not.
    pub price_per_day: f64,
}

/// How long records are kept, and at which price.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Days.
    #[serde(default)]
    pub days: f64,
    /// Days of these that cost nothing.
    #[serde(default)]
    pub free_days: f64,
    /// Price of a GB for 30 days.
    #[serde(default)]
    pub per_gb_month: Option<f64>,
    /// So many GB are billed as one.
    #[serde(default = "whole")]
    pub compressed: f64,
}

/// Data that costs nothing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benefit {
    /// Users with such a licence.
    #[serde(default)]
    pub users: f64,
    /// MB for each of them and each day.
    #[serde(default = "megabytes")]
    pub mb_per_user_and_day: f64,
    /// Tables that it is for; a name may end with `*`.
    #[serde(default = "benefit_tables")]
    pub tables: Vec<String>,
}

fn whole() -> f64 {
    1.0
}

fn megabytes() -> f64 {
    5.0
}

/// What a price file says that says nothing of it.
fn free_tables() -> Vec<String> {
    example().free_tables
}

fn benefit_tables() -> Vec<String> {
    example().benefit.map(|b| b.tables).unwrap_or_default()
}

/// The price list without prices.
pub fn example() -> Prices {
    serde_saphyr::from_str(EXAMPLE).expect("a test reads it")
}

impl Prices {
    /// Reads a price file.
    ///
    /// # Errors
    /// When it cannot be read, has a key that nobody knows, or an amount that is none.
    pub fn read(path: &Path) -> Result<Prices> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        Prices::parse(&text).map_err(|reason| Error::Unusable {
            path: path.to_path_buf(),
            reason: format!("{reason}; `coldtrail cost --example-prices` writes a list"),
        })
    }

    /// Reads the text of one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> std::result::Result<Prices, String> {
        let options = serde_saphyr::options! { with_snippet: false };
        let read = serde_saphyr::from_str_with_options(text, options);
        let prices: Prices = read.map_err(|e| e.to_string())?;
        for plan in Plan::ALL {
            if let Some(of_plan) = prices.of(plan) {
                of_plan.check(plan)?;
            }
        }
        if let Some(benefit) = &prices.benefit {
            let numbers = [
                ("users", benefit.users),
                ("mb_per_user_and_day", benefit.mb_per_user_and_day),
            ];
            for (name, number) in numbers {
                amount(&format!("benefit.{name}"), number)?;
            }
        }
        Ok(prices)
    }

    /// The prices of a plan.
    pub fn of(&self, plan: Plan) -> Option<&PlanPrices> {
        match plan {
            Plan::Analytics => self.analytics.as_ref(),
            Plan::Basic => self.basic.as_ref(),
            Plan::Auxiliary => self.auxiliary.as_ref(),
            Plan::Lake => self.lake.as_ref(),
        }
    }

    /// The plan of a table.
    pub fn plan_of(&self, table: &str) -> Plan {
        self.tables.get(table).copied().unwrap_or(Plan::Analytics)
    }

    /// Whether a table costs nothing on the analytics plan.
    pub fn is_free(&self, table: &str) -> bool {
        self.free_tables.iter().any(|free| free == table)
    }
}

impl Benefit {
    /// Whether it is for a table.
    pub fn is_for(&self, table: &str) -> bool {
        self.tables.iter().any(|name| match name.strip_suffix('*') {
            Some(begin) => table.starts_with(begin),
            None => table == name,
        })
    }

    /// Bytes that cost nothing on a day.
    pub fn bytes_per_day(&self) -> f64 {
        self.users * self.mb_per_user_and_day * 1e6
    }
}

impl PlanPrices {
    fn check(&self, plan: Plan) -> std::result::Result<(), String> {
        let name = plan.name();
        if !self.tiers.is_empty() && plan != Plan::Analytics {
            return Err(format!("{name}.tiers: only analytics has commitment tiers"));
        }
        let given = [
            ("per_gb", self.per_gb),
            ("processing_per_gb", self.processing_per_gb),
            ("query_per_gb", self.query_per_gb),
            ("queried_gb_per_month", self.queried_gb_per_month),
        ];
        for (key, number) in given {
            amount(&format!("{name}.{key}"), number.unwrap_or_default())?;
        }
        for tier in &self.tiers {
            amount(&format!("{name}.tiers.price_per_day"), tier.price_per_day)?;
            more_than_nothing(&format!("{name}.tiers.gb_per_day"), tier.gb_per_day)?;
        }
        for (key, keep) in [("keep", self.keep), ("then", self.then)] {
            let Some(keep) = keep else {
                continue;
            };
            let price = keep.per_gb_month.unwrap_or_default();
            amount(&format!("{name}.{key}.days"), keep.days)?;
            amount(&format!("{name}.{key}.free_days"), keep.free_days)?;
            amount(&format!("{name}.{key}.per_gb_month"), price)?;
            more_than_nothing(&format!("{name}.{key}.compressed"), keep.compressed)?;
        }
        Ok(())
    }
}

fn amount(name: &str, number: f64) -> std::result::Result<(), String> {
    match number.is_finite() && number >= 0.0 {
        true => Ok(()),
        false => Err(format!("{name}: {number} is no amount")),
    }
}

fn more_than_nothing(name: &str, number: f64) -> std::result::Result<(), String> {
    amount(name, number)?;
    match number > 0.0 {
        true => Ok(()),
        false => Err(format!("{name} must be more than 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_read_and_has_no_price() {
        let prices = Prices::parse(EXAMPLE).expect("it is a price file");
        assert_eq!(prices, example());
        for plan in Plan::ALL {
            let of_plan = prices.of(plan).expect("all plans are there");
            assert_eq!(of_plan.per_gb, None, "{}", plan.name());
            assert!(of_plan.tiers.is_empty(), "{}", plan.name());
            assert_eq!(of_plan.keep.and_then(|keep| keep.per_gb_month), None);
        }
        assert!(prices.is_free("OfficeActivity"));
        assert!(!prices.is_free("CloudAppEvents"));
        let benefit = prices.benefit.expect("it is there");
        assert!(benefit.is_for("DeviceEvents") && benefit.is_for("SigninLogs"));
        assert!(!benefit.is_for("OfficeActivity"));
        let short = Prices::parse("benefit: {users: 7}").expect("the rest is as usual");
        let of_short = short.benefit.expect("it is there");
        assert_eq!(of_short.tables, benefit.tables);
        assert!((of_short.bytes_per_day() - 35e6).abs() < 1e-3);
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for (text, expected) in [
            ("basic: {per_gb: -1}", "basic.per_gb: -1 is no amount"),
            ("lake: {per_gb: .nan}", "lake.per_gb: NaN is no amount"),
            (
                "lake: {tiers: [{gb_per_day: 1, price_per_day: 1}]}",
                "lake.tiers: only analytics has commitment tiers",
            ),
            (
                "lake: {keep: {days: 9, compressed: 0}}",
                "lake.keep.compressed must be more than 0",
            ),
        ] {
            assert_eq!(Prices::parse(text), Err(expected.into()), "{text}");
        }
        let unknown = Prices::parse("basic: {per_bg: 1}").expect_err("no such key");
        assert!(unknown.contains("per_bg"), "{unknown}");
        assert!(Prices::parse("tables: {T: cold}").is_err());
    }
}
