//! JSON that is odd: one policy for typed columns, paths in SQL and KQL, `parse_json` and fingerprints.

use std::path::Path;

use serde_json::Value;

use crate::command_line::run;

/// Ingests one file of this content, with these further arguments, and gives the archive.
fn read(folder: &Path, name: &str, content: &str, further: &[&str]) -> (String, Option<i32>) {
    let file = folder.join(name);
    std::fs::write(&file, content).expect("a file");
    let archive = folder.join(format!("{name}.archive"));
    let (file, archive) = (file.to_string_lossy(), archive.to_string_lossy());
    let mut arguments = vec!["ingest", &*file, "-a", &*archive];
    arguments.extend(further);
    let status = run(&arguments).status.code();
    (archive.into_owned(), status)
}

/// The rows of an answer: the values of each, text as it is, null as nothing.
fn ask(command: &str, archive: &str, query: &str) -> Vec<Vec<String>> {
    let out = run(&[command, "-a", archive, "-f", "ndjson", query]);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{query}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .map(
            |line| match serde_json::from_str::<Value>(line).expect("JSON") {
                Value::Object(row) => row.values().map(text).collect(),
                other => panic!("{query}: {other}"),
            },
        )
        .collect()
}

fn record(id: &str, members: &str) -> String {
    format!(
        r#"{{"Id":"{id}","CreationTime":"2026-05-01T00:00:00","Operation":"X","UserId":"bob@contoso.com"{members}}}"#
    )
}

