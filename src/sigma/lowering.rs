//! Searches and conditions of a rule, as a condition on the rows of its table.

use std::collections::{BTreeMap, BTreeSet};

use super::comparison;
use super::condition::{Condition, Count};
use super::encoding::encoded;
use super::field::{self, Found, Place};
use super::logsource::Route;
use super::modifier::{Flags, How, Test};
use super::quote::{Predicate, quoted};
use super::refusal::{At, Refusal};
use super::searches::{Field, Search, Value};
use super::wildcard::{Part, Pattern, Within};
use crate::fault::did_you_mean;

/// What is said and needed beside the condition.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Watchlists that are read, by the names of their `let`s: as a list of values.
    pub(super) lists: BTreeMap<String, String>,
    /// The same, as a regular expression.
    pub(super) patterns: BTreeMap<String, String>,
    /// Fields that no column has: they are paths of the record.
    pub(super) paths: BTreeSet<String>,
    /// Searches that no condition asks for.
    pub(super) unused: BTreeSet<String>,
    /// Bytes of all conditions so far.
    bytes: usize,
}

/// A rule on its way to a condition.
pub(super) struct Lowering<'a> {
    pub(super) route: Route,
    pub(super) searches: &'a [(String, Search)],
    pub(super) beside: &'a mut Beside,
}

/// Most searches that one rule's condition may come to.
const MAX_TESTS: usize = 20_000;
/// Most bytes that the conditions of a query may come to. One that asks for a search again and again is as long as it is often.
const MAX_BYTES: usize = 2 << 20;

