//! What collectors and systems write beside exports: logs, settings, lists of hashes, statistics.

use super::super::time::{self, DateOrder};
use super::failures::{HASHES, is_hash_line};

/// What a text file is that collectors and systems write beside exports; nothing where it may be an export.
pub fn beside_exports(head: &[u8]) -> Option<&'static str> {
    /// Lines that are looked at.
    const LINES: usize = 20;
    let first = *head.first()?;
    // No export begins like that but JSON arrays.
    if !(b"[*;#<-%".contains(&first) || first.is_ascii_alphanumeric()) {
        return None;
    }
    let text = String::from_utf8_lossy(&head[..head.len().min(16 << 10)]);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .take(LINES)
        .collect();
    let begin = *lines.first()?;
    if is_settings(&lines) {
        return Some("passed over: settings (.ini), no records");
    }
    if is_script(begin) {
        return Some("passed over: a script, no records");
    }
    if is_yaml(&lines) {
        return Some("passed over: settings (YAML), no records");
    }
    if lines.iter().all(|line| is_hash_line(line)) {
        return Some(HASHES);
    }
    if begin.starts_with("*****")
        && lines
            .iter()
            .take(3)
            .any(|l| l.to_ascii_lowercase().contains("transcript"))
    {
        return Some("passed over: a transcript of PowerShell, no records");
    }
    (is_log_line(begin) && is_log(&lines)).then_some("passed over: a log of a tool, no records")
}

/// `[.ShellClassInfo]` and `name=value` below it.
fn is_settings(lines: &[&str]) -> bool {
    let begin = lines.iter().position(|l| !is_remark(l));
    match begin.and_then(|i| lines.get(i..)) {
        Some([section, rest @ ..]) => {
            is_section(section)
                && !rest.is_empty()
                && rest
                    .iter()
                    .all(|l| is_remark(l) || is_section(l) || is_setting(l))
        }
        _ => false,
    }
}

/// Whether a text begins as scripts of PowerShell, Python and shells do.
fn is_script(begin: &str) -> bool {
    const BEGINNINGS: [&str; 10] = [
        "#!",
        "<#",
        "#requires ",
        "param(",
        "param (",
        "[cmdletbinding(",
        "import-module ",
        "using namespace ",
        "function ",
        "from __future__ ",
    ];
    let begin = begin.to_ascii_lowercase();
    BEGINNINGS.iter().any(|words| begin.starts_with(words)) && !begin.contains(['"', ','])
}

/// Whether all lines are keys and values of YAML. Format-List has a blank before its colons.
fn is_yaml(lines: &[&str]) -> bool {
    let is_pair = |line: &str| -> bool {
        let (key, value) = line.split_once(':').unwrap_or_default();
        let key = key.strip_prefix("- ").unwrap_or(key);
        let is_name = |c: char| c.is_alphanumeric() || "_.-".contains(c);
        !key.is_empty()
            && key.chars().all(is_name)
            && key.contains(|c: char| c.is_ascii_alphabetic())
            && (value.is_empty() || value.starts_with(' '))
    };
    let is_part = |line: &&&str| {
        line.starts_with("- ") || is_remark(line) || is_pair(line) || **line == "---"
    };
    let pairs = lines.iter().filter(|l| is_pair(l)).count();
    pairs >= 2 && lines.iter().filter(is_part).count() == lines.len()
}

/// Whether the keys of a lone object are those of a collector's settings, or of where it stopped.
pub fn is_settings_object<'k>(keys: impl Iterator<Item = &'k str>) -> bool {
    const OWN: [&str; 16] = [
        "tenantid",
        "clientid",
        "clientsecret",
        "certificatethumbprint",
        "thumbprint",
        "outputpath",
        "outputfolder",
        "outputdirectory",
        "lastrun",
        "lastruntime",
        "lastrundate",
        "cursor",
        "checkpoint",
        "watermark",
        "appid",
        "interval",
    ];
    let fold = |key: &str| {
        let letters = key.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect::<String>()
    };
    let keys: Vec<String> = keys.map(fold).collect();
    let own = keys.iter().filter(|k| OWN.contains(&k.as_str())).count();
    own >= 2 && own * 2 > keys.len()
}

fn is_remark(line: &str) -> bool {
    line.starts_with([';', '#'])
}

fn is_section(line: &str) -> bool {
    let name = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
    name.is_some_and(|name| {
        name.contains(|c: char| c.is_ascii_alphabetic())
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || " ._-{}".contains(c))
    })
}

fn is_setting(line: &str) -> bool {
    line.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && !name.contains(['"', '{', ',', '\t']))
}

/// Words for how much a line of a log matters.
const LEVELS: [&str; 16] = [
    "info",
    "information",
    "warn",
    "warning",
    "error",
    "err",
    "debug",
    "verbose",
    "success",
    "action",
    "trace",
    "fatal",
    "critical",
    "notice",
    "alert",
    "prompt",
];

/// Whether half of the lines begin with a time and a level, and none holds JSON.
fn is_log(lines: &[&str]) -> bool {
    let levels = lines.iter().filter(|l| is_log_line(l)).count();
    let objects = lines.iter().filter(|l| l.contains("{\"")).count();
    // A message may go on in lines of its own.
    levels * 2 >= lines.len() && objects == 0
}

