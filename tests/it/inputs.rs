//! How exports are found and opened: members of one name, pipes and devices, links, encodings, coldtrail's own results, odd names.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

use crate::command_line::run;
use crate::{ask, number, project};

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn record(n: usize) -> String {
    format!(
        r#"{{"Id":"e{n}","CreationTime":"2026-05-01T00:00:00","Operation":"X","UserId":"u{n}@contoso.com"}}"#
    ) + "\n"
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, content).expect("a file");
}

fn told(out: &Output) -> (Option<i32>, String) {
    let all = [&out.stdout[..], &out.stderr[..]].concat();
    (
        out.status.code(),
        String::from_utf8_lossy(&all).into_owned(),
    )
}

fn ingest(input: &Path, archive: &Path) -> (Option<i32>, String) {
    told(&run(&["ingest", &text(input), "-a", &text(archive)]))
}

/// With a file as standard input, which cannot be opened again.
fn ingest_from(stdin: &Path, name: &str, archive: &Path) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["ingest", name, "-a", &text(archive)])
        .current_dir(project(""))
        .stdin(File::open(stdin).expect("a file"))
        .output();
    told(&out.expect("the binary runs"))
}

/// The ledger's files, without the folder that all of them are in.
fn files(archive: &Path, folder: &Path) -> Vec<String> {
    let mut folder = text(folder) + "/";
    if cfg!(windows) {
        folder = folder.replace('\\', "/");
    }
    ask(archive, "SELECT \"File\" FROM Ingests ORDER BY \"File\"")
        .iter()
        .map(|file| file.replace(&folder, ""))
        .collect()
}

/// A zip archive of members that are stored as they are.
fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut directory: Vec<u8> = Vec::new();
    for (name, content) in members {
        let mut crc = flate2::Crc::new();
        crc.update(content.as_bytes());
        let size = (content.len() as u32).to_le_bytes();
        let mut common: Vec<u8> = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend([size, size].concat());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        directory.extend(*b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(*b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(content.as_bytes());
    }
    let count = (members.len() as u16).to_le_bytes();
    let from = (out.len() as u32).to_le_bytes();
    let size = (directory.len() as u32).to_le_bytes();
    out.extend(directory);
    out.extend(*b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend([size, from].concat());
    out.extend([0, 0]);
    out
}

#[test]
fn members_of_one_name_are_all_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let records: Vec<String> = (0..4).map(record).collect();
    let file = folder.path().join("z.zip");
    let members = [
        ("export.json", &records[0][..]),
        ("export.json", &records[1][..]),
        ("export.json (2)", &records[2][..]),
        ("export.json", &records[3][..]),
    ];
    write(&file, zip(&members));
    let (code, said) = ingest(&file, &archive);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("members: 4; "), "{said}");
    assert!(said.contains("whose name another one has: 3"), "{said}");
    assert_eq!(
        ask(&archive, "SELECT Id FROM UnifiedAuditLog ORDER BY Id"),
        ["e0", "e1", "e2", "e3"]
    );
    assert_eq!(
        files(&archive, folder.path()),
        [
            "z.zip",
            "z.zip/export.json",
            "z.zip/export.json (2)",
            "z.zip/export.json (2) (2)",
            "z.zip/export.json (3)"
        ]
    );
}

#[test]
fn every_entry_of_a_zip_directory_is_read_whatever_its_end_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let file = folder.path().join("z.zip");
    let (a, b) = (record(1), record(2));
    let mut bytes = zip(&[("a.json", &a), ("b.json", &b)]);
    let end = bytes.len() - 22;
    bytes[end + 8..end + 12].copy_from_slice(&[1, 0, 1, 0]);
    write(&file, bytes);
    let (code, said) = ingest(&file, &archive);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(number(&archive, "SELECT count(*) FROM UnifiedAuditLog"), 2);
}

#[test]
fn bytes_of_a_zip_that_belong_to_no_member_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let (a, b) = (record(1), record(2));
    let one = zip(&[("a.json", &a)]);
    let file = folder.path().join("behind.zip");
    write(&file, [&one[..], b"behind!"].concat());
    let (code, said) = ingest(&file, &archive);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("bytes that belong to none of them: 7"),
        "{said}"
    );
    // Two archives, one behind the other: the directory of the second knows nothing of the first.
    let file = folder.path().join("both.zip");
    write(&file, [one, zip(&[("b.json", &b)])].concat());
    let (code, said) = ingest(&file, &archive);
    assert_eq!(code, Some(10), "{said}");
    assert!(
        said.contains("members that its directory does not name"),
        "{said}"
    );
    assert_eq!(number(&archive, "SELECT count(*) FROM UnifiedAuditLog"), 2);
}

