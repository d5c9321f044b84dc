//! `shell`: through a pipe, and on a terminal that tmux plays.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{ingest, project};

/// The archive of the sample data.
fn sample() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    ingest(&archive, &[project("sample-data")]);
    let archive = archive.to_string_lossy().into_owned();
    (folder, archive)
}

/// What a shell answers to lines from a pipe: status, stdout, stderr.
fn piped(archive: &str, lines: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["shell", "-a", archive])
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    // A shell that ended at an error reads no further.
    let _ = pipe.write_all(lines.as_bytes());
    drop(pipe);
    let out = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn a_pipe_is_asked_in_both_languages() {
    let (folder, archive) = sample();
    let file = folder.path().join("answer.csv");
    let query = folder.path().join("two.kql");
    std::fs::write(&query, "let n = 40;\n\nprint n + 2;\nprint 7;").expect("a file");
    let lines = format!(
        ".mode csv\nSELECT 1 + 1 AS two;\nprint three = 3\n\n.kql print four = 4\n.read {}\n.output {}\nprint five = 5;\nprint six = 6;\n",
        query.display(),
        file.display()
    );
    let (status, out, err) = piped(&archive, &lines);
    assert_eq!(status, Some(0), "{err}");
    for part in [
        "two\n2\n",
        "three\n3\n",
        "four\n4\n",
        "42\n",
        "7\n",
        "six\n6\n",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains("five"), "{out}");
    let shown = file.display();
    for told in [
        format!("the next answer goes to `{shown}`, as CSV"),
        format!("the answer is in `{shown}`"),
    ] {
        assert!(err.contains(&told), "{told}: {err}");
    }
    let written = std::fs::read_to_string(&file).expect("the answer");
    assert!(written.contains("five\n5"), "{written}");
    let again = format!(".output {}\nprint 1;\n", file.display());
    let (status, _, err) = piped(&archive, &again);
    assert_eq!(status, Some(3), "{err}");
    assert!(err.contains("exists already"), "{err}");
    let (status, _, err) = piped(&archive, ".mode parquet\n");
    assert_eq!(status, Some(2), "{err}");
    assert!(err.contains("`.output FILE.parquet`"), "{err}");
    // -C is a word of its own.
    let far = format!(".output -C{}\nprint 1;\n", file.display());
    let (status, _, _) = piped(&archive, &far);
    assert_ne!(status, Some(0));
    let kept = std::fs::read_to_string(&file).expect("the answer");
    assert_eq!(kept, written);
}

