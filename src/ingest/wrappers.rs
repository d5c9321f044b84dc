//! Records that another tool put into an object of its own: where the record stands in it, and what stands around it.
//!
//! A wrapper is a path of keys to the record, which is an object or the text of one. What stands beside the path tells of the transport.
//! Knows nothing of what a record is: many objects have a `message`, and only who knows records can say whether it holds one.

use std::borrow::Cow;

use super::json::{self, Raw};
use crate::text::json as plain;

mod texts;

pub use texts::{audit_record, fold, list, unpacked};

/// A way to wrap a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrapper {
    /// Whose it is.
    pub name: &'static str,
    /// Keys that lead to the record, by their letters and digits in lower case.
    steps: &'static [&'static str],
    /// How the record stands there.
    form: Form,
    /// Key beside the path that has the record's own time, for a record that has none.
    time: &'static str,
}

/// How a record stands in its wrapper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As an object, or as the text of one, of a list or of the page of an API.
    Record,
    /// As an array of records, or the text of one.
    Records,
    /// Its keys stand beside others and begin with this.
    Prefixed(&'static str),
    /// Under any one key, as what only an audit record has.
    Anywhere,
}

const fn wrapper(
    name: &'static str,
    steps: &'static [&'static str],
    form: Form,
    time: &'static str,
) -> Wrapper {
    Wrapper {
        name,
        steps,
        form,
        time,
    }
}

/// The wrappers, the closest description first.
///
/// Wazuh's `timestamp` is when the manager saw the record, hours later: a record without a time has none.
static WRAPPERS: [Wrapper; 52] = [
    wrapper("Wazuh", &["data", "office365"], Form::Record, ""),
    wrapper("Wazuh", &["data", "msgraph"], Form::Record, ""),
    wrapper("Wazuh", &["source", "data", "office365"], Form::Record, ""),
    wrapper("Wazuh", &["source", "data", "msgraph"], Form::Record, ""),
    wrapper("Wazuh", &["office365"], Form::Record, ""),
    wrapper("Wazuh", &["msgraph"], Form::Record, ""),
    wrapper("Wazuh", &["fulllog"], Form::Record, ""),
    wrapper("Wazuh", &["source", "fulllog"], Form::Record, ""),
    wrapper(ELASTIC, &["source", "event", "original"], Form::Record, AT),
    wrapper(ELASTIC, &["source", "eventoriginal"], Form::Record, AT),
    wrapper(ELASTIC, &["fields", "eventoriginal"], Form::Record, AT),
    wrapper(ELASTIC, &["event", "original"], Form::Record, AT),
    wrapper(ELASTIC, &["eventoriginal"], Form::Record, AT),
    wrapper(ELASTIC, &["source", "o365", "audit"], Form::Record, AT),
    wrapper(ELASTIC, &["o365", "audit"], Form::Record, AT),
    wrapper(ELASTIC, &["source", "o365audit"], Form::Record, AT),
    wrapper(ELASTIC, &["o365audit"], Form::Record, AT),
    wrapper(ELASTIC, &["source"], Form::Prefixed("o365.audit."), AT),
    wrapper(ELASTIC, &["fields"], Form::Prefixed("o365.audit."), AT),
    wrapper(ELASTIC, &[], Form::Prefixed("o365.audit."), AT),
    wrapper("Wazuh", &["source"], Form::Prefixed("data.office365."), ""),
    wrapper("Wazuh", &[], Form::Prefixed("data.office365."), ""),
    wrapper(ELASTIC, &["source", "message"], Form::Record, AT),
    wrapper(ELASTIC, &["source"], Form::Record, AT),
    wrapper("Splunk", &["result", "raw"], Form::Record, "time"),
    wrapper("Splunk", &["result"], Form::Record, "time"),
    wrapper("Splunk", &["raw"], Form::Record, "time"),
    wrapper("Splunk", &["event"], Form::Record, "time"),
    wrapper("QRadar", &["payload"], Form::Record, "devicetime"),
    wrapper("QRadar", &["utf8payload"], Form::Record, "devicetime"),
    wrapper("Chronicle", &["rawlog"], Form::Record, ""),
    wrapper("Chronicle", &["udm", "rawlog"], Form::Record, ""),
    wrapper("Graylog", &["message", "message"], Form::Record, ""),
    wrapper("Sumo Logic", &["map", "raw"], Form::Record, "messagetime"),
    wrapper("Datadog", &["attributes", "attributes"], Form::Record, ""),
    wrapper("Datadog", &["attributes"], Form::Record, ""),
    wrapper("Datadog", &["attributes", "message"], Form::Record, ""),
    wrapper(
        "Defender for Cloud Apps",
        &["rawdatajson"],
        Form::Record,
        "timestamp",
    ),
    wrapper(
        "a Graph SDK",
        &["auditdata", "additionalproperties"],
        Form::Record,
        MADE,
    ),
    wrapper(
        "a Graph SDK",
        &["auditdata", "additionaldata"],
        Form::Record,
        MADE,
    ),
    wrapper("a Graph SDK", &["auditdata"], Form::Record, MADE),
    wrapper("a Graph SDK", &["additionalproperties"], Form::Record, MADE),
    wrapper("a Graph SDK", &["additionaldata"], Form::Record, MADE),
    wrapper("Activity explorer", &["resultdata"], Form::Records, ""),
    wrapper("a Logic App", &["object"], Form::Record, ""),
    wrapper(SHIPPER, &["message"], Form::Record, "timestamp"),
    wrapper(SHIPPER, &["log"], Form::Record, ""),
    wrapper(SHIPPER, &["body"], Form::Record, ""),
    wrapper(SHIPPER, &["data"], Form::Record, ""),
    wrapper(SHIPPER, &["line"], Form::Record, ""),
    wrapper(SHIPPER, &["jsonpayload"], Form::Record, ""),
    wrapper(SHIPPER, &[], Form::Anywhere, ""),
];

