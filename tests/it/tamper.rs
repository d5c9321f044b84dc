//! Whoever changes an archive, or the exports that it was made of, is noticed by `verify`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command_line::run;
use crate::durable::{
    TABLE, actions, commits, copy, export, ingest, last_commit, parquet_files, quick_folder, text,
    told,
};
use crate::project;

mod digest;
mod flips;

/// An archive of two ingests, and what it was made of: audit records, a zip archive, a watchlist.
struct Scene {
    folder: tempfile::TempDir,
    archive: PathBuf,
    sources: PathBuf,
}

impl Scene {
    fn new() -> Scene {
        let folder = quick_folder();
        let (archive, sources) = (folder.path().join("archive"), folder.path().join("sources"));
        let lists = sources.join("watchlists");
        fs::create_dir_all(&lists).expect("a folder");
        let list = "UserPrincipalName,Comment\ngrace@contoso.com,Administrator\n";
        fs::write(lists.join("SuperUsers.csv"), list).expect("a file");
        let zip = project("sample-data/formats/exports.zip");
        fs::copy(zip, sources.join("more.zip")).expect("a copy");
        export(&sources, "one.jsonl", 0..10);
        ingest(&archive, &sources);
        ingest(&archive, &export(&sources, "two.jsonl", 10..20));
        Scene {
            folder,
            archive,
            sources,
        }
    }

    /// Keeps archive and sources as they are.
    fn keep(&self) {
        for name in ["archive", "sources"] {
            let kept = self.folder.path().join("kept").join(name);
            copy(&self.folder.path().join(name), &kept);
        }
    }

    /// Puts back what was kept.
    fn restore(&self) {
        for name in ["archive", "sources"] {
            let place = self.folder.path().join(name);
            fs::remove_dir_all(&place).expect("it can be removed");
            copy(&self.folder.path().join("kept").join(name), &place);
        }
    }

    fn table(&self) -> PathBuf {
        self.archive.join(TABLE)
    }

    fn ledger(&self) -> PathBuf {
        self.archive.join("Ingests")
    }

    /// The first Parquet file of the table.
    fn part(&self) -> PathBuf {
        parquet_files(&self.table()).swap_remove(0)
    }

    fn list(&self) -> PathBuf {
        self.archive.join("watchlists/SuperUsers.csv")
    }
}

/// What `verify` finds: its exit code, and its report.
fn verify(archive: &Path) -> (Option<i32>, Value) {
    let out = run(&["verify", "-a", &text(archive), "--json"]);
    let said = String::from_utf8_lossy(&out.stderr);
    let report = serde_json::from_slice(&out.stdout);
    (
        out.status.code(),
        report.unwrap_or_else(|e| panic!("{e}: {said}")),
    )
}

/// Replaces a text in a file.
fn change(path: &Path, from: &str, to: &str) {
    let before = fs::read_to_string(path).expect("a file");
    assert!(before.contains(from), "{before}");
    fs::write(path, before.replace(from, to)).expect("it can be written");
}

/// Changes one byte of a file.
fn flip(path: &Path, place: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).expect("a file");
    let at = place(bytes.len());
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("it can be written");
}

/// Writes a commit anew. Actions that are null then are left out.
fn rewrite(commit: &Path, change: impl Fn(&mut Value)) {
    let mut lines = String::new();
    for mut action in actions(commit) {
        change(&mut action);
        if !action.is_null() {
            lines.push_str(&format!("{action}\n"));
        }
    }
    fs::write(commit, lines).expect("it can be written");
}

/// Changes what a commit says of the files that it adds.
fn rewrite_adds(commit: &Path, change: impl Fn(&mut Value)) {
    rewrite(commit, |action| {
        if let Some(add) = action.get_mut("add") {
            change(add);
        }
    });
}

/// Changes the statistics of the files that a commit adds.
fn rewrite_stats(commit: &Path, change: impl Fn(&mut Value)) {
    rewrite_adds(commit, |add| {
        let text = add["stats"].as_str().expect("statistics");
        let mut stats: Value = serde_json::from_str(text).expect("statistics are JSON");
        change(&mut stats);
        add["stats"] = stats.to_string().into();
    });
}

/// The first file that a commit adds.
fn first_add(commit: &Path) -> Value {
    let mut adds = actions(commit).into_iter().filter_map(|mut action| {
        let add = action.get_mut("add")?;
        Some(add.take())
    });
    adds.next().expect("a file")
}