fn is_log_line(line: &str) -> bool {
    /// Room for a time with its zone, a process id and the level.
    const BEGINNING: usize = 64;
    let stamp = line.trim_start_matches(['[', '(', '<', ' ']);
    let is_stamp = stamp.len() >= 8
        && stamp.as_bytes()[0].is_ascii_digit()
        && stamp.as_bytes()[..8]
            .iter()
            .filter(|b| b.is_ascii_digit())
            .count()
            >= 4
        && stamp.as_bytes()[..8]
            .iter()
            .any(|b| matches!(b, b'-' | b'/' | b'.' | b':'));
    let end = line
        .char_indices()
        .nth(BEGINNING)
        .map_or(line.len(), |(i, _)| i);
    // Cells of a CSV begin without brackets, blanks or dashes before them.
    is_stamp
        && line[..end]
            .split(|c: char| !c.is_ascii_alphanumeric() && c != ',' && c != ';' && c != '"')
            .any(|word| LEVELS.iter().any(|l| word.eq_ignore_ascii_case(l)))
        && !line[..end].contains(['"', '\t'])
}

/// Names of columns that count things.
const COUNTS: [&str; 14] = [
    "amount",
    "amountoflogentries",
    "amountofrecords",
    "count",
    "numberofevents",
    "numberofrecords",
    "percent",
    "percentage",
    "recordcount",
    "eventcount",
    "total",
    "totalcount",
    "totalrecords",
    "totalevents",
];

/// Names of columns by which collectors count records.
const COUNTED: [&str; 12] = [
    "category",
    "contenttype",
    "date",
    "file",
    "log",
    "name",
    "operation",
    "operations",
    "recordtype",
    "service",
    "table",
    "workload",
];

/// What is said of a table of counts.
pub const STATISTICS: &str = "passed over: statistics of a collector (counts), no records";

/// Whether a CSV is a table of counts, from its header and its first row: a name or two, and numbers.
pub fn is_statistics(header: &[String], row: &[String]) -> bool {
    /// `RecordType,Amount of log entries,Percentage`; wider tables may be events.
    const WIDEST: usize = 4;
    let is_one_of = |name: &String, names: &[&str]| {
        let name: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        names.contains(&name.to_ascii_lowercase().as_str())
    };
    let is_count = |name: &String| is_one_of(name, &COUNTS);
    let is_number = |cell: &String| {
        let cell = cell.trim().trim_end_matches('%').trim_end();
        let cell = cell.replace([',', '\u{a0}', '\u{202f}', ' '], "");
        cell.parse::<f64>().is_ok()
    };
    let is_time = |cell: &String| {
        time::parse(cell, Some(DateOrder::MonthFirst)).is_some()
            || time::parse(cell, Some(DateOrder::DayFirst)).is_some()
    };
    let counts: Vec<usize> = (0..header.len())
        .filter(|i| is_count(&header[*i]))
        .collect();
    (2..=WIDEST).contains(&header.len())
        && row.len() == header.len()
        && !counts.is_empty()
        && header.iter().all(|n| is_count(n) || is_one_of(n, &COUNTED))
        && counts.iter().all(|i| is_number(&row[*i]))
        && !row.iter().any(is_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_collectors_write_beside_exports_is_told_from_exports() {
        for text in [
            "[.ShellClassInfo]\r\nIconResource=C:\\Windows\\x.dll,3\r\n",
            "2026-06-16 08:00:00 - [INFO] Running Get-UAL\n2026-06-16 08:00:05 - [INFO] Found 1\n",
            "[05/18/2026 09:13:33] - [ACTION] - Getting mailbox rules\nmore of it\n",
            "**********************\nWindows PowerShell transcript start\nStart time: 20260616080000\n",
        ] {
            assert!(beside_exports(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "#!/usr/bin/env python3\nimport os\n",
            "<#\n.SYNOPSIS\n#>\nparam(\n",
            "---\ntenant: x\noutput: y\n",
            "tenant: contoso\nfolders:\n- a\n- b\nid: 1\n",
        ] {
            assert!(beside_exports(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "#Software: RMS\n#Version: 1.0\n",
            "#TYPE System.Object\nId,Operation\n",
            "Id : 1\nOperation : x\n",
            "Function Name,Id\na,b\n",
            "[1,2]",
            "[{\"Id\":1}]",
            "[\n\"a=b\"\n]",
            "2026-05-01T00:00:00Z,INFO,,b\n2026-05-01T00:00:01Z,a,,b\n",
            "2026-06-16 08:00:00 [INFO] {\"CreationTime\":\"x\"}\n",
            "Time,Level,Text\n2026-06-16 08:00:00,INFO,x\n",
            "Dear Sir\nthis is a letter.\n",
            "[]",
        ] {
            assert_eq!(beside_exports(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn tables_of_counts_are_told_from_events() {
        let is = |header: &str, row: &str| {
            let cells = |t: &str| t.split(';').map(String::from).collect::<Vec<_>>();
            is_statistics(&cells(header), &cells(row))
        };
        assert!(is(
            "RecordType;Amount of log entries;Percentage",
            "ExchangeAdmin;12;40"
        ));
        assert!(is("Operation;Count", "FileAccessed;1,204"));
        assert!(!is("TimeGenerated;Count", "2026-05-01T00:00:00Z;3"));
        assert!(!is("Operation;Count", "FileAccessed;many"));
        assert!(!is("UserId;Operation;ObjectId;Count", "a;b;c;1"));
        assert!(!is("a;b", "1;2"));
    }
}
