//! Reads of tables in KQL.

use std::collections::HashSet;
use std::fmt::Write;

use super::read::{Condition, NUMBER, Operations, Read};
use crate::engine::Session;
use crate::engine::kql::{Options, Verdict};
use crate::kql::ast::operator::OperatorKind;
use crate::kql::ast::{Expr, ExprKind, Pipeline, Source};
use crate::kql::lexer::{TokenKind, lex};
use crate::kql::walk::{conjuncts, names_given, parts, pipelines, written_before};

/// The tables that a query reads, with the conditions of the `where`s with which it reads each.
pub(super) fn reads(session: &Session, text: &str, how: &Options) -> Result<Vec<Read>, String> {
    let checked = session.kql_check(text, how);
    if let Verdict::Refused(faults) = &checked.verdict {
        let first = faults.first().map(|fault| fault.message.clone());
        return Err(first.unwrap_or_else(|| "it is no query".into()));
    }
    let (query, _) = crate::kql::parse(text);
    let mut reads: Vec<Read> = Vec::new();
    for found in pipelines(&query) {
        let Source::Expr(source) = &found.pipeline.source else {
            continue;
        };
        let ExprKind::Name(table) = &source.kind else {
            continue;
        };
        // In the body of a function names may be its parameters.
        if found.is_inner || !checked.asked.contains(table) {
            continue;
        }
        let before = &query.statements[..found.statement];
        reads.push(Read {
            before: written_before(before, text),
            conditions: conditions(found.pipeline, &names_given(before), text),
            ..Read::whole(table)
        });
    }
    // What is read in another way, as by a union or a function, is read with all that it has.
    let (tokens, _) = lex(text);
    for table in &checked.asked {
        let words = tokens.iter().filter(|token| token.kind == TokenKind::Word);
        let named = words.filter(|word| word.span.of(text) == table).count();
        let looked_at = reads.iter().filter(|read| read.view == *table).count();
        if looked_at < named.max(1) {
            reads.push(Read::whole(table));
        }
    }
    Ok(reads)
}

/// Numbers of the operations that meet the conditions; nothing where they cannot be asked.
pub(super) fn met(
    session: &Session,
    read: &Read,
    operations: &Operations,
    how: &Options,
) -> Option<HashSet<usize>> {
    let conditions = read.on(operations);
    if conditions.is_empty() {
        return None;
    }
    let mut query = format!("{}datatable({NUMBER}:long", read.before);
    for (name, is_text) in &operations.columns {
        let ty = match is_text {
            true => "string",
            false => "long",
        };
        // Writing to a String cannot fail, here and below.
        let _ = write!(query, ", {name}:{ty}");
    }
    let rows = operations.rows.iter().enumerate().map(|(number, row)| {
        let cells = row.iter().zip(&operations.columns);
        let cells = cells.map(|(cell, (_, is_text))| match (cell, is_text) {
            (cell, true) => literal(cell.as_deref().unwrap_or_default()),
            (Some(cell), false) => cell.clone(),
            (None, false) => "long(null)".into(),
        });
        let cells: Vec<String> = std::iter::once(number.to_string()).chain(cells).collect();
        cells.join(", ")
    });
    let rows: Vec<String> = rows.collect();
    let _ = write!(query, ")[\n{}\n]", rows.join(",\n"));
    for condition in conditions {
        let _ = write!(query, "\n| where {condition}");
    }
    let _ = write!(query, "\n| project {NUMBER}");
    // A condition that cannot stand alone leaves nothing out.
    let answer = session.kql(&query, how).ok()?;
    let numbers = answer.rows.iter().filter_map(|row| row.first()?.to_long());
    Some(numbers.filter_map(|n| usize::try_from(n).ok()).collect())
}

/// The conditions that a pipeline begins with, but for those on columns that it makes itself.
fn conditions(pipeline: &Pipeline, lets: &HashSet<&str>, text: &str) -> Vec<Condition> {
    let mut made: HashSet<&str> = HashSet::new();
    let mut found = Vec::new();
    for operator in &pipeline.operators {
        match &operator.kind {
            OperatorKind::Where(predicate) => {
                for condition in conjuncts(predicate) {
                    let mut columns = HashSet::new();
                    let is_plain = named(condition, lets, &mut columns);
                    if is_plain && columns.iter().all(|name| !made.contains(name.as_str())) {
                        found.push(Condition {
                            text: condition.span.of(text).to_string(),
                            columns,
                        });
                    }
                }
            }
            OperatorKind::Extend(items) => {
                let names = items.iter().flat_map(|item| &item.names);
                made.extend(names.map(|name| name.text.as_str()));
            }
            _ => break,
        }
    }
    found
}

/// Whether an expression asks single columns alone; takes their names.
fn named(expr: &Expr, lets: &HashSet<&str>, columns: &mut HashSet<String>) -> bool {
    match &expr.kind {
        ExprKind::Name(name) => {
            if !lets.contains(name.as_str()) {
                columns.insert(name.clone());
            }
            true
        }
        ExprKind::Star
        | ExprKind::Wildcard(_)
        | ExprKind::Pipeline(_)
        | ExprKind::Path { .. }
        | ExprKind::Missing => false,
        _ => parts(expr)
            .into_iter()
            .all(|part| named(part, lets, columns)),
    }
}

/// A text as a string of KQL.
fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        // Writing to a String cannot fail.
        let _ = match c {
            '"' | '\\' => write!(literal, "\\{c}"),
            c if c.is_control() => write!(literal, "\\u{:04x}", u32::from(c)),
            c => write!(literal, "{c}"),
        };
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions_of(text: &str) -> Vec<Vec<String>> {
        let (query, faults) = crate::kql::parse(text);
        assert!(faults.is_empty(), "{text}");
        let found = pipelines(&query).into_iter().map(|found| {
            let before = &query.statements[..found.statement];
            let own = conditions(found.pipeline, &names_given(before), text);
            own.into_iter().map(|c| c.text).collect()
        });
        found.collect()
    }

    #[test]
    fn conditions_on_columns_of_the_table_are_found() {
        let text = "let names = dynamic([\"a\"]);\nT | where Operation in (names) and A.b == 1 | extend Kind = 1, x = 2 | where Kind == 1 | where tolower(ActionType) == 'b' | summarize count() | where count_ > 1";
        assert_eq!(
            conditions_of(text),
            [["Operation in (names)", "tolower(ActionType) == 'b'"]]
        );
        assert_eq!(conditions_of("T | where * has 'x'"), [[""; 0]]);
    }

    #[test]
    fn texts_are_literals() {
        assert_eq!(literal("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
