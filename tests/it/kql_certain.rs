//! Lists of the audit record that the archive keeps as columns: where each text is certain to be the JSON of its record, queries do not read
//! the record, and say the same.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::command_line::run;
use crate::ingest;

/// Values of `Parameters` that are arrays and bags, and none.
const NESTED: [&str; 13] = [
    r#""Parameters":[{"Name":"a","Value":"1"},{"Name":"b","Value":"x\u0041\n\/"}]"#,
    r#""Parameters": [ {"Name" : "a", "Value": null} , {"Name":"c","Value":{"d": [1, 2]}} ]"#,
    r#""Parameters":[12345678901234567890123, 1.0, 1e3, 0.1000, -0, 1e400, "", null, true]"#,
    r#""Parameters":{"z":1,"a":{"z":[],"z":[7]},"z":2}"#,
    r#""Parameters":[]"#,
    r#""Parameters":{}"#,
    r#""Parameters":[1],"Parameters":[2, 3]"#,
    r#""\u0050arameters":["\u0001d5","é","C:\\x"]"#,
    r#""Parameters":[[1,[2]],[3]]"#,
    r#""Parameters":["[1]","{\"a\":1}","\u005b2]"]"#,
    r#""Parameters":null"#,
    r#""Parameters":[1],"Parameters":null"#,
    r#""Other":"[1]""#,
];

/// Values that are none, and may look like some.
const OTHERS: [&str; 7] = [
    r#""Parameters":"[1,2]""#,
    r#""Parameters":"{\"a\":1}""#,
    r#""Parameters":"\u005b3]""#,
    r#""Parameters":"text""#,
    r#""Parameters":"""#,
    r#""Parameters":7"#,
    r#""Parameters":[1],"Parameters":"[2]""#,
];

/// What is asked of the two; `@` stands for the list.
const QUERIES: [&str; 12] = [
    "extend P = @ | project ReportId, P, Type = gettype(P), Text = tostring(P)",
    "project ReportId, a = @[0], b = @[-1], c = tostring(@[0].Name), d = @.z, e = @.a.z[0], f = toint(@[0])",
    "project ReportId, Type = gettype(@), n = array_length(@), Keys = bag_keys(@), No = isnull(@), Text = tostring(@)",
    "mv-expand P = @ | project ReportId, P, Type = gettype(P), Name = tostring(P.Name), Value = tostring(P.Value)",
    "mv-expand with_itemindex=i P = @ limit 2 | project ReportId, i, P",
    "mv-expand P = @ to typeof(string) | project ReportId, P",
    "mv-expand bagexpansion=array P = @ | project ReportId, P",
    "mv-expand P = @[0] | project ReportId, P",
    "mv-apply P = @ on (summarize n = count(), Texts = make_list(tostring(P))) | project ReportId, n, Texts",
    "where @ has 'a' or tostring(@[0]) == '1' | project ReportId",
    "extend P = @ | summarize n = count(), ReportId = min(ReportId) by tostring(P)",
    "summarize Sets = make_set(@) by ActionType | mv-expand Sets | project Sets",
];

/// A file of events whose records have these members.
fn events(folder: &Path, name: &str, members: &[&str]) -> PathBuf {
    let mut lines = String::new();
    for (n, member) in members.iter().enumerate() {
        let time = format!("2026-05-04T09:{n:02}:00Z");
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            r#"{{"time":"{time}","tenantId":"t","operationName":"Publish","category":"AdvancedHunting-CloudAppEvents","properties":{{"Timestamp":"{time}","ActionType":"Set","ReportId":"{name}{n:02}","RawEventData":{{"Operation":"Set","Id":"{name}{n}",{member}}}}}}}"#
        );
    }
    let file = folder.join(format!("{name}.jsonl"));
    std::fs::write(&file, lines).expect("a file");
    file
}

