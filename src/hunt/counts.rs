//! What rules cannot judge, counted: counts of rows of one table are one query.
//!
//! Most rules of a pack count rows of `LabelEvents`, each with a condition of its own, and to plan a query takes longer than to count.

use std::collections::BTreeMap;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{SetExpr, Statement as Sql};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

/// A query, and whose counts its columns are.
pub(super) struct Count<'q> {
    pub(super) text: String,
    pub(super) of: Vec<&'q str>,
}

impl<'q> Count<'q> {
    fn alone(query: &'q str) -> Count<'q> {
        Count {
            text: query.into(),
            of: vec![query],
        }
    }
}

/// These queries, each a count, as few queries.
pub(super) fn together<'q>(queries: impl IntoIterator<Item = &'q str>) -> Vec<Count<'q>> {
    let mut counts = Vec::new();
    let mut alike: BTreeMap<String, Vec<(&'q str, String)>> = BTreeMap::new();
    for query in queries {
        match parts(query) {
            Some((from, condition)) => alike.entry(from).or_default().push((query, condition)),
            None => counts.push(Count::alone(query)),
        }
    }
    for (from, alike) in alike {
        if let [one] = alike.as_slice() {
            counts.push(Count::alone(one.0));
            continue;
        }
        let columns = alike.iter().enumerate();
        let columns = columns
            .map(|(n, (_, condition))| format!("count(*) FILTER (WHERE {condition}) AS c{n}"));
        let columns: Vec<String> = columns.collect();
        counts.push(Count {
            text: format!("SELECT {} FROM {from}", columns.join(", ")),
            of: alike.iter().map(|(query, _)| *query).collect(),
        });
    }
    counts
}

/// The table and the condition of a query that counts rows of a table and does nothing else.
fn parts(query: &str) -> Option<(String, String)> {
    // One that cannot be read is told when it is planned.
    let mut statements =
        DFParser::parse_sql_with_dialect(query, &PostgreSqlDialect {}).unwrap_or_default();
    let Some(Statement::Statement(statement)) = statements.pop_front() else {
        return None;
    };
    let Sql::Query(whole) = statement.as_ref() else {
        return None;
    };
    let SetExpr::Select(select) = whole.body.as_ref() else {
        return None;
    };
    let (from, condition) = (select.from.first()?, select.selection.as_ref()?);
    let (from, condition) = (from.to_string(), condition.to_string());
    // What else it says would be in its text.
    let says_all = whole.to_string() == format!("SELECT count(*) FROM {from} WHERE {condition}");
    // No query may stand in the condition of one count; and a quote behind a backslash is not written as it was read.
    let is_plain = !condition.contains("SELECT") && !condition.contains("\\'");
    (statements.is_empty() && says_all && is_plain).then_some((from, condition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_over_one_table_are_one_query() {
        let queries = [
            "SELECT count(*) FROM T AS e WHERE e.a = 'it''s' AND\n  e.b IN (1, 2)",
            "SELECT count(*) FROM T AS e WHERE regexp_like(e.a, '^x\\\\y', 'i')",
            "SELECT count(*) FROM U WHERE a",
            "SELECT count(*) FROM T AS e WHERE (SELECT count(*) FROM U) = 0",
            "SELECT count(*) FROM T AS e WHERE a GROUP BY b",
            "SELECT count(*) FROM T AS e, U WHERE a",
            "SELECT count(DISTINCT a) FROM T AS e WHERE a",
            "SELECT count(*) FROM T AS e WHERE a; SELECT 1",
            "WITH x AS (SELECT 1) SELECT count(*) FROM T AS e WHERE a",
            "not a query",
        ];
        let counts = together(queries);
        let (many, alone): (Vec<_>, Vec<_>) = counts.iter().partition(|c| c.of.len() > 1);
        let texts: Vec<&str> = many.iter().map(|count| count.text.as_str()).collect();
        let want = "SELECT count(*) FILTER (WHERE e.a = 'it''s' AND e.b IN (1, 2)) AS c0, \
                    count(*) FILTER (WHERE regexp_like(e.a, '^x\\\\y', 'i')) AS c1 FROM T AS e";
        assert_eq!(texts, [want]);
        assert_eq!(many[0].of, queries[..2]);
        assert_eq!(alone.len(), queries.len() - 2);
        assert!(alone.iter().all(|count| count.of == [count.text.as_str()]));
    }
}
