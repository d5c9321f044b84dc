//! The built-in pack over the sample data's two stories gives exactly these findings, and its README says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::command_line::run;
use crate::project;

/// Findings by rule of `sample-data` (without the attack).
const FIRST: &[(&str, usize)] = &[
    ("access-denied-to-protected-document", 9),
    ("anonymous-link-with-edit-rights", 1),
    ("conditional-access-gap", 1),
    ("critical-file-touched", 2),
    ("document-sensitivity-mismatch", 1),
    ("downgrade-justification-missing-or-one-word", 5),
    ("label-activity-peak", 2),
    ("label-downgraded", 41),
    ("label-policy-changed", 1),
    ("label-removed", 6),
    ("label-removed-by-app", 1),
    ("label-removed-then-shared-or-downloaded", 3),
    ("labelled-file-renamed", 1),
    ("many-access-denials", 1),
    ("mass-label-removal-or-downgrade", 1),
    ("new-country-for-user", 1),
    ("protected-file-opened-by-guest-or-new-country", 2),
    ("risky-sign-in-succeeded", 1),
    ("risky-signin-then-label-removal", 1),
    ("shared-with-everyone", 1),
    ("super-user-decryption", 3),
];

/// Findings by rule of `sample-data/attack`.
const ATTACK: &[(&str, usize)] = &[
    ("admin-client-first-use", 3),
    ("admin-consent-to-risky-scopes", 1),
    ("admin-opened-onedrive-of-another", 1),
    ("admin-role-given-outside-pim", 1),
    ("admin-tool-single-factor", 2),
    ("agent-made-or-published", 1),
    ("anonymous-link-used-from-many-addresses", 1),
    ("anonymous-link-with-edit-rights", 1),
    ("app-permission-controls-directory", 1),
    ("app-permission-to-all-content", 1),
    ("application-credential-added", 2),
    ("application-made-multi-tenant", 1),
    ("application-mailbox-role-granted", 1),
    ("application-owner-added", 1),
    ("application-permission-granted", 2),
    ("audit-log-searched", 1),
    ("audit-retention-shortened", 1),
    ("authorization-policy-loosened", 1),
    ("break-glass-account-used", 1),
    ("brute-force-then-sign-in", 1),
    ("conditional-access-gap", 4),
    ("conditional-access-policy-disabled", 2),
    ("conditional-access-policy-weakened", 1),
    ("content-search-purge", 1),
    ("copilot-jailbreak-attempt", 1),
    ("copilot-prompt-injection-in-content", 1),
    ("copilot-read-many-labelled-files", 1),
    ("credential-added-to-powerful-application", 1),
    ("cross-tenant-access-changed", 1),
    ("defender-detection-switched-off", 5),
    ("device-code-sign-in", 1),
    ("dlp-overridden-often", 1),
    ("dlp-policy-weakened", 1),
    ("domain-added", 1),
    ("domain-federation-changed", 1),
    ("downgrade-justification-missing-or-one-word", 1),
    ("ediscovery-administrator-added", 1),
    ("ediscovery-content-exported", 1),
    ("ediscovery-rights-then-search", 1),
    ("ediscovery-search-made", 2),
    ("exact-data-match-changed", 1),
    ("external-help-desk-chat", 1),
    ("external-user-sends-link", 1),
    ("file-versions-deleted", 1),
    ("files-fetched-with-a-tool", 1),
    ("files-renamed-to-one-new-extension", 1),
    ("flow-shared-with-outsider", 1),
    ("flow-to-outside-service", 1),
    ("group-label-changed-or-removed", 1),
    ("impossible-travel", 3),
    ("inbound-connector-added", 1),
    ("inbox-rule-forwards-outside", 1),
    ("inbox-rule-hides-mail", 1),
    ("inbox-rule-hides-money-or-warnings", 1),
    ("inbox-rule-odd-name", 1),
    ("information-barrier-weakened", 1),
    ("insider-risk-policy-weakened", 1),
    ("journal-rule-changed", 1),
    ("label-downgraded", 1),
    ("label-policy-changed", 1),
    ("labelled-file-left-device", 1),
    ("legacy-protocol-sign-in", 1),
    ("log-silent-for-hours", 2),
    ("mail-access-throttled", 1),
    ("mail-deleted-in-bulk", 1),
    ("mail-protection-switched-off", 1),
    ("mail-read-in-bulk", 1),
    ("mail-sent-as-another-first-time", 1),
    ("mail-session-without-sign-in", 1),
    ("mail-synced-by-new-client", 1),
    ("mail-used-by-abused-application", 1),
    ("mailbox-audit-bypassed", 1),
    ("mailbox-audit-weakened", 1),
    ("mailbox-folder-opened-to-everyone", 1),
    ("mailbox-forwards-outside", 1),
    ("mailbox-full-access-granted", 1),
    ("mailbox-legacy-protocol-switched-on", 1),
    ("mailbox-searched-for-secrets", 1),
    ("many-anonymous-links-created", 1),
    ("many-detections-switched-off", 1),
    ("many-devices-registered", 1),
    ("many-files-from-new-address", 1),
    ("many-guests-added-to-teams", 1),
    ("many-guests-invited", 1),
    ("mass-file-deletion", 1),
    ("mass-file-download", 1),
    ("mass-sync-to-unmanaged-device", 1),
    ("mfa-fatigue-then-sign-in", 1),
    ("named-location-changed", 1),
    ("new-country-for-user", 7),
    ("outbound-connector-added", 1),
    ("outside-forwarding-allowed", 2),
    ("password-spray", 1),
    ("password-spray-succeeded", 1),
    ("pim-role-setting-changed", 1),
    ("power-app-made-or-published", 1),
    ("power-app-shared-widely", 1),
    ("power-bi-mass-export", 1),
    ("power-bi-published-to-web", 1),
    ("power-bi-shared-outside", 1),
    ("power-platform-data-policy-weakened", 1),
    ("protection-removed-in-bulk", 1),
    ("retention-weakened", 1),
    ("rights-management-weakened", 1),
    ("risky-sign-in-succeeded", 2),
    ("risky-sign-in-then-change", 2),
    ("ropc-sign-in", 1),
    ("same-note-into-many-folders", 1),
    ("search-for-secrets", 1),
    ("security-info-changed-by-administrator", 1),
    ("send-as-granted", 1),
    ("send-as-right-used-soon", 1),
    ("sent-mail-deleted-at-once", 1),
    ("sentinel-lake-queried", 1),
    ("sentinel-rule-deleted", 1),
    ("service-principal-credential-added", 1),
    ("session-on-two-systems", 2),
    ("sharepoint-by-powershell", 2),
    ("sign-in-by-tool", 1),
    ("sign-in-from-hosting-network", 2),
    ("site-collection-admin-added", 1),
    ("teams-app-published", 1),
    ("teams-bot-or-connector-added", 1),
    ("teams-external-access-opened", 1),
    ("teams-organization-setting-changed", 1),
    ("temporary-access-pass-issued", 1),
    ("tenant-sharing-loosened", 1),
    ("transport-rule-bypasses-filter", 1),
    ("transport-rule-copies-mail", 1),
    ("unified-audit-log-switched-off", 1),
    ("unknown-accounts-tried", 1),
    ("user-consent-to-risky-scopes", 1),
    ("warning-mail-deleted", 1),
    ("workload-fell-silent", 1),
];

