//! Parameters of rules: declared in headers, found in queries, set on the command line, and said beside what was found.

use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::run;

const IN_KQL: &str = r#"/*
id: in-kql
name: In KQL
severity: Low
parameters:
  least: {description: So many at least}
  share: {description: A share}
  span: {description: So long}
  operations: {description: Their names}
  whose: {description: Of whom}
  all: {description: Whether all count}
references:
  - https://learn.microsoft.com/purview/audit-log-activities
tests:
  - name: two are enough where somebody says so
    events:
      - record: {CreationTime: "2026-06-01T08:00:00", Id: a1, Operation: Set-Mailbox, RecordType: 1, Workload: Exchange, UserId: ada@contoso.com}
        repeat: {count: 2, every: 1m}
    finds: 1
*/
let least = 3; let share = 0.5;
let span = 1h;
let operations = dynamic(["Set-Mailbox", "New-InboxRule"]);
let whose = "";
let all = false;
// let least = 7;
UnifiedAuditLog
| where Operation in (operations) and (isempty(whose) or UserId =~ whose)
| summarize Events = count() by UserId, bin(TimeGenerated, span)
| where Events >= least and (all or Events * share > 0)
"#;

const IN_SQL: &str = r#"/*
id: in-sql
name: In SQL
severity: Low
parameters:
  least: {default: 3, description: So many at least}
  span: {default: 30m, description: So long}
  operations: {default: [Set-Mailbox, New-InboxRule], description: Their names}
  whose: {default: "it's nobody", description: Of whom}
  all: {default: false, description: Whether all count}
*/
-- $least in a comment, and /* $span */
SELECT "UserId", count(*) AS "Events", '$least' AS "Text", max("TimeGenerated" + $span) AS "EndTime"
FROM UnifiedAuditLog
WHERE array_has($operations, "Operation") AND "UserId" <> $whose
GROUP BY "UserId"
HAVING $all OR count(*) >= $least
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is said on both streams, and the exit code.
fn said(arguments: &[&str]) -> (Option<i32>, String, String) {
    let out = run(arguments);
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// The query of a rule as it is shown.
fn query(file: &Path, set: &[&str]) -> String {
    let file = file.to_string_lossy();
    let mut arguments = vec!["rules", "show", &*file, "-f", "json"];
    for one in set.iter().copied() {
        arguments.extend(["--set", one]);
    }
    let (code, said, told) = said(&arguments);
    assert_eq!(code, Some(0), "{told}");
    let list: Value = serde_json::from_str(&said).expect("JSON");
    list[0]["query"].as_str().expect("a query").to_string()
}

fn written(folder: &Path, name: &str, rule: &str) -> std::path::PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, rule).expect("a rule");
    file
}

#[test]
fn in_kql_a_parameter_is_the_let_of_the_query() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), "in-kql.kql", IN_KQL);
    let own = query(&file, &[]);
    assert!(IN_KQL.ends_with(&format!("{own}\n")), "{own}");
    let set = query(
        &file,
        &[
            "in-kql.least=2",
            "in-kql.share=1",
            "in-kql.span=1.02:00:00",
            r#"in-kql.operations=["a, b","c\"d"]"#,
            "in-kql.whose=o'neil\"; T",
            "in-kql.all=true",
        ],
    );
    for (was, is) in [
        (
            "let least = 3; let share = 0.5;",
            "let least = 2; let share = 1.0;",
        ),
        ("let span = 1h;", "let span = timespan(1.02:00:00);"),
        (
            r#"dynamic(["Set-Mailbox", "New-InboxRule"])"#,
            r#"dynamic(["a, b", "c\"d"])"#,
        ),
        (r#"let whose = "";"#, r#"let whose = "o'neil\"; T";"#),
        ("let all = false;", "let all = true;"),
    ] {
        assert!(own.contains(was), "{was}: {own}");
        assert!(set.contains(is), "{is}: {set}");
    }
    assert!(set.contains("\n// let least = 7;\n"), "{set}");
    let file = file.to_string_lossy();
    let (code, out, _) = said(&["rules", "test", &file]);
    assert_eq!(code, Some(2), "{out}");
    let (code, out, told) = said(&["rules", "test", &file, "--set", "in-kql.least=2"]);
    assert_eq!(code, Some(0), "{out}{told}");
    assert!(told.contains("`in-kql.least` is 2 here, not 3\n"), "{told}");
}

