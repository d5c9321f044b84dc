//! What is believed of a KQL query: what is worked out once, what a plan and a check say, and that nothing is answered about nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::{ingest, project};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The answer as CSV, without the names of its columns.
fn answer(arguments: &[&str]) -> String {
    let out = run(&[&["kql", "-f", "csv"][..], arguments].concat());
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {said}");
    let all = text(&out.stdout);
    let rows: Vec<&str> = all.lines().skip(1).collect();
    rows.join(";")
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        std::fs::write(folder.join(name), content).expect("a file");
    }
}

fn archive(folder: &Path) -> String {
    let path = folder.join("archive");
    ingest(&path, &[project("sample-data/ual-portal")]);
    path.to_string_lossy().into_owned()
}

#[test]
fn what_is_materialized_is_worked_out_once() {
    let rows = "materialize(range x from 1 to 500 step 1 | extend r = rand() | where r < 0.8)";
    for query in [
        format!("let T = {rows}; T | join kind=inner T on x | where r != r1 | count"),
        format!("let T = {rows}; T | join kind=leftanti T on x | count"),
        format!("let T = {rows}; T | where x !in (T | project x) | count"),
        format!(
            "let T = {rows}; union T, T | summarize a = min(r), b = max(r) by x | where a != b | count"
        ),
        format!("let T = {rows}; T | where r > toscalar(T | summarize max(r)) | count"),
        format!("let A = {rows}; let B = A | where r > 0.4; B | join kind=leftanti A on x | count"),
        format!(
            "let f = (T:(x:long, r:real)) {{ T | join kind=inner T on x | where r != r1 }}; f({rows}) | count"
        ),
        format!("let f = () {{ let T = {rows}; T | join kind=leftanti T on x }}; f() | count"),
        format!(
            "let f = () {{ let T = {rows}; toscalar(T | summarize max(r)) - toscalar(T | summarize max(r)) }}; \
             print tolong(f())"
        ),
        "range x from 1 to 500 step 1 | where rand() < 0.8 | as hint.materialized=true X | join kind=leftanti X on x | count"
            .into(),
    ] {
        assert_eq!(answer(&[&query]), "0", "{query}");
    }
}

#[test]
fn a_sample_of_an_archive_is_taken_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let query = "let x = materialize(UnifiedAuditLog | sample 10 | project Id); x | join kind=leftanti x on Id | count";
    for _ in 0..3 {
        assert_eq!(answer(&["-a", &archive, query]), "0");
    }
}

/// A database in which all addresses are in one country.
fn one_country() -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).expect("a short text");
        [&[0x40 | length][..], text.as_bytes()].concat()
    };
    let numbers: [(&str, &[u8]); 9] = [
        ("binary_format_major_version", &[0xa1, 2]),
        ("binary_format_minor_version", &[0xa0]),
        ("build_epoch", &[0, 2]),
        ("database_type", b"\x44Test"),
        ("description", &[0xe0]),
        ("ip_version", &[0xa1, 4]),
        ("languages", &[0, 4]),
        ("node_count", &[0xc1, 1]),
        ("record_size", &[0xa1, 24]),
    ];
    // One node of the tree, both of whose sides lead to the first record.
    let mut all = [[0, 0, 17, 0, 0, 17].as_slice(), &[0; 16]].concat();
    for name in ["country", "names", "en"] {
        all.push(0xe1);
        all.extend(text(name));
    }
    all.extend(text("Freedonia"));
    all.extend(b"\xab\xcd\xefMaxMind.com\xe9");
    for (name, value) in numbers {
        all.extend(text(name));
        all.extend(value);
    }
    all
}

#[test]
fn constants_know_what_columns_know() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("places.mmdb");
    std::fs::write(&path, one_country()).expect("a file");
    let path = path.to_string_lossy();
    for query in [
        "datatable(ip:string)['192.0.2.1'] | project c = tostring(geo_info_from_ip_address(ip).country)",
        "print c = tostring(geo_info_from_ip_address('192.0.2.1').country)",
        "let g = geo_info_from_ip_address('192.0.2.1'); print c = tostring(g.country)",
        "let f = (ip:string) { tostring(geo_info_from_ip_address(ip).country) }; print c = f('192.0.2.1')",
        "print c = iff(isnull(geo_info_from_ip_address('192.0.2.1')), 'nowhere', 'Freedonia')",
    ] {
        assert_eq!(answer(&["--geoip", &path, query]), "Freedonia", "{query}");
    }
    let query = "print a = now() == datetime(2026-05-21), b = ago(1d) == datetime(2026-05-20), c = datetime() == now(), \
                 d = startofday(now()) == datetime(2026-05-21)";
    let row = answer(&["--at", "2026-05-21", query]);
    assert_eq!(row, "true,true,true,true");
}

