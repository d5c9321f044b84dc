//! Names, and what is made of names and types: schemas, parameters, settings of operators.

use super::super::ast::{
    Column, Expr, ExprKind, Literal, Name, Parameter, ParameterType, Schema, Setting, Type,
    TypeRef, operator::NamePattern,
};
use super::super::lexer::TokenKind as K;
use super::super::span::{Fault, Span};
use super::{Failed, Parsed, Parser};

/// Words of the language that may name a new column or parameter but not be used as one without `['…']`.
///
/// From `ExtendedKeywordsAsIdentifiers` of Kusto's `KustoFacts`; the words it allows everywhere (`count`, `from`, `id`, `step`,
/// `with`, …) or in paths (`kind`) are not here. Words of management commands (`queries`, `views`, `sql`, …) and of charts
/// (`timeline`, `card`, …) have no place in a query's grammar, so they are names here.
const DECLARABLE: &[&str] = &[
    "as",
    "by",
    "contains",
    "datatable",
    "externaldata",
    "find",
    "has",
    "in",
    "invoke",
    "materialize",
    "of",
    "print",
    "sample",
    "sample-distinct",
    "search",
    "set",
    "title",
    "to",
    "top-hitters",
    "top-nested",
    "toscalar",
    "totable",
    "where",
];

/// Words that are never a name without `['…']`.
const RESERVED: &[&str] = &[
    "and",
    "asc",
    "assert-schema",
    "between",
    "boolean",
    "containscs",
    "contains_cs",
    "date",
    "datetime",
    "decimal",
    "desc",
    "double",
    "dynamic",
    "endswith",
    "endswith_cs",
    "external_data",
    "first",
    "flags",
    "float",
    "granny-asc",
    "granny-desc",
    "graph-mark-components",
    "graph-match",
    "graph-shortest-paths",
    "graph-to-table",
    "graph-where-edges",
    "graph-where-nodes",
    "has_all",
    "has_any",
    "has_cs",
    "hasprefix",
    "hasprefix_cs",
    "hassuffix",
    "hassuffix_cs",
    "in~",
    "int",
    "last",
    "like",
    "likecs",
    "long",
    "macro-expand",
    "make-graph",
    "make-series",
    "materialized-view-combine",
    "mv-apply",
    "mv-expand",
    "notcontains",
    "notcontainscs",
    "notlike",
    "notlikecs",
    "or",
    "others",
    "parse-kv",
    "parse-where",
    "partitioned-by",
    "project",
    "project-away",
    "project-by-names",
    "project-keep",
    "project-rename",
    "project-reorder",
    "project-smart",
    "real",
    "relaxed",
    "simple",
    "startswith",
    "startswith_cs",
    "string",
    "time",
    "timespan",
    "uniqueid",
    "union",
    "uint",
];

/// Where a name stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It names something new: `name = …`, `name:type`.
    Declaration,
    /// It names something that exists.
    Reference,
    /// It stands behind a dot, where no keyword can: every word is a name.
    Member,
}

fn may_be_name(word: &str, place: Use) -> bool {
    match place {
        Use::Member => true,
        Use::Declaration => !RESERVED.contains(&word),
        Use::Reference => !RESERVED.contains(&word) && !DECLARABLE.contains(&word),
    }
}