/// A record that is a text by itself, as `Select-Object -ExpandProperty AuditData | ConvertTo-Json` writes it.
pub static TEXT: Wrapper = wrapper("texts of JSON", &[], Form::Record, "");

const ELASTIC: &str = "Elasticsearch";
/// Whoever carries lines of logs.
const SHIPPER: &str = "a log shipper";
/// `@timestamp` of Elasticsearch.
const AT: &str = "timestamp";
/// `createdDateTime` of Graph.
const MADE: &str = "createddatetime";

/// What a wrapper holds.
#[derive(Debug)]
pub struct Held<'a> {
    /// Which it is.
    pub wrapper: &'static Wrapper,
    /// The keys that lead there, as they are spelled.
    pub path: String,
    /// The records, as texts of JSON objects; one but for lists.
    pub records: Vec<Cow<'a, str>>,
    /// What stands beside the path: names and values.
    pub around: Vec<(String, Raw<'a>)>,
    /// The record's own time, as the wrapper has it.
    pub time: Option<Raw<'a>>,
}

impl Held<'_> {
    /// Whether more than one step leads to the record.
    pub fn is_deep(&self) -> bool {
        self.wrapper.steps.len() > 1
    }

    /// Whether anything may stand at that place, also in a record.
    pub fn is_loose(&self) -> bool {
        [SHIPPER, "Datadog", "a Logic App"].contains(&self.wrapper.name)
    }
}

/// What an object may hold, the closest description first; `first` is tried before all. Takes what an object that breaks off has so far.
pub fn holds<'a>(text: &'a str, first: Option<&'static Wrapper>) -> impl Iterator<Item = Held<'a>> {
    let mut members: Vec<Member<'a>> = Vec::new();
    // Where the text breaks off, the members before may hold a record.
    let _ = json::entries(text, |key, value| {
        // Of hostile input only so many keys are looked at; those that lead to records stand among the first.
        if members.len() < KEYS {
            members.push(Member {
                folded: fold(&key),
                key,
                value,
            });
        }
    });
    let order = first.into_iter().chain(&WRAPPERS);
    order.filter_map(move |wrapper| open(wrapper, &members))
}

/// Keys of an object that are looked at.
const KEYS: usize = 4096;

/// Column of a CSV that holds records as texts, by the names of the columns.
pub fn cell(names: &[String]) -> Option<(usize, &'static str)> {
    /// `_raw` of Splunk, `event.original` of Kibana's reports, `Raw data` of Defender for Cloud Apps.
    const CELLS: [(&str, &str); 11] = [
        ("raw", "Splunk"),
        ("eventoriginal", ELASTIC),
        ("sourceeventoriginal", ELASTIC),
        ("rawdatajson", "Defender for Cloud Apps"),
        ("rawdata", "Defender for Cloud Apps"),
        ("fulllog", "Wazuh"),
        ("payload", "QRadar"),
        ("utf8payload", "QRadar"),
        ("rawlog", "Chronicle"),
        ("message", SHIPPER),
        ("sourcemessage", ELASTIC),
    ];
    let folded: Vec<String> = names.iter().map(|n| fold(n)).collect();
    CELLS.iter().find_map(|(cell, name)| {
        let at = folded.iter().position(|n| n == cell)?;
        Some((at, *name))
    })
}

struct Member<'a> {
    key: Cow<'a, str>,
    folded: String,
    value: Raw<'a>,
}

