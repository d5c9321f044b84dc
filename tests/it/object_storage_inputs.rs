//! Exports that lie in object storage are read as those of a folder are.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::command_line;
use crate::durable::{export, text};
use crate::object_storage::{self, BUCKET, Server};
use crate::{ask, number, project};

/// Tables of which the sample data has rows.
const TABLES: [&str; 9] = [
    "ActivityExplorer",
    "AipServiceTrackingLog",
    "AipServiceUserLog",
    "CloudAppEvents",
    "InformationProtectionLogs_CL",
    "LabelEvents",
    "Revisions",
    "SigninLogs",
    "UnifiedAuditLog",
];

/// A run that goes well: what it answers.
fn done(out: &Output) -> String {
    let said = String::from_utf8_lossy(&out.stderr);
    let answer = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{answer}{said}");
    answer.into_owned()
}

/// Puts all files of a folder below `exports/`.
fn put_all(server: &Server, folder: &Path) {
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.expect("the folder can be read");
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(folder).expect("it is below");
            let key = format!("exports/{}", text(name).replace('\\', "/"));
            let bytes = std::fs::read(entry.path()).expect("a file");
            server.put(&key, &bytes);
        }
    }
}

fn is_empty(folder: &Path) -> bool {
    let mut entries = std::fs::read_dir(folder).expect("a folder");
    entries.next().is_none()
}