/// Names.
impl Parser<'_> {
    /// Number of tokens of the name that begins `ahead` of the current one; zero where none does.
    pub(super) fn name_length(&self, ahead: usize, place: Use) -> usize {
        match self.peek(ahead).kind {
            K::Word => usize::from(may_be_name(self.word(ahead), place)),
            K::LeftBracket => {
                // Only strings stand in the brackets of a name.
                let mut end = ahead + 1;
                while self.peek(end).kind == K::String {
                    end += 1;
                }
                match self.peek(end).kind == K::RightBracket && end > ahead + 1 {
                    true => end + 1 - ahead,
                    false => 0,
                }
            }
            _ => 0,
        }
    }

    /// Whether `name =` stands here.
    pub(super) fn at_assignment(&self) -> bool {
        let length = self.name_length(0, Use::Declaration);
        length > 0 && self.peek(length).kind == K::Assign
    }

    /// A name: `a`, `['a b']`.
    pub(super) fn name(&mut self, place: Use, expected: &str) -> Parsed<Name> {
        let start = self.here();
        match self.kind() {
            K::LeftBracket if self.name_length(0, place) > 0 => {
                self.take();
                let text = self.string_text();
                self.take();
                let span = self.since(start);
                Ok(Name { text, span })
            }
            K::Word if may_be_name(self.word(0), place) => Ok(self.take_name()),
            K::Word => Err(self.reserved(expected)),
            _ => Err(self.fail(expected)),
        }
    }

    /// The current token as a name, whatever it is.
    pub(super) fn take_name(&mut self) -> Name {
        let token = self.take();
        Name {
            text: self.text_of(token).to_string(),
            span: token.span,
        }
    }

    /// Any word, keyword or not: the value of a setting, a kind of chart.
    pub(super) fn any_word(&mut self, expected: &str) -> Parsed<Name> {
        match self.at(K::Word) {
            true => Ok(self.take_name()),
            false => Err(self.fail(expected)),
        }
    }

    /// Reports a keyword where a name was expected.
    #[cold]
    pub(super) fn reserved(&mut self, expected: &str) -> Failed {
        let word = self.word(0);
        let message = format!("expected {expected}, found the keyword `{word}`");
        let hint = format!("write `['{word}']` if it is a name");
        let fault = Fault::new(self.peek(0).span, message).with_hint(hint);
        self.report(fault)
    }

    /// A column name, or with `*` a pattern: `a`, `Device*`, `*`. The parts of a pattern touch each other.
    pub(super) fn name_pattern(&mut self) -> Parsed<NamePattern> {
        if let Some(name) = self.wildcard() {
            return Ok(NamePattern {
                name,
                wildcard: true,
            });
        }
        let name = self.name(Use::Reference, "a column name")?;
        Ok(NamePattern {
            name,
            wildcard: false,
        })
    }

    /// Whether the token `ahead` begins where the one before it ends.
    fn touches(&self, ahead: usize) -> bool {
        self.peek(ahead).span.start == self.peek(ahead - 1).span.end
    }

    /// Whether a pattern with `*` stands here.
    pub(super) fn at_wildcard(&self) -> bool {
        match self.kind() {
            K::Star => true,
            K::Word => self.peek(1).kind == K::Star && self.touches(1),
            _ => false,
        }
    }

    /// A pattern with `*`, if one stands here.
    pub(super) fn wildcard(&mut self) -> Option<Name> {
        if !self.at_wildcard() {
            return None;
        }
        let start = self.here();
        let mut length = 1;
        while matches!(self.peek(length).kind, K::Word | K::Long | K::Star) && self.touches(length)
        {
            length += 1;
        }
        self.at += length;
        let span = self.since(start);
        Some(Name {
            text: span.of(self.text).to_string(),
            span,
        })
    }
}

/// Types and schemas.
impl Parser<'_> {
    pub(super) fn type_ref(&mut self) -> Parsed<TypeRef> {
        let word = self.word(0);
        // `typeof(DateTime)`
        match Type::named(&word.to_ascii_lowercase()) {
            Some(ty) => {
                let span = self.take().span;
                Ok(TypeRef { ty, span })
            }
            None if word.is_empty() => Err(self.fail("a type")),
            None => {
                let fault = Fault::new(self.peek(0).span, format!("`{word}` is not a type"));
                let hint = "types are bool, datetime, decimal, dynamic, guid, int, long, real, string, timespan";
                Err(self.report(fault.with_hint(hint)))
            }
        }
    }

    /// `(a:string, b:long)`; commas may lead and trail. A `*` is taken here and judged by [`Parser::closed_schema`].
    pub(super) fn schema(&mut self) -> Parsed<Schema> {
        let start = self.here();
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and columns with types"));
        }
        let mut schema = self.bracketed(|p| {
            let mut schema = Schema::default();
            p.eat(K::Comma);
            while !p.at(K::RightParen) {
                if p.eat(K::Star) {
                    schema.open = true;
                } else {
                    let name = p.name(Use::Declaration, "a column name")?;
                    p.expect(K::Colon, "`:` and a type")?;
                    let ty = p.type_ref()?;
                    schema.columns.push(Column { name, ty });
                }
                if !p.eat(K::Comma) {
                    break;
                }
            }
            Ok(schema)
        })?;
        schema.span = self.since(start);
        Ok(schema)
    }

    /// A schema without `*`.
    pub(super) fn closed_schema(&mut self) -> Parsed<Schema> {
        let schema = self.schema()?;
        if schema.open {
            let fault = Fault::new(schema.span, "`*` cannot stand for columns here");
            self.report(fault);
        }
        Ok(schema)
    }

    /// `(name:type = default, T:(a:string, *))`
    pub(super) fn parameters(&mut self) -> Parsed<Vec<Parameter>> {
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and parameters"));
        }
        self.bracketed(|p| p.items(Self::parameter))
    }

    fn parameter(&mut self) -> Parsed<Parameter> {
        let start = self.here();
        let name = self.name(Use::Declaration, "a parameter name")?;
        self.expect(K::Colon, "`:` and a type")?;
        let ty = match self.at(K::LeftParen) {
            true => ParameterType::Table(self.schema()?),
            false => ParameterType::Scalar(self.type_ref()?),
        };
        let default = match self.eat(K::Assign) {
            true => Some(self.expr()?),
            false => None,
        };
        Ok(Parameter {
            name,
            ty,
            default,
            span: self.since(start),
        })
    }
}

