//! Failures that are no answers in JSON: pages and texts of services, and what PowerShell writes of an error.

use super::super::json::{self, Raw};
use super::reason::{LONGEST, reason, words};

/// Bytes of a file that are looked at.
const HEAD: usize = 16 << 10;

/// What a web page or an answer in XML says that is an error in place of records; nothing for any other.
pub fn error_page(head: &[u8]) -> Option<String> {
    /// Words in the titles of pages that a service gives where it gives no records.
    const FAILED: [&str; 11] = [
        "bad gateway",
        "denied",
        "error",
        "forbidden",
        "not found",
        "sign in",
        "throttl",
        "timeout",
        "too many",
        "unauthorized",
        "unavailable",
    ];
    let text = beginning(head);
    if let Some(title) = element(&text, "title") {
        let lower = title.to_lowercase();
        let is_status = lower.len() > 2
            && lower.starts_with(['4', '5'])
            && lower.bytes().take(3).all(|b| b.is_ascii_digit())
            && !lower.as_bytes().get(3).is_some_and(u8::is_ascii_digit);
        return (is_status || FAILED.iter().any(|word| lower.contains(word)))
            .then(|| reason(None, Some(title.into())));
    }
    let root = text.trim_start();
    let root = match root.strip_prefix("<?") {
        Some(rest) => rest.split_once('>')?.1.trim_start(),
        None => root,
    };
    let name: String = root
        .strip_prefix('<')?
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == ':')
        .collect();
    let is_error = matches!(
        name.rsplit(':').next().unwrap_or_default(),
        "Error" | "error" | "Fault"
    );
    let is_fault = name.ends_with("Envelope") && text.contains("Fault>");
    if !is_error && !is_fault {
        return None;
    }
    let said = |names: &[&str]| names.iter().find_map(|name| element(&text, name));
    let code = said(&["Code", "code", "faultcode"]);
    let message = said(&["Message", "message", "faultstring", "Text"]);
    Some(reason(code.map(Into::into), message.map(Into::into)))
}

fn beginning(head: &[u8]) -> String {
    String::from_utf8_lossy(&head[..head.len().min(HEAD)]).into_owned()
}

/// What stands in the first element of this name, whatever the prefix of the name.
fn element(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (_, behind) = rest.split_once('<')?;
        rest = behind;
        let (tag, inner) = rest.split_once('>')?;
        let own = tag.split([' ', '\n', '\r', '\t']).next().unwrap_or(tag);
        let own = own.rsplit(':').next().unwrap_or(own);
        if own == name || (name == "title" && own.eq_ignore_ascii_case(name)) {
            let inner = inner.split('<').next().unwrap_or_default();
            let inner: Vec<&str> = inner.split_whitespace().collect();
            return (!inner.is_empty()).then(|| inner.join(" "));
        }
    }
}

/// What a text says that is an error in place of records: of PowerShell, of a command, or the words of a status.
pub fn error_text(head: &[u8]) -> Option<String> {
    /// Longer texts than that are no words of a status.
    const STATUS: usize = 100;
    /// Lines of an error of PowerShell.
    const LINES: usize = 16;
    /// The words of statuses with which services refuse.
    const REFUSED: [&str; 12] = [
        "access denied",
        "bad gateway",
        "bad request",
        "forbidden",
        "gateway timeout",
        "internal server error",
        "not found",
        "request timeout",
        "service unavailable",
        "the service is unavailable",
        "too many requests",
        "unauthorized",
    ];
    let first = *head.first()?;
    if !first.is_ascii_alphanumeric() {
        return None;
    }
    let text = beginning(head);
    let line = text.lines().next().unwrap_or_default().trim();
    // A cell of a CSV may have such a text in it.
    let is_powershell = line.contains(" : ")
        && text
            .lines()
            .take(LINES)
            .any(|l| l.trim_start().starts_with("+ CategoryInfo"));
    if is_powershell {
        let message = text.lines().take_while(|l| !l.trim().is_empty());
        let message = message.take_while(|l| !l.trim_start().starts_with('+'));
        let message: Vec<&str> = message.map(str::trim).collect();
        return Some(reason(None, Some(message.join(" ").into())));
    }
    let bare = line.trim_start_matches(|c: char| c.is_ascii_digit() || c.is_whitespace());
    let bare = bare.trim_end_matches('.').to_lowercase();
    if head.len() <= STATUS && REFUSED.contains(&bare.as_str()) {
        return Some(reason(None, Some(line.into())));
    }
    let behind = |mark: &str| line.strip_prefix(mark).map(str::trim_start);
    let said = behind("ERROR:").or_else(|| behind("Error:"));
    let coded = said.unwrap_or(line).split_once(": ").filter(|(code, _)| {
        ["AF", "AADSTS"].iter().any(|begin| {
            let number = code.strip_prefix(begin).unwrap_or_default();
            number.len() > 3 && number.bytes().all(|b| b.is_ascii_digit())
        })
    });
    match (coded, said) {
        (Some((code, message)), _) => Some(reason(Some(code.into()), Some(message.into()))),
        (None, Some(said)) => Some(reason(None, Some(said.into()))),
        (None, None) => None,
    }
}

