use super::TokenKind as K;
use super::*;

/// Kinds and texts of all tokens but the end.
fn tokens(text: &str) -> Vec<(K, &str)> {
    let (tokens, faults) = lex(text);
    assert_eq!(faults, [], "{text}");
    let (end, tokens) = tokens.split_last().expect("the end is always there");
    assert_eq!(end.kind, K::End);
    let shown = tokens.iter().map(|t| (t.kind, t.span.of(text)));
    shown.collect()
}

fn faults(text: &str) -> Vec<String> {
    let (_, faults) = lex(text);
    faults.into_iter().map(|fault| fault.message).collect()
}

#[test]
fn words_with_hyphens_are_one_token() {
    let words = "where mv-expand project-away-x a-b in~ graph-shortest-paths";
    let expected = [
        (K::Word, "where"),
        (K::Word, "mv-expand"),
        (K::Word, "project-away"),
        (K::Minus, "-"),
        (K::Word, "x"),
        (K::Word, "a"),
        (K::Minus, "-"),
        (K::Word, "b"),
        (K::Word, "in~"),
        (K::Word, "graph-shortest-paths"),
    ];
    assert_eq!(tokens(words), expected);
}

#[test]
fn names_may_begin_with_digits_and_dollars() {
    let expected = [
        (K::Word, "3Dchart"),
        (K::Word, "$left"),
        (K::Dot, "."),
        (K::Word, "_x1"),
    ];
    assert_eq!(tokens("3Dchart $left._x1"), expected);
}

#[test]
fn numbers_timespans_and_ranges_differ() {
    let numbers = "1 0x1F 1.5 2e3 1. 1e 3d 2.5h 10microseconds 1tick 1us 1..5 1.0..2.0";
    let expected = [
        (K::Long, "1"),
        (K::Long, "0x1F"),
        (K::Real, "1.5"),
        (K::Real, "2e3"),
        (K::Real, "1."),
        (K::Word, "1e"),
        (K::Timespan, "3d"),
        (K::Timespan, "2.5h"),
        (K::Timespan, "10microseconds"),
        (K::Timespan, "1tick"),
        (K::Word, "1us"),
        (K::Long, "1"),
        (K::DotDot, ".."),
        (K::Long, "5"),
        (K::Real, "1.0"),
        (K::DotDot, ".."),
        (K::Real, "2.0"),
    ];
    assert_eq!(tokens(numbers), expected);
}

#[test]
fn strings_have_many_forms() {
    let strings = [
        r"'a\'b'",
        r#""a\\""#,
        r#"@"a\""b""#,
        "@'it''s'",
        "h'x'",
        "H@\"x\"",
        "```a\n\"b\"```",
        "~~~a|b~~~",
        "h```x```",
    ];
    for string in strings {
        assert_eq!(tokens(string), [(K::String, string)]);
    }
}

#[test]
fn a_typed_literal_needs_its_bracket_at_once() {
    assert_eq!(
        tokens("datetime(2026-01-01 10:00)"),
        [(K::Typed, "datetime(2026-01-01 10:00)")]
    );
    assert_eq!(
        tokens("time(f(')'))"),
        [(K::Typed, "time(f(')'))")],
        "to the matching bracket"
    );
    assert_eq!(tokens("datetime (")[0], (K::Word, "datetime"));
    assert_eq!(tokens("dynamic(")[0], (K::Word, "dynamic"));
    assert_eq!(
        faults("T | where t > datetime(2026 | take 1"),
        ["`datetime(` is not closed"]
    );
}

#[test]
fn operators_are_cut_greedily() {
    let kinds: Vec<K> = tokens("= == => =~ != !~ <> < <= > >= .. . !has !in~ !in")
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    let expected = [
        K::Assign,
        K::Equal,
        K::Arrow,
        K::EqualTilde,
        K::NotEqual,
        K::NotTilde,
        K::NotEqual,
        K::Less,
        K::LessEqual,
        K::Greater,
        K::GreaterEqual,
        K::DotDot,
        K::Dot,
        K::NotWord,
        K::NotWord,
        K::NotWord,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn blanks_of_web_pages_and_comments_are_stepped_over() {
    let text = "\u{feff}a\u{a0}// all of it | is a comment\r\n\u{200b}b//";
    assert_eq!(tokens(text), [(K::Word, "a"), (K::Word, "b")]);
}

#[test]
fn what_is_no_token_is_reported_once() {
    assert_eq!(faults("a && b"), ["unexpected `&`"]);
    assert_eq!(faults("größe"), ["unexpected `ö`"]);
    assert_eq!(faults("!x"), ["unexpected `!`"]);
    assert_eq!(faults("'a\nb"), ["the string is not closed"]);
    assert_eq!(faults(r"'a\d'"), [r"`\d` is no escape"]);
    assert_eq!(faults(r"'C:\'"), ["the string is not closed"]);
    assert_eq!(faults("```a"), ["the string is not closed by `````"]);
    assert_eq!(faults("“a”").len(), 2);
}

#[test]
fn tokens_cover_the_text_in_order() {
    let text = "T | where a has 'é' and b in~ (1, datetime(2026-01-01)) // c";
    let (tokens, _) = lex(text);
    let mut at = 0;
    for token in tokens {
        assert!(token.span.start >= at && token.span.end >= token.span.start);
        at = token.span.end;
    }
    assert_eq!(at, text.len());
}
