//! Invented events make rules fire, in a sweep and when they are replayed.
//!
//! The events are of one hour, each family with events beside it that no rule is to find.

use std::collections::BTreeMap;

use coldtrail::hunt::replay::runs;
use coldtrail::rules::{Pack, Rule};

use super::{Case, corpus, packs};

const EVENTS: &str = "tests/it/data/public_rules/events.ndjson";

/// Published rules by id, or by name where they have none, and how many rows they find.
const PUBLISHED: [(&str, usize); 36] = [
    // OfficeActivity: audit switched off, mail redirected, a mailbox opened to others, teams deleted, files downloaded.
    ("194dd92e-d6e7-4249-85a5-273350a7f5ce", 1),
    ("500415fb-bba7-4227-a08a-9857fb61b6a7", 1),
    ("957cb240-f45d-4491-9ba5-93430a3c08be", 1),
    ("173f8699-6af5-484a-8b06-8c47ba89b380", 1),
    ("Mass file download from SharePoint or OneDrive", 1),
    // AuditLogs, two with IdentityInfo: roles, permissions, ways to sign in.
    ("0ed0fe7c-af29-4990-af7f-bb5ccb231198", 1),
    ("269435e3-1db8-4423-9dfc-9bf59997da1c", 1),
    ("2a09f8cb-deb7-4c40-b08b-9137667f1c0b", 1),
    ("7d7e20f8-3384-4b71-811c-f5e950e8306c", 1),
    ("Mailbox delegation or permission added via Exchange", 1),
    ("d7feb859-f03e-4e8d-8b21-617be0213b13", 1),
    ("feb0a2fb-ae75-4343-8cbc-ed545f1da289", 1),
    // SigninLogs, one with AuditLogs and one with IdentityInfo.
    ("d99cf5c3-d660-436c-895b-8a8f8448da23", 6),
    ("3617d76d-b15e-4c6f-985e-a1dac73c592d", 6),
    ("57b1634b-531d-4eab-a456-8b855887428f", 1),
    ("MFA fatigue attack with repeated push notifications", 1),
    ("High risk sign-in succeeded without MFA challenge", 1),
    ("c7d8e9f0-a1b2-4c3d-4e5f-6a7b8c9d0e1f", 1),
    ("defe4855-0d33-4362-9557-009237623976", 1),
    ("55073036-bb86-47d3-a85a-b113ac3d9396", 1),
    // AADNonInteractiveUserSignInLogs.
    ("e0f6a8b9-c4d5-7e1f-2a3b-4c5d6e7f8a9b", 1),
    ("f1a7b9c0-d5e6-8f2a-3b4c-5d6e7f8a9b0c", 1),
    // AzureActivity.
    ("123778f9-1be4-4bb8-adcc-c47b9a0d8184", 1),
    ("303e7728-b654-467c-a509-00211879716c", 1),
    ("978adfdd-c5e6-4f27-87b2-259e23d8447c", 1),
    // CloudAppEvents and CopilotActivity.
    ("Inbox rule created to forward email externally", 1),
    ("4df245b7-a2cc-4263-839f-76ec26728a57", 1),
    ("bf96f3f4-aa2b-46d9-a17e-9561726e9024", 1),
    // EmailEvents, with EmailAttachmentInfo and UrlClickEvents.
    ("Email with malicious attachment delivered to mailbox", 1),
    ("User clicked phishing URL from delivered email", 1),
    (
        "Business email compromise CEO display name impersonation",
        1,
    ),
    // IdentityLogonEvents.
    ("Password spray with subsequent successful logon", 1),
    ("Successful login after brute force against Entra ID", 1),
    // SecurityAlert and MicrosoftGraphActivityLogs.
    ("b6685757-3ed1-4b05-a5bd-2cacadc86c2a", 1),
    ("493916d5-a094-4bfa-bdd1-d983a063ea3d", 1),
    ("54b355e7-1736-425e-8627-4972161b135a", 1),
];

