//! `parse-kv`: values of keys in a text.
//!
//! Three ways to find pairs of key and value: between delimiters that are told; between characters that are neither letters nor
//! digits, where none are told; by a regular expression. Where Kusto's documentation leaves open what is meant: a key that ends
//! a greedy value need not be one that is wanted, and an escape is kept before a character that needs none.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use regex::Regex;

use super::operate::{compiled_regex, regex_error};

/// What stands in `with (…)`.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Between pairs.
    pub pair_delimiter: Option<String>,
    /// Between a key and its value.
    pub kv_delimiter: Option<String>,
    /// The opening and the closing quote, or one character for both.
    pub quotes: Vec<String>,
    /// Characters that take its meaning from a quote.
    pub escapes: Vec<String>,
    /// Whether a value without quotes reaches up to the next key.
    pub greedy: bool,
    /// Two groups: the key and the value.
    pub regex: Option<String>,
}

/// Finds the values of keys.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KeyValue {
    keys: Vec<String>,
    pairs: Pairs,
    quotes: Vec<(char, char)>,
    escapes: Vec<char>,
}

/// What makes a pair.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Pairs {
    Delimited {
        pair: String,
        middle: String,
        greedy: bool,
    },
    Words,
    Regex(Pattern),
}

/// Two are equal where they are written alike.
#[derive(Debug)]
struct Pattern(Arc<Regex>);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl KeyValue {
    /// Finds these keys; says what is wrong with the options otherwise.
    ///
    /// # Errors
    ///
    /// Where Kusto's documentation does not have such options.
    pub fn new(keys: Vec<String>, options: &Options) -> Result<KeyValue, String> {
        let Options {
            pair_delimiter,
            kv_delimiter,
            greedy,
            regex,
            ..
        } = options;
        let pairs = match (pair_delimiter, kv_delimiter, regex) {
            (Some(pair), Some(middle), None) if pair.is_empty() || middle.is_empty() => {
                return Err("a delimiter of `parse-kv` is empty".to_owned());
            }
            (Some(pair), Some(middle), None) => Pairs::Delimited {
                pair: pair.clone(),
                middle: middle.clone(),
                greedy: *greedy,
            },
            (None, None, None) if !greedy => Pairs::Words,
            (None, None, Some(pattern)) if !greedy => match compiled_regex(pattern) {
                Some(regex) if regex.captures_len() == 3 => Pairs::Regex(Pattern(regex)),
                Some(_) => {
                    return Err("`regex` must have two groups: the key and the value".to_owned());
                }
                None => return Err(regex_error(pattern).unwrap_or_default()),
            },
            (None, None, _) => return Err("`greedy` needs delimiters".to_owned()),
            (_, _, Some(_)) => return Err("`regex` takes no delimiters".to_owned()),
            _ => return Err("`pair_delimiter` and `kv_delimiter` go together".to_owned()),
        };
        let quotes = options.quotes.iter().map(|quote| {
            let mut of = quote.chars();
            match (of.next(), of.next(), of.next()) {
                (Some(both), None, None) => Ok((both, both)),
                (Some(open), Some(close), None) => Ok((open, close)),
                _ => Err(format!("`{quote}` is not one or two quotes")),
            }
        });
        let escapes = options.escapes.iter().map(|escape| {
            let mut of = escape.chars();
            match (of.next(), of.next()) {
                (Some(escape), None) => Ok(escape),
                _ => Err(format!("`{escape}` is not one character")),
            }
        });
        Ok(KeyValue {
            keys,
            pairs,
            quotes: quotes.collect::<Result<_, _>>()?,
            escapes: escapes.collect::<Result<_, _>>()?,
        })
    }

    /// The first value of each key, in the order of the keys.
    pub fn values(&self, text: &str) -> Vec<Option<String>> {
        let mut found = Found {
            keys: &self.keys,
            values: vec![None; self.keys.len()],
        };
        match &self.pairs {
            Pairs::Delimited {
                pair,
                middle,
                greedy,
            } => self.delimited(text, pair, middle, *greedy, &mut found),
            Pairs::Words => self.words(text, &mut found),
            Pairs::Regex(Pattern(regex)) => {
                for groups in regex.captures_iter(text) {
                    let group = |at| groups.get(at).map_or("", |group| group.as_str().trim());
                    found.take(group(1), group(2).to_owned());
                }
            }
        }
        found.values
    }

