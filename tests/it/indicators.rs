//! Indicators: which there are, in which forms, what never becomes one, and that an independent validator takes them.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::command_line::run;
use crate::{ingest, project};

/// An archive of the story.
fn story(folder: &Path) -> String {
    let path = folder.join("archive");
    ingest(&path, &[project("sample-data")]);
    path.to_string_lossy().into_owned()
}

/// What a command prints and says; it must succeed.
fn told(arguments: &[&str]) -> (String, String) {
    let out = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {said}");
    (text(&out.stdout), said)
}

fn indicators(archive: &str, further: &[&str]) -> (String, String) {
    let mut arguments = vec!["indicators", "-a", archive];
    // What is counted by hand below is what the rules over labels find.
    if !further.contains(&"-r") && !further.contains(&"--from-denials") {
        arguments.extend(["-r", "builtin:mip"]);
    }
    arguments.extend(further);
    told(&arguments)
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// How many of each kind of thing a bundle watches for.
fn kinds(bundle: &Value) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for object in bundle["objects"].as_array().expect("objects") {
        let pattern = object["pattern"].as_str().expect("a pattern");
        let kind = pattern.trim_start_matches('[').split(':').next();
        *kinds
            .entry(kind.unwrap_or_default().to_string())
            .or_default() += 1;
    }
    kinds
}

#[test]
fn denials_of_the_story_are_the_indicators_of_the_sample() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let asked = ["--from-denials", "--documentation", "-f", "tiindicator"];
    let (text, said) = indicators(&archive, &asked);
    assert!(
        said.contains("9 indicators of 17 denials, until 2026-06-05T13:40:03Z"),
        "{said}"
    );
    // Nothing of it is of the day of the run.
    assert_eq!(text, indicators(&archive, &asked).0);
    let all = read(&text);
    let all = all["value"].as_array().expect("indicators");
    assert_eq!(all.len(), 9);
    let mut one = all
        .iter()
        .find(|one| one["fileName"] == "Patent Draft.docx")
        .cloned()
        .expect("the denial of 8 May");
    // Its label is in no log of denials; other records of the document may know it.
    one["tags"][2] = json!("");
    assert_eq!(
        one,
        json!({
            "action": "alert",
            "confidence": 0,
            "description": "Access denied to peggy.passer@fabrikam.com on Patent Draft.docx",
            "expirationDateTime": "2026-06-05T13:40:03Z",
            "externalId": "2616eafe-24b2-4fa9-90d7-49b37b1bd347",
            "fileName": "Patent Draft.docx",
            "networkIPv4": "203.0.113.41",
            "severity": 2,
            "tags": [
                "2616eafe-24b2-4fa9-90d7-49b37b1bd347",
                "Patent Draft.docx",
                "",
                "peggy.passer@fabrikam.com",
                "dave.draper@contoso.com",
                "2026-05-08T22:58:03Z",
                "2026-05-04T06:38:00Z",
                "203.0.113.41",
                "AccessDenied",
                "1"
            ],
            "targetProduct": "Azure Sentinel",
            "threatType": "WatchList",
            "tlpLevel": "green"
        })
    );
    // The sample counted the attempts of one moment, so that there was always one.
    let tags = |name: &str| all.iter().find(|one| one["fileName"] == name);
    let two = tags("Tender 01 Prices.xlsx").expect("a tender");
    assert_eq!(two["tags"][9], "2");
    assert_eq!(two["tags"][5], "2026-05-19T14:26:20Z");
}

#[test]
fn what_is_reserved_for_documentation_is_left_out_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let (text, said) = indicators(&archive, &["--from-denials"]);
    let found = kinds(&read(&text));
    assert_eq!(
        (found.get("ipv4-addr"), found.get("file")),
        (None, Some(&9))
    );
    assert_eq!(found["user-account"], 2);
    for line in [
        "11 indicators of 17 denials, ",
        "left out 1 account, 3 addresses: reserved for documentation",
        "--documentation takes what is reserved for documentation",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let (text, said) = indicators(&archive, &["--from-denials", "--documentation"]);
    let bundle = read(&text);
    let found = kinds(&bundle);
    // Fourteen attempts on seven documents, in 39 minutes.
    let objects = bundle["objects"].as_array().expect("objects");
    let trudy = objects
        .iter()
        .find(|o| o["pattern"] == "[user-account:user_id = 'trudy.tryer@fabrikam.com']")
        .expect("who tried most");
    assert_eq!(
        trudy["description"],
        "Access denied to a protected document (14 times, last 2026-05-19T14:44:16Z)"
    );
    assert_eq!(trudy["valid_from"], "2026-05-19T14:05:26.000Z");
    // The last event of the archive.
    assert_eq!(trudy["modified"], "2026-05-29T13:40:03.000Z");
    assert_eq!(found["ipv4-addr"], 3);
    assert_eq!(found["user-account"], 3);
    assert!(!said.contains("left out"), "{said}");
}

