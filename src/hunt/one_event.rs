//! Queries in KQL of which each row rests on one event: what they give over the parts of a time is together what they give over all of it.
//!
//! This is decided on the tree of a query, by what is known to look at one row: tables, unions of them, and operators and functions that make of a
//! row some others. What is not known to is taken for something that looks at several, and so is what may mean a table: a query that could be
//! cut and is not costs time, the other way round it costs the answer.
//!
//! Knows nothing of which tables there are, nor whether their rows lie in times.

use std::collections::{BTreeSet, HashSet};

use crate::function;
use crate::kql::ast::{
    Call, Expr, ExprKind, LetValue, NamedExpr, Operator, OperatorKind, Pipeline, Query, Source,
    StatementKind, Step,
};
use crate::kql::library::Saved;
use crate::kql::special::Special;
use crate::kql::walk::parts;

/// The names of the tables of such a query; nothing where it is not certain to be one. The functions are those that a name may mean.
pub(super) fn tables<'q>(query: &'q Query, functions: &'q [Saved]) -> Option<BTreeSet<&'q str>> {
    let mut reading = Reading {
        functions,
        constants: HashSet::new(),
        tables: BTreeSet::new(),
    };
    let (last, before) = query.statements.split_last()?;
    for statement in before {
        let StatementKind::Let {
            name,
            value: LetValue::Expr(value),
        } = &statement.kind
        else {
            return None;
        };
        if reading.is_saved(&name.text) || !reading.is_scalar(value, Names::Constants) {
            return None;
        }
        reading.constants.insert(&name.text);
    }
    let StatementKind::Query(rows) = &last.kind else {
        return None;
    };
    reading.are_rows(rows).then_some(reading.tables)
}

/// What names in a scalar may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Columns of the row, and constants.
    Columns,
    /// Constants alone.
    Constants,
}

/// A query that is gone through, until something may look at several rows.
struct Reading<'q> {
    functions: &'q [Saved],
    /// Names that `let` gives to scalars.
    constants: HashSet<&'q str>,
    tables: BTreeSet<&'q str>,
}

impl<'q> Reading<'q> {
    /// Whether a name may mean a saved function.
    fn is_saved(&self, name: &str) -> bool {
        let mut functions = self.functions.iter();
        functions.any(|saved| saved.name.eq_ignore_ascii_case(name))
    }

    /// Whether an expression is a table, or rows that are each made of one of a table's.
    fn are_rows(&mut self, rows: &'q Expr) -> bool {
        match &rows.kind {
            ExprKind::Name(name) => {
                let is_table = !self.constants.contains(name.as_str()) && !self.is_saved(name);
                if is_table {
                    self.tables.insert(name);
                }
                is_table
            }
            ExprKind::Pipeline(pipeline) => self.is_pipeline(pipeline),
            _ => false,
        }
    }

    fn is_pipeline(&mut self, pipeline: &'q Pipeline) -> bool {
        let begins = match &pipeline.source {
            Source::Expr(rows) => self.are_rows(rows),
            Source::Operator(operator) => match &operator.kind {
                OperatorKind::Union(_) => self.is_of_one_row(operator),
                _ => false,
            },
            Source::Missing | Source::Context => false,
        };
        let mut operators = pipeline.operators.iter();
        begins && operators.all(|operator| self.is_of_one_row(operator))
    }

    /// Whether an operator makes rows of one row at a time.
    fn is_of_one_row(&mut self, operator: &'q Operator) -> bool {
        match &operator.kind {
            OperatorKind::Where(scalar)
            | OperatorKind::Parse { source: scalar, .. }
            | OperatorKind::ParseKv { source: scalar, .. } => {
                self.is_scalar(scalar, Names::Columns)
            }
            OperatorKind::Extend(items) | OperatorKind::Project(items) => self.are_scalars(items),
            OperatorKind::ProjectAway(_)
            | OperatorKind::ProjectKeep(_)
            | OperatorKind::ProjectRename(_)
            | OperatorKind::ProjectReorder(_) => true,
            OperatorKind::MvExpand { columns, limit } => {
                let mut items = columns.iter().map(|column| &column.item.expr);
                let limit = limit.as_ref();
                items.all(|item| self.is_scalar(item, Names::Columns))
                    && limit.is_none_or(|limit| self.is_scalar(limit, Names::Constants))
            }
            OperatorKind::Union(tables) => tables.iter().all(|rows| self.are_rows(rows)),
            _ => false,
        }
    }

