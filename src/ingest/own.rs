//! What coldtrail wrote itself, and what tells it from an export: the ledger of an archive, the mark in findings and reports.
//!
//! Names are not enough: a `findings.json` may be evidence, and findings may have any name.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::DeflateDecoder;
use zip::result::{ZipError, ZipResult};
use zip::{CompressionMethod, ZipArchive};

/// First line of findings as CSV. No product writes it.
pub const FINDINGS_HEADER: &str =
    "number,severity,rule,title,first,last,entities,details,records,evidence,tactics,techniques";

/// First line of a timeline as CSV. No product writes it either.
pub const TIMELINE_HEADER: &str = "datetime,timestamp_desc,message,user,address,place,application,device,session,object,action,result,count,\
    table,event_id,ingest,record,file";

/// First lines of label changes as CSV, of the figures of a report, and of what the tokens of an export stand for. No product writes them.
const FIGURES: [&str; 22] = [
    "time,action,user,file,label_before,label_after,justification",
    "time,action,user,file,label_before,label_after,justification,manager,application,device,address,ingest,record",
    "figure,value,now,before,change_percent",
    "from,high,medium,low,informational",
    "day,users,devices",
    "label,id,name_is,rank,applied,upgraded,downgraded,removed,opened,denied",
    "from,from_rank,to,to_rank,action,count,users",
    "of,name,day,events,usual,times",
    "time,action,user,manager,file,label_before,label_after,justification,application,device,address,ingest,record",
    "day,inside,outside,unknown",
    "user,denials",
    "time,user,side,result,document,label,owner,address,country,device,application,ingest,record",
    "day,lowered,sign_ins,failed,risky",
    "user,day,lowered,time,result,reason,risk,address,country,application,device",
    "time,what,why,findings,severity,user,address,action,object,application,table,ingest,record",
    "rule,name,severity,status,reason,findings,tactics,techniques,not_judged,version,sha256",
    "ingest,file,sha256,bytes,kind,container,tables,records,events,duplicates,revisions,quarantined,first,last,status,note",
    "kind,table,where,from,to,expected,found,explanation",
    "table,rows,first,last",
    "reason,records,example",
    "exclusion,alerts",
    "token,kind,original",
];
/// The same of people; label actions stand behind.
const PEOPLE: &str = "user,name,manager,high,medium,low,informational,denied,denied_to_others,sign_ins,failed_sign_ins,risky_sign_ins,first,last";
/// What a report ranks by label events, whose actions stand behind, and by denials.
const RANKED_BY_EVENTS: [&str; 7] = [
    "user",
    "label",
    "application",
    "site",
    "extension",
    "how",
    "justification",
];
const RANKED_BY_DENIALS: [&str; 5] = ["owner", "domain", "label", "document", "result"];

/// The column `mode` of each line of a timeline as a body file.
pub const BODY_MODE: &str = "coldtrail";

/// The maker of findings and reports: the value of the first key `generator` in JSON, of the `<meta>` of that name in HTML,
/// the author of a workbook.
pub const GENERATOR: &str = concat!("coldtrail ", env!("CARGO_PKG_VERSION"));

/// Whether a folder is an archive: every version keeps its ledger there. (`archive` is above this layer.)
pub fn is_archive(folder: &Path) -> bool {
    folder.join("Ingests").join("_delta_log").is_dir()
}

/// Whether a path without links is an archive or lies in one of its tables.
pub fn in_archive(path: &Path) -> bool {
    is_archive(path)
        || path.ancestors().any(|folder| {
            folder.join("_delta_log").is_dir() && folder.parent().is_some_and(is_archive)
        })
}

/// Whether a file says of itself that it holds findings or a report. One that cannot be read says nothing.
pub fn is_result(file: &Path) -> bool {
    /// The mark of a report stands behind some other lines of its head.
    const MARK_BYTES: u64 = 4096;
    let mut head = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MARK_BYTES).read_to_end(&mut head));
    read.is_ok() && (has_mark(&head) || (head.starts_with(b"PK") && is_own_workbook(file)))
}

/// Whether a workbook names its maker as its author, who stays when somebody saves it again. A zip archive that cannot be read names nobody.
fn is_own_workbook(file: &Path) -> bool {
    const AUTHOR: &[u8] = b"<dc:creator>coldtrail ";
    properties(file).is_ok_and(|text| memchr::memmem::find(&text, AUTHOR).is_some())
}

