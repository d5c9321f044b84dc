//! Workers that die, stand still or are left in the middle: the same answer by others, or none; never half of one.

use std::time::{Duration, Instant};

use super::{
    Case, PATIENCE, SLOW, Worker, endless, first_to_begin, quick, rule, rules, same, takes,
    takes_long,
};
use crate::sweep::statuses;

/// The line of a hunt with these rules.
fn hunt(rules: &str) -> [&str; 5] {
    ["hunt", "-f", "json", "-r", rules]
}

#[test]
fn what_a_killed_worker_had_is_done_by_others() {
    let case = Case::shared();
    let (_folder, own) = rules(&[takes_long(SLOW), quick("quick")]);
    let line = [
        &hunt(&own)[..],
        &["-r", "builtin:mip", "--log-format", "json"],
    ]
    .concat();
    let alone = case.told(&[], &line);
    assert_eq!(alone.code, Some(0), "{}", alone.said);
    let workers = case.workers(3);
    let running = case.start(&workers, &line);
    let lost = first_to_begin(&workers, SLOW, &[]);
    workers[lost].kill();
    let told = running.told();
    assert_eq!(told.code, Some(0), "{}", told.said);
    same("one was killed", &told.answer, &alone.answer);
    assert_eq!(told.judged(), alone.judged());
    for (at, worker) in workers.iter().enumerate() {
        let is_named = told.said.contains(&worker.address);
        assert_eq!(is_named, at == lost, "{at}: {}", told.said);
    }
    // Another one took it.
    first_to_begin(&workers, SLOW, &[lost]);
}

#[test]
fn without_workers_every_open_rule_is_said_not_to_have_run() {
    let case = Case::shared();
    let names: Vec<String> = (0..6).map(|n| format!("open{n}")).collect();
    let mut files: Vec<(String, String)> = names.iter().map(|name| takes_long(name)).collect();
    files.extend(["one", "two", "three"].map(quick));
    let (_folder, own) = rules(&files);
    let alone = case.told(&[], &hunt(&own)).json();
    let workers = case.workers(3);
    let running = case.start(&workers, &hunt(&own));
    first_to_begin(&workers, "range open", &[]);
    workers.iter().for_each(Worker::kill);
    let told = running.told();
    assert_eq!(told.code, Some(20), "{}", told.said);
    let answer = told.json();
    let (known, all) = (statuses(&alone), statuses(&answer));
    assert_eq!(known.len(), all.len());
    let mut open = 0;
    for (rule, (status, reason)) in &all {
        let counted = &answer["summary"]["by_rule"][rule];
        if status != "not run" {
            assert_eq!(status, &known[rule].0, "{rule}");
            assert_eq!(counted, &alone["summary"]["by_rule"][rule], "{rule}");
            continue;
        }
        open += 1;
        assert!(reason.contains("worker"), "{rule}: {reason}");
        assert!(counted.is_null(), "{rule}: {counted}");
        let named = format!("rule `{rule}` did not run: ");
        assert!(told.said.contains(&named), "{rule}: {}", told.said);
    }
    assert!(open > 0, "{}", told.said);
    let findings = answer["findings"].as_array().expect("findings");
    let of_open = |rule: &str| all[rule].0 == "not run";
    for finding in findings {
        let rule = finding["rule"].as_str().expect("a rule");
        assert!(!of_open(rule), "{rule}");
    }
}

#[test]
fn a_query_that_kills_its_worker_kills_two_at_most() {
    let case = Case::shared();
    let mut files = vec![takes_long("poison")];
    let others: Vec<String> = (0..8).map(|n| format!("well{n}")).collect();
    files.extend(others.iter().map(|name| quick(name)));
    let (_folder, own) = rules(&files);
    let workers = case.workers(3);
    let running = case.start(&workers, &hunt(&own));
    let mut lost = Vec::new();
    while lost.len() < 2 {
        let at = first_to_begin(&workers, "range poison", &lost);
        workers[at].kill();
        lost.push(at);
    }
    let told = running.told();
    assert_eq!(told.code, Some(20), "{}", told.said);
    let all = statuses(&told.json());
    let (status, reason) = &all["poison"];
    assert_eq!(status, "not run");
    for at in &lost {
        assert!(reason.contains(&workers[*at].address), "{reason}");
    }
    for name in &others {
        assert_eq!(all[name].0, "found", "{name}: {}", all[name].1);
    }
    let left = (0..3).find(|at| !lost.contains(at)).expect("one of three");
    let left = &workers[left];
    assert!(!left.has_said("range poison"), "{:?}", left.log());
    assert!(!reason.contains(&left.address), "{reason}");
}