#[test]
fn in_sql_a_parameter_stands_where_its_name_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), "in-sql.sql", IN_SQL);
    let own = query(&file, &[]);
    for want in [
        "-- $least in a comment, and /* $span */\n",
        "'$least' AS \"Text\", max(\"TimeGenerated\" + INTERVAL '30 minutes')",
        "array_has(make_array('Set-Mailbox', 'New-InboxRule'), \"Operation\")",
        "<> 'it''s nobody'\n",
        "HAVING false OR count(*) >= 3",
    ] {
        assert!(own.contains(want), "{want}: {own}");
    }
    let set = query(
        &file,
        &[
            "IN-SQL.LEAST=-2",
            "in-sql.span=1d",
            "in-sql.operations=",
            "in-sql.all=TRUE",
        ],
    );
    for want in [
        "max(\"TimeGenerated\" + INTERVAL '1 day')",
        "array_has(arrow_cast(make_array(), 'List(Utf8)'), \"Operation\")",
        "HAVING true OR count(*) >= (-2)",
    ] {
        assert!(set.contains(want), "{want}: {set}");
    }
    let (code, out, _) = said(&["rules", "check", &file.to_string_lossy()]);
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn a_rule_is_shown_with_its_parameters_and_references() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), "in-kql.kql", IN_KQL);
    let file = file.to_string_lossy();
    let show = ["rules", "show", &*file, "--set", "in-kql.least=2"];
    let (code, out, told) = said(&show);
    assert_eq!(code, Some(0), "{told}");
    for want in [
        "parameter               least = 2 (by itself 3): So many at least\n",
        "parameter               operations = Set-Mailbox, New-InboxRule: Their names\n",
        "references              https://learn.microsoft.com/purview/audit-log-activities\n",
    ] {
        assert!(out.contains(want), "{want}: {out}");
    }
    let (_, out, _) = said(&["rules", "list", &file, "-f", "json"]);
    let list: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        list[0]["parameters"][2],
        json!({"name": "span", "description": "So long", "type": "a duration such as 30m", "default": "1h", "value": "1h"})
    );
    let address = "https://learn.microsoft.com/purview/audit-log-activities";
    assert_eq!(list[0]["references"], json!([address]));
}

/// What is wrong with a rule, as `rules check` says it.
fn wrong(name: &str, rule: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), name, rule);
    let (_, out, _) = said(&["rules", "check", "-f", "json", &file.to_string_lossy()]);
    let list: Value = serde_json::from_str(&out).expect("JSON");
    let errors = list[0]["errors"].as_array().expect("errors");
    let errors = errors.iter().map(|error| {
        let message = error["message"].as_str().unwrap_or_default();
        format!("{}:{}: {message}", error["line"], error["column"])
    });
    errors.collect()
}

#[test]
fn what_is_wrong_with_a_parameter_is_told_with_its_place() {
    let header = |parameters: &str| {
        format!("/*\nid: a\nname: A\nseverity: Low\nparameters:\n{parameters}*/\n")
    };
    let kql = |parameters: &str, query: &str| wrong("a.kql", &(header(parameters) + query));
    assert_eq!(
        kql("  x: {description: d}\n", "let y = 1;\nprint y\n"),
        ["6:3: parameter `x`: the query has no `let x = …;`"]
    );
    assert_eq!(
        kql(
            "  x: {description: d}\n",
            "let y = 1;\nlet x = y + 1;\nprint x\n"
        ),
        [
            "9:5: parameter `x`: its `let` must be a number, a text, true or false, a timespan, or `dynamic([…])` of texts"
        ]
    );
    assert_eq!(
        kql(
            "  x: {description: d, default: 2}\n",
            "let x = 1;\nprint x\n"
        ),
        ["6:32: parameter `x`: in KQL the query's `let` says the default"]
    );
    for parameters in ["  x: {}\n", "  x:\n", "  x: {description: ''}\n"] {
        assert_eq!(
            kql(parameters, "let x = 1;\nprint x\n"),
            ["6:3: parameter `x` needs a `description`"]
        );
    }
    let sql = |parameters: &str, query: &str| wrong("a.sql", &(header(parameters) + query));
    assert_eq!(
        sql("  x: {description: d}\n", "SELECT $x AS a"),
        ["6:3: parameter `x` needs a `default`"]
    );
    assert_eq!(
        sql("  x: {description: d, default: {a: b}}\n", "SELECT $x AS a"),
        [
            "6:32: parameter `x`: `default` must be a number, a text, true or false, a duration, or a list of texts"
        ]
    );
    assert_eq!(
        sql(
            "  least: {description: d, default: 1}\n",
            "SELECT 1 AS a,\n  $laest AS b"
        ),
        [
            "9:3: no parameter `laest` for `$laest`; did you mean `least`?",
            "6:3: parameter `least`: the query does not use `$least`"
        ]
    );
    let none = "/*\nid: a\nname: A\nseverity: Low\n*/\nSELECT '$x' AS a, $x AS b";
    assert_eq!(wrong("a.sql", none), ["6:19: no parameter `x` for `$x`"]);
}

