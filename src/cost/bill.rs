//! What weights cost at the prices of a list, for each plan, and as the list puts the tables on plans.

use std::collections::BTreeMap;

use super::prices::{Keep, PlanPrices, Prices, Tier};
use super::{GB, Plan, Weight};

/// Days of a month, as prices of keeping are meant.
const MONTH: f64 = 30.0;

/// What records cost on a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Bill {
    /// The plan.
    pub plan: Plan,
    /// The commitment tier in GB a day; nothing for pay as you go.
    pub tier: Option<f64>,
    /// Bytes as the plan counts them.
    pub bytes: f64,
    /// Of them, those of free tables and of records that the export says are free.
    pub free: f64,
    /// Of the others, those that a licence pays for.
    pub benefit: f64,
    /// Taking them in, with their processing.
    pub ingestion: f64,
    /// Keeping them, until they are deleted.
    pub keeping: f64,
    /// Queries in the time that the records span.
    pub queries: f64,
}

impl Bill {
    /// Bytes that are paid for.
    pub fn payable(&self) -> f64 {
        self.bytes - self.free - self.benefit
    }

    /// Everything.
    pub fn total(&self) -> f64 {
        self.ingestion + self.keeping + self.queries
    }
}

/// Days from the first to the last event of weights, both included.
pub fn days(weights: &[Weight]) -> u32 {
    let days = || weights.iter().filter_map(|weight| weight.day);
    match (days().min(), days().max()) {
        (Some(first), Some(last)) => last.abs_diff(first).saturating_add(1),
        _ => 0,
    }
}

/// What everything would cost on each plan whose prices are known: on the analytics plan as you go and at each tier.
pub fn plans(weights: &[Weight], prices: &Prices) -> Vec<Bill> {
    let all: Vec<&Weight> = weights.iter().collect();
    let span = days(weights);
    let each = Plan::ALL.into_iter();
    each.flat_map(|plan| options(&all, span, plan, prices))
        .collect()
}

/// What it costs with each table on the plan that the list says: per plan that has tables, on the analytics plan the cheapest way. Nothing where
/// the list puts no table elsewhere, or a price is not known.
pub fn as_planned(weights: &[Weight], prices: &Prices) -> Option<Vec<Bill>> {
    if prices.tables.is_empty() {
        return None;
    }
    let span = days(weights);
    let mut bills = Vec::new();
    for plan in Plan::ALL {
        let on_it = |weight: &&Weight| prices.plan_of(&weight.table) == plan;
        let own: Vec<&Weight> = weights.iter().filter(on_it).collect();
        if own.is_empty() {
            continue;
        }
        let bills_of = options(&own, span, plan, prices).into_iter();
        bills.push(bills_of.min_by(|a, b| a.total().total_cmp(&b.total()))?);
    }
    Some(bills)
}

/// What a table costs to take in on a plan, as you go and before a licence pays for any of it; nothing where the price is not known.
pub fn of_table(weights: &[&Weight], plan: Plan, prices: &Prices) -> Option<f64> {
    let of_plan = prices.of(plan)?;
    let per_gb = of_plan.per_gb?;
    let paid: f64 = weights
        .iter()
        .map(|weight| bytes_of(weight, plan) - free_of(weight, plan, prices))
        .sum();
    Some(paid / GB * (per_gb + of_plan.processing_per_gb.unwrap_or_default()))
}

/// The bytes of a weight, as a plan counts them.
pub fn bytes_of(weight: &Weight, plan: Plan) -> f64 {
    weight.billable(plan.counts_standard_columns())
}

/// Of them, those that cost nothing. Free tables are free on the analytics plan.
fn free_of(weight: &Weight, plan: Plan, prices: &Prices) -> f64 {
    match plan {
        Plan::Analytics if prices.is_free(&weight.table) => bytes_of(weight, plan),
        Plan::Analytics => weight.free_bytes,
        Plan::Basic | Plan::Auxiliary | Plan::Lake => 0.0,
    }
}

