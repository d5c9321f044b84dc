//! The tables that a rule asks, and those of them of which the archive has no rows.

use std::collections::BTreeSet;

use crate::engine::{Session, kql};
use crate::fault::Result;
use crate::rules::{Language, Rule};

/// The tables that a rule asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AskedTables {
    /// All of them.
    pub all: BTreeSet<String>,
    /// Those of which the archive has no rows. Of rules in SQL it is not found out.
    pub absent: Vec<String>,
}

impl AskedTables {
    /// Those of a rule whose query runs. No row is read for it.
    ///
    /// # Errors
    /// When a query in SQL cannot be planned.
    pub(super) fn of(session: &Session, rule: &Rule, how: &kql::Options) -> Result<AskedTables> {
        let text = rule.query.text.as_str();
        if rule.query.language == Language::Sql {
            let frame = session.plan(text)?;
            return Ok(AskedTables {
                all: session.reads(frame.logical_plan())?.into_iter().collect(),
                absent: Vec::new(),
            });
        }
        let checked = session.kql_check(text, how);
        let absent = checked.asked.intersection(&checked.needs.tables);
        Ok(AskedTables {
            absent: absent.cloned().collect(),
            all: checked.asked,
        })
    }

    /// Whether none of them has rows.
    pub(super) fn are_absent(&self) -> bool {
        !self.all.is_empty() && self.absent.len() == self.all.len()
    }
}