impl Lowering<'_> {
    /// The condition of a rule.
    pub(super) fn condition(
        &mut self,
        condition: &Condition,
        at: At,
    ) -> Result<Predicate, Refusal> {
        let predicate = self.part(condition, at)?;
        let unused = self.searches.iter().map(|(name, _)| name);
        let unused = unused.filter(|name| !condition.uses(name));
        self.beside.unused.extend(unused.cloned());
        match size(&predicate) > MAX_TESTS {
            true => Err(Refusal::new(at, "the condition comes to too many tests")),
            false => Ok(predicate),
        }
    }

    fn part(&mut self, condition: &Condition, at: At) -> Result<Predicate, Refusal> {
        Ok(match condition {
            Condition::All(parts) => Predicate::all(self.parts(parts, at)?),
            Condition::Any(parts) => Predicate::any(self.parts(parts, at)?),
            Condition::Not(inner) => self.part(inner, at)?.negated(true),
            Condition::Search(name) => {
                let search = self.searches.iter().find(|(n, _)| n == name);
                let Some((_, search)) = search else {
                    return Err(self.no_search(name, at));
                };
                self.search(search)?
            }
            Condition::Of(count, which) => {
                let meant: Vec<&Search> = self
                    .searches
                    .iter()
                    .filter(|(name, _)| which.means(name))
                    .map(|(_, search)| search)
                    .collect();
                if meant.is_empty() {
                    let message = "the condition counts searches, and none has such a name";
                    return Err(Refusal::new(at, message));
                }
                let parts = meant.into_iter().map(|search| self.search(search));
                let parts = parts.collect::<Result<Vec<_>, _>>()?;
                match *count {
                    Count::All => Predicate::all(parts),
                    Count::AtLeast(1) => Predicate::any(parts),
                    Count::AtLeast(n) if n == 0 || n > parts.len() => {
                        let message =
                            format!("the condition wants {n} of {} searches", parts.len());
                        return Err(Refusal::new(at, message));
                    }
                    Count::AtLeast(n) => Predicate::AtLeast(n, parts),
                }
            }
        })
    }

    fn parts(&mut self, parts: &[Condition], at: At) -> Result<Vec<Predicate>, Refusal> {
        parts.iter().map(|part| self.part(part, at)).collect()
    }

    fn no_search(&self, name: &str, at: At) -> Refusal {
        let known: Vec<String> = self.searches.iter().map(|(n, _)| n.clone()).collect();
        let refusal = Refusal::new(at, format!("the condition names no search `{name}`"));
        match did_you_mean(name, &known) {
            Some(hint) => refusal.with_hint(hint),
            None => refusal,
        }
    }

    fn search(&mut self, search: &Search) -> Result<Predicate, Refusal> {
        Ok(match search {
            Search::All(parts) => {
                let parts = parts.iter().map(|part| self.search(part));
                Predicate::all(parts.collect::<Result<_, _>>()?)
            }
            Search::Any(parts) => {
                let parts = parts.iter().map(|part| self.search(part));
                Predicate::any(parts.collect::<Result<_, _>>()?)
            }
            Search::Field(field) => {
                let predicate = self.field(field)?;
                self.bounded(predicate, field.at)?
            }
            Search::Words { how, values, at } => {
                let record = field::record(self.route);
                let predicate = words(record.as_deref(), how, values, *at)?;
                self.bounded(predicate, *at)?
            }
        })
    }

    /// A condition that does not make its query too long.
    fn bounded(&mut self, predicate: Predicate, at: At) -> Result<Predicate, Refusal> {
        self.beside.bytes += bytes(&predicate);
        match self.beside.bytes > MAX_BYTES {
            true => Err(Refusal::new(at, "the conditions come to too long a query")),
            false => Ok(predicate),
        }
    }

    /// Where the rows have a field.
    pub(super) fn find(&mut self, name: &str, at: At) -> Result<Found, Refusal> {
        let Some(found) = field::find(self.route, name) else {
            let table = field::table(self.route).name;
            let refusal = Refusal::new(at, format!("`{table}` has no field `{name}`"));
            return Err(match did_you_mean(name, &field::names(self.route)) {
                Some(hint) => refusal.with_hint(hint),
                None => refusal,
            });
        };
        if found.is_path {
            self.beside.paths.insert(name.to_string());
        }
        Ok(found)
    }

    fn field(&mut self, field: &Field) -> Result<Predicate, Refusal> {
        let Field { how, at, .. } = field;
        let found = self.find(&field.name, *at)?;
        if how.test == Test::Equal
            && !(how.all || how.fields || how.placeholders || how.any_dash)
            && how.encodings.is_empty()
            && let Some(predicate) = listed(&found, how, &field.values)
        {
            return Ok(predicate.negated(how.differs));
        }
        let values = field.values.iter();
        let has_list = |value: &Value| {
            let pattern = Pattern::read(&value.text()).with_placeholders();
            pattern.lists().next().is_some()
        };
        if how.placeholders && !values.clone().any(has_list) {
            let message = "no value has a `%name%` for `expand`";
            return Err(Refusal::new(*at, message));
        }
        let tests = values.map(|value| self.value(&found, how, value, *at));
        let tests = tests.collect::<Result<Vec<_>, _>>()?;
        let predicate = match how.all {
            true => Predicate::all(tests),
            false => Predicate::any(tests),
        };
        Ok(predicate.negated(how.differs))
    }

    /// A field held against one of its values.
    fn value(
        &mut self,
        found: &Found,
        how: &How,
        value: &Value,
        at: At,
    ) -> Result<Predicate, Refusal> {
        if how.fields {
            return self.reference(found, how, value, at);
        }
        match how.test {
            Test::Equal | Test::Contains | Test::StartsWith | Test::EndsWith => {
                self.text(found, how, value, at)
            }
            Test::Regex(flags) => {
                let pattern = regular(&value.text(), flags, at)?;
                each_text(found, "re", at, |text| {
                    format!("{text} matches regex {}", quoted(&pattern))
                })
            }
            Test::Network => {
                let (function, network) = network(&value.text(), at)?;
                each_text(found, "cidr", at, |text| {
                    format!("coalesce({function}({text}, {}), false)", quoted(&network))
                })
            }
            Test::Exists => {
                let Value::Bool(wanted) = value else {
                    let message = "the modifier `exists` wants `true` or `false`";
                    return Err(Refusal::new(at, message));
                };
                let places = found.places.iter();
                let tests = places.filter_map(comparison::exists).map(Predicate::Is);
                Ok(Predicate::any(tests.collect()).negated(!wanted))
            }
            Test::Order(operator) => {
                let number = number(value, at)?;
                each_text(found, "gt`, `gte`, `lt` and `lte", at, |text| {
                    format!("coalesce(toreal({text}) {operator} {number}, false)")
                })
            }
            Test::TimePart(part) => {
                let number = number(value, at)?;
                each_text(found, "hour` and the like", at, |text| {
                    format!(
                        "coalesce(datetime_part(\"{part}\", todatetime({text})) == {number}, false)"
                    )
                })
            }
        }
    }

    fn text(
        &mut self,
        found: &Found,
        how: &How,
        value: &Value,
        at: At,
    ) -> Result<Predicate, Refusal> {
        let text = value.text();
        if text.is_empty() {
            if how.test != Test::Equal {
                return Err(Refusal::new(at, "every value has the empty text in it"));
            }
            let empty = found.places.iter().map(comparison::is_empty);
            return Ok(Predicate::all(empty.collect()));
        }
        let mut tests = Vec::new();
        for pattern in patterns(&text, how, found, at)? {
            if pattern.lists().next().is_some() {
                tests.push(self.expanded(found, how, &pattern, at)?);
                continue;
            }
            let places = found.places.iter();
            tests.extend(places.filter_map(|place| {
                comparison::matches(place, &pattern, how.test, how.case_sensitive)
            }));
        }
        Ok(Predicate::any(tests))
    }

    /// A value with placeholders, for which the rows of watchlists stand.
    fn expanded(
        &mut self,
        found: &Found,
        how: &How,
        pattern: &Pattern,
        at: At,
    ) -> Result<Predicate, Refusal> {
        if let ([Part::Listed(list)], Test::Equal, false) =
            (pattern.0.as_slice(), how.test, how.case_sensitive)
        {
            let name = format!("List_{}", identifier(list));
            self.beside.lists.insert(name.clone(), list.clone());
            return each_text(found, "expand", at, |text| format!("{text} in~ ({name})"));
        }
        let open_start = matches!(how.test, Test::Contains | Test::EndsWith);
        let open_end = matches!(how.test, Test::Contains | Test::StartsWith);
        let mut literal = match how.case_sensitive {
            true => "(?s)".to_string(),
            false => "(?is)".to_string(),
        };
        literal.push_str(if open_start { "" } else { "^" });
        let (mut pieces, mut names) = (Vec::new(), Vec::new());
        for part in &pattern.0 {
            let Part::Listed(list) = part else {
                literal.push_str(&Pattern(vec![part.clone()]).regex(Within::Value));
                continue;
            };
            let name = format!("Pattern_{}", identifier(list));
            self.beside.patterns.insert(name.clone(), list.clone());
            literal.push_str("(?:");
            pieces.push(quoted(&std::mem::take(&mut literal)));
            pieces.push(name.clone());
            names.push(name);
            literal.push(')');
        }
        literal.push_str(if open_end { "" } else { "$" });
        pieces.push(quoted(&literal));
        // An empty list has no value that could be there.
        let filled: Vec<String> = names.iter().map(|n| format!("isnotempty({n})")).collect();
        let (filled, pieces) = (filled.join(" and "), pieces.join(", "));
        each_text(found, "expand", at, |text| {
            format!("({filled} and {text} matches regex strcat({pieces}))")
        })
    }

    /// A field held against another one of the same row.
    fn reference(
        &mut self,
        found: &Found,
        how: &How,
        value: &Value,
        at: At,
    ) -> Result<Predicate, Refusal> {
        let operator = match (how.test, how.case_sensitive) {
            (Test::Equal, false) => "=~",
            (Test::Equal, true) => "==",
            (Test::Contains, false) => "contains",
            (Test::Contains, true) => "contains_cs",
            (Test::StartsWith, false) => "startswith",
            (Test::StartsWith, true) => "startswith_cs",
            (Test::EndsWith, false) => "endswith",
            (Test::EndsWith, true) => "endswith_cs",
            _ => return Err(Refusal::new(at, "`fieldref` compares texts")),
        };
        let other = self.find(&value.text(), at)?;
        let others: Vec<String> = other
            .places
            .iter()
            .filter_map(comparison::value_of)
            .collect();
        let mut tests = Vec::new();
        for text in found.places.iter().filter_map(comparison::value_of) {
            for other in &others {
                // Two fields that are not there are not equal.
                let test = format!("(isnotempty({other}) and {text} {operator} {other})");
                tests.push(Predicate::Is(test));
            }
        }
        match tests.is_empty() {
            true => Err(Refusal::new(
                at,
                "`fieldref` compares fields that are columns or paths",
            )),
            false => Ok(Predicate::any(tests)),
        }
    }
}