/// 2,000 lines: a user whose name is not UTF-8 in line 11, and one with letters in every line from 1,000 on.
fn with_a_bad_byte(late: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for n in 1..=2000 {
        let user: &[u8] = match n {
            11 => b"pl\xe9in@contoso.com",
            1000.. => late,
            _ => b"plain@contoso.com",
        };
        out.extend(format!(r#"{{"Id":"e{n}","CreationTime":"2026-05-01T00:00:00","Operation":"X","ObjectId":"https://contoso.sharepoint.com/a","UserId":""#).bytes());
        out.extend(user);
        out.extend(b"\"}\n");
    }
    out
}

#[test]
fn one_bad_byte_does_not_change_how_a_file_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = "jürgen.müller@contoso.com";
    let content = with_a_bad_byte(name.as_bytes());
    let plain = folder.path().join("a.jsonl");
    write(&plain, &content);
    let packed = folder.path().join("a.jsonl.gz");
    let file = File::create(&packed).expect("a file");
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &content).expect("it is written");
    gzip.finish().expect("it is written");
    for (i, (input, stdin)) in [(&plain, None), (&packed, None), (&plain, Some("-"))]
        .into_iter()
        .enumerate()
    {
        let archive = folder.path().join(format!("archive{i}"));
        let (code, said) = match stdin {
            Some(name) => ingest_from(input, name, &archive),
            None => ingest(input, &archive),
        };
        assert_eq!(code, Some(10), "{said}");
        assert!(said.contains("quarantined  1\n"), "{said}");
        assert_eq!(ask(&archive, "SELECT _Record FROM Quarantine"), ["11"]);
        let named = format!("SELECT count(*) FROM UnifiedAuditLog WHERE UserId = '{name}'");
        assert_eq!(number(&archive, &named), 1001, "{said}");
    }
}

#[test]
fn text_in_windows_1252_is_read_as_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let file = folder.path().join("a.jsonl");
    let mut content = with_a_bad_byte(b"j\xfcrgen.m\xfcller@contoso.com");
    // Two letters that are one in UTF-8 come by chance.
    content.extend(
        b"{\"Id\":\"chance\",\"CreationTime\":\"2026-05-01T00:00:00\",\"Operation\":\"X\",",
    );
    content.extend(b"\"UserId\":\"\xc3\xa9@contoso.com\"}\n");
    write(&file, content);
    let (code, said) = ingest(&file, &archive);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("read as Windows-1252"), "{said}");
    assert_eq!(
        ask(
            &archive,
            "SELECT UserId, count(*) FROM UnifiedAuditLog WHERE UserId <> 'plain@contoso.com' GROUP BY 1 ORDER BY 2, 1"
        ),
        [
            "pléin@contoso.com|1",
            "Ã©@contoso.com|1",
            "jürgen.müller@contoso.com|1001"
        ]
    );
}

/// A case with an event, and a rule that finds it.
fn case(folder: &Path) -> (String, String) {
    let case = folder.join("case");
    write(&case.join("a.jsonl"), record(1));
    let rule = "/*\nid: any\nname: Any\nseverity: Low\n*/\nSELECT TimeGenerated, UserId, _Source FROM UnifiedAuditLog";
    write(&folder.join("rules/any.sql"), rule);
    (text(&case), text(&folder.join("rules")))
}