#[test]
fn findings_are_one_indicator_for_each_thing_that_they_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let (text, said) = indicators(&archive, &["--documentation"]);
    assert!(said.contains("81 indicators of 80 findings, "), "{said}");
    assert!(
        said.contains("left out 1 account: Microsoft's own service"),
        "{said}"
    );
    assert_eq!(text, indicators(&archive, &["--documentation"]).0);
    let bundle = read(&text);
    let wanted = [("file", 54), ("ipv4-addr", 13), ("user-account", 14)];
    let wanted = wanted.map(|(kind, many)| (kind.to_string(), many));
    assert_eq!(kinds(&bundle), BTreeMap::from(wanted));
    let objects = bundle["objects"].as_array().expect("objects");
    let ids: HashSet<&str> = objects.iter().filter_map(|o| o["id"].as_str()).collect();
    assert_eq!(ids.len(), 81);
    let ivan = objects
        .iter()
        .find(|o| o["pattern"] == "[ipv4-addr:value = '203.0.113.66']")
        .expect("the address of 14 May");
    assert_eq!(ivan["valid_from"], "2026-05-14T22:10:21.000Z");
    assert_eq!(ivan["confidence"], 80);
    assert_eq!(ivan["labels"][0], "Severity: High");
    let phase = json!({"kill_chain_name": "mitre-attack", "phase_name": "initial-access"});
    let phases = ivan["kill_chain_phases"].as_array().expect("phases");
    assert!(phases.contains(&phase), "{phases:?}");
    for object in objects {
        let text = object["description"].as_str().expect("a description");
        assert!(text.chars().count() <= 100, "{text}");
    }
    // The same things in the other forms; tiIndicator knows neither accounts without an address nor applications.
    let (csv, _) = indicators(&archive, &["--documentation", "-f", "csv"]);
    assert_eq!(csv.lines().count(), 82);
    let (graph, _) = indicators(&archive, &["--documentation", "-f", "tiindicator"]);
    assert_eq!(read(&graph)["value"].as_array().map(Vec::len), Some(81));
}

#[test]
fn pieces_are_bodies_of_requests_and_replace_those_of_an_earlier_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = story(folder.path());
    let pieces = folder.path().join("upload");
    let place = pieces.to_string_lossy().into_owned();
    fs::create_dir(&pieces).expect("a folder");
    fs::write(pieces.join("indicators-0007.json"), "old").expect("a file");
    fs::write(pieces.join("notes.json"), "mine").expect("a file");
    let place = place.as_str();
    let asked = ["--documentation", "--pieces", place, "--source", "case-17"];
    let mut arguments = vec!["indicators", "-a", &archive];
    arguments.extend(asked);
    let refused = run(&arguments);
    assert_eq!(refused.status.code(), Some(3));
    let (text, _) = indicators(&archive, &[&asked[..], &["-C"][..]].concat());
    assert_eq!(text, "");
    let mut names: Vec<String> = fs::read_dir(&pieces)
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into())
        .collect();
    names.sort();
    assert_eq!(names, ["indicators-0001.json", "notes.json"]);
    let body = fs::read_to_string(pieces.join("indicators-0001.json")).expect("a piece");
    let body = read(&body);
    assert_eq!(body["sourcesystem"], "case-17");
    assert_eq!(body["stixobjects"].as_array().map(Vec::len), Some(81));
    // The objects are those of the bundle.
    let (bundle, _) = indicators(&archive, &["--documentation"]);
    assert_eq!(body["stixobjects"], read(&bundle)["objects"]);
}

