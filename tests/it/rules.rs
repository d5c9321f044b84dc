//! Every rule of the built-in pack finds what it must and nothing else.

use coldtrail::engine::{Options, Session, Source};
use coldtrail::rules::{Conversions, load, tests};

use crate::rows;

#[test]
fn built_in_rules_pass_their_own_tests() {
    let pack = load(&[]).expect("the pack loads");
    let mut failed = Vec::new();
    let mut ran = 0;
    let sigma = Conversions::of_rules(&pack.rules);
    for rule in &pack.rules {
        match tests::run(rule, &sigma) {
            Ok(outcomes) => {
                for outcome in outcomes {
                    ran += 1;
                    if !outcome.passed() {
                        failed.push(format!(
                            "{}: {}: found {}, must find {} {}",
                            rule.id,
                            outcome.name,
                            outcome.found,
                            outcome.wanted,
                            outcome.error.unwrap_or_default()
                        ));
                    }
                }
            }
            Err(e) => failed.push(format!("{}: {e}", rule.id)),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(ran >= 2 * pack.rules.len(), "{ran} tests");
}

#[test]
fn what_rules_could_not_judge_can_be_counted() {
    let pack = load(&[]).expect("the pack loads");
    let options = Options::default();
    let mut session = Session::open(Source::Memory(Vec::new()), &options).expect("a session");
    for (name, need) in pack.rules.iter().flat_map(|rule| &rule.watchlists) {
        session
            .stand_in(name, &need.columns)
            .expect("an empty list");
    }
    let mut counted = 0;
    for rule in &pack.rules {
        let Some(unjudged) = &rule.unjudged else {
            continue;
        };
        counted += 1;
        assert_eq!(rows(&session, &unjudged.query), ["0"], "{}", rule.id);
        let list = unjudged.watchlist.as_deref().unwrap_or_default();
        assert!(rule.watchlists.contains_key(list), "{}", rule.id);
    }
    assert!(counted > 0);
}
