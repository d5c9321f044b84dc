//! Files of the archive against the logs that name them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::DateTime;
use rayon::prelude::*;

use super::records::{self, long};
use super::sheet::{Check, Problem, Sheet};
use crate::archive::delta::{self, FileEntry};
use crate::archive::digest::{self, RowSets};
use crate::archive::{self, Archive, derived, ledger, nested, opened, part};
use crate::catalog::{INGEST_ID, RECORD, TIME, Table, catalog, label_events};
use crate::fault::{Error, Result};
use crate::ingest::input::Input;
use crate::ingest::rows::id_key;
use crate::ingest::stream;
use crate::progress::Progress;

/// Rows that are read and compared at once: raw records take some kilobytes each, on every core.
const BATCH_ROWS: usize = 1024;

/// A table and the files that belong to it.
pub(super) struct Listed {
    pub table: &'static Table,
    pub files: Vec<FileEntry>,
    /// Whether the log could be read.
    pub complete: bool,
}

/// Lists the tables' files, and looks at their logs and folders on the way.
pub(super) fn listed(archive: &Archive, sheet: &mut Sheet) -> Vec<Listed> {
    let mut out = Vec::new();
    // As queries read the logs, which mind more of a commit than which files it adds.
    let pinned = archive.pinned();
    // A plan that cannot be read is told of each table below.
    let arriving = archive.arriving().unwrap_or_default();
    for table in catalog().stored() {
        let folder = archive.root().join(table.name);
        let arriving = arriving.get(table.name);
        let is_there = folder.is_dir();
        if !is_there && arriving.is_none() {
            continue;
        }
        sheet.checked(Check::Log, 1);
        let asked = match &pinned {
            Ok(pinned) => pinned.files(table).map(drop).map_err(|e| e.to_string()),
            Err(e) if table.name == ledger::TABLE => Err(e.to_string()),
            Err(_) => Ok(()),
        };
        let files = asked.and_then(|()| archive.files(table).map_err(|e| e.to_string()));
        let complete = files.is_ok();
        let files = files.unwrap_or_else(|e| {
            let expected = "a log that can be read";
            sheet.problem(Problem::new(Check::Log, table.name, "", expected, e));
            Vec::new()
        });
        if complete && is_there {
            // A batch that is being committed is in no commit yet.
            let logged = archive.logs().files(table.name).unwrap_or_default();
            commits(archive, table, &logged, sheet);
            columns(archive, table, sheet);
        }
        if is_there {
            // Those of a commit that was cut off or is under way are no strangers.
            let arriving = arriving.into_iter().flatten();
            let names = files.iter().map(|f| f.path.as_str());
            let names: HashSet<&str> = names.chain(arriving.map(String::as_str)).collect();
            // A commit that cannot be read is told above.
            let removed = archive.logs().removed(table.name).unwrap_or_default();
            let lying = lying(archive, &folder, table, sheet);
            orphans(&lying, table, &names, &removed, sheet);
        }
        out.push(Listed {
            table,
            files,
            complete,
        });
    }
    strangers(archive.root(), sheet);
    let staged = walkdir::WalkDir::new(archive.staging())
        .into_iter()
        .flatten();
    // In object storage the plan's file stays when there is no plan.
    let is_plan = |e: &walkdir::DirEntry| e.file_name() == archive::PLAN;
    let committing = archive
        .arriving()
        .is_ok_and(|arriving| !arriving.is_empty());
    let staged = staged.filter(|e| e.file_type().is_file() && (committing || !is_plan(e)));
    sheet.left_over(staged.count() as u64);
    out
}