/// Denials from a trusted location, a private address, Microsoft's own, an allowed range, and from outside.
fn guarded(folder: &Path) -> String {
    let denial = |second: u32, user: &str, address: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-05-01T09:00:{second:02}Z","Type":"InformationProtectionLogs_CL","LogId_g":"own{second}","Activity_s":"AccessDenied","UserId_s":"{user}","ContentId_g":"0c0c0c0c-0000-4000-8000-00000000000a","ObjectId_s":"C:\\Work\\Plan 'A' [1].docx","IPv4_s":"{address}"}}
"#
        )
    };
    let log = [
        denial(1, "eve@fabrikam.com", "203.0.113.9"),
        denial(2, "eve@fabrikam.com", "10.1.2.3"),
        denial(3, "eve@fabrikam.com", "40.97.1.1"),
        denial(4, "eve@fabrikam.com", "198.51.100.200"),
        denial(5, "bob@contoso.com", "192.0.2.50"),
        denial(6, "bob@contoso.com", "192.0.2.51"),
    ];
    fs::write(folder.join("denials.json"), log.concat()).expect("a file");
    let sign_in = r#"{"TimeGenerated":"2026-05-01T08:00:00Z","Type":"SigninLogs","Id":"0a0a0a0a-0000-4000-8000-00000000000a","UserPrincipalName":"bob@contoso.com","IPAddress":"192.0.2.50","ResultType":"0","NetworkLocationDetails":"[{\"networkType\":\"trustedNamedLocation\",\"networkNames\":[\"Office\"]}]"}
"#;
    fs::write(folder.join("signins.json"), sign_in).expect("a file");
    // Defender has sign-ins in a table of its own.
    let sign_in = r#"{"Timestamp":"2026-05-01T08:00:00Z","Type":"EntraIdSignInEvents","ReportId":"r1","AccountUpn":"bob@contoso.com","IPAddress":"192.0.2.51","ErrorCode":0,"NetworkLocationDetails":"[{\"networkType\":\"trustedNamedLocation\",\"networkNames\":[\"Office\"]}]"}
"#;
    fs::write(folder.join("defender.json"), sign_in).expect("a file");
    let lists = folder.join("watchlists");
    fs::create_dir(&lists).expect("a folder");
    fs::write(
        lists.join("Allowlist.csv"),
        "Value,Reason\n198.51.100.128/25,our scanner\n*,everything\n",
    )
    .expect("a list");
    let path = folder.join("archive");
    ingest(
        &path,
        &[
            "denials.json",
            "signins.json",
            "defender.json",
            "watchlists",
        ]
        .map(|name| folder.join(name)),
    );
    path.to_string_lossy().into_owned()
}

#[test]
fn own_addresses_private_ones_microsofts_and_allowed_ones_are_no_indicators() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = guarded(folder.path());
    let asked = [
        "--from-denials",
        "--documentation",
        "--allow",
        "contoso.com",
    ];
    let (text, said) = indicators(&archive, &asked);
    let bundle = read(&text);
    let patterns: Vec<&str> = bundle["objects"]
        .as_array()
        .expect("objects")
        .iter()
        .filter_map(|o| o["pattern"].as_str())
        .collect();
    assert_eq!(
        patterns,
        [
            "[ipv4-addr:value = '203.0.113.9']",
            "[user-account:user_id = 'eve@fabrikam.com']",
            r"[file:name = 'Plan \'A\' [1].docx']",
        ]
    );
    for line in [
        "3 indicators of 6 denials, ",
        "left out 1 address: Microsoft's own service",
        "left out 1 address: a private or local address",
        "left out 1 address: allowed: our scanner",
        "left out 2 addresses: an own address, by the trusted locations of sign-ins",
        "left out 1 account: allowed: --allow",
        "warning: watchlist `Allowlist`: `*` would leave out everything; it allows nothing",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

/// A rule that takes each record for a finding and names what its fields hold.
const NAMES_ALL: &str = "/*
id: all
name: All
severity: High
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: FullName, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: Ip}
  - entityType: URL
    fieldMappings:
      - {identifier: Url, columnName: Url}
  - entityType: CloudApplication
    fieldMappings:
      - {identifier: Name, columnName: App}
  - entityType: FileHash
    fieldMappings:
      - {identifier: Algorithm, columnName: Algorithm}
      - {identifier: Value, columnName: Hash}
  - entityType: DNS
    fieldMappings:
      - {identifier: DomainName, columnName: Dns}
*/
SELECT TimeGenerated, UserId, AuditData->>'TIp' AS Ip, AuditData->>'TUrl' AS Url, AuditData->>'TApp' AS App,
  'SHA256' AS Algorithm, AuditData->>'THash' AS Hash, AuditData->>'TDns' AS Dns
