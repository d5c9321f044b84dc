//! What a file is: container and record kind, from its first bytes and never from its extension. Can say why.

use super::{answers, columns};

mod around;
mod csv;
mod evidence;
mod found;
mod header;
mod held;
mod json;
mod object;
mod order;
mod pairs;
mod reason;
mod spelled;
mod ties;
mod told;
mod unread;

use found::known;
pub use found::{Container, Detected, Format, Hints, Kind, OTHER, Rows, repeats_the_record};
pub use header::targets;
pub use held::{Inner, Inside, by_itself, inside, records};
pub use json::EMPTY_ANSWER;
use json::{from_json, quoted_lines, with_order};
use order::settled;
pub use order::{has_time, mentions, order_evidence, tells_time};
use pairs::is_format_list;
pub(super) use pairs::pair;
pub use spelled::by_row;
pub use ties::{SOME, by_name, is_table_name, is_unknown_table, is_vague, names_table, tie};
pub use told::refused;

/// Looks at the first bytes of a file (already decompressed, in UTF-8).
pub fn detect(head: &[u8], hints: &Hints) -> Detected {
    // What a crash left unwritten, or a copy by blocks, fills a file up.
    let filled = head.iter().rposition(|b| !matches!(b, 0 | 0x1a));
    let head = match filled {
        Some(last) => &head[..=last],
        None => head,
    };
    let text_start = head
        .iter()
        // A sequence of JSON texts has a mark before each (RFC 7464).
        .position(|b| !b.is_ascii_whitespace() && !matches!(*b, 0 | 0x1e))
        .unwrap_or(head.len());
    let head_text = &head[text_start..];
    if head_text.is_empty() {
        return match head.trim_ascii_start() {
            [] => Detected::Empty("the file is empty"),
            _ => Detected::Unknown(unread::ZEROS.into()),
        };
    }
    if is_binary(head_text) {
        return Detected::Unknown("binary content (NUL bytes)".into());
    }
    if let Some(what) = unread::no_text(head_text) {
        return Detected::Unknown(what.into());
    }
    if head_text.starts_with(b"#Software: RMS") {
        return settled(w3c(head_text), head, hints);
    }
    if let Some(what) = answers::beside_exports(head_text).or_else(|| answers::no_value(head_text))
    {
        return Detected::Empty(what);
    }
    if !matches!(head_text[0], b'{' | b'"')
        && !is_format_list(head_text)
        && let Some(found) = around::json(head, text_start)
    {
        return settled(with_order(found, hints), head, hints);
    }
    if let Some(why) = answers::error_text(head_text) {
        return Detected::Unknown(why);
    }
    match head_text[0] {
        b'{' | b'[' => {
            let found = told::objects(from_json(head), head, hints);
            settled(with_order(found, hints), head, hints)
        }
        b'<' => Detected::Unknown(
            answers::error_page(head_text).unwrap_or_else(|| unread::markup(head_text).into()),
        ),
        b'"' if is_quoted_json(head_text) => {
            settled(with_order(from_json(head), hints), head, hints)
        }
        _ if is_format_list(head_text) => {
            let why = "`Name : value` lines with AuditData";
            let found = known(Container::FormatList, Kind::AuditWrapped, why.into());
            settled(found, head, hints)
        }
        _ => match quoted_lines(head_text) {
            Some(found) => settled(with_order(found, hints), head, hints),
            None => around::csv(head, text_start, hints),
        },
    }
}

/// Whether NUL bytes stand where a text cannot have them: padding may stand between two lines.
fn is_binary(head: &[u8]) -> bool {
    let Some(first) = head.iter().take(512).position(|b| *b == 0) else {
        return false;
    };
    let before = &head[..first];
    let before = before.strip_suffix(b"\xef\xbb\xbf").unwrap_or(before);
    !before.ends_with(b"\n")
}

/// Whether a text begins as a string of JSON does that is JSON itself; no cell of a CSV begins so.
fn is_quoted_json(head: &[u8]) -> bool {
    let inner = head[1..].trim_ascii_start();
    let begins: [&[u8]; 5] = [b"{\\", b"[{\\", b"[\\", b"\\\"{", b"\\\"["];
    begins.iter().any(|begin| inner.starts_with(begin))
}

