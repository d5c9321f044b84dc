//! Several machines: workers are processes of their own here, and what they answer is what one machine answers, byte by byte.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command_line::run;
use crate::crash::signal;
use crate::project;
use crate::sweep::asks;

mod dealt;
mod lost;
mod refused;
mod walls;

/// How long something may take that takes seconds: other tests run beside this one.
const PATIENCE: Duration = Duration::from_secs(240);
/// What the workers of a case know, and nobody else.
const SECRET: &str = "7f3a0c55e1d94b26a8f07b3c6d12e94f5a8b0c7d6e3f21908d4c5b6a79e8f013";
/// Of a query whose text begins so, the log of a worker says that it has begun.
const SLOW: &str = "slowone";

/// A rule in a file of its own: the file's name, and its text.
fn rule(name: &str, query: &str) -> (String, String) {
    (format!("{name}.yaml"), asks(name, query))
}

/// A rule that takes about two seconds of one core, and gives one row. Its query begins with `range` and the name.
fn takes_long(name: &str) -> (String, String) {
    rule(name, &takes(name, 6_000_000))
}

/// A rule that finds one sign-in at once.
fn quick(name: &str) -> (String, String) {
    rule(name, "SigninLogs\n| where RiskLevelDuringSignIn == 'high'")
}

/// A query of so many steps, a million of them about a third of a second. The name is a column of it.
fn takes(name: &str, steps: u32) -> String {
    format!(
        "range {name} from 1 to {steps} step 1\n| where hash_md5(strcat({name}, 'a')) startswith 'abc'\n| summarize n = count()"
    )
}

/// A query that would take days. The name is a column of it.
fn endless(name: &str) -> String {
    format!(
        "range {name} from 1 to 3000 step 1 | extend k = 1\n| join kind=inner (range y from 1 to 300000 step 1 | extend k = 1) on k\n| summarize n = countif(hash_md5(strcat({name}, y)) startswith 'abcdef')"
    )
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    code: Option<i32>,
    answer: String,
    said: String,
}

impl Told {
    /// Its answer in JSON.
    fn json(&self) -> Value {
        let answer = serde_json::from_str(&self.answer);
        answer.unwrap_or_else(|e| panic!("{e}: {}", self.said))
    }

    /// What a command with `--log-format json` said that does not differ from run to run, and is not about workers: levels and messages.
    fn judged(&self) -> Vec<String> {
        let lines = self.said.lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("an object a line");
            let text = |key: &str| line[key].as_str().expect("a text").to_string();
            (text("level"), text("message"))
        });
        let is_told = |(level, message): &(String, String)| {
            let is_steady = !["progress", "outcome"].contains(&level.as_str());
            is_steady && !message.starts_with("slowest: ") && !message.contains("worker")
        };
        let told = lines.filter(is_told);
        told.map(|(level, message)| format!("{level}: {message}"))
            .collect()
    }
}

/// Fails at the first line that differs.
fn same(what: &str, one: &str, other: &str) {
    for (number, (left, right)) in one.lines().zip(other.lines()).enumerate() {
        assert_eq!(left, right, "{what}: line {}", number + 1);
    }
    assert!(
        one == other,
        "{what}: {} bytes, and {} bytes",
        one.len(),
        other.len()
    );
}

/// A command that runs; it ends with this value.
struct Running {
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(line: &[impl AsRef<OsStr>], environment: &[(String, String)]) -> Running {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
            .args(line)
            .current_dir(project(""))
            .env("NO_COLOR", "1")
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(file("answer"))
            .stderr(file("said"))
            .spawn()
            .expect("the binary runs");
        Running { child, folder }
    }

    /// Waits for its end.
    fn told(mut self) -> Told {
        let patience = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its state is known") {
                break status;
            }
            let said = self.read("said");
            assert!(Instant::now() < patience, "it does not end: {said}");
            std::thread::sleep(Duration::from_millis(10));
        };
        Told {
            code: status.code(),
            answer: self.read("answer"),
            said: self.read("said"),
        }
    }

    fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.path().join(name)).expect("a file");
        String::from_utf8(bytes).expect("text")
    }
}

/// A worker; it ends with this value.
struct Worker {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    /// What starts one with one thread, on a port that is free.
    fn command(archive: &str, secret: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldtrail"));
        command
            .args(["worker", "-a", archive, "--listen", "127.0.0.1:0"])
            .args(["--secret-file", secret, "--threads", "1"])
            .args(["--log-format", "json"])
            .current_dir(project(""));
        command
    }

