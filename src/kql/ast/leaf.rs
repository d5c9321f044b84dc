//! What a tree holds beside expressions: names, types, constants, directions.

use crate::function::value::Type;
use crate::kql::span::Span;

/// Columns between brackets: `(a:string, b:long)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<Column>,
    /// Whether a `*` stands among them: there may be others.
    pub open: bool,
    /// Where, with the brackets.
    pub span: Span,
}

/// A column of a [`Schema`].
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
}

/// A type where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeRef {
    /// The type.
    pub ty: Type,
    /// Where.
    pub span: Span,
}

/// A name, without brackets and quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where, with brackets and quotes.
    pub span: Span,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true`, `bool(1)`
    Bool(bool),
    /// `int(7)`
    Int(i32),
    /// `7`, `long(7)`
    Long(i64),
    /// `1.5`, `real(nan)`
    Real(f64),
    /// A string, unescaped; adjacent strings are one.
    String(String),
    /// `2.5h`, in ticks of 100 ns.
    Timespan(i64),
    /// `datetime(2026-01-01)`, `timespan(1.02:03:04)`, `guid(…)`, `decimal(1.5)`: as written between the brackets, without
    /// blanks and quotes around it. The engine's conversion functions read the same forms.
    Typed(Type, String),
    /// `int(null)`
    Null(Type),
}

/// A value inside `dynamic(…)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Json {
    /// What it is.
    pub kind: JsonKind,
    /// Where.
    pub span: Span,
}

/// Kinds of value inside `dynamic(…)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum JsonKind {
    /// `null`
    #[default]
    Null,
    /// A constant; Kusto's typed ones too, as in `dynamic([datetime(2026-01-01)])`.
    Literal(Literal),
    /// `[…]`
    Array(Vec<Json>),
    /// `{…}`, in the order written
    Object(Vec<(Name, Json)>),
}

/// A column name or, with `*`, a pattern for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    /// The text.
    pub name: Name,
    /// Whether each `*` in it stands for any text.
    pub wildcard: bool,
}

/// `new = old` of `project-rename`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The new name.
    pub to: Name,
    /// The old name.
    pub from: Name,
}

/// An item of `project-reorder`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reorder {
    /// The columns.
    pub columns: NamePattern,
    /// Their order among themselves.
    pub order: Option<ColumnOrder>,
}

/// Orders of columns by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnOrder {
    /// `asc`
    Ascending,
    /// `desc`
    Descending,
    /// `granny-asc`: numbers in names by their value
    GrannyAscending,
    /// `granny-desc`
    GrannyDescending,
}

/// Directions of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `asc`
    Ascending,
    /// `desc`
    Descending,
}

/// Where a sort puts nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// `nulls first`
    First,
    /// `nulls last`
    Last,
}

/// A part of the pattern of `parse`.
#[derive(Debug, Clone, PartialEq)]
pub enum ParsePart {
    /// `*`: any text
    Star(Span),
    /// A string that stands there; in `kind=regex`, a pattern for it.
    Text(Name),
    /// A column that takes the text there.
    Column {
        /// Its name.
        name: Name,
        /// Its type; `string` where none is given.
        ty: Option<TypeRef>,
    },
}

/// A column of the result of [`Find`](super::operator::Find).
#[derive(Debug, Clone, PartialEq)]
pub enum FindColumn {
    /// `name` or `name:type`
    Column(Name, Option<TypeRef>),
    /// `pack(*)`: all other columns in one
    Pack(Span),
    /// `*`
    Star(Span),
}
