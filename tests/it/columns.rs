//! Which columns a table shows: those that the product has, and all that a file of the user has.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, DictionaryArray, DurationSecondArray,
    Int64Builder, ListArray, MapBuilder, RecordBatch, StringBuilder, Time64MicrosecondArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::Int32Type;
use coldtrail::archive::Archive;
use coldtrail::catalog::table;
use coldtrail::engine::{Columns, Options, Session, Source};

use crate::command_line::run;
use crate::{ingest, project};

/// What a query answers, line by line.
fn csv(arguments: &[&str]) -> Vec<String> {
    let out = run(&[arguments, &["-f", "csv"]].concat());
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{arguments:?}: {said}");
    let answer = String::from_utf8_lossy(&out.stdout);
    answer.lines().map(str::to_string).collect()
}

fn archive() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    ingest(&path, &[project("sample-data")]);
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// The columns of an answer.
fn header(arguments: &[&str]) -> Vec<String> {
    let first = csv(arguments).into_iter().next().expect("a header");
    first.split(',').map(str::to_string).collect()
}

/// `--table T=FILE` for a file of this content.
fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    format!("T={}", path.display())
}

const LINEAGE: [&str; 3] = ["_IngestId", "_Record", "_Source"];

#[test]
fn a_table_shows_the_columns_of_the_product_in_its_order() {
    let (_folder, archive) = archive();
    for name in ["CloudAppEvents", "AuditLogs", "EntraIdSignInEvents"] {
        let product = &table(name).product;
        let kql = ["kql", "-a", &archive, &format!("{name} | take 1")];
        assert_eq!(header(&kql), *product, "{name}");
        let sql = [
            "sql",
            "-a",
            &archive,
            &format!("SELECT * FROM {name} t LIMIT 1"),
        ];
        assert_eq!(header(&sql), *product, "{name}");
    }
    let cloud = &table("CloudAppEvents").product;
    for query in [
        "CloudAppEvents | distinct *",
        "search in (CloudAppEvents) 'nothing' | project-away ['$table']",
        "union CloudAppEvents, CloudAppEvents | take 1",
    ] {
        assert_eq!(header(&["kql", "-a", &archive, query]), *cloud, "{query}");
    }
    let schema = csv(&["kql", "-a", &archive, "CloudAppEvents | getschema"]);
    assert_eq!(schema.len(), cloud.len() + 1);
}

#[test]
fn what_the_archive_keeps_beside_a_table_comes_when_it_is_named_or_asked_for() {
    let (_folder, archive) = archive();
    let audit = ["kql", "-a", &archive, "UnifiedAuditLog | take 1"];
    assert_eq!(header(&audit), table("UnifiedAuditLog").product);
    let labels = header(&["kql", "-a", &archive, "LabelEvents | take 1"]);
    assert!(labels.contains(&"Action".to_string()), "{labels:?}");
    let beside = |all: &[String]| LINEAGE.map(|name| all.iter().filter(|c| *c == name).count());
    assert_eq!(beside(&labels), [0, 0, 0]);
    for (command, query) in [
        ("kql", "LabelEvents | take 1"),
        ("sql", "SELECT * FROM LabelEvents LIMIT 1"),
    ] {
        let all = header(&[command, "-a", &archive, "--all-columns", query]);
        assert_eq!(beside(&all), [1, 1, 1], "{query}");
    }
    for query in [
        "LabelEvents | where _Record > 0 | take 1",
        "let f = () { LabelEvents | where _Record > 0 }; f | take 1",
    ] {
        let named = header(&["kql", "-a", &archive, query]);
        assert_eq!(beside(&named), [0, 1, 0], "{query}");
    }
    let own = "CloudAppEvents | project Isp, RawEventData_Operation, ExtraColumns | take 1";
    let named = header(&["kql", "-a", &archive, own]);
    assert_eq!(named, ["Isp", "RawEventData_Operation", "ExtraColumns"]);
    let times = "SigninLogs | where Timestamp == TimeGenerated | count";
    let all = csv(&["kql", "-a", &archive, "SigninLogs | count"]);
    assert_eq!(csv(&["kql", "-a", &archive, times]), all);
}

