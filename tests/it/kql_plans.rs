//! What a plan of KQL reads: columns that the query names, files that can hold its rows, and rows as they come from a sort.

use std::path::Path;

use crate::command_line::run;
use crate::{ingest, project};

/// An archive of the samples.
fn archive() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// What a run says, which must be right.
fn said(arguments: &[&str]) -> String {
    let out = run(arguments);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// A query in SQL, and how it is run.
fn explained(archive: &str, query: &str) -> (String, String) {
    let all = said(&["kql", "-a", archive, "--explain", query]);
    let (sql, rest) = all.split_once("-- Plan").expect("SQL and a plan");
    let (_, execution) = rest.split_once("-- Execution").expect("an execution");
    (sql.to_string(), execution.to_string())
}

/// The rows of an answer, without its header, in one line.
fn rows(arguments: &[&str]) -> String {
    let all = said(&[&["kql", "-f", "csv"][..], arguments].concat());
    let rows: Vec<&str> = all.lines().skip(1).collect();
    rows.join(" ")
}

fn table(folder: &Path, content: &str) -> String {
    let path = folder.join("t.csv");
    std::fs::write(&path, content).expect("a file");
    format!("T={}", path.display())
}

#[test]
fn a_column_is_read_when_its_whole_name_stands_in_the_query() {
    let (_folder, archive) = archive();
    for query in [
        "CloudAppEvents | sort by TimeGenerated desc | project AccountObjectId",
        "CloudAppEvents | where ActionType != 'ObjectId' | sort by TimeGenerated | project ActionType // ObjectId",
    ] {
        let (sql, _) = explained(&archive, query);
        assert!(!sql.contains("\"ObjectId\""), "{query}: {sql}");
    }
    let (sql, _) = explained(&archive, "CloudAppEvents | project ObjectId");
    assert!(sql.contains("\"ObjectId\""), "{sql}");
}

#[test]
fn a_column_of_both_sides_of_a_join_is_read_by_its_second_name_too() {
    let (_folder, archive) = archive();
    let query = "SigninLogs | join kind=inner (SigninLogs | where isnotempty(IPAddress)) on CorrelationId \
                 | extend x = column_ifexists('IPAddress1', 'none') | where x == 'none' | summarize count()";
    assert_eq!(rows(&["-a", &archive, query]), "0");
}

#[test]
fn a_saved_function_that_is_not_called_brings_no_columns() {
    let (_folder, archive) = archive();
    let saved = tempfile::tempdir().expect("a folder");
    let function = "LabelEvents | project Action, _Source";
    std::fs::write(saved.path().join("Sources.kql"), function).expect("a function");
    let functions = saved.path().to_string_lossy().into_owned();
    let asked = |query: &str| {
        let archive = ["kql", "-a", &archive, "--saved-functions", &functions];
        said(&[&archive[..], &["-f", "csv", query]].concat())
    };
    let header = |answer: String| answer.lines().next().unwrap_or_default().to_string();
    assert!(!header(asked("LabelEvents | take 1")).contains("_Source"));
    assert_eq!(header(asked("Sources | take 1")), "Action,_Source");
}

#[test]
fn lists_starts_and_kept_paths_pass_files_over() {
    let (_folder, archive) = archive();
    for (query, bound) in [
        (
            "SigninLogs | where UserPrincipalName in ('a', 'b') | count",
            "UserPrincipalName_min",
        ),
        (
            "SigninLogs | where UserPrincipalName startswith_cs 'a' | count",
            "UserPrincipalName_min",
        ),
        (
            "SigninLogs | where IPAddress startswith '10.' | count",
            "IPAddress_min",
        ),
        (
            "CloudAppEvents | where tostring(RawEventData.Operation) == 'a' | count",
            "RawEventData_Operation_min",
        ),
        (
            "CloudAppEvents | extend Did = tostring(RawEventData.Operation) | where Did in ('a', 'b') | count",
            "RawEventData_Operation_min",
        ),
        (
            "CloudAppEvents | where ApplicationId in (1, 2) | count",
            "ApplicationId_min",
        ),
    ] {
        let (_, execution) = explained(&archive, query);
        assert!(execution.contains(bound), "{query}: {execution}");
    }
    let query = "SigninLogs | where TimeGenerated == datetime(1999-01-01) | count";
    let (_, execution) = explained(&archive, query);
    assert!(!execution.contains("SigninLogs/"), "{execution}");
    // The same rows as those that are found one by one.
    for (condition, same) in [
        (
            "tostring(RawEventData.Operation) in ('FileAccessed', 'MipLabel')",
            "strcat(tostring(RawEventData.Operation), '') in ('FileAccessed', 'MipLabel')",
        ),
        (
            "ActionType startswith_cs 'File'",
            "substring(ActionType, 0, 4) == 'File'",
        ),
        (
            "TimeGenerated == oldest",
            "tolong(TimeGenerated) == tolong(oldest)",
        ),
    ] {
        let count = |condition: &str| {
            let query = format!(
                "let oldest = toscalar(CloudAppEvents | summarize min(TimeGenerated)); \
                 CloudAppEvents | where {condition} | count"
            );
            rows(&["-a", &archive, &query])
        };
        assert_eq!(count(condition), count(same), "{condition}");
        assert_ne!(count(condition), "0", "{condition}");
    }
}

#[test]
fn a_text_that_begins_so_is_found_whatever_follows() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = table(
        folder.path(),
        "n,s\n1,ab\n2,abc\n3,AB\n4,\n5,ac\n6,ab\u{10ffff}x\n7,10.1\n8,10/1\n9,1\n",
    );
    for (condition, want) in [
        ("s startswith_cs 'ab'", "1 2 6"),
        ("s startswith 'ab'", "1 2 3 6"),
        ("s !startswith_cs 'ab'", "3 4 5 7 8 9"),
        ("s startswith '10.'", "7"),
        ("s startswith_cs ''", "1 2 3 4 5 6 7 8 9"),
        ("not(s startswith_cs 'a')", "3 4 7 8 9"),
        ("s in ('ab', 'ac')", "1 5"),
        ("s in ('ab', '')", "1 4"),
        ("s !in ('ab', 'ac')", "2 3 4 6 7 8 9"),
        ("n in (1, 9, 12)", "1 9"),
        ("n !in (1, 9)", "2 3 4 5 6 7 8"),
        ("n in (dynamic([2, 3]))", "2 3"),
    ] {
        let query = format!("T | where {condition} | sort by n asc | project n");
        assert_eq!(rows(&["--table", &own, &query]), want, "{condition}");
    }
}

