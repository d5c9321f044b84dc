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
    assert!(said.ends_with("1 query would run, 1 would not\n"), "{said}");
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
