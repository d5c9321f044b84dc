//! Evidence to hand on: what is exported comes back as it was, and nobody of the sample is in the bytes of a pseudonymised export.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use regex::{Regex, RegexBuilder};

use crate::command_line::run;
use crate::{STORY, ask, ingest, output, project};

const FORMATS: [&str; 3] = ["csv", "jsonl", "parquet"];
/// Rules of the pack that find something else in a pseudonymised export, and why.
const OTHER_FINDINGS: &[&str] = &[
    // Reasons that Office offers are words like all others there.
    "downgrade-justification-missing-or-one-word",
];

/// The people of sample-data/README.md, by hand.
const PEOPLE: [&str; 46] = [
    "alice",
    "archer",
    "bob",
    "baker",
    "carol",
    "cooper",
    "dave",
    "draper",
    "erin",
    "elder",
    "frank",
    "fletcher",
    "grace",
    "glover",
    "heidi",
    "hunter",
    "ivan",
    "ironside",
    "judy",
    "joiner",
    "peggy",
    "passer",
    "oscar",
    "outsider",
    "trudy",
    "tryer",
    "nina",
    "neighbour",
    "tom",
    "tanner",
    "viktor",
    "vance",
    "nora",
    "nash",
    "omar",
    "ortiz",
    "quinn",
    "reed",
    "uma",
    "ulrich",
    "sara",
    "stone",
    "petra",
    "pohl",
    "contoso",
    "fabrikam",
];

/// The exports of both stories.
fn samples() -> Vec<PathBuf> {
    let folders = STORY.iter().chain(&["formats", "attack"]);
    folders
        .map(|name| project(&format!("sample-data/{name}")))
        .collect()
}

/// A folder with an archive of all samples and a key.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        ingest(&folder.path().join("archive"), &samples());
        let case = Case { folder };
        case.well(&["export", "--new-key", &case.at("key")]);
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Runs a command that must end well; what it says.
    fn well(&self, arguments: &[&str]) -> String {
        let out = run(arguments);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{arguments:?}: {said}");
        said
    }

    /// Exports all tables into a folder.
    fn export(&self, to: &str, format: &str, further: &[&str]) -> PathBuf {
        let (archive, folder) = (self.at("archive"), format!("{}/", self.at(to)));
        let mut all = vec!["export", "-a", &archive, "-o", &folder, "-f", format];
        all.extend(further);
        self.well(&all);
        self.path(to)
    }

    fn hidden(&self, to: &str, format: &str) -> PathBuf {
        let key = self.at("key");
        self.export(to, format, &["--pseudonymise", &key])
    }
}

/// Events by table; other records by the table that they say.
fn events(archive: &Path) -> BTreeMap<String, String> {
    let out = run(&["tables", "-a", &archive.to_string_lossy()]);
    let text = String::from_utf8(out.stdout).expect("text");
    let lines = text.lines().skip(1).take_while(|line| !line.is_empty());
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = ["Ingests", "Revisions", "Quarantine"];
    words
        .filter(|words| !own.contains(&words[0]))
        .map(|words| (words[0].to_string(), words[1].to_string()))
        .collect()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut all: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    all.sort();
    all
}

#[test]
fn what_is_exported_comes_back_in_every_format() {
    let case = Case::new();
    let before = events(&case.path("archive"));
    for table in ["CloudAppEvents", "UnifiedAuditLog", "SigninLogs"] {
        assert!(before.contains_key(table), "{before:?}");
    }
    let records = |archive: &Path| {
        ask(
            archive,
            "SELECT \"_Fingerprint\" FROM stored.\"UnifiedAuditLog\" ORDER BY 1",
        )
    };
    let others = |archive: &Path| {
        ask(
            archive,
            "SELECT \"ExtraColumns\"->>'Type', count(*) FROM stored.\"OtherRecords\" GROUP BY 1 ORDER BY 1",
        )
    };
    for format in FORMATS {
        let plain = case.export(&format!("plain-{format}"), format, &[]);
        let again = case.path(&format!("again-{format}"));
        ingest(&again, &[plain]);
        assert_eq!(events(&again), before, "{format}");
        assert_eq!(records(&again), records(&case.path("archive")), "{format}");
        assert_eq!(others(&again), others(&case.path("archive")), "{format}");
        let hidden = case.hidden(&format!("hidden-{format}"), format);
        let again = case.path(&format!("again-hidden-{format}"));
        ingest(&again, &[hidden]);
        assert_eq!(events(&again), before, "{format}, pseudonymised");
    }
}

