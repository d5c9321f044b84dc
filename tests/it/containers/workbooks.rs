//! Workbooks: every sheet, dates as dates, digits as they are, and other office files.

use super::*;

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A workbook of sheets, each given by its rows in XML, and of texts that cells name by number. Style 1 shows date and time, 2 a
/// date by a code of its own, 3 a span.
fn parts(sheets: &[(&str, &str)], texts: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut parts = Vec::new();
    let mut add = |name: &str, content: String| parts.push((name.to_string(), content.into()));
    add(
        "[Content_Types].xml",
        "<Types><Override PartName=\"/xl/workbook.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/></Types>".into(),
    );
    let relation = |id: &str, kind: &str, target: &str| {
        format!("<Relationship Id=\"{id}\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/>")
    };
    let list = relation("rId1", "officeDocument", "xl/workbook.xml");
    add(
        "_rels/.rels",
        format!("<Relationships>{list}</Relationships>"),
    );
    let mut list = relation("rS", "styles", "styles.xml");
    list += &relation("rT", "sharedStrings", "/xl/sharedStrings.xml");
    list += &relation("rC", "chartsheet", "chartsheets/sheet1.xml");
    let mut names = String::new();
    for (n, (name, _)) in sheets.iter().enumerate() {
        list += &relation(
            &format!("r{n}"),
            "worksheet",
            &format!("worksheets/s{n}.xml"),
        );
        names += &format!(
            "<sheet name=\"{}\" sheetId=\"{n}\" r:id=\"r{n}\"/>",
            escaped(name)
        );
    }
    add(
        "xl/workbook.xml",
        format!("<workbook xmlns=\"{MAIN}\"><workbookPr/><sheets>{names}</sheets></workbook>"),
    );
    add(
        "xl/_rels/workbook.xml.rels",
        format!("<Relationships>{list}</Relationships>"),
    );
    add(
        "xl/styles.xml",
        "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"[$-407]d\\.\\ mmm\\ yyyy;@\"/></numFmts><cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/><xf numFmtId=\"164\"/><xf numFmtId=\"46\"/></cellXfs></styleSheet>".into(),
    );
    for (n, (_, rows)) in sheets.iter().enumerate() {
        add(
            &format!("xl/worksheets/s{n}.xml"),
            format!(
                "<worksheet xmlns=\"{MAIN}\"><dimension ref=\"A1\"/><sheetData>{rows}</sheetData></worksheet>"
            ),
        );
    }
    let texts: String = texts
        .iter()
        .map(|text| format!("<si><t xml:space=\"preserve\">{}</t></si>", escaped(text)))
        .collect();
    add("xl/sharedStrings.xml", format!("<sst>{texts}</sst>"));
    parts
}

fn zipped(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(n, c)| (&n[..], &c[..])).collect();
    zip_of(&parts)
}

fn workbook(sheets: &[(&str, &str)], texts: &[&str]) -> Vec<u8> {
    zipped(&parts(sheets, texts))
}

fn inline(text: &str) -> String {
    format!("<c t=\"inlineStr\"><is><t>{}</t></is></c>", escaped(text))
}

fn shared(text: usize) -> String {
    format!("<c t=\"s\"><v>{text}</v></c>")
}

const HEADER: [&str; 6] = [
    "RecordId",
    "CreationDate",
    "RecordType",
    "Operation",
    "UserId",
    "AuditData",
];

fn row(cells: &[String]) -> String {
    format!("<row>{}</row>", cells.concat())
}

fn audit(n: usize) -> Vec<String> {
    [
        format!("e{n}").as_str(),
        "2026-05-01T00:00:00",
        "1",
        "X",
        "u@contoso.com",
        record(n).trim(),
    ]
    .map(inline)
    .into()
}

/// The header in texts of the workbook, the rows in cells, on two sheets.
fn export() -> Vec<u8> {
    let header = row(&(0..6).map(shared).collect::<Vec<_>>());
    let first = header.clone() + &row(&audit(1)) + &row(&audit(2));
    let second = header + &row(&audit(3));
    workbook(&[("Audit 1", &first), ("Audit 2", &second)], &HEADER)
}

#[test]
fn every_sheet_of_a_workbook_is_read_whatever_the_file_is_called() {
    for name in ["AuditLog.xlsx", "AuditLog.csv"] {
        let mut read = Read::of(name, export());
        read.says(0, "files        3");
        assert_eq!(read.ids(), ["e1", "e2", "e3"]);
        assert_eq!(
            read.files(),
            [
                format!("{name}|complete"),
                format!("{name}/Audit 1|complete"),
                format!("{name}/Audit 2|complete"),
            ]
        );
        assert_eq!(
            read.ask("SELECT DISTINCT Note FROM Ingests WHERE Note <> ''"),
            ["Excel workbook, sheets: 2"]
        );
        read.again(name, &[]);
        assert_eq!(read.code, Some(0), "{}", read.said);
        assert_eq!(read.files().len(), 3, "nothing is read twice");
    }
}