/// How many tests a condition has.
fn size(predicate: &Predicate) -> usize {
    match predicate {
        Predicate::Is(_) => 1,
        Predicate::Not(inner) => size(inner),
        Predicate::All(parts) | Predicate::Any(parts) | Predicate::AtLeast(_, parts) => {
            parts.iter().map(size).sum()
        }
    }
}

/// How long a condition is, about.
fn bytes(predicate: &Predicate) -> usize {
    match predicate {
        Predicate::Is(text) => text.len(),
        Predicate::Not(inner) => bytes(inner),
        Predicate::All(parts) | Predicate::Any(parts) | Predicate::AtLeast(_, parts) => {
            parts.iter().map(bytes).sum()
        }
    }
}

/// Plain values of a field as one list, where all its places take one.
fn listed(found: &Found, how: &How, values: &[Value]) -> Option<Predicate> {
    let mut spelled: Vec<String> = Vec::new();
    for value in values {
        let pattern = Pattern::read(&value.text());
        let text = pattern.text().filter(|text| !text.is_empty())?;
        spelled.extend(found.spellings(text));
    }
    let mut seen = BTreeSet::new();
    spelled.retain(|text| seen.insert(text.to_lowercase()) || how.case_sensitive);
    if spelled.len() < 2 {
        return None;
    }
    let tests = found.places.iter().map(|place| {
        let text = comparison::text_of(place)?;
        Some(comparison::is_one_of(&text, &spelled, how.case_sensitive))
    });
    Some(Predicate::any(tests.collect::<Option<Vec<_>>>()?))
}

