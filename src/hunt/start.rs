//! What is done to a session before the first query of a hunt: here, and wherever queries are answered for it. It is the same everywhere, or answers
//! would differ.

use serde::{Deserialize, Serialize};

use crate::engine::{Columns, Session, views};
use crate::fault::Result;
use crate::rules::{Language, Rule};

/// Views that are asked by many rules.
const SHARED: [&str; 2] = [views::LABEL_EVENTS, "UnifiedAuditLog"];

/// What is done to a session before the first query of a hunt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Start {
    /// Watchlists that rules read, each with the columns of the empty one that stands in for it where it is not there.
    lists: Vec<(String, Vec<String>)>,
    /// Views that several queries ask.
    shared: Vec<String>,
    /// The queries in SQL, with what counts what rules cannot judge.
    sql: Vec<String>,
    /// The others.
    others: Vec<String>,
}

/// What becomes of the views that several queries ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shared {
    /// Their rows are kept in memory: this session answers the queries.
    Kept,
    /// Nothing: others answer.
    Left,
}

impl Start {
    /// That of a hunt of these rules, each with the language and the text that the engine is asked.
    pub(super) fn of<'r>(asked: impl Iterator<Item = (&'r Rule, Language, &'r str)>) -> Start {
        let (mut lists, mut texts) = (Vec::new(), Vec::new());
        let (mut sql, mut others) = (Vec::new(), Vec::new());
        for (rule, language, text) in asked {
            let own = rule.watchlists.iter();
            lists.extend(own.map(|(name, need)| (name.clone(), need.columns.clone())));
            texts.push(text);
            match language {
                Language::Sql => sql.push(text.to_string()),
                _ => others.push(text.to_string()),
            }
            sql.extend(rule.unjudged.as_ref().map(|of| of.query.clone()));
        }
        Start {
            lists,
            shared: shared(&texts),
            sql,
            others,
        }
    }

    /// Makes a session ready, and gives the same with the columns of the product, which KQL asks. `look` is what must be found out of the shared
    /// views before they are kept, in the time of one question.
    ///
    /// # Errors
    /// When the columns of a watchlist are no header.
    pub(super) fn make(
        &self,
        session: &mut Session,
        shared: Shared,
        look: impl FnOnce(&[String], &Session),
    ) -> Result<Session> {
        for (name, columns) in &self.lists {
            session.stand_in(name, columns)?;
        }
        session.begin();
        look(&self.shared, session);
        if shared == Shared::Kept {
            session.keep(&self.shared, &lent(&self.sql), &lent(&self.others));
        }
        session.end();
        Ok(session.showing(Columns::Product))
    }
}

fn lent(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// The views that several of these queries ask.
fn shared(queries: &[&str]) -> Vec<String> {
    let asking = |view: &str| queries.iter().filter(|query| names(query, view)).count();
    let shared = SHARED.into_iter().filter(|view| asking(view) > 1);
    shared.map(String::from).collect()
}

fn names(sql: &str, view: &str) -> bool {
    sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == view)
}
