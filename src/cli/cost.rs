use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::answer::text_into_file;
use super::exit::Exit;
use super::global::Global;
use super::offered::of_rules;
use super::ui::{Ui, answer, bytes_text, count, counted, table};
use super::waiting::Waiting;
use super::when::Window;
use crate::archive::Archive;
use crate::catalog::{TYPE, catalog};
use crate::cost::bill::{self, Bill};
use crate::cost::prices::{self, Prices};
use crate::cost::readers::{Readers, readers};
use crate::cost::{GB, Plan, Told, Weight, day_text, disk, weigh};
use crate::engine::kql::Options;
use crate::engine::{Session, Source, output};
use crate::fault::Result;
use crate::function::value::UNIX_EPOCH_TICKS;
use crate::rules;

/// Operations that are shown where nobody says how many.
const TOP: usize = 20;

/// Show what the events would weigh and cost in Sentinel
///
/// Per table, operation and day: records, and their bytes as Log Analytics bills them. With --prices what they would cost on the
/// analytics, basic and auxiliary plans and in the data lake, and beside it what the archive takes on disk. The operations that weigh most, and
/// which of them no rule looks at. Repeats that were dropped are not counted: a workspace bills them too. Where an export has _BilledSize, it
/// counts instead of the estimate, whose error is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(
        short,
        long,
        value_name = "DIR",
        required_unless_present = "example_prices"
    )]
    archive: Option<PathBuf>,
    /// Price list: --example-prices writes one to fill in
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Write a price list without prices, with a word on each
    #[arg(long, conflicts_with_all = ["archive", "prices"])]
    example_prices: bool,
    /// Rules: files, folders or ids of built-in rules, `builtin:NAME` for a built-in pack; the built-in packs when not given. May be given several times
    #[arg(short, long, value_name = "RULES", value_parser = of_rules(), hide_possible_values = true)]
    rules: Vec<PathBuf>,
    /// Operations to show, the heaviest first; csv and json have all
    #[arg(long, value_name = "N", default_value_t = TOP)]
    top: usize,
    /// One line a day, too
    #[arg(long)]
    days: bool,
    /// table, json, or csv: a line for each table, operation and day
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json", "csv"])]
    format: String,
    #[command(flatten)]
    window: Window,
}

/// What is shown.
struct Weighed {
    weights: Vec<Weight>,
    /// Nothing where none was given.
    prices: Option<Prices>,
    readers: Readers,
    /// Bytes on disk: of the tables with events, and of everything.
    disk: (BTreeMap<String, u64>, u64),
}

/// Weights of one table, operation or day together.
#[derive(Default)]
struct Group<'w> {
    weights: Vec<&'w Weight>,
    records: u64,
    /// As the analytics plan counts them.
    bytes: f64,
    told: Told,
}

pub(super) fn run(args: &Args, global: &Global, ui: &Ui) -> Result<Exit> {
    // clap asks for it unless the example is wanted.
    match &args.archive {
        None => answer(prices::EXAMPLE)?,
        Some(path) => answer(&weighed(args, path, global, ui)?)?,
    }
    Ok(Exit::Done)
}

/// What events weigh, as a text in the format that is asked for.
fn weighed(args: &Args, path: &Path, global: &Global, ui: &Ui) -> Result<String> {
    let prices = args.prices.as_deref().map(Prices::read).transpose()?;
    let pack = rules::load_to_run(&args.rules)?;
    let refused = pack.entries.iter().filter(|e| e.refusal().is_some());
    let refused = refused.count() as u64;
    if refused > 0 {
        ui.warn(&format!(
            "{} cannot run and count as reading nothing: `coldtrail rules check` says why",
            counted(refused, "rule")
        ));
    }
    let archive = Archive::open_to_ask(path)?;
    let session = Session::open(
        Source::Archive(&archive),
        &global.engine(Some(&args.window))?,
    )?;
    let now = args.window.now();
    let how = Options {
        now: now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS),
        ..Options::default()
    };
    let waiting = Waiting::begin(ui, "weighing events");
    let weighed = Weighed {
        weights: weigh(&session)?,
        prices,
        readers: readers(&session, &pack.rules, &how)?,
        disk: disk(&archive.snapshot()?),
    };
    drop(waiting);
    let records = weighed.weights.iter().map(|weight| weight.records);
    ui.counts(&[("records", records.sum())]);
    let text = match args.format.as_str() {
        "json" => output::harmless(&format!("{:#}\n", weighed.json())),
        "csv" => weighed.csv(),
        _ => weighed.text(args.top, args.days),
    };
    for name in weighed.strangers() {
        ui.warn(&format!(
            "the price list puts `{name}` on a plan: no record of such a table is weighed"
        ));
    }
    for (id, why) in &weighed.readers.unread {
        ui.warn(&format!("what rule `{id}` reads is not known: {why}"));
    }
    Ok(text)
}