/// A query as SQL, in one line, and its plan.
fn explained(archive: &str, query: &str) -> (String, String) {
    let out = run(&["kql", "-a", archive, "--explain", query]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{query}: {said}");
    let all = text(&out.stdout);
    let (sql, plan) = all.split_once("-- Plan").expect("SQL and a plan");
    let words: Vec<&str> = sql.split_whitespace().collect();
    (words.join(" "), plan.to_string())
}

#[test]
fn an_explanation_shows_subqueries_as_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(folder.path());
    let said = explained(
        &archive,
        "CloudAppEvents | where ActionType in (CloudAppEvents | where ActionType has 'Label' | distinct ActionType) | count",
    );
    let (sql, plan) = &said;
    assert_eq!(sql.matches("FROM \"CloudAppEvents\"").count(), 2, "{sql}");
    assert!(plan.contains("LeftSemi"), "{plan}");

    let said = explained(
        &archive,
        "let newest = toscalar(LabelEvents | summarize max(TimeGenerated)); \
         UnifiedAuditLog | where TimeGenerated > newest | summarize count() by Operation",
    );
    let (sql, _) = &said;
    for part in [
        "FROM \"UnifiedAuditLog\"",
        "FROM \"LabelEvents\"",
        "(SELECT",
    ] {
        assert!(sql.contains(part), "{part}: {sql}");
    }

    let said = explained(
        &archive,
        "let T = materialize(LabelEvents | where Action == 'LabelRemoved'); \
         T | join kind=inner T on EventId | count",
    );
    let (sql, _) = &said;
    assert!(
        sql.contains("materialize is these rows, worked out once"),
        "{sql}"
    );
    assert_eq!(sql.matches("FROM \"LabelEvents\"").count(), 1, "{sql}");

    // Columns that only the data can have are shown under their names.
    let said = explained(
        &archive,
        "UnifiedAuditLog | evaluate bag_unpack(AuditData) | where Nobody == 'x' | project Nobody, Id",
    );
    let (sql, _) = &said;
    assert!(sql.contains("bag_unpack goes through these rows"), "{sql}");
    assert!(sql.contains("Nobody"), "{sql}");
}

/// Fails as soon as somebody runs it.
const FAILS: &str =
    "range x from 1 to 3 step 1 | make-series n = count() on x from 1 to 100000000 step 1";

#[test]
fn neither_a_check_nor_an_explanation_runs_anything() {
    let folder = tempfile::tempdir().expect("a folder");
    for query in [
        format!("print n = toscalar({FAILS} | project tostring(n))"),
        format!(
            "range y from 1 to 3 step 1 | where tostring(y) in ({FAILS} | project tostring(n))"
        ),
        format!(
            "range y from 1 to 3 step 1 | where tostring(y) has_any ({FAILS} | project tostring(n))"
        ),
        format!("let n = toscalar({FAILS} | count); range y from 1 to n step 1"),
        format!("let n = toscalar({FAILS} | count); range y from 1 to 9 step 1 | take n"),
        format!("let f = (n:long) {{ range y from 1 to n step 1 }}; f(toscalar({FAILS} | count))"),
        format!("{FAILS} | evaluate bag_unpack(n)"),
        format!(
            "{FAILS} | mv-expand n to typeof(long) | partition by n (sort by n | extend p = prev(n))"
        ),
        format!("let T = materialize({FAILS}); T | union T | count"),
    ] {
        assert_ne!(run(&["kql", &query]).status.code(), Some(0), "{query}");
        let out = run(&["kql", "--explain", &query]);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{query}: {said}");
        let file = folder.path().join("query.kql");
        std::fs::write(&file, &query).expect("a file");
        let out = run(&["kql", "--check", &file.to_string_lossy()]);
        let said = text(&out.stdout);
        assert_eq!(out.status.code(), Some(0), "{query}: {said}");
    }
}

#[test]
fn an_explanation_is_harmless_on_a_terminal() {
    let query = "print x = '\u{1b}]52;c;AAAA\u{7}\u{1b}[31m\u{202e}'";
    let out = run(&["kql", "--explain", query]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let said = text(&out.stdout);
    let unsafe_char = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!said.contains(unsafe_char), "{said:?}");
    assert!(said.contains("]52;c;AAAA"), "{said}");
}

fn checked(arguments: &[&str]) -> (Option<i32>, BTreeMap<String, Value>) {
    let out = run(&[&["kql", "-f", "json", "--check"][..], arguments].concat());
    let all: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let all = all.as_array().expect("an array").iter().map(|one| {
        let file = one["file"].as_str().expect("a file");
        let name = file.rsplit(['/', '\\']).next().expect("a name");
        (name.to_string(), one.clone())
    });
    (out.status.code(), all.collect())
}