/// Checkpoints say what the commits say that they stand for.
fn commits(archive: &Archive, table: &Table, files: &[FileEntry], sheet: &mut Sheet) {
    sheet.checked(Check::Log, 1);
    let problem = |file: &str, expected: String, found: String| {
        Problem::new(Check::Log, table.name, file, expected, found)
    };
    let hint = archive.logs().hint(table.name);
    if let Some(found) = hint.unwrap_or_else(|e| Some(e.to_string())) {
        let expected = "a hint at a checkpoint".to_string();
        sheet.problem(problem("_delta_log/_last_checkpoint", expected, found));
    }
    let commits = match archive.logs().replayed(table.name) {
        Ok(Some(commits)) => commits,
        // Another program has removed old commits: its checkpoint is all there is.
        Ok(None) => return sheet.not_checked(Check::Log, 1),
        Err(e) => {
            let expected = "commits that can be read".to_string();
            return sheet.problem(problem("", expected, e.to_string()));
        }
    };
    let by_path = |list: &[FileEntry]| -> BTreeMap<String, FileEntry> {
        list.iter().map(|f| (f.path.clone(), f.clone())).collect()
    };
    let (have, want) = (by_path(files), by_path(&commits));
    let paths: BTreeSet<&String> = have.keys().chain(want.keys()).collect();
    for path in paths {
        let words = |entry: Option<&FileEntry>| match entry {
            None => "no such file".to_string(),
            Some(e) => format!(
                "{} rows, {} bytes, times {:?}, day {:?}",
                e.rows, e.size, e.times, e.date
            ),
        };
        let (have, want) = (have.get(path), want.get(path));
        if have != want {
            sheet.problem(problem(path, words(want), words(have)));
        }
    }
}

/// The log's columns are those of the table.
fn columns(archive: &Archive, table: &Table, sheet: &mut Sheet) {
    sheet.checked(Check::Log, 1);
    let known = match delta::columns_of(table) {
        Ok(known) => known,
        Err(e) => {
            let expected = "columns that Delta Lake knows";
            return sheet.problem(Problem::new(
                Check::Log,
                table.name,
                "",
                expected,
                e.to_string(),
            ));
        }
    };
    // Where the log cannot be read, that is said already.
    let Ok(Some(have)) = archive.logs().columns(table.name) else {
        return;
    };
    for (name, kind) in &have {
        let expected = match known.iter().find(|(n, _)| n == name) {
            Some((_, wanted)) if wanted == kind => continue,
            Some((_, wanted)) => format!("column `{name}`: {wanted}"),
            // An older version derived it; what is derived again has it no more.
            None if table.derived => continue,
            None => "a column of the table".to_string(),
        };
        let found = format!("column `{name}`: {kind}");
        sheet.problem(Problem::new(
            Check::Log,
            table.name,
            "_delta_log",
            expected,
            found,
        ));
    }
}

/// What lies in the archive's folder and does not belong there.
fn strangers(root: &Path, sheet: &mut Sheet) {
    let Ok(entries) = std::fs::read_dir(root) else {
        let expected = "a folder that can be read";
        return sheet.problem(Problem::new(Check::Orphans, "", "", expected, "an error"));
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let folder = entry.file_type().is_ok_and(|t| t.is_dir());
        sheet.checked(Check::Orphans, 1);
        if !archive::is_known(&name) || (!folder && !name.starts_with('.')) {
            let (expected, found) = ("tables and watchlists", "something else");
            sheet.problem(Problem::new(Check::Orphans, "", &name, expected, found));
        }
    }
}

/// Files in the folder of a table but for its log, by their names below it. Hidden ones are other programs' own: checksums, and what a file browser
/// leaves.
fn lying(archive: &Archive, folder: &Path, table: &Table, sheet: &mut Sheet) -> Vec<String> {
    if let Some(remote) = archive.remote() {
        return remote.parts_of(table.name);
    }
    let mut names = Vec::new();
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name();
    for entry in walk
        .into_iter()
        .filter_entry(|e| e.file_name() != "_delta_log")
    {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                let expected = "a folder that can be read";
                sheet.problem(Problem::new(
                    Check::Orphans,
                    table.name,
                    "",
                    expected,
                    e.to_string(),
                ));
                continue;
            }
        };
        let own = entry.file_name().to_string_lossy();
        if entry.file_type().is_dir() || own.starts_with('.') {
            continue;
        }
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let parts: Vec<_> = below
            .components()
            .map(|c| c.as_os_str().to_string_lossy())
            .collect();
        names.push(parts.join("/"));
    }
    names
}