/// Whether names of columns or keys are those of PowerShell's error records.
fn are_of_powershell<'n>(names: impl Iterator<Item = &'n str>) -> bool {
    let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
    let has = |name: &str| names.iter().any(|n| n == name);
    has("fullyqualifiederrorid") && (has("categoryinfo") || has("exception"))
}

/// What rows say that are PowerShell's error records, from the header and the first row.
pub fn error_rows(header: &[String], row: &[String]) -> Option<String> {
    if !are_of_powershell(header.iter().map(String::as_str)) {
        return None;
    }
    let cell = |name: &str| {
        let at = header.iter().position(|n| n.eq_ignore_ascii_case(name))?;
        row.get(at).filter(|cell| !cell.is_empty()).cloned()
    };
    let message = cell("Exception").or_else(|| cell("FullyQualifiedErrorId"));
    Some(reason(None, message.map(Into::into)))
}

/// What an object says that is one of PowerShell's error records.
pub(super) fn error_record(text: &str) -> Option<String> {
    let mark = b"FullyQualifiedErrorId";
    if text.len() > LONGEST || memchr::memmem::find(text.as_bytes(), mark).is_none() {
        return None;
    }
    let mut names = Vec::new();
    let (mut message, mut id) = (None, None);
    json::entries(text, |key, raw| {
        match (key.as_ref(), raw) {
            ("Exception", Raw::Other(inner)) => {
                // An exception that is no object says no more than its text.
                let _ = json::entries(inner, |key, raw| {
                    if key == "Message" {
                        message = words(raw);
                    }
                });
            }
            ("Exception", raw) => message = raw.text(),
            ("FullyQualifiedErrorId", raw) => id = raw.text(),
            _ => {}
        }
        names.push(key);
    })
    .ok()?;
    are_of_powershell(names.iter().map(|n| &**n)).then(|| reason(None, message.or(id)))
}

/// What is said of a table that is what `Export-Csv` makes of texts.
pub const LENGTHS: &str =
    "lengths of texts: Export-Csv was given texts, of which it keeps the length alone";

/// Whether a header is what `Export-Csv` makes of texts.
pub fn are_lengths(header: &[String]) -> bool {
    matches!(header, [only] if only == "Length")
}

/// What is said of a list of the hashes of files.
pub const HASHES: &str = "passed over: a list of hashes of files, no records";

/// Whether a header is that of a list of hashes, as `Get-FileHash` has it.
pub fn are_hashes(header: &[String]) -> bool {
    const NAMES: [&str; 14] = [
        "algorithm",
        "file",
        "filename",
        "filepath",
        "fullname",
        "hash",
        "length",
        "md5",
        "name",
        "path",
        "sha1",
        "sha256",
        "sha512",
        "size",
    ];
    const HASH: [&str; 5] = ["hash", "md5", "sha1", "sha256", "sha512"];
    let lower: Vec<String> = header.iter().map(|n| n.trim().to_lowercase()).collect();
    let is = |name: &String, names: &[&str]| names.contains(&name.as_str());
    header.len() > 1 && lower.iter().all(|n| is(n, &NAMES)) && lower.iter().any(|n| is(n, &HASH))
}

/// Whether a line is one of a list of hashes, as `sha256sum` writes it.
pub(super) fn is_hash_line(line: &str) -> bool {
    let Some((hash, name)) = line.split_once([' ', '\t']) else {
        return false;
    };
    matches!(hash.len(), 32 | 40 | 64 | 96 | 128)
        && hash.bytes().all(|b| b.is_ascii_hexdigit())
        && name.len() > 1
        && name.starts_with([' ', '*'])
}

