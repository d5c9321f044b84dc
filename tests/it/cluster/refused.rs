//! Who is not let in, what is not there, and what a worker cannot do: said in one line, and the worker serves on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{
    Case, PATIENCE, Running, SECRET, SLOW, Told, Worker, endless, first_to_begin, quick, rule,
    rules, same, takes,
};
use crate::object_storage::free_port;
use crate::sweep::statuses;

const QUESTION: [&str; 4] = ["kql", "SigninLogs | count", "-f", "csv"];

/// Asks with this secret at these addresses.
fn asked(case: &Case, at: &str, secret: &str) -> Told {
    let archive = case.path("archive");
    let more = ["-a", &archive, "--cluster", at, "--secret-file", secret];
    Running::start(&[&QUESTION[..], &more].concat(), &[]).told()
}

/// It ends with one of these codes, without an answer, names this, and keeps the secret.
fn refused(what: &str, told: &Told, codes: &[i32], named: &str) {
    let code = told.code.expect("it was not killed");
    assert!(codes.contains(&code), "{what}: {code}: {}", told.said);
    assert_eq!(told.answer, "", "{what}");
    assert!(told.said.contains(named), "{what}: {}", told.said);
    assert!(!told.said.contains(SECRET), "{what}: {}", told.said);
    let errors = told.said.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{what}: {}", told.said);
}

/// A worker that has refused somebody, or met nonsense, answers as before.
fn serves(case: &Case, worker: &Worker) {
    let told = asked(case, &worker.address, &case.path("secret"));
    assert_eq!(told.code, Some(0), "{}", told.said);
    assert_eq!(told.answer, "Count\n57\n");
}