/// Adds an action to a commit.
fn append(commit: &Path, action: &Value) {
    let before = fs::read_to_string(commit).unwrap_or_default();
    let before = before.trim_end();
    let lines = format!("{before}\n{action}\n");
    fs::write(commit, lines.trim_start()).expect("it can be written");
}

/// Copies a file under the name of an ingest that the ledger does not know.
fn with_a_copy(s: &Scene) -> PathBuf {
    let copied = s.part().with_file_name("ct-000099-00000.parquet");
    fs::copy(s.part(), &copied).expect("a copy");
    copied
}

type Act = fn(&Scene);

/// What is done, what `verify` must name, and how it is done.
const ACTS: [(&str, &str, Act); 31] = [
    ("a file is deleted", TABLE, |s| {
        fs::remove_file(s.part()).expect("it can be removed");
    }),
    ("a file is copied", "copy.parquet", |s| {
        let copied = s.part().with_file_name("copy.parquet");
        fs::copy(s.part(), copied).expect("a copy");
    }),
    ("a file is moved to another day", TABLE, |s| {
        let name = s.part();
        let name = name.file_name().expect("a name");
        let day = s.table().join("date=2026-05-09");
        fs::create_dir_all(&day).expect("a folder");
        fs::rename(s.part(), day.join(name)).expect("another place");
    }),
    ("a file is moved to another table", TABLE, |s| {
        let other = s.archive.join("AuditLogs/date=2026-05-01");
        fs::create_dir_all(&other).expect("a folder");
        fs::rename(s.part(), other.join("ct-000001-00000.parquet")).expect("another place");
    }),
    ("two files are exchanged", TABLE, |s| {
        let files = parquet_files(&s.table());
        let (a, b) = (&files[0], &files[1]);
        let bytes = fs::read(a).expect("a file");
        fs::copy(b, a).expect("a copy");
        fs::write(b, bytes).expect("it can be written");
    }),
    ("a byte of a file is changed", TABLE, |s| {
        flip(&s.part(), |size| size / 2);
    }),
    ("the table is deleted", TABLE, |s| {
        fs::remove_dir_all(s.table()).expect("it can be removed");
    }),
    ("the table's log is deleted", TABLE, |s| {
        fs::remove_dir_all(s.table().join("_delta_log")).expect("it can be removed");
    }),
    ("the last commit is deleted", TABLE, |s| {
        fs::remove_file(last_commit(&s.table())).expect("it can be removed");
    }),
    ("the last commit is emptied", TABLE, |s| {
        fs::write(last_commit(&s.table()), "").expect("it can be written");
    }),
    ("the ledger's last commit is deleted", "Ingests", |s| {
        fs::remove_file(last_commit(&s.ledger())).expect("it can be removed");
    }),
    ("the ledger's last commit is emptied", "Ingests", |s| {
        fs::write(last_commit(&s.ledger()), "").expect("it can be written");
    }),
    ("a number of rows is changed", TABLE, |s| {
        rewrite_stats(&last_commit(&s.table()), |stats| {
            stats["numRecords"] = 4.into();
        });
    }),
    ("a file is taken out of a commit", TABLE, |s| {
        let path = first_add(&last_commit(&s.table()))["path"].take();
        rewrite(&last_commit(&s.table()), |action| {
            if action["add"]["path"] == path {
                *action = Value::Null;
            }
        });
    }),
    ("the removal of a file is forged", TABLE, |s| {
        let add = first_add(&commits(&s.table())[0]);
        let remove = json!({"remove": {
            "path": add["path"],
            "deletionTimestamp": 0,
            "dataChange": true,
            "extendedFileMetadata": true,
            "partitionValues": add["partitionValues"],
            "size": add["size"],
        }});
        append(&last_commit(&s.table()), &remove);
    }),
    ("the hint at the last checkpoint is garbage", TABLE, |s| {
        fs::write(s.table().join("_delta_log/_last_checkpoint"), "garbage")
            .expect("it can be written");
    }),
    ("an export is cut off", "one.jsonl", |s| {
        let file = File::options()
            .write(true)
            .open(s.sources.join("one.jsonl"));
        file.expect("a file").set_len(100).expect("its size");
    }),
    (
        "an export is changed at the same size and time",
        "one.jsonl",
        |s| {
            let path = s.sources.join("one.jsonl");
            let time = fs::metadata(&path).and_then(|m| m.modified());
            change(&path, "user1@", "user8@");
            let file = File::options().write(true).open(&path).expect("a file");
            let time = time.expect("its time");
            file.set_modified(time).expect("its time");
        },
    ),
    ("a zip archive is changed in its middle", "more.zip", |s| {
        flip(&s.sources.join("more.zip"), |size| size / 2);
    }),
    ("a zip archive's directory is changed", "more.zip", |s| {
        flip(&s.sources.join("more.zip"), |size| size - 30);
    }),
    ("a greatest time is lowered", TABLE, |s| {
        rewrite_stats(&last_commit(&s.table()), |stats| {
            stats["maxValues"]["TimeGenerated"] = "2026-05-01T00:00:00.000Z".into();
        });
    }),
    ("a least time is raised", TABLE, |s| {
        rewrite_stats(&last_commit(&s.table()), |stats| {
            stats["minValues"]["TimeGenerated"] = "2026-05-02T23:00:00.000Z".into();
        });
    }),
    ("a day is changed", TABLE, |s| {
        rewrite_adds(&last_commit(&s.table()), |add| {
            add["partitionValues"]["date"] = "2026-05-03".into();
        });
    }),
    ("a watchlist is changed", "SuperUsers.csv", |s| {
        change(&s.list(), "grace", "trudy");
    }),
    ("a watchlist is added", "VIPs.csv", |s| {
        fs::write(s.list().with_file_name("VIPs.csv"), "Name\na\n").expect("a file");
    }),
    ("a watchlist is deleted", "SuperUsers.csv", |s| {
        fs::remove_file(s.list()).expect("it can be removed");
    }),
    ("the name of the hash is changed", TABLE, |s| {
        rewrite_adds(&last_commit(&s.table()), |add| {
            let hash = add["tags"]["sha256"].take();
            add["tags"] = json!({"sha257": hash});
        });
    }),
    ("a file is added", "ct-000099-00000.parquet", |s| {
        with_a_copy(s);
    }),
    (
        "a file is added, and a commit of it",
        "ct-000099-00000.parquet",
        |s| {
            let copied = with_a_copy(s);
            let below = copied.strip_prefix(s.table()).expect("it is below");
            let path = text(below).replace('\\', "/");
            let mut add = first_add(&commits(&s.table())[0]);
            add["path"] = path.into();
            let next = format!("{:020}.json", commits(&s.table()).len());
            append(
                &last_commit(&s.table()).with_file_name(next),
                &json!({"add": add}),
            );
        },
    ),
    ("a column is renamed in the log", TABLE, |s| {
        rewrite(&commits(&s.table())[0], |action| {
            if let Some(schema) = action.pointer_mut("/metaData/schemaString") {
                let before = schema.as_str().expect("a text").to_string();
                let after = before.replace("\"UserId\"", "\"UserXd\"");
                assert_ne!(before, after);
                *schema = after.into();
            }
        });
    }),
    ("a file is laid into the folder", "notes.txt", |s| {
        fs::write(s.archive.join("notes.txt"), "mine").expect("a file");
    }),
];

