//! A simulated attack of 2021, as it was exported: what each built-in rule finds in it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::command_line::run;
use crate::shared;

/// Each rule that finds something: the severity and the number of its findings. Each was checked against its records.
const FOUND: &[(&str, &str, usize)] = &[
    ("account-guessed-until-locked", "Low", 2),
    ("admin-client-first-use", "Low", 5),
    ("admin-consent-to-risky-scopes", "Low", 2),
    ("admin-role-given-outside-pim", "Medium", 8),
    ("admin-role-group-member-added", "Medium", 3),
    ("anonymous-link-with-edit-rights", "Low", 1),
    ("app-permission-to-all-content", "Medium", 1),
    ("application-credential-added", "Low", 11),
    ("application-imitates-microsoft", "Medium", 5),
    ("application-made-multi-tenant", "Low", 9),
    ("application-permission-granted", "Low", 3),
    ("application-used-after-risky-consent", "Low", 7),
    ("consent-blocked-for-risk", "Low", 1),
    ("inbox-rule-forwards-outside", "Medium", 1),
    ("inbox-rule-hides-mail", "Medium", 1),
    ("inbox-rule-odd-name", "Medium", 2),
    ("mail-synced-by-new-client", "Low", 1),
    ("mailbox-access-granted-to-oneself", "Medium", 1),
    ("mailbox-forwarding-set", "Low", 2),
    ("mailbox-forwards-outside", "Medium", 1),
    ("mailbox-full-access-granted", "Low", 3),
    ("mailbox-session-on-two-systems", "High", 1),
    ("mfa-requirement-removed", "Medium", 1),
    ("organisation-setting-changed", "Low", 3),
    ("password-spray", "Medium", 2),
    ("password-spray-succeeded", "High", 3),
    ("send-as-granted", "Low", 2),
    ("transport-rule-copies-mail", "Medium", 1),
    ("user-consent-to-risky-scopes", "Medium", 10),
];

#[test]
fn each_rule_finds_what_was_checked_by_hand() {
    let Some(path) = shared("data/real/ual-splunk-reexport-2021.csv.zst") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let archive = archive.to_string_lossy();
    let out = run(&["ingest", &path.to_string_lossy(), "-a", &archive]);
    // Three lines of the export have no record.
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(10), "{told}");
    let out = run(&["hunt", "-a", &archive, "--ignore-missing", "-f", "json"]);
    let told = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{told}");
    let hunt: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let mut found: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in hunt["findings"].as_array().expect("findings") {
        let rule = finding["rule"].as_str().expect("a rule");
        let severity = finding["severity"].as_str().expect("a severity");
        *found.entry((rule, severity)).or_default() += 1;
    }
    let found: Vec<(&str, &str, usize)> = found.into_iter().map(|((r, s), n)| (r, s, n)).collect();
    assert_eq!(found, FOUND);
}
