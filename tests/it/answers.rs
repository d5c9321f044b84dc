//! Answers as files and formats: what Kusto's query API carries is carried, and nothing in them does harm.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Schema};
use coldtrail::engine::output::{Format, Writer, json_text, visible};
use serde_json::{Value, json};

use crate::command_line::run;
use crate::{ingest, project};

/// A value of each kind that other formats tend to lose.
const ODD: &str = "print t = datetime(2026-05-01T08:00:00.1234567), w = datetime(2026-05-01), h = datetime(2026-05-01T08:00:00.5), \
    n = real(nan), i = real(+inf), j = real(-inf), s = timespan(null), u = totimespan('-1.02:03:04.5'), l = 9007199254740993, k = int(7), \
    g = guid(74be27de-1e4e-49d9-b579-fe0b331d3642), b = true, m = decimal(0.5), d = dynamic({'a':[1,'x']}), z = datetime(null), e = ''";

fn kql(format: &str, query: &str) -> String {
    told(&["kql", "-f", format, "--", query])
}

fn told(arguments: &[&str]) -> String {
    let out = run(arguments);
    assert_eq!(
        out.status.code(),
        Some(0),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).expect("UTF-8")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// An archive of one CloudAppEvents row and one sign-in.
fn archive() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = folder.path().join("rows.jsonl");
    let event = json!({
        "TimeGenerated": "2026-05-01T00:00:00Z", "Type": "CloudAppEvents", "ActionType": "A", "ReportId": "r1",
        "RawEventData": {"Id": "e1", "Operation": "A", "Big": 1},
        "UncommonForUser": ["ISP"], "ActivityObjects": [{"Type": "File"}],
    });
    std::fs::write(&rows, format!("{event}\n")).expect("a file");
    let signins = folder.path().join("signins.jsonl");
    let signin = json!({
        "TimeGenerated": "2026-05-01T00:00:00Z", "Type": "SigninLogs", "Id": "s1", "UserPrincipalName": "a@contoso.com",
        "RiskEventTypes_V2": "[\"unfamiliarFeatures\"]",
    });
    std::fs::write(&signins, format!("{signin}\n")).expect("a file");
    let path = folder.path().join("archive");
    ingest(&path, &[rows, signins]);
    (folder, path)
}

fn sql(archive: &Path, format: &str, query: &str) -> String {
    told(&["sql", "-a", &archive.to_string_lossy(), "-f", format, query])
}

