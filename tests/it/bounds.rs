//! Bounds of a query: memory, time, depth, the disk. Each ends it with one sentence that says what to do.

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::command_line::run;
use crate::{ingest, project};

/// Some 30 MB of rows.
const ROWS: &str =
    "range x from 1 to 600000 step 1 | extend s = strcat('a text that takes some room ', x)";

fn archive(folder: &Path) -> String {
    let path = folder.join("archive");
    ingest(&path, &[project("sample-data/cloudappevents")]);
    path.to_string_lossy().into_owned()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn answer(arguments: &[&str]) -> String {
    let out = run(&[arguments, &["-f", "csv"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn operators_of_kql_stay_within_the_memory_limit() {
    for rest in [
        "serialize | extend p = prev(s) | count",
        "scan declare (n:long=0) with (step a: true => n = a.n + 1;) | count",
        "evaluate narrow() | count",
        "reduce by s | count",
        "as T | union T, (T | where x > 3) | serialize n = row_number() | count",
    ] {
        let query = format!("{ROWS} | {rest}");
        let out = run(&["--memory-limit", "16MiB", "kql", &query]);
        let said = said(&out);
        assert_eq!(out.status.code(), Some(3), "{rest}: {said}");
        assert!(said.starts_with("error: out of memory: "), "{rest}: {said}");
        assert!(said.contains("limit of 16 MiB"), "{rest}: {said}");
        assert!(said.contains("--memory-limit SIZE"), "{rest}: {said}");
        assert_eq!(said.lines().count(), 2, "{rest}: {said}");
    }
    let lists =
        "range x from 1 to 200 step 1 | extend a = range(1, 100000 + x) | mv-expand a | count";
    let out = run(&["--memory-limit", "16MiB", "kql", lists]);
    assert_eq!(out.status.code(), Some(3), "{}", said(&out));
}

#[test]
fn what_fits_is_answered_with_and_without_a_limit() {
    let query = format!("{ROWS} | serialize | extend p = prev(s) | count");
    assert_eq!(answer(&["kql", &query]), "Count\n600000\n");
    assert_eq!(
        answer(&["--memory-limit", "1GiB", "kql", &query]),
        "Count\n600000\n"
    );
    let help = run(&["sql", "--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains("60 %"), "{help}");
}

#[test]
fn sorts_beyond_the_memory_go_to_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let temp = folder.path().join("temp");
    std::fs::create_dir(&temp).expect("a folder");
    let mut rows = String::from("n,words\n");
    for n in 0..300_000_u64 {
        rows.push_str(&format!("{n},w{:0>60}\n", n * 7919 % 300_007));
    }
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, rows).expect("a file");
    let table = format!("T={}", file.display());
    let archive = archive(folder.path());
    let temp = temp.to_string_lossy().into_owned();
    let query = "SELECT n, words FROM T ORDER BY words DESC, n";
    let sorted = answer(&[
        "--threads",
        "2",
        "--memory-limit",
        "48MiB",
        "--temp-dir",
        &temp,
        "sql",
        "-a",
        &archive,
        "--table",
        &table,
        query,
    ]);
    assert_eq!(sorted.lines().count(), 300_001);
    let words: Vec<&str> = sorted.lines().skip(1).collect();
    let key = |line: &&str| line.split_once(',').map(|(_, words)| words.to_string());
    assert!(words.windows(2).all(|two| key(&two[0]) >= key(&two[1])));
    let left: Vec<_> = std::fs::read_dir(&temp).expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
    let nowhere = folder.path().join("nowhere");
    let out = run(&[
        "--temp-dir",
        &nowhere.to_string_lossy(),
        "sql",
        "-a",
        &archive,
        "SELECT 1",
    ]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("not a folder"), "{}", said(&out));
}

/// What a command says that is given a second, and that ends with this code.
fn given_up(arguments: &[&str], code: i32) -> String {
    let started = Instant::now();
    let out = run(arguments);
    let took = started.elapsed();
    let said = said(&out);
    assert_eq!(out.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(took < Duration::from_secs(10), "{arguments:?}: {took:?}");
    assert!(said.contains("no answer within 1 s: --timeout"), "{said}");
    said
}

/// Much to do in the query's own threads.
const LONG_SQL: &str = "WITH t AS (SELECT unnest(range(0, 300000)) AS x) \
    SELECT count(*) FROM t a CROSS JOIN t b WHERE md5(concat(a.x, '-', b.x)) LIKE 'abcdef%'";

#[test]
fn a_query_that_takes_too_long_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    given_up(&["sql", "-a", &archive, "--timeout", "1s", LONG_SQL], 3);
    for threads in ["1", "2"] {
        // Streams, rows that are gone through at once, a subquery, and a plan without end.
        let extends = " | extend x = x + 1".repeat(1500);
        for query in [
            "range x from 1 to 3000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 300000 step 1 | extend k = 1) on k | where hash_md5(strcat(x, y)) startswith 'abcdef' | count",
            "range x from 1 to 2000000 step 1 | serialize | extend p = prev(hash_sha256(hash_sha256(hash_sha256(hash_sha256(hash_sha256(hash_sha256(hash_sha256(tostring(x))))))))) | count",
            "let n = toscalar(range x from 1 to 3000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 300000 step 1 | extend k = 1) on k | where hash_md5(strcat(x, y)) startswith 'abcdef' | count); print n",
            &format!("print x = 1{extends}"),
        ] {
            given_up(&["--threads", threads, "kql", "--timeout", "1s", query], 3);
        }
    }
}

/// A rule that asks this.
fn rule(id: &str, sql: &str) -> String {
    format!("/*\nid: {id}\nname: {id}\nseverity: Low\n*/\n{sql}\n")
}

#[test]
fn a_rule_that_takes_too_long_or_too_much_harms_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    let terms = |n: usize, op: &str| {
        let terms: Vec<String> = (0..n).map(|i| format!("\"ActionType\" = 'x{i}'")).collect();
        format!("SELECT 1 AS a FROM CloudAppEvents WHERE {}", terms.join(op))
    };
    let union = vec!["SELECT 1 AS a"; 10_000].join(" UNION ALL ");
    for (id, sql) in [
        ("long", LONG_SQL),
        ("quick", "SELECT 1 AS a"),
        ("terms", terms(10_000, " OR ").as_str()),
        ("union", &union),
    ] {
        std::fs::write(rules.join(format!("{id}.sql")), rule(id, sql)).expect("a rule");
    }
    let rules = rules.to_string_lossy();
    let hunt = ["hunt", "-a", &archive, "-r", &rules, "--timeout", "3s"];
    let started = Instant::now();
    let out = run(&hunt);
    assert!(started.elapsed() < Duration::from_secs(30));
    let said = said(&out);
    let found = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(20), "{said}");
    assert!(
        said.contains("rule `long` did not run: the query failed: no answer within 3 s: --timeout"),
        "{said}"
    );
    assert!(
        said.contains("rule `union` did not run: the query failed: 10000 queries in one UNION"),
        "{said}"
    );
    assert!(!said.contains("`quick`"), "{said}");
    assert!(found.contains("quick"), "{found}");
}

#[test]
fn deep_queries_are_answered_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let terms = |n: usize, text: &str| -> Vec<String> {
        (0..n).map(|i| text.replace('#', &i.to_string())).collect()
    };
    let any = terms(10_000, "\"ActionType\" = 'x#'").join(" OR ");
    let sql = |text: &str| {
        let file = folder.path().join("query.sql");
        std::fs::write(&file, text).expect("a query");
        let file = file.to_string_lossy().into_owned();
        run(&["sql", "-a", &archive, "-f", "csv", "-F", &file])
    };
    let out = sql(&format!(
        "SELECT count(*) AS n FROM CloudAppEvents WHERE {any}"
    ));
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "n\n0\n",
        "{}",
        said(&out)
    );
    for (query, told) in [
        (
            vec!["SELECT 1"; 10_000].join(" UNION ALL "),
            "10000 queries",
        ),
        (
            format!("SELECT {}", vec!["1"; 10_000].join("+")),
            "deeper than",
        ),
        (
            format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
            "nest more than 50 deep",
        ),
    ] {
        let out = sql(&query);
        assert_eq!(out.status.code(), Some(2), "{}", said(&out));
        assert!(said(&out).contains(told), "{}", said(&out));
    }
    let kql = |text: &str| {
        let file = folder.path().join("query.kql");
        std::fs::write(&file, text).expect("a query");
        let file = file.to_string_lossy().into_owned();
        run(&["kql", "-f", "csv", "-F", &file])
    };
    let all = terms(10_000, "x != 'x#'").join(" and ");
    let out = kql(&format!("print x = 'a' | where {all}"));
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "x\na\n",
        "{}",
        said(&out)
    );
    let out = kql(&format!(
        "print {}1{}",
        "(".repeat(10_000),
        ")".repeat(10_000)
    ));
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
}

