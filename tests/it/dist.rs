//! `.ci/dist` makes an archive that is whole: its checksums agree, and every linked crate's licence is in it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::project;

fn is_here(tool: &str) -> bool {
    let said = Command::new(tool).arg("--version").output();
    said.is_ok_and(|out| out.status.success())
}

fn packed(out: &Path) -> Vec<u8> {
    let made = Command::new("bash")
        .arg(project(".ci/dist"))
        .arg(out)
        .env("COLDTRAIL_BINARY", env!("CARGO_BIN_EXE_coldtrail"))
        .env("SOURCE_DATE_EPOCH", "1780000000")
        .output()
        .expect("bash runs");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    let sizes = String::from_utf8_lossy(&made.stdout);
    assert_eq!(sizes.matches(" MB  coldtrail").count(), 2, "{sizes}");
    let archives = fs::read_dir(out).expect("a folder");
    let paths = archives.map(|entry| entry.expect("an entry").path());
    let archive = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "gz"))
        .max()
        .expect("an archive");
    fs::read(archive).expect("an archive")
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names and versions of all crates of the lock file that some target links, as `cargo tree` says them.
fn linked() -> BTreeSet<String> {
    let out = Command::new("cargo")
        .args(["tree", "--locked", "--offline", "-e", "normal"])
        .args(["--prefix", "none", "-f", "{p}"])
        .current_dir(project(""))
        .output()
        .expect("cargo runs");
    assert!(out.status.success());
    let text = String::from_utf8_lossy(&out.stdout);
    let crates = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?);
        let version = version.strip_prefix('v')?;
        (name != "coldtrail").then(|| format!("{name} {version}"))
    });
    crates.collect()
}

#[test]
fn the_archive_is_whole_and_names_every_licence() {
    if cfg!(windows)
        || !["bash", "python3", "cargo", "rustc"]
            .into_iter()
            .all(is_here)
    {
        println!("skipped: bash, python3, cargo or rustc is not here");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = packed(folder.path());
    let unpacked = folder.path().join("unpacked");
    let zipped = flate2::read::GzDecoder::new(bytes.as_slice());
    tar::Archive::new(zipped)
        .unpack(&unpacked)
        .expect("a tar archive");
    let mut tops = fs::read_dir(&unpacked).expect("a folder");
    let top = tops
        .next()
        .expect("a folder in it")
        .expect("an entry")
        .path();

    let sums = fs::read_to_string(top.join("SHA256SUMS")).expect("checksums");
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").expect("a sum and a name");
        let content = fs::read(top.join(name)).expect("a file that is named");
        assert_eq!(sum, digest(&content), "{name}");
    }
    for name in [
        "coldtrail",
        "completions/coldtrail.bash",
        "completions/_coldtrail",
        "completions/coldtrail.fish",
        "completions/coldtrail.ps1",
        "man/coldtrail.1",
        "queries/README.md",
        "queries/RULES.md",
        "README.md",
        "GUIDE.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
    ] {
        let size = File::open(top.join(name)).and_then(|file| file.metadata());
        assert!(size.is_ok_and(|data| data.len() > 0), "{name}");
        assert!(sums.contains(&format!("  {name}\n")), "no sum of {name}");
    }

    let licences = fs::read_to_string(top.join("LICENSES-THIRD-PARTY")).expect("licences");
    let titles: BTreeSet<&str> = licences.lines().collect();
    let linked = linked();
    assert!(linked.len() > 100, "{} crates", linked.len());
    let missing: Vec<&String> = linked
        .iter()
        .filter(|title| !titles.contains(title.as_str()))
        .collect();
    assert!(missing.is_empty(), "no licence of {missing:?}");
}
