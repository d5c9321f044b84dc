//! What an archive goes through without losing or doubling an event: logs that are behind, programs that write into it too, readers beside
//! writers, power cuts. Here is what these tests share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::command_line::run;

mod beside;
mod foreign;
mod lost;
#[cfg(target_os = "linux")]
mod power;

/// The table of what [`export`] writes.
pub(crate) const TABLE: &str = "UnifiedAuditLog";

/// A folder in memory where the system has one: there a sync, which takes milliseconds on a disk, is free.
pub(crate) fn quick_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.expect("a folder")
}

/// Numbers that look like chance and are the same in every run.
pub(crate) struct Chance(pub u64);

impl Chance {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// A share of a whole.
    pub(crate) fn share(&mut self) -> f64 {
        self.below(1000) as f64 / 1000.0
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Writes an export: audit records of two days, one for each number.
pub(crate) fn export(folder: &Path, name: &str, numbers: Range<usize>) -> PathBuf {
    let mut lines = String::new();
    for n in numbers {
        lines.push_str(&format!(
            r#"{{"Id":"00000000-0000-4000-8000-{n:012}","CreationTime":"2026-05-{:02}T{:02}:00:00","Operation":"FileAccessed","RecordType":6,"Workload":"SharePoint","UserId":"user{}@contoso.com"}}"#,
            1 + n % 2,
            n / 2 % 24,
            n % 7
        ));
        lines.push('\n');
    }
    let path = folder.join(name);
    fs::write(&path, lines).expect("a file");
    path
}

/// Runs the binary: its status, and answers and messages together.
pub(crate) fn told(arguments: &[&str]) -> (Option<i32>, String) {
    let out = run(arguments);
    let all = [out.stdout, out.stderr].concat();
    (
        out.status.code(),
        String::from_utf8_lossy(&all).into_owned(),
    )
}

/// Runs the binary, which must succeed.
pub(crate) fn done(arguments: &[&str]) -> String {
    let (code, said) = told(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    said
}

/// Takes an export into an archive.
pub(crate) fn ingest(archive: &Path, input: &Path) -> String {
    done(&["ingest", &text(input), "-a", &text(archive)])
}

/// All files below a folder but the lock, by name.
pub(crate) fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.expect("an entry");
        let name = entry.path().strip_prefix(folder).expect("it is below");
        if entry.file_type().is_file() && name != Path::new(".lock") {
            let bytes = fs::read(entry.path()).expect("a file");
            out.insert(name.to_path_buf(), bytes);
        }
    }
    out
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.path().strip_prefix(from).expect("it is below"));
        match entry.file_type().is_dir() {
            true => fs::create_dir_all(&target).expect("a folder"),
            false => {
                fs::copy(entry.path(), &target).expect("a copy");
            }
        }
    }
}

/// The commits of a table, in order.
pub(crate) fn commits(table: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(table.join("_delta_log")) else {
        return Vec::new();
    };
    let mut out: Vec<PathBuf> = entries
        .map(|e| e.expect("an entry").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let number = name.strip_suffix(".json").unwrap_or("");
            number.len() == 20 && number.bytes().all(|b| b.is_ascii_digit())
        })
        .collect();
    out.sort();
    out
}

pub(crate) fn last_commit(table: &Path) -> PathBuf {
    commits(table).pop().expect("a commit")
}

/// The actions of a commit.
pub(crate) fn actions(commit: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(commit).expect("a commit");
    lines
        .lines()
        .map(|l| serde_json::from_str(l).expect("an action"))
        .collect()
}

/// Rows of a table as any reader of its commits counts them. Knows nothing of coldtrail and of checkpoints.
pub(crate) fn logged_rows(table: &Path) -> u64 {
    let mut live: HashMap<String, u64> = HashMap::new();
    for action in commits(table).iter().flat_map(|c| actions(c)) {
        if let Some(path) = action["remove"]["path"].as_str() {
            live.remove(path);
        }
        if let Some(path) = action["add"]["path"].as_str() {
            let stats = action["add"]["stats"].as_str().expect("statistics");
            let stats: Value = serde_json::from_str(stats).expect("statistics are JSON");
            let rows = stats["numRecords"].as_u64().expect("a number of rows");
            live.insert(path.to_string(), rows);
        }
    }
    live.values().sum()
}

/// The Parquet files in a table's folder, as the pattern `**/*.parquet` finds them.
pub(crate) fn parquet_files(table: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(table).sort_by_file_name();
    walk.into_iter()
        .filter_entry(|e| e.file_name() != "_delta_log")
        .map(|e| e.expect("an entry").into_path())
        .filter(|p| p.extension().is_some_and(|e| e == "parquet"))
        .collect()
}

/// Files that the table's log named and names no more, by their path below its folder: they stay a while for readers that began before.
pub(crate) fn replaced_files(table: &Path) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let path = |action: &Value| {
        let path = percent_encoding::percent_decode_str(action["path"].as_str()?);
        Some(path.decode_utf8_lossy().into_owned())
    };
    for action in commits(table).iter().flat_map(|c| actions(c)) {
        out.extend(path(&action["remove"]));
        if let Some(path) = path(&action["add"]) {
            out.remove(&path);
        }
    }
    out
}

/// A plain look into the table's folder finds so many rows, each of them once, but for files that were replaced.
pub(crate) fn assert_each_row_once(table: &Path, rows: usize) {
    let mut found: Vec<(i64, i64)> = Vec::new();
    let replaced = replaced_files(table);
    for path in parquet_files(table) {
        let below = path.strip_prefix(table).expect("it is below");
        if replaced.contains(&text(below).replace('\\', "/")) {
            continue;
        }
        let file = File::open(&path).expect("a file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
        for batch in reader.build().expect("a reader") {
            let batch = batch.expect("rows");
            let numbers = |name: &str| {
                let column = batch.column_by_name(name).expect("a column");
                column.as_primitive::<Int64Type>().values().to_vec()
            };
            found.extend(numbers("_IngestId").into_iter().zip(numbers("_Record")));
        }
    }
    let all = found.len();
    found.sort_unstable();
    found.dedup();
    assert_eq!((all, found.len()), (rows, rows), "{}", table.display());
}
