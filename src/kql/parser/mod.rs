//! Tokens → tree, by recursive descent; expressions by binding power (Pratt).
//!
//! A rule that cannot go on reports one [`Fault`] and returns `Failed`. The failure travels up to the next place that knows
//! how to go on: a bracket goes on behind its partner, an operator at the next `|`, a statement behind the next `;`. So one
//! run finds the faults of all operators, and each place has one message.
//!
//! | file | reads |
//! |---|---|
//! | here | tokens, brackets, recovery, pipelines |
//! | `statement` | statements and functions |
//! | `operators`, `clauses` | tabular operators: those of columns and rows; those with clauses of their own |
//! | `expr`, `operand` | operators between operands; names, calls, paths, tables given in place |
//! | `literal`, `names` | values of literals; names, types, schemas, settings |

mod brackets;
mod clauses;
mod expr;
mod literal;
mod names;
mod operand;
mod operators;
mod statement;

use super::ast::{Expr, ExprKind, Operator, Pipeline, Query, Source};
use super::lexer::{Token, TokenKind, lex};
use super::span::{Fault, Span, position};
use TokenKind as K;

/// How deep brackets may nest. Rules written by people stay far below; at the limit the parser needs at most 0.5 MiB of
/// stack (1.5 MiB without optimization), so it works on a test's thread of 2 MiB and on Windows' main thread of 1 MiB.
pub const MAX_DEPTH: usize = 100;

/// After so many faults the rest is not worth reading.
pub const MAX_FAULTS: usize = 100;

/// What may follow the operands of a tabular operator.
const AFTER_OPERATOR: &str = "an operator, `,` or `|`";

/// Reads a query. The tree holds what could be read; it is whole where there is no fault.
///
/// ```
/// use coldtrail::kql;
///
/// let (query, faults) = kql::parse("let n = 5; T | where a has 'x' | take n");
/// assert!(faults.is_empty());
/// assert_eq!(query.statements.len(), 2);
///
/// let (_, faults) = kql::parse("T | where a = 1 | take");
/// assert_eq!(faults[0].message, "expected an operator, `,` or `|`, found `=`");
/// assert_eq!(faults[1].message, "expected an expression, found the end of the query");
/// ```
pub fn parse(text: &str) -> (Query, Vec<Fault>) {
    let (tokens, faults) = lex(text);
    let partners = brackets::partners(text, &tokens);
    let mut parser = Parser {
        text,
        tokens,
        partners,
        at: 0,
        depth: 0,
        faults,
    };
    let statements = parser.statements();
    let mut faults = parser.faults;
    faults.sort_by_key(|fault| fault.span);
    faults.dedup_by_key(|fault| fault.span.start);
    faults.truncate(MAX_FAULTS);
    (Query { statements }, faults)
}

/// Marks that a rule could not go on and has said why.
#[derive(Debug)]
struct Failed;

/// Result of a rule.
type Parsed<T> = Result<T, Failed>;

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    /// For each bracket the place of its partner; see `brackets::partners`.
    partners: Vec<Option<usize>>,
    at: usize,
    depth: usize,
    faults: Vec<Fault>,
}

/// Looking at tokens and taking them.
impl<'t> Parser<'t> {
    /// The token `ahead` of the current one; the end where there is none.
    fn peek(&self, ahead: usize) -> Token {
        let last = self.tokens.len() - 1;
        self.tokens[(self.at + ahead).min(last)]
    }

    fn kind(&self) -> TokenKind {
        self.peek(0).kind
    }

    fn at(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    /// Offset of the current token.
    fn here(&self) -> usize {
        self.peek(0).span.start
    }

    fn text_of(&self, token: Token) -> &'t str {
        token.span.of(self.text)
    }

    /// The word `ahead` of the current token; empty where there is none.
    fn word(&self, ahead: usize) -> &'t str {
        let token = self.peek(ahead);
        match token.kind {
            K::Word => self.text_of(token),
            _ => "",
        }
    }

    fn at_word(&self, word: &str) -> bool {
        self.word(0) == word
    }

    /// Takes the current token; at the end it stays.
    fn take(&mut self) -> Token {
        let token = self.peek(0);
        if token.kind != K::End {
            self.at += 1;
        }
        token
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let there = self.at(kind);
        if there {
            self.take();
        }
        there
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let there = self.at_word(word);
        if there {
            self.take();
        }
        there
    }

    fn expect(&mut self, kind: TokenKind, expected: &str) -> Parsed<()> {
        match self.eat(kind) {
            true => Ok(()),
            false => Err(self.fail(expected)),
        }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        match self.eat_word(word) {
            true => Ok(()),
            false => Err(self.fail(&format!("`{word}`"))),
        }
    }

    /// From `start` to the end of the last token taken.
    fn since(&self, start: usize) -> Span {
        let last = self
            .at
            .checked_sub(1)
            .map_or(start, |i| self.tokens[i].span.end);
        Span::new(start, last.max(start))
    }
}