#[cfg(unix)]
#[test]
fn a_worker_that_stands_still_is_left() {
    let case = Case::shared();
    let (_folder, own) = rules(&[takes_long(SLOW), quick("quick")]);
    let alone = case.told(&[], &hunt(&own));
    let workers = case.workers(2);
    let running = case.start(&workers, &hunt(&own));
    let still = first_to_begin(&workers, SLOW, &[]);
    let begun = Instant::now();
    crate::crash::signal(&workers[still].child, "STOP");
    let told = running.told();
    // It is asked for a sign of life every few seconds, and left after ten without one.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(90), "{took:?}");
    assert_eq!(told.code, Some(0), "{}", told.said);
    same("one stands still", &told.answer, &alone.answer);
    assert!(told.said.contains(&workers[still].address), "{}", told.said);
}

#[test]
fn a_question_goes_to_the_next_worker_where_its_own_is_lost() {
    let case = Case::shared();
    let query = takes(SLOW, 6_000_000);
    let line = ["kql", &query, "-f", "json"];
    let alone = case.told(&[], &line);
    assert_eq!(alone.code, Some(0), "{}", alone.said);
    let workers = case.workers(2);
    let running = case.start(&workers, &line);
    let lost = first_to_begin(&workers, SLOW, &[]);
    workers[lost].kill();
    let told = running.told();
    assert_eq!(told.code, Some(0), "{}", told.said);
    assert_eq!(told.answer, alone.answer);
    assert!(told.said.contains(&workers[lost].address), "{}", told.said);
    // With nobody left there is no answer that could be taken for one.
    let left = &workers[1 - lost..][..1];
    let running = case.start(left, &["kql", &takes("another", 6_000_000), "-f", "json"]);
    first_to_begin(left, "another", &[]);
    left[0].kill();
    let told = running.told();
    assert_eq!(told.code, Some(3), "{}", told.said);
    let whole = serde_json::from_str::<serde_json::Value>(&told.answer);
    assert!(whole.is_err(), "{}", told.answer);
    assert!(told.said.contains(&left[0].address), "{}", told.said);
}

#[test]
fn a_worker_whose_coordinator_is_killed_serves_the_next() {
    let case = Case::shared();
    let (_folder, own) = rules(&[rule("endless", &endless("endless"))]);
    let workers = case.workers(1);
    let running = case.start(&workers, &hunt(&own));
    first_to_begin(&workers, "range endless", &[]);
    // It is killed.
    drop(running);
    let left = Instant::now();
    let told = loop {
        let told = case.told(&workers, &["kql", "print n = 1", "-f", "csv"]);
        if told.code == Some(0) {
            break told;
        }
        assert!(told.said.contains("busy"), "{}", told.said);
        assert!(left.elapsed() < PATIENCE, "{:?}", workers[0].log());
        std::thread::sleep(Duration::from_millis(100));
    };
    // The query of nobody does not go on for the ten minutes that a rule may take.
    let took = left.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(told.answer, "n\n1\n");
}

#[cfg(unix)]
#[test]
fn a_worker_that_is_ended_leaves_its_queries_to_others() {
    let case = Case::shared();
    let (_folder, own) = rules(&[takes_long(SLOW), quick("quick")]);
    let question = takes(SLOW, 6_000_000);
    for line in [&hunt(&own)[..], &["kql", &question, "-f", "json"]] {
        let alone = case.told(&[], line);
        let mut workers = case.workers(2);
        let running = case.start(&workers, line);
        let ended = first_to_begin(&workers, SLOW, &[]);
        crate::crash::signal(&workers[ended].child, "INT");
        let told = running.told();
        assert_eq!(told.code, Some(0), "{}", told.said);
        same("one was ended", &told.answer, &alone.answer);
        assert!(told.said.contains(&workers[ended].address), "{}", told.said);
        let status = workers[ended].child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{:?}", workers[ended].log());
    }
}

#[test]
fn an_answer_that_is_too_large_harms_no_other() {
    let case = Case::shared();
    let much = "range x from 1 to 1200000 step 1\n| extend h = hash_sha256(tostring(x))";
    let mut files = vec![rule("amuch", much)];
    files.extend(["one", "two", "three", "four"].map(quick));
    let (_folder, own) = rules(&files);
    let line = [&hunt(&own)[..], &["--memory-limit", "64MiB"]].concat();
    let told = case.told(&case.workers(1), &line);
    assert_eq!(told.code, Some(20), "{}", told.said);
    let all = statuses(&told.json());
    let (status, reason) = &all["amuch"];
    assert_eq!(status, "not run");
    assert!(reason.contains("out of memory"), "{reason}");
    for name in ["one", "two", "three", "four"] {
        assert_eq!(all[name].0, "found", "{name}: {}", all[name].1);
    }
}