/// Writes what the events of an archive weigh, and cost where there are prices, into a file; its extension says the format: .csv, .json, else a table.
pub(super) fn write(
    archive: &Path,
    (rules, prices): (Vec<PathBuf>, Option<PathBuf>),
    file: &Path,
    global: &Global,
    ui: &Ui,
) -> Result<()> {
    let extension = file.extension().and_then(OsStr::to_str);
    let known = |extension: &&str| matches!(*extension, "csv" | "json");
    let format = extension.filter(known).unwrap_or("table");
    let args = Args {
        archive: None,
        prices,
        example_prices: false,
        rules,
        top: TOP,
        days: false,
        format: format.into(),
        window: Window::default(),
    };
    text_into_file(file, &weighed(&args, archive, global, ui)?)
}

impl Weighed {
    fn groups<K: Ord>(&self, key: impl Fn(&Weight) -> K) -> BTreeMap<K, Group<'_>> {
        let mut groups: BTreeMap<K, Group<'_>> = BTreeMap::new();
        for weight in &self.weights {
            let group = groups.entry(key(weight)).or_default();
            group.records += weight.records;
            group.bytes += bill::bytes_of(weight, Plan::Analytics);
            group.told.add(&weight.told);
            group.weights.push(weight);
        }
        groups
    }

    fn bytes(&self, plan: Plan) -> f64 {
        self.weights.iter().map(|w| bill::bytes_of(w, plan)).sum()
    }

    fn told(&self) -> Told {
        let mut told = Told::default();
        for weight in &self.weights {
            told.add(&weight.told);
        }
        told
    }

    /// Plans on which a table costs something that is known.
    fn priced(&self) -> Vec<Plan> {
        let Some(prices) = &self.prices else {
            return Vec::new();
        };
        let known = |plan: &Plan| prices.of(*plan).is_some_and(|p| p.per_gb.is_some());
        Plan::ALL.into_iter().filter(known).collect()
    }

    /// Tables and operations with their groups, the heaviest first.
    fn operations(&self) -> Vec<((String, String), Group<'_>)> {
        let groups = self.groups(|w| (w.table.clone(), w.operation.clone()));
        let mut groups: Vec<_> = groups.into_iter().collect();
        // Equal ones stay in the order of their names.
        groups.sort_by(|a, b| b.1.bytes.total_cmp(&a.1.bytes));
        groups
    }

    /// Tables that the price list puts on plans and of which there is no record: they may be misspelled.
    fn strangers(&self) -> Vec<&str> {
        let listed = self.prices.iter().flat_map(|prices| prices.tables.keys());
        listed
            .map(String::as_str)
            .filter(|name| self.weights.iter().all(|weight| weight.table != **name))
            .collect()
    }

    /// Rules over a table that is on a plan over which none runs: rule, table, plan.
    fn idle(&self) -> Vec<(&str, &str, Plan)> {
        let Some(prices) = &self.prices else {
            return Vec::new();
        };
        let all = self.readers.tables.iter();
        let pairs = all.flat_map(|(id, tables)| tables.iter().map(move |t| (id, t)));
        let pairs = pairs.map(|(id, t)| (id.as_str(), t.as_str(), prices.plan_of(t)));
        pairs.filter(|idle| idle.2 != Plan::Analytics).collect()
    }

    fn bills(&self) -> (Vec<Bill>, Option<Vec<Bill>>) {
        match &self.prices {
            Some(prices) => (
                bill::plans(&self.weights, prices),
                bill::as_planned(&self.weights, prices),
            ),
            None => (Vec::new(), None),
        }
    }

    fn currency(&self) -> Option<&str> {
        self.prices.as_ref()?.currency.as_deref()
    }

    /// An amount as the head of a column names it.
    fn money(&self, name: &str) -> String {
        match self.currency() {
            Some(currency) => format!("{name} ({currency})"),
            None => name.to_string(),
        }
    }
}

