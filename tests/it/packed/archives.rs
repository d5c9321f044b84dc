//! Archives and compressions.

use super::*;

#[test]
fn zeros_behind_gzip_are_no_damage_and_other_bytes_are() {
    let packed = gzip((record(1) + &record(2)).as_bytes());
    let mut filled = packed.clone();
    filled.extend([0; 5000]);
    filled.extend(gzip(record(3).as_bytes()));
    filled.extend([0; 40_000]);
    let case = Case::of("a.jsonl.gz", &filled);
    assert_eq!(case.code, Some(0), "{}", case.said);
    assert_eq!(case.ids(), ["e1", "e2", "e3"]);
    let case = Case::of("a.jsonl.gz", [&packed[..], b"more"].concat());
    case.says(10, "bytes that are no gzip stand behind what was packed");
    assert_eq!(case.ids(), ["e1", "e2"]);
}

#[test]
fn zstandard_may_begin_with_a_frame_to_be_skipped_and_may_ask_for_too_much() {
    let packed = zstd::stream::encode_all(record(1).as_bytes(), 1).expect("it is packed");
    let skipped = [&b"\x50\x2a\x4d\x18\x04\0\0\0abcd"[..], &packed].concat();
    let case = Case::of("a.jsonl", skipped);
    assert_eq!(case.code, Some(0), "{}", case.said);
    assert_eq!(case.ids(), ["e1"]);
    // A window of 2 GiB.
    let case = Case::of("a.jsonl", b"\x28\xb5\x2f\xfd\0\xa8\x01\0\0");
    case.says(10, "unpacking it takes too much memory");
}

#[test]
fn three_archives_around_one_another_are_read_and_a_workbook_in_them() {
    let inner = zip_of(&[
        ("book.xlsx", &sheets::audit_book()),
        ("a.jsonl", record(7).as_bytes()),
    ]);
    let three = tar_of(&[("b.tgz", &gzip(&tar_of(&[("c.zip", &inner)])))]);
    let case = Case::of("a.tar", &three);
    assert_eq!(case.code, Some(0), "{}", case.said);
    assert_eq!(case.ids(), ["e1", "e2", "e7"]);
    assert_eq!(
        case.ask("SELECT \"File\" FROM Ingests WHERE \"File\" LIKE '%/Audit'")
            .len(),
        1
    );
    let case = Case::of("outer.zip", zip_of(&[("a.tar", &three)]));
    case.says(10, "too deep: more than three, unpack the outermost first");
}

#[test]
fn a_file_with_holes_has_its_own_name() {
    let mut out = tar::Builder::new(Vec::new());
    out.append_pax_extensions([
        ("GNU.sparse.major", &b"1"[..]),
        ("GNU.sparse.name", b"./case/holes.jsonl"),
    ])
    .expect("the archive takes it");
    let mut header = tar::Header::new_ustar();
    header.set_size(6);
    out.append_data(
        &mut header,
        "case/GNUSparseFile.77/holes.jsonl",
        &b"1\n0\n5\n"[..],
    )
    .expect("the archive takes it");
    let case = Case::of("mac.tar", out.into_inner().expect("an archive"));
    case.says(10, "mac.tar/case/holes.jsonl: a file with holes");
}

#[test]
fn the_same_events_packed_otherwise_are_duplicates() {
    let text = record(1) + &record(2);
    let content = text.as_bytes();
    let tar = tar_of(&[("x/audit.jsonl", content)]);
    let mut case = Case::of("audit.jsonl", content);
    for (name, bytes) in [
        ("a.xlsx", sheets::audit_book()),
        ("b.xlsx.gz", gzip(&sheets::audit_book())),
        ("c.tgz", gzip(&[&tar[..], b"\n"].concat())),
        ("d.zip", zip_of(&[("book.xlsx", &sheets::audit_book())])),
    ] {
        case.read(name, bytes);
        assert_eq!(case.code, Some(0), "{name}: {}", case.said);
        assert!(
            case.said.contains("events       0"),
            "{name}: {}",
            case.said
        );
    }
    assert_eq!(case.ids(), ["e1", "e2"]);
}