/// Which words before `=` are settings of an operator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Settings {
    /// Only `hint.…`: other words name columns.
    Hints,
    /// `hint.…` and these.
    These(&'static [&'static str]),
    /// Every word: no column can be named there.
    Any,
}

/// Settings of operators.
impl Parser<'_> {
    /// `name=value` as often as it stands here.
    pub(super) fn settings(&mut self, known: Settings) -> Parsed<Vec<Setting>> {
        let mut settings = Vec::new();
        while let Some(length) = self.setting_length(known) {
            settings.push(self.setting(length)?);
            // `join kind=inner, hint.remote=left (T)` is seen, though no manual has the comma.
            if self.at(K::Comma) && self.peek(1).kind == K::Word && self.word(1) == "hint" {
                self.take();
            }
        }
        Ok(settings)
    }

    /// Number of tokens of the name of the setting that stands here.
    fn setting_length(&self, known: Settings) -> Option<usize> {
        let word = self.word(0);
        let dotted = word == "hint" && self.peek(1).kind == K::Dot && self.peek(2).kind == K::Word;
        let length = if dotted { 3 } else { 1 };
        let allowed = match known {
            _ if dotted => true,
            Settings::Hints => false,
            Settings::These(names) => names.contains(&word),
            Settings::Any => !word.is_empty(),
        };
        (allowed && self.peek(length).kind == K::Assign).then_some(length)
    }

    fn setting(&mut self, length: usize) -> Parsed<Setting> {
        let start = self.here();
        self.at += length;
        let span = self.since(start);
        let name = Name {
            text: span.of(self.text).to_string(),
            span,
        };
        self.take();
        let value = self.setting_value()?;
        Ok(Setting {
            name,
            value,
            span: self.since(start),
        })
    }

    /// A literal, a word or a name in brackets.
    fn setting_value(&mut self) -> Parsed<Expr> {
        let start = self.here();
        let kind = match self.kind() {
            K::Word => ExprKind::Name(self.take_name().text),
            K::LeftBracket => ExprKind::Name(self.name(Use::Reference, "a value")?.text),
            K::String => ExprKind::Literal(Literal::String(self.string_text())),
            K::Bool | K::Long | K::Real | K::Timespan | K::Typed | K::Minus | K::Plus => {
                return self.sign();
            }
            _ => return Err(self.fail("a value")),
        };
        Ok(Expr {
            kind,
            span: self.since(start),
        })
    }

    /// `(name=value, …)` behind `with`.
    pub(super) fn properties(&mut self) -> Parsed<Vec<Setting>> {
        if !self.at(K::LeftParen) {
            return Err(self.fail("`(` and properties"));
        }
        self.bracketed(|p| {
            let mut properties = Vec::new();
            while !p.at(K::RightParen) {
                properties.push(p.property()?);
                if !p.eat(K::Comma) {
                    break;
                }
            }
            Ok(properties)
        })
    }

    pub(super) fn property(&mut self) -> Parsed<Setting> {
        let length = match self.setting_length(Settings::Any) {
            Some(length) => length,
            None => return Err(self.fail("a property and `=`")),
        };
        self.setting(length)
    }

    /// From the start of `first` to the last token taken, for nodes that begin with a part already read.
    pub(super) fn span_from(&self, first: Span) -> Span {
        self.since(first.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_words_do_not_overlap() {
        assert!(DECLARABLE.iter().all(|word| !RESERVED.contains(word)));
        assert!(may_be_name("kind", Use::Reference));
        assert!(may_be_name("has", Use::Declaration) && !may_be_name("has", Use::Reference));
        assert!(!may_be_name("first", Use::Declaration) && may_be_name("first", Use::Member));
    }
}