/// The bytes of a day; those without a time are on none.
#[derive(Default)]
struct Daily {
    /// Paid, before a licence pays for any of them.
    paid: f64,
    /// Of them, those of tables that a licence pays for.
    eligible: f64,
}

/// The bills of a plan: as you go, and of each tier.
fn options(weights: &[&Weight], span: u32, plan: Plan, prices: &Prices) -> Vec<Bill> {
    let Some(of_plan) = prices.of(plan) else {
        return Vec::new();
    };
    let benefit = prices.benefit.as_ref().filter(|_| plan == Plan::Analytics);
    let mut days: BTreeMap<Option<i32>, Daily> = BTreeMap::new();
    let (mut bytes, mut free) = (0.0, 0.0);
    for weight in weights {
        let own = bytes_of(weight, plan);
        let own_free = free_of(weight, plan, prices);
        bytes += own;
        free += own_free;
        let day = days.entry(weight.day).or_default();
        day.paid += own - own_free;
        if benefit.is_some_and(|benefit| benefit.is_for(&weight.table)) {
            day.eligible += own - own_free;
        }
    }
    let granted = |day: &Option<i32>, of: &Daily| match (benefit, day) {
        (Some(benefit), Some(_)) => benefit.bytes_per_day().min(of.eligible),
        _ => 0.0,
    };
    let benefit: f64 = days.iter().map(|(day, of)| granted(day, of)).sum();
    let keeping = kept(bytes - free, of_plan);
    let queries = queried(span, of_plan);
    let bill = |tier: Option<f64>, ingestion: f64| Bill {
        plan,
        tier,
        bytes,
        free,
        benefit,
        ingestion,
        keeping,
        queries,
    };
    let mut bills = Vec::new();
    if let Some(per_gb) = of_plan.per_gb {
        let rate = per_gb + of_plan.processing_per_gb.unwrap_or_default();
        bills.push(bill(None, (bytes - free - benefit) / GB * rate));
    }
    for tier in &of_plan.tiers {
        let dated = days.iter().filter(|(day, _)| day.is_some());
        let of_days: f64 = dated
            .clone()
            .map(|(day, of)| of_day(tier, of.paid - granted(day, of)))
            .sum();
        // A day without an event costs the tier too; records without a time what a GB costs within it.
        let empty = f64::from(span) - dated.count() as f64;
        let undated = days.get(&None).map_or(0.0, |of| of.paid);
        let rest = empty * tier.price_per_day + undated / GB * per_gb_of(tier);
        bills.push(bill(Some(tier.gb_per_day), of_days + rest));
    }
    bills
}

fn per_gb_of(tier: &Tier) -> f64 {
    tier.price_per_day / tier.gb_per_day
}

/// A day at a tier: beyond it a GB costs what it costs within (300 GB at a tier of 200 are 1.5 units).
fn of_day(tier: &Tier, bytes: f64) -> f64 {
    (bytes / GB / tier.gb_per_day).max(1.0) * tier.price_per_day
}

/// What it costs to keep bytes, until they are deleted.
fn kept(bytes: f64, of_plan: &PlanPrices) -> f64 {
    let of = |keep: Option<Keep>| {
        let Some((keep, price)) = keep.and_then(|keep| Some((keep, keep.per_gb_month?))) else {
            return 0.0;
        };
        let months = (keep.days - keep.free_days).max(0.0) / MONTH;
        bytes / GB / keep.compressed * months * price
    };
    of(of_plan.keep) + of(of_plan.then)
}