/// What a run says, which must be right.
fn said(arguments: &[&str]) -> String {
    let out = run(arguments);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The answers to all that is asked of a list, in lines.
fn asked(archive: &str, list: &str) -> String {
    let queries: Vec<String> = QUERIES
        .iter()
        .enumerate()
        .map(|(n, query)| {
            let query = query.replace('@', list);
            format!("(CloudAppEvents | {query} | extend Query = {n})")
        })
        .collect();
    let query = format!("union {}", queries.join(", "));
    let answer = said(&["kql", "-a", archive, "-f", "csv", &query]);
    let mut lines: Vec<&str> = answer.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The answers for the list, which must be those for the same in the record read again.
fn answers(archive: &str) -> String {
    let list = asked(archive, "RawEventData.Parameters");
    let record = asked(archive, "parse_json(tostring(RawEventData)).Parameters");
    assert_eq!(list, record);
    assert!(list.lines().count() > QUERIES.len(), "{list}");
    list
}

/// Whether a query of a list reads the record.
fn reads_record(archive: &str, list: &str) -> bool {
    let query = format!("CloudAppEvents | mv-expand P = RawEventData.{list} | project P");
    let all = said(&["kql", "-a", archive, "--explain", &query]);
    let (_, execution) = all.split_once("-- Execution").expect("an execution");
    let kept = execution.contains(&format!("RawEventData_{list}@"));
    let record = execution.contains("RawEventData@");
    assert!(kept != record, "{execution}");
    record
}

fn archive(folder: &Path) -> (PathBuf, String) {
    let path = folder.join("archive");
    let text = path.to_string_lossy().into_owned();
    (path, text)
}

#[test]
fn lists_that_are_certain_say_what_the_record_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, archive) = archive(folder.path());
    ingest(&path, &[events(folder.path(), "n", &NESTED)]);
    assert!(!reads_record(&archive, "Parameters"));
    // No record has any.
    assert!(!reads_record(&archive, "Actor"));
    let first = answers(&archive);
    let again = "parse_json(tostring(RawEventData.Parameters))";
    assert_eq!(asked(&archive, again), first);
    said(&["verify", "-a", &archive]);

    // A second file of the same day, and both as one.
    ingest(&path, &[events(folder.path(), "m", &NESTED[..4])]);
    assert!(!reads_record(&archive, "Parameters"));
    let two = answers(&archive);
    assert_ne!(first, two);
    said(&["archive", "compact", "-q", "-a", &archive]);
    assert!(!reads_record(&archive, "Parameters"));
    assert_eq!(answers(&archive), two);
    said(&["verify", "-a", &archive]);
}

#[test]
fn one_string_makes_the_list_uncertain() {
    let folder = tempfile::tempdir().expect("a folder");
    for (n, other) in OTHERS.into_iter().enumerate() {
        let path = folder.path().join(n.to_string());
        let archive = path.to_string_lossy().into_owned();
        let file = events(folder.path(), "o", &[NESTED[0], other, NESTED[1]]);
        ingest(&path, &[file]);
        assert!(reads_record(&archive, "Parameters"), "{other}");
        assert!(!reads_record(&archive, "Actor"), "{other}");
    }
}

#[test]
fn a_file_of_strings_makes_the_lists_of_all_files_uncertain() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, archive) = archive(folder.path());
    ingest(&path, &[events(folder.path(), "n", &NESTED)]);
    assert!(!reads_record(&archive, "Parameters"));
    ingest(&path, &[events(folder.path(), "o", &OTHERS)]);
    assert!(reads_record(&archive, "Parameters"));
    let all = answers(&archive);
    said(&["archive", "compact", "-q", "-a", &archive]);
    assert!(reads_record(&archive, "Parameters"));
    assert_eq!(answers(&archive), all);
}

#[test]
fn records_of_another_table_count_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, archive) = archive(folder.path());
    let audit = |name: &str, value: &str| {
        let file = folder.path().join(format!("{name}.json"));
        let record = format!(
            r#"[{{"Id":"5d0d4a5c-0000-4000-8000-00000000000{}","CreationTime":"2026-05-04T10:00:00","RecordType":1,"Operation":"Set","Workload":"Exchange","UserId":"ada@contoso.com","Parameters":{value}}}]"#,
            name.len()
        );
        std::fs::write(&file, record).expect("a file");
        file
    };
    ingest(&path, &[events(folder.path(), "n", &NESTED)]);
    ingest(&path, &[audit("u", "[8, 9]")]);
    assert!(answers(&archive).contains("[8,9]"));
    ingest(&path, &[audit("uu", "\"[8,9]\"")]);
    let read = "CloudAppEvents | mv-expand P = RawEventData.Parameters | where gettype(P) == 'string' | where tostring(P) == '[8,9]' | count";
    assert_eq!(
        said(&["kql", "-a", &archive, "-f", "csv", read]),
        "Count\n1\n"
    );
    answers(&archive);
}

