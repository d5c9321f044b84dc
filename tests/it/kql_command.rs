//! `coldtrail kql` as its user meets it.

use crate::command_line::run;
use crate::{ingest, project};

fn told(arguments: &[&str]) -> String {
    let out = run(arguments);
    format!(
        "status: {}\n--- stdout\n{}--- stderr\n{}",
        out.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

#[test]
fn queries_over_an_archive_and_over_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let archive = path.to_string_lossy().into_owned();
    let mut said = String::new();
    for query in [
        // The same event in an audit export and in CloudAppEvents counts once.
        "UnifiedAuditLog | count",
        "CloudAppEvents | summarize max(TimeGenerated), min(TimeGenerated)",
        "SigninLogs | summarize max(TimeGenerated)",
        "SigninLogs | summarize min(strlen(UserPrincipalName))",
        "LabelEvents | where Action in ('LabelRemoved', 'LabelDowngraded') | summarize n = count() by Action, UserId | sort by n",
        "CloudAppEvents | where ActionType == 'SensitivityLabelUpdated' and TimeGenerated between (datetime(2026-05-20) .. 1d) \
         | extend Old = tostring(RawEventData.SensitivityLabelEventData.OldSensitivityLabelId) | summarize count(), dcount(Old) by bin(TimeGenerated, 1d)",
        "SigninLogs | where RiskLevelDuringSignIn == 'high' | project TimeGenerated, UserPrincipalName, IPAddress \
         | join kind=inner (LabelEvents | where Action == 'LabelRemoved') on $left.UserPrincipalName == $right.UserId | count",
        "let labels = _GetWatchlist('Labels'); LabelEvents | where Action == 'LabelRemoved' \
         | lookup (labels | project Id, Was = Name) on $left.OldLabelId == $right.Id | summarize Was = array_sort_asc(make_set(Was)) by UserId | sort by UserId asc",
    ] {
        said.push_str(&told(&["kql", "-a", &archive, "-f", "csv", query]));
        said.push('\n');
    }
    said.push_str(&told(&[
        "kql",
        "--at",
        "2026-05-21",
        "print ago(1h), 1d + 2h, strcat('a', 1)",
    ]));
    insta::assert_snapshot!(said);
}

#[test]
fn mistakes_are_all_told_with_their_place() {
    let said = [
        "CloudAppEvents | wher x == 1 | take",
        "CloudAppEvents | where AccountDisplayNme == 'x' and strlenn('a') > 1",
        "SigninLog | take 1",
        "SigninLogs | scan with (step s: true)",
        "print a = 'x' + 'y'",
        "datatable(a:long)[1, 2] | where a has 'x'",
    ]
    .map(|query| told(&["kql", query]))
    .join("\n");
    insta::assert_snapshot!(said);
}

/// Faults of expressions that do not depend on each other come in one go, and what follows from one of them is not told.
#[test]
fn all_faults_of_an_operator_are_told_at_once() {
    for (query, wanted) in [
        (
            "SigninLogs | extend a = Foo, b = barr(1), c = 'a' + 1, d = strlen(UserNope)",
            &["`Foo`", "`barr`", "`+` does not take", "`UserNope`"][..],
        ),
        (
            "SigninLogs | project Foo, x = Bar, y = strlen(1, 2)",
            &["`Foo`", "`Bar`", "`strlen` takes"],
        ),
        (
            "SigninLogs | summarize dcount(Nix), make_set(Nux) by Nyx, bin(TimeGenerated, 1h), Nax",
            &["`Nyx`", "`Nax`", "`Nix`", "`Nux`"],
        ),
        (
            "SigninLogs | sort by Aaa asc, Bbb desc",
            &["`Aaa`", "`Bbb`"],
        ),
        ("SigninLogs | project-away Aaa, Bbb", &["`Aaa`", "`Bbb`"]),
        (
            "union (SigninLogs | where Foo == 1), (AuditLogs | where Bar == 1)",
            &["`Foo`", "`Bar`"],
        ),
        ("print a = nope(1), b = 'x' + 'y'", &["`nope`", "`strcat`"]),
        // `a` has no type that anybody knows: nothing is said of what is made of it.
        (
            "SigninLogs | extend a = Foo, b = Bar | where a + 'x' == 1 and strlem('a') > 1",
            &["`Foo`", "`Bar`", "`strlem`"],
        ),
    ] {
        let out = run(&["kql", query]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{query}: {said}");
        for part in wanted {
            assert!(said.contains(part), "{query}: {part}: {said}");
        }
        assert_eq!(said.matches("-->").count(), wanted.len(), "{query}: {said}");
    }
}

#[test]
fn a_check_counts_what_would_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    write("good.kql", "SigninLogs | where ResultType != '0' | count");
    write(
        "rule.yaml",
        "id: x\nname: A rule\nquery: |\n  AuditLogs\n  | where OperationNam == 'x'\n",
    );
    write("notes.md", "no query");
    let out = run(&["kql", "--check", &folder.path().to_string_lossy()]);
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(said.contains("did you mean `OperationName`?"), "{said}");
    // The place is that of the file.
    let place = "     --> 5:11\n      |\n    5 | | where";
    assert!(said.contains(place), "{said}");
    let totals = "2 queries: 1 would run, 1 would not; 1 file without a query\n";
    assert!(said.ends_with(totals), "{said}");
}

#[test]
fn a_check_names_every_mistake_of_a_header_and_places_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let sql = write("header.sql", "/*\nid: x\n*/\nSELECT 1\n");
    let out = run(&["kql", "--check", &sql]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    let both = "would not run\n    header: no `name`\n    header: no `severity`\n";
    assert!(said.contains(both), "{said}");
    let rule = "id: x\nname: A rule\nquery: |\n  AuditLogs\n  | where OperationNam == 'x'\n";
    let yaml = write("rule.yaml", rule);
    let out = run(&["kql", "-f", "json", "--check", &yaml]);
    let said: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let error = &said[0]["errors"][0];
    assert_eq!(error["line"], 5, "{said}");
    assert_eq!(error["column"], 11, "{said}");
}

#[test]
fn lists_of_the_web_are_files_of_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("bad.csv"),
        "address,why\n192.0.2.1,\"a, b\"\n192.0.2.2,c\n",
    )
    .expect("a file");
    let query = "externaldata(Address:string, Why:string)['https://example.com/lists/bad.csv?x=1'] \
                 with (format='csv', ignoreFirstRecord=true) | where Why has 'b'";
    let refused = run(&["kql", query]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("never fetched"), "{said}");
    let here = folder.path().to_string_lossy().into_owned();
    let out = run(&["kql", "-f", "csv", "--external-data", &here, query]);
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "Address,Why\n192.0.2.1,\"a, b\"\n"
    );
}

