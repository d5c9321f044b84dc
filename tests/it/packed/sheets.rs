//! Sheets of workbooks: odd ones, broken ones, and what is around their tables.

use super::*;

const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const HEADER: [&str; 5] = [
    "RecordId",
    "CreationDate",
    "Operation",
    "UserId",
    "AuditData",
];

fn cell(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<c t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
}

fn row(cells: &[&str]) -> String {
    let cells: String = cells.iter().map(|text| cell(text)).collect();
    format!("<row>{cells}</row>")
}

fn audit(n: usize) -> String {
    let id = format!("e{n}");
    let record = record(n);
    row(&[
        &id,
        "2026-05-01T00:00:00",
        "X",
        "u@contoso.com",
        record.trim(),
    ])
}

/// A part with these rows.
fn sheet(rows: &str) -> Vec<u8> {
    format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").into_bytes()
}

/// A workbook of sheets, given by name, what leads to the part, and the part.
fn book(sheets: &[(&str, &str, Vec<u8>)]) -> Vec<u8> {
    let (mut names, mut list) = (String::new(), String::new());
    for (n, (name, target, _)) in sheets.iter().enumerate() {
        names += &format!("<sheet name=\"{name}\" sheetId=\"{n}\" r:id=\"r{n}\"/>");
        list +=
            &format!("<Relationship Id=\"r{n}\" Type=\"{OFFICE}/worksheet\" Target=\"{target}\"/>");
    }
    let types = "<Types><Override ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/></Types>";
    let main = format!("<workbook><sheets>{names}</sheets></workbook>");
    let list = format!("<Relationships>{list}</Relationships>");
    let mut parts = vec![
        ("[Content_Types].xml".to_string(), types.as_bytes()),
        ("xl/workbook.xml".into(), main.as_bytes()),
        ("xl/_rels/workbook.xml.rels".into(), list.as_bytes()),
    ];
    for (n, (_, _, part)) in sheets.iter().enumerate() {
        parts.push((format!("xl/worksheets/s{n}.xml"), part));
    }
    let parts: Vec<(&str, &[u8])> = parts
        .iter()
        .map(|(name, part)| (&name[..], *part))
        .collect();
    zip_of(&parts)
}

fn of_rows(rows: &str) -> Vec<u8> {
    book(&[("Audit", "worksheets/s0.xml", sheet(rows))])
}

/// Two events on a sheet `Audit`.
pub(super) fn audit_book() -> Vec<u8> {
    of_rows(&(row(&HEADER) + &audit(1) + &audit(2)))
}

#[test]
fn parts_may_be_in_utf_16_and_named_with_backslashes() {
    let rows = row(&HEADER) + &audit(1);
    let wide = |text: String| -> Vec<u8> {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    };
    let part = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><worksheet><sheetData>{rows}</sheetData></worksheet>"
    );
    let read = Case::of(
        "a.xlsx",
        book(&[("Audit", "worksheets\\s0.xml", wide(part))]),
    );
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.ids(), ["e1"]);
}

#[test]
fn a_sheet_that_ends_too_early_or_is_none_is_not_taken_for_an_empty_one() {
    let rows = row(&HEADER) + &audit(1);
    let cut = format!("<worksheet><sheetData>{rows}<row><c t=\"inl").into_bytes();
    let none = b"<chartsheet><drawing/></chartsheet>".to_vec();
    let read = Case::of(
        "a.xlsx",
        book(&[
            ("Audit", "worksheets/s0.xml", cut),
            ("Other", "worksheets/s1.xml", none),
        ]),
    );
    read.says(10, "incomplete   ");
    assert_eq!(read.ids(), ["e1"]);
    assert!(
        read.said.contains("has no rows of a sheet"),
        "{}",
        read.said
    );
    // Whole as XML, as far as it goes.
    let cut = format!("<worksheet><sheetData>{rows}").into_bytes();
    let read = Case::of("a.xlsx", book(&[("Audit", "worksheets/s0.xml", cut)]));
    read.says(10, "row 2 of the sheet: the sheet breaks off");
    assert_eq!(read.ids(), ["e1"]);
}

