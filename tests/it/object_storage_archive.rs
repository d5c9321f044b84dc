//! An archive in object storage is the archive of a disk: what commands say of it, whoever writes to it, and whatever cuts them off.

use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rand::RngExt;

use crate::object_storage::{BUCKET, Server, free_port};
use crate::project;

/// Exports of several kinds, with watchlists and an archive of zip.
const EXPORTS: &str = "sample-data";

/// A machine with a cache of its own.
struct Machine<'s> {
    server: &'s Server,
    /// Where it finds the store; nothing where it is the store itself.
    way: Option<u16>,
    cache: tempfile::TempDir,
}

impl<'s> Machine<'s> {
    fn new(server: &'s Server) -> Machine<'s> {
        Machine {
            server,
            way: None,
            cache: tempfile::tempdir().expect("a folder"),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldtrail"));
        command
            .args(arguments)
            .current_dir(project(""))
            .env("NO_COLOR", "1")
            .env("COLDTRAIL_CACHE", self.cache.path())
            .envs(self.server.environment());
        if let Some(port) = self.way {
            command.env("AWS_ENDPOINT", format!("http://127.0.0.1:{port}"));
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// What a command prints that has to end well.
    fn told(&self, arguments: &[&str]) -> String {
        let out = self.run(arguments);
        let said = String::from_utf8_lossy(&out.stderr);
        let told = String::from_utf8_lossy(&out.stdout);
        // What `verify` finds is its answer.
        assert_eq!(out.status.code(), Some(0), "{arguments:?}: {said}\n{told}");
        told.into_owned()
    }
}

fn address(name: &str) -> String {
    format!("s3://{BUCKET}/{name}")
}

/// The line of `verify` that is the same for archives of the same rows.
fn digest(machine: &Machine<'_>, archive: &str) -> String {
    let told = machine.told(&["verify", "-a", archive]);
    assert!(told.contains("no problems"), "{told}");
    let line = told
        .lines()
        .find(|l| l.starts_with("digest of the content"));
    line.unwrap_or_else(|| panic!("no digest: {told}"))
        .to_string()
}

/// What each table and view is called and how many rows it has; files and their sizes change with merges.
fn rows(machine: &Machine<'_>, archive: &str) -> Vec<String> {
    let told = machine.told(&["tables", "-a", archive]);
    let first_two = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        words.join(" ")
    };
    let is_counted = |line: &&str| {
        line.split_whitespace()
            .nth(1)
            .is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
    };
    let all: Vec<String> = told.lines().filter(is_counted).map(first_two).collect();
    assert!(all.len() > 5, "{told}");
    all
}

#[test]
fn an_archive_in_object_storage_is_that_of_a_disk() {
    let Some(server) = Server::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk").to_string_lossy().into_owned();
    let (one, other) = (Machine::new(&server), Machine::new(&server));
    let there = address("a/b");
    one.told(&["-q", "ingest", EXPORTS, "-a", &there]);
    one.told(&["-q", "ingest", EXPORTS, "-a", &disk]);
    let same = |arguments: &[&str]| {
        // A machine that has seen nothing of it yet, and has a cache of its own from then on.
        let ask = |archive: &str| {
            let out = other.run(&[arguments, &["-a", archive]].concat());
            let said = String::from_utf8_lossy(&out.stderr).replace(archive, "ARCHIVE");
            (
                out.status.code(),
                String::from_utf8_lossy(&out.stdout).replace(archive, "ARCHIVE"),
                said,
            )
        };
        assert_eq!(ask(&there), ask(&disk), "{arguments:?}");
    };
    let hunt = ["-q", "hunt", "-f", "json", "-r", "builtin:mip"];
    let all: [&[&str]; 5] = [
        &["tables"],
        &[
            "sql",
            "-f",
            "csv",
            r#"SELECT * FROM "LabelEvents" ORDER BY "TimeGenerated", "Action", "SourceTable", "EventId", "FileName", "FilePath", "_IngestId""#,
        ],
        &[
            "kql",
            "-f",
            "json",
            "union CloudAppEvents, UnifiedAuditLog | summarize count() by bin(TimeGenerated, 1d) | sort by TimeGenerated asc",
        ],
        &[
            "sql",
            "-f",
            "csv",
            r#"SELECT * FROM watchlists."SuperUsers" ORDER BY 1"#,
        ],
        &hunt,
    ];
    for arguments in all {
        same(arguments);
    }
    assert_eq!(digest(&other, &there), digest(&other, &disk));
    // More comes from the other machine, and is merged there.
    for archive in [&there, &disk] {
        other.told(&["-q", "ingest", "sample-data/attack", "-a", archive]);
        other.told(&["archive", "compact", "-a", archive]);
    }
    for arguments in all {
        same(arguments);
    }
    assert_eq!(digest(&one, &there), digest(&one, &disk));
    let again = one.told(&["ingest", EXPORTS, "-a", &there]);
    assert!(again.contains("files read before"), "{again}");
    let files = one.told(&[
        "sql",
        "-a",
        &there,
        "-f",
        "csv",
        r#"SELECT count(*) FROM "Ingests""#,
    ]);
    let disk_files = one.told(&[
        "sql",
        "-a",
        &disk,
        "-f",
        "csv",
        r#"SELECT count(*) FROM "Ingests""#,
    ]);
    assert_eq!(files, disk_files);
}

#[test]
fn what_a_hunt_concludes_is_stored_there_once() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, other) = (Machine::new(&server), Machine::new(&server));
    let there = address("alerts");
    one.told(&["-q", "ingest", EXPORTS, "-a", &there]);
    let count = |machine: &Machine<'_>| {
        let told = machine.told(&[
            "sql",
            "-a",
            &there,
            "-f",
            "csv",
            r#"SELECT count(*), count(DISTINCT "SystemAlertId") FROM "Alerts""#,
        ]);
        told.lines().nth(1).expect("a row").to_string()
    };
    let hunt = ["-q", "hunt", "-a", &there, "-r", "builtin:mip", "--store"];
    let stored = one.run(&hunt);
    assert!(
        stored.status.code().is_some_and(|c| c < 2),
        "{}",
        String::from_utf8_lossy(&stored.stderr)
    );
    let first = count(&other);
    assert_ne!(first, "0,0");
    let stored = other.run(&hunt);
    assert!(
        stored.status.code().is_some_and(|c| c < 2),
        "{}",
        String::from_utf8_lossy(&stored.stderr)
    );
    assert_eq!(count(&one), first);
}