fn orphans(
    lying: &[String],
    table: &Table,
    names: &HashSet<&str>,
    removed: &HashSet<String>,
    sheet: &mut Sheet,
) {
    for name in lying {
        sheet.checked(Check::Orphans, 1);
        if names.contains(name.as_str()) {
            continue;
        }
        if removed.contains(name) {
            // It was replaced, and stays for readers that began before.
            sheet.not_checked(Check::Orphans, 1);
            continue;
        }
        let own = name.rsplit('/').next().unwrap_or(name);
        let found = match part::is_own(own) {
            true => "one that it does not name; `archive repair` takes it in or lays it aside",
            false => "one that it does not name, and whose name is none of coldtrail's",
        };
        let expected = "a file that the log names";
        sheet.problem(Problem::new(
            Check::Orphans,
            table.name,
            name,
            expected,
            found,
        ));
    }
}

/// What was read of a file.
#[derive(Default)]
pub(super) struct Read {
    pub sheet: Sheet,
    pub hash: Option<String>,
    /// Rows by ingest.
    pub rows: BTreeMap<i64, u64>,
    /// What the rows say, by ingest.
    pub sets: RowSets,
    /// What is derived from the rows, by ingest.
    pub derived: RowSets,
    /// Half of the hash of each identity: equal halves are looked at again.
    pub ids: Vec<u64>,
    /// Whether the rows were read.
    pub whole: bool,
    /// Whether there are rows that could not be read.
    pub unread: bool,
}

/// Checks one file.
pub(super) fn check(
    archive: &Archive,
    table: &'static Table,
    entry: &FileEntry,
    progress: &dyn Progress,
) -> Read {
    let mut read = Read::default();
    let name = format!("{}/{}", table.name, entry.path);
    // Where a batch is being committed it lies among the staged files; where it is not found at all, it is missed in its place.
    let path = match archive.store().find(&name) {
        Ok(Some(path)) => path,
        Ok(None) | Err(_) => archive.root().join(&name),
    };
    let problem = |check: Check, expected: String, found: String| {
        Problem::new(check, table.name, &entry.path, expected, found)
    };
    read.sheet.checked(Check::Files, 1);
    let size = match std::fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(e) => {
            let found = match e.kind() {
                ErrorKind::NotFound => "no such file".to_string(),
                _ => e.to_string(),
            };
            let expected = format!("a file of {} bytes", entry.size);
            read.sheet.problem(problem(Check::Files, expected, found));
            progress.read_bytes(2 * entry.size);
            return read;
        }
    };
    let mut good = size == entry.size;
    if !good {
        let (expected, found) = (format!("{} bytes", entry.size), format!("{size} bytes"));
        read.sheet.problem(problem(Check::Files, expected, found));
    }
    match stream::sha256(&Input::File(path.clone())) {
        Err(e) => {
            good = false;
            let expected = "a file that can be read".to_string();
            read.sheet
                .problem(problem(Check::Hashes, expected, e.to_string()));
        }
        Ok(hash) => {
            match &entry.sha256 {
                None if part::is_own(entry.name()) && !entry.name().starts_with("part-") => {
                    read.sheet.checked(Check::Hashes, 1);
                    let expected = "a hash in the log".to_string();
                    read.sheet
                        .problem(problem(Check::Hashes, expected, "none".into()));
                }
                // Other programs, and coldtrail 0.1.0, do not always write one.
                None => read.sheet.not_checked(Check::Hashes, 1),
                Some(want) => {
                    read.sheet.checked(Check::Hashes, 1);
                    if *want != hash {
                        good = false;
                        let found = hash.clone();
                        read.sheet
                            .problem(problem(Check::Hashes, want.clone(), found));
                    }
                }
            }
            read.hash = Some(hash);
        }
    }
    progress.read_bytes(entry.size);
    // What is known to be damaged would only give problems that follow from it.
    if !good {
        read.sheet.not_checked(Check::Rows, 1);
    } else if let Err(e) = rows(&path, table, entry, &mut read) {
        let expected = format!("{} rows that can be read", entry.rows);
        read.sheet
            .problem(problem(Check::Rows, expected, e.to_string()));
    } else {
        read.whole = true;
    }
    read.unread = !read.whole;
    progress.read_bytes(entry.size);
    read
}

