//! The Kusto query language (KQL), from text to tree.
//!
//! | stage | takes | gives |
//! |---|---|---|
//! | [`lexer`] | text | tokens: words, literals, punctuation, each with its bytes |
//! | [`parser`] | tokens | a tree ([`ast`]) and every fault of the query in one run |
//! | [`eval`] | scalar expressions of the tree | expressions over named columns, evaluated row by row |
//!
//! What scalars, operators, functions and aggregates mean is [`crate::function`]; [`special`] lists the functions that only the language can
//! resolve, and [`naming`] is how results are named. Tables are not known here: tabular operators are lowered to DataFusion by the engine, those
//! of [`plugin`] aside, which turn rows in memory into rows. [`library`] is a saved function, [`manual`] the help on what has no table of its own,
//! [`mentions`] the names that stand in a query, and [`walk`] its pipelines.
//!
//! Lexer and parser know no tables, columns, functions or types of expressions, and neither imports another crate:
//! a query that parses may still name what does not exist or what is not supported. Both take linear time, never panic, and
//! limit how deep brackets nest ([`parser::MAX_DEPTH`]).
//!
//! The facts of the language are those of Microsoft's own parser and grammar (`microsoft/Kusto-Query-Language`) and of its
//! documentation; none of their code is here.

pub mod ast;
pub mod eval;
pub mod lexer;
pub mod library;
pub mod manual;
pub mod mentions;
pub mod naming;
pub mod parser;
pub mod plugin;
pub mod span;
pub mod special;
pub mod walk;

pub use ast::Query;
pub use parser::parse;
pub use span::{Fault, Missing, Span};
