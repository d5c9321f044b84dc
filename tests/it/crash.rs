//! An ingest that is killed at any moment leaves an archive that opens; the next run completes it: no event twice, none lost.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use coldtrail::archive::Archive;
use coldtrail::catalog;
use coldtrail::engine::{Options, Session, Source};

use crate::durable::{Chance, TABLE, assert_each_row_once, logged_rows, quick_folder};
use crate::{ask, rows};

/// Kills of a real process.
const KILLS: u32 = 200;

/// Three files of audit records over several days, so many records each. The last sixth of a file is in the next one too.
fn exports(folder: &Path, records: usize, days: usize) -> Vec<PathBuf> {
    (0..3)
        .map(|file| {
            let mut text = String::new();
            for n in 0..records {
                let id = file * (records - records / 6) + n;
                writeln!(
                    text,
                    r#"{{"Id":"00000000-0000-4000-8000-{id:012}","CreationTime":"2026-05-{:02}T{:02}:00:00","Operation":"FileAccessed","RecordType":6,"Workload":"SharePoint","UserId":"user{}@contoso.com","ObjectId":"https://contoso.sharepoint.com/{}"}}"#,
                    1 + id % days,
                    id % 24,
                    id % 70,
                    "x".repeat(200)
                )
                .expect("a String takes it");
            }
            let path = folder.join(format!("export{file}.jsonl"));
            std::fs::write(&path, text).expect("a file");
            path
        })
        .collect()
}

fn start(archive: &Path, inputs: &[PathBuf]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .arg("ingest")
        .args(inputs)
        .arg("-a")
        .arg(archive)
        .args(["--threads", "2", "-q"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs")
}

/// Sends a signal; where there are none, the process is killed.
pub(crate) fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let program = if cfg!(unix) { "kill" } else { "taskkill" };
    let arguments: &[&str] = match cfg!(unix) {
        true => &["-s", name, &id],
        false => &["/F", "/PID", &id],
    };
    // It may have ended in the meantime.
    let _ = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .status();
}

/// All that an archive says, in one order.
fn content(archive: &Path) -> Vec<String> {
    let archive = Archive::open(archive).expect("an archive");
    let session = Session::open(Source::Archive(&archive), &Options::default()).expect("a session");
    let mut all = rows(
        &session,
        "SELECT Id, TimeGenerated, UserId, ObjectId, AuditData, _IngestId, _Record FROM UnifiedAuditLog ORDER BY Id, _Record",
    );
    all.extend(rows(
        &session,
        "SELECT _IngestId, Sha256, Records, Events, Duplicates, Status FROM Ingests ORDER BY _IngestId",
    ));
    all
}

/// What is left of a run that was killed opens and is whole, and other readers of the table's log see no more of it.
fn assert_sound(archive: &Path) {
    let logged = logged_rows(&archive.join(TABLE));
    let Ok(open) = Archive::open(archive) else {
        assert_eq!(logged, 0, "there is no archive yet");
        return;
    };
    let snapshot = open.snapshot().expect("it can be read");
    let files = snapshot.files(catalog::table(TABLE));
    let seen: u64 = files.iter().map(|f| f.rows).sum();
    assert_eq!(seen, snapshot.ledger.rows_of(TABLE));
    assert!(logged <= seen, "others see {logged}, coldtrail {seen}");
}

/// When a run is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// Some time after its start.
    Any,
    /// While it writes files, or later.
    Staging,
    /// While it commits.
    Commit,
}