#[test]
fn rows_in_quarantine_have_the_numbers_that_excel_shows() {
    let at = |row: String, number: usize| row.replace("<row>", &format!("<row r=\"{number}\">"));
    let broken = row(&["e2", "2026-05-01T00:00:00", "X", "u@contoso.com", "broken"]);
    let rows = at(row(&["Audit log"]), 2)
        + &at(row(&HEADER), 5)
        + &at(audit(1), 6)
        + &at(broken.clone(), 17)
        + &broken;
    let read = Case::of("a.xlsx", of_rows(&rows));
    read.says(10, "a.xlsx/Audit, row 17)");
    let reasons = read.ask("SELECT Reason FROM Quarantine ORDER BY _Record");
    assert!(
        reasons[0].ends_with(" (row 17 of the sheet)"),
        "{reasons:?}"
    );
    assert!(
        reasons[1].ends_with(" (row 18 of the sheet)"),
        "{reasons:?}"
    );
}

#[test]
fn remarks_around_a_table_are_none_of_its_rows() {
    let above = row(&["Audit log search", "From 2026-05-01", "To 2026-05-02"]);
    let below = row(&["Applied filters:\nOperation is X"]);
    let wide = |text: &str| row(&[&HEADER[..], &["Comment"]].concat()) + text;
    let rows = above + &wide(&audit(1)) + &audit(2) + "<row/>" + &below + &row(&["2 rows"]);
    let read = Case::of("a.xlsx", of_rows(&rows));
    read.says(0, "the header is in row 2; rows above it, passed over: 1");
    assert!(
        read.said
            .contains("rows with one cell below its table, passed over: 2"),
        "{}",
        read.said
    );
    assert_eq!(read.ids(), ["e1", "e2"]);
    // A row with one cell inside the table is one of its rows.
    let rows = row(&HEADER) + "<row/>" + &row(&["e9"]) + &audit(1);
    let read = Case::of("a.xlsx", of_rows(&rows));
    read.says(10, "row 3)");
    assert_eq!(read.ids(), ["e1"]);
}

#[test]
fn a_remark_beside_a_narrow_table_is_no_header() {
    let cells = |n: usize| vec!["2026-05-01T00:00:00".to_string(), record(n).trim().into()];
    let mut rows = row(&["CreationDate", "AuditData"]);
    for n in 1..4 {
        let mut cells = cells(n);
        if n == 2 {
            cells.extend(["", "see", "the", "other", "sheet"].map(String::from));
        }
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        rows += &row(&cells);
    }
    let read = Case::of("a.xlsx", of_rows(&rows));
    assert_eq!(read.ids(), ["e1", "e2", "e3"], "{}", read.said);
}

#[test]
fn a_cover_sheet_is_passed_over_and_said() {
    let cover = row(&["This workbook was made by the SOC"]) + &row(&["Ask soc@contoso.com"]);
    let read = Case::of(
        "a.xlsx",
        book(&[
            ("Cover", "worksheets/s0.xml", sheet(&cover)),
            (
                "Audit",
                "worksheets/s1.xml",
                sheet(&(row(&HEADER) + &audit(1))),
            ),
        ]),
    );
    read.says(0, "a.xlsx/Cover: one column of words, no table");
    assert_eq!(read.ids(), ["e1"]);
}

#[test]
fn cells_that_excel_cut_are_told() {
    let cut = |letter: &str, n: usize| format!("{{\"Id\":\"{}", letter.repeat(n));
    // 32,767 letters of two bytes; of two units of UTF-16, half as many.
    for text in [cut("é", 32_767 - 7), cut("😀", (32_767 - 7) / 2)] {
        let record = row(&["e1", "2026-05-01T00:00:00", "X", "u@contoso.com", &text]);
        let read = Case::of("a.xlsx", of_rows(&(row(&HEADER) + &record)));
        read.says(10, "the cell was cut by Excel at 32,767 characters");
    }
    let header = [
        "TimeGenerated",
        "ActionType",
        "AccountObjectId",
        "Application",
        "RawEventData",
    ];
    let event = row(&[
        "2026-05-01T00:00:00Z",
        "FileAccessed",
        "u",
        "SharePoint",
        &cut("a", 32_767 - 7),
    ]);
    let read = Case::of("a.xlsx", of_rows(&(row(&header) + &event)));
    assert!(
        read.said
            .contains("1 rows have a cell that Excel cut at 32,767"),
        "{}",
        read.said
    );
}

