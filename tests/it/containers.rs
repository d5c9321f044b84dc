//! What exports come in: workbooks, tar archives, compressions, and what is not read and says what to do.

use std::io::{Cursor, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use coldtrail::ingest::stream;
use coldtrail::ingest::{input::Input, member, packing::Packing};

use crate::command_line::run;
use crate::{ask, number, project};

mod tars;
mod workbooks;

fn record(n: usize) -> String {
    format!(
        r#"{{"Id":"e{n}","CreationTime":"2026-05-01T00:00:00","Operation":"X","UserId":"u{n}@contoso.com"}}"#
    ) + "\n"
}

/// A folder with a file, which is read into an archive: exit code and what was said.
struct Read {
    folder: tempfile::TempDir,
    code: Option<i32>,
    said: String,
}

impl Read {
    fn of(name: &str, content: impl AsRef<[u8]>) -> Read {
        Read::with(name, content, &[])
    }

    fn with(name: &str, content: impl AsRef<[u8]>, more: &[&str]) -> Read {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), content).expect("a file");
        let mut read = Read {
            folder,
            code: None,
            said: String::new(),
        };
        read.again(name, more);
        read
    }

    fn again(&mut self, name: &str, more: &[&str]) {
        let (file, archive) = (self.path(name), self.path("archive"));
        let mut arguments = vec!["ingest", &file, "-a", &archive];
        arguments.extend(more);
        let out = run(&arguments);
        self.code = out.status.code();
        let all = [&out.stdout[..], &out.stderr[..]].concat();
        self.said = String::from_utf8_lossy(&all).into_owned();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        ask(Path::new(&self.path("archive")), sql)
    }

    fn ids(&self) -> Vec<String> {
        self.ask("SELECT Id FROM UnifiedAuditLog ORDER BY Id")
    }

    /// The ledger's files below the folder, with their status.
    fn files(&self) -> Vec<String> {
        let rows = self.ask("SELECT \"File\", \"Status\" FROM Ingests ORDER BY \"File\"");
        let folder = self.folder.path().to_string_lossy().replace('\\', "/") + "/";
        rows.iter().map(|row| row.replace(&folder, "")).collect()
    }

    fn says(&self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        assert!(self.said.contains(text), "{}", self.said);
    }
}

fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in members {
        out.start_file(*name, stored).expect("a member");
        out.write_all(content).expect("the archive takes it");
    }
    out.finish().expect("an archive").into_inner()
}

mod packed {
    use super::*;

    #[test]
    fn xz_is_undone_also_where_files_were_joined() {
        let bytes = std::fs::read(project("tests/it/data/field/audit.jsonl.xz")).expect("the file");
        let read = Read::of("audit.json.xz", &bytes);
        assert_eq!(read.code, Some(0), "{}", read.said);
        assert_eq!(read.ids(), ["e1", "e2"]);
        let read = Read::of("audit.json.xz", &bytes[..bytes.len() - 40]);
        read.says(10, "breaks off");
        assert_eq!(read.ids()[0], "e1");
        let mut bad = bytes;
        bad[40] ^= 0x55;
        let read = Read::of("audit.json.xz", &bad);
        assert_eq!(read.code, Some(10), "{}", read.said);
    }

    #[test]
    fn what_is_not_read_says_what_to_do() {
        for (content, want) in [
            (
                &b"7z\xbc\xaf\x27\x1c\0\x04\0\0"[..],
                "a 7-Zip archive: unpack it first",
            ),
            (b"Rar!\x1a\x07\x01\0\0", "a RAR archive: unpack it first"),
            (b"BZh91AY&SY\0\0", "packed with bzip2: unpack it first"),
            (b"\x04\x22\x4d\x18\0\0", "packed with lz4: unpack it first"),
            (
                b"Obj\x01\x04\x14avro.codec",
                "Avro, as Event Hubs Capture writes it",
            ),
            (b"!BDN\0\0\0\0", "an Outlook data file (.pst)"),
        ] {
            let read = Read::of("export.csv", content);
            read.says(10, want);
            assert_eq!(read.files(), ["export.csv|unreadable"]);
        }
    }
}