#[test]
fn behind_a_sort_neighbours_are_found_as_the_rows_come() {
    let (folder, archive) = archive();
    let own = table(folder.path(), "n,s\n3,c\n1,\n2,b\n");
    let sorted = "T | sort by n asc | extend";
    for (query, want) in [
        (
            format!("{sorted} p = prev(n), q = next(n), r = row_number(), c = row_cumsum(n)"),
            "1,,,2,1,1 2,b,1,3,2,3 3,c,2,,3,6",
        ),
        (
            format!("{sorted} p = strcat(prev(s), 'x'), q = next(s, 2) | project n, p, q"),
            "1,x,c 2,x, 3,bx,",
        ),
        (
            format!("{sorted} p = prev(n, 1, 7), r = row_number(5) | project p, r"),
            "7,5 1,6 2,7",
        ),
        (
            format!("{sorted} r = row_number(1, n == 3) | project r"),
            "1 2 1",
        ),
        (
            format!("{sorted} p = prev(n) | sort by n desc | extend q = prev(n) | project n, p, q"),
            "3,2, 2,1,3 1,,2",
        ),
        (
            format!(
                "{sorted} p = prev(n) | where p != n - 2 | extend d = n - prev(n) | project n, d"
            ),
            "1, 2,1 3,1",
        ),
        (
            "T | sort by n desc | serialize | extend p = prev(n) | project n, p".into(),
            "3, 2,3 1,2",
        ),
        (
            "T | sort by n asc | where n != 2 | extend p = prev(n) | project n, p".into(),
            "1, 3,1",
        ),
        (
            "T | top 2 by n | extend p = prev(n) | project n, p".into(),
            "3, 2,3",
        ),
    ] {
        assert_eq!(rows(&["--table", &own, &query]), want, "{query}");
    }
    let query = "SigninLogs | sort by TimeGenerated asc | extend p = prev(IPAddress) | where p != IPAddress | count";
    let (sql, execution) = explained(&archive, query);
    assert!(execution.contains("WindowAggExec"), "{execution}");
    assert!(!sql.contains("goes through these rows"), "{sql}");
}