/// Bytes for people.
fn bytes_of(bytes: f64) -> String {
    bytes_text(bytes.max(0.0).round() as u64)
}

/// A share of 100.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A part of a whole, where there is one.
fn share(part: f64, whole: f64) -> String {
    match whole > 0.0 {
        true => percent(part / whole),
        false => String::new(),
    }
}

/// An amount. What is less than half of the smallest is not nothing.
fn amount(amount: f64) -> String {
    match amount > 0.0 && amount < 0.005 {
        true => "<0.01".into(),
        false => format!("{amount:.2}"),
    }
}

// As a table to read.
impl Weighed {
    fn text(&self, top: usize, days: bool) -> String {
        let mut text = self.tables_text();
        text.push('\n');
        for line in self.facts() {
            text.push_str(&line);
            text.push('\n');
        }
        if days {
            text.push('\n');
            text.push_str(&self.days_text());
        }
        let (plans, planned) = self.bills();
        if self.prices.is_some() {
            text.push('\n');
            text.push_str(&self.plans_text(&plans, planned.as_deref()));
        }
        text.push('\n');
        text.push_str(&self.operations_text(top));
        for (id, name, plan) in self.idle() {
            let line = format!(
                "rule `{id}` reads `{name}`, which is on the {} plan: no analytics rule runs there",
                plan.name()
            );
            text.push_str(&output::visible(&line));
            text.push('\n');
        }
        text
    }

    fn tables_text(&self) -> String {
        let priced = self.priced();
        let mut header: Vec<String> = ["table", "records", "weighs", "a record", "on disk"]
            .map(String::from)
            .to_vec();
        header.extend(priced.iter().map(|plan| self.money(plan.name())));
        let rows: Vec<Vec<String>> = self
            .groups(|weight| weight.table.clone())
            .into_iter()
            .map(|(name, group)| {
                let on_disk = self.disk.0.get(&name);
                let mut row = vec![
                    name,
                    count(group.records),
                    bytes_of(group.bytes),
                    bytes_of(group.bytes / group.records.max(1) as f64),
                    on_disk.map_or(String::new(), |bytes| bytes_text(*bytes)),
                ];
                row.extend(priced.iter().map(|plan| {
                    let prices = self.prices.as_ref();
                    let cost = prices.and_then(|p| bill::of_table(&group.weights, *plan, p));
                    cost.map_or(String::new(), amount)
                }));
                row
            })
            .collect();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let right: Vec<usize> = (1..header.len()).collect();
        table(&header, &rows, &right)
    }

    /// What is to be said of everything together.
    fn facts(&self) -> Vec<String> {
        let all = self.bytes(Plan::Analytics);
        let records: u64 = self.weights.iter().map(|w| w.records).sum();
        let mut line = format!("{} weigh {}", counted(records, "record"), bytes_of(all));
        let days = || self.weights.iter().filter_map(|w| w.day);
        if let (Some(first), Some(last)) = (days().min(), days().max()) {
            let span = bill::days(&self.weights);
            line.push_str(&format!(
                " in {}, {} to {}",
                counted(u64::from(span), "day"),
                day_text(first),
                day_text(last)
            ));
        }
        let on_disk = self.disk.1;
        let mut lines = vec![
            line,
            format!(
                "on the auxiliary plan and in the data lake they weigh {}",
                bytes_of(self.bytes(Plan::Auxiliary))
            ),
            format!("the archive takes {} on disk", bytes_text(on_disk)),
        ];
        lines.push(match (self.told().mean_error(), self.told().drift()) {
            (Some(mean), Some(drift)) => format!(
                "_BilledSize stands in {}: estimates are off by {} of it on average, all together by {:+.1} %",
                counted(self.told().records, "record"),
                percent(mean),
                drift * 100.0
            ),
            _ => "no export says in _BilledSize what was billed: all of this is estimated".into(),
        });
        let tables = self.groups(|weight| weight.table.clone()).into_keys();
        let is_ours = |name: &String| {
            let known = catalog().get(name);
            known.is_some_and(|table| table.export_position(TYPE).is_none())
        };
        let ours: Vec<String> = tables.filter(is_ours).collect();
        if !ours.is_empty() {
            let ours = ours.join(", ");
            lines.push(format!(
                "no tables of Sentinel, weighed as custom ones: {ours}"
            ));
        }
        lines
    }

