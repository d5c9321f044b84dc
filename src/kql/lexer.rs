//! Text → tokens: words, literals, punctuation. Knows nothing of grammar; a keyword is a [`TokenKind::Word`] like any name.
//!
//! The facts are those of Kusto's own lexer (`TokenParser.cs`, `KqlTokens.g4` of `microsoft/Kusto-Query-Language`): which
//! characters are blank, which suffixes make a timespan, that `datetime(` with the bracket right behind it starts a literal, that
//! `project-away` is one word, that a name may begin with digits. Values are worked out later, in the parser.

use crate::function::value::unit_nanoseconds;

use super::span::{Fault, Span};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A name or keyword: `where`, `mv-expand`, `in~`, `$left`, `3Dchart`.
    Word,
    /// An operator that begins with an exclamation mark and a letter: `!has`, `!in~`.
    NotWord,
    /// `true`, `True`, `FALSE`, …
    Bool,
    /// `42`, `0x2a`.
    Long,
    /// `1.5`, `2e3`, `1.`.
    Real,
    /// `1d`, `2.5h`, `10microseconds`.
    Timespan,
    /// `'…'`, `@"…"`, `h'…'`, ```` ```…``` ````.
    String,
    /// `datetime(2026-01-01)`, `long(null)`: a type and a literal in brackets.
    Typed,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `|`
    Pipe,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `:`
    Colon,
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// `=`
    Assign,
    /// `=>`
    Arrow,
    /// `==`
    Equal,
    /// `!=` and `<>`
    NotEqual,
    /// `=~`
    EqualTilde,
    /// `!~`
    NotTilde,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// The end of the text; always the last token.
    End,
}

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub span: Span,
}

/// Words with hyphens. Longer ones stand before their prefixes.
const HYPHENATED: &[&str] = &[
    "assert-schema",
    "graph-mark-components",
    "graph-match",
    "graph-shortest-paths",
    "graph-to-table",
    "graph-where-edges",
    "graph-where-nodes",
    "granny-asc",
    "granny-desc",
    "macro-expand",
    "make-graph",
    "make-series",
    "materialized-view-combine",
    "mv-apply",
    "mv-expand",
    "parse-kv",
    "parse-where",
    "partitioned-by",
    "project-away",
    "project-by-names",
    "project-keep",
    "project-rename",
    "project-reorder",
    "project-smart",
    "sample-distinct",
    "top-hitters",
    "top-nested",
];

/// Operators that an exclamation mark negates.
const NEGATABLE: &[&str] = &[
    "between",
    "contains",
    "contains_cs",
    "endswith",
    "endswith_cs",
    "has",
    "has_cs",
    "hasprefix",
    "hasprefix_cs",
    "hassuffix",
    "hassuffix_cs",
    "in",
    "startswith",
    "startswith_cs",
];

/// Types whose name with a bracket right behind it starts a literal. (`dynamic(…)` and `typeof(…)` are several tokens.)
const TYPED: &[&str] = &[
    "bool", "date", "datetime", "decimal", "double", "guid", "int", "int32", "int64", "long",
    "real", "time", "timespan", "uuid",
];

/// After so many faults the others are left out.
const MAX_FAULTS: usize = 100;

/// Cuts a text into tokens; what belongs to no token is reported and left out. The last token is [`TokenKind::End`].
pub fn lex(text: &str) -> (Vec<Token>, Vec<Fault>) {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        tokens: Vec::with_capacity(text.len() / 4 + 1),
        faults: Vec::new(),
    };
    while lexer.blank() {
        lexer.token();
    }
    let end = Span::new(text.len(), text.len());
    lexer.tokens.push(Token {
        kind: TokenKind::End,
        span: end,
    });
    (lexer.tokens, lexer.faults)
}

struct Lexer<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    tokens: Vec<Token>,
    faults: Vec<Fault>,
}

