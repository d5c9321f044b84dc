//! Operands of expressions: names, calls, paths, brackets, tables given in place.

use super::super::ast::{
    Call, DataTable, Expr, ExprKind, ExternalData, Literal, Name, NamedExpr, Step, Type,
};
use super::super::lexer::TokenKind as K;
use super::names::{Settings, Use};
use super::{Failed, Parsed, Parser};

/// What a `*` right behind a name does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stars {
    /// It multiplies: `a.b*2`.
    Multiply,
    /// It makes the name a pattern: `database("x").T*`.
    Match,
}

/// Operands.
impl Parser<'_> {
    /// An operand and the steps behind it: `a.b["c"][0]`, `cluster("c").database("d").T`.
    pub(super) fn postfix(&mut self) -> Parsed<Expr> {
        let base = self.primary()?;
        match self.kind() {
            K::Dot | K::LeftBracket => self.steps(base, Stars::Multiply),
            _ => Ok(base),
        }
    }

    #[inline(never)]
    fn steps(&mut self, base: Expr, stars: Stars) -> Parsed<Expr> {
        let mut steps = Vec::new();
        loop {
            let dot = self.eat(K::Dot);
            match self.kind() {
                K::LeftBracket => steps.push(self.bracket_step()?),
                K::Word | K::Star if dot && stars == Stars::Match && self.at_wildcard() => {
                    steps.extend(self.wildcard().map(Step::Wildcard));
                }
                K::Word if dot => steps.push(self.dot_step()?),
                _ if dot => return Err(self.fail("a name")),
                _ => break,
            }
        }
        let span = self.span_from(base.span);
        let base = Box::new(base);
        Ok(Expr {
            kind: ExprKind::Path { base, steps },
            span,
        })
    }

    /// `["name"]` or `[index]`
    #[inline(never)]
    fn bracket_step(&mut self) -> Parsed<Step> {
        if self.name_length(0, Use::Member) > 0 {
            return Ok(Step::Member(self.name(Use::Member, "a name")?));
        }
        self.bracketed(|p| p.expr()).map(Step::Index)
    }

    #[inline(never)]
    fn dot_step(&mut self) -> Parsed<Step> {
        if self.peek(1).kind == K::LeftParen {
            return Ok(Step::Call(self.call()?));
        }
        Ok(Step::Member(self.name(Use::Member, "a name")?))
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.kind() {
            K::Word => self.word_operand(),
            K::LeftParen => self.parenthesized(),
            _ => self.simple_operand(),
        }
    }

    /// An operand without parts.
    #[inline(never)]
    fn simple_operand(&mut self) -> Parsed<Expr> {
        let start = self.here();
        let kind = match self.kind() {
            K::Star => {
                self.take();
                ExprKind::Star
            }
            K::LeftBracket => ExprKind::Name(self.name(Use::Reference, "an expression")?.text),
            _ if self.at_literal() => ExprKind::Literal(self.literal()?),
            _ => return Err(self.fail("an expression")),
        };
        Ok(Expr {
            kind,
            span: self.since(start),
        })
    }

    /// An expression or a pipeline in brackets.
    fn parenthesized(&mut self) -> Parsed<Expr> {
        let start = self.here();
        let mut expr = self.bracketed(|p| Ok(p.pipeline()))?;
        expr.span = self.since(start);
        Ok(expr)
    }

    /// A name, a call, or what a word begins.
    fn word_operand(&mut self) -> Parsed<Expr> {
        if self.peek(1).kind != K::LeftParen {
            return self.named_operand();
        }
        match self.word(0) {
            "dynamic" => self.dynamic(),
            "datatable" => self.data_table(),
            "externaldata" | "external_data" => self.external_data(),
            "typeof" => self.type_of(),
            _ => {
                let call = self.call()?;
                Ok(Expr {
                    span: call.span,
                    kind: ExprKind::Call(Box::new(call)),
                })
            }
        }
    }

    /// A word without brackets behind it.
    #[inline(never)]
    fn named_operand(&mut self) -> Parsed<Expr> {
        let word = self.word(0);
        let settings = self.peek(2).kind == K::Assign;
        match word {
            // `datatable kind=… (…)`, `toscalar kind=nooptimization (…)`
            "datatable" if settings => return self.data_table(),
            "externaldata" | "external_data" if settings => return self.external_data(),
            "toscalar" | "totable" if settings => {
                let call = self.call()?;
                return Ok(Expr {
                    span: call.span,
                    kind: ExprKind::Call(Box::new(call)),
                });
            }
            _ => {}
        }
        let start = self.here();
        if self.name_length(0, Use::Reference) == 0 {
            let failed = self.reserved("an expression");
            // Where an operand can only be a name, reading goes on as if it were written as one.
            let named = matches!(
                self.peek(1).kind,
                K::Comma
                    | K::RightParen
                    | K::RightBracket
                    | K::RightBrace
                    | K::Pipe
                    | K::Dot
                    | K::Equal
                    | K::NotEqual
                    | K::EqualTilde
                    | K::NotTilde
                    | K::Less
                    | K::LessEqual
                    | K::Greater
                    | K::GreaterEqual
                    | K::NotWord
            );
            if !named {
                return Err(failed);
            }
        }
        let name = self.take_name();
        Ok(Expr {
            kind: ExprKind::Name(name.text),
            span: self.since(start),
        })
    }

    /// `name(arguments)`. The argument of `toscalar`, `totable` and `materialize` is a pipeline.
    pub(super) fn call(&mut self) -> Parsed<Call> {
        let start = self.here();
        let pipeline = matches!(self.word(0), "toscalar" | "totable" | "materialize");
        let name = match pipeline {
            true => self.take_name(),
            false if self.blank_in_literal() => return Err(self.fail_blank()),
            false => self.name(Use::Reference, "a function")?,
        };
        if pipeline {
            self.settings(Settings::These(&["kind"]))?;
        }
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and arguments"));
        }
        let arguments = match pipeline {
            true => self.bracketed(|p| Ok(vec![p.pipeline_argument()]))?,
            false => self.bracketed(|p| p.items(Self::named_expr))?,
        };
        Ok(Call {
            name,
            arguments,
            span: self.since(start),
        })
    }

    /// Whether a type and a bracket stand here, which the lexer takes for a literal only where no blank is between them.
    fn blank_in_literal(&self) -> bool {
        Type::named(self.word(0)).is_some() && self.name_length(0, Use::Reference) == 0
    }

    #[cold]
    fn fail_blank(&mut self) -> Failed {
        let word = self.word(0);
        let hint = format!("a literal is written `{word}(…)`, without a blank");
        self.fail_hinting("a function", &hint)
    }

    fn pipeline_argument(&mut self) -> NamedExpr {
        let expr = self.pipeline();
        NamedExpr {
            names: Vec::new(),
            span: expr.span,
            expr,
        }
    }

    /// `expr`, `name = expr`, `(a, b) = expr`
    pub(super) fn named_expr(&mut self) -> Parsed<NamedExpr> {
        let start = self.here();
        let names = match self.kind() {
            K::Word | K::LeftBracket | K::LeftParen => self.names_before_assign()?,
            _ => Vec::new(),
        };
        let expr = self.expr()?;
        Ok(NamedExpr {
            names,
            expr,
            span: self.since(start),
        })
    }

    /// The names before `=` and the `=` itself; nothing where there are none.
    #[inline(never)]
    fn names_before_assign(&mut self) -> Parsed<Vec<Name>> {
        if self.at_assignment() {
            let name = self.name(Use::Declaration, "a name")?;
            self.take();
            return Ok(vec![name]);
        }
        let tuple = self.at(K::LeftParen)
            && self.partners[self.at].is_some_and(|close| self.tokens[close + 1].kind == K::Assign);
        if tuple {
            let names = self.bracketed(|p| p.list(|p| p.name(Use::Declaration, "a name")))?;
            self.expect(K::Assign, "`=`")?;
            return Ok(names);
        }
        if self.at(K::Word) && self.peek(1).kind == K::Assign {
            self.reserved("a name");
            let name = self.take_name();
            self.take();
            return Ok(vec![name]);
        }
        Ok(Vec::new())
    }

    /// `typeof(string)`, `typeof(a:string, b:long)`
    #[inline(never)]
    fn type_of(&mut self) -> Parsed<Expr> {
        let start = self.here();
        self.take();
        let scalar = self.peek(2).kind == K::RightParen && self.peek(1).kind == K::Word;
        let kind = match scalar {
            true => {
                let ty = self.bracketed(|p| p.type_ref().map(|t| Some(t.ty)))?;
                ty.map_or(ExprKind::Missing, ExprKind::TypeOf)
            }
            false => ExprKind::SchemaOf(Box::new(self.schema()?)),
        };
        Ok(Expr {
            kind,
            span: self.since(start),
        })
    }

    /// `datatable(schema)[values]`
    #[inline(never)]
    fn data_table(&mut self) -> Parsed<Expr> {
        let start = self.here();
        self.take();
        let settings = self.settings(Settings::Any)?;
        let schema = self.closed_schema()?;
        if !self.at(K::LeftBracket) {
            return Err(self.fail("`[` and values"));
        }
        let values = self.bracketed(|p| {
            let mut values = Vec::new();
            p.eat(K::Comma);
            while !p.at(K::RightBracket) {
                values.push(p.constant()?);
                if !p.eat(K::Comma) {
                    break;
                }
            }
            Ok(values)
        })?;
        let table = DataTable {
            schema,
            values,
            settings,
        };
        Ok(Expr {
            kind: ExprKind::DataTable(Box::new(table)),
            span: self.since(start),
        })
    }

    /// A literal with or without a sign, or `dynamic(…)`.
    #[inline(never)]
    fn constant(&mut self) -> Parsed<Expr> {
        let start = self.here();
        let signed = matches!(self.kind(), K::Minus | K::Plus);
        let dynamic = self.at_word("dynamic") && self.peek(1).kind == K::LeftParen;
        match self.kind() {
            _ if dynamic => return self.dynamic(),
            K::Word if self.at_word("typeof") => return self.type_of(),
            _ if signed && matches!(self.peek(1).kind, K::Long | K::Real | K::Timespan) => {}
            _ if self.at_literal() => {}
            _ => return Err(self.fail("a literal")),
        }
        let negative = signed && self.take().kind == K::Minus;
        let literal = match self.literal()? {
            Literal::Long(value) if negative => Literal::Long(value.wrapping_neg()),
            Literal::Real(value) if negative => Literal::Real(-value),
            Literal::Timespan(value) if negative => Literal::Timespan(value.wrapping_neg()),
            literal => literal,
        };
        Ok(Expr {
            kind: ExprKind::Literal(literal),
            span: self.since(start),
        })
    }

    /// `externaldata(schema)[addresses] with (properties)`
    #[inline(never)]
    fn external_data(&mut self) -> Parsed<Expr> {
        let start = self.here();
        self.take();
        self.settings(Settings::Any)?;
        let schema = self.closed_schema()?;
        if !self.at(K::LeftBracket) {
            return Err(self.fail("`[` and an address"));
        }
        let addresses = self.bracketed(|p| {
            let mut addresses = Vec::new();
            while !p.at(K::RightBracket) {
                addresses.push(p.expr()?);
                if !p.eat(K::Comma) {
                    break;
                }
            }
            Ok(addresses)
        })?;
        let properties = match self.eat_word("with") {
            true => self.properties()?,
            false => Vec::new(),
        };
        let data = ExternalData {
            schema,
            addresses,
            properties,
        };
        Ok(Expr {
            kind: ExprKind::ExternalData(Box::new(data)),
            span: self.since(start),
        })
    }

    /// A table of `union`, `search in`, `find in`: a pattern, a name, a path, a pipeline in brackets.
    pub(super) fn table(&mut self) -> Parsed<Expr> {
        if let Some(pattern) = self.wildcard() {
            return Ok(Expr {
                kind: ExprKind::Wildcard(pattern.text),
                span: pattern.span,
            });
        }
        let base = self.primary()?;
        match self.kind() {
            K::Dot | K::LeftBracket => self.steps(base, Stars::Match),
            _ => Ok(base),
        }
    }
}