#[test]
fn a_check_for_programs_tells_every_fault_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    write("a.kql", "SigninLogs | where ResultType != '0' | count");
    // Faults of the text, of names and of functions, in different operators.
    write(
        "b.kql",
        "let t = AuditLogs | where Nope == 1;\nSigninLogs | extend x = strlenn(UserId)\n| where y > 1 | wher z == 2\n| join (t) on UserId",
    );
    write(
        "c.kql",
        "SigninLogs | evaluate bag_unpack(DeviceDetail) | where operatingSystem == 'x'",
    );
    let out = run(&[
        "kql",
        "-f",
        "json",
        "--check",
        &folder.path().to_string_lossy(),
    ]);
    assert_eq!(out.status.code(), Some(2));
    let said: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let short: Vec<String> = said
        .as_array()
        .expect("an array")
        .iter()
        .map(|one| {
            let errors = one["errors"].as_array().expect("errors").iter();
            let errors: Vec<String> = errors
                .map(|e| {
                    format!(
                        "{}:{} {}",
                        e["line"],
                        e["column"],
                        e["message"].as_str().expect("text")
                    )
                })
                .collect();
            let file = one["file"].as_str().expect("a file");
            let file = file.rsplit(['/', '\\']).next().expect("a name");
            format!("{file} {} {errors:#?}", one["ok"])
        })
        .collect();
    insta::assert_snapshot!(short.join("\n"));
}

