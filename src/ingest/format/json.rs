//! What a JSON file is: lines, values one after the other, or an answer of an API; and what its objects are.

use super::super::columns::bare_name;
use super::super::{answers, json, mended};
use super::found::{Container, Detected, Hints, Kind, OTHER, few, known};
use super::header::targets;
use super::object::{CONTEXT, is_denied, keys_of, object_kind};
use super::{held, reason, ties};
use crate::catalog::{self, Table};

pub(super) fn with_order(detected: Detected, hints: &Hints) -> Detected {
    match detected {
        Detected::Known(mut format) => {
            format.order = hints.order;
            format.zone = hints.zone;
            Detected::Known(format)
        }
        other => other,
    }
}

/// Whether the objects stand one on each line.
fn is_by_lines(head: &[u8]) -> bool {
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.clone().find(|l| !l.is_empty()).unwrap_or_default();
    let whole_line = std::str::from_utf8(line)
        .is_ok_and(|l| l.starts_with('{') && json::entries(l, |_, _| {}).is_ok());
    let several = {
        let mut cutter = json::Cutter::default();
        cutter.scan(line).len() > 1
    };
    // A broken first line between good ones is still a file of lines.
    whole_line
        || (line.starts_with(b"{")
            && !several
            && line.ends_with(b"}")
            && lines.clone().filter(|l| !l.is_empty()).count() > 1
            && lines.all(|l| l.is_empty() || l.starts_with(b"{")))
}

/// How the objects stand in the file, and the first of them.
fn firsts_of(head: &[u8]) -> (Container, Vec<&[u8]>) {
    let (container, mut firsts): (Container, Vec<&[u8]>) = if is_by_lines(head) {
        let lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
        (
            Container::JsonLines,
            lines.filter(|l| !l.is_empty()).take(FIRSTS).collect(),
        )
    } else {
        let mut cutter = json::Cutter::default();
        let found = cutter.scan(head).iter().take(FIRSTS);
        (
            Container::JsonValues,
            found.map(|(a, b)| &head[*a..*b]).collect(),
        )
    };
    if firsts.is_empty() {
        // One record that is longer than what was read, or cut off: its first keys are enough.
        let begin = memchr::memchr(b'{', head).unwrap_or(0);
        firsts.push(whole_letters(&head[begin..]));
    }
    (container, firsts)
}

/// Without the part of a letter that ends what was read.
fn whole_letters(head: &[u8]) -> &[u8] {
    match std::str::from_utf8(head) {
        Err(e) if e.error_len().is_none() => &head[..e.valid_up_to()],
        _ => head,
    }
}

/// What was seen of the list of an answer.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// Its end, and no record.
    Nothing,
    /// Neither a record nor its end.
    Beginning,
    /// A record without its end.
    Open,
    /// Whole records.
    Records,
}

/// The first records that a cutter finds. Where the first has no end in what was read, it and those that begin behind it: it may be long,
/// or broken so that it swallows them.
fn firsts_within<'h>(cutter: &mut json::Cutter, head: &'h [u8]) -> (Vec<&'h [u8]>, Seen) {
    let found = cutter.scan(head).iter().take(FIRSTS);
    let mut firsts: Vec<&[u8]> = found.map(|(start, end)| &head[*start..*end]).collect();
    if !firsts.is_empty() {
        return (firsts, Seen::Records);
    }
    let Some(start) = cutter.open_record() else {
        return match cutter.is_in_array() {
            true => (firsts, Seen::Beginning),
            false => (firsts, Seen::Nothing),
        };
    };
    let open = whole_letters(&head[start..]);
    let begins = json::begin_like(open, open);
    if begins.len() > 1 {
        let parts = json::apart(open, &begins).into_iter();
        firsts.extend(parts.take(FIRSTS).map(|(start, end)| &open[start..end]));
    } else {
        firsts.push(open);
        let lines = open.split(|b| *b == b'\n').skip(1).map(<[u8]>::trim_ascii);
        let lines = lines.map(|line| line.strip_suffix(b",").unwrap_or(line));
        let records = lines.filter(|line| line.starts_with(b"{\""));
        firsts.extend(records.take(FIRSTS));
    }
    (firsts, Seen::Open)
}

