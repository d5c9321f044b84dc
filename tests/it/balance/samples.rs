//! Files to read, and what happens to files.

use std::path::PathBuf;

use crate::project;

/// Folders with samples; those beside the project where they are there.
pub(super) fn folders() -> Vec<PathBuf> {
    let mut out = vec![project("sample-data"), project("tests/it/data")];
    for beside in ["../shared/data", "../shared/cases"] {
        let folder = project(beside);
        match folder.is_dir() {
            true => out.push(folder),
            false => eprintln!("skipped: `{}` is not there", folder.display()),
        }
    }
    out
}

/// Names and contents of the samples that are small enough to be read hundreds of times.
pub(super) fn contents() -> Vec<(String, Vec<u8>)> {
    const LARGEST: u64 = 60_000;
    let mut out = Vec::new();
    for folder in folders() {
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
            let entry = entry.expect("samples can be read");
            let own = entry.file_name().to_string_lossy().into_owned();
            let small = entry
                .metadata()
                .is_ok_and(|m| m.is_file() && m.len() <= LARGEST);
            let is_list = entry
                .path()
                .components()
                .any(|c| c.as_os_str() == "watchlists");
            if small && !is_list && !own.starts_with('.') && own != "README.md" {
                let bytes = std::fs::read(entry.path()).expect("a sample");
                out.push((own, bytes));
            }
        }
    }
    out.sort();
    out
}

/// Numbers that look like chance and are the same in every run.
pub(super) struct Dice {
    seed: u64,
    /// The sample that was chosen last.
    pub(super) last: usize,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Dice { seed, last: 0 }
    }

    fn below(&mut self, end: usize) -> usize {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % end.max(1)
    }
}

/// One of the samples, and what happened to it.
pub(super) fn mutant(samples: &[(String, Vec<u8>)], dice: &mut Dice) -> (&'static str, Vec<u8>) {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    dice.last = dice.below(samples.len());
    let mut bytes = samples[dice.last].1.clone();
    let at = dice.below(bytes.len() + 1);
    let line = |bytes: &[u8]| {
        let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |i| i + 1);
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |i| at + i + 1);
        (start, end)
    };
    let how = match dice.below(10) {
        0 => {
            bytes.truncate(at);
            "cut"
        }
        1 => {
            drop(bytes.drain(..at));
            "begun-late"
        }
        2 => {
            let (start, end) = line(&bytes);
            let doubled = bytes[start..end].to_vec();
            drop(bytes.splice(start..start, doubled));
            "doubled"
        }
        3 => {
            let (start, end) = line(&bytes);
            drop(bytes.drain(start..end));
            "removed"
        }
        4 if at < bytes.len() => {
            bytes[at] ^= 1 << dice.below(8);
            "flipped"
        }
        4 => "whole",
        5 | 6 => {
            let between: [&[u8]; 3] = [b"", b"\n", b"\r\n\xef\xbb\xbf"];
            bytes.extend_from_slice(between[dice.below(between.len())]);
            let second = &samples[dice.below(samples.len())].1;
            bytes.extend_from_slice(second);
            "joined"
        }
        7 => {
            drop(bytes.splice(at..at, MARK.iter().copied()));
            "marked"
        }
        8 => {
            let (start, _) = line(&bytes);
            drop(bytes.splice(start..start, b"\n  \n\r\n".iter().copied()));
            "blanks"
        }
        _ => {
            let padding = vec![0; 1 + dice.below(5000)];
            bytes.extend_from_slice(&padding);
            "padded"
        }
    };
    (how, bytes)
}
