//! What is not read is named, with what to do.

use super::*;

#[test]
fn what_is_not_read_is_named_by_its_first_bytes() {
    for (content, want) in [
        (
            &b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0"[..],
            "packed with LZMA (.lzma): unpack it first",
        ),
        (b"\x02\x21\x4c\x18\0\0", "packed with lz4"),
        (
            b"PK\x07\x08PK\x03\x04\x14\0",
            "a zip archive in several parts: join them first",
        ),
        (
            &[&b"070701"[..], &[b'0'; 104]].concat(),
            "a cpio archive: unpack it first",
        ),
        (b"!<arch>\nx", "an `ar` archive"),
        (b"MSWIM\0\0\0\xd0", "a Windows image"),
        (b"\x89PNG\r\n\x1a\n\0", "an image, not an export"),
        (b"MZ\x90\0\x03", "a program"),
        (&[0; 1024], "nothing but zeros: its content was never written"),
        (
            b"5\xfa\x18\xb3\x83\x7f~\x01\x02\x05\xde",
            "binary content (control characters)",
        ),
        (
            b"<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel.Sheet\"?>\n<Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\"/>",
            "an Excel workbook in XML (2003): save it as .xlsx",
        ),
        (
            b"<html xmlns:x=\"urn:schemas-microsoft-com:office:excel\"><table></table></html>",
            "a table in HTML that is called a workbook",
        ),
        (
            b"<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"></Objs>",
            "Export-Clixml",
        ),
    ] {
        Case::of("export.csv", content).says(10, want);
    }
}

#[test]
fn members_of_zip_archives_say_how_they_are_packed() {
    for (method, want) in [
        (14, "packed with LZMA, which is not read in zip archives"),
        (12, "packed with bzip2, which"),
        (
            77,
            "its compression (77) is not known: unpack the archive first",
        ),
    ] {
        let mut bytes = zip_of(&[("a.jsonl", record(1).as_bytes())]);
        let entry = memchr::memmem::find(&bytes, b"PK\x01\x02").expect("its directory");
        (bytes[8], bytes[entry + 10]) = (method, method);
        Case::of("a.zip", bytes).says(10, want);
    }
}

#[test]
fn the_last_part_of_a_split_archive_is_told_by_its_end() {
    let mut last = b"\xd3\xfa\x01\x8cx\x02\x9a".repeat(40);
    last.extend(b"PK\x05\x06\x02\0\x02\0\x01\0\x01\0");
    last.extend([0; 10]);
    Case::of("export.zip", &last).says(10, "the last part of a zip archive in several parts");
    let mut program = b"MZ at the beginning of a program that unpacks itself\0\0".to_vec();
    program.extend(zip_of(&[("a.jsonl", record(1).as_bytes())]));
    Case::of("export.exe", &program).says(10, "a zip archive with something before it");
}

#[test]
fn records_behind_blank_megabytes_are_read() {
    for blank in [b' ', b'\n', 0] {
        let mut content = vec![blank; 5 << 20];
        content.extend(record(1).as_bytes());
        let case = Case::of("a.jsonl", content);
        assert_eq!(case.ids(), ["e1"], "{blank}: {}", case.said);
    }
    let case = Case::of("a.jsonl", vec![b'\n'; 5 << 20]);
    case.says(0, "the file is empty");
}

#[test]
fn other_documents_that_are_zip_archives_are_named() {
    let numbers = zip_of(&[
        ("Index/Document.iwa", b"\0"),
        ("preview.jpg", b"\xff\xd8\xff"),
    ]);
    Case::of("a.numbers", numbers).says(10, "a document of Apple's Numbers");
    let report = zip_of(&[("[Content_Types].xml", b"<Types/>"), ("DataModel", b"\x01")]);
    Case::of("a.pbix", report).says(10, "a report of Power BI (.pbix)");
}
