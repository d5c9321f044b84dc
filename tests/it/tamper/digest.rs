//! The digest of the content speaks of events and watchlists, and of nothing else: a number for court papers.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::verify;
use crate::ask;
use crate::durable::{
    TABLE, actions, bytes_of, commits, done, export, last_commit, quick_folder, text,
};

/// The digest of the content and the one of all files, of an archive without problems.
fn digests(archive: &Path) -> (String, String) {
    let (code, report) = verify(archive);
    assert_eq!(code, Some(0), "{report:#}");
    let one = |key: &str| report[key].as_str().expect("a digest").to_string();
    let (content, files) = (one("content_digest"), one("digest"));
    assert_eq!([content.len(), files.len()], [64, 64]);
    (content, files)
}

/// Digests that commits say, in order.
fn logged(table: &Path) -> Vec<String> {
    let said = commits(table).into_iter().flat_map(|c| actions(&c));
    said.filter_map(|a| {
        let digest = a["commitInfo"]["coldtrail"]["digest"].as_str()?;
        Some(digest.to_string())
    })
    .collect()
}

/// Exports of two days, with a watchlist; `user` is in one record.
fn exports(folder: &Path, user: &str) -> Vec<String> {
    let lists = folder.join("watchlists");
    fs::create_dir_all(&lists).expect("a folder");
    let list = "UserPrincipalName,Comment\ngrace@contoso.com,Administrator\n";
    fs::write(lists.join("SuperUsers.csv"), list).expect("a file");
    let mut out = vec![text(&lists)];
    for n in 0..4 {
        // The last four of each are the first of the next one.
        let file = export(folder, &format!("export{n}.jsonl"), 10 * n..10 * n + 14);
        let lines = fs::read_to_string(&file).expect("a file");
        fs::write(&file, lines.replace("user6@", user)).expect("a file");
        out.push(text(&file));
    }
    out
}

/// Ingests them one after the other; returns the digest after each.
fn ingest_each(archive: &Path, exports: &[String], threads: &str) -> Vec<String> {
    let one = |export: &String| {
        done(&["ingest", export, "-a", &text(archive), "--threads", threads]);
        digests(archive).0
    };
    exports.iter().map(one).collect()
}

#[test]
fn the_digest_of_the_content_stays_in_a_merge_and_in_a_second_archive() {
    let folder = quick_folder();
    let make = |name: &str, user: &str, threads: &str| {
        let own = folder.path().join(name);
        let exports = exports(&own.join("evidence/of/the case"), user);
        let archive = own.join("archive");
        (ingest_each(&archive, &exports, threads), archive)
    };
    let (first, archive) = make("first", "user6@", "1");
    let (second, _) = make("second", "user6@", "4");
    assert_eq!(first, second);
    let (other, _) = make("other", "user7@", "4");
    // The watchlist is the same; every digest goes on from the one before.
    assert_eq!(first[0], other[0]);
    for n in 1..first.len() {
        assert_ne!(first[n], other[n], "{n}");
        assert_ne!(first[n], first[n - 1], "{n}");
    }

    let before = digests(&archive);
    assert_eq!(before.0, first[4]);
    // The ledger's log has them all, one a batch.
    assert_eq!(logged(&archive.join("Ingests")), first);
    done(&["archive", "compact", "-a", &text(&archive)]);
    let after = digests(&archive);
    assert_eq!(after.0, before.0);
    assert_ne!(after.1, before.1, "the files are others");
    for table in [TABLE, "Ingests"] {
        let commit = actions(&last_commit(&archive.join(table)));
        let said = commit.iter().find_map(|a| a.get("commitInfo"));
        let said = said.expect("what the commit says of itself");
        assert_eq!(said["operation"], "OPTIMIZE");
        assert_eq!(said["coldtrail"]["digest"], before.0.as_str());
    }

    // The last lines are the two, for people.
    let said = done(&["verify", "-a", &text(&archive)]);
    let lines: Vec<&str> = said.lines().collect();
    let [.., content, files] = lines.as_slice() else {
        panic!("{said}");
    };
    assert_eq!(*content, format!("digest of the content: {}", after.0));
    assert_eq!(*files, format!("digest of all files: {}", after.1));
}

#[test]
fn the_digest_of_all_files_is_what_sha256sum_gives() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    ingest_each(&archive, &exports(folder.path(), "user6@"), "2");
    let hash = |bytes: &[u8]| {
        use sha2::Digest;
        hex::encode(sha2::Sha256::digest(bytes))
    };
    let mut lines: Vec<(String, String)> = Vec::new();
    for (name, bytes) in bytes_of(&archive) {
        lines.push((text(&name).replace('\\', "/"), hash(&bytes)));
    }
    lines.sort();
    let line = |(name, hash): (String, String)| format!("{hash}  {name}\n");
    let all: String = lines.into_iter().map(line).collect();
    assert_eq!(digests(&archive).1, hash(all.as_bytes()));
}

#[test]
fn no_path_of_this_machine_is_in_an_archive_of_relative_exports() {
    let folder = tempfile::tempdir().expect("a folder");
    exports(&folder.path().join("exports"), "user6@");
    let coldtrail = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{arguments:?}: {said}");
    };
    coldtrail(&["ingest", "exports/export0.jsonl", "-a", "archive"]);
    coldtrail(&["ingest", "exports", "-a", "archive"]);
    coldtrail(&["archive", "compact", "-a", "archive"]);
    let archive = folder.path().join("archive");
    let own = folder.path().file_name().expect("a name");
    let own = own.to_string_lossy().into_owned();
    for (name, bytes) in bytes_of(&archive) {
        let found = bytes.windows(own.len()).any(|w| w == own.as_bytes());
        assert!(!found, "{}", name.display());
    }
    // Parquet files are packed: what the ledger has of files is asked for.
    for row in ask(&archive, "SELECT * FROM Ingests") {
        assert!(!row.contains(&own), "{row}");
    }
}