#[test]
fn a_check_says_what_each_query_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    write(
        &rules,
        &[
            (
                "plain.kql",
                "SigninLogs | where ResultType == '50126' | count",
            ),
            (
                "list.kql",
                "let w = _GetWatchlist('breakGlass') | where Tag == 'a' | project Upn, SearchKey;\n\
                 SigninLogs | join kind=inner (w) on $left.UserPrincipalName == $right.Upn | project Upn, IPAddress",
            ),
            (
                "list-typo.kql",
                "let w = _GetWatchlist('breakGlass') | project Upn;\nSigninLogs | where UserPrincipalNme in (w)",
            ),
            (
                "asim.kql",
                "_Im_Dns(starttime=ago(1d)) | where SrcIpAddr == '192.0.2.1' | summarize count() by DnsQuery",
            ),
            (
                "invoked.kql",
                "SigninLogs | invoke _ASIM_Resolve('x') | where Found == 'a'",
            ),
            (
                "fuzzy.kql",
                "union isfuzzy=true (_Im_Dns(starttime=ago(1d))), (SigninLogs) | count",
            ),
            ("own.kql", "Firewall_CL | where Source_s == '192.0.2.1'"),
            (
                "list-of-the-web.kql",
                "externaldata(Ip:string)['https://example.com/lists/bad.csv'] with (format='csv') | where Ip has '1'",
            ),
            ("elsewhere.kql", "database('other').SigninLogs | count"),
            (
                "places.kql",
                "print g = geo_info_from_ip_address('192.0.2.1')",
            ),
            (
                "data.kql",
                "SigninLogs | evaluate bag_unpack(DeviceDetail) | where os == 'x'",
            ),
            (
                "bounds.kql",
                "let a = toscalar(SigninLogs | summarize min(TimeGenerated)); range t from a to now() step 1d | count",
            ),
            (
                "alerts.kql",
                "SecurityAlert | where AlertName has 'x' | count",
            ),
        ],
    );
    let rules = rules.to_string_lossy();
    let (code, all) = checked(&[&rules]);
    assert_eq!(code, Some(2));
    let short = |all: &BTreeMap<String, Value>, name: &str| {
        let one = &all[name];
        format!(
            "{} {} {}",
            one["verdict"], one["ok"], one["depends_on_data"]
        )
        .replace('"', "")
    };
    for (name, want) in [
        ("plain.kql", "runs true false"),
        ("list.kql", "needs false false"),
        ("list-typo.kql", "refused false false"),
        ("asim.kql", "needs false true"),
        ("invoked.kql", "needs false true"),
        ("fuzzy.kql", "runs true false"),
        ("own.kql", "needs false true"),
        ("list-of-the-web.kql", "needs false false"),
        ("elsewhere.kql", "refused false false"),
        ("places.kql", "needs false false"),
        ("data.kql", "depends on data true true"),
        ("bounds.kql", "runs true false"),
        ("alerts.kql", "runs true false"),
    ] {
        assert_eq!(short(&all, name), want, "{name}: {}", all[name]);
    }
    let none =
        json!({"watchlists": [], "functions": [], "tables": [], "external": [], "geoip": false});
    for (name, what, want) in [
        ("list.kql", "watchlists", json!(["breakGlass"])),
        ("list-typo.kql", "watchlists", json!(["breakGlass"])),
        ("asim.kql", "functions", json!(["_Im_Dns"])),
        ("invoked.kql", "functions", json!(["_ASIM_Resolve"])),
        ("own.kql", "tables", json!(["Firewall_CL"])),
        ("list-of-the-web.kql", "external", json!(["bad.csv"])),
        (
            "elsewhere.kql",
            "external",
            json!(["database('other').SigninLogs"]),
        ),
        ("places.kql", "geoip", json!(true)),
    ] {
        let mut needs = none.clone();
        needs[what] = want;
        assert_eq!(all[name]["needs"], needs, "{name}");
    }
    assert_eq!(all["plain.kql"]["needs"], none);

    // With an archive, tables of which it has no rows are missing too.
    let archive = archive(folder.path());
    let (_, all) = checked(&[&rules, "-a", &archive]);
    assert_eq!(short(&all, "alerts.kql"), "needs false false");
    assert_eq!(
        all["alerts.kql"]["needs"]["tables"],
        json!(["SecurityAlert"])
    );
    let out = run(&["kql", "-a", &archive, "--check", &rules]);
    let said = text(&out.stdout);
    for part in [
        "list.kql: would run with the watchlist `breakGlass`",
        "asim.kql: would run with the saved function `_Im_Dns` (--saved-functions), and if the data has the columns",
        "alerts.kql: would run with rows of the table `SecurityAlert`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn every_file_of_a_check_is_accounted_for() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        &[
            ("a.kql", "print 1"),
            ("b.yaml", "name: x\nquery: print 2\nqueryPeriod: 1d\n"),
            ("c.yaml", "queryCondition:\n  queryText: print nope\n"),
            ("d.yaml", "name: settings\n"),
            (
                "e.yml",
                "title: x\nlogsource: {product: none}\ndetection: {}\n",
            ),
            ("f.md", "print 3"),
            ("g.kql", "\n"),
            ("h.yaml", "query: [\n"),
            (
                "i.json",
                r#"{"resources":[{"properties":{"query":"print 4"}},{"properties":{"query":"print 5"}}]}"#,
            ),
        ],
    );
    let here = folder.path().to_string_lossy();
    let out = run(&["kql", "--check", &here]);
    let said = text(&out.stdout);
    assert_eq!(out.status.code(), Some(2));
    for part in [
        "a.kql: would run\n",
        "b.yaml: would run\n",
        "c.yaml: would not run\n    no column or variable `nope`",
        "d.yaml: no query: it has no `query`",
        "e.yml: would not run\n    2:",
        "f.md: no query: it is none of .kql",
        "g.kql: no query: it is empty",
        "h.yaml: would not run\n",
        "i.json, query 1: would run\n",
        "i.json, query 2: would run\n",
        "7 queries: 4 would run, 3 would not; 3 files without a query\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (_, all) = checked(&[&here]);
    assert_eq!(all.len(), 9);
    assert_eq!(all["d.yaml"]["verdict"], "no query");
    assert_eq!(all["d.yaml"]["ok"], Value::Null);

    let nothing = folder.path().join("nothing");
    std::fs::create_dir(&nothing).expect("a folder");
    write(&nothing, &[("README.md", "no query")]);
    for format in ["table", "json"] {
        let out = run(&["kql", "-f", format, "--check", &nothing.to_string_lossy()]);
        assert_eq!(out.status.code(), Some(2));
        let said = text(&out.stderr);
        assert!(said.contains("nothing was checked"), "{said}");
    }
}

