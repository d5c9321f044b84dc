//! Conditions of a query that no row can meet: those that contradict each other, and words that a column cannot hold.
//!
//! Only what is certain from the text is told. Conditions are held against each other where they all must hold: in one `where`, and in those
//! that follow each other.

use crate::catalog::words_of;
use crate::function::operators::{CompareOp, InKind, MatchKind};
use crate::kql::ast::operator::OperatorKind;
use crate::kql::ast::{Expr, ExprKind, Literal, Pipeline, Source};
use crate::kql::span::Fault;
use crate::kql::walk::{conjuncts, pipelines};

/// Values of two lists that are held against each other: longer lists contradict each other by no mistake.
const MOST_COMPARED: usize = 10_000;
/// Conditions that those behind them are held against: nobody writes more by hand.
const MOST_FACTS: usize = 200;

/// What no row can meet in a query in KQL, each with its place.
pub fn impossible(text: &str) -> Vec<Fault> {
    let (query, _) = crate::kql::parse(text);
    let mut found = Vec::new();
    for pipeline in pipelines(&query) {
        of_pipeline(text, pipeline.pipeline, &mut found);
    }
    found.sort_by_key(|fault| fault.span);
    found
}

fn of_pipeline(text: &str, pipeline: &Pipeline, found: &mut Vec<Fault>) {
    let mut table = match &pipeline.source {
        Source::Expr(expr) => match &expr.kind {
            ExprKind::Name(name) => Some(name.as_str()),
            _ => None,
        },
        Source::Missing | Source::Context | Source::Operator(_) => None,
    };
    let mut facts: Vec<Fact<'_>> = Vec::new();
    for operator in &pipeline.operators {
        let OperatorKind::Where(predicate) = &operator.kind else {
            // A name may mean something else behind it.
            (table, facts) = (None, Vec::new());
            continue;
        };
        for condition in conjuncts(predicate) {
            let Some(fact) = Fact::of(condition, text) else {
                continue;
            };
            if let Some(fault) = table.and_then(|table| unknown_word(table, &fact)) {
                found.push(fault);
            }
            let same = |known: &&Fact<'_>| known.subject == fact.subject;
            let against = facts
                .iter()
                .filter(same)
                .find(|known| known.excludes(&fact));
            if let Some(known) = against {
                let known = known.condition.span.of(text);
                let message = format!("no row can meet this and `{known}`");
                found.push(Fault::new(condition.span, message));
            }
            if facts.len() < MOST_FACTS {
                facts.push(fact);
            }
        }
    }
}

/// Says which word a column cannot hold.
fn unknown_word(table: &str, fact: &Fact<'_>) -> Option<Fault> {
    let words = words_of(table, fact.subject)?;
    let Claim::OneOf(values, case) = &fact.claim else {
        return None;
    };
    let is_known = |value: &Constant| match value {
        Constant::Text(text) => text.is_empty() || words.iter().any(|word| case.equal(word, text)),
        Constant::Number(_) | Constant::Ago(_) | Constant::Bool(_) => true,
    };
    let Constant::Text(unknown) = values.iter().find(|value| !is_known(value))? else {
        return None;
    };
    let subject = fact.subject;
    let message = format!("`{subject}` of `{table}` is never `{unknown}`");
    let fault = Fault::new(fact.condition.span, message);
    Some(fault.with_hint(format!("it is one of {}", words.join(", "))))
}

/// A value that is written in the query.
#[derive(Debug, Clone, PartialEq)]
enum Constant {
    Text(String),
    Number(f64),
    /// Ticks from `now()` on.
    Ago(i64),
    Bool(bool),
}

/// How texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Counts,
    DoesNot,
}

impl Case {
    fn equal(self, one: &str, two: &str) -> bool {
        match self {
            Case::Counts => one == two,
            Case::DoesNot => one.to_lowercase() == two.to_lowercase(),
        }
    }

    /// The looser of both: what differs by it differs by each.
    fn with(self, other: Case) -> Case {
        match (self, other) {
            (Case::Counts, Case::Counts) => Case::Counts,
            _ => Case::DoesNot,
        }
    }
}

/// What a condition says of its subject.
#[derive(Debug, Clone, PartialEq)]
enum Claim {
    OneOf(Vec<Constant>, Case),
    NoneOf(Vec<Constant>, Case),
    /// Not below this; without it where the flag is not set.
    Least(Constant, bool),
    /// Not above this; without it where the flag is not set.
    Most(Constant, bool),
}

