//! Conditions on columns as they are stored: files, row groups and pages whose bounds tell that no row can match are passed over.
//!
//! Each is true of the same rows as the operator, and null where the column is: it may stand where only what is true counts.

use datafusion::logical_expr::Expr;
use datafusion::prelude::{in_list, lit};

use super::native::{Native, SHORT_LIST, field, is_plain};
use super::relation::Column;
use crate::function::operate::{List, Matcher};
use crate::function::value::Type;
use crate::kql::eval::{Compiled, Node};

impl Native<'_> {
    /// The stored column whose texts are those of a scalar, but for arrays and bags and where it is null.
    pub(super) fn stored(&self, compiled: &Compiled) -> Option<Expr> {
        if let Some(Column {
            ty: Type::String,
            stored: Some(stored),
            ..
        }) = self.column(compiled)
        {
            return Some(field(stored));
        }
        let path = match compiled.node() {
            Node::Call(function, arguments) if function.name == "tostring" => arguments.first()?,
            _ => compiled,
        };
        if path.ty != Type::Dynamic {
            return None;
        }
        self.kept(&self.document(path)?)
    }

    /// `==` with a text.
    pub(super) fn equals_stored(&self, left: &Compiled, text: &str) -> Option<Expr> {
        match is_plain(text) {
            true => Some(self.stored(left)?.eq(lit(text))),
            false => None,
        }
    }

    /// `in` with texts.
    pub(super) fn in_stored(&self, left: &Compiled, list: &List) -> Option<Expr> {
        let op = list.op();
        let texts = list.texts()?;
        let short = (1..=SHORT_LIST).contains(&texts.len());
        if op.negated || !op.case_sensitive || !short || !texts.iter().all(|t| is_plain(t)) {
            return None;
        }
        let mut texts: Vec<&String> = texts.iter().collect();
        texts.sort();
        let texts = texts.into_iter().map(|text| lit(text.as_str())).collect();
        Some(in_list(self.stored(left)?, texts, false))
    }

    /// `in` of a column of whole numbers.
    pub(super) fn in_numbers(&self, left: &Compiled, list: &List) -> Option<Expr> {
        let column = self.column(left)?.expr();
        let numbers = list.numbers()?;
        if list.op().negated || numbers.len() > SHORT_LIST {
            return None;
        }
        let literals = numbers.into_iter().filter_map(|n| match left.ty {
            Type::Int => i32::try_from(n).ok().map(lit),
            _ => Some(lit(n)),
        });
        let literals: Vec<Expr> = literals.collect();
        (!literals.is_empty()).then(|| in_list(column, literals, false))
    }

    /// `startswith`, where no other case of the text can match.
    pub(super) fn starts_stored(&self, left: &Compiled, matcher: &Matcher) -> Option<Expr> {
        let start = matcher.needle();
        let one_case = match matcher.name() {
            "startswith_cs" => true,
            "startswith" => start.is_ascii() && !start.bytes().any(|b| b.is_ascii_alphabetic()),
            _ => false,
        };
        if !one_case || matcher.negated() || !is_plain(start) {
            return None;
        }
        let (stored, end) = (self.stored(left)?, behind(start)?);
        Some(stored.clone().gt_eq(lit(start)).and(stored.lt(lit(end))))
    }
}

/// The least text behind all texts that begin so.
fn behind(start: &str) -> Option<String> {
    let mut rest = start.chars();
    while let Some(last) = rest.next_back() {
        // Between the two there is no character.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            return Some(format!("{}{next}", rest.as_str()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn a_text_stands_before_the_first_that_begins_otherwise() {
        for (start, end) in [
            ("10.", Some("10/")),
            ("ab", Some("ac")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("é", Some("ê")),
        ] {
            assert_eq!(behind(start).as_deref(), end, "{start}");
        }
    }
}