#[test]
fn a_container_is_read_as_the_folder_that_was_copied_there() {
    let Some(server) = Server::start() else {
        return;
    };
    put_all(&server, &project("sample-data"));
    // A key of a folder, as the consoles of stores make them, and an archive beside the exports.
    server.put("exports/ual-portal/", b"");
    server.put("exports/to-come/", b"");
    server.put(
        "exports/case/Ingests/_delta_log/00000000000000000000.json",
        b"{}",
    );
    server.put("exports/case/SigninLogs/part-1.parquet", b"PAR1");
    let folder = tempfile::tempdir().expect("a folder");
    let brought = folder.path().join("brought");
    std::fs::create_dir(&brought).expect("a folder");
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let local = command_line::run(&["ingest", "sample-data", "-a", &text(&here)]);
    done(&local);
    let (archive, temporary) = (text(&there), text(&brought));
    let arguments = [
        "ingest",
        "s3://evidence/exports/",
        "-a",
        &archive,
        "--temp-dir",
        &temporary,
    ];
    let answer = done(&server.run(&arguments));
    for passed in ["attack", "broken", "case"] {
        let line = format!("passed over  s3://evidence/exports/{passed}: ");
        assert!(answer.contains(&line), "{answer}");
    }
    for table in TABLES {
        let query = format!(r#"SELECT * FROM "{table}""#);
        let (mut one, mut other) = (ask(&here, &query), ask(&there, &query));
        one.sort();
        other.sort();
        assert!(!one.is_empty(), "{table}");
        assert_eq!(one, other, "{table}");
    }
    let files = r#"SELECT replace("File", 's3://evidence/exports/', 'sample-data/') FROM "Ingests" ORDER BY 1"#;
    assert_eq!(ask(&here, files), ask(&there, files));
    let addresses = r#"SELECT count(*) FROM "Ingests" WHERE "File" LIKE 's3://evidence/exports/%'"#;
    assert!(number(&there, addresses) > 30);
    let before = number(&there, r#"SELECT count(*) FROM "Ingests""#);
    let answer = done(&server.run(&arguments));
    assert!(answer.starts_with("files        0 "), "{answer}");
    assert_eq!(number(&there, r#"SELECT count(*) FROM "Ingests""#), before);
    assert!(is_empty(&brought));
}

#[test]
fn a_pattern_a_file_and_what_is_not_there() {
    let Some(server) = Server::start() else {
        return;
    };
    put_all(&server, &project("sample-data/formats"));
    let folder = tempfile::tempdir().expect("a folder");
    let first = export(folder.path(), "one.jsonl", 0..10);
    let bytes = std::fs::read(first).expect("a file");
    server.put("logs/m=05/d=01/PT05M #1.json", &bytes);
    server.put("logs/m=06/d=01/PT05M.json", &bytes);
    let archive = folder.path().join("archive");
    let read = |address: &str| {
        let answer = server.run(&["ingest", address, "-a", &text(&archive)]);
        (answer.status.code(), answer)
    };
    let ingests = || {
        let files = r#"SELECT "File" FROM "Ingests" ORDER BY "_IngestId""#;
        ask(&archive, files)
    };
    assert_eq!(read("s3://evidence/logs/**/*#1.json").0, Some(0));
    let one = "s3://evidence/logs/m=05/d=01/PT05M #1.json";
    assert_eq!(ingests(), [one]);
    // Named as it is, it is known; the other file has the same content.
    let answer = done(&read(one).1);
    assert!(answer.contains("1 file read before"), "{answer}");
    let answer = done(&read("s3://evidence/logs/m=0*").1);
    assert!(answer.contains("2 files read before"), "{answer}");
    let zip = "s3://evidence/exports/exports.zip";
    assert_eq!(read(zip).0, Some(0));
    let members = format!(r#"SELECT count(*) FROM "Ingests" WHERE "File" LIKE '{zip}/%'"#);
    assert_eq!(number(&archive, &members), 3);
    for (address, said) in [
        ("s3://evidence/log", "no file matches `s3://evidence/log`"),
        (
            "s3://evidence/logs/*.csv",
            "no file matches `s3://evidence/logs/*.csv`",
        ),
        ("s3://nowhere/exports/", "there is no such bucket"),
        ("s3:///exports", "it names no bucket"),
    ] {
        let (code, out) = read(address);
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn a_file_that_is_replaced_is_read_again_and_a_result_is_none() {
    let Some(server) = Server::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = |name: &str, numbers| {
        let path = export(folder.path(), name, numbers);
        std::fs::read(path).expect("a file")
    };
    let archive = folder.path().join("archive");
    let address = format!("s3://{BUCKET}/exports");
    let arguments = ["ingest", &address, "-a", &text(&archive)];
    server.put("exports/a.jsonl", &bytes("a", 10..20));
    server.put(
        "exports/findings.json",
        br#"{"generator": "coldtrail 1.0.0"}"#,
    );
    let answer = done(&server.run(&arguments));
    let result = "exports/findings.json: it is a result of coldtrail, not an export";
    assert!(answer.contains(result), "{answer}");
    // As long as before, with other events.
    server.put("exports/a.jsonl", &bytes("a", 20..30));
    done(&server.run(&arguments));
    let events = r#"SELECT count(*) FROM "UnifiedAuditLog""#;
    assert_eq!(number(&archive, events), 20);
}

/// A store of which some files cannot be had.
struct Faulty {
    port: u16,
    /// What was asked for, in order.
    asked: Arc<Mutex<Vec<String>>>,
}

/// A file of it: its key, and its bytes or the status that it answers with.
type File = (String, Result<Vec<u8>, u16>);

impl Faulty {
    fn with(files: Vec<File>) -> Faulty {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &files, &told);
            }
        });
        Faulty { port, asked }
    }

    /// Runs coldtrail with this store.
    fn run(&self, arguments: &[&str]) -> Output {
        object_storage::run(object_storage::environment(self.port), arguments)
    }

    /// The files that were asked for since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("nobody panics with it"))
    }
}

fn answer(mut stream: TcpStream, files: &[File], asked: &Mutex<Vec<String>>) {
    // A connection that is opened in advance says nothing.
    let patience = stream.set_read_timeout(Some(Duration::from_secs(2)));
    patience.expect("a time");
    let lines = BufReader::new(&stream).lines();
    let lines: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let Some(target) = lines.first().and_then(|line| line.split(' ').nth(1)) else {
        return;
    };
    let key = target.strip_prefix("/evidence/").unwrap_or_default();
    let (status, body) = match files.iter().find(|(known, _)| known == key) {
        _ if target.contains("list-type=2") => (200, listed(files, target).into_bytes()),
        None => (404, Vec::new()),
        Some((_, content)) => {
            asked
                .lock()
                .expect("nobody panics with it")
                .push(key.into());
            match content {
                Ok(bytes) => (200, bytes.clone()),
                Err(status) => (*status, Vec::new()),
            }
        }
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nETag: \"{key}\"\r\n\
         Last-Modified: Fri, 01 May 2026 00:00:00 GMT\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // Who asked may have gone.
    let _ = stream.write_all(&[head.as_bytes(), body.as_slice()].concat());
}

fn listed(files: &[File], target: &str) -> String {
    let prefix = target
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("prefix="));
    let prefix = prefix.unwrap_or_default().replace("%2F", "/");
    let files = files.iter().filter(|(key, _)| key.starts_with(&prefix));
    let contents = files.map(|(key, content)| {
        let size = content.as_ref().map_or(100, Vec::len);
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-05-01T00:00:00.000Z</LastModified>\
             <ETag>\"{key}\"</ETag><Size>{size}</Size></Contents>"
        )
    });
    let contents: String = contents.collect();
    format!("<ListBucketResult>{contents}</ListBucketResult>")
}

#[test]
fn files_that_cannot_be_had_are_said_and_the_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = |numbers| {
        let path = export(folder.path(), "x.jsonl", numbers);
        Ok(std::fs::read(path).expect("a file"))
    };
    let store = Faulty::with(vec![
        ("exports/a.jsonl".into(), bytes(0..10)),
        ("exports/b.jsonl".into(), Err(404)),
        ("exports/c.jsonl".into(), Err(403)),
        ("exports/d.jsonl".into(), bytes(10..20)),
    ]);
    let archive = folder.path().join("archive");
    let archive_name = text(&archive);
    let arguments = ["ingest", "s3://evidence/exports/", "-a", &archive_name];
    let out = store.run(&arguments);
    let told = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(10), "{told}");
    for said in [
        "unreadable   s3://evidence/exports/b.jsonl: ",
        "it was there when the folder was listed",
        "unreadable   s3://evidence/exports/c.jsonl: ",
    ] {
        assert!(told.contains(said), "{told}");
    }
    let events = r#"SELECT count(*) FROM "UnifiedAuditLog""#;
    assert_eq!(number(&archive, events), 20);
    let all = ["a", "b", "c", "d"].map(|name| format!("exports/{name}.jsonl"));
    assert_eq!(store.asked(), all);
    // What was read is not brought again, what could not be had is tried.
    let out = store.run(&arguments);
    assert_eq!(out.status.code(), Some(10));
    assert_eq!(store.asked(), all[1..3]);
    let ingests = r#"SELECT count(*) FROM "Ingests""#;
    assert_eq!(number(&archive, ingests), 4);
}

