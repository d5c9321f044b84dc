//! From many files, days and broken inputs to an archive: bounded memory, nothing twice, nothing in silence.

use std::fmt::Write as _;
#[cfg(target_os = "linux")]
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::command_line::run;
#[cfg(target_os = "linux")]
use crate::peaks;
use crate::{ask, number, project};

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn record(id: &str, time: &str) -> String {
    format!(r#"{{"Id":"{id}","CreationTime":"{time}","Operation":"X","UserId":"bob@contoso.com"}}"#)
        + "\n"
}

fn ingest(arguments: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["ingest"];
    all.extend(arguments);
    said(&run(&all))
}

/// Ingests in another folder, where names are relative to it.
fn ingest_in(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .arg("ingest")
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    said(&out)
}

fn said(out: &Output) -> (Option<i32>, String) {
    let both = [&out.stdout[..], &out.stderr[..]].concat();
    (
        out.status.code(),
        String::from_utf8_lossy(&both).into_owned(),
    )
}

/// Ingests and gives the most memory that the process had, in MiB.
#[cfg(target_os = "linux")]
fn peak_of(inputs: &Path, archive: &Path) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["ingest", &text(inputs), "-a", &text(archive), "-q"])
        .args(["--threads", "2"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut peak = 0u64;
    while child.try_wait().expect("it can be asked").is_none() {
        peak = peak.max(peaks::kib(child.id()));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let status = child.wait().expect("it ended");
    assert!(status.success(), "{status}");
    assert!(peak > 0, "nobody looked");
    peak / 1024
}

/// What an ingest of one record takes.
#[cfg(target_os = "linux")]
fn peak_of_one(folder: &Path) -> u64 {
    let file = folder.join("one.jsonl");
    std::fs::write(&file, record("one", "2026-05-01T00:00:00")).expect("a file");
    peak_of(&file, &folder.join("archive-of-one"))
}

#[cfg(target_os = "linux")]
#[test]
fn thousands_of_files_of_one_record_take_the_memory_of_few() {
    // Fewer than the 20,000 that must stay below 512 MiB, and less memory: version 0.1.0 took 317 MiB for 5,000 files and 3,147 MiB for
    // 20,000.
    const FILES: usize = 6000;
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).expect("a folder");
    let blob = |n: usize| {
        let time = format!("2026-05-{:02}T00:00:00", 1 + n % 28);
        record(&format!("e{n}"), &time)
    };
    for n in 0..FILES {
        std::fs::write(inputs.join(format!("blob-{n}.json")), blob(n)).expect("a file");
    }
    let file = std::fs::File::create(inputs.join("blobs.zip")).expect("a file");
    let mut members = zip::ZipWriter::new(std::io::BufWriter::new(file));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for n in FILES..FILES + 5000 {
        let name = format!("blob-{n}.json");
        members.start_file(name, stored).expect("a member");
        members
            .write_all(blob(n).as_bytes())
            .expect("the archive takes it");
    }
    members.finish().expect("an archive");
    let one = peak_of_one(folder.path());
    let archive = folder.path().join("archive");
    let all = peak_of(&inputs, &archive);
    assert!(all < one + 250, "{all} MiB, one record {one}");
    assert_eq!(
        number(&archive, "SELECT count(DISTINCT Id) FROM UnifiedAuditLog"),
        FILES as u64 + 5000
    );
    // One file a day, not one a record.
    let files = walkdir::WalkDir::new(archive.join("UnifiedAuditLog"))
        .into_iter()
        .filter(|e| {
            let name = e.as_ref().expect("an entry").file_name();
            name.to_string_lossy().ends_with(".parquet")
        });
    assert_eq!(files.count(), 28);
}

#[cfg(target_os = "linux")]
#[test]
fn thousands_of_days_in_one_file_take_the_memory_of_few() {
    // An eighth of the 20,000 days for which version 0.1.0 took 1,254 MiB.
    const DAYS: usize = 2500;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("years.jsonl");
    let mut lines = String::new();
    // The latest first: no order that a file could be cut in.
    for n in (0..DAYS).rev() {
        let (year, day) = (2000 + n / 336, n % 336);
        let time = format!("{year}-{:02}-{:02}T00:00:00", 1 + day / 28, 1 + day % 28);
        lines.push_str(&record(&format!("e{n}"), &time));
    }
    std::fs::write(&file, lines).expect("a file");
    let one = peak_of_one(folder.path());
    let archive = folder.path().join("archive");
    let all = peak_of(&file, &archive);
    assert!(all < one + 100, "{all} MiB, one record {one}");
    assert_eq!(
        ask(
            &archive,
            "SELECT count(*), count(DISTINCT date_trunc('day', TimeGenerated)) FROM UnifiedAuditLog"
        ),
        [format!("{DAYS}|{DAYS}")]
    );
}

#[cfg(not(target_os = "linux"))]
#[test]
fn memory_is_measured_on_linux_only() {
    println!("skipped: the memory of a process is read from /proc");
}

/// What the ledger and the quarantine hold.
fn size(archive: &Path) -> Vec<String> {
    ask(
        archive,
        "SELECT (SELECT count(*) FROM Ingests) AS a, (SELECT count(*) FROM Quarantine) AS b, (SELECT count(*) FROM UnifiedAuditLog) AS c",
    )
}

#[test]
fn broken_files_are_entered_once_and_said_every_night() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).expect("a folder");
    for name in [
        "gzip-cut-off.jsonl.gz",
        "json-array-cut-off.json",
        "binary-garbage.bin",
        "zip-encrypted.zip",
        "zip-cut-off.zip",
    ] {
        let from = project("sample-data/broken").join(name);
        std::fs::copy(from, inputs.join(name)).expect("a copy");
    }
    // Cannot be opened, and has no hash.
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("nowhere"), inputs.join("link.json"))
        .expect("a link");
    std::fs::write(
        inputs.join("good.json"),
        record("good", "2026-05-01T00:00:00"),
    )
    .expect("a file");
    let (inputs, archive) = (text(&inputs), folder.path().join("archive"));
    let path = text(&archive);
    let (code, first) = ingest(&[&inputs, "-a", &path]);
    assert_eq!(code, Some(10), "{first}");
    let before = size(&archive);
    for option in ["--no-color", "--since-last", "--no-color", "--since-last"] {
        let (code, night) = ingest(&[&inputs, "-a", &path, option]);
        assert_eq!(code, Some(10), "{option}: {night}");
        assert_eq!(size(&archive), before, "{option}: {night}");
        for name in [
            "gzip-cut-off.jsonl.gz",
            "binary-garbage.bin",
            "zip-encrypted.zip",
        ] {
            let line = night.lines().find(|l| l.contains(name));
            let line = line.unwrap_or_else(|| panic!("{name}: {night}"));
            assert!(line.contains("(read before, as ingest "), "{line}");
        }
    }
    // Asked to, it reads them once more.
    let (_, again) = ingest(&[&inputs, "-a", &path, "--again"]);
    assert_ne!(size(&archive), before, "{again}");
    // Nothing else is added when none may be left out.
    let other = folder.path().join("other.json");
    std::fs::write(&other, record("other", "2026-05-01T00:00:00")).expect("a file");
    let rows = number(&archive, "SELECT count(*) FROM UnifiedAuditLog");
    let (code, strict) = ingest(&[&inputs, &text(&other), "-a", &path, "--strict"]);
    assert_eq!(code, Some(3), "{strict}");
    assert_eq!(
        number(&archive, "SELECT count(*) FROM UnifiedAuditLog"),
        rows
    );
}

