//! Values of literals, and `dynamic(…)`.

use super::super::ast::{Expr, ExprKind, Json, JsonKind, Literal, Name, Type};
use super::super::lexer::{TokenKind as K, octal_length};
use super::super::span::Fault;
use super::{Parsed, Parser};
use crate::function::value::unit_nanoseconds;

/// Literals.
impl Parser<'_> {
    /// Whether a literal without a sign begins here.
    pub(super) fn at_literal(&self) -> bool {
        matches!(
            self.kind(),
            K::String | K::Long | K::Real | K::Timespan | K::Bool | K::Typed
        )
    }

    /// The literal that begins here.
    #[inline(never)]
    pub(super) fn literal(&mut self) -> Parsed<Literal> {
        if self.at(K::String) {
            return Ok(Literal::String(self.string_text()));
        }
        let token = self.peek(0);
        let text = self.text_of(token);
        let value = match token.kind {
            K::Bool => Some(Literal::Bool(text.eq_ignore_ascii_case("true"))),
            K::Long => long(text).map(Literal::Long),
            K::Real => text.parse().ok().map(Literal::Real),
            K::Timespan => ticks(text).map(Literal::Timespan),
            K::Typed => return self.typed(),
            _ => return Err(self.fail("a literal")),
        };
        self.take();
        // A value out of range is reported and read as zero, so that reading goes on.
        Ok(value.unwrap_or_else(|| {
            let ty = if token.kind == K::Long {
                "long"
            } else {
                "timespan"
            };
            self.report(Fault::new(
                token.span,
                format!("`{}` does not fit into a {ty}", super::shown(text)),
            ));
            Literal::Long(0)
        }))
    }

    /// Text of the strings that stand here; adjacent ones are one.
    pub(super) fn string_text(&mut self) -> String {
        let mut text = String::new();
        while self.at(K::String) {
            let token = self.take();
            unquote(self.text_of(token), &mut text);
        }
        text
    }

    /// `datetime(…)`, `long(…)`
    fn typed(&mut self) -> Parsed<Literal> {
        let token = self.take();
        let text = self.text_of(token);
        let (name, rest) = text.split_once('(').unwrap_or((text, ""));
        let content = rest.strip_suffix(')').unwrap_or(rest).trim();
        let ty = Type::named(name).unwrap_or(Type::String);
        if let Some(literal) = typed(ty, content) {
            return Ok(literal);
        }
        let shown = super::shown(content);
        let fault = Fault::new(token.span, format!("`{shown}` is no {}", ty.name()));
        let function = match ty {
            Type::Real => "todouble",
            Type::Bool => "tobool",
            Type::DateTime => "todatetime",
            Type::Timespan => "totimespan",
            Type::Guid => "toguid",
            Type::Int => "toint",
            Type::Decimal => "todecimal",
            _ => "tolong",
        };
        let hint = format!("`{name}(…)` takes a literal; `{function}(…)` converts an expression");
        self.report(fault.with_hint(hint));
        Ok(Literal::Null(ty))
    }
}

/// `dynamic(…)`
impl Parser<'_> {
    /// The brackets behind `dynamic` and what is in them.
    #[inline(never)]
    pub(super) fn dynamic(&mut self) -> Parsed<Expr> {
        let start = self.here();
        self.take();
        let json = self.bracketed(Self::json)?;
        Ok(Expr {
            kind: ExprKind::Dynamic(Box::new(json)),
            span: self.since(start),
        })
    }

    fn json(&mut self) -> Parsed<Json> {
        let start = self.here();
        let kind = match self.kind() {
            K::LeftBracket => JsonKind::Array(self.bracketed(|p| p.items(Self::json))?),
            K::LeftBrace => JsonKind::Object(self.bracketed(|p| p.items(Self::json_pair))?),
            K::Word if self.at_word("null") => {
                self.take();
                JsonKind::Null
            }
            // Nesting says nothing: `dynamic(dynamic(x))` is `dynamic(x)`.
            K::Word if self.at_word("dynamic") && self.peek(1).kind == K::LeftParen => {
                self.take();
                self.bracketed(Self::json)?.kind
            }
            _ => self.json_literal()?,
        };
        Ok(Json {
            kind,
            span: self.since(start),
        })
    }

    #[inline(never)]
    fn json_pair(&mut self) -> Parsed<(Name, Json)> {
        if !self.at(K::String) {
            return Err(self.fail("a string and `:`"));
        }
        let token = self.take();
        let mut text = String::new();
        unquote(self.text_of(token), &mut text);
        let name = Name {
            text,
            span: token.span,
        };
        self.expect(K::Colon, "`:` and a value")?;
        Ok((name, self.json()?))
    }

    #[inline(never)]
    fn json_literal(&mut self) -> Parsed<JsonKind> {
        let negative = self.at(K::Minus) && matches!(self.peek(1).kind, K::Long | K::Real);
        if negative {
            self.take();
        }
        if matches!(self.kind(), K::Long | K::Real) {
            let token = self.take();
            return Ok(JsonKind::Literal(json_number(
                self.text_of(token),
                negative,
            )));
        }
        if !self.at_literal() {
            return Err(self.fail("a value of JSON"));
        }
        Ok(JsonKind::Literal(self.literal()?))
    }
}