#[test]
fn a_store_that_fails_again_and_again_is_not_asked_for_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["a", "b", "c", "d", "e"].map(|name| format!("exports/{name}.jsonl"));
    // It is tried no second time, as a 500 would be for minutes.
    let files = names.iter().map(|name| (name.clone(), Err(400)));
    let store = Faulty::with(files.collect());
    let archive = folder.path().join("archive");
    let arguments = ["ingest", "s3://evidence/exports/", "-a", &text(&archive)];
    let out = store.run(&arguments);
    let told = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(10), "{told}");
    assert_eq!(store.asked(), names[..3]);
    let not_tried = "e.jsonl: cannot read `s3://evidence/exports/e.jsonl`: not tried";
    assert!(told.contains(not_tried), "{told}");
}

#[test]
fn a_nightly_run_reads_what_is_new_in_a_container() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = export(folder.path(), "x.jsonl", 0..10);
    let bytes = std::fs::read(path).expect("a file");
    let store = Faulty::with(vec![("exports/a.jsonl".into(), Ok(bytes))]);
    let configuration = folder.path().join("coldtrail.toml");
    let lines = "archive = \"archive\"\n[ingest]\ninputs = [\"s3://evidence/exports\"]\n";
    std::fs::write(&configuration, lines).expect("a configuration");
    let file = text(&configuration);
    let arguments = ["run", "-c", &file, "--create", "--at", "2026-07-01"];
    for _ in 0..2 {
        let out = store.run(&arguments);
        done(&out);
    }
    assert_eq!(store.asked(), ["exports/a.jsonl"]);
    let events = r#"SELECT count(*) FROM "UnifiedAuditLog""#;
    assert_eq!(number(&folder.path().join("archive"), events), 10);
}