    fn days_text(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .groups(|weight| weight.day)
            .into_iter()
            .map(|(day, group)| {
                vec![
                    day.map_or_else(|| "no time".into(), day_text),
                    count(group.records),
                    bytes_of(group.bytes),
                ]
            })
            .collect();
        table(&["day", "records", "weighs"], &rows, &[1, 2])
    }

    fn plans_text(&self, plans: &[Bill], planned: Option<&[Bill]>) -> String {
        if plans.is_empty() {
            return "the price list has no price for a GB of any plan\n".into();
        }
        let days = f64::from(bill::days(&self.weights).max(1));
        let row = |name: String, bills: &[&Bill]| {
            let sum = |of: fn(&Bill) -> f64| bills.iter().map(|bill| of(bill)).sum::<f64>();
            let total = sum(Bill::total);
            vec![
                name,
                bytes_of(sum(|bill| bill.bytes)),
                bytes_of(sum(|bill| bill.free)),
                bytes_of(sum(|bill| bill.benefit)),
                amount(sum(|bill| bill.ingestion)),
                amount(sum(|bill| bill.keeping)),
                amount(sum(|bill| bill.queries)),
                amount(total),
                amount(total / days * 30.0),
            ]
        };
        let mut rows: Vec<Vec<String>> = plans
            .iter()
            .map(|bill| {
                let name = match (bill.plan, bill.tier) {
                    (plan, Some(tier)) => format!("{}, {tier} GB a day", plan.name()),
                    (Plan::Analytics, None) => "analytics, as you go".into(),
                    (plan, None) => plan.name().into(),
                };
                row(name, &[bill])
            })
            .collect();
        if let Some(planned) = planned {
            let all: Vec<&Bill> = planned.iter().collect();
            rows.push(row("as the list puts tables".into(), &all));
        }
        let total = self.money("total");
        let header = [
            "plan",
            "weighs",
            "free",
            "licence",
            "ingestion",
            "keeping",
            "queries",
            total.as_str(),
            "30 days",
        ];
        table(&header, &rows, &[1, 2, 3, 4, 5, 6, 7, 8])
    }

    fn operations_text(&self, top: usize) -> String {
        let all = self.bytes(Plan::Analytics);
        let operations = self.operations();
        let rows: Vec<Vec<String>> = operations
            .iter()
            .take(top)
            .map(|((of, operation), group)| {
                let rules = match self.readers.count(of, operation) {
                    0 => "none".into(),
                    rules => count(rules as u64),
                };
                vec![
                    of.clone(),
                    operation.clone(),
                    count(group.records),
                    bytes_of(group.bytes),
                    share(group.bytes, all),
                    rules,
                ]
            })
            .collect();
        let header = ["table", "operation", "records", "weighs", "share", "rules"];
        let mut text = table(&header, &rows, &[2, 3, 4, 5]);
        if operations.len() > top {
            let more = (operations.len() - top) as u64;
            text.push_str(&format!("and {} more; -f csv has all\n", count(more)));
        }
        let is_unread = |((of, operation), _): &&((String, String), Group<'_>)| {
            self.readers.count(of, operation) == 0
        };
        let unread: Vec<_> = operations.iter().filter(is_unread).collect();
        let bytes: f64 = unread.iter().map(|one| one.1.bytes).sum();
        text.push_str(&format!(
            "\nno rule of {} looks at {} of {}, which weigh {}",
            self.readers.rules,
            count(unread.len() as u64),
            counted(operations.len() as u64, "operation"),
            bytes_of(bytes)
        ));
        if all > 0.0 {
            text.push_str(&format!(" ({})", share(bytes, all)));
        }
        text.push('\n');
        text
    }
}

