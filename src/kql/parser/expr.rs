//! Expressions: operators between operands.
//!
//! Ranks from loose to tight, as in Kusto's own grammar: `or` · `and` · equality, `in`, `has_any`, `between` · `< <= > >=` ·
//! `+ -` · `* / %` · string operators (`has`, `=~`, `:`) · sign · path. String operators bind tighter than arithmetic, unlike
//! those of most languages. Equality, relation and string operators do not chain: `a == b == c` is refused.

use super::super::ast::{
    ArithmeticOp, CompareOp, Expr, ExprKind, InKind, InOp, MatchKind, MatchOp,
};
use super::super::lexer::TokenKind as K;
use super::{Failed, Parsed, Parser};

/// An operator between two operands.
#[derive(Clone, Copy)]
enum Infix {
    Or,
    And,
    Compare(CompareOp),
    In(InOp),
    Between { negated: bool },
    Arithmetic(ArithmeticOp),
    Match(MatchOp),
}

/// Ranks of operators; a greater one binds tighter.
const OR: u8 = 1;
const AND: u8 = 2;
const EQUALITY: u8 = 3;
const RELATION: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const STRING: u8 = 7;

impl Infix {
    fn rank(self) -> u8 {
        match self {
            Infix::Or => OR,
            Infix::And => AND,
            Infix::Compare(CompareOp::Equal | CompareOp::NotEqual) => EQUALITY,
            Infix::In(_) | Infix::Between { .. } => EQUALITY,
            Infix::Compare(_) => RELATION,
            Infix::Arithmetic(ArithmeticOp::Add | ArithmeticOp::Subtract) => SUM,
            Infix::Arithmetic(_) => PRODUCT,
            Infix::Match(_) => STRING,
        }
    }

    fn chains(self) -> bool {
        matches!(self, Infix::Or | Infix::And | Infix::Arithmetic(_))
    }

    fn matching(kind: MatchKind, case_sensitive: bool) -> Option<Infix> {
        Some(Infix::Match(MatchOp {
            kind,
            case_sensitive,
            negated: false,
        }))
    }

    fn listed(kind: InKind, case_sensitive: bool) -> Option<Infix> {
        Some(Infix::In(InOp {
            kind,
            case_sensitive,
            negated: false,
        }))
    }

    /// The operator a word spells.
    fn word(word: &str) -> Option<Infix> {
        use MatchKind as M;
        match word {
            "or" => Some(Infix::Or),
            "and" => Some(Infix::And),
            "in" => Infix::listed(InKind::In, true),
            "in~" => Infix::listed(InKind::In, false),
            "has_any" => Infix::listed(InKind::HasAny, false),
            "has_all" => Infix::listed(InKind::HasAll, false),
            "between" => Some(Infix::Between { negated: false }),
            "has" => Infix::matching(M::Has, false),
            "has_cs" => Infix::matching(M::Has, true),
            "hasprefix" => Infix::matching(M::HasPrefix, false),
            "hasprefix_cs" => Infix::matching(M::HasPrefix, true),
            "hassuffix" => Infix::matching(M::HasSuffix, false),
            "hassuffix_cs" => Infix::matching(M::HasSuffix, true),
            "contains" => Infix::matching(M::Contains, false),
            "contains_cs" | "containscs" => Infix::matching(M::Contains, true),
            "notcontains" => Infix::matching(M::Contains, false).map(Infix::negated),
            "notcontainscs" => Infix::matching(M::Contains, true).map(Infix::negated),
            "startswith" => Infix::matching(M::StartsWith, false),
            "startswith_cs" => Infix::matching(M::StartsWith, true),
            "endswith" => Infix::matching(M::EndsWith, false),
            "endswith_cs" => Infix::matching(M::EndsWith, true),
            "like" => Infix::matching(M::Like, false),
            "likecs" => Infix::matching(M::Like, true),
            "notlike" => Infix::matching(M::Like, false).map(Infix::negated),
            "notlikecs" => Infix::matching(M::Like, true).map(Infix::negated),
            "matches" => Infix::matching(M::Regex, true),
            _ => None,
        }
    }

    fn negated(self) -> Infix {
        match self {
            Infix::Match(op) => Infix::Match(MatchOp {
                negated: true,
                ..op
            }),
            Infix::In(op) => Infix::In(InOp {
                negated: true,
                ..op
            }),
            Infix::Between { .. } => Infix::Between { negated: true },
            other => other,
        }
    }
}

