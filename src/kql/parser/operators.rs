//! Tabular operators: which word begins which, and those made of columns, rows and expressions.

use super::super::ast::operator::{
    ColumnOrder, Direction, JoinCondition, MvColumn, Nulls, Operator, OperatorKind, Ordered,
    Rename, Reorder,
};
use super::super::ast::{Expr, ExprKind, Literal, NamedExpr};
use super::super::lexer::TokenKind as K;
use super::super::span::{Fault, Span};
use super::names::{Settings, Use};
use super::{Failed, Parsed, Parser};
use crate::fault::did_you_mean;
use OperatorKind as O;

/// Reads the operands of an operator.
type Reader = fn(&mut Parser<'_>) -> Parsed<OperatorKind>;

/// Every operator: its keyword, the settings it takes, how its operands are read.
///
/// Each is read by a function of its own, also because one function for all would need a large part of the stack at every
/// level of nesting.
#[rustfmt::skip]
const OPERATORS: &[(&str, Settings, Reader)] = &[
    ("as", Settings::Any, |p| Ok(O::As(p.name(Use::Declaration, "a name")?))),
    ("assert-schema", Settings::Hints, |p| Ok(O::AssertSchema(p.closed_schema()?))),
    ("consume", Settings::Any, |_| Ok(O::Consume)),
    ("count", Settings::Hints, |p| p.count()),
    ("distinct", Settings::Hints, |p| Ok(O::Distinct(p.named_list()?))),
    ("evaluate", Settings::Any, |p| p.evaluate()),
    ("extend", Settings::Hints, |p| Ok(O::Extend(p.named_list()?))),
    ("facet", Settings::Hints, |p| p.facet()),
    ("filter", Settings::Hints, |p| Ok(O::Where(p.expr()?))),
    ("find", Settings::Any, |p| p.find()),
    ("fork", Settings::Hints, |p| p.fork()),
    ("getschema", Settings::Any, |_| Ok(O::GetSchema)),
    ("invoke", Settings::Any, |p| Ok(O::Invoke(p.postfix()?))),
    ("join", Settings::Any, |p| p.join()),
    ("limit", Settings::Hints, |p| Ok(O::Take(p.expr()?))),
    ("lookup", Settings::Any, |p| p.lookup()),
    ("make-series", Settings::These(&["kind"]), |p| p.make_series()),
    ("mv-apply", Settings::These(&["kind", "with_itemindex"]), |p| p.mv_apply()),
    ("mv-expand", Settings::These(&["kind", "bagexpansion", "with_itemindex"]), |p| p.mv_expand()),
    ("mvapply", Settings::These(&["kind", "with_itemindex"]), |p| p.mv_apply()),
    ("mvexpand", Settings::These(&["kind", "bagexpansion", "with_itemindex"]), |p| p.mv_expand()),
    ("order", Settings::Hints, |p| p.sort()),
    ("parse", Settings::These(&["kind", "flags"]), |p| p.parse_pattern(false)),
    ("parse-kv", Settings::Hints, |p| p.parse_kv()),
    ("parse-where", Settings::These(&["kind", "flags"]), |p| p.parse_pattern(true)),
    ("partition", Settings::Any, |p| p.partition()),
    ("print", Settings::Hints, |p| Ok(O::Print(p.named_list()?))),
    ("project", Settings::Hints, |p| Ok(O::Project(p.optional_list(Parser::named_expr)?))),
    ("project-away", Settings::Hints, |p| Ok(O::ProjectAway(p.optional_list(Parser::name_pattern)?))),
    ("project-by-names", Settings::Hints, |p| Ok(O::ProjectByNames(p.optional_list(Parser::expr)?))),
    ("project-keep", Settings::Hints, |p| Ok(O::ProjectKeep(p.optional_list(Parser::name_pattern)?))),
    ("project-rename", Settings::Hints, |p| Ok(O::ProjectRename(p.optional_list(Parser::rename)?))),
    ("project-reorder", Settings::Hints, |p| Ok(O::ProjectReorder(p.optional_list(Parser::reorder)?))),
    ("range", Settings::Hints, |p| p.range()),
    ("reduce", Settings::Any, |p| p.reduce()),
    ("render", Settings::Hints, |p| p.render()),
    ("sample", Settings::Hints, |p| Ok(O::Sample(p.expr()?))),
    ("sample-distinct", Settings::Hints, |p| p.sample_distinct()),
    ("scan", Settings::Any, |p| p.scan()),
    ("search", Settings::Any, |p| p.search()),
    ("serialize", Settings::Hints, |p| Ok(O::Serialize(p.optional_list(Parser::named_expr)?))),
    ("sort", Settings::Hints, |p| p.sort()),
    ("summarize", Settings::Hints, |p| p.summarize()),
    ("take", Settings::Hints, |p| Ok(O::Take(p.expr()?))),
    ("top", Settings::Hints, |p| p.top()),
    ("top-hitters", Settings::Hints, |p| p.top_hitters()),
    ("top-nested", Settings::Hints, |p| p.top_nested()),
    ("union", Settings::Any, |p| Ok(O::Union(p.list(Parser::table)?))),
    ("where", Settings::Hints, |p| Ok(O::Where(p.expr()?))),
    // Operators that are known by name only; a later stage refuses them.
    ("__executeAndCache", Settings::Hints, |p| p.unread()),
    ("__partitionby", Settings::Hints, |p| p.unread()),
    ("graph-mark-components", Settings::Hints, |p| p.unread()),
    ("graph-match", Settings::Hints, |p| p.unread()),
    ("graph-shortest-paths", Settings::Hints, |p| p.unread()),
    ("graph-to-table", Settings::Hints, |p| p.unread()),
    ("graph-where-edges", Settings::Hints, |p| p.unread()),
    ("graph-where-nodes", Settings::Hints, |p| p.unread()),
    ("inline_external_table", Settings::Hints, |p| p.unread()),
    ("macro-expand", Settings::Any, |p| p.unread()),
    ("make-graph", Settings::Any, |p| p.unread()),
    ("materialized-view-combine", Settings::Hints, |p| p.unread()),
];

fn known(word: &str) -> Option<&'static (&'static str, Settings, Reader)> {
    OPERATORS.iter().find(|(name, ..)| *name == word)
}