#[test]
fn two_ingests_at_once_are_both_in_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let machines: Vec<Machine<'_>> = (0..3).map(|_| Machine::new(&server)).collect();
    let there = address("many");
    let exports = [
        "sample-data/ual-portal",
        "sample-data/cloudappevents",
        "sample-data/attack",
    ];
    for (machine, export) in machines.iter().zip(exports) {
        assert!(project(export).exists(), "{export}");
        let alone = address(&format!("alone/{export}"));
        machine.told(&["-q", "ingest", export, "-a", &alone]);
    }
    let started: Vec<Child> = machines
        .iter()
        .zip(exports)
        .map(|(machine, export)| {
            let mut command = machine.command(&["-q", "ingest", export, "-a", &there]);
            let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().expect("the binary runs")
        })
        .collect();
    for child in started {
        let out = child.wait_with_output().expect("it ends");
        assert_eq!(
            out.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    // One after the other on a disk: the same rows, in whatever order they came.
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk").to_string_lossy().into_owned();
    for export in exports {
        machines[0].told(&["-q", "ingest", export, "-a", &disk]);
    }
    digest(&machines[2], &there);
    let rows = |archive: &str| machines[1].told(&["tables", "-a", archive]);
    assert_eq!(rows(&there), rows(&disk));
}

#[test]
fn an_ingest_that_is_killed_is_completed_by_another_machine() {
    let Some(server) = Server::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk").to_string_lossy().into_owned();
    let machine = Machine::new(&server);
    machine.told(&["-q", "ingest", EXPORTS, "-a", &disk]);
    let begun = Instant::now();
    machine.told(&["-q", "ingest", EXPORTS, "-a", &address("whole")]);
    let whole = begun.elapsed();
    let wanted = machine.told(&["tables", "-a", &disk]);
    let mut cut = 0;
    for kill in 0..30 {
        let there = address(&format!("killed/{kill}"));
        let mut child = machine
            .command(&["-q", "ingest", EXPORTS, "-a", &there])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let moment = f64::from(kill) / 28.0 + rand::rng().random_range(0.0..0.03);
        std::thread::sleep(whole.mul_f64(moment));
        cut += u32::from(child.try_wait().expect("it can be asked").is_none());
        let _ = child.kill();
        child.wait().expect("it ends");
        machine.told(&["-q", "ingest", EXPORTS, "-a", &there]);
        assert_eq!(
            machine.told(&["tables", "-a", &there]),
            wanted,
            "kill {kill}"
        );
        digest(&machine, &there);
    }
    assert!(cut > 10, "{cut} of 30 were cut off");
}

/// A writer that stands still for minutes is thought dead, and wakes up when another one has written.
#[cfg(unix)]
#[test]
fn a_writer_that_wakes_up_commits_over_nobody() {
    let Some(server) = Server::start() else {
        return;
    };
    let (sleeper, other) = (Machine::new(&server), Machine::new(&server));
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk").to_string_lossy().into_owned();
    for export in ["cloudappevents", "ual-portal", "rms"] {
        let export = format!("sample-data/{export}");
        other.told(&["-q", "ingest", &export, "-a", &disk]);
    }
    let wanted = rows(&other, &disk);
    let begun = Instant::now();
    let first = ["-q", "ingest", "sample-data/cloudappevents", "-a"];
    sleeper.told(&[&first[..], &[&address("alone")]].concat());
    let whole = begun.elapsed();
    let (mut overtaken, mut slept) = (0, 0);
    for moment in 0..20 {
        let name = format!("sleeps/{moment}");
        let there = address(&name);
        let child = sleeper
            .command(&[&first[..], &[&there]].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        std::thread::sleep(whole.mul_f64(f64::from(moment) / 20.0));
        let signal = |name: &str| {
            let sent = Command::new("kill")
                .args([name, &child.id().to_string()])
                .status();
            sent.is_ok_and(|status| status.success())
        };
        slept += u32::from(signal("-STOP"));
        // Untouched for minutes.
        server.delete(&format!("{name}/.lease"));
        other.told(&["-q", "ingest", "sample-data/ual-portal", "-a", &there]);
        // It goes on, and merges what is there.
        other.told(&["-q", "ingest", "sample-data/rms", "-a", &there]);
        other.told(&["archive", "compact", "-a", &there]);
        signal("-CONT");
        let out = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&out.stderr);
        match out.status.code() {
            Some(0) => {}
            Some(3) => {
                assert!(
                    said.contains("by somebody else in the meantime"),
                    "{moment}: {said}"
                );
                overtaken += 1;
            }
            code => panic!("{moment}: {code:?}: {said}"),
        }
        sleeper.told(&[&first[..], &[&there]].concat());
        assert_eq!(rows(&other, &there), wanted, "{moment}");
        digest(&other, &there);
    }
    println!("{slept} slept, {overtaken} were overtaken");
    assert!(
        slept > 10 && overtaken > 0,
        "{slept} slept, {overtaken} were overtaken"
    );
}

/// What was copied of an archive is not taken for that of another one at the same address.
#[test]
fn an_archive_that_is_gone_or_made_anew_is_not_answered_from_the_copy() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, other) = (Machine::new(&server), Machine::new(&server));
    let there = address("anew");
    let count = r#"SELECT count(*) FROM "UnifiedAuditLog""#;
    let ask = |machine: &Machine<'_>| machine.run(&["sql", "-f", "csv", "-a", &there, count]);
    other.told(&["-q", "ingest", "sample-data/attack", "-a", &there]);
    let before = ask(&one);
    assert_eq!(before.status.code(), Some(0));
    server.clear("anew/");
    let gone = ask(&one);
    assert_eq!(
        gone.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&gone.stdout)
    );
    other.told(&["-q", "ingest", "sample-data/ual-portal", "-a", &there]);
    let fresh = Machine::new(&server);
    let anew = ask(&fresh);
    assert_eq!(anew.status.code(), Some(0));
    assert_ne!(anew.stdout, before.stdout);
    assert_eq!(ask(&one).stdout, anew.stdout);
    digest(&one, &there);
}

