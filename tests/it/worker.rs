//! `coldtrail worker` and `--cluster` before anybody is asked: secrets, what is refused, how a worker ends.

use std::process::Output;

use crate::command_line::run;

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// A path in a folder, as an argument.
fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_string_lossy().into_owned()
}

#[test]
fn what_a_worker_does_not_do_is_refused_before_anybody_is_asked() {
    // Neither is there: whoever asked them would say so, and end with 3.
    let cluster = ["--cluster", "192.0.2.1:7070", "--secret-file", "nowhere"];
    let refused: [(&[&str], &str); 9] = [
        (&["hunt", "--replay"], "--replay"),
        (&["hunt", "--external-data", "x"], "--external-data"),
        (&["hunt", "--geoip", "x.mmdb"], "--geoip"),
        (&["sql", "SELECT 1", "--table", "T=x.csv"], "--table"),
        (&["sql", "show tables;"], "SHOW TABLES"),
        (&["kql", "print 1", "--table", "T=x.csv"], "--table"),
        (&["kql", "print 1", "--explain"], "--explain"),
        (&["kql", "--functions"], "--functions"),
        (&["kql", "--check", "x.kql"], "--check"),
    ];
    for (line, option) in refused {
        let out = run(&[line, &["-a", "nowhere"], &cluster].concat());
        assert_eq!(out.status.code(), Some(2), "{line:?}: {}", said(&out));
        let begins = format!("error: {option} with --cluster: ");
        assert!(said(&out).starts_with(&begins), "{line:?}: {}", said(&out));
    }
}

#[test]
fn what_belongs_together_is_given_together() {
    let (cluster, secret) = (["--cluster", "192.0.2.1:7070"], ["--secret-file", "x"]);
    let hunt = ["hunt", "-a", "nowhere"];
    let wanting: [(Vec<&str>, &str); 6] = [
        ([&hunt[..], &cluster].concat(), "--secret-file"),
        ([&hunt[..], &secret].concat(), "--cluster"),
        (
            [&["kql", "print 1"][..], &cluster, &secret].concat(),
            "--archive",
        ),
        (
            vec!["worker", "-a", "x", "--listen", "h:1"],
            "--secret-file",
        ),
        (vec!["worker", "-a", "x", "--secret-file", "x"], "--listen"),
        (
            vec!["worker", "--new-secret", "x", "--listen", "h:1"],
            "--new-secret",
        ),
    ];
    for (line, option) in wanting {
        let out = run(&line);
        assert_eq!(out.status.code(), Some(2), "{line:?}: {}", said(&out));
        assert!(said(&out).contains(option), "{line:?}: {}", said(&out));
    }
}

#[test]
fn a_new_secret_is_its_owners_alone_and_takes_no_others_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a secret");
    for name in ["one", "two"] {
        let out = run(&["worker", "--new-secret", &path(&folder, name)]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        assert!(said(&out).contains(name), "{}", said(&out));
        let secret = read(name);
        let secret = secret.trim_end();
        assert_eq!(secret.len(), 64, "{secret}");
        assert!(secret.bytes().all(|b| b.is_ascii_hexdigit()), "{secret}");
    }
    let (one, two) = (read("one"), read("two"));
    assert_ne!(one, two);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let about = std::fs::metadata(folder.path().join("one")).expect("a file");
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
    let again = run(&["worker", "--new-secret", &path(&folder, "one")]);
    assert_eq!(again.status.code(), Some(3), "{}", said(&again));
    // There is no option that would replace it.
    assert!(
        said(&again).contains("name another file"),
        "{}",
        said(&again)
    );
    assert!(!said(&again).contains("--clobber"), "{}", said(&again));
    assert_eq!(read("one"), one);
}

#[test]
fn what_is_no_archive_is_said_when_the_worker_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let (secret, archive) = (path(&folder, "secret"), path(&folder, "nowhere"));
    let made = run(&["worker", "--new-secret", &secret]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let line = ["worker", "-a", &archive, "--listen", "127.0.0.1:0"];
    let out = run(&[&line[..], &["--secret-file", &secret]].concat());
    assert_eq!(out.status.code(), Some(3), "{}", said(&out));
    assert!(said(&out).contains("is not an archive"), "{}", said(&out));
    assert!(out.stdout.is_empty(), "{out:?}");
}

#[test]
#[cfg(unix)]
fn a_worker_says_where_it_listens_and_ends_well_with_ctrl_c() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use serde_json::Value;

    let folder = tempfile::tempdir().expect("a folder");
    let (archive, secret) = (path(&folder, "archive"), path(&folder, "secret"));
    let made = run(&["-q", "ingest", "sample-data/ual-portal", "-a", &archive]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let made = run(&["worker", "--new-secret", &secret]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["worker", "-a", &archive, "--listen", "127.0.0.1:0"])
        .args(["--secret-file", &secret, "--log-format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut first = String::new();
    let answer = child.stdout.take().expect("it is piped");
    BufReader::new(answer)
        .read_line(&mut first)
        .expect("a line");
    let press = format!("kill -s INT {}", child.id());
    let pressed = Command::new("sh").args(["-c", &press]).status();
    assert!(pressed.expect("a shell runs").success(), "{first}");
    let out = child.wait_with_output().expect("it ends");
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let address = first.trim_end().strip_prefix("listening on 127.0.0.1:");
    let port: u16 = address
        .and_then(|port| port.parse().ok())
        .unwrap_or_default();
    assert_ne!(port, 0, "{first}");
    let told = said(&out);
    let lines: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let listening = lines.iter().find(|line| line["event"] == "listening");
    let listening = listening.unwrap_or_else(|| panic!("{told}"));
    assert_eq!(listening["address"], format!("127.0.0.1:{port}"));
    let last = lines.last().expect("a line");
    assert_eq!(last["level"], "outcome");
    assert_eq!(last["exit"], 0);
}
