//! Which columns of a table a query can show.
//!
//! Tables of the archive have up to two hundred columns, and each step of a plan costs time for each of them. A query that ends in
//! columns that it names itself sees no other.

use crate::kql::ast::{ExprKind, OperatorKind, Query, StatementKind};
use crate::kql::lexer::{TokenKind, lex};

/// Words that look at all columns there are.
const ALL_COLUMNS: [&str; 8] = [
    "pack_all",
    "getschema",
    "search",
    "find",
    "evaluate",
    "invoke",
    "narrow",
    "column_names_of",
];
/// Words behind which `*` is no multiplication.
const BEFORE_STAR: [&str; 12] = [
    "where",
    "filter",
    "project",
    "project-away",
    "project-keep",
    "project-reorder",
    "extend",
    "distinct",
    "and",
    "or",
    "by",
    "with",
];

/// Whether a query can only show columns that its text names.
pub(super) fn names_its_columns(query: &Query, text: &str) -> bool {
    let Some(last) = query.statements.last() else {
        return false;
    };
    let StatementKind::Query(expr) = &last.kind else {
        return false;
    };
    let ExprKind::Pipeline(pipeline) = &expr.kind else {
        return false;
    };
    let closes = |kind: &OperatorKind| {
        matches!(
            kind,
            OperatorKind::Project(_)
                | OperatorKind::ProjectKeep(_)
                | OperatorKind::Summarize { .. }
                | OperatorKind::Distinct(_)
                | OperatorKind::Count(_)
                | OperatorKind::MakeSeries(_)
                | OperatorKind::TopNested(_)
        )
    };
    pipeline.operators.iter().any(|o| closes(&o.kind)) && !has_stars(text)
}

/// Whether something in the text may stand for columns that it does not name.
fn has_stars(text: &str) -> bool {
    use TokenKind as T;
    let (tokens, _) = lex(text);
    let word = |at: usize| tokens[at].span.of(text);
    let operand = |kind: TokenKind| {
        matches!(
            kind,
            T::Word | T::Long | T::Real | T::Timespan | T::String | T::Typed | T::Bool
        )
    };
    (0..tokens.len()).any(|at| match word(at) {
        "*" => {
            let before = at.checked_sub(1).is_some_and(|at| {
                let kind = tokens[at].kind;
                matches!(kind, T::RightParen | T::RightBracket)
                    || operand(kind) && !BEFORE_STAR.contains(&word(at))
            });
            let after = tokens
                .get(at + 1)
                .is_some_and(|t| t.kind == T::LeftParen || operand(t.kind));
            !(before && after)
        }
        word => ALL_COLUMNS.contains(&word),
    })
}

#[cfg(test)]
mod tests {
    use super::names_its_columns;
    use crate::kql::parse;

    #[test]
    fn a_query_that_ends_in_its_own_columns_names_them() {
        for (text, want) in [
            ("T | where a == 1 | project b", true),
            (
                "T | extend c = a * 2 | summarize count() by c | where count_ > 1",
                true,
            ),
            (
                "let x = T | where a > 0; x | join (U) on k | distinct b",
                true,
            ),
            ("T | where a == 1", false),
            ("T | take 5 | sort by a", false),
            ("T | summarize arg_max(t, *) by k", false),
            ("T | distinct *", false),
            ("T | where * has 'x' | project a", false),
            ("T | where a > 1 and * has 'x' | project a", false),
            ("T | project-keep a*", false),
            ("T | extend b = pack_all() | project b", false),
            ("T | evaluate bag_unpack(d) | project a", false),
            ("union withsource=n T* | summarize count() by n", false),
        ] {
            let (tree, faults) = parse(text);
            assert_eq!(faults, [], "{text}");
            assert_eq!(names_its_columns(&tree, text), want, "{text}");
        }
    }
}