fn open<'a>(wrapper: &'static Wrapper, members: &[Member<'a>]) -> Option<Held<'a>> {
    let mut held = Held {
        wrapper,
        path: String::new(),
        records: Vec::new(),
        around: Vec::new(),
        time: None,
    };
    descend(wrapper.steps, members, &mut held)?;
    (!held.records.is_empty() || wrapper.form == Form::Records).then_some(held)
}

/// Follows the steps; nothing where they lead nowhere.
fn descend<'a>(
    steps: &'static [&'static str],
    members: &[Member<'a>],
    held: &mut Held<'a>,
) -> Option<()> {
    let Some((step, rest)) = steps.split_first() else {
        return match held.wrapper.form {
            Form::Prefixed(prefix) => prefixed(prefix, members, held),
            Form::Anywhere => anywhere(members, held),
            Form::Record | Form::Records => None,
        };
    };
    // The last of equal keys counts, as everywhere.
    let at = members.iter().rposition(|m| m.folded == *step)?;
    let outer = held.path.clone();
    beside(&outer, members, |i| i != at, held);
    let member = &members[at];
    held.path = below(&outer, &member.key);
    let is_end = rest.is_empty() && !matches!(held.wrapper.form, Form::Prefixed(_));
    if !is_end {
        let Raw::Other(object) = member.value else {
            return None;
        };
        let inner = members_of(object)?;
        return descend(rest, &inner, held);
    }
    match held.wrapper.form {
        Form::Record => held.records.push(record(member.value)?),
        Form::Records => {
            // What stands beside a list tells of the page, as in every answer of an API.
            held.around.clear();
            held.records = records(member.value)?;
        }
        Form::Prefixed(_) | Form::Anywhere => {}
    }
    Some(())
}

/// The one value that has what only an audit record has, whatever its key.
fn anywhere<'a>(members: &[Member<'a>], held: &mut Held<'a>) -> Option<()> {
    const KEYS: [&str; 3] = ["CreationTime", "Operation", "RecordType"];
    let is_audit = |member: &Member<'a>| {
        let text = match member.value {
            Raw::Null => "",
            Raw::Text { inner, .. } => inner,
            Raw::Other(json) => json,
        };
        let has = |key: &&str| memchr::memmem::find(text.as_bytes(), key.as_bytes()).is_some();
        text.trim_start().starts_with('{') && KEYS.iter().all(has)
    };
    let mut found = (0..members.len()).filter(|i| is_audit(&members[*i]));
    let (at, None) = (found.next()?, found.next()) else {
        return None;
    };
    beside("", members, |i| i != at, held);
    held.path = members[at].key.to_string();
    held.records.push(record(members[at].value)?);
    Some(())
}

/// Keeps what stands beside a step, and finds the time there.
fn beside<'a>(
    outer: &str,
    members: &[Member<'a>],
    is_beside: impl Fn(usize) -> bool,
    held: &mut Held<'a>,
) {
    for (i, member) in members.iter().enumerate() {
        if !is_beside(i) {
            continue;
        }
        if !held.wrapper.time.is_empty() && member.folded == held.wrapper.time {
            held.time = Some(member.value);
        }
        if !matches!(member.value, Raw::Null) {
            held.around.push((below(outer, &member.key), member.value));
        }
    }
}

/// `data` and `office365` → `data.office365`.
fn below(outer: &str, key: &str) -> String {
    match outer {
        "" => key.to_string(),
        outer => format!("{outer}.{key}"),
    }
}

fn members_of(object: &str) -> Option<Vec<Member<'_>>> {
    let mut members = Vec::new();
    json::entries(object, |key, value| {
        members.push(Member {
            folded: fold(&key),
            key,
            value,
        });
    })
    .ok()?;
    Some(members)
}