fn w3c(head: &[u8]) -> Detected {
    let fields = head
        .split(|b| *b == b'\n')
        .take(64)
        .find_map(|line| line.strip_prefix(b"#Fields:"));
    let Some(fields) = fields else {
        return Detected::Unknown("RMS usage log without a `#Fields:` line".into());
    };
    let table = crate::catalog::table("AipServiceUserLog");
    let header: Vec<String> = String::from_utf8_lossy(fields)
        .trim()
        .split('\t')
        .map(|n| n.trim().to_string())
        .collect();
    let kind = Kind::Cells {
        table,
        targets: header.iter().map(|n| columns::target(table, n)).collect(),
        named: None,
    };
    let why = "first line is `#Software: RMS`";
    let mut detected = known(Container::W3c, kind, why.into());
    if let Detected::Known(format) = &mut detected {
        format.header = header;
    }
    detected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(head: &str) -> String {
        match detect(head.as_bytes(), &Hints::default()) {
            Detected::Known(f) => format!("{}: {}", f.container, f.kind_name()),
            Detected::Empty(why) => why.into(),
            Detected::Unknown(why) => format!("unknown: {why}"),
        }
    }

    #[test]
    fn formats_are_told_by_content() {
        // Long because it is one table of cases.
        for (head, want) in [
            (
                "RecordId,CreationDate,auditData\n1,2,{}\n",
                "CSV: Unified Audit Log",
            ),
            (
                "#TYPE X\r\n\"UserIds\";\"AuditData\"\r\n1;2\r\n",
                "CSV (;): Unified Audit Log",
            ),
            (
                "{\"CreationTime\":\"x\",\"Id\":\"y\",\"Operation\":\"z\"}\n",
                "JSON lines: Unified Audit Log",
            ),
            (
                "[{\"CreationTime\":\"x\",\n\"Id\":\"y\",\"Operation\":\"z\"}]",
                "JSON: Unified Audit Log",
            ),
            (
                "{\"time\":\"\",\"category\":\"AdvancedHunting-CloudAppEvents\",\"properties\":{}}",
                "JSON lines: streaming API",
            ),
            (
                "{\"TimeGenerated\":\"x\",\"Type\":\"SigninLogs\"}\n",
                "JSON lines: SigninLogs",
            ),
            (
                "Timestamp,ActionType,Application,AccountObjectId,RawEventData\na,b,c,d,e\n",
                "CSV: CloudAppEvents",
            ),
            (
                "#Software: RMS\n#Version: 1.1\n#Fields: date\ttime\trow-id\n",
                "W3C log: AipServiceUserLog",
            ),
            (
                r#"{"@odata.context":"x","value":[{"id":"a","auditLogRecordType":"b","auditData":{}}]}"#,
                "JSON `value`: Unified Audit Log",
            ),
            (
                r#"{"records":[{"category":"AdvancedHunting-CloudAppEvents","properties":{}}]}"#,
                "JSON `records`: streaming API",
            ),
            (
                r#"{"Stats":{},"Schema":[],"Results":[{"Timestamp":"a","ActionType":"b","AccountObjectId":"c","RawEventData":"d"}]}"#,
                "JSON `Results`: CloudAppEvents",
            ),
            (
                r#"{"tables":[{"name":"PrimaryResult","columns":[{"name":"Id","type":"string"},{"name":"Type","type":"string"}],"rows":[["a","SigninLogs"]]}]}"#,
                "JSON `rows`: SigninLogs",
            ),
            (r#"{"value":[]}"#, "the answer has no records"),
            ("", "the file is empty"),
            ("AuditData\n", "the file has a header and no records"),
            ("a,b\n1,2\n", "CSV: OtherRecords"),
            (
                "RecordType   : X\r\nAuditData    : {}\r\n\r\n",
                "Format-List text: Unified Audit Log",
            ),
            (
                "Id,CreationTime,Operation,RecordType,Folders\n1,2026-05-01T00:00:00,X,1,System.Object[]\n",
                "CSV: Unified Audit Log",
            ),
            (
                "2026-05-01T00:00:00Z,a,,b\n2026-05-01T00:00:01Z,a,,b\n",
                "unknown: 4 columns and no header: say what the rows are, such as --as OfficeActivity or --as 'OfficeActivity(TimeGenerated,Operation,…)'",
            ),
            (
                r#"[{"FrameType":"DataSetHeader","Version":"v2.0"},{"FrameType":"DataTable","TableKind":"QueryProperties","Columns":[{"ColumnName":"Key","ColumnType":"string"}],"Rows":[["a"]]},{"FrameType":"DataTable","TableKind":"PrimaryResult","Columns":[{"ColumnName":"Id","ColumnType":"string"},{"ColumnName":"Type","ColumnType":"string"}],"Rows":[["a","SigninLogs"]]}]"#,
                "JSON `Rows`: SigninLogs",
            ),
            (
                r#"{"time":"x","category":"SignInLogs","properties":{"id":"a"}}"#,
                "JSON lines: streaming API",
            ),
            (
                r#"[{"contentUri":"https://x","contentType":"Audit.General","contentId":"1"}]"#,
                "a listing of content of the Management API: no events, fetch what it names",
            ),
            (
                "Dear Sir\nthis is a letter.\n",
                "unknown: text whose first line is no header of a known table (Dear Sir)",
            ),
            (
                "Dear Sir or Madam or whoever reads this letter of mine\nthis is a letter.\n",
                "unknown: text whose first line is no header of a known table (Dear Sir or Madam or whoever r…)",
            ),
            ("{\"a\":1}\n{\"a\":2}\n", "JSON lines: OtherRecords"),
        ] {
            assert_eq!(name(head), want, "{head:?}");
        }
    }
}
