//! The operators of scalars, as a tree names them.

/// Operators of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// Operators of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`, `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// An operator that compares strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatchOp {
    /// How it compares.
    pub kind: MatchKind,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
    /// Whether it is the negated form.
    pub negated: bool,
}

/// How a [`MatchOp`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// `=~`
    Equal,
    /// `has`
    Has,
    /// `hasprefix`
    HasPrefix,
    /// `hassuffix`
    HasSuffix,
    /// `contains`
    Contains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `like`
    Like,
    /// `matches regex`
    Regex,
    /// `column:term`, of `search`
    Term,
}

/// An operator that compares with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InOp {
    /// How it compares.
    pub kind: InKind,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
    /// Whether it is the negated form.
    pub negated: bool,
}

/// How an [`InOp`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InKind {
    /// `in`
    In,
    /// `has_any`
    HasAny,
    /// `has_all`
    HasAll,
}