#[test]
fn an_odd_value_is_the_same_in_its_column_in_every_path_and_in_parse_json() {
    // What stands in the record under KEY, and what it says.
    let kinds = [
        (
            r#","KEY":"C:\Users\bob\new.docx""#,
            r"C:\Users\bob\new.docx",
        ),
        (r#","KEY":"C:\\Users\\bob""#, r"C:\Users\bob"),
        (r#","KEY":"\\server\Share""#, r"\\server\Share"),
        (r#","KEY":"\u00zz""#, r"\u00zz"),
        (r#","KEY":"half \ud83d""#, "half \u{fffd}"),
        (r#","KEY":"\ud83d\ude00 \u00e9\/""#, "😀 é/"),
        (",\"KEY\":\"a\tb\nc\u{1}d\"", "a\tb\nc\u{1}d"),
        (
            r#","KEY":"/Date(1620000000000)/ one""#,
            "/Date(1620000000000)/ one",
        ),
        (r#","KEY":18446744073709551616"#, "18446744073709551616"),
        (r#","KEY":1e400"#, "1e400"),
        (r#","KEY":"first","KEY":"last""#, "last"),
        (r#","KEY":"first","KEY":null"#, ""),
        (r#","KEY":null,"KEY":"last""#, "last"),
        (r#","KEY":"first","\u004bEY":"last""#, "last"),
        (
            r#","KEY":["C:\Users", 1, {"a":1,"a":2}]"#,
            r#"["C:\Users", 1, {"a":1,"a":2}]"#,
        ),
    ];
    let records: Vec<String> = kinds
        .iter()
        .enumerate()
        .map(|(n, (members, _))| {
            // `ObjectId` has a column of its own, `Note` has none. An escaped K is one of neither.
            let object = members.replace(r"\u004bEY", r"\u004fbjectId");
            let note = members.replace(r"\u004bEY", r"\u004eote");
            let both = object.replace("KEY", "ObjectId") + &note.replace("KEY", "Note");
            record(&format!("e{n:02}"), &both)
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let content = format!("[\n{}\n]", records.join(",\n"));
    let (archive, status) = read(folder.path(), "odd.json", &content, &[]);
    assert_eq!(status, Some(0));
    let sql = ask(
        "sql",
        &archive,
        "SELECT Id, ObjectId, AuditData->>'ObjectId' AS a, json_as_text(AuditData, 'Note') AS b, AuditData->>'Note' AS c, \
         AuditData->>(CASE WHEN Id = 'e' THEN 'Id' ELSE 'Note' END) AS d, AuditData->>'Id' AS i, \
         array_length(json_object_keys(AuditData)) AS k FROM UnifiedAuditLog ORDER BY Id",
    );
    let kql = ask(
        "kql",
        &archive,
        "UnifiedAuditLog | project Id, ObjectId, a = tostring(AuditData.ObjectId), b = tostring(AuditData.Note), \
         c = tostring(AuditData[iff(Id == 'e', 'Id', 'Note')]), d = tostring(parse_json(tostring(AuditData)).Note), \
         i = tostring(parse_json(AuditData).Id), k = array_length(bag_keys(AuditData)) | sort by Id asc",
    );
    assert_eq!([sql.len(), kql.len()], [kinds.len(); 2]);
    for (n, (members, says)) in kinds.into_iter().enumerate() {
        let id = format!("e{n:02}");
        // Where an array is printed and not cut out, it is printed as Kusto does.
        let printed = match says.starts_with('[') {
            true => r#"["C:\\Users",1,{"a":2}]"#,
            false => says,
        };
        let want = [&*id, says, says, says, says, printed, &*id, "6"];
        assert_eq!(sql[n], want, "SQL: {members}");
        let want = [&*id, says, printed, printed, printed, printed, &*id, "6"];
        assert_eq!(kql[n], want, "KQL: {members}");
    }
}

#[test]
fn of_equal_keys_nothing_of_the_first_is_left() {
    let members = r#","AppAccessContext":{"AADSessionId":"s1","ClientAppId":"c1"},"AppAccessContext":{"ClientAppId":"c2"},"Item":{"a":1},"Item":[{"b":"C:\Temp"}]"#;
    let folder = tempfile::tempdir().expect("a folder");
    let content = record("e", members) + "\n";
    let (archive, _) = read(folder.path(), "equal.jsonl", &content, &[]);
    let sql = "SELECT AppAccessContext_AADSessionId, AuditData->'AppAccessContext'->>'AADSessionId' AS s, \
               AppAccessContext_ClientAppId, AuditData->'AppAccessContext'->>'ClientAppId' AS c, AuditData->'Item'->>'a' AS a, \
               AuditData->'Item'->0->>'b' AS b, json_get_str(AuditData, 'Item', -1, 'b') AS d, json_contains(AuditData, 'Item') AS e, \
               json_length(AuditData, 'Item') AS l FROM UnifiedAuditLog";
    assert_eq!(
        ask("sql", &archive, sql),
        [["", "", "c2", "c2", "", r"C:\Temp", r"C:\Temp", "true", "1"]]
    );
    let kql = "UnifiedAuditLog | project a = tostring(AuditData.AppAccessContext.AADSessionId), b = tostring(AuditData.AppAccessContext.ClientAppId), \
               c = tostring(parse_json(tostring(AuditData)).AppAccessContext.AADSessionId), d = tostring(AuditData.Item.a), \
               e = tostring(AuditData.Item[0].b), f = array_length(AuditData.Item)";
    assert_eq!(
        ask("kql", &archive, kql),
        [["", "c2", "", "", r"C:\Temp", "1"]]
    );
}

#[test]
fn an_earlier_value_of_a_row_is_kept_beside_its_columns() {
    let row = r#"{"Type":"CloudAppEvents","TimeGenerated":"2026-05-01T00:00:00Z","ActionType":"first","ReportId":"1","RawEventData":{"Id":"a","Operation":"one"},"RawEventData":{"Id":"b"},"ActionType":"last"}"#;
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = read(folder.path(), "row.jsonl", row, &[]);
    let sql = "SELECT ActionType, ExtraColumns->>'ActionType' AS a, RawEventData->>'Id' AS i, RawEventData_Operation, \
               ExtraColumns->'RawEventData'->>'Id' AS e FROM CloudAppEvents";
    assert_eq!(ask("sql", &archive, sql), [["last", "first", "b", "", "a"]]);
}

#[test]
fn what_is_no_json_is_refused_by_all_or_read_as_what_is_meant() {
    let deep = format!(r#","Note":{}1{}"#, "[".repeat(128), "]".repeat(128));
    let records = [
        record("good", ""),
        // What is meant is plain, and noted.
        record("nan", r#","Note":NaN"#),
        record("comma", r#","Note":[1,]"#),
        record("zero", r#","Note":01"#),
        record("deep", &deep),
        // A byte order mark between files that were joined.
        format!("\u{feff}{}", record("mark", r#","Note":"x""#)),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, status) = read(folder.path(), "no.jsonl", &records.join("\n"), &[]);
    assert_eq!(status, Some(10));
    assert_eq!(
        ask(
            "sql",
            &archive,
            "SELECT _Record FROM Quarantine ORDER BY _Record"
        ),
        [["4"], ["5"]]
    );
    assert_eq!(
        ask(
            "sql",
            &archive,
            "SELECT Id, AuditData->>'Id' AS i, AuditData->>'Note' AS n FROM UnifiedAuditLog ORDER BY Id"
        ),
        [
            ["comma", "comma", "[1]"],
            ["good", "good", ""],
            ["mark", "mark", "x"],
            ["nan", "nan", "NaN"]
        ]
    );
    let kql =
        "UnifiedAuditLog | sort by Id asc | project tostring(parse_json(tostring(AuditData)).Note)";
    assert_eq!(ask("kql", &archive, kql), [["[1]"], [""], ["x"], ["NaN"]]);
    // A text that is no record is a string, as in Kusto.
    let texts = r#"print gettype(parse_json(@'{"a":NaN}')), gettype(parse_json(@'{"a":1,}')), gettype(parse_json('01')),
        gettype(parse_json(@'"C:\x"')), gettype(parse_json(@'C:\x')), gettype(parse_json(@'{"a":"C:\x"}'))"#;
    assert_eq!(
        ask("kql", &archive, texts),
        [[
            "string",
            "string",
            "string",
            "string",
            "string",
            "dictionary"
        ]]
    );
    let texts = r#"SELECT '{"a":1,"b":NaN}'->>'a' AS a, '{"a":1,"b":2}'->>'a' AS b"#;
    assert_eq!(ask("sql", &archive, texts), [["", "1"]]);
}

#[test]
fn equal_content_is_one_event_and_other_content_is_a_revision() {
    // Two records of one id each.
    let same = [
        (r#""a":1,"b":2"#, r#""b":2, "a":1"#),
        (
            r#""n":"2026-05-04T09:12:00""#,
            r#""n":"2026-05-04T11:12:00.000+02:00""#,
        ),
        (
            r#""n":"\/Date(1620000000000)\/""#,
            r#""n":"2021-05-03T00:00:00Z""#,
        ),
        (r#""n":"C:\Users\bob""#, r#""n":"C:\\Users\\bob""#),
        (r#""n":1"#, r##""n@odata.type":"#Int64","n":1"##),
    ];
    let other = [
        (
            r#""n":"/Date(1620000000000)/ one""#,
            r#""n":"/Date(1620000000000)/ two""#,
        ),
        (
            r#""n":"/Date(1620000000000)/ one""#,
            r#""n":"/Date(1620000000000)/""#,
        ),
        (r#""n":1"#, r#""n":1.0"#),
        (r#""n":1"#, r#""n":"1""#),
        (r#""n":true"#, r#""n":"true""#),
        (r#""m":1"#, r#""m":1,"n":null"#),
        (r#""n":null"#, r#""n":"""#),
        (r#""n":1,"n":2"#, r#""n":2,"n":1"#),
        (r#""n":1,"n":2"#, r#""n":2"#),
        (r#""n":[1,2]"#, r#""n":[2,1]"#),
        (
            r#""n":"0123ABCD-0000-4000-8000-000000000001""#,
            r#""n":"0123abcd-0000-4000-8000-000000000001""#,
        ),
        (r#""n":"\ud83d""#, r#""n":"\ud83e""#),
        (
            r#""n":"2026-05-04T09:12:60""#,
            r#""n":"2026-05-04T09:13:00""#,
        ),
        (
            r#""n":"2026-05-04T09:12:00.0000001""#,
            r#""n":"2026-05-04T09:12:00.0000002""#,
        ),
        (r##""n@odata.id":"#a""##, r##""n@odata.id":"#b""##),
        (r#""n":18446744073709551616"#, r#""n":18446744073709551617"#),
    ];
    let mut lines = Vec::new();
    let mut revised = Vec::new();
    for (n, (a, b)) in same.iter().chain(&other).enumerate() {
        let id = format!("p{n:02}");
        lines.extend([a, b].map(|member| record(&id, &format!(",{member}"))));
        if n >= same.len() {
            revised.push([id]);
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, status) = read(folder.path(), "pairs.jsonl", &lines.join("\n"), &[]);
    assert_eq!(status, Some(0));
    assert_eq!(
        ask(
            "sql",
            &archive,
            "SELECT EventId FROM Revisions ORDER BY EventId"
        ),
        revised
    );
    let counts =
        "SELECT count(*) AS n, (SELECT sum(Duplicates) FROM Ingests) AS d FROM UnifiedAuditLog";
    let pairs = (same.len() + other.len()).to_string();
    assert_eq!(
        ask("sql", &archive, counts),
        [[pairs, same.len().to_string()]]
    );
}

#[test]
fn a_local_time_that_does_not_exist_is_no_time_and_is_told() {
    let content = "TimeGenerated [Local Time],Type,Id,UserPrincipalName\n\
                   2026-03-29T02:30:00,SigninLogs,skipped,a@contoso.com\n\
                   2026-10-25T02:30:00,SigninLogs,twice,b@contoso.com\n\
                   2026-03-29T03:30:00,SigninLogs,usual,c@contoso.com\n";
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, status) = read(
        folder.path(),
        "local.csv",
        content,
        &["--tz", "Europe/Berlin"],
    );
    assert_eq!(status, Some(10));
    assert_eq!(
        ask(
            "sql",
            &archive,
            "SELECT Id, TimeGenerated, ExtraColumns->>'TimeGenerated [Local Time]' AS kept FROM SigninLogs ORDER BY Id"
        ),
        [
            ["skipped", "", "2026-03-29T02:30:00"],
            ["twice", "2026-10-25T00:30:00Z", ""],
            ["usual", "2026-03-29T01:30:00Z", ""]
        ]
    );
    assert_eq!(
        ask("sql", &archive, "SELECT Quarantined FROM Ingests"),
        [["0"]]
    );
    let note = &ask("sql", &archive, "SELECT Note FROM Ingests")[0][0];
    for part in [
        "1 event has no time",
        "1 local time does not exist in Europe/Berlin",
        "1 local time is ambiguous in Europe/Berlin",
    ] {
        assert!(note.contains(part), "{note}");
    }
}

#[test]
fn a_streamed_record_with_its_row_twice_is_kept_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let row = |id: &str| {
        format!(r#"{{"Timestamp":"2026-05-04T09:12:00Z","ActionType":"A","ReportId":"{id}"}}"#)
    };
    let twice = format!(
        r#"{{"category":"AdvancedHunting-CloudAppEvents","properties":{},"properties":{}}}"#,
        row("one"),
        row("two")
    );
    let good = format!(
        r#"{{"category":"AdvancedHunting-CloudAppEvents","properties":{}}}"#,
        row("three")
    );
    let file = folder.path().join("streamed.jsonl");
    std::fs::write(&file, format!("{good}\n{twice}\n")).expect("a file");
    let path = archive.to_string_lossy();
    let out = crate::command_line::run(&["ingest", &file.to_string_lossy(), "-a", &path]);
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(10), "{said}");
    assert!(said.contains("stands there twice"), "{said}");
    let rows = crate::ask(&archive, "SELECT ReportId FROM stored.\"CloudAppEvents\"");
    assert_eq!(rows, ["three"]);
    let aside = crate::ask(&archive, "SELECT Content FROM Quarantine");
    assert_eq!(aside, [twice]);
}
