//! Another Delta writer in the archive: the PyPI package `deltalake` merges files and deletes those that it replaced. Nothing is lost, nothing
//! is there twice, for it and for coldtrail.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{
    TABLE, assert_each_row_once, commits, copy, done, export, ingest, quick_folder, text, told,
};
use crate::ask;
use crate::delta::python;

/// The tables that are written by both.
const TABLES: [&str; 2] = [TABLE, "Ingests"];

const OPTIMISE: &str = "
import sys
from deltalake import DeltaTable
for path in sys.argv[1:]:
    DeltaTable(path).optimize.compact()
";

const VACUUM: &str = "
import sys
from deltalake import DeltaTable
for path in sys.argv[1:]:
    DeltaTable(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
";

const COUNT: &str = "
import sys
from deltalake import DeltaTable, QueryBuilder
for path in sys.argv[1:]:
    answer = QueryBuilder().register('t', DeltaTable(path)).execute('SELECT count(*) AS n FROM t').read_all()
    print(answer.column(0)[0].as_py())
";

/// Both until a file is there. It counts how often that went well: of two writers at once, one may have to give way.
const LOOP: &str = "
import os, sys, time
from deltalake import DeltaTable
done = 0
while not os.path.exists(sys.argv[1]):
    for path in sys.argv[2:]:
        try:
            DeltaTable(path).optimize.compact()
            DeltaTable(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
            done += 1
        except Exception:
            pass
    time.sleep(0.02)
print(done)
";

fn script(python: &str, script: &str, archive: &Path) -> Vec<String> {
    let out = Command::new(python)
        .args(["-c", script])
        .args(TABLES.map(|t| archive.join(t)))
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    let answer = String::from_utf8_lossy(&out.stdout);
    answer.lines().map(str::to_string).collect()
}

/// Both readers have so many events of so many ingests, and nothing is wrong with the archive.
fn assert_whole(python: &str, archive: &Path, events: usize, ingests: usize) {
    let wanted = [events.to_string(), ingests.to_string()];
    assert_eq!(script(python, COUNT, archive), wanted);
    let ours = ask(
        archive,
        "SELECT (SELECT count(*) FROM UnifiedAuditLog) AS a, (SELECT count(DISTINCT Id) FROM UnifiedAuditLog) AS b, \
         (SELECT count(*) FROM Ingests) AS c, (SELECT sum(Events) FROM Ingests) AS d",
    );
    assert_eq!(ours, [format!("{events}|{events}|{ingests}|{events}")]);
    let (code, said) = told(&["verify", "-a", &text(archive)]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_another_writer_merges_and_deletes_is_neither_lost_nor_doubled() {
    let Some(python) = python() else { return };
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let next = |n: usize| {
        let name = format!("export{n}.jsonl");
        // The last two of each are the first of the next one.
        ingest(&archive, &export(folder.path(), &name, 10 * n..10 * n + 12));
    };
    (0..3).for_each(next);
    assert_whole(python, &archive, 32, 3);
    script(python, OPTIMISE, &archive);
    assert_whole(python, &archive, 32, 3);
    next(3);
    assert_whole(python, &archive, 42, 4);
    script(python, VACUUM, &archive);
    assert_whole(python, &archive, 42, 4);
    assert_each_row_once(&archive.join(TABLE), 42);
    for n in 4..6 {
        next(n);
    }
    done(&["archive", "compact", "-a", &text(&archive)]);
    assert_whole(python, &archive, 62, 6);
    assert_each_row_once(&archive.join(TABLE), 62);
    // It merges what coldtrail has merged, and the other way round.
    script(python, OPTIMISE, &archive);
    script(python, VACUUM, &archive);
    next(6);
    done(&["archive", "compact", "-a", &text(&archive)]);
    assert_whole(python, &archive, 72, 7);
    assert_each_row_once(&archive.join(TABLE), 72);
    // What was read is known all the same.
    let said = ingest(&archive, &folder.path().join("export1.jsonl"));
    assert!(said.contains("and 1 file read before"), "{said}");
}

#[test]
fn a_lost_log_is_made_again_from_the_files_of_another_writer() {
    let Some(python) = python() else { return };
    let folder = quick_folder();
    let whole = folder.path().join("whole");
    for n in 0..3 {
        let name = format!("export{n}.jsonl");
        ingest(&whole, &export(folder.path(), &name, 10 * n..10 * n + 10));
    }
    script(python, OPTIMISE, &whole);
    script(python, VACUUM, &whole);
    for table in TABLES {
        // Of the last three commits one is the merge, and two speak of what was deleted.
        for kept in [0, commits(&whole.join(table)).len() - 3] {
            let archive = folder.path().join("archive");
            copy(&whole, &archive);
            for commit in &commits(&archive.join(table))[kept..] {
                std::fs::remove_file(commit).expect("it can be removed");
            }
            let (code, said) = told(&["archive", "repair", "-a", &text(&archive)]);
            assert_eq!(code, Some(0), "{table}, {kept} commits: {said}");
            assert_whole(python, &archive, 30, 3);
            assert_each_row_once(&archive.join(TABLE), 30);
            std::fs::remove_dir_all(&archive).expect("it can be removed");
        }
    }
}

#[test]
fn ingests_beside_another_writer_lose_and_double_nothing() {
    let Some(python) = python() else { return };
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let path = text(&archive);
    for n in 0..3 {
        let name = format!("export{n}.jsonl");
        ingest(&archive, &export(folder.path(), &name, 10 * n..10 * n + 10));
    }
    let stop = folder.path().join("stop");
    let child = Command::new(python)
        .args(["-c", LOOP])
        .arg(&stop)
        .args(TABLES.map(|t| archive.join(t)))
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut failed = Vec::new();
    for n in 3..6 {
        let name = format!("export{n}.jsonl");
        let input = text(&export(folder.path(), &name, 10 * n..10 * n + 10));
        // Each is tried until it is done: files that an ingest has begun to read may be deleted under its hands.
        while failed.len() < 50 {
            std::thread::sleep(std::time::Duration::from_millis(200));
            match told(&["ingest", &input, "-a", &path]) {
                (Some(0), _) => break,
                (_, said) => failed.push(said),
            }
        }
    }
    std::fs::write(&stop, "").expect("a file");
    let out = child.wait_with_output().expect("it ends");
    let rounds = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(failed.len() < 50, "{}", failed.join("\n"));
    assert!(
        rounds.trim().parse().is_ok_and(|n: u32| n > 0),
        "`{rounds}` rounds"
    );
    script(python, OPTIMISE, &archive);
    script(python, VACUUM, &archive);
    assert_whole(python, &archive, 60, 6);
    assert_each_row_once(&archive.join(TABLE), 60);
}
