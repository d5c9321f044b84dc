//! What a KQL query is in SQL, and how it is run.

use datafusion::physical_plan::displayable;
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::PostgreSqlDialect;

use super::Options;
use crate::engine::Session;
use crate::error::Result;

impl Session {
    /// A KQL query as SQL, and its plan.
    ///
    /// The SQL says what the query means. Functions of Kusto in it (`has`, `json_path_text`, …) are not functions of `coldtrail sql`.
    ///
    /// # Errors
    /// When the query is wrong or not supported.
    pub fn kql_explain(&self, query: &str, options: &Options) -> Result<String> {
        let frame = self.kql_plan(query, options)?;
        let plan = self.context().state().optimize(frame.logical_plan())?;
        let dialect = PostgreSqlDialect {};
        let unparser = Unparser::new(&dialect).with_pretty(true);
        // What the optimizer made is shorter; not all of it has a form in SQL.
        let sql = unparser
            .plan_to_sql(&plan)
            .or_else(|_| unparser.plan_to_sql(frame.logical_plan()));
        let sql = match sql {
            Ok(sql) => format!("{sql:#}"),
            Err(e) => format!("-- this plan has no form in SQL: {e}"),
        };
        let physical = self.block_on(frame.create_physical_plan())?;
        Ok(format!(
            "-- SQL\n{sql}\n\n-- Plan\n{}\n-- Execution\n{}",
            plan.display_indent(),
            displayable(physical.as_ref()).indent(false)
        ))
    }
}
