//! Tabular operators with clauses of their own.

use super::super::ast::operator::{
    Find, FindColumn, ForkBranch, MakeSeries, OperatorKind, ParsePart, RenderProperty, Scan,
    ScanStep, SeriesRange, TopNested,
};
use super::super::ast::{Expr, ExprKind, Name, NamedExpr, Pipeline, Type, TypeRef};
use super::super::lexer::TokenKind as K;
use super::super::span::Fault;
use super::names::Use;
use super::{Failed, MAX_DEPTH, Parsed, Parser};

impl Parser<'_> {
    /// `typeof(type)` behind `to`.
    pub(super) fn type_of_clause(&mut self) -> Parsed<TypeRef> {
        let start = self.here();
        self.expect_word("typeof")?;
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and a type"));
        }
        let ty = self.bracketed(|p| p.type_ref().map(|t| Some(t.ty)))?;
        Ok(TypeRef {
            ty: ty.unwrap_or(Type::Dynamic),
            span: self.since(start),
        })
    }

    pub(super) fn evaluate(&mut self) -> Parsed<OperatorKind> {
        let call = self.call()?;
        let schema = match self.eat(K::Colon) {
            true => Some(self.schema()?),
            false => None,
        };
        Ok(OperatorKind::Evaluate { call, schema })
    }

    pub(super) fn facet(&mut self) -> Parsed<OperatorKind> {
        self.expect_word("by")?;
        let columns = self.list(Self::postfix)?;
        let body = match self.eat_word("with") {
            true if self.at(K::LeftParen) => Some(self.body()?),
            true => Some(self.facet_operator()?),
            false => None,
        };
        Ok(OperatorKind::Facet { columns, body })
    }

    /// The one operator behind `facet by … with`.
    fn facet_operator(&mut self) -> Parsed<Pipeline> {
        let start = self.here();
        // Facets may stand in facets without brackets, so they count as nesting.
        if self.depth >= MAX_DEPTH {
            let message = format!("facets nest more than {MAX_DEPTH} deep");
            return Err(self.report(Fault::new(self.peek(0).span, message)));
        }
        self.depth += 1;
        let operator = self.operator();
        self.depth -= 1;
        Ok(Pipeline {
            source: super::Source::Context,
            operators: vec![operator?],
            span: self.since(start),
        })
    }

    /// A pipeline over the rows at hand, in brackets.
    fn body(&mut self) -> Parsed<Pipeline> {
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and operators"));
        }
        self.bracketed(Self::context_pipeline)
    }

    pub(super) fn fork(&mut self) -> Parsed<OperatorKind> {
        let mut branches = Vec::new();
        while self.at(K::LeftParen) || self.at_assignment() || branches.is_empty() {
            let name = match self.at_assignment() {
                true => {
                    let name = self.name(Use::Declaration, "a name")?;
                    self.take();
                    Some(name)
                }
                false => None,
            };
            let body = self.body()?;
            branches.push(ForkBranch { name, body });
        }
        Ok(OperatorKind::Fork(branches))
    }

    pub(super) fn partition(&mut self) -> Parsed<OperatorKind> {
        self.expect_word("by")?;
        let by = self.postfix_before_bracket()?;
        let scope = match self.eat_word("in") {
            true => Some(self.postfix()?),
            false => None,
        };
        let body = match self.at(K::LeftBrace) {
            true => self.bracketed(Self::own_pipeline)?,
            false => self.body()?,
        };
        Ok(OperatorKind::Partition { by, scope, body })
    }

    /// A column with its path; a bracket behind a blank name is not the call of a function.
    fn postfix_before_bracket(&mut self) -> Parsed<Expr> {
        if self.at(K::Word) && self.peek(1).kind == K::LeftParen {
            let name = self.name(Use::Reference, "a column")?;
            return Ok(Expr {
                kind: ExprKind::Name(name.text),
                span: name.span,
            });
        }
        self.postfix()
    }

    pub(super) fn make_series(&mut self) -> Parsed<OperatorKind> {
        let series = self.list(Self::series)?;
        self.expect_word("on")?;
        let on = self.named_expr()?;
        let range = match self.eat_word("in") {
            true => self.series_in_range()?,
            false => self.series_steps()?,
        };
        let by = match self.eat_word("by") {
            true => self.named_list()?,
            false => Vec::new(),
        };
        Ok(OperatorKind::MakeSeries(Box::new(MakeSeries {
            series,
            on,
            range,
            by,
        })))
    }

    /// `aggregate default=value`
    fn series(&mut self) -> Parsed<(NamedExpr, Option<Expr>)> {
        let aggregate = self.named_expr()?;
        let default = match self.eat_word("default") {
            true => {
                self.expect(K::Assign, "`=`")?;
                Some(self.expr()?)
            }
            false => None,
        };
        Ok((aggregate, default))
    }

    /// `from x to y step z`
    fn series_steps(&mut self) -> Parsed<SeriesRange> {
        let from = self.clause("from")?;
        let to = self.clause("to")?;
        self.expect_word("step")?;
        let step = self.expr()?;
        Ok(SeriesRange::Steps { from, to, step })
    }

    /// `range(from, to, step)` behind `in`.
    fn series_in_range(&mut self) -> Parsed<SeriesRange> {
        self.expect_word("range")?;
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and a range"));
        }
        let (from, to, step) = self.bracketed(|p| {
            let from = p.expr()?;
            p.expect(K::Comma, "`,` and the end")?;
            let to = p.expr()?;
            p.expect(K::Comma, "`,` and the step")?;
            Ok((from, to, p.expr()?))
        })?;
        Ok(SeriesRange::InRange { from, to, step })
    }

    pub(super) fn mv_apply(&mut self) -> Parsed<OperatorKind> {
        let columns = self.list(Self::mv_column)?;
        let limit = self.clause("limit")?;
        // An internal clause of Kusto's, which says nothing here.
        self.clause("id")?;
        self.expect_word("on")?;
        let body = self.body()?;
        Ok(OperatorKind::MvApply {
            columns,
            limit,
            body,
        })
    }

    pub(super) fn parse_pattern(&mut self, filter: bool) -> Parsed<OperatorKind> {
        let source = self.expr()?;
        self.expect_word("with")?;
        let mut pattern = Vec::new();
        while !self.at_boundary() {
            pattern.push(match self.kind() {
                K::Star => ParsePart::Star(self.take().span),
                K::String => {
                    let start = self.here();
                    let text = self.string_text();
                    let span = self.since(start);
                    ParsePart::Text(Name { text, span })
                }
                _ => {
                    let name = self.name(Use::Declaration, "a column, a string or `*`")?;
                    let ty = match self.eat(K::Colon) {
                        true => Some(self.type_ref()?),
                        false => None,
                    };
                    ParsePart::Column { name, ty }
                }
            });
        }
        Ok(OperatorKind::Parse {
            filter,
            source,
            pattern,
        })
    }

    pub(super) fn parse_kv(&mut self) -> Parsed<OperatorKind> {
        let source = self.expr()?;
        self.expect_word("as")?;
        let keys = self.closed_schema()?;
        let properties = match self.eat_word("with") {
            true => self.properties()?,
            false => Vec::new(),
        };
        Ok(OperatorKind::ParseKv {
            source,
            keys,
            properties,
        })
    }

    pub(super) fn reduce(&mut self) -> Parsed<OperatorKind> {
        self.expect_word("by")?;
        let by = self.named_expr()?;
        let properties = match self.eat_word("with") {
            true => self.list(Self::property)?,
            false => Vec::new(),
        };
        Ok(OperatorKind::Reduce { by, properties })
    }

    pub(super) fn render(&mut self) -> Parsed<OperatorKind> {
        let chart = self.any_word("a kind of chart")?;
        let mut properties = Vec::new();
        loop {
            if self.at_word("with") && self.peek(1).kind == K::LeftParen {
                self.take();
                properties.extend(self.bracketed(Self::render_properties)?);
                break;
            }
            if matches!(self.word(0), "by" | "with") {
                // Old spellings: `by a, b` and `with "…"`.
                let name = self.take_name();
                let values = self.list(Self::postfix)?;
                properties.push(RenderProperty { name, values });
            } else if self.at(K::Word) && self.peek(1).kind == K::Assign {
                properties.push(self.render_property()?);
            } else {
                break;
            }
        }
        Ok(OperatorKind::Render { chart, properties })
    }

    fn render_properties(&mut self) -> Parsed<Vec<RenderProperty>> {
        let mut properties = Vec::new();
        self.eat(K::Comma);
        while !self.at(K::RightParen) {
            properties.push(self.render_property()?);
            if !self.eat(K::Comma) {
                break;
            }
        }
        Ok(properties)
    }

    /// `title="x"`, `ycolumns=a, b`: values go on up to the next `name=`.
    fn render_property(&mut self) -> Parsed<RenderProperty> {
        let name = self.any_word("a property")?;
        self.expect(K::Assign, "`=`")?;
        let mut values = Vec::new();
        loop {
            values.push(
                match self.at(K::Word) && self.peek(1).kind != K::LeftParen {
                    // `kind=default`, `legend=hidden`, `xcolumn=Timestamp`
                    true => {
                        let name = self.take_name();
                        Expr {
                            kind: ExprKind::Name(name.text),
                            span: name.span,
                        }
                    }
                    false => self.sign()?,
                },
            );
            let next = self.at(K::Comma)
                && !(self.peek(1).kind == K::Word && self.peek(2).kind == K::Assign)
                && self.peek(1).kind != K::RightParen;
            if !next {
                return Ok(RenderProperty { name, values });
            }
            self.take();
        }
    }

    pub(super) fn top_nested(&mut self) -> Parsed<OperatorKind> {
        let mut levels = Vec::new();
        self.top_nested_level(&mut levels)?;
        while self.eat(K::Comma) {
            self.expect_word("top-nested")?;
            self.top_nested_level(&mut levels)?;
        }
        Ok(OperatorKind::TopNested(levels))
    }

    fn top_nested_level(&mut self, levels: &mut Vec<TopNested>) -> Parsed<()> {
        let count = match self.at_word("of") {
            true => None,
            false => Some(self.expr()?),
        };
        self.expect_word("of")?;
        let of = self.named_expr()?;
        let others = match self.eat_word("with") {
            true => {
                self.expect_word("others")?;
                self.expect(K::Assign, "`=`")?;
                Some(self.expr()?)
            }
            false => None,
        };
        self.expect_word("by")?;
        let by = self.ordered()?;
        levels.push(TopNested {
            count,
            of,
            others,
            by,
        });
        Ok(())
    }

    /// `in (tables)` of `search` and `find`, which may be absent.
    pub(super) fn in_tables(&mut self) -> Parsed<Vec<Expr>> {
        if !(self.at_word("in") && self.peek(1).kind == K::LeftParen) {
            return Ok(Vec::new());
        }
        self.take();
        self.bracketed(|p| p.list(Self::table))
    }

    pub(super) fn find(&mut self) -> Parsed<OperatorKind> {
        let tables = self.in_tables()?;
        self.eat_word("where");
        let predicate = self.expr()?;
        let project = match self.word(0) {
            "project" => {
                self.take();
                Some(self.list(Self::find_column)?)
            }
            "project-smart" => {
                self.take();
                None
            }
            _ => None,
        };
        let away = match self.word(0) {
            "project-away" | "__projectAway" => {
                self.take();
                self.list(Self::find_column)?
            }
            _ => Vec::new(),
        };
        let find = Find {
            tables,
            predicate,
            project,
            away,
        };
        Ok(OperatorKind::Find(Box::new(find)))
    }

    fn find_column(&mut self) -> Parsed<FindColumn> {
        if self.at(K::Star) {
            return Ok(FindColumn::Star(self.take().span));
        }
        if self.at_word("pack") && self.peek(1).kind == K::LeftParen {
            let start = self.here();
            self.take();
            self.bracketed(|p| p.expect(K::Star, "`*`"))?;
            return Ok(FindColumn::Pack(self.since(start)));
        }
        let name = self.name(Use::Reference, "a column")?;
        let ty = match self.eat(K::Colon) {
            true => Some(self.type_ref()?),
            false => None,
        };
        Ok(FindColumn::Column(name, ty))
    }

    pub(super) fn scan(&mut self) -> Parsed<OperatorKind> {
        let mut scan = Scan {
            order: Vec::new(),
            partition: Vec::new(),
            declare: Vec::new(),
            steps: Vec::new(),
        };
        if self.eat_word("order") {
            self.expect_word("by")?;
            scan.order = self.list(Self::ordered)?;
        }
        if self.eat_word("partition") {
            self.expect_word("by")?;
            scan.partition = self.list(Self::expr)?;
        }
        if self.eat_word("declare") {
            scan.declare = self.parameters()?;
        }
        self.expect_word("with")?;
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and steps"));
        }
        scan.steps = self.bracketed(Self::scan_steps)?;
        Ok(OperatorKind::Scan(Box::new(scan)))
    }

    fn scan_steps(&mut self) -> Parsed<Vec<ScanStep>> {
        let mut steps = Vec::new();
        while !self.at(K::RightParen) {
            match self.scan_step() {
                Ok(step) => steps.push(step),
                Err(Failed) => {
                    while !matches!(self.kind(), K::Semicolon | K::End) && !self.closes() {
                        self.take();
                        self.skip_to_boundary();
                    }
                }
            }
            self.expect(K::Semicolon, "`;`")?;
        }
        Ok(steps)
    }

    fn closes(&self) -> bool {
        self.at(K::RightParen) && self.at_boundary()
    }

    fn scan_step(&mut self) -> Parsed<ScanStep> {
        let start = self.here();
        self.expect_word("step")?;
        let name = self.name(Use::Declaration, "a name for the step")?;
        let optional = self.eat_word("optional");
        let output = match self.at_word("output") && self.peek(1).kind == K::Assign {
            true => {
                self.at += 2;
                Some(self.any_word("`all`, `last` or `none`")?)
            }
            false => None,
        };
        self.expect(K::Colon, "`:` and a condition")?;
        let condition = self.expr()?;
        let mut assignments = Vec::new();
        if self.eat(K::Arrow) {
            assignments = self.list(|p| {
                let name = p.name(Use::Declaration, "a column name")?;
                p.expect(K::Assign, "`=`")?;
                Ok((name, p.expr()?))
            })?;
        }
        Ok(ScanStep {
            name,
            optional,
            output,
            condition,
            assignments,
            span: self.since(start),
        })
    }
}