/// What an answer is whose first records are of no known kind.
fn of_no_kind(key: &str, container: Container, firsts: &[&[u8]], seen: Seen) -> Detected {
    match seen {
        Seen::Nothing => return Detected::Empty("the answer has no records"),
        Seen::Beginning => {
            let why = "the answer breaks off before its first record";
            return Detected::Unknown(why.into());
        }
        Seen::Open | Seen::Records => {}
    }
    let all = firsts.iter().map(|r| keys_of(&String::from_utf8_lossy(r)));
    // By its beginning alone, its table would be guessed.
    let mut told =
        all.filter(|(keys, broken)| seen == Seen::Records || !(*broken || keys.is_empty()));
    let what = match told.next() {
        Some((keys, _)) => {
            let names: Vec<String> = keys.into_iter().map(|k| k.0).collect();
            format!("objects of no known kind (keys {})", few(&names))
        }
        None if seen == Seen::Open => {
            return Detected::Unknown(format!(
                "the first record of `{key}` is cut off, or too long to tell what it is"
            ));
        }
        // The others were not looked at.
        None => "error answers first".into(),
    };
    let table = catalog::table(OTHER);
    let why = format!("`{key}` with {what}");
    known(container, Kind::Objects { table }, why)
}

/// What a JSON file is.
pub(super) fn from_json(head: &[u8]) -> Detected {
    let (container, mut firsts) = firsts_of(head);
    if let Some(why) = no_records(&mut firsts) {
        return Detected::Unknown(why);
    }
    if let Some((kind, why)) = held::kind_of(&firsts) {
        return known(container, kind, why);
    }
    if let Some(detected) = from_envelope(head, &firsts) {
        return detected;
    }
    let mut seen = None;
    for record in &firsts {
        let Ok(text) = std::str::from_utf8(record) else {
            continue;
        };
        let (keys, broken) = keys_of(text);
        let has = |name: &str| keys.iter().any(|k| k.0 == name);
        if has("contentUri") && has("contentType") {
            return Detected::Empty(
                "a listing of content of the Management API: no events, fetch what it names",
            );
        }
        if has("contentType") && has("webhook") && has("status") {
            return Detected::Empty("the subscriptions of the Management API: no events");
        }
        if let Some((kind, why)) = object_kind(&keys, broken) {
            return known(container, kind, why);
        }
        if !broken && seen.as_ref().is_none_or(Vec::is_empty) {
            seen = Some(keys.iter().map(|k| k.0.clone()).collect::<Vec<_>>());
        }
    }
    match seen {
        // Each of them goes to quarantine: none is an event.
        Some(keys) if keys.is_empty() => known(container, Kind::Audit, "empty objects".into()),
        Some(keys)
            if firsts.len() == 1
                && answers::is_settings_object(keys.iter().map(String::as_str)) =>
        {
            Detected::Empty("passed over: settings of a collector, no records")
        }
        Some(keys) if firsts.len() == 1 && keys.iter().all(|k| k.contains("@odata.")) => {
            Detected::Empty("the answer has no records")
        }
        Some(keys) => {
            let table = catalog::table(OTHER);
            let why = format!("objects of no known kind (keys {})", few(&keys));
            known(container, Kind::Objects { table }, why)
        }
        None if head.trim_ascii() == b"[]" => Detected::Empty("the file is an empty array"),
        None => match mended_kind(&firsts) {
            Some((kind, why)) => known(container, kind, why),
            None => Detected::Unknown(
                "looks like JSON, but no record in its beginning can be read".into(),
            ),
        },
    }
}

/// What records are that can be read when their JSON is mended, and why.
fn mended_kind(firsts: &[&[u8]]) -> Option<(Kind, String)> {
    firsts.iter().find_map(|record| {
        let json = mended::object(std::str::from_utf8(record).ok()?)?;
        let (keys, broken) = keys_of(&json);
        let (kind, why) = object_kind(&keys, broken).unwrap_or_else(|| {
            let table = catalog::table(OTHER);
            let names: Vec<String> = keys.into_iter().map(|k| k.0).collect();
            let why = format!("objects of no known kind (keys {})", few(&names));
            (Kind::Objects { table }, why)
        });
        Some((kind, format!("damaged JSON of {why}")))
    })
}

/// Lines of objects in quotes, where that is what a text is.
pub(super) fn quoted_lines(head: &[u8]) -> Option<Detected> {
    let lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let lines: Vec<&[u8]> = lines.filter(|l| !l.is_empty()).take(FIRSTS).collect();
    let first = lines.first()?;
    let is_quoted = [&b"'{"[..], b"`{", "“{".as_bytes()];
    let is_quoted = is_quoted.iter().any(|begin| first.starts_with(begin));
    let (kind, why) = mended_kind(&lines).filter(|_| is_quoted)?;
    Some(known(Container::JsonLines, kind, why))
}

