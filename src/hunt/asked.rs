//! What a rule asks the engine, whatever it is written in.

use std::collections::{HashMap, HashSet};

use super::crew::{Job, Scope};
use super::outcome::Status;
use super::traced;
use crate::kql::lexer::{TokenKind, lex};
use crate::rules::{EntityMapping, FieldMapping, Language, Pack, Rule, Schedule, WatchlistNeed};
use crate::sigma::{Collection, Conversion, Refusal};

/// A rule, and its query in a language of the engine.
pub(super) struct Asked {
    /// The rule. What it leaves to its conversion is filled in.
    pub(super) rule: Rule,
    /// SQL or KQL.
    pub(super) language: Language,
    /// The query.
    pub(super) text: String,
    /// The query with the records of its rows, where that is another one.
    pub(super) traced: Option<String>,
}

impl Asked {
    /// Its query, or the same with records, over what the rule sees.
    pub(super) fn job(&self, text: &str) -> Job {
        Job {
            language: self.language,
            text: text.into(),
            scope: Scope::Around(self.rule.schedule.period()),
        }
    }

    /// Whether it counts back from `now()`.
    pub(super) fn counts_back(&self) -> bool {
        if self.language != Language::Kql {
            return false;
        }
        let (tokens, _) = lex(&self.text);
        let mut words = tokens.iter().filter(|t| t.kind == TokenKind::Word);
        words.any(|token| matches!(token.span.of(&self.text), "ago" | "now"))
    }
}

/// The queries of the rules of a pack. Rules in Sigma are converted together, since correlations name others.
pub(super) struct Queries {
    collection: Collection,
    /// Of those that stand alone, by file and number.
    sigma: HashMap<(String, Option<usize>), Result<Conversion, Refusal>>,
    /// Files that are not read as Sigma, and why.
    unread: HashMap<String, Refusal>,
}

impl Queries {
    pub(super) fn of(pack: &Pack) -> Queries {
        let (mut collection, mut unread) = (Collection::default(), HashMap::new());
        let mut seen = HashSet::new();
        let is_sigma = |rule: &&Rule| rule.query.language == Language::Sigma;
        for rule in pack.rules.iter().filter(is_sigma) {
            let file = rule.place.file.as_str();
            if seen.insert(file)
                && let Err(refusal) = collection.add(file, &rule.query.text)
            {
                unread.insert(file.to_string(), refusal);
            }
        }
        let converted = collection.convert().into_iter();
        Queries {
            sigma: converted
                .map(|one| ((one.about.source, one.about.number), one.query))
                .collect(),
            unread,
            collection,
        }
    }

    /// What a rule asks; where it asks nothing, what became of it.
    pub(super) fn of_rule(&self, rule: &Rule) -> Result<Asked, Status> {
        let text = rule.query.text.as_str();
        let asked = |language, traced| Asked {
            rule: rule.clone(),
            language,
            text: text.into(),
            traced,
        };
        match rule.query.language {
            Language::Sql => Ok(asked(Language::Sql, None)),
            Language::Kql => Ok(asked(Language::Kql, traced::with_records(text))),
            Language::Sigma => self.converted(rule),
        }
    }

    fn converted(&self, rule: &Rule) -> Result<Asked, Status> {
        let refused = |refusal: &Refusal| {
            let hint = refusal.hint.as_ref();
            let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
            Status::Refused(format!("{refusal}{hint}"))
        };
        if let Some(refusal) = self.unread.get(&rule.place.file) {
            return Err(refused(refusal));
        }
        let place = (rule.place.file.clone(), rule.place.number);
        let Some(query) = self.sigma.get(&place) else {
            let (file, number) = place;
            return Err(match self.collection.query(&file, number) {
                Some(_) => Status::Counted("a correlation counts its events".into()),
                None => Status::Refused("it is none of the rules in Sigma of its file".into()),
            });
        };
        let conversion = query.as_ref().map_err(refused)?;
        let mut rule = rule.clone();
        if rule.schedule == (Schedule::ByHand { period: None }) {
            // A row of a rule that is no correlation is one event, and depends on no other.
            let period = conversion.seconds.unwrap_or(0);
            rule.schedule = Schedule::ByHand {
                period: Some(period),
            };
        }
        if rule.entities.is_empty() {
            let entities = conversion.entities.iter().map(|entity| EntityMapping {
                entity_type: entity.kind.into(),
                field_mappings: vec![FieldMapping {
                    identifier: entity.identifier.into(),
                    column_name: entity.column.into(),
                }],
            });
            rule.entities = entities.collect();
        }
        for name in &conversion.watchlists {
            let need = WatchlistNeed {
                required: true,
                columns: Vec::new(),
            };
            rule.watchlists.entry(name.clone()).or_insert(need);
        }
        Ok(Asked {
            rule,
            language: Language::Kql,
            text: conversion.traced.clone(),
            traced: None,
        })
    }
}
