//! Trees as short text.

use super::operator;
use crate::kql::ast::{
    Expr, ExprKind, InKind, JsonKind, Literal, MatchOp, NamedExpr, OperatorKind, Source, Step,
};

/// The shape of the predicate in `T | where predicate`.
pub(super) fn shape(predicate: &str) -> String {
    match operator(&format!("T | where {predicate}")).kind {
        OperatorKind::Where(expr) => show(&expr),
        other => panic!("not a `where`: {other:?}"),
    }
}

pub(super) fn show(expr: &Expr) -> String {
    let all = |list: &[Expr]| list.iter().map(show).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Missing => "?".into(),
        ExprKind::Literal(literal) => show_literal(literal),
        ExprKind::Dynamic(json) => show_json(&json.kind),
        ExprKind::Name(name) | ExprKind::Wildcard(name) => name.clone(),
        ExprKind::Star => "*".into(),
        ExprKind::Path { base, steps } => {
            let steps: Vec<String> = steps.iter().map(show_step).collect();
            format!("{}{}", show(base), steps.concat())
        }
        ExprKind::Call(call) => format!("{}({})", call.name.text, show_named(&call.arguments)),
        ExprKind::Sign { negative, operand } => {
            format!("{}{}", if *negative { '-' } else { '+' }, show(operand))
        }
        ExprKind::Arithmetic { first, rest } => {
            let rest = rest.iter().map(|(op, e)| format!(" {op:?} {}", show(e)));
            format!("({}{})", show(first), rest.collect::<String>())
        }
        ExprKind::Compare { op, left, right } => {
            format!("({op:?} {} {})", show(left), show(right))
        }
        ExprKind::Match { op, left, right } => {
            format!("({} {} {})", show_match(*op), show(left), show(right))
        }
        ExprKind::In { op, left, list } => {
            let not = if op.negated { "!" } else { "" };
            let tilde = match op.case_sensitive || op.kind != InKind::In {
                true => "",
                false => "~",
            };
            format!("({not}{:?}{tilde} {} [{}])", op.kind, show(left), all(list))
        }
        ExprKind::Between {
            negated,
            value,
            low,
            high,
        } => {
            let not = if *negated { "!" } else { "" };
            format!(
                "({not}between {} {} {})",
                show(value),
                show(low),
                show(high)
            )
        }
        ExprKind::And(list) => format!("(and {})", all(list)),
        ExprKind::Or(list) => format!("(or {})", all(list)),
        ExprKind::TypeOf(ty) => format!("typeof({})", ty.name()),
        ExprKind::Pipeline(pipeline) => {
            let source = match &pipeline.source {
                Source::Missing => "?".into(),
                Source::Context => "_".into(),
                Source::Expr(expr) => show(expr),
                Source::Operator(operator) => operator.keyword.text.clone(),
            };
            let operators = pipeline.operators.iter();
            let operators = operators.map(|o| format!("|{}", o.keyword.text));
            format!("<{source}{}>", operators.collect::<String>())
        }
        other => format!("{other:?}"),
    }
}

fn show_match(op: MatchOp) -> String {
    let not = if op.negated { "!" } else { "" };
    let case = if op.case_sensitive { "_cs" } else { "" };
    format!("{not}{:?}{case}", op.kind)
}

fn show_literal(literal: &Literal) -> String {
    match literal {
        Literal::String(text) => format!("'{text}'"),
        Literal::Long(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn show_json(kind: &JsonKind) -> String {
    match kind {
        JsonKind::Null => "null".into(),
        JsonKind::Literal(literal) => show_literal(literal),
        JsonKind::Array(items) => {
            let items: Vec<String> = items.iter().map(|json| show_json(&json.kind)).collect();
            format!("[{}]", items.join(" "))
        }
        JsonKind::Object(pairs) => {
            let pairs = pairs.iter();
            let pairs =
                pairs.map(|(name, json)| format!("{}:{}", name.text, show_json(&json.kind)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(" "))
        }
    }
}

fn show_step(step: &Step) -> String {
    match step {
        Step::Member(name) | Step::Wildcard(name) => format!(".{}", name.text),
        Step::Index(expr) => format!("[{}]", show(expr)),
        Step::Call(call) => format!(".{}({})", call.name.text, show_named(&call.arguments)),
    }
}

fn show_named(list: &[NamedExpr]) -> String {
    let items = list.iter().map(|item| {
        let names: String = item.names.iter().map(|n| format!("{}=", n.text)).collect();
        format!("{names}{}", show(&item.expr))
    });
    items.collect::<Vec<_>>().join(", ")
}
