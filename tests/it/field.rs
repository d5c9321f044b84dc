//! Exports, lists and questions that people brought in public reports, as invented twins: what was wanted of each is asserted.

use std::path::{Path, PathBuf};

use crate::ask;
use crate::command_line::run;

mod exports;
mod files;
mod labels;
mod queries;

/// An archive of a folder with these files, read in one go; exit code and what was said.
struct Case {
    folder: tempfile::TempDir,
    code: Option<i32>,
    said: String,
}

impl Case {
    fn of(files: &[(&str, &str)]) -> Case {
        Case::with(files, &[])
    }

    fn with(files: &[(&str, &str)], more: &[&str]) -> Case {
        let mut case = Case::none();
        for (name, content) in files {
            case.put(name, content.as_bytes());
        }
        case.read(more);
        case
    }

    /// No archive: for queries that read no table.
    fn none() -> Case {
        Case {
            folder: tempfile::tempdir().expect("a folder"),
            code: None,
            said: String::new(),
        }
    }

    fn put(&self, name: &str, content: &[u8]) {
        let file = self.folder.path().join("evidence").join(name);
        let below = file.parent().expect("a file is in a folder");
        std::fs::create_dir_all(below).expect("a folder");
        std::fs::write(&file, content).expect("a file");
    }

    fn read(&mut self, more: &[&str]) {
        let evidence = text(&self.folder.path().join("evidence"));
        let archive = text(&self.archive());
        let mut all = vec!["ingest", &evidence, "-a", &archive];
        all.extend(more);
        (self.code, self.said) = told(&all);
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    /// The ingest ended with this code and said this.
    fn says(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        assert!(self.said.contains(part), "{part}: {}", self.said);
    }

    /// A command over the archive: exit code, and both streams.
    fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let archive = text(&self.archive());
        told(&[arguments, &["-a", &archive]].concat())
    }

    /// A query in KQL gives these lines of CSV, the header first.
    fn answers(&self, query: &str, more: &[&str], want: &[&str]) {
        let archive = text(&self.archive());
        let mut all = vec!["kql", "-f", "csv", query];
        if self.archive().exists() {
            all.extend(["-a", &archive]);
        }
        all.extend(more);
        let out = run(&all);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{query}: {said}");
        let found = String::from_utf8_lossy(&out.stdout);
        assert_eq!(found.lines().collect::<Vec<_>>(), want, "{query}: {said}");
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        ask(&self.archive(), sql)
    }

    /// The audit records: id, time, operation.
    fn audit(&self) -> Vec<String> {
        self.ask("SELECT Id, TimeGenerated, Operation FROM UnifiedAuditLog ORDER BY Id")
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn told(arguments: &[&str]) -> (Option<i32>, String) {
    let out = run(arguments);
    let both = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&both).into_owned();
    (out.status.code(), said)
}

/// An audit record with this number in its id and this time, and further keys.
fn record(n: u32, time: &str, operation: &str, more: &str) -> String {
    format!(
        r#"{{"CreationTime":"{time}","Id":"b{n}","Operation":"{operation}","RecordType":6,"Workload":"SharePoint","UserId":"ada@contoso.com"{more}}}"#
    )
}

/// A text as a cell of a CSV.
fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