#[test]
fn of_two_sheets_with_the_same_events_the_one_with_whole_records_counts() {
    let parts = [
        "RecordId",
        "CreationDate",
        "Operation",
        "UserId",
        "AuditData.AppName",
    ];
    let cells = ["e1", "2026-05-01T00:00:00", "X", "u1@contoso.com", "App"];
    let first = row(&parts.map(inline)) + &row(&cells.map(inline));
    let second = row(&HEADER.map(inline)) + &row(&audit(1));
    let book = workbook(&[("Table1", &first), ("3aaa3ee0", &second)], &[]);
    let read = Read::of("AuditLog.xlsx", book);
    assert_eq!(read.code, Some(0), "{}", read.said);
    let sql = "SELECT Id, AuditData FROM UnifiedAuditLog";
    assert_eq!(
        read.ask(sql),
        [format!("e1|{}", record(1).trim())],
        "{}",
        read.said
    );
}

#[test]
fn a_dry_run_names_the_sheets_and_what_they_hold() {
    let read = Read::with("AuditLog.xlsx", export(), &["--dry-run"]);
    read.says(0, "Excel workbook");
    assert!(read.said.contains("AuditLog.xlsx/Audit 2"), "{}", read.said);
    assert!(read.said.contains("Unified Audit Log"), "{}", read.said);
}

#[test]
fn dates_numbers_and_formulas_are_what_excel_shows() {
    let header = [
        "Timestamp",
        "ActionType",
        "Application",
        "AccountObjectId",
        "IsAdminOperation",
        "RawEventData",
    ];
    let cells = |time: &str, id: &str, bool: &str| {
        format!(
            "<row>{time}<c t=\"str\"><f>A1</f><v>Label &amp; more</v></c><c t=\"e\"><v>#N/A</v></c><c><v>{id}</v></c><c t=\"b\"><v>{bool}</v></c><c t=\"inlineStr\"><is><r><t>{{\"a\":\"_x0041_\",</t></r><r><t>\"b\":1}}</t></r></is></c></row>"
        )
    };
    let mut rows = row(&header.map(inline));
    rows += &cells("<c s=\"1\"><v>46146.424444444441</v></c>", "1", "1");
    rows += &cells("<c s=\"2\"><v>46147</v></c>", "12345678901234567890", "0");
    rows += &cells(
        "<c t=\"d\"><v>2026-05-06T01:02:03Z</v></c>",
        "1.2345678901234501E+17",
        "0",
    );
    let read = Read::of("export.xlsx", workbook(&[("Sheet1", &rows)], &[]));
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(
        read.ask(
            "SELECT \"Timestamp\", AccountObjectId, IsAdminOperation, ActionType, Application, RawEventData FROM CloudAppEvents ORDER BY 1"
        ),
        [
            "2026-05-04T10:11:12Z|1|true|Label & more|#N/A|{\"a\":\"A\",\"b\":1}",
            "2026-05-05T00:00:00Z|12345678901234567890|false|Label & more|#N/A|{\"a\":\"A\",\"b\":1}",
            "2026-05-06T01:02:03Z|123456789012345010|false|Label & more|#N/A|{\"a\":\"A\",\"b\":1}",
        ]
    );
}

#[test]
fn days_since_1904_are_days_since_1904() {
    let header = ["Timestamp", "ActionType", "AccountObjectId", "RawEventData"];
    let rows = row(&header.map(inline))
        + "<row><c s=\"1\"><v>44684.5</v></c><c t=\"inlineStr\"><is><t>x</t></is></c></row>";
    let mut parts = parts(&[("Sheet1", &rows)], &[]);
    for (name, content) in &mut parts {
        if name == "xl/workbook.xml" {
            let text = String::from_utf8_lossy(content)
                .replace("<workbookPr/>", "<workbookPr date1904=\"1\"/>");
            *content = text.into_bytes();
        }
    }
    let read = Read::of("mac.xlsx", zipped(&parts));
    assert_eq!(
        read.ask("SELECT \"Timestamp\" FROM CloudAppEvents"),
        ["2026-05-04T12:00:00Z"],
        "{}",
        read.said
    );
}