fn rows(path: &Path, table: &'static Table, entry: &FileEntry, read: &mut Read) -> Result<()> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let failed = |source| Error::Parquet {
        path: path.to_path_buf(),
        source: Box::new(source),
    };
    let builder = opened::open(file).map_err(failed)?;
    let rows = builder.metadata().file_metadata().num_rows();
    read.sheet.checked(Check::Rows, 1);
    if rows != entry.rows as i64 {
        read.sheet.problem(Problem::new(
            Check::Rows,
            table.name,
            &entry.path,
            format!("{} rows", entry.rows),
            format!("{rows} rows"),
        ));
    }
    let identity = identity_of(table);
    let schema = table.schema();
    let mut times = None;
    let reader = builder
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(failed)?;
    for batch in reader {
        let batch = part::conform(&schema, &batch?)?;
        digest::add_rows(&mut read.sets, table, &batch);
        if let Some(made) = derived::rows(table, &batch, 0..batch.num_rows())? {
            digest::add_rows(&mut read.derived, label_events(), &made);
        }
        bounds(table, entry, &batch, &mut read.sheet, &mut times);
        lists(table, entry, &batch, &mut read.sheet);
        // Ingests are counted from 1: a row without one is none of any. What hunts concluded is of none.
        let ingested = if table.concluded { 0 } else { batch.num_rows() };
        for row in 0..ingested {
            let ingest = long(&batch, INGEST_ID, row).unwrap_or(0);
            *read.rows.entry(ingest).or_insert(0) += 1;
        }
        if let Some(ids) = identity
            .and_then(|name| batch.column_by_name(name))
            .and_then(|c| c.as_string_opt::<i32>())
        {
            let known = ids.iter().flatten().filter_map(id_key);
            read.ids.extend(known.map(|id| id as u64));
        }
        if table.by_day && !table.derived {
            records::compare(table, &entry.path, &batch, &mut read.sheet)?;
        }
    }
    if table.by_day {
        tight(table, entry, times, &mut read.sheet);
    }
    Ok(())
}

/// Rows are of the day and between the times that the log says: by these, queries pass over files.
fn bounds(
    table: &Table,
    entry: &FileEntry,
    batch: &RecordBatch,
    sheet: &mut Sheet,
    times: &mut Option<(i64, i64)>,
) {
    let Some(column) = table
        .position(TIME)
        .filter(|_| table.by_day)
        .and_then(|_| batch.column_by_name(TIME))
        .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>())
    else {
        return;
    };
    let (mut outside, mut example) = (0, 0);
    for time in column {
        let day = time.and_then(DateTime::from_timestamp_micros);
        let day = day.map(|t| t.format("%Y-%m-%d").to_string());
        let inside = match (time, entry.times) {
            (Some(t), Some((first, last))) => (first..=last).contains(&t),
            (Some(_), None) => !entry.bounded,
            (None, _) => true,
        };
        if let Some(t) = time {
            *times = Some(times.map_or((t, t), |(a, z)| (a.min(t), z.max(t))));
        }
        if !inside || day != entry.date {
            outside += 1;
            example = time.unwrap_or(0);
        }
    }
    sheet.checked(Check::Bounds, column.len() as u64);
    if outside > 0 {
        let words = |t: i64| super::iso(t);
        let expected = match entry.times {
            None => format!("day {:?}, no times", entry.date),
            Some((a, z)) => format!("day {:?}, {} to {}", entry.date, words(a), words(z)),
        };
        let found = format!("{outside} rows outside, such as {}", words(example));
        sheet.problem(Problem::new(
            Check::Bounds,
            table.name,
            &entry.path,
            expected,
            found,
        ));
    }
}