/// Faults and recovery.
impl Parser<'_> {
    /// Reports that something else was expected at the current token.
    #[cold]
    #[inline(never)]
    fn fail(&mut self, expected: &str) -> Failed {
        let hint = self.hint();
        self.fail_with(expected, hint.map(String::from))
    }

    /// The same with a hint.
    #[cold]
    #[inline(never)]
    fn fail_hinting(&mut self, expected: &str, hint: &str) -> Failed {
        self.fail_with(expected, Some(hint.to_string()))
    }

    fn fail_with(&mut self, expected: &str, hint: Option<String>) -> Failed {
        let token = self.peek(0);
        let message = match token.kind {
            K::End => format!("expected {expected}, found the end of the query"),
            _ => format!(
                "expected {expected}, found `{}`",
                shown(self.text_of(token))
            ),
        };
        let mut fault = Fault::new(token.span, message);
        fault.hint = hint;
        self.report(fault)
    }

    #[cold]
    #[inline(never)]
    fn report(&mut self, fault: Fault) -> Failed {
        if !self.full() {
            self.faults.push(fault);
        }
        Failed
    }

    /// Whether there are faults enough: twice the limit, since those of one place are merged at the end.
    fn full(&self) -> bool {
        self.faults.len() >= 2 * MAX_FAULTS
    }

    /// What a newcomer to the language may have meant at the current token.
    fn hint(&self) -> Option<&'static str> {
        let before = self.at.checked_sub(1).map(|i| self.tokens[i].kind);
        Some(match (self.kind(), self.word(0)) {
            (K::Assign, _) => "`==` compares",
            (K::Pipe, _) if before == Some(K::Pipe) => {
                "`or` joins conditions; operators have one `|` between them"
            }
            (_, "AND") => "keywords are lower-case: `and`",
            (_, "OR") => "keywords are lower-case: `or`",
            (K::RightParen | K::RightBracket | K::RightBrace | K::Pipe, _)
                if before == Some(K::Comma) =>
            {
                "the comma before it ends no item"
            }
            _ => return None,
        })
    }

    /// Reads what stands in the brackets that open here; what cannot be read is left at its default and jumped over.
    fn bracketed<T: Default>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let open = self.at;
        if self.depth >= MAX_DEPTH {
            return self.too_deep();
        }
        self.depth += 1;
        self.take();
        let result = inner(self);
        self.depth -= 1;
        self.close(open, result)
    }

    #[inline(never)]
    fn close<T: Default>(&mut self, open: usize, result: Parsed<T>) -> Parsed<T> {
        let partner = self.partners[open];
        if result.is_ok() {
            if partner == Some(self.at) {
                self.take();
                return result;
            }
            self.unclosed(open);
        }
        match partner {
            Some(partner) => self.at = partner + 1,
            // Without a partner the next `|` is the place to go on; where it is here already, what was read counts.
            None if self.at_boundary() => return result,
            None => return Err(Failed),
        }
        Ok(result.unwrap_or_default())
    }

    #[cold]
    fn unclosed(&mut self, open: usize) {
        if self.full() {
            // Finding lines takes time, which a text full of faults must not multiply.
            return;
        }
        let opening = self.tokens[open];
        let bracket = match opening.kind {
            K::LeftParen => "`)`",
            K::LeftBracket => "`]`",
            _ => "`}`",
        };
        let items = matches!(opening.kind, K::LeftParen | K::LeftBracket);
        let expected = match items {
            true => format!("`,` or {bracket}"),
            false => bracket.to_string(),
        };
        let (line, column) = position(self.text, opening.span.start);
        let text = opening.span.of(self.text);
        let hint = match self.hint() {
            Some(hint) => hint.to_string(),
            None => format!("`{text}` opens at {line}:{column}"),
        };
        self.fail_with(&expected, Some(hint));
    }

    #[cold]
    fn too_deep<T: Default>(&mut self) -> Parsed<T> {
        let message = format!("brackets nest more than {MAX_DEPTH} deep");
        let failed = self.report(Fault::new(self.peek(0).span, message));
        match self.partners[self.at] {
            Some(partner) => {
                self.at = partner + 1;
                Ok(T::default())
            }
            None => Err(failed),
        }
    }

    /// Whether an operator, statement or bracket ends here.
    fn at_boundary(&self) -> bool {
        match self.kind() {
            K::Pipe | K::Semicolon | K::End => true,
            K::RightParen | K::RightBracket | K::RightBrace => self.partners[self.at].is_some(),
            K::Word => self.at_let(),
            _ => false,
        }
    }

    /// Whether a `let` begins here, as it does where the semicolon before it was forgotten.
    fn at_let(&self) -> bool {
        self.at_word("let") && self.peek(1).kind == K::Word && self.peek(2).kind == K::Assign
    }

    fn skip_to_boundary(&mut self) {
        while !self.at_boundary() {
            let here = self.at;
            self.at = match (self.kind(), self.partners[here]) {
                (K::LeftParen | K::LeftBracket | K::LeftBrace, Some(partner)) => partner + 1,
                _ => here + 1,
            };
        }
    }

    /// Reads items with commas between them. No comma stands behind the last one.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if !self.eat(K::Comma) {
                return Ok(items);
            }
        }
    }

    /// The same up to a closing bracket; there may be none.
    fn items<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let closing = matches!(self.kind(), K::RightParen | K::RightBracket | K::RightBrace);
        match closing {
            true => Ok(Vec::new()),
            false => self.list(&mut item),
        }
    }
}

