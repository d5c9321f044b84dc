//! What an archive knows of the identities of its events: enough to find each again, however it lies there, and never more than its tables say.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::durable::{
    TABLE, actions, commits, copy, done, export, ingest, last_commit, parquet_files, quick_folder,
    text, told,
};
use crate::number;

/// Events, repeats and revisions of each ingest.
fn counts(archive: &Path) -> Vec<String> {
    let query = "SELECT Events, Duplicates, Revisions FROM Ingests ORDER BY _IngestId";
    let answer = done(&["sql", "-a", &text(archive), "-f", "csv", query]);
    answer.lines().skip(1).map(str::to_string).collect()
}

fn record(id: usize, day: usize, user: &str) -> String {
    format!(
        r#"{{"Id":"00000000-0000-4000-8000-{id:012}","CreationTime":"2026-05-{day:02}T08:00:00","Operation":"FileAccessed","RecordType":6,"Workload":"SharePoint","UserId":"{user}"}}
"#
    )
}

fn write(folder: &Path, name: &str, lines: &[String]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, lines.concat()).expect("a file");
    path
}

#[test]
fn an_event_is_known_under_whatever_day_it_comes_back() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let days: Vec<String> = (1..=20).map(|n| record(n, n, "a@contoso.com")).collect();
    ingest(&archive, &write(folder.path(), "days.jsonl", &days));
    // Each in an ingest of its own: there are several runs by then.
    for n in 21..=25 {
        let one = [record(n, n, "a@contoso.com")];
        ingest(&archive, &write(folder.path(), &format!("{n}.jsonl"), &one));
    }
    let again = [
        record(3, 3, "a@contoso.com"),
        record(23, 23, "a@contoso.com"),
        // Another day, so another content.
        record(4, 28, "a@contoso.com"),
        record(24, 28, "a@contoso.com"),
        // Another one on the same day.
        record(5, 5, "b@contoso.com"),
        record(26, 5, "a@contoso.com"),
    ];
    ingest(&archive, &write(folder.path(), "again.jsonl", &again));
    let last = counts(&archive).pop();
    assert_eq!(last.as_deref(), Some("1,2,3"));
    // Revisions are known as well, also where that has to be read again.
    for round in 0..2 {
        let once_more = [
            record(4, 28, "a@contoso.com"),
            record(5, 5, "b@contoso.com"),
            record(30 + round, 30, "a@contoso.com"),
        ];
        let name = format!("more{round}.jsonl");
        ingest(&archive, &write(folder.path(), &name, &once_more));
        assert_eq!(counts(&archive).pop().as_deref(), Some("1,2,0"));
        fs::remove_dir_all(archive.join("_keys")).expect("it was there");
    }
}

#[test]
fn an_ingest_reads_no_rows_that_are_there() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let file = |n: usize| export(folder.path(), &format!("{n}.jsonl"), 10 * n..10 * n + 20);
    ingest(&archive, &file(0));
    // Whoever reads them fails: that costs an ingest what is there, and not what is new.
    for part in parquet_files(&archive.join(TABLE)) {
        let size = fs::metadata(&part).expect("a file").len();
        fs::write(&part, vec![0u8; size as usize]).expect("a file");
    }
    ingest(&archive, &file(1));
    assert_eq!(counts(&archive), ["20,0,0", "10,10,0"]);
}

/// What becomes of what an archive knows.
type Harm = Box<dyn Fn(&Path)>;

/// The files below `_keys`.
fn runs(archive: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(archive.join("_keys")).sort_by_file_name();
    let all = walk.into_iter().map(|e| e.expect("an entry").into_path());
    all.filter(|p| p.is_file()).collect()
}

