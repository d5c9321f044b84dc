//! Functions that look at other rows, one inside the other and beside each other, and what an answer that fails leaves behind.

use crate::command_line::run;
use crate::{ingest, project};

const ROWS: &str = "datatable(n:long, g:string, t:datetime)
    [2, 'a', datetime(2026-01-01 00:05), 1, 'a', datetime(2026-01-01), 3, 'b', datetime(2026-01-01 00:07)]";

fn archive() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data/cloudappevents")]);
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// The rows of an answer in CSV, without its header, in one line.
fn rows(query: &str) -> String {
    let out = run(&["kql", "-f", "csv", query]);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{query}: {errors}");
    let all = String::from_utf8_lossy(&out.stdout).into_owned();
    let rows: Vec<&str> = all.lines().skip(1).collect();
    rows.join(" ")
}

#[test]
fn window_functions_behind_a_sort_take_those_of_other_rows() {
    for (extended, want) in [
        ("s = row_cumsum(prev(n))", "0 1 3"),
        ("s = row_cumsum(next(n))", "2 5 5"),
        ("s = row_cumsum(coalesce(prev(n), 0))", "0 1 3"),
        ("s = row_cumsum(t - prev(t))", "00:00:00 00:05:00 00:07:00"),
        (
            "s = row_cumsum(datetime_diff('minute', t, prev(t)))",
            "0 5 7",
        ),
        (
            "s = row_cumsum(iff(prev(g) == g, 0, 1)), p = prev(g)",
            "1, 1,a 2,a",
        ),
        ("s = prev(prev(n)), p = prev(n)", ", ,1 1,2"),
        (
            "s = iff(isnull(prev(n)), -1, prev(n) * prev(n) + prev(prev(n), 1, 0))",
            "-1  5",
        ),
    ] {
        for order in ["sort by n asc", "sort by n asc | serialize"] {
            let names = match extended.contains(", p =") {
                true => "s, p",
                false => "s",
            };
            let query = format!("{ROWS} | {order} | extend {extended} | project {names}");
            assert_eq!(rows(&query), want, "{query}");
        }
    }
}

#[test]
fn a_column_whose_name_is_put_together_is_found() {
    let (_folder, archive) = archive();
    let answer = |name: &str| {
        let query = format!(
            "let p = 'Ci'; CloudAppEvents | project City = column_ifexists({name}, 'none') | summarize count() by City | sort by City asc"
        );
        let out = run(&["kql", "-a", &archive, "-f", "csv", &query]);
        assert_eq!(out.status.code(), Some(0), "{query}");
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let named = answer("'City'");
    assert!(!named.contains("none"), "{named}");
    for name in [
        "strcat('Ci', 'ty')",
        "strcat(p, 'ty')",
        "substring('xCity', 1)",
    ] {
        assert_eq!(answer(name), named, "{name}");
    }
}

#[test]
fn a_query_that_fails_before_its_first_row_writes_nothing() {
    let (_folder, archive) = archive();
    for format in ["csv", "json", "ndjson", "markdown", "kusto"] {
        let query = "SELECT CAST(column1 AS BIGINT) FROM (VALUES ('1'), ('a')) AS t ORDER BY 1";
        let out = run(&["sql", "-a", &archive, "-f", format, query]);
        assert_eq!(out.status.code(), Some(2), "{format}");
        assert!(
            out.stdout.is_empty(),
            "{format}: {}",
            String::from_utf8_lossy(&out.stdout)
        );
    }
    let nothing = "SELECT 1 AS a WHERE false";
    let empty = run(&["sql", "-a", &archive, "-f", "json", nothing]);
    assert_eq!(String::from_utf8_lossy(&empty.stdout), "[]\n");
}

#[test]
fn a_guard_for_a_column_sees_the_columns_that_nothing_else_names() {
    let (_folder, archive) = archive();
    for (query, want) in [
        ("CloudAppEvents | where iscolumnexists('City') | count", "0"),
        (
            "CloudAppEvents | where not(iscolumnexists('City')) | count",
            "0",
        ),
    ] {
        let out = run(&["kql", "-a", &archive, "-f", "csv", query]);
        let all = String::from_utf8_lossy(&out.stdout).into_owned();
        assert_eq!(out.status.code(), Some(0), "{query}");
        let is_empty = all.lines().nth(1) == Some(want);
        assert_eq!(is_empty, query.contains("not("), "{query}: {all}");
    }
}

#[test]
fn a_table_of_another_database_behind_a_name_is_told_as_that() {
    for place in [
        "database('y')",
        "cluster('x').database('y')",
        "workspace('a')",
    ] {
        let query = format!("let T = {place}.SigninLogs; T | count");
        let out = run(&["kql", &query]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains("other databases"), "{query}: {said}");
    }
}

#[test]
fn a_set_that_goes_to_the_disk_comes_back_whole() {
    let query = "range x from 1 to 1500000 step 1
        | summarize s = make_set(strcat('a text that takes some room ', tostring(x))), d = dcount(x * 2) by k = x % 150000
        | summarize sum(array_length(s)), sum(d)";
    let out = run(&["--memory-limit", "256MiB", "kql", "-f", "csv", query]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    let rows = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(rows.lines().nth(1), Some("1500000,1500000"));
}

#[test]
fn tables_that_are_made_of_each_other_are_compared_once() {
    let mut query = String::from("let a0 = materialize(range x from 1 to 2 step 1);\n");
    for depth in 1..=40 {
        let below = depth - 1;
        query.push_str(&format!(
            "let a{depth} = materialize(a{below} | union a{below} | take 2);\n"
        ));
    }
    query.push_str("let n = toscalar(a40 | count); a40 | extend n = n | summarize sum(n)");
    assert_eq!(rows(&query), "4");
}
