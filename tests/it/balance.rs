//! Whatever was done to a file, each of its records is an event, a counted repeat, a revision or in quarantine: for all readers, over all
//! samples, over mutations of them, and over what other programs make of their text.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coldtrail::archive::Archive;
use coldtrail::archive::ledger::Entry;
use coldtrail::convert;
use coldtrail::engine::{self, Session, Source};
use coldtrail::ingest::format::Hints;
use coldtrail::ingest::input;
use serde_json::Value;

use crate::{project, rows};

mod joined;
mod samples;

use samples::{Dice, mutant};

/// Ingests; what is in the files may neither end the program nor keep it.
fn ingest(inputs: &[String], archive: &Path) {
    /// Some hundred small files take a second or two.
    const BOUND: Duration = Duration::from_secs(90);
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .arg("ingest")
        .args(inputs)
        .arg("-a")
        .arg(archive)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let begun = Instant::now();
    while child.try_wait().expect("it can be asked").is_none() {
        if begun.elapsed() > BOUND {
            child.kill().expect("it can be ended");
            panic!("{inputs:?}: no end after {BOUND:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = child.wait().expect("it ended");
    assert!(
        matches!(status.code(), Some(0 | 10)),
        "{inputs:?}: {status}"
    );
}

/// The files of an archive, after it was seen that all that is said of them is so.
fn balanced(archive: &Path) -> Vec<Entry> {
    let archive = Archive::open(archive).expect("an archive");
    let ledger = archive.snapshot().expect("a snapshot").ledger;
    let entries: Vec<Entry> = ledger.exports().cloned().collect();
    for e in &entries {
        let all = e.events() + e.duplicates + e.revisions + e.quarantined;
        assert_eq!(e.records, all, "{}: {}", e.file, e.note);
        assert!(
            !e.note.contains("fault of coldtrail"),
            "{}: {}",
            e.file,
            e.note
        );
        let silent = e.records == 0 && e.note.is_empty() && e.kind.is_empty();
        assert!(!silent, "{}: nothing in it, and nothing said", e.file);
    }
    let session =
        Session::open(Source::Archive(&archive), &engine::Options::default()).expect("a session");
    let mut tables: BTreeSet<&str> = entries
        .iter()
        .flat_map(|e| e.tables.keys().map(String::as_str))
        .collect();
    let some = |of: fn(&Entry) -> u64| entries.iter().any(|e| of(e) > 0);
    if some(|e| e.revisions) {
        tables.insert("Revisions");
    }
    if some(|e| e.quarantined) {
        tables.insert("Quarantine");
        quarantined(&session);
    }
    for table in tables {
        let want: BTreeMap<i64, u64> = entries
            .iter()
            .map(|e| (e.id, e.rows_of(table)))
            .filter(|(_, rows)| *rows > 0)
            .collect();
        let sql = format!("SELECT \"_IngestId\", count(*) FROM stored.\"{table}\" GROUP BY 1");
        let got: BTreeMap<i64, u64> = rows(&session, &sql)
            .iter()
            .map(|row| {
                let (id, rows) = row.split_once('|').expect("two columns");
                (
                    id.parse().expect("a number"),
                    rows.parse().expect("a number"),
                )
            })
            .collect();
        assert_eq!(got, want, "{table}");
    }
    entries
}

/// Each record in quarantine is there once and says where it stood and why it is there.
fn quarantined(session: &Session) {
    let odd = rows(
        session,
        "SELECT q.\"File\", q.\"_Record\", q.\"Offset\", q.\"Reason\" FROM stored.\"Quarantine\" q \
         LEFT JOIN \"Ingests\" i ON q.\"_IngestId\" = i.\"_IngestId\" \
         WHERE i.\"File\" IS NULL OR q.\"File\" <> i.\"File\" OR coalesce(q.\"Reason\", '') = '' \
         OR coalesce(q.\"_Record\", 0) < 1 OR q.\"_Record\" > i.\"Records\" OR coalesce(q.\"Offset\", -1) < 0 \
         OR q.\"Reason\" LIKE '%fault of coldtrail%'",
    );
    assert!(odd.is_empty(), "{}", odd.join("\n"));
    let twice = rows(
        session,
        "SELECT \"_IngestId\", \"_Record\" FROM stored.\"Quarantine\" GROUP BY 1, 2 HAVING count(*) > 1",
    );
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}

/// What a file was taken for, without the reason.
fn name(kind: &str) -> &str {
    kind.split_once(':').map_or(kind, |(name, _)| name)
}

/// A dry run takes the same files for the same, and a second ingest adds nothing.
fn settled(inputs: &[String], archive: &Path, entries: &[Entry]) {
    let found = input::find(inputs).expect("the inputs exist");
    let plan = convert::plan(None, &found, &Hints::default()).expect("a plan");
    let plan: BTreeMap<&str, &str> = plan
        .iter()
        .map(|p| (p.file.as_str(), name(&p.kind)))
        .collect();
    for e in entries {
        let planned = plan.get(e.file.as_str()).copied();
        assert_eq!(planned, Some(name(&e.kind)), "{}: {}", e.file, e.kind);
    }
    ingest(inputs, archive);
    assert_eq!(balanced(archive), entries, "a second ingest");
}

/// The text of a file that was not packed; marks and padding, which are no JSON, are blanks.
fn text_of(entry: &Entry, bytes: &[u8]) -> Option<String> {
    let plain = entry.compression == "none" && entry.encoding.starts_with("UTF-8");
    plain.then(|| String::from_utf8_lossy(bytes).replace(['\u{feff}', '\0', '\u{1a}'], " "))
}

fn is_object(line: &str) -> bool {
    serde_json::from_str(line).is_ok_and(|value: Value| value.is_object())
}

/// Records that a file has at least, as serde_json reads it; nothing where it cannot tell.
fn least(entry: &Entry, bytes: &[u8]) -> Option<u64> {
    let text = text_of(entry, bytes)?;
    if entry.container == "JSON lines" {
        return Some(text.lines().filter(|line| is_object(line)).count() as u64);
    }
    let values: Vec<Value> = serde_json::Deserializer::from_str(&text)
        .into_iter::<Value>()
        .collect::<Result<_, _>>()
        .ok()?;
    if entry.container == "JSON" {
        return Some(values.iter().map(single).sum());
    }
    let key = entry.container.strip_prefix("JSON `")?.strip_suffix('`')?;
    values.iter().map(|value| held(value, key)).sum()
}

/// Values in arrays, however deep.
fn single(value: &Value) -> u64 {
    match value {
        Value::Array(all) => all.iter().map(single).sum(),
        _ => 1,
    }
}

/// Records in an answer of an API; another object is one itself.
fn held(value: &Value, key: &str) -> Option<u64> {
    let Value::Object(answer) = value else {
        return match value {
            Value::Array(all) => all.iter().map(|value| held(value, key)).sum(),
            _ => Some(1),
        };
    };
    let records = match key {
        "rows" => value.pointer("/tables/0/rows"),
        "Rows" => value.pointer("/Tables/0/Rows"),
        "hits" => value.pointer("/hits/hits"),
        key => answer.get(key),
    };
    match records {
        Some(Value::Array(records)) => Some(records.len() as u64),
        // An array of that name elsewhere in it may be taken for its records.
        _ if value.to_string().contains(&format!("\"{key}\":[")) => None,
        _ => Some(1),
    }
}

/// Rows of a CSV as the crate `csv-core` reads it, without headers and what exporters write between.
fn csv_rows(text: &str, delimiter: u8) -> u64 {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let input = text.as_bytes();
    let (mut bytes, mut ends) = (vec![0; input.len() + 1], vec![0; input.len() + 2]);
    let (mut at, mut written, mut fields) = (0, 0, 0);
    let mut header: Option<Vec<String>> = None;
    let mut count = 0;
    loop {
        let (result, used, wrote, ended) =
            reader.read_record(&input[at..], &mut bytes[written..], &mut ends[fields..]);
        at += used;
        written += wrote;
        fields += ended;
        match result {
            csv_core::ReadRecordResult::Record => {
                let mut from = 0;
                let row: Vec<String> = ends[..fields]
                    .iter()
                    .map(|end| {
                        let field = String::from_utf8_lossy(&bytes[from..*end]).into_owned();
                        from = *end;
                        field
                    })
                    .collect();
                (written, fields) = (0, 0);
                let is_blank = row.iter().all(|cell| cell.trim().is_empty());
                if is_blank || row[0].starts_with("#TYPE ") || row[0].starts_with("sep=") {
                    continue;
                }
                match &header {
                    Some(header) if row.starts_with(header) => {}
                    Some(_) => count += 1,
                    None => header = Some(row),
                }
            }
            csv_core::ReadRecordResult::End => return count,
            _ => {}
        }
    }
}

/// What another reader counts in a file that is whole, where one can be asked.
fn counted(entry: &Entry) -> Option<u64> {
    if entry.file.contains("/broken/") || !Path::new(&entry.file).is_file() {
        return None;
    }
    let bytes = std::fs::read(&entry.file).expect("it was read before");
    let text = text_of(entry, &bytes)?;
    let delimiter = match entry.container.as_str() {
        "CSV" => b',',
        "CSV (;)" => b';',
        "CSV (tabs)" => b'\t',
        // What is no JSON to others is a record in quarantine.
        "JSON lines" if !text.lines().all(|l| l.trim().is_empty() || is_object(l)) => return None,
        _ => return least(entry, &bytes),
    };
    Some(csv_rows(text.trim_start(), delimiter))
}

#[test]
fn every_record_of_every_sample_is_accounted_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    // Named, it is read: it is passed over below its parent.
    let mut inputs = vec![project("sample-data/broken")];
    inputs.extend(samples::folders());
    let inputs: Vec<String> = inputs
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    ingest(&inputs, &archive);
    let entries = balanced(&archive);
    settled(&inputs, &archive, &entries);
    let mut asked = 0;
    for e in &entries {
        if let Some(want) = counted(e) {
            // A record of another tool may hold several, and some lines are none.
            let several = e.kind.contains(" with ") && e.records > want;
            let fewer = e.note.contains("passed over") && e.records < want;
            let told = several || fewer || e.records == want;
            assert!(told, "{}: {want}, {e:?}", e.file);
            asked += 1;
        }
    }
    assert!(asked > 15, "only {asked} files were counted");
}

/// Packs a file so that its bytes are in it, under its name.
fn packed(name: &str, bytes: &[u8], how: usize) -> (&'static str, Vec<u8>) {
    const WRITES: &str = "memory takes it";
    let gzip = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).expect(WRITES);
        out.finish().expect(WRITES)
    };
    match how % 3 {
        0 => (".gz", gzip(bytes)),
        1 => {
            let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
            let stored = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored);
            out.start_file(name, stored).expect(WRITES);
            out.write_all(bytes).expect(WRITES);
            (".zip", out.finish().expect(WRITES).into_inner())
        }
        _ => {
            let mut out = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            out.append_data(&mut header, name, bytes).expect(WRITES);
            (".tar.gz", gzip(&out.into_inner().expect(WRITES)))
        }
    }
}