#[test]
fn what_is_known_of_identities_may_be_lost_damaged_or_of_another_time() {
    let folder = quick_folder();
    let made = folder.path().join("made");
    let file = |n: usize| export(folder.path(), &format!("{n}.jsonl"), 10 * n..10 * n + 20);
    ingest(&made, &file(0));
    let before = folder.path().join("before");
    copy(&made.join("_keys"), &before);
    ingest(&made, &file(1));
    let other = folder.path().join("other");
    ingest(&other, &file(7));
    ingest(&other, &file(8));
    let none: Harm = Box::new(|_| {});
    let each = |what: fn(&Path)| -> Harm {
        Box::new(move |archive| runs(archive).iter().for_each(|run| what(run)))
    };
    let taken_from = |keys: PathBuf| -> Harm {
        Box::new(move |archive| {
            fs::remove_dir_all(archive.join("_keys")).expect("it was there");
            copy(&keys, &archive.join("_keys"));
        })
    };
    let harms: Vec<(&str, Harm)> = vec![
        ("nothing", none),
        ("removed", each(|run| fs::remove_file(run).expect("a file"))),
        ("emptied", each(|run| fs::write(run, "").expect("a file"))),
        (
            "cut",
            each(|run| {
                let bytes = fs::read(run).expect("its bytes");
                fs::write(run, &bytes[..bytes.len() - 8]).expect("a file");
            }),
        ),
        ("of yesterday", taken_from(before)),
        ("of another archive", taken_from(other.join("_keys"))),
    ];
    for (what, harm) in harms {
        let archive = folder.path().join("archive");
        copy(&made, &archive);
        assert!(!runs(&archive).is_empty());
        harm(&archive);
        // Ten that are there and ten that are not.
        ingest(&archive, &file(2));
        assert_eq!(counts(&archive), ["20,0,0", "10,10,0", "10,10,0"], "{what}");
        // And now it is known again.
        let there = runs(&archive);
        let sizes = there
            .iter()
            .map(|run| fs::metadata(run).expect("a file").len());
        assert!(sizes.sum::<u64>() >= 40 * 16, "{what}");
        let (code, said) = told(&["verify", "-a", &text(&archive)]);
        assert_eq!(code, Some(0), "{what}: {said}");
        fs::remove_dir_all(&archive).expect("it can be removed");
    }
}

#[test]
fn rows_without_an_identity_are_counted_over_all_ingests() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let row = "2026-05-01T08:00:00Z,red\n";
    for (name, rows, wanted) in [
        ("a.csv", 2, "2,0,0"),
        ("b.csv", 3, "1,2,0"),
        ("c.csv", 1, "0,1,0"),
        ("d.csv", 5, "2,3,0"),
    ] {
        if name == "d.csv" {
            fs::remove_dir_all(archive.join("_keys")).expect("it was there");
        }
        let lines = format!("Received,Colour\n{}", row.repeat(rows));
        let path = folder.path().join(name);
        fs::write(&path, lines).expect("a file");
        done(&[
            "ingest",
            &text(&path),
            "-a",
            &text(&archive),
            "--as",
            "Paint_CL",
        ]);
        assert_eq!(counts(&archive).pop().as_deref(), Some(wanted), "{name}");
    }
}