/// The text of a sample, whatever it is packed in, with slashes and quotes as they are.
fn text_of(path: &Path) -> String {
    let bytes = fs::read(path).expect("a sample");
    let ending = path.extension().and_then(|e| e.to_str());
    let bytes = match ending {
        Some("gz") => {
            let mut all = Vec::new();
            flate2::read::MultiGzDecoder::new(bytes.as_slice())
                .read_to_end(&mut all)
                .expect("gzip");
            all
        }
        Some("zst") => zstd::decode_all(bytes.as_slice()).expect("zstd"),
        _ => bytes,
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let text = text
        .replace("\\/", "/")
        .replace("\\\"", "\"")
        .replace("\"\"", "\"");
    percent_encoding::percent_decode_str(&text)
        .decode_utf8_lossy()
        .into_owned()
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

/// Who and where is named in the samples, in small letters: found by what it looks like, and by hand.
fn originals() -> BTreeSet<String> {
    let mail = regex(r"([A-Za-z0-9][A-Za-z0-9._'-]+)@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)");
    let others = [
        regex(r"(?:192\.0\.2|198\.51\.100|203\.0\.113)\.[0-9]{1,3}"),
        regex(r"2001:db8:[0-9a-f:]*[0-9a-f]"),
        regex(
            r#"(?i)"(?:userid|accountobjectid|accountid|tenantid|aadtenantid|organizationid|mailboxguid)" *: *"([0-9a-f]{8}-[0-9a-f-]{27})""#,
        ),
        regex(r"(?i)([a-z0-9-]+)\.sharepoint\.com"),
        regex(r"(?i)/(sites/[a-z0-9 _-]+)"),
        regex(r"(?i)/(personal/[a-z0-9_]+)"),
        regex(r#"(?i)([a-z0-9][a-z0-9 ()_-]+\.(?:docx|xlsx|pptx|pdf|dwg|jpg))\b"#),
        regex(r"(?i)(S-1-5-21-[0-9]+-[0-9-]+)"),
    ];
    // Services, and mailboxes that are called as products and departments are everywhere.
    let services = ["app", "microsoftrmsonline"];
    let everywhere = ["office", "info", "support", "admin"];
    let mut all: BTreeSet<String> = PEOPLE.iter().map(ToString::to_string).collect();
    for folder in samples() {
        for entry in walkdir::WalkDir::new(folder) {
            let entry = entry.expect("a sample");
            let is_text = entry
                .path()
                .extension()
                .is_some_and(|e| e != "md" && e != "zip");
            if !entry.file_type().is_file() || !is_text {
                continue;
            }
            let text = text_of(entry.path());
            for found in mail.captures_iter(&text) {
                // `Actor@odata.type` is no address of mail.
                if services.contains(&&found[1]) || found[2].starts_with("odata.") {
                    continue;
                }
                all.insert(found[0].to_lowercase());
                let local = found[1].to_lowercase();
                let is_own = local.len() > 3 && !everywhere.contains(&local.as_str());
                all.extend(is_own.then_some(local));
            }
            for pattern in &others {
                for found in pattern.captures_iter(&text) {
                    let piece = found.get(1).or(found.get(0)).expect("the whole");
                    let piece = piece.as_str().trim().to_lowercase();
                    // A year with an extension names nothing.
                    let stem = piece
                        .rsplit_once('.')
                        .map_or(piece.as_str(), |(stem, _)| stem);
                    let is_year = stem.bytes().all(|b| b.is_ascii_digit());
                    let is_nobody = piece == "00000000-0000-0000-0000-000000000000";
                    all.extend((!is_year && !is_nobody).then_some(piece));
                }
            }
        }
    }
    all
}

/// What can be read in the bytes of a packed file: names, comments and bounds. Packed rows hold three letters between two marks by chance; they
/// are read unpacked.
fn legible(bytes: &[u8]) -> String {
    const SHORTEST: usize = 12;
    let runs = bytes.split(|b| !(b' '..=b'~').contains(b));
    let runs = runs.filter(|run| run.len() >= SHORTEST);
    let runs: Vec<_> = runs.map(String::from_utf8_lossy).collect();
    runs.join("\n") + "\n"
}

/// The rows of an export as text, and its bytes, each also without the escapes of addresses and of JSON.
fn readings(path: &Path) -> Vec<String> {
    static UNICODE: LazyLock<Regex> = LazyLock::new(|| regex(r"\\u00([0-9a-fA-F]{2})"));
    let bytes = fs::read(path).expect("an export");
    let mut raw = String::from_utf8_lossy(&bytes).into_owned();
    if path.extension().is_some_and(|e| e == "parquet") {
        raw = legible(&bytes);
        let file = fs::File::open(path).expect("an export");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        for batch in reader.build().expect("a reader") {
            let batch = batch.expect("rows");
            for column in batch.columns() {
                for row in 0..batch.num_rows() {
                    raw.push_str(&output::cell(column, row).expect("a cell"));
                    raw.push('\n');
                }
            }
        }
    }
    let plain = UNICODE.replace_all(&raw, |found: &regex::Captures<'_>| {
        let code = u8::from_str_radix(&found[1], 16).expect("two digits");
        char::from(code).to_string()
    });
    let plain = plain.replace("\\/", "/");
    let address = percent_encoding::percent_decode_str(&plain)
        .decode_utf8_lossy()
        .into_owned();
    vec![raw, plain, address]
}

#[test]
fn nobody_of_the_sample_is_in_the_bytes() {
    let case = Case::new();
    let originals = originals();
    assert!(originals.len() > 300, "{}", originals.len());
    let all: Vec<String> = originals.iter().map(|text| regex::escape(text)).collect();
    let named = RegexBuilder::new(&format!(r"(?-u:\b)(?:{})(?-u:\b)", all.join("|")))
        .case_insensitive(true)
        .size_limit(1 << 28)
        .dfa_size_limit(1 << 28)
        .build()
        .expect("a pattern");
    // The check sees what it is to find.
    let plain = case.export("plain", "jsonl", &[]);
    let seen: BTreeSet<String> = names(&plain)
        .iter()
        .flat_map(|file| readings(file))
        .flat_map(|text| {
            let found = named.find_iter(&text).map(|m| m.as_str().to_lowercase());
            found.collect::<Vec<_>>()
        })
        .collect();
    assert!(seen.len() > 300, "{}", seen.len());
    for format in FORMATS {
        let hidden = case.hidden(&format!("hidden-{format}"), format);
        let mut left = BTreeSet::new();
        for file in names(&hidden) {
            for text in readings(&file) {
                let found = named.find_iter(&text);
                left.extend(found.map(|m| m.as_str().to_lowercase()));
            }
        }
        assert!(left.is_empty(), "{format}: {left:?}");
    }
}

#[test]
fn what_happened_stays_and_tokens_are_those_of_the_key() {
    let case = Case::new();
    let hidden = case.hidden("hidden", "jsonl");
    let again = case.path("again");
    ingest(&again, std::slice::from_ref(&hidden));
    let archive = case.path("archive");
    for sql in [
        "SELECT \"Operation\", count(*) FROM stored.\"UnifiedAuditLog\" GROUP BY 1 ORDER BY 1",
        "SELECT \"ActionType\", count(*) FROM stored.\"CloudAppEvents\" GROUP BY 1 ORDER BY 1",
        "SELECT \"OperationName\", \"Result\", count(*) FROM stored.\"AuditLogs\" GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT \"AppId\", \"ResultType\", \"RiskState\", count(*) FROM stored.\"SigninLogs\" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        "SELECT \"TimeGenerated\", count(*) FROM \"UnifiedAuditLog\" GROUP BY 1 ORDER BY 1",
        "SELECT \"OldLabelId\", \"NewLabelId\", \"Action\", count(*) FROM \"LabelEvents\" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        "SELECT count(DISTINCT lower(\"UserId\")), count(DISTINCT \"ClientIP\") FROM stored.\"UnifiedAuditLog\"",
    ] {
        assert_eq!(ask(&again, sql), ask(&archive, sql), "{sql}");
    }
    let bytes = |folder: &Path| {
        let files = names(folder);
        let all = files.iter().map(|file| fs::read(file).expect("a file"));
        all.collect::<Vec<_>>()
    };
    let second = case.hidden("second", "jsonl");
    assert_eq!(bytes(&second), bytes(&hidden), "one key, one export");
    let other = case.at("other");
    case.well(&["export", "--new-key", &other]);
    let third = case.export("third", "jsonl", &["--pseudonymise", &other]);
    let users = |folder: &Path| {
        let text = fs::read_to_string(folder.join("SigninLogs.jsonl")).expect("a file");
        let users = text.lines().map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
            row["UserPrincipalName"].as_str().map(str::to_string)
        });
        let users = users.flatten().filter(|user| user.contains('@'));
        users.collect::<BTreeSet<_>>()
    };
    let (one, another) = (users(&hidden), users(&third));
    assert_eq!(one.len(), another.len());
    assert!(one.len() > 20, "{one:?}");
    assert!(one.is_disjoint(&another));
}

/// How often each rule of the pack finds something.
fn findings(case: &Case, archive: &Path, to: &str) -> BTreeMap<String, usize> {
    let (archive, file) = (archive.to_string_lossy(), case.at(to));
    let mut line = vec!["hunt", "-a", &archive, "-r", "builtin:mip"];
    line.extend(["--ignore-missing", "-o", &file]);
    case.well(&line);
    let text = fs::read_to_string(&file).expect("findings");
    let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut counts = BTreeMap::new();
    for finding in all["findings"].as_array().expect("findings") {
        let rule = finding["rule"].as_str().expect("a rule").to_string();
        *counts.entry(rule).or_insert(0) += 1;
    }
    counts
}

#[test]
fn rules_find_the_same_in_a_pseudonymised_export() {
    let case = Case::new();
    let again = case.path("again");
    ingest(&again, &[case.hidden("hidden", "parquet")]);
    let before = findings(&case, &case.path("archive"), "before.json");
    let after = findings(&case, &again, "after.json");
    assert!(before.len() > 15, "{before:?}");
    let rules: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let other: Vec<String> = rules
        .into_iter()
        .filter(|rule| before.get(*rule) != after.get(*rule))
        .map(|rule| format!("{rule}: {:?}, {:?}", before.get(rule), after.get(rule)))
        .collect();
    let named = other.iter().map(|told| told.split(':').next());
    let named: Vec<&str> = named.flatten().collect();
    assert_eq!(named, OTHER_FINDINGS, "{other:?}");
}

#[test]
fn a_manifest_says_what_a_file_is() {
    let case = Case::new();
    let (archive, key) = (case.at("archive"), case.at("key"));
    let (file, mapping) = (case.at("one.jsonl"), case.at("mapping.csv"));
    let mut line = vec![
        "export",
        "-a",
        &archive,
        "--table",
        "unifiedauditlog",
        "-o",
        &file,
    ];
    line.extend([
        "--user",
        "dave.draper@*",
        "--from",
        "2026-05-11",
        "--to",
        "2026-05-16",
    ]);
    case.well(&line);
    assert_eq!(
        run(&line).status.code(),
        Some(3),
        "a file that exists stays"
    );
    let text = fs::read_to_string(&file).expect("the export");
    assert!(text.lines().count() > 0);
    for row in text.lines() {
        assert!(row.to_lowercase().contains("dave.draper@"), "{row}");
        let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
        let time = row["TimeGenerated"].as_str().expect("a time");
        assert!(("2026-05-11".."2026-05-16").contains(&time), "{time}");
        assert!(row.get("_IngestId").is_none());
    }
    let manifest = |file: &str| -> serde_json::Value {
        let text = fs::read_to_string(format!("{file}.manifest.json")).expect("a manifest");
        serde_json::from_str(&text).expect("JSON")
    };
    let said = manifest(&file);
    assert_eq!(said["table"], "UnifiedAuditLog");
    assert_eq!(said["rows"], text.lines().count());
    assert_eq!(said["users"][0], "dave.draper@*");
    assert_eq!(said["from"], "2026-05-11T00:00:00Z");
    assert_eq!(said["pseudonymised"], false);
    line.extend([
        "-C",
        "--lineage",
        "--pseudonymise",
        &key,
        "--mapping",
        &mapping,
    ]);
    case.well(&line);
    let said = manifest(&file);
    assert_eq!(said["pseudonymised"], true);
    assert_eq!(said["users"], 1);
    let places = said["replaced"]["by_place"].as_object().expect("places");
    assert!(places.contains_key("AuditData.UserId"), "{places:?}");
    assert!(said["replaced"]["by_kind"]["person or mailbox"].as_u64() > Some(0));
    let hidden = fs::read_to_string(&file).expect("the export");
    assert!(hidden.contains("\"_Record\"") && !hidden.contains("draper"));
    let known = fs::read_to_string(&mapping).expect("the mapping");
    assert!(known.contains(",draper\n"), "{known}");
    #[cfg(unix)]
    {
        let meta = fs::metadata(&mapping).expect("the mapping");
        let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions());
        assert_eq!(mode & 0o777, 0o600, "a mapping is its owner's");
    }
}

#[test]
fn a_watchlist_goes_whole_and_never_under_another_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (archive, key) = (at("archive"), at("key"));
    ingest(Path::new(&archive), &[project("sample-data")]);
    fs::write(&key, "0123456789abcdef0123").expect("a key");
    let export = |further: &[&str]| {
        let mut line = vec!["export", "-a", &archive];
        line.extend(further);
        let out = run(&line);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code(), said)
    };
    let file = at("labels.csv");
    let (code, said) = export(&["--table", "WATCHLISTS.labels", "-o", &file]);
    assert_eq!(code, Some(0), "{said}");
    let text = |path: &str| fs::read_to_string(path).expect("an export");
    let stored = text(&project("sample-data/watchlists/Labels.csv").to_string_lossy());
    let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_string).collect() };
    assert_eq!(lines(&text(&file)), lines(&stored));
    let manifest: serde_json::Value =
        serde_json::from_str(&text(&format!("{file}.manifest.json"))).expect("JSON");
    assert_eq!(manifest["table"], "watchlists.Labels");
    // In a folder it lies where ingest takes it for a watchlist again.
    let out = format!("{}/", at("out"));
    let both = ["--table", "SigninLogs", "--table", "watchlists.SuperUsers"];
    let mut line = both.to_vec();
    line.extend(["-o", &out, "-f", "csv"]);
    let (code, said) = export(&line);
    assert_eq!(code, Some(0), "{said}");
    let again = at("again");
    ingest(Path::new(&again), &[at("out").into()]);
    let asked = "SELECT UserPrincipalName FROM watchlists.SuperUsers";
    assert_eq!(
        ask(Path::new(&again), asked),
        ask(Path::new(&archive), asked)
    );
    // What there is, and what is refused.
    let (code, said) = export(&["--table", "watchlists.Label", "-o", &at("x.csv")]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("watchlists.Labels"), "{said}");
    let (code, said) = export(&[
        "--table",
        "watchlists.Labels",
        "-o",
        &at("x.csv"),
        "--pseudonymise",
        &key,
    ]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("name people"), "{said}");
    assert!(!folder.path().join("x.csv").exists());
}

