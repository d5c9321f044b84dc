//! Files and objects that are no events: error answers of services, lists of searches, objects without any value, and what collectors
//! write beside their exports (logs, settings, statistics).
//!
//! Says what such a thing is; what becomes of it is decided where it is met. Knows names of keys and words of logs, no tables.

use std::borrow::Cow;

use super::json::{self, Fault, Raw};
use crate::text::json::Reader;

mod beside;
mod failures;
mod reason;

pub use beside::{STATISTICS, beside_exports, is_settings_object, is_statistics};
pub use failures::{
    HASHES, LENGTHS, are_hashes, are_lengths, error_page, error_rows, error_text, no_value,
};
use reason::{INCOMPLETE, LONGEST, reason, words};

/// Keys with which error answers begin.
const FIRST: [&str; 20] = [
    "code",
    "detail",
    "error",
    "error_codes",
    "error_description",
    "errorcode",
    "errormessage",
    "errors",
    "errortype",
    "exceptionmessage",
    "message",
    "messages",
    "odata.error",
    "oneapierrors",
    "responses",
    "root_cause",
    "status",
    "statuscode",
    "timestamp",
    "title",
];

/// Keys that stand beside an error and tell of nothing else.
const BESIDE: [&str; 31] = [
    "activityid",
    "client-request-id",
    "clientrequestid",
    "code",
    "correlation_id",
    "date",
    "details",
    "error_codes",
    "error_description",
    "error_uri",
    "errorcode",
    "exceptionmessage",
    "exceptiontype",
    "headers",
    "innererror",
    "instance",
    "message",
    "messagedetail",
    "method",
    "path",
    "request-id",
    "requestid",
    "stacktrace",
    "status",
    "statuscode",
    "suberror",
    "target",
    "time",
    "timestamp",
    "trace_id",
    "traceid",
];

/// What an object says that is the error answer of a service in place of records; nothing where it is anything else.
pub fn error_answer(text: &str) -> Option<String> {
    if text.len() > LONGEST || !begins_as_error(text) {
        return None;
    }
    // The error of Elasticsearch without its key.
    if text
        .trim_start_matches(['{', ' ', '\n'])
        .starts_with("\"root_cause\"")
    {
        return Some(said_by(Raw::Other(text.trim()), None, None));
    }
    let mut error = None;
    let mut code = None;
    let mut message = None;
    let (mut title, mut detail) = (None, None);
    let (mut foreign, mut timed) = (false, false);
    json::entries(text, |key, raw| {
        let key = key.to_ascii_lowercase();
        match key.as_str() {
            "error" | "odata.error" | "errors" | "oneapierrors" => error = Some(raw),
            "messages" if are_failures(raw) => error = Some(raw),
            "responses" if are_refused(raw) => error = Some(raw),
            "code" | "errorcode" | "statuscode" | "status" | "errortype" if code.is_none() => {
                code = raw.text();
            }
            "message" | "error_description" | "exceptionmessage" | "errormessage"
                if message.is_none() =>
            {
                message = raw.text();
            }
            "title" => title = raw.text(),
            "detail" => detail = raw.text(),
            "type" => foreign |= !is_link(raw),
            "date" | "time" | "timestamp" => timed = true,
            key if BESIDE.contains(&key) || key.starts_with('@') => {}
            _ => foreign = true,
        }
    })
    .ok()?;
    if foreign {
        return None;
    }
    let is_log = timed && code.is_none();
    match error {
        Some(Raw::Null) => None,
        Some(inner) => Some(said_by(inner, code, message.or(detail).or(title))),
        // A line of a log has a message too, and a time beside it; one may hold a record.
        None if is_log => None,
        None if message.is_none() => problem(code, title, detail),
        None if message.as_deref().is_none_or(|m| m.starts_with(['{', '['])) => None,
        None => Some(reason(code, message)),
    }
}

/// The problem of RFC 9457, or its detail alone.
fn problem(
    code: Option<Cow<'_, str>>,
    title: Option<Cow<'_, str>>,
    detail: Option<Cow<'_, str>>,
) -> Option<String> {
    let status: Option<u16> = code.as_deref().and_then(|code| code.parse().ok());
    match (title, detail) {
        (Some(title), _) if status.is_some_and(|s| s >= 400) => Some(reason(code, Some(title))),
        (None, Some(detail)) if !detail.starts_with(['{', '[']) => Some(reason(code, Some(detail))),
        _ => None,
    }
}

/// Whether messages of a search say that it failed.
fn are_failures(messages: Raw<'_>) -> bool {
    let Raw::Other(list) = messages else {
        return false;
    };
    list.starts_with('[') && (list.contains("\"ERROR\"") || list.contains("\"FATAL\""))
}