/// What a hunt with the built-in pack finds in these exports, by rule.
fn found(inputs: &[&str]) -> BTreeMap<String, usize> {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy();
    let mut arguments: Vec<&str> = vec!["ingest", "-a", &archive];
    arguments.extend(inputs);
    let read = run(&arguments);
    let said = String::from_utf8_lossy(&read.stderr);
    assert_eq!(read.status.code(), Some(0), "{said}");
    let hunted = run(&["hunt", "-a", &archive, "-f", "json"]);
    let said = String::from_utf8_lossy(&hunted.stderr);
    assert_eq!(hunted.status.code(), Some(0), "{said}");
    let json: serde_json::Value = serde_json::from_slice(&hunted.stdout).expect("JSON");
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for finding in json["findings"].as_array().expect("findings") {
        let rule = finding["rule"].as_str().expect("a rule").to_string();
        // Of a silence there is no record.
        let has_none = ["log-silent-for-hours", "workload-fell-silent"].contains(&rule.as_str());
        let evidence = finding["evidence"].as_array().map_or(0, Vec::len);
        assert!(evidence > 0 || has_none, "{rule}: {finding}");
        *rules.entry(rule).or_default() += 1;
    }
    rules
}

/// Rules and findings in the table below a heading of the stories' README; rows in bold are chapters and the sum.
fn told(heading: &str) -> BTreeMap<String, usize> {
    let readme = std::fs::read_to_string(project("sample-data/README.md")).expect("the README");
    let lines = readme.lines().skip_while(|l| *l != heading).skip(1);
    lines
        .take_while(|l| !l.starts_with('#'))
        .filter_map(|l| {
            let mut cells = l.strip_prefix("| ")?.split(" | ");
            let rule = cells.next()?.to_string();
            Some((rule, cells.next()?.parse().ok()?))
        })
        .collect()
}

/// Names each rule whose numbers are not the same.
fn assert_same(what: &str, got: &BTreeMap<String, usize>, want: &BTreeMap<String, usize>) {
    let rules: BTreeSet<&String> = got.keys().chain(want.keys()).collect();
    let count = |of: &BTreeMap<String, usize>, rule: &str| of.get(rule).copied().unwrap_or(0);
    let differ: Vec<String> = rules
        .into_iter()
        .filter(|r| count(got, r) != count(want, r))
        .map(|r| format!("{r}: {} instead of {}", count(got, r), count(want, r)))
        .collect();
    assert!(differ.is_empty(), "{what}:\n{}", differ.join("\n"));
}

fn assert_story(inputs: &[&str], heading: &str, table: &[(&str, usize)]) {
    let want = table.iter().map(|(r, n)| ((*r).to_string(), *n)).collect();
    assert_same("found", &found(inputs), &want);
    assert_same("the README says", &told(heading), &want);
}

#[test]
fn the_pack_finds_the_first_story() {
    assert_story(&["sample-data"], "## What the rules find", FIRST);
}

#[test]
fn the_pack_finds_the_attack() {
    assert_story(
        &["sample-data/attack", "sample-data/watchlists"],
        "### What the rules find in the attack",
        ATTACK,
    );
}
