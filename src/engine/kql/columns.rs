//! Which columns of a table a query can show.
//!
//! Tables of the archive have up to two hundred columns, and each step of a plan costs time for each of them. A query that ends in
//! columns that it names itself sees no other.

use crate::kql::ast::{
    Expr, ExprKind, LetValue, Operator, OperatorKind, Query, Statement, StatementKind,
};
use crate::kql::lexer::{TokenKind, lex};
use crate::kql::mentions::Mentions;

/// Whether a query can only show columns that it names.
pub(super) fn names_its_columns(query: &Query, mentions: &Mentions) -> bool {
    let Some((last, lets)) = query.statements.split_last() else {
        return false;
    };
    let StatementKind::Query(expr) = &last.kind else {
        return false;
    };
    let open = |statement: &Statement| match &statement.kind {
        StatementKind::Let {
            value: LetValue::Expr(expr),
            ..
        } => !is_closed(expr),
        _ => true,
    };
    is_closed(expr)
        && names_all(mentions)
        && !(mentions.tables_as_values() && lets.iter().any(open))
}

/// Whether a query looks at no column that it does not name. What saved functions show is not known here.
pub(super) fn names_all(mentions: &Mentions) -> bool {
    !mentions.all_columns() && !mentions.calls_saved()
}

/// Whether a query asks for a column of this name, which is not only a member of something else, or a name that the query gives. One that it
/// renames another column to is none that its tables have.
pub(super) fn asks_for(text: &str, column: &str) -> bool {
    let (tokens, _) = lex(text);
    let kind = |at: usize| tokens.get(at).map(|t| t.kind);
    let is_side = |at: usize| {
        let word = tokens.get(at).map_or("", |t| t.span.of(text));
        matches!(word, "$left" | "$right")
    };
    let (mut asked, mut renames) = (false, false);
    for (at, token) in tokens.iter().enumerate() {
        let word = token.span.of(text);
        match token.kind {
            TokenKind::Pipe => renames = false,
            TokenKind::Word if word == "project-rename" => renames = true,
            TokenKind::Word if word == column => {
                let is_member = at > 0 && kind(at - 1) == Some(TokenKind::Dot);
                let is_given = kind(at + 1) == Some(TokenKind::Assign);
                if renames && is_given {
                    return false;
                }
                asked |= !is_given && (!is_member || at > 1 && is_side(at - 2));
            }
            // `column_ifexists('Type', '')`, `['Type']`
            TokenKind::String => asked |= word.trim_matches(['\'', '"']) == column,
            _ => {}
        }
    }
    asked
}

/// Whether a table has only columns that are named where it is written.
pub(super) fn is_closed(expr: &Expr) -> bool {
    let ExprKind::Pipeline(pipeline) = &expr.kind else {
        // A scalar, or a table as it is.
        return !matches!(expr.kind, ExprKind::Name(_) | ExprKind::Call(_));
    };
    let closes = |o: &Operator| {
        matches!(
            o.kind,
            OperatorKind::Project(_)
                | OperatorKind::ProjectKeep(_)
                | OperatorKind::Summarize { .. }
                | OperatorKind::Distinct(_)
                | OperatorKind::Count(_)
                | OperatorKind::MakeSeries(_)
                | OperatorKind::TopNested(_)
        )
    };
    // What may follow brings no other table.
    let keeps = |o: &Operator| {
        matches!(
            o.kind,
            OperatorKind::Where(_)
                | OperatorKind::Extend(_)
                | OperatorKind::Sort(_)
                | OperatorKind::Top { .. }
                | OperatorKind::Take(_)
                | OperatorKind::Sample(_)
                | OperatorKind::ProjectAway(_)
                | OperatorKind::ProjectRename(_)
                | OperatorKind::ProjectReorder(_)
                | OperatorKind::Serialize(_)
                | OperatorKind::MvExpand { .. }
                | OperatorKind::Parse { .. }
                | OperatorKind::ParseKv { .. }
                | OperatorKind::Render { .. }
        )
    };
    let closing = pipeline.operators.iter().rposition(closes);
    closing.is_some_and(|at| pipeline.operators[at + 1..].iter().all(keeps))
}

/// Whether a table is sorted where it is written.
pub(super) fn sorts(expr: &Expr) -> bool {
    let ExprKind::Pipeline(pipeline) = &expr.kind else {
        return false;
    };
    let sort = |o: &Operator| matches!(o.kind, OperatorKind::Sort(_) | OperatorKind::Top { .. });
    pipeline.operators.iter().any(sort)
}

#[cfg(test)]
mod tests {
    use super::{asks_for, names_its_columns};
    use crate::kql::mentions::Mentions;
    use crate::kql::parse;

    #[test]
    fn a_column_is_asked_for_where_its_name_is_no_members_and_not_given() {
        for (text, want) in [
            ("T | summarize count() by Type", true),
            ("T | where Type == 'x'", true),
            ("T | extend a = column_ifexists('Type', '')", true),
            ("T | join (U) on $left.Type == $right.t", true),
            ("T | extend Type = 'x'", false),
            ("T | project a.Type, b = 'File Type'", false),
            ("T | project-rename Type = a | distinct Type", false),
            ("T // by Type", false),
        ] {
            assert_eq!(asks_for(text, "Type"), want, "{text}");
        }
    }

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
            ("T | count | union U", false),
            (
                "T | summarize c = count() by k | join kind=inner (U | take 1) on k",
                false,
            ),
            ("let s = toscalar(T | take 1); print s | project s", false),
            ("let x = T | where b > 1; U | where a in (x) | count", false),
            ("let x = T | project b; U | where a in (x) | count", true),
            ("T | where a == 1", false),
            ("T | take 5 | sort by a", false),
            ("T | summarize arg_max(t, *) by k", false),
            ("T | distinct *", false),
            ("T | where * has 'x' | project a", false),
            ("T | where a > 1 and * has 'x' | project a", false),
            ("T | parse a with * 'x' b | project b", true),
            ("T | where a == 'search * evaluate' | project a", true),
            ("T | project-keep a*", false),
            ("T | extend b = pack_all() | project b", false),
            ("T | evaluate bag_unpack(d) | project a", false),
            ("union withsource=n T* | summarize count() by n", false),
        ] {
            let (tree, faults) = parse(text);
            assert_eq!(faults, [], "{text}");
            let mentions = Mentions::of(&tree, &[]);
            assert_eq!(names_its_columns(&tree, &mentions), want, "{text}");
        }
    }
}