/// A condition, and what it says of a column or a path.
#[derive(Debug, Clone)]
struct Fact<'q> {
    subject: &'q str,
    condition: &'q Expr,
    claim: Claim,
}

impl<'q> Fact<'q> {
    fn of(condition: &'q Expr, text: &'q str) -> Option<Fact<'q>> {
        let (subject, claim) = match &condition.kind {
            ExprKind::Compare { op, left, right } => match constant(right) {
                Some(value) => (left, compared(*op, value)),
                None => (right, compared(mirrored(*op), constant(left)?)),
            },
            ExprKind::Match { op, left, right } if op.kind == MatchKind::Equal => {
                let values = vec![constant(right)?];
                let claim = match op.negated {
                    true => Claim::NoneOf(values, Case::DoesNot),
                    false => Claim::OneOf(values, Case::DoesNot),
                };
                (left, claim)
            }
            ExprKind::In { op, left, list } if op.kind == InKind::In => {
                let values: Vec<Constant> = list.iter().map(constant).collect::<Option<_>>()?;
                let case = match op.case_sensitive {
                    true => Case::Counts,
                    false => Case::DoesNot,
                };
                let claim = match op.negated {
                    true => Claim::NoneOf(values, case),
                    false => Claim::OneOf(values, case),
                };
                (left, claim)
            }
            _ => return None,
        };
        let is_field = match &subject.kind {
            ExprKind::Name(_) => true,
            ExprKind::Path { base, .. } => matches!(base.kind, ExprKind::Name(_)),
            _ => false,
        };
        is_field.then(|| Fact {
            subject: subject.span.of(text),
            condition,
            claim,
        })
    }

    /// Whether no value meets both.
    fn excludes(&self, other: &Fact<'_>) -> bool {
        excluded(&self.claim, &other.claim) || excluded(&other.claim, &self.claim)
    }
}

fn excluded(one: &Claim, two: &Claim) -> bool {
    let long = |claim: &Claim| match claim {
        Claim::OneOf(values, _) | Claim::NoneOf(values, _) => values.len(),
        Claim::Least(..) | Claim::Most(..) => 1,
    };
    if long(one).saturating_mul(long(two)) > MOST_COMPARED {
        return false;
    }
    match (one, two) {
        (Claim::OneOf(values, case), Claim::OneOf(others, other)) => {
            let case = case.with(*other);
            let differ = |value: &Constant| others.iter().all(|other| differs(value, other, case));
            values.iter().all(differ)
        }
        (Claim::OneOf(values, Case::Counts), Claim::NoneOf(others, case)) => {
            let is_out = |value: &Constant| others.iter().any(|other| equals(value, other, *case));
            values.iter().all(is_out)
        }
        (Claim::OneOf(values, _), Claim::Least(low, inclusive)) => {
            let is_below = |value: &Constant| beyond(value, low, *inclusive);
            values.iter().all(is_below)
        }
        (Claim::OneOf(values, _), Claim::Most(high, inclusive)) => {
            let is_above = |value: &Constant| beyond(high, value, *inclusive);
            values.iter().all(is_above)
        }
        (Claim::Least(low, first), Claim::Most(high, second)) => {
            beyond(high, low, *first && *second)
        }
        _ => false,
    }
}

/// Whether a value lies below a bound, or at one that does not count.
fn beyond(value: &Constant, bound: &Constant, inclusive: bool) -> bool {
    match (value, bound) {
        (Constant::Number(value), Constant::Number(bound)) => {
            value < bound || (!inclusive && value <= bound)
        }
        (Constant::Ago(value), Constant::Ago(bound)) => {
            value < bound || (!inclusive && value == bound)
        }
        _ => false,
    }
}

/// Whether two values are of one kind and not equal: numbers and texts may be each other's spelling.
fn differs(one: &Constant, two: &Constant, case: Case) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(two) && !equals(one, two, case)
}

fn equals(one: &Constant, two: &Constant, case: Case) -> bool {
    match (one, two) {
        (Constant::Text(one), Constant::Text(two)) => case.equal(one, two),
        _ => one == two,
    }
}