    fn are_scalars(&self, items: &[NamedExpr]) -> bool {
        let mut items = items.iter();
        items.all(|item| self.is_scalar(&item.expr, Names::Columns))
    }

    /// Whether an expression is a value that depends on one row at most, and is the same each time.
    fn is_scalar(&self, expr: &Expr, names: Names) -> bool {
        let of_its_parts = || {
            let mut parts = parts(expr).into_iter();
            parts.all(|part| self.is_scalar(part, names))
        };
        match &expr.kind {
            ExprKind::Literal(_) | ExprKind::Dynamic(_) | ExprKind::TypeOf(_) => true,
            ExprKind::Star => names == Names::Columns,
            ExprKind::Name(name) => {
                let is_constant = self.constants.contains(name.as_str());
                is_constant || names == Names::Columns && !self.is_saved(name)
            }
            ExprKind::Path { steps, .. } => {
                let is_inside = |step: &Step| matches!(step, Step::Member(_) | Step::Index(_));
                steps.iter().all(is_inside) && of_its_parts()
            }
            ExprKind::Call(call) => self.is_of_values(call) && of_its_parts(),
            ExprKind::In { list, .. } => {
                list.iter().all(|one| self.is_listed(one)) && of_its_parts()
            }
            ExprKind::Sign { .. }
            | ExprKind::Arithmetic { .. }
            | ExprKind::Compare { .. }
            | ExprKind::Match { .. }
            | ExprKind::Between { .. }
            | ExprKind::And(_)
            | ExprKind::Or(_) => of_its_parts(),
            ExprKind::Missing
            | ExprKind::Wildcard(_)
            | ExprKind::SchemaOf(_)
            | ExprKind::DataTable(_)
            | ExprKind::ExternalData(_)
            | ExprKind::Pipeline(_) => false,
        }
    }

    /// Whether what stands in the list of `in` is a value: a name there may be a table, whose first column is the list.
    fn is_listed(&self, one: &Expr) -> bool {
        match &one.kind {
            ExprKind::Name(name) => self.constants.contains(name.as_str()),
            ExprKind::Path { .. } => false,
            _ => true,
        }
    }

