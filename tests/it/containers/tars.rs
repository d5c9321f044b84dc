//! Tar archives, plain and packed: members, damage, hostile names.

use super::*;

/// Adds a member of any kind under any name.
fn add(out: &mut tar::Builder<Vec<u8>>, kind: u8, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    out.append(&header, content).expect("the archive takes it");
}

pub(super) fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, content) in members {
        add(&mut out, b'0', name, content);
    }
    out.into_inner().expect("an archive")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    out.write_all(content).expect("it is packed");
    out.finish().expect("it is packed")
}

fn three() -> Vec<u8> {
    let (one, two, three) = (record(1), record(2), record(3));
    tar_of(&[
        ("./case/a.jsonl", one.as_bytes()),
        ("./case/b.jsonl", (two + &three).as_bytes()),
    ])
}

#[test]
fn members_are_read_whatever_the_archive_is_packed_with() {
    let plain = three();
    let zstd = zstd::stream::encode_all(&plain[..], 1).expect("it is packed");
    let xz = std::fs::read(project("tests/it/data/field/case.tar.xz")).expect("the file");
    for (name, content, packing) in [
        ("case.tar", plain.clone(), "tar"),
        ("case.tar.gz", gzip(&plain), "tar.gz"),
        ("case.bin", zstd, "tar.zst"),
        ("case.tar.xz", xz, "tar.xz"),
        ("case.tar.gz.gz", gzip(&gzip(&plain)), "tar.gz"),
    ] {
        let mut read = Read::of(name, content);
        assert_eq!(read.code, Some(0), "{name}: {}", read.said);
        assert_eq!(read.ids(), ["e1", "e2", "e3"], "{name}");
        assert_eq!(
            read.files(),
            [
                format!("{name}|complete"),
                format!("{name}/case/a.jsonl|complete"),
                format!("{name}/case/b.jsonl|complete"),
            ]
        );
        let sql = "SELECT Compression, Note FROM Ingests WHERE Note <> ''";
        assert_eq!(
            read.ask(sql),
            [format!("{packing}|tar archive, members: 2")]
        );
        read.again(name, &[]);
        assert_eq!(read.files().len(), 3, "nothing is read twice: {name}");
    }
}

#[test]
fn hashes_of_members_are_those_of_the_files() {
    let read = Read::of("case.tar.gz", gzip(&three()));
    std::fs::write(read.path("a.jsonl"), record(1)).expect("a file");
    let file = Input::File(read.path("a.jsonl").into());
    let want = stream::sha256(&file).expect("a hash");
    let sql = "SELECT \"Sha256\" FROM Ingests WHERE \"File\" LIKE '%/a.jsonl'";
    assert_eq!(read.ask(sql), [want]);
}

#[test]
fn archives_inside_archives_are_read() {
    let inner = zip_of(&[("a.jsonl", record(1).as_bytes())]);
    let outer = tar_of(&[
        ("inner.zip", &inner),
        ("inner.tar.gz", &gzip(&three())),
        ("plain.tar", &three()),
    ]);
    let read = Read::of("outer.tar", &outer);
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.ids(), ["e1", "e2", "e3"]);
    let read = Read::of("outer.zip", zip_of(&[("outer.tar", &outer)]));
    assert_eq!(read.ids(), ["e1", "e2", "e3"], "{}", read.said);
    let deep = tar_of(&[("a.tar", &tar_of(&[("b.tar", &outer)]))]);
    let read = Read::of("deep.tar", deep);
    read.says(10, "archives inside archives, too deep");
}

#[test]
fn names_are_only_names_and_links_and_noise_are_passed_over() {
    let mut out = tar::Builder::new(Vec::new());
    add(&mut out, b'5', "case/", b"");
    for (n, name) in ["../../evil.jsonl", "/etc/evil.jsonl", "a.jsonl", "a.jsonl"]
        .into_iter()
        .enumerate()
    {
        add(&mut out, b'0', name, record(n).as_bytes());
    }
    add(&mut out, b'0', "case/._a.jsonl", b"\0\x05\x16\x07");
    add(&mut out, b'0', "__MACOSX/x", b"x");
    for kind in *b"12346" {
        add(&mut out, kind, "case/link", b"");
    }
    let long = "long/".repeat(60) + "b.jsonl";
    let mut header = tar::Header::new_gnu();
    header.set_size(record(4).len() as u64);
    out.append_data(&mut header, &long, record(4).as_bytes())
        .expect("the archive takes it");
    let bytes = out.into_inner().expect("an archive");
    let read = Read::of("evil.tar", bytes);
    read.says(0, "members: 5; passed over: 7");
    assert!(read.said.contains("whose name another one has: 1"));
    let names: Vec<String> = read.files();
    for name in [
        "../../evil.jsonl",
        "/etc/evil.jsonl",
        "a.jsonl",
        "a.jsonl (2)",
        &long,
    ] {
        let want = format!("evil.tar/{name}|complete");
        assert!(names.contains(&want), "{want} in {names:?}");
    }
    assert_eq!(read.ids().len(), 5);
}

