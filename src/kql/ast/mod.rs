//! The tree of a query: statements, expressions and the tabular operators ([`operator`]).
//!
//! Every node carries the bytes it was read from. The tree says what was written, not what it means: whether `T` is a table, a
//! column or a `let` name is settled later. What the parser could not read stands as [`ExprKind::Missing`] and was reported.
//!
//! Chains (`a and b and c`, `a + b - c`, `a.b[0].c`) are lists, and everything else nests only inside brackets, whose depth
//! the parser limits; so the tree is shallow enough to be walked and dropped by recursion, however long the query.

mod leaf;
mod tree;

/// The tabular operators and their operands.
pub mod operator {
    pub use crate::kql::ast::leaf::{
        ColumnOrder, Direction, FindColumn, NamePattern, Nulls, ParsePart, Rename, Reorder,
    };
    pub use crate::kql::ast::tree::{
        Find, ForkBranch, JoinCondition, MakeSeries, MvColumn, Operator, OperatorKind, Ordered,
        RenderProperty, Scan, ScanStep, SeriesRange, Setting, TopNested,
    };
}

pub use super::span::Span;
pub use crate::function::operators::{ArithmeticOp, CompareOp, InKind, InOp, MatchKind, MatchOp};
pub use crate::function::value::Type;
pub use leaf::{Column, Json, JsonKind, Literal, Name, Schema, TypeRef};
pub use operator::{Operator, OperatorKind, Setting};
pub use tree::{
    Call, DataTable, Expr, ExprKind, ExternalData, NamedExpr, Parameter, ParameterType, Pipeline,
    Source, Step,
};

/// A whole query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Its statements, in order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Where, without the semicolon.
    pub span: Span,
}

/// Kinds of statement.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// `let name = …`
    Let {
        /// The new name.
        name: Name,
        /// What it stands for.
        value: LetValue,
    },
    /// `set name = value`
    Set {
        /// The option.
        name: Name,
        /// Its value; without one it is switched on.
        value: Option<Expr>,
    },
    /// `declare query_parameters(name:type = default, …)`
    QueryParameters(Vec<Parameter>),
    /// `alias database name = …`
    Alias {
        /// The new name.
        name: Name,
        /// The database.
        target: Expr,
    },
    /// `restrict access to (…)`
    Restrict(Vec<Expr>),
    /// `declare pattern name …`; its body is not kept.
    Pattern(Name),
    /// A query: an expression that stands alone.
    Query(Expr),
}

/// The right side of a `let`.
#[derive(Debug, Clone, PartialEq)]
pub enum LetValue {
    /// A scalar or a table; which of them is not known yet.
    Expr(Expr),
    /// `(parameters) { body }`
    Function(Function),
    /// `entity_group [ … ]`
    EntityGroup(Vec<Expr>),
}

/// A function that a query defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Whether it is written `view () { … }`.
    pub view: bool,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its statements; the last one is the result.
    pub body: Vec<Statement>,
    /// Where, from the bracket of the parameters to the brace.
    pub span: Span,
}
