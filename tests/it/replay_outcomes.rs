//! What a replay says of rules that raise nothing: what is not there for them, and an archive without events.

use std::path::Path;

use crate::command_line::run;

/// A rule of one's own that asks this.
fn asks(id: &str, query: &str) -> String {
    format!(
        "id: {id}\nname: {id}\ndescription: d\nkind: Scheduled\nseverity: Low\nqueryFrequency: 1d\nqueryPeriod: 1d\n\
         triggerOperator: gt\ntriggerThreshold: 0\nquery: |\n  {query}\nversion: 1.0.0\n"
    )
}

/// An archive of an export, and rules.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn of(input: &str, rules: &[(&str, &str)]) -> Case {
        let case = Case {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let out = run(&["ingest", input, "-a", &case.path("archive"), "-q"]);
        assert_eq!(out.status.code(), Some(0));
        std::fs::create_dir(case.path("rules")).expect("a folder");
        for (id, query) in rules {
            let file = Path::new(&case.path("rules")).join(format!("{id}.yaml"));
            std::fs::write(file, asks(id, query)).expect("a rule");
        }
        case
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// The exit code of a replay, and what it says.
    fn replay(&self, more: &[&str]) -> (Option<i32>, String) {
        let (archive, rules) = (self.path("archive"), self.path("rules"));
        let hunt = ["hunt", "-a", &archive, "-r", &rules, "--replay"];
        let out = run(&[&hunt[..], more].concat());
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code(), said)
    }
}

#[test]
fn a_replay_tells_apart_what_is_not_there() {
    let case = Case::of(
        "sample-data/signin",
        &[
            ("good", "SigninLogs | where RiskLevelDuringSignIn == 'high'"),
            ("unknown", "SignLogs | take 1"),
            ("lake", "EntraUsers | take 1"),
            ("absent", "DeviceProcessEvents | project TimeGenerated"),
            (
                "half",
                "SigninLogs | join kind=inner (DeviceProcessEvents) on $left.UserPrincipalName == $right.AccountUpn",
            ),
            ("list", "_GetWatchlist('VIPUsers') | project SearchKey"),
        ],
    );
    let (code, said) = case.replay(&["-v"]);
    assert_eq!(code, Some(20), "{said}");
    for line in [
        "rule `unknown` did not run: no table `SignLogs` (did you mean `SigninLogs`",
        "rule `lake` did not run: `EntraUsers` is in Sentinel's data lake alone\n",
        "rule `list` did not run: it needs the watchlist `watchlists/VIPUsers.csv`\n",
        "the archive has no rows of tables that rules ask: `DeviceProcessEvents` (2 rules)\n",
        "6 rules: 3 ran (1 over tables without rows), 1 without a watchlist or function, 1 over unknown tables, 1 over the data lake\n",
        " events in the tables that they asked\n",
        "most alerts: `good` ",
        "slowest: ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    // What only lacks something does not count where that is said.
    let (code, said) = case.replay(&["--ignore-missing", "-q"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_replay_says_why_each_run_was_planned_by_itself() {
    let case = Case::of(
        "sample-data/signin",
        &[
            ("once", "SigninLogs | where ResultType == '50126'"),
            (
                "moved",
                "SigninLogs | make-series n = count() on TimeGenerated from ago(1h) to now() step 10m",
            ),
        ],
    );
    let (_, said) = case.replay(&[
        "-v",
        "--from",
        "2026-05-20T08:00",
        "--to",
        "2026-05-20T10:00",
    ]);
    let of = |rule: &str| {
        let mut lines = said.lines();
        let line = lines.find(|line| line.contains(rule) && line.contains(" asked, "));
        line.unwrap_or_else(|| panic!("{rule}: {said}"))
    };
    let why = "; each by itself: its plan depends on the time of the run";
    assert!(of("`moved`").ends_with(why), "{said}");
    assert!(!of("`once`").contains("by itself"), "{said}");
}

#[test]
fn a_rule_beyond_its_time_ends_in_a_replay_as_in_a_sweep() {
    let slow = "range x from 1 to 3000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 300000 step 1 | extend k = 1) on k \
                | where hash_md5(strcat(x, y)) startswith 'abcdef' | summarize count()";
    let rules = [
        ("quick", "SigninLogs | where ResultType == '50126'"),
        ("slow", slow),
    ];
    let case = Case::of("sample-data/signin", &rules);
    let (code, said) = case.replay(&["--rule-timeout", "5s"]);
    assert_eq!(code, Some(20), "{said}");
    let ended = "rule `slow` did not run: the query failed: no answer within 5 s: --timeout or --rule-timeout ended it\n";
    assert!(said.contains(ended), "{said}");
    assert!(!said.contains("rule `quick` did not run"), "{said}");
}

#[test]
fn an_archive_without_events_has_no_runs_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let export = folder.path().join("SigninLogs.json");
    std::fs::write(&export, "[]").expect("an export");
    let rules = [("a", "SigninLogs"), ("b", "SigninLogs | take 1")];
    let case = Case::of(&export.to_string_lossy(), &rules);
    let none = "rules `a`, `b` have no runs: there are no events to see (--from and --to say when rules run all the same)\n";
    for more in [
        &[][..],
        &["--from", "2026-05-04"],
        &["--to", "2026-05-04"],
        &["--delay", "10m"],
    ] {
        let (code, said) = case.replay(more);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(none), "{more:?}: {said}");
        assert!(said.contains(" from 0 runs of 0 rules"), "{more:?}: {said}");
    }
    // A rule that fires over nothing is asked for on days without events, too.
    let (code, said) = case.replay(&["--from", "2026-05-04", "--to", "2026-05-06"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" from 4 runs of 2 rules"), "{said}");
}
