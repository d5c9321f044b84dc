//! Single bytes that change: one that changes an answer is noticed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use coldtrail::archive::Archive;
use coldtrail::engine::{Options, Session, Source, output};
use coldtrail::fault::Result;
use coldtrail::progress::Silent;
use coldtrail::proof::verify;

use crate::durable::{Chance, TABLE, export, ingest, quick_folder};

/// Flips in the files of tables, in commits, in checkpoints and what leads to them, in watchlists.
const FLIPS: [(Kind, usize); 4] = [
    (Kind::Part, 120),
    (Kind::Commit, 60),
    (Kind::Checkpoint, 30),
    (Kind::Watchlist, 10),
];

const QUERIES: [&str; 5] = [
    "SELECT Id, TimeGenerated, UserId, AuditData, _IngestId, _Record FROM UnifiedAuditLog ORDER BY Id",
    "SELECT count(*) FROM UnifiedAuditLog WHERE TimeGenerated >= TIMESTAMP '2026-05-02T00:00:00Z' AND TimeGenerated < TIMESTAMP '2026-05-02T06:00:00Z'",
    "SELECT _IngestId, File, Sha256, Records, Events, Status FROM Ingests ORDER BY _IngestId",
    "SELECT * FROM \"LabelEvents\" ORDER BY \"EventId\"",
    "SELECT * FROM watchlists.SuperUsers ORDER BY UserPrincipalName",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Part,
    Commit,
    Checkpoint,
    Watchlist,
}

fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    if name.contains("checkpoint") {
        return Some(Kind::Checkpoint);
    }
    match path.extension()?.to_str()? {
        "parquet" => Some(Kind::Part),
        "json" => Some(Kind::Commit),
        "csv" => Some(Kind::Watchlist),
        _ => None,
    }
}

fn files(archive: &Path, kind: Kind) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(archive).sort_by_file_name();
    walk.into_iter()
        .map(|e| e.expect("an entry").into_path())
        .filter(|p| p.is_file() && kind_of(p) == Some(kind))
        .collect()
}

/// Lets another writer make a checkpoint of a table's log.
fn checkpoint(table: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(async {
        let url = url::Url::from_directory_path(table).expect("an absolute path");
        let table = deltalake_core::open_table(url).await.expect("a table");
        let made = deltalake_core::checkpoints::create_checkpoint(&table, None).await;
        made.expect("a checkpoint");
    });
}

/// A record of which a row of the derived table is made.
fn labelled(folder: &Path, n: usize) {
    let record = serde_json::json!({
        "Id": format!("00000000-0000-4000-8000-0000000009{n:02}"),
        "CreationTime": "2026-05-01T05:00:00",
        "Operation": "SensitivityLabelRemoved",
        "RecordType": 83,
        "Workload": "PublicEndpoint",
        "UserId": "grace@contoso.com",
        "ObjectId": format!("C:\\Plans\\{n}.docx"),
        "SensitivityLabelEventData": {"OldSensitivityLabelId": "00000000-0000-4000-9000-000000000001"},
    });
    let path = folder.join(format!("label{n}.jsonl"));
    fs::write(path, format!("{record}\n")).expect("a file");
}

fn answers(archive: &Path) -> Result<Vec<String>> {
    let archive = Archive::open(archive)?;
    let session = Session::open(Source::Archive(&archive), &Options::default())?;
    let mut out = Vec::new();
    for query in QUERIES {
        let (_, batches) = session.collect(query)?;
        for batch in &batches {
            for row in 0..batch.num_rows() {
                for column in batch.columns() {
                    out.push(output::cell(column, row)?);
                }
            }
        }
        out.push("end of the answer".into());
    }
    Ok(out)
}

fn is_noticed(archive: &Path) -> bool {
    match Archive::open(archive) {
        Ok(open) => verify::run(&open, &[], &Silent).count() > 0,
        // Whoever asks or verifies is told.
        Err(_) => true,
    }
}

#[test]
fn every_flip_that_changes_an_answer_is_noticed() {
    let folder = quick_folder();
    let (archive, sources) = (folder.path().join("archive"), folder.path().join("sources"));
    let lists = sources.join("watchlists");
    fs::create_dir_all(&lists).expect("a folder");
    let list = "UserPrincipalName,Comment\ngrace@contoso.com,Administrator\n";
    fs::write(lists.join("SuperUsers.csv"), list).expect("a file");
    for n in 0..4 {
        export(&sources, &format!("export{n}.jsonl"), 10 * n..10 * n + 10);
        labelled(&sources, n);
        ingest(&archive, &sources);
        if n == 2 {
            checkpoint(&archive.join(TABLE));
            checkpoint(&archive.join("Ingests"));
        }
    }
    assert!(!is_noticed(&archive), "there is nothing to notice");
    let wanted = answers(&archive).expect("answers");
    let removed = wanted.iter().filter(|a| *a == "LabelRemoved").count();
    assert_eq!(removed, 4, "{wanted:?}");

    let mut chance = Chance(5);
    let (mut changed, mut missed) = (0, Vec::new());
    for (kind, flips) in FLIPS {
        let files = files(&archive, kind);
        assert!(!files.is_empty(), "{kind:?}");
        for n in 0..flips {
            let path = &files[chance.below(files.len())];
            let before = fs::read(path).expect("a file");
            // In commits every second time in what they say of files: schemas take the most of them.
            let from = match kind == Kind::Commit && n % 2 == 0 {
                true => memchr::memmem::find(&before, b"{\"add\"").unwrap_or(0),
                false => 0,
            };
            let at = from + chance.below(before.len() - from);
            let mut after = before.clone();
            after[at] ^= 1 << chance.below(8);
            fs::write(path, &after).expect("it can be written");
            // A fault of a library counts as a failed query.
            let found = catch_unwind(AssertUnwindSafe(|| answers(&archive)));
            if !matches!(found, Ok(Ok(found)) if found == wanted) {
                changed += 1;
                if !is_noticed(&archive) {
                    missed.push(format!("{}, byte {at}", path.display()));
                }
            }
            fs::write(path, &before).expect("it can be written");
        }
    }
    println!("{changed} flips changed an answer");
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(changed > 30, "only {changed}");
    assert!(!is_noticed(&archive), "all is as it was");
}
