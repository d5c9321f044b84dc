//! The condition of a rule: which of its searches must match.
//!
//! `not` binds closer than `and`, `and` closer than `or`.

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// The search of that name.
    Search(String),
    /// `1 of selection_*`, `all of them`
    Of(Count, Which),
}

impl Condition {
    /// Whether it asks for a search.
    pub(super) fn uses(&self, name: &str) -> bool {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().any(|p| p.uses(name)),
            Condition::Not(inner) => inner.uses(name),
            Condition::Search(search) => search == name,
            Condition::Of(_, which) => which.means(name),
        }
    }
}

/// How many searches must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    All,
    AtLeast(usize),
}

/// Which searches are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    /// All whose name does not begin with `_`.
    Them,
    /// Those whose names a pattern with `*` fits.
    Like(String),
}

impl Which {
    /// Whether a search is meant.
    pub(super) fn means(&self, name: &str) -> bool {
        match self {
            Which::Them => !name.starts_with('_'),
            Which::Like(pattern) => fits(pattern, name),
        }
    }
}

/// Whether a name fits a pattern with `*`.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(inner) = name.strip_prefix(start).and_then(|n| n.strip_suffix(end)) else {
        return false;
    };
    // The first place of each part leaves most for those behind it.
    let mut left = inner;
    middle.split('*').all(|part| match left.find(part) {
        Some(at) => {
            left = &left[at + part.len()..];
            true
        }
        None => false,
    })
}

/// How deep brackets and `not` may nest.
const MAX_DEPTH: usize = 30;

/// Reads a condition. The error says what is wrong.
pub(super) fn read(text: &str) -> Result<Condition, String> {
    let spaced = text
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('|', " | ");
    let mut parser = Parser {
        words: spaced.split_whitespace().collect(),
        at: 0,
        depth: 0,
    };
    if let Some(at) = parser.words.iter().position(|w| *w == "|") {
        let what = parser.words.get(at + 1).copied().unwrap_or_default();
        return Err(format!(
            "the condition aggregates with `| {what}`, which Sigma 2 has no more: a correlation says it"
        ));
    }
    let condition = parser.either()?;
    match parser.words.get(parser.at) {
        None => Ok(condition),
        Some(word) => Err(format!("the condition does not go on with `{word}`")),
    }
}

struct Parser<'t> {
    words: Vec<&'t str>,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn eat(&mut self, word: &str) -> bool {
        let there = self.words.get(self.at).is_some_and(|w| is(w, word));
        self.at += usize::from(there);
        there
    }

    fn either(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.both()?];
        while self.eat("or") {
            parts.push(self.both()?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    fn both(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.operand()?];
        while self.eat("and") {
            parts.push(self.operand()?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn operand(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("the condition nests more than {MAX_DEPTH} deep"));
        }
        let condition = self.operand_there();
        self.depth -= 1;
        condition
    }

    fn operand_there(&mut self) -> Result<Condition, String> {
        if self.eat("not") {
            return Ok(Condition::Not(Box::new(self.operand()?)));
        }
        if self.eat("(") {
            let inner = self.either()?;
            return match self.eat(")") {
                true => Ok(inner),
                false => Err("the condition has a `(` without its `)`".into()),
            };
        }
        let word = self.take("a search")?;
        let quantity = match word {
            word if is(word, "all") => Some(Count::All),
            word if is(word, "any") => Some(Count::AtLeast(1)),
            word => word.parse().ok().map(Count::AtLeast),
        };
        if let Some(count) = quantity
            && self.eat("of")
        {
            let which = self.take("`them` or the names of searches")?;
            let which = match is(which, "them") {
                true => Which::Them,
                false => Which::Like(which.to_string()),
            };
            return Ok(Condition::Of(count, which));
        }
        if ["and", "or", "not", "of", ")", "them"]
            .iter()
            .any(|k| is(word, k))
        {
            return Err(format!("the condition has `{word}` where a search stands"));
        }
        if is(word, "near") {
            return Err(
                "the condition has `near`, which Sigma 2 has no more: a correlation of type `temporal` says it"
                    .into(),
            );
        }
        Ok(Condition::Search(word.to_string()))
    }

    fn take(&mut self, what: &str) -> Result<&'t str, String> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word.ok_or_else(|| format!("the condition ends where {what} stands"))
    }
}

fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

fn one_or(mut parts: Vec<Condition>, of: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => of(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(name: &str) -> Condition {
        Condition::Search(name.to_string())
    }

    #[test]
    fn not_binds_closer_than_and_and_and_closer_than_or() {
        assert_eq!(
            read("a or not b and (c OR d)"),
            Ok(Condition::Any(vec![
                search("a"),
                Condition::All(vec![
                    Condition::Not(Box::new(search("b"))),
                    Condition::Any(vec![search("c"), search("d")]),
                ]),
            ]))
        );
    }

    #[test]
    fn searches_are_counted() {
        let of = |count, which: &str| Condition::Of(count, Which::Like(which.to_string()));
        assert_eq!(
            read("1 of selection_*"),
            Ok(of(Count::AtLeast(1), "selection_*"))
        );
        assert_eq!(read("2 of sel*"), Ok(of(Count::AtLeast(2), "sel*")));
        assert_eq!(
            read("all of them"),
            Ok(Condition::Of(Count::All, Which::Them))
        );
        assert_eq!(
            read("any of them"),
            Ok(Condition::Of(Count::AtLeast(1), Which::Them))
        );
        assert!(Which::Them.means("a") && !Which::Them.means("_a"));
        let like = Which::Like("sel*_x".into());
        assert!(like.means("selection_x") && !like.means("selection_y"));
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        let said = |text: &str| read(text).expect_err("it is wrong");
        assert!(said("selection | count() by User > 5").contains("`| count"));
        assert!(said("a near b").contains("does not go on with `near`"));
        assert!(said("a and").contains("ends where a search stands"));
        assert!(said("(a or b").contains("`(` without"));
        assert!(said("a b").contains("does not go on with `b`"));
        assert!(said("a and or b").contains("has `or` where"));
        assert!(said(&"(".repeat(1000)).contains("nests more than"));
    }
}