    fn delimited(&self, text: &str, pair: &str, middle: &str, greedy: bool, found: &mut Found) {
        let mut quotes = self.quotes.clone();
        let mut at = 0;
        let mut next = None;
        while let Some(rest) = text.get(at..) {
            let quoted = self.quoted(rest.trim_start(), &mut quotes);
            let quoted = quoted
                .and_then(|(key, behind)| Some((key, behind.trim_start().strip_prefix(middle)?)));
            let (key, after) = match quoted {
                Some(quoted) => quoted,
                None => {
                    // Searched for again only where it was passed, so that a long text takes linear time.
                    let place = match next {
                        Some(place) if place >= at => place,
                        _ => match rest.find(middle) {
                            Some(place) => at + place,
                            None => return,
                        },
                    };
                    next = Some(place);
                    let key = text[at..place].trim_start();
                    // What stands before a delimiter of pairs has no value.
                    if let Some(end) = key.trim_end().find(pair) {
                        at = place - key.len() + end + pair.len();
                        continue;
                    }
                    (key.trim_end().to_owned(), &text[place + middle.len()..])
                }
            };
            let open = match after.starts_with(pair) {
                true => after,
                false => after.trim_start(),
            };
            let (value, behind) = match self.quoted(open, &mut quotes) {
                Some((value, behind)) => (value, behind.find(pair).map(|end| &behind[end..])),
                None => {
                    let end = match greedy {
                        true => greedy_end(after, pair, middle),
                        false => after.find(pair),
                    };
                    let value = &after[..end.unwrap_or(after.len())];
                    (value.trim().to_owned(), end.map(|end| &after[end..]))
                }
            };
            found.take(&key, value);
            match behind {
                Some(behind) => at = text.len() - behind.len() + pair.len(),
                None => return,
            }
        }
    }

    /// Letters and digits are words, as is what stands in quotes; behind a key stands its value.
    fn words(&self, text: &str, found: &mut Found) {
        let mut quotes = self.quotes.clone();
        let mut rest = text;
        let mut key: Option<String> = None;
        while let Some(first) = rest.chars().next() {
            let word = match self.quoted(rest, &mut quotes) {
                Some((word, behind)) => {
                    rest = behind;
                    word
                }
                None if first.is_alphanumeric() => {
                    let end = rest.find(|c: char| !c.is_alphanumeric());
                    let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
                    rest = behind;
                    word.to_owned()
                }
                None => {
                    rest = &rest[first.len_utf8()..];
                    continue;
                }
            };
            key = match key {
                Some(key) => {
                    found.take(&key, word);
                    None
                }
                None => self.keys.contains(&word).then_some(word),
            };
        }
    }

    /// What stands in the quotes that open a text, and what stands behind them; nothing where none open it. Those that are not
    /// closed are struck off: they are not further on either.
    fn quoted<'t>(
        &self,
        text: &'t str,
        quotes: &mut Vec<(char, char)>,
    ) -> Option<(String, &'t str)> {
        let first = text.chars().next()?;
        let at = quotes.iter().position(|(open, _)| *open == first)?;
        let (open, close) = *quotes.get(at)?;
        let mut inner = String::new();
        let mut rest = text[open.len_utf8()..].chars();
        while let Some(c) = rest.next() {
            let next = rest.clone().next();
            let meant =
                |next: &char| *next == open || *next == close || self.escapes.contains(next);
            match next.filter(meant) {
                Some(next) if self.escapes.contains(&c) => {
                    inner.push(next);
                    rest.next();
                }
                _ if c == close => return Some((inner, rest.as_str())),
                _ => inner.push(c),
            }
        }
        quotes.remove(at);
        None
    }
}

/// Where a greedy value ends: at the last delimiter before the next key.
fn greedy_end(text: &str, pair: &str, middle: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(length) = text[from..].find(middle) {
        let end = from + length;
        if let Some(at) = text[from..end].trim_end().rfind(pair) {
            return Some(from + at);
        }
        from = end + middle.len();
    }
    None
}

/// Values by their keys.
struct Found<'k> {
    keys: &'k [String],
    values: Vec<Option<String>>,
}

