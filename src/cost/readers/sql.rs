//! Reads of views in SQL.

use std::collections::HashSet;
use std::ops::ControlFlow;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, ObjectName, Query, Select, SetExpr, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

use super::read::{Condition, NUMBER, Operations, Read, quoted};
use crate::engine::Session;
use crate::engine::views;

/// The views that a query reads, with the conditions of the `WHERE` beside each.
pub(super) fn reads(text: &str) -> Result<Vec<Read>, String> {
    let mut statements =
        DFParser::parse_sql_with_dialect(text, &PostgreSqlDialect {}).map_err(|e| e.to_string())?;
    let Some(Statement::Statement(statement)) = statements.pop_front() else {
        return Err("it is no query".into());
    };
    let mut walk = Walk::default();
    // It never breaks off.
    let _ = statement.visit(&mut walk);
    // A view that stands where no conditions were looked for is read with all that it has.
    for name in &walk.named {
        let looked_at = walk.reads.iter().filter(|read| read.view == *name).count();
        let named = walk.named.iter().filter(|other| *other == name).count();
        if looked_at < named && !walk.whole.contains(name) {
            walk.whole.push(name.clone());
        }
    }
    walk.reads
        .extend(walk.whole.iter().map(|name| Read::whole(name)));
    Ok(walk.reads)
}

/// Numbers of the operations that meet the conditions; nothing where they cannot be asked.
pub(super) fn met(
    session: &Session,
    read: &Read,
    operations: &Operations,
) -> Option<HashSet<usize>> {
    let conditions = read.on(operations);
    if conditions.is_empty() {
        return None;
    }
    let rows = operations.rows.iter().enumerate().map(|(number, row)| {
        let cells = row.iter().zip(&operations.columns);
        let cells = cells.map(|(cell, (_, is_text))| match (cell, is_text) {
            (Some(cell), true) => format!("'{}'", cell.replace('\'', "''")),
            (Some(cell), false) => cell.clone(),
            (None, true) => "CAST(NULL AS VARCHAR)".into(),
            (None, false) => "CAST(NULL AS BIGINT)".into(),
        });
        let cells: Vec<String> = cells.collect();
        format!("({number}, {})", cells.join(", "))
    });
    let rows: Vec<String> = rows.collect();
    let columns = operations.columns.iter().map(|(name, _)| quoted(name));
    let columns: Vec<String> = std::iter::once(quoted(NUMBER)).chain(columns).collect();
    let sql = format!(
        "SELECT \"{NUMBER}\" FROM (VALUES {}) AS {}({}) WHERE ({})",
        rows.join(", "),
        quoted(&read.alias),
        columns.join(", "),
        conditions.join(") AND (")
    );
    // A condition that cannot stand alone leaves nothing out.
    let (_, batches) = session.collect(&sql).ok()?;
    let mut found = HashSet::new();
    for batch in &batches {
        let numbers = cast(batch.column(0), &DataType::Int64).ok()?;
        let numbers = numbers.as_primitive::<Int64Type>();
        found.extend(
            numbers
                .iter()
                .flatten()
                .filter_map(|n| usize::try_from(n).ok()),
        );
    }
    Some(found)
}

/// A condition with the columns that it names; nothing where it asks a query.
fn condition_of(expr: &Expr) -> Option<Condition> {
    let mut names = Names::default();
    match expr.visit(&mut names) {
        ControlFlow::Continue(()) => Some(Condition {
            text: expr.to_string(),
            columns: names.0,
        }),
        ControlFlow::Break(()) => None,
    }
}

