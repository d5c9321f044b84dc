//! Every rule of the built-in pack finds what it must and nothing else.

use coldtrail::rules::{load, tests};

#[test]
fn built_in_rules_pass_their_own_tests() {
    let pack = load(&[]).expect("the pack loads");
    let mut failed = Vec::new();
    let mut ran = 0;
    for rule in &pack.rules {
        match tests::run(rule) {
            Ok(outcomes) => {
                for outcome in outcomes {
                    ran += 1;
                    if !outcome.passed() {
                        failed.push(format!(
                            "{}: {}: found {}, must find {}",
                            rule.id, outcome.name, outcome.found, outcome.wanted
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
