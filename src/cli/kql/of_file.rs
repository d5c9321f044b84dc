//! Queries in files: as plain text, and of rules in every format that rules have.

use std::path::Path;

use crate::engine::output::visible;
use crate::fault::{Error, Result};
use crate::rules::{self, Asked, Conversions, Entry, Language, State};

/// Whether a file of this name may hold rules, or a query.
pub(super) fn may_hold_rules(path: &Path) -> bool {
    rules::may_hold_rules(&extension(path))
}

/// The ending of a file's name, in small letters.
pub(super) fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

/// The query of a rule as KQL.
///
/// # Errors
/// When it is in SQL, or in Sigma and cannot be used; the text says why.
pub(super) fn in_kql(entry: &Entry, asked: &Asked, sigma: &Conversions) -> Result<String, String> {
    match asked.query.language {
        Language::Kql => Ok(asked.query.text.to_string()),
        Language::Sql => Err("its query is in SQL: `coldtrail sql -F` runs it".into()),
        Language::Sigma => match sigma.query(&entry.place) {
            Ok(conversion) => Ok(conversion.text),
            Err(refusal) => Err(refusal.to_string()),
        },
    }
}

/// A query that is to be run.
pub(super) struct Chosen {
    pub text: String,
    /// How far the rule around it looks back, in seconds.
    pub period: Option<u64>,
}

/// The query of a file of rules that is to be run: the one of this id, or the only one. Nothing where the file is no rule but plain text.
///
/// # Errors
/// When the file has no query, or several and none is chosen.
pub(super) fn chosen(path: &Path, id: Option<&str>) -> Result<Option<Chosen>> {
    if !may_hold_rules(path) {
        return Ok(None);
    }
    std::fs::metadata(path).map_err(Error::io("read", path))?;
    let name = path.display();
    let entries = rules::load_file(path);
    let asked: Vec<(&Entry, &Asked)> = entries
        .iter()
        .filter_map(|entry| Some((entry, entry.asked.as_ref()?)))
        .collect();
    let queries = asked
        .iter()
        .map(|(entry, asked)| (&entry.place, &asked.query));
    let sigma = Conversions::of(queries);
    let (entry, asked) = match one_of(&asked, id, &sigma) {
        Ok(one) => one,
        Err(_) if asked.is_empty() => {
            let why = entries.iter().find_map(why_none);
            let why = why.unwrap_or_else(|| "it holds nothing".into());
            return Err(Error::Usage(format!("`{name}` has no query: {why}")));
        }
        Err(why) => return Err(Error::Usage(format!("`{name}` {why}"))),
    };
    let text = in_kql(entry, asked, &sigma);
    let text = text.map_err(|why| Error::Usage(format!("`{}`: {why}", entry.name())))?;
    Ok(Some(Chosen {
        text,
        period: asked.period,
    }))
}

/// Why an entry has no query.
pub(super) fn why_none(entry: &Entry) -> Option<String> {
    match &entry.state {
        State::NoRule(why) => Some(why.clone()),
        State::Refused | State::Loaded(_) => entry.refusal(),
    }
}

/// The one that is meant among the queries of a file, or why none is.
fn one_of<'e>(
    asked: &[(&'e Entry, &'e Asked)],
    id: Option<&str>,
    sigma: &Conversions,
) -> Result<(&'e Entry, &'e Asked), String> {
    let id_of = |entry: &Entry| match &entry.state {
        State::Loaded(id) => Some(id.clone()),
        State::Refused | State::NoRule(_) => None,
    };
    if let Some(id) = id {
        let like = |(entry, _): &&(&Entry, &Asked)| {
            id_of(entry).is_some_and(|own| own.eq_ignore_ascii_case(id))
        };
        let found = asked.iter().find(like);
        return found.copied().ok_or_else(|| format!("has no rule `{id}`"));
    }
    let is_sigma = |asked: &Asked| asked.query.language == Language::Sigma;
    let mut meant = asked.to_vec();
    if meant.len() > 1 && meant.iter().all(|(_, asked)| is_sigma(asked)) {
        // What a correlation counts is not asked by itself.
        let alone = sigma.alone();
        meant.retain(|(entry, _)| {
            let place = &entry.place;
            alone.contains(&(place.file.clone(), place.number))
        });
    }
    match meant.as_slice() {
        [one] => Ok(*one),
        several => {
            let ids: Vec<String> = several
                .iter()
                .filter_map(|(entry, _)| id_of(entry))
                .collect();
            let ids = match ids.is_empty() {
                true => String::new(),
                false => format!(" ({})", visible(&ids.join(", "))),
            };
            let many = several.len();
            Err(format!(
                "has {many} queries: --rule ID says which is meant{ids}"
            ))
        }
    }
}