#[test]
fn a_broken_file_that_is_mended_or_explained_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let file = folder.path().join("growing.json");
    let one = record("one", "2026-05-01T00:00:00");
    // The second record is not there yet.
    std::fs::write(&file, format!("{one}{{\"Id\":\"two\",")).expect("a file");
    let name = text(&file);
    assert_eq!(ingest(&[&name, "-a", &path]).0, Some(10));
    let two = record("two", "2026-05-01T00:00:00");
    std::fs::write(&file, format!("{one}{two}")).expect("a file");
    for option in ["--since-last", "--no-color"] {
        let (code, said) = ingest(&[&name, "-a", &path, option]);
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(number(&archive, "SELECT count(*) FROM UnifiedAuditLog"), 2);

    // What the file lacks is said, and it is read although its content is known.
    let dates = folder.path().join("dates.csv");
    std::fs::copy(project("sample-data/broken/date-ambiguous.csv"), &dates).expect("a copy");
    let dates = text(&dates);
    for _ in 0..2 {
        assert_eq!(ingest(&[&dates, "-a", &path]).0, Some(10));
    }
    // A zone does not help, and is not entered either.
    let entries = number(&archive, "SELECT count(*) FROM Ingests");
    let (code, said) = ingest(&[&dates, "-a", &path, "--tz", "Europe/Berlin"]);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("1 file read before"), "{said}");
    assert_eq!(number(&archive, "SELECT count(*) FROM Ingests"), entries);
    let (code, said) = ingest(&[&dates, "-a", &path, "--date-order", "dmy"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        number(&archive, "SELECT count(*) FROM stored.\"CloudAppEvents\""),
        3
    );
    let (code, said) = ingest(&[&dates, "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_file_of_the_same_name_and_size_in_another_folder_is_another_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = text(&archive);
    for day in ["one", "two"] {
        let day_folder = folder.path().join(day);
        std::fs::create_dir_all(day_folder.join("exports")).expect("a folder");
        let line = record(day, "2026-05-01T00:00:00");
        std::fs::write(day_folder.join("exports/e.json"), line).expect("a file");
    }
    for (day, events) in [("one", 1), ("two", 2), ("one", 2), ("two", 2)] {
        let arguments = ["exports", "-a", &path, "--since-last"];
        let (code, said) = ingest_in(&folder.path().join(day), &arguments);
        assert_eq!(code, Some(0), "{said}");
        let rows = number(&archive, "SELECT count(*) FROM UnifiedAuditLog");
        assert_eq!(rows, events, "{day}: {said}");
    }
    assert_eq!(number(&archive, "SELECT count(*) FROM Ingests"), 2);
}

#[test]
fn endless_reasons_make_no_endless_summary() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mix.csv");
    let mut rows = String::from("$table,TimeGenerated [UTC],Id,UserPrincipalName\n");
    rows.push_str("SigninLogs,2026-05-01T00:00:00Z,a,a@contoso.com\n");
    for n in 0..3000 {
        writeln!(rows, "T {n:04},2026-05-01T00:00:00Z,b,").expect("a String takes it");
    }
    std::fs::write(&file, rows).expect("a file");
    let archive = folder.path().join("archive");
    let (code, said) = ingest(&[&text(&file), "-a", &text(&archive)]);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.lines().count() < 50, "{said}");
    assert!(said.contains("quarantined  3,000\n"), "{said}");
    assert!(said.contains("row of table `T 0000` in a file"), "{said}");
    assert!(
        said.contains("2,980  for 980 or more other reasons"),
        "{said}"
    );
    assert_eq!(number(&archive, "SELECT count(*) FROM Quarantine"), 3000);
}

#[test]
fn what_a_strict_ingest_wrote_before_it_failed_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = folder.path().join("in");
    std::fs::create_dir_all(inputs.join("watchlists")).expect("a folder");
    let list = project("sample-data/watchlists/SuperUsers.csv");
    std::fs::copy(list, inputs.join("watchlists/SuperUsers.csv")).expect("a copy");
    // Enough for a file that is written while others are read.
    let mut lines = String::new();
    for n in 0..150_000 {
        lines.push_str(&record(&format!("e{n}"), "2026-05-01T00:00:00"));
    }
    std::fs::write(inputs.join("a.jsonl"), &lines).expect("a file");
    std::fs::write(inputs.join("b.jsonl"), lines + "no record\n").expect("a file");
    let archive = folder.path().join("archive");
    let (inputs, path) = (text(&inputs), text(&archive));
    let (code, said) = ingest(&[&inputs, "-a", &path, "--strict"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("nothing was added"), "{said}");
    for name in ["watchlists", "_staging", "UnifiedAuditLog", "Ingests"] {
        assert!(!archive.join(name).exists(), "{name}");
    }
}
