//! What may stand in a mail to somebody who must not learn where another person was.
//!
//! [`Plain`] is the only kind of text that such a mail is made of, and it can be made in one way only: addresses go, and so does whatever the
//! events of the same run say of places, devices, sessions and applications. A document may be called like one of these by chance: better a
//! name with a gap than a place that is told.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::known::Known;
use super::redact::{replaced, without};
use super::spelled::{Spelled, folded};
use crate::case::Trace;
use crate::text::safe::seen;

/// What stands in the place of a device, session, place or application.
pub const WITHHELD: &str = "[removed]";
/// Words of one or two letters are those of any language: the country `IT` is not looked for.
const SHORTEST: usize = 3;

/// What must not be told: where the people were that the mails of a run are about, and with what.
#[derive(Debug, Default)]
pub struct Hidden {
    addresses: Known,
    /// By their first letter, the longest first: `WS-7.contoso.com` before `WS-7`.
    words: HashMap<char, Vec<Vec<char>>>,
}

impl Hidden {
    /// All that traces say of places, devices, sessions and applications. The folder of a document and the name of a request tell none of these.
    pub fn of<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> Hidden {
        let mut hidden = Hidden::default();
        let mut said: BTreeSet<&str> = BTreeSet::new();
        for trace in traces {
            let whole = [
                &trace.address,
                &trace.country,
                &trace.city,
                &trace.device,
                &trace.application,
                &trace.process,
                &trace.client,
                &trace.session,
            ];
            said.extend(whole.into_iter().flatten().map(String::as_str));
            said.extend(trace.device.as_deref().map(host));
            let names = trace.application.iter().chain(&trace.process);
            said.extend(names.flat_map(|name| program(name)));
            said.extend(trace.client.iter().flat_map(|client| programs_of(client)));
            for other in &trace.others {
                said.extend([other.as_str(), host(other)]);
                said.extend(program(other).chain(programs_of(other)));
            }
        }
        let mut words: BTreeSet<Vec<char>> = BTreeSet::new();
        for text in said.into_iter().map(str::trim) {
            if hidden.addresses.add(text) {
                continue;
            }
            let (word, _) = folded(&Spelled::of(text));
            let bare = word.iter().skip_while(|c| **c == '-');
            let bare: Vec<char> = bare.copied().collect();
            let bare = bare.strip_suffix(&['-']).unwrap_or(&bare);
            if bare.len() >= SHORTEST {
                words.insert(bare.to_vec());
            }
        }
        for word in words {
            hidden.words.entry(word[0]).or_default().push(word);
        }
        for same in hidden.words.values_mut() {
            same.sort_by_key(|word| std::cmp::Reverse(word.len()));
        }
        hidden
    }

    /// The text with [`WITHHELD`] in the place of each of these, where it stands as a word of its own.
    fn removed_from(&self, text: &str) -> String {
        let spellings = [Some(Spelled::of(text)), Spelled::decoded(text)];
        let found = spellings.into_iter().flatten();
        let found = found.flat_map(|plain| self.found_in(&plain));
        replaced(text, found.collect(), WITHHELD)
    }

    /// Where they stand in the text that was spelled out.
    fn found_in(&self, plain: &Spelled) -> Vec<Range<usize>> {
        let (chars, places) = folded(plain);
        let joins = |at: usize| chars.get(at).is_some_and(|c| c.is_alphanumeric());
        let (mut found, mut at) = (Vec::new(), 0);
        while at < chars.len() {
            let begins = at == 0 || !joins(at - 1);
            let words = self.words.get(&chars[at]).filter(|_| begins);
            let word = words.into_iter().flatten().find(|word| {
                let end = at + word.len();
                chars[at..].starts_with(word) && !joins(end)
            });
            let Some(word) = word else {
                at += 1;
                continue;
            };
            // To the end of the last character, not of what parts it from the next.
            let last = places[at + word.len() - 1];
            let long = plain.text[last..].chars().next().map_or(0, char::len_utf8);
            found.push(plain.written(&(places[at]..last + long)));
            at += word.len();
        }
        found
    }
}

/// The first part of the name of a device: `WS-7` of `WS-7.contoso.com`.
fn host(device: &str) -> &str {
    let first = device.split('.').next().unwrap_or(device);
    match first.contains(char::is_alphabetic) {
        true => first,
        false => device,
    }
}

/// The name of an application without its folder, and that without the ending of a program: `WINWORD.EXE` and `WINWORD`.
fn program(application: &str) -> impl Iterator<Item = &str> {
    /// Endings of programs.
    const ENDINGS: [&str; 4] = ["exe", "dll", "app", "com"];
    let name = application.rsplit(['\\', '/']).next();
    let name = name.unwrap_or(application);
    let bare = name.rsplit_once('.');
    let bare = bare.filter(|(_, end)| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(end)));
    [Some(name), bare.map(|(bare, _)| bare)]
        .into_iter()
        .flatten()
}