/// What became of a mutant, whatever it was packed in.
fn outcomes(entries: &[Entry], folder: &Path) -> BTreeMap<String, Vec<String>> {
    let folder = folder.to_string_lossy().replace('\\', "/") + "/";
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for e in entries {
        let own = e.file.strip_prefix(&folder).expect("below the folder");
        let is_pack = !own.contains('/') && (own.ends_with(".zip") || own.ends_with(".tar.gz"));
        if is_pack && e.kind.is_empty() && folder.ends_with("/packed/") {
            continue;
        }
        let told = format!(
            "{} records, {:?}, {} duplicates, {} revisions, {} quarantined, {}: {}",
            e.records,
            e.tables,
            e.duplicates,
            e.revisions,
            e.quarantined,
            e.status.name(),
            e.kind
        );
        out.entry(own[..5].to_string()).or_default().push(told);
    }
    for told in out.values_mut() {
        told.sort();
    }
    out
}

#[test]
fn every_record_of_a_damaged_file_is_accounted_for_however_it_is_packed() {
    const MUTANTS: usize = 300;
    let folder = tempfile::tempdir().expect("a folder");
    let samples = samples::contents();
    assert!(samples.len() > 30, "{} samples", samples.len());
    let places: [PathBuf; 2] = ["plain", "packed"].map(|name| folder.path().join(name));
    for place in &places {
        std::fs::create_dir(place).expect("a folder");
    }
    let mut dice = Dice::new(12);
    let mut mutants = BTreeMap::new();
    for n in 0..MUTANTS {
        let (how, bytes) = mutant(&samples, &mut dice);
        let sample = &samples[dice.last].0;
        let name = format!("{n:05}-{how}-{sample}");
        let (ending, pack) = packed(&name, &bytes, n);
        std::fs::write(places[0].join(&name), &bytes).expect("a file");
        std::fs::write(places[1].join(name.clone() + ending), pack).expect("a file");
        mutants.insert(name, bytes);
    }
    let read: Vec<Vec<Entry>> = places
        .iter()
        .map(|place| {
            let archive = place.with_extension("archive");
            ingest(&[place.to_string_lossy().into_owned()], &archive);
            balanced(&archive)
        })
        .collect();
    let plain = [places[0].to_string_lossy().into_owned()];
    settled(&plain, &places[0].with_extension("archive"), &read[0]);
    let [one, other] = [0, 1].map(|i| outcomes(&read[i], &places[i]));
    assert_eq!(one.len(), MUTANTS);
    for (number, told) in &one {
        assert_eq!(Some(told), other.get(number), "{number}");
    }
    let mut asked = 0;
    for e in &read[0] {
        let own = e.file.rsplit('/').next().unwrap_or_default();
        if let Some(bytes) = mutants.get(own)
            && let Some(want) = least(e, bytes)
        {
            assert!(e.records >= want, "{own}: {want} at least, {e:?}");
            asked += 1;
        }
    }
    assert!(asked > MUTANTS / 10, "only {asked} mutants were counted");
}
