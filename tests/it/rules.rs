//! Every rule of the built-in pack finds what it must and nothing else.

use std::collections::BTreeSet;

use coldtrail::catalog::{Table, catalog};
use coldtrail::engine::{Options, Session, Source, kql};
use coldtrail::kql::lexer::{TokenKind, lex};
use coldtrail::rules::{Conversions, Language, load, tests};

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

/// Tables that only this archive has, whatever else it calls a table.
const OWN_TABLES: [&str; 10] = [
    "ActivityExplorer",
    "AipServiceTrackingLog",
    "AipServiceUserLog",
    "InformationProtectionEvents",
    "Ingests",
    "LabelEvents",
    "OtherRecords",
    "Quarantine",
    "Revisions",
    "UnifiedAuditLog",
];

/// Names in a query that are columns of its tables here, and of none of them in their product.
fn own_columns<'q>(query: &'q str, asked: &[&Table]) -> BTreeSet<&'q str> {
    let (tokens, _) = lex(query);
    let text = |at: usize| tokens[at].span.of(query);
    let words = (0..tokens.len()).filter(|at| tokens[*at].kind == TokenKind::Word);
    let (mut named, mut given) = (BTreeSet::new(), BTreeSet::new());
    for at in words {
        let is_member = at > 0 && tokens[at - 1].kind == TokenKind::Dot;
        match tokens.get(at + 1).map(|next| next.kind) {
            // What the query itself calls so.
            Some(TokenKind::Assign) => _ = given.insert(text(at)),
            _ if is_member => {}
            _ => _ = named.insert(text(at)),
        }
    }
    let of_product = |name: &str| asked.iter().any(|table| table.product.contains(&name));
    // Every table of a workspace has it, whatever its page says.
    let is_time = |name: &str| name == "TimeGenerated";
    let of_ours = |name: &str| {
        let mut tables = asked.iter().filter(|table| !table.product.is_empty());
        let stored = tables.any(|table| table.columns.iter().any(|column| column.name == name));
        stored || ["_Source", "_Sources"].contains(&name)
    };
    let names = named.difference(&given).copied();
    names
        .filter(|&name| of_ours(name) && !of_product(name) && !is_time(name))
        .collect()
}

#[test]
fn rules_in_kql_can_be_taken_along() {
    let pack = load(&[]).expect("the pack loads");
    let session =
        Session::open(Source::Memory(Vec::new()), &Options::default()).expect("a session");
    let how = kql::Options {
        without_archive: true,
        ..kql::Options::default()
    };
    let mut faults = Vec::new();
    let in_kql = |rule: &&coldtrail::rules::Rule| rule.query.language == Language::Kql;
    for rule in pack.rules.iter().filter(in_kql) {
        let text = rule.query.text.as_str();
        session.begin();
        let checked = session.kql_check(text, &how);
        session.end();
        if let kql::Verdict::Refused(refused) = &checked.verdict {
            faults.push(format!("{}: {refused:?}", rule.id));
        }
        for table in checked.asked.iter().chain(&checked.needs.tables) {
            if OWN_TABLES.contains(&table.as_str()) {
                faults.push(format!("{}: `{table}` is a table of ours", rule.id));
            }
        }
        let asked = checked.asked.iter().filter_map(|name| catalog().get(name));
        let asked: Vec<&Table> = asked.collect();
        for column in own_columns(text, &asked) {
            faults.push(format!("{}: `{column}` is a column of ours", rule.id));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_column_of_ours_is_told_from_one_of_the_product() {
    let table = catalog().get("CloudAppEvents").expect("it is stored");
    let found = |query: &'static str| own_columns(query, &[table]).into_iter().collect::<Vec<_>>();
    assert_eq!(found("CloudAppEvents | where ActionType == 'a'"), [""; 0]);
    assert_eq!(found("CloudAppEvents | project _Source"), ["_Source"]);
    let given = "CloudAppEvents | extend _Source = 1 | project _Source";
    assert_eq!(found(given), [""; 0]);
}