/// A number of JSON: whole where it fits into a `long`, else real.
fn json_number(text: &str, negative: bool) -> Literal {
    let magnitude = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => text.parse::<i128>().ok(),
    };
    let value = magnitude.map(|value| if negative { -value } else { value });
    if let Some(value) = value.and_then(|value| i64::try_from(value).ok()) {
        return Literal::Long(value);
    }
    // The lexer lets through digits, a point and an exponent only: a number too large is infinite.
    let value: f64 = text.parse().unwrap_or(f64::INFINITY);
    Literal::Real(if negative { -value } else { value })
}

/// Appends what a string token stands for.
fn unquote(token: &str, text: &mut String) {
    let token = token.strip_prefix(['h', 'H']).unwrap_or(token);
    for fence in ["```", "~~~"] {
        if let Some(body) = token.strip_prefix(fence) {
            text.push_str(body.strip_suffix(fence).unwrap_or(body));
            return;
        }
    }
    let (verbatim, quoted) = match token.strip_prefix('@') {
        Some(quoted) => (true, quoted),
        None => (false, token),
    };
    let Some(quote) = quoted.chars().next() else {
        return;
    };
    let body = &quoted[quote.len_utf8()..];
    if verbatim {
        let body = body.strip_suffix(quote).unwrap_or(body);
        let twice: String = [quote, quote].iter().collect();
        text.push_str(&body.replace(&twice, quote.encode_utf8(&mut [0; 4])));
    } else {
        unescape(body, quote, text);
    }
}

/// Appends the text up to the closing quote; escapes are those the lexer lets through.
fn unescape(body: &str, quote: char, text: &mut String) {
    let mut rest = body;
    // The first half of a pair of `\u` escapes that make one character.
    let mut high: Option<u32> = None;
    while let Some(at) = rest.find(['\\', quote]) {
        if at > 0 {
            flush(&mut high, text);
            text.push_str(&rest[..at]);
        }
        if !rest[at..].starts_with('\\') {
            rest = "";
            break;
        }
        let escape = &rest.as_bytes()[at + 1..];
        let (code, length) = match escape.first() {
            Some(b'a') => (0x07, 1),
            Some(b'b') => (0x08, 1),
            Some(b'f') => (0x0c, 1),
            Some(b'n') => (0x0a, 1),
            Some(b'r') => (0x0d, 1),
            Some(b't') => (0x09, 1),
            Some(b'v') => (0x0b, 1),
            Some(b'u') => (digits(escape, 1, 4, 16), 5),
            Some(b'U') => (digits(escape, 1, 8, 16), 9),
            Some(b'x') => (digits(escape, 1, 2, 16), 3),
            Some(b'0'..=b'7') => {
                let length = octal_length(escape);
                (digits(escape, 0, length, 8), length)
            }
            Some(byte @ (b'\\' | b'\'' | b'"')) => (u32::from(*byte), 1),
            // A wrong escape, reported by the lexer, stands for itself.
            _ => (0x5c, 0),
        };
        match (code, high.take()) {
            (0xdc00..=0xdfff, Some(first)) => {
                push(0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00), text);
            }
            (_, first) => {
                if let Some(first) = first {
                    push(first, text);
                }
                match code {
                    0xd800..=0xdbff => high = Some(code),
                    _ => push(code, text),
                }
            }
        }
        rest = rest.get(at + 1 + length..).unwrap_or("");
    }
    flush(&mut high, text);
    text.push_str(rest);
}

fn flush(high: &mut Option<u32>, text: &mut String) {
    if let Some(code) = high.take() {
        push(code, text);
    }
}

/// Appends a character; what is none, such as half a pair, is the replacement character.
fn push(code: u32, text: &mut String) {
    text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
}

fn digits(bytes: &[u8], from: usize, count: usize, radix: u32) -> u32 {
    let digits = bytes.get(from..from + count).unwrap_or_default();
    digits.iter().fold(0u32, |code, digit| {
        let value = char::from(*digit).to_digit(radix).unwrap_or(0);
        code.wrapping_mul(radix).wrapping_add(value)
    })
}

/// `42`, `0x2a`; hexadecimal digits are the bits of the number.
fn long(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
        None => text.parse().ok(),
    }
}