/// Pipelines.
impl Parser<'_> {
    /// A source and its operators. Goes on behind every fault, so it always gives something.
    fn pipeline(&mut self) -> Expr {
        let start = self.here();
        let source = if self.at_source_operator() {
            match self.operator() {
                Ok(operator) => Source::Operator(Box::new(operator)),
                Err(Failed) => Source::Missing,
            }
        } else {
            match self.expr() {
                Ok(expr) => Source::Expr(expr),
                Err(Failed) => Source::Missing,
            }
        };
        if let Source::Expr(expr) = source {
            // In `in (a, b)` the list goes on.
            if self.at(K::Comma) {
                return expr;
            }
            self.end_of_operator(self.after_expr());
            if !self.at(K::Pipe) {
                return expr;
            }
            return self.operators(start, Source::Expr(expr));
        }
        match source {
            Source::Missing => self.skip_to_boundary(),
            _ => self.end_of_operator(AFTER_OPERATOR),
        }
        self.operators(start, source)
    }

    /// The operators that follow a source, each after a `|`.
    #[inline(never)]
    fn operators(&mut self, start: usize, source: Source) -> Expr {
        let mut operators = Vec::new();
        while self.eat(K::Pipe) {
            self.recovering_operator(&mut operators);
        }
        let span = self.since(start);
        let pipeline = Pipeline {
            source,
            operators,
            span,
        };
        Expr {
            kind: ExprKind::Pipeline(Box::new(pipeline)),
            span,
        }
    }

    /// What may follow a source.
    fn after_expr(&self) -> &'static str {
        match self.depth {
            0 => "an operator or `|`",
            _ => "an operator, `|` or a closing bracket",
        }
    }

    /// Operators that work on the rows at hand: the body of `mv-apply`, `partition`, `fork`, `facet`.
    fn context_pipeline(&mut self) -> Parsed<Pipeline> {
        let start = self.here();
        if !self.at_operator() {
            return self.own_pipeline();
        }
        let mut operators = Vec::new();
        self.recovering_operator(&mut operators);
        while self.eat(K::Pipe) {
            self.recovering_operator(&mut operators);
        }
        Ok(Pipeline {
            source: Source::Context,
            operators,
            span: self.since(start),
        })
    }

    /// A pipeline with a source of its own.
    fn own_pipeline(&mut self) -> Parsed<Pipeline> {
        let expr = self.pipeline();
        Ok(match expr.kind {
            ExprKind::Pipeline(pipeline) => *pipeline,
            _ => Pipeline {
                span: expr.span,
                source: Source::Expr(expr),
                operators: Vec::new(),
            },
        })
    }

    fn recovering_operator(&mut self, operators: &mut Vec<Operator>) {
        match self.operator() {
            Ok(operator) => {
                operators.push(operator);
                self.end_of_operator(AFTER_OPERATOR);
            }
            Err(Failed) => self.skip_to_boundary(),
        }
    }

    /// Reports what stands between the end of an operator and its boundary, and steps over it.
    fn end_of_operator(&mut self, expected: &str) {
        while !self.at_boundary() {
            let stray = matches!(self.kind(), K::RightParen | K::RightBracket | K::RightBrace);
            if stray {
                self.stray_bracket();
                continue;
            }
            match self.at_operator() {
                true => self.fail_hinting(expected, "a `|` stands before each operator"),
                false => self.fail(expected),
            };
            self.skip_to_boundary();
        }
    }

    /// Reports and takes a closing bracket that closes nothing.
    fn stray_bracket(&mut self) {
        let token = self.take();
        let message = format!("`{}` closes nothing", self.text_of(token));
        self.report(Fault::new(token.span, message));
    }
}

/// A token's text as a message shows it: its beginning, on one line.
fn shown(text: &str) -> String {
    /// So much of a token tells which one it is.
    const SHOWN: usize = 40;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(SHOWN).map(plain).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
