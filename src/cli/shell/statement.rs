//! What is typed, cut into statements and dot commands. Knows nothing of what they ask.

use crate::kql::lexer::{TokenKind, lex};

/// In which language a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// SQL.
    Sql,
    /// KQL.
    Kql,
}

/// Which ends a statement has beside a semicolon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// An empty line.
    EmptyLine,
    /// None: in a file empty lines are for the eye.
    Semicolon,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line that begins with a dot.
    Dot(String),
    /// A query.
    Statement(String),
}

/// Lines on their way to be statements.
#[derive(Debug)]
pub(super) struct Pieces {
    waiting: String,
    ends: Ends,
    /// The language of all statements; by their first word when not given.
    spoken: Option<Spoken>,
}

impl Pieces {
    pub(super) fn new(ends: Ends, spoken: Option<Spoken>) -> Pieces {
        Pieces {
            waiting: String::new(),
            ends,
            spoken,
        }
    }

    /// Takes a line and gives what it completes.
    pub(super) fn line(&mut self, line: &str) -> Vec<Piece> {
        let is_first = self.waiting.trim().is_empty();
        // What Windows writes before a text is none of it.
        let line = match is_first {
            true => line.trim_start_matches('\u{feff}'),
            false => line,
        };
        if is_first && line.trim_start().starts_with('.') {
            self.waiting.clear();
            return vec![Piece::Dot(line.trim().to_string())];
        }
        if line.trim().is_empty() && self.ends == Ends::EmptyLine {
            return self.rest().into_iter().collect();
        }
        self.waiting.push_str(line);
        self.waiting.push('\n');
        let mut done = Vec::new();
        while let Some(end) = end_of(&self.waiting, self.spoken) {
            let rest = self.waiting.split_off(end);
            let statement = std::mem::replace(&mut self.waiting, rest);
            done.extend(piece(&statement));
        }
        done
    }

    /// What waits for its end, which is here.
    pub(super) fn rest(&mut self) -> Option<Piece> {
        piece(&std::mem::take(&mut self.waiting))
    }

    /// Whether nothing waits for its end.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.trim().is_empty()
    }
}

/// Everything of a text that is at an end.
pub(super) fn all(text: &str, ends: Ends, spoken: Option<Spoken>) -> Vec<Piece> {
    let mut pieces = Pieces::new(ends, spoken);
    let mut all: Vec<Piece> = text.lines().flat_map(|line| pieces.line(line)).collect();
    all.extend(pieces.rest());
    all
}

/// Whether a text that is being typed can be sent.
pub(super) fn is_complete(text: &str, spoken: Option<Spoken>) -> bool {
    let mut pieces = Pieces::new(Ends::EmptyLine, spoken);
    for line in text.split('\n') {
        pieces.line(line);
    }
    pieces.is_done()
}

fn piece(text: &str) -> Option<Piece> {
    let text = text.trim();
    let is_empty = after_comments(text).trim_matches([';', ' ']).is_empty();
    (!is_empty).then(|| Piece::Statement(text.to_string()))
}

/// First words of statements in SQL. No table of a product has such a name.
const SQL: [&str; 8] = [
    "select", "with", "explain", "show", "describe", "desc", "values", "from",
];

/// The language of a statement, by its first word.
pub(super) fn spoken(text: &str) -> Spoken {
    let text = after_comments(text).trim_start_matches(['(', ' ', '\t', '\n', '\r']);
    let word: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    match SQL.contains(&word.to_ascii_lowercase().as_str()) {
        true => Spoken::Sql,
        false => Spoken::Kql,
    }
}

/// A text without the comments of both languages that it begins with.
fn after_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        let rest = if text.starts_with("--") || text.starts_with("//") {
            text.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return text;
        };
        text = rest.trim_start();
    }
}

/// Where the first statement of a text ends, behind its semicolon; nothing where it goes on.
fn end_of(text: &str, of_all: Option<Spoken>) -> Option<usize> {
    match of_all.unwrap_or_else(|| spoken(text)) {
        Spoken::Sql => sql_end(text),
        Spoken::Kql => kql_end(text),
    }
}

/// A semicolon that is in no text, name or comment.
fn sql_end(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        at += match c {
            ';' => return Some(at + 1),
            '\'' | '"' => 1 + rest[1..].find(c)? + 1,
            '-' if rest.starts_with("--") => rest.find('\n')?,
            '/' if rest.starts_with("/*") => rest.find("*/")? + 2,
            c => c.len_utf8(),
        };
    }
    None
}

/// Statements of KQL that only prepare the one behind them.
const PREPARING: [&str; 5] = ["let", "set", "declare", "alias", "restrict"];

/// A semicolon outside of brackets, behind a statement that gives rows.
fn kql_end(text: &str) -> Option<usize> {
    let (tokens, _) = lex(text);
    let mut depth = 0_usize;
    let mut first = None;
    for token in tokens {
        match token.kind {
            TokenKind::LeftParen | TokenKind::LeftBracket | TokenKind::LeftBrace => depth += 1,
            TokenKind::RightParen | TokenKind::RightBracket | TokenKind::RightBrace => {
                depth = depth.saturating_sub(1);
            }
            TokenKind::Semicolon if depth == 0 => match first.take() {
                Some(word) if PREPARING.contains(&word) => continue,
                _ => return Some(token.span.end),
            },
            _ => {}
        }
        first.get_or_insert(token.span.of(text));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<String> {
        let each = all(text, Ends::EmptyLine, None).into_iter();
        each.map(|piece| match piece {
            Piece::Dot(text) | Piece::Statement(text) => text,
        })
        .collect()
    }

    #[test]
    fn a_semicolon_or_an_empty_line_ends_a_statement() {
        assert_eq!(
            statements("select 1; select 2;"),
            ["select 1;", "select 2;"]
        );
        assert_eq!(
            statements("T\n| take 5\n\n.tables\n"),
            ["T\n| take 5", ".tables"]
        );
        assert_eq!(statements("select ';' -- ;\n;"), ["select ';' -- ;\n;"]);
        assert_eq!(
            statements("let n = 5;\nT | take n;\nT | count;"),
            ["let n = 5;\nT | take n;", "T | count;"]
        );
        assert_eq!(statements("-- nothing\n;"), Vec::<String>::new());
    }

    #[test]
    fn what_goes_on_is_not_sent() {
        for text in [
            "T",
            "T |",
            "let x = 1;",
            "select 'a;",
            "T | where a == \"x;",
        ] {
            assert!(!is_complete(text, None), "{text}");
        }
        for text in ["", ".tables", "T;", "T | take 5\n", "select 1;"] {
            assert!(is_complete(text, None), "{text}");
        }
    }

    #[test]
    fn the_first_word_says_the_language() {
        for text in [
            "SELECT 1",
            "-- a\n(select 1)",
            "with x as (select 1) select 1",
        ] {
            assert_eq!(spoken(text), Spoken::Sql, "{text}");
        }
        for text in ["LabelEvents", "// a\nlet x = 1; T", "selection | count"] {
            assert_eq!(spoken(text), Spoken::Kql, "{text}");
        }
    }
}
