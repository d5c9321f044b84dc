//! Planning SQL: the views that a query names are made first; it may read and nothing else.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;

use super::options::WATCHLISTS;
use super::session::Session;
use super::{product, views};
use crate::catalog::catalog;
use crate::fault::{Error, Result};

impl Session {
    /// Names of everything that can be asked, those with rows first.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![views::LABEL_EVENTS.to_string()];
        names.extend(
            self.stored
                .present()
                .map(|t| t.name.to_string())
                .chain(["CloudAppEvents", "OfficeActivity", "UnifiedAuditLog"].map(String::from)),
        );
        if views::has_protection_logs(self) {
            names.push(views::INFORMATION_PROTECTION_LOGS.to_string());
            names.push(views::INFORMATION_PROTECTION_EVENTS.to_string());
        }
        let alerts = [views::alerts::ALERTS, views::alerts::INCIDENTS];
        let alerts = alerts.into_iter();
        names.extend(
            alerts
                .filter(|name| views::alerts::are_shown(self, name))
                .map(str::to_string),
        );
        names.sort();
        names.dedup();
        names.extend(self.files.iter().cloned());
        names.extend(self.customs.names().cloned());
        names.extend(self.watchlists.iter().map(|w| format!("{WATCHLISTS}.{w}")));
        let rest: Vec<String> = catalog()
            .tables()
            .map(|t| t.name.to_string())
            .filter(|n| !names.contains(n))
            .collect();
        names.extend(rest);
        names
    }

    /// The same for who asked for a name that is none: whatever others ask at the same time, it is told the same.
    pub(super) fn names_for(&self, name: &str) -> Vec<String> {
        let mut names = self.names();
        // These were looked for.
        if !name.ends_with("_CL") {
            names.retain(|known| !self.customs.is_only_made_again(known));
        }
        names
    }

    /// Whether a table of that name can be asked, with rows or without.
    pub fn knows(&self, name: &str) -> bool {
        views::exists(name) || self.files.iter().any(|f| f == name) || self.is_custom(name)
    }

    /// Whether rows of a table of that name are among those of no known table. A session that cannot read these knows none.
    pub(super) fn is_custom(&self, name: &str) -> bool {
        let found = self.block_until(views::custom::exists(self, name));
        found.is_ok_and(|found| found)
    }

    /// Plans a query. It may read and nothing else.
    ///
    /// # Errors
    /// When the text is not one query, or names what does not exist.
    pub fn plan(&self, sql: &str) -> Result<DataFrame> {
        let (state, plan) = self.open_plan(sql)?.into_parts();
        Ok(DataFrame::new(state, self.bound(plan)?))
    }

    /// The same, with its times left open.
    pub(super) fn open_plan(&self, sql: &str) -> Result<DataFrame> {
        self.may_go_on()?;
        // To copy it is to copy its six hundred functions.
        let state = Arc::new(self.context.state());
        let statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect)?;
        self.block_until(self.need_views(&state, &statement))?;
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let (text, columns) = (sql.to_string(), self.columns);
        let (files, narrow) = (self.files.clone(), self.narrow.clone());
        let planned_in = Arc::clone(&state);
        let plan = self.run(async move {
            product::plan(&planned_in, statement, &text, columns, &files, &narrow).await
        })?;
        options.verify_plan(&plan)?;
        let frame = DataFrame::new(Arc::unwrap_or_clone(state), plan);
        for field in frame.schema().fields() {
            if holds_union(field.data_type(), false) {
                return Err(Error::Query(format!(
                    "column `{}` has JSON values of several types in a list or structure: take them with ->> instead of ->",
                    field.name()
                )));
            }
        }
        let unions: Vec<bool> = frame
            .schema()
            .fields()
            .iter()
            .map(|f| matches!(f.data_type(), DataType::Union(..)))
            .collect();
        if !unions.contains(&true) {
            return Ok(frame);
        }
        // `->` gives a union of JSON types, which no output knows: show it as JSON text.
        let columns = frame
            .schema()
            .columns()
            .into_iter()
            .zip(unions)
            .map(|(c, union)| {
                let name = c.name.clone();
                let column = datafusion::prelude::Expr::Column(c);
                match union {
                    true => {
                        datafusion_functions_json::functions::json_union_to_text(column).alias(name)
                    }
                    false => column,
                }
            })
            .collect::<Vec<_>>();
        Ok(frame.select(columns)?)
    }

    /// Makes the views that a query names.
    async fn need_views(&self, state: &SessionState, statement: &Statement) -> Result<()> {
        let references = state.resolve_table_references(statement)?;
        for reference in references {
            let name = match &reference {
                TableReference::Bare { table } => table.as_ref(),
                // Other schemas are registered when the session opens.
                _ => continue,
            };
            let exists = self.context.table_exist(reference.clone())?;
            if exists {
                continue;
            }
            if !views::exists(name) && !views::custom::exists(self, name).await? {
                return Err(self.unknown(name));
            }
            views::make(self, name).await?;
        }
        Ok(())
    }

    pub(super) fn unknown(&self, name: &str) -> Error {
        Error::NoTable {
            name: name.to_string(),
            known: self.names_for(name),
        }
    }
}

/// Whether a type has a union of JSON types inside a list or structure.
fn holds_union(ty: &DataType, inside: bool) -> bool {
    match ty {
        DataType::Union(..) => inside,
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => holds_union(f.data_type(), true),
        DataType::Struct(fields) => fields.iter().any(|f| holds_union(f.data_type(), true)),
        _ => false,
    }
}