/// Whether the answers of a batch of requests are errors alone.
fn are_refused(responses: Raw<'_>) -> bool {
    let Raw::Other(list) = responses else {
        return false;
    };
    list.starts_with('[') && list.contains("\"error\"") && !list.contains("\"value\"")
}

/// Whether a type is the address of a description.
fn is_link(raw: Raw<'_>) -> bool {
    matches!(raw, Raw::Text { inner, .. } if inner.starts_with("http") || inner.starts_with("about:"))
}

/// Whether a reason is that of an error answer.
pub fn is_error(reason: &str) -> bool {
    reason.starts_with(INCOMPLETE)
}

/// Whether a note tells of an error answer, or of a search without its records.
pub fn tells_of_error(note: &str) -> bool {
    note.contains(INCOMPLETE) || note.contains(SEARCHES)
}

/// Whether a note tells of a search without its records, which is no error.
pub fn tells_of_search(note: &str) -> bool {
    note.contains(SEARCHES)
}

fn begins_as_error(text: &str) -> bool {
    let Some(rest) = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .strip_prefix('{')
    else {
        return false;
    };
    let Some(key) = rest.trim_start().strip_prefix('"') else {
        return false;
    };
    let bytes = key.as_bytes();
    FIRST.iter().any(|first| {
        bytes.get(first.len()) == Some(&b'"')
            && bytes[..first.len()].eq_ignore_ascii_case(first.as_bytes())
    }) || key.starts_with("@odata.context\"")
        || key
            .strip_prefix("type\"")
            .map(|rest| rest.trim_start_matches([':', ' ', '"']))
            .is_some_and(|value| value.starts_with("http") || value.starts_with("about:"))
}

/// An error as an object, as its text, or as a list of either.
fn said_by(
    error: Raw<'_>,
    outer_code: Option<Cow<'_, str>>,
    outer_message: Option<Cow<'_, str>>,
) -> String {
    let (mut code, mut message, mut inner) = (None, None, None);
    if let Raw::Other(list) = error
        && list.starts_with('[')
    {
        // The first of several; what is no list says no more than its text.
        let _ = json::elements(list, |n, raw| {
            if n == 0 && matches!(raw, Raw::Other(one) if one.starts_with('{')) {
                inner = Some(raw);
            }
        });
        return match inner {
            Some(first) => said_by(first, outer_code, outer_message),
            None => reason(outer_code, outer_message),
        };
    }
    if let Raw::Other(object) = error
        && object.starts_with('{')
    {
        // What is no object says no more than its text.
        let _ = json::entries(object, |key, raw| match key.to_ascii_lowercase().as_str() {
            "code" | "type" if code.is_none() => code = raw.text(),
            "message" | "reason" | "text" if message.is_none() => message = words(raw),
            // Data Explorer has an error in each of its errors, and a batch one in each body.
            "error" | "body" if matches!(raw, Raw::Other(one) if one.starts_with('{')) => {
                inner = Some(raw)
            }
            _ => {}
        });
        if let Some(inner) = inner {
            return said_by(inner, code.or(outer_code), message.or(outer_message));
        }
        return reason(code.or(outer_code), message.or(outer_message));
    }
    reason(error.text().or(outer_code), outer_message)
}

/// Whether a text is an object without any value: `{}`, or with nothing but empty lists, objects, texts and `null`. Looks no farther than
/// the first value that says something.
pub fn says_nothing(text: &str) -> bool {
    let mut reader = Reader::new(text);
    if reader.object().is_err() {
        return false;
    }
    let emptied = reader.members(0, |reader, _, _| {
        let mut rest = text.as_bytes()[reader.at()..].iter();
        let first = rest.next();
        let next = rest.find(|b| !b.is_ascii_whitespace());
        match (first, next) {
            (Some(b'['), Some(b']')) | (Some(b'{'), Some(b'}')) => reader.skip(1),
            (Some(b'"'), _) if text[reader.at()..].starts_with("\"\"") => reader.skip(1),
            (Some(b'n'), _) => reader.skip(1),
            // Any fault would do to end here.
            _ => Err(Fault::NotObject),
        }
    });
    emptied.is_ok() && reader.end().is_ok()
}

/// Why an object that says nothing is no event.
pub const NOTHING: &str = "an object without any value: no event";

/// Why an object is no event: it says nothing, or is what an interface gives in place of records.
pub fn no_event(text: &str) -> Option<String> {
    match says_nothing(text) {
        true => Some(NOTHING.into()),
        false => in_place(text),
    }
}

/// What an object says that an interface gives in place of records.
pub fn in_place(text: &str) -> Option<String> {
    let search = || is_search_object(text).then(|| SEARCHES.to_string());
    error_answer(text)
        .or_else(|| failures::error_record(text))
        .or_else(search)
}

/// What is said of the list of audit searches that Graph gives before their records.
pub const SEARCHES: &str = "an audit search and its state, no records: this pull is incomplete, ask for the records of the search";

