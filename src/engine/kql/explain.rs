//! What a KQL query is in SQL, and how it would be run. Nothing of it is run for that.

use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::displayable;
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::PostgreSqlDialect;

use super::{Made, Making, Options, Purpose};
use crate::engine::Session;
use crate::error::Result;

impl Session {
    /// A KQL query as SQL, and its plan.
    ///
    /// The SQL says what the query means: subqueries stand in it as such, rows that are made of others under a name of their own.
    /// Functions of Kusto in it (`kql_has`, `json_path_text`, …) are not functions of `coldtrail sql`.
    ///
    /// # Errors
    /// When the query is wrong or not supported.
    pub fn kql_explain(&self, query: &str, options: &Options) -> Result<String> {
        let shown = |purpose| {
            let options = Options {
                purpose,
                ..options.clone()
            };
            let shown = self.shown(query, &options);
            shown.map_err(|failure| failure.told(query))
        };
        let (asked, lowered) = shown(Purpose::Explain)?;
        let mut out = String::new();
        for Made { name, plan, making } in &lowered.parts {
            let what = match making {
                Making::InOrder => format!("{name} goes through these rows, one after the other"),
                Making::Once => {
                    format!("{name} is these rows, worked out once however often they are read")
                }
                Making::StandIn => {
                    format!("{name} stands in the plan where the first value of these rows will be")
                }
            };
            out.push_str(&format!("-- {what}\n{}\n\n", self.sql_of(plan)?));
        }
        let sql = self.sql_of(asked.logical_plan())?;
        let (frame, _) = shown(Purpose::Plan)?;
        let plan = self.context().state().optimize(frame.logical_plan())?;
        out.push_str(&format!(
            "-- SQL\n{sql}\n\n-- Plan\n{}\n",
            plan.display_indent()
        ));
        let physical = self.block_on(frame.create_physical_plan())?;
        let physical = displayable(physical.as_ref()).indent(false).to_string();
        out.push_str(&format!("\n-- Execution\n{physical}"));
        Ok(out)
    }

    fn sql_of(&self, plan: &LogicalPlan) -> Result<String> {
        let optimized = self.context().state().optimize(plan)?;
        let dialect = PostgreSqlDialect {};
        let unparser = Unparser::new(&dialect).with_pretty(true);
        // What the optimizer made is shorter; not all of it has a form in SQL.
        let sql = unparser
            .plan_to_sql(&optimized)
            .or_else(|_| unparser.plan_to_sql(plan));
        Ok(match sql {
            Ok(sql) => format!("{sql:#}"),
            Err(e) => format!("-- this plan has no form in SQL: {e}"),
        })
    }
}
