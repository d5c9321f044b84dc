//! Questions to a session: a text and its language, the times that it is about, and the moment at which it is asked.
//!
//! A question is asked once, or prepared and then bound to many times and moments.

use arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::LogicalPlan;

use super::kql::{self, Opening, Planned};
use super::options::TimeRange;
use super::output;
use super::session::Session;
use super::slots::Slotted;
use super::times::{self, Sight};
use crate::fault::Result;
use crate::function::value::UNIX_EPOCH_TICKS;

/// The language of a question.
#[derive(Clone, Copy)]
pub enum Language<'q> {
    /// SQL.
    Sql,
    /// KQL, and what such a query may use. The moment of the question counts, not that of the options.
    Kql(&'q kql::Options),
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'q> {
    /// In which language.
    pub language: Language<'q>,
    /// The query.
    pub text: &'q str,
    /// Only events of this time.
    pub window: TimeRange,
    /// What `now()` says, in microseconds.
    pub now: i64,
}

/// A query that was lowered once.
pub struct Prepared<'q> {
    session: &'q Session,
    language: Language<'q>,
    text: &'q str,
    /// The plan with its times left open; nothing where it depends on them in a way that only lowering knows.
    plan: Option<LogicalPlan>,
    /// Whether that puts its rows in an order of their own.
    is_ordered: bool,
    /// Where there is none for want of lists that subqueries give: the plan that joins them. To ask once, lists are better: they say which
    /// files have nothing.
    joined: Option<(LogicalPlan, bool)>,
}

/// Microseconds as ticks of KQL.
fn ticks(now: i64) -> i64 {
    now.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS)
}

impl Session {
    /// Plans a question.
    ///
    /// # Errors
    /// When the query is wrong, not supported, or names what does not exist.
    pub fn ask(&self, question: &Question<'_>) -> Result<Planned> {
        self.ask_seen(question, TimeRange::default())
    }

    /// The same, seeing only what was ingested in a time.
    fn ask_seen(&self, question: &Question<'_>, ingested: TimeRange) -> Result<Planned> {
        let asked = self.at(question.window, ingested, question.now);
        match question.language {
            Language::Sql => {
                let frame = asked.plan(question.text)?;
                let reads = asked.reads(frame.logical_plan())?;
                Ok(Planned::of(frame, reads))
            }
            Language::Kql(options) => {
                let options = options.at(ticks(question.now));
                asked.kql_planned(question.text, &options)
            }
        }
    }

    /// Lowers a query once, to be bound to many times and moments.
    ///
    /// # Errors
    /// When the query is wrong or names what does not exist. Of one that must be lowered for each question, binding says it.
    pub fn prepare<'q>(&'q self, language: Language<'q>, text: &'q str) -> Result<Prepared<'q>> {
        let open = match language {
            Language::Sql => {
                let plan = self.open_plan(text)?.into_parts().1;
                let is_ordered = kql::is_sorted(&plan);
                Some((plan, is_ordered))
            }
            Language::Kql(options) => self.kql_open(text, options, Opening::Whole),
        };
        let is_ordered = open.as_ref().is_some_and(|(_, is_ordered)| *is_ordered);
        let joined = match (&open, language) {
            (None, Language::Kql(options)) => self.kql_open(text, options, Opening::Joined),
            _ => None,
        };
        Ok(Prepared {
            session: self,
            language,
            text,
            plan: open.map(|(plan, _)| plan),
            is_ordered,
            joined,
        })
    }
}