#[test]
fn who_has_no_row_is_said_and_formats_are_those_of_exports() {
    let case = Case::new();
    let archive = case.at("archive");
    let line = |file: &str, users: &[&str]| -> Vec<String> {
        let words = [
            "export",
            "-a",
            &archive,
            "-C",
            "--table",
            "UnifiedAuditLog",
            "-o",
        ];
        let mut line: Vec<String> = words.iter().map(|word| (*word).to_string()).collect();
        line.push(case.at(file));
        for user in users {
            line.extend(["--user".to_string(), (*user).to_string()]);
        }
        line
    };
    let told = |line: &[String]| {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let out = run(&line);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code(), said)
    };
    let (code, said) = told(&line("one.csv", &["nobody@contoso.com"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no row is of `nobody@contoso.com`"), "{said}");
    let (code, said) = told(&line("one.csv", &["dave.draper@*", "nobody@contoso.com"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("no row is of `nobody@contoso.com`;"),
        "{said}"
    );
    let (_, said) = told(&line("one.csv", &["dave.draper@*"]));
    assert!(!said.contains("no row"), "{said}");
    let (code, said) = told(&line("one.xyz", &[]));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("one of .csv, .jsonl, .ndjson, .parquet,"),
        "{said}"
    );
    assert!(!said.contains(".md"), "{said}");
}

/// Records of somebody who writes names as few do. The second is a sign-in, whose object is an application.
const ODD: &str = r#"{"Id":"11111111-2222-4333-8444-555555555501","CreationTime":"2026-05-01T08:00:00","Operation":"FileAccessed","RecordType":6,"Workload":"SharePoint","UserType":0,"OrganizationId":"99999999-2222-4333-8444-555555555501","UserKey":"k","UserId":"anna.berg@contoso.com","ClientIP":"192.0.2.7","Application":"/Users/quentin/app","LabelAppliedBy":"Quirin","Inner":" {\"Operation\":\"FilePreviewed\"}","Seen":{"203.0.113.8":3},"Notes":["call +1 (425) 555-0100","card 02:22:33:44:55:66","card 02-22-33-44-55-67","from:2001:db8:1234:5678::4321","2001:db8:4321:8765::9999: denied","S-1-5-21-3623811015-1004336348-1177238915-1104","host-203-0-113-9.example.net","&#80;&#97;&#117;&#108;","%2525252570%25252561%25252575","ⒶⓃⓃⒶ"]}
{"Id":"11111111-2222-4333-8444-555555555502","CreationTime":"2026-05-01T08:01:00","Operation":"UserLoggedIn","RecordType":15,"Workload":"AzureActiveDirectory","UserType":0,"OrganizationId":"99999999-2222-4333-8444-555555555501","UserKey":"k","UserId":"anna.berg@contoso.com","ClientIP":"192.0.2.7","ApplicationId":"4345a7b9-9a63-4910-a426-35363201d503","ObjectId":"4345a7b9-9a63-4910-a426-35363201d503"}
"#;

/// Records as the only ones of an archive: exported as they are, and with nobody named.
fn plain_and_hidden(records: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (archive, key) = (at("archive"), at("key"));
    fs::write(at("odd.jsonl"), records).expect("records");
    fs::write(&key, "0123456789abcdef0123").expect("a key");
    ingest(Path::new(&archive), &[at("odd.jsonl").into()]);
    let export = |name: &str, further: &[&str]| {
        let file = at(name);
        let mut line = vec!["export", "-a", &archive, "-o", &file];
        line.extend(["--table", "UnifiedAuditLog"]);
        line.extend(further);
        let out = run(&line);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{said}");
        fs::read_to_string(&file).expect("the export")
    };
    let plain = export("plain.jsonl", &[]);
    let hidden = export("hidden.jsonl", &["--pseudonymise", &key]);
    (plain, hidden)
}

#[test]
fn what_is_no_word_names_nobody_either() {
    let (plain, hidden) = plain_and_hidden(ODD);
    for name in [
        "555-0100",
        "02:22:33",
        "02-22-33",
        "5678::4321",
        "8765::9999",
        "21-362",
        "203-0-113-9",
        "203.0.113.8",
        "&#97;&#117;",
        "252570",
        "ⒶⓃⓃⒶ",
        "quentin",
        "Quirin",
    ] {
        assert!(plain.contains(name), "{name}: {plain}");
        assert!(!hidden.contains(name), "{name}: {hidden}");
    }
    assert!(!hidden.contains("pau"), "{hidden}");
    // JSON is JSON behind a blank, too.
    assert!(hidden.contains("FilePreviewed"), "{hidden}");
    let application = "4345a7b9-9a63-4910-a426-35363201d503";
    assert_eq!(
        hidden.matches(application).count(),
        plain.matches(application).count()
    );
}

/// One record for each way to write who, where and from where; `Id` and the like are added. Behind it what may not be left of it.
const SPELT: &[(&str, &[&str])] = &[
    // Words of people and tenants where words stay.
    (
        r#""Operation":"Frank did it","ResultStatus":"by FLETCHER's""#,
        &["frank", "fletcher"],
    ),
    (
        r#""SensitivityLabelName":"Fletcher\\Contoso Confidential""#,
        &["fletcher", "contoso"],
    ),
    (
        r#""ApplicationDisplayName":"Contoso Expense App","Version":"franks-1""#,
        &["contoso", "franks"],
    ),
    (
        r#""UserDisplayName":"Frank Fletcher","ResultReason":"FFletcher frankf fletcherfrank""#,
        &["fletcher", "frankf"],
    ),
    (
        r#""UserDisplayName":"Jürgen Müßig","ResultReason":"Jürgen juergen MUESSIG jmuessig""#,
        &["rgen", "müßig", "ssig"],
    ),
    // Telephones.
    (
        r#""PhoneNumber":"0170 5551 2345","ResultReason":"+49 170 55512345""#,
        &["5551 2345", "55512345"],
    ),
    (
        r#""MobilePhone":"+49 171 5559999","Notes":"0171 5559999, 0171-5559999, 00491715559999","ResultReason":"01715559999""#,
        &["5559999"],
    ),
    (
        r#""mfaDetail":{"authDetail":"+X XXXXXXX32 / 425-555-0177"}"#,
        &["0177", "xx32"],
    ),
    (
        r#""StrongAuthenticationUserDetails":"{\"AlternativePhoneNumber\":\"425.555.0124\"}","Notes":"(425) 555-0124, (206) 555-0188""#,
        &["0124", "0188"],
    ),
    (
        r#""Phone":"555-012","Telephone":"55 12 34","HomePhone":-4255550199.0,"ResultReason":"4255550199""#,
        &["555-012", "55 12 34", "4255550199"],
    ),
    // Addresses.
    (
        r#""IpAddressInt":3221225991,"Size":3221225991,"ResultReason":"3221225991 and 0xC0000207""#,
        &["3221225991", "c0000207"],
    ),
    (
        r#""ClientIPAddress":"::ffff:192.0.2.77","ResultReason":"::ffff:c000:24d 192.0.2.77 77.2.0.192.in-addr.arpa 64:ff9b::c000:24d""#,
        &["c000:24d", "192.0.2.77", "77.2.0.192"],
    ),
    (
        r#""Notes":"192[.]0[.]2[.]9 0222.3344.5566""#,
        &["192[", "3344"],
    ),
    // Mail, HTML, programs.
    (
        r#""Subject":"=?utf-8?Q?Fr=61nk?= =?utf-8?B?RmxldGNoZXI=?=","ResultReason":"=?utf-8?q?=46rank?=""#,
        &["fr=61nk", "=46", "rmxldgnozxi"],
    ),
    (
        r#""ResultReason":"=46rank =46letcher""#,
        &["46rank", "46letcher"],
    ),
    (
        concat!(
            r#""ResultReason":"fr&#97;nk &#x46;letcher \\u0066rank %u0066rank fr"#,
            "\u{ad}",
            r#"ank ＦＲank""#
        ),
        &["&#97;", "&#x46", "0066", "fr\\u00ad", "ｆｒ"],
    ),
    (
        r#""Operation":"ZnJhbmsuZmxldGNoZXJAY29udG9zby5jb20=","ResultReason":"6672616e6b","Version":"ZnJhbms""#,
        &["znjhbm", "6672616e6b"],
    ),
    (
        r#""SenderAddress":"x@münchen-kontor.example","ResultReason":"xn--mnchen-kontor-wob.example""#,
        &["nchen", "kontor"],
    ),
    // Ids.
    (
        r#""TargetTenantId":"aaaaaaaa-1111-4222-8333-444444444444","ResultReason":"aaaaaaaa111142228333444444444444""#,
        &["aaaaaaaa"],
    ),
    (
        r#""LegacyExchangeDN":"/o=ExchangeLabs/ou=x/CN=Recipients/CN=77abcdef77-frank","MailboxOwnerDn":"CN=77abcdef77-zorro","ResultReason":"cn=77abcdef77-zorro""#,
        &["77abcdef77", "zorro", "frank"],
    ),
    (
        r#""UserId":"eve.evil_fabrikam.example#EXT#","ResultReason":"evil fabrikam""#,
        &["evil", "fabrikam"],
    ),
    (
        r#""Notes":"C:/Users/zenon/x","Others":"/home/zenobia/x","ResultReason":"zenon zenobia frank_fletcher_contoso_com""#,
        &["zenon", "zenobia", "frank", "contoso"],
    ),
    (
        r#""InternetMessageId":"<abc123def@mail.contoso.com>","SessionId":"s-frank-1","UserKey":"100320009FFFFFFF","ResultReason":"100320009fffffff""#,
        &["abc123def", "contoso", "frank", "9fffffff"],
    ),
    (
        r#""LogonUserSid":"S-1-5-21-3623811015-3361044348-30300820-1013""#,
        &["3623811015", "3361044348", "30300820"],
    ),
    // Keys, also such that stand twice.
    (
        r#""Dup":"frank","Dup":"none","fr\u0061nk":1,"frank@contoso.com":{"Contoso":2}"#,
        &["frank", "fr\\u0061nk", "contoso"],
    ),
];

/// The record of this number.
fn spelt(n: usize) -> String {
    let (fields, _) = SPELT[n];
    let who = match fields.contains("\"UserId\"") {
        true => "",
        false => r#""UserId":"frank.fletcher@contoso.com","#,
    };
    format!(
        r#"{{"Id":"{}","CreationTime":"2026-05-01T08:00:00","RecordType":6,"Workload":"SharePoint","UserType":0,"OrganizationId":"99999999-2222-4333-8444-555555555501",{who}{fields}}}"#,
        spelt_id(n)
    )
}

fn spelt_id(n: usize) -> String {
    format!("11111111-2222-4333-8444-{n:012}")
}

#[test]
fn who_and_where_is_left_in_no_spelling() {
    let records: Vec<String> = (0..SPELT.len()).map(spelt).collect();
    let (plain, hidden) = plain_and_hidden(&records.join("\n"));
    let (plain, hidden) = (plain.to_lowercase(), hidden.to_lowercase());
    let of = |text: &str, n: usize| {
        let id = spelt_id(n);
        let line = text.lines().find(|line| line.contains(&id));
        line.expect("the record").to_string()
    };
    let mut left = Vec::new();
    for (n, (fields, gone)) in SPELT.iter().enumerate() {
        let (before, after) = (of(&plain, n), of(&hidden, n));
        for name in *gone {
            assert!(before.contains(name), "{name} in {fields}: {before}");
            if after.contains(name) {
                left.push(format!("{name}: {after}"));
            }
        }
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
    for kept in [
        "did it",
        "confidential",
        "expense app",
        "2026-05-01t08:00:00",
    ] {
        assert!(hidden.contains(kept), "{kept}: {hidden}");
    }
    assert_eq!(hidden.matches("\"dup\"").count(), 2, "{hidden}");
}

#[test]
fn extra_columns_in_extra_columns_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, archive) = (
        folder.path().join("odd.jsonl"),
        folder.path().join("archive"),
    );
    let record = r#"{"TimeGenerated":"2026-05-01T08:00:00Z","Colour":"red","ExtraColumns":{"Size":"7","ExtraColumns":{"Deep":"kept"}}}"#;
    fs::write(&file, record).expect("a record");
    ingest(&archive, &[file]);
    let rows = ask(
        &archive,
        "SELECT \"ExtraColumns\" FROM stored.\"OtherRecords\"",
    );
    for kept in ["red", "Size", "Deep"] {
        assert!(rows[0].contains(kept), "{rows:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = Case::new();
    let (archive, key) = (case.at("archive"), case.at("key"));
    let export = |further: &[&str]| {
        let mut line = vec!["export", "-a", &archive];
        line.extend(further);
        let out = run(&line);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code(), said)
    };
    let folder = format!("{}/", case.at("new"));
    let (file, short) = (case.at("all.csv"), case.at("short"));
    fs::write(&short, "too short").expect("a key");
    let missing = case.at("missing");
    let within = format!("{folder}mapping.csv");
    for (line, told) in [
        (
            vec![
                "-o",
                &folder,
                "-f",
                "csv",
                "--pseudonymise",
                &key,
                "--mapping",
                &within,
            ],
            "handed on",
        ),
        (
            vec![
                "-o",
                &file,
                "--table",
                "SigninLogs",
                "--pseudonymise",
                &key,
                "--mapping",
                &file,
            ],
            "handed on",
        ),
        (vec!["-o", file.as_str()], "a file has one table"),
        (vec!["-o", folder.as_str()], "-f csv"),
        (
            vec!["-o", folder.as_str(), "-f", "markdown"],
            "csv, jsonl or parquet",
        ),
        (
            vec!["-o", file.as_str(), "--table", "Nothing"],
            "no table `Nothing`",
        ),
        (
            vec![
                "-o",
                file.as_str(),
                "--table",
                "SigninLogs",
                "--pseudonymise",
                missing.as_str(),
            ],
            "--new-key",
        ),
        (
            vec![
                "-o",
                file.as_str(),
                "--table",
                "SigninLogs",
                "--pseudonymise",
                short.as_str(),
            ],
            "16",
        ),
    ] {
        let (code, said) = export(&line);
        assert_eq!(code, Some(2), "{line:?}: {said}");
        assert!(said.contains(told), "{line:?}: {said}");
    }
    assert!(!case.path("all.csv").exists() && !case.path("new").exists());
    let out = run(&["export", "--new-key", &key]);
    assert_eq!(out.status.code(), Some(3), "a key is not replaced");
    #[cfg(unix)]
    {
        let (code, said) = export(&[
            "-o",
            "/dev/stdout",
            "-f",
            "csv",
            "-C",
            "--table",
            "SigninLogs",
        ]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("a pipe"), "{said}");
        let meta = fs::metadata(&key).expect("the key");
        let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}