/// Rules of our own over the same events: what they ask, and how many rows they find.
const OWN: [(&str, usize, &str); 13] = [
    (
        "mailbox",
        1,
        "OfficeActivity\n| where Operation == 'Add-MailboxPermission'\n| mv-expand Parameter = todynamic(Parameters)\n| where Parameter.Name == 'AccessRights' and Parameter.Value has 'FullAccess'\n| project TimeGenerated, UserId, ClientIP",
    ),
    (
        "teams",
        1,
        "OfficeActivity\n| where Operation == 'TeamDeleted'\n| summarize Teams = dcount(TeamName), TimeGenerated = max(TimeGenerated) by UserId\n| where Teams > 3",
    ),
    (
        "roles",
        1,
        "AuditLogs\n| where OperationName has 'outside of PIM'\n| extend Target = tostring(TargetResources[0].userPrincipalName)\n| where isnotempty(Target)",
    ),
    (
        "passes",
        1,
        "let those = IdentityInfo | where array_length(AssignedRoles) > 0 | distinct AccountUPN;\nAuditLogs\n| where ResultReason has 'temporary access pass'\n| extend Target = tostring(TargetResources[0].userPrincipalName)\n| where Target in~ (those)",
    ),
    (
        "prompts",
        1,
        "SigninLogs\n| where ResultType == '500121'\n| summarize Refused = count(), TimeGenerated = max(TimeGenerated) by UserPrincipalName\n| where Refused > 5",
    ),
    (
        "protocols",
        2,
        "AADNonInteractiveUserSignInLogs\n| where AuthenticationProtocol in ('deviceCode', 'ropc')\n| summarize Ways = make_set(AuthenticationProtocol) by UserPrincipalName",
    ),
    (
        "machines",
        1,
        "AzureActivity\n| where OperationNameValue endswith 'runCommand/action'\n| extend Machine = tostring(parse_json(Properties).resource)",
    ),
    (
        "forwarding",
        1,
        "CloudAppEvents\n| where ActionType == 'New-InboxRule'\n| mv-apply Parameter = RawEventData.Parameters on (where tostring(Parameter.Name) has_any ('ForwardTo', 'RedirectTo'))\n| project TimeGenerated, ReportId, AccountDisplayName, Target = tostring(Parameter.Value)",
    ),
    (
        "prompting",
        1,
        "CopilotActivity\n| mv-expand Message = LLMEventData.Messages\n| where tobool(Message.JailbreakDetected)",
    ),
    (
        "clicks",
        1,
        "UrlClickEvents\n| where ThreatTypes has 'Phish' and ActionType == 'ClickAllowed'\n| join kind=inner (EmailEvents | where DeliveryAction == 'Delivered' | project NetworkMessageId, Subject) on NetworkMessageId",
    ),
    (
        "spray",
        1,
        "IdentityLogonEvents\n| summarize Accounts = dcountif(AccountUpn, ActionType == 'LogonFailed'), Good = countif(ActionType == 'LogonSuccess') by IPAddress\n| where Accounts > 10 and Good > 0",
    ),
    (
        "malware",
        1,
        "SecurityAlert\n| where tostring(parse_json(ExtendedProperties).ThreatFamilyName) == 'FoxBlade'",
    ),
    (
        "tools",
        1,
        "MicrosoftGraphActivityLogs\n| summarize Requests = count() by UserAgent, IPAddress\n| where Requests >= 3",
    ),
];

/// An analytics rule that asks this.
fn analytics_rule(id: &str, query: &str) -> String {
    let query = query.replace('\n', "\n  ");
    format!(
        "id: {id}\nname: {id}\nkind: Scheduled\nseverity: Medium\nqueryFrequency: 1h\nqueryPeriod: 1h\ntriggerOperator: gt\ntriggerThreshold: 0\ntactics: [InitialAccess]\nquery: |\n  {query}\n"
    )
}

/// Each rule finds as many rows as it should; replayed, it raises an alert.
fn check(pack: &Pack, wanted: &BTreeMap<&str, usize>) {
    let case = Case::of(EVENTS);
    let outcomes = case.swept(pack);
    let found: BTreeMap<&str, usize> = outcomes
        .iter()
        .map(|outcome| (outcome.id.as_str(), outcome.findings))
        .collect();
    let reasons = outcomes.iter().filter_map(|o| o.status.reason());
    assert_eq!(&found, wanted, "{:?}", reasons.collect::<Vec<_>>());
    let rules: Vec<&Rule> = pack.rules.iter().collect();
    for outcome in case.replayed(&rules, None, None) {
        let id = &outcome.rule.id;
        assert_eq!(outcome.status, runs::Status::Replayed, "{id}");
        assert!(!outcome.alerts.is_empty(), "{id} raised no alert");
    }
}

#[test]
fn published_rules_fire_on_invented_events() {
    let Some(folder) = corpus() else {
        return;
    };
    let wanted: BTreeMap<&str, usize> = PUBLISHED.into_iter().collect();
    let packs = packs(&folder);
    let all = packs.iter().flat_map(|pack| &pack.rules);
    let mut chosen: BTreeMap<&str, &Rule> = BTreeMap::new();
    for rule in all.filter(|rule| wanted.contains_key(rule.id.as_str())) {
        chosen.entry(&rule.id).or_insert(rule);
    }
    // A repository may have dropped a rule since.
    let wanted: BTreeMap<&str, usize> = wanted
        .into_iter()
        .filter(|(id, _)| chosen.contains_key(id))
        .collect();
    assert!(wanted.len() >= 30, "{} rules are there", wanted.len());
    // Some are switched off in their repository.
    let on = |rule: &Rule| Rule {
        enabled: true,
        ..rule.clone()
    };
    let pack = Pack {
        rules: chosen.into_values().map(on).collect(),
        ..Pack::default()
    };
    check(&pack, &wanted);
}

#[test]
fn rules_of_our_own_fire_on_invented_events() {
    let folder = tempfile::tempdir().expect("a folder");
    for (id, _, query) in OWN {
        let file = folder.path().join(format!("{id}.yaml"));
        std::fs::write(file, analytics_rule(id, query)).expect("a rule");
    }
    let pack = coldtrail::rules::load(&[folder.path().to_path_buf()]).expect("rules");
    let wanted = OWN.iter().map(|(id, rows, _)| (*id, *rows)).collect();
    check(&pack, &wanted);
}