impl Parser<'_> {
    /// Whether an operator begins here, where a pipeline works on the rows at hand.
    pub(super) fn at_operator(&self) -> bool {
        known(self.word(0)).is_some()
    }

    /// Whether an operator that needs no input begins here. `range(…)` is a function and `evaluate` may be a name.
    pub(super) fn at_source_operator(&self) -> bool {
        match self.word(0) {
            "print" | "union" | "search" | "find" => true,
            "macro-expand" | "materialized-view-combine" => true,
            "evaluate" => self.peek(1).kind == K::Word,
            "inline_external_table" => self.peek(1).kind != K::Pipe,
            "range" => match self.name_length(1, Use::Declaration) {
                0 => false,
                length => self.word(1 + length) == "from",
            },
            _ => false,
        }
    }

    /// One operator, from its keyword on.
    pub(super) fn operator(&mut self) -> Parsed<Operator> {
        let start = self.here();
        let Some((_, settings, read)) = known(self.word(0)) else {
            return Err(self.no_operator());
        };
        let keyword = self.take_name();
        let settings = self.settings(*settings)?;
        let kind = read(self)?;
        Ok(Operator {
            kind,
            keyword,
            settings,
            span: self.since(start),
        })
    }

    #[cold]
    fn no_operator(&mut self) -> Failed {
        let token = self.peek(0);
        if token.kind != K::Word {
            return self.fail("an operator");
        }
        // `project-foo` is several tokens.
        let mut end = token.span.end;
        let mut ahead = 1;
        while self.peek(ahead).kind == K::Minus
            && self.peek(ahead).span.start == end
            && self.peek(ahead + 1).kind == K::Word
            && self.peek(ahead + 1).span.start == end + 1
        {
            end = self.peek(ahead + 1).span.end;
            ahead += 2;
        }
        let span = Span::new(token.span.start, end);
        let word = super::shown(span.of(self.text));
        let known = OPERATORS.iter().map(|(name, ..)| (*name).to_string());
        // Names that no person writes are not meant.
        let known: Vec<String> = known.filter(|name| !name.starts_with("__")).collect();
        let mut fault = Fault::new(span, format!("`{word}` is not an operator"));
        fault.hint = did_you_mean(&word, &known);
        self.report(fault)
    }

    fn unread(&mut self) -> Parsed<OperatorKind> {
        self.skip_to_boundary();
        Ok(O::Unread)
    }

    fn count(&mut self) -> Parsed<OperatorKind> {
        match self.eat_word("as") {
            true => Ok(O::Count(Some(self.name(Use::Declaration, "a name")?))),
            false => Ok(O::Count(None)),
        }
    }

    fn join(&mut self) -> Parsed<OperatorKind> {
        let table = self.expr()?;
        let condition = self.join_condition()?;
        Ok(O::Join { table, condition })
    }

    fn lookup(&mut self) -> Parsed<OperatorKind> {
        let table = self.expr()?;
        let condition = self.join_condition()?;
        Ok(O::Lookup { table, condition })
    }

    fn mv_expand(&mut self) -> Parsed<OperatorKind> {
        let columns = self.list(Self::mv_column)?;
        let limit = self.clause("limit")?;
        Ok(O::MvExpand { columns, limit })
    }

    fn sort(&mut self) -> Parsed<OperatorKind> {
        self.expect_word("by")?;
        Ok(O::Sort(self.list(Self::ordered)?))
    }

    fn sample_distinct(&mut self) -> Parsed<OperatorKind> {
        let count = self.expr()?;
        self.expect_word("of")?;
        let of = self.named_expr()?;
        Ok(O::SampleDistinct { count, of })
    }

    fn search(&mut self) -> Parsed<OperatorKind> {
        let tables = self.in_tables()?;
        let mut predicate = self.expr()?;
        // `search *` finds every row.
        if predicate.kind == ExprKind::Star {
            predicate.kind = ExprKind::Literal(Literal::Bool(true));
        }
        Ok(O::Search { tables, predicate })
    }

    fn top(&mut self) -> Parsed<OperatorKind> {
        let count = self.expr()?;
        self.expect_word("by")?;
        let by = self.ordered()?;
        Ok(O::Top { count, by })
    }

    fn top_hitters(&mut self) -> Parsed<OperatorKind> {
        let count = self.expr()?;
        self.expect_word("of")?;
        let of = self.named_expr()?;
        let by = match self.eat_word("by") {
            true => Some(self.named_expr()?),
            false => None,
        };
        Ok(O::TopHitters { count, of, by })
    }

    pub(super) fn named_list(&mut self) -> Parsed<Vec<NamedExpr>> {
        self.list(Self::named_expr)
    }

    /// Items with commas between them; none where the operator ends at once.
    fn optional_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        match self.at_boundary() {
            true => Ok(Vec::new()),
            false => self.list(&mut item),
        }
    }

    /// The expression behind a keyword that may be absent.
    pub(super) fn clause(&mut self, word: &str) -> Parsed<Option<Expr>> {
        match self.eat_word(word) {
            true => Ok(Some(self.expr()?)),
            false => Ok(None),
        }
    }

    /// `expr asc nulls first`
    pub(super) fn ordered(&mut self) -> Parsed<Ordered> {
        let by = self.named_expr()?;
        let direction = match self.word(0) {
            "asc" => Some(Direction::Ascending),
            "desc" => Some(Direction::Descending),
            _ => None,
        };
        if direction.is_some() {
            self.take();
        }
        let nulls = match self.eat_word("nulls") {
            true => Some(match self.word(0) {
                "first" => Nulls::First,
                "last" => Nulls::Last,
                _ => return Err(self.fail("`first` or `last`")),
            }),
            false => None,
        };
        if nulls.is_some() {
            self.take();
        }
        Ok(Ordered {
            by,
            direction,
            nulls,
        })
    }

    fn rename(&mut self) -> Parsed<Rename> {
        let to = self.name(Use::Declaration, "a new name")?;
        self.expect(K::Assign, "`=` and the old name")?;
        let from = self.name(Use::Reference, "the old name")?;
        Ok(Rename { to, from })
    }

    fn reorder(&mut self) -> Parsed<Reorder> {
        let columns = self.name_pattern()?;
        let order = match self.word(0) {
            "asc" => Some(ColumnOrder::Ascending),
            "desc" => Some(ColumnOrder::Descending),
            "granny-asc" => Some(ColumnOrder::GrannyAscending),
            "granny-desc" => Some(ColumnOrder::GrannyDescending),
            _ => None,
        };
        if order.is_some() {
            self.take();
        }
        Ok(Reorder { columns, order })
    }

    fn join_condition(&mut self) -> Parsed<Option<JoinCondition>> {
        if self.eat_word("on") {
            return Ok(Some(JoinCondition::On(self.list(Self::expr)?)));
        }
        Ok(self.clause("where")?.map(JoinCondition::Where))
    }

    /// `name = expr to typeof(type)`
    pub(super) fn mv_column(&mut self) -> Parsed<MvColumn> {
        let item = self.named_expr()?;
        let to = match self.eat_word("to") {
            true => Some(self.type_of_clause()?),
            false => None,
        };
        Ok(MvColumn { item, to })
    }

    fn summarize(&mut self) -> Parsed<OperatorKind> {
        let aggregates = match self.at_word("by") || self.at_boundary() {
            true => Vec::new(),
            false => self.named_list()?,
        };
        let mut by = Vec::new();
        if self.eat_word("by") {
            by = self.named_list()?;
        }
        let old_bin = self.at_word("bin") && self.peek(1).kind == K::Assign;
        let bin = match old_bin {
            true => {
                self.at += 2;
                Some(self.expr()?)
            }
            false => None,
        };
        Ok(OperatorKind::Summarize {
            aggregates,
            by,
            bin,
        })
    }

    fn range(&mut self) -> Parsed<OperatorKind> {
        let name = self.name(Use::Declaration, "a column name")?;
        self.expect_word("from")?;
        let from = self.expr()?;
        self.expect_word("to")?;
        let to = self.expr()?;
        self.expect_word("step")?;
        let step = self.expr()?;
        Ok(OperatorKind::Range {
            name,
            from,
            to,
            step,
        })
    }
}