/// What a workbook says of itself.
fn properties(file: &Path) -> ZipResult<Vec<u8>> {
    const MOST_BYTES: u64 = 64 << 10;
    let mut archive = ZipArchive::new(BufReader::new(File::open(file)?))?;
    let number = archive.index_for_name("docProps/core.xml");
    let member = archive.by_index_raw(number.ok_or(ZipError::FileNotFound)?)?;
    let mut text = Vec::new();
    match member.compression() == CompressionMethod::Stored {
        true => member.take(MOST_BYTES).read_to_end(&mut text)?,
        false => DeflateDecoder::new(member)
            .take(MOST_BYTES)
            .read_to_end(&mut text)?,
    };
    Ok(text)
}

fn has_mark(head: &[u8]) -> bool {
    const META: &[u8] = b"<meta name=\"generator\" content=\"coldtrail ";
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut rest = text.trim_ascii_start();
    for header in [FINDINGS_HEADER, TIMELINE_HEADER] {
        if let Some(behind) = rest.strip_prefix(header.as_bytes()) {
            return matches!(behind.first(), None | Some(b'\n' | b'\r'));
        }
    }
    let line = rest.split(|b| matches!(*b, b'\n' | b'\r')).next();
    if is_figure(line.unwrap_or_default()) {
        return true;
    }
    if rest.starts_with(b"<") {
        return memchr::memmem::find(rest, META).is_some();
    }
    if rest.starts_with(b"0|") {
        // None of the parts of a line before this one has the separator.
        let mode = rest.split(|b| *b == b'|' || *b == b'\n').nth(3);
        return mode == Some(BODY_MODE.as_bytes());
    }
    for part in [&b"{"[..], b"\"generator\"", b":"] {
        match rest.strip_prefix(part) {
            Some(behind) => rest = behind.trim_ascii_start(),
            None => return false,
        }
    }
    rest.starts_with(b"\"coldtrail ")
}

/// Whether a line is the first of a figure as CSV.
fn is_figure(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else {
        return false;
    };
    let over_time = line.strip_prefix("from");
    let over_time = over_time.and_then(|rest| rest.strip_suffix(",users,devices"));
    let with_actions = [
        ranked(line, &RANKED_BY_EVENTS, "label_events"),
        line.strip_prefix(PEOPLE),
        over_time,
    ];
    FIGURES.contains(&line)
        || with_actions.into_iter().flatten().any(are_actions)
        || ranked(line, &RANKED_BY_DENIALS, "denials") == Some(",inside,outside,unknown")
}

/// What stands behind one of these names and the column of its sums.
fn ranked<'l>(line: &'l str, names: &[&str], sums: &str) -> Option<&'l str> {
    let (name, rest) = line.split_once(',')?;
    let rest = rest.strip_prefix(sums)?;
    names.contains(&name).then_some(rest)
}

/// Whether columns are label actions, or there are none.
fn are_actions(columns: &str) -> bool {
    let is_action = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let names = columns.strip_prefix(',');
    columns.is_empty() || names.is_some_and(|names| names.split(',').all(is_action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_known_by_its_mark_and_not_by_a_word_in_it() {
        let with_header = |behind: &str| format!("{FINDINGS_HEADER}{behind}");
        for (text, want) in [
            (with_header("\n"), true),
            (with_header(""), true),
            (with_header(",more\n"), false),
            (format!("{TIMELINE_HEADER}\r\n"), true),
            (format!("{{\n  \"generator\": \"{GENERATOR}\"}}"), true),
            (format!("\u{feff}{{\"generator\":\"{GENERATOR}\"}}"), true),
            (
                format!("{{\"Id\":\"1\",\"generator\":\"{GENERATOR}\"}}"),
                false,
            ),
            ("{\"generator\": \"another\"}".into(), false),
            (
                format!("<!doctype html>\n<meta name=\"generator\" content=\"{GENERATOR}\">"),
                true,
            ),
            (
                format!("0|ann read mail (T)|1-1|{BODY_MODE}|0|0|0|1|1|1|1\n"),
                true,
            ),
            (
                "0|/etc/coldtrail|7|r/rrw-r--r--|0|0|9|1|1|1|1\n".into(),
                false,
            ),
            (format!("0|{BODY_MODE}"), false),
            (
                "user,label_events,LabelApplied,FileOpened\nann,2,1,1\n".into(),
                true,
            ),
            ("user,label_events\r\n".into(), true),
            ("user,label_events,comment\n".into(), false),
            ("from,LabelApplied,users,devices\n".into(), true),
            ("from,to,users,devices\n".into(), false),
            (format!("{PEOPLE},LabelApplied\n"), true),
            ("owner,denials,inside,outside,unknown\n".into(), true),
            ("owner,denials\n".into(), false),
            ("exclusion,alerts\n".into(), true),
            ("exclusion,alerts,notes\n".into(), false),
            ("<html></html>".into(), false),
            (String::new(), false),
        ] {
            assert_eq!(has_mark(text.as_bytes()), want, "{text}");
        }
    }
}