#[test]
fn a_log_that_does_not_say_it_makes_lists_uncertain() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, archive) = archive(folder.path());
    ingest(&path, &[events(folder.path(), "n", &NESTED)]);
    let certain = answers(&archive);
    let log = path.join("CloudAppEvents/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).expect("a commit");
    assert!(text.contains("\"nested\":\"Parameters,"), "{text}");
    std::fs::write(&log, text.replace("\"nested\":", "\"other\":")).expect("it can be written");
    assert!(reads_record(&archive, "Parameters"));
    assert_eq!(answers(&archive), certain);
    // What is merged is no more certain than what it was.
    ingest(&path, &[events(folder.path(), "m", &NESTED[..4])]);
    said(&["archive", "compact", "-q", "-a", &archive]);
    assert!(reads_record(&archive, "Parameters"));
}

#[test]
fn a_log_that_says_it_of_strings_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, archive) = archive(folder.path());
    ingest(&path, &[events(folder.path(), "o", &OTHERS)]);
    said(&["verify", "-a", &archive]);
    let log = path.join("CloudAppEvents/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).expect("a commit");
    let (before, after) = ("\"nested\":\"", "\"nested\":\"Parameters,");
    assert!(text.contains(before), "{text}");
    std::fs::write(&log, text.replace(before, after)).expect("it can be written");
    let out = run(&["verify", "-a", &archive]);
    let told = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{told}");
    assert!(told.contains("Parameters: only arrays"), "{told}");
}

#[test]
fn paths_are_kept_of_the_record_that_is_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, archive) = archive(folder.path());
    // As Python prints them; one of them begins as JSON.
    let printed = folder.path().join("printed.csv");
    let rows = "Timestamp,ActionType,ReportId,RawEventData\n\
        2026-05-04T09:12:00Z,Set,p1,\"{'Id': 'p1', 'Operation': 'Set', 'Parameters': [{'Name': 'a', 'Value': None}]}\"\n\
        2026-05-04T09:13:00Z,Set,p2,\"{\"\"Id\"\": \"\"p2\"\", \"\"Operation\"\": \"\"Set\"\", \"\"No\"\": None, \"\"Parameters\"\": [{\"\"Name\"\": \"\"z\"\"}]}\"\n";
    std::fs::write(&printed, rows).expect("a file");
    // A name in two spellings: the second record is not the event's.
    let twice = folder.path().join("twice.jsonl");
    let line = r#"{"time":"2026-05-04T09:14:00Z","tenantId":"t","operationName":"Publish","category":"AdvancedHunting-CloudAppEvents","properties":{"Timestamp":"2026-05-04T09:14:00Z","ActionType":"Set","ReportId":"t1","RawEventData":{"Operation":"Set","Id":"t1","Parameters":[1]},"rawEventData":{"Operation":"B","Id":"t2","Parameters":null,"Lost":7}}}"#;
    std::fs::write(&twice, format!("{line}\n")).expect("a file");
    ingest(&path, &[printed, twice]);
    said(&["verify", "-a", &archive]);
    answers(&archive);
    let texts = "CloudAppEvents | sort by ReportId asc | project tostring(RawEventData.Id), tostring(RawEventData.Parameters), Rest = tostring(ExtraColumns) has 'Lost'";
    let texts = said(&["kql", "-a", &archive, "-f", "csv", texts]);
    let lines: Vec<&str> = texts.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            r#"p1,"[{""Name"":""a"",""Value"":null}]",false"#,
            r#"p2,"[{""Name"":""z""}]",false"#,
            "t1,[1],true",
        ]
    );
}