/// Kept lists are JSON where the log says so: queries read them for the record.
fn lists(table: &Table, entry: &FileEntry, batch: &RecordBatch, sheet: &mut Sheet) {
    if entry.nested.is_empty() {
        return;
    }
    let certain = nested::lists(table, std::slice::from_ref(batch));
    for path in entry.nested.iter().filter(|path| !certain.contains(path)) {
        sheet.problem(Problem::new(
            Check::Records,
            table.name,
            &entry.path,
            format!("{path}: only arrays and objects of the records, as the log says"),
            "other text",
        ));
    }
}

/// Bounds of our own files are those of their rows, to the millisecond that a log can hold.
fn tight(table: &Table, entry: &FileEntry, times: Option<(i64, i64)>, sheet: &mut Sheet) {
    const WIDTH: i64 = 2000;
    let own = part::is_own(entry.name());
    let differs = match (entry.times, times) {
        (Some((first, last)), Some((a, z))) => a - first > WIDTH || last - z > WIDTH,
        (None, None) => false,
        _ => true,
    };
    let by_path = entry
        .path
        .split('/')
        .next()
        .and_then(|f| f.strip_prefix("date="));
    let by_path = by_path.filter(|d| *d != "__HIVE_DEFAULT_PARTITION__");
    if own && (differs || by_path != entry.date.as_deref()) {
        let words = |t: Option<(i64, i64)>| match t {
            None => "no times".to_string(),
            Some((a, z)) => format!("{} to {}", super::iso(a), super::iso(z)),
        };
        let expected = format!("day {:?}, {}", entry.date, words(entry.times));
        let found = format!("day {by_path:?}, {}", words(times));
        sheet.problem(Problem::new(
            Check::Bounds,
            table.name,
            &entry.path,
            expected,
            found,
        ));
    }
}

/// The column whose values are there once only.
fn identity_of(table: &Table) -> Option<&'static str> {
    let identity = table.identity.filter(|_| !table.by_content)?;
    Some(table.columns[identity].name)
}

/// Looks for events that are in the table twice.
pub(super) fn identities(
    archive: &Archive,
    table: &'static Table,
    files: &[&FileEntry],
    mut ids: Vec<u64>,
    sheet: &mut Sheet,
) {
    let Some(name) = identity_of(table) else {
        return;
    };
    sheet.checked(Check::Identities, ids.len() as u64);
    ids.par_sort_unstable();
    let again: HashSet<u64> = ids
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect();
    drop(ids);
    if again.is_empty() {
        return;
    }
    let mut first: HashMap<u128, (Option<i64>, Option<i64>)> = HashMap::new();
    let mut names = vec![name, INGEST_ID, RECORD];
    names.retain(|name| table.position(name).is_some());
    for file in files {
        let batches = match part::read(archive.store(), table, &file.path, Some(&names)) {
            Ok(batches) => batches,
            Err(e) => {
                let expected = "a file that can be read again";
                sheet.problem(Problem::new(
                    Check::Identities,
                    table.name,
                    &file.path,
                    expected,
                    e.to_string(),
                ));
                continue;
            }
        };
        for batch in &batches {
            let Some(ids) = batch
                .column_by_name(name)
                .and_then(|c| c.as_string_opt::<i32>())
            else {
                continue;
            };
            for (row, text) in ids.iter().enumerate() {
                let Some(id) = text
                    .and_then(id_key)
                    .filter(|id| again.contains(&(*id as u64)))
                else {
                    continue;
                };
                let place = (long(batch, INGEST_ID, row), long(batch, RECORD, row));
                match first.get(&id) {
                    None => {
                        first.insert(id, place);
                    }
                    Some((ingest, record)) => {
                        let number = |n: &Option<i64>| n.map_or("?".to_string(), |n| n.to_string());
                        let problem = Problem::new(
                            Check::Identities,
                            table.name,
                            &file.path,
                            format!("{name} {} once", text.unwrap_or_default()),
                            format!(
                                "again; first in ingest {}, record {}",
                                number(ingest),
                                number(record)
                            ),
                        );
                        sheet.problem(problem.at(place.0, place.1));
                    }
                }
            }
        }
    }
}