/// Takes error answers and searches out of the first records; says why where there is nothing else.
fn no_records(firsts: &mut Vec<&[u8]>) -> Option<String> {
    let mut why = None;
    let all = firsts.len();
    firsts.retain(|record| {
        let Some(reason) = std::str::from_utf8(record).ok().and_then(answers::in_place) else {
            return true;
        };
        why.get_or_insert(reason);
        false
    });
    // Of a file of many, the others were not looked at.
    why.filter(|_| firsts.is_empty() && all < FIRSTS)
}

/// Records of a beginning that are looked at.
const FIRSTS: usize = 16;

/// Keys under which answers of APIs hold records: searches of Elasticsearch, activities of Power BI, Event Hub messages, Graph pages,
/// hunting answers, the activity list of Defender for Cloud Apps.
const ENVELOPES: [&str; 7] = [
    "hits",
    "activityEventEntities",
    "records",
    "value",
    "Results",
    "results",
    "data",
];
/// Keys under which tools hold records, and events may hold anything: QRadar and Chronicle, Graylog and Sumo Logic, batches of requests.
const LOOSE: [&str; 5] = ["events", "messages", "matches", "responses", "items"];

/// Whether the arrays under a key hold records of a known kind.
fn holds_known(head: &[u8], key: &'static str) -> bool {
    let mut cutter = json::Cutter::within(key, false);
    let (firsts, _) = firsts_within(&mut cutter, head);
    let is_known = |record: &&[u8]| {
        let (keys, broken) = keys_of(&String::from_utf8_lossy(record));
        object_kind(&keys, broken).is_some()
    };
    // Objects without such an array are records too.
    cutter.found_array() && (held::kind_of(&firsts).is_some() || firsts.iter().any(is_known))
}

/// Keys under which query answers hold rows as arrays, with the key of their columns and of a column's name.
const ROW_ENVELOPES: [(&str, &str, &str); 2] = [
    ("rows", "columns", "name"),
    ("Rows", "Columns", "ColumnName"),
];

/// An answer of an API: an object whose records stand in an array of it.
fn from_envelope(head: &[u8], firsts: &[&[u8]]) -> Option<Detected> {
    let first =
        String::from_utf8_lossy(&firsts.first()?[..firsts[0].len().min(1 << 20)]).into_owned();
    if first.contains("\"FrameType\"") {
        return Some(frames(head));
    }
    let mut keys: Vec<String> = Vec::new();
    // Cut off or too long: the keys so far are enough.
    let _ = json::entries(&first, |key, _| keys.push(key.to_string()));
    for (key, columns, name) in ROW_ENVELOPES {
        let outer = if key == "rows" { "tables" } else { "Tables" };
        // A long answer ends inside its outer array, so that its key was not given.
        if !keys.iter().any(|k| k == outer)
            && !first.trim_start().starts_with(&format!("{{\"{outer}\""))
        {
            continue;
        }
        return Some(row_envelope(head, 0, key, columns, name));
    }
    let holds_array = |k: &&'static str| {
        let mut cutter = json::Cutter::within(k, false);
        cutter.scan(head);
        cutter.found_array()
    };
    let is_own = |k: &&'static str| keys.iter().any(|found| found == k);
    let own = ENVELOPES.into_iter().find(|k| is_own(k) && holds_array(k));
    // Of an answer that is longer than what was read the key was not given.
    let key = own
        .or_else(|| {
            let mut all = ENVELOPES.into_iter().filter(|_| keys.len() < 8);
            all.find(holds_array)
        })
        .or_else(|| {
            let mut all = LOOSE.into_iter();
            all.find(|k| is_own(k) && holds_known(head, k))
        })?;
    // A bare audit record may have a field `value` that is an array; its own keys say what it is.
    let own: Vec<(String, String)> = keys.iter().map(|k| (k.clone(), String::new())).collect();
    if object_kind(&own, false).is_some() {
        return None;
    }
    let container = Container::JsonEnvelope {
        key,
        once: false,
        body: 0,
    };
    let mut cutter = json::Cutter::within(key, false);
    let (mut firsts, seen) = firsts_within(&mut cutter, head);
    if let Some(why) = no_records(&mut firsts) {
        return Some(Detected::Unknown(why));
    }
    if let Some((kind, why)) = held_in(&first, &firsts) {
        return Some(known(container, kind, format!("`{key}` with {why}")));
    }
    Some(of_no_kind(key, container, &firsts, seen))
}

