//! A query in KQL that also says which records its rows rest on.
//!
//! What an operator would drop is carried on in one column of text: a record as `ingest:number`, or a JSON list of such texts. The query is
//! otherwise the same, but nothing depends on that: its rows give evidence where they are those of the query itself, and only there.
//!
//! Tables that a query takes values from (`in`, `toscalar`) are no evidence: what they hold is behind all rows or none. A `let` that serves
//! nothing else stays as it is, since the records of its rows would be gathered for nobody.

use std::collections::HashSet;

use crate::engine::views::SOURCE;
use crate::kql::ast::operator::JoinCondition;
use crate::kql::ast::{
    Expr, ExprKind, Function, LetValue, NamedExpr, Operator, OperatorKind, Pipeline, Query, Source,
    Statement, StatementKind,
};
use crate::kql::walk::parts;
use crate::kql::{Span, parse};

/// Records of one row at most. A row that rests on so many is said to rest on records that are not known.
pub(super) const MOST_RECORDS: usize = 10_000;
/// Joins of a query whose right sides are carried on.
const RIGHT_SIDES: usize = 3;

/// The query with the records of its rows in the column `_Source`; nothing where it has that already, or an operator through which they cannot be
/// carried on.
pub(super) fn with_records(text: &str) -> Option<String> {
    let (tree, faults) = parse(text);
    // One that names the column knows what it does with it.
    if !faults.is_empty() || text.contains(SOURCE) {
        return None;
    }
    let mut tracing = Tracing::default();
    tracing.query(&tree)?;
    Some(tracing.edits.applied(text))
}

/// The column where it is, else no text.
fn here(column: &str) -> String {
    format!("column_ifexists('{column}', '')")
}

/// The column of a group.
fn of_group() -> String {
    format!(
        "{SOURCE} = tostring(make_set({}, {MOST_RECORDS}))",
        here(SOURCE)
    )
}

/// Changes of a text, each the bytes that are replaced and what stands there instead.
#[derive(Default)]
struct Edits(Vec<(Span, String)>);

impl Edits {
    fn insert(&mut self, at: usize, text: String) {
        self.0.push((Span::new(at, at), text));
    }

    fn applied(mut self, text: &str) -> String {
        // Of two at one place the one inside was found first.
        self.0.sort_by_key(|(span, _)| span.start);
        let (mut out, mut done) = (String::new(), 0);
        for (span, new) in &self.0 {
            out.push_str(Span::new(done, span.start).of(text));
            out.push_str(new);
            done = span.end;
        }
        out.push_str(Span::new(done, text.len()).of(text));
        out
    }
}

/// A query that is gone through, the last statement first: what is asked is known before what it is asked of.
#[derive(Default)]
struct Tracing {
    edits: Edits,
    /// Names that stand where a table may.
    tables: HashSet<String>,
    /// Whether any name may be one of these.
    is_any: bool,
}

impl Tracing {
    fn query(&mut self, query: &Query) -> Option<()> {
        let (last, before) = query.statements.split_last()?;
        let StatementKind::Query(expr) = &last.kind else {
            return None;
        };
        self.table(expr)?;
        let (end, column) = (expr.span.end, here(SOURCE));
        self.edits
            .insert(end, format!("\n| extend {SOURCE} = {column}"));
        let mut before = before.iter().rev();
        before.try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Statement) -> Option<()> {
        match &statement.kind {
            StatementKind::Let { name, value } => match value {
                LetValue::Expr(_) if !self.is_any && !self.tables.contains(&name.text) => Some(()),
                LetValue::Expr(expr) => self.table(expr),
                LetValue::Function(function) => self.function(function),
                LetValue::EntityGroup(_) => Some(()),
            },
            StatementKind::Query(expr) => self.table(expr),
            StatementKind::Set { .. } | StatementKind::QueryParameters(_) => Some(()),
            StatementKind::Alias { .. }
            | StatementKind::Restrict(_)
            | StatementKind::Pattern(_) => None,
        }
    }

