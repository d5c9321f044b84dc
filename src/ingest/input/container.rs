//! What an address of object storage names: a file, all below a folder, or what a pattern matches. Told from names alone: nothing is read.
//!
//! What holds for folders of this machine holds here. Whether a file is a result of coldtrail is seen when it is read.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::member::is_lock;
use super::passed::{PASS_OVER, PassedOver, Why};
use super::stored::{Bucket, Stored, parts};
use crate::fault::{Error, Result};
use crate::storage::Found;

/// What lies in each archive.
const LEDGER: &str = "Ingests/_delta_log";
/// What lies in each table of one.
const LOG: &str = "_delta_log";

/// What an address names.
#[derive(Default)]
pub(super) struct Listed {
    /// Files, in the order of their names.
    pub files: Vec<Stored>,
    /// What is no input, and is said to be none.
    pub passed_over: Vec<PassedOver>,
    /// Whether there was anything at all.
    any: bool,
}

/// Finds what an address names.
///
/// # Errors
/// When the store does not answer, the address matches nothing, or it is one of an archive of coldtrail.
pub(super) fn find(address: &str) -> Result<Listed> {
    let (bucket, name) = parts(address);
    let container = Container {
        bucket: Bucket::new(bucket)?,
    };
    let is_pattern = name.contains(PATTERN);
    // A name may have the letters of patterns.
    let listed = match container.named(name, is_pattern)? {
        Some(listed) => listed,
        None if is_pattern => container.pattern(address, name)?,
        None => Listed::default(),
    };
    match listed.any {
        true => Ok(listed),
        false => Err(Error::NoInput(address.into())),
    }
}

/// Letters of which patterns have one.
const PATTERN: [char; 3] = ['*', '?', '['];

/// A bucket that is looked through.
struct Container {
    bucket: Arc<Bucket>,
}

impl Container {
    /// The file or the folder of a name; nothing where there is none.
    fn named(&self, name: &str, is_pattern: bool) -> Result<Option<Listed>> {
        let folder = name.trim_matches('/');
        let mut file = Ok(None);
        if !folder.is_empty() && !name.ends_with('/') {
            file = self.bucket.place().head(folder);
        }
        let is_file = matches!(&file, Ok(Some(found)) if found.size > 0);
        if !is_file {
            let all = self.bucket.place().list(folder)?;
            if !all.is_empty() {
                self.refuse_archive(folder, has(&all, &below(folder, LEDGER)))?;
                return Ok(Some(self.sorted(folder, &all, |_| Some(0))));
            }
        }
        let file = match file {
            // It says no more than that the name is none of a file.
            Err(_) if is_pattern => None,
            file => file?,
        };
        let Some(file) = file else {
            return Ok(None);
        };
        self.refuse_archive(folder, false)?;
        Ok(Some(Listed {
            files: vec![Stored::of(&self.bucket, file)],
            any: true,
            ..Listed::default()
        }))
    }

    /// What a pattern matches. A folder that it matches stands for all below it.
    fn pattern(&self, address: &str, name: &str) -> Result<Listed> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::new()
        };
        let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
        let fixed = parts.iter().take_while(|part| !part.contains(PATTERN));
        let (fixed, moving) = parts.split_at(fixed.count());
        let root = fixed.join("/");
        let pattern = glob::Pattern::new(&moving.join("/"))
            .map_err(|e| Error::Usage(format!("pattern `{address}`: {e}")))?;
        let all = self.bucket.place().list(&root)?;
        self.refuse_archive(&root, has(&all, &below(&root, LEDGER)))?;
        Ok(self.sorted(&root, &all, |parts| {
            let is_match = |n: &usize| pattern.matches_with(&parts[..*n].join("/"), options);
            (1..=parts.len()).find(is_match)
        }))
    }

    /// Refuses what is an archive, or lies in a table of one.
    fn refuse_archive(&self, folder: &str, is_archive: bool) -> Result<()> {
        // Who may look at one folder only is not kept from it.
        let has = |name: &str| {
            self.bucket
                .place()
                .list(name)
                .is_ok_and(|found| !found.is_empty())
        };
        let mut ends: Vec<usize> = folder.match_indices('/').map(|(at, _)| at).collect();
        ends.push(folder.len());
        let mut above = "";
        let mut is_inside = is_archive;
        for end in ends {
            let table = &folder[..end];
            is_inside = is_inside
                || (!table.is_empty() && has(&below(above, LEDGER)) && has(&below(table, LOG)));
            above = table;
        }
        match is_inside {
            true => Err(Why::Archive.refused(&self.bucket.place().of(folder))),
            false => Ok(()),
        }
    }

    /// Sorts what lies below a folder into files and what is passed over. `free` says of the parts of a name below it how many of them were
    /// named by the user, whose word counts; nothing where he did not name it.
    fn sorted(&self, root: &str, all: &[Found], free: impl Fn(&[&str]) -> Option<usize>) -> Listed {
        let marks = Marks::of(all);
        let mut listed = Listed::default();
        for found in all {
            let rest = found.name[root.len()..].trim_start_matches('/');
            let parts: Vec<&str> = rest.split('/').collect();
            let Some(free) = free(&parts) else {
                continue;
            };
            listed.any = true;
            match marks.bar(root, &parts, free, found) {
                None => listed.files.push(Stored::of(&self.bucket, found.clone())),
                Some(Bar::Silent) => {}
                Some(Bar::Said(name, why)) => {
                    let path = self.bucket.place().of(&name);
                    let passed = PassedOver { why, path };
                    // Of a folder all files come one after the other.
                    if listed.passed_over.last() != Some(&passed) {
                        listed.passed_over.push(passed);
                    }
                }
            }
        }
        listed
    }
}