fn compared(op: CompareOp, value: Constant) -> Claim {
    match op {
        CompareOp::Equal => Claim::OneOf(vec![value], Case::Counts),
        CompareOp::NotEqual => Claim::NoneOf(vec![value], Case::Counts),
        CompareOp::Greater => Claim::Least(value, false),
        CompareOp::GreaterEqual => Claim::Least(value, true),
        CompareOp::Less => Claim::Most(value, false),
        CompareOp::LessEqual => Claim::Most(value, true),
    }
}

/// The operator with its sides exchanged.
fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Equal | CompareOp::NotEqual => op,
        CompareOp::Greater => CompareOp::Less,
        CompareOp::GreaterEqual => CompareOp::LessEqual,
        CompareOp::Less => CompareOp::Greater,
        CompareOp::LessEqual => CompareOp::GreaterEqual,
    }
}

fn constant(expr: &Expr) -> Option<Constant> {
    match &expr.kind {
        ExprKind::Literal(literal) => match literal {
            Literal::Bool(value) => Some(Constant::Bool(*value)),
            Literal::Int(number) => Some(Constant::Number(f64::from(*number))),
            Literal::Long(number) => Some(Constant::Number(*number as f64)),
            Literal::Real(number) => Some(Constant::Number(*number)),
            Literal::String(text) => Some(Constant::Text(text.clone())),
            Literal::Timespan(_) | Literal::Typed(..) | Literal::Null(_) => None,
        },
        ExprKind::Sign { negative, operand } => match constant(operand)? {
            Constant::Number(number) if *negative => Some(Constant::Number(-number)),
            other => Some(other),
        },
        ExprKind::Call(call) => match (call.name.text.as_str(), call.arguments.as_slice()) {
            ("now", []) => Some(Constant::Ago(0)),
            ("ago", [long]) => match &long.expr.kind {
                ExprKind::Literal(Literal::Timespan(ticks)) => {
                    Some(Constant::Ago(ticks.saturating_neg()))
                }
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        let faults = impossible(text);
        let said = faults.into_iter();
        said.map(|fault| format!("{}: {}", fault.span.of(text), fault.message))
            .collect()
    }

    #[test]
    fn what_no_row_can_meet_is_found() {
        for (conditions, want) in [
            ("x == 'a' and x == 'b'", "x == 'b'"),
            ("x == 'a' | where x =~ 'B'", "x =~ 'B'"),
            ("x in ('a', 'b') and x == 'c'", "x == 'c'"),
            ("x == 'a' and x != 'a'", "x != 'a'"),
            ("x == 'a' and x !in ('a', 'c')", "x !in ('a', 'c')"),
            ("x > 5 and x < 3", "x < 3"),
            ("x > 5 and 5 > x", "5 > x"),
            ("x >= 5 and x < 5", "x < 5"),
            ("x == 2 and x > 2", "x > 2"),
            ("t > ago(1h) and t < ago(2h)", "t < ago(2h)"),
            ("d.a == 'a' and d.a == 'b'", "d.a == 'b'"),
        ] {
            let found = said(&format!("T | where {conditions}"));
            assert_eq!(found.len(), 1, "{conditions}: {found:?}");
            assert!(found[0].starts_with(&format!("{want}: ")), "{found:?}");
        }
    }

    #[test]
    fn what_some_row_may_meet_is_not() {
        for conditions in [
            "x == 'a' or x == 'b'",
            "x == 'a' and y == 'b'",
            "x == 'a' and x =~ 'A'",
            "x == '1' and x == 1",
            "x =~ 'a' and x != 'a'",
            "x >= 5 and x <= 5",
            "x == 'a' | extend x = 'b' | where x == 'b'",
            "t > ago(2h) and t < ago(1h)",
            "not(x == 'a') and x == 'a'",
            "x == 'a' and x in (list)",
        ] {
            let found = said(&format!("T | where {conditions}"));
            assert!(found.is_empty(), "{conditions}: {found:?}");
        }
    }

    #[test]
    fn a_word_that_a_column_cannot_hold_is_said() {
        assert_eq!(
            said("SecurityAlert | where AlertSeverity == 'high'"),
            ["AlertSeverity == 'high': `AlertSeverity` of `SecurityAlert` is never `high`"]
        );
        let fine = "SecurityAlert | where AlertSeverity in~ ('high', 'Low')";
        assert!(said(fine).is_empty());
        let elsewhere = "T | where AlertSeverity == 'high'";
        assert!(said(elsewhere).is_empty());
    }
}