    fn function(&mut self, function: &Function) -> Option<()> {
        let mut body = function.body.iter().rev();
        body.try_for_each(|s| self.statement(s))
    }

    /// All names of an expression may be tables.
    fn names(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) => _ = self.tables.insert(name.clone()),
            ExprKind::Wildcard(_) | ExprKind::Pipeline(_) => self.is_any = true,
            _ => parts(expr).into_iter().for_each(|part| self.names(part)),
        }
    }

    /// An expression where a table may stand. What is a scalar has nothing to carry on.
    fn table(&mut self, expr: &Expr) -> Option<()> {
        match &expr.kind {
            ExprKind::Pipeline(pipeline) => self.pipeline(pipeline),
            ExprKind::Call(call) if call.name.text == "materialize" => {
                let mut arguments = call.arguments.iter();
                arguments.try_for_each(|argument| self.table(&argument.expr))
            }
            _ => {
                self.names(expr);
                Some(())
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Option<()> {
        match &pipeline.source {
            Source::Missing | Source::Context => return None,
            Source::Expr(expr) => self.table(expr)?,
            Source::Operator(operator) => match &operator.kind {
                OperatorKind::Union(tables) => self.tables(tables)?,
                OperatorKind::Print(_) | OperatorKind::Range { .. } => {}
                _ => return None,
            },
        }
        let mut operators = pipeline.operators.iter();
        operators.try_for_each(|operator| self.operator(operator))
    }

    fn tables(&mut self, tables: &[Expr]) -> Option<()> {
        tables.iter().try_for_each(|table| self.table(table))
    }

    fn operator(&mut self, operator: &Operator) -> Option<()> {
        let span = operator.span;
        match &operator.kind {
            // Each row of these is a row before them, with all that it had.
            OperatorKind::Where(_)
            | OperatorKind::Extend(_)
            | OperatorKind::Serialize(_)
            | OperatorKind::Sort(_)
            | OperatorKind::Take(_)
            | OperatorKind::Top { .. }
            | OperatorKind::Sample(_)
            | OperatorKind::As(_)
            | OperatorKind::Parse { .. }
            | OperatorKind::ParseKv { .. }
            | OperatorKind::MvExpand { .. }
            // Whatever is done with the items of a row, the row's own columns stand beside it.
            | OperatorKind::MvApply { .. }
            | OperatorKind::ProjectAway(_)
            | OperatorKind::ProjectRename(_)
            | OperatorKind::ProjectReorder(_) => {}
            OperatorKind::Union(tables) => self.tables(tables)?,
            OperatorKind::Project(columns) => {
                let end = columns.last()?.span.end;
                self.edits.insert(end, format!(", {SOURCE} = {}", here(SOURCE)));
            }
            OperatorKind::Distinct(columns) if !columns.iter().any(is_star) => {
                let groups = columns.first()?.span.start;
                let head = format!("summarize {} by ", of_group());
                self.edits.0.push((Span::new(span.start, groups), head));
            }
            OperatorKind::Summarize {
                aggregates,
                bin: None,
                ..
            } => self.summarize(operator, aggregates),
            OperatorKind::Join { table, condition } | OperatorKind::Lookup { table, condition } => {
                if let None | Some(JoinCondition::Where(_)) = condition {
                    return None;
                }
                self.table(table)?;
                let numbered = (1..=RIGHT_SIDES).map(|n| format!("{SOURCE}{n}"));
                let sides = std::iter::once(SOURCE.to_string()).chain(numbered);
                let sides: Vec<String> = sides.map(|side| here(&side)).collect();
                let list = sides.join(", ");
                let text = format!("\n| extend {SOURCE} = tostring(pack_array({list}))");
                self.edits.insert(span.end, text);
            }
            _ => return None,
        }
        Some(())
    }

    fn summarize(&mut self, operator: &Operator, aggregates: &[NamedExpr]) {
        // `arg_max(x, *)` takes the column of its own row.
        let takes_all = |aggregate: &NamedExpr| match &aggregate.expr.kind {
            ExprKind::Call(call) => call.arguments.iter().any(is_star),
            _ => false,
        };
        if aggregates.iter().any(takes_all) {
            return;
        }
        match aggregates.last() {
            Some(last) => self
                .edits
                .insert(last.span.end, format!(", {}", of_group())),
            None => {
                let settings = operator.settings.iter().map(|s| s.span.end);
                let head = settings.chain([operator.keyword.span.end]).max();
                let at = head.unwrap_or(operator.span.start);
                self.edits.insert(at, format!(" {} ", of_group()));
            }
        }
    }
}

fn is_star(expr: &NamedExpr) -> bool {
    matches!(expr.expr.kind, ExprKind::Star)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "column_ifexists('_Source', '')";

    fn with(text: &str) -> String {
        let traced = with_records(text).expect("it can be carried on");
        let (_, faults) = parse(&traced);
        assert_eq!(faults, [], "{traced}");
        traced.replace(HERE, "HERE")
    }

    #[test]
    fn records_are_carried_through_operators_that_drop_columns() {
        const END: &str = "\n| extend _Source = HERE";
        const SET: &str = "_Source = tostring(make_set(HERE, 10000))";
        for (text, want) in [
            ("T | where a > 1", "T | where a > 1".to_string()),
            (
                "let x = T | distinct a; let y = x | distinct a; y | where a in (x)",
                format!("let x = T | summarize {SET} by a; let y = x | summarize {SET} by a; y | where a in (x)"),
            ),
            (
                "let x = T | make-series count() on t step 1d; let y = T | distinct a; U | where a in (y)",
                "let x = T | make-series count() on t step 1d; let y = T | distinct a; U | where a in (y)".to_string(),
            ),
            (
                "T | project a, b = 1 // all",
                "T | project a, b = 1, _Source = HERE // all".to_string(),
            ),
            (
                "T | summarize n = count() by a | where n > 1",
                format!("T | summarize n = count(), {SET} by a | where n > 1"),
            ),
            ("T | summarize by a", format!("T | summarize {SET}  by a")),
            ("T | distinct a, b", format!("T | summarize {SET} by a, b")),
            (
                "T | mv-apply p = Items on (summarize b = make_set(p.Name)) | project b",
                "T | mv-apply p = Items on (summarize b = make_set(p.Name)) | project b, _Source = HERE".to_string(),
            ),
            (
                "T | summarize arg_max(t, *) by a",
                "T | summarize arg_max(t, *) by a".to_string(),
            ),
            (
                "let s = toscalar(T | count); let x = T | distinct a; x | where a in (U | project b)",
                format!(
                    "let s = toscalar(T | count); let x = T | summarize {SET} by a; x | where a in (U | project b)"
                ),
            ),
        ] {
            let want = match want.split_once(" //") {
                Some((query, rest)) => format!("{query}{END} //{rest}"),
                None => format!("{want}{END}"),
            };
            assert_eq!(with(text), want, "{text}");
        }
    }

    #[test]
    fn both_sides_of_a_join_are_behind_its_rows() {
        let traced = with("T | join kind=inner (U | project k) on k | project k");
        assert!(traced.contains("(U | project k, _Source = HERE) on k\n| extend _Source = tostring(pack_array(HERE, column_ifexists('_Source1', ''),"), "{traced}");
        assert!(traced.ends_with("| project k, _Source = HERE\n| extend _Source = HERE"));
    }

    #[test]
    fn what_cannot_be_carried_on_is_not_guessed() {
        for text in [
            "T | count",
            "T | make-series count() on t step 1d",
            "T | distinct *",
            "T | evaluate bag_unpack(b)",
            "search 'x'",
            "T | project _Source",
            "T | where",
        ] {
            assert_eq!(with_records(text), None, "{text}");
        }
    }
}
