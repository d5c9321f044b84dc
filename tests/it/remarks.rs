//! What hunts say of rules that cannot run or found nothing: a replay says what a sweep says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command_line::run;
use crate::{ingest, project};

/// A scheduled rule whose id ends so, with this query.
fn rule(end: u32, query: &str) -> String {
    format!(
        "id: 17000000-0000-4000-8000-abcdef0000{end:02}\nname: Rule {end}\ndescription: A rule.\nseverity: Low\nkind: Scheduled\nversion: 1.0.0\n\
         queryFrequency: 1d\nqueryPeriod: 1d\ntriggerOperator: gt\ntriggerThreshold: 0\ntactics: [Impact]\nrelevantTechniques: [T1485]\n\
         query: |\n  {query}\n"
    )
}

struct Case {
    folder: tempfile::TempDir,
    archive: PathBuf,
}

impl Case {
    fn of(rules: &[(&str, &str)]) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("archive");
        ingest(&archive, &[project("sample-data/signin")]);
        let below = folder.path().join("rules");
        fs::create_dir(&below).expect("a folder");
        for (end, (name, query)) in (1..).zip(rules) {
            fs::write(below.join(name), rule(end, query)).expect("a rule");
        }
        Case { folder, archive }
    }

    /// How a command over the archive ends, what it answers and what it says, without the folder.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let archive = self.archive.to_string_lossy();
        let out = run(&[arguments, &["-a", &archive][..]].concat());
        let place = |path: &Path| format!("{}/", path.display());
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).replace('\\', "/");
            text.replace(&place(self.folder.path()).replace('\\', "/"), "")
        };
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    }

    fn hunt(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let rules = self.folder.path().join("rules");
        let rules = rules.to_string_lossy();
        self.run(&[&["hunt", "-r", &rules][..], more].concat())
    }
}

/// The lines that say which rules did not run, in an order.
fn not_run(said: &str) -> Vec<&str> {
    let lines = said.lines().filter(|line| line.contains("did not run"));
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_replay_tells_what_rules_lack_as_a_sweep_does() {
    let case = Case::of(&[
        ("table.yaml", "NoSuchTable | take 1"),
        (
            "list.yaml",
            "SigninLogs | where UserPrincipalName in ((_GetWatchlist('VIPs') | project UserPrincipalName))",
        ),
        ("function.yaml", "_Im_Authentication | take 1"),
        ("runs.yaml", "SigninLogs | where ResultType == '50126'"),
    ]);
    let (code, _, swept) = case.hunt(&[]);
    assert_eq!(code, Some(20), "{swept}");
    let (code, _, replayed) = case.hunt(&["--replay"]);
    assert_eq!(code, Some(20), "{replayed}");
    assert_eq!(not_run(&swept), not_run(&replayed));
    assert_eq!(
        not_run(&replayed),
        [
            "warning: rule `17000000-0000-4000-8000-abcdef000001` of `rules/table.yaml` did not run: no table `NoSuchTable`",
            "warning: rule `17000000-0000-4000-8000-abcdef000002` of `rules/list.yaml` did not run: it needs the watchlist `watchlists/VIPs.csv`",
            "warning: rule `17000000-0000-4000-8000-abcdef000003` of `rules/function.yaml` did not run: it needs the saved function `_Im_Authentication`",
        ]
    );
    // What is only lacking passes where that is said.
    for more in [
        &["--ignore-missing"][..],
        &["--replay", "--ignore-missing"][..],
    ] {
        let (code, _, said) = case.hunt(more);
        assert_eq!(code, Some(0), "{more:?}: {said}");
    }
}

#[test]
fn a_fault_of_a_query_is_told_on_one_line_and_never_passes() {
    let case = Case::of(&[("fault.yaml", "SigninLogs | where ResultTipe == '50126'")]);
    for more in [
        &["--ignore-missing"][..],
        &["--replay", "--ignore-missing"][..],
    ] {
        let (code, _, said) = case.hunt(more);
        assert_eq!(code, Some(20), "{more:?}: {said}");
        let [line] = not_run(&said)[..] else {
            panic!("{said}");
        };
        assert!(
            line.contains("of `rules/fault.yaml` did not run: the query failed: "),
            "{line}"
        );
        assert!(
            line.ends_with("no column or variable `ResultTipe` (did you mean `ResultType`?)"),
            "{line}"
        );
    }
}

#[test]
fn a_replay_says_why_it_may_have_raised_nothing() {
    let case = Case::of(&[("audit.yaml", "AuditLogs | where OperationName == 'x'")]);
    let absent = "the archive has no rows of tables that rules ask: `AuditLogs` (1 rule)\n";
    for more in [&[][..], &["--replay"][..]] {
        let (code, _, said) = case.hunt(more);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(absent), "{more:?}: {said}");
    }
    let (_, _, said) = case.hunt(&["--replay", "--from", "2027-01-01"]);
    assert!(said.contains("outside the time asked for\n"), "{said}");
}

