//! Addresses of the web, and paths of files.

use super::arguments::{Typed, Want, json_bag, json_text, take, text};
use super::definition::{BARE, Function};
use super::environment::Env;
use crate::function::value::{Json, Type, Value};

/// The parameters of a query part, as they are written; of one that stands there twice, the last.
fn parameters(query: &str) -> Json {
    let mut bag: Vec<(std::sync::Arc<str>, Json)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match bag.iter_mut().find(|(known, _)| **known == *key) {
            Some(property) => property.1 = json_text(value),
            None => bag.push((key.into(), json_text(value))),
        }
    }
    Json::Bag(bag)
}

/// `scheme://username:password@host:port/path?query#fragment`
fn parse_url(url: &str) -> Json {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, authority, path) = match rest.split_once("://") {
        Some((scheme, rest)) => {
            // The path keeps its slash, whatever Kusto's documentation shows.
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (scheme, authority, path)
        }
        None => ("", "", rest),
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    let colon = host.rfind(':').filter(|at| {
        // Colons inside brackets belong to an IPv6 address.
        host.rfind(']').is_none_or(|bracket| bracket < *at)
    });
    let (host, port) = match colon {
        Some(at) => (&host[..at], &host[at + 1..]),
        None => (host, ""),
    };
    json_bag([
        ("Scheme", json_text(scheme)),
        ("Host", json_text(host)),
        ("Port", json_text(port)),
        ("Path", json_text(path)),
        ("Username", json_text(username)),
        ("Password", json_text(password)),
        ("Query Parameters", parameters(query)),
        ("Fragment", json_text(fragment)),
    ])
}

/// The letter of a drive and its colon that a path begins with, and the rest.
fn drive(path: &str) -> (&str, &str) {
    match path.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => path.split_at(2),
        _ => ("", path),
    }
}

/// A path of Windows or Unix: `scheme://directory/file.extension:stream`
fn parse_path(path: &str) -> Json {
    let (scheme, rest) = path.split_once("://").unwrap_or(("", path));
    // `file:///C:/temp` has no host.
    let rest = match rest.strip_prefix('/') {
        Some(inner) if !scheme.is_empty() && !drive(inner).0.is_empty() => inner,
        _ => rest,
    };
    let (root, behind) = drive(rest);
    let (inner, file) = match behind.rfind(['/', '\\']) {
        Some(at) => (&behind[..at], &behind[at + 1..]),
        None => ("", behind),
    };
    let directory = &rest[..root.len() + inner.len()];
    let name = inner.rsplit(['/', '\\']).next().unwrap_or("");
    let (file, stream) = file.split_once(':').unwrap_or((file, ""));
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    json_bag([
        ("Scheme", json_text(scheme)),
        ("RootPath", json_text(root)),
        ("DirectoryPath", json_text(directory)),
        ("DirectoryName", json_text(name)),
        ("Filename", json_text(file)),
        ("Extension", json_text(extension)),
        ("AlternateDataStreamName", json_text(stream)),
    ])
}

fn encode(text: &str, space: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push_str(space),
            byte => encoded.push_str(&format!("%{byte:02x}")),
        }
    }
    encoded
}

/// `%20` and `+` become a blank; what is no escape stays.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', _, _) => decoded.push(b' '),
            (byte, _, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

const fn function(
    name: &'static str,
    doc: &'static str,
    example: &'static str,
    answer: &'static str,
    ty: fn(&[Type]) -> Typed,
    eval: fn(&Env, &[Value]) -> Value,
) -> Function {
    Function {
        name,
        arguments: (1, 1),
        doc,
        example,
        answer,
        ty,
        eval,
        ..BARE
    }
}

const PARSE_URL: Function = function(
    "parse_url",
    "parse_url(url): a bag of Scheme, Host, Port, Path, Username, Password, Query Parameters and Fragment",
    "print x = parse_url(\"https://user@host:8443/a/b?k=v#f\").Host",
    "host",
    |a| take(a, &[Want::Text], Type::Dynamic),
    |_, a| Value::dynamic(parse_url(&text(a, 0))),
);

const PARSE_URLQUERY: Function = function(
    "parse_urlquery",
    "parse_urlquery(query): a bag whose `Query Parameters` holds the parameters",
    "print x = parse_urlquery(\"k1=v1&k2=v2\")[\"Query Parameters\"].k2",
    "v2",
    |a| take(a, &[Want::Text], Type::Dynamic),
    |_, a| {
        let query = text(a, 0);
        let query = query.strip_prefix('?').unwrap_or(&query);
        Value::dynamic(json_bag([("Query Parameters", parameters(query))]))
    },
);

pub(super) const TABLE: &[Function] = &[
    PARSE_URL,
    PARSE_URL.named("parseurl"),
    PARSE_URLQUERY,
    PARSE_URLQUERY.named("parseurlquery"),
    function(
        "parse_path",
        "parse_path(path): a bag of Scheme, RootPath, DirectoryPath, DirectoryName, Filename, Extension and AlternateDataStreamName",
        "print x = parse_path(@\"C:\\temp\\file.txt\").Filename",
        "file.txt",
        |a| take(a, &[Want::Text], Type::Dynamic),
        |_, a| Value::dynamic(parse_path(&text(a, 0))),
    ),
    function(
        "url_encode",
        "url_encode(text): escaped for a URL, a blank as `+`",
        "print x = url_encode(\"https://www.bing.com/hello world\")",
        "https%3a%2f%2fwww.bing.com%2fhello+world",
        |a| take(a, &[Want::Text], Type::String),
        |_, a| Value::from(encode(&text(a, 0), "+")),
    ),
    function(
        "url_encode_component",
        "url_encode_component(text): escaped for a URL, a blank as `%20`",
        "print x = url_encode_component(\"hello world\")",
        "hello%20world",
        |a| take(a, &[Want::Text], Type::String),
        |_, a| Value::from(encode(&text(a, 0), "%20")),
    ),
    function(
        "url_decode",
        "url_decode(text): the text with the escapes of a URL undone",
        "print x = url_decode(\"https%3a%2f%2fwww.bing.com%2f\")",
        "https://www.bing.com/",
        |a| take(a, &[Want::Text], Type::String),
        |_, a| Value::from(decode(&text(a, 0))),
    ),
];