/// Ticks of 100 ns of `2.5h`; parts of a tick are cut off.
fn ticks(text: &str) -> Option<i64> {
    let letters = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(letters);
    let nanoseconds = unit_nanoseconds(unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // Digits beyond a day's nanoseconds change nothing.
    let fraction = &fraction[..fraction.len().min(16)];
    let scale = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole: i128 = whole.parse::<i64>().ok()?.into();
    let parts: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let scaled = whole
        .checked_mul(scale)?
        .checked_add(parts)?
        .checked_mul(nanoseconds)?;
    i64::try_from(scaled / scale / 100).ok()
}

/// What stands between the brackets of a typed literal; nothing where it is not of that type.
fn typed(ty: Type, content: &str) -> Option<Literal> {
    if content.eq_ignore_ascii_case("null") {
        return Some(Literal::Null(ty));
    }
    let mut unquoted = String::new();
    let content = match content.chars().next() {
        Some('\'' | '"' | '@') => {
            unquote(content, &mut unquoted);
            unquoted.trim()
        }
        _ => content,
    };
    match ty {
        Type::Bool => match content.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(Literal::Bool(true)),
            "false" | "0" => Some(Literal::Bool(false)),
            _ => None,
        },
        Type::Int => match content {
            "min" => Some(Literal::Int(i32::MIN)),
            "max" => Some(Literal::Int(i32::MAX)),
            _ => signed(content)
                .and_then(|value| i32::try_from(value).ok())
                .map(Literal::Int),
        },
        Type::Long => match content {
            "min" => Some(Literal::Long(i64::MIN)),
            "max" => Some(Literal::Long(i64::MAX)),
            _ => signed(content).map(Literal::Long),
        },
        Type::Real => match content {
            "min" => Some(Literal::Real(f64::MIN)),
            "max" => Some(Literal::Real(f64::MAX)),
            _ => real(content).map(Literal::Real),
        },
        // `datetime()` is the instant of the query.
        Type::DateTime if content.is_empty() => Some(Literal::Typed(ty, String::new())),
        _ => {
            // Dates copied from web pages have other blanks.
            let blank = |c: char| c.is_whitespace();
            let content = content.replace(blank, " ");
            let typical = |c: char| c.is_alphanumeric() || " .:,/+-".contains(c);
            let plausible = !content.is_empty() && content.chars().all(typical);
            plausible.then_some(Literal::Typed(ty, content))
        }
    }
}

/// A whole number that may have a sign.
fn signed(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(_) => text.parse().ok(),
        None => long(text.strip_prefix('+').unwrap_or(text)),
    }
}

/// A number, `inf` or `nan`, in Kusto's spellings.
fn real(text: &str) -> Option<f64> {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let words = ["inf", "nan", "infinity"];
    let number = bare.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    match number || words.iter().any(|word| bare.eq_ignore_ascii_case(word)) {
        true => text.parse().ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(token: &str) -> String {
        let mut text = String::new();
        unquote(token, &mut text);
        text
    }

    #[test]
    fn strings_lose_quotes_and_escapes() {
        assert_eq!(string(r#""a\tb\"c\\""#), "a\tb\"c\\");
        assert_eq!(string(r#"@"a\t""b""#), "a\\t\"b");
        assert_eq!(string(r"h'it''"), "it");
        assert_eq!(string(r"H@'it''s'"), "it's");
        assert_eq!(string("```a\n'b'```"), "a\n'b'");
        assert_eq!(string("~~~a```~~~"), "a```");
        assert_eq!(string(r"'\u00e9\x41\101\7'"), "éAA\u{7}");
        assert_eq!(string(r"'\ud83d\ude00'"), "😀");
        assert_eq!(string(r"'\ud83dx\ud83d'"), "\u{fffd}x\u{fffd}");
        assert_eq!(string(r"'\U0001F600'"), "😀");
    }

    #[test]
    fn an_unclosed_string_is_read_to_its_end() {
        assert_eq!(string("'abc"), "abc");
        assert_eq!(string("@\"abc"), "abc");
        assert_eq!(string("'a\\"), "a\\");
        assert_eq!(string("'a\\d"), "a\\d");
    }

    #[test]
    fn timespans_are_counted_in_ticks() {
        assert_eq!(ticks("1d"), Some(864_000_000_000));
        assert_eq!(ticks("2.5h"), Some(90_000_000_000));
        assert_eq!(ticks("10microseconds"), Some(100));
        assert_eq!(ticks("1tick"), Some(1));
        assert_eq!(ticks("0.1s"), Some(1_000_000));
        assert_eq!(ticks("150nano"), Some(1));
        assert_eq!(ticks("99999999999999d"), None);
    }

    #[test]
    fn typed_literals_take_their_spellings() {
        assert_eq!(typed(Type::Int, "-7"), Some(Literal::Int(-7)));
        assert_eq!(typed(Type::Int, "3000000000"), None);
        assert_eq!(typed(Type::Long, "0xff"), Some(Literal::Long(255)));
        assert_eq!(typed(Type::Long, "null"), Some(Literal::Null(Type::Long)));
        assert_eq!(typed(Type::Long, "x + 1"), None);
        assert_eq!(
            typed(Type::Real, "-inf"),
            Some(Literal::Real(f64::NEG_INFINITY))
        );
        assert_eq!(typed(Type::Real, "1e3"), Some(Literal::Real(1000.0)));
        assert_eq!(typed(Type::Bool, "TRUE"), Some(Literal::Bool(true)));
        let date = Literal::Typed(Type::DateTime, "2026-01-01 10:00".into());
        assert_eq!(typed(Type::DateTime, "\"2026-01-01 10:00\""), Some(date));
        assert_eq!(typed(Type::DateTime, "ago(1d)"), None);
        assert_eq!(typed(Type::Timespan, ""), None);
    }
}