impl Lexer<'_> {
    /// The byte `ahead` of the current one; zero behind the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: TokenKind, end: usize) {
        let span = Span::new(self.at, end);
        self.tokens.push(Token { kind, span });
        self.at = end;
    }

    fn report(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    /// Steps over blanks and comments; false at the end of the text.
    fn blank(&mut self) -> bool {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.at += 1,
                b'/' if self.peek(1) == b'/' => self.at = self.line_end(self.at),
                0x80.. => match self.text[self.at..].chars().next() {
                    Some(c) if is_blank(c) => self.at += c.len_utf8(),
                    _ => return true,
                },
                _ => return true,
            }
        }
        false
    }

    /// Offset of the end of the line that `from` stands in.
    fn line_end(&self, from: usize) -> usize {
        let rest = &self.text[from..];
        rest.find(['\r', '\n', '\u{2028}', '\u{2029}'])
            .map_or(self.bytes.len(), |i| from + i)
    }

    fn token(&mut self) {
        use TokenKind as K;
        let byte = self.bytes[self.at];
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => return self.word(),
            b'0'..=b'9' => return self.number(),
            b'\'' | b'"' => return self.string(self.at, false),
            b'@' if matches!(self.peek(1), b'\'' | b'"') => return self.string(self.at + 1, true),
            b'`' | b'~' if self.fence(self.at) => return self.fenced(self.at),
            b'!' if self.peek(1).is_ascii_alphabetic() => return self.not_word(),
            _ => {}
        }
        let (kind, length) = match (byte, self.peek(1)) {
            (b'.', b'.') => (K::DotDot, 2),
            (b'=', b'=') => (K::Equal, 2),
            (b'=', b'>') => (K::Arrow, 2),
            // Three tildes start a string: `=~~~a~~~` would be an odd thing to write.
            (b'=', b'~') => (K::EqualTilde, 2),
            (b'!', b'=') | (b'<', b'>') => (K::NotEqual, 2),
            (b'!', b'~') => (K::NotTilde, 2),
            (b'<', b'=') => (K::LessEqual, 2),
            (b'>', b'=') => (K::GreaterEqual, 2),
            (b'(', _) => (K::LeftParen, 1),
            (b')', _) => (K::RightParen, 1),
            (b'[', _) => (K::LeftBracket, 1),
            (b']', _) => (K::RightBracket, 1),
            (b'{', _) => (K::LeftBrace, 1),
            (b'}', _) => (K::RightBrace, 1),
            (b'|', _) => (K::Pipe, 1),
            (b',', _) => (K::Comma, 1),
            (b';', _) => (K::Semicolon, 1),
            (b':', _) => (K::Colon, 1),
            (b'.', _) => (K::Dot, 1),
            (b'=', _) => (K::Assign, 1),
            (b'<', _) => (K::Less, 1),
            (b'>', _) => (K::Greater, 1),
            (b'+', _) => (K::Plus, 1),
            (b'-', _) => (K::Minus, 1),
            (b'*', _) => (K::Star, 1),
            (b'/', _) => (K::Slash, 1),
            (b'%', _) => (K::Percent, 1),
            _ => return self.unexpected(),
        };
        self.push(kind, self.at + length);
    }

    /// Offset after the letters, digits and underscores from `from`.
    fn word_end(&self, from: usize) -> usize {
        let rest = &self.bytes[from..];
        let length = rest.iter().position(|b| !is_word(*b));
        from + length.unwrap_or(rest.len())
    }

    fn word(&mut self) {
        let first = self.bytes[self.at];
        if matches!(first, b'h' | b'H') {
            match self.peek(1) {
                b'\'' | b'"' => return self.string(self.at + 1, false),
                b'@' if matches!(self.peek(2), b'\'' | b'"') => {
                    return self.string(self.at + 2, true);
                }
                b'`' | b'~' if self.fence(self.at + 1) => return self.fenced(self.at + 1),
                _ => {}
            }
        }
        let mut end = self.word_end(self.at + 1);
        match &self.text[self.at..end] {
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => {
                return self.push(TokenKind::Bool, end);
            }
            "in" if self.bytes.get(end) == Some(&b'~') => end += 1,
            word if self.bytes.get(end) == Some(&b'(') && TYPED.contains(&word) => {
                return self.typed(end);
            }
            _ if self.bytes.get(end) == Some(&b'-') => {
                let rest = &self.text[self.at..];
                let whole = HYPHENATED.iter().find(|word| {
                    rest.starts_with(**word)
                        && self.word_end(self.at + word.len()) == self.at + word.len()
                });
                end = whole.map_or(end, |word| self.at + word.len());
            }
            _ => {}
        }
        self.push(TokenKind::Word, end);
    }

    fn not_word(&mut self) {
        let mut end = self.word_end(self.at + 1);
        let word = &self.text[self.at + 1..end];
        if !NEGATABLE.contains(&word) {
            let fault = Fault::new(Span::new(self.at, self.at + 1), "unexpected `!`");
            self.report(fault.with_hint("`not(…)` negates a condition"));
            self.at += 1;
            return;
        }
        if word == "in" && self.bytes.get(end) == Some(&b'~') {
            end += 1;
        }
        self.push(TokenKind::NotWord, end);
    }

    /// A number, a timespan, or a name that begins with digits.
    fn number(&mut self) {
        let digits = self.digits_end(self.at);
        if self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X') {
            let rest = &self.bytes[self.at + 2..];
            let length = rest.iter().position(|b| !b.is_ascii_hexdigit());
            let end = self.at + 2 + length.unwrap_or(rest.len());
            if end > self.at + 2 && self.word_end(end) == end {
                return self.push(TokenKind::Long, end);
            }
        }
        if let Some(end) = self.real_end(digits) {
            return self.push(TokenKind::Real, end);
        }
        let mut number = digits;
        if self.bytes.get(digits) == Some(&b'.') {
            let fraction = self.digits_end(digits + 1);
            if fraction > digits + 1 {
                number = fraction;
            }
        }
        let end = self.word_end(number);
        if unit_nanoseconds(&self.text[number..end]).is_some() {
            return self.push(TokenKind::Timespan, end);
        }
        let end = self.word_end(digits);
        let kind = if end == digits {
            TokenKind::Long
        } else {
            TokenKind::Word
        };
        self.push(kind, end);
    }

    fn digits_end(&self, from: usize) -> usize {
        let rest = &self.bytes[from..];
        let length = rest.iter().position(|b| !b.is_ascii_digit());
        from + length.unwrap_or(rest.len())
    }

    /// Where the real number ends whose first digits end at `digits`, if it is one.
    fn real_end(&self, digits: usize) -> Option<usize> {
        let byte = |at: usize| self.bytes.get(at).copied().unwrap_or(0);
        let mut end = digits;
        // `1..5` is a range.
        let point = byte(digits) == b'.' && (byte(digits + 1) != b'.' || byte(digits + 2) == b'.');
        if point {
            end = self.digits_end(digits + 1);
        }
        let mut exponent = false;
        if matches!(byte(end), b'e' | b'E') {
            let sign = usize::from(matches!(byte(end + 1), b'+' | b'-'));
            let after = self.digits_end((end + 1 + sign).min(self.bytes.len()));
            if after > end + 1 + sign {
                exponent = true;
                end = after;
            }
        }
        ((point || exponent) && self.word_end(end) == end).then_some(end)
    }

    /// A string whose opening quote stands at `quote`.
    fn string(&mut self, quote: usize, verbatim: bool) {
        let delimiter = self.bytes[quote];
        let mut at = quote + 1;
        let mut bad_escape = false;
        loop {
            match self.bytes.get(at) {
                Some(byte) if *byte == delimiter => {
                    at += 1;
                    if verbatim && self.bytes.get(at) == Some(&delimiter) {
                        at += 1;
                        continue;
                    }
                    break;
                }
                None | Some(b'\r' | b'\n') => {
                    // After a wrong escape the quote was likely swallowed: one message is enough.
                    if !bad_escape {
                        let fault = Fault::new(Span::new(self.at, at), "the string is not closed");
                        let hint = "a string ends on its line; ``` starts one of several lines";
                        self.report(fault.with_hint(hint));
                    }
                    break;
                }
                Some(b'\\') if !verbatim => {
                    let length = self.escape(at);
                    bad_escape |= length == 0;
                    at += length.max(1);
                }
                Some(_) => at += 1,
            }
        }
        self.push(TokenKind::String, at);
    }

    /// Length of the escape at `at`; a wrong one is reported and has none.
    fn escape(&mut self, at: usize) -> usize {
        let next = self.text[at + 1..].chars().next();
        let hex = |count: usize| {
            let digits = self.bytes.get(at + 2..at + 2 + count);
            digits
                .filter(|d| d.iter().all(u8::is_ascii_hexdigit))
                .map_or(0, |_| count + 2)
        };
        let length = match next {
            Some('\\' | '\'' | '"' | 'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v') => 2,
            Some('u') => hex(4),
            Some('U') => hex(8),
            Some('x') => hex(2),
            Some('0'..='7') => 1 + octal_length(&self.bytes[at + 1..]),
            _ => 0,
        };
        if length == 0 && !matches!(next, None | Some('\r' | '\n')) {
            let end = at + 1 + next.map_or(0, char::len_utf8);
            let fault = Fault::new(
                Span::new(at, end),
                format!("`{}` is no escape", &self.text[at..end]),
            );
            self.report(fault.with_hint("write `\\\\`, or put `@` before the string"));
        }
        length
    }

    /// Whether three backquotes or three tildes stand at `at`.
    fn fence(&self, at: usize) -> bool {
        matches!(self.bytes.get(at..at + 3), Some(b"```" | b"~~~"))
    }

    /// A string of several lines whose fence stands at `fence`.
    fn fenced(&mut self, fence: usize) {
        let (delimiter, body) = (&self.text[fence..fence + 3], &self.text[fence + 3..]);
        let end = match body.find(delimiter) {
            Some(length) => fence + 3 + length + 3,
            None => {
                let span = Span::new(self.at, fence + 3);
                let message = format!("the string is not closed by `{delimiter}`");
                self.report(Fault::new(span, message));
                self.bytes.len()
            }
        };
        self.push(TokenKind::String, end);
    }

    /// A typed literal whose bracket opens at `open`. It reaches to the matching bracket; where there is none, to whatever
    /// cannot be inside one.
    fn typed(&mut self, open: usize) {
        let (mut at, mut depth) = (open, 0usize);
        let mut quote = None;
        while let Some(byte) = self.bytes.get(at).copied() {
            match (byte, quote) {
                (b'\r' | b'\n', Some(_)) => quote = None,
                (_, Some(q)) => quote = (byte != q).then_some(q),
                (b'\'' | b'"', None) => quote = Some(byte),
                (b'(', None) => depth += 1,
                (b')', None) => {
                    depth -= 1;
                    if depth == 0 {
                        return self.push(TokenKind::Typed, at + 1);
                    }
                }
                (b'|' | b';' | b'{' | b'}' | b'[' | b']', None) => break,
                _ => {}
            }
            at += 1;
        }
        let fault = Fault::new(
            Span::new(self.at, open + 1),
            format!("`{}` is not closed", &self.text[self.at..=open]),
        );
        self.report(fault);
        self.push(TokenKind::Typed, at);
    }

    /// Reports what starts no token; a run of other letters is one fault.
    fn unexpected(&mut self) {
        let rest = &self.text[self.at..];
        let first = rest.chars().next().unwrap_or(' ');
        let length = if first.is_alphabetic() {
            let other = |c: char| !c.is_alphanumeric() || c.is_ascii();
            rest.find(other).unwrap_or(rest.len())
        } else {
            // `&&` is one fault.
            let run = rest.chars().take_while(|c| *c == first);
            run.map(char::len_utf8).sum()
        };
        let span = Span::new(self.at, self.at + length);
        let fault = Fault::new(span, format!("unexpected `{}`", first.escape_debug()));
        let hint = match first {
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{2019}' => {
                Some("a string stands in straight quotes")
            }
            '&' => Some("`and` joins conditions"),
            '!' => Some("`not(…)` negates a condition"),
            _ if first.is_alphabetic() => Some("a name with such letters is written `['…']`"),
            _ => None,
        };
        self.report(match hint {
            Some(hint) => fault.with_hint(hint),
            None => fault,
        });
        self.at += length;
    }
}

/// Number of octal digits of an escape: three up to `\377`, else two.
pub(super) fn octal_length(bytes: &[u8]) -> usize {
    let most = if bytes.first().is_some_and(|b| *b <= b'3') {
        3
    } else {
        2
    };
    let digits = bytes.iter().take(most);
    digits.take_while(|b| (b'0'..=b'7').contains(*b)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Kusto's blanks beyond ASCII, which queries copied from web pages contain, and the two line ends of Unicode.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{180e}' | '\u{2000}'
            ..='\u{200b}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202f}'
                | '\u{205f}'
                | '\u{3000}'
                | '\u{feff}'
    )
}

#[cfg(test)]
mod tests;