/// What a value may look like in the log.
fn patterns(text: &str, how: &How, found: &Found, at: At) -> Result<Vec<Pattern>, Refusal> {
    let pattern = Pattern::read(text);
    if !how.encodings.is_empty() {
        let Some(text) = pattern.text() else {
            let message = "a value inside Base64 has no wildcards";
            return Err(Refusal::new(at, message));
        };
        let texts = encoded(text, &how.encodings).map_err(|why| Refusal::new(at, why))?;
        return Ok(texts.into_iter().map(Pattern::plain).collect());
    }
    let pattern = match how.placeholders {
        true => pattern.with_placeholders(),
        false => pattern,
    };
    let pattern = match how.any_dash {
        true => pattern.with_dashes(),
        false => pattern,
    };
    Ok(match pattern.text() {
        Some(text) if how.test == Test::Equal => found
            .spellings(text)
            .into_iter()
            .map(Pattern::plain)
            .collect(),
        _ => vec![pattern],
    })
}

/// The same test for each place that has a text of its own.
fn each_text(
    found: &Found,
    modifier: &str,
    at: At,
    test: impl Fn(&str) -> String,
) -> Result<Predicate, Refusal> {
    let texts = found.places.iter().filter_map(|place| match place {
        // JSON is searched like any text.
        Place::Anywhere(json) | Place::Event(json) if modifier == "re" => Some(json.clone()),
        place => comparison::value_of(place),
    });
    let tests: Vec<Predicate> = texts.map(|text| Predicate::Is(test(&text))).collect();
    match tests.is_empty() {
        true => {
            let message = format!("`{modifier}` needs a field that is a column or a path");
            Err(Refusal::new(at, message))
        }
        false => Ok(Predicate::any(tests)),
    }
}