#[test]
fn titles_above_the_header_and_empty_sheets_are_said() {
    let rows = row(&[inline("Audit log search")])
        + "<row r=\"2\"/>"
        + &row(&[inline("From"), inline("2026-05-01")])
        + &row(&HEADER.map(inline))
        + &row(&audit(1))
        // Cells that stand at their place, others before them left out.
        + "<row r=\"9\"><c r=\"A9\" t=\"inlineStr\"><is><t>e2</t></is></c><c r=\"F9\" t=\"inlineStr\"><is><t>"
        + record(2).trim()
        + "</t></is></c></row>";
    let book = workbook(&[("Audit", &rows), ("Notes", "")], &[]);
    let read = Read::of("audit.xlsx", book);
    read.says(0, "the header is in row 4; rows above it, passed over: 2");
    assert_eq!(read.ids(), ["e1", "e2"]);
    assert_eq!(
        read.ask("SELECT Note FROM Ingests WHERE \"File\" LIKE '%/Notes'"),
        ["the sheet is empty"]
    );
}

#[test]
fn lines_of_csv_in_one_column_are_read_as_csv() {
    let rows: String = [
        "RecordId;CreationDate;Operation;AuditData",
        "e1;2026-05-01T00:00:00;X;{\"Id\":\"e1\",\"CreationTime\":\"2026-05-01T00:00:00\"}",
    ]
    .iter()
    .map(|line| row(&[inline(line)]))
    .collect();
    let read = Read::of("a.xlsx", workbook(&[("Sheet1", &rows)], &[]));
    assert_eq!(read.ids(), ["e1"], "{}", read.said);
}

#[test]
fn a_workbook_that_is_cut_off_gives_the_rows_before_the_cut() {
    let header = row(&HEADER.map(inline));
    let rows = header + &(1..200).map(|n| row(&audit(n))).collect::<String>();
    let mut parts = parts(&[("Sheet1", &rows)], &[]);
    parts.sort_by_key(|(name, _)| name.contains("worksheets/"));
    let mut book = zipped(&parts);
    let sheet = memchr::memmem::find(&book, b"<sheetData>").expect("it is there");
    book.truncate(sheet + rows.len() / 2);
    let read = Read::of("cut.xlsx", book);
    read.says(10, "breaks off");
    assert!(read.ids().len() > 50, "{}", read.said);
}

#[test]
fn one_long_text_in_every_cell_is_stopped() {
    let long = "x".repeat(30_000);
    let many = "<c t=\"s\"><v>0</v></c>".repeat(200);
    let rows = row(&HEADER.map(inline)) + &format!("<row>{many}</row>").repeat(20);
    let read = Read::of("bomb.xlsx", workbook(&[("Sheet1", &rows)], &[&long]));
    read.says(10, "200 times its size");
}

#[test]
fn other_office_files_say_what_to_do() {
    let typed = |kind: &str| {
        let types = format!("<Types><Override ContentType=\"application/{kind}+xml\"/></Types>");
        zip_of(&[
            ("[Content_Types].xml", types.as_bytes()),
            ("xl/workbook.bin", b"\x83\x01"),
        ])
    };
    let ole = |stream: &str| {
        let mut file = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
        file.resize(1024, 0);
        file.extend(stream.encode_utf16().flat_map(u16::to_le_bytes));
        file.resize(2048, 0);
        file
    };
    let open = zip_of(&[
        (
            "mimetype",
            b"application/vnd.oasis.opendocument.spreadsheet",
        ),
        ("content.xml", b"<office/>"),
    ]);
    for (content, want) in [
        (
            typed("vnd.ms-excel.sheet.binary.macroEnabled.main"),
            "(.xlsb): save it as .xlsx",
        ),
        (
            typed("vnd.openxmlformats-officedocument.wordprocessingml.document.main"),
            "a document of Word or PowerPoint",
        ),
        (open, "an OpenDocument file"),
        (ole("Workbook"), "(.xls): save it as .xlsx"),
        (ole("EncryptedPackage"), "with a password"),
    ] {
        let read = Read::of("audit.xlsx", content);
        read.says(10, want);
        assert_eq!(read.files(), ["audit.xlsx|unreadable"]);
    }
}

#[test]
fn a_workbook_inside_a_packed_archive_is_read() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&super::tars::tar_of(&[("case/audit.xlsx", &export())]))
        .expect("it is packed");
    let read = Read::of("case.tgz", gzip.finish().expect("it is packed"));
    assert_eq!(read.code, Some(0), "{}", read.said);
    assert_eq!(read.ids(), ["e1", "e2", "e3"]);
    assert_eq!(read.files()[3], "case.tgz/case/audit.xlsx/Audit 2|complete");
}