#[test]
fn a_query_that_reads_a_table_needs_an_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[("own.csv", "n\n1\n2\n")]);
    let own = format!("Own={}", folder.path().join("own.csv").display());
    let said = |out: &Output| text(&out.stderr);
    for (query, what) in [
        ("LabelEvents | count", "LabelEvents"),
        ("print n = toscalar(LabelEvents | count)", "LabelEvents"),
        (
            "print x = 'a' in (SigninLogs | project UserId)",
            "SigninLogs",
        ),
        (
            "union isfuzzy=true Own, CloudAppEvents | count",
            "CloudAppEvents",
        ),
        ("let f = () { SigninLogs | count }; f()", "SigninLogs"),
        ("_GetWatchlist('Labels') | count", "_GetWatchlist('Labels')"),
    ] {
        for more in [&[][..], &["--explain"][..]] {
            let out = run(&[&["kql", "--table", &own, query][..], more].concat());
            assert_eq!(out.status.code(), Some(2), "{query}: {}", said(&out));
            let wanted = format!("`{what}` needs an archive: -a DIR");
            assert!(said(&out).contains(&wanted), "{query}: {}", said(&out));
            assert_eq!(text(&out.stdout), "", "{query}");
        }
    }
    let out = run(&["kql", "search 'x'"]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    // What is wrong with the query is told first.
    let out = run(&["kql", "LabelEvents | where Actoin == 'x'"]);
    assert!(
        said(&out).contains("did you mean `Action`?"),
        "{}",
        said(&out)
    );
    for (query, want) in [
        ("Own | summarize sum(n)", "3"),
        ("print 1", "1"),
        ("range x from 1 to 3 step 1 | count", "3"),
        ("datatable(a:long)[1, 2] | count", "2"),
        ("search 'x' | count", "0"),
    ] {
        assert_eq!(answer(&["--table", &own, query]), want, "{query}");
    }
}

#[test]
fn a_rule_file_gives_its_query() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        &[
            (
                "rule.yaml",
                "id: x\nname: A rule\nqueryPeriod: 14d\nquery: |\n  print x = 1\n  | extend y = x + 1\n",
            ),
            ("hunting.yml", "name: A hunt\nquery: print x = 1, y = 2\n"),
            (
                "detection.yaml",
                "displayName: D\nqueryCondition:\n  queryText: print x = 1, y = 2\n",
            ),
            ("none.yaml", "name: x\n"),
        ],
    );
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for (name, note) in [
        ("rule.yaml", true),
        ("hunting.yml", false),
        ("detection.yaml", false),
    ] {
        let out = run(&["kql", "-f", "csv", "-F", &path(name)]);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{name}: {said}");
        assert_eq!(text(&out.stdout), "x,y\n1,2\n", "{name}");
        assert_eq!(said.contains("looks back 14d"), note, "{name}: {said}");
    }
    let out = run(&["kql", "-F", &path("none.yaml")]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("has no query: it has no `query`"));
}
