//! Logs that coldtrail alone wrote, read from their commits.
//!
//! A commit of ours says little, and all of them stay: to read a year of them takes a fraction of what the Delta library takes, and no runtime. Where
//! anything in a log is not as coldtrail writes it, nothing is read here, and the library says what it is.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::commits::decoded;
use super::delta::{AtVersion, FORMAT, FORMAT_KEY, INGEST, NESTED, OWN, SHA256};
use super::entry::Described;
use super::store::Store;
use crate::catalog::DATE;
use crate::fault::Result;

/// The version of Delta's protocol that readers of our tables must know.
const READER: u32 = 1;

/// A table at a version; nothing where another program wrote into its log, or commits are not there any more.
///
/// # Errors
/// When the log names what is no file of the table.
pub(super) fn own(store: &Store, table: &str, version: u64) -> Result<Option<AtVersion>> {
    let mut replay = Replay::default();
    for number in 0..=version {
        let name = format!("{table}/_delta_log/{number:020}.json");
        if text(store, &name)
            .and_then(|text| replay.commit(&text))
            .is_none()
        {
            return Ok(None);
        }
    }
    if !replay.is_described {
        return Ok(None);
    }
    let files = replay.files.into_values();
    let files = files.map(|file| file.entry(store, table));
    Ok(Some(AtVersion {
        files: files.collect::<Result<_>>()?,
        batch: replay.batch,
        beyond: None,
    }))
}

/// A commit; nothing where it cannot be read: the library says why.
fn text(store: &Store, name: &str) -> Option<String> {
    let mut text = String::new();
    let mut file = store.open(name).ok()?;
    file.read_to_string(&mut text).ok()?;
    Some(text)
}

/// What the commits so far say.
#[derive(Default)]
struct Replay {
    files: BTreeMap<String, Described>,
    batch: Option<i64>,
    /// Whether one of them says what table it is.
    is_described: bool,
}

impl Replay {
    /// Takes a commit into account; nothing where it is none of ours.
    fn commit(&mut self, text: &str) -> Option<()> {
        let mut is_own = false;
        for line in text.lines().filter(|line| !line.is_empty()) {
            let action: Action = serde_json::from_str(line).ok()?;
            if let Some(mark) = action.txn {
                is_own |= OWN.contains(&mark.app_id.as_str());
                if mark.app_id == INGEST {
                    self.batch = Some(mark.version);
                }
            }
            if action
                .protocol
                .is_some_and(|p| p.min_reader_version != READER)
            {
                return None;
            }
            if let Some(metadata) = action.metadata {
                let format = metadata.configuration.get(FORMAT_KEY);
                if format.is_some_and(|f| !f.parse().is_ok_and(|f: u32| f <= FORMAT)) {
                    return None;
                }
                self.is_described = true;
            }
            if let Some(removed) = action.remove {
                self.files.remove(&decoded(&removed.path));
            }
            if let Some(added) = action.add {
                let file = added.described();
                self.files.insert(file.path.clone(), file);
            }
        }
        is_own.then_some(())
    }
}

/// A line of a commit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    add: Option<Added>,
    remove: Option<Removed>,
    txn: Option<Mark>,
    #[serde(rename = "metaData")]
    metadata: Option<Metadata>,
    protocol: Option<Protocol>,
    #[serde(rename = "commitInfo")]
    _info: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    path: String,
    size: i64,
    stats: Option<String>,
    tags: Option<HashMap<String, Option<String>>>,
    partition_values: HashMap<String, Option<String>>,
    deletion_vector: Option<IgnoredAny>,
}

impl Added {
    fn described(mut self) -> Described {
        let mut tags = self.tags.unwrap_or_default();
        Described {
            path: decoded(&self.path),
            size: self.size,
            stats: self.stats,
            sha256: tags.remove(SHA256).flatten(),
            nested: tags.remove(NESTED).flatten(),
            date: self.partition_values.remove(DATE).flatten(),
            deletes: self.deletion_vector.is_some(),
        }
    }
}

#[derive(Deserialize)]
struct Removed {
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    configuration: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    min_reader_version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{"commitInfo":{"timestamp":1}}
{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"x","configuration":{"coldtrail.format":"2"}}}
{"add":{"path":"date=2026-05-01/ct-000001-00000.parquet","partitionValues":{"date":"2026-05-01"},"size":7,"stats":"{\"numRecords\":3}","tags":{"sha256":"ab"},"baseRowId":null}}
{"txn":{"appId":"coldtrail","version":1,"lastUpdated":1}}
"#;

    #[test]
    fn commits_of_ours_say_which_files_there_are() {
        let mut replay = Replay::default();
        replay.commit(FIRST).expect("a commit of ours");
        replay
            .commit(
                r#"{"remove":{"path":"date=2026-05-01/ct-000001-00000.parquet","dataChange":false}}
{"add":{"path":"date=2026-05-01/ct-merged-000001.parquet","partitionValues":{"date":"2026-05-01"},"size":9,"dataChange":false}}
{"txn":{"appId":"coldtrail-compact","version":5}}"#,
            )
            .expect("a commit of ours");
        let again = r#"{"txn":{"appId":"coldtrail-derive","version":6}}"#;
        replay.commit(again).expect("a commit of ours");
        let paths: Vec<&String> = replay.files.keys().collect();
        assert_eq!(paths, ["date=2026-05-01/ct-merged-000001.parquet"]);
        assert_eq!((replay.batch, replay.is_described), (Some(1), true));
    }

    #[test]
    fn what_others_wrote_is_left_to_the_library() {
        let mark = r#"{"txn":{"appId":"coldtrail","version":2}}"#;
        for (what, line) in [
            ("another action", r#"{"domainMetadata":{}}"#),
            (
                "another protocol",
                r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}"#,
            ),
            (
                "a later form",
                r#"{"metaData":{"configuration":{"coldtrail.format":"99"}}}"#,
            ),
            ("a line that breaks off", r#"{"add":{"path":"x"#),
        ] {
            let text = format!("{line}\n{mark}\n");
            assert!(Replay::default().commit(&text).is_none(), "{what}");
        }
        let unmarked = FIRST.lines().filter(|line| !line.contains("txn"));
        let unmarked: Vec<&str> = unmarked.collect();
        assert!(Replay::default().commit(&unmarked.join("\n")).is_none());
    }
}