#[test]
fn any_function_may_be_asked_of_the_key_of_an_outer_join() {
    let folder = tempfile::tempdir().expect("a folder");
    let named = table(
        folder.path(),
        "When,Who,N\n2026-05-04T09:00:00Z,ada,1\n2026-05-04T02:00:00Z,bob,2\n",
    );
    for (query, count) in [
        (
            "T | join kind=leftouter (T | project When, M = N) on When | where hourofday(When) > 3 | count",
            "1",
        ),
        (
            "T | extend D = startofday(When) | join kind=leftouter (T | extend D = startofday(When) | distinct D) on D | where dayofweek(D) > 0d | count",
            "2",
        ),
        (
            "T | join kind=leftouter (T | project Who, M = N) on Who | where Who has_any ('ada', 'eve') and strlen(Who) > 2 | count",
            "1",
        ),
        (
            "T | join kind=leftanti (T | where N > 1 | project N) on N | where tostring(N) has '1' and N * 2 > 1 | count",
            "1",
        ),
    ] {
        assert_eq!(rows(&["--table", &named, query]), count, "{query}");
    }
}

#[test]
fn any_operator_may_be_asked_of_what_is_sought_in_rows_that_a_replay_has_not_read() {
    let (folder, archive) = archive();
    let rule = folder.path().join("r.yaml");
    let text = "id: r\nname: R\nkind: Scheduled\nseverity: Low\nqueryFrequency: 1d\nqueryPeriod: 14d\ntriggerOperator: gt\ntriggerThreshold: 0\n\
        query: |\n  OfficeActivity | where UserId in ((SigninLogs | where TimeGenerated > ago(13d) | project UserPrincipalName)) and not(UserId has_any ('nobody', 'none'))\n";
    std::fs::write(&rule, text).expect("a rule");
    let rule = rule.display().to_string();
    let told = run(&["hunt", "--replay", "-a", &archive, "-r", &rule]);
    let errors = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(0), "{errors}");
}

#[test]
fn runs_that_see_no_row_ask_nothing() {
    let (folder, archive) = archive();
    let rule = folder.path().join("r.yaml");
    for query in [
        "AuditLogs | mv-expand TargetResources | order by TimeGenerated desc",
        "let m = materialize(SigninLogs | where ResultType == 'none' and TimeGenerated > ago(1h)); m | join kind=inner (m | summarize n = count() by UserPrincipalName) on UserPrincipalName | extend age = now() - TimeGenerated",
        "SigninLogs | where ResultType == 'none' | distinct UserPrincipalName | mv-expand split(UserPrincipalName, '@')",
    ] {
        let text = format!(
            "id: r\nname: R\nkind: Scheduled\nseverity: Low\nqueryFrequency: 1d\nqueryPeriod: 1d\ntriggerOperator: gt\ntriggerThreshold: 0\nquery: |\n  {query}\n"
        );
        std::fs::write(&rule, text).expect("a rule");
        let rule = rule.display().to_string();
        let told = run(&["-v", "hunt", "--replay", "-a", &archive, "-r", &rule]);
        let errors = String::from_utf8_lossy(&told.stderr);
        assert!(errors.contains(" 0 asked, 0 alerts"), "{query}: {errors}");
    }
}
