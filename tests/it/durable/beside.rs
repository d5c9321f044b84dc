//! Readers beside writers see a batch whole or not at all, and files that a merge replaces stay until they are done.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use coldtrail::archive::Archive;
use coldtrail::catalog;

use super::{TABLE, assert_each_row_once, done, export, ingest, quick_folder, text, told};

/// Ends the readers, also when the writer fails.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why an answer is wrong, if it is.
fn fault(arguments: &[&str], code: Option<i32>, said: &str) -> Option<String> {
    let right = match arguments[0] {
        // Rows of the table, and events by the ledger.
        "sql" => said
            .lines()
            .nth(1)
            .and_then(|l| l.split_once(','))
            .is_some_and(|(rows, events)| rows == events && rows != "0"),
        _ => true,
    };
    let whole = right && code == Some(0) && !said.contains("damaged");
    (!whole).then(|| format!("{arguments:?}: {code:?} {said}"))
}

#[test]
fn queries_and_checks_beside_ingests_and_merges_see_whole_batches() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let path = text(&archive);
    ingest(&archive, &export(folder.path(), "export0.jsonl", 0..20));
    let open = Archive::open(&archive).expect("an archive");
    let query = "SELECT (SELECT count(*) FROM UnifiedAuditLog) AS n, (SELECT sum(Events) FROM Ingests) AS m";
    let sql = ["sql", "-a", &path, "-f", "csv", query];
    let kql = ["kql", "-a", &path, "-f", "csv", "UnifiedAuditLog | count"];
    let verify = ["verify", "-a", &path];
    let readers: [&[&str]; 4] = [&sql, &sql, &kql, &verify];
    let stop = AtomicBool::new(false);
    let runs = [const { AtomicUsize::new(0) }; 4];
    let faults: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let finished = || runs.each_ref().map(|n| n.load(Ordering::Relaxed));
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        for (arguments, runs) in readers.iter().zip(&runs) {
            let (stop, faults) = (&stop, &faults);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let (code, said) = told(arguments);
                    let fault = fault(arguments, code, &said);
                    faults.lock().expect("no reader panics").extend(fault);
                    runs.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Many more looks than a process a query can take.
        scope.spawn(|| {
            let table = catalog::table(TABLE);
            while !stop.load(Ordering::Relaxed) {
                let snapshot = open.snapshot().map_err(|e| e.to_string());
                let fault = snapshot.and_then(|s| {
                    let rows: u64 = s.files(table).iter().map(|f| f.rows).sum();
                    let told = s.ledger.rows_of(TABLE);
                    match rows == told {
                        true => Ok(()),
                        false => Err(format!("{rows} rows, by the ledger {told}")),
                    }
                });
                faults.lock().expect("no reader panics").extend(fault.err());
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for n in 1..=6 {
            // Every reader runs beside every step.
            let before = finished();
            let name = format!("export{n}.jsonl");
            ingest(&archive, &export(folder.path(), &name, 20 * n..20 * n + 20));
            if n % 2 == 0 {
                done(&["archive", "compact", "-a", &path]);
            }
            let started = Instant::now();
            while finished()
                .iter()
                .zip(before)
                .any(|(now, then)| *now == then)
            {
                assert!(
                    started.elapsed() < Duration::from_secs(60),
                    "a reader does not end"
                );
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let faults = faults.into_inner().expect("no reader panics");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_each_row_once(&archive.join(TABLE), 140);
}