/// Whether keys are those of an audit search.
pub fn is_search(keys: &[(String, String)]) -> bool {
    let has = |name: &str| keys.iter().any(|k| k.0.eq_ignore_ascii_case(name));
    has("filterStartDateTime") && has("filterEndDateTime") && has("status")
}

/// Whether a text is an object that is an audit search.
pub fn is_search_object(text: &str) -> bool {
    if text.len() > LONGEST
        || memchr::memmem::find(text.as_bytes(), b"ilterStartDateTime").is_none()
    {
        return false;
    }
    let mut keys = Vec::new();
    json::entries(text, |key, _| keys.push((key.into_owned(), String::new()))).is_ok()
        && is_search(&keys)
}

/// Why a file was passed over, where its note says that it was.
pub fn passed_over(note: &str) -> Option<&str> {
    note.strip_prefix("passed over: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_answers_are_told_from_events() {
        for (text, want) in [
            (
                r#"{"error":{"code":"UnknownError","message":"","innerError":{"date":"x"}}}"#,
                "an error answer: this pull is incomplete (UnknownError)",
            ),
            (
                r#"{"error": {"code": "AF20023", "message": "The subscription was disabled."}}"#,
                "an error answer: this pull is incomplete (AF20023): The subscription was disabled",
            ),
            (
                r#"{"Message":"Authorization has been denied for this request."}"#,
                "an error answer: this pull is incomplete: Authorization has been denied for this request",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"AADSTS70008","error_codes":[70008]}"#,
                "an error answer: this pull is incomplete (invalid_grant): AADSTS70008",
            ),
            (
                r#"{"odata.error":{"code":"Request_Denied","message":{"lang":"en","value":"No."}}}"#,
                "an error answer: this pull is incomplete (Request_Denied): No",
            ),
            (
                r#"{"error":{"root_cause":[],"type":"index_not_found_exception","reason":"no such index"},"status":404}"#,
                "an error answer: this pull is incomplete (index_not_found_exception): no such index",
            ),
            (
                r#"{"OneApiErrors":[{"error":{"code":"LimitsExceeded","message":"Too many rows."}}]}"#,
                "an error answer: this pull is incomplete (LimitsExceeded): Too many rows",
            ),
            (
                r#"{"type":"https://tools.ietf.org/html/rfc7231","title":"Unauthorized","status":401,"traceId":"t"}"#,
                "an error answer: this pull is incomplete (401): Unauthorized",
            ),
            (
                r#"{"detail":"Invalid token"}"#,
                "an error answer: this pull is incomplete: Invalid token",
            ),
            (
                r#"{"messages":[{"type":"FATAL","text":"Unknown search."}]}"#,
                "an error answer: this pull is incomplete (FATAL): Unknown search",
            ),
            (
                r#"{"responses":[{"id":"1","status":429,"headers":{},"body":{"error":{"code":"TooManyRequests","message":"Wait."}}}]}"#,
                "an error answer: this pull is incomplete (TooManyRequests): Wait",
            ),
            (
                r#"{"errorMessage":"Timed out.","errorType":"TimeoutError"}"#,
                "an error answer: this pull is incomplete (TimeoutError): Timed out",
            ),
            (
                r#"{"statusCode":429,"message":"Rate limit is exceeded."}"#,
                "an error answer: this pull is incomplete (429): Rate limit is exceeded",
            ),
        ] {
            assert_eq!(error_answer(text).as_deref(), Some(want), "{text}");
        }
        for event in [
            r#"{"error":{"code":"x"},"Id":"a","CreationTime":"b"}"#,
            r#"{"error":null,"value":[]}"#,
            r#"{"message":"{}","host":"a"}"#,
            r#"{"code":1}"#,
            r#"{"message":"{\"Id\":1}"}"#,
            r#"{"title":"Report","status":"done"}"#,
            r#"{"type":"event","title":"x","status":500}"#,
            r#"{"messages":[{"type":"INFO","text":"x"}],"results":[]}"#,
            r#"{"timestamp":"2026-05-01T00:00:00Z","message":"started"}"#,
            "{}",
            "[]",
            "{\"error",
        ] {
            assert_eq!(error_answer(event), None, "{event}");
        }
    }

    #[test]
    fn objects_without_any_value_are_told() {
        for text in [
            "{}",
            " { } ",
            r#"{"Id": [], "Operation": [ ]}"#,
            r#"{"a":null,"b":"","c":{ }}"#,
        ] {
            assert!(says_nothing(text), "{text}");
        }
        for text in [
            r#"{"a":[],"b":0}"#,
            r#"{"a":[0]}"#,
            r#"{"a":"\""}"#,
            r#"{"a":{"b":[]}}"#,
            "{",
            r#"{"a":[]"#,
            "[]",
            "",
        ] {
            assert!(!says_nothing(text), "{text}");
        }
    }
}
