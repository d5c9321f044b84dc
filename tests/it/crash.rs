//! An ingest that is killed at any moment leaves an archive that opens; the next run completes it: no event twice, none lost.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coldtrail::archive::Archive;

use crate::ask;

/// Kills of a real process.
const KILLS: u32 = 50;

/// Files of audit records over several days, with repeats inside and across files.
fn exports(folder: &Path) -> Vec<PathBuf> {
    (0..3)
        .map(|file| {
            let mut text = String::new();
            for n in 0..6000 {
                let id = file * 5000 + n;
                writeln!(
                    text,
                    r#"{{"Id":"00000000-0000-4000-8000-{id:012}","CreationTime":"2026-05-{:02}T{:02}:00:00","Operation":"FileAccessed","RecordType":6,"Workload":"SharePoint","UserId":"user{}@contoso.com","ObjectId":"https://contoso.sharepoint.com/{}"}}"#,
                    1 + id % 9,
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

fn start(archive: &Path, inputs: &[PathBuf]) -> std::process::Child {
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
fn signal(child: &std::process::Child, name: &str) {
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
    let mut rows = ask(
        archive,
        "SELECT Id, TimeGenerated, UserId, ObjectId, AuditData, _IngestId, _Record FROM UnifiedAuditLog ORDER BY Id, _Record",
    );
    rows.extend(ask(
        archive,
        "SELECT _IngestId, Sha256, Records, Events, Duplicates, Status FROM Ingests ORDER BY _IngestId",
    ));
    rows
}

#[test]
fn an_ingest_killed_at_any_moment_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = exports(folder.path());
    let calm = folder.path().join("calm");
    let started = Instant::now();
    assert!(start(&calm, &inputs).wait().expect("it ends").success());
    let whole = started.elapsed();
    let wanted = content(&calm);
    assert_eq!(wanted.len(), 16_000 + 3);

    let mut seed: u64 = 7;
    let (mut killed, mut rounds) = (0, 0);
    while killed < KILLS {
        rounds += 1;
        assert!(
            rounds < 20 * KILLS,
            "only {killed} of {rounds} runs could be killed"
        );
        let archive = folder.path().join(format!("archive{rounds}"));
        // Two kills in a row on every other archive: what the first has left is cleaned by a run that dies too.
        for _ in 0..1 + rounds % 2 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let share = (seed >> 33) % 1000;
            let mut child = start(&archive, &inputs);
            std::thread::sleep(
                whole
                    .mul_f64(share as f64 / 1000.0)
                    .min(Duration::from_secs(20)),
            );
            // Every third kill is a Ctrl-C, every third a request to end.
            match rounds % 3 {
                0 => signal(&child, "INT"),
                1 => signal(&child, "TERM"),
                _ => child.kill().expect("it can be killed"),
            }
            let status = child.wait().expect("it ends");
            killed += u32::from(!status.success());
            // What is there opens, and holds nothing that the ledger does not name.
            if Archive::exists(&archive) {
                let seen = ask(
                    &archive,
                    "SELECT (SELECT count(*) FROM UnifiedAuditLog), (SELECT coalesce(sum(Events), 0) FROM Ingests)",
                );
                let (rows, events) = seen[0].split_once('|').expect("two numbers");
                assert_eq!(rows, events);
            }
        }
        assert!(start(&archive, &inputs).wait().expect("it ends").success());
        assert_eq!(content(&archive), wanted, "round {rounds}");
        std::fs::remove_dir_all(&archive).expect("the archive can be removed");
    }
}

#[test]
fn two_ingests_at_once_into_one_archive_are_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = exports(folder.path());
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
    let inputs = exports(folder.path());
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