#[derive(Default)]
struct Names(HashSet<String>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => {
                self.0.insert(name.value.clone());
            }
            Expr::CompoundIdentifier(parts) => {
                self.0.extend(parts.last().map(|part| part.value.clone()));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Walk {
    reads: Vec<Read>,
    /// Names that the query gives to its own parts.
    own: HashSet<String>,
    /// Every place where a view is named.
    named: Vec<String>,
    /// Views that are read without conditions.
    whole: Vec<String>,
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let parts = query.with.iter().flat_map(|with| &with.cte_tables);
        self.own
            .extend(parts.map(|part| part.alias.name.value.clone()));
        let mut rest = vec![query.body.as_ref()];
        while let Some(body) = rest.pop() {
            match body {
                SetExpr::Select(select) => self.select(select),
                SetExpr::SetOperation { left, right, .. } => {
                    rest.extend([left.as_ref(), right.as_ref()]);
                }
                // A query in brackets is visited by itself.
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let view = self.view_of(relation);
        self.named.extend(view);
        ControlFlow::Continue(())
    }
}

impl Walk {
    fn select(&mut self, select: &Select) {
        let joined = select.from.iter().flat_map(|from| {
            let joins = from.joins.iter().map(|join| &join.relation);
            std::iter::once(&from.relation).chain(joins)
        });
        let factors: Vec<&TableFactor> = joined.collect();
        let is_alone = factors.len() == 1;
        let mut all = Vec::new();
        if let Some(selection) = &select.selection {
            conjuncts(selection, &mut all);
        }
        for factor in factors {
            let TableFactor::Table { name, alias, .. } = factor else {
                continue;
            };
            let Some(view) = self.view_of(name) else {
                continue;
            };
            let alias = match alias {
                Some(alias) => alias.name.value.clone(),
                None => view.clone(),
            };
            let own = all.iter().filter(|expr| is_of(expr, &alias, is_alone));
            let conditions = own.filter_map(|expr| condition_of(expr)).collect();
            self.reads.push(Read {
                view,
                alias,
                before: String::new(),
                conditions,
            });
        }
    }

    /// The name of a table or view, in whatever schema. A part of the query that is called as one of the product is likely made of it.
    fn view_of(&self, name: &ObjectName) -> Option<String> {
        let last = &name.0.last()?.as_ident()?.value;
        (views::exists(last) || !self.own.contains(last)).then(|| last.clone())
    }
}

/// The conditions that all must hold.
fn conjuncts<'e>(expr: &'e Expr, found: &mut Vec<&'e Expr>) {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        Expr::Nested(inner)
            if matches!(
                **inner,
                Expr::BinaryOp {
                    op: BinaryOperator::And,
                    ..
                }
            ) =>
        {
            conjuncts(inner, found);
        }
        other => found.push(other),
    }
}

/// Whether a condition is about columns of this table alone: each has its name before it, or there is no other table.
fn is_of(condition: &Expr, alias: &str, is_alone: bool) -> bool {
    struct Of<'a>(&'a str, bool);
    impl Visitor for Of<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let is_own = match expr {
                Expr::Identifier(_) => self.1,
                Expr::CompoundIdentifier(parts) => {
                    parts.first().is_some_and(|part| part.value == self.0)
                }
                _ => true,
            };
            match is_own {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        }
    }
    condition.visit(&mut Of(alias, is_alone)).is_continue()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_view_has_the_conditions_beside_it() {
        let text = "WITH seen AS (SELECT * FROM \"LabelEvents\" WHERE \"Action\" = 'x' AND (\"UserId\" IS NOT NULL AND \"Rank\" > 1)) \
                    SELECT * FROM seen s JOIN \"SigninLogs\" i ON s.\"UserId\" = i.\"UserId\" WHERE i.\"OperationName\" = 'y' AND s.\"a\" = 'z'";
        let reads = reads(text).expect("it is SQL");
        let read = |view: &str| {
            let found = reads.iter().find(|read| read.view == view);
            let conditions = &found.expect("it is read").conditions;
            let texts = conditions.iter().map(|c| c.text.clone());
            texts.collect::<Vec<String>>()
        };
        assert_eq!(reads.len(), 2);
        assert_eq!(
            read("LabelEvents"),
            ["\"Action\" = 'x'", "\"UserId\" IS NOT NULL", "\"Rank\" > 1"]
        );
        assert_eq!(read("SigninLogs"), ["i.\"OperationName\" = 'y'"]);
    }

    #[test]
    fn what_is_read_elsewhere_is_read_whole() {
        let text = "SELECT * FROM \"AuditLogs\" WHERE lower(\"OperationName\") = 'a' AND \"Id\" IN (SELECT \"Id\" FROM \"AuditLogs\")";
        let reads = reads(text).expect("it is SQL");
        let texts = reads.iter().map(|read| {
            let texts = read.conditions.iter().map(|c| c.text.as_str());
            texts.collect::<Vec<&str>>()
        });
        let texts: Vec<Vec<&str>> = texts.collect();
        assert_eq!(texts, [vec!["lower(\"OperationName\") = 'a'"], vec![]]);
    }
}