/// Events of three sources, of which some are in two and one in none that names it; ids are spelled as each source does.
fn sources(folder: &Path) -> [PathBuf; 3] {
    let id = |n: usize| format!("00000000-0000-4000-8000-{n:011}a");
    let fields = r#""Operation":"FileAccessed","UserId":"a@contoso.com""#;
    let audit = |id: &str, n: usize| {
        format!(
            r#"{{{id}"CreationTime":"2026-05-01T08:{n:02}:00","RecordType":6,"Workload":"SharePoint",{fields}}}
"#
        )
    };
    let office = |id: &str, n: usize| {
        format!(
            r#"{{{id}"TimeGenerated":"2026-05-01T09:{n:02}:00Z","Type":"OfficeActivity","RecordType":"SharePointFileOperation","OfficeWorkload":"SharePoint",{fields}}}
"#
        )
    };
    let app = |n: usize| {
        format!(
            r#"{{"TimeGenerated":"2026-05-01T10:{n:02}:00Z","Type":"CloudAppEvents","ActionType":"FileAccessed","Application":"Microsoft SharePoint Online","ReportId":"r{n}","RawEventData":{{"Id":"{}","RecordType":6,"Workload":"SharePoint",{fields}}}}}
"#,
            id(n)
        )
    };
    let audits = (1..=10).map(|n| audit(&format!(r#""Id":"{}","#, id(n)), n));
    let audits: Vec<String> = audits.chain([audit("", 11)]).collect();
    let spelled = |n: usize| format!(r#""OfficeId":" {{{}}} ","#, id(n).to_uppercase());
    let offices = (5..=15).map(|n| office(&spelled(n), n));
    let offices: Vec<String> = offices.chain([office("", 16)]).collect();
    let apps: Vec<String> = (8..=20).map(app).collect();
    [
        write(folder, "audit.jsonl", &audits),
        write(folder, "office.jsonl", &offices),
        write(folder, "apps.jsonl", &apps),
    ]
}

#[test]
fn views_say_the_same_whether_identities_are_known_or_not() {
    const VIEWS: [&str; 3] = ["UnifiedAuditLog", "OfficeActivity", "CloudAppEvents"];
    const RANGES: [&[&str]; 4] = [
        &[],
        &["--to", "2026-05-01T09:10"],
        &["--from", "2026-05-01T09:10"],
        &["--at", "2026-05-01T09:30"],
    ];
    let folder = quick_folder();
    let [audit, office, apps] = sources(folder.path());
    for (n, order) in [[&audit, &office, &apps], [&apps, &office, &audit]]
        .into_iter()
        .enumerate()
    {
        let archive = folder.path().join(format!("archive{n}"));
        for file in order {
            ingest(&archive, file);
        }
        let path = text(&archive);
        let answers = || {
            let mut out = Vec::new();
            for view in VIEWS {
                let query =
                    format!("SELECT \"TimeGenerated\", \"_Source\" FROM \"{view}\" ORDER BY 1, 2");
                for range in RANGES {
                    let mut arguments = vec!["sql", "-a", &path, "-f", "csv", &query];
                    arguments.extend(range);
                    out.push(done(&arguments));
                }
            }
            out
        };
        // Which way they are worked out.
        let asks_what_is_known = || {
            let plan = done(&["kql", "-a", &path, "--explain", "UnifiedAuditLog | count"]);
            plan.contains("is_in_audit_log")
        };
        assert!(asks_what_is_known(), "{order:?}");
        let known = answers();
        let rows: Vec<usize> = known.iter().map(|rows| rows.lines().count() - 1).collect();
        for view in rows.chunks(RANGES.len()) {
            assert_eq!((view[0], view[1] + view[2]), (22, 22), "{order:?}");
        }
        fs::remove_dir_all(archive.join("_keys")).expect("it was there");
        assert!(!asks_what_is_known(), "{order:?}");
        assert_eq!(answers(), known, "{order:?}");
    }
}

#[test]
fn an_event_that_another_program_deleted_is_hidden_from_no_view() {
    let folder = quick_folder();
    let archive = folder.path().join("archive");
    let [audit, office, apps] = sources(folder.path());
    let lines = fs::read_to_string(audit).expect("a file");
    let lines: Vec<String> = lines.split_inclusive('\n').map(str::to_string).collect();
    let (first, second) = lines.split_at(6);
    let label = json!({
        "Id": "00000000-0000-4000-8000-00000000009b",
        "CreationTime": "2026-05-01T08:30:00",
        "RecordType": 83,
        "Workload": "PublicEndpoint",
        "Operation": "SensitivityLabelRemoved",
        "UserId": "a@contoso.com",
        "SensitivityLabelEventData": {"OldSensitivityLabelId": "00000000-0000-4000-9000-000000000001"},
    });
    let mut second = second.to_vec();
    second.push(format!("{label}\n"));
    ingest(&archive, &write(folder.path(), "first.jsonl", first));
    ingest(&archive, &write(folder.path(), "second.jsonl", &second));
    ingest(&archive, &office);
    ingest(&archive, &apps);
    let count = "SELECT count(*) FROM \"UnifiedAuditLog\"";
    assert_eq!(number(&archive, count), 23);
    let labels = "SELECT count(*) FROM \"LabelEvents\"";
    assert_eq!(number(&archive, labels), 1);
    // Of the second export's six records the one without an id and the one about a label are in no other source.
    let table = archive.join(TABLE);
    let added = actions(&last_commit(&table));
    let mut added = added.iter().map(|action| &action["add"]);
    let added = added.rfind(|add| add.is_object());
    let added = added.expect("a file of the second export");
    let remove = json!({"remove": {
        "path": added["path"],
        "partitionValues": added["partitionValues"],
        "size": added["size"],
        "extendedFileMetadata": true,
        "deletionTimestamp": 1_778_000_000_000u64,
        "dataChange": true,
    }});
    let version = commits(&table).len();
    let commit = table.join(format!("_delta_log/{version:020}.json"));
    let info = json!({"commitInfo": {"timestamp": 1_778_000_000_000u64, "operation": "DELETE"}});
    fs::write(commit, format!("{info}\n{remove}\n")).expect("it can be written");
    assert_eq!(number(&archive, count), 21);
    assert_eq!(number(&archive, labels), 0);
    fs::remove_dir_all(archive.join("_keys")).expect("it was there");
    assert_eq!(number(&archive, count), 21);
    // A repair derives the rows again of the events that are left.
    done(&["archive", "repair", "-a", &text(&archive)]);
    assert_eq!(number(&archive, labels), 0);
}