/// The answer of Data Explorer in frames (version 2): the rows stand in the table of kind PrimaryResult.
fn frames(head: &[u8]) -> Detected {
    let find = |mark: &str| memchr::memmem::find(head, mark.as_bytes());
    if find("\"TableFragment\"").is_some() {
        return Detected::Unknown(
            "query answer in fragments: ask for it without `results_progressive_enabled`".into(),
        );
    }
    let Some(at) = find("\"PrimaryResult\"") else {
        return Detected::Unknown("query answer in frames, none of them a primary result".into());
    };
    // Its columns may stand before its kind.
    let body = memchr::memmem::rfind(&head[..at], b"\"FrameType\"").unwrap_or(at);
    row_envelope(head, body, "Rows", "Columns", "ColumnName")
}

/// What is said of a query answer whose array of rows is empty.
pub const EMPTY_ANSWER: &str = "the answer has no rows";

/// A query answer: names of columns, and rows as arrays.
fn row_envelope(
    head: &[u8],
    body: usize,
    key: &'static str,
    columns: &str,
    name: &str,
) -> Detected {
    let unknown = |why: &str| Detected::Unknown(format!("query answer {why}"));
    let head = &head[body..];
    let mut cutter = json::Cutter::within(key, true);
    let rows = cutter.scan(head).to_vec();
    let text = String::from_utf8_lossy(head);
    let Some(list) = text
        .split_once(&format!("\"{columns}\""))
        .and_then(|(_, rest)| {
            let rest = rest.trim_start().strip_prefix(':')?;
            serde_json::Deserializer::from_str(rest)
                .into_iter::<Vec<serde_json::Value>>()
                .next()?
                .ok()
        })
    else {
        return unknown("without its columns before its rows");
    };
    let header: Vec<String> = list
        .iter()
        .map(|c| c[name].as_str().unwrap_or_default().to_string())
        .collect();
    let (start, end) = match (rows.first(), cutter.open_record()) {
        (Some((start, end)), _) => (*start, *end),
        // It is cut off, or longer than what was read.
        (None, Some(start)) => (start, head.len()),
        (None, None) if cutter.is_in_array() => {
            return unknown("that breaks off before its first row");
        }
        (None, None) => return Detected::Empty(EMPTY_ANSWER),
    };
    let mut first: Vec<String> = Vec::new();
    let row = String::from_utf8_lossy(&head[start..end]).into_owned();
    // A first row that is broken says nothing of its table.
    let _ = json::elements(&row, |_, raw| {
        first.push(raw.text().map(|t| t.into_owned()).unwrap_or_default());
    });
    let (table, named, why) = table_of_rows(&header, &first);
    let targets = targets(table, &header, named, None);
    let container = Container::JsonEnvelope {
        key,
        once: true,
        body,
    };
    let kind = Kind::Cells {
        table,
        targets,
        named,
    };
    let mut detected = known(container, kind, why);
    if let Detected::Known(format) = &mut detected {
        format.header = header;
    }
    detected
}

/// The table of the rows of a query answer, the column that names each row's own, and why; `first` is the first row.
fn table_of_rows(header: &[String], first: &[String]) -> (&'static Table, Option<usize>, String) {
    let bare: Vec<String> = header.iter().map(|n| bare_name(n).to_string()).collect();
    let value = |name: &str| {
        let at = bare.iter().position(|n| n.eq_ignore_ascii_case(name))?;
        first.get(at).cloned()
    };
    let other = catalog::table(OTHER);
    match ties::named(&bare, &|at| first.get(at).cloned()) {
        Some((table, at, why)) if table.name == OTHER => (table, Some(at), why),
        Some((table, at, _)) => (
            table,
            Some(at),
            format!("{} {}", reason::ANSWER, table.name),
        ),
        None => match ties::closest(&bare, reason::ANSWER, &value) {
            Some((table, why)) => (table, None, why),
            None => {
                let names = few(header);
                let why = format!("query answer with columns of no known table ({names})");
                (other, None, why)
            }
        },
    }
}

/// What the records of an answer are, and why.
fn held_in(answer: &str, firsts: &[&[u8]]) -> Option<(Kind, String)> {
    let of_keys = || {
        firsts.iter().find_map(|record| {
            let (keys, broken) = keys_of(&String::from_utf8_lossy(record));
            object_kind(&keys, broken)
        })
    };
    let (kind, why) = held::kind_of(firsts).or_else(of_keys)?;
    let mut context = String::new();
    // Of an answer that is cut off the keys so far are enough.
    let _ = json::entries(answer, |key, raw| {
        if key == CONTEXT {
            context = raw.text().unwrap_or_default().into_owned();
        }
    });
    (!is_denied(&kind, &context)).then_some((kind, why))
}