#[test]
fn the_query_api_carries_every_type_and_value() {
    let answer = parsed(&kql("kusto", ODD));
    let table = &answer["tables"][0];
    let types: Vec<String> = table["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|c| format!("{}:{}", c["name"], c["type"]).replace('"', ""))
        .collect();
    assert_eq!(
        types.join(" "),
        "t:datetime w:datetime h:datetime n:real i:real j:real s:timespan u:timespan l:long k:int g:guid b:bool m:decimal d:dynamic \
         z:datetime e:string"
    );
    assert_eq!(
        table["rows"],
        json!([[
            "2026-05-01T08:00:00.1234567Z",
            "2026-05-01T00:00:00Z",
            "2026-05-01T08:00:00.5Z",
            "NaN",
            "Infinity",
            "-Infinity",
            null,
            "-1.02:03:04.5000000",
            9_007_199_254_740_993_i64,
            7,
            "74be27de-1e4e-49d9-b579-fe0b331d3642",
            true,
            "0.5",
            "{\"a\":[1,\"x\"]}",
            null,
            ""
        ]])
    );
    assert!(kql("kusto", ODD).contains(",9007199254740993,"));
}

#[test]
fn csv_and_json_carry_the_same() {
    let csv = kql("csv", ODD);
    assert_eq!(
        csv.lines().nth(1),
        Some(
            "2026-05-01T08:00:00.1234567Z,2026-05-01T00:00:00Z,2026-05-01T08:00:00.500Z,NaN,Infinity,-Infinity,,-1.02:03:04.5000000,\
             9007199254740993,7,74be27de-1e4e-49d9-b579-fe0b331d3642,true,0.5,\"{\"\"a\"\":[1,\"\"x\"\"]}\",,"
        )
    );
    let one = json!({
        "t": "2026-05-01T08:00:00.1234567Z", "w": "2026-05-01T00:00:00Z", "h": "2026-05-01T08:00:00.500Z",
        "n": "NaN", "i": "Infinity", "j": "-Infinity", "s": null, "u": "-1.02:03:04.5000000", "l": 9_007_199_254_740_993_i64, "k": 7,
        "g": "74be27de-1e4e-49d9-b579-fe0b331d3642", "b": true, "m": "0.5", "d": {"a": [1, "x"]}, "z": null, "e": "",
    });
    assert_eq!(parsed(&kql("json", ODD)), json!([one]));
    assert_eq!(parsed(&kql("ndjson", ODD)), one);
    let table = kql("table", ODD);
    let markdown = kql("markdown", ODD);
    for value in [
        "2026-05-01T08:00:00.1234567Z",
        "NaN",
        "-Infinity",
        "-1.02:03:04.5000000",
    ] {
        assert!(table.contains(value), "{value} in {table}");
        assert!(markdown.contains(value), "{value} in {markdown}");
    }
}

#[test]
fn numbers_and_times_of_sql_are_those_of_the_api() {
    let (_folder, archive) = archive();
    let query = "SELECT 'NaN'::double AS n, '-inf'::double AS i, CAST('2026-05-01' AS date) AS d, \
                 TIMESTAMP '2026-05-02T00:00:00Z' - TIMESTAMP '2026-05-01T00:00:00.5Z' AS s, NULL AS z, 1.5 AS x";
    let answer = parsed(&sql(&archive, "kusto", query));
    let row = &answer["tables"][0]["rows"][0];
    assert_eq!(row[0], "NaN");
    assert_eq!(row[1], "-Infinity");
    assert_eq!(row[2], "2026-05-01T00:00:00Z");
    assert_eq!(row[4], Value::Null);
    assert_eq!(answer["tables"][0]["columns"][3]["type"], "timespan");
    assert_eq!(row[3], "23:59:59.5000000");
    let answer = parsed(&sql(&archive, "json", query));
    assert_eq!(answer[0]["n"], "NaN");
    assert_eq!(answer[0]["i"], "-Infinity");
    assert_eq!(answer[0]["z"], Value::Null);
    assert!(sql(&archive, "csv", query).contains("\nNaN,-Infinity,2026-05-01,"));
}

#[test]
fn dynamic_columns_are_json_in_json() {
    let (_folder, archive) = archive();
    let columns = "RawEventData, UncommonForUser, ActivityObjects, ActionType";
    let wanted = json!({
        "RawEventData": {"Id": "e1", "Operation": "A", "Big": 1}, "UncommonForUser": ["ISP"],
        "ActivityObjects": [{"Type": "File"}], "ActionType": "A",
    });
    let by_sql = sql(
        &archive,
        "json",
        &format!("SELECT {columns} FROM CloudAppEvents"),
    );
    assert_eq!(parsed(&by_sql), json!([wanted]));
    let path = archive.to_string_lossy();
    let query = format!("CloudAppEvents | project {columns}");
    let by_kql = told(&["kql", "-a", &path, "-f", "ndjson", &query]);
    assert_eq!(parsed(&by_kql), wanted);
    // Through a join, an aggregate and a path; under another name; a text that looks like JSON stays a text.
    let query = "WITH a AS (SELECT ReportId, RawEventData AS r FROM CloudAppEvents) \
                 SELECT max(x.r) AS r, first_value(coalesce(y.r, '{}')) AS c, max('[1]') AS t, max(x.r->>'Id') AS i \
                 FROM a AS x JOIN a AS y ON x.ReportId = y.ReportId";
    assert_eq!(
        parsed(&sql(&archive, "json", query)),
        json!([{"r": wanted["RawEventData"], "c": wanted["RawEventData"], "t": "[1]", "i": "e1"}])
    );
}

#[test]
fn types_come_from_where_a_column_was_made() {
    let (_folder, archive) = archive();
    let query = "SELECT RawEventData, SessionData, UncommonForUser, ActionType, 'x' AS AuditData FROM CloudAppEvents";
    let answer = parsed(&sql(&archive, "kusto", query));
    let table = &answer["tables"][0];
    let types: Vec<&str> = table["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .filter_map(|c| c["type"].as_str())
        .collect();
    assert_eq!(types, ["dynamic", "dynamic", "dynamic", "string", "string"]);
    // JSON in a string.
    let raw = table["rows"][0][0].as_str().expect("a string");
    assert_eq!(parsed(raw)["Operation"], "A");
}

#[test]
fn findings_hold_json_where_the_table_does() {
    let (folder, archive) = archive();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).expect("a folder");
    std::fs::write(
        rules.join("r.sql"),
        "/*\nid: r\nname: R\nseverity: Low\n*/\nSELECT TimeGenerated, UncommonForUser, RawEventData, AccountDisplayName FROM CloudAppEvents",
    )
    .expect("a rule");
    let found = told(&[
        "hunt",
        "-a",
        &archive.to_string_lossy(),
        "-r",
        &rules.to_string_lossy(),
        "-f",
        "json",
    ]);
    assert_eq!(
        parsed(&found)["findings"][0]["details"]["UncommonForUser"],
        json!(["ISP"])
    );
}

#[test]
fn both_columns_of_one_name_are_in_json() {
    let (_folder, archive) = archive();
    let query =
        "SELECT a.ReportId, b.ReportId FROM CloudAppEvents AS a CROSS JOIN CloudAppEvents AS b";
    let answer = sql(&archive, "ndjson", query);
    assert_eq!(answer, "{\"ReportId\":\"r1\",\"ReportId_1\":\"r1\"}\n");
}

#[test]
fn parquet_keeps_times_to_the_microsecond() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("odd.parquet");
    let name = file.to_string_lossy();
    told(&["kql", "-f", "parquet", "-o", &name, "--", ODD]);
    let table = format!("Odd={name}");
    let back = told(&[
        "kql",
        "--table",
        &table,
        "-f",
        "csv",
        "Odd | project t, w, z, u, n, m, d | extend y = t > w",
    ]);
    // A timespan comes back as text, which may be a formula.
    assert_eq!(
        back.lines().nth(1),
        Some(
            "2026-05-01T08:00:00.123456Z,2026-05-01T00:00:00Z,,'-1.02:03:04.5000000,NaN,0.5,\"{\"\"a\"\":[1,\"\"x\"\"]}\",true"
        )
    );
}

