//! Statements and functions.

use super::super::ast::{Function, LetValue, Statement, StatementKind};
use super::super::lexer::TokenKind as K;
use super::names::Use;
use super::{Parsed, Parser};

impl Parser<'_> {
    /// The statements of a query, to its end.
    pub(super) fn statements(&mut self) -> Vec<Statement> {
        let mut statements = Vec::new();
        loop {
            self.block(&mut statements);
            match self.kind() {
                K::End => return statements,
                // Only a bracket ends a block elsewhere, and at this level it closes nothing.
                _ => self.stray_bracket(),
            }
        }
    }

    /// Statements up to a closing bracket or the end.
    fn block(&mut self, statements: &mut Vec<Statement>) {
        loop {
            while self.eat(K::Semicolon) {}
            if matches!(
                self.kind(),
                K::End | K::RightParen | K::RightBracket | K::RightBrace
            ) {
                return;
            }
            let start = self.here();
            if let Ok(kind) = self.statement() {
                let span = self.since(start);
                statements.push(Statement { kind, span });
                self.end_of_statement();
            }
            while !matches!(
                self.kind(),
                K::Semicolon | K::End | K::RightParen | K::RightBracket | K::RightBrace
            ) && !self.at_let()
            {
                // A `|` ends what was unreadable before it, not the statement.
                self.take();
                self.skip_to_boundary();
            }
        }
    }

    fn end_of_statement(&mut self) {
        if self.at_let() {
            self.fail("`;` before the next statement");
            return;
        }
        self.end_of_operator("`;`");
    }

    fn statement(&mut self) -> Parsed<StatementKind> {
        match (self.word(0), self.word(1)) {
            ("let", _) if self.name_length(1, Use::Declaration) > 0 => self.let_statement(),
            ("set", _) => self.set_statement(),
            ("declare", "query_parameters") => {
                self.at += 2;
                Ok(StatementKind::QueryParameters(self.parameters()?))
            }
            ("declare", "pattern") => {
                self.at += 2;
                let name = self.name(Use::Declaration, "a name")?;
                // Patterns are a feature of services that query several stores; the resolver refuses them by name.
                while !matches!(self.kind(), K::Semicolon | K::End) {
                    self.skip_over();
                }
                Ok(StatementKind::Pattern(name))
            }
            ("alias", "database") => {
                self.at += 2;
                let name = self.name(Use::Declaration, "a name")?;
                self.expect(K::Assign, "`=`")?;
                let target = self.expr()?;
                Ok(StatementKind::Alias { name, target })
            }
            ("restrict", "access") => {
                self.at += 2;
                self.expect_word("to")?;
                if !self.at(K::LeftParen) {
                    return Err(self.fail("`(` and tables"));
                }
                let tables = self.bracketed(|p| p.list(Self::table))?;
                if self.eat_word("with") {
                    self.properties()?;
                }
                Ok(StatementKind::Restrict(tables))
            }
            _ => Ok(StatementKind::Query(self.pipeline())),
        }
    }

    /// Takes a token, or a bracket with what it holds.
    fn skip_over(&mut self) {
        let partner = self.partners[self.at];
        let opens = matches!(self.kind(), K::LeftParen | K::LeftBracket | K::LeftBrace);
        match partner {
            Some(partner) if opens => self.at = partner + 1,
            _ => {
                self.take();
            }
        }
    }

    fn set_statement(&mut self) -> Parsed<StatementKind> {
        self.take();
        let name = self.name(Use::Declaration, "an option")?;
        let value = match self.eat(K::Assign) {
            true => Some(self.expr()?),
            false => None,
        };
        Ok(StatementKind::Set { name, value })
    }

    fn let_statement(&mut self) -> Parsed<StatementKind> {
        self.take();
        let name = self.name(Use::Declaration, "a name")?;
        self.expect(K::Assign, "`=`")?;
        let value = if self.at_function() {
            LetValue::Function(self.function()?)
        } else if self.at_word("entity_group") && self.peek(1).kind == K::LeftBracket {
            self.take();
            LetValue::EntityGroup(self.bracketed(|p| p.items(Self::expr))?)
        } else {
            LetValue::Expr(self.pipeline())
        };
        Ok(StatementKind::Let { name, value })
    }

    /// Whether parameters or `view` and parameters stand here: `() {`, `(a:`, `(*`.
    fn at_function(&self) -> bool {
        let ahead = usize::from(self.at_word("view"));
        if self.peek(ahead).kind != K::LeftParen {
            return false;
        }
        let open = self.at + ahead;
        let brace = |close: usize| self.tokens[close + 1].kind == K::LeftBrace;
        if self.partners[open].is_some_and(brace) {
            return true;
        }
        let length = self.name_length(ahead + 1, Use::Declaration);
        length > 0 && self.peek(ahead + 1 + length).kind == K::Colon
    }

    /// `view (parameters) { body }`
    fn function(&mut self) -> Parsed<Function> {
        let start = self.here();
        let view = self.eat_word("view");
        let parameters = self.parameters()?;
        if !self.at(K::LeftBrace) {
            return Err(self.fail("`{` and the body of the function"));
        }
        let body = self.bracketed(|p| {
            let mut body = Vec::new();
            p.block(&mut body);
            Ok(body)
        })?;
        Ok(Function {
            view,
            parameters,
            body,
            span: self.since(start),
        })
    }
}
