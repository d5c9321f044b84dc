//! How fast exports are read: MB/s, rows/s, CPU seconds and peak memory, on generated input.
//!
//! `cargo bench --bench ingest` measures the families at 200 MB, each over a month; `cargo bench --bench ingest -- --size 1000` at 1 GB. Each case runs in
//! a process of its own, three times, and the median is shown: peak memory is that of the process. Input is written before the clock
//! starts, from a seeded generator. `-- --write DIR --size N` writes the two inputs and prints this program's path, for
//! `against_duckdb.py`; with `COLDTRAIL_BENCH_FILE=FILE` it measures one run over a file.

mod generate;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use coldtrail::archive::Archive;
use coldtrail::convert::{self, Options};
use coldtrail::ingest::input;
use coldtrail::progress::Silent;
use generate::{Seed, cloud_app_lines, record, second_at};

/// Writes so many bytes of one family.
type Generate = fn(&mut dyn Write, u64);

/// Runs of each case.
const RUNS: usize = 3;

/// Seconds over which the events of an export are spread, whatever its size.
const MONTH: u64 = 30 * 86_400;

fn main() {
    if let Ok(file) = std::env::var("COLDTRAIL_BENCH_FILE") {
        measure(Path::new(&file));
        return;
    }
    let arguments: Vec<String> = std::env::args().collect();
    let size = generate::size();
    if let Some(i) = arguments.iter().position(|a| a == "--write") {
        let folder = PathBuf::from(arguments.get(i + 1).expect("--write takes a folder"));
        std::fs::create_dir_all(&folder).expect("a folder for the input");
        write(audit_csv, &folder.join("audit.csv"), size);
        write(unsorted_csv, &folder.join("unsorted.csv"), size);
        write(cloud_lines, &folder.join("cloudappevents.jsonl"), size);
        let own = std::env::current_exe().expect("this program");
        println!("{}", own.display());
        return;
    }
    let folder = std::env::temp_dir().join(format!("coldtrail-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the input");
    println!(
        "{:<22} {:>9} {:>9} {:>10} {:>8} {:>10} {:>12}",
        "input", "MB", "MB/s", "rows/s", "CPU s", "peak MiB", "archive MB"
    );
    let families: [(&str, Generate); 3] = [
        ("audit log CSV", audit_csv),
        ("the same, no order", unsorted_csv),
        ("CloudAppEvents lines", cloud_lines),
    ];
    for (name, generate) in families {
        let file = folder.join("input");
        write(generate, &file, size);
        let mb = std::fs::metadata(&file).expect("the input").len() as f64 / 1e6;
        let mut runs: Vec<Vec<f64>> = (0..RUNS).map(|_| child(&file)).collect();
        runs.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let [seconds, rows, cpu, peak, archive] = runs[RUNS / 2][..] else {
            panic!("a run gave {:?}", runs[RUNS / 2]);
        };
        println!(
            "{name:<22} {mb:>9.0} {:>9.0} {:>10.0} {cpu:>8.1} {peak:>10.0} {archive:>12.0}",
            mb / seconds,
            rows / seconds
        );
        std::fs::remove_file(&file).expect("the input can be removed");
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// Writes so many megabytes.
fn write(generate: Generate, file: &Path, size: u64) {
    let mut out = BufWriter::new(File::create(file).expect("the input can be made"));
    generate(&mut out, size * 1_000_000);
    out.flush().expect("the input can be written");
}

/// Runs one case in a process of its own.
fn child(file: &Path) -> Vec<f64> {
    let out = Command::new(std::env::current_exe().expect("this program"))
        .env("COLDTRAIL_BENCH_FILE", file)
        .output()
        .expect("the case runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout)
        .split_whitespace()
        .map(|n| n.parse().expect("a number"))
        .collect()
}

fn measure(file: &Path) {
    let target: PathBuf = file.with_extension("archive");
    let _ = std::fs::remove_dir_all(&target);
    let started = Instant::now();
    let archive = Archive::create(&target).expect("an archive");
    let found = input::find(&[file.to_string_lossy().into_owned()]).expect("the input");
    let options = Options {
        now: 1_780_272_000_000_000,
        ..Options::default()
    };
    let progress: Arc<dyn coldtrail::progress::Progress> = Arc::new(Silent);
    let summary = convert::ingest(&archive, &found, &options, &progress).expect("ingest");
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(
        summary.sum(|e| e.records),
        summary.sum(|e| e.events()) + summary.sum(|e| e.duplicates),
        "a generated record was not taken"
    );
    let size: u64 = walkdir::WalkDir::new(&target)
        .into_iter()
        .filter_map(|e| e.ok()?.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|m| m.len())
        .sum();
    println!(
        "{seconds} {} {} {} {}",
        summary.sum(|e| e.records),
        cpu_seconds(),
        peak_mib(),
        size as f64 / 1e6
    );
    std::fs::remove_dir_all(&target).expect("the archive can be removed");
}

/// CPU seconds of this process so far; 0 where the system does not say (other than Linux).
fn cpu_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return 0.0;
    };
    // The second field is in brackets and may hold blanks.
    let after = stat.rsplit(')').next().unwrap_or("");
    let field = |n: usize| -> f64 {
        after
            .split_whitespace()
            .nth(n)
            .and_then(|t| t.parse().ok())
            .unwrap_or(0.0)
    };
    // Linux counts these in hundredths.
    (field(11) + field(12)) / 100.0
}

/// Peak resident memory of this process; 0 where the system does not say.
fn peak_mib() -> f64 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok())
        .map_or(0.0, |kb| kb / 1024.0)
}

fn cloud_lines(out: &mut dyn Write, bytes: u64) {
    cloud_app_lines(out, bytes, MONTH);
}

/// An audit log export of about so many bytes, the earliest event first.
fn audit_csv(out: &mut dyn Write, bytes: u64) {
    audit_csv_at(|_, written| second_at(written, bytes, MONTH), out, bytes);
}

/// The same in no order, as where an export is put together from parts: at most 1.3 times the CPU.
fn unsorted_csv(out: &mut dyn Write, bytes: u64) {
    audit_csv_at(|seed, _| seed.below(MONTH), out, bytes);
}

/// One whose events are of the seconds that a function says, of the bytes before each.
fn audit_csv_at(second: impl Fn(&mut Seed, u64) -> u64, out: &mut dyn Write, bytes: u64) {
    let mut seed = Seed(1);
    let put = |out: &mut dyn Write, text: &str| out.write_all(text.as_bytes()).expect("a write");
    put(
        out,
        "RecordId,CreationDate,RecordType,Operation,UserId,AuditData,AssociatedAdminUnits,AssociatedAdminUnitsNames\r\n",
    );
    let (mut written, mut n) = (0, 0);
    let mut last = String::new();
    while written < bytes {
        if n % 50 != 49 || last.is_empty() {
            let second = second(&mut seed, written);
            let (id, operation, text, kind) = record(&mut seed, second);
            last = format!(
                "{id},6/1/2026 1:00:00 AM,{kind},{operation},user@contoso.com,\"{}\",,\r\n",
                text.replace('"', "\"\"")
            );
        }
        put(out, &last);
        written += last.len() as u64;
        n += 1;
    }
}
