//! `LabelEvents` is derived when events are ingested, and says what the view works out of the events themselves.

use std::path::{Path, PathBuf};

use coldtrail::archive::{Archive, part};
use coldtrail::engine::{Options, Session, Source};

use crate::command_line::run;
use crate::{ask, ingest, number, project, rows};

const ALL: &str = "SELECT *, \"_Source\" FROM LabelEvents";

/// What an archive answers from derived rows, and what the view makes of the same events in memory. Names of labels are left out: lists
/// are no part of memory.
fn both(archive: &Path) -> [Vec<String>; 2] {
    let _ = std::fs::remove_dir_all(archive.join("watchlists"));
    let open = Archive::open(archive).expect("an archive");
    let snapshot = open.snapshot().expect("a snapshot");
    let mut stored = Vec::new();
    for (table, files) in snapshot.tables() {
        let mut batches = Vec::new();
        for file in files {
            let read = part::read(open.store(), table, &file.path, None);
            batches.extend(read.expect("a file of the archive"));
        }
        stored.push((table, batches));
    }
    let options = Options::default();
    let memory = Session::open(Source::Memory(stored), &options).expect("a session");
    let sorted = |mut rows: Vec<String>| {
        rows.sort();
        rows
    };
    [sorted(ask(archive, ALL)), sorted(rows(&memory, ALL))]
}

#[track_caller]
pub(crate) fn agrees(archive: &Path, what: &str) -> Vec<String> {
    let folder = archive.join("LabelEvents");
    assert!(folder.is_dir(), "{what}: nothing was derived");
    let [derived, view] = both(archive);
    for (one, other) in derived.iter().zip(&view) {
        assert_eq!(one, other, "{what}");
    }
    assert_eq!(derived.len(), view.len(), "{what}");
    derived
}

#[test]
fn derived_rows_are_those_of_the_view_over_all_samples() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data")]);
    assert!(agrees(&archive, "all samples").len() > 200);
}

/// Numbers that look like chance and are the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const KINDS: [&str; 5] = ["audit", "office", "app", "purview", "secured"];

/// An event as a source has it; what it says follows from its number alone.
fn record(kind: &str, n: u64) -> String {
    let id = format!("{n:08x}-0000-4000-8000-00000000000a");
    // Around midnight, so that the rows are of two days.
    let time = format!(
        "2026-05-{:02}T{:02}:{:02}:00",
        1 + n % 2,
        23 * (1 - n % 2),
        n % 60
    );
    let operation = match n % 4 {
        0 => "FileSensitivityLabelApplied",
        1 => "FileSensitivityLabelRemoved",
        2 => "FileSensitivityLabelChanged",
        // About no label by itself.
        _ => "FileAccessed",
    };
    let user = "Alice@contoso.com";
    let path = format!("https://contoso.sharepoint.com/a/Plan{n}.docx");
    match kind {
        "audit" => format!(
            r#"{{"Id":"{id}","CreationTime":"{time}","RecordType":6,"Operation":"{operation}","Workload":"SharePoint","UserId":"{user}","UserType":0,"ObjectId":"{path}"}}"#
        ),
        "office" => format!(
            r#"{{"TimeGenerated":"{time}Z","Type":"OfficeActivity","Operation":"{operation}","RecordType":"SharePointFileOperation","OfficeWorkload":"SharePoint","OfficeId":"{{{id}}}","UserId":"{user}","UserType":"Regular","OfficeObjectId":"{path}"}}"#
        ),
        "app" => format!(
            r#"{{"TimeGenerated":"{time}Z","Type":"CloudAppEvents","ActionType":"{operation}","Application":"Microsoft SharePoint Online","CountryCode":"DE","ReportId":"{}_20892_{id}","RawEventData":{{"Id":"{id}","RecordType":6,"Operation":"{operation}","Workload":"SharePoint","UserId":"{user}","ObjectId":"{path}"}}}}"#,
            1 + n % 2
        ),
        "purview" => format!(
            r#"{{"TimeGenerated":"{time}Z","Type":"MicrosoftPurviewInformationProtection","Id":"{}","RecordType":83,"Operation":"{}","UserId":"{user}","ObjectId":"{path}"}}"#,
            id.to_uppercase(),
            operation.trim_start_matches("File")
        ),
        _ => format!(
            r#"{{"TimeGenerated":"{time}Z","Type":"DataSecurityEvents","ActivityId":"{id}","ActionType":"Label removed","AccountUpn":"{user}","ObjectId":"{path}","SensitivityLabelId":"A,B","PreviousSensitivityLabelId":"A"}}"#
        ),
    }
}

