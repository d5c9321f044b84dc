//! Replays over rows that are read once, of queries in the shapes that rules have: whatever reads its rows twice, in an order, over two periods or
//! under a condition that moves, gives what each run finds.

use coldtrail::hunt::replay::Manner;
use coldtrail::rules::Language;

use crate::replay::{Dice, delay, events, replayed, rule};

const SHAPES: [&str; 16] = [
    // What was not there before: two periods, and the condition stands outside of the join.
    "SigninLogs | where TimeGenerated > ago(15m) | join kind=leftouter (SigninLogs | where TimeGenerated between (ago(1h) .. ago(15m)) \
     | summarize seen = max(TimeGenerated) by UserPrincipalName) on UserPrincipalName | where isnull(seen) or seen < ago(40m) | project TimeGenerated, UserPrincipalName",
    "SigninLogs | project TimeGenerated, UserPrincipalName | join kind=fullouter (AuditLogs | project TimeGenerated, OperationName) \
     on $left.UserPrincipalName == $right.OperationName | where TimeGenerated1 > ago(20m) or isnull(TimeGenerated1) | project UserPrincipalName, OperationName, TimeGenerated1",
    "SigninLogs | where TimeGenerated > ago(10m) or TimeGenerated < ago(30m) | summarize n = count() by UserPrincipalName",
    "SigninLogs | where iff(TimeGenerated > ago(20m), ResultType == '0', ResultType == '50126') | project TimeGenerated, UserPrincipalName",
    "SigninLogs | summarize recent = countif(TimeGenerated > ago(20m)), n = count() by UserPrincipalName | where recent > 0",
    "SigninLogs | summarize n = count() by Ago = bin(now() - TimeGenerated, 10m) | where n > 1",
    "union (SigninLogs | where TimeGenerated > ago(10m) | summarize n = count() by UserPrincipalName | extend which = 'new'), \
     (SigninLogs | where TimeGenerated > ago(1h) | summarize n = count() by UserPrincipalName | extend which = 'all')",
    "let seen = materialize(SigninLogs | where ResultType == '0'); union (seen | where TimeGenerated > ago(20m) | summarize n = count()), \
     (seen | where TimeGenerated < ago(20m) | summarize n = -count())",
    "let known = toscalar(AuditLogs | summarize make_set(OperationName)); SigninLogs | where UserPrincipalName in (known) | project TimeGenerated, UserPrincipalName",
    "let since = toscalar(AuditLogs | summarize min(TimeGenerated)); SigninLogs | where TimeGenerated > since | summarize n = count()",
    "let failed = (T:(UserPrincipalName:string, ResultType:string), least:long) { T | where ResultType != '0' | summarize n = count() by UserPrincipalName | where n > least }; \
     SigninLogs | invoke failed(1)",
    "let counted = (t:string, since:datetime) { table(t) | where TimeGenerated > since | summarize n = count() by Type }; union counted('SigninLogs', ago(30m)), counted('AuditLogs', ago(10m))",
    "SigninLogs | sort by UserPrincipalName asc, TimeGenerated asc, Id asc | scan declare (began:datetime) with (step s: true => began = iff(isnull(s.began), TimeGenerated, s.began);) \
     | project TimeGenerated, UserPrincipalName, began",
    "SigninLogs | partition by ResultType (summarize n = count() by UserPrincipalName)",
    "range t from bin(ago(1h), 10m) to now() step 10m | join kind=leftouter (SigninLogs | summarize n = count() by t = bin(TimeGenerated, 10m)) on t | where n > 1 | project t, n",
    "datatable(u:string)['alice', 'zoe'] | join kind=leftanti (SigninLogs | distinct u = UserPrincipalName) on u",
];

#[test]
fn queries_of_many_shapes_give_what_each_run_finds() {
    let mut dice = Dice(17);
    let mut raised = 0;
    for query in SHAPES {
        let (records, data) = events(&mut dice);
        let rule = rule(&mut dice, (Language::Kql, query));
        let delay = delay(&mut dice);
        let replay = |manner| replayed(&records, data, &rule, &delay, manner).0;
        let once = replay(Manner::Once);
        assert_eq!(
            once,
            replay(Manner::EachRun),
            "{query} {:?} {:?} {delay:?}",
            rule.kind,
            rule.schedule
        );
        raised += once.len();
    }
    assert!(raised > 10, "{raised} alerts");
}