#[test]
fn results_and_archives_of_coldtrail_are_no_evidence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (case, rules) = case(folder.path());
    let out = Path::new(&case).join("out");
    let target = text(&out);
    for again in [false, true] {
        let arguments = ["analyze", &case, "-o", &target, "-r", &rules, "-C"];
        let (code, said) = told(&run(&arguments));
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.contains("out: results are written there"), again);
        let read = files(&out.join("archive"), folder.path());
        assert_eq!(read, ["case/a.jsonl"], "{said}");
    }
    // Known by their mark, whatever their name; and another file of that name is an export.
    std::fs::copy(out.join("findings.csv"), out.join("list.txt")).expect("a copy");
    write(&Path::new(&case).join("sub/findings.json"), record(2));
    let archive = folder.path().join("archive");
    let (code, said) = ingest(Path::new(&case), &archive);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        files(&archive, folder.path()),
        ["case/a.jsonl", "case/sub/findings.json"]
    );
    let said = said.replace('\\', "/");
    for passed in [
        "out/archive: it is an archive of coldtrail",
        "out/findings.csv: it is a result of coldtrail",
        "out/findings.json: it is a result of coldtrail",
        "out/list.txt: it is a result of coldtrail",
        "out/report.html: it is a result of coldtrail",
    ] {
        assert!(said.contains(passed), "{passed}: {said}");
    }
    for named in ["archive", "archive/UnifiedAuditLog", "report.html"] {
        let (code, said) = ingest(&out.join(named), &archive);
        assert_eq!(code, Some(2), "{named}: {said}");
        assert!(said.contains("of coldtrail, not an export"), "{said}");
    }
}