/// The applications that a client names: `MSIPC;version=2.2;AppName=WINWORD.EXE`.
fn programs_of(client: &str) -> impl Iterator<Item = &str> {
    let parts = client.split(';').filter_map(|part| part.split_once('='));
    let names = parts.filter(|(key, _)| key.trim().eq_ignore_ascii_case("AppName"));
    names.flat_map(|(_, name)| program(name.trim()))
}

/// A text that holds no address and nothing of what is hidden, safe to show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Plain(String);

impl Plain {
    /// The text without all that must not be told.
    pub fn of(text: &str, hidden: &Hidden) -> Plain {
        let text = hidden.removed_from(&without(text, &hidden.addresses));
        Plain(seen(&text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A time as a mail shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// `2026-05-19 14:05:26 UTC`
    utc: String,
    /// The same on the clocks of a zone, with its offset, where one is asked for.
    local: Option<String>,
    /// Both.
    shown: String,
}

impl Moment {
    /// The time of so many microseconds since 1970.
    pub fn of(time: i64, zone: Option<Tz>) -> Moment {
        let Some(utc) = DateTime::<Utc>::from_timestamp_micros(time) else {
            return Moment {
                utc: time.to_string(),
                local: None,
                shown: time.to_string(),
            };
        };
        let local = zone.map(|zone| utc.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %:z"));
        let local = local.map(|local| local.to_string());
        let utc = utc.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        Moment {
            shown: match &local {
                Some(local) => format!("{utc} ({local})"),
                None => utc.clone(),
            },
            utc,
            local,
        }
    }

    /// The time in UTC and, where one is asked for, in its zone.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden() -> Hidden {
        let trace = Trace {
            address: Some("198.51.100.9".into()),
            country: Some("DE".into()),
            city: Some("Köln".into()),
            device: Some("WS-PASSER.contoso.com".into()),
            application: Some("C:\\Office\\winword.exe".into()),
            client: Some("MSIPC;version=2.2;AppName=READER.EXE;OSName=Windows".into()),
            session: Some("9b1c7f10-2d6a-4f0e-8f77-0c1a2b3c4d5e".into()),
            ..Trace::default()
        };
        Hidden::of([&trace])
    }

    #[test]
    fn what_the_events_say_of_somebody_goes_from_every_text() {
        for (text, want) in [
            ("Minutes of WS-PASSER.docx", "Minutes of [removed].docx"),
            ("ws-passer_WS-PASSER", "[removed]_[removed]"),
            ("W\u{200b}S-PASSER", "[removed]"),
            ("köln, KÖLN and Kölner", "[removed], [removed] and Kölner"),
            (
                "WINWORD.EXE (9B1C7F10-2D6A-4F0E-8F77-0C1A2B3C4D5E)",
                "[removed] ([removed])",
            ),
            ("seen at 198[.]51[.]100[.]9", "seen at [address removed]"),
            (
                "198 51 100 9, 3325256713.docx",
                "[address removed], [address removed].docx",
            ),
            (
                "Minutes of ws_passer and WS PASSER",
                "Minutes of [removed] and [removed]",
            ),
            ("ws-passer.contoso.com", "[removed]"),
            (
                "Ｗord, WINWORD_EXE and winword",
                "Ｗord, [removed] and [removed]",
            ),
            ("opened by Reader 9", "opened by [removed] 9"),
            ("Ko\u{308}ln.docx", "[removed].docx"),
            ("K%C3%B6ln, K&#246;ln.docx", "[removed], [removed].docx"),
            (
                "WS - PASSER, WS%2DPASSER, WS%20PASSER, WS--PASSER and WS(PASSER)",
                "[removed], [removed], [removed], [removed] and [removed])",
            ),
            ("READER[.]EXE, {Reader}", "[removed], {[removed]}"),
            ("WS-Passers", "WS-Passers"),
            ("DE plan.docx", "DE plan.docx"),
            ("Patent Draft.docx", "Patent Draft.docx"),
            ("", ""),
        ] {
            assert_eq!(Plain::of(text, &hidden()).as_str(), want, "{text}");
        }
    }

    #[test]
    fn times_have_their_zone() {
        let berlin = Moment::of(1_779_199_526_000_000, Some(Tz::Europe__Berlin));
        assert_eq!(berlin.utc, "2026-05-19 14:05:26 UTC");
        assert_eq!(berlin.local.as_deref(), Some("2026-05-19 16:05:26 +02:00"));
        assert_eq!(
            berlin.shown(),
            "2026-05-19 14:05:26 UTC (2026-05-19 16:05:26 +02:00)"
        );
        assert_eq!(Moment::of(0, None).shown(), "1970-01-01 00:00:00 UTC");
        assert_eq!(Moment::of(i64::MAX, None).utc, i64::MAX.to_string());
    }
}
