//! Modifiers: what stands behind a field, as in `Parameters|contains|all`.

use super::refusal::{At, Refusal};
use crate::fault::did_you_mean;

/// How a field is compared with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct How {
    pub(super) test: Test,
    /// All values must match, not one of them.
    pub(super) all: bool,
    pub(super) case_sensitive: bool,
    /// None of the values may match.
    pub(super) differs: bool,
    pub(super) encodings: Vec<Encoding>,
    pub(super) any_dash: bool,
    pub(super) placeholders: bool,
    /// The values are names of fields.
    pub(super) fields: bool,
}

/// The comparison itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    Contains,
    StartsWith,
    EndsWith,
    /// A regular expression, with the flags `i`, `m`, `s`.
    Regex(Flags),
    Network,
    Exists,
    /// `<`, `<=`, `>`, `>=`
    Order(&'static str),
    /// A part of a time, as `datetime_part` names it.
    TimePart(&'static str),
}

/// Flags of a regular expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) many_lines: bool,
    pub(super) dot_is_all: bool,
}

/// What a value is made into before it is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Base64,
    /// Base64 at any offset of the text around it.
    Base64Offset,
    Utf16Le,
    Utf16Be,
    /// With a byte order mark.
    Utf16,
}

/// All modifiers, for messages.
const NAMES: [&str; 31] = [
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "day",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "neq",
    "re",
    "s",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "week",
    "wide",
    "windash",
    "year",
];

/// Reads the modifiers of a field.
pub(super) fn read<'t>(names: impl Iterator<Item = &'t str>, at: At) -> Result<How, Refusal> {
    let mut how = How {
        test: Test::Equal,
        all: false,
        case_sensitive: false,
        differs: false,
        encodings: Vec::new(),
        any_dash: false,
        placeholders: false,
        fields: false,
    };
    let mut tests: Vec<&str> = Vec::new();
    let mut flags = Flags::default();
    for name in names {
        let mut test = |test: Test| {
            tests.push(name);
            how.test = test;
        };
        match name {
            "contains" => test(Test::Contains),
            "startswith" => test(Test::StartsWith),
            "endswith" => test(Test::EndsWith),
            "re" => test(Test::Regex(flags)),
            "cidr" => test(Test::Network),
            "exists" => test(Test::Exists),
            "lt" => test(Test::Order("<")),
            "lte" => test(Test::Order("<=")),
            "gt" => test(Test::Order(">")),
            "gte" => test(Test::Order(">=")),
            "minute" => test(Test::TimePart("minute")),
            "hour" => test(Test::TimePart("hour")),
            "day" => test(Test::TimePart("day")),
            "week" => test(Test::TimePart("week_of_year")),
            "month" => test(Test::TimePart("month")),
            "year" => test(Test::TimePart("year")),
            "i" | "ignorecase" => flags.ignore_case = true,
            "m" | "multiline" => flags.many_lines = true,
            "s" | "dotall" => flags.dot_is_all = true,
            "all" => how.all = true,
            "cased" => how.case_sensitive = true,
            "neq" => how.differs = true,
            "base64" => how.encodings.push(Encoding::Base64),
            "base64offset" => how.encodings.push(Encoding::Base64Offset),
            "wide" | "utf16le" => how.encodings.push(Encoding::Utf16Le),
            "utf16be" => how.encodings.push(Encoding::Utf16Be),
            "utf16" => how.encodings.push(Encoding::Utf16),
            "windash" => how.any_dash = true,
            "expand" => how.placeholders = true,
            "fieldref" => how.fields = true,
            unknown => return Err(unknown_modifier(unknown, at)),
        }
    }
    // `re|contains` says twice that a part of the text is enough.
    if tests.contains(&"re") && tests.iter().all(|t| ["re", "contains"].contains(t)) {
        how.test = Test::Regex(flags);
    } else if let [first, second, ..] = tests.as_slice() {
        return Err(together(first, second, at));
    }
    if flags != Flags::default() && !matches!(how.test, Test::Regex(_)) {
        return Err(Refusal::new(
            at,
            "the modifiers `i`, `m` and `s` stand behind `re`",
        ));
    }
    check(&how, at)?;
    Ok(how)
}

/// Refuses what makes no sense together.
fn check(how: &How, at: At) -> Result<(), Refusal> {
    let is_text = matches!(
        how.test,
        Test::Equal | Test::Contains | Test::StartsWith | Test::EndsWith
    );
    let given = [
        ("windash", how.any_dash),
        ("expand", how.placeholders),
        ("fieldref", how.fields),
        ("base64, base64offset and UTF-16", !how.encodings.is_empty()),
    ];
    let mut given = given.iter().filter(|(_, is)| *is).map(|(name, _)| *name);
    let first = given.next();
    if let (Some(first), Some(second)) = (first, given.next()) {
        return Err(together(first, second, at));
    }
    match first {
        Some(first) if !is_text => Err(Refusal::new(
            at,
            format!("the modifier `{first}` is one of texts"),
        )),
        _ => Ok(()),
    }
}

fn together(first: &str, second: &str, at: At) -> Refusal {
    let message = format!("the modifiers `{first}` and `{second}` do not go together");
    Refusal::new(at, message)
}

fn unknown_modifier(name: &str, at: At) -> Refusal {
    let known: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
    let refusal = Refusal::new(at, format!("unknown modifier `{name}`"));
    match did_you_mean(name, &known) {
        Some(hint) => refusal.with_hint(hint),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(names: &str) -> String {
        read(names.split('|'), At::default())
            .expect_err("it is wrong")
            .message
    }

    #[test]
    fn all_modifiers_are_read() {
        for name in NAMES.iter().filter(|n| !["i", "m", "s"].contains(n)) {
            assert!(read([*name].into_iter(), At::default()).is_ok(), "{name}");
        }
        let how = read("re|i|s".split('|'), At::default()).expect("it is right");
        let flags = Flags {
            ignore_case: true,
            many_lines: false,
            dot_is_all: true,
        };
        assert_eq!(how.test, Test::Regex(flags));
        let how = read("contains|all".split('|'), At::default()).expect("it is right");
        assert!(how.all && how.test == Test::Contains);
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        assert_eq!(said("contain"), "unknown modifier `contain`");
        assert!(said("contains|startswith").contains("`contains` and `startswith`"));
        assert!(said("contains|i").contains("behind `re`"));
        assert!(said("re|windash").contains("`windash` is one of texts"));
        assert!(said("expand|base64").contains("do not go together"));
    }
}