#[test]
fn saved_functions_come_from_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    write(
        "Above.kql",
        "// parameters: least:long = 1\nNumbers | where n > least",
    );
    write("Numbers.kql", "datatable(n:long)[1, 2, 3]");
    write(
        "parser.yaml",
        "ParserName: vimNumbers\nEquivalentBuiltInParser: _Im_Numbers\nParserParams:\n  - Name: disabled\n    Type: bool\n    Default: false\nParserQuery: |\n  let parser = (disabled:bool = false) { Numbers | where not(disabled) };\n  parser(disabled = disabled)\n",
    );
    write(
        "search.yaml",
        "id: 7\nname: Some numbers\ncategory: Own\nfunctionAlias: SomeNumbers\nfunctionParameters: most:long = 2\nquery: |\n  Numbers\n  | where n <= most\n",
    );
    write("Broken.kql", "Numbers | where nope == 1");
    let here = folder.path().to_string_lossy().into_owned();
    let ask = |query: &str| run(&["kql", "-f", "csv", "--saved-functions", &here, query]);
    let answer = |query: &str| String::from_utf8_lossy(&ask(query).stdout).into_owned();
    assert_eq!(
        answer("Above(2) | union (Above) | sort by n asc"),
        "n\n2\n3\n3\n"
    );
    assert_eq!(answer("_Im_Numbers(disabled = true) | count"), "Count\n0\n");
    assert_eq!(answer("vimNumbers | count"), "Count\n3\n");
    assert_eq!(answer("SomeNumbers | count"), "Count\n2\n");
    assert_eq!(answer("SomeNumbers(1) | count"), "Count\n1\n");
    let refused = ask("Broken | count");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("in `Broken`") && said.contains("line 1: no column or variable `nope`"),
        "{said}"
    );
}

#[test]
fn a_query_is_explained_in_sql() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data/ual-portal")]);
    let archive = path.to_string_lossy().into_owned();
    let query = "CloudAppEvents | where TimeGenerated > datetime(2026-05-01) and ActionType has 'Label' \
                 | where tostring(RawEventData.SensitivityLabelEventData.OldSensitivityLabelId) == 'abc' \
                 | extend Kind = toint(RawEventData.Version) | summarize n = count(), Kinds = make_set(Kind) by AccountDisplayName | top 5 by n";
    let out = run(&["kql", "-a", &archive, "--explain", query]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let (sql, rest) = said.split_once("-- Plan").expect("SQL and a plan");
    assert!(rest.contains("-- Execution"), "{rest}");
    insta::assert_snapshot!(sql);
}

#[test]
fn what_is_not_there_is_named_once_and_has_a_hint() {
    let name = "no-such-folder";
    for arguments in [
        &["kql", "--check", name][..],
        &["kql", "--saved-functions", name, "print 1"],
        &["labels", "import", name, "-a", "no-such-archive"],
    ] {
        let out = run(arguments);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{said}");
        assert_eq!(said.matches(name).count(), 1, "{said}");
        assert!(said.contains("hint: look at how it is written"), "{said}");
    }
}

#[test]
fn text_beside_queries_is_a_query_only_where_it_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.kql"), "print 1\n").expect("a query");
    let text = folder.path().join("readme.txt");
    std::fs::write(&text, "What these queries are for.\n").expect("a text");
    let check = |path: &std::path::Path| {
        let out = run(&["kql", "--check", &path.to_string_lossy()]);
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        (out.status.code(), said)
    };
    let (code, said) = check(folder.path());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("readme.txt: no query: "), "{said}");
    assert_eq!(check(&text).0, Some(2));
    std::fs::write(&text, "print 1\n").expect("a query");
    assert_eq!(check(&text).0, Some(0));
}