// For programs.
impl Weighed {
    fn csv(&self) -> String {
        let mut text = String::from(
            "table,operation,day,records,bytes,auxiliary_bytes,billed_records,billed_bytes,free_records,rules\n",
        );
        for weight in &self.weights {
            let cells = [
                output::csv(&weight.table),
                output::csv(&weight.operation),
                weight.day.map_or_else(String::new, day_text),
                weight.records.to_string(),
                weight.bytes.to_string(),
                (weight.bytes + weight.beside).to_string(),
                weight.told.records.to_string(),
                format!("{:.0}", weight.told.billed),
                weight.free_records.to_string(),
                self.readers
                    .count(&weight.table, &weight.operation)
                    .to_string(),
            ];
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }

    fn json(&self) -> Value {
        let (plans, planned) = self.bills();
        let told = self.told();
        let days = self.groups(|weight| weight.day).into_iter();
        let tables = self.groups(|weight| weight.table.clone()).into_iter();
        let operations = self.operations().into_iter();
        let no_rules = BTreeSet::new();
        let idle = self.idle().into_iter();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "days_spanned": bill::days(&self.weights),
            "currency": self.currency(),
            "bytes": whole(self.bytes(Plan::Analytics)),
            "auxiliary_bytes": whole(self.bytes(Plan::Auxiliary)),
            "bytes_on_disk": self.disk.1,
            "billed": {
                "records": told.records,
                "bytes": whole(told.billed),
                "estimated_bytes": told.estimated,
                "mean_error": told.mean_error().map(rounded),
                "drift": told.drift().map(rounded),
            },
            "tables": tables.map(|(name, group)| json!({
                "table": name,
                "records": group.records,
                "bytes": whole(group.bytes),
                "bytes_on_disk": self.disk.0.get(&name),
                "billed_records": group.told.records,
                "mean_error": group.told.mean_error().map(rounded),
                "ingestion": self.costs(&group),
            })).collect::<Value>(),
            "plans": plans.iter().map(of_bill).collect::<Value>(),
            "as_planned": planned.map(|bills| bills.iter().map(of_bill).collect::<Value>()),
            "days": days.map(|(day, group)| json!({
                "day": day.map(day_text),
                "records": group.records,
                "bytes": whole(group.bytes),
            })).collect::<Value>(),
            "operations": operations.map(|((name, operation), group)| json!({
                "table": name,
                "records": group.records,
                "bytes": whole(group.bytes),
                "rules": self.readers.of(&name, &operation).unwrap_or(&no_rules),
                "operation": operation,
            })).collect::<Value>(),
            "rules": {
                "looked_at": self.readers.rules,
                "read_every_operation": self.readers.of_all,
                "not_understood": self.readers.unread,
                "do_not_run": idle.map(|(id, name, plan)| json!({
                    "rule": id, "table": name, "plan": plan.name(),
                })).collect::<Value>(),
            },
        })
    }

    /// What taking in a table costs on each plan, as you go.
    fn costs(&self, group: &Group<'_>) -> Value {
        let Some(prices) = &self.prices else {
            return Value::Null;
        };
        let costs = self.priced().into_iter().filter_map(|plan| {
            let cost = bill::of_table(&group.weights, plan, prices)?;
            Some((plan.name().to_string(), json!(rounded(cost))))
        });
        Value::Object(costs.collect())
    }
}

fn of_bill(bill: &Bill) -> Value {
    json!({
        "plan": bill.plan.name(),
        "gb_per_day": bill.tier,
        "gb": rounded(bill.bytes / GB),
        "free_gb": rounded(bill.free / GB),
        "licence_gb": rounded(bill.benefit / GB),
        "ingestion": rounded(bill.ingestion),
        "keeping": rounded(bill.keeping),
        "queries": rounded(bill.queries),
        "total": rounded(bill.total()),
    })
}

/// Bytes as a whole number.
fn whole(bytes: f64) -> u64 {
    bytes.max(0.0).round() as u64
}

/// A number with what is sure of its digits: sums of threads differ in the last ones.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}