/// Waits for a moment of a run, or until it ends. `time` is less than such a run takes.
pub(crate) fn wait_for(moment: Moment, archive: &Path, child: &mut Child, time: Duration) {
    let (sign, then) = match moment {
        Moment::Any => (None, time),
        Moment::Staging => (Some("_staging"), time / 3),
        Moment::Commit => (Some("_staging/commit.json"), time / 6),
    };
    if let Some(sign) = sign.map(|s| archive.join(s)) {
        while !sign.exists() && child.try_wait().expect("its status").is_none() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    std::thread::sleep(then.min(Duration::from_secs(20)));
}

#[test]
fn an_ingest_killed_at_any_moment_loses_and_doubles_nothing() {
    let folder = quick_folder();
    let inputs = exports(folder.path(), 120, 3);
    let calm = folder.path().join("calm");
    let started = Instant::now();
    assert!(start(&calm, &inputs).wait().expect("it ends").success());
    let whole = started.elapsed();
    let wanted = content(&calm);
    assert_eq!(wanted.len(), 320 + 3);

    let mut chance = Chance(7);
    let (mut killed, mut rounds) = (0, 0);
    while killed < KILLS {
        rounds += 1;
        assert!(
            rounds < 5 * KILLS,
            "only {killed} of {rounds} runs could be killed"
        );
        let archive = folder.path().join(format!("archive{rounds}"));
        let moments = [Moment::Any, Moment::Staging, Moment::Commit];
        let mut moment = moments[rounds as usize % 3];
        // Up to four kills in a row: what one has left is completed by a run that dies too.
        for _ in 0..1 + rounds % 4 {
            let mut child = start(&archive, &inputs);
            wait_for(moment, &archive, &mut child, whole.mul_f64(chance.share()));
            // The signs are there from the start after the first.
            moment = Moment::Any;
            // Every fifth kill is a Ctrl-C, every fifth a request to end.
            if child.try_wait().expect("its status").is_none() {
                match rounds % 5 {
                    0 => signal(&child, "INT"),
                    1 => signal(&child, "TERM"),
                    _ => child.kill().expect("it can be killed"),
                }
            }
            let done = child.wait().expect("it ends").success();
            assert_sound(&archive);
            if done {
                break;
            }
            killed += 1;
        }
        assert!(start(&archive, &inputs).wait().expect("it ends").success());
        assert_eq!(content(&archive), wanted, "round {rounds}");
        assert_sound(&archive);
        assert_each_row_once(&archive.join(TABLE), 320);
        std::fs::remove_dir_all(&archive).expect("the archive can be removed");
    }
}

#[test]
fn two_ingests_at_once_into_one_archive_are_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = exports(folder.path(), 6000, 9);
    let archive = folder.path().join("archive");
    let mut children: Vec<_> = inputs
        .iter()
        .map(|input| start(&archive, std::slice::from_ref(input)))
        .collect();
    for child in &mut children {
        assert!(child.wait().expect("it ends").success());
    }
    assert_eq!(
        ask(
            &archive,
            "SELECT count(*), count(DISTINCT Id) FROM UnifiedAuditLog"
        ),
        ["16000|16000"]
    );
    assert_eq!(
        ask(&archive, "SELECT sum(Events), count(*) FROM Ingests"),
        ["16000|3"]
    );
}

/// A file system of so many KiB, where this user may make one.
#[cfg(target_os = "linux")]
struct SmallDisk(PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(at: &Path, kib: u32, how: &str) -> bool {
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("{how}size={kib}k"), "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    }

    fn new(at: PathBuf, kib: u32) -> Option<SmallDisk> {
        std::fs::create_dir(&at).expect("a folder");
        SmallDisk::mount(&at, kib, "").then_some(SmallDisk(at))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_the_next_run_completes_the_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = exports(folder.path(), 6000, 9);
    let calm = folder.path().join("calm");
    assert!(start(&calm, &inputs).wait().expect("it ends").success());
    let wanted = content(&calm);
    // Sizes at which the disk is full while parts are written, while logs are, or not at all.
    let (mut failed, mut done) = (0, 0);
    for kib in [40, 200, 400, 600, 800, 1000, 1200, 1400, 1700, 2000, 4000] {
        let Some(disk) = SmallDisk::new(folder.path().join(format!("disk{kib}")), kib) else {
            println!("skipped: this user may not mount a small file system");
            return;
        };
        let archive = disk.0.join("archive");
        let out = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
            .arg("ingest")
            .args(&inputs)
            .arg("-a")
            .arg(&archive)
            .output()
            .expect("the binary runs");
        if out.status.success() {
            done += 1;
        } else {
            failed += 1;
            let said = String::from_utf8_lossy(&out.stderr).into_owned();
            assert_eq!(out.status.code(), Some(3), "{kib} KiB: {said}");
            assert!(said.contains("No space left"), "{kib} KiB: {said}");
        }
        if Archive::exists(&archive) {
            let seen = ask(
                &archive,
                "SELECT (SELECT count(*) FROM UnifiedAuditLog), (SELECT coalesce(sum(Events), 0) FROM Ingests)",
            );
            let (rows, events) = seen[0].split_once('|').expect("two numbers");
            assert_eq!(rows, events);
        }
        assert!(SmallDisk::mount(&disk.0, 100_000, "remount,"));
        assert!(start(&archive, &inputs).wait().expect("it ends").success());
        assert_eq!(content(&archive), wanted, "{kib} KiB");
    }
    assert!(failed > 3 && done > 0, "{failed} failed, {done} done");
}