impl<'q> Prepared<'q> {
    /// The query over rows that are given to it; nothing where it must be lowered for each question.
    ///
    /// # Errors
    /// When its plan leaves no place for them.
    pub fn slotted(&self) -> Result<Option<Slotted<'q>>> {
        let joined = || self.joined.as_ref().map(|(plan, _)| plan);
        let Some(plan) = self.plan.as_ref().or_else(joined) else {
            return Ok(None);
        };
        let language = match self.language {
            Language::Sql => None,
            Language::Kql(_) => Some(ticks as fn(i64) -> i64),
        };
        Ok(Some(Slotted::of(self.session, language, plan.clone())?))
    }

    /// Places for the rows that a query can read that must be lowered for each question. They say which rows can matter, and what it gives
    /// over none; nothing else is to be had from them.
    ///
    /// # Errors
    /// When a plan leaves no place for them.
    pub fn scans(&self) -> Result<Option<Slotted<'q>>> {
        let open = match (self.language, &self.plan) {
            (Language::Kql(options), None) => {
                self.session.kql_open(self.text, options, Opening::Scans)
            }
            _ => None,
        };
        let Some((plan, _)) = open else {
            return Ok(None);
        };
        Ok(Some(Slotted::of(self.session, Some(ticks), plan)?))
    }

    /// Whether one lowering serves all times and moments.
    pub fn is_lowered_once(&self) -> bool {
        self.plan.is_some()
    }

    /// The schema of the rows of [`Self::slotted`], and whether they are in an order of their own; nothing where there is no such query. It is bound
    /// to a question for that, which may be any.
    ///
    /// # Errors
    /// When it cannot be bound, which is a fault of coldtrail.
    pub fn shape(
        &self,
        window: TimeRange,
        ingested: TimeRange,
        now: i64,
    ) -> Result<Option<(SchemaRef, bool)>> {
        let own = self.plan.as_ref().map(|plan| (plan, self.is_ordered));
        let joined = self.joined.as_ref().map(|(plan, ordered)| (plan, *ordered));
        let Some((plan, is_ordered)) = own.or(joined) else {
            return Ok(None);
        };
        let frame = self.bound(plan, window, ingested, now)?;
        Ok(Some((output::schema(&frame), is_ordered)))
    }

    /// A plan with its times put in.
    fn bound(
        &self,
        plan: &LogicalPlan,
        window: TimeRange,
        ingested: TimeRange,
        now: i64,
    ) -> Result<DataFrame> {
        let sight = Sight {
            range: self.session.range.and(window),
            ingested: self.session.ingested.and(ingested),
            late: &self.session.late,
        };
        let state = self.session.context.state();
        Ok(match self.language {
            Language::Sql => DataFrame::new(state, times::bind(plan.clone(), sight, Some(now))?),
            Language::Kql(_) => {
                let plan = kql::turned(plan.clone(), &mut |plan: LogicalPlan| {
                    times::bind(kql::settle(plan, ticks(now))?, sight, Some(now))
                })?;
                DataFrame::new(kql::state_of(state), plan)
            }
        })
    }

    /// The plan for these times, at this moment in microseconds.
    ///
    /// # Errors
    /// When the query is wrong or not supported.
    pub fn bind(&self, window: TimeRange, now: i64) -> Result<LogicalPlan> {
        self.ask(window, now).map(|frame| frame.into_parts().1)
    }

    /// The same, ready to be run.
    ///
    /// # Errors
    /// When the query is wrong or not supported.
    pub fn ask(&self, window: TimeRange, now: i64) -> Result<DataFrame> {
        let (frame, _) = self.ask_seen(window, TimeRange::default(), now)?;
        Ok(frame)
    }

    /// The same, seeing only what was ingested in a time; and whether the rows are in an order of their own.
    ///
    /// # Errors
    /// When the query is wrong or not supported.
    pub fn ask_seen(
        &self,
        window: TimeRange,
        ingested: TimeRange,
        now: i64,
    ) -> Result<(DataFrame, bool)> {
        if let Some(plan) = &self.plan {
            return Ok((self.bound(plan, window, ingested, now)?, self.is_ordered));
        }
        let question = Question {
            language: self.language,
            text: self.text,
            window,
            now,
        };
        let planned = self.session.ask_seen(&question, ingested)?;
        Ok((planned.frame, planned.is_ordered))
    }
}