FROM UnifiedAuditLog";

/// An archive of records that each have one field beside the usual ones, and a rule that names them.
fn named(folder: &Path, fields: &[(&str, &str)]) -> (String, String) {
    let mut records = String::new();
    for (number, (field, value)) in fields.iter().enumerate() {
        let mut record = json!({
            "Id": format!("0b0b0b0b-0000-4000-8000-{number:012}"),
            "CreationTime": format!("2026-05-12T20:00:{number:02}"),
            "RecordType": 6, "Operation": "FileDownloaded", "Workload": "SharePoint", "UserType": 0,
            "UserId": format!("u{number}@contoso.com"),
            "ObjectId": "https://contoso.sharepoint.com/Plan.docx",
        });
        record[*field] = json!(value);
        records += &record.to_string();
        records.push('\n');
    }
    let (export, rule, archive) = ("audit.jsonl", "rule.sql", "archive");
    fs::write(folder.join(export), records).expect("a file");
    fs::write(folder.join(rule), NAMES_ALL).expect("a rule");
    ingest(&folder.join(archive), &[folder.join(export)]);
    let text = |name: &str| folder.join(name).to_string_lossy().into_owned();
    (text(archive), text(rule))
}

#[test]
fn each_kind_of_thing_is_told_apart_and_nobodys_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let hash = "A".repeat(64);
    let hashed = format!("[file:hashes.'SHA-256' = '{}']", "a".repeat(64));
    let (archive, rule) = named(
        folder.path(),
        &[
            ("TIp", "10.0.0.1"),
            ("TIp", "2002:a00:1::1"),
            ("TIp", "64:ff9b::a00:1"),
            ("TIp", "2603:1063:6000::1"),
            ("TIp", "8.8.8.8"),
            ("TUrl", "https://login.microsoftonline.com/x"),
            ("TUrl", "login.microsoftonline.com/x"),
            ("TUrl", "http://srv.corp.local/"),
            ("TUrl", "https://evil.fabrikam.com/a"),
            ("TApp", "Excel"),
            ("TApp", "Evil App"),
            ("TApp", "0a0a0a0a-0000-4000-8000-00000000000a"),
            ("TDns", "10.0.0.1"),
            ("TDns", "Evil.Fabrikam.org."),
            ("THash", hash.as_str()),
            ("UserId", "=cmd@fabrikam.com"),
            ("UserId", "i:0#.f|membership|eve@fabrikam.com"),
            ("UserId", "eve_fabrikam.com#EXT#@contoso.com"),
        ],
    );
    let asked = ["-r", rule.as_str(), "--allow", "@contoso.com"];
    let (text, said) = indicators(&archive, &asked);
    let bundle = read(&text);
    let patterns: Vec<&str> = bundle["objects"]
        .as_array()
        .expect("objects")
        .iter()
        .filter_map(|o| o["pattern"].as_str())
        .collect();
    assert_eq!(
        patterns,
        [
            "[ipv4-addr:value = '8.8.8.8']",
            "[user-account:user_id = '=cmd@fabrikam.com']",
            "[user-account:user_id = 'eve@fabrikam.com']",
            "[user-account:user_id = 'eve_fabrikam.com#ext#@contoso.com']",
            "[software:name = '0a0a0a0a-0000-4000-8000-00000000000a']",
            "[software:name = 'Evil App']",
            "[url:value = 'https://evil.fabrikam.com/a']",
            "[domain-name:value = 'evil.fabrikam.org']",
            hashed.as_str(),
        ]
    );
    for line in [
        "9 indicators of 18 findings, ",
        "left out 1 URL, 1 address, 1 application: Microsoft's own service",
        "left out 3 addresses: a private or local address",
        "left out 1 URL: a name of some network's own",
        "left out 1 URL: no address of the web",
        "left out 15 accounts: allowed: --allow",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(!said.contains("may refuse"), "{said}");
    // What its import does not name is said, and what a cell cannot hold as it is.
    let (_, said) = indicators(&archive, &[&asked[..], &["-f", "stix-list"][..]].concat());
    assert!(
        said.contains("warning: Sentinel may refuse 2 applications"),
        "{said}"
    );
    let (text, said) = indicators(&archive, &[&asked[..], &["-f", "csv"][..]].concat());
    assert!(
        text.contains(",user-account,'=cmd@fabrikam.com\n"),
        "{text}"
    );
    for line in [
        "warning: Sentinel may refuse 2 applications",
        "may refuse 1 file: it takes them of `-f stix-list`",
        "warning: 1 value would be a formula",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = guarded(folder.path());
    for (further, why) in [
        (vec!["--allow", "*"], "would leave out everything"),
        (vec!["--allow", "10.0.0.0/33"], "is no range of addresses"),
        (vec!["--pieces", "x", "-f", "csv"], "--pieces"),
        (
            vec!["-f", "yara"],
            "one of stix, stix-list, csv, tiindicator",
        ),
        (vec!["--tlp", "blue"], "one of white, green, amber, red"),
        (vec!["--source", "Microsoft Sentinel"], "its own name"),
        (vec!["--from-findings", "--from-denials"], "cannot be used"),
        (vec!["--from-denials", "-r", "builtin"], "cannot be used"),
    ] {
        let mut arguments = vec!["indicators", "-a", &archive];
        arguments.extend(further);
        let out = run(&arguments);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
}

/// Holds files against the published schemas of STIX 2.1 and the grammar of its patterns, which the package brings along.
const VALIDATOR: &str = r#"
import json, sys
from stix2validator import ValidationOptions, validate_string
options = ValidationOptions(version="2.1")
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    for one in document.get("stixobjects", [document]):
        result = validate_string(json.dumps(one), options)
        assert result.is_valid, [path, [str(error) for error in result.errors]]
        print(len(one.get("objects", [one])))
"#;

/// A Python that has the package `stix2-validator`. Where there is none, that is said.
fn python() -> Option<&'static str> {
    let found = ["python3", "python"].into_iter().find(|python| {
        let out = Command::new(python)
            .args(["-c", "import stix2validator"])
            .output();
        out.is_ok_and(|o| o.status.success())
    });
    if found.is_none() {
        println!(
            "skipped: no Python with the package `stix2-validator` (pip install stix2-validator)"
        );
    }
    found
}

#[test]
fn an_independent_validator_takes_every_object() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let archive = story(folder.path());
    let (findings, denials, none) = (
        path("findings.json"),
        path("denials.json"),
        path("none.json"),
    );
    indicators(&archive, &["--documentation", "-o", &findings]);
    indicators(
        &archive,
        &[
            "--from-denials",
            "--documentation",
            "--tlp",
            "red",
            "-o",
            &denials,
        ],
    );
    indicators(
        &archive,
        &["--from-denials", "--to", "2026-05-01", "-o", &none],
    );
    // Text that would end a pattern, or turn the direction of what is read.
    let hostile = folder.path().join("hostile");
    fs::create_dir(&hostile).expect("a folder");
    let record = json!({
        "Id": "0b0b0b0b-0000-4000-8000-00000000000b", "CreationTime": "2026-05-12T20:00:00", "RecordType": 6,
        "Operation": "FileDownloaded", "Workload": "SharePoint", "UserType": 0,
        "UserId": "o'\\'] OR [x:y = '\u{202e}\n@fabrikam.com",
        "ObjectId": "https://contoso.sharepoint.com/Plan.docx",
    });
    fs::write(hostile.join("audit.jsonl"), format!("{record}\n")).expect("a file");
    fs::write(
        hostile.join("rule.sql"),
        "/*\nid: all\nname: All\nseverity: High\nentityMappings:\n  - entityType: Account\n    fieldMappings:\n      \
         - {identifier: FullName, columnName: UserId}\n*/\nSELECT TimeGenerated, UserId, _Source FROM UnifiedAuditLog",
    )
    .expect("a rule");
    let other = hostile.join("archive");
    ingest(&other, &[hostile.join("audit.jsonl")]);
    let text = path("hostile.json");
    let rule = hostile.join("rule.sql");
    let (other, rule) = (other.to_string_lossy(), rule.to_string_lossy());
    indicators(&other, &["-r", &rule, "-o", &text]);
    let out = Command::new(python)
        .args(["-c", VALIDATOR])
        .args([&findings, &denials, &none, &text])
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    let counts = String::from_utf8_lossy(&out.stdout);
    let counts: Vec<&str> = counts.lines().collect();
    assert_eq!(counts, ["81", "15", "1", "1"]);
}
