//! Power cuts. An ext4 file system lies in a file; a copy of that file holds what was synced and nothing else, as a disk does after a power cut.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{TABLE, assert_each_row_once, done, export, logged_rows, quick_folder, text, told};

/// Power cuts.
const CUTS: usize = 20;
/// Records of each export.
const RECORDS: usize = 10;

/// A file system in a file, where this user may mount one.
struct Disk(PathBuf);

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

impl Disk {
    fn mount(image: &Path, at: PathBuf) -> Option<Disk> {
        fs::create_dir_all(&at).expect("a folder");
        // Nothing goes to the disk by itself within the time of this test.
        let how = "loop,commit=300";
        match runs("mount", &["-o", how, &text(image), &text(&at)]) {
            true => Some(Disk(at)),
            false => None,
        }
    }

    /// A new one.
    fn new(image: &Path, at: PathBuf) -> Option<Disk> {
        let file = File::create(image).expect("a file");
        file.set_len(64 << 20).expect("its size");
        drop(file);
        match runs("mkfs.ext4", &["-q", "-F", &text(image)]) {
            true => Disk::mount(image, at),
            false => None,
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let at = text(&self.0);
        if !runs("umount", &[&at]) {
            runs("umount", &["-l", &at]);
        }
    }
}

fn events(archive: &Path) -> usize {
    let query = "SELECT count(*) AS n FROM UnifiedAuditLog";
    let answer = done(&["sql", "-a", &text(archive), "-f", "csv", query]);
    let number = answer.lines().nth(1).and_then(|n| n.parse().ok());
    number.unwrap_or_else(|| panic!("{answer}"))
}

/// The archive has so many events for everybody, and nothing is wrong with it.
fn assert_whole(archive: &Path, wanted: usize, why: &str) {
    assert_eq!(events(archive), wanted, "{why}");
    assert_eq!(logged_rows(&archive.join(TABLE)), wanted as u64, "{why}");
    assert_each_row_once(&archive.join(TABLE), wanted);
    let (code, said) = told(&["verify", "-a", &text(archive)]);
    assert_eq!(code, Some(0), "{why}: {said}");
}

/// Starts an ingest and kills it after a while. Says whether it was done before.
fn killed(arguments: &[&str], after: Duration) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    std::thread::sleep(after);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends").success()
}

#[test]
fn a_power_cut_takes_nothing_that_an_ingest_had_reported() {
    let folder = quick_folder();
    let image = folder.path().join("image");
    let Some(disk) = Disk::new(&image, folder.path().join("disk")) else {
        println!("skipped: this user may not mount a file system in a file");
        return;
    };
    let archive = disk.0.join("archive");
    let path = text(&archive);
    let mut took = Duration::ZERO;
    for round in 0..CUTS {
        let why = format!("cut {round}");
        let from = RECORDS * round;
        let name = format!("export{round}.jsonl");
        let input = text(&export(folder.path(), &name, from..from + RECORDS));
        let ingest = ["ingest", &input, "-a", &path];
        let started = Instant::now();
        let reported = if round % 4 == 3 {
            // At other moments of its work each time.
            let after = took.mul_f64(0.2 + 0.2 * (round / 4) as f64);
            killed(&ingest, after)
        } else {
            done(&ingest);
            took = started.elapsed();
            if round % 5 == 4 {
                done(&["archive", "compact", "-a", &path]);
            }
            true
        };
        let copied = folder.path().join("copy");
        let (from_image, to) = (text(&image), text(&copied));
        assert!(runs("cp", &["--sparse=always", &from_image, &to]));
        let after =
            Disk::mount(&copied, folder.path().join("after")).expect("the journal is whole");
        let saved = after.0.join("archive");
        let wanted = from + RECORDS;
        if reported {
            assert_whole(&saved, wanted, &why);
        } else {
            let seen = events(&saved);
            assert!(seen == from || seen == wanted, "{why}: {seen}");
            assert!(logged_rows(&saved.join(TABLE)) <= seen as u64, "{why}");
            // The next ingest completes it, whether the machine went on or not.
            for archive in [&saved, &archive] {
                done(&["ingest", &input, "-a", &text(archive)]);
                assert_whole(archive, wanted, &why);
            }
        }
        drop(after);
        fs::remove_file(&copied).expect("it can be removed");
    }
}