#[test]
fn a_file_with_holes_is_not_read_as_if_it_had_none() {
    let mut out = tar::Builder::new(Vec::new());
    out.append_pax_extensions([("GNU.sparse.major", &b"1"[..])])
        .expect("the archive takes it");
    add(&mut out, b'0', "holes.jsonl", b"1\n0\n5\n");
    add(&mut out, b'0', "a.jsonl", record(1).as_bytes());
    let read = Read::of("a.tar", out.into_inner().expect("an archive"));
    read.says(10, "a file with holes (sparse)");
    assert_eq!(read.ids(), ["e1"]);
}

#[test]
fn an_archive_that_breaks_off_gives_what_is_there() {
    let bytes = three();
    for (name, content) in [
        ("a.tar", bytes[..1024 + 512 + 150].to_vec()),
        ("a.tar.gz", gzip(&bytes[..1024 + 512 + 150])),
        // Inside the compression, after the second header.
        ("b.tar.gz", {
            let whole = gzip(&bytes);
            whole[..1024 + 512 + 150].to_vec()
        }),
    ] {
        let read = Read::of(name, content);
        assert_eq!(read.code, Some(10), "{name}: {}", read.said);
        assert!(read.ids().contains(&"e1".to_string()), "{}", read.said);
        assert!(read.files()[0].ends_with("|incomplete"), "{}", read.said);
    }
    // Nothing tells that the last member is the last one.
    let read = Read::of("a.tar", &bytes[..2048]);
    read.says(10, "its end is missing");
    assert_eq!(read.ids(), ["e1", "e2", "e3"]);
}

#[test]
fn members_behind_a_bad_header_and_behind_the_end_are_read() {
    let mut bytes = three();
    let header = 1024;
    bytes[header] ^= 1;
    let more = tar_of(&[("c.jsonl", record(4).as_bytes())]);
    bytes.extend(&more);
    let read = Read::of("a.tar", &bytes);
    read.says(10, "checksum");
    assert_eq!(read.ids(), ["e1", "e4"]);
    assert!(
        read.said.contains("bytes that belong to none of them"),
        "{}",
        read.said
    );
    let read = Read::of("a.tar", [three(), more].concat());
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.ids(), ["e1", "e2", "e3", "e4"]);
}

#[test]
fn a_header_that_claims_a_long_name_takes_no_memory() {
    let mut out = tar::Builder::new(Vec::new());
    add(&mut out, b'0', "a.jsonl", record(1).as_bytes());
    add(&mut out, b'L', "././@LongLink", &vec![b'x'; 3 << 20]);
    add(&mut out, b'0', "b.jsonl", record(2).as_bytes());
    let read = Read::of("a.tar", out.into_inner().expect("an archive"));
    read.says(10, "headers of more than 1 MiB");
    assert_eq!(read.ids(), ["e1", "e2"]);
}

#[test]
fn large_members_of_a_packed_archive_are_read_one_behind_the_other() {
    let large = |from: usize| {
        let records = (from..from + 18).map(|n| {
            let filled = format!("\"UserId\":\"{}", "x".repeat(1 << 20));
            record(n).replace("\"UserId\":\"", &filled)
        });
        records.collect::<String>()
    };
    let (a, b) = (large(0), large(18));
    let bytes = gzip(&tar_of(&[
        ("a.jsonl", a.as_bytes()),
        ("b.jsonl", b.as_bytes()),
    ]));
    let read = Read::of("a.tgz", &bytes);
    assert_eq!(read.code, Some(0), "{}", read.said);
    let archive = read.path("archive");
    let count = "SELECT count(DISTINCT Id) FROM UnifiedAuditLog";
    assert_eq!(number(Path::new(&archive), count), 36);
    // In any order, and twice.
    let file = Input::File(read.path("a.tgz").into());
    let members = member::members(&file, Packing::Tar).expect("its members");
    let hash = |n: usize| stream::sha256(&members.inputs[n]).expect("a hash");
    let (second, first) = (hash(1), hash(0));
    assert_eq!([hash(0), hash(1)], [first.clone(), second.clone()]);
    assert_ne!(first, second);
}

#[test]
fn an_archive_in_a_pipe_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let mut child = Command::new(env!("CARGO_BIN_EXE_coldtrail"))
        .args(["ingest", "-", "-a", &archive.to_string_lossy()])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut pipe = child.stdin.take().expect("its input");
    pipe.write_all(&gzip(&three())).expect("it takes that");
    drop(pipe);
    let out = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&[&out.stdout[..], &out.stderr[..]].concat()).into_owned();
    assert_eq!(out.status.code(), Some(10), "{said}");
    assert!(
        said.contains("a tar archive cannot be read from standard input: name the file"),
        "{said}"
    );
}