#[test]
fn a_saved_function_may_name_what_the_query_does_not() {
    let (_folder, archive) = archive();
    let saved = tempfile::tempdir().expect("a folder");
    std::fs::write(
        saved.path().join("Sources.kql"),
        "LabelEvents | project Action, _Source",
    )
    .expect("a function");
    let functions = saved.path().to_string_lossy().into_owned();
    // Its text stands right behind the query, whose last word stays a word.
    let asked = ["kql", "-a", &archive, "--saved-functions", &functions];
    let seen = header(&[&asked[..], &["Sources | take 1"]].concat());
    assert_eq!(seen, ["Action", "_Source"]);
    let seen = header(&[&asked[..], &["LabelEvents | take 1 | project _Record"]].concat());
    assert_eq!(seen, ["_Record"]);
}

#[test]
fn in_sql_a_star_brings_no_more_than_the_product_has_and_what_the_text_names() {
    let (_folder, archive) = archive();
    let names = |query: &str| header(&["sql", "-a", &archive, query]);
    let product = names("SELECT * FROM LabelEvents LIMIT 1");
    assert!(!product.iter().any(|c| LINEAGE.contains(&c.as_str())));
    let last: Vec<String> = [&product[..], &["_Source".to_string()][..]].concat();
    let first: Vec<String> = [&["_Source".to_string()][..], &product[..]].concat();
    for (query, want) in [
        ("SELECT *, _Source FROM LabelEvents LIMIT 1", &last),
        ("SELECT e.*, \"_Source\" FROM LabelEvents e LIMIT 1", &last),
        ("SELECT _Source, e.* FROM LabelEvents e LIMIT 1", &first),
        (
            "SELECT e.*, e._Source FROM LabelEvents e CROSS JOIN (SELECT 1 AS n) LIMIT 1",
            &last,
        ),
        (
            "SELECT * FROM LabelEvents WHERE _Source <> '' LIMIT 1",
            &last,
        ),
    ] {
        assert_eq!(names(query), *want, "{query}");
    }
    let inside = "WITH x AS (SELECT e.* FROM LabelEvents e) SELECT _Source FROM x LIMIT 1";
    assert_eq!(names(inside), ["_Source"]);
    let stored = names("SELECT * FROM stored.\"AuditLogs\" LIMIT 1");
    assert!(stored.contains(&"_Fingerprint".to_string()), "{stored:?}");
    let ledger = names("SELECT * FROM Ingests LIMIT 1");
    assert!(ledger.contains(&"_IngestId".to_string()), "{ledger:?}");
}

#[test]
fn what_one_query_names_is_no_column_of_the_next() {
    let (_folder, path) = archive();
    let archive = Archive::open(Path::new(&path)).expect("the archive");
    let options = Options {
        columns: Columns::Product,
        ..Options::default()
    };
    let session = Session::open(Source::Archive(&archive), &options).expect("a session");
    let width = |query: &str| {
        let frame = session.plan(query).expect("a plan");
        frame.schema().fields().len()
    };
    let without = width("SELECT * FROM LabelEvents");
    assert_eq!(
        width("SELECT * FROM LabelEvents WHERE _Record > 0"),
        without + 1
    );
    assert_eq!(width("SELECT * FROM LabelEvents"), without);
}

#[test]
fn objects_and_lists_of_a_file_are_dynamic() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = "{\"id\":1,\"user\":{\"name\":\"bob\"},\"tags\":[\"a\",\"b\"]}\n{\"id\":2}\n";
    let own = file(folder.path(), "rows.json", rows);
    let asked = |query: &str| csv(&["kql", "--table", &own, query]);
    assert_eq!(
        asked("T | getschema | project ColumnName, ColumnType"),
        [
            "ColumnName,ColumnType",
            "id,long",
            "user,dynamic",
            "tags,dynamic"
        ]
    );
    assert_eq!(
        asked("T | where id == 1 | project name = tostring(user.name)"),
        ["name", "bob"]
    );
    assert_eq!(asked("T | where tags[1] == 'b' | count"), ["Count", "1"]);
    assert_eq!(asked("T | where isnull(user) | count"), ["Count", "1"]);
    // SQL has the structure.
    let (_archive, archive) = archive();
    let query = "SELECT \"user\"['name'] AS n FROM T ORDER BY id LIMIT 1";
    assert_eq!(
        csv(&["sql", "-a", &archive, "--table", &own, query]),
        ["n", "bob"]
    );
}

