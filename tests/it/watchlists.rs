//! Watchlists: a bad one is said with its row and stops nothing but what needs it. And files that a query names, which are no files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::{ask, project};

/// Runs the binary; status, and answers and messages together. One that waits for a pipe is ended.
fn told(arguments: &[&str]) -> (Option<i32>, String) {
    within(Command::new(env!("CARGO_BIN_EXE_coldtrail")).args(arguments))
}

fn within(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command
        .current_dir(project(""))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let started = Instant::now();
    while child.try_wait().expect("its status").is_none() {
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().expect("it runs");
            child.wait().expect("its end");
            panic!("{command:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let out = child.wait_with_output().expect("its output");
    let text = [out.stdout, out.stderr].concat();
    (
        out.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Evidence: one event, and lists in a folder `watchlists`.
fn evidence(folder: &Path, event: &str, lists: &[(&str, &[u8])]) -> String {
    let own = folder.join("watchlists");
    std::fs::create_dir_all(&own).expect("a folder");
    let record = format!(
        r#"{{"Id":"{event}","CreationTime":"2026-05-01T00:00:00","Operation":"X","UserId":"u@contoso.com"}}"#
    );
    std::fs::write(folder.join("audit.jsonl"), record + "\n").expect("a file");
    for (name, content) in lists {
        std::fs::write(own.join(name), content).expect("a file");
    }
    text(folder)
}

fn files(archive: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(archive.join("watchlists")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|e| text(Path::new(&e.expect("an entry").file_name())))
        .collect();
    names.sort();
    names
}

#[test]
fn bad_lists_are_left_out_with_their_row_and_stop_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let sixteen: Vec<u8> = std::iter::once(0xfeff)
        .chain("Name;Why\r\nZoë;new\r\n".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let lists: [(&str, &[u8]); 9] = [
        ("Dup.csv", b"a,a\n1,2\n"),
        ("Empty.csv", b""),
        ("Labels.csv", b"Id,Rank\nx,1\n"),
        ("Latin.csv", b"Name\nM\x81ller\n"),
        ("Open.csv", b"a\n1\n\"2\n"),
        ("Short.csv", b"a,b\n1,2\n3\n"),
        ("Marked.csv", b"\xef\xbb\xbfName\na@contoso.com\n"),
        ("Sixteen.csv", &sixteen),
        (
            "superusers.CSV",
            b"UserPrincipalName,Comment\nu@contoso.com,\n",
        ),
    ];
    let inputs = evidence(&folder.path().join("ev"), "e1", &lists);
    let refusals = [
        "Dup.csv: columns 1 and 2 are both called `a`",
        "Empty.csv: it is empty",
        "Labels.csv: it needs the columns Id and Name",
        "Latin.csv: line 2 is neither UTF-8 nor Windows-1252",
        "Open.csv: row 2 (line 3) opens a quote and never closes it",
        "Short.csv: row 2 (line 3) has 1 column, the header 2",
    ];
    let (code, plan) = told(&["ingest", &inputs, "-a", &path, "--dry-run"]);
    assert_eq!(code, Some(10), "{plan}");
    assert_eq!(plan.matches("    refused    ").count(), 6, "{plan}");
    assert!(!archive.exists());
    let (code, said) = told(&["ingest", &inputs, "-a", &path]);
    assert_eq!(code, Some(10), "{said}");
    for refused in refusals {
        let refused = format!("{inputs}/watchlists/{refused}").replace('\\', "/");
        assert!(said.contains(&format!("refused      {refused}")), "{said}");
    }
    let taken = "watchlists   Marked.csv, Sixteen.csv, SuperUsers.csv\n";
    assert!(said.contains(taken), "{said}");
    assert_eq!(
        files(&archive),
        ["Marked.csv", "Sixteen.csv", "SuperUsers.csv"]
    );
    assert_eq!(ask(&archive, "SELECT count(*) FROM UnifiedAuditLog"), ["1"]);
    assert_eq!(
        ask(&archive, "SELECT Name, Why FROM watchlists.Sixteen"),
        ["Zoë|new"]
    );
    assert_eq!(
        ask(&archive, "SELECT Name FROM watchlists.Marked"),
        ["a@contoso.com"]
    );
    assert_eq!(told(&["tables", "-a", &path]).0, Some(0));
    // What is there already is neither taken nor refused.
    let (_, again) = told(&["ingest", &inputs, "-a", &path]);
    assert!(!again.contains("SuperUsers"), "{again}");
}

#[test]
fn of_two_lists_of_one_name_none_is_chosen() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let first = evidence(
        &folder.path().join("a"),
        "e1",
        &[("VIPs.csv", b"Name\na\n")],
    );
    let second = evidence(
        &folder.path().join("b"),
        "e2",
        &[("vips.csv", b"Name\nb\n")],
    );
    let (code, said) = told(&["ingest", &first, &second, "-a", &path]);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("events       2"), "{said}");
    let same = "has the same name and other content";
    assert_eq!(said.matches(same).count(), 2, "{said}");
    assert!(files(&archive).is_empty());
    // Of two that are equal, one is taken.
    let second = evidence(
        &folder.path().join("b"),
        "e3",
        &[("vips.csv", b"Name\na\n")],
    );
    let (code, said) = told(&["ingest", &first, &second, "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(files(&archive), ["VIPs.csv"]);
}

#[test]
fn a_list_that_changed_is_taken_anew_and_the_old_one_stays_in_the_ledger() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let list = |name: &str| format!("UserPrincipalName\n{name}@contoso.com\n");
    let names = "SELECT UserPrincipalName FROM watchlists.SuperUsers";
    let first = list("ann");
    let inputs = evidence(
        &folder.path().join("a"),
        "e1",
        &[("SuperUsers.csv", first.as_bytes())],
    );
    assert_eq!(told(&["ingest", &inputs, "-a", &path]).0, Some(0));
    let second = list("bob");
    let inputs = evidence(
        &folder.path().join("b"),
        "e2",
        &[("SUPERUSERS.csv", second.as_bytes())],
    );
    let (code, said) = told(&["ingest", &inputs, "-a", &path, "--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("replaces   the archive's list"), "{said}");
    let (code, said) = told(&["ingest", &inputs, "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("events       1"), "{said}");
    let told_of = "watchlists   SuperUsers.csv (replaces another one)";
    assert!(said.contains(told_of), "{said}");
    assert_eq!(ask(&archive, names), ["bob@contoso.com"]);
    assert_eq!(files(&archive), ["SuperUsers.csv"]);
    let entries = "SELECT \"Sha256\", \"Note\" FROM Ingests WHERE \"Kind\" = 'watchlist' ORDER BY \"_IngestId\"";
    let hash = |list: &str| hex::encode(Sha256::digest(list));
    assert_eq!(
        ask(&archive, entries),
        [
            format!("{}|1 rows", hash(&first)),
            format!("{}|1 rows, replaces the list of ingest 2", hash(&second)),
        ]
    );
    // A list that somebody laid into the archive by hand is entered before it goes.
    let third = list("eve");
    std::fs::write(archive.join("watchlists/SuperUsers.csv"), &third).expect("a file");
    let (code, said) = told(&["ingest", &inputs, "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    let all = ask(&archive, entries);
    assert_eq!(all[2], format!("{}|found in the archive", hash(&third)));
    assert!(
        all[3].ends_with("|1 rows, replaces the list of ingest 5"),
        "{all:?}"
    );
    let (code, said) = told(&["verify", "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    let inputs = evidence(
        &folder.path().join("c"),
        "e3",
        &[("SuperUsers.csv", b"UserPrincipalName\n")],
    );
    let (code, said) = told(&["ingest", &inputs, "-a", &path]);
    assert_eq!(code, Some(0), "{said}");
    let emptied = "SuperUsers.csv` has no rows: it replaces a list of 1 row\n";
    assert!(said.contains(emptied), "{said}");
}

#[test]
fn strict_takes_lists_with_all_else_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let path = text(&archive);
    let good = ("SuperUsers.csv", &b"UserPrincipalName\nu@contoso.com\n"[..]);
    let inputs = evidence(&folder.path().join("a"), "e1", &[good]);
    let broken = text(&project("sample-data/broken/ndjson-bad-line.jsonl"));
    let (code, said) = told(&["ingest", &inputs, &broken, "-a", &path, "--strict"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(files(&archive).is_empty());
    let bad = ("Short.csv", &b"a,b\n1\n"[..]);
    let inputs = evidence(&folder.path().join("b"), "e1", &[good, bad]);
    let (code, said) = told(&["ingest", &inputs, "-a", &path, "--strict"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("Short.csv`: row 1 (line 2) has 1 column"),
        "{said}"
    );
    assert!(files(&archive).is_empty());
    assert!(!archive.join("Ingests").exists());
}

/// An archive with one event, and its folder of watchlists.
fn archive_with_lists(folder: &Path) -> (String, PathBuf) {
    let archive = folder.join("archive");
    let good = ("SuperUsers.csv", &b"UserPrincipalName\nu@contoso.com\n"[..]);
    let inputs = evidence(&folder.join("ev"), "e1", &[good]);
    let path = text(&archive);
    assert_eq!(told(&["ingest", &inputs, "-a", &path]).0, Some(0));
    (path, archive.join("watchlists"))
}

#[test]
fn a_bad_list_in_the_archive_stops_only_what_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, lists) = archive_with_lists(folder.path());
    std::fs::write(lists.join("Bad.csv"), "a,b\n1\n").expect("a file");
    std::fs::write(lists.join("Labels.csv"), "Id,Name\n1,\"x\n").expect("a file");
    std::fs::create_dir(lists.join("Folder.csv")).expect("a folder");
    let sql = |query: &str| told(&["sql", "-a", &path, "-f", "csv", query]);
    for query in [
        "SELECT count(*) AS n FROM UnifiedAuditLog",
        // Whatever the case of the name.
        "SELECT count(*) AS n FROM watchlists.superusers",
    ] {
        assert_eq!(sql(query), (Some(0), "n\n1\n".to_string()));
    }
    let kql = ["kql", "-a", &path, "-f", "csv"];
    let (code, said) = told(&[&kql[..], &["UnifiedAuditLog | count"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(told(&["gaps", "-a", &path]).0, Some(0));
    let row = "Bad.csv`: row 1 (line 2) has 1 column, the header 2";
    let quote = "Labels.csv`: row 1 (line 2) opens a quote and never closes it";
    for (outcome, why) in [
        (sql("SELECT * FROM watchlists.Bad"), row),
        (told(&[&kql[..], &["_GetWatchlist('bad')"]].concat()), row),
        (
            sql("SELECT * FROM watchlists.Folder"),
            "Folder.csv`: it is a folder, not a file",
        ),
        // Without the names of labels the answer would be another one.
        (sql("SELECT count(*) FROM LabelEvents"), quote),
        (told(&[&kql[..], &["LabelEvents | count"]].concat()), quote),
    ] {
        let (code, said) = outcome;
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(why), "{said}");
    }
    let (code, said) = told(&["tables", "-a", &path]);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("`LabelEvents` cannot be asked"), "{said}");
    assert!(said.contains("OfficeActivity"), "{said}");
    let (code, said) = told(&["hunt", "-a", &path]);
    assert_eq!(code, Some(20), "{said}");
    assert!(said.contains(quote), "{said}");
}

#[cfg(unix)]
fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo runs").success());
}

#[test]
#[cfg(unix)]
fn lists_of_an_archive_that_are_no_files_are_never_opened() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a folder");
    let (path, lists) = archive_with_lists(folder.path());
    let sql = |query: &str| told(&["sql", "-a", &path, "-f", "csv", query]);
    let count = "SELECT count(*) AS n FROM LabelEvents";
    let secret = folder.path().join("secret.csv");
    std::fs::write(&secret, "Name\nsecret\n").expect("a file");
    for (name, target, why) in [
        ("Pipe.csv", None, "it is a pipe, not a file"),
        ("Device.csv", Some(Path::new("/dev/zero")), "it is a link"),
        ("Link.csv", Some(&*secret), "it is a link"),
    ] {
        let list = lists.join(name);
        let calm = sql(count);
        match target {
            None => pipe(&list),
            Some(target) => symlink(target, &list).expect("a link"),
        }
        // Only a question that names it meets it.
        assert_eq!(calm.0, Some(0), "{}", calm.1);
        assert_eq!(sql(count), calm);
        assert_eq!(sql("SELECT * FROM watchlists.SuperUsers").0, Some(0));
        let (code, said) = told(&["ingest", "sample-data/ual-portal", "-a", &path]);
        assert_eq!(code, Some(0), "{said}");
        let own = name.trim_end_matches(".csv");
        let (code, said) = sql(&format!("SELECT * FROM watchlists.\"{own}\""));
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(why), "{said}");
        std::fs::remove_file(&list).expect("it can be removed");
    }
}

#[test]
#[cfg(unix)]
fn files_on_the_command_line_are_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    pipe(&fifo);
    for (file, why) in [
        (text(&fifo), "it is a pipe, not a file"),
        ("/dev/zero".into(), "it is a device, not a file"),
        (text(folder.path()), "it is a folder, not a file"),
    ] {
        for arguments in [["--table", &format!("T={file}")], ["--geoip", &file]] {
            let (code, said) = told(&[&["kql", "print 1"][..], &arguments[..]].concat());
            assert_eq!(code, Some(3), "{said}");
            assert!(said.contains(&format!("`{file}`: {why}")), "{said}");
        }
    }
}

#[test]
#[cfg(unix)]
fn external_data_stays_in_its_folder() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("lists");
    std::fs::create_dir(&own).expect("a folder");
    std::fs::write(folder.path().join("secret.csv"), "secret\n").expect("a file");
    std::fs::write(own.join("real.csv"), "a\n").expect("a file");
    symlink("../secret.csv", own.join("out.csv")).expect("a link");
    symlink("real.csv", own.join("in.csv")).expect("a link");
    pipe(&own.join("pipe.csv"));
    let path = text(&own);
    let kql = |file: &str| {
        let query = format!("externaldata(Name:string)['https://example.com/{file}']");
        told(&["kql", "-f", "csv", "--external-data", &path, &query])
    };
    for (file, why) in [
        ("out.csv", "is a link that leads out of the folder"),
        ("pipe.csv", "it is a pipe, not a file"),
        ("none.csv", "cannot read"),
    ] {
        let (code, said) = kql(file);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(kql("in.csv"), (Some(0), "Name\na\n".to_string()));
}

#[test]
#[cfg(unix)]
fn a_query_without_room_for_temporary_files_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = archive_with_lists(folder.path());
    let mut rows = String::from("n,words\n");
    for n in 0..300_000_u64 {
        rows.push_str(&format!("{n},w{:0>60}\n", n * 7919 % 300_007));
    }
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, rows).expect("a file");
    let nowhere = folder.path().join("nowhere");
    let (code, said) = within(
        Command::new(env!("CARGO_BIN_EXE_coldtrail"))
            .args(["sql", "-a", &archive, "-f", "csv"])
            .args(["--threads", "1", "--memory-limit", "48MiB"])
            .args(["--table", &format!("T={}", file.display())])
            .args(["-o", &text(&folder.path().join("sorted.csv"))])
            .arg("SELECT n, words FROM T ORDER BY words, n")
            .env("TMPDIR", &nowhere),
    );
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("error: cannot write temporary files: "),
        "{said}"
    );
    assert!(said.contains("TMPDIR"), "{said}");
}
