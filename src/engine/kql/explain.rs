//! What a KQL query is in SQL, and how it would be run. Nothing of it is run for that.

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::displayable;
use datafusion::sql::unparser::Unparser;
use datafusion::sql::unparser::dialect::PostgreSqlDialect;

use super::{Made, Making, Options, Purpose};
use crate::engine::Session;
use crate::fault::Result;

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
        let optimized = with_names(self.context().state().optimize(plan)?)?;
        let plan = &with_names(plan.clone())?;
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

/// The same with a table for each node of rows that are made when it runs: SQL has no other form for them than their name.
fn with_names(plan: LogicalPlan) -> datafusion::error::Result<LogicalPlan> {
    let named = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Extension(extension) = &node else {
            return Ok(Transformed::no(node));
        };
        let schema = Arc::clone(extension.node.schema().inner());
        let table = provider_as_source(Arc::new(EmptyTable::new(schema)));
        let name = TableReference::bare(extension.node.name());
        let table = LogicalPlanBuilder::scan(name, table, None)?.build()?;
        Ok(Transformed::yes(table))
    })?;
    Ok(named.data)
}
