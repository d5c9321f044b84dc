//! Places in queries in SQL. The reader is that of the engine: it knows what is a text and what a comment.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, TokenizerError,
};

use crate::fault::Error;
use crate::kql::Span;

/// The words of a query.
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, TokenizerError> {
    Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location()
}

/// The byte of a line and column.
pub(super) fn offset(text: &str, at: Location) -> Option<usize> {
    let line = usize::try_from(at.line).ok()?;
    let column = usize::try_from(at.column).ok()?;
    let start = match line.checked_sub(2) {
        Some(before) => text.match_indices('\n').nth(before)?.0 + 1,
        None => 0,
    };
    let (within, _) = text[start..].char_indices().nth(column.checked_sub(1)?)?;
    Some(start + within)
}

/// The place in a query of which an error of the engine tells, and the error without it; nothing where it tells of none.
pub fn place_of(text: &str, error: &Error) -> Option<(Span, String)> {
    let message = error.to_string();
    if let Error::NoTable { name, .. } | Error::NoColumn { name, .. } = error {
        let start = word(text, name)?;
        return Some((Span::new(start, start), message));
    }
    let end = text.trim_end().len();
    let Some((before, place)) = message.rsplit_once(" at Line: ") else {
        return message
            .ends_with("found: EOF")
            .then(|| (Span::new(end, end), message.clone()));
    };
    let (line, column) = place.split_once(", Column: ")?;
    let digits = column.find(|c: char| !c.is_ascii_digit());
    let (column, rest) = column.split_at(digits.unwrap_or(column.len()));
    let at = Location::new(line.parse().ok()?, column.parse().ok()?);
    let start = offset(text, at).unwrap_or(end);
    Some((Span::new(start, start), format!("{before}{rest}")))
}

/// Where a name stands as a word of its own.
fn word(text: &str, name: &str) -> Option<usize> {
    let is_name = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) => word.value == name,
        _ => false,
    };
    let found = tokens(text).ok()?.into_iter().find(is_name)?;
    offset(text, found.span.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_are_names() {
        let text = "-- Größe of Here\nSELECT 'Here' AS ä, Hereafter, \"Here\" FROM t";
        let error = Error::NoColumn {
            name: "Here".into(),
            known: Vec::new(),
        };
        let (span, _) = place_of(text, &error).expect("a place");
        assert_eq!(&text[span.start..], "\"Here\" FROM t");
        let nowhere = Error::NoColumn {
            name: "Nowhere".into(),
            known: Vec::new(),
        };
        assert_eq!(place_of(text, &nowhere), None);
    }

    #[test]
    fn errors_of_the_engine_name_places() {
        let text = "SELECT 1\nFROM (t\n";
        let place = |message: &str| place_of(text, &Error::Query(message.into()));
        let (span, told) =
            place("SQL: Expected: ), found: FROM at Line: 2, Column: 6").expect("one");
        assert_eq!(
            (span.start, told.as_str()),
            (14, "SQL: Expected: ), found: FROM")
        );
        let (span, _) = place("SQL: Expected: ), found: EOF").expect("its end");
        assert_eq!(span.start, text.trim_end().len());
        assert_eq!(place("SQL: a type is wrong"), None);
    }
}