/// A record: an object, a list, the text of either, or a list of one such text, as Kibana writes every field.
fn record(value: Raw<'_>) -> Option<Cow<'_, str>> {
    match value {
        Raw::Null => None,
        Raw::Other(json) if json.starts_with('{') => Some(Cow::Borrowed(json)),
        Raw::Other(json) if json.starts_with('[') => {
            let mut all = Vec::new();
            json::elements(json, |_, raw| all.push(raw)).ok()?;
            match all.as_slice() {
                [one @ Raw::Text { .. }] => record(*one),
                _ => None,
            }
        }
        Raw::Other(_) => None,
        text => unpacked(text.text()?),
    }
}

/// The elements of a list, or of its text. What is no object is given too: who converts it says what it is.
fn records(value: Raw<'_>) -> Option<Vec<Cow<'_, str>>> {
    let text = value.text()?;
    if !text.trim_start().starts_with('[') {
        return Some(vec![record(value)?]);
    }
    match text {
        Cow::Borrowed(text) => list(text),
        Cow::Owned(text) => {
            let owned = list(&text)?.into_iter().map(Cow::into_owned);
            Some(owned.map(Cow::Owned).collect())
        }
    }
}

/// Makes a record of the keys that begin alike: `o365.audit.Id` is its `Id`. Kibana's lists of one value are that value.
fn prefixed<'a>(prefix: &'static str, members: &[Member<'a>], held: &mut Held<'a>) -> Option<()> {
    let outer = held.path.clone();
    let is_part = |member: &Member<'a>| member.key.starts_with(prefix);
    let mut out = String::from("{");
    for member in members.iter().filter(|m| is_part(m)) {
        if out.len() > 1 {
            out.push(',');
        }
        plain::quote(&member.key[prefix.len()..], &mut out);
        out.push(':');
        value_of(member.value, &mut out);
    }
    if out.len() == 1 {
        return None;
    }
    out.push('}');
    beside(&outer, members, |i| !is_part(&members[i]), held);
    held.path = below(&outer, prefix.trim_end_matches('.'));
    held.records.push(Cow::Owned(out));
    Some(())
}

fn value_of(value: Raw<'_>, out: &mut String) {
    match value {
        Raw::Null => out.push_str("null"),
        Raw::Text { inner, .. } => {
            out.push('"');
            out.push_str(inner);
            out.push('"');
        }
        Raw::Other(json) if json.starts_with('[') => {
            let mut all = Vec::new();
            match json::elements(json, |_, raw| all.push(raw)) {
                Ok(())
                    if all.len() == 1
                        && !matches!(all[0], Raw::Other(o) if o.starts_with(['{', '['])) =>
                {
                    value_of(all[0], out);
                }
                _ => out.push_str(json),
            }
        }
        Raw::Other(json) => out.push_str(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> (String, String, Vec<String>) {
        let held = holds(text, None).next().expect("it holds a record");
        let around = held.around.iter().map(|(n, _)| n.clone()).collect();
        (held.path, held.records[0].to_string(), around)
    }

    #[test]
    fn records_are_found_in_wrappers_with_what_is_around() {
        let (path, record, around) = first(
            r#"{"timestamp":"x","rule":{"level":3},"data":{"integration":"office365","office365":{"Id":"1"}}}"#,
        );
        assert_eq!(
            (path.as_str(), record.as_str()),
            ("data.office365", r#"{"Id":"1"}"#)
        );
        assert_eq!(around, ["timestamp", "rule", "data.integration"]);
        let (path, record, _) = first(r#"{"result":{"_raw":"{\"Id\":\"1\"}","_time":"t"}}"#);
        assert_eq!(
            (path.as_str(), record.as_str()),
            ("result._raw", r#"{"Id":"1"}"#)
        );
        let (path, record, _) =
            first(r#"{"_source":{"@timestamp":"t","event":{"original":"{\"Id\":\"1\"}"}}}"#);
        assert_eq!(
            (path.as_str(), record.as_str()),
            ("_source.event.original", r#"{"Id":"1"}"#)
        );
        let (path, record, around) = first(
            r#"{"fields":{"o365.audit.Id":["1"],"o365.audit.Actor":[{"ID":"a"},{"ID":"b"}],"host":["h"]}}"#,
        );
        assert_eq!(path, "fields.o365.audit");
        assert_eq!(record, r#"{"Id":"1","Actor":[{"ID":"a"},{"ID":"b"}]}"#);
        assert_eq!(around, ["fields.host"]);
        let (_, record, _) = first(r#"{"audit_data":{"additional_data":{"Id":"1"}}}"#);
        assert_eq!(record, r#"{"Id":"1"}"#);
        let pages =
            r#"{"ResultData":"[{\"Activity\":\"x\"},{\"Activity\":\"y\"}]","LastPage":true}"#;
        let held = holds(pages, None).next().expect("it holds records");
        assert_eq!(held.records, [r#"{"Activity":"x"}"#, r#"{"Activity":"y"}"#]);
        assert!(held.around.is_empty());
    }

    #[test]
    fn a_time_is_taken_from_where_the_wrapper_has_the_records_own() {
        let time = |text: &str| {
            let held = holds(text, None).next().expect("it holds a record");
            held.time.and_then(|t| t.text().map(|t| t.into_owned()))
        };
        let elastic = r#"{"_source":{"@timestamp":"2026-05-06","o365":{"audit":{"Id":"1"}}}}"#;
        assert_eq!(time(elastic).as_deref(), Some("2026-05-06"));
        assert_eq!(
            time(r#"{"timestamp":"2026-05-08","data":{"office365":{}}}"#),
            None
        );
    }

    #[test]
    fn objects_without_a_record_hold_none() {
        for text in ["{}", "[]", "", "{\"data\":1}", r#"{"message":"hello"}"#] {
            let held: Vec<Held<'_>> = holds(text, None).collect();
            assert!(held.is_empty(), "{text}: {held:?}");
        }
    }
}