/// Why a file is no input.
enum Bar {
    /// Nobody would think that it is one.
    Silent,
    /// What is to be said, of the file or of a folder around it.
    Said(String, Why),
}

/// Folders, by what lies in them.
struct Marks<'a> {
    folders: HashSet<&'a str>,
    archives: HashSet<&'a str>,
    ignored: HashSet<&'a str>,
}

impl Marks<'_> {
    fn of(all: &[Found]) -> Marks<'_> {
        let mut marks = Marks {
            folders: HashSet::new(),
            archives: HashSet::new(),
            ignored: HashSet::new(),
        };
        for found in all {
            let name = found.name.as_str();
            for (at, _) in name.match_indices('/') {
                let folder = &name[..at];
                marks.folders.insert(folder);
                if let Some(above) = folder.strip_suffix(LEDGER)
                    && (above.is_empty() || above.ends_with('/'))
                {
                    marks.archives.insert(above.trim_end_matches('/'));
                }
            }
            if let Some((folder, PASS_OVER)) = name.rsplit_once('/') {
                marks.ignored.insert(folder);
            }
        }
        marks
    }

    /// Why a file is no input, by its parts below a folder, of which so many were named.
    fn bar(&self, root: &str, parts: &[&str], free: usize, found: &Found) -> Option<Bar> {
        let last = parts.last().copied().unwrap_or_default();
        // What consoles leave where a folder is: its name with a `/` behind it, which lists do not show.
        let is_folder = self.folders.contains(found.name.as_str()) || !last.contains('.');
        if found.size == 0 && is_folder {
            return Some(Bar::Silent);
        }
        for n in 1..parts.len() {
            let folder = below(root, &parts[..n].join("/"));
            if n > free && parts[n - 1].starts_with('.') {
                return Some(Bar::Silent);
            }
            if self.archives.contains(folder.as_str()) {
                return Some(Bar::Said(folder, Why::Archive));
            }
            if n > free && self.ignored.contains(folder.as_str()) {
                return Some(Bar::Said(folder, Why::Ignored));
            }
        }
        if parts.len() <= free {
            return None;
        }
        if last.starts_with('.') || last == "README.md" {
            return Some(Bar::Silent);
        }
        is_lock(last, found.size).then(|| Bar::Said(found.name.clone(), Why::Lock))
    }
}

/// A name below a folder.
fn below(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_string(),
        folder => format!("{folder}/{name}"),
    }
}

/// Whether there is something in a folder.
fn has(all: &[Found], folder: &str) -> bool {
    let inside = |found: &Found| {
        found
            .name
            .strip_prefix(folder)
            .map(|rest| rest.starts_with('/'))
    };
    all.iter().any(|found| inside(found) == Some(true))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What becomes of names below the folder `x`: files, and what is said to be passed over.
    fn sorted(
        names: &[&str],
        free: impl Fn(&[&str]) -> Option<usize>,
    ) -> (Vec<String>, Vec<String>) {
        let container = Container {
            bucket: Bucket::new("s3://b").expect("a bucket"),
        };
        let mut all: Vec<Found> = names
            .iter()
            .map(|name| Found {
                name: format!("x/{}", name.trim_end_matches('/')),
                size: if name.ends_with('/') { 0 } else { 100 },
                tag: String::new(),
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let listed = container.sorted("x", &all, free);
        let text = |path: &Path| path.to_string_lossy().replace("s3://b/x/", "");
        let files = listed.files.iter().map(|file| text(file.address()));
        let passed = listed.passed_over.iter();
        let passed = passed.map(|passed| format!("{}: {}", text(&passed.path), passed.why));
        (files.collect(), passed.collect())
    }

    #[test]
    fn folders_are_read_as_they_are_on_a_disk() {
        let (files, passed) = sorted(
            &[
                "a.json",
                ".hidden",
                ".git/config",
                "README.md",
                "~$open.xlsx",
                "old/",
                "old/b.json",
                "new/",
                "case/Ingests/_delta_log/0.json",
                "case/SigninLogs/p.parquet",
                "no/.coldtrailignore",
                "no/deep/c.json",
                "watchlists/VIPs.csv",
            ],
            |_| Some(0),
        );
        assert_eq!(files, ["a.json", "old/b.json", "watchlists/VIPs.csv"]);
        assert_eq!(
            passed,
            [
                "case: it is an archive of coldtrail, not an export",
                "no: it holds .coldtrailignore",
                "~$open.xlsx: it says that somebody has a document open, and is no export",
            ]
        );
    }

    #[test]
    fn what_a_pattern_names_counts_as_named() {
        let names = [".a.json", ".d/b.json", "no/.coldtrailignore", "no/c.json"];
        // As `*` does: files and folders of the first level.
        let (files, passed) = sorted(&names, |_| Some(1));
        assert_eq!(files, [".a.json", ".d/b.json", "no/c.json"]);
        assert!(passed.is_empty(), "{passed:?}");
        let (files, _) = sorted(&names, |parts| (parts == ["no", "c.json"]).then_some(2));
        assert_eq!(files, ["no/c.json"]);
    }
}