#[test]
fn every_act_of_tampering_is_noticed_and_named() {
    let scene = Scene::new();
    scene.keep();
    let (code, report) = verify(&scene.archive);
    assert_eq!(code, Some(0), "{report:#}");
    let mut missed = Vec::new();
    for (what, name, act) in ACTS {
        act(&scene);
        let (code, report) = verify(&scene.archive);
        let problems = report["problems"].as_array().expect("a list");
        let names = |p: &Value| {
            let is = |key: &str| p[key].as_str().is_some_and(|said| said.contains(name));
            is("table") || is("file")
        };
        if code != Some(1) || !problems.iter().any(names) {
            missed.push(format!("{what}: exit {code:?}, {:#}", report["problems"]));
        }
        scene.restore();
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let (code, report) = verify(&scene.archive);
    assert_eq!(code, Some(0), "{report:#}");
}

#[test]
fn an_export_that_is_not_there_is_counted_and_named() {
    let scene = Scene::new();
    let not_checked = |report: &Value| {
        let checks = report["checks"].as_array().expect("a list");
        let sources = checks.iter().find(|c| c["check"] == "sources");
        sources.expect("a check")["not_checked"].as_u64()
    };
    let before = not_checked(&verify(&scene.archive).1).expect("a number");
    fs::remove_file(scene.sources.join("one.jsonl")).expect("it can be removed");
    let (_, report) = verify(&scene.archive);
    assert_eq!(not_checked(&report), Some(before + 1), "{report:#}");
    let (_, said) = told(&["verify", "-a", &text(&scene.archive)]);
    assert!(said.contains("one.jsonl"), "{said}");
}
