//! Questions to a session: a text and its language, the times that it is about, and the moment at which it is asked.
//!
//! A question is asked once, or prepared and then bound to many times and moments.

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::LogicalPlan;

use super::kql::{self, Planned};
use super::options::TimeRange;
use super::session::Session;
use super::times;
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
        let asked = self.at(question.window, question.now);
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
        let plan = match language {
            Language::Sql => Some(self.open_plan(text)?.into_parts().1),
            Language::Kql(options) => self.kql_open(text, options),
        };
        Ok(Prepared {
            session: self,
            language,
            text,
            plan,
        })
    }
}

impl Prepared<'_> {
    /// Whether one lowering serves all times and moments.
    pub fn is_lowered_once(&self) -> bool {
        self.plan.is_some()
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
        if let Some(plan) = &self.plan {
            let plan = match self.language {
                Language::Sql => plan.clone(),
                Language::Kql(_) => kql::settle(plan.clone(), ticks(now))?,
            };
            let range = self.session.range.and(window);
            let plan = times::bind(plan, range, Some(now))?;
            return Ok(DataFrame::new(self.session.context.state(), plan));
        }
        let planned = self.session.ask(&Question {
            language: self.language,
            text: self.text,
            window,
            now,
        })?;
        Ok(planned.frame)
    }
}