    /// Whether a call computes with values, and with columns of its row.
    fn is_of_values(&self, call: &Call) -> bool {
        let name = call.name.text.as_str();
        let is_own = self.constants.contains(name) || self.is_saved(name);
        let is_of_row = match Special::named(name) {
            Some(special) => matches!(
                special,
                Special::ColumnIfExists
                    | Special::IsColumnExists
                    | Special::PackAll
                    | Special::PackColumns
            ),
            None => function::get(name).is_some_and(|function| !function.volatile),
        };
        !is_own && is_of_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql::parse;

    /// The tables of a query that may be cut.
    fn cut(text: &str) -> Option<Vec<String>> {
        let saved = "T | where rand() < 0.5";
        let functions = [Saved::new("Seen", "", saved, "Seen.kql").expect("a function")];
        let (query, faults) = parse(text);
        assert!(faults.is_empty(), "{text}: {faults:?}");
        let found = tables(&query, &functions)?;
        Some(found.into_iter().map(String::from).collect())
    }

    #[test]
    fn queries_of_one_event_a_row_may_be_cut() {
        let queries = [
            ("T", "T"),
            ("T | where a == 1 and b has 'x' or * has 'y'", "T"),
            ("T | where TimeGenerated > ago(1d) and t < now()", "T"),
            (
                "T | where a in ('x', \"y\", strcat('a', 'b')) | project a, b = c.d[0].e",
                "T",
            ),
            (
                "let names = dynamic(['x']); let since = 2 * 1h; T | where a in~ (names) and b has_any (names) | where t > ago(since)",
                "T",
            ),
            (
                "T | extend n = array_length(l), c = column_ifexists('c', ''), all = pack_all()",
                "T",
            ),
            ("T | extend (a, b) = parse_path(p)", "T"),
            (
                "T | project-away a | project-keep b* | project-rename c = b | project-reorder c",
                "T",
            ),
            (
                "T | parse a with 'x' b:long 'y' * | parse-where c with * 'z' d",
                "T",
            ),
            (
                "T | parse-kv a as (b:string) with (pair_delimiter=';')",
                "T",
            ),
            (
                "T | mv-expand with_itemindex=i l to typeof(string) limit 5 | where l between (1 .. 2)",
                "T",
            ),
            ("union T, U | where a == 1", "T,U"),
            (
                "union isfuzzy=true withsource=From (T | where a == 1), (U | project a)",
                "T,U",
            ),
            ("T | where a == 1 | union (U | extend b = -1), T", "T,U"),
            ("(T | where a == 1) | extend b = iff(a > 1, 'x', 'y')", "T"),
        ];
        for (text, tables) in queries {
            let found = cut(text).map(|found| found.join(","));
            assert_eq!(found.as_deref(), Some(tables), "{text}");
        }
    }

    #[test]
    fn other_queries_may_not() {
        let queries = [
            // Operators over several rows.
            "T | summarize count() by a",
            "T | count",
            "T | distinct a",
            "T | take 1",
            "T | top 3 by a",
            "T | sort by TimeGenerated asc",
            "T | serialize n = row_number()",
            "T | sample 3",
            "T | join kind=inner (U) on a",
            "T | lookup U on a",
            "T | make-series count() on TimeGenerated step 1d",
            "T | evaluate bag_unpack(a)",
            "T | partition by a (take 1)",
            "T | invoke f()",
            "T | as A",
            "T | getschema",
            "T | reduce by a",
            "T | mv-apply l on (take 1)",
            "T | where a == 1 | union (U | summarize count())",
            "union (T | take 1), U",
            "T | scan declare (s:long) with (step x: true => s = 1;)",
            // Rows that are no events, or of tables that nobody names.
            "print a = 1",
            "range a from 1 to 3 step 1",
            "datatable (a:long) [1]",
            "union T, (datatable (a:long) [1])",
            "union T, (print a = 1)",
            "union T*",
            "search 'x'",
            "find in (T) where a == 1",
            "table('T')",
            "database('d').T | where a == 1",
            "_GetWatchlist('L') | where a == 1",
            // Functions of other rows, of chance, or of tables.
            "T | extend n = row_number()",
            "T | where prev(a) == a",
            "T | where rand() < 0.5",
            "T | extend g = new_guid()",
            "T | extend t = ingestion_time()",
            "T | where a == toscalar(U | take 1)",
            "T | where a in (U)",
            "T | where a in ((U | project a))",
            "T | where a has_any (U)",
            "T | where a in (b.c)",
            "T | extend a = no_such_function(b)",
            "T | extend a = materialize(U)",
            // Names that mean more than they say.
            "Seen",
            "Seen()",
            "seen | where a == 1",
            "union T, Seen",
            "T | extend a = Seen",
            "T | extend a = Seen()",
            "let U = T; U | where a == 1",
            "let U = T | where a == 1; U",
            "let f = (x:long) { x + 1 }; T | extend a = f(b)",
            "let f = () { T }; f",
            "let x = toscalar(T | count); T | where a == x",
            "let x = rand(); T | where a > x",
            "let T = 1; T",
            "let l = _GetWatchlist('L') | project SearchKey; T | where a in (l)",
            // Statements of other kinds.
            "set query_now = datetime(2026-01-01); T",
            "declare query_parameters(p:string = 'x'); T | where a == p",
            "T; U",
        ];
        for text in queries {
            assert_eq!(cut(text), None, "{text}");
        }
    }
}
