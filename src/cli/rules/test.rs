use serde_json::{Value, json};

use super::complaints;
use super::named::Paths;
use crate::cli::exit::Exit;
use crate::cli::set::{self, Settings};
use crate::cli::ui::{Ui, answer, count, counted};
use crate::engine::output::{harmless, visible};
use crate::fault::Result;
use crate::progress::Progress;
use crate::rules::tests::{self, Outcome};
use crate::rules::{self, Conversions, Rule, Trigger};

/// Run the tests that rules carry
///
/// A test is events, and how many findings they must give. Own rules have theirs in the header; those of a rule in any other format are in
/// `NAME.tests.yaml` beside its file `NAME.yaml`. `now()` is the time of the last event. Ends with 2 where a test fails,
/// with 20 where a rule beside those that pass cannot be loaded.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    rules: Paths,
    #[command(flatten)]
    set: Settings,
    /// text, or json: an array of {"file", "id", "ok", "error", "tests": [{"name", "ok", "found", "wanted", "rows", "error"}]}
    #[arg(short, long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
}

/// A rule, and what its tests gave.
struct Tested<'p> {
    rule: &'p Rule,
    outcomes: Vec<Outcome>,
    /// Why none of them ran.
    error: Option<String>,
}

impl Tested<'_> {
    fn is_ok(&self) -> bool {
        self.error.is_none() && self.outcomes.iter().all(Outcome::passed)
    }
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit> {
    let paths = args.rules.all();
    let mut pack = rules::load(&paths)?;
    if paths.is_empty() {
        // The questions of `ask` are no rules, but have tests as rules have.
        let questions = rules::questions();
        pack.rules.extend(questions.rules);
        pack.entries.extend(questions.entries);
    }
    let bad = complaints::tell(&pack, ui);
    args.set.apply(&mut pack)?;
    set::tell(&pack, ui);
    let sigma = Conversions::of_rules(&pack.rules);
    let bar = ui.progress();
    bar.rules(pack.rules.len());
    let tested: Vec<Tested<'_>> = pack
        .rules
        .iter()
        .map(|rule| {
            bar.rule(&rule.id);
            let (outcomes, error) = match tests::run(rule, &sigma) {
                Ok(outcomes) => (outcomes, None),
                Err(e) => (Vec::new(), Some(e.to_string())),
            };
            bar.rule_done();
            Tested {
                rule,
                outcomes,
                error,
            }
        })
        .collect();
    bar.done();
    if args.format == "json" {
        let list: Value = tested.iter().map(for_programs).collect();
        answer(&harmless(&format!("{list:#}\n")))?;
    } else {
        let lines: String = tested.iter().map(|one| for_people(one, ui)).collect();
        answer(&(lines + &totals(&tested)))?;
    }
    let outcomes = || tested.iter().flat_map(|one| &one.outcomes);
    let passed = outcomes().filter(|outcome| outcome.passed()).count();
    ui.counts(&[
        ("rules", tested.len() as u64),
        ("tests", outcomes().count() as u64),
        ("tests_failed", (outcomes().count() - passed) as u64),
    ]);
    Ok(match (tested.iter().all(Tested::is_ok), bad) {
        (false, _) => Exit::Usage,
        (true, 0) => Exit::Done,
        (true, _) if tested.is_empty() => Exit::Usage,
        // As a hunt ends that could not run all rules.
        (true, _) => Exit::Rules,
    })
}

fn for_people(tested: &Tested<'_>, ui: &Ui) -> String {
    let id = &tested.rule.id;
    let mut out = String::new();
    let mut failed = |what: &str| {
        out.push_str(&visible(&format!("failed  {id}: {what}")));
        out.push('\n');
    };
    if let Some(why) = &tested.error {
        failed(why);
    }
    for outcome in &tested.outcomes {
        let name = &outcome.name;
        if outcome.passed() {
            ui.tell(&visible(&format!("ok      {id}: {name}")));
        } else {
            failed(&format!("{name}: {}", why(outcome, tested.rule.trigger)));
        }
    }
    out
}

/// Why a test failed.
fn why(outcome: &Outcome, trigger: Trigger) -> String {
    let Outcome {
        wanted,
        found,
        rows,
        error,
        ..
    } = outcome;
    match error {
        // What is wrong with a query has lines of its own.
        Some(error) => error.lines().next().unwrap_or_default().to_string(),
        None if trigger.is_any() => format!("found {found}, must find {wanted}"),
        None => format!(
            "found {found}, must find {wanted}: its query gives {}, the trigger is {} {}",
            counted(*rows as u64, "row"),
            trigger.operator.name(),
            trigger.threshold
        ),
    }
}

fn totals(tested: &[Tested<'_>]) -> String {
    let outcomes = || tested.iter().flat_map(|one| &one.outcomes);
    let passed = outcomes().filter(|outcome| outcome.passed()).count();
    let broken = tested.iter().filter(|one| one.error.is_some()).count();
    let failed = outcomes().count() - passed + broken;
    let mut out = format!(
        "{} in {}: {passed} passed, {failed} failed",
        counted((passed + failed) as u64, "test"),
        counted(tested.len() as u64, "rule")
    );
    let without = tested.iter().filter(|one| one.rule.tests.is_empty());
    match without.count() {
        0 => {}
        1 => out.push_str("; 1 rule has none"),
        many => out.push_str(&format!("; {} rules have none", count(many as u64))),
    }
    out + "\n"
}

fn for_programs(tested: &Tested<'_>) -> Value {
    let outcomes = tested.outcomes.iter().map(|outcome| {
        json!({
            "name": outcome.name,
            "ok": outcome.passed(),
            "found": outcome.found,
            "wanted": outcome.wanted,
            "rows": outcome.rows,
            "error": outcome.error,
        })
    });
    json!({
        "file": tested.rule.place.file,
        "rule": tested.rule.place.number,
        "id": tested.rule.id,
        "name": tested.rule.name,
        "ok": tested.is_ok(),
        "error": tested.error,
        "tests": outcomes.collect::<Value>(),
    })
}