#[test]
fn commands_say_what_there_is_and_errors_end_a_pipe() {
    let (_folder, archive) = sample();
    let (status, out, err) = piped(
        &archive,
        ".help\n.tables\n.schema LabelEvents\n.timer on\nprint 1;\n",
    );
    assert_eq!(status, Some(0), "{err}");
    for part in [".output", "UnifiedAuditLog", "OldLabelRank"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(err.contains("took "), "{err}");
    let (status, out, err) = piped(
        &archive,
        "LabelEvents | wher Action == 'x';\nprint later = 1;\n",
    );
    assert_eq!(status, Some(2), "{err}");
    assert!(err.contains('^') && !out.contains("later"), "{out}{err}");
    let (status, _, err) = piped(&archive, ".tabels\n");
    assert_eq!(status, Some(2), "{err}");
    assert!(err.contains("`.tables`"), "{err}");
}

#[test]
fn a_mark_that_windows_writes_before_a_text_is_none_of_it() {
    let (folder, archive) = sample();
    let file = folder.path().join("marked.sql");
    std::fs::write(&file, "\u{feff}SELECT 6 * 7 AS answer").expect("a file");
    let lines = format!("\u{feff}.read {}\n", file.display());
    let (status, out, err) = piped(&archive, &lines);
    assert_eq!(status, Some(0), "{err}");
    assert!(out.contains("42"), "{out}");
    let file = file.to_string_lossy();
    let asked = crate::command_line::run(&["sql", "-a", &archive, "-F", &file]);
    assert_eq!(asked.status.code(), Some(0), "{asked:?}");
    assert!(String::from_utf8_lossy(&asked.stdout).contains("42"));
}

/// A terminal with a shell in it; it ends with the test.
struct Terminal(String);

impl Terminal {
    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.0, "-f", "/dev/null"])
            .args(arguments);
        let out = tmux.output().expect("tmux runs");
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn open(name: &str, archive: &str, history: &Path) -> Terminal {
        let terminal = Terminal(format!("{name}-{}", std::process::id()));
        let command = format!(
            "COLDTRAIL_HISTORY='{}' NO_COLOR=1 '{}' shell -a '{archive}'",
            history.display(),
            env!("CARGO_BIN_EXE_coldtrail")
        );
        terminal.tmux(&["new-session", "-d", "-x", "120", "-y", "40", &command]);
        terminal.shows("coldtrail>");
        terminal
    }

    fn types(&self, keys: &[&str]) {
        // A semicolon at the end of an argument would end the command of tmux.
        let escaped = keys.iter().map(|key| match key.strip_suffix(';') {
            Some(text) => format!("{text}\\;"),
            None => (*key).to_string(),
        });
        let escaped: Vec<String> = escaped.collect();
        let mut arguments = vec!["send-keys"];
        arguments.extend(escaped.iter().map(String::as_str));
        self.tmux(&arguments);
    }

    /// Waits until the screen has a text.
    fn shows(&self, text: &str) {
        self.waits(text, || {});
    }

    /// Types the same twice a second until the screen has a text.
    fn types_until(&self, keys: &[&str], text: &str) {
        let mut last = Instant::now();
        self.waits(text, || {
            if last.elapsed() > Duration::from_millis(500) {
                self.types(keys);
                last = Instant::now();
            }
        });
    }

    fn waits(&self, text: &str, mut meanwhile: impl FnMut()) {
        let begun = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if screen.contains(text) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "no {text}: {screen}"
            );
            meanwhile();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn a_history_that_cannot_be_written_is_said_once() {
    if !cfg!(unix) || Command::new("tmux").arg("-V").output().is_err() {
        println!("skipped: tmux is not there");
        return;
    }
    let (folder, archive) = sample();
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let terminal = Terminal::open("history", &archive, &file.join("history"));
    for (typed, answer) in [("print a = 40 + 5;", "45"), ("print a = 40 + 6;", "46")] {
        terminal.types(&[typed, "Enter"]);
        terminal.shows(answer);
    }
    let screen = terminal.tmux(&["capture-pane", "-p", "-J"]);
    assert_eq!(screen.matches("cannot be written").count(), 1, "{screen}");
}

#[test]
fn a_terminal_completes_remembers_and_survives_ctrl_c() {
    if !cfg!(unix) || Command::new("tmux").arg("-V").output().is_err() {
        println!("skipped: tmux is not there");
        return;
    }
    let (folder, archive) = sample();
    let history = folder.path().join("state/history");
    let terminal = Terminal::open("shell", &archive, &history);
    terminal.types(&["LabelEv", "Tab"]);
    terminal.shows("LabelEvents");
    terminal.types(&[
        " ",
        "Enter",
        "| summarize lines = 6 * 7 + 0 * count();",
        "Enter",
    ]);
    terminal.shows("42");
    terminal.types(&["LabelEvents | wher x;", "Enter"]);
    terminal.shows("^");
    terminal.types(&[
        "SELECT count(*) FROM UnifiedAuditLog a, UnifiedAuditLog b, UnifiedAuditLog c, UnifiedAuditLog d WHERE length(a.AuditData) + length(b.AuditData) + length(c.AuditData) = length(d.AuditData) % 7 - 1;",
        "Enter",
    ]);
    // Where the query does not run yet, Ctrl-C only gives the prompt again.
    terminal.types_until(&["C-c"], "the query was ended");
    // What was ended is over: Tab looks into the archive again.
    terminal.types(&["CloudAppEvents | project RawEventData.Operat", "Tab"]);
    terminal.shows("RawEventData.Operation");
    terminal.types(&["C-u"]);
    terminal.types(&[".mode mark", "Tab"]);
    terminal.shows(".mode markdown");
    terminal.types(&["C-u"]);
    terminal.types(&[".schema watchlists.Sup", "Tab"]);
    terminal.shows(".schema watchlists.SuperUsers");
    terminal.types(&["C-u"]);
    terminal.types(&["print after = 40 + 4;", "Enter"]);
    terminal.shows("44");
    drop(terminal);
    let terminal = Terminal::open("again", &archive, &history);
    terminal.types(&["Up"]);
    terminal.shows("print after = 40 + 4;");
}