#[test]
fn crafted_workbooks_take_neither_memory_nor_time() {
    let nested = "<a>".repeat(300) + &"</a>".repeat(300);
    let rows = row(&HEADER) + &audit(1) + &nested;
    let read = Case::of("a.xlsx", of_rows(&rows));
    read.says(10, "its elements are nested too deep");
    assert_eq!(read.ids(), ["e1"]);
    // One part under many names.
    let part = || sheet(&(row(&HEADER) + &audit(1)));
    let sheets: Vec<(String, Vec<u8>)> = (0..50).map(|n| (format!("S{n}"), part())).collect();
    let sheets: Vec<(&str, &str, Vec<u8>)> = sheets
        .iter()
        .map(|(name, part)| (&name[..], "worksheets/s0.xml", part.clone()))
        .collect();
    Case::of("a.xlsx", book(&sheets)).says(0, "Excel workbook, sheets: 1");
}

#[test]
fn a_sheet_without_a_header_goes_on_from_the_one_before() {
    let first = row(&HEADER) + &audit(1);
    let second = audit(2) + &audit(3);
    let read = Case::of(
        "a.xlsx",
        book(&[
            ("Audit", "worksheets/s0.xml", sheet(&first)),
            ("Audit 2", "worksheets/s1.xml", sheet(&second)),
        ]),
    );
    read.says(
        0,
        "a.xlsx/Audit 2: it has no header: that of another sheet was taken",
    );
    assert_eq!(read.ids(), ["e1", "e2", "e3"]);
}

#[test]
fn what_office_leaves_beside_an_open_workbook_is_passed_over() {
    let case = Case::of("a.jsonl", record(1));
    let folder = case.path("exports");
    std::fs::create_dir(&folder).expect("a folder");
    let mut lock = b"\x05admin".to_vec();
    lock.resize(55, b' ');
    lock.extend([5, 0]);
    lock.extend("admin".encode_utf16().flat_map(u16::to_le_bytes));
    lock.resize(165, 0);
    for (name, content) in [("~$audit.xlsx", lock), ("audit.xlsx", audit_book())] {
        std::fs::write(Path::new(&folder).join(name), content).expect("a file");
    }
    let out = run(&["ingest", &folder, "-a", &case.path("archive")]);
    let said = String::from_utf8_lossy(&[&out.stdout[..], &out.stderr[..]].concat()).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(said.contains("somebody has a document open"), "{said}");
    assert_eq!(case.ids(), ["e1", "e2"]);
}

#[test]
fn ids_that_were_numbers_in_excel_are_told_to_have_lost_digits() {
    let id = |n: &str| {
        let (time, action) = (cell("2026-05-01T00:00:00Z"), cell("FileAccessed"));
        let (application, raw) = (cell("SharePoint"), cell("{\"a\":1}"));
        format!("<row>{time}{action}<c><v>{n}</v></c>{application}{raw}</row>")
    };
    let header = [
        "Timestamp",
        "ActionType",
        "AccountObjectId",
        "Application",
        "RawEventData",
    ];
    let rows =
        row(&header) + &id("1.2345678901234567E+16") + &id("12345") + &id("12345678901234567890");
    let read = Case::of("a.xlsx", of_rows(&rows));
    let want = "numbers of more than 15 digits, of which spreadsheets lose the last: 2";
    assert!(read.said.contains(want), "{}", read.said);
}

#[test]
fn hidden_sheets_are_read_and_said() {
    // With an attribute behind the name.
    let name = "Audit\" state=\"veryHidden";
    let part = sheet(&(row(&HEADER) + &audit(1)));
    let read = Case::of("a.xlsx", book(&[(name, "worksheets/s0.xml", part)]));
    read.says(0, "Excel workbook, sheets: 1; hidden sheets among them: 1");
    assert_eq!(read.ids(), ["e1"]);
}