#[test]
fn rows_that_a_replayed_rule_gives_stay_within_the_memory_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    let rule = |name: &str, query: &str| {
        let text = format!(
            "id: {name}\nname: {name}\ndescription: Rows.\nseverity: Low\nkind: Scheduled\nqueryFrequency: 1d\nqueryPeriod: 1d\n\
             triggerOperator: gt\ntriggerThreshold: 0\ntactics: [Impact]\nrelevantTechniques: [T1485]\nquery: |\n  {query}\nversion: 1.0.0\n"
        );
        std::fs::write(rules.join(format!("{name}.yaml")), text).expect("a rule");
    };
    // 3 MB in columns, and many times that as JSON.
    let all = "range x from 1 to 60000 step 1 | extend s = strcat('a text that takes room ', x)";
    rule("17000000-0000-4000-8000-000000000001", all);
    rule(
        "17000000-0000-4000-8000-000000000002",
        &format!("{all} | count"),
    );
    let rules = rules.to_string_lossy().into_owned();
    let out = run(&[
        "--memory-limit",
        "16MiB",
        "hunt",
        "-a",
        &archive,
        "-r",
        &rules,
        "--replay",
        "--from",
        "2026-05-20",
        "--to",
        "2026-05-21",
    ]);
    let said = said(&out);
    assert_eq!(out.status.code(), Some(20), "{said}");
    assert!(said.contains("`rows of a run` needs"), "{said}");
    assert!(said.contains("--memory-limit SIZE"), "{said}");
    // The other rule goes on.
    assert!(said.contains("1 alert (1 low)"), "{said}");
}