/// A column of each layout that a name and a value can hide in.
fn hostile(text: &str) -> RecordBatch {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let cast = |ty: &DataType| arrow::compute::cast(&texts, ty).expect("a cast");
    let inner = Arc::new(Field::new(text, DataType::Utf8, true));
    let columns: Vec<ArrayRef> = vec![
        Arc::clone(&texts),
        cast(&dictionary),
        cast(&list),
        Arc::new(StructArray::from(vec![(inner, Arc::clone(&texts))])),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .enumerate()
        .map(|(n, column)| Field::new(format!("{text}{n}"), column.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch")
}

fn written(format: Format, batch: &RecordBatch, terminal: bool) -> String {
    let mut out = Vec::new();
    let mut writer = Writer::new(format, batch.schema(), &mut out, terminal).expect("a beginning");
    writer.write(batch).expect("rows");
    writer.finish().expect("an end");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn no_format_sends_a_terminal_what_is_not_seen() {
    let text = "a\u{1b}]52;c;Zg==\u{7}\u{7f}\u{9b}\u{ad}\u{200d}\u{202e}\u{2028}\u{3164}\u{115f}\u{180e}\u{fe0f}\u{fff9}\u{e0041}b";
    let batch = hostile(text);
    for format in [
        Format::Csv,
        Format::Json,
        Format::Ndjson,
        Format::Markdown,
        Format::Kusto,
    ] {
        let made = written(format, &batch, true);
        // What would be changed once more is not harmless yet.
        for line in made.lines() {
            assert_eq!(visible(line), line, "{format:?}");
        }
    }
    // In a file a CSV has the text as it was.
    let file = written(Format::Csv, &batch, false);
    assert_eq!(file.matches(text).count(), 6, "{file:?}");
    // JSON is the same value for a program.
    let objects = parsed(&written(Format::Json, &batch, false));
    assert_eq!(objects[0][format!("{text}0")], text);
    assert_eq!(objects[0][format!("{text}1")], text);
    assert_eq!(objects[0][format!("{text}2")], json!([text]));
    assert_eq!(objects[0][format!("{text}3")][text], text);
    assert!(!json_text(&objects).contains('\u{e0041}'));
}

#[test]
fn no_cell_of_a_csv_is_a_formula() {
    let (_folder, archive) = archive();
    let query = "SELECT arrow_cast('=1+1', 'Dictionary(Int32, Utf8)') AS \"=d\", 'x;=cmd' AS a, 'x' || chr(9) || '@y' AS b, ' +1' AS c, \
                 '＝1' AS w, -5 AS n, 'a;b' AS e";
    assert_eq!(
        sql(&archive, "csv", query),
        "'=d,a,b,c,w,n,e\n'=1+1,\"x;'=cmd\",\"x\t'@y\",' +1,'＝1,-5,a;b\n"
    );
}

#[test]
fn a_check_for_programs_names_files_harmlessly() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a\u{202e}b.kql");
    if std::fs::write(&file, "print '\u{202e}' | where nope == 1").is_err() {
        // Not every file system has such names.
        return;
    }
    let out = run(&[
        "kql",
        "-f",
        "json",
        "--check",
        &folder.path().to_string_lossy(),
    ]);
    let said = String::from_utf8(out.stdout).expect("UTF-8");
    assert!(
        said.contains("\\u202e") && !said.contains('\u{202e}'),
        "{said}"
    );
}

#[test]
fn the_sample_archive_is_valid_in_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let query = "SELECT * FROM CloudAppEvents";
    let array = parsed(&sql(&path, "json", query));
    let rows = array.as_array().expect("an array");
    assert!(rows.len() > 300, "{}", rows.len());
    for row in rows {
        assert!(row["RawEventData"].is_object(), "{row}");
    }
    // Rows come in any order.
    let sorted = |mut rows: Vec<String>| {
        rows.sort();
        rows
    };
    let lines = sql(&path, "ndjson", query);
    assert_eq!(lines.lines().count(), rows.len());
    let lines = lines.lines().map(|line| parsed(line).to_string());
    assert_eq!(
        sorted(lines.collect()),
        sorted(rows.iter().map(Value::to_string).collect())
    );
    let answer = parsed(&sql(&path, "kusto", query));
    let table = answer["tables"][0]["rows"].as_array().expect("rows");
    assert_eq!(table.len(), rows.len());
}