/// Why a text holds no record that is `null`, empty texts and empty lists; nothing where there is more.
pub fn no_value(head: &[u8]) -> Option<&'static str> {
    const LONGEST: usize = 4096;
    if head.len() > LONGEST {
        return None;
    }
    let text = std::str::from_utf8(head).ok()?;
    let rest = text.replace("null", "").replace("\"\"", "");
    let is_mark = |c: char| c.is_whitespace() || matches!(c, '[' | ']' | ',');
    // A list that does not end was cut off.
    let is_whole = text.matches('[').count() == text.matches(']').count();
    if !rest.chars().all(is_mark) || !is_whole {
        return None;
    }
    match (text.contains("null"), text.contains('[')) {
        (true, _) => Some("the file says `null`: no records"),
        (false, true) => Some("the file is an empty array"),
        (false, false) if text.contains('"') => Some("the file is an empty text: no records"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_texts_of_services_are_errors() {
        for (text, want) in [
            (
                "<!DOCTYPE html><html><head><title>429 Too Many\n Requests</title></head>",
                ": 429 Too Many Requests",
            ),
            (
                "<?xml version=\"1.0\"?><Error><Code>Throttled</Code><Message>Wait.</Message></Error>",
                " (Throttled): Wait",
            ),
            (
                "<s:Envelope xmlns:s=\"x\"><s:Body><s:Fault><faultstring>No.</faultstring></s:Fault></s:Body></s:Envelope>",
                ": No",
            ),
        ] {
            let said = error_page(text.as_bytes());
            let want = format!("{}{want}", super::super::INCOMPLETE);
            assert_eq!(said.as_deref(), Some(want.as_str()), "{text}");
        }
        for (text, want) in [
            ("AF20024: It is enabled.\n", " (AF20024): It is enabled"),
            (
                "ERROR: AADSTS700082: The token expired.\nTrace ID: x\n",
                " (AADSTS700082): The token expired",
            ),
            ("ERROR: timed out\n", ": timed out"),
            ("429 Too Many Requests\n", ": 429 Too Many Requests"),
            (
                "Get-X : The term 'Get-X' is\nnot recognized.\n+ Get-X\n+ ~~\n    + CategoryInfo : a\n    + FullyQualifiedErrorId : b\n",
                ": Get-X : The term 'Get-X' is not recognized",
            ),
        ] {
            let said = error_text(text.as_bytes());
            let want = format!("{}{want}", super::super::INCOMPLETE);
            assert_eq!(said.as_deref(), Some(want.as_str()), "{text}");
        }
        for other in [
            "<html><head><title>Findings</title></head>",
            "<Workbook><Sheet/></Workbook>",
            "<results><result><Error>x</Error></result></results>",
            "<",
        ] {
            assert_eq!(error_page(other.as_bytes()), None, "{other}");
        }
        for other in [
            "Id,Operation\n1,Error: x\n",
            "Time: 2026, Error: x\n",
            "a: b\n",
            "unauthorized,forbidden\n1,2\n",
            "",
        ] {
            assert_eq!(error_text(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn records_of_errors_of_powershell_are_told() {
        let text =
            r#"{"Exception":{"Message":"No."},"CategoryInfo":{},"FullyQualifiedErrorId":"x"}"#;
        assert!(error_record(text).is_some_and(|said| said.ends_with(": No")));
        assert_eq!(error_record(r#"{"Text":"FullyQualifiedErrorId"}"#), None);
        let cells = |line: &str| line.split(',').map(String::from).collect::<Vec<_>>();
        let header = cells("Exception,CategoryInfo,FullyQualifiedErrorId");
        let said = error_rows(&header, &cells("No.,a,b"));
        assert!(said.is_some_and(|said| said.ends_with(": No")));
        assert_eq!(error_rows(&cells("Exception,Time"), &cells("a,b")), None);
    }

    #[test]
    fn what_holds_no_value_and_lists_of_hashes_are_told() {
        for text in [
            "null\n",
            "[]",
            "[\n\n]\n",
            "[[],[]]",
            "\"\"",
            "null\nnull",
            "[null]",
        ] {
            assert!(no_value(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["{}", "[{}]", "\"a\"", "0", "nullable", "Id\n", "[", ""] {
            assert_eq!(no_value(text.as_bytes()), None, "{text}");
        }
        let hash = "d41d8cd98f00b204e9800998ecf8427e";
        assert!(is_hash_line(&format!("{hash}  audit.csv")));
        assert!(!is_hash_line(&format!("{hash},audit.csv")));
        let cells = |line: &str| line.split(',').map(String::from).collect::<Vec<_>>();
        assert!(are_hashes(&cells("Algorithm,Hash,Path")));
        assert!(!are_hashes(&cells("Timestamp,SHA256,FileName")));
        assert!(!are_hashes(&cells("Name,Size")));
    }
}