#[test]
fn alerts_are_shown_with_the_name_of_their_rule_and_found_by_its_id_in_capitals() {
    let case = Case::of(&[("reads.yaml", "SigninLogs | where ResultType == '50126'")]);
    let (code, shown, said) = case.hunt(&["--replay", "--store"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.contains("Z  Rule 1  Low "), "{shown}");
    let id = "17000000-0000-4000-8000-abcdef000001";
    let found = |id: &str| case.run(&["alerts", "list", "-f", "csv", "--rule", id]).1;
    assert!(found(id).lines().count() > 1, "{}", found(id));
    assert_eq!(found(&id.to_uppercase()), found(id));
    let other = found("17000000-0000-4000-8000-abcdef00000a");
    assert_eq!(other.lines().count(), 1, "{other}");
}

#[test]
fn a_least_severity_is_that_of_findings_and_alerts() {
    let case = Case::of(&[(
        "levels.yaml",
        "SigninLogs | where ResultType == '50126' | extend Level = iff(UserPrincipalName startswith 'heidi', 'High', 'Low')\n\
         alertDetailsOverride: {alertSeverityColumnName: Level}",
    )]);
    for manner in [&["-f", "ndjson"][..], &["-f", "ndjson", "--replay"][..]] {
        let (_, all, said) = case.hunt(manner);
        assert_eq!(all.lines().count(), 2, "{all}{said}");
        // The rule is Low, and one of its rows says High.
        let (code, some, said) = case.hunt(&[manner, &["-m", "medium"][..]].concat());
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(some.lines().count(), 1, "{some}{said}");
        assert!(some.contains("\"High\""), "{some}");
    }
}

#[test]
fn a_delay_of_a_table_that_nobody_knows_is_said() {
    let case = Case::of(&[("runs.yaml", "SigninLogs | where ResultType == '50126'")]);
    let of = |delay: &str| case.hunt(&["--replay", "--delay", delay]).2;
    let said = of("SiginLogs=5m");
    assert!(
        said.contains("warning: --delay: no table is called `siginlogs`"),
        "{said}"
    );
    assert!(!of("signinlogs=5m,1m").contains("warning"));
    // Rules ask these, and the archive has no such tables.
    for known in ["DeviceNetworkEvents=5m", "storagebloblogs=5m"] {
        assert!(!of(known).contains("warning"), "{known}");
    }
}

#[test]
fn a_column_that_a_mapping_names_and_the_result_has_not_is_said() {
    let mapped = |column: &str| {
        format!(
            "SigninLogs | where ResultType == '50126' | project TimeGenerated, UserPrincipalName\n\
             entityMappings:\n- entityType: Account\n  fieldMappings: [{{identifier: FullName, columnName: {column}}}]"
        )
    };
    let (good, upn) = (mapped("UserPrincipalName"), mapped("Upn"));
    let case = Case::of(&[("good.yaml", good.as_str()), ("upn.yaml", upn.as_str())]);
    for more in [&[][..], &["--replay"][..]] {
        let (code, _, said) = case.hunt(more);
        assert_eq!(code, Some(0), "{said}");
        let told = "warning: rule `17000000-0000-4000-8000-abcdef000002` of `rules/upn.yaml`: its result has no column `Upn`, which an entity mapping names\n";
        assert!(said.contains(told), "{said}");
        assert_eq!(
            said.matches("its result has no column").count(),
            1,
            "{said}"
        );
    }
}