/// What queries cost in so many days.
fn queried(days: u32, of_plan: &PlanPrices) -> f64 {
    let gb = of_plan.queried_gb_per_month.unwrap_or_default() * f64::from(days) / MONTH;
    gb * of_plan.query_per_gb.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(table: &str, day: i32, gb: u64) -> Weight {
        Weight {
            table: table.into(),
            day: Some(day),
            records: 1,
            bytes: gb * 1_000_000_000,
            beside: 1_000_000_000,
            ..Weight::default()
        }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    fn of(text: &str) -> Prices {
        Prices::parse(text).expect("a price list")
    }

    #[test]
    fn above_a_tier_a_gb_costs_what_it_costs_within() {
        let prices = of("analytics: {per_gb: 3, tiers: [{gb_per_day: 200, price_per_day: 400}]}");
        // A day at 300 GB, one without an event and one at 50 GB.
        let weights = [weight("T", 0, 300), weight("T", 2, 50)];
        let bills = plans(&weights, &prices);
        assert_eq!(bills.len(), 2);
        assert!(near(bills[0].ingestion, 1050.0));
        assert_eq!(bills[1].tier, Some(200.0));
        assert!(near(bills[1].ingestion, 600.0 + 400.0 + 400.0));
        let undated = Weight {
            day: None,
            ..weight("T", 0, 10)
        };
        let bills = plans(&[undated], &prices);
        assert!(near(bills[1].ingestion, 20.0));
    }

    #[test]
    fn free_tables_and_the_licence_are_taken_off_day_by_day() {
        let prices = of("\
analytics: {per_gb: 2}
basic: {per_gb: 1}
free_tables: [OfficeActivity]
benefit: {users: 1000, mb_per_user_and_day: 5, tables: ['Cloud*']}
");
        let weights = [
            weight("CloudAppEvents", 0, 8),
            weight("CloudAppEvents", 1, 3),
            weight("OfficeActivity", 0, 7),
            weight("SigninLogs", 0, 1),
        ];
        let bills = plans(&weights, &prices);
        let analytics = &bills[0];
        assert!(near(analytics.bytes, 19e9) && near(analytics.free, 7e9));
        // 5 of the 8 GB of the first day, all of the second.
        assert!(near(analytics.benefit, 8e9));
        assert!(near(analytics.payable(), 4e9) && near(analytics.total(), 8.0));
        let basic = &bills[1];
        assert!(near(basic.payable(), 19e9) && near(basic.total(), 19.0));
    }

    #[test]
    fn the_lake_counts_more_columns_and_keeps_compressed() {
        let prices = of("\
lake: {per_gb: 0.5, processing_per_gb: 0.5, query_per_gb: 2, queried_gb_per_month: 30, keep: {days: 90, free_days: 30, per_gb_month: 6, compressed: 6}}
");
        let bills = plans(&[weight("T", 0, 11), weight("T", 9, 0)], &prices);
        let lake = &bills[0];
        assert!(near(lake.bytes, 13e9));
        assert!(near(lake.ingestion, 13.0));
        assert!(near(lake.keeping, 13.0 / 6.0 * 2.0 * 6.0));
        // Ten days of a month.
        assert!(near(lake.queries, 20.0));
    }

    #[test]
    fn tables_are_billed_on_the_plan_that_the_list_says() {
        let prices = of("\
analytics: {per_gb: 4, tiers: [{gb_per_day: 1, price_per_day: 3}]}
lake: {per_gb: 1}
tables: {CloudAppEvents: lake}
");
        let weights = [weight("CloudAppEvents", 0, 9), weight("SigninLogs", 0, 5)];
        let bills = as_planned(&weights, &prices).expect("all prices are known");
        assert_eq!(bills.len(), 2);
        assert_eq!((bills[0].plan, bills[0].tier), (Plan::Analytics, Some(1.0)));
        assert!(near(bills[0].total(), 15.0));
        assert!(near(bills[1].total(), 10.0));
        let unknown = of("analytics: {per_gb: 4}\ntables: {CloudAppEvents: basic}");
        assert_eq!(as_planned(&weights, &unknown), None);
        let nowhere_else = of("analytics: {per_gb: 4}");
        assert_eq!(as_planned(&weights, &nowhere_else), None);
    }
}