#[test]
fn however_events_are_split_over_runs_and_sources_each_is_derived_and_counts_once() {
    let mut before: Option<Vec<String>> = None;
    for seed in 1..=4 {
        let mut chance = Chance(seed);
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("archive");
        // Which sources have an event is the same in each round; which run brings them is not.
        let mut runs = vec![Vec::new(); 3];
        for n in 0..40 {
            for (at, kind) in KINDS.iter().enumerate() {
                if (n * 7 + at as u64 * 3) % 5 < 2 {
                    runs[chance.below(3) as usize].push((*kind, n));
                }
            }
        }
        for (run, records) in runs.iter().enumerate() {
            let mut files: Vec<PathBuf> = Vec::new();
            for kind in KINDS {
                let own = records.iter().filter(|(of, _)| *of == kind);
                let mut lines: Vec<String> = own.map(|(_, n)| record(kind, *n) + "\n").collect();
                if lines.is_empty() {
                    continue;
                }
                let middle = chance.below(lines.len() as u64) as usize;
                lines.rotate_left(middle);
                let file = folder.path().join(format!("{run}-{kind}.json"));
                std::fs::write(&file, lines.concat()).expect("a file");
                files.push(file);
            }
            ingest(&archive, &files);
        }
        agrees(&archive, &format!("seed {seed}"));
        let what = "SELECT lower(\"EventId\"), \"Action\", \"SourceTable\", \"TimeGenerated\", \"CountryCode\" \
            FROM LabelEvents ORDER BY 1, 2, 3";
        let said = ask(&archive, what);
        let events = number(
            &archive,
            "SELECT count(DISTINCT lower(\"EventId\")) FROM LabelEvents",
        );
        assert_eq!(said.len() as u64, events, "seed {seed}");
        if let Some(before) = &before {
            assert_eq!(&said, before, "seed {seed}");
        }
        before = Some(said);
    }
}

fn done(arguments: &[&str], code: i32) -> String {
    let out = run(arguments);
    let told = [out.stdout, out.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert_eq!(out.status.code(), Some(code), "{arguments:?}: {told}");
    told
}

/// Three label actions, and a file that comes later.
fn case(folder: &Path) -> (String, String, String) {
    let text = |name: &str, numbers: &[u64]| {
        let path = folder.join(name);
        let lines: Vec<String> = numbers.iter().map(|n| record("audit", *n) + "\n").collect();
        std::fs::write(&path, lines.concat()).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let (first, later) = (text("first.json", &[0, 1, 2, 3]), text("later.json", &[4]));
    let archive = folder.join("archive").to_string_lossy().into_owned();
    done(&["ingest", "-a", &archive, &first], 0);
    (archive, first, later)
}

#[test]
fn rows_that_are_gone_are_missed_worked_out_and_derived_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _, later) = case(folder.path());
    let count = || {
        let asked = ["sql", "-a", archive.as_str(), "-f", "csv"];
        let query = "SELECT count(*) AS n FROM LabelEvents";
        done(&[&asked[..], &[query]].concat(), 0)
    };
    let derived = Path::new(&archive).join("LabelEvents");
    let wholly = done(&["verify", "-a", &archive], 0);
    assert!(wholly.contains("derived"), "{wholly}");
    let before = count();
    assert!(before.contains('3'), "{before}");
    std::fs::remove_dir_all(&derived).expect("it was derived");
    // Nobody who asks is told less for it.
    assert_eq!(count(), before);
    let hint = done(&["tables", "-a", &archive], 0);
    assert!(hint.contains("archive rebuild"), "{hint}");
    let missed = done(&["verify", "-a", &archive], 1);
    assert!(missed.contains("LabelEvents"), "{missed}");
    let again = done(&["archive", "rebuild", "-a", &archive], 0);
    assert!(again.contains("LabelEvents: 3 rows"), "{again}");
    assert!(derived.is_dir());
    let hint = done(&["tables", "-a", &archive], 0);
    assert!(!hint.contains("archive rebuild"), "{hint}");
    done(&["verify", "-a", &archive], 0);
    assert_eq!(count(), before);
    // A second time leaves the same rows in other files.
    done(&["archive", "rebuild", "-a", &archive], 0);
    done(&["verify", "-a", &archive], 0);
    assert_eq!(count(), before);
    std::fs::remove_dir_all(&derived).expect("it was derived again");
    done(&["ingest", "-a", &archive, &later], 0);
    assert!(derived.is_dir());
    done(&["verify", "-a", &archive], 0);
    assert!(count().contains('4'));
}