#[test]
fn without_the_secret_nobody_is_let_in() {
    let case = Case::shared();
    let worker = Worker::begin(&mut case.command());
    serves(&case, &worker);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let wrong = file("wrong", &SECRET.replace('7', "8"));
    let short = file("short", "short");
    let nothing = folder.path().join("nothing").to_string_lossy().into_owned();
    let told = asked(&case, &worker.address, &wrong);
    refused("wrong", &told, &[3], &worker.address);
    // The worker says who was refused.
    let patience = Instant::now() + PATIENCE;
    let has_told = |worker: &Worker| {
        let log = worker.log();
        let mut lines = log.iter().map(|line| line.to_lowercase());
        lines.any(|line| line.contains("refused") && line.contains("127.0.0.1"))
    };
    while !has_told(&worker) {
        assert!(Instant::now() < patience, "{:?}", worker.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = asked(&case, &worker.address, &short);
    refused("short", &told, &[2, 3], "32");
    let told = asked(&case, &worker.address, &nothing);
    refused("no file", &told, &[2, 3], "nothing");
    serves(&case, &worker);
    assert!(worker.log().iter().all(|line| !line.contains(SECRET)));
    // A worker begins with none of these either.
    let archive = case.path("archive");
    for (secret, named) in [(&short, "32"), (&nothing, "nothing")] {
        let worker = ["worker", "-a", &archive, "--listen", "127.0.0.1:0"];
        let line = [&worker[..], &["--secret-file", secret]].concat();
        refused(secret, &Running::start(&line, &[]).told(), &[2, 3], named);
    }
}

#[test]
fn what_is_no_address_is_wrong_usage() {
    let case = Case::shared();
    let worker = Worker::begin(&mut case.command());
    let secret = case.path("secret");
    let at = worker.address.as_str();
    let (twice, further) = (format!("{at},{at}"), format!("{at},localhost"));
    for (wrong, named) in [
        ("localhost", "HOST:PORT"),
        ("localhost:x", "HOST:PORT"),
        ("https://localhost:7070", "HOST:PORT"),
        (&*further, "HOST:PORT"),
        (&*twice, "twice"),
    ] {
        refused(wrong, &asked(&case, wrong, &secret), &[2], named);
    }
    serves(&case, &worker);
}

#[test]
fn a_worker_that_is_not_there_ends_it_before_it_begins() {
    let case = Case::shared();
    let worker = Worker::begin(&mut case.command());
    let nobody = format!("127.0.0.1:{}", free_port());
    let secret = case.path("secret");
    refused("nobody", &asked(&case, &nobody, &secret), &[3], &nobody);
    // One of two is as bad: a dead machine is to be seen.
    let both = format!("{},{nobody}", worker.address);
    let archive = case.path("archive");
    let hunt = ["hunt", "-f", "json", "-r", "builtin:mip", "-a", &archive];
    let line = [&hunt[..], &["--cluster", &both, "--secret-file", &secret]].concat();
    refused(
        "one of two",
        &Running::start(&line, &[]).told(),
        &[3],
        &nobody,
    );
    serves(&case, &worker);
    // Nor does a worker begin where another one listens.
    let line = ["worker", "-a", &archive, "--listen", &worker.address];
    let line = [&line[..], &["--secret-file", &secret]].concat();
    let told = Running::start(&line, &[]).told();
    refused("taken", &told, &[3], &worker.address);
}

#[test]
fn another_archive_is_not_taken_for_this_one() {
    let (case, other) = (Case::shared(), Case::of("sample-data/signin"));
    let workers = [
        Worker::begin(&mut case.command()),
        Worker::begin(&mut other.command()),
    ];
    let secret = case.path("secret");
    let named = &workers[1].address;
    refused("kql", &asked(&case, named, &secret), &[3], named);
    let told = case.told(&workers, &["hunt", "-f", "json", "-r", "builtin:mip"]);
    refused("hunt", &told, &[3], named);
    serves(&case, &workers[0]);
    // The other one serves its own.
    let told = asked(&other, named, &secret);
    assert_eq!(told.code, Some(0), "{}", told.said);
}

#[test]
fn nonsense_on_the_port_harms_nobody() {
    let case = Case::shared();
    let worker = Worker::begin(&mut case.command());
    // HTTP, HTTP/2 without TLS, noise, half a greeting of TLS.
    let zeros = [0_u8; 4096];
    let all: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        &zeros,
        b"\x16\x03\x01\x02\0\x01",
    ];
    let mut open = Vec::new();
    for bytes in all {
        let mut stream = TcpStream::connect(&worker.address).expect("it listens");
        let patience = stream.set_read_timeout(Some(Duration::from_millis(500)));
        patience.expect("it can be set");
        // It may hang up before it has heard all.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        // TLS's own word for a mistake, or nothing.
        let is_alert = answer.first().is_none_or(|first| *first == 0x15);
        assert!(is_alert, "{:?}: {answer:?}", String::from_utf8_lossy(bytes));
        open.push(stream);
        serves(&case, &worker);
    }
    // People who connect and say nothing are in nobody's way.
    for _ in 0..20 {
        open.push(TcpStream::connect(&worker.address).expect("it listens"));
    }
    serves(&case, &worker);
    assert_eq!(open.len(), all.len() + 20);
}

#[test]
fn of_a_crowd_that_says_nothing_those_who_wait_longest_are_sent_away_and_it_is_said() {
    let case = Case::shared();
    let worker = Worker::begin(&mut case.command());
    // More than may wait at once.
    let crowd: Vec<TcpStream> = (0..270)
        .map(|_| TcpStream::connect(&worker.address).expect("it listens"))
        .collect();
    serves(&case, &worker);
    let begun = Instant::now();
    while !worker.has_said("too many others came") {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            worker.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(crowd);
}

#[test]
fn a_second_coordinator_is_told_that_the_worker_is_busy() {
    let case = Case::shared();
    // Longer than a worker waits for the end of who was served before.
    let (_folder, own) = rules(&[rule(SLOW, &takes(SLOW, 30_000_000))]);
    let hunt = ["hunt", "-f", "json", "-r", &own];
    let alone = case.told(&[], &hunt);
    let workers = case.workers(1);
    let running = case.start(&workers, &hunt);
    first_to_begin(&workers, SLOW, &[]);
    let told = asked(&case, &workers[0].address, &case.path("secret"));
    refused("busy", &told, &[3], "busy");
    refused("busy", &told, &[3], &workers[0].address);
    let told = running.told();
    assert_eq!(told.code, alone.code, "{}", told.said);
    same("the first", &told.answer, &alone.answer);
    serves(&case, &workers[0]);
}

#[test]
fn a_worker_without_memory_says_so_and_the_other_rules_run() {
    let case = Case::shared();
    let much = "range x from 1 to 400000 step 1\n| summarize make_set(hash_md5(tostring(x)), 1000000)\n| project n = array_length(set_)";
    let (_folder, own) = rules(&[rule("much", much), quick("quick")]);
    let workers = [Worker::begin(
        case.command().args(["--memory-limit", "16MiB"]),
    )];
    let hunt = ["hunt", "-f", "json", "-r", &own];
    let told = case.told(&workers, &hunt);
    assert_eq!(told.code, Some(20), "{}", told.said);
    let all = statuses(&told.json());
    let (status, reason) = &all["much"];
    assert_eq!(status, "not run");
    assert!(reason.contains("out of memory"), "{reason}");
    assert!(reason.contains(&workers[0].address), "{reason}");
    assert_eq!(all["quick"].0, "found");
    // The same of a question, which has no other.
    let told = case.told(&workers, &["kql", much]);
    refused("a question", &told, &[3], "out of memory");
    assert!(told.said.contains(&workers[0].address), "{}", told.said);
    serves(&case, &workers[0]);
    // With memory it runs.
    let told = case.told(&case.workers(1), &hunt);
    assert_eq!(told.code, Some(0), "{}", told.said);
}

#[test]
fn what_takes_too_long_ends_in_its_time_and_the_worker_is_free() {
    let case = Case::shared();
    let endless = endless("x");
    let (_folder, own) = rules(&[rule("endless", &endless), quick("quick")]);
    let workers = case.workers(1);
    let lines: [&[&str]; 2] = [
        &["hunt", "-f", "json", "-r", &own, "--rule-timeout", "1s"],
        &["kql", &endless, "--timeout", "1s"],
    ];
    for line in lines {
        let line = [line, &["--log-format", "json"]].concat();
        let alone = case.told(&[], &line);
        let told = case.told(&workers, &line);
        assert_eq!(told.code, alone.code, "{line:?}: {}", told.said);
        same(line[0], &told.answer, &alone.answer);
        assert_eq!(told.judged(), alone.judged(), "{line:?}");
        assert!(told.said.contains("no answer within 1 s"), "{}", told.said);
        serves(&case, &workers[0]);
    }
}