/// Words anywhere in the record.
fn words(record: Option<&str>, how: &How, values: &[Value], at: At) -> Result<Predicate, Refusal> {
    let mut tests = Vec::new();
    for value in values {
        let text = value.text();
        if let Test::Regex(flags) = how.test {
            let pattern = quoted(&regular(&text, flags, at)?);
            tests.push(comparison::in_event(record, |text| {
                Predicate::Is(format!("{text} matches regex {pattern}"))
            }));
            continue;
        }
        let is_text = matches!(
            how.test,
            Test::Equal | Test::Contains | Test::StartsWith | Test::EndsWith
        );
        if !is_text || how.fields || how.placeholders {
            let message = "words without a field take no such modifier";
            return Err(Refusal::new(at, message));
        }
        let nowhere = Found::default();
        let mut forms = Vec::new();
        for pattern in patterns(&text, how, &nowhere, at)? {
            let mut parts = pattern.0.as_slice();
            while let [Part::Any, rest @ ..] | [rest @ .., Part::Any] = parts {
                parts = rest;
            }
            let inner = Pattern(parts.to_vec());
            if inner.text() == Some("") {
                return Err(Refusal::new(at, "every record has the empty word in it"));
            }
            forms.push(comparison::in_event(record, |text| {
                comparison::anywhere(text, &inner, how.case_sensitive)
            }));
        }
        tests.push(Predicate::any(forms));
    }
    let predicate = match how.all {
        true => Predicate::all(tests),
        false => Predicate::any(tests),
    };
    Ok(predicate.negated(how.differs))
}

/// A regular expression with its flags.
fn regular(text: &str, flags: Flags, at: At) -> Result<String, Refusal> {
    let set: String = [
        (flags.ignore_case, 'i'),
        (flags.many_lines, 'm'),
        (flags.dot_is_all, 's'),
    ]
    .iter()
    .filter(|(is, _)| *is)
    .map(|(_, flag)| *flag)
    .collect();
    let pattern = match set.is_empty() {
        true => text.to_string(),
        false => format!("(?{set}){text}"),
    };
    match regex::Regex::new(&pattern) {
        Ok(_) => Ok(pattern),
        Err(e) => {
            let told = e.to_string();
            let why = told
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            let message = format!("the regular expression `{text}` cannot be used: {why}");
            Err(Refusal::new(at, message))
        }
    }
}

/// The function that tests an address, and the network.
fn network(text: &str, at: At) -> Result<(&'static str, String), Refusal> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let most = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => Some(("ipv4_is_in_range", 32)),
        Ok(std::net::IpAddr::V6(_)) => Some(("ipv6_is_in_range", 128)),
        Err(_) => None,
    };
    let fits = |most: u8| length.is_empty() || length.parse::<u8>().is_ok_and(|l| l <= most);
    match most {
        Some((function, most)) if fits(most) => Ok((function, text.to_string())),
        _ => Err(Refusal::new(
            at,
            format!("`{text}` is no network such as `192.0.2.0/24`"),
        )),
    }
}

fn number(value: &Value, at: At) -> Result<String, Refusal> {
    let text = value.text();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(format!("{number}")),
        _ => Err(Refusal::new(at, format!("`{text}` is no number"))),
    }
}

/// A name as one that `let` can have; different ones for different names.
fn identifier(name: &str) -> String {
    let spelled = |c: char| match c.is_ascii_alphanumeric() || c == '_' {
        true => c.to_string(),
        false => format!("_{:x}", u32::from(c)),
    };
    name.chars().map(spelled).collect()
}

/// The statements that read the watchlists of a query.
pub(super) fn lets(beside: &Beside) -> String {
    let lists = beside.lists.iter().map(|(name, list)| {
        format!(
            "let {name} = _GetWatchlist({}) | project SearchKey;\n",
            quoted(list)
        )
    });
    let patterns = beside.patterns.iter().map(|(name, list)| {
        format!(
            "let {name} = toscalar(_GetWatchlist({}) | where isnotempty(SearchKey) | summarize strcat_array(make_list(regex_quote(SearchKey)), \"|\"));\n",
            quoted(list)
        )
    });
    lists.chain(patterns).collect()
}

/// Names of the watchlists of a query.
pub(super) fn watchlists(beside: &Beside) -> Vec<String> {
    let all = beside.lists.values().chain(beside.patterns.values());
    let names: BTreeSet<&String> = all.collect();
    names.into_iter().cloned().collect()
}

/// The value of a field as a column of a correlation, in small letters: the first place that has one.
pub(super) fn grouped(found: &Found) -> Option<String> {
    let texts: Vec<String> = found
        .places
        .iter()
        .filter_map(comparison::value_of)
        .collect();
    let (last, first) = texts.split_last()?;
    let value = first.iter().rev().fold(last.clone(), |rest, text| {
        format!("iff(isnotempty({text}), {text}, {rest})")
    });
    Some(format!("tolower({value})"))
}
