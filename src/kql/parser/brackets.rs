//! Which bracket closes which, found before parsing so that recovery knows where a bracket ends.

use super::super::lexer::{Token, TokenKind as K};

/// For each token that is a bracket with a partner, the partner's place.
///
/// Brackets that do not fit are left alone: a closing one of the wrong kind closes the nearest of its own kind, and those
/// between have no partner; where there is none of its kind, it has no partner itself. A `let` behind a semicolon ends every
/// open bracket up to the next brace, since statements stand in braces only.
pub(super) fn partners(text: &str, tokens: &[Token]) -> Vec<Option<usize>> {
    let mut partners = vec![None; tokens.len()];
    let mut open: Vec<usize> = Vec::new();
    // How many of each kind are open: `(`, `[`, `{`.
    let mut count = [0usize; 3];
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            K::LeftParen | K::LeftBracket | K::LeftBrace => {
                count[family(token.kind)] += 1;
                open.push(at);
            }
            K::RightParen | K::RightBracket | K::RightBrace => {
                let family_of_it = family(token.kind);
                if count[family_of_it] == 0 {
                    continue;
                }
                while let Some(opening) = open.pop() {
                    let opened = family(tokens[opening].kind);
                    count[opened] -= 1;
                    if opened == family_of_it {
                        partners[opening] = Some(at);
                        partners[at] = Some(opening);
                        break;
                    }
                }
            }
            K::Semicolon => {
                let next = tokens[at + 1..].first();
                if next.is_some_and(|next| next.kind == K::Word && next.span.of(text) == "let") {
                    while let Some(opening) = open.pop_if(|o| tokens[*o].kind != K::LeftBrace) {
                        count[family(tokens[opening].kind)] -= 1;
                    }
                }
            }
            _ => {}
        }
    }
    partners
}

/// Brackets of one shape have one number.
fn family(kind: K) -> usize {
    match kind {
        K::LeftParen | K::RightParen => 0,
        K::LeftBracket | K::RightBracket => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::lexer::lex;
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, usize)> {
        let (tokens, _) = lex(text);
        let all = partners(text, &tokens).into_iter().enumerate();
        all.filter_map(|(i, p)| p.filter(|p| *p > i).map(|p| (i, p)))
            .collect()
    }

    #[test]
    fn brackets_find_their_partners() {
        assert_eq!(pairs("a(b[c]{d})"), [(1, 9), (3, 5), (6, 8)]);
    }

    #[test]
    fn a_wrong_bracket_leaves_the_others_alone() {
        assert_eq!(pairs("( [ )"), [(0, 2)]);
        assert_eq!(pairs("( ] )"), [(0, 2)]);
        assert_eq!(pairs(") ( ("), []);
    }

    #[test]
    fn a_let_ends_what_was_left_open() {
        assert_eq!(pairs("( ; let x = (1)"), [(5, 7)]);
        assert_eq!(pairs("{ ( ; let x = (1) }"), [(0, 9), (6, 8)]);
        assert_eq!(pairs("( step ; step )"), [(0, 4)]);
    }
}