impl Found<'_> {
    /// Keeps a value where the key is wanted and has none yet.
    fn take(&mut self, key: &str, value: String) {
        let mut both = self.keys.iter().zip(&mut self.values);
        if let Some((_, place)) = both.find(|(known, _)| *known == key) {
            place.get_or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, keys: &[&str], options: &Options) -> Vec<String> {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let kv = KeyValue::new(keys, options).unwrap_or_else(|reason| panic!("{reason}"));
        let values = kv.values(text).into_iter();
        values
            .map(|value| value.unwrap_or("-".to_owned()))
            .collect()
    }

    fn delimited(pair: &str, middle: &str) -> Options {
        Options {
            pair_delimiter: Some(pair.to_owned()),
            kv_delimiter: Some(middle.to_owned()),
            ..Options::default()
        }
    }

    fn quoted(options: Options, quote: &str, escape: &str) -> Options {
        let escapes = (!escape.is_empty()).then(|| escape.to_owned());
        Options {
            quotes: vec![quote.to_owned()],
            escapes: escapes.into_iter().collect(),
            ..options
        }
    }

    #[test]
    fn pairs_stand_between_delimiters() {
        let text = "Thread:45, Host:a1, Text: it is up, Host:b2, Level";
        assert_eq!(
            found(
                text,
                &["Text", "Thread", "Host", "Level"],
                &delimited(",", ":")
            ),
            ["it is up", "45", "a1", "-"]
        );
        // As recorded.
        assert_eq!(
            found("[k1=v1][k2=v2]", &["k1", "k2"], &delimited("][", "=")),
            ["-", "v2]"]
        );
        assert_eq!(
            found("key=value=extra", &["key", "a"], &delimited(" ", "=")),
            ["value=extra", "-"]
        );
        assert_eq!(
            found(
                "x y a=1  b = 2 c= d=",
                &["a", "b", "c", "d"],
                &delimited(" ", "=")
            ),
            ["1", "", "", ""]
        );
    }

    #[test]
    fn quotes_hold_delimiters() {
        let keys = ["at time", "ip", "why"];
        let text = r#"ip=192.0.2.1 why="it said \"bye\", a\b" "at time"=12:00"#;
        assert_eq!(
            found(text, &keys, &quoted(delimited(" ", "="), "\"", "\\")),
            ["12:00", "192.0.2.1", r#"it said "bye", a\b"#]
        );
        let text = "ip=192.0.2.1 why=(it closed) (at time)=(12:00)";
        assert_eq!(
            found(text, &keys, &quoted(delimited(" ", "="), "()", "")),
            ["12:00", "192.0.2.1", "it closed"]
        );
        assert_eq!(
            found(
                "why=(it ip=1",
                &keys,
                &quoted(delimited(" ", "="), "()", "")
            ),
            ["-", "1", "(it"]
        );
    }

    #[test]
    fn greedy_values_reach_to_the_next_key() {
        let text = "name=Jo Doe phone=555 5555 city=New York";
        let keys = ["name", "phone", "city"];
        let greedy = Options {
            greedy: true,
            ..delimited(" ", "=")
        };
        assert_eq!(
            found(text, &keys, &delimited(" ", "=")),
            ["Jo", "555", "New"]
        );
        assert_eq!(
            found(text, &keys, &greedy),
            ["Jo Doe", "555 5555", "New York"]
        );
        assert_eq!(
            found("name = Jo  Doe  phone =5", &keys, &greedy),
            ["Jo  Doe", "5", "-"]
        );
    }

    #[test]
    fn without_delimiters_a_value_is_the_next_word() {
        let keys = ["Text", "Thread", "Host"];
        let text = "2021-01-01T10:00:34 [INFO] x Thread:45, Host:a1, Text: 'it \\' is', Thread:9";
        assert_eq!(found(text, &keys, &Options::default()), ["it", "45", "a1"]);
        assert_eq!(
            found(text, &keys, &quoted(Options::default(), "'", "\\")),
            ["it ' is", "45", "a1"]
        );
    }

    #[test]
    fn a_regular_expression_has_a_key_and_a_value() {
        let regex = |pattern: &str| Options {
            regex: Some(pattern.to_owned()),
            ..Options::default()
        };
        let text = r#"["from url": "https://contoso.com/?a=1", "id":"7"]"#;
        assert_eq!(
            found(
                text,
                &["from url", "id"],
                &regex(r#""([\w ]+)"\s*:\s*"([^"]*)""#)
            ),
            ["https://contoso.com/?a=1", "7"]
        );
        assert!(KeyValue::new(Vec::new(), &regex("(a)")).is_err());
        assert!(KeyValue::new(Vec::new(), &regex("(a)(")).is_err());
        assert!(KeyValue::new(Vec::new(), &delimited("", "=")).is_err());
        let half = Options {
            kv_delimiter: None,
            ..delimited(" ", "=")
        };
        assert!(KeyValue::new(Vec::new(), &half).is_err());
        let quotes = quoted(Options::default(), "abc", "");
        assert!(KeyValue::new(Vec::new(), &quotes).is_err());
    }

    #[test]
    fn odd_texts_are_read_in_linear_time() {
        let options = [
            quoted(delimited(" ", "="), "()", "\\"),
            Options {
                greedy: true,
                ..quoted(delimited(" ", "="), "\"", "\\")
            },
            quoted(Options::default(), "()", "\\"),
        ];
        for part in [
            "( ", "a ", "=", "a= ", "\" ", "(\\)", "é", "\"=\" ", "( =", " ",
        ] {
            let text = part.repeat(200_000);
            for options in &options {
                found(&text, &["a", "(", ""], options);
            }
        }
    }
}
