//! Files as people pack them: what is read, what is told as cut, lost or too much, and what to do.

use std::io::{Cursor, Write};
use std::path::Path;

use crate::ask;
use crate::command_line::run;

mod archives;
mod foreign;
mod sheets;

fn record(n: usize) -> String {
    format!(
        r#"{{"Id":"e{n}","CreationTime":"2026-05-01T00:00:00","Operation":"X","UserId":"u{n}@contoso.com"}}"#
    ) + "\n"
}

/// A folder with files that are read into an archive: exit code of the last ingest, and what it said.
struct Case {
    folder: tempfile::TempDir,
    code: Option<i32>,
    said: String,
}

impl Case {
    fn of(name: &str, content: impl AsRef<[u8]>) -> Case {
        let mut case = Case {
            folder: tempfile::tempdir().expect("a folder"),
            code: None,
            said: String::new(),
        };
        case.read(name, content);
        case
    }

    fn read(&mut self, name: &str, content: impl AsRef<[u8]>) {
        let file = self.path(name);
        std::fs::write(&file, content).expect("a file");
        let out = run(&["ingest", &file, "-a", &self.path("archive")]);
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

    fn says(&self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        assert!(self.said.contains(text), "{text}: {}", self.said);
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

fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, *content)
            .expect("the archive takes it");
    }
    out.into_inner().expect("an archive")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(content).expect("it is packed");
    out.finish().expect("it is packed")
}
