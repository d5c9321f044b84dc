//! Rules over operations that never happened are not planned to their end: what a hunt finds is what the query gives, whatever its shape.

use std::path::Path;

use serde_json::Value;

use crate::command_line::run;

/// What stands before `| where`, and a condition, of which some hold for rows of the sample.
const SOURCES: [&str; 8] = [
    "CloudAppEvents",
    "OfficeActivity | extend ActionType = Operation",
    "CloudAppEvents | extend ActionType = iff(ActionType == 'FileDownloaded', 'x', ActionType)",
    "CloudAppEvents | extend ActionType = 'x'",
    "CloudAppEvents | project-away ActionType | extend ActionType = tostring(RawEventData.Operation)",
    "CloudAppEvents | summarize n = count() by ActionType",
    "CloudAppEvents | mv-expand Item = pack_array('x', ActionType) to typeof(string) | extend ActionType = Item",
    "union isfuzzy=true AuditLogs, (CloudAppEvents | where ActionType == 'nothing'), (CloudAppEvents | where ActionType has 'Label')",
];

const CONDITIONS: [&str; 14] = [
    "ActionType == 'x'",
    "ActionType != 'x'",
    "ActionType in ('x', 'FileDownloaded')",
    "ActionType in~ ('filedownloaded')",
    "ActionType !in ('FileDownloaded')",
    "ActionType has 'label'",
    "ActionType !has 'e'",
    "isempty(ActionType)",
    "isnotempty(ActionType)",
    "trim_end(@'[a-z]+', ActionType) == 'File'",
    "ActionType == 'nothing' or Workload == 'nothing'",
    "not(ActionType == 'nothing')",
    "ActionType matches regex '^$'",
    "ActionType startswith 'no' and isempty(ActionType)",
];

/// Queries in which a condition on one side is none on the other.
const WHOLE: [&str; 10] = [
    "CloudAppEvents | where ActionType == 'nothing' | count",
    "CloudAppEvents | where ActionType == 'nothing' | summarize n = count(), t = max(TimeGenerated)",
    "CloudAppEvents | summarize n = countif(ActionType == 'nothing') by bin(TimeGenerated, 1d)",
    "CloudAppEvents | take 3 | join kind=leftouter (CloudAppEvents | where ActionType == 'nothing' | project ReportId, X = 1) on ReportId",
    "CloudAppEvents | take 3 | join kind=leftanti (CloudAppEvents | where ActionType == 'nothing') on ReportId",
    "CloudAppEvents | where ActionType == 'nothing' | join kind=rightouter (CloudAppEvents | take 3) on ReportId",
    "CloudAppEvents | where ActionType == 'nothing' | join kind=fullouter (CloudAppEvents | take 3) on ReportId",
    "let n = toscalar(CloudAppEvents | where ActionType == 'nothing' | count); CloudAppEvents | where toint(n) == 0 | take 2",
    "CloudAppEvents | where ActionType == 'nothing' | make-series n = count() default = 0 on TimeGenerated from datetime(2026-05-01) to datetime(2026-05-03) step 1d",
    "CloudAppEvents | take 5 | where ActionType != (toscalar(CloudAppEvents | where ActionType == 'nothing' | project ActionType | take 1))",
];

fn text(arguments: &[&str]) -> String {
    let out = run(arguments);
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{arguments:?}: {said}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// How many rows a query gives.
fn given(archive: &str, query: &str) -> usize {
    let counted = format!("{query} | count");
    let answer = text(&["-q", "kql", "-a", archive, "-f", "json", &counted]);
    let rows: Value = serde_json::from_str(&answer).expect("JSON");
    let count = rows[0]["Count"].as_u64().expect(&counted);
    usize::try_from(count).expect("few rows")
}

/// How many findings a hunt has by rule.
fn found(archive: &str, rules: &Path) -> Vec<(String, usize)> {
    let rules = rules.to_str().expect("UTF-8");
    let out = text(&["-q", "hunt", "-a", archive, "-r", rules, "-f", "json"]);
    let out: Value = serde_json::from_str(&out).expect("JSON");
    let runs = out["rules"].as_array().expect("rules").iter();
    let found = runs.map(|rule| {
        let count = rule["findings"].as_u64().expect("a number");
        let name = rule["id"].as_str().expect("an id").to_string();
        (name, usize::try_from(count).expect("few findings"))
    });
    found.collect()
}

#[test]
fn a_hunt_finds_what_its_queries_give() {
    let scratch = tempfile::tempdir().expect("a folder");
    let archive = scratch.path().join("a");
    let name = archive.to_str().expect("UTF-8");
    let inputs =
        ["cloudappevents", "ual-portal"].map(|folder| crate::project("sample-data").join(folder));
    crate::ingest(&archive, &inputs);
    let rules = scratch.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    let crossed = SOURCES.iter().flat_map(|source| {
        let has_record = !source.contains("summarize") && !source.starts_with("OfficeActivity");
        let of = CONDITIONS
            .iter()
            .filter(move |c| has_record || !c.contains("Workload"));
        of.map(move |condition| {
            let condition = condition.replace("Workload", "tostring(RawEventData.Workload)");
            format!("{source} | where {condition}")
        })
    });
    let queries: Vec<String> = crossed.chain(WHOLE.map(String::from)).collect();
    for (number, query) in queries.iter().enumerate() {
        let file = rules.join(format!("q{number:03}.kql"));
        std::fs::write(file, query).expect("a rule");
    }
    let found = found(name, &rules);
    assert_eq!(found.len(), queries.len());
    let mut rows = [0, 0];
    for (rule, count) in found {
        let number: usize = rule[1..].parse().expect("a number");
        let query = &queries[number];
        assert_eq!(count, given(name, query), "{query}");
        rows[usize::from(count > 0)] += 1;
    }
    // Both kinds are among them.
    assert!(rows[0] > 20 && rows[1] > 40, "{rows:?}");
}