#[test]
fn an_archive_that_answers_slowly_is_told_once_with_what_mends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _, _) = case(folder.path());
    let slow = "LabelEvents is worked out of its events each time that it is asked; `coldtrail archive rebuild -a ";
    let rule = "queries/mip/label-removed.sql";
    let hunt = ["hunt", "-a", &archive, "-r", rule];
    let report = folder.path().join("report.html");
    let report = report.to_string_lossy().into_owned();
    let commands = [
        hunt.to_vec(),
        [&hunt[..], &["--replay"]].concat(),
        vec!["report", "-a", &archive, "-r", rule, "-f", "markdown"],
        vec!["report", "--label-changes", "-a", &archive, "-o", &report],
        vec!["notify", "access-denied", "-a", &archive, "--dry-run"],
        vec!["notify", "label-changes", "-a", &archive, "--dry-run"],
    ];
    for command in &commands {
        assert!(!done(command, 0).contains("archive rebuild"), "{command:?}");
    }
    std::fs::remove_file(&report).expect("a report");
    std::fs::remove_dir_all(Path::new(&archive).join("LabelEvents")).expect("it was derived");
    for command in &commands {
        let told = done(command, 0);
        assert_eq!(told.matches(slow).count(), 1, "{command:?}: {told}");
    }
    let quiet = done(&[&hunt[..], &["-q"]].concat(), 0);
    assert!(!quiet.contains("archive rebuild"), "{quiet}");
}

#[test]
fn a_damaged_derived_file_is_told_with_what_makes_it_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _, _) = case(folder.path());
    let day = Path::new(&archive).join("LabelEvents/date=2026-05-01");
    for file in std::fs::read_dir(&day).expect("a day of derived rows") {
        let path = file.expect("a file").path();
        let size = std::fs::metadata(&path).expect("a file").len() as usize;
        std::fs::write(&path, vec![0; size]).expect("it can be written");
    }
    let query = "SELECT \"Action\" FROM LabelEvents";
    let ask = ["sql", "-a", archive.as_str(), query];
    let told = done(&ask, 3);
    assert!(told.contains("hint: `coldtrail archive rebuild`"), "{told}");
    done(&["archive", "rebuild", "-a", &archive], 0);
    done(&ask, 0);
    done(&["verify", "-a", &archive], 0);
}

#[test]
fn a_revision_and_a_repeat_derive_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, first, _) = case(folder.path());
    let other = folder.path().join("other.json");
    let changed = record("audit", 1).replace("Alice", "Bob");
    std::fs::write(&other, changed + "\n").expect("a file");
    done(&["ingest", "-a", &archive, &other.to_string_lossy()], 0);
    done(&["ingest", "-a", &archive, &first], 0);
    let rows = ask(
        Path::new(&archive),
        "SELECT \"UserId\" FROM stored.\"LabelEvents\"",
    );
    assert_eq!(rows, ["Alice@contoso.com"; 3]);
    done(&["verify", "-a", &archive], 0);
}

#[test]
fn what_a_source_does_not_say_is_not_assumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("records.json");
    let record = |id: u32, rest: &str| {
        format!(
            r#"{{"Id":"{id:08x}-0000-4000-8000-00000000000a","CreationTime":"2026-05-01T10:00:00","Workload":"Aip","UserId":"ada@contoso.com","UserType":0,{rest}}}
"#
        )
    };
    let lines = [
        record(1, r#""RecordType":95,"Operation":"""#),
        record(2, r#""RecordType":95,"Operation":"Protect""#),
        record(
            3,
            r#""RecordType":83,"Operation":"SensitivityLabelApplied","SensitivityLabelId":"DEFA4170-0d19-0005-0005-bc88714345d2""#,
        ),
    ];
    std::fs::write(&file, lines.concat()).expect("a file");
    let archive = folder.path().join("archive");
    ingest(&archive, &[file]);
    let rows = agrees(&archive, "records that say little");
    assert_eq!(rows.len(), 3);
    assert_eq!(
        ask(
            &archive,
            "SELECT \"Action\", \"NewLabelName\" FROM LabelEvents ORDER BY \"EventId\""
        ),
        [
            "Other|",
            "ProtectionChanged|",
            "LabelApplied|Confidential (assumed)"
        ]
    );
}