/// Mails are sent once, whatever machine looks.
#[test]
fn what_was_sent_is_known_on_every_machine() {
    let Some(server) = Server::start() else {
        return;
    };
    let (one, other) = (Machine::new(&server), Machine::new(&server));
    let there = address("mails");
    one.told(&["-q", "ingest", EXPORTS, "-a", &there]);
    let folder = tempfile::tempdir().expect("a folder");
    let outbox = folder.path().join("outbox").to_string_lossy().into_owned();
    let notify = [
        "-q",
        "notify",
        "access-denied",
        "-a",
        &there,
        "--domain",
        "contoso.com",
        "--outbox",
        &outbox,
    ];
    let mails = || std::fs::read_dir(&outbox).map_or(0, Iterator::count);
    one.told(&notify);
    let first = mails();
    assert!(first > 0);
    for machine in [&other, &one, &other] {
        machine.told(&notify);
        assert_eq!(mails(), first);
    }
}

/// A way to the store that throttles and cuts connections.
struct Faulty {
    child: Child,
    port: u16,
}

impl Faulty {
    /// So many of a hundred requests go wrong, and this header is lost on the way.
    fn start(server: &Server, (seed, percent): (u32, u32), lost: Option<&str>) -> Faulty {
        let port = free_port();
        let child = Command::new("python3")
            .arg(project("tests/it/object_storage/faulty.py"))
            .args([
                port.to_string(),
                server.port().to_string(),
                seed.to_string(),
                (f64::from(percent) / 100.0).to_string(),
            ])
            .args(lost)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .spawn()
            .expect("Python runs");
        let way = Faulty { child, port };
        let patience = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < patience, "it does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        way
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_store_that_throttles_and_cuts_connections_loses_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk").to_string_lossy().into_owned();
    let way = Faulty::start(&server, (7, 15), None);
    let mut machine = Machine::new(&server);
    machine.told(&["-q", "ingest", EXPORTS, "-a", &disk]);
    let wanted = machine.told(&["tables", "-a", &disk]);
    let there = address("faulty");
    machine.way = Some(way.port);
    machine.told(&["-q", "ingest", EXPORTS, "-a", &there]);
    machine.told(&["-q", "ingest", "sample-data/attack", "-a", &there]);
    machine.told(&["archive", "compact", "-a", &there]);
    machine.way = None;
    let clean = Machine::new(&server);
    digest(&clean, &there);
    machine.told(&["-q", "ingest", "sample-data/attack", "-a", &disk]);
    machine.told(&["archive", "compact", "-a", &disk]);
    assert_ne!(machine.told(&["tables", "-a", &disk]), wanted);
    assert_eq!(
        clean.told(&["tables", "-a", &there]),
        clean.told(&["tables", "-a", &disk])
    );
}

/// Two writers would overwrite each other there.
#[test]
fn a_store_that_does_not_keep_conditions_of_writes_is_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut machine = Machine::new(&server);
    for lost in ["if-none-match", "if-match"] {
        let way = Faulty::start(&server, (1, 0), Some(lost));
        machine.way = Some(way.port);
        let there = address(lost);
        let out = machine.run(&["-q", "ingest", "sample-data/rms", "-a", &there]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{lost}: {said}");
        assert!(said.contains("conditions of writes"), "{lost}: {said}");
        let out = machine.run(&["sql", "-a", &there, "SELECT 1"]);
        assert_eq!(out.status.code(), Some(3), "{lost}: nothing was begun");
    }
}

/// An archive of a disk that is copied file by file is one, with all that a later ingest needs.
#[test]
fn an_archive_that_is_copied_there_is_one() {
    let Some(server) = Server::start() else {
        return;
    };
    let machine = Machine::new(&server);
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk");
    let archive = disk.to_string_lossy().into_owned();
    machine.told(&["-q", "ingest", EXPORTS, "-a", &archive]);
    for entry in walkdir::WalkDir::new(&disk) {
        let entry = entry.expect("the folder can be read");
        if entry.file_type().is_file() {
            let below = entry.path().strip_prefix(&disk).expect("below it");
            let bytes = std::fs::read(entry.path()).expect("a file");
            server.put(&format!("copied/{}", below.display()), &bytes);
        }
    }
    let there = address("copied");
    assert_eq!(digest(&machine, &there), digest(&machine, &archive));
    for archive in [&there, &archive] {
        machine.told(&["-q", "ingest", "sample-data/attack", "-a", archive]);
    }
    assert_eq!(rows(&machine, &there), rows(&machine, &archive));
    assert_eq!(digest(&machine, &there), digest(&machine, &archive));
}

#[test]
fn what_is_wrong_with_a_place_is_said() {
    let Some(server) = Server::start() else {
        return;
    };
    let machine = Machine::new(&server);
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        let out = machine.run(arguments);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{arguments:?}: {said}");
        for word in words {
            assert!(
                said.contains(word),
                "{arguments:?} should say `{word}`: {said}"
            );
        }
        assert!(!said.contains("<?xml"), "{said}");
        // The copy in the cache is nobody's business.
        assert!(
            !said.contains(&*machine.cache.path().to_string_lossy()),
            "{said}"
        );
    };
    let none = address("nothing");
    refused(
        &["sql", "-a", &none, "SELECT 1"],
        3,
        &[&none, "is not an archive"],
    );
    refused(
        &["ingest", EXPORTS, "-a", "s3://no-such-bucket/x"],
        3,
        &["s3://no-such-bucket/x", "there is no such bucket", "hint:"],
    );
    refused(&["archive", "repair", "-a", &none], 2, &["on a disk"]);
    refused(&["sql", "-a", "s3://", "SELECT 1"], 3, &["BUCKET"]);
}