#[test]
fn results_may_be_written_beside_the_evidence() {
    let folder = tempfile::tempdir().expect("a folder");
    let (case, rules) = case(folder.path());
    for _ in 0..2 {
        let (code, said) = told(&run(&["analyze", &case, "-o", &case, "-r", &rules, "-C"]));
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(
            files(&Path::new(&case).join("archive"), folder.path()),
            ["case/a.jsonl"]
        );
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn pipe(path: &Path) {
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo runs").success());
    }

    /// A pipe with a name, into which somebody writes.
    fn written(path: PathBuf, content: Vec<u8>) -> PathBuf {
        pipe(&path);
        let target = path.clone();
        // Nobody waits for it: it ends when its reader does.
        std::thread::spawn(move || std::fs::write(target, content));
        path
    }

    fn sample() -> Vec<u8> {
        let sample = project("sample-data/management-api/blob-exchange.json.gz");
        std::fs::read(sample).expect("a sample")
    }

    #[test]
    fn pipes_that_are_named_are_read_as_standard_input_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let events = "SELECT count(*) FROM UnifiedAuditLog";
        let archive = folder.path().join("archive");
        let fifo = written(folder.path().join("fifo"), sample());
        let out = run(&[
            "ingest",
            &text(&fifo),
            "-a",
            &text(&archive),
            "--since-last",
        ]);
        let (code, said) = told(&out);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(number(&archive, events), 34);
        assert_eq!(files(&archive, folder.path()), ["fifo"]);
        let plain = folder.path().join("a.gz");
        write(&plain, sample());
        for (i, name) in ["/dev/stdin", "/dev/fd/0"].into_iter().enumerate() {
            let archive = folder.path().join(format!("archive{i}"));
            let (code, said) = ingest_from(&plain, name, &archive);
            assert_eq!(code, Some(0), "{said}");
            assert_eq!(number(&archive, events), 34, "{name}");
        }
        // As a shell's `<(…)`, which is a descriptor of its own.
        let archive = folder.path().join("archive3");
        let line = r#"cat "$1" | "$0" ingest /dev/fd/3 -a "$2" 3<&0 </dev/null"#;
        let out = Command::new("sh")
            .args(["-c", line, env!("CARGO_BIN_EXE_coldtrail")])
            .args([&plain, &archive])
            .output();
        let (code, said) = told(&out.expect("a shell"));
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(number(&archive, events), 34);
    }

    #[test]
    fn a_dry_run_takes_nothing_from_a_pipe() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        // Nobody writes: who opens it waits for ever.
        pipe(&fifo);
        let archive = text(&folder.path().join("archive"));
        let out = run(&["ingest", &text(&fifo), "-a", &archive, "--dry-run"]);
        let (code, said) = told(&out);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("a pipe is read once"), "{said}");
    }

    #[test]
    fn a_zip_archive_in_a_pipe_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = zip(&[("a.json", &record(1))]);
        let fifo = written(folder.path().join("fifo"), bytes);
        let (code, said) = ingest(&fifo, &folder.path().join("archive"));
        assert_eq!(code, Some(10), "{said}");
        assert!(
            said.contains("a zip archive cannot be read from a pipe"),
            "{said}"
        );
    }

    #[test]
    fn devices_that_are_named_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("archive");
        // Standard input is /dev/null here.
        for name in ["/dev/zero", "/dev/stdin"] {
            let (code, said) = ingest(Path::new(name), &archive);
            assert_eq!(code, Some(2), "{said}");
            let why = format!("`{name}` cannot be an input: it is a character device");
            assert!(said.contains(&why), "{said}");
        }
        assert!(!archive.exists());
    }

    #[test]
    fn what_is_no_file_in_a_folder_is_passed_over_and_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let inputs = folder.path().join("in");
        write(&inputs.join("a.jsonl"), record(1));
        pipe(&inputs.join("p.jsonl"));
        let _listens =
            std::os::unix::net::UnixListener::bind(inputs.join("s.json")).expect("a socket");
        symlink("/dev/zero", inputs.join("zero.csv")).expect("a link");
        let (code, said) = ingest(&inputs, &folder.path().join("archive"));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("files        1 "), "{said}");
        for passed in [
            "p.jsonl: it is a named pipe\n",
            "s.json: it is a socket\n",
            "zero.csv: it is a link that leads out of the folder, to `/dev/zero`\n",
        ] {
            assert!(said.contains(passed), "{said}");
        }
        // The same where a pattern finds them; of many, some are named.
        for n in 0..6 {
            pipe(&inputs.join(format!("q{n}")));
        }
        let (code, said) = ingest(&inputs.join("*"), &folder.path().join("archive"));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("1 file read before"), "{said}");
        assert!(said.contains("and 3 more of that kind"), "{said}");
    }

    #[test]
    fn links_are_followed_inside_a_folder_and_not_out_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let inputs = folder.path().join("in");
        let outside = folder.path().join("outside");
        write(&outside.join("secret.jsonl"), record(9));
        write(&inputs.join("a.jsonl"), record(1));
        write(&inputs.join("sub/b.jsonl"), record(2));
        write(&inputs.join(".data/c.jsonl"), record(3));
        for (link, target) in [
            ("leak", "../outside"),
            ("leak.jsonl", "../outside/secret.jsonl"),
            ("again.jsonl", "a.jsonl"),
            ("same", "sub"),
            ("shown", ".data"),
            ("loop", "."),
            ("round", "."),
            ("sub/up", ".."),
        ] {
            symlink(target, inputs.join(link)).expect("a link");
        }
        let archive = folder.path().join("archive");
        let (code, said) = ingest(&inputs, &archive);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(
            files(&archive, &inputs),
            ["a.jsonl", "shown/c.jsonl", "sub/b.jsonl"]
        );
        let outside = outside.canonicalize().expect("it is there");
        let leads = "it is a link that leads out of the folder, to";
        for passed in [
            format!("leak: {leads} `{}`\n", outside.display()),
            format!("leak.jsonl: {leads} `{}/secret.jsonl`\n", outside.display()),
        ] {
            assert!(said.contains(&passed), "{said}");
        }
        // A pattern neither leaves its folder nor runs in circles.
        let archive = folder.path().join("archive2");
        let (code, said) = ingest(&inputs.join("**/*.jsonl"), &archive);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(
            files(&archive, &inputs),
            [".data/c.jsonl", "a.jsonl", "sub/b.jsonl"]
        );
        assert!(said.contains(&format!("leak.jsonl: {leads}")), "{said}");
        // The user may name what he likes.
        let archive = folder.path().join("archive3");
        let (code, said) = ingest(&inputs.join("leak"), &archive);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(files(&archive, &inputs), ["leak/secret.jsonl"]);
    }

    #[test]
    fn a_backslash_is_a_letter_of_a_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("archive");
        let inputs = folder.path().join("in");
        write(&inputs.join("a\\b.jsonl"), record(1));
        let (code, said) = ingest(&inputs, &archive);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(files(&archive, &inputs), ["a\\b.jsonl"]);
    }

    #[test]
    #[cfg(target_os = "linux")] // Others take only UTF-8.
    fn names_that_are_no_text_stay_apart() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("archive");
        let inputs = folder.path().join("in");
        for (n, name) in [&b"\xfc.jsonl"[..], b"\xfd.jsonl"].into_iter().enumerate() {
            write(&inputs.join(OsStr::from_bytes(name)), record(n));
        }
        let (code, said) = ingest(&inputs, &archive);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(files(&archive, &inputs), ["\\xfc.jsonl", "\\xfd.jsonl"]);
    }
}