#[test]
fn what_cannot_be_set_is_refused_with_what_may_be_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), "in-kql.kql", IN_KQL);
    let file = file.to_string_lossy();
    for (set, want) in [
        (
            "in-kq.least=2",
            "--set: no rule `in-kq`; did you mean `in-kql`?",
        ),
        (
            "in-kql.leest=2",
            "--set: `in-kql` has no parameter `leest`, but `least`, `share`, `span`, `operations`, `whose`, `all`; did you mean `least`?",
        ),
        (
            "in-kql.least=many",
            "--set: `in-kql.least` is a whole number, and `many` is none",
        ),
        (
            "in-kql.span=5",
            "--set: `in-kql.span` is a duration such as 30m, and `5` is none",
        ),
    ] {
        let (code, _, told) = said(&["rules", "show", &file, "--set", set]);
        assert_eq!(code, Some(2), "{set}");
        assert!(told.contains(&format!("error: {want}\n")), "{set}: {told}");
    }
    let twice = ["--set", "in-kql.least=2", "--set", "in-kql.least=3"];
    let (code, _, told) = said(&[&["rules", "show", &*file][..], &twice[..]].concat());
    assert_eq!(code, Some(2));
    assert!(
        told.contains("--set: `in-kql.least` is set twice"),
        "{told}"
    );
    for odd in ["least=2", "in-kql.least", ".least=2"] {
        let (code, _, told) = said(&["rules", "show", &file, "--set", odd]);
        assert_eq!(code, Some(2), "{odd}");
        assert!(told.contains("RULE.NAME=VALUE"), "{odd}: {told}");
    }
}