/// Operators.
impl Parser<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        // Most expressions are one name or literal.
        if matches!(
            self.peek(1).kind,
            K::Comma | K::RightParen | K::RightBracket | K::Pipe
        ) {
            return self.postfix();
        }
        let first = self.sign()?;
        match self.infix() {
            Some(infix) => self.chain(first, infix),
            None => Ok(first),
        }
    }

    /// Operands with operators between them, from the first of each. The operators that wait for their right operand stand
    /// on a stack of their own, so that a level of brackets costs the same recursion whatever its operators.
    #[inline(never)]
    fn chain(&mut self, first: Expr, infix: Infix) -> Parsed<Expr> {
        let mut waiting: Vec<(Expr, Infix)> = Vec::new();
        let mut operand = first;
        let mut next = Some(infix);
        // Whether the operand is a comparison with a list or range, which only `and` and `or` may follow.
        let mut closed = false;
        while let Some(infix) = next {
            if closed && infix.rank() >= EQUALITY {
                return Err(self.unchained());
            }
            while let Some((left, op)) = waiting.pop_if(|(_, op)| op.rank() >= infix.rank()) {
                if op.rank() == infix.rank() && !op.chains() {
                    return Err(self.unchained());
                }
                operand = combine(op, left, operand);
            }
            self.take_infix(infix)?;
            closed = matches!(infix, Infix::In(_) | Infix::Between { .. });
            match infix {
                Infix::In(op) => operand = self.in_list(op, operand)?,
                Infix::Between { negated } => operand = self.between(negated, operand)?,
                _ => {
                    waiting.push((operand, infix));
                    operand = self.sign()?;
                }
            }
            next = self.infix();
        }
        while let Some((left, op)) = waiting.pop() {
            operand = combine(op, left, operand);
        }
        Ok(operand)
    }

    #[cold]
    fn unchained(&mut self) -> Failed {
        self.fail_hinting(
            "`and`, `or` or the end of the condition",
            "comparisons do not chain: put one in brackets",
        )
    }

    /// The operator that stands here.
    fn infix(&self) -> Option<Infix> {
        use CompareOp as C;
        let arithmetic = |op| Some(Infix::Arithmetic(op));
        let compare = |op| Some(Infix::Compare(op));
        match self.kind() {
            // `make-series … in range(…)`
            K::Word if self.at_word("in") && self.word(1) == "range" => None,
            K::Word => Infix::word(self.word(0)),
            K::NotWord => {
                let word = self.text_of(self.peek(0));
                Infix::word(&word[1..]).map(Infix::negated)
            }
            K::Equal => compare(C::Equal),
            K::NotEqual => compare(C::NotEqual),
            K::Less => compare(C::Less),
            K::LessEqual => compare(C::LessEqual),
            K::Greater => compare(C::Greater),
            K::GreaterEqual => compare(C::GreaterEqual),
            K::Plus => arithmetic(ArithmeticOp::Add),
            K::Minus => arithmetic(ArithmeticOp::Subtract),
            K::Star => arithmetic(ArithmeticOp::Multiply),
            K::Slash => arithmetic(ArithmeticOp::Divide),
            K::Percent => arithmetic(ArithmeticOp::Modulo),
            K::EqualTilde => Infix::matching(MatchKind::Equal, false),
            K::NotTilde => Infix::matching(MatchKind::Equal, false).map(Infix::negated),
            K::Colon => Infix::matching(MatchKind::Term, false),
            _ => None,
        }
    }

    fn take_infix(&mut self, infix: Infix) -> Parsed<()> {
        self.take();
        match infix {
            Infix::Match(op) if op.kind == MatchKind::Regex => self.expect_word("regex"),
            _ => Ok(()),
        }
    }

    /// The list behind `in`: scalars, or one subquery.
    #[inline(never)]
    fn in_list(&mut self, op: InOp, left: Expr) -> Parsed<Expr> {
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and a list"));
        }
        let list = self.bracketed(|p| {
            let mut list = vec![p.pipeline()];
            while p.eat(K::Comma) {
                list.push(p.expr()?);
            }
            Ok(list)
        })?;
        let span = self.span_from(left.span);
        let left = Box::new(left);
        Ok(Expr {
            kind: ExprKind::In { op, left, list },
            span,
        })
    }

    #[inline(never)]
    fn between(&mut self, negated: bool, value: Expr) -> Parsed<Expr> {
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and a range"));
        }
        let (low, high) = self.bracketed(|p| {
            let low = p.expr()?;
            p.expect(K::DotDot, "`..`")?;
            Ok((low, p.expr()?))
        })?;
        let span = self.span_from(value.span);
        Ok(Expr {
            kind: ExprKind::Between {
                negated,
                value: Box::new(value),
                low: Box::new(low),
                high: Box::new(high),
            },
            span,
        })
    }

    /// An operand with or without a sign.
    pub(super) fn sign(&mut self) -> Parsed<Expr> {
        let negative = match self.kind() {
            K::Minus => true,
            K::Plus => false,
            _ => return self.postfix(),
        };
        let start = self.here();
        self.take();
        let operand = Box::new(self.postfix()?);
        Ok(Expr {
            kind: ExprKind::Sign { negative, operand },
            span: self.since(start),
        })
    }
}

/// Joins two operands; chains grow in place.
#[inline(never)]
fn combine(infix: Infix, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    let kind = match infix {
        Infix::And => ExprKind::And(match left.kind {
            // One in brackets flattens too: it means the same.
            ExprKind::And(mut all) => {
                all.push(right);
                all
            }
            _ => vec![left, right],
        }),
        Infix::Or => ExprKind::Or(match left.kind {
            ExprKind::Or(mut all) => {
                all.push(right);
                all
            }
            _ => vec![left, right],
        }),
        Infix::Arithmetic(op) => match left.kind {
            // All of a chain are of one rank, so its first tells.
            ExprKind::Arithmetic { first, mut rest }
                if rest.first().is_some_and(|(other, _)| same_rank(*other, op)) =>
            {
                rest.push((op, right));
                ExprKind::Arithmetic { first, rest }
            }
            _ => ExprKind::Arithmetic {
                first: Box::new(left),
                rest: vec![(op, right)],
            },
        },
        Infix::Match(op) => ExprKind::Match {
            op,
            left: Box::new(left),
            right: Box::new(right),
        },
        Infix::Compare(op) => ExprKind::Compare {
            op,
            left: Box::new(left),
            right: Box::new(right),
        },
        // Their right side is a list or a range, read elsewhere.
        Infix::In(_) | Infix::Between { .. } => right.kind,
    };
    Expr { kind, span }
}

fn same_rank(a: ArithmeticOp, b: ArithmeticOp) -> bool {
    Infix::Arithmetic(a).rank() == Infix::Arithmetic(b).rank()
}