    /// Starts it, and waits until it listens.
    fn begin(command: &mut Command) -> Worker {
        let started = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.expect("the binary runs");
        let answer = child.stdout.take().expect("it is piped");
        let said = child.stderr.take().expect("it is piped");
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        each_line(said, move |line| {
            kept.lock().expect("nobody panics with it").push(line);
        });
        let (first, listening) = mpsc::channel();
        each_line(answer, move |line| {
            // Nobody waits for a second one.
            let _ = first.send(line);
        });
        let mut worker = Worker {
            child,
            address: String::new(),
            log,
        };
        let line = listening.recv_timeout(PATIENCE).unwrap_or_default();
        let address = line.strip_prefix("listening on ");
        worker.address = address
            .unwrap_or_else(|| panic!("`{line}`: {:?}", worker.log()))
            .to_string();
        worker
    }

    /// The lines that it has said so far.
    fn log(&self) -> Vec<String> {
        self.log.lock().expect("nobody panics with it").clone()
    }

    fn has_said(&self, word: &str) -> bool {
        self.log().iter().any(|line| line.contains(word))
    }

    fn kill(&self) {
        signal(&self.child, "KILL");
    }
}

/// Does something with each line that a process writes, as long as it writes.
fn each_line(pipe: impl Read + Send + 'static, each: impl FnMut(String) + Send + 'static) {
    std::thread::spawn(move || {
        let lines = BufReader::new(pipe).lines();
        lines.map_while(Result::ok).for_each(each);
    });
}

/// Waits until one of these workers says that it has begun a query with this word; which. Those that are `left` do not count.
fn first_to_begin(workers: &[Worker], word: &str, left: &[usize]) -> usize {
    let patience = Instant::now() + PATIENCE;
    loop {
        let has_begun = |at: &usize| !left.contains(at) && workers[*at].has_said(word);
        if let Some(at) = (0..workers.len()).find(has_begun) {
            return at;
        }
        assert!(Instant::now() < patience, "nobody begins `{word}`");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Where these workers are, as `--cluster` takes it.
fn addresses(workers: &[Worker]) -> String {
    let all: Vec<&str> = workers.iter().map(|one| one.address.as_str()).collect();
    all.join(",")
}

/// An archive of the sample data, and what its workers and their coordinator know.
struct Case {
    folder: tempfile::TempDir,
}

/// The case of those tests that change nothing in it, while one of them runs.
static SHARED: Mutex<Weak<Case>> = Mutex::new(Weak::new());

impl Case {
    /// One that nothing may be written to.
    fn shared() -> Arc<Case> {
        let mut shared = SHARED.lock().expect("the sample data can be read");
        if let Some(case) = shared.upgrade() {
            return case;
        }
        let case = Arc::new(Case::of("sample-data"));
        *shared = Arc::downgrade(&case);
        case
    }

    /// One of its own, of such exports.
    fn of(exports: &str) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let case = Case { folder };
        std::fs::write(case.path("secret"), SECRET).expect("a secret");
        case.ingest(exports);
        case
    }

    fn ingest(&self, exports: &str) {
        let out = run(&["-q", "ingest", exports, "-a", &self.path("archive")]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{said}");
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// What starts a worker over its archive.
    fn command(&self) -> Command {
        Worker::command(&self.path("archive"), &self.path("secret"))
    }

    fn workers(&self, count: usize) -> Vec<Worker> {
        let one = |_| Worker::begin(&mut self.command());
        (0..count).map(one).collect()
    }

    /// A command over its archive, by these workers; alone where there are none.
    fn start(&self, workers: &[Worker], line: &[&str]) -> Running {
        let (archive, secret) = (self.path("archive"), self.path("secret"));
        let at = addresses(workers);
        let mut line = [line, &["-a", &archive]].concat();
        if !workers.is_empty() {
            line.extend(["--cluster", &at, "--secret-file", &secret]);
        }
        Running::start(&line, &[])
    }

    /// How it ends.
    fn told(&self, workers: &[Worker], line: &[&str]) -> Told {
        self.start(workers, line).told()
    }
}

/// A folder of such rules, and its path.
fn rules(files: &[(String, String)]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a rule");
    }
    let path = folder.path().to_string_lossy().into_owned();
    (folder, path)
}