#[test]
fn a_hunt_says_with_which_thresholds_it_ran() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy();
    let (code, _, told) = said(&["ingest", "sample-data", "-a", &archive]);
    assert!(matches!(code, Some(0 | 10)), "{told}");
    let id = "mass-label-removal-or-downgrade";
    let hunt = ["hunt", "-a", &*archive, "-m", "high", "-f", "json"];
    let of_rule = |said: &str| -> (Value, Vec<Value>, Value) {
        let found: Value = serde_json::from_str(said).expect("JSON");
        let is_of = |key: &str, one: &Value| one[key] == id;
        let list = |key: &str| found[key].as_array().expect("a list").clone();
        let findings = list("findings")
            .into_iter()
            .filter(|one| is_of("rule", one));
        let findings = findings.collect();
        let mut rules = list("rules").into_iter().filter(|one| is_of("id", one));
        let rule = rules.next().expect("it ran");
        (
            found["summary"]["set"].clone(),
            findings,
            rule["parameters"].clone(),
        )
    };
    let (code, out, told) = said(&hunt);
    assert_eq!(code, Some(0), "{told}");
    let (set, findings, parameters) = of_rule(&out);
    assert_eq!((set, findings.len()), (Value::Null, 1));
    assert_eq!(findings[0]["set"], Value::Null);
    assert_eq!(parameters, json!({"MinFiles": 20, "Span": "30m"}));
    let least = format!("{id}.MinFiles=5");
    let (code, out, told) = said(&[&hunt[..], &["--set", &least][..]].concat());
    assert_eq!(code, Some(0), "{told}");
    let want = format!("`{id}.MinFiles` is 5 here, not 20\n");
    assert!(told.contains(&want), "{told}");
    let (set, findings, parameters) = of_rule(&out);
    assert_eq!(set, json!({id: {"MinFiles": 5}}));
    assert_eq!(parameters, json!({"MinFiles": 5, "Span": "30m"}));
    assert_eq!(findings.len(), 2);
    for finding in &findings {
        assert_eq!(finding["set"], json!({"MinFiles": 5}));
    }
    let report = ["report", "-a", &*archive, "-m", "high", "-f", "json"];
    let (code, out, told) = said(&[&report[..], &["--set", &least][..]].concat());
    assert_eq!(code, Some(0), "{told}");
    let report: Value = serde_json::from_str(&out).expect("JSON");
    let rules = report["rules"].as_array().expect("rules");
    let rule = rules.iter().find(|rule| rule["id"] == id).expect("it ran");
    let told = json!(["MinFiles = 5 (by itself 20)", "Span = 30m"]);
    assert_eq!(rule["parameters"], told);
    assert_eq!(rule["references"].as_array().map(Vec::len), Some(2));
    // Alerts that are stored say it, and those of the rule as it is by itself do not.
    let stored = |rule_set: &[&str]| {
        let (code, _, told) = said(&[&hunt[..], &["--store"][..], rule_set].concat());
        assert_eq!(code, Some(0), "{told}");
        let query = format!(
            "Alerts | extend All = parse_json(ExtendedProperties) | where tostring(All['Analytic Rule Ids']) has '{id}' \
             | summarize n = count() by Ran = tostring(All['Parameters Set']) | sort by Ran asc"
        );
        let (code, out, told) = said(&["kql", "-a", &*archive, "-f", "csv", &query]);
        assert_eq!(code, Some(0), "{told}");
        out
    };
    assert_eq!(stored(&[]), "Ran,n\n,1\n");
    let set = stored(&["--set", &least]);
    assert_eq!(set, "Ran,n\n,1\n\"{\"\"MinFiles\"\":5}\",1\n");
    let incidents = |rule_set: &[&str]| -> Vec<Value> {
        let (code, out, told) = said(&[&hunt[..], &["--incidents"][..], rule_set].concat());
        assert_eq!(code, Some(0), "{told}");
        let rows: Value = serde_json::from_str(&out).expect("JSON");
        let rows = rows.as_array().expect("rows").iter();
        let own = rows.filter(|row| row["RelatedAnalyticRuleIds"] == json!([id]));
        own.map(|row| row["AdditionalData"]["parametersSet"].clone())
            .collect()
    };
    assert_eq!(incidents(&[]), [Value::Null]);
    let set = json!({"MinFiles": 5});
    assert_eq!(incidents(&["--set", &least]), [set.clone(), set]);
    // The same option, wherever rules run.
    let rule = "queries/mip/mass-label-removal-or-downgrade.sql";
    for command in [
        &["indicators", "-a", &*archive, "-r", rule, "--documentation"][..],
        &["report", "-a", &*archive, "-r", rule, "-f", "json"][..],
        &["hunt", "-a", &*archive, "-r", rule, "--replay"][..],
        &["rules", "why", id, "-a", &*archive][..],
    ] {
        let (code, _, told) = said(&[command, &["--set", &least][..]].concat());
        assert_eq!(code, Some(0), "{command:?}: {told}");
        assert!(told.contains(&want), "{command:?}: {told}");
        let unknown = ["--set", "nobody.MinFiles=5"];
        let (code, _, told) = said(&[command, &unknown[..]].concat());
        assert_eq!(code, Some(2), "{command:?}: {told}");
    }
}

#[test]
fn references_that_are_no_addresses_are_warnings() {
    let folder = tempfile::tempdir().expect("a folder");
    let rule = "/*\nid: a\nname: A\nseverity: Low\nreferences:\n  - see the manual\n  - https://contoso.com/a\n*/\nprint x = 1\n";
    let file = written(folder.path(), "a.kql", rule);
    let (_, out, told) = said(&["rules", "list", "-f", "json", &file.to_string_lossy()]);
    let want = ":5:1`: `references`: `see the manual` is no address that begins with https://";
    assert!(told.contains(want), "{told}");
    let list: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(list[0]["references"], json!(["https://contoso.com/a"]));
}