#[test]
fn a_column_of_several_shapes_is_dynamic() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = "{\"a\":1,\"b\":\"x\"}\n{\"a\":{\"c\":2},\"b\":3}\n{\"a\":[4],\"b\":null}\n";
    let own = file(folder.path(), "rows.json", rows);
    let query = "T | where tolong(a) == 1 or a.c == 2 or a[0] == 4 | count";
    assert_eq!(csv(&["kql", "--table", &own, query]), ["Count", "3"]);
    let query = "T | where b in ('x', '3') | count";
    assert_eq!(csv(&["kql", "--table", &own, query]), ["Count", "2"]);
}

#[test]
fn every_type_of_a_parquet_file_has_one_in_kusto() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bag = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    bag.keys().append_value("a");
    bag.values().append_value(7);
    bag.append(true).expect("a key and a value");
    let price = Decimal128Array::from(vec![1250]).with_precision_and_scale(10, 2);
    let word: DictionaryArray<Int32Type> = ["x"].into_iter().collect();
    let numbers = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), Some(2)])]);
    let columns: [(&str, ArrayRef); 11] = [
        ("Price", Arc::new(price.expect("it fits"))),
        ("Big", Arc::new(UInt64Array::from(vec![u64::MAX]))),
        ("Small", Arc::new(UInt64Array::from(vec![5]))),
        ("Port", Arc::new(UInt32Array::from(vec![u32::MAX]))),
        ("Day", Arc::new(Date32Array::from(vec![1]))),
        (
            "Moment",
            Arc::new(TimestampNanosecondArray::from(vec![1_000_000_100])),
        ),
        (
            "Clock",
            Arc::new(Time64MicrosecondArray::from(vec![3_600_000_000])),
        ),
        ("Length", Arc::new(DurationSecondArray::from(vec![5]))),
        ("Bytes", Arc::new(BinaryArray::from(vec![&b"hi"[..]]))),
        ("Word", Arc::new(word)),
        ("Numbers", Arc::new(numbers)),
    ];
    let bag: (&str, ArrayRef) = ("Bag", Arc::new(bag.finish()));
    let batch = RecordBatch::try_from_iter(columns.into_iter().chain([bag])).expect("rows");
    let path = folder.path().join("rows.parquet");
    let out = std::fs::File::create(&path).expect("a file");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(out, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a file");
    let own = format!("T={}", path.display());
    let asked = |query: &str| csv(&["kql", "--table", &own, query]);
    assert_eq!(
        asked("T | getschema | project ColumnName, ColumnType")[1..],
        [
            "Price,decimal",
            "Big,decimal",
            "Small,long",
            "Port,long",
            "Day,datetime",
            "Moment,datetime",
            "Clock,timespan",
            "Length,timespan",
            "Bytes,string",
            "Word,string",
            "Numbers,dynamic",
            "Bag,dynamic",
        ]
    );
    for condition in [
        "Price == decimal(12.5)",
        "Big == decimal(18446744073709551615)",
        "Small == 5 and Port == 4294967295",
        "Day == datetime(1970-01-02)",
        "Moment == datetime(1970-01-01T00:00:01.0000001Z)",
        "Clock == 1h and Length == 5s",
        "base64_decode_tostring(Bytes) == 'hi'",
        "Word == 'x'",
        "Numbers[1] == 2 and array_length(Numbers) == 2",
        "Bag.a == 7",
    ] {
        let count = asked(&format!("T | where {condition} | count"));
        assert_eq!(count, ["Count", "1"], "{condition}");
    }
}
